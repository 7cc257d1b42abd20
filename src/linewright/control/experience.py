"""What played machines have learned, and how far a station has ramped up.

The rules are those of `linewright.kernel.learning`, which has their sources: this says
them once more for machines that know only what they did themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright import tables as t

__all__ = ["Experience", "ramp_share"]


class Experience:
    """Units done before that still count, by curve.

    Args:
        tables: The line.
    """

    def __init__(self, tables: t.LineTables) -> None:
        self._curves = tables.curves
        self._known = [float(curve["before"]) for curve in tables.curves]
        self._last_us = [0] * len(tables.curves)

    def _at(self, curve: int, now_us: int) -> float:
        half_life = float(self._curves["half_life"][curve])
        if half_life <= 0:
            return self._known[curve]
        gap = (now_us - self._last_us[curve]) / half_life
        return float(self._known[curve] * 0.5**gap)

    def learn(self, curve: int, n: int, now_us: int) -> None:
        """Count units that were done now."""
        self._known[curve] = self._at(curve, now_us) + n
        self._last_us[curve] = now_us

    def share(self, curve: int, ahead: int, now_us: int) -> float:
        """Return the share of its first time that a unit takes, others done before."""
        row: Any = self._curves[curve]
        n = self._at(curve, now_us) + ahead + 1
        exponent = float(row["exponent"])
        share = n**exponent
        if row["kind"] == t.WRIGHT:  # the average of the first n is known
            share = n * share - (n - 1) * max(n - 1, 1e-9) ** exponent
        return float(max(share, float(row["plateau"])))


def ramp_share(tables: t.LineTables, curve: int, now_us: int) -> float:
    """Return the share of its speed, or its yield, that a station has at a time."""
    if curve < 0:
        return 1.0
    first, n = int(tables.curves["first"][curve]), int(tables.curves["n"][curve])
    times, shares = tables.data[first : first + n], tables.data[first + n :][:n]
    return float(np.interp(now_us, times, shares))
