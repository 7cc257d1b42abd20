"""Line balancing as a constraint model for OR-Tools' CP-SAT.

For every task and every station of its window there is a literal "on this station or an
earlier one". So a precedence is one implication for each station, and a task's place is
where its literal turns true. Equal tasks (same times, same tasks directly before and
after) stand in the order of their rows, which takes out what differs by names alone.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from linewright.errors import LinewrightError
from linewright.improve._beam import Answer
from linewright.improve._bounds import Weightings, Windows
from linewright.improve._work import Ints, Work

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

LEAST_WORKERS = 8
"""CP-SAT with fewer workers leaves out the searches that prove; even on one core."""


def require_ortools() -> None:
    """Say which extra has OR-Tools where it is missing; importing it is slow."""
    if importlib.util.find_spec("ortools") is None:
        msg = (
            "line balancing needs ortools; "
            "install with: pip install 'linewright[improve]'"
        )
        raise LinewrightError(msg)


def decide(
    work: Work,
    cycle: int,
    bounds: tuple[Weightings, Windows, int],
    seconds: float,
    hint: Ints | None = None,
) -> Answer:
    """Look for an assignment to so many stations within a cycle time.

    Args:
        work: The tasks.
        cycle: Most that a station can take.
        bounds: Weightings and windows for this, and the number of stations.
        seconds: Time limit.
        hint: Station of each task, from 0, that is near a solution.
    """
    from ortools.sat.python import cp_model as cp  # noqa: PLC0415 - an extra, and slow

    model = cp.CpModel()
    _, at, _ = bounds
    up_to = _add_places(model, work, at)
    on = _add_loads(model, work, cycle, at, up_to)
    if hint is not None:
        for literals, k in zip(up_to, hint.tolist(), strict=True):
            for station, literal in literals.items():
                model.add_hint(literal, k < station)
    solver = cp.CpSolver()
    solver.parameters.num_workers = max(LEAST_WORKERS, os.cpu_count() or 1)
    solver.parameters.max_time_in_seconds = max(seconds, 0.01)
    status = solver.solve(model)
    if status in (cp.OPTIMAL, cp.FEASIBLE):
        found = [
            next(k for k, literal in places.items() if solver.boolean_value(literal))
            for places in on
        ]
        return Answer(np.array(found, dtype=np.int64) - 1, proven=True)
    assert status != cp.MODEL_INVALID, model.validate()
    return Answer(None, proven=status == cp.INFEASIBLE)


Literals = list[dict[int, Any]]


def _add_places(model: cp_model.CpModel, work: Work, at: Windows) -> Literals:
    """Return for every task the literals "on station k or an earlier one"."""
    up_to: Literals = []
    for first, last in zip(at.earliest, at.latest, strict=True):
        literals = {int(k): model.new_bool_var("") for k in range(first, last)}
        for k in range(first, last - 1):
            model.add_implication(literals[k], literals[k + 1])
        up_to.append(literals)
    pairs = [*work.before, *_equal_tasks(work)]
    for i, j in pairs:
        for k in range(at.earliest[j], at.latest[i]):
            if k in up_to[i] and k in up_to[j]:
                model.add_implication(up_to[j][k], up_to[i][k])
            elif k in up_to[j]:  # i comes later in any case
                model.add(up_to[j][k] == 0)
            elif k in up_to[i] and k >= at.latest[j]:
                model.add(up_to[i][k] == 1)
    return up_to


def _equal_tasks(work: Work) -> list[tuple[int, int]]:
    """Return pairs of tasks that differ by name alone."""
    alike = defaultdict(list)
    for j in range(work.n):
        key = (tuple(work.times[:, j]), work.first[j], work.after[j])
        alike[key].append(j)
    return [pair for js in alike.values() for pair in itertools.pairwise(js)]


def _add_loads(
    model: cp_model.CpModel,
    work: Work,
    cycle: int,
    at: Windows,
    up_to: Literals,
) -> Literals:
    """Limit the load of every station; return the literals "on station k"."""
    on: Literals = []
    there = defaultdict(list)
    for j, literals in enumerate(up_to):
        first, last = int(at.earliest[j]), int(at.latest[j])
        places: dict[int, Any] = {}
        for k in range(first, last + 1):
            if first == last:
                places[k] = model.new_constant(1)
            elif k == first:
                places[k] = literals[k]
            elif k == last:
                places[k] = ~literals[k - 1]
            else:
                place = places[k] = model.new_bool_var("")
                model.add_implication(place, literals[k])
                model.add_implication(place, ~literals[k - 1])
                model.add_bool_or(place, ~literals[k], literals[k - 1])
            there[k].append((j, places[k]))
        if len(places) > 2:
            model.add_exactly_one(places.values())
        on.append(places)
    for time in work.times:
        for tasks in there.values():
            model.add(sum(int(time[j]) * place for j, place in tasks) <= cycle)
    return on
