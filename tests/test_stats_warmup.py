"""MSER-5 against a slow sum, on known transients, and where it must refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter

from linewright.stats.warmup import Warmup, largest_cut, mser5, welch_average

Floats = NDArray[np.float64]


def transient(rng: np.random.Generator, n: int, start: float, phi: float) -> Floats:
    """A first-order autoregression about 0 that begins far from it."""
    noise = rng.normal(size=n)
    noise[0] = start
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


def slow_cut(series: Floats) -> int:
    batches = [float(np.mean(series[i : i + 5])) for i in range(0, len(series) - 4, 5)]
    errors = []
    for d in range(len(batches) - max(5, len(batches) // 10) + 1):
        rest = np.array(batches[d:])
        errors.append(float(((rest - rest.mean()) ** 2).sum()) / len(rest) ** 2)
    return 5 * int(np.argmin(errors))


@given(st.integers(0, 2**32), st.integers(50, 300), st.floats(0, 200))
def test_the_cut_agrees_with_the_slow_sum(seed: int, n: int, start: float) -> None:
    series = 1e4 + transient(np.random.default_rng(seed), n, start, 0.9)
    found, cut = mser5(series), slow_cut(series)
    assert found.found == (2 * (cut // 5) < n // 5)
    assert found.cut == (cut if found.found else 0)


def test_a_known_transient_is_cut_and_its_bias_removed() -> None:
    """From 100 with phi = 0.95 the bias falls below one after 90 periods."""
    rng = np.random.default_rng(7)
    cuts, before, after = [], [], []
    for _ in range(100):
        series = transient(rng, 5_000, 100, 0.95)
        found = mser5(series)
        assert found.found
        cuts.append(found.cut)
        before.append(series.mean())
        after.append(series[found.cut :].mean())
    assert 45 <= np.median(cuts) <= 200
    assert np.mean(before) == pytest.approx(0.4, abs=0.1)  # 100 / (1 - 0.95) / 5000
    assert abs(np.mean(after)) < 0.1


def test_a_queue_started_empty_loses_its_bias() -> None:
    """M/M/1 at load 0.9: the mean wait is 0.9 * 0.9 / (1 - 0.9) = 8.1."""
    rng = np.random.default_rng(5)
    shape = n_replications, n = 500, 8_000
    steps = rng.exponential(0.9, shape) - rng.exponential(1, shape)
    walk = np.cumsum(steps, axis=1)
    waits = walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0)  # Lindley
    found = mser5(waits)
    assert found.found
    assert 100 < found.cut < n // 2
    means = waits[:, found.cut :].mean(1)
    error = 3.3 * means.std(ddof=1) / math.sqrt(n_replications)  # 99.9 %
    assert abs(means.mean() - 8.1) < error < 0.8
    assert waits[:, :100].mean() < 5  # the start is biased, and it is cut


def test_a_settled_series_loses_little() -> None:
    rng = np.random.default_rng(2)
    cuts = [mser5(rng.normal(size=1_000)).cut for _ in range(100)]
    assert np.median(cuts) < 100


def test_a_constant_series_loses_nothing() -> None:
    assert mser5(np.full(100, 1 / 3)) == Warmup(found=True, cut=0, n_periods=100)


def test_a_step_is_cut_exactly() -> None:
    series = np.where(np.arange(203) < 40, 1e9, 1 / 3)
    assert mser5(series) == Warmup(found=True, cut=40, n_periods=203)


@pytest.mark.parametrize("n", [50, 100, 1_000])
def test_a_trend_is_refused(n: int) -> None:
    noise = np.random.default_rng(4).normal(size=n)
    found = mser5(np.linspace(0, 100, n) + noise)
    assert not found.found
    assert found.cut == 0
    assert "second half" in found.reason


def test_a_change_in_the_second_half_is_refused() -> None:
    series = np.where(np.arange(1_000) < 700, 10.0, 0.0)
    assert "has not settled" in mser5(series).reason


def test_replications_are_averaged_first() -> None:
    rng = np.random.default_rng(9)
    series = np.array([transient(rng, 1_000, 30, 0.9) for _ in range(30)])
    assert mser5(series) == mser5(series.mean(0))
    assert mser5(series).found


@pytest.mark.parametrize(
    ("series", "reason"),
    [([1.0] * 49, "too few"), ([], "too few"), ([math.nan] * 50, "without a value")],
)
def test_what_cannot_be_judged_is_refused(series: list[float], reason: str) -> None:
    found = mser5(series)
    assert not found.found
    assert reason in found.reason
    assert found.n_periods == len(series)


def test_the_largest_cut_serves_all_measures() -> None:
    short, long = Warmup(True, 10, 100), Warmup(True, 35, 100)
    assert largest_cut({"wip": short, "flow": long}) == long
    refused = Warmup(False, 0, 100, "the series has not settled")
    both = largest_cut({"wip": short, "flow": refused})
    assert both == Warmup(False, 0, 100, "flow: the series has not settled")
    with pytest.raises(ValueError, match="same periods"):
        largest_cut({"wip": short, "flow": Warmup(True, 10, 90)})
    with pytest.raises(ValueError, match="same periods"):
        largest_cut({})


def test_welch_average_by_hand() -> None:
    series = np.array([[1.0, 2, 3, 4, 10], [3, 2, 5, 4, 0]])
    assert welch_average(series, 0).tolist() == [2, 2, 4, 4, 5]
    got = welch_average(series, 2)
    assert got.tolist() == pytest.approx([2, 8 / 3, 17 / 5, 13 / 3, 5])
    with pytest.raises(ValueError, match="zero or more"):
        welch_average(series, -1)
    with pytest.raises(ValueError, match="shape"):
        mser5(np.zeros((2, 2, 2)))
