"""Tools for setups and repairs: who waits for them, and who has them.

A claimant is a server, for its setup, or a failure or planned work, for its repair; as
of people, see there. It takes all its tools at once. Without them it stands in the line
of the first stock that has not enough for it, in the order in which claimants asked;
when that has, it takes them all, or goes into the line of the next that is short. In a
line nobody overtakes, but who waits elsewhere for something else is in nobody's way.

They go before parts: what claimants wait for (`kept`) no operation gets. They ask for
people when they have their tools. So nobody who has people waits for a tool, and who
has a tool for a repair waits for no other.
"""

from __future__ import annotations

from linewright.kernel._jit import jit
from linewright.kernel.moves import LEND, ask, push, trace
from linewright.kernel.people import enter_phase, seize, show_waiting
from linewright.kernel.stocks import put_back, take_from_stock, wake_users
from linewright.tables import (
    ASK_REPAIR,
    SETTING_UP,
    T_GIVE,
    T_TAKE,
    TO_BEGIN,
    LineTables,
    State,
)

__all__ = [
    "begin_repair",
    "begin_setup",
    "give_up_tools",
    "hand_in",
    "has_tools",
    "lend",
]


@jit
def first_tool(line: LineTables, state: State, c):
    """Return where the rows of `takes` begin with what a claimant takes."""
    if c < len(state.servers):
        return line.stations[state.servers[c].station].first_tool
    return line.modes[line.server_modes[c - len(state.servers)].mode].first_tool


@jit
def n_tools(line: LineTables, state: State, c):
    """Return how many kinds of tools a claimant takes."""
    if c < len(state.servers):
        return line.stations[state.servers[c].station].n_tools
    return line.modes[line.server_modes[c - len(state.servers)].mode].n_tools


@jit
def lacks(line: LineTables, state: State, c):
    """Return the first stock for which a claimant has to wait, or -1 for none."""
    first = first_tool(line, state, c)
    for i in range(first, first + n_tools(line, state, c)):
        take = line.takes[i]
        stock = state.stocks[take.stock]
        if stock.free < take.quantity:
            return take.stock
        if stock.n_waiting > 0:
            if state.claims[stock.head].number < state.claims[c].number:
                return take.stock
    return -1


@jit
def seize_tools(line: LineTables, state: State, c):
    """Ask for a claimant's tools: say whether it has them, or has to wait."""
    claim = state.claims[c]
    if claim.has_tools or n_tools(line, state, c) == 0:
        return True
    if claim.lacks > 0:
        return False
    clock = state.clock[0]
    clock.claims += 1
    claim.number = clock.claims
    k = lacks(line, state, c)
    if k < 0:
        take_tools(line, state, c)
        return True
    keep(line, state, c, 1)
    stand_in_line(state, c, k)
    return False


@jit
def take_tools(line: LineTables, state: State, c):
    """Give a claimant its tools, all of which are there."""
    state.claims[c].has_tools = 1
    first = first_tool(line, state, c)
    for i in range(first, first + n_tools(line, state, c)):
        take = line.takes[i]
        take_from_stock(state, take.stock, take.quantity)
        trace(state, T_TAKE, take.stock, -1, take.quantity, c + 1)


@jit
def hand_in(line: LineTables, state: State, c):
    """Take back the tools of a claimant whose setup or repair has ended."""
    claim = state.claims[c]
    if not claim.has_tools:
        return
    claim.has_tools = 0
    first = first_tool(line, state, c)
    for i in range(first, first + n_tools(line, state, c)):
        take = line.takes[i]
        trace(state, T_GIVE, take.stock, -1, take.quantity, c + 1)
        put_back(line, state, take.stock, take.quantity)


# ------------------------------------------------------------------ lines


@jit
def keep(line: LineTables, state: State, c, sign):
    """Keep what a claimant waits for from the parts, or, with -1, do no more."""
    first = first_tool(line, state, c)
    for i in range(first, first + n_tools(line, state, c)):
        take = line.takes[i]
        state.stocks[take.stock].kept += sign * take.quantity


