"""Work that a unit brings with it: of people, of crews, and less of it with experience.

The time of servers is `load_estimate.work_us`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.model.line import Learning, Line, Step
from linewright.model.load_estimate import Flow, stop_times, stops_of
from linewright.model.meaning import batch_of, people_of, process_time

__all__ = ["Crew", "crews_of", "learned", "learned_mean", "people_us"]

Floats = NDArray[np.float64]

_POINTS = 16  # of a period, at which what is learned is averaged
_WORKING = "processing"  # the clock that goes while there is work


def people_us(line: Line, name: str, step: Step) -> Iterator[tuple[str, float]]:
    """Yield the time of people by skill that a unit takes at an operation.

    Of alternatives as at the first.
    """
    station = line.stations[step.stations[0]]
    people, lot = station.people, line.products[name].lot_size
    if people is None:
        return
    time = process_time(line, name, step, step.stations[0])
    process_us = time.mean_us if time else 0.0
    batch = batch_of(line, step)
    parts = batch.max / lot if batch else 1.0
    if step.process_per == "unit":
        process_us *= lot * parts
    times = (
        (people.process, process_us),
        (people.load, station.load.mean_us if station.load else 0.0),
        (people.unload, station.unload.mean_us if station.unload else 0.0),
    )
    for asked, us in times:
        skill, n = people_of(asked)
        if skill is not None and us > 0:
            yield skill, n * us / (lot * max(parts, 1.0))


class Crew(NamedTuple):
    """People that the stops of a station take, by what brings the stops about.

    Attributes:
        skill: What they are asked for by.
        per_hour: Their time for each time of its servers, for stops by the clock.
        per_work: Their time for each time of its work.
        per_visit: Their time for each lot or batch, us.
    """

    skill: str
    per_hour: float
    per_work: float
    per_visit: float


def crews_of(line: Line, name: str) -> Iterator[Crew]:
    """Yield the people that the stops of a station take."""
    station = line.stations[name]
    by_default = station.people.repair if station.people else None
    times = [stop_times(s) for s in stops_of(station) if s.clock == _WORKING]
    whole = 1 + sum(down / up for up, down in times)
    for stop in stops_of(station):
        skill, n = people_of(stop.crew if stop.crew else by_default)
        if skill is None:
            continue
        up, down = stop_times(stop)
        share = n * down / up
        if stop.clock in {"calendar", "operating"}:
            yield Crew(skill, share, 0.0, 0.0)
        elif stop.clock == _WORKING:
            yield Crew(skill, 0.0, share / whole, 0.0)
        else:
            yield Crew(skill, 0.0, 0.0, share)


def learned(
    line: Line,
    flows: Mapping[str, Flow],
    starts: Mapping[str, Any],
    step: Step,
    n_periods: int,
) -> Floats:
    """Return the share of its first time that an operation takes, by period.

    Args:
        line: The line.
        flows: What becomes of a unit of each product.
        starts: Units of each product that are started in each period.
        step: The operation.
        n_periods: How many periods there are.
    """
    if step.learning is None:
        return np.ones(n_periods)
    done = np.zeros(n_periods)
    for product, other in line.products.items():
        lot = other.lot_size if step.process_per == "lot" else 1
        for i, own in enumerate(other.route):
            if own.operation == step.operation and own.learning is not None:
                done += starts[product] * flows[product].visits[i] / lot
    return learned_mean(step.learning, done)


def learned_mean(learning: Learning, done: Floats) -> Floats:
    """Return the mean share of the first time in periods with so many units done."""
    before = learning.done + done.cumsum() - done
    inside = before + done * ((np.arange(_POINTS) + 0.5) / _POINTS)[:, None]
    shares = [_learned_share(learning, n + 0.5) for n in inside.ravel()]
    mean: Floats = np.array(shares).reshape(inside.shape).mean(axis=0)
    return mean


def _learned_share(learning: Learning, n: float) -> float:
    """Return the share of its first time that unit `n` takes, n from 1.

    Source:
        As `linewright.kernel.learning`, nothing forgotten.
    """
    exponent = math.log2(learning.rate) if learning.rate > 0 else -math.inf
    share = n**exponent if n > 1 else 1.0
    if learning.curve == "wright" and n > 1:
        share = n * share - (n - 1) * (n - 1) ** exponent
    return max(share, learning.plateau)
