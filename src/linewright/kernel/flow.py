"""How parts move: offered to a place, pulled by a server, woken by room.

`settle` is the whole rule. Every change pushes work on a list, and `settle` does it
until nothing is left; each piece touches only its own station, buffer or part. It
knows no time but `now` and draws no number.

A part leaves for the first place that takes it: a server that stands ready, else the
buffer. Without either it stays where it is and waits in the list of its destination,
and whatever makes room there wakes the list in the order of the dispatch rule.
"""

from __future__ import annotations

import numpy as np

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import likely, unlikely
from linewright.kernel.calendar import set_timer
from linewright.kernel.moves import (
    CAPS,
    ENTRY,
    KIT,
    NEXT_ARRIVAL,
    OFFER,
    PULL,
    ROOM,
    ROOM_OUTPUT,
    append,
    ask,
    enter_buffer,
    free_part,
    insert,
    leave_buffer,
    new_part,
    push,
    set_mode,
    take_first,
    trace,
    unlink,
)
from linewright.kernel.work import (
    count_cycle,
    kit_arrived,
    leave_line,
    next_pending,
    scrap,
    show,
    stop,
    stop_finished,
    unreserve,
    work_at,
)
from linewright.tables import (
    ALWAYS_CAPPED,
    ARRIVALS,
    ASK_ARRIVAL,
    ASK_MOVE,
    ASK_PROCESS,
    ASK_SETUP,
    BAD,
    BLOCKED,
    BLOCKED_ON_SERVER,
    CALENDAR_ON,
    CHOOSE_SHORTEST,
    CRITICAL,
    DEADLOCK,
    DONE,
    DUE,
    END_FIT,
    FIFO,
    FULL_BLOCK,
    FULL_LOSE,
    IN_OUTPUT,
    IN_QUEUE,
    IN_STORE,
    LEAST_SETUP,
    MOVING,
    NEVER,
    NEW,
    NONE,
    ON_SERVER,
    OUTSIDE,
    PASS,
    PRIORITY,
    PROCESSING,
    REWORK,
    S_FIRST_CAPPED,
    S_LINE_CAP,
    S_N_CAPPED,
    S_N_DESTS,
    S_N_FAMILIES,
    S_N_PRODUCTS,
    S_N_QUEUES,
    SCRAP,
    SETTING_UP,
    SETUP,
    SHORTEST,
    STARVED,
    T_BLOCK,
    T_EXIT,
    T_LOST,
    T_MOVE,
    T_OUTPUT,
    T_OUTSIDE,
    T_QUEUE,
    T_RELEASE,
    T_REWORK,
    T_SPLIT,
    T_START,
    T_STORE,
    T_USE,
    T_VERDICT,
    WORKING,
    LineTables,
    State,
)

__all__ = ["arrive", "finish", "moved", "release_order", "settle", "setup_done"]

_COMPLETE = -1
N_BUCKET_BITS = 6


# ------------------------------------------------------------------ what may start


@jit
def has_kit(line: LineTables, state: State, k):
    """Say whether the stores hold every component that a step uses."""
    step = line.steps[k]
    for i in range(step.first_use, step.first_use + step.n_uses):
        use = line.uses[i]
        if state.lists[store_list(line, use.product)].count < use.quantity:
            return False
    return True


@hot
def store_list(line: LineTables, product):
    """Return the list of a product's units in store."""
    return line.settings[S_N_QUEUES] + line.settings[S_N_DESTS] + product


@hot
def outside_list(line: LineTables, product):
    """Return the list of a product's parts that wait outside the line."""
    return (
        line.settings[S_N_QUEUES]
        + line.settings[S_N_DESTS]
        + line.settings[S_N_PRODUCTS]
        + product
    )


@jit
def _fits(line: LineTables, state: State, station, k):
    """Say whether a step's mean time fits into what is left of the shift."""
    c = line.stations[station].calendar
    if c < 0:
        return True
    calendar = line.calendars[c]
    at = calendar.first + state.stations[station].next_tick - 1
    left = line.ticks[at].on_left - (state.clock[0].now - line.ticks[at].at)
    return line.work[work_at(line, k, station)].mean_us <= left


@jit
def next_room(line: LineTables, state: State, k):
    """Return the buffer in which a place for the part after step `k` is free, or -1.

    Returns -2 where no place is needed, because the part leaves the line.
    """
    step = line.steps[k]
    d = (
        line.steps[step.next].dest
        if step.next >= 0
        else line.products[step.product].store
    )
    if d < 0 or step.n_makes > 0:
        return -2
    dest = line.dests[d]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        b = line.targets[j].buffer
        if state.buffers[b].level < line.buffers[b].slots:
            return b
    return -1


@jit
def eligible(line: LineTables, state: State, station, k):
    """Say whether a part for step `k` may start at a station with a server ready."""
    step = line.steps[k]
    if ends_now(line, state, station):
        return False
    if step.n_uses > 0 and not has_kit(line, state, k):
        return False
    if line.work[work_at(line, k, station)].shift_end == END_FIT:
        if not _fits(line, state, station, k):
            return False
    if line.stations[station].before_service and next_room(line, state, k) == -1:
        return False
    return True


@jit
def score(line: LineTables, state: State, station, p):
    """Return a part's place in a station's dispatch rule; the least goes first."""
    part = state.parts[p]
    rule = line.stations[station].dispatch
    step = line.steps[part.step]
    if rule == PRIORITY:
        return -part.priority
    if rule == DUE:
        return part.due
    if rule == SHORTEST:
        return line.work[work_at(line, part.step, station)].mean_us
    if rule == CRITICAL:
        # critical ratio in thousandths: time left over work left
        if part.due == NEVER:
            return NEVER
        return (part.due - state.clock[0].now) * 1000 // max(step.left_us, 1)
    if rule == LEAST_SETUP:
        return 0 if _family_set_up(line, state, station, part.product) else 1
    return 0


