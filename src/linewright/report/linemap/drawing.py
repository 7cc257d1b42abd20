"""The picture in pixels: boxes with state bars, bands of stages, lines of moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from linewright.report.linemap.placing import Place, Stage, place
from linewright.report.linemap.routing import Net, Plan, Routing, exit_gutter, route
from linewright.report.routes import Link
from linewright.report.words import fit, name, wrap

__all__ = ["Card", "Drawing", "Room", "Wire", "card_box", "draw"]

FACTS_HEIGHT = 44
TRACK = 7
STAGE_TITLE = 28
LANE_TITLE = 17
BAND_PAD = 10
NAME_SIZE = 13  # a bold 12


@dataclass(frozen=True, slots=True)
class Card:
    """What a box says about its station."""

    used: str
    servers: int
    waiting: str
    shares: tuple[tuple[str, float], ...]
    tip: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Box:
    """A station's box in pixels."""

    x: float
    y: float
    width: float
    height: float
    names: tuple[str, ...]
    card: Card
    bars: tuple[tuple[str, float, float], ...]
    queue_x: float


@dataclass(frozen=True, slots=True)
class Band:
    """The ground of a stage."""

    y: float
    height: float
    title: Text
    title_width: float


@dataclass(frozen=True, slots=True)
class Room:
    """A rectangle of the plan, with its name."""

    x: float
    y: float
    width: float
    height: float
    title: Text


@dataclass(frozen=True, slots=True)
class Wire:
    """A line of moves: its path, the tip of its arrow, and whether it is rework."""

    path: str
    rework: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that the template writes."""

    width: float
    height: float
    bands: tuple[Band, ...]
    lanes: tuple[Text, ...]
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    heads: tuple[tuple[str, bool], ...]
    n_left_out: int
    rooms: tuple[Room, ...] = ()


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where columns, rows, tracks and channels lie."""

    width: float
    left: float
    box: float
    gap: float
    channel_x: float
    pitch: float
    gutter_y: dict[int, float]
    row_y: tuple[float, ...]
    row_height: tuple[float, ...]

    def x(self, place: Place, share: float = 0.0) -> float:
        return self.left + place.column * (self.box + self.gap) + share * self.box

    def track_y(self, gutter: int, track: int) -> float:
        return self.gutter_y[gutter] + TRACK * track + TRACK / 2

    def channel(self, track: int) -> float:
        return self.channel_x + self.pitch * track


def draw(
    stages: Sequence[Stage],
    links: Sequence[Link],
    cards: Mapping[str, Card],
    width: float,
) -> Drawing:
    """Return the line as shapes, `width` pixels wide."""
    narrow = width < 600
    left, gap = (10.0, 18.0) if narrow else (14.0, 24.0)
    n_columns = 2 if narrow else 5
    places = place(stages, n_columns)
    routing = route(places, links, Plan(n_columns, 8 if narrow else 12))
    pitch = 4.5 if narrow else 6.0
    right = 12.0 + pitch * routing.n_channels
    box = (width - left - right - gap * (n_columns - 1)) / n_columns
    grid, bands, height = _rows(places, stages, routing, (width, left, box, gap, pitch))
    boxes = tuple(_box(grid, p, cards[p.station]) for p in places)
    entered = {net.target.station for net in routing.nets}
    wires, heads = _wires(grid, routing)
    return Drawing(
        width, height, bands, tuple(_lanes(grid, places, entered)), boxes, wires, heads,
        routing.n_left_out,
    )  # fmt: skip


def _rows(
    places: Sequence[Place],
    stages: Sequence[Stage],
    routing: Routing,
    frame: tuple[float, float, float, float, float],
) -> tuple[_Grid, tuple[Band, ...], float]:
    """Stack the rows: title of a stage, tracks, title of a lane, boxes."""
    n_rows = places[-1].row + 1
    heights = _heights(places, frame[2])
    stage_of = {p.row: p.stage for p in places}
    y, tops, gutters, starts = 0.0, [], {}, {}
    for row in range(n_rows):
        stage = stage_of[row]
        if stage not in starts:
            y += BAND_PAD if row else 0
            starts[stage] = y
            y += STAGE_TITLE if stages[stage].label else BAND_PAD
        gutters[row] = y + 2
        y += 4 + TRACK * routing.gutter_tracks.get(row, 0) + LANE_TITLE
        tops.append(y)
        y += heights[row] + 12
    gutters[n_rows] = y - 8
    y += TRACK * routing.gutter_tracks.get(n_rows, 0)
    ends = [*list(starts.values())[1:], y + BAND_PAD]
    bands = tuple(
        _band(stages[s], top, end - BAND_PAD - top)
        for (s, top), end in zip(starts.items(), ends, strict=True)
    )
    width, left, box, gap, pitch = frame
    channel_x = width - 6 - pitch * routing.n_channels
    grid = _Grid(width, left, box, gap, channel_x, pitch, gutters, tuple(tops), heights)
    return grid, bands, y


