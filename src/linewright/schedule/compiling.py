"""From a line and its orders to a problem.

Every job goes the route of its product: an operation for each step, a link from each to
the next, and one from a component's last operation to the one that builds it in. Times
are the means, of a line from which `scheduled.certain` has taken chance. What is
compiled is what the kernel does, rule by rule, so that a schedule holds there to the
microsecond; what is not compiled is told (`scheduled.left_out`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered, lower
from linewright.model.calendars import BREAK, OFF_SHIFT, ON_SHIFT, Ticks
from linewright.model.changes import (
    Schedule as Steps,
)
from linewright.model.changes import (
    pool_schedule,
    schedule_ticks,
    station_schedule,
)
from linewright.model.distribution import Distribution
from linewright.model.line import Attendance, Line, Step
from linewright.model.meaning import (
    batch_of,
    input_places,
    next_operation,
    people_of,
    process_time,
    skills_of,
    taken_by,
    way_between,
    ways_of,
)
from linewright.schedule.jobs import Job, jobs_of
from linewright.schedule.orders import DatedOrder
from linewright.schedule.problem import (
    LOAD,
    NEVER,
    PROCESS,
    SETUP,
    UNLOAD,
    Batching,
    Calendar,
    Demand,
    Hold,
    Link,
    Mode,
    Need,
    Operation,
    Problem,
    Resource,
    Station,
    Storage,
)
from linewright.schedule.scheduled import certain, left_out

__all__ = [
    "MOST_OPERATIONS",
    "Compiled",
    "Families",
    "calendar_of",
    "compile_jobs",
    "compile_line",
]

MOST_OPERATIONS = 1_000_000
_PHASES = (("setup", SETUP), ("load", LOAD), ("process", PROCESS), ("unload", UNLOAD))


@dataclass(frozen=True, eq=False, slots=True)
class Compiled:
    """A problem with what leads back to the line.

    Attributes:
        line: The line without chance, whose rows are those of the problem.
        original: The line as it was given.
        orders: The orders, rows of `problem.demands`.
        jobs: The jobs.
        problem: The problem.
        job_of: Job of each operation.
        step_of: Place of each operation in its product's route.
        first_of: First operation of each job, which stand one after the other.
        left_out: What the model says that is not in the problem, in sentences.
        calendars: What each calendar of the problem comes from.
        unshown: Operations that are over, or stand for what a server does otherwise.
        begun_us: When operations really began that the problem has begin later.
        made_for: Orders for which jobs were begun that are of another one by now.
    """

    line: Line
    original: Line
    orders: tuple[DatedOrder, ...]
    jobs: tuple[Job, ...]
    problem: Problem
    job_of: t.Ints
    step_of: t.Ints
    first_of: t.Ints
    left_out: tuple[str, ...]
    calendars: tuple[Steps, ...]
    unshown: frozenset[int] = frozenset()
    begun_us: Mapping[int, int] = field(default_factory=dict)
    made_for: Mapping[int, str] = field(default_factory=dict)

    def until(self, horizon_us: int) -> Compiled:
        """Return the same with calendars that are laid out as far as a time."""
        spans = tuple(
            _spans(schedule_ticks(self.line, steps, horizon_us), horizon_us)
            for steps in self.calendars
        )
        return replace(self, problem=replace(self.problem, calendars=spans))


def compile_line(line: Line, orders: Sequence[DatedOrder], horizon_us: int) -> Compiled:
    """Return the problem of a line's orders.

    Args:
        line: A line that has passed `check`.
        orders: Its orders, which have been read without findings.
        horizon_us: Calendars are laid out that far.

    Raises:
        ValueError: The orders ask for more than can be scheduled.
    """
    sure = certain(line)
    return compile_jobs(line, sure, orders, jobs_of(sure, tuple(orders)), horizon_us)


def compile_jobs(
    line: Line,
    sure: Line,
    orders: Sequence[DatedOrder],
    jobs: tuple[Job, ...],
    horizon_us: int,
) -> Compiled:
    """Return the problem of jobs that are known already.

    Args:
        line: A line that has passed `check`.
        sure: The same without chance, of `certain`.
        orders: Its orders.
        jobs: The jobs, those of each order together.
        horizon_us: Calendars are laid out that far.
    """
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.product] = counts.get(job.product, 0) + 1
    compiler = _Compiler(sure, tuple(orders), jobs, horizon_us)
    problem = compiler.problem()
    return Compiled(
        sure,
        line,
        tuple(orders),
        jobs,
        problem,
        np.array(compiler.job_of, np.int64),
        np.array(compiler.step_of, np.int64),
        np.array(compiler.first_of, np.int64),
        (*left_out(line, counts), *compiler.notes),
        tuple(compiler.calendars),
    )


_Ways = tuple[tuple[int, int, int], ...]


class _Template(NamedTuple):
    """A step as every part of its product goes it; operations count from the first."""

    place: int
    name: str
    modes: tuple[Mode, ...]
    batching: Batching | None
    same_as: int
    rest_us: int
    output: int
    way_us: int
    ways_us: _Ways
    input: int
    limit: tuple[int, int] | None


class _Compiler:
    """Holds the parts of a problem while they grow."""

    def __init__(
        self,
        line: Line,
        orders: tuple[DatedOrder, ...],
        jobs: tuple[Job, ...],
        horizon_us: int,
    ) -> None:
        self._line, self._orders, self._jobs = line, orders, jobs
        self._horizon_us = horizon_us
        self._ways = ways_of(line)
        self.calendars: dict[Steps, int] = {}
        self._calendar_list: list[Calendar] = []
        self._stations = {name: row for row, name in enumerate(line.stations)}
        self._resources: dict[str, int] = {}
        self._resource_list: list[Resource] = []
        self._storages: dict[tuple[str, str], int] = {}
        self._storage_list: list[Storage] = []
        self._groups: dict[object, int] = {}
        self._modes: dict[tuple[str, int], tuple[Mode, ...]] = {}
        self._batchings: dict[tuple[str, int], Batching | None] = {}
        self._operations: list[Operation] = []
        self._links: list[Link] = []
        self._holds: list[Hold] = []
        self._steps: dict[str, list[int]] = {}
        self._made: dict[str, list[_Template]] = {}
        self._held: dict[str, list[Hold]] = {}
        self._earliest: dict[str, int] = {}
        for job in jobs:
            release = orders[job.order].release_us
            known = self._earliest.get(job.product, release)
            self._earliest[job.product] = min(known, release)
        self.job_of: list[int] = []
        self.step_of: list[int] = []
        self.first_of: list[int] = []
        self.notes: list[str] = []
        lowered = lower(line.model_copy(update={"orders": (), "in_process": ()}), 0)
        self._families = Families(line, lowered)

    def problem(self) -> Problem:
        """Return the problem, all of it."""
        for name, pool in self._line.people.items():
            calendar = self._calendar(pool_schedule(self._line, name))
            self._resource(name, pool.count, calendar)
        for name, tool in self._line.tools.items():
            self._resource(name, tool.count)
        for name, loop in self._line.loops.items():
            self._resource(name, loop.cards)
        stations = tuple(self._station(name) for name in self._line.stations)
        for row, job in enumerate(self._jobs):
            self._job(row, job)
        for row, job in enumerate(self._jobs):
            if job.parent >= 0:
                self._built_in(row, job)
        return Problem(
            tuple(self._operations),
            stations,
            tuple(self._calendar_list),
            tuple(self._resource_list),
            tuple(self._links),
            tuple(self._storage_list),
            tuple(self._holds),
            self._demands(),
        )

    # ------------------------------------------------------------ what there is

    def _resource(self, name: str, capacity: int, calendar: int = -1) -> None:
        self._resources[name] = len(self._resource_list)
        self._resource_list.append(Resource(name, capacity, calendar))

    def _calendar(self, steps: Steps) -> int:
        if all(name is None for _, name in steps):
            return -1
        if steps not in self.calendars:
            ticks = schedule_ticks(self._line, steps, self._horizon_us)
            self.calendars[steps] = len(self._calendar_list)
            self._calendar_list.append(_spans(ticks, self._horizon_us))
        return self.calendars[steps]

    def _station(self, name: str) -> Station:
        station = self._line.stations[name]
        setups = self._families.setups_us(name)
        calendar = self._calendar(station_schedule(self._line, name))
        return Station(name, station.servers, calendar, setups)

    def _storage(self, kind: str, name: str, places: int, *, in_turn: bool) -> int:
        key = kind, name
        if key not in self._storages:
            self._storages[key] = len(self._storage_list)
            self._storage_list.append(Storage(name, places, in_turn))
        return self._storages[key]

    # ------------------------------------------------------------ jobs

    def _route(self, product: str) -> list[int]:
        """Return the places of the steps that a part goes, in order."""
        if product not in self._steps:
            route = self._line.products[product]
            found: list[int] = []
            i: int | None = 0
            while i is not None:
                found.append(i)
                i = next_operation(route, i)
            self._steps[product] = found
        return self._steps[product]

    def _job(self, row: int, job: Job) -> None:
        steps = self._templates(job.product)
        first = len(self._operations)
        self.first_of.append(first)
        part = f"{job.product}:{job.number}"
        release_us = self._release(job, self._orders[job.order])
        for number, step in enumerate(steps):
            here = first + number
            self.job_of.append(row)
            self.step_of.append(step.place)
            same = step.same_as
            self._operations.append(
                Operation(
                    step.name,
                    part,
                    step.modes,
                    0 if number else release_us,
                    step.batching,
                    None,
                    first + same if same >= 0 else -1,
                    step.rest_us,
                    step.output,
                )
            )
            if number:
                self._links.append(
                    Link(here - 1, here, step.way_us, NEVER, step.ways_us, step.input)
                )
            if step.limit is not None:
                after, within = step.limit
                self._links.append(Link(first + after, here, 0, within, moves=False))
        for hold in self._holds_of(job.product):
            self._holds.append(
                replace(hold, first=first + hold.first, last=first + hold.last)
            )

    def _templates(self, name: str) -> list[_Template]:
        """Return the steps that every part of a product goes, found out once."""
        if name in self._made:
            return self._made[name]
        product = self._line.products[name]
        at: dict[str, int] = {}
        found: list[_Template] = []
        for number, i in enumerate(self._route(name)):
            step = product.route[i]
            at[step.operation] = number
            least, storage = 0, -1
            ways: _Ways = ()
            if number:
                before = product.route[found[-1].place]
                least, ways = self._way(before, step)
                storage = self._input(step)
            limit = None
            if step.time_limit is not None and step.time_limit.after in at:
                limit = at[step.time_limit.after], step.time_limit.within
            found.append(
                _Template(
                    i,
                    step.operation,
                    self._modes_of(name, i),
                    self._batching(name, i),
                    at.get(step.same_server_as or "", -1),
                    self._rest(name, step),
                    self._output(step),
                    least,
                    ways,
                    storage,
                    limit,
                )
            )
        self._made[name] = found
        return found

    def _holds_of(self, name: str) -> list[Hold]:
        """Return what a part of a product holds, by places in its route."""
        if name not in self._held:
            places = {i: n for n, i in enumerate(self._route(name))}
            self._held[name] = [
                Hold(
                    self._resources[taken.stock],
                    taken.quantity,
                    places[taken.first],
                    places[taken.until],
                    taken.at_start,
                    _mean_us(
                        self._line.tools[taken.stock].back
                        if taken.stock in self._line.tools
                        else self._line.loops[taken.stock].back
                    ),
                )
                for taken in taken_by(self._line, name)
            ]
        return self._held[name]

    def _release(self, job: Job, order: DatedOrder) -> int:
        """Return when a job may begin.

        Components serve whatever order needs one, so they may be begun when the first
        of those is released; what is made to stock on the line needs none.
        """
        if job.parent < 0:
            return order.release_us
        if self._line.products[job.product].release.kind in {"always", "arrivals"}:
            return 0
        return self._earliest[job.product]

    def _modes_of(self, product: str, i: int) -> tuple[Mode, ...]:
        if (product, i) not in self._modes:
            step = self._line.products[product].route[i]
            self._modes[product, i] = tuple(
                self._mode(product, step, name) for name in step.stations
            )
        return self._modes[product, i]

    def _mode(self, product: str, step: Step, name: str) -> Mode:
        station = self._line.stations[name]
        lot = self._line.products[product].lot_size
        time = step.cascade
        n_units = 1
        if time is None:
            time = process_time(self._line, product, step, name)
            n_units = lot if step.process_per == "unit" else 1
        loads = step.cascade is None
        needs = () if station.people is None else self._needs(station.people)
        if station.setup is not None:
            needs = (
                *needs,
                *(
                    Need((self._resources[tool],), n, SETUP)
                    for tool, n in station.setup.tools.items()
                ),
            )
        return Mode(
            self._stations[name],
            round(0 if time is None else time.mean_us) * n_units,
            _mean_us(station.load) if loads else 0,
            _mean_us(station.unload) if loads else 0,
            self._families.row(name, product, step),
            step.shift_end or station.shift_end,
            needs,
        )

    def _needs(self, people: Attendance) -> tuple[Need, ...]:
        """Return the needs of a station, phases that follow each other as one."""
        skills = skills_of(self._line)
        found: list[tuple[tuple[str | None, int], int]] = []
        for key, bit in _PHASES:
            asked = people_of(getattr(people, key))
            if asked[0] is None:
                continue
            if found and found[-1][0] == asked and found[-1][1] & (bit >> 1):
                found[-1] = asked, found[-1][1] | bit
            else:
                found.append((asked, bit))
        return tuple(
            Need(
                tuple(
                    self._resources[pool]
                    for pool in skills[skill or ""]
                    if self._line.people[pool].count >= n
                ),
                n,
                bits,
            )
            for (skill, n), bits in found
        )

    def _batching(self, name: str, i: int) -> Batching | None:
        if (name, i) in self._batchings:
            return self._batchings[name, i]
        product = self._line.products[name]
        step = product.route[i]
        batch = batch_of(self._line, step)
        found = None
        if batch is not None and batch.max > 1:
            kinds: dict[str, object] = {
                "step": (product.route_of or name, step.operation),
                "operation": step.operation,
                "family": step.family or product.family or name,
                "any": "any",
            }
            times = tuple(m.work_us for m in self._modes_of(name, i))
            families = tuple(m.family for m in self._modes_of(name, i))
            key = (step.stations, batch.mix, kinds[batch.mix], times, families)
            group = self._groups.setdefault(key, len(self._groups))
            least = 1 if batch.longest_wait is not None else batch.min
            found = Batching(group, product.lot_size, batch.max, least)
            if batch.min > 1:
                self._note(
                    f"least batches at {step.stations[0]}"
                    + (
                        ": less may start at any time"
                        if batch.longest_wait is not None
                        else ": the last batch of a kind may be less"
                    )
                )
            if step.process_per == "unit":
                self._note(f"batches of {step.operation}: the time is that of a lot")
        self._batchings[name, i] = found
        return found

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _rest(self, name: str, step: Step) -> int:
        rest = _mean_us(step.rest)
        if step.cascade is not None:
            whole = process_time(self._line, name, step, step.stations[0])
            lot = self._line.products[name].lot_size
            n_units = lot if step.process_per == "unit" else 1
            inside = _mean_us(whole) * n_units - _mean_us(step.cascade)
            rest += max(inside, 0)
        return rest

    def _output(self, step: Step) -> int:
        station = self._line.stations[step.stations[0]]
        slots = station.output_buffer
        if slots is None:
            return -1
        places: int | str
        if isinstance(slots, str) and slots != "unlimited":
            places = self._line.buffers[slots].slots
            name = slots
        else:
            places, name = slots, f"{step.stations[0]} output"
        n_places = NEVER if isinstance(places, str) else int(places)
        return self._storage("output", name, n_places, in_turn=False)

    def _way(self, first: Step, second: Step) -> tuple[int, _Ways]:
        """Return the time of the way between two operations, or times by stations."""
        if second.transport is not None:
            return _mean_us(second.transport), ()
        ways = []
        for start in first.stations:
            for end in second.stations:
                way = way_between(self._ways, start, end)
                if way is not None and way.time is not None:
                    pair = self._stations[start], self._stations[end]
                    ways.append((*pair, _mean_us(way.time)))
        return 0, tuple(ways)

    def _input(self, step: Step) -> int:
        """Return the storage with places in which a part waits for a step, or -1."""
        places = [input_places(self._line, step, name) for name in step.stations]
        if all(n is None for n in places):
            return -1
        if len(step.stations) > 1:
            self._note(f"places in front of {', '.join(step.stations)}: there is room")
            return -1
        name = step.stations[0]
        own = step.buffer or self._line.stations[name].buffer
        named = own if isinstance(own, str) else f"{name} input"
        if isinstance(own, str):
            self._note_shared(own)
        assert places[0] is not None
        in_turn = batch_of(self._line, step) is None
        return self._storage("input", named, places[0], in_turn=in_turn)

    def _note_shared(self, buffer: str) -> None:
        users = [
            name
            for name, station in self._line.stations.items()
            if station.buffer == buffer
        ]
        if len(users) > 1:
            self._note(f"{buffer} is shared: parts leave it in the order they came")

    def _built_in(self, row: int, job: Job) -> None:
        """Add the link from a component to the operation that takes it."""
        parent = self._jobs[job.parent]
        steps = self._route(parent.product)
        taken_at = next((s for s in steps if s >= job.at_step), steps[-1])
        after = self.first_of[job.parent] + steps.index(taken_at)
        before = self._last_of(row)
        store = self._line.products[job.product].store
        storage = -1
        if store != "unlimited":
            named = isinstance(store, str)
            places = self._line.buffers[str(store)].slots if named else store
            if not isinstance(places, str):
                name = str(store) if named else f"{job.product} store"
                stock = self._line.products[job.product].stock
                if stock:
                    self._note(f"units in {name} at the start take no places there")
                storage = self._storage("store", name, int(places), in_turn=False)
        self._links.append(Link(before, after, 0, NEVER, (), storage))

    def _last_of(self, job: int) -> int:
        return self.first_of[job] + len(self._route(self._jobs[job].product)) - 1

    def _demands(self) -> tuple[Demand, ...]:
        last: list[list[int]] = [[] for _ in self._orders]
        first: list[list[int]] = [[] for _ in self._orders]
        for row, job in enumerate(self._jobs):
            first[job.order].append(self.first_of[row])
            if job.parent < 0:
                last[job.order].append(self._last_of(row))
        return tuple(
            Demand(
                order.id,
                tuple(last[row]),
                tuple(first[row]),
                order.release_us,
                NEVER if order.due_us is None else order.due_us,
                order.weight,
            )
            for row, order in enumerate(self._orders)
        )


def calendar_of(line: Line, station: str, horizon_us: int) -> Calendar | None:
    """Return when a station is on, up to a time; none: always."""
    steps = station_schedule(line, station)
    if all(name is None for _, name in steps):
        return None
    return _spans(schedule_ticks(line, steps, horizon_us), horizon_us)


class Families:
    """What the setups of each station tell apart, and how long they take."""

    def __init__(self, line: Line, lowered: Lowered) -> None:
        self._line, self._lowered = line, lowered
        self._kinds: dict[str, dict[int, int]] = {}
        for name, station in line.stations.items():
            if station.setup is not None:
                self._kinds[name] = {}
        for product in line.products:
            for step in line.products[product].route:
                for name in step.stations:
                    kind = self._kind(name, product, step)
                    if kind is not None:
                        kinds = self._kinds[name]
                        kinds.setdefault(kind, len(kinds))

    def row(self, station: str, product: str, step: Step) -> int:
        """Return what a setup tells apart about an operation, or -1."""
        kind = self._kind(station, product, step)
        return -1 if kind is None else self._kinds[station][kind]

    def row_of(self, station: str, kind: int) -> int:
        """Return what a setup tells apart by its number in the tables, or -1."""
        return self._kinds.get(station, {}).get(kind, -1)

    def setups_us(self, station: str) -> tuple[tuple[int, ...], ...] | None:
        """Return the times of a station's setups, as `Station.setups_us`."""
        kinds = self._kinds.get(station)
        if not kinds:
            return None
        tables = self._lowered.tables
        n = int(tables.settings[t.S_N_FAMILIES] + tables.settings[t.S_N_PRODUCTS])
        row = self._lowered.names.stations.index(station)
        first = int(tables.stations["setup_first"][row])
        times = tables.setup_us
        return tuple(
            tuple(int(times[first + before * n + kind]) for kind in kinds)
            for before in (*kinds, n)
        )

    def _kind(self, station: str, product: str, step: Step) -> int | None:
        setup = self._line.stations[station].setup
        if setup is None:
            return None
        names = self._lowered.names
        if setup.by == "product":
            n_families = int(self._lowered.tables.settings[t.S_N_FAMILIES])
            return n_families + names.products.index(product)
        if setup.by == "operation":
            return None if step.family is None else names.families.index(step.family)
        family = self._line.products[product].family or product
        return names.families.index(family)


def _mean_us(time: Distribution | None) -> int:
    return 0 if time is None else round(time.mean_us)


def _spans(ticks: Ticks, horizon_us: int) -> Calendar:
    """Return the spans that are on, and when the shift of each ends."""
    ends = np.append(ticks.at_us[1:], max(horizon_us, int(ticks.at_us[-1]) + 1))
    shift_end = ends.copy()
    for i in range(len(ends) - 2, -1, -1):
        if ticks.mode[i] != OFF_SHIFT and ticks.mode[i + 1] in (BREAK, ON_SHIFT):
            shift_end[i] = shift_end[i + 1]
    on = ticks.mode == ON_SHIFT
    # a break at the end of a shift is not work: the shift ends where its last span does
    begin, end, shift = ticks.at_us[on], ends[on], shift_end[on]
    last = end.copy()
    for i in range(len(end) - 2, -1, -1):
        if shift[i] == shift[i + 1]:
            last[i] = last[i + 1]
    return Calendar(begin, end, last)
