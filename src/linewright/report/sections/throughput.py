"""Does the line make what is asked for: throughput of each product against demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from linewright.report.basis import interval_words, is_one_run, of_one_run
from linewright.report.canvas import SMALL, Canvas, draw_both, label_room
from linewright.report.facts import Estimate, Facts
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.routes import demand_per_h, finals
from linewright.report.words import (
    DASH,
    Scale,
    counted,
    fit,
    join,
    name,
    percent,
    rate_scale,
)

__all__ = ["Output", "outputs", "section", "verdict"]

SHOWN = 24


@dataclass(frozen=True, slots=True)
class Output:
    """What a product's throughput is, and what is asked for, per hour."""

    product: str
    made: Estimate
    asked: float | None
    source: Literal["rate", "orders", ""]

    @property
    def verdict(self) -> Literal["meets", "short", "open", ""]:
        """Return whether the interval lies above, below or around the demand."""
        if not self.asked or not self.made.known:
            return ""
        if self.made.sure and self.made.low >= self.asked * (1 - 1e-9):
            return "meets"
        return "short" if self.made.sure and self.made.high < self.asked else "open"


def _asked(
    facts: Facts, product: str
) -> tuple[float | None, Literal["rate", "orders", ""]]:
    ids: dict[str, float] = {}
    for row in facts.rows("orders"):
        if row["product"] == product and 0 <= row["due_us"] <= facts.horizon_us:
            ids[row["order"]] = float(row["quantity"])
    if ids and facts.horizon_us:
        return sum(ids.values()) / (facts.horizon_us / 3.6e9), "orders"
    rate = demand_per_h(facts.line, product)
    return (rate, "rate") if rate else (None, "")


def outputs(facts: Facts) -> list[Output]:
    """Return the products that are asked for or leave the line, with their rates."""
    ordered = tuple({row["product"] for row in facts.rows("orders")})
    return [
        Output(
            product,
            facts.estimate("throughput_per_h", product),
            *_asked(facts, product),
        )
        for product in finals(facts.line, ordered)
    ]


# ---------------------------------------------------------------- words


def _one(output: Output, scale: Scale) -> str:
    made = (
        f"{scale(output.made.mean, output.made.half)} units of {name(output.product)}"
    )
    if not output.asked:
        return f"The line makes {made} {scale.per}; no demand is given"
    tail = f"{scale(output.asked)} are asked for"
    return f"The line makes {made} {scale.per}; {tail}"


def _many(found: Sequence[Output], scale: Scale) -> str:
    asked = [o for o in found if o.asked]
    if not asked:
        parts = (
            f"{scale(o.made.mean, o.made.half)} {name(o.product, 30)}" for o in found
        )
        return f"The line makes {join(parts)} {scale.per}; no demand is given"
    if len(asked) <= 3:
        parts = (
            f"{scale(o.made.mean, o.made.half)} {name(o.product, 30)} "
            f"({scale(o.asked or 0)} asked for)"
            for o in asked
        )
        return f"Each {scale.unit} the line makes {join(parts)}"
    short = [o for o in asked if o.verdict == "short"]
    if not short:
        n_open = sum(o.verdict == "open" for o in asked)
        tail = f"; {n_open} are too close to call" if n_open else ""
        return f"No product falls short of its demand{tail}"
    worst = min(short, key=lambda o: o.made.mean / (o.asked or 1))
    return (
        f"{len(short)} of {counted(len(asked), 'product')} fall short; furthest "
        f"{name(worst.product, 30)} with {scale(worst.made.mean, worst.made.half)} "
        f"of {scale(worst.asked or 0)} {scale.per}"
    )


_VERDICTS = {
    "meets": "meets demand",
    "short": "falls short",
    "open": "too close to call",
    "": DASH,
}
_ROLES = {"meets": "good", "short": "bad", "open": "warn", "": "muted"}


def verdict(found: Sequence[Output]) -> str:
    """Return which products meet their demand, in a sentence; empty without demand."""
    groups = {
        key: [name(o.product, 36) for o in found if o.verdict == key]
        for key in ("short", "meets", "open")
    }
    words = {
        "short": ("falls short of demand", "fall short of demand"),
        "meets": ("meets demand", "meet demand"),
        "open": ("is too close to call", "are too close to call"),
    }
    if any(o.asked and not o.made.sure for o in found):
        return ""
    parts = [
        f"{join(names)} {words[key][len(names) > 1]}"
        for key, names in groups.items()
        if names
    ]
    return f"{'; '.join(parts)}." if parts else ""


def _table(found: Sequence[Output], scale: Scale, confidence: float) -> Table:
    per = f"units {scale.per}"
    columns = (
        Column("Product", numeric=False),
        Column(f"Made, {per}"),
        Column(f"{confidence:.0%} interval, {per}"),
        Column(f"Asked for, {per}"),
        Column("Made of asked"),
        Column("Verdict", numeric=False),
    )
    rows = tuple(
        (
            name(o.product, 200),
            scale(o.made.mean, o.made.half),
            f"{scale(o.made.low)} to {scale(o.made.high)}" if o.made.sure else DASH,
            scale(o.asked) if o.asked else DASH,
            percent(o.made.mean / o.asked) if o.asked else DASH,
            _VERDICTS[o.verdict],
        )
        for o in found
    )
    return Table("Throughput of good units and demand", columns, rows)


# ---------------------------------------------------------------- picture


