"""Task by task search for line balancing, compiled: every set of tasks once.

For a set of tasks that can be done first, one number says all that matters: how many
stations it takes at least, and how much of the last of them. That is dynamic
programming over the sets (Jackson 1956; Held, Karp and Shareshian 1963, Operations
Research 11(3), 442-459). It is exact where all sets fit into memory, and beats the
search over loads where a station has many tasks, because the same set is reached by
many loads. A set is left out where its stations have waited longer than all may, or
where a task would stand after its last station.

One load for each station is counted; several products that each have to fit have no
such number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from linewright.improve._beam import Answer
from linewright.improve._bounds import Windows
from linewright.improve._search import Bits
from linewright.improve._work import Ints, Work

_AT_ONCE = 20_000
_LARGEST_SHARE = 10
_NO_ROOM = -1


class _Lines(NamedTuple):
    """What `_add` knows of the work."""

    times: Ints
    cycle: int
    most_idle: int
    after_start: Ints
    after: Ints
    n_before: Ints
    latest: Ints


class _Sets(NamedTuple):
    """Sets with the same number of tasks.

    Attributes:
        bits: The tasks of each.
        used: Its whole stations and the last one's load, as one sum.
        work: Time of its tasks.
        parent: Row of the set before its last task.
    """

    bits: Bits
    used: Ints
    work: Ints
    parent: Ints


@njit(cache=True, nogil=True)
def _add(lines, sets, span, found, table, n_found):  # type: ignore[no-untyped-def]
    """Put the sets with one task more than those of a span among those found.

    Returns:
        How many were found so far, or -1 where there is no room for them.
    """
    n = lines.times.shape[0]
    n_words = sets.bits.shape[1]
    mask = table.shape[0] - 1
    one = np.uint64(1)
    missing = np.empty(n, np.int64)
    bits = np.empty(n_words, np.uint64)
    for p in range(span[0], span[1]):
        missing[:] = lines.n_before
        for i in range(n):
            if (sets.bits[p, i >> 6] >> np.uint64(i & 63)) & one != np.uint64(0):
                missing[i] = -1
                for a in range(lines.after_start[i], lines.after_start[i + 1]):
                    missing[lines.after[a]] -= 1
        last = (sets.used[p] + lines.cycle - 1) // lines.cycle
        room = last * lines.cycle - sets.used[p]
        for j in range(n):
            if missing[j] != 0:
                continue
            time = lines.times[j]
            used, station = sets.used[p] + time, max(last, 1)
            if time > room:
                used, station = last * lines.cycle + time, last + 1
            work = sets.work[p] + time
            if used - work > lines.most_idle or station > lines.latest[j]:
                continue
            bits[:] = sets.bits[p]
            bits[j >> 6] |= one << np.uint64(j & 63)
            h = np.uint64(0x9E3779B97F4A7C15)
            for w in range(n_words):
                h ^= bits[w]
                h *= np.uint64(0xBF58476D1CE4E5B9)
                h ^= h >> np.uint64(29)
            slot = np.int64(h & np.uint64(mask))
            row = table[slot]
            while row >= 0:
                same = True
                for w in range(n_words):
                    same = same and found.bits[row, w] == bits[w]
                if same:
                    break
                slot = (slot + 1) & mask
                row = table[slot]
            if row >= 0 and found.used[row] <= used:
                continue
            if row < 0:
                row = n_found
                if row == found.used.shape[0]:
                    return -1
                n_found += 1
                table[slot] = row
                found.bits[row] = bits
                found.work[row] = work
            found.used[row] = used
            found.parent[row] = p
    return n_found


def enumerate_sets(
    work: Work,
    cycle: int,
    at: Windows,
    stations: int,
    room: tuple[int, Callable[[], float]],
) -> Answer:
    """Look for an assignment by going through all sets of tasks.

    Args:
        work: The tasks, with one row of times.
        cycle: Most that a station can take.
        at: First and last station of each task.
        stations: Number of stations.
        room: How many sets may be kept in all, and what returns the seconds left.
    """
    most_sets, time_left = room
    lines = _lines_of(work, cycle, at, stations)
    words = (work.n + 63) // 64
    zero = np.zeros(1, np.int64)
    layers = [_Sets(np.zeros((1, words), np.uint64), zero, zero, zero)]
    kept = 1
    for _ in range(work.n):
        most = min(most_sets - kept, most_sets // _LARGEST_SHARE)
        found = _next_layer(lines, layers[-1], most, time_left)
        if found is None:
            return Answer(None, proven=False)
        if not len(found.used):
            return Answer(None, proven=True)
        kept += len(found.used)
        layers.append(found)
    if layers[-1].used[0] > stations * cycle:
        return Answer(None, proven=True)
    return Answer(_stations_of(layers, work, cycle), proven=True)


def _lines_of(work: Work, cycle: int, at: Windows, stations: int) -> _Lines:
    (times,) = work.times
    starts = np.cumsum([0, *(len(a) for a in work.after)])
    return _Lines(
        times,
        cycle,
        stations * cycle - int(times.sum()),
        starts.astype(np.int64),
        np.array([j for a in work.after for j in a], dtype=np.int64),
        np.array([len(f) for f in work.first], dtype=np.int64),
        np.ascontiguousarray(at.latest),
    )


def _next_layer(
    lines: _Lines, sets: _Sets, most: int, time_left: Callable[[], float]
) -> _Sets | None:
    """Return the sets with one task more; none where room or time ran out."""
    n = len(sets.used)
    size = min(most, max(1_000, 4 * n))
    while size > 0:
        found = _Sets(
            np.empty((size, sets.bits.shape[1]), np.uint64),
            np.empty(size, np.int64),
            np.empty(size, np.int64),
            np.empty(size, np.int64),
        )
        table = np.full(1 << (2 * size).bit_length(), -1, np.int64)
        n_found = 0
        for start in range(0, n, _AT_ONCE):
            if time_left() <= 0:
                return None
            span = (start, min(n, start + _AT_ONCE))
            n_found = _add(lines, sets, span, found, table, n_found)
            if n_found == _NO_ROOM:
                break
        if n_found != _NO_ROOM:
            return _Sets(
                found.bits[:n_found].copy(),
                found.used[:n_found].copy(),
                found.work[:n_found].copy(),
                found.parent[:n_found].copy(),
            )
        if size == most:
            return None
        size = min(most, 4 * size)
    return None


def _stations_of(layers: list[_Sets], work: Work, cycle: int) -> Ints:
    """Return the station of each task, walking back from all tasks."""
    station = np.zeros(work.n, np.int64)
    columns = np.arange(work.n)
    row = 0
    for above, below in zip(reversed(layers), reversed(layers[:-1]), strict=False):
        parent = int(above.parent[row])
        new = above.bits[row] ^ below.bits[parent]
        is_new = (new[columns >> 6] >> (columns & 63).astype(np.uint64)) & np.uint64(1)
        last = -(-int(above.used[row]) // cycle)
        station[is_new == 1] = max(0, last - 1)
        row = parent
    return station
