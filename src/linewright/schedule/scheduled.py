"""The line as a schedule sees it: certain times, and every lot released by an order.

A schedule is made for the means of all times, for a line in which nothing fails, is
reworked or scrapped. `certain` takes chance out of a line, and says what else it leaves
out; `released` lets jobs come in when they are told to. What remains is a model as any
other, and the kernel runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from linewright.model.distribution import Distribution
from linewright.model.fleets import loaded_time
from linewright.model.line import (
    Buffer,
    Line,
    Order,
    Product,
    PythonRule,
    Release,
    Station,
    Step,
    TimeLimit,
    Transport,
)
from linewright.model.meaning import input_places, is_sampled, ways_of
from linewright.schedule.jobs import Job

__all__ = [
    "CALLED_IN",
    "RULE",
    "certain",
    "left_out",
    "released",
    "with_rules",
    "without_spread",
]

RULE = PythonRule.model_construct(python="schedule", source="", limit=60_000_000)
"""Stands at the stations whose parts a schedule calls."""

CALLED_IN = ", called in"
"""Ends the name of the buffer of a station from which new parts are called in."""


def certain(line: Line) -> Line:
    """Return a line without chance: means for times, and nothing that goes wrong.

    Steps for rework only are gone; those that stay keep their names.
    """
    found = without_spread(line)
    stations = {
        name: station.model_copy(
            update={"failures": {}, "maintenance": {}, "ramp_up": None}
        )
        for name, station in found.stations.items()
    }
    products = {
        name: _certain_product(product) for name, product in found.products.items()
    }
    changes = tuple(
        change.model_copy(
            update={
                "stations": {
                    name: own.model_copy(update={"servers": None})
                    for name, own in change.stations.items()
                }
            }
        )
        for change in found.changes
    )
    return found.model_copy(
        update={
            "failures": {},
            "stations": stations,
            "products": products,
            "changes": changes,
            "materials": {},
            "vehicles": {},
            "transport": tuple(_without_vehicles(found)),
            "people": {
                name: pool.model_copy(update={"walk": None})
                for name, pool in found.people.items()
            },
        }
    )


def without_spread(line: Line) -> Line:
    """Return a line with the mean in the place of every distribution, else as it is."""
    found: Line = _means(line)
    return found


def _means(value: Any) -> Any:
    """Return a part of a model with the mean in the place of every distribution."""
    if isinstance(value, Distribution):
        if value.kind == "constant":
            return value
        mean = float(round(value.mean_us))
        return Distribution(kind="constant", parameters=(mean,))
    if isinstance(value, BaseModel):
        changed = {}
        for key in type(value).model_fields:
            old = getattr(value, key)
            new = _means(old)
            if new is not old:
                changed[key] = new
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, dict):
        out = {key: _means(below) for key, below in value.items()}
        return out if any(out[key] is not value[key] for key in out) else value
    if isinstance(value, tuple):
        parts = tuple(_means(below) for below in value)
        same = all(one is two for one, two in zip(parts, value, strict=True))
        return value if same else parts
    return value


def _certain_product(product: Product) -> Product:
    route = tuple(
        step.model_copy(
            update={
                "inspection": None,
                "defect": 0.0,
                "sample": 1.0,
                "learning": None,
                "time_limit": _counted(step),
            }
        )
        for step in product.route
        if not step.rework_only
    )
    return product.model_copy(update={"route": route, "route_of": product.route_of})


def _counted(step: Step) -> TimeLimit | None:
    """Return a step's time limit, which a part that misses it is only counted by."""
    if step.time_limit is None:
        return None
    return step.time_limit.model_copy(update={"missed": "count", "rework_to": None})


def _without_vehicles(line: Line) -> Iterator[Transport]:
    """Yield the ways with the time of one by a vehicle that is there when called."""
    ways = ways_of(line)
    for way in line.transport:
        if way.by is None:
            yield way
            continue
        fleet = line.vehicles[way.by]
        time = loaded_time(line, ways, way.start, way.end)
        total = 0.0 if time is None else time.mean_us
        for extra in (fleet.load, fleet.unload):
            total += 0.0 if extra is None else extra.mean_us
        mean = Distribution(kind="constant", parameters=(float(round(total)),))
        yield way.model_copy(update={"by": None, "distance": None, "time": mean})


def released(
    line: Line,
    jobs: Sequence[Job],
    release_us: Sequence[int],
    due_us: Sequence[int | None],
    priority: Sequence[int],
) -> Line:
    """Return a line in which every job comes in by an order of its own.

    Args:
        line: The line.
        jobs: The jobs; their rows are the names of the orders.
        release_us: When each comes in.
        due_us: When each is due.
        priority: Priority of each.
    """
    orders = tuple(
        Order.model_construct(
            id=str(row),
            product=job.product,
            quantity=line.products[job.product].lot_size,
            release=int(release_us[row]),
            due=due_us[row],
            priority=priority[row],
        )
        for row, job in enumerate(jobs)
    )
    products = {
        name: product.model_copy(update={"release": Release(kind="orders")})
        for name, product in line.products.items()
    }
    return line.model_copy(
        update={"orders": orders, "products": products, "conwip": None, "targets": {}}
    )


