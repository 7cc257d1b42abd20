"""Random numbers for compiled searches: the kernel's generator, counted on.

A stream is an array of two numbers, its key and how many were drawn; `stream` makes one
of a seed and a number, and no two are alike.

Numba does not see an edit of this file in the files that use it (see `kernel._jit`);
touch those when it changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linewright.kernel._jit import array_jit
from linewright.kernel.streams import philox

__all__ = ["below", "share", "stream"]

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_11 = np.uint64(11)
_ZERO = np.uint64(0)
_TO_UNIT = 2.0**-53


def stream(seed: int, number: int) -> NDArray[np.uint64]:
    """Return a stream of random numbers, another for each pair of numbers."""
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(number,))
    return np.array([sequence.generate_state(1, np.uint64)[0], 0], np.uint64)


@array_jit
def share(chance):
    """Return a number from zero up to, and not including, one."""
    chance[1] += np.uint64(1)
    key, count = chance[0], chance[1]
    drawn, _ = philox(count & _LOW, count >> _32, _ZERO, _ZERO, key & _LOW, key >> _32)
    return np.float64(np.int64(drawn >> _11)) * _TO_UNIT


@array_jit
def below(chance, n):
    """Return a whole number from zero up to, and not including, `n`."""
    return np.int64(share(chance) * n)
