"""Choices: which part a station takes next, and which place a part takes."""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.eligible import eligible, ends_now, family_of, needs_move, way_to
from linewright.kernel.waiting import split_product, together
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

__all__ = ["aim", "choose", "pick", "pick_waiting", "ready_server", "score"]


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
                not needs_move(line, state, p, t)
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
