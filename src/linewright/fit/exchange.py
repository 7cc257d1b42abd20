"""Logs in XES (IEEE 1849), the format of process mining.

A log becomes a table with a column for each attribute, which then goes the way of every
table; so a mapping of columns names attributes here. It is read as a stream, element by
element. A document with a DOCTYPE is refused: entities are not what a log needs.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree as ET

import pyarrow as pa

from linewright.errors import Finding, ModelError
from linewright.fit.log import Problem
from linewright.fit.mapping import Columns, check_columns, guessed_columns
from linewright.fit.tables import Source

__all__ = ["GrowingTable", "opened", "read_xes", "refused", "xml_parser"]

_VALUES = ("string", "date", "int", "float", "boolean", "id")
_HEAD = 4096


def refused(path: Path, what: str, hint: str = "") -> ModelError:
    """Return the error of a file that cannot be read as what it says it is."""
    return ModelError([Finding("LW603", what, file=str(path), help=hint)])


def opened(path: Path) -> BinaryIO:
    """Open a file, plain or compressed.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or error}") from error
    if raw.read(2) == b"\x1f\x8b":
        raw.close()
        return gzip.open(path, "rb")  # type: ignore[return-value]
    raw.seek(0)
    return raw


class GrowingTable:
    """Columns that grow by rows, each with the attributes that it has."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str | None]] = {}
        self.n = 0

    def add(self, row: dict[str, str]) -> None:
        """Add a row."""
        for name in row:
            if name not in self.columns:
                self.columns[name] = [None] * self.n
        for name, values in self.columns.items():
            values.append(row.get(name))
        self.n += 1

    def table(self) -> pa.Table:
        """Return all rows as columns of text."""
        return pa.table(
            {name: pa.array(v, pa.string()) for name, v in self.columns.items()}
        )


# ---------------------------------------------------------------- XES


def read_xes(path: Path, columns: Columns | None = None) -> Source:
    """Return the table of a XES file, plain or compressed.

    Attributes of a trace have ``case:`` before their name.

    Args:
        path: The file.
        columns: What attributes mean; by their usual names by default.

    Raises:
        ModelError: It is no XES, or the mapping does not fit it. What could be read
            of a file that was cut off is returned, with a problem that says so.
    """
    table = GrowingTable()
    problems: list[Problem] = []
    with opened(path) as file:
        try:
            for row in _events(path, file):
                table.add(row)
        except (ET.ParseError, EOFError, zlib.error) as error:
            if not table.n:
                raise refused(path, f"is not XES: {error}") from error
            text = f"the file was cut off ({error}); what came before is used"
            problems.append(Problem("truncated", 1, text))
    if not table.n:
        raise refused(path, "has no events")
    there = list(table.columns)
    columns = columns or guessed_columns(there)
    _has_starts(path, table, columns)
    check_columns(columns, there, str(path))
    return Source(path, table.table(), columns, tuple(problems))


def xml_parser(path: Path, file: BinaryIO) -> Any:
    """Return a pull parser that was fed the head of a document.

    Raises:
        ModelError: It has a DOCTYPE.
    """
    head = file.read(_HEAD)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise refused(path, "has a DOCTYPE, which is not read")
    parser: Any = ET.XMLPullParser(("start", "end"))
    parser.feed(head)
    return parser


def _events(path: Path, file: BinaryIO) -> Iterator[dict[str, str]]:
    parser = xml_parser(path, file)
    case: dict[str, str] = {}
    depth_of_event = 0
    above: list[str] = []
    while True:
        for event, element in parser.read_events():
            tag = str(element.tag).rpartition("}")[2]
            if event == "start":
                above.append(tag)
                depth_of_event += tag == "event"
                if tag == "trace":
                    case = {}
                continue
            above.pop()
            if tag == "event":
                depth_of_event -= 1
                yield case | _attributes(element)
                element.clear()
            elif tag in _VALUES and above and above[-1] == "trace":
                case[f"case:{element.get('key', '')}"] = element.get("value", "")
            elif tag == "trace":
                element.clear()
        block = file.read(1 << 16)
        if not block:
            parser.close()
            return
        parser.feed(block)


def _attributes(element: ET.Element) -> dict[str, str]:
    return {
        below.get("key", ""): below.get("value", "")
        for below in element
        if str(below.tag).rpartition("}")[2] in _VALUES
    }


def _has_starts(path: Path, table: GrowingTable, columns: Columns) -> None:
    """Refuse a log that has only the ends of work, with what to do about it."""
    if not columns.transition or columns.start or columns.duration:
        return
    words = {str(w).lower() for w in table.columns.get(columns.transition, ())}
    if "start" not in words and not set(columns.words.values()) & {"start"}:
        shown = ", ".join(sorted(words)[:6])
        msg = f"tells of no starts: its transitions are {shown}"
        hint = "work cannot be told from waiting without them; if an attribute has the "
        hint += "start, say start=... and end=... in --columns"
        raise refused(path, msg, hint)
