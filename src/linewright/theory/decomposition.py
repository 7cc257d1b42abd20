"""Throughput of lines of any length, to a few percent, in microseconds.

The line is cut at its buffers. Each block is two stations with one buffer between them,
solved exactly: the first stands for all that is before the buffer, the second for all
that is behind it. A station of a block takes its own time, and at times a wait: for a
supplier with the probability that a departure left the buffer before it empty, for room
with that of finding the next one full. What remains of the wait is known from the block
of that buffer, phase by phase. So the blocks are solved in turn, there and back, until
nothing moves; then all have the same throughput.

Times enter by three moments and are phase-type in the blocks, with which failures while
processing are exact in a line of two stations. With one moment everything is taken as
exponential; that is for screening many designs of reliable exponential lines.

Every estimate carries its known error: that of its class, measured against exact rows
(`KNOWN_ERRORS`). It is no bound. What is not known here: several servers or products,
batches, calendars, scrap, rework, loops.

Source:
    Dallery and Frein (1993), Operations Research 41(2), 386-399, for the equations of
    one moment; van Vuuren, Adan and Resing-Sassen (2005), OR Spectrum 27(2-3), 315-338,
    for blocks of phase-type times with fitted moments; Gershwin (1991), IIE
    Transactions 23(4), 302-314, for assembly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright.theory.bounds import slowest_station
from linewright.theory.flow_line import FlowLine

__all__ = [
    "KNOWN_ERRORS",
    "SCREEN_ERROR",
    "Estimate",
    "KnownError",
    "estimate",
    "kind_of",
    "throughputs",
]

_MOST_SWEEPS = 2_000
_SETTLED = {1: 1e-7, 3: 1e-10}  # change in the last pass, as a share, by moments
_LONGEST_EXACT = 8  # stations of lines whose exact throughput is known
_LEAST_SCV = 0.25  # of four phases; see `_compiled.MOST_PHASES`

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KnownError:
    """How far estimates of a class lay from the true values, as shares of these.

    Attributes:
        n_lines: Lines whose true throughput is known.
        mean: Mean of the errors' sizes.
        most_of_95: What 95 % of them stayed below.
        worst: The largest.
    """

    n_lines: int
    mean: float
    most_of_95: float
    worst: float


KNOWN_ERRORS = {
    "assembly": KnownError(19, mean=0.0089, most_of_95=0.0205, worst=0.0265),
    "exponential times": KnownError(54, mean=0.0125, most_of_95=0.0329, worst=0.0672),
    "failures at any time": KnownError(35, mean=0.0127, most_of_95=0.025, worst=0.0319),
    "failures while processing": KnownError(
        23, mean=0.01, most_of_95=0.02, worst=0.0384
    ),
    "irregular times": KnownError(9, mean=0.0047, most_of_95=0.0095, worst=0.0105),
    "long lines": KnownError(20, mean=0.0399, most_of_95=0.0968, worst=0.097),
    "regular times": KnownError(16, mean=0.0136, most_of_95=0.0337, worst=0.0346),
    "two stations": KnownError(38, mean=0.0, most_of_95=0.0, worst=0.0),
}
"""Measured errors of the throughput, by class of line (`kind_of`).

