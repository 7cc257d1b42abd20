"""The journal on a PostgreSQL server: the contract of `journal`, for several to share.

A journal is a schema with four tables. A batch is one statement and so one transaction,
and the server's settings are held against what the contract needs before anything is
written: synchronous_commit, fsync and full_page_writes are on, or it is refused.

One controller writes. It holds an advisory lock as long as its connection lives, and
raises the journal's *epoch* when it has got it; a batch is taken only from the epoch
that the table `writer` has. So whoever has lost connection and lock without knowing it
can write nothing any more.

When a connection breaks, a commit is **in doubt**: it may have been made or not. The
next thing that is done is to connect anew, to end the old connection at the server, to
take the lock that it held, to raise the epoch, and to ask what the journal holds. Only
then does anything go on. That the epoch's commit has returned also says that all that
is found is on disk, and on the standbys that the server waits for. A server that has
lost records which it had acknowledged, as a standby that came too late may have, is
refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString, NoReturn

import psycopg

from linewright.control.journal import (
    KEPT_SNAPSHOTS,
    PAGE,
    Opening,
    Row,
    Snapshot,
    Stored,
    chained,
    packed_snapshot,
    rows_of,
    seed_of,
    whole_snapshot,
)
from linewright.control.pg import (
    LONGEST_WAIT_FOR_LOCK,
    Db,
    check,
    connected,
    fail,
    find,
    holder,
    is_there,
    lock_key,
    look_into,
    make,
    opening_at,
    session_of,
)
from linewright.control.places import PgPlace, beside
from linewright.control.records import Record, names_that_came
from linewright.errors import JournalError

__all__ = ["PostgresJournal", "PostgresReader", "has_journal"]


def has_journal(place: PgPlace) -> bool:
    """Say whether there is a journal.

    Raises:
        JournalError: The server cannot be asked.
    """
    try:
        with connected(place, "linewright") as db:
            return is_there(db, place)
    except psycopg.Error as error:
        fail(place, "cannot be asked for", error)


class PostgresJournal:
    """A journal on a server; see the module's head.

    Args:
        place: The journal. It has to be there, unless `opening` is given, and must not
            be there if it is.
        opening: What a new journal says of itself.

    Attributes:
        name: What to call it.
        epoch: How often it was opened for writing.

    Raises:
        JournalError: There is no such journal or server, it is of a later version, the
            server does not keep what it acknowledges, or another controller writes.
    """

    def __init__(self, place: PgPlace, opening: Opening | None = None) -> None:
        self._place = place
        self.name = place.shown
        self.epoch = -1
        self._known = (0, b"")  # what was acknowledged: it can never be less
        try:
            self._db = self._locked()
        except psycopg.Error as error:
            fail(place, "cannot be opened", error)
        try:
            if opening is not None:
                make(self._db, place, opening)
            else:
                find(self._db, place)
            self._raise_epoch()
            self.opening = opening_at(self._db, place)
            self._end: tuple[int, bytes] | None = self._last()
            self._known = self._end
        except psycopg.Error as error:
            self._db.close()
            fail(place, "cannot be opened", error)
        except BaseException:
            self._db.close()
            raise

    # ------------------------------------------------------------ one writer

    def _locked(self) -> Db:
        """Return a connection that holds the lock which only one can have."""
        db = connected(self._place, "linewright controller")
        try:
            check(db, self._place)
            self._session = session_of(db)
            key = lock_key(self._place)
            db.execute(f"SET lock_timeout = '{LONGEST_WAIT_FOR_LOCK}'")
            try:
                db.execute("SELECT pg_advisory_lock(%s)", (key,))
            except psycopg.errors.LockNotAvailable as error:
                msg = (
                    f"{self.name} is written by another controller"
                    f"{holder(db, key)}; stop that one first"
                )
                raise JournalError(msg) from error
            db.execute("SET lock_timeout = 0")
        except BaseException:
            db.close()
            raise
        return db

    def _raise_epoch(self) -> None:
        """Shut out whoever wrote before, if it was who this one thinks it was."""
        with self._db.transaction():
            [epoch] = self._ask("SELECT epoch FROM writer FOR UPDATE")[0]
            if self.epoch >= 0 and epoch != self.epoch:
                self._say_taken_over()
            self._db.execute("UPDATE writer SET epoch = epoch + 1")
        self.epoch = epoch + 1

    def _say_taken_over(self) -> NoReturn:
        self._end = None
        self._db.close()
        msg = (
            f"{self.name} was taken over by another controller while this one had lost "
            "its connection; only one of them may go on"
        )
        raise JournalError(msg)

    def _reconnect(self) -> None:
        """Come to hold the lock again, and know that nothing is under way any more."""
        self._db.close()
        with suppress(psycopg.Error), connected(self._place, "linewright") as db:
            db.execute(  # one's own, if the server still waits for it
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
                "WHERE pid = %s AND backend_start = %s",
                self._session,
            )
        self._db = self._locked()
        try:
            self._raise_epoch()
        except BaseException:
            self._db.close()  # and let go of the lock: another one has the right to it
            raise

    # ------------------------------------------------------------ reading

    def _ask(self, query: LiteralString, *values: Any) -> list[Any]:
        return self._db.execute(query, values).fetchall()

    def _last(self) -> tuple[int, bytes]:
        """Return the number of the next record and the hash before it."""
        rows = self._ask("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1")
        return (rows[0][0] + 1, rows[0][1]) if rows else (0, seed_of(self.opening))

    @property
    def next_seq(self) -> int:
        """Return the number of the next record; after an error it is asked.

        Raises:
            JournalError: It cannot be asked yet, another controller has taken over, or
                the server has lost what it had acknowledged.
        """
        if self._end is None:
            try:
                if self._db.closed or self._db.broken:
                    self._reconnect()
                end = self._last()
                self._hold_against_known(end)
                self._known = self._end = end
            except psycopg.Error as error:
                fail(self._place, "cannot be asked what it holds", error)
        return self._end[0]

    def _hold_against_known(self, end: tuple[int, bytes]) -> None:
        """Refuse a server that has less than, or other than, was acknowledged."""
        n, digest = self._known
        found = digest if n == 0 else None
        if n:
            rows = self._ask("SELECT hash FROM records WHERE seq = %s", n - 1)
            found = rows[0][0] if rows else None
        if found != digest:
            msg = (
                f"{self.name} had acknowledged {n} records and has {end[0]} now, or "
                "others: the server has lost some. What was commanded by them cannot "
                "be taken back, and only a person can decide how to go on"
            )
            raise JournalError(msg)

    def read(self, from_seq: int = 0) -> Iterator[Stored]:
        """Yield the records from a number on, each held against its hash."""
        if self._end is None:
            _ = self.next_seq
        return _read(self._ask_or_fail, self.name, self.opening, from_seq)

    def _ask_or_fail(self, query: LiteralString, *values: Any) -> list[Any]:
        try:
            return self._ask(query, *values)
        except psycopg.Error as error:
            self._end = None
            fail(self._place, "cannot be read", error)

    def latest_snapshot(self) -> Snapshot | None:
        """Return the last snapshot that is whole and not ahead of the records."""
        rows = self._ask_or_fail(_SNAPSHOTS, self.next_seq)
        return next(filter(None, map(whole_snapshot, rows)), None)

    # ------------------------------------------------------------ writing

    def append(self, expected_seq: int, records: Sequence[Record]) -> None:
        """Write records so that they survive a power cut, or raise.

        Raises:
            JournalError: The next number is another one, another controller has taken
                over, or the server does not take them. If its answer is what got lost,
                they may be written all the same: what it holds has to be read again.
        """
        if expected_seq != self.next_seq:
            msg = f"record {expected_seq} was to be next, and {self.next_seq} is"
            raise JournalError(msg)
        assert self._end
        rows = rows_of(records, *self._end)
        if not rows:
            return
        self._end = None  # until the answer is here, whatever happens
        columns = map(list, zip(*rows, strict=True))
        try:
            done = self._db.execute(_APPEND, (self.epoch, *columns))
        except psycopg.Error as error:
            fail(self._place, "does not take records", error)
        if done.rowcount != len(rows):
            self._say_taken_over()
        self._known = self._end = rows[-1][0] + 1, rows[-1][4]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and the one before it.

        Raises:
            JournalError: The server does not take it; the records are all there.
        """
        row = packed_snapshot(snapshot)
        try:
            with self._db.transaction():
                if not self._ask(_IS_MINE, self.epoch):
                    self._say_taken_over()
                self._db.execute(_SAVE, row)
                self._db.execute(_FORGET, (KEPT_SNAPSHOTS,))
        except psycopg.Error as error:
            self._end = None
            fail(self._place, "does not take a snapshot", error)

    def close(self) -> None:
        """Let others write."""
        self._db.close()


