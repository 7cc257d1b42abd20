"""A PostgreSQL server as journals need it: connections, settings, tables, errors.

What `postgres` builds on; nothing here knows of records or of who writes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NoReturn

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from linewright.control.journal import Opening, opening_from
from linewright.control.places import PgPlace
from linewright.errors import JournalError, JournalStalledError

__all__ = [
    "LONGEST_WAIT_FOR_LOCK",
    "Db",
    "check",
    "connected",
    "fail",
    "find",
    "holder",
    "is_there",
    "lock_key",
    "look_into",
    "make",
    "opening_at",
    "session_of",
]

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
LONGEST_WAIT_FOR_LOCK = "3s"
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


def connected(place: PgPlace, what: str) -> Db:
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


def look_into(db: Db, place: PgPlace) -> None:
    """Let names of tables mean those of the journal, and nothing of another schema."""
    db.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(place.schema)))


def check(db: Db, place: PgPlace) -> None:
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
    look_into(db, place)


def session_of(db: Db) -> tuple[Any, ...]:
    """Return what tells this connection from any other, at the server."""
    return db.execute(
        "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchone() or (0, None)


def lock_key(place: PgPlace) -> int:
    """Return the number of the lock of a journal: locks belong to one database."""
    digest = hashlib.sha256(f"linewright journal {place.schema}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def holder(db: Db, key: int) -> str:
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


def is_there(db: Db, place: PgPlace) -> bool:
    """Say whether a journal is there, with all its tables."""
    row = db.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename IN "
        "('opening', 'writer', 'records', 'snapshots')",
        (place.schema,),
    ).fetchone()
    return row == (4,)


def find(db: Db, place: PgPlace) -> None:
    """Say what is wrong, if there is no journal or one that this user may not see."""
    if is_there(db, place):
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


def make(db: Db, place: PgPlace, opening: Opening) -> None:
    """Make a journal; it appears with its opening or not at all."""
    if is_there(db, place):
        msg = f"{place.shown} is there already"
        raise JournalError(msg)
    body = json.dumps(opening.body(), separators=(",", ":"))
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


def opening_at(db: Db, place: PgPlace) -> Opening:
    """Return what a journal says of itself.

    Raises:
        JournalError: It is of a later version, or no journal.
    """
    try:
        row = db.execute("SELECT body FROM opening").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        msg = f"{place.shown} is not a journal: {_line(error)}"
        raise JournalError(msg) from error
    return opening_from(place.shown, row)


def fail(place: PgPlace, what: str, error: psycopg.Error) -> NoReturn:
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
