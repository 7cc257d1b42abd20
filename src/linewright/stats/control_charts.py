"""Control charts: X-bar and R, individuals and moving range, p, c, and EWMA.

A chart has a center line and limits three standard errors away, all estimated from the
points themselves unless given. Constants such as d2 and A2 are integrals over the
range of a normal sample and are computed, not copied. `signals` holds a chart against
the rules of Western Electric or of Nelson.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

__all__ = [
    "BY_CHANCE",
    "LONGEST_RULE",
    "NELSON",
    "RULE_SETS",
    "WESTERN_ELECTRIC",
    "Chart",
    "RuleSet",
    "Signaled",
    "broken_at",
    "c_chart",
    "ewma_chart",
    "individuals",
    "p_chart",
    "range_mean",
    "range_sd",
    "signals",
    "xbar_r",
]

Floats = npt.NDArray[np.float64]
RuleSet = Literal["western_electric", "nelson"]

_MOST = 100  # units in a subgroup
_SIGMAS = 3.0


class Chart(NamedTuple):
    """A control chart.

    Attributes:
        name: ``X-bar``, ``R``, ``I``, ``MR``, ``p``, ``c`` or ``EWMA``.
        points: What is plotted, shape (n,).
        center: The center line, in the unit of the points.
        error: Standard error of each point, shape (n,).
        lower: Lower control limit of each point, shape (n,).
        upper: Upper control limit, shape (n,).
        sigma: Estimated standard deviation of single values; NaN for p and c.
    """

    name: str
    points: Floats
    center: float
    error: Floats
    lower: Floats
    upper: Floats
    sigma: float


class Signaled(NamedTuple):
    """A rule that a chart breaks.

    Attributes:
        point: The point at which it shows, from 0.
        rule: Number of the rule in its set, from 1.
        text: What was found.
    """

    point: int
    rule: int
    text: str


# ---------------------------------------------------------------- constants


_END = 9.0  # beyond nine sigma nothing counts


@cache
def _nodes() -> tuple[Floats, Floats]:
    """Return nodes and weights of an integral from -1 to 1; right to ten digits."""
    return np.polynomial.legendre.leggauss(96)


@cache
def range_mean(n: int) -> float:
    """Return d2: the mean range of n standard normal values.

    Args:
        n: Size of the sample, 2 to 100.

    Raises:
        ValueError: `n` is outside.

    Source:
        Tippett (1925), Biometrika 17, 364-387: the integral of
        1 - F(x)^n - (1 - F(x))^n.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - slow

    _check_size(n)
    nodes, weights = _nodes()
    x = _END * nodes
    return float(_END * np.sum(weights * (1 - ndtr(x) ** n - ndtr(-x) ** n)))


@cache
def range_sd(n: int) -> float:
    """Return d3: the standard deviation of the range of n standard normal values.

    Args:
        n: Size of the sample, 2 to 100.

    Raises:
        ValueError: `n` is outside.

    Source:
        Tippett (1925): the mean square is twice the integral over x < y of
        1 - F(y)^n - (1 - F(x))^n + (F(y) - F(x))^n.
    """
    from scipy.special import ndtr  # noqa: PLC0415 - slow

    _check_size(n)
    nodes, weights = _nodes()
    x = _END * nodes[:, None]
    half = (_END - x) / 2
    y = x + half * (nodes + 1)
    inner = 1 - ndtr(y) ** n - ndtr(-x) ** n + (ndtr(y) - ndtr(x)) ** n
    total = _END * float(weights @ (half * inner) @ weights)
    return math.sqrt(2 * total - range_mean(n) ** 2)


def _check_size(n: int) -> None:
    if not 2 <= n <= _MOST:
        msg = f"a subgroup has 2 to {_MOST} values, got {n}"
        raise ValueError(msg)


# ---------------------------------------------------------------- charts


def _values(values: Sequence[float] | Floats, least: int) -> Floats:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or len(x) < least or not np.isfinite(x).all():
        msg = f"a chart needs at least {least} finite values, got {len(x)}"
        raise ValueError(msg)
    return x


def _chart(  # noqa: PLR0913, PLR0917
    name: str,
    points: Floats,
    center: float,
    error: float | Floats,
    sigma: float,
    floor: float = -math.inf,
    ceiling: float = math.inf,
) -> Chart:
    errors = np.broadcast_to(np.asarray(error, np.float64), points.shape).copy()
    lower = np.maximum(center - _SIGMAS * errors, floor)
    upper = np.minimum(center + _SIGMAS * errors, ceiling)
    return Chart(name, points, float(center), errors, lower, upper, sigma)