def _names(place: Place, box: float) -> list[str]:
    return wrap(name(place.station), box - 16, NAME_SIZE)


def _heights(places: Sequence[Place], box: float) -> tuple[float, ...]:
    """Return the height of each row: its longest name takes one line or two."""
    lines = [1] * (places[-1].row + 1)
    for p in places:
        lines[p.row] = max(lines[p.row], len(_names(p, box)))
    return tuple(FACTS_HEIGHT + 14.0 * n for n in lines)


def _band(stage: Stage, top: float, height: float) -> Band:
    n = sum(len(lane.stations) for lane in stage.lanes)
    label = fit(name(stage.label), 260, 13)
    if label:
        label += f" \u00b7 {n}"
    return Band(top, height, Text(14, top + 19, label), 8.2 * len(label))


def _lanes(grid: _Grid, places: Sequence[Place], entered: set[str]) -> list[Text]:
    found = []
    for i, p in enumerate(places):
        if p.lane:
            here = places[i : i + p.lane_columns]
            room = p.lane_columns * (grid.box + grid.gap) - grid.gap
            for k, other in enumerate(here):
                if other.station in entered:  # a line comes down at its right
                    room = k * (grid.box + grid.gap) + 0.82 * grid.box
                    break
            y = grid.row_y[p.row] - 5
            found.append(Text(grid.x(p) + 1, y, fit(p.lane, room, 11)))
    return found


def _box(grid: _Grid, p: Place, card: Card) -> Box:
    area = (grid.x(p), grid.row_y[p.row], grid.box, grid.row_height[p.row])
    return card_box(area, tuple(_names(p, grid.box)), card, 50)


def card_box(
    area: tuple[float, float, float, float],
    names: tuple[str, ...],
    card: Card,
    queue_room: float,
) -> Box:
    """Return a station's box.

    Args:
        area: Left, top, width and height, pixels.
        names: Lines of its name.
        card: What it says.
        queue_room: Room at the right for the number that waits, pixels.
    """
    x, y, width, height = area
    inner = width - 16
    bars, at = [], x + 8
    for role, share in card.shares:
        if share * inner > 0.25:
            bars.append((role, at, share * inner))
        at += share * inner
    queue_x = x + width - queue_room
    return Box(x, y, width, height, names, card, tuple(bars), queue_x)


# ---------------------------------------------------------------- wires

Point = tuple[float, float]


def _wires(
    grid: _Grid, routing: Routing
) -> tuple[tuple[Wire, ...], tuple[tuple[str, bool], ...]]:
    wires, heads = [], []
    for source, target, rework in routing.straight:
        y = grid.row_y[source.row] + grid.row_height[source.row] / 2
        end = grid.x(target)
        wires.append(Wire(_path([(grid.x(source, 1), y), (end - 5, y)]), rework))
        heads.append((f"M{end:.1f} {y:.1f}l-7 -4v8z", rework))
    for net in routing.nets:
        x, y = grid.x(net.target, _entry(net)), grid.row_y[net.target.row]
        heads.append((f"M{x:.1f} {y:.1f}l-4 -7h8z", net.rework))
        wires.extend(
            Wire(_path([*_points(grid, net, source), (x, y - 5)]), net.rework)
            for source in net.sources
        )
    return tuple(wires), tuple(heads)


def _entry(net: Net) -> float:
    return 0.84 if net.rework else 0.9


def _points(grid: _Grid, net: Net, source: Place) -> list[Point]:
    """Return the way of one move, up to above its target."""
    target = net.target
    top = grid.row_y[source.row]
    x0, x1 = grid.x(source, 0.3 if net.rework else 0.5), grid.x(target, _entry(net))
    start = (x0, top + grid.row_height[source.row])
    if source.row == target.row:
        x0 = grid.x(source, 0.6)
        start = (x0, top)
    gutter = exit_gutter(source, target)
    y0 = grid.track_y(gutter, net.tracks[gutter])
    y1 = grid.track_y(target.row, net.tracks[target.row])
    if gutter == target.row:
        return [start, (x0, y0), (x1, y1)]
    side = grid.channel(net.channel or 0)
    return [start, (x0, y0), (side, y0), (side, y1), (x1, y1)]


def _path(points: Sequence[Point], radius: float = 4.0) -> str:
    """Return lines through points with rounded corners, as SVG path data."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = _toward(corner, before, radius), _toward(corner, after, radius)
        parts.append(
            f"L{a[0]:.1f} {a[1]:.1f}"
            f"Q{corner[0]:.1f} {corner[1]:.1f} {b[0]:.1f} {b[1]:.1f}"
        )
    parts.append(f"L{points[-1][0]:.1f} {points[-1][1]:.1f}")
    return "".join(parts)


def _toward(start: Point, end: Point, distance: float) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max(abs(dx) + abs(dy), 1e-9)  # lines run along the axes
    step = min(distance, length / 2) / length
    return start[0] + dx * step, start[1] + dy * step
