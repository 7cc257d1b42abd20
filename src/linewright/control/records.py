"""What the controller is told and what it writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Alarm", "Answer", "Decision", "Record", "Signal", "names_that_came"]


def names_that_came(bodies: Iterable[dict[str, Any]]) -> list[str]:
    """Return the names of the orders that came with requests.

    Args:
        bodies: Bodies of the records of all requests that were done, in their order.
    """
    found: list[str] = []
    for body in bodies:
        if "order" in body:
            found.append(body["name"])
        found += body.get("names", ())  # parts of a schedule
    return found


@dataclass(frozen=True, slots=True)
class Signal:
    """What somebody tells the controller.

    Attributes:
        kind: ``done`` (a job has ended), ``failure``, ``failed`` (a machine that has
            started says that it was down already) or ``arrival``; ``machine`` (it is
            the start `number` of a device), ``kept`` (a device has a job that was in
            doubt), ``redo`` (such a job was not done), ``release`` (of a gate) or
            ``alarm`` (somebody has to look; why stands in the `data` as ``text``).
        subject: The job; the failure with its server; the product; the device; the
            gate.
        outcomes: Verdict on each unit of a job, in their order: a code of `tables`,
            with ``BAD`` added where a unit is bad whatever the verdict. None: all
            passed.
        number: Count of a ``failure`` or ``arrival`` by the device that reports it, so
            that one that comes twice is known; -1 where it cannot come twice.
        source: The device that reports a ``failure`` or an ``arrival``.
        data: Whatever else goes into the record. Of work, ``measured``: for each unit
            its values by characteristic, or by characteristic one value, or one for
            each unit. ``shown`` is the same of tags that show something whatever the
            job was. Of a delivery, its ``lot`` and ``supplier``.
            Of a release, ``who`` decided, and ``why``.
        stamp_us: Time that the sender gives, microseconds from the line's start, -1 if
            none. It is data: what counts is when the signal is accepted.
        may_wait: Whether values that are missing may still come: then it waits instead
            of being refused.
    """

    kind: str
    subject: str
    outcomes: tuple[int, ...] = ()
    number: int = -1
    source: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    stamp_us: int = -1
    may_wait: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the journal: what was accepted or refused, and what followed.

    Attributes:
        kind: ``begin``, ``done``, ``failure``, ``arrival``, ``due`` (a timer of the
            line itself), ``unit`` (the next of a batch that has ended), ``boot`` (of
            the controller), ``machine`` (one has started), ``kept``, ``redo``,
            ``release`` (of a gate), ``alarm``, ``refused``; ``request`` (what a person
            asked was done) or ``declined``.
        at_us: When, microseconds from the line's start; never less than before.
        body: What it says, in the values of JSON.
        rows: What happened to units and servers: rows of the kernel's trace without
            their time.
        commands: What is commanded because of it.
    """

    kind: str
    at_us: int
    body: dict[str, Any]
    rows: list[list[int]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be written about a signal, or why nothing is.

    Attributes:
        record: The record to write and apply; None for a signal that was known.
        known: Whether the signal had been accepted before, so that its sender may
            forget it.
        waits: Whether it can be decided only when something else has been heard.
    """

    record: Record | None
    known: bool = False
    waits: bool = False


@dataclass(slots=True)
class Alarm:
    """Something that cannot be true, or that a person has to decide.

    Attributes:
        number: Its number, from 1.
        at_us: When it was raised.
        subject: The job, failure or product that it is about.
        text: What was found and what is to be done.
    """

    number: int
    at_us: int
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a signal that is safe on disk.

    Attributes:
        signal: The signal.
        is_accepted: Whether it was accepted, now or before, so that its sender may
            forget it; else it was refused.
        why: Why it was refused, or empty.
        waits: Whether its sender has to tell it again: it is neither accepted nor
            refused before something else has been heard.
    """

    signal: Signal
    is_accepted: bool
    why: str = ""
    waits: bool = False
