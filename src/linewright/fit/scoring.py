"""What a log says of each input of a model, in the order of time.

For each station: processing times, setups and repairs, and times to failure, each with
its normal score under the model's own distribution. `linewright validate` asks them
since when a station drifts, and `linewright drift` what to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linewright.fit.distributions import random_of, scores
from linewright.fit.fitting import Measured
from linewright.fit.log import FAILURE, SETUP, Floats, Ints
from linewright.fit.stations import failures_at, setups_at
from linewright.model.distribution import Distribution
from linewright.model.line import Failure, Line, Setup
from linewright.model.meaning import process_time

__all__ = ["Input", "Series", "inputs_of", "last_of"]


@dataclass(frozen=True, slots=True)
class Input:
    """A distribution of the model that a log has times of.

    Attributes:
        station: Its station.
        measure: ``process``, ``setup``, ``load``, ``repair`` or ``time to failure``.
        operation: Operation, where it has a time of its own.
        product: Product, where it has a time of its own.
        failure: Name of the failure.
        distribution: As the model has it.
        steps: Where the model says it, if not at the station: product and operation.
    """

    station: str
    measure: str
    operation: str
    product: str
    failure: str
    distribution: Distribution
    steps: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What it is called in tables."""
        own = [self.operation, self.product, self.failure]
        return " ".join([self.measure, *(f"({one})" for one in own if one)])


@dataclass(frozen=True, slots=True)
class Series:
    """Times of an input in the order in which they ended.

    Attributes:
        of: The input.
        at_us: When each ended.
        times_s: The times.
        z: Their normal scores.
    """

    of: Input
    at_us: Ints
    times_s: Floats
    z: Floats


def inputs_of(line: Line, m: Measured) -> list[Series]:
    """Return every input that a log has times of.

    Args:
        line: The model.
        m: The log, measured with this line.
    """
    found = []
    for k, name in enumerate(m.log.stations):
        if name not in line.stations:
            continue
        found += list(_process(line, m, k, name))
        found += list(_stops(line, m, k, name))
    return found


def last_of(series: Series, n: int) -> Series:
    """Return the last times of an input."""
    z = series.z[-n:]
    return Series(series.of, series.at_us[-n:], series.times_s[-n:], z)


def _series(of: Input, at_us: Ints, times_s: Floats, resolution_s: float) -> Series:
    order = np.argsort(at_us, kind="stable")
    at_us, times_s = at_us[order], times_s[order]
    random = random_of(f"scores.{of.station}.{of.name}", 1)
    spread = times_s
    if resolution_s > 1e-3 * max(float(np.median(times_s)), 1e-9):
        low = np.maximum(times_s - resolution_s / 2, 0)
        spread = random.uniform(low, times_s + resolution_s / 2)
    if of.distribution.cv < 1e-9:  # a constant: by the spread of the times themselves
        mean_s = of.distribution.mean_us / 1e6
        unit = max(float(times_s.std()), resolution_s, 1e-6)
        z = (spread - mean_s) / unit
    else:
        z = np.clip(scores(of.distribution, spread, random), -4, 4)
    return Series(of, at_us, times_s, z)


def _resolution_s(m: Measured) -> float:
    return 0.0 if "work" in m.log.said else m.log.resolution_us / 1e6


def _process(line: Line, m: Measured, k: int, name: str) -> Iterator[Series]:
    """Yield processing times: one series for each distribution at the station."""
    v, cases, log = m.visits, m.cases, m.log
    visits = m.at_station[k]
    groups: dict[Distribution, list[tuple[str, str]]] = {}
    for product, it in line.products.items():
        for step in it.route:
            if name not in step.stations:
                continue
            time = process_time(line, product, step, name)
            if time is not None:
                groups.setdefault(time, []).append((product, step.operation or name))
    p_of = {product: i for i, product in enumerate(cases.names)}
    activities = {a: i for i, a in enumerate(log.activities)}
    for time, pairs in groups.items():
        chosen = np.zeros(len(visits), bool)
        for product, operation in pairs:
            a = activities.get(_said_operation(operation, activities), -1)
            own = cases.product[v.case[visits]] == p_of.get(product, -2)
            chosen |= own & (v.activity[visits] == a)
        at = visits[chosen]
        if not len(at):
            continue
        operations = {operation for _, operation in pairs}
        products = {product for product, _ in pairs}
        is_whole = len(groups) == 1
        of = Input(
            station=name,
            measure="process",
            operation="" if is_whole else ", ".join(sorted(operations)),
            product="" if is_whole or len(products) > 1 else products.pop(),
            failure="",
            distribution=time,
            steps=() if line.stations[name].process is time else tuple(pairs),
        )
        yield _series(of, v.end_us[at], v.work_s[at], _resolution_s(m))


def _said_operation(operation: str, activities: dict[str, int]) -> str:
    """Return the operation of the log that a step is, also where it is done again."""
    if operation in activities:
        return operation
    head, _, tail = operation.rpartition(" ")
    return head if tail.isdecimal() else operation


def _stops(line: Line, m: Measured, k: int, name: str) -> Iterator[Series]:
    station, log = line.stations[name], m.log
    rows, visits = m.rows_at[k], m.at_station[k]
    resolution_s = _resolution_s(m)
    setups = setups_at(
        log,
        rows,
        m.visits,
        visits,
        m.cases.product,
        work_us=m.work_us,
        servers=station.servers,
    )
    if setups is not None and (setup := _one_time(station.setup)) is not None:
        own = rows[log.kind[rows] == SETUP]
        of = Input(name, "setup", "", "", "", setup)
        yield _series(of, log.end_us[own], m.work_us[own] / 1e6, resolution_s)
    failures = failures_at(log, rows, m.visits, visits, m.work_us)
    if failures is None or len(station.failures) != 1:
        return
    ((failure, stop),) = station.failures.items()
    own = rows[log.kind[rows] == FAILURE]
    of = Input(name, "repair", "", "", failure, stop.repair)
    yield _series(of, log.end_us[own], failures.repair_s, resolution_s)
    every = _time_to_failure(stop)
    if every is not None:
        of = Input(name, "time to failure", "", "", failure, every)
        yield _series(of, log.start_us[own], failures.up_s, resolution_s)


def _one_time(setup: Setup | None) -> Distribution | None:
    """Return the time of a setup that is the same for all changes."""
    return None if setup is None or setup.matrix else setup.time


def _time_to_failure(stop: Failure) -> Distribution | None:
    is_time = isinstance(stop.every, Distribution) and stop.clock == "processing"
    return stop.every if is_time and isinstance(stop.every, Distribution) else None
