"""Confidence intervals and the rules for when there are enough replications.

Every function takes plain numbers, one for each replication unless it says otherwise,
and returns an `Interval`; one long run has its interval from the means of batches. A
value that is not finite makes the whole interval nan: it is never dropped, because a
mean over the replications that happened to have a value would be biased. A single value
has an interval from minus to plus infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MIN_REPLICATIONS",
    "MOST_BATCHES",
    "BatchMeans",
    "Interval",
    "LongRun",
    "batch_means",
    "long_run",
    "mean_interval",
    "paired_interval",
    "paired_share_interval",
    "precision_reached",
    "quantile_interval",
    "required_replications",
    "wilson_interval",
]

MIN_REPLICATIONS = 10
"""Replications below which `precision_reached` never stops: few lie about spread."""

MOST_BATCHES = 40
"""Batches that `long_run` makes an interval of, at most."""

_FEWEST_BATCHES = 30
_MOST_FINE, _FEWEST_FINE = 400, 100  # batches that are tested for correlation
_MOST_LAG1 = 0.2
_LEAST_P = 0.01  # one sound run in a hundred is refused by chance


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        mean: The estimate: a mean, a difference of means, a share or a quantile.
        half_width: Half the width of the interval; infinite if it is unbounded.
        low: Lower end; for shares and quantiles not at `mean - half_width`.
        high: Upper end.
        n: Independent values it stands on.
        confidence: Probability that such an interval covers the true value.
    """

    mean: float
    half_width: float
    low: float
    high: float
    n: int
    confidence: float = 0.95

    @property
    def relative_half_width(self) -> float:
        """Half-width as a share of the mean's size; infinite where the mean is 0."""
        if self.mean == 0:
            return 0.0 if self.half_width == 0 else math.inf
        return self.half_width / abs(self.mean)

    def __contains__(self, value: float) -> bool:
        """Return whether a value lies in the interval, ends included."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """Return text such as ``12.3 ± 0.4`` or, if lopsided, ``0.1 (0.0 to 0.3)``."""
        if not math.isfinite(self.half_width) or self.half_width == 0:
            return f"{self.mean:.4g}" + (" ± 0" if self.half_width == 0 else " ± ?")
        places = _places(self.half_width)
        lopsided = abs(self.high + self.low - 2 * self.mean) > 0.1 * self.half_width
        if lopsided:
            low, high = _fixed(self.low, places), _fixed(self.high, places)
            return f"{_fixed(self.mean, places)} ({low} to {high})"
        return f"{_fixed(self.mean, places)} ± {_fixed(self.half_width, places)}"


def _places(width: float) -> int:
    """Return decimals that show one digit of a width, two if it begins with 1."""
    digits = f"{width:.1e}"
    return (1 if digits[0] == "1" else 0) - int(digits.partition("e")[2])


def _fixed(value: float, places: int) -> str:
    return f"{round(value, places):.{max(places, 0)}f}"


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the Student t interval of a mean over independent replications.

    Args:
        values: One value for each replication, at least one.
        confidence: Probability of covering the true mean, between 0 and 1.

    Raises:
        ValueError: There is no value, or the confidence is not between 0 and 1.
    """
    _check_confidence(confidence)
    sample = _sample(values)
    n = sample.size
    if not np.isfinite(sample).all():
        return Interval(math.nan, math.nan, math.nan, math.nan, n, confidence)
    mean = float(sample.mean())
    if n == 1:
        return Interval(mean, math.inf, -math.inf, math.inf, n, confidence)
    if np.ptp(sample) == 0:  # equal values may differ from the mean that is computed
        mean = float(sample[0])
        return Interval(mean, 0.0, mean, mean, n, confidence)
    half = t_quantile(confidence, n - 1) * float(sample.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, half, mean - half, mean + half, n, confidence)