@jit
def _family_set_up(line: LineTables, state: State, station, product):
    fixed = line.stations[station]
    family = family_of(line, station, product)
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        if state.servers[s].ready and state.servers[s].family == family:
            return True
    return False


@hot
def family_of(line: LineTables, station, product):
    """Return what a station's setups tell apart: the product or its family."""
    if line.stations[station].setup_by:
        return line.products[product].family
    return line.settings[S_N_FAMILIES] + product


@jit
def pick(line: LineTables, state: State, station):
    """Return the waiting part that a station takes next by its rule, or -1."""
    fixed = line.stations[station]
    best = -1
    best_score = 0
    refused = -1
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            part = state.parts[p]
            if part.step != refused:
                value = score(line, state, station, p)
                better = best < 0 or value < best_score
                if not better and value == best_score:
                    better = part.sequence < state.parts[best].sequence
                if better:
                    if eligible(line, state, station, part.step):
                        best = p
                        best_score = value
                    else:
                        refused = part.step
            if best >= 0 and fixed.dispatch == FIFO:
                if part.sequence >= state.parts[best].sequence:
                    break
            p = part.next
    return best


@jit
def pick_waiting(line: LineTables, state: State, station):
    """Return the part that waits outside the buffers for a ready server, or -1."""
    fixed = line.stations[station]
    best = -1
    best_score = 0
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        p = state.lists[line.settings[S_N_QUEUES] + line.links[i]].head
        while p >= 0:
            part = state.parts[p]
            behind = part.next
            value = score(line, state, station, p)
            better = best < 0 or value < best_score
            if not better and value == best_score:
                better = part.sequence < state.parts[best].sequence
            if better and may_come(line, state, p, station):
                best = p
                best_score = value
            if best >= 0 and fixed.dispatch == FIFO:
                if part.sequence >= state.parts[best].sequence:
                    break
            p = behind
    return best


@jit
def may_come(line: LineTables, state: State, p, station):
    """Say whether a part, or a unit that it is split into, may come and start."""
    part = state.parts[p]
    k = part.step
    if part.split > 0:
        if not together(line, state, p):
            return False
        k = line.products[split_product(line, state, p)].first_step
    if way_to(line, part.station, k, station) >= 0:
        return False
    return eligible(line, state, station, k)


@jit
def needs_move(line: LineTables, state: State, p, station):
    """Say whether a part is carried to a station, and needs a place in its buffer."""
    return transport_dist(line, state, p, station) >= 0


@jit
def transport_dist(line: LineTables, state: State, p, station):
    """Return the distribution of a part's way to a station, or -1 for no time."""
    part = state.parts[p]
    return way_to(line, part.station, part.step, station)


@jit
def way_to(line: LineTables, start_from, k, station):
    """Return the distribution of the way to a station for step `k`, or -1."""
    if station < 0:
        return -1
    if k >= 0 and line.steps[k].transport >= 0:
        return line.steps[k].transport
    if start_from >= 0:
        origin = line.stations[start_from]
        for i in range(
            origin.first_transport, origin.first_transport + origin.n_transports
        ):
            way = line.transports[i]
            if way.to == station:
                return way.dist
    return -1


# ------------------------------------------------------------------ where to


@jit
def choose_among(line: LineTables, state: State, p, d):
    """Return ``2 * target + direct`` of the place that several targets offer, or -1."""
    dest = line.dests[d]
    k = state.parts[p].step
    best = -1
    shortest = NEVER
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        target = line.targets[j]
        here = -1
        if target.station >= 0 and state.stations[target.station].n_ready > 0:
            if not needs_move(line, state, p, target.station) and eligible(
                line, state, target.station, k
            ):
                here = 2 * j + 1
        if (
            here < 0
            and state.buffers[target.buffer].level < line.buffers[target.buffer].slots
        ):
            here = 2 * j
        if here >= 0:
            if dest.rule != CHOOSE_SHORTEST:
                if here & 1 or best < 0:
                    best = here
                if best & 1 or dest.rule == 0:
                    return best
            else:
                waiting = -1
                if not here & 1:
                    waiting = state.lists[target.station].count
                if waiting < shortest:
                    shortest = waiting
                    best = here
    return best


@hot
def choose(line: LineTables, state: State, p, d):
    """Return ``2 * target + direct`` of the place that takes a part now, or -1."""
    step = line.steps[state.parts[p].step]
    t = step.only_station
    if t < 0:
        return choose_among(line, state, p, d)
    here = state.stations[t]
    if (
        here.n_ready > 0
        and not ends_now(line, state, t)
        and (
            line.stations[t].plain
            or (
                not needs_move(line, state, p, t)
                and eligible(line, state, t, state.parts[p].step)
            )
        )
    ):
        return 2 * step.first_target + 1
    b = step.only_buffer
    if state.buffers[b].level < line.buffers[b].slots:
        return 2 * step.first_target
    return -1