@jit
def stand_in_line(state: State, c, k):
    """Let a claimant wait for a stock behind all who asked before it."""
    claim = state.claims[c]
    stock = state.stocks[k]
    claim.lacks = k + 1
    claim.since = state.clock[0].now
    before = stock.tail if stock.n_waiting > 0 else -1
    while before >= 0 and state.claims[before].number > claim.number:
        before = state.claims[before].prev
    claim.prev = before
    claim.next = -1
    if before >= 0:
        claim.next = state.claims[before].next
        state.claims[before].next = c
    else:
        if stock.n_waiting > 0:
            claim.next = stock.head
        stock.head = c
    if claim.next >= 0:
        state.claims[claim.next].prev = c
    else:
        stock.tail = c
    stock.n_waiting += 1
    stock.waited += 1


@jit
def leave_line(state: State, c):
    """Take a claimant out of the line in which it waits for a stock."""
    claim = state.claims[c]
    stock = state.stocks[claim.lacks - 1]
    if claim.prev >= 0:
        state.claims[claim.prev].next = claim.next
    else:
        stock.head = claim.next
    if claim.next >= 0:
        state.claims[claim.next].prev = claim.prev
    else:
        stock.tail = claim.prev
    stock.n_waiting -= 1
    stock.wait_us += state.clock[0].now - claim.since
    claim.lacks = 0


@jit
def lend(line: LineTables, state: State, k):
    """Serve those who wait for a stock, as far as it goes."""
    stock = state.stocks[k]
    while stock.n_waiting > 0:
        c = stock.head
        short = lacks(line, state, c)
        if short == k:
            return
        leave_line(state, c)
        if short >= 0:
            stand_in_line(state, c, short)
        else:
            keep(line, state, c, -1)
            take_tools(line, state, c)
            begin_with_tools(line, state, c)


@jit
def give_up_tools(line: LineTables, state: State, c):
    """Let a claimant wait for tools no more, and let others look for them."""
    claim = state.claims[c]
    if claim.lacks == 0:
        return
    k = claim.lacks - 1
    leave_line(state, c)
    keep(line, state, c, -1)
    first = first_tool(line, state, c)
    for i in range(first, first + n_tools(line, state, c)):
        wake_users(line, state, line.takes[i].stock)
    push(state, LEND, k)


# ------------------------------------------------------------------ what they are for


@jit
def begin_with_tools(line: LineTables, state: State, c):
    """Let a claimant go on whose tools are there: it asks for its people."""
    if c < len(state.servers):
        enter_phase(line, state, c, SETTING_UP)
    else:
        call_crew(line, state, c - len(state.servers))


@jit
def begin_setup(line: LineTables, state: State, s):
    """Begin a setup as soon as its tools and its people are there."""
    server = state.servers[s]
    server.phase = SETTING_UP
    server.waits = TO_BEGIN
    if seize_tools(line, state, s):
        enter_phase(line, state, s, SETTING_UP)
    else:
        show_waiting(state, s)


@jit
def has_tools(line: LineTables, state: State, s):
    """Say whether a server may go on: a setup that has not its tools asks for them."""
    if state.servers[s].phase != SETTING_UP:
        return True
    return seize_tools(line, state, s)


@jit
def begin_repair(line: LineTables, state: State, m):
    """Begin a repair as soon as its tools and its crew are there."""
    if seize_tools(line, state, len(state.servers) + m):
        call_crew(line, state, m)


@jit
def call_crew(line: LineTables, state: State, m):
    """Begin a repair as soon as its crew is there."""
    mode = line.modes[line.server_modes[m].mode]
    c = len(state.servers) + m
    if mode.crew < 0 or seize(line, state, c, mode.crew, mode.n_crew, mode.urgency):
        ask(state, ASK_REPAIR, m)
