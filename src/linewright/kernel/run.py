"""One replication: events in, transitions out, and the simulator that feeds them.

`apply` is the seam. It takes an event (its kind, the row it concerns, its outcome) at
the time that stands in the clock, makes every transition that follows, and leaves
questions: how long does this work take, when does this failure come. Whoever drives the
line answers them: the simulator by drawing (`draw`), a controller with `UNKNOWN`,
after which the machines' own events say when. `apply` cannot tell the two apart.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from linewright.kernel._jit import entry, hot, jit
from linewright.kernel._views import (
    choose_blindly,
    likely,
    open_draws,
    open_line,
    open_state,
    pack,
    prefetch,
    unlikely,
)
from linewright.kernel.acts import act, plan_order
from linewright.kernel.calendar import (
    confirm_timer,
    foretell_timer,
    heap_pop,
    heap_push,
    heap_take,
    set_timer,
    timer_key,
    timer_of,
)
from linewright.kernel.causes import (
    chain_is_full,
    fold,
    measure_chain,
    note_event,
    note_way,
)
from linewright.kernel.conveyors import advanced
from linewright.kernel.eligible import (
    fleet_list,
    fleet_to,
    has_kit,
    needs_setup,
    transport_dist,
)
from linewright.kernel.entering import (
    arrive,
    arrives_alone,
    caps_opened,
    put_in,
    put_in_store,
    release_order,
    wants_in,
)
from linewright.kernel.flow import (
    finish,
    finish_rare,
    finish_straight,
    settle,
    waited,
)
from linewright.kernel.learning import learned_share, ramp_share
from linewright.kernel.moves import CAPS, PULL, ask, push, trace
from linewright.kernel.people import claimant_of, people_came, serve, set_out
from linewright.kernel.queueing import moved
from linewright.kernel.running import is_held, run, run_known
from linewright.kernel.sample import CONSTANT, sample, uniform
from linewright.kernel.starting import loaded, setup_done
from linewright.kernel.stocks import reorder
from linewright.kernel.streams import FAR, standard, time_ahead, uniform_at
from linewright.kernel.vehicles import empty_us, fetched
from linewright.kernel.waiting import waiting_for
from linewright.kernel.work import (
    due,
    go_down,
    repaired,
    returned,
    set_clock,
    shift_change,
    start_repair,
)
from linewright.tables import (
    ADVANCED,
    ARRIVAL,
    ASK_ARRIVAL,
    ASK_CLOCK,
    ASK_FETCH,
    ASK_LOAD,
    ASK_MOVE,
    ASK_PROCESS,
    ASK_REPAIR,
    ASK_RETURN,
    ASK_SETUP,
    ASK_UNLOAD,
    ASK_WALK,
    ASKED_CALL,
    AWAY,
    AWAY_AT_START,
    BAD,
    BEGIN,
    CALENDAR_ON,
    CHAINS,
    CHARGING,
    CLOCK_CYCLES,
    CLOCK_UNITS,
    COMPLETE,
    DRAWS_DTYPES,
    ENOUGH,
    FAILURE,
    FETCHED,
    FINISH,
    IN_STORE,
    LOADED,
    MATERIAL,
    MOVED,
    NEED_CHAIN,
    NEED_PARTS,
    NEED_TRACE,
    NEVER,
    NO_ROOM,
    ORDER,
    PASS,
    PEOPLE_CAME,
    PLAN_ORDER,
    REACHED,
    REPAIRED,
    RETURNED,
    REWORK,
    S_MARGIN,
    S_MOVE_LEAF,
    S_ORDER_LEAF,
    S_RELEASE_RULES,
    SCRAP,
    SETUP_DONE,
    SKIP_BITS,
    STANDSTILL,
    T_EVENT,
    TICK,
    TIES_OF_LEAVES,
    TIMES,
    UNKNOWN,
    UNLOADED,
    UNPLANNED,
    WAITED,
    WORKING,
    Draws,
    LineTables,
    State,
)

__all__ = ["Foreseen", "Outside", "advance", "apply", "external", "packed"]

_MANY = 64  # servers of a line that does not fit into the nearest cache
_NO_EVENT = -1
_GO_ON = -1
_BY_MACHINES, _BY_ITSELF, _BY_DRAWING, _FORESEE, _SAMPLE, _DRAW, _ANSWER = range(7)
_N_ROW_BITS = 40
_ROW_BITS = (1 << _N_ROW_BITS) - 1
_NOTE = -2  # a limit before all events, for those that are only to be written down


@hot
def apply(line: LineTables, state: State, kind, row, outcome):
    """Make every transition that follows from one event.

    Returns whether the same goes on: whether a server that finished begins work again,
    or a source goes on after an arrival. When that comes is one more question, which
    the driver answers first.
    """
    again = False
    state.clock[0].events += 1
    trace(state, T_EVENT, row, -1, kind, outcome)
    if kind == FINISH:
        again = finish(line, state, row, outcome)
    elif kind == ARRIVAL:
        again = arrive(line, state, row)
    elif kind == SETUP_DONE:
        setup_done(line, state, row)
    else:
        apply_rare(line, state, kind, row, outcome)
    if state.clock[0].n_todo > 0:
        settle(line, state)
    return again


@hot
def apply_straight(line: LineTables, state: State, s):
    """Make what follows from the end of a straight step, as `apply` does."""
    state.clock[0].events += 1
    trace(state, T_EVENT, s, -1, FINISH, 0)
    again = finish_straight(line, state, s)
    if state.clock[0].n_todo > 0:
        settle(line, state)
    return again


@jit
def apply_rare(line: LineTables, state: State, kind, row, outcome):
    """Make the transitions of an event that does not come often."""
    if line.settings[S_RELEASE_RULES] > 0:
        push(state, CAPS, 0)  # last: when all has moved
    if kind == MOVED:
        moved(line, state, row)
    elif kind == REPAIRED:
        repaired(line, state, row)
    elif kind == FAILURE:
        due(line, state, row)
    elif kind == TICK:
        tick(line, state, row)
    elif kind == ORDER:
        release_order(line, state, row)
    elif kind == LOADED:
        loaded(line, state, row)
    elif kind == UNLOADED:
        finish_rare(line, state, row, outcome)
    elif kind == WAITED:
        waited(line, state, row)
    elif kind == RETURNED:
        returned(line, state, row)
    elif kind == ADVANCED:
        advanced(state, row)
    elif kind == PEOPLE_CAME:
        people_came(line, state, row)
    elif kind == FETCHED:
        fetched(line, state, row)
    elif kind == BEGIN:
        begin_line(line, state)
    elif kind == PLAN_ORDER:
        plan_order(state, row, outcome)
        next_order(line, state)
    else:
        act(line, state, kind, row, outcome)


@jit
def tick(line: LineTables, state: State, c):
    """Change the shift of all who work by a calendar, and set the next change."""
    calendar = line.calendars[c]
    window = state.windows[c]
    next_tick = window.next_tick
    if calendar.n_stations > 0:
        next_tick = state.stations[line.links[calendar.first_station]].next_tick
    elif calendar.n_pools > 0:
        next_tick = state.pools[line.links[calendar.first_pool]].next_tick
    row = calendar.first + next_tick
    last = calendar.first_station + calendar.n_stations
    for i in range(calendar.first_station, last):
        state.stations[line.links[i]].next_tick += 1
    for i in range(calendar.first_station, last):
        shift_change(line, state, line.links[i], line.ticks[row].mode)
    for i in range(calendar.first_pool, calendar.first_pool + calendar.n_pools):
        pool = line.links[i]
        state.pools[pool].next_tick += 1
        state.pools[pool].on = line.ticks[row].mode == CALENDAR_ON
        serve(line, state, pool)
    window.next_tick += 1
    window.on = line.ticks[row].mode == CALENDAR_ON
    for i in range(calendar.first_window, calendar.first_window + calendar.n_windows):
        m = line.links[i]
        if state.modes[m].pending:
            push(state, PULL, line.server_modes[m].server)
    key = NEVER
    if row + 1 < calendar.first + calendar.n:
        key = timer_key(line.ticks[row + 1].at, TICK)
    set_timer(state, calendar.leaf, key)


@jit
def next_order(line: LineTables, state: State):
    """Set the timer of the next dated order."""
    leaf = line.settings[S_ORDER_LEAF]
    if leaf < 0:
        return
    o = state.clock[0].next_order
    key = NEVER
    if o >= 0:
        key = timer_key(max(state.orders[o].release, 0), ORDER)
    set_timer(state, leaf, key)


@jit
def begin_line(line: LineTables, state: State):
    """Set the line going at time 0: clocks, sources, servers looking for work."""
    state.clock[0].begun = 1
    for m in range(len(line.server_modes)):
        mode = line.modes[line.server_modes[m].mode]
        if mode.planned == AWAY_AT_START:
            go_down(line, state, m)
        elif mode.worn < 0:
            push_request(state, ASK_CLOCK, m)
    for k in range(len(line.stocks)):
        if line.stocks[k].kind == MATERIAL:
            reorder(line, state, k)
    for i in range(len(line.products)):
        for _ in range(line.products[i].initial):
            put_in_store(line, state, i)
    for c in range(len(line.calendars)):
        calendar = line.calendars[c]
        if calendar.n > 1:
            set_timer(
                state, calendar.leaf, timer_key(line.ticks[calendar.first + 1].at, TICK)
            )
    for i in range(len(line.products)):
        if line.products[i].leaf >= 0:
            push_request(state, ASK_ARRIVAL, i)
    next_order(line, state)
    for i in range(len(line.in_process)):
        if not put_in(line, state, i):
            state.clock[0].status = NO_ROOM
            state.clock[0].who = i
            return
    caps_opened(line, state)
    for s in range(len(state.servers) - 1, -1, -1):
        push(state, PULL, s)


@hot
def push_request(state: State, kind, row):
    """Ask the driver for something."""
    clock = state.clock[0]
    state.requests[clock.n_requests] = (row << 4) | kind
    clock.n_requests += 1


# ------------------------------------------------------------------ answers


@jit
def answer_process(state: State, s, amount):
    """Tell a server how long its work or setup takes, in microseconds or UNKNOWN.

    It may have been stopped in the same instant, and then begins later.
    """
    server = state.servers[s]
    server.remaining = amount
    server.total = amount
    if server.down + server.waits < 0:  # -1 is up, 0 waits for nobody
        run(state, s)


@hot
def draw_and_work(line: LineTables, state: State, draws: Draws, s):
    """Draw how long the work takes that begins on a server, and let it begin.

    This is `answer_process` for an answer that is known.
    """
    amount = draw_process(line, state, draws, s)
    server = state.servers[s]
    server.remaining = amount
    server.total = amount
    run_known(state, s)


@jit
def answer(line: LineTables, state: State, kind, row, amount):
    """Give the kernel the answer to a question, in microseconds or UNKNOWN."""
    if kind == ASK_REPAIR:
        start_repair(line, state, row, amount)
    elif kind == ASK_CLOCK:
        set_clock(line, state, row, amount)
    elif kind == ASK_MOVE:
        answer_move(line, state, row, amount)
    elif kind == ASK_ARRIVAL:
        answer_arrival(line, state, row, amount)
    elif kind == ASK_WALK:
        set_out(line, state, row, amount)
    elif kind == ASK_RETURN:
        stock = state.stocks[row]
        stock.n_asked += 1
        if amount != UNKNOWN:
            come_later(line, state, RETURNED, row, stock.n_asked, row, amount)
    elif kind == ASK_FETCH:
        if amount != UNKNOWN:
            vehicle = state.vehicles[row]
            f, number = vehicle.fleet, vehicle.number
            come_later(line, state, FETCHED, f, number, row, amount)
    else:
        answer_process(state, row, amount)


@jit
def answer_move(line: LineTables, state: State, p, amount):
    """Say when a part on its way comes, in microseconds or UNKNOWN."""
    if amount == UNKNOWN:
        return
    part = state.parts[p]
    station = line.targets[part.target].station
    come_later(line, state, MOVED, station, part.serial, p, amount)


@jit
def come_later(line: LineTables, state: State, kind, station, number, row, amount):
    """Put an event on the heap; ties go by station, then by number."""
    clock = state.clock[0]
    key = timer_key(clock.now + amount, kind)
    if clock.ties & CHAINS and kind != RETURNED:
        note_way(state, row, kind == FETCHED)
    heap_push(state.heap, clock.n_heap, key, station, number, row)
    clock.n_heap += 1
    set_timer(state, line.settings[S_MOVE_LEAF], state.heap[0, 0])


@hot
def answer_arrival(line: LineTables, state: State, product, amount):
    """Say when a product's next arrival comes, in microseconds or UNKNOWN."""
    key = NEVER
    if amount != UNKNOWN:
        key = timer_key(state.clock[0].now + amount, ARRIVAL)
    set_timer(state, line.products[product].leaf, key)


