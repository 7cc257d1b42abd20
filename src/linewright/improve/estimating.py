"""What a line makes, before it is simulated: a bound, and more for serial lines.

The bound needs averages only: no line makes more than the hours of its stations allow,
stops and scrap included. For a serial line without shifts, setups and people there is
an estimate by decomposition beside it, with the error that such estimates are known to
have, and the exact value where the line is a small Markov chain.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from linewright.improve.flow_lines import serial_of
from linewright.model.line import Line
from linewright.model.load_estimate import (
    capacity_us,
    flow_of,
    pooled,
    starts_of,
    starts_per_s,
    work_us,
)
from linewright.model.meaning import leaves_line
from linewright.theory.chains import exact
from linewright.theory.decomposition import Estimate, estimate
from linewright.theory.flow_line import FlowLine

__all__ = ["LineEstimate", "Load", "estimate_line"]

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much of a unit's making falls to some stations.

    Attributes:
        stations: One station, or those that can stand in for one another.
        hours: Server hours that a unit of the mix takes there, failures while it is
            worked on included.
        servers: Servers there, as many as they are on average by shifts and stops.
        most_per_h: Units of the mix in an hour that they allow.
        load: Work over hours at the bound of the line: 1 at its tightest place.
    """

    stations: tuple[str, ...]
    hours: float
    servers: float
    most_per_h: float
    load: float


@dataclass(frozen=True, slots=True)
class LineEstimate:
    """What is known of a line without simulating it.

    Attributes:
        mix: Share of each product among the good units that leave.
        asked_per_h: Good units in an hour that demand, arrivals and dated orders ask
            for, all products together; 0 if nothing asks.
        bound_per_h: Good units in an hour that the line cannot exceed in the long run.
        loads: The stations, the tightest first.
        formula: What the decomposition says; None where it does not know the line.
        exact_per_h: The exact throughput of a small line of exponential times.
        notes: What the formula takes as simpler than the model says.
        unknown: Why the formula does not know the line.
    """

    mix: dict[str, float]
    asked_per_h: float
    bound_per_h: float
    loads: tuple[Load, ...]
    formula: Estimate | None
    exact_per_h: float | None
    notes: tuple[str, ...]
    unknown: tuple[str, ...]


def estimate_line(line: Line) -> LineEstimate:
    """Return what a checked line makes by averages and formulas, in milliseconds.

    Raises:
        ValueError: No product leaves the line, or none takes any work.
    """
    flows = {name: flow_of(product) for name, product in line.products.items()}
    sold = [name for name in line.products if leaves_line(line, name)]
    if not sold:
        msg = "no product leaves the line"
        raise ValueError(msg)
    asked = starts_per_s(line, flows)
    weights = {name: asked[name] * flows[name].good for name in sold}
    asked_per_s = sum(weights.values())
    if asked_per_s == 0:
        weights = {name: line.products[name].release.share for name in sold}
    total = sum(weights.values())
    mix = {name: weight / total for name, weight in weights.items()}
    loads = _loads(line, mix)
    unknown: tuple[str, ...] = ()
    formula, exact_per_h = None, None
    notes: tuple[str, ...] = ()
    try:
        serial = serial_of(line)
    except ValueError as error:
        unknown = tuple(str(error).partition(": ")[2].split("; "))
    else:
        notes = serial.notes
        if None in serial.slots:
            unknown = ("a buffer between two stations is unlimited",)
        else:
            formula = estimate(serial.like)
            if all(c == 1 for c in serial.like.scv) and not notes:
                exact_per_h = _exact_per_h(serial.like)
    return LineEstimate(
        mix,
        asked_per_s * _HOUR_S,
        loads[0].most_per_h,
        loads,
        formula,
        exact_per_h,
        notes,
        unknown,
    )


def _exact_per_h(like: FlowLine) -> float | None:
    """Return the exact throughput, or None if the chain is too large."""
    try:
        return exact(like).throughput_per_s * _HOUR_S
    except ValueError:
        return None


def _loads(line: Line, mix: dict[str, float]) -> tuple[Load, ...]:
    """Return the stations, the tightest first."""
    flows = {name: flow_of(product) for name, product in line.products.items()}
    starts = starts_of(line, flows, mix)
    by_set: dict[frozenset[str], float] = defaultdict(float)
    for name, product in line.products.items():
        for i, step in enumerate(product.route):
            units = float(starts[name]) * flows[name].visits[i]
            each_us = min(work_us(line, name, i, station) for station in step.stations)
            by_set[frozenset(step.stations)] += units * each_us
    shares: dict[str | None, float] = {}
    servers = {name: capacity_us(line, name, shares) for name in line.stations}
    found = []
    for stations, work in pooled(by_set).items():
        n = sum(servers[station] for station in stations)
        if (hours := float(work) / 1e6 / _HOUR_S) > 0:
            found.append((tuple(sorted(stations)), hours, n, n / hours))
    if not found:
        msg = "no product takes any work"
        raise ValueError(msg)
    found.sort(key=lambda row: row[3])
    bound = found[0][3]
    return tuple(Load(*row, load=bound / row[3] if row[3] else 1.0) for row in found)
