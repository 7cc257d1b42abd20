"""Rules of one's own: the kernel asks a function outside and checks what it says.

What may start is written to `State.asked`, row by row, and the function is called with
nothing but numbers: which rule, for whom, and how many parts are offered. It answers
with a place among them, counted from 1, or with `NONE_OF_THEM`. Any other answer stops
the run with ``RULE_FAILED``, and nothing moves because of it; 0 is what comes back from
a function in Python that an exception leaves. The function's address comes in with
each run and is no part of the machine code, which can so be kept on disk.
"""

from __future__ import annotations

import ctypes
from typing import Any

from linewright.kernel._jit import builtin, jit
from linewright.kernel.choosing import batch_is_due, pick
from linewright.kernel.eligible import bound_to, breaks_run, eligible
from linewright.tables import (
    ASKED_CALL,
    ASKED_FILLING,
    ASKED_PARTS,
    RULE_FAILED,
    LineTables,
    State,
)

__all__ = ["CALL", "FAILED", "NONE_OF_THEM", "lets_in", "next_part"]

NONE_OF_THEM = -1
FAILED = 0

CALL = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)
"""Type of the function: (rule, station or product, server or -1, parts) -> answer."""


@builtin
def call_at(address: Any, rule: Any, row: Any, s: Any, n: Any) -> Any:
    """Call the function at an address."""
    return CALL(int(address))(rule, row, s, n)


@jit
def ask_rule(state: State, rule, row, s, n):
    """Ask a rule which of `n` parts it takes; return its place from 0, or -1.

    A rule that has failed is asked no more: the driver stops before the next event.
    """
    clock = state.clock[0]
    if clock.status == RULE_FAILED:
        return -1
    answer = FAILED
    if state.asked[ASKED_CALL] != 0:
        answer = call_at(state.asked[ASKED_CALL], rule, row, s, n)
    if answer == NONE_OF_THEM:
        return -1
    if answer < 1 or answer > n:
        clock.status = RULE_FAILED
        clock.limit = -1
        return -1
    return answer - 1


@jit
def next_part(line: LineTables, state: State, station, s, group):
    """Return the waiting part that a server takes next, or -1.

    This is `pick`, or what a station's rule of its own says.
    """
    rule = line.stations[station].own_rule
    if rule < 0:
        return pick(line, state, station, s, group)
    n = write_candidates(line, state, station, s, group)
    if n == 0:
        return -1
    state.asked[ASKED_FILLING] = 1 if group >= 0 else 0
    place = ask_rule(state, rule, station, s, n)
    return state.asked[ASKED_PARTS + place] if place >= 0 else -1


@jit
def write_candidates(line: LineTables, state: State, station, s, group):
    """Write down which waiting parts may start on a server; return how many.

    Of parts that need another change and parts that go on with a server's least run
    only the latter may.
    """
    fixed = line.stations[station]
    n = 0
    goes_on = False
    due_group = -1
    refused_group = -1
    for i in range(fixed.first_queue, fixed.first_queue + fixed.n_queues):
        p = state.lists[line.links[i]].head
        while p >= 0:
            kind = line.steps[state.parts[p].step].batch_group if fixed.batches else -1
            may = kind < 0 or kind != refused_group
            if group >= 0:
                may = kind == group
            if may:
                bound = bound_to(line, state, p)
                may = bound < 0 or bound == s
            may = may and eligible(line, state, station, state.parts[p].step)
            if may and kind >= 0 and group < 0 and kind != due_group:
                may = batch_is_due(line, state, station, p, kind)
                if may:
                    due_group = kind
                else:
                    refused_group = kind
            if may and fixed.first_run >= 0:
                breaks = breaks_run(line, state, p, s)
                if goes_on:
                    may = not breaks
                elif not breaks:
                    goes_on = True
                    n = 0
            if may:
                state.asked[ASKED_PARTS + n] = p
                n += 1
            p = state.parts[p].next
    return n


@jit
def lets_in(line: LineTables, state: State, product, p):
    """Say whether a product's rule, if it has one, lets its next unit in now."""
    rule = line.products[product].own_rule
    if rule < 0:
        return True
    state.asked[ASKED_PARTS] = p
    return ask_rule(state, rule, product, -1, 1) == 0
