"""Batch means in the way of all peers, so that estimates can be held side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["N_BATCHES", "T_999", "batch_ends", "interval", "sojourn", "throughput"]

N_BATCHES = 20
T_95 = 2.093  # Student t with 19 degrees of freedom
T_999 = 3.883

Estimate = tuple[float, float]
"""A mean and the half-width of its 95 % interval."""


def batch_ends(departures: int, measure: str) -> list[int]:
    """Return after how many departures the warm-up and then each batch end.

    A throughput leaves out the first 5 % of the departures, a sojourn none.
    """
    warmup = departures // 20 if measure == "throughput" else 0
    size = (departures - warmup) // N_BATCHES
    return [warmup + batch * size for batch in range(N_BATCHES + 1)]


def interval(values: Sequence[float]) -> Estimate:
    """Return the mean of batch means and its half-width."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, T_95 * math.sqrt(variance / len(values))


def throughput(ends: Sequence[float], size: int) -> Estimate:
    """Return departures per unit time from the times at which the batches end."""
    return interval([size / (b - a) for a, b in pairwise(ends)])


def sojourn(stays: Sequence[float]) -> Estimate:
    """Return the mean time in the system from the stays of all customers."""
    size = len(stays) // N_BATCHES
    return interval(
        [sum(stays[b * size : (b + 1) * size]) / size for b in range(N_BATCHES)]
    )
