"""By which calendar cases come, if by one: where nearly all come in its hours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from linewright.fit.calendars import WorkTime
from linewright.fit.log import Ints
from linewright.fit.visits import Visits

__all__ = ["calendar_of", "first_station"]

_FEW = 10
_ON_SHIFT = 0.95  # of the arrivals, where they come in shifts alone


def first_station(v: Visits, product: Ints, p: int) -> int:
    """Return where most cases of a product begin; -1 if it has none.

    Args:
        v: Visits, in the order of cases and of time.
        product: Product of each case.
        p: The product.
    """
    first = np.append(True, v.case[1:] != v.case[:-1])
    at = np.flatnonzero(first & (product[v.case] == p))
    return int(np.bincount(v.station[at]).argmax()) if len(at) else -1


def calendar_of(arrival_us: Ints, clocks: Mapping[str, WorkTime]) -> tuple[str, float]:
    """Return by which calendar cases come, or none, and their share in its hours.

    Args:
        arrival_us: When they came, one or more.
        clocks: Calendars that may be meant, by name.
    """
    if not clocks:
        return "", 1.0
    shares = {
        name: float(clock.is_on(arrival_us).mean()) for name, clock in clocks.items()
    }
    name = max(shares, key=lambda one: shares[one])
    is_by = shares[name] >= _ON_SHIFT and len(arrival_us) >= _FEW
    return (name if is_by else ""), shares[name]
