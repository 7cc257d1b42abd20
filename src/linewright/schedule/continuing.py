"""The problem of a line that runs: what is begun where it is, and what is to come.

`Now` says how the line is, part by part; `problem_from` makes a problem of it that any
other of this package can solve. What a part has behind it takes no time and no server
any more. Work that goes on, and a server that is down, are fixed from now on for as
long as they still take. A server is set up as it is. Nothing else begins before now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linewright.lower import lower
from linewright.lower._routes import kit
from linewright.model.line import Line, Product
from linewright.model.meaning import next_operation, uses_of
from linewright.schedule.compiling import Compiled, Families, compile_jobs
from linewright.schedule.following import PlannedJob
from linewright.schedule.jobs import Job, jobs_of
from linewright.schedule.orders import DatedOrder, orders_of
from linewright.schedule.problem import (
    PROCESS,
    SETUP,
    Fixed,
    Link,
    Mode,
    Need,
    Operation,
    Problem,
    Station,
)
from linewright.schedule.scheduled import certain

__all__ = ["InLine", "Key", "Now", "Times", "Work", "problem_from"]

ServerAt = tuple[str, int]
"""A station and the number of its server, from 0."""

Key = tuple[str, str, str]
"""Order, part and operation."""

Times = tuple[str, int, int, int]
"""Station, server from 0, begin and end."""


@dataclass(frozen=True, slots=True)
class Work:
    """Work on a part that goes on, or is over while the part has not left its server.

    Attributes:
        server: Where.
        begun_us: When the server took the part.
        left_us: How long the phase that it is in still takes, with the repair that it
            waits for.
        phase: ``setup``, ``load``, ``process``, ``unload`` or ``over``; empty: none of
            them has begun.
    """

    server: ServerAt
    begun_us: int
    left_us: int
    phase: str


@dataclass(frozen=True, slots=True)
class InLine:
    """A part that has come into the line.

    Attributes:
        job: Which part of the schedule until now.
        done: Operations of its route that it has behind it.
        ready_us: It is on its way until then; now where it waits or is at work.
        queued: Its turn among those that wait; the least is the first.
        work: Work on it.
        servers: For operations that it has behind it, where they were done.
    """

    job: PlannedJob
    done: int
    ready_us: int
    queued: int
    work: Work | None = None
    servers: Mapping[str, ServerAt] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Now:
    """How a line is that follows a schedule.

    Attributes:
        now_us: When, microseconds from its start.
        parts: Parts in the line whose orders are not done.
        to_come: Parts that have not come in, and those that are made anew.
        stock: Parts in stores that are of no order, by product.
        setups: What each server is set up for, as the tables number it.
        down: How long servers without work are down, where they are.
        returning: Tools and cards on their way back, each by its name, and for how
            long.
        notes: What of it cannot be said to a scheduler, in sentences.
    """

    now_us: int
    parts: tuple[InLine, ...]
    to_come: tuple[PlannedJob, ...]
    stock: Mapping[str, int]
    setups: Mapping[ServerAt, int]
    down: Mapping[ServerAt, int]
    returning: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def problem_from(
    line: Line,
    now: Now,
    more: Sequence[DatedOrder],
    horizon_us: int,
    going_on: Mapping[Key, Times],
) -> tuple[Compiled, dict[Key, int]]:
    """Return the problem of what a line has still to do.

    Args:
        line: The line.
        now: How it is.
        more: Orders that are in no schedule yet.
        horizon_us: Calendars are laid out that far.
        going_on: What the line does as it goes on: who is served first then gets the
            component that is done first.

    Returns:
        The problem, in which orders are as large as what is left of them; and its
        operations by order, part and name.
    """
    sure = certain(line)
    left = _Left(line, sure, now, more, going_on)
    compiled = compile_jobs(line, sure, left.orders, tuple(left.jobs), horizon_us)
    lowered = lower(sure.model_copy(update={"orders": (), "in_process": ()}), 0)
    found = _Present(compiled, now, left.in_line, Families(sure, lowered)).compiled()
    kept = [text for text in found.left_out if text != "units in process at the start"]
    rows = {}
    for o, operation in enumerate(compiled.problem.operations):
        job = int(compiled.job_of[o])
        order = left.made_for.get(job, left.orders[left.jobs[job].order].id)
        rows[order, operation.part, operation.name] = o
    notes = (*kept, *now.notes, *left.notes)
    return replace(found, left_out=notes, made_for=left.made_for), rows


# ---------------------------------------------------------------- jobs


class _Left:
    """What is left of the orders.

    Attributes:
        orders: The orders, as large as what is left of them.
        jobs: Their jobs, those of each order together.
        in_line: For each job the part that it is, if that is in the line.
        notes: What is not in it, in sentences.
        made_for: Orders for which jobs were begun that are of another one by now.
    """

    def __init__(
        self,
        line: Line,
        sure: Line,
        now: Now,
        more: Sequence[DatedOrder],
        going_on: Mapping[Key, Times],
    ) -> None:
        self._sure = sure
        self._begin_us: dict[tuple[str, str], int] = {}
        self._end_us: dict[tuple[str, str], int] = {}
        for (order, part, _), (_, _, begin_us, end_us) in going_on.items():
            key = order, part
            self._begin_us[key] = min(self._begin_us.get(key, begin_us), begin_us)
            self._end_us[key] = max(self._end_us.get(key, end_us), end_us)
        self._there = {part.job: part for part in now.parts}
        self._planned = [*self._there, *now.to_come]
        self._numbers: dict[str, int] = {}
        for job in self._planned:
            self._number(job.product, int(job.part.rpartition(":")[2]) + 1)
        self.notes: list[str] = []
        self._parents = self._matched(dict(now.stock))
        self.orders: list[DatedOrder] = []
        self.jobs: list[Job] = []
        self.in_line: list[InLine | None] = []
        self.made_for: dict[int, str] = {}
        self._of_schedule({order.id: order for order in orders_of(line)})
        self._of_orders(more)

    def _number(self, product: str, least: int = 0) -> int:
        """Return the next number of a product's parts, and leave it free to come."""
        number = max(self._numbers.get(product, 0), least)
        self._numbers[product] = number
        return number

    def _matched(self, stock: dict[str, int]) -> dict[int, tuple[int, int] | None]:
        """Return for each job that is needed who takes it and in which step.

        Any part of a component serves: the first that is done goes to whoever begins
        first, as the line goes on; where that is not known, to whom the schedule had it
        go. What lies in stock serves as well, and what is missing then, as where a part
        was scrapped, is made anew.
        """
        parents: dict[int, tuple[int, int] | None] = {}
        free: dict[str, list[int]] = {}
        for j, job in enumerate(self._planned):
            if job.into:
                free.setdefault(job.product, []).append(j)
            else:
                parents[j] = None
        waiting = [j for j, job in enumerate(self._planned) if not job.into]
        for rows in free.values():
            rows.sort(key=lambda j: self._time(self._end_us, j))
        while waiting:
            waiting.sort(key=lambda j: self._time(self._begin_us, j))
            j = waiting.pop(0)
            for product, step in self._needs(j):
                child = self._taken(j, product, free.setdefault(product, []), stock)
                if child >= 0:
                    parents[child] = j, step
                    waiting.append(child)
        for product, rows in free.items():
            if rows:
                text = f"{len(rows)} of {product} that no order needs: they go on when "
                text += "nothing else is to be done"
                self.notes.append(text)
        return parents

    def _needs(self, j: int) -> Iterator[tuple[str, int]]:
        """Yield the components that a job has not taken yet, each with the step."""
        job = self._planned[j]
        part = self._there.get(job)
        product = self._sure.products[job.product]
        taken = -1
        if part is not None:
            route = _route(product)
            n = part.done + (part.work is not None)
            taken = route[n - 1] if n else -1
        for step, uses in enumerate(uses_of(product)):
            if step > taken:
                for name, n_lots in kit(self._sure, product, uses).items():
                    for _ in range(n_lots):
                        yield name, step

    def _taken(
        self, j: int, product: str, free: list[int], stock: dict[str, int]
    ) -> int:
        """Return the job that a job takes of a component; -1: one that is in stock."""
        job = self._planned[j]
        for child in () if self._end_us else free:
            one = self._planned[child]
            if (one.order, one.into) == (job.order, job.part):
                free.remove(child)
                return child
        if free:
            return free.pop(0)
        if stock.get(product, 0) > 0:
            stock[product] -= 1
            return -1
        part = f"{product}:{self._number(product)}"
        self._number(product, self._numbers[product] + 1)
        self._planned.append(
            PlannedJob(job.order, part, job.due_us, job.priority, job.part)
        )
        return len(self._planned) - 1

    def _time(self, times_us: Mapping[tuple[str, str], int], j: int) -> tuple[int, int]:
        """Return when something comes as the line goes on; first what is over."""
        job = self._planned[j]
        return times_us.get((job.order or job.part, job.part), -1), j

    def _of_schedule(self, in_model: Mapping[str, DatedOrder]) -> None:
        """Make jobs of the parts of the schedule until now."""
        of_order: dict[str, list[int]] = {}
        for j in self._parents:
            job = self._planned[j]
            of_order.setdefault(job.order or job.part, []).append(j)
        row_of: dict[int, int] = {}
        for name, mine in of_order.items():
            finals = [j for j in mine if self._parents[j] is None]
            if not finals:
                continue  # its components go into units of other orders
            first = self._planned[finals[0]]
            lot = self._sure.products[first.product].lot_size
            release_us = in_model[name].release_us if name in in_model else 0
            quantity = len(finals) * lot
            self.orders.append(
                DatedOrder(
                    name, first.product, quantity, release_us, first.due_us,
                    first.priority,
                )
            )  # fmt: skip
            for j in sorted(mine, key=lambda j: self._parents[j] is not None):
                row_of[j] = self._add(j, len(self.orders) - 1)
        for j, parent in self._parents.items():
            if parent is None:
                continue
            if j not in row_of:  # its own order is done
                row_of[j] = self._add(j, self.jobs[row_of[parent[0]]].order)
                self.made_for[row_of[j]] = self._planned[j].order
            row = row_of[j]
            above = row_of[parent[0]]
            self.jobs[row] = replace(self.jobs[row], parent=above, at_step=parent[1])

    def _add(self, j: int, order: int) -> int:
        job = self._planned[j]
        number = int(job.part.rpartition(":")[2])
        self.jobs.append(Job(order, job.product, number))
        self.in_line.append(self._there.get(job))
        return len(self.jobs) - 1

    def _of_orders(self, more: Sequence[DatedOrder]) -> None:
        """Make jobs of orders that are in no schedule yet."""
        products = {
            name: product.model_copy(update={"stock": 0})
            for name, product in self._sure.products.items()
        }
        without_stock = self._sure.model_copy(update={"products": products})
        for order in more:
            base = len(self.jobs)
            for job in jobs_of(without_stock, (order,)):
                number = self._number(job.product)
                self._number(job.product, number + 1)
                parent = job.parent + base if job.parent >= 0 else -1
                row = len(self.orders)
                self.jobs.append(Job(row, job.product, number, parent, job.at_step))
                self.in_line.append(None)
            self.orders.append(order)


