"""What every CP-SAT model of one problem needs to know, found out once."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from linewright.schedule.listing import tails_of
from linewright.schedule.problem import NEVER, Calendar, Problem, Solution

__all__ = ["OBJECTIVES", "Facts", "Former", "Spans", "grain_of"]

OBJECTIVES = (
    "tardiness", "makespan", "flow_time", "setups", "wip", "stability", "late_orders",
)  # fmt: skip
"""What a schedule may be good for; several are looked at one after the other."""

Former = dict[int, tuple[int, int, int]]
"""Mode, server and begin of operations in a former schedule."""


def grain_of(problem: Problem) -> int:  # noqa: C901
    """Return the greatest time of which all times of a problem are multiples."""
    times: set[int] = set()
    for operation in problem.operations:
        times.update((operation.release_us, operation.rest_us))
        if operation.fixed is not None:
            times.add(operation.fixed.begin_us)
        for mode in operation.modes:
            times.update((mode.process_us, mode.load_us, mode.unload_us))
    for station in problem.stations:
        for row in station.setups_us or ():
            times.update(row)
    for link in problem.links:
        times.update((link.min_us, *(way for _, _, way in link.ways_us)))
        if link.max_us < NEVER:
            times.add(link.max_us)
    times.update(hold.back_us for hold in problem.holds)
    for demand in problem.demands:
        times.add(demand.release_us)
        if demand.due_us < NEVER:
            times.add(demand.due_us)
    grain = math.gcd(*times) if times else 1
    for calendar in problem.calendars:
        for part in (calendar.begin_us, calendar.end_us, calendar.shift_end_us):
            if len(part):
                grain = math.gcd(grain, int(np.gcd.reduce(part)))
    return max(grain, 1)


class Spans:
    """The spans of a calendar, in grains, with the time off before each."""

    def __init__(self, calendar: Calendar, grain: int) -> None:
        self.begin = (calendar.begin_us // grain).tolist()
        self.end = (calendar.end_us // grain).tolist()
        self.shift_end = (calendar.shift_end_us // grain).tolist()
        self.off: list[int] = []
        worked = 0
        for begin, end in zip(self.begin, self.end, strict=True):
            self.off.append(begin - worked)
            worked += end - begin
        self._begin_np = np.array(self.begin, np.int64)
        self._end_np = np.array(self.end, np.int64)

    def between(self, low: int, high: int) -> range:
        """Return the spans that have an instant in common with ``low..high``."""
        first = int(np.searchsorted(self._end_np, low, side="left"))
        last = int(np.searchsorted(self._begin_np, high, side="right"))
        return range(first, last)

    def begins(self, low: int, high: int, process: int | None) -> list[tuple[int, int]]:
        """Return where work may begin: inside a span, and where it fits."""
        out = []
        for i in self.between(low, high):
            last = self.end[i] - 1
            if process is not None:
                left = 0
                j = i + 1
                while j < len(self.end) and self.end[j] <= self.shift_end[i]:
                    left += self.end[j] - self.begin[j]
                    j += 1
                last = min(last, self.end[i] + left - process)
            if self.begin[i] <= last:
                out.append((self.begin[i], last))
        return out


class Facts:
    """What every model of one problem needs to know, found out once."""

    def __init__(self, problem: Problem) -> None:
        self.grain = grain_of(problem)
        self.spans = [Spans(c, self.grain) for c in problem.calendars]
        self.after, self.before = problem.successors(), problem.predecessors()
        self.order = problem.in_order()
        self.tails = tails_of(problem)
        self.rank = np.empty(len(self.order), np.int64)
        self.rank[self.order] = np.arange(len(self.order))
        self.most = max((len(o.modes) for o in problem.operations), default=1)
        self.stations = np.full((len(self.order), self.most), -1, np.int64)
        self.holds: dict[int, list[int]] = defaultdict(list)
        self.stored: dict[int, list[int]] = defaultdict(list)
        self.needy = []
        for o, operation in enumerate(problem.operations):
            for m, mode in enumerate(operation.modes):
                self.stations[o, m] = mode.station
            if any(mode.needs for mode in operation.modes):
                self.needy.append(o)
        for row, link in enumerate(problem.links):
            if link.storage >= 0:
                self.stored[link.storage].append(row)
        for row, hold in enumerate(problem.holds):
            self.holds[hold.resource].append(row)

    def station_of(self, solution: Solution) -> Any:
        """Return the station at which a schedule has each operation."""
        return self.stations[np.arange(len(self.stations)), solution.mode]
