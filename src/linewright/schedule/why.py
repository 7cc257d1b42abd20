"""Why orders are late, and what would help.

The chain of causes of an order goes from its end backward. An operation began when it
did because something was there no earlier: the part itself, a component, the server,
people or a tool that others had, or the shift. What came last is the cause, and the
chain goes on from there, until the order's release or the start.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from linewright.model.moments import date_text
from linewright.schedule.compiling import Compiled
from linewright.schedule.listing import phase_of
from linewright.schedule.measures import done_us, measure
from linewright.schedule.problem import Problem, Solution, Station
from linewright.schedule.solving import MOST_WHOLE, solve
from linewright.units import format_duration

__all__ = ["Cause", "Relaxation", "causes_of", "relaxations_of"]

_MOST_LINKS = 400
_MOST_RELAXATIONS = 6


@dataclass(frozen=True, slots=True)
class Cause:
    """One link of the chain behind a late order.

    Attributes:
        kind: ``works``, ``waits for`` (a rest, a way, people or a tool), ``occupied
            by`` (its server had other work), ``off shift``, ``release`` or ``idle``.
        begin_us: Since when.
        end_us: Until when.
        station: Where, or empty.
        text: In words.
    """

    kind: str
    begin_us: int
    end_us: int
    station: str
    text: str


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Something that could be given, and what it would bring.

    Attributes:
        text: What, and what it brings, in words.
        tardiness_us: Weighted tardiness of the orders then.
    """

    text: str
    tardiness_us: int


def causes_of(
    compiled: Compiled, solution: Solution
) -> tuple[tuple[int, tuple[Cause, ...]], ...]:
    """Return the late orders, the latest first, each with its chain of causes."""
    problem = compiled.problem
    done = done_us(problem, solution)
    late = [
        (done[row] - demand.due_us, row)
        for row, demand in enumerate(problem.demands)
        if demand.due_us < done[row]
    ]
    if not late:
        return ()
    chain = _Chain(compiled, solution)
    return tuple((row, tuple(chain.of(row))) for _, row in sorted(late, reverse=True))