@hot
def draw_arrival(line: LineTables, state: State, draws: Draws, product, n):
    """Draw how long it takes until a product's arrival after `n` others."""
    fixed = line.products[product]
    if n == 0 and fixed.first_us >= 0:
        return fixed.first_us
    stream = fixed.source_stream
    if draws.streams[stream].kind == TIMES:
        amount = time_ahead(draws, len(state.servers) + product, stream, n, 0)
    else:
        amount = sample(line, draws, fixed.source_dist, stream, n, 0)
    if unlikely(fixed.source_calendar >= 0):
        return on_shift_after(line, fixed.source_calendar, state.clock[0].now, amount)
    return amount


@jit
def on_shift_after(line: LineTables, c, now, amount):
    """Return how long it takes until a calendar was on shift for an amount of time.

    UNKNOWN if it never is; at the end of a shift it is the beginning of the next.
    """
    calendar = line.calendars[c]
    low, high = calendar.first, calendar.first + calendar.n
    while high - low > 1:
        middle = (low + high) // 2
        if line.ticks[middle].at <= now:
            low = middle
        else:
            high = middle
    left = amount
    for i in range(low, calendar.first + calendar.n):
        row = line.ticks[i]
        if row.mode != CALENDAR_ON:
            continue
        begin = max(row.at, now)
        if i + 1 == calendar.first + calendar.n:
            return begin - now + left
        length = line.ticks[i + 1].at - begin
        if left < length:
            return begin - now + left
        left -= length
    return UNKNOWN


