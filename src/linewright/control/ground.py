"""What all controllers of a line start from, made once and shared.

Names, rows and the empty line follow from the model alone. A start of a controller
copies the empty line and takes the rest as it is, so that the next starts of the same
line, as after an error of the disk or in a test that kills it, are quick.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.gates import Guarded
from linewright.control.jobs import Devices
from linewright.kernel.run import packed
from linewright.lower import Lowered, StepQuality, new_draws, new_state

__all__ = ["Ground", "copied", "ground_of"]


class Ground:
    """What stays the same of a line while it runs, and how it begins.

    Args:
        lowered: The line.

    Attributes:
        lowered: The line.
        tables: Its tables, as the kernel is given them.
        devices: Who does what the kernel asks for.
        failures: Failure of a server to its row.
        products: Product to its row.
        quality: What is measured at a step, by row, where something is.
        guarded: What its gates guard.
        inspected: How each step inspects.
        has_samples: Whether some step takes samples.
        margin: How many parts one event can bring into being.
    """

    def __init__(self, lowered: Lowered) -> None:
        tables, names = lowered.tables, lowered.names
        self.lowered = lowered
        self.tables = packed(tables)
        self.devices = Devices(lowered)
        failures = range(len(tables.server_modes))
        self.failures = {self.devices.failure(m): m for m in failures}
        self.products = {name: i for i, name in enumerate(names.products)}
        self.quality: dict[int, StepQuality] = {of.row: of for of in lowered.quality}
        self.guarded = Guarded(lowered)
        self.inspected: list[int] = tables.steps["inspected"].tolist()
        self.has_samples = bool(tables.steps["sampled"].any())
        self.margin = int(tables.settings[t.S_MARGIN])
        self._empty = new_state(lowered)
        self._draws: dict[int, t.Draws] = {}

    def state(self) -> t.State:
        """Return the empty line at time 0, with no room for a trace."""
        return t.State._make(map(copied, self._empty))

    def draws(self, seed: int) -> t.Draws | None:
        """Return the streams that samples are drawn from; None where nothing is drawn.

        Streams hold what was drawn last, so that each controller has its own.
        """
        if not self.has_samples:
            return None
        if seed not in self._draws:
            self._draws = {seed: new_draws(self.lowered, seed, 0)}
        return t.Draws._make(map(copied, self._draws[seed]))


def copied(array: Any) -> Any:
    """Return a copy of an array without gaps; NumPy copies records by columns."""
    return np.ndarray(array.shape, array.dtype, bytearray(array))


_last: list[Ground] = []


def ground_of(lowered: Lowered) -> Ground:
    """Return what controllers of a line start from; of the last line it is kept.

    Args:
        lowered: The line. It is known again by its identity, not by what is in it.
    """
    for ground in _last:
        if ground.lowered is lowered:
            return ground
    ground = Ground(lowered)
    _last[:] = [ground]
    return ground
