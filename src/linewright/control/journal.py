"""The journal: records on disk before anything leaves, in an order nobody can change.

A commit that has returned survives a power cut. Records are written in batches, one
commit each. Every record carries a hash over itself and the hash before it, so that a
changed, missing or added record shows. One controller writes at a time, and a batch
says which number it expects to be next. Others may read at any time, and block nobody.

`Journal` is that contract. `SqliteJournal` keeps it in a file of SQLite, in WAL mode
with synchronous FULL, locked by the operating system; `postgres` in tables of a server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from linewright import tables as t
from linewright.control.records import Record
from linewright.errors import JournalError, JournalStalledError
from linewright.version import __version__

__all__ = [
    "JOURNAL_VERSION",
    "KEPT_SNAPSHOTS",
    "PAGE",
    "Connection",
    "Journal",
    "Opening",
    "Reader",
    "Row",
    "Snapshot",
    "SqliteJournal",
    "Stored",
    "chained",
    "encoded",
    "opening_from",
    "packed_snapshot",
    "read_opening",
    "read_records",
    "rows_of",
    "seed_of",
    "whole_snapshot",
]

JOURNAL_VERSION = 1

_SCHEMA = """
CREATE TABLE opening (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    body TEXT NOT NULL
) STRICT;
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE snapshots (
    seq INTEGER PRIMARY KEY,
    notes TEXT NOT NULL,
    arrays BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
"""
KEPT_SNAPSHOTS = 2
PAGE = 5_000


class Opening(NamedTuple):
    """What a journal says of itself: written when it is made, never again.

    Attributes:
        journal_version: Form of its records.
        linewright_version: Version that made it.
        model_hash: Hash of the model of the line.
        model: The model, so that the journal can be read in ten years.
        names: Names behind the rows of records, by table.
        start: Start of the line, in ISO 8601.
        time_zone: Its time zone.
        seed: Seed of the streams that the controller draws samples from.
        follows: Whether the line follows a schedule; journals of lines that do not say
            nothing of it.
    """

    journal_version: int
    linewright_version: str
    model_hash: str
    model: dict[str, Any]
    names: dict[str, list[str]]
    start: str
    time_zone: str
    seed: int
    follows: bool = False

    def body(self) -> dict[str, Any]:
        """Return what is written, and hashed."""
        body = self._asdict()
        if not self.follows:
            del body["follows"]
        return body


class Stored(NamedTuple):
    """A record as it lies in the journal."""

    seq: int
    record: Record
    hash: bytes


class Snapshot(NamedTuple):
    """What all records up to a number have led to."""

    seq: int
    notes: dict[str, Any]
    arrays: dict[str, t.Ints]


class Connection(Protocol):
    """What the journal needs of a connection to SQLite; errors are `sqlite3.Error`."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        """Run a statement and return a cursor."""

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any:
        """Run a statement for each row."""

    def close(self) -> None:
        """Close it."""


class Journal(Protocol):
    """What a controller needs of a journal; any store that can do this serves."""

    opening: Opening

    @property
    def next_seq(self) -> int:
        """Return the number of the next record."""

    def append(self, expected_seq: int, records: Sequence[Record]) -> None:
        """Write records so that they survive a power cut, or raise and write none."""

    def read(self, from_seq: int) -> Iterator[Stored]:
        """Yield the records from a number on."""

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and the one before it."""

    def latest_snapshot(self) -> Snapshot | None:
        """Return the last snapshot that is whole."""

    def close(self) -> None:
        """Let others write."""


class Reader(Protocol):
    """What those who only look on need of a journal."""

    opening: Opening
    name: str

    def read(self, from_seq: int = 0) -> Iterator[Stored]:
        """Yield the records from a number on."""

    def orders_that_came(self) -> list[str]:
        """Return the names of the orders that came while the line ran."""

    def last_us(self) -> int:
        """Return when the last record was, microseconds from the line's start, or 0."""

    @property
    def next_seq(self) -> int:
        """The number of the record that will be written next."""

    def snapshot_before(self, at_us: int) -> Snapshot | None:
        """Return the last whole snapshot of an instant before a time, if any."""

    def written_s(self) -> float:
        """Return when it was last written, seconds of the system's clock."""

    def beside(self, kind: str) -> Path:
        """Return the file for what is made from the journal and can be thrown away."""

    def close(self) -> None:
        """Look on no more."""


def encoded(record: Record) -> str:
    """Return the text of a record: JSON without spaces, always the same."""
    body: dict[str, Any] = dict(record.body)
    if record.rows:
        body["rows"] = record.rows
    if record.commands:
        body["commands"] = record.commands
    return _encode(body)


_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


_decode = json.JSONDecoder().raw_decode  # without what looks for blanks around it


def _decoded(at_us: int, kind: str, text: str) -> Record:
    body, _ = _decode(text)  # its hash is right, so that nothing stands behind it
    rows, commands = body.pop("rows", []), body.pop("commands", [])
    return Record(kind, at_us, body, rows, commands)


def _hash(before: bytes, seq: int, at_us: int, kind: str, text: str) -> bytes:
    text = f"{seq} {at_us} {kind} {text}"
    return hashlib.sha256(before + text.encode()).digest()


def _connected(path: Path) -> Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


class SqliteJournal:
    """A journal in one file; see the module's head.

    What the disk did not take is rolled back, and the next batch is written over it on
    the same handle. The file is not closed and opened again after an error: SQLite
    would find a batch there whose sync has failed, take it for written, and go on
    behind it, although the disk may have dropped it. For the same reason all that is
    found when a journal is opened is copied and synced before it counts.

    Args:
        path: The file. It has to be there, unless `opening` is given, and must not be
            there if it is.
        opening: What a new journal says of itself.
        connect: Opens the file with SQLite; another one in tests of broken disks.

    Attributes:
        name: What to call it.

    Raises:
        JournalError: There is no such journal, it is of a later version, or another
            controller writes it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        opening: Opening | None = None,
        connect: Callable[[Path], Connection] = _connected,
    ) -> None:
        self.path = Path(path)
        self.name = str(path)
        self._lock = _locked(self.path)
        try:
            if opening is not None:
                _make(self.path, opening, connect)
            self._db = _opened(self.path, connect)
            self.opening = read_opening(self.path, self._db)
            self._end: tuple[int, bytes] | None = self._last()
        except BaseException:
            os.close(self._lock)
            raise

    def _last(self) -> tuple[int, bytes]:
        """Return the number of the next record and the hash before it, as on disk."""
        try:
            row = self._db.execute(
                "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
            ).fetchone()
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise _kind_of(error)(msg) from error
        return (0, seed_of(self.opening)) if row is None else (row[0] + 1, row[1])

    @property
    def next_seq(self) -> int:
        """Return the number of the next record."""
        if self._end is None:  # after an error nothing is taken for granted
            self._end = self._last()
        return self._end[0]

    def append(self, expected_seq: int, records: Sequence[Record]) -> None:
        """Write records so that they survive a power cut, or raise and write none.

        Raises:
            JournalError: The next number is another one, or the disk does not take
                them. Then what it holds has to be read again.
        """
        if expected_seq != self.next_seq:
            msg = f"record {expected_seq} was to be next, and {self.next_seq} is"
            raise JournalError(msg)
        assert self._end
        rows = rows_of(records, *self._end)
        with self._commit("records"):
            self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
        if rows:
            self._end = rows[-1][0] + 1, rows[-1][4]

    @contextlib.contextmanager
    def _commit(self, what: str) -> Iterator[None]:
        """Write all of it or nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):  # it may be rolled back already
                self._db.execute("ROLLBACK")
            self._end = None
            msg = f"{self.path} does not take {what}: {error}"
            raise _kind_of(error)(msg) from error

    def read(self, from_seq: int = 0) -> Iterator[Stored]:
        """Yield the records from a number on, each held against its hash."""
        return read_records(self._db, self.path, self.opening, from_seq)

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and the one before it.

        Raises:
            JournalError: The disk does not take it; the records are all there.
        """
        row = packed_snapshot(snapshot)
        with self._commit("a snapshot"):
            self._db.execute(
                "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", row
            )
            self._db.execute(
                "DELETE FROM snapshots WHERE seq NOT IN "
                "(SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                (KEPT_SNAPSHOTS,),
            )

    def latest_snapshot(self) -> Snapshot | None:
        """Return the last snapshot that is whole and not ahead of the records."""
        try:
            rows = self._db.execute(
                "SELECT seq, notes, arrays, hash FROM snapshots WHERE seq <= ? "
                "ORDER BY seq DESC",
                (self.next_seq,),
            ).fetchall()
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise JournalError(msg) from error
        return next(filter(None, map(whole_snapshot, rows)), None)

    def close(self) -> None:
        """Let others write."""
        self._db.close()
        os.close(self._lock)


def _kind_of(error: sqlite3.Error) -> type[JournalError]:
    """Return what an error is for a journal: one that may pass, or one that stays."""
    is_passing = isinstance(error, sqlite3.OperationalError)
    return JournalStalledError if is_passing else JournalError


def packed_snapshot(snapshot: Snapshot) -> tuple[int, str, bytes, bytes]:
    """Return the row of a snapshot: number, notes, arrays and hash."""
    stream = io.BytesIO()
    np.savez(stream, **snapshot.arrays)  # type: ignore[arg-type]
    arrays = stream.getvalue()
    notes = json.dumps(snapshot.notes, separators=(",", ":"))
    digest = hashlib.sha256(notes.encode() + arrays).digest()
    return snapshot.seq, notes, arrays, digest


def whole_snapshot(row: tuple[int, str, bytes, bytes]) -> Snapshot | None:
    """Return a snapshot from its row, or None if it is not the one that was written."""
    seq, notes, arrays, digest = row
    if hashlib.sha256(notes.encode() + arrays).digest() != digest:
        return None  # the records lead to the same
    file = np.load(io.BytesIO(arrays), allow_pickle=False)
    tables = {name: file[name] for name in file.files}
    if not all(map(_fits, tables, tables.values())):
        return None  # another release's tables have other columns
    return Snapshot(seq, json.loads(notes), tables)


def _fits(name: str, table: t.Ints) -> bool:
    """Say whether a table has the form that this release's kernel reads."""
    dtype = t.STATE_DTYPES.get(name.rpartition(".")[2])
    return dtype is None or table.dtype == dtype


