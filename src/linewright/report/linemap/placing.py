"""Where each station's box goes: stages below each other, lanes side by side in rows.

A lane holds the stations that the same products (or families) come by, in the order of
their routing: a feeder line is a lane. Lanes share a row as long as they fit and wrap
like words; so the picture grows with the line and its boxes keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linewright.model.line import Line
from linewright.report.routes import station_order
from linewright.report.words import join, name

__all__ = ["Lane", "Place", "Stage", "place", "stages_of"]

OTHER = "Other stations"


@dataclass(frozen=True, slots=True)
class Lane:
    """Stations that the same products come by, in order."""

    label: str
    stations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the line with its lanes."""

    label: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box stands: a row from the top and a column from the left.

    `lane` is the lane's label on its first box in a row and empty on the others;
    `lane_columns` says how many boxes of the lane follow in this row.
    """

    station: str
    stage: int
    row: int
    column: int
    lane: str
    lane_columns: int


def _visitors(line: Line) -> dict[str, dict[str, None]]:
    """Return the products or families that come by each station."""
    found: dict[str, dict[str, None]] = {}
    for key, product in line.products.items():
        for step in product.route:
            for station in step.stations:
                found.setdefault(station, {})[product.family or key] = None
    return found


def _label(visitors: Sequence[str], everybody: int) -> str:
    if not visitors:
        return "not visited"
    if len(visitors) == everybody > 3:
        return "all products"
    return join(name(v, 28) for v in visitors)


def stages_of(line: Line, shown: Sequence[str]) -> list[Stage]:
    """Return the stages of the shown stations, each with its lanes."""
    visitors = _visitors(line)
    everybody = len({p.family or key for key, p in line.products.items()})
    groups: dict[str, dict[tuple[str, ...], list[str]]] = {s: {} for s in line.stages}
    wanted = set(shown)
    for station in station_order(line):
        if station in wanted:
            lanes = groups.setdefault(line.stations[station].stage or OTHER, {})
            key = tuple(sorted(visitors.get(station, ())))
            lanes.setdefault(key, []).append(station)
    only = len([g for g in groups.values() if g]) == 1
    return [
        Stage(
            "" if only and label == OTHER else label,
            tuple(Lane(_label(k, everybody), tuple(v)) for k, v in lanes.items()),
        )
        for label, lanes in groups.items()
        if lanes
    ]


def place(stages: Sequence[Stage], n_columns: int) -> list[Place]:
    """Return a place for every station, row by row."""
    places: list[Place] = []
    row = 0
    for s, stage in enumerate(stages):
        column = 0
        for lane in stage.lanes:
            if column and column + len(lane.stations) > n_columns:
                row, column = row + 1, 0
            left = list(lane.stations)
            while left:
                if column == n_columns:
                    row, column = row + 1, 0
                here, left = left[: n_columns - column], left[n_columns - column :]
                for i, station in enumerate(here):
                    label = lane.label if i == 0 else ""
                    if label and len(here) + len(left) < len(lane.stations):
                        label += ", continued"
                    places.append(Place(station, s, row, column, label, len(here) - i))
                    column += 1
        row += 1
    return places
