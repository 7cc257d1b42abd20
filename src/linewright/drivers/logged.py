"""Any log as an `EventLog`: files of many kinds, and the journal of a running line.

The kind is found by the file's name and its first bytes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from linewright import tables as t
from linewright.control.journal import Reader
from linewright.control.openings import laid_out
from linewright.control.places import Place, place_of
from linewright.control.reading import open_reader
from linewright.errors import Finding, ModelError
from linewright.fit.exchange import read_xes
from linewright.fit.log import EventLog, Ints
from linewright.fit.mapping import Columns
from linewright.fit.ocel import is_ocel_sqlite, read_ocel
from linewright.fit.reading import read_log
from linewright.fit.tables import log_of_table
from linewright.fit.traced import is_trace, log_of_trace, read_trace
from linewright.model.line import Line
from linewright.traces import event_log

__all__ = ["read_any_log", "read_journal_log"]

_SQLITE = b"SQLite format 3\0"
_OCEL = ("json", "jsonocel", "ocel", "xml", "xmlocel")
_AT_ONCE = 100_000  # rows of a journal that are lists before they are an array


def read_any_log(
    path: str | Path,
    columns: Columns | None = None,
    *,
    start: datetime.datetime | None = None,
    zone: str = "UTC",
) -> EventLog:
    """Return the log in a file.

    Args:
        path: CSV, Parquet, XES or OCEL 2.0, each also compressed; a trace that
            Linewright has written; or a journal, also by its address on PostgreSQL.
        columns: What columns or attributes mean; by their usual names by default.
        start: Local date and time of the start of a trace, which does not say it.
        zone: Time zone of a trace.

    Raises:
        ModelError: The file cannot be read, or the mapping does not fit it.
        JournalError: The journal was changed or cannot be read.
    """
    place = place_of(path)
    if not isinstance(place, Path) or _is_journal(place):
        return read_journal_log(place)
    kind = place.name.lower().removesuffix(".gz").rpartition(".")[2]
    if is_trace(place):
        return read_trace(place, start or datetime.datetime(2027, 1, 4), zone)  # noqa: DTZ001 - local
    if kind == "xes":
        return log_of_table(read_xes(place, columns))
    if kind in _OCEL or _is_sqlite(place):
        return log_of_table(read_ocel(place, columns))
    return read_log(place, columns)


def _is_journal(path: Path) -> bool:
    return _is_sqlite(path) and not is_ocel_sqlite(path)


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        msg = f"cannot be read: {error.strerror or error}"
        raise ModelError([Finding("LW603", msg, file=str(path))]) from error


def read_journal_log(place: Place) -> EventLog:
    """Return what the journal of a line tells, from its start to its last record.

    Raises:
        JournalError: It is no journal, or was changed.
        ModelError: No part was worked on.
    """
    reader = open_reader(place)
    try:
        line = Line.model_validate(reader.opening.model)
        blocks = list(_blocks(reader))
        end_us, name = max(line.study.horizon, reader.last_us()), reader.name
        follows = reader.opening.follows
    finally:
        reader.close()
    table = np.concatenate(blocks)
    lowered = laid_out(line, end_us, follows=follows)
    found = event_log(lowered, table)
    return log_of_trace(found, name, line.start, line.time_zone)


def _blocks(reader: Reader) -> Iterator[Ints]:
    """Yield the trace rows of a journal, many at once."""
    rows: list[tuple[int, ...]] = []
    for stored in reader.read():
        rows += [(stored.record.at_us, *row) for row in stored.record.rows]
        if len(rows) >= _AT_ONCE:
            yield np.array(rows, np.int64)
            rows = []
    yield np.array(rows, np.int64).reshape(-1, len(t.TRACE_COLUMNS))