def paired_interval(
    first: ArrayLike, second: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the interval of the mean difference `second - first` of paired values.

    Replication r of both must have used the same random streams for the pairing to
    help; the interval is valid either way.

    Raises:
        ValueError: The two differ in length, or as for `mean_interval`.
    """
    one, two = _sample(first), _sample(second)
    if one.size != two.size:
        msg = f"pairs need as many values on both sides, got {one.size} and {two.size}"
        raise ValueError(msg)
    both_finite = np.isfinite(one) & np.isfinite(two)
    difference = np.full(one.shape, math.nan)
    np.subtract(two, one, out=difference, where=both_finite)
    return mean_interval(difference, confidence)


def paired_share_interval(
    first: ArrayLike, second: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the interval of the difference of two shares, `second - first`, in pairs.

    It is made of the score intervals of both, and allows for how the outcomes go
    together. Where all pairs are equal it still has a width.

    Args:
        first: Outcomes of one, true for a success.
        second: Outcomes of the other, in the same order.
        confidence: Probability of covering the true difference, between 0 and 1.

    Raises:
        ValueError: The two differ in length, or there is no pair.

    Source:
        Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10.
    """
    one, two = np.asarray(first, bool), np.asarray(second, bool)
    if one.shape != two.shape or one.ndim != 1 or not one.size:
        msg = f"pairs need as many values on both sides, got {one.size} and {two.size}"
        raise ValueError(msg)
    n = one.size
    both, only_two = int((one & two).sum()), int((~one & two).sum())
    only_one = int((one & ~two).sum())
    neither = n - both - only_one - only_two
    w1 = wilson_interval(both + only_one, n, confidence)
    w2 = wilson_interval(both + only_two, n, confidence)
    margins = (both + only_one) * (only_two + neither)
    margins *= (both + only_two) * (only_one + neither)
    excess = both * neither - only_one * only_two
    # continuity: only what is beyond chance goes together
    together = max(excess - n / 2, 0.0) if excess > 0 else float(excess)
    phi = together / math.sqrt(margins) if margins else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))

    mean = (only_two - only_one) / n
    low = mean - reach(w2.mean - w2.low, w1.high - w1.mean)
    high = mean + reach(w2.high - w2.mean, w1.mean - w1.low)
    return Interval(mean, (high - low) / 2, low, high, n, confidence)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the score interval of a share; it stays within 0 and 1.

    Args:
        successes: Trials that succeeded, 0 to n.
        n: Independent trials, at least 1.
        confidence: Probability of covering the true share, between 0 and 1.

    Raises:
        ValueError: The counts are impossible, or the confidence is.

    Source:
        Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    _check_confidence(confidence)
    if n < 1 or not 0 <= successes <= n:
        msg = f"need 0 <= successes <= n and n >= 1, got {successes} of {n}"
        raise ValueError(msg)
    z = normal_quantile(confidence)
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    spread = math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    half = z * spread / (1 + z * z / n)
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == n else center + half
    return Interval(share, (high - low) / 2, low, high, n, confidence)


def quantile_interval(
    values: ArrayLike, share: float, confidence: float = 0.95
) -> Interval:
    """Return a quantile of independent values between two order statistics.

    It assumes nothing about the distribution: the number of values below the true
    quantile is binomial. Where the sample is too small to bound one side at half the
    error, that end is infinite.

    Args:
        values: Independent values, at least one.
        share: Which quantile, between 0 and 1.
        confidence: Probability of covering it, at least, between 0 and 1.

    Raises:
        ValueError: There is no value, or a probability is not between 0 and 1.

    Source:
        David and Nagaraja (2003), Order Statistics, 3rd ed., section 7.1.
    """
    _check_confidence(confidence)
    if not 0 < share < 1:
        msg = f"a quantile lies between 0 and 1, got {share}"
        raise ValueError(msg)
    sample = np.sort(_sample(values))
    n = sample.size
    if not np.isfinite(sample).all():
        return Interval(math.nan, math.nan, math.nan, math.nan, n, confidence)
    from scipy.special import bdtr  # noqa: PLC0415 - keeps the start of the CLI short

    tail = (1 - confidence) / 2
    below = bdtr(np.arange(n + 1.0), n, share)  # P(at most k values lie below)
    # Rank i is safe from below if P(fewer than i lie below) is within the tail.
    rank_low = int(np.searchsorted(below, tail, side="right"))
    rank_high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    low = float(sample[rank_low - 1]) if rank_low >= 1 else -math.inf
    high = float(sample[rank_high - 1]) if rank_high <= n else math.inf
    middle = float(np.quantile(sample, share))
    return Interval(middle, (high - low) / 2, low, high, n, confidence)


