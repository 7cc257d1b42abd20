"""What each time is worth: shares of the chain of causes, and what was confirmed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from linewright.improve.files import BottleneckFile, Confirmed, Share
from linewright.report.bars import Row, draw_bars
from linewright.report.canvas import SMALL, Canvas, color, draw_both, label_room
from linewright.report.facts import Facts
from linewright.report.palette import State
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.sections.holds import basis, is_outside, stamp
from linewright.report.words import DASH, counted, fit, join, name, number, percent
from linewright.stats.intervals import Interval

__all__ = ["section"]

SHOWN = 16

_KINDS = (
    State("processing", "processing", "processing", ""),
    State("setup", "setup", "setup", ""),
    State("loading", "loading and unloading", "loading", ""),
    State("repair", "repair", "failed", ""),
    State("maintenance", "maintenance", "maintenance", ""),
    State("walking", "people on their way", "break", ""),
    State("conveyor", "on the conveyor", "muted", ""),
    State("batch_wait", "waiting for a full batch", "waiting", ""),
    State("transport", "transport", "line", ""),
    State("vehicle", "vehicles", "line", ""),
    State("arrival", "arrivals", "starved", ""),
    State("calendar", "shifts, orders, deliveries", "off-shift", ""),
)
"""What time goes by, in the order in which bars stack it; colors as of the states."""

_PLACE = {state.key: i for i, state in enumerate(_KINDS)}
_AT_STATION = frozenset(
    {
        "processing",
        "setup",
        "loading",
        "repair",
        "maintenance",
        "walking",
        "conveyor",
        "batch_wait",
    }
)
_MARKS = (
    State("promised", "promised by its share", "starved", ""),
    State("confirmed", "confirmed by running the changed line", "accent", ""),
)
_WEARS = (
    "Machines here fail by the time that they work: less processing also brings fewer "
    "failures, which comes on top of its share."
)


@dataclass(frozen=True, slots=True)
class _Group:
    """All times at one place."""

    label: str
    levers: tuple[Share, ...]
    total: Interval | None

    @property
    def mean(self) -> float:
        return sum(lever.elasticity.mean for lever in self.levers)


def section(facts: Facts) -> Section | None:
    """Return what each time is worth, or nothing where it was not looked at."""
    found = facts.found.bottleneck
    if found is None or not found.worth:
        return None
    groups = _groups(found)
    figures = [_shares_figure(found, groups)]
    if found.confirmed:
        figures.append(_gains_figure(found))
    notes = (basis(found),)
    return Section(
        "worth", "What each time is worth", _headline(found), tuple(_text(found)),
        tuple(figures), after=tuple(_doubts(found)), notes=notes,
    )  # fmt: skip


# ---------------------------------------------------------------- words


def _what(lever: Share) -> str:
    """Return a time in words, such as `repair (pump)`."""
    known = _PLACE.get(lever.kind)
    label = lever.kind.replace("_", " ") if known is None else _KINDS[known].label
    return f"{label} ({name(lever.name, 36)})" if lever.name else label


def _own(found: BottleneckFile) -> list[Share]:
    """Return the times that the line itself can shorten, the most worth first."""
    return [lever for lever in found.worth if lever.kind not in {"arrival", "calendar"}]


def _headline(found: BottleneckFile) -> str:
    if is_outside(found):
        inner = sum(lever.elasticity.mean for lever in _own(found))
        return (
            "No time at a station is worth much: shifts, orders and deliveries are "
            f"{percent(1 - inner)} of the chain of causes"
        )
    sure = [one for one in found.confirmed if one.gain.low > 0]
    if sure:
        best = max(sure, key=lambda one: one.gain.mean)
        gain = percent(best.gain.mean, best.gain.half_width)
        return f"{name(best.change, 80)} brings {gain} more units, confirmed"
    own = _own(found)
    if not own:
        return "No time of the line's own sets its output"
    share = own[0].elasticity
    about = "about " if found.doubts else ""
    return (
        f"1% less {_what(own[0])} at {name(own[0].place, 36)} gives {about}"
        f"{number(share.mean, share.half_width, 2)}% more units"
    )


def _text(found: BottleneckFile) -> list[str]:
    text = [
        "A bar is the share of the chain of causes that goes by at a place. If 20% of "
        "the chain is one kind of time, 1% less of that time gives 0.2% more units. "
        "What is not on the chain can be shortened without any gain."
    ]
    own = _own(found)[:3]
    if own:
        parts = [
            f"{_what(it)} at {name(it.place, 36)} "
            f"({percent(it.elasticity.mean, it.elasticity.half_width)})"
            for it in own
        ]
        text.append(f"Most is worth: {join(parts)}.")
    if found.confirmed:
        text.append(_confirmation(found))
    return text


def _confirmation(found: BottleneckFile) -> str:
    n = len(found.confirmed)
    sure = sum(one.gain.low > 0 for one in found.confirmed)
    seed = found.about.seed_of_confirmation
    tried = counted(n, "change was", "changes were")
    text = (
        f"The most promising {tried} tried by running the changed line "
        f"beside the present one on new random numbers (seed {seed}): {sure} of {n} "
        f"certainly {'gains' if sure == 1 else 'gain'}."
    )
    less = [one for one in found.confirmed if one.gain.high < one.promised.mean]
    if less:
        many = "One brings" if len(less) == 1 else f"{len(less)} bring"
        text += (
            f" {many} less than the share promised: a share holds for small changes, "
            "and after a larger one another station holds the line back."
        )
    more = [one for one in found.confirmed if one.gain.low > one.promised.mean]
    if more and found.wears:
        many = "One brings" if len(more) == 1 else f"{len(more)} bring"
        text += f" {many} more than promised, because fewer failures come with it."
    return text


def _doubts(found: BottleneckFile) -> list[str]:
    more = [_WEARS] if found.wears else []
    if not found.doubts:
        exact = (
            "In a line like this one the shares are exact for small changes, up to the "
            "chance of the draw."
        )
        return [exact, *more]
    reasons = "; ".join(found.doubts)
    tail = (
        "What counts is what was confirmed."
        if found.confirmed
        else "None of them was confirmed by running a changed line."
    )
    return [
        f"The shares are estimates here, because a small change of a time may change "
        f"who goes first: {reasons}. {tail}",
        *more,
    ]


# ---------------------------------------------------------------- shares


def _groups(found: BottleneckFile) -> list[_Group]:
    """Return the times by place, the place with most first."""
    places: dict[tuple[str, str], list[Share]] = {}
    for lever in found.worth:
        at_station = lever.kind in _AT_STATION and lever.place
        key = ("", lever.place) if at_station else (lever.kind, lever.place)
        places.setdefault(key, []).append(lever)
    groups = [
        _Group(_label(kind, place), tuple(levers), _total(found, kind, place, levers))
        for (kind, place), levers in places.items()
    ]
    return sorted(groups, key=lambda group: -group.mean)


def _label(kind: str, place: str) -> str:
    if not kind:
        return name(place)
    known = _PLACE.get(kind)
    label = kind.replace("_", " ") if known is None else _KINDS[known].label
    words = {"transport": "ways to", "arrival": "arrivals of"}.get(kind, "")
    if not place:
        return label
    return f"{words} {name(place)}".strip()


def _total(
    found: BottleneckFile, kind: str, place: str, levers: Sequence[Share]
) -> Interval | None:
    """Return the interval of a place's whole share, where it is known."""
    if not kind and place in found.path.scores:
        return found.path.scores[place]
    return levers[0].elasticity if len(levers) == 1 else None


