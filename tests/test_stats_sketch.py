"""The sketch keeps its error, merges by adding, and compiles as it stands."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewright.stats.sketch import (
    N_BUCKETS,
    RELATIVE_ERROR,
    SUB_BITS,
    bucket_high,
    bucket_low,
    bucket_of,
    cdf,
    count,
    quantile,
)

# Every size of number is as likely, not every number.
sizes = st.integers(0, 61).flatmap(lambda bits: st.integers(0, 2 ** (bits + 1) - 1))
samples = st.lists(sizes, min_size=1, max_size=60)


@given(sizes)
def test_a_value_lies_in_its_bucket_near_the_middle(value: int) -> None:
    bucket = bucket_of(value)
    low, high = bucket_low(bucket), bucket_high(bucket)
    assert 0 <= bucket < N_BUCKETS
    assert low <= value <= high
    assert abs(low + high - 2 * value) <= 2 * RELATIVE_ERROR * value
    if value < 2 << SUB_BITS:
        assert low == high == bucket


def test_buckets_follow_each_other_without_gaps() -> None:
    buckets = np.arange(N_BUCKETS)
    low, high = bucket_low(buckets), bucket_high(buckets)
    assert low[0] == 0
    assert (low[1:] == high[:-1] + 1).all()
    assert high[-1] == 2**62 - 1
    assert (bucket_of(low) == buckets).all()
    assert (bucket_of(high) == buckets).all()
    assert bucket_low(N_BUCKETS) == 2**62
    assert RELATIVE_ERROR == 1 / 128


def test_plain_numbers_arrays_and_compiled_code_agree() -> None:
    edges = np.array([v for k in range(62) for v in (2**k - 1, 2**k, 2**k + 1)])
    compiled_of, compiled_low = numba.njit(bucket_of), numba.njit(bucket_low)
    assert bucket_of(edges).dtype == bucket_low(edges).dtype == np.int64
    for value, bucket in zip(edges.tolist(), bucket_of(edges).tolist(), strict=True):
        assert bucket_of(value) == bucket == compiled_of(value)
        assert bucket_low(bucket) == compiled_low(bucket)


@given(samples, st.floats(0, 1))
def test_quantiles_keep_the_stated_error(values: list[int], share: float) -> None:
    got = quantile(count(values), share)
    rank = max(1, math.ceil(share * len(values) * (1 - 1e-15)))
    true = sorted(values)[rank - 1]
    assert abs(got - true) <= RELATIVE_ERROR * true * (1 + 1e-12)


@given(samples, samples)
def test_merged_sketches_are_the_sketch_of_all(one: list[int], two: list[int]) -> None:
    np.testing.assert_array_equal(count(one) + count(two), count(one + two))


@settings(max_examples=50)
@given(samples)
def test_the_share_below_is_exact_at_bucket_ends(values: list[int]) -> None:
    counts = count(values)
    ends = bucket_high(bucket_of(np.array(values)))
    expected = [np.mean(np.array(values) <= end) for end in ends]
    np.testing.assert_allclose(cdf(counts, ends), expected)
    inner = cdf(counts, np.arange(-3, 2**62 - 1, 2**55))
    assert inner[0] == 0
    assert (np.diff(inner) >= 0).all()
    assert cdf(counts, 2**62 - 1) == 1


def test_percentiles_of_a_known_distribution() -> None:
    values = np.random.default_rng(1).exponential(3e8, 200_000).astype(np.int64)
    counts = count(values)
    for share in (0.5, 0.9, 0.99):
        true = -3e8 * math.log(1 - share)
        assert quantile(counts, share) == pytest.approx(true, rel=0.02)
        assert cdf(counts, int(true)) == pytest.approx(share, abs=0.005)


def test_small_values_are_exact() -> None:
    counts = count(np.arange(1, 101))
    assert quantile(counts, 0) == 1
    assert quantile(counts, 0.07) == 7
    assert quantile(counts, 0.5) == 50
    assert quantile(counts, 0.501) == 51
    assert quantile(counts, 1) == 100
    assert cdf(counts, [0, 1, 50, 100, 1000]).tolist() == [0, 0.01, 0.5, 1, 1]


def test_nothing_counted_has_no_percentile() -> None:
    assert math.isnan(quantile(count([]), 0.5))
    assert np.isnan(cdf(count([]), [1, 2])).all()


def test_values_out_of_range_are_refused() -> None:
    for values in ([-1], [2**62]):
        with pytest.raises(ValueError, match="from 0 to"):
            count(values)
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(count([1]), 1.1)
