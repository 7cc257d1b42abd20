"""Bounds: no line of this kind does better, whatever its times are distributed like.

All but `pairs` hold for any distribution of times and any rule that starts work in the
order of arrival. They are the first answer about a plan, because what breaks a bound
cannot be mended by simulating it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linewright.theory.flow_line import FlowLine

__all__ = ["finish_s", "load", "pairs", "slowest_station", "work_in_process"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def slowest_station(line: FlowLine) -> tuple[float, int]:
    """Return the throughput of the slowest station by itself, and its row.

    Returns:
        Products per second at most, and the station that sets it.
    """
    each = [line.completion(k)[0] * n for k, n in enumerate(line.parts_per_product())]
    row = int(np.argmax(each))
    return 1 / each[row], row


def work_in_process(line: FlowLine, wip_most: int | None = None) -> float:
    """Return the throughput that the places for parts allow, by Little's law.

    A part stays at least as long as it is worked on, and there are never more parts
    than places, nor than a cap on them.

    Args:
        line: A serial line.
        wip_most: Parts in the line at most, if they are capped.

    Raises:
        ValueError: The line is not serial, or the cap is below one.

    Source:
        Little (1961), Operations Research 9(3), 383-387.
    """
    if not line.is_serial or (wip_most is not None and wip_most < 1):
        msg = f"needs a serial line and a cap of 1 or more, got {wip_most}"
        raise ValueError(msg)
    places = sum(line.slots) + line.n_stations
    most = places if wip_most is None else min(places, wip_most)
    return most / sum(line.completion(k)[0] for k in range(line.n_stations))


def finish_s(line: FlowLine, n_parts: int) -> float:
    """Return when a number of parts are finished at the earliest, in the mean.

    Each station has to make all of them, after the first has come through those before
    it and before the last has gone through those behind it. The finish of the last part
    is a maximum of sums of times, so its mean is at least that of the mean times.

    Args:
        line: A serial line, empty at time 0.
        n_parts: Parts, one or more.

    Raises:
        ValueError: The line is not serial or there is no part.
    """
    if not line.is_serial or n_parts < 1:
        msg = f"needs a serial line and one part or more, got {n_parts}"
        raise ValueError(msg)
    means = [line.completion(k)[0] for k in range(line.n_stations)]
    return sum(means) + (n_parts - 1) * max(means)


def load(
    work_s: Floats, available_s: Sequence[float], quantity: Sequence[float]
) -> Floats:
    """Return the load of each station: work asked for over time available.

    A load above one cannot be done; one over the highest is how often the quantities
    fit, a bound on the output of this mix.

    Args:
        work_s: Time that one unit of each product takes on each station with all its
            parts and stops, server-seconds, (product, station).
        available_s: Server-time of each station in the period, seconds, positive.
        quantity: Units of each product asked for in the period.
    """
    return np.asarray(np.asarray(quantity, np.float64) @ work_s / available_s)


def pairs(rates_per_s: Floats, slots: Ints) -> Floats:
    """Return bounds of exponential serial lines from their pairs of stations.

    A station that takes no time and never lacks parts or room delays nobody, so a line
    is at most as fast as any two of its stations with the places between them: the
    buffers, and the stations that stand there.

    Args:
        rates_per_s: Processing rates, (line, station), per second.
        slots: Buffer places, (line, buffer).

    Returns:
        Throughput at most, per second, of each line.

    Source:
        Hunt (1956), Operations Research 4(6), 674-683, for two stations; departures
        are monotone in the times: Glasserman and Yao (1994), Monotone Structure in
        Discrete-Event Systems, Wiley.
    """
    n_stations = rates_per_s.shape[1]
    most = rates_per_s.min(1)
    for first in range(n_stations):
        for second in range(first + 1, n_stations):
            places = slots[:, first:second].sum(1) + (second - first - 1)
            pair = rates_per_s[:, first], rates_per_s[:, second]
            np.minimum(most, _two(*pair, places), out=most)
    return np.asarray(most)


def _two(first: Floats, second: Floats, places: Ints) -> Floats:
    """Return the throughput of two exponential stations; they may be swapped."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    gap = np.log(low / high)
    n = places + 2
    with np.errstate(invalid="ignore"):
        share = np.expm1(n * gap) / np.expm1((n + 1) * gap)
    return np.asarray(np.where(gap == 0, low * n / (n + 1), low * share))
