"""Assembly line balancing: which tasks on which station.

`fewest_stations` answers for a cycle time (SALBP-1), `shortest_cycle` for a number of
stations (SALBP-2), `least_idle` for a range of them (SALBP-E). All take several
products with a demand mix: tasks are then balanced on the average of the mix, or so
that every product fits by itself.

Each goes the same way. Priority rules give a first answer. Then the same question, "so
many stations within such a cycle?", is asked again and again, with more effort each
time, by a search over station loads (`_beam`), and, where that leaves something open,
by CP-SAT (`_constraints`). A yes improves the answer, a no that is a proof improves the
bound. The answer always comes with the bound and says whether it is proven; what the
time did not suffice for is the gap between the two.

Names: Baybars (1986) Management Science 32(8), 909-932; mixed model: Thomopoulos (1967)
Management Science 14(2), B59-B75, and his 1970 paper on smoothed station assignments.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from linewright.improve._beam import Answer, Effort, lines_of, search
from linewright.improve._bounds import (
    Weightings,
    Windows,
    cycle_bound,
    station_bound,
    weightings,
    windows,
)
from linewright.improve._constraints import decide, require_ortools
from linewright.improve._ideals import enumerate_sets
from linewright.improve._rules import by_rules
from linewright.improve._work import Ints, Work, new_work
from linewright.improve.tasks import Tasks

__all__ = ["Balance", "fewest_stations", "least_idle", "shortest_cycle"]

_VALUES = ((0.0, 0.0, 0.0), (0.01, 0.01, 0.0), (0.0, 0.0, 0.02), (0.02, 0.02, 0.02))


@dataclass(frozen=True, slots=True)
class _Sets:
    """An effort: go through all sets of tasks, of which so many may be kept."""

    most: int


@dataclass(frozen=True, slots=True)
class _Constraints:
    """An effort: CP-SAT for a share of the time, eight seconds at least."""

    share: float


_Level = Effort | _Sets | _Constraints

_LIGHT: tuple[_Level, ...] = (
    *(Effort(1, 1_000, *values) for values in _VALUES),
    *(Effort(10, 500, *values) for values in _VALUES),
    *(Effort(50, 500, *values) for values in _VALUES[1:]),
)
_HEAVY: tuple[_Level, ...] = (
    Effort(300, 1_000, *_VALUES[2]),
    Effort(300, 1_000, *_VALUES[3]),
    Effort(100_000, 1_000_000, *_VALUES[2], steps=20_000_000),
    Effort(2_000, 1_000, *_VALUES[2]),
    _Sets(8_000_000),
    Effort(200_000, 1_000_000, *_VALUES[2], steps=100_000_000),
    _Constraints(0.25),
    Effort(20_000, 2_000, *_VALUES[3]),
    Effort(500_000, 10_000_000, *_VALUES[2], steps=2_000_000_000),
)
"""Efforts one after the other. The light ones look for better answers, halving what is
open; the heavy ones try to decide whether the answer is the best."""

_CONSTRAINTS_S = 8.0
_LARGEST = 2**56
_MAX_STATIONS = 1_000


@dataclass(frozen=True, slots=True)
class Balance:
    """Tasks on stations.

    Attributes:
        stations: Names of the tasks of each station, in an order in which they can be
            done; a station may be empty where more were asked for than help.
        cycle_time: The cycle time, in the unit of the tasks' times: as asked, or the
            shortest that was found.
        loads: Work of each station, the average of the mix, in the same unit.
        product_loads: Work of each station for each product, in the same unit.
        idle_time: What all stations together wait in one cycle.
        goal: ``stations``, ``cycle_time`` or ``idle_time``: what was made small.
        bound: No assignment has a smaller goal than this.
        proven: Whether this one is proven to be best.
        seconds: Time that it took.
    """

    stations: tuple[tuple[str, ...], ...]
    cycle_time: float
    loads: tuple[float, ...]
    product_loads: Mapping[str, tuple[float, ...]]
    idle_time: float
    goal: str
    bound: float
    proven: bool
    seconds: float

    @property
    def value(self) -> float:
        """Return what was made small: stations, cycle time or idle time."""
        found = {
            "stations": len(self.stations),
            "cycle_time": self.cycle_time,
            "idle_time": self.idle_time,
        }
        return found[self.goal]

    @property
    def efficiency(self) -> float:
        """Return the share of the stations' time that is work."""
        capacity = len(self.stations) * self.cycle_time
        return 1 - self.idle_time / capacity if capacity else 1.0


