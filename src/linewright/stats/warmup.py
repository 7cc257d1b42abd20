"""How much of the start of a run to leave out: MSER-5.

The series is cut into batches of five periods. Of all places to cut, the best leaves
a rest whose mean has the least marginal standard error: cutting more would lose more
by the smaller sample than it wins by the smaller bias. A best cut in the second half
says that the series has not settled, and is refused. With several replications their
average in each period is looked at first, as in Welch's plot; of several measures the
largest cut serves all. Only a steady-state study has a warm-up to cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BATCH", "Warmup", "largest_cut", "mser5", "welch_average"]

BATCH = 5
"""Periods in a batch."""

_LAST_BATCHES, _LAST_SHARE = 5, 10  # a rest of fewer, or below a tenth, is chance
_FEWEST_BATCHES = 10


@dataclass(frozen=True, slots=True)
class Warmup:
    """Where a run settles.

    Attributes:
        found: Whether the series settles in its first half.
        cut: Periods to leave out at the start; 0 if not found.
        n_periods: Periods looked at.
        reason: Why no cut was found, else empty.
    """

    found: bool
    cut: int
    n_periods: int
    reason: str = ""


def mser5(series: ArrayLike) -> Warmup:
    """Return the warm-up of a series by the marginal standard error rule.

    Takes time in proportion to the length of the series.

    Args:
        series: Values of one measure in equal periods, ``[period]`` or
            ``[replication, period]``; a rest of fewer than five periods at the end is
            left out.

    Raises:
        ValueError: The series has neither one nor two dimensions, or no replication.

    Source:
        White (1997), Simulation 69(6), 323-334, and White, Cobb and Spratt (2000),
        Winter Simulation Conference, 755-760. The last batches are not searched, five
        as in Hoad, Robinson and Davies (2010), Journal of the Operational Research
        Society 61(9), 1389-1403, and here at least a tenth: where neighbors are
        alike, a short rest has a small spread by chance.
    """
    mean = _mean_over_replications(series)
    n_periods, n_batches = mean.size, mean.size // BATCH
    if n_batches < _FEWEST_BATCHES:
        least = _FEWEST_BATCHES * BATCH
        return _refused(
            n_periods, f"{n_periods} periods are too few, {least} the least"
        )
    if not np.isfinite(mean).all():
        return _refused(n_periods, "the series has periods without a value")
    batches = mean[: n_batches * BATCH].reshape(n_batches, BATCH).mean(1)
    least_rest = max(_LAST_BATCHES, n_batches // _LAST_SHARE)
    best = int(np.argmin(_standard_errors(batches)[: n_batches - least_rest + 1]))
    if 2 * best >= n_batches:
        text = f"the best cut, {best * BATCH} of {n_periods} periods, is in the second"
        return _refused(n_periods, f"{text} half: the series has not settled")
    return Warmup(found=True, cut=best * BATCH, n_periods=n_periods)


def _refused(n_periods: int, reason: str) -> Warmup:
    return Warmup(found=False, cut=0, n_periods=n_periods, reason=reason)


def _standard_errors(batches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each cut the squared deviations of the rest over its size squared.

    Sums run from the end (Welford's update), so that nothing cancels: a rest that is
    constant gives exactly zero.
    """
    backward = batches[::-1] - batches[-1]
    n = np.arange(1.0, batches.size + 1)
    mean = np.cumsum(backward) / n
    step = backward[1:] - mean[:-1]
    squares = np.cumsum(np.append(0.0, step * step * n[:-1] / n[1:]))
    return np.asarray((squares / n**2)[::-1])


def largest_cut(measures: Mapping[str, Warmup]) -> Warmup:
    """Return the warm-up that serves all measures: the largest cut.

    It is found only if it was for each; the reason names every measure that was not.

    Raises:
        ValueError: There is no measure, or they differ in their number of periods.
    """
    lengths = {warmup.n_periods for warmup in measures.values()}
    if len(lengths) != 1:
        msg = f"need measures over the same periods, got lengths {sorted(lengths)}"
        raise ValueError(msg)
    n_periods = lengths.pop()
    reasons = [f"{name}: {w.reason}" for name, w in measures.items() if not w.found]
    if reasons:
        return _refused(n_periods, "; ".join(reasons))
    cut = max(warmup.cut for warmup in measures.values())
    return Warmup(found=True, cut=cut, n_periods=n_periods)


def welch_average(series: ArrayLike, window: int) -> NDArray[np.float64]:
    """Return the average over replications, smoothed over periods, for a plot.

    Args:
        series: ``[period]`` or ``[replication, period]``.
        window: Periods on each side of a period that are averaged with it, zero or
            more; near the ends as many as there are, the same on both sides.

    Raises:
        ValueError: The shape is wrong or the window negative.

    Source:
        Welch (1983), in Computer Performance Modeling Handbook, 268-328.
    """
    mean = _mean_over_replications(series)
    if window < 0:
        msg = f"a window is zero or more periods, got {window}"
        raise ValueError(msg)
    sums = np.concatenate([[0.0], np.cumsum(mean)])
    period = np.arange(mean.size)
    half = np.minimum(np.minimum(period, period[::-1]), window)
    total = sums[period + half + 1] - sums[period - half]
    return np.asarray(total / (2 * half + 1))


def _mean_over_replications(series: ArrayLike) -> NDArray[np.float64]:
    values = np.atleast_2d(np.asarray(series, np.float64))
    if values.ndim != 2 or values.shape[0] == 0:
        msg = f"need [period] or [replication, period], got shape {values.shape}"
        raise ValueError(msg)
    return np.asarray(values.mean(0))
