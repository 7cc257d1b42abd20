"""A link to one machine: one message at a time, and nothing believed that was not read.

A link is driven by whoever has a network and a clock: it says what to send next, and is
told what came back or that nothing did. A message without an answer leaves its job **in
doubt**: the only thing that is sent then is a question for the machine's list, and what
stands there decides. Notifications are a hint to ask for the list soon, no more. Lists
are asked for on a rhythm anyway, and first of all after every start of either side.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from linewright.control.jobs import REPORTED, Job
from linewright.control.machines import Listing, Reply, UnitRecord
from linewright.control.records import Answer, Signal

__all__ = ["EVENTS_OF_BOOT", "Link", "Message"]

ASK_EVERY_US = 5_000_000
GAP_US, AGAIN_US = 8_000_000, 200_000
LATE_US = 10_000_000
"""So long what was measured may come after the result that it belongs to."""
EVENTS_OF_BOOT = 1_000
"""Events are numbered in turn from the start's number times this, plus one."""


class Message(NamedTuple):
    """What is sent to a machine.

    Attributes:
        kind: ``list``, ``put``, ``clear``, ``clear_events`` or ``check``.
        body: The command, the job or the number it is about.
        epoch: Start of the controller that sends it.
        boot: Start of the machine that it is meant for, or 0 for any.
    """

    kind: str
    body: Any
    epoch: int
    boot: int


@dataclass(slots=True)
class _Sent:
    message: Message
    until_us: int


