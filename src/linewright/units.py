"""Quantities with units: "12 min", "0.5/h", "3 m", "2 m/s" to us, rates, mm, mm/s.

Time inside is an integer count of microseconds. A day is always 24 h; calendar days,
zones and daylight saving are the business of `model.calendars` alone. Power inside is
in watts, energy in joules; what energy costs and emits is counted by the kWh. Length
inside is an integer count of millimeters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta

__all__ = [
    "ENERGIES_J",
    "J_PER_KWH",
    "MASSES_PER_KG",
    "MAX_US",
    "POWERS_W",
    "UNITS_MM",
    "UNITS_US",
    "format_duration",
    "parse_duration_us",
    "parse_emissions_kg_per_kwh",
    "parse_energy_j",
    "parse_length_mm",
    "parse_power_w",
    "parse_price_per_kwh",
    "parse_rate_per_s",
    "parse_speed_mm_per_s",
    "write_duration",
    "write_emissions",
    "write_energy",
    "write_length",
    "write_power",
    "write_price",
    "write_rate",
    "write_speed",
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
_SPEED = re.compile(
    rf"\s*{_NUMBER}\s*([a-z]+)\s*(?:/|\bper\b)\s*([a-z\u00b5\u03bc]+)\s*"
)
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
    length_mm = _text_mm(value)
    if not 0 <= length_mm <= _MAX_MM:
        msg = f'"{value}" is out of range; a length is zero or more, 1,000 km at most'
        raise ValueError(msg)
    return round(length_mm)


def _text_mm(text: str) -> float:
    """Return a length in millimeters, not rounded."""
    found_text = _LENGTH.fullmatch(text)
    if not found_text:
        msg = f'"{text}" is not a length; write it like 3 m or 250 cm'
        raise ValueError(msg)
    unit = found_text[2]
    if unit not in UNITS_MM:
        msg = f'"{unit}" is not a unit of length; allowed are {", ".join(UNITS_MM)}'
        raise ValueError(msg)
    return float(found_text[1].replace("_", "")) * UNITS_MM[unit]


def parse_speed_mm_per_s(value: object) -> float:
    """Return a speed in millimeters per second from text such as ``1.2 m/s``.

    Raises:
        ValueError: The text is no speed, or is not above zero and finite.
    """
    found = _SPEED.fullmatch(str(value))
    if not found:
        msg = f'"{value}" is not a speed; write it like 1.2 m/s or 70 m/min'
        raise ValueError(msg)
    length_mm = _unit(found[2], "length", UNITS_MM)
    speed = float(found[1].replace("_", "")) * length_mm / (_unit_us(found[3]) / 1e6)
    if not 0 < speed <= _MAX_MM:
        msg = f'"{value}" is out of range; a speed is more than zero and finite'
        raise ValueError(msg)
    return speed


def write_speed(speed_mm_per_s: float) -> str:
    """Return a speed as the shortest text that `parse_speed_mm_per_s` reads back."""
    texts = [f"{speed_mm_per_s!r} mm/s"]
    for length in ("m", "km", "ft"):
        for time in ("s", "min", "h"):
            amount = speed_mm_per_s * (UNITS_US[time] / 1e6) / UNITS_MM[length]
            text = f"{amount:.12g} {length}/{time}"
            if amount > 0 and parse_speed_mm_per_s(text) == speed_mm_per_s:
                texts.append(text)
    return min(texts, key=len)


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


# ---------------------------------------------------------------- power and energy


POWERS_W: dict[str, float] = {"W": 1, "kW": 1e3, "MW": 1e6}
"""Watts in each unit of power."""

J_PER_KWH = 3.6e6

ENERGIES_J: dict[str, float] = {
    "J": 1, "kJ": 1e3, "MJ": 1e6, "Wh": 3600, "kWh": J_PER_KWH, "MWh": 3.6e9,
}  # fmt: skip
"""Joules in each unit of energy."""

MASSES_PER_KG: dict[str, float] = {"g": 1e3, "kg": 1, "t": 1e-3}
"""How many of each unit of mass are a kilogram."""

_AMOUNT = re.compile(rf"\s*{_NUMBER}\s*([^\W\d_]*)\s*")
_PER_ENERGY = re.compile(
    rf"\s*{_NUMBER}\s*([^\W\d_]*?)\s*(?:/|\bper\b)\s*([^\W\d_]+)\s*"
)


def parse_power_w(value: object) -> float:
    """Return a power in watts from text such as ``12 kW``, or 0.

    Raises:
        ValueError: It is not a power, has no unit, or is negative or not finite.
    """
    return _parse_amount(value, "power", POWERS_W, "kW")


def parse_energy_j(value: object) -> float:
    """Return an energy in joules from text such as ``0.4 kWh``, or 0.

    Raises:
        ValueError: It is no energy, has no unit, or is negative or not finite.
    """
    return _parse_amount(value, "energy", ENERGIES_J, "kWh")


def parse_price_per_kwh(value: object) -> float:
    """Return a price per kWh from text such as ``0.21/kWh`` or ``210/MWh``.

    Raises:
        ValueError: It is not a price of energy, or is negative or not finite.
    """
    found = _PER_ENERGY.fullmatch(str(value))
    if not found or found[2]:
        msg = f'"{value}" is not a price of energy; write it like 0.21/kWh'
        raise ValueError(msg + ", and name the currency once" if found else msg)
    price = _positive(value, found[1], "a price")
    return price / (_unit(found[3], "energy", ENERGIES_J) / J_PER_KWH)


def parse_emissions_kg_per_kwh(value: object) -> float:
    """Return kilograms of CO2 per kWh from text such as ``350 g/kWh``.

    Raises:
        ValueError: It is no mass per energy, or is negative or not finite.
    """
    found = _PER_ENERGY.fullmatch(str(value))
    if not (found and found[2]):
        msg = f'"{value}" is no mass per energy; write it like 0.35 kg/kWh'
        raise ValueError(msg)
    mass = _positive(value, found[1], "a mass") / _unit(found[2], "mass", MASSES_PER_KG)
    return mass / (_unit(found[3], "energy", ENERGIES_J) / J_PER_KWH)


def _parse_amount(
    value: object, noun: str, units: Mapping[str, float], example: str
) -> float:
    found = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value))
    if not found:
        shown = "nothing" if value is None else f'"{value}"'
        msg = f"{shown} is no {noun}; write it like 12 {example}"
        raise ValueError(msg)
    amount = _positive(value, found[1], noun)
    if amount == 0 and not found[2]:
        return 0.0
    if not found[2]:
        msg = f"{value} has no unit; write it like {value} {example}"
        raise ValueError(msg)
    return amount * _unit(found[2], noun, units)


def _positive(value: object, digits: str, noun: str) -> float:
    amount = float(digits.replace("_", ""))
    if not 0 <= amount < 1e15:
        msg = f'"{value}" is out of range; {noun} is zero or more and finite'
        raise ValueError(msg)
    return amount


def _unit(unit: str, noun: str, units: Mapping[str, float]) -> float:
    if unit not in units:
        msg = f'"{unit}" is not a unit of {noun}; allowed are {", ".join(units)}'
        raise ValueError(msg)
    return units[unit]


def write_power(power_w: float) -> str:
    """Return watts as the shortest text that `parse_power_w` reads back exactly."""
    return _write_amount(power_w, POWERS_W, "W")


def write_energy(energy_j: float) -> str:
    """Return joules as the shortest text that `parse_energy_j` reads back exactly."""
    return _write_amount(energy_j, ENERGIES_J, "J")


def write_price(price_per_kwh: float) -> str:
    """Return a price of energy as text that `parse_price_per_kwh` reads back."""
    return f"{price_per_kwh!r}/kWh"


def write_emissions(emissions_kg_per_kwh: float) -> str:
    """Return emissions as text that `parse_emissions_kg_per_kwh` reads back."""
    return f"{emissions_kg_per_kwh!r} kg/kWh"


def _write_amount(amount: float, units: Mapping[str, float], smallest: str) -> str:
    texts = [f"{amount!r} {smallest}"]
    for unit, size in units.items():
        digits = f"{amount / size:.12g}"
        if float(digits) * size == amount:
            texts.append(f"{digits} {unit}")
    return min(texts, key=len)
