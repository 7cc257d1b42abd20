"""Logs in OCEL 2.0: JSON, XML and SQLite, in which an event is about several objects.

One type of objects is the case; by default the type of which the most events have
exactly one. Objects of other types are columns, too, by the name of their type. Several
types may be cases (``case=frame|wheel``), each a product of its own. Where an event is
about objects of two of them, and it is the last of most objects of one type, those are
built into the other: a join, which the log then tells of.

Source: OCEL (Object-Centric Event Log) 2.0 Specification, Berti and others (2023).
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from linewright.errors import Finding, ModelError
from linewright.fit.exchange import GrowingTable, opened, refused, xml_parser
from linewright.fit.log import Join, Problem
from linewright.fit.mapping import Columns, check_columns, guessed_columns
from linewright.fit.tables import Source
from linewright.model.explain import did_you_mean, listed

__all__ = ["is_ocel_sqlite", "read_ocel"]

_CASE, _TYPE = "case:object", "case:type"
_ENDS = 0.5  # of the objects of a type whose last event it is: they are built in
_SQLITE = b"SQLite format 3\0"


class _Event(NamedTuple):
    """An event as any of the formats has it."""

    id: str
    type: str
    time: str
    attributes: dict[str, str]
    objects: list[str]


@dataclass(slots=True)
class _Said:
    """What a file says."""

    type_of: dict[str, str] = field(default_factory=dict)
    events: list[_Event] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_ocel(path: Path, columns: Columns | None = None) -> Source:
    """Return the table of an OCEL 2.0 file, plain or compressed.

    Columns are ``id``, ``type``, ``time``, each attribute of an event, and each type of
    object, of which the first that an event is about counts.

    Args:
        path: The file: JSON, XML or SQLite, told apart by what is in it.
        columns: What they mean; by their usual names by default, with the type of the
            event as the operation.

    Raises:
        ModelError: It is no OCEL 2.0, or the mapping does not fit it.
    """
    said = _read(path)
    if not said.events:
        raise refused(path, "has no events of OCEL 2.0")
    types = columns.case.split("|") if columns and "|" in columns.case else []
    if types:
        assert columns is not None
        return _several(path, said, columns, [one.strip() for one in types])
    table, n_of = _table(said)
    there = list(table.columns)
    columns = columns or _guessed(there, n_of)
    check_columns(columns, there, str(path))
    problems = list(said.problems)
    several = n_of.get(columns.case, Counter())
    n_several = sum(k for n, k in several.items() if n > 1)
    if n_several:
        text = f"events are about more than one {columns.case}; the first counts"
        problems.append(Problem("several_cases", n_several, text))
    return Source(path, table.table(), columns, tuple(problems))


def _read(path: Path) -> _Said:
    with opened(path) as file:
        head = file.read(64).lstrip()
    if head.startswith(_SQLITE):
        return _sqlite(path)
    if head.startswith((b"<", b"\xef\xbb\xbf<")):
        return _xml(path)
    return _json(path)


# ---------------------------------------------------------------- one type


def _table(said: _Said) -> tuple[GrowingTable, dict[str, Counter[int]]]:
    """Return events as rows, and how many objects of each type they are about."""
    table = GrowingTable()
    n_of: dict[str, Counter[int]] = {}
    for event in said.events:
        row = _row(event)
        for kind, names in _about(said, event).items():
            row.setdefault(kind, names[0])
            n_of.setdefault(kind, Counter())[len(names)] += 1
        table.add(row)
    return table, n_of


def _row(event: _Event) -> dict[str, str]:
    about = {"id": event.id, "type": event.type, "time": event.time}
    return about | event.attributes


def _about(said: _Said, event: _Event) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in event.objects:
        found.setdefault(said.type_of.get(name, "object"), []).append(name)
    return found


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


# ---------------------------------------------------------------- several types


def _several(path: Path, said: _Said, columns: Columns, types: list[str]) -> Source:
    """Return a row for each event, of the object that goes on after it."""
    there = sorted(set(said.type_of.values()))
    findings = [
        Finding(
            "LW601",
            f'case: there are no objects of the type "{kind}"; there are '
            f"{listed(there)}",
            file=str(path),
            help=did_you_mean(kind, there),
        )
        for kind in types
        if kind not in there
    ]
    if findings:
        raise ModelError(findings)
    order = sorted(range(len(said.events)), key=lambda i: said.events[i].time)
    last = {name: i for i in order for name in said.events[i].objects}
    wholes, joins = _joins(said, last, types)
    table, n_left_out = GrowingTable(), 0
    for event in said.events:
        cases = {k: v for k, v in _about(said, event).items() if k in types}
        row = _row(event)
        for kind, names in _about(said, event).items():
            row.setdefault(kind, names[0])
        if len(cases) > 1:
            whole = wholes[event.type]
            cases = {k: v for k, v in cases.items() if k == whole}
        for kind, names in cases.items():
            n_left_out += len(names) - 1
            table.add(row | {_CASE: names[0], _TYPE: kind})
    columns = replace(columns, case=_CASE, product=columns.product or _TYPE)
    check_columns(columns, list(table.columns), str(path))
    problems = list(said.problems)
    if n_left_out:
        text = "more objects of one type are in events; the first of each counts"
        problems.append(Problem("several_cases", n_left_out, text))
    return Source(path, table.table(), columns, tuple(problems), joins)


def _joins(
    said: _Said, last: dict[str, int], types: list[str]
) -> tuple[dict[str, str], tuple[Join, ...]]:
    """Return for each kind of event whose it is, and what is built in there."""
    n_events: Counter[str] = Counter()
    ends: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    sizes: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for i, event in enumerate(said.events):
        cases = {k: v for k, v in _about(said, event).items() if k in types}
        n_events.update(cases.keys())
        if len(cases) < 2:
            continue
        for kind, names in cases.items():
            ends[event.type][kind] += [last[name] == i for name in names]
            sizes[event.type, kind][len(names)] += 1

    def share(operation: str, kind: str) -> float:
        those = ends[operation][kind]
        return sum(those) / len(those)

    wholes, found = {}, []
    for operation, kinds in ends.items():
        whole = min(
            kinds, key=lambda kind: (share(operation, kind), -n_events[kind], kind)
        )
        wholes[operation] = whole
        for kind in kinds:
            if kind == whole or share(operation, kind) < _ENDS:
                continue
            (most, n_most), *_ = sizes[operation, kind].most_common(1)
            n = sum(sizes[operation, kind].values())
            found.append(Join(whole, operation, kind, most, n, n_most / n))
    return wholes, tuple(found)


# ---------------------------------------------------------------- formats


def _json(path: Path) -> _Said:
    with opened(path) as file:
        try:
            data = json.load(file)
        except (ValueError, EOFError, zlib.error) as error:
            hint = "a JSON file that was cut off cannot be read in part"
            raise refused(path, f"is not JSON: {error}", hint) from error
    try:
        return _Said(
            {str(o["id"]): str(o["type"]) for o in data["objects"]},
            [_of_json(event) for event in data["events"]],
        )
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"is not OCEL 2.0: {error!r} is missing or of another form"
        raise refused(path, msg) from error


def _of_json(event: dict[str, Any]) -> _Event:
    return _Event(
        str(event["id"]),
        str(event["type"]),
        str(event["time"]),
        {str(a["name"]): str(a["value"]) for a in event.get("attributes", ())},
        [str(r["objectId"]) for r in event.get("relationships", ())],
    )


def _xml(path: Path) -> _Said:
    said = _Said()
    with opened(path) as file:
        try:
            for element in _elements(xml_parser(path, file), file):
                tag = _tag(element)
                if tag == "object":
                    said.type_of[element.attrib["id"]] = element.attrib["type"]
                else:
                    said.events.append(_of_xml(element))
        except (ET.ParseError, EOFError, zlib.error) as error:
            if not said.events:
                raise refused(path, f"is not OCEL 2.0 in XML: {error}") from error
            text = f"the file was cut off ({error}); what came before is used"
            said.problems.append(Problem("truncated", 1, text))
        except KeyError as error:
            msg = f"is not OCEL 2.0: {error!r} is missing"
            raise refused(path, msg) from error
    return said


def _elements(parser: Any, file: Any) -> Iterator[ET.Element]:
    """Yield objects and events as they end."""
    above: list[str] = []
    while True:
        for event, element in parser.read_events():
            tag = _tag(element)
            if event == "start":
                above.append(tag)
                continue
            above.pop()
            if tag in {"object", "event"} and above and above[-1] == f"{tag}s":
                yield element
                element.clear()
        block = file.read(1 << 16)
        if not block:
            parser.close()
            return
        parser.feed(block)


def _tag(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _of_xml(element: ET.Element) -> _Event:
    attributes, objects = {}, []
    for below in element.iter():
        if _tag(below) == "attribute":
            attributes[below.attrib["name"]] = below.text or ""
        elif _tag(below) in {"relationship", "relobj"}:
            objects.append(below.attrib["object-id"])
    about = element.attrib
    return _Event(about["id"], about["type"], about["time"], attributes, objects)


def is_ocel_sqlite(path: Path) -> bool:
    """Say whether a file of SQLite holds an OCEL 2.0 log, and not a journal."""
    try:
        with closing(_database(path)) as db:
            query = "SELECT count(*) FROM sqlite_master WHERE name = 'event_map_type'"
            return bool(db.execute(query).fetchone()[0])
    except sqlite3.Error:
        return False  # reading it as a journal says what is wrong with it


def _database(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _sqlite(path: Path) -> _Said:
    try:
        with closing(_database(path)) as db:
            return _Said(
                {str(a): str(b) for a, b in db.execute("SELECT * FROM object")},
                list(_of_sqlite(db)),
            )
    except (sqlite3.Error, ValueError) as error:
        raise refused(path, f"is not OCEL 2.0 in SQLite: {error}") from error


def _of_sqlite(db: sqlite3.Connection) -> Iterable[_Event]:
    objects: dict[str, list[str]] = defaultdict(list)
    for event, thing in db.execute(
        "SELECT ocel_event_id, ocel_object_id FROM event_object ORDER BY rowid"
    ):
        objects[str(event)].append(str(thing))
    kinds = db.execute("SELECT ocel_type, ocel_type_map FROM event_map_type").fetchall()
    for kind, name in kinds:
        quoted = str(name).replace('"', '""')
        rows = db.execute(f'SELECT * FROM "event_{quoted}" ORDER BY rowid')
        heads = [column[0] for column in rows.description]
        for row in rows:
            said = dict(zip(heads, row, strict=True))
            number, time = str(said.pop("ocel_id")), str(said.pop("ocel_time"))
            told = {key: str(v) for key, v in said.items() if v is not None}
            yield _Event(number, str(kind), time, told, objects[number])
