"""A schedule of the scheduler, made ready to be shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from linewright.cli._schedule_view import OBJECTIVE_WORDS, amount
from linewright.model.load import model_hash
from linewright.model.moments import date_text
from linewright.report.gantt.scene import Asked, Bar, Lane, Pool
from linewright.report.gantt.scene import Schedule as Shown
from linewright.report.routes import station_order
from linewright.schedule import Schedule
from linewright.schedule.listing import phase_of
from linewright.schedule.measures import done_us
from linewright.schedule.problem import Calendar
from linewright.version import __version__

__all__ = ["off_spans", "shown_schedule"]

_MOST_CAUSES = 12


def shown_schedule(schedule: Schedule) -> Shown:
    """Return a schedule as the page of `gantt` shows it."""
    compiled, line = schedule.compiled, schedule.line
    problem = compiled.problem
    rows = {station.name: k for k, station in enumerate(problem.stations)}
    until_us = int(schedule.solution.leave_us.max(initial=0))
    lanes = []
    for name in station_order(line):
        if name in rows:
            station = problem.stations[rows[name]]
            calendar = problem.calendar_of(rows[name])
            off = () if calendar is None else tuple(off_spans(calendar, until_us))
            lanes.append(Lane(name, station.n_servers, off))
    method = f"{schedule.status}, {schedule.method}"
    stamp = f"From model {model_hash(line)[:12]}, {method}, linewright {__version__}"
    return Shown(
        title=line.name,
        start=line.start,
        time_zone=line.time_zone,
        lanes=lanes,
        bars=list(_bars(schedule)),
        orders=list(_orders(schedule)),
        pools=list(_pools(schedule)),
        summary=list(_summary(schedule)),
        notes=[
            *schedule.left_out,
            *(f"left out: {f}" for f in schedule.dropped),
        ],
        stamp=stamp,
        choice="" if schedule.choice is None else schedule.choice["words"],
    )


def off_spans(calendar: Calendar, until_us: int) -> Iterator[tuple[int, int]]:
    """Yield the spans between those in which something is on."""
    last = 0
    for begin, end in zip(
        calendar.begin_us.tolist(), calendar.end_us.tolist(), strict=True
    ):
        if begin > last:
            yield last, min(begin, until_us)
        last = max(last, end)
        if last >= until_us:
            return
    yield last, until_us


def _bars(schedule: Schedule) -> Iterator[Bar]:
    compiled, solution = schedule.compiled, schedule.solution
    problem = compiled.problem
    for o, operation in enumerate(problem.operations):
        mode = operation.modes[int(solution.mode[o])]
        if mode.station < 0 or o in compiled.unshown:
            continue
        job = compiled.jobs[int(compiled.job_of[o])]
        begin, end = int(solution.begin_us[o]), int(solution.end_us[o])
        work = begin
        if setup := int(solution.setup_us[o]):
            work = problem.end_of(mode, begin, setup)
        yield Bar(
            compiled.orders[job.order].id,
            operation.part,
            operation.name,
            problem.stations[mode.station].name,
            int(solution.server[o]),
            compiled.begun_us.get(o, begin),
            work - begin,
            end,
            max(int(solution.leave_us[o]), end),
        )


def _orders(schedule: Schedule) -> Iterator[Asked]:
    compiled = schedule.compiled
    done = done_us(compiled.problem, schedule.solution)
    late = dict(schedule.late)
    rows = schedule.orders().to_pylist()
    by_name = {row["order"]: row for row in rows}
    for row, order in enumerate(compiled.orders):
        found = by_name[order.id]
        chance = None
        if schedule.chances is not None and found["on_time"] is not None:
            chance = (found["on_time"], found["on_time_low"], found["on_time_high"])
        causes = late.get(row, ())
        why = [
            f"{date_text(schedule.line, one.begin_us)}: {one.kind} {one.text}"
            for one in causes[:_MOST_CAUSES]
        ]
        if len(causes) > _MOST_CAUSES:
            why.append(f"and {len(causes) - _MOST_CAUSES} more before")
        yield Asked(
            order.id,
            order.product,
            order.quantity,
            order.release_us,
            order.due_us,
            int(done[row]),
            chance,
            why,
        )


def _pools(schedule: Schedule) -> Iterator[Pool]:
    """Yield people and tools with how many of them are busy.

    Where one of several would serve, the schedule does not say which, and they are left
    out of it.
    """
    compiled, solution = schedule.compiled, schedule.solution
    problem = compiled.problem
    changes: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    is_known = dict.fromkeys(range(len(problem.resources)), True)
    for o, operation in enumerate(problem.operations):
        mode = operation.modes[int(solution.mode[o])]
        begin, end = int(solution.begin_us[o]), int(solution.end_us[o])
        for need in mode.needs:
            if len(need.resources) > 1:
                is_known |= dict.fromkeys(need.resources, False)
                continue
            setup = int(solution.setup_us[o])
            first, last = phase_of(problem, mode, need, begin, setup, end)
            changes[need.resources[0]][first] += need.quantity
            changes[need.resources[0]][last] -= need.quantity
    held = {hold.resource for hold in problem.holds}
    for row, resource in enumerate(problem.resources):
        if not is_known[row] or row in held or row not in changes:
            continue
        busy, n = [], 0
        for at_us in sorted(changes[row]):
            n += changes[row][at_us]
            busy.append((at_us, n))
        yield Pool(resource.name, resource.capacity, busy)


def _summary(schedule: Schedule) -> Iterator[tuple[str, str]]:
    yield "orders", f"{len(schedule.compiled.orders):,}"
    yield "operations", f"{len(schedule.solution.begin_us):,}"
    for level in schedule.levels[:3]:
        value = amount(level.objective, level.value)
        gap = "proven" if level.proven else f"gap {level.gap:.1%}"
        yield OBJECTIVE_WORDS[level.objective], f"{value}, {gap}"