@hot
def release_origin(line: LineTables, state: State, p):
    """Free what a part leaves behind when it moves on."""
    part = state.parts[p]
    where = part.where
    if where == ON_SERVER or where == BLOCKED_ON_SERVER:
        s = part.place
        server = state.servers[s]
        if where == BLOCKED_ON_SERVER:
            stop_waiting(line, state, p)
        server.part = -1
        server.phase = NONE
        push(state, PULL, s)
    elif where == IN_OUTPUT:
        stop_waiting(line, state, p)
        leave_buffer(state, part.place, p)
        if line.buffers[part.place].n_feeders > 0:
            push(state, ROOM_OUTPUT, part.place)


@hot
def stop_waiting(line: LineTables, state: State, p):
    """Take a part out of the list of its destination."""
    part = state.parts[p]
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
    s = part.place
    station = state.servers[s].station
    o = line.stations[station].out_buffer
    if o >= 0 and part.split == 0 and state.buffers[o].level < line.buffers[o].slots:
        to_output(state, p, o)
        return
    part.where = BLOCKED_ON_SERVER
    trace(state, T_BLOCK, station, p, s, d)
    if state.stations[station].shift == CALENDAR_ON:
        set_mode(state, s, BLOCKED)
    else:
        show(line, state, s)
    if state.servers[s].pending > 0:
        next_pending(line, state, s)
    find_deadlock(line, state, p, d)


@jit
def find_deadlock(line: LineTables, state: State, p, d):
    """Stop the line if a part that waits on its server waits for itself."""
    if state.parts[p].where != BLOCKED_ON_SERVER:
        return
    station = state.servers[state.parts[p].place].station
    if line.stations[station].in_loop and is_deadlock(line, state, d):
        state.clock[0].status = DEADLOCK
        state.clock[0].look = 1
        state.clock[0].who = p


@jit
def to_output(state: State, p, o):
    """Move a finished part from its server into the output buffer, still waiting."""
    part = state.parts[p]
    s = part.place
    state.servers[s].part = -1
    state.servers[s].phase = NONE
    push(state, PULL, s)
    enter_buffer(state, o, p)
    part.where = IN_OUTPUT
    part.place = o
    trace(state, T_OUTPUT, o, p, s, 0)


# ------------------------------------------------------------------ offering a part


@hot
def offer(line: LineTables, state: State, p):
    """Offer a part to its destination; where nothing takes it, it waits."""
    part = state.parts[p]
    if part.split > 0:
        split(line, state, p)
        return
    if part.step == _COMPLETE:
        complete(line, state, p)
        return
    d = line.steps[part.step].dest
    if part.reserved >= 0:
        take_reserved(line, state, p, d)
        return
    place = choose(line, state, p, d)
    if place < 0:
        wait_for(line, state, p, d)
        return
    release_origin(line, state, p)
    target = line.targets[place >> 1]
    part.target = place >> 1
    if place & 1:
        start(line, state, p, target.station)
    elif line.stations[target.station].plain:
        queue(line, state, p, d)
    else:
        carry_or_queue(line, state, p, d)


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
def moved(line: LineTables, state: State, p):
    """A part has arrived at the station it was carried to."""
    part = state.parts[p]
    state.clock[0].n_moving -= 1
    settle_in(line, state, p, line.steps[part.step].dest)


# ------------------------------------------------------------------ starting


@jit
def ready_server(line: LineTables, state: State, station, product):
    """Return the ready server that takes a part: one set up for it, else the first."""
    fixed = line.stations[station]
    found = -1
    family = family_of(line, station, product)
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        if state.servers[s].ready:
            if fixed.setup_first < 0:
                return s
            if state.servers[s].family == family:
                return s
            if found < 0:
                found = s
    return found


@hot
def aim(line: LineTables, state: State, p, station):
    """Note which of its alternatives a part has come to."""
    part = state.parts[p]
    dest = line.dests[line.steps[part.step].dest]
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        if line.targets[j].station == station:
            part.target = j
            return


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
def begin(line: LineTables, state: State, p, s):
    """Put a part on a free server and ask how long its setup or its work takes."""
    if put_on(line, state, p, s):
        ask(state, ASK_PROCESS, s)


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
def needs_setup(line: LineTables, state: State, p, s):
    """Return the distribution of the setup that a server needs for a part, or -1."""
    server = state.servers[s]
    fixed = line.stations[server.station]
    n = line.settings[S_N_FAMILIES] + line.settings[S_N_PRODUCTS]
    family = family_of(line, server.station, state.parts[p].product)
    row = n if server.family < 0 else server.family
    return line.setups[fixed.setup_first + row * n + family]


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


# ------------------------------------------------------------------ pulling


@hot
def pull(line: LineTables, state: State, s):
    """Let a free server take the next part, or stand ready for one."""
    server = state.servers[s]
    if server.part >= 0 or server.down >= 0:
        if server.phase == DONE and server.down < 0:
            d = state.parts[server.part].list - line.settings[S_N_QUEUES]
            find_deadlock(line, state, server.part, d)
        return
    k = server.station
    here = state.stations[k]
    if server.ready:
        server.ready = 0
        here.n_ready -= 1
    if server.pending > 0 and next_pending(line, state, s):
        return
    if here.shift != CALENDAR_ON or ends_now(line, state, k):
        show(line, state, s)
        return
    fixed = line.stations[k]
    if fixed.plain:
        p = state.lists[k].head
        if p >= 0:
            if start_first(line, state, p, s):
                ask(state, ASK_PROCESS, s)
            return
    else:
        server.ready = 1  # the rule of least setup looks at the servers that ask
        p = pick(line, state, k)
        server.ready = 0
        if p >= 0:
            aim(line, state, p, k)
            part = state.parts[p]
            unlink(state, p)
            here.wait_us += state.clock[0].now - part.queued
            here.waited += 1
            leave_buffer(state, part.place, p)
            look_again(line, state, line.steps[part.step].dest)
            begin(line, state, p, s)
            return
    server.ready = 1
    here.n_ready += 1
    if waiting_for(line, state, k):
        p = pick_waiting(line, state, k)
        if p >= 0:
            set_mode(state, s, STARVED)
            push(state, PULL, s)  # should the part find another place, look again
            push(state, OFFER, p)
            return
    if let_sources_in(line, state, k, s):
        return
    if fixed.n_always > 0 and take_always(line, state, k):
        return
    if fixed.before_service and held_back(line, state, k):
        set_mode(state, s, BLOCKED)
    else:
        set_mode(state, s, STARVED)


