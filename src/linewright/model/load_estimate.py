"""How much work the demand asks of each station, by averages alone.

Demand is exploded through bills of material and splits, made larger by scrap and
rework, and compared with the time that servers, calendars and failures leave. Waiting,
setups and blocking are left out, so a station that is overloaded here is overloaded;
one that is not may be. Used by `lint`; it draws no random numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from numpy.typing import NDArray

from linewright.model.calendars import on_share
from linewright.model.changes import servers_over_time, station_schedule
from linewright.model.distribution import Distribution
from linewright.model.line import Failure, Line, Maintenance, Product, Station
from linewright.model.meaning import (
    batch_of,
    next_operation,
    process_time,
    rework_share,
    sample_share,
    uses_of,
)
from linewright.model.rules import moment_us

__all__ = [
    "Flow",
    "arrivals_per_s",
    "availability",
    "capacity_us",
    "flow_of",
    "pooled",
    "starts_of",
    "starts_per_s",
    "stop_times",
    "stops_of",
    "work_us",
]

Amount = float | NDArray[np.float64]

MAX_LOOPS = 1000
MAX_SETS = 300
"""Sets of alternative stations that are compared with each other."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What becomes of a unit that is started, on average.

    Attributes:
        visits: Visits of each operation of the route.
        good: Share of started units that leave good, scrap taken out.
    """

    visits: tuple[float, ...]
    good: float


def flow_of(product: Product) -> Flow:
    """Return the expected visits and the yield of a product's route."""
    n_steps = len(product.route)
    visits, waiting = [0.0] * n_steps, [0.0] * n_steps
    good, outcomes = 0.0, _outcomes(product)
    following = [next_operation(product, i) for i in range(n_steps)]
    sampled = [sample_share(step) for step in product.route]
    if n_steps:
        waiting[0] = 1.0
    for _ in range(MAX_LOOPS):
        for i in range(n_steps):
            mass, waiting[i] = waiting[i], 0.0
            share, ahead = sampled[i], following[i]
            if share < 1 and ahead is not None:
                waiting[ahead] += mass * (1 - share)
                mass *= share
            elif share < 1:
                good += mass * (1 - share)
                mass *= share
            visits[i] += mass
            passed, reworked, target = outcomes[i]
            if ahead is None:
                good += mass * passed
            else:
                waiting[ahead] += mass * passed
            waiting[target] += mass * reworked
        if sum(waiting) < 1e-9:
            break
    return Flow(tuple(visits), good)


def _outcomes(product: Product) -> list[tuple[float, float, int]]:
    """Return for each operation the shares passed, reworked, and where to."""
    place = {step.operation: i for i, step in enumerate(product.route)}
    outcomes, no_defect = [], 1.0
    for step in product.route:
        no_defect *= 1 - step.made_bad
        test = step.inspection
        if test is None:
            outcomes.append((1.0, 0.0, 0))
            continue
        good = no_defect if test.pass_ is None else test.pass_
        passed = good * (1 - test.false_reject) + (1 - good) * test.false_accept
        rework = (1 - passed) * rework_share(test)
        if test.rework_limit is not None and 0 < rework < 1:
            # A loop that ends after n rounds has as many rounds as one of this chance.
            rounds = rework * (1 - rework**test.rework_limit) / (1 - rework)
            rework = rounds / (1 + rounds)
        outcomes.append((passed, rework, place[test.rework_to or step.operation]))
    return outcomes


# ---------------------------------------------------------------- demand


def starts_per_s(line: Line, flows: dict[str, Flow]) -> dict[str, float]:
    """Return the units of each product that must be started per second."""
    least = {name: arrivals_per_s(line, name) for name in line.products}
    starts = starts_of(line, flows, _asked_per_s(line), least)
    return {name: float(units) for name, units in starts.items()}


def starts_of(
    line: Line,
    flows: dict[str, Flow],
    asked: Mapping[str, Amount],
    least: Mapping[str, Amount] | None = None,
) -> dict[str, Amount]:
    """Return the units of each product that must be started for what is asked.

    Bills of material and splits are exploded; scrap makes the numbers larger.

    Args:
        line: The line.
        flows: What becomes of a unit of each product (`flow_of`).
        asked: Good units of each product, or such per second; or arrays of them.
        least: Units of each that are started in any case, in the same terms.
    """
    needed = {name: asked.get(name, 0.0) for name in line.products}
    least = least or {}
    starts: dict[str, Amount] = {}
    order = list(TopologicalSorter(_users(line)).static_order())
    for name in order:  # products before their components and what they are split from
        product, flow = line.products[name], flows[name]
        for child, count in _splits(product).items():
            needed[name] = np.maximum(needed[name], starts[child] / count)
        starts[name] = needed[name] / flow.good if flow.good > 0 else 0.0
        starts[name] = np.maximum(starts[name], least.get(name, 0.0))
        for visits, uses in zip(flow.visits, uses_of(product), strict=True):
            for component, count in uses.items():
                if not product.bom[component].bought:
                    more = starts[name] * visits * count
                    needed[component] = needed[component] + more
    for name in reversed(order):
        for child, count in _splits(line.products[name]).items():
            made = starts[name] * flows[name].good * count
            starts[child] = np.maximum(starts[child], made)
    return starts