@hot
def foretell_work(line: LineTables, state: State, draws: Draws, s):
    """Set the timer of a server that finishes as it will be after the common way.

    It goes on if its part finds a place and another one waits; how long that takes is
    known already.
    """
    server = state.servers[s]
    step = line.steps[server.step]
    if step.foretold:
        k = server.station
        only_us = step.only_us
        amount = choose_blindly(only_us >= 0, only_us, draws.ahead[s].amount)
        has_next = (state.lists[k].head >= 0) | (line.stations[k].n_always > 0)
        buffer = state.buffers[step.next_buffer]
        is_ready = state.stations[step.next_station].n_ready > 0
        moves_on = (step.next < 0) | is_ready | (buffer.level < buffer.slots)
        key = timer_key(state.clock[0].now + amount, FINISH)
        foretell_timer(state, s, choose_blindly(has_next & moves_on, key, NEVER))


@hot
def look_ahead(line: LineTables, state: State, draws: Draws):
    """Have brought near what the event needs that comes next as far as is foretold.

    In a long line it lies far off, and one thing says where the next one is.
    """
    s = state.winners[1]
    if s < len(state.servers):
        server = state.servers[s]
        k = server.station
        prefetch(state.parts, server.part)
        prefetch(state.stations, k)
        prefetch(draws.ahead, s)
        step = line.steps[server.step]
        prefetch(state.stations, step.next_station)
        prefetch(state.buffers, step.next_buffer)
        prefetch(state.lists, step.next_station)
        prefetch(state.buffers, line.stations[k].only_buffer)
        prefetch(state.parts, state.lists[k].head)


@hot
def draw_process(line: LineTables, state: State, draws: Draws, s):
    """Draw how long the work that starts on a server takes."""
    server = state.servers[s]
    part = state.parts[server.part]
    step = line.steps[server.step]
    if step.times_stream >= 0:
        if step.in_turn:
            return time_ahead(draws, s, step.times_stream, part.serial, part.visits)
        return int(standard(draws, step.times_stream, part.serial, part.visits))
    if step.only_us >= 0:
        return step.only_us
    dist = step.only_dist
    if step.only_station < 0:
        dist = line.work[step.first_work + part.target - step.first_target].dist
    if unlikely(step.scaled != 0):
        return draw_scaled(line, state, draws, s, dist)
    if step.per_unit == 1:
        return sample(line, draws, dist, step.process_stream, part.serial, part.visits)
    return draw_units(line, state, draws, s, dist)


@jit
def draw_units(line: LineTables, state: State, draws: Draws, s, dist):
    """Draw how long the work on a lot, or on a batch of lots, takes, unit by unit."""
    server = state.servers[s]
    p = server.part
    total = 0
    while p >= 0:
        part = state.parts[p]
        step = line.steps[part.step]
        lot = abs(step.per_unit)
        for i in range(lot):
            n = part.serial * lot + i
            total += sample(line, draws, dist, step.process_stream, n, part.visits)
        p = part.mate if server.n_parts > 1 else -1
    return total


