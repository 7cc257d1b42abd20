"""Since when a sequence is no longer what a model says of it, with few false alarms.

A sequence of normal scores is independent and standard normal while the model holds.
The statistic is the largest, over all instants, of the standardized sum of all scores
since then: the likelihood ratio for a level that changed once and stayed. How large it
gets by chance is found by drawing sequences of the same length, so that the chance of a
false alarm is the one asked for. Scores that lean on their neighbors count for fewer;
and where the model itself was fitted to a sample, its own error is counted in.

Source: Page (1954), Continuous inspection schemes, Biometrika 41, 100-115 (the sums);
James, James and Siegmund (1987), Tests for a change-point, Biometrika 74, 71-83.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from linewright.fit.distributions import random_of
from linewright.fit.log import Floats

__all__ = ["ChangePoint", "change_point"]

_LEAST = 8  # scores after a change that can be told from chance
_MOST = 1_000
_DRAWN = 1_999


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Where a sequence left its level, and how sure that is.

    Attributes:
        at: First position after the change.
        shift: Mean of the scores since then, in standard deviations.
        p: Chance of as large a change anywhere, if the model holds.
        n: Scores.
    """

    at: int
    shift: float
    p: float
    n: int


def change_point(z: Floats, n_fitted: int = 0) -> ChangePoint | None:
    """Return where normal scores changed their level the most; none if too few.

    Args:
        z: Scores in the order of time.
        n_fitted: Times to which the distribution behind the scores was fitted; 0: it
            is known.
    """
    n = len(z)
    if n < 2 * _LEAST:
        return None
    size = -(-n // _MOST)
    m = n // size
    grouped = z[n - m * size :].reshape(m, size).sum(axis=1) / math.sqrt(size)
    own = n_fitted / size if n_fitted else math.inf
    at = int(np.argmax(_statistics(grouped[None, :], math.inf)[0]))
    statistic = _statistics(grouped[None, :], own)[0]
    inflation = _leaning(grouped, at)
    highest = _by_chance(m)
    p = (1 + int((highest >= statistic[at] / inflation).sum())) / (_DRAWN + 1)
    begin = n - m * size + at * size
    return ChangePoint(begin, float(z[begin:].mean()), p, n)


@cache
def _by_chance(m: int) -> Floats:
    """Return the largest statistic of sequences in which nothing changes."""
    drawn = random_of("changepoint", m).standard_normal((_DRAWN, m))
    found: Floats = _statistics(drawn, math.inf).max(axis=1)
    return found


def _statistics(z: Floats, n_fitted: float) -> Floats:
    """Return standardized sums from each position to the end; rows are sequences."""
    m = z.shape[1]
    left = np.arange(m, 0, -1)
    tail = np.cumsum(z[:, ::-1], axis=1)[:, ::-1]
    variance = left + (left**2 / n_fitted if math.isfinite(n_fitted) else 0.0)
    found: Floats = np.abs(tail) / np.sqrt(variance)
    found[:, left < min(_LEAST, m // 2)] = 0.0
    return found


def _leaning(z: Floats, at: int) -> float:
    """Return how much wider sums are because scores lean on their neighbors."""
    if at < 3 or len(z) - at < 3:
        rest = z - z.mean()
    else:
        rest = np.concatenate([z[:at] - z[:at].mean(), z[at:] - z[at:].mean()])
    spread = float((rest**2).mean())
    if spread <= 0:
        return 1.0
    r = float((rest[1:] * rest[:-1]).mean()) / spread
    r = min(max(r - 1 / math.sqrt(len(z)), 0.0), 0.9)  # not what is chance
    return math.sqrt((1 + r) / (1 - r)) * max(math.sqrt(spread), 1.0)
