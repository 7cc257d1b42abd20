"""A scheduling problem and a schedule as plain data, whatever they come from.

`compiling` makes a problem of a line and its orders, `reading` makes one of a published
instance; `solving` turns it into a schedule and knows nothing else. All rows are
numbers of rows in the problem's tuples, all times whole microseconds from the line's
start (instances: their own units).

The rules of a schedule:

* An operation is done in one of its modes, at one server of the mode's station, without
  a stop but those of the calendar. The server has it from `begin_us`, when the part is
  taken and the setup begins, to `leave_us`; the work is over at `end_us`, and it leaves
  later only where the storage ahead is full (blocking).
* `interrupt`: work stands still while the station is off. Loading and unloading that
  come to their end at the very instant at which a span ends are over when the next one
  begins, as in the kernel; setups and processing are over at once. `finish`: it begins
  while the station is on, and then goes on. `fit`: as `finish`, and what is left of the
  shift is as long as its processing time.
* A link says that one operation comes after another: not before what is `min_us` after
  it left, with the way between their stations, and not later than `max_us` after its
  end. Between them the part is in the link's storage; those who share a storage with
  places are taken from it in the order in which they became ready.
* People and other resources are needed for phases of an operation, and have to be on
  shift when the phase begins. A hold has a resource over several operations.
* Operations of one batch begin and end together on one server, are of one group, and
  are no more units than the batch takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LOAD",
    "NEVER",
    "PROCESS",
    "SETUP",
    "UNLOAD",
    "Batching",
    "Calendar",
    "Demand",
    "Fixed",
    "Hold",
    "Link",
    "Mode",
    "Need",
    "Operation",
    "Problem",
    "Resource",
    "Solution",
    "Station",
    "Storage",
]

Ints = NDArray[np.int64]

NEVER = 2**62
"""A time that does not come."""

SETUP, LOAD, PROCESS, UNLOAD = 1, 2, 4, 8
"""Bits of the phases of an operation, in their order."""


@dataclass(frozen=True, eq=False, slots=True)
class Calendar:
    """When something is on: spans ``[begin_us[i], end_us[i])``, in order, apart.

    Attributes:
        begin_us: Beginnings of the spans.
        end_us: Their ends.
        shift_end_us: For each span, when the shift ends that it is a part of: spans
            between breaks are of one shift.
    """

    begin_us: Ints
    end_us: Ints
    shift_end_us: Ints
    _lists: tuple[list[int], list[int], list[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep the spans as plain numbers, too, which are looked up one by one."""
        lists = (
            self.begin_us.tolist(), self.end_us.tolist(), self.shift_end_us.tolist(),
        )  # fmt: skip
        object.__setattr__(self, "_lists", lists)

    def next_on(self, at_us: int) -> int:
        """Return the first instant from `at_us` on that is on; `NEVER` if none is."""
        begins, ends, _ = self._lists
        i = bisect_right(ends, at_us)
        return NEVER if i == len(ends) else max(at_us, begins[i])

    def after_work(self, at_us: int, work_us: int) -> int:
        """Return when work is over that begins at an instant that is on."""
        begins, ends, _ = self._lists
        left = work_us
        if left <= 0:
            return at_us
        for i in range(bisect_right(ends, at_us), len(ends)):
            begin = max(at_us, begins[i])
            room = ends[i] - begin
            if left <= room:
                return begin + left
            left -= room
        return NEVER

    def is_on(self, at_us: int) -> bool:
        """Say whether an instant is on."""
        return self.next_on(at_us) == at_us

    def left_of_shift(self, at_us: int) -> int:
        """Return the time that is on from an instant to the end of its shift."""
        begins, ends, shift_ends = self._lists
        i = bisect_right(ends, at_us)
        if i == len(ends) or at_us < begins[i]:
            return 0
        end, total = shift_ends[i], 0
        while i < len(ends) and ends[i] <= end:
            total += ends[i] - max(at_us, begins[i])
            i += 1
        return total

    def shift_end(self, at_us: int) -> int:
        """Return when the shift ends in which an instant is, or that comes next."""
        _, ends, shift_ends = self._lists
        i = bisect_right(ends, at_us)
        return NEVER if i == len(ends) else shift_ends[i]


