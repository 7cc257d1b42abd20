"""What released what: the chain of causes from each event back to the start.

Every timer is set while an event is dealt with, which is its cause: the work that ends
now began when that event happened. Walked back from the last departure, the chain says
on which work, repairs, setups and ways the whole time of a run went by: the critical
path. Its share of a kind of time is the derivative of the throughput with respect to
that time (docs/methods/worth.md).

Work that a shift change or a failure by the calendar stops and lets go on was not begun
by these: its chain goes on through the pause. What the calendar, a dated order or a
delivery begins has no cause in the line, and the chain ends there.

Events are rows of one half of `chain`. When it is full, where all chains run together,
which is soon, the common part is added up in `path`, and what chains are left is moved
to the other half: memory does not grow with the run.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import likely, unlikely
from linewright.tables import (
    ADVANCED,
    ARRIVAL,
    CLOCK_CALENDAR,
    CLOCK_OPERATING,
    FAILURE,
    FETCHED,
    FINISH,
    LOADED,
    MOVED,
    NEVER,
    PEOPLE_CAME,
    REPAIRED,
    SETTING_UP,
    SETUP_DONE,
    UNLOADED,
    WAITED,
    WORKING,
    LineTables,
    State,
)

__all__ = [
    "chain_is_full",
    "drop_pause",
    "fold",
    "measure_chain",
    "note_event",
    "note_pause",
    "note_timer",
    "note_way",
]

_FROM_LINE, _FROM_OUTSIDE, _STOP_FROM_OUTSIDE = 0, 1, 2
_UNMOVED, _WANTED = -1, -2  # rows that a fold comes to; the wanted stay as they are
_FOLD_BITS = (1 << 30) - 1  # folds are counted in four bytes


@hot
def note_event(line: LineTables, state: State, key):
    """Write down the event that comes next, and what caused it."""
    clock = state.clock[0]
    if clock.finished != clock.exits:
        clock.exits = clock.finished
        clock.exit = clock.node
    if likely(key & 15 == FINISH):
        leaf = state.winners[1]
        clock.outside = _FROM_LINE
        clock.node = append(state, state.causes[leaf], leaf, key >> 4)
    else:
        note_rare_event(line, state, key)


@jit
def note_rare_event(line: LineTables, state: State, key):
    """Write down an event that is not the end of a server's work."""
    clock = state.clock[0]
    leaf = state.winners[1]
    clock.outside = _FROM_LINE
    kind = key & 15
    servers, modes = len(state.servers), len(state.modes)
    stations = len(state.stations)
    others = 6 * servers + 2 * modes
    parent = -1
    what = clock.path_width - 2  # from outside
    if kind == FAILURE and leaf < servers:
        what = leaf
    elif kind == SETUP_DONE:
        what = servers + leaf
    elif kind == LOADED or kind == UNLOADED:
        what = 2 * servers + leaf
    elif kind == ADVANCED:
        what = 3 * servers + leaf
    elif kind == REPAIRED:
        m = state.servers[leaf].down if leaf < servers else line.leaf_row[leaf]
        what = 5 * servers + m
        by = state.modes[m].clock
        if by == CLOCK_CALENDAR or by == CLOCK_OPERATING:
            clock.outside = _STOP_FROM_OUTSIDE
    elif kind == PEOPLE_CAME:
        claimant = leaf if leaf < servers else servers + line.leaf_row[leaf]
        what = 5 * servers + modes + claimant
    elif kind == MOVED:
        what = others + state.heap[0, 1]
        leaf = place_of_part(state, state.heap[0, 3])
    elif kind == WAITED:
        what = others + stations + line.leaf_row[leaf]
    elif kind == FETCHED:
        what = others + 2 * stations + state.heap[0, 1]
        leaf = place_of_vehicle(state, state.heap[0, 3])
    elif kind == ARRIVAL:
        what = others + 2 * stations + len(state.fleets) + line.leaf_row[leaf]
    else:
        clock.outside = _FROM_OUTSIDE
    if clock.outside != _FROM_OUTSIDE:
        parent = state.causes[leaf]
    clock.node = append(state, parent, what, key >> 4)


