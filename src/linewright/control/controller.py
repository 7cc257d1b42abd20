"""The controller: signals in, records on disk, then commands out; in that order.

`Controller` joins the core and its journal. What came in since the last time is decided
and applied in memory, written as one batch with one commit, and only when that has
returned are commands handed out and senders told that they may forget. If the disk does
not take a batch, what is in memory is thrown away and read again from the disk, nothing
is commanded, and the senders keep what they have said.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from linewright.control.asking import Outcome, Request
from linewright.control.core import Core
from linewright.control.journal import Journal, Snapshot
from linewright.control.records import Answer, Record, Signal
from linewright.errors import JournalError
from linewright.lower import Lowered

__all__ = ["Companion", "Controller", "Step", "redo"]

MOST_AT_ONCE = 200
SNAPSHOT_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one commit.

    Attributes:
        records: The records written.
        answers: What became of each signal.
        devices: Devices for which there is something new.
        outcomes: What became of each request.
    """

    records: list[Record] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)


class Companion(Protocol):
    """Somebody who follows the records, as the emulated plant does."""

    def accept(self, record: Record) -> None:
        """Take a record that was applied."""

    def saved(self) -> dict[str, Any]:
        """Return all that the records have led to."""

    def restore(self, arrays: dict[str, Any]) -> None:
        """Go on from what `saved` returned."""


