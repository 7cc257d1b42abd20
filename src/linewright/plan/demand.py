"""Which way demand turns out in a replication, and what it multiplies targets by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linewright.lower import stream_keys
from linewright.model.line import Line
from linewright.model.targets import Goal
from linewright.plan.attainment import scaled

__all__ = ["Asked"]


class Asked:
    """What goals ask for in each replication: its scenario is drawn from a stream.

    Args:
        line: The line with its scenarios of demand, or none.
        goals: The goals.
        seed: Seed of all streams.
    """

    def __init__(self, line: Line, goals: Sequence[Goal], seed: int) -> None:
        self._chances = [demand.probability for demand in line.demand.values()]
        self._key = int(stream_keys(["demand"], seed)[0])
        rows = []
        for demand in line.demand.values():
            by_name = demand.factor if isinstance(demand.factor, dict) else {}
            default = 1.0 if isinstance(demand.factor, dict) else demand.factor
            rows.append([by_name.get(one.product, default) for one in goals])
        factors = np.array(rows or [[1.0] * len(goals)])
        self.units: NDArray[np.int64] = np.array(
            [
                [scaled(one.quantity, row[i]) for i, one in enumerate(goals)]
                for row in factors
            ],
            np.int64,
        )
        """Units that each goal asks for, (scenario, goal)."""

    def scenario(self, number: int) -> int:
        """Return the scenario of a replication, a row of `units`."""
        if len(self._chances) < 2:
            return 0
        stream = np.random.Philox(key=self._key, counter=number << 64)
        u = np.random.Generator(stream).random()
        row = int(np.searchsorted(np.cumsum(self._chances), u, side="right"))
        return min(row, len(self._chances) - 1)
