"""Where units wait: mean level of each buffer, and the fullest over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Estimate, Facts
from linewright.report.parts import Bar, Column, Figure, Section, Table
from linewright.report.sections.wip import draw_band
from linewright.report.times import label_dates
from linewright.report.words import (
    DASH,
    Scale,
    count,
    counted,
    fit,
    name,
    number,
    percent,
    time_scale,
)

__all__ = ["Waiting", "section", "waiting"]

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Waiting:
    """Units in one buffer; `slots` is nothing where it is unlimited."""

    buffer: str
    slots: int | None
    level: Estimate
    level_max: float
    wait_s: Estimate

    @property
    def filled(self) -> float:
        """Return the mean share of places taken, NaN where unlimited."""
        return self.level.mean / self.slots if self.slots else float("nan")


def _slots(facts: Facts) -> dict[str, int | None]:
    found = facts.per_replication("buffers", "buffer", "slots")
    return {b: int(v[0]) if v[0] >= 0 else None for b, v in found.items()}


def waiting(facts: Facts) -> list[Waiting]:
    """Return all buffers, most units waiting first."""
    means = facts.mean("buffers", "buffer", "level_mean")
    waits = facts.mean("buffers", "buffer", "wait_mean_s")
    peaks = facts.per_replication("buffers", "buffer", "level_max")
    found = []
    for buffer, slots in _slots(facts).items():
        level = facts.estimate("level_mean", buffer)
        wait = facts.estimate("wait_mean_s", buffer)
        found.append(
            Waiting(
                buffer,
                slots,
                level if level.known else Estimate(means[buffer]),
                float(np.nanmax(peaks[buffer])),
                wait if wait.known else Estimate(waits[buffer]),
            )
        )
    return sorted(found, key=lambda w: -w.level.mean if w.level.known else 0.0)


def _table(found: Sequence[Waiting], scale: Scale) -> Table:
    columns = (
        Column("Buffer", numeric=False),
        Column("Places"),
        Column("Mean level, units"),
        Column("Highest level, units"),
        Column("Places taken, mean"),
        Column(f"Mean wait, {scale.unit}"),
    )
    rows = tuple(
        (
            name(w.buffer, 200),
            "unlimited" if w.slots is None else f"{w.slots:,}",
            number(w.level.mean, w.level.half),
            count(w.level_max),
            DASH if not w.slots else Bar(percent(w.filled), w.filled),
            scale(w.wait_s.mean, w.wait_s.half),
        )
        for w in found
    )
    return Table("Levels and waits of all buffers", columns, rows)


def _draw(facts: Facts, found: Sequence[Waiting], width: float) -> Canvas:
    n_columns = 1 if width < 600 else 2
    n_rows = -(-len(found) // n_columns)
    cell, tall = (width - 24 * (n_columns - 1)) / n_columns, 142
    canvas = Canvas(width, tall * n_rows)
    for i, w in enumerate(found):
        left, top = (i % n_columns) * (cell + 24), (i // n_columns) * tall
        _draw_one(canvas, facts, w, (left, top, cell, tall))
    return canvas


def _draw_one(
    canvas: Canvas, facts: Facts, w: Waiting, box: tuple[float, float, float, float]
) -> None:
    left, top, cell, tall = box
    places = "no limit" if w.slots is None else counted(w.slots, "place")
    words = f"{number(w.level.mean, w.level.half)} units, {places}"
    canvas.text(left, top + 12, fit(name(w.buffer), cell - 150, 12), bold=True)
    canvas.text(left + cell, top + 12, words, anchor="right", role="muted", size=SMALL)
    series = facts.series("level", w.buffer)
    if series is None:
        return
    ax = canvas.axes(left + 34, top + 26, cell - 40, tall - 62)
    draw_band(ax, series, facts)
    if w.slots:
        ax.axhline(w.slots, color=color("ink"), lw=1.2, dashes=(3, 2))
        ax.set_ylim(0, max(ax.get_ylim()[1], 1.15 * w.slots))
    ax.locator_params(axis="y", nbins=3, integer=True)
    label_dates(ax, facts, 3)


def section(facts: Facts) -> Section | None:
    """Return where units wait, or nothing without buffers."""
    found = waiting(facts)
    if not found:
        return None
    top = found[0]
    total = sum(w.level.mean for w in found if w.level.known)
    scale = time_scale(w.wait_s.mean for w in found)
    if not total > 0:
        headline = f"No units wait in any of {counted(len(found), 'buffer')}"
    else:
        headline = (
            f"Most wait in {name(top.buffer)}: "
            f"{number(top.level.mean, top.level.half)} units on average, "
            f"{percent(top.level.mean / total)} of all that wait in buffers, for "
            f"{scale.with_unit(top.wait_s.mean, top.wait_s.half)} each"
        )
    full = [w for w in found if w.slots and w.filled > 0.8]
    text = []
    if full:
        text.append(
            f"{counted(len(full), 'buffer')} {'is' if len(full) == 1 else 'are'} "
            "more than 80% full on average; stations before a full buffer are blocked."
        )
    shown = [w for w in found if facts.series("level", w.buffer) is not None][:SHOWN]
    table = _table(found, scale)
    if not shown:
        return Section("buffers", "Buffers", headline, tuple(text), tables=(table,))
    title = "Buffer levels over time, units"
    alt = f"{headline}. One panel for each of {counted(len(shown), 'buffer')}."
    wide, narrow = draw_both(partial(_draw, facts, shown), "buffers", title, alt)
    caption = (
        f"The {counted(len(shown), 'buffer')} with most units of {len(found):,}. "
        "Line: mean of each period; band: 10 to 90% of replications; dashed: places; "
        "shaded: warm-up."
    )
    figure = Figure("buffers", title, alt, wide, narrow, caption, table)
    return Section("buffers", "Buffers", headline, tuple(text), (figure,))
