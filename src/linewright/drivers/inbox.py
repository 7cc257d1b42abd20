"""The inbox: how people outside the controller's process ask it for something.

Beside the journal lies a small file of SQLite; that of a journal on a server lies in
the user's cache where its controller runs, and people ask there. Whoever asks writes a
row and waits for its answer; the controller looks whether something has come, does it,
and writes the answer when what it did is in the journal. So there is one writer of the
journal, and a request that was handed in is there after a power cut. Its key makes it
happen once: a row is looked at again until it has its answer, and the controller knows
the keys.

The inbox is no part of the record: it may be deleted while nobody asks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from linewright.control.asking import Outcome, Request
from linewright.control.places import Place, beside, place_of
from linewright.errors import JournalError

__all__ = ["Inbox", "KeyTakenError", "hand_in", "inbox_of", "outcomes_of", "put_aside"]

INBOX_VERSION = 1
MOST_BYTES = 20_000
MOST_BYTES_OF_PAPER = 40_000_000
_MOST_KEY = 200
_AT_ONCE = 100
_KEPT = 10_000
_WAIT_S = 5.0
_CONTROLLER_WAIT_S = 0.2  # the line goes on meanwhile

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND {_MOST_KEY}),
    body TEXT NOT NULL CHECK (length(body) <= {MOST_BYTES}),
    is_accepted INTEGER,
    answer TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS waiting ON requests (id) WHERE answer IS NULL;
"""
_PAPERS = f"""
CREATE TABLE IF NOT EXISTS papers (
    key TEXT PRIMARY KEY,
    body TEXT NOT NULL CHECK (length(body) <= {MOST_BYTES_OF_PAPER})
) STRICT
"""
_HAVE_PAPERS = {"schedule"}
"""Requests of which the data are long, and lie beside them until they are answered."""


def inbox_of(journal: str | os.PathLike[str] | Place) -> Path:
    """Return where the inbox of a journal lies; see `control.places.beside`."""
    return beside(place_of(journal), "inbox")


def put_aside(journal: str | os.PathLike[str] | Place) -> None:
    """Put an inbox aside that belonged to an earlier journal of the same name."""
    path = inbox_of(journal)
    if path.exists():
        path.replace(path.with_name(path.name + ".before"))
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)


def _opened(path: Path, wait_s: float) -> sqlite3.Connection:
    try:
        if not path.exists():  # for its owner alone, as the journal
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(
            path, timeout=wait_s, isolation_level=None, check_same_thread=False
        )
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version not in {0, INBOX_VERSION}:
            db.close()
            msg = f"{path} has version {version}, and this reads {INBOX_VERSION}"
            raise JournalError(msg)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = 1; COMMIT;"
            )
        db.execute(_PAPERS)  # earlier versions did not have them
    except (sqlite3.Error, OSError) as error:
        msg = f"{path} is no inbox that can be used: {error}"
        raise JournalError(msg) from error
    return db


class KeyTakenError(JournalError):
    """A key belongs to another request already."""


class Inbox:
    """The controller's side of an inbox.

    It never raises: a line does not stop because nobody can ask it for something.

    Args:
        journal: The journal beside which it lies.

    Attributes:
        trouble: Why it cannot be read or answered, or empty.
    """

    def __init__(self, journal: str | os.PathLike[str] | Place) -> None:
        self.path = inbox_of(journal)
        self.trouble = ""
        self._db: sqlite3.Connection | None = None
        self._seen = -1
        self._unanswered: list[Outcome] = []
        with self._tolerant():
            self._connect()

    def _connect(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = _opened(self.path, _CONTROLLER_WAIT_S)
            self._seen = -1
        return self._db

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Note what goes wrong, and begin anew the next time."""
        try:
            yield
            self.trouble = ""
        except (sqlite3.Error, JournalError) as error:
            self.trouble = f"{self.path}: {error}"
            self.close()

    def waiting(self) -> list[Request]:
        """Return what has no answer yet, as it came; at most a hundred.

        It costs a few microseconds where nobody has written since the last time.
        """
        found: list[Request] = []
        with self._tolerant():
            db = self._connect()
            [version] = db.execute("PRAGMA data_version").fetchone()
            if self._unanswered:
                self._answer(db)
            if version != self._seen:
                rows = db.execute(
                    "SELECT key, requests.body, papers.body FROM requests "
                    "LEFT JOIN papers USING (key) WHERE answer IS NULL "
                    "ORDER BY id LIMIT ?",
                    (_AT_ONCE,),
                ).fetchall()
                found = [_request(*row) for row in rows]
                if len(rows) < _AT_ONCE:
                    self._seen = version
        return found

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of requests, which is in the journal already.

        What cannot be written now is written later.
        """
        self._unanswered += outcomes
        if self._unanswered:
            with self._tolerant():
                self._answer(self._connect())

    def _answer(self, db: sqlite3.Connection) -> None:
        rows = [(one.is_accepted, one.text, one.key) for one in self._unanswered]
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                "UPDATE requests SET is_accepted = ?, answer = ? WHERE key = ?", rows
            )
            db.executemany(
                "DELETE FROM papers WHERE key = ?", [row[2:] for row in rows]
            )
            db.execute(
                "DELETE FROM requests WHERE answer IS NOT NULL AND id <= "
                "(SELECT max(id) FROM requests) - ?",
                (_KEPT,),
            )
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        self._unanswered = []

    def look_again(self) -> None:
        """Look at everything without an answer again, as after an error of the disk."""
        self._seen = -1

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = None


