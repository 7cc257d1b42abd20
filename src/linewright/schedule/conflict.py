"""Why there is no schedule: a smallest set of rules that clash."""

from __future__ import annotations

import time

from linewright.schedule._model import CpModel
from linewright.schedule.problem import Problem

__all__ = ["clashing_rules"]


def clashing_rules(
    problem: Problem, *, seconds: float = 20.0, on_time: bool = False
) -> list[str]:
    """Return rules that cannot hold together, none of which can be left out.

    They are longest waits, operations that may not be moved and, with `on_time`, due
    dates; what a person cannot let go (servers, calendars, routes) is not among them.

    Args:
        problem: A problem without a schedule.
        seconds: Time for the search; when it is over, some rules may be too many.
        on_time: Whether every order has to be done when it is due.

    Returns:
        The rules; empty, if there is a schedule, or none even without them.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - optional

    until_us = _far(problem)
    start = time.perf_counter()

    def refuted(kept: list[str]) -> bool:
        model = CpModel(problem, until_us, on_time=on_time)
        model.model.add_bool_and([model.rules[name] for name in kept])
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 8
        left = seconds - (time.perf_counter() - start)
        solver.parameters.max_time_in_seconds = max(left, 0.1)
        return bool(solver.solve(model.model) == cp_model.INFEASIBLE)

    rules = sorted(CpModel(problem, until_us, on_time=on_time).rules)
    if not refuted(rules) or refuted([]):
        return []
    kept = rules
    # halves first, then one by one: what is not needed for the clash goes
    size = len(kept) // 2
    while size >= 1:
        i = 0
        while i < len(kept):
            without = kept[:i] + kept[i + size :]
            if time.perf_counter() - start > seconds:
                return kept
            if refuted(without):
                kept = without
            else:
                i += size
        size //= 2
    return kept


def _far(problem: Problem) -> int:
    """Return a time by which all can be done one after the other."""
    total = max((o.release_us for o in problem.operations), default=0)
    setups = max(
        (max(map(max, s.setups_us)) for s in problem.stations if s.setups_us), default=0
    )
    for operation in problem.operations:
        total += max(mode.work_us for mode in operation.modes)
        total += operation.rest_us + setups
        if operation.fixed is not None:
            total = max(total, operation.fixed.begin_us)
    for link in problem.links:
        total += link.min_us + max((us for _, _, us in link.ways_us), default=0)
    ends = [int(c.end_us[-1]) for c in problem.calendars if len(c.end_us)]
    return max([total, *ends])
