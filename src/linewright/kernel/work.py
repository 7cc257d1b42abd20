"""A server at work: its clocks run, stop, break down and come back.

The kernel owns elapsed and remaining work. It sets a timer when it knows how long the
work lasts; a controller whose machines decide answers `UNKNOWN`, and then the end comes
as an event. Precedence of what a server is shown to do: failed or under maintenance,
then the work that runs, then off shift or on a break, then blocked, then starved.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.calendar import set_timer, timer_key
from linewright.kernel.causes import drop_pause
from linewright.kernel.conveyors import update_belt
from linewright.kernel.lending import (
    begin_repair,
    give_up_tools,
    hand_in,
    has_tools,
)
from linewright.kernel.moves import (
    CALL,
    CAPS,
    KIT,
    OFFER,
    PULL,
    ROOM,
    ROOM_OUTPUT,
    ask,
    free_part,
    push,
    set_mode,
    trace,
)
from linewright.kernel.people import release, resume, send_away
from linewright.kernel.running import (
    find_next_failure,
    is_held,
    run,
    set_repair_timer,
    stop,
)
from linewright.kernel.stocks import add_to_stock, give_back_from, take_from_stock
from linewright.tables import (
    ASK_CLOCK,
    ASK_RETURN,
    AWAY,
    BLOCKED,
    BREAK,
    CALENDAR_BREAK,
    CALENDAR_OFF,
    CALENDAR_ON,
    CHAINS,
    CLOCK_CALENDAR,
    CLOCK_CYCLES,
    CLOCK_OPERATING,
    CLOCK_PROCESSING,
    CLOCK_UNITS,
    DONE,
    END_INTERRUPT,
    FAILED,
    FAILURE,
    HELD_NOW,
    HOLDS_PARTS,
    LOADING,
    MAINTENANCE,
    NEVER,
    NOBODY,
    NONE,
    NOT_HELD,
    OFF_SHIFT,
    ON_SERVER,
    PART_RESTART,
    PART_SCRAP,
    PROCESSING,
    REPAIRED,
    S_N_QUEUES,
    SETTING_UP,
    SETUP,
    SPARE,
    STARVED,
    T_SCRAP,
    UNKNOWN,
    WAITING,
    WORKING,
    LineTables,
    State,
)

__all__ = [
    "come_up",
    "count_cycle",
    "due",
    "go_down",
    "hold",
    "is_held_by_hand",
    "leave_line",
    "next_pending",
    "returned",
    "scrap",
    "set_clock",
    "shift_change",
    "show",
    "start_repair",
    "work_at",
]


@hot
def leave_line(line: LineTables, state: State, p):
    """Take a part out of the line for good, and let caps notice."""
    clock = state.clock[0]
    part = state.parts[p]
    product = state.products[part.product]
    product.wip -= 1
    product.removed += 1
    product.area_us += clock.now
    product.residence_us += clock.now - part.released
    clock.wip -= 1
    if clock.n_pending_sources > 0:
        push(state, CAPS, 0)
    free_part(state, p)


@jit
def scrap(line: LineTables, state: State, p):
    """Scrap a part that no server, list or buffer holds any more."""
    part = state.parts[p]
    trace(state, T_SCRAP, part.station, p, part.order, 0)
    give_back_from(line, state, p, 0)
    state.products[part.product].scrapped += 1
    if part.order >= 0:
        state.orders[part.order].scrapped += line.products[part.product].lot
    leave_line(line, state, p)


# ------------------------------------------------------------------ what it shows


@jit
def show(line: LineTables, state: State, s):
    """Book a server under what it does now."""
    server = state.servers[s]
    shift = state.stations[server.station].shift
    if server.down >= 0:
        planned = line.modes[line.server_modes[server.down].mode].planned
        if planned >= AWAY:
            set_mode(state, s, OFF_SHIFT)
        else:
            set_mode(state, s, MAINTENANCE if planned else FAILED)
    elif server.running or is_about_to_run(line, state, s):
        mode = PROCESSING
        if server.phase == SETTING_UP:
            mode = SETUP
        elif server.phase != WORKING:
            mode = LOADING
        set_mode(state, s, mode)
    elif shift == CALENDAR_BREAK:
        set_mode(state, s, BREAK)
    elif is_held_by_hand(state, server.station):
        set_mode(state, s, WAITING)
    elif shift != CALENDAR_ON:
        set_mode(state, s, OFF_SHIFT)
    elif server.phase == DONE or (server.waits and is_belt(line, state, s)):
        set_mode(state, s, BLOCKED)
    elif server.waits:
        set_mode(state, s, WAITING)
    else:
        set_mode(state, s, STARVED)


@jit
def is_held_by_hand(state: State, k):
    """Say whether a station would work now if nobody held it."""
    station = state.stations[k]
    return station.held != NOT_HELD and station.by_calendar == CALENDAR_ON


@jit
def is_belt(line: LineTables, state: State, s):
    """Say whether a server is a place on a conveyor."""
    return line.stations[state.servers[s].station].conveyor > 0


@jit
def is_about_to_run(line: LineTables, state: State, s):
    """Say whether a server only waits to be told how long its work takes."""
    if not is_held(state, s) or state.servers[s].waits != NOBODY:
        return False
    return may_work(line, state, s)


@jit
def unready(state: State, s):
    """Take a server off the ones that wait for a part."""
    server = state.servers[s]
    if server.ready:
        server.ready = 0
        state.stations[server.station].n_ready -= 1


# ------------------------------------------------------------------ failures


@jit
def _run_clock(line: LineTables, state: State, m):
    """Set the timer of a failure clock of operating or calendar time going."""
    mode = state.modes[m]
    fixed = line.server_modes[m]
    if mode.left >= 0 and mode.due == NEVER and fixed.leaf >= 0:
        mode.due = state.clock[0].now + mode.left
        set_timer(state, fixed.leaf, timer_key(mode.due, FAILURE))


@jit
def _stop_clock(line: LineTables, state: State, m):
    mode = state.modes[m]
    fixed = line.server_modes[m]
    if mode.due != NEVER and fixed.leaf >= 0:
        mode.left = mode.due - state.clock[0].now
        mode.due = NEVER
        set_timer(state, fixed.leaf, NEVER)


@jit
def operate(line: LineTables, state: State, s):
    """Start or stop a server's clocks of operating time as its state asks."""
    server = state.servers[s]
    on = server.down < 0 and state.stations[server.station].shift == CALENDAR_ON
    for m in range(server.first_mode, server.first_mode + server.n_modes):
        if state.modes[m].clock == CLOCK_OPERATING:
            if on:
                _run_clock(line, state, m)
            else:
                _stop_clock(line, state, m)


