"""A first answer of line balancing in milliseconds: priority rules, both directions.

Each station takes the task of the highest priority that can be done and still fits,
until none does. Rules: the longest task, the most work from a task on (ranked
positional weight, Helgeson and Birnie 1961), the most tasks after it, and the most
tasks directly after it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from linewright.improve._work import Floats, Ints, Work


def by_rules(work: Work, cycle: int) -> Ints:
    """Return the station of each task from 0, of the rule that needs fewest stations.

    Args:
        work: The tasks.
        cycle: Most that a station can take, no task is longer.
    """
    found = [_filled(work, cycle, rule) for rule in _priorities(work)]
    for rule in _priorities(work.turned):
        backwards = _filled(work.turned, cycle, rule)
        found.append(backwards.max() - backwards[::-1])
    return min(found, key=lambda station: int(station.max()))


def _priorities(work: Work) -> Iterator[Floats]:
    time = work.times.mean(axis=0)
    yield time
    yield time + work.follows @ time
    yield work.follows.sum(axis=1) + time / (time.max() + 1)
    yield np.array([len(after) for after in work.after]) + time / (time.max() + 1)


def _filled(work: Work, cycle: int, priority: Floats) -> Ints:
    station = np.full(work.n, -1, dtype=np.int64)
    missing = np.array([len(first) for first in work.first])
    k, room = 0, np.full(len(work.times), cycle)
    free = sorted(np.flatnonzero(missing == 0), key=lambda j: -priority[j])
    while free:
        j = next((j for j in free if (work.times[:, j] <= room).all()), None)
        if j is None:
            k, room = k + 1, np.full(len(work.times), cycle)
            continue
        station[j] = k
        room = room - work.times[:, j]
        free.remove(j)
        for follower in work.after[j]:
            missing[follower] -= 1
            if not missing[follower]:
                free.append(np.int64(follower))
        free.sort(key=lambda j: -priority[j])
    return station
