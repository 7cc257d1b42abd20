"""Schedules and the kernel: what it does by its own rules, and what by a schedule.

`dispatched` runs the line without chance by a dispatch rule and reads off the trace
where and when everything was done. `Execution` runs it, with chance or without, by a
schedule: no operation begins before its planned time; of the parts that wait and are
due to begin, a server takes the one that was planned first, its own before those of
another server of the station that is late. The kernel asks which part is next
(`kernel.rules`), and is woken at the planned times.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.errors import KernelError
from linewright.kernel.run import Outside
from linewright.lower import Lowered, lower, new_draws, new_state, part_capacity
from linewright.model.line import Line, PythonRule, Station
from linewright.model.meaning import places
from linewright.replicate import no_room
from linewright.schedule.calling import (
    AGAIN,
    Caller,
    Calls,
    Planned,
    looks,
    wakable,
)
from linewright.schedule.compiling import Compiled
from linewright.schedule.jobs import Job
from linewright.schedule.keeping import breaks, differences
from linewright.schedule.measures import measures
from linewright.schedule.problem import NEVER, Mode, Problem, Solution
from linewright.schedule.scheduled import released, with_rules

__all__ = [
    "DISPATCH_RULES",
    "Execution",
    "Run",
    "dispatch_rules",
    "dispatched",
    "settled",
]

DISPATCH_RULES: dict[str, tuple[str, ...]] = {
    "earliest_due_date": ("earliest_due_date",),
    "priority": ("priority", "earliest_due_date"),
    "least_setup, priority": ("least_setup", "priority", "earliest_due_date"),
    "least_setup": ("least_setup", "earliest_due_date"),
    "critical_ratio": ("critical_ratio",),
    "shortest_processing_time": ("shortest_processing_time",),
    "fifo": ("fifo",),
}
"""Rules by which the kernel makes a first schedule; each settles the ties before it."""


def dispatch_rules(problem: Problem) -> list[str]:
    """Return the names of the rules, those first that have the best prospects.

    Where time is short only the first are tried: with setups and many orders that wait,
    least setups are far ahead.
    """
    has_setups = any(station.setups_us is not None for station in problem.stations)
    return sorted(
        DISPATCH_RULES, key=lambda name: has_setups and "least_setup" not in name
    )


_FOREVER = 2**62
_N_ROWS = 1 << 16


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """What the kernel did with the jobs.

    Attributes:
        solution: Where and when each operation was done; -1 where it was not.
        done: Whether every job was finished.
        finished_us: When each order's own parts had all left, or `NEVER`.
        status: One of the codes of `tables`.
    """

    solution: Solution
    done: bool
    finished_us: t.Ints
    status: int


def dispatched(compiled: Compiled, rule: Sequence[str], horizon_us: int) -> Run:
    """Run the line without chance by a dispatch rule.

    Args:
        compiled: The line and its jobs.
        rule: Up to three dispatch rules of the model; none: those of the model.
        horizon_us: When to stop at the latest.
    """
    orders = compiled.orders
    line = released(
        compiled.line,
        compiled.jobs,
        [orders[job.order].release_us for job in compiled.jobs],
        [orders[job.order].due_us for job in compiled.jobs],
        [orders[job.order].priority for job in compiled.jobs],
    )
    stations = {
        name: _by_rule(line, station, tuple(rule))
        for name, station in line.stations.items()
    }
    line = line.model_copy(update={"stations": stations, "in_process": ()})
    lowered = lower(line, horizon_us)
    return _Reader(compiled, lowered).run(horizon_us, None, 0, 0)


def _by_rule(line: Line, station: Station, rule: tuple[str, ...]) -> Station:
    """Return a station with a dispatch rule; one of its own in Python is not run.

    What waits in few places is served in turn, as in a schedule.
    """
    if station.batch is None and places(line, station.buffer) is not None:
        rule = ("fifo",)
    if not rule and isinstance(station.dispatch, PythonRule):
        rule = ("fifo",)
    update: dict[str, Any] = {"preempt": "never"}
    if rule:
        update["dispatch"] = rule
    return station.model_copy(update=update)


class Execution:
    """Runs of a line by one schedule.

    Args:
        compiled: The line and its jobs.
        solution: The schedule.
        horizon_us: When runs stop at the latest.
        chance: Run the line as it is, with failures and variation; else without.
    """

    def __init__(
        self, compiled: Compiled, solution: Solution, horizon_us: int, *, chance: bool
    ) -> None:
        self._compiled, self._solution = compiled, solution
        self._horizon_us, self._chance = horizon_us, chance
        source = compiled.original if chance else compiled.line
        begin = solution.begin_us[compiled.first_of]
        orders = compiled.orders
        line = released(
            source,
            compiled.jobs,
            [int(at) for at in begin],
            [orders[job.order].due_us for job in compiled.jobs],
            [orders[job.order].priority for job in compiled.jobs],
        )
        line = with_rules(line).model_copy(update={"in_process": ()})
        self._lowered = wakable(lower(line, horizon_us))

    def run(self, seed: int = 0, replication: int = 0) -> Run:
        """Return one run; without chance all are alike."""
        reader = _Reader(self._compiled, self._lowered)
        caller = _Caller(
            self._compiled, self._lowered, self._solution, reader, chance=self._chance
        )
        return reader.run(self._horizon_us, caller, seed, replication)


class _Reader:
    """Runs tables and reads the trace of the jobs."""

    def __init__(self, compiled: Compiled, lowered: Lowered) -> None:
        self.lowered = lowered
        self._compiled = compiled
        self.job_of_order = np.array([int(name) for name in lowered.names.orders])
        self.place_of_step = self._places()
        self._n_units = self._units()

    def _places(self) -> t.Ints:
        """Return for each step of the tables its place among a job's operations."""
        found = np.full(len(self.lowered.tables.steps), -1, np.int64)
        compiled = self._compiled
        names: dict[str, dict[str, int]] = {}
        operations = compiled.problem.operations
        ends = np.append(compiled.first_of[1:], len(operations))
        for job, first, end in zip(compiled.jobs, compiled.first_of, ends, strict=True):
            if job.product not in names:
                names[job.product] = {
                    operations[o].name: o - int(first) for o in range(first, end)
                }
        steps = self.lowered.tables.steps
        for k, name in enumerate(self.lowered.names.operations):
            product = self.lowered.names.products[int(steps["product"][k])]
            found[k] = names.get(product, {}).get(name, -1)
        return found

    def run(
        self, horizon_us: int, caller: _Caller | None, seed: int, replication: int
    ) -> Run:
        """Run to the end of all jobs, or to the horizon, and read what was done."""
        state = new_state(self.lowered, n_trace=self._trace_rows())
        draws = new_draws(self.lowered, seed, replication)
        batches: list[t.Ints] = []
        status = t.REACHED
        self._outside = Outside(self.lowered.tables, state, draws)
        for until_us in [*(caller.wakes if caller else ()), horizon_us]:
            if until_us > horizon_us:
                break
            status, state = self._advance(state, draws, until_us, caller, batches)
            if status in (t.ENOUGH, t.DEADLOCK):
                break
            if caller is not None and until_us < horizon_us:
                caller.wake(state, self._outside, until_us)
                self._take(state, batches)
        return self._read(batches, status, as_built=caller is None)

    def _trace_rows(self) -> int:
        return _N_ROWS + 16 * int(self.lowered.tables.settings[t.S_MARGIN])

    def _advance(
        self,
        state: t.State,
        draws: t.Draws,
        until_us: int,
        caller: _Caller | None,
        batches: list[t.Ints],
    ) -> tuple[int, t.State]:
        while True:
            call = 0 if caller is None else caller.address(state)
            code = self._outside.advance(until_us, self._n_units, call)
            self._take(state, batches)
            if code == t.RULE_FAILED and caller is not None:
                caller.fail()
            if code == t.NEED_PARTS:
                state = part_capacity(self.lowered, state, 2 * len(state.parts))
                self._outside = Outside(self.lowered.tables, state, draws)
            elif code == t.NO_ROOM:
                raise KernelError(no_room(self.lowered, state))
            elif code == t.OVERFLOW:
                msg = "the kernel ran out of working space; please report this model"
                raise KernelError(msg)
            elif code != t.NEED_TRACE:
                return code, state

    def _units(self) -> int:
        """Return the units that leave the line when all orders are done."""
        products = self._compiled.line.products
        n = sum(
            products[job.product].lot_size
            for job in self._compiled.jobs
            if job.parent < 0
        )
        splits = any(
            step.makes
            for job in self._compiled.jobs
            for step in products[job.product].route[-1:]
        )
        return _FOREVER if splits else n

    def _take(self, state: t.State, batches: list[t.Ints]) -> None:
        if n := int(state.clock["n_trace"][0]):
            batches.append(state.trace[:n].copy())
            state.clock["n_trace"] = 0

    # ------------------------------------------------------------ reading

    def _read(self, batches: list[t.Ints], status: int, *, as_built: bool) -> Run:
        width = len(t.TRACE_COLUMNS)
        rows = np.concatenate([np.zeros((0, width), np.int64), *batches])
        del batches[:]
        compiled = self._compiled
        n = len(compiled.problem.operations)
        out = {
            name: np.full(n, -1, np.int64)
            for name in ("mode", "server", "begin", "setup", "end", "leave", "batch")
        }
        operation = self._operations(rows)
        self._starts(rows, operation, out)
        self._ends(rows, operation, out)
        if as_built:
            rows_of = self._built_in(out)
            out = {name: values[rows_of] for name, values in out.items()}
        solution = Solution(
            out["mode"], out["server"], out["begin"], out["setup"], out["end"],
            out["leave"], out["batch"],
        )  # fmt: skip
        return Run(
            solution,
            bool((solution.end_us >= 0).all()),
            self._finished(rows),
            status,
        )

    def _built_in(self, out: dict[str, t.Ints]) -> t.Ints:
        """Return for each operation which one stands for it: any unit serves.

        What is needed first gets, of the parts that are done by then and were not begun
        before its order's release, the one that was begun first.
        """
        compiled = self._compiled
        jobs = compiled.jobs
        rows_of = np.arange(len(compiled.problem.operations))
        ends = np.append(compiled.first_of[1:], len(rows_of))
        physical = np.arange(len(jobs))
        for product in _parents_first(jobs):
            slots = [j for j, job in enumerate(jobs) if job.product == product]
            slots = [j for j in slots if jobs[j].parent >= 0]
            self._match(slots, physical, ends, out)
        for j in np.flatnonzero(physical != np.arange(len(jobs))).tolist():
            first, end = int(compiled.first_of[j]), int(ends[j])
            start = int(compiled.first_of[physical[j]])
            rows_of[first:end] = np.arange(start, start + end - first)
        return rows_of

    def _match(
        self, slots: list[int], physical: t.Ints, ends: t.Ints, out: dict[str, t.Ints]
    ) -> None:
        """Give the jobs of one component the parts that were made of it."""
        compiled = self._compiled
        jobs, operations = compiled.jobs, compiled.problem.operations
        begun = out["begin"][compiled.first_of]

        def need(j: int) -> tuple[int, int]:
            job = jobs[j]
            parent = int(physical[job.parent])
            steps = compiled.step_of[compiled.first_of[parent] : ends[parent]]
            place = int(np.searchsorted(steps, job.at_step))
            taken_at = int(compiled.first_of[parent]) + min(place, len(steps) - 1)
            return int(out["begin"][taken_at]), j

        parts = sorted(slots, key=lambda j: int(out["end"][ends[j] - 1]))
        ready: list[tuple[int, int]] = []
        i = 0
        for at, j in sorted(map(need, slots)):
            while i < len(parts):
                last = int(ends[parts[i]]) - 1
                if int(out["end"][last]) + operations[last].rest_us > at and ready:
                    break
                insort(ready, (int(begun[parts[i]]), parts[i]))
                i += 1
            release = operations[int(compiled.first_of[j])].release_us
            place = min(bisect_left(ready, (release, -1)), len(ready) - 1)
            physical[j] = ready.pop(place)[1]

    def _finished(self, rows: t.Ints) -> t.Ints:
        """Return when the last part of each order had left the line."""
        compiled = self._compiled
        finished = np.full(len(compiled.orders), NEVER, np.int64)
        exits = rows[rows[:, 1] == t.T_EXIT]
        jobs = self.job_of_order[exits[:, 6]]
        left = np.full(len(compiled.jobs), NEVER, np.int64)
        left[jobs] = exits[:, 0]
        by_order: dict[int, int] = {}
        for job, at in zip(compiled.jobs, left, strict=True):
            if job.parent < 0:
                by_order[job.order] = max(by_order.get(job.order, 0), int(at))
        finished[list(by_order)] = list(by_order.values())
        return finished

    def _operations(self, rows: t.Ints) -> t.Ints:
        """Return for each row the operation that its part is at, or -1."""
        product, serial, step = rows[:, 3], rows[:, 4], rows[:, 5]
        comes = rows[:, 1] == t.T_RELEASE
        most = int(serial.max(initial=0)) + 1
        job_of = np.full(len(self.lowered.names.products) * most, -1, np.int64)
        key = np.where(product >= 0, product * most + serial, 0)
        job_of[key[comes]] = self.job_of_order[rows[comes, 6]]
        jobs = np.where(product >= 0, job_of[key], -1)
        place = np.where(step >= 0, self.place_of_step[np.maximum(step, 0)], -1)
        known = (jobs >= 0) & (place >= 0)
        first = self._compiled.first_of[np.maximum(jobs, 0)]
        return np.where(known, first + place, -1)

    def _starts(self, rows: t.Ints, operation: t.Ints, out: dict[str, t.Ints]) -> None:
        """Note server and begin of each operation, the first time it is begun."""
        tables = self.lowered.tables
        begun = np.flatnonzero((rows[:, 1] == t.T_START) & (operation >= 0))[::-1]
        o = operation[begun]
        servers = rows[begun, 2]
        out["begin"][o] = rows[begun, 0]
        station = np.repeat(
            np.arange(len(tables.stations)), tables.stations["n_servers"]
        )
        out["server"][o] = servers - tables.stations["first_server"][station[servers]]
        problem = self._compiled.problem
        for i, k in zip(o, station[servers], strict=True):
            modes = problem.operations[i].modes
            out["mode"][i] = next(
                m for m, mode in enumerate(modes) if mode.station == k
            )
        self._start_of = dict(zip(o.tolist(), begun.tolist(), strict=True))

    def _ends(  # noqa: C901, PLR0912
        self, rows: t.Ints, operation: t.Ints, out: dict[str, t.Ints]
    ) -> None:
        """Note end and leaving of each operation, and the setup before it.

        A server works on what it took last: its events belong to those, until it takes
        the next.
        """
        problem = self._compiled.problem
        on: dict[int, list[int]] = {}
        last_start: dict[int, int] = {}
        waits: dict[tuple[int, int], list[int]] = {}
        leaves = {t.T_QUEUE, t.T_OUTPUT, t.T_STORE, t.T_EXIT, t.T_MOVE, t.T_START}
        work = {t.FINISH, t.UNLOADED, t.SETUP_DONE, t.ADVANCED}
        kinds = rows[:, 1]
        events = (kinds == t.T_EVENT) & np.isin(rows[:, 6], list(work))
        wanted = np.flatnonzero(
            events | ((rows[:, 3] >= 0) & np.isin(kinds, list(leaves)))
        )
        n_batches = 0
        for i in wanted.tolist():
            at, kind, row, product, serial, _, value, _ = rows[i].tolist()
            if kind == t.T_EVENT:
                last_start.pop(row, None)
                for o in on.get(row, ()):
                    if value == t.SETUP_DONE:
                        mode = problem.operations[o].modes[out["mode"][o]]
                        out["setup"][o] = self._setup(mode, int(out["begin"][o]), at)
                    else:
                        out["end"][o] = at
                continue
            part = product, serial
            for o in waits.pop(part, ()):
                if out["end"][o] >= 0:
                    out["leave"][o] = at
                else:
                    waits.setdefault(part, []).append(o)
            o = int(operation[i])
            if kind == t.T_START and o >= 0 and self._start_of.get(o) == i:
                if last_start.get(row) == at and on.get(row):
                    on[row].append(o)
                    if out["batch"][on[row][0]] < 0:
                        out["batch"][on[row][0]] = n_batches
                        n_batches += 1
                    out["batch"][o] = out["batch"][on[row][0]]
                else:
                    on[row] = [o]
                last_start[row] = at
                waits.setdefault(part, []).append(o)
                out["setup"][o] = 0
            elif kind == t.T_START:
                on[row] = []
                last_start[row] = at
        stuck = (out["leave"] < 0) & (out["end"] >= 0)
        out["leave"][stuck] = out["end"][stuck]

    def _setup(self, mode: Mode, begin: int, at: int) -> int:
        """Return the working time of a setup that is over."""
        calendar = self._compiled.problem.calendar_of(mode.station)
        if calendar is None or mode.shift_end != "interrupt":
            return at - begin
        spans = np.minimum(calendar.end_us, at) - np.maximum(calendar.begin_us, begin)
        return int(spans.clip(0).sum())


