"""How units come into the line: arrivals, orders, caps, and what is always there."""

from __future__ import annotations

from linewright.kernel._jit import hot, jit
from linewright.kernel.calendar import set_timer
from linewright.kernel.choosing import aim, choose
from linewright.kernel.eligible import eligible, ends_now, outside_list, store_list
from linewright.kernel.moves import (
    ENTRY,
    NEXT_ARRIVAL,
    append,
    ask,
    enter_buffer,
    free_part,
    new_part,
    push,
    trace,
    unlink,
)
from linewright.kernel.queueing import carry_or_queue, join_queue, joined, queue
from linewright.kernel.rules import lets_in
from linewright.kernel.starting import put_on, start
from linewright.kernel.stocks import take_from_stock
from linewright.tables import (
    ALWAYS_CAPPED,
    ARRIVALS,
    ASK_ARRIVAL,
    COMPLETE,
    FULL_BLOCK,
    FULL_LOSE,
    IN_STORE,
    NEVER,
    NEW,
    OUTSIDE,
    S_FIRST_CAPPED,
    S_LINE_CAP,
    S_N_CAPPED,
    S_N_SLOTS,
    T_LOST,
    T_OUTSIDE,
    T_RELEASE,
    T_STORE,
    LineTables,
    State,
)

__all__ = [
    "arrive",
    "arrives_alone",
    "caps_opened",
    "create",
    "enter_line",
    "entry",
    "let_sources_in",
    "next_arrival",
    "put_in",
    "put_in_store",
    "release_order",
    "start_next_new",
    "take_always",
    "undo_create",
    "wake_sources",
    "wants_in",
]


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
    if fixed.due_after >= 0:
        part.due = state.clock[0].now + fixed.due_after
    first = p * line.settings[S_N_SLOTS]
    for row in range(first, first + line.settings[S_N_SLOTS]):
        state.memory[row] = 0
    if order >= 0:
        part.order = order
        part.due = state.orders[order].due
        part.priority = state.orders[order].priority
    return p


@jit
def undo_create(line: LineTables, state: State, p):
    """Unmake a part that found no room, number and all."""
    product = state.parts[p].product
    state.products[product].serial -= 1
    state.products[product].made -= line.products[product].lot
    free_part(state, p)


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


@hot
def come_straight(line: LineTables, state: State, p, k):
    """Let a new part in to the one plain station of its first step, if it has room.

    This is `admit` to the place that `choose` finds for the way that most parts come.
    """
    step = line.steps[k]
    t = step.only_station
    b = step.only_buffer
    is_ready = state.stations[t].n_ready > 0 and not ends_now(line, state, t)
    if not is_ready and state.buffers[b].level >= state.buffers[b].slots:
        return False
    enter_line(line, state, p)
    state.parts[p].target = step.first_target
    if is_ready:
        start(line, state, p, t)
    else:
        enter_buffer(state, b, p)
        join_queue(state, p, b, t)
    return True


@hot
def come(line: LineTables, state: State, product, order, when_full):
    """Bring one part to the line's door; say whether it came in or waits outside."""
    p = create(line, state, product, order)
    trace(state, T_OUTSIDE, -1, p, order, 0)
    state.parts[p].where = OUTSIDE
    row = outside_list(line, product)
    if state.lists[row].count == 0 and below_caps(line, state, product):
        fixed = line.products[product]
        if fixed.straight:
            if come_straight(line, state, p, fixed.first_step):
                return True
        else:
            place = choose(line, state, p, line.steps[fixed.first_step].dest)
            if place >= 0 and lets_in(line, state, product, p):
                admit(line, state, p, place)
                return True
    if when_full == FULL_LOSE:
        trace(state, T_LOST, -1, p, 0, 0)
        state.products[product].lost += line.products[product].lot
        free_part(state, p)
        return False
    append(state, row, p)
    return True


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
def arrives_alone(line: LineTables, product):
    """Say whether one part comes at an arrival, and the source goes on in any case."""
    fixed = line.products[product]
    alone = fixed.quantity == 1 and fixed.n_children == 0
    return alone and fixed.when_full != FULL_BLOCK


