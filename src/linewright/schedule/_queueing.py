"""Annealing on the order in which jobs come to a line of stages, compiled.

An order of the jobs is a schedule: at the first stage they are begun in this order,
each at the server that is free first; at every later stage in the order in which they
get there. A step puts one job into another place and keeps the order if it is not much
worse. A schedule is given up halfway as soon as what is left of some job alone makes it
too long.

Everything compiled of this search is in this file (see `kernel._jit`).

Sources: Ruiz and Vazquez-Rodriguez (2010) EJOR 205(1), 1-18 (orders of jobs as
schedules of hybrid flow shops); Osman and Potts (1989) Omega 17(6), 551-557 (jobs put
into other places, by annealing).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.kernel._jit import array_entry, array_jit
from linewright.schedule._chance import below, share

__all__ = ["BEST", "Queue", "Stages", "begins", "search"]

Ints = NDArray[np.int64]

STEP, BEST, NOW = range(3)
"""Rows of `Queue.counts`: steps done, the best and the present value."""

_FAR = np.int64(2) ** 62


class Stages(NamedTuple):
    """What does not change.

    Attributes:
        time: Of each job at each stage; -1: it does not go there.
        lag: From the end there until it can go on.
        tail: Least time from its end at each stage to its own end.
        servers: How many there are at each stage.
        release: When each job may begin.
        demand: What each job is made for.
        due: When each demand is due.
        weight: How much a delay of it counts; all zero: the makespan counts.
    """

    time: Ints
    lag: Ints
    tail: Ints
    servers: Ints
    release: Ints
    demand: Ints
    due: Ints
    weight: Ints


class Queue(NamedTuple):
    """The present order and the best, and scratch."""

    jobs: Ints
    best_jobs: Ints
    counts: Ints
    turns: Ints
    ready: Ints
    free: Ints
    done: Ints


@array_jit
def _sort(turns, ready):
    """Put jobs in the order in which they are ready; those alike stay as they are."""
    for i in range(1, turns.shape[0]):
        job = turns[i]
        at = ready[job]
        j = i - 1
        while j >= 0 and ready[turns[j]] > at:
            turns[j + 1] = turns[j]
            j -= 1
        turns[j + 1] = job


@array_jit
def _stage(stages, queue, k, limit, begin):
    """Do one stage; return whether the whole can still end by a limit."""
    turns, ready, free = queue.turns, queue.ready, queue.free
    n_servers = stages.servers[k]
    free[:n_servers] = 0
    keeps = begin.shape[0] > 0
    for i in range(turns.shape[0]):
        job = turns[i]
        time = stages.time[job, k]
        if time < 0:
            continue
        s = 0
        for other in range(1, n_servers):
            if free[other] < free[s]:
                s = other
        at = max(ready[job], free[s])
        if keeps:
            begin[job, k] = at
        free[s] = at + time
        ready[job] = at + time + stages.lag[job, k]
        if at + time + stages.tail[job, k] > limit:
            return False
    return True


@array_jit
def _value(stages, queue, jobs, limit, begin):
    """Return the value of an order, or a very large one if it is above a limit."""
    queue.turns[:] = jobs
    queue.ready[:] = stages.release
    is_sum = stages.weight.any()
    most = _FAR if is_sum else limit
    for k in range(stages.servers.shape[0]):
        if k:
            _sort(queue.turns, queue.ready)
        if not _stage(stages, queue, k, most, begin):
            return _FAR
    if not is_sum:
        return queue.ready.max()
    queue.done[:] = 0
    for job in range(jobs.shape[0]):
        d = stages.demand[job]
        queue.done[d] = max(queue.done[d], queue.ready[job])
    total = np.int64(0)
    for d in range(queue.done.shape[0]):
        total += stages.weight[d] * max(queue.done[d] - stages.due[d], 0)
    return total


@array_jit
def _move(jobs, source, target):
    """Take a job from one place to another."""
    job = jobs[source]
    step = 1 if target > source else -1
    for i in range(source, target, step):
        jobs[i] = jobs[i + step]
    jobs[target] = job


@array_entry
def begins(stages, queue, begin):
    """Write when the jobs of the best order begin at each stage."""
    _value(stages, queue, queue.best_jobs, _FAR, begin)


@array_entry
def search(stages, queue, chance, heat, bound, n_steps):
    """Search on for some steps, or until the value is as low as a bound.

    Args:
        stages: What does not change.
        queue: The orders; at the first step (counts of zero) `jobs` is where it begins.
        chance: A stream of random numbers.
        heat: How much worse an order may be that is kept by chance.
        bound: No order is better.
        n_steps: How many steps.
    """
    counts = queue.counts
    n = queue.jobs.shape[0]
    none = np.zeros((0, 0), np.int64)
    if counts[STEP] == 0:
        counts[NOW] = counts[BEST] = _value(stages, queue, queue.jobs, _FAR, none)
        queue.best_jobs[:] = queue.jobs
    for _ in range(n_steps):
        counts[STEP] += 1
        if counts[BEST] <= bound or n < 2:
            break
        source = below(chance, n)
        target = below(chance, n - 1)
        target += target >= source
        limit = counts[NOW] + np.int64(-heat * np.log(1.0 - share(chance)))
        _move(queue.jobs, source, target)
        value = _value(stages, queue, queue.jobs, limit, none)
        if value > limit:
            _move(queue.jobs, target, source)
            continue
        counts[NOW] = value
        if value < counts[BEST]:
            counts[BEST] = value
            queue.best_jobs[:] = queue.jobs
