"""Stations found in a log: how many servers, setups, failures.

Where a log does not say which server did what, as many are counted as were at work at
once for more than a twentieth of the busy time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from linewright.fit.log import FAILURE, SETUP, WORK, EventLog, Floats, Ints
from linewright.fit.visits import Visits

__all__ = [
    "Failures",
    "Setups",
    "StationSeen",
    "batches_at",
    "failures_at",
    "seen_at",
    "setups_at",
]

_RARE = 0.05
_SURE = 0.01
_FEW_PAIRS = 30


@dataclass(frozen=True, slots=True)
class StationSeen:
    """What was seen of a station.

    Attributes:
        servers: Servers that it has.
        at_once: Most pieces of work at once.
        above: Share of the busy time with more at once than it has servers.
        n_visits: Visits.
        work_s: Work in all, seconds.
        is_said: Whether the log says which server did what.
    """

    servers: int
    at_once: int
    above: float
    n_visits: int
    work_s: float
    is_said: bool


def seen_at(log: EventLog, rows: Ints, v: Visits, visits: Ints) -> StationSeen:
    """Return what was seen of a station.

    Args:
        log: The log.
        rows: Its rows at the station.
        v: Visits.
        visits: Those at the station.
    """
    # a trace has its setups inside of the visits
    counted = (WORK,) if "work" in log.said else (WORK, SETUP)
    at_work = rows[np.isin(log.kind[rows], counted)]
    levels, shares = _levels(log.start_us[at_work], log.end_us[at_work])
    at_once = int(levels.max(initial=1))
    server = log.server[rows]
    is_said = bool(len(server) and (server >= 0).all() and "server" in log.said)
    if is_said:
        servers = int(server.max()) + 1
    else:
        more = np.array([shares[levels > c].sum() for c in range(at_once + 1)])
        servers = max(int(np.argmax(more < _RARE)), 1)
    above = float(shares[levels > servers].sum())
    return StationSeen(
        servers=servers,
        at_once=at_once,
        above=above,
        n_visits=len(visits),
        work_s=float(v.work_s[visits].sum()),
        is_said=is_said,
    )


def _levels(start_us: Ints, end_us: Ints) -> tuple[Ints, Floats]:
    """Return how many spans there are at once, with the share of the busy time."""
    chosen = end_us > start_us
    start_us, end_us = start_us[chosen], end_us[chosen]
    at = np.concatenate([end_us, start_us])  # of an instant, ends come first
    step = np.repeat([-1, 1], len(start_us))
    order = np.argsort(at, kind="stable")
    level = np.cumsum(step[order])[:-1]
    length = np.diff(at[order]).astype(float)
    busy = (level > 0) & (length > 0)
    if not busy.any():
        return np.ones(1, np.int64), np.ones(1)
    return level[busy], length[busy] / length[busy].sum()


def batches_at(v: Visits, visits: Ints) -> tuple[int, Ints]:
    """Return the most parts that a server worked on together, and one visit of each.

    Parts are together if they began and ended on one server at the same instants.

    Args:
        v: Visits.
        visits: Those at a station of which the log says the servers.
    """
    keys = np.stack([v.server[visits], v.start_us[visits], v.end_us[visits]], axis=1)
    _, first, sizes = np.unique(keys, axis=0, return_index=True, return_counts=True)
    return int(sizes.max(initial=1)), visits[np.sort(first)]


# ---------------------------------------------------------------- setups


@dataclass(frozen=True, slots=True)
class Setups:
    """Setups of a station.

    Attributes:
        times_s: One for each setup; or, where `is_each`, the setup of each visit, zero
            if it had none.
        is_each: Whether parts are set up for one by one, whatever came before.
        pairs: Times by the products before and after, where they differ.
        n: Setups seen.
        n_visits: Visits.
        after_change: Share of the visits after another product that had one.
        after_same: Share of those after the same product.
        is_known: Whether which product came before is known.
    """

    times_s: Floats
    is_each: bool
    pairs: dict[tuple[int, int], Floats]
    n: int
    n_visits: int
    after_change: float
    after_same: float
    is_known: bool


def setups_at(  # noqa: PLR0913
    log: EventLog,
    rows: Ints,
    v: Visits,
    visits: Ints,
    product: Ints,
    *,
    work_us: Ints,
    servers: int,
) -> Setups | None:
    """Return the setups of a station; none where there were none.

    Args:
        log: The log.
        rows: Its rows at the station.
        v: Visits.
        visits: Those at the station.
        product: Product of each case.
        work_us: Time of work of each row.
        servers: Servers of the station.
    """
    own = rows[log.kind[rows] == SETUP]
    if not len(own) or not len(visits):
        return None
    order = visits[np.lexsort((v.start_us[visits], v.server[visits]))]
    kind = product[v.case[order]]
    same_server = np.append(False, v.server[order][1:] == v.server[order][:-1])
    is_known = servers == 1 or bool((v.server[order] >= 0).all())
    change = same_server & np.append(False, kind[1:] != kind[:-1])
    total_s = np.zeros(len(order))
    target = _visit_of(log, own, v, order)
    np.add.at(total_s, target[target >= 0], work_us[own][target >= 0] / 1e6)
    had = total_s > 0
    same = same_server & ~change
    after_change = float(had[change].mean()) if change.any() else np.nan
    after_same = float(had[same].mean()) if same.any() else np.nan
    by_change = is_known and after_same < 0.1 and after_change > 0.5
    pairs: dict[tuple[int, int], Floats] = {}
    if by_change:
        before = np.append(-1, kind[:-1])
        pairs = _pairs(before[had & change], kind[had & change], total_s[had & change])
    return Setups(
        times_s=total_s[had] if by_change else total_s,
        is_each=not by_change,
        pairs=pairs,
        n=len(own),
        n_visits=len(order),
        after_change=after_change,
        after_same=after_same,
        is_known=is_known,
    )


def _visit_of(log: EventLog, own: Ints, v: Visits, order: Ints) -> Ints:
    """Return for each setup the visit that it was for: of its case, the next to end."""
    key_case = v.case[order]
    by = np.lexsort((v.end_us[order], key_case))
    span = int(max(v.end_us.max(), log.end_us.max())) - int(log.start_us.min()) + 2
    origin = int(log.start_us.min())
    key = key_case[by] * span + (v.end_us[order][by] - origin)
    wanted = log.case[own] * span + (log.start_us[own] - origin)
    at = np.searchsorted(key, wanted, "left")
    at = np.minimum(at, len(key) - 1)
    is_own = key_case[by][at] == log.case[own]
    back = np.maximum(at - 1, 0)
    is_back = ~is_own & (key_case[by][back] == log.case[own])
    at = np.where(is_back, back, at)
    return np.where(is_own | is_back, by[at], -1)


def _pairs(before: Ints, after: Ints, times_s: Floats) -> dict[tuple[int, int], Floats]:
    """Return times by pairs of products, if they are not all alike."""
    n = int(max(before.max(initial=0), after.max(initial=0))) + 1
    key = before * n + after
    known, group = np.unique(key, return_inverse=True)
    parts = [times_s[group == i] for i in range(len(known))]
    large = [p for p in parts if len(p) >= _FEW_PAIRS]
    if len(large) < 2 or np.ptp(np.concatenate(large)) == 0:
        return {}
    if stats.kruskal(*large).pvalue > _SURE:
        return {}
    return {
        (int(k) // n, int(k) % n): p
        for k, p in zip(known, parts, strict=True)
        if len(p) >= _FEW_PAIRS
    }


# ---------------------------------------------------------------- failures


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures of a station.

    Attributes:
        up_s: Processing time of a server to each failure, from the one before.
        repair_s: Times to repair.
        worked_s: Processing time in all; over the failures, their mean time to failure.
    """

    up_s: Floats
    repair_s: Floats
    worked_s: float


def failures_at(
    log: EventLog, rows: Ints, v: Visits, visits: Ints, work_us: Ints
) -> Failures | None:
    """Return the failures of a station; none where there were none.

    In a trace, the time to failure is the server's own; elsewhere it is what was worked
    at the station between two failures.

    Args:
        log: The log.
        rows: Its rows at the station.
        v: Visits.
        visits: Those at the station.
        work_us: Time of work of each row; of a repair in a trace, the processing time
            since the one before.
    """
    own = rows[log.kind[rows] == FAILURE]
    if not len(own):
        return None
    repair_s = (log.end_us[own] - log.start_us[own]) / 1e6
    worked_s = float(v.work_s[visits].sum())
    if "work" in log.said:
        return Failures(work_us[own] / 1e6, repair_s, worked_s)
    begin = np.sort(log.start_us[own])
    work = rows[log.kind[rows] == WORK]
    order = np.argsort(log.end_us[work])
    done = np.append(0.0, np.cumsum(work_us[work][order] / 1e6))
    at = done[np.searchsorted(log.end_us[work][order], begin, "right")]
    return Failures(np.diff(np.append(0.0, at)), repair_s, worked_s)
