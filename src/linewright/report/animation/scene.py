"""Everything that a page of the line in motion is told, as values that JSON can hold.

The page knows nothing of the model: names, boxes, looks and words come from here, and
what happens from a `Recording`. Lists that are long are columns of numbers, instants as
differences; all times are microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from linewright import tables as t
from linewright.lower import Lowered
from linewright.model.calendars import to_local
from linewright.model.changes import (
    Schedule,
    most_servers,
    pool_schedule,
    schedules_of,
    station_schedule,
)
from linewright.model.line import Line
from linewright.report.animation.reading import KINDS
from linewright.report.animation.recording import Recording
from linewright.report.animation.tokens import tokens
from linewright.report.floor import Area, Floor, Row, Size, arrange, ways
from linewright.report.linemap.placing import stages_of
from linewright.report.palette import STATES
from linewright.report.routes import finals, links, station_order
from linewright.report.words import fit, name
from linewright.schedule.scheduled import CALLED_IN

__all__ = ["MARKS", "buffers_of", "scene"]

CARD = Size(136, 66)
STORE = Size(109, 40)
_WIDTH = 1320.0
MARKS = {
    "setup": "s",
    "loading": "l",
    "blocked": "b",
    "waiting": "w",
    "failed": "!",
    "maintenance": "m",
    "break": "p",
}
"""A letter in the corner of a server, for who does not tell the states by color."""

_NAME_SIZE, _STORE_NAME_SIZE = 12.0, 10.5
_HOUR_US = 3_600_000_000


def scene(line: Line, lowered: Lowered, recording: Recording) -> dict[str, Any]:
    """Return the line, its drawing and what happens in it."""
    buffers = buffers_of(line, lowered)
    floor = _floor(line, [b["name"] for b in buffers if not b["own"]])
    for buffer in buffers:
        buffer["box"] = _box(floor, buffer["name"]) if not buffer["own"] else None
    return {
        "clock": _clock(line, recording),
        "floor": _drawing(floor, line),
        "states": _states(),
        "causes": [name(mode, 60) for mode in lowered.names.modes],
        "stations": _stations(line, lowered, floor),
        "buffers": buffers,
        "products": _products(line, lowered),
        "pools": [{"name": n, "count": p.count} for n, p in line.people.items()],
        "calendars": _calendars(line),
        "operations": [name(o, 60) for o in lowered.names.operations],
        "kinds": list(KINDS),
        "spots": _columns(recording.spots, ("kind", "row", "buffer", "operation")),
        "parts": _parts(recording),
        "opening": recording.opening,
        "finished": recording.finished,
        "scrapped": recording.scrapped,
        "changes": _changes(recording),
    }


# ---------------------------------------------------------------- what there is


def _states() -> list[dict[str, str]]:
    """Return the states of a server in the order of their codes."""
    by_key = {state.key: state for state in STATES}
    return [
        {
            "key": key,
            "label": by_key[key].label,
            "role": by_key[key].role,
            "mark": MARKS.get(key, ""),
        }
        for key in t.MODE_NAMES
    ]


def _stations(line: Line, lowered: Lowered, floor: Floor) -> list[dict[str, Any]]:
    first = lowered.tables.stations["first_server"]
    return [
        {
            "name": key,
            "label": fit(name(key), CARD.width - 10, _NAME_SIZE),
            "servers": most_servers(line, key),
            "first": int(first[k]),
            "box": _box(floor, key),
            "stage": station.stage or "",
            "calendar": _own_calendar(line, key),
        }
        for k, (key, station) in enumerate(line.stations.items())
    ]


def _own_calendar(line: Line, name: str) -> str:
    schedule = station_schedule(line, name)
    is_always = all(calendar is None for _, calendar in schedule)
    return "" if is_always else _calendar_name(schedule)


def buffers_of(line: Line, lowered: Lowered) -> list[dict[str, Any]]:
    """Return the buffers; `own` says of which station's card one is a part."""
    tables, names = lowered.tables, lowered.names
    outputs = {int(b): k for k, b in enumerate(tables.stations["out_buffer"]) if b >= 0}
    stores = {
        int(tables.targets["buffer"][tables.dests["first_target"][d]]): i
        for i, d in enumerate(tables.products["store"])
        if d >= 0
    }
    found = []
    for b, key in enumerate(names.buffers):
        slots = int(tables.buffers["slots"][b])
        role, own = "shared", ""
        if key not in line.buffers:
            if b in outputs:
                role, own = "output", names.stations[outputs[b]]
            elif b in stores:
                role = "store"
            else:
                role, own = "input", key.removesuffix(CALLED_IN)
        found.append(
            {
                "name": key,
                "label": _store_label(key, stores.get(b, -1), names.products),
                "slots": None if slots >= t.UNLIMITED else slots,
                "role": role,
                "own": own,
                "product": stores.get(b, -1),
            }
        )
    return found


def _store_label(key: str, product: int, products: Sequence[str]) -> str:
    """Return the product of a store, else the name of a buffer."""
    label = products[product] if key == f"{products[product]} store" else key
    return fit(name(label), STORE.width - 6, _STORE_NAME_SIZE)


def _products(line: Line, lowered: Lowered) -> list[dict[str, Any]]:
    sold = set(finals(line))
    return [
        {
            "name": key,
            "code": token.code,
            "shape": token.shape,
            "hue": token.hue,
            "lot": product.lot_size,
            "sold": key in sold,
            "stored": bool(lowered.tables.products["store"][i] >= 0),
        }
        for i, ((key, product), token) in enumerate(
            zip(line.products.items(), tokens(line), strict=True)
        )
    ]


