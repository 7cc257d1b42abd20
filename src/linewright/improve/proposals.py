"""Which options promise most, foreseen from the runs of one line, before any is tried.

The critical path of a run says what each kind of time is worth (`worth`). An option
that makes a time shorter by a share gains its share of the path times that. A server
more makes all times of its station shorter, at most by one of so many. For a place more
in a buffer there is no derivative: it helps as far as those before it are blocked and
those behind it starved, both, so the smaller of the two shares is its score.

Scores of places are in a unit of their own, and gains of servers are bounds. `Rates`
learns from what was tried what each kind really brings. What cannot be foreseen (a
rule, another shift, a cap) has no score, and has to be tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from linewright.improve.options import Options
from linewright.improve.worth import Paths
from linewright.model.distribution import Distribution
from linewright.model.line import Line, Setup, Station
from linewright.model.meaning import process_time

__all__ = ["CLASSES", "Effect", "Foreseen", "Rates", "effects_of"]

Label = tuple[str, str, str]

CLASSES = ("times", "servers", "places")
"""What can be foreseen, each with a rate of its own."""

_AT_STATION = ("processing", "setup", "loading", "repair", "maintenance", "walking")


@dataclass(frozen=True, slots=True)
class Effect:
    """What an option does to what can be foreseen.

    Attributes:
        times: What each kind of time is multiplied by: kind, place and name.
        servers: What the number of servers of a station is multiplied by.
        places: Places more in front of a station.
    """

    times: dict[Label, float] = field(default_factory=dict)
    servers: dict[str, float] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    @property
    def is_foreseen(self) -> bool:
        """Whether there is anything to foresee."""
        return bool(self.times or self.servers or self.places)


def effects_of(options: Options) -> dict[str, Effect]:
    """Return the effect of each option that changes something."""
    before = _Means.of(options.line)
    return {
        name: _effect(before, _Means.of(options.variants.changed(option.changes)))
        for name, option in options.by_name.items()
        if option.changes
    }


@dataclass(frozen=True, slots=True)
class _Means:
    """Mean times of a line by what they are, and what else counts."""

    times: dict[Label, float]
    servers: dict[str, int]
    places: dict[str, int]

    @classmethod
    def of(cls, line: Line) -> _Means:
        times: dict[Label, float] = {}
        for label, mean in _times(line):
            times[label] = times.get(label, 0.0) + mean
        return cls(
            times,
            {name: it.servers for name, it in line.stations.items()},
            {
                name: it.buffer
                for name, it in line.stations.items()
                if isinstance(it.buffer, int)
            },
        )


def _times(line: Line) -> Iterator[tuple[Label, float]]:
    """Yield every mean time with what it is, several times where products differ."""
    yield from _operations(line)
    for name, it in line.stations.items():
        yield from _of_station(name, it)
    for failure, common in line.failures.items():
        yield ("repair", "", failure), _down(common.repair, common.every)


def _operations(line: Line) -> Iterator[tuple[Label, float]]:
    for product, it in line.products.items():
        for step in it.route:
            for station in step.stations:
                time = process_time(line, product, step, station)
                if time is not None:
                    yield ("processing", station, ""), time.mean_us
                if step.transport is not None:
                    yield ("transport", station, ""), step.transport.mean_us


def _of_station(name: str, station: Station) -> Iterator[tuple[Label, float]]:
    for time in (station.load, station.unload):
        if time is not None:
            yield ("loading", name, ""), time.mean_us
    for mean in _setup_means(station.setup):
        yield ("setup", name, ""), mean
    for failure, stop in station.failures.items():
        yield ("repair", name, failure), _down(stop.repair, stop.every)
    for work, planned in station.maintenance.items():
        yield ("maintenance", name, work), planned.duration.mean_us


def _down(repair: Distribution, every: object) -> float:
    """Return repair by the time between failures, where that is a time."""
    if isinstance(every, Distribution) and every.mean_us > 0:
        return repair.mean_us / every.mean_us
    return repair.mean_us


def _setup_means(setup: Setup | None) -> Iterator[float]:
    if setup is None:
        return
    for time in (setup.time, setup.first):
        if time is not None:
            yield time.mean_us
    for row in setup.matrix.values():
        for time in row.values():
            yield time.mean_us


def _effect(before: _Means, after: _Means) -> Effect:
    times = {
        label: after.times[label] / mean
        for label, mean in before.times.items()
        if mean > 0 and after.times.get(label, mean) != mean
    }
    servers = {
        name: after.servers[name] / n
        for name, n in before.servers.items()
        if after.servers.get(name, n) != n
    }
    places = {
        name: after.places[name] - n
        for name, n in before.places.items()
        if after.places.get(name, n) != n
    }
    return Effect(times, servers, places)


# ------------------------------------------------------------------ foreseeing


class Foreseen:
    """What the runs of one line promise of changes to it.

    Args:
        line: The line that was run.
        seen: What the runs found.
        stations: Its stations, in the order of `seen`.
    """

    def __init__(self, line: Line, seen: Paths, stations: Sequence[str]) -> None:
        self._shares = dict(zip(seen.labels, seen.shares.mean(0), strict=True))
        blocked = dict(zip(stations, seen.blocked.mean(0), strict=True))
        starved = dict(zip(stations, seen.starved.mean(0), strict=True))
        self._waits = {
            name: min(max((blocked[f] for f in feeders), default=0.0), starved[name])
            for name, feeders in _feeders(line).items()
        }

    def scores(self, effect: Effect, *, is_undone: bool = False) -> np.ndarray:
        """Return what an effect promises, by class; of one that is taken back minus.

        Returns:
            Relative gains of the throughput by times and, at most, by servers; the
            score of places.
        """
        turned = -1 if is_undone else 1
        times = sum(
            self._share(label) * (1 - ratio**turned)
            for label, ratio in effect.times.items()
        )
        servers = sum(
            self._of_station(name) * (1 - ratio**-turned)
            for name, ratio in effect.servers.items()
        )
        places = sum(
            self._waits.get(name, 0.0) * n * turned for name, n in effect.places.items()
        )
        return np.array([times, servers, places], np.float64)

    def _share(self, label: Label) -> float:
        return float(self._shares.get(label, 0.0))

    def _of_station(self, name: str) -> float:
        return float(
            sum(
                share
                for (kind, place, _), share in self._shares.items()
                if place == name and kind in _AT_STATION
            )
        )


def _feeders(line: Line) -> dict[str, set[str]]:
    """Return the stations from which parts come to each station."""
    found: dict[str, set[str]] = {name: set() for name in line.stations}
    for product in line.products.values():
        for first, second in zip(product.route, product.route[1:], strict=False):
            for station in second.stations:
                found[station] |= set(first.stations)
    return found


class Rates:
    """What a score of each class really brings, learned from what was tried.

    Until a class was tried, a score is taken at its word.
    """

    def __init__(self) -> None:
        self._brought = np.zeros(len(CLASSES))
        self._scored = np.zeros(len(CLASSES))

    def gains(self, scores: np.ndarray) -> np.ndarray:
        """Return the gain that scores promise, (change, class) to (change,)."""
        rates = np.ones(len(CLASSES))
        known = self._scored > 0
        rates[known] = np.maximum(self._brought[known], 0) / self._scored[known]
        out: np.ndarray = scores @ rates
        return out

    def is_known(self, row: int) -> bool:
        """Whether something of a class was tried."""
        return bool(self._scored[row] > 0)

    def learn(self, scores: np.ndarray, gains: Iterable[float]) -> None:
        """Take in what changes brought that are all of one class."""
        for score, gain in zip(scores, gains, strict=True):
            (rows,) = np.nonzero(score)
            if len(rows) == 1 and score[rows[0]] > 0:
                self._brought[rows[0]] += gain
                self._scored[rows[0]] += score[rows[0]]