@jit
def draw_scaled(line: LineTables, state: State, draws: Draws, s, dist):
    """Draw how long work takes that is learned, or at a station that ramps up."""
    server = state.servers[s]
    first = line.steps[server.step]
    total = 0.0
    done = 0
    p = server.part
    while p >= 0:
        part = state.parts[p]
        step = line.steps[part.step]
        lot = abs(step.per_unit)
        for i in range(lot):
            n = part.serial * lot + i
            time = sample(line, draws, dist, step.process_stream, n, part.visits)
            share = 1.0
            if step.curve >= 0:
                share = learned_share(line, state, step.curve, done)
            total += time * share
            done += 1
        whole = first.batch_group >= 0 and first.per_unit > 0
        p = part.mate if server.n_parts > 1 and not whole else -1
    speed = line.stations[server.station].speed
    if speed >= 0:
        total /= ramp_share(line, state.clock[0].now, speed)
    return int(min(total, FAR) + 0.5)


@jit
def draw_inside(line: LineTables, state: State, draws: Draws, p, k, visit):
    """Draw how long a part goes on in a machine that has taken the next one.

    It is what is left of the whole processing time, with loading and unloading, which
    go on beside the work.
    """
    step = line.steps[k]
    part = state.parts[p]
    n = part.serial
    inside = 0
    lot = abs(step.per_unit)
    for i in range(lot):
        m = n * lot + i
        inside += sample(line, draws, step.cascade, step.cascade_stream, m, visit)
    taken = step.only_us
    if taken < 0:
        taken = sample(line, draws, step.only_dist, step.process_stream, n, visit)
    station = line.stations[part.station]
    total = max(inside - taken, 0)
    if station.load >= 0:
        total += sample(line, draws, station.load, step.load_stream, n, visit)
    if station.unload >= 0:
        total += sample(line, draws, station.unload, step.unload_stream, n, visit)
    return total


@jit
def draw_move(line: LineTables, state: State, draws: Draws, p):
    """Draw how long a part takes out of the machine, to rest, and to where it goes."""
    part = state.parts[p]
    n = part.serial
    total = 0
    if part.came >= 0:
        k = part.came >> 1
        visit = part.visits - (part.came & 1)
        step = line.steps[k]
        if step.cascade >= 0:
            total += draw_inside(line, state, draws, p, k, visit)
        if step.rest >= 0:
            total += sample(line, draws, step.rest, step.rest_stream, n, visit)
    if part.step != COMPLETE:
        f = fleet_to(line, state, p)
        if f >= 0 and part.came >= 0:
            return total  # from there it is fetched
        step = line.steps[part.step]
        station = line.targets[part.target].station
        dist = transport_dist(line, state, p, station)
        if dist >= 0:
            stream = step.transport_stream
            total += sample(line, draws, dist, stream, n, part.visits)
        if f >= 0 and line.fleets[f].unload >= 0:
            unload = line.fleets[f].unload
            total += sample(line, draws, unload, step.drop_stream, n, part.visits)
    return total


@jit
def draw_fetch(line: LineTables, state: State, draws: Draws, v):
    """Draw how long a vehicle takes to a part and to load it, or to be charged."""
    vehicle = state.vehicles[v]
    fleet = line.fleets[vehicle.fleet]
    if vehicle.doing == CHARGING:
        n, stream = vehicle.charges, fleet.charge_stream
        return sample(line, draws, fleet.charge, stream, n, vehicle.number)
    part = state.parts[vehicle.part]
    total = empty_us(line, state, v, vehicle.part)
    if fleet.load >= 0:
        stream = line.steps[part.step].fetch_stream
        total += sample(line, draws, fleet.load, stream, part.serial, part.visits)
    return total


@jit
def draw_rare(line: LineTables, state: State, draws: Draws, kind, row):
    """Draw the answer to a question that is not about processing."""
    if kind == ASK_SETUP:
        server = state.servers[row]
        dist = needs_setup(line, state, server.part, row)
        stream = line.stations[server.station].setup_stream + server.number
        return sample(line, draws, dist, stream, server.setups, 0)
    if kind == ASK_LOAD or kind == ASK_UNLOAD:
        server = state.servers[row]
        part = state.parts[server.part]
        station = line.stations[server.station]
        step = line.steps[part.step]
        dist, stream = station.load, step.load_stream
        if kind == ASK_UNLOAD:
            dist, stream = station.unload, step.unload_stream
        return sample(line, draws, dist, stream, part.serial, part.visits)
    if kind == ASK_REPAIR or kind == ASK_CLOCK:
        fixed = line.server_modes[row]
        mode = line.modes[fixed.mode]
        n = state.modes[row].n
        now = state.clock[0].now
        if kind == ASK_REPAIR and mode.planned >= AWAY:
            return UNKNOWN if mode.cycles < 0 else max(mode.cycles - now, 0)
        if kind == ASK_REPAIR:
            return sample(line, draws, mode.repair, fixed.repair_stream, n, 0)
        if mode.steps > 1:
            n = n * mode.steps + state.modes[row].wear
        if mode.clock == CLOCK_CYCLES or mode.clock == CLOCK_UNITS:
            return mode.first if n == 0 else mode.cycles
        dist = mode.first if n == 0 else mode.every
        if dist < 0:
            return UNKNOWN
        return sample(line, draws, dist, fixed.every_stream, n, 0)
    if kind == ASK_MOVE:
        return draw_move(line, state, draws, row)
    if kind == ASK_RETURN:
        return draw_return(line, state, draws, row)
    if kind == ASK_WALK:
        return draw_walk(line, state, draws, row)
    if kind == ASK_FETCH:
        return draw_fetch(line, state, draws, row)
    return draw_arrival(line, state, draws, row, state.products[row].arrivals)


