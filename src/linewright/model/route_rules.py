"""Rules on meaning of products: routes, components, inspections, releases.

Each function knows one rule and notes where it is broken. Names are taken to exist.
"""

from __future__ import annotations

from itertools import pairwise

from linewright.model.graphs import find_cycles
from linewright.model.line import Inspection, Line, Product, Release, Step, Transport
from linewright.model.meaning import (
    input_places,
    is_carried,
    places,
    process_time,
    uses_of,
    ways_of,
)
from linewright.model.notes import Notes, Path

__all__ = ["check_routes", "parents_of"]


def check_routes(line: Line, notes: Notes) -> None:
    """Note what cannot be meant in products and their routes."""
    _cyclic_materials(line, notes)
    parents, ways = parents_of(line), ways_of(line)
    first_order = _first_orders(line)
    for name, product in line.products.items():
        _takes_its_bom(name, product, notes)
        _splits_at_the_end(line, name, notes)
        _released(line, name, parents[name], notes)
        _orders_release(name, product, first_order.get(name), notes)
        _finished_units_are_used(name, product, parents[name], notes)
        _passes_time(line, name, product, notes)
        _first_operation(name, product, notes)
        _has_room_on_arrival(line, name, ways, notes)
        _kit_fits(line, name, product, notes)
        for i, step in enumerate(product.route):
            path = ("products", name, "route", i)
            _has_times(line, name, path, step, notes)
            _same_buffer(line, path, step, notes)
            if step.inspection:
                _inspection(name, i, product, notes)
    _have_routes(line, notes)


def parents_of(line: Line) -> dict[str, list[str]]:
    """Return the products that use each product as a component made on the line."""
    parents: dict[str, list[str]] = {name: [] for name in line.products}
    for name, product in line.products.items():
        for component, item in product.bom.items():
            if not item.bought:
                parents[component].append(name)
    return parents


def _first_orders(line: Line) -> dict[str, int]:
    orders = line.orders if isinstance(line.orders, tuple) else ()
    return {order.product: i for i, order in reversed(list(enumerate(orders)))}


# ---------------------------------------------------------------- materials


def _cyclic_materials(line: Line, notes: Notes) -> None:
    boms = {
        name: [c for c, item in product.bom.items() if not item.bought]
        for name, product in line.products.items()
    }
    splits = {
        name: [made for step in product.route for made in step.makes]
        for name, product in line.products.items()
    }
    becomes = {
        name: [*parents, *splits[name]] for name, parents in parents_of(line).items()
    }
    cyclic = False
    for graph, code, key, text in (
        (boms, "LW205", "bom", "is a component of itself"),
        (splits, "LW206", "route", "is split into itself"),
        (becomes, "LW206", "route", "becomes a part of itself"),
    ):
        for cycle in find_cycles(graph) if not cyclic else ():
            cyclic = True
            way = " - ".join([*cycle, cycle[0]])
            path = ("products", cycle[0], key)
            notes.error(code, path, f'"{cycle[0]}" {text}: {way}')


def _have_routes(line: Line, notes: Notes) -> None:
    boms = [product.bom for product in line.products.values()]
    bought = {name for bom in boms for name, item in bom.items() if item.bought}
    made = {name for bom in boms for name, item in bom.items() if not item.bought}
    for name, product in line.products.items():
        if not product.route and (name in made or name not in bought):
            msg = f'the product "{name}" has no route'
            hint = "add its operations, or say bought: true in the bom that names it"
            notes.error("LW203", ("products", name), msg, hint)


def _takes_its_bom(name: str, product: Product, notes: Notes) -> None:
    uses = uses_of(product)
    for component, item in product.bom.items():
        taken = sum(step.get(component, 0) for step in uses)
        if uses and taken != item.quantity:
            msg = f'the bom of "{name}" has {item.quantity} x "{component}", '
            msg += f"its operations use {taken}"
            notes.error("LW207", ("products", name, "bom", component), msg)


def _splits_at_the_end(line: Line, name: str, notes: Notes) -> None:
    product = line.products[name]
    for i, step in enumerate(product.route):
        path = ("products", name, "route", i, "makes")
        if step.makes and i < len(product.route) - 1:
            msg = "a part is split at the last operation of its route only"
            notes.error(
                "LW209", path, msg, "give the rest of the route to what it makes"
            )
        if step.makes_together:
            if not step.makes:
                msg = "makes_together needs makes"
                notes.error("LW209", (*path[:-1], "makes_together"), msg)
            _units_fit_together(line, path, step, notes)


def _units_fit_together(line: Line, path: Path, step: Step, notes: Notes) -> None:
    for made, count in step.makes.items():
        first = line.products[made].route[:1]
        rooms = [input_places(line, s, name) for s in first for name in s.stations]
        if rooms and all(room is not None and room < count for room in rooms):
            msg = f'{count} x "{made}" never fit together into the buffer ahead'
            notes.error("LW219", (*path, made), msg)