def with_rules(line: Line) -> Line:
    """Return a line whose stations ask a schedule which part is next.

    Stations without a place to wait take what comes. Of alternatives the schedule
    takes the one it has planned: the parts wait in one place for all of them. A unit
    that comes in for its first operation is called from outside, whatever waits there.
    """
    without_place = {
        station
        for product in line.products.values()
        for step in product.route
        for station in step.stations
        if input_places(line, step, station) == 0
    }
    stations = {
        name: _in_turn(station) if name in without_place else _asks(station)
        for name, station in line.stations.items()
    }
    products = {
        name: product.model_copy(
            update={
                "route": tuple(
                    _first_free(
                        step, is_first=i == 0 and step.stations[0] not in without_place
                    )
                    for i, step in enumerate(product.route)
                )
            }
        )
        for name, product in line.products.items()
    }
    called = {
        product.route[0].buffer: Buffer(slots="unlimited")
        for product in products.values()
        if product.route and product.route[0].buffer
    }
    return line.model_copy(
        update={
            "stations": stations,
            "products": products,
            "buffers": {**called, **line.buffers},
        }
    )


def _in_turn(station: Station) -> Station:
    return station.model_copy(update={"dispatch": "fifo", "preempt": "never"})


def _asks(station: Station) -> Station:
    # what waits for the others of its batch must not shut those out
    room = {"buffer": "unlimited"} if station.batch and station.buffer != 0 else {}
    batch = station.batch
    if batch is not None:
        batch = batch.model_copy(update={"min": 1, "longest_wait": None})
    return station.model_copy(
        update={"dispatch": RULE, "preempt": "never", "batch": batch, **room}
    )


def _first_free(step: Step, *, is_first: bool) -> Step:
    update: dict[str, Any] = {}
    if is_first and step.buffer is None:
        update["buffer"] = f"{step.stations[0]}{CALLED_IN}"
    if len(step.stations) > 1:
        update["choose"] = "first_free"
    if step.batch is not None:
        update["batch"] = step.batch.model_copy(update={"min": 1, "longest_wait": None})
    return step.model_copy(update=update) if update else step


# ---------------------------------------------------------------- what is left out


def left_out(line: Line, visited: Mapping[str, int]) -> list[str]:
    """Return what the model says that a schedule does not hold, in sentences.

    Args:
        line: The line.
        visited: Products that are scheduled, with the number of their jobs.
    """
    at = {
        station
        for name in visited
        for step in line.products[name].route
        for station in step.stations
    }
    return [
        *_chance(line, visited, at),
        *_of_stations(line, at),
        *_of_routes(line, visited),
        *_of_line(line, visited),
    ]


def _named(names: Iterator[str] | Sequence[str]) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return ", ".join(found[:6]) + more


def _chance(line: Line, visited: Mapping[str, int], at: set[str]) -> Iterator[str]:
    fails = [
        name for name in line.stations if name in at and line.stations[name].failures
    ]
    common = [name for name, f in line.failures.items() if at & set(f.stations)]
    if fails or common:
        yield f"failures of {_named([*fails, *common])}: the simulation has them"
    if kept := [n for n in line.stations if n in at and line.stations[n].maintenance]:
        yield f"planned maintenance of {_named(kept)}: the simulation has it"
    steps = [(name, s) for name in visited for s in line.products[name].route]
    bad = [s.operation for _, s in steps if s.inspection is not None or s.defect]
    if bad:
        yield f"rework and scrap after {_named(bad)}: the simulation has them"
    if some := [s.operation for _, s in steps if is_sampled(s)]:
        yield f"samples: every part visits {_named(some)}"
    if learned := [s.operation for _, s in steps if s.learning is not None]:
        yield f"learning of {_named(learned)}: the time is that of the first unit"
    if ramps := [n for n in line.stations if n in at and line.stations[n].ramp_up]:
        yield f"ramp-up of {_named(ramps)}: they are at full speed and yield"


def _of_stations(line: Line, at: set[str]) -> Iterator[str]:
    here = {name: line.stations[name] for name in line.stations if name in at}
    if least := [
        n for n, s in here.items() if s.setup is not None and s.setup.minimum_run
    ]:
        yield f"least runs of {_named(least)}"
    if hot := [n for n, s in here.items() if s.preempt != "never"]:
        yield f"parts that interrupt others at {_named(hot)}"
    if belts := [n for n, s in here.items() if s.conveyor is not None]:
        yield f"distances on {_named(belts)}: a part enters where a place is free"
    if before := [n for n, s in here.items() if s.blocking == "before_service"]:
        yield f"blocking before service at {_named(before)}: it is after service"
    if holds := [n for n, s in here.items() if s.holds_when_stopped]:
        yield f"holds_when_stopped of {_named(holds)}"
    changed = [
        name
        for change in line.changes
        for name, own in change.stations.items()
        if own.servers is not None and name in at
    ]
    if changed:
        text = "that come or go: there are those of the start"
        yield f"servers of {_named(changed)} {text}"
    pools = [name for name, pool in line.people.items() if pool.walk is not None]
    if pools:
        yield f"walks of {_named(pools)}"


def _of_routes(line: Line, visited: Mapping[str, int]) -> Iterator[str]:
    if splits := [
        name for name in visited if any(s.makes for s in line.products[name].route)
    ]:
        yield f"what {_named(splits)} are split into"


def _of_line(line: Line, visited: Mapping[str, int]) -> Iterator[str]:
    if line.vehicles:
        yield f"vehicles ({_named(list(line.vehicles))}) are there when they are called"
    if line.materials:
        yield f"stock of {_named(list(line.materials))}: it is always there"
    capped = [n for n in visited if line.products[n].release.conwip is not None]
    if capped or line.conwip is not None:
        yield "caps on units in the line (conwip): the schedule says when units come in"
    made = [
        n for n in visited if line.products[n].release.kind in {"always", "arrivals"}
    ]
    if made:
        yield f"{_named(made)} are made for the orders, not to their own release"
    others = [
        name
        for name, product in line.products.items()
        if name not in visited and product.release.kind in {"always", "arrivals"}
    ]
    if others:
        yield f"{_named(others)}: nobody orders them, and they are not made"
    if line.in_process:
        yield "units in process at the start"