@hot
def ends_now(line: LineTables, state: State, k):
    """Say whether the station's shift ends at this very instant."""
    c = line.stations[k].calendar
    if c < 0:
        return False
    calendar = line.calendars[c]
    tick = state.stations[k].next_tick
    if tick >= calendar.n:
        return False
    row = line.ticks[calendar.first + tick]
    return row.at == state.clock[0].now and row.mode != CALENDAR_ON


@jit
def held_back(line: LineTables, state: State, k):
    """Say whether parts wait at a station that may not start: no room behind."""
    fixed = line.stations[k]
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            if lacks_room(line, state, state.parts[p].step):
                return True
            p = state.parts[p].next
    for i in range(fixed.first_always, fixed.first_always + fixed.n_always):
        if lacks_room(line, state, line.products[line.links[i]].first_step):
            return True
    return False


@jit
def lacks_room(line: LineTables, state: State, k):
    """Say whether only a place behind is missing for a part to start step `k`."""
    return next_room(line, state, k) == -1 and has_kit(line, state, k)


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
def let_sources_in(line: LineTables, state: State, k, s):
    """Let parts outside come to a ready server; say whether one of them took it."""
    fixed = line.stations[k]
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        dest = line.dests[line.links[i]]
        for j in range(dest.first_source, dest.first_source + dest.n_sources):
            if state.servers[s].ready:
                entry(line, state, line.links[j])
    return not state.servers[s].ready


@jit
def wake_sources(line: LineTables, state: State, d):
    """Let parts outside look again at their first station."""
    dest = line.dests[d]
    # the last one pushed goes first: go backward, so that the file's order counts
    last = dest.first_source + dest.n_sources - 1
    for i in range(last, dest.first_source - 1, -1):
        product = line.links[i]
        if wants_in(line, state, product):
            push(state, ENTRY, product)


@jit
def take_always(line: LineTables, state: State, k):
    """Make and start a unit of an always available product; say whether there was one.

    Shares are kept by smooth weighted turns: every product gains its share at each
    unit, the one with most credit goes and pays the sum.
    """
    fixed = line.stations[k]
    best = -1
    total = 0.0
    if fixed.n_always == 1:
        best = line.links[fixed.first_always]
        if not eligible(line, state, k, line.products[best].first_step):
            return False
        start_new(line, state, best, k)
        return True
    for i in range(fixed.first_always, fixed.first_always + fixed.n_always):
        product = line.links[i]
        if eligible(line, state, k, line.products[product].first_step):
            share = line.products[product].share
            total += share
            credit = state.products[product].credit + share
            if (
                best < 0
                or credit > state.products[best].credit + line.products[best].share
            ):
                best = product
    if best < 0:
        return False
    for i in range(fixed.first_always, fixed.first_always + fixed.n_always):
        product = line.links[i]
        if eligible(line, state, k, line.products[product].first_step):
            state.products[product].credit += line.products[product].share
    state.products[best].credit -= total
    start_new(line, state, best, k)
    return True


@jit
def start_new(line: LineTables, state: State, product, k):
    """Make a unit of a product and start it at its first station."""
    p = create(line, state, product, -1)
    enter_line(line, state, p)
    aim(line, state, p, k)
    start(line, state, p, k)


# ------------------------------------------------------------------ room


@hot
def let_in(line: LineTables, state: State, b):
    """Let the first of the straight parts that wait for a buffer in.

    This is `room` where only one destination counts, with the same result.
    """
    d = line.buffers[b].only_dest
    t = line.targets[line.dests[d].first_target].station
    ends = state.lists[line.settings[S_N_QUEUES] + d]
    p = ends.head
    buffer = state.buffers[b]
    if p < 0 or buffer.level >= line.buffers[b].slots:
        return
    part = state.parts[p]
    if (
        part.where != BLOCKED_ON_SERVER
        or part.split > 0
        or part.reserved >= 0
        or part.woken >= 0
        or state.stations[t].n_ready > 0
    ):
        room(line, state, b)
        return
    s = part.place
    take_first(state, line.settings[S_N_QUEUES] + d, p)
    buffer.waiters -= 1
    leave_server(state, s)
    enter_buffer(state, b, p)
    part.target = line.dests[d].first_target
    join_queue(state, p, b, t)
    if buffer.waiters > 0 and buffer.level < line.buffers[b].slots:
        push(state, ROOM, b)
    if take_next(line, state, s):
        ask(state, ASK_PROCESS, s)


