"""Work against hours over the years: where the plan is tight, before any simulation.

A strip for each of the most loaded stations and people, one cell a period: the stronger
the color, the more of its hours the targets ask for; above 100% the color changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.plan.outcome import Plan
from linewright.report.canvas import SMALL, Box, Canvas, draw_both, label_room
from linewright.report.facts import Facts, Floats
from linewright.report.palette import State
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.sections.plan import stamp
from linewright.report.times import year_and_rest
from linewright.report.words import DASH, counted, fit, join, name, percent, text_width

__all__ = ["section"]

SHOWN = 12
_LEVELS = 12
_OVER = State("over", "more work than hours", "bad", "")
_FULL = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class _Loads:
    """Loads of stations and people.

    Attributes:
        periods: Names of the periods.
        entities: Names, the most loaded first; people are said to be people.
        load: Work as a share of the hours, (entity, period).
        to_date: The same from the start to the end of the period.
    """

    periods: tuple[str, ...]
    entities: tuple[str, ...]
    load: Floats
    to_date: Floats


def _loads(plan: Plan) -> _Loads:
    rows = plan.rows("capacity")
    periods = tuple(dict.fromkeys(row["period"] for row in rows))
    keys = list(dict.fromkeys((row["kind"], row["entity"]) for row in rows))
    shape = (len(keys), len(periods))
    load, to_date = np.zeros(shape), np.zeros(shape)
    for row in rows:
        k, i = keys.index((row["kind"], row["entity"])), periods.index(row["period"])
        load[k, i] = _known(row["load"])
        to_date[k, i] = _known(row["load_to_date"])
    names = [f"{entity} (people)" if kind == "people" else entity
             for kind, entity in keys]  # fmt: skip
    order = np.argsort(-load.max(axis=1, initial=0.0), kind="stable")
    return _Loads(periods, tuple(names[k] for k in order), load[order], to_date[order])


def _known(share: float | None) -> float:
    return math.inf if share is None or math.isnan(share) else float(share)


# ---------------------------------------------------------------- words


def section(facts: Facts) -> Section | None:
    """Return work against hours, or nothing where no plan was asked for."""
    plan = facts.found.plan
    if plan is None or not plan.table("capacity").num_rows:
        return None
    loads = _loads(plan)
    return Section(
        "hours", "Where it is tight", _headline(loads), tuple(_text(loads)),
        (_figure(loads, stamp(plan)),),
    )  # fmt: skip


def _peak(loads: _Loads) -> tuple[int, int]:
    k, i = np.unravel_index(int(loads.load.argmax()), loads.load.shape)
    return int(k), int(i)


def _headline(loads: _Loads) -> str:
    over = np.argwhere(loads.load > _FULL)
    k, i = _peak(loads)
    who, when = name(loads.entities[k], 36), loads.periods[i]
    if not over.size:
        share = percent(loads.load[k, i])
        return f"There are hours enough: {who} has the highest load, {share} in {when}"
    first = int(over[:, 1].min())
    most = int(loads.load[:, first].argmax())
    load = _load(loads.load[most, first])
    return (
        f"{name(loads.entities[most], 36)} first has more work than hours: {load} in "
        f"{loads.periods[first]}"
    )


def _text(loads: _Loads) -> list[str]:
    tight = [
        name(loads.entities[k], 36)
        for k in range(len(loads.entities))
        if loads.load[k].max() > 0.7
    ]
    text = [
        "Targets turned into hours of work, by bills of material, yields and mean "
        "times, against the hours that calendars, servers and stops leave. Waiting, "
        "setups and chance are not in it, so from about 85% on it becomes hard."
    ]
    if tight:
        text.append(f"Above 70% in some period: {join(tight, 8)}.")
    never = np.argwhere(loads.to_date > _FULL)
    if never.size:
        i = int(never[:, 1].min())
        k = int(loads.to_date[:, i].argmax())
        text.append(
            f"Up to the end of {loads.periods[i]} {name(loads.entities[k], 36)} cannot "
            f"do the work however early it is begun: {_load(loads.to_date[k, i])} of "
            "all hours to then. No run can meet such targets on average."
        )
    elif (loads.load > _FULL).any():
        text.append("What is over 100% in a period has to be done before it.")
    return text


def _load(share: float) -> str:
    return percent(share) if math.isfinite(share) else "work without any hours"


# ---------------------------------------------------------------- picture


def _figure(loads: _Loads, origin: str) -> Figure:
    n = min(SHOWN, len(loads.entities))
    title = "Work as a share of the hours, period by period"
    k, i = _peak(loads)
    alt = (
        "One row for each station or group of people, time from left to right; the "
        "stronger the color, the higher the load. Highest: "
        f"{name(loads.entities[k], 36)}, {_load(loads.load[k, i])} in "
        f"{loads.periods[i]}. {_headline(loads)}."
    )
    wide, narrow = draw_both(partial(_draw, loads, n), "hours", title, alt)
    caption = "Load in per cent, by averages; the highest load of any period first."
    if n < len(loads.entities):
        caption += f" {n} of {counted(len(loads.entities), 'entry', 'entries')}."
    over = bool((loads.load[:n] > _FULL).any())
    return Figure(
        "hours", title, alt, wide, narrow, caption, _table(loads),
        colors=(_OVER,) if over else (), stamp=origin,
    )  # fmt: skip


def _draw(loads: _Loads, n: int, width: float) -> Canvas:
    narrow = width < 600
    step, top, foot = 24, 26, 40
    size = 10.5 if narrow else 12.0
    canvas = Canvas(width, top + step * n + foot)
    labels = [name(entity) for entity in loads.entities[:n]]
    left = label_room(labels, 104 if narrow else 200, size)
    n_periods = len(loads.periods)
    cell = (width - left - 4) / n_periods
    _draw_key(canvas, left)
    boxes: dict[int, list[Box]] = {}
    over: list[Box] = []
    for k in range(n):
        y = top + step * k
        canvas.text(0, y + step / 2, fit(labels[k], left - 8, size), size=size)
        canvas.rect(left, y + 1, cell * n_periods - 1, step - 2, "band")
        for i in range(n_periods):
            box = (left + cell * i, y + 1, cell - 1, step - 2)
            load = loads.load[k, i]
            if load > _FULL:
                over.append(box)
            elif level := round(_LEVELS * load):
                boxes.setdefault(level, []).append(box)
    for level, pieces in sorted(boxes.items()):
        _shade(canvas, pieces, level / _LEVELS)
    canvas.rects(over, "bad")
    if cell >= 28:
        _write_loads(canvas, loads, n, (left, top, cell, step))
    _write_periods(canvas, loads.periods, (left, top + step * n, cell))
    return canvas


def _write_loads(
    canvas: Canvas, loads: _Loads, n: int, frame: tuple[float, float, float, float]
) -> None:
    left, top, cell, step = frame
    for k in range(n):
        for i in range(len(loads.periods)):
            load = loads.load[k, i]
            if not math.isfinite(load) or load < 0.005:
                continue
            role = "surface" if load > 0.72 else "ink"
            x = left + cell * (i + 0.5) - 0.5
            canvas.text(x, top + step * (k + 0.5), f"{100 * load:.0f}", role=role,
                        size=10.5, anchor="center")  # fmt: skip


def _write_periods(
    canvas: Canvas, periods: Sequence[str], frame: tuple[float, float, float]
) -> None:
    """Write the names of periods, of quarters and months with the year below."""
    left, top, cell = frame
    last, free = "", -math.inf
    for i, period in enumerate(periods):
        year, rest = year_and_rest(period)
        x = left + cell * i
        short = rest or year
        if text_width(short, 10) <= cell - 2:
            canvas.text(x + cell / 2 - 0.5, top + 9, short, role="muted", size=10,
                        anchor="center")  # fmt: skip
        if rest and year != last and x >= free:
            canvas.text(x, top + 25, year, role="muted", size=SMALL)
            canvas.path([x - 0.5, x - 0.5], [top, top + 18], "grid")
            last, free = year, x + text_width(year, SMALL) + 4


def _shade(canvas: Canvas, boxes: Sequence[Box], alpha: float) -> None:
    vertices = [
        point
        for x, y, w, h in boxes
        for point in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y))
    ]
    canvas.shape(vertices, [1, 2, 2, 2, 79] * len(boxes), "accent", alpha)


def _draw_key(canvas: Canvas, left: float) -> None:
    words = "load: 0%"
    canvas.text(left, 10, words, role="muted", size=SMALL)
    x = left + text_width(words, SMALL) + 4
    canvas.rect(x, 4, 12 * 5, 12, "band")
    for i in range(1, 5):
        _shade(canvas, [(x + 12 * i, 4, 12, 12)], i / 4)
    canvas.text(x + 12 * 5 + 6, 10, "100%", role="muted", size=SMALL)


def _table(loads: _Loads) -> Table:
    columns = (
        Column("Station or people", numeric=False),
        *(Column(period) for period in loads.periods),
        Column("All to date, at most"),
    )
    rows = tuple(
        (
            name(entity, 200),
            *(_cell(share) for share in loads.load[k]),
            _cell(loads.to_date[k].max(initial=0.0)),
        )
        for k, entity in enumerate(loads.entities)
    )
    return Table("Work as a share of the hours", columns, rows)


def _cell(share: float) -> str:
    if share == 0:
        return DASH
    return percent(share) if math.isfinite(share) else "no hours"
