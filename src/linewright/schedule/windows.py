"""Large schedules made better window by window.

A window is a span of time at some stations, or some orders: its operations are free,
the others stand, and CP-SAT makes the most of it. What comes out is put to the left
again, and kept if the whole is no worse. Windows go over the schedule from begin to
end, then where most is to be gained; those in which nothing was found get larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from linewright.schedule._model import CpModel, Facts, Former
from linewright.schedule.listing import can_be_placed, replaced, tightened
from linewright.schedule.measures import done_us, measures
from linewright.schedule.problem import NEVER, Problem, Solution

__all__ = ["improved"]

_SECONDS = 6.0
_SMALLEST, _LARGEST = 60, 400


def improved(  # noqa: PLR0913
    problem: Problem,
    start: Solution,
    objectives: Sequence[str],
    *,
    left_s: Callable[[], float],
    workers: int,
    seed: int,
    former: Former,
    on_better: Callable[[Solution], None],
    run: Callable[..., Any],
) -> Solution:
    """Return the best schedule that windows find in the time that is left.

    Args:
        problem: The problem.
        start: A schedule.
        objectives: What counts, in order.
        left_s: Says how many seconds are left.
        workers: Threads of CP-SAT.
        seed: Seed of the choice of windows, and of the search.
        former: Operations before, for ``stability``.
        on_better: Called with each better schedule.
        run: `solving.run_cp_sat`.
    """
    best = tightened(problem, start) or start
    value = measures(problem, best, objectives, former)
    if value < measures(problem, start, objectives, former):
        on_better(best)
    chooser = _Windows(problem, seed)
    facts = Facts(problem)
    shrinks = can_be_placed(problem)
    while left_s() > 0.5:
        free = chooser.next(problem, best)
        if not free:
            break
        found = _window(
            problem, best, free, objectives,
            seconds=min(_SECONDS, left_s()), workers=workers, seed=seed,
            former=former, run=run, facts=facts, shrinks=shrinks,
        )  # fmt: skip
        if found is None:
            chooser.learn(gained=False)
            continue
        if shrinks:
            found = replaced(problem, found)
            if found is None:
                chooser.learn(gained=False)
                continue
        mine = measures(problem, found, objectives, former)
        chooser.learn(gained=mine < value)
        if mine <= value:
            if mine < value:
                on_better(found)
            best, value = found, mine
    return best


def _window(  # noqa: PLR0913
    problem: Problem,
    best: Solution,
    free: set[int],
    objectives: Sequence[str],
    *,
    seconds: float,
    workers: int,
    seed: int,
    former: Former,
    run: Callable[..., Any],
    facts: Facts,
    shrinks: bool,
) -> Solution | None:
    """Return the schedule with the best that CP-SAT finds for one window."""
    until = int(best.end_us.max()) + max(o.rest_us for o in problem.operations)
    model = CpModel(problem, until, hint=best, free=free, former=former, facts=facts)
    model.model.add_bool_and(list(model.rules.values()))
    first, _ = model.objective(objectives[0])
    # what no objective sees yet counts a little: who ends sooner makes room
    weight = max(10, len(free)) * 10
    model.model.minimize(weight * first + model.sum_of_ends())
    model.give_hints()
    found: list[Solution] = []
    run(
        model,
        seconds=seconds,
        workers=workers,
        seed=seed,
        on_solution=lambda value, _: found.append(model.solution(value, best)),
    )
    return found[-1] if found else None


class _Windows:
    """Chooses which operations are free next."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._random = np.random.default_rng(np.random.SeedSequence(entropy=seed))
        self._size = 120
        self._at = 0
        self._n_idle = 0
        self._before = problem.predecessors()

    def learn(self, *, gained: bool) -> None:
        """Make windows larger where nothing comes of them."""
        self._n_idle = 0 if gained else self._n_idle + 1
        if self._n_idle and self._n_idle % 10 == 0:
            self._size = min(int(self._size * 1.3), _LARGEST)
        elif gained:
            self._size = max(_SMALLEST, self._size)

    def next(self, problem: Problem, best: Solution) -> set[int]:
        """Return the next window: in turn one along the time, one around an order."""
        self._at += 1
        if self._at % 2:
            found = self._in_time(best)
        else:
            found = self._around_order(problem, best)
        found -= {o for o in found if problem.operations[o].fixed is not None}
        return self._with_batches(best, found)

    def _in_time(self, best: Solution) -> set[int]:
        """Return operations that begin one after the other."""
        order = np.argsort(best.begin_us, kind="stable")
        last = max(len(order) - self._size, 0)
        step = max(self._size // 2, 1)
        first = (self._at // 2 * step) % (last + 1)
        return set(order[first : first + self._size].tolist())

    def _around_order(self, problem: Problem, best: Solution) -> set[int]:
        """Return the operations of a late order, and those that stand in their way."""
        done = done_us(problem, best)
        late = np.array(
            [
                d.weight * max(at - d.due_us, 0) if d.due_us < NEVER else 0
                for d, at in zip(problem.demands, done, strict=True)
            ],
            np.float64,
        )
        if late.sum() == 0:
            late = np.array(done, np.float64)
        if late.sum() == 0:
            return set()
        row = int(self._random.choice(len(late), p=late / late.sum()))
        chosen: set[int] = set()
        todo = list(problem.demands[row].last)
        before = self._before
        while todo:
            o = todo.pop()
            if o not in chosen:
                chosen.add(o)
                todo += [problem.links[r].before for r in before[o]]
        own = sorted(chosen, key=lambda o: int(best.end_us[o]))[-self._size // 3 :]
        found = set(own)
        station = np.array(
            [
                operation.modes[m].station
                for operation, m in zip(problem.operations, best.mode, strict=True)
            ]
        )
        each = max((self._size - len(found)) // max(len(own), 1), 1)
        for o in own:
            same = np.flatnonzero(
                (station == station[o]) & (best.begin_us <= best.begin_us[o])
            )
            near = same[np.argsort(-best.begin_us[same], kind="stable")[: each + 1]]
            found.update(near.tolist())
        return found

    def _with_batches(self, best: Solution, found: set[int]) -> set[int]:
        """Return a window with all that share a batch with what is in it."""
        numbers = set(best.batch[sorted(found)].tolist()) - {-1}
        if numbers:
            found |= set(np.flatnonzero(np.isin(best.batch, list(numbers))).tolist())
        return found
