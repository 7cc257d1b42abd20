"""Rules on meaning that each look at one noun: stations, orders, calendars, the study.

Each function knows one noun of the model and notes what cannot be meant. Names are
taken to exist. What products and their routes must fulfil is in `route_rules`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import BaseModel

from linewright.model.calendars import on_share, problems, zone_of
from linewright.model.distribution import Distribution
from linewright.model.line import Failure, Line, Maintenance, Order, Station
from linewright.model.meaning import setup_kind
from linewright.model.notes import Notes, Path

__all__ = ["check_nouns", "moment_us"]


def check_nouns(line: Line, notes: Notes) -> None:
    """Note what cannot be meant in stations, calendars, orders and the study."""
    _start(line, notes)
    _study(line, notes)
    _calendars(line, notes)
    _orders(line, notes)
    for name, station in line.stations.items():
        _failures(("stations", name), station, notes)
        _setup(line, name, station, notes)
    for path, times in _distributions(line):
        if times.kind == "empirical" and not times.values_us:
            msg = "the values of this distribution were not read"
            notes.error("LW221", path, msg, "load the model from its file")


def _start(line: Line, notes: Notes) -> None:
    try:
        zone_of(line.time_zone)
    except ValueError as error:
        notes.error("LW214", ("time_zone",), str(error))
    last = line.start.year + line.study.horizon / (366 * 86_400e6)
    if not (line.start.year >= 1900 and last < 9990):
        msg = "start and horizon lie outside the years 1900 to 9990"
        notes.error("LW214", ("start",), msg)


def _study(line: Line, notes: Notes) -> None:
    study = line.study
    if study.horizon == 0:
        notes.error("LW218", ("study", "horizon"), "a horizon is longer than zero")
    if study.warmup == "auto":
        return
    if study.kind == "terminating" and study.warmup:
        msg = "a terminating study cuts no warm-up"
        notes.error("LW218", ("study", "warmup"), msg, "or say kind: steady_state")
    elif study.horizon and study.warmup >= study.horizon:
        msg = "the warm-up is as long as the horizon; nothing would be left"
        notes.error("LW218", ("study", "warmup"), msg)


def _calendars(line: Line, notes: Notes) -> None:
    for name, calendar in line.calendars.items():
        found = problems(calendar)
        for path, text in found:
            notes.error("LW215", ("calendars", name, *path), text)
        if not found and not calendar.exceptions and on_share(calendar) == 0:
            msg = f'nobody ever works by the calendar "{name}"'
            notes.error("LW215", ("calendars", name), msg)


# ---------------------------------------------------------------- orders


def moment_us(line: Line, moment: datetime | int) -> int:
    """Return a time of an order as microseconds from the start, clocks unchanged."""
    if isinstance(moment, int):
        return moment
    return (moment - line.start) // timedelta(microseconds=1)


def _orders(line: Line, notes: Notes) -> None:
    orders = line.orders if isinstance(line.orders, tuple) else ()
    seen = Counter(order.id for order in orders if order.id)
    for i, order in enumerate(orders):
        if seen.pop(order.id, 0) > 1:
            msg = f'the order "{order.id}" is here more than once'
            notes.error("LW216", ("orders", i, "id"), msg)
        _order_times(line, ("orders", i), order, notes)


def _order_times(line: Line, path: Path, order: Order, notes: Notes) -> None:
    if order.due is None or order.release is None:
        return
    if moment_us(line, order.due) < moment_us(line, order.release):
        notes.error("LW216", (*path, "due"), "this order is due before its release")


# ---------------------------------------------------------------- stations


def _failures(path: Path, station: Station, notes: Notes) -> None:
    for name, failure in station.failures.items():
        _clock((*path, "failures", name), failure, notes)
        if failure.together and failure.clock not in {"calendar", "operating"}:
            msg = "servers that fail together share a clock: calendar or operating"
            notes.error("LW210", (*path, "failures", name, "together"), msg)
    for name, work in station.maintenance.items():
        _clock((*path, "maintenance", name), work, notes)


def _clock(path: Path, stop: Failure | Maintenance, notes: Notes) -> None:
    for key in ("every", "first"):
        value = getattr(stop, key)
        is_count = isinstance(value, int)
        counts = stop.clock in {"cycles", "units"}
        if value is not None and is_count != counts:
            msg = f"{key} is a count, and the clock is {stop.clock}"
            if not is_count:
                msg = f"the clock counts {stop.clock}, and {key} is a time, {value}"
            hint = "a count goes with clock: cycles or units, a time with the others"
            notes.error("LW210", (*path, key), msg, hint)
    if isinstance(stop.every, Distribution) and not stop.every.mean_us > 0:
        msg = "with no time between, nothing else would ever happen"
        notes.error("LW210", (*path, "every"), msg)


def _setup(line: Line, name: str, station: Station, notes: Notes) -> None:
    setup, path = station.setup, ("stations", name, "setup")
    if setup is None:
        return
    if setup.time is None and not setup.matrix and setup.first is None:
        notes.error("LW217", path, "a setup needs a time, a matrix or both")
    if setup.time is not None or not setup.matrix:
        return
    made = dict.fromkeys(
        kind
        for product_name, product in line.products.items()
        for step in product.route
        if name in step.stations
        and (kind := setup_kind(setup, product_name, product, step))
    )
    any_to = setup.matrix.get("any", {})
    missing = [
        f"{a} to {b}"
        for a in made
        for b in made
        if a != b and b not in setup.matrix.get(a, {}) and b not in any_to
    ]
    if missing:
        msg = f"no setup time from {', '.join(missing[:5])}"
        msg += f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        hint = "add it, or a time for all that is not in the matrix"
        notes.error("LW217", (*path, "matrix"), msg, hint)


def _distributions(
    value: object, path: Path = ()
) -> Iterator[tuple[Path, Distribution]]:
    """Yield every distribution of a line with its path."""
    if isinstance(value, Distribution):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _distributions(
                getattr(value, name), (*path, field.alias or name)
            )
    elif isinstance(value, dict | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in items:
            yield from _distributions(below, (*path, key))