def _request(key: str, body: str, paper: str | None) -> Request:
    """Return a request from its row; one that cannot be read asks for nothing."""
    try:
        found = json.loads(body, parse_constant=_no_number)
        if paper is not None:
            found["data"] = json.loads(paper, parse_constant=_no_number)
        return Request(
            key,
            str(found["what"]),
            str(found["by"]),
            str(found["why"]),
            dict(found["data"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return Request(key, "something that cannot be read", "nobody", "", {})


def _no_number(text: str) -> Any:
    msg = f"{text} is no number of JSON"
    raise ValueError(msg)


# ---------------------------------------------------------------- those who ask


def hand_in(
    journal: str | os.PathLike[str] | Place, requests: Sequence[Request]
) -> None:
    """Put requests into the inbox of a journal, all of them or none.

    One with a key that is there already is the same request, and is not put in again.

    Raises:
        JournalError: There is no such journal, the inbox does not take them, or a key
            stands there for another request.
    """
    place = place_of(journal)
    if isinstance(place, Path) and not place.is_file():
        msg = f"{journal} is not a journal: there is no such file"
        raise JournalError(msg)
    path = inbox_of(journal)
    db = _opened(path, _WAIT_S)
    try:
        db.execute("BEGIN IMMEDIATE")
        for one in requests:
            _put(db, path, one)
        db.execute("COMMIT")
    except sqlite3.Error as error:
        msg = f"{path} does not take it: {error}"
        raise JournalError(msg) from error
    finally:
        db.close()  # what was not committed is rolled back


def _put(db: sqlite3.Connection, path: Path, one: Request) -> None:
    body = {"what": one.what, "by": one.by, "why": one.why, "data": one.data}
    paper = ""
    if one.what in _HAVE_PAPERS:
        paper = _json(one.data)
        body["data"] = {"paper": hashlib.sha256(paper.encode()).hexdigest()}
    if len(paper) > MOST_BYTES_OF_PAPER:
        msg = f"it is {len(paper):,} characters long; {MOST_BYTES_OF_PAPER:,} are "
        raise JournalError(msg + "allowed")
    text = _json(body)
    if len(text) > MOST_BYTES:
        msg = f"it is {len(text):,} characters long; {MOST_BYTES:,} are allowed"
        raise JournalError(msg)
    if not 1 <= len(one.key) <= _MOST_KEY or not one.key.isprintable():
        msg = f"the key {one.key[:40]!r} is empty, too long or cannot be printed"
        raise JournalError(msg)
    row = db.execute("SELECT body FROM requests WHERE key = ?", (one.key,)).fetchone()
    if row is None:
        db.execute("INSERT INTO requests (key, body) VALUES (?, ?)", (one.key, text))
        if paper:
            db.execute("INSERT OR REPLACE INTO papers VALUES (?, ?)", (one.key, paper))
    elif row[0] != text:
        msg = f'{path} has another request with the key "{one.key}"; take a new key'
        raise KeyTakenError(msg)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, sort_keys=True)


def outcomes_of(
    journal: str | os.PathLike[str] | Place, keys: Sequence[str]
) -> list[Outcome | None]:
    """Return what became of requests; None for one that has no answer yet.

    Raises:
        JournalError: The inbox cannot be read.
    """
    db = _opened(inbox_of(journal), _WAIT_S)
    try:
        found = []
        for key in keys:
            row = db.execute(
                "SELECT is_accepted, answer FROM requests WHERE key = ?", (key,)
            ).fetchone()
            has_answer = row is not None and row[1] is not None
            found.append(Outcome(key, bool(row[0]), row[1]) if has_answer else None)
        return found
    except sqlite3.Error as error:
        msg = f"{inbox_of(journal)} cannot be read: {error}"
        raise JournalError(msg) from error
    finally:
        db.close()