class Controller:
    """A line that runs; see the module's head.

    Args:
        lowered: The line.
        journal: Its journal; what is in it is done again first.
        seed: Seed of the streams from which samples are drawn.
        about: What the record of this start says beside the epoch.
        now_us: Time, microseconds from the line's start.
        make_core: Makes the core; another one in tests of broken controllers.
        make_companion: Makes somebody who is told every record, also those that are
            done again, and whose state is kept with the snapshots.

    Attributes:
        snapshot_trouble: Why the last snapshot could not be left, or empty. Nothing is
            lost by it; the next start takes longer.

    Raises:
        JournalError: The journal cannot be read, was changed, or leads elsewhere with
            this version than with the one that wrote it.
    """

    def __init__(  # noqa: PLR0913
        self,
        lowered: Lowered,
        journal: Journal,
        seed: int = 0,
        *,
        about: dict[str, Any] | None = None,
        now_us: int = 0,
        make_core: Callable[[Lowered, int], Core] = Core,
        make_companion: Callable[[], Companion] | None = None,
    ) -> None:
        self.journal = journal
        self._make_core: Callable[[], Core] = lambda: make_core(lowered, seed)
        self._make_companion = make_companion
        self._waiting: list[Signal] = []
        self._pending: list[Record] = []
        self.snapshot_trouble = ""
        self._recover()
        self.do(self.core.boot(now_us, about or {}))
        if not self.core.has_begun:
            self.do(self.core.begin())
        self.first = self.flush()

    @property
    def core(self) -> Core:
        """What is known and decided; after an error of the disk it is read again first.

        Raises:
            JournalError: It cannot be read yet, and nothing may be commanded.
        """
        if self._is_behind:
            self._recover()
        return self._core

    @property
    def companion(self) -> Companion | None:
        """Who follows the records, if anybody does; raises as `core` does."""
        if self._is_behind:
            self._recover()
        return self._companion

    def _recover(self) -> None:
        """Come to what the journal says, and forget what is not in it."""
        self._is_behind, self._pending = True, []
        core, make = self._make_core(), self._make_companion
        companion = make() if make else None
        snapshot = self.journal.latest_snapshot()
        from_seq = 0
        if snapshot is not None:
            arrays = dict(snapshot.arrays)
            if companion:
                mine = [name for name in arrays if name.startswith(_COMPANION)]
                companion.restore(
                    {name[len(_COMPANION) :]: arrays[name] for name in mine}
                )
            core.restore(snapshot.notes, arrays)
            from_seq = snapshot.seq
        for stored in self.journal.read(from_seq):
            redo(core, stored.record, stored.seq)
            if companion:
                companion.accept(stored.record)
        self._core, self._companion = core, companion
        self._since_snapshot = self.journal.next_seq - from_seq
        self._is_behind = False

    # ------------------------------------------------------------ running

    def tell(self, signal: Signal) -> None:
        """Take a signal; it counts when `step` has returned its answer."""
        self._waiting.append(signal)

    @property
    def has_signals(self) -> bool:
        """Say whether signals wait for `step`."""
        return bool(self._waiting)

    def next_due_us(self) -> int | None:
        """Return when the line itself goes on, if it does."""
        if self.core.rest:
            return self.core.now_us
        timer, wake_us = self.core.next_timer(), self.core.next_wake_us()
        times = [] if timer is None else [timer[0]]
        return min([*times, *([] if wake_us is None else [wake_us])], default=None)

    def step(self, now_us: int, requests: Sequence[Request] = ()) -> Step:
        """Decide and write all that has come, and what the line itself is to do by now.

        Args:
            now_us: Time, microseconds from the line's start.
            requests: What people ask; they are asked again until an outcome came.

        Raises:
            JournalError: The disk did not take it. Nothing has happened, and nothing
                is commanded; the signals have to be told again.
        """
        self._do_due(now_us)
        n = MOST_AT_ONCE
        waiting, self._waiting = self._waiting[:n], self._waiting[n:]
        answers = []
        for signal in waiting:
            answers.append(self.hear(signal, now_us))
            self._do_due(now_us)
        outcomes = []
        for request in requests:
            outcomes.append(self.ask(request, now_us))
            self._do_due(now_us)
        return self.flush(answers, outcomes)

    def ask(self, request: Request, now_us: int) -> Outcome:
        """Judge and do a request; its outcome counts when `flush` has returned.

        One that came before has the outcome that it had then.
        """
        known = self.core.asked.outcome(request.key)
        if known is not None:
            return known
        self.do(self.core.asked.decide(self.core, request, now_us))
        found = self.core.asked.outcome(request.key)
        assert found
        return found

    def hear(self, signal: Signal, now_us: int) -> Answer:
        """Decide and apply a signal; its answer counts when `flush` has returned."""
        decision = self.core.decide(signal, now_us)
        if decision.record is None:
            waits = decision.waits
            return Answer(signal, is_accepted=not waits, waits=waits)
        self.do(decision.record)
        if decision.record.kind == "refused":
            return Answer(signal, is_accepted=False, why=decision.record.body["why"])
        return Answer(signal, is_accepted=True)

    def _do_due(self, now_us: int) -> None:
        core = self.core  # its time stays where it is when a clock is set back
        while (record := _due(core, max(now_us, core.now_us))) is not None:
            self.do(record)

    def do(self, record: Record) -> Record:
        """Apply a record; it counts when `flush` has returned."""
        done = self.core.apply(record)
        self._pending.append(done)
        if self._companion:
            self._companion.accept(done)
        return done

    @property
    def n_pending(self) -> int:
        """Return how many records wait for `flush`."""
        return len(self._pending)

    def flush(
        self,
        answers: list[Answer] | None = None,
        outcomes: list[Outcome] | None = None,
    ) -> Step:
        """Write what was done since the last time, in one commit.

        Args:
            answers: What becomes of signals if it is written.
            outcomes: What becomes of requests if it is written.

        Raises:
            JournalError: The disk did not take it; see `step`.
        """
        records, self._pending = self._pending, []
        if records:
            try:
                self.journal.append(self.journal.next_seq, records)
            except JournalError:
                self._fall_back()
                raise
            self._since_snapshot += len(records)
            if self._since_snapshot >= SNAPSHOT_EVERY:
                self._try_snapshot()
        return Step(records, answers or [], _devices(records), outcomes or [])

    def _fall_back(self) -> None:
        """Forget what is not on disk, now or, if it cannot be read now, when it can."""
        self._is_behind, self._pending = True, []
        with contextlib.suppress(JournalError):  # the caller's own error says more
            self._recover()

    def _try_snapshot(self) -> None:
        """Leave a snapshot if the disk takes it; the records are safe without it."""
        self.snapshot_trouble = ""
        try:
            self.save_snapshot()
        except JournalError as error:
            self.snapshot_trouble, self._since_snapshot = str(error), 0

    def save_snapshot(self) -> None:
        """Leave a snapshot in the journal, so that the next start is quick."""
        if self._pending:
            self.flush()  # a snapshot is of what is on disk
        notes, arrays = self.core.saved()
        if self.companion:
            saved = self.companion.saved()
            arrays |= {_COMPANION + name: array for name, array in saved.items()}
        self.journal.save_snapshot(Snapshot(self.journal.next_seq, notes, arrays))
        self._since_snapshot = 0


def _due(core: Core, now_us: int) -> Record | None:
    """Return the record of what is due next by a time, if anything is."""
    if core.rest:
        return core.unit(min(core.rest))
    timer, wake_us = core.next_timer(), core.next_wake_us()
    first_us = now_us if wake_us is None else min(now_us, wake_us)
    if timer is not None and timer[0] <= first_us:
        return core.due()
    return core.wake() if wake_us is not None and wake_us <= now_us else None


_COMPANION = "companion."


def redo(core: Core, record: Record, seq: int) -> None:
    """Apply a record of a journal, and hold what follows against what followed then.

    Raises:
        JournalError: Something else follows now.
    """
    rows, commands = core.follow(record)
    if rows != record.rows or commands != record.commands:
        msg = (
            f"record {seq} of the journal leads elsewhere with this version than with "
            "the one that wrote it; go on with that version"
        )
        raise JournalError(msg)


def _devices(records: list[Record]) -> set[str]:
    return {
        command["job"].rpartition("#")[0]
        for record in records
        for command in record.commands
    }
