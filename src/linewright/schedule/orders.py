"""Dated orders: those of the model, or of a file, with all that is wrong with them.

A CSV file's columns are those of the model's orders: product, and if they are there id,
quantity, release, due, priority. Dates are local times of the line; they may all carry
an offset from UTC instead, but not some of them. A workbook has the same columns, in a
sheet that is called orders, or the first; a B2MML operations schedule says the same in
its requests (`importers.orders`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from linewright.errors import Finding, ModelError
from linewright.importers.orders import requests
from linewright.model.explain import did_you_mean, keys_at, listed
from linewright.model.files import Folder, Row
from linewright.model.line import Line, OrderFile
from linewright.model.moments import date_text, tick_of
from linewright.schedule.excel import cell_name
from linewright.units import parse_duration_us

__all__ = ["MOST_UNITS", "DatedOrder", "orders_of", "read_orders"]

MOST_UNITS = 100_000
"""Units of one order at most; more is taken for a slip of the pen."""

COLUMNS = tuple(keys_at(("orders", 0)))

RESULTS = (
    "weight", "start", "end", "late_s", "on_time", "on_time_low", "on_time_high",
)  # fmt: skip
"""Columns of a schedule's orders that say what came of them, and are no wish."""


@dataclass(frozen=True, slots=True)
class DatedOrder:
    """A demand for a number of one product by a due date.

    Attributes:
        id: Its name.
        product: What is asked for.
        quantity: How many units.
        release_us: Not begun before, microseconds from the start, zero or more.
        due_us: Asked for by this time; none: at any time.
        priority: Higher is more urgent.
    """

    id: str
    product: str
    quantity: int = 1
    release_us: int = 0
    due_us: int | None = None
    priority: int = 0

    @property
    def weight(self) -> int:
        """How much a delay counts: one, and one more for each step of priority."""
        return 1 + max(self.priority, 0)


def orders_of(line: Line) -> tuple[DatedOrder, ...]:
    """Return the orders of a checked model.

    Raises:
        ModelError: One of them cannot be scheduled; with a finding for each.
    """
    assert not isinstance(line.orders, OrderFile)
    findings: list[Finding] = []
    found: list[DatedOrder] = []
    for i, order in enumerate(line.orders):
        product = line.products[order.product]
        release = 0 if order.release is None else tick_of(line, order.release)
        due = None if order.due is None else tick_of(line, order.due)
        priority = product.priority if order.priority is None else order.priority
        name = order.id or str(i + 1)
        place = Finding("LW511", "", path=("orders", i))
        findings += _meaning(line, place, order.product, order.quantity)
        found.append(
            DatedOrder(
                name, order.product, order.quantity, max(release, 0), due, priority
            )
        )
    if findings:
        raise ModelError(findings)
    return tuple(found)


def read_orders(
    line: Line, path: str | os.PathLike[str]
) -> tuple[tuple[DatedOrder, ...], tuple[Finding, ...]]:
    """Return the orders of a file that can be scheduled, and what is wrong.

    Args:
        line: The line.
        path: The file: a workbook, if its name ends with ``.xlsx``; B2MML, if with
            ``.xml``; else CSV.

    Returns:
        The good orders, and a finding for each thing that is wrong with another.

    Raises:
        ModelError: The file cannot be read, or its columns are not those of orders.
        LinewrightError: Workbooks cannot be read here; with what to install.
    """
    file = os.fspath(path)
    findings: list[Finding] = []
    read = {".xlsx": _from_workbook, ".xml": _from_b2mml}
    rows, places = read.get(Path(file).suffix.lower(), _from_csv)(file, findings)
    if not rows and not findings:
        msg = "there are no orders in it"
        raise ModelError([Finding("LW510", msg, "error", file, 1, 1)])
    reader = _Reader(line, file, places, findings)
    good = tuple(order for row in rows if (order := reader.order(row)) is not None)
    return good, tuple(reader.findings)


_Read = tuple[list[Row], Mapping[str, int] | None]
"""Rows as text and, of a sheet, the number of each column."""


def _from_csv(file: str, _: list[Finding]) -> _Read:
    try:
        rows = list(Folder(Path(file).parent).rows(Path(file).name))
    except ValueError as error:
        raise ModelError([Finding("LW510", str(error), "error", file)]) from error
    if rows and (findings := list(_columns(file, rows[0].cells))):
        raise ModelError(findings)
    return rows, None


def _from_workbook(file: str, _: list[Finding]) -> _Read:
    from linewright.schedule.excel import read_sheet  # noqa: PLC0415 - optional

    try:
        sheet = read_sheet(Path(file), "orders")
    except ValueError as error:
        raise ModelError([Finding("LW510", str(error), "error", file)]) from error
    asked = {
        name: column for name, column in sheet.columns.items() if name not in RESULTS
    }
    if findings := list(_columns(file, asked)):
        raise ModelError(findings)
    return [Row(number, cells) for number, cells in sheet.rows], sheet.columns


def _from_b2mml(file: str, findings: list[Finding]) -> _Read:
    rows = [
        Row(
            one.line,
            {
                "id": one.name,
                "product": one.product,
                "quantity": "" if one.quantity is None else str(one.quantity),
                "priority": one.priority,
                "release": one.release,
                "due": one.due,
            },
        )
        for one in requests(Path(file), findings)
    ]
    return rows, None