@jit
def is_away(line: LineTables, state: State, s):
    """Say whether a server is not there: it has not come yet, or is gone."""
    m = state.servers[s].down
    return m >= 0 and line.modes[line.server_modes[m].mode].planned >= AWAY


@jit
def ages_there(line: LineTables, m):
    """Say whether a clock of calendar time stands while its server is not there."""
    mode = line.modes[line.server_modes[m].mode]
    if mode.planned >= AWAY or mode.n_members > 0:
        return False
    return mode.clock == CLOCK_CALENDAR


@jit
def come_or_go(line: LineTables, state: State, s, is_there):
    """Start or stop a server's clocks of calendar time: it comes, or goes away."""
    server = state.servers[s]
    for m in range(server.first_mode, server.first_mode + server.n_modes):
        if ages_there(line, m):
            if is_there:
                _run_clock(line, state, m)
            else:
                _stop_clock(line, state, m)


@jit
def set_clock(line: LineTables, state: State, m, amount):
    """Take the driver's answer: how long, on its clock, until this failure."""
    mode = state.modes[m]
    fixed = line.server_modes[m]
    clock = line.modes[fixed.mode].clock
    mode.left = amount
    mode.due = NEVER
    server = state.servers[fixed.server]
    if clock == CLOCK_CALENDAR:
        if not (is_away(line, state, fixed.server) and ages_there(line, m)):
            _run_clock(line, state, m)
    elif clock == CLOCK_OPERATING:
        operate(line, state, fixed.server)
    elif clock == CLOCK_PROCESSING:
        working = server.running and server.phase == WORKING
        if working:
            stop(state, fixed.server)
        if amount != UNKNOWN:
            mode.left = server.worked + amount
        find_next_failure(state, fixed.server)
        if working:
            run(state, fixed.server)


