"""Iterated greedy search on the order of jobs in flow shops, compiled.

All jobs go through the same stations in one order, on one line or on one of several
equal ones. A step takes a few jobs out, makes the rest better by itself, puts those
back one after the other where they cost least, and puts every job anew into its best
place until none gains; what came out is kept if it is no worse, or by chance.

For the makespan all places of a job are judged together: with the ends of the jobs in
front and the times behind, each costs one pass over the stations. For weighted delays a
place is worked out to the end, and given up as soon as it is no better than the best.

Everything compiled of this search is in this file (see `kernel._jit`).

Sources: Taillard (1990) European Journal of Operational Research 47(1), 65-74 (all
places at once); Ruiz and Stuetzle (2007) EJOR 177(3), 2033-2049 and (2008) EJOR 187(3),
1143-1159 (iterated greedy; setups); Dubois-Lacoste, Pagnozzi and Stuetzle (2017)
Computers and Operations Research 81, 160-166 (the rest by itself); Ruiz, Pan and
Naderi (2019) Omega 83, 213-222 (several lines).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.kernel._jit import array_entry, array_jit
from linewright.schedule._chance import below, share

__all__ = ["BEST", "Flow", "Orders", "search"]

Ints = NDArray[np.int64]

STEP, BEST, NOW = range(3)
"""Rows of `Orders.counts`: steps done, the best and the present value."""

_FAR = np.int64(2) ** 62


class Flow(NamedTuple):
    """What does not change.

    Attributes:
        time: Of each job at each station.
        setup: Before each job at each station, by the job before (the last row:
            none); done before the part is there. No rows: no setups.
        release: When each job may begin.
        due: When each is due, for weighted delays.
        weight: How much a delay of each counts; all zero: the makespan counts.
    """

    time: Ints
    setup: Ints
    release: Ints
    due: Ints
    weight: Ints


class Orders(NamedTuple):
    """Orders of jobs on each line, with their lengths, and scratch.

    Attributes:
        jobs: The present order on each line.
        length: How many jobs each line has.
        best_jobs: The best so far.
        best_length: Its lengths.
        ends: When each line is done.
        counts: See `STEP`, `BEST` and `NOW`.
        end: Ends of the jobs in front, (place, station).
        left: Times behind, (place, station).
        scratch: Room for two orders, and a number for each line.
        kept_jobs: The present order while a step tries another.
        kept_length: Its lengths.
    """

    jobs: Ints
    length: Ints
    best_jobs: Ints
    best_length: Ints
    ends: Ints
    counts: Ints
    end: Ints
    left: Ints
    scratch: Ints
    kept_jobs: Ints
    kept_length: Ints


@array_jit
def _setup(flow, k, before, job):
    if flow.setup.shape[0] == 0:
        return np.int64(0)
    return flow.setup[k, before, job]


@array_jit
def _fronts(flow, jobs, n, end, low):
    """Work out when the jobs of an order are done at each station, from a place on."""
    m = flow.time.shape[1]
    none = flow.time.shape[0]
    for i in range(low, n):
        job = jobs[i]
        before = jobs[i - 1] if i else none
        at = flow.release[job]
        for k in range(m):
            free = (end[i - 1, k] if i else 0) + _setup(flow, k, before, job)
            at = max(at, free) + flow.time[job, k]
            end[i, k] = at
    return end[n - 1, m - 1] if n else np.int64(0)


@array_jit
def _behinds(flow, jobs, n, left):
    """Work out how long it takes at least from the begin of each job to the end."""
    m = flow.time.shape[1]
    for i in range(n - 1, -1, -1):
        job = jobs[i]
        rest = np.int64(0)
        for k in range(m - 1, -1, -1):
            if i + 1 < n:
                then = left[i + 1, k] + _setup(flow, k, job, jobs[i + 1])
                rest = max(rest, then)
            rest += flow.time[job, k]
            left[i, k] = rest


@array_jit
def _best_place(flow, jobs, n, job, end, left, chance):
    """Return where a job put in makes a line done first, then and without it when.

    Equal places are chosen from at random. Ends and times behind are worked out anew.
    """
    m = flow.time.shape[1]
    none = flow.time.shape[0]
    without = _fronts(flow, jobs, n, end, 0)
    _behinds(flow, jobs, n, left)
    best, place, n_best = _FAR, np.int64(0), 0
    for i in range(n + 1):
        before = jobs[i - 1] if i else none
        at = flow.release[job]
        worst = np.int64(0)
        for k in range(m):
            free = (end[i - 1, k] if i else 0) + _setup(flow, k, before, job)
            at = max(at, free) + flow.time[job, k]
            if i < n:
                then = at + _setup(flow, k, job, jobs[i]) + left[i, k]
                worst = max(worst, then)
                if worst > best:
                    break
        worst = max(worst, at)
        if worst < best:
            best, place, n_best = worst, np.int64(i), 1
        elif worst == best:
            n_best += 1
            if below(chance, n_best) == 0:
                place = np.int64(i)
    return place, best, without


@array_jit
def _delay(flow, job, end):
    late = max(end - flow.due[job], np.int64(0))
    return late * flow.weight[job]


@array_jit
def _best_place_for_delays(flow, jobs, n, job, end, row, chance):
    """Return where a job put in costs least of the weighted delays, and their sum."""
    m = flow.time.shape[1]
    none = flow.time.shape[0]
    _fronts(flow, jobs, n, end, 0)
    best, place, n_best = _FAR, np.int64(0), 0
    front = np.int64(0)
    for i in range(n + 1):
        total = front
        for k in range(m):
            row[k] = end[i - 1, k] if i else 0
        before = jobs[i - 1] if i else none
        for j in range(i, n + 1):
            one = job if j == i else jobs[j - 1]
            at = flow.release[one]
            for k in range(m):
                at = max(at, row[k] + _setup(flow, k, before, one)) + flow.time[one, k]
                row[k] = at
            total += _delay(flow, one, at)
            before = one
            if total > best:
                break
        if total < best:
            best, place, n_best = total, np.int64(i), 1
        elif total == best:
            n_best += 1
            if below(chance, n_best) == 0:
                place = np.int64(i)
        if i < n:
            front += _delay(flow, jobs[i], end[i, m - 1])
            if front > best:
                break
    return place, best


@array_jit
def _insert(jobs, n, place, job):
    for i in range(n, place, -1):
        jobs[i] = jobs[i - 1]
    jobs[place] = job


@array_jit
def _remove(jobs, n, place):
    job = jobs[place]
    for i in range(place, n - 1):
        jobs[i] = jobs[i + 1]
    return job


@array_jit
def _place_of(flow, orders, line, job, chance):
    """Return the best place of a job on a line, and the line's value with it."""
    n = orders.length[line]
    if flow.weight.any():
        return _best_place_for_delays(
            flow, orders.jobs[line], n, job, orders.end, orders.left[0], chance
        )
    place, best, without = _best_place(
        flow, orders.jobs[line], n, job, orders.end, orders.left, chance
    )
    orders.ends[line] = without
    return place, best