def _draw(found: Sequence[Output], scale: Scale, width: float) -> Canvas:
    narrow = width < 600
    row, top = (64, 8) if narrow else (50, 8)
    canvas = Canvas(width, top + row * len(found) + 42)
    room = label_room((name(o.product) for o in found), 200, 12.6)
    left, right = (4.0, 8.0) if narrow else (room, 180.0)
    ax = canvas.axes(left, top, width - left - right, row * len(found))
    peak = max(
        max(o.made.high if o.made.sure else 0, _finite(o.made.mean), o.asked or 0)
        for o in found
    )
    limit = 1.12 * peak * scale.factor or 1.0
    ax.set_xlim(0, limit)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.locator_params(axis="x", nbins=4 if narrow else 8)
    middle, bottom = left + (width - left - right) / 2, canvas.height - 6
    per = f"good units {scale.per}"
    canvas.text(middle, bottom, per, role="muted", size=SMALL, anchor="center")

    def x(per_hour: float) -> float:
        return left + (width - left - right) * per_hour * scale.factor / limit

    for i, output in enumerate(found):
        y = top + row * i + (row * 0.66 if narrow else row / 2)
        _draw_bar(canvas, output, x, y)
        title = fit(name(output.product), width * 0.5 if narrow else left - 10, 12.6)
        words = _beside(output, scale)
        if narrow:
            canvas.text(left, y - 26, title, bold=True)
            canvas.text(width - 4, y - 26, words, anchor="right", size=SMALL)
            continue
        judged = output.asked and output.made.sure
        canvas.text(0, y, title, bold=True)
        canvas.text(width - right + 16, y - (8 if judged else 0), words)
        if judged:
            said, role = _VERDICTS[output.verdict], _ROLES[output.verdict]
            canvas.text(width - right + 16, y + 8, said, role=role, size=SMALL)
    return canvas


def _finite(value: float) -> float:
    return value if value == value else 0.0  # noqa: PLR0124 - NaN


def _beside(output: Output, scale: Scale) -> str:
    made = scale(output.made.mean, output.made.half)
    return f"{made} of {scale(output.asked)}" if output.asked else made


def _draw_bar(
    canvas: Canvas, output: Output, x: Callable[[float], float], y: float
) -> None:
    made = output.made
    if made.known:
        canvas.rect(x(0), y - 9, x(made.mean) - x(0), 18, "accent-soft")
        if made.sure and made.high > made.low:
            xs = [x(max(0.0, made.low)), x(made.high)]
            canvas.path(xs, [y, y], "accent", 2.4)
            for end in xs:
                canvas.path([end, end], [y - 5, y + 5], "accent", 2.4)
        canvas.dot(x(made.mean), y, "accent", 9)
    if output.asked:
        at = x(output.asked)
        canvas.path([at, at], [y - 16, y + 16], "ink", 3)


# ---------------------------------------------------------------- section


def section(facts: Facts) -> Section:
    """Return throughput against demand."""
    found = outputs(facts)
    rates = [o.made.mean for o in found] + [o.asked or 0.0 for o in found]
    scale = rate_scale(rates)
    headline = _one(found[0], scale) if len(found) == 1 else _many(found, scale)
    title = f"Throughput of good units against demand, units {scale.per}"
    alt = (
        headline
        + ". "
        + "; ".join(
            f"{name(o.product)}: {_beside(o, scale)}, {_VERDICTS[o.verdict]}"
            for o in found[:12]
        )
    )
    wide, narrow = draw_both(
        partial(_draw, found[:SHOWN], scale), "throughput", title, alt
    )
    plus_minus = interval_words(facts.manifest)
    caption = (
        f"Bar and dot: mean over {counted(facts.n_replications, 'replication')}. "
        f"{f'Whisker: {plus_minus}. ' if plus_minus else ''}Upright mark: demand."
    )
    figure = Figure(
        "throughput", title, alt, wide, narrow, caption,
        _table(found, scale, facts.confidence),
    )  # fmt: skip
    return Section("throughput", "Throughput", headline, _text(found, facts), (figure,))


def _contradictions(found: Sequence[Output], facts: Facts) -> list[str]:
    """Tell where the model states a rate that its orders do not add up to."""
    pairs = [
        (output.product, demand_per_h(facts.line, output.product), output.asked)
        for output in found
        if output.source == "orders"
    ]
    odd = [
        (product, rate, asked)
        for product, rate, asked in pairs
        if rate and asked and abs(rate - asked) > 0.02 * rate
    ]
    if not odd:
        return []
    scale = rate_scale([rate for _, rate, _ in odd])
    told = (
        f"{scale(rate)} {name(product, 36)} {scale.per} (orders: {scale(asked)})"
        for product, rate, asked in odd
    )
    lead = "The model also states a demand that its orders do not add up to"
    return [f"{lead}: {join(told)}."]


def _text(found: Sequence[Output], facts: Facts) -> tuple[str, ...]:
    lines = []
    if not any(o.made.mean > 0 for o in found):
        lines.append("No good unit left the line in the time that was measured.")
    if facts.n_replications == 1 and not is_one_run(facts.manifest):
        lines.append(
            "There is one replication, so no uncertainty can be given: another run "
            "may differ by any amount. Use ten or more before deciding."
        )
    lines.extend(of_one_run(facts.manifest, facts.rows("summary")))
    if any(o.source == "orders" for o in found):
        lines.append(
            "What is asked for is the quantity of all orders due within the simulated "
            "time, spread over that time."
        )
        lines.extend(_contradictions(found, facts))
    if len(found) > SHOWN:
        lines.append(
            f"The first {SHOWN} of {len(found)} products; all are in the table."
        )
    said = verdict(found)
    return (said, *lines) if said else tuple(lines)
