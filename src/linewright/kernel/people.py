"""People: pools of them, who waits for them, and who has them.

A claimant is a server, for what is done at it, or a failure of a server, for its
repair. It asks for some people with a skill, and gets them of one pool; the name of a
pool is a skill that it alone has. It holds none while it waits for others, so that
nobody can wait for ever in a circle. People stay for one piece of work - setup,
loading, processing, unloading, repair - and on from one to the next if that needs as
many, and a skill that they have.

Those who wait for a skill stand in one line, the more urgent first, then who asked
first. People of a pool who come free go to the first of all who wait for a skill of
theirs; who asks for many is not overtaken by who asks for few, except at pools that
never have so many.

People of a pool that takes time to walk have places. Those at the station itself are
taken first, then those who are nowhere - at the start, or called off on their way -
then those of the station where people were left idle the longest time ago. Who has to
wait for some who walk does so with all of them, until they come.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.calendar import set_timer, timer_key
from linewright.kernel.moves import ask, set_mode
from linewright.kernel.running import is_held, run, set_repair_timer
from linewright.tables import (
    ASK_LOAD,
    ASK_PROCESS,
    ASK_REPAIR,
    ASK_SETUP,
    ASK_UNLOAD,
    ASK_WALK,
    BREAK,
    CALENDAR_BREAK,
    CALENDAR_ON,
    LOADING,
    LOADS,
    NEVER,
    NOBODY,
    OFF_SHIFT,
    PEOPLE_CAME,
    PROCESSING,
    S_N_SLOTS,
    SETTING_UP,
    SETUP,
    TO_BEGIN,
    TO_GO_ON,
    UNKNOWN,
    UNLOADS,
    WAITING,
    WORKING,
    LineTables,
    State,
)

__all__ = [
    "claimant_of",
    "enter_phase",
    "people_came",
    "release",
    "resume",
    "seize",
    "send_away",
    "serve",
    "set_out",
    "show_waiting",
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
    if row >= 0 and line.needs[row].skill < 0:
        return -1
    return row


# ------------------------------------------------------------------ pools


@jit
def n_free(line: LineTables, state: State, pool):
    """Return how many people of a pool could be sent somewhere now."""
    people = state.pools[pool]
    if people.on == 0:
        return 0
    return line.pools[pool].count - people.busy


@jit
def has_skill(line: LineTables, pool, skill):
    """Say whether the people of a pool have a skill."""
    fixed = line.pools[pool]
    for i in range(fixed.first_skill, fixed.first_skill + fixed.n_skills):
        if line.links[i] == skill:
            return True
    return False


@jit
def first_waiting(line: LineTables, state: State, pool):
    """Return the first of those who wait whom a pool could ever serve, or -1."""
    fixed = line.pools[pool]
    first = -1
    for i in range(fixed.first_skill, fixed.first_skill + fixed.n_skills):
        c = state.skills[line.links[i]].head
        while c >= 0 and state.claims[c].n_wanted > fixed.count:
            c = state.claims[c].next
        if c >= 0 and (first < 0 or comes_before(state, c, first)):
            first = c
    return first


@jit
def comes_before(state: State, one, other):
    """Say whether of two who wait for people the one is served before the other."""
    claim = state.claims[one]
    behind = state.claims[other]
    if claim.urgency != behind.urgency:
        return claim.urgency > behind.urgency
    return claim.number < behind.number


@jit
def pool_for(line: LineTables, state: State, skill, n, urgency):
    """Return the first pool that can send people with a skill at once, or -1.

    Those are not free for whom somebody waits who is as urgent.
    """
    fixed = line.skills[skill]
    for i in range(fixed.first_pool, fixed.first_pool + fixed.n_pools):
        pool = line.links[i]
        if n <= n_free(line, state, pool):
            c = first_waiting(line, state, pool)
            if c < 0 or state.claims[c].urgency < urgency:
                return pool
    return -1


@jit
def counted_with(line: LineTables, skill):
    """Return the pool with which those are counted who wait for a skill: the first."""
    return line.links[line.skills[skill].first_pool]


@jit
def take(line: LineTables, state: State, c, pool, n):
    """Give people of a pool to a claimant; say whether they are there, or walk."""
    claim = state.claims[c]
    people = state.pools[pool]
    n_walking = 0
    if line.pools[pool].walk >= 0:
        n_walking = leave_places(line, state, pool, station_of(line, state, c), n)
    now = state.clock[0].now
    claim.held = pool
    claim.n_held = n
    people.area_us -= n * now
    people.busy += n
    if n_walking == 0:
        return True
    claim.walking = n_walking
    people.walk_us -= n_walking * now
    people.walking += n_walking
    ask(state, ASK_WALK, c)
    return False


@jit
def seize(line: LineTables, state: State, c, skill, n, urgency):
    """Ask for people: say whether they are there at once, or are to be waited for."""
    claim = state.claims[c]
    if claim.wanted >= 0 or claim.walking > 0:
        return False
    if claim.held >= 0 and claim.n_held == n and has_skill(line, claim.held, skill):
        return True
    release(line, state, c)
    pool = pool_for(line, state, skill, n, urgency)
    if pool >= 0:
        state.pools[pool].asked += 1
        return take(line, state, c, pool, n)
    state.pools[counted_with(line, skill)].asked += 1
    claim.n_wanted = n
    claim.urgency = urgency
    stand_in_line(state, c, skill)
    return False


@jit
def stand_in_line(state: State, c, skill):
    """Let a claimant wait for people behind all who are as urgent."""
    clock = state.clock[0]
    claim = state.claims[c]
    ends = state.skills[skill]
    clock.claims += 1
    claim.number = clock.claims
    claim.since = clock.now
    claim.wanted = skill
    before = ends.tail
    while before >= 0 and state.claims[before].urgency < claim.urgency:
        before = state.claims[before].prev
    claim.prev = before
    claim.next = ends.head
    if before >= 0:
        claim.next = state.claims[before].next
        state.claims[before].next = c
    else:
        ends.head = c
    if claim.next >= 0:
        state.claims[claim.next].prev = c
    else:
        ends.tail = c
    ends.n_waiting += 1


@jit
def drop(line: LineTables, state: State, c):
    """Take a claimant out of the line in which it stands."""
    claim = state.claims[c]
    ends = state.skills[claim.wanted]
    if claim.prev >= 0:
        state.claims[claim.prev].next = claim.next
    else:
        ends.head = claim.next
    if claim.next >= 0:
        state.claims[claim.next].prev = claim.prev
    else:
        ends.tail = claim.prev
    ends.n_waiting -= 1
    people = state.pools[counted_with(line, claim.wanted)]
    people.wait_us += state.clock[0].now - claim.since
    claim.wanted = -1


@jit
def release(line: LineTables, state: State, c):
    """Send a claimant's people back, to whoever waits for them."""
    claim = state.claims[c]
    pool = claim.held
    if pool < 0:
        return
    if line.pools[pool].walk >= 0:
        stay_behind(line, state, c)
    claim.held = -1
    state.pools[pool].area_us += claim.n_held * state.clock[0].now
    state.pools[pool].busy -= claim.n_held
    if claim.walking > 0:
        end_walk(line, state, c, pool)
    serve(line, state, pool)


