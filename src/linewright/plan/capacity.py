"""Rough-cut capacity: what targets ask of each station and pool, period by period.

Targets become units asked for in each period, evenly over the time that each leaves.
Units are exploded through bills of material, made more by scrap and rework, and turned
into hours of work; these are compared with the hours that calendars, servers, changes
on a date and failures leave. It is averages only: no waiting, no setups, no lead times,
batches as full as they can be. So what does not hold here cannot hold, and what holds
here may not; the simulation says which. It takes milliseconds and draws no numbers.

Two shares are told. `load` is the work of a period against its own hours; above 1 it
has to be done in an earlier period. `load_to_date` is all work up to the end of a
period against all hours up to then; above 1 that is not possible either.

Source: Vollmann, Berry, Whybark and Jacobs (2005), Manufacturing Planning and Control
for Supply Chain Management, 5th ed., chapter 10 (capacity planning by bills of labor).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.model.line import Line, Step
from linewright.model.load_estimate import flow_of, pooled, starts_of, work_us
from linewright.model.meaning import batch_of, skills_of
from linewright.model.targets import Goal, Period, goals_of, periods_to
from linewright.plan._hours import Hours
from linewright.plan._work import crews_of, learned, people_us

__all__ = ["Entity", "Overload", "RoughCut", "demand_by", "rough_cut"]

Floats = NDArray[np.float64]
HOUR_US = 3.6e9


class Entity(NamedTuple):
    """What has hours: a station, alternatives together, or people by a skill.

    Attributes:
        kind: ``station``, ``stations`` (alternatives) or ``people``.
        name: Its name; of alternatives their names.
    """

    kind: str
    name: str


class Overload(NamedTuple):
    """Where and when more is asked than there is.

    Attributes:
        entity: The station or people.
        period: The period.
        load: Work as a share of the hours.
    """

    entity: Entity
    period: Period
    load: float


@dataclass(frozen=True)
class RoughCut:
    """Work and hours of each entity in each period.

    Attributes:
        periods: The periods, one after the other from the start.
        entities: Stations and people that have work.
        work_h: Hours of work, (entity, period).
        hours: Hours that are there, stops taken out, (entity, period).
        asked: Units asked for in each period, by product.
        starts: Units to start in each period, by product, components included.
    """

    periods: tuple[Period, ...]
    entities: tuple[Entity, ...]
    work_h: Floats
    hours: Floats
    asked: dict[str, Floats]
    starts: dict[str, Floats]

    @cached_property
    def load(self) -> Floats:
        """Work as a share of the hours of the period, (entity, period)."""
        return _shares(self.work_h, self.hours)

    @cached_property
    def load_to_date(self) -> Floats:
        """All work so far as a share of all hours so far, (entity, period)."""
        return _shares(self.work_h.cumsum(axis=1), self.hours.cumsum(axis=1))

    @property
    def first_overload(self) -> Overload | None:
        """The first period in which an entity has more work than hours."""
        return self._first(self.load)

    @property
    def first_impossible(self) -> Overload | None:
        """The first period to whose end the work cannot be done, however early begun.

        The most loaded entity of that period.
        """
        return self._first(self.load_to_date)

    def _first(self, shares: Floats) -> Overload | None:
        over = np.flatnonzero((shares > 1 + 1e-9).any(axis=0))
        if not len(over):
            return None
        return self._at(shares, int(over[0]))

    def _at(self, shares: Floats, i: int) -> Overload:
        e = int(np.argmax(shares[:, i]))
        return Overload(self.entities[e], self.periods[i], float(shares[e, i]))

    def tightest(self, *, to_date: bool = False) -> list[Overload]:
        """Return for each period the entity with the highest load."""
        shares = self.load_to_date if to_date else self.load
        if not len(self.entities):
            return []
        return [self._at(shares, i) for i in range(len(self.periods))]

    @property
    def most_factor(self) -> float:
        """What the targets could be multiplied by at most, as far as averages know."""
        most = float(self.load_to_date.max(initial=0.0))
        return math.inf if most == 0 else 1 / most


def _shares(work: Floats, hours: Floats) -> Floats:
    out = np.where(work > 0, np.inf, 0.0)
    np.divide(work, hours, out=out, where=hours > 0)
    return out


def rough_cut(
    line: Line, *, factor: float = 1.0, horizon_us: int | None = None
) -> RoughCut:
    """Return what the targets of a line ask of its stations and people.

    Args:
        line: A line with targets that has passed `check`.
        factor: What all targets are multiplied by.
        horizon_us: End of the last period; that of the last target by default.

    Raises:
        ValueError: The line has no targets, or the factor is not above zero.
    """
    goals = goals_of(line)
    if not goals:
        msg = f'"{line.name}" has no targets; add targets to the model'
        raise ValueError(msg)
    if not (factor > 0 and math.isfinite(factor)):
        msg = f"targets are multiplied by a number above zero, got {factor}"
        raise ValueError(msg)
    end_us = max(goal.by_us for goal in goals) if horizon_us is None else horizon_us
    periods = periods_to(line, end_us)
    edges = np.array([0, *(period.end_us for period in periods)], np.int64)
    asked = {
        name: factor * np.diff(demand_by(goals, name, edges))
        for name in dict.fromkeys(goal.product for goal in goals)
    }
    return _RoughCutMaker(line, periods, edges, asked).made()


def demand_by(goals: list[Goal], product: str, at_us: NDArray[np.int64]) -> Floats:
    """Return the units of a product that targets ask for by some instants.

    Targets whose spans overlap speak of the same units, and the most counts: as with a
    yearly and a quarterly target of one product. Spans one after the other add up. What
    a target asks for is asked for evenly over the time since the one before it.

    Args:
        goals: All goals.
        product: Name of the product.
        at_us: Instants, increasing, microseconds from the start.
    """
    found = np.zeros(len(at_us))
    for points in _families(goals, product):
        times, units = zip(*points, strict=True)
        found = np.maximum(found, np.interp(at_us, times, units))
    return found


def _families(goals: list[Goal], product: str) -> Iterator[list[tuple[int, float]]]:
    """Yield corners of cumulative demand: of targets since the start, of each other."""
    own = [goal for goal in goals if goal.product == product]
    names = [goal.target for goal in own]
    once = [g for g in own if g.since_us == 0 and names.count(g.target) == 1]
    corners, most = [(0, 0.0)], 0.0
    for goal in sorted(once, key=lambda goal: goal.by_us):
        most = max(most, float(goal.quantity))
        corners.append((goal.by_us, most))
    yield corners
    yield from _chains([goal for goal in own if goal not in once], corners)


def _chains(
    spans: list[Goal], once: list[tuple[int, float]]
) -> Iterator[list[tuple[int, float]]]:
    """Yield corners of what goals ask for one after the other, the most in each.

    Goals whose spans do not overlap ask for different units, of whatever target. `once`
    are the corners of what is asked for since the start.
    """
    found: list[tuple[float, list[tuple[int, float]]]] = []
    spans = sorted(spans, key=lambda goal: (goal.by_us, goal.since_us))
    before = [(most, once[: i + 1]) for i, (_, most) in enumerate(once)]
    followed: set[int] = set()
    for goal in spans:
        earlier = [
            (total, -i, points)
            for i, (total, points) in enumerate([*before, *found])
            if points[-1][0] <= goal.since_us
        ]
        total, minus, points = max(earlier)  # at least nothing, at the start
        followed.add(-minus)
        corners = [*points, (goal.since_us, total)]
        total += goal.quantity
        found.append((total, [*corners, (goal.by_us, total)]))
    for i, (_, points) in enumerate(found):
        if i + len(before) not in followed:
            yield points


class _RoughCutMaker:
    """Puts a rough cut together; times and flows are asked for once."""

    def __init__(
        self,
        line: Line,
        periods: list[Period],
        edges: NDArray[np.int64],
        asked: dict[str, Floats],
    ) -> None:
        self._line, self._periods, self._edges = line, periods, edges
        self._asked = asked
        self._flows = {
            name: flow_of(product) for name, product in line.products.items()
        }
        self._hours = Hours(line, edges)
        self._starts = self._started()

    def made(self) -> RoughCut:
        line = self._line
        stations = {name: self._hours.of_station(name) for name in line.stations}
        by_set: dict[frozenset[str], Floats] = defaultdict(self._none)
        people: dict[str, Floats] = defaultdict(self._none)
        for name, i, step, visits in self._visited():
            share = self._learned(step)
            each = {s: work_us(line, name, i, s) for s in step.stations}
            by_set[frozenset(each)] += visits * share * min(each.values())
            for skill, us in people_us(line, name, step):
                people[skill] += visits * share * us
        for skill, repairs in self._repairs_us(stations):
            people[skill] += repairs
        rows: list[tuple[Entity, Floats, Floats]] = []
        for names, work in pooled(by_set).items():
            there = [name for name in line.stations if name in names]
            kind = "station" if len(there) == 1 else "stations"
            hours = sum((stations[name] for name in there), self._none())
            entity = Entity(kind, ", ".join(there))
            rows.append((entity, self._none() + work, hours))
        having = skills_of(line)
        for skill, work in people.items():
            hours = sum(
                (self._hours.of_pool(pool) for pool in having[skill]), self._none()
            )
            rows.append((Entity("people", skill), work, hours))
        rows = [row for row in rows if row[1].any()]
        shape = (len(rows), len(self._periods))
        return RoughCut(
            tuple(self._periods),
            tuple(entity for entity, _, _ in rows),
            np.array([work for _, work, _ in rows]).reshape(shape) / HOUR_US,
            np.array([hours for _, _, hours in rows]).reshape(shape) / HOUR_US,
            self._asked,
            self._starts,
        )

    def _none(self) -> Floats:
        return np.zeros(len(self._periods))

    # ------------------------------------------------------------ work

    def _started(self) -> dict[str, Floats]:
        """Return the units of each product that are started in each period."""
        starts = starts_of(self._line, self._flows, self._asked)
        return {name: self._none() + units for name, units in starts.items()}

    def _visited(self) -> Iterator[tuple[str, int, Step, Floats]]:
        """Yield every operation of what is made with its visits in each period."""
        for name, product in self._line.products.items():
            starts, flow = self._starts[name], self._flows[name]
            if starts.any():
                for i, step in enumerate(product.route):
                    yield name, i, step, starts * flow.visits[i]

    def _learned(self, step: Step) -> Floats:
        return learned(self._line, self._flows, self._starts, step, len(self._periods))

    def _repairs_us(
        self, stations: Mapping[str, Floats]
    ) -> Iterator[tuple[str, Floats]]:
        """Yield the time of people for the stops that come by the clock and by work."""
        work: dict[str, Floats] = defaultdict(self._none)
        visits: dict[str, Floats] = defaultdict(self._none)
        for name, i, step, visited in self._visited():
            first = step.stations[0]
            work[first] += visited * work_us(self._line, name, i, first)
            batch = batch_of(self._line, step)
            lots = visited / self._line.products[name].lot_size
            visits[first] += lots / (batch.max if batch else 1)
        for name in self._line.stations:
            for crew in crews_of(self._line, name):
                hours = crew.per_hour * stations[name]
                yield (
                    crew.skill,
                    hours + crew.per_work * work[name] + crew.per_visit * visits[name],
                )
