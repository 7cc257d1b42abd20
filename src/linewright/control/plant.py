"""A plant that is played: machines with job lists, hands that take time, and faults.

Each device of the line is a machine that keeps the contract of `machines`, works on
what it was given, and fails by its processing time. What time it is, it is told; who
asks, and over what, is the business of its owner: a server of OPC UA, or a test. It
writes down itself what it has done, so that the journal can be held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.control.drawn import Drawn
from linewright.control.jobs import Devices, device_of
from linewright.control.links import Message
from linewright.control.machines import Entry, JobList, Reply
from linewright.lower import Lowered
from linewright.model.line import Line

__all__ = ["FAULTS", "Done", "Fault", "Plant", "RestartedError"]

FAULTS = {
    "slow": "takes five times as long for what it begins from then on",
    "stuck": "stands still, with all it has begun",
    "restart": "starts again and remembers its list; what it had begun, begins anew",
    "forget": "starts again and has forgotten its list, not what was done to units",
    "duplicate": "reports every failure twice",
    "drop": "all sessions are cut",
}
_SLOWER = 5
_CLOCKS = {t.CLOCK_PROCESSING, t.CLOCK_CALENDAR}
_EVENTS_OF_BOOT = 1_000


class RestartedError(Exception):
    """What was asked was meant for the machine before its last start."""


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        kind: One of `FAULTS`.
        device: At which device; empty for ``drop``.
        at_us: When, microseconds from the plant's start.
        for_us: How long, if it is ``slow`` or ``stuck``; 0 for ever.
    """

    kind: str
    device: str
    at_us: int
    for_us: int = 0


class Done(NamedTuple):
    """Work that was done, and cannot be undone."""

    at_us: int
    job: str
    command: dict[str, Any]
    outcomes: tuple[int, ...]


@dataclass(slots=True)
class _Mode:
    """A way to fail, or planned work, of a server."""

    name: str
    mode: int
    left: int = 0
    n: int = 0
    is_active: bool = False


@dataclass(slots=True)
class Machine:
    """One device; see the module's head."""

    device: str
    jobs: JobList
    modes: list[_Mode] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    at_us: int = 0
    is_stuck: bool = False
    is_slow: bool = False
    is_twice: bool = False
    n_events: int = 0
    changes: int = 0

    @property
    def is_down(self) -> bool:
        """Say whether it waits for a repair."""
        return any(mode.is_active for mode in self.modes)

    def running(self) -> list[str]:
        """Return the jobs that it works on now."""
        if self.is_stuck or self.is_down:
            return []
        return [k for k, e in self.jobs.jobs.items() if e.status == "running"]

    def is_processing(self) -> bool:
        """Say whether its clock of processing time goes."""
        jobs = self.jobs.jobs
        return any(jobs[k].command.get("action") == "process" for k in self.running())