class _Chain:
    """Follows causes backward through a schedule."""

    def __init__(self, compiled: Compiled, solution: Solution) -> None:
        self._compiled, self._solution = compiled, solution
        self._problem = compiled.problem
        self._before = self._problem.predecessors()
        self._on: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._users: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for o, operation in enumerate(self._problem.operations):
            mode = operation.modes[int(solution.mode[o])]
            self._on[mode.station, int(solution.server[o])].append(o)
            self._note_needs(o)
        for rows in self._on.values():
            rows.sort(key=lambda o: int(solution.begin_us[o]))
        for hold in self._problem.holds:
            at = solution.begin_us if hold.at_begin else solution.end_us
            until = int(at[hold.last]) + hold.back_us
            begin = int(solution.begin_us[hold.first])
            self._users[hold.resource].append((begin, until, hold.last))

    def _note_needs(self, o: int) -> None:
        mode = self._problem.operations[o].modes[int(self._solution.mode[o])]
        s = self._solution
        for need in mode.needs:
            first, last = phase_of(
                self._problem, mode, need, int(s.begin_us[o]), int(s.setup_us[o]),
                int(s.end_us[o]),
            )  # fmt: skip
            for resource in need.resources:
                self._users[resource].append((first, last, o))

    def of(self, row: int) -> Iterator[Cause]:
        """Yield the causes of an order, the latest first."""
        problem, s = self._problem, self._solution
        demand = problem.demands[row]
        o = max(
            demand.last, key=lambda i: int(s.end_us[i]) + problem.operations[i].rest_us
        )
        seen: set[int] = set()
        while len(seen) < _MOST_LINKS and o not in seen:
            seen.add(o)
            yield self._works(o)
            causes, following = self._waits(o)
            yield from causes
            if following is None:
                return
            o = following

    def _name(self, o: int) -> str:
        operation = self._problem.operations[o]
        return f"{operation.part} {operation.name}"

    def _station(self, o: int) -> str:
        mode = self._problem.operations[o].modes[int(self._solution.mode[o])]
        return self._problem.stations[mode.station].name if mode.station >= 0 else ""

    def _order(self, o: int) -> str:
        job = self._compiled.jobs[int(self._compiled.job_of[o])]
        return self._compiled.orders[job.order].id

    def _works(self, o: int) -> Cause:
        s = self._solution
        begin, end = int(s.begin_us[o]), int(s.end_us[o])
        setup = f", {format_duration(int(s.setup_us[o]))} of it setup" * bool(
            s.setup_us[o]
        )
        text = f"{self._name(o)} at {self._station(o)} of order {self._order(o)}{setup}"
        return Cause("works", begin, end, self._station(o), text)

    def _waits(self, o: int) -> tuple[list[Cause], int | None]:
        """Return what an operation waited for last, and the operation behind it."""
        problem, s = self._problem, self._solution
        begin = int(s.begin_us[o])
        operation = problem.operations[o]
        mode = operation.modes[int(s.mode[o])]
        found: list[tuple[int, int, str, str, int | None]] = []
        for row in self._before[o]:
            link = problem.links[row]
            ready = self._ready(row)
            if link.moves or link.min_us > 0:
                text = f"{self._name(o)} waits for {self._name(link.before)}"
                found.append((ready, 2, "waits for", text, link.before))
        on = self._on[mode.station, int(s.server[o])]
        place = on.index(o)
        earlier = [i for i in on[:place] if not self._together(i, o)]
        if earlier and mode.station >= 0:
            other = max(earlier, key=lambda i: int(s.leave_us[i]))
            text = (
                f"{self._station(o)} is occupied by {self._name(other)} of order "
                f"{self._order(other)}"
            )
            found.append((int(s.leave_us[other]), 1, "occupied by", text, other))
        found += list(self._short(o))
        found.append(
            (
                operation.release_us,
                0,
                "release",
                f"order {self._order(o)} is released",
                None,
            )
        )
        at, _, kind, text, behind = max(found, key=lambda f: (min(f[0], begin), f[1]))
        at = min(at, begin)
        causes = [self._gap(o, at, begin)] if at < begin else []
        start = at if behind is None else int(s.end_us[behind])
        if kind != "waits for" or start < at:
            causes.append(Cause(kind, min(start, at), at, self._station(o), text))
        return causes, behind

    def _together(self, one: int, two: int) -> bool:
        batch = self._solution.batch
        return bool(len(batch) and batch[one] >= 0 and batch[one] == batch[two])

    def _ready(self, row: int) -> int:
        problem, s = self._problem, self._solution
        link = problem.links[row]
        at = int(s.end_us[link.before]) + link.min_us
        if link.moves:
            at = max(at, int(s.leave_us[link.before]) + link.min_us)
            at += problem.operations[link.before].rest_us
        pair = tuple(
            problem.operations[i].modes[int(s.mode[i])].station
            for i in (link.before, link.after)
        )
        return at + max((us for a, b, us in link.ways_us if (a, b) == pair), default=0)

    def _short(self, o: int) -> Iterator[tuple[int, int, str, str, int | None]]:
        """Yield people and tools that came free just when an operation began."""
        problem, s = self._problem, self._solution
        begin = int(s.begin_us[o])
        mode = problem.operations[o].modes[int(s.mode[o])]
        rows = {r for need in mode.needs for r in need.resources}
        rows |= {hold.resource for hold in problem.holds if hold.first == o}
        for r in sorted(rows):
            ended = [
                (until, i) for _, until, i in self._users[r] if until == begin != 0
            ]
            if ended:
                i = ended[0][1]
                name = problem.resources[r].name
                text = f"{name}: all of them are with {self._name(i)} and others"
                yield begin, 1, "waits for", text, i

    def _gap(self, o: int, at: int, begin: int) -> Cause:
        """Return why nothing happened from when all was there to the begin."""
        problem, s = self._problem, self._solution
        mode = problem.operations[o].modes[int(s.mode[o])]
        name = self._station(o)
        if mode.station >= 0 and problem.may_begin(mode, at) > at:
            why = (
                "off shift" if not self._is_on(mode.station, at) else "too late to fit"
            )
            text = f"{name} is {why} until {date_text(self._compiled.original, begin)}"
            return Cause("off shift", at, begin, name, text)
        text = f"{self._name(o)} stands until the schedule begins it"
        return Cause("idle", at, begin, name, text)

    def _is_on(self, station: int, at: int) -> bool:
        calendar = self._problem.calendar_of(station)
        return calendar is None or calendar.is_on(at)


