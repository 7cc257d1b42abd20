"""A machine that is played: its list of jobs, its hands, its failures, what it shows.

What it shows is what is read of it. That is not always what is: a sensor may be dead, a
value frozen, a result wrong, an event out of its order.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.links import EVENTS_OF_BOOT
from linewright.control.machines import Entry, JobList

__all__ = ["NEVER_US", "Failure", "Machine", "Shift", "Shown", "state_of"]

NEVER_US = 1 << 60
_SLOWER = 5
_NO_RESULT = 7  # of no operation
_HOUR_US = 3_600_000_000

Event = tuple[int, str, str]


@dataclass(slots=True)
class Failure:
    """A way to fail, or planned work, of a server.

    Attributes:
        name: Its name, with the server.
        mode: Row of the modes.
        is_own: Whether the machine says itself when it is due; what comes by the
            calendar or by a count is known to whoever plans it.
        members: Other machines that stand still with it.
        left: How long, or how often, it is until it comes.
        n: How often it was set.
        is_active: Whether it has come and was not repaired yet.
    """

    name: str
    mode: int
    is_own: bool = True
    members: tuple[str, ...] = ()
    left: int = NEVER_US
    n: int = 0
    is_active: bool = False


class Shift:
    """When a station works, by its calendar; always, without one.

    Args:
        tables: The line.
        calendar: Row of its calendar, or -1.
    """

    def __init__(self, tables: t.LineTables, calendar: int) -> None:
        first, n = 0, 0
        if calendar >= 0:
            row = tables.calendars[calendar]
            first, n = int(row["first"]), int(row["n"])
        ticks = tables.ticks[first : first + n]
        self._at = ticks["at"].astype(np.int64)
        self._is_on = [bool(mode == t.CALENDAR_ON) for mode in ticks["mode"].tolist()]

    def is_on(self, at_us: int) -> bool:
        """Say whether it works at a time."""
        i = int(np.searchsorted(self._at, at_us, "right")) - 1
        return self._is_on[i] if i >= 0 else not self._is_on or not self._is_on[0]

    def next_us(self, at_us: int) -> int:
        """Return when that changes next."""
        i = int(np.searchsorted(self._at, at_us, "right"))
        return int(self._at[i]) if i < len(self._at) else NEVER_US


@dataclass(frozen=True, slots=True)
class Shown:
    """What is read of a machine.

    Attributes:
        boot: Which start of the machine this is.
        jobs: Its list.
        events: What it reports, as it stands on its list.
        clock_us: Its time of day, microseconds since 1970, or -1.
    """

    boot: int
    jobs: dict[str, Entry]
    events: list[Event]
    clock_us: int


@dataclass(slots=True)
class Machine:
    """One device; see the module's head."""

    device: str
    jobs: JobList
    shift: Shift
    failures: list[Failure] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    """What stands still with another machine's failure, or because of work on it."""
    left: dict[str, int] = field(default_factory=dict)
    """How long each job still takes."""
    whole: dict[str, int] = field(default_factory=dict)
    """How long each takes in all."""
    at_us: int = 0
    faults: set[str] = field(default_factory=set)
    n_events: int = 0
    changes: int = 0
    _frozen: Shown | None = None
    _unseen: set[str] = field(default_factory=set)
    _held_back: Event | None = None

    @property
    def is_down(self) -> bool:
        """Say whether it waits for a repair."""
        return bool(self.halted) or any(one.is_active for one in self.failures)

    @property
    def is_stuck(self) -> bool:
        """Say whether it stands still for no reason that it knows."""
        return "stuck" in self.faults

    @property
    def slower(self) -> int:
        """Return how many times as long it takes."""
        return _SLOWER if "slow" in self.faults else 1

    def running(self) -> list[str]:
        """Return the jobs that it works on now."""
        if self.is_stuck or self.is_down:
            return []
        return [k for k, e in self.jobs.jobs.items() if e.status == "running"]

    def is_processing(self) -> bool:
        """Say whether its clock of processing time goes."""
        jobs = self.jobs.jobs
        return any(jobs[k].command.get("action") == "process" for k in self.running())

    def lose_work(self) -> None:
        """Begin the processing under way anew, as after a failure that spoils it."""
        for job in self.running():
            if self.jobs.jobs[job].command["action"] == "process":
                self.left[job] = self.whole[job]

    # ------------------------------------------------------------ what it says

    def report(self, subject: str, kind: str = "failure") -> None:
        """Put something that has happened on the list of events."""
        self.n_events += 1
        event = (self.jobs.boot * EVENTS_OF_BOOT + self.n_events, kind, subject)
        if "disorder" in self.faults and self._held_back is None:
            self._held_back = event  # until the next one has been seen
            return
        self.jobs.events += [event] * (2 if "duplicate" in self.faults else 1)
        if self._held_back is not None:
            late, self._held_back = self._held_back, None
            self.jobs.events.append(late)

    def restart(self, *, remembers: bool) -> None:
        """Start again: what was under way is as if it had not been begun."""
        self.left.clear()
        self.whole.clear()
        self._held_back, self.n_events = None, 0
        self.jobs.restart(remembers=remembers)

    def ended(self, job: str) -> None:
        """Note that work has ended, which a dead sensor does not see."""
        if "dead" in self.faults:
            self._unseen.add(job)

    def set_fault(self, kind: str, wall_us: int) -> None:
        """Let something go wrong."""
        self.faults.add(kind)
        if kind == "frozen":
            self._frozen = self.shown(wall_us)

    def end_fault(self, kind: str) -> None:
        """Let it be right again."""
        self.faults.discard(kind)
        if kind == "frozen":
            self._frozen = None
        elif kind == "dead":
            self._unseen.clear()
        elif kind == "disorder" and self._held_back is not None:
            self.jobs.events.append(self._held_back)
            self._held_back = None

    def shown(self, wall_us: int) -> Shown:
        """Return what is read of it now.

        Args:
            wall_us: The time of day, microseconds since 1970, or -1 if it has no clock.
        """
        if self._frozen is not None:
            return self._frozen
        jobs = self.jobs.jobs
        if self.faults:
            jobs = {job: self._as_seen(job, entry) for job, entry in jobs.items()}
        events = list(self.jobs.events)
        if "disorder" in self.faults:
            events.reverse()
        is_behind = "clock" in self.faults and wall_us >= 0
        return Shown(
            self.jobs.boot, jobs, events, wall_us - (_HOUR_US if is_behind else 0)
        )

    def _as_seen(self, job: str, entry: Entry) -> Entry:
        if entry.status != "ended":
            return Entry(entry.command, entry.version, entry.status)
        if job in self._unseen:
            return Entry(entry.command, entry.version, "running")
        outcomes, measured = entry.outcomes, entry.measured
        if "wrong" in self.faults:
            outcomes = (_NO_RESULT,) * max(len(outcomes), 1)
        if "blind" in self.faults:
            measured = None
        elif measured and "garbled" in self.faults:
            measured = [dict.fromkeys(of, math.inf) for of in measured]
        return Entry(entry.command, entry.version, "ended", outcomes, measured)


def state_of(machine: Machine) -> dict[str, Any]:
    """Return what a machine has to know after a start, in the values of JSON."""
    jobs = machine.jobs
    return {
        "boot": jobs.boot,
        "epoch": jobs.epoch,
        "highest": dict(jobs.highest),
        "jobs": {job: asdict(entry) for job, entry in jobs.jobs.items()},
        "events": list(jobs.events),
        "modes": [[one.left, one.n, one.is_active] for one in machine.failures],
        "at_us": machine.at_us,
    }
