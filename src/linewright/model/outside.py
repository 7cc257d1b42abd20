"""How likely values lie outside of limits."""

from __future__ import annotations

import math

__all__ = ["counts_outside", "values_outside"]

_MOST_COUNTED = 100_000


def values_outside(
    mean: float, sd: float, lower: float | None, upper: float | None
) -> float:
    """Return the chance that a normal value is outside of its limits.

    Args:
        mean: Its mean.
        sd: Its standard deviation, zero or more.
        lower: Least that is inside; none: no limit.
        upper: Most that is inside; none: no limit.
    """
    if sd == 0:
        below, above = _is_below(mean, lower), _is_above(mean, upper)
        return float(below or above)
    root = sd * math.sqrt(2)
    found = 0.0
    if lower is not None:
        found += math.erfc((mean - lower) / root) / 2
    if upper is not None:
        found += math.erfc((upper - mean) / root) / 2
    return min(found, 1.0)


def _is_below(value: float, lower: float | None) -> bool:
    return lower is not None and value < lower


def _is_above(value: float, upper: float | None) -> bool:
    return upper is not None and value > upper


def counts_outside(mean: float, lower: float | None, upper: float | None) -> float:
    """Return the chance that a Poisson number is outside of its limits.

    Args:
        mean: Its mean, zero to 1,000.
        lower: Least that is inside; none: no limit.
        upper: Most that is inside; none: no limit.
    """
    if mean <= 0:
        return float(_is_below(0.0, lower) or _is_above(0.0, upper))
    found, n = 0.0, 0
    last = mean + 40 * math.sqrt(mean) + 40  # beyond, nothing counts
    while n <= last and n < _MOST_COUNTED:
        if _is_below(n, lower) or _is_above(n, upper):
            found += math.exp(n * math.log(mean) - mean - math.lgamma(n + 1))
        n += 1
    return min(found, 1.0)
