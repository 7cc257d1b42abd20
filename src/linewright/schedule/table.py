"""A schedule as a table: one row for each operation, in the order of their begins.

The columns are those of `SCHEDULE_COLUMNS`, the same in memory, in CSV and in Parquet.
Times are local times of the line's zone with their offset from UTC, to the microsecond.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linewright.drafts import write_whole
from linewright.errors import Finding, ModelError
from linewright.model.calendars import to_tick, zone_of
from linewright.model.explain import did_you_mean, listed
from linewright.model.line import Line
from linewright.model.source import read_text
from linewright.schedule._model import Former
from linewright.schedule.compiling import Compiled
from linewright.schedule.problem import Solution
from linewright.version import __version__

__all__ = ["SCHEDULE_COLUMNS", "former_of", "read_table", "table_of", "write_table"]

SCHEDULE_COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "order": (pa.string(), "the order that it is done for"),
    "part": (pa.string(), "the part, such as wing:3: product, and number from 0"),
    "product": (pa.string(), "what the part is"),
    "operation": (pa.string(), "the operation of the product's route"),
    "station": (pa.string(), "where it is done"),
    "server": (pa.int64(), "number of the station's server, from 1"),
    "start": (pa.timestamp("us", "UTC"), "when the server takes it; its setup begins"),
    "work": (pa.timestamp("us", "UTC"), "when its setup is over"),
    "end": (pa.timestamp("us", "UTC"), "when its work is over"),
    "leave": (pa.timestamp("us", "UTC"), "when it has left the server"),
    "setup_s": (pa.float64(), "working time of the setup, seconds"),
    "batch": (
        pa.string(),
        "what shares a batch with it has the same number; empty: alone",
    ),
    "into": (pa.string(), "the part that it is built into; empty: it leaves the line"),
    "due": (pa.timestamp("us", "UTC"), "when its order is due; empty: at any time"),
    "frozen": (pa.bool_(), "whether it was not to be moved"),
}
"""Columns of a schedule: their types, and what they mean."""

_TIMES = ("start", "work", "end", "leave", "due")


def table_of(compiled: Compiled, solution: Solution) -> pa.Table:
    """Return a schedule as a table."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEDULE_COLUMNS}
    zone = _Zone(compiled.original)
    for o in _in_time(solution):
        if o in compiled.unshown:
            continue
        for name, value in _row(compiled, solution, zone, o).items():
            columns[name].append(value)
    fields = [
        pa.field(
            name,
            pa.timestamp("us", compiled.original.time_zone) if name in _TIMES else kind,
            metadata={"description": text},
        )
        for name, (kind, text) in SCHEDULE_COLUMNS.items()
    ]
    about = {"linewright_version": __version__, "line": compiled.original.name}
    arrays = [pa.array(columns[field.name], field.type) for field in fields]
    return pa.table(arrays, schema=pa.schema(fields, metadata=about))


def _in_time(solution: Solution) -> list[int]:
    n = len(solution.begin_us)
    begin, end = solution.begin_us.tolist(), solution.end_us.tolist()
    return sorted(range(n), key=lambda o: (begin[o], end[o], o))


def _row(compiled: Compiled, solution: Solution, zone: _Zone, o: int) -> dict[str, Any]:
    problem = compiled.problem
    operation = problem.operations[o]
    row = int(compiled.job_of[o])
    job = compiled.jobs[row]
    order = compiled.orders[job.order]
    mode = operation.modes[int(solution.mode[o])]
    begin, setup = int(solution.begin_us[o]), int(solution.setup_us[o])
    started = compiled.begun_us.get(o, begin)
    parent = compiled.jobs[job.parent] if job.parent >= 0 else None
    work = problem.end_of(mode, begin, setup, 0) if setup else begin
    batch = int(solution.batch[o]) if len(solution.batch) else -1
    return {
        "order": compiled.made_for.get(row, order.id),
        "part": operation.part,
        "product": job.product,
        "operation": operation.name,
        "station": problem.stations[mode.station].name,
        "server": int(solution.server[o]) + 1,
        "start": zone.utc(started),
        "work": zone.utc(work if started == begin else started),
        "end": zone.utc(int(solution.end_us[o])),
        "leave": zone.utc(int(solution.leave_us[o])),
        "setup_s": setup / 1e6,
        "batch": str(batch) if batch >= 0 else "",
        "into": "" if parent is None else f"{parent.product}:{parent.number}",
        "due": None if order.due_us is None else zone.utc(order.due_us),
        "frozen": operation.fixed is not None,
    }


