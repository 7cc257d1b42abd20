"""Values of the model file: counts, names, durations, dates, and how each is read.

Every type here is a pydantic annotation that reads what a person writes, refuses what
would have to be guessed (a number without a unit, a date given as a number), and writes
it back so that it reads the same. Where a key takes several forms, `pick` tells them
apart by their type, so that a wrong value is reported once and not once for each form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    WithJsonSchema,
)

from linewright.model.distribution import KINDS, Distribution
from linewright.units import (
    parse_duration_us,
    parse_emissions_kg_per_kwh,
    parse_energy_j,
    parse_length_mm,
    parse_power_w,
    parse_price_per_kwh,
    parse_rate_per_s,
    parse_speed_mm_per_s,
    write_duration,
    write_emissions,
    write_energy,
    write_length,
    write_power,
    write_price,
    write_rate,
    write_speed,
)

__all__ = [
    "ByProduct",
    "ClockTime",
    "Count",
    "Deadline",
    "Duration",
    "Emissions",
    "EnergyPrice",
    "Flag",
    "Interval",
    "Joules",
    "Length",
    "LocalDate",
    "LocalTime",
    "Moment",
    "Money",
    "MoneyOrGain",
    "Name",
    "Places",
    "Priority",
    "Probability",
    "Rate",
    "Slots",
    "Speed",
    "Title",
    "Watts",
    "pick",
    "write_moment",
]

MAX_COUNT = 1_000_000_000

Duration = Annotated[
    int,
    BeforeValidator(parse_duration_us),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "integer", "const": 0}],
            "description": "A time with its unit.",
            "examples": ["12 min", "1 h 30 min", "3 d"],
        }
    ),
]
Length = Annotated[
    int,
    BeforeValidator(parse_length_mm),
    PlainSerializer(write_length, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "integer", "const": 0}],
            "description": "A length with its unit.",
            "examples": ["3 m", "250 cm", "12.5 ft"],
        }
    ),
]
Speed = Annotated[
    float,
    BeforeValidator(parse_speed_mm_per_s),
    PlainSerializer(write_speed, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["1.2 m/s", "70 m/min"]}),
]
Rate = Annotated[
    float,
    BeforeValidator(parse_rate_per_s),
    PlainSerializer(write_rate, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.5/h", "6/min"]}),
]
Count = Annotated[int, Field(ge=1, le=MAX_COUNT, strict=True)]
Places = Annotated[int, Field(ge=0, le=MAX_COUNT, strict=True)]
Priority = Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT, strict=True)]
Probability = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]

Watts = Annotated[
    float,
    BeforeValidator(parse_power_w),
    PlainSerializer(write_power, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["12 kW", "800 W"]}),
]
Joules = Annotated[
    float,
    BeforeValidator(parse_energy_j),
    PlainSerializer(write_energy, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.4 kWh", "2 MJ"]}),
]
EnergyPrice = Annotated[
    float,
    BeforeValidator(parse_price_per_kwh),
    PlainSerializer(write_price, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.21/kWh", "210/MWh"]}),
]
Emissions = Annotated[
    float,
    BeforeValidator(parse_emissions_kg_per_kwh),
    PlainSerializer(write_emissions, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["0.35 kg/kWh", "350 g/kWh"]}),
]


def _no_currency(value: Any) -> Any:
    """Refuse an amount with a currency behind it, and say where that belongs."""
    if isinstance(value, str) and any(c.isdigit() for c in value):
        msg = f'"{value}" is not a number; write the number alone, and the name of the '
        msg += "money once, as the currency of the line"
        raise ValueError(msg)
    return value


Money = Annotated[
    float, Field(ge=0, strict=True, allow_inf_nan=False), BeforeValidator(_no_currency)
]
MoneyOrGain = Annotated[
    float, Field(strict=True, allow_inf_nan=False), BeforeValidator(_no_currency)
]


def _read_name(name: str) -> str:
    if name != name.strip() or any(unicodedata.category(c)[0] == "C" for c in name):
        msg = "a name has no space at its ends and no control characters"
        raise ValueError(msg)
    return name


Title = Annotated[str, Field(max_length=200), AfterValidator(_read_name)]
Name = Annotated[Title, Field(min_length=1)]


def pick(*tests: tuple[type | tuple[type, ...], str], other: str) -> Discriminator:
    """Return a discriminator that tells the forms of a value by its type.

    With it only the errors of the form that was meant are reported. The names of the
    forms stand in angle brackets, so that no key of a model file is taken for one.
    """

    def form(value: Any) -> str:
        return next((name for kind, name in tests if isinstance(value, kind)), other)

    return Discriminator(form)


Slots = Annotated[
    Annotated[Places, Tag("<places>")] | Annotated[Name, Tag("<name>")],
    pick((str, "<name>"), other="<places>"),
    Field(description="Places: a number, `unlimited`, or the name of a shared buffer."),
]


def _is_times(value: Any) -> str:
    """Tell ``{product: time}`` from a distribution such as ``{gamma: {...}}``."""
    if not isinstance(value, Mapping) or ("kind" in value and "parameters" in value):
        return "<time>"
    if len(value) == 1:
        ((key, inner),) = value.items()
        # Parameters inside: a distribution, even if its name is misspelled.
        has_parameters = isinstance(inner, Mapping) and not inner.keys() & KINDS.keys()
        if key in KINDS or (has_parameters and "kind" not in inner):
            return "<time>"
    return "<by product>"


Interval = Annotated[
    Annotated[Distribution, Tag("<time>")] | Annotated[Count, Tag("<cycles>")],
    Discriminator(
        lambda value: "<cycles>" if isinstance(value, int | float) else "<time>"
    ),
]

_CLOCK_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(
    rf"{_DATE.pattern}(?:[T ]\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,6}})?)?)?"
)


def _read_time(value: Any) -> Any:
    if isinstance(value, time):
        return value
    found = _CLOCK_TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    hour, minute, second = (
        (int(x or 0) for x in found.groups()) if found else (99, 0, 0)
    )
    if (hour, minute, second) == (24, 0, 0):
        hour = 0
    if hour > 23 or minute > 59 or second > 59:
        msg = f"{value!r} is not a time of day; write it like 06:00"
        raise ValueError(msg)
    return time(hour, minute, second)


def _write_time(clock: time) -> str:
    return clock.isoformat("auto" if clock.second or clock.microsecond else "minutes")


def _text_only(pattern: re.Pattern[str], example: str) -> Callable[[Any], Any]:
    """Return a reader that takes text of this form, or a date, but no bare number."""

    def read(value: Any) -> Any:
        if isinstance(value, date) or (
            isinstance(value, str) and pattern.fullmatch(value.strip())
        ):
            return value.strip() if isinstance(value, str) else value
        msg = f"{value!r} is not a local date; write it like {example}"
        raise ValueError(msg)

    return read


def _without_zone(moment: datetime) -> datetime:
    if moment.tzinfo is not None:
        msg = "this is a local time of the line; its zone is the key time_zone"
        raise ValueError(msg)
    return moment


ClockTime = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(_write_time, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{1,2}:\d{2}(:\d{2})?$",
            "examples": ["06:00"],
        }
    ),
]
LocalDate = Annotated[
    date,
    BeforeValidator(_text_only(_DATE, "2027-01-31")),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}$",
            "examples": ["2027-01-31"],
        }
    ),
]
LocalTime = Annotated[
    datetime,
    BeforeValidator(_text_only(_DATE_TIME, "2027-01-31 06:00")),
    AfterValidator(_without_zone),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$",
            "examples": ["2027-01-31", "2027-01-31 06:00"],
        }
    ),
]
Moment = Annotated[
    Annotated[LocalTime, Tag("<date>")] | Annotated[Duration, Tag("<duration>")],
    Discriminator(
        lambda value: (
            "<date>"
            if isinstance(value, date) or re.match(r"\s*\d{4}-", str(value))
            else "<duration>"
        )
    ),
]


def write_moment(when: date | int) -> str:
    """Return a date, local time or time since the start as a model file has it."""
    if isinstance(when, int):
        return write_duration(when)
    if isinstance(when, datetime):
        has_time = when.time() != time(0)
        return when.isoformat(" ", "auto" if when.second else "minutes")[
            : None if has_time else 10
        ]
    return when.isoformat()


def _kind_of_deadline(value: Any) -> str:
    """Tell a whole day from a time of day and from a time since the start."""
    if isinstance(value, datetime):
        return "<time>"
    if isinstance(value, date) or _DATE.fullmatch(str(value).strip()):
        return "<date>"
    return "<time>" if re.match(r"\s*\d{4}-", str(value)) else "<duration>"


Deadline = Annotated[
    Annotated[LocalDate, Tag("<date>")]
    | Annotated[LocalTime, Tag("<time>")]
    | Annotated[Duration, Tag("<duration>")],
    Discriminator(_kind_of_deadline),
]
"""A date, which counts to its end, a local time, or a time since the start."""

ByProduct = Annotated[
    Annotated[Distribution, Tag("<time>")]
    | Annotated[dict[Name, Distribution], Tag("<by product>")],
    Discriminator(_is_times),
]
