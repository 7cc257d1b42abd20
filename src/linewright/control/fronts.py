"""Played machines behind tags: the machine's side of `profiles`.

What is written to a front is what a control would see at its next cycle, and what is
read of it is made up then. Behind it is a machine that keeps a list of jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

from linewright import tables as t
from linewright.control.jobs import device_of
from linewright.control.links import Message
from linewright.control.machines import Entry, by_name
from linewright.control.played import Shown
from linewright.control.profiles import (
    JOB_STATES,
    WANTS,
    Values,
    command_of_program,
    units_of,
)

__all__ = ["BitsFront", "Front", "PackFront"]

_WANT_OF = {number: want for want, number in WANTS.items()}
_IDLE, _EXECUTE, _ABORTED, _HELD = 4, 6, 9, 11  # states of PackML


class Front:
    """A machine behind tags; see the module's head.

    Args:
        device: Name of the device.
        answer: Says what the machine behind answers to a message.
        shown: Says what is read of it.
        highest: Says the number of the last job that it has taken.
        is_down: Says whether it waits for a repair.
        measures: Characteristics that it measures.
    """

    def __init__(
        self,
        device: str,
        answer: Callable[[Message], Any],
        shown: Callable[[], Shown],
        highest: Callable[[], int],
        is_down: Callable[[], bool] = lambda: False,
        measures: Sequence[str] = (),
    ) -> None:
        self._device, self._answer, self._shown = device, answer, shown
        self._highest, self._is_down = highest, is_down
        self._measures = measures
        self.command: Values = {}

    def write(self, values: Values) -> None:
        """Take what was written, and look at it as the control does at its next cycle.

        Raises:
            ValueError: It cannot be understood; nothing has changed.
        """
        self.command.update(values)
        self._scan()

    def values(self) -> Values:
        """Return what is read, the written values included."""
        raise NotImplementedError

    def _scan(self) -> None:
        raise NotImplementedError

    def _measured(self, entry: Entry | None) -> Values:
        """Return what its tags show of its characteristics: no number, if nothing."""
        found = by_name(entry.measured) if entry is not None else {}
        return {f"Measured.{name}": found.get(name, nan) for name in self._measures}


class PackFront(Front):
    """PackML tags with a handshake by numbers."""

    def values(self) -> Values:
        """Return what is read; see `Front`."""
        shown = self._shown()
        found: Values = {
            **dict.fromkeys(_NUMBERS, 0),
            **dict.fromkeys(_TEXTS, ""),
            **self.command,
            "Status.Boot": shown.boot,
            "Status.Sequence": self._highest(),
            "Status.Version": 0,
            "Status.JobState": JOB_STATES["none"],
            "Status.Outcomes": [],
            "Status.EventCount": 0,
            "Status.Event": "",
            "Status.Clock": shown.clock_us,
            "Status.StateCurrent": _ABORTED if self._is_down() else _IDLE,
            **self._measured(None),
        }
        for job, entry in shown.jobs.items():  # there is one at the most
            found["Status.Sequence"] = device_of(job)[1]
            found["Status.Version"] = entry.version
            found["Status.JobState"] = JOB_STATES[entry.status]
            found["Status.Outcomes"] = list(entry.outcomes)
            found |= self._measured(entry)
            if not self._is_down() and entry.status in {"running", "held"}:
                is_held = entry.status == "held"
                found["Status.StateCurrent"] = _HELD if is_held else _EXECUTE
        if shown.events:
            number, kind, subject = min(shown.events)
            found["Status.EventCount"] = number
            found["Status.Event"] = f"{kind} {subject}"
        return found

    def _scan(self) -> None:
        command, shown = self.command, self._shown()
        number = command.get("Command.Sequence", 0)
        job = f"{self._device}#{number}"
        done = f"{self._device}#{command.get('Command.Acknowledge', 0)}"
        if done in shown.jobs:
            self._answer(Message("clear", done, 0, shown.boot))
        seen = command.get("Command.EventAcknowledge", 0)
        if seen:
            self._answer(Message("clear_events", seen, 0, shown.boot))
        others = [one for one in self._shown().jobs if one != job]
        if number != command.get("Command.SequenceCopy"):
            return
        if not number or others or command.get("Command.Want") not in _WANT_OF:
            return
        order = {
            "job": job,
            "want": _WANT_OF[command["Command.Want"]],
            "version": command["Command.Version"],
            "epoch": command["Command.Epoch"],
            "action": command["Command.Action"],
            "operation": command["Command.Operation"],
            "units": units_of(command["Command.Units"]),
        }
        boot = command["Command.Boot"]
        self._answer(Message("put", order, command["Command.Epoch"], boot))


_NUMBERS = (
    "Command.Epoch",
    "Command.Boot",
    "Command.Want",
    "Command.Version",
    "Command.SequenceCopy",
    "Command.Sequence",
    "Command.Acknowledge",
    "Command.EventAcknowledge",
)
_TEXTS = ("Command.Action", "Command.Operation", "Command.Units")


class BitsFront(Front):
    """Plain bits; what was set is gone after a start of the machine."""

    _job = ""
    _boot = 0

    def values(self) -> Values:
        """Return what is read; see `Front`."""
        shown = self._shown()
        self._start_again(shown)
        entry = shown.jobs.get(self._job)
        status = entry.status if entry else "none"
        outcomes = entry.outcomes if entry else ()
        is_good = all(outcome & 3 == t.PASS for outcome in outcomes)
        return {
            "Program": "",
            "Hold": False,
            "Start": False,
            **self.command,
            "Busy": status in {"running", "held"},
            "Done": status == "ended",
            "Good": is_good,
            "Fault": self._is_down(),
            **self._measured(entry),
        }

    def _start_again(self, shown: Shown) -> None:
        if shown.boot != self._boot:
            self._boot, self._job, self.command = shown.boot, "", {}

    def _scan(self) -> None:
        written = dict(self.command)
        shown = self._shown()
        if shown.boot != self._boot:
            self._start_again(shown)
            self.command = written
        if not written.get("Start"):
            self._stop(shown)
        elif not self._job:
            self._begin(written)
        elif self._job in shown.jobs:
            self._want("hold" if written.get("Hold") else "run", shown)

    def _begin(self, written: Values) -> None:
        command = command_of_program(written.get("Program", ""))
        want = "hold" if written.get("Hold") else "run"
        order = command | {"want": want, "version": 1, "epoch": 0}
        self._answer(Message("put", order, 0, self._boot))
        self._job = command["job"]

    def _want(self, want: str, shown: Shown) -> None:
        version = shown.jobs[self._job].version + 1
        order = {"job": self._job, "want": want, "version": version}
        self._answer(Message("put", order, 0, self._boot))

    def _stop(self, shown: Shown) -> None:
        """Give up the work, or forget its result: the bit has fallen."""
        if not self._job:
            return
        entry = shown.jobs.get(self._job)
        if entry is not None and entry.status in {"running", "held"}:
            self._want("cancel", shown)
        self._answer(Message("clear", self._job, 0, self._boot))
        self._job = ""
