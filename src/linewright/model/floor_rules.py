"""Rules on meaning of what machines do with parts: batches, cascades, samples, limits.

Each function knows one rule and notes where it is broken. Names are taken to exist.
"""

from __future__ import annotations

from linewright.model.line import Batch, Line, Product, Step
from linewright.model.meaning import (
    batch_of,
    input_places,
    is_sampled,
    next_operation,
    people_asked,
    process_time,
    too_few,
)
from linewright.model.notes import Notes, Path

__all__ = ["check_floor"]


def check_floor(line: Line, notes: Notes) -> None:
    """Note what cannot be meant in batches, cascades, samples and limits."""
    for name, station in line.stations.items():
        if station.batch and station.batch.max < station.batch.min:
            _too_small(("stations", name, "batch"), notes)
        _people(line, name, notes)
    for name, product in line.products.items():
        _same_route(line, name, product, notes)
        if product.route_of:
            continue  # what is said of the route is said where it stands
        for i, step in enumerate(product.route):
            path = ("products", name, "route", i)
            _batch(line, path, name, step, notes)
            _cascade(line, path, name, step, notes)
            _sample(path, i, product, notes)
            _same_server(path, i, product, notes)
            _time_limit(line, path, i, product, notes)
            _room_after_rest(line, path, i, product, notes)
    _in_process(line, notes)


def _people(line: Line, name: str, notes: Notes) -> None:
    """People are enough, and are asked for what takes a time."""
    station, at = line.stations[name], ("stations", name)
    for below, people in people_asked(station):
        if msg := too_few(line, people):
            notes.error("LW226", (*at, *below), msg, "nobody could ever start")
    if station.people is None:
        return
    for key, is_there in (
        ("load", bool(station.load)),
        ("unload", bool(station.unload)),
        ("setup", bool(station.setup)),
        ("repair", bool(station.failures or station.maintenance)),
    ):
        if getattr(station.people, key) and not is_there:
            msg = f'people are needed to {key}, and "{name}" has no {key}'
            if key == "repair":
                msg = f'people are needed for repairs, and nothing fails at "{name}"'
            notes.error("LW226", (*at, "people", key), msg)


def _too_small(path: Path, notes: Notes) -> None:
    notes.error("LW222", (*path, "max"), "a batch takes at most fewer than it needs")


def _same_route(line: Line, name: str, product: Product, notes: Notes) -> None:
    other = product.route_of
    if other is None:
        return
    path = ("products", name, "route_of")
    if line.products[other].route_of:
        msg = f'"{other}" goes the route of another product itself'
        hint = f'name "{line.products[other].route_of}"'
        notes.error("LW202", path, msg, hint)
    elif product.route != line.products[other].route:
        msg = f'"{name}" has a route of its own, which is not that of "{other}"'
        notes.error("LW202", path, msg, "leave out one of the two")


def _batch(line: Line, path: Path, name: str, step: Step, notes: Notes) -> None:
    kinds = {line.stations[station].batch for station in step.stations}
    if step.batch is None and len(kinds) > 1:
        msg = "the alternative stations have different batches"
        hint = "say batch at the operation"
        notes.error("LW222", (*path, "station"), msg, hint)
        return
    batch = batch_of(line, step)
    if batch is None:
        return
    at = (*path, "batch") if step.batch else path
    if step.batch and batch.max < batch.min:
        _too_small(at, notes)
    lot = line.products[name].lot_size
    if lot > batch.max:
        msg = f'a lot of "{name}" has {lot} units, a batch takes {batch.max} at most'
        notes.error("LW222", at, msg)
    _batch_fills(line, at, step, batch, lot, notes)
    for key, is_there in (("uses", _has_kit(line, name, step)), ("makes", step.makes)):
        if is_there:
            msg = f"an operation in batches cannot have {key}"
            notes.error("LW222", path, msg, "give it an operation before or after")
    if step.cascade is not None:
        msg = "an operation is done in batches or cascades, not both"
        notes.error("LW223", (*path, "cascade"), msg)


