"""How parts travel, read from the model: which station feeds which, and in what order.

`links` lists every move that the routings, bills of material, splits and rework allow.
`station_order` follows them: components before what they go into, each routing in its
order; stations that nobody visits come last, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from linewright.model.line import Line, OrderFile, Product, Step

__all__ = [
    "Chain",
    "Link",
    "chains",
    "components",
    "demand_per_h",
    "finals",
    "links",
    "station_order",
]

MAX_CHAINS = 60


@dataclass(frozen=True, slots=True)
class Link:
    """Parts of a product go from one station to another."""

    source: str
    target: str
    kind: Literal["flow", "join", "rework"]
    product: str


def components(product: Product) -> list[str]:
    """Return everything that a product is built from."""
    used = dict.fromkeys(product.bom)
    for step in product.route:
        used.update(dict.fromkeys(step.uses or {}))
    return list(used)


def finals(line: Line, ordered: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the products that are asked for, or else that nothing else is built from.

    Args:
        line: The line.
        ordered: Products of orders that the model only points to, in a file.
    """
    orders = () if isinstance(line.orders, OrderFile) else line.orders
    asked = {order.product for order in orders} | set(ordered)
    used = {c for product in line.products.values() for c in components(product)}

    def is_final(name: str, product: Product) -> bool:
        if product.demand or name in asked:
            return True
        return name not in used and not any(step.makes for step in product.route)

    found = tuple(n for n, product in line.products.items() if is_final(n, product))
    return found or tuple(line.products)


def demand_per_h(line: Line, product: str) -> float | None:
    """Return the rate that the model asks for, or nothing."""
    found = line.products.get(product)
    return found.demand * 3600 if found and found.demand else None


# ---------------------------------------------------------------- links


def _joins(product: Product) -> Iterator[tuple[str, Step]]:
    """Yield each component with the step that takes it."""
    named = {c for step in product.route for c in step.uses or {}}
    for i, step in enumerate(product.route):
        for component in step.uses or {}:
            yield component, step
        if i == 0:
            yield from ((c, step) for c in product.bom if c not in named)


def _main_steps(product: Product) -> list[Step]:
    return [step for step in product.route if not step.rework_only]


def _route_links(name: str, product: Product) -> Iterator[Link]:
    steps = _main_steps(product)
    for before, after in pairwise(steps):
        for a in before.stations:
            yield from (Link(a, b, "flow", name) for b in after.stations)
    by_operation = {step.operation: step for step in product.route}
    for i, step in enumerate(product.route):
        back = step.inspection.rework_to if step.inspection else None
        if back in by_operation:
            for a in step.stations:
                targets = by_operation[back].stations
                yield from (Link(a, b, "rework", name) for b in targets)
        if step.rework_only and i + 1 < len(product.route):
            for a in step.stations:
                targets = product.route[i + 1].stations
                yield from (Link(a, b, "rework", name) for b in targets)


def _assembly_links(line: Line, name: str, product: Product) -> Iterator[Link]:
    for component, step in _joins(product):
        made = line.products.get(component)
        steps = _main_steps(made) if made else []
        for a in steps[-1].stations if steps else ():
            yield from (Link(a, b, "join", component) for b in step.stations)
    for step in product.route:
        for made_name in step.makes:
            made = line.products.get(made_name)
            first = _main_steps(made)[:1] if made else []
            for a in step.stations:
                for after in first:
                    yield from (Link(a, b, "flow", name) for b in after.stations)


def links(line: Line) -> list[Link]:
    """Return each move between two stations once, in the order of the file."""
    found: dict[tuple[str, str], Link] = {}
    for name, product in line.products.items():
        for link in (
            *_route_links(name, product),
            *_assembly_links(line, name, product),
        ):
            if link.source != link.target:
                found.setdefault((link.source, link.target), link)
    return [
        link
        for link in found.values()
        if link.source in line.stations and link.target in line.stations
    ]


# ---------------------------------------------------------------- chains


@dataclass(frozen=True, slots=True)
class Chain:
    """One way through the line, from a first component to a finished product."""

    products: tuple[str, ...]
    stations: tuple[str, ...]


def _chains(line: Line, name: str, inside: frozenset[str]) -> list[Chain]:
    product = line.products[name]
    steps = _main_steps(product)
    found = []
    for component, step in _joins(product):
        if component in line.products and component not in inside and step in steps:
            rest = [s.stations[0] for s in steps[steps.index(step) :]]
            for chain in _chains(line, component, inside | {name})[:MAX_CHAINS]:
                products = (*chain.products, name)
                found.append(Chain(products, (*chain.stations, *rest)))
    if not found or not any(
        c in line.products for c, s in _joins(product) if s == steps[0]
    ):
        found.append(Chain((name,), tuple(s.stations[0] for s in steps)))
    return found


def chains(line: Line) -> list[Chain]:
    """Return the ways through the line to each final product, a limited number."""
    found = [c for name in finals(line) for c in _chains(line, name, frozenset())]
    return [chain for chain in found if len(chain.stations) > 2][:MAX_CHAINS]


# ---------------------------------------------------------------- order


def _products_in_order(line: Line) -> list[str]:
    """Return products, components and split sources before what comes out of them."""
    made_from: dict[str, list[str]] = {
        name: components(product) for name, product in line.products.items()
    }
    for name, product in line.products.items():
        for step in product.route:
            for made in step.makes:
                made_from.setdefault(made, []).append(name)
    done: dict[str, None] = {}
    open_: set[str] = set()

    def visit(name: str) -> None:
        if name in done or name in open_ or name not in line.products:
            return
        open_.add(name)
        for part in made_from[name]:
            visit(part)
        done[name] = None

    for name in line.products:
        visit(name)
    return list(done)


def station_order(line: Line) -> list[str]:
    """Return all stations in the order in which parts come by."""
    order: dict[str, None] = {}
    for product in _products_in_order(line):
        for step in line.products[product].route:
            order.update(dict.fromkeys(s for s in step.stations if s in line.stations))
    order.update(dict.fromkeys(line.stations))
    return list(order)
