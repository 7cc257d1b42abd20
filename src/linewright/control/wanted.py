"""The orders of a line as people know them.

They are the rows of the kernel's state, but where the line follows a schedule: there
each part of it is an order of its own, and those that leave the line are put together
again by the order that they are made for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.control.core import Core

__all__ = ["Wanted", "grouped", "wanted"]


class Wanted(NamedTuple):
    """Orders, in their order; columns as in the kernel's state.

    Attributes:
        names: What they are called.
        rows: For each its rows in the state.
        product: Row of the product.
        quantity: Units asked for.
        done: Units that have left.
        scrapped: Units that were scrapped.
        release: When the first of its parts is released, components as well.
        due: When it is due, `tables.NEVER` if at no time.
        finished: When its last unit had left, -1: not yet.
        priority: Higher goes first.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    product: t.Ints
    quantity: t.Ints
    done: t.Ints
    scrapped: t.Ints
    release: t.Ints
    due: t.Ints
    finished: t.Ints
    priority: t.Ints

    def states(self, core: Core) -> list[str]:
        """Return how it is with each order, as `Asked.states_of_orders` does."""
        states, by = core.asked.states_of_orders(core.state), core.by_schedule
        found = [_together({states[row] for row in of}) for of in self.rows]
        if by is None:
            return found
        for i, name in enumerate(self.names):
            begun = {states[row] for row in by.orders.get(name, ())} & {"open", "done"}
            if found[i] == "to come" and begun:
                found[i] = "open"  # components of it
        return found


def _together(states: set[str]) -> str:
    """Return how it is with an order, from how it is with its parts."""
    if {"to come", "done"} <= states:
        return "open"
    return next(one for one in _STATES if one in states)


_STATES = ("held", "open", "to come", "done", "cancelled")


def grouped(core: Core) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Return the names of the orders, and for each its rows in the state."""
    by = core.by_schedule
    if by is None:
        names = core.lowered.names.orders
        return names, tuple((row,) for row in range(len(names)))
    groups: dict[str, list[int]] = {}
    for row in range(len(core.state.orders)):
        job = by.job_of(row)
        assert job is not None, "an order that is in no schedule"
        if not job.into:
            groups.setdefault(job.order or job.part, []).append(row)
    return tuple(groups), tuple(tuple(rows) for rows in groups.values())


def wanted(core: Core) -> Wanted:
    """Return the orders of a line."""
    names, rows = grouped(core)
    orders = core.state.orders
    if core.by_schedule is None:
        columns = [orders[name].astype(np.int64) for name in Wanted._fields[2:]]
        return Wanted(names, rows, *columns)
    first = np.array([of[0] for of in rows], np.int64)
    firsts = np.concatenate([[0], np.cumsum([len(of) for of in rows])])[:-1]
    flat = np.array([row for of in rows for row in of], np.int64)

    def of_all(name: str, how: np.ufunc) -> t.Ints:
        if not len(flat):
            return np.zeros(0, np.int64)
        values = orders[name].astype(np.int64)[flat]
        return how.reduceat(values, firsts.astype(np.int64))

    by = core.by_schedule
    release = [
        int(orders["release"][list(by.orders.get(name, of))].min())
        for name, of in zip(names, rows, strict=True)
    ]
    finished = of_all("finished", np.maximum)
    finished = np.where(of_all("finished", np.minimum) < 0, -1, finished)
    return Wanted(
        names,
        rows,
        orders["product"].astype(np.int64)[first],
        of_all("quantity", np.add),
        of_all("done", np.add),
        of_all("scrapped", np.add),
        np.array(release, np.int64),
        of_all("due", np.maximum),
        finished,
        of_all("priority", np.maximum),
    )
