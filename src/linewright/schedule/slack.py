"""Which slack protects what: the gaps of a schedule, and how much delay they take up.

An operation's gap is the time between when all that it needs of the schedule is there
(its parts, and its server) and when it is planned to begin; off shift counts, since
what is late then is in time in the morning. An order has slack itself, between its end
and its due date.

In a simulation an operation's parts and server come late by some time. What it begins
less late than that, its gap has taken up. The gaps that protect an order are those on
its chain: from its end backward, to what came last each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from linewright.schedule.measures import done_us
from linewright.schedule.problem import NEVER, Ints, Problem, Solution

if TYPE_CHECKING:
    from linewright.schedule.scheduling import Schedule

__all__ = ["SLACK_COLUMNS", "Gaps", "Slack", "gaps_of", "slack_of", "slack_table"]

SLACK_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "order": (pa.string(), "the order that it protects"),
    "place": (pa.int64(), "0: behind the order's end; then from the end backward"),
    "part": (pa.string(), "the part that waits; empty behind the order's end"),
    "operation": (pa.string(), "before the begin of which operation it lies"),
    "station": (pa.string(), "where that is done"),
    "slack_s": (pa.float64(), "how long it is, seconds; below zero: planned late"),
    "taken_up_s": (pa.float64(), "delay that it took up, mean of the simulations"),
    "used": (pa.float64(), "share of the simulations in which it took up any"),
    "needed_s": (
        pa.float64(),
        "behind the end: slack with which the order would have been in time in 95 % of "
        "the simulations; empty: with none",
    ),
}
"""Columns of the slack of a schedule: their types, and what they mean."""

_MOST_LINKS = 1_000


@dataclass(frozen=True, eq=False, slots=True)
class Gaps:
    """The gaps of a schedule, by operation.

    Attributes:
        us: How long each is.
        last: The operation that came last of those that it waits for, or -1.
        taken_up_us: Delay that it took up, mean of the simulations.
        used: Share of the simulations in which it took up any.
        n: How many simulations.
    """

    us: Ints
    last: Ints
    taken_up_us: NDArray[np.float64]
    used: NDArray[np.float64]
    n: int


@dataclass(frozen=True, slots=True)
class Slack:
    """One gap that protects an order, or the slack at its end.

    Attributes:
        demand: Row of the order.
        operation: The operation before whose begin it lies; -1: behind the order's end.
        us: How long it is; below zero where the order is late as it is planned.
        taken_up_us: Delay that it took up, mean of the simulations.
        used: Share of the simulations in which it took up any.
        needed_us: Behind the end: the slack with which the order would have been in
            time in 95 % of the simulations; `NEVER`, if it was not finished in more
            than 5 % of them; else -1.
    """

    demand: int
    operation: int
    us: int
    taken_up_us: float
    used: float
    needed_us: int = -1


def _waits(problem: Problem, solution: Solution) -> tuple[Ints, Ints, Ints]:
    """Return who waits for whom, and how long after the other's end at least."""
    after = [link.after for link in problem.links]
    before = [link.before for link in problem.links]
    least = [_least_us(problem, solution, row) for row in range(len(after))]
    station = np.array(
        [
            operation.modes[m].station
            for operation, m in zip(
                problem.operations, solution.mode.tolist(), strict=True
            )
        ],
        np.int64,
    )
    order = np.lexsort((solution.end_us, solution.begin_us, solution.server, station))
    one, two = order[:-1], order[1:]
    same = (station[one] == station[two]) & (
        solution.server[one] == solution.server[two]
    )
    same &= station[one] >= 0
    same &= ~((solution.batch[one] >= 0) & (solution.batch[one] == solution.batch[two]))
    after += two[same].tolist()
    before += one[same].tolist()
    least += [0] * int(same.sum())
    lists = after, before, least
    return tuple(np.array(rows, np.int64) for rows in lists)  # type: ignore[return-value]


def _least_us(problem: Problem, solution: Solution, row: int) -> int:
    link = problem.links[row]
    least = link.min_us
    if link.moves:
        least += problem.operations[link.before].rest_us
    if link.ways_us:
        pair = tuple(
            problem.operations[o].modes[int(solution.mode[o])].station
            for o in (link.before, link.after)
        )
        least += max((us for a, b, us in link.ways_us if (a, b) == pair), default=0)
    return least


