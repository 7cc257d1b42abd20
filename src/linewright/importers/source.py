"""What importers share: files in a folder or a ZIP, tables with checked cells, notes.

A table is read whole before anything is made of it, and everything wrong with any cell
is found before the first error is raised: all findings at once, each with file, row and
column name.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from linewright.errors import Finding, ModelError
from linewright.model.explain import did_you_mean
from linewright.model.line import InProcess, InProcessFile, Line
from linewright.model.load import dumps, write_whole

__all__ = ["Files", "Imported", "Note", "Notebook", "Row", "Table"]

MAX_BYTES = 200_000_000


class Note(NamedTuple):
    """Something that the source says and the model does not.

    Attributes:
        place: File and row, such as ``route_3.txt:12``.
        text: What it is, and what was done instead.
    """

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A model read from another format.

    Attributes:
        line: The line; its units in process are in `in_process`.
        in_process: Units in the line at its start, for a file of their own.
        notes: What the source says and the model does not, in the order of its rows.
        format: Name of the format.
    """

    line: Line
    in_process: tuple[InProcess, ...]
    notes: tuple[Note, ...]
    format: str

    @property
    def whole(self) -> Line:
        """The line with its units in process."""
        return self.line.model_copy(update={"in_process": self.in_process})

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write the model file, with its units in process in a CSV file beside it.

        Returns:
            The files written, the model first.

        Raises:
            ModelError: A file cannot be written.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        line, written = self.line, [target]
        if self.in_process:
            beside = target.with_name(f"{target.stem}-in-process.csv")
            write_whole(beside, _csv(self.in_process))
            written.append(beside)
            units = InProcessFile(file=beside.name)
            line = line.model_copy(update={"in_process": units})
        write_whole(target, dumps(line))
        return tuple(written)


def _csv(units: tuple[InProcess, ...]) -> str:
    """Return units in process as CSV, with the columns that they use."""
    rows = [row.model_dump(mode="json", exclude_none=True) for row in units]
    columns = [name for name in InProcess.model_fields if any(name in r for r in rows)]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@dataclass
class Notebook:
    """Findings, which make the source unusable, and notes, which do not."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def error(self, row: Row, column: str, text: str, hint: str = "") -> None:
        """Note a cell that cannot be meant."""
        at = f"{column}: " if column else ""
        self.findings.append(
            Finding("LW401", f"{at}{text}", "error", row.file, row.number, help=hint)
        )

    def unknown(
        self, row: Row, column: str, name: str, kind: str, there: Mapping[str, object]
    ) -> None:
        """Note a name that is not in the source, with the nearest that is."""
        text = f'"{name}" is not a {kind} of this source'
        self.error(row, column, text, did_you_mean(name, there))

    def note(self, row: Row, text: str) -> None:
        """Note what the model does not say."""
        self.notes.append(Note(f"{row.file}:{row.number}", text))

    def raise_if_wrong(self) -> None:
        """Raise all findings at once, if there are any.

        Raises:
            ModelError: Something is wrong with the source.
        """
        if self.findings:
            raise ModelError(self.findings)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: where it stands and its cells by column, without blanks."""

    file: str
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return a cell, or an empty text."""
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a file, with the columns that it has."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Files:
    """The files of a source: of a folder, or packed in a ZIP file.

    Raises:
        ModelError: The source is neither, or cannot be read.
    """

    def __init__(self, source: str | Path) -> None:
        self.source = Path(source)
        self._texts: dict[str, str] = {}
        try:
            for name, data in self._read():
                base = PurePosixPath(name).name
                self._texts[base] = data.decode("utf-8-sig", "replace")
        except (OSError, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"cannot be read: {reason}"
            raise ModelError([Finding("LW400", msg, file=str(source))]) from error

    def _read(self) -> Iterator[tuple[str, bytes]]:
        if self.source.is_dir():
            for path in sorted(self.source.iterdir()):
                if path.is_file() and path.stat().st_size < MAX_BYTES:
                    yield path.name, path.read_bytes()
            return
        with zipfile.ZipFile(self.source) as packed:
            total = sum(info.file_size for info in packed.infolist())
            if total > MAX_BYTES:
                msg = f"holds {total:,} bytes; at most {MAX_BYTES:,} are read"
                raise ModelError([Finding("LW400", msg, file=str(self.source))])
            for info in packed.infolist():
                if not info.is_dir():
                    yield info.filename, packed.read(info)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files, without folders."""
        return tuple(self._texts)

    def place(self, name: str) -> str:
        """Return a file's name as messages show it."""
        return f"{self.source.name}/{name}"

    def table(self, name: str, notebook: Notebook) -> Table:
        """Return a tab-separated table with column names in its first row.

        Cells at the end of a row may be left out. A row with more cells than columns
        is a finding.
        """
        file = self.place(name)
        reader = csv.reader(
            io.StringIO(self._texts[name], newline=""), delimiter="\t", quoting=3
        )
        columns: tuple[str, ...] = ()
        rows = []
        for cells in reader:
            texts = [cell.strip() for cell in cells]
            if not any(texts):
                continue
            if not columns:
                columns = tuple(texts)
                continue
            kept = {c: x for c, x in zip(columns, texts, strict=False) if x and c}
            row = Row(file, reader.line_num, kept)
            if any(texts[len(columns) :]):
                text = f"{len(texts)} cells, and the table has {len(columns)} columns"
                notebook.error(row, "", text)
            rows.append(row)
        return Table(file, columns, tuple(rows))


def number(
    row: Row, column: str, notebook: Notebook, default: float | None = None
) -> float:
    """Return a cell as a number of zero or more; a wrong one is noted, and 0 returned.

    Args:
        row: The row.
        column: The column.
        notebook: Where to note what is wrong.
        default: What an empty cell means; none: it is wrong.
    """
    text = row.text(column)
    if not text:
        if default is None:
            notebook.error(row, column, "a number is missing")
        return default or 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e15:
        notebook.error(row, column, f'"{text}" is not a number of zero or more')
        return 0.0
    return value


def whole(row: Row, column: str, notebook: Notebook, default: int | None = None) -> int:
    """Return a cell as a whole number of zero or more, as `number` does."""
    value = number(row, column, notebook, default)
    if value != int(value):
        notebook.error(row, column, f'"{row.text(column)}" is not a whole number')
    return int(value)
