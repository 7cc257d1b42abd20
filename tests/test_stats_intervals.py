"""Intervals cover what they say, agree with published numbers, and say when not."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from linewright.stats import intervals
from linewright.stats.intervals import (
    MIN_REPLICATIONS,
    Interval,
    batch_means,
    long_run,
    mean_interval,
    paired_interval,
    precision_reached,
    quantile_interval,
    required_replications,
    wilson_interval,
)

N_EXPERIMENTS = 2_000


def coverage(
    experiment: Callable[[np.random.Generator], Interval], truth: float
) -> float:
    rng = np.random.default_rng(20_270_104)
    hits = [truth in experiment(rng) for _ in range(N_EXPERIMENTS)]
    return float(np.mean(hits))


def ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """A stationary first-order autoregression with mean 0."""
    noise = rng.normal(size=n)
    noise[0] /= math.sqrt(1 - phi * phi)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


@pytest.mark.parametrize("n", [5, 20, 60])
def test_mean_intervals_cover_as_often_as_they_say(n: int) -> None:
    share = coverage(lambda rng: mean_interval(rng.normal(7, 3, n)), 7)
    assert share == pytest.approx(0.95, abs=0.015)


def test_mean_intervals_of_other_confidence_cover_as_often() -> None:
    share = coverage(lambda rng: mean_interval(rng.normal(0, 1, 8), 0.8), 0)
    assert share == pytest.approx(0.8, abs=0.03)


def test_equal_values_have_no_width() -> None:
    assert np.std([0.1] * 3) > 0  # by rounding alone
    assert mean_interval([0.1] * 3) == Interval(0.1, 0.0, 0.1, 0.1, 3, 0.95)


def test_paired_intervals_cover_as_often_as_they_say() -> None:
    def experiment(rng: np.random.Generator) -> Interval:
        common = rng.normal(100, 20, 15)
        return paired_interval(
            common + rng.normal(0, 1, 15), common + rng.normal(2, 1, 15)
        )

    assert coverage(experiment, 2) == pytest.approx(0.95, abs=0.015)


def test_wilson_intervals_cover_as_often_as_they_say() -> None:
    share = coverage(lambda rng: wilson_interval(int(rng.binomial(200, 0.3)), 200), 0.3)
    assert share == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_quantile_intervals_cover_at_least_as_often_as_they_say(share: float) -> None:
    truth = -math.log(1 - share)
    got = coverage(
        lambda rng: quantile_interval(rng.exponential(size=120), share), truth
    )
    assert 0.935 <= got <= 0.985  # ranks are whole numbers, so it covers too often


def test_batch_means_cover_as_often_as_they_say_on_ar1() -> None:
    """Batches of 200 against a correlation of 0.8, gone after some 20 steps."""
    share = coverage(lambda rng: batch_means(ar1(rng, 4_000, 0.8)).interval, 0)
    assert share == pytest.approx(0.95, abs=0.015)


def test_batch_means_without_enough_data_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    short = [batch_means(ar1(rng, 200, 0.95)).independent for _ in range(200)]
    long = [batch_means(ar1(rng, 8_000, 0.8)).independent for _ in range(200)]
    assert np.mean(short) < 0.4
    assert np.mean(long) == pytest.approx(0.95, abs=0.05)


def test_batch_means_leave_out_the_start() -> None:
    series = np.concatenate([[1e6, 1e6], np.arange(40.0) % 2])
    found = batch_means(series, 20)
    assert (found.batch_size, found.interval.mean, found.interval.n) == (2, 0.5, 20)
    assert (found.lag1, found.independent) == (0, True)
    with pytest.raises(ValueError, match="as many values"):
        batch_means(np.arange(19.0), 20)
    with pytest.raises(ValueError, match="4 batches"):
        batch_means(np.arange(19.0), 3)
    assert not batch_means(np.full(40, math.nan)).independent


def test_long_runs_cover_as_often_as_they_say_on_ar1() -> None:
    rng = np.random.default_rng(20_270_105)
    runs = [long_run(ar1(rng, 10_000, 0.8)).found for _ in range(N_EXPERIMENTS)]
    found = [run.interval for run in runs if run]
    assert len(found) > 0.95 * N_EXPERIMENTS  # few refused by chance
    assert np.mean([0 in interval for interval in found]) == pytest.approx(
        0.95, abs=0.015
    )
    spread = 1 / 0.2 / math.sqrt(10_000)  # of the mean, noise of variance 1
    widths = np.mean([interval.half_width for interval in found])
    assert widths == pytest.approx(2.02 * spread, rel=0.03)


def test_a_correlated_run_is_refused_and_says_so() -> None:
    rng = np.random.default_rng(4)
    runs = [long_run(ar1(rng, 1_000, 0.9)) for _ in range(200)]
    assert all(run.found is None for run in runs)
    assert all("the run is too short: its 333 small" in run.reason for run in runs)


def test_a_correlation_that_only_large_batches_show_is_refused() -> None:
    """Noise hides a slow wave from neighbors that are small, not from large ones."""
    wave = np.sin(np.arange(1000) * 2 * math.pi / 500)
    run = long_run(0.32 * wave + np.random.default_rng(5).normal(size=1000))
    assert run.found is None
    assert run.reason.startswith("the run is too short: its 40 batches have a corr")


@pytest.mark.parametrize(
    ("n", "n_batches", "size"), [(1000, 40, 25), (100, 33, 3), (500, 31, 16)]
)
def test_the_number_of_batches_leaves_the_least_over(
    n: int, n_batches: int, size: int
) -> None:
    found = long_run(np.random.default_rng(8).normal(size=n)).found
    assert found is not None
    assert (found.interval.n, found.batch_size) == (n_batches, size)


def test_a_run_without_enough_periods_or_values_has_no_interval() -> None:
    assert "99 periods after the warm-up, 100 the least" in long_run([1.0] * 99).reason
    assert "0 periods" in long_run([]).reason
    assert long_run([1.0] * 500 + [math.nan]).found is None


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e9 + 0.1])
def test_a_run_that_never_changes_is_certain(value: float) -> None:
    found = long_run(np.full(977, value)).found
    assert found is not None
    assert found.interval.half_width <= 1e-15 * value


def test_student_t_by_hand() -> None:
    """Values 1 to 5: s = sqrt(2.5), t = 2.7764 for 4 degrees of freedom."""
    interval = mean_interval([1, 2, 3, 4, 5])
    assert interval.mean == 3
    assert interval.half_width == pytest.approx(2.77645 * math.sqrt(2.5 / 5), rel=1e-5)
    assert (interval.low, interval.high) == (
        3 - interval.half_width,
        3 + interval.half_width,
    )
    assert interval.relative_half_width == interval.half_width / 3


def test_one_value_says_nothing_about_spread() -> None:
    interval = mean_interval([12.25])
    assert (interval.mean, interval.half_width) == (12.25, math.inf)
    assert -1e300 in interval
    assert str(interval) == "12.25 ± ?"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_never_dropped(bad: float) -> None:
    for interval in (
        mean_interval([1, bad, 2]),
        paired_interval([1, bad, 2], [1, bad, 5]),
        quantile_interval([1, bad, 2], 0.5),
    ):
        assert math.isnan(interval.mean)
        assert math.isnan(interval.half_width)
        assert 1 not in interval


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (12.345, 0.42, "12.3 ± 0.4"),
        (12.345, 0.142, "12.35 ± 0.14"),
        (1234.5, 43, "1230 ± 40"),
        (0.001234, 0.000056, "0.00123 ± 0.00006"),
        (5, 0, "5 ± 0"),
        (5.5, 0.996, "5.5 ± 1.0"),
    ],
)
def test_text_shows_the_digits_that_mean_something(
    mean: float, half_width: float, text: str
) -> None:
    low, high = mean - half_width, mean + half_width
    assert str(Interval(mean, half_width, low, high, 10)) == text


def test_lopsided_intervals_show_their_ends() -> None:
    assert str(wilson_interval(1, 50)) == "0.02 (0.00 to 0.10)"


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_newcombe_1998_wilson(successes: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3."""
    interval = wilson_interval(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert interval.mean == successes / n


@given(st.integers(1, 10_000), st.data())
def test_wilson_intervals_stay_within_bounds(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    interval = wilson_interval(successes, n)
    assert 0 <= interval.low <= interval.mean <= interval.high <= 1
    mirror = wilson_interval(n - successes, n)
    assert (1 - mirror.high, 1 - mirror.low) == pytest.approx(
        (interval.low, interval.high), abs=1e-12
    )


def test_median_ranks_by_hand() -> None:
    """Of 10 values the 2nd and 9th cover the median with 97.85 %: 1 - 2 * 11 / 1024."""
    interval = quantile_interval(np.arange(1.0, 11), 0.5)
    assert (interval.low, interval.mean, interval.high) == (2, 5.5, 9)


def test_a_small_sample_does_not_bound_a_high_quantile() -> None:
    interval = quantile_interval(np.arange(1.0, 11), 0.95)
    assert interval.high == interval.half_width == math.inf
    assert math.isfinite(interval.low)


def test_required_replications_are_the_fewest_that_do() -> None:
    pilot = np.random.default_rng(3).normal(50, 10, 30)
    n = required_replications(pilot, 0.02)

    def half_width(m: int) -> float:
        spread = float(pilot.std(ddof=1))
        flat = mean_interval(np.resize([-1.0, 1.0], 2 * m)[:m])  # for its t alone
        t = flat.half_width / (np.resize([-1.0, 1.0], m).std(ddof=1) / math.sqrt(m))
        return float(t * spread / math.sqrt(m))

    target = 0.02 * pilot.mean()
    assert half_width(n) <= target < half_width(n - 1)
    assert n == pytest.approx((1.96 * pilot.std(ddof=1) / target) ** 2, rel=0.02)
    assert required_replications([5, 5, 5], 0.01) == 2
    with pytest.raises(ValueError, match="mean of zero"):
        required_replications([-1, 1], 0.01)
    with pytest.raises(ValueError, match="two finite values"):
        required_replications([1, math.nan], 0.01)


def test_a_sequential_study_stops_within_its_precision() -> None:
    rng = np.random.default_rng(11)
    hits, lengths = [], []
    for _ in range(1_000):
        values = list(rng.normal(100, 10, MIN_REPLICATIONS))
        while not precision_reached(values, 0.03):
            values.append(rng.normal(100, 10))
        hits.append(abs(np.mean(values) - 100) <= 3)
        lengths.append(len(values))
    assert np.mean(hits) > 0.91  # stopping on a lucky spread costs a little
    assert 35 < np.mean(lengths) < 60  # (1.96 * 10 / 2.91)^2 = 45


def test_a_sequential_study_never_stops_on_few_or_broken_values() -> None:
    assert not precision_reached([5.0] * (MIN_REPLICATIONS - 1), 0.01)
    assert precision_reached([5.0] * MIN_REPLICATIONS, 0.01)
    assert precision_reached([0.0] * MIN_REPLICATIONS, 0.01)
    assert not precision_reached([5.0] * 20 + [math.nan], 0.01)
    with pytest.raises(ValueError, match="positive"):
        precision_reached([1.0], 0)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one value or more"):
        mean_interval([])
    with pytest.raises(ValueError, match="confidence"):
        mean_interval([1, 2], 95)
    with pytest.raises(ValueError, match="both sides"):
        paired_interval([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(5, 4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile_interval([1, 2], 1)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999, 0.999_999])
def test_quantiles_are_scipys(confidence: float) -> None:
    """Written out here, because the command starts without SciPy."""
    upper = (1 + confidence) / 2
    for degrees in (*range(1, 40), 99, 100, 999, 10_000, 99_999):
        expected = float(scipy.special.stdtrit(degrees, upper))
        found = intervals.t_quantile(confidence, degrees)
        assert found == pytest.approx(expected, rel=1e-7)
    expected = float(scipy.special.ndtri(upper))
    assert intervals.normal_quantile(confidence) == pytest.approx(expected, rel=1e-12)
