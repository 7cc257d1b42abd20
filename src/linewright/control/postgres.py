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

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString, NoReturn

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from linewright.control.journal import (
    KEPT_SNAPSHOTS,
    PAGE,
    Opening,
    Row,
    Snapshot,
    Stored,
    chained,
    opening_from,
    packed_snapshot,
    rows_of,
    seed_of,
    whole_snapshot,
)
from linewright.control.places import PgPlace
from linewright.control.records import Record
from linewright.errors import JournalError, JournalStalledError
from linewright.kernel._jit import cache_folder

__all__ = ["PostgresJournal", "PostgresReader", "has_journal"]

_TABLES = """
CREATE TABLE opening (
    id SMALLINT PRIMARY KEY CHECK (id = 0),
    body TEXT NOT NULL
);
CREATE TABLE writer (
    id SMALLINT PRIMARY KEY CHECK (id = 0),
    epoch BIGINT NOT NULL
);
CREATE TABLE records (
    seq BIGINT PRIMARY KEY,
    at_us BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BYTEA NOT NULL,
    written_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE snapshots (
    seq BIGINT PRIMARY KEY,
    notes TEXT NOT NULL,
    arrays BYTEA NOT NULL,
    hash BYTEA NOT NULL
);
"""
# What libpq is told where the address says nothing. A peer that is gone is noticed
# within ten seconds or so, by either side.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
_SESSION = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; "
    "SET tcp_keepalives_count = 3; SET tcp_user_timeout = 10000"
)
_LONGEST_WAIT_FOR_LOCK = "3s"
_OLDEST = 14
_NEEDED = {
    "synchronous_commit": ("on", "remote_apply"),
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "server_encoding": ("UTF8",),
}
# Classes of SQLSTATE that tell of the server and not of what it was asked: connection,
# resources, operator, system. https://www.postgresql.org/docs/current/errcodes-appendix
_PASSING = ("08", "53", "57", "58")

Db = psycopg.Connection[tuple[Any, ...]]


def has_journal(place: PgPlace) -> bool:
    """Say whether there is a journal.

    Raises:
        JournalError: The server cannot be asked.
    """
    try:
        with _connected(place, "linewright") as db:
            return _is_there(db, place)
    except psycopg.Error as error:
        _fail(place, "cannot be asked for", error)


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
            _fail(place, "cannot be opened", error)
        try:
            if opening is not None:
                _make(self._db, place, opening)
            else:
                _find(self._db, place)
            self._raise_epoch()
            self.opening = _opening(self._db, place)
            self._end: tuple[int, bytes] | None = self._last()
            self._known = self._end
        except psycopg.Error as error:
            self._db.close()
            _fail(place, "cannot be opened", error)
        except BaseException:
            self._db.close()
            raise

    # ------------------------------------------------------------ one writer

    def _locked(self) -> Db:
        """Return a connection that holds the lock which only one can have."""
        db = _connected(self._place, "linewright controller")
        try:
            _check(db, self._place)
            self._session = _session(db)
            key = _lock_key(self._place)
            db.execute(f"SET lock_timeout = '{_LONGEST_WAIT_FOR_LOCK}'")
            try:
                db.execute("SELECT pg_advisory_lock(%s)", (key,))
            except psycopg.errors.LockNotAvailable as error:
                msg = (
                    f"{self.name} is written by another controller"
                    f"{_holder(db, key)}; stop that one first"
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
        with suppress(psycopg.Error), _connected(self._place, "linewright") as db:
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
                self._end = end
            except psycopg.Error as error:
                _fail(self._place, "cannot be asked what it holds", error)
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
            _fail(self._place, "cannot be read", error)

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
            _fail(self._place, "does not take records", error)
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
            _fail(self._place, "does not take a snapshot", error)

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
            _find(self._db, place)
            self.opening = _opening(self._db, place)
        except psycopg.Error as error:
            self.close()
            _fail(place, "cannot be read", error)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> Db:
        db = _connected(self._place, "linewright reader")
        db.execute("SET default_transaction_read_only = on")
        _look_into(db, self._place)
        return db

    def _ask(self, query: LiteralString, *values: Any) -> list[Any]:
        try:
            if self._db is None or self._db.closed or self._db.broken:
                self._db = self._connect()
            return self._db.execute(query, values).fetchall()
        except psycopg.Error as error:
            _fail(self._place, "cannot be read", error)

    def read(self, from_seq: int = 0) -> Iterator[Stored]:
        """Yield the records from a number on, each held against its hash."""
        return _read(self._ask, self.name, self.opening, from_seq)

    def last_us(self) -> int:
        """Return when the last record was, microseconds from the line's start, or 0."""
        rows = self._ask("SELECT at_us FROM records ORDER BY seq DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

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
        """Return the file for what is made from the journal and can be thrown away.

        It is of this user on this machine: who only reads can write nothing elsewhere.
        """
        folder = cache_folder().parent / "journals"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return folder / f"{self._place.schema}-{digest}.{kind}"

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


# ------------------------------------------------------------------ the server


def _connected(place: PgPlace, what: str) -> Db:
    """Return a connection on which each statement is a transaction of its own.

    Raises:
        psycopg.Error: There is no such server, or it does not let one in.
        JournalError: The address is none.
    """
    try:
        said = conninfo_to_dict(place.address)
    except psycopg.Error as error:
        why = "" if place.has_password else f": {_line(error)}"
        msg = f"{place.shown} is no address that libpq understands{why}"
        raise JournalError(msg) from None
    options = _DEFAULTS | {"application_name": what}
    more = {name: value for name, value in options.items() if name not in said}
    conninfo = make_conninfo(place.address, client_encoding="UTF8", **more)
    db = psycopg.connect(conninfo, autocommit=True)
    db.execute(_SESSION)
    return db


def _look_into(db: Db, place: PgPlace) -> None:
    """Let names of tables mean those of the journal, and nothing of another schema."""
    db.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(place.schema)))


