"""Buffer places and spare components of a serial line, shared out for a budget.

A station stops when none of its components works: the one that it has and its spares.
Each failed component is repaired by itself. In the eyes of the line such a station is
one that fails more rarely: `stations_with_spares` gives it the mean time between stops,
and of a stop, that follow from the birth and death of failed components. Components
fail only while the station works and are repaired all the time, so the mean depends on
how much of the time it works; that is found by going round a few times. The throughput
is then estimated as that of a line with such failures (`theory.decomposition`), and
every unit of money is moved as long as that helps.

It is an estimate that ranks; what it chooses is to be simulated (`benchmarks.spares`).

Source:
    Sachs, Kiesmueller and Helber (2024), IISE Transactions, "Design of unreliable flow
    lines: How to jointly allocate buffer space and spare parts", for the problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from linewright.theory.decomposition import estimate
from linewright.theory.flow_line import FlowLine

__all__ = [
    "Design",
    "SpareLine",
    "best_design",
    "cheapest_design",
    "stations_with_spares",
    "throughput_per_s",
]

_ROUNDS = 4  # to find how much of the time a station works
_GAIN = 1e-9  # a move that gains less is rounding
_LEAST = 1e-6  # share of the time for which a station works, at least


@dataclass(frozen=True, slots=True)
class SpareLine:
    """A serial line whose components fail while it works.

    Attributes:
        process_s: Mean processing time of each station, exponential.
        mttf_s: Mean time to failure of a component at work, exponential.
        repair_s: Mean time to repair one, beside the line, exponential.
    """

    process_s: tuple[float, ...]
    mttf_s: tuple[float, ...]
    repair_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """What is bought: each unit costs one.

    Attributes:
        slots: Places of each buffer, zero or more.
        components: Components of each station, with the one that it has: one or more.
    """

    slots: tuple[int, ...]
    components: tuple[int, ...]

    @property
    def cost(self) -> int:
        """Places and components together."""
        return sum(self.slots) + sum(self.components)


def _mttf_s(fail_per_s: float, repair_per_s: float, components: int) -> float:
    """Return the mean time from the end of a stop to the next one.

    With n components failed, one more fails at the one rate, and one of them is back at
    n times the other. A stop ends with one component that works.
    """
    passage = 0.0
    for n in range(components):
        passage = (1 + n * repair_per_s * passage) / fail_per_s
    return passage


def stations_with_spares(
    line: SpareLine, components: tuple[int, ...], works: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return each station's mean time to a stop, of work, and mean length of a stop.

    Args:
        line: The line.
        components: Components of each station.
        works: Share of the time between stops for which a station works.
    """
    mttf, mttr = [], []
    data = zip(line.mttf_s, line.repair_s, components, works, strict=True)
    for fail_s, repair_s, n, share in data:
        mttf.append(share * _mttf_s(share / fail_s, 1 / repair_s, n))
        mttr.append(repair_s / n)
    return tuple(mttf), tuple(mttr)


def throughput_per_s(line: SpareLine, design: Design) -> float:
    """Return an estimate of a design's throughput, parts per second."""
    works = (1.0,) * len(line.process_s)
    found = math.nan
    for _ in range(_ROUNDS):
        mttf, mttr = stations_with_spares(line, design.components, works)
        like = FlowLine(line.process_s, design.slots, mttf_s=mttf, mttr_s=mttr)
        before, found = found, estimate(like).throughput_per_s
        if abs(found - before) < _GAIN * found:
            break
        works = tuple(
            max(_LEAST, min(1.0, found * p * (1 + down * share / up)))
            for p, up, down, share in zip(
                line.process_s, mttf, mttr, works, strict=True
            )
        )
    return found


def best_design(line: SpareLine, cost: int) -> Design:
    """Return a design of a cost with the highest estimate that moves of units find.

    It begins with the same number of components at each station and places shared out
    evenly, in several ways.

    Args:
        line: The line, of two stations or more.
        cost: Units to spend: at least one component of each station.

    Raises:
        ValueError: The line has one station, or the cost does not buy the components
            that there have to be.
    """
    value = _Values(line)
    return max((_climb(value, start) for start in _starts(line, cost)), key=value)


def cheapest_design(line: SpareLine, goal_per_s: float, at_most: int) -> Design | None:
    """Return the design of the least cost whose estimate reaches a throughput.

    It begins at the most that may be spent, takes away the unit that is missed least,
    moves the others as long as that helps, and stops where the goal is out of reach.

    Args:
        line: The line, of two stations or more.
        goal_per_s: Throughput to reach, parts per second.
        at_most: Units that may be spent.

    Returns:
        The design, or None where what may be spent does not reach the goal.

    Raises:
        ValueError: As for `best_design`.
    """
    value = _Values(line)
    at = best_design(line, at_most)
    if value(at) < goal_per_s:
        return None
    while True:
        fewer = _climb(value, max(_without_one(at), key=value, default=at))
        if fewer.cost == at.cost or value(fewer) < goal_per_s:
            return at
        at = fewer


class _Values:
    """Estimates of designs, each made once."""

    def __init__(self, line: SpareLine) -> None:
        self._line = line
        self._known: dict[Design, float] = {}

    def __call__(self, design: Design) -> float:
        if design not in self._known:
            self._known[design] = throughput_per_s(self._line, design)
        return self._known[design]


def _starts(line: SpareLine, cost: int) -> list[Design]:
    """Return designs to begin with: one, two, three or four components each."""
    n = len(line.process_s)
    if n < 2 or cost < n:
        msg = f"need two stations, and a unit for each of them, got {n} and {cost}"
        raise ValueError(msg)
    out = []
    for each in range(1, 5):
        if n * each <= cost:
            places, left = divmod(cost - n * each, n - 1)
            slots = tuple(places + (k < left) for k in range(n - 1))
            out.append(Design(slots, (each,) * n))
    return out


def _climb(value: Callable[[Design], float], at: Design) -> Design:
    """Move units from one use to another as long as that helps."""
    while True:
        best = max(_moves(at), key=value, default=at)
        if value(best) <= value(at) * (1 + _GAIN):
            return at
        at = best


def _moves(at: Design) -> list[Design]:
    """Return the designs in which one unit is put to another use."""
    return [
        _changed(fewer, taker, 1)
        for giver, fewer in _givers(at)
        for taker in range(len(at.slots) + len(at.components))
        if taker != giver
    ]


def _without_one(at: Design) -> list[Design]:
    return [fewer for _, fewer in _givers(at)]


def _givers(at: Design) -> list[tuple[int, Design]]:
    """Return the uses that can give a unit, and the design without it."""
    units = (*at.slots, *at.components)
    least = (0,) * len(at.slots) + (1,) * len(at.components)
    return [
        (use, _changed(at, use, -1))
        for use, unit in enumerate(units)
        if unit > least[use]
    ]


def _changed(at: Design, use: int, by: int) -> Design:
    units = [*at.slots, *at.components]
    units[use] += by
    cut = len(at.slots)
    return Design(tuple(units[:cut]), tuple(units[cut:]))