@jit
def room(line: LineTables, state: State, b):
    """Wake the part that goes first where a place in a buffer is free."""
    if state.buffers[b].level >= line.buffers[b].slots:
        return
    fixed = line.buffers[b]
    best = -1
    best_score = 0
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        d = line.links[i]
        station = line.targets[line.dests[d].first_target].station
        p = state.lists[line.settings[S_N_QUEUES] + d].head
        while p >= 0:
            part = state.parts[p]
            behind = part.next
            value = 0
            if station >= 0 and part.split == 0:
                value = score(line, state, station, p)
            better = best < 0 or value < best_score
            if not better and value == best_score:
                better = part.sequence < state.parts[best].sequence
            if better and part.woken < 0 and together(line, state, p):
                best = p
                best_score = value
            if station < 0 or line.stations[station].dispatch == FIFO:
                if best >= 0 and part.sequence >= state.parts[best].sequence:
                    break
            p = behind
    if best >= 0:
        state.parts[best].woken = b
        push(state, OFFER, best)
        return
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        if line.dests[line.links[i]].n_sources > 0:
            wake_sources(line, state, line.links[i])
    for i in range(fixed.first_early + fixed.n_early - 1, fixed.first_early - 1, -1):
        push(state, KIT, line.links[i])
    if fixed.n_feeders > 0:
        push(state, ROOM_OUTPUT, b)


@jit
def room_output(line: LineTables, state: State, o):
    """Move the longest blocked part of the feeding stations into an output buffer."""
    if state.buffers[o].level >= line.buffers[o].slots:
        return
    best = -1
    fixed = line.buffers[o]
    for i in range(fixed.first_feeder, fixed.first_feeder + fixed.n_feeders):
        station = line.stations[line.links[i]]
        for s in range(station.first_server, station.first_server + station.n_servers):
            p = state.servers[s].part
            if p >= 0 and state.parts[p].where == BLOCKED_ON_SERVER:
                if state.parts[p].split == 0:
                    if best < 0 or state.parts[p].sequence < state.parts[best].sequence:
                        best = p
    if best >= 0:
        to_output(state, best, o)
        push(state, ROOM_OUTPUT, o)


@jit
def wake_station(line: LineTables, state: State, k):
    """Let the ready servers of a station look for work again."""
    fixed = line.stations[k]
    for s in range(
        fixed.first_server + fixed.n_servers - 1, fixed.first_server - 1, -1
    ):
        if state.servers[s].ready:
            push(state, PULL, s)


# ------------------------------------------------------------------ into the line


@hot
def create(line: LineTables, state: State, product, order):
    """Make a part outside the line."""
    p = new_part(state, product)
    part = state.parts[p]
    fixed = line.products[product]
    part.step = fixed.first_step
    part.priority = fixed.priority
    part.where = NEW
    state.products[product].made += fixed.lot
    if order >= 0:
        part.order = order
        part.due = line.orders[order].due
        part.priority = line.orders[order].priority
    return p


@hot
def enter_line(line: LineTables, state: State, p):
    """Count a part into the line."""
    clock = state.clock[0]
    part = state.parts[p]
    product = state.products[part.product]
    part.released = clock.now
    product.entered += 1
    product.wip += 1
    product.area_us -= clock.now
    clock.wip += 1
    trace(state, T_RELEASE, part.station, p, part.order, 0)


@hot
def below_caps(line: LineTables, state: State, product):
    """Say whether the caps let one more part of a product in."""
    cap = line.products[product].cap
    if cap >= 0 and state.products[product].wip >= cap:
        return False
    cap = line.settings[S_LINE_CAP]
    return cap < 0 or state.clock[0].wip < cap


@hot
def wants_in(line: LineTables, state: State, product):
    """Say whether units of a product wait to come in."""
    if line.products[product].kind == ALWAYS_CAPPED:
        return below_caps(line, state, product)
    return state.lists[outside_list(line, product)].count > 0 and below_caps(
        line, state, product
    )


@jit
def entry(line: LineTables, state: State, product):
    """Let the next unit of a product in, if caps and first station have room."""
    if line.products[product].kind == ALWAYS_CAPPED:
        take_turn(line, state)
        return
    if not wants_in(line, state, product):
        return
    fixed = line.products[product]
    row = outside_list(line, product)
    p = state.lists[row].head
    place = choose(line, state, p, line.steps[fixed.first_step].dest)
    if place < 0:
        return
    unlink(state, p)
    admit(line, state, p, place)
    push(state, ENTRY, product)
    if fixed.kind == ARRIVALS and state.products[product].blocked:
        if state.lists[row].count == 0:
            state.products[product].blocked = 0
            ask(state, ASK_ARRIVAL, product)


@jit
def take_turn(line: LineTables, state: State):
    """Let a unit of the capped always available product in whose turn it is.

    Turns are taken as in `take_always`, among all products that may come in now.
    """
    first = line.settings[S_FIRST_CAPPED]
    last = first + line.settings[S_N_CAPPED]
    best = -1
    total = 0.0
    most = 0.0
    for i in range(first, last):
        product = line.links[i]
        if has_turn(line, state, product):
            share = line.products[product].share
            total += share
            credit = state.products[product].credit + share
            if best < 0 or credit > most:
                best = product
                most = credit
    if best < 0:
        return
    for i in range(first, last):
        product = line.links[i]
        if has_turn(line, state, product):
            state.products[product].credit += line.products[product].share
    state.products[best].credit -= total
    p = create(line, state, best, -1)
    state.parts[p].where = OUTSIDE
    place = choose(line, state, p, line.steps[state.parts[p].step].dest)
    admit(line, state, p, place)
    push(state, ENTRY, best)


@jit
def has_turn(line: LineTables, state: State, product):
    """Say whether caps and first station let an always available product in now."""
    if line.products[product].kind != ALWAYS_CAPPED:
        return False
    if not below_caps(line, state, product):
        return False
    p = create(line, state, product, -1)
    place = choose(line, state, p, line.steps[state.parts[p].step].dest)
    undo_create(line, state, p)
    return place >= 0


