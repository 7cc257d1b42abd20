"""Tabu search on the sequences of servers, compiled: who works on what, after what.

A schedule is the server of each operation and the sequence of each server; an operation
begins when all that it comes after is done, so the longest path through both kinds of
arcs is the makespan. A step looks at one longest path and moves one of its operations:
behind or in front of a block of neighbours on its server, or to any place on another
server that can do it. A move is judged by the paths through what it moves, in time that
does not depend on the size of the problem. What was just undone stays so for a while.
After many steps without a gain the search goes back to the best and shakes it.

Only moves that cannot close a circle are looked at. An operation is put behind x where
x begins before any successor of it is done, and in front of y where y is done after any
predecessor of it began; a path would say otherwise.

Everything compiled of this search is in this file (see `kernel._jit`).

Sources: Balas and Vazacopoulos (1998) Management Science 44(2), 262-275 (moves in a
block); Mastrolilli and Gambardella (2000) Journal of Scheduling 3(1), 3-20 (moves to
other servers); Nowicki and Smutnicki (1996) Management Science 42(6), 797-813.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.kernel._jit import array_entry, array_jit
from linewright.schedule._chance import below

__all__ = ["BEST", "NOW", "PAIRS", "STEP", "Memory", "Sequences", "Shop", "search"]

Ints = NDArray[np.int64]

STEP, SINCE, BEST, NOW, CIRCLES = range(5)
"""Rows of `Memory.counts`: steps done, steps since the last gain, the best and the
present makespan, and moves that were refused because they would have closed a circle.
"""

_REACH = 40
"""How far an operation is moved within a block; longer moves seldom gain."""

_PATIENCE = 8_000
"""Steps without a gain before the best is taken up again."""

PAIRS = 1 << 20
"""Size of the table of forbidden pairs, a power of two."""
_FAR = np.int64(2) ** 62


class Shop(NamedTuple):
    """What does not change; times are in ticks.

    Rows ``before_at[o]:before_at[o + 1]`` of `before` are what operation o comes after,
    with the least time between; likewise `after`. Rows ``ways_at[o]:ways_at[o + 1]`` of
    `server` and `time` are the ways of doing it.
    """

    release: Ints
    tail: Ints
    before_at: Ints
    before: Ints
    before_lag: Ints
    after_at: Ints
    after: Ints
    after_lag: Ints
    ways_at: Ints
    server: Ints
    time: Ints


class Sequences(NamedTuple):
    """A schedule, and what follows from it.

    Of each operation: its way, who is in front of and behind it on its server (-1:
    nobody), where it stands in an order in which all arcs point forward, its begin as
    soon as all that it comes after is done, with and without the server, and the time
    from its end to the end of all, likewise.
    """

    way: Ints
    ahead: Ints
    behind: Ints
    first: Ints
    order: Ints
    place: Ints
    head: Ints
    free_head: Ints
    rest: Ints
    free_rest: Ints


class Memory(NamedTuple):
    """What the search remembers: counts, the best, what is forbidden, scratch."""

    counts: Ints
    best_way: Ints
    best_ahead: Ints
    best_behind: Ints
    best_first: Ints
    best_order: Ints
    pairs: Ints
    moved: Ints
    path: Ints
    scratch: Ints
    move: Ints


@array_jit
def _heads(shop, now, low):
    """Find the begins of the operations from a place in the order on."""
    for i in range(low, now.order.shape[0]):
        o = now.order[i]
        at = shop.release[o]
        for e in range(shop.before_at[o], shop.before_at[o + 1]):
            b = shop.before[e]
            done = now.head[b] + shop.time[now.way[b]] + shop.before_lag[e]
            at = max(at, done)
        now.free_head[o] = at
        a = now.ahead[o]
        if a >= 0:
            at = max(at, now.head[a] + shop.time[now.way[a]])
        now.head[o] = at


@array_jit
def _rests(shop, now, high):
    """Find what comes after the operations up to a place in the order."""
    for i in range(high, -1, -1):
        o = now.order[i]
        left = shop.tail[o]
        for e in range(shop.after_at[o], shop.after_at[o + 1]):
            s = shop.after[e]
            left = max(left, now.rest[s] + shop.time[now.way[s]] + shop.after_lag[e])
        now.free_rest[o] = left
        b = now.behind[o]
        if b >= 0:
            left = max(left, now.rest[b] + shop.time[now.way[b]])
        now.rest[o] = left


@array_jit
def _makespan(shop, now):
    most = np.int64(0)
    for o in range(now.head.shape[0]):
        most = max(most, now.head[o] + shop.time[now.way[o]] + shop.tail[o])
    return most


@array_jit
def _critical(shop, now, makespan, path, chance):
    """Write one longest path, chosen at random, from its end; return its length."""
    o = np.int64(-1)
    n_ends = 0
    for i in range(now.head.shape[0]):
        if now.head[i] + shop.time[now.way[i]] + shop.tail[i] == makespan:
            n_ends += 1
            if below(chance, n_ends) == 0:
                o = np.int64(i)
    n = 0
    while o >= 0:
        path[n] = o
        n += 1
        found = np.int64(-1)
        n_tight = 0
        at = now.head[o]
        a = now.ahead[o]
        if a >= 0 and now.head[a] + shop.time[now.way[a]] == at:
            n_tight = 1
            found = a
        if now.free_head[o] == at:
            for e in range(shop.before_at[o], shop.before_at[o + 1]):
                b = shop.before[e]
                done = now.head[b] + shop.time[now.way[b]] + shop.before_lag[e]
                if done == at and b != a:
                    n_tight += 1
                    if n_tight == 1 or below(chance, n_tight) == 0:
                        found = b
        o = found
    return n


@array_jit
def _may_follow(shop, now, v, x):
    """Say whether an operation may stand behind another one: no path leads there."""
    begin = now.head[x]
    for e in range(shop.after_at[v], shop.after_at[v + 1]):
        s = shop.after[e]
        if s == x or begin >= now.head[s] + shop.time[now.way[s]]:
            return False
    return True


@array_jit
def _may_lead(shop, now, v, y):
    """Say whether an operation may stand in front of another one."""
    end = now.head[y] + shop.time[now.way[y]]
    for e in range(shop.before_at[v], shop.before_at[v + 1]):
        b = shop.before[e]
        if b == y or end <= now.head[b]:
            return False
    return True


@array_jit
def _judge_later(shop, now, v, last, new_head):
    """Return the longest path through what moves if `v` goes behind `last`."""
    a = now.ahead[v]
    at = np.int64(0) if a < 0 else now.head[a] + shop.time[now.way[a]]
    o = now.behind[v]
    n = 0
    while True:
        at = max(at, now.free_head[o])
        new_head[n] = at
        at += shop.time[now.way[o]]
        n += 1
        if o == last:
            break
        o = now.behind[o]
    at = max(at, now.free_head[v])
    b = now.behind[last]
    left = np.int64(0) if b < 0 else now.rest[b] + shop.time[now.way[b]]
    left = max(left, now.free_rest[v])
    worst = at + shop.time[now.way[v]] + left
    left += shop.time[now.way[v]]
    o = last
    while n:
        n -= 1
        left = max(left, now.free_rest[o])
        worst = max(worst, new_head[n] + shop.time[now.way[o]] + left)
        left += shop.time[now.way[o]]
        o = now.ahead[o]
    return worst


@array_jit
def _judge_sooner(shop, now, v, first, new_rest):
    """Return the longest path through what moves if `v` goes in front of `first`."""
    b = now.behind[v]
    left = np.int64(0) if b < 0 else now.rest[b] + shop.time[now.way[b]]
    o = now.ahead[v]
    n = 0
    while True:
        left = max(left, now.free_rest[o])
        new_rest[n] = left
        left += shop.time[now.way[o]]
        n += 1
        if o == first:
            break
        o = now.ahead[o]
    left = max(left, now.free_rest[v])
    a = now.ahead[first]
    at = np.int64(0) if a < 0 else now.head[a] + shop.time[now.way[a]]
    at = max(at, now.free_head[v])
    worst = at + shop.time[now.way[v]] + left
    at += shop.time[now.way[v]]
    o = first
    while n:
        n -= 1
        at = max(at, now.free_head[o])
        worst = max(worst, at + shop.time[now.way[o]] + new_rest[n])
        at += shop.time[now.way[o]]
        o = now.behind[o]
    return worst


@array_jit
def _pair(one, two):
    """Return where it is kept until when one operation must not come before another."""
    mixed = np.uint64(one) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(two)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.int64((mixed >> np.uint64(32)) & np.uint64(PAIRS - 1))


@array_jit
def _is_forbidden_later(now, memory, v, last):
    step = memory.counts[STEP]
    o = now.behind[v]
    while True:
        if memory.pairs[_pair(o, v)] > step:
            return True
        if o == last:
            return False
        o = now.behind[o]


@array_jit
def _is_forbidden_sooner(now, memory, v, first):
    step = memory.counts[STEP]
    o = now.ahead[v]
    while True:
        if memory.pairs[_pair(v, o)] > step:
            return True
        if o == first:
            return False
        o = now.ahead[o]


@array_jit
def _consider(memory, value, forbidden, v, way, x, chance):
    """Keep a move if it is the best so far.

    `memory.move` holds the value of the best move, how many were as good, operation,
    way and who stands in front; then the same of any move, whether allowed or not.
    """
    move = memory.move
    move[5] += 1
    if below(chance, move[5]) == 0:
        move[6], move[7], move[8] = v, way, x
    if forbidden and value >= memory.counts[BEST]:
        return
    if value > move[0]:
        return
    if value < move[0]:
        move[0] = value
        move[1] = 0
    move[1] += 1
    if below(chance, move[1]) == 0:
        move[2], move[3], move[4] = v, way, x


@array_jit
def _try_later(shop, now, memory, v, last, chance):
    if _may_follow(shop, now, v, last):
        value = _judge_later(shop, now, v, last, memory.scratch)
        forbidden = _is_forbidden_later(now, memory, v, last)
        _consider(memory, value, forbidden, v, now.way[v], last, chance)


@array_jit
def _try_sooner(shop, now, memory, v, first, chance):
    if _may_lead(shop, now, v, first):
        value = _judge_sooner(shop, now, v, first, memory.scratch)
        forbidden = _is_forbidden_sooner(now, memory, v, first)
        _consider(memory, value, forbidden, v, now.way[v], now.ahead[first], chance)


@array_jit
def _try_block(shop, now, memory, low, high, chance):
    """Try the moves in a block, rows ``low..high`` of the path, its last one first."""
    path = memory.path
    last, first = path[low], path[high]
    for i in range(low + 1, min(high, low + _REACH) + 1):
        _try_later(shop, now, memory, path[i], last, chance)
    for i in range(max(low, high - _REACH), high):
        _try_sooner(shop, now, memory, path[i], first, chance)
    # the ends go inside; with two or three there is nothing that was not tried
    for i in range(low + 1, min(high, low + _REACH)):
        _try_sooner(shop, now, memory, last, path[i], chance)
    for i in range(max(low, high - _REACH) + 1, high):
        _try_later(shop, now, memory, first, path[i], chance)


@array_jit
def _try_others(shop, now, memory, v, chance):
    """Try all places on the other servers that can do an operation."""
    step = memory.counts[STEP]
    here = shop.server[now.way[v]]
    n_ops = now.way.shape[0]
    for way in range(shop.ways_at[v], shop.ways_at[v + 1]):
        k = shop.server[way]
        if k == here:
            continue
        forbidden = memory.moved[way] > step
        time = shop.time[way]
        x = np.int64(-1)
        y = now.first[k]
        left = n_ops
        while left > 0:
            left -= 1
            at = now.free_head[v]
            if x >= 0:
                if not _may_follow(shop, now, v, x):
                    break
                at = max(at, now.head[x] + shop.time[now.way[x]])
            if y < 0 or _may_lead(shop, now, v, y):
                rest = now.free_rest[v]
                if y >= 0:
                    rest = max(rest, now.rest[y] + shop.time[now.way[y]])
                _consider(memory, at + time + rest, forbidden, v, way, x, chance)
            if y < 0:
                break
            x = y
            y = now.behind[y]


@array_jit
def _put(shop, now, memory, v, way, x):
    """Put an operation behind another one on a way's server.

    Returns:
        False, and nothing is changed, if that would close a circle.
    """
    k0, k = shop.server[now.way[v]], shop.server[way]
    a, b = now.ahead[v], now.behind[v]
    if a >= 0:
        now.behind[a] = b
    else:
        now.first[k0] = b
    if b >= 0:
        now.ahead[b] = a
    y = now.first[k] if x < 0 else now.behind[x]
    old_way = now.way[v]
    now.way[v] = way
    now.ahead[v], now.behind[v] = x, y
    if x >= 0:
        now.behind[x] = v
    else:
        now.first[k] = v
    if y >= 0:
        now.ahead[y] = v
    low = high = now.place[v]
    fits = True
    if x >= 0 and now.place[x] > now.place[v]:
        high = now.place[x]
        fits = _shift_later(shop, now, memory.scratch, v, x)
    elif y >= 0 and now.place[y] < now.place[v]:
        low = now.place[y]
        fits = _shift_sooner(shop, now, memory.scratch, v, y)
    if not fits:
        if x >= 0:
            now.behind[x] = y
        else:
            now.first[k] = y
        if y >= 0:
            now.ahead[y] = x
        now.way[v] = old_way
        now.ahead[v], now.behind[v] = a, b
        if a >= 0:
            now.behind[a] = v
        else:
            now.first[k0] = v
        if b >= 0:
            now.ahead[b] = v
        memory.counts[CIRCLES] += 1
        return False
    if b >= 0:
        low = min(low, now.place[b])
    if y >= 0:
        low = min(low, now.place[y])
    if a >= 0:
        high = max(high, now.place[a])
    if x >= 0:
        high = max(high, now.place[x])
    _heads(shop, now, low)
    _rests(shop, now, high)
    return True


@array_jit
def _shift_later(shop, now, scratch, v, x):
    """Bring an operation, and what comes after it, behind another in the order."""
    low, high = now.place[v], now.place[x]
    n = now.order.shape[0]
    marks = scratch[n : 2 * n]
    n_moved = 0
    marks[low] = 1
    for i in range(low + 1, high + 1):
        o = now.order[i]
        mark = 0
        a = now.ahead[o]
        if a >= 0 and low <= now.place[a] < i and marks[now.place[a]]:
            mark = 1
        else:
            for e in range(shop.before_at[o], shop.before_at[o + 1]):
                at = now.place[shop.before[e]]
                if at >= low and marks[at]:
                    mark = 1
                    break
        marks[i] = mark
    if marks[high]:
        return False
    kept = low
    for i in range(low, high + 1):
        o = now.order[i]
        if marks[i]:
            scratch[n_moved] = o
            n_moved += 1
        else:
            now.order[kept] = o
            now.place[o] = kept
            kept += 1
    for i in range(n_moved):
        now.order[kept] = scratch[i]
        now.place[scratch[i]] = kept
        kept += 1
    return True


@array_jit
def _shift_sooner(shop, now, scratch, v, y):
    """Bring an operation, and what it comes after, in front of another in the order."""
    low, high = now.place[y], now.place[v]
    n = now.order.shape[0]
    marks = scratch[n : 2 * n]
    n_moved = 0
    marks[high] = 1
    for i in range(high - 1, low - 1, -1):
        o = now.order[i]
        mark = 0
        b = now.behind[o]
        if b >= 0 and i < now.place[b] <= high and marks[now.place[b]]:
            mark = 1
        else:
            for e in range(shop.after_at[o], shop.after_at[o + 1]):
                at = now.place[shop.after[e]]
                if at <= high and marks[at]:
                    mark = 1
                    break
        marks[i] = mark
    if marks[low]:
        return False
    kept = high
    for i in range(high, low - 1, -1):
        o = now.order[i]
        if marks[i]:
            scratch[n_moved] = o
            n_moved += 1
        else:
            now.order[kept] = o
            now.place[o] = kept
            kept -= 1
    for i in range(n_moved):
        now.order[kept] = scratch[i]
        now.place[scratch[i]] = kept
        kept -= 1
    return True


@array_jit
def _forbid(shop, now, memory, v, way, x, until):
    """Forbid that a move is undone: what it went past, or the way that it left."""
    if shop.server[way] != shop.server[now.way[v]]:
        memory.moved[now.way[v]] = until
        return
    # either x stands behind v, and v goes later, or it goes to right behind x
    o = now.behind[v]
    for _ in range(2 * _REACH + 2):
        if o < 0:
            break
        if o == x:
            o = now.behind[v]
            while True:
                memory.pairs[_pair(v, o)] = until
                if o == x:
                    return
                o = now.behind[o]
        o = now.behind[o]
    o = now.ahead[v]
    while o >= 0 and o != x:
        memory.pairs[_pair(o, v)] = until
        o = now.ahead[o]


@array_jit
def _step(shop, now, memory, makespan, tenure, wild, chance):
    """Make one move; a wild one is any at random. Return the makespan."""
    n = _critical(shop, now, makespan, memory.path, chance)
    move = memory.move
    move[:] = -1
    move[0] = _FAR
    move[1] = move[5] = 0
    path = memory.path
    low = 0
    for i in range(n):
        v = path[i]
        if shop.ways_at[v + 1] - shop.ways_at[v] > 1:
            _try_others(shop, now, memory, v, chance)
        ends = i + 1 == n or now.ahead[v] != path[i + 1]
        if ends:
            if i > low:
                _try_block(shop, now, memory, low, i, chance)
            low = i + 1
    if move[5] == 0:
        return makespan
    at = 6 if wild or move[1] == 0 else 2
    v, way, x = move[at], move[at + 1], move[at + 2]
    until = memory.counts[STEP] + tenure + below(chance, tenure)
    _forbid(shop, now, memory, v, way, x, until)
    if not _put(shop, now, memory, v, way, x):
        return makespan
    return _makespan(shop, now)


@array_jit
def _keep(now, memory):
    memory.best_way[:] = now.way
    memory.best_ahead[:] = now.ahead
    memory.best_behind[:] = now.behind
    memory.best_first[:] = now.first
    memory.best_order[:] = now.order


@array_jit
def _take_up(now, memory):
    now.way[:] = memory.best_way
    now.ahead[:] = memory.best_ahead
    now.behind[:] = memory.best_behind
    now.first[:] = memory.best_first
    now.order[:] = memory.best_order
    for i in range(now.order.shape[0]):
        now.place[now.order[i]] = i


@array_entry
def search(shop, now, memory, chance, bound, n_steps):
    """Search on for some steps, or until the makespan is as low as a bound.

    Args:
        shop: What does not change.
        now: The schedule; its ways, sequences and order are read at the first step.
        memory: What the search remembers; its counts are zero at the first step.
        chance: A stream of random numbers.
        bound: No schedule is shorter.
        n_steps: How many steps.
    """
    counts = memory.counts
    n = now.way.shape[0]
    for i in range(n):
        now.place[now.order[i]] = i
    _heads(shop, now, 0)
    _rests(shop, now, n - 1)
    makespan = _makespan(shop, now)
    if counts[STEP] == 0:
        counts[BEST] = makespan
        _keep(now, memory)
    tenure = 10 + min(n // (now.first.shape[0] ** 2 + 1), 20)
    for _ in range(n_steps):
        if counts[BEST] <= bound:
            break
        counts[STEP] += 1
        counts[SINCE] += 1
        wild = False
        if counts[SINCE] % _PATIENCE == 0:
            _take_up(now, memory)
            _heads(shop, now, 0)
            _rests(shop, now, n - 1)
            makespan = _makespan(shop, now)
        if counts[SINCE] % _PATIENCE < 12 and counts[SINCE] >= _PATIENCE:
            wild = True
        makespan = _step(shop, now, memory, makespan, tenure, wild, chance)
        if makespan < counts[BEST]:
            counts[BEST] = makespan
            counts[SINCE] = 0
            _keep(now, memory)
    counts[NOW] = makespan
