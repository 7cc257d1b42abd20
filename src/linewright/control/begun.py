"""Which work was begun where and when, read from the records as they come."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from linewright import tables as t
from linewright.control.core import Core
from linewright.control.records import Record

__all__ = ["Begun", "Real"]

_ENDS = (t.FINISH, t.UNLOADED)


@dataclass(slots=True)
class Real:
    """Work on a part that was begun.

    Attributes:
        number: Its own number.
        order: Row of the order that the part is.
        product: Row of what it is.
        serial: Its number.
        step: Row of its step.
        server: Row of the server.
        begin_us: When the server took it.
        end_us: When the work was over, -1: it goes on.
    """

    number: int
    order: int
    product: int
    serial: int
    step: int
    server: int
    begin_us: int
    end_us: int = -1


class Begun:
    """What was begun of late, read from the records of a line that follows a schedule.

    Args:
        core: The line's state where reading begins.
        most: How much of it is kept; all of it if None.

    Attributes:
        bars: What was begun, the newest last.
        last: For each order the work on it that was begun last.
    """

    def __init__(self, core: Core, most: int | None = None) -> None:
        parts = core.state.parts
        self._order_of: dict[tuple[int, int], int] = {}
        for row in np.flatnonzero(parts["product"] >= 0).tolist():
            key = int(parts["product"][row]), int(parts["serial"][row])
            self._order_of[key] = int(parts["order"][row])
        self.bars: deque[Real] = deque(maxlen=most)
        self.last: dict[int, Real] = {}
        self._on: dict[int, list[Real]] = {}
        self._is_new: dict[int, int] = {}
        self._n = 0

    def take(self, record: Record) -> None:
        """Read what a record says of work that was begun or has ended."""
        for kind, row, product, serial, step, value, _ in record.rows:
            if kind == t.T_RELEASE:
                self._order_of[product, serial] = value
            elif kind == t.T_START and step >= 0:
                self._begin(record.at_us, row, product, serial, step)
            elif kind == t.T_EVENT and value in _ENDS:
                self._is_new.pop(row, None)
                for real in self._on.get(row, ()):
                    real.end_us = record.at_us

    def _begin(
        self, at_us: int, server: int, product: int, serial: int, step: int
    ) -> None:
        order = self._order_of.get((product, serial), -1)
        self._n += 1
        real = Real(self._n, order, product, serial, step, server, at_us)
        self.bars.append(real)
        self.last[order] = real
        if self._is_new.get(server) == at_us:  # in one batch with what came before
            self._on[server].append(real)
        else:
            self._on[server] = [real]
        self._is_new[server] = at_us
