"""Where stations spend their time on shift: one stacked bar for each station."""

from __future__ import annotations

from functools import partial

import numpy as np

from linewright.report.canvas import SMALL, Anchor, Box, Canvas, draw_both, label_room
from linewright.report.facts import Facts, Floats
from linewright.report.palette import OFF, ON_SHIFT, PLACE, STATES
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.words import counted, fit, name, percent

__all__ = ["busiest_first", "section", "state_table"]

SHOWN = 60
BLOCKED, STARVED = PLACE["blocked"], PLACE["starved"]
_ON = [s for s, state in enumerate(STATES) if state.key not in OFF]


def busiest_first(shares: Floats) -> list[int]:
    """Return the rows of stations, the one that waits least first."""
    waiting = shares[:, BLOCKED] + shares[:, STARVED]
    on = shares.sum(axis=1) > 0
    return sorted(range(len(shares)), key=lambda k: (not on[k], waiting[k], k))


def state_table(facts: Facts, shares: Floats, caption: str, *, off: bool) -> Table:
    """Return the share of time in each state, a row for each station."""
    states = STATES if off else ON_SHIFT
    columns = (
        Column("Station", numeric=False),
        *(Column(state.label.capitalize()) for state in states),
    )
    rows = tuple(
        (name(station, 200), *(percent(shares[k, s]) for s in range(len(states))))
        for k, station in enumerate(facts.stations)
    )
    return Table(caption, columns, rows)


def _draw(facts: Facts, rows: list[int], width: float) -> Canvas:
    narrow = width < 600
    step, top = (34, 22) if narrow else (24, 22)
    canvas = Canvas(width, top + step * len(rows) + 6)
    labels = [name(facts.stations[k]) for k in rows]
    left, right = (2.0, 46.0) if narrow else (label_room(labels, 220), 56.0)
    long = width - left - right
    boxes: dict[str, list[Box]] = {}
    for share in (0, 0.25, 0.5, 0.75) if narrow else (0, 0.25, 0.5, 0.75, 1):
        x = left + long * share
        canvas.path([x, x], [top - 4, canvas.height - 2], "grid")
        anchor: Anchor = "left" if share == 0 and narrow else "center"
        canvas.text(x, 8, f"{share:.0%}", role="muted", size=SMALL, anchor=anchor)
    canvas.text(width - 2, 8, "used", role="muted", size=SMALL, anchor="right")
    for i, k in enumerate(rows):
        station = facts.stations[k]
        middle = top + step * i + step / 2
        y = middle + (8 if narrow else 0)
        if narrow:
            canvas.text(left, y - 15, fit(labels[i], long, SMALL), size=SMALL)
        else:
            canvas.text(0, y, fit(labels[i], left - 10, 12))
        at = float(left)
        for s in _ON:
            part = long * float(facts.shift_shares[k, s])
            if part > 0.2:
                box = (at, y - 7, max(part - 0.6, 0.4), 14)
                boxes.setdefault(STATES[s].role, []).append(box)
            at += part
        used = percent(facts.utilization(station).mean)
        canvas.text(width - 2, y, used, anchor="right", bold=True)
    for role, pieces in boxes.items():
        canvas.rects(pieces, role)
    return canvas


def _headline(facts: Facts) -> str:
    shares = facts.shift_shares
    best = max(facts.stations, key=lambda s: _known(facts.utilization(s).mean))
    used = facts.utilization(best)
    mean = shares[shares.sum(axis=1) > 0].mean(axis=0) if shares.any() else shares[0]
    lead = f"{name(best)} works on parts {percent(used.mean, used.half)} of its time"
    if len(facts.stations) == 1:
        return (
            f"{lead} on shift and waits {percent(mean[BLOCKED] + mean[STARVED])} of it"
        )
    return (
        f"{lead} on shift, the most of {counted(len(facts.stations), 'station')}; the "
        f"average station works {percent(mean[PLACE['processing']])} and waits "
        f"{percent(mean[BLOCKED] + mean[STARVED])}"
    )


def _known(value: float) -> float:
    return value if np.isfinite(value) else -1.0


def section(facts: Facts) -> Section | None:
    """Return what every station does with its time on shift."""
    if not facts.stations:
        return None
    headline = _headline(facts)
    rows = list(range(len(facts.stations)))
    notes: tuple[str, ...] = ()
    if len(rows) > SHOWN:
        rows = sorted(busiest_first(facts.shift_shares)[:SHOWN])
        notes = (
            f"The {SHOWN} stations that wait least, of {len(facts.stations):,}; the "
            "table has all.",
        )
    title = "Share of time on shift in each state, by station"
    alt = f"{headline}. One stacked bar for each station, in the order of the model."
    wide, narrow = draw_both(partial(_draw, facts, rows), "states", title, alt)
    caption = (
        "In the order of the model file. Used: processing time over time on shift "
        "(utilization). Breaks and time off shift are left out."
    )
    table = state_table(facts, facts.shift_shares, title, off=False)
    figure = Figure("states", title, alt, wide, narrow, caption, table, legend="shift")
    return Section("states", "Station time", headline, (), (figure,), notes=notes)