def _finished_units_are_used(
    name: str, product: Product, parents: list[str], notes: Notes
) -> None:
    if not product.route or not product.route[-1].makes:
        return
    path = ("products", name, "route", len(product.route) - 1, "makes")
    if parents:
        msg = f'"{name}" is split and never finished, and "{parents[0]}" needs it'
        notes.error("LW209", path, msg)
    if product.demand is not None:
        msg = f'"{name}" is split and never finished; its demand cannot be met'
        notes.error("LW209", path, msg)


def _kit_fits(line: Line, name: str, product: Product, notes: Notes) -> None:
    for i, uses in enumerate(uses_of(product)):
        for component, count in uses.items():
            if product.bom[component].bought:
                continue
            room = places(line, line.products[component].store)
            if room is not None and room < count:
                msg = f'the store of "{component}" holds {room}, '
                msg += f'one "{name}" takes {count} at once'
                notes.error("LW219", ("products", name, "route", i), msg)


# ---------------------------------------------------------------- operations


def _first_operation(name: str, product: Product, notes: Notes) -> None:
    if product.route and product.route[0].rework_only:
        msg = "the first operation of a route cannot be for rework only"
        notes.error("LW208", ("products", name, "route", 0, "rework_only"), msg)


def _has_times(line: Line, name: str, path: Path, step: Step, notes: Notes) -> None:
    for station in step.stations:
        if process_time(line, name, step, station) is None:
            msg = f'no processing time for "{step.operation}" of "{name}" '
            msg += f'at the station "{station}"'
            hint = "add process to the operation or to the station"
            notes.error("LW204", path, msg, hint)


def _same_buffer(line: Line, path: Path, step: Step, notes: Notes) -> None:
    if step.choose != "first_free" or len(step.stations) < 2 or step.buffer:
        return
    buffers = {line.stations[name].buffer for name in step.stations}
    if len(buffers) > 1 or not buffers & line.buffers.keys():
        msg = "stations of which the first free one is chosen share one named buffer"
        notes.error("LW213", (*path, "choose"), msg, "add buffer to the operation")


def _has_room_on_arrival(
    line: Line, name: str, ways: dict[tuple[str, str], Transport], notes: Notes
) -> None:
    """A part on its way needs a place that is kept for it."""
    before: tuple[str | None, ...] = (None,)
    for i, step in enumerate(line.products[name].route):
        for end in step.stations:
            if input_places(line, step, end) != 0:
                continue
            if any(is_carried(ways, start, step, end) for start in before):
                msg = f'transport to "{end}" needs a buffer of one place or more'
                notes.error("LW211", ("products", name, "route", i), msg)
            early = [b for b in before if b and _is_early(line, b)]
            if early:
                msg = f'"{early[0]}" reserves a place behind it before it starts '
                msg += f'(blocking: before_service), and "{end}" has none'
                hint = "give it a buffer of one place or more"
                notes.error("LW211", ("products", name, "route", i), msg, hint)
        before = step.stations


def _is_early(line: Line, station: str) -> bool:
    return line.stations[station].blocking == "before_service"


def _passes_time(line: Line, name: str, product: Product, notes: Notes) -> None:
    """No part may go around, or through, for ever at one instant."""
    zero = [_is_instant(line, name, step) for step in product.route]
    operations = [step.operation for step in product.route]
    for i, step in enumerate(product.route):
        test = step.inspection
        if not test or not test.rework_to or test.rework_limit is not None:
            continue
        first = operations.index(test.rework_to)
        if first <= i and all(zero[first : i + 1]):
            path = ("products", name, "route", i, "inspection", "rework_to")
            msg = "this loop takes no time, so a part could go around it for ever"
            notes.error("LW220", path, msg, "give an operation in it a time")
    always = product.release.kind == "always"
    made_here = any(not item.bought for item in product.bom.values())
    if always and not made_here and product.route and _floods(line, product, zero):
        msg = "a product that is always released takes no time before it leaves the "
        msg += "line or waits without limit; there would be no end to it"
        notes.error("LW220", ("products", name, "release"), msg)


def _is_instant(line: Line, name: str, step: Step) -> bool:
    times = [process_time(line, name, step, station) for station in step.stations]
    ends = {*step.stations, "any"}
    ways = [way for way in line.transport if way.end in ends]
    moves = [way.time for way in ways]
    if any(way.time is None for way in ways):
        return False  # by a vehicle that has some way to go
    return all(t is None or t.mean_us == 0 for t in [*times, *moves, step.transport])


def _floods(line: Line, product: Product, zero: list[bool]) -> bool:
    if all(zero):
        return True
    capped = line.conwip is not None or product.release.conwip is not None
    for (i, _), (_, ahead) in pairwise(enumerate(product.route)):
        if not zero[i]:
            return False
        room = [input_places(line, ahead, station) for station in ahead.stations]
        if None in room:
            return not capped
    return False


# ---------------------------------------------------------------- inspections


