"""Horizontal bars, each made of pieces, with a name before and a value behind it.

Pieces above zero stack to the right and those below it to the left, from one line at
zero. On a narrow page the names stand above their bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linewright.report.canvas import SMALL, Box, Canvas, label_room
from linewright.report.words import fit, number, text_width

__all__ = ["Row", "draw_bars"]


@dataclass(frozen=True, slots=True)
class Row:
    """One bar.

    Attributes:
        label: What it is of.
        pieces: Color role and length of each piece, in the order of stacking.
        value: Text behind the bar.
        interval: Low and high end of where the bar may end, drawn as a thin line.
    """

    label: str
    pieces: tuple[tuple[str, float], ...]
    value: str
    interval: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        """Where it, or its interval, ends on the left, zero or less."""
        bar = sum(size for _, size in self.pieces if size < 0)
        return min(bar, self.interval[0]) if self.interval else bar

    @property
    def high(self) -> float:
        """Where it, or its interval, ends on the right, zero or more."""
        bar = sum(size for _, size in self.pieces if size > 0)
        return max(bar, self.interval[1]) if self.interval else bar


def draw_bars(rows: Sequence[Row], unit: str, width: float) -> Canvas:
    """Return the bars on one scale, from the top down.

    Args:
        rows: The bars, one at least.
        unit: Unit of the values, written above them.
        width: Of the drawing, pixels.
    """
    narrow = width < 600
    step, top = (34, 22) if narrow else (24, 22)
    canvas = Canvas(width, top + step * len(rows) + 6)
    left = 2.0 if narrow else label_room([row.label for row in rows], 240)
    right = max(text_width(text, 12) for text in (unit, *(r.value for r in rows))) + 12
    right += 8 * any(row.interval for row in rows)
    low, high = min(row.low for row in rows), max(row.high for row in rows)
    scale = (width - left - right) / ((high - low) or 1.0)
    zero = left - low * scale
    _draw_grid(canvas, low, high, (zero, scale, top - 4))
    canvas.text(width - 2, 8, unit, role="muted", size=SMALL, anchor="right")
    boxes: dict[str, list[Box]] = {}
    for i, row in enumerate(rows):
        y = top + step * i + step / 2 + (8 if narrow else 0)
        if narrow:
            canvas.text(left, y - 15, fit(row.label, width, SMALL), size=SMALL)
        else:
            canvas.text(0, y, fit(row.label, left - 10, 12))
        for role, box in _pieces(row, zero, scale, y):
            boxes.setdefault(role, []).append(box)
        canvas.text(width - 2, y, row.value, anchor="right", bold=True)
        if row.interval:
            ends = [zero + scale * end for end in row.interval]
            canvas.path(ends, [y, y], "ink", 1.4)
            for x in ends:
                canvas.path([x, x], [y - 4, y + 4], "ink", 1.4)
    for role, pieces in boxes.items():
        canvas.rects(pieces, role)
    return canvas


def _draw_grid(
    canvas: Canvas, low: float, high: float, frame: tuple[float, float, float]
) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - optional

    zero, scale, top = frame
    for tick in MaxNLocator(3 if canvas.narrow else 5).tick_values(low, high):
        if low - 1e-9 <= tick <= high + 1e-9:
            x = zero + tick * scale
            role = "line" if tick == 0 and low < 0 else "grid"
            canvas.path([x, x], [top, canvas.height - 2], role)
            at_edge = tick == 0 and canvas.narrow
            canvas.text(
                x,
                8,
                _round(tick),
                role="muted",
                size=SMALL,
                anchor="left" if at_edge else "center",
            )


def _round(tick: float) -> str:
    """Return a round number without the zeros behind its point."""
    text = number(tick)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _pieces(row: Row, zero: float, scale: float, y: float) -> list[tuple[str, Box]]:
    """Return the boxes of a bar with their colors."""
    found: list[tuple[str, Box]] = []
    right = left = zero
    for role, size in row.pieces:
        long = abs(size) * scale
        if size < 0:
            left -= long
        if long > 0.2:
            x = left if size < 0 else right
            found.append((role, (x, y - 7, max(long - 0.6, 0.4), 14)))
        if size > 0:
            right += long
    return found
