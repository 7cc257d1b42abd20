"""The picture of a line that has a layout: boxes where the stations stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from linewright.model.line import Line
from linewright.report.floor import Area, Row, Size, arrange, ways
from linewright.report.linemap.drawing import (
    FACTS_HEIGHT,
    NAME_SIZE,
    Card,
    Drawing,
    Room,
    Text,
    Wire,
    card_box,
)
from linewright.report.linemap.placing import Stage
from linewright.report.routes import Link
from linewright.report.words import fit, name, wrap

__all__ = ["draw_plan", "has_plan"]

BOX_WIDTH = 102.0
GAP = 8.0
QUEUE_ROOM = 40.0
STRETCH = 1.6


def has_plan(line: Line, shown: Collection[str]) -> bool:
    """Say whether one of the shown stations has a place."""
    return line.layout is not None and any(s in line.layout.places for s in shown)


def draw_plan(
    line: Line,
    stages: Sequence[Stage],
    links: Iterable[Link],
    cards: Mapping[str, Card],
    width: float,
) -> Drawing:
    """Return the picture of the floor, deeper than it is where it is crowded.

    Args:
        line: The line, with a layout.
        stages: Stages of the shown stations; what has no place is drawn by stage.
        links: Moves between stations.
        cards: What each shown station's box says.
        width: Width of the picture, pixels.
    """
    names = {station: _names(station) for station in cards}
    height = FACTS_HEIGHT + 14.0 * max(map(len, names.values()))
    sizes = dict.fromkeys(names, Size(BOX_WIDTH, height))
    rows = [Row(stage.label, _stations(stage)) for stage in stages]
    floor = arrange(line.layout, sizes, width, rows, GAP, STRETCH)
    boxes = [
        card_box(area, names[station], _short(cards[station]), QUEUE_ROOM)
        for station, area in floor.boxes.items()
    ]
    drawn = ways(floor.boxes, links)
    return Drawing(
        width,
        floor.height,
        bands=(),
        lanes=(),
        boxes=tuple(boxes),
        wires=tuple(Wire(way.path, way.link.kind == "rework") for way in drawn),
        heads=tuple((way.tip, way.link.kind == "rework") for way in drawn),
        n_left_out=0,
        rooms=tuple(_room(*room) for room in (*floor.rooms.items(), *floor.bands)),
    )


def _stations(stage: Stage) -> list[str]:
    return [station for lane in stage.lanes for station in lane.stations]


def _names(station: str) -> tuple[str, ...]:
    """Return the name in one line or two, broken at underscores as well."""
    lines = wrap(name(station).replace("_", "_ "), BOX_WIDTH - 14, NAME_SIZE)
    return tuple(line.replace("_ ", "_") for line in lines)


def _short(card: Card) -> Card:
    return replace(card, used=card.used.removesuffix(" used"))


def _room(label: str, area: Area) -> Room:
    text = fit(name(label), area.width - 12, 11)
    return Room(*area, Text(area.x + 6, area.y + 13, text))