def _users(line: Line) -> dict[str, set[str]]:
    """Return for each product those that use it or that it is split into."""
    users: dict[str, set[str]] = {name: set() for name in line.products}
    for name, product in line.products.items():
        users[name] |= _splits(product).keys()
        for component, item in product.bom.items():
            if not item.bought:
                users[component].add(name)
    return users


def _splits(product: Product) -> dict[str, int]:
    return product.route[-1].makes if product.route else {}


def _asked_per_s(line: Line) -> dict[str, float]:
    asked = {name: product.demand or 0.0 for name, product in line.products.items()}
    ordered: dict[str, int] = defaultdict(int)
    last_us: dict[str, int] = defaultdict(int)
    for order in line.orders if isinstance(line.orders, tuple) else ():
        if order.due is not None:
            due_us = moment_us(line, order.due)
            ordered[order.product] += order.quantity
            last_us[order.product] = max(last_us[order.product], due_us)
    for name, quantity in ordered.items():
        if last_us[name] > 0:
            asked[name] = max(asked[name], quantity / (last_us[name] / 1e6))
    return asked


def arrivals_per_s(line: Line, name: str) -> float:
    """Return the units of a product that arrive per second; 0 if none do."""
    product = line.products[name]
    release = product.release
    each = float(release.quantity * product.lot_size)
    if release.calendar is not None:
        each *= on_share(line.calendars[release.calendar])
    if release.rate is not None:
        return release.rate * each
    if release.every is not None and release.every.mean_us > 0:
        return 1e6 / release.every.mean_us * each
    return 0.0


# ---------------------------------------------------------------- stations


def pooled(loads: Mapping[frozenset[str], Amount]) -> dict[frozenset[str], Amount]:
    """Return for each set of stations the work that can be done nowhere else.

    Args:
        loads: Work by the stations that can do it; numbers, or arrays of them.
    """
    several = [stations for stations in loads if len(stations) > 1][:MAX_SETS]
    totals = {stations: load for stations, load in loads.items() if len(stations) == 1}
    singles = dict(totals)
    for stations in several:
        totals[stations] = sum(loads[other] for other in several if other <= stations)
        totals[stations] += sum(singles.get(frozenset([s]), 0.0) for s in stations)
    return totals


def work_us(line: Line, name: str, i: int, station: str) -> float:
    """Return the mean server time that one unit takes at a visit, repairs included."""
    product = line.products[name]
    step, place = product.route[i], line.stations[station]
    time = process_time(line, name, step, station)
    mean_us = time.mean_us if time else 0.0
    if step.process_per == "unit":
        mean_us *= product.lot_size
    handling_us = sum(t.mean_us for t in (place.load, place.unload) if t)
    if step.cascade is not None:
        mean_us, handling_us = step.cascade.mean_us, 0.0
    if batch := batch_of(line, step):  # as full as it can be
        share = product.lot_size / batch.max
        handling_us *= share
        mean_us *= 1 if step.process_per == "unit" else share
    more = [stop_times(stop) for stop in stops_of(place) if stop.clock == "processing"]
    each = [stop_times(stop) for stop in stops_of(place) if stop.clock == "cycles"]
    units = [stop_times(stop) for stop in stops_of(place) if stop.clock == "units"]
    part_us = mean_us * (1 + sum(down / up for up, down in more)) + handling_us
    part_us += sum(down / count for count, down in each)
    part_us += sum(down / count for count, down in units) * product.lot_size
    return part_us / product.lot_size


def capacity_us(line: Line, name: str, shares: dict[str | None, float]) -> float:
    """Return the server time that a station has in a microsecond, at best.

    With changes of the line that is the most that it ever has.

    Args:
        line: The line.
        name: Name of one of its stations.
        shares: Shares of time on shift by calendar, filled as they are asked for.
    """
    steps = dict(servers_over_time(line, name))
    calendars = dict(station_schedule(line, name))
    best, n, calendar = 0.0, 0, None
    for at_us in sorted({*steps, *calendars}):
        n, calendar = steps.get(at_us, n), calendars.get(at_us, calendar)
        if calendar not in shares:
            kept = None if calendar is None else line.calendars[calendar]
            shares[calendar] = on_share(kept)
        best = max(best, shares[calendar] * n)
    return best * availability(line.stations[name])


def availability(station: Station) -> float:
    """Return the share of its time that the stops by the clock leave to a server."""
    share = 1.0
    for stop in stops_of(station):
        if stop.clock in {"calendar", "operating"}:
            up, down = stop_times(stop)
            share *= up / (up + down)
    return share


def stops_of(station: Station) -> list[Failure | Maintenance]:
    """Return what stops a station; by wear, at least the failure or the work counts."""
    work = [m for m in station.maintenance.values() if m.every is not None]
    return [*station.failures.values(), *work]


def stop_times(stop: Failure | Maintenance) -> tuple[float, float]:
    """Return the mean time, or number of cycles, between stops and how long one is."""
    assert stop.every is not None
    up = stop.every.mean_us if isinstance(stop.every, Distribution) else stop.every
    if isinstance(stop, Maintenance):
        return float(up), stop.duration.mean_us
    down_us = stop.repair.mean_us
    if stop.spares is not None:
        down_us = 0.0 if stop.swap is None else stop.swap.mean_us
    return float(up) * stop.steps, down_us