@dataclass(frozen=True, slots=True)
class Station:
    """A place with equal servers.

    Attributes:
        name: Its name.
        n_servers: How many servers work side by side.
        calendar: Row of its calendar, or -1 for always on.
        setups_us: Time of a setup, by family before (last row: never set up) and
            family; none: no setups.
        setup_ahead: Whether a setup is done before the part is there; the operation
            then begins after it.
    """

    name: str
    n_servers: int = 1
    calendar: int = -1
    setups_us: tuple[tuple[int, ...], ...] | None = None
    setup_ahead: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """People, tools, cards: what is needed beside a server.

    Attributes:
        name: Its name.
        capacity: How many there are.
        calendar: Row of the calendar by which it is there, or -1 for always.
        used_up: Whether what is taken of it is never there again: material, money.
    """

    name: str
    capacity: int
    calendar: int = -1
    used_up: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What a mode needs of a resource, and in which of its phases.

    Attributes:
        resources: Rows of the resources of which one serves.
        quantity: How many of it.
        phases: Bits of the phases, which follow each other without a gap.
    """

    resources: tuple[int, ...]
    quantity: int = 1
    phases: int = SETUP | LOAD | PROCESS | UNLOAD


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of doing an operation.

    Attributes:
        station: Row of the station, or -1 for none.
        process_us: Processing time.
        load_us: Time to load before it.
        unload_us: Time to unload after it.
        family: What a setup tells apart, a row of the station's `setups_us`; -1 for an
            operation that needs no setup and changes nothing.
        shift_end: ``interrupt``, ``finish`` or ``fit``.
        needs: Resources beside the server.
    """

    station: int
    process_us: int
    load_us: int = 0
    unload_us: int = 0
    family: int = -1
    shift_end: str = "interrupt"
    needs: tuple[Need, ...] = ()

    @property
    def work_us(self) -> int:
        """Loading, processing and unloading."""
        return self.load_us + self.process_us + self.unload_us

    @property
    def last_phase(self) -> int:
        """The phase that it ends with."""
        if self.unload_us:
            return UNLOAD
        return LOAD if self.load_us and not self.process_us else PROCESS


@dataclass(frozen=True, slots=True)
class Batching:
    """How an operation shares a server with others.

    Attributes:
        group: Operations of one group may share a batch.
        units: Units that it is.
        most: Units that go into a batch.
        least: Units that a batch has at least.
    """

    group: int
    units: int
    most: int
    least: int = 1