# ---------------------------------------------------------------- what would help


def relaxations_of(
    compiled: Compiled,
    solution: Solution,
    late: tuple[tuple[int, tuple[Cause, ...]], ...],
    *,
    seconds: float,
) -> tuple[Relaxation, ...]:
    """Return what would make the orders less late, each by itself, the most first.

    Stations on the chains of causes get one more server, or work around the clock;
    people and tools that were waited for get one more. Each is tried with a short
    search from the schedule as it is, so that it may bring more than is told.

    Args:
        compiled: The line and its jobs.
        solution: The schedule.
        late: Its late orders with their causes.
        seconds: Time for all of them together.
    """
    problem = compiled.problem
    now = measure(problem, solution, "tardiness")
    candidates = list(_candidates(problem, late))[:_MOST_RELAXATIONS]
    if not candidates or now == 0:
        return ()
    each = max(seconds / len(candidates), 0.5)
    end = time.perf_counter() + seconds
    found = []
    for what, relaxed in candidates:
        left = end - time.perf_counter()
        if left < 0.2:
            break
        keeps = _keeps(relaxed, problem)
        if not keeps and len(problem.operations) > MOST_WHOLE:
            continue  # without a schedule to begin from that takes too long
        answer = solve(
            relaxed,
            objectives=("tardiness",),
            hint=solution if keeps else None,
            limit_s=min(each, left),
        )
        if answer.solution is None:
            continue
        then = measure(relaxed, answer.solution, "tardiness")
        if then < now:
            text = (
                f"{what}: weighted delay {format_duration(now)} -> "
                f"{format_duration(then)}"
            )
            found.append(Relaxation(text, then))
    return tuple(sorted(found, key=lambda r: r.tardiness_us))


def _keeps(relaxed: Problem, problem: Problem) -> bool:
    """Say whether a schedule of the problem is one of the relaxed problem, too."""
    return all(
        one.calendar == two.calendar
        for one, two in zip(relaxed.stations, problem.stations, strict=True)
    )


def _candidates(
    problem: Problem, late: tuple[tuple[int, tuple[Cause, ...]], ...]
) -> Iterator[tuple[str, Problem]]:
    """Yield what could be given, that for which most time was waited first."""
    lost: dict[tuple[str, str], int] = defaultdict(int)
    for _, causes in late:
        for cause in causes:
            if cause.kind == "occupied by":
                lost["server", cause.station] += cause.end_us - cause.begin_us + 1
            elif cause.kind == "works":
                lost["server", cause.station] += 1
            elif cause.kind == "off shift":
                lost["shift", cause.station] += cause.end_us - cause.begin_us
            elif cause.kind == "waits for" and ": all of them" in cause.text:
                name = cause.text.partition(":")[0]
                lost["resource", name] += cause.end_us - cause.begin_us + 1
    for (kind, name), _ in sorted(lost.items(), key=lambda item: -item[1]):
        if kind == "resource":
            resources = tuple(
                replace(r, capacity=r.capacity + 1) if r.name == name else r
                for r in problem.resources
            )
            yield f"one more of {name}", replace(problem, resources=resources)
            continue
        stations = tuple(
            _given(station, kind) if station.name == name else station
            for station in problem.stations
        )
        what = "one more server at" if kind == "server" else "work around the clock at"
        yield f"{what} {name}", replace(problem, stations=stations)


def _given(station: Station, kind: str) -> Station:
    if kind == "server":
        return replace(station, n_servers=station.n_servers + 1)
    return replace(station, calendar=-1)