def xbar_r(values: Sequence[float] | Floats, n: int) -> tuple[Chart, Chart]:
    """Return the charts of means and ranges of subgroups.

    Args:
        values: Values in the order in which they came; what does not fill the last
            subgroup is left out.
        n: Values in a subgroup, 2 to 100.

    Raises:
        ValueError: There are fewer than two subgroups, or a value is not finite.

    Source:
        Shewhart (1931); NIST/SEMATECH e-Handbook, 6.3.2.1.
    """
    _check_size(n)
    x = _values(values, 2 * n)
    groups = x[: len(x) // n * n].reshape(-1, n)
    means, ranges = groups.mean(axis=1), np.ptp(groups, axis=1)
    sigma = float(ranges.mean()) / range_mean(n)
    error = sigma / math.sqrt(n)
    return (
        _chart("X-bar", means, float(means.mean()), error, sigma),
        _chart("R", ranges, float(ranges.mean()), sigma * range_sd(n), sigma, 0.0),
    )


def individuals(values: Sequence[float] | Floats) -> tuple[Chart, Chart]:
    """Return the charts of single values and of their moving ranges of two.

    Args:
        values: At least three values in the order in which they came.

    Raises:
        ValueError: There are fewer, or one is not finite.

    Source:
        NIST/SEMATECH e-Handbook, 6.3.2.2.
    """
    x = _values(values, 3)
    ranges = np.abs(np.diff(x))
    sigma = float(ranges.mean()) / range_mean(2)
    return (
        _chart("I", x, float(x.mean()), sigma, sigma),
        _chart("MR", ranges, float(ranges.mean()), sigma * range_sd(2), sigma, 0.0),
    )


def p_chart(rejected: Sequence[int], inspected: Sequence[int]) -> Chart:
    """Return the chart of shares, whose limits follow the size of each sample.

    Args:
        rejected: Units rejected in each sample.
        inspected: Units in each sample, one or more.

    Raises:
        ValueError: There are fewer than two samples, or more rejected than inspected.

    Source:
        NIST/SEMATECH e-Handbook, 6.3.3.2.
    """
    bad, n = _values(rejected, 2), _values(inspected, 2)
    if bad.shape != n.shape or (n < 1).any() or (bad < 0).any() or (bad > n).any():
        msg = "each sample has one unit or more, of which none to all are rejected"
        raise ValueError(msg)
    share = float(bad.sum() / n.sum())
    error = np.sqrt(share * (1 - share) / n)
    return _chart("p", bad / n, share, error, math.nan, 0.0, 1.0)


def c_chart(counts: Sequence[float] | Floats) -> Chart:
    """Return the chart of counts, such as flaws of a unit.

    Args:
        counts: At least two counts, none negative.

    Raises:
        ValueError: There are fewer, or one is negative.

    Source:
        NIST/SEMATECH e-Handbook, 6.3.3.1.
    """
    x = _values(counts, 2)
    if (x < 0).any():
        msg = "counts are zero or more"
        raise ValueError(msg)
    mean = float(x.mean())
    return _chart("c", x, mean, math.sqrt(mean), math.nan, 0.0)


def ewma_chart(
    values: Sequence[float] | Floats,
    weight: float = 0.2,
    center: float | None = None,
    sigma: float | None = None,
) -> Chart:
    """Return the chart of exponentially weighted moving averages.

    Limits are those of each point, which widen from the first on.

    Args:
        values: At least three values in the order in which they came.
        weight: Weight of the newest value, above 0 and up to 1.
        center: Where the average begins; the mean of the values by default.
        sigma: Standard deviation of single values; from moving ranges by default.

    Raises:
        ValueError: There are fewer values, or the weight is outside.

    Source:
        Roberts (1959), Technometrics 1, 239-250; NIST/SEMATECH e-Handbook, 6.3.2.4.
    """
    x = _values(values, 3)
    if not 0 < weight <= 1:
        msg = f"the weight of the newest value is above 0 and up to 1, got {weight}"
        raise ValueError(msg)
    sigma = individuals(x)[0].sigma if sigma is None else sigma
    center = float(x.mean()) if center is None else center
    points, last = np.empty_like(x), center
    for i, value in enumerate(x):
        last = points[i] = weight * value + (1 - weight) * last
    steps = np.arange(1, len(x) + 1)
    share = weight / (2 - weight) * (1 - (1 - weight) ** (2 * steps))
    return _chart("EWMA", points, center, sigma * np.sqrt(share), sigma)


# ---------------------------------------------------------------- rules

_Rule = tuple[str, int, Callable[[Floats], npt.NDArray[np.bool_]]]
"""Text, points looked at, and what says of rows of so many whether they break it."""


def _beyond(z: Floats, limit: float, least: int) -> npt.NDArray[np.bool_]:
    """Say whether enough points lie beyond a limit on the side of the last one."""
    last = z[:, -1:]
    n_beyond = np.sum(np.sign(last) * z > limit, axis=1)
    found: npt.NDArray[np.bool_] = (abs(last[:, 0]) > limit) & (n_beyond >= least)
    return found


def _one_side(z: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((z > 0).all(axis=1) | (z < 0).all(axis=1))


def _trend(z: Floats) -> npt.NDArray[np.bool_]:
    return _one_side(np.diff(z, axis=1))


def _alternates(z: Floats) -> npt.NDArray[np.bool_]:
    steps = np.diff(z, axis=1)
    return np.asarray((steps[:, 1:] * steps[:, :-1] < 0).all(axis=1))


def _all_within(z: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((abs(z) < 1).all(axis=1))


def _all_beyond(z: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((abs(z) > 1).all(axis=1))


WESTERN_ELECTRIC: tuple[_Rule, ...] = (
    ("beyond three sigma", 1, lambda z: _beyond(z, 3, 1)),
    ("two of three beyond two sigma on one side", 3, lambda z: _beyond(z, 2, 2)),
    ("four of five beyond one sigma on one side", 5, lambda z: _beyond(z, 1, 4)),
    ("eight in a row on one side", 8, _one_side),
)
"""Rules with the number of points they look at.

Source: Western Electric (1956), Statistical Quality Control Handbook.
"""

NELSON: tuple[_Rule, ...] = (
    ("beyond three sigma", 1, lambda z: _beyond(z, 3, 1)),
    ("nine in a row on one side", 9, _one_side),
    ("six in a row rising or falling", 6, _trend),
    ("fourteen in a row up and down by turns", 14, _alternates),
    ("two of three beyond two sigma on one side", 3, lambda z: _beyond(z, 2, 2)),
    ("four of five beyond one sigma on one side", 5, lambda z: _beyond(z, 1, 4)),
    ("fifteen in a row within one sigma", 15, _all_within),
    ("eight in a row beyond one sigma", 8, _all_beyond),
)
"""Rules with the number of points they look at.

Source: Nelson (1984), Journal of Quality Technology 16, 238-239.
"""

RULE_SETS: dict[str, tuple[_Rule, ...]] = {
    "western_electric": WESTERN_ELECTRIC,
    "nelson": NELSON,
}


def signals(chart: Chart, rules: RuleSet = "nelson") -> list[Signaled]:
    """Return which rules a chart breaks, in the order of its points.

    The rules are made for independent points that lie evenly around the center: X-bar
    and I. Of the other charts only the first one, a point beyond the limits, is asked.

    Args:
        chart: The chart.
        rules: The set of rules.
    """
    if chart.name not in {"X-bar", "I"}:
        outside = (chart.points > chart.upper) | (chart.points < chart.lower)
        return [
            Signaled(int(i), 1, "beyond the limits") for i in np.flatnonzero(outside)
        ]
    deviation = chart.points - chart.center
    z = np.divide(
        deviation, chart.error, out=np.zeros_like(deviation), where=chart.error > 0
    )
    found = [
        Signaled(int(i) + n - 1, number, text)
        for number, (text, n, is_broken) in enumerate(RULE_SETS[rules], 1)
        if len(z) >= n
        for i in np.flatnonzero(is_broken(sliding_window_view(z, n)))
    ]
    return sorted(found)


def broken_at(z: Sequence[float], rules: RuleSet) -> list[tuple[int, str]]:
    """Return the rules that the last of some points breaks: number and text.

    Args:
        z: The points up to it, in standard errors from the center line.
        rules: The set of rules.
    """
    points = np.asarray(z, np.float64)
    return [
        (number, text)
        for number, (text, n, is_broken) in enumerate(RULE_SETS[rules], 1)
        if len(points) >= n and is_broken(points[None, -n:])[0]
    ]


BY_CHANCE: dict[str, float] = {"western_electric": 0.0164, "nelson": 0.0231}
"""Share of the points of a process in control that break a rule; by simulation."""

LONGEST_RULE = max(n for rules in RULE_SETS.values() for _, n, _ in rules)
"""So many points are enough to say whether the last one breaks a rule."""
