"""Whether what the kernel did is a schedule, and what of a schedule came otherwise.

The kernel by its own rules lets a part wait on its server for people, counts one that
comes too late, and builds in any unit of a component, whichever order it was made for.
What it did is then no schedule of the problem, though it can be done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from linewright.schedule.problem import NEVER, Problem, Solution

__all__ = ["breaks", "differences", "unwaited"]


def breaks(  # noqa: C901, PLR0911, PLR0912
    problem: Problem, solution: Solution
) -> str:
    """Return the first rule that a run of the kernel does not keep; empty: none.

    What the kernel cannot break is not looked at: servers, tools, places.
    """
    for o, operation in enumerate(problem.operations):
        if solution.end_us[o] < 0 or solution.begin_us[o] < operation.release_us:
            return f"{operation.part} {operation.name} begins before its release"
        mode = operation.modes[int(solution.mode[o])]
        work = mode.work_us + int(solution.setup_us[o])
        end = problem.end_of(mode, int(solution.begin_us[o]), work)
        if end != solution.end_us[o]:
            return f"{operation.part} waits on its server at {operation.name}"
    if late := _waits_for_setup(problem, solution):
        return late
    groups: dict[int, int] = {}
    for number, operation in zip(
        solution.batch.tolist(), problem.operations, strict=True
    ):
        if number >= 0 and operation.batching is not None:
            group = operation.batching.group
            if groups.setdefault(number, group) != group:
                return f"{operation.part} shares a batch with what takes another time"
    turns = defaultdict(list)
    for link in problem.links:
        one, two = problem.operations[link.before], problem.operations[link.after]
        wait = int(solution.begin_us[link.after] - solution.end_us[link.before])
        if wait < link.min_us + (one.rest_us if link.moves else 0):
            return f"{two.part} begins {two.name} before {one.part} is there"
        if link.max_us < NEVER and wait > link.max_us:
            return f"{two.part} waits too long for {two.name}"
        if link.storage >= 0 and problem.storages[link.storage].in_turn:
            turns[link.storage].append(
                (int(solution.end_us[link.before]), int(solution.begin_us[link.after]))
            )
    for storage, pairs in turns.items():
        begins = [begin for _, begin in sorted(pairs)]
        if begins != sorted(begins):
            return f"a part leaves {problem.storages[storage].name} out of turn"
    return ""


def _setups_needed(problem: Problem, solution: Solution) -> Iterator[tuple[int, int]]:
    """Yield operations, a batch once, with the setup that the one before calls for."""
    family: dict[tuple[int, int], int] = {}
    before: dict[tuple[int, int], int] = {}
    for o in np.lexsort((solution.leave_us, solution.begin_us)).tolist():
        mode = problem.operations[o].modes[int(solution.mode[o])]
        if mode.station < 0 or problem.stations[mode.station].setups_us is None:
            continue
        at = mode.station, int(solution.server[o])
        number = int(solution.batch[o]) if len(solution.batch) else -1
        if number >= 0 and before.get(at) == number:
            continue
        before[at] = number
        if mode.family >= 0:
            yield o, problem.setup_us(mode.station, family.get(at, -1), mode.family)
            family[at] = mode.family


def _waits_for_setup(problem: Problem, solution: Solution) -> str:
    """Return the first setup that takes longer than it works, as for want of people."""
    for o, needed in _setups_needed(problem, solution):
        if solution.setup_us[o] != needed:
            operation = problem.operations[o]
            return f"{operation.part} waits for the setup of {operation.name}"
    return ""


def unwaited(problem: Problem, solution: Solution) -> Solution:
    """Return what the kernel did with each begin as late as its setup allows.

    Where a part stands on its server until somebody has time for its setup, it begins
    when they do. In the order of these begins people serve whom they served there.
    """
    begin = solution.begin_us.copy()
    for o, needed in _setups_needed(problem, solution):
        waited = int(solution.setup_us[o]) - needed
        if waited > 0:
            mode = problem.operations[o].modes[int(solution.mode[o])]
            begin[o] = problem.end_of(mode, int(begin[o]), waited, 0)
    return replace(solution, begin_us=begin)


def differences(problem: Problem, planned: Solution, done: Solution) -> list[int]:
    """Return the operations that were done elsewhere or at other times than planned.

    Args:
        problem: The problem.
        planned: A schedule.
        done: What a run did.

    Returns:
        Their rows, the first in time first.
    """
    other = np.zeros(len(problem.operations), bool)
    for name in ("mode", "server", "begin_us", "setup_us", "end_us"):
        other |= getattr(planned, name) != getattr(done, name)
    found = np.flatnonzero(other)
    order = np.argsort(planned.begin_us[found], kind="stable")
    return [int(o) for o in found[order]]