def _inspection(name: str, i: int, product: Product, notes: Notes) -> None:
    test = product.route[i].inspection
    assert test is not None
    path = ("products", name, "route", i, "inspection")
    _shares(path, test, notes)
    _rework_target(path, i, product, notes)
    if test.pass_ is None and not _can_be_bad(i, product) and not test.false_reject:
        msg = "there is no pass, and no operation before makes defects; "
        msg += "nothing would be rejected"
        notes.error("LW208", path, msg, "add pass: the share of good units")


def _can_be_bad(i: int, product: Product) -> bool:
    return bool(product.bom) or any(
        step.made_bad > 0 for step in product.route[: i + 1]
    )


def _shares(path: Path, test: Inspection, notes: Notes) -> None:
    shares = {"pass": test.pass_, "rework": test.rework, "scrap": test.scrap}
    given = {key: share for key, share in shares.items() if share is not None}
    total, spoken = sum(given.values()), " + ".join(given)
    if len(given) == 3 and abs(total - 1) > 1e-9:
        notes.error("LW208", path, f"{spoken} is {total:g}; they sum to one")
    elif test.pass_ is not None and total > 1 + 1e-9:
        notes.error("LW208", path, f"{spoken} is {total:g}; they sum to at most one")
    elif test.pass_ is None and len(given) == 2 and total == 0:
        notes.error("LW208", path, "rework and scrap are both zero")
    if test.rework and test.rework_to is None:
        msg = "rework needs rework_to: the operation to which it goes"
        notes.error("LW208", (*path, "rework"), msg)
    if test.rework_to is None:
        for key in ("rework_limit", "rework_priority"):
            if getattr(test, key) is not None:
                msg = f"{key} has no effect without rework_to"
                notes.error("LW208", (*path, key), msg)
    never_out = test.pass_ == 0 and not test.scrap and not test.false_accept
    if never_out and test.rework == 1 and test.rework_limit is None:
        msg = "every unit is reworked, again and again"
        notes.error("LW208", path, msg, "add a rework_limit")


def _rework_target(path: Path, i: int, product: Product, notes: Notes) -> None:
    test = product.route[i].inspection
    if test is None or test.rework_to is None:
        return
    operations = [step.operation for step in product.route]
    target = operations.index(test.rework_to)
    if target > i and not product.route[target].rework_only:
        msg = f'rework cannot go on to "{test.rework_to}", which comes later'
        hint = f"allowed are {', '.join(operations[: i + 1])}, or say rework_only there"
        notes.error("LW208", (*path, "rework_to"), msg, hint)


# ---------------------------------------------------------------- releases


_ONLY_WITH = {
    "every": {"arrivals"},
    "rate": {"arrivals"},
    "quantity": {"arrivals"},
    "first": {"arrivals"},
    "calendar": {"arrivals"},
    "when_full": {"arrivals", "orders", "with_parent"},
    "share": {"always"},
}


def _released(line: Line, name: str, parents: list[str], notes: Notes) -> None:
    product = line.products[name]
    release, path = product.release, ("products", name, "release")
    for key, kinds in _ONLY_WITH.items():
        is_default = getattr(release, key) == Release.model_fields[key].default
        if release.kind not in kinds and not is_default:
            msg = f"{key} has no effect on the release {release.kind}"
            notes.error("LW212", (*path, key), msg)
    if release.kind == "arrivals":
        _arrivals(path, release, notes)
    if release.kind == "with_parent" and not parents:
        msg = f'no bom has "{name}", so no parent releases it'
        notes.error("LW212", path, msg)
    kinds = {line.products[parent].release.kind for parent in parents}
    if release.kind == "with_parent" and kinds and kinds <= {"always", "never"}:
        msg = f'"{name}" is released with its parent, and {parents[0]} is never '
        msg += f"released ahead of its start (release: {kinds.pop()})"
        notes.error("LW212", path, msg, "release it always, with a finite store")


def _arrivals(path: Path, release: Release, notes: Notes) -> None:
    if (release.every is None) == (release.rate is None):
        found = "neither is" if release.every is None else "both are"
        msg = f"arrivals need every or rate; {found} given"
        notes.error("LW212", path, msg)
    if release.every is not None and not release.every.mean_us > 0:
        msg = "with no time between, arrivals would never end"
        notes.error("LW212", (*path, "every"), msg)
    if release.rate == 0:
        notes.error("LW212", (*path, "rate"), "a rate of arrivals is above zero")


def _orders_release(
    name: str, product: Product, first_order: int | None, notes: Notes
) -> None:
    kind = product.release.kind
    if kind == "orders" and first_order is None:
        msg = f'there is no order for "{name}" to release it'
        notes.error("LW212", ("products", name, "release"), msg)
    if kind != "orders" and first_order is not None:
        msg = f'there are orders for "{name}", and its release is {kind}'
        hint = f'say release: orders in the product "{name}"'
        notes.error("LW212", ("orders", first_order, "product"), msg, hint)
