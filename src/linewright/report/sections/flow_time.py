"""How long a unit takes from release to departure: distribution and percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.report.canvas import SMALL, Canvas, color, draw_both
from linewright.report.facts import Estimate, Facts, Floats
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.routes import finals
from linewright.report.words import Scale, fit, name, percent, text_width, time_scale

__all__ = ["section"]

SHOWN = 6
BINS = 44


@dataclass(frozen=True, slots=True)
class Passage:
    """Flow times of one product: buckets of the histogram and estimates in seconds."""

    product: str
    low_s: Floats
    high_s: Floats
    count: Floats
    mean: Estimate
    p50: Estimate
    p90: Estimate
    p95: Estimate

    def quantile(self, share: float) -> float:
        """Return a quantile of the pooled histogram, seconds."""
        if not self.count.sum():
            return math.nan
        below = np.cumsum(self.count) / self.count.sum()
        at = min(int(np.searchsorted(below, share)), below.size - 1)
        return float((self.low_s[at] + self.high_s[at]) / 2)


def _passage(facts: Facts, product: str) -> Passage | None:
    columns = facts.columns("flow")
    if not columns:
        return None
    rows = (columns["product"] == product) & (columns["count"] > 0)
    if not rows.any():
        return None
    order = np.argsort(columns["low_s"][rows], kind="stable")
    low, high, n = (
        columns[k][rows][order].astype(float) for k in ("low_s", "high_s", "count")
    )
    estimates = (
        facts.estimate(f"flow_{k}_s", product) for k in ("mean", "p50", "p90", "p95")
    )
    mean, *points = estimates
    bare = Passage(product, low, high, n, mean, *points)
    filled = [
        found if found.known else Estimate(bare.quantile(share))
        for found, share in zip(points, (0.5, 0.9, 0.95), strict=True)
    ]
    return Passage(product, low, high, n, mean, *filled)


def _rebin(passage: Passage, edges: Floats) -> Floats:
    """Return the share of units in wide bins; fine buckets are spread evenly."""
    known = np.concatenate([[0.0], np.cumsum(passage.count)])
    marks = np.concatenate([[passage.low_s[0]], passage.high_s])
    below = np.interp(edges, marks, known / known[-1])
    return np.diff(below)


def _draw(found: Sequence[Passage], scale: Scale, width: float) -> Canvas:
    tall = 186
    canvas = Canvas(width, tall * len(found) + 24)
    limit = max(p.quantile(0.995) for p in found) * scale.factor * 1.04
    for i, passage in enumerate(found):
        _draw_one(canvas, passage, scale, limit, tall * i)
    canvas.text(
        width / 2, canvas.height - 10, f"flow time, {scale.word}", role="muted",
        size=SMALL, anchor="center",
    )  # fmt: skip
    return canvas


def _draw_one(
    canvas: Canvas, passage: Passage, scale: Scale, limit: float, top: float
) -> None:
    left, width = 8, canvas.width - 16
    mean = scale.with_unit(passage.mean.mean, passage.mean.half)
    canvas.text(left, top + 14, fit(name(passage.product), width / 2, 12), bold=True)
    canvas.text(
        canvas.width - 8,
        top + 14,
        f"mean {mean}",
        role="muted",
        size=SMALL,
        anchor="right",
    )
    ax = canvas.axes(left, top + 60, width, 96)
    edges = np.linspace(0, limit, BINS + 1)
    shares = _rebin(passage, edges / scale.factor)
    ax.bar(
        edges[:-1],
        shares,
        width=limit / BINS * 0.9,
        align="edge",
        color=color("accent-soft"),
    )
    ax.set_xlim(0, limit)
    ax.set_ylim(0, 1.05 * max(float(shares.max()), 1e-9))
    ax.set_yticks([])
    ax.locator_params(axis="x", nbins=5 if canvas.narrow else 10)
    taken = [-math.inf, -math.inf]
    marks = (("half", passage.p50), ("90%", passage.p90), ("95%", passage.p95))
    for i, (label, point) in enumerate(marks):
        x = left + width * min(point.mean * scale.factor / limit, 1.0)
        words = f"{label} under {scale(point.mean)}"
        room = text_width(words, SMALL)
        start = min(x - room / 2, canvas.width - 4 - room)
        line = 0 if start > taken[0] else 1
        if start > taken[line]:
            at = top + 34 + 15 * line
            canvas.text(max(start, 2), at, words, size=SMALL)
            taken[line] = start + room + 4
            thick = 1.4 if i == 0 else 1.0
            canvas.path([x, x], [top + 57, top + 156], "ink", thick, (3, 2))


def _table(found: Sequence[Passage], scale: Scale) -> Table:
    columns = (
        Column("Product", numeric=False),
        Column("Units counted"),
        *(
            Column(f"{label}, {scale.unit}")
            for label in ("Mean", "Half below", "90% below", "95% below", "99% below")
        ),
    )
    rows = tuple(
        (
            name(p.product, 200),
            f"{p.count.sum():,.0f}",
            *(scale(e.mean, e.half) for e in (p.mean, p.p50, p.p90, p.p95)),
            scale(p.quantile(0.99)),
        )
        for p in found
    )
    return Table("Flow time of finished units, all replications", columns, rows)


def section(facts: Facts) -> Section | None:
    """Return flow times of the products that leave the line, or nothing."""
    names = finals(facts.line, tuple({r["product"] for r in facts.rows("orders")}))
    found = [p for p in (_passage(facts, product) for product in names) if p]
    if not found:
        return None
    scale = time_scale(p.p50.mean for p in found)
    top = max(found, key=lambda p: float(p.count.sum()))
    headline = (
        f"Half of the {name(top.product)} units pass through in under "
        f"{scale.with_unit(top.p50.mean, top.p50.half)}; one in ten takes more than "
        f"{scale.with_unit(top.p90.mean, top.p90.half)}"
    )
    title = "Flow time from release to departure"
    alt = f"{headline}. " + "; ".join(
        f"{name(p.product)}: mean {scale.with_unit(p.mean.mean)}" for p in found[:SHOWN]
    )
    wide, narrow = draw_both(
        partial(_draw, found[:SHOWN], scale), "flow-time", title, alt
    )
    caption = (
        "Share of units by flow time, all replications together; percentiles are means "
        "over replications. The longest 0.5% are not drawn."
    )
    figure = Figure(
        "flow-time", title, alt, wide, narrow, caption, _table(found, scale)
    )
    spread = top.p90.mean / top.p50.mean if top.p50.mean else math.nan
    text = (
        f"A date that holds nine times in ten needs {percent(spread - 1)} more time "
        "than the middle unit takes." if spread > 1.005 else "",
    )  # fmt: skip
    return Section(
        "flow-time", "Flow time", headline, tuple(filter(None, text)), (figure,)
    )