@jit
def due(line: LineTables, state: State, m):
    """Let a failure happen, or planned maintenance come due."""
    fixed = line.server_modes[m]
    server = state.servers[fixed.server]
    state.modes[m].due = NEVER
    if fixed.leaf >= 0:
        set_timer(state, fixed.leaf, NEVER)
    state.modes[m].left = UNKNOWN
    find_next_failure(state, fixed.server)
    if wear_on(line, state, m):
        if server.down < 0 and server.pending > 0:
            next_pending(line, state, fixed.server, True)
        return
    mode = line.modes[fixed.mode]
    held = is_held(state, fixed.server)
    if mode.n_members > 0:
        go_down(line, state, m)
    elif server.down >= 0 or (
        mode.planned and (held or not may_begin(line, state, m, True))
    ):
        come_due(state, fixed.server, m)
        if server.running and mode.clock == CLOCK_PROCESSING:
            stop(state, fixed.server)  # its timer was this clock's
            run(state, fixed.server)
    else:
        go_down(line, state, m)


@jit
def come_due(state: State, s, m):
    """Note a stop that has to wait for its server."""
    mode = state.modes[m]
    if mode.pending == 0:
        mode.pending = 1
        mode.came_due = state.clock[0].now
        state.servers[s].pending += 1


@jit
def call_off(state: State, s, m):
    """Forget a stop that waits for its server: another one has done its work."""
    mode = state.modes[m]
    if mode.pending:
        mode.pending = 0
        state.servers[s].pending -= 1


@jit
def wear_on(line: LineTables, state: State, m):
    """Let what wears by steps go one step; say whether it has some left.

    Maintenance by its state becomes due; when it fails none is needed any more.
    """
    fixed = line.server_modes[m]
    mode = line.modes[fixed.mode]
    if mode.steps <= 1:
        return False
    state.modes[m].wear += 1
    wear = state.modes[m].wear
    goes_on = wear < mode.steps
    if goes_on:
        ask(state, ASK_CLOCK, m)
    server = state.servers[fixed.server]
    for other in range(server.first_mode, server.first_mode + server.n_modes):
        work = line.modes[line.server_modes[other].mode]
        if work.worn == fixed.mode:
            if not goes_on:
                call_off(state, fixed.server, other)
            elif work.at_step == wear:
                come_due(state, fixed.server, other)
    return goes_on


@jit
def may_begin(line: LineTables, state: State, m, is_idle):
    """Say whether planned work may begin now: in its window, and not put off.

    While parts wait it is put off for the time that it allows.
    """
    mode = line.modes[line.server_modes[m].mode]
    if mode.window >= 0 and state.windows[mode.window].on == 0:
        return False
    if is_idle or mode.defer == 0:
        return True
    return state.clock[0].now >= state.modes[m].came_due + mode.defer


@jit
def _fall(line: LineTables, state: State, s, m):
    """Take one server down."""
    server = state.servers[s]
    unready(state, s)
    if server.running:
        stop(state, s)
        set_timer(state, s, NEVER)
        if server.phase == WORKING and not is_belt(line, state, s):
            fate = line.modes[line.server_modes[m].mode].part
            if fate == PART_RESTART:
                server.remaining = server.total
            elif fate == PART_SCRAP:
                if state.clock[0].ties & CHAINS:
                    drop_pause(state, s)
                p = server.part
                several = server.n_parts > 1
                server.part = -1
                server.phase = NONE
                server.n_parts = 0
                while p >= 0:
                    mate = state.parts[p].mate if several else -1
                    state.parts[p].mate = -1
                    unreserve(state, p)
                    scrap(line, state, p)
                    p = mate
    server.down = m
    give_up_tools(line, state, s)
    send_away(line, state, s)
    operate(line, state, s)
    show(line, state, s)


