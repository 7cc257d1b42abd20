"""A journal written on a disk that forgets, and what is left of it held against it."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - all of it from one seed

import apsw
import numpy as np

from linewright.control.journal import Connection, Snapshot, SqliteJournal
from linewright.control.records import Record
from linewright.errors import JournalError
from tests.memory_journal import OPENING
from tests.power import Op, RecordingDisk, images

SYNCHRONOUS = ("FULL", "NORMAL", "OFF")
_names = itertools.count()


@dataclass
class Written:
    """What was written, and what had been acknowledged at which point of the log."""

    before: dict[str, bytes]
    log: list[Op]
    records: list[Record]
    acknowledged: list[tuple[int, int, int]] = field(default_factory=list)
    """Length of the log, number of records, number of the snapshot."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: what is synced here is the test's own."""
    shm = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=shm if shm.is_dir() else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


def write(folder: Path, seed: int, synchronous: str, n_batches: int = 40) -> Written:
    """Write a journal from a seed: batches, snapshots, checkpoints, new starts."""
    random, path = Random(seed), folder / "a.journal"
    disk = RecordingDisk(f"recording {next(_names)}")
    replace = {"PRAGMA synchronous = FULL": f"PRAGMA synchronous = {synchronous}"}
    pages = random.choice((4, 12, 1_000))
    failing = random.choice((0.0, 0.0, 0.1))

    def fault(op: Op) -> None:
        if op.kind == "sync" and is_on and random.random() < failing:
            msg = "the disk does not sync"
            raise apsw.IOError(msg)

    is_on = False
    disk.fault = fault

    def connect(file: Path) -> Connection:
        db = disk.connect(file, replace)
        db.execute(f"PRAGMA wal_autocheckpoint = {pages}")
        return db

    SqliteJournal(path, OPENING).close()
    before = {str(path): path.read_bytes()}
    written = Written(before, disk.log, [])
    journal = SqliteJournal(path, connect=connect)
    n_snapshot = -1
    for _ in range(n_batches):
        at = len(written.records)
        text = "ß" * random.choice((5, 50, 3_000))
        batch = [
            Record("boot", at + i, {"epoch": at + i, "text": text})
            for i in range(random.randint(1, 5))
        ]
        is_on = True
        while not _is_taken(journal, batch):
            pass
        is_on = False
        written.records += batch
        written.acknowledged.append((len(disk.log), journal.next_seq, n_snapshot))
        if random.random() < 0.1:
            array = np.full(random.choice((10, 3_000)), at)
            journal.save_snapshot(Snapshot(journal.next_seq, {}, {"a": array}))
            n_snapshot = journal.next_seq
            written.acknowledged.append((len(disk.log), journal.next_seq, n_snapshot))
        if random.random() < 0.05:
            journal.close()
            journal = SqliteJournal(path, connect=connect)
    journal.close()
    disk.unregister()
    for file in folder.iterdir():
        file.unlink()
    return written


def _is_taken(journal: SqliteJournal, batch: list[Record]) -> bool:
    before = journal.next_seq
    try:
        journal.append(before, batch)
    except JournalError:
        return journal.next_seq > before  # it was safe, and failed after that
    return True


def verdict(folder: Path, left: dict[str, bytes], written: Written, point: int) -> str:
    """Say of an image ``good``, ``lost`` or ``unreadable``, and leave nothing."""
    safe = [one for one in written.acknowledged if one[0] <= point]
    next_ones = [one for one in written.acknowledged if one[0] > point]
    n_safe, n_snapshot = (safe[-1][1], safe[-1][2]) if safe else (0, -1)
    n_more = next_ones[0][1] if next_ones else n_safe
    try:
        for name, data in left.items():
            Path(name).write_bytes(data)
        return _judge(folder / "a.journal", written, (n_safe, n_more), n_snapshot)
    except (JournalError, sqlite3.Error):
        return "unreadable"
    finally:
        for file in folder.iterdir():
            file.unlink()


def _judge(path: Path, written: Written, n: tuple[int, int], n_snapshot: int) -> str:
    journal = SqliteJournal(path)
    try:
        found = [one.record for one in journal.read()]
        saved = journal.latest_snapshot()
        if found != written.records[: len(found)]:
            return "unreadable"
        if len(found) not in n or (saved.seq if saved else -1) < n_snapshot:
            return "lost"
        journal.append(len(found), [Record("boot", 10**6, {})])  # it goes on
        with sqlite3.connect(path) as db:
            [answer] = db.execute("PRAGMA integrity_check").fetchone()
        db.close()
        return "good" if answer == "ok" else "unreadable"
    finally:
        journal.close()


def cut(seed: int, synchronous: str, n_each: int = 1) -> Counter[str]:
    """Write a journal, cut the power at every point, and count what was left."""
    with scratch() as folder:
        written = write(folder, seed, synchronous)
        made = images(written.before, written.log, n_each, Random(seed))
        return Counter(verdict(folder, left, written, at) for at, left in made)