def gaps_of(
    problem: Problem, solution: Solution, runs: Iterable[tuple[Ints, Ints]]
) -> Gaps:
    """Return the gaps of a schedule, and what simulations made of them.

    Args:
        problem: The problem.
        solution: The schedule.
        runs: Begin and leaving of each operation in each simulation; -1 where it was
            not done.
    """
    n = len(problem.operations)
    after, before, least = _waits(problem, solution)
    ready = np.array([o.release_us for o in problem.operations], np.int64)
    last = np.full(n, -1, np.int64)
    planned = solution.leave_us[before] + least
    for i in np.argsort(planned, kind="stable").tolist():
        if planned[i] >= ready[after[i]]:
            ready[after[i]], last[after[i]] = planned[i], before[i]
    # nothing that comes late can come before what waits for its release alone
    gap = np.where(last < 0, 0, np.maximum(solution.begin_us - ready, 0))
    taken = np.zeros(n)
    used = np.zeros(n)
    n_runs = 0
    for begin, leave in runs:
        there = np.zeros(n, np.int64)
        known = leave[before] >= 0
        np.maximum.at(there, after[known], (leave[before] + least)[known])
        late = np.maximum(there - ready, 0)
        own = np.maximum(begin - solution.begin_us, 0)
        found = np.where(begin >= 0, np.clip(late - own, 0, gap), 0)
        taken += found
        used += found > 0
        n_runs += 1
    return Gaps(gap, last, taken / max(n_runs, 1), used / max(n_runs, 1), n_runs)


def slack_of(
    problem: Problem, solution: Solution, gaps: Gaps, finished_us: Ints
) -> list[Slack]:
    """Return what protects each dated order: the slack at its end, and its gaps.

    Args:
        problem: The problem.
        solution: The schedule.
        gaps: Its gaps.
        finished_us: When each order was done (simulation, order), or `NEVER`.

    Returns:
        Order by order, that at its end first, then the gaps from the end backward.
    """
    done = done_us(problem, solution)
    found = []
    for row, demand in enumerate(problem.demands):
        if demand.due_us >= NEVER:
            continue
        slack = demand.due_us - done[row]
        finished = finished_us[:, row]
        delay = np.maximum(finished - done[row], 0)
        taken = np.minimum(delay, max(slack, 0))
        # the least number that 95 % of the simulations do not pass
        needed = int(np.sort(delay)[max(-(-len(delay) * 19 // 20) - 1, 0)])
        if needed >= NEVER // 2:
            needed = NEVER
        used = float((taken > 0).mean())
        found.append(Slack(row, -1, slack, float(taken.mean()), used, needed))
        found += _on_chain(problem, solution, gaps, row)
    return found


def _on_chain(
    problem: Problem, solution: Solution, gaps: Gaps, row: int
) -> Iterable[Slack]:
    last = problem.demands[row].last
    o = max(last, key=lambda i: int(solution.end_us[i]) + problem.operations[i].rest_us)
    for _ in range(_MOST_LINKS):
        if gaps.us[o] > 0:
            yield Slack(
                row, o, int(gaps.us[o]), float(gaps.taken_up_us[o]), float(gaps.used[o])
            )
        if gaps.last[o] < 0:
            return
        o = int(gaps.last[o])


def slack_table(schedule: Schedule) -> pa.Table:
    """Return which slack protects which order, as `SLACK_COLUMNS`."""
    compiled, solution = schedule.compiled, schedule.solution
    problem = compiled.problem
    columns: dict[str, list[Any]] = {name: [] for name in SLACK_COLUMNS}
    place, former = 0, -1
    chances = schedule.chances
    rows = (
        ()
        if chances is None
        else slack_of(problem, solution, chances.gaps, chances.finished_us)
    )
    for one in rows:
        place = place + 1 if one.demand == former else 0
        former = one.demand
        operation = problem.operations[one.operation] if one.operation >= 0 else None
        station = ""
        if operation is not None:
            k = operation.modes[int(solution.mode[one.operation])].station
            station = problem.stations[k].name if k >= 0 else ""
        values = {
            "order": compiled.orders[one.demand].id,
            "place": place,
            "part": "" if operation is None else operation.part,
            "operation": "" if operation is None else operation.name,
            "station": station,
            "slack_s": one.us / 1e6,
            "taken_up_s": one.taken_up_us / 1e6,
            "used": one.used,
            "needed_s": one.needed_us / 1e6 if 0 <= one.needed_us < NEVER else None,
        }
        for name, value in values.items():
            columns[name].append(value)
    fields = [
        pa.field(name, kind, metadata={"description": text})
        for name, (kind, text) in SLACK_COLUMNS.items()
    ]
    arrays = [pa.array(columns[field.name], field.type) for field in fields]
    return pa.table(arrays, schema=pa.schema(fields))
