"""The tables of a line while they grow, row by row.

The other modules of this package add rows to one `Build`, and ask it for rows that were
added before. A row is a dictionary until all of them are known; `records` then turns a
list of them into an array. Streams, distributions and destinations that are asked for
twice get one row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.model.changes import Schedule
from linewright.model.distribution import KINDS, Distribution
from linewright.model.line import Line, PythonRule
from linewright.model.meaning import Taken

_KIND = {kind: row for row, kind in enumerate(KINDS)}


def zeros(dtype: Any, *shape: int) -> Any:
    """Return an array or records of zeros that begin on a line of the cache."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    memory = np.zeros(size + t.CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % t.CACHE_LINE
    return memory[start : start + size].view(kind).reshape(shape)


def records(dtype: np.dtype[Any], rows: Sequence[dict[str, float]]) -> t.Records:
    """Return records; a field that a row does not name is zero."""
    out: t.Records = zeros(dtype, len(rows))
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[name][i] = value
    return out


def _slots(slots: int | str) -> int:
    return t.UNLIMITED if slots == "unlimited" else int(slots)


class OwnRule(NamedTuple):
    """A rule of one's own: what it decides, for which station or product, and how.

    Attributes:
        kind: ``dispatch`` or ``release``.
        owner: Name of the station or product.
        rule: The rule, as the model has it.
    """

    kind: Literal["dispatch", "release"]
    owner: str
    rule: PythonRule