def _pieces(group: _Group) -> tuple[tuple[str, float], ...]:
    ordered = sorted(group.levers, key=lambda it: _PLACE.get(it.kind, 99))
    return tuple(
        (_KINDS[_PLACE[it.kind]].role, 100 * it.elasticity.mean)
        for it in ordered
        if it.kind in _PLACE
    )


def _row(group: _Group) -> Row:
    total = group.total
    half = math.nan if total is None else total.half_width
    known = total is not None and math.isfinite(total.low) and math.isfinite(total.high)
    ends = (100 * total.low, 100 * total.high) if total and known else None
    return Row(group.label, _pieces(group), percent(group.mean, half), ends)


def _shares_figure(found: BottleneckFile, groups: Sequence[_Group]) -> Figure:
    seen = [group for group in groups if group.mean > 0.0005][:SHOWN] or [groups[0]]
    rows = [_row(group) for group in seen]
    title = "Share of the chain of causes, by place and kind of time"
    most = join([f"{row.label} {row.value}" for row in rows[:3]])
    alt = f"One stacked bar for each place. Most: {most}."
    wide, narrow = draw_both(partial(draw_bars, rows, "%"), "worth", title, alt)
    kinds = {it.kind for group in seen for it in group.levers}
    caption = (
        "Per cent of the chain of causes; thin lines are intervals of the whole bar. "
        "All shares together are 100%."
    )
    if len(seen) < len(groups):
        caption += f" {len(seen)} of {counted(len(groups), 'place')}."
    return Figure(
        "worth", title, alt, wide, narrow, caption, _shares_table(found),
        colors=tuple(kind for kind in _KINDS if kind.key in kinds), stamp=stamp(found),
    )  # fmt: skip


