"""What a rule of one's own is shown: copies with names, which nobody else reads.

They are tuples with names, and numbers that cannot be written, so that whatever a rule
does with them changes nothing in the line. Times are seconds since the model's start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered

__all__ = ["Candidate", "LineNow", "Server", "Unit", "Viewer"]


class LineNow:
    """The line at this instant, in numbers of parts (a lot is one part).

    What is looked at is copied then, and not before: a line may be long.
    """

    __slots__ = ("_copied", "_copy")

    def __init__(self, copy: Callable[[str], Any]) -> None:
        self._copy: Callable[[str], Any] | None = copy
        self._copied: dict[str, Any] = {}

    @property
    def wip(self) -> int:
        """Parts in the line."""
        return int(self._look("wip"))

    @property
    def wip_of(self) -> Mapping[str, int]:
        """Parts in the line, by product."""
        return self._by_name("wip_of")

    @property
    def queue(self) -> Mapping[str, int]:
        """Parts that wait in front of each station, by station."""
        return self._by_name("queue")

    @property
    def level(self) -> Mapping[str, int]:
        """Parts in each buffer; a station's own has the station's name."""
        return self._by_name("level")

    @property
    def outside(self) -> Mapping[str, int]:
        """Parts that wait outside the line, by product."""
        return self._by_name("outside")

    @property
    def finished(self) -> Mapping[str, int]:
        """Units finished so far, by product."""
        return self._by_name("finished")

    def close(self) -> None:
        """Let nobody look any more: the line has gone on."""
        self._copy = None

    def _by_name(self, what: str) -> Mapping[str, int]:
        found: Mapping[str, int] = self._look(what)
        return found

    def _look(self, what: str) -> Any:
        if what not in self._copied:
            if self._copy is None:
                msg = "the line can be looked at only while the rule is asked"
                raise RuntimeError(msg)
            self._copied[what] = self._copy(what)
        return self._copied[what]


class Server(NamedTuple):
    """The server that asks which part it takes.

    Attributes:
        station: Its station.
        number: Its number in the station, from 1.
        set_up_for: The product, or the family, that it is set up for, if it is.
        filling: Whether it has taken parts already, and asks what joins their batch.
        line: The line at this instant.
    """

    station: str
    number: int
    set_up_for: str | None
    filling: bool
    line: LineNow


class Candidate(NamedTuple):
    """A part that may start now on the server that asks.

    Attributes:
        product: Its product.
        number: Its number among the parts of its product, from 0.
        operation: The operation for which it waits.
        order: Its order, if it has one.
        due_s: When it is due, if it is.
        priority: Its priority.
        units: Units that it is: one, or the size of its lot.
        waiting_s: How long it has waited here.
        released_s: When it came into the line.
        process_s: Mean processing time of the operation here.
        work_left_s: Mean processing times of this operation and those behind it.
        setup_s: Mean time to set the server up for it; zero without a setup.
        loops: Rework loops that it has made.
    """

    product: str
    number: int
    operation: str
    order: str | None
    due_s: float | None
    priority: int
    units: int
    waiting_s: float
    released_s: float
    process_s: float
    work_left_s: float
    setup_s: float
    loops: int


class Unit(NamedTuple):
    """The unit, or lot, that asks to come into the line.

    Attributes:
        product: Its product.
        number: Its number among the parts of its product, from 0.
        order: Its order, if it has one.
        due_s: When it is due, if it is.
        priority: Its priority.
        units: Units that it is: one, or the size of its lot.
        waiting_s: How long it has waited outside.
    """

    product: str
    number: int
    order: str | None
    due_s: float | None
    priority: int
    units: int
    waiting_s: float


_COLUMNS = (
    "sequence", "product", "serial", "step", "order", "due", "priority", "queued",
    "released", "created", "visits",
)  # fmt: skip
_KIND: dict[str, Any] = dict(t.PART.fields or {})
_ROW = np.dtype(
    {
        "names": _COLUMNS,
        "formats": [_KIND[name][0] for name in _COLUMNS],
        "offsets": [_KIND[name][1] for name in _COLUMNS],
        "itemsize": t.PART.itemsize,
    }
)
_BYTES = np.dtype(f"V{t.PART.itemsize}")  # copied at once, and not column by column


def _rows(parts: t.Records, which: Any) -> list[tuple[Any, ...]]:
    """Return copies of some parts, as far as a rule is shown them."""
    rows: list[tuple[Any, ...]] = parts.view(_BYTES)[which].view(_ROW).tolist()
    return rows


class Viewer:
    """Makes the copies; what never changes in a line is looked up once."""

    def __init__(self, lowered: Lowered) -> None:
        line, self._names = lowered.tables, lowered.names
        self._line = line
        self._lots: list[int] = line.products["lot"].tolist()
        self._left_s: list[float] = (line.steps["left_us"] / 1e6).tolist()
        self._step_family: list[int] = line.steps["family"].tolist()
        self._family: list[int] = line.products["family"].tolist()
        self._n_families = int(line.settings[t.S_N_FAMILIES])
        self._kinds = (*self._names.families, *self._names.products)
        self._process_s: dict[tuple[int, int], float] = {}
        n_lists = int(line.settings[t.S_N_QUEUES] + line.settings[t.S_N_DESTS])
        self._first_outside = n_lists + len(line.products)
        self._queues = [
            line.links[first : first + n].tolist()
            for first, n in line.stations[["first_queue", "n_queues"]].tolist()
        ]

    def line_now(self, state: t.State) -> LineNow:
        """Return the line as it stands."""
        return LineNow(lambda what: self._copy(state, what))

    def _copy(self, state: t.State, what: str) -> int | Mapping[str, int]:
        """Return a copy of one kind of numbers of the line."""
        names = self._names
        if what == "wip":
            return int(state.clock["wip"][0])
        if what == "level":
            return _by(names.buffers, state.buffers["level"].tolist())
        if what in ("wip_of", "finished"):
            column = {"wip_of": "wip", "finished": "finished"}[what]
            return _by(names.products, state.products[column].tolist())
        counts: list[int] = state.lists["count"].tolist()
        if what == "outside":
            first = self._first_outside
            return _by(names.products, counts[first : first + len(names.products)])
        queues = [sum(counts[row] for row in rows) for rows in self._queues]
        return _by(names.stations, queues)

    def server(self, state: t.State, station: int, s: int) -> Server:
        """Return the server that asks."""
        kind = int(state.servers["family"][s])
        return Server(
            station=self._names.stations[station],
            number=int(state.servers["number"][s]) + 1,
            set_up_for=self._kinds[kind] if kind >= 0 else None,
            filling=bool(state.asked[t.ASKED_FILLING]),
            line=self.line_now(state),
        )

    def candidates(
        self, state: t.State, now_us: int, station: int, s: int, n: int
    ) -> tuple[tuple[int, ...], tuple[Candidate, ...]]:
        """Return the places of the parts offered, and the parts, longest here first."""
        offered = state.asked[t.ASKED_PARTS : t.ASKED_PARTS + n]
        rows = _rows(state.parts, offered)
        order = sorted(range(n), key=rows.__getitem__)  # by sequence
        setups = self._setups(state, station, s)
        return tuple(order), tuple(
            self._candidate(rows[i], station, now_us, setups) for i in order
        )

    def _candidate(
        self, row: tuple[Any, ...], station: int, now_us: int, setups: list[int] | None
    ) -> Candidate:
        _, product, serial, k, order, due, priority, queued, released, _, visits = row
        names = self._names
        setup_us = 0
        if setups is not None:
            kind = self._kind(station, product, k)
            setup_us = setups[kind] if kind >= 0 else 0
        return Candidate(
            names.products[product],
            serial,
            names.operations[k],
            names.orders[order] if order >= 0 else None,
            None if due == t.NEVER else due / 1e6,
            priority,
            self._lots[product],
            (now_us - queued) / 1e6,
            released / 1e6,
            self._process(k, station),
            self._left_s[k],
            setup_us / 1e6,
            visits,
        )

    def unit(self, state: t.State, now_us: int) -> Unit:
        """Return the unit that asks to come in."""
        row = _rows(state.parts, state.asked[t.ASKED_PARTS : t.ASKED_PARTS + 1])[0]
        _, product, serial, _, order, due, priority, _, _, created, _ = row
        names = self._names
        return Unit(
            names.products[product],
            serial,
            names.orders[order] if order >= 0 else None,
            None if due == t.NEVER else due / 1e6,
            priority,
            self._lots[product],
            (now_us - created) / 1e6,
        )

    def _process(self, k: int, station: int) -> float:
        """Return the mean processing time of a step at one of its stations."""
        found = self._process_s.get((k, station))
        if found is None:
            step = self._line.steps[k]
            dest = self._line.dests[step["dest"]]
            first = int(dest["first_target"])
            targets = self._line.targets["station"][first:][: int(dest["n_targets"])]
            row = int(step["first_work"]) + targets.tolist().index(station)
            found = float(self._line.work["mean_us"][row]) / 1e6
            self._process_s[k, station] = found
        return found

    def _setups(self, state: t.State, station: int, s: int) -> list[int] | None:
        """Return the mean setups of a server to each kind, or none where it has none.

        This is `eligible.setup_time` for all kinds at once.
        """
        first = int(self._line.stations["setup_first"][station])
        if first < 0:
            return None
        n = self._n_families + len(self._names.products)
        kind = int(state.servers["family"][s])
        first += (n if kind < 0 else kind) * n
        found: list[int] = self._line.setup_us[first : first + n].tolist()
        return found

    def _kind(self, station: int, product: int, k: int) -> int:
        """Return what a station's setups tell apart about a part; -1 needs no setup."""
        by = int(self._line.stations["setup_by"][station])
        if by == t.BY_FAMILY:
            return self._family[product]
        if by == t.BY_OPERATION:
            return self._step_family[k]
        return self._n_families + product


def _by(names: tuple[str, ...], values: list[int]) -> Mapping[str, int]:
    return MappingProxyType(dict(zip(names, values, strict=True)))