@jit
def serve(line: LineTables, state: State, pool):
    """Give those who wait for a pool what they asked for, as far as it goes."""
    c = first_waiting(line, state, pool)
    while c >= 0 and state.claims[c].n_wanted <= n_free(line, state, pool):
        claim = state.claims[c]
        state.pools[counted_with(line, claim.wanted)].waited += 1
        drop(line, state, c)
        if take(line, state, c, pool, claim.n_wanted):
            begin_with_people(line, state, c)
        c = first_waiting(line, state, pool)


@jit
def give_up(line: LineTables, state: State, c):
    """Let a claimant wait no more, and serve those who stood behind it."""
    skill = state.claims[c].wanted
    if skill < 0:
        return
    drop(line, state, c)
    fixed = line.skills[skill]
    for i in range(fixed.first_pool, fixed.first_pool + fixed.n_pools):
        serve(line, state, line.links[i])


@jit
def begin_with_people(line: LineTables, state: State, c):
    """Let a claimant do what it waited to do: its people are there."""
    if c < len(state.servers):
        go_ahead(line, state, c)
    else:
        ask(state, ASK_REPAIR, c - len(state.servers))


# ------------------------------------------------------------------ ways


@jit
def station_of(line: LineTables, state: State, c):
    """Return the station to which the people of a claimant go."""
    if c < len(state.servers):
        return state.servers[c].station
    s = line.server_modes[c - len(state.servers)].server
    return state.servers[s].station