@jit
def undo_create(line: LineTables, state: State, p):
    """Unmake a part that found no room, number and all."""
    product = state.parts[p].product
    state.products[product].serial -= 1
    state.products[product].made -= line.products[product].lot
    free_part(state, p)


@hot
def come(line: LineTables, state: State, product, order, when_full):
    """Bring one part to the line's door; say whether it came in or waits outside."""
    p = create(line, state, product, order)
    trace(state, T_OUTSIDE, -1, p, order, 0)
    state.parts[p].where = OUTSIDE
    row = outside_list(line, product)
    if state.lists[row].count == 0 and below_caps(line, state, product):
        place = choose(
            line, state, p, line.steps[line.products[product].first_step].dest
        )
        if place >= 0:
            admit(line, state, p, place)
            return True
    if when_full == FULL_LOSE:
        trace(state, T_LOST, -1, p, 0, 0)
        state.products[product].lost += line.products[product].lot
        free_part(state, p)
        return False
    append(state, row, p)
    return True


@hot
def admit(line: LineTables, state: State, p, place):
    """Let a part from outside in, to the place that was found for it."""
    part = state.parts[p]
    enter_line(line, state, p)
    part.target = place >> 1
    target = line.targets[part.target]
    if place & 1:
        start(line, state, p, target.station)
    else:
        d = line.steps[part.step].dest
        if line.stations[target.station].plain:
            queue(line, state, p, d)
        else:
            carry_or_queue(line, state, p, d)


@jit
def come_all(line: LineTables, state: State, product, n, order):
    """Bring `n` parts of a product and, level by level, the components with them."""
    fixed = line.products[product]
    n_kept = 0
    for _ in range(n):
        if come(line, state, product, order, fixed.when_full):
            n_kept += 1
    for i in range(fixed.first_child, fixed.first_child + fixed.n_children):
        child = line.uses[i]
        when_full = line.products[child.product].when_full
        for _ in range(n_kept * child.quantity):
            come(line, state, child.product, order, when_full)


@hot
def arrive(line: LineTables, state: State, product):
    """Bring an arrival of a product to the line's door.

    Returns whether the next one is to be asked for now; otherwise that is on the
    worklist, or has to wait until the source is no longer blocked.
    """
    state.products[product].arrivals += 1
    fixed = line.products[product]
    if fixed.quantity == 1 and fixed.n_children == 0 and fixed.when_full != FULL_BLOCK:
        come(line, state, product, -1, fixed.when_full)
        return True
    push(state, NEXT_ARRIVAL, product)
    come_all(line, state, product, fixed.quantity, -1)
    return False


@jit
def next_arrival(line: LineTables, state: State, product):
    """Ask for a product's next arrival, unless its source is blocked now."""
    full = state.lists[outside_list(line, product)].count > 0
    if full and line.products[product].when_full == FULL_BLOCK:
        state.products[product].blocked = 1
        set_timer(state, line.products[product].leaf, NEVER)
    else:
        ask(state, ASK_ARRIVAL, product)


