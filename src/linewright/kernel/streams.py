"""Random numbers: counter-based streams, each draw a function of its name alone.

A stream's key is a hash of its name and the seed; the counter is made of the draw's
number, the visit and the replication. No draw depends on another draw, so a station
more, a trace or another order of events changes nobody else's numbers.

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011, "Parallel random
numbers: as easy as 1, 2, 3", SC11). Neighbours of a stream are made at once,
because parts come by in their order and many cost little more than one; what is kept
of them in `Draws` is a cache and no part of the line's state.
"""

from __future__ import annotations

import math

import numpy as np

from linewright.kernel._jit import hot, jit
from linewright.kernel._views import likely, unlikely
from linewright.tables import BLOCK, BLOCK_BITS, EXPONENTIAL, TIMES, UNIFORM, Draws

__all__ = [
    "FAR",
    "exponential_of",
    "fill",
    "log_unit",
    "philox",
    "standard",
    "time_ahead",
    "uniform_at",
]

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_11 = np.uint64(11)
_TO_UNIT = 2.0**-53
_UNIT = np.uint64(0x4330000000000000)  # 2**52 as a float, whose last bit counts one
_HIGH = np.uint64(0x4530000000000000)  # 2**84, whose last bit counts 2**32
_OFF = 2.0**84 + 2.0**52
FAR = 2.0**58  # no run is longer; twice as much still fits into the key of a timer
_LN2 = 0.6931471805599453


@hot
def philox_round(c0, c1, c2, c3, k0, k1):
    """Return the counter after one round."""
    p0 = _M0 * c0
    p1 = _M1 * c2
    return (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW


@hot
def philox(c0, c1, c2, c3, k0, k1):
    """Return the four words of Philox4x32-10 as two of 64 bits.

    The rounds are written out, because a loop here keeps the caller's loop over
    counters from becoming vector code (a factor of six).
    """
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    return (c0 << _32) | c1, (c2 << _32) | c3


@hot
def as_float(whole):
    """Return a whole number under 2**53 as a float, exactly, as `np.float64` does.

    There is no vector instruction for that everywhere. Each half becomes the low bits
    of a float of known exponent, and the exponents are taken off again.
    """
    high = np.uint64((whole >> _32) | _HIGH).view(np.float64) - _OFF
    return high + np.uint64((whole & _LOW) | _UNIT).view(np.float64)


@hot
def log_unit(u):
    """Return the natural logarithm of `u` in (0, 1], branch-free so that it vectorises.

    Mantissa in [sqrt(1/2), sqrt(2)) and the series of 2 artanh; error under 1e-15.
    """
    bits = np.float64(u).view(np.int64)
    exponent = (bits - 0x3FE6A09E667F3BCD) >> 52
    m = np.int64(bits - (exponent << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 1.0 / 21
    p = p * z + 1.0 / 19
    p = p * z + 1.0 / 17
    p = p * z + 1.0 / 15
    p = p * z + 1.0 / 13
    p = p * z + 1.0 / 11
    p = p * z + 1.0 / 9
    p = p * z + 1.0 / 7
    p = p * z + 1.0 / 5
    p = p * z + 1.0 / 3
    p = p * z + 1.0
    return exponent * _LN2 + 2.0 * s * p


@jit
def fill(draws: Draws, row, block, visit):
    """Make the draws of a stream around one number, uniform on (0, 1].

    Half the block is read from `draws` on purpose: with a constant the compiler unrolls
    the loops before it can make vector code of them.
    """
    half = draws.setting[1]
    values = draws.values
    at = row * BLOCK
    middle = at + half
    stream = draws.streams[row]
    k0 = np.uint64(stream.key) & _LOW
    k1 = np.uint64(stream.key) >> _32
    first = np.uint64(block) * np.uint64(half)
    high = first >> _32
    c2 = np.uint64(visit) & _LOW
    c3 = np.uint64(draws.setting[0]) & _LOW
    for i in range(half):
        a, b = philox((first + np.uint64(i)) & _LOW, high, c2, c3, k0, k1)
        values[at + i] = (as_float(a >> _11) + 1.0) * _TO_UNIT
        values[middle + i] = (as_float(b >> _11) + 1.0) * _TO_UNIT
    if stream.kind != UNIFORM:
        for i in range(2 * half):
            values[at + i] = -log_unit(values[at + i])
    if stream.kind == TIMES:
        scale = stream.scale
        for i in range(2 * half):
            values[at + i] = math.floor(min(values[at + i] * scale, FAR) + 0.5)
    stream.held = (block << 32) | visit


@hot
def standard(draws: Draws, row, n, visit):
    """Return draw `n` of a stream as the stream holds it.

    It is a uniform on (0, 1], an exponential of mean one, or an exponential time in
    whole microseconds, as a float.
    """
    block = n >> BLOCK_BITS
    if unlikely(draws.streams[row].held != (block << 32) | visit):
        fill(draws, row, block, visit)
    return draws.values[row * BLOCK + (n & (BLOCK - 1))]


@hot
def time_ahead(draws: Draws, row, stream, n, visit):
    """Return draw `n` of a stream of whole times, and make the next one ready.

    Servers and sources mostly ask for the numbers of one stream in turn. What was made
    ready is at hand before it is known which part comes next. The result is that of
    `standard` in any case.
    """
    ahead = draws.ahead[row]
    if likely(ahead.number == n and ahead.stream == stream and ahead.visit == visit):
        amount = ahead.amount
    else:
        amount = int(standard(draws, stream, n, visit))
        ahead.stream = stream
        ahead.visit = visit
    ahead.number = n + 1
    ahead.amount = int(standard(draws, stream, n + 1, visit))
    return amount


@jit
def uniform_at(draws: Draws, row, n, visit, j):
    """Return the j-th further uniform of draw `n`, for samplers that need several.

    It lies in counters that no first draw uses: the high bit of word 2 is set. The
    rounds are a loop of a length read at run time, which keeps the code small; the
    samplers call this from many places.
    """
    k0 = np.uint64(draws.streams[row].key) & _LOW
    k1 = np.uint64(draws.streams[row].key) >> _32
    c0 = np.uint64(n) & _LOW
    c1 = np.uint64(n) >> _32
    c2 = np.uint64(0x80000000) | (np.uint64(visit) & np.uint64(0xFFFFF))
    c2 |= (np.uint64(j) & np.uint64(0x7FF)) << np.uint64(20)
    c3 = np.uint64(draws.setting[0]) & _LOW
    for _ in range(draws.setting[2]):
        c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return (np.float64(np.int64(((c0 << _32) | c1) >> _11)) + 1.0) * _TO_UNIT


@hot
def exponential_of(draws: Draws, row, n, visit):
    """Return draw `n` as an exponential of mean one, whatever the stream holds."""
    value = standard(draws, row, n, visit)
    return value if draws.streams[row].kind == EXPONENTIAL else -log_unit(value)
