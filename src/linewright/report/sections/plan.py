"""Will we make the plan? The chance of every target, what is short, and the dates.

Shown is what `linewright plan --out` left: of each target the chance that it is met,
and of a target for every period the least likely of its periods, too. Next to the
targets stand the units of each product against what is asked (`fans`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from linewright.plan.outcome import Plan
from linewright.report.canvas import SMALL, Canvas, draw_both, label_room
from linewright.report.facts import Facts, stamp_of
from linewright.report.palette import State
from linewright.report.parts import Column, Figure, Section, Table, Tile
from linewright.report.sections import fans
from linewright.report.words import (
    DASH,
    NBSP,
    TIMES,
    count,
    counted,
    fit,
    join,
    name,
    number,
    percent,
    text_width,
)

__all__ = ["Row", "basis", "chance", "day", "lead", "section", "stamp", "tile"]

HARD = 3  # periods of a target that are shown
_LIKELY, _EVEN = 0.8, 0.5
_COLORS = (
    State("likely", "met with 90% or more, interval included", "good", ""),
    State("open", "in between", "warn", ""),
    State("unlikely", "missed more often than met", "bad", ""),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture: all targets, a target, or one of its periods.

    Attributes:
        label: What it is called.
        level: 0 for all targets, 1 for a target, 2 for one of its periods.
        goal: The row of the table `goals`.
        short: Units short on average, of a target that of all its periods.
        due: Whether it has a quantity and dates of its own.
    """

    label: str
    level: int
    goal: dict[str, Any]
    short: float
    due: bool


def stamp(plan: Plan) -> str:
    """Return where the figures of a plan come from."""
    m = plan.manifest
    return stamp_of(m["model_hash"], m["seed"], m["linewright_version"])


def basis(plan: Plan) -> str:
    """Return what the figures of a plan stand on, as a sentence."""
    m = plan.manifest
    n = counted(int(m["replications"]), "replication")
    return (
        f"From {n} of the whole horizon, by linewright plan; intervals of chances are "
        f"Wilson's, with {float(m['confidence']):.0%} confidence."
    )


def chance(row: dict[str, Any]) -> str:
    """Return a chance with its interval, such as `95% (91% to 97%)`."""
    low, high = percent(row["low"]), percent(row["high"])
    return f"{percent(row['probability'])} ({low} to {high})"


def day(facts: Facts, at_us: int | None) -> str:
    """Return a date of the line; `later` is beyond the end of the run."""
    if at_us is None:
        return DASH
    if at_us < 0:
        return "later"
    at = facts.local(max(at_us - 1, 0))
    return f"{at.day}{NBSP}{at:%b}{NBSP}{at:%Y}"


def _label(row: dict[str, Any], limit: int = 48) -> str:
    return f"{name(row['target'], limit)}, {name(row['goal'], 24)}"


def _goals(plan: Plan) -> list[dict[str, Any]]:
    """Return the goals that have a quantity, in the order of the model."""
    return [row for row in plan.rows("goals") if row["target"] and row["goal"]]


def _all(plan: Plan) -> dict[str, Any]:
    return next(row for row in plan.rows("goals") if not row["target"])


def _hardness(row: dict[str, Any]) -> tuple[float, float]:
    return row["probability"], row["made_mean"] / max(row["quantity"], 1)


def _rows(plan: Plan) -> list[Row]:
    """Return what is drawn: all targets, each target and its hardest periods."""
    goals = _goals(plan)
    whole = {
        row["target"]: row
        for row in plan.rows("goals")
        if row["target"] and not row["goal"]
    }
    out = []
    if len({row["target"] for row in goals}) > 1 or len(goals) > 1:
        out.append(Row("all targets", 0, _all(plan), _short(goals), due=False))
    for target in dict.fromkeys(row["target"] for row in goals):
        mine = [row for row in goals if row["target"] == target]
        if target not in whole:
            (row,) = mine
            out.append(Row(name(target), 1, row, row["shortfall_mean"], due=True))
            continue
        label = f"{name(target)}, all {len(mine)} periods"
        out.append(Row(label, 1, whole[target], _short(mine), due=False))
        hardest = sorted(mine, key=_hardness)[:HARD]
        shown = [row for row in hardest if row["probability"] < 1] or hardest[:1]
        out += [
            Row(name(row["goal"], 24), 2, row, row["shortfall_mean"], due=True)
            for row in sorted(shown, key=lambda row: row["by_us"])
        ]
    return out


