"""Measured values of a line that is played or simulated, drawn to fit its verdicts.

The kernel draws whether a part becomes bad at an operation, with the chance of a value
outside its limits in it (`Step.made_bad`). The values are drawn afterward, given what
the kernel has drawn: all inside for a part that stayed good, at least one outside, or
another cause, for one that became bad. So values are as if they had been drawn first,
and no stream of the kernel changes. Each unit's values at an operation come from a
stream of their own, named by unit, operation and loop.

A part that is sent to rework is good again: what was outside is drawn anew, inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from linewright import tables as t
from linewright.control.named_streams import generator
from linewright.lower import Lowered, Made

__all__ = ["Measuring"]

Values = dict[str, float]


class Measuring:
    """What can be measured at the units of a line; see the module's head.

    Args:
        lowered: The line.
        seed: Seed of all streams.
        replication: Number of the replication.
    """

    def __init__(self, lowered: Lowered, seed: int, replication: int = 0) -> None:
        self._names = lowered.names.products
        self._steps = {one.row: one for one in lowered.quality}
        self._seed, self._replication = seed, replication
        self._of_product = {
            (one.product, made.name): made
            for one in lowered.quality
            for made in one.made
        }
        self._values: dict[tuple[int, int], Values] = {}
        self._bad: set[tuple[int, int]] = set()

    def read(
        self, unit: tuple[int, int], step: int, loops: int, outcome: int
    ) -> Values:
        """Return what is measured at a unit whose operation ends; nothing changes.

        Args:
            unit: Row of its product, and its serial number.
            step: Row of the step.
            loops: Its rework loops until then.
            outcome: Outcome of the operation, a code of `tables`.
        """
        of = self._steps.get(step)
        if of is None or not of.read:
            return {}
        values = self._values.get(unit, {}) | self._make(unit, step, loops, outcome)
        return {
            made.name: values[made.name]
            if made.name in values
            else self._given(unit, made)
            for made in of.read
        }

    def follow(self, row: Sequence[int]) -> None:
        """Take a row of the trace, without its time: values come, change and go."""
        kind, _, product, serial, step, value, other = row
        unit = product, serial
        if kind == t.T_VERDICT:
            self._judged(unit, step, other, value)
        elif kind == t.T_USE and unit in self._bad:
            self._bad.add((value, other))
        elif kind == t.T_SPLIT and (value, other) in self._bad:
            self._bad.add(unit)
        if kind in _GONE:
            self._values.pop(unit, None)
            self._bad.discard(unit)

    def _judged(
        self, unit: tuple[int, int], step: int, loops: int, outcome: int
    ) -> None:
        if made := self._make(unit, step, loops, outcome):
            self._values.setdefault(unit, {}).update(made)
        self._bad.discard(unit)
        if outcome & 3 == t.REWORK:
            self._mend(unit, loops)
        elif outcome & t.BAD:
            self._bad.add(unit)

    def _make(
        self, unit: tuple[int, int], step: int, loops: int, outcome: int
    ) -> Values:
        """Return the values that an operation makes."""
        of = self._steps.get(step)
        if of is None or not of.made:
            return {}
        rng = self._stream(unit, of.operation, loops)
        if not outcome & t.BAD:
            wanted = [False] * len(of.made)
        elif unit in self._bad:
            wanted = [bool(rng.random() < made.outside) for made in of.made]
        else:
            wanted = _sides(of.made, of.made_bad, rng)
        return {
            made.name: _drawn(made, is_outside=side, rng=rng)
            for made, side in zip(of.made, wanted, strict=True)
        }

    def _given(self, unit: tuple[int, int], made: Made) -> float:
        """Return a value of a unit that was in the line at its start."""
        rng = self._stream(unit, f"{made.name} before the start", 0)
        return _drawn(made, is_outside=False, rng=rng)

    def _mend(self, unit: tuple[int, int], loops: int) -> None:
        product = self._names[unit[0]]
        for name, value in self._values.get(unit, {}).items():
            made = self._of_product[product, name]
            if made.is_outside(value):
                rng = self._stream(unit, f"rework of {name}", loops)
                self._values[unit][name] = _drawn(made, is_outside=False, rng=rng)

    def _stream(
        self, unit: tuple[int, int], what: str, loops: int
    ) -> np.random.Generator:
        name = self._names[unit[0]]
        whose = self._seed, self._replication, "measured", name, unit[1]
        return generator(*whose, what, loops)

    def saved(self) -> list[Any]:
        """Return what is known of units, in the values of JSON."""
        values = [[*unit, of] for unit, of in self._values.items()]
        return [values, sorted(self._bad)]

    def restore(self, saved: Sequence[Any]) -> None:
        """Go on from what `saved` returned."""
        values, bad = saved
        self._values = {(product, serial): of for product, serial, of in values}
        self._bad = {(product, serial) for product, serial in bad}


_GONE = {t.T_EXIT, t.T_SCRAP, t.T_LOST, t.T_USE}


def _sides(
    made: Sequence[Made], made_bad: float, rng: np.random.Generator
) -> list[bool]:
    """Return which values are outside of a part that became bad at this operation.

    By Bayes: any is with the chance of that over the chance to become bad; then one
    after the other, given that one of those that are left is, until one is.
    """
    some = [
        1 - math.prod(1 - one.outside for one in made[i:]) for i in range(len(made))
    ]
    has_to = bool(rng.random() * made_bad < some[0])
    if not has_to:
        return [False] * len(made)
    found = []
    for one, of_rest in zip(made, some, strict=True):
        chance = one.outside / of_rest if has_to else one.outside
        side = bool(rng.random() < chance)
        has_to = has_to and not side
        found.append(side)
    return found


def _drawn(made: Made, *, is_outside: bool, rng: np.random.Generator) -> float:
    """Return a value that is outside of the limits, or inside."""
    of = made.of
    if of.counted:
        counts, upto = _counts(of.center, of.lower, of.upper, is_outside)
        place = int(np.searchsorted(upto, rng.random() * upto[-1], side="right"))
        return float(counts[min(place, len(counts) - 1)])
    if not of.sd:
        return of.center
    low = -math.inf if of.lower is None else (of.lower - of.center) / of.sd
    high = math.inf if of.upper is None else (of.upper - of.center) / of.sd
    if is_outside:
        from scipy.special import ndtr  # noqa: PLC0415 - slow

        is_above = bool(rng.random() * made.outside < ndtr(-high))
        low, high = (high, math.inf) if is_above else (-math.inf, low)
    return _held(made, of.center + of.sd * _between(low, high, rng), is_outside)


def _between(low: float, high: float, rng: np.random.Generator) -> float:
    """Return a standard normal value between two others; exact in the tails, too."""
    if low > 0:
        return -_between(-high, -low, rng)
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - slow

    below, upto = float(ndtr(low)), float(ndtr(high))
    return float(ndtri(below + rng.random() * (upto - below)))


def _held(made: Made, value: float, is_outside: bool) -> float:
    """Return a value on the side of its limit where it belongs, despite rounding."""
    if made.is_outside(value) == is_outside:
        return value
    limits = [limit for limit in (made.of.lower, made.of.upper) if limit is not None]
    limit = min(limits, key=lambda one: abs(one - value))
    if not is_outside:
        return limit
    return math.nextafter(limit, -math.inf if limit == made.of.lower else math.inf)


@lru_cache(maxsize=256)
def _counts(
    mean: float, lower: float | None, upper: float | None, is_outside: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the counts on one side of the limits, and their summed chances."""
    n = np.arange(math.ceil(mean + 40 * math.sqrt(mean) + 40) + 1)
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) if mean else 0.0 for k in n]
    chance = np.exp(logs) if mean else (n == 0).astype(float)
    outside = np.zeros(len(n), np.bool_)
    if lower is not None:
        outside |= n < lower
    if upper is not None:
        outside |= n > upper
    there = (outside if is_outside else ~outside) & (chance > 0)
    return n[there], np.cumsum(chance[there])
