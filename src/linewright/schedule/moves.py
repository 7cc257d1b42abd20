"""Large schedules made better by many small changes of the order (`_placing`).

A schedule is an order of groups (operations, or batches) with a mode and a server for
each. A thread changes the order between two positions, and all is placed again from
there on; what is better, or no worse, stays. After a round the orders of all threads
are put together, piece by piece, and the best of what came out goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from linewright.schedule.arrays import (
    BEST,
    BEST_ORDER,
    COST_TRIAL,
    N_ORDER,
    NOW,
    O_GROUP,
    ORDER,
    TRIAL,
    Memory,
    Shop,
    shop_of,
)
from linewright.schedule.cp.facts import OBJECTIVES, Former
from linewright.schedule.listing import in_turn, members_of
from linewright.schedule.problem import Ints, Problem, Solution

__all__ = ["Moves"]

Floats = NDArray[np.float64]

_ROUND_S = 1.5
_N_DRAWS = 31


class Moves:
    """A problem that small changes are tried on, and the best schedule of it.

    Args:
        problem: A problem that `listing.can_be_placed`.
        start: A schedule of it; its batches stay as they are.
        objectives: What counts, in order.
        former: Where operations were, for ``stability``.
        seed: Seed of the changes.
        threads: How many orders are changed side by side.

    Attributes:
        best: The best schedule.
    """

    def __init__(
        self,
        problem: Problem,
        start: Solution,
        objectives: Sequence[str],
        *,
        former: Former,
        seed: int,
        threads: int,
    ) -> None:
        self._problem = problem
        self._shop = shop_of(problem, start.batch, former)
        rows = [OBJECTIVES.index(name) for name in objectives]
        self._random = np.random.default_rng(np.random.SeedSequence([seed, 6]))
        self._order = self._order_of(start)
        self.best = start
        n = max(min(threads, len(self._order) // 200), 1)
        self._threads = [
            _Thread(self._shop, self._order, start, rows) for _ in range(n)
        ]
        self._n_changes = 20

    def begin(self, solution: Solution) -> bool:
        """Go on from another schedule; say whether that can be done: batches differ."""
        if not np.array_equal(solution.batch, self.best.batch):
            return False
        self.best = solution
        self._order = self._order_of(solution)
        return True

    def _order_of(self, solution: Solution) -> Ints:
        groups = in_turn(self._problem, solution, members_of(solution))
        first = [members[0] for members in groups]
        return self._shop.operations[first, O_GROUP].copy()

    def run(
        self, seconds: float, now_s: Callable[[], float],
        on_better: Callable[[Solution], None],
        *,
        rounds: int | None = None,
        changes: int | None = None,
    ) -> int:  # fmt: skip
        """Try changes for some time; return how many were tried.

        Args:
            seconds: How long.
            now_s: Says the time, seconds.
            on_better: Called with each better schedule.
            rounds: So many rounds instead, however long they take.
            changes: Changes of each thread in a round; adapted to the time by default.
        """
        end = now_s() + seconds
        n_tried = 0
        with ThreadPoolExecutor(len(self._threads)) as pool:
            n_rounds = 0
            self._n_changes = changes or self._n_changes
            while True:
                left = end - now_s()
                is_over = left <= 0.05 if rounds is None else n_rounds == rounds
                if is_over:
                    break
                n_rounds += 1
                began = now_s()
                if self._round(pool):
                    on_better(self.best)
                n_tried += self._n_changes * len(self._threads)
                took = max(now_s() - began, 1e-4)
                share = min(_ROUND_S, max(left - took, 0.05)) / took
                if changes is not None:
                    continue
                self._n_changes = int(
                    min(max(self._n_changes * min(share, 8.0), 20), 200_000)
                )
        return n_tried

    def _round(self, pool: ThreadPoolExecutor) -> bool:
        """Let each thread change its part of the order; say whether that was of use."""
        n, n_threads = len(self._order), len(self._threads)
        shift = self._random.uniform(-0.4, 0.4, n_threads + 1)
        shift[[0, -1]] = 0
        cuts = ((np.arange(n_threads + 1) + shift) / n_threads * n).astype(np.int64)
        jobs = []
        for thread, span in zip(self._threads, pairwise(cuts), strict=True):
            random = self._random.random((self._n_changes, 7 + _N_DRAWS))
            thread.begin(self._order, self.best)
            jobs.append(
                pool.submit(thread.change, (int(span[0]), int(span[1])), random)
            )
        improved = [job.result() for job in jobs]
        if not any(improved):
            return False
        if sum(improved) > 1:
            self._join(cuts)
        best = min(self._threads, key=lambda thread: thread.cost())
        self._order = best.memory.part(BEST_ORDER).copy()
        self.best = best.solution(self.best)
        return True

    def _join(self, cuts: Ints) -> None:
        """Put the pieces of all threads together, and let the first one try them."""
        order = np.empty_like(self._order)
        trial = self._threads[0].memory.columns(TRIAL)
        for thread, (a, b) in zip(self._threads, pairwise(cuts), strict=True):
            order[a:b] = thread.memory.part(BEST_ORDER)[a:b]
            rows = np.isin(self._shop.operations[:, O_GROUP], order[a:b])
            trial[:2, rows] = thread.memory.columns(BEST)[:2, rows]
        self._threads[0].take(order)


class _Thread:
    """What one thread works with."""

    def __init__(
        self, shop: Shop, order: Ints, start: Solution, objectives: Sequence[int]
    ) -> None:
        self.memory = Memory(shop, order, objectives)
        self._n_objectives = len(objectives)
        self.begin(order, start)

    def begin(self, order: Ints, solution: Solution) -> None:
        """Take an order and a schedule to begin from."""
        self.memory.set_order(order)
        self.memory.set_schedule(solution)

    def change(self, span: tuple[int, int], random: Floats) -> bool:
        """Try changes between two positions; say whether that was of use."""
        from linewright.schedule import _placing  # noqa: PLC0415 - loads Numba

        m = self.memory.m
        now, trial, best = (int(m[name]) for name in (NOW, TRIAL, BEST))
        before = self.cost()
        if not _placing.keep_places(m, now, 0, int(m[N_ORDER])):
            return False  # the order of a schedule that lists cannot make
        self.memory.columns(TRIAL)[:] = self.memory.columns(NOW)
        if self.cost(NOW) < before:
            self.memory.columns(BEST)[:] = self.memory.columns(NOW)
        n = _placing.better(m, now, trial, best, *span, random)
        assert n >= 0, "what fitted once does not fit again"
        return self.cost() < before

    def cost(self, name: int = BEST) -> tuple[int, ...]:
        """Return what a schedule of the thread has of the objectives."""
        from linewright.schedule import _placing  # noqa: PLC0415 - loads Numba

        m = self.memory.m
        _placing.cost(m, int(m[name]), int(m[COST_TRIAL]))
        return tuple(self.memory.part(COST_TRIAL).tolist())

    def take(self, order: Ints) -> None:
        """Place an order with the modes and servers of the trial; keep what is best."""
        from linewright.schedule import _placing  # noqa: PLC0415 - loads Numba

        m = self.memory.m
        self.memory.part(ORDER)[:] = order
        fits = _placing.place(m, int(m[TRIAL]))
        if fits and self.cost(TRIAL) < self.cost():
            self.memory.columns(BEST)[:] = self.memory.columns(TRIAL)
            self.memory.part(BEST_ORDER)[:] = order

    def solution(self, like: Solution) -> Solution:
        """Return the best schedule of the thread."""
        mode, server, begin, setup, end = (
            row.copy() for row in self.memory.columns(BEST)
        )
        return Solution(mode, server, begin, setup, end, end.copy(), like.batch)
