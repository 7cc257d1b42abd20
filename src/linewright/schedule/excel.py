"""Schedules as Excel workbooks, and rows of orders from one.

Written with XlsxWriter, read with python-calamine: both are the extra ``excel``. Excel
knows no offsets from UTC, so times in a workbook are local times of the line. No text
becomes a formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.errors import LinewrightError
from linewright.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MOST_ROWS", "Sheet", "cell_name", "read_sheet", "write_workbook"]

MOST_ROWS = 1_048_575
"""Rows of a sheet, below the names of the columns."""

_WIDTHS = {"text": 32}
_NEEDS = "workbooks need: pip install 'linewright[excel]'"


def write_workbook(path: Path, title: str, tables: Mapping[str, pa.Table]) -> None:
    """Write tables as a workbook: a sheet for each, by its name.

    Raises:
        LinewrightError: XlsxWriter is not installed.
        ValueError: There are more rows than a sheet has.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - optional
    except ImportError as error:
        raise LinewrightError(_NEEDS) from error
    for name, table in tables.items():
        if len(table) > MOST_ROWS:
            msg = (
                f"{name} has {len(table):,} rows, and a sheet of Excel {MOST_ROWS:,}; "
                "write it as CSV or Parquet"
            )
            raise ValueError(msg)
    # the folder of the file is where its parts are put together, as it is renamed there
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": title, "comments": f"linewright {__version__}"})
        for name, table in tables.items():
            _write_sheet(book, name, table)


def _write_sheet(book: Any, name: str, table: pa.Table) -> None:
    import pyarrow as pa  # noqa: PLC0415 - slow, and cell_name needs it not

    sheet = book.add_worksheet(name)
    head = book.add_format({"bold": True, "bottom": 1})
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet.freeze_panes(1, 0)
    for column, field in enumerate(table.schema):
        is_time = pa.types.is_timestamp(field.type)
        width = _WIDTHS.get(field.name, 19 if is_time else max(len(field.name) + 2, 12))
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, field.name, head)
    if len(table):
        sheet.autofilter(0, 0, len(table), len(table.schema) - 1)
    columns = [column.to_pylist() for column in table.columns]
    for row, cells in enumerate(zip(*columns, strict=True), start=1):
        for column, value in enumerate(cells):
            if value is None or value == "":
                continue
            if isinstance(value, datetime):
                local = value.replace(tzinfo=None)
                sheet.write_datetime(row, column, local, moment)
            elif isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, int | float):
                sheet.write_number(row, column, value)
            else:
                sheet.write_string(row, column, str(value))


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a sheet as text, as those of a CSV file are.

    Attributes:
        name: Its name.
        columns: Number of each column, from 1, by what stands in the first row.
        rows: Number of each row and its cells by column; empty rows are left out.
    """

    name: str
    columns: Mapping[str, int]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def read_sheet(path: Path, preferred: str) -> Sheet:
    """Return a sheet of a workbook: the one of a name, else the first.

    Raises:
        LinewrightError: python-calamine is not installed.
        ValueError: The file cannot be read, or has no sheet, or a column twice.
    """
    try:
        import python_calamine as calamine  # noqa: PLC0415 - optional
    except ImportError as error:
        raise LinewrightError(_NEEDS) from error
    try:
        with calamine.CalamineWorkbook.from_path(str(path)) as book:
            names = book.sheet_names
            if not names:
                msg = "there is no sheet in it"
                raise ValueError(msg)
            name = preferred if preferred in names else names[0]
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (calamine.CalamineError, OSError) as error:
        msg = f"this is no workbook that can be read: {error}"
        raise ValueError(msg) from error
    columns: dict[str, int] = {}
    for number, value in enumerate(rows[0] if rows else [], start=1):
        text = _cell_text(value)
        if not text:
            continue
        if text in columns:
            here = cell_name(1, number)
            there = cell_name(1, columns[text])
            msg = f'{here}: the column "{text}" stands in {there}, too'
            raise ValueError(msg)
        columns[text] = number
    return Sheet(name, columns, tuple(_rows(rows[1:], columns)))


def _rows(
    rows: list[list[Any]], columns: Mapping[str, int]
) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, row in enumerate(rows, start=2):
        cells = {
            name: _cell_text(row[column - 1]) if column <= len(row) else ""
            for name, column in columns.items()
        }
        if any(cells.values()):
            yield number, cells


def _cell_text(value: Any) -> str:
    """Return what stands in a cell as it would stand in a CSV file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | clock_time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value / timedelta(seconds=1):g} s"
    return str(value).strip()


def cell_name(row: int, column: int) -> str:
    """Return how a spreadsheet calls a cell, such as C7; both count from 1."""
    letters = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row}"