@array_jit
def _value_of(flow, orders, line):
    """Return when a line is done, or its weighted delays."""
    n = orders.length[line]
    jobs = orders.jobs[line]
    done = _fronts(flow, jobs, n, orders.end, 0)
    if not flow.weight.any():
        return done
    total = np.int64(0)
    for i in range(n):
        total += _delay(flow, jobs[i], orders.end[i, flow.time.shape[1] - 1])
    return total


@array_jit
def _value(orders, is_sum):
    """Return the value of all lines: the last end, or the sum of the delays."""
    return orders.ends.sum() if is_sum else orders.ends.max()


@array_jit
def _put_in(flow, orders, job, chance):
    """Put a job into its best place on the line where it costs least."""
    is_sum = flow.weight.any()
    best, best_line, best_place = _FAR, 0, np.int64(0)
    for line in range(orders.length.shape[0]):
        place, value = _place_of(flow, orders, line, job, chance)
        more = value - orders.ends[line] if is_sum else value
        if more < best:
            best, best_line, best_place = more, line, place
    _insert(orders.jobs[best_line], orders.length[best_line], best_place, job)
    orders.length[best_line] += 1
    if is_sum:
        best += orders.ends[best_line]
    orders.ends[best_line] = best


@array_jit
def _where(orders, job):
    for line in range(orders.length.shape[0]):
        for i in range(orders.length[line]):
            if orders.jobs[line, i] == job:
                return line, i
    return -1, -1


@array_jit
def _take_out(flow, orders, line, place):
    """Take a job out; for the makespan the line's end is found when one is put in."""
    job = _remove(orders.jobs[line], orders.length[line], place)
    orders.length[line] -= 1
    if orders.length.shape[0] > 1 and flow.weight.any():
        orders.ends[line] = _value_of(flow, orders, line)
    return job


