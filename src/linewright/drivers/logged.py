"""Any log as an `EventLog`: files of many kinds, and the journal of a running line.

The kind is found by the file's name and its first bytes.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np

from linewright import tables as t
from linewright.control.openings import laid_out
from linewright.control.reading import JournalReader
from linewright.errors import Finding, ModelError
from linewright.fit.exchange import read_ocel, read_xes
from linewright.fit.log import EventLog
from linewright.fit.mapping import Columns
from linewright.fit.reading import read_log
from linewright.fit.tables import log_of_table
from linewright.fit.traced import is_trace, log_of_trace, read_trace
from linewright.model.line import Line
from linewright.traces import event_log

__all__ = ["read_any_log", "read_journal_log"]

_SQLITE = b"SQLite format 3\0"


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
            Linewright has written; or a journal.
        columns: What columns or attributes mean; by their usual names by default.
        start: Local date and time of the start of a trace, which does not say it.
        zone: Time zone of a trace.

    Raises:
        ModelError: The file cannot be read, or the mapping does not fit it.
        JournalError: The journal was changed or cannot be read.
    """
    file = Path(path)
    kind = file.name.lower().removesuffix(".gz").rpartition(".")[2]
    if _is_sqlite(file):
        return read_journal_log(file)
    if is_trace(file):
        return read_trace(file, start or datetime.datetime(2027, 1, 4), zone)  # noqa: DTZ001 - local
    if kind == "xes":
        return log_of_table(read_xes(file, columns))
    if kind in {"json", "jsonocel", "ocel"}:
        return log_of_table(read_ocel(file, columns))
    return read_log(file, columns)


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        msg = f"cannot be read: {error.strerror or error}"
        raise ModelError([Finding("LW603", msg, file=str(path))]) from error


def read_journal_log(path: Path) -> EventLog:
    """Return what the journal of a line tells, from its start to its last record.

    Raises:
        JournalError: It is no journal, or was changed.
        ModelError: No part was worked on.
    """
    reader = JournalReader(path)
    try:
        line = Line.model_validate(reader.opening.model)
        rows = [
            (stored.record.at_us, *row)
            for stored in reader.read()
            for row in stored.record.rows
        ]
        end_us = max(line.study.horizon, reader.last_us())
        follows = reader.opening.follows
    finally:
        reader.close()
    table = np.array(rows, np.int64).reshape(-1, len(t.TRACE_COLUMNS))
    lowered = laid_out(line, end_us, follows=follows)
    found = event_log(lowered, table)
    return log_of_trace(found, str(path), line.start, line.time_zone)