def fewest_stations(
    tasks: Tasks,
    cycle_time: float,
    *,
    mix: Mapping[str, int] | None = None,
    each_product: bool = False,
    time_limit: float = 60.0,
) -> Balance:
    """Return an assignment to as few stations as possible (SALBP-1).

    Args:
        tasks: The tasks.
        cycle_time: What a station may take, in the unit of the tasks' times.
        mix: How many of each product are made, as whole numbers such as 3 to 2; one of
            each by default.
        each_product: Whether every product has to fit into the cycle time at every
            station; else the average of the mix has to.
        time_limit: Seconds for the search.

    Raises:
        ValueError: The cycle time is too short for a task, or an argument is out of
            range; with all that is wrong.
        LinewrightError: The extra ``improve`` is not installed.
    """
    case, wrong = _case(tasks, mix, each_product, time_limit)
    wrong += _bad_cycle(tasks, case, cycle_time)
    _refuse(wrong)
    question = _Question(case.work, time_limit, time.monotonic())
    cycle = case.whole(cycle_time)
    low = station_bound(case.work, cycle)
    best = by_rules(case.work, cycle)
    for level in _levels(question):
        if low > best.max():
            break
        while low <= (most := int(best.max())):
            answer = question.ask(most, cycle, level, best)
            if answer.stations is not None:
                best = answer.stations
            elif answer.proven:
                low = most + 1
            elif low < most and question.ask(low, cycle, level, best).proven:
                low += 1
            else:
                break
    n = int(best.max()) + 1
    return _balance(case, question, (best, n, cycle_time), ("stations", low, low >= n))


def shortest_cycle(
    tasks: Tasks,
    stations: int,
    *,
    mix: Mapping[str, int] | None = None,
    each_product: bool = False,
    time_limit: float = 60.0,
) -> Balance:
    """Return an assignment with as short a cycle time as possible (SALBP-2).

    Args:
        tasks: The tasks.
        stations: Number of stations.
        mix: How many of each product are made, as in `fewest_stations`.
        each_product: Whether every product has to fit into the cycle time.
        time_limit: Seconds for the search.

    Raises:
        ValueError: An argument is out of range; with all that is wrong.
        LinewrightError: The extra ``improve`` is not installed.
    """
    case, wrong = _case(tasks, mix, each_product, time_limit)
    _refuse([*wrong, *_bad_stations(stations, stations)])
    question = _Question(case.work, time_limit, time.monotonic())
    found = _shortest(question, range(stations, stations + 1))
    cycle_time = case.time(found.cycle)
    goal = ("cycle_time", case.time(found.low[stations]), found.is_best)
    return _balance(case, question, (found.station, stations, cycle_time), goal)


def least_idle(
    tasks: Tasks,
    least: int,
    most: int,
    *,
    mix: Mapping[str, int] | None = None,
    each_product: bool = False,
    time_limit: float = 60.0,
) -> Balance:
    """Return the assignment with the least idle time (SALBP-E).

    Stations times cycle time is made as small as possible; the work is the same for
    all, so that what is left is idle time.

    Args:
        tasks: The tasks.
        least: Fewest stations.
        most: Most stations.
        mix: How many of each product are made, as in `fewest_stations`.
        each_product: Whether every product has to fit into the cycle time.
        time_limit: Seconds for the search.

    Raises:
        ValueError: An argument is out of range; with all that is wrong.
        LinewrightError: The extra ``improve`` is not installed.
    """
    case, wrong = _case(tasks, mix, each_product, time_limit)
    _refuse([*wrong, *_bad_stations(least, most)])
    question = _Question(case.work, time_limit, time.monotonic())
    found = _shortest(question, range(least, most + 1))
    size = min(found.capacity, *(m * low for m, low in found.low.items()))
    bound = case.time(size) - case.work_time
    cycle_time = case.time(found.cycle)
    goal = ("idle_time", max(bound, 0.0), found.is_best)
    return _balance(case, question, (found.station, found.n, cycle_time), goal)


# ---------------------------------------------------------------- what is asked


@dataclass(frozen=True, slots=True)
class _Case:
    """Tasks as one or several loads of whole numbers with one limit.

    Attributes:
        tasks: The tasks as given.
        work: The same as arrays.
        order: Row of the task of each column of `work`.
        mix: How many of each product, in their order.
        unit: A whole number of `work` in the unit of the tasks, times `scale`.
        scale: How many units the loads are the work of.
    """

    tasks: Tasks
    work: Work
    order: Sequence[int]
    mix: tuple[int, ...]
    unit: int
    scale: int

    def whole(self, cycle_time: float) -> int:
        """Return a cycle time as a limit of the loads of `work`."""
        return int(Fraction(cycle_time) * self.scale / self.unit)

    def time(self, limit: int) -> float:
        """Return a limit of loads as a cycle time."""
        return limit * self.unit / self.scale

    @property
    def work_time(self) -> float:
        """Return the work on a unit, the average of the mix."""
        whole = sum(d * sum(t) for d, t in zip(self.mix, self.tasks.times, strict=True))
        return whole / sum(self.mix)