@jit
def draw_return(line: LineTables, state: State, draws: Draws, k):
    """Draw how long it takes until something is there again, or there, in a stock."""
    stock = line.stocks[k]
    n = state.stocks[k].n_asked
    total = sample(line, draws, stock.dist, stock.stream, n, 0)
    if stock.late_share > 0:
        if uniform_at(draws, stock.late_stream, n, 0, 1) <= stock.late_share:
            total += sample(line, draws, stock.late, stock.late_stream, n, 0)
    return total


@jit
def draw_walk(line: LineTables, state: State, draws: Draws, c):
    """Draw how long the people walk who were sent to a claimant."""
    if state.claims[c].walking == 0:
        return UNKNOWN  # they were called off in the same instant
    pool = state.claims[c].held
    fixed = line.pools[pool]
    n = state.pools[pool].walks
    return sample(line, draws, fixed.walk, fixed.walk_stream, n, 0)


@jit
def is_unloaded(line: LineTables, server, step):
    """Say whether unloading comes after the work that ends on a server."""
    has_unload = line.stations[server.station].unload >= 0
    return server.phase == WORKING and has_unload and step.cascade < 0


@jit
def verdict(line: LineTables, state: State, draws: Draws, s):
    """Draw the outcome of the work that ends on a server."""
    server = state.servers[s]
    part = state.parts[server.part]
    step = line.steps[part.step]
    if is_unloaded(line, server, step):
        return 0  # the work is done with the unloading
    stream = step.quality_stream
    n = part.serial
    visit = part.visits
    bad = part.bad
    defect, good = step.defect, step.good
    ramp = line.stations[server.station].good
    if ramp >= 0:
        share = ramp_share(line, state.clock[0].now, ramp)
        if step.scaled_good:
            good *= share
        else:
            defect = 1 - (1 - defect) * share
    if defect > 0 and uniform_at(draws, stream, n, visit, 1) <= defect:
        bad = 1
    out = PASS
    if step.inspected == 2:
        if good < 1 and uniform(draws, stream, n, visit) > good:
            bad = 1
        rejected = bad == 1
        wrong = step.false_accept if bad else step.false_reject
        if wrong > 0 and uniform_at(draws, stream, n, visit, 2) <= wrong:
            rejected = not rejected
        if rejected:
            share = step.rework_share
            if share >= 1 or (
                share > 0 and uniform_at(draws, stream, n, visit, 3) <= share
            ):
                out = REWORK
            else:
                out = SCRAP
    if out == PASS and step.next >= 0 and line.steps[step.next].sampled:
        out |= not_sampled(line, state, draws, n, visit, step.next)
    return out | (BAD if bad else 0)


@jit
def not_sampled(line: LineTables, state: State, draws: Draws, n, visit, k):
    """Return how many operations from `k` on are passed by, as bits of an outcome."""
    n_passed = 0
    while k >= 0 and line.steps[k].sampled:
        step = line.steps[k]
        if step.every_nth > 0:
            if (state.steps[k].seen + 1) % step.every_nth == 0:
                break
        elif uniform(draws, step.sample_stream, n, visit) <= step.sample:
            break
        n_passed += 1
        k = step.next
    return n_passed << SKIP_BITS


# ------------------------------------------------------------------ drivers


@jit
def rare_row(line: LineTables, state: State, leaf, kind):
    """Return the row that the event of a leaf concerns."""
    if kind == PEOPLE_CAME:
        return claimant_of(line, state, leaf)
    if leaf < len(state.servers):
        server = state.servers[leaf]
        if kind == LOADED or kind == UNLOADED or kind == ADVANCED:
            return leaf
        return server.fails if kind == FAILURE else server.down
    clock = state.clock[0]
    if kind == MOVED or kind == RETURNED or kind == FETCHED:
        p = heap_pop(state.heap, clock.n_heap)
        clock.n_heap -= 1
        set_timer(state, leaf, state.heap[0, 0] if clock.n_heap > 0 else NEVER)
        return p
    if kind == ORDER:
        o = clock.next_order
        clock.next_order = state.orders[o].next
        next_order(line, state)
        return o
    return line.leaf_row[leaf]


@jit
def write_series(line: LineTables, state: State):
    """Write the sums up to the end of a period: finished and WIP by product, levels.

    Sums of WIP and level are in part-microseconds, closed at the end of the period.
    """
    clock = state.clock[0]
    at = clock.origin + clock.period * clock.period_us
    n_products = len(state.products)
    n_buffers = len(state.buffers)
    row = clock.period * (2 * n_products + n_buffers)
    for i in range(n_products):
        product = state.products[i]
        state.series[row + i] = product.finished
        state.series[row + n_products + i] = product.area_us + product.wip * at
    for b in range(n_buffers):
        buffer = state.buffers[b]
        state.series[row + 2 * n_products + b] = buffer.area_us + buffer.level * at
    clock.period += 1


