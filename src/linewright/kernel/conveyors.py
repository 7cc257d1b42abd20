"""Conveyors: parts that stand one behind the other, close up, and leave in their order.

The places of a conveyor are the servers of its station. A part enters when the one
before it has gone on by one place, and comes to the end after the time of the whole
way; it leaves there when it is the first, one place behind the part before it. So the
conveyor is the same as a row of places in which each part takes its time and then waits
until the next one is free. Where parts do not accumulate, the belt stands while the
first part waits at its end.

Distances are kept as time in which the belt has moved (`way`), so that they wait while
it stands: `way_in` at the last entry, `way_out` at the last exit. Parts on a belt are
linked by `mate`, the first at its head.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.calendar import set_timer, timer_key
from linewright.kernel.moves import OFFER, PULL, push, set_mode
from linewright.kernel.running import is_held, run, stop
from linewright.tables import (
    ADVANCED,
    BLOCKED,
    CALENDAR_ON,
    DONE,
    NEVER,
    NOBODY,
    ON_SERVER,
    PROCESSING,
    TO_GO_ON,
    WAITED,
    LineTables,
    State,
)

__all__ = [
    "advanced",
    "arrive_at_end",
    "enter_belt",
    "is_closed",
    "leave_belt",
    "open_entry",
    "update_belt",
]


@jit
def way_now(state: State, k):
    """Return how long a belt has moved until now."""
    belt = state.belts[k]
    if belt.moves:
        return belt.way + state.clock[0].now - belt.since
    return belt.way


@jit
def is_closed(state: State, k):
    """Say whether no part may enter a belt: it stands, or its entry is taken."""
    belt = state.belts[k]
    return belt.closed or not belt.moves or state.stations[k].n_ready > 0


@jit
def enter_belt(line: LineTables, state: State, p, k):
    """Put a part on a belt, whose entry is taken until it has gone on by one place."""
    belt = state.belts[k]
    state.parts[p].mate = -1
    if belt.head < 0:
        belt.head = p
    else:
        state.parts[belt.tail].mate = p
    belt.tail = p
    belt.closed = 1
    belt.way_in = way_now(state, k)
    set_entry_timer(line, state, k)


@jit
def set_entry_timer(line: LineTables, state: State, k):
    """Set when the entry of a belt will be open, if it moves on."""
    belt = state.belts[k]
    key = NEVER
    if belt.closed and belt.moves:
        left = belt.way_in + line.stations[k].gap_us - way_now(state, k)
        key = timer_key(state.clock[0].now + left, WAITED)
    set_timer(state, line.stations[k].leaf, key)


@jit
def open_entry(line: LineTables, state: State, k):
    """Open the entry of a belt: the last part has gone on by one place."""
    state.belts[k].closed = 0
    set_timer(state, line.stations[k].leaf, NEVER)
    let_look(line, state, k)


@jit
def let_look(line: LineTables, state: State, k):
    """Let the first free place of a belt look for a part."""
    fixed = line.stations[k]
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        if state.servers[s].part < 0 and state.servers[s].down < 0:
            push(state, PULL, s)
            return


@jit
def arrive_at_end(line: LineTables, state: State, p, s):
    """Let a part that has come to the end leave, or close up, when it is the first."""
    k = state.servers[s].station
    belt = state.belts[k]
    set_mode(state, s, BLOCKED)
    if belt.head != p:
        return
    if belt.way_out + line.stations[k].gap_us > way_now(state, k):
        set_end_timer(line, state, k)
    else:
        push(state, OFFER, p)


@jit
def set_end_timer(line: LineTables, state: State, k):
    """Set when the first part of a belt will have closed up, if the belt moves on."""
    belt = state.belts[k]
    if belt.head < 0:
        return
    s = state.parts[belt.head].place
    server = state.servers[s]
    if server.phase != DONE or state.parts[belt.head].where != ON_SERVER:
        return
    left = belt.way_out + line.stations[k].gap_us - way_now(state, k)
    server.due = NEVER
    if belt.moves:
        server.due = timer_key(state.clock[0].now + max(left, 0), ADVANCED)
    set_timer(state, s, server.due)


@jit
def advanced(state: State, s):
    """Let the first part of a belt leave: it has closed up to the end."""
    state.servers[s].due = NEVER
    set_timer(state, s, NEVER)
    push(state, OFFER, state.servers[s].part)


@jit
def leave_belt(line: LineTables, state: State, p, k):
    """Take the first part off a belt; the one behind it closes up."""
    belt = state.belts[k]
    belt.head = state.parts[p].mate
    state.parts[p].mate = -1
    if belt.head < 0:
        belt.tail = -1
    belt.way_out = way_now(state, k)
    update_belt(line, state, k)
    set_end_timer(line, state, k)


@jit
def must_stand(line: LineTables, state: State, k):
    """Say whether a belt has to stand: off shift, down, or held up at its end."""
    fixed = line.stations[k]
    if state.stations[k].shift != CALENDAR_ON:
        return True
    if state.servers[fixed.first_server].down >= 0:
        return True
    head = state.belts[k].head
    if fixed.conveyor == 1 or head < 0:
        return False
    # what has come to the end of a belt on which nothing closes up waits there
    server = state.servers[state.parts[head].place]
    return server.phase == DONE and state.parts[head].where != ON_SERVER


@jit
def update_belt(line: LineTables, state: State, k):
    """Let a belt move or stand, as it has to now, with all that is on it."""
    belt = state.belts[k]
    moves = not must_stand(line, state, k)
    if moves == (belt.moves == 1):
        return
    if moves:
        belt.since = state.clock[0].now
        belt.moves = 1
    else:
        belt.way = way_now(state, k)
        belt.moves = 0
    fixed = line.stations[k]
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        server = state.servers[s]
        if not is_held(state, s) or server.down >= 0:
            continue
        if moves:
            server.waits = NOBODY
            set_mode(state, s, PROCESSING)
            run(state, s)
        else:
            if server.running:
                stop(state, s)
                set_timer(state, s, NEVER)
            server.waits = TO_GO_ON  # what has entered in this instant begins later
            if state.stations[k].shift == CALENDAR_ON:
                set_mode(state, s, BLOCKED)
    set_entry_timer(line, state, k)
    set_end_timer(line, state, k)
    if moves:
        let_look(line, state, k)
