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
from linewright.tables import CHAINS, NEVER, TIES_OF_LEAVES, State

__all__ = [
    "confirm_timer",
    "foretell_timer",
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

    Keys from NEVER on are not set.
    """
    if unlikely(state.clock[0].ties != 0):
        _set_and_look(state, leaf, key)
        return
    if key == NEVER:
        key += leaf  # no tie between timers that are not set
    _play(state, leaf, key)


@hot
def foretell_timer(state: State, leaf, key):
    """Set a timer before it is known for sure that it will be set so.

    What comes next is then known sooner, and while the present event is dealt with, the
    processor can look up what the next one needs. The event itself goes on to set the
    timer (`confirm_timer`), whether that was foretold rightly or not.
    """
    if key == NEVER:
        key += leaf
    _play(state, leaf, key)


@hot
def confirm_timer(state: State, leaf, key):
    """Set the timer of a leaf, unless it was foretold so."""
    if unlikely(state.clock[0].ties != 0):
        _set_and_look(state, leaf, key)
        return
    if key == NEVER:
        key += leaf
    if timer_of(state, leaf) != key:
        _play(state, leaf, key)


@hot
def _play(state: State, leaf, key):
    """Write a leaf's key and play its matches up to the root.

    The winner so far is carried along and only its next rival is loaded, so that no
    match waits for what the last one stored. Node 1 is the root and nodes `2 * i` and
    `2 * i + 1` play for node `i`. Of two equal keys the lower leaf's comes first,
    without a branch; where that is not the order of ties, `_play_among_ties` plays.
    """
    keys, winners = state.tree, state.winners
    node = (len(keys) >> 1) + leaf
    keys[node] = key
    winner = leaf
    while True:
        rival = node ^ 1
        other = keys[rival]
        is_higher_leaf = node & 1
        node >>= 1
        lost = other < key + is_higher_leaf
        key = choose_blindly(lost, other, key)
        winner = choose_blindly(lost, winners[rival], winner)
        keys[node] = key
        winners[node] = winner
        if node <= 1:
            break


@jit
def _set_and_look(state: State, leaf, key):
    """Set a timer as `set_timer` does, where ties or causes are to be looked at."""
    ties = state.clock[0].ties
    if ties & CHAINS and key < NEVER:
        note_timer(state, leaf)
    if key == NEVER:
        key += leaf
    if ties & TIES_OF_LEAVES:
        _play_among_ties(state, leaf, key)
    elif timer_of(state, leaf) != key:
        _play(state, leaf, key)


@jit
def _play_among_ties(state: State, leaf, key):
    """Play as `_play` does, with ties by station and part number."""
    keys, winners = state.tree, state.winners
    node = (len(keys) >> 1) + leaf
    keys[node] = key
    winner = leaf
    while node > 1:
        rival = node ^ 1
        other = keys[rival]
        if unlikely(other == key) and _comes_first(state, winners[rival], winner):
            winner = winners[rival]
        lost = other < key
        key = choose_blindly(lost, other, key)
        winner = choose_blindly(lost, winners[rival], winner)
        node >>= 1
        keys[node] = key
        winners[node] = winner


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
    return state.tree[(len(state.tree) >> 1) + leaf]
