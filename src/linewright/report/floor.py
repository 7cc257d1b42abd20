"""Where boxes stand on a drawing of the floor: true to the plan, and none on another.

Places of the layout are scaled to the drawing. A box that would lie on one before it,
or on the name of a room, moves to the nearest spot beside what is in its way; a plan
that is too crowded is drawn larger first. What has no place stands in rows below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from linewright.model.line import Layout
from linewright.report.routes import Link

__all__ = ["Area", "Floor", "Row", "Size", "Way", "arrange", "ways"]

_MARGIN = 8.0
_SHAPE = 0.55  # depth of a drawing to its width, where the plan leaves the choice
_STEP = 1.12
_NEAR = 14  # boxes looked at for a free spot beside them
_NAME_HEIGHT = 18.0
_TITLE = 28.0
_LINE_GAP = 22.0


class Size(NamedTuple):
    """Width and height of a box, pixels."""

    width: float
    height: float


class Area(NamedTuple):
    """A rectangle from its upper left corner, pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Area, gap: float = 0.0) -> bool:
        """Say whether two rectangles are nearer to each other than a gap."""
        return (
            self.x < other.x + other.width + gap
            and other.x < self.x + self.width + gap
            and self.y < other.y + other.height + gap
            and other.y < self.y + self.height + gap
        )

    @property
    def middle(self) -> tuple[float, float]:
        """Return the point in its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


class Row(NamedTuple):
    """Names that stand side by side without a place, and what they are together."""

    title: str
    names: Sequence[str]
    gap: float = 28.0


@dataclass(frozen=True, slots=True)
class Floor:
    """A drawing of the floor.

    Attributes:
        width: Of the whole, pixels.
        height: Of the whole, pixels.
        boxes: Boxes by name.
        rooms: Rooms of the plan by name.
        bands: Titles and grounds of the rows of what has no place.
    """

    width: float
    height: float
    boxes: dict[str, Area]
    rooms: dict[str, Area]
    bands: tuple[tuple[str, Area], ...]


def arrange(
    layout: Layout | None,
    sizes: dict[str, Size],
    width: float,
    rows: Sequence[Row],
    gap: float = 14.0,
    stretch: float = 1.0,
) -> Floor:
    """Return where every box stands.

    Args:
        layout: The plan; without one everything stands in rows.
        sizes: Size of every box, by name.
        width: Width of the drawing, pixels.
        rows: All names in the rows in which they stand without a place.
        gap: Least distance of two boxes on the plan, pixels.
        stretch: How much deeper a crowded plan may be drawn than it is.
    """
    boxes: dict[str, Area] = {}
    rooms: dict[str, Area] = {}
    if layout is not None:
        placed = [name for name in layout.places if name in sizes]
        here = {name: sizes[name] for name in placed}
        plan = _Plan(layout, here, (width, gap, stretch))
        boxes, rooms = plan.boxes(), plan.rooms()
    below = _bottom([*boxes.values(), *rooms.values()])
    left = [r._replace(names=[n for n in r.names if n not in boxes]) for r in rows]
    there, bands = _in_rows([r for r in left if r.names], sizes, width, below)
    boxes |= there
    bottom = _bottom([*boxes.values(), *rooms.values(), *(area for _, area in bands)])
    return Floor(width, bottom + _MARGIN, boxes, rooms, bands)


def _bottom(areas: Iterable[Area]) -> float:
    return max((a.y + a.height for a in areas), default=0.0)


def _in_rows(
    rows: Iterable[Row], sizes: dict[str, Size], width: float, top: float
) -> tuple[dict[str, Area], tuple[tuple[str, Area], ...]]:
    """Set boxes like words, in lines from left to right, a ground below each row."""
    found: dict[str, Area] = {}
    bands = []
    y = top + _MARGIN
    for row in rows:
        start = y
        y += _TITLE if row.title else _MARGIN
        x, deepest = 2 * _MARGIN, 0.0
        for name in row.names:
            size = sizes[name]
            if x > 2 * _MARGIN and x + size.width > width - 2 * _MARGIN:
                x, y, deepest = 2 * _MARGIN, y + deepest + _LINE_GAP, 0.0
            found[name] = Area(x, y, *size)
            x, deepest = x + size.width + row.gap, max(deepest, size.height)
        y += deepest + 1.5 * _MARGIN
        area = Area(_MARGIN, start, width - 2 * _MARGIN, y - start)
        bands.append((row.title, area))
        y += _MARGIN
    return found, tuple(bands)


# ---------------------------------------------------------------- on the plan


class _Plan:
    """A layout at a scale."""

    def __init__(
        self,
        layout: Layout,
        sizes: dict[str, Size],
        frame: tuple[float, float, float],
    ) -> None:
        self.layout, self.sizes = layout, sizes
        self.width, self.gap, self.stretch = frame
        self.pad_x = _MARGIN + max((s.width for s in sizes.values()), default=0) / 2
        self.pad_y = _MARGIN + max((s.height for s in sizes.values()), default=0) / 2
        if layout.rooms or layout.width or layout.depth:
            self.pad_x = self.pad_y = _MARGIN
        rooms, places = layout.rooms.values(), layout.places.values()
        wide = [r.x + r.width for r in rooms] + [p.x for p in places]
        deep = [r.y + r.depth for r in rooms] + [p.y for p in places]
        self.wide_mm = max([layout.width or 0, *wide, 1])
        self.deep_mm = max([layout.depth or 0, *deep, 1])
        self.scale, self.scale_y = self._scales()
        self.shift_x = (self.width - self.wide_mm * self.scale) / 2

    def _scales(self) -> tuple[float, float]:
        """Return pixels for a millimeter across and down, as few as there may be."""
        most = (self.width - 2 * self.pad_x) / self.wide_mm
        scale = min(most, _SHAPE * self.width / self.deep_mm)
        while scale < most and self._is_crowded(scale, scale):
            scale = min(most, scale * _STEP)
        down = scale
        while down < scale * self.stretch and self._is_crowded(scale, down):
            down = min(scale * self.stretch, down * 1.02)
        return scale, down

    def _is_crowded(self, scale: float, down: float) -> bool:
        wanted = [self._wanted(name, (scale, down), 0.0) for name in self.sizes]
        names = self._room_names((scale, down), 0.0)
        return any(
            a.overlaps(b, self.gap) for i, a in enumerate(wanted) for b in wanted[:i]
        ) or any(a.overlaps(b) for a in wanted for b in names)

    def _wanted(self, name: str, scales: tuple[float, float], shift_x: float) -> Area:
        """Return where a box would stand if nothing were in its way."""
        place, size = self.layout.places[name], self.sizes[name]
        x = shift_x + place.x * scales[0] - size.width / 2
        y = self.pad_y + place.y * scales[1] - size.height / 2
        x = min(max(x, _MARGIN), self.width - _MARGIN - size.width)
        return Area(x, max(y, _MARGIN), *size)

    def rooms(self) -> dict[str, Area]:
        """Return the rectangles of the rooms."""
        return self._rooms((self.scale, self.scale_y), self.shift_x)

    def _rooms(self, scales: tuple[float, float], shift_x: float) -> dict[str, Area]:
        across, down = scales
        return {
            name: Area(
                shift_x + room.x * across,
                self.pad_y + room.y * down,
                room.width * across,
                room.depth * down,
            )
            for name, room in self.layout.rooms.items()
        }

    def _room_names(self, scales: tuple[float, float], shift_x: float) -> list[Area]:
        """Return where the names of the rooms are written."""
        return [
            Area(room.x, room.y, min(room.width, 8.0 * len(name) + 12), _NAME_HEIGHT)
            for name, room in self._rooms(scales, shift_x).items()
        ]

    def boxes(self) -> dict[str, Area]:
        """Return the boxes, each as near to its place as there is room."""
        scales = (self.scale, self.scale_y)
        names = self._room_names(scales, self.shift_x)
        wanted = {n: self._wanted(n, scales, self.shift_x) for n in self.sizes}
        found: dict[str, Area] = {}
        for name in sorted(wanted, key=lambda n: (wanted[n].y, wanted[n].x)):
            found[name] = self._free(wanted[name], list(found.values()), names)
        return {name: found[name] for name in self.sizes}

    def _free(self, wanted: Area, taken: list[Area], names: list[Area]) -> Area:
        """Return the free rectangle that is nearest to a wanted one."""

        def is_free(area: Area) -> bool:
            return not any(area.overlaps(t, self.gap) for t in taken) and not any(
                area.overlaps(n) for n in names
            )

        def way(area: Area) -> float:
            return (area.x - wanted.x) ** 2 + (area.y - wanted.y) ** 2

        if is_free(wanted):
            return wanted
        near = sorted([*taken, *names], key=way)[:_NEAR]
        width, height, gap = wanted.width, wanted.height, self.gap
        xs = [wanted.x]
        ys = [wanted.y]
        for other in near:
            xs += [other.x - width - gap, other.x + other.width + gap]
            ys += [other.y - height - gap, other.y + other.height + gap]
        last = self.width - _MARGIN - width
        spots = [
            Area(x, y, width, height)
            for x in xs
            for y in ys
            if _MARGIN <= x <= last and y >= _MARGIN
        ]
        for spot in sorted(spots, key=way):
            if is_free(spot):
                return spot
        below = max(t.y + t.height for t in [*taken, *names]) + gap
        return wanted._replace(y=below)


# ---------------------------------------------------------------- ways

Point = tuple[float, float]


class Way(NamedTuple):
    """A move between two boxes: its line, the tip of its arrow, and what it is."""

    link: Link
    path: str
    tip: str


def ways(boxes: dict[str, Area], links: Iterable[Link]) -> list[Way]:
    """Return a line for every move: straight, or bent around a box in between."""
    found = []
    for link in links:
        if link.source in boxes and link.target in boxes:
            others = [
                area
                for name, area in boxes.items()
                if name not in (link.source, link.target)
            ]
            path, tip = _way(boxes[link.source], boxes[link.target], others)
            found.append(Way(link, path, tip))
    return found


def _way(a: Area, b: Area, others: Sequence[Area]) -> tuple[str, str]:
    start, end = _edge(a, b.middle), _edge(b, a.middle)
    if not any(_is_crossed(area, start, end) for area in others):
        line = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
        return line, _tip(start, end)
    bend = _bend(a.middle, b.middle)
    start, end = _edge(a, bend), _edge(b, bend)
    line = f"M{start[0]:.1f} {start[1]:.1f}Q{bend[0]:.1f} {bend[1]:.1f} "
    return f"{line}{end[0]:.1f} {end[1]:.1f}", _tip(bend, end)


def _edge(area: Area, toward: Point) -> Point:
    """Return where the line from the middle of a box to a point leaves the box."""
    x, y = area.middle
    dx, dy = toward[0] - x, toward[1] - y
    share = max(abs(dx) / (area.width / 2), abs(dy) / (area.height / 2), 1e-9)
    return x + dx / max(share, 1.0), y + dy / max(share, 1.0)


def _bend(start: Point, end: Point) -> Point:
    """Return the point that a bent line is drawn toward, at its left hand."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    out = min(0.22 * length, 90.0) + 30.0
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return x + dy / length * out, max(y - dx / length * out, 2.0)


def _is_crossed(area: Area, start: Point, end: Point, n_probes: int = 24) -> bool:
    """Say whether a straight line passes through a box."""
    for i in range(1, n_probes):
        x = start[0] + (end[0] - start[0]) * i / n_probes
        y = start[1] + (end[1] - start[1]) * i / n_probes
        inside_x = area.x <= x <= area.x + area.width
        if inside_x and area.y <= y <= area.y + area.height:
            return True
    return False


def _tip(before: Point, end: Point, size: float = 7.0) -> str:
    """Return an arrow's tip that ends at a point, as SVG path data."""
    dx, dy = end[0] - before[0], end[1] - before[1]
    length = math.hypot(dx, dy) or 1.0
    ux, uy = dx / length * size, dy / length * size
    x, y = end
    return (
        f"M{x:.1f} {y:.1f}L{x - ux - uy / 2:.1f} {y - uy + ux / 2:.1f}"
        f"L{x - ux + uy / 2:.1f} {y - uy - ux / 2:.1f}z"
    )
