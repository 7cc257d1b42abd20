"""Parts that wait for room where they are: on their server, or in an output buffer.

A part that finds no room waits in the list of its destination; every buffer of that
destination counts it among its waiters, so that room there wakes the list.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import unlikely
from linewright.kernel.conveyors import leave_belt, update_belt
from linewright.kernel.deadlock import find_deadlock
from linewright.kernel.moves import (
    PULL,
    ROOM,
    ROOM_OUTPUT,
    book_stay,
    enter_buffer,
    insert,
    leave_buffer,
    push,
    set_mode,
    trace,
    unlink,
)
from linewright.kernel.work import next_pending, show
from linewright.tables import (
    BLOCKED,
    BLOCKED_ON_SERVER,
    CALENDAR_ON,
    DONE,
    HOLDS_PARTS,
    IN_OUTPUT,
    NONE,
    ON_SERVER,
    S_N_QUEUES,
    T_BLOCK,
    T_OUTPUT,
    LineTables,
    State,
)

__all__ = [
    "leave_server",
    "may_leave",
    "release_origin",
    "split_product",
    "stay",
    "stop_waiting",
    "to_output",
    "together",
    "wait_for",
    "waiting_for",
]


@hot
def leave_server(state: State, s):
    """Free a server of the part that moves on."""
    state.servers[s].part = -1
    state.servers[s].phase = NONE


@jit
def may_leave(line: LineTables, state: State, p):
    """Say whether a part that waits may leave: a server that stops may hold it."""
    part = state.parts[p]
    if part.where != BLOCKED_ON_SERVER:
        return True
    server = state.servers[part.place]
    if not line.stations[server.station].holds & HOLDS_PARTS:
        return True
    return server.down < 0 and state.stations[server.station].shift == CALENDAR_ON


@hot
def vacate(state: State, p, s):
    """Free a server of a part that leaves it, and let it look for work if it is empty.

    What shared a batch with the part may still stand there.
    """
    server = state.servers[s]
    if unlikely(server.n_parts > 1):
        step_off(state, p, s)
        return
    server.part = -1
    server.phase = NONE
    push(state, PULL, s)


@jit
def step_off(state: State, p, s):
    """Take one part of a batch off its server."""
    server = state.servers[s]
    server.n_parts -= 1
    mate = state.parts[p].mate
    if server.part == p:
        server.part = mate
    else:
        q = server.part
        while state.parts[q].mate != p:
            q = state.parts[q].mate
        state.parts[q].mate = mate
    state.parts[p].mate = -1


@hot
def release_origin(line: LineTables, state: State, p):
    """Free what a part leaves behind when it moves on."""
    part = state.parts[p]
    where = part.where
    if where == ON_SERVER or where == BLOCKED_ON_SERVER:
        if where == BLOCKED_ON_SERVER:
            stop_waiting(line, state, p)
        station = state.servers[part.place].station
        vacate(state, p, part.place)
        if unlikely(line.stations[station].conveyor != 0):
            leave_belt(line, state, p, station)
    elif where == IN_OUTPUT:
        stop_waiting(line, state, p)
        leave_buffer(state, part.place, p)
        if line.buffers[part.place].n_feeders > 0:
            push(state, ROOM_OUTPUT, part.place)


@hot
def stop_waiting(line: LineTables, state: State, p):
    """Take a part out of the list of its destination, if it waits for room there."""
    part = state.parts[p]
    if unlikely(part.list < 0):
        return  # a vehicle has come for it
    d = part.list - line.settings[S_N_QUEUES]
    unlink(state, p)
    dest = line.dests[d]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        state.buffers[line.targets[j].buffer].waiters -= 1
    if part.woken >= 0:
        push(state, ROOM, part.woken)
        part.woken = -1


@jit
def start_waiting(line: LineTables, state: State, p, d):
    """Put a part into the list of a destination, in the order in which parts came."""
    insert(state, line.settings[S_N_QUEUES] + d, p)
    dest = line.dests[d]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        state.buffers[line.targets[j].buffer].waiters += 1


@jit
def wait_for(line: LineTables, state: State, p, d):
    """Let a part wait for room at a destination, on its server or in an output."""
    part = state.parts[p]
    part.woken = -1
    if part.where == BLOCKED_ON_SERVER or part.where == IN_OUTPUT:
        if part.list != line.settings[S_N_QUEUES] + d:
            stop_waiting(line, state, p)
            start_waiting(line, state, p, d)
        find_deadlock(line, state, p, d)
        return
    state.clock[0].sequence += 1
    part.sequence = state.clock[0].sequence
    start_waiting(line, state, p, d)
    stay(line, state, p, d)
    find_deadlock(line, state, p, d)


@jit
def stay(line: LineTables, state: State, p, d):
    """Let a part whose work has ended stay: in the output buffer, or on its server."""
    part = state.parts[p]
    s = part.place
    station = state.servers[s].station
    o = line.stations[station].out_buffer
    if o >= 0 and part.split == 0 and state.buffers[o].level < state.buffers[o].slots:
        to_output(state, p, o)
        return
    part.where = BLOCKED_ON_SERVER
    trace(state, T_BLOCK, station, p, s, d)
    if line.stations[station].conveyor:
        update_belt(line, state, station)
    if state.stations[station].shift == CALENDAR_ON:
        set_mode(state, s, BLOCKED)
    else:
        show(line, state, s)
    if state.servers[s].pending > 0 and state.servers[s].phase == DONE:
        next_pending(line, state, s, True)


@jit
def to_output(state: State, p, o):
    """Move a finished part from its server into the output buffer, still waiting."""
    part = state.parts[p]
    s = part.place
    vacate(state, p, s)
    if part.reserved >= 0:
        book_stay(state, part.reserved, p)
    enter_buffer(state, o, p)
    part.where = IN_OUTPUT
    part.place = o
    trace(state, T_OUTPUT, o, p, s, 0)


@hot
def waiting_for(line: LineTables, state: State, k):
    """Say whether parts wait somewhere in the line for room at a station."""
    fixed = line.stations[k]
    found = False
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        if state.lists[line.settings[S_N_QUEUES] + line.links[i]].count > 0:
            found = True
    return found


@jit
def split_product(line: LineTables, state: State, p):
    """Return the product of the unit that a split part sets free next."""
    part = state.parts[p]
    step = line.steps[part.step]
    left = part.split - 1
    for i in range(step.first_make, step.first_make + step.n_makes):
        if left < line.uses[i].quantity:
            return line.uses[i].product
        left -= line.uses[i].quantity
    return -1


@jit
def all_fit(line: LineTables, state: State, p):
    """Return -1 if all units of a split find room at once, else a full destination.

    Units that go to one buffer want its places, and the servers behind it, together.
    """
    part = state.parts[p]
    step = line.steps[part.step]
    last = step.first_make + step.n_makes
    for i in range(step.first_make, last):
        d = line.steps[line.products[line.uses[i].product].first_step].dest
        wanted = 0
        for j in range(step.first_make, last):
            other = line.steps[line.products[line.uses[j].product].first_step].dest
            if other == d or _share_buffer(line, d, other):
                wanted += line.uses[j].quantity
        free = 0
        dest = line.dests[d]
        for j in range(dest.first_target, dest.first_target + dest.n_targets):
            target = line.targets[j]
            free += state.stations[target.station].n_ready
            free += state.buffers[target.buffer].slots
            free -= state.buffers[target.buffer].level
        if free < wanted:
            return d
    return -1


@jit
def _share_buffer(line: LineTables, one, other):
    """Say whether two destinations have a buffer in common."""
    a = line.dests[one]
    b = line.dests[other]
    for i in range(a.first_target, a.first_target + a.n_targets):
        for j in range(b.first_target, b.first_target + b.n_targets):
            if line.targets[i].buffer == line.targets[j].buffer:
                return True
    return False


@jit
def together(line: LineTables, state: State, p):
    """Say whether units that leave all at once or not at all find room, each its own.

    If not, the part waits on for the destination that is full now: room may have come
    at the one it waited for and still be missing at another. Places are not kept for
    it: what needs fewer goes first.
    """
    part = state.parts[p]
    if part.split == 0 or not line.steps[part.step].together:
        return True
    full = all_fit(line, state, p)
    if full < 0:
        return True
    wait_for(line, state, p, full)
    return False
