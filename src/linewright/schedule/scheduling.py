"""A line and its orders in, a schedule with its bound out: the function to read first.

`schedule_line` lets the kernel dispatch by several rules, which gives a schedule at
once, and CP-SAT better it (`solving`). What comes out is executed in the kernel without
chance, and has to come out there as it is, or the schedule says where it does not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from linewright import tables as t
from linewright.drafts import write_whole
from linewright.errors import Finding, ModelError
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.results import write_folder
from linewright.schedule._model import Former
from linewright.schedule.compiling import MOST_OPERATIONS, Compiled, compile_line
from linewright.schedule.executing import Chances, chances_of
from linewright.schedule.keeping import breaks, unwaited
from linewright.schedule.kernel_runs import (
    DISPATCH_RULES,
    Run,
    dispatch_rules,
    dispatched,
    settled,
)
from linewright.schedule.listing import one_by_one, replaced
from linewright.schedule.measures import done_us, measure, measures
from linewright.schedule.orders import DatedOrder, orders_of
from linewright.schedule.problem import NEVER, Fixed, Problem, Solution
from linewright.schedule.slack import slack_table
from linewright.schedule.solving import (
    DEFAULT_OBJECTIVES,
    Level,
    Progress,
    Solved,
    require_ortools,
    require_sense,
    solve,
)
from linewright.schedule.table import former_of, table_of, write_table
from linewright.schedule.why import Cause, Relaxation, causes_of, relaxations_of
from linewright.units import UNITS_US
from linewright.version import __version__

__all__ = ["ENDINGS", "Schedule", "Task", "require_ending", "schedule_line"]

_DAY_US = UNITS_US["d"]
_MOST_ONE_BY_ONE = 3_000
_LONGEST_US = 40 * 366 * _DAY_US

ORDER_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "order": (pa.string(), "the order"),
    "product": (pa.string(), "what is asked for"),
    "quantity": (pa.int64(), "how many units"),
    "weight": (pa.int64(), "how much a delay of it counts"),
    "release": (pa.timestamp("us", "UTC"), "not begun before"),
    "due": (pa.timestamp("us", "UTC"), "asked for by this time; empty: at any time"),
    "start": (pa.timestamp("us", "UTC"), "when its first operation starts"),
    "end": (pa.timestamp("us", "UTC"), "when its last unit is done"),
    "late_s": (pa.float64(), "by how much it is late, seconds; 0: in time"),
    "on_time": (pa.float64(), "share of the simulations in which it was in time"),
    "on_time_low": (pa.float64(), "lower end of the 95 % interval of that chance"),
    "on_time_high": (pa.float64(), "upper end of it"),
}
"""Columns of the orders of a schedule: their types, and what they mean."""


ENDINGS = (".csv", ".parquet", ".xlsx", ".xml")
"""What a schedule can be written as."""


@dataclass(frozen=True, eq=False, slots=True)
class Schedule:
    """Which order where and when, and what is known of it.

    Attributes:
        compiled: The line, its orders and jobs, and the problem.
        solution: Where and when each operation is done.
        status: ``optimal``, proven for every objective; ``feasible``; ``dispatched``:
            as the kernel does it by its rules, and not a schedule by all of them.
        levels: The objectives with value and bound, in their order.
        method: How the schedule came about.
        first_rule: The dispatch rule of the schedule that it began from.
        first_levels: What that one had of the objectives.
        seconds: Time that it took.
        interrupted: Whether it was stopped before its time.
        left_out: What the model says that the schedule does not hold, in sentences.
        dropped: What is wrong with the orders that were left out.
        different: Operations that the kernel did otherwise, without chance.
        chances: Of being in time, where it was simulated.
        late: Why each late order is late.
        relaxations: What would make the orders less late, the most first.
        choice: How it was chosen among several, as data; see `improve.schedules`.
    """

    compiled: Compiled
    solution: Solution
    status: str
    levels: tuple[Level, ...]
    method: str
    first_rule: str
    first_levels: tuple[int, ...]
    seconds: float
    interrupted: bool
    left_out: tuple[str, ...]
    dropped: tuple[Finding, ...]
    different: tuple[int, ...]
    chances: Chances | None = None
    late: tuple[tuple[int, tuple[Cause, ...]], ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    choice: dict[str, Any] | None = None

    @property
    def line(self) -> Line:
        """The line as it was given."""
        return self.compiled.original

    def table(self) -> pa.Table:
        """Return the schedule: one row for each operation, as `SCHEDULE_COLUMNS`."""
        return table_of(self.compiled, self.solution)

    def orders(self) -> pa.Table:
        """Return the orders, as `ORDER_COLUMNS`."""
        return _orders_table(self)

    def causes(self) -> pa.Table:
        """Return why late orders are late, one row for each link of each chain."""
        return _causes(self)

    def slack(self) -> pa.Table:
        """Return which slack protects which order, as `SLACK_COLUMNS`.

        It is empty where the schedule was not simulated.
        """
        return slack_table(self)

    def tables(self) -> dict[str, pa.Table]:
        """Return all tables by name; slack only where it was simulated."""
        tables = {"schedule": self.table(), "orders": self.orders()}
        tables["causes"] = self.causes()
        if self.chances is not None:
            tables["slack"] = self.slack()
        return tables

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the schedule as one file, whole or not at all.

        Args:
            path: Its ending says what it becomes: ``.csv`` or ``.parquet``, the table
                of operations; ``.xlsx``, a workbook with all tables; ``.xml``, a B2MML
                operations schedule.

        Raises:
            ValueError: The file ends otherwise, or is too long for a workbook.
            LinewrightError: Workbooks cannot be written here; with what to install.
            ResultError: The file cannot be written.
        """
        from linewright.schedule.b2mml import write_b2mml  # noqa: PLC0415 - rare
        from linewright.schedule.excel import write_workbook  # noqa: PLC0415 - rare

        require_ending(path)
        ending = Path(path).suffix.lower()
        if ending == ".xml":
            write_whole(path, lambda draft: write_b2mml(draft, self))
        elif ending == ".xlsx":
            name, tables = self.line.name, self._as_wishes()
            write_whole(path, lambda draft: write_workbook(draft, name, tables))
        else:
            write_table(path, self.table())

    def _as_wishes(self) -> dict[str, pa.Table]:
        """Return all tables, that of the orders as it is read again as a wish."""
        tables = self.tables()
        orders = tables["orders"]
        names = ["id" if name == "order" else name for name in orders.column_names]
        priorities = [order.priority for order in self.compiled.orders]
        tables["orders"] = orders.rename_columns(names).add_column(
            3, "priority", pa.array(priorities, pa.int64())
        )
        return tables

    def save(self, folder: str | Path) -> Path:
        """Write the schedule, its orders and what it comes from as a folder.

        It has ``schedule.csv`` beside ``schedule.parquet``; an older one is replaced.

        Raises:
            ResultError: The folder holds something that is not a result.
        """
        tables = self.tables()
        written = write_folder(folder, self.manifest(), self.line, tables)
        write_table(written / "schedule.csv", tables["schedule"])
        return written

    def manifest(self) -> dict[str, Any]:
        """Return what the schedule comes from, and how good it is."""
        return {
            "kind": "schedule",
            "schedule_version": 1,
            "linewright_version": __version__,
            "model_name": self.line.name,
            "model_hash": model_hash(self.line),
            "status": self.status,
            "method": self.method,
            "objectives": [
                {
                    "objective": level.objective,
                    "value": level.value,
                    "bound": level.bound,
                    "gap": level.gap,
                    "first": first,
                }
                for level, first in zip(self.levels, self.first_levels, strict=True)
            ],
            "first_rule": self.first_rule,
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "operations": len(self.solution.begin_us) - len(self.compiled.unshown),
            "left_out": list(self.left_out),
            "dropped": [str(finding) for finding in self.dropped],
            "differences": len(self.different),
            "replications": 0 if self.chances is None else self.chances.n,
            "relaxations": [r.text for r in self.relaxations],
        } | ({} if self.choice is None else {"choice": self.choice})