def _calendars(line: Line) -> list[dict[str, Any]]:
    """Return the calendars in use in the order of their rows."""
    used = [station_schedule(line, name) for name in line.stations]
    kept = [s for s in schedules_of(line) if s in {*used, *_of_pools(line)}]
    return [
        {"name": _calendar_name(schedule), "stations": used.count(schedule)}
        for schedule in kept
    ]


def _of_pools(line: Line) -> list[Schedule]:
    return [pool_schedule(line, name) for name in line.people]


def _calendar_name(schedule: Schedule) -> str:
    """Return the calendars of a schedule, one after the other."""
    return ", then ".join(name or "always" for _, name in schedule)


# ---------------------------------------------------------------- where it stands


def _floor(line: Line, buffers: Sequence[str]) -> Floor:
    """Return the drawing: the plan where there is one, else stage by stage."""
    sizes = dict.fromkeys(line.stations, CARD) | dict.fromkeys(buffers, STORE)
    rows = [*_station_rows(line), *_buffer_rows(line, buffers)]
    if line.layout:
        return arrange(line.layout, sizes, _WIDTH, rows)
    needed = [sum(sizes[n].width + row.gap for n in row.names) for row in rows]
    return arrange(None, sizes, min(max(*needed, 430.0, 0.0) + 8, _WIDTH), rows)


def _station_rows(line: Line) -> list[Row]:
    """Return the stations of each stage, with its buffers, in order."""
    placed = line.layout.places if line.layout else {}
    rows = []
    for stage in stages_of(line, station_order(line)):
        names = [station for lane in stage.lanes for station in lane.stations]
        names += [
            b for b, buffer in line.buffers.items() if buffer.stage == stage.label
        ]
        title = stage.label or ("Without a place on the plan" if placed else "")
        rows.append(Row(title, names))
    return rows


def _buffer_rows(line: Line, buffers: Sequence[str]) -> list[Row]:
    left = [b for b in buffers if b not in line.buffers or not line.buffers[b].stage]
    if not left:
        return []
    named = [b in line.buffers for b in left]
    title = (
        "Buffers" if all(named) else "Buffers and stores" if any(named) else "Stores"
    )
    return [Row(title, left, gap=8.0)]


def _box(floor: Floor, key: str) -> list[float]:
    return [round(value, 1) for value in floor.boxes[key]]


def _drawing(floor: Floor, line: Line) -> dict[str, Any]:
    def area(label: str, at: Area) -> dict[str, Any]:
        room = fit(name(label), at.width - 12, 13)
        return {"label": room, "box": [round(value, 1) for value in at]}

    drawn = ways(floor.boxes, links(line))
    return {
        "size": [floor.width, round(floor.height, 1)],
        "rooms": [area(label, at) for label, at in floor.rooms.items()],
        "bands": [area(label, at) for label, at in floor.bands],
        "ways": [
            {
                "from": way.link.source,
                "to": way.link.target,
                "rework": way.link.kind == "rework",
                "path": way.path,
                "tip": way.tip,
            }
            for way in drawn
        ],
    }


# ---------------------------------------------------------------- when


def _clock(line: Line, recording: Recording) -> dict[str, Any]:
    return {
        "from_us": recording.from_us,
        "until_us": recording.until_us,
        "zone": line.time_zone,
        "local": _local_times(line, recording.from_us, recording.until_us),
    }


def _local_times(line: Line, from_us: int, until_us: int) -> list[list[int]]:
    """Return instants from which the local clock runs evenly, and what it shows.

    It is set at the beginning and where summer time begins and ends; a local time is
    given as the milliseconds from 1970 that it would be in UTC.
    """
    found = [[from_us, _local_ms(line, from_us)]]
    step = max(_HOUR_US * 24, (until_us - from_us) // 4000)
    marks = [*range(from_us, until_us, step), until_us]
    for low, high in pairwise(marks):
        before, after = low, high
        if _gain_ms(line, low) == _gain_ms(line, high):
            continue
        while after - before > 1:
            middle = (before + after) // 2
            if _gain_ms(line, middle) == _gain_ms(line, low):
                before = middle
            else:
                after = middle
        found.append([after, _local_ms(line, after)])
    return found


def _local_ms(line: Line, at_us: int) -> int:
    local = to_local(at_us, line.start, line.time_zone).replace(tzinfo=None)
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - local by definition
    return (local - epoch) // timedelta(milliseconds=1)


def _gain_ms(line: Line, at_us: int) -> int:
    """Return by how much the clock on the wall is ahead of time since the start."""
    return _local_ms(line, at_us) - at_us // 1000


# ---------------------------------------------------------------- what happens


def _columns(rows: Sequence[Any], columns: Sequence[str]) -> dict[str, list[Any]]:
    found = {c: [getattr(row, c) for row in rows] for c in columns}
    found["kind"] = [KINDS.index(kind) for kind in found["kind"]]
    return found


def _parts(recording: Recording) -> dict[str, list[int]]:
    return {
        "product": [product for product, _ in recording.parts],
        "number": [number for _, number in recording.parts],
        "entered_us": recording.entered_us,
    }


def _changes(recording: Recording) -> dict[str, list[int]]:
    at = [recording.from_us, *recording.at_us]
    return {
        "after_us": [now - before for before, now in pairwise(at)],
        "thing": recording.thing,
        "value": recording.value,
    }
