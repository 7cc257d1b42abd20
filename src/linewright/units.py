"""Quantities with units: "12 min", "0.5/h", "3 m" to whole microseconds, rates, mm.

Time inside is an integer count of microseconds. A day is always 24 h; calendar days,
zones and daylight saving are the business of `model.calendars` alone. Length inside is
an integer count of millimeters.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta

__all__ = [
    "MAX_US",
    "UNITS_MM",
    "UNITS_US",
    "format_duration",
    "parse_duration_us",
    "parse_length_mm",
    "parse_rate_per_s",
    "write_duration",
    "write_length",
    "write_rate",
]

UNITS_US: dict[str, int] = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "week": 604_800_000_000,
}
"""Microseconds in each unit of time."""

_ALIASES = {
    "sec": "s", "second": "s", "seconds": "s", "m": "min", "minute": "min",
    "minutes": "min", "mins": "min", "hour": "h", "hours": "h", "hr": "h", "hrs": "h",
    "day": "d", "days": "d", "weeks": "week", "w": "week",
    "\u00b5s": "us", "\u03bcs": "us",  # micro sign and Greek mu
}  # fmt: skip

UNITS_MM: dict[str, float] = {
    "mm": 1,
    "cm": 10,
    "m": 1_000,
    "km": 1_000_000,
    "in": 25.4,
    "ft": 304.8,
}
"""Millimeters in each unit of length."""

_MAX_MM = 1_000_000_000

MAX_US = 2**58
"""Longest time that the kernel can hold, about 9,100 years."""

_NUMBER = r"([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
_LENGTH = re.compile(rf"\s*{_NUMBER}\s*([a-z]+)\s*")
_DURATION = re.compile(rf"\s*{_NUMBER}\s*([a-z\u00b5\u03bc]+)\s*")
_RATE = re.compile(rf"\s*{_NUMBER}\s*(?:/|per)\s*([a-z\u00b5\u03bc]+)\s*")


def _unit_us(unit: str) -> int:
    name = _ALIASES.get(unit, unit)
    if name not in UNITS_US:
        msg = f'"{unit}" is not a unit of time; allowed are {", ".join(UNITS_US)}'
        raise ValueError(msg)
    return UNITS_US[name]


def parse_duration_us(value: object) -> int:
    """Return a duration in whole microseconds.

    Args:
        value: Text such as ``12 min`` or ``1 h 30 min``, a `timedelta`, or the number
            0. Any other bare number is refused, because its unit would be a guess.

    Returns:
        Microseconds, rounded once, zero or more.

    Raises:
        ValueError: The text is not a duration, is negative, not finite or too long.
    """
    if isinstance(value, timedelta):
        total: float = value // timedelta(microseconds=1)
    elif isinstance(value, bool) or value is None:
        found = "nothing" if value is None else str(value).lower()
        msg = f"{found} is not a duration; write it like 12 min"
        raise ValueError(msg)
    elif isinstance(value, int | float):
        if value != 0:
            msg = f"{value} has no unit; write it like {value} min"
            raise ValueError(msg)
        return 0
    else:
        total = _text_us(str(value))
    if not math.isfinite(total) or total < 0 or total >= MAX_US:
        msg = f'"{value}" is out of range; a duration is zero or more and finite'
        raise ValueError(msg)
    return round(total)


def _text_us(text: str) -> float:
    if text.strip() in {"0", "0.0"}:
        return 0.0
    total: float = 0
    at = 0
    while at < len(text):
        found = _DURATION.match(text, at)
        if not found:
            msg = f'"{text}" is not a duration; write it like 12 min, 1 h 30 min or 3 d'
            raise ValueError(msg)
        digits = found[1].replace("_", "")
        # Whole numbers stay exact beyond the 53 bits of a float.
        whole = digits.isdecimal() and len(digits) < 20
        amount = int(digits) if whole else float(digits)
        if amount < 0:
            msg = f'"{text}" is negative; a duration is zero or more'
            raise ValueError(msg)
        total += amount * _unit_us(found[2])
        at = found.end()
    if at == 0:
        msg = "an empty text is not a duration; write it like 12 min"
        raise ValueError(msg)
    return total


def parse_rate_per_s(value: object) -> float:
    """Return a rate per second from text such as ``0.5/h`` or ``6 per min``.

    Raises:
        ValueError: The text is not a rate, or is negative or not finite.
    """
    found = _RATE.fullmatch(str(value))
    if not found:
        msg = f'"{value}" is not a rate; write it like 0.5/h or 6/min'
        raise ValueError(msg)
    rate = float(found[1].replace("_", "")) / (_unit_us(found[2]) / 1e6)
    if not math.isfinite(rate) or rate < 0:
        msg = f'"{value}" is out of range; a rate is zero or more and finite'
        raise ValueError(msg)
    return rate


def parse_length_mm(value: object) -> int:
    """Return a length in whole millimeters.

    Args:
        value: Text such as ``3 m`` or ``2.5 ft``, or the number 0. Any other bare
            number is refused, because its unit would be a guess.

    Raises:
        ValueError: The text is not a length, is negative, or longer than 1,000 km.
    """
    if value == 0 and not isinstance(value, bool):
        return 0
    if not isinstance(value, str):
        found = f"{value} has no unit" if type(value) in (int, float) else f"{value!r}"
        msg = f"{found}: a length is written like 3 m or 250 cm"
        raise ValueError(msg)
    found_text = _LENGTH.fullmatch(value)
    if not found_text:
        msg = f'"{value}" is not a length; write it like 3 m or 250 cm'
        raise ValueError(msg)
    unit = found_text[2]
    if unit not in UNITS_MM:
        msg = f'"{unit}" is not a unit of length; allowed are {", ".join(UNITS_MM)}'
        raise ValueError(msg)
    length_mm = float(found_text[1].replace("_", "")) * UNITS_MM[unit]
    if not 0 <= length_mm <= _MAX_MM:
        msg = f'"{value}" is out of range; a length is zero or more, 1,000 km at most'
        raise ValueError(msg)
    return round(length_mm)


def write_length(length_mm: int) -> str:
    """Return whole millimeters as text that `parse_length_mm` reads back exactly."""
    meters, rest = divmod(length_mm, 1000)
    tail = f".{rest:03}".rstrip("0") if rest else ""
    return f"{meters}{tail} m"


def format_duration(us: float) -> str:
    """Return microseconds as short text in the largest unit that reads well."""
    if us == 0:
        return "0 s"
    for unit in ("d", "h", "min", "s", "ms"):
        if abs(us) >= UNITS_US[unit]:
            return f"{us / UNITS_US[unit]:.4g} {unit}"
    return f"{us:.4g} us"


def write_duration(us: int) -> str:
    """Return whole microseconds as text that `parse_duration_us` reads back exactly."""
    decimals = 1000 if us < 2**50 else 1  # as far as a float reads three decimals back
    for unit in ("d", "h", "min", "s", "ms"):
        size = UNITS_US[unit]
        if us >= size and us * decimals % size == 0:
            whole, thousandths = divmod(us * decimals // size, decimals)
            tail = f".{thousandths:03}".rstrip("0") if thousandths else ""
            return f"{whole}{tail} {unit}"
    return f"{us} us" if us else "0 s"


def write_rate(rate_per_s: float) -> str:
    """Return a rate as the shortest text that `parse_rate_per_s` reads back exactly."""
    texts = [f"{rate_per_s!r}/s"]
    for unit in ("week", "d", "h", "min", "s"):
        text = f"{rate_per_s * UNITS_US[unit] / 1e6:.12g}/{unit}"
        if parse_rate_per_s(text) == rate_per_s:
            texts.append(text)
    return min(texts, key=len)
