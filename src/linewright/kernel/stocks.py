"""Stocks: tools that are taken and come back, spare components, bought materials.

A stock is a number of equal things at hand. A part takes what its operation asks for
when it starts, and may not start before that is there. Tools and the cards of a loop
are handed back by the part that has them, and are there again after their way back, if
that takes time. A component is repaired, a material delivered: both are out meanwhile.
What a part holds it remembers (`memory`), so that it can be taken from it wherever it
leaves its route.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.moves import KIT, LEND, ask, push, trace
from linewright.tables import (
    ASK_RETURN,
    MATERIAL,
    S_N_SLOTS,
    T_GIVE,
    T_TAKE,
    LineTables,
    State,
)

__all__ = [
    "add_to_stock",
    "give_back",
    "give_back_from",
    "has_stock",
    "put_back",
    "reorder",
    "take_from_stock",
    "take_what_it_needs",
    "wake_users",
]


@jit
def has_stock(line: LineTables, state: State, k):
    """Say whether the stocks hold all that a step takes from them.

    What is kept for setups and repairs is not for parts.
    """
    step = line.steps[k]
    for i in range(step.first_take, step.first_take + step.n_takes):
        take = line.takes[i]
        stock = state.stocks[take.stock]
        if stock.free - stock.kept < take.quantity:
            return False
    return True


@jit
def take_from_stock(state: State, k, n):
    """Take things from a stock that has them."""
    stock = state.stocks[k]
    now = state.clock[0].now
    stock.free -= n
    stock.area_us += n * now
    stock.taken += n
    if stock.free == 0:
        stock.none_us -= now


@jit
def add_to_stock(line: LineTables, state: State, k, n):
    """Put things into a stock, and let those look that may wait for them.

    Setups and repairs stand in line and go first, then the stations look.
    """
    stock = state.stocks[k]
    now = state.clock[0].now
    if stock.free == 0:
        stock.none_us += now
    stock.free += n
    stock.area_us -= n * now
    wake_users(line, state, k)
    if stock.n_waiting > 0:
        push(state, LEND, k)


@jit
def wake_users(line: LineTables, state: State, k):
    """Let the stations look at which parts take from a stock."""
    fixed = line.stocks[k]
    # the last one pushed goes first: go backward, so that the file's order counts
    last = fixed.first_station + fixed.n_stations - 1
    for i in range(last, fixed.first_station - 1, -1):
        if state.stations[line.links[i]].n_ready > 0:
            push(state, KIT, line.links[i])


@jit
def reorder(line: LineTables, state: State, k):
    """Order lots of a material until enough is there or on its way."""
    fixed = line.stocks[k]
    stock = state.stocks[k]
    while stock.free + stock.out <= fixed.reorder_point:
        stock.out += fixed.lot
        ask(state, ASK_RETURN, k)


@jit
def take_what_it_needs(line: LineTables, state: State, p):
    """Give a part that starts the tools and materials of its step; see `has_stock`.

    What it has no use for from now on it hands back.
    """
    part = state.parts[p]
    step = line.steps[part.step]
    for i in range(step.first_take, step.first_take + step.n_takes):
        take = line.takes[i]
        take_from_stock(state, take.stock, take.quantity)
        trace(state, T_TAKE, take.stock, p, take.quantity, 0)
        if take.slot >= 0:
            state.memory[p * line.settings[S_N_SLOTS] + take.slot] = take.quantity
        if line.stocks[take.stock].kind == MATERIAL:
            reorder(line, state, take.stock)
    give_back(line, state, p, step.first_hand, step.n_hands)


@jit
def give_back(line: LineTables, state: State, p, first, n):
    """Take back from a part what it holds of some rows of `takes`."""
    for i in range(first, first + n):
        hand_over(line, state, p, i)


@jit
def give_back_from(line: LineTables, state: State, p, k):
    """Take back from a part what it took at step `k` or behind it."""
    product = line.products[state.parts[p].product]
    for i in range(product.first_held, product.first_held + product.n_held):
        if line.takes[i].step >= k:
            hand_over(line, state, p, i)


@jit
def hand_over(line: LineTables, state: State, p, i):
    """Take back what a part holds by one row of `takes`, if it does."""
    take = line.takes[i]
    row = p * line.settings[S_N_SLOTS] + take.slot
    n = state.memory[row]
    if n == 0:
        return
    state.memory[row] = 0
    trace(state, T_GIVE, take.stock, p, n, 0)
    put_back(line, state, take.stock, n)


@jit
def put_back(line: LineTables, state: State, k, n):
    """Let things that were handed back be there again, after their way back if any."""
    if line.stocks[k].dist < 0:
        add_to_stock(line, state, k, n)
        return
    state.stocks[k].out += n
    for _ in range(n):
        ask(state, ASK_RETURN, k)