@hot
def unreserve(state: State, p):
    """Give up a place that a part had been promised."""
    part = state.parts[p]
    b = part.reserved
    if b >= 0:
        part.reserved = -1
        buffer = state.buffers[b]
        now = state.clock[0].now
        buffer.level -= 1
        buffer.left += 1
        buffer.area_us += now
        buffer.wait_us += now - part.entered
        if buffer.waiters > 0:
            push(state, ROOM, b)


@jit
def go_down(line: LineTables, state: State, m):
    """Take a server, or all of its station, down with a failure or maintenance."""
    fixed = line.server_modes[m]
    mode = line.modes[fixed.mode]
    if mode.n_members > 0:
        fall_together(line, state, m)
    else:
        if mode.planned < AWAY:
            state.stations[state.servers[fixed.server].station].failures += 1
        _fall(line, state, fixed.server, m)
        if mode.planned >= AWAY:
            come_or_go(line, state, fixed.server, False)
    if mode.stock >= 0:
        state.stocks[mode.stock].out += 1
        ask(state, ASK_RETURN, mode.stock)  # what failed is sent to be repaired
        if not find_spare(state, mode.stock, m):
            return
    begin_repair(line, state, m)


@jit
def fall_together(line: LineTables, state: State, m):
    """Take all servers down that a failure hits; those down already stay so."""
    mode = line.modes[line.server_modes[m].mode]
    state.modes[m].active = 1
    last = -1
    for i in range(mode.first_member, mode.first_member + mode.n_members):
        s = line.links[i]
        if state.servers[s].station != last:
            last = state.servers[s].station
            state.stations[last].failures += 1
        if state.servers[s].down < 0:
            _fall(line, state, s, m)
    update_belts(line, state, m)


@jit
def update_belts(line: LineTables, state: State, m):
    """Let the conveyors among the stations that a failure hits stand, or move on."""
    mode = line.modes[line.server_modes[m].mode]
    for i in range(mode.first_member, mode.first_member + mode.n_members):
        k = state.servers[line.links[i]].station
        if line.stations[k].conveyor and line.links[i] == line.stations[k].first_server:
            update_belt(line, state, k)


@jit
def find_spare(state: State, k, m):
    """Take a spare component for a repair; without one it stands in line for the next.

    Says whether there was one.
    """
    stock = state.stocks[k]
    if stock.free > 0:
        take_from_stock(state, k, 1)
        return True
    mode = state.modes[m]
    mode.since = state.clock[0].now
    mode.next = -1
    if stock.n_waiting > 0:
        state.modes[stock.tail].next = m
    else:
        stock.head = m
    stock.tail = m
    stock.n_waiting += 1
    stock.waited += 1
    return False


@jit
def returned(line: LineTables, state: State, k):
    """Put back what returns to a stock: a tool, a repaired component, a delivery."""
    fixed = line.stocks[k]
    stock = state.stocks[k]
    n = max(fixed.lot, 1)
    stock.out -= n
    if fixed.kind == SPARE and stock.n_waiting > 0:
        m = stock.head
        stock.head = state.modes[m].next
        stock.n_waiting -= 1
        stock.wait_us += state.clock[0].now - state.modes[m].since
        stock.taken += 1
        begin_repair(line, state, m)
        return
    add_to_stock(line, state, k, n)


@jit
def start_repair(line: LineTables, state: State, m, amount):
    """Take the driver's answer: how long the repair lasts."""
    key = NEVER
    if amount != UNKNOWN:
        key = timer_key(state.clock[0].now + amount, REPAIRED)
    state.modes[m].due = NEVER
    set_repair_timer(line, state, m, key)