@dataclass(frozen=True, slots=True)
class BatchMeans:
    """The mean of one long run, from the means of its batches.

    Attributes:
        interval: Student t interval over the batch means.
        batch_size: Values in each batch.
        lag1: Correlation of neighboring batch means.
        p_value: Probability of at least this much correlation by chance.
        independent: Whether `p_value` is above 5 %; if not, the interval is too
            narrow and the run should be longer.
    """

    interval: Interval
    batch_size: int
    lag1: float
    p_value: float
    independent: bool


def batch_means(
    series: ArrayLike, n_batches: int = 20, confidence: float = 0.95
) -> BatchMeans:
    """Return the interval of the mean of one long run without its warm-up.

    What does not fill a batch is left out at the start. Neighboring batch means are
    tested for correlation by von Neumann's ratio, one-sided.

    Args:
        series: Values in the order of time, at least one for each batch.
        n_batches: Batches, at least 4.
        confidence: Probability of covering the true mean, between 0 and 1.

    Raises:
        ValueError: There are fewer batches than 4 or fewer values than batches.

    Source:
        Fishman (1978), Management Science 24(5), 510-521.
    """
    values = _sample(series)
    if n_batches < 4 or values.size < n_batches:
        msg = f"need 4 batches or more and as many values, got {n_batches} batches"
        raise ValueError(f"{msg} of {values.size} values")
    size = values.size // n_batches
    means = values[values.size - size * n_batches :].reshape(n_batches, size).mean(1)
    interval = mean_interval(means, confidence)
    if not math.isfinite(interval.half_width):
        return BatchMeans(interval, size, math.nan, math.nan, independent=False)
    lag1, p_value = _lag1_test(means)
    return BatchMeans(interval, size, lag1, p_value, p_value > 0.05)


@dataclass(frozen=True, slots=True)
class LongRun:
    """The interval of one long run, or why it has none.

    Attributes:
        found: The batch means; None where the run is too short for them.
        reason: Why there are none, else empty.
    """

    found: BatchMeans | None
    reason: str = ""


