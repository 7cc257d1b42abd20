"""What is left of a line's orders, scheduled anew from how the line is now.

As `scheduling`, for a line that runs: what is begun stays where it is, nothing else
begins before now, and the schedule that is followed until now is the one before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from linewright.errors import LinewrightError
from linewright.model.line import Line
from linewright.schedule._model import Former
from linewright.schedule.compiling import Compiled
from linewright.schedule.conflict import clashing_rules
from linewright.schedule.continuing import Key, Now, Times, problem_from
from linewright.schedule.following import Plan
from linewright.schedule.keeping import breaks
from linewright.schedule.listing import PRIORITIES, can_be_placed, listed, replaced
from linewright.schedule.measures import measures
from linewright.schedule.orders import DatedOrder
from linewright.schedule.problem import Fixed, Ints, Problem, Solution
from linewright.schedule.scheduling import Schedule
from linewright.schedule.solving import (
    DEFAULT_OBJECTIVES,
    Level,
    Progress,
    require_ortools,
    require_sense,
    solve,
)
from linewright.schedule.why import causes_of
from linewright.units import UNITS_US

__all__ = ["reschedule_line"]

_DAY_US = UNITS_US["d"]


def reschedule_line(  # noqa: PLR0913
    line: Line,
    now: Now,
    former: Plan,
    more: Sequence[DatedOrder] = (),
    *,
    going_on: Mapping[Key, Times] | None = None,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    limit_s: float = 60.0,
    workers: int | None = None,
    seed: int | None = None,
    frozen_us: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Schedule:
    """Schedule what is left of the orders of a line that runs.

    Args:
        line: The line.
        now: How it is.
        former: The schedule before this one.
        more: Orders that are in no schedule yet.
        going_on: What the line does as it goes on by the schedule before; where that is
            a schedule, the search begins from it.
        objectives: What counts, the most important first.
        limit_s: Seconds of search.
        workers: Threads of CP-SAT; 8 at least.
        seed: Seed of the search; that of the study by default.
        frozen_us: For so long from now what the former schedule begins stays, as far
            as it can still begin then; and nothing else begins.
        on_progress: Called whenever something gets better.

    Raises:
        LinewrightError: OR-Tools is not installed, nothing is left to schedule, or
            there is no schedule.
        ValueError: An argument is out of its range.
    """
    require_ortools()
    require_sense(objectives, limit_s)
    if frozen_us < 0:
        msg = "the frozen time is not below zero"
        raise ValueError(msg)
    start = time.perf_counter()
    seed = line.study.seed if seed is None else seed
    ends = [one.end_us for one in former.operations]
    dues = [one.due_us for one in more if one.due_us is not None]
    last_us = max([now.now_us, *ends, *dues])
    horizon_us = 56 * _DAY_US + 3 * last_us
    compiled, rows = problem_from(line, now, more, horizon_us, going_on or {})
    if not compiled.orders:
        msg = "all orders are done, and nothing is left to schedule"
        raise LinewrightError(msg)
    at = _former_at(compiled, rows, former)
    hint = _gone_on(compiled, rows, going_on or {})
    if hint is None:
        hint = _first(compiled, at, now.now_us)
    notes = list(compiled.left_out)
    if frozen_us:
        compiled, n_late = _frozen(compiled, at, hint, now.now_us, frozen_us)
        if n_late:
            notes.append(
                f"{n_late} operations of the frozen time cannot begin as planned, and "
                "are scheduled anew"
            )
        if hint is None or breaks(compiled.problem, hint):
            hint = _first(compiled, at, now.now_us)
    solved = solve(
        compiled.problem,
        objectives=objectives,
        hint=hint,
        former=at,
        limit_s=limit_s,
        workers=workers,
        seed=seed % 2**31,
        on_progress=on_progress,
    )
    solution, status, method = solved.solution, solved.status, solved.method
    if solution is None and status != "infeasible":
        solution = _gone_on(compiled, rows, going_on or {}, is_any=True)
        status, method = "dispatched", "going on by the former schedule"
        notes.append(
            "nothing was found in the time (--limit): the line goes on by the former "
            "schedule, which breaks rules, such as longest waits"
        )
    if solution is None:
        raise _none(compiled, solved.status, limit_s)
    levels = solved.levels or tuple(
        Level(name, value, 0)
        for name, value in zip(
            objectives,
            measures(compiled.problem, solution, objectives, at),
            strict=True,
        )
    )
    first = solution if hint is None else hint
    schedule = Schedule(
        compiled,
        solution,
        status,
        levels,
        method,
        "the former schedule",
        measures(compiled.problem, first, objectives, at),
        time.perf_counter() - start,
        solved.interrupted,
        tuple(notes),
        (),
        (),
    )
    if status == "dispatched":
        return schedule
    return replace(schedule, late=causes_of(compiled, solution))


def _former_at(
    compiled: Compiled, rows: dict[tuple[str, str, str], int], former: Plan
) -> Former:
    """Return where the former schedule has what is still to begin."""
    problem = compiled.problem
    found: Former = {}
    for one in former.operations:
        job = former.jobs[one.job]
        o = rows.get((job.order or job.part, job.part, one.operation))
        if o is None or problem.operations[o].fixed is not None:
            continue
        for m, mode in enumerate(problem.operations[o].modes):
            if problem.stations[mode.station].name == one.station:
                found[o] = (m, one.server - 1, one.begin_us)
    return found


def _gone_on(
    compiled: Compiled,
    rows: Mapping[Key, int],
    going_on: Mapping[Key, Times],
    *,
    is_any: bool = False,
) -> Solution | None:
    """Return what the line does as it goes on, if that is a schedule of all of it.

    With `is_any` also where it is none by all rules, such as with random times.
    """
    problem = compiled.problem
    n = len(problem.operations)
    modes, servers, begins, ends = np.full((4, n), -1, np.int64)
    for o, operation in enumerate(problem.operations):
        if operation.fixed is not None:
            fixed, mode = operation.fixed, operation.modes[operation.fixed.mode]
            modes[o], servers[o], begins[o] = fixed.mode, fixed.server, fixed.begin_us
            ends[o] = problem.end_of(mode, fixed.begin_us, mode.work_us)
    for key, (station, server, begin_us, end_us) in going_on.items():
        o = rows.get(key, -1)
        if o < 0 or problem.operations[o].fixed is not None:
            continue
        for m, mode in enumerate(problem.operations[o].modes):
            if problem.stations[mode.station].name == station:
                modes[o], servers[o], begins[o], ends[o] = m, server, begin_us, end_us
    if (ends < 0).any():
        return None
    setups, batch = _setups_and_batches(problem, modes, servers, begins)
    found = Solution(modes, servers, begins, setups, ends, ends.copy(), batch)
    return None if not is_any and breaks(problem, found) else found


def _setups_and_batches(
    problem: Problem, modes: Ints, servers: Ints, begins: Ints
) -> tuple[Ints, Ints]:
    """Return the setups that the order of the begins calls for, and who is together."""
    n = len(problem.operations)
    setups, batch = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    last: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    n_batches = 0
    for o in np.lexsort((np.arange(n), begins)).tolist():
        operation = problem.operations[o]
        mode = operation.modes[int(modes[o])]
        server = mode.station, int(servers[o])
        if mode.station < 0:
            continue
        at_us, family, before, number = last.get(server, (-1, -1, -1, -1))
        if operation.batching is not None and at_us == begins[o]:
            setups[o], batch[o] = setups[before], number
            continue
        setups[o] = problem.setup_us(mode.station, family, mode.family)
        if operation.batching is not None:
            batch[o] = number = n_batches
            n_batches += 1
        family = mode.family if mode.family >= 0 else family
        last[server] = int(begins[o]), family, o, number
    return setups, batch


def _first(compiled: Compiled, former: Former, now_us: int) -> Solution | None:
    """Return the former schedule as it goes on from now, or another one."""
    problem = compiled.problem
    if not can_be_placed(problem):
        return None
    n = len(problem.operations)
    last_us = max([now_us, *(at for _, _, at in former.values())])
    modes, servers, begins, ends = np.zeros((4, n), np.int64)
    setups, batch = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    for o, operation in enumerate(problem.operations):
        m, server, at_us = former.get(o, (0, 0, last_us + o))
        if operation.fixed is not None:
            fixed = operation.fixed
            m, server, at_us = fixed.mode, fixed.server, fixed.begin_us
        modes[o], servers[o] = m, server
        begins[o] = max(at_us, operation.release_us)
        ends[o] = begins[o] + operation.modes[m].work_us
        if operation.batching is not None:
            batch[o] = o
    like = Solution(modes, servers, begins, setups, ends, ends.copy(), batch)
    found = replaced(problem, like)
    for priority in PRIORITIES.values():
        if found is not None:
            break
        found = listed(problem, priority(problem))
    return found


def _frozen(
    compiled: Compiled,
    former: Former,
    first: Solution | None,
    now_us: int,
    frozen_us: int,
) -> tuple[Compiled, int]:
    """Fix what the former schedule begins soon, where that can still be.

    Returns:
        The problem, and how many cannot begin as planned.
    """
    until_us = now_us + frozen_us
    operations = list(compiled.problem.operations)
    n_late = 0
    kept = set()
    for o, (m, server, at_us) in sorted(former.items(), key=lambda one: one[1][2]):
        if at_us >= until_us:
            continue
        can = at_us >= now_us and (first is None or int(first.begin_us[o]) <= at_us)
        if can:
            operations[o] = replace(operations[o], fixed=Fixed(m, server, at_us))
        else:
            n_late += 1
        kept.add(o)
    for o, operation in enumerate(operations):
        if operation.fixed is None and o not in kept:
            release_us = max(operation.release_us, until_us)
            operations[o] = replace(operation, release_us=release_us)
    problem = replace(compiled.problem, operations=tuple(operations))
    return replace(compiled, problem=problem), n_late


def _none(compiled: Compiled, status: str, limit_s: float) -> LinewrightError:
    if status != "infeasible":
        msg = "no schedule was found in the time; give it longer (--limit)"
        return LinewrightError(msg)
    rules = clashing_rules(compiled.problem, seconds=min(limit_s, 20.0))
    listed_ = "".join(f"\n  - {rule}" for rule in rules)
    msg = "from how the line is now there is no schedule"
    if rules:
        msg += f": these rules clash, and any of them could go:{listed_}"
    return LinewrightError(msg)
