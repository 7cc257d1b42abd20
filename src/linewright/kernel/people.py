"""People: pools of them, who waits for them, and who has them.

A claimant is a server, for what is done at it, or a failure of a server, for its
repair. It asks for some people of one pool at a time, and holds none while it waits for
others, so that nobody can wait for ever in a circle. Those who wait are served in the
order in which they asked; who asks for many is not overtaken by who asks for few.
People stay for one piece of work - setup, loading, processing, unloading, repair - and
on from one to the next if that needs as many of the same pool.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.moves import ask, set_mode
from linewright.kernel.running import is_held, run
from linewright.tables import (
    ASK_LOAD,
    ASK_PROCESS,
    ASK_REPAIR,
    ASK_SETUP,
    ASK_UNLOAD,
    LOADING,
    LOADS,
    NOBODY,
    PROCESSING,
    S_N_SLOTS,
    SETTING_UP,
    SETUP,
    TO_BEGIN,
    TO_GO_ON,
    UNLOADS,
    WAITING,
    WORKING,
    LineTables,
    State,
)

__all__ = [
    "enter_phase",
    "release",
    "resume",
    "seize",
    "send_away",
    "serve",
]


@jit
def need_of(line: LineTables, state: State, s):
    """Return the row of `needs` of what is done at a server now, or -1 for nobody."""
    server = state.servers[s]
    first = line.stations[server.station].first_need
    if first < 0:
        return -1
    row = -1
    if server.phase == SETTING_UP:
        row = first
    elif server.phase == LOADS:
        row = first + 1
    elif server.phase == WORKING:
        row = first + 2
    elif server.phase == UNLOADS:
        row = first + 3
    if row >= 0 and line.needs[row].pool < 0:
        return -1
    return row


# ------------------------------------------------------------------ pools


@jit
def take(state: State, c, pool, n):
    """Give people of a pool to a claimant."""
    claim = state.claims[c]
    claim.held = pool
    claim.n_held = n
    state.pools[pool].area_us -= n * state.clock[0].now
    state.pools[pool].busy += n


@jit
def seize(line: LineTables, state: State, c, pool, n):
    """Ask for people: say whether they come at once, or stand in line for them."""
    claim = state.claims[c]
    if claim.wanted >= 0:
        return False
    if claim.held == pool and claim.n_held == n:
        return True
    release(line, state, c)
    people = state.pools[pool]
    people.asked += 1
    if people.n_waiting == 0 and people.on:
        if people.busy + n <= line.pools[pool].count:
            take(state, c, pool, n)
            return True
    claim.wanted = pool
    claim.n_wanted = n
    claim.since = state.clock[0].now
    claim.next = -1
    claim.prev = people.tail
    if people.tail >= 0:
        state.claims[people.tail].next = c
    else:
        people.head = c
    people.tail = c
    people.n_waiting += 1
    return False


@jit
def drop(state: State, c):
    """Take a claimant out of the line in which it stands, if it does."""
    claim = state.claims[c]
    if claim.wanted < 0:
        return
    people = state.pools[claim.wanted]
    if claim.prev >= 0:
        state.claims[claim.prev].next = claim.next
    else:
        people.head = claim.next
    if claim.next >= 0:
        state.claims[claim.next].prev = claim.prev
    else:
        people.tail = claim.prev
    people.n_waiting -= 1
    people.wait_us += state.clock[0].now - claim.since
    claim.wanted = -1


@jit
def release(line: LineTables, state: State, c):
    """Send a claimant's people back, to whoever waits for them."""
    claim = state.claims[c]
    pool = claim.held
    if pool < 0:
        return
    claim.held = -1
    state.pools[pool].area_us += claim.n_held * state.clock[0].now
    state.pools[pool].busy -= claim.n_held
    serve(line, state, pool)


@jit
def serve(line: LineTables, state: State, pool):
    """Give those who wait for a pool what they asked for, as far as it goes."""
    people = state.pools[pool]
    while people.head >= 0 and people.on:
        c = people.head
        n = state.claims[c].n_wanted
        if people.busy + n > line.pools[pool].count:
            return
        drop(state, c)
        people.waited += 1
        take(state, c, pool, n)
        if c < len(state.servers):
            go_ahead(line, state, c)
        else:
            ask(state, ASK_REPAIR, c - len(state.servers))


# ------------------------------------------------------------------ servers


@jit
def enter_phase(line: LineTables, state: State, s, phase):
    """Begin a setup, loading, work or unloading as soon as its people are there."""
    server = state.servers[s]
    server.phase = phase
    server.waits = TO_BEGIN
    row = need_of(line, state, s)
    if row < 0:
        release(line, state, s)
        go_ahead(line, state, s)
    elif seize(line, state, s, line.needs[row].pool, line.needs[row].n):
        go_ahead(line, state, s)
    else:
        set_mode(state, s, WAITING)


@jit
def go_ahead(line: LineTables, state: State, s):
    """Let a server do what it waited to do."""
    server = state.servers[s]
    waits = server.waits
    server.waits = NOBODY
    mode = PROCESSING
    question = ASK_PROCESS
    if server.phase == SETTING_UP:
        mode = SETUP
        question = ASK_SETUP
    elif server.phase != WORKING:
        mode = LOADING
        question = ASK_LOAD if server.phase == LOADS else ASK_UNLOAD
    set_mode(state, s, mode)
    if waits == TO_BEGIN and not was_set_aside(line, state, s):
        ask(state, question, s)
    else:
        run(state, s)


@jit
def was_set_aside(line: LineTables, state: State, s):
    """Say whether work goes on that was interrupted, and recall how much is left."""
    server = state.servers[s]
    slot = line.steps[server.step].aside_slot
    if server.phase != WORKING or slot < 0:
        return False
    row = server.part * line.settings[S_N_SLOTS] + slot
    if state.memory[row] == 0:
        return False
    server.remaining = state.memory[row] - 2
    server.total = state.memory[row + 1] - 2
    state.memory[row] = 0
    return True


@jit
def send_away(line: LineTables, state: State, s):
    """Send the people of a server away that stops in the middle of something."""
    if line.stations[state.servers[s].station].first_need < 0:
        return
    drop(state, s)
    server = state.servers[s]
    if not is_held(state, s):
        server.waits = NOBODY
    elif server.waits == NOBODY and need_of(line, state, s) >= 0:
        server.waits = TO_GO_ON
    release(line, state, s)


@jit
def resume(line: LineTables, state: State, s):
    """Let a server go on with what it stopped in the middle of, with its people."""
    server = state.servers[s]
    if server.waits == NOBODY:
        run(state, s)
        return
    row = need_of(line, state, s)
    if row < 0 or seize(line, state, s, line.needs[row].pool, line.needs[row].n):
        go_ahead(line, state, s)
