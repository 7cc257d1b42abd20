"""Bounds of line balancing: how few stations, how short a cycle, which task where.

A weighting gives every task a whole number so that whatever fits on one station weighs
no more than `full`. The times themselves are one. The others are dual feasible
functions of them, known from bin packing: with ``k = 1`` and ``k = 2`` they count the
tasks above a half and a third of the cycle, which are the bounds LM2 and LM3 of the
literature, and LM1 is that of the times themselves. Every weighting bounds the number
of stations for any set of tasks, therefore also the first station that a task can
stand on (with all that comes before it) and the last.

Sources: Johnson (1988) Management Science 34(2), 240-253 (LM1 to LM3); Fekete and
Schepers (2001) Mathematical Programming 91, 11-31 (dual feasible functions); Scholl and
Becker (2006) European Journal of Operational Research 168(3), 666-693 (heads, tails,
windows).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from linewright.improve._work import Ints, Work

MAX_ROUNDINGS = 24
MAX_WEIGHTINGS = 12


class Weightings(NamedTuple):
    """Weights of every task, a row for each weighting, and what a station can take."""

    weights: Ints
    full: Ints


class Windows(NamedTuple):
    """First and last station, from 1, on which each task can stand."""

    earliest: Ints
    latest: Ints


def weightings(work: Work, cycle: int) -> Weightings:
    """Return the times and the sharpest other weightings for a cycle time."""
    rows: list[tuple[float, Ints, int]] = []
    for time in work.times:
        rows += [(float("inf"), time, cycle)]
        found = [*_roundings(time, cycle), *_thresholds(time, cycle)]
        least = int(time.sum()) / cycle
        for weight, full in found:
            bound = int(weight.sum()) / full
            if bound > least - 1:
                rows.append((bound, weight, full))
    rows.sort(key=lambda row: -row[0])
    kept = rows[: MAX_WEIGHTINGS + len(work.times)]
    return Weightings(
        np.array([w for _, w, _ in kept]), np.array([full for _, _, full in kept])
    )


def _roundings(time: Ints, cycle: int) -> list[tuple[Ints, int]]:
    """Return the functions that round a time down to k-ths of the cycle."""
    found = []
    for k in range(1, MAX_ROUNDINGS + 1):
        whole = (k + 1) * time % cycle == 0
        weight = np.where(whole, k * time, (k + 1) * time // cycle * cycle)
        found.append((weight, k * cycle))
    return found


def _thresholds(time: Ints, cycle: int) -> list[tuple[Ints, int]]:
    """Return the functions that drop short tasks and let long ones fill a cycle."""
    found = []
    for least in np.unique(time[(time > 0) & (2 * time <= cycle)]):
        weight = np.where(time > cycle - least, cycle, np.where(time < least, 0, time))
        found.append((weight, cycle))
    return found


def _stations(weight: Ints, full: Ints) -> int:
    """Return how many stations weights (weighting, task) need at least."""
    return int((-(-weight.sum(axis=1) // full)).max(initial=0))


def earliest(work: Work, rows: Weightings) -> Ints:
    """Return the first station of each task.

    Of the tasks before task j those whose own first station is s or later, and j, need
    stations from s on; the most of that over all s.
    """
    first = np.ones(work.n, dtype=np.int64)
    for j in range(work.n):
        befores = np.flatnonzero(work.follows[:, j])
        befores = befores[np.argsort(-first[befores], kind="stable")]
        heaps = np.cumsum(rows.weights[:, befores], axis=1)
        own = rows.weights[:, [j]]
        needs = -(-(heaps + own) // rows.full[:, None])
        starts = first[befores]
        found = (starts - 1 + needs.max(axis=0)).max(initial=1)
        # j can stand beside the last before it only where it still fits
        alone = int((-(-own[:, 0] // rows.full)).max())
        first[j] = max(int(found), alone, int(starts.max(initial=1)))
    return first


def windows(work: Work, rows: Weightings, stations: int) -> Windows:
    """Return the first and the last station of each task for a number of stations."""
    backwards = earliest(work.turned, rows._replace(weights=rows.weights[:, ::-1]))
    return Windows(earliest(work, rows), stations + 1 - backwards[::-1])


def overfull(rows: Weightings, at: Windows, stations: int) -> bool:
    """Say whether tasks have no window, or too many tasks the same few stations."""
    if (at.earliest > at.latest).any():
        return True
    for weight, full in zip(rows.weights, rows.full, strict=True):
        heap = np.zeros((stations + 2, stations + 2), dtype=np.int64)
        np.add.at(heap, (at.earliest, at.latest), weight)
        # [a, b]: weight of tasks whose window lies within stations a to b
        inside = np.cumsum(np.cumsum(heap[::-1], axis=0)[::-1], axis=1)
        a, b = np.ogrid[: stations + 2, : stations + 2]
        room = np.maximum(b - a + 1, 0) * full
        if (inside > room)[1:-1, 1:-1].any():
            return True
    return False


def station_bound(work: Work, cycle: int, most: int | None = None) -> int:
    """Return how many stations are needed at least; more than `most` is `most` + 1."""
    rows = weightings(work, cycle)
    least = max(1, _stations(rows.weights, rows.full))
    limit = work.n if most is None else most
    if least > limit:
        return least
    at = windows(work, rows, least)
    while least <= limit and overfull(rows, at, least):
        least += 1
        at = Windows(at.earliest, at.latest + 1)
    return least


def cycle_bound(work: Work, stations: int, low: int, high: int) -> int:
    """Return the least cycle time not refuted for a number of stations.

    Args:
        work: The tasks.
        stations: Number of stations, one or more.
        low: A bound that is known, at least the longest task.
        high: A cycle time that is known to do.
    """
    low = max(low, *(-(-int(time.sum()) // stations) for time in work.times))
    while low < high:  # `low` is not refuted below itself, `high` is known to do
        middle = (low + high) // 2
        if station_bound(work, middle, stations) > stations:
            low = middle + 1
        else:
            high = middle
    return low
