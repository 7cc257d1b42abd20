"""The log of a simulation or of a running line: more than any plant writes down.

A trace says when a server worked, was set up, failed or stood, so the work inside of a
piece of work is known and not guessed from a calendar. Rows are those of
`linewright.traces`: of ``linewright trace --out``, of a simulation, or of a journal.
"""

from __future__ import annotations

import datetime
import zoneinfo
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from linewright.errors import Finding, ModelError
from linewright.fit.log import (
    ABSENT,
    FAILURE,
    FINISHED,
    OPEN,
    SCRAPPED,
    SETUP,
    UNKNOWN,
    WORK,
    EventLog,
    Ints,
    Join,
    Mask,
)
from linewright.fit.tables import coded
from linewright.traces import LOG_COLUMNS

__all__ = ["is_trace", "log_of_trace", "read_trace"]

_NEEDED = (
    "time_us", "kind", "station", "server", "product", "part", "operation", "detail",
    "into_product", "into_part",
)  # fmt: skip
_HELD = ("start", "block", "output", "move", "store", "exit", "scrap", "rework")
_CAME = ("queue", "outside", "release")
_SAID = frozenset(
    {"server", "setup", "failure", "queued", "product", "fate", "arrival", "work"}
)


def is_trace(path: Path) -> bool:
    """Say whether a file is a trace that Linewright has written."""
    if path.suffix != ".parquet":
        return False
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError):
        return False  # reading it as a table says what is wrong with it
    return set(_NEEDED) <= set(names) and set(names) <= set(LOG_COLUMNS)


def read_trace(path: Path, start: datetime.datetime, zone: str) -> EventLog:
    """Return the log of a trace file.

    Args:
        path: File of ``linewright trace --out``.
        start: Local date and time at which the line started.
        zone: Its time zone.

    Raises:
        ModelError: The file holds nothing.
    """
    return log_of_trace(pq.read_table(path, columns=[*_NEEDED]), str(path), start, zone)


@dataclass(frozen=True, slots=True)
class _Clock:
    """Time that each server was in a state, up to any instant.

    Attributes:
        span: One more than the last time; a server's times are put `span` apart.
        key: Server times `span` plus time of each change, sorted.
        begun_us: Time in the state up to each change.
        is_on: Whether the server is in the state from then on.
    """

    span: int
    key: Ints
    begun_us: Ints
    is_on: Mask

    def at(self, server: Ints, time_us: Ints) -> Ints:
        """Return the time that servers were in the state until times."""
        at = np.searchsorted(self.key, server * self.span + time_us, "right") - 1
        at = np.maximum(at, 0)
        own = self.key[at] // self.span == server
        since = server * self.span + time_us - self.key[at]
        found = self.begun_us[at] + np.where(self.is_on[at], since, 0)
        return np.where(own, found, 0)


def log_of_trace(
    table: pa.Table, source: str, start: datetime.datetime, zone: str
) -> EventLog:
    """Return the log of trace rows; see the module.

    Args:
        table: Rows with the columns of `linewright.traces`, in their order.
        source: Where they are from.
        start: Local date and time of their time 0.
        zone: Time zone.

    Raises:
        ModelError: No part was worked on.
    """
    origin = int(start.replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp() * 1e6)
    rows = _Rows.of(table)
    runs = rows.runs()
    if not len(runs.part):
        msg = "no part was worked on"
        raise ModelError([Finding("LW606", msg, file=source)])
    keys, case = np.unique(runs.part, return_inverse=True)
    at = np.flatnonzero(runs.setup_us > 0)
    stops = rows.setups(runs, at), rows.repairs()
    n_stops = sum(len(stop.station) for stop in stops)

    def joined(own: Ints, *others: Ints) -> Ints:
        return np.concatenate([own, *others])

    n_repairs = len(stops[1].station)
    # a repair belongs to no case; it goes to the first, which nothing looks at
    case_all = joined(case, case[at], np.zeros(n_repairs, np.int64))
    kind = joined(
        np.full(len(case), WORK), *(np.full(len(s.station), s.kind) for s in stops)
    )
    columns: dict[str, Any] = {
        "case": case_all,
        "activity": joined(
            runs.activity, runs.activity[at], np.full(n_repairs, ABSENT)
        ),
        "station": joined(runs.station, *(s.station for s in stops)),
        "server": joined(runs.server, *(s.server for s in stops)),
        "kind": kind,
        "queued_us": joined(runs.queued_us, np.full(n_stops, UNKNOWN)),
        "start_us": joined(runs.start_us, *(s.start_us for s in stops)),
        "end_us": joined(runs.end_us, *(s.end_us for s in stops)),
        "work_us": joined(runs.work_us, *(s.work_us for s in stops)),
    }
    order = np.lexsort((columns["end_us"], columns["start_us"], columns["case"]))
    columns = {name: values[order] for name, values in columns.items()}
    for name in ("queued_us", "start_us", "end_us"):
        values = columns[name]
        columns[name] = np.where(values == UNKNOWN, UNKNOWN, values + origin)
    fate, arrival_us = rows.fates(keys)
    n_part = rows.n_part
    names = rows.products
    return EventLog(
        source=source,
        cases=[f"{names[k // n_part]}:{k % n_part}" for k in keys.tolist()],
        activities=rows.operations,
        stations=rows.stations,
        products=names,
        row=np.arange(1, len(order) + 1),
        quantity=np.full(len(order), np.nan),
        case_product=keys // n_part,
        case_fate=fate,
        case_arrival_us=np.where(arrival_us == UNKNOWN, UNKNOWN, arrival_us + origin),
        zone=zone,
        begin_us=origin,
        close_us=origin + int(rows.time_us.max()),
        joins=rows.joins(runs),
        said=_SAID if rows.has_arrivals() else _SAID | {"pulled"},
        **columns,
    )


