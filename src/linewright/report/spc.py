"""A page of control charts: one self-contained HTML file, made as the brief is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linewright.drafts import write_whole
from linewright.model.outside import counts_outside
from linewright.report.appearance import style
from linewright.report.brief import require_extra
from linewright.report.canvas import SMALL, WIDE, Canvas, color, draw_both
from linewright.report.pages import render
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.words import counted, name, text_width
from linewright.stats.capability import Index
from linewright.stats.control_charts import BY_CHANCE, Chart, RuleSet, Signaled
from linewright.stats.spc import Study
from linewright.version import __version__

__all__ = ["spc_html", "write_spc"]

_MOST_POINTS = 300  # of a chart; the newest
_MOST_SIGNALS = 20
_HIGH, _GAP = 132, 44
_RULES = {"nelson": "Nelson", "western_electric": "Western Electric"}


def write_spc(
    studies: Sequence[Study], path: str | Path, stamp: str, rules: RuleSet
) -> Path:
    """Write a page of studies; it appears whole or not at all.

    Args:
        studies: What is shown, in order.
        path: File to write; it is replaced.
        stamp: Where the values come from.
        rules: Rules that signal.

    Raises:
        LinewrightError: Matplotlib or Jinja2 is not installed, or the file cannot be
            written.
    """
    target = Path(path)
    page = spc_html(studies, stamp, rules)
    write_whole(
        target, lambda draft: draft.write_text(page, encoding="utf-8", newline="\n")
    )
    return target


def spc_html(studies: Sequence[Study], stamp: str, rules: RuleSet) -> str:
    """Return the page of studies; see `write_spc`."""
    require_extra()
    n_wrong = sum(one.n_signals > 0 for one in studies)
    answer = "Nothing that was charted has a signal."
    if n_wrong:
        answer = f"{n_wrong} of {len(studies)} charted have signals."
    return render(
        "spc.html.j2",
        title=stamp.partition(",")[0],
        answer=answer,
        basis=f"Rules of {_RULES[rules]}; limits of charts lie three standard errors "
        "from the center and come from the values themselves, not from the model.",
        summary=_summary(studies),
        sections=[_section(i, one, rules) for i, one in enumerate(studies)],
        stamp=stamp,
        style=style(),
        version=__version__,
    )


def _label(one: Study) -> str:
    if one.charts[0].name == "p":
        return f"{name(one.product)}: rejected at {name(one.name)}"
    return f"{name(one.product)}: {name(one.name)}"


def _summary(studies: Sequence[Study]) -> Table:
    columns = (
        Column("Charted", numeric=False), Column("Values"), Column("Center"),
        Column("Sigma"), Column("Cp"), Column("Cpk"), Column("Outside limits"),
        Column("Signals"),
    )  # fmt: skip
    rows = tuple(
        (
            _label(one), f"{one.n:,}", f"{one.charts[0].center:.6g}",
            f"{one.capability.sigma_within:.3g}" if one.capability else "",
            _index(one.capability.cp) if one.capability else "",
            _index(one.capability.cpk) if one.capability else "",
            f"{one.capability.outside:.2%}" if one.capability else "",
            str(one.n_signals),
        )
        for one in studies
    )  # fmt: skip
    return Table("What was charted; in brackets 95 % intervals", columns, rows)


def _index(index: Index | None) -> str:
    if index is None:
        return ""
    return f"{index.value:.2f} ({index.low:.2f} to {index.high:.2f})"


def _section(i: int, one: Study, rules: RuleSet) -> Section:
    n_points = sum(len(chart.points) for chart in one.charts)
    headline = f"No signal in {counted(n_points, 'point')}"
    if one.n_signals:
        headline = f"{one.n_signals:,} of {n_points:,} points have a signal"
    key = f"study-{i + 1}"
    return Section(
        key=key,
        label=_label(one),
        headline=headline,
        text=tuple(filter(None, (_limits(one), _capable(one), _by_chance(one, rules)))),
        figures=(_figure(key, one),),
        tables=tuple(_signals(one)),
    )


def _limits(one: Study) -> str:
    of = one.limits
    said = [
        f"{word} {value:g}"
        for word, value in (
            ("from", of.lower), ("nominal", of.nominal), ("up to", of.upper)
        )
        if value is not None
    ]  # fmt: skip
    unit = f" {of.unit}" if of.unit else ""
    return f"Limits of the model: {', '.join(said)}{unit}." if said else ""


def _capable(one: Study) -> str:
    if one.capability is None or one.capability.cpk is None:
        return ""
    cpk, ppk = one.capability.cpk, one.capability.ppk
    text = f"Cpk is {_index(cpk)}"
    if ppk is not None:
        text += f"; of all values, drifts included, Ppk is {_index(ppk)}"
    return text + ". It lasts as long as the process is in control."


def _by_chance(one: Study, rules: RuleSet) -> str:
    """Return how many points have a signal by chance."""
    chart = one.charts[0]
    if chart.name == "c":
        limits = float(chart.lower[0]), float(chart.upper[0])
        share = counts_outside(chart.center, *limits)
        return f"Of counts with this mean, {share:.1%} lie beyond the limits by chance."
    if chart.name == "p":
        return ""
    share = BY_CHANCE[rules]
    return (
        f"Where all is in control, about {share:.1%} of the points of {chart.name} "
        "have a signal by chance."
    )


def _signals(one: Study) -> list[Table]:
    rows = [
        (chart.name, str(found.point + 1), found.text)
        for chart, told in zip(one.charts, one.signals, strict=True)
        for found in told
    ]
    if not rows:
        return []
    caption = "Signals, the newest last"
    if len(rows) > _MOST_SIGNALS:
        caption = f"The newest {_MOST_SIGNALS} of {len(rows)} signals"
    columns = (
        Column("Chart", numeric=False),
        Column("Point"),
        Column("What was found", numeric=False),
    )
    return [Table(caption, columns, tuple(rows[-_MOST_SIGNALS:]))]


# ---------------------------------------------------------------- drawing


def _figure(key: str, one: Study) -> Figure:
    title = f"Control charts of {_label(one)}"
    names = ", ".join(chart.name for chart in one.charts)
    alt = f"{names}; {counted(one.n_signals, 'point')} with a signal."
    wide, narrow = draw_both(lambda width: _draw(one, width), key, title, alt)
    n = max(len(chart.points) for chart in one.charts)
    shown = f" The newest {_MOST_POINTS} points are shown." if n > _MOST_POINTS else ""
    caption = (
        "Each point in order; the line is the center, dashed lines are control limits, "
        f"and points with a signal are red.{shown}"
    )
    return Figure(key, title, alt, wide, narrow, caption, _numbers(one))


def _numbers(one: Study) -> Table:
    columns = (
        Column("Chart", numeric=False), Column("Points"), Column("Center"),
        Column("Lower limit"), Column("Upper limit"), Column("Signals"),
    )  # fmt: skip
    rows = tuple(
        (
            chart.name, f"{len(chart.points):,}", f"{chart.center:.6g}",
            f"{chart.lower[-1]:.6g}", f"{chart.upper[-1]:.6g}", str(len(told)),
        )
        for chart, told in zip(one.charts, one.signals, strict=True)
    )  # fmt: skip
    return Table("Limits of the last point", columns, rows)


def _draw(one: Study, width: float) -> Canvas:
    canvas = Canvas(width, len(one.charts) * (_HIGH + _GAP) + 8)
    words = [f"{value:.5g}" for chart in one.charts for value in _span(chart)]
    left = max(text_width(text, SMALL) for text in words) + 18
    for i, (chart, told) in enumerate(zip(one.charts, one.signals, strict=True)):
        top = 24 + i * (_HIGH + _GAP)
        canvas.text(0, top - 14, chart.name, bold=True)
        _draw_chart(canvas, chart, told, (left, top, width - left - 12, _HIGH))
    return canvas


def _span(chart: Chart) -> tuple[float, float]:
    points = chart.points[-_MOST_POINTS:]
    low = min(float(points.min()), float(chart.lower[-1]))
    high = max(float(points.max()), float(chart.upper[-1]))
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _draw_chart(
    canvas: Canvas,
    chart: Chart,
    told: Sequence[Signaled],
    frame: tuple[float, float, float, float],
) -> None:
    ax = canvas.axes(*frame)
    first = max(len(chart.points) - _MOST_POINTS, 0)
    xs = np.arange(first, len(chart.points)) + 1
    points = chart.points[first:]
    accent, bad, muted = color("accent"), color("bad"), color("muted")
    ax.plot(xs, np.full(len(xs), chart.center), color=muted, lw=1.2)
    for limit in (chart.lower, chart.upper):
        ax.plot(xs, limit[first:], color=muted, lw=1.2, ls=(0, (5, 3)))
    size = 3.2 if len(xs) < 120 and canvas.width >= WIDE else 2.0
    ax.plot(xs, points, color=accent, lw=1.0, marker="o", ms=size)
    wrong = sorted({one.point for one in told if one.point >= first})
    if wrong:
        at = np.array(wrong)
        ax.plot(at + 1, chart.points[at], color=bad, ls="", marker="o", ms=size + 2)
    ax.set_ylim(*_span(chart))
    ax.set_xlim(xs[0] - 1, xs[-1] + 1)
    ax.locator_params(axis="y", nbins=4)
    ax.locator_params(axis="x", nbins=5 if canvas.narrow else 10, integer=True)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:.6g}")
