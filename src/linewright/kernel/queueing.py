"""How a part comes to its place in a buffer: at once, or after its way there.

A part that a vehicle fetches takes its place at once and stays where it is meanwhile.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.choosing import ready_server
from linewright.kernel.eligible import bound_to, eligible, fleet_to, needs_move
from linewright.kernel.moves import (
    KIT,
    OFFER,
    PULL,
    append,
    ask,
    enter_buffer,
    leave_buffer,
    push,
    trace,
)
from linewright.kernel.preempting import preempt
from linewright.kernel.starting import start
from linewright.kernel.vehicles import call_vehicle, put_down, stay_for_vehicle
from linewright.kernel.waiting import release_origin
from linewright.tables import (
    ASK_MOVE,
    COMPLETE,
    IN_QUEUE,
    MOVING,
    NEW,
    PREEMPT_NEVER,
    T_MOVE,
    T_QUEUE,
    LineTables,
    State,
)

__all__ = [
    "carry_or_queue",
    "join_queue",
    "joined",
    "look_again",
    "moved",
    "queue",
    "set_off",
    "take_reserved",
]


@hot
def join_queue(state: State, p, b, q):
    """Append a part that has its place in buffer `b` to queue `q`."""
    part = state.parts[p]
    part.where = IN_QUEUE
    part.place = b
    clock = state.clock[0]
    part.queued = clock.now
    clock.sequence += 1
    part.sequence = clock.sequence
    append(state, q, p)
    trace(state, T_QUEUE, b, p, q, 0)


@hot
def queue(line: LineTables, state: State, p, d):
    """Put a part into the buffer and the queue of its target."""
    part = state.parts[p]
    target = line.targets[part.target]
    b = target.buffer
    enter_buffer(state, b, p)
    q = line.dests[d].queue
    if q < 0:
        q = target.station
    join_queue(state, p, b, q)


@jit
def look_again(line: LineTables, state: State, d):
    """Let ready servers look at their queue again after a part joined or left it.

    It may be shared, or hold what they cannot start for want of a place behind.
    """
    dest = line.dests[d]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        t = line.targets[j].station
        if t >= 0 and state.stations[t].n_ready > 0:
            station = line.stations[t]
            if dest.queue >= 0 or station.before_service or station.tools:
                push(state, KIT, t)


@jit
def joined(line: LineTables, state: State, p, d):
    """Let ready servers look at their queue again after a part joined it.

    At a station that chooses for itself one of them does it: the one that the part is
    bound to, else the one that is set up for it, unless that goes on with its run.
    """
    t = line.targets[state.parts[p].target].station
    if line.stations[t].preempts != PREEMPT_NEVER and state.stations[t].n_ready == 0:
        preempt(line, state, p, t)
        return
    if not line.stations[t].looks or line.dests[d].queue >= 0:
        look_again(line, state, d)
        return
    if state.stations[t].n_ready == 0:
        return
    if line.stations[t].first_run >= 0 or line.stations[t].before_service:
        push(state, KIT, t)
        return
    s = bound_to(line, state, p)
    if s < 0 or state.servers[s].station != t:
        s = ready_server(line, state, t, p)
    if line.stations[t].own_rule >= 0:
        push(state, KIT, t)  # should its rule not take it there, the others are asked
    if state.servers[s].ready:
        push(state, PULL, s)


@jit
def set_off(line: LineTables, state: State, p, d):
    """Let a part leave for its place in a buffer: now, or when a vehicle fetches it.

    What is still in a machine, or stands nowhere, is fetched from beside the station.
    """
    part = state.parts[p]
    f = fleet_to(line, state, p)
    if f >= 0 and part.came < 0 and part.where != NEW:
        stay_for_vehicle(line, state, p, f, line.targets[part.target].buffer)
        return
    release_origin(line, state, p)
    carry_or_queue(line, state, p, d)


@jit
def carry_or_queue(line: LineTables, state: State, p, d):
    """Give a part its place in a buffer, after its way there if it takes time."""
    part = state.parts[p]
    target = line.targets[part.target]
    if needs_move(line, state, p, target.station):
        enter_buffer(state, target.buffer, p)
        part.where = MOVING
        part.place = target.buffer
        trace(state, T_MOVE, target.station, p, target.buffer, 0)
        state.clock[0].n_moving += 1
        f = fleet_to(line, state, p)
        if f >= 0 and part.came < 0:
            call_vehicle(line, state, p, f)
        else:
            ask(state, ASK_MOVE, p)
    else:
        queue(line, state, p, d)
        joined(line, state, p, d)


@jit
def settle_in(line: LineTables, state: State, p, d):
    """Let a part that has arrived at its place start, or join the queue."""
    part = state.parts[p]
    target = line.targets[part.target]
    t = target.station
    if (
        state.stations[t].n_ready > 0
        and not line.stations[t].looks
        and eligible(line, state, t, part.step)
    ):
        leave_buffer(state, target.buffer, p)
        start(line, state, p, t)
    else:
        q = line.dests[d].queue
        if q < 0:
            q = t
        join_queue(state, p, target.buffer, q)
        joined(line, state, p, d)


@jit
def take_reserved(line: LineTables, state: State, p, d):
    """Let a part go where its station reserved a place before it started."""
    part = state.parts[p]
    b = part.reserved
    dest = line.dests[d]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        if line.targets[j].buffer == b:
            part.target = j
            break
    f = fleet_to(line, state, p)
    if f >= 0 and part.came < 0:
        stay_for_vehicle(line, state, p, f, b)
        return
    part.reserved = -1
    release_origin(line, state, p)
    t = line.targets[part.target].station
    if needs_move(line, state, p, t):
        part.where = MOVING
        part.place = b
        trace(state, T_MOVE, t, p, b, 0)
        state.clock[0].n_moving += 1
        ask(state, ASK_MOVE, p)
    else:
        settle_in(line, state, p, d)


@jit
def moved(line: LineTables, state: State, p):
    """A part has arrived at the station it was carried to."""
    part = state.parts[p]
    came = part.came
    part.came = -1
    f = -1
    if part.step != COMPLETE:
        f = fleet_to(line, state, p)
    if f >= 0 and came >= 0:
        call_vehicle(line, state, p, f)  # it has come out, and is fetched from there
        return
    state.clock[0].n_moving -= 1
    if f >= 0:
        put_down(line, state, p, f)
    if part.step == COMPLETE:
        push(state, OFFER, p)  # it has come out of the machine, and rested
    else:
        settle_in(line, state, p, line.steps[part.step].dest)
