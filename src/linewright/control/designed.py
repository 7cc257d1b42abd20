"""A unit as it was built against as it was designed: its bill of materials.

The design is the model that the journal has, with its hash as its revision. What is
compared is the operations that the unit has begun; of one that is finished, also those
that it had to pass.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from linewright.control.genealogy import Genealogy
from linewright.control.jobs import Unit
from linewright.model.line import Line, Product
from linewright.model.meaning import is_sampled, uses_of

__all__ = ["Component", "as_built"]


class Component(NamedTuple):
    """A component of a unit.

    Attributes:
        name: A product or a bought component.
        designed: How many it should have by now.
        built: How many it has; None for what is bought and not kept in stock, which
            leaves no trace.
    """

    name: str
    designed: int
    built: int | None

    @property
    def differs(self) -> bool:
        """Say whether it was built otherwise than designed."""
        return self.built is not None and self.built != self.designed


def as_built(book: Genealogy, unit: Unit) -> list[Component]:
    """Return the components of a unit in the order of its bill of materials.

    What it has and should not have comes last.
    """
    line = Line.model_validate(book.opening.model)
    product = line.products[unit.product]
    tree = book.made_of(unit)
    designed = _designed(book, unit, product, tree.fate)
    built: Counter[str] = Counter()
    for part in tree.below:
        built[part.unit.product] += line.products[part.unit.product].lot_size
    for used in tree.lots:
        built[used.lot.material] += used.quantity
    if product.route and not product.bom:  # a piece of what was split up
        return []
    names = [*product.bom, *(name for name in built if name not in product.bom)]
    return [
        Component(name, designed[name], _built(line, product, name, built))
        for name in names
    ]


def _built(line: Line, product: Product, name: str, built: Counter[str]) -> int | None:
    item = product.bom.get(name)
    if item is not None and item.bought and name not in line.materials:
        return None
    return built[name]


def _designed(book: Genealogy, unit: Unit, product: Product, fate: str) -> Counter[str]:
    begun = {step.operation for step in book.life(unit) if step.what == "start"}
    is_done = fate in {"finished", "built in", "split up"}
    found: Counter[str] = Counter()
    for step, uses in zip(product.route, uses_of(product), strict=True):
        has_to = is_done and not step.rework_only and not is_sampled(step)
        if has_to or step.operation in begun:
            for name, quantity in uses.items():
                found[name] += quantity * product.lot_size
    return found