@jit
def stands_still(line: LineTables, state: State):
    """Say whether parts wait in a line in which nothing will ever move again.

    Only shift changes and failures may still come: nobody works, is down or is about to
    get a part, nothing arrives, and what waits at a station off shift lacks its kit.
    Who is down, or is to be set up, may wait for a tool that never comes. Components
    that lie in store for no one do not wait.
    """
    if state.clock[0].wip == 0 or state.clock[0].n_heap > 0:
        return False
    n_waiting = 0
    for p in range(len(state.parts)):
        if state.parts[p].product >= 0 and state.parts[p].where != IN_STORE:
            n_waiting += 1
    if n_waiting == 0:
        return False
    if state.clock[0].next_order >= 0:
        return False
    for i in range(len(state.products)):
        leaf = line.products[i].leaf
        if leaf >= 0 and timer_of(state, leaf) < NEVER:
            return False
    for f in range(len(line.fleets)):
        if state.lists[fleet_list(line, f)].count > 0:
            return False
    n_servers = len(state.servers)
    for m in range(len(state.modes)):
        claim = state.claims[n_servers + m]
        if claim.has_tools or (state.modes[m].active and claim.lacks == 0):
            return False
    for s in range(n_servers):
        server = state.servers[s]
        if timer_of(state, s) < NEVER:
            return False
        if server.down >= 0:
            mode = line.modes[line.server_modes[server.down].mode]
            is_gone = mode.planned >= AWAY and mode.cycles < 0
            if state.claims[n_servers + server.down].lacks == 0 and not is_gone:
                return False
        elif is_held(state, s) and state.claims[s].lacks == 0:
            return False
    for k in range(len(state.stations)):
        leaf = line.stations[k].leaf
        if leaf >= 0 and timer_of(state, leaf) < NEVER:
            return False
        if state.stations[k].shift != CALENDAR_ON and may_start_later(line, state, k):
            return False
    return True


@jit
def may_start_later(line: LineTables, state: State, k):
    """Say whether a station that is off shift may find a part to start after it."""
    fixed = line.stations[k]
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            if has_kit(line, state, state.parts[p].step):
                return True
            p = state.parts[p].next
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        dest = line.dests[line.links[i]]
        for j in range(dest.first_source, dest.first_source + dest.n_sources):
            if wants_in(line, state, line.links[j]):
                return True
    return fixed.n_always > 0 or waiting_for(line, state, k)


@hot
def only_to_note(state: State, time):
    """Say whether the next event may come, and is only to be written down before."""
    clock = state.clock[0]
    if clock.limit != _NOTE or time > clock.noted_until:
        return False
    return not chain_is_full(state)


@jit
def may_go_on(line: LineTables, state: State, until, enough, time):
    """Return why the run has to stop before an event at `time`, or that it may go.

    It is asked again before the first event after `clock.limit`.
    """
    clock = state.clock[0]
    while clock.watch < time and clock.watch <= until:
        write_series(line, state)
        clock.watch = NEVER
        if clock.period < clock.n_periods:
            clock.watch = clock.origin + clock.period * clock.period_us
    if clock.status != REACHED:
        return clock.status
    if time > until:
        clock.now = until
        return STANDSTILL if stands_still(line, state) else REACHED
    if clock.finished >= enough:
        return ENOUGH
    if clock.n_free < line.settings[S_MARGIN]:
        return NEED_PARTS
    if clock.tracing and clock.n_trace > len(state.trace) // 2:
        return NEED_TRACE
    clock.limit = min(clock.watch, until)
    if clock.tracing:
        clock.limit = -1
    if clock.ties & CHAINS:
        measure_chain(state)
        if chain_is_full(state) and not fold(state):
            return NEED_CHAIN
        note_event(line, state, state.tree[1])
        clock.noted_until = -1 if clock.tracing else clock.limit
        clock.limit = _NOTE
    return _GO_ON


class _Last(threading.local):
    """What a thread ran last, as compiled code takes it.

    A run in many short spans, as one that counts at the end of each period, would
    else spend most of its time on collecting the same addresses again.
    """

    def __init__(self) -> None:
        self._of: list[Any] = [None] * 3
        self._packed: list[Any] = [None] * 3

    def packed(self, place: int, tables_: Any) -> Any:
        """Return what `pack` returns; it is the same for the very same tables."""
        if self._of[place] is not tables_:
            self._packed[place] = pack(tables_)
            self._of[place] = tables_
        return self._packed[place]


_last = _Last()


def advance(
    line: LineTables,
    state: State,
    draws: Draws,
    until: int,
    enough: int,
    call: int = 0,
) -> int:
    """Simulate until a time or a number of finished units; return why it stopped.

    Args:
        line: The line.
        state: The state, written in place.
        draws: The replication's random streams.
        until: Time to stop at, microseconds; events at that very time still happen.
        enough: Finished units to stop at.
        call: Address of the function that answers for rules of one's own
            (`rules.CALL`); a line that has some stops without it.

    Returns:
        One of the codes of `tables`: ``REACHED``, ``ENOUGH``, ``NEED_PARTS``,
        ``NEED_TRACE``, ``DEADLOCK``, ``STANDSTILL``, ``OVERFLOW`` or ``RULE_FAILED``.
    """
    rows = _last.packed(0, line), _last.packed(1, state), _last.packed(2, draws)
    state.asked[ASKED_CALL] = call
    try:
        return int(_drive(*rows, until, enough, _NO_EVENT, 0, 0))
    finally:
        state.asked[ASKED_CALL] = 0  # it says nothing to another run


class Foreseen(NamedTuple):
    """The event that comes next: when, its kind, the row it concerns, its outcome."""

    at_us: int
    kind: int
    row: int
    outcome: int


def packed(line: LineTables) -> Any:
    """Return the tables of a line as compiled code takes them, for several `Outside`.

    Whoever keeps it keeps the tables, too.
    """
    return pack(line)


_NO_DRAWS = Draws(*(np.zeros(0, dtype) for dtype in DRAWS_DTYPES.values()))
_NO_DRAWS_PACKED = pack(_NO_DRAWS)