def schedule_line(  # noqa: PLR0913
    line: Line,
    orders: Sequence[DatedOrder] | None = None,
    *,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    limit_s: float = 60.0,
    workers: int | None = None,
    seed: int | None = None,
    former: pa.Table | None = None,
    frozen_us: int = 0,
    replications: int = 0,
    why: bool = True,
    dropped: Sequence[Finding] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Schedule:
    """Schedule the orders of a line.

    Args:
        line: The line; it is checked first.
        orders: Its orders; those of the model by default.
        objectives: What counts, the most important first.
        limit_s: Seconds of search; the kernel's own schedule comes before.
        workers: Threads of CP-SAT; 8 at least.
        seed: Seed of the search and of the simulations; that of the study by default.
        former: A schedule before this one, as `read_table` returns it.
        frozen_us: What begins before this time in the former schedule stays.
        replications: Simulations that say how likely each order is in time.
        why: Whether to say why late orders are late, and what would help.
        dropped: What is wrong with orders that were left out before.
        on_progress: Called whenever something gets better.

    Raises:
        ModelError: The line or its orders have errors; with all findings.
        LinewrightError: OR-Tools is not installed, or there is no schedule.
        ValueError: An argument is out of its range.
    """
    task = Task(
        line,
        orders,
        objectives=objectives,
        limit_s=limit_s,
        workers=workers,
        seed=seed,
        former=former,
        frozen_us=frozen_us,
        dropped=dropped,
        on_progress=on_progress,
    )
    if replications < 0:
        msg = "the number of replications is not below zero"
        raise ValueError(msg)
    return task.explained(task.searched(), replications=replications, why=why)


class Task:
    """A line and its orders, ready to be scheduled: the first schedule is there.

    Args:
        line: The line; it is checked first.
        orders: Its orders; those of the model by default.
        objectives: What counts, the most important first.
        limit_s: Seconds of search.
        workers: Threads of CP-SAT; 8 at least.
        seed: Seed of the search and of the simulations; that of the study by default.
        former: A schedule before this one, as `read_table` returns it.
        frozen_us: What begins before this time in the former schedule stays.
        dropped: What is wrong with orders that were left out before.
        on_progress: Called whenever something gets better.

    Attributes:
        compiled: The line, its orders and jobs, and the problem.
        first: The schedule that the kernel makes by its rules.
        seed: Seed of the search and of the simulations.

    Raises:
        ModelError: The line or its orders have errors; with all findings.
        LinewrightError: OR-Tools is not installed.
        ValueError: An argument is out of its range.
    """

    def __init__(  # noqa: PLR0913
        self,
        line: Line,
        orders: Sequence[DatedOrder] | None = None,
        *,
        objectives: Sequence[str] = DEFAULT_OBJECTIVES,
        limit_s: float = 60.0,
        workers: int | None = None,
        seed: int | None = None,
        former: pa.Table | None = None,
        frozen_us: int = 0,
        dropped: Sequence[Finding] = (),
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        require_ortools()
        require_sense(objectives, limit_s)
        errors = [f for f in check(line) if f.severity == "error"]
        if errors:
            raise ModelError(errors)
        if frozen_us < 0:
            msg = "the frozen time is not below zero"
            raise ValueError(msg)
        if "stability" in objectives and former is None:
            msg = "stability is measured against a former schedule; give one"
            raise ValueError(msg)
        wanted = tuple(orders_of(line) if orders is None else orders)
        if not wanted:
            msg = f'"{line.name}" has no orders to schedule; add orders, or give a file'
            raise ValueError(msg)
        self._start = time.perf_counter()
        self._objectives, self._limit_s, self._workers = objectives, limit_s, workers
        self._dropped, self._on_progress = dropped, on_progress
        self.seed = line.study.seed if seed is None else seed
        self.first = _First(line, wanted, objectives, self._start, on_progress)
        self.compiled = self.first.compiled
        self._notes = list(self.compiled.left_out)
        self._former: Former = {}
        if former is not None:
            self._former, gone = former_of(self.compiled, former)
            self._notes += gone
            self.compiled = _frozen(self.compiled, self._former, frozen_us)
            self.first.again(self.compiled, self._former, frozen_us)

    def searched(
        self,
        *,
        limit_s: float | None = None,
        seed: int | None = None,
        sooner: float = 0.0,
        begin: Solution | None = None,
    ) -> Schedule:
        """Return the schedule that a search finds.

        Args:
            limit_s: Seconds; those of the task by default.
            seed: Seed of the search; that of the task by default.
            sooner: Share of the time from release to due date by which orders are
                taken to be due sooner in the search. What is told of the schedule
                goes by the true dates, and there is no bound then.
            begin: A schedule to begin from; the first one by default.

        Raises:
            LinewrightError: There is no schedule.
        """
        problem = self.compiled.problem
        seed = self.seed if seed is None else seed
        solved = solve(
            _sooner(problem, sooner) if sooner else problem,
            objectives=self._objectives,
            hint=self.first.valid if begin is None else begin,
            former=self._former,
            limit_s=self._limit_s if limit_s is None else limit_s,
            workers=self._workers,
            seed=seed % 2**31,
            on_progress=self._on_progress,
        )
        if sooner and solved.solution is not None:
            value = measures(problem, solved.solution, self._objectives, self._former)
            levels = tuple(
                Level(name, v, 0)
                for name, v in zip(self._objectives, value, strict=True)
            )
            solved = replace(solved, levels=levels, status="feasible")
        return self._finished(solved)

    def by_rule(self) -> Schedule | None:
        """Return the schedule by the best dispatching rule, if it keeps all rules."""
        solution = self.first.valid
        if solution is None:
            return None
        value = measures(
            self.compiled.problem, solution, self._objectives, self._former
        )
        levels = tuple(
            Level(name, v, 0) for name, v in zip(self._objectives, value, strict=True)
        )
        method = "the schedule that it began from"
        return self._finished(
            Solved("feasible", solution, levels, 0.0, interrupted=False, method=method)
        )

    def _finished(self, solved: Solved) -> Schedule:
        return _finish(
            self.compiled, self.first, solved, self._objectives, self._former,
            list(self._notes), self._dropped, start=self._start, limit_s=self._limit_s,
        )  # fmt: skip

    def explained(
        self,
        schedule: Schedule,
        *,
        replications: int = 0,
        why: bool = True,
        first_replication: int = 0,
    ) -> Schedule:
        """Return a schedule with its chances, and why orders are late.

        Args:
            schedule: A schedule of this task.
            replications: Simulations that say how likely each order is in time.
            why: Whether to say why late orders are late, and what would help.
            first_replication: Number of the first of the simulations: those with other
                numbers meet other chance.
        """
        compiled, solution = self.compiled, schedule.solution
        horizon = 2 * int(solution.end_us.max()) + 28 * _DAY_US
        if replications and not schedule.interrupted:
            chances = chances_of(
                compiled, solution, horizon, replications, self.seed,
                first=first_replication,
            )  # fmt: skip
            schedule = replace(schedule, chances=chances)
        if why and schedule.status != "dispatched":
            late = causes_of(compiled, solution)
            schedule = replace(schedule, late=late)
            if late and not schedule.interrupted:
                relaxed = relaxations_of(
                    compiled, solution, late,
                    seconds=min(max(self._limit_s / 4, 2.0), 20.0),
                )  # fmt: skip
                schedule = replace(schedule, relaxations=relaxed)
        return schedule


def first_schedule(
    line: Line,
    orders: Sequence[DatedOrder],
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Compiled, Solution | None, str]:
    """Return the schedule that the kernel makes by its rules, and by which of them."""
    start = time.perf_counter()
    first = _First(line, tuple(orders), objectives, start, on_progress)
    return first.compiled, first.valid, first.rule


def _sooner(problem: Problem, share: float) -> Problem:
    """Return a problem whose orders are due sooner by a share of their time."""
    demands = tuple(
        demand
        if demand.due_us >= NEVER
        else replace(
            demand,
            due_us=demand.due_us
            - round(max(demand.due_us - demand.release_us, 0) * share),
        )
        for demand in problem.demands
    )
    return replace(problem, demands=demands)


def _frozen(compiled: Compiled, former: Former, until_us: int) -> Compiled:
    """Return the problem with what begins before a time where it was."""
    operations = list(compiled.problem.operations)
    for o, (m, server, at_us) in former.items():
        if at_us < until_us:
            operations[o] = replace(operations[o], fixed=Fixed(m, server, at_us))
        elif until_us:
            pass
    for o, operation in enumerate(operations):
        if operation.fixed is None and operation.release_us < until_us:
            operations[o] = replace(operation, release_us=until_us)
    problem = replace(compiled.problem, operations=tuple(operations))
    return replace(compiled, problem=problem)


class _First:
    """The schedule that the kernel makes by its rules, the best of several.

    Attributes:
        compiled: The line, compiled as far as the schedule needs.
        run: What the kernel did by the best rule, if it came to an end by any.
        valid: A schedule that keeps all rules, if one was found.
        rule: The rule of the best.
    """

    def __init__(
        self,
        line: Line,
        orders: tuple[DatedOrder, ...],
        objectives: Sequence[str],
        start: float,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._line, self._orders, self._objectives = line, orders, objectives
        self._start, self._on_progress = start, on_progress
        self.run: Run | None = None
        self.valid: Solution | None = None
        self.rule = ""
        self._best: tuple[int, ...] | None = None
        self._dispatch()

    def _horizon(self) -> int:
        last = [o.release_us for o in self._orders]
        last += [o.due_us for o in self._orders if o.due_us is not None]
        return 28 * _DAY_US + 2 * max(last, default=0)

    def _dispatch(self) -> None:
        horizon = self._horizon()
        self.compiled = compile_line(self._line, self._orders, horizon)
        n = len(self.compiled.problem.operations)
        if n > MOST_OPERATIONS:
            msg = f"{n:,} operations; a schedule has {MOST_OPERATIONS:,} at most"
            raise ValueError(msg)
        _require_working_time(self.compiled)
        names = dispatch_rules(self.compiled.problem)
        rule = DISPATCH_RULES[names[0]]
        run = dispatched(self.compiled, rule, horizon)
        while not run.done and run.status == t.REACHED and horizon < _LONGEST_US:
            horizon = min(4 * horizon, _LONGEST_US)
            run = dispatched(self.compiled, rule, horizon)
        if run.done:
            horizon = 4 * int(run.solution.end_us.max()) + 28 * _DAY_US
        if not run.done or horizon > self._horizon():
            horizon = min(horizon, _LONGEST_US)
            self.compiled = self.compiled.until(horizon)
        self.horizon_us = horizon
        self._take(names[0], run)
        for name in names[1:]:
            # a rule takes as long as the first; there has to be an answer in a second
            if time.perf_counter() - self._start > 8.0:
                break
            self._take(name, dispatched(self.compiled, DISPATCH_RULES[name], horizon))
        if self.valid is None and n <= _MOST_ONE_BY_ONE:
            self._take_solution("one order after the other", self._one_by_one())

    def _one_by_one(self) -> Solution | None:
        solution = one_by_one(self.compiled.problem)
        if solution is None or breaks(self.compiled.problem, solution):
            return None
        return solution

    def _take(self, name: str, run: Run) -> None:
        """Keep what a rule made, if it is the best so far."""
        if not run.done:
            return
        problem = self.compiled.problem
        if self.run is None:
            self.run, self.rule = run, name
        solution: Solution | None = run.solution
        if breaks(problem, run.solution):
            solution = replaced(problem, unwaited(problem, run.solution))
        self._take_solution(name, solution)

    def _take_solution(self, name: str, solution: Solution | None) -> None:
        if solution is None:
            return
        value = measures(self.compiled.problem, solution, self._objectives)
        if self._best is None or value < self._best:
            self._best, self.valid, self.rule = value, solution, name
            if self._on_progress is not None:
                seconds = time.perf_counter() - self._start
                self._on_progress(
                    Progress(seconds, self._objectives[0], value[0], 0, name)
                )

    def again(self, compiled: Compiled, former: Former, frozen_us: int) -> None:
        """Begin from a former schedule instead, with what is new put behind it."""
        self.compiled = compiled
        base = self.valid
        self.valid, self._best = None, None
        if base is None:
            return
        columns = {
            name: getattr(base, name).copy() for name in Solution.__dataclass_fields__
        }
        problem = compiled.problem
        for o, (m, server, at_us) in former.items():
            columns["mode"][o], columns["server"][o] = m, server
            columns["begin_us"][o] = at_us
            columns["end_us"][o] = at_us + problem.operations[o].modes[m].work_us
        for o in range(len(problem.operations)):
            if o not in former:
                late = max(int(columns["begin_us"][o]), frozen_us)
                columns["begin_us"][o] = late
        found = replaced(problem, Solution(**columns))
        self._take_solution("the former schedule", found)


def require_ending(path: str | os.PathLike[str]) -> None:
    """Raise where a file's name does not say what a schedule is to become.

    Raises:
        ValueError: It ends in none of `ENDINGS`.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        msg = f'"{Path(path).name}" ends in none of {", ".join(ENDINGS)}'
        raise ValueError(msg)


def _require_working_time(compiled: Compiled) -> None:
    """Raise where an operation is at stations that never work.

    Raises:
        ModelError: They do not; with a finding for each station.
    """
    problem = compiled.problem
    never = {
        k
        for k, station in enumerate(problem.stations)
        if station.calendar >= 0
        and not len(problem.calendars[station.calendar].begin_us)
    }
    found: dict[int, set[str]] = {}
    for o, operation in enumerate(problem.operations):
        stations = {mode.station for mode in operation.modes}
        if stations <= never:
            order = compiled.orders[compiled.jobs[int(compiled.job_of[o])].order]
            for k in stations:
                found.setdefault(k, set()).add(order.id)
    findings = []
    for k, names in sorted(found.items()):
        name = problem.stations[k].name
        some = ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
        msg = f'"{name}" has no working time in the horizon, and is needed by {some}'
        path = ("stations", name, "calendar")
        hint = "look at its calendar, and at the dates of the orders"
        findings.append(Finding("LW514", msg, path=path, help=hint))
    if findings:
        raise ModelError(findings)


def _finish(  # noqa: PLR0913, PLR0917
    compiled: Compiled,
    first: _First,
    solved: Solved,
    objectives: Sequence[str],
    former: Former,
    notes: list[str],
    dropped: Sequence[Finding],
    *,
    start: float,
    limit_s: float,
) -> Schedule:
    """Try the schedule in the kernel, and put together what is known of it."""
    problem = compiled.problem
    solution, status, levels = solved.solution, solved.status, solved.levels
    method = solved.method
    if method.startswith("the schedule"):
        method = f"dispatching by {first.rule}"
    if solution is None:
        if first.run is None or status == "infeasible":
            raise _no_schedule(compiled, status, limit_s)
        solution, status = first.run.solution, "dispatched"
        method = f"dispatching by {first.rule}"
        notes.append(f"it is what the kernel does: {breaks(problem, solution)}")
        levels = tuple(
            Level(name, measure(problem, solution, name, former), 0)
            for name in objectives
        )
    horizon = 2 * int(solution.end_us.max()) + 28 * _DAY_US
    different: list[int] = []
    if status != "dispatched":
        before = solution
        solution, different = settled(compiled, solution, horizon, objectives)
        if solution is not before:
            levels = tuple(
                Level(level.objective, value, min(level.bound, value))
                for level, value in zip(
                    levels, measures(problem, solution, objectives, former), strict=True
                )
            )
    base = first.valid if first.valid is not None else solution
    return Schedule(
        compiled,
        solution,
        status,
        levels,
        method,
        first.rule,
        measures(problem, base, objectives, former),
        time.perf_counter() - start,
        solved.interrupted,
        tuple(notes),
        tuple(dropped),
        tuple(different),
    )


def _no_schedule(compiled: Compiled, status: str, limit_s: float) -> Exception:
    """Return the error that says why there is no schedule."""
    from linewright.errors import LinewrightError  # noqa: PLC0415 - beside its use
    from linewright.schedule.conflict import clashing_rules  # noqa: PLC0415 - rare

    if status == "infeasible":
        rules = clashing_rules(compiled.problem, seconds=min(limit_s, 20.0))
        listed = "\n".join(f"  - {rule}" for rule in rules)
        msg = "there is no schedule"
        if rules:
            msg += f": these rules clash, and any of them could go:\n{listed}"
        return LinewrightError(msg)
    msg = (
        "no schedule was found in the time: the line comes to stand still by every "
        "dispatch rule; give it longer (--limit), or more places"
    )
    return LinewrightError(msg)


# ---------------------------------------------------------------- tables


def _orders_table(schedule: Schedule) -> pa.Table:
    compiled, solution = schedule.compiled, schedule.solution
    problem = compiled.problem
    done = done_us(problem, solution)
    from linewright.schedule.table import _Zone  # noqa: PLC0415 - its own package

    zone = _Zone(compiled.original)
    rows: dict[str, list[Any]] = {name: [] for name in ORDER_COLUMNS}
    for i, (order, demand) in enumerate(
        zip(compiled.orders, problem.demands, strict=True)
    ):
        begin = int(solution.begin_us[np.array(demand.first)].min())
        late = 0 if order.due_us is None else max(0, done[i] - order.due_us)
        chance = None
        if schedule.chances is not None and order.due_us is not None:
            chance = schedule.chances.on_time[i]
        values = {
            "order": order.id,
            "product": order.product,
            "quantity": order.quantity,
            "weight": order.weight,
            "release": zone.utc(order.release_us),
            "due": None if order.due_us is None else zone.utc(order.due_us),
            "start": zone.utc(begin),
            "end": zone.utc(done[i]),
            "late_s": late / 1e6,
            "on_time": None if chance is None else chance.mean,
            "on_time_low": None if chance is None else chance.low,
            "on_time_high": None if chance is None else chance.high,
        }
        for name, value in values.items():
            rows[name].append(value)
    local = pa.timestamp("us", compiled.original.time_zone)
    fields = [
        pa.field(
            name,
            local if pa.types.is_timestamp(kind) else kind,
            metadata={"description": text},
        )
        for name, (kind, text) in ORDER_COLUMNS.items()
    ]
    arrays = [pa.array(rows[field.name], field.type) for field in fields]
    return pa.table(arrays, schema=pa.schema(fields))


def _causes(schedule: Schedule) -> pa.Table:
    """Return why late orders are late, one row for each link of each chain."""
    from linewright.schedule.table import _Zone  # noqa: PLC0415 - its own package

    zone = _Zone(schedule.line)
    orders = schedule.compiled.orders
    rows = [
        (
            orders[row].id, i, cause.kind, zone.utc(cause.begin_us),
            zone.utc(cause.end_us), cause.text,
        )
        for row, causes in schedule.late
        for i, cause in enumerate(causes)
    ]  # fmt: skip
    local = pa.timestamp("us", schedule.line.time_zone)
    fields = [
        ("order", pa.string(), "the late order"),
        ("place", pa.int64(), "place in the chain, from 0, the latest first"),
        ("kind", pa.string(), "works, waits for, occupied by, off shift or release"),
        ("from", local, "since when"),
        ("to", local, "until when"),
        ("text", pa.string(), "in words"),
    ]
    schema = pa.schema(
        [pa.field(n, kind, metadata={"description": text}) for n, kind, text in fields]
    )
    arrays = [
        pa.array([row[i] for row in rows], field.type) for i, field in enumerate(schema)
    ]
    return pa.table(arrays, schema=schema)


def read_former(path: str | os.PathLike[str], line: Line) -> pa.Table:
    """Return a former schedule, of a file or of a folder that `Schedule.save` wrote."""
    from linewright.schedule.table import read_table  # noqa: PLC0415 - beside its use

    target = Path(path)
    if target.is_dir():
        target = target / "schedule.parquet"
    return read_table(target, line)
