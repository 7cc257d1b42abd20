"""What happened, event by event: the log, one unit's life, a station's Gantt chart.

The kernel writes trace rows only when it is asked to, and draws nothing for them, so a
traced run has the numbers of one that is not. Rows come in batches; nothing here keeps
more than one batch, save what it returns.

The columns of the event log are described in `LOG_COLUMNS`, its kinds in `LOG_KINDS`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from linewright import tables as t
from linewright.drafts import write_whole
from linewright.errors import KernelError
from linewright.kernel.run import advance
from linewright.lower import Lowered, new_draws, new_state, part_capacity
from linewright.replicate import no_room
from linewright.results import COLUMNS
from linewright.version import __version__

__all__ = [
    "LOG_COLUMNS",
    "LOG_KINDS",
    "event_log",
    "gantt",
    "trace_rows",
    "unit_life",
    "write_table",
    "write_trace",
]

LOG_COLUMNS: dict[str, str] = {
    "time_us": "when, microseconds from the start",
    "kind": "what happened, one of the kinds",
    "station": "where it happened or, for move, where the part goes",
    "server": "number of the station's server from 0",
    "buffer": "buffer that the part entered or has a place in",
    "product": "product of the part",
    "part": "serial number of the part among those of its product, from 0",
    "operation": "operation that the part is at, or comes to next",
    "detail": "event: its kind; mode: the new state; verdict: pass, rework or scrap",
    "before": "mode: the state before",
    "name": "the failure, order, product, tool or material it is about",
    "order": "order of the part",
    "into_product": "use: product it is built into; split: product it was cut from",
    "into_part": "serial number of that unit",
    "loops": "rework loops of the part until then",
    "truly_bad": "verdict: whether the part is truly bad, whatever the verdict",
}
"""Columns of the event log and what they mean; empty where a kind has no such thing."""

LOG_KINDS: dict[str, str] = {
    "event": "the cause of the rows after it, up to the next event",
    "mode": "a server went into another state",
    "release": "a part came into the line",
    "queue": "a part joined the queue in a buffer",
    "start": "a part was taken onto a server",
    "block": "a finished part found no room ahead and stays on its server",
    "output": "a finished part went into its station's output buffer",
    "move": "a part set out for a station; its place there is taken",
    "store": "a finished part went into its product's store",
    "use": "a component was taken from its store and built in",
    "split": "a part was set free by a split",
    "rework": "a part was sent back",
    "scrap": "a part was scrapped",
    "exit": "a unit left the line, or was split up",
    "lost": "an arrival was lost at a full first buffer",
    "outside": "a unit came to the line's door",
    "verdict": "an operation with an inspection, defects or samples behind it ended",
    "skip": "a part passes an operation by, not being in its sample",
    "late": "a part came to its operation later than its time limit allows",
    "take": "a part took a tool, a card of a loop or a material; or a setup or repair "
    "at a server took a tool",
    "give": "a tool or a card was handed back",
    "aside": "a part was set aside for a more urgent one, and waits in its queue",
}

EVENT_NAMES = (
    "finish", "setup_done", "moved", "repaired", "failure", "tick", "order", "arrival",
    "begin", "loaded", "unloaded", "waited", "returned",
    "advanced", "fetched", "people came",
)  # fmt: skip
VERDICT_NAMES = ("pass", "rework", "scrap")

_FOREVER = 2**62
_N_ROWS = 1 << 16
_HOUR_US = 3_600_000_000

Mask = npt.NDArray[np.bool_]


def trace_rows(
    lowered: Lowered, seed: int, replication: int, until_us: int
) -> Iterator[t.Ints]:
    """Yield the trace of one replication in batches, columns as `TRACE_COLUMNS`.

    Args:
        lowered: The line.
        seed: Seed of all streams.
        replication: Number of the replication.
        until_us: Last time of interest, microseconds.

    Raises:
        KernelError: The kernel ran out of working space.
    """
    n_rows = _N_ROWS + 16 * int(lowered.tables.settings[t.S_MARGIN])
    state = new_state(lowered, n_trace=n_rows)
    draws = new_draws(lowered, seed, replication)
    while True:
        code = advance(lowered.tables, state, draws, until_us, _FOREVER)
        if n := int(state.clock["n_trace"][0]):
            yield state.trace[:n].copy()
            state.clock["n_trace"] = 0
        if code == t.NO_ROOM:
            raise KernelError(no_room(lowered, state))
        if code == t.OVERFLOW:
            msg = "the kernel ran out of working space; please report this model"
            raise KernelError(msg)
        if code == t.NEED_PARTS:
            state = part_capacity(lowered, state, 2 * len(state.parts))
        elif code != t.NEED_TRACE:
            return


# ---------------------------------------------------------------- the event log


@dataclass(frozen=True, slots=True)
class _Rows:
    """Trace rows and the tables that their numbers point into."""

    lowered: Lowered
    rows: t.Ints

    def column(self, name: str) -> t.Ints:
        found: t.Ints = self.rows[:, t.TRACE_COLUMNS.index(name)]
        return found

    def of_kind(self, *kinds: int) -> Mask:
        return np.isin(self.column("kind"), kinds)

    def pick(self, *choices: tuple[Mask, t.Ints]) -> t.Ints:
        """Return for each row the number of the choice that applies, else -1."""
        out = np.full(len(self.rows), -1, np.int64)
        for mask, values in choices:
            out[mask] = values[mask]
        return out

    def servers(self) -> t.Ints:
        """Return the row of the server that each row is about, or -1."""
        row, value = self.column("row"), self.column("value")
        event = self.of_kind(t.T_EVENT)
        work = event & np.isin(
            value, (t.FINISH, t.SETUP_DONE, t.LOADED, t.UNLOADED, t.ADVANCED)
        )
        down = event & np.isin(value, (t.FAILURE, t.REPAIRED))
        owners = _at(self.lowered.tables.server_modes["server"], row)
        came = event & (value == t.PEOPLE_CAME)
        claimants, claimant = _server_of_claimant(self.lowered), self.column("other")
        lent = self.of_kind(t.T_TAKE, t.T_GIVE) & (claimant > 0)
        return self.pick(
            (self.of_kind(t.T_MODE, t.T_START, t.T_ASIDE) | work, row),
            (self.of_kind(t.T_BLOCK, t.T_OUTPUT), value),
            (down, owners),
            (came, _at(claimants, row)),
            (lent, _at(claimants, claimant - 1)),
        )

    def stations(self, servers: t.Ints) -> t.Ints:
        row = self.column("row")
        here = self.of_kind(
            t.T_RELEASE, t.T_BLOCK, t.T_MOVE, t.T_USE, t.T_SPLIT, t.T_REWORK,
            t.T_SCRAP, t.T_EXIT, t.T_VERDICT, t.T_SKIP, t.T_LATE,
        )  # fmt: skip
        owners = _at(_station_of_server(self.lowered), servers)
        waited = self.of_kind(t.T_EVENT) & (self.column("value") == t.WAITED)
        return self.pick((servers >= 0, owners), (here | waited, row))

    def buffers(self) -> t.Ints:
        return self.pick(
            (self.of_kind(t.T_QUEUE, t.T_OUTPUT, t.T_STORE), self.column("row")),
            (self.of_kind(t.T_MOVE), self.column("value")),
        )

    def details(self) -> tuple[t.Ints, tuple[str, ...]]:
        """Return rows of a list of words: events, then states, then verdicts."""
        value = self.column("value")
        n_events = len(EVENT_NAMES)
        found = self.pick(
            (self.of_kind(t.T_EVENT), value),
            (self.of_kind(t.T_MODE), value + n_events),
            (self.of_kind(t.T_VERDICT), (value & 3) + n_events + t.N_MODES),
        )
        return found, (*EVENT_NAMES, *t.MODE_NAMES, *VERDICT_NAMES)

    def subjects(self) -> tuple[t.Ints, tuple[str, ...]]:
        """Return rows of a list of names: failures, orders, products, stocks."""
        names = self.lowered.names
        row, value = self.column("row"), self.column("value")
        event = self.of_kind(t.T_EVENT)
        n_modes, n_orders = len(names.modes), len(names.orders)
        found = self.pick(
            (
                event & np.isin(value, (t.FAILURE, t.REPAIRED)),
                _at(self.lowered.tables.server_modes["mode"], row),
            ),
            (event & (value == t.ORDER), _at(np.arange(n_orders) + n_modes, row)),
            (event & (value == t.ARRIVAL), row + n_modes + n_orders),
            (
                self.of_kind(t.T_TAKE, t.T_GIVE) | event & (value == t.RETURNED),
                row + n_modes + n_orders + len(names.products),
            ),
        )
        words = *names.modes, *names.orders, *names.products, *names.stocks
        return found, words


def _at(values: t.Ints, rows: t.Ints) -> t.Ints:
    """Return the values at rows, -1 where there is no such row."""
    known = (rows >= 0) & (rows < len(values))
    out = np.full(len(rows), -1, np.int64)
    out[known] = values[rows[known]]
    return out


def _server_of_claimant(lowered: Lowered) -> t.Ints:
    """Return the server at which each claimant is: servers, then repairs."""
    n_servers = len(lowered.names.servers)
    owners = lowered.tables.server_modes["server"].astype(np.int64)
    return np.concatenate([np.arange(n_servers), owners])


def _station_of_server(lowered: Lowered) -> t.Ints:
    n_servers = lowered.tables.stations["n_servers"]
    return np.repeat(np.arange(len(n_servers)), n_servers)


def _words(rows: t.Ints, words: Iterable[str]) -> pa.Array:
    """Return names by row, null for -1."""
    indices = pa.array(rows.astype(np.int32), mask=rows < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(words), pa.string()))


def _numbers(values: t.Ints, known: Mask) -> pa.Array:
    return pa.array(values, pa.int64(), mask=~known)


def event_log(lowered: Lowered, rows: t.Ints) -> pa.Table:
    """Return trace rows with names; the columns are those of `LOG_COLUMNS`."""
    read, names = _Rows(lowered, rows), lowered.names
    value, other = read.column("value"), read.column("other")
    product, serial = read.column("product"), read.column("serial")
    servers = read.servers()
    numbers = np.arange(len(names.servers)) - np.repeat(
        lowered.tables.stations["first_server"], lowered.tables.stations["n_servers"]
    )
    into = read.of_kind(t.T_USE, t.T_SPLIT)
    ordered = read.of_kind(t.T_RELEASE, t.T_SCRAP, t.T_EXIT, t.T_OUTSIDE)
    # orders that came while the line ran have no name in its tables
    known_orders = _at(np.arange(len(names.orders)), value)
    mode, verdict = read.of_kind(t.T_MODE), read.of_kind(t.T_VERDICT)
    loops = read.pick(
        (read.of_kind(t.T_START) | verdict, other), (read.of_kind(t.T_REWORK), value)
    )
    columns = {
        "time_us": pa.array(read.column("time_us")),
        "kind": _words(read.column("kind"), t.TRACE_NAMES),
        "station": _words(read.stations(servers), names.stations),
        "server": _numbers(_at(numbers, servers), servers >= 0),
        "buffer": _words(read.buffers(), names.buffers),
        "product": _words(product, names.products),
        "part": _numbers(serial, product >= 0),
        "operation": _words(read.column("step"), names.operations),
        "detail": _words(*read.details()),
        "before": _words(read.pick((mode, other)), t.MODE_NAMES),
        "name": _words(*read.subjects()),
        "order": _words(read.pick((ordered, known_orders)), names.orders),
        "into_product": _words(read.pick((into, value)), names.products),
        "into_part": _numbers(other, into),
        "loops": _numbers(loops, loops >= 0),
        "truly_bad": pa.array((value & t.BAD) > 0, mask=~verdict),
    }
    return _described(columns)


def _described(columns: dict[str, pa.Array]) -> pa.Table:
    fields = [
        pa.field(name, array.type, metadata={"description": LOG_COLUMNS[name]})
        for name, array in columns.items()
    ]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def write_trace(
    path: str | os.PathLike[str],
    lowered: Lowered,
    seed: int,
    replication: int,
    until_us: int,
    model_hash: str = "",
) -> int:
    """Write the event log of a replication as one Parquet file; return its rows.

    The file appears whole or not at all; memory does not grow with its length.

    Raises:
        ResultError: The file cannot be written.
    """
    about = {
        "linewright_version": __version__,
        "model_hash": model_hash,
        "seed": str(seed),
        "replication": str(replication),
    }
    batches = trace_rows(lowered, seed, replication, until_us)
    return write_whole(path, lambda draft: _stream(draft, lowered, batches, about))


def write_table(path: str | os.PathLike[str], table: pa.Table) -> None:
    """Write a table as one Parquet file, whole or not at all.

    Raises:
        ResultError: The file cannot be written.
    """
    write_whole(path, lambda draft: pq.write_table(table, draft))


def _stream(
    path: Path, lowered: Lowered, batches: Iterator[t.Ints], about: dict[str, str]
) -> int:
    empty = event_log(lowered, np.zeros((0, len(t.TRACE_COLUMNS)), np.int64))
    n_rows = 0
    with pq.ParquetWriter(path, empty.schema.with_metadata(about)) as writer:
        for rows in batches:
            writer.write_table(event_log(lowered, rows).replace_schema_metadata(about))
            n_rows += len(rows)
    return n_rows


# ---------------------------------------------------------------- one unit


def unit_life(
    lowered: Lowered,
    seed: int,
    replication: int,
    until_us: int,
    product: str,
    serial: int,
) -> pa.Table:
    """Return the rows of the event log that concern one unit, in order.

    These are its own rows, those of the components built into it (kind ``use``) and of
    the units that it was split into (kind ``split``); `into_part` is then its number.

    Raises:
        ValueError: There is no such product.
    """
    if product not in lowered.names.products:
        known = ", ".join(lowered.names.products)
        msg = f'there is no product "{product}"; products are {known}'
        raise ValueError(msg)
    row = lowered.names.products.index(product)
    found = [
        batch[_concerns(_Rows(lowered, batch), row, serial)]
        for batch in trace_rows(lowered, seed, replication, until_us)
    ]
    empty = np.zeros((0, len(t.TRACE_COLUMNS)), np.int64)
    return event_log(lowered, np.concatenate([empty, *found]))


def _concerns(read: _Rows, product: int, serial: int) -> Mask:
    own = (read.column("product") == product) & (read.column("serial") == serial)
    into = (read.column("value") == product) & (read.column("other") == serial)
    found: Mask = own | (read.of_kind(t.T_USE, t.T_SPLIT) & into)
    return found


# ---------------------------------------------------------------- Gantt


class _Span(NamedTuple):
    server: int
    mode: int
    part: tuple[int, int]
    start_us: int
    end_us: int


@dataclass(slots=True)
class _Chart:
    """Spans of servers as they are closed; a server is in its first state from 0."""

    mode: list[int]
    since_us: list[int]
    part: list[tuple[int, int]]
    server_of: dict[tuple[int, int], int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    spans: list[_Span] = field(default_factory=list)

    def close(self, s: int, now_us: int) -> None:
        """End the span of a server; one without length is dropped."""
        if now_us > self.since_us[s]:
            span = _Span(s, self.mode[s], self.part[s], self.since_us[s], now_us)
            before = self.spans[self.last[s]] if s in self.last else None
            if before and before[:3] == span[:3]:  # only an instant lay between
                self.spans[self.last[s]] = before._replace(end_us=now_us)
            else:
                self.last[s] = len(self.spans)
                self.spans.append(span)
        self.since_us[s] = now_us

    def put(self, s: int, part: tuple[int, int], now_us: int) -> None:
        """Note which part is on a server."""
        if part != self.part[s]:
            self.close(s, now_us)
            self.server_of.pop(self.part[s], None)
            self.part[s] = part
            if part[0] >= 0:
                self.server_of[part] = s


_NO_PART = (-1, -1)
_LEFT = (t.T_QUEUE, t.T_OUTPUT, t.T_MOVE, t.T_STORE, t.T_EXIT, t.T_SCRAP)
_CHARTED = (t.T_MODE, t.T_START, *_LEFT)


def gantt(
    lowered: Lowered,
    seed: int,
    span_us: int,
    max_rows: int,
    station: str = "",
    replication: int = 0,
) -> pa.Table:
    """Return what every server did from the start on, in the columns of a result.

    Args:
        lowered: The line.
        seed: Seed of all streams.
        span_us: Time to cover, microseconds.
        max_rows: Most rows; where they do not do, the chart of all servers ends at one
            earlier time.
        station: Name of the one station wanted; all by default.
        replication: Number of the replication.

    Raises:
        ValueError: There is no such station.
    """
    names = lowered.names
    if station and station not in names.stations:
        known = ", ".join(names.stations)
        msg = f'there is no station "{station}"; stations are {known}'
        raise ValueError(msg)
    owner = _station_of_server(lowered)
    n = len(owner)
    shown = [not station or names.stations[k] == station for k in owner]
    chart = _Chart([t.STARVED] * n, [0] * n, [_NO_PART] * n)
    end_us = span_us
    room = max_rows - sum(shown)
    for rows in trace_rows(lowered, seed, replication, span_us):
        stopped = _chart_rows(chart, rows, shown, room)
        if stopped is not None:
            end_us = stopped
            break
    for s in range(n):
        if shown[s]:
            chart.close(s, end_us)
    return _gantt_table(lowered, owner, chart)


def _chart_rows(
    chart: _Chart, rows: t.Ints, shown: list[bool], room: int
) -> int | None:
    """Read a batch into the chart; return the time at which it was full, if it was."""
    for now_us, kind, row, product, serial, _, value, _ in rows[
        np.isin(rows[:, 1], _CHARTED)
    ].tolist():
        part = (product, serial)
        if kind in _LEFT:
            s = chart.server_of.get(part, -1)
            part = _NO_PART
        else:
            s = row
        if s < 0 or not shown[s]:
            continue
        if len(chart.spans) >= room and now_us > chart.since_us[s]:
            return int(now_us)
        chart.put(s, part, now_us)
        if kind == t.T_MODE:
            chart.close(s, now_us)
            chart.mode[s] = value
    return None


def _gantt_table(lowered: Lowered, owner: t.Ints, chart: _Chart) -> pa.Table:
    spans = sorted(chart.spans, key=lambda span: (span.start_us, span.server))
    names, first = lowered.names, lowered.tables.stations["first_server"]
    products = (*names.products, "")  # the last for no part
    columns: dict[str, Any] = {
        "station": [names.stations[owner[x.server]] for x in spans],
        "server": [x.server - int(first[owner[x.server]]) for x in spans],
        "state": [t.MODE_NAMES[x.mode] for x in spans],
        "product": [products[x.part[0]] for x in spans],
        "part": [x.part[1] for x in spans],
        "start_us": [x.start_us for x in spans],
        "end_us": [x.end_us for x in spans],
    }
    text = {"station", "state", "product"}
    fields = [
        pa.field(
            name,
            pa.string() if name in text else pa.int64(),
            metadata={"description": meaning},
        )
        for name, meaning in COLUMNS["gantt"].items()
    ]
    return pa.table(
        [pa.array(columns[f.name], f.type) for f in fields],
        schema=pa.schema(fields, metadata={"table": "gantt"}),
    )
