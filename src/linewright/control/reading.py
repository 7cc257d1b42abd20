"""A journal, followed by somebody who can only read it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linewright.control.journal import (
    Opening,
    Reader,
    Snapshot,
    Stored,
    read_opening,
    read_records,
    whole_snapshot,
)
from linewright.control.places import Place, beside, place_of
from linewright.control.records import names_that_came
from linewright.errors import JournalError

__all__ = ["JournalReader", "need_postgres", "open_reader"]


def open_reader(place: str | os.PathLike[str] | Place) -> Reader:
    """Return the reader of a journal, wherever it is.

    Args:
        place: Path of a file, or an address; see `places`.

    Raises:
        JournalError: There is no such journal, or it is of a later version.
    """
    found = place_of(place)
    if isinstance(found, Path):
        return JournalReader(found)
    need_postgres()
    from linewright.control.postgres import PostgresReader  # noqa: PLC0415 - an extra

    return PostgresReader(found)


def need_postgres() -> None:
    """Say what to install, if it is not there.

    Raises:
        JournalError: psycopg is not installed.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        msg = (
            'a journal on PostgreSQL needs psycopg; pip install "linewright[postgres]"'
        )
        raise JournalError(msg) from error


class JournalReader:
    """A journal that is open for reading as long as somebody looks on.

    SQLite opens the file read-only: nothing here can change it, nor keep its controller
    from writing.

    Args:
        path: The file.

    Attributes:
        opening: What it says of itself.
        name: What to call it.

    Raises:
        JournalError: There is no such journal, or it is of a later version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = str(path)
        if not self.path.is_file():
            msg = f"{self.path} is not a journal: there is no such file"
            raise JournalError(msg)
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        try:
            self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise JournalError(msg) from error
        try:
            self.opening: Opening = read_opening(self.path, self._db)
        except JournalError:
            self._db.close()
            raise

    def read(self, from_seq: int = 0) -> Iterator[Stored]:
        """Yield the records from a number on, each held against its hash."""
        return read_records(self._db, self.path, self.opening, from_seq)

    def orders_that_came(self) -> list[str]:
        """Return the names of the orders that came while the line ran."""
        query = "SELECT body FROM records WHERE kind = 'request' ORDER BY seq"
        try:
            bodies = [json.loads(text) for (text,) in self._db.execute(query)]
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise JournalError(msg) from error
        return names_that_came(bodies)

    def last_us(self) -> int:
        """Return when the last record was, microseconds from the line's start, or 0."""
        row = self._ask("SELECT at_us FROM records ORDER BY seq DESC LIMIT 1", ())
        return 0 if row is None else int(row[0])

    @property
    def next_seq(self) -> int:
        """The number of the record that will be written next."""
        row = self._ask("SELECT max(seq) FROM records", ())
        return 0 if row is None or row[0] is None else int(row[0]) + 1

    def snapshot_before(self, at_us: int) -> Snapshot | None:
        """Return the last whole snapshot of an instant before a time, if there is one.

        Args:
            at_us: The time, microseconds from the line's start.
        """
        row = self._ask(
            "SELECT snapshots.seq, notes, arrays, snapshots.hash FROM snapshots "
            "JOIN records ON records.seq = snapshots.seq - 1 WHERE records.at_us < ? "
            "ORDER BY snapshots.seq DESC LIMIT 1",
            (at_us,),
        )
        return None if row is None else whole_snapshot(row)

    def _ask(self, query: str, values: tuple[int, ...]) -> Any:
        try:
            return self._db.execute(query, values).fetchone()
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise JournalError(msg) from error

    def written_s(self) -> float:
        """Return when it was last written, seconds of the system's clock."""
        wal = self.path.with_name(self.path.name + "-wal")
        files = [file for file in (self.path, wal) if file.exists()]
        return max((file.stat().st_mtime for file in files), default=0.0)

    def beside(self, kind: str) -> Path:
        """Return the file for what is made from the journal and can be thrown away."""
        return beside(self.path, kind)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
