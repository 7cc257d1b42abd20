"""What became of every unit: its work, what it is made of, what it went into.

All of it is in the journal, and in the trace of a run that was simulated. To answer in
no time it is kept by unit in a file (`unit_index`): beside the journal, or in the
user's cache where that is on a server; in memory; or where somebody wants to keep that
of a run. The same questions are asked of all of them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from linewright.control.jobs import Unit, device_of
from linewright.control.journal import Opening, Stored
from linewright.control.places import Place, place_of
from linewright.control.reading import open_reader
from linewright.control.records import Record
from linewright.control.unit_index import (
    Happened,
    IndexAbout,
    Measured,
    follow,
    opened_index,
    read_about,
)
from linewright.errors import JournalError

__all__ = [
    "Genealogy",
    "Held",
    "LotFound",
    "Step",
    "Tree",
    "UsedLot",
    "Value",
    "flat",
    "happened_in",
    "measured_in",
]

_NEAR = 5  # so many lots are named where one is not found


class Step(NamedTuple):
    """Something that happened to a unit."""

    at_us: int
    what: str
    operation: str
    place: str
    detail: str


class LotFound(NamedTuple):
    """A lot of bought material.

    Attributes:
        material: What it is.
        number: Its number among the lots of the material, from 0.
        name: The number that its supplier gave it, or empty.
        supplier: Who made it, or empty.
        quantity: How many units it had.
        taken: How many have been taken.
        came_us: When it came, microseconds from the line's start.
    """

    material: str
    number: int
    name: str
    supplier: str
    quantity: int
    taken: int
    came_us: int

    def __str__(self) -> str:
        """Return the lot as one asks for it."""
        return f"{self.material}:{self.number}"


class UsedLot(NamedTuple):
    """What a unit took from a lot."""

    lot: LotFound
    quantity: int
    operation: str
    at_us: int


class Value(NamedTuple):
    """What was measured at a unit."""

    at_us: int
    operation: str
    place: str
    characteristic: str
    value: float
    verdict: str


class Tree(NamedTuple):
    """A unit with what it is made of, or with what it went into."""

    unit: Unit
    fate: str
    below: tuple[Tree, ...]
    lots: tuple[UsedLot, ...] = ()


class Held(NamedTuple):
    """A unit that holds a lot or another unit.

    Attributes:
        unit: The unit.
        fate: ``in the line``, ``finished``, ``built in``, ``scrapped``, ``split up`` or
            ``lost``.
        released_us: When it came into the line.
        ended_us: When it left, or None.
    """

    unit: Unit
    fate: str
    released_us: int | None
    ended_us: int | None


class Genealogy:
    """The units of a journal or of a run; see the module's head.

    Args:
        path: The journal, its file or address, or the index of a run that was kept.

    Attributes:
        opening: What the journal says of itself, or would say.
        run: Replication and end of a run that was simulated; empty for a journal.

    Raises:
        JournalError: It is neither, or the journal was changed.
    """

    def __init__(self, path: str | os.PathLike[str] | Place) -> None:
        place = place_of(path)
        is_file = isinstance(place, Path) and place.is_file()
        kept = read_about(place) if isinstance(place, Path) and is_file else None
        if kept is not None and kept.run:
            assert isinstance(place, Path)
            self._open(place, kept)
            return
        reader = open_reader(place)
        try:
            about = IndexAbout(reader.opening, {})
            self._open(reader.beside("units"), about)
            follow(
                self._db,
                about.opening,
                lambda n: happened_in(reader, n),
                reader.orders_that_came,
            )
        finally:
            reader.close()

    @classmethod
    def made(
        cls,
        about: IndexAbout,
        happened: Iterable[Happened],
        path: str | os.PathLike[str] = ":memory:",
    ) -> Genealogy:
        """Return the units of all that happened in a run.

        Args:
            about: Of which run.
            happened: What happened, from its start.
            path: File in which the index is kept; what stands there is replaced.

        Raises:
            JournalError: The file cannot be written.
        """
        book = cls.__new__(cls)
        if str(path) != ":memory:":
            Path(path).unlink(missing_ok=True)
        book._open(Path(path), about)  # noqa: SLF001 - our own
        follow(book._db, about.opening, lambda _: happened)  # noqa: SLF001
        return book

    def _open(self, path: Path, about: IndexAbout) -> None:
        self.opening: Opening = about.opening
        self.run = about.run
        self._products = self.opening.names["products"]
        self._materials = list(self.opening.model.get("materials", {}))
        self._db: sqlite3.Connection = opened_index(path, about)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield what a query of the index gives, for exports."""
        yield from self._db.execute(query)

    # ------------------------------------------------------------ units

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
            msg = f"{unit} is not in the {'run' if self.run else 'journal'}"
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

    def values(self, unit: Unit) -> list[Value]:
        """Return what was measured at a unit, in order."""
        rows = self._db.execute(
            "SELECT at_us, operation, place, characteristic, value, verdict "
            "FROM measured WHERE product = ? AND serial = ? ORDER BY rowid",
            self._key(unit),
        )
        return [Value(*row) for row in rows]

    def made_of(self, unit: Unit) -> Tree:
        """Return a unit with its components and lots, theirs, and so on."""
        return self._tree(unit, _DOWN)

    def went_into(self, unit: Unit) -> Tree:
        """Return a unit with what it was built into, what that was, and so on."""
        return self._tree(unit, _UP)

    def _tree(self, unit: Unit, query: str) -> Tree:
        rows = self._db.execute(query, self._key(unit)).fetchall()
        found = (Unit(self._products[product], serial) for product, serial in rows)
        below = tuple(self._tree(other, query) for other in found)
        lots = tuple(self.lots_of(unit)) if query is _DOWN else ()
        return Tree(unit, self._fate(unit) or "", below, lots)

    def lots_of(self, unit: Unit) -> Iterator[UsedLot]:
        """Yield what a unit itself took from lots, in order."""
        rows = self._db.execute(
            "SELECT material, number, name, supplier, lots.quantity, taken, came_us, "
            "used.quantity, operation, at_us FROM used JOIN lots ON lots.id = used.lot "
            "WHERE product = ? AND serial = ? ORDER BY at_us, lot, first",
            self._key(unit),
        )
        for *lot, quantity, operation, at_us in rows:
            yield UsedLot(self._lot(lot), quantity, operation, at_us)

    def _lot(self, row: Iterable[Any]) -> LotFound:
        material, *rest = row
        return LotFound(self._materials[material], *rest)

    # ------------------------------------------------------------ lots

    def lots(self, material: str | None = None) -> list[LotFound]:
        """Return the lots in the order in which they came."""
        rows = self._db.execute(_LOT + " ORDER BY id")
        found = (self._lot(row) for row in rows)
        return [lot for lot in found if material in {None, lot.material}]

    def lot(self, text: str) -> LotFound:
        """Return the lot that a text names: ``resin:3``, or the supplier's number.

        Raises:
            JournalError: There is no such lot, or more than one.
        """
        material, _, number = text.rpartition(":")
        if material in self._materials and number.isdecimal():
            row = self._materials.index(material), int(number)
            found = self._db.execute(_LOT + " WHERE material = ? AND number = ?", row)
        else:
            found = self._db.execute(_LOT + " WHERE name = ? AND name <> ''", (text,))
        lots = [self._lot(row) for row in found]
        if len(lots) == 1:
            return lots[0]
        if lots:
            msg = f'"{text}" is more than one lot: {", ".join(map(str, lots))}'
        else:
            msg = f'there is no lot "{text}"; {self._known_lots()}'
        raise JournalError(msg)

    def _known_lots(self) -> str:
        if not self._materials:
            return "the line has no materials"
        rows = self._db.execute(_LOT + " ORDER BY id DESC LIMIT ?", (_NEAR,))
        found = [self._lot(row) for row in rows]
        names = ", ".join(f"{lot} {lot.name}".strip() for lot in found)
        return f"write it like {self._materials[0]}:0; the last ones are {names}"

    def holding(self, what: LotFound | Unit) -> list[Held]:
        """Return every unit that holds a lot, or a unit, itself or in a component.

        What was built in is there as well as what it was built into; so are pieces of
        what was split up. A unit holds itself.
        """
        if isinstance(what, Unit):
            begin, values = "SELECT ?, ?", self._key(what)
        else:
            begin = (
                "SELECT product, serial FROM used WHERE lot = "
                "(SELECT id FROM lots WHERE material = ? AND number = ?)"
            )
            values = self._materials.index(what.material), what.number
        rows = self._db.execute(_HOLDING.format(begin=begin), values)
        return [
            Held(Unit(self._products[product], serial), fate, released_us, ended_us)
            for product, serial, fate, released_us, ended_us in rows
        ]

    # ------------------------------------------------------------ characteristics

    def verdicts(self) -> dict[tuple[str, str], list[bool]]:
        """Return by product and inspection whether each unit was rejected, in order."""
        found: dict[tuple[str, str], list[bool]] = {}
        for name, product in self.opening.model.get("products", {}).items():
            for step in product.get("route", ()):
                if "inspection" in step:
                    found[name, step.get("operation") or step["station"]] = []
        rows = self._db.execute(
            "SELECT product, operation, detail FROM steps WHERE what = 'verdict' "
            "ORDER BY rowid"
        )
        for product, operation, detail in rows:
            told = found.get((self._products[product], operation))
            if told is not None:
                told.append(detail != "pass")
        return found

    def measured(self) -> list[tuple[str, str, int]]:
        """Return what was measured: product, characteristic, and how often."""
        rows = self._db.execute(
            "SELECT product, characteristic, count(*) FROM measured "
            "GROUP BY product, characteristic ORDER BY product, min(rowid)"
        )
        return [(self._products[product], name, n) for product, name, n in rows]

    def values_of(self, product: str, characteristic: str) -> list[tuple[int, float]]:
        """Return all values of a characteristic, each with its time, in order."""
        return self._db.execute(
            "SELECT at_us, value FROM measured "
            "WHERE product = ? AND characteristic = ? ORDER BY at_us, rowid",
            (self._products.index(product), characteristic),
        ).fetchall()