def _short(goals: Sequence[dict[str, Any]]) -> float:
    return float(sum(row["shortfall_mean"] for row in goals))


# ---------------------------------------------------------------- words


def _verdict(row: dict[str, Any]) -> str:
    if row["low"] >= _LIKELY:
        return "The plan holds"
    if row["high"] < _EVEN:
        return "The plan is more likely missed than made"
    return "The plan may be missed"


def _headline(plan: Plan) -> str:
    row, n = _all(plan), len(_goals(plan))
    which = f"all {n} targets are met" if n > 1 else "the target is met"
    return f"{_verdict(row)}: {which} with {chance(row)}"


def lead(facts: Facts) -> str:
    """Return the answer to the plan as a sentence for the head of the page."""
    plan = facts.found.plan
    return "" if plan is None else f"{_headline(plan)}."


def tile(facts: Facts) -> list[Tile]:
    """Return the key figure of the plan, if there is one."""
    plan = facts.found.plan
    if plan is None:
        return []
    row = _all(plan)
    mood = {"good": "good", "bad": "bad"}.get(_role(row), "warn")
    note = f"{percent(row['low'])} to {percent(row['high'])}"
    label = "All targets met with" if len(_goals(plan)) > 1 else "Target met with"
    return [Tile(label, percent(row["probability"]), "", note, mood)]  # type: ignore[arg-type]


def _text(facts: Facts, plan: Plan) -> list[str]:
    goals, m = _goals(plan), plan.manifest
    hard = min(goals, key=_hardness)
    text = [
        f"The least likely is {_label(hard)}: {count(hard['quantity'])} asked for, "
        f"{number(hard['made_mean'])} made on average, met with {chance(hard)}."
        if hard["probability"] < 1
        else "Every target is met in every run."
    ]
    tight = max(goals, key=lambda row: row["first_short"] or 0.0)
    if len(goals) > 1:
        text[0] += (
            " If all targets were raised alike, the first to be missed would be "
            f"{_label(tight)} in {percent(tight['first_short'])} of the runs."
        )
    short = _short(goals)
    if short > 0:
        per = [row for row in _per_product(goals) if row[1] > 0]
        said = [f"{_units(units)} of {name(product)}" for product, units in per]
        text.append(
            f"Short of the targets on average, all together: {join(said, 4)}. A period "
            "that is met counts as nothing short, and does not make up for another."
        )
    if m["stopped_early"]:
        text.append("The run was stopped before it was as precise as it was asked for.")
    return text


