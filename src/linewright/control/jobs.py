"""Jobs: what the controller wants done, by whom, and how the end of it is reported.

Every question of the kernel but two is a job for somebody: a machine, a vehicle, those
who repair. When the kernel simulates, the answer is a time; here it is the job's end.
Nobody is asked when a failure comes, nor when something arrives: these are reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.lower import Lowered

__all__ = ["ACTIONS", "REPORTED", "Action", "Devices", "Job", "Unit", "device_of"]


class Action(NamedTuple):
    """What is done, and the event of the kernel that is its end.

    Attributes:
        name: The word for it in records and to machines.
        question: Question of the kernel that calls for it.
        event: Event that is its end.
        phase: Phase of the server that does it, or -1 if no server does.
    """

    name: str
    question: int
    event: int
    phase: int


ACTIONS: tuple[Action, ...] = (
    Action("process", t.ASK_PROCESS, t.FINISH, t.WORKING),
    Action("setup", t.ASK_SETUP, t.SETUP_DONE, t.SETTING_UP),
    Action("load", t.ASK_LOAD, t.LOADED, t.LOADS),
    Action("unload", t.ASK_UNLOAD, t.UNLOADED, t.UNLOADS),
    Action("repair", t.ASK_REPAIR, t.REPAIRED, -1),
    Action("move", t.ASK_MOVE, t.MOVED, -1),
    Action("fetch", t.ASK_FETCH, t.FETCHED, -1),
    Action("walk", t.ASK_WALK, t.PEOPLE_CAME, -1),
    Action("return", t.ASK_RETURN, t.RETURNED, -1),
)

BY_NAME = {action.name: action for action in ACTIONS}
BY_QUESTION = {action.question: action for action in ACTIONS}
BY_EVENT = {action.event: action for action in ACTIONS}
BY_PHASE = {action.phase: action for action in ACTIONS if action.phase >= 0}

REPORTED: dict[str, int] = {
    "failure": t.FAILURE,
    "failed": t.FAILURE,
    "arrival": t.ARRIVAL,
}
"""What is reported without a job: a failure of a machine, a unit at the line's door.

A machine that was down already when it started says ``failed``.
"""


class Unit(NamedTuple):
    """A unit by its product and its serial number among those of the product."""

    product: str
    serial: int

    def __str__(self) -> str:
        """Return the unit as it is written everywhere: product and number."""
        return f"{self.product} {self.serial}"


@dataclass(slots=True)
class Job:
    """One piece of work for one device.

    Attributes:
        device: Who is to do it.
        number: Its number among the jobs of the device, from 1, never used twice.
        action: What is to be done, the name of one of `ACTIONS`.
        row: Row of the kernel's table that its end is about.
        part: Row of the part it is about, or -1.
        units: The units it is about; of a batch all of them.
        operation: Operation of the routing that the units are at, or empty.
        epoch: Start of the controller in which it was commanded.
        want: What is wanted of it now: ``run``, ``hold`` or ``cancel``.
        version: How often that was said; the higher one counts.
        at_us: When it was commanded, microseconds from the line's start.
        in_doubt: Whether nobody knows if it was done: its machine started again since.
        worked_us: How long it had gone on when it last was to hold.
        since_us: Since when it goes on, or -1 while it is to hold.
    """

    device: str
    number: int
    action: str
    row: int
    part: int
    units: tuple[Unit, ...]
    operation: str
    epoch: int
    want: str
    version: int
    at_us: int
    in_doubt: bool = False
    worked_us: int = 0
    since_us: int = -1
    id: str = field(init=False)
    """Its identity: the device, and the job's number there."""

    def __post_init__(self) -> None:
        """Compose the identity once; it is asked for at every step."""
        self.id = f"{self.device}#{self.number}"

    def note(self) -> dict[str, Any]:
        """Return it as a snapshot keeps it, in the values of JSON."""
        return {
            "device": self.device,
            "number": self.number,
            "action": self.action,
            "row": self.row,
            "part": self.part,
            "units": [list(unit) for unit in self.units],
            "operation": self.operation,
            "epoch": self.epoch,
            "want": self.want,
            "version": self.version,
            "at_us": self.at_us,
            "in_doubt": self.in_doubt,
            "worked_us": self.worked_us,
            "since_us": self.since_us,
        }

    def command(self) -> dict[str, Any]:
        """Return it as it is written into the journal and sent to the device."""
        return {
            "job": self.id,
            "want": self.want,
            "version": self.version,
            "epoch": self.epoch,
            "action": self.action,
            "operation": self.operation,
            "units": list(map(list, self.units)),
        }


class Devices:
    """The devices of a line by name: who does what the kernel asks for."""

    def __init__(self, lowered: Lowered) -> None:
        names, tables = lowered.names, lowered.tables
        self._names = names
        first = tables.stations["first_server"].tolist()
        counts = tables.stations["n_servers"].tolist()
        self.servers = [
            station if counts[k] == 1 else f"{station}/{i + 1}"
            for k, station in enumerate(names.stations)
            for i in range(counts[k])
        ]
        assert len(self.servers) == sum(counts)
        assert first == [sum(counts[:k]) for k in range(len(counts))]
        self._owner = tables.server_modes["server"].tolist()
        self._mode = tables.server_modes["mode"].tolist()
        self._station_of_target = tables.targets["station"].tolist()

    def of(self, action: Action, row: int, state: t.State) -> str:
        """Return who does a job."""
        if action.phase >= 0:
            return self.servers[row]
        if action.name == "move":
            return self._way(row, state)
        if action.name == "fetch":
            fleet = self._names.fleets[int(state.vehicles["fleet"][row])]
            return f"{fleet}/{int(state.vehicles['number'][row]) + 1}"
        names = {"repair": self._repair, "walk": self._people, "return": self._stock}
        return names[action.name](row)

    def _way(self, part: int, state: t.State) -> str:
        """Return who brings a unit to where it goes."""
        target = int(state.parts["target"][part])
        if state.parts["step"][part] == t.COMPLETE or target < 0:
            return "way out"
        return f"way to {self._names.stations[self._station_of_target[target]]}"

    def failure(self, row: int) -> str:
        """Return the name of a failure or planned work at a server, with the server."""
        mode = self._names.modes[self._mode[row]]
        return f"{mode} at {self.servers[self._owner[row]]}"

    def _repair(self, row: int) -> str:
        return f"repair of {self.failure(row)}"

    def _people(self, claimant: int) -> str:
        n = len(self.servers)
        name = self.servers[claimant] if claimant < n else self.failure(claimant - n)
        return f"people for {name}"

    def _stock(self, row: int) -> str:
        return f"stock of {self._names.stocks[row]}"


def device_of(job_id: str) -> tuple[str, int]:
    """Return the device and the number of a job's identity.

    Raises:
        ValueError: It is no identity of a job.
    """
    device, found, number = job_id.rpartition("#")
    if not found or not number.isdecimal():
        msg = f'"{job_id}" is not the identity of a job, such as cure_oven/2#153'
        raise ValueError(msg)
    return device, int(number)
