"""What holds the line back, by five methods, as `linewright bottleneck` found it.

What counts is the chain of causes (the critical path): it says what an improvement
would bring. The other methods are those that people know; where they name another
station, the remarks say why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.improve.files import BottleneckFile, Method
from linewright.report.canvas import SMALL, Box, Canvas, draw_both, label_room
from linewright.report.facts import Facts, Floats, stamp_of
from linewright.report.palette import State
from linewright.report.parts import Column, Figure, Table
from linewright.report.sections.appendix import span
from linewright.report.times import label_dates
from linewright.report.words import (
    DASH,
    counted,
    fit,
    join,
    name,
    number,
    percent,
    text_width,
    time_scale,
)
from linewright.stats.intervals import Interval

__all__ = [
    "basis",
    "figures",
    "headline",
    "is_outside",
    "remarks",
    "stamp",
    "verdict_text",
]

SHOWN = 12
_OUTSIDE = ("arrival", "calendar")
_TURN = "turning_point"
_NEARLY_ALL = 0.9  # share of the path beside which no station counts


@dataclass(frozen=True, slots=True)
class _Words:
    """A method: its name in the picture, in two lines, and what it means."""

    head: tuple[str, str]
    meaning: str


_METHODS = {
    "critical_path": _Words(
        ("Chain of", "causes"),
        "share of the chain of causes (the critical path) that goes through it",
    ),
    "utilisation": _Words(
        ("Busy", ""), "share of the clock in which it is busy or down"
    ),
    "active_period": _Words(
        ("Busy at", "a stretch"),
        "mean time for which it is busy or down without a pause (active period)",
    ),
    "shifting": _Words(
        ("Longest", "of all"),
        "share of the time in which its stretch is the longest of all (shifting)",
    ),
    "turning_point": _Words(
        ("Waits", "turn"),
        "before it stations are blocked, behind it starved (turning point)",
    ),
}
_COLORS = (
    State("score", "score by the method", "accent-soft", ""),
    State("chance", "chance that the method names the station", "accent", ""),
)


def stamp(found: BottleneckFile) -> str:
    """Return where the figures come from."""
    about = found.about
    return stamp_of(about.model_hash, about.seed, about.version)


def basis(found: BottleneckFile) -> str:
    """Return what the figures stand on, as a sentence."""
    about = found.about
    runs = counted(about.replications, "run")
    length = span(about.horizon_us - about.warmup_us)
    return (
        f"From {runs} of {length} after the warm-up, by linewright bottleneck; "
        f"\u00b1 is the {about.confidence:.0%} confidence interval."
        if about.replications > 1
        else f"From one run of {length} after the warm-up: nothing is certain."
    )


# ---------------------------------------------------------------- words


def _outside(found: BottleneckFile) -> float:
    """Return the share of the path that the line itself does not set."""
    return sum(one.elasticity.mean for one in found.worth if one.kind in _OUTSIDE)


def is_outside(found: BottleneckFile) -> bool:
    """Return whether orders, deliveries and shifts set nearly all of the output."""
    return bool(found.path.tied) and _outside(found) > _NEARLY_ALL


def _percent_more(share: Interval) -> str:
    """Return what 1 % less time gives, in per cent."""
    return f"{number(share.mean, share.half_width, 2)}%"


def headline(found: BottleneckFile, *, is_met: bool) -> str:
    """Return the verdict in a sentence without its end.

    Args:
        found: What was found.
        is_met: Whether every demand is met.
    """
    path = found.path
    share = path.scores[path.first]
    first = name(path.first, 36)
    about = "about " if found.doubts else ""
    gain = f"1% less time there gives {about}{_percent_more(share)} more units"
    if is_outside(found):
        return (
            "What is released, ordered, delivered and on shift sets the output; no "
            "station stands out"
        )
    if path.tied:
        names = [name(s, 30) for s in (path.first, *path.tied)]
        lead = "Demand is met; " if is_met else ""
        return (
            f"{lead}{join(names, 4)} hold the line back alike: the runs cannot tell "
            "which of them comes first"
        )
    if is_met:
        return f"Demand is met; {first} would hold the line back first: {gain}"
    if _outside(found) > share.mean:
        return (
            "What is released, ordered and on shift sets the output more than any "
            f"station does; of the stations {first} comes first: {gain}"
        )
    return f"{first} holds the line back: {gain}"


def verdict_text(found: BottleneckFile) -> list[str]:
    """Return what the verdict means, and how far the methods agree."""
    path = found.path
    ranked = sorted(path.scores, key=lambda s: -path.scores[s].mean)
    parts = [
        f"{percent(path.scores[s].mean, path.scores[s].half_width)} at {name(s, 36)}"
        for s in ranked[:3]
        if path.scores[s].mean > 0
    ]
    text = [
        "Every start in the line waited for one event before it. Followed back from "
        "the last unit that left, these events make a chain of causes. Time saved on "
        "the chain is time gained by the whole line; time saved elsewhere is only "
        f"waited longer. Shares of the chain: {join(parts)}."
    ]
    outside = _outside(found)
    if outside >= 0.005:
        text[0] += (
            f" {percent(outside)} is none of the stations': arrivals, orders, shifts."
        )
    return [*text, _agreement(found)]


def _agreement(found: BottleneckFile) -> str:
    path = found.path
    if is_outside(found):
        first = Counter(it.first for it in found.methods.values())
        first[path.first] -= 1
        said = [f"{k} of them {name(s, 30)}" for s, k in first.most_common() if k > 0]
        n = len(found.methods) - 1
        return (
            f"On the chain of causes no station counts. The other {n} "
            f"methods look at how busy stations are, and name: {join(said)}."
        )
    named = (path.first, *path.tied)
    agree = [m for m, it in found.methods.items() if it.first in named]
    n = len(found.methods)
    whom = name(path.first, 36) if not path.tied else "one of them"
    if len(agree) == n:
        return f"All {n} methods name {whom}."
    others: dict[str, int] = {}
    for it in found.methods.values():
        if it.first not in named:
            others[it.first] = others.get(it.first, 0) + 1
    said = [f"{k} name {name(s, 30)}" for s, k in others.items()]
    said = [text.replace("1 name ", "1 names ") for text in said]
    return (
        f"Of {n} methods {len(agree)} name {whom}; {join(said)}. Why they differ "
        "stands below the pictures; what counts is the chain of causes."
    )


def remarks(found: BottleneckFile) -> list[str]:
    """Return where the methods disagree, as sentences."""
    if is_outside(found):
        return []  # that all stations tie is said by the verdict
    return [f"{text[:1].upper()}{text[1:]}." for text in found.remarks if text]


# ---------------------------------------------------------------- the methods


def figures(facts: Facts, found: BottleneckFile, said: str) -> list[Figure]:
    """Return the methods by station and, if it is known, the strip over time."""
    out = [_methods_figure(found, said)]
    if found.strip.edges_us and found.strip.stations:
        out.append(_strip_figure(facts, found))
    return out


def _few(found: BottleneckFile) -> list[str]:
    """Return the stations to draw, in the order in which parts meet them."""
    path = found.path
    chance = {
        s: max(it.probability[s] for it in found.methods.values()) for s in path.scores
    }
    ranked = sorted(
        path.scores, key=lambda s: (-chance[s] >= 0.005, -path.scores[s].mean)
    )
    kept = set(ranked[:SHOWN])
    return [s for s in path.scores if s in kept]


def _scores(method: str, it: Method) -> dict[str, str]:
    """Return the scores of a method in words."""
    if method == _TURN:
        return {s: "here" if s == it.first else "" for s in it.scores}
    if method == "active_period":
        scale = time_scale(score.mean for score in it.scores.values())
        return {
            s: scale.with_unit(score.mean, score.half_width)
            for s, score in it.scores.items()
        }
    return {s: percent(x.mean, x.half_width) for s, x in it.scores.items()}


def _methods_figure(found: BottleneckFile, said: str) -> Figure:
    shown = _few(found)
    title = "Five methods, station by station"
    alt = (
        f"{said}. One row for each station, one column for each method, with its score "
        f"and the chance that it names the station. {_agreement(found)}"
    )
    wide, narrow = draw_both(
        partial(_draw_methods, found, shown), "methods", title, alt
    )
    meanings = "; ".join(
        f"{' '.join(filter(None, words.head))}: {words.meaning}"
        for method, words in _METHODS.items()
        if method in found.methods
    )
    caption = (
        f"{meanings}. The chance is how often the method still names the station when "
        "the runs are drawn again from those that were made."
    )
    if found.path.tied:
        caption += (
            " Stations tie where the interval of their difference holds zero, whatever "
            "the chance."
        )
    if len(shown) < len(found.path.scores):
        n = counted(len(found.path.scores), "station")
        caption += f" {len(shown)} of {n}."
    return Figure(
        "methods", title, alt, wide, narrow, caption, _methods_table(found),
        colors=_COLORS, stamp=stamp(found),
    )  # fmt: skip


def _draw_methods(found: BottleneckFile, shown: Sequence[str], width: float) -> Canvas:
    narrow = width < 600
    step, top = (60, 34) if narrow else (40, 40)
    size = 9.5 if narrow else SMALL
    canvas = Canvas(width, top + step * len(shown) + 4)
    methods = [m for m in _METHODS if m in found.methods]
    labels = [name(s) for s in shown]
    left = 2.0 if narrow else label_room(labels, 200, 12.6)
    gap = 7.0 if narrow else 16.0
    cell = (width - left + gap) / len(methods) - gap
    named = {found.path.first, *found.path.tied}
    for i, station in enumerate(shown):
        y = top + step * i
        if station in named:
            canvas.rect(0, y + 1, width, step - 3, "band")
        at_x, at_y = (left, y + 12) if narrow else (4, y + step / 2 - 2)
        room = width - 4 if narrow else left - 12
        canvas.text(at_x, at_y, fit(labels[i], room, 12.6), bold=station in named)
    for j, method in enumerate(methods):
        x = left + j * (cell + gap)
        for k, line in enumerate(_METHODS[method].head):
            canvas.text(x, 8 + 13 * k, line, role="muted", size=size)
        it = found.methods[method]
        most = max((v.mean for v in it.scores.values() if v.mean > 0), default=1.0)
        words = _scores(method, it)
        for i, station in enumerate(shown):
            y = top + step * i + (32 if narrow else 15)
            score = it.scores[station].mean
            if score > 0:
                canvas.rect(x, y - 8, max(cell * score / most, 0.5), 16, "accent-soft")
            text = words[station]
            if narrow:
                text = text.partition("\u00a0\u00b1")[0] + _unit_behind(text)
            chance = it.probability[station]
            bar = cell * chance
            canvas.rect(x, y + 10, cell, 3, "grid")
            if bar > 0.2:
                canvas.rect(x, y + 10, bar, 3, "accent")
            canvas.text(x + 3, y, fit(text, cell, size), size=size)
            if chance >= 0.005:
                share = percent(round(chance, 2)).replace(".0%", "%")
                end, down = (x + cell, y + 19) if narrow else (x + cell - 2, y)
                canvas.text(end, down, share, size=size, anchor="right", bold=True)
    return canvas


def _unit_behind(text: str) -> str:
    """Return the unit of `48.1 ± 1.1%` or `7.3 ± 0.2 min`."""
    if "\u00b1" not in text:
        return ""
    if text.endswith("%"):
        return "%"
    return "\u00a0" + text.rpartition("\u00a0")[2]


def _methods_table(found: BottleneckFile) -> Table:
    methods = [m for m in _METHODS if m in found.methods]
    columns = [Column("Station", numeric=False)]
    for method in methods:
        words = _METHODS[method]
        columns += [
            Column(" ".join(filter(None, words.head))),
            Column("named"),
        ]
    shown = {m: _scores(m, found.methods[m]) for m in methods}
    rows = []
    for station in found.path.scores:
        cells = [name(station, 200)]
        for method in methods:
            cells.append(shown[method][station] or DASH)
            cells.append(percent(found.methods[method].probability[station]))
        rows.append(tuple(cells))
    caption = "Score of each station by each method, and the chance that it is named"
    return Table(caption, tuple(columns), tuple(rows))


# ---------------------------------------------------------------- the strip


def _strip_figure(facts: Facts, found: BottleneckFile) -> Figure:
    strip = found.strip
    shares = np.array(strip.shares)
    mean = shares.mean(axis=0)
    ranked = np.argsort(-mean, kind="stable")[:SHOWN]
    rows = sorted(int(k) for k in ranked)
    title = "The bottleneck of the moment, over time"
    order = [int(k) for k in ranked[:3] if mean[k] > 0.005]
    parts = [f"{name(strip.stations[k], 36)} {percent(mean[k])}" for k in order]
    steady = _steadiness(shares, int(ranked[0]))
    alt = (
        "One row for each station, time from left to right; the stronger the color, "
        "the larger the share of that time for which it was busy longest without a "
        f"pause. On average: {join(parts)}. {steady}"
    )
    wide, narrow = draw_both(
        partial(_draw_strip, facts, found, rows), "strip", title, alt
    )
    length = span(strip.edges_us[1] - strip.edges_us[0])
    caption = (
        "The bottleneck of a moment is the station that has been busy or down longest "
        f"without a pause. Each of {len(strip.shares)} spans lasts {length}; the "
        "stronger the color, the larger its share of the span, over all runs. "
        f"{steady} Local time of the line."
    )
    if len(rows) < len(strip.stations):
        caption += f" {len(rows)} of {counted(len(strip.stations), 'station')}."
    return Figure(
        "strip", title, alt, wide, narrow, caption, _strip_table(facts, found, rows),
        stamp=stamp(found),
    )  # fmt: skip


def _steadiness(shares: Floats, first: int) -> str:
    """Say whether one station leads all the time."""
    leads = float((shares.argmax(axis=1) == first).mean())
    if leads >= 0.95:
        return "One station leads nearly all the time."
    return f"The station with the most leads in {percent(leads)} of the spans."


def _draw_strip(
    facts: Facts, found: BottleneckFile, rows: Sequence[int], width: float
) -> Canvas:
    narrow = width < 600
    step, top, foot = (22, 26, 30) if len(rows) > 8 else (28, 26, 30)
    strip = found.strip
    labels = [name(strip.stations[k]) for k in rows]
    size = 10.5 if narrow else 12.0
    canvas = Canvas(width, top + step * len(rows) + foot)
    left = label_room(labels, 96 if narrow else 200, size)
    long = width - left - 8
    peak = _peak(strip.shares)
    _draw_key(canvas, left, peak)
    ax = canvas.axes(left, top, long, step * len(rows))
    days = np.array(strip.edges_us) / 8.64e10
    ax.set_xlim(days[0], days[-1])
    ax.set_yticks([])
    label_dates(ax, facts, 5 if narrow else 10)
    places = left + long * (days - days[0]) / (days[-1] - days[0])
    boxes: dict[int, list[Box]] = {}
    for i, k in enumerate(rows):
        y = top + step * i
        canvas.text(0, y + step / 2, fit(labels[i], left - 8, size), size=size)
        canvas.rect(left, y + 1, long, step - 2, "band")
        for b, row in enumerate(strip.shares):
            level = round(_LEVELS * min(1.0, row[k] / peak))
            if level > 0:
                box = (places[b], y + 1, places[b + 1] - places[b] - 0.4, step - 2)
                boxes.setdefault(level, []).append(box)
    for level, pieces in sorted(boxes.items()):
        _shade(canvas, pieces, level / _LEVELS)
    return canvas


_LEVELS = 12


def _peak(shares: Sequence[Sequence[float]]) -> float:
    """Return the share with the strongest color: the largest, in whole tenths."""
    most = max((share for row in shares for share in row), default=1.0)
    return min(1.0, max(0.1, math.ceil(10 * most - 1e-9) / 10))


def _shade(canvas: Canvas, boxes: Sequence[Box], alpha: float) -> None:
    vertices = [
        point
        for x, y, w, h in boxes
        for point in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y))
    ]
    canvas.shape(vertices, [1, 2, 2, 2, 79] * len(boxes), "accent", alpha)


def _draw_key(canvas: Canvas, left: float, peak: float) -> None:
    """Draw what the shades mean, above the strip."""
    words = "share of the span: 0%"
    canvas.text(left, 9, words, role="muted", size=SMALL)
    x = left + text_width(words, SMALL) + 4
    canvas.rect(x, 3, 12 * 5, 12, "band")
    for i in range(1, 5):
        _shade(canvas, [(x + 12 * i, 3, 12, 12)], i / 4)
    canvas.text(x + 12 * 5 + 6, 9, f"{peak:.0%}", role="muted", size=SMALL)


def _strip_table(facts: Facts, found: BottleneckFile, rows: Sequence[int]) -> Table:
    strip = found.strip
    columns = [Column("From", numeric=False)]
    columns += [Column(name(strip.stations[k], 60)) for k in rows]
    cells = tuple(
        (
            f"{facts.local(strip.edges_us[b]):%Y-%m-%d %H:%M}",
            *(percent(row[k]) for k in rows),
        )
        for b, row in enumerate(strip.shares)
    )
    caption = "Share of each span of time for which a station was the bottleneck"
    return Table(caption, tuple(columns), cells)
