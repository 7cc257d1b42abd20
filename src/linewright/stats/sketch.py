"""Percentiles of any number of times in constant memory, with a stated error.

A time, a whole number of microseconds, is counted in one of `N_BUCKETS` fixed buckets.
Times below 128 have a bucket each. Above, every doubling is divided into 64 buckets of
equal width: the bucket is told by the place of the highest bit and the six bits after
it. The middle of a bucket is therefore within `RELATIVE_ERROR` of every time in it.
Buckets never depend on the data, so two sketches merge by adding their counts.

`bucket_of`, `bucket_low` and `bucket_high` use integer arithmetic alone, without a
branch, so that they serve plain numbers, arrays and compiled code in the same words.

Source: the bucketing of HdrHistogram (Tene), with `SUB_BITS` bits.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "N_BUCKETS",
    "RELATIVE_ERROR",
    "SUB_BITS",
    "bucket_high",
    "bucket_low",
    "bucket_of",
    "cdf",
    "count",
    "quantile",
]

SUB_BITS = 6
"""Bits after the highest one that tell buckets apart."""

N_BUCKETS = (62 - SUB_BITS + 1) << SUB_BITS
"""Buckets for all times below 2**62 microseconds, 3648."""

RELATIVE_ERROR = 1 / (2 << SUB_BITS)
"""Largest distance of a percentile from the true one, as a share of the true one."""

Ints = TypeVar("Ints", int, NDArray[np.signedinteger])


def bucket_of(value: Ints) -> Ints:
    """Return the bucket of a whole number from 0 to 2**62 - 1; unchecked."""
    # Shift until seven bits are left. Comparisons times a power of two find how far:
    # a binary search for the highest bit.
    rest = value >> SUB_BITS
    shift = (rest >= 4_294_967_296) * 32
    shift = shift + ((rest >> shift) >= 65_536) * 16
    shift = shift + ((rest >> shift) >= 256) * 8
    shift = shift + ((rest >> shift) >= 16) * 4
    shift = shift + ((rest >> shift) >= 4) * 2
    shift = shift + ((rest >> shift) >= 2) * 1
    return (shift << SUB_BITS) + (value >> shift)


def bucket_low(bucket: Ints) -> Ints:
    """Return the least value of a bucket."""
    below = (bucket - (1 << SUB_BITS)) >> 62  # -1 in the first 64 buckets, else 0
    shift = (bucket >> SUB_BITS) - 1 - below
    return (bucket - (shift << SUB_BITS)) << shift


def bucket_high(bucket: Ints) -> Ints:
    """Return the greatest value of a bucket."""
    return bucket_low(bucket + 1) - 1


def count(values: ArrayLike) -> NDArray[np.int64]:
    """Return the counts of all buckets for an array of values.

    Raises:
        ValueError: A value is negative or 2**62 or more.
    """
    whole = np.asarray(values, np.int64).ravel()
    if whole.size and not 0 <= whole.min() <= whole.max() < 2**62:
        msg = f"values lie from 0 to 2**62 - 1, got {whole.min()} to {whole.max()}"
        raise ValueError(msg)
    return np.bincount(bucket_of(whole), minlength=N_BUCKETS)


def quantile(counts: NDArray[np.int64], share: float) -> float:
    """Return the least value that at least a share of all values do not exceed.

    Args:
        counts: Count of each bucket, `N_BUCKETS` long.
        share: Between 0 (the least value) and 1 (the greatest).

    Returns:
        The middle of the bucket of that value, so within `RELATIVE_ERROR` of it and
        exact below 128; nan if nothing was counted.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        msg = f"a share lies between 0 and 1, got {share}"
        raise ValueError(msg)
    total = np.cumsum(counts)
    if total[-1] == 0:
        return math.nan
    # Less a hair, so that 0.07 of 100 is the 7th value, not the 8th.
    rank = max(1, math.ceil(share * int(total[-1]) * (1 - 1e-15)))
    bucket = int(np.searchsorted(total, rank))
    return (bucket_low(bucket) + bucket_high(bucket)) / 2


def cdf(counts: NDArray[np.int64], values: ArrayLike) -> NDArray[np.float64]:
    """Return the share of what was counted that does not exceed each value.

    Exact at the greatest value of a bucket; within a bucket its values are taken to be
    evenly spread. All nan if nothing was counted.

    Args:
        counts: Count of each bucket, `N_BUCKETS` long.
        values: Whole microseconds below 2**62; below zero the share is zero.
    """
    asked = np.asarray(values, np.int64)
    total = np.cumsum(counts)
    if total[-1] == 0:
        return np.full(asked.shape, math.nan)
    bucket = bucket_of(np.maximum(asked, 0))
    low, high = bucket_low(bucket), bucket_high(bucket)
    missing = counts[bucket] * ((high - asked) / (high - low + 1))
    return np.where(asked < 0, 0.0, (total[bucket] - missing) / total[-1])
