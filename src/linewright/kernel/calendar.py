"""What happens next: one timer a leaf, the earliest found by a tournament.

Each server, failure clock, calendar and source has one timer. A key is the time and
the kind of event in one integer, `time << 4 | kind`, so one comparison orders both.
Simultaneous events of one kind go by the station's place in the file, then by part
number. Parts on the move share one leaf, behind which their arrivals lie in a binary
heap. A change costs the logarithm of the number of timers.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import choose_blindly, unlikely
from linewright.kernel.causes import note_timer
from linewright.tables import CHAINS, NEVER, State

__all__ = [
    "heap_pop",
    "heap_push",
    "heap_take",
    "set_timer",
    "timer_key",
    "timer_of",
]


@hot
def timer_key(time, kind):
    """Return the key of an event."""
    return (time << 4) | kind


@hot
def set_timer(state: State, leaf, key):
    """Set the timer of a leaf and play its matches up to the root.

    The winner so far is carried along and only its next opponent is loaded, so that no
    match waits for what the last one stored. Node 1 is the root and nodes `2 * i` and
    `2 * i + 1` play for node `i`, side by side, so that a match is on one cache line.
    Keys from NEVER on are not set. Of two equal keys the lower leaf's comes first,
    without a branch; where that is not the order of ties, `_set_among_ties` plays.
    """
    if state.clock[0].ties:
        _set_among_ties(state, leaf, key)
        return
    tree = state.tree
    node = (len(tree) >> 1) + leaf
    if key == NEVER:
        key += leaf  # no tie between timers that are not set
    tree[node].key = key
    winner = leaf
    while node > 1:
        other = tree[node ^ 1]
        is_higher_leaf = node & 1
        lost = other.key < key + is_higher_leaf
        key = choose_blindly(lost, other.key, key)
        winner = choose_blindly(lost, other.leaf, winner)
        node >>= 1
        tree[node].key = key
        tree[node].leaf = winner


@jit
def _set_among_ties(state: State, leaf, key):
    """Set a timer as `set_timer` does, with ties by station and part number.

    What caused it is written down where that is asked for.
    """
    if state.clock[0].ties & CHAINS and key < NEVER:
        note_timer(state, leaf)
    tree = state.tree
    node = (len(tree) >> 1) + leaf
    if key == NEVER:
        key += leaf
    tree[node].key = key
    winner = leaf
    while node > 1:
        other = tree[node ^ 1]
        if unlikely(other.key == key) and _comes_first(state, other.leaf, winner):
            winner = other.leaf
        lost = other.key < key
        key = choose_blindly(lost, other.key, key)
        winner = choose_blindly(lost, other.leaf, winner)
        node >>= 1
        tree[node].key = key
        tree[node].leaf = winner


@jit
def _comes_first(state: State, one, other):
    """Say whether of two leaves with one key the first comes first."""
    stations = state.leaf_station
    if stations[one] != stations[other]:
        return stations[one] < stations[other]
    a = _part_number(state, one)
    b = _part_number(state, other)
    return a < b or (a == b and one < other)


@jit
def _part_number(state: State, leaf):
    if leaf < len(state.servers):
        p = state.servers[leaf].part
        if p >= 0:
            return state.parts[p].serial
    return leaf


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


@jit
def heap_take(heap, n, kind, row):
    """Take what moves in a row out of the heap of `n`; return how many are left."""
    at = 0
    while at < n and (heap[at, 3] != row or heap[at, 0] & 15 != kind):
        at += 1
    if at == n:
        return n
    while at > 0:  # up to the root as if it came first
        parent = (at - 1) >> 1
        _swap(heap, at, parent)
        at = parent
    heap_pop(heap, n)
    return n - 1


@hot
def timer_of(state: State, leaf):
    """Return the key of a leaf's timer; from NEVER on it is not set."""
    return state.tree[(len(state.tree) >> 1) + leaf].key