@jit
def repaired(line: LineTables, state: State, m):
    """End a repair: ask for the next failure and bring the servers up."""
    fixed = line.server_modes[m]
    mode = line.modes[fixed.mode]
    set_repair_timer(line, state, m, NEVER)
    state.modes[m].n += 1
    state.modes[m].wear = 0
    state.modes[m].active = 0
    if mode.crew >= 0:
        release(line, state, len(state.servers) + m)
    hand_in(line, state, len(state.servers) + m)
    if mode.worn >= 0:
        renew(line, state, fixed.server, mode.worn)
    else:
        ask(state, ASK_CLOCK, m)
    if mode.planned >= AWAY:
        come_or_go(line, state, fixed.server, True)
    if mode.n_members == 0 and state.servers[fixed.server].down == m:
        come_up(line, state, fixed.server)
    for i in range(mode.first_member, mode.first_member + mode.n_members):
        if state.servers[line.links[i]].down == m:
            come_up(line, state, line.links[i])
    update_belts(line, state, m)


@jit
def renew(line: LineTables, state: State, s, mode):
    """Make as new what wears by steps, and let its clock begin again."""
    server = state.servers[s]
    for m in range(server.first_mode, server.first_mode + server.n_modes):
        if line.server_modes[m].mode == mode:
            call_off(state, s, m)
            _stop_clock(line, state, m)
            state.modes[m].left = UNKNOWN
            state.modes[m].n += 1
            state.modes[m].wear = 0
            ask(state, ASK_CLOCK, m)


@jit
def next_pending(line: LineTables, state: State, s, is_idle):
    """Take a server down with what came due meanwhile; say whether there was any.

    A server that is idle has nothing to do for which planned work would be put off.
    """
    server = state.servers[s]
    held = is_held(state, s)
    for m in range(server.first_mode, server.first_mode + server.n_modes):
        if state.modes[m].pending:
            if line.modes[line.server_modes[m].mode].planned:
                if held or not may_begin(line, state, m, is_idle):
                    continue
            call_off(state, s, m)
            go_down(line, state, m)
            return True
    return False


@jit
def come_up(line: LineTables, state: State, s):
    """Bring a server up again and let it go on where it stood."""
    server = state.servers[s]
    server.down = -1
    fixed = line.stations[server.station]
    for i in range(fixed.first_group, fixed.first_group + fixed.n_groups):
        if state.modes[line.links[i]].active:
            server.down = line.links[i]
            show(line, state, s)
            return
    if server.pending > 0 and next_pending(line, state, s, False):
        return
    operate(line, state, s)
    go_on(line, state, s)
    if server.phase == DONE and line.stations[server.station].in_loop:
        push(state, PULL, s)  # it may have closed a circle while it was down


@jit
def let_go(line: LineTables, state: State, s):
    """Offer what a server held while it was stopped, whatever room there was.

    Such a part counts as woken, so that nobody offers it once more before its turn.
    """
    server = state.servers[s]
    station = line.stations[server.station]
    if server.phase != DONE or not station.holds & HOLDS_PARTS:
        return
    if state.parts[server.part].where == ON_SERVER:
        return  # it is not the first on its conveyor
    if station.out_buffer >= 0:
        push(state, ROOM_OUTPUT, station.out_buffer)
    p = server.part
    while p >= 0:
        part = state.parts[p]
        if part.reserved >= 0:
            push(state, CALL, p)
        elif part.woken < 0:
            dest = line.dests[part.list - line.settings[S_N_QUEUES]]
            part.woken = line.targets[dest.first_target].buffer
            push(state, OFFER, p)
        p = part.mate if server.n_parts > 1 else -1