_DOWN = (
    "SELECT product, serial FROM made_of WHERE into_product = ? AND into_serial = ? "
    "ORDER BY rowid"
)
_UP = (
    "SELECT into_product, into_serial FROM made_of WHERE product = ? AND serial = ? "
    "ORDER BY rowid"
)
_LOT = "SELECT material, number, name, supplier, quantity, taken, came_us FROM lots"
_HOLDING = """
WITH RECURSIVE holding(product, serial) AS (
    {begin}
    UNION
    SELECT into_product, into_serial FROM holding JOIN made_of USING (product, serial)
)
SELECT product, serial, coalesce(fate, 'in the line'), released_us, ended_us
FROM holding LEFT JOIN units USING (product, serial) ORDER BY product, serial
"""


class _Records(Protocol):
    def read(self, from_seq: int) -> Iterator[Stored]: ...


def happened_in(reader: _Records, from_seq: int = 0) -> Iterator[Happened]:
    """Yield what happened in a journal from a record on."""
    for stored in reader.read(from_seq):
        record = stored.record
        data = record.body.get("data", {})
        measured = list(measured_in(record))
        yield Happened(
            stored.seq, record.at_us, record.rows, data, measured, stored.hash
        )


def measured_in(record: Record) -> Iterator[Measured]:
    """Yield what a machine has measured, as the record of a job's end has it."""
    body = record.body
    found = body.get("data", {}).get("measured", ()) if record.kind == "done" else ()
    for of, outcome in zip(found, body.get("outcomes", ()), strict=False):
        product, serial = of["unit"]
        place = device_of(body["job"])[0]
        yield Measured(
            record.at_us, product, serial, of["operation"], place, of["values"], outcome
        )


def flat(tree: Tree, depth: int = 0) -> Iterable[tuple[int, Unit, str]]:
    """Yield the units of a tree with how far down they are."""
    yield depth, tree.unit, tree.fate
    for below in tree.below:
        yield from flat(below, depth + 1)
