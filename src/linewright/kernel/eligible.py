"""What may start at a station now, and what it would need for it.

A part may start when its kit is in store, the shift leaves it time, and there is room
behind where the station asks for that before it starts.
"""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.stocks import has_stock
from linewright.kernel.work import work_at
from linewright.tables import (
    BY_FAMILY,
    BY_OPERATION,
    CALENDAR_ON,
    END_FIT,
    S_N_DESTS,
    S_N_FAMILIES,
    S_N_PRODUCTS,
    S_N_QUEUES,
    S_N_SLOTS,
    LineTables,
    State,
)

__all__ = [
    "bound_to",
    "breaks_run",
    "eligible",
    "ends_now",
    "family_of",
    "fleet_list",
    "fleet_to",
    "has_kit",
    "held_back",
    "lacks_tool",
    "needs_move",
    "needs_setup",
    "next_room",
    "outside_list",
    "setup_time",
    "store_list",
    "transport_dist",
    "way_to",
]


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
def fleet_list(line: LineTables, f):
    """Return the list of the parts that wait for a vehicle of a fleet."""
    return outside_list(line, line.settings[S_N_PRODUCTS]) + f


@jit
def has_kit(line: LineTables, state: State, k):
    """Say whether stores and stocks hold all that a step uses and takes."""
    step = line.steps[k]
    for i in range(step.first_use, step.first_use + step.n_uses):
        use = line.uses[i]
        if state.lists[store_list(line, use.product)].count < use.quantity:
            return False
    return has_stock(line, state, k)


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
        if state.buffers[b].level < state.buffers[b].slots:
            return b
    return -1


@jit
def eligible(line: LineTables, state: State, station, k):
    """Say whether a part for step `k` may start at a station with a server ready."""
    step = line.steps[k]
    if ends_now(line, state, station):
        return False
    if step.n_uses + step.n_takes > 0 and not has_kit(line, state, k):
        return False
    if line.work[work_at(line, k, station)].shift_end == END_FIT:
        if not _fits(line, state, station, k):
            return False
    if line.stations[station].before_service and next_room(line, state, k) == -1:
        return False
    return True


@jit
def lacks_room(line: LineTables, state: State, k):
    """Say whether only a place behind is missing for a part to start step `k`."""
    return next_room(line, state, k) == -1 and has_kit(line, state, k)


@jit
def lacks_tool(line: LineTables, state: State, k):
    """Say whether parts wait at a station for something from a stock."""
    fixed = line.stations[k]
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            if not has_stock(line, state, state.parts[p].step):
                return True
            p = state.parts[p].next
    for i in range(fixed.first_always, fixed.first_always + fixed.n_always):
        if not has_stock(line, state, line.products[line.links[i]].first_step):
            return True
    return False


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


@hot
def family_of(line: LineTables, state: State, station, p):
    """Return what a station's setups tell apart about a part; -1 needs no setup."""
    part = state.parts[p]
    by = line.stations[station].setup_by
    if by == BY_FAMILY:
        return line.products[part.product].family
    if by == BY_OPERATION:
        return line.steps[part.step].family
    return line.settings[S_N_FAMILIES] + part.product


@hot
def setup_row(line: LineTables, state: State, p, s):
    """Return the row of `setups` of a server's change to a part, or -1 for no kind."""
    server = state.servers[s]
    fixed = line.stations[server.station]
    n = line.settings[S_N_FAMILIES] + line.settings[S_N_PRODUCTS]
    family = family_of(line, state, server.station, p)
    if family < 0:
        return -1
    row = n if server.family < 0 else server.family
    return fixed.setup_first + row * n + family


@jit
def needs_setup(line: LineTables, state: State, p, s):
    """Return the distribution of the setup that a server needs for a part, or -1."""
    row = setup_row(line, state, p, s)
    return line.setups[row] if row >= 0 else -1


@jit
def setup_time(line: LineTables, state: State, p, s):
    """Return how long a server takes to set up for a part, by its mean."""
    row = setup_row(line, state, p, s)
    return line.setup_us[row] if row >= 0 else 0


@jit
def breaks_run(line: LineTables, state: State, p, s):
    """Say whether a part would end a server's run of one kind before its time."""
    server = state.servers[s]
    if server.runs_left <= 0:
        return False
    family = family_of(line, state, server.station, p)
    return family >= 0 and family != server.family


@jit
def bound_to(line: LineTables, state: State, p):
    """Return the server that has to do a part's step, because it did one before; -1."""
    slot = line.steps[state.parts[p].step].same_slot
    if slot < 0:
        return -1
    return state.memory[p * line.settings[S_N_SLOTS] + slot] - 1


@jit
def way_to(line: LineTables, start_from, k, station):
    """Return the distribution of the way to a station for step `k`, or -1."""
    if station < 0:
        return -1
    if k >= 0 and line.steps[k].transport >= 0:
        return line.steps[k].transport
    row = way_row(line, start_from, station)
    return line.transports[row].dist if row >= 0 else -1


@jit
def way_row(line: LineTables, start_from, station):
    """Return the row of `transports` from one station to another, or -1."""
    if start_from >= 0:
        origin = line.stations[start_from]
        for i in range(
            origin.first_transport, origin.first_transport + origin.n_transports
        ):
            if line.transports[i].to == station:
                return i
    return -1


@jit
def fleet_to(line: LineTables, state: State, p):
    """Return the fleet that carries a part to its target, or -1."""
    if len(line.fleets) == 0:
        return -1
    part = state.parts[p]
    station = line.targets[part.target].station
    if station < 0 or line.steps[part.step].transport >= 0:
        return -1
    row = way_row(line, part.station, station)
    return line.transports[row].fleet if row >= 0 else -1


@jit
def transport_dist(line: LineTables, state: State, p, station):
    """Return the distribution of a part's way to a station, or -1 for no time."""
    part = state.parts[p]
    return way_to(line, part.station, part.step, station)


@jit
def needs_move(line: LineTables, state: State, p, station):
    """Say whether a part takes time to a station, and needs a place in its buffer."""
    return state.parts[p].came >= 0 or transport_dist(line, state, p, station) >= 0
