"""Repairs and setups that lie inside of a piece of work are not work.

Plants write down when a job began and ended, and beside it that the machine was down in
between. The repair is then taken off the job, or it would be in the model twice: as a
failure, and in the time of the work.
"""

from __future__ import annotations

import numpy as np

from linewright.fit.log import FAILURE, SETUP, WORK, EventLog, Ints

__all__ = ["take_off_stops"]

_LOOKED_AT = 12  # pieces of work that began before a stop, per stop


def take_off_stops(log: EventLog, rows: Ints, work_us: Ints) -> int:
    """Take stops off the work around them, in place; return how many there were.

    Of several pieces of work around a repair the longest is taken, since it is the
    likeliest to have been held up; a setup belongs to its own case.

    Args:
        log: The log.
        rows: Its rows at one station.
        work_us: Time of work of every row of the log, changed here.
    """
    kind = log.kind[rows]
    work = rows[kind == WORK]
    work = work[np.argsort(log.start_us[work], kind="stable")]
    n_taken = 0
    for which in (FAILURE, SETUP):
        stops = rows[kind == which]
        if not len(stops) or not len(work):
            continue
        host = _hosts(log, work, stops, same_case=which == SETUP)
        inside = host >= 0
        lost = np.zeros(len(work), np.int64)
        np.add.at(lost, host[inside], work_us[stops[inside]])
        work_us[work] = np.maximum(work_us[work] - lost, 0)
        n_taken += int(inside.sum())
    return n_taken


def _hosts(log: EventLog, work: Ints, stops: Ints, *, same_case: bool) -> Ints:
    """Return for each stop the piece of work around it, -1 for none."""
    start, end = log.start_us[work], log.end_us[work]
    last = np.searchsorted(start, log.start_us[stops], "right") - 1
    best, longest = np.full(len(stops), -1), np.zeros(len(stops), np.int64)
    for lag in range(_LOOKED_AT):
        at = np.maximum(last - lag, 0)
        around = (last - lag >= 0) & (end[at] >= log.end_us[stops])
        if same_case:
            around &= log.case[work[at]] == log.case[stops]
        elif (log.server[stops] >= 0).any():
            around &= log.server[work[at]] == log.server[stops]
        longer = around & (end[at] - start[at] > longest)
        best[longer], longest[longer] = at[longer], (end[at] - start[at])[longer]
    return best
