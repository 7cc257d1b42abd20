"""How parts move: offered to a place, pulled by a server, woken by room.

`settle` is the whole rule. Every change pushes work on a list, and `settle` does it
until nothing is left; each piece touches only its own station, buffer or part. It
knows no time but `now` and draws no number.

A part leaves for the first place that takes it: a server that stands ready, else the
buffer. Without either it stays where it is and waits in the list of its destination,
and whatever makes room there wakes the list in the order of the dispatch rule.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import likely, unlikely
from linewright.kernel.calendar import set_timer, timer_key
from linewright.kernel.choosing import aim, choose, pick_waiting, score
from linewright.kernel.conveyors import arrive_at_end, is_closed, open_entry
from linewright.kernel.deadlock import find_deadlock
from linewright.kernel.eligible import ends_now, held_back, lacks_tool
from linewright.kernel.entering import (
    caps_opened,
    entry,
    let_sources_in,
    next_arrival,
    start_next_new,
    take_always,
    wake_sources,
)
from linewright.kernel.learning import learn, mean_share
from linewright.kernel.leaving import complete, leave, split
from linewright.kernel.lending import lend
from linewright.kernel.moves import (
    CALL,
    CAPS,
    ENTRY,
    KIT,
    LEND,
    NEXT_ARRIVAL,
    OFFER,
    PULL,
    ROOM,
    ROOM_OUTPUT,
    append,
    ask,
    enter_buffer,
    leave_buffer,
    push,
    set_mode,
    take_first,
    trace,
    unlink,
)
from linewright.kernel.people import release
from linewright.kernel.queueing import (
    join_queue,
    look_again,
    queue,
    set_off,
    take_reserved,
)
from linewright.kernel.rules import next_part
from linewright.kernel.running import stop_finished, stop_unloading
from linewright.kernel.starting import (
    begin,
    begin_unload,
    count_late,
    is_late,
    start,
    start_first,
)
from linewright.kernel.stocks import give_back, give_back_from
from linewright.kernel.vehicles import call_again
from linewright.kernel.waiting import (
    leave_server,
    may_leave,
    release_origin,
    to_output,
    together,
    wait_for,
    waiting_for,
)
from linewright.kernel.work import (
    count_cycle,
    next_pending,
    scrap,
    show,
    unreserve,
    work_at,
)
from linewright.tables import (
    ASK_PROCESS,
    BAD,
    BLOCKED,
    BLOCKED_ON_SERVER,
    CALENDAR_ON,
    COMPLETE,
    DONE,
    FIFO,
    FINISH,
    LOOKS_FOR_LATE,
    MISSED_COUNT,
    MISSED_SCRAP,
    NEVER,
    NEW,
    ON_SERVER,
    PASS,
    REWORK,
    S_N_QUEUES,
    S_N_SLOTS,
    S_RELEASE_RULES,
    SCRAP,
    SKIP_BITS,
    STARVED,
    T_BLOCK,
    T_REWORK,
    T_SKIP,
    T_VERDICT,
    UNKNOWN,
    UNLOADED,
    UNLOADS,
    WAITED,
    WAITING,
    LineTables,
    State,
)

__all__ = ["finish", "finish_rare", "finish_straight", "settle", "waited"]


@hot
def offer(line: LineTables, state: State, p):
    """Offer a part to its destination; where nothing takes it, it waits."""
    part = state.parts[p]
    if part.split > 0:
        split(line, state, p)
        return
    if part.step == COMPLETE:
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
    target = line.targets[place >> 1]
    part.target = place >> 1
    if unlikely(place & 1 == 0 and not line.stations[target.station].plain):
        set_off(line, state, p, d)
        return
    release_origin(line, state, p)
    if place & 1:
        start(line, state, p, target.station)
    else:
        queue(line, state, p, d)


@hot
def finish(line: LineTables, state: State, s, outcome):
    """End the work on a part with its verdict and offer it to what comes next.

    Returns whether the server begins work on another part, of which it is still to be
    asked how long it takes.
    """
    step = line.steps[state.servers[s].step]
    if step.straight <= outcome:  # outcomes are not negative
        finish_rare(line, state, s, outcome)
        return False
    return finish_straight(line, state, s)


@hot
def finish_straight(line: LineTables, state: State, s):
    """End the work of a straight step; see `finish`."""
    server = state.servers[s]
    step = line.steps[server.step]
    stop_finished(state, s)
    p = server.part
    server.phase = DONE
    here = state.stations[server.station]
    here.completed += 1
    here.planned_us += line.work[work_at(line, server.step, server.station)].mean_us
    if unlikely(line.stations[server.station].has_cycle_modes != 0):
        count_cycle(line, state, s, 1, line.products[step.product].lot)
    gone = True
    if likely(step.next >= 0):
        gone = hand_on(line, state, p, s)
    elif state.clock[0].n_pending_sources > 0:
        state.parts[p].step = COMPLETE
        complete(line, state, p)
        gone = False  # its place is looked at after those who may come in now
    else:
        state.parts[p].step = COMPLETE
        leave_server(state, s)
        leave(line, state, p)
    return gone and take_next(line, state, s)


@jit
def finish_rare(line: LineTables, state: State, s, outcome):
    """End the work on a part that does not go the common way, or unload it first.

    A batch ends part by part at one instant: one event each, with its own verdict.
    """
    if state.servers[s].phase == UNLOADS:
        stop_unloading(state, s)
    else:
        stop_finished(state, s)
    if begin_unload(line, state, s):
        return
    release(line, state, s)
    if line.settings[S_RELEASE_RULES] > 0:
        push(state, CAPS, 0)  # last: when all has moved
    server = state.servers[s]
    p = server.part
    part = state.parts[p]
    k = part.step
    step = line.steps[k]
    here = state.stations[server.station]
    here.completed += 1
    more = server.n_parts > 1 and end_next(state, p, s)
    if not more:
        server.phase = DONE
        planned = line.work[work_at(line, k, server.station)].mean_us
        if step.curve >= 0:
            n = max(abs(step.per_unit), 1)
            planned = int(planned * mean_share(line, state, step.curve, n) + 0.5)
        here.planned_us += planned
    if line.stations[server.station].has_cycle_modes:
        lot = line.products[part.product].lot
        count_cycle(line, state, s, 0 if more else 1, lot)
    if step.curve >= 0:
        learn(line, state, step.curve, max(abs(step.per_unit), 1))
    if step.time_slot >= 0:
        row = p * line.settings[S_N_SLOTS] + step.time_slot
        state.memory[row] = state.clock[0].now + 1
    if step.inspected or outcome:
        if judge(line, state, p, outcome):
            return
    elif step.n_makes > 0:
        part.split = 1
    else:
        part.step = step.next
    hand_back(line, state, p, k, outcome)
    if step.cascade >= 0 or step.rest >= 0:
        part.came = 2 * k + (outcome & REWORK)
    if line.stations[server.station].conveyor:
        arrive_at_end(line, state, p, s)
    else:
        push(state, OFFER, p)


@jit
def hand_back(line: LineTables, state: State, p, k, outcome):
    """Take back what a part has up to the end of step `k`, or of its route.

    One that is sent back into a loop keeps its card: it comes to this step once more.
    """
    part = state.parts[p]
    step = line.steps[k]
    if outcome & 3 != REWORK or part.step > k:
        give_back(line, state, p, step.first_give, step.n_gives)
    if part.step == COMPLETE:
        give_back_from(line, state, p, 0)


@jit
def end_next(state: State, p, s):
    """Put a part of a batch behind the others; say whether one of them ends next.

    Those whose work has ended stand behind those whose work ends now.
    """
    server = state.servers[s]
    following = state.parts[p].mate
    server.part = following
    last = following
    while state.parts[last].mate >= 0:
        last = state.parts[last].mate
    state.parts[last].mate = p
    state.parts[p].mate = -1
    if state.parts[following].where != ON_SERVER:
        return False
    server.step = state.parts[following].step
    server.resumed = state.clock[0].now
    if server.total != UNKNOWN:
        kind = UNLOADED if server.phase == UNLOADS else FINISH
        server.due = timer_key(state.clock[0].now, kind)
        set_timer(state, s, server.due)
    return True


@hot
def hand_on(line: LineTables, state: State, p, s):
    """Pass a part on to the one plain station of its next step; say whether it went.

    This is `offer` for the way that most parts go, with the same result.
    """
    step = line.steps[state.servers[s].step]
    part = state.parts[p]
    part.step = step.next
    part.target = step.next_target
    t = step.next_station
    b = step.next_buffer
    if state.stations[t].n_ready > 0 and not ends_now(line, state, t):
        leave_server(state, s)
        start(line, state, p, t)
        return True
    if state.buffers[b].level < state.buffers[b].slots:
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
        wait_for(line, state, p, line.steps[step.next].dest)
        return False
    d = line.steps[step.next].dest
    clock = state.clock[0]
    clock.sequence += 1
    part.sequence = clock.sequence
    part.woken = -1
    append(state, line.settings[S_N_QUEUES] + d, p)
    state.buffers[b].waiters += 1
    part.where = BLOCKED_ON_SERVER
    trace(state, T_BLOCK, state.servers[s].station, p, s, d)
    set_mode(state, s, BLOCKED)
    return False


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
    if unlikely(
        b < 0
        or server.down + server.pending >= 0  # -1 is up, with nothing pending
        or here.shift != CALENDAR_ON  # also without a calendar: it may be held
    ):
        push(state, PULL, s)
        return False
    if line.stations[k].calendar >= 0 and ends_now(line, state, k):
        push(state, PULL, s)
        return False
    p = state.lists[k].head
    if p >= 0:
        return start_first(line, state, p, s)
    n_always = line.stations[k].n_always
    if state.buffers[b].waiters > 0 or n_always > 1:
        push(state, PULL, s)
    elif n_always == 1:
        return start_next_new(line, state, line.links[line.stations[k].first_always], s)
    else:
        server.ready = 1
        here.n_ready += 1
        set_mode(state, s, STARVED)
    return False


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
        give_back_from(line, state, p, part.step)
        return False
    if verdict == SCRAP:
        release_origin(line, state, p)
        scrap(line, state, p)
        return True
    if step.n_makes > 0:
        part.split = 1
    else:
        part.step = step.next
        pass_by(line, state, p, outcome >> SKIP_BITS)
    return False


@jit
def pass_by(line: LineTables, state: State, p, n):
    """Let a part pass by the operations for which it is not in the sample."""
    part = state.parts[p]
    if n > 0:
        unreserve(state, p)  # the place that was kept for it is not where it goes
    for _ in range(n):
        step = line.steps[part.step]
        give_back(line, state, p, step.first_hand, step.n_hands)
        give_back(line, state, p, step.first_give, step.n_gives)
        state.steps[part.step].seen += 1
        state.steps[part.step].skipped += 1
        trace(state, T_SKIP, part.station, p, part.step, 0)
        part.step = line.steps[part.step].next
    if part.step >= 0 and line.steps[part.step].every_nth > 0:
        state.steps[part.step].seen += 1


@hot
def pull(line: LineTables, state: State, s):
    """Let a free server take the next part, or stand ready for one."""
    server = state.servers[s]
    if server.part >= 0 or server.down >= 0:
        if server.phase == DONE and server.down < 0:
            d = state.parts[server.part].list - line.settings[S_N_QUEUES]
            find_deadlock(line, state, server.part, d)
        k = server.station
        if line.stations[k].looks and state.stations[k].n_ready > 0:
            push(state, KIT, k)  # it was called for a part that another may take
        return
    k = server.station
    here = state.stations[k]
    if server.ready:
        server.ready = 0
        here.n_ready -= 1
    is_idle = here.shift != CALENDAR_ON
    if server.pending > 0 and next_pending(line, state, s, is_idle):
        return
    if here.shift != CALENDAR_ON or ends_now(line, state, k):
        show(line, state, s)
        return
    fixed = line.stations[k]
    if fixed.conveyor and is_closed(state, k):
        show(line, state, s)
        return
    if fixed.plain:
        p = state.lists[k].head
        if p >= 0:
            if start_first(line, state, p, s):
                ask(state, ASK_PROCESS, s)
            return
    else:
        if fixed.looks & LOOKS_FOR_LATE:
            send_off_late(line, state, k)
        p = next_part(line, state, k, s, -1)
        if p >= 0:
            if fixed.batches:
                gather(line, state, p, k, s)
            else:
                take_out(line, state, p, k)
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
    if server.pending > 0 and next_pending(line, state, s, True):
        return
    if fixed.leaf >= 0:
        watch_batches(line, state, k)
    if fixed.tools and lacks_tool(line, state, k):
        set_mode(state, s, WAITING)
    elif fixed.before_service and held_back(line, state, k):
        set_mode(state, s, BLOCKED)
    else:
        set_mode(state, s, STARVED)


@jit
def take_out(line: LineTables, state: State, p, k):
    """Take a waiting part out of its queue and its buffer: its work begins at `k`."""
    here = state.stations[k]
    part = state.parts[p]
    aim(line, state, p, k)
    unlink(state, p)
    here.wait_us += state.clock[0].now - part.queued
    here.waited += 1
    leave_buffer(state, part.place, p)
    look_again(line, state, line.steps[part.step].dest)


@jit
def gather(line: LineTables, state: State, p, k, s):
    """Take a part out of its queue and others with it, until the batch is full."""
    step = line.steps[state.parts[p].step]
    left = step.batch_max
    last = -1
    while p >= 0:
        left -= line.products[state.parts[p].product].lot
        take_out(line, state, p, k)
        state.parts[p].mate = -1
        if last >= 0:
            state.parts[last].mate = p
        last = p
        p = next_part(line, state, k, s, step.batch_group) if left > 0 else -1
        if p >= 0 and line.products[state.parts[p].product].lot > left:
            p = -1


@jit
def watch_batches(line: LineTables, state: State, k):
    """Set the timer of the part that is next to have waited long enough for a batch.

    What has, and stands here still, waits for something else.
    """
    fixed = line.stations[k]
    now = state.clock[0].now
    first = NEVER
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            part = state.parts[p]
            at = part.queued + line.steps[part.step].batch_wait
            if at > now:
                first = min(first, at)
            p = part.next
    key = NEVER
    if first < NEVER:
        key = timer_key(first, WAITED)
    set_timer(state, fixed.leaf, key)


@jit
def waited(line: LineTables, state: State, k):
    """Let the ready servers of a station look: a part has waited long enough.

    Of a conveyor: let parts enter again.
    """
    if line.stations[k].conveyor:
        open_entry(line, state, k)
        return
    set_timer(state, line.stations[k].leaf, NEVER)
    push(state, KIT, k)


@jit
def send_off_late(line: LineTables, state: State, k):
    """Scrap or send back the waiting parts whose time since an operation is over."""
    fixed = line.stations[k]
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            behind = state.parts[p].next
            missed = line.steps[state.parts[p].step].missed
            if missed != MISSED_COUNT and is_late(line, state, p):
                send_off(line, state, p, missed)
            p = behind


@jit
def send_off(line: LineTables, state: State, p, missed):
    """Scrap or send back a waiting part that comes too late."""
    part = state.parts[p]
    count_late(line, state, p)
    unlink(state, p)
    leave_buffer(state, part.place, p)
    part.where = NEW
    if missed == MISSED_SCRAP:
        scrap(line, state, p)
        return
    part.step = line.steps[part.step].late_to
    part.visits += 1
    state.products[part.product].reworked += line.products[part.product].lot
    trace(state, T_REWORK, part.station, p, part.visits, 0)
    give_back_from(line, state, p, part.step)
    push(state, OFFER, p)


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
    if p < 0 or buffer.level >= buffer.slots:
        return
    part = state.parts[p]
    if (
        part.where != BLOCKED_ON_SERVER
        or part.split > 0
        or part.reserved >= 0
        or part.woken >= 0
        or state.stations[t].n_ready > 0
        or state.servers[part.place].n_parts > 1
        or line.stations[state.servers[part.place].station].holds
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
    if buffer.waiters > 0 and buffer.level < buffer.slots:
        push(state, ROOM, b)
    if take_next(line, state, s):
        ask(state, ASK_PROCESS, s)


@jit
def room(line: LineTables, state: State, b):
    """Wake the part that goes first where a place in a buffer is free."""
    if state.buffers[b].level >= state.buffers[b].slots:
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
                rule = line.stations[station].dispatch
                value = score(line, state, station, p, -1, rule)
            better = best < 0 or value < best_score
            if not better and value == best_score:
                better = part.sequence < state.parts[best].sequence
            if better and part.woken < 0 and may_leave(line, state, p):
                if together(line, state, p):
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
    if state.buffers[o].level >= state.buffers[o].slots:
        return
    best = -1
    fixed = line.buffers[o]
    for i in range(fixed.first_feeder, fixed.first_feeder + fixed.n_feeders):
        station = line.stations[line.links[i]]
        for s in range(station.first_server, station.first_server + station.n_servers):
            p = state.servers[s].part
            if p >= 0 and state.parts[p].where == BLOCKED_ON_SERVER:
                if state.parts[p].split == 0 and may_leave(line, state, p):
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
    elif kind == CALL:
        call_again(line, state, row)
    elif kind == LEND:
        lend(line, state, row)


@jit
def settle(line: LineTables, state: State):
    """Do what is on the worklist until nothing is left."""
    clock = state.clock[0]
    while clock.n_todo > 0:
        n = clock.n_todo - 1
        clock.n_todo = n
        item = state.todo[n]
        kind = item & 15
        row = item >> 4
        if kind == OFFER:
            offer(line, state, row)
        elif kind == PULL:
            pull(line, state, row)
        elif kind == ROOM and line.buffers[row].only_dest >= 0:
            let_in(line, state, row)
        else:
            settle_rare(line, state, kind, row)