def _locked(path: Path) -> int:
    """Return the lock that only one controller can have."""
    name = path.with_name(path.name + ".lock")
    lock = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        msg = f"{path} is written by another controller; stop that one first"
        raise JournalError(msg) from error
    return lock


def _opened(path: Path, connect: Callable[[Path], Connection]) -> Connection:
    if not path.is_file():
        msg = f"{path} is not a journal: there is no such file"
        raise JournalError(msg)
    try:
        db = connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        msg = f"{path} is not a journal: {error}"
        raise JournalError(msg) from error
    return db


def _make(path: Path, opening: Opening, connect: Callable[[Path], Connection]) -> None:
    """Make a journal under another name; it appears with its opening or not at all."""
    if path.exists():
        msg = f"{path} is there already"
        raise JournalError(msg)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)  # of one who was killed: nobody else has the lock
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    body = json.dumps(opening.body(), separators=(",", ":"))
    try:
        db = connect(draft)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO opening VALUES (0, ?)", (body,))
        db.execute("COMMIT")
        db.close()
    except sqlite3.Error as error:
        msg = f"{path} cannot be made: {error}"
        raise JournalError(msg) from error
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_opening(path: Path, db: Connection) -> Opening:
    """Return what the journal that is open says of itself."""
    try:
        row = db.execute("SELECT body FROM opening").fetchone()
    except sqlite3.Error as error:
        msg = f"{path} is not a journal: {error}"
        raise JournalError(msg) from error
    return opening_from(str(path), row)