def long_run(series: ArrayLike, confidence: float = 0.95) -> LongRun:
    """Return batch means of one long run, unless its batches hang together.

    As many small batches as there may be, 400 at most and 100 at least, are tested
    first: there are enough of them to see a correlation. If that of neighbors is at
    most 0.2, the interval is that of 30 to 40 larger batches, of which so many are
    taken that the least is left over; von Neumann's ratio must find no correlation
    between them at 1 %.

    Args:
        series: Values of equal periods after the warm-up, in the order of time.
        confidence: Probability of covering the true mean, between 0 and 1.

    Raises:
        ValueError: The confidence is not between 0 and 1.

    Source:
        Banks, Carson, Nelson and Nicol (2010), Discrete-Event System Simulation, 5th
        ed., section 11.5.5. Where the correlation is too large to be tested away they
        advise ten batches, if the run cannot be made longer; here there is no interval.
    """
    values = np.asarray(series, np.float64)
    n = values.size
    if n < _FEWEST_FINE:
        return LongRun(
            None,
            f"the run is too short: {n} periods after the warm-up, {_FEWEST_FINE} "
            "the least",
        )
    fine = batch_means(values, n // -(-n // _MOST_FINE), confidence)
    if not fine.lag1 <= _MOST_LAG1:
        return LongRun(
            None,
            f"the run is too short: its {fine.interval.n} small batches have a "
            f"correlation of {fine.lag1:.2f}, {_MOST_LAG1} the most",
        )
    counts = range(MOST_BATCHES, _FEWEST_BATCHES - 1, -1)
    found = batch_means(values, min(counts, key=lambda k: n % k), confidence)
    if not found.p_value >= _LEAST_P:
        return LongRun(
            None,
            f"the run is too short: its {found.interval.n} batches have a correlation "
            f"of {found.lag1:.2f}, which is hardly chance",
        )
    return LongRun(found)


def _lag1_test(means: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lag-1 correlation and the chance of a von Neumann ratio as low."""
    from scipy.special import ndtr  # noqa: PLC0415 - keeps the start of the CLI short

    n = means.size
    deviation = means - means.mean()
    square = float(deviation @ deviation)
    if square == 0 or np.ptp(means) == 0:  # equal means may differ from their mean
        return 0.0, 1.0
    lag1 = float(deviation[1:] @ deviation[:-1]) / square
    steps = np.diff(means)
    statistic = 1 - float(steps @ steps) / (2 * square)
    return lag1, float(ndtr(-statistic / math.sqrt((n - 2) / (n * n - 1))))


def required_replications(
    values: ArrayLike, relative: float, confidence: float = 0.95
) -> int:
    """Return how many replications a relative half-width probably takes.

    Takes the spread of a pilot as the true one; good for a time left, not for
    stopping.

    Args:
        values: One value for each pilot replication, at least two.
        relative: Half-width wanted, as a share of the mean's size, positive.
        confidence: Probability of covering the true mean, between 0 and 1.

    Raises:
        ValueError: The pilot has fewer than two values, one is not finite, the mean is
            zero though the values differ, or `relative` is not positive.
    """
    _check_confidence(confidence)
    sample = _sample(values)
    if sample.size < 2 or not np.isfinite(sample).all() or not relative > 0:
        msg = f"need two finite values and relative > 0, got {sample.size}, {relative}"
        raise ValueError(msg)
    mean, spread = float(sample.mean()), float(sample.std(ddof=1))
    if spread == 0:
        return 2
    if mean == 0:
        msg = "a precision relative to a mean of zero cannot be reached"
        raise ValueError(msg)
    target = relative * abs(mean) / spread

    def enough(n: int) -> bool:
        return t_quantile(confidence, n - 1) / math.sqrt(n) <= target

    high = 2
    while not enough(high):
        high *= 2
    low = high // 2  # not enough, unless high is 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def precision_reached(
    values: ArrayLike, relative: float, confidence: float = 0.95
) -> bool:
    """Return whether a sequential study may stop after these replications.

    It may from `MIN_REPLICATIONS` on, once the half-width is at most
    `relative / (1 + relative)` of the estimate, which makes it at most `relative` of
    the true mean. The study must ask after each replication, in replication order.

    Raises:
        ValueError: `relative` is not positive, or as for `mean_interval`.

    Source:
        Law (2015), Simulation Modeling and Analysis, 5th ed., section 9.4.1.
    """
    if not relative > 0:
        msg = f"a relative precision is positive, got {relative}"
        raise ValueError(msg)
    interval = mean_interval(values, confidence)
    target = relative / (1 + relative)
    return interval.n >= MIN_REPLICATIONS and interval.relative_half_width <= target


def _sample(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or sample.size == 0:
        msg = f"need a list of one value or more, got an array of shape {sample.shape}"
        raise ValueError(msg)
    return sample


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        msg = f"a confidence lies between 0 and 1, such as 0.95, got {confidence}"
        raise ValueError(msg)


@lru_cache(maxsize=256)
def t_quantile(confidence: float, degrees: int) -> float:
    """Return how far Student's t lies from 0 with this probability, at most.

    With t = sqrt(degrees) tan(angle), the probability is a finite sum of powers of the
    angle's cosine (Abramowitz and Stegun, 26.7.3 and 26.7.4); the angle is found by
    halving. It is written out here because importing SciPy's takes a quarter of a
    second, at every start of the command.
    """
    is_odd = degrees % 2 == 1
    n = np.arange(1, (degrees - 1) // 2 if is_odd else degrees // 2)
    ratios = 2 * n / (2 * n + 1) if is_odd else (2 * n - 1) / (2 * n)
    weights = np.cumprod(np.concatenate(([1.0], ratios)))
    powers = 2 * np.arange(len(weights)) + is_odd

    def probability(angle: float) -> float:
        total = float(weights @ math.cos(angle) ** powers) if degrees > 1 else 0.0
        total *= math.sin(angle)
        return 2 / math.pi * (angle + total) if is_odd else total

    low, high = 0.0, math.pi / 2
    while (middle := (low + high) / 2) not in (low, high):
        if probability(middle) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(low)


def normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
