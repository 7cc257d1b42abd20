"""What to change for the money, and the decisions that are asked for."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from functools import partial

from linewright.improve.decisions import Decision
from linewright.improve.files import ImprovementFile
from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Facts, stamp_of
from linewright.report.palette import State
from linewright.report.parts import Cell, Column, Figure, Section, Table
from linewright.report.sections.appendix import span
from linewright.report.words import (
    DASH,
    NBSP,
    clean,
    counted,
    join,
    name,
    number,
    percent,
    text_width,
)
from linewright.stats.intervals import Interval

__all__ = ["asked", "money_words", "question", "ratified", "section"]

_WORDS = {
    "throughput": ("more good units", "good units an hour"),
    "flow_time": ("less time in the line", "h in the line"),
    "profit": ("more profit", "profit"),
    "target": ("more chance of meeting the targets", "chance of meeting the targets"),
}
_ZONES = {
    "throughput": " of the present output",
    "flow_time": " of the present time in the line",
    "profit": " of the highest profit",
    "target": " in the chance",
}
_COLORS = (
    State("chosen", "the chosen set, its gain confirmed on new runs", "good", ""),
    State("frontier", "no other set is both cheaper and better", "accent", ""),
    State("others", "other sets that were looked at", "line", ""),
)
_MOST_DOTS = 400


# ---------------------------------------------------------------- words


def money_words(facts: Facts, amount: float) -> str:
    """Return an amount with its currency."""
    return f"{amount:,.10g}{NBSP}{name(facts.line.currency or '', 12)}".strip()


def _gain(found: ImprovementFile) -> str:
    """Return the confirmed gain, such as `10.4 ± 0.3% more good units`."""
    it = found.improvement.relative_gain
    if found.study.is_chance:
        points = number(100 * it.mean, 100 * it.half_width)
        return f"{points} percentage points {_better(found)}"
    return f"{percent(it.mean, it.half_width)} {_better(found)}"


def _kind(found: ImprovementFile) -> str:
    return found.study.objective.partition(":")[0]


def _words(found: ImprovementFile) -> tuple[str, str]:
    return _WORDS.get(_kind(found), ("better", ""))


def _better(found: ImprovementFile) -> str:
    return _words(found)[0]


def _amount(facts: Facts, found: ImprovementFile, value: float, half: float) -> str:
    """Return a value of the objective: percentage points of a chance, or a number."""
    if found.study.is_chance:
        return percent(value, half)
    shown = value if found.study.objective == "profit" else abs(value)
    unit = _words(found)[1]
    if found.study.objective == "profit":
        unit = f"{name(facts.line.currency or '', 12)} of profit".strip()
    return f"{number(shown, half)} {unit}".strip()


def _is_sure(found: ImprovementFile) -> bool:
    """Return whether something is chosen and certainly gains."""
    return bool(found.improvement.chosen) and found.improvement.relative_gain.low > 0


def ratified(facts: Facts) -> Decision | None:
    """Return the decision that the proposal has become, if it has."""
    found = facts.found.improvement
    if found is None or not found.improvement.chosen:
        return None
    it = found.improvement
    for decision in facts.found.decisions:
        if (decision.model_hash, decision.changed_hash) == (
            it.model_hash,
            it.changed_hash,
        ):
            return decision
    return None


def question(facts: Facts) -> str:
    """Return the decision that is asked for, as a sentence for the head of the page."""
    found = facts.found.improvement
    if found is None or not _is_sure(found) or ratified(facts):
        return ""
    cost = money_words(facts, found.improvement.cost)
    return f"A decision is asked for: {cost} for {_gain(found)}."


def _headline(facts: Facts, found: ImprovementFile) -> str:
    it = found.improvement
    if not it.chosen:
        return "Nothing on offer is better than the line as it is"
    n = counted(len(it.chosen), "change")
    cost = money_words(facts, it.cost)
    if not _is_sure(found):
        return f"{n} for {cost} came out best, but their gain is not certain"
    return f"{n} for {cost} would bring {_gain(found)}"


def _text(facts: Facts, found: ImprovementFile) -> list[str]:
    it = found.improvement
    text = [f"The budget is {money_words(facts, it.budget)}"]
    text[0] += f"; {money_words(facts, it.cost)} would be spent." if it.chosen else "."
    now = _amount(facts, found, it.base.mean, it.base.half_width)
    if found.study.is_chance:
        now += f" {_words(found)[1]}"
        more = f"{number(100 * it.gain.mean, 100 * it.gain.half_width)} points more"
    else:
        more = number(abs(it.gain.mean), it.gain.half_width)
        more += " less" if found.study.objective == "flow_time" else " more"
    if it.chosen:
        text[0] += (
            f" The line as it is: {now}. With the changes {more}, in "
            f"{counted(it.gain.n, 'pair')} of runs (seed {it.seed + 1}) "
            "that had no part in the choice."
        )
    if half := _half_way(facts, found):
        text.append(half)
    text.append(_guarantee(found))
    if it.chosen and not _is_sure(found):
        text.append(
            "The interval of the gain reaches down to nothing. Ask for more runs "
            "before money is spent."
        )
    return text


def _half_way(facts: Facts, found: ImprovementFile) -> str:
    """Return the cheapest set with at least half of the gain, if it costs far less."""
    it = found.improvement
    most = max((one.gain.mean for one in it.frontier), default=0.0)
    if not it.chosen or most <= 0:
        return ""
    for one in sorted(it.frontier, key=lambda s: s.cost):
        if one.options and one.gain.mean >= 0.5 * most:
            if one.cost > 0.6 * it.cost:
                return ""
            share = percent(one.gain.mean / most)
            return (
                f"{share} of that gain costs {money_words(facts, one.cost)}: "
                f"{_set_words(one.options, 4)}. Each step further brings less for the "
                "money."
            )
    return ""


def _guarantee(found: ImprovementFile) -> str:
    it, study = found.improvement, found.study
    zone = percent(study.indifference) + _ZONES.get(_kind(found), "")
    sets = "sets that the budget allows" if it.is_exhaustive else "sets that were tried"
    if it.is_complete:
        least = f"{study.confidence:.0%}"
        text = (
            f"How sure the choice is: with a probability of at least {least}, none of "
            f"the {sets} is better by more than {zone}."
        )
    else:
        text = (
            "How sure the choice is: the comparison did not come to its end, so this "
            f"is the best of the {sets} only as far as can be told. More runs, or a "
            "wider zone of what counts as equal, would settle it."
        )
    if not it.is_exhaustive:
        text += (
            " There are too many sets to try all; the search went on as long as "
            "adding, dropping or swapping one change helped."
        )
    return text


def _set_words(options: Sequence[str], most: int = 99) -> str:
    return join((name(one, 80) for one in options), most) or "as it is"


# ---------------------------------------------------------------- the frontier


def section(facts: Facts) -> Section | None:
    """Return the best set of changes for the money, or nothing if none was sought."""
    found = facts.found.improvement
    if found is None:
        return None
    it = found.improvement
    runs = f"{it.n_evaluations:,} runs"
    length = span(found.study.horizon_us - found.study.warmup_us)
    notes = (
        f"From {runs} of {length} after the warm-up, by linewright improve; \u00b1 "
        f"is the {found.study.confidence:.0%} confidence interval.",
        f"For engineers: {it.guarantee}",
        *map(clean, it.remarks),
    )
    figures = (_figure(facts, found),) if it.candidates else ()
    return Section(
        "money", "What to change for the money", _headline(facts, found),
        tuple(_text(facts, found)), figures, notes=notes,
    )  # fmt: skip


def _scale(found: ImprovementFile) -> float:
    if found.study.is_chance:
        return 100.0
    return 100 / (abs(found.improvement.base.mean) or math.nan)


def _of(found: ImprovementFile) -> str:
    """Say what a gain is shown as a share of."""
    return "in points" if found.study.is_chance else "per cent of the line as it is"


def _figure(facts: Facts, found: ImprovementFile) -> Figure:
    it = found.improvement
    title = "Gain for money: every set of changes that was looked at"
    best = it.frontier[-1] if it.frontier else it.candidates[0]
    gain = percent(best.gain.mean * _scale(found) / 100)
    chosen = (
        f" The chosen set costs {money_words(facts, it.cost)} and gains {_gain(found)}."
        if it.chosen
        else ""
    )
    alt = (
        f"Cost from left to right, gain upwards. {counted(len(it.frontier), 'set')} "
        f"for which no other is both cheaper and better, up to {gain} for "
        f"{money_words(facts, best.cost)}.{chosen}"
    )
    wide, narrow = draw_both(partial(_draw, facts, found), "money", title, alt)
    caption = (
        f"Gain: {_better(found)}, {_of(found)}. Lines are intervals; "
        "between two costs the best is the cheaper of the two, hence the steps. The "
        "best of many tends to look better than it is, so the chosen set was run again."
    )
    n = len(it.candidates)
    if n > _MOST_DOTS:
        caption += f" The best {_MOST_DOTS} of {n:,} sets."
    colors = _COLORS if it.chosen else _COLORS[1:]
    stamp = stamp_of(it.model_hash, it.seed, it.version)
    return Figure(
        "money", title, alt, wide, narrow, caption, _table(facts, found),
        colors=colors, stamp=stamp,
    )  # fmt: skip


def _draw(facts: Facts, found: ImprovementFile, width: float) -> Canvas:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - optional

    it, scale = found.improvement, _scale(found)
    narrow = width < 600
    canvas = Canvas(width, 314)
    left = 46
    ax = canvas.axes(left, 26, width - left - 16, 236)
    dots = it.candidates[:_MOST_DOTS]
    ax.plot(
        [one.cost for one in dots], [scale * one.gain.mean for one in dots], "o",
        ms=3.4, color=color("line"), mew=0, alpha=0.8,
    )  # fmt: skip
    steps = [(one.cost, scale * one.gain.mean) for one in it.frontier]
    ax.step(*zip(*steps, strict=True), where="post", color=color("accent"), lw=1.3)
    for one in it.frontier:
        if one.options:
            _mark(ax, one.cost, one.gain, scale, "accent")
    if it.chosen:
        _mark(ax, it.cost, it.gain, scale, "good")
    most = max([it.budget, it.cost, *(one.cost for one in it.frontier)])
    ax.set_xlim(-0.03 * most, 1.05 * most)
    shown = [scale * one.gain.mean for one in (*dots, *it.frontier)]
    ends = [scale * e for one in it.frontier for e in _ends(one.gain)]
    ends += [scale * e for e in _ends(it.gain)]
    # sets far below the line as it is would flatten the rest
    high = max(0.1, *ends, *shown)
    low = max(min(0.0, *ends, *shown), -0.4 * high)
    ax.set_ylim(low - 0.05 * (high - low), high + 0.08 * (high - low))
    if low < 0:
        ax.axhline(0, color=color("line"), lw=1)
    ax.axvline(it.budget, color=color("line"), lw=1, dashes=(4, 3))
    ax.xaxis.set_major_locator(MaxNLocator(3 if narrow else 8))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:,.10g}")
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}%".replace("-", "\u2212"))
    canvas.text(2, 10, "gain", role="muted", size=SMALL)
    unit = name(facts.line.currency or "", 12)
    axis = f"cost, {unit}" if unit else "cost"
    canvas.text(width - 16, 298, axis, role="muted", size=SMALL, anchor="right")
    x = left + (width - left - 16) * (it.budget + 0.03 * most) / (1.08 * most)
    x = min(x, width - text_width("budget", SMALL) / 2 - 2)
    canvas.text(x, 14, "budget", role="muted", size=SMALL, anchor="center")
    return canvas


def _mark(ax, cost: float, gain: Interval, scale: float, role: str) -> None:  # type: ignore[no-untyped-def]
    """Draw a point with its interval; what was chosen stands out."""
    low, high = (scale * end for end in _ends(gain))
    ax.plot([cost, cost], [low, high], color=color(role), lw=1.6)
    marker, size = ("D", 10) if role == "good" else ("o", 6.5)
    ax.plot(
        [cost], [scale * gain.mean], marker, ms=size, color=color(role),
        mec=color("surface"), mew=1,
    )  # fmt: skip


def _ends(gain: Interval) -> tuple[float, float]:
    known = math.isfinite(gain.low) and math.isfinite(gain.high)
    return (gain.low, gain.high) if known else (gain.mean, gain.mean)


def _table(facts: Facts, found: ImprovementFile) -> Table:
    it, scale = found.improvement, _scale(found) / 100
    chosen = frozenset(it.chosen)
    unit = name(facts.line.currency or "", 12)
    columns = (
        Column("Set", numeric=False),
        Column(f"Cost, {unit}" if unit else "Cost"),
        Column("Gain"),
        Column("Runs"),
    )
    rows: list[tuple[Cell, ...]] = []
    if it.chosen:
        rel = it.relative_gain
        rows.append(
            (
                f"Chosen, confirmed: {_set_words(it.chosen)}",
                f"{it.cost:,.10g}",
                percent(rel.mean, rel.half_width),
                f"{it.gain.n:,}",
            )
        )
    for one in it.frontier:
        mark = "Chosen, in the search: " if set(one.options) == chosen else ""
        if not one.options:
            mark = ""
        rows.append(
            (
                f"{mark}{_set_words(one.options)}",
                f"{one.cost:,.10g}",
                percent(scale * one.gain.mean, scale * one.gain.half_width)
                if one.options
                else DASH,
                f"{one.replications:,}",
            )
        )
    caption = "Sets for which no other is both cheaper and better, the cheapest first"
    return Table(caption, columns, tuple(rows))


# ---------------------------------------------------------------- decisions


def asked(facts: Facts) -> Section | None:
    """Return what is to be ratified, or nothing where nothing is proposed."""
    found = facts.found.improvement
    if found is None or not found.improvement.chosen:
        return None
    it = found.improvement
    label, key = "Decisions asked for", "asked"
    table = _items_table(facts, found)
    done = ratified(facts)
    if done:
        said = f"Ratified as decision {done.number} on {name(done.on)}: {_gain(found)}"
        by = f"By {name(done.by, 80)}, because: {clean(done.reason)}"
        return Section(key, "Decision taken", said, (by,), tables=(table,))
    if not _is_sure(found):
        said = "Not yet to be decided: the gain is not certain"
        text = "More runs may settle it; this is what would be asked for."
        return Section(key, label, said, (text,), tables=(table,))
    cost = money_words(facts, it.cost)
    said = f"To ratify: {cost} for {_gain(found)}{_until(it.lead_time_us)}"
    text = (
        "Ratified, the changes become a dated and signed file beside the model, and "
        "what they promised is kept in the ledger, to be held against what comes of it."
    )
    command = shlex.join(["linewright", "ratify", facts.found.model, _proposal(facts)])
    return Section(
        key,
        label,
        said,
        (text,),
        tables=(table,),
        after=("Whoever decides signs it with:",),
        commands=(f'{clean(command)} --by "NAME" --reason "WHY"',),
    )


def _proposal(facts: Facts) -> str:
    return facts.found.proposal


def _until(lead_time_us: int) -> str:
    if not lead_time_us:
        return ", at once"
    return f", all of it there {span(lead_time_us)} after the decision"


def _items_table(facts: Facts, found: ImprovementFile) -> Table:
    it = found.improvement
    unit = name(facts.line.currency or "", 12)
    columns = (
        Column("Change", numeric=False),
        Column(f"Cost, {unit}" if unit else "Cost"),
        Column("There after"),
    )
    rows: list[tuple[Cell, ...]] = [
        (_item_words(one.name, one.note), f"{one.cost:,.10g}", _after(one.lead_time_us))
        for one in it.items
    ] or [(name(one, 200), DASH, DASH) for one in it.chosen]
    rows.append(("All together", f"{it.cost:,.10g}", _after(it.lead_time_us)))
    return Table("Changes, if all are begun at once", columns, tuple(rows))


def _item_words(label: str, note: str) -> str:
    return f"{name(label, 200)} ({name(note, 200)})" if note else name(label, 200)


def _after(lead_time_us: int) -> str:
    return span(lead_time_us) if lead_time_us else "at once"
