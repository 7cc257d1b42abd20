"""Genetic search on the order of activities that share resources, compiled.

A list of activities is a schedule: each in turn is begun as early as those it comes
after and the resources allow. A schedule is pushed to the right and to the left again,
by which it gets no longer and often shorter. Lists are bred: the first part of one, the
next part in the order of another, the rest of the first; now and then neighbours
change places. When nothing is gained for long, all but the best are made anew, by
chance, those first that have to begin first.

Activities are numbered so that each stands behind those that it comes after. Everything
compiled of this search is in this file (see `kernel._jit`).

Sources: Hartmann (1998) Naval Research Logistics 45(7), 733-750 (lists bred); Valls,
Ballestin and Quintanilla (2005) EJOR 165(2), 375-386 (to the right and to the left).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.kernel._jit import array_entry, array_jit
from linewright.schedule._chance import below, share

__all__ = ["BEST", "N_LISTS", "Lists", "Project", "search"]

Ints = NDArray[np.int64]

STEP, SINCE, BEST = range(3)
"""Rows of `Lists.counts`: steps done, steps since the last gain, the best makespan."""

N_LISTS = 60
_PATIENCE = 6_000
_CHANGES = 0.03


class Project(NamedTuple):
    """What does not change; times are in ticks.

    Attributes:
        time: Of each activity.
        need: What each takes of each resource while it lasts.
        capacity: How much there is of each.
        before_at: Where the row of each begins in `before`.
        before: What each comes after.
        after_at: Where the row of each begins in `after`.
        after: What comes after each.
        tail: Least time from the begin of each to the end of all.
    """

    time: Ints
    need: Ints
    capacity: Ints
    before_at: Ints
    before: Ints
    after_at: Ints
    after: Ints
    tail: Ints


class Lists(NamedTuple):
    """The lists, their makespans, the best schedule, and scratch."""

    lists: Ints
    value: Ints
    best_begin: Ints
    counts: Ints
    child: Ints
    begin: Ints
    keys: Ints
    waits: Ints
    used: Ints


@array_jit
def _put_in_turn(project, turns, befores_at, befores, begin, used):
    """Begin activities as early as they fit, in turn; return when all are done."""
    n_resources = project.capacity.shape[0]
    used[:] = 0
    last = np.int64(0)
    for i in range(turns.shape[0]):
        o = turns[i]
        at = np.int64(0)
        for e in range(befores_at[o], befores_at[o + 1]):
            b = befores[e]
            at = max(at, begin[b] + project.time[b])
        time = project.time[o]
        # from the end back: the last instant without room says where to go on
        t = at + time - 1
        while t >= at:
            fits = True
            for r in range(n_resources):
                if used[t, r] + project.need[o, r] > project.capacity[r]:
                    fits = False
                    break
            if fits:
                t -= 1
            else:
                at = t + 1
                t = at + time - 1
        begin[o] = at
        for t in range(at, at + time):
            for r in range(n_resources):
                used[t, r] += project.need[o, r]
        last = max(last, at + time)
    return last


@array_jit
def _schedule(project, lists, turns):
    """Make a schedule of a list, push it right and left; leave it and return its end.

    The list becomes the order of the begins.
    """
    n = turns.shape[0]
    begin, keys = lists.begin, lists.keys
    last = _put_in_turn(
        project, turns, project.before_at, project.before, begin, lists.used
    )
    while True:
        for o in range(n):
            keys[o] = (last - begin[o] - project.time[o]) * n + (n - 1 - o)
        turns[:] = np.argsort(keys)
        turned = _put_in_turn(
            project, turns, project.after_at, project.after, begin, lists.used
        )
        for o in range(n):
            keys[o] = (turned - begin[o] - project.time[o]) * n + o
        turns[:] = np.argsort(keys)
        again = _put_in_turn(
            project, turns, project.before_at, project.before, begin, lists.used
        )
        for o in range(n):
            keys[o] = begin[o] * n + o
        turns[:] = np.argsort(keys)
        if again >= last:
            return again
        last = again


@array_jit
def _fresh(project, lists, turns, chance):
    """Make a list by chance: of a few that could be next, what has most behind it."""
    n = turns.shape[0]
    ready = lists.keys
    n_ready = 0
    for o in range(n):
        lists.waits[o] = project.before_at[o + 1] - project.before_at[o]
        if lists.waits[o] == 0:
            ready[n_ready] = o
            n_ready += 1
    for i in range(n):
        best = below(chance, n_ready)
        for _ in range(2):
            other = below(chance, n_ready)
            if project.tail[ready[other]] > project.tail[ready[best]]:
                best = other
        o = ready[best]
        n_ready -= 1
        ready[best] = ready[n_ready]
        turns[i] = o
        for e in range(project.after_at[o], project.after_at[o + 1]):
            after = project.after[e]
            lists.waits[after] -= 1
            if lists.waits[after] == 0:
                ready[n_ready] = after
                n_ready += 1


@array_jit
def _bred(lists, one, two, child, chance):
    """Make a list of two: the ends of one, and between them the order of the other."""
    n = child.shape[0]
    first = below(chance, n)
    last = first + 1 + below(chance, n - first)
    taken = lists.waits
    taken[:] = 0
    for i in range(first):
        child[i] = lists.lists[one, i]
        taken[child[i]] = 1
    at = first
    for i in range(n):
        if at == last:
            break
        o = lists.lists[two, i]
        if not taken[o]:
            child[at] = o
            taken[o] = 1
            at += 1
    for i in range(n):
        o = lists.lists[one, i]
        if not taken[o]:
            child[at] = o
            taken[o] = 1
            at += 1


@array_jit
def _change(project, child, chance):
    """Let neighbours change places now and then, where neither waits for the other."""
    for i in range(child.shape[0] - 1):
        if share(chance) >= _CHANGES:
            continue
        one, two = child[i], child[i + 1]
        is_free = True
        for e in range(project.after_at[one], project.after_at[one + 1]):
            if project.after[e] == two:
                is_free = False
        if is_free:
            child[i], child[i + 1] = two, one


@array_jit
def _chosen(lists, chance, good):
    """Return the better or the worse one of a few lists."""
    best = below(chance, N_LISTS)
    for _ in range(2):
        other = below(chance, N_LISTS)
        if (lists.value[other] < lists.value[best]) == good:
            best = other
    return best


@array_jit
def _keep(lists, value):
    lists.counts[SINCE] += 1
    if value < lists.counts[BEST]:
        lists.counts[BEST] = value
        lists.counts[SINCE] = 0
        lists.best_begin[:] = lists.begin


@array_entry
def search(project, lists, chance, bound, n_steps):
    """Breed on for some steps, or until the makespan is as low as a bound.

    Args:
        project: What does not change.
        lists: What is bred; its counts are zero at the first step.
        chance: A stream of random numbers.
        bound: No schedule is shorter.
        n_steps: How many steps: a new list each.
    """
    counts = lists.counts
    if counts[STEP] == 0:
        counts[BEST] = np.int64(2) ** 62
    for _ in range(n_steps):
        if counts[BEST] <= bound:
            break
        step = counts[STEP]
        counts[STEP] += 1
        if counts[SINCE] >= _PATIENCE:
            counts[SINCE] = 0
            step = np.int64(1)  # list 0 stays, the others are made anew
            counts[STEP] = 2
            lists.lists[0] = lists.lists[lists.value.argmin()]
            lists.value[0] = lists.value.min()
        if step < N_LISTS:
            _fresh(project, lists, lists.child, chance)
            to = step
        else:
            one, two = _chosen(lists, chance, True), below(chance, N_LISTS)
            _bred(lists, one, two, lists.child, chance)
            _change(project, lists.child, chance)
            to = np.int64(-1)
        value = _schedule(project, lists, lists.child)
        if to < 0:
            to = _chosen(lists, chance, False)
            if lists.value[to] < value:
                to = np.int64(-1)
        if to >= 0:
            lists.lists[to] = lists.child
            lists.value[to] = value
        _keep(lists, value)
