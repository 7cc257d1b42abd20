"""Waiting that no station explains: time on the way, papers, batches, priorities.

A case waits for a station as long as its servers are all at work; that the simulation
makes by itself. What it waits beyond, with a server free, the model would not have. So
it is measured, and stands in the model as the time that a part takes to the next
operation. The same is done with the pauses inside of a visit that was made in several
pieces.

Source: Chapela-Campa and Dumas (2024), Enhancing business process simulation models
with extraneous activity delays, Information Systems 122, 102346 (the idea).
"""

from __future__ import annotations

import numpy as np

from linewright.fit.log import FAILURE, EventLog, Floats, Ints
from linewright.fit.visits import Visits

__all__ = ["delays_of"]


def delays_of(
    log: EventLog, v: Visits, rows_at: list[Ints], servers: dict[int, int]
) -> tuple[Floats, Ints]:
    """Return unexplained waiting before and in each visit that follows another.

    Args:
        log: The log.
        v: Its visits, in the order of cases and of time.
        rows_at: Positions of the rows at each station.
        servers: Servers of each station.

    Returns:
        Seconds, by the clock, and the positions of the visits that they are of.
    """
    if not len(v):
        return np.zeros(0), np.zeros(0, np.int64)
    # the latest end so far in each case; cases are put so far apart that none mix
    span = int(v.end_us.max() - v.start_us.min()) + 1
    shifted = v.end_us - v.start_us.min() + v.case * span
    reached = np.maximum.accumulate(shifted) - v.case * span + v.start_us.min()
    follows = np.append(False, v.case[1:] == v.case[:-1])
    before = np.append(0, reached[:-1])
    ready = np.where(follows, np.maximum(before, 0), v.start_us)
    full_until = np.full(len(v), np.iinfo(np.int64).min)
    for k, rows in enumerate(rows_at):
        own = np.flatnonzero(v.station == k)
        if len(own):
            work = rows[log.kind[rows] != FAILURE]
            times, ends = _last_full(
                log.start_us[work], log.end_us[work], servers.get(k, 1)
            )
            at = np.searchsorted(times, v.start_us[own], "left") - 1
            full_until[own] = np.where(
                at >= 0, ends[np.maximum(at, 0)], full_until[own]
            )
    gap = np.maximum(
        v.start_us - np.maximum(ready, np.minimum(full_until, v.start_us)), 0
    )
    beyond = np.maximum(v.end_us - np.maximum(ready, v.start_us), 0)
    pauses = np.maximum(beyond / 1e6 - v.work_s, 0)
    pauses[v.n_rows < 2] = 0.0
    at = np.flatnonzero(follows)
    return (gap / 1e6 + pauses)[at], at


def _last_full(start_us: Ints, end_us: Ints, servers: int) -> tuple[Ints, Ints]:
    """Return, from each change on, until when all servers were last at work.

    While they all are, that is for ever.
    """
    at = np.concatenate([end_us, start_us])
    step = np.repeat([-1, 1], len(start_us))
    order = np.argsort(at, kind="stable")
    times, level = at[order], np.cumsum(step[order])
    full = level >= servers
    never = np.iinfo(np.int64).min
    # where it stops being full, that instant; it holds until the next time it is full
    stopped = np.append(False, ~full[1:] & full[:-1])
    latest = np.maximum.accumulate(np.where(stopped, times, never))
    return times, np.where(full, np.iinfo(np.int64).max, latest)
