"""Rules on tools, loops, materials and what they are taken by; on wear and spares.

`check_stock_names` asks whether the names are there, `check_stocks` whether what is
said of them can be meant. Each function knows one noun.
"""

from __future__ import annotations

from collections import Counter

from linewright.model.line import (
    CommonFailure,
    Failure,
    Line,
    Loop,
    Maintenance,
    Material,
    Station,
)
from linewright.model.meaning import (
    batch_of,
    is_sampled,
    loop_ends,
    materials_of,
    people_of,
    places,
    skills_of,
    spares_name,
    taken_by,
    too_few,
)
from linewright.model.notes import Notes, Path
from linewright.model.tool_rules import check_lent, check_lent_names

__all__ = ["check_stock_names", "check_stocks"]


# ---------------------------------------------------------------- names


def check_stock_names(line: Line, notes: Notes) -> None:
    """Note names of tools, loops, materials and common failures that are not there."""
    for name, product in line.products.items():
        for i, step in enumerate(product.route):
            for tool in step.tools:
                if tool not in line.tools:
                    path = ("products", name, "route", i, "tools", tool)
                    notes.unknown(path, tool, "tool", line.tools)
    check_lent_names(line, notes)
    for name in line.loops:
        _loop_names(line, name, notes)
    _one_stock_each(line, notes)
    for name in line.failures:
        _common_names(line, name, notes)
    for name, station in line.stations.items():
        for work_name, work in station.maintenance.items():
            at = ("stations", name, "maintenance", work_name)
            _work_names(line, at, station, work, notes)


def _work_names(
    line: Line, at: Path, station: Station, work: Maintenance, notes: Notes
) -> None:
    if work.window is not None and work.window not in line.calendars:
        notes.unknown((*at, "window"), work.window, "calendar", line.calendars)
    for failure in work.when_worn or ():
        if failure not in station.failures:
            path = (*at, "when_worn", failure)
            notes.unknown(path, failure, "failure of this station", station.failures)


def _loop_names(line: Line, name: str, notes: Notes) -> None:
    loop, at = line.loops[name], ("loops", name)
    operations = dict.fromkeys(
        step.operation for product in line.products.values() for step in product.route
    )
    for key, operation in (("from", loop.start), ("to", loop.end)):
        if operation not in operations:
            notes.unknown((*at, key), operation, "operation", operations)
    for i, product in enumerate(loop.products or ()):
        if product not in line.products:
            notes.unknown((*at, "products", i), product, "product", line.products)
    for product in loop.takes:
        if product not in line.products:
            notes.unknown((*at, "takes", product), product, "product", line.products)


def _one_stock_each(line: Line, notes: Notes) -> None:
    """Note names that two stocks have: results and messages name them all alike."""
    stocks: list[tuple[str, str, Path]] = [
        *((name, "a tool", ("tools", name)) for name in line.tools),
        *((name, "a loop", ("loops", name)) for name in line.loops),
        *((name, "a material", ("materials", name)) for name in line.materials),
    ]
    for name, station in line.stations.items():
        for failure_name, failure in station.failures.items():
            if failure.spares is not None:
                title = spares_name(name, failure_name)
                at = ("stations", name, "failures", failure_name)
                stocks.append((title, "what spares are called", at))
    kinds: dict[str, str] = {}
    for title, kind, path in stocks:
        if title in kinds:
            msg = f'"{title}" is {kinds[title]} and {kind}'
            notes.error("LW202", path, msg, "rename one of them")
        kinds.setdefault(title, kind)


def _common_names(line: Line, name: str, notes: Notes) -> None:
    stations = line.failures[name].stations
    path: Path
    for i, station in enumerate(stations):
        if station not in line.stations:
            path = ("failures", name, "stations", i)
            notes.unknown(path, station, "station", line.stations)
    for station, count in Counter(stations).items():
        if count > 1:
            path = ("failures", name, "stations")
            msg = f'the station "{station}" is here {count} times'
            notes.error("LW202", path, msg)
    skill, _ = people_of(line.failures[name].crew)
    if skill is not None and skill not in skills_of(line):
        path = ("failures", name, "crew")
        notes.unknown(path, skill, "pool of people or a skill", skills_of(line))


