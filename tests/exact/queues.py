"""Open queues with closed forms, and closed lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from linewright.model.line import Line
from tests.exact.row import (
    Row,
    breakdown,
    erlang,
    exponential,
    hyperexponential,
    make_line,
    minutes_text,
    not_zero,
    numbers,
    read_table,
    relaxation_time,
    station_names,
    whole_numbers,
)


def _birth_death_variance(
    births: np.ndarray, deaths: np.ndarray, of: np.ndarray
) -> tuple[float, float]:
    """Return mean and asymptotic variance of a function of a birth-death process.

    Args:
        births: Birth rate in state 0, 1, …, n - 1.
        deaths: Death rate in state 1, 2, …, n.
        of: Value of the function in state 0, 1, …, n.

    Source:
        Whitt (1992), Queueing Systems 10, 115-136, equation (10): twice the sum over k
        of (sum over i <= k of (f_i - mean) p_i)² / (birth_k p_k).
    """
    weights = np.concatenate([[1.0], np.cumprod(births / deaths)])
    shares = weights / weights.sum()
    mean = float(shares @ of)
    sums = np.cumsum((of - mean) * shares)[:-1]
    return mean, float(2 * np.sum(sums**2 / (births * shares[:-1])))


def _wait_variance(arrival: float, mean: float, servers: int, places: int) -> float:
    """Bound Var(mean wait over t) · t / wait² of an M/M/c or M/M/1/K queue.

    By Little's law the mean wait is the mean queue over the rate of entry; the relative
    variances of the two add up to a bound, as both grow together.
    """
    n = places if places else math.ceil(servers + 40 / (1 - arrival * mean / servers))
    births = np.full(n, arrival)
    deaths = np.minimum(np.arange(1, n + 1), servers) / mean
    bounds = [1 / arrival]
    for of in (np.arange(n + 1.0), np.maximum(np.arange(n + 1.0) - servers, 0)):
        level, variance = _birth_death_variance(births, deaths, of)
        if level > 0:
            bounds.append(1 / arrival + variance / level**2)
    return max(bounds)


def _closed(name: str, rates: list[float], servers: list[int], cap: int) -> Line:
    stations = {
        f"s{k + 1}": {"servers": n, "process": exponential(mu)}
        for k, (mu, n) in enumerate(zip(rates, servers, strict=True))
    }
    release = {"kind": "always", "conwip": cap}
    product = {"route": list(stations), "release": release}
    return make_line(name, stations, {"part": product})


def _closed_conwip() -> list[Row]:
    found = []
    for case in read_table("closed_conwip"):
        rates, servers = numbers(case["rates"]), whole_numbers(case["servers"])
        cap, throughput = int(case["pallets"]), float(case["throughput"])
        name = f"closed_conwip {case['case_id']}"
        stations = station_names(len(rates))
        means = numbers(case["mean_at_station"])
        expected = {
            "throughput": throughput,
            "sojourn": float(case["cycle_time"]),
            **{f"present:{s}": x for s, x in zip(stations, means, strict=True)},
        }
        loads = [throughput / mu / n for mu, n in zip(rates, servers, strict=True)]
        found.append(
            Row(
                name,
                _closed(name, rates, servers, cap),
                ("part",),
                not_zero(expected),
                utilization=max(loads),
                wait_variance=1 / throughput,  # the flow time is cap / throughput
                relaxation=relaxation_time(cap + len(rates), 1 / min(rates)),
                n_steps=len(rates),
            )
        )
    return found


def _parameters(text: str) -> dict[str, float]:
    pairs = (pair.split("=") for pair in text.split("; "))
    return {key.strip(): float(value) for key, value in pairs}


def _queue(
    name: str,
    arrival: float,
    times: list[Any],
    station: Mapping[str, Any] | None = None,
    **release: Any,
) -> Line:
    """Return stations in a row, with Poisson arrivals and unlimited buffers."""
    extra = dict(station or {})
    stations = {f"s{k + 1}": {"process": t, **extra} for k, t in enumerate(times)}
    arrivals = {"every": exponential(arrival), **release}
    product = {"route": list(stations), "release": arrivals}
    return make_line(name, stations, {"part": product})


def _queue_row(
    case: Mapping[str, str],
    line: Line,
    wait_variance: float,
    relaxation: float,
    extra: Mapping[str, float],
) -> Row:
    expected = {"throughput": float(case["throughput"])}
    for column, measure in (
        ("utilization", "busy:s1"),
        ("mean_queue_wait", "wait:s1"),
        ("mean_sojourn", "sojourn"),
        ("mean_in_system", "wip"),
    ):
        if case[column]:
            expected[measure] = float(case[column])
    return Row(
        line.name,
        line,
        ("part",),
        not_zero(expected | dict(extra)),
        utilization=float(case["utilization"]),
        wait_variance=wait_variance,
        relaxation=relaxation,
        n_steps=len(line.stations),
    )


def _queue_relaxation(load: float, variability: float, minutes: float) -> float:
    """Return the relaxation time of a queue, close from a load of one half upward.

    For M/M/1 it is 1 / (1 - sqrt(load))², at most 4 / (1 - load)²; a queue in heavy
    traffic is a reflected Brownian motion, whose time grows with its variance.

    Source:
        Whitt (1989), Management Science 35(11), 1341-1366.
    """
    return 2 * (1 + variability) / (1 - load) ** 2 * minutes


def _markovian(case: Mapping[str, str], name: str) -> Row:
    p = _parameters(case["parameters"])
    servers = int(p["c"])
    service = exponential(p["mu"])
    line = _queue(name, p["arrival"], [service], {"servers": servers})
    load = p["arrival"] / servers / p["mu"]
    variance = _wait_variance(p["arrival"], 1 / p["mu"], servers, 0)
    relaxation = _queue_relaxation(load, 1, 1 / p["mu"] / servers)
    return _queue_row(case, line, variance, max(relaxation, 50), {})


def _finite(case: Mapping[str, str], name: str) -> Row:
    p = _parameters(case["parameters"])
    places = int(p["K"])
    station = {"buffer": places - 1}
    service = exponential(p["mu"])
    line = _queue(name, p["arrival"], [service], station, when_full="lose")
    variance = _wait_variance(p["arrival"], 1 / p["mu"], 1, places)
    lost = float(case["other"].removeprefix("P(lost)="))
    relaxation = relaxation_time(places + 1, 1 / p["mu"])
    return _queue_row(case, line, variance, relaxation, {"lost_share": lost})


def _general(case: Mapping[str, str], name: str) -> Row:
    p = _parameters(case["parameters"])
    mean, scv = p["mean"], p["scv"]
    service = minutes_text(mean)
    if scv > 1:
        service = hyperexponential(mean, scv)
    elif scv > 0:
        service = erlang(mean, round(1 / scv))
    line = _queue(name, p["arrival"], [service])
    # The wait of M/G/1 varies with (1 + scv) / 2, and above that with the higher
    # moments of the service: 1.6 covers the two-phase service used here.
    factor = (1 + scv) / 2 * (1.6 if scv > 1 else 1)
    variance = factor * _wait_variance(p["arrival"], mean, 1, 0)
    relaxation = _queue_relaxation(p["arrival"] * mean, scv, mean)
    return _queue_row(case, line, variance, relaxation, {})


def _tandem(case: Mapping[str, str], name: str) -> Row:
    p = _parameters(case["parameters"])
    n, load = int(p["K"]), p["arrival"] / p["mu"]
    line = _queue(name, p["arrival"], [exponential(p["mu"])] * n)
    # A sum over stations varies less than one of them: the factor is above what
    # Lindley's recursion shows over 10^8 parts, for 2, 3 and 5 stations.
    variance = (0.3 + 0.7 / n) * _wait_variance(p["arrival"], 1 / p["mu"], 1, 0)
    relaxation = n * _queue_relaxation(load, 1, 1 / p["mu"])
    extra = {f"busy:{s}": load for s in line.stations}
    return _queue_row(case, line, variance, relaxation, extra)


def _repairmen(case: Mapping[str, str], name: str) -> Row:
    """Return machines that run, fail and are repaired: a closed line."""
    p = _parameters(case["parameters"])
    n, crew = int(p["N"]), int(p["c"])
    stations = {
        "run": {"servers": n, "process": exponential(p["fail"])},
        "repair": {"servers": crew, "process": exponential(p["repair"])},
    }
    release = {"kind": "always", "conwip": n}
    product = {"route": list(stations), "release": release}
    throughput = float(case["throughput"])
    return Row(
        name,
        make_line(name, stations, {"machine": product}),
        ("machine",),
        {
            "throughput": throughput,
            "present:repair": float(case["mean_in_system"]),
            "present:run": float(case["other"].removeprefix("mean machines up=")),
            "busy:repair": throughput / p["repair"] / crew,
        },
        relaxation=1 / p["fail"],
        n_steps=2,
    )


def _breakdowns(case: Mapping[str, str], name: str) -> Row:
    p = _parameters(case["parameters"])
    stops = {"failures": breakdown(p["fail"], p["repair"], "processing")}
    line = _queue(name, p["arrival"], [exponential(p["mu"])], stops)
    effective = _parameters(case["other"])
    mean, scv = effective["effective mean"], effective["effective scv"]
    variance = (1 + scv) / 2 * 1.6 * _wait_variance(p["arrival"], mean, 1, 0)
    relaxation = _queue_relaxation(p["arrival"] * mean, scv, mean)
    down = p["arrival"] / p["mu"] * p["fail"] / p["repair"]
    return _queue_row(case, line, variance, relaxation, {"down:s1": down})


def _preemptive(case: Mapping[str, str], name: str) -> list[Row]:
    """Return a row for each of two classes, of which one interrupts the other."""
    p = _parameters(case["parameters"])
    stays = _parameters(case["other"])
    classes = {1: p["arrival1"], 2: p["arrival2"]}
    station = {
        "process": exponential(p["mu"]),
        "dispatch": "priority",
        "preempt": "resume",
    }
    products = {
        f"class {n}": {
            "route": ["s1"],
            "priority": 3 - n,
            "release": {"every": exponential(arrival)},
        }
        for n, arrival in classes.items()
    }
    line = make_line(name, {"s1": station}, products)
    load = sum(classes.values()) / p["mu"]
    return [
        Row(
            f"{name} class {n}",
            line,
            (f"class {n}",),
            {"throughput": arrival, "sojourn": stays[f"T{n}"], "busy:s1": load},
            utilization=load,
            wait_variance=2 * _wait_variance(load * p["mu"], 1 / p["mu"], 1, 0),
            relaxation=_queue_relaxation(load, 1, 1 / p["mu"]),
            n_steps=2,
        )
        for n, arrival in classes.items()
    ]


_QUEUES: dict[str, Callable[[Mapping[str, str], str], Row]] = {
    "mm1k": _finite,
    "mm1-breakdown": _breakdowns,
    "mm": _markovian,
    "mg1": _general,
    "tandem": _tandem,
    "repairmen": _repairmen,
}
"""How a row is read, by the first of these with which its case begins."""


def _queue_closed_forms() -> list[Row]:
    found = []
    for case in read_table("queue_closed_forms"):
        name = f"queue_closed_forms {case['case_id']}"
        if case["case_id"].startswith("prio-pr"):
            found += _preemptive(case, name)
            continue
        kind = next(k for k in _QUEUES if case["case_id"].startswith(k))
        found.append(_QUEUES[kind](case, name))
    return found


def rows() -> list[Row]:
    """Return the rows of closed lines and of queues."""
    return [*_closed_conwip(), *_queue_closed_forms()]