class Link:
    """The controller's side of a link; see the module's head.

    Args:
        device: Name of the device.
        epoch: Start of the controller.
        timeout_us: How long an answer may take.
        has_guard: Whether the machine can tell of a unit what was done to it, even
            after it has forgotten its jobs (a tag on the carrier, a scan).
        counted: Number of the last event of the device that is in the journal, or -1.
    """

    def __init__(
        self,
        device: str,
        epoch: int,
        timeout_us: int,
        *,
        has_guard: bool,
        counted: int = -1,
    ) -> None:
        self.device, self.epoch = device, epoch
        self._timeout_us, self._has_guard = timeout_us, has_guard
        self._sent: _Sent | None = None
        self._boot = self._written_boot = 0
        self._ask_at_us = 0
        self._acknowledged: dict[str, int] = {}
        self._to_clear: list[str] = []
        self._to_cancel: dict[str, int] = {}
        self._to_check: list[str] = []
        self._clear_events = 0
        self._refused: set[tuple[str, tuple[int, ...], str]] = set()
        self._ended: dict[str, int] = {}
        self.ask_every_us = ASK_EVERY_US
        self.in_doubt = True
        self._counted = counted
        self._gap_since_us = -1
        self._asks_again = False

    @property
    def is_waiting(self) -> bool:
        """Say whether an answer is awaited."""
        return self._sent is not None

    def wake(self) -> None:
        """Ask for the list soon: something seems to have happened."""
        self._ask_at_us = 0

    def next_at_us(self) -> int:
        """Return when there is something to do at the latest."""
        return self._sent.until_us if self._sent else self._ask_at_us

    def next_message(
        self, jobs: Iterable[Job], boot: int, now_us: int
    ) -> Message | None:
        """Return what to send now, if anything.

        Args:
            jobs: What is wanted of the device, oldest first.
            boot: Start of the machine as the journal has it.
            now_us: The time.
        """
        if self._asks_again:
            self._asks_again = False
            self._ask_at_us = min(self._ask_at_us, now_us + AGAIN_US)
        if self._sent is not None:
            if now_us < self._sent.until_us:
                return None
            self.lost()
        self._written_boot = boot
        message = self._chosen(jobs, boot, now_us)
        if message is not None:
            self._sent = _Sent(message, now_us + self._timeout_us)
        return message

    def _chosen(self, jobs: Iterable[Job], boot: int, now_us: int) -> Message | None:
        if self.in_doubt or now_us >= self._ask_at_us:
            return self._message("list", None)
        if boot != self._boot:
            return None  # first the journal has to know that the machine started again
        if self._clear_events:
            return self._message("clear_events", self._clear_events)
        if self._to_clear:
            return self._message("clear", self._to_clear[0])
        if self._to_check:
            return self._message("check", self._to_check[0])
        command = self._command(jobs)
        return self._message("put", command) if command else None

    def _command(self, jobs: Iterable[Job]) -> dict[str, Any] | None:
        """Return what the machine has not been told yet."""
        if self._to_cancel:
            job_id, version = next(iter(self._to_cancel.items()))
            return {"job": job_id, "want": "cancel", "version": version}
        told = self._acknowledged
        for job in jobs:
            if told.get(job.id, 0) < job.version and not job.in_doubt:
                return job.command()
        return None

    def _message(self, kind: str, body: Any) -> Message:
        return Message(kind, body, self.epoch, self._boot)

    def lost(self) -> None:
        """Note that no answer came: what was sent may have arrived or not."""
        self._sent = None
        self.in_doubt = True

    def answered(
        self, message: Message, answer: Any, jobs: dict[str, Job], now_us: int
    ) -> list[Signal]:
        """Take an answer; return what is to be told to the controller.

        An answer to another message than the last one says nothing any more.
        """
        if self._sent is None or self._sent.message is not message:
            return []
        self._sent = None
        if message.kind == "list":
            return self._read(answer, jobs, now_us)
        if message.kind == "put":
            self._put(message.body, answer)
        elif message.kind == "clear_events":
            self._clear_events = 0
        elif message.body in self._to_clear:
            self._to_clear.remove(message.body)
        elif message.body in self._to_check:
            self._to_check.remove(message.body)
            return [_of_record(message.body, answer)]
        return []

    def _put(self, command: dict[str, Any], reply: Reply) -> None:
        if reply.code not in {"accepted", "known"}:
            self.in_doubt = True
            return
        self._acknowledged[command["job"]] = command["version"]
        if self._to_cancel.pop(command["job"], 0):
            self._ask_at_us = 0  # it may have ended before

    def _read(
        self, listing: Listing, jobs: dict[str, Job], now_us: int
    ) -> list[Signal]:
        """Hold the machine's list against what is wanted of it.

        What is on the list and wanted by nobody has ended and was committed, or was
        called off. That the machine has started is told until the journal has it.
        """
        self.in_doubt = False
        self._ask_at_us = now_us + self.ask_every_us
        if listing.boot != self._boot:
            self._boot = listing.boot
            self._ask_at_us = 0  # when the journal knows, what is in doubt is looked at
        self._acknowledged = {job: entry[0] for job, entry in listing.jobs.items()}
        self._to_clear, self._to_cancel, self._to_check = [], {}, []
        self._ended = {job: at for job, at in self._ended.items() if job in jobs}
        told: list[Signal] = []
        if listing.boot != self._written_boot:
            told.append(Signal("machine", self.device, number=listing.boot))
        for job_id, (version, status, outcomes) in listing.jobs.items():
            job = jobs.get(job_id)
            if job is None:
                if status in {"ended", "cancelled"}:
                    self._to_clear.append(job_id)
                else:
                    self._to_cancel[job_id] = version + 1
            elif status == "ended":
                since_us = self._ended.setdefault(job_id, now_us)
                done = _done(
                    listing, job_id, outcomes, may_wait=now_us - since_us < LATE_US
                )
                if _said(done) not in self._refused:
                    told.append(done)
            elif job.in_doubt:
                told.append(Signal("kept", job_id))
        told += self._events(listing, now_us)
        if self._has_guard:
            self._to_check = [
                job.id
                for job in jobs.values()
                if job.in_doubt and job.id not in listing.jobs
            ]
        return told

    def _events(self, listing: Listing, now_us: int) -> list[Signal]:
        """Return what happened beside jobs, in its order.

        After a gap in the numbers of one start nothing is told: what is missing may
        still come, and nothing is lost meanwhile, for what was not told stays on the
        machine's list. When it has not come after a while, that is an alarm.
        """
        if not listing.events:
            self._gap_since_us = -1
            return []
        first = listing.boot * EVENTS_OF_BOOT + 1
        next_number = max(self._counted + 1, first)
        told: list[Signal] = []
        for number, kind, subject in sorted(set(listing.events)):
            if number > next_number:
                if self._gap_since_us < 0:
                    self._gap_since_us = now_us
                if now_us - self._gap_since_us < GAP_US:
                    self._ask_at_us = min(self._ask_at_us, now_us + GAP_US // 4)
                    return told
                text = (
                    f"{number - next_number} of its events are missing, the last of "
                    "them just before what it says now; look what happened there"
                )
                told.append(Signal("alarm", self.device, data={"text": text}))
            told.append(Signal(kind, subject, number=number, source=self.device))
            next_number = max(next_number, number + 1)
        self._gap_since_us = -1
        return told

    def settled(self, answer: Answer) -> None:
        """Note that a signal is safe on disk: the machine may forget it.

        A result that was refused stays on its list until a person has decided, and is
        not told again.
        """
        signal = answer.signal
        if answer.waits:
            self._asks_again = True
        elif signal.kind in REPORTED:
            self._clear_events = max(self._clear_events, signal.number)
            self._counted = max(self._counted, signal.number)
        elif signal.kind == "done" and not answer.is_accepted:
            self._refused.add(_said(signal))
        elif signal.kind == "done" and signal.subject not in self._to_clear:
            self._to_clear.append(signal.subject)


def _done(
    listing: Listing, job: str, outcomes: tuple[int, ...], *, may_wait: bool
) -> Signal:
    """Return what a machine's list says of a job that has ended."""
    measured = listing.measured.get(job)
    key = "shown" if listing.has_tags else "measured"
    data = {key: dict(measured)} if measured else {}
    return Signal("done", job, outcomes, data=data, may_wait=may_wait)


def _of_record(job: str, record: UnitRecord | None) -> Signal:
    """Return what the units of a job say of it."""
    if record is None:
        return Signal("redo", job)
    data = {"measured": dict(record.measured)} if record.measured else {}
    return Signal("done", job, record.outcomes, data=data)


def _said(done: Signal) -> tuple[str, tuple[int, ...], str]:
    """Return a result as it was said, so that the same is not told again."""
    return done.subject, done.outcomes, json.dumps(done.data, sort_keys=True)
