"""What was really made: a file of days, products and quantities."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linewright.errors import Finding, ModelError
from linewright.model.explain import did_you_mean, listed
from linewright.model.files import Folder, Row
from linewright.model.line import Line
from linewright.model.meaning import leaves_line
from linewright.model.moments import end_of

__all__ = ["Actual", "read_actual"]

COLUMNS = ("date", "product", "quantity")
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Actual:
    """Good units that have left, by day.

    Attributes:
        as_of_us: End of the last day in the file, microseconds from the start.
        days_us: Ends of the days, increasing, by product.
        made: Units made from the start to the end of each of these days, by product.
    """

    as_of_us: int
    days_us: dict[str, NDArray[np.int64]]
    made: dict[str, NDArray[np.int64]]

    def by(self, product: str, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the units of a product by some instants; the last count goes on."""
        if product not in self.days_us:
            return np.zeros(np.shape(at_us), np.int64)
        rows = np.searchsorted(self.days_us[product], at_us, side="right")
        out: NDArray[np.int64] = np.concatenate([[0], self.made[product]])[rows]
        return out


def read_actual(line: Line, path: str | os.PathLike[str]) -> Actual:
    """Return what a CSV file says was made.

    Its columns are `date` (a day), `product` and `quantity` (good units that left the
    line on that day). Days may come in any order and more than once.

    Args:
        line: The line.
        path: The file.

    Raises:
        ModelError: It cannot be read; it carries a finding for each wrong row.
    """
    file = os.fspath(path)
    findings: list[Finding] = []
    rows: list[tuple[int, str, int]] = []
    try:
        for row in Folder(Path(file).parent).rows(Path(file).name):
            if missing := [c for c in COLUMNS if c not in row.cells]:
                msg = f"the column {listed(missing)} is missing; columns are "
                raise ValueError(msg + listed(COLUMNS))
            found = list(_wrong(line, file, row))
            findings += found
            if not found:
                rows.append(_read(line, row))
    except ValueError as error:
        raise ModelError([Finding("LW110", str(error), "error", file)]) from error
    if findings:
        raise ModelError(findings)
    if not rows:
        msg = "there are no rows below the column names"
        raise ModelError([Finding("LW110", msg, "error", file, 1, 1)])
    return _summed(rows)


def _wrong(line: Line, file: str, row: Row) -> Iterator[Finding]:
    cells = {name: text.strip() for name, text in row.cells.items()}

    def finding(message: str, hint: str = "") -> Finding:
        return Finding("LW110", message, "error", file, row.number, 1, help=hint)

    product = cells["product"]
    if product not in line.products:
        sold = [name for name in line.products if leaves_line(line, name)]
        msg = f'product: "{product}" is not a product; there are {listed(sold)}'
        yield finding(msg, did_you_mean(product, sold))
    elif not leaves_line(line, product):
        yield finding(f'product: "{product}" does not leave the line')
    text = cells["quantity"]
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > _MOST:
        yield finding(f'quantity: found "{text}"; allowed is a whole number of units')
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        msg = f'date: "{cells["date"]}" is not a day; write it like 2027-01-31'
        yield finding(msg)
        return
    if not 1900 <= day.year < 9990 or end_of(line, day) <= 0:
        yield finding(f"date: {day} is before the line starts, {line.start:%Y-%m-%d}")


def _read(line: Line, row: Row) -> tuple[int, str, int]:
    cells = {name: text.strip() for name, text in row.cells.items()}
    day = date.fromisoformat(cells["date"])
    return end_of(line, day), cells["product"], int(cells["quantity"])


def _summed(rows: list[tuple[int, str, int]]) -> Actual:
    days: dict[str, dict[int, int]] = {}
    for at_us, product, quantity in sorted(rows):
        of = days.setdefault(product, {})
        of[at_us] = of.get(at_us, 0) + quantity
    return Actual(
        max(at_us for at_us, _, _ in rows),
        {name: np.array([*of], np.int64) for name, of in days.items()},
        {name: np.cumsum([*of.values()]) for name, of in days.items()},
    )
