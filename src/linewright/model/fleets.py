"""Vehicles: rules on them, which ways are theirs, and how long these take.

A way is one row of `transport`; the most exact one counts. What a way does not say
comes from the distance the other way round, then from the layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product as pairs_of

from linewright.model.distribution import Distribution
from linewright.model.layout import distance_mm
from linewright.model.line import Line, Product, Step, Transport
from linewright.model.meaning import is_sampled, next_operation, way_between, ways_of
from linewright.model.notes import Notes, Path

__all__ = [
    "carried",
    "check_vehicle_names",
    "check_vehicles",
    "empty_us",
    "lint_vehicles",
    "loaded_time",
    "stops",
]

Pair = tuple[str, str]
Ways = dict[Pair, Transport]


# ---------------------------------------------------------------- times


def loaded_time(line: Line, ways: Ways, start: str, end: str) -> Distribution | None:
    """Return how long a part takes between two stations; none: nothing says it."""
    way = way_between(ways, start, end)
    if way is None or way.by is None or way.time is not None:
        return way.time if way else None
    length_mm: float | None = _said_mm(ways, way.by, start, end)
    if length_mm is None:
        length_mm = distance_mm(line, start, end)
    return _driven(line, way.by, length_mm)


def empty_us(line: Line, ways: Ways, fleet: str, start: str, end: str) -> int | None:
    """Return how long an empty vehicle takes between two stations, microseconds.

    By the distance of `transport`, in either direction; else as with a part, by the
    mean of its time; else by the layout. None: nothing says it.
    """
    if start == end:
        return 0
    time = _driven(line, fleet, _said_mm(ways, fleet, start, end))
    if time is None:
        time = _said_time(ways, fleet, start, end)
    if time is None:
        time = _driven(line, fleet, distance_mm(line, start, end))
    return None if time is None else round(time.mean_us)


def _driven(line: Line, fleet: str, length_mm: float | None) -> Distribution | None:
    """Return the time of a distance at the speed of a fleet, if both are known."""
    speed = line.vehicles[fleet].speed
    if length_mm is None or speed is None:
        return None
    us = round(length_mm / speed * 1e6)
    return Distribution(kind="constant", parameters=(float(us),))


def _ways_between(ways: Ways, fleet: str, start: str, end: str) -> Iterator[Transport]:
    """Yield the ways of a fleet between two stations, the right direction first."""
    for pair in ((start, end), (end, start)):
        way = way_between(ways, *pair)
        if way is not None and way.by == fleet:
            yield way


def _said_mm(ways: Ways, fleet: str, start: str, end: str) -> int | None:
    between = _ways_between(ways, fleet, start, end)
    return next((way.distance for way in between if way.distance is not None), None)


def _said_time(ways: Ways, fleet: str, start: str, end: str) -> Distribution | None:
    between = _ways_between(ways, fleet, start, end)
    return next((way.time for way in between if way.time is not None), None)


# ---------------------------------------------------------------- ways


def carried(line: Line) -> Ways:
    """Return the ways between stations on which vehicles carry parts."""
    if not line.vehicles:
        return {}
    ways: Ways = ways_of(line)
    out: Ways = {}
    for product in line.products.values():
        for start, step in _moves(line, product):
            for pair in pairs_of(start.stations, step.stations):
                way = way_between(ways, *pair)
                by_vehicle = way is not None and way.by is not None
                if way and by_vehicle and step.transport is None and pair[0] != pair[1]:
                    out[pair] = way
    return out


def _moves(line: Line, product: Product) -> Iterator[tuple[Step, Step]]:
    """Yield the operations of a route with those to which a part may go from there."""
    route = product.route
    for i, step in enumerate(route):
        for j in _ahead(product, i):
            yield step, route[j]
        for made in step.makes:
            if line.products[made].route:
                yield step, line.products[made].route[0]


def _ahead(product: Product, i: int) -> list[int]:
    """Return where a part may go after an operation: on, back, or sent back late."""
    route, found = product.route, []
    operations = [step.operation for step in route]
    following = next_operation(product, i)
    while following is not None:
        found.append(following)
        sampled = is_sampled(route[following])
        following = next_operation(product, following) if sampled else None
    test = route[i].inspection
    if test and test.rework_to:
        found.append(operations.index(test.rework_to))
    for j in found:  # it grows meanwhile
        limit = route[j].time_limit
        if limit and limit.missed == "rework":
            back = operations.index(limit.rework_to or limit.after)
            found += [back] if back not in found else []
    return list(dict.fromkeys(found))


def stops(line: Line, fleet: str, ways: Iterable[Pair]) -> tuple[list[str], list[str]]:
    """Return where vehicles of a fleet pick parts up, and where they may stand."""
    pairs = list(ways)
    starts = list(dict.fromkeys(start for start, _ in pairs))
    ends = dict.fromkeys([line.vehicles[fleet].home, *(end for _, end in pairs)])
    return starts, list(ends)


# ---------------------------------------------------------------- rules


def check_vehicle_names(line: Line, notes: Notes) -> None:
    """Note fleets and stations that are not there."""
    for name, fleet in line.vehicles.items():
        if fleet.home not in line.stations:
            path = ("vehicles", name, "home")
            notes.unknown(path, fleet.home, "station", line.stations)
    for i, way in enumerate(line.transport):
        if way.by is not None and way.by not in line.vehicles:
            notes.unknown(("transport", i, "by"), way.by, "fleet", line.vehicles)


def check_vehicles(line: Line, notes: Notes) -> None:
    """Note what is missing to know how long the ways of parts and vehicles take."""
    for i, way in enumerate(line.transport):
        _says_how_long(line, ("transport", i), way, notes)
    if notes.has_errors:
        return
    by_fleet: dict[str, list[Pair]] = {name: [] for name in line.vehicles}
    for pair, way in carried(line).items():
        assert way.by is not None
        by_fleet[way.by].append(pair)
    for name, pairs in by_fleet.items():
        _knows_its_ways(line, name, pairs, notes)
        charge = line.vehicles[name].charge
        if charge and charge.after == 0:
            msg = "with no time between, they would charge after each part"
            notes.error("LW245", ("vehicles", name, "charge", "after"), msg)


def _says_how_long(line: Line, path: Path, way: Transport, notes: Notes) -> None:
    if way.by is None:
        if way.time is None:
            hint = "add its time, or by: the fleet that carries parts"
            notes.error("LW245", path, "nothing says how long this way takes", hint)
        if way.distance is not None:
            msg = "a distance has no effect without a fleet"
            notes.error("LW245", (*path, "distance"), msg, "add by: its name")
    elif way.time is None and line.vehicles[way.by].speed is None:
        msg = f'this way has no time and "{way.by}" no speed'
        notes.error("LW245", path, msg, "say one of them")


def _knows_its_ways(line: Line, name: str, pairs: list[Pair], notes: Notes) -> None:
    """Every way with a part, and every way to one, takes a time that is known."""
    ways = ways_of(line)
    missing = [pair for pair in pairs if loaded_time(line, ways, *pair) is None]
    starts, ends = stops(line, name, pairs)
    empty = [
        p for p in pairs_of(ends, starts) if empty_us(line, ways, name, *p) is None
    ]
    for found, what in ((missing, "carries parts"), (empty, "drives empty")):
        if found:
            shown = ", ".join(f'"{a}" to "{b}"' for a, b in found[:3])
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            msg = f'"{name}" {what} from {shown}{more}, and nothing says how far it is'
            hint = "add a transport with the distance, or give both a place in layout"
            if line.vehicles[name].speed is None:
                hint = "add a transport with its time, or a speed and distances"
            notes.error("LW246", ("vehicles", name), msg, hint)


def lint_vehicles(line: Line, notes: Notes) -> None:
    """Note fleets that carry nothing."""
    used = {way.by for way in carried(line).values()}
    for name in line.vehicles:
        if name not in used:
            msg = f'no part is carried by "{name}"'
            notes.warning("LW331", ("vehicles", name), msg)
