"""Cases: which came whole, when they came, and to which products they are put.

A log is a window: some cases were in the line when it opened, some when it closed. A
case is taken as cut off at the end if it was still active shortly before the close and
did not stop where cases usually stop; likewise at the beginning.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from linewright.fit.log import ABSENT, FINISHED, SCRAPPED, UNKNOWN, EventLog, Ints, Mask
from linewright.fit.visits import Visits, came_us
from linewright.model.explain import did_you_mean, listed

__all__ = ["Cases", "cases_of"]

_USUAL = 0.5
_POOLS = ("others", "part")  # what products that are put together are called
_QUIET = 0.95  # quantile of the gaps within cases after which one has ended


@dataclass(frozen=True, slots=True)
class Cases:
    """What is known of each case of a log that was visited at all.

    Attributes:
        names: Names of products, pooled.
        product: Product of each case, -1 for a case without visits.
        arrival_us: When each came; `UNKNOWN` for none.
        leave_us: When its last visit ended.
        is_begun: Whether it came within the log.
        is_ended: Whether it left within the log.
        is_scrapped: Whether it was scrapped.
        pooled: Products that were put together, with their cases.
        quiet_us: Time without an event after which a case is taken as ended.
    """

    names: tuple[str, ...]
    product: Ints
    arrival_us: Ints
    leave_us: Ints
    is_begun: Mask
    is_ended: Mask
    is_scrapped: Mask
    pooled: tuple[tuple[str, int], ...]
    quiet_us: int


def cases_of(
    log: EventLog, v: Visits, min_cases: int, products: Collection[str] = ()
) -> Cases:
    """Return what is known of the cases of a log.

    Args:
        log: The log.
        v: Its visits.
        min_cases: Products with fewer are put together.
        products: Products of a model: those that the log has by their names stay, the
            others are put to the one into which a fit puts such.

    Raises:
        ValueError: There is no one product for the others.
    """
    n = len(log.cases)
    first = np.flatnonzero(np.append(True, v.case[1:] != v.case[:-1]))
    last = np.append(first[1:], len(v)) - 1
    seen = v.case[first]
    arrival_us = log.case_arrival_us.copy()
    own = came_us(v)[first]
    arrival_us[seen] = np.where(arrival_us[seen] == UNKNOWN, own, arrival_us[seen])
    leave_us = np.full(n, UNKNOWN)
    leave_us[seen] = np.maximum.reduceat(v.end_us, first) if len(first) else []
    quiet_us = _quiet_us(v)
    begun, ended = np.zeros(n, bool), np.zeros(n, bool)
    m = len(log.activities)
    if "fate" in log.said:
        begun[seen] = log.case_arrival_us[seen] != UNKNOWN
        ended[seen] = np.isin(log.case_fate[seen], (FINISHED, SCRAPPED))
    else:
        is_early = v.start_us[first] < log.begin_us + quiet_us
        is_usual = _is_usual(v.activity, first, m, is_early)
        begun[seen] = ~is_early | is_usual[v.activity[first]]
        is_late = v.end_us[last] > log.close_us - quiet_us
        is_usual = _is_usual(v.activity, last, m, is_late)
        ended[seen] = ~is_late | is_usual[v.activity[last]]
    if products:
        names, product, pooled = _as_in_model(log, seen, products)
    else:
        names, product, pooled = _pooled(log, seen, min_cases)
    return Cases(
        names=names,
        product=product,
        arrival_us=arrival_us,
        leave_us=leave_us,
        is_begun=begun,
        is_ended=ended,
        is_scrapped=log.case_fate == SCRAPPED,
        pooled=pooled,
        quiet_us=quiet_us,
    )


def _as_in_model(
    log: EventLog, seen: Ints, products: Collection[str]
) -> tuple[tuple[str, ...], Ints, tuple[tuple[str, int], ...]]:
    """Put the products of a log to those of a model."""
    names = list(products)
    own = np.unique(log.case_product[seen]).tolist()
    pools = [name for name in names if name.rstrip("_") in _POOLS]
    rest = [name for name in pools if name not in {log.products[i] for i in own}]
    rank = np.full(len(log.products), ABSENT)
    pooled = []
    counts = np.bincount(log.case_product[seen], minlength=len(log.products))
    for i in own:
        name = log.products[i]
        if name in names:
            rank[i] = names.index(name)
            continue
        if len(rest) != 1:
            shown = name or "part"
            hint = did_you_mean(shown, names)
            msg = f'the log has a product "{shown}", the model has {listed(names)}'
            raise ValueError(f"{msg}; {hint}" if hint else msg)
        rank[i] = names.index(rest[0])
        pooled.append((name or "part", int(counts[i])))
    product = np.full(len(log.cases), ABSENT)
    product[seen] = rank[log.case_product[seen]]
    return tuple(names), product, tuple(pooled)


def _quiet_us(v: Visits) -> int:
    """Return a long gap between visits of a case."""
    same = v.case[1:] == v.case[:-1]
    gaps = np.maximum(v.start_us[1:] - v.end_us[:-1], 0)[same]
    longest = np.quantile(gaps, _QUIET) if len(gaps) else 0.0
    spans = v.end_us - v.start_us
    return int(max(longest, np.quantile(spans, _QUIET) if len(spans) else 0.0))


def _is_usual(activity: Ints, at: Ints, m: int, is_cut: Mask) -> Mask:
    """Say at which operations cases usually begin, or end, of those not cut off."""
    sure = at[~is_cut]
    n_there = np.bincount(activity[sure], minlength=m)
    n_all = np.bincount(activity, minlength=m)
    share = n_there / np.maximum(n_all, 1)
    found: Mask = share >= _USUAL * share.max(initial=0.0)
    return found & (n_there > 0)


def _pooled(
    log: EventLog, seen: Ints, min_cases: int
) -> tuple[tuple[str, ...], Ints, tuple[tuple[str, int], ...]]:
    """Put products with few cases together; a log without products has one."""
    product = np.full(len(log.cases), ABSENT)
    own = log.case_product[seen]
    counts = np.bincount(own, minlength=len(log.products))
    large = [i for i, n in enumerate(counts.tolist()) if n >= min_cases]
    small = [i for i, n in enumerate(counts.tolist()) if 0 < n < min_cases]
    if len(small) == 1:  # nothing to put it together with
        large, small = sorted(large + small), []
    names = [log.products[i] or "part" for i in large]
    rank = np.full(len(log.products), len(large))
    rank[large] = np.arange(len(large))
    if small:
        other = "others"
        while other in names:
            other += "_"
        names.append(other if large else "part")
    product[seen] = rank[own]
    pooled = tuple((log.products[i] or "part", int(counts[i])) for i in small)
    return tuple(names), product, pooled