class Outside:
    """A line and its state in the hands of a driver that is not the simulator.

    The tables are packed once, so that an event costs microseconds. The state is
    written in place, and is not to be replaced while this object is used.

    Args:
        line: The line.
        state: Its state.
        draws: Random streams, for a driver that plays the machines; none by default.
        tables: The line as `packed` returns it, if that was done before.
    """

    def __init__(
        self,
        line: LineTables,
        state: State,
        draws: Draws | None = None,
        tables: Any = None,
    ) -> None:
        self.line, self.state = line, state
        self.draws = _NO_DRAWS if draws is None else draws
        self._packed = (
            packed(line) if tables is None else tables,
            pack(state),
            _NO_DRAWS_PACKED if draws is None else pack(draws),
        )
        requests: Any = state.requests  # mypy knows no arrays that are buffers
        self._requests = memoryview(requests)

    def apply(self, kind: int, row: int, outcome: int) -> list[int]:
        """Apply an event, and answer what the kernel asks with UNKNOWN.

        Returns:
            What the kernel asked, ``row << 4 | kind of question`` each, in order.
        """
        line, state, draws = self._packed
        n = _drive(line, state, draws, _BY_MACHINES, 0, kind, row, outcome)
        return self._asked(n)

    def apply_own(self) -> list[int]:
        """Apply the event of the earliest timer of the line itself; see `apply`.

        Such timers are those of shifts, dated orders, planned work, waits of batches.
        """
        line, state, draws = self._packed
        return self._asked(_drive(line, state, draws, _BY_ITSELF, 0, BEGIN, 0, 0))

    def apply_drawn(self, kind: int, row: int, outcome: int) -> None:
        """Apply an event, and answer what the kernel asks by drawing."""
        _drive(*self._packed, _BY_DRAWING, 0, kind, row, outcome)

    def advance(self, until: int, enough: int, call: int = 0) -> int:
        """Simulate until a time; as the function of this name, without packing anew."""
        self.state.asked[ASKED_CALL] = call
        try:
            return int(_drive(*self._packed, until, enough, _NO_EVENT, 0, 0))
        finally:
            self.state.asked[ASKED_CALL] = 0

    def passes_by(self, server: int) -> int:
        """Return how many operations the part on a server is not sampled for.

        It is the part of an outcome that is not a machine's to say: the bits from
        `SKIP_BITS` on, drawn from the streams of the samples or counted.
        """
        return int(_drive(*self._packed, _SAMPLE, 0, BEGIN, server, 0))

    def draw(self, question: int, row: int) -> int:
        """Draw the answer to a question, in microseconds; nothing is told to the line.

        Args:
            question: One of the kernel's questions, as ``ASK_PROCESS``.
            row: What it is about.
        """
        return int(_drive(*self._packed, _DRAW, 0, question, row, 0))

    def answer(self, question: int, row: int, amount_us: int) -> None:
        """Answer a question that was answered with UNKNOWN before."""
        _drive(*self._packed, _ANSWER, 0, question, row, amount_us)

    def foresee(self) -> Foreseen | None:
        """Return the event that the earliest timer stands for, changing nothing."""
        key = int(self.state.tree[1])
        if key >= NEVER:
            return None
        found = int(_drive(*self._packed, _FORESEE, 0, BEGIN, 0, 0))
        at_us, kind = key >> 4, key & 15
        return Foreseen(at_us, kind, found & _ROW_BITS, found >> _N_ROW_BITS)

    def next_timer(self) -> tuple[int, int, int] | None:
        """Return the earliest timer: when it is due, the kind of event, the leaf."""
        key, leaf = int(self.state.tree[1]), int(self.state.winners[1])
        return None if key >= NEVER else (key >> 4, key & 15, leaf)

    def _asked(self, n: int) -> list[int]:
        found: list[int] = self._requests[:n].tolist()
        return found


def external(
    line: LineTables, state: State, kind: int, row: int, outcome: int, call: int = 0
) -> None:
    """Apply one event from outside, as from a machine, at the time in the clock.

    Nothing is drawn: every question of the kernel is answered with UNKNOWN. The first
    event of a line is ``BEGIN``. A line with rules of one's own needs `call`, as in
    `advance`; where one of them fails, the status in the clock says so.
    """
    outside = Outside(line, state)
    state.asked[ASKED_CALL] = call
    try:
        outside.apply(kind, row, outcome)
    finally:
        state.asked[ASKED_CALL] = 0


@entry
def _drive(
    line_directory, state_directory, draws_directory, until, enough, kind, row, outcome
):
    """Feed the line with its own events until it must stop, or with one from outside.

    An event from outside comes with who answers in the place of `until`.
    """
    line = open_line(line_directory)
    state = open_state(state_directory)
    draws = open_draws(draws_directory)
    if kind != _NO_EVENT:
        return _from_outside(line, state, draws, until, kind, row, outcome)
    clock = state.clock[0]
    margin = line.settings[S_MARGIN]
    if clock.begun == 0:
        if clock.n_free < margin:
            return NEED_PARTS
        happen(line, state, BEGIN, 0, 0)
        answer_by_draws(line, state, draws)
    n_servers = len(state.servers)
    clock.margin = margin
    clock.enough = enough
    clock.limit = -1
    foretells = n_servers > _MANY and clock.ties & TIES_OF_LEAVES == 0
    while True:
        key = state.tree[1]
        time = key >> 4
        if unlikely(time > clock.limit):
            if only_to_note(state, time):
                note_event(line, state, key)
            else:
                code = may_go_on(line, state, until, enough, time)
                if code != _GO_ON:
                    clock.limit = -1
                    return code
        clock.now = time
        leaf = state.winners[1]
        kind = key & 15
        if likely(kind == FINISH) and likely(
            line.steps[state.servers[leaf].step].straight > 0
        ):
            if foretells:
                foretell_work(line, state, draws, leaf)
                look_ahead(line, state, draws)
            if apply_straight(line, state, leaf):
                draw_and_work(line, state, draws, leaf)
                if unlikely(clock.n_requests > 0):
                    answer_by_draws(line, state, draws)
                continue
        elif kind == ARRIVAL:
            product = line.leaf_row[leaf]
            if arrives_alone(line, product):
                # before the rest, so that the processor knows the next event earlier
                n = state.products[product].arrivals + 1
                amount = draw_arrival(line, state, draws, product, n)
                answer_arrival(line, state, product, amount)
            apply(line, state, ARRIVAL, product, 0)
        else:
            row = leaf
            outcome = 0
            if kind == FINISH:
                if line.steps[state.servers[leaf].step].inspected:
                    outcome = verdict(line, state, draws, leaf)
            elif kind == UNLOADED:
                outcome = verdict(line, state, draws, leaf)
            elif kind != SETUP_DONE:
                row = rare_row(line, state, leaf, kind)
            happen(line, state, kind, row, outcome)
        if clock.n_requests > 0:
            answer_by_draws(line, state, draws)
        if leaf < n_servers and state.servers[leaf].due == NEVER:
            confirm_timer(state, leaf, NEVER)