@hot
def arrive(line: LineTables, state: State, product):
    """Bring an arrival of a product to the line's door.

    Returns whether the next one is to be asked for now; otherwise that is on the
    worklist, or has to wait until the source is no longer blocked.
    """
    state.products[product].arrivals += 1
    fixed = line.products[product]
    if arrives_alone(line, product):
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
    row = state.orders[order]
    lot = line.products[row.product].lot
    come_all(line, state, row.product, (row.quantity + lot - 1) // lot, order)


@jit
def put_in(line: LineTables, state: State, row):
    """Put units that are in the line at its start where they wait; say if all fit."""
    lot = line.in_process[row]
    for _ in range(lot.parts):
        p = create(line, state, lot.product, -1)
        part = state.parts[p]
        part.step = lot.step
        part.due = lot.due
        part.priority = lot.priority
        trace(state, T_OUTSIDE, -1, p, -1, 0)
        d = line.steps[lot.step].dest
        place = choose(line, state, p, d)
        if place < 0 or not hold_on_the_way(line, state, p):
            undo_create(line, state, p)
            return False
        enter_line(line, state, p)
        part.target = place >> 1
        if place & 1:
            start(line, state, p, line.targets[part.target].station)
        else:
            queue(line, state, p, d)
            joined(line, state, p, d)
    return True


@jit
def put_in_store(line: LineTables, state: State, product):
    """Put a part of a product into its store, where it lies when the line starts."""
    p = create(line, state, product, -1)
    part = state.parts[p]
    enter_line(line, state, p)
    state.products[product].initial += line.products[product].lot
    b = line.targets[line.dests[line.products[product].store].first_target].buffer
    enter_buffer(state, b, p)
    part.step = COMPLETE
    part.where = IN_STORE
    part.place = b
    append(state, store_list(line, product), p)
    trace(state, T_STORE, b, p, 0, 0)


@jit
def hold_on_the_way(line: LineTables, state: State, p):
    """Give a part in process what it took before; say whether that was there."""
    part = state.parts[p]
    product = line.products[part.product]
    for i in range(product.first_held, product.first_held + product.n_held):
        take = line.takes[i]
        if take.step < part.step <= take.until:
            if state.stocks[take.stock].free < take.quantity:
                return False
            take_from_stock(state, take.stock, take.quantity)
            state.memory[p * line.settings[S_N_SLOTS] + take.slot] = take.quantity
    return True


@jit
def has_turn(line: LineTables, state: State, product):
    """Say whether caps and first station let an always available product in now."""
    if line.products[product].kind != ALWAYS_CAPPED:
        return False
    if not below_caps(line, state, product):
        return False
    p = create(line, state, product, -1)
    place = choose(line, state, p, line.steps[state.parts[p].step].dest)
    may = place >= 0 and lets_in(line, state, product, p)
    undo_create(line, state, p)
    return may


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
            state.products[product].credit += share
            credit = state.products[product].credit
            if best < 0 or credit > most:
                best = product
                most = credit
    if best < 0:
        return
    state.products[best].credit -= total
    p = create(line, state, best, -1)
    state.parts[p].where = OUTSIDE
    place = choose(line, state, p, line.steps[state.parts[p].step].dest)
    admit(line, state, p, place)
    push(state, ENTRY, best)


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
    if place < 0 or not lets_in(line, state, product, p):
        return
    unlink(state, p)
    admit(line, state, p, place)
    push(state, ENTRY, product)
    if fixed.kind == ARRIVALS and state.products[product].blocked:
        if state.lists[row].count == 0:
            state.products[product].blocked = 0
            ask(state, ASK_ARRIVAL, product)


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
def caps_opened(line: LineTables, state: State):
    """Let every capped product look whether it may come in."""
    first = line.settings[S_FIRST_CAPPED]
    for i in range(first + line.settings[S_N_CAPPED] - 1, first - 1, -1):
        if wants_in(line, state, line.links[i]):
            push(state, ENTRY, line.links[i])


@jit
def start_new(line: LineTables, state: State, product, k):
    """Make a unit of a product, or a full batch, and start it at its first station."""
    p = create(line, state, product, -1)
    enter_line(line, state, p)
    aim(line, state, p, k)
    step = line.steps[line.products[product].first_step]
    if step.batch_group >= 0:
        lot = line.products[product].lot
        last = p
        for _ in range(max(step.batch_max // lot, 1) - 1):
            mate = create(line, state, product, -1)
            enter_line(line, state, mate)
            aim(line, state, mate, k)
            state.parts[last].mate = mate
            last = mate
        state.parts[last].mate = -1
    start(line, state, p, k)


@jit
def start_next_new(line: LineTables, state: State, product, s):
    """Start a new unit of a product on a free server of its one plain station.

    This is `start_new` for the way that most come, with the same result; it says
    whether work begins, of which it is still to be asked how long it takes.
    """
    p = create(line, state, product, -1)
    enter_line(line, state, p)
    state.parts[p].target = line.steps[line.products[product].first_step].first_target
    return put_on(line, state, p, s)


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
