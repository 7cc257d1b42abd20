"""Lot sizes: which item in which period and how much, on one machine with setups.

`plan_lots` finds a plan of least setup and holding cost that meets every demand in time
within the machine's capacity, where each setup takes time as well (the capacitated lot
sizing problem with setup times). It always tells the bound, the gap and whether the
plan is proven; where no plan can exist, or none was found, it tells how little
overtime, and in which periods, would make one possible.

The model is the facility location form: a column for the share of each period's demand
that is made in each earlier period (Krarup and Bilde 1977). Its relaxation is as sharp
as with all (l,S) inequalities (Barany, Van Roy and Wolsey 1984), and a column can be
no more than its setup. First come relax-and-fix and fix-and-optimize (`_lot_search`;
Pochet and Wolsey 2006, chapter 3; Helber and Sahling 2010, International Journal of
Production Economics 123, 247-256), with overtime at a high price so that there always
is something to improve; then the whole model from there. HiGHS solves both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linewright.errors import Finding, LinewrightError, ModelError
from linewright.model.source import read_text
from linewright.plan._lot_model import Floats, LotModel
from linewright.plan._lot_search import improved

__all__ = ["LotPlan", "Lots", "plan_lots", "read_lots"]

HEURISTIC_SHARE = 0.4
"""Most of the time that the search takes before the whole model is solved."""

_DEAR = 100.0
"""Price of overtime of one period, in costs of the whole plan, where there is none."""

_ENOUGH = 1e-6


@dataclass(frozen=True, slots=True)
class Lots:
    """Items, periods and one machine.

    Attributes:
        items: Name of each item.
        capacity: Time of the machine in each period.
        unit_time: Time to make one of each item.
        holding_cost: Cost to keep one of each item from one period to the next.
        setup_time: Time of a setup for each item; each period in which an item is made
            has one.
        setup_cost: Cost of a setup for each item.
        demand: Demand of each item (row) in each period (column), met in time.
    """

    items: tuple[str, ...]
    capacity: Floats
    unit_time: Floats
    holding_cost: Floats
    setup_time: Floats
    setup_cost: Floats
    demand: Floats


@dataclass(frozen=True, slots=True)
class LotPlan:
    """A plan, or what is known of why there is none.

    Attributes:
        status: ``optimal``; ``feasible``, a plan with a gap; ``infeasible``, proven
            that there is none; ``unknown``, none found and none refuted. The last two
            have the plan with the least overtime that was found.
        made: Quantity of each item (row) in each period (column).
        setups: Whether each item is set up for in each period.
        stock: Stock of each item at the end of each period.
        overtime: Time beyond the capacity in each period.
        cost: Setup and holding cost, and of overtime where it has a price.
        bound: No plan costs less; infinite where there is none.
        seconds: Time that it took.
        overtime_bound: No plan needs less overtime in all.
    """

    status: str
    made: Floats
    setups: NDArray[np.bool_]
    stock: Floats
    overtime: Floats
    cost: float
    bound: float
    seconds: float
    overtime_bound: float = 0.0

    @property
    def gap(self) -> float:
        """Return how far the bound is below the cost, as a share of the cost."""
        if self.status in {"infeasible", "unknown"}:
            return math.inf
        return max(0.0, self.cost - self.bound) / self.cost if self.cost else 0.0


def plan_lots(
    lots: Lots, *, overtime_cost: float | None = None, time_limit: float = 60.0
) -> LotPlan:
    """Return the plan of least cost.

    Args:
        lots: Items, periods and the machine.
        overtime_cost: Cost of a unit of time beyond the capacity, in any period; None
            where there is no overtime.
        time_limit: Seconds for the search.

    Raises:
        ValueError: Shapes do not agree or a value is out of range; with all that is
            wrong.
        LinewrightError: The extra ``plan`` is not installed.
    """
    wrong = [*_bad_values(lots), *_bad_options(overtime_cost, time_limit)]
    if wrong:
        raise ValueError("\n".join(wrong))
    started = time.monotonic()

    def time_left() -> float:
        return time_limit - (time.monotonic() - started)

    model = LotModel(lots)
    if overtime_cost is None:
        found = _without_overtime(model, time_limit, time_left)
    else:
        model.price_overtime(overtime_cost)
        found = _with_overtime(model, time_limit, time_left)
    return _plan(model, found, time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class _Found:
    """Columns of a plan, and what is known of its cost and overtime."""

    values: Floats
    bound: float
    allowed: bool  # whether its overtime may be
    overtime_bound: float = 0.0


def _with_overtime(
    model: LotModel, time_limit: float, time_left: Callable[[], float]
) -> _Found:
    """Return a plan with as much overtime as it takes, where the price is worth it."""
    share = _share_of(HEURISTIC_SHARE, time_limit, time_left)
    bound = model.relaxed(time_limit).bound
    start = improved(model, share)
    found = model.solve(time_left(), start.values)
    best = found if found.objective <= start.objective else start
    assert best.values is not None  # overtime makes every plan possible
    return _Found(best.values, max(bound, found.bound), allowed=True)


def _without_overtime(
    model: LotModel, time_limit: float, time_left: Callable[[], float]
) -> _Found:
    """Return a plan without overtime, or that with the least of it."""
    model.limit_overtime(0.0)
    relaxed = model.relaxed(time_limit)
    if math.isinf(relaxed.bound) and relaxed.bound > 0:
        return _least_overtime(model, None, time_left)
    model.limit_overtime(math.inf)
    scale = max(abs(relaxed.bound), 1.0) if math.isfinite(relaxed.bound) else 1.0
    model.price_overtime(_DEAR * scale / max(float(model.lots.capacity.mean()), 1.0))
    start = improved(model, _share_of(HEURISTIC_SHARE, time_limit, time_left))
    if start.values is None or start.values[model.overtime].sum() > _ENOUGH:
        return _least_overtime(model, start.values, time_left)
    return _cheapest(model, start.values, relaxed.bound, time_left)


def _cheapest(
    model: LotModel, start: Floats, bound: float, time_left: Callable[[], float]
) -> _Found:
    """Return the cheapest plan without overtime, from one that is known."""
    model.price_overtime(0.0)
    model.limit_overtime(0.0)
    start = start.copy()
    start[model.overtime] = 0.0
    found = model.solve(time_left(), start)
    cost = float(model.costs @ start)
    values = found.values if found.objective < cost else start
    assert values is not None
    return _Found(values, max(bound, found.bound), allowed=True)


def _least_overtime(
    model: LotModel, start: Floats | None, time_left: Callable[[], float]
) -> _Found:
    """Return the plan with the least overtime; where that is none, the cheapest."""
    model.limit_overtime(math.inf)
    model.only_overtime()
    found = model.solve(time_left() / 2, start)
    values = found.values if found.values is not None else start
    if values is None:
        msg = "no plan was found in the time; give it more with the time limit"
        raise LinewrightError(msg)
    least = float(values[model.overtime].sum())
    if least <= _ENOUGH:
        return _cheapest(model, values, 0.0, time_left)
    # of the plans with as little overtime a cheap one
    model.price_overtime(0.0)
    model.limit_overtime(least * (1 + 1e-9))
    cheap = model.solve(max(time_left(), 1.0), values)
    if cheap.values is not None:
        values = cheap.values
    return _Found(values, math.inf, allowed=False, overtime_bound=max(found.bound, 0.0))


def _share_of(
    share: float, time_limit: float, time_left: Callable[[], float]
) -> Callable[[], float]:
    return lambda: time_left() - (1 - share) * time_limit


def _plan(model: LotModel, found: _Found, seconds: float) -> LotPlan:
    lots = model.lots
    setups = found.values[model.setups].reshape(lots.demand.shape) > 0.5
    made = np.zeros(lots.demand.shape)
    shares = np.maximum(found.values[model.shares], 0.0)
    np.add.at(made, (model.item, model.made), shares * model.amount)
    made[np.abs(made) < _ENOUGH] = 0.0
    setups &= made > 0
    stock = np.maximum(np.cumsum(made - lots.demand, axis=1), 0.0)
    stock[stock < _ENOUGH] = 0.0
    work = lots.unit_time @ made + lots.setup_time @ setups
    overtime = np.maximum(work - lots.capacity, 0.0)
    overtime[overtime < _ENOUGH] = 0.0
    price = float(model.costs[model.overtime][0]) if found.allowed else 0.0
    cost = float(
        (lots.setup_cost @ setups).sum()
        + (lots.holding_cost @ stock).sum()
        + price * overtime.sum()
    )
    if not found.allowed:
        status = "infeasible" if found.overtime_bound > _ENOUGH else "unknown"
        return LotPlan(
            status, made, setups, stock, overtime, cost, math.inf, seconds,
            found.overtime_bound,
        )  # fmt: skip
    bound = min(found.bound, cost)
    status = "optimal" if cost - bound <= _ENOUGH * max(cost, 1.0) else "feasible"
    return LotPlan(status, made, setups, stock, overtime, cost, bound, seconds)


# ---------------------------------------------------------------- what is given


def _bad_values(lots: Lots) -> Iterator[str]:
    """Say what is wrong with items, periods or the machine."""
    if lots.demand.ndim != 2 or not lots.demand.size:
        yield "demand has a row for each item, a column for each period, one at least"
        return
    n_items, n_periods = lots.demand.shape
    sizes = {
        "items": (len(lots.items), n_items),
        "capacity": (len(lots.capacity), n_periods),
        "unit_time": (len(lots.unit_time), n_items),
        "holding_cost": (len(lots.holding_cost), n_items),
        "setup_time": (len(lots.setup_time), n_items),
        "setup_cost": (len(lots.setup_cost), n_items),
    }  # fmt: skip
    for name, (size, expected) in sizes.items():
        if size != expected:
            yield f"{name} has {size} values; demand asks for {expected}"
    columns = ("capacity", "unit_time", "holding_cost", "setup_time", "setup_cost")
    for name in (*columns, "demand"):
        values = np.asarray(getattr(lots, name))
        for at in np.argwhere(~((values >= 0) & (values < math.inf))):
            place = ", ".join(str(i + 1) for i in at)
            value = values[tuple(at)]
            yield f"{name} {place} is {value:g}; it is zero or more and finite"


def _bad_options(overtime_cost: float | None, time_limit: float) -> Iterator[str]:
    if overtime_cost is not None and not 0 <= overtime_cost < math.inf:
        yield f"overtime_cost is {overtime_cost}; it is zero or more and finite"
    if not time_limit > 0:
        yield f"the time limit is {time_limit} s; it is more than zero"


def read_lots(path: str | Path) -> Lots:
    """Read a case in the form of Trigeiro, Thomas and McClain (1989).

    Numbers of items and periods; one number without use; the capacity of every period;
    for each item its unit time, holding cost, setup time and setup cost; then the
    demand, a row for each period and a column for each item. Rows that are too narrow
    for all items are followed by further blocks of rows with the next items.

    Raises:
        ModelError: The file is not in this form.
    """
    name = str(path)
    rows = [_numbers(line) for line in read_text(Path(path), name).splitlines()]
    numbered = [(at, row) for at, row in enumerate(rows, 1) if row]
    try:
        (_, (n_items, n_periods)), _, (_, (capacity,)), *rest = numbered
        n, periods = int(n_items), int(n_periods)
        about = np.array([row for _, row in rest[:n]])
        unit_time, holding, setup_time, setup_cost = about.T
        demand = _blocks([row for _, row in rest[n:]], n, periods)
    except ValueError as error:
        msg = f"this is not in the form of a lot sizing case: {error}"
        raise ModelError([Finding("LW502", msg, file=name)]) from error
    items = tuple(f"item {i + 1}" for i in range(n))
    every = np.full(periods, capacity)
    return Lots(items, every, unit_time, holding, setup_time, setup_cost, demand)


def _numbers(line: str) -> list[float]:
    """Return the numbers of a line, or none where it is text."""
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return []


def _blocks(rows: Sequence[Sequence[float]], n: int, periods: int) -> Floats:
    blocks: list[Floats] = []
    width = 0
    while width < n:
        block = rows[len(blocks) * periods : (len(blocks) + 1) * periods]
        if len(block) < periods or len({len(row) for row in block}) != 1:
            msg = f"demand needs {periods} rows of one width for each block of items"
            raise ValueError(msg)
        blocks.append(np.array(block))
        width += len(block[0])
    if width != n:
        msg = f"demand has {width} columns for {n} items"
        raise ValueError(msg)
    return np.hstack(blocks).T.copy()
