"""How a part comes to its place in a buffer: at once, or after its way there."""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.eligible import eligible, transport_dist
from linewright.kernel.moves import (
    KIT,
    append,
    ask,
    enter_buffer,
    leave_buffer,
    push,
    trace,
)
from linewright.kernel.starting import start
from linewright.kernel.waiting import release_origin
from linewright.tables import (
    ASK_MOVE,
    IN_QUEUE,
    MOVING,
    T_MOVE,
    T_QUEUE,
    LineTables,
    State,
)

__all__ = [
    "carry_or_queue",
    "join_queue",
    "look_again",
    "moved",
    "queue",
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
            if dest.queue >= 0 or line.stations[t].before_service:
                push(state, KIT, t)


@jit
def carry_or_queue(line: LineTables, state: State, p, d):
    """Give a part its place in a buffer, after its way there if it takes time."""
    part = state.parts[p]
    target = line.targets[part.target]
    if transport_dist(line, state, p, target.station) >= 0:
        enter_buffer(state, target.buffer, p)
        part.where = MOVING
        part.place = target.buffer
        trace(state, T_MOVE, target.station, p, target.buffer, 0)
        state.clock[0].n_moving += 1
        ask(state, ASK_MOVE, p)
    else:
        queue(line, state, p, d)
        look_again(line, state, d)


@jit
def settle_in(line: LineTables, state: State, p, d):
    """Let a part that has arrived at its place start, or join the queue."""
    part = state.parts[p]
    target = line.targets[part.target]
    t = target.station
    if state.stations[t].n_ready > 0 and eligible(line, state, t, part.step):
        leave_buffer(state, target.buffer, p)
        start(line, state, p, t)
    else:
        q = line.dests[d].queue
        if q < 0:
            q = t
        join_queue(state, p, target.buffer, q)
        look_again(line, state, d)


@jit
def take_reserved(line: LineTables, state: State, p, d):
    """Let a part go where its station reserved a place before it started."""
    part = state.parts[p]
    b = part.reserved
    part.reserved = -1
    release_origin(line, state, p)
    dest = line.dests[d]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        if line.targets[j].buffer == b:
            part.target = j
            break
    t = line.targets[part.target].station
    if transport_dist(line, state, p, t) >= 0:
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
    state.clock[0].n_moving -= 1
    settle_in(line, state, p, line.steps[part.step].dest)