@jit
def release_order(line: LineTables, state: State, order):
    """Release a dated order."""
    row = line.orders[order]
    lot = line.products[row.product].lot
    come_all(line, state, row.product, (row.quantity + lot - 1) // lot, order)


# ------------------------------------------------------------------ out of the line


@hot
def bucket_of(value):
    """Return the percentile sketch's bucket of a time in microseconds.

    The same rule as `stats.sketch.bucket_of`, log-linear with 64 buckets an octave; the
    octave is read from the exponent of the number as a float.
    """
    exponent = (np.float64(value).view(np.int64) >> 52) - 1023
    shift = max(exponent - N_BUCKET_BITS, 0)
    return (shift << N_BUCKET_BITS) + (value >> shift)


@hot
def count_finished(line: LineTables, state: State, p):
    """Count a unit that has come to the end of its routing."""
    clock = state.clock[0]
    part = state.parts[p]
    product = state.products[part.product]
    lot = line.products[part.product].lot
    product.finished += lot
    if part.bad:
        product.escaped += lot
    if part.visits == 0:
        product.first_pass += lot
    flow = clock.now - part.released
    product.flow_count += 1
    product.flow_us += flow
    state.flow[part.product, bucket_of(flow)] += 1
    o = part.order
    if o >= 0 and line.orders[o].product == part.product:
        state.orders[o].done += lot
        if (
            state.orders[o].done >= line.orders[o].quantity
            and state.orders[o].finished < 0
        ):
            state.orders[o].finished = clock.now


@hot
def leave(line: LineTables, state: State, p):
    """Let a finished unit that holds no place any more leave the line."""
    part = state.parts[p]
    count_finished(line, state, p)
    trace(state, T_EXIT, part.station, p, part.order, 0)
    clock = state.clock[0]
    clock.finished += line.products[part.product].lot
    if clock.finished >= clock.enough:
        clock.look = 1
    leave_line(line, state, p)


@jit
def complete(line: LineTables, state: State, p):
    """Let a unit at the end of its routing leave the line, or go into its store."""
    part = state.parts[p]
    d = line.products[part.product].store
    if d < 0:
        release_origin(line, state, p)
        leave(line, state, p)
        return
    b = line.targets[line.dests[d].first_target].buffer
    if part.reserved >= 0:
        part.reserved = -1
        release_origin(line, state, p)
    else:
        if state.buffers[b].level >= line.buffers[b].slots:
            wait_for(line, state, p, d)
            return
        release_origin(line, state, p)
        enter_buffer(state, b, p)
    count_finished(line, state, p)
    part.where = IN_STORE
    part.place = b
    append(state, store_list(line, part.product), p)
    trace(state, T_STORE, b, p, 0, 0)
    kit_arrived(line, state, part.product)


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
def _all_fit(line: LineTables, state: State, p):
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
            free += line.buffers[target.buffer].slots
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
    full = _all_fit(line, state, p)
    if full < 0:
        return True
    wait_for(line, state, p, full)
    return False


@jit
def split(line: LineTables, state: State, p):
    """Set free the units that a part is split into, as far as there is room."""
    part = state.parts[p]
    step = line.steps[part.step]
    total = 0
    for i in range(step.first_make, step.first_make + step.n_makes):
        total += line.uses[i].quantity
    if step.together:
        full = _all_fit(line, state, p)
        if full >= 0:
            wait_for(line, state, p, full)
            return
    while part.split <= total:
        product = split_product(line, state, p)
        d = line.steps[line.products[product].first_step].dest
        c = create(line, state, product, -1)
        child = state.parts[c]
        child.station = part.station
        child.order = part.order
        child.due = part.due
        child.priority = part.priority
        child.bad = part.bad
        place = choose(line, state, c, d)
        if place < 0:
            undo_create(line, state, c)
            wait_for(line, state, p, d)
            return
        enter_line(line, state, c)
        trace(state, T_SPLIT, part.station, c, part.product, part.serial)
        child.target = place >> 1
        if place & 1:
            start(line, state, c, line.targets[place >> 1].station)
        else:
            carry_or_queue(line, state, c, d)
        part.split += 1
    part.split = 0
    part.step = _COMPLETE
    release_origin(line, state, p)
    count_finished(line, state, p)
    trace(state, T_EXIT, part.station, p, part.order, 1)
    leave_line(line, state, p)


# ------------------------------------------------------------------ the end of work


@hot
def finish(line: LineTables, state: State, s, outcome):
    """End the work on a part with its verdict and offer it to what comes next.

    Returns whether the server begins work on another part, of which it is still to be
    asked how long it takes.
    """
    server = state.servers[s]
    stop_finished(state, s)
    p = server.part
    step = line.steps[server.step]
    server.phase = DONE
    here = state.stations[server.station]
    here.completed += 1
    here.planned_us += line.work[work_at(line, server.step, server.station)].mean_us
    if unlikely(line.stations[server.station].has_cycle_modes != 0):
        count_cycle(line, state, s)
    if likely(step.straight > outcome):  # outcomes are not negative
        gone = True
        if likely(step.next >= 0):
            gone = hand_on(line, state, p, s, step.next)
        elif state.clock[0].n_pending_sources > 0:
            state.parts[p].step = _COMPLETE
            complete(line, state, p)
            gone = False  # its place is looked at after those who may come in now
        else:
            state.parts[p].step = _COMPLETE
            leave_server(state, s)
            leave(line, state, p)
        return gone and take_next(line, state, s)
    if step.inspected or outcome:
        if judge(line, state, p, outcome):
            return False
    elif step.n_makes > 0:
        state.parts[p].split = 1
    else:
        state.parts[p].step = step.next
    push(state, OFFER, p)
    return False


@hot
def hand_on(line: LineTables, state: State, p, s, k):
    """Pass a part on to the one plain station of its next step; say whether it went.

    This is `offer` for the way that most parts go, with the same result.
    """
    step = line.steps[k]
    part = state.parts[p]
    part.step = k
    part.target = step.first_target
    t = step.only_station
    b = step.only_buffer
    if state.stations[t].n_ready > 0 and not ends_now(line, state, t):
        leave_server(state, s)
        start(line, state, p, t)
        return True
    if state.buffers[b].level < line.buffers[b].slots:
        leave_server(state, s)
        enter_buffer(state, b, p)
        join_queue(state, p, b, t)
        return True
    here = state.stations[state.servers[s].station]
    fixed = line.stations[state.servers[s].station]
    if (
        fixed.out_buffer >= 0
        or fixed.in_loop
        or state.servers[s].pending > 0
        or here.shift != CALENDAR_ON
    ):
        wait_for(line, state, p, step.dest)
        return False
    clock = state.clock[0]
    clock.sequence += 1
    part.sequence = clock.sequence
    part.woken = -1
    append(state, line.settings[S_N_QUEUES] + step.dest, p)
    state.buffers[b].waiters += 1
    part.where = BLOCKED_ON_SERVER
    trace(state, T_BLOCK, state.servers[s].station, p, s, step.dest)
    set_mode(state, s, BLOCKED)
    return False


@hot
def leave_server(state: State, s):
    """Free a server of the part that moves on."""
    state.servers[s].part = -1
    state.servers[s].phase = NONE


@hot
def take_next(line: LineTables, state: State, s):
    """Let a server that has become free go on; say whether work begins on it.

    How long that takes is still to be asked. This is `pull` for a server that is up and
    on shift and for whose station only one buffer counts, with the same result.
    """
    server = state.servers[s]
    k = server.station
    b = line.stations[k].only_buffer
    here = state.stations[k]
    on_calendar = line.stations[k].calendar >= 0
    if unlikely(
        b < 0
        or server.down + server.pending >= 0  # -1 is up, with nothing pending
        or (on_calendar and (here.shift != CALENDAR_ON or ends_now(line, state, k)))
    ):
        push(state, PULL, s)
        return False
    p = state.lists[k].head
    if p >= 0:
        return start_first(line, state, p, s)
    if state.buffers[b].waiters > 0 or line.stations[k].n_always > 0:
        push(state, PULL, s)
    else:
        server.ready = 1
        here.n_ready += 1
        set_mode(state, s, STARVED)
    return False


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
def judge(line: LineTables, state: State, p, outcome):
    """Act on a verdict; say whether the part was scrapped."""
    part = state.parts[p]
    step = line.steps[part.step]
    verdict = outcome & 3
    part.bad = 1 if outcome & BAD else 0
    trace(state, T_VERDICT, part.station, p, outcome, part.visits)
    if (
        verdict == REWORK
        and step.rework_limit >= 0
        and part.visits >= step.rework_limit
    ):
        verdict = SCRAP
    if verdict != PASS:
        state.stations[part.station].rejected += 1
        unreserve(state, p)
    if verdict == REWORK:
        part.visits += 1
        part.bad = 0
        part.step = step.rework_to
        if step.rework_priority != NEVER:
            part.priority = step.rework_priority
        state.products[part.product].reworked += line.products[part.product].lot
        trace(state, T_REWORK, part.station, p, part.visits, 0)
        return False
    if verdict == SCRAP:
        release_origin(line, state, p)
        scrap(line, state, p)
        return True
    if step.n_makes > 0:
        part.split = 1
    else:
        part.step = step.next
    return False


# ------------------------------------------------------------------ standing still


@jit
def is_deadlock(line: LineTables, state: State, d):
    """Say whether nobody who could make room at a destination can ever move.

    Follows who waits for whom: from the destination to every station that draws on its
    buffers, from a station to what its blocked parts wait for. A station with a server
    that is not blocked may still move. The stations seen are kept on the free end of
    the worklist.
    """
    n_seen = _watch(line, state, d, 0)
    n_done = 0
    top = len(state.todo)
    while n_seen >= 0 and n_done < n_seen:
        n_done += 1
        n_seen = _follow(line, state, state.todo[top - n_done], n_seen)
    return n_seen > 0


@jit
def _follow(line: LineTables, state: State, k, n_seen):
    """Watch what a station's parts wait for; return -1 if it may still move."""
    fixed = line.stations[k]
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        p = state.servers[s].part
        if (
            p < 0
            or state.parts[p].where != BLOCKED_ON_SERVER
            or state.servers[s].down >= 0
        ):
            return -1
        n_seen = _watch(
            line, state, state.parts[p].list - line.settings[S_N_QUEUES], n_seen
        )
        if n_seen < 0:
            return -1
    if fixed.out_buffer >= 0:
        for p in range(len(state.parts)):
            part = state.parts[p]
            if (
                part.product >= 0
                and part.where == IN_OUTPUT
                and part.place == fixed.out_buffer
            ):
                n_seen = _watch(
                    line, state, part.list - line.settings[S_N_QUEUES], n_seen
                )
                if n_seen < 0:
                    return -1
    return n_seen


@jit
def _watch(line: LineTables, state: State, d, n_seen):
    """Add the stations that draw on a destination's buffers; -1 if there is a way out.

    That is a place that is free, or a buffer from which something else draws.
    """
    dest = line.dests[d]
    top = len(state.todo)
    for j in range(dest.first_target, dest.first_target + dest.n_targets):
        b = line.buffers[line.targets[j].buffer]
        if state.buffers[line.targets[j].buffer].level < b.slots:
            return -1
        for i in range(b.first_dest, b.first_dest + b.n_dests):
            drawn = line.dests[line.links[i]]
            for h in range(drawn.first_target, drawn.first_target + drawn.n_targets):
                if line.targets[h].buffer != line.targets[j].buffer:
                    continue
                station = line.targets[h].station
                if station < 0 or top - n_seen - 2 <= state.clock[0].n_todo:
                    return -1
                seen = False
                for e in range(n_seen):
                    seen = seen or state.todo[top - 1 - e] == station
                if not seen:
                    state.todo[top - 1 - n_seen] = station
                    n_seen += 1
    return n_seen


# ------------------------------------------------------------------ the whole rule


@jit
def caps_opened(line: LineTables, state: State):
    """Let every capped product look whether it may come in."""
    first = line.settings[S_FIRST_CAPPED]
    for i in range(first + line.settings[S_N_CAPPED] - 1, first - 1, -1):
        if wants_in(line, state, line.links[i]):
            push(state, ENTRY, line.links[i])


@jit
def settle_rare(line: LineTables, state: State, kind, row):
    """Do the work that is not on the hot path."""
    if kind == ROOM:
        room(line, state, row)
    elif kind == ROOM_OUTPUT:
        room_output(line, state, row)
    elif kind == ENTRY:
        entry(line, state, row)
    elif kind == KIT:
        wake_station(line, state, row)
    elif kind == CAPS:
        caps_opened(line, state)
    elif kind == NEXT_ARRIVAL:
        next_arrival(line, state, row)


@jit
def settle(line: LineTables, state: State):
    """Do what is on the worklist until nothing is left."""
    clock = state.clock[0]
    while clock.n_todo > 0:
        n = clock.n_todo - 1
        clock.n_todo = n
        item = state.todo[n]
        kind = item & 7
        row = item >> 3
        if kind == OFFER:
            offer(line, state, row)
        elif kind == PULL:
            pull(line, state, row)
        elif kind == ROOM and line.buffers[row].only_dest >= 0:
            let_in(line, state, row)
        else:
            settle_rare(line, state, kind, row)
