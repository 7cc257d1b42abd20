"""What happens next: one timer a leaf, the earliest found by a tournament.

Each server, failure clock, calendar and source has one timer. A key is the time and
the kind of event in one integer, `time << 4 | kind`, so one comparison orders both.
Simultaneous events of one kind go by the station's place in the file, then by part
number. Parts on the move share one leaf, behind which their arrivals lie in a binary
heap. A change costs the logarithm of the number of timers.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.tables import NEVER, State

__all__ = ["heap_pop", "heap_push", "set_timer", "timer_key"]


@hot
def timer_key(time, kind):
    """Return the key of an event."""
    return (time << 4) | kind


@jit
def _part_number(state: State, leaf):
    if leaf < len(state.servers):
        p = state.servers[leaf].part
        if p >= 0:
            return state.parts[p].serial
    return leaf


@jit
def _right_first(state: State, left, right):
    """Say whether of two leaves with one key the right one comes first."""
    a = state.leaf_station[left]
    b = state.leaf_station[right]
    if a != b:
        return b < a
    return _part_number(state, right) < _part_number(state, left)


@hot
def set_timer(state: State, leaf, key):
    """Set the timer of a leaf and play its matches up to the root."""
    keys = state.tree_key
    leaves = state.tree_leaf
    stations = state.leaf_station
    node = (len(keys) >> 1) + leaf
    keys[node] = key
    while node > 1:
        left = node & ~1
        right = left | 1
        a = keys[left]
        b = keys[right]
        # both loads before the choice: it then costs no branch, which would be missed
        # half of the time
        first = leaves[left]
        second = leaves[right]
        winner = second if b < a else first
        best = min(a, b)
        if a == b and a != NEVER:
            # the left one comes first in the file, unless both are of one station
            if stations[first] >= stations[second] and _right_first(
                state, first, second
            ):
                winner = second
        node >>= 1
        keys[node] = best
        leaves[node] = winner


@jit
def _before(heap, i, j):
    """Order of two moving parts: time, station, part number."""
    for column in range(3):
        if heap[i, column] != heap[j, column]:
            return heap[i, column] < heap[j, column]
    return False


@jit
def _swap(heap, i, j):
    for column in range(4):
        kept = heap[i, column]
        heap[i, column] = heap[j, column]
        heap[j, column] = kept


@jit
def heap_push(heap, n, key, station, serial, part):
    """Put a moving part into the heap of `n`; columns: key, station, number, part."""
    heap[n, 0] = key
    heap[n, 1] = station
    heap[n, 2] = serial
    heap[n, 3] = part
    while n > 0:
        parent = (n - 1) >> 1
        if not _before(heap, n, parent):
            break
        _swap(heap, n, parent)
        n = parent


@jit
def heap_pop(heap, n):
    """Take the first moving part out of the heap of `n`; return its row."""
    part = heap[0, 3]
    n -= 1
    _swap(heap, 0, n)
    at = 0
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        if child + 1 < n and _before(heap, child + 1, child):
            child += 1
        if not _before(heap, child, at):
            break
        _swap(heap, at, child)
        at = child
    return part