def _parents_first(jobs: Sequence[Job]) -> list[str]:
    """Return the products of components, each behind those that it goes into."""
    level: dict[str, int] = {}
    depth = [0] * len(jobs)
    for j, job in enumerate(jobs):
        if job.parent >= 0:
            depth[j] = depth[job.parent] + 1
            level[job.product] = max(level.get(job.product, 0), depth[j])
    return sorted(level, key=lambda name: level[name])


class _Caller:
    """Lets a schedule answer which part is next, and wakes the line for it."""

    def __init__(
        self,
        compiled: Compiled,
        lowered: Lowered,
        solution: Solution,
        reader: _Reader,
        *,
        chance: bool,
    ) -> None:
        self._lowered, self._reader = lowered, reader
        self._first_of = compiled.first_of
        problem = compiled.problem
        station = np.array(
            [
                o.modes[m].station
                for o, m in zip(problem.operations, solution.mode, strict=True)
            ],
            np.int64,
        )
        first = lowered.tables.stations["first_server"]
        server = first[station] + solution.server
        planned = Planned(
            solution.begin_us, solution.end_us, station, server, solution.batch
        )
        self._calls = Calls(planned, patient=not chance)
        self._caller = Caller(self._calls, self._operations)
        self.address, self.fail = self._caller.address, self._caller.fail
        self.wakes = sorted(self._calls.stations_at)

    def wake(self, state: t.State, outside: Outside, at_us: int) -> None:
        """Let the stations look for which something is planned to begin now."""
        for k in sorted(self._calls.stations_at[at_us]):
            if not looks(self._lowered, state, k):
                continue
            state.asked[t.ASKED_CALL] = self.address(state)
            try:
                outside.apply_drawn(t.WAITED, k, 0)
            finally:
                state.asked[t.ASKED_CALL] = 0
            if state.clock["status"][0] == t.RULE_FAILED:
                self.fail()

    def _operations(self, parts: t.Records) -> t.Ints:
        """Return the operations for which parts wait; see `calling`."""
        orders, steps = parts["order"], parts["step"]
        places = self._reader.place_of_step[steps]
        jobs = self._reader.job_of_order[np.maximum(orders, 0)]
        known = (orders >= 0) & (parts["visits"] == 0) & (places >= 0)
        return np.where(known, self._first_of[jobs] + places, AGAIN)


def settled(
    compiled: Compiled, solution: Solution, horizon_us: int, objectives: Sequence[str]
) -> tuple[Solution, list[int]]:
    """Return a schedule as the kernel does it, and what it does otherwise.

    Where a part has no place to wait, the kernel may begin it sooner than planned. What
    it did is the schedule then, if that is one, is no worse, and comes out again.

    Args:
        compiled: The line and its jobs.
        solution: A schedule.
        horizon_us: When to stop at the latest.
        objectives: What counts, in order.

    Returns:
        The schedule, with when parts leave their servers; and the operations that the
        kernel does elsewhere or at other times.
    """
    problem = compiled.problem
    different: list[int] = []
    for _ in range(3):
        run = Execution(compiled, solution, horizon_us, chance=False).run()
        different = differences(problem, solution, run.solution)
        if not different:
            return replace(solution, leave_us=run.solution.leave_us), []
        value = measures(problem, solution, objectives)
        if not run.done or breaks(problem, run.solution):
            break
        if measures(problem, run.solution, objectives) > value:
            break
        solution = run.solution
    return solution, different
