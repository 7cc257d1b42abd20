"""Are orders on time: lateness of each order against its due date."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Facts
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.times import label_dates
from linewright.report.words import DASH, Scale, counted, name, percent, time_scale
from linewright.stats.intervals import wilson_interval

__all__ = ["Punctuality", "punctuality", "section"]

SHOWN_ROWS = 400


@dataclass(frozen=True, slots=True)
class OrderFate:
    """One order over all replications; lateness in seconds, negative when early."""

    order: str
    product: str
    quantity: int
    due_us: int
    late_s: tuple[float, ...]
    n_open: int
    n_on_time: int

    @property
    def n(self) -> int:
        """Return in how many replications the order was looked at."""
        return len(self.late_s) + self.n_open


@dataclass(frozen=True, slots=True)
class Punctuality:
    """How many orders are on time, over all replications."""

    fates: tuple[OrderFate, ...]
    hits: int
    n: int
    low: float
    high: float
    by_replication: tuple[float, ...]

    @property
    def share(self) -> float:
        """Return the share on time."""
        return self.hits / self.n if self.n else math.nan


def punctuality(facts: Facts) -> Punctuality:
    """Return the fate of every order that fell due within the simulated time."""
    groups: dict[str, list[dict[str, object]]] = {}
    per_run: dict[int, list[bool]] = {}
    for row in facts.rows("orders"):
        if 0 <= row["due_us"] <= facts.horizon_us:
            groups.setdefault(row["order"], []).append(row)
            done = 0 <= row["finished_us"] <= row["due_us"]
            per_run.setdefault(row["replication"], []).append(done)
    fates = tuple(
        sorted((_fate(rows) for rows in groups.values()), key=lambda f: f.due_us)
    )
    hits, n = sum(f.n_on_time for f in fates), sum(f.n for f in fates)
    found = wilson_interval(hits, n, facts.confidence) if n else None
    low, high = (found.low, found.high) if found else (math.nan, math.nan)
    shares = tuple(float(np.mean(run)) for run in per_run.values())
    return Punctuality(fates, hits, n, low, high, shares)


def _fate(rows: list[dict[str, object]]) -> OrderFate:
    first = rows[0]
    due = int(str(first["due_us"]))
    ends = [int(str(row["finished_us"])) for row in rows]
    late = tuple((end - due) / 1e6 for end in ends if end >= 0)
    return OrderFate(
        str(first["order"]),
        str(first["product"]),
        int(str(first["quantity"])),
        due,
        late,
        sum(end < 0 for end in ends),
        sum(x <= 0 for x in late),
    )


# ---------------------------------------------------------------- words


def _headline(found: Punctuality, late: list[float], scale: Scale, level: str) -> str:
    text = (
        f"{percent(found.share)} of orders are finished on time "
        f"({level} interval {percent(found.low)} to {percent(found.high)})"
    )
    n_open = sum(f.n_open for f in found.fates)
    if late:
        text += f"; late ones by {scale.with_unit(float(np.mean(late)))} on average"
    if n_open:
        text += f"; {percent(n_open / found.n)} are not finished at the end"
    return text


def _table(found: Punctuality, facts: Facts, scale: Scale) -> Table:
    columns = (
        Column("Order", numeric=False),
        Column("Product", numeric=False),
        Column("Quantity, units"),
        Column("Due", numeric=False),
        Column("On time"),
        Column(f"Lateness, mean, {scale.unit}"),
        Column(f"Lateness, 10{DASH}90%, {scale.unit}"),
        Column("Not finished"),
    )
    rows = []
    for fate in found.fates[:SHOWN_ROWS]:
        middle, spread = DASH, DASH
        if fate.late_s:
            low, high = np.percentile(fate.late_s, [10, 90])
            middle = scale(float(np.mean(fate.late_s)))
            spread = f"{scale(low)} to {scale(high)}"
        due = f"{facts.local(fate.due_us):%Y-%m-%d %H:%M}"
        rows.append(
            (
                name(fate.order, 200), name(fate.product, 200), f"{fate.quantity:,}",
                due, percent(fate.n_on_time / fate.n), middle, spread,
                percent(fate.n_open / fate.n),
            )
        )  # fmt: skip
    more = len(found.fates) - SHOWN_ROWS
    tail = f" (first {SHOWN_ROWS}; {more} more are in the result)" if more > 0 else ""
    return Table(
        f"Orders by due date; negative lateness is early{tail}", columns, tuple(rows)
    )


# ---------------------------------------------------------------- picture


def _draw(found: Punctuality, facts: Facts, scale: Scale, width: float) -> Canvas:
    narrow = width < 600
    canvas = Canvas(width, 330)
    left = 44
    ax = canvas.axes(left, 26, width - left - 10, 250)
    days = [fate.due_us / 8.64e10 for fate in found.fates]
    lows, mids, highs = _spread(found, scale)
    late = [m > 0 for m in mids]
    size = 3.5 if len(days) > 120 or narrow else 5.5
    for flag, role in ((False, "accent"), (True, "bad")):
        at = [i for i, is_late in enumerate(late) if is_late == flag]
        xs = [days[i] for i in at]
        ax.vlines(
            xs, [lows[i] for i in at], [highs[i] for i in at], color=color(role), lw=1.2
        )
        ax.plot(xs, [mids[i] for i in at], "o", ms=size, color=color(role), mew=0)
    open_at = [days[i] for i, fate in enumerate(found.fates) if fate.n_open == fate.n]
    ax.axhline(0, color=color("ink"), lw=1.4)
    low, high = ax.get_ylim()
    if open_at:
        high += 0.12 * (high - low)
        ax.plot(
            open_at,
            [high - 0.05 * (high - low)] * len(open_at),
            "^",
            color=color("bad"),
        )
    ax.set_ylim(low, high)
    ax.locator_params(axis="y", nbins=6)
    ax.ticklabel_format(axis="y", style="plain", useOffset=False)
    label_dates(ax, facts, 4 if narrow else 9)
    canvas.text(
        2,
        10,
        f"{scale.word} after the due date; below zero is early",
        role="muted",
        size=SMALL,
    )
    canvas.text(
        width / 2,
        316,
        "due date of the order",
        role="muted",
        size=SMALL,
        anchor="center",
    )
    return canvas


def _spread(found: Punctuality, scale: Scale) -> tuple[list[float], ...]:
    lows, mids, highs = [], [], []
    for fate in found.fates:
        values = np.array(fate.late_s or (math.nan,)) * scale.factor
        low, high = np.percentile(values, [10, 90])
        lows.append(float(low))
        mids.append(float(values.mean()))
        highs.append(float(high))
    return lows, mids, highs


# ---------------------------------------------------------------- section


def section(facts: Facts) -> Section | None:
    """Return due dates against completions, or nothing without orders that fall due."""
    found = punctuality(facts)
    if not found.n:
        return None
    all_late = [s for fate in found.fates for s in fate.late_s]
    late = [s for s in all_late if s > 0]
    scale = time_scale(abs(s) for s in all_late)
    level = f"{facts.confidence:.0%}"
    headline = _headline(found, late, scale, level)
    title = "Orders: completion against due date"
    alt = f"{headline}. One dot for each order by due date; above zero is late."
    wide, narrow = draw_both(partial(_draw, found, facts, scale), "orders", title, alt)
    caption = (
        "Dot: mean lateness of an order over replications. Line: 10 to 90% of "
        "replications. Red: late on average. Triangle: not finished in any replication."
    )
    figure = Figure(
        "orders", title, alt, wide, narrow, caption, _table(found, facts, scale)
    )
    text = [
        f"{counted(len(found.fates), 'order')} fall due within the simulated time, "
        f"looked at in {counted(len(found.by_replication), 'replication')}: "
        f"{found.hits:,} of {found.n:,} on time. The interval (Wilson) takes them as "
        "independent."
    ]
    if len(found.by_replication) > 1:
        runs = found.by_replication
        text[0] += (
            " It is the same in every replication."
            if min(runs) == max(runs)
            else f" From one replication to another the share lies between "
            f"{percent(min(runs))} and {percent(max(runs))}."
        )
    return Section("orders", "Orders", headline, tuple(text), (figure,))