@jit
def go_on(line: LineTables, state: State, s):
    """Resume a server that is up, as its shift allows."""
    server = state.servers[s]
    let_go(line, state, s)
    if is_belt(line, state, s):
        show(line, state, s)
        return  # all of it goes on together
    held = is_held(state, s)
    if held and not server.running and may_work(line, state, s):
        if has_tools(line, state, s):
            resume(line, state, s)
        if not server.running and server.waits == NOBODY:
            return  # it is asked how long that takes, and shows it already
    show(line, state, s)
    if server.phase == NONE:
        push(state, PULL, s)


@jit
def may_work(line: LineTables, state: State, s):
    """Say whether the server's part may be worked on now, by shift and its end rule.

    Where a station is held by hand that is whether what was begun is to be finished.
    """
    server = state.servers[s]
    station = state.stations[server.station]
    if station.held == HELD_NOW:
        return False
    if station.by_calendar == CALENDAR_ON:
        return True
    w = work_at(line, state.parts[server.part].step, server.station)
    return line.work[w].shift_end != END_INTERRUPT


@hot
def work_at(line: LineTables, k, station):
    """Return the row of `work` of a step at one of its stations."""
    step = line.steps[k]
    w = step.first_work
    if step.only_station < 0:
        while line.targets[step.first_target + w - step.first_work].station != station:
            w += 1
    return w


@jit
def count_cycle(line: LineTables, state: State, s, n_cycles, n_units):
    """Age the clocks of a server that count, by cycles and by finished units."""
    server = state.servers[s]
    for m in range(server.first_mode, server.first_mode + server.n_modes):
        clock = state.modes[m].clock
        n = n_cycles if clock == CLOCK_CYCLES else n_units
        if clock == CLOCK_CYCLES or clock == CLOCK_UNITS:
            if n > 0 and state.modes[m].left > 0:
                state.modes[m].left -= min(n, state.modes[m].left)
                if state.modes[m].left == 0:
                    state.modes[m].left = UNKNOWN
                    if not wear_on(line, state, m):
                        come_due(state, s, m)


# ------------------------------------------------------------------ shifts


@jit
def shift_change(line: LineTables, state: State, k, shift):
    """Put a station on shift, on a break or off shift, as its calendar says."""
    state.stations[k].by_calendar = shift
    change_shift(line, state, k)


@jit
def hold(line: LineTables, state: State, k, held):
    """Hold a station by hand, or let it go on."""
    state.stations[k].held = held
    change_shift(line, state, k)


@jit
def change_shift(line: LineTables, state: State, k):
    """Let a station work as its calendar says, or not if it is held."""
    station = line.stations[k]
    held = state.stations[k].held
    shift = state.stations[k].by_calendar
    if held != NOT_HELD and shift == CALENDAR_ON:
        shift = CALENDAR_OFF
    state.stations[k].shift = shift
    for s in range(station.first_server, station.first_server + station.n_servers):
        server = state.servers[s]
        if server.down >= 0:
            operate(line, state, s)
            continue
        if shift != CALENDAR_ON:
            unready(state, s)
            if is_held(state, s) and not may_work(line, state, s):
                if server.running:
                    stop(state, s)
                    set_timer(state, s, NEVER)
                give_up_tools(line, state, s)
                send_away(line, state, s)
            operate(line, state, s)
            if held != NOT_HELD and is_held(state, s) and not server.running:
                go_on(line, state, s)  # what was begun is finished, also on hold
            show(line, state, s)
            if server.pending > 0 and server.phase == NONE:
                push(state, PULL, s)  # what was put off may be done now
        else:
            operate(line, state, s)
            go_on(line, state, s)
    if station.conveyor:
        update_belt(line, state, k)


@jit
def kit_arrived(line: LineTables, state: State, product):
    """Let the stations that use a component look for work again."""
    users = line.products[product]
    # the last one pushed goes first: go backward, so that the file's order counts
    last = users.first_station + users.n_stations - 1
    for i in range(last, users.first_station - 1, -1):
        k = line.links[i]
        if state.stations[k].n_ready > 0:
            push(state, KIT, k)
