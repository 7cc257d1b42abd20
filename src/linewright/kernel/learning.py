"""Experience and ramp-up: how times and yields change while the line runs.

An operation that is learned takes a share of its first time, by the units done before:
of Crawford the time of unit n is the first times n to the power of b, of Wright that is
the average of the first n (T. P. Wright, 1936, Journal of the Aeronautical Sciences
3(4); J. R. Crawford, 1944, Learning curve, ship curve, ratios, related data). The power
b is the logarithm to base two of the share that is left when the number doubles. While
nothing is done, experience halves in its half-life. A station that ramps up has a share
of its speed, or its yield, that goes in straight lines from point to point in time.
"""

from __future__ import annotations

import math

from linewright.kernel._jit import jit
from linewright.tables import WRIGHT, LineTables, State

__all__ = ["experience", "learn", "learned_share", "mean_share", "ramp_share"]


@jit
def experience(line: LineTables, state: State, c):
    """Return the units done before that still count, by a curve."""
    curve = line.curves[c]
    known = state.curves[c]
    if curve.half_life <= 0:
        return known.experience
    gap = (state.clock[0].now - known.last) / curve.half_life
    return known.experience * math.pow(0.5, gap)


@jit
def learn(line: LineTables, state: State, c, n):
    """Count units that were done now."""
    known = experience(line, state, c) + n
    state.curves[c].experience = known
    state.curves[c].last = state.clock[0].now


@jit
def learned_share(line: LineTables, state: State, c, ahead):
    """Return the share of its first time that a unit takes, some others done before."""
    curve = line.curves[c]
    n = experience(line, state, c) + ahead + 1
    share = math.pow(n, curve.exponent)
    if curve.kind == WRIGHT:
        share = n * share - (n - 1) * math.pow(max(n - 1, 1e-9), curve.exponent)
    return max(share, curve.plateau)


@jit
def mean_share(line: LineTables, state: State, c, n):
    """Return the average share of their first time that the next units take."""
    total = 0.0
    for ahead in range(n):
        total += learned_share(line, state, c, ahead)
    return total / n


@jit
def ramp_share(line: LineTables, now, c):
    """Return the share that a ramp has reached at a time.

    `data` holds n times in microseconds, then their n shares.
    """
    curve = line.curves[c]
    last = curve.first + curve.n - 1
    if now >= line.data[last]:
        return line.data[last + curve.n]
    i = curve.first
    if now <= line.data[i]:
        return line.data[i + curve.n]
    while line.data[i + 1] <= now:
        i += 1
    start = line.data[i]
    way = (now - start) / (line.data[i + 1] - start)
    low = line.data[i + curve.n]
    return low + way * (line.data[i + curve.n + 1] - low)