Long lines, of more than eight stations, are exponential ones whose throughput was
simulated; all others have exact values. Estimates are too low nearly always.
"""

SCREEN_ERROR = KnownError(1610, mean=0.0013, most_of_95=0.0029, worst=0.0474)
"""The same for one moment, over reliable exponential lines of three stations."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the decomposition says of a line.

    Attributes:
        throughput_per_s: Products leaving the line, per second.
        level_mean: Mean number of parts in each buffer.
        wip_mean: Parts in buffers and on stations.
        kind: Class of the line, a key of `KNOWN_ERRORS`.
        error: What is known of the error of such estimates.
        settled: Whether the blocks came to agree; if not, do not use it.
    """

    throughput_per_s: float
    level_mean: tuple[float, ...]
    wip_mean: float
    kind: str
    error: KnownError
    settled: bool


def kind_of(line: FlowLine) -> str:
    """Return the class of a line whose error is known."""
    fails = any(f < math.inf for f in line.mttf_s)
    scvs = [line.completion(k)[1] for k in range(line.n_stations)]
    few = line.n_stations <= 2 and min(scvs) >= _LEAST_SCV
    first_that_holds = {
        "long lines": line.n_stations > _LONGEST_EXACT,
        "assembly": not line.is_serial,
        "failures at any time": fails and line.clock == "operating",
        "two stations": few,
        "regular times": any(c < 1 for c in line.scv),
        "irregular times": any(c > 1 for c in line.scv),
        "failures while processing": fails,
        "exponential times": True,
    }
    return next(kind for kind, holds in first_that_holds.items() if holds)


def estimate(line: FlowLine) -> Estimate:
    """Return throughput, levels and known error of a line.

    Raises:
        ValueError: A station takes several parts of one supplier for one of its own.
    """
    kind = kind_of(line)
    if line.n_stations == 1:
        alone = 1 / line.completion(0)[0]
        return Estimate(alone, (), 1.0, kind, KNOWN_ERRORS[kind], settled=True)
    process = np.array([line.process_s])
    found, levels = _decompose(line, process, np.array([line.slots]), 3)
    throughput = float(found[0, 0])
    wip = float(levels.sum() + found[0, 3:].sum())
    return Estimate(
        throughput * _toward_regular(line, throughput),
        tuple(map(float, levels[0])),
        wip,
        kind,
        KNOWN_ERRORS[kind],
        settled=bool(found[0, 2] < _MOST_SWEEPS),
    )


def throughputs(
    process_s: Floats, slots: Ints, like: FlowLine | None = None, n_moments: int = 1
) -> Floats:
    """Return the estimated throughput of many designs of a line at once.

    Args:
        process_s: Mean processing times, (design, station), seconds.
        slots: Buffer places, (design, buffer).
        like: A line that all are like in everything else; none: serial, exponential,
            without failures.
        n_moments: 1 to screen exponential lines, 3 for the method of `estimate`.

    Returns:
        Throughput of each design, per second; nan where the blocks did not agree.

    Raises:
        ValueError: As for `estimate`; or `n_moments` is neither 1 nor 3.
    """
    if n_moments not in {1, 3}:
        msg = f"the blocks take 1 or 3 moments, got {n_moments}"
        raise ValueError(msg)
    n_stations = process_s.shape[1]
    if like is None:
        like = FlowLine((1.0,) * n_stations, (0,) * (n_stations - 1))
    found, _ = _decompose(like, process_s, slots, n_moments)
    return np.where(found[:, 2] < _MOST_SWEEPS, found[:, 0], math.nan)


def _decompose(
    line: FlowLine, process_s: Floats, slots: Ints, n_moments: int
) -> tuple[Floats, Floats]:
    from linewright.theory import _compiled  # noqa: PLC0415 - imports Numba

    if set(line.quantity) - {1}:
        msg = f"the decomposition takes one part of each supplier, got {line.quantity}"
        raise ValueError(msg)
    while_waiting = line.clock == "operating"
    stops = [
        (1 / f, 1 / r) if while_waiting and f < math.inf else (0.0, 0.0)
        for f, r in line.failures
    ]
    found = np.empty((len(process_s), 3 + line.n_stations))
    levels = np.empty((len(process_s), line.n_stations - 1))
    _compiled.decompose(  # type: ignore[no-untyped-call]
        _moments(line, np.asarray(process_s, np.float64)),
        np.array(stops),
        np.ascontiguousarray(slots, np.int64),
        np.array(line.successor, np.int64),
        n_moments,
        (_MOST_SWEEPS, _SETTLED[n_moments]),
        found,
        levels,
    )
    return found, levels


def _moments(line: FlowLine, process_s: Floats) -> Floats:
    """Return E[T^k] / k!, k = 1 to 3, of the time of a part on each station.

    The third moment of the processing time is that of the gamma distribution below an
    scv of one and that of the hyperexponential with balanced means above. Stops make
    the time a S + sums of repairs, whose moments follow from a Poisson number of them.
    """
    scv = np.array(line.scv)
    regular, irregular = (1 + scv) * (1 + 2 * scv), 3 * scv * (1 + scv)
    one = process_s
    two = one**2 * (1 + scv)
    three = one**3 * np.where(scv < 1, regular, irregular)
    fail = np.array([1 / f for f in line.mttf_s])
    repair = np.array(line.mttr_s)
    a, b, c = (1 + fail * repair, 2 * fail * repair**2, 6 * fail * repair**3)
    three = a**3 * three + 3 * a * b * two + c * one
    two = a**2 * two + b * one
    return np.stack([a * one, two / 2, three / 6], axis=-1)


def _toward_regular(line: FlowLine, throughput_per_s: float) -> float:
    """Return a factor for times more regular than the phases of a block can be.

    With constant times the line runs at the speed of its slowest station. Between that
    and the least scv of the blocks, what a part takes longer is taken to grow with a
    power of the scv, which is one half without buffers and nears one with large ones:
    a rule found on the exact rows, not derived.
    """
    scvs = np.array([line.completion(k)[1] for k in range(line.n_stations)])
    if scvs.min() >= _LEAST_SCV:
        return 1.0
    places = sum(line.slots) / len(line.slots)
    power = 1 - 0.5 / (1 + places)
    share = (scvs.mean() / np.maximum(scvs, _LEAST_SCV).mean()) ** power
    least_s = 1 / slowest_station(line)[0]
    return float(1 / (throughput_per_s * (least_s * (1 - share)) + share))