def _per_product(goals: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    out: dict[str, float] = {}
    for row in goals:
        out[row["product"]] = out.get(row["product"], 0.0) + row["shortfall_mean"]
    return list(out.items())


# ---------------------------------------------------------------- section


def section(facts: Facts) -> Section | None:
    """Return whether the plan will be made, or nothing where none was asked for."""
    plan = facts.found.plan
    if plan is None:
        return None
    return Section(
        "plan", "Will we make the plan?", _headline(plan), tuple(_text(facts, plan)),
        (_figure(facts, plan), *fans.figures(facts, plan, stamp(plan))),
        notes=(basis(plan), *_notes(plan)),
    )  # fmt: skip


def _notes(plan: Plan) -> list[str]:
    notes = []
    demand = plan.line.demand
    if demand:
        parts = [
            f"{name(key)} ({percent(it.probability)})" for key, it in demand.items()
        ]
        notes.append(
            f"Demand is drawn in every replication: {join(parts, 5)}. Quantities are "
            "those of the model, before a scenario changes them."
        )
    if n := plan.manifest["goals_left_out"]:
        notes.append(f"{counted(n, 'target')} outside the time simulated, not shown.")
    return notes


def _figure(facts: Facts, plan: Plan) -> Figure:
    rows = _rows(plan)
    title = "The chance that each target is met"
    parts = [f"{row.label}: {chance(row.goal)}" for row in rows if row.level < 2]
    alt = (
        "One bar for each target, from 0 to 100%, with the interval as a thin line, "
        f"what is short on average, and the dates. {'; '.join(parts)}."
    )
    wide, narrow = draw_both(partial(_draw, facts, rows), "targets", title, alt)
    caption = (
        "The thin line is the interval of the chance. Short: units missing on average, "
        "0 where the target is met. The dates are those by which the quantity is made "
        "in 50, 80 and 95 of 100 runs."
    )
    if any(row.level == 2 for row in rows):
        caption += " Of targets for every period, the least likely periods are shown."
    return Figure(
        "targets", title, alt, wide, narrow, caption, _table(facts, plan),
        colors=_COLORS, stamp=stamp(plan),
    )  # fmt: skip


def _role(row: dict[str, Any]) -> str:
    if row["low"] >= 0.9:
        return "good"
    return "bad" if row["probability"] < _EVEN else "warn"


_DATES = (("50%", "p50"), ("80%", "p80"), ("95%", "p95"))


def _draw(facts: Facts, rows: Sequence[Row], width: float) -> Canvas:
    return (_draw_narrow if width < 600 else _draw_wide)(facts, rows, width)


def _draw_wide(facts: Facts, rows: Sequence[Row], width: float) -> Canvas:
    step, top = 30, 40
    canvas = Canvas(width, top + step * len(rows) + 4)
    left = label_room([row.label for row in rows], 226) + 14
    dates = width - 3 * 84
    short, bar = dates - 62, dates - 62 - 118 - left - 18
    canvas.text(left, 10, "met with", role="muted", size=SMALL)
    canvas.text(short + 44, 10, "units", role="muted", size=SMALL, anchor="right")
    canvas.text(short + 44, 25, "short", role="muted", size=SMALL, anchor="right")
    canvas.text(dates + 10, 10, "reached in so many of 100 runs by", role="muted",
                size=SMALL)  # fmt: skip
    for k, (label, _) in enumerate(_DATES):
        canvas.text(dates + 84 * k + 80, 25, label.rstrip("%"), role="muted",
                    size=SMALL, anchor="right")  # fmt: skip
    _draw_scale(canvas, left, bar, top, step * len(rows))
    for i, row in enumerate(rows):
        y = top + step * i + step / 2
        if row.level == 0:
            canvas.rect(0, y - step / 2 + 1, width, step - 2, "band")
        indent = 18 if row.level == 2 else 4
        label = fit(row.label, left - indent - 10, 12.6)
        role = "ink" if row.level < 2 else "muted"
        canvas.text(indent, y, label, bold=row.level < 2, role=role)
        _draw_chance(canvas, row, left, bar, y)
        canvas.text(left + bar + 12, y, percent(row.goal["probability"]), bold=True)
        ends = f"{percent(row.goal['low'])}\u2013{percent(row.goal['high'])}"
        canvas.text(left + bar + 64, y, ends, role="muted", size=SMALL)
        canvas.text(short + 44, y, _units(row.short), anchor="right")
        if row.due:
            for k, (_, key) in enumerate(_DATES):
                text = day(facts, row.goal[f"reached_{key}_us"])
                canvas.text(dates + 84 * k + 80, y, text, size=SMALL, anchor="right")
    return canvas


def _draw_narrow(facts: Facts, rows: Sequence[Row], width: float) -> Canvas:
    heights = [72 if row.due else 52 for row in rows]
    canvas = Canvas(width, sum(heights) + 4)
    bar, y = width - 12, 0.0
    for row, height in zip(rows, heights, strict=True):
        if row.level == 0:
            canvas.rect(0, y, width, height - 4, "band")
        indent = 14 if row.level == 2 else 4
        share = percent(row.goal["probability"])
        ends = f"{percent(row.goal['low'])}\u2013{percent(row.goal['high'])}"
        room = text_width(ends, SMALL) + 6
        label = fit(row.label, width - indent - room - 56, 12.6)
        canvas.text(indent, y + 12, label, bold=row.level < 2)
        canvas.text(width - 4 - room, y + 12, share, anchor="right", bold=True)
        canvas.text(width - 4, y + 12, ends, role="muted", size=SMALL, anchor="right")
        _draw_scale(canvas, 4, bar, y + 22, 18, labels=False)
        _draw_chance(canvas, row, 4, bar, y + 31)
        if row.due:
            said = [
                f"{label} {_short_day(facts, row.goal[f'reached_{key}_us'])}"
                for label, key in _DATES
            ]
            canvas.text(4, y + 52, f"{_units(row.short)} short", size=10.5)
            canvas.text(width - 4, y + 52, "  ".join(said), role="muted", size=10.5,
                        anchor="right")  # fmt: skip
        y += height
    return canvas


def _short_day(facts: Facts, at_us: int) -> str:
    if at_us < 0:
        return "later"
    at = facts.local(max(at_us - 1, 0))
    return f"{at:%Y-%m-%d}"


def _units(units: float) -> str:
    if units == 0:
        return "0"
    return number(units, digits=2) if units >= 0.005 else "<0.01"


def _draw_scale(
    canvas: Canvas, left: float, bar: float, top: float, high: float, *,
    labels: bool = True,
) -> None:  # fmt: skip
    for share in (0.0, 0.5, 0.9, 1.0):
        x = left + bar * share
        canvas.path([x, x], [top, top + high], "grid")
        if labels and share != 0.9:
            canvas.text(x, top - 13, percent(share), role="muted", size=SMALL,
                        anchor="left" if share == 0 else "center")  # fmt: skip


def _draw_chance(canvas: Canvas, row: Row, left: float, bar: float, y: float) -> None:
    goal = row.goal
    if goal["probability"] > 0:
        canvas.rect(left, y - 6, bar * goal["probability"], 12, _role(goal))
    xs = [left + bar * goal[key] for key in ("low", "high")]
    canvas.path(xs, [y, y], "ink", 1.4)
    for x in xs:
        canvas.path([x, x], [y - 4, y + 4], "ink", 1.4)


def _table(facts: Facts, plan: Plan) -> Table:
    columns = (
        Column("Target", numeric=False), Column("Asked for"), Column("Met with"),
        Column("Made on average"), Column("Short on average"),
        Column("Half by"), Column("80% by"), Column("95% by"),
    )  # fmt: skip
    rows = []
    for row in plan.rows("goals"):
        if not row["target"]:
            rows.append(("all targets", DASH, chance(row), *[DASH] * 5))
        elif not row["goal"]:
            label = f"{name(row['target'], 200)}, all periods"
            rows.append((label, DASH, chance(row), *[DASH] * 5))
        else:
            asked = f"{count(row['quantity'])}{NBSP}{TIMES}{NBSP}{name(row['product'])}"
            half = row["shortfall_half_width"]
            rows.append(
                (
                    _label(row, 200), asked, chance(row), number(row["made_mean"]),
                    number(row["shortfall_mean"], half if half else float("nan")),
                    *(day(facts, row[f"reached_{key}_us"]) for _, key in _DATES),
                )
            )  # fmt: skip
    caption = "All targets: what is asked for, the chance, what is made, and the dates"
    return Table(caption, columns, tuple(rows))
