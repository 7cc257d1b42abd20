"""A plant that is played: machines with job lists, hands that take time, and faults.

Each device of the line is a machine that keeps the contract of `machines`, works on
what it was given, and fails by its own clocks. What time it is, it is told; who
asks, and over what, is the business of its owner: a server of OPC UA, or a test. It
writes down itself what it has done, so that the journal can be held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.control.drawn import Drawn
from linewright.control.faults import LASTING, Fault
from linewright.control.jobs import Devices, device_of
from linewright.control.links import Message
from linewright.control.machines import (
    Entry,
    JobList,
    Listing,
    Reply,
    UnitRecord,
    by_name,
    plain,
)
from linewright.control.played import (
    NEVER_US,
    Failure,
    Machine,
    Shift,
    Shown,
    state_of,
)
from linewright.lower import Lowered
from linewright.model.distribution import KINDS
from linewright.model.line import Line

__all__ = ["Done", "Plant", "RestartedError", "devices_of", "measured_by"]

_KINDS = tuple(KINDS)
_CLOCKS = {t.CLOCK_PROCESSING, t.CLOCK_OPERATING, t.CLOCK_CALENDAR}


class RestartedError(Exception):
    """What was asked was meant for the machine before its last start."""


class Done(NamedTuple):
    """Work that was done, and cannot be undone.

    Attributes:
        at_us: When it ended.
        job: Its identity.
        command: What was commanded.
        outcomes: Verdicts on its units.
        measured: What was measured at each of them, if anything was.
    """

    at_us: int
    job: str
    command: dict[str, Any]
    outcomes: tuple[int, ...]
    measured: list[dict[str, float]] | None = None


class Plant:
    """The machines of a line; see the module's head.

    Args:
        line: The line.
        lowered: The same, laid out.
        seed: Seed of the times and verdicts.
        boot: Which start of the machines this is, above those before.
        faults: What goes wrong.
        memory: State of machines by device from before, as `keep` was given it.
        done: What was done before.
        keep: Told the state of a machine whenever it has changed, before anybody else
            can know of it; and ``None`` with what was done.
        wall_us: Says the time of day, microseconds since 1970; machines have no clock
            without it.

    Attributes:
        servers: Devices that are servers of stations.
        done: What was done since the start, in order.
        changed: Devices with something new, for the owner to take.
        dropped: How often all sessions were to be cut.
        measures: Characteristics that each device measures.
        begun_us: The plant's time at its start, 0 or as its memory has it.
    """

    def __init__(  # noqa: PLR0913
        self,
        line: Line,
        lowered: Lowered,
        seed: int,
        *,
        boot: int = 1,
        faults: Sequence[Fault] = (),
        memory: dict[str, dict[str, Any]] | None = None,
        done: Sequence[Done] = (),
        keep: Callable[[str, dict[str, Any]], None] | None = None,
        wall_us: Callable[[], int] | None = None,
    ) -> None:
        self._drawn, self._tables = Drawn(line, lowered, seed), lowered.tables
        self._drawn.remember(done)
        self._keep, self._wall_us = keep, wall_us or (lambda: -1)
        self.machines: dict[str, Machine] = {}
        self.servers = frozenset(Devices(lowered).servers)
        self.done: list[Done] = list(done)
        self._tags = {one.job: _record(one) for one in done}
        self.changed: set[str] = set()
        self.dropped = 0
        self.measures = measured_by(lowered)
        memory = memory or {}
        self.begun_us = max((one["at_us"] for one in memory.values()), default=0)
        self._faults: list[Fault] = []
        self._ends: list[tuple[int, str, str]] = []
        self._next_us: dict[str, int] = {}
        self._make(lowered, boot)
        for device, state in memory.items():
            if device in self.machines:
                self._remember(self.machines[device], state, boot)
        self.inject(faults)

    def inject(self, faults: Sequence[Fault]) -> None:
        """Let something go wrong, at times after this start of the plant."""
        shifted = [one._replace(at_us=one.at_us + self.begun_us) for one in faults]
        self._faults = sorted([*self._faults, *shifted], key=lambda fault: fault.at_us)

    def _make(self, lowered: Lowered, boot: int) -> None:
        tables, devices = lowered.tables, Devices(lowered)
        always = Shift(tables, -1)
        for device in devices_of(lowered):
            self.machines[device] = Machine(
                device, JobList(boot=boot), always, at_us=self.begun_us
            )
        calendars = tables.stations["calendar"].tolist()
        for s, device in enumerate(devices.servers):
            self.machines[device].shift = Shift(tables, calendars[_station(tables, s)])
        for row, of in enumerate(tables.server_modes):
            mode = tables.modes[int(of["mode"])]
            owner = devices.servers[int(of["server"])]
            first, n = int(mode["first_member"]), int(mode["n_members"])
            members = [devices.servers[s] for s in tables.links[first : first + n]]
            made = Failure(
                devices.failure(row),
                int(of["mode"]),
                is_own=not _is_planned_by_others(tables, mode),
                members=tuple(one for one in members if one != owner),
            )
            self._wind(made)
            self.machines[owner].failures.append(made)

    def _wind(self, failure: Failure) -> None:
        """Set how long it is to a machine's next failure of a kind."""
        row = self._tables.modes[failure.mode]
        is_first = failure.n == 0
        failure.n += 1
        if not failure.is_own:
            failure.left = NEVER_US
        elif int(row["clock"]) in _CLOCKS:
            dist = int(row["first" if is_first else "every"])
            rng = self._drawn.stream("failure", failure.name, failure.n - 1)
            failure.left = self._drawn.sample(dist, rng) if dist >= 0 else NEVER_US
        else:
            times = int(row["first"]) if is_first else int(row["cycles"])
            failure.left = max(times, 1)

    # ------------------------------------------------------------ what is asked of it

    def answer(self, device: str, message: Message, now_us: int) -> Any:
        """Return what a machine answers.

        Raises:
            RestartedError: It was meant for the machine before its last start.
            KeyError: There is no such device.
            ValueError: It is no work of the device.
        """
        machine = self.machines[device]
        self.advance(now_us)
        self._pass(machine, now_us)
        jobs = machine.jobs
        if message.kind == "list":
            return listing_of(self.shown(device))
        if message.kind == "put":
            return self._put(machine, message)
        if message.boot != jobs.boot:
            raise RestartedError(device)
        if message.kind == "clear":
            jobs.clear(message.body)
        elif message.kind == "clear_events":
            jobs.clear_events(message.body)
        else:
            return self._tags.get(message.body)
        self._note(machine, is_new=False)
        return True

    def shown(self, device: str) -> Shown:
        """Return what is read of a machine now."""
        return self.machines[device].shown(self._wall_us())

    def _put(self, machine: Machine, message: Message) -> Reply:
        if "action" in message.body and message.body["job"] not in machine.jobs.jobs:
            self._drawn.check(machine.device, message.body)
        reply = machine.jobs.put(message.body, message.epoch, message.boot)
        if reply.code == "accepted":
            self._look(machine)
            self._note(machine, is_new=False)
        return reply

    def _look(self, machine: Machine) -> None:
        """Begin what is new on the list, and drop what is not there any more."""
        jobs = machine.jobs.jobs
        for job in list(machine.left):
            if job not in jobs or jobs[job].status == "cancelled":
                del machine.left[job], machine.whole[job]
        for job, entry in jobs.items():
            if job not in machine.left and entry.status in {"running", "held"}:
                number = device_of(job)[1]
                total = self._drawn.duration_us(
                    machine.device, number, entry.command, machine.at_us
                )
                machine.left[job] = machine.whole[job] = total * machine.slower
                if entry.command["action"] == "repair":
                    self._stand(machine, is_begun=True)
        self._next_us.pop(machine.device, None)

    def _note(self, machine: Machine, *, is_new: bool) -> None:
        """Write down what a machine knows, then say that there is something new."""
        self._next_us.pop(machine.device, None)
        if self._keep is not None:
            self._keep(machine.device, state_of(machine))
        machine.changes += is_new and "frozen" not in machine.faults
        self.changed.add(machine.device)

    # ------------------------------------------------------------ time

    def next_us(self) -> int | None:
        """Return when something happens next, if anything does by itself."""
        found = min(map(self._next, self.machines.values()), default=NEVER_US)
        if self._faults:
            found = min(found, self._faults[0].at_us)
        found = min([found, *(at for at, _, _ in self._ends)])
        return None if found >= NEVER_US else found

    def _next(self, machine: Machine) -> int:
        """Return when something happens at a machine next, or never."""
        known = self._next_us.get(machine.device)
        if known is not None:
            return known
        times = [machine.left[job] for job in machine.running() if job in machine.left]
        times += [one.left for one in machine.failures if self._counts(machine, one)]
        found = machine.at_us + max(min(times), 0) if times else NEVER_US
        if any(self._clock(one) == t.CLOCK_OPERATING for one in machine.failures):
            found = min(found, machine.shift.next_us(machine.at_us))
        self._next_us[machine.device] = found
        return found

    def _clock(self, failure: Failure) -> int:
        return int(self._tables.modes["clock"][failure.mode])

    def _counts(self, machine: Machine, failure: Failure) -> bool:
        """Say whether the clock of a failure goes with the time."""
        if failure.is_active or failure.left >= NEVER_US:
            return False
        clock = self._clock(failure)
        if clock == t.CLOCK_OPERATING:
            return not machine.is_down and machine.shift.is_on(machine.at_us)
        if clock == t.CLOCK_PROCESSING:
            return machine.is_processing()
        return clock == t.CLOCK_CALENDAR

    def advance(self, now_us: int) -> None:
        """Let happen what happens until a time, in its order."""
        while (at_us := self.next_us()) is not None and at_us <= now_us:
            self._go_wrong(at_us)
            for machine in self.machines.values():
                if self._next(machine) <= at_us:
                    self._happen(machine, at_us)

    def _pass(self, machine: Machine, now_us: int) -> None:
        """Let time pass at a machine in which nothing happens."""
        passed = now_us - machine.at_us
        if passed <= 0:
            return
        counting = [one for one in machine.failures if self._counts(machine, one)]
        for job in machine.running():
            machine.left[job] -= passed
        for one in counting:
            one.left -= passed
        machine.at_us = now_us
        self._next_us.pop(machine.device, None)

    def _happen(self, machine: Machine, now_us: int) -> None:
        self._pass(machine, now_us)
        self._next_us.pop(machine.device, None)
        for job in machine.running():
            if machine.left[job] <= 0:
                self._end(machine, job, now_us)
        for failure in machine.failures:
            if self._counts(machine, failure) and failure.left <= 0:
                self._fail(machine, failure)

    def _end(self, machine: Machine, job: str, now_us: int) -> None:
        """Work is done: nobody can undo it."""
        del machine.left[job], machine.whole[job]
        device, number = device_of(job)
        command = machine.jobs.jobs[job].command
        outcomes, measured = self._drawn.ended(device, number, command, now_us)
        done = Done(now_us, job, command, outcomes, measured)
        self._tags[job] = _record(done)
        self.done.append(done)
        machine.jobs.end(job, outcomes, measured)
        machine.ended(job)
        if self._keep is not None:
            self._keep("", done._asdict())
        self._note(machine, is_new="dead" not in machine.faults)
        if command["action"] == "repair":
            self._stand(machine, is_begun=False)
        elif self._drawn.is_finished_by(command["action"], device.partition("/")[0]):
            self._count(machine, len(command["units"]))

    def _count(self, machine: Machine, n_units: int) -> None:
        """Count the cycles and units to a failure."""
        for one in machine.failures:
            clock = self._clock(one)
            if clock in _CLOCKS or one.is_active or not one.is_own:
                continue
            one.left -= n_units if clock == t.CLOCK_UNITS else 1
            if one.left <= 0:
                self._fail(machine, one)

    def _fail(self, machine: Machine, failure: Failure) -> None:
        """Break down, or say that planned work is due, which stops nothing."""
        mode = self._tables.modes[failure.mode]
        if int(mode["planned"]) == t.UNPLANNED:
            if int(mode["part"]) == t.PART_RESTART:
                for device in (machine.device, *failure.members):
                    self._pass(self.machines[device], machine.at_us)
                    self.machines[device].lose_work()
            failure.is_active = True
            self._halt(failure, machine.at_us, stands=True)
        else:
            failure.left = NEVER_US  # until the work is done
        machine.report(failure.name)
        self._note(machine, is_new=True)

    def _halt(self, failure: Failure, now_us: int, *, stands: bool) -> None:
        """Let the other machines stand that a failure stops, or go on."""
        for device in failure.members:
            self._hold(self.machines[device], failure.name, now_us, stands=stands)

    def _hold(self, machine: Machine, why: str, now_us: int, *, stands: bool) -> None:
        self._pass(machine, now_us)
        (machine.halted.add if stands else machine.halted.discard)(why)
        self._note(machine, is_new=False)

    def _stand(self, repair: Machine, *, is_begun: bool) -> None:
        """Let a machine stand for the time of planned work; mend it at its end."""
        subject, now_us = repair.device.removeprefix("repair of "), repair.at_us
        machine = self.machines[subject.rpartition(" at ")[2]]
        self._pass(machine, now_us)
        for failure in machine.failures:
            if failure.name != subject:
                continue
            if is_begun:
                self._hold(machine, subject, now_us, stands=True)
            else:
                failure.is_active = False
                self._wind(failure)
                self._hold(machine, subject, now_us, stands=False)
                self._halt(failure, now_us, stands=False)

    # ------------------------------------------------------------ faults

    def _go_wrong(self, now_us: int) -> None:
        for end in [end for end in self._ends if end[0] <= now_us]:
            self._ends.remove(end)
            machine = self.machines[end[2]]
            self._pass(machine, now_us)
            machine.end_fault(end[1])
            self._note(machine, is_new=True)
        while self._faults and self._faults[0].at_us <= now_us:
            self._begin_fault(self._faults.pop(0), now_us)

    def _begin_fault(self, fault: Fault, now_us: int) -> None:
        if fault.kind == "drop":
            self.dropped += 1
            return
        machine = self.machines[fault.device]
        self._pass(machine, now_us)
        if fault.kind not in LASTING:
            self.restart(fault.device, remembers=fault.kind == "restart")
            return
        machine.set_fault(fault.kind, self._wall_us())
        self._next_us.pop(machine.device, None)
        if fault.for_us:
            self._ends.append((now_us + fault.for_us, fault.kind, fault.device))

    def restart(self, device: str, *, remembers: bool) -> None:
        """Start a machine again: what was under way is as if it had not been begun."""
        machine = self.machines[device]
        machine.restart(remembers=remembers)
        self._begin_again(machine)
        self._note(machine, is_new=True)

    def _begin_again(self, machine: Machine) -> None:
        self._look(machine)
        for failure in machine.failures:
            is_due = failure.is_own and failure.left >= NEVER_US
            if failure.is_active or is_due:
                machine.report(failure.name, "failed")

    def _remember(self, machine: Machine, state: dict[str, Any], boot: int) -> None:
        """Take up what a machine knew before the plant started again."""
        jobs = machine.jobs
        jobs.epoch, jobs.highest = state["epoch"], state["highest"]
        jobs.jobs = {
            job: Entry(
                one["command"],
                one["version"],
                one["status"],
                tuple(one["outcomes"]),
                one.get("measured"),
            )
            for job, one in state["jobs"].items()
        }
        jobs.events = [tuple(event) for event in state["events"]]
        jobs.boot = max(boot, state["boot"] + 1)
        for failure, (left, n, is_active) in zip(
            machine.failures, state["modes"], strict=True
        ):
            failure.left, failure.n, failure.is_active = left, n, is_active
            self._halt(failure, machine.at_us, stands=is_active)
        self._begin_again(machine)