@jit
def _from_outside(line, state: State, draws: Draws, answers, kind, row, outcome):
    """Apply one event; return how many questions it made, or what comes next."""
    clock = state.clock[0]
    if answers == _FORESEE:
        leaf = state.winners[1]
        kind = state.tree[1] & 15
        row = foreseen_row(line, state, leaf, kind)
        outcome = 0
        if kind == UNLOADED or (
            kind == FINISH and line.steps[state.servers[leaf].step].inspected != 0
        ):
            now = clock.now
            clock.now = state.tree[1] >> 4
            outcome = verdict(line, state, draws, leaf)
            clock.now = now
        return outcome << _N_ROW_BITS | row
    if answers == _DRAW:
        if kind == ASK_PROCESS:
            return draw_process(line, state, draws, row)
        return draw_rare(line, state, draws, kind, row)
    if answers == _ANSWER:
        answer(line, state, kind, row, outcome)
        return 0
    if answers == _SAMPLE:
        server = state.servers[row]
        part = state.parts[server.part]
        step = line.steps[part.step]
        k = step.next
        if k < 0 or not line.steps[k].sampled or is_unloaded(line, server, step):
            return 0
        return not_sampled(line, state, draws, part.serial, part.visits, k)
    if answers == _BY_ITSELF:
        leaf = state.winners[1]
        kind = state.tree[1] & 15
        row = leaf
        if kind != FINISH and kind != SETUP_DONE:
            row = rare_row(line, state, leaf, kind)
    elif answers == _BY_DRAWING:
        if kind == MOVED or kind == RETURNED or kind == FETCHED:
            clock.n_heap = heap_take(state.heap, clock.n_heap, kind, row)
            key = state.heap[0, 0] if clock.n_heap > 0 else NEVER
            set_timer(state, line.settings[S_MOVE_LEAF], key)
        elif kind == ORDER:
            clock.next_order = state.orders[row].next
            next_order(line, state)
    happen(line, state, kind, row, outcome)
    if answers == _BY_DRAWING:
        answer_by_draws(line, state, draws)
        n_asked = 0
    else:
        n_asked = answer_unknown(line, state)
    s = row
    if kind == FAILURE or kind == REPAIRED:
        s = line.server_modes[row].server
    elif not (
        kind == FINISH
        or kind == SETUP_DONE
        or kind == LOADED
        or kind == UNLOADED
        or kind == ADVANCED
    ):
        return n_asked
    set_timer(state, s, state.servers[s].due)  # it may have been known otherwise
    return n_asked


@jit
def foreseen_row(line: LineTables, state: State, leaf, kind):
    """Return what `rare_row` would, and leave everything as it is."""
    if kind == MOVED or kind == RETURNED or kind == FETCHED:
        return state.heap[0, 3]
    if kind == ORDER:
        return state.clock[0].next_order
    if kind == FINISH or kind == SETUP_DONE:
        return leaf
    return rare_row(line, state, leaf, kind)


@jit
def happen(line: LineTables, state: State, kind, row, outcome):
    """Apply an event that comes from outside or not often."""
    again = apply(line, state, kind, row, outcome)
    if again:
        ask(state, ASK_PROCESS if kind == FINISH else ASK_ARRIVAL, row)


@hot
def answer_by_draws(line: LineTables, state: State, draws: Draws):
    """Draw and give the answers to all questions of the kernel."""
    clock = state.clock[0]
    i = 0
    while i < clock.n_requests:
        kind = state.requests[i] & 15
        row = state.requests[i] >> 4
        i += 1
        if kind == ASK_PROCESS:
            server = state.servers[row]
            if likely(server.down + server.waits < 0):
                draw_and_work(line, state, draws, row)
            else:
                answer_process(state, row, draw_process(line, state, draws, row))
        else:
            answer(line, state, kind, row, draw_rare(line, state, draws, kind, row))
    clock.n_requests = 0


@jit
def answer_unknown(line: LineTables, state: State):
    """Answer all questions with what is known without drawing; return how many."""
    clock = state.clock[0]
    i = 0
    while i < clock.n_requests:
        kind = state.requests[i] & 15
        row = state.requests[i] >> 4
        i += 1
        answer(line, state, kind, row, known(line, state, kind, row))
    clock.n_requests = 0
    return i


@jit
def known(line: LineTables, state: State, kind, row):
    """Return what is known of an answer without drawing, or UNKNOWN.

    That is when planned work is due, by a count or a constant time, and when a server
    comes back that is away by a change on a date.
    """
    if kind != ASK_CLOCK and kind != ASK_REPAIR:
        return UNKNOWN
    mode = line.modes[line.server_modes[row].mode]
    if kind == ASK_REPAIR:
        if mode.planned >= AWAY and mode.cycles >= 0:
            return max(mode.cycles - state.clock[0].now, 0)
        return UNKNOWN
    is_first = state.modes[row].n == 0
    if mode.clock == CLOCK_CYCLES or mode.clock == CLOCK_UNITS:
        return mode.first if is_first else mode.cycles
    dist = mode.first if is_first else mode.every
    if mode.planned == UNPLANNED or dist < 0 or line.dists[dist].kind != CONSTANT:
        return UNKNOWN
    return int(line.dists[dist].a)
