"""Vehicles against exact values: as servers of a queue, and as a Markov chain."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial
from typing import Any, NamedTuple

import numpy as np
import pytest

import linewright
from linewright.stats.intervals import Interval, mean_interval
from tests.test_stocks_exact import CONFIDENCE, hold, line_of, simulate


def of_fleet(result: linewright.Result, column: str) -> Interval:
    table = result.table("vehicles").to_pandas()
    return mean_interval(table[column].to_numpy(float), CONFIDENCE)


def per_call(result: linewright.Result, column: str) -> Interval:
    table = result.table("vehicles").to_pandas()
    return mean_interval((table[column] / table["calls"]).to_numpy(), CONFIDENCE)


# ------------------------------------------------------------------ queue


def erlang_c(servers: int, load: float) -> float:
    """Return the share of customers of M/M/c that wait (Erlang, 1917)."""
    terms = [load**n / factorial(n) for n in range(servers)]
    last = load**servers / factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


def carted(count: int, trip: str, **more: Any) -> linewright.Result:
    """Simulate parts that come every two minutes and are carried to another place."""
    line = line_of(
        vehicles={"cart": {"count": count, "home": "A", "speed": "1 m/s", **more}},
        stations={
            "A": {"process": "0 s", "output_buffer": "unlimited"},
            "B": {"process": "0 s"},
        },
        products={
            "p": {"route": ["A", "B"], "release": {"every": "exponential(2 min)"}}
        },
        # the cart is back at once
        transport=[
            {"from": "A", "to": "B", "by": "cart", "time": trip, "distance": "0 m"}
        ],
    )
    return simulate(line, 70 + count, "200 d")


@pytest.mark.parametrize(("count", "trip"), [(1, 1.4), (2, 3.0), (5, 8.5)])
def test_vehicles_with_exponential_trips_are_servers_of_erlang(
    count: int, trip: float
) -> None:
    result = carted(count, f"exponential({trip} min)")
    load = trip / 2
    waits = erlang_c(count, load)
    hold(per_call(result, "waited"), waits, 0.05)
    wait_s = 60 * waits * trip / (count - load)
    hold(of_fleet(result, "wait_mean_s"), wait_s, 0.1)
    hold(of_fleet(result, "carrying_share"), load / count, 0.02)


def test_the_mean_number_of_busy_vehicles_is_rate_times_mean_trip() -> None:
    """Little's law, whatever the times: loading, way and unloading together."""
    result = carted(
        3, "gamma(mean=2 min, cv=1.5)", load="uniform(10 s, 50 s)", unload="20 s"
    )
    hold(of_fleet(result, "carrying_share"), (2 + 1 / 3) / 2 / 3, 0.02)
    hold(of_fleet(result, "coming_share"), 0.5 / 2 / 3, 0.02)


# ------------------------------------------------------------------ chain


class Now(NamedTuple):
    """What two stations and a vehicle between them do.

    Attributes:
        first: 0 works, 1 waits for a place ahead, 2 has one and waits to be fetched.
        cart: 0 is idle, 1 loads, 2 carries.
        queue: Parts that wait at the second station.
        busy: Whether that works.
    """

    first: int = 0
    cart: int = 0
    queue: int = 0
    busy: int = 0


RATES = {"first": 1 / 5, "load": 1 / 2, "carry": 1 / 3, "second": 1 / 6}  # by the min


def let_go_on(now: Now, places: int) -> Now:
    """Give the first station's part a place if there is one, and the cart to it."""
    taken = now.queue + (now.first == 2) + (now.cart == 2)
    if now.first == 1 and taken < places:
        now = now._replace(first=2)
    if now.first == 2 and now.cart == 0:
        now = now._replace(cart=1)
    return now


def steps(now: Now, places: int) -> Iterator[tuple[float, Now]]:
    """Yield what may happen next, with its rate."""
    if now.first == 0:
        yield RATES["first"], let_go_on(now._replace(first=1), places)
    if now.cart == 1:
        yield RATES["load"], let_go_on(now._replace(first=0, cart=2), places)
    if now.cart == 2:
        arrived = now._replace(cart=0, queue=now.queue + now.busy, busy=1)
        yield RATES["carry"], let_go_on(arrived, places)
    if now.busy:
        left = now._replace(queue=max(now.queue - 1, 0), busy=int(now.queue > 0))
        yield RATES["second"], let_go_on(left, places)


def shares(places: int) -> dict[Now, float]:
    """Return the stationary distribution of the chain."""
    rows = {Now(): 0}
    found = list(rows)
    moves = []
    for now in found:  # it grows meanwhile
        for rate, following in steps(now, places):
            if following not in rows:
                rows[following] = len(rows)
                found.append(following)
            moves.append((rows[now], rows[following], rate))
    matrix = np.zeros((len(rows), len(rows)))
    for start, end, rate in moves:
        matrix[end, start] += rate
        matrix[start, start] -= rate
    matrix[-1] = 1
    wanted = np.zeros(len(rows))
    wanted[-1] = 1
    return dict(zip(found, np.linalg.solve(matrix, wanted).tolist(), strict=True))


@pytest.mark.parametrize("places", [1, 2, 4])
def test_a_vehicle_between_two_stations_is_that_of_the_chain(places: int) -> None:
    line = line_of(
        vehicles={
            "cart": {"home": "A", "speed": "1 m/s", "load": "exponential(2 min)"}
        },
        stations={
            "A": {"process": "exponential(5 min)"},
            "B": {"process": "exponential(6 min)", "buffer": places},
        },
        products={"p": {"route": ["A", "B"]}},
        transport=[
            {
                "from": "A",
                "to": "B",
                "by": "cart",
                "time": "exponential(3 min)",
                "distance": "0 m",
            }
        ],
    )
    result = simulate(line, 40 + places, "200 d")
    chain = shares(places)
    busy = sum(share for now, share in chain.items() if now.busy)
    hold(result.throughput["p"], 60 * RATES["second"] * busy, 0.02)
    for cart, column in enumerate(("idle_share", "coming_share", "carrying_share")):
        exact = sum(share for now, share in chain.items() if now.cart == cart)
        hold(of_fleet(result, column), exact, 0.02)
