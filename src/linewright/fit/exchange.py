"""Logs in the formats of process mining: XES (IEEE 1849) and OCEL 2.0 in JSON.

Both become a table with a column for each attribute, which then goes the way of every
table; so a mapping of columns names attributes here. XES is read as a stream, element
by element. A document with a DOCTYPE is refused: entities are not what a log needs.

In OCEL an event is about several objects. One type of them is the case; by default the
type of which the most events have exactly one. Objects of other types are columns, too,
by the name of their type.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree as ET

import pyarrow as pa

from linewright.errors import Finding, ModelError
from linewright.fit.log import Problem
from linewright.fit.mapping import Columns, check_columns, guessed_columns
from linewright.fit.tables import Source

__all__ = ["read_ocel", "read_xes"]

_VALUES = ("string", "date", "int", "float", "boolean", "id")
_HEAD = 4096


def _refused(path: Path, what: str, hint: str = "") -> ModelError:
    return ModelError([Finding("LW603", what, file=str(path), help=hint)])


def _opened(path: Path) -> BinaryIO:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from error
    if raw.read(2) == b"\x1f\x8b":
        raw.close()
        return gzip.open(path, "rb")  # type: ignore[return-value]
    raw.seek(0)
    return raw


class _Table:
    """Columns that grow by rows, each with the attributes that it has."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str | None]] = {}
        self.n = 0

    def add(self, row: dict[str, str]) -> None:
        for name in row:
            if name not in self.columns:
                self.columns[name] = [None] * self.n
        for name, values in self.columns.items():
            values.append(row.get(name))
        self.n += 1

    def table(self) -> pa.Table:
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
    table = _Table()
    problems: list[Problem] = []
    with _opened(path) as file:
        try:
            for row in _events(path, file):
                table.add(row)
        except (ET.ParseError, EOFError, zlib.error) as error:
            if not table.n:
                raise _refused(path, f"is not XES: {error}") from error
            text = f"the file was cut off ({error}); what came before is used"
            problems.append(Problem("truncated", 1, text))
    if not table.n:
        raise _refused(path, "has no events")
    there = list(table.columns)
    columns = columns or guessed_columns(there)
    _has_starts(path, table, columns)
    check_columns(columns, there, str(path))
    return Source(path, table.table(), columns, tuple(problems))


def _events(path: Path, file: BinaryIO) -> Iterator[dict[str, str]]:
    head = file.read(_HEAD)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise _refused(path, "has a DOCTYPE, which is not read")
    parser: Any = ET.XMLPullParser(("start", "end"))
    parser.feed(head)
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


def _has_starts(path: Path, table: _Table, columns: Columns) -> None:
    """Refuse a log that has only the ends of work, with what to do about it."""
    if not columns.transition or columns.start or columns.duration:
        return
    words = {str(w).lower() for w in table.columns.get(columns.transition, ())}
    if "start" not in words and not set(columns.words.values()) & {"start"}:
        shown = ", ".join(sorted(words)[:6])
        msg = f"tells of no starts: its transitions are {shown}"
        hint = "work cannot be told from waiting without them; if an attribute has the "
        hint += "start, say start=... and end=... in --columns"
        raise _refused(path, msg, hint)


# ---------------------------------------------------------------- OCEL


def read_ocel(path: Path, columns: Columns | None = None) -> Source:
    """Return the table of an OCEL 2.0 file in JSON, plain or compressed.

    Columns are ``id``, ``type``, ``time``, each attribute of an event, and each type of
    object, of which the first that an event is about counts.

    Args:
        path: The file.
        columns: What they mean; by their usual names by default, with the type of the
            event as the operation.

    Raises:
        ModelError: It is no OCEL 2.0, or the mapping does not fit it.
    """
    with _opened(path) as file:
        try:
            said = json.load(file)
        except (ValueError, EOFError, zlib.error) as error:
            hint = "a JSON file that was cut off cannot be read in part"
            raise _refused(path, f"is not JSON: {error}", hint) from error
    try:
        type_of = {str(o["id"]): str(o["type"]) for o in said["objects"]}
        table, n_of = _ocel_table(said["events"], type_of)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"is not OCEL 2.0: {error!r} is missing or of another form"
        raise _refused(path, msg) from error
    if not table.n:
        raise _refused(path, "has no events")
    there = list(table.columns)
    if columns is None:
        columns = _guessed(there, n_of)
    check_columns(columns, there, str(path))
    problems: list[Problem] = []
    several = n_of.get(columns.case, Counter())
    n_several = sum(k for n, k in several.items() if n > 1)
    if n_several:
        text = f"events are about more than one {columns.case}; the first counts"
        problems.append(Problem("several_cases", n_several, text))
    return Source(path, table.table(), columns, tuple(problems))


def _ocel_table(
    events: list[dict[str, Any]], type_of: dict[str, str]
) -> tuple[_Table, dict[str, Counter[int]]]:
    """Return events as rows, and how many objects of each type they are about."""
    table = _Table()
    n_of: dict[str, Counter[int]] = {}
    for event in events:
        row = {"id": str(event["id"]), "type": str(event["type"])}
        row["time"] = str(event["time"])
        for attribute in event.get("attributes", ()):
            row[str(attribute["name"])] = str(attribute["value"])
        about: dict[str, list[str]] = {}
        for relation in event.get("relationships", ()):
            name = str(relation["objectId"])
            about.setdefault(type_of.get(name, "object"), []).append(name)
        for kind, names in about.items():
            row.setdefault(kind, names[0])
            n_of.setdefault(kind, Counter())[len(names)] += 1
        table.add(row)
    return table, n_of


def _guessed(there: list[str], n_of: dict[str, Counter[int]]) -> Columns:
    found = guessed_columns(there)
    case = max(n_of, key=lambda kind: n_of[kind][1], default="")
    known: dict[str, Any] = {
        key: getattr(found, key) for key in ("station", "product", "quantity")
    }
    known = {key: name for key, name in known.items() if name != case}
    times: dict[str, Any] = {"start": found.start, "end": found.end or "time"}
    if found.transition:
        times = {"time": "time", "transition": found.transition}
    return replace(Columns(case=case, activity="type"), **known, **times)
