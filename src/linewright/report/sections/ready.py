"""More than planned: how far all targets could be raised, and dates for new orders."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from linewright.plan.outcome import Plan
from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Facts, Floats
from linewright.report.palette import State
from linewright.report.parts import Cell, Column, Figure, Section, Table
from linewright.report.sections.plan import chance, day, stamp
from linewright.report.words import counted, name, number, percent, text_width
from linewright.stats.intervals import wilson_interval

__all__ = ["section"]

_READY = 0.9
_N_POINTS = 90
_COLORS = (
    State("chance", "chance that all targets are met", "accent", ""),
    State("band", "its interval", "accent-soft", ""),
)


def section(facts: Facts) -> Section | None:
    """Return what more could be promised, or nothing where no plan was asked for."""
    plan = facts.found.plan
    if plan is None:
        return None
    factors = _factors(plan)
    if not factors.size:
        return None
    tables = (_promises(facts, plan),) if plan.table("promises").num_rows else ()
    return Section(
        "ready", "More than planned", _headline(plan, factors),
        tuple(_text(plan, factors)), (_figure(plan, factors),), tables=tables,
    )  # fmt: skip


def _factors(plan: Plan) -> Floats:
    """Return for each replication the factor up to which all targets are met."""
    column = plan.table("replications").column("factor").to_numpy()
    return np.sort(column[np.isfinite(column)])


def _highest(plan: Plan, factors: Floats) -> float:
    """Return the highest factor at which all targets are met in nine of ten runs."""
    rows = [row for row in plan.rows("readiness") if row["is_highest"]]
    if rows:
        return float(rows[0]["factor"])
    return float(factors[min(math.floor((1 - _READY) * factors.size + 1e-9),
                             factors.size - 1)])  # fmt: skip


# ---------------------------------------------------------------- words


def _headline(plan: Plan, factors: Floats) -> str:
    most = _highest(plan, factors)
    if most >= 1.0005:
        return f"With 90%, all targets could be {percent(most - 1)} higher"
    if most >= 0.9995:
        return "With 90% the targets are met as they are, and no higher ones"
    if most <= 0:
        return "With 90% even a small part of the targets could not be promised"
    share = percent(most)
    return f"With 90%, no more than {share} of every target could be promised"


def _text(plan: Plan, factors: Floats) -> list[str]:
    text = []
    for row in plan.rows("readiness"):
        if row["factor"] == 1 and not row["is_highest"]:
            continue
        text.append(_ready_words(row))
    if not text:
        most = _highest(plan, factors)
        text.append(
            f"In nine of ten runs the targets are met up to {number(most)} times what "
            "they are. `linewright plan --goal auto` adds what breaks first then."
        )
    planned = plan.rows("readiness")[0]
    released = planned["released_factor"]
    if released is not None and not math.isnan(released):
        text.append(
            f"Orders release {percent(released)} of what the targets ask for: "
            "whatever the line could do, no more can be made."
        )
    return text


def _ready_words(row: dict[str, Any]) -> str:
    times = number(row["factor"])
    if row["is_highest"]:
        low, high = number(row["low"]), number(row["high"])
        text = (
            f"The highest factor at which all targets are met with "
            f"{percent(row['probability'])} is {times} ({low} to {high})"
        )
    else:
        text = f"All targets times {times} are met with {chance(row)}"
    if row["first_entity"]:
        load = percent(row["first_load"])
        text += (
            f"; {name(row['first_entity'], 36)} is then the first to have more work "
            f"than hours, {load} in {name(row['first_period'], 24)}"
        )
    else:
        text += (
            "; by averages there are hours enough everywhere, so what is missed then "
            "is missed by chance and waiting"
        )
    return f"{text}."


# ---------------------------------------------------------------- picture


def _figure(plan: Plan, factors: Floats) -> Figure:
    confidence = float(plan.manifest["confidence"])
    points = _points(factors, confidence)
    most = _highest(plan, factors)
    title = "The chance of all targets, if they were higher or lower"
    at_one = wilson_interval(int((factors >= 1).sum()), factors.size, confidence)
    alt = (
        "All targets times a factor from left to right, the chance that all are met "
        f"upwards. As planned {percent(at_one.mean)}; 90% at {number(most)} times."
    )
    wide, narrow = draw_both(partial(_draw, points, most), "ready", title, alt)
    n = counted(int(plan.manifest["replications"]), "replication")
    caption = (
        f"From the same {n}, with no run repeated: what a line makes does not depend "
        "on its targets. In each, targets are met up to the smallest ratio of made to "
        "asked for."
    )
    return Figure(
        "ready", title, alt, wide, narrow, caption, _table(points, confidence),
        colors=_COLORS, stamp=stamp(plan),
    )  # fmt: skip


def _points(factors: Floats, confidence: float) -> Floats:
    """Return rows of factor, chance, low, high."""
    low, high = min(1.0, float(factors[0])), max(1.0, float(factors[-1]))
    room = 0.06 * (high - low) or 0.05
    xs = np.linspace(max(0.0, low - room), high + room, _N_POINTS)
    xs = np.unique(np.append(xs, 1.0))
    rows = []
    for x in xs:
        n = int((factors >= x - 1e-12).sum())
        found = wilson_interval(n, factors.size, confidence)
        rows.append((x, found.mean, found.low, found.high))
    return np.array(rows)


def _draw(points: Floats, most: float, width: float) -> Canvas:
    narrow = width < 600
    canvas = Canvas(width, 268)
    left, top, long, high = 44.0, 26.0, width - 44.0 - 16, 188.0
    ax = canvas.axes(left, top, long, high)
    xs, chances, lows, highs = points.T
    ax.fill_between(xs, lows, highs, color=color("accent-soft"), linewidth=0)
    ax.plot(xs, chances, color=color("accent"), lw=2)
    ax.set_xlim(xs[0], xs[-1])
    ax.set_ylim(0, 1.02)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1])
    ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f}%")
    ax.locator_params(axis="x", nbins=5 if narrow else 10)
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:.3g}\u00d7")
    ax.axvline(1, color=color("ink"), lw=1.2)
    if xs[0] <= most <= xs[-1]:
        ax.plot([xs[0], most, most], [_READY, _READY, 0], color=color("good"), lw=1.2,
                dashes=(4, 3))  # fmt: skip
    for x, words, role, row in (
        (1.0, "as planned", "ink", 0),
        (most, "90%", "good", 1),
    ):
        if not xs[0] <= x <= xs[-1]:
            continue
        at = left + long * (x - xs[0]) / (xs[-1] - xs[0])
        half = text_width(words, SMALL) / 2
        at = min(max(at, half), width - half)
        if row and abs(most - 1) * long / (xs[-1] - xs[0]) < 60:
            at += 58 if most >= 1 else -58
        canvas.text(at, 14, words, role=role, size=SMALL, anchor="center")
    canvas.text(width - 16, 258, "all targets times", role="muted", size=SMALL,
                anchor="right")  # fmt: skip
    return canvas


def _table(points: Floats, confidence: float) -> Table:
    columns = (
        Column("All targets times", numeric=False), Column("All met with"),
        Column(f"{confidence:.0%} interval"),
    )  # fmt: skip
    step = max(1, len(points) // 24)
    kept = [row for i, row in enumerate(points) if i % step == 0 or row[0] == 1]
    rows = tuple(
        (number(x, digits=4), percent(p), f"{percent(low)} to {percent(high)}")
        for x, p, low, high in kept
    )
    return Table("The chance that all targets are met, by what they are times", columns,
                 rows)  # fmt: skip


def _promises(facts: Facts, plan: Plan) -> Table:
    columns = (
        Column("New order, on top of the plan", numeric=False), Column("Kept with"),
        Column("Date"), Column("Between"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for row in plan.rows("promises"):
        product = name(row["product"], 60)
        who = counted(row["quantity"], product, product)
        if row["date_us"] < 0:
            date, between = "not within the horizon", ""
        else:
            date = day(facts, row["date_us"])
            between = f"{day(facts, row['low_us'])} to {day(facts, row['high_us'])}"
        rows.append((who, percent(row["probability"]), date, between))
    return Table("Dates for new orders that take nothing from a target", columns,
                 tuple(rows))  # fmt: skip
