"""What a machine of the line has to do, and one that does it.

The contract is the same for a machine on the shop floor behind its adapter and for one
that is played: it keeps a list of jobs, and everything that was said to it may come
late, twice, in another order, or not at all. `JobList` is the contract as code:

1. A job that is known changes only by a later version of what is wanted of it.
2. A job that is not known is taken if its number is above all numbers seen; else it is
   old, has been done and cleared, and is refused.
3. What was meant for the machine before it started again is refused, and so is what an
   earlier start of the controller sends after a later one.
4. A job that has ended stays on the list with its result until it is cleared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linewright.control.jobs import device_of

__all__ = ["Entry", "JobList", "Listing", "Reply", "UnitRecord", "by_name", "plain"]


class Reply(NamedTuple):
    """What a machine says to a command.

    Attributes:
        code: ``accepted``, ``known``, ``old`` (number, version or controller), or
            ``restarted``: it was meant for the machine before its last start.
        boot: Start of the machine that says so.
    """

    code: str
    boot: int


class Listing(NamedTuple):
    """The jobs of a machine.

    Attributes:
        boot: Which start of the machine this is; another number after each.
        jobs: Each job's version, status (``running``, ``held``, ``ended``,
            ``cancelled``) and, when it has ended, the outcomes.
        events: What else happened and was not acknowledged: number, kind, subject.
        clock_us: Its time of day, microseconds since 1970, or -1 if it has none.
        measured: What was measured by jobs that have ended: by job and characteristic
            one value, or one for each unit, as `plain` leaves them.
        has_tags: Whether those are values of tags that show something whatever the
            job was, so that only what its operation measures counts.
    """

    boot: int
    jobs: dict[str, tuple[int, str, tuple[int, ...]]]
    events: tuple[tuple[int, str, str], ...]
    clock_us: int = -1
    measured: Mapping[str, Mapping[str, Any]] = {}
    has_tags: bool = False


class UnitRecord(NamedTuple):
    """What the units of a job themselves know of it.

    Attributes:
        outcomes: The verdict on each.
        measured: What was measured, as in a `Listing`.
    """

    outcomes: tuple[int, ...]
    measured: Mapping[str, Any] = {}


def plain(value: Any) -> Any:
    """Return a value that a machine says as the journal can have it.

    Numbers and lists stay; what is no number becomes a text that says what it is, and
    ``nan`` is one of them. So nothing is lost, and nothing is taken for a number.
    """
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    return f"a {type(value).__name__}"


def by_name(measured: Sequence[Mapping[str, float]] | None) -> dict[str, Any]:
    """Return the values of units by characteristic: one value, or one for each unit."""
    if not measured:
        return {}
    names = dict.fromkeys(name for of in measured for name in of)
    if len(measured) == 1:
        return dict(measured[0])
    return {name: [of.get(name) for of in measured] for name in names}


@dataclass(slots=True)
class Entry:
    """A job on a machine's list."""

    command: dict[str, Any]
    version: int
    status: str
    outcomes: tuple[int, ...] = ()
    measured: list[dict[str, float]] | None = None


@dataclass(slots=True)
class JobList:
    """The list of a machine; see the module's head.

    What the machine does when a job's status changes is up to who owns the list.
    """

    boot: int = 1
    epoch: int = 0
    highest: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, Entry] = field(default_factory=dict)
    events: list[tuple[int, str, str]] = field(default_factory=list)

    def put(self, command: dict[str, Any], epoch: int, boot: int) -> Reply:
        """Take a command, or say why not."""
        if boot != self.boot:
            return Reply("restarted", self.boot)
        if epoch < self.epoch:
            return Reply("old", self.boot)
        self.epoch = epoch
        job_id, version = command["job"], command["version"]
        device, number = device_of(job_id)
        entry = self.jobs.get(job_id)
        if entry is not None:
            if version <= entry.version:
                return Reply("known", self.boot)
            entry.version = version
            if entry.status in {"running", "held"}:
                entry.status = _STATUS[command["want"]]
            return Reply("accepted", self.boot)
        if number <= self.highest.get(device, 0):
            return Reply("old", self.boot)
        self.highest[device] = number
        self.jobs[job_id] = Entry(command, version, _STATUS[command["want"]])
        return Reply("accepted", self.boot)

    def end(
        self,
        job_id: str,
        outcomes: tuple[int, ...],
        measured: list[dict[str, float]] | None = None,
    ) -> None:
        """Note that a job has ended, and what was measured at each of its units."""
        entry = self.jobs[job_id]
        entry.status, entry.outcomes, entry.measured = "ended", outcomes, measured

    def clear(self, job_id: str) -> None:
        """Forget a job that has ended or was cancelled; others stay."""
        entry = self.jobs.get(job_id)
        if entry is not None and entry.status in {"ended", "cancelled"}:
            del self.jobs[job_id]

    def clear_events(self, number: int) -> None:
        """Forget events up to a number."""
        self.events = [event for event in self.events if event[0] > number]

    def list(self) -> Listing:
        """Return what is on the list."""
        jobs = {
            job_id: (entry.version, entry.status, entry.outcomes)
            for job_id, entry in self.jobs.items()
        }
        return Listing(self.boot, jobs, tuple(self.events))

    def restart(self, *, remembers: bool) -> None:
        """Start again, with or without a memory."""
        self.boot += 1
        if not remembers:
            self.epoch, self.highest, self.jobs, self.events = 0, {}, {}, []


_MOST_TEXT = 40
_STATUS = {"run": "running", "hold": "held", "cancel": "cancelled"}
