"""The floor: rules on the layout, and how far things stand from each other.

Lengths are whole millimeters, from the upper left corner of the plan.
"""

from __future__ import annotations

import math
from collections import defaultdict

from linewright.model.line import Layout, Line
from linewright.model.notes import Notes

__all__ = ["check_layout", "distance_mm", "lint_layout"]


def distance_mm(line: Line, start: str, end: str) -> float | None:
    """Return how far two stations or buffers are apart, as the crow flies.

    Args:
        line: The line.
        start: A station, or a named buffer.
        end: Another, or the same.

    Returns:
        Millimeters, or None where either has no place in the layout.
    """
    places = line.layout.places if line.layout else {}
    if start not in places or end not in places:
        return None
    a, b = places[start], places[end]
    return math.hypot(a.x - b.x, a.y - b.y)


def check_layout(line: Line, notes: Notes) -> None:
    """Note places of what is not in the model, and rectangles without an extent."""
    layout = line.layout
    if layout is None:
        return
    there = [*line.stations, *line.buffers]
    for name in layout.places:
        if name not in line.stations and name not in line.buffers:
            notes.unknown(("layout", "places", name), name, "station or buffer", there)
    for side in ("width", "depth"):
        if getattr(layout, side) == 0:
            notes.error("LW241", ("layout", side), f"the plan has no {side}")
        for name, room in layout.rooms.items():
            if getattr(room, side) == 0:
                at = ("layout", "rooms", name, side)
                notes.error("LW241", at, f'the room "{name}" has no {side}')


def lint_layout(line: Line, notes: Notes) -> None:
    """Note things that stand on one spot, or beyond the edge of the plan."""
    if line.layout is not None:
        _on_one_spot(line.layout, notes)
        _off_the_plan(line.layout, notes)


def _on_one_spot(layout: Layout, notes: Notes) -> None:
    spots: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, place in layout.places.items():
        spots[place.x, place.y].append(name)
    for first, *others in spots.values():
        for other in others:
            msg = f'"{other}" stands on the same spot as "{first}"'
            notes.warning("LW323", ("layout", "places", other), msg)


def _off_the_plan(layout: Layout, notes: Notes) -> None:
    width, depth = layout.width or math.inf, layout.depth or math.inf
    for name, place in layout.places.items():
        if place.x > width or place.y > depth:
            msg = f'"{name}" stands beyond the edge of the plan'
            notes.warning("LW324", ("layout", "places", name), msg)
    for name, room in layout.rooms.items():
        if room.x + room.width > width or room.y + room.depth > depth:
            msg = f'the room "{name}" reaches beyond the edge of the plan'
            notes.warning("LW324", ("layout", "rooms", name), msg)
