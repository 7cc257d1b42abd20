"""Who has the longest active period at each moment of a run (`improve.bottleneck`)."""

from __future__ import annotations

import heapq

import numpy as np

from linewright.kernel._jit import array_entry
from linewright.tables import Ints

__all__ = ["longest_periods"]


@array_entry
def longest_periods(starts: Ints, ends: Ints, edges: Ints) -> Ints:
    """Return at each span between two edges which period around it is the longest.

    Args:
        starts: Beginnings of periods, sorted.
        ends: Their ends.
        edges: All times at which the answer may change, sorted, without repeats; among
            them all starts and ends.

    Returns:
        For each span the row of the period, or -1 where there is none.
    """
    out = np.full(len(edges) - 1, -1, np.int64)
    running = [(np.int64(0), np.int64(-1))]
    i = 0
    for at in range(len(edges) - 1):
        here = edges[at]
        while i < len(starts) and starts[i] <= here:
            heapq.heappush(running, (starts[i] - ends[i], np.int64(i)))
            i += 1
        while running[0][1] >= 0 and ends[running[0][1]] <= here:
            heapq.heappop(running)
        out[at] = running[0][1]
    return out
