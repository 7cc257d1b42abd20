"""Good schedules of large shops by local search, before CP-SAT and beside it.

CP-SAT proves, and betters small schedules; where many parts compete for the same
servers, local search is better by far. Which one depends on what kind of shop a problem
is (`structures`): iterated greedy search on the order of the jobs where all keep one,
tabu search on the sequences of the servers elsewhere, genetic search on lists of
activities where people or tools are shared. Several searches run side by
side, each with random numbers of its own; the best of all counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from linewright.schedule import _breeding, _permuting, _queueing, _rerouting
from linewright.schedule._breeding import N_LISTS, Lists
from linewright.schedule._chance import stream
from linewright.schedule._permuting import Orders
from linewright.schedule._queueing import Queue
from linewright.schedule._rerouting import Memory, Sequences
from linewright.schedule.listing import PRIORITIES, can_be_placed, listed
from linewright.schedule.measures import measure
from linewright.schedule.problem import Problem, Solution
from linewright.schedule.structures import (
    Activities,
    FlowShop,
    Sequencing,
    StageLine,
    flow_of,
    project_of,
    shop_of,
    stages_of,
)

__all__ = ["LocalSearch", "improve", "searches_of"]

_HOT, _COLD = 0.04, 0.004
"""Of the mean time of an operation: how much worse an order is kept by chance, at the
begin of the time and at its end."""

_DELAY = 1.0
"""Mean delays that weigh as much as the mean time of an operation does."""

_MANY = 500
"""Operations from which on one list by priority is begun from, rather than several."""

_ROUND_S = 0.25
"""Seconds between two looks at the clock."""


class LocalSearch(Protocol):
    """A search that goes on when it is told to."""

    def go_on(self, bound: int, n_steps: int, left: float) -> None:
        """Do some steps, or fewer if the value gets as low as a bound.

        Args:
            bound: No schedule is better.
            n_steps: How many.
            left: Share of the time that is left, for what cools down.
        """

    def value(self) -> int:
        """Return the value of the best schedule so far."""

    def solution(self) -> Solution:
        """Return that schedule."""


class InOneOrder:
    """Iterated greedy search on the order of the jobs of a flow shop.

    Args:
        shop: The flow shop.
        chance: A stream of random numbers.
    """

    def __init__(self, shop: FlowShop, chance: np.ndarray) -> None:
        self._shop, self._chance = shop, chance
        flow = shop.flow
        n_jobs, n_stations = flow.time.shape
        shape = shop.n_lines, n_jobs

        def room(*shape: int) -> np.ndarray:
            return np.zeros(shape, np.int64)

        self._orders = Orders(
            room(*shape), room(shop.n_lines), room(*shape), room(shop.n_lines),
            room(shop.n_lines), room(3),
            room(n_jobs, n_stations), room(max(n_jobs, 1), n_stations),
            room(2 * n_jobs + shop.n_lines), room(*shape), room(shop.n_lines),
        )  # fmt: skip
        # the longest first, or the first due, as in the rules that this begins with
        key = -flow.time.sum(axis=1)
        if flow.weight.any():
            key = np.where(flow.weight > 0, flow.due, flow.due.max() + 1)
        self._orders.best_jobs[0] = np.argsort(key, kind="stable")
        # a fifth of the mean time, times 0.7: as tuned by Dubois-Lacoste et al. (2017)
        self._heat = 0.7 * float(flow.time.mean()) / 10
        self._n_out = 2
        if len(flow.setup) or shop.n_lines > 1:
            self._n_out = 4
        if flow.weight.any():
            self._heat *= n_jobs / 10
            self._n_out = 3

    def go_on(self, bound: int, n_steps: int, left: float) -> None:
        """Do some steps, or fewer if the value gets as low as a bound."""
        del left
        _permuting.search(  # type: ignore[no-untyped-call]
            self._shop.flow, self._orders, self._chance, self._heat, self._n_out,
            bound, n_steps,
        )  # fmt: skip

    def value(self) -> int:
        """Return the value of the best order so far."""
        return int(self._orders.counts[_permuting.BEST])

    def order(self) -> np.ndarray:
        """Return the best order of one line."""
        found: np.ndarray = self._orders.best_jobs[0].copy()
        return found

    def solution(self) -> Solution:
        """Return the schedule of the best order."""
        lengths = self._orders.best_length
        return self._shop.solution(
            [row[:n] for row, n in zip(self._orders.best_jobs, lengths, strict=True)]
        )


class OnServers:
    """Tabu search on the sequences of servers.

    Args:
        shop: The shop.
        start: A schedule of it.
        chance: A stream of random numbers.
    """

    def __init__(self, shop: Sequencing, start: Solution, chance: np.ndarray) -> None:
        self._shop, self._chance = shop, chance
        n = len(start.mode)
        n_servers = shop.n_servers

        def room(n: int, value: int = 0) -> np.ndarray:
            return np.full(n, value, np.int64)

        self._now = Sequences(
            shop.ways_of(start), room(n, -1), room(n, -1), room(n_servers, -1),
            *(room(n) for _ in range(6)),
        )  # fmt: skip
        rank = np.empty(n, np.int64)
        rank[shop.problem.in_order()] = np.arange(n)
        order = np.lexsort((rank, start.end_us, start.begin_us))
        self._now.order[:] = order
        last = room(n_servers, -1)
        for o in order.tolist():
            k = int(shop.shop.server[self._now.way[o]])
            self._now.ahead[o] = last[k]
            if last[k] >= 0:
                self._now.behind[last[k]] = o
            else:
                self._now.first[k] = o
            last[k] = o
        self._memory = Memory(
            room(5), room(n), room(n), room(n), room(n_servers), room(n),
            room(_rerouting.PAIRS), room(len(shop.shop.server)),
            room(n), room(2 * n), room(9),
        )  # fmt: skip

    def go_on(self, bound: int, n_steps: int, left: float) -> None:
        """Do some steps, or fewer if the value gets as low as a bound."""
        del left
        _rerouting.search(  # type: ignore[no-untyped-call]
            self._shop.shop, self._now, self._memory, self._chance, bound, n_steps
        )

    def value(self) -> int:
        """Return the makespan of the best schedule so far."""
        return int(self._memory.counts[_rerouting.BEST])

    def solution(self) -> Solution:
        """Return the best schedule."""
        memory, shop = self._memory, self._shop.shop
        begins = np.zeros(len(memory.best_way), np.int64)
        ends = begins.copy()
        for o in memory.best_order.tolist():
            at = int(shop.release[o])
            for e in range(shop.before_at[o], shop.before_at[o + 1]):
                at = max(at, int(ends[shop.before[e]] + shop.before_lag[e]))
            if memory.best_ahead[o] >= 0:
                at = max(at, int(ends[memory.best_ahead[o]]))
            begins[o], ends[o] = at, at + int(shop.time[memory.best_way[o]])
        return self._shop.solution(memory.best_way, begins)


class Bred:
    """Genetic search on lists of activities.

    Args:
        activities: The problem.
        chance: A stream of random numbers.
    """

    def __init__(self, activities: Activities, chance: np.ndarray) -> None:
        self._activities, self._chance = activities, chance
        project = activities.project
        n, n_resources = project.need.shape

        def room(*shape: int) -> np.ndarray:
            return np.zeros(shape, np.int64)

        ticks = int(project.time.sum()) + 1
        self._lists = Lists(
            room(N_LISTS, n), room(N_LISTS), room(n), room(3), room(n), room(n),
            room(n), room(n), room(ticks, n_resources),
        )  # fmt: skip

    def go_on(self, bound: int, n_steps: int, left: float) -> None:
        """Do some steps, or fewer if the value gets as low as a bound."""
        del left
        low = -(-bound // self._activities.tick_us)
        _breeding.search(  # type: ignore[no-untyped-call]
            self._activities.project, self._lists, self._chance, low, n_steps
        )

    def value(self) -> int:
        """Return the makespan of the best schedule so far."""
        return int(self._lists.counts[_breeding.BEST]) * self._activities.tick_us

    def solution(self) -> Solution:
        """Return the best schedule."""
        return self._activities.solution(self._lists.best_begin)


class InQueue:
    """Annealing on the order in which jobs come to a line of stages.

    Args:
        line: The line of stages.
        chance: A stream of random numbers.
        is_turned: Whether to go through it backwards.
        start: An order to begin with; the longest or the first due first by default.
    """

    def __init__(
        self,
        line: StageLine,
        chance: np.ndarray,
        *,
        is_turned: bool = False,
        start: np.ndarray | None = None,
    ) -> None:
        self._line = line.turned() if is_turned else line
        self._chance, self._is_turned = chance, is_turned
        stages = self._line.stages
        n = len(stages.time)

        def room(n: int) -> np.ndarray:
            return np.zeros(n, np.int64)

        work = np.maximum(stages.time, 0)
        key = -work.sum(axis=1)
        if stages.weight.any():
            far = stages.due.max() + 1
            key = np.where(stages.weight > 0, stages.due, far)[stages.demand]
        if start is None:
            start = np.argsort(key, kind="stable")
        self._queue = Queue(
            start, room(n), room(3), room(n), room(n),
            room(int(stages.servers.max(initial=1))), room(len(stages.due)),
        )  # fmt: skip
        self._mean = float(work.mean())

    def go_on(self, bound: int, n_steps: int, left: float) -> None:
        """Do some steps, or fewer if the value gets as low as a bound."""
        mean = self._mean
        if self._line.stages.weight.any():
            # delays add up: what counts is the mean delay of the best order so far
            mean = _DELAY * self.value() / len(self._line.stages.due)
        heat = mean * _HOT * (_COLD / _HOT) ** (1.0 - left)
        _queueing.search(  # type: ignore[no-untyped-call]
            self._line.stages, self._queue, self._chance, heat, bound, n_steps
        )

    def value(self) -> int:
        """Return the value of the best order so far."""
        return int(self._queue.counts[_queueing.BEST])

    def solution(self) -> Solution:
        """Return the schedule of the best order."""
        begins = np.zeros_like(self._line.stages.time)
        _queueing.begins(  # type: ignore[no-untyped-call]
            self._line.stages, self._queue, begins
        )
        return self._line.solution(begins, is_turned=self._is_turned)


def searches_of(
    problem: Problem, objective: str, start: Solution | None, *, seed: int, n: int
) -> list[LocalSearch]:
    """Return searches that suit a problem; none if it has rules that they do not know.

    Args:
        problem: The problem.
        objective: What counts.
        start: A schedule to begin from, if there is one.
        seed: Seed of their random numbers.
        n: How many.
    """
    flow = flow_of(problem, objective)
    if flow is not None:
        return [_on_orders(flow, stream(seed, i), i) for i in range(n)]
    line = stages_of(problem, objective)
    if line is not None and (
        objective != "makespan" or (line.stages.servers > 1).any()
    ):
        turns = objective == "makespan" and line.can_be_turned
        return [
            InQueue(line, stream(seed, i), is_turned=turns and i % 2 == 1)
            for i in range(max(n, 2))
        ]
    if objective != "makespan":
        return []
    activities = project_of(problem)
    if activities is not None:
        return [Bred(activities, stream(seed, i)) for i in range(n)]
    shop = shop_of(problem)
    if shop is None:
        return []
    if start is None:
        start = _best_listed(problem)
    return [OnServers(shop, start, stream(seed, i)) for i in range(n)]


def _on_orders(shop: FlowShop, chance: np.ndarray, number: int) -> LocalSearch:
    """Return a search on the order of jobs; of delays, every other one anneals.

    For delays a place costs as much as an order, so that it may be better to look at
    many orders than at all places; which is, depends on the shop.
    """
    search = InOneOrder(shop, chance)
    flow = shop.flow
    if number % 2 == 0 or shop.n_lines > 1 or not flow.weight.any() or len(flow.setup):
        return search
    search.go_on(0, 0, 1.0)
    return InQueue(shop.as_stages(), chance, start=search.order())


def _best_listed(problem: Problem) -> Solution:
    """Return the best schedule that lists by priority make; of large shops, the first.

    Lists are slow beside the search that begins from them.
    """
    assert can_be_placed(problem), "a shop has no rules that lists do not know"
    rules = list(PRIORITIES.values())
    if len(problem.operations) > _MANY:
        rules = rules[:1]
    found = [listed(problem, rule(problem)) for rule in rules]
    made = [solution for solution in found if solution is not None]
    return min(made, key=lambda solution: measure(problem, solution, "makespan"))


def improve(
    searches: Sequence[LocalSearch],
    *,
    bound: int,
    left: Callable[[], float],
    on_better: Callable[[Solution], None],
) -> None:
    """Let searches run side by side, and tell of each better schedule.

    Args:
        searches: One for each thread.
        bound: No schedule is better.
        left: Asked a few times a second for the share of the time that is left.
        on_better: Called with each better schedule.
    """
    best: int | None = None
    steps = [1] * len(searches)

    def go_on(i: int) -> float:
        begin = time.perf_counter()
        searches[i].go_on(bound, steps[i], max(min(left(), 1.0), 0.0))
        return time.perf_counter() - begin

    with ThreadPoolExecutor(len(searches)) as pool:
        while best is None or (best > bound and left() > 0):
            seconds = list(pool.map(go_on, range(len(searches))))
            for i, each in enumerate(seconds):
                factor = min(max(_ROUND_S / max(each, 1e-6), 0.2), 5.0)
                steps[i] = max(int(steps[i] * factor), 1)
            leader = min(searches, key=lambda search: search.value())
            if best is None or leader.value() < best:
                best = leader.value()
                on_better(leader.solution())
