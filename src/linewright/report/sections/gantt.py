"""The first hours of one replication: what every server does, minute by minute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from linewright.report.canvas import SMALL, Box, Canvas, draw_both, label_room
from linewright.report.facts import Facts
from linewright.report.palette import OFF, STATES
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.times import clock_ticks
from linewright.report.words import DASH, counted, fit, name, number, text_width

__all__ = ["section"]

ROWS = 60
SPANS = 1500
TABLE_ROWS = 300
_ROLE = {state.key: state.role for state in STATES}


@dataclass(frozen=True, slots=True)
class Span:
    """A server in one state."""

    station: str
    server: int
    state: str
    product: str
    part: str
    start_us: int
    end_us: int


def _span(row: dict[str, Any]) -> Span:
    part = row["part"]
    return Span(
        str(row["station"]), int(row["server"]), str(row["state"]),
        str(row["product"] or ""), "" if part is None or part == -1 else str(part),
        int(row["start_us"]), int(row["end_us"]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _View:
    spans: list[Span]
    rows: list[tuple[str, int]]
    low_us: int
    high_us: int
    n_servers: int

    @property
    def hours(self) -> float:
        return (self.high_us - self.low_us) / 3.6e9


def _view(facts: Facts) -> _View | None:
    """Return the spans to draw: from the first work on, few enough to see."""
    spans = sorted(
        map(_span, facts.rows("gantt")), key=lambda s: (s.start_us, s.station)
    )
    work = [s for s in spans if s.state not in OFF]
    if not work:
        return None
    low = work[0].start_us
    place = {station: k for k, station in enumerate(facts.line.stations)}
    servers = sorted(
        {(s.station, s.server) for s in spans},
        key=lambda r: (place.get(r[0], len(place)), r[1]),
    )
    rows = _few(servers)
    kept = set(rows)
    here = [s for s in spans if (s.station, s.server) in kept and s.end_us > low]
    high = max(s.end_us for s in here) if here else low + 1
    if len(here) > SPANS:
        high = max(here[SPANS].start_us, low + 1)
    inside = [s for s in here if s.start_us < high]
    return _View(inside, rows, low, high, len(servers))


def _few(servers: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return at most `ROWS` servers: the first of every station before the others."""
    if len(servers) <= ROWS:
        return servers
    first = sorted(range(len(servers)), key=lambda i: (servers[i][1], i))[:ROWS]
    return [servers[i] for i in sorted(first)]


def _draw(facts: Facts, view: _View, width: float) -> Canvas:
    narrow = width < 600
    step, top = (17, 26) if len(view.rows) > 12 else (26, 26)
    canvas = Canvas(width, top + step * len(view.rows) + 6)
    labels = [name(station) for station, _ in view.rows]
    left = 104.0 if narrow else label_room(labels, 200) + 10
    long = width - left - 8
    size = 10 if narrow else SMALL

    def x(us: float) -> float:
        inside = min(max(us, view.low_us), view.high_us) - view.low_us
        return left + long * inside / (view.high_us - view.low_us)

    for us, label in clock_ticks(facts, view.low_us, view.high_us, 3 if narrow else 10):
        canvas.path([x(us), x(us)], [top - 4, canvas.height - 4], "grid")
        room = text_width(label, size) / 2
        if left + room <= x(us) + 12 and x(us) + room < width:
            canvas.text(x(us), 10, label, anchor="center", role="muted", size=size)
    many = {station for station, server in view.rows if server > 0}
    rows = {row: i for i, row in enumerate(view.rows)}
    for (station, server), i in rows.items():
        words = f" {server + 1}" if station in many else ""
        label = fit(name(station), left - 14 - 8 * len(words), size) + words
        canvas.text(0, top + step * (i + 0.5), label, size=size)
    boxes: dict[str, list[Box]] = {}
    for span in view.spans:
        low, high = x(span.start_us), x(span.end_us)
        if high - low < 0.15 or span.state not in _ROLE:
            continue
        y = top + step * rows[(span.station, span.server)]
        gap = 0.7 if high - low > 2 else 0.0
        box = (low, y + 2, high - low - gap, step - 4)
        boxes.setdefault(_ROLE[span.state], []).append(box)
        if span.state == "processing" and not narrow:
            _name_span(canvas, span, box)
    for role, pieces in boxes.items():
        canvas.rects(pieces, role)
    return canvas


