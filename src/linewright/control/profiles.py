"""Machines with tags and no job list: what is written to them, and how it is read.

A profile turns the messages of a link into values to write, and the values that are
read into a list of jobs. It does no I/O. `GUARANTEES` says what each can promise:

``packml``
    One job at a time behind a handshake by numbers. What is written twice, late or
    after a start has no further effect. A machine that keeps its memory loses nothing;
    one that has forgotten says so by another ``Status.Boot``, its job is in doubt, and
    a person is asked.
``bits``
    ``Start``, ``Busy``, ``Done``. A bit does not say which job it is for. Whenever the
    bits were out of sight, and do not say that the work goes on or is done (a start of
    the controller or of the machine, a write without an answer), nobody can know, and
    a person is asked. A machine that shows its ``Program`` says which job it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from linewright import tables as t
from linewright.control.jobs import device_of
from linewright.control.links import EVENTS_OF_BOOT, Message
from linewright.control.machines import Listing, Reply, plain

__all__ = [
    "GUARANTEES",
    "JOB_STATES",
    "PROFILES",
    "WANTS",
    "Bits",
    "PackTags",
    "Profile",
    "Tag",
    "command_of_program",
    "program_text",
    "units_of",
    "units_text",
]

Values = dict[str, Any]

WANTS = {"run": 1, "hold": 2, "cancel": 3}
JOB_STATES = {"none": 0, "running": 1, "held": 2, "ended": 3, "cancelled": 4}
_STATUS = {number: status for status, number in JOB_STATES.items()}

GUARANTEES = {
    "job_control": "no job is done twice and no result is lost, also when the machine "
    "forgets, if its units know what was done to them; else a person is asked",
    "packml": "no job is done twice and no result is lost while the machine keeps its "
    "memory; when it has forgotten, a person is asked",
    "bits": "no result is lost while the connection holds; after a start of either "
    "side, and after a write without an answer, a person is asked",
}


class Tag(NamedTuple):
    """A value of a machine.

    Attributes:
        kind: Its type in OPC UA; with ``[]`` an array.
        is_written: Whether the controller writes it.
        is_needed: Whether the profile cannot do without.
        wakes: Whether its change is worth a look at the machine.
        measures: The characteristic of which it shows a value, or empty. Then any
            number will do, alone or one for each unit.
        path: Names of the folders that it lies in, and its own; those of its name, at
            its dots, by default.
    """

    kind: str
    is_written: bool = False
    is_needed: bool = True
    wakes: bool = False
    measures: str = ""
    path: tuple[str, ...] = ()


def measured_tags(folder: Sequence[str], names: Sequence[str]) -> dict[str, Tag]:
    """Return the tags in which a machine shows what it measures.

    Args:
        folder: Folders that they lie in.
        names: The characteristics.
    """
    return {
        _measured(name): Tag("Double", wakes=True, measures=name, path=(*folder, name))
        for name in names
    }


def _measured(name: str) -> str:
    return f"Measured.{name}"


def _shown(tags: Mapping[str, Tag], values: Values) -> dict[str, Any]:
    """Return what the tags of a machine show of its characteristics."""
    return {
        tag.measures: plain(values[name]) for name, tag in tags.items() if tag.measures
    }


class Profile(Protocol):
    """How a machine without a job list is told what to do; see the module's head."""

    tags: Mapping[str, Tag]

    def writes(self, message: Message, before: Values) -> list[Values]:
        """Return what to write for a message, each when the one before is done.

        Args:
            message: The message, other than ``list``.
            before: What was read just before.

        Raises:
            ValueError: The machine cannot take it now, and why.
        """

    def answer(self, message: Message, after: Values) -> Any:
        """Return what the machine answers, from what is read after the writing.

        Raises:
            ValueError: It did not take what was written.
        """

    def listing(self, values: Values) -> Listing:
        """Return the machine's list from what was read.

        Raises:
            ValueError: It cannot be understood.
        """


def units_text(units: Any) -> str:
    """Return units as text, such as ``frame 3; frame 4``."""
    return "; ".join(f"{product} {serial}" for product, serial in units)


def units_of(text: str) -> list[list[Any]]:
    """Return the units of a text, as `units_text` writes it.

    Raises:
        ValueError: It is none.
    """
    pairs = [one.rpartition(" ") for one in text.split("; ")] if text else []
    return [[product, int(serial)] for product, _, serial in pairs]


def program_text(command: dict[str, Any]) -> str:
    """Return what a machine with a text for its program is to do."""
    what = (command["job"], command["action"], command["operation"])
    return "|".join((*what, units_text(command["units"])))


def command_of_program(text: str) -> dict[str, Any]:
    """Return a command from its text, as `program_text` writes it.

    Raises:
        ValueError: It is none.
    """
    try:
        job, action, operation, units = text.split("|")
        device_of(job)
        found = units_of(units)
    except ValueError as error:
        msg = f'Program is "{text}"; it is job|action|operation|units: {error}'
        raise ValueError(msg) from error
    return {"job": job, "action": action, "operation": operation, "units": found}


# ---------------------------------------------------------------------- PackML

