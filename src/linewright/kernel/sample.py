"""Draws from distributions: a named number in, a time in whole microseconds out.

Distributions with one number a draw go by the inverse of their distribution function,
so that a draw moves in step with its uniform and compared scenarios stay paired. Gamma
and beta need several numbers and take further ones under the same name.
"""

from __future__ import annotations

import math

from linewright.kernel._jit import hot, jit
from linewright.kernel.streams import (
    FAR,
    exponential_of,
    log_unit,
    standard,
    uniform_at,
)
from linewright.tables import EXPONENTIAL, TIMES, Draws, LineTables

__all__ = ["CONSTANT", "sample", "uniform"]

# the order of `model.distribution.KINDS`
(
    CONSTANT,
    UNIFORM_TIME,
    TRIANGULAR,
    EXPONENTIAL_TIME,
    ERLANG,
    GAMMA,
    LOGNORMAL,
    NORMAL,
    WEIBULL,
    BETA,
    PERT,
    HYPEREXPONENTIAL,
    DISCRETE,
    EMPIRICAL,
) = range(14)


@hot
def sample(line: LineTables, draws: Draws, dist, stream, n, visit):
    """Return draw `n` of a distribution in whole microseconds."""
    if draws.streams[stream].kind == TIMES:
        return int(standard(draws, stream, n, visit))
    row = line.dists[dist]
    if row.kind == CONSTANT:
        return int(row.a)
    if row.kind == EXPONENTIAL_TIME:
        x = row.a * exponential_of(draws, stream, n, visit)
        return int(min(x, FAR) + 0.5)
    return sample_other(line, draws, dist, stream, n, visit)


@jit
def uniform(draws: Draws, stream, n, visit):
    """Return draw `n` of a stream as a uniform on (0, 1]."""
    value = standard(draws, stream, n, visit)
    return math.exp(-value) if draws.streams[stream].kind == EXPONENTIAL else value


@jit
def sample_other(line: LineTables, draws: Draws, dist, stream, n, visit):
    """Return draw `n` of a distribution that is neither constant nor exponential."""
    row = line.dists[dist]
    kind = row.kind
    u = uniform(draws, stream, n, visit)
    x = 0.0
    if kind == UNIFORM_TIME:
        x = row.a + (row.b - row.a) * u
    elif kind == TRIANGULAR:
        x = triangular(row.a, row.b, row.c, u)
    elif kind == ERLANG:
        product = -log_unit(u)
        for j in range(1, int(row.b)):
            product -= log_unit(uniform_at(draws, stream, n, visit, j))
        x = row.a / row.b * product
    elif kind == GAMMA:
        shape = 1.0 / (row.b * row.b)
        x = row.a / shape * gamma(draws, stream, n, visit, shape, 0)
    elif kind == LOGNORMAL:
        s2 = math.log(1.0 + row.b * row.b)
        x = row.a * math.exp(math.sqrt(s2) * normal_quantile(u) - s2 / 2)
    elif kind == NORMAL:
        if row.b > 0:
            below = 0.5 * math.erfc(row.a / row.b / math.sqrt(2.0))
            x = max(0.0, row.a + row.b * normal_quantile(below + (1 - below) * u))
        else:
            x = row.a
    elif kind == WEIBULL:
        x = row.a * math.pow(-log_unit(u), 1.0 / row.b)
    elif kind == BETA or kind == PERT:
        # a pert row is lowered to the beta it stands for: low, high, a, b
        g = gamma(draws, stream, n, visit, row.c, 0)
        h = gamma(draws, stream, n, visit, row.d, 1024)
        x = row.a + (row.b - row.a) * (g / (g + h))
    elif kind == HYPEREXPONENTIAL:
        # balanced means: p1 / rate1 = p2 / rate2
        c2 = row.b * row.b
        p1 = 0.5 * (1.0 + math.sqrt((c2 - 1.0) / (c2 + 1.0)))
        share = p1 if u <= p1 else 1.0 - p1
        x = row.a / (2.0 * share) * -log_unit(uniform_at(draws, stream, n, visit, 1))
    elif kind == DISCRETE:
        x = discrete(line, row.first, row.n, u)
    elif kind == EMPIRICAL:
        x = line.data[row.first + min(int(u * row.n), row.n - 1)]
    return int(min(x, FAR) + 0.5)


