"""Lots of bought material: which of them a unit took, one after the other.

The kernel counts what is there of a material. A lot is what was there at the start, or
came with one delivery; units take from the lot that came first (or last, where the
model says `takes: newest`), and from the next when it is used up. So what stands in the
trace is enough to tell lots apart, in a run that was simulated as on a line that runs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from linewright.errors import JournalError

__all__ = ["Lot", "Lots", "Material", "Use", "delivery_problem", "materials_in"]

_LONGEST = 100


class Material(NamedTuple):
    """What is to be known of a material.

    Attributes:
        name: Its name.
        row: Its row among the stocks of the kernel.
        lot: Units in a delivery.
        takes_newest: Whether the lot that came last is used first.
        initial: Lots that are there at the start: number, supplier and quantity.
    """

    name: str
    row: int
    lot: int
    takes_newest: bool
    initial: tuple[tuple[str, str, int], ...]


def materials_in(model: Mapping[str, Any]) -> list[Material]:
    """Return the materials of a model as it stands in a journal, in their order.

    Stocks are laid out tools first, then loops, then materials.
    """
    before = len(model.get("tools", ())) + len(model.get("loops", ()))
    found = []
    for i, (name, of) in enumerate(model.get("materials", {}).items()):
        lots = tuple(
            (lot.get("number", ""), lot.get("supplier", ""), lot["quantity"])
            for lot in of.get("lots", ())
        )
        stock = of["stock"]
        if not lots and stock:
            lots = (("", "", stock),)
        takes_newest = of.get("takes", "oldest") == "newest"
        found.append(Material(name, before + i, of["lot"], takes_newest, lots))
    return found


def delivery_problem(data: Mapping[str, Any], lot: int) -> str:
    """Return why a delivery cannot be what is said of it, or nothing.

    Args:
        data: What is said: the ``lot``'s number, its ``supplier``, its ``quantity``.
        lot: Units in a delivery by the model.
    """
    for key in ("lot", "supplier"):
        text = data.get(key, "")
        if not isinstance(text, str) or len(text) > _LONGEST or not text.isprintable():
            return f"{key} is {text!r:.60}; it is a text of up to {_LONGEST} characters"
    if data.get("quantity", lot) != lot:
        return (
            f"{data['quantity']!r} units came, and a delivery is of {lot}; report what "
            "came in deliveries of that, or change the model"
        )
    return ""


@dataclass(slots=True)
class Lot:
    """A lot: its material, its number among the lots of it, and what is left."""

    id: int
    material: int
    number: int
    name: str
    supplier: str
    quantity: int
    came_us: int
    taken: int = 0


class Use(NamedTuple):
    """What was taken from a lot at once: from which unit of it on, and how many."""

    lot: Lot
    first: int
    quantity: int


class Lots:
    """The lots that are there; see the module's head.

    Args:
        materials: The materials.
        there: Lots from which something is left, oldest first.
        counts: How many lots of each material there have been.
        n_lots: How many lots there have been in all.
    """

    def __init__(
        self,
        materials: list[Material],
        there: Iterable[Lot] = (),
        counts: Mapping[int, int] | None = None,
        n_lots: int = 0,
    ) -> None:
        self._materials = materials
        self._of_row = {material.row: i for i, material in enumerate(materials)}
        self._there: list[deque[Lot]] = [deque() for _ in materials]
        self._counts = [(counts or {}).get(i, 0) for i in range(len(materials))]
        self._n_lots = n_lots
        for lot in there:
            self._there[lot.material].append(lot)

    def begin(self) -> list[Lot]:
        """Return the lots that are there at the start."""
        return [
            self._come(i, 0, name, supplier, quantity)
            for i, material in enumerate(self._materials)
            for name, supplier, quantity in material.initial
        ]

    def come(self, row: int, at_us: int, data: Mapping[str, Any]) -> Lot | None:
        """Return the lot that comes with a delivery; none if the stock is no material.

        Args:
            row: Row of the stock.
            at_us: When.
            data: What was said of it; see `delivery_problem`.
        """
        i = self._of_row.get(row)
        if i is None:
            return None
        name, supplier = data.get("lot", ""), data.get("supplier", "")
        return self._come(i, at_us, name, supplier, self._materials[i].lot)

    def _come(self, i: int, at_us: int, name: str, supplier: str, quantity: int) -> Lot:
        number = self._counts[i]
        lot = Lot(self._n_lots, i, number, name, supplier, quantity, at_us)
        self._counts[i] += 1
        self._n_lots += 1
        self._there[i].append(lot)
        return lot

    def take(self, row: int, quantity: int) -> list[Use]:
        """Return from which lots something is taken; nothing if it is no material.

        Raises:
            JournalError: More is taken than has come.
        """
        i = self._of_row.get(row)
        if i is None:
            return []
        there, found = self._there[i], []
        end = -1 if self._materials[i].takes_newest else 0
        while quantity > 0:
            if not there:
                msg = f"more of {self._materials[i].name} was taken than had come"
                raise JournalError(msg)
            lot = there[end]
            n = min(quantity, lot.quantity - lot.taken)
            found.append(Use(lot, lot.taken, n))
            lot.taken += n
            quantity -= n
            if lot.taken == lot.quantity:
                there.pop() if end else there.popleft()
        return found