# ---------------------------------------------------------------- tools and loops


def check_stocks(line: Line, notes: Notes) -> None:
    """Note what cannot be meant of tools, loops, materials, wear and spares."""
    for name, product in line.products.items():
        if not product.route_of:
            for i, materials in enumerate(materials_of(line, product)):
                _tools(line, name, i, materials, notes)
        _initial(line, name, notes)
    for name, loop in line.loops.items():
        _loop(line, name, loop, notes)
    for name in line.materials:
        _material(line, name, notes)
    _circles(line, notes)
    check_lent(line, notes)
    for name, station in line.stations.items():
        for failure_name, failure in station.failures.items():
            _spares(("stations", name, "failures", failure_name), failure, notes)
        for work_name, work in station.maintenance.items():
            _wear(("stations", name, "maintenance", work_name), station, work, notes)
    for name, common in line.failures.items():
        _common(line, ("failures", name), common, notes)


def _common(line: Line, path: Path, common: CommonFailure, notes: Notes) -> None:
    if not common.every.mean_us > 0:
        msg = "with no time between, nothing else would ever happen"
        notes.error("LW210", (*path, "every"), msg)
    if msg := too_few(line, common.crew):
        notes.error("LW226", (*path, "crew"), msg)


def _tools(
    line: Line, name: str, i: int, materials: dict[str, int], notes: Notes
) -> None:
    step = line.products[name].route[i]
    path: Path = ("products", name, "route", i)
    for tool, n in step.tools.items():
        if n > line.tools[tool].count:
            there = line.tools[tool].count
            msg = f'{n} of "{tool}" are needed at once, and there are {there}'
            below = (*path, "tools", tool)
            notes.error("LW227", below, msg, "no part could ever start")
    if (step.tools or materials) and batch_of(line, step) is not None:
        what = "tools" if step.tools else "materials kept in stock"
        msg = f"an operation in batches takes no {what}"
        hint = "let an operation before it take them, or a loop that begins before it"
        notes.error("LW227", path, msg, hint)
    for material, n in materials.items():
        stock = line.materials[material]
        most = max(stock.stock, stock.reorder_point + stock.lot)
        needed = n * line.products[name].lot_size
        if needed > most:
            msg = f'a part takes {needed} of "{material}", of which there are never '
            msg += f"more than {most}"
            notes.error("LW227", path, msg, "order more at a time, or sooner")


def _loop(line: Line, name: str, loop: Loop, notes: Notes) -> None:
    at = ("loops", name)
    inside = {
        product: ends
        for product, row in line.products.items()
        if (ends := loop_ends(product, row, loop)) is not None
    }
    if not inside:
        msg = f'no product has "{loop.start}" and "{loop.end}" in its route'
        notes.error("LW227", at, msg)
    for product in loop.products or ():
        if product not in inside:
            msg = f'"{product}" has not both "{loop.start}" and "{loop.end}"'
            notes.error("LW227", (*at, "products"), msg)
    for product, n in loop.takes.items():
        if product not in inside:
            msg = f'"{product}" is not in this loop'
            notes.error("LW227", (*at, "takes", product), msg)
        elif n > loop.cards:
            msg = f'"{product}" takes {n} cards, and there are {loop.cards}'
            hint = "no part could ever start"
            notes.error("LW227", (*at, "takes", product), msg, hint)
    for product, ends in inside.items():
        _loop_ends(line, at, product, ends, notes)


def _loop_ends(
    line: Line, at: Path, name: str, ends: tuple[int, int], notes: Notes
) -> None:
    route = line.products[name].route
    first = route[ends[0]]
    if ends[0] > ends[1]:
        msg = f'in the route of "{name}" the loop ends before it begins'
        notes.error("LW227", (*at, "from"), msg)
    for key, step in (("from", first), ("to", route[ends[1]])):
        if step.rework_only or (is_sampled(step) and key == "from"):
            msg = f'not all parts of "{name}" come to "{step.operation}"'
            hint = "choose an operation that all visit"
            notes.error("LW227", (*at, key), msg, hint)
    if batch_of(line, first) is not None:
        msg = f'no loop begins at "{first.operation}", which is done in batches'
        hint = "let it begin at the operation before"
        notes.error("LW227", (*at, "from"), msg, hint)


