"""Quantities that nobody knows yet: how they may turn out, and how they are drawn.

``triangular(45 s, 50 s, 58 s)`` is a time, ``uniform(0.8, 1)`` a plain number; the
distributions are those of the model. A replication draws each quantity once, from a
stream that is named after the option and the quantity. So two sets that share an option
see it turn out the same way, and their difference is not blurred by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from linewright.lower import stream_keys
from linewright.model.distribution import KINDS, Distribution
from linewright.model.explain import did_you_mean, listed
from linewright.units import write_duration

__all__ = ["Uncertain", "quantile", "read_uncertain"]

_CALL = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)
_PLAIN = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")
_US = 1e6  # a plain number is read as seconds, and is good to a millionth


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A quantity of an option, and how it may turn out.

    Attributes:
        name: What it is called in the option, ``$name``.
        stream: Name of its stream.
        distribution: How it may turn out; a plain number stands there as seconds.
        is_time: Whether it is a time.
        is_whole: Whether it is a whole number.
    """

    name: str
    stream: str
    distribution: Distribution
    is_time: bool
    is_whole: bool = False

    def draw(self, seed: int, number: int) -> Any:
        """Return its value in a replication, as it is written in a model."""
        key = int(stream_keys([self.stream], seed)[0])
        generator = np.random.Generator(np.random.Philox(key=key, counter=number << 64))
        return self.at(generator.random())

    def at(self, u: float) -> Any:
        """Return the value that is exceeded with probability 1 - `u`."""
        return self._written(quantile(self.distribution, u))

    @property
    def typical(self) -> Any:
        """Return its mean, or the likeliest of the values that it may have."""
        d = self.distribution
        if d.kind == "discrete":
            likeliest = max(zip(d.weights, d.values_us, strict=True))[1]
            return self._written(likeliest)
        return self._written(d.mean_us)

    def _written(self, value_us: float) -> Any:
        if self.is_time:
            return write_duration(round(value_us))
        return round(value_us / _US) if self.is_whole else round(value_us / _US, 6)


def read_uncertain(name: str, stream: str, said: Any) -> Uncertain:
    """Return a quantity from what a file says of it.

    Raises:
        ValueError: It is no distribution, or not one that can be drawn here.
    """
    as_time, is_time = _as_time(said)
    kind = _kind(as_time)
    if kind not in _QUANTILES:
        hint = did_you_mean(str(kind), list(_QUANTILES))
        msg = f"found {said}; allowed are {listed(list(_QUANTILES))}, of times or of "
        raise ValueError(f"{msg}plain numbers{'; ' + hint if hint else ''}")
    distribution = Distribution.model_validate(as_time)
    values = distribution.values_us
    whole = not is_time and bool(values) and all(v % _US == 0 for v in values)
    return Uncertain(name, stream, distribution, is_time, whole)


def _kind(said: Any) -> Any:
    if isinstance(said, Mapping) and len(said) == 1:
        return next(iter(said))
    call = _CALL.fullmatch(said) if isinstance(said, str) else None
    return call[1] if call else said


def _as_time(said: Any) -> tuple[Any, bool]:
    """Return a distribution of plain numbers as one of seconds; whether it was one."""
    if isinstance(said, Mapping) and set(said) == {"discrete"}:
        inner = said["discrete"]
        values = inner.get("values") if isinstance(inner, Mapping) else None
        if isinstance(values, list) and all(_is_plain(v) for v in values):
            seconds = [f"{v} s" for v in values]
            return {"discrete": {**inner, "values": seconds}}, False
        return said, True
    call = _CALL.fullmatch(said) if isinstance(said, str) else None
    if call is None or call[1] not in KINDS:
        return said, True
    names = [name.rstrip("#") for name in KINDS[call[1]]]
    shapes = {name.rstrip("#") for name in KINDS[call[1]] if name.endswith("#")}
    parts, plain = [], True
    for place, part in enumerate(call[2].split(",")):
        name, equals, value = part.rpartition("=")
        name = name.strip() or (names[place] if place < len(names) else "")
        value = value.strip()
        if name not in shapes:
            plain = plain and _is_plain(value)
            value += " s"
        parts.append(f"{name}={value}" if equals else value)
    return (f"{call[1]}({', '.join(parts)})", False) if plain else (said, True)


def _is_plain(value: Any) -> bool:
    return _PLAIN.fullmatch(str(value).strip()) is not None


# ------------------------------------------------------------------ quantiles


def quantile(distribution: Distribution, u: float) -> float:
    """Return a quantile in microseconds, of a kind that `read_uncertain` allows.

    Args:
        distribution: The distribution.
        u: Probability of a smaller value, between 0 and 1.
    """
    return max(0.0, float(_QUANTILES[distribution.kind](distribution, u)))


def _uniform(d: Distribution, u: float) -> float:
    low, high = d.parameters
    return low + u * (high - low)


def _triangular(d: Distribution, u: float) -> float:
    low, mode, high = d.parameters
    if high == low:
        return low
    turn = (mode - low) / (high - low)
    if u <= turn:
        return low + math.sqrt(u * (high - low) * (mode - low))
    return high - math.sqrt((1 - u) * (high - low) * (high - mode))


def _beta(d: Distribution, u: float) -> float:
    low, high, a, b = d.parameters
    return _on(low, high, a, b, u)


def _pert(d: Distribution, u: float) -> float:
    low, mode, high = d.parameters
    if high == low:
        return low
    a = 1 + 4 * (mode - low) / (high - low)
    return _on(low, high, a, 6 - a, u)


def _on(low: float, high: float, a: float, b: float, u: float) -> float:
    from scipy.special import betaincinv  # noqa: PLC0415 - keeps the CLI's start short

    return low + (high - low) * float(betaincinv(a, b, u))


def _normal(d: Distribution, u: float) -> float:
    """Return a quantile of what is cut at zero."""
    mean, sd = d.parameters
    if sd == 0:
        return mean
    normal = NormalDist(mean, sd)
    below = normal.cdf(0)
    return normal.inv_cdf(min(max(below + u * (1 - below), 1e-300), 1 - 1e-16))


def _lognormal(d: Distribution, u: float) -> float:
    mean, cv = d.parameters
    s2 = math.log1p(cv * cv)
    z = NormalDist().inv_cdf(min(max(u, 1e-300), 1 - 1e-16))
    return mean * math.exp(z * math.sqrt(s2) - s2 / 2)


def _discrete(d: Distribution, u: float) -> float:
    row = int(np.searchsorted(np.cumsum(d.weights), u, side="right"))
    return d.values_us[min(row, len(d.values_us) - 1)]


_QUANTILES: dict[str, Callable[[Distribution, float], float]] = {
    "uniform": _uniform,
    "triangular": _triangular,
    "pert": _pert,
    "beta": _beta,
    "normal": _normal,
    "lognormal": _lognormal,
    "discrete": _discrete,
}
