"""Export as an object-centric event log: OCEL 2.0 in JSON.

Units, lots and servers are objects, what happened to units is events; a component is
related to what it was built into. Written piece by piece, so that memory does not grow
with the log. Read by pm4py and other tools of process mining.

Source: OCEL (Object-Centric Event Log) 2.0 Specification, Berti and others (2023).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from linewright.control.genealogy import Genealogy
from linewright.model.calendars import to_local
from linewright.tables import TRACE_NAMES

__all__ = ["write_ocel"]

_SERVER = "server"
_UNIT_ATTRIBUTES = (("serial", "integer"), ("fate", "string"))
_LOT_ATTRIBUTES = (("number", "string"), ("supplier", "string"), ("units", "integer"))
_STEP_ATTRIBUTES = (("operation", "string"), ("place", "string"), ("detail", "string"))


def write_ocel(book: Genealogy, path: Path) -> tuple[int, int]:
    """Write all that is known of units as OCEL 2.0; return objects and events.

    Args:
        book: The units of a journal or of a run.
        path: File to write.
    """
    log = _Log(book)
    with path.open("w", encoding="utf-8") as file:
        file.write("{")
        _list(file, "objectTypes", log.object_types())
        file.write(",")
        _list(file, "eventTypes", log.event_types())
        file.write(",")
        n_objects = _list(file, "objects", log.objects())
        file.write(",")
        n_events = _list(file, "events", log.events())
        file.write("}\n")
    return n_objects, n_events


def _list(file: IO[str], key: str, values: Iterable[dict[str, Any]]) -> int:
    n = 0
    file.write(f'"{key}":[')
    for value in values:
        file.write(",\n" if n else "\n")
        file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        n += 1
    file.write("]")
    return n


def _typed(name: str, attributes: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found = [{"name": key, "type": kind} for key, kind in attributes]
    return {"name": name, "attributes": found}


class _Log:
    """Objects and events of a genealogy; see the module's head."""

    def __init__(self, book: Genealogy) -> None:
        self._book, names = book, book.opening.names
        self._products, self._servers = names["products"], names["servers"]
        start = datetime.fromisoformat(book.opening.start)
        zone = book.opening.time_zone
        self._start = to_local(0, start, zone).astimezone(UTC)
        self._measured = list(dict.fromkeys(name for _, name, _ in book.measured()))

    def _time(self, at_us: int) -> str:
        return (self._start + timedelta(microseconds=at_us)).isoformat()

    def _unit(self, product: int, serial: int) -> str:
        return f"{self._products[product]}:{serial}"

    def object_types(self) -> Iterator[dict[str, Any]]:
        for product in self._products:
            yield _typed(f"unit {product}", _UNIT_ATTRIBUTES)
        for material in self._book.opening.model.get("materials", {}):
            yield _typed(f"lot {material}", _LOT_ATTRIBUTES)
        yield _typed(_SERVER, ())

    def event_types(self) -> Iterator[dict[str, Any]]:
        measured = [(f"measured {name}", "float") for name in self._measured]
        rows = self._book.rows(
            "SELECT DISTINCT what, operation FROM steps ORDER BY what, operation"
        )
        kinds = {_kind(what, operation): what for what, operation in rows}
        for kind, what in kinds.items():
            more = measured if what == "verdict" else []
            yield _typed(kind, (*_STEP_ATTRIBUTES, *more))

    def objects(self) -> Iterator[dict[str, Any]]:
        for server in self._servers:
            yield _thing(f"server/{server}", _SERVER, {}, "", [])
        for lot in self._book.lots():
            values = {
                "number": lot.name, "supplier": lot.supplier, "units": lot.quantity,
            }  # fmt: skip
            came = self._time(lot.came_us)
            yield _thing(f"lot/{lot}", f"lot {lot.material}", values, came, [])
        rows = self._book.rows(
            "SELECT units.product, units.serial, released_us, ended_us, fate, "
            "into_product, into_serial FROM units LEFT JOIN made_of "
            "USING (product, serial) ORDER BY units.product, units.serial, at_us"
        )
        yield from self._units(rows)

    def _units(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
        last: dict[str, Any] | None = None
        for product, serial, released_us, ended_us, fate, *into in rows:
            key = f"unit/{self._unit(product, serial)}"
            if last is None or last["id"] != key:
                if last is not None:
                    yield last
                at_us = released_us if ended_us is None else ended_us
                values, kind = {"serial": serial, "fate": fate}, self._products[product]
                last = _thing(key, f"unit {kind}", values, self._time(at_us or 0), [])
            if into[0] is not None:
                whole = f"unit/{self._unit(*into)}"
                last["relationships"].append(_related(whole, "part of"))
        if last is not None:
            yield last

    def events(self) -> Iterator[dict[str, Any]]:
        wholes, lots, values = self._wholes(), self._lots(), self._values()
        rows = self._book.rows(
            "SELECT rowid, product, serial, at_us, what, operation, place, detail "
            "FROM steps ORDER BY at_us, rowid"
        )
        for number, product, serial, at_us, what, operation, place, detail in rows:
            unit = product, serial
            related = [_related(f"unit/{self._unit(*unit)}", "unit")]
            told = {"operation": operation, "place": place, "detail": detail}
            if what == "start":
                related.append(_related(f"server/{place}", "server"))
                taken = lots.get((*unit, at_us, operation), ())
                related += [_related(f"lot/{lot}", "takes from") for lot in taken]
            elif what == "verdict":
                told |= values.get((*unit, at_us), {})
            elif what in {"use", "split"} and (
                whole := wholes.get((*unit, at_us, what))
            ):
                related.append(_related(f"unit/{self._unit(*whole)}", _OTHER[what]))
            yield {
                "id": f"event/{number}",
                "type": _kind(what, operation),
                "time": self._time(at_us),
                "attributes": [{"name": k, "value": v} for k, v in told.items()],
                "relationships": related,
            }

    def _wholes(self) -> dict[tuple[int, int, int, str], tuple[int, int]]:
        """Return what each component was built into, and each piece was cut from."""
        found = {}
        for *part, product, serial, at_us in self._book.rows("SELECT * FROM made_of"):
            found[part[0], part[1], at_us, "use"] = (product, serial)
            found[product, serial, at_us, "split"] = (part[0], part[1])
        return found

    def _lots(self) -> dict[tuple[int, int, int, str], list[str]]:
        found = defaultdict(list)
        names = list(self._book.opening.model.get("materials", {}))
        for *start, material, number in self._book.rows(
            "SELECT product, serial, at_us, operation, material, number FROM used "
            "JOIN lots ON lots.id = used.lot"
        ):
            product, serial, at_us, operation = start
            lot = f"{names[material]}:{number}"
            found[product, serial, at_us, operation].append(lot)
        return found

    def _values(self) -> dict[tuple[int, int, int], dict[str, float]]:
        found: dict[tuple[int, int, int], dict[str, float]] = defaultdict(dict)
        for product, serial, at_us, name, value in self._book.rows(
            "SELECT product, serial, at_us, characteristic, value FROM measured"
        ):
            found[product, serial, at_us][f"measured {name}"] = value
        return found


_OTHER = {"use": "built into", "split": "cut from"}


def _kind(what: str, operation: str) -> str:
    """Return the type of an event: work is called by its operation."""
    if what == "start":
        is_taken = operation.partition(" ")[0] in TRACE_NAMES
        return f"work {operation}" if is_taken else operation
    return f"{what} {operation}" if what in {"verdict", "rework"} else what


def _related(key: str, qualifier: str) -> dict[str, str]:
    return {"objectId": key, "qualifier": qualifier}


def _thing(
    key: str, kind: str, values: dict[str, Any], time: str, related: list[Any]
) -> dict[str, Any]:
    attributes = [
        {"name": name, "time": time, "value": value} for name, value in values.items()
    ]
    return {
        "id": key, "type": kind, "attributes": attributes, "relationships": related,
    }  # fmt: skip
