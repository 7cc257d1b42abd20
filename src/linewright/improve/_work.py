"""Tasks as arrays for the search: rows in an order that work can be done in.

`Work` is what bounds, search and constraint model share. A station's load may not be
more than the limit in any row of `times`; several rows are several products that each
have to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linewright.improve.tasks import topological

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Work:
    """Tasks in topological order.

    Attributes:
        times: Time of every task (column), whole numbers, a row for each load that is
            limited.
        before: Pairs of columns, the first is done before the second, without those
            that follow from others.
        follows: Whether the second task comes after the first, directly or not.
    """

    times: Ints
    before: tuple[tuple[int, int], ...]
    follows: Flags

    @property
    def n(self) -> int:
        """Return the number of tasks."""
        return int(self.times.shape[1])

    @cached_property
    def turned(self) -> Work:
        """Return the same work done backwards: task j here is n - 1 - j there."""
        last = self.n - 1
        before = tuple((last - j, last - i) for i, j in self.before)
        return Work(
            np.ascontiguousarray(self.times[:, ::-1]),
            before,
            np.ascontiguousarray(self.follows[::-1, ::-1].T),
        )

    @cached_property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """Return the tasks directly after each."""
        return self._lists(0)

    @cached_property
    def first(self) -> tuple[tuple[int, ...], ...]:
        """Return the tasks directly before each."""
        return self._lists(1)

    def _lists(self, side: int) -> tuple[tuple[int, ...], ...]:
        lists: list[list[int]] = [[] for _ in range(self.n)]
        for pair in self.before:
            lists[pair[side]].append(pair[1 - side])
        return tuple(map(tuple, lists))


def new_work(
    times: Sequence[Sequence[int]], before: Sequence[tuple[int, int]]
) -> tuple[Work, list[int]]:
    """Return work, and for each of its columns the row of the task as given."""
    n = len(times[0])
    order = topological(n, before)
    column = {row: j for j, row in enumerate(order)}
    follows = np.zeros((n, n), dtype=bool)
    pairs = sorted({(column[i], column[j]) for i, j in before}, reverse=True)
    direct = []
    # From the last task to the first, and of one task's followers the nearest first:
    # what comes after a follower is known when the follower is taken.
    for i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
        if not follows[i, j]:
            direct.append((i, j))
            follows[i] |= follows[j]
            follows[i, j] = True
    table = np.array(times, dtype=np.int64)[:, order]
    return Work(np.ascontiguousarray(table), tuple(sorted(direct)), follows), order