@dataclass(frozen=True, slots=True)
class Fixed:
    """Where and when an operation is done that may not be moved any more."""

    mode: int
    server: int
    begin_us: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of work on one part.

    Attributes:
        name: Its name.
        part: Name of the part.
        modes: The ways of doing it.
        release_us: It does not begin before.
        batching: How it shares a server; none: alone.
        fixed: Where it is, if it may not be moved.
        same_server_as: Operation whose very server has to do this one, or -1.
        rest_us: Time after its end until the part goes on, without the server.
        output: Storage where the part waits for room ahead, or -1: on the server.
    """

    name: str
    part: str
    modes: tuple[Mode, ...]
    release_us: int = 0
    batching: Batching | None = None
    fixed: Fixed | None = None
    same_server_as: int = -1
    rest_us: int = 0
    output: int = -1


@dataclass(frozen=True, slots=True)
class Storage:
    """Places where parts wait between operations.

    Attributes:
        name: Its name.
        places: How many there are.
        in_turn: Whether parts leave it in the order in which they became ready for it.
    """

    name: str
    places: int
    in_turn: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """One operation comes after another.

    Attributes:
        before: The operation that comes first.
        after: The one that comes later.
        min_us: Time between them at least, beside the rest of the first.
        max_us: Time from the end of the first to the begin of the other at most.
        ways_us: Time of the way, by the stations of the two.
        storage: Row of the storage with places between them, or -1: room enough.
        moves: Whether the part itself goes this way, rather than only waiting for it.
    """

    before: int
    after: int
    min_us: int = 0
    max_us: int = NEVER
    ways_us: tuple[tuple[int, int, int], ...] = ()
    storage: int = -1
    moves: bool = True


@dataclass(frozen=True, slots=True)
class Hold:
    """A resource that a part has over several operations, or tools over one.

    Attributes:
        resource: Row of the resource.
        quantity: How many of it.
        first: Operation at whose begin it is taken.
        last: Operation with which it is handed back.
        at_begin: Handed back at that one's begin, rather than at its end.
        back_us: Time until it is there again.
    """

    resource: int
    quantity: int
    first: int
    last: int
    at_begin: bool = False
    back_us: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for: it is done when its last operations are.

    Attributes:
        name: The order.
        last: Last operations of its parts; each is done after its rest.
        first: First operations of its parts and their components.
        release_us: Not begun before.
        due_us: Asked for by this time, or `NEVER`.
        weight: How much a delay of it counts.
    """

    name: str
    last: tuple[int, ...]
    first: tuple[int, ...] = ()
    release_us: int = 0
    due_us: int = NEVER
    weight: int = 1


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """What is to be scheduled; see the head of the module."""

    operations: tuple[Operation, ...]
    stations: tuple[Station, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    resources: tuple[Resource, ...] = ()
    links: tuple[Link, ...] = ()
    storages: tuple[Storage, ...] = ()
    holds: tuple[Hold, ...] = ()
    demands: tuple[Demand, ...] = ()
    same_order: tuple[tuple[tuple[int, ...], ...], ...] = ()
    """Groups of stations whose jobs keep one order: for each job its operations.

    Where its operations have several modes, only jobs in modes of one row keep it.
    """
    same_mode: tuple[tuple[int, ...], ...] = ()
    """Groups of operations that are done in modes of one row: on one of equal lines."""

    def calendar_of(self, station: int) -> Calendar | None:
        """Return the calendar of a station; none: always on."""
        row = self.stations[station].calendar if station >= 0 else -1
        return self.calendars[row] if row >= 0 else None

    def end_of(
        self, mode: Mode, begin_us: int, work_us: int, phase: int | None = None
    ) -> int:
        """Return when work of a mode is over that begins at an instant.

        Args:
            mode: The mode.
            begin_us: When it begins; the station is on then.
            work_us: How much of it.
            phase: The phase that it ends with; the last one by default.
        """
        calendar = self.calendar_of(mode.station)
        if calendar is None or mode.shift_end != "interrupt":
            return begin_us + work_us
        at_us = calendar.after_work(begin_us, work_us)
        if phase is None:
            phase = mode.last_phase
        return calendar.next_on(at_us) if phase in (LOAD, UNLOAD) else at_us

    def may_begin(self, mode: Mode, at_us: int) -> int:
        """Return the first instant from `at_us` on at which a mode may begin."""
        calendar = self.calendar_of(mode.station)
        if calendar is None:
            return at_us
        while True:
            at_us = calendar.next_on(at_us)
            if at_us == NEVER or mode.shift_end != "fit":
                return at_us
            if calendar.left_of_shift(at_us) >= mode.process_us:
                return at_us
            at_us = calendar.shift_end(at_us)

    def setup_us(self, station: int, before: int, family: int) -> int:
        """Return the time of a setup; a family of -1 is never set up, or needs none."""
        times = self.stations[station].setups_us
        if times is None or family < 0:
            return 0
        return times[before][family]

    def successors(self) -> list[list[int]]:
        """Return the links that leave each operation."""
        out: list[list[int]] = [[] for _ in self.operations]
        for row, link in enumerate(self.links):
            out[link.before].append(row)
        return out

    def predecessors(self) -> list[list[int]]:
        """Return the links that come to each operation."""
        out: list[list[int]] = [[] for _ in self.operations]
        for row, link in enumerate(self.links):
            out[link.after].append(row)
        return out

    def in_order(self) -> list[int]:
        """Return the operations so that each stands behind those it comes after.

        Raises:
            ValueError: They wait for each other in a circle; with the operations.
        """
        waits = [0] * len(self.operations)
        for link in self.links:
            waits[link.after] += 1
        after = self.successors()
        ready = [o for o, n in enumerate(waits) if n == 0]
        found = []
        while ready:
            o = ready.pop()
            found.append(o)
            for row in after[o]:
                waits[self.links[row].after] -= 1
                if waits[self.links[row].after] == 0:
                    ready.append(self.links[row].after)
        if len(found) < len(waits):
            names = [
                f"{self.operations[o].part} {self.operations[o].name}"
                for o in self._circle(waits)
            ]
            msg = f"operations wait for each other in a circle: {' > '.join(names)}"
            raise ValueError(msg)
        return found

    def _circle(self, waits: list[int]) -> Iterator[int]:
        """Yield the operations of one circle among those that never get ready."""
        before = self.predecessors()
        o = next(i for i, n in enumerate(waits) if n)
        seen: list[int] = []
        while o not in seen:
            seen.append(o)
            o = next(
                self.links[row].before
                for row in before[o]
                if waits[self.links[row].before]
            )
        yield from [*reversed(seen[seen.index(o) :]), seen[-1]]


@dataclass(frozen=True, eq=False, slots=True)
class Solution:
    """A schedule: for each operation of a problem where and when it is done.

    Attributes:
        mode: Which of its modes.
        server: Number of the server in the mode's station, from 0.
        begin_us: When the server takes it; its setup begins.
        setup_us: How long that setup works.
        end_us: When its work is over.
        leave_us: When the server has got rid of it.
        batch: Number of the batch it is in, or -1.
    """

    mode: Ints
    server: Ints
    begin_us: Ints
    setup_us: Ints
    end_us: Ints
    leave_us: Ints
    batch: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