def _batch_fills(
    line: Line, at: Path, step: Step, batch: Batch, lot: int, notes: Notes
) -> None:
    for station in step.stations:
        room = input_places(line, step, station)
        needed = -(-batch.min // lot)
        if room is not None and room < needed and batch.longest_wait is None:
            msg = f'a batch at "{station}" can never fill: it needs {needed} parts and '
            msg += f"there are {room} places to wait"
            notes.error("LW222", at, msg, "give it a larger buffer, or a longest_wait")
        elif room == 0:
            msg = f'parts for a batch at "{station}" need a place to wait'
            notes.error("LW222", at, msg, "give it a buffer")
        if line.stations[station].blocking == "before_service":
            msg = f'"{station}" works in batches and cannot block before service'
            notes.error("LW222", at, msg)


def _has_kit(line: Line, name: str, step: Step) -> bool:
    product = line.products[name]
    if step.uses is not None:
        return any(not product.bom[component].bought for component in step.uses)
    is_first = bool(product.route) and product.route[0] is step
    named = {c for other in product.route for c in other.uses or ()}
    rest = {c for c, item in product.bom.items() if c not in named and not item.bought}
    return is_first and bool(rest)


def _cascade(line: Line, path: Path, name: str, step: Step, notes: Notes) -> None:
    if step.makes and (step.cascade is not None or step.rest is not None):
        key = "rest" if step.cascade is None else "cascade"
        msg = f"an operation that splits a part has no {key}"
        notes.error("LW223", (*path, key), msg)
    if step.cascade is None:
        return
    times = {process_time(line, name, step, station) for station in step.stations}
    if len(times) > 1:
        msg = "the alternative stations of an operation that cascades take one time"
        notes.error("LW223", (*path, "cascade"), msg)
    lot = line.products[name].lot_size if step.process_per == "unit" else 1
    whole = sum(time.mean_us for time in times if time) * lot
    if len(times) == 1 and step.cascade.mean_us > whole * (1 + 1e-9):
        msg = "the next part is taken later than this one is done"
        hint = "cascade is the time between two parts, process that of each"
        notes.error("LW223", (*path, "cascade"), msg, hint)


def _sample(path: Path, i: int, product: Product, notes: Notes) -> None:
    step = product.route[i]
    if not is_sampled(step):
        return
    why = ""
    if i == 0:
        why = "all parts visit the first operation of a route"
    elif step.rework_only or product.route[i - 1].rework_only:
        why = "what follows rework, or is for rework only, is visited by all"
    elif step.makes:
        why = "an operation that splits a part is visited by all"
    elif step.uses:
        why = "an operation that uses components is visited by all"
    if why:
        notes.error("LW224", (*path, "sample"), why)


def _earlier(
    path: Path, name: str, i: int, product: Product, notes: Notes
) -> int | None:
    operations = [step.operation for step in product.route]
    place = operations.index(name)
    if place < i:
        return place
    before = ", ".join(operations[:i]) or "none"
    msg = f'"{name}" does not come before this operation; those that do are {before}'
    notes.error("LW225", path, msg)
    return None


def _same_server(path: Path, i: int, product: Product, notes: Notes) -> None:
    step = product.route[i]
    if step.same_server_as is None:
        return
    at = (*path, "same_server_as")
    place = _earlier(at, step.same_server_as, i, product, notes)
    if place is not None and product.route[place].stations != step.stations:
        there = " or ".join(f'"{s}"' for s in product.route[place].stations)
        msg = f'"{step.same_server_as}" is done at {there}, this one is not'
        notes.error("LW225", at, msg)
    if place is not None and len(step.stations) > 1:
        msg = "an operation that goes back to a server has one station"
        hint = "make the alternatives servers of one station"
        notes.error("LW225", at, msg, hint)


def _time_limit(line: Line, path: Path, i: int, product: Product, notes: Notes) -> None:
    step = product.route[i]
    limit = step.time_limit
    if limit is None:
        return
    at = (*path, "time_limit")
    place = _earlier((*at, "after"), limit.after, i, product, notes)
    if limit.rework_to is not None and limit.missed != "rework":
        msg = f"rework_to has no effect where what is missed is {limit.missed}"
        notes.error("LW225", (*at, "rework_to"), msg)
    if place is None or limit.missed != "rework":
        return
    back = limit.rework_to or limit.after
    target = _earlier((*at, "rework_to"), back, i, product, notes)
    if target is None:
        return
    ahead = product.route[target]
    if any(input_places(line, ahead, s) is not None for s in ahead.stations):
        msg = f'what is late goes back to "{back}" at once, and may find no room there'
        notes.error("LW225", at, msg, "give it an unlimited buffer")


def _room_after_rest(
    line: Line, path: Path, i: int, product: Product, notes: Notes
) -> None:
    step = product.route[i]
    if step.cascade is None and step.rest is None:
        return
    places = [next_operation(product, i)]
    while (
        places[-1] is not None
        and is_sampled(product.route[places[-1]])
        and len(places) <= len(product.route)
    ):
        places.append(next_operation(product, places[-1]))
    test = step.inspection
    if test and test.rework_to:
        operations = [other.operation for other in product.route]
        places.append(operations.index(test.rework_to))
    for place in places:
        if place is None:
            continue
        ahead = product.route[place]
        for station in ahead.stations:
            if input_places(line, ahead, station) == 0:
                key = "rest" if step.cascade is None else "cascade"
                msg = f'after {key} a part needs a place in the buffer of "{station}"'
                hint = "give it one place or more"
                notes.error("LW223", (*path, key), msg, hint)


def _in_process(line: Line, notes: Notes) -> None:
    units = line.in_process if isinstance(line.in_process, tuple) else ()
    for i, row in enumerate(units):
        operations = [step.operation for step in line.products[row.product].route]
        if row.operation not in operations:
            kind = f'operation of "{row.product}"'
            notes.unknown(
                ("in_process", i, "operation"), row.operation, kind, operations
            )