@jit
def triangular(low, mode, high, u):
    """Return the quantile of a triangular distribution."""
    width = high - low
    if width <= 0:
        return low
    if u * width <= mode - low:
        return low + math.sqrt(u * width * (mode - low))
    return high - math.sqrt((1 - u) * width * (high - mode))


@jit
def discrete(line: LineTables, first, n, u):
    """Return the value whose cumulative probability first reaches `u`.

    `data` holds n values, then their n cumulative probabilities.
    """
    for i in range(n - 1):
        if u <= line.data[first + n + i]:
            return line.data[first + i]
    return line.data[first + n - 1]


@jit
def gamma(draws: Draws, stream, n, visit, shape, j):
    """Return a gamma variate of mean `shape` and unit scale.

    Marsaglia and Tsang (2000), ACM TOMS 26(3), 363-372; under one by the power of a
    uniform. Its uniforms are the further numbers `j + 1`, `j + 2`, ... of the draw.
    """
    boost = 1.0
    k = shape
    if k < 1.0:
        boost = math.pow(uniform_at(draws, stream, n, visit, j + 1023), 1.0 / k)
        k += 1.0
    d = k - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    for attempt in range(500):
        z = normal_quantile(uniform_at(draws, stream, n, visit, j + 1 + 2 * attempt))
        v = 1.0 + c * z
        if v > 0:
            v = v * v * v
            w = uniform_at(draws, stream, n, visit, j + 2 + 2 * attempt)
            if math.log(w) < 0.5 * z * z + d - d * v + d * math.log(v):
                return boost * d * v
    return boost * k


@jit
def normal_quantile(p):
    """Return the standard normal quantile to about 1e-16 relative.

    Wichura (1988), algorithm AS 241, Applied Statistics 37(3), 477-484.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _ratio_center(r)
    r = p if q < 0 else 1.0 - p
    r = max(r, 2.0**-54)
    r = math.sqrt(-math.log(r))
    x = _ratio_near(r - 1.6) if r <= 5.0 else _ratio_far(r - 5.0)
    return -x if q < 0 else x


@jit
def _ratio_center(r):
    a = 2509.0809287301226727 * r + 33430.575583588128105
    a = a * r + 67265.770927008700853
    a = a * r + 45921.953931549871457
    a = a * r + 13731.693765509461125
    a = a * r + 1971.5909503065514427
    a = a * r + 133.14166789178437745
    a = a * r + 3.387132872796366608
    b = 5226.495278852545925 * r + 28729.085735721942674
    b = b * r + 39307.89580009271061
    b = b * r + 21213.794301586595867
    b = b * r + 5394.1960214247511077
    b = b * r + 687.1870074920579083
    b = b * r + 42.313330701600911252
    return a / (b * r + 1.0)


@jit
def _ratio_near(r):
    a = 7.7454501427834140764e-4 * r + 0.0227238449892691845833
    a = a * r + 0.24178072517745061177
    a = a * r + 1.27045825245236838258
    a = a * r + 3.64784832476320460504
    a = a * r + 5.7694972214606914055
    a = a * r + 4.6303378461565452959
    a = a * r + 1.42343711074968357734
    b = 1.05075007164441684324e-9 * r + 5.475938084995344946e-4
    b = b * r + 0.0151986665636164571966
    b = b * r + 0.14810397642748007459
    b = b * r + 0.68976733498510000455
    b = b * r + 1.6763848301838038494
    b = b * r + 2.05319162663775882187
    return a / (b * r + 1.0)


@jit
def _ratio_far(r):
    a = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
    a = a * r + 0.0012426609473880784386
    a = a * r + 0.026532189526576123093
    a = a * r + 0.29656057182850489123
    a = a * r + 1.7848265399172913358
    a = a * r + 5.4637849111641143699
    a = a * r + 6.6579046435011037772
    b = 2.04426310338993978564e-15 * r + 1.4215117583164458887e-7
    b = b * r + 1.8463183175100546818e-5
    b = b * r + 7.868691311456132591e-4
    b = b * r + 0.0148753612908506148525
    b = b * r + 0.13692988092273580531
    b = b * r + 0.59983220655588793769
    return a / (b * r + 1.0)
