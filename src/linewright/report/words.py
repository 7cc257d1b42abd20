"""Numbers, times and names as a reader wants them: rounded, with unit, safe to print.

A value is rounded by its uncertainty, never by habit: `12.3 ± 0.4`. One figure uses one
unit (`rate_scale`, `time_scale`), so that numbers below each other can be compared.
Names come from the user and may hold anything; `name` makes them safe for one line of
text in any direction of writing. Escaping for HTML is the template's business.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "DASH",
    "MINUS",
    "NBSP",
    "PM",
    "TIMES",
    "Scale",
    "clean",
    "count",
    "counted",
    "fit",
    "join",
    "name",
    "number",
    "percent",
    "rate_scale",
    "text_width",
    "time_scale",
    "wrap",
]

NBSP = "\u00a0"
PM = "\u00a0\u00b1\u00a0"
MINUS = "\u2212"
TIMES = "\u00d7"
DASH = "\u2013"
ELLIPSIS = "\u2026"
MOST_DECIMALS = 8
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067")
_ISOLATES = "\u2068\u2069"  # ours, around names written right to left
_RTL = frozenset({"R", "AL", "AN"})


# ---------------------------------------------------------------- numbers


def _decimals(value: float, half: float, digits: int) -> int:
    """Return the decimals that the half-width supports, within `digits` figures."""
    top = math.floor(math.log10(abs(value))) if value else 0
    fullest = min(max(0, digits - 1 - top), MOST_DECIMALS)
    if not math.isfinite(half) or half <= 0:
        return fullest
    half = max(half, 10.0**-MOST_DECIMALS)
    lead = math.floor(math.log10(half))
    if half / 10**lead < 2:  # a leading 1 keeps one figure more: 1.4, not 1
        lead -= 1
    return min(max(0, -lead), fullest)


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        return text.lstrip("-")
    return text.replace("-", MINUS)


def _half(half: float, decimals: int) -> str:
    """Return a half-width; one that would round to nothing is rounded up instead."""
    return _fixed(max(half, 10.0**-decimals), decimals) if half else "0"


def number(value: float, half: float = math.nan, digits: int = 3) -> str:
    """Return a value, with `± half` where the half-width is known.

    Args:
        value: What to show; not a number becomes a dash.
        half: Half-width of its confidence interval, or not a number.
        digits: Significant figures where the half-width does not decide.
    """
    if not math.isfinite(value):
        return DASH
    decimals = _decimals(value, half, digits)
    text = _fixed(value, decimals)
    if not math.isfinite(half):
        return text
    return f"{text}{PM}{_half(half, decimals)}"


def percent(share: float, half: float = math.nan) -> str:
    """Return a share of one as per cent, such as `91 ± 2%`, to a tenth at most."""
    if not math.isfinite(share):
        return DASH
    value, wide = 100 * share, 100 * half
    if 0 < abs(value) < 0.05 and not wide > 0.05:
        return f"<{NBSP}0.1%"
    decimals = 1 if abs(value) < 10 or 99 < value < 100 or wide < 1.95 else 0
    if value in {0, 100} and not wide > 0:
        decimals = 0
    text = _fixed(value, decimals)
    if not math.isfinite(wide) or (wide == 0 and value in {0, 100}):
        return f"{text}%"
    return f"{text}{PM}{_half(wide, decimals)}%"


def count(value: float) -> str:
    """Return a number of things: whole where it is whole or large."""
    if not math.isfinite(value):
        return DASH
    whole = abs(value - round(value)) < 1e-9 or abs(value) >= 100
    return _fixed(value, 0 if whole else 1)


def counted(n: int, one: str, many: str = "") -> str:
    """Return `1 station`, `30 stations`."""
    return f"{n:,}{NBSP}{one if n == 1 else many or one + 's'}"


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit to show values in: multiply by `factor`, then write `unit`."""

    factor: float
    unit: str

    @property
    def word(self) -> str:
        """Return the unit written out, as a label of an axis."""
        return {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}[self.unit]

    @property
    def per(self) -> str:
        """Return the unit as what a rate is per, such as `a week`."""
        return f"{'an' if self.unit == 'hour' else 'a'} {self.unit}"

    def __call__(self, value: float, half: float = math.nan) -> str:
        """Return the value without its unit, such as `12.3 ± 0.4`."""
        return number(value * self.factor, half * self.factor)

    def with_unit(self, value: float, half: float = math.nan) -> str:
        """Return the value with its unit, such as `4.2 ± 0.3 h`."""
        return f"{self(value, half)}{NBSP}{self.unit}"


