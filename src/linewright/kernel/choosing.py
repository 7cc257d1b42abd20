"""Choices: which part a station takes next, and which place a part takes."""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.eligible import (
    bound_to,
    breaks_run,
    eligible,
    ends_now,
    family_of,
    needs_move,
    setup_time,
    way_to,
)
from linewright.kernel.waiting import may_leave, split_product, together
from linewright.kernel.work import work_at
from linewright.tables import (
    CHOOSE_SHORTEST,
    CRITICAL,
    DUE,
    FIFO,
    LEAST_SETUP,
    NEVER,
    PRIORITY,
    S_N_QUEUES,
    SHORTEST,
    LineTables,
    State,
)

__all__ = [
    "aim",
    "choose",
    "goes_before",
    "pick",
    "pick_waiting",
    "ready_server",
    "score",
]


@jit
def score(line: LineTables, state: State, station, p, s, rule):
    """Return a part's place in a dispatch rule of a station; the least goes first.

    `s` is the server that asks, or -1 for any that stands ready.
    """
    part = state.parts[p]
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
        return _least_setup(line, state, station, p, s)
    return 0


@jit
def _least_setup(line: LineTables, state: State, station, p, s):
    """Return the mean setup time of a part at a server, or the least of the ready."""
    fixed = line.stations[station]
    if fixed.setup_first < 0:
        return 0
    if s >= 0:
        return setup_time(line, state, p, s)
    least = NEVER
    for i in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        if state.servers[i].ready:
            least = min(least, setup_time(line, state, p, i))
    return least


@jit
def goes_before(line: LineTables, state: State, station, s, p, other):
    """Say whether the first of two waiting parts is served before the other."""
    fixed = line.stations[station]
    if fixed.first_run >= 0 and s >= 0:
        breaks = breaks_run(line, state, p, s)
        if breaks != breaks_run(line, state, other, s):
            return not breaks
    for i in range(3):
        rule = fixed.dispatch
        if i == 1:
            rule = fixed.dispatch_2
        elif i == 2:
            rule = fixed.dispatch_3
        if rule == FIFO:
            break
        one = score(line, state, station, p, s, rule)
        two = score(line, state, station, other, s, rule)
        if one != two:
            return one < two
    return state.parts[p].sequence < state.parts[other].sequence


@jit
def pick(line: LineTables, state: State, station, s, group):
    """Return the waiting part that a server takes next by its station's rules, or -1.

    With a `group` it is the next part of that kind of batch, else one whose batch may
    start now.
    """
    fixed = line.stations[station]
    best = -1
    highest = 0
    b0, b1, b2, b3 = 0, 0, 0, 0  # where the best stands: its run, then by each rule
    v0, v1, v2, v3 = 0, 0, 0, 0
    refused = -1
    refused_group = -1
    # in one queue, in the order in which they came, only a higher priority goes before
    by_priority = fixed.dispatch == PRIORITY and fixed.dispatch_2 == FIFO
    by_priority = by_priority and fixed.n_queues == 1 and fixed.first_run < 0
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            part = state.parts[p]
            if by_priority and best >= 0 and part.priority <= highest:
                p = part.next
                continue
            kind = -1
            if fixed.batches:
                kind = line.steps[part.step].batch_group
            may = part.step != refused and (group < 0 or kind == group)
            may = may and (kind < 0 or kind != refused_group)
            if may and not by_priority:
                if fixed.first_run >= 0:
                    v0 = 1 if breaks_run(line, state, p, s) else 0
                v1 = score(line, state, station, p, s, fixed.dispatch)
                tie = best >= 0 and v0 == b0 and v1 == b1
                may = best < 0 or tie or v0 < b0 or (v0 == b0 and v1 < b1)
                if may and fixed.dispatch_2 != FIFO:
                    v2 = score(line, state, station, p, s, fixed.dispatch_2)
                    if tie:
                        may = v2 <= b2
                        tie = v2 == b2
                    if may and fixed.dispatch_3 != FIFO:
                        v3 = score(line, state, station, p, s, fixed.dispatch_3)
                        if tie:
                            may = v3 <= b3
                            tie = v3 == b3
                if may and tie:
                    may = part.sequence < state.parts[best].sequence
            if may:
                bound = bound_to(line, state, p)
                if bound >= 0 and bound != s:
                    pass
                elif not eligible(line, state, station, part.step):
                    refused = part.step
                elif (
                    kind >= 0
                    and group < 0
                    and not batch_is_due(line, state, station, p, kind)
                ):
                    refused_group = kind
                else:
                    best = p
                    highest = part.priority
                    b0, b1, b2, b3 = v0, v1, v2, v3
            if best >= 0 and fixed.dispatch == FIFO and fixed.first_run < 0:
                if part.sequence >= state.parts[best].sequence:
                    break
            p = part.next
    return best