def _shares_table(found: BottleneckFile) -> Table:
    columns = (
        Column("Place", numeric=False),
        Column("Time", numeric=False),
        Column("Share of the chain"),
        Column("1% less gives"),
    )
    rows = tuple(
        (
            name(it.place, 200) or DASH,
            _what(it),
            percent(it.elasticity.mean, it.elasticity.half_width),
            f"+{number(it.elasticity.mean)}%" if it.kind != "calendar" else DASH,
        )
        for it in found.worth
    )
    return Table("Every kind of time, the most worth first", columns, rows)


# ---------------------------------------------------------------- gains


def _gains_figure(found: BottleneckFile) -> Figure:
    title = "Gain of each change: promised and confirmed"
    parts = [
        f"{name(one.change, 80)}: promised {percent(one.promised.mean)}, confirmed "
        f"{percent(one.gain.mean, one.gain.half_width)}"
        for one in found.confirmed[:3]
    ]
    alt = f"Two points with intervals for each change. {'; '.join(parts)}."
    wide, narrow = draw_both(partial(_draw_gains, found.confirmed), "gains", title, alt)
    seed = found.about.seed_of_confirmation
    caption = (
        "More units, per cent of the output as it is. Lines are intervals. Confirmed "
        f"on seed {seed}, which had no part in the promise."
    )
    return Figure(
        "gains", title, alt, wide, narrow, caption, _gains_table(found), colors=_MARKS,
        stamp=stamp(found),
    )  # fmt: skip


def _draw_gains(gains: Sequence[Confirmed], width: float) -> Canvas:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - optional

    narrow = width < 600
    step, top, foot = (48 if narrow else 36), 8, 26
    canvas = Canvas(width, top + step * len(gains) + foot)
    labels = [name(one.change, 80) for one in gains]
    left = 8.0 if narrow else label_room(labels, 300)
    room = width - left - (76 if narrow else 96)
    ends = [
        end for one in gains for it in (one.promised, one.gain) for end in _ends(it)
    ]
    low, high = min(0.0, *ends), max(0.001, *ends)
    ax = canvas.axes(left, top, room, step * len(gains))
    pad = 0.03 * (high - low)
    ax.set_xlim(100 * (low - (pad if low < 0 else 0)), 100 * (high + pad))
    ax.set_ylim(len(gains), 0)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(3 if narrow else 6, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}%")
    ax.grid(visible=True, axis="x", color=color("grid"), linewidth=1)
    for i, one in enumerate(gains):
        y = top + step * i
        canvas.text(
            left if narrow else 0,
            y + (9 if narrow else step / 2),
            fit(labels[i], width - left - 4 if narrow else left - 12, SMALL),
            size=SMALL,
        )
        middle = (0.66 if narrow else 0.5) + i
        for it, role, off in (
            (one.promised, "starved", -0.14),
            (one.gain, "accent", 0.14),
        ):
            a, b = (100 * end for end in _ends(it))
            ax.plot([a, b], [middle + off] * 2, color=color(role), lw=2.2)
            ax.plot(
                [100 * it.mean], [middle + off], "o", ms=7.5, color=color(role),
                mec=color("line") if role == "starved" else color("surface"), mew=1,
            )  # fmt: skip
        canvas.text(
            width - 2,
            top + step * middle,
            percent(one.gain.mean, one.gain.half_width),
            anchor="right",
            bold=True,
        )
    return canvas


def _ends(it: Interval) -> tuple[float, float]:
    known = math.isfinite(it.low) and math.isfinite(it.high)
    return (it.low, it.high) if known else (it.mean, it.mean)


def _gains_table(found: BottleneckFile) -> Table:
    columns = (
        Column("Change", numeric=False),
        Column("Promised by its share"),
        Column("Confirmed"),
        Column("Interval"),
    )
    rows = tuple(
        (
            name(one.change, 200),
            percent(one.promised.mean, one.promised.half_width),
            percent(one.gain.mean, one.gain.half_width),
            f"{percent(one.gain.low)} to {percent(one.gain.high)}",
        )
        for one in found.confirmed
    )
    return Table("Gain of each change that was tried", columns, rows)