_WRITTEN = {
    "Command.Action": "String",
    "Command.Operation": "String",
    "Command.Units": "String",
    "Command.Epoch": "UInt32",
    "Command.Boot": "UInt64",
    "Command.Want": "Int32",
    "Command.Version": "UInt32",
    "Command.SequenceCopy": "UInt32",
    "Command.Sequence": "UInt32",
    "Command.Acknowledge": "UInt32",
    "Command.EventAcknowledge": "UInt64",
}


class PackTags:
    """PackML tags with a handshake by numbers; see the module's head.

    Args:
        device: Name of the device.
        measures: Characteristics that it measures, below ``Status.Measured``.
    """

    TAGS: Mapping[str, Tag] = {
        **{name: Tag(kind, is_written=True) for name, kind in _WRITTEN.items()},
        "Status.Boot": Tag("UInt64", wakes=True),
        "Status.Sequence": Tag("UInt32"),
        "Status.Version": Tag("UInt32"),
        "Status.JobState": Tag("Int32", wakes=True),
        "Status.Outcomes": Tag("Int32[]"),
        "Status.EventCount": Tag("UInt64", wakes=True),
        "Status.Event": Tag("String"),
        "Status.Changes": Tag("UInt32", is_needed=False, wakes=True),
        "Status.Clock": Tag("DateTime", is_needed=False),
        "Status.StateCurrent": Tag("Int32", is_needed=False),
    }

    def __init__(self, device: str, measures: Sequence[str] = ()) -> None:
        self._device = device
        folder = ("Status", "Measured")
        self.tags: Mapping[str, Tag] = {**self.TAGS, **measured_tags(folder, measures)}

    def writes(self, message: Message, before: Values) -> list[Values]:
        """Return what to write; see `Profile`.

        The machine does not look at a command while its number is 0, so that it never
        sees half of one; the copy of the number tells one that comes late.
        """
        if message.kind == "clear":
            return [{"Command.Acknowledge": device_of(message.body)[1]}]
        if message.kind == "clear_events":
            return [{"Command.EventAcknowledge": message.body}]
        if message.kind != "put":
            msg = "it has no records of units that could be asked for"
            raise ValueError(msg)
        command = message.body
        number = device_of(command["job"])[1]
        has, state = before["Status.Sequence"], before["Status.JobState"]
        if number > has and state != JOB_STATES["none"]:
            msg = f"it has job {has} still, and takes one at a time"
            raise ValueError(msg)
        said = {
            "Command.Action": command.get("action", ""),
            "Command.Operation": command.get("operation", ""),
            "Command.Units": units_text(command.get("units", ())),
            "Command.Epoch": message.epoch,
            "Command.Boot": message.boot,
            "Command.Want": WANTS[command["want"]],
            "Command.Version": command["version"],
            "Command.SequenceCopy": number,
        }
        return [{"Command.Sequence": 0}, said, {"Command.Sequence": number}]

    def answer(self, message: Message, after: Values) -> Any:
        """Return what it answers; see `Profile`."""
        if message.kind != "put":
            return True
        boot, number = after["Status.Boot"], device_of(message.body["job"])[1]
        if boot != message.boot:
            return Reply("restarted", boot)
        has = after["Status.Sequence"]
        if has > number:
            return Reply("old", boot)
        if has == number and after["Status.Version"] >= message.body["version"]:
            return Reply("accepted", boot)
        msg = f"it does not take job {number}: it shows {has} as the last it has taken"
        raise ValueError(msg)

    def listing(self, values: Values) -> Listing:
        """Return its list; see `Profile`."""
        boot, state = values["Status.Boot"], values["Status.JobState"]
        if state not in _STATUS:
            msg = f"Status.JobState is {state}; it is 0 to {max(_STATUS)}"
            raise ValueError(msg)
        jobs, measured = {}, {}
        if state != JOB_STATES["none"]:
            outcomes = tuple(int(one) for one in values["Status.Outcomes"] or ())
            entry = (
                int(values["Status.Version"]),
                _STATUS[state],
                outcomes if _STATUS[state] == "ended" else (),
            )
            job = f"{self._device}#{values['Status.Sequence']}"
            jobs[job] = entry
            if entry[1] == "ended":
                measured[job] = _shown(self.tags, values)
        events: tuple[tuple[int, str, str], ...] = ()
        if values["Status.EventCount"]:
            kind, found, subject = values["Status.Event"].partition(" ")
            if not found:
                msg = f'Status.Event is "{kind}"; it is a kind and a subject'
                raise ValueError(msg)
            events = ((values["Status.EventCount"], kind, subject),)
        clock_us = values.get("Status.Clock")
        clock_us = -1 if clock_us is None else clock_us
        return Listing(boot, jobs, events, clock_us, measured, has_tags=True)


# ------------------------------------------------------------------------ bits


