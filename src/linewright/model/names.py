"""Rules on names: what the model refers to is in it, and no name means two things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from linewright.model.distribution import KINDS
from linewright.model.line import Line, Product, Step
from linewright.model.meaning import family_of, people_asked, people_of, skills_of
from linewright.model.notes import Notes, Path

__all__ = ["check_names"]


def check_names(line: Line, notes: Notes) -> None:
    """Note every name that is not in the model, is reserved, or is there twice."""
    _top_level(line, notes)
    for name in line.stations:
        _station(line, name, notes)
    for name in line.people:
        _pool(line, name, notes)
    for name, buffer in line.buffers.items():
        path = ("buffers", name, "stage")
        _known(path, buffer.stage, "stage", line.stages, notes)
    for name, product in line.products.items():
        _product(line, name, product, notes)
    for i, order in enumerate(line.orders if isinstance(line.orders, tuple) else ()):
        _known(("orders", i, "product"), order.product, "product", line.products, notes)
    units = line.in_process if isinstance(line.in_process, tuple) else ()
    for i, row in enumerate(units):
        below = ("in_process", i, "product")
        _known(below, row.product, "product", line.products, notes)


def _known(
    path: Path, name: str | None, kind: str, there: Collection[str], notes: Notes
) -> None:
    if name is not None and name not in there:
        notes.unknown(path, name, kind, there)


def _top_level(line: Line, notes: Notes) -> None:
    _known(("calendar",), line.calendar, "calendar", line.calendars, notes)
    if "any" in line.stations:
        notes.error("LW202", ("stations", "any"), '"any" cannot name a station')
    if "unlimited" in line.buffers:
        msg = '"unlimited" cannot name a buffer'
        notes.error("LW202", ("buffers", "unlimited"), msg)
    for name in line.products.keys() & KINDS.keys():
        msg = f'"{name}" cannot name a product; it is the name of a distribution'
        notes.error("LW202", ("products", name), msg)
    _once(("stages",), line.stages, "stage", notes)
    ends = {*line.stations, "any"}
    for i, way in enumerate(line.transport):
        _known(("transport", i, "from"), way.start, "station", ends, notes)
        _known(("transport", i, "to"), way.end, "station", ends, notes)
    pairs = Counter((way.start, way.end) for way in line.transport)
    for i, way in enumerate(line.transport):
        if pairs.pop((way.start, way.end), 1) > 1:
            msg = f'the way from "{way.start}" to "{way.end}" is here twice'
            notes.error("LW202", ("transport", i), msg)


def _once(path: Path, names: Iterable[str], kind: str, notes: Notes) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            notes.error("LW202", path, f'the {kind} "{name}" is here {count} times')


def _slots(line: Line, path: Path, slots: int | str | None, notes: Notes) -> None:
    if isinstance(slots, str) and slots != "unlimited":
        _known(path, slots, "buffer", line.buffers, notes)


def _pool(line: Line, name: str, notes: Notes) -> None:
    pool, at = line.people[name], ("people", name)
    _known((*at, "calendar"), pool.calendar, "calendar", line.calendars, notes)
    _once((*at, "skills"), pool.skills, "skill", notes)
    for i, skill in enumerate(pool.skills):
        if skill in line.people:
            msg = f'"{skill}" is the name of a pool, and a skill that it alone has'
            notes.error("LW202", (*at, "skills", i), msg)


def _people(line: Line, name: str, notes: Notes) -> None:
    station, at = line.stations[name], ("stations", name)
    skills = skills_of(line)
    for below, people in people_asked(station):
        skill, _ = people_of(people)
        _known((*at, *below), skill, "pool of people or a skill", skills, notes)


def _station(line: Line, name: str, notes: Notes) -> None:
    station, at = line.stations[name], ("stations", name)
    _people(line, name, notes)
    _known((*at, "stage"), station.stage, "stage", line.stages, notes)
    _known((*at, "calendar"), station.calendar, "calendar", line.calendars, notes)
    _slots(line, (*at, "buffer"), station.buffer, notes)
    _slots(line, (*at, "output_buffer"), station.output_buffer, notes)
    if isinstance(station.process, dict):
        for product in station.process:
            path = (*at, "process", product)
            _known(path, product, "product", line.products, notes)
    if station.setup:
        _setup_names(line, name, notes)


def _setup_names(line: Line, name: str, notes: Notes) -> None:
    setup = line.stations[name].setup
    assert setup is not None
    there: Collection[str] = line.products
    if setup.by == "family":
        there = {family_of(n, product) for n, product in line.products.items()}
    if setup.by == "operation":
        steps = [step for product in line.products.values() for step in product.route]
        there = {step.family for step in steps if step.family}
    kind = "family of an operation" if setup.by == "operation" else setup.by
    at: Path = ("stations", name, "setup")
    for start, row in setup.matrix.items():
        path: Path = (*at, "matrix", start)
        _known(path, start, kind, {*there, "any"}, notes)
        for end in row:
            _known((*path, end), end, kind, there, notes)
    for end in setup.minimum_run if isinstance(setup.minimum_run, dict) else ():
        _known((*at, "minimum_run", end), end, kind, there, notes)


def _product(line: Line, name: str, product: Product, notes: Notes) -> None:
    at = ("products", name)
    _slots(line, (*at, "store"), product.store, notes)
    source = product.release.calendar
    _known((*at, "release", "calendar"), source, "calendar", line.calendars, notes)
    for component, item in product.bom.items():
        if not item.bought and component not in line.products:
            hint = "or say bought: true"
            below = (*at, "bom", component)
            notes.unknown(below, component, "product", line.products, hint)
    path_of = (*at, "route_of")
    _known(path_of, product.route_of, "product", line.products, notes)
    operations = Counter(step.operation for step in product.route)
    seen: set[str] = set()
    for i, step in enumerate(product.route):
        path: Path = (*at, "route", i)
        _step(line, path, step, product, operations.keys(), notes)
        if operations[step.operation] > 1 and step.operation not in seen:
            seen.add(step.operation)
            msg = f'the operation "{step.operation}" is in this route more than once'
            notes.error("LW202", path, msg, "give each its own operation name")


def _step(
    line: Line,
    path: Path,
    step: Step,
    product: Product,
    there: Collection[str],
    notes: Notes,
) -> None:
    for j, name in enumerate(step.stations):
        below: Path = (*path, "station")
        if not isinstance(step.station, str):
            below = (*below, j if isinstance(step.station, tuple) else name)
        _known(below, name, "station", line.stations, notes)
    _once((*path, "station"), step.stations, "station", notes)
    if not step.operation:
        msg = "an operation with alternative stations needs a name"
        notes.error("LW202", path, msg, "add operation: its name")
    _known((*path, "buffer"), step.buffer, "buffer", line.buffers, notes)
    for name in step.uses or ():
        kind = "component in the bom of this product"
        _known((*path, "uses", name), name, kind, product.bom, notes)
    for name in step.makes:
        _known((*path, "makes", name), name, "product", line.products, notes)
    kind = "operation of this route"
    _known((*path, "same_server_as"), step.same_server_as, kind, there, notes)
    if limit := step.time_limit:
        below = (*path, "time_limit")
        _known((*below, "after"), limit.after, kind, there, notes)
        _known((*below, "rework_to"), limit.rework_to, kind, there, notes)
    if step.inspection:
        target = step.inspection.rework_to
        below = (*path, "inspection", "rework_to")
        _known(below, target, "operation of this route", there, notes)
