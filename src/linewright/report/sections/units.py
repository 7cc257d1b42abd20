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
from linewright.report.words import count, fit, name, number, percent, text_width

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

LABEL = 32.0  # room that the two lines of a label need, pixels


@dataclass(frozen=True, slots=True)
class _Node:
    top: float
    size: float

    @property
    def middle(self) -> float:
        return self.top + self.size / 2


def _stack(sizes: Sequence[float], gap: float) -> list[_Node]:
    """Stack nodes below each other, each with room for its label."""
    nodes, y = [], 0.0
    for size in sizes:
        room = max(size, LABEL)
        nodes.append(_Node(y + (room - size) / 2, size))
        y += room + gap
    return nodes


def _draw(found: Sequence[Fate], width: float) -> Canvas:
    narrow = width < 600
    high = max(26.0, 240 / len(found))  # every product has the same height
    keys = [o for o in OUTCOMES if sum(f.mean(o[0]) for f in found) > 0]
    bands = [[high * f.mean(key) / f.total for key, _, _ in keys] for f in found]
    lefts = _stack([high] * len(found), 8)
    rights = _stack([sum(column) for column in zip(*bands, strict=True)], 10)
    ends = [
        nodes[-1].middle + max(nodes[-1].size, LABEL) / 2 for nodes in (lefts, rights)
    ]
    tall = max(ends)
    canvas = Canvas(width, tall + 16)
    room = label_room((name(f.product) for f in found), 210, 12.6)
    edges = (104.0, width - 112.0) if narrow else (max(150.0, room), width - 170.0)
    tops = [8 + (tall - end) / 2 for end in ends]
    _draw_bands(canvas, bands, (lefts, rights), edges, tops, [o[2] for o in keys])
    for node, fate in zip(lefts, found, strict=True):
        y = tops[0] + node.middle
        label = fit(name(fate.product), edges[0] - 14, 12.6)
        canvas.text(edges[0] - 12, y - 7, label, anchor="right", bold=True)
        _count_label(canvas, edges[0] - 12, y + 8, fate)
    whole = sum(f.total for f in found)
    for node, (key, words, _) in zip(rights, keys, strict=True):
        n = sum(f.mean(key) for f in found)
        y = tops[1] + node.middle
        canvas.text(edges[1] + 12, y - 7, words, bold=True)
        share = f"{count(n)} ({percent(n / whole)})"
        canvas.text(edges[1] + 12, y + 8, share, role="muted", size=SMALL)
    return canvas


def _count_label(canvas: Canvas, x: float, y: float, fate: Fate) -> None:
    """Write how many units there were and how often they were reworked."""
    reworks = float(fate.reworked.mean())
    total = count(fate.total)
    if not reworks or canvas.narrow:  # no room on a phone; the table has it
        canvas.text(x, y, total, anchor="right", role="muted", size=SMALL)
        return
    words = f"{count(reworks)} reworks"
    canvas.text(x, y, words, anchor="right", role="warn", size=SMALL)
    inset = text_width(words, SMALL) + 6
    canvas.text(x - inset, y, total, anchor="right", role="muted", size=SMALL)


def _draw_bands(
    canvas: Canvas,
    bands: Sequence[Sequence[float]],
    nodes: tuple[Sequence[_Node], Sequence[_Node]],
    edges: tuple[float, float],
    tops: Sequence[float],
    roles: Sequence[str],
) -> None:
    """Draw each product's units as bands to what became of them."""
    x0, x1 = edges
    bend = (x0 + x1) / 2
    at = [tops[1] + node.top for node in nodes[1]]
    for row, left in zip(bands, nodes[0], strict=True):
        y0 = tops[0] + left.top
        canvas.rect(x0 - 6, y0, 6, left.size, "accent")
        for o, (size, role) in enumerate(zip(row, roles, strict=True)):
            if size > 0:
                y1, thick = at[o], max(size, 1.0)
                vertices = [
                    (x0, y0), (bend, y0), (bend, y1), (x1, y1), (x1, y1 + thick),
                    (bend, y1 + thick), (bend, y0 + thick), (x0, y0 + thick), (x0, y0),
                ]  # fmt: skip
                canvas.shape(vertices, [1, 4, 4, 4, 2, 4, 4, 4, 79], role, 0.55)
                y0 += size
                at[o] += size
    for node, role in zip(nodes[1], roles, strict=True):
        canvas.rect(x1, tops[1] + node.top, 6, max(node.size, 1.0), role)


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
    if not lost.mean > 0:
        text = "No unit is scrapped, lost or delivered bad"
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
        "Left: units of each product, components included, mean of a replication; all "
        "products have the same height, so a band is a share of its product. Right: "
        "what became of them. Very thin bands are drawn thicker."
    )
    figure = Figure("units", title, alt, wide, narrow, caption, table)
    return Section("units", "Units and losses", headline, (), (figure,))
