"""Distributions of times: text such as ``triangular(4 min, 5 min, 8 min)`` and back.

Names and parameters are the field's own. A `Distribution` is a kind and its parameters
in microseconds (or plain numbers for shapes), already checked. Sampling lives in the
kernel; mean and variance live here because checks, bounds and rules need them.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from linewright.units import MAX_US, parse_duration_us, write_duration

__all__ = ["KINDS", "Distribution", "Samples"]

# Parameters of each kind, in order; "#" marks a plain number, the others are times.
KINDS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "exponential": ("mean",),
    "erlang": ("mean", "stages#"),
    "gamma": ("mean", "cv#"),
    "lognormal": ("mean", "cv#"),
    "normal": ("mean", "sd"),
    "weibull": ("scale", "shape#"),
    "beta": ("low", "high", "a#", "b#"),
    "pert": ("low", "mode", "high"),
    "hyperexponential": ("mean", "cv#"),
    "discrete": ("values", "weights"),
    "empirical": ("file", "column", "unit"),
}

_CALL = re.compile(r"\s*([A-Za-z_]+)\s*\((.*)\)\s*", re.DOTALL)


class Samples(Protocol):
    """Validation context of the loader: where `empirical` finds its column."""

    def sample_us(self, file: str, column: str, unit: str) -> tuple[int, ...]:
        """Return the column in microseconds, or raise `ValueError` saying why not."""


class Distribution(BaseModel):
    """A distribution of times, zero or more.

    Attributes:
        kind: One of `KINDS`.
        parameters: Values in the order of `KINDS`; times in microseconds.
        values_us: Support of ``discrete`` and sample of ``empirical``, microseconds.
        weights: Probabilities of ``discrete``; they sum to one.
        source: ``file``, ``column`` and ``unit`` of ``empirical``. Without a loader to
            read the file, `values_us` stays empty and `check` says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    parameters: tuple[float, ...] = ()
    values_us: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    source: tuple[str, str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, cls):
            return value
        if isinstance(value, Mapping):
            if "kind" in value and info.context is None:  # built in Python
                return value
            fields = _from_mapping(value)
        elif isinstance(value, str) and (call := _CALL.fullmatch(value)):
            fields = _from_call(call[1], call[2])
        else:
            return {"kind": "constant", "parameters": (_constant_us(value),)}
        if info.context is not None and "source" in fields:
            fields["values_us"] = info.context.sample_us(*fields["source"])
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(_unknown_kind(self.kind))
        p = self.parameters
        if len(p) != len(KINDS[self.kind]) and self.kind not in _SAMPLED:
            msg = f"{self.kind} takes {', '.join(map(_bare, KINDS[self.kind]))}"
            raise ValueError(msg)
        if any(not math.isfinite(x) or x < 0 or x >= MAX_US for x in p):
            msg = f"{self.kind} has a parameter that is negative or not finite"
            raise ValueError(msg)
        if self.kind == "discrete" and not 0 < len(self.weights) == len(self.values_us):
            msg = "discrete needs as many weights as values"
            raise ValueError(msg)
        rule = _RULES.get(self.kind)
        if rule and not rule[0](p):
            msg = f"{self.kind} needs {rule[1]}, found {self}"
            raise ValueError(msg)
        if not self.mean_us < MAX_US:
            msg = f"the mean of {self} is out of range"
            raise ValueError(msg)
        return self

    @model_serializer
    def _write(self) -> str | dict[str, Any]:
        values = [write_duration(v) for v in self.values_us]
        if self.kind == "discrete":
            return {"discrete": {"values": values, "weights": list(self.weights)}}
        if self.kind == "empirical" and values:
            return {"empirical": {"values": values}}
        return str(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the text and the mapping form for editors."""
        forms = [
            {
                "type": "string",
                "description": "A time such as `12 min`, or a distribution such as "
                "`exponential(5 min)` or `lognormal(mean=5 min, cv=0.3)`.",
                "examples": [
                    "12 min",
                    "exponential(5 min)",
                    "pert(4 min, 5 min, 9 min)",
                ],
            },
            *(_kind_schema(kind) for kind in KINDS),
            {"type": "integer", "const": 0, "description": "No time at all."},
        ]
        return {"title": "Distribution", "anyOf": forms}

    def __str__(self) -> str:
        """Return the text form, exact to the microsecond."""
        if self.kind == "constant":
            return write_duration(round(self.parameters[0]))
        if self.kind == "empirical" and self.source:
            return f"empirical({', '.join(self.source)})"
        if self.kind in _SAMPLED:
            return f"{self.kind} of {len(self.values_us)} values"
        parts = [
            f"{_bare(name)}={_plain(value)}"
            if name.endswith("#")
            else write_duration(round(value))
            for name, value in zip(KINDS[self.kind], self.parameters, strict=False)
        ]
        return f"{self.kind}({', '.join(parts)})"

    @property
    def mean_us(self) -> float:
        """Mean in microseconds (of the truncated normal: after truncation)."""
        return _moments(self)[0]

    @property
    def variance_us2(self) -> float:
        """Variance in square microseconds."""
        return _moments(self)[1]

    @property
    def cv(self) -> float:
        """Coefficient of variation; zero for a zero mean."""
        mean, variance = _moments(self)
        return math.sqrt(variance) / mean if mean else 0.0


_SAMPLED = frozenset({"discrete", "empirical"})


def _constant_us(value: object) -> int:
    if isinstance(value, str) and value.count("(") > value.count(")"):
        msg = f'"{value}" ends before its parenthesis is closed; inside {{ }} and [ ] '
        msg += "write a distribution in quotes, because of its commas"
        raise ValueError(msg)
    return parse_duration_us(value)


def _bare(name: str) -> str:
    return name.rstrip("#")


def _plain(value: float) -> str:
    return repr(value).removesuffix(".0")


def _kind_schema(kind: str) -> JsonSchemaValue:
    """Return the JSON Schema of the mapping form ``{kind: {parameter: value}}``."""
    fields = {_bare(name): _parameter_schema(kind, name) for name in KINDS[kind]}
    inner: JsonSchemaValue = _closed(fields)
    if kind == "empirical":
        values = _closed({"values": _parameter_schema("discrete", "values")})
        inner = {"anyOf": [inner, values]}
    elif len(fields) == 1:
        inner = {"anyOf": [inner, *fields.values()]}
    call = f"{kind}({', '.join(map(_bare, KINDS[kind]))})"
    return _closed({kind: inner | {"description": f"`{call}`"}})


def _parameter_schema(kind: str, name: str) -> JsonSchemaValue:
    number, time = {"type": "number"}, {"type": ["string", "integer"]}
    schema: JsonSchemaValue = number if name.endswith("#") else time
    if kind == "discrete":
        schema = {"type": "array", "items": number if name == "weights" else time}
    if kind == "empirical":
        schema = {"type": "string"}
    return schema | {"description": _MEANINGS[_bare(name)]}


_MEANINGS = {
    "a": "First shape, a plain number above zero.",
    "b": "Second shape, a plain number above zero.",
    "column": "Name of the column with the times.",
    "cv": "Standard deviation over mean, a plain number.",
    "file": "CSV file in the folder of the model.",
    "high": "Largest time.",
    "low": "Smallest time.",
    "mean": "Mean time.",
    "mode": "Most likely time.",
    "scale": "Scale, a time.",
    "sd": "Standard deviation before the cut at zero, a time.",
    "shape": "Shape, a plain number.",
    "stages": "Number of exponential stages.",
    "unit": "Unit of the column: s, min, h...",
    "value": "The time.",
    "values": "Times.",
    "weights": "Probabilities of the values; they sum to one.",
}


def _closed(properties: dict[str, Any]) -> JsonSchemaValue:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _unknown_kind(kind: object) -> str:
    near = difflib.get_close_matches(str(kind).lower(), KINDS, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'"{kind}" is not a distribution; allowed are {", ".join(KINDS)}{hint}'


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _from_call(kind: str, text: str) -> dict[str, Any]:
    if kind not in KINDS:
        raise ValueError(_unknown_kind(kind))
    if kind == "discrete":
        msg = "discrete takes a mapping: {discrete: {values: [...], weights: [...]}}"
        raise ValueError(msg)
    names = [_bare(n) for n in KINDS[kind]]
    given: dict[str, Any] = {}
    for place, part in enumerate(_split(text)):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            if place >= len(names):
                msg = f"{kind} takes {', '.join(names)}; found one more: {part}"
                raise ValueError(msg)
            word, _, rest = part.partition(" ")
            name, value = (word, rest) if word in names else (names[place], part)
        if name in given:
            msg = f"{kind} is given {name} twice"
            raise ValueError(msg)
        given[name] = value
    return _from_mapping({kind: given})


def _from_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    if len(value) != 1:
        msg = "a distribution has one key, its name, as in {exponential: {mean: 5 min}}"
        raise ValueError(msg)
    ((kind, given),) = value.items()
    if kind not in KINDS:
        raise ValueError(_unknown_kind(kind))
    names = [_bare(n) for n in KINDS[kind]]
    if not isinstance(given, Mapping):
        given = {names[0]: given}
    if kind == "empirical" and set(given) == {"values"}:
        return {"kind": kind, "values_us": _times(kind, given["values"])}
    unknown = [n for n in given if n not in names]
    missing = [n for n in names if n not in given]
    if unknown or missing:
        msg = f"{kind} takes {', '.join(names)}"
        msg += f"; unknown: {', '.join(map(str, unknown))}" if unknown else ""
        msg += f"; missing: {', '.join(missing)}" if missing else ""
        raise ValueError(msg)
    if kind == "discrete":
        return _discrete(given)
    if kind == "empirical":
        return {"kind": kind, "source": tuple(str(given[n]) for n in names)}
    numbers = [
        _number(kind, n, given[_bare(n)])
        if n.endswith("#")
        else parse_duration_us(given[_bare(n)])
        for n in KINDS[kind]
    ]
    return {"kind": kind, "parameters": tuple(float(x) for x in numbers)}


def _times(kind: str, values: object) -> tuple[int, ...]:
    if not isinstance(values, list | tuple) or not values:
        msg = f"{kind} needs a list of one or more values"
        raise ValueError(msg)
    return tuple(parse_duration_us(v) for v in values)


def _number(kind: str, name: str, value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        msg = f'{kind}: {_bare(name)} is a plain number, found "{value}"'
        raise ValueError(msg)
    return number


def _discrete(given: Mapping[str, Any]) -> dict[str, Any]:
    times, weights = _times("discrete", given["values"]), given["weights"]
    if not isinstance(weights, list | tuple) or len(weights) != len(times):
        msg = f"discrete needs as many weights as values, {len(times)} of each"
        raise ValueError(msg)
    numbers = [_number("discrete", "weights", w) for w in weights]
    if any(w < 0 for w in numbers) or abs(sum(numbers) - 1) > 1e-9:
        msg = f"the weights of discrete sum to {sum(numbers):g}; they must sum to one"
        raise ValueError(msg)
    return {"kind": "discrete", "values_us": times, "weights": tuple(numbers)}


_Rule = tuple[Callable[[tuple[float, ...]], bool], str]
_RULES: dict[str, _Rule] = {
    "uniform": (lambda p: p[0] <= p[1], "low <= high"),
    "triangular": (lambda p: p[0] <= p[1] <= p[2], "low <= mode <= high"),
    "pert": (lambda p: p[0] <= p[1] <= p[2], "low <= mode <= high"),
    "exponential": (lambda p: p[0] > 0, "a mean above zero"),
    "erlang": (
        lambda p: p[0] > 0 and p[1] == int(p[1]) and 1 <= p[1] <= 1000,
        "a mean above zero and a whole number of stages from 1 to 1000",
    ),
    "gamma": (lambda p: p[0] > 0 and 0 < p[1] <= 30, "mean > 0 and 0 < cv <= 30"),
    "lognormal": (
        lambda p: p[0] > 0 and 0 <= p[1] <= 100,
        "mean > 0 and 0 <= cv <= 100",
    ),
    "normal": (lambda p: p[0] > 0, "a mean above zero"),
    "weibull": (
        lambda p: p[0] > 0 and 0.05 <= p[1] <= 1000,
        "scale > 0 and 0.05 <= shape <= 1000",
    ),
    "beta": (
        lambda p: p[0] <= p[1] and p[2] > 0 and p[3] > 0,
        "low <= high, a > 0 and b > 0",
    ),
    "hyperexponential": (
        lambda p: p[0] > 0 and 1 <= p[1] <= 1000,
        "mean > 0 and 1 <= cv <= 1000",
    ),
}


def _moments(d: Distribution) -> tuple[float, float]:
    p = d.parameters
    if d.kind in _SAMPLED:
        return _sample_moments(d)
    if d.kind in {"exponential", "gamma", "lognormal", "hyperexponential"}:
        cv = 1.0 if d.kind == "exponential" else p[1]
        return p[0], (cv * p[0]) ** 2
    return _MOMENTS[d.kind](p)


def _sample_moments(d: Distribution) -> tuple[float, float]:
    n = len(d.values_us)
    weighted = list(zip(d.weights or [1 / max(n, 1)] * n, d.values_us, strict=True))
    mean = math.fsum(w * v for w, v in weighted)
    return mean, math.fsum(w * (v - mean) ** 2 for w, v in weighted)


def _triangular(p: tuple[float, ...]) -> tuple[float, float]:
    a, c, b = p
    return (a + b + c) / 3, (a * a + b * b + c * c - a * b - a * c - b * c) / 18


def _beta(p: tuple[float, ...]) -> tuple[float, float]:
    low, high, a, b = p
    share = a / (a + b)
    variance = (high - low) ** 2 * share * (1 - share) / (a + b + 1)
    return low + (high - low) * share, variance


def _pert(p: tuple[float, ...]) -> tuple[float, float]:
    low, mode, high = p
    if high == low:
        return low, 0.0
    a = 1 + 4 * (mode - low) / (high - low)
    return _beta((low, high, a, 6 - a))


def _normal_at_zero(p: tuple[float, ...]) -> tuple[float, float]:
    mean, sd = p
    if sd == 0:
        return mean, 0.0
    z = -mean / sd
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    hazard = density / (0.5 * math.erfc(z / math.sqrt(2)))
    return mean + sd * hazard, sd * sd * (1 + z * hazard - hazard * hazard)


def _weibull(p: tuple[float, ...]) -> tuple[float, float]:
    scale, shape = p
    first, second = math.gamma(1 + 1 / shape), math.gamma(1 + 2 / shape)
    return scale * first, scale**2 * (second - first**2)


_MOMENTS: dict[str, Callable[[tuple[float, ...]], tuple[float, float]]] = {
    "constant": lambda p: (p[0], 0.0),
    "uniform": lambda p: ((p[0] + p[1]) / 2, (p[1] - p[0]) ** 2 / 12),
    "triangular": _triangular,
    "erlang": lambda p: (p[0], p[0] ** 2 / p[1]),
    "normal": _normal_at_zero,
    "weibull": _weibull,
    "beta": _beta,
    "pert": _pert,
}