@hot
def append(state: State, parent, what, at):
    """Write one row of the chain and return its number."""
    clock = state.clock[0]
    i = clock.n_chain
    row = state.chain[i]
    row.parent = parent
    row.what = what
    row.at = at
    clock.n_chain = i + 1
    return i


# places in `causes`: leaves, servers that pause, parts on their way, vehicles


@hot
def paused_place(state: State, s):
    """Return the place in `causes` of the event that stopped a server's work."""
    return len(state.leaf_station) + s


@hot
def place_of_part(state: State, p):
    """Return the place in `causes` of what sent a part on its way."""
    return len(state.leaf_station) + len(state.servers) + p


@hot
def place_of_vehicle(state: State, v):
    """Return the place in `causes` of what sent a vehicle on its way."""
    return len(state.leaf_station) + len(state.servers) + len(state.parts) + v


@hot
def note_timer(state: State, leaf):
    """Write down what caused a timer that is set now."""
    clock = state.clock[0]
    node = clock.node
    if leaf < len(state.servers):
        place = paused_place(state, leaf)
        before = state.causes[place]
        if unlikely(before >= 0):
            state.causes[place] = -1
            if clock.outside != _FROM_LINE:
                node = _go_on(state, leaf, before)
    state.causes[leaf] = node


@jit
def _go_on(state: State, s, before):
    """Write down that work goes on that was stopped by something from outside."""
    clock = state.clock[0]
    what = 4 * len(state.servers) + s
    if clock.outside == _STOP_FROM_OUTSIDE:
        what = state.chain[clock.node].what
    return append(state, before, what, clock.now)


@jit
def note_pause(state: State, s, phase):
    """Write down that the work on a server stops, to go on some time."""
    what = s
    if phase == SETTING_UP:
        what += len(state.servers)
    elif phase != WORKING:
        what += 2 * len(state.servers)
    node = append(state, state.causes[s], what, state.clock[0].now)
    state.causes[paused_place(state, s)] = node


@jit
def note_way(state: State, row, is_vehicle):
    """Write down what sent a part, or a vehicle, on its way."""
    place = place_of_vehicle(state, row) if is_vehicle else place_of_part(state, row)
    state.causes[place] = state.clock[0].node


@jit
def drop_pause(state: State, s):
    """Forget that work was stopped which will not go on."""
    state.causes[paused_place(state, s)] = -1


# ------------------------------------------------------------------ bounded memory


@hot
def chain_is_full(state: State):
    """Say whether the half in use has no room for what one more event may write."""
    clock = state.clock[0]
    return clock.n_chain > clock.chain_end


@jit
def measure_chain(state: State):
    """Note up to which row an event may still begin in the half in use."""
    clock = state.clock[0]
    margin = 2 * (len(state.servers) + len(state.modes)) + 64
    clock.chain_end = clock.chain_first + (len(state.chain) >> 1) - margin


@hot
def see(state: State, node):
    """Say whether a row was come to before in this fold, and note that it is now.

    What a fold notes in a row counts in this fold alone: nothing has to be written
    there beforehand, neither by events nor at the end of a fold.
    """
    row = state.chain[node]
    number = state.clock[0].n_folds & _FOLD_BITS
    if row.fold == number:
        return True
    row.fold = number
    row.n_after = 0
    row.moved_to = _UNMOVED
    return False


