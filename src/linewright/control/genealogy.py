"""What became of every unit: its work, what it is made of, what it went into.

All of it is in the journal. To answer in no time, it is kept by unit in a file beside
the journal, or in the user's cache where that is on a server. The file is brought up to
date when somebody asks, and can be thrown away. It is read from the records alone,
without the line or the kernel.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.control.jobs import Unit
from linewright.control.journal import Opening, Reader, Stored
from linewright.control.places import Place
from linewright.control.reading import open_reader
from linewright.errors import JournalError

__all__ = ["Genealogy", "Step", "Tree", "flat"]

_VERSION = 1
_LONGEST_WAIT_S = 60.0
_SCHEMA = """
CREATE TABLE about (version INTEGER, opening TEXT, next_seq INTEGER) STRICT;
CREATE TABLE units (
    product INTEGER, serial INTEGER, released_us INTEGER, ended_us INTEGER, fate TEXT,
    PRIMARY KEY (product, serial)
) STRICT, WITHOUT ROWID;
CREATE TABLE steps (
    product INTEGER, serial INTEGER, seq INTEGER, at_us INTEGER, what TEXT,
    operation TEXT, place TEXT, detail TEXT
) STRICT;
CREATE INDEX steps_of ON steps (product, serial);
CREATE TABLE made_of (
    product INTEGER, serial INTEGER, into_product INTEGER, into_serial INTEGER,
    at_us INTEGER
) STRICT;
CREATE INDEX made_of_by_part ON made_of (product, serial);
CREATE INDEX made_of_by_whole ON made_of (into_product, into_serial);
"""
_VERDICTS = ("pass", "rework", "scrap")


class Step(NamedTuple):
    """Something that happened to a unit."""

    at_us: int
    what: str
    operation: str
    place: str
    detail: str


class Tree(NamedTuple):
    """A unit with what it is made of, or with what it went into."""

    unit: Unit
    fate: str
    below: tuple[Tree, ...]


class Genealogy:
    """The units of a journal; see the module's head.

    Args:
        journal: The journal: its file, or its address.

    Raises:
        JournalError: It is no journal, or was changed.
    """

    def __init__(self, journal: str | os.PathLike[str] | Place) -> None:
        reader = open_reader(journal)
        self.opening = reader.opening
        self._products = self.opening.names["products"]
        self._db = _opened(reader.beside("units"), self.opening)
        try:
            _follow(self._db, reader)
        finally:
            reader.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def unit(self, text: str) -> Unit:
        """Return the unit that a text such as ``trainer:17`` names.

        Raises:
            JournalError: There is no such unit.
        """
        product, _, serial = text.rpartition(":")
        if product not in self._products or not serial.isdecimal():
            known = ", ".join(self._products)
            msg = f'"{text}" is no unit; write it like {self._products[0]}:17 ({known})'
            raise JournalError(msg)
        unit = Unit(product, int(serial))
        if self._fate(unit) is None:
            msg = f"{unit} is not in the journal"
            raise JournalError(msg)
        return unit

    def _key(self, unit: Unit) -> tuple[int, int]:
        return self._products.index(unit.product), unit.serial

    def _fate(self, unit: Unit) -> str | None:
        row = self._db.execute(
            "SELECT fate FROM units WHERE product = ? AND serial = ?", self._key(unit)
        ).fetchone()
        return None if row is None else str(row[0])

    def count(self) -> int:
        """Return how many units there are."""
        return int(self._db.execute("SELECT count(*) FROM units").fetchone()[0])

    def life(self, unit: Unit) -> list[Step]:
        """Return what happened to a unit, in order."""
        rows = self._db.execute(
            "SELECT at_us, what, operation, place, detail FROM steps "
            "WHERE product = ? AND serial = ? ORDER BY rowid",
            self._key(unit),
        )
        return [Step(*row) for row in rows]

    def made_of(self, unit: Unit) -> Tree:
        """Return a unit with its components, theirs, and so on."""
        return self._tree(unit, _DOWN)

    def went_into(self, unit: Unit) -> Tree:
        """Return a unit with what it was built into, what that was, and so on."""
        return self._tree(unit, _UP)

    def _tree(self, unit: Unit, query: str) -> Tree:
        rows = self._db.execute(query, self._key(unit)).fetchall()
        found = (Unit(self._products[product], serial) for product, serial in rows)
        below = tuple(self._tree(other, query) for other in found)
        return Tree(unit, self._fate(unit) or "", below)


_DOWN = (
    "SELECT product, serial FROM made_of WHERE into_product = ? AND into_serial = ? "
    "ORDER BY rowid"
)
_UP = (
    "SELECT into_product, into_serial FROM made_of WHERE product = ? AND serial = ? "
    "ORDER BY rowid"
)


def _opened(path: Path, opening: Opening) -> sqlite3.Connection:
    """Return the file, new if it is not there, of another journal or another form."""
    about = (_VERSION, repr(opening))
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=_LONGEST_WAIT_S)
        if _has(db, about):
            return db
        db.close()
    except sqlite3.Error:
        pass  # whatever it is, it can be made again
    for name in (path, path.with_name(path.name + "-wal")):
        name.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None, timeout=_LONGEST_WAIT_S)
    db.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA
    )
    db.execute("INSERT INTO about VALUES (?, ?, 0)", about)
    return db


def _has(db: sqlite3.Connection, about: tuple[int, str]) -> bool:
    tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'about'")
    if not tables.fetchone()[0]:
        return False
    return bool(db.execute("SELECT version, opening FROM about").fetchone() == about)


def _follow(db: sqlite3.Connection, reader: Reader) -> None:
    """Take in the records that are new; who comes at the same time waits."""
    reading = _Reading(reader)
    try:
        with closing(db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            [n] = cursor.execute("SELECT next_seq FROM about").fetchone()
            for stored in reader.read(n):
                reading.take(stored)
                n = stored.seq + 1
                if len(reading.steps) > _AT_ONCE:
                    reading.write(cursor)
            reading.write(cursor)
            cursor.execute("UPDATE about SET next_seq = ?", (n,))
            cursor.execute("COMMIT")
    except sqlite3.Error as error:
        msg = f"what became of the units cannot be written: {error}"
        raise JournalError(msg) from error


_AT_ONCE = 50_000


class _Reading:
    """Turns rows of records into rows of the file."""

    def __init__(self, reader: Reader) -> None:
        self._reader, names = reader, reader.opening.names
        self._servers, self._stations = names["servers"], names["stations"]
        self._operations, self._orders = names["operations"], names["orders"]
        self._clear()

    def _clear(self) -> None:
        self.released: list[tuple[Any, ...]] = []
        self.ended: list[tuple[Any, ...]] = []
        self.steps: list[tuple[Any, ...]] = []
        self.made_of: list[tuple[Any, ...]] = []

    def _order(self, row: int) -> str:
        """Return the name of an order, also of one that came while the line ran."""
        n_planned = len(self._reader.opening.names["orders"])
        if row >= len(self._orders):
            planned = self._orders[:n_planned]
            self._orders = planned + self._reader.orders_that_came()
        return self._orders[row]

    def take(self, stored: Stored) -> None:
        """Read what happened to units in a record."""
        at_us, seq = stored.record.at_us, stored.seq
        for kind, row, product, serial, step, value, other in stored.record.rows:
            if product < 0 or kind not in _TOLD:
                continue
            operation = self._operations[step] if step >= 0 else ""
            what, place, detail = t.TRACE_NAMES[kind], "", ""
            if kind == t.T_START:
                place = self._servers[row]
            elif kind in {t.T_VERDICT, t.T_REWORK, t.T_SCRAP, t.T_EXIT}:
                place = self._stations[row] if row >= 0 else ""
            if kind == t.T_VERDICT:
                detail = _VERDICTS[value & 3]
            elif kind == t.T_RELEASE:
                self.released.append((product, serial, at_us))
                self.ended.append((at_us, "split up", value, other))
                detail = self._order(value) if value >= 0 else ""
            elif kind in _FATES:
                self.ended.append((at_us, _FATES[kind], product, serial))
            if kind == t.T_USE:
                self.made_of.append((product, serial, value, other, at_us))
            elif kind == t.T_SPLIT:
                self.made_of.append((value, other, product, serial, at_us))
                self.released.append((product, serial, at_us))
            self.steps.append(
                (product, serial, seq, at_us, what, operation, place, detail)
            )

    def write(self, cursor: sqlite3.Cursor) -> None:
        """Write what was read."""
        many = cursor.executemany
        many(
            "INSERT OR IGNORE INTO units VALUES (?, ?, ?, NULL, 'in the line')",
            self.released,
        )
        many("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.steps)
        many("INSERT INTO made_of VALUES (?, ?, ?, ?, ?)", self.made_of)
        many(
            "UPDATE units SET ended_us = ?, fate = ? WHERE product = ? AND serial = ? "
            "AND fate <> 'split up'",
            self.ended,
        )
        self._clear()


_FATES = {
    t.T_EXIT: "finished",
    t.T_SCRAP: "scrapped",
    t.T_USE: "built in",
    t.T_LOST: "lost",
}
_TOLD = {
    t.T_RELEASE, t.T_START, t.T_VERDICT, t.T_REWORK, t.T_SCRAP, t.T_EXIT, t.T_USE,
    t.T_SPLIT, t.T_STORE, t.T_LATE, t.T_LOST, t.T_SKIP,
}  # fmt: skip


def flat(tree: Tree, depth: int = 0) -> Iterable[tuple[int, Unit, str]]:
    """Yield the units of a tree with how far down they are."""
    yield depth, tree.unit, tree.fate
    for below in tree.below:
        yield from flat(below, depth + 1)
