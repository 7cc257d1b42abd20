"""A journal in memory, for tests that need thousands of them, and one that breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from linewright.control.ground import copied
from linewright.control.journal import JOURNAL_VERSION, Opening, Snapshot, Stored
from linewright.control.records import Record
from linewright.errors import JournalError

OPENING = Opening(
    JOURNAL_VERSION, "test", "hash", {}, {}, "2026-01-05T06:00:00", "UTC", 0
)


class Killed(BaseException):
    """The process is gone, here and now."""


class MemoryJournal:
    """What is in `records` is on disk; `kill_at` says at which write to die, and when.

    Args:
        kill_at: Number of the write at which the process dies, -1 for never.
        is_after: Whether the write is done before it dies.
    """

    def __init__(self, kill_at: int = -1, *, is_after: bool = False) -> None:
        self.opening = OPENING
        self.records: list[Record] = []
        self.snapshot: Snapshot | None = None
        self.n_writes = self.n_last = 0
        self.kill_at, self.is_after = kill_at, is_after
        self.is_full = False

    @property
    def next_seq(self) -> int:
        return len(self.records)

    def append(self, expected_seq: int, records: Sequence[Record]) -> None:
        assert expected_seq == len(self.records)
        self.n_writes += 1
        is_last = self.n_writes == self.kill_at
        if self.is_full:
            msg = "the disk is full"
            raise JournalError(msg)
        if is_last and not self.is_after:
            raise Killed
        self.records += records
        self.n_last = len(records)
        if is_last:
            raise Killed

    def read(self, from_seq: int) -> Iterator[Stored]:
        for seq in range(from_seq, len(self.records)):
            yield Stored(seq, self.records[seq], b"")

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot._replace(
            notes=json.loads(json.dumps(snapshot.notes)),
            arrays={name: copied(array) for name, array in snapshot.arrays.items()},
        )

    def latest_snapshot(self) -> Snapshot | None:
        return self.snapshot

    def close(self) -> None:
        pass