def _found(keys: Ints, wanted: Ints) -> Ints:
    """Return where each value stands in sorted keys, `ABSENT` where it does not."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, ABSENT)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Pieces of work: one for each time that a part was taken onto a server."""

    part: Ints
    activity: Ints
    station: Ints
    server: Ints
    queued_us: Ints
    start_us: Ints
    end_us: Ints
    work_us: Ints
    setup_us: Ints


@dataclass(frozen=True, slots=True)
class _Stops:
    """Setups, or repairs, of servers.

    `work_us` of a setup is its length; of a repair, the processing time of the server
    since the repair before.
    """

    kind: int
    station: Ints
    server: Ints
    start_us: Ints
    end_us: Ints
    work_us: Ints


@dataclass(frozen=True, slots=True)
class _Rows:
    """Trace rows as numbers into lists of names."""

    time_us: Ints
    kind: Ints
    kinds: tuple[str, ...]
    station: Ints
    stations: tuple[str, ...]
    server: Ints
    product: Ints
    products: tuple[str, ...]
    part: Ints
    n_part: int
    operation: Ints
    operations: tuple[str, ...]
    detail: Ints
    details: tuple[str, ...]
    into: Ints

    @classmethod
    def of(cls, table: pa.Table) -> _Rows:
        """Return rows of a table."""
        coded = {
            name: _codes(table[name])
            for name in ("kind", "station", "product", "operation", "detail")
        }
        part, into_part = _ints(table["part"]), _ints(table["into_part"])
        n_part = int(max(part.max(initial=0), into_part.max(initial=0))) + 1
        rank = {name: i for i, name in enumerate(coded["product"][1])}
        into = _codes(table["into_product"])
        into_rank = np.array([rank[name] for name in into[1]] + [ABSENT])[into[0]]
        return cls(
            time_us=_ints(table["time_us"]),
            kind=coded["kind"][0],
            kinds=coded["kind"][1],
            station=coded["station"][0],
            stations=coded["station"][1],
            server=_ints(table["server"]),
            product=coded["product"][0],
            products=coded["product"][1],
            part=part,
            n_part=n_part,
            operation=coded["operation"][0],
            operations=coded["operation"][1],
            detail=coded["detail"][0],
            details=coded["detail"][1],
            into=np.where(into_rank < 0, ABSENT, into_rank * n_part + into_part),
        )

    def is_kind(self, *names: str) -> Mask:
        """Say which rows are of some kinds."""
        wanted = [i for i, name in enumerate(self.kinds) if name in names]
        return np.isin(self.kind, wanted)

    @property
    def place(self) -> Ints:
        """A number for each server of each station."""
        return self.station * self._n_servers + self.server

    @property
    def _n_servers(self) -> int:
        return int(self.server.max(initial=0)) + 1

    def has_arrivals(self) -> bool:
        """Say whether units came by themselves, or were taken in for want of work."""
        wanted = [i for i, n in enumerate(self.details) if n in {"arrival", "order"}]
        return bool((self.is_kind("event") & np.isin(self.detail, wanted)).any())

    def clock(self, *states: str) -> _Clock:
        """Return the time that servers were in some states."""
        rows = np.flatnonzero(self.is_kind("mode") & (self.server >= 0))
        place, time_us = self.place[rows], self.time_us[rows]
        order = np.argsort(place, kind="stable")
        place, time_us = place[order], time_us[order]
        wanted = [i for i, name in enumerate(self.details) if name in states]
        is_on = np.isin(self.detail[rows][order], wanted)
        span = int(self.time_us.max()) + 2
        gain = np.append(0, np.where(is_on[:-1], np.diff(time_us), 0))
        first = np.append(True, place[1:] != place[:-1])
        gain[first] = 0
        total = np.cumsum(gain)
        base = total[first][np.cumsum(first) - 1] if len(total) else total
        return _Clock(span, place * span + time_us, total - base, is_on)

    def runs(self) -> _Runs:
        """Return the pieces of work that have ended."""
        chosen = np.flatnonzero(self.is_kind(*_HELD, *_CAME) & (self.part >= 0))
        part = self.product[chosen] * self.n_part + self.part[chosen]
        order = np.argsort(part, kind="stable")
        rows, part = chosen[order], part[order]
        is_start = self.is_kind("start")[rows]
        is_came = self.is_kind(*_CAME)[rows]
        at = np.flatnonzero(is_start)
        at = at[at + 1 < len(rows)]
        at = at[part[at + 1] == part[at]]  # the rest is still on its server
        begin, end = rows[at], rows[at + 1]
        before = np.maximum(at - 1, 0)
        came = is_came[before] & (part[before] == part[at]) & (at > 0)
        # loads and setups are what a part needs beside its work, in a plant's log too
        clock, setup = self.clock("processing"), self.clock("setup", "loading")
        place = self.place[begin]
        start_us, end_us = self.time_us[begin], self.time_us[end]
        return _Runs(
            part=part[at],
            activity=self.operation[begin],
            station=self.station[begin],
            server=self.server[begin],
            # without a row before, it went straight from one server to the next
            queued_us=np.where(came, self.time_us[rows[before]], start_us),
            start_us=start_us,
            end_us=end_us,
            work_us=clock.at(place, end_us) - clock.at(place, start_us),
            setup_us=setup.at(place, end_us) - setup.at(place, start_us),
        )

    def setups(self, runs: _Runs, at: Ints) -> _Stops:
        """Return the setups, one for each piece of work that had one.

        A setup over a break has two spans and is one; its end is where it would be
        without the break.
        """
        start_us, length = runs.start_us[at], runs.setup_us[at]
        end_us = np.minimum(start_us + length, runs.end_us[at])
        return _Stops(
            SETUP, runs.station[at], runs.server[at], start_us, end_us, length
        )

    def repairs(self) -> _Stops:
        """Return the spans in which servers were down, for as long as they were."""
        rows = np.flatnonzero(self.is_kind("mode") & (self.server >= 0))
        rows = rows[np.argsort(self.place[rows], kind="stable")]
        place = self.place[rows]
        wanted = [i for i, name in enumerate(self.details) if name == "failed"]
        at = np.flatnonzero(np.isin(self.detail[rows], wanted))
        at = at[at + 1 < len(rows)]
        at = at[place[at + 1] == place[at]]
        begin, end = rows[at], rows[at + 1]
        own, start_us = self.place[begin], self.time_us[begin]
        run_us = self.clock("processing").at(own, start_us)
        same = own[1:] == own[:-1]
        before = np.append(0, np.where(same, run_us[:-1], 0))[: len(own)]
        return _Stops(
            FAILURE,
            self.station[begin],
            self.server[begin],
            start_us,
            self.time_us[end],
            run_us - before,
        )

    def joins(self, runs: _Runs) -> tuple[Join, ...]:
        """Return what is built into what, by the components that each whole took.

        Args:
            runs: The pieces of work; a whole takes components as one begins.
        """
        rows = np.flatnonzero(self.is_kind("use"))
        span = int(self.time_us.max()) + 2
        taken_us = self.into[rows] * span + self.time_us[rows]
        at = _found(runs.part * span + runs.start_us, taken_us)
        rows, at = rows[at >= 0], at[at >= 0]  # work that goes on has no end yet
        if not len(rows):
            return ()
        n_products = len(self.products)
        pairs = at * n_products + self.product[rows]
        keys, times = np.unique(pairs, return_counts=True)
        run, component = keys // n_products, keys % n_products
        whole, operation = runs.part[run] // self.n_part, runs.activity[run]
        kinds = np.stack([whole, operation, component], axis=1)
        found = []
        for kind in np.unique(kinds, axis=0):
            taken = times[(kinds == kind).all(axis=1)]
            most = int(np.bincount(taken).argmax())
            w, o, c = kind.tolist()
            share = float((taken == most).mean())
            found.append(
                Join(self.products[w], self.operations[o], self.products[c], most,
                     len(taken), share)
            )  # fmt: skip
        return tuple(found)

    def fates(self, keys: Ints) -> tuple[Ints, Ints]:
        """Return what became of each part, and when it came to the line."""
        own = self.product * self.n_part + self.part
        fate = np.full(len(keys), OPEN)
        for names, value in ((("exit", "store"), FINISHED), (("scrap",), SCRAPPED)):
            at = _found(keys, own[self.is_kind(*names)])
            fate[at[at >= 0]] = value
        arrival_us = np.full(len(keys), UNKNOWN)
        for name in ("release", "outside"):  # who waited outside came before
            rows = np.flatnonzero(self.is_kind(name))[::-1]
            at = _found(keys, own[rows])
            arrival_us[at[at >= 0]] = self.time_us[rows[at >= 0]]
        return fate, arrival_us


def _ints(column: pa.ChunkedArray) -> Ints:
    filled = pc.fill_null(column.cast(pa.int64()), ABSENT)
    return np.asarray(filled.to_numpy(), np.int64)


def _codes(column: pa.ChunkedArray) -> tuple[Ints, tuple[str, ...]]:
    """Return names as numbers; operations of two products may have one name."""
    found = coded(column)
    return found.codes, tuple(found.names)