def _name_span(canvas: Canvas, span: Span, box: Box) -> None:
    x, y, width, height = box
    label = name(span.product, 24)
    if label and text_width(label, 9.5) + 6 < width:
        at = (x + width / 2, y + height / 2)
        canvas.text(*at, label, role="surface", size=9.5, anchor="center")


def _headline(facts: Facts, view: _View) -> str:
    first: dict[str, int] = {}
    for span in map(_span, facts.rows("gantt")):
        if span.state == "processing":
            first[span.station] = min(
                first.get(span.station, span.start_us), span.start_us
            )
    n = counted(len(facts.line.stations), "station")
    end = max(row["end_us"] for row in facts.rows("gantt"))
    idle = len(facts.line.stations) - len(first)
    if idle:
        hours = number((end - view.low_us) / 3.6e9, digits=2)
        return (
            f"{len(first) or 'None'} of {n} have had a part in the first {hours} h; "
            f"{idle} still wait for one"
        )
    station = max(first, key=lambda s: first[s])
    if len(first) == 1:
        worked = (r for r in facts.rows("gantt") if r["state"] == "processing")
        n_parts = len({row["part"] for row in worked})
        return (
            f"{name(station)} works on {counted(n_parts, 'part')} in the first "
            f"{number((end - view.low_us) / 3.6e9, digits=2)} h"
        )
    hours = number((first[station] - view.low_us) / 3.6e9, digits=2)
    return (
        f"It takes {hours} h from the first work until the last of {n}, "
        f"{name(station, 36)}, has had a part"
    )


def _table(facts: Facts, view: _View) -> Table:
    columns = (
        Column("Station", numeric=False),
        Column("Server"),
        Column("State", numeric=False),
        Column("Product", numeric=False),
        Column("Part"),
        Column("From", numeric=False),
        Column("Until", numeric=False),
        Column("Minutes"),
    )
    labels = {state.key: state.label for state in STATES}
    rows = tuple(
        (
            name(s.station, 200), f"{s.server + 1}", labels.get(s.state, s.state),
            name(s.product, 200) or DASH, name(s.part) or DASH,
            f"{facts.local(s.start_us):%a %H:%M}", f"{facts.local(s.end_us):%a %H:%M}",
            number((s.end_us - s.start_us) / 6e7),
        )
        for s in view.spans[:TABLE_ROWS]
    )  # fmt: skip
    more = len(view.spans) - TABLE_ROWS
    tail = f" (the first {TABLE_ROWS} of {len(view.spans):,} spans)" if more > 0 else ""
    return Table(f"Servers and their states{tail}", columns, rows)


def section(facts: Facts) -> Section | None:
    """Return the Gantt chart of the first hours, or nothing without a trace."""
    view = _view(facts)
    if view is None:
        return None
    headline = _headline(facts, view)
    title = (
        f"Gantt chart of the first {number(view.hours, digits=2)} h, one replication"
    )
    alt = f"{headline}. One row for each server, colored by state."
    wide, narrow = draw_both(partial(_draw, facts, view), "gantt", title, alt)
    caption = (
        "The first replication only: one possible course of events, with no "
        "uncertainty to give. Local time of the line."
    )
    if len(view.rows) < view.n_servers:
        caption += f" The first {len(view.rows)} of {view.n_servers:,} servers."
    figure = Figure(
        "gantt", title, alt, wide, narrow, caption, _table(facts, view), legend="clock"
    )
    return Section("gantt", "First hours", headline, (), (figure,))
