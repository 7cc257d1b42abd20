"""Capability of a process: Cp and Cpk, with how sure they are.

Both compare limits with six standard deviations. The standard deviation is that within
subgroups (from ranges), so that slow drifts are not in it, or that of all values; the
first gives Cp and Cpk, the second Pp and Ppk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, norm

from linewright.stats.control_charts import individuals, range_mean, range_sd, xbar_r

__all__ = ["Capability", "Index", "capability"]

Floats = npt.NDArray[np.float64]


class Index(NamedTuple):
    """An index with its interval."""

    value: float
    low: float
    high: float


class Capability(NamedTuple):
    """What a process can hold.

    Attributes:
        n: Values.
        mean: Their mean.
        sigma_within: Standard deviation within subgroups, from ranges.
        sigma: Standard deviation of all values.
        cp: Cp, if there are two limits.
        cpk: Cpk, if there is a limit.
        pp: Pp, if there are two limits.
        ppk: Ppk, if there is a limit.
        outside: Share of the values outside the limits.
    """

    n: int
    mean: float
    sigma_within: float
    sigma: float
    cp: Index | None
    cpk: Index | None
    pp: Index | None
    ppk: Index | None
    outside: float


def capability(
    values: Sequence[float] | Floats,
    lower: float | None,
    upper: float | None,
    n_subgroup: int = 1,
    confidence: float = 0.95,
) -> Capability:
    """Return the capability of a process of normal values.

    Args:
        values: At least three values in the order in which they came.
        lower: Lower limit, if there is one.
        upper: Upper limit, if there is one.
        n_subgroup: Values in a subgroup; of 1, moving ranges of two are taken.
        confidence: Chance that an interval holds the index, two-sided.

    Raises:
        ValueError: There are too few values, or the limits are not in their order.

    Source:
        Interval of Cp: chi-square (Kane 1986, Journal of Quality Technology 18);
        of Cpk: Bissell (1990), Applied Statistics 39, 331-340. Ranges count with as
        many degrees of freedom as have their coefficient of variation (Patnaik 1950,
        Biometrika 37, 78-87).
    """
    if lower is not None and upper is not None and lower >= upper:
        msg = f"the lower limit {lower} is not below the upper limit {upper}"
        raise ValueError(msg)
    x = np.asarray(values, np.float64)
    n = len(x)
    chart = (individuals(x) if n_subgroup == 1 else xbar_r(x, n_subgroup))[0]
    within, of_all = chart.sigma, float(x.std(ddof=1))
    free = _freedom(len(chart.points), n_subgroup)
    mean = float(x.mean())
    outside = np.zeros(n, np.bool_)
    if lower is not None:
        outside |= x < lower
    if upper is not None:
        outside |= x > upper
    z = float(norm.ppf((1 + confidence) / 2))

    def spread(sigma: float, freedom: float) -> Index | None:
        if lower is None or upper is None or sigma == 0:
            return None
        index = (upper - lower) / (6 * sigma)
        tail = (1 - confidence) / 2
        low, high = chi2.ppf([tail, 1 - tail], freedom) / freedom
        return Index(index, index * math.sqrt(low), index * math.sqrt(high))

    def nearest(sigma: float, freedom: float) -> Index | None:
        room = [
            distance
            for distance in (
                None if lower is None else mean - lower,
                None if upper is None else upper - mean,
            )
            if distance is not None
        ]
        if not room or sigma == 0:
            return None
        index = min(room) / (3 * sigma)
        half = z * math.sqrt(1 / (9 * n) + index**2 / (2 * freedom))
        return Index(index, index - half, index + half)

    return Capability(
        n, mean, within, of_all, spread(within, free), nearest(within, free),
        spread(of_all, n - 1), nearest(of_all, n - 1), float(outside.mean()),
    )  # fmt: skip


def _freedom(n_points: int, n_subgroup: int) -> float:
    """Return the degrees of freedom of a standard deviation that comes from ranges.

    A chi with f degrees of freedom has a coefficient of variation whose square is about
    1 / 2f. Moving ranges share a value with their neighbors, whose covariance follows
    from that of two absolute normal values with correlation -1/2.
    """
    if n_subgroup > 1:
        variation = (range_sd(n_subgroup) / range_mean(n_subgroup)) ** 2 / n_points
    else:
        m = n_points - 1
        both = 4 / math.pi * (math.sqrt(0.75) + math.asin(0.5) / 2)
        shared = both - range_mean(2) ** 2
        variation = (range_sd(2) ** 2 * m + 2 * shared * (m - 1)) / m**2
        variation /= range_mean(2) ** 2
    return 1 / (2 * variation)
