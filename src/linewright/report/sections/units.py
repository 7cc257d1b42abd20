"""What became of the units: delivered, built in, scrapped, lost, still in the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.report.canvas import SMALL, Canvas, draw_both, label_room
from linewright.report.facts import Facts, Floats, estimate
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.routes import finals
from linewright.report.words import count, fit, name, number, percent

__all__ = ["Fate", "fates", "section"]

SHOWN = 12
OUTCOMES = (
    ("good", "delivered", "good"),
    ("escaped", "delivered bad", "failed"),
    ("used", "built in", "processing"),
    ("scrapped", "scrapped", "bad"),
    ("lost", "lost on arrival", "warn"),
    ("wip_end", "in line at end", "line"),
)
"""Key, words, color."""
_COLUMNS = (
    "released", "finished", "scrapped", "reworked", "lost", "escaped", "wip_start",
    "wip_end", "used", "bought",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fate:
    """Units of a product by what became of them, one value for each replication."""

    product: str
    final: bool
    out: Mapping[str, Floats]
    reworked: Floats

    @property
    def total(self) -> float:
        """Return all units that something became of, mean over replications."""
        return float(sum(n.mean() for n in self.out.values()))

    def mean(self, key: str) -> float:
        """Return the units that one thing became of, mean over replications."""
        return float(self.out[key].mean())


def fates(facts: Facts) -> list[Fate]:
    """Return what became of the units of each product, final products first."""
    per_run = {c: facts.per_replication("products", "product", c) for c in _COLUMNS}
    last = finals(facts.line, tuple({r["product"] for r in facts.rows("orders")}))
    found = []
    for product in per_run["finished"]:
        n = {c: np.nan_to_num(per_run[c][product]) for c in _COLUMNS}
        final = product in last
        delivered = np.maximum(n["finished"] - n["used"], 0) * final
        escaped = np.minimum(n["escaped"], delivered)
        out = {"good": delivered - escaped, "escaped": escaped}
        out |= {key: n[key] for key in ("used", "scrapped", "lost", "wip_end")}
        found.append(Fate(product, final, out, n["reworked"]))
    return sorted(found, key=lambda f: (not f.final, -f.total))


def _grouped(found: Sequence[Fate]) -> list[Fate]:
    """Return the first products, the rest added up."""
    if len(found) <= SHOWN:
        return list(found)
    rest = found[SHOWN - 1 :]
    out = {key: sum(f.out[key] for f in rest) for key, _, _ in OUTCOMES}
    label = f"{len(rest)} other products"
    more = Fate(label, False, out, sum(f.reworked for f in rest))  # type: ignore[arg-type]
    return [*found[: SHOWN - 1], more]


# ---------------------------------------------------------------- picture


@dataclass(frozen=True, slots=True)
class _Node:
    top: float
    size: float


def _stack(sizes: Sequence[float], gap: float, least: float) -> list[_Node]:
    """Stack nodes below each other, each with room for its label."""
    nodes, y = [], 0.0
    for size in sizes:
        room = max(size, least)
        nodes.append(_Node(y + (room - size) / 2, size))
        y += room + gap
    return nodes


def _height(nodes: Sequence[_Node], least: float) -> float:
    last = nodes[-1]
    return last.top + max(last.size, (last.size + least) / 2)


def _draw(found: Sequence[Fate], width: float) -> Canvas:
    narrow = width < 600
    total = sum(f.total for f in found)
    scale = 240 / total
    lefts = [f.total * scale for f in found]
    keys = [o for o in OUTCOMES if sum(f.mean(o[0]) for f in found) > 0]
    rights = [sum(f.mean(key) for f in found) * scale for key, _, _ in keys]
    left_nodes, right_nodes = _stack(lefts, 8, 30), _stack(rights, 8, 30)
    tall = max(_height(left_nodes, 30), _height(right_nodes, 30), 250)
    thickest = 16 if narrow else 30
    reworked = float(sum(f.reworked.mean() for f in found))
    loop = min(max(reworked * scale, 1.5), thickest) if reworked else 0.0
    canvas = Canvas(width, tall + 16 + (2 * loop + 66 if loop else 0))
    labels = [name(f.product) for f in found]
    edge = 104.0 if narrow else max(140.0, label_room(labels, 210, 12.6))
    middle = (width - 10) / 2
    top = 12.0
    _ribbons(
        canvas, left_nodes, lefts, (edge, middle, top + (tall - 240) / 2), top, None
    )
    roles = [role for _, _, role in keys]
    bounds = (width - edge, middle + 10, top + (tall - 240) / 2)
    _ribbons(canvas, right_nodes, rights, bounds, top, roles)
    if loop:
        _loop(canvas, middle, top + tall + 8 + loop / 2, loop, reworked)
    first = top + (tall - 240) / 2
    last = top + tall + 12 + loop if loop else first + 240
    canvas.rect(middle, first, 10, last - first, "ink")
    for node, fate in zip(left_nodes, found, strict=True):
        y = top + node.top + node.size / 2
        canvas.text(
            edge - 12,
            y - 7,
            fit(name(fate.product), edge - 16, 12),
            anchor="right",
            bold=True,
        )
        canvas.text(
            edge - 12,
            y + 8,
            count(fate.total),
            anchor="right",
            role="muted",
            size=SMALL,
        )
    for node, (key, words, _) in zip(right_nodes, keys, strict=True):
        n = sum(f.mean(key) for f in found)
        y = top + node.top + node.size / 2
        canvas.text(width - edge + 12, y - 7, words, bold=True)
        share = f"{count(n)} ({percent(n / total)})"
        canvas.text(width - edge + 12, y + 8, share, role="muted", size=SMALL)
    return canvas


def _ribbons(
    canvas: Canvas,
    nodes: Sequence[_Node],
    sizes: Sequence[float],
    bounds: tuple[float, float, float],
    top: float,
    roles: Sequence[str] | None,
) -> None:
    """Draw bands from nodes at an edge to the bar in the middle."""
    outer, inner, at = bounds
    for i, (node, size) in enumerate(zip(nodes, sizes, strict=True)):
        y0, long = top + node.top, max(size, 1.2)
        bend = (outer + inner) / 2
        vertices = [
            (outer, y0), (bend, y0), (bend, at), (inner, at),
            (inner, at + long), (bend, at + long), (bend, y0 + long),
            (outer, y0 + long), (outer, y0),
        ]  # fmt: skip
        role = roles[i] if roles else "accent-soft"
        canvas.shape(
            vertices, [1, 4, 4, 4, 2, 4, 4, 4, 79], role, 0.55 if roles else 1.0
        )
        canvas.rect(
            outer if roles else outer - 6, y0, 6, long, role if roles else "accent"
        )
        at += size


def _loop(canvas: Canvas, middle: float, port: float, long: float, n: float) -> None:
    """Draw rework as a band that leaves the bar on the right and comes back below."""
    arm, radius = 34.0, long / 2 + 12
    bend = 0.5523 * radius
    right, left, low = middle + 10 + arm, middle - arm, port + 2 * radius
    center = low - radius
    vertices = [
        (middle + 10, port), (right, port),
        (right + bend, port), (right + radius, center - bend), (right + radius, center),
        (right + radius, center + bend), (right + bend, low), (right, low),
        (left, low),
        (left - bend, low), (left - radius, center + bend), (left - radius, center),
        (left - radius, center - bend), (left - bend, port), (left, port),
        (middle, port),
    ]  # fmt: skip
    codes = [1, 2, *[4] * 6, 2, *[4] * 6, 2]
    canvas.stroke(vertices, codes, "blocked", long, 0.75)
    for shift in (-30, 0, 30):  # it runs to the left below
        x, tall = middle + 5 + shift, min(5.0, long / 3)
        tip = [(x - tall, low), (x + tall, low - tall), (x + tall, low + tall)]
        canvas.shape([*tip, tip[0]], [1, 2, 2, 79], "surface")
    words = f"rework: {count(n)} times"
    y = low + long / 2 + 12
    canvas.text(middle + 5, y, words, anchor="center", role="muted", size=SMALL)


# ---------------------------------------------------------------- words


def _table(facts: Facts) -> Table:
    labels = {
        "released": "Released", "finished": "Finished", "escaped": "of these bad",
        "used": "Built in", "scrapped": "Scrapped", "lost": "Lost on arrival",
        "reworked": "Reworked", "wip_start": "In line at start",
        "wip_end": "In line at end", "bought": "Bought",
    }  # fmt: skip
    means = {c: facts.mean("products", "product", c) for c in labels}
    columns = (
        Column("Product", numeric=False),
        *(Column(label) for label in labels.values()),
        Column("First-pass yield"),
    )
    rows = []
    for product in means["finished"]:
        good = facts.estimate("first_pass_yield", product)
        cells = [count(means[c].get(product, float("nan"))) for c in labels]
        rows.append((name(product, 200), *cells, percent(good.mean, good.half)))
    return Table(
        "Units in the measured time, mean of a replication", columns, tuple(rows)
    )


def _headline(found: Sequence[Fate], facts: Facts) -> str:
    whole = sum(sum(f.out.values()) for f in found)
    gone = sum(f.out["scrapped"] + f.out["lost"] + f.out["escaped"] for f in found)
    reworks = sum(f.reworked for f in found)
    lost = estimate(np.asarray(gone / whole), facts.confidence)
    back = estimate(np.asarray(100 * reworks / whole), facts.confidence)
    share = percent(lost.mean, lost.half)
    text = f"{share} of all units are scrapped, lost or delivered bad"
    if back.mean > 0:
        rate = number(back.mean, back.half, digits=2)
        text += f"; there are {rate} reworks for every 100 units"
    return text


def section(facts: Facts) -> Section | None:
    """Return what became of the units, or nothing without products in the result."""
    if not facts.columns("products"):
        return None
    found = [f for f in fates(facts) if f.total > 0]
    table = _table(facts)
    if not found:
        headline = "No unit was released in the time that was measured"
        return Section("units", "Units and losses", headline, tables=(table,))
    headline = _headline(found, facts)
    title = "What became of the units"
    sums = [(w, sum(f.mean(key) for f in found)) for key, w, _ in OUTCOMES]
    alt = f"{headline}. " + ", ".join(f"{words}: {count(n)}" for words, n in sums if n)
    wide, narrow = draw_both(partial(_draw, _grouped(found)), "units", title, alt)
    caption = (
        "Units of all products, components included, mean of a replication. Left: by "
        "product. Right: what became of them. Very thin bands are drawn thicker."
    )
    figure = Figure("units", title, alt, wide, narrow, caption, table)
    return Section("units", "Units and losses", headline, (), (figure,))
