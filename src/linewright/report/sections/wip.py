"""Units in the line over time: does work in process settle, how wide is its band."""

from __future__ import annotations

from functools import partial

import numpy as np

from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Facts, Floats, Series
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.times import label_dates
from linewright.report.words import count, counted, number

__all__ = ["band", "band_table", "draw_band", "section"]

TABLE_ROWS = 120


def band(series: Series) -> tuple[Floats, Floats, Floats]:
    """Return the 10 % point, the mean and the 90 % point over replications."""
    low, high = np.percentile(series.values, [10, 90], axis=0)
    return low, series.values.mean(axis=0), high


def band_table(facts: Facts, series: Series, caption: str, unit: str) -> Table:
    """Return a band over time as a table, thinned to a readable length."""
    low, mean, high = band(series)
    step = -(-mean.size // TABLE_ROWS)
    rows = tuple(
        (
            f"{facts.local(series.start_us[i]):%Y-%m-%d %H:%M}",
            count(mean[i]),
            count(low[i]),
            count(high[i]),
        )
        for i in range(0, mean.size, step)
    )
    every = f", every {step}th period" if step > 1 else ""
    columns = (
        Column("Period from", numeric=False),
        Column(f"Mean, {unit}"),
        Column(f"10%, {unit}"),
        Column(f"90%, {unit}"),
    )
    return Table(caption + every, columns, rows)


def draw_band(ax, series: Series, facts: Facts) -> None:  # type: ignore[no-untyped-def]
    """Draw the band and the mean over days since the start; shade the warm-up."""
    low, mean, high = band(series)
    days = (series.start_us + series.end_us) / 2 / 8.64e10
    if series.values.shape[0] > 1:
        ax.fill_between(days, low, high, color=color("accent-soft"), lw=0)
    ax.plot(days, mean, color=color("accent"), lw=1.8)
    ax.set_xlim(series.start_us[0] / 8.64e10, series.end_us[-1] / 8.64e10)
    ax.set_ylim(0, max(1.0, 1.08 * float(high.max())))
    warm = facts.warmup_us / 8.64e10
    if warm > ax.get_xlim()[0]:
        ax.axvspan(ax.get_xlim()[0], warm, color=color("band"), lw=0, zorder=0)
        ax.axvline(warm, color=color("line"), lw=1, dashes=(4, 3))


def _draw(facts: Facts, series: Series, width: float) -> Canvas:
    narrow = width < 600
    canvas = Canvas(width, 300)
    left = 44
    ax = canvas.axes(left, 26, width - left - 10, 230)
    draw_band(ax, series, facts)
    ax.locator_params(axis="y", nbins=6)
    label_dates(ax, facts, 4 if narrow else 10)
    canvas.text(2, 10, "units in the line", role="muted", size=SMALL)
    low, high = ax.get_xlim()
    warm = facts.warmup_us / 8.64e10
    if (width - left - 10) * (warm - low) / (high - low) > 64:
        at = left + (width - left - 10) * (warm - low) / (high - low) / 2
        canvas.text(at, 36, "warm-up", role="muted", size=SMALL, anchor="center")
    return canvas


def _trend(facts: Facts, series: Series) -> str:
    """Say where the measured time begins and ends, in quarters."""
    kept = series.values[:, series.start_us >= facts.warmup_us]
    if kept.shape[1] < 8:
        return ""
    quarter = kept.shape[1] // 4
    first, last = kept[:, :quarter].mean(axis=1), kept[:, -quarter:].mean(axis=1)
    a, b = float(first.mean()), float(last.mean())
    low, high = np.percentile(last, [10, 90])
    text = (
        f"The first quarter of the measured time holds {count(a)} units on average, "
        f"the last {count(b)}"
    )
    if first.size > 1:
        text += f" (10 to 90% of replications: {count(low)} to {count(high)})"
    if first.size >= 4 and a > 0 and b > 1.25 * a and (last > first).mean() >= 0.9:
        return (
            f"{text}. Work piles up: the line cannot keep pace with what is released, "
            "and flow times would grow with the length of the run."
        )
    return f"{text}."


def section(facts: Facts) -> Section | None:
    """Return units in the line over time, or nothing without such a series."""
    series = facts.series("wip")
    if series is None or not series.values.size:
        return None
    kept = series.values[:, series.start_us >= facts.warmup_us]
    found = facts.estimate("wip_mean")
    mean = found.mean if found.known else float(kept.mean()) if kept.size else 0.0
    headline = f"The line holds {number(mean, found.half)} units on average"
    if kept.size:
        # percentiles of pooled periods: how far a single week strays
        low, high = np.percentile(kept, [10, 90])
        headline += f"; in 8 of 10 periods between {count(low)} and {count(high)}"
    title = "Units in the line (WIP) over time"
    text = tuple(filter(None, [_trend(facts, series)]))
    alt = f"{headline}. {' '.join(text)}"
    wide, narrow = draw_both(partial(_draw, facts, series), "wip", title, alt)
    n = series.values.shape[0]
    spread = f" Band: 10 to 90% of {counted(n, 'replication')}." if n > 1 else ""
    warm = " Shaded: warm-up, left out of all figures." if facts.warmup_us else ""
    caption = f"Line: mean of each period.{spread}{warm}"
    figure = Figure(
        "wip", title, alt, wide, narrow, caption,
        band_table(facts, series, title, "units"),
    )  # fmt: skip
    return Section("wip", "Work in process", headline, text, (figure,))
