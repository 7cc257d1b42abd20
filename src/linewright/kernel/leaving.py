"""How units end their routing: out of the line, into a store, or split."""

from __future__ import annotations

import numpy as np

from linewright.kernel._jit import hot, jit
from linewright.kernel.choosing import choose
from linewright.kernel.eligible import store_list
from linewright.kernel.entering import create, enter_line, undo_create
from linewright.kernel.moves import append, ask, enter_buffer, trace
from linewright.kernel.queueing import carry_or_queue
from linewright.kernel.starting import start
from linewright.kernel.waiting import all_fit, release_origin, split_product, wait_for
from linewright.kernel.work import kit_arrived, leave_line
from linewright.tables import (
    ASK_MOVE,
    COMPLETE,
    IN_STORE,
    MOVING,
    NEVER,
    T_EXIT,
    T_MOVE,
    T_SPLIT,
    T_STORE,
    LineTables,
    State,
)

__all__ = ["bucket_of", "complete", "leave", "split"]

_BUCKET_BITS = 6


@hot
def bucket_of(value):
    """Return the percentile sketch's bucket of a time in microseconds.

    The same rule as `stats.sketch.bucket_of`, log-linear with 64 buckets an octave; the
    octave is read from the exponent of the number as a float.
    """
    exponent = (np.float64(value).view(np.int64) >> 52) - 1023
    shift = max(exponent - _BUCKET_BITS, 0)
    return (shift << _BUCKET_BITS) + (value >> shift)


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
    if part.due != NEVER:
        product.due += lot
        if part.due >= clock.now:
            product.on_time += lot
        else:
            product.tardy_us += (clock.now - part.due) * lot
    flow = clock.now - part.released
    product.flow_count += 1
    product.flow_us += flow
    state.flow[part.product, bucket_of(flow)] += 1
    o = part.order
    if o >= 0 and state.orders[o].product == part.product:
        state.orders[o].done += lot
        if (
            state.orders[o].done >= state.orders[o].quantity
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
        clock.limit = -1
    leave_line(line, state, p)


@jit
def stay_behind(state: State, p, b):
    """Let a part at the end of its routing come out of the machine first, and rest."""
    part = state.parts[p]
    part.where = MOVING
    part.place = b
    trace(state, T_MOVE, -1, p, b, 0)
    state.clock[0].n_moving += 1
    ask(state, ASK_MOVE, p)


@jit
def complete(line: LineTables, state: State, p):
    """Let a unit at the end of its routing leave the line, or go into its store."""
    part = state.parts[p]
    d = line.products[part.product].store
    if d < 0:
        release_origin(line, state, p)
        if part.came >= 0:
            stay_behind(state, p, -1)
        else:
            leave(line, state, p)
        return
    b = line.targets[line.dests[d].first_target].buffer
    if part.reserved >= 0:
        part.reserved = -1
        release_origin(line, state, p)
    else:
        if state.buffers[b].level >= state.buffers[b].slots:
            wait_for(line, state, p, d)
            return
        release_origin(line, state, p)
        enter_buffer(state, b, p)
    if part.came >= 0:
        part.reserved = b
        stay_behind(state, p, b)
        return
    count_finished(line, state, p)
    part.where = IN_STORE
    part.place = b
    append(state, store_list(line, part.product), p)
    trace(state, T_STORE, b, p, 0, 0)
    kit_arrived(line, state, part.product)


@jit
def split(line: LineTables, state: State, p):
    """Set free the units that a part is split into, as far as there is room."""
    part = state.parts[p]
    step = line.steps[part.step]
    total = 0
    for i in range(step.first_make, step.first_make + step.n_makes):
        total += line.uses[i].quantity
    if step.together:
        full = all_fit(line, state, p)
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
    part.step = COMPLETE
    release_origin(line, state, p)
    count_finished(line, state, p)
    trace(state, T_EXIT, part.station, p, part.order, 1)
    leave_line(line, state, p)
