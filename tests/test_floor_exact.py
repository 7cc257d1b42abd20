"""Batches held against exact Markov chains of our own: bulk service, least and most."""

from __future__ import annotations

import numpy as np
import pytest

import linewright
from linewright.model.line import Line
from linewright.stats.intervals import mean_interval

N_WAITING = 400  # states of the chain; the rest has a probability below 1e-12


def bulk_queue(
    arrivals: float, service: float, least: int, most: int, n_servers: int
) -> tuple[float, float]:
    """Return the mean number waiting, and busy servers, of bulk service.

    Poisson arrivals; a free server starts as soon as `least` wait, takes `most` at the
    most, for an exponential time. The chain's states are (busy servers, waiting); while
    a server is free fewer than `least` wait. Solved as linear equations.
    """
    states = {
        (busy, n): i
        for i, (busy, n) in enumerate(
            (busy, n)
            for busy in range(n_servers + 1)
            for n in range(N_WAITING if busy == n_servers else least)
        )
    }
    rates = np.zeros((len(states), len(states)))

    def go(start: tuple[int, int], busy: int, n: int, rate: float) -> None:
        if busy < n_servers and n >= least:
            busy, n = busy + 1, n - min(n, most)
        end = states.get((busy, n))
        if end is not None:  # the last state lets nobody in
            rates[states[start], end] += rate

    for busy, n in states:
        go((busy, n), busy, n + 1, arrivals)
        if busy:
            go((busy, n), busy - 1, n, busy * service)
    np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=1))
    # one balance follows from the others: the sum of the chances stands in its place
    system = rates.T.copy()
    system[-1] = 1
    wanted = np.zeros(len(states))
    wanted[-1] = 1
    share = np.linalg.solve(system, wanted)
    waiting = sum(share[i] * n for (_, n), i in states.items())
    working = sum(share[i] * busy for (busy, _), i in states.items())
    return float(waiting), float(working)


def test_the_chain_knows_the_queue_with_one_server() -> None:
    """With batches of one it is M/M/1: rho squared over one minus rho."""
    waiting, working = bulk_queue(0.8, 1.0, 1, 1, 1)
    assert waiting == pytest.approx(0.8**2 / 0.2, rel=1e-6)
    assert working == pytest.approx(0.8, rel=1e-6)


@pytest.mark.parametrize(
    ("least", "most", "n_servers", "per_min", "days"),
    [
        (1, 3, 1, 0.9, 600),
        (2, 4, 1, 1.1, 500),
        (3, 3, 1, 0.9, 600),
        (2, 5, 2, 3.0, 180),
        (4, 6, 3, 5.0, 110),
    ],
)
def test_bulk_service_is_that_of_the_chain(
    least: int, most: int, n_servers: int, per_min: float, days: int
) -> None:
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "bulk",
            "stations": {
                "oven": {
                    "process": "exponential(2.5 min)",
                    "servers": n_servers,
                    "batch": {"min": least, "max": most},
                }
            },
            "products": {
                "part": {"route": ["oven"], "release": {"rate": f"{per_min}/min"}}
            },
        }
    )
    result = linewright.simulate(
        line,
        horizon=f"{days} d",
        warmup="1 d",
        replications=20,
        seed=7_000 + 100 * least + 10 * most + n_servers,
        confidence=0.9999,
    )
    waiting, working = bulk_queue(per_min, 0.4, least, most, n_servers)
    assert not result.failed_checks
    level = result.measure("level_mean")["oven"]
    assert level.low < waiting < level.high
    assert level.half_width < 0.02 * waiting
    busy = result.measure("utilization")["oven"]
    assert busy.low < working / n_servers < busy.high
    assert busy.half_width < 0.01 * busy.mean


# ------------------------------------------------------------------ people


def working_machines(machines: int, crews: int, fail: float, repair: float) -> float:
    """Return the mean number of machines that work, of some with a few repair crews.

    The states are the machines that are down, n: (machines - n) of them fail at the
    rate `fail` each, min(n, crews) are repaired at the rate `repair` each (the machine
    repair model, M/M/c with a finite source).
    """
    weights = [1.0]
    for n in range(machines):
        up = (machines - n) * fail
        weights.append(weights[-1] * up / (min(n + 1, crews) * repair))
    share = np.array(weights) / sum(weights)
    return float(share @ (machines - np.arange(machines + 1)))


def hold_working(result: linewright.Result, expected: float) -> None:
    """Hold the mean number of machines at work against its exact value."""
    table = result.table("stations").to_pandas()
    span_us = result.manifest["horizon_us"] - result.manifest["warmup_us"]
    runs = table.groupby("replication")["processing"].sum().to_numpy() / span_us
    found = mean_interval(runs, 0.9999)
    assert found.low < expected < found.high
    assert found.half_width < 0.005 * expected


@pytest.mark.parametrize(("machines", "crews"), [(2, 1), (5, 2), (8, 3), (12, 4)])
def test_machines_that_wait_for_crews_are_those_of_the_chain(
    machines: int, crews: int
) -> None:
    names = [f"mill {i}" for i in range(machines)]
    failure = {"every": "exponential(60 min)", "repair": "exponential(25 min)"}
    station = {
        "process": "7 min",
        "failures": {"breaks": failure},
        "people": {"repair": "fitters"},
    }
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "machine repair",
            "people": {"fitters": crews},
            "stations": dict.fromkeys(names, station),
            "products": {f"part {name}": {"route": [name]} for name in names},
        }
    )
    result = linewright.simulate(
        line,
        horizon=f"{700 + 2400 // machines} d",
        warmup="10 d",
        replications=20,
        seed=8_000 + machines,
        confidence=0.9999,
    )
    assert not result.failed_checks
    expected = working_machines(machines, crews, 1 / 60, 1 / 25)
    hold_working(result, expected)
    busy = result.table("people").to_pandas()["busy_mean"].to_numpy()
    # each machine at work breaks once an hour, and each repair takes 25 minutes
    repairs = mean_interval(busy, 0.9999)
    assert repairs.low < expected / 60 * 25 < repairs.high


@pytest.mark.parametrize(("machines", "operators"), [(3, 1), (6, 2)])
def test_machines_that_wait_for_operators_are_those_of_the_chain(
    machines: int, operators: int
) -> None:
    """Interference: an operator loads each part, the machine then works alone."""
    names = [f"lathe {i}" for i in range(machines)]
    station = {
        "process": "exponential(10 min)",
        "load": "exponential(4 min)",
        "people": {"load": "operators"},
    }
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": "interference",
            "people": {"operators": operators},
            "stations": dict.fromkeys(names, station),
            "products": {f"part {name}": {"route": [name]} for name in names},
        }
    )
    result = linewright.simulate(
        line,
        horizon="500 d",
        warmup="2 d",
        replications=10,
        seed=9_000 + machines,
        confidence=0.9999,
    )
    hold_working(result, working_machines(machines, operators, 1 / 10, 1 / 4))
