"""How a part gets on a server, and what is asked when it is there."""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import unlikely
from linewright.kernel.choosing import ready_server
from linewright.kernel.eligible import family_of, needs_setup, next_room, store_list
from linewright.kernel.moves import (
    ask,
    enter_buffer,
    leave_buffer,
    set_mode,
    take_first,
    trace,
    unlink,
)
from linewright.kernel.work import leave_line, stop
from linewright.tables import (
    ASK_PROCESS,
    ASK_SETUP,
    ON_SERVER,
    PROCESSING,
    SETTING_UP,
    SETUP,
    T_START,
    T_USE,
    WORKING,
    LineTables,
    State,
)

__all__ = ["begin", "setup_done", "start", "start_first"]


@jit
def prepare(line: LineTables, state: State, p, station):
    """Take the kit of a part that starts, and the place it needs behind."""
    part = state.parts[p]
    step = line.steps[part.step]
    for i in range(step.first_use, step.first_use + step.n_uses):
        use = line.uses[i]
        row = store_list(line, use.product)
        for _ in range(use.quantity):
            c = state.lists[row].head
            unlink(state, c)
            leave_buffer(state, state.parts[c].place, c)
            state.products[use.product].used += line.products[use.product].lot
            trace(state, T_USE, station, c, part.product, part.serial)
            if state.parts[c].bad:
                part.bad = 1
            leave_line(line, state, c)
    if line.stations[station].before_service:
        b = next_room(line, state, part.step)
        if b >= 0:
            enter_buffer(state, b, p)
            part.reserved = b


@jit
def begin_setup(line: LineTables, state: State, p, s):
    """Set a server up for a part if it needs it; say whether it does."""
    server = state.servers[s]
    if needs_setup(line, state, p, s) >= 0:
        server.phase = SETTING_UP
        state.stations[server.station].setups += 1
        set_mode(state, s, SETUP)
        ask(state, ASK_SETUP, s)
        return True
    server.family = family_of(line, server.station, state.parts[p].product)
    return False


@hot
def put_on(line: LineTables, state: State, p, s):
    """Put a part on a free server; say whether its work begins, after no setup."""
    server = state.servers[s]
    part = state.parts[p]
    station = server.station
    fixed = line.stations[station]
    server.part = p
    server.step = part.step
    part.where = ON_SERVER
    part.place = s
    part.station = station
    state.stations[station].started += 1
    if unlikely(fixed.plain == 0):
        prepare(line, state, p, station)
    trace(state, T_START, s, p, station, part.visits)
    if unlikely(fixed.setup_first >= 0) and begin_setup(line, state, p, s):
        return False
    server.phase = WORKING
    set_mode(state, s, PROCESSING)
    return True


@hot
def begin(line: LineTables, state: State, p, s):
    """Put a part on a free server and ask how long its setup or its work takes."""
    if put_on(line, state, p, s):
        ask(state, ASK_PROCESS, s)


@hot
def start(line: LineTables, state: State, p, station):
    """Start a part at a station that has a server ready."""
    fixed = line.stations[station]
    if fixed.n_servers == 1:
        s = fixed.first_server
    else:
        s = ready_server(line, state, station, state.parts[p].product)
    state.servers[s].ready = 0
    state.stations[station].n_ready -= 1
    begin(line, state, p, s)


@hot
def start_first(line: LineTables, state: State, p, s):
    """Put the first part of a plain station's queue on a free server; see `put_on`."""
    k = state.servers[s].station
    here = state.stations[k]
    part = state.parts[p]
    take_first(state, k, p)
    here.wait_us += state.clock[0].now - part.queued
    here.waited += 1
    leave_buffer(state, part.place, p)
    return put_on(line, state, p, s)


@jit
def setup_done(line: LineTables, state: State, s):
    """End a setup and ask for the work itself."""
    server = state.servers[s]
    stop(state, s)
    server.setups += 1
    server.family = family_of(line, server.station, state.parts[server.part].product)
    server.phase = WORKING
    set_mode(state, s, PROCESSING)
    ask(state, ASK_PROCESS, s)