def _route(product: Product) -> list[int]:
    """Return the places of the steps that a part goes, in order."""
    found: list[int] = []
    i: int | None = 0
    while i is not None:
        found.append(i)
        i = next_operation(product, i)
    return found


# ---------------------------------------------------------------- what is begun


class _Present:
    """Puts into a problem what is begun."""

    def __init__(
        self,
        compiled: Compiled,
        now: Now,
        in_line: Sequence[InLine | None],
        families: Families,
    ) -> None:
        self._compiled, self._now, self._families = compiled, now, families
        problem = compiled.problem
        self._rows = {station.name: k for k, station in enumerate(problem.stations)}
        self._operations = [
            replace(one, release_us=max(one.release_us, now.now_us))
            for one in problem.operations
        ]
        self._binding = {one.same_server_as for one in self._operations}
        self._is_done = np.zeros(len(self._operations), bool)
        self._is_begun = np.zeros(len(self._operations), bool)
        self._begun_us: dict[int, int] = {}
        self._busy: set[ServerAt] = set()
        turn = sorted((p for p in now.parts if p.work is None), key=lambda p: p.queued)
        self._turn = {part.job: len(turn) - i for i, part in enumerate(turn)}
        for row, part in enumerate(in_line):
            if part is not None:
                self._put(int(compiled.first_of[row]), part)
        self._unshown = {int(o) for o in np.flatnonzero(self._is_done)}
        n = len(self._operations)
        for server in {*now.setups, *now.down} - self._busy:
            self._stand(server)
        for name, left_us in now.returning:
            self._return(name, left_us)
        self._unshown |= set(range(n, len(self._operations)))

    def compiled(self) -> Compiled:
        """Return the problem as it is now."""
        compiled, problem = self._compiled, self._compiled.problem
        n_more = len(self._operations) - len(problem.operations)
        found = Problem(
            tuple(self._operations),
            tuple(_set_up(station) for station in problem.stations),
            problem.calendars,
            problem.resources,
            tuple(self._links()),
            problem.storages,
            tuple(h for h in problem.holds if not self._is_done[h.last]),
            problem.demands,
        )
        last = np.full(n_more, len(compiled.jobs) - 1, np.int64)
        return replace(
            compiled,
            problem=found,
            job_of=np.concatenate([compiled.job_of, last]),
            step_of=np.concatenate([compiled.step_of, np.full(n_more, -1, np.int64)]),
            unshown=frozenset(self._unshown),
            begun_us=self._begun_us,
        )

    def _put(self, first: int, part: InLine) -> None:
        """Put a part where it is."""
        now_us = self._now.now_us
        over_us = now_us - (self._turn.get(part.job, 0) if part.done else 0)
        for o in range(first, first + part.done):
            one = self._operations[o]
            mode = Mode(-1, 0)
            where = (part.servers or {}).get(one.name)
            server = 0
            at_us = over_us
            if where is not None and o in self._binding:
                k, server = self._rows[where[0]], where[1]
                mode = Mode(k, 0, shift_end="finish")
                at_us = min(over_us, self._goes_on(k, 0, "finish")[0])
            self._operations[o] = Operation(
                one.name, one.part, (mode,), fixed=Fixed(0, server, at_us),
                output=one.output,
            )  # fmt: skip
            self._is_done[o] = self._is_begun[o] = True
        o = first + part.done
        if part.work is not None:
            self._work(o, part.work)
        elif part.done < self._length(first):
            one = self._operations[o]
            ready_us = max(one.release_us, part.ready_us)
            self._operations[o] = replace(one, release_us=ready_us)

    def _length(self, first: int) -> int:
        """Return how many operations the job has that begins with one."""
        job = int(self._compiled.job_of[first])
        return int((self._compiled.job_of == job).sum())

    def _work(self, o: int, work: Work) -> None:
        """Fix work that goes on, for as long as it still takes."""
        one = self._operations[o]
        k = self._rows[work.server[0]]
        m = next(m for m, mode in enumerate(one.modes) if mode.station == k)
        mode = one.modes[m]
        needs = tuple(
            replace(need, phases=PROCESS)
            for need in mode.needs
            if need.phases & ~SETUP and self._are_there(need)
        )
        times = mode.load_us, mode.process_us, mode.unload_us
        n_behind = _PHASES[work.phase]
        work_us = work.left_us + sum(times[len(times) - n_behind :])
        begin_us, left_us, shift_end = self._goes_on(k, work_us, mode.shift_end)
        family = self._as_set_up(work.server, mode.family)
        fixed = Mode(k, left_us, family=family, shift_end=shift_end, needs=needs)
        self._operations[o] = replace(
            one,
            modes=(fixed,),
            release_us=0,
            fixed=Fixed(0, work.server[1], begin_us),
            same_server_as=-1,
        )
        self._is_begun[o] = True
        self._begun_us[o] = work.begun_us
        self._busy.add(work.server)

    def _are_there(self, need: Need) -> bool:
        """Say whether people are on shift, so that a problem may have them at work."""
        calendars, resources = self._compiled.problem.calendars, need.resources
        rows = [self._compiled.problem.resources[r].calendar for r in resources]
        return all(r < 0 or calendars[r].is_on(self._now.now_us) for r in rows)

    def _goes_on(self, k: int, left_us: int, shift_end: str) -> tuple[int, int, str]:
        """Return begin, time and shift end of what still takes some time from now on.

        What stands still off shift goes on when the shift begins; what goes on off
        shift is taken as begun in the shift before.
        """
        calendar, now_us = self._compiled.problem.calendar_of(k), self._now.now_us
        if calendar is None or calendar.is_on(now_us):
            return (
                now_us,
                left_us,
                "interrupt" if shift_end == "interrupt" else "finish",
            )
        before = int(np.searchsorted(calendar.end_us, now_us, "right")) - 1
        if shift_end == "interrupt" or before < 0:
            return calendar.next_on(now_us), left_us, "interrupt"
        begin_us = int(calendar.end_us[before]) - 1
        return begin_us, left_us + now_us - begin_us, "finish"

    def _as_set_up(self, server: ServerAt, family: int) -> int:
        """Return the family of one that needs no setup any more."""
        setups = self._compiled.problem.stations[self._rows[server[0]]].setups_us
        return -1 if setups is None or family < 0 else len(setups[0]) + family

    def _stand(self, server: ServerAt) -> None:
        """Say what an idle server is set up for, and how long it is down."""
        k = self._rows.get(server[0])
        if k is None:
            return
        kind = self._families.row_of(server[0], self._now.setups.get(server, -1))
        family = self._as_set_up(server, kind)
        down_us = self._now.down.get(server, 0)
        if family < 0 and not down_us:
            return
        begin_us, left_us, _ = self._goes_on(k, down_us, "finish")
        mode = Mode(k, left_us if down_us else 0, family=family, shift_end="finish")
        name = f"{server[0]}/{server[1] + 1}"
        self._operations.append(
            Operation("as it is", name, (mode,), fixed=Fixed(0, server[1], begin_us))
        )

    def _return(self, name: str, left_us: int) -> None:
        """Say how long a tool is not there yet."""
        resources = self._compiled.problem.resources
        row = next((r for r, one in enumerate(resources) if one.name == name), None)
        if row is None or not left_us:
            return  # nothing of the schedule needs it
        mode = Mode(-1, left_us, needs=(Need((row,), 1, PROCESS),))
        fixed = Fixed(0, 0, self._now.now_us)
        self._operations.append(Operation("comes back", name, (mode,), fixed=fixed))

    def _links(self) -> Iterator[Link]:
        """Yield the links of what is still to begin."""
        for link in self._compiled.problem.links:
            if self._is_begun[link.after]:
                continue
            if self._is_done[link.before]:
                yield replace(link, min_us=0, ways_us=())
            else:
                yield link


_PHASES = {"": 3, "setup": 3, "load": 2, "process": 1, "unload": 0, "over": 0}
"""How many of loading, processing and unloading come after a phase."""


def _set_up(station: Station) -> Station:
    """Return a station that knows what it is set up for already.

    Behind the families stand the same again: to come to one of those takes no time.
    """
    if station.setups_us is None:
        return station
    n = len(station.setups_us[0])
    rows = [(*row, *([0] * n)) for row in station.setups_us]
    return replace(station, setups_us=(*rows[:n], *rows[:n], rows[n]))
