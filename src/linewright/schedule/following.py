"""A schedule that a line follows: what is taken of its table, and the line that can.

`line_that_follows` is a line whose parts come in and are begun when a schedule says so.
Every part of a schedule is an order of its own there, so that it comes in at its time,
a component as well. `plan_of` takes from a table what is needed for that, as plain
values that are written into a journal; `wrong_with` says what of it cannot be followed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from linewright.lower import Lowered, lower
from linewright.model.calendars import to_tick
from linewright.model.explain import did_you_mean, listed
from linewright.model.line import Line
from linewright.schedule.calling import wakable
from linewright.schedule.orders import orders_of
from linewright.schedule.scheduled import released, with_rules

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MOST_PLANNED",
    "Plan",
    "PlannedJob",
    "PlannedOperation",
    "Wrong",
    "line_that_follows",
    "name_of",
    "not_begun",
    "plan_of",
    "wrong_amounts",
    "wrong_with",
]

MOST_PLANNED = 200_000
"""Operations of a schedule that a line follows, at most."""


class PlannedJob(NamedTuple):
    """A part of a schedule.

    Attributes:
        order: The order that it is made for; may be empty.
        part: The part, such as ``wing:3``: product, and number in the schedule.
        due_us: When its order is due; None: at any time.
        priority: Priority of its order.
        into: The part that it is built into; empty: it leaves the line.
    """

    order: str
    part: str
    due_us: int | None
    priority: int
    into: str

    @property
    def product(self) -> str:
        """What it is."""
        return self.part.rpartition(":")[0]


class PlannedOperation(NamedTuple):
    """An operation of a schedule.

    Attributes:
        job: Row of its part.
        operation: Its name.
        station: Where it is done.
        server: Number of the server there, from 1.
        begin_us: When the server takes it, microseconds from the line's start.
        end_us: When its work is over.
        batch: What shares a batch with it has the same; empty: alone.
    """

    job: int
    operation: str
    station: str
    server: int
    begin_us: int
    end_us: int
    batch: str


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """What a line that follows a schedule needs of it.

    Attributes:
        jobs: Its parts.
        operations: Its operations, rows of the table, in its order.
    """

    jobs: tuple[PlannedJob, ...]
    operations: tuple[PlannedOperation, ...]

    def data(self) -> dict[str, Any]:
        """Return it in the values of JSON, with its hash."""
        return {
            "hash": self.hash(),
            "jobs": [list(job) for job in self.jobs],
            "operations": [list(operation) for operation in self.operations],
        }

    @staticmethod
    def of(data: dict[str, Any]) -> Plan:
        """Return what `data` returned."""
        return Plan(
            tuple(PlannedJob(*job) for job in data["jobs"]),
            tuple(PlannedOperation(*one) for one in data["operations"]),
        )

    def hash(self) -> str:
        """Return a hash of all of it: the same schedule has the same."""
        text = json.dumps([self.jobs, self.operations], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def name_of(job: PlannedJob) -> str:
    """Return what a part is called among the orders of a line that follows."""
    return f"{job.order}/{job.part}" if job.order else job.part


def line_that_follows(line: Line, horizon_us: int) -> Lowered:
    """Return the tables of a line that follows a schedule, which comes later.

    Nothing comes in but what schedules say, beside units in process and in stock.

    Args:
        line: The line.
        horizon_us: Calendars are laid out that far.
    """
    following = with_rules(released(line, (), (), (), ()))
    return wakable(lower(following, horizon_us))._replace(follows=True)


def plan_of(table: pa.Table, line: Line) -> Plan:
    """Return what is needed of a schedule.

    Args:
        table: The schedule, as `read_table` returns it.
        line: The line, in whose model the priorities of orders stand.
    """
    priority = {order.id: order.priority for order in orders_of(line)}
    jobs: dict[tuple[str, str], int] = {}
    listed_jobs: list[PlannedJob] = []
    operations = []
    for row in table.to_pylist():
        order, part = row["order"] or "", row["part"]
        key = order, part
        if key not in jobs:
            jobs[key] = len(listed_jobs)
            due = row["due"]
            due_us = None if due is None else to_tick(due, line.start, line.time_zone)
            listed_jobs.append(
                PlannedJob(
                    order, part, due_us, priority.get(order, 0), row["into"] or ""
                )
            )
        operations.append(
            PlannedOperation(
                jobs[key],
                row["operation"],
                row["station"],
                row["server"],
                to_tick(row["start"], line.start, line.time_zone),
                to_tick(row["end"], line.start, line.time_zone),
                row["batch"] or "",
            )
        )
    return Plan(tuple(listed_jobs), tuple(operations))


# ---------------------------------------------------------------- what is wrong


class Wrong(NamedTuple):
    """Something of a schedule that cannot be followed.

    Attributes:
        row: Row of its table, from 0; -1: all of it.
        text: What is wrong.
        help: What could be meant.
    """

    row: int
    text: str
    help: str = ""


def wrong_with(plan: Plan, lowered: Lowered) -> list[Wrong]:
    """Return what of a schedule a line cannot follow, in the order of its rows.

    Args:
        plan: The schedule.
        lowered: A line that follows.
    """
    n = len(plan.operations)
    if n > MOST_PLANNED:
        return [Wrong(-1, f"it has {n:,} operations; {MOST_PLANNED:,} are allowed")]
    judge = _Judge(plan, lowered)
    found = [one for row in range(n) for one in judge.row(row)]
    return sorted([*found, *judge.parts()], key=lambda one: one.row)


class _Judge:
    """Holds a schedule against the names and routes of a line."""

    def __init__(self, plan: Plan, lowered: Lowered) -> None:
        self._plan, self._lowered = plan, lowered
        self._stations = {name: k for k, name in enumerate(lowered.names.stations)}
        self._routes = _routes(lowered)
        self._rows: dict[int, dict[str, int]] = {}
        self._orders: dict[str, str] = {}

    def row(self, row: int) -> Iterator[Wrong]:
        """Yield what is wrong with one row."""
        one = self._plan.operations[row]
        job = self._plan.jobs[one.job]
        product, _, number = job.part.rpartition(":")
        if product not in self._routes or not number.isdecimal():
            near = did_you_mean(product, self._routes)
            text = f'part: "{job.part}" is no part of this line'
            yield Wrong(row, text, near or "write it like product:3")
            return
        before = self._orders.setdefault(job.part, job.order)
        if before != job.order:
            text = f'part: {job.part} is of order "{before}", and here of "{job.order}"'
            yield Wrong(row, text)
        route = self._routes[product]
        if one.operation not in route:
            near = did_you_mean(one.operation, route)
            text = f'operation: "{one.operation}" is not in the route of {product}'
            yield Wrong(row, text, near or f"there are {listed(route)}")
            return
        if one.operation in self._rows.setdefault(one.job, {}):
            yield Wrong(row, f"operation: {one.operation} of {job.part} stands twice")
        self._rows[one.job][one.operation] = row
        yield from self._place(row, one, route[one.operation])

    def _place(self, row: int, one: PlannedOperation, step: int) -> Iterator[Wrong]:
        tables, names = self._lowered.tables, self._lowered.names
        dest = tables.dests[int(tables.steps["dest"][step])]
        first = int(dest["first_target"])
        targets = tables.targets["station"][first : first + int(dest["n_targets"])]
        stations = [names.stations[k] for k in targets.tolist() if k >= 0]
        if one.station not in stations:
            text = f'station: {one.operation} is not done at "{one.station}"'
            yield Wrong(row, text, f"it is at {listed(stations)}")
        else:
            n = int(tables.stations["n_servers"][self._stations[one.station]])
            if not 1 <= one.server <= n:
                text = f"server: {one.station} has {n}, numbered from 1"
                yield Wrong(row, f"{text}; found {one.server}")
        if one.begin_us < 0:
            yield Wrong(row, "start: it is before the line's start")
        if one.end_us < one.begin_us:
            yield Wrong(row, "end: it is before the start")

    def parts(self) -> Iterator[Wrong]:
        """Yield what is wrong with the operations of each part, taken together."""
        operations = self._plan.operations
        for j, rows in self._rows.items():
            part = self._plan.jobs[j].part
            route = list(self._routes[self._plan.jobs[j].product])
            inside = [name for name in route if name in rows]
            for one, two in pairwise(inside):
                if operations[rows[two]].begin_us < operations[rows[one]].end_us:
                    text = f"start: {part} begins {two} before {one} ends"
                    yield Wrong(rows[two], text)
            missing = [n for n in route[route.index(inside[0]) :] if n not in rows]
            if missing:
                text = f"part: {part} has no {listed(missing)}, which comes after"
                yield Wrong(rows[inside[0]], f"{text} its {inside[0]}")


def _routes(lowered: Lowered) -> dict[str, dict[str, int]]:
    """Return the rows of the steps that the parts of each product go, in their order.

    Steps for rework alone are not among them.
    """
    steps, names = lowered.tables.steps, lowered.names
    found: dict[str, dict[str, int]] = {}
    firsts = lowered.tables.products["first_step"].tolist()
    for name, first in zip(names.products, firsts, strict=True):
        route, step = {}, first
        while step >= 0:
            route[names.operations[step]] = step
            step = int(steps["next"][step])
        found[name] = route
    return found


def wrong_amounts(plan: Plan, line: Line) -> Iterator[Wrong]:
    """Yield the parts that orders of the model have too many of, or not at all.

    Orders that the model does not have came from a file, and are what the table says.
    """
    orders = {order.id: order for order in orders_of(line)}
    first_row: dict[int, int] = {}
    for row, one in enumerate(plan.operations):
        first_row.setdefault(one.job, row)
    counts: Counter[str] = Counter()
    for j, job in enumerate(plan.jobs):
        order = orders.get(job.order)
        if order is None or job.into:
            continue
        row = first_row[j]
        if job.product != order.product:
            yield Wrong(row, f"part: order {order.id} is of {order.product}")
            continue
        counts[order.id] += line.products[order.product].lot_size
        if counts[order.id] == order.quantity + line.products[order.product].lot_size:
            text = f"part: order {order.id} has more parts than its {order.quantity}"
            yield Wrong(row, text)


def not_begun(plan: Plan, lowered: Lowered, begun: Collection[str]) -> list[Wrong]:
    """Return parts that are not in the line yet and lack their first operations.

    Args:
        plan: A schedule with which nothing is wrong otherwise.
        lowered: A line that follows.
        begun: Names of the parts that have come into the line.
    """
    routes = _routes(lowered)
    rows: dict[int, dict[str, int]] = {}
    for row, one in enumerate(plan.operations):
        rows.setdefault(one.job, {})[one.operation] = row
    found = []
    for j, job in enumerate(plan.jobs):
        first = next(iter(routes[job.product]))
        if first not in rows.get(j, {}) and name_of(job) not in begun:
            row = min(rows[j].values()) if j in rows else -1
            text = f"part: {job.part} is not in the line yet, and has no {first}"
            found.append(Wrong(row, text))
    return found
