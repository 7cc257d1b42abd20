"""From counted units to answers: chances, dates, what is short, what could be promised.

Everything here takes arrays with one row for each replication and knows nothing of how
they were counted. `Made` holds the good units of one product by instant. Chances are
shares of replications with Wilson's interval; dates are order statistics, with the
interval that assumes nothing about the distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright.stats.intervals import Interval, quantile_interval, wilson_interval

__all__ = [
    "NOT_WITHIN",
    "chance",
    "date_quantile",
    "highest_factor",
    "promise_dates",
    "reached",
    "scaled",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NOT_WITHIN = -1
"""A date that lies beyond the horizon."""


def scaled(quantity: int, factors: Floats) -> Ints:
    """Return a quantity times factors in whole units, halves rounded up."""
    out: Ints = np.floor(quantity * factors + 0.5 + 1e-9).astype(np.int64)
    return out


def chance(met: Flags, confidence: float) -> Interval:
    """Return the share of replications in which something is met, with its interval."""
    return wilson_interval(int(met.sum()), len(met), confidence)


def reached(fine_us: Ints, units: Ints, quantity: int) -> int:
    """Return the first instant at which there are so many units, or `NOT_WITHIN`.

    Args:
        fine_us: Instants, increasing.
        units: Units by then, not decreasing.
        quantity: Units that are wanted.
    """
    row = int(np.searchsorted(units, quantity))
    return int(fine_us[row]) if row < len(fine_us) else NOT_WITHIN


@dataclass(frozen=True, slots=True)
class DateQuantile:
    """A date that is kept with some probability, and its interval.

    Attributes:
        at_us: The date, or `NOT_WITHIN`.
        low_us: Lower end.
        high_us: Upper end, or `NOT_WITHIN`.
    """

    at_us: int
    low_us: int
    high_us: int


def date_quantile(dates_us: Ints, share: float, confidence: float) -> DateQuantile:
    """Return the earliest date that a share of replications keep.

    Args:
        dates_us: A date for each replication, `NOT_WITHIN` for none.
        share: Which share, between 0 and 1.
        confidence: Confidence of the interval.
    """
    far = float(2**62)
    values = np.sort(np.where(dates_us == NOT_WITHIN, far, dates_us.astype(float)))
    rank = math.ceil(share * len(values) - 1e-9)
    interval = quantile_interval(values, share, confidence)
    low, high = interval.low, interval.high
    ends = [values[rank - 1], 0.0 if low == -math.inf else low, high]
    at, begin, end = (NOT_WITHIN if end >= far else int(end) for end in ends)
    return DateQuantile(at, begin, end)


def highest_factor(
    factors: Floats, share: float, confidence: float
) -> tuple[float, float, float]:
    """Return the most that targets can be multiplied by and met with a probability.

    Args:
        factors: For each replication the factor up to which all targets are met.
        share: The probability.
        confidence: Confidence of the interval.

    Returns:
        The factor, and the ends of its interval.
    """
    values = np.sort(factors)
    n = len(values)
    row = min(math.floor((1 - share) * n + 1e-9), n - 1)
    interval = quantile_interval(values, 1 - share, confidence)
    low = 0.0 if interval.low == -math.inf else interval.low
    return float(values[row]), low, interval.high


def promise_dates(fine_us: Ints, units: Ints, owed: Floats, quantity: int) -> Ints:
    """Return when an order on top of what is planned can be delivered, by replication.

    That is the first instant from which on, up to the end, the units that have left are
    at least what is owed by then and the order: no unit is taken that a target needs.

    Args:
        fine_us: Instants, increasing.
        units: Units that have left by then, (replication, instant).
        owed: Units that targets ask for by then, (replication, instant).
        quantity: Units of the order.

    Source:
        Available to promise with look-ahead: Vollmann, Berry, Whybark and Jacobs
        (2005), Manufacturing Planning and Control, 5th ed., chapter 6.
    """
    left = units - owed
    free = np.minimum.accumulate(left[:, ::-1], axis=1)[:, ::-1]
    there = free >= quantity - 1e-9
    first = there.argmax(axis=1)
    return np.where(there.any(axis=1), fine_us[first], NOT_WITHIN)