def _check(db: Db, place: PgPlace) -> None:
    """Refuse a server that may lose what it has acknowledged, or only reads."""
    [is_standby] = db.execute("SELECT pg_is_in_recovery()").fetchone() or [None]
    if is_standby:
        msg = f"{place.shown} is on a standby, which can be read and not written"
        raise JournalError(msg)
    wrong = []
    if db.info.server_version < _OLDEST * 10_000:
        wrong.append(
            f"it is of version {db.info.server_version // 10_000}, and has to "
            f"be {_OLDEST} or later"
        )
    for name, allowed in _NEEDED.items():
        [value] = db.execute("SELECT current_setting(%s)", (name,)).fetchone() or [""]
        if value not in allowed:
            wrong.append(f"{name} is {value} and has to be {' or '.join(allowed)}")
    if wrong:
        msg = f"{place.shown} may lose what it has acknowledged: {'; '.join(wrong)}"
        raise JournalError(msg)
    _look_into(db, place)


def _session(db: Db) -> tuple[Any, ...]:
    """Return what tells this connection from any other, at the server."""
    return db.execute(
        "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone() or (0, None)


def _lock_key(place: PgPlace) -> int:
    """Return the number of the lock of a journal: locks belong to one database."""
    digest = hashlib.sha256(f"linewright journal {place.schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _holder(db: Db, key: int) -> str:
    """Return who holds a lock, as far as one may know."""
    row = db.execute(
        "SELECT coalesce(host(client_addr), 'this machine'), "
        "to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') "
        "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' "
        "AND granted AND ((classid::bigint << 32) | objid::bigint) = %s "
        "AND pg_locks.database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database())",
        (key,),
    ).fetchone()
    return f" (on {row[0]}, since {row[1]} UTC)" if row and row[1] else ""


def _is_there(db: Db, place: PgPlace) -> bool:
    row = db.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename IN "
        "('opening', 'writer', 'records', 'snapshots')",
        (place.schema,),
    ).fetchone()
    return row == (4,)


def _find(db: Db, place: PgPlace) -> None:
    """Say what is wrong, if there is no journal or one that this user may not see."""
    if _is_there(db, place):
        row = db.execute(
            "SELECT has_schema_privilege(%s, 'USAGE')", (place.schema,)
        ).fetchone()
        if row == (True,):
            return
        msg = (
            f"{place.shown}: permission denied; its owner can GRANT USAGE ON SCHEMA "
            f'"{place.schema}" and SELECT ON ALL TABLES in it'
        )
        raise JournalError(msg)
    rows = db.execute(
        "SELECT schemaname FROM pg_tables WHERE tablename IN "
        "('opening', 'writer', 'records', 'snapshots') "
        "GROUP BY 1 HAVING count(*) = 4 ORDER BY 1"
    ).fetchall()
    known = ", ".join(f"#{row[0]}" for row in rows) or "none"
    msg = f"{place.shown} is not there; journals in this database: {known}"
    raise JournalError(msg)


def _make(db: Db, place: PgPlace, opening: Opening) -> None:
    """Make a journal; it appears with its opening or not at all."""
    if _is_there(db, place):
        msg = f"{place.shown} is there already"
        raise JournalError(msg)
    body = json.dumps(opening._asdict(), separators=(",", ":"))
    with db.transaction():
        there = db.execute(
            "SELECT 1 FROM pg_namespace WHERE nspname = %s", (place.schema,)
        ).fetchone()
        if not there:  # a role that may not make one can be given one
            name = sql.Identifier(place.schema)
            db.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        for statement in _TABLES.split(";"):
            if statement.strip():
                db.execute(statement)
        db.execute("INSERT INTO opening VALUES (0, %s)", (body,))
        db.execute("INSERT INTO writer VALUES (0, 0)")


def _opening(db: Db, place: PgPlace) -> Opening:
    try:
        row = db.execute("SELECT body FROM opening").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        msg = f"{place.shown} is not a journal: {_line(error)}"
        raise JournalError(msg) from error
    return opening_from(place.shown, row)


def _fail(place: PgPlace, what: str, error: psycopg.Error) -> NoReturn:
    """Raise what an error of the server means for the journal."""
    state = error.sqlstate or ""
    is_passing = isinstance(error, psycopg.OperationalError) and (
        not state or state.startswith(_PASSING)
    )
    kind = JournalStalledError if is_passing else JournalError
    msg = f"{place.shown} {what}: {_line(error)}"
    raise kind(msg) from error


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
