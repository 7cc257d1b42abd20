"""Units of each product against what is asked for: bands of what the runs made.

A product with a target for every period is shown period by period, for a good year does
not make up for a bad quarter; any other by what has left since the start.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.plan.outcome import Plan
from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Facts, Floats
from linewright.report.palette import State
from linewright.report.parts import Column, Figure, Table
from linewright.report.times import label_dates
from linewright.report.words import count, name, percent, text_width

__all__ = ["figures"]

_DAY_US = 8.64e10
_COLORS = (
    State("median", "half of the runs make more", "accent", ""),
    State("asked", "asked for", "ink", ""),
)
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FAINT, _STRONG = 0.2, 0.38


@dataclass(frozen=True, slots=True)
class _Fan:
    """One product.

    Attributes:
        product: Its name.
        by_period: Whether units count for their period alone.
        labels: Names of the periods.
        edges_us: Begins of the periods, and the end of the last.
        bands: Units at `_SHARES`, (share, period).
        asked: Units that targets ask for, by period.
        enough: Share of the runs that make what is asked for, by period; not a number
            where nothing is due at its end.
    """

    product: str
    by_period: bool
    labels: tuple[str, ...]
    edges_us: NDArray[np.int64]
    bands: Floats
    asked: Floats
    enough: Floats


def _fans(plan: Plan) -> list[_Fan]:
    fan, goals = plan.rows("fan"), plan.rows("goals")
    at, units = _counts(plan)
    begin = int(plan.manifest["from_us"])
    out = []
    for product in dict.fromkeys(row["product"] for row in fan):
        mine = [row for row in fan if row["product"] == product]
        ends = np.array([begin, *(row["at_us"] for row in mine)], np.int64)
        made = units[product][:, np.searchsorted(at, ends)]
        asked = np.array([0.0, *(row["asked"] for row in mine)])
        of = [g for g in goals if g["product"] == product and g["goal"]]
        due_by_span = _by_span(of, begin)
        spans = list(itertools.pairwise(ends.tolist()))
        by_period = len(spans) > 1 and any(span in due_by_span for span in spans)
        here = np.diff(made, axis=1) if by_period else made[:, 1:]
        due = asked[1:]
        if by_period:
            due = np.array([due_by_span.get(span, 0.0) for span in spans])
        dates = {int(g["by_us"]) for g in of}
        enough = (here >= np.round(due)).mean(axis=0)
        enough[[int(end) not in dates for end in ends[1:]]] = np.nan
        out.append(
            _Fan(
                product, by_period, tuple(row["period"] for row in mine), ends,
                np.quantile(here, _SHARES, axis=0, method="lower"), due,
                enough,
            )
        )  # fmt: skip
    return out


def _by_span(
    goals: list[dict[str, Any]], begin_us: int
) -> dict[tuple[int, int], float]:
    """Return the most that targets ask for in each of their spans of time."""
    found: dict[tuple[int, int], float] = {}
    for row in goals:
        span = (max(int(row["since_us"]), begin_us), int(row["by_us"]))
        found[span] = max(found.get(span, 0.0), float(row["quantity"]))
    return found


def _counts(plan: Plan) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """Return instants, and units by then of each product, (replication, instant)."""
    table = plan.table("counts")
    columns = {
        key: table.column(key).to_numpy() for key in ("replication", "at_us", "units")
    }
    products = np.array(table.column("product").to_pylist(), dtype=object)
    at, col = np.unique(columns["at_us"], return_inverse=True)
    runs, row = np.unique(columns["replication"], return_inverse=True)
    out = {}
    for product in dict.fromkeys(products.tolist()):
        these = products == product
        grid = np.zeros((runs.size, at.size))
        grid[row[these], col[these]] = columns["units"][these]
        out[product] = grid
    return at, out


# ---------------------------------------------------------------- figures


def figures(facts: Facts, plan: Plan, stamp: str) -> list[Figure]:
    """Return the picture of units against targets."""
    fans = _fans(plan)
    title = "Units made against units asked for"
    parts = [_said(fan) for fan in fans]
    alt = (
        "One panel for each product, time from left to right. Bands hold 90% and half "
        f"of the runs; a line shows what is asked for. {' '.join(parts)}"
    )
    wide, narrow = draw_both(partial(_draw, facts, fans), "fan", title, alt)
    caption = (
        "The light band holds 90% of the runs (5th to 95th percentile), the strong one "
        "half of them. Where a target is set for every period, units count for their "
        "period alone; else what has left since the start is shown, and what is asked "
        "for by a date is spread evenly over the time to it."
    )
    return [
        Figure(
            "fan", title, alt, wide, narrow, caption, _table(fans), colors=_COLORS,
            stamp=stamp,
        )
    ]  # fmt: skip


def _said(fan: _Fan) -> str:
    wanted = np.flatnonzero(fan.asked > 0)
    if not wanted.size:
        return ""
    slack = fan.bands[2][wanted] / fan.asked[wanted]
    k = int(wanted[int(slack.argmin())])
    return (
        f"{name(fan.product)}: closest in {fan.labels[k]}, where half of the runs make "
        f"{count(fan.bands[2][k])} or more of {count(fan.asked[k])} asked for."
    )


def _draw(facts: Facts, fans: list[_Fan], width: float) -> Canvas:
    narrow = width < 600
    high, gap = (128, 58) if narrow else (150, 58)
    canvas = Canvas(width, len(fans) * (high + gap) + 20)
    most = max(float(max(fan.bands.max(), fan.asked.max())) for fan in fans)
    left = text_width(f"{most:,.0f}", SMALL) + 14
    for i, fan in enumerate(fans):
        top = 26 + i * (high + gap)
        how = "units a period" if fan.by_period else "units since the start"
        if fan.by_period and all(" Q" in label for label in fan.labels):
            how = "units a quarter"
        canvas.text(0, top - 16, name(fan.product, 36), bold=True)
        canvas.text(width - 8, top - 16, how, role="muted", size=SMALL, anchor="right")
        _draw_panel(canvas, facts, fan, (left, top, width - left - 18, high))
    return canvas


def _draw_panel(
    canvas: Canvas, facts: Facts, fan: _Fan, frame: tuple[float, float, float, float]
) -> None:
    ax = canvas.axes(*frame)
    days = fan.edges_us / _DAY_US
    low, quarter, half, three, high = fan.bands
    if fan.by_period:

        def steps(values: Floats) -> Floats:
            return np.append(values, values[-1])

        xs, style = days, {"step": "post"}
        lines = {"drawstyle": "steps-post"}
    else:

        def steps(values: Floats) -> Floats:
            return np.append(0.0, values)

        xs, style, lines = days, {}, {}
    accent = color("accent")
    for (below, above), alpha in (((low, high), _FAINT), ((quarter, three), _STRONG)):
        ax.fill_between(xs, steps(below), steps(above), color=accent, alpha=alpha,
                        linewidth=0, **style)  # type: ignore[arg-type] # fmt: skip
    ax.plot(xs, steps(half), color=accent, lw=1.6, **lines)  # type: ignore[arg-type]
    ax.plot(xs, steps(fan.asked), color=color("ink"), lw=1.8, **lines)  # type: ignore[arg-type]
    ax.set_ylim(0, 1.08 * max(float(high.max()), float(fan.asked.max()), 1.0))
    ax.set_xlim(days[0], days[-1])
    ax.locator_params(axis="y", nbins=4, integer=True)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}")
    label_dates(ax, facts, 4 if canvas.narrow else 8)


def _table(fans: list[_Fan]) -> Table:
    columns = (
        Column("Period", numeric=False), Column("Product", numeric=False),
        Column("Counted", numeric=False), Column("Asked for"),
        *(Column(f"{share:.0%} make at most") for share in _SHARES if share != 0.5),
        Column("Half make"), Column("Enough in"),
    )  # fmt: skip
    rows = []
    for fan in fans:
        how = "in the period" if fan.by_period else "since the start"
        for k, label in enumerate(fan.labels):
            low, quarter, half, three, high = (count(band[k]) for band in fan.bands)
            rows.append(
                (
                    label, name(fan.product, 60), how, count(fan.asked[k]),
                    low, quarter, three, high, half, percent(fan.enough[k]),
                )
            )  # fmt: skip
    return Table("Units made, in so many of the runs", columns, tuple(rows))
