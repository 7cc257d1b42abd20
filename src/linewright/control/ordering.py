"""Room for orders that come while the line runs, beside those of the model.

The kernel's state has a row for each order, and the line's tables say how many units
one order can bring at once. Both grow here, in the controller and in whoever plays the
plant alike, so that they stay the same line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered, part_capacity

__all__ = ["MOST_PARTS", "NewOrder", "fitted", "parts_of", "waiting", "with_orders"]

MOST_PARTS = 50_000
"""Most parts, components included, that one order may bring into the line."""


class NewOrder(NamedTuple):
    """An order that came: rows and microseconds, as the state keeps them.

    Attributes:
        product: Row of the product.
        quantity: Units asked for.
        release: Not released before this time.
        due: Asked for by this time, `tables.NEVER` if at no time.
        priority: Higher goes first.
    """

    product: int
    quantity: int
    release: int
    due: int
    priority: int


def parts_of(tables: t.LineTables, product: int, quantity: int) -> int:
    """Return how many parts an order brings, with the components released with them."""
    row = tables.products[product]
    first, n = int(row["first_child"]), int(row["n_children"])
    children = int(tables.uses["quantity"][first : first + n].sum())
    lot = int(row["lot"])
    return -(-quantity // lot) * (1 + children)


def fitted(
    base: Lowered, state: t.State, names: tuple[str, ...], n_parts: int
) -> Lowered:
    """Return the line with the orders of a state, and room for the largest of them.

    Args:
        base: The line with the orders of its model.
        state: A state of it, with the orders that came.
        names: What those that came are called.
        n_parts: Parts of the largest that ever came; it may be smaller by now, and all
            who follow the records have to make room at the same one.
    """
    if not names:
        return base
    orders = np.zeros(len(state.orders), t.ORDER_ROW)
    for column in t.ORDER_ROW.names or ():
        orders[column] = state.orders[column]
    settings = base.tables.settings.copy()
    settings[t.S_MARGIN] += n_parts
    tables = base.tables._replace(orders=orders, settings=settings)
    all_names = base.names.orders + names
    return base._replace(tables=tables, names=_renamed(base.names, all_names))


def _renamed(names: t.Names, orders: tuple[str, ...]) -> t.Names:
    fields = {name: getattr(names, name) for name in t.Names.__dataclass_fields__}
    return t.Names(**fields | {"orders": orders})


def with_orders(
    base: Lowered,
    state: t.State,
    orders: Sequence[NewOrder],
    names: tuple[str, ...],
    n_parts: int,
) -> tuple[Lowered, t.State]:
    """Return the line and its state with more orders, which nobody releases yet.

    Args:
        base: The line with the orders of its model.
        state: Its state; it is not to be used after this.
        orders: The orders.
        names: What all orders that came are called, these as well.
        n_parts: Parts of the largest that ever came, these as well.
    """
    rows = np.zeros(len(orders), t.ORDER_STATE)
    for i, order in enumerate(orders):
        for column, value in order._asdict().items():
            rows[column][i] = value
    rows["finished"], rows["next"] = -1, -1
    state = state._replace(orders=np.concatenate([state.orders, rows]))
    lowered = fitted(base, state, names, n_parts)
    margin = int(lowered.tables.settings[t.S_MARGIN])
    if int(state.clock["n_free"][0]) < margin or len(state.todo) < 4 * margin:
        state = part_capacity(lowered, state, len(state.parts) + margin)
    return lowered, state


def waiting(state: t.State) -> Iterator[int]:
    """Yield the rows of the orders that wait for their release, the next one first."""
    row = int(state.clock["next_order"][0])
    while row >= 0:
        yield row
        row = int(state.orders["next"][row])
