"""The best of a finite set of exponential serial lines, with a proof.

Designs are many, and most are plainly worse than a good one. `best` therefore bounds
all of them at once (`bounds.pairs`: a line is at most as fast as any two of its
stations), takes the most promising by the decomposition as the one to beat, and solves
exactly those alone whose bound is above it, the highest bounds first. A line read
backwards has the same throughput, so of each pair of mirror images one is solved.

The result names every design that is best, and what proves it: each other design was
solved, or its bound lies below. It rests on exact chains, so stations are few and
buffers moderate.

Source:
    Yamazaki and Sakasegawa (1975), Annals of the Institute of Statistical Mathematics
    27, 201-212, for lines read backwards (reversibility).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright.theory.bounds import pairs
from linewright.theory.chains import throughputs as exact_throughputs
from linewright.theory.decomposition import throughputs as estimated_throughputs

__all__ = ["Best", "best", "compositions", "exact_table", "rates_and_slots"]

_TIE = 1e-9  # as a share of the throughput: exact values are that exact
_N_PROMISING = 8
_N_SCREENED = 2_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Best:
    """The best designs and their certificate.

    Attributes:
        rows: Every design that is best, rows of the arrays that were given.
        throughput_per_s: Their exact throughput.
        second_per_s: The next lower exact throughput among those solved; nan if none.
        n_designs: Designs that were compared.
        n_solved: Those that were solved exactly, a mirror image with its original.
        highest_bound_per_s: Highest bound of those that were not solved, which is below
            `throughput_per_s`; minus infinity if all were.
    """

    rows: tuple[int, ...]
    throughput_per_s: float
    second_per_s: float
    n_designs: int
    n_solved: int
    highest_bound_per_s: float

    @property
    def margin(self) -> float:
        """How far below the best all unsolved designs are at least, as a share."""
        return 1 - self.highest_bound_per_s / self.throughput_per_s


def best(rates_per_s: Floats, slots: Ints) -> Best:
    """Return the best of some exponential serial lines of the same length.

    Args:
        rates_per_s: Processing rates, (design, station), per second.
        slots: Buffer places, (design, buffer).

    Raises:
        ValueError: There is no design, or a chain would be too large.
    """
    if len(rates_per_s) == 0:
        msg = "there is no design to choose from"
        raise ValueError(msg)
    bounds = pairs(rates_per_s, slots)
    screened = np.argsort(-bounds, kind="stable")[:_N_SCREENED]
    guessed = estimated_throughputs(1 / rates_per_s[screened], slots[screened])
    promising = screened[np.argsort(-guessed, kind="stable")[:_N_PROMISING]]
    to_beat = float(exact_table(rates_per_s[promising], slots[promising]).max())
    # Not below the one to beat by more than rounding: ties have to be found as well.
    left = np.flatnonzero(bounds >= to_beat * (1 - _TIE))
    found = exact_table(rates_per_s[left], slots[left])
    highest = float(found.max())
    is_best = found >= highest * (1 - _TIE)
    others = np.delete(bounds, left)
    return Best(
        tuple(map(int, left[is_best])),
        highest,
        float(found[~is_best].max(initial=-np.inf)) if not is_best.all() else np.nan,
        len(bounds),
        len(left),
        float(others.max(initial=-np.inf)),
    )


def exact_table(rates_per_s: Floats, slots: Ints) -> Floats:
    """Return the exact throughput of every design, per second.

    Designs with the same buffers share their states; mirror images share the solution.
    """
    rates, places = _one_way_round(rates_per_s, slots)
    both = np.hstack([places, rates])
    distinct, back = np.unique(both, axis=0, return_inverse=True)
    found = np.empty(len(distinct))
    n_buffers = slots.shape[1]
    shapes, shape_of = np.unique(distinct[:, :n_buffers], axis=0, return_inverse=True)
    for number, shape in enumerate(shapes):
        of = shape_of.ravel() == number
        found[of] = exact_throughputs(distinct[of, n_buffers:], tuple(map(int, shape)))
    return found[back.ravel()]


def _one_way_round(rates: Floats, slots: Ints) -> tuple[Floats, Ints]:
    """Turn each line so that the first place where its two ways differ is larger.

    Larger buffers then come first, which keeps the band of the chain narrow.
    """
    both = np.hstack([slots, rates])
    mirrored = np.hstack([slots[:, ::-1], rates[:, ::-1]])
    differs = both != mirrored
    column = differs.argmax(1)
    row = np.arange(len(both))
    turn = both[row, column] < mirrored[row, column]
    turned = np.where(turn[:, None], mirrored, both)
    n_buffers = slots.shape[1]
    return turned[:, n_buffers:], turned[:, :n_buffers].astype(np.int64)


def compositions(total: int, n: int) -> Ints:
    """Return every way to share a total among some places, one or more each, in rows.

    Raises:
        ValueError: The total is less than the places.
    """
    if not 1 <= n <= total:
        msg = f"a total of {total} cannot be shared among {n} places, one each"
        raise ValueError(msg)
    found = np.arange(1, total - n + 2)[:, None] if n > 1 else np.array([[total]])
    for place in range(1, n):
        left = total - found.sum(1)
        if place == n - 1:
            return np.hstack([found, left[:, None]])
        counts = left - (n - place - 1)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        value = np.arange(counts.sum()) - first + 1
        found = np.hstack([np.repeat(found, counts, 0), value[:, None]])
    return found


def rates_and_slots(
    total_rate: int, total_buffer: int, n_stations: int = 3
) -> tuple[Floats, Ints]:
    """Return every sharing out of a total rate and a total of buffer places.

    Rates are whole numbers that add up to one total; so are the sizes of the buffers,
    each with the place on the station behind it, which is why a size of one leaves no
    place between them.

    Returns:
        Rates, (design, station), and places between the stations, (design, buffer).

    Source:
        Pichitlamken, Nelson and Hong (2006), European Journal of Operational Research
        173(1), 283-298; in the SimOpt library of test problems.
    """
    rates = compositions(total_rate, n_stations)
    slots = compositions(total_buffer, n_stations - 1) - 1
    return (
        np.repeat(rates, len(slots), 0).astype(np.float64),
        np.tile(slots, (len(rates), 1)),
    )
