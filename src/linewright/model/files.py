"""Files that a model names: samples, orders, rules, inside the model's folder.

A model may name a file beside it or below it and nothing else: no absolute path, no
``..``, no link that leads out. CSV is comma-separated UTF-8 with column names in the
first row. A row number is the number of the line in the file, as an editor shows it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from linewright.errors import ModelError
from linewright.model.source import read_text
from linewright.units import MAX_US, UNITS_US

__all__ = ["Folder", "Row"]

MAX_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV file: its line number and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Folder:
    """The only folder a model can read from; none for a model that is not a file."""

    path: Path | None

    def inside(self, name: str) -> Path:
        """Return the path of a file in the folder.

        Raises:
            ValueError: There is no folder, or the name leads out of it.
        """
        if self.path is None:
            msg = f'"{name}" cannot be read: this model is no file and has no folder'
            raise ValueError(msg)
        drive = PureWindowsPath(name).drive or PureWindowsPath(name).root
        parts = PurePosixPath(name.replace("\\", "/")).parts
        try:
            target = (self.path / name).resolve()
            is_inside = target.is_relative_to(self.path.resolve())
        except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte
            is_inside = False
        if drive or ".." in parts or not parts or not is_inside:
            msg = f'"{name}" leads out of the folder of the model; put the file into it'
            raise ValueError(msg)
        return target

    def text(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            ValueError: It cannot be read or is no text.
        """
        path = self.inside(name)
        try:
            return read_text(path, name)
        except ModelError as error:
            msg = f"{name}: {error.findings[0].message}"
            raise ValueError(msg) from error

    def rows(self, name: str) -> Iterator[Row]:
        """Yield the rows of a CSV file.

        Raises:
            ValueError: It cannot be read or is not CSV; the message names file and row.
        """
        text = self.text(name)
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            for cells in reader:
                yield _row(name, reader.line_num, cells)
                if reader.line_num > MAX_ROWS:
                    msg = f"{name}:{reader.line_num}: more than {MAX_ROWS:,} rows"
                    raise ValueError(msg)
        except csv.Error as error:
            msg = f"{name}:{reader.line_num}: this is not CSV: {error}"
            raise ValueError(msg) from error

    def sample_us(self, file: str, column: str, unit: str) -> tuple[int, ...]:
        """Return a column of times in microseconds.

        Raises:
            ValueError: File, column or unit is wrong, or a cell is not a time.
        """
        if unit not in UNITS_US:
            msg = f'"{unit}" is not a unit of time; allowed are {", ".join(UNITS_US)}'
            raise ValueError(msg)
        times = tuple(
            _time_us(file, row, column, UNITS_US[unit]) for row in self.rows(file)
        )
        if not times:
            msg = f"{file}: no rows below the column names"
            raise ValueError(msg)
        return times


def _row(
    name: str, number: int, cells: dict[str | None, str | list[str] | None]
) -> Row:
    if None in cells or None in cells.values():
        names = [key for key in cells if key is not None]
        msg = f"{name}:{number}: as many cells as columns are needed, {len(names)}"
        raise ValueError(msg)
    return Row(number, {str(key).strip(): str(cell) for key, cell in cells.items()})


def _time_us(file: str, row: Row, column: str, unit_us: int) -> int:
    if column not in row.cells:
        msg = f'{file}:1: no column "{column}"; columns are {", ".join(row.cells)}'
        raise ValueError(msg)
    text = row.cells[column]
    try:
        value = float(text) * unit_us
    except ValueError:
        value = math.nan
    if not 0 <= value < MAX_US:
        msg = f'{file}:{row.number}: "{text}" is not a time of zero or more'
        raise ValueError(msg)
    return round(value)