@jit
def _count_back(state: State, node, n_roots):
    """Walk from an event that is wanted back to what was walked before, and count.

    Of each event on the way it is then known how many chains come to it, and from where
    the last one. Roots are listed in the half that is free. Returns their number.
    """
    row = state.chain[node]
    is_known = see(state, node)
    row.moved_to = _WANTED
    while not is_known:
        if row.parent < 0:
            listed = state.chain[_other_half(state) + n_roots]
            listed.after = node
            if row.parent < -1:
                state.path[-2 - row.parent] = 1
            return n_roots + 1
        is_known = see(state, row.parent)
        before = state.chain[row.parent]
        before.n_after += 1
        before.after = node
        node = row.parent
        row = before
    return n_roots


@jit
def _other_half(state: State):
    return (len(state.chain) >> 1) - state.clock[0].chain_first


@jit
def _free_sums(state: State):
    """Return where a row of sums begins that is free, set to zero, or -1."""
    stride = state.clock[0].path_width
    for first in range(0, len(state.path), stride):
        if state.path[first] == 0:
            for i in range(first + 1, first + stride):
                state.path[i] = 0
            state.path[first] = 1
            return first
    return -1


@jit
def _add_common(state: State, node):
    """Add up what all chains from a root have in common, and forget it."""
    since = state.clock[0].path_since
    row = state.chain[node]
    while row.moved_to != _WANTED and row.n_after == 1:
        if row.parent == -1:
            first = _free_sums(state)
            if first < 0:
                return
            row.parent = -2 - first
        after = state.chain[row.after]
        span = max(after.at, since) - max(row.at, since)
        state.path[-1 - row.parent + after.what] += span
        after.parent = row.parent
        row = after


@jit
def _move(state: State, node):
    """Move an event, and all that its chain still has, to the half that is free.

    Returns its new place.
    """
    moved = -1
    new = -1
    while node >= 0:
        row = state.chain[node]
        place = row.moved_to
        is_there = place >= 0
        if not is_there:
            place = append(state, row.parent, row.what, row.at)
            row.moved_to = place
        if moved < 0:
            new = place
        else:
            state.chain[moved].parent = place
        if is_there:
            return new
        moved = place
        node = row.parent
    return new


@jit
def _forget_idle(state: State):
    """Forget what caused timers that are not set."""
    leaves = len(state.leaf_station)
    for leaf in range(leaves):
        if state.tree[leaves + leaf] >= NEVER:
            state.causes[leaf] = -1


@jit
def fold(state: State):
    """Make room in the chain; say whether more than half is free again."""
    clock = state.clock[0]
    clock.n_folds += 1
    stride = clock.path_width
    for first in range(0, len(state.path), stride):
        state.path[first] = 0
    _forget_idle(state)
    n_places = len(state.leaf_station) + len(state.servers)
    n_roots = _count_back(state, clock.node, 0)
    if clock.exit >= 0:
        n_roots = _count_back(state, clock.exit, n_roots)
    for place in range(n_places):
        if state.causes[place] >= 0:
            n_roots = _count_back(state, state.causes[place], n_roots)
    for i in range(clock.n_heap):
        place = _place_of_way(state, state.heap[i, 3], state.heap[i, 0] & 15)
        if place >= 0:
            n_roots = _count_back(state, state.causes[place], n_roots)
    half = _other_half(state)
    for i in range(n_roots):
        _add_common(state, state.chain[half + i].after)
    clock.n_chain = half
    clock.node = _move(state, clock.node)
    clock.exit = _move(state, clock.exit)
    for place in range(n_places):
        state.causes[place] = _move(state, state.causes[place])
    for i in range(clock.n_heap):
        place = _place_of_way(state, state.heap[i, 3], state.heap[i, 0] & 15)
        if place >= 0:
            state.causes[place] = _move(state, state.causes[place])
    clock.chain_first = half
    measure_chain(state)
    return 4 * (clock.n_chain - half) < len(state.chain)


@jit
def _place_of_way(state: State, row, kind):
    """Return the place in `causes` of a part's or a vehicle's way, or -1."""
    if kind == MOVED:
        return place_of_part(state, row)
    if kind == FETCHED:
        return place_of_vehicle(state, row)
    return -1
