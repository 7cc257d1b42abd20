"""Large schedules made better: by many small changes, and window by window.

Where lists know all rules (`listing.can_be_placed`), changes of the order come first
(`moves`): of those some thousand are tried in the time of one window.

A window is a span of time at some stations, or some orders: its operations are free,
the others stand, and CP-SAT makes the most of it. What comes out is put to the left
again, and kept if the whole is no worse. Windows go over the schedule from begin to
end, then where most is to be gained; those in which nothing was found get larger. They
alone form other batches, and know places and longest waits.

Both are tried by turns; the one that gained more of late has most of the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from linewright.schedule._model import CpModel, Facts, Former
from linewright.schedule.listing import can_be_placed, replaced, tightened
from linewright.schedule.measures import done_us, measures
from linewright.schedule.moves import Moves
from linewright.schedule.problem import NEVER, Problem, Solution

__all__ = ["improved"]

_TURN_S = 6.0
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
    ways: list[_Moving | _Windowing] = [
        _Windowing(
            problem, objectives, workers=workers, seed=seed, former=former, run=run
        )
    ]
    if can_be_placed(problem):
        ways.insert(0, _Moving(problem, best, objectives, former=former, seed=seed))
    while left_s() > 0.5:
        way = _chosen(ways)
        began = time.perf_counter()
        found = way.better(best, value, min(_TURN_S, left_s()), on_better)
        seconds = max(time.perf_counter() - began, 1e-3)
        way.n_turns += 1
        way.gain_per_s = 0.0
        if found is not None:
            mine = measures(problem, found, objectives, former)
            way.gain_per_s = _share(value, mine) / seconds
            if mine < value:
                on_better(found)
            if mine <= value:
                best, value = found, mine
        elif way.is_done:
            break
    return best


def _chosen(ways: Sequence[_Moving | _Windowing]) -> _Moving | _Windowing:
    """Return whose turn it is: each now and then, and else what gained most of late."""
    n = sum(way.n_turns for way in ways)
    for way in ways:
        if way.n_turns == 0 or way.n_turns < n // 8:
            return way
    return max(ways, key=lambda way: way.gain_per_s)


def _share(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """Return by which share the first objective that differs became less."""
    for one, two in zip(before, after, strict=True):
        if one != two:
            return max((one - two) / max(one, 1), 0.0)
    return 0.0


class _Moving:
    """Changes of the order, by turns with windows."""

    is_done = False

    def __init__(
        self,
        problem: Problem,
        start: Solution,
        objectives: Sequence[str],
        *,
        former: Former,
        seed: int,
    ) -> None:
        self.n_turns, self.gain_per_s = 0, 0.0
        self._problem, self._objectives = problem, objectives
        self._former, self._seed = former, seed
        self._moves = self._begun(start)

    def _begun(self, solution: Solution) -> Moves:
        return Moves(
            self._problem, solution, self._objectives, former=self._former,
            seed=self._seed, threads=os.cpu_count() or 1,
        )  # fmt: skip

    def better(
        self,
        best: Solution,
        _value: tuple[int, ...],
        seconds: float,
        on_better: Callable[[Solution], None],
    ) -> Solution | None:
        """Return the best schedule that changes come to in some seconds."""
        if best is not self._moves.best and not self._moves.begin(best):
            self._moves = self._begun(best)
        self._moves.run(seconds, time.perf_counter, on_better)
        return self._moves.best


class _Windowing:
    """One window after the other, by turns with changes of the order."""

    def __init__(
        self,
        problem: Problem,
        objectives: Sequence[str],
        *,
        workers: int,
        seed: int,
        former: Former,
        run: Callable[..., Any],
    ) -> None:
        self.n_turns, self.gain_per_s = 0, 0.0
        self.is_done = False
        self._problem, self._objectives, self._former = problem, objectives, former
        self._workers, self._seed, self._run = workers, seed, run
        self._windows = _Windows(problem, seed)
        self._facts: Facts | None = None
        self._shrinks = can_be_placed(problem)

    def better(
        self,
        best: Solution,
        value: tuple[int, ...],
        seconds: float,
        _on_better: Callable[[Solution], None],
    ) -> Solution | None:
        """Return the schedule with the best that CP-SAT finds for one window."""
        problem = self._problem
        free = self._windows.next(problem, best)
        if not free:
            self.is_done = True
            return None
        if self._facts is None:
            self._facts = Facts(problem)
        found = _window(
            problem, best, free, self._objectives,
            seconds=seconds, workers=self._workers, seed=self._seed,
            former=self._former, run=self._run, facts=self._facts,
            shrinks=self._shrinks,
        )  # fmt: skip
        if found is not None and self._shrinks:
            found = replaced(problem, found)
        gained = found is not None and (
            measures(problem, found, self._objectives, self._former) < value
        )
        self._windows.learn(gained=gained)
        return found


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
