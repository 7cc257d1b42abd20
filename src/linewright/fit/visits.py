"""Visits: each time that a case came to a station for an operation, and left it worked.

Rows of a log are pieces of work. A plant that writes down sessions (a shift ends, a
worker goes home) has several for one visit; they are put together, and their work is
added up. What a trace of Linewright says are visits already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from linewright.fit.log import UNKNOWN, WORK, EventLog, Floats, Ints, Mask

__all__ = ["Visits", "visits_of"]

_SPLIT = 0.05  # share of rows that overlap beyond which cases are worked on in parts


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits in the order of cases and of time.

    Attributes:
        case: Case of each visit.
        activity: Operation.
        station: Station.
        server: Server, or -1.
        queued_us: When it came, or `UNKNOWN`.
        start_us: When its first piece of work began.
        end_us: When its last one ended.
        work_s: Work in seconds, all pieces together.
        n_rows: Pieces of work.
        note: How rows were put together, or empty.
    """

    case: Ints
    activity: Ints
    station: Ints
    server: Ints
    queued_us: Ints
    start_us: Ints
    end_us: Ints
    work_s: Floats
    n_rows: Ints
    note: str = ""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.case)


def visits_of(log: EventLog, work_us: Ints) -> Visits:
    """Return the visits of a log.

    Args:
        log: The log.
        work_us: Time of work in each of its rows.
    """
    rows = np.flatnonzero(log.kind == WORK)
    if "work" in log.said:
        return _visits(log, work_us, rows, np.arange(len(rows)), "")
    case, same_place = log.case[rows], log.activity[rows]
    same_place = same_place * (len(log.stations) + 1) + log.station[rows]
    follows = np.append(False, case[1:] == case[:-1])
    overlaps = follows & np.append(
        False, log.start_us[rows][1:] < log.end_us[rows][:-1]
    )
    if overlaps.mean() > _SPLIT and "queued" not in log.said:
        key = case * (int(same_place.max(initial=0)) + 1) + same_place
        _, group = np.unique(key, return_inverse=True)
        note = (
            f"{overlaps.mean():.0%} of the rows start while the case is worked on "
            "elsewhere, so cases move in parts; all rows of a case at one operation "
            "and station are taken as one visit, and rework cannot be seen"
        )
        return _in_order(_visits(log, work_us, rows, group, note))
    again = follows & np.append(False, same_place[1:] == same_place[:-1])
    if "queued" in log.said:  # each came to its station by itself
        again[:] = False
    group = np.cumsum(~again) - 1
    note = ""
    if again.any():
        note = (
            f"{int(again.sum()):,} rows go on with the operation of the row before; "
            "they are taken as one visit, in several pieces"
        )
    return _visits(log, work_us, rows, group, note)


def _visits(log: EventLog, work_us: Ints, rows: Ints, group: Ints, note: str) -> Visits:
    order = np.argsort(group, kind="stable")
    rows, group = rows[order], group[order]
    first = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    if not len(rows):
        first = np.zeros(0, np.int64)
    begin = rows[first]

    def total(values: Any, how: np.ufunc) -> Any:
        return how.reduceat(values, first) if len(first) else values[:0]

    return Visits(
        case=log.case[begin],
        activity=log.activity[begin],
        station=log.station[begin],
        server=log.server[begin],
        queued_us=log.queued_us[begin],
        start_us=total(log.start_us[rows], np.minimum),
        end_us=total(log.end_us[rows], np.maximum),
        work_s=total(work_us[rows], np.add) / 1e6,
        n_rows=np.diff(np.append(first, len(rows))),
        note=note,
    )


def _in_order(v: Visits) -> Visits:
    order = np.lexsort((v.end_us, v.start_us, v.case))
    return pick(v, order)


def pick(v: Visits, chosen: Ints | Mask) -> Visits:
    """Return some visits."""
    return Visits(
        v.case[chosen],
        v.activity[chosen],
        v.station[chosen],
        v.server[chosen],
        v.queued_us[chosen],
        v.start_us[chosen],
        v.end_us[chosen],
        v.work_s[chosen],
        v.n_rows[chosen],
        v.note,
    )


def came_us(v: Visits) -> Ints:
    """Return when each visit began to wait: as the log says, else its start."""
    return np.where(v.queued_us == UNKNOWN, v.start_us, v.queued_us)
