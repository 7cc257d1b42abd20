"""The trace of one replication, read row by row: where parts are, what servers do.

Until the beginning of the film only the state is kept, then every change of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered

__all__ = ["GONE", "KINDS", "Part", "Reader", "Spot", "StateChange"]

KINDS = (
    "outside", "server", "blocked", "queue", "moving", "output", "store",
    "finished", "scrapped", "used", "lost",
)  # fmt: skip
"""Kinds of spots. `row` is a server (`server`, `blocked`), the station of the next
operation (`queue`, `moving`), the one it comes from (`output`), the one that took it
(`used`), or -1; `buffer` is the buffer that it takes room in, or -1."""

GONE = frozenset({"finished", "scrapped", "used", "lost"})

_KIND_OF = {
    t.T_OUTSIDE: "outside", t.T_START: "server", t.T_BLOCK: "blocked",
    t.T_QUEUE: "queue", t.T_MOVE: "moving", t.T_OUTPUT: "output", t.T_STORE: "store",
    t.T_EXIT: "finished", t.T_SCRAP: "scrapped", t.T_USE: "used", t.T_LOST: "lost",
}  # fmt: skip
_KEPT = (t.T_MODE, t.T_RELEASE, *_KIND_OF)

Part = tuple[int, int]
"""Row of the product, and serial number."""


class Spot(NamedTuple):
    """Where a part is, and the operation that it is at or comes to next (-1: none)."""

    kind: str
    row: int
    buffer: int
    operation: int


@dataclass(slots=True)
class StateChange:
    """A server goes into another state."""

    at_us: int
    server: int
    mode: int


class Reader:
    """Reads trace rows in their order.

    Attributes:
        from_us: The beginning.
        where: Spots of parts at the beginning, in the order in which they came there.
        modes: State of each server at the beginning.
        finished: Units of each product finished until then.
        scrapped: Parts of each product scrapped until then.
        moves: Instant, part and new spot since then, in order.
        changes: Changes of servers since then, one an instant and server.
        entered_us: When each part came into the line.
    """

    def __init__(self, lowered: Lowered, from_us: int) -> None:
        n_products, n_servers = len(lowered.names.products), len(lowered.names.servers)
        stations = lowered.tables.stations
        self.from_us = from_us
        self.station_of: list[int] = np.repeat(
            np.arange(len(stations)), stations["n_servers"]
        ).tolist()
        self.where: dict[Part, Spot] = {}
        self.modes = [t.STARVED] * n_servers
        self.finished = [0] * n_products
        self.scrapped = [0] * n_products
        self.moves: list[tuple[int, Part, Spot]] = []
        self.changes: list[StateChange] = []
        self.entered_us: dict[Part, int] = {}
        self._lots: list[int] = lowered.tables.products["lot"].tolist()
        self._last_change: dict[int, StateChange] = {}

    def read(self, batches: Iterable[t.Ints], most: int) -> int | None:
        """Read everything, or until there is too much.

        Args:
            batches: Trace rows, columns as `tables.TRACE_COLUMNS`.
            most: Changes to hold at most.

        Returns:
            The first instant that no longer fitted; None if all did.
        """
        for batch in batches:
            for row in batch[np.isin(batch[:, 1], _KEPT)].tolist():
                n_held = len(self.moves) + len(self.changes)
                if n_held >= most and row[0] > self.from_us:
                    self._forget(row[0])
                    return int(row[0])
                self._row(row)
        return None

    def _forget(self, at_us: int) -> None:
        """Forget an instant that was read in part."""
        while self.moves and self.moves[-1][0] == at_us:
            self.moves.pop()
        while self.changes and self.changes[-1].at_us == at_us:
            self.changes.pop()

    def _row(self, row: list[int]) -> None:
        at_us, kind, place, product, serial, _, value, _ = row
        part = (product, serial)
        if kind == t.T_MODE:
            self._mode(at_us, place, value)
        elif kind == t.T_RELEASE:
            self.entered_us[part] = at_us
        elif at_us > self.from_us:
            self.moves.append((at_us, part, self._spot(row)))
        else:
            self._put(part, self._spot(row))

    def _mode(self, at_us: int, server: int, mode: int) -> None:
        """Note a state; of several at one instant the last counts."""
        if at_us <= self.from_us:
            self.modes[server] = mode
            return
        last = self._last_change.get(server)
        if last and last.at_us == at_us:
            last.mode = mode
        else:
            change = StateChange(at_us, server, mode)
            self._last_change[server] = change
            self.changes.append(change)

    def _put(self, part: Part, spot: Spot) -> None:
        """Put a part where it is at the beginning, or count it if it is gone."""
        product, _ = part
        if spot.kind in ("finished", "store"):
            self.finished[product] += self._lots[product]
        self.scrapped[product] += spot.kind == "scrapped"
        self.where.pop(part, None)  # the order is that of coming to a spot
        if spot.kind not in GONE:
            self.where[part] = spot

    def _spot(self, row: list[int]) -> Spot:
        """Return where a trace row puts its part."""
        _, code, place, _, _, step, value, _ = row
        kind = _KIND_OF[code]
        if code == t.T_START:
            return Spot(kind, place, -1, step)
        if code == t.T_BLOCK:
            return Spot(kind, value, -1, step)
        if code == t.T_QUEUE:  # a queue below the number of stations is a station's
            return Spot(kind, value if value < self._n_stations else -1, place, step)
        if code == t.T_MOVE:
            return Spot(kind, place, value, step)
        if code == t.T_OUTPUT:
            return Spot(kind, self.station_of[value], place, step)
        row_at = place if code == t.T_USE else -1
        return Spot(kind, row_at, place if code == t.T_STORE else -1, -1)

    @property
    def _n_stations(self) -> int:
        return self.station_of[-1] + 1
