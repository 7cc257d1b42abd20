"""Model lines as the formulas see them: stations, one after another, with buffers.

`serial_of` turns a serial line of the model into a `theory.flow_line.FlowLine`. Times
enter by mean and variance. Whatever else a model can say (setups, people, calendars,
scrap, …) the formulas do not know, so a line that says it is refused, with all reasons
at once. What is only nearly so, as a repair that is not exponential, is a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import BaseModel

from linewright.model.distribution import Distribution
from linewright.model.line import Failure, Line, Product, Station
from linewright.model.meaning import process_time
from linewright.theory.flow_line import Clock, FlowLine

__all__ = ["Serial", "serial_of"]

# What the formulas know, or what changes nothing about the throughput.
_OF_LINE = {
    "schema_version", "name", "description", "start", "time_zone", "stages",
    "calendars", "stations", "products", "currency", "energy", "layout", "study",
}  # fmt: skip
_OF_PRODUCT = {"family", "priority", "route", "demand", "cost", "price"}
_OF_STEP = {"operation", "station", "process", "process_per", "family"}
_OF_STATION = {
    "stage", "process", "buffer", "failures", "dispatch", "power", "energy", "cost",
}  # fmt: skip
_OF_FAILURE = {"every", "first", "repair", "clock", "together"}
_CLOCKS = {"processing": "processing", "cycles": "processing", "units": "processing"}


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial line of the model, and what the formulas make of it.

    Attributes:
        stations: Names of the stations, in the order of the route.
        slots: Places in the input buffer of each station but the first; None where
            they are unlimited.
        notes: What the formulas take as simpler than the model says it.
        like: The line of the formulas; see `with_slots`.
    """

    stations: tuple[str, ...]
    slots: tuple[int | None, ...]
    notes: tuple[str, ...]
    like: FlowLine

    @property
    def buffers(self) -> tuple[str, ...]:
        """Stations whose input buffer lies between two stations."""
        return self.stations[1:]

    def with_slots(self, slots: Sequence[int]) -> FlowLine:
        """Return the line of the formulas with places between its stations."""
        return replace(self.like, slots=tuple(slots))


def serial_of(line: Line) -> Serial:
    """Return a serial line as the formulas see it.

    Raises:
        ValueError: The line is another one; the message has every reason.
    """
    reasons = list(_reasons(line))
    if reasons:
        raise ValueError(f"the formulas do not know this line: {'; '.join(reasons)}")
    (name, product), *_ = line.products.items()
    stations = [step.stations[0] for step in product.route]
    times = [
        cast(Distribution, process_time(line, name, step, station))
        for step, station in zip(product.route, stations, strict=True)
    ]
    stops = [_stops(line.stations[s], t) for s, t in zip(stations, times, strict=True)]
    places = [line.stations[s].buffer for s in stations[1:]]
    like = FlowLine(
        process_s=tuple(time.mean_us / 1e6 for time in times),
        slots=tuple(p if isinstance(p, int) else 0 for p in places),
        scv=tuple(time.cv**2 for time in times),
        mttf_s=tuple(mttf for mttf, _ in stops),
        mttr_s=tuple(mttr for _, mttr in stops),
        clock=cast(Clock, next(iter(_clocks(line)), "processing")),
    )
    return Serial(
        tuple(stations),
        tuple(p if isinstance(p, int) else None for p in places),
        tuple(_notes(line, dict(zip(stations, times, strict=True)))),
        like,
    )


# ------------------------------------------------------------------ what is unknown


def _reasons(line: Line) -> Iterator[str]:
    """Say why a line is not one that the formulas know."""
    for key in _said(line, _OF_LINE):
        yield f"it has {key}"
    if len(line.products) > 1:
        yield f"it makes {len(line.products)} products"
    for name, product in line.products.items():
        yield from _reasons_of(line, name, product)
    for name, station in line.stations.items():
        for key in _said(station, _OF_STATION):
            yield f'station "{name}" has {key}'
        for stop, failure in station.failures.items():
            for key in _said(failure, _OF_FAILURE):
                yield f'failure "{stop}" of station "{name}" has {key}'
            if failure.clock == "calendar":
                yield f'failure "{stop}" of station "{name}" comes by the calendar'
    if len(_clocks(line)) > 1:
        yield "some stations fail by processing time and some by operating time"


def _reasons_of(line: Line, name: str, product: Product) -> Iterator[str]:
    for key in _said(product, _OF_PRODUCT):
        yield f'product "{name}" has {key}'
    visited: set[str] = set()
    for step in product.route:
        where = step.operation or step.stations[0]
        for key in _said(step, _OF_STEP):
            yield f'operation "{where}" has {key}'
        if len(step.stations) > 1:
            yield f'operation "{where}" has several stations'
            continue
        (station,) = step.stations
        if station in visited:
            yield f'station "{station}" is visited twice'
        visited.add(station)
        time = process_time(line, name, step, station)
        if time is None or time.mean_us <= 0:
            yield f'operation "{where}" takes no time'
    for idle in line.stations.keys() - visited:
        yield f'station "{idle}" is not visited by product "{name}"'
    for station in [s for s in visited if isinstance(line.stations[s].buffer, str)]:
        if line.stations[station].buffer != "unlimited":
            yield f'station "{station}" shares its buffer'


def _said(thing: BaseModel, known: set[str]) -> list[str]:
    """Return the keys that are not known here and say something."""
    return [
        key
        for key, field in type(thing).model_fields.items()
        if key not in known
        and getattr(thing, key) != field.get_default(call_default_factory=True)
    ]


def _clocks(line: Line) -> set[str]:
    return {
        _CLOCKS.get(failure.clock, failure.clock)
        for station in line.stations.values()
        for failure in station.failures.values()
    }


# ------------------------------------------------------------------ failures


def _stops(station: Station, process: Distribution) -> tuple[float, float]:
    """Return the mean time to failure and to repair of all failures together."""
    if not station.failures:
        return math.inf, 0.0
    rates = [1 / _every_s(f, process) for f in station.failures.values()]
    repairs = [f.repair.mean_us / 1e6 for f in station.failures.values()]
    down = sum(rate * repair for rate, repair in zip(rates, repairs, strict=True))
    return 1 / sum(rates), down / sum(rates)


def _every_s(failure: Failure, process: Distribution) -> float:
    if isinstance(failure.every, int):
        return failure.every * process.mean_us / 1e6
    return failure.every.mean_us / 1e6


def _notes(line: Line, times: dict[str, Distribution]) -> Iterator[str]:
    """Say what is taken as simpler than it is."""
    other = [s for s, time in times.items() if time.kind != "exponential"]
    if other:
        yield f"processing times by mean and variance alone: {', '.join(other)}"
    stops = [
        (name, failure)
        for name, station in line.stations.items()
        for failure in station.failures.values()
    ]
    every = {n for n, f in stops if getattr(f.every, "kind", "") != "exponential"}
    repair = {n for n, f in stops if f.repair.kind != "exponential"}
    if every:
        yield f"times to failure taken as exponential: {', '.join(sorted(every))}"
    if repair:
        yield f"times to repair taken as exponential: {', '.join(sorted(repair))}"
    several = [n for n, station in line.stations.items() if len(station.failures) > 1]
    if several:
        yield f"several failures taken as one: {', '.join(several)}"
