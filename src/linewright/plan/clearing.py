"""Clearing functions: how much a station clears, by what waits there, from the kernel.

A station that is loaded needs work that waits, or chance leaves it idle. Its clearing
function says which share of its hours it works at most, at a mean number of visits that
wait or are in work; it rises, ever more slowly, to the share that it works when work
always waits. `fitted` simulates the station alone, with its servers, failures,
maintenance, batches, setups and its mix of work, at several rates of Poisson arrivals
and with work that always waits, and lays the concave hull through what it finds: by
chords, so a little below the curve between two points.

In a plan the function ties the output of a period to what is there in it, so that a
plan close to the capacity has to carry stock in process, and time. That needs no
iteration between plan and simulation, which often does not converge (Missbauer 2020,
International Journal of Production Economics 229, 107725; compared by Kacar, Irdem and
Uzsoy 2012, IEEE Transactions on Semiconductor Manufacturing 25, 104-117).

What arrives from other stations is more or less regular than Poisson arrivals; people,
tools and what blocks a station are left out. Source: Asmundsson, Rardin and Uzsoy
(2006), IEEE Transactions on Semiconductor Manufacturing 19, 95-111.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.model.distribution import Distribution
from linewright.model.line import (
    Failure,
    Line,
    Maintenance,
    Product,
    PythonRule,
    Release,
    Setup,
    Station,
    Step,
)
from linewright.model.load_estimate import availability, work_us
from linewright.model.meaning import batch_of, process_time, setup_kind
from linewright.plan._program import HOUR_US, Clearing
from linewright.simulate import simulate
from linewright.stats.intervals import Interval, mean_interval

__all__ = ["Fitted", "Point", "fitted", "rows_of"]

Floats = NDArray[np.float64]

LEVELS = (0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.97)
"""Loads that are simulated, as shares of what the station does when work waits."""

REPLICATIONS = 10
_VISITS = 6_000  # of each replication, a fifth of them to warm up
_WAITING = 30  # visits for each that is worked on at once, that always wait


@dataclass(frozen=True, slots=True)
class Point:
    """What was simulated at one level.

    Attributes:
        visits: Mean number of visits at the station, by their work.
        share: Share of its hours that it worked.
    """

    visits: float
    share: Interval


@dataclass(frozen=True, slots=True)
class Fitted:
    """A clearing function and what it was fitted to.

    Attributes:
        station: Name of the station.
        clearing: The function.
        points: What was simulated; the last one with work that always waits.
    """

    station: str
    clearing: Clearing
    points: tuple[Point, ...]

    def share(self, visits: float) -> float:
        """Return the share of its hours that it works at most."""
        segments = zip(self.clearing.slope, self.clearing.level, strict=True)
        return min(slope * visits + level for slope, level in segments)


def fitted(
    line: Line,
    station: str,
    mix: Mapping[tuple[str, int], float],
    *,
    seed: int,
    workers: int | None = None,
) -> Fitted:
    """Return the clearing function of a station.

    Args:
        line: The line.
        station: Name of the station.
        mix: Visits by product and place in its route, in any unit: only their shares
            count. Each operation is done at this station alone.
        seed: Seed of the runs.
        workers: Threads; all cores by default.
    """
    visits = sum(mix.values())
    mix = {key: n / visits for key, n in mix.items() if n > 0}
    hours = {key: work_us(line, key[0], key[1], station) / HOUR_US for key in mix}
    visit_h = sum(mix[key] * hours[key] for key in mix)
    alone = _Alone(line, station, mix, hours, visit_h, seed, workers)
    most = alone.point(None)
    if most.share.mean > 1:  # by chance: it works no longer than it has hours
        most = Point(most.visits, replace(most.share, mean=1.0))
    points = [alone.point(level * most.share.mean) for level in LEVELS]
    return Fitted(station, _hull(points, most, visit_h), (*points, most))


def _hull(points: Sequence[Point], most: Point, visit_h: float) -> Clearing:
    """Return the upper concave hull of points, from the origin to the flat."""
    corners = [(0.0, 0.0)]
    for point in sorted(points, key=lambda one: one.visits):
        new = point.visits, min(point.share.mean, most.share.mean)
        while len(corners) > 1 and _slope(corners[-1], new) >= _slope(
            corners[-2], corners[-1]
        ):
            corners.pop()
        if new[1] > corners[-1][1]:
            corners.append(new)
    slopes = [_slope(a, b) for a, b in itertools.pairwise(corners)]
    levels = [y - slope * x for (x, y), slope in zip(corners, slopes, strict=False)]
    slopes.append(slopes[-1] / 4)  # beyond the last point, up to the flat
    levels.append(corners[-1][1] - slopes[-1] * corners[-1][0])
    return Clearing((*slopes, 0.0), (*levels, most.share.mean), visit_h)


def _slope(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0]) if b[0] > a[0] else float("inf")


@dataclass(frozen=True, slots=True)
class _Alone:
    """A station with nothing around it."""

    line: Line
    station: str
    mix: Mapping[tuple[str, int], float]
    hours: Mapping[tuple[str, int], float]
    visit_h: float
    seed: int
    workers: int | None

    def point(self, share: float | None) -> Point:
        """Simulate a load; without one, work that always waits."""
        it = self.line.stations[self.station]
        capacity = it.servers * availability(it)
        length_us = round(_VISITS * self.visit_h / capacity * HOUR_US)
        result = simulate(
            self._alone(share),
            horizon=length_us,
            replications=REPLICATIONS,
            warmup=length_us // 5,
            seed=self.seed,
            study="steady_state",
            workers=self.workers,
        )
        counted_h = (length_us - length_us // 5) / HOUR_US * capacity
        names = {f"{name} {i}": (name, i) for name, i in self.mix}
        waiting, worked = np.zeros(REPLICATIONS), np.zeros(REPLICATIONS)
        for row in result.table("products").to_pylist():
            key = names[row["product"]]
            lot = self.line.products[key[0]].lot_size
            n = row["replication"]
            waiting[n] += row["wip_mean"] * lot * self.hours[key] / self.visit_h
            worked[n] += row["finished"] * self.hours[key] / counted_h
        return Point(float(waiting.mean()), mean_interval(worked, 0.95))

    def _alone(self, share: float | None) -> Line:
        products = {}
        for key, part in self.mix.items():
            name, i = key
            products[f"{name} {i}"] = self._product(name, i, part, share)
        return Line(
            schema_version=1,
            name=f"{self.station} alone",
            stations={self.station: self._station()},
            products=products,
        )

    def _product(self, name: str, i: int, part: float, share: float | None) -> Product:
        product = self.line.products[name]
        step, it = product.route[i], self.line.stations[self.station]
        lot = product.lot_size
        if share is None:
            batch = batch_of(self.line, step)
            at_once = it.servers * (batch.max if batch else 1)
            release = Release(
                kind="always", share=part / lot, conwip=_WAITING * max(at_once, lot)
            )
        else:
            capacity = it.servers * availability(it)
            rate_per_h = share * capacity / self.visit_h * part / lot
            every = Distribution(kind="exponential", parameters=(HOUR_US / rate_per_h,))
            release = Release(kind="arrivals", every=every)
        kind = None if it.setup is None else setup_kind(it.setup, name, product, step)
        return Product(
            family=kind,
            priority=product.priority,
            lot_size=lot,
            route=(
                Step(
                    operation=step.operation,
                    station=self.station,
                    process=process_time(self.line, name, step, self.station),
                    process_per=step.process_per,
                    batch=step.batch,
                    cascade=step.cascade,
                    family=step.family,
                ),
            ),
            release=release,
        )

    def _station(self) -> Station:
        it = self.line.stations[self.station]
        return Station(
            servers=it.servers,
            batch=it.batch,
            load=it.load,
            unload=it.unload,
            setup=None if it.setup is None else self._setup(it.setup),
            failures={n: _unmanned(stop) for n, stop in it.failures.items()},
            maintenance={
                n: _unplanned(work)
                for n, work in it.maintenance.items()
                if work.every is not None
            },
            dispatch="fifo" if isinstance(it.dispatch, PythonRule) else it.dispatch,
        )

    def _setup(self, setup: Setup) -> Setup:
        """Return the setup by family, with the kinds that come here."""
        kinds = {
            setup_kind(setup, name, self.line.products[name], self._step(name, i))
            for name, i in self.mix
        }
        matrix = {
            before: {
                after: time for after, time in row.items() if after in {*kinds, "any"}
            }
            for before, row in setup.matrix.items()
            if before in {*kinds, "any"}
        }
        by = "operation" if setup.by == "operation" else "family"
        changes: dict[str, Any] = {"by": by, "tools": {}, "minimum_run": None}
        if isinstance(setup.minimum_run, int):
            changes["minimum_run"] = setup.minimum_run
        matrix = {before: row for before, row in matrix.items() if row}
        return setup.model_copy(update=changes | {"matrix": matrix})

    def _step(self, name: str, i: int) -> Step:
        return self.line.products[name].route[i]


def _unmanned(stop: Failure) -> Failure:
    return stop.model_copy(update={"crew": None, "tools": {}})


def _unplanned(work: Maintenance) -> Maintenance:
    return work.model_copy(update={"crew": None, "tools": {}, "window": None})


def rows_of(found: Sequence[Fitted]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table of clearing functions."""
    for one in found:
        for point in one.points:
            yield {
                "station": one.station,
                "visits": point.visits,
                "share": point.share.mean,
                "half_width": point.share.half_width,
                "fitted": one.share(point.visits),
            }