def _columns(file: str, cells: Iterable[str]) -> Iterator[Finding]:
    for name in cells:
        if name not in COLUMNS:
            msg = f'unknown column "{name}"; columns are {listed(COLUMNS)}'
            near = did_you_mean(name, COLUMNS)
            yield Finding("LW510", msg, "error", file, 1, 1, help=near)
    if "product" not in cells:
        msg = f"the column product is missing; columns are {listed(COLUMNS)}"
        yield Finding("LW510", msg, "error", file, 1, 1)


def _meaning(
    line: Line, place: Finding, name: str, quantity: int | None
) -> Iterator[Finding]:
    """Yield what keeps an order from being scheduled, though it can be read."""

    def finding(code: str, message: str, hint: str = "") -> Finding:
        return Finding(
            code, message, "error", place.file, place.line, place.column, place.path,
            hint,
        )  # fmt: skip

    product = line.products.get(name)
    if product is None:
        near = did_you_mean(name, line.products)
        msg = f'product: "{name}" is not a product; there are {listed(line.products)}'
        yield finding("LW511", msg, near)
    elif product.release.kind == "never":
        msg = f'product: "{name}" comes out of a split only, which is not scheduled'
        yield finding("LW511", msg, "order what is split")
    elif not product.route:
        yield finding("LW511", f'product: "{name}" has no route')
    if quantity is not None and quantity > MOST_UNITS:
        msg = f"quantity: {quantity:,} units in one order; {MOST_UNITS:,} is the most"
        yield finding("LW512", msg, "look for a slip of the pen, or split the order")


class _Reader:
    """Reads rows into orders, and notes what is wrong with them."""

    def __init__(
        self,
        line: Line,
        file: str,
        places: Mapping[str, int] | None,
        findings: list[Finding],
    ) -> None:
        self._line, self._file, self._places = line, file, places
        self._ids: dict[str, int] = {}
        self._zoned: tuple[bool, int, str] | None = None
        self.findings = findings

    def order(self, row: Row) -> DatedOrder | None:
        """Return the order of a row; none, if anything is wrong with it."""
        n_before = len(self.findings)
        cells = {name: text.strip() for name, text in row.cells.items()}
        quantity = self._whole(row, cells, "quantity", 1)
        for one in _meaning(self._line, Finding("", ""), cells["product"], quantity):
            self._note(row, one.code, one.message, one.help)
        priority = self._whole(row, cells, "priority", None)
        release = self._moment(row, cells, "release")
        due = self._moment(row, cells, "due")
        name = cells.get("id") or str(row.number - 1)
        if name in self._ids:
            msg = f'id: the order "{name}" stands in row {self._ids[name]}, too'
            self._note(row, "LW510", msg)
        self._ids.setdefault(name, row.number)
        if release is not None and due is not None and due < release:
            texts = date_text(self._line, due), date_text(self._line, release)
            msg = f"due: {texts[0]} is before its release, {texts[1]}"
            self._note(row, "LW513", msg)
        if len(self.findings) > n_before:
            return None
        if priority is None:
            priority = self._line.products[cells["product"]].priority
        return DatedOrder(
            name, cells["product"], quantity or 1, max(release or 0, 0), due, priority
        )

    def _note(self, row: Row, code: str, message: str, hint: str = "") -> None:
        column = 1
        if self._places is not None:  # of a sheet the cell can be told
            column = self._places.get(message.partition(":")[0], 1)
            message = f"{cell_name(row.number, column)}: {message}"
        self.findings.append(
            Finding(code, message, "error", self._file, row.number, column, help=hint)
        )

    def _whole(
        self, row: Row, cells: Mapping[str, str], column: str, default: int | None
    ) -> int | None:
        text = cells.get(column, "")
        if not text:
            return default
        digits = text.removeprefix("-") if column == "priority" else text
        value = int(text[:12]) if digits.isascii() and digits.isdecimal() else None
        if value is None or (column == "quantity" and value == 0) or len(text) > 12:
            least = "1 or more" if column == "quantity" else "such as 0 or 3"
            msg = f'{column}: found "{text}"; allowed is a whole number, {least}'
            self._note(row, "LW512", msg)
            return default
        return value

    def _moment(self, row: Row, cells: Mapping[str, str], column: str) -> int | None:
        text = cells.get(column, "")
        if not text:
            return None
        try:
            if not text[:5].removesuffix("-").isdecimal() or "-" not in text[:5]:
                return parse_duration_us(text)
            when = datetime.fromisoformat(text)
        except ValueError:
            msg = f'{column}: "{text}" is not a time; write it like 2027-01-31 06:00'
            self._note(row, "LW513", msg)
            return None
        self._same_zone(row, column, text, has_zone=when.tzinfo is not None)
        if not 1900 <= when.year < 9990:
            self._note(row, "LW513", f"{column}: {text} lies outside 1900 to 9990")
            return None
        return tick_of(self._line, when)

    def _same_zone(self, row: Row, column: str, text: str, *, has_zone: bool) -> None:
        """Note a date that says its offset from UTC where others do not."""
        if self._zoned is None:
            self._zoned = has_zone, row.number, text
        elif has_zone != self._zoned[0]:
            kinds = ("local time", "with an offset from UTC")
            msg = (
                f"{column}: {text} is {kinds[has_zone]}, and {self._zoned[2]} in row "
                f"{self._zoned[1]} is {kinds[not has_zone]}"
            )
            hint = f"write all as local times of {self._line.time_zone}, or none"
            self._note(row, "LW513", msg, hint)
