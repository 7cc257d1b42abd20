"""Departures of serial exponential lines by their recursion: fast, and nothing else.

Part i leaves station j at D(i, j) = max(max(D(i, j - 1), D(i - 1, j)) + S(i, j),
D(i - b - 1, j + 1)), where b is the number of places between j and j + 1: it waits on
its station until a place is free (blocking after service). The first station never
lacks parts, and the last is never blocked. Times S are those of one stream for each
replication, the same for all designs, divided by the rate of the station.
"""

from __future__ import annotations

import numpy as np

try:  # the one way to compile in the project, or Numba alone beside other tools
    from linewright.kernel._jit import array_entry
except ImportError:
    from numba import njit as array_entry  # type: ignore[assignment]

__all__ = ["observe_designs"]


@array_entry
def _observe(rates, slots, draws, warmup, out, column):  # type: ignore[no-untyped-def]
    """Write the throughput of each design in one replication."""
    n_parts, n_stations = draws.shape
    departure = np.empty((n_parts, n_stations))
    for design in range(rates.shape[0]):
        for i in range(n_parts):
            ready = 0.0
            for j in range(n_stations):
                if i > 0 and departure[i - 1, j] > ready:
                    ready = departure[i - 1, j]
                ready += draws[i, j] / rates[design, j]
                if j + 1 < n_stations:
                    ahead = i - slots[design, j] - 1
                    if ahead >= 0 and departure[ahead, j + 1] > ready:
                        ready = departure[ahead, j + 1]
                departure[i, j] = ready
        last = n_stations - 1
        span = departure[n_parts - 1, last] - departure[warmup - 1, last]
        out[design, column] = (n_parts - warmup) / span


def observe_designs(
    rates: np.ndarray,
    slots: np.ndarray,
    replications: tuple[int, int, int],
    lengths: tuple[int, int],
) -> np.ndarray:
    """Return throughputs, (design, replication).

    Args:
        rates: Processing rates, (design, station).
        slots: Places between the stations, (design, buffer).
        replications: Seed, first replication, and the one after the last.
        lengths: Parts of the warm-up, one or more, and measured after it.
    """
    seed, first, last = replications
    warmup, measured = lengths
    out = np.empty((len(rates), last - first))
    shape = (warmup + measured, rates.shape[1])
    rates = np.ascontiguousarray(rates, np.float64)
    slots = np.ascontiguousarray(slots, np.int64)
    for r in range(first, last):
        draws = np.random.default_rng([seed, r]).exponential(size=shape)
        _observe(  # type: ignore[no-untyped-call]
            rates, slots, draws, warmup, out, r - first
        )
    return out