@array_jit
def _settle(flow, orders, n_jobs, chance):
    """Put every job anew into its best place, until none gains.

    With several lines a gain is an earlier last end, or as early a one and an earlier
    end of the two lines that a job went between.
    """
    is_sum = flow.weight.any()
    turns = orders.scratch[:n_jobs]
    before_ends = orders.scratch[orders.scratch.shape[0] - orders.ends.shape[0] :]
    n = 0
    for line in range(orders.length.shape[0]):
        for i in range(orders.length[line]):
            turns[n] = orders.jobs[line, i]
            n += 1
    n_idle = 0
    at = n
    while n_idle < n:
        if at == n:
            at = 0
            for i in range(n - 1, 0, -1):
                j = below(chance, i + 1)
                turns[i], turns[j] = turns[j], turns[i]
        job = turns[at]
        at += 1
        line, place = _where(orders, job)
        before = _value(orders, is_sum)
        before_all = orders.ends.sum()
        before_ends[:] = orders.ends
        _take_out(flow, orders, line, place)
        _put_in(flow, orders, job, chance)
        after = _value(orders, is_sum)
        after_all = orders.ends.sum()
        if after < before or (after == before and after_all < before_all):
            n_idle = 0
            continue
        n_idle += 1
        if after > before or after_all > before_all:
            new_line, new_place = _where(orders, job)
            _take_out(flow, orders, new_line, new_place)
            _insert(orders.jobs[line], orders.length[line], place, job)
            orders.length[line] += 1
            orders.ends[:] = before_ends


@array_jit
def _shake(flow, orders, n_jobs, n_out, chance):
    """Take some jobs out, make the rest better, and put them back in turn."""
    out = orders.scratch[n_jobs : n_jobs + n_out]
    n_lines = orders.length.shape[0]
    for i in range(n_out):
        line = np.int64(0)
        if n_lines > 1 and i % 2 == 0 and not flow.weight.any():
            line = orders.ends.argmax()  # the line that counts
            place = below(chance, orders.length[line])
        else:
            place = below(chance, orders.length.sum())
            while place >= orders.length[line]:
                place -= orders.length[line]
                line += 1
        out[i] = _take_out(flow, orders, line, place)
        orders.ends[line] = _value_of(flow, orders, line)
    _settle(flow, orders, n_jobs - n_out, chance)
    for i in range(n_out):
        _put_in(flow, orders, out[i], chance)


@array_jit
def _keep(jobs, length, orders):
    orders.kept_jobs[:] = jobs
    orders.kept_length[:] = length


@array_entry
def search(flow, orders, chance, heat, n_out, bound, n_steps):
    """Search on for some steps, or until the value is as low as a bound.

    Args:
        flow: What does not change.
        orders: The orders; at the first step (counts of zero) all lines are empty, and
            row 0 of `best_jobs` has the jobs as they are put in, or, with lengths in
            `length`, they are there already.
        chance: A stream of random numbers.
        heat: How much worse an order may be that is kept by chance.
        n_out: How many jobs a step takes out.
        bound: No order is better.
        n_steps: How many steps.
    """
    counts = orders.counts
    n_jobs = flow.time.shape[0]
    is_sum = flow.weight.any()
    for line in range(orders.length.shape[0]):
        orders.ends[line] = _value_of(flow, orders, line)
    if counts[STEP] == 0:
        if orders.length.sum() == 0:
            for i in range(n_jobs):
                _put_in(flow, orders, orders.best_jobs[0, i], chance)
        counts[BEST] = counts[NOW] = _value(orders, is_sum)
        orders.best_jobs[:] = orders.jobs
        orders.best_length[:] = orders.length
        counts[STEP] = 1
    for _ in range(n_steps):
        if counts[BEST] <= bound:
            break
        counts[STEP] += 1
        _keep(orders.jobs, orders.length, orders)
        _shake(flow, orders, n_jobs, min(n_out, n_jobs), chance)
        _settle(flow, orders, n_jobs, chance)
        value = _value(orders, is_sum)
        if value < counts[BEST]:
            counts[BEST] = value
            orders.best_jobs[:] = orders.jobs
            orders.best_length[:] = orders.length
        worse = np.float64(value - counts[NOW])
        if worse <= 0 or share(chance) < np.exp(-worse / heat):
            counts[NOW] = value
            continue
        orders.jobs[:] = orders.kept_jobs
        orders.length[:] = orders.kept_length
        for line in range(orders.length.shape[0]):
            orders.ends[line] = _value_of(flow, orders, line)