class _Zone:
    """Turns ticks into instants of UTC."""

    def __init__(self, line: Line) -> None:
        zone = zone_of(line.time_zone)
        start = line.start.replace(tzinfo=zone)
        offset = start.utcoffset() or timedelta(0)
        self._origin = line.start.replace(tzinfo=UTC) - offset

    def utc(self, tick_us: int) -> datetime:
        return self._origin + timedelta(microseconds=tick_us)


def write_table(path: str | os.PathLike[str], table: pa.Table) -> None:
    """Write a schedule, as CSV or as Parquet by the file's ending; whole or not at all.

    Raises:
        ValueError: The file ends otherwise.
        ResultError: The file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending == ".parquet":
        write_whole(path, lambda draft: pq.write_table(table, draft))
    elif ending == ".csv":
        text = _as_csv(table)
        write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))
    else:
        msg = f'"{Path(path).name}" ends in neither .csv nor .parquet'
        raise ValueError(msg)


def _as_csv(table: pa.Table) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value)


# ---------------------------------------------------------------- reading


def read_table(path: str | os.PathLike[str], line: Line) -> pa.Table:
    """Return the schedule in a CSV or Parquet file.

    Args:
        path: The file; of its columns part, operation, station, server, start and end
            have to be there.
        line: The line, in whose zone times are that say none.

    Raises:
        ModelError: It cannot be read; with a finding for each thing that is wrong.
    """
    file = os.fspath(path)
    if Path(file).suffix.lower() == ".parquet":
        rows = _parquet_rows(file)
    else:
        rows = _csv_rows(file)
    reader = _RowReader(file, line)
    read = [reader.row(number, cells) for number, cells in rows]
    if reader.findings:
        raise ModelError(reader.findings)
    columns = {name: [row.get(name) for row in read] for name in SCHEDULE_COLUMNS}
    fields = [
        pa.field(name, pa.timestamp("us", line.time_zone) if name in _TIMES else kind)
        for name, (kind, _) in SCHEDULE_COLUMNS.items()
    ]
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in fields],
        schema=pa.schema(fields),
    )


_NEEDED = ("part", "operation", "station", "server", "start", "end")


def _parquet_rows(file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        msg = f"this is no Parquet file that can be read: {error}"
        raise ModelError([Finding("LW520", msg, "error", file)]) from error
    _require_columns(file, table.column_names)
    yield from enumerate(table.to_pylist(), start=1)


def _csv_rows(file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    text = read_text(Path(file), file)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    _require_columns(file, list(reader.fieldnames or ()))
    for row in reader:
        yield reader.line_num, row


def _require_columns(file: str, columns: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        msg = f"the columns {listed(missing)} are missing; there are {listed(columns)}"
        near = did_you_mean(missing[0], columns)
        raise ModelError([Finding("LW520", msg, "error", file, 1, 1, help=near)])


class _RowReader:
    """Reads the rows of a schedule, and notes what is wrong with them."""

    def __init__(self, file: str, line: Line) -> None:
        self._file, self._line = file, line
        self._zone = zone_of(line.time_zone)
        self.findings: list[Finding] = []

    def row(self, number: int, cells: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a row by column; what is missing is none."""
        out: dict[str, Any] = {}
        for name in SCHEDULE_COLUMNS:
            value = cells.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                out[name] = "" if name in {"batch", "into"} else None
                if name in _NEEDED:
                    self._note(number, f"{name}: nothing is there")
                continue
            out[name] = self._value(number, name, value)
        start, end = out["start"], out["end"]
        if start is not None and end is not None and end < start:
            self._note(number, "end: it is before the start")
        station = out["station"]
        if station is not None and station not in self._line.stations:
            near = did_you_mean(station, self._line.stations)
            self._note(number, f'station: "{station}" is not a station', near)
        return out

    def _note(self, number: int, message: str, hint: str = "") -> None:
        self.findings.append(
            Finding("LW520", message, "error", self._file, number, 1, help=hint)
        )

    def _value(self, number: int, name: str, value: Any) -> Any:
        try:
            if name in _TIMES:
                when = value
                if isinstance(value, str):
                    when = datetime.fromisoformat(value.strip())
                if when.tzinfo is None:
                    when = when.replace(tzinfo=self._zone)
                return when.astimezone(UTC)
            if name == "server":
                return int(value)
            if name == "setup_s":
                return float(value)
            if name == "frozen":
                return value if isinstance(value, bool) else value.strip() == "true"
        except ValueError:
            what = {
                "server": "a whole number, from 1",
                "setup_s": "a number of seconds",
            }.get(name, "a time; write it like 2027-01-31 06:00+01:00")
            self._note(number, f'{name}: "{value}" is not {what}')
            return None
        return str(value)