@dataclass
class Build:
    """The tables as they grow."""

    line: Line
    horizon_us: int
    # from names to rows
    station_rows: dict[str, int] = field(default_factory=dict)
    product_rows: dict[str, int] = field(default_factory=dict)
    buffer_rows: dict[str, int] = field(default_factory=dict)
    calendar_rows: dict[Schedule, int] = field(default_factory=dict)
    families: dict[str, int] = field(default_factory=dict)
    first_steps: dict[str, int] = field(default_factory=dict)
    dest_rows: dict[Any, int] = field(default_factory=dict)
    # chance
    streams: dict[str, int] = field(default_factory=dict)
    stream_kinds: list[int] = field(default_factory=list)
    stream_scales: list[float] = field(default_factory=list)
    dists: list[dict[str, float]] = field(default_factory=list)
    dist_rows: dict[Distribution, int] = field(default_factory=dict)
    data: list[float] = field(default_factory=list)
    # tables
    links: list[int] = field(default_factory=list)
    stations: list[dict[str, float]] = field(default_factory=list)
    modes: list[dict[str, float]] = field(default_factory=list)
    mode_names: list[str] = field(default_factory=list)
    server_modes: list[dict[str, float]] = field(default_factory=list)
    server_names: list[str] = field(default_factory=list)
    buffers: list[dict[str, float]] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    dests: list[dict[str, float]] = field(default_factory=list)
    targets: list[dict[str, float]] = field(default_factory=list)
    uses: list[dict[str, float]] = field(default_factory=list)
    products: list[dict[str, float]] = field(default_factory=list)
    calendars: list[dict[str, float]] = field(default_factory=list)
    ticks: list[tuple[Any, ...]] = field(default_factory=list)
    orders: list[dict[str, float]] = field(default_factory=list)
    transports: list[dict[str, float]] = field(default_factory=list)
    work: list[dict[str, float]] = field(default_factory=list)
    in_process: list[dict[str, float]] = field(default_factory=list)
    pools: list[dict[str, float]] = field(default_factory=list)
    skills: list[dict[str, float]] = field(default_factory=list)
    needs: list[dict[str, float]] = field(default_factory=list)
    stocks: list[dict[str, float]] = field(default_factory=list)
    takes: list[dict[str, float]] = field(default_factory=list)
    stock_rows: dict[str, int] = field(default_factory=dict)
    curves: list[dict[str, float]] = field(default_factory=list)
    fleets: list[dict[str, float]] = field(default_factory=list)
    ways_us: list[int] = field(default_factory=list)
    curve_rows: dict[str, int] = field(default_factory=dict)
    slots: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    taken: dict[str, list[Taken]] = field(default_factory=dict)
    materials: dict[str, tuple[dict[str, int], ...]] = field(default_factory=dict)
    skill_rows: dict[str, int] = field(default_factory=dict)
    fleet_rows: dict[str, int] = field(default_factory=dict)
    setups: list[int] = field(default_factory=list)
    setup_us: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    batch_groups: dict[Any, int] = field(default_factory=dict)
    n_slots: int = 0
    own_rules: list[OwnRule] = field(default_factory=list)
    # groups of stations that share a queue, timers, sizes
    common_modes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    groups: list[list[int]] = field(default_factory=list)
    leaf_row: list[int] = field(default_factory=list)
    leaf_station: list[int] = field(default_factory=list)
    settings: list[int] = field(default_factory=lambda: [0] * 13)
    stations_of_calendar: dict[int, list[int]] = field(default_factory=dict)

    def link(self, rows: Iterable[int]) -> tuple[int, int]:
        """Put rows behind each other; return where they begin and how many they are."""
        first = len(self.links)
        self.links.extend(rows)
        return first, len(self.links) - first

    def own_rule(
        self, kind: Literal["dispatch", "release"], owner: str, rule: Any
    ) -> int:
        """Add a rule of one's own and return its row; -1 for any other rule."""
        if not isinstance(rule, PythonRule):
            return -1
        self.own_rules.append(OwnRule(kind, owner, rule))
        return len(self.own_rules) - 1

    def stream(self, *name: object, of: Iterable[Distribution | None] = ()) -> int:
        """Return the row of the stream of a name, which serves some distributions.

        A stream of one exponential holds its times ready made.
        """
        text = "\0".join(map(str, name))
        if text not in self.streams:
            self.streams[text] = len(self.stream_kinds)
            served = {d for d in of if d is not None}
            kind, scale = t.UNIFORM, 0.0
            if served and {d.kind for d in served} == {"exponential"}:
                kind = t.TIMES if len(served) == 1 else t.EXPONENTIAL
                scale = next(iter(served)).parameters[0] if len(served) == 1 else 0.0
            self.stream_kinds.append(kind)
            self.stream_scales.append(scale)
        return self.streams[text]

    def dist(self, distribution: Distribution) -> int:
        """Return the row of a distribution."""
        row = self.dist_rows.get(distribution)
        if row is None:
            row = self.dist_rows[distribution] = len(self.dists)
            self.dists.append(self._dist_record(distribution))
        return row

    def _dist_record(self, d: Distribution) -> dict[str, float]:
        record: dict[str, float] = {"kind": _KIND[d.kind]}
        parameters = d.parameters
        if d.kind == "pert":
            low, mode, high = parameters
            a = 1 + 4 * (mode - low) / (high - low) if high > low else 3.0
            parameters = (low, high, a, 6 - a)
        record |= dict(zip("abcd", parameters, strict=False))
        if d.values_us:
            record |= {"first": len(self.data), "n": len(d.values_us)}
            self.data.extend(
                map(float, sorted(d.values_us) if not d.weights else d.values_us)
            )
            if d.weights:
                self.data.extend(np.cumsum(d.weights).tolist())
        return record

    def new_buffer(self, name: str, slots: int | str) -> int:
        """Add a buffer; return its row."""
        self.buffer_rows[name] = len(self.buffers)
        self.buffers.append({"slots": _slots(slots)})
        return self.buffer_rows[name]

    def buffer_of(self, own_name: str, slots: int | str) -> int:
        """Return the row of the shared buffer that is named, or of one of its own."""
        if isinstance(slots, str) and slots != "unlimited":
            return self.buffer_rows[slots]
        if own_name in self.buffer_rows:
            return self.buffer_rows[own_name]
        return self.new_buffer(own_name, slots)

    def dest(self, pairs: tuple[tuple[int, int], ...], choose: int) -> int:
        """Return the row of a destination: its targets and how to choose."""
        key = (pairs, choose if len(pairs) > 1 else 0)
        if key not in self.dest_rows:
            self.dest_rows[key] = len(self.dests)
            queue = -1
            if len(pairs) > 1 and choose == t.CHOOSE_FIRST_FREE:
                queue = len(self.station_rows) + len(self.groups)
                self.groups.append([k for k, _ in pairs])
            self.dests.append(
                {
                    "first_target": len(self.targets),
                    "n_targets": len(pairs),
                    "rule": key[1],
                    "queue": queue,
                }
            )
            self.targets.extend({"station": k, "buffer": b} for k, b in pairs)
        return self.dest_rows[key]

    def quantities(self, wanted: dict[str, int]) -> tuple[int, int]:
        """Put numbers of parts behind each other; return where and how many."""
        first = len(self.uses)
        self.uses.extend(
            {"product": self.product_rows[name], "quantity": n}
            for name, n in wanted.items()
        )
        return first, len(wanted)

    def linked(self, row: dict[str, float], what: str) -> list[int]:
        """Return the rows that a record links to as `first_...` and `n_...`."""
        first = int(row[f"first_{what}"])
        return self.links[first : first + int(row[f"n_{what}s"])]

    def servers_of(self, k: int) -> range:
        """Return the servers of a station."""
        first = int(self.stations[k]["first_server"])
        return range(first, first + int(self.stations[k]["n_servers"]))

    def station_of_server(self, s: int) -> int:
        """Return the station of a server."""
        return next(k for k in range(len(self.stations)) if s in self.servers_of(k))

    def targets_of(self, d: int) -> list[dict[str, float]]:
        """Return the targets of a destination."""
        first = int(self.dests[d]["first_target"])
        return self.targets[first : first + int(self.dests[d]["n_targets"])]

    def stations_of(self, d: int) -> list[int]:
        """Return the stations that a destination leads to."""
        return [
            int(target["station"])
            for target in self.targets_of(d)
            if target["station"] >= 0
        ]

    def buffers_of(self, d: int) -> list[int]:
        """Return the buffers that a destination leads to."""
        return [int(target["buffer"]) for target in self.targets_of(d)]

    def following_dest(self, step: dict[str, float]) -> int:
        """Return where parts go after a step, or -1: out of the line."""
        if step["next"] >= 0:
            return int(self.steps[int(step["next"])]["dest"])
        return int(self.products[int(step["product"])]["store"])