def _circles(line: Line, notes: Notes) -> None:
    """Two parts may wait for ever, each for the card that the other has.

    A tool is in no circle of cards: who has one is at work, and waits for no card.
    """
    takes: dict[str, set[str]] = {}
    for name in line.products:
        taken = taken_by(line, name)
        for one in taken:
            after = {
                other.stock
                for other in taken
                if one.stock != other.stock and one.first < other.first <= one.until
            }
            takes.setdefault(one.stock, set()).update(after)
    for first, ends in takes.items():
        for second in sorted(ends):
            if first < second and first in takes.get(second, ()):
                msg = f'one part may have "{first}" and wait for "{second}", another '
                msg += "the other way round: then neither ever goes on"
                hint = "let all parts take them in the same order"
                notes.warning("LW309", ("loops", first), msg, hint)


def _material(line: Line, name: str, notes: Notes) -> None:
    items = [p.bom[name] for p in line.products.values() if name in p.bom]
    at = ("materials", name)
    if not items:
        notes.error("LW227", at, f'no bill of materials has "{name}"')
    elif not all(item.bought for item in items):
        msg = f'"{name}" is made on the line and kept in stock as bought'
        notes.error("LW227", at, msg, "say bought: true in the bom")
    _lots(line.materials[name], at, notes)


def _lots(material: Material, at: Path, notes: Notes) -> None:
    total = sum(lot.quantity for lot in material.lots)
    if material.lots and total != material.stock:
        msg = f"the lots have {total} units, and {material.stock} are in stock"
        notes.error("LW227", (*at, "lots"), msg)
    known: set[str] = set()
    for i, lot in enumerate(material.lots):
        if lot.number and lot.number in known:
            msg = f'"{lot.number}" is the number of two lots'
            notes.error("LW227", (*at, "lots", i, "number"), msg)
        known.add(lot.number)


def _initial(line: Line, name: str, notes: Notes) -> None:
    product, path = line.products[name], ("products", name, "stock")
    if product.stock == 0:
        return
    users = [p for p in line.products.values() if name in p.bom]
    if not any(not p.bom[name].bought for p in users):
        msg = f'no product is made of "{name}", so it has no store'
        notes.error("LW227", path, msg, "let a product use it, as a customer does")
    elif product.stock % product.lot_size:
        msg = f"{product.stock} units are not whole lots of {product.lot_size}"
        notes.error("LW227", path, msg)
    else:
        room = places(line, product.store)
        if room is not None and product.stock // product.lot_size > room:
            msg = f"the store has {room} places for parts"
            notes.error("LW227", path, msg)


# ---------------------------------------------------------------- wear and spares


def _spares(path: Path, failure: Failure, notes: Notes) -> None:
    if failure.swap is not None and failure.spares is None:
        msg = "swap has no effect without spares"
        notes.error("LW228", (*path, "swap"), msg, "say how many spares there are")


def _wear(path: Path, station: Station, work: Maintenance, notes: Notes) -> None:
    if (work.every is None) == (work.when_worn is None):
        msg = "planned work is due every so often, or when something is worn: say one"
        notes.error("LW228", path, msg)
    if work.when_worn is None:
        return
    for key, is_said in (
        ("first", work.first is not None),
        ("clock", work.clock != "calendar"),
    ):
        if is_said:
            msg = f"{key} has no effect on work that is due by wear"
            notes.error("LW228", (*path, key), msg)
    for name, step in work.when_worn.items():
        steps = station.failures[name].steps
        if step >= steps:
            msg = f'"{name}" fails at step {steps}, which is not after {step}'
            hint = "give the failure more steps, or do the work earlier"
            notes.error("LW228", (*path, "when_worn", name), msg, hint)
