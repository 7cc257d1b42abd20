"""What a line says without saying it: the defaults that depend on other parts.

A processing time may stand at the operation, at the alternative or at the station; a
buffer at the operation or the station; components are taken where `uses` says, the rest
at the first operation. These rules are written down here and nowhere else. All names
are taken to exist; `check` sees to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from linewright.model.distribution import Distribution
from linewright.model.line import (
    Attendance,
    Batch,
    Calendar,
    EveryNth,
    Inspection,
    Line,
    Loop,
    Power,
    Product,
    PythonRule,
    Setup,
    Station,
    Step,
    Transport,
)

__all__ = [
    "Taken",
    "batch_of",
    "calendar_of",
    "family_of",
    "input_places",
    "is_carried",
    "is_sampled",
    "leaves_line",
    "loop_ends",
    "materials_of",
    "next_operation",
    "people_asked",
    "people_of",
    "places",
    "power_of",
    "process_time",
    "rework_share",
    "rules_of",
    "sample_share",
    "setup_kind",
    "skills_of",
    "spares_name",
    "taken_by",
    "too_few",
    "tools_lent",
    "uses_of",
    "way_between",
    "ways_of",
]


def process_time(
    line: Line, product: str, step: Step, station: str
) -> Distribution | None:
    """Return the processing time of an operation at one of its stations.

    The nearest word counts: the time at the alternative, else at the operation, else
    at the station for this product, else at the station for all.
    """
    if isinstance(step.station, dict):
        return step.station[station]
    if step.process is not None:
        return step.process
    process = line.stations[station].process
    return process.get(product) if isinstance(process, dict) else process


def uses_of(product: Product) -> tuple[dict[str, int], ...]:
    """Return the components that each operation of the route takes.

    The first operation, unless it says what it uses, takes what no other one names.
    """
    named = {name for step in product.route for name in step.uses or ()}
    rest = {n: item.quantity for n, item in product.bom.items() if n not in named}
    return tuple(
        dict(rest if i == 0 and step.uses is None else step.uses or {})
        for i, step in enumerate(product.route)
    )


class Taken(NamedTuple):
    """What a part takes from a stock at one operation and has until another.

    Attributes:
        stock: Name of a tool or a loop.
        quantity: How many.
        first: Operation at whose start it is taken, by its place in the route.
        until: Operation at which it is handed back.
        at_start: Whether at that one's start, else at its end.
    """

    stock: str
    quantity: int
    first: int
    until: int
    at_start: bool


def spares_name(station: str, failure: str) -> str:
    """Return what the spares of a failure are called in results and messages."""
    return f"{station} {failure} spares"


def loop_ends(name: str, product: Product, loop: Loop) -> tuple[int, int] | None:
    """Return the places of a loop's first and last operation in a product's route.

    None where the product is not in the loop.
    """
    operations = [step.operation for step in product.route]
    if loop.products is not None and name not in loop.products:
        return None
    if loop.start not in operations or loop.end not in operations:
        return None
    return operations.index(loop.start), operations.index(loop.end)


def taken_by(line: Line, name: str) -> list[Taken]:
    """Return the tools and cards that a part of a product takes on its route."""
    product = line.products[name]
    found = [
        Taken(tool, n, i, i, at_start=False)
        for i, step in enumerate(product.route)
        for tool, n in step.tools.items()
    ]
    for loop_name, loop in line.loops.items():
        ends = loop_ends(name, product, loop)
        if ends is None:
            continue
        following = next_operation(product, ends[1])
        at_start = loop.hand_back == "next" and following is not None
        until = following if at_start and following is not None else ends[1]
        n = loop.takes.get(name, 1)
        found.append(Taken(loop_name, n, ends[0], until, at_start))
    return found


def materials_of(line: Line, product: Product) -> tuple[dict[str, int], ...]:
    """Return the bought components kept in stock that each operation takes, by unit."""
    if not line.materials:
        return ({},) * len(product.route)
    return tuple(
        {
            name: n
            for name, n in uses.items()
            if product.bom[name].bought and name in line.materials
        }
        for uses in uses_of(product)
    )


def places(line: Line, slots: int | str | None) -> int | None:
    """Return how many places a buffer has; none: without limit."""
    if isinstance(slots, str) and slots != "unlimited":
        slots = line.buffers[slots].slots
    return slots if isinstance(slots, int) else None


def rules_of(line: Line) -> Iterator[tuple[tuple[str, ...], PythonRule]]:
    """Yield the rules of one's own with the keys that lead to them."""
    for name, station in line.stations.items():
        if isinstance(station.dispatch, PythonRule):
            yield ("stations", name, "dispatch"), station.dispatch
    for name, product in line.products.items():
        if product.release.rule is not None:
            yield ("products", name, "release", "rule"), product.release.rule


def input_places(line: Line, step: Step, station: str) -> int | None:
    """Return the places where a part waits for an operation; none: without limit."""
    return places(line, step.buffer or line.stations[station].buffer)


def ways_of(line: Line) -> dict[tuple[str, str], Transport]:
    """Return the lines of `transport` by both ends, `any` among them."""
    return {(way.start, way.end): way for way in line.transport}


def way_between(
    ways: dict[tuple[str, str], Transport], start: str, end: str
) -> Transport | None:
    """Return the most exact line of `transport` between two stations, if any."""
    pairs = (start, end), (start, "any"), ("any", end), ("any", "any")
    return next((ways[pair] for pair in pairs if pair in ways), None)


