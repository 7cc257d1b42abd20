"""The file in which the lives of units are kept by unit, lot and characteristic.

It is made from rows of the trace alone, those of a journal's records or of a run that
was simulated, without the line or the kernel. Beside a journal it can be thrown away:
it is brought up to date when somebody asks. It knows the last record that it has taken
in by its hash, over all before it, and begins anew where the journal has another one or
none there: a journal that was deleted and begun again says the same of itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.control.journal import Opening
from linewright.control.lots import Lot, Lots, materials_in
from linewright.errors import JournalError

__all__ = [
    "TOLD",
    "Happened",
    "IndexAbout",
    "Measured",
    "follow",
    "opened_index",
    "read_about",
]

_VERSION = 3
_LONGEST_WAIT_S = 60.0
_SCHEMA = """
CREATE TABLE about (
    version INTEGER, about TEXT, next_seq INTEGER, last_hash BLOB
) STRICT;
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
CREATE INDEX made_of_by_part ON made_of (product, serial, into_product, into_serial);
CREATE INDEX made_of_by_whole ON made_of (into_product, into_serial);
CREATE TABLE lots (
    id INTEGER PRIMARY KEY, material INTEGER, number INTEGER, name TEXT,
    supplier TEXT, quantity INTEGER, came_us INTEGER, taken INTEGER
) STRICT;
CREATE UNIQUE INDEX lots_by_number ON lots (material, number);
CREATE INDEX lots_by_name ON lots (name);
CREATE TABLE used (
    lot INTEGER, first INTEGER, quantity INTEGER, product INTEGER, serial INTEGER,
    operation TEXT, at_us INTEGER, PRIMARY KEY (lot, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_by_unit ON used (product, serial);
CREATE TABLE measured (
    product INTEGER, serial INTEGER, at_us INTEGER, operation TEXT, place TEXT,
    characteristic TEXT, value REAL, verdict TEXT
) STRICT;
CREATE INDEX measured_of_unit ON measured (product, serial);
CREATE INDEX measured_by_name ON measured (characteristic, product);
"""
_AGAIN = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
_ONCE = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
_VERDICTS = ("pass", "rework", "scrap")
_AT_ONCE = 50_000


class IndexAbout(NamedTuple):
    """Of what an index is.

    Attributes:
        opening: What the journal says of itself, or would.
        run: Of a run that was simulated: its replication and its end; else empty.
    """

    opening: Opening
    run: dict[str, int]

    def text(self) -> str:
        """Return it as it stands in the file."""
        return json.dumps([self.opening.body(), self.run])


class Measured(NamedTuple):
    """What was measured at a unit, and what was decided."""

    at_us: int
    product: str
    serial: int
    operation: str
    place: str
    values: Mapping[str, float]
    verdict: int


class Happened(NamedTuple):
    """What happened at once.

    Attributes:
        seq: Number of the record, or of the batch of rows.
        at_us: When, of all rows; -1 where each row begins with its own time.
        rows: Rows of the trace.
        data: What the machine said of it: of a delivery, its lot.
        measured: What was measured.
        hash: Hash of the record, over all before it; empty of a batch of rows.
    """

    seq: int
    at_us: int
    rows: Sequence[Sequence[int]]
    data: Mapping[str, Any]
    measured: Sequence[Measured] = ()
    hash: bytes = b""


def read_about(path: Path) -> IndexAbout | None:
    """Return of what a file is the index, or none if it is no index of this version."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            if not _is_index(db):
                return None
            version, text = db.execute("SELECT version, about FROM about").fetchone()
    except (sqlite3.Error, TypeError):
        return None
    if version != _VERSION:
        return None
    opening, run = json.loads(text)
    return IndexAbout(Opening(**opening), run)


def opened_index(path: Path, about: IndexAbout) -> sqlite3.Connection:
    """Return the file, new if it is not there, of something else or another form.

    That of a run is written once, as a draft that is thrown away if it is not ended.
    """
    key = (_VERSION, about.text())
    try:
        db = _connected(path)
        if (
            _is_index(db)
            and db.execute("SELECT version, about FROM about").fetchone() == key
        ):
            return db
        db.close()
    except sqlite3.Error:
        pass  # whatever it is, it can be made again
    for name in (path, path.with_name(path.name + "-wal")):
        name.unlink(missing_ok=True)
    db = _connected(path)
    db.executescript((_ONCE if about.run else _AGAIN) + _SCHEMA)
    with db:
        db.execute("INSERT INTO about VALUES (?, ?, 0, x'')", key)
        _put_first_lots(db, about.opening)
    return db


def _put_first_lots(db: sqlite3.Connection | sqlite3.Cursor, opening: Opening) -> None:
    """Write the lots that are there when the line begins."""
    lots = Lots(materials_in(opening.model)).begin()
    db.executemany("INSERT INTO lots VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_row, lots))


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=_LONGEST_WAIT_S)


def _row(lot: Lot) -> tuple[Any, ...]:
    return (
        lot.id, lot.material, lot.number, lot.name, lot.supplier, lot.quantity,
        lot.came_us, lot.taken,
    )  # fmt: skip


def _is_index(db: sqlite3.Connection) -> bool:
    tables = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'about'")
    return bool(tables.fetchone()[0])


def follow(
    db: sqlite3.Connection,
    opening: Opening,
    happened: Callable[[int], Iterable[Happened]],
    orders_that_came: Callable[[], list[str]] = list,
) -> None:
    """Take in what is new; who comes at the same time waits.

    What was taken in last is asked for once more. If it is another record by now, or
    none, all that is in the file is of a journal that is no more, and is taken out.

    Args:
        db: The file.
        opening: What the journal says of itself.
        happened: Yields what happened from a number on, as `Happened`.
        orders_that_came: Names the orders that came while the line ran.

    Raises:
        JournalError: The file cannot be written.
    """
    try:
        with closing(db.cursor()) as cursor, _whole(cursor):
            query = "SELECT next_seq, last_hash FROM about"
            n, last_hash = cursor.execute(query).fetchone()
            new = iter(happened(max(n - 1, 0)))
            if n > 0:
                last = next(new, None)
                if last is None or (last.seq, last.hash) != (n - 1, last_hash):
                    _empty(cursor, opening)
                    n, new = 0, iter(happened(0))
            reading = _Reading(opening, _lots_there(cursor, opening), orders_that_came)
            for one in new:
                reading.take(one)
                n, last_hash = one.seq + 1, one.hash
                if len(reading.steps) > _AT_ONCE:
                    reading.write(cursor)
            reading.write(cursor)
            about = "UPDATE about SET next_seq = ?, last_hash = ?"
            cursor.execute(about, (n, last_hash))
    except sqlite3.Error as error:
        msg = f"what became of the units cannot be written: {error}"
        raise JournalError(msg) from error


@contextmanager
def _whole(cursor: sqlite3.Cursor) -> Iterator[None]:
    """Write all of it or nothing, also when the journal cannot be read on."""
    cursor.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # it may be rolled back already
            cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def _empty(cursor: sqlite3.Cursor, opening: Opening) -> None:
    """Take out all that was taken in; within a commit, since others may be reading."""
    for table in ("units", "steps", "made_of", "lots", "used", "measured"):
        cursor.execute(f"DELETE FROM {table}")
    _put_first_lots(cursor, opening)


def _lots_there(cursor: sqlite3.Cursor, opening: Opening) -> Lots:
    there = cursor.execute(
        "SELECT id, material, number, name, supplier, quantity, came_us, taken "
        "FROM lots WHERE taken < quantity ORDER BY id"
    )
    lots = [Lot(*row) for row in there.fetchall()]
    counts = dict(
        cursor.execute("SELECT material, count(*) FROM lots GROUP BY material")
    )
    return Lots(materials_in(opening.model), lots, counts, sum(counts.values()))


class _Reading:
    """Turns rows of the trace into rows of the file."""

    def __init__(
        self,
        opening: Opening,
        lots: Lots,
        orders_that_came: Callable[[], list[str]],
    ) -> None:
        names = opening.names
        self._n_planned = len(names["orders"])
        self._orders_that_came = orders_that_came
        self._servers, self._stations = names["servers"], names["stations"]
        self._operations, self._orders = names["operations"], names["orders"]
        self._products = names["products"]
        self._lots = lots
        self._clear()

    def _clear(self) -> None:
        self.released: list[tuple[Any, ...]] = []
        self.ended: list[tuple[Any, ...]] = []
        self.steps: list[tuple[Any, ...]] = []
        self.made_of: list[tuple[Any, ...]] = []
        self.new_lots: dict[int, Lot] = {}
        self.touched: dict[int, Lot] = {}
        self.used: list[tuple[Any, ...]] = []
        self.measured: list[tuple[Any, ...]] = []

    def take(self, one: Happened) -> None:
        """Read what happened to units and lots."""
        seq, at_us, data = one.seq, one.at_us, one.data
        for row in one.rows:
            if at_us < 0:
                self._take_row(seq, row[0], row[1:], data)
            else:
                self._take_row(seq, at_us, row, data)
        for found in one.measured:
            self._take_measured(found)

    def _take_row(
        self, seq: int, at_us: int, of: Sequence[int], data: Mapping[str, Any]
    ) -> None:
        kind, row, product, serial, step, value, _ = of
        if kind == t.T_EVENT:
            if value == t.RETURNED and (lot := self._lots.come(row, at_us, data)):
                self.new_lots[lot.id] = lot
        elif kind == t.T_TAKE and product >= 0:
            operation = self._operations[step]
            for use in self._lots.take(row, value):
                self.touched[use.lot.id] = use.lot
                whose = product, serial, operation, at_us
                self.used.append((use.lot.id, use.first, use.quantity, *whose))
        elif kind in TOLD and product >= 0:
            self._note(seq, at_us, of)
            self._follow_unit(at_us, of)

    def _note(self, seq: int, at_us: int, of: Sequence[int]) -> None:
        """Note a step of a unit's life."""
        kind, row, product, serial, step, value, _ = of
        operation = self._operations[step] if step >= 0 else ""
        place, detail = "", ""
        if kind == t.T_START:
            place = self._servers[row]
        elif kind in _AT_STATIONS:
            place = self._stations[row] if row >= 0 else ""
        if kind == t.T_VERDICT:
            detail = _VERDICTS[value & 3]
        elif kind == t.T_RELEASE:
            detail = self._order(value) if value >= 0 else ""
        what = t.TRACE_NAMES[kind]
        self.steps.append((product, serial, seq, at_us, what, operation, place, detail))

    def _order(self, row: int) -> str:
        """Return the name of an order, also of one that came while the line ran."""
        if row >= len(self._orders):
            planned = self._orders[: self._n_planned]
            self._orders = planned + self._orders_that_came()
        return self._orders[row]

    def _follow_unit(self, at_us: int, of: Sequence[int]) -> None:
        """Note where a unit came from and what became of it."""
        kind, _, product, serial, _, value, other = of
        if kind in _FATES:
            is_split = kind == t.T_EXIT and other == 1
            fate = "split up" if is_split else _FATES[kind]
            self.ended.append((at_us, fate, product, serial))
        if kind in {t.T_RELEASE, t.T_SPLIT}:
            self.released.append((product, serial, at_us))
        if kind == t.T_USE:
            self.made_of.append((product, serial, value, other, at_us))
        elif kind == t.T_SPLIT:
            self.made_of.append((value, other, product, serial, at_us))

    def _take_measured(self, of: Measured) -> None:
        product, verdict = self._products.index(of.product), _VERDICTS[of.verdict & 3]
        place = of.place
        if place not in self._stations:  # a machine has the name of its server
            place = place.rpartition("/")[0]
        for name, value in of.values.items():
            self.measured.append(
                (product, of.serial, of.at_us, of.operation, place, name,
                 float(value), verdict)
            )  # fmt: skip

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
            "UPDATE units SET ended_us = ?, fate = ? WHERE product = ? AND serial = ?",
            self.ended,
        )
        lots = (self.touched | self.new_lots).values()
        many(
            "INSERT OR REPLACE INTO lots VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            map(_row, lots),
        )
        many("INSERT INTO used VALUES (?, ?, ?, ?, ?, ?, ?)", self.used)
        many("INSERT INTO measured VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.measured)
        self._clear()


_FATES = {
    t.T_EXIT: "finished",
    t.T_SCRAP: "scrapped",
    t.T_USE: "built in",
    t.T_LOST: "lost",
}
_AT_STATIONS = {t.T_VERDICT, t.T_REWORK, t.T_SCRAP, t.T_EXIT}
TOLD = frozenset((
    t.T_EVENT, t.T_RELEASE, t.T_START, t.T_VERDICT, t.T_REWORK, t.T_SCRAP, t.T_EXIT,
    t.T_USE, t.T_SPLIT, t.T_STORE, t.T_LATE, t.T_LOST, t.T_SKIP, t.T_TAKE,
))  # fmt: skip
"""Kinds of rows of the trace that are about units and lots."""
