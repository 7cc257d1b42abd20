"""How a part gets on a server, and what is asked when it is there."""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import unlikely
from linewright.kernel.choosing import ready_server
from linewright.kernel.conveyors import enter_belt
from linewright.kernel.eligible import family_of, needs_setup, next_room, store_list
from linewright.kernel.lending import begin_setup, hand_in
from linewright.kernel.moves import (
    ask,
    enter_buffer,
    leave_buffer,
    set_mode,
    take_first,
    trace,
    unlink,
)
from linewright.kernel.people import enter_phase
from linewright.kernel.running import stop
from linewright.kernel.stocks import give_back, take_what_it_needs
from linewright.kernel.work import leave_line
from linewright.tables import (
    ASK_PROCESS,
    LOADS,
    ON_SERVER,
    PREEMPT_NEVER,
    PROCESSING,
    S_N_SLOTS,
    T_LATE,
    T_START,
    T_USE,
    UNLOADS,
    WORKING,
    LineTables,
    State,
)

__all__ = [
    "begin",
    "begin_unload",
    "count_late",
    "is_late",
    "loaded",
    "setup_done",
    "start",
    "start_first",
]


@jit
def prepare(line: LineTables, state: State, p, station):
    """Take the kit of a part that starts, the place it needs behind, and its mates."""
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
    if step.n_takes + step.n_hands > 0:
        take_what_it_needs(line, state, p)
    if line.stations[station].before_service:
        b = next_room(line, state, part.step)
        if b >= 0:
            enter_buffer(state, b, p)
            part.reserved = b
    trace(state, T_START, part.place, p, station, part.visits)
    note_start(line, state, p)
    if line.stations[station].batches:
        board(line, state, p)
    if line.stations[station].conveyor:
        enter_belt(line, state, p, station)


@jit
def board(line: LineTables, state: State, p):
    """Put those who share a batch with its first part on the part's server, too."""
    first = state.parts[p]
    server = state.servers[first.place]
    here = state.stations[server.station]
    here.batches += 1
    server.n_parts = 1
    q = first.mate
    while q >= 0:
        mate = state.parts[q]
        mate.where = ON_SERVER
        mate.place = first.place
        mate.station = server.station
        server.n_parts += 1
        here.started += 1
        trace(state, T_START, first.place, q, server.station, mate.visits)
        note_start(line, state, q)
        step = line.steps[mate.step]
        give_back(line, state, q, step.first_hand, step.n_hands)
        q = mate.mate


@jit
def note_start(line: LineTables, state: State, p):
    """Remember the server of a part that starts, and whether it came in time."""
    part = state.parts[p]
    step = line.steps[part.step]
    if step.server_slot >= 0:
        row = p * line.settings[S_N_SLOTS] + step.server_slot
        state.memory[row] = part.place + 1
    if is_late(line, state, p):
        count_late(line, state, p)


@jit
def is_late(line: LineTables, state: State, p):
    """Say whether the time between two operations of a part has been too long."""
    step = line.steps[state.parts[p].step]
    if step.limit_slot < 0:
        return False
    then = state.memory[p * line.settings[S_N_SLOTS] + step.limit_slot]
    return then > 0 and state.clock[0].now - (then - 1) > step.limit_us


@jit
def count_late(line: LineTables, state: State, p):
    """Count a part that came to its operation too late."""
    part = state.parts[p]
    station = line.targets[part.target].station
    state.stations[station].late += 1
    state.steps[part.step].late += 1
    trace(state, T_LATE, station, p, 0, 0)


@jit
def begin_prelude(line: LineTables, state: State, p, s):
    """Set a server up for a part, or load it; say whether either takes its time."""
    server = state.servers[s]
    if line.stations[server.station].setup_first >= 0:
        if needs_setup(line, state, p, s) >= 0:
            state.stations[server.station].setups += 1
            begin_setup(line, state, s)
            return True
        count_run(line, state, p, s)
    if begin_load(line, state, p, s):
        return True
    if line.stations[server.station].first_need < 0:
        if line.stations[server.station].preempts == PREEMPT_NEVER:
            return False
    enter_phase(line, state, s, WORKING)
    return True


@jit
def begin_load(line: LineTables, state: State, p, s):
    """Load a part, or a batch, if that takes its time; say whether it does."""
    server = state.servers[s]
    if line.stations[server.station].load < 0:
        return False
    if line.steps[state.parts[p].step].cascade >= 0:
        return False
    enter_phase(line, state, s, LOADS)
    return True


@jit
def count_run(line: LineTables, state: State, p, s):
    """Note what a server is set up for, and count its run of one kind."""
    server = state.servers[s]
    family = family_of(line, state, server.station, p)
    if family < 0:
        return
    if family != server.family:
        server.family = family
        server.runs_left = 0
        first = line.stations[server.station].first_run
        if first >= 0:
            server.runs_left = line.runs[first + family]
    if server.runs_left > 0:
        server.runs_left -= 1


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
    else:
        trace(state, T_START, s, p, station, part.visits)
    if unlikely(fixed.prelude != 0) and begin_prelude(line, state, p, s):
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
        s = ready_server(line, state, station, p)
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
    """End a setup, and load or ask for the work itself."""
    server = state.servers[s]
    stop(state, s)
    server.setups += 1
    hand_in(line, state, s)
    count_run(line, state, server.part, s)
    if not begin_load(line, state, server.part, s):
        enter_phase(line, state, s, WORKING)


@jit
def loaded(line: LineTables, state: State, s):
    """End loading and begin the work itself."""
    stop(state, s)
    enter_phase(line, state, s, WORKING)


@jit
def begin_unload(line: LineTables, state: State, s):
    """Unload a server whose work is done, if that takes its time; say whether it does.

    A machine that cascades is unloaded beside its work.
    """
    server = state.servers[s]
    if line.stations[server.station].unload < 0 or server.phase != WORKING:
        return False
    if line.steps[server.step].cascade >= 0:
        return False
    enter_phase(line, state, s, UNLOADS)
    return True
