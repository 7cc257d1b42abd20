"""Logs from files: CSV and Parquet tables with a mapping of their columns.

A table is read as Arrow columns and becomes an `EventLog` without a loop over its rows.
What is wrong with it is counted by kind, with some of its rows, and left out; whether
the rest is used is for the caller to say.
"""

from __future__ import annotations

import csv
import io
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from linewright.errors import Finding, ModelError
from linewright.fit.log import EventLog, Problem
from linewright.fit.mapping import Columns, check_columns, guessed_columns
from linewright.fit.tables import Source, log_of_table

__all__ = ["Source", "read_log", "read_table"]

_DELIMITERS = ",;\t|"
_HEAD = 1 << 16


def read_log(path: str | Path, columns: Columns | None = None) -> EventLog:
    """Return the log of a CSV or Parquet file, with what was wrong with it.

    Args:
        path: The file: ``.csv`` or ``.csv.gz`` or the like, or ``.parquet``.
        columns: What its columns mean; by their usual names by default.

    Raises:
        ModelError: The file cannot be read, or the mapping does not fit it.
    """
    return log_of_table(read_table(Path(path), columns))


def read_table(path: Path, columns: Columns | None = None) -> Source:
    """Return the table of a file with its mapping.

    Raises:
        ModelError: The file cannot be read, or the mapping does not fit it.
    """
    if path.suffix == ".parquet":
        return _parquet(path, columns)
    return _csv(path, columns)


def _refused(path: Path, what: str, code: str = "LW603", hint: str = "") -> ModelError:
    return ModelError([Finding(code, what, file=str(path), help=hint)])


# ---------------------------------------------------------------- Parquet


def _parquet(path: Path, columns: Columns | None) -> Source:
    try:
        file = pq.ParquetFile(path)
        there = file.schema_arrow.names
        columns = columns or guessed_columns(there)
        check_columns(columns, there, str(path))
        names = sorted(set(columns.named().values()))
        return Source(path, file.read(columns=names), columns)
    except pa.ArrowInvalid as error:
        hint = "a Parquet file that was cut off cannot be read in part"
        raise _refused(path, f"is not a whole Parquet file: {error}", hint=hint) from (
            error
        )
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from error


# ---------------------------------------------------------------- CSV


def _csv(path: Path, columns: Columns | None) -> Source:
    problems: list[Problem] = []
    head = _head(path)
    if not head.strip():
        raise _refused(path, "is empty: there is no row of column names")
    encoding = columns.encoding if columns else "utf8"
    try:
        first = head.decode(encoding).splitlines()[0].lstrip("\ufeff")
    except UnicodeDecodeError:
        first = head.decode("latin-1").splitlines()[0]
    except LookupError:
        raise _refused(path, f'there is no encoding "{encoding}"') from None
    delimiter = (columns.delimiter if columns else "") or _delimiter(first)
    there = next(csv.reader(io.StringIO(first), delimiter=delimiter))
    columns = columns or guessed_columns(there)
    check_columns(columns, there, str(path))
    return _read_csv(path, columns, delimiter, problems)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from error
    if data[:2] == b"\x1f\x8b":
        data = zlib.decompressobj(31).decompress(data, _HEAD)
    return data


def _delimiter(first: str) -> str:
    return max(_DELIMITERS, key=first.count)


def _read_csv(
    path: Path, columns: Columns, delimiter: str, problems: list[Problem]
) -> Source:
    names = sorted(set(columns.named().values()))
    wrong: list[tuple[int, str]] = []
    n_wrong = 0

    def skip(row: Any) -> str:
        nonlocal n_wrong
        n_wrong += 1
        if len(wrong) < 3:
            what = f"{row.actual_columns} cells, not {row.expected_columns}"
            wrong.append((row.number or 0, f"{what}: {(row.text or '')[:60]}"))
        return "skip"

    words = pa.dictionary(pa.int32(), pa.string())
    repeats = {
        columns.case, columns.activity, columns.station, columns.product,
        columns.transition, columns.kind, columns.server,
    }  # fmt: skip
    options: dict[str, Any] = {
        "read_options": pa_csv.ReadOptions(encoding=columns.encoding),
        "parse_options": pa_csv.ParseOptions(
            delimiter=delimiter, invalid_row_handler=skip, newlines_in_values=True
        ),
        "convert_options": pa_csv.ConvertOptions(
            include_columns=names,
            column_types={n: words if n in repeats else pa.string() for n in names},
            strings_can_be_null=True,
            null_values=[""],
        ),
    }
    try:
        table = _arrow_csv(path, options, problems)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        hint = "say encoding=latin-1 in --columns" if "UTF8" in str(error) else ""
        raise _refused(path, f"is not a readable table: {error}", hint=hint) from error
    if _ends_within_a_row(path, delimiter):
        text = "the file ends in the middle of its last row"
        problems.append(Problem("truncated", 1, text))
    if n_wrong:
        text = "rows do not have as many cells as the header; they are left out"
        problems.append(Problem("cells", n_wrong, text, tuple(wrong), n_wrong))
    return Source(path, table, columns, tuple(problems))


def _ends_within_a_row(path: Path, delimiter: str) -> bool:
    with path.open("rb") as file:
        head = file.readline()
        if head[:2] == b"\x1f\x8b":
            return False
        file.seek(max(0, path.stat().st_size - _HEAD))
        tail = file.read()
    if tail.endswith((b"\n", b"\r")):
        return False
    mark = delimiter.encode()
    return tail.rsplit(b"\n", 1)[-1].count(mark) < head.count(mark)


def _arrow_csv(
    path: Path, options: dict[str, Any], problems: list[Problem]
) -> pa.Table:
    """Read a table; of a compressed file that was cut off, what can be read."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    if not is_packed:
        return pa_csv.read_csv(pa.OSFile(str(path)), **options)
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path)), "gzip") as stream:
            return pa_csv.read_csv(stream, **options)
    except OSError:
        whole = _readable(path)
        text = "the file was cut off: its last line and what came after are missing"
        problems.append(Problem("truncated", 1, text))
        last = whole.rfind(b"\n") + 1
        if whole[:last].count(b"\n") < 2:
            raise _refused(path, "was cut off before its first row") from None
        return pa_csv.read_csv(pa.BufferReader(whole[:last]), **options)


def _readable(path: Path) -> bytes:
    """Return the start of a compressed file, as far as it goes."""
    inflate = zlib.decompressobj(31)
    found = []
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            try:
                found.append(inflate.decompress(block))
            except zlib.error:  # how far it went is asked for; the caller tells of it
                break
    return b"".join(found)
