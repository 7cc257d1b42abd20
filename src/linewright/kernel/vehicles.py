"""Vehicles and cranes: who calls them, which one comes, and what they do with a part.

A part that a vehicle fetches takes its place ahead first and then stays where it is: on
its server, which it blocks, in the output buffer, or beside the station where it came
into being. So a vehicle that has a part can always put it down, and nobody waits for
ever. Calls stand in one list for each fleet; the vehicle that is nearest comes, empty,
loads the part and carries it. That the way is over is told as for any part on its way;
that a part is picked up, or a vehicle charged, by an event of the vehicle.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.eligible import fleet_list, fleet_to
from linewright.kernel.moves import (
    append,
    ask,
    book_stay,
    enter_buffer,
    trace,
    unlink,
)
from linewright.kernel.waiting import (
    may_leave,
    release_origin,
    stay,
    stop_waiting,
)
from linewright.tables import (
    ASK_FETCH,
    ASK_MOVE,
    CARRYING,
    CHARGING,
    COMING,
    IDLE,
    IN_OUTPUT,
    MOVING,
    NEVER,
    ON_SERVER,
    T_MOVE,
    LineTables,
    State,
)

__all__ = [
    "call_again",
    "call_vehicle",
    "empty_us",
    "fetched",
    "put_down",
    "stay_for_vehicle",
]


# ------------------------------------------------------------------ parts that wait


@jit
def stay_for_vehicle(line: LineTables, state: State, p, f, b):
    """Give a part its place in a buffer ahead and let it stay until it is fetched."""
    part = state.parts[p]
    if part.where != ON_SERVER:
        stop_waiting(line, state, p)
        if part.where == IN_OUTPUT:
            book_stay(state, part.place, p)
    if part.reserved < 0:
        enter_buffer(state, b, p)
        part.reserved = b
    if part.where == ON_SERVER:
        state.clock[0].sequence += 1
        part.sequence = state.clock[0].sequence
        stay(line, state, p, line.steps[part.step].dest)
    call_vehicle(line, state, p, f)


@jit
def call_vehicle(line: LineTables, state: State, p, f):
    """Let a part that has its place ahead call a vehicle of a fleet."""
    fleet = state.fleets[f]
    part = state.parts[p]
    fleet.calls += 1
    part.queued = state.clock[0].now
    append(state, fleet_list(line, f), p)
    send_vehicles(line, state, f)
    if part.list >= 0:
        fleet.waited += 1


@jit
def call_again(line: LineTables, state: State, p):
    """Let a part call once more: the server that held it goes on."""
    if state.parts[p].list >= 0:
        send_vehicles(line, state, fleet_to(line, state, p))


@jit
def next_call(line: LineTables, state: State, f):
    """Return the part that a fleet's next free vehicle fetches, or -1."""
    best = -1
    p = state.lists[fleet_list(line, f)].head
    while p >= 0:
        part = state.parts[p]
        if best < 0 or part.priority > state.parts[best].priority:
            if may_leave(line, state, p):
                best = p
        if best >= 0 and not line.fleets[f].by_priority:
            return best
        p = part.next
    return best


@jit
def take_up(line: LineTables, state: State, p):
    """Free what a part leaves behind whose vehicle has come."""
    part = state.parts[p]
    if part.reserved < 0:
        return  # it stands beside a station
    release_origin(line, state, p)
    part.where = MOVING
    part.place = part.reserved
    part.reserved = -1
    state.clock[0].n_moving += 1


# ------------------------------------------------------------------ vehicles


@jit
def book(fleet, doing, us):
    """Book time under what a vehicle of a fleet does."""
    if doing == IDLE:
        fleet.idle_us += us
    elif doing == COMING:
        fleet.coming_us += us
    elif doing == CARRYING:
        fleet.carrying_us += us
    else:
        fleet.charging_us += us


@jit
def turn_to(state: State, v, doing):
    """Let a vehicle do something else from now on."""
    vehicle = state.vehicles[v]
    fleet = state.fleets[vehicle.fleet]
    now = state.clock[0].now
    if vehicle.doing == COMING or vehicle.doing == CARRYING:
        vehicle.under_way += now - vehicle.since
    book(fleet, vehicle.doing, now)
    book(fleet, doing, -now)
    vehicle.doing = doing
    vehicle.since = now


@jit
def empty_us(line: LineTables, state: State, v, p):
    """Return how long a vehicle drives empty to a part."""
    vehicle = state.vehicles[v]
    fleet = line.fleets[vehicle.fleet]
    end = line.links[fleet.first_place + state.parts[p].station]
    return line.ways_us[fleet.first_way + vehicle.at * fleet.n_places + end]


@jit
def nearest(line: LineTables, state: State, f, p):
    """Return the idle vehicle of a fleet that is first at a part, or -1."""
    fixed = line.fleets[f]
    best = -1
    least = NEVER
    for v in range(fixed.first_vehicle, fixed.first_vehicle + fixed.n_vehicles):
        if state.vehicles[v].doing == IDLE:
            way_us = empty_us(line, state, v, p)
            if way_us < least:
                best = v
                least = way_us
    return best


@jit
def send_vehicles(line: LineTables, state: State, f):
    """Send the idle vehicles of a fleet to the parts that called."""
    p = next_call(line, state, f)
    while p >= 0:
        v = nearest(line, state, f, p)
        if v < 0:
            return
        unlink(state, p)
        state.fleets[f].wait_us += state.clock[0].now - state.parts[p].queued
        state.vehicles[v].part = p
        turn_to(state, v, COMING)
        ask(state, ASK_FETCH, v)
        p = next_call(line, state, f)


@jit
def fetched(line: LineTables, state: State, v):
    """Let a vehicle set out with the part that it came for, or end its charging."""
    vehicle = state.vehicles[v]
    if vehicle.doing == CHARGING:
        vehicle.charges += 1
        vehicle.under_way = 0
        turn_to(state, v, IDLE)
        send_vehicles(line, state, vehicle.fleet)
        return
    p = vehicle.part
    part = state.parts[p]
    take_up(line, state, p)
    turn_to(state, v, CARRYING)
    trace(state, T_MOVE, line.targets[part.target].station, p, part.place, 0)
    ask(state, ASK_MOVE, p)


@jit
def put_down(line: LineTables, state: State, p, f):
    """Free the vehicle of a part that has arrived: it charges, or fetches the next."""
    fixed = line.fleets[f]
    v = fixed.first_vehicle
    while state.vehicles[v].part != p:
        v += 1
    vehicle = state.vehicles[v]
    vehicle.part = -1
    station = line.targets[state.parts[p].target].station
    vehicle.at = line.links[fixed.first_place + station]
    state.fleets[f].trips += 1
    turn_to(state, v, IDLE)
    if fixed.charge >= 0 and vehicle.under_way >= fixed.charge_after:
        state.fleets[f].charges += 1
        turn_to(state, v, CHARGING)
        ask(state, ASK_FETCH, v)
    else:
        send_vehicles(line, state, f)
