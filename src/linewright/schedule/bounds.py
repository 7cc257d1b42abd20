"""Bounds that need no search: no schedule has less.

Two relaxations. Each operation alone: it is done no earlier than its release and all
the work before it allow, by the calendars. Each station alone: its servers do all the
work that only they can do, from the earliest begin of any of it on, and what is behind
the last takes its least time.
"""

from __future__ import annotations

from collections.abc import Iterable

from linewright.schedule.listing import tails_of
from linewright.schedule.problem import NEVER, Problem

__all__ = ["simple_bounds"]


def simple_bounds(problem: Problem, objectives: Iterable[str]) -> dict[str, int]:
    """Return numbers below which no schedule has of some objectives.

    Args:
        problem: The problem.
        objectives: Their names, as in `measures.measure`.
    """
    begins, ends = earliest(problem)
    done = [
        max((ends[o] + problem.operations[o].rest_us for o in d.last), default=0)
        for d in problem.demands
    ]
    return {name: _bound(problem, name, begins, done) for name in objectives}


def _bound(problem: Problem, objective: str, begins: list[int], done: list[int]) -> int:
    pairs = list(zip(problem.demands, done, strict=True))
    if objective == "makespan":
        return max([0, *done, *_by_station(problem, begins)])
    if objective == "flow_time":
        return sum(at - demand.release_us for demand, at in pairs)
    late = [(d, at - d.due_us) for d, at in pairs if at > d.due_us and d.due_us < NEVER]
    if objective == "late_orders":
        return len(late)
    if objective == "tardiness":
        return sum(demand.weight * by for demand, by in late)
    return 0


def earliest(problem: Problem) -> tuple[list[int], list[int]]:
    """Return the earliest begin and end of each operation if it had all to itself."""
    n = len(problem.operations)
    begins, ends = [0] * n, [0] * n
    before = problem.predecessors()
    for o in problem.in_order():
        operation = problem.operations[o]
        at = operation.release_us
        for row in before[o]:
            link = problem.links[row]
            rest = problem.operations[link.before].rest_us if link.moves else 0
            at = max(at, ends[link.before] + rest + link.min_us)
        found = []
        for mode in operation.modes:
            begin = problem.may_begin(mode, at)
            if begin < NEVER:
                found.append((begin, problem.end_of(mode, begin, mode.work_us)))
        if not found:
            continue  # it fits nowhere, and the search says so
        begins[o] = min(begin for begin, _ in found)
        ends[o] = min(end for _, end in found)
    return begins, ends


def _by_station(problem: Problem, begins: list[int]) -> list[int]:
    """Return when each station is done with all that only it can do."""
    tails = tails_of(problem)
    stops = {
        mode.station: True
        for operation in problem.operations
        for mode in operation.modes
    }
    for operation in problem.operations:
        for mode in operation.modes:
            stops[mode.station] &= mode.shift_end == "interrupt"
    work: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for o, operation in enumerate(problem.operations):
        stations = {mode.station for mode in operation.modes}
        if len(stations) != 1 or operation.batching is not None:
            continue
        k = stations.pop()
        if k < 0:
            continue
        least = min(mode.work_us for mode in operation.modes)
        work[k] = work.get(k, 0) + least
        first[k] = min(first.get(k, NEVER), begins[o])
        last[k] = min(last.get(k, NEVER), int(tails[o]))
    out = []
    for k, total in work.items():
        station = problem.stations[k]
        each = -(-total // station.n_servers)
        calendar = problem.calendar_of(k)
        end = first[k] + each
        if calendar is not None and stops[k]:
            begin = calendar.next_on(first[k])
            end = begin if begin >= NEVER else calendar.after_work(begin, each)
        if end < NEVER:
            out.append(end + last[k])
    return out
