"""Sources: what comes in and when: parts of each product, orders, and the calendars.

Parts are always there, arrive, are ordered, or come with the part they go into. Dates
and shifts become ticks here; nothing below knows a time zone.
"""

from __future__ import annotations

import numpy as np

from linewright import tables as t
from linewright.lower._build import Build
from linewright.lower._routes import kit, lower_step, memory_slots
from linewright.lower._stocks import lower_held
from linewright.model.changes import schedule_ticks, schedules_of, source_schedule
from linewright.model.distribution import Distribution
from linewright.model.line import InProcessFile, Line, Order, OrderFile
from linewright.model.meaning import uses_of
from linewright.model.moments import tick_of
from linewright.units import UNITS_US

_FULL = {"wait": t.FULL_WAIT, "block": t.FULL_BLOCK, "lose": t.FULL_LOSE}
_RELEASE = {
    "always": t.ALWAYS,
    "arrivals": t.ARRIVALS,
    "orders": t.ORDERS,
    "with_parent": t.WITH_PARENT,
    "never": t.NEVER_RELEASED,
}
_BEYOND_US = 28 * UNITS_US["d"]


def lower_calendars(build: Build) -> None:
    """Add the calendars that somebody keeps, one after the other, and their ticks."""
    for schedule in schedules_of(build.line):
        # beyond the end, so that what fits into a shift does not depend on the horizon
        until_us = build.horizon_us + _BEYOND_US
        ticks = schedule_ticks(build.line, schedule, until_us)
        first = len(build.ticks)
        end = max(until_us, int(ticks.at_us[-1])) + 1
        ends = np.append(ticks.at_us[1:], end)
        left, on_left = 0, []
        rows = list(zip(ticks.at_us, ends, ticks.mode, strict=True))
        for at, until, mode in reversed(rows):
            left = (
                0
                if mode == t.CALENDAR_OFF
                else left + (until - at) * (mode == t.CALENDAR_ON)
            )
            on_left.append(int(left))
        for (at, _, mode), left_us in zip(rows, reversed(on_left), strict=True):
            build.ticks.append((int(at), int(mode), left_us))
        build.calendar_rows[schedule] = len(build.calendars)
        build.calendars.append({"first": first, "n": len(rows)})


def lower_products(build: Build) -> None:
    """Add the products with their routes, sources and stores."""
    line = build.line
    used_by_others = {
        c for p in line.products.values() for c, b in p.bom.items() if not b.bought
    }
    for name, product in line.products.items():
        memory_slots(build, name)
        for number, step in enumerate(product.route):
            lower_step(build, name, product, number, step)
        release = product.release
        capped = release.conwip is not None or line.conwip is not None
        kind = _RELEASE[release.kind]
        source = release.every
        if source is None and release.rate:
            source = Distribution(kind="exponential", parameters=(1e6 / release.rate,))
        store = -1
        if name in used_by_others:
            buffer = build.buffer_of(f"{name} store", product.store)
            store = build.dest(((-1, buffer),), 0)
        build.products.append(
            {
                "first_step": build.first_steps[name] if product.route else -1,
                "store": store,
                "family": build.families[product.family or name],
                "lot": product.lot_size,
                "priority": product.priority,
                "cap": -1 if release.conwip is None else release.conwip,
                "kind": t.ALWAYS_CAPPED if kind == t.ALWAYS and capped else kind,
                "source_stream": build.stream("arrivals", name, of=[source]),
                "source_dist": -1 if source is None else build.dist(source),
                "quantity": release.quantity,
                "source_calendar": build.calendar_rows.get(
                    source_schedule(line, name), -1
                ),
                "first_us": -1 if release.first is None else release.first,
                "when_full": _FULL[release.when_full],
                "share": release.share,
                "due_after": -1 if release.due is None else release.due,
                "initial": product.stock // product.lot_size,
                **lower_held(build, name),
                "own_rule": build.own_rule("release", name, release.rule),
            }
        )
    build.settings[t.S_RELEASE_RULES] = sum(
        product["own_rule"] >= 0 for product in build.products
    )


def children_of(
    line: Line, name: str, n_parts: int, found: dict[str, int]
) -> dict[str, int]:
    """Return the components, level by level, that are released with parts, in parts."""
    product = line.products[name]
    for uses in uses_of(product):
        for component, count in kit(line, product, uses).items():
            if line.products[component].release.kind == "with_parent":
                found[component] = found.get(component, 0) + n_parts * count
                children_of(line, component, n_parts * count, found)
    return found


def orders_of(line: Line) -> tuple[Order, ...]:
    """Return the orders; a file of them was read when the model was loaded."""
    assert not isinstance(line.orders, OrderFile)
    return line.orders


def lower_in_process(build: Build) -> None:
    """Add the units that are in the line at its start, in the file's order."""
    line = build.line
    assert not isinstance(line.in_process, InProcessFile)
    for units in line.in_process:
        product = line.products[units.product]
        operations = [step.operation for step in product.route]
        step = build.first_steps[units.product] + operations.index(units.operation)
        due = t.NEVER
        if units.due is not None:
            due = tick_of(line, units.due)
        priority = product.priority if units.priority is None else units.priority
        build.in_process.append(
            {
                "product": build.product_rows[units.product],
                "step": step,
                "parts": -(-units.quantity // product.lot_size),
                "due": due,
                "priority": priority,
            }
        )


def lower_orders(build: Build) -> None:
    """Add the orders, by release and then as they stand in the file."""
    line = build.line

    for place, order in enumerate(orders_of(line)):
        product = line.products[order.product]
        build.orders.append(
            {
                "product": build.product_rows[order.product],
                "quantity": order.quantity,
                "release": 0 if order.release is None else tick_of(line, order.release),
                "due": t.NEVER if order.due is None else tick_of(line, order.due),
                "priority": product.priority
                if order.priority is None
                else order.priority,
                "place": place,
            }
        )
    build.orders.sort(key=lambda row: (row["release"], row["place"]))
