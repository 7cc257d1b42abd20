"""What is lost to what: from a line without any loss to what is made, and to a target.

`linewright losses` shared the gap out among causes, in Shapley values that sum to it.
Of targets the period is shown that is missed first; its neighbours stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.improve.files import GoalTree, LossesFile, Lost
from linewright.report.canvas import SMALL, Canvas, color, draw_both, label_room
from linewright.report.facts import Facts, stamp_of
from linewright.report.palette import State
from linewright.report.parts import Cell, Column, Figure, Section, Table
from linewright.report.sections.appendix import span
from linewright.report.sections.holds import is_outside
from linewright.report.times import year_and_rest
from linewright.report.words import (
    DASH,
    MINUS,
    Scale,
    count,
    counted,
    fit,
    join,
    name,
    number,
    percent,
    rate_scale,
    text_width,
)
from linewright.stats.intervals import Interval

__all__ = ["lead", "section"]

_ROLES = {
    "failures": "failed",
    "maintenance": "maintenance",
    "setups": "setup",
    "shifts": "break",
    "people": "waiting",
    "scrap and rework": "warn",
    "room": "blocked",
    "variation": "loading",
    "ramp-up": "off-shift",
    "learning": "good",
    "materials": "starved",
}
_MADE = "processing"
_STACKED = 5  # causes that have a color of their own over the periods


@dataclass(frozen=True, slots=True)
class _Tree:
    """What is drawn: a goal in units, or a run in units per time.

    Attributes:
        label: What it is of.
        unit: Unit of all values.
        scale: What values are multiplied by.
        ideal: Without any loss.
        actual: As it is.
        losses: What each cause takes away.
        asked: What is asked for, if it is of a target.
    """

    label: str
    unit: str
    scale: float
    ideal: Interval
    actual: Interval
    losses: tuple[Lost, ...]
    asked: int | None = None

    @property
    def gap(self) -> float:
        """Return what is lost in all, in the unit of the values."""
        return self.scale * (self.ideal.mean - self.actual.mean)

    @property
    def short(self) -> float:
        """Return what is short of the target on average; negative if above it."""
        return 0.0 if self.asked is None else self.asked - self.actual.mean

    def said(self, it: Interval) -> str:
        """Return a value with its half-width."""
        return number(self.scale * it.mean, self.scale * it.half_width)


def _of_goal(it: GoalTree) -> _Tree:
    when = "all periods" if it.goal == "all" else it.goal
    label = f"{name(it.target, 36)}, {name(when, 24)}"
    return _Tree(
        label, f"units of {name(it.product, 36)}", 1.0, it.ideal, it.actual, it.losses,
        it.asked,
    )  # fmt: skip


def _of_run(found: LossesFile) -> _Tree:
    assert found.whole is not None
    it = found.whole
    scale: Scale = rate_scale([it.ideal.mean])
    unit = f"good units {scale.per}"
    return _Tree("The line", unit, scale.factor, it.ideal, it.actual, it.losses)


def _hardest(facts: Facts, found: LossesFile) -> GoalTree:
    """Return the period that the plan misses first, else that with the least made."""
    single = [it for it in found.targets if it.goal != "all"] or list(found.targets)
    plan = facts.found.plan
    if plan is not None:
        rows = [row for row in plan.rows("goals") if row["target"] and row["goal"]]
        rows.sort(key=lambda row: -(row["first_short"] or 0.0))
        for row in rows[:1]:
            for it in single:
                if (it.target, it.goal) == (row["target"], row["goal"]):
                    return it
    return min(single, key=lambda it: it.actual.mean / max(it.asked, 1))


# ---------------------------------------------------------------- words


def section(facts: Facts) -> Section | None:
    """Return where units are lost, or nothing where nobody looked."""
    found = facts.found.losses
    if found is None:
        return None
    hard = _hardest(facts, found) if found.targets else None
    tree = _tree(facts, found)
    figures = [_figure(found, tree)]
    if hard is not None:
        mine = [it for it in found.targets if it.target == hard.target]
        periods = [it for it in mine if it.goal != "all"]
        if len(periods) > 2:
            figures.append(_over_time(found, periods))
    return Section(
        "lost", "What is lost to what", _headline(tree), _text(tree), tuple(figures),
        after=() if hard is None else tuple(_others(found, hard.target)),
        notes=_notes(found),
    )  # fmt: skip


def lead(facts: Facts) -> str:
    """Return what most is lost to, where no station stands out; else nothing."""
    found, holds = facts.found.losses, facts.found.bottleneck
    if found is None or holds is None or not is_outside(holds):
        return ""
    return _headline(_tree(facts, found))


def _tree(facts: Facts, found: LossesFile) -> _Tree:
    return _of_goal(_hardest(facts, found)) if found.targets else _of_run(found)


def _largest(tree: _Tree) -> list[Lost]:
    return sorted(tree.losses, key=lambda one: -one.lost.mean)


def _headline(tree: _Tree) -> str:
    if not tree.losses or tree.gap <= 0:
        return f"Without any loss no more would be made: {tree.label}"
    first = _largest(tree)[0]
    share = percent(tree.scale * first.lost.mean / tree.gap)
    where = "" if tree.asked is None else f" on the way to {tree.label}"
    return f"Most is lost to {first.cause}: {share} of all that is lost{where}"


def _text(tree: _Tree) -> tuple[str, ...]:
    text = (
        f"Without any loss it would be {tree.said(tree.ideal)} {tree.unit}; as it is, "
        f"{tree.said(tree.actual)}."
    )
    if tree.asked is not None:
        text += f" {_against(tree)}"
    meaning = (
        "What a cause costs depends on what else goes wrong, so each has its average "
        "effect over all orders in which causes could be taken out (its Shapley "
        "value). These sum to all that is lost. What taking out one cause alone would "
        "gain stands beside it, and sums to nothing in particular."
    )
    return text, meaning


def _against(tree: _Tree) -> str:
    assert tree.asked is not None
    asked = f"{count(tree.asked)} are asked for"
    half = tree.actual.half_width
    if tree.ideal.mean < tree.asked:
        return f"{asked}: more than the line could make without any loss."
    if tree.short <= 0:
        above = number(-tree.short, half)
        return f"{asked}, so on average {above} are left over."
    enough = [it.cause for it in _largest(tree) if it.alone.low >= tree.short]
    alone = (
        f" Taking out {join(enough, 3)} alone would make up for it."
        if enough
        else " No cause alone would make up for it."
    )
    return f"{asked}, so on average {number(tree.short, half)} are short.{alone}"


def _others(found: LossesFile, shown: str) -> list[str]:
    """Return a sentence for each of the other targets."""
    said = []
    for target in dict.fromkeys(it.target for it in found.targets):
        single = [
            it for it in found.targets if it.target == target and it.goal != "all"
        ]
        if target == shown:
            continue
        it = _of_goal(min(single, key=lambda it: it.actual.mean / max(it.asked, 1)))
        assert it.asked is not None
        parts = [
            f"{number(one.lost.mean, one.lost.half_width)} to {one.cause}"
            for one in _largest(it)[:2]
            if one.lost.mean > 0
        ]
        lost = f"; lost are {join(parts)}" if parts else ""
        said.append(
            f"{it.label}: {it.said(it.actual)} made, {count(it.asked)} asked for{lost}."
        )
    return said


def _notes(found: LossesFile) -> tuple[str, ...]:
    about = found.about
    n = counted(about.replications, "replication")
    length = span(about.horizon_us - about.warmup_us)
    how = "all sets of causes" if found.is_exact else "orders of causes drawn by chance"
    return (
        f"From {found.n_runs:,} runs in {n} of {length}, over {how}, by linewright "
        f"losses; \u00b1 is the {about.confidence:.0%} confidence interval. No line "
        "runs without any loss: this says where units go, not what could be had.",
    )


# ---------------------------------------------------------------- the waterfall


def _stamp(found: LossesFile) -> str:
    about = found.about
    return stamp_of(about.model_hash, about.seed, about.version)


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    begin: float
    end: float
    role: str
    value: str
    alone: str = ""
    half: float = 0.0
    is_total: bool = False


def _bars(tree: _Tree) -> list[_Bar]:
    s = tree.scale
    at = s * tree.ideal.mean
    bars = [_Bar("without any loss", 0.0, at, "line", tree.said(tree.ideal),
                 half=_half(s * tree.ideal.half_width), is_total=True)]  # fmt: skip
    for one in _largest(tree):
        below = at - s * one.lost.mean
        lost = Interval(-one.lost.mean, one.lost.half_width, 0.0, 0.0, 0, 0.95)
        bars.append(
            _Bar(one.cause, at, below, _ROLES.get(one.cause, "muted"), tree.said(lost),
                 _signed(tree, one.alone), _half(s * one.lost.half_width))
        )  # fmt: skip
        at = below
    bars.append(_Bar("made, as it is", 0.0, s * tree.actual.mean, _MADE,
                     tree.said(tree.actual), half=_half(s * tree.actual.half_width),
                     is_total=True))  # fmt: skip
    if tree.asked is not None:
        bars.append(
            _Bar("asked for", 0.0, tree.asked, "ink", count(tree.asked), is_total=True)
        )
        word, role = ("short", "bad") if tree.short > 0 else ("left over", "good")
        value = number(abs(tree.short), tree.actual.half_width)
        bars.append(_Bar(word, tree.actual.mean, tree.asked, role, value))
    return bars


def _half(half: float) -> float:
    return half if np.isfinite(half) else 0.0


def _signed(tree: _Tree, gain: Interval) -> str:
    text = tree.said(gain)
    return text if text.startswith((MINUS, "0")) else f"+{text}"


def _figure(found: LossesFile, tree: _Tree) -> Figure:
    title = "From a line without any loss to what is made"
    if tree.asked is not None:
        title += ", and to the target"
    parts = [
        f"{one.cause} {tree.said(one.lost)}" for one in _largest(tree)[:4]
        if one.lost.mean > 0
    ]  # fmt: skip
    alt = (
        f"{tree.label}, {tree.unit}. Bars from the top down: without any loss "
        f"{tree.said(tree.ideal)}; then what is lost to {join(parts, 4)}; made, as it "
        f"is, {tree.said(tree.actual)}."
    )
    if tree.asked is not None:
        alt += f" {_against(tree)}"
    wide, narrow = draw_both(partial(_draw, tree, _bars(tree)), "lost", title, alt)
    caption = (
        f"{tree.label}: {tree.unit}. Each bar hangs from the end of the one above it; "
        "thin lines are intervals. A loss below zero is one that helps elsewhere, or "
        "chance."
    )
    return Figure(
        "lost", title, alt, wide, narrow, caption, _table(tree), stamp=_stamp(found)
    )


def _draw(tree: _Tree, bars: Sequence[_Bar], width: float) -> Canvas:
    narrow = width < 600
    step, top = (38, 30) if narrow else (28, 30)
    canvas = Canvas(width, top + step * len(bars) + 6)
    left = 2.0 if narrow else label_room([bar.label for bar in bars], 190, 12.6)
    alone = 0.0 if narrow else 118.0
    value = max(text_width(bar.value, 12.6) for bar in bars) + 14
    right = 4.0 if narrow else alone + value
    high = max(max(bar.begin, bar.end) + bar.half for bar in bars)
    low = min(0.0, *(min(bar.begin, bar.end) - bar.half for bar in bars))
    scale = (width - left - right) / ((high - low) or 1.0)
    zero = left - low * scale
    if not narrow:
        canvas.text(width - alone - 4, 10, tree.unit, role="muted", size=SMALL,
                    anchor="right")  # fmt: skip
        canvas.text(width, 10, "gain if it alone goes", role="muted", size=SMALL,
                    anchor="right")  # fmt: skip
    else:
        canvas.text(width, 10, f"{tree.unit}; (gain if it alone goes)", role="muted",
                    size=10.5, anchor="right")  # fmt: skip
    last: float | None = None
    for i, bar in enumerate(bars):
        y = top + step * i + (step - 11 if narrow else step / 2)
        if bar.is_total:
            canvas.rect(0, top + step * i + 1, width, step - 2, "band")
        if last is not None and bar.label != "asked for":
            x = zero + scale * last
            before = y - step + 8
            canvas.path([x, x], [before, y + 8], "line", 1.0, (2, 2))
        begin, end = (zero + scale * at for at in (bar.begin, bar.end))
        canvas.rect(min(begin, end), y - 8, max(abs(end - begin), 1.0), 16, bar.role)
        if bar.half > 0:
            xs = [end - scale * bar.half, end + scale * bar.half]
            canvas.path(xs, [y, y], "muted" if bar.role == "ink" else "ink", 1.3)
            for x in xs:
                canvas.path([x, x], [y - 4, y + 4], "ink", 1.3)
        _label(canvas, bar, (left, y, right, alone))
        last = bar.end if bar.label != "asked for" else None
    return canvas


def _label(canvas: Canvas, bar: _Bar, frame: tuple[float, float, float, float]) -> None:
    left, y, _, alone = frame
    width = canvas.width
    if canvas.narrow:
        text = f"{bar.value} ({bar.alone})" if bar.alone else bar.value
        room = width - text_width(text, 12) - 8
        canvas.text(left, y - 18, fit(bar.label, room, 12.6), bold=bar.is_total)
        canvas.text(width - 4, y - 18, text, anchor="right", bold=bar.is_total)
        return
    canvas.text(4, y, fit(bar.label, left - 12, 12.6), bold=bar.is_total)
    canvas.text(width - alone - 4, y, bar.value, anchor="right", bold=bar.is_total)
    if bar.alone:
        canvas.text(width, y, bar.alone, role="muted", anchor="right")


def _table(tree: _Tree) -> Table:
    columns = (
        Column("", numeric=False), Column(tree.unit), Column("Of what is lost"),
        Column("Gain if it alone goes"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        ("without any loss", tree.said(tree.ideal), DASH, DASH)
    ]
    for one in _largest(tree):
        share = tree.scale * one.lost.mean / tree.gap if tree.gap > 0 else float("nan")
        rows.append(
            (f"lost to {one.cause}", tree.said(one.lost), percent(share),
             _signed(tree, one.alone))
        )  # fmt: skip
    rows.append(("made, as it is", tree.said(tree.actual), DASH, DASH))
    if tree.asked is not None:
        rows.append(("asked for", count(tree.asked), DASH, DASH))
    return Table("What is lost to what", columns, tuple(rows))


# ---------------------------------------------------------------- over the periods


def _over_time(found: LossesFile, periods: Sequence[GoalTree]) -> Figure:
    total = {
        one.cause: sum(_lost_in(it, one.cause) for it in periods)
        for one in periods[0].losses
    }
    causes = sorted(total, key=lambda cause: -total[cause])[:_STACKED]
    causes = [cause for cause in causes if total[cause] > 0]
    target = name(periods[0].target, 36)
    title = f"{target}: made, lost and asked for, period by period"
    asked = sum(it.asked for it in periods)
    made = sum(it.actual.mean for it in periods)
    parts = [f"{number(total[cause])} to {cause}" for cause in causes[:3]]
    alt = (
        "One bar for each period: what is made at its foot, on top of it what is lost "
        "to each cause, up to a line without any loss; a line shows what is asked for. "
        f"Over all periods {number(made)} are made of {count(asked)} asked for; lost "
        f"are {join(parts)}."
    )
    wide, narrow = draw_both(
        partial(_draw_periods, periods, causes), "lostover", title, alt
    )
    colors = [State("made", "made", _MADE, "")]
    colors += [State(c, f"lost to {c}", _ROLES.get(c, "muted"), "") for c in causes]
    colors += [State("rest", "lost to the rest", "grid", ""),
               State("asked", "asked for", "ink", "")]  # fmt: skip
    caption = (
        f"Units of {name(periods[0].product, 36)} in each period of {target}, on "
        "average. What comes out below zero is left out of the bars; the numbers have "
        "it."
    )
    return Figure(
        "lostover", title, alt, wide, narrow, caption, _periods_table(periods, causes),
        colors=tuple(colors), stamp=_stamp(found),
    )  # fmt: skip


def _lost_in(it: GoalTree, cause: str) -> float:
    return next((one.lost.mean for one in it.losses if one.cause == cause), 0.0)


def _draw_periods(
    periods: Sequence[GoalTree], causes: Sequence[str], width: float
) -> Canvas:
    narrow = width < 600
    canvas = Canvas(width, 286)
    most = max(max(it.ideal.mean, it.actual.mean, float(it.asked)) for it in periods)
    left, top, high = text_width(f"{most:,.0f}", SMALL) + 14, 12.0, 224.0
    long = width - left - 10
    ax = canvas.axes(left, top, long, high)
    n = len(periods)
    foot = np.array([max(it.actual.mean, 0.0) for it in periods])
    ax.bar(range(n), foot, width=0.86, color=color(_MADE), linewidth=0)
    for cause in causes:
        lost = np.array([max(_lost_in(it, cause), 0.0) for it in periods])
        ax.bar(range(n), lost, bottom=foot, width=0.86, linewidth=0,
               color=color(_ROLES.get(cause, "muted")))  # fmt: skip
        foot = foot + lost
    ideal = np.array([it.ideal.mean for it in periods])
    rest = np.maximum(ideal - foot, 0.0)
    ax.bar(range(n), rest, bottom=foot, width=0.86, color=color("grid"), linewidth=0)
    edges = np.arange(n + 1) - 0.5
    asked = [*(it.asked for it in periods), periods[-1].asked]
    ax.step(edges, asked, where="post", color=color("surface"), lw=4)
    ax.step(edges, asked, where="post", color=color("ink"), lw=2)
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_ylim(0, 1.05 * max(float((foot + rest).max()), *asked))
    ax.locator_params(axis="y", nbins=5)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:,.10g}")
    cell = long / n
    widest = max(text_width(year_and_rest(it.goal)[1], 10) for it in periods) + 4
    each = max(1, int(np.ceil(widest / cell)))
    ax.set_xticks([])
    last = ""
    for i, it in enumerate(periods):
        year, rest_of = year_and_rest(it.goal)
        x = left + cell * (i + 0.5)
        if not narrow and rest_of and i % each == 0:
            canvas.text(x, top + high + 12, rest_of, role="muted", size=10,
                        anchor="center")  # fmt: skip
        if (rest_of and year != last) or (not rest_of and i % each == 0):
            label = year if rest_of else it.goal
            canvas.text(x - cell / 2 + 2, top + high + (28 if not narrow else 14),
                        label, role="muted", size=SMALL)  # fmt: skip
            last = year
    return canvas


def _periods_table(periods: Sequence[GoalTree], causes: Sequence[str]) -> Table:
    columns = (
        Column("Period", numeric=False), Column("Asked for"), Column("Made"),
        *(Column(f"Lost to {cause}") for cause in causes), Column("Without any loss"),
    )  # fmt: skip
    rows = []
    for it in periods:
        by = {one.cause: one.lost for one in it.losses}
        rows.append(
            (
                name(it.goal, 24), count(it.asked),
                number(it.actual.mean, it.actual.half_width),
                *(number(by[cause].mean, by[cause].half_width) for cause in causes),
                number(it.ideal.mean, it.ideal.half_width),
            )
        )  # fmt: skip
    return Table("Made and lost in each period", columns, tuple(rows))