def is_carried(
    ways: dict[tuple[str, str], Transport],
    before: str | None,
    step: Step,
    station: str,
) -> bool:
    """Say whether a part takes time to a station, or goes there by a vehicle.

    What the operation says counts first, then the most exact line of `transport`.

    Args:
        ways: What `ways_of` returns.
        before: The station it comes from; none: from outside the line.
        step: The operation it goes to.
        station: The station it goes to.
    """
    if step.transport is not None or before is None:
        return step.transport is not None and step.transport.mean_us > 0
    way = way_between(ways, before, station)
    if way is None or (way.by is not None and before == station):
        return False
    return way.time is None or way.by is not None or way.time.mean_us > 0


def batch_of(line: Line, step: Step) -> Batch | None:
    """Return the batches in which an operation is done; none: part by part."""
    if step.batch is not None:
        return step.batch
    return line.stations[step.stations[0]].batch


def is_sampled(step: Step) -> bool:
    """Say whether some parts pass an operation by."""
    if isinstance(step.sample, EveryNth):
        return step.sample.every > 1
    return step.sample < 1


def sample_share(step: Step) -> float:
    """Return the share of the parts that come to an operation that visit it."""
    if isinstance(step.sample, EveryNth):
        return 1 / step.sample.every
    return step.sample


def people_asked(
    station: Station,
) -> Iterator[tuple[tuple[str, ...], str | dict[str, int]]]:
    """Yield whom a station asks for people, with the keys at which it says so."""
    for key in Attendance.model_fields if station.people else ():
        if people := getattr(station.people, key):
            yield ("people", key), people
    for name, failure in station.failures.items():
        if failure.crew:
            yield ("failures", name, "crew"), failure.crew
    for name, work in station.maintenance.items():
        if work.crew:
            yield ("maintenance", name, "crew"), work.crew


def tools_lent(line: Line) -> Iterator[tuple[tuple[str, ...], dict[str, int]]]:
    """Yield the tools that setups, repairs and planned work take, and where that is."""
    for name, station in line.stations.items():
        at = ("stations", name)
        if station.setup is not None:
            yield (*at, "setup", "tools"), station.setup.tools
        for key, stops in (
            ("failures", station.failures),
            ("maintenance", station.maintenance),
        ):
            for stop, mode in stops.items():
                yield (*at, key, stop, "tools"), mode.tools
    for name, common in line.failures.items():
        yield ("failures", name, "tools"), common.tools


def people_of(people: str | dict[str, int] | None) -> tuple[str | None, int]:
    """Return the skill that people are asked for by, and how many; none: nobody."""
    if isinstance(people, dict):
        return next(iter(people.items()))
    return people, 1


def skills_of(line: Line) -> dict[str, list[str]]:
    """Return the pools that have each skill, first those that are a pool's own name."""
    skills = {name: [name] for name in line.people}
    for name, pool in line.people.items():
        for skill in pool.skills:
            skills.setdefault(skill, []).append(name)
    return skills


def too_few(line: Line, people: str | dict[str, int] | None) -> str:
    """Say of people that are asked for why they can never be there; empty: they can."""
    skill, n = people_of(people)
    pools = skills_of(line).get(skill or "", [])
    there = max((line.people[name].count for name in pools), default=n)
    if n <= there:
        return ""
    if skill in line.people:
        return f'{n} of "{skill}" are needed at once, and there are {there}'
    what = f'{n} who can "{skill}" are needed at once'
    return f"{what}, and no pool of those has more than {there}"


def calendar_of(line: Line, station: Station) -> Calendar | None:
    """Return the calendar of a station; none: always on."""
    name = station.calendar or line.calendar
    return line.calendars[name] if name else None


def family_of(name: str, product: Product) -> str:
    """Return the family of a product for setups; its own name by default."""
    return product.family or name


def setup_kind(setup: Setup, name: str, product: Product, step: Step) -> str | None:
    """Return what a setup tells apart about a part at an operation; none: no setup."""
    if setup.by == "operation":
        return step.family
    return name if setup.by == "product" else family_of(name, product)


def next_operation(product: Product, i: int) -> int | None:
    """Return where a part goes after operation `i` if nothing is wrong with it.

    Operations for rework only are passed by, except from one to the next.
    """
    route = product.route
    if i + 1 < len(route) and route[i].rework_only:
        return i + 1
    ahead = range(i + 1, len(route))
    return next((j for j in ahead if not route[j].rework_only), None)


def rework_share(test: Inspection) -> float:
    """Return the share of rejected units that is sent back; the rest is scrapped.

    Of `rework` and `scrap` one is enough. Beside `pass` they are shares of all units,
    without it shares of the rejected.
    """
    if test.rework_to is None:
        return 0.0
    if test.rework is None and test.scrap is None:
        return 1.0
    if test.rework is not None and test.scrap is not None:
        total = test.rework + test.scrap
        return test.rework / total if total else 1.0
    whole = 1.0 if test.pass_ is None else 1.0 - test.pass_
    part = test.rework if test.rework is not None else whole - (test.scrap or 0.0)
    return min(1.0, max(0.0, part / whole)) if whole else 1.0


def leaves_line(line: Line, product: str) -> bool:
    """Say whether finished units of a product leave the line, and not in other units.

    What is built into others, or ends by being split into others, does not.
    """
    used = any(
        product in other.bom and not other.bom[product].bought
        for other in line.products.values()
    )
    return not used and not any(step.makes for step in line.products[product].route)


STANDS_READY = ("starved", "blocked", "waiting", "setup", "loading", "break")
"""States of a server that take the `idle` power where none is said for them."""


def power_of(power: Power, state: str) -> float:
    """Return the watts that a server takes in a state of the results."""
    named: float | None = getattr(power, "break_" if state == "break" else state)
    if named is None and state in STANDS_READY:
        named = power.idle
    return named or 0.0
