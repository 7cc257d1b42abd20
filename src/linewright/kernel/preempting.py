"""More urgent parts interrupt others: what is set aside, and how it goes on.

A part that joins the queue of a station that preempts, and finds no server ready, takes
the server whose part has the least priority, below its own, if work runs on it. That
part goes back into the queue, where it has its old turn, and remembers how much of its
work is left. Its place is that which the other leaves, or a free one of its buffer.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.calendar import set_timer
from linewright.kernel.choosing import aim
from linewright.kernel.eligible import eligible
from linewright.kernel.moves import (
    enter_buffer,
    insert,
    leave_buffer,
    trace,
    unlink,
)
from linewright.kernel.people import release
from linewright.kernel.running import stop
from linewright.kernel.starting import begin
from linewright.tables import (
    CALENDAR_ON,
    IN_QUEUE,
    NEVER,
    NONE,
    PREEMPT_RESTART,
    S_N_SLOTS,
    T_ASIDE,
    WORKING,
    LineTables,
    State,
)

__all__ = ["preempt"]


@jit
def preempt(line: LineTables, state: State, p, k):
    """Let a part that has joined a queue interrupt a less urgent one, if it may."""
    part = state.parts[p]
    if state.stations[k].shift != CALENDAR_ON:
        return
    if not eligible(line, state, k, part.step):
        return
    fixed = line.stations[k]
    found = -1
    least = part.priority
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        server = state.servers[s]
        if server.running and server.phase == WORKING:
            other = state.parts[server.part]
            b = line.targets[other.target].buffer
            has_place = (
                b == part.place or state.buffers[b].level < state.buffers[b].slots
            )
            if other.priority < least and has_place:
                least = other.priority
                found = s
    if found < 0:
        return
    here = state.stations[k]
    aim(line, state, p, k)
    unlink(state, p)
    here.wait_us += state.clock[0].now - part.queued
    here.waited += 1
    leave_buffer(state, part.place, p)
    set_aside(line, state, found)
    begin(line, state, p, found)


@jit
def set_aside(line: LineTables, state: State, s):
    """Put the part that a server works on back into its queue."""
    server = state.servers[s]
    stop(state, s)
    set_timer(state, s, NEVER)
    release(line, state, s)
    q = server.part
    part = state.parts[q]
    row = q * line.settings[S_N_SLOTS] + line.steps[part.step].aside_slot
    left = server.remaining
    if line.stations[server.station].preempts == PREEMPT_RESTART:
        left = server.total
    state.memory[row] = left + 2  # nothing remembered is 0, and unknown is -1
    state.memory[row + 1] = server.total + 2
    server.part = -1
    server.phase = NONE
    state.stations[server.station].started -= 1
    trace(state, T_ASIDE, s, q, 0, 0)
    b = line.targets[part.target].buffer
    enter_buffer(state, b, q)
    part.where = IN_QUEUE
    part.place = b
    part.queued = state.clock[0].now
    insert(state, server.station, q)
