"""Work shared out among servers: no order, only who does what.

Where nothing comes after anything else and nothing is set up, the makespan is the load
of the fullest server, in whatever order it works. CP-SAT then needs no intervals, only
a literal for each mode.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from linewright.schedule.problem import Problem, Solution

__all__ = ["assigned", "is_assignment"]


def is_assignment(problem: Problem) -> bool:
    """Say whether a problem is only about which server does what, for the makespan."""
    if problem.links or problem.resources or problem.holds or problem.same_mode:
        return False
    if any(s.calendar >= 0 or s.setups_us or s.n_servers > 1 for s in problem.stations):
        return False
    last = {o for demand in problem.demands for o in demand.last}
    return all(
        o in last
        and not (operation.release_us or operation.rest_us)
        and operation.batching is None
        and operation.fixed is None
        and operation.same_server_as < 0
        and all(mode.station >= 0 for mode in operation.modes)
        for o, operation in enumerate(problem.operations)
    )


def assigned(
    problem: Problem, *, on_better: Callable[[Solution, float], None]
) -> tuple[Any, Callable[[Any, float], None]]:
    """Return a CP-SAT model of who does what, and what takes its solutions.

    Args:
        problem: A problem that `is_assignment`.
        on_better: Called with each better schedule, and the bound then.

    Returns:
        An object with the model as `model`, and what is called for each solution, as
        `solving.run_cp_sat` wants them. The objective is in microseconds.
    """
    from ortools.sat.python import cp_model  # noqa: PLC0415 - optional

    model = cp_model.CpModel()
    works = [
        [mode.work_us for mode in operation.modes] for operation in problem.operations
    ]
    fullest = model.new_int_var(
        max((min(row) for row in works), default=0), sum(map(max, works)), "makespan"
    )
    load: list[Any] = [0] * len(problem.stations)
    literals = []
    for o, operation in enumerate(problem.operations):
        row = [model.new_bool_var(f"m{o},{m}") for m in range(len(operation.modes))]
        model.add_exactly_one(row)
        literals.append(row)
        for mode, literal in zip(operation.modes, row, strict=True):
            load[mode.station] += mode.work_us * literal
    for each in load:
        model.add(each <= fullest)
    model.minimize(fullest)

    def on_solution(value: Any, bound: float) -> None:
        chosen = [
            next(m for m, literal in enumerate(row) if value(literal))
            for row in literals
        ]
        on_better(_in_a_row(problem, chosen), bound)

    return SimpleNamespace(model=model), on_solution


def _in_a_row(problem: Problem, modes: list[int]) -> Solution:
    """Return the schedule in which each server works without a stop."""
    n = len(modes)
    begin, end = np.zeros(n, np.int64), np.zeros(n, np.int64)
    free = [0] * len(problem.stations)
    for o, m in enumerate(modes):
        mode = problem.operations[o].modes[m]
        begin[o] = free[mode.station]
        free[mode.station] += mode.work_us
        end[o] = free[mode.station]
    zeros = np.zeros(n, np.int64)
    return Solution(
        np.array(modes, np.int64), zeros, begin, zeros.copy(), end, end.copy(),
        np.full(n, -1, np.int64),
    )  # fmt: skip