def former_of(compiled: Compiled, table: pa.Table) -> tuple[Former, list[str]]:
    """Return where a former schedule has the operations of this one.

    Parts are the same if order, product, operation and their rank within the order are.

    Args:
        compiled: The line and its jobs now.
        table: The former schedule.

    Returns:
        Mode, server and begin by operation; and what is in the former schedule alone,
        in sentences.
    """
    names = ("order", "product", "part", "operation", "station", "server", "start")
    ranks: dict[tuple[str, str], dict[str, int]] = {}
    there: dict[tuple[str, str, int, str], tuple[str, int, int]] = {}
    line = compiled.original
    rows = table.select(names).to_pylist()
    for row in rows:
        product = row["product"] or str(row["part"]).rpartition(":")[0]
        of = ranks.setdefault((str(row["order"]), product), {})
        of.setdefault(str(row["part"]), 0)
    for of in ranks.values():
        by_number = sorted(of, key=lambda part: (_number(part), part))
        of.update({part: i for i, part in enumerate(by_number)})
    for row in rows:
        product = row["product"] or str(row["part"]).rpartition(":")[0]
        rank = ranks[str(row["order"]), product][str(row["part"])]
        at = to_tick(row["start"], line.start, line.time_zone)
        key = (str(row["order"]), product, rank, str(row["operation"]))
        there[key] = (str(row["station"]), int(row["server"]), at)
    found: Former = {}
    used = set()
    seen: dict[tuple[int, str], int] = {}
    rank_of_job: list[int] = []
    for job in compiled.jobs:
        rank = seen.get((job.order, job.product), 0)
        seen[job.order, job.product] = rank + 1
        rank_of_job.append(rank)
    stations = compiled.problem.stations
    for o, operation in enumerate(compiled.problem.operations):
        j = int(compiled.job_of[o])
        job = compiled.jobs[j]
        key = (
            compiled.orders[job.order].id,
            job.product,
            rank_of_job[j],
            operation.name,
        )
        if key not in there:
            continue
        used.add(key)
        name, server, at = there[key]
        for m, mode in enumerate(operation.modes):
            here = stations[mode.station]
            if here.name == name and 1 <= server <= here.n_servers:
                found[o] = (m, server - 1, at)
    gone = sorted({key[0] for key in there} - {key[0] for key in used})
    notes = []
    if gone:
        notes.append(f"orders of the former schedule that are gone: {listed(gone)}")
    return found, notes


def _number(part: str) -> int:
    text = part.rpartition(":")[2]
    return int(text) if text.isdecimal() else 0
