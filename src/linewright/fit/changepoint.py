"""Since when a sequence is no longer what a model says of it, with few false alarms.

A sequence of normal scores is independent and standard normal while the model holds.
The statistic is the largest, over all instants, of the standardized sum of all scores
since then: the likelihood ratio for a level that changed once and stayed. How large it
gets by chance is found by drawing sequences of the same length, so that the chance of a
false alarm is the one asked for; farther out than can be drawn, its tail is that of a
normal distribution with a power before it. Scores that lean on their neighbors count
for fewer; and where the model itself was fitted to a sample, its own error is counted
in. Who looks again and again asks for the largest statistic over all looks instead: the
chance that any look ever says so is then the one asked for.

Source: Page (1954), Continuous inspection schemes, Biometrika 41, 100-115 (the sums);
James, James and Siegmund (1987), Tests for a change-point, Biometrika 74, 71-83;
Siegmund and Venkatraman (1995), Using the generalized likelihood ratio statistic for
sequential detection of a change-point, Annals of Statistics 23, 255-271 (many looks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from linewright.fit.distributions import random_of
from linewright.fit.log import Floats

__all__ = ["WATCHED", "ChangePoint", "change_point"]

WATCHED = 1_000
"""Scores over which a sequence that is watched is looked at."""

_LEAST = 8  # scores after a change that can be told from chance
_MOST = 1_000
_DRAWN = 1_999
_ANCHOR = 0.05  # what is drawn says the chance down to this; beyond, its tail does
_POWER, _POWER_EVER = 2, 4  # of the tail, before the normal one
_EVER = 4.329  # exceeded with chance 0.05 at any look at `WATCHED` scores: 6,000 drawn


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


def change_point(
    z: Floats, n_fitted: int = 0, *, is_watched: bool = False
) -> ChangePoint | None:
    """Return where normal scores changed their level the most; none if too few.

    Args:
        z: Scores in the order of time.
        n_fitted: Times to which the distribution behind the scores was fitted; 0: it
            is known.
        is_watched: Whether the sequence is looked at again and again as it grows, up
            to `WATCHED` scores: the chance is then that of so large a change at any of
            these looks.
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
    p = _chance(float(statistic[at]) / inflation, m, is_watched=is_watched)
    begin = n - m * size + at * size
    return ChangePoint(begin, float(z[begin:].mean()), p, n)


def _chance(statistic: float, m: int, *, is_watched: bool) -> float:
    """Return the chance of a statistic as large as this if nothing has changed."""
    if is_watched:
        return _tail(statistic, _EVER, _POWER_EVER)
    highest = _by_chance(m)
    share = float((1 + (highest >= statistic).sum()) / (len(highest) + 1))
    if share > _ANCHOR:
        return share
    return _tail(statistic, float(np.quantile(highest, 1 - _ANCHOR)), _POWER)


def _tail(statistic: float, anchor: float, power: int) -> float:
    """Return the chance beyond a statistic, from that beyond another, `_ANCHOR`."""
    if statistic <= 0:
        return 1.0
    log_ratio = stats.norm.logsf(statistic) - stats.norm.logsf(anchor)
    log_ratio += power * math.log(statistic / anchor)
    return float(min(_ANCHOR * math.exp(log_ratio), 1.0))


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
