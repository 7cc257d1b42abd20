"""What the inputs of a fitted model rest on: quantiles of records on those of the fit.

Where the points lie on the line, the distribution is that of the records. Inputs with
the most times are drawn, all stand in the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from linewright.fit.distributions import FEW, Fit
from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Facts
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.words import DASH, counted, fit, name, time_scale

__all__ = ["section"]

SHOWN = 9


def section(facts: Facts) -> Section | None:
    """Return what inputs rest on, or nothing for a model that was not fitted."""
    found = facts.found.inputs
    if found is None or not found.fits:
        return None
    fits = list(found.fits.values())
    few = [one for one in fits if one.n < FEW]
    own = [one for one in fits if one.kind == "empirical"]
    log = found.said["log"]
    headline = (
        f"The inputs were fitted to records of {log['cases']:,} cases; "
        f"{counted(len(few), 'input')} of {len(fits)} rest on fewer than {FEW} times"
    )
    text: tuple[str, ...] = ()
    if own:
        some = f"Of {counted(len(own), 'input')} the times stand for themselves"
        text = (f"{some}, since no distribution fits them.",)
    notes = tuple(
        f"Cannot be known from these records: {one}." for one in found.said["unknown"]
    )
    drawn = sorted((one for one in fits if one.plot), key=lambda one: -one.n)[:SHOWN]
    figures = (_figure(drawn, headline),) if drawn else ()
    return Section(
        "inputs", "What the inputs rest on", headline, text, figures,
        (_table(fits),), notes=notes,
    )  # fmt: skip


def _table(fits: Sequence[Fit]) -> Table:
    columns = (
        Column("Input", numeric=False),
        Column("Times"),
        Column("Distribution", numeric=False),
        Column("Goodness, p"),
        Column("Mean, 95 % interval", numeric=False),
    )
    rows = []
    for one in fits:
        scale = time_scale([one.mean_s])
        high = one.mean_high_s if math.isfinite(one.mean_high_s) else math.nan
        interval = DASH
        if math.isfinite(high):
            interval = (
                f"{scale.with_unit(one.mean_s)} "
                f"({scale(one.mean_low_s)} to {scale(high)})"
            )
        chosen = one.chosen
        p = f"{chosen.ad_p:.2f}" if chosen and math.isfinite(chosen.ad_p) else DASH
        said = "the times themselves"
        if one.kind != "empirical":
            said = str(one.distribution())
        rows.append((_short(one), f"{one.n:,}", said, p, interval))
    return Table(
        "Inputs with their evidence; p: share of samples from the distribution that "
        "lie farther off (Anderson-Darling)",
        columns,
        tuple(rows),
    )


def _figure(drawn: Sequence[Fit], headline: str) -> Figure:
    title = "Quantiles of the records on those of the distribution"
    alt = f"{headline}. Drawn are {counted(len(drawn), 'input')} with the most times."
    wide, narrow = draw_both(partial(_draw, drawn), "inputs", title, alt)
    caption = (
        "Each point is a quantile: of the distribution to the right, of the records "
        "upwards. On the line both are the same. Where the times stand for themselves, "
        "the distribution is the nearest that was refused."
    )
    columns = (
        Column("Input", numeric=False),
        Column("Quantile"),
        Column("Records, s"),
        Column("Distribution, s"),
    )
    rows = tuple(
        (_short(one), f"{at:.0%}", f"{own:.4g}", f"{theirs:.4g}")
        for one in drawn
        for at, own, theirs in one.plot[::8]
    )
    table = Table("Some of the quantiles", columns, rows)
    return Figure("inputs", title, alt, wide, narrow, caption, table)


def _draw(drawn: Sequence[Fit], width: float) -> Canvas:
    n_columns = 1 if width < 600 else 3
    n_rows = -(-len(drawn) // n_columns)
    cell, tall = (width - 24 * (n_columns - 1)) / n_columns, 236
    canvas = Canvas(width, tall * n_rows)
    for i, one in enumerate(drawn):
        left, top = (i % n_columns) * (cell + 24), (i // n_columns) * tall
        _draw_one(canvas, one, (left, top, cell, tall))
    return canvas


def _short(one: Fit) -> str:
    """Return what an input is for, without the section of the model."""
    return name(one.name.removeprefix("stations.").removeprefix("products."), 200)


def _draw_one(canvas: Canvas, one: Fit, box: tuple[float, float, float, float]) -> None:
    left, top, cell, tall = box
    scale = time_scale([one.mean_s])
    kind = "stands for itself" if one.kind == "empirical" else one.kind
    canvas.text(left, top + 12, fit(_short(one), 0.9 * cell, 12), bold=True)
    words = f"{one.n:,} times, {kind}; {scale.unit}"
    canvas.text(left, top + 28, words, role="muted", size=SMALL)
    own = [scale.factor * own for _, own, _ in one.plot]
    theirs = [scale.factor * theirs for _, _, theirs in one.plot]
    ax = canvas.axes(left + 38, top + 40, cell - 46, tall - 76)
    low, high = min(*own, *theirs), max(*own, *theirs)
    pad = 0.04 * (high - low) or 1.0
    ends = (low - pad, high + pad)
    ax.plot(ends, ends, color=color("line"), lw=1.2)
    ax.plot(theirs, own, "o", ms=3.2, color=color("accent"), mew=0)
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    ax.locator_params(nbins=5)
