"""What people do to a line that runs: orders put off, stations held, units taken out.

An act is applied like an event, between two others, and is written into the trace like
one; the simulator has none. Whether it can be done is judged before (`control.asking`).
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.calendar import set_timer
from linewright.kernel.eligible import outside_list
from linewright.kernel.lending import give_up_tools
from linewright.kernel.moves import (
    ENTRY,
    PULL,
    free_part,
    insert,
    leave_buffer,
    push,
    trace,
    unlink,
)
from linewright.kernel.people import send_away
from linewright.kernel.queueing import look_again
from linewright.kernel.running import stop
from linewright.kernel.waiting import release_origin
from linewright.kernel.work import hold, scrap, show, unreserve
from linewright.tables import (
    AGAIN,
    BELIEVE,
    DEADLOCK,
    GONE,
    HOLD,
    HURRY,
    IN_QUEUE,
    IN_STORE,
    KEEP_OUT,
    NEW,
    NOBODY,
    NONE,
    ON_SERVER,
    OUTSIDE,
    REACHED,
    T_LOST,
    TAKE_OUT,
    LineTables,
    State,
)

__all__ = ["act", "plan_order"]


@jit
def act(line: LineTables, state: State, kind, row, outcome):
    """Do what a person has decided."""
    if kind == KEEP_OUT:
        keep_out(line, state, row, outcome)
    elif kind == HURRY:
        hurry(state, row, outcome)
    elif kind == HOLD:
        hold(line, state, row, outcome)
    elif kind == TAKE_OUT:
        take_out(line, state, row)
    elif kind == BELIEVE:
        state.parts[row].bad = 0


@jit
def plan_order(state: State, o, at):
    """Put an order into the line for its release, or, at a negative time, out of it.

    Orders that are released at one time are released as they came.
    """
    clock = state.clock[0]
    before = -1
    i = clock.next_order
    while i >= 0 and i != o:
        before = i
        i = state.orders[i].next
    if i == o:
        link(state, before, state.orders[o].next)
        state.orders[o].next = -1
    if at < 0:
        return
    state.orders[o].release = at
    before = -1
    i = clock.next_order
    while i >= 0 and comes_before(state, i, o):
        before = i
        i = state.orders[i].next
    state.orders[o].next = i
    link(state, before, o)


@jit
def comes_before(state: State, i, o):
    """Say whether order `i` is released before order `o`."""
    one = max(state.orders[i].release, 0)
    other = max(state.orders[o].release, 0)
    return one < other or (one == other and i < o)


@jit
def link(state: State, before, o):
    """Let an order follow another one, or be the first, in the line for release."""
    if before < 0:
        state.clock[0].next_order = o
    else:
        state.orders[before].next = o


@jit
def keep_out(line: LineTables, state: State, o, what):
    """Set the units of an order aside that have not come in, or let them come again.

    Those that come again stand where they stood. Those that are gone are lost, and the
    order is the smaller by them.
    """
    clock = state.clock[0]
    order = state.orders[o]
    last = -1
    for p in range(len(state.parts)):
        part = state.parts[p]
        if part.product < 0 or part.order != o or part.where != OUTSIDE:
            continue
        product = part.product
        if what == AGAIN:
            if part.list < 0:
                insert(state, outside_list(line, product), p)
        else:
            if part.list >= 0:
                unlink(state, p)
            if what == GONE:
                lot = line.products[product].lot
                trace(state, T_LOST, -1, p, 0, 0)
                state.products[product].lost += lot
                if product == order.product:
                    order.quantity -= lot
                free_part(state, p)
        if product != last:
            push(state, ENTRY, product)  # another one may be first now
            last = product
    if what == GONE and order.finished < 0 and order.done > 0:
        if order.done >= order.quantity:
            order.finished = clock.now


@jit
def hurry(state: State, o, priority):
    """Give an order and all its units another priority."""
    state.orders[o].priority = priority
    for p in range(len(state.parts)):
        part = state.parts[p]
        if part.product >= 0 and part.order == o:
            part.priority = priority


@jit
def take_out(line: LineTables, state: State, p):
    """Scrap a part where it stands: in a queue, a store or an output, or on its server.

    A server that works on it stops, and looks for other work. A line that stood still
    for good may go on; if it does not, that is found again.
    """
    part = state.parts[p]
    where = part.where
    if where == IN_QUEUE:
        unlink(state, p)
        leave_buffer(state, part.place, p)
        look_again(line, state, line.steps[part.step].dest)
    elif where == IN_STORE:
        unlink(state, p)
        leave_buffer(state, part.place, p)
    elif where == ON_SERVER:
        take_off(line, state, part.place)
    else:
        release_origin(line, state, p)
    unreserve(state, p)
    part.where = NEW
    part.came = -1  # it does not come out of its machine any more
    part.mate = -1
    scrap(line, state, p)
    if state.clock[0].status == DEADLOCK:
        state.clock[0].status = REACHED


@jit
def take_off(line: LineTables, state: State, s):
    """Take the one part off a server that works on it, and its people with it."""
    server = state.servers[s]
    if server.running:
        stop(state, s)
    set_timer(state, s, server.due)
    server.part = -1
    server.phase = NONE
    server.n_parts = 0
    give_up_tools(line, state, s)
    send_away(line, state, s)
    server.waits = NOBODY
    show(line, state, s)
    push(state, PULL, s)