class PostgresReader:
    """A journal that is only read, also on a standby, by a user who may do no more.

    A connection that breaks is made anew when something is asked again.

    Args:
        place: The journal.

    Attributes:
        name: What to call it.
        opening: What it says of itself.

    Raises:
        JournalError: There is no such journal or server, or it is of a later version.
    """

    def __init__(self, place: PgPlace) -> None:
        self._place = place
        self.name = place.shown
        self._db: Db | None = None
        try:
            self._db = self._connect()
            find(self._db, place)
            self.opening = opening_at(self._db, place)
        except psycopg.Error as error:
            self.close()
            fail(place, "cannot be read", error)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> Db:
        db = connected(self._place, "linewright reader")
        db.execute("SET default_transaction_read_only = on")
        look_into(db, self._place)
        return db

    def _ask(self, query: LiteralString, *values: Any) -> list[Any]:
        try:
            if self._db is None or self._db.closed or self._db.broken:
                self._db = self._connect()
            return self._db.execute(query, values).fetchall()
        except psycopg.Error as error:
            fail(self._place, "cannot be read", error)

    def read(self, from_seq: int = 0) -> Iterator[Stored]:
        """Yield the records from a number on, each held against its hash."""
        return _read(self._ask, self.name, self.opening, from_seq)

    def orders_that_came(self) -> list[str]:
        """Return the names of the orders that came while the line ran."""
        query: LiteralString = (
            "SELECT body FROM records WHERE kind = 'request' ORDER BY seq"
        )
        bodies = [json.loads(text) for (text,) in self._ask(query)]
        return names_that_came(bodies)

    def last_us(self) -> int:
        """Return when the last record was, microseconds from the line's start, or 0."""
        rows = self._ask("SELECT at_us FROM records ORDER BY seq DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    @property
    def next_seq(self) -> int:
        """The number of the record that will be written next."""
        rows = self._ask("SELECT max(seq) FROM records")
        return 0 if not rows or rows[0][0] is None else int(rows[0][0]) + 1

    def snapshot_before(self, at_us: int) -> Snapshot | None:
        """Return the last whole snapshot of an instant before a time, if there is one.

        Args:
            at_us: The time, microseconds from the line's start.
        """
        rows = self._ask(
            "SELECT snapshots.seq, notes, arrays, snapshots.hash FROM snapshots "
            "JOIN records ON records.seq = snapshots.seq - 1 WHERE records.at_us < %s "
            "ORDER BY snapshots.seq DESC LIMIT 1",
            at_us,
        )
        return whole_snapshot(rows[0]) if rows else None

    def written_s(self) -> float:
        """Return when the last record was written, seconds of the server's clock."""
        rows = self._ask(
            "SELECT extract(epoch FROM written_at)::float8 FROM records "
            "ORDER BY seq DESC LIMIT 1"
        )
        return float(rows[0][0]) if rows else 0.0

    def beside(self, kind: str) -> Path:
        """Return the file for what is made from the journal and can be thrown away."""
        return beside(self._place, kind)

    def close(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.close()


# ------------------------------------------------------------------ statements

_APPEND: LiteralString = (
    "WITH mine AS (SELECT 1 FROM writer WHERE epoch = %s FOR SHARE) "
    "INSERT INTO records (seq, at_us, kind, body, hash) "
    "SELECT new.* FROM mine, unnest("
    "%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bytea[]) AS new"
)
_IS_MINE: LiteralString = "SELECT 1 FROM writer WHERE epoch = %s FOR SHARE"
_SAVE: LiteralString = (
    "INSERT INTO snapshots VALUES (%s, %s, %s, %s) ON CONFLICT (seq) DO UPDATE SET "
    "notes = excluded.notes, arrays = excluded.arrays, hash = excluded.hash"
)
_FORGET: LiteralString = (
    "DELETE FROM snapshots WHERE seq NOT IN "
    "(SELECT seq FROM snapshots ORDER BY seq DESC LIMIT %s)"
)
_SNAPSHOTS: LiteralString = (
    "SELECT seq, notes, arrays, hash FROM snapshots WHERE seq <= %s ORDER BY seq DESC"
)


def _read(ask: Any, name: str, opening: Opening, from_seq: int) -> Iterator[Stored]:
    def page(seq: int) -> list[Row]:
        rows: list[Row] = ask(
            "SELECT seq, at_us, kind, body, hash FROM records WHERE seq >= %s "
            "ORDER BY seq LIMIT %s",
            seq,
            PAGE,
        )
        return rows

    def hash_of(seq: int) -> bytes | None:
        rows = ask("SELECT hash FROM records WHERE seq = %s", seq)
        return rows[0][0] if rows else None

    return chained(name, opening, from_seq, hash_of, page)