@jit
def batch_is_due(line: LineTables, state: State, k, p, group):
    """Say whether the batch of a waiting part may start: it is full enough, or old."""
    least = line.steps[state.parts[p].step].batch_min
    station = line.stations[k]
    now = state.clock[0].now
    units = 0
    for i in range(station.first_queue, station.first_queue + station.n_queues):
        q = state.lists[line.links[i]].head
        while q >= 0:
            other = state.parts[q]
            step = line.steps[other.step]
            if step.batch_group == group:
                units += line.products[other.product].lot
                if units >= least or now - other.queued >= step.batch_wait:
                    return True
            q = other.next
    return False


@jit
def may_come(line: LineTables, state: State, p, station):
    """Say whether a part, or a unit that it is split into, may come and start."""
    part = state.parts[p]
    k = part.step
    if line.stations[station].looks or part.came >= 0 or part.woken >= 0:
        return False
    if not may_leave(line, state, p):
        return False
    if part.split > 0:
        if not together(line, state, p):
            return False
        k = line.products[split_product(line, state, p)].first_step
    if way_to(line, part.station, k, station) >= 0:
        return False
    return eligible(line, state, station, k)


@jit
def pick_waiting(line: LineTables, state: State, station):
    """Return the part that waits outside the buffers for a ready server, or -1."""
    fixed = line.stations[station]
    best = -1
    for i in range(fixed.first_dest, fixed.first_dest + fixed.n_dests):
        p = state.lists[line.settings[S_N_QUEUES] + line.links[i]].head
        while p >= 0:
            part = state.parts[p]
            behind = part.next
            better = best < 0 or goes_before(line, state, station, -1, p, best)
            if better and may_come(line, state, p, station):
                best = p
            if best >= 0 and fixed.dispatch == FIFO:
                if part.sequence >= state.parts[best].sequence:
                    break
            p = behind
    return best


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
        if (
            target.station >= 0
            and state.stations[target.station].n_ready > 0
            and not line.stations[target.station].looks
        ):
            if not needs_move(line, state, p, target.station) and eligible(
                line, state, target.station, k
            ):
                here = 2 * j + 1
        if (
            here < 0
            and state.buffers[target.buffer].level < state.buffers[target.buffer].slots
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
                not line.stations[t].looks
                and not needs_move(line, state, p, t)
                and eligible(line, state, t, state.parts[p].step)
            )
        )
    ):
        return 2 * step.first_target + 1
    b = step.only_buffer
    if state.buffers[b].level < state.buffers[b].slots:
        return 2 * step.first_target
    return -1


@jit
def ready_server(line: LineTables, state: State, station, p):
    """Return the ready server that takes a part: one set up for it, else the first.

    With several kinds of changes the one that takes the shortest comes first.
    """
    fixed = line.stations[station]
    found = -1
    least = 0
    for s in range(fixed.first_server, fixed.first_server + fixed.n_servers):
        if state.servers[s].ready:
            if fixed.setup_first < 0:
                return s
            time = setup_time(line, state, p, s)
            if state.servers[s].family == family_of(line, state, station, p):
                time = -1
            if found < 0 or time < least:
                found = s
                least = time
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