def listing_of(shown: Shown) -> Listing:
    """Return what is read of a machine as its list."""
    jobs = {
        job: (entry.version, entry.status, entry.outcomes)
        for job, entry in shown.jobs.items()
    }
    measured = {
        job: {name: plain(of) for name, of in by_name(entry.measured).items()}
        for job, entry in shown.jobs.items()
        if entry.measured
    }
    return Listing(shown.boot, jobs, tuple(shown.events), shown.clock_us, measured)


def _record(done: Done) -> UnitRecord:
    return UnitRecord(done.outcomes, by_name(done.measured))


def _station(tables: t.LineTables, server: int) -> int:
    """Return the station of a server."""
    firsts = tables.stations["first_server"]
    return int(np.searchsorted(firsts, server, "right")) - 1


def _is_planned_by_others(tables: t.LineTables, mode: Any) -> bool:
    """Say whether the line itself knows when this is due; see the kernel's `known`."""
    if int(mode["planned"]) == t.UNPLANNED:
        return False
    if int(mode["clock"]) not in _CLOCKS or int(mode["every"]) < 0:
        return True
    return _KINDS[int(tables.dists[int(mode["every"])]["kind"])] == "constant"


def measured_by(lowered: Lowered) -> dict[str, list[str]]:
    """Return the characteristics that each server of a line measures, in order."""
    devices, tables = Devices(lowered), lowered.tables
    found: dict[str, dict[str, None]] = {}
    for s, device in enumerate(devices.servers):
        for of in lowered.quality:
            if of.read and _station(tables, s) in of.stations:
                names = dict.fromkeys(made.name for made in of.read)
                found.setdefault(device, {}).update(names)
    return {device: list(names) for device, names in found.items()}


def devices_of(lowered: Lowered) -> list[str]:
    """Return the devices of a line that its played machines need, in order.

    Those are its servers, who repairs them, the ways between them, and where tools and
    material come from.
    """
    devices, tables = Devices(lowered), lowered.tables
    found = [*devices.servers]
    found += [
        f"repair of {devices.failure(row)}" for row in range(len(tables.server_modes))
    ]
    has_ways = (tables.steps["transport"] >= 0).any() or len(tables.transports)
    if has_ways or (tables.steps["rest"] >= 0).any():
        found += [f"way to {station}" for station in lowered.names.stations]
        found.append("way out")
    comes = tables.stocks["dist"] >= 0
    found += [
        f"stock of {name}"
        for name, is_away in zip(lowered.names.stocks, comes, strict=True)
        if is_away
    ]
    return found