@jit
def leave_places(line: LineTables, state: State, pool, station, n):
    """Take people of a pool from where they are; return how many of them walk."""
    first = pool * len(state.stations)
    n_nowhere = line.pools[pool].count - state.pools[pool].busy
    for i in range(first, first + len(state.stations)):
        n_nowhere -= state.places[i].idle
    here = state.places[first + station]
    n_walking = max(n - here.idle, 0)
    here.idle -= n - n_walking
    left = n_walking - max(n_nowhere, 0)
    while left > 0:
        place = state.places[longest_idle(state, first)]
        n_taken = min(left, place.idle)
        place.idle -= n_taken
        left -= n_taken
    return n_walking


@jit
def longest_idle(state: State, first):
    """Return the place of a pool at which people were left the longest time ago."""
    found = -1
    for i in range(first, first + len(state.stations)):
        if state.places[i].idle > 0:
            if found < 0 or state.places[i].since < state.places[found].since:
                found = i
    return found


@jit
def stay_behind(line: LineTables, state: State, c):
    """Note that people are idle at a station now, those who have come to it."""
    claim = state.claims[c]
    n = claim.n_held - claim.walking
    if n > 0:
        row = claim.held * len(state.stations) + station_of(line, state, c)
        state.places[row].idle += n
        state.places[row].since = state.clock[0].now


@jit
def set_out(line: LineTables, state: State, c, amount):
    """Take the driver's answer: how long people walk, in microseconds or UNKNOWN.

    They may have been called off in the same instant.
    """
    if state.claims[c].walking == 0:
        return
    state.pools[state.claims[c].held].walks += 1
    if amount != UNKNOWN:
        key = timer_key(state.clock[0].now + amount, PEOPLE_CAME)
        set_timer_of(line, state, c, key)


@jit
def people_came(line: LineTables, state: State, c):
    """End the walk of people to a claimant, and let it begin."""
    claim = state.claims[c]
    if claim.walking > 0:
        end_walk(line, state, c, claim.held)
        begin_with_people(line, state, c)


@jit
def end_walk(line: LineTables, state: State, c, pool):
    """Book the time for which people walked, wherever that ended."""
    claim = state.claims[c]
    people = state.pools[pool]
    people.walk_us += claim.walking * state.clock[0].now
    people.walking -= claim.walking
    claim.walking = 0
    set_timer_of(line, state, c, NEVER)


@jit
def set_timer_of(line: LineTables, state: State, c, key):
    """Set the timer of a claimant: that of the work or repair that is to begin."""
    if c < len(state.servers):
        state.servers[c].due = key
        set_timer(state, c, key)
    else:
        set_repair_timer(line, state, c - len(state.servers), key)


@jit
def claimant_of(line: LineTables, state: State, leaf):
    """Return to whom people came by the timer of a leaf: a server or its repair."""
    n_servers = len(state.servers)
    if leaf >= n_servers:
        return n_servers + line.leaf_row[leaf]
    down = state.servers[leaf].down
    return leaf if down < 0 else n_servers + down


# ------------------------------------------------------------------ servers


@jit
def seize_for(line: LineTables, state: State, s, row):
    """Ask for the people that a server needs by a row of `needs`; see `seize`."""
    need = line.needs[row]
    return seize(line, state, s, need.skill, need.n, need.urgency)


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
    elif seize_for(line, state, s, row):
        go_ahead(line, state, s)
    else:
        show_waiting(state, s)


@jit
def show_waiting(state: State, s):
    """Book a server that waits for people or tools: off shift that is what it shows."""
    shift = state.stations[state.servers[s].station].by_calendar
    if shift == CALENDAR_ON:
        set_mode(state, s, WAITING)
    else:
        set_mode(state, s, BREAK if shift == CALENDAR_BREAK else OFF_SHIFT)


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
    server = state.servers[s]
    if not is_held(state, s):
        server.waits = NOBODY
    elif server.waits == NOBODY and need_of(line, state, s) >= 0:
        server.waits = TO_GO_ON
    give_up(line, state, s)
    release(line, state, s)


@jit
def resume(line: LineTables, state: State, s):
    """Let a server go on with what it stopped in the middle of, with its people."""
    server = state.servers[s]
    if server.waits == NOBODY:
        run(state, s)
        return
    row = need_of(line, state, s)
    if row < 0 or seize_for(line, state, s, row):
        go_ahead(line, state, s)
