"""What a schedule has of each objective."""

from __future__ import annotations

from collections.abc import Iterable

from linewright.schedule.problem import NEVER, Problem, Solution

__all__ = ["done_us", "measure", "measures"]

Former = dict[int, tuple[int, int, int]]


def done_us(problem: Problem, solution: Solution) -> list[int]:
    """Return when each demand is done."""
    return [
        max(
            (
                int(solution.end_us[o]) + problem.operations[o].rest_us
                for o in demand.last
            ),
            default=0,
        )
        for demand in problem.demands
    ]


def measure(  # noqa: PLR0911
    problem: Problem, solution: Solution, name: str, former: Former | None = None
) -> int:
    """Return an objective of a schedule.

    Args:
        problem: The problem.
        solution: The schedule.
        name: ``tardiness`` (each order's, times its weight), ``makespan``,
            ``flow_time`` (from each order's release to its end), ``setups`` (working
            time), ``wip`` (each part's time from its begin to the end of its order),
            ``stability`` (by how much operations begin at other times, and the work
            of those that moved to another server) or ``late_orders``.
        former: Mode, server and begin of operations before, for ``stability``.

    Returns:
        Microseconds; of ``late_orders`` their number.
    """
    if name == "setups":
        return _setups(solution)
    if name == "stability":
        return _moved(problem, solution, former or {})
    done = done_us(problem, solution)
    pairs = list(zip(problem.demands, done, strict=True))
    if name == "makespan":
        return max(done, default=0)
    if name == "flow_time":
        return sum(at - demand.release_us for demand, at in pairs)
    if name == "late_orders":
        return sum(at > demand.due_us for demand, at in pairs)
    if name == "tardiness":
        return sum(
            demand.weight * max(0, at - demand.due_us)
            for demand, at in pairs
            if demand.due_us < NEVER
        )
    assert name == "wip", name
    return sum(
        len(demand.first) * at - sum(int(solution.begin_us[o]) for o in demand.first)
        for demand, at in pairs
    )


def measures(
    problem: Problem,
    solution: Solution,
    names: Iterable[str],
    former: Former | None = None,
) -> tuple[int, ...]:
    """Return several objectives of a schedule, to be compared in their order."""
    return tuple(measure(problem, solution, name, former) for name in names)


def _setups(solution: Solution) -> int:
    """Return the working time of all setups; a batch has one."""
    total = 0
    seen = set()
    for number, setup in zip(
        solution.batch.tolist(), solution.setup_us.tolist(), strict=True
    ):
        if number >= 0 and number in seen:
            continue
        seen.add(number)
        total += setup
    return total


def _moved(problem: Problem, solution: Solution, former: Former) -> int:
    total = 0
    for o, (m, s, at) in former.items():
        total += abs(int(solution.begin_us[o]) - at)
        if (int(solution.mode[o]), int(solution.server[o])) != (m, s):
            total += min(mode.work_us for mode in problem.operations[o].modes)
    return total