@dataclass(slots=True)
class Bits:
    """Plain bits; see the module's head.

    Args:
        device: Name of the device.
        boot: A number above all that such a thing had before, such as a time.
        reject: Outcome of work of which the machine says that it is not good.
        failure: Name of the failure that the bit ``Fault`` stands for, or empty.
        measures: Characteristics that it measures, below ``Measured``.
    """

    device: str
    boot: int
    reject: int = t.REWORK
    failure: str = ""
    measures: Sequence[str] = ()
    tags: Mapping[str, Tag] = field(
        default_factory=lambda: {
            "Program": Tag("String", is_written=True, is_needed=False),
            "Hold": Tag("Boolean", is_written=True, is_needed=False),
            "Start": Tag("Boolean", is_written=True),
            "Busy": Tag("Boolean"),
            "Done": Tag("Boolean", wakes=True),
            "Good": Tag("Boolean", is_needed=False),
            "Fault": Tag("Boolean", is_needed=False, wakes=True),
            "Changes": Tag("UInt32", is_needed=False, wakes=True),
        }
    )
    _job: str = ""
    _n_units: int = 1
    _version: int = 0
    _want: str = ""
    _n_faults: int = 0
    _had_fault: bool = False
    _event: int = 0

    def __post_init__(self) -> None:
        self.tags = {**self.tags, **measured_tags(("Measured",), self.measures)}

    def writes(self, message: Message, before: Values) -> list[Values]:
        """Return what to write; see `Profile`."""
        if message.kind == "clear":
            return [{"Start": False}]
        if message.kind == "clear_events":
            self._event = 0 if message.body >= self._event else self._event
            return []
        if message.kind != "put":
            msg = "it has no records of units that could be asked for"
            raise ValueError(msg)
        command = message.body
        if message.boot != self.boot:
            return []
        if command["job"] == self._job:
            return self._change(command)
        return self._begin(command, before) if "action" in command else []

    def _begin(self, command: dict[str, Any], before: Values) -> list[Values]:
        if before["Busy"] or before["Done"] or before["Start"]:
            if before["Done"] and not before["Busy"] and not self._job:
                return [{"Start": False}]  # a person has decided about that work
            msg = "its bits say that it has work still"
            raise ValueError(msg)
        self._job, self._n_units = command["job"], max(len(command["units"]), 1)
        self._version, self._want = command["version"], command["want"]
        is_held = command["want"] == "hold"
        said = {"Program": program_text(command), "Hold": is_held}
        return [said, {"Start": True}]

    def _change(self, command: dict[str, Any]) -> list[Values]:
        if command["version"] <= self._version:
            return []
        self._version, self._want = command["version"], command["want"]
        if command["want"] == "cancel":
            return [{"Start": False}]
        return [{"Hold": command["want"] == "hold"}]

    def answer(self, message: Message, after: Values) -> Any:
        """Return what it answers; see `Profile`."""
        if message.kind == "clear" and message.body == self._job:
            self._job = ""
        if message.kind != "put":
            return True
        if message.boot != self.boot:
            return Reply("restarted", self.boot)
        if message.body["job"] != self._job:
            return Reply("old", self.boot)
        return Reply("accepted", self.boot)

    def listing(self, values: Values) -> Listing:
        """Return its list; see `Profile`."""
        jobs: dict[str, tuple[int, str, tuple[int, ...]]] = {}
        measured = {}
        if not self._job and values["Start"] and values.get("Program"):
            self._take_up(values["Program"])
        if self._job:
            status = self._status(values)
            if status == "lost":
                self._forget()
            else:
                outcomes: tuple[int, ...] = ()
                if status == "ended":
                    measured[self._job] = _shown(self.tags, values)
                    outcomes = self._outcomes(values)
                jobs[self._job] = (self._version, status, outcomes)
        events = self._events(values)
        return Listing(self.boot, jobs, events, -1, measured, has_tags=True)

    def _outcomes(self, values: Values) -> tuple[int, ...]:
        """Return the verdicts, or none where they follow from what is measured."""
        is_good = values.get("Good")
        if is_good is None and self.measures:
            return ()
        return (self.reject if is_good is False else t.PASS,) * self._n_units

    def _status(self, values: Values) -> str:
        if values["Start"]:
            if values["Done"] and not values["Busy"]:
                return "ended"
            return "held" if values.get("Hold") else "running"
        if self._want == "cancel":
            return "running" if values["Busy"] else "cancelled"
        return "lost"

    def _forget(self) -> None:
        """Give up what nobody can know: everything before this is in doubt."""
        self.boot, self._job = self.boot + 1, ""

    def _take_up(self, program: str) -> None:
        """Know what the bits are about, because the machine shows it with them."""
        command = command_of_program(program)
        self._job, self._n_units = command["job"], max(len(command["units"]), 1)
        self._version, self._want = 1, "run"

    def _events(self, values: Values) -> tuple[tuple[int, str, str], ...]:
        has_fault = bool(values.get("Fault"))
        if has_fault and not self._had_fault and self.failure:
            self._n_faults += 1
            self._event = self.boot * EVENTS_OF_BOOT + self._n_faults
        self._had_fault = has_fault
        if not self._event:
            return ()
        return ((self._event, "failure", f"{self.failure} at {self.device}"),)


PROFILES = ("job_control", "packml", "bits")