def _case(
    tasks: Tasks, mix: Mapping[str, int] | None, each_product: bool, time_limit: float
) -> tuple[_Case, list[str]]:
    """Return the case, and what is wrong with the arguments."""
    require_ortools()
    wrong = []
    if not time_limit > 0:
        wrong.append(f"the time limit is {time_limit} s; it is more than zero")
    made, bad = _mix_of(tasks, mix)
    wrong += bad
    asked = [(d, t) for d, t in zip(made, tasks.times, strict=True) if d]
    if each_product:
        rows = [list(times) for _, times in asked]
        scale = 1
    else:
        rows = [[sum(d * t[j] for d, t in asked) for j in range(len(tasks))]]
        scale = sum(made)
    unit = math.gcd(*(t for row in rows for t in row)) or 1
    rows = [[t // unit for t in row] for row in rows]
    if max(map(sum, rows)) >= _LARGEST:
        wrong.append("the times are too long to be added up exactly; round them")
        rows = [[min(t, 1) for t in row] for row in rows]
    work, order = new_work(rows, tasks.before)
    return _Case(tasks, work, order, made, unit, scale), wrong


def _mix_of(
    tasks: Tasks, mix: Mapping[str, int] | None
) -> tuple[tuple[int, ...], list[str]]:
    ones = (1,) * len(tasks.products)
    if mix is None:
        return ones, []
    known = ", ".join(f'"{p}"' for p in tasks.products if p)
    wrong = [
        f'the mix has "{product}", which is no product of the tasks; '
        + (f"products are {known}" if known else "they have one product, without name")
        for product in mix
        if product not in tasks.products
    ]
    wrong += [
        f'the mix has {n} of "{product}"; it is a whole number, zero or more'
        for product, n in mix.items()
        if isinstance(n, bool) or not isinstance(n, int) or n < 0
    ]
    made = tuple(mix.get(product, 0) for product in tasks.products)
    if not wrong and not sum(made):
        wrong.append("the mix has no product; one of them is made at least")
    return (ones if wrong else made), wrong


def _bad_cycle(tasks: Tasks, case: _Case, cycle_time: float) -> list[str]:
    if not 0 < cycle_time < math.inf:
        return [f"the cycle time is {cycle_time}; it is more than zero and finite"]
    limit = case.whole(cycle_time)
    longest = case.work.times.max(axis=0)
    allowed = tasks.shown(cycle_time)
    return [
        f'task "{tasks.names[case.order[j]]}" takes {tasks.shown(case.time(took))}, '
        f"which is longer than the cycle time {allowed}"
        for j, took in enumerate(longest.tolist())
        if took > limit
    ]


def _bad_stations(least: int, most: int) -> list[str]:
    wrong = []
    if least < 1:
        wrong.append(f"the number of stations is {least}; it is one or more")
    if most > _MAX_STATIONS:
        wrong.append(f"the number of stations is {most}; allowed are {_MAX_STATIONS:,}")
    if most < least:
        wrong.append(f"the most stations are {most}, fewer than the least, {least}")
    return wrong


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        raise ValueError("\n".join(wrong))


# ---------------------------------------------------------------- the search


@dataclass(slots=True)
class _Question:
    """One question asked again and again: so many stations within such a cycle?"""

    work: Work
    time_limit: float
    started: float
    _rows: dict[int, tuple[Weightings, Weightings]] = field(default_factory=dict)

    def seconds(self) -> float:
        """Return the seconds since the question was asked first."""
        return time.monotonic() - self.started

    def time_left(self) -> float:
        """Return the seconds that are left."""
        return self.time_limit - self.seconds()

    def ask(
        self, stations: int, cycle: int, level: _Level, near: Ints | None = None
    ) -> Answer:
        """Look for an assignment, with an effort or by CP-SAT.

        Args:
            stations: Number of stations.
            cycle: Most that a station can take.
            level: How, and with how much effort.
            near: An assignment that is nearly one, for CP-SAT.
        """
        if cycle not in self._rows:
            rows = weightings(self.work, cycle)
            turned = rows._replace(weights=rows.weights[:, ::-1])
            self._rows[cycle] = (rows, turned)
        rows, turned = self._rows[cycle]
        at = windows(self.work, rows, stations)
        if (at.earliest > at.latest).any():
            return Answer(None, proven=True)
        if isinstance(level, _Constraints):
            seconds = max(_CONSTRAINTS_S, level.share * self.time_limit)
            seconds = min(self.time_left(), seconds)
            return decide(self.work, cycle, (rows, at, stations), seconds, near)
        answer = self._search(self.work, cycle, (rows, at, stations), level)
        if answer.stations is not None or answer.proven:
            return answer
        backwards = Windows(
            stations + 1 - at.latest[::-1], stations + 1 - at.earliest[::-1]
        )
        answer = self._search(
            self.work.turned, cycle, (turned, backwards, stations), level
        )
        if answer.stations is None:
            return answer
        return Answer(stations - 1 - answer.stations[::-1], proven=True)

    def _search(
        self,
        work: Work,
        cycle: int,
        bounds: tuple[Weightings, Windows, int],
        level: Effort | _Sets,
    ) -> Answer:
        rows, at, stations = bounds
        if isinstance(level, Effort):
            lines = lines_of(work, cycle, rows, at, level)
            return search(lines, stations, level, self.time_left)
        if len(work.times) > 1:
            return Answer(None, proven=False)
        room = (level.most, self.time_left)
        return enumerate_sets(work, cycle, at, stations, room)


def _levels(question: _Question) -> Iterator[_Level]:
    """Go through the efforts while there is time, and then on with CP-SAT."""
    for level in itertools.chain(_LIGHT, _HEAVY, itertools.repeat(_Constraints(1.0))):
        if question.time_left() <= 0:
            return
        yield level


@dataclass(slots=True)
class _Shortest:
    """The best so far over numbers of stations, and what is known of each number.

    Attributes:
        station: Station of each task.
        n: Number of stations.
        cycle: Their cycle time, the longest load.
        low: Bound on the cycle time for each number of stations.
    """

    station: Ints
    n: int
    cycle: int
    low: dict[int, int]

    @property
    def capacity(self) -> int:
        """Return the stations' time in one cycle."""
        return self.n * self.cycle

    def longest_better(self, n: int) -> int:
        """Return the longest cycle time with which n stations would be better."""
        return (self.capacity - 1) // n

    @property
    def is_best(self) -> bool:
        """Say whether no number of stations can be better."""
        return all(low > self.longest_better(n) for n, low in self.low.items())


def _shortest(question: _Question, numbers: range) -> _Shortest:
    """Look for the least stations times cycle time over numbers of stations."""
    work = question.work
    found = _by_rules(work, numbers)
    for n in numbers:
        found.low[n] = cycle_bound(work, n, found.low[n], found.longest_better(n) + 1)
    for level in _levels(question):
        if found.is_best:
            break
        for n in sorted(numbers, key=lambda n: n * found.low[n]):
            _sharpen(question, found, n, level)
    return found


def _sharpen(question: _Question, found: _Shortest, n: int, level: _Level) -> None:
    """Ask for what is open for a number of stations; not knowing counts as no."""
    at = found.low[n]
    while at <= (most := found.longest_better(n)) and question.time_left() > 0:
        cycle = (at + most) // 2 if level in _LIGHT else most
        answer = question.ask(n, cycle, level, found.station)
        if answer.stations is not None:
            found.station, found.n = answer.stations, n
            found.cycle = _longest_load(question.work, answer.stations)
            continue
        if answer.proven:
            found.low[n] = max(found.low[n], cycle + 1)
        at = cycle + 1


def _by_rules(work: Work, numbers: range) -> _Shortest:
    """Return what priority rules find, by halving the cycle time that they need."""
    longest = int(work.times.max())
    best: _Shortest | None = None
    for n in numbers:
        low, high = longest, int(work.times.sum(axis=1).max())
        station = np.zeros(work.n, dtype=np.int64)
        while low < high:
            cycle = (low + high) // 2
            tried = by_rules(work, cycle)
            if tried.max() < n:
                station, high = tried, cycle
            else:
                low = cycle + 1
        cycle = _longest_load(work, station)
        if best is None or n * cycle < best.capacity:
            best = _Shortest(station, n, cycle, {})
    assert best is not None
    best.low = dict.fromkeys(numbers, longest)
    return best


def _longest_load(work: Work, station: Ints) -> int:
    return max(int(np.bincount(station, weights=t).max()) for t in work.times)


def _balance(
    case: _Case,
    question: _Question,
    found: tuple[Ints, int, float],
    goal: tuple[str, float, bool],
) -> Balance:
    """Return the answer with names and in the unit of the tasks."""
    station, n, cycle_time = found
    tasks = case.tasks
    names: list[list[str]] = [[] for _ in range(n)]
    loads = np.zeros((len(tasks.products), n))
    for j, k in enumerate(station.tolist()):
        row = case.order[j]
        names[k].append(tasks.names[row])
        loads[:, k] += [times[row] for times in tasks.times]
    means = np.array(case.mix) @ loads / sum(case.mix)
    return Balance(
        tuple(map(tuple, names)),
        cycle_time,
        tuple(means.tolist()),
        {p: tuple(row) for p, row in zip(tasks.products, loads.tolist(), strict=True)},
        n * cycle_time - case.work_time,
        *goal,
        question.seconds(),
    )