class Plant:
    """The machines of a line; see the module's head.

    Args:
        line: The line.
        lowered: The same, laid out.
        seed: Seed of the times and verdicts.
        boot: Which start of the machines this is, above those before.
        faults: What goes wrong.
        memory: State of machines by device from before, as `keep` was given it.
        keep: Told the state of a machine whenever it has changed, before anybody else
            can know of it; and ``None`` with what was done.

    Attributes:
        servers: Devices that are servers of stations.
        done: What was done since the start, in order.
        changed: Devices with something new, for the owner to take.
        dropped: How often all sessions were to be cut.
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
    ) -> None:
        self._drawn, self._tables = Drawn(line, lowered, seed), lowered.tables
        self._keep = keep
        self.machines: dict[str, Machine] = {}
        self.servers = frozenset(Devices(lowered).servers)
        self.done: list[Done] = list(done)
        self._tags = {one.job: one.outcomes for one in done}
        self.changed: set[str] = set()
        self.dropped = 0
        self._faults: list[Fault] = []
        self.inject(faults)
        self._ends: list[tuple[int, str, str]] = []
        for device in devices_of(lowered):
            self.machines[device] = Machine(device, JobList(boot=boot))
        self._give_modes(lowered)
        for device, state in (memory or {}).items():
            if device in self.machines:
                self._remember(self.machines[device], state, boot)

    def inject(self, faults: Sequence[Fault]) -> None:
        """Let something go wrong."""
        self._faults = sorted([*self._faults, *faults], key=lambda fault: fault.at_us)

    def _give_modes(self, lowered: Lowered) -> None:
        devices = Devices(lowered)
        for row, of in enumerate(lowered.tables.server_modes):
            machine = self.machines[devices.servers[int(of["server"])]]
            made = _Mode(devices.failure(row), int(of["mode"]))
            self._wind(made)
            machine.modes.append(made)

    def _wind(self, mode: _Mode) -> None:
        """Set how long it is to a machine's next failure of a kind."""
        row = self._tables.modes[mode.mode]
        is_first = mode.n == 0
        if int(row["clock"]) in _CLOCKS:
            dist = int(row["first" if is_first else "every"])
            rng = self._drawn.stream("failure", mode.name, mode.n)
            mode.left = self._drawn.sample(dist, rng) if dist >= 0 else _NEVER_US
        else:
            mode.left = max(int(row["first"]) if is_first else int(row["cycles"]), 1)
        mode.n += 1

    # ------------------------------------------------------------ what is asked of it

    def answer(self, device: str, message: Message, now_us: int) -> Any:
        """Return what a machine answers.

        Raises:
            RestartedError: It was meant for the machine before its last start.
            KeyError: There is no such device.
        """
        machine = self.machines[device]
        self.advance(now_us)
        jobs = machine.jobs
        if message.kind == "list":
            return jobs.list()
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

    def _put(self, machine: Machine, message: Message) -> Reply:
        reply = machine.jobs.put(message.body, message.epoch, message.boot)
        if reply.code == "accepted":
            self._look(machine)
            self._note(machine, is_new=False)
        return reply

    def _look(self, machine: Machine) -> None:
        """Begin what is new on the list, and drop what is not there any more."""
        jobs = machine.jobs.jobs
        for job in [job for job in machine.left if job not in jobs]:
            del machine.left[job]
        for job, entry in jobs.items():
            if job not in machine.left and entry.status in {"running", "held"}:
                number = device_of(job)[1]
                total = self._drawn.duration_us(machine.device, number, entry.command)
                machine.left[job] = total * (_SLOWER if machine.is_slow else 1)

    def _note(self, machine: Machine, *, is_new: bool) -> None:
        """Write down what a machine knows, then say that there is something new."""
        if self._keep is not None:
            self._keep(machine.device, state_of(machine))
        machine.changes += is_new
        self.changed.add(machine.device)

    # ------------------------------------------------------------ time

    def next_us(self) -> int | None:
        """Return when something happens next, if anything does by itself."""
        found = [
            at for m in self.machines.values() if (at := self._next(m)) is not None
        ]
        found += [fault.at_us for fault in self._faults[:1]]
        found += [at for at, _, _ in self._ends]
        return min(found, default=None)

    def _next(self, machine: Machine) -> int | None:
        times = [machine.left[job] for job in machine.running() if job in machine.left]
        times += [mode.left for mode in machine.modes if self._counts(machine, mode)]
        return machine.at_us + max(min(times), 0) if times else None

    def _counts(self, machine: Machine, mode: _Mode) -> bool:
        """Say whether the clock of a failure goes with the time."""
        clock = int(self._tables.modes["clock"][mode.mode])
        if mode.is_active or clock not in _CLOCKS or mode.left >= _NEVER_US:
            return False
        return clock == t.CLOCK_CALENDAR or machine.is_processing()

    def advance(self, now_us: int) -> None:
        """Let happen what happens until a time, in its order."""
        while (at_us := self.next_us()) is not None and at_us <= now_us:
            self._go_wrong(at_us)
            for machine in self.machines.values():
                if (at := self._next(machine)) is not None and at <= at_us:
                    self._happen(machine, at_us)
        for machine in self.machines.values():
            self._pass(machine, now_us)

    def _pass(self, machine: Machine, now_us: int) -> None:
        passed = now_us - machine.at_us
        if passed <= 0:
            return
        counting = [mode for mode in machine.modes if self._counts(machine, mode)]
        for job in machine.running():
            machine.left[job] -= passed
        for mode in counting:
            mode.left -= passed
        machine.at_us = now_us

    def _happen(self, machine: Machine, now_us: int) -> None:
        self._pass(machine, now_us)
        for job in machine.running():
            if machine.left[job] <= 0:
                self._end(machine, job, now_us)
        for mode in machine.modes:
            if self._counts(machine, mode) and mode.left <= 0:
                self._fail(machine, mode)

    def _end(self, machine: Machine, job: str, now_us: int) -> None:
        """Work is done: nobody can undo it."""
        del machine.left[job]
        device, number = device_of(job)
        command = machine.jobs.jobs[job].command
        outcomes = self._drawn.outcomes(device, number, command)
        done = Done(now_us, job, command, outcomes)
        self._tags[job] = outcomes
        self.done.append(done)
        machine.jobs.end(job, outcomes)
        if self._keep is not None:
            self._keep("", done._asdict())
        self._note(machine, is_new=True)
        if command["action"] == "repair":
            self._mend(device.removeprefix("repair of "), now_us)
        elif command["action"] == "process":
            self._count(machine, len(command["units"]))

    def _count(self, machine: Machine, n_units: int) -> None:
        """Count the cycles and units to a failure."""
        for mode in machine.modes:
            clock = int(self._tables.modes["clock"][mode.mode])
            if clock in _CLOCKS or mode.is_active:
                continue
            mode.left -= n_units if clock == t.CLOCK_UNITS else 1
            if mode.left <= 0:
                self._fail(machine, mode)

    def _fail(self, machine: Machine, mode: _Mode) -> None:
        """Break down, or say that planned work is due, which stops nothing."""
        if self._tables.modes["planned"][mode.mode] == t.UNPLANNED:
            mode.is_active = True
        else:
            mode.left = _NEVER_US  # until the work is done
        self._report(machine, mode.name)

    def _report(self, machine: Machine, subject: str) -> None:
        machine.n_events += 1
        number = machine.jobs.boot * _EVENTS_OF_BOOT + machine.n_events
        event = (number, "failure", subject)
        machine.jobs.events += [event] * (2 if machine.is_twice else 1)
        self._note(machine, is_new=True)

    def _mend(self, subject: str, now_us: int) -> None:
        machine = self.machines[subject.rpartition(" at ")[2]]
        self._pass(machine, now_us)
        for mode in machine.modes:
            if mode.name == subject:
                mode.is_active = False
                self._wind(mode)
        self._note(machine, is_new=False)

    # ------------------------------------------------------------ faults

    def _go_wrong(self, now_us: int) -> None:
        for end in [end for end in self._ends if end[0] <= now_us]:
            self._ends.remove(end)
            self._pass(self.machines[end[2]], now_us)
            self._set(self.machines[end[2]], end[1], False)
        while self._faults and self._faults[0].at_us <= now_us:
            fault = self._faults.pop(0)
            if fault.kind == "drop":
                self.dropped += 1
                continue
            machine = self.machines[fault.device]
            self._pass(machine, now_us)
            if fault.kind in {"restart", "forget"}:
                self.restart(fault.device, remembers=fault.kind == "restart")
            else:
                self._set(machine, fault.kind, True)
            if fault.for_us:
                self._ends.append((now_us + fault.for_us, fault.kind, fault.device))

    def _set(self, machine: Machine, kind: str, value: bool) -> None:
        if kind == "slow":
            machine.is_slow = value
        elif kind == "stuck":
            machine.is_stuck = value
        else:
            machine.is_twice = value

    def restart(self, device: str, *, remembers: bool) -> None:
        """Start a machine again: what was under way is as if it had not been begun."""
        machine = self.machines[device]
        machine.left.clear()
        machine.jobs.restart(remembers=remembers)
        self._begin_again(machine)
        self._note(machine, is_new=True)

    def _begin_again(self, machine: Machine) -> None:
        self._look(machine)
        machine.n_events = 0
        for mode in machine.modes:
            is_due = mode.left >= _NEVER_US
            if mode.is_active or is_due:
                self._report(machine, mode.name)

    def _remember(self, machine: Machine, state: dict[str, Any], boot: int) -> None:
        """Take up what a machine knew before the plant started again."""
        jobs = machine.jobs
        jobs.epoch, jobs.highest = state["epoch"], state["highest"]
        jobs.jobs = {
            job: Entry(
                one["command"], one["version"], one["status"], tuple(one["outcomes"])
            )
            for job, one in state["jobs"].items()
        }
        jobs.events = [tuple(event) for event in state["events"]]
        jobs.boot = max(boot, state["boot"] + 1)
        for mode, (left, n, is_active) in zip(
            machine.modes, state["modes"], strict=True
        ):
            mode.left, mode.n, mode.is_active = left, n, is_active
        self._begin_again(machine)


_NEVER_US = 1 << 60


def state_of(machine: Machine) -> dict[str, Any]:
    """Return what a machine has to know after a start, in the values of JSON."""
    jobs = machine.jobs
    return {
        "boot": jobs.boot,
        "epoch": jobs.epoch,
        "highest": dict(jobs.highest),
        "jobs": {job: asdict(entry) for job, entry in jobs.jobs.items()},
        "events": list(jobs.events),
        "modes": [[mode.left, mode.n, mode.is_active] for mode in machine.modes],
    }


def devices_of(lowered: Lowered) -> list[str]:
    """Return the devices of a line that its played machines need, in order.

    Those are its servers, who repairs them, and the ways between them.
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
    return found
