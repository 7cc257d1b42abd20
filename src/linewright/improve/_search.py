"""Station by station search for line balancing, compiled: the best loads, all or many.

A state is the set of tasks on the first stations. `expand` takes states of k stations
and returns those of k + 1: it goes through the loads of the next station, in the order
of the tasks' values, and keeps the states of the highest value. Where it left nothing
out, neither a load nor a state, and no state is left, there is no solution: a proof.

A load is skipped where a task still fits (a maximal load is never worse), where a task
of it can be exchanged for a longer one with at least the same followers (Jackson's
rule), where a task misses its last station, and where what is left weighs more than the
stations left can take, in any weighting (`_bounds`).

Everything compiled is in this file and reached through `expand`, because Numba's cache
looks at the file of the called function alone.

Sources: Hoffmann (1963) Management Science 9(4), 551-562 (loads station by station);
Jackson (1956) Management Science 2(3), 261-271 (dominance); Sewell and Jacobson (2012)
INFORMS Journal on Computing 24(3), 433-442 (branch, bound and remember).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from linewright.improve._work import Flags, Floats, Ints

Bits = NDArray[np.uint64]

FOUND, CUT, KEPT, STEPS = range(4)
"""Rows of `Heap.counts`: 1 where row 0 is a finished state; 1 where anything was left
out; how many states there are; how many steps the search took."""


class Lines(NamedTuple):
    """What `expand` knows of the work; see `Work`, `Weightings` and `Windows`."""

    times: Ints
    cycle: int
    weights: Ints
    full: Ints
    after_start: Ints
    after: Ints
    n_before: Ints
    latest: Ints
    better: Flags  # [i, j]: task j can stand for task i
    value: Floats


class Heap(NamedTuple):
    """States of one number of stations, with a hash table to know them again."""

    bits: Bits
    parent: Ints
    value: Floats
    table: Ints
    counts: Ints
    least: Floats


class Load(NamedTuple):
    """The load that is being put together, and what the state still has to do."""

    missing: Ints  # tasks before each that are not done
    picked: Flags
    listed: Ints  # tasks that can be done, in the order in which they are tried
    chosen: Ints
    room: Ints
    left: Ints
    value: Floats
    n_must: Ints


@njit(cache=True, nogil=True)
def expand(lines, parents, span, stage, limits, heap):  # type: ignore[no-untyped-def]
    """Put the states that follow from some parents into the heap.

    Args:
        lines: The work.
        parents: Bits of the states with the same number of stations.
        span: First row of `parents` to expand, and the row after the last.
        stage: Number of stations of the parents, and of all stations.
        limits: How many states are kept at most, and how many loads of one state are
            looked at.
        heap: The states that follow, written in place.
    """
    n = lines.times.shape[1]
    load = Load(
        np.empty(n, np.int64),
        np.empty(n, np.bool_),
        np.empty(n + 1, np.int64),
        np.empty(n + 1, np.int64),
        np.empty(lines.times.shape[0], np.int64),
        np.empty(lines.weights.shape[0], np.int64),
        np.empty(1, np.float64),
        np.empty(1, np.int64),
    )
    n_listed = np.empty(n + 1, np.int64)
    at = np.empty(n + 1, np.int64)
    is_leaf = np.empty(n + 1, np.bool_)
    bits = np.empty(parents.shape[1], np.uint64)
    last_station = stage[0] + 1
    for p in range(span[0], span[1]):
        n_listed[0], n_done = _begin(lines, load, parents[p], last_station)
        depth = 0
        at[0] = 0
        is_leaf[0] = True
        n_loads = 0
        while True:
            heap.counts[STEPS] += 1
            i = at[depth]
            end = n_listed[depth]
            while i < end and not _fits(lines, load, load.listed[i]):
                i += 1
            if i < end:
                at[depth] = i + 1
                is_leaf[depth] = False
                load.chosen[depth] = load.listed[i]
                depth += 1
                at[depth] = i + 1
                n_listed[depth] = _pick(lines, load, load.listed[i], end, last_station)
                is_leaf[depth] = True
                continue
            if is_leaf[depth]:
                n_loads += 1
                if _is_good(lines, load, (depth, end), stage):
                    bits[:] = parents[p]
                    for d in range(depth):
                        j = load.chosen[d]
                        bits[j >> 6] |= np.uint64(1) << np.uint64(j & 63)
                    if n_done + depth == n:
                        heap.bits[0] = bits
                        heap.parent[0] = p
                        heap.counts[FOUND] = 1
                        return
                    _put(heap, bits, load.value[0], p, limits[0])
            if depth == 0:
                break
            if n_loads >= limits[1]:
                heap.counts[CUT] = 1
                break
            depth -= 1
            _unpick(lines, load, load.chosen[depth], last_station)


@njit(cache=True, nogil=True)
def _begin(lines, load, parent, station):  # type: ignore[no-untyped-def]
    """Read a state; return how many tasks can be done next, and how many are done."""
    n = lines.times.shape[1]
    load.missing[:] = lines.n_before
    load.picked[:] = False
    load.room[:] = lines.cycle
    load.left[:] = 0
    load.value[0] = 0.0
    load.n_must[0] = 0
    n_done = 0
    for j in range(n):
        if _has(parent, j):
            n_done += 1
            load.value[0] += lines.value[j]
            for a in range(lines.after_start[j], lines.after_start[j + 1]):
                load.missing[lines.after[a]] -= 1
        else:
            for g in range(lines.weights.shape[0]):
                load.left[g] += lines.weights[g, j]
            load.n_must[0] += lines.latest[j] <= station
    end = 0
    for j in range(n):
        if load.missing[j] == 0 and not _has(parent, j):
            i = end
            while i > 0 and lines.value[load.listed[i - 1]] < lines.value[j]:
                load.listed[i] = load.listed[i - 1]
                i -= 1
            load.listed[i] = j
            end += 1
    return end, n_done


@njit(cache=True, nogil=True)
def _has(bits, j):  # type: ignore[no-untyped-def]
    return (bits[j >> 6] >> np.uint64(j & 63)) & np.uint64(1) != np.uint64(0)


@njit(cache=True, nogil=True)
def _fits(lines, load, j):  # type: ignore[no-untyped-def]
    for r in range(lines.times.shape[0]):
        if lines.times[r, j] > load.room[r]:
            return False
    return True


@njit(cache=True, nogil=True)
def _pick(lines, load, j, end, station):  # type: ignore[no-untyped-def]
    """Take a task into the load; return how many tasks are listed then."""
    load.picked[j] = True
    load.value[0] += lines.value[j]
    for r in range(lines.times.shape[0]):
        load.room[r] -= lines.times[r, j]
    for g in range(lines.weights.shape[0]):
        load.left[g] -= lines.weights[g, j]
    load.n_must[0] -= lines.latest[j] <= station
    for a in range(lines.after_start[j], lines.after_start[j + 1]):
        s = lines.after[a]
        load.missing[s] -= 1
        if load.missing[s] == 0:
            load.listed[end] = s
            end += 1
    return end


@njit(cache=True, nogil=True)
def _unpick(lines, load, j, station):  # type: ignore[no-untyped-def]
    load.picked[j] = False
    load.value[0] -= lines.value[j]
    for r in range(lines.times.shape[0]):
        load.room[r] += lines.times[r, j]
    for g in range(lines.weights.shape[0]):
        load.left[g] += lines.weights[g, j]
    load.n_must[0] += lines.latest[j] <= station
    for a in range(lines.after_start[j], lines.after_start[j + 1]):
        load.missing[lines.after[a]] += 1


@njit(cache=True, nogil=True)
def _is_good(lines, load, size, stage):  # type: ignore[no-untyped-def]
    """Say whether a load is worth a state; no task after the last one tried fits."""
    if load.n_must[0] > 0:
        return False
    stations_left = stage[1] - stage[0] - 1
    for g in range(lines.weights.shape[0]):
        if load.left[g] > stations_left * lines.full[g]:
            return False
    depth, end = size
    for i in range(end):
        h = load.listed[i]
        if load.picked[h]:
            continue
        if _fits(lines, load, h):
            return False
        for d in range(depth):
            j = load.chosen[d]
            if lines.better[j, h]:
                fits = True
                for r in range(lines.times.shape[0]):
                    if lines.times[r, h] - lines.times[r, j] > load.room[r]:
                        fits = False
                if fits:
                    return False
    return True


@njit(cache=True, nogil=True)
def _put(heap, bits, value, parent, width):  # type: ignore[no-untyped-def]
    """Keep a state that is new; where there is no room, the best `width` stay."""
    if value < heap.least[0]:
        heap.counts[CUT] = 1
        return
    mask = heap.table.shape[0] - 1
    slot = _slot(bits, mask)
    while heap.table[slot] >= 0:
        row = heap.table[slot]
        same = True
        for w in range(bits.shape[0]):
            same = same and heap.bits[row, w] == bits[w]
        if same:
            return
        slot = (slot + 1) & mask
    row = heap.counts[KEPT]
    heap.table[slot] = row
    heap.bits[row] = bits
    heap.value[row] = value
    heap.parent[row] = parent
    heap.counts[KEPT] += 1
    if heap.counts[KEPT] == heap.parent.shape[0]:
        shrink(heap, width)


@njit(cache=True, nogil=True)
def _slot(bits, mask):  # type: ignore[no-untyped-def]
    h = np.uint64(0x9E3779B97F4A7C15)
    for w in range(bits.shape[0]):
        h ^= bits[w]
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(29)
    return np.int64(h & np.uint64(mask))


@njit(cache=True, nogil=True)
def shrink(heap, width):  # type: ignore[no-untyped-def]
    """Leave the `width` states of the highest value."""
    n = heap.counts[KEPT]
    if n <= width:
        return
    heap.counts[CUT] = 1
    least = _nth_largest(heap.value[:n].copy(), width)
    above = 0
    for row in range(n):
        above += heap.value[row] > least
    equal = width - above
    heap.table[:] = -1
    mask = heap.table.shape[0] - 1
    kept = 0
    for row in range(n):
        if heap.value[row] < least:
            continue
        if heap.value[row] == least:
            if equal == 0:
                continue
            equal -= 1
        heap.bits[kept] = heap.bits[row]
        heap.value[kept] = heap.value[row]
        heap.parent[kept] = heap.parent[row]
        slot = _slot(heap.bits[kept], mask)
        while heap.table[slot] >= 0:
            slot = (slot + 1) & mask
        heap.table[slot] = kept
        kept += 1
    heap.counts[KEPT] = kept
    heap.least[0] = least


@njit(cache=True, nogil=True)
def _nth_largest(values, n):  # type: ignore[no-untyped-def]
    """Return the value that `n` - 1 others are above or equal to; reorders them."""
    low, high = 0, values.shape[0] - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n - 1 <= j:
            high = j
        elif n - 1 >= i:
            low = i
        else:
            break
    return values[n - 1]