_TIMES = ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "d"))
_RATES = ((1.0, "hour"), (24.0, "day"), (168.0, "week"), (8760.0, "year"))


def time_scale(seconds: Iterable[float]) -> Scale:
    """Return one unit of time for several times in seconds, by the longest."""
    longest = max((s for s in seconds if math.isfinite(s)), default=0.0)
    size, unit = _TIMES[0]
    for each_size, each_unit in _TIMES:
        if longest >= 1.5 * each_size:
            size, unit = each_size, each_unit
    return Scale(1 / size, unit)


def rate_scale(per_hour: Iterable[float]) -> Scale:
    """Return one unit for several rates per hour, so that the largest is above two."""
    largest = max((r for r in per_hour if math.isfinite(r)), default=0.0)
    for hours, unit in _RATES:
        if largest * hours >= 2:
            return Scale(hours, unit)
    return Scale(*_RATES[2 if largest == 0 else 3])


# ---------------------------------------------------------------- names


def clean(text: str) -> str:
    """Return text that HTML and SVG can hold: no control or unpaired characters."""
    return "".join(
        c
        if unicodedata.category(c) not in {"Cc", "Cs", "Cn"} or c in "\n\t"
        else "\ufffd"
        for c in text
        if c not in _BIDI_CONTROLS
    )


def name(text: str, limit: int = 48) -> str:
    """Return a user's name on one line, shortened, isolated if right to left."""
    bare = "".join(c for c in text if c not in _ISOLATES)
    line = " ".join(clean(bare).split())
    if len(line) > limit:
        line = line[: limit - 1].rstrip() + ELLIPSIS
    if any(unicodedata.bidirectional(c) in _RTL for c in line):
        return f"\u2068{line}\u2069"
    return line


def join(parts: Iterable[str], limit: int = 3) -> str:
    """Return `a, b and c`, or `a, b and 4 more` where there are over `limit`."""
    items = list(parts)
    if len(items) > limit:
        items = [*items[: limit - 1], f"{len(items) - limit + 1} more"]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


# ---------------------------------------------------------------- widths


def _advance(char: str) -> float:
    if unicodedata.combining(char) or char in "\u2068\u2069":
        return 0.0
    if unicodedata.east_asian_width(char) in {"W", "F"}:
        return 1.0
    if char in "iljtfrI.,:;|!'()[] ":
        return 0.37
    if char in "mwMW@%&+<=>~#^":
        return 0.9
    return 0.7 if char.isupper() else 0.6


def text_width(text: str, size: float) -> float:
    """Return about how wide a line of text is, on the safe side for common fonts."""
    return size * sum(map(_advance, text))


def fit(text: str, width: float, size: float) -> str:
    """Return a line of text, cut with an ellipsis so that it fits into `width`."""
    if text_width(text, size) <= width:
        return text
    isolated = text.startswith("\u2068")
    line = text.strip("\u2068\u2069")
    while line and text_width(line + ELLIPSIS, size) > width:
        line = line[:-1]
    line = line.rstrip() + ELLIPSIS
    return f"\u2068{line}\u2069" if isolated else line


def wrap(text: str, width: float, size: float, lines: int = 2) -> list[str]:
    """Return text broken at spaces into at most `lines` lines that fit into `width`."""
    if text.startswith("\u2068") or text_width(text, size) <= width:
        return [fit(text, width, size)]
    done: list[str] = []
    words = text.split()
    while words and len(done) < lines - 1:
        line = words.pop(0)
        while words and text_width(f"{line} {words[0]}", size) <= width:
            line += f" {words.pop(0)}"
        done.append(fit(line, width, size))
    if words:
        done.append(fit(" ".join(words), width, size))
    return done