def opening_from(name: str, row: Any) -> Opening:
    """Return what a journal says of itself, from the row that it says it in.

    Raises:
        JournalError: The row says something else, or is of another version.
    """
    try:
        body = json.loads(row[0])
        version = body["journal_version"]
    except (TypeError, ValueError, KeyError) as error:
        msg = f"{name} is not a journal: {error}"
        raise JournalError(msg) from error
    if version != JOURNAL_VERSION:
        msg = (
            f"{name} has journal_version {version}, of Linewright "
            f"{body.get('linewright_version')}; {__version__} reads {JOURNAL_VERSION}"
        )
        raise JournalError(msg)
    return Opening(**body)


def seed_of(opening: Opening) -> bytes:
    """Return the hash before the first record: that of the opening."""
    return hashlib.sha256(json.dumps(opening.body()).encode()).digest()


Row = tuple[int, int, str, str, bytes]


def rows_of(records: Sequence[Record], first: int, before: bytes) -> list[Row]:
    """Return records as they lie in a journal: number, time, kind, body and hash.

    Args:
        records: The records.
        first: Number of the first of them.
        before: Hash before it.
    """
    rows = []
    for seq, record in enumerate(records, first):
        text = encoded(record)
        before = _hash(before, seq, record.at_us, record.kind, text)
        rows.append((seq, record.at_us, record.kind, text, before))
    return rows


def read_records(
    db: Connection, path: Path, opening: Opening, from_seq: int
) -> Iterator[Stored]:
    """Yield the records from a number on, each held against its hash."""

    def ask(sql: str, *values: int) -> list[Any]:
        try:
            found: list[Any] = db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            msg = f"{path} cannot be read on from record {values[0]}: {error}"
            raise JournalError(msg) from error
        return found

    def page(seq: int) -> list[Row]:
        return ask(
            "SELECT seq, at_us, kind, body, hash FROM records WHERE seq >= ? "
            f"ORDER BY seq LIMIT {PAGE}",
            seq,
        )

    def hash_of(seq: int) -> bytes | None:
        rows = ask("SELECT hash FROM records WHERE seq = ?", seq)
        return rows[0][0] if rows else None

    return chained(str(path), opening, from_seq, hash_of, page)


def chained(
    name: str,
    opening: Opening,
    from_seq: int,
    hash_of: Callable[[int], bytes | None],
    page: Callable[[int], list[Row]],
) -> Iterator[Stored]:
    """Yield the records from a number on, each held against its hash.

    Args:
        name: What to call the journal.
        opening: What it says of itself.
        from_seq: The number.
        hash_of: Returns the hash of a record, or None if there is none.
        page: Returns the next records from a number on, `PAGE` of them if there are.

    Raises:
        JournalError: A record is not the one that was written, or is not there.
    """
    before: bytes | None = seed_of(opening)
    if from_seq > 0:
        before = hash_of(from_seq - 1)
    if before is None:
        return
    while True:
        rows = page(from_seq)
        for seq, at_us, kind, text, found in rows:
            before = _hash(before, seq, at_us, kind, text)
            if seq != from_seq or found != before:
                msg = (
                    f"{name} was changed: record {from_seq} is not the one that was "
                    "written; what comes after it cannot be relied on"
                )
                raise JournalError(msg)
            from_seq += 1
            yield Stored(seq, _decoded(at_us, kind, text), found)
        if len(rows) < PAGE:
            return
