"""Orders from a file: CSV with a row for each, or a B2MML operations schedule.

The columns are those of an orders file of a model: id, product, quantity, release, due,
priority. Of a schedule, an operations request is an order for what its segments produce
(the material requirements whose use is Produced); its identity, priority, start and end
are those of the order, and the earliest start and latest end of a segment go before.
What else a request says (people, equipment, materials consumed) is the model's to say.

All that is wrong is found before anything is done, each with its row or line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from linewright.errors import Finding, ModelError
from linewright.importers.xml import Element, parse
from linewright.model.explain import did_you_mean, listed
from linewright.model.files import Folder, Row
from linewright.model.line import Line, Order
from linewright.model.moments import tick_of
from linewright.model.source import scalar

__all__ = ["MOST_ORDERS", "ReadOrder", "Requested", "read_orders", "requests"]

MOST_ORDERS = 10_000
_COLUMNS = ("id", "product", "quantity", "release", "due", "priority")
_PRODUCED = {"Produced", "Material Produced"}
_PIECES = {"", "ea", "each", "pc", "pcs", "pce", "piece", "pieces", "unit", "units"}
_PIECES |= {"c62", "h87"}  # UN/ECE: one; piece


class ReadOrder(NamedTuple):
    """An order of a file, as it can be asked of a running line.

    Attributes:
        place: Where it stands, as ``orders.csv:7``.
        data: Fields of the wish ``order``; times in microseconds from the line's start.
    """

    place: str
    data: dict[str, Any]


class Requested(NamedTuple):
    """What a request of a B2MML operations schedule asks for.

    Attributes:
        line: Line of what is produced.
        segment_line: Line of the segment that produces it.
        name: The request, with a number if it produces several things.
        product: What is produced.
        quantity: How many pieces, if that is said.
        priority: As it is written, or empty.
        release: When to begin, as it is written, or empty.
        due: When to end, as it is written, or empty.
    """

    line: int
    segment_line: int
    name: str
    product: str
    quantity: Any
    priority: str
    release: str
    due: str


class _Found(NamedTuple):
    """What stands somewhere, not checked yet."""

    row: int
    fields: dict[str, Any]
    times_us: dict[str, int]


def read_orders(path: Path, line: Line) -> list[ReadOrder]:
    """Return the orders of a file: B2MML if its name ends with ``.xml``, else CSV.

    Raises:
        ModelError: It cannot be read, or something in it is missing or wrong; all
            findings at once.
    """
    findings: list[Finding] = []
    is_xml = path.suffix.lower() == ".xml"
    read = _from_b2mml(path, line, findings) if is_xml else _from_csv(path, findings)
    rows = list(read)
    if not rows and not findings:
        findings.append(_at(path, 0, "there is no order in it"))
    if len(rows) > MOST_ORDERS:
        text = f"has {len(rows):,} orders; {MOST_ORDERS:,} are taken at once"
        raise ModelError([_at(path, 0, text)])
    orders = []
    seen: dict[str, int] = {}
    for found in rows:
        order = _order(path, line, found, findings)
        if order is None:
            continue
        name = order.data.get("name", "")
        if name and name in seen:
            text = f'order "{name}" stands in row {seen[name]} already'
            findings.append(_at(path, found.row, text))
        seen.setdefault(name, found.row)
        orders.append(order)
    if findings:
        raise ModelError(findings)
    return orders


def _at(path: Path, row: int, text: str, hint: str = "") -> Finding:
    return Finding("LW403", text, "error", str(path), row, 1 if row else 0, help=hint)


def _order(
    path: Path, line: Line, found: _Found, findings: list[Finding]
) -> ReadOrder | None:
    """Return an order if all of it is right, else note what is not."""
    try:
        order = Order.model_validate(found.fields)
    except ValidationError as error:
        findings += [
            _at(path, found.row, f"{_column(one['loc'])}: {_said(one)}")
            for one in error.errors(include_url=False)
        ]
        return None
    times = dict(found.times_us)
    for key, when in (("release_us", order.release), ("due_us", order.due)):
        if when is not None:
            times[key] = tick_of(line, when)
    wrong = [
        _at(path, found.row, text, hint)
        for text, hint in [*_of_product(line, order.product), *_of_times(times)]
    ]
    findings += wrong
    data = {"product": order.product, "quantity": order.quantity} | times
    if order.id:
        data["name"] = order.id
    if order.priority is not None:
        data["priority"] = order.priority
    return None if wrong else ReadOrder(f"{path}:{found.row}", data)


def _of_product(line: Line, name: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a product, and what may be meant."""
    product = line.products.get(name)
    if product is None:
        text = f'product: there is no product "{name[:60]}"'
        yield text, did_you_mean(name, line.products)
    elif product.release.kind != "orders":
        yield (
            f"product: {name} is not made to order",
            "say release: orders in its model",
        )


def _of_times(times: dict[str, int]) -> Iterator[tuple[str, str]]:
    for key, at_us in times.items():
        if at_us < 0:
            yield f"{key[:-3]}: it is before the line's start", ""
    if times.get("due_us", 1 << 62) < times.get("release_us", 0):
        yield "due: it is before the release", ""


def _column(place: Sequence[Any]) -> str:
    return str(place[0]) if place else "row"


def _said(one: Any) -> str:
    text = str(one["msg"]).removeprefix("Value error, ")
    if one["type"] == "missing":
        return "it is missing"
    return f"{text}, found {str(one['input'])[:60]!r}"


# ---------------------------------------------------------------- CSV


def _from_csv(path: Path, findings: list[Finding]) -> Iterator[_Found]:
    try:
        rows = list(Folder(path.parent).rows(path.name))
    except ValueError as error:
        raise ModelError([_at(path, 0, str(error))]) from error
    if rows:
        findings += _columns(path, rows[0])
    for row in rows:
        cells = {
            name: text.strip()
            for name, text in row.cells.items()
            if name in _COLUMNS and text.strip()
        }
        fields = {name: _cell(name, text) for name, text in cells.items()}
        yield _Found(row.number, fields, {})


def _cell(column: str, text: str) -> Any:
    return scalar(text) if column in {"quantity", "priority"} else text


def _columns(path: Path, first: Row) -> list[Finding]:
    found = [
        _at(
            path,
            1,
            f'unknown column "{name[:60]}"; columns are {listed(_COLUMNS)}',
            did_you_mean(name, _COLUMNS),
        )
        for name in first.cells
        if name not in _COLUMNS
    ]
    return found + [
        _at(path, 1, f'there is no column "{name}"')
        for name in ("product", "quantity")
        if name not in first.cells
    ]


# ---------------------------------------------------------------- B2MML


def requests(path: Path, findings: list[Finding]) -> Iterator[Requested]:
    """Yield what the requests of a B2MML operations schedule ask for, as it is written.

    Args:
        path: The document.
        findings: What is wrong with the document itself is added to them.

    Raises:
        ModelError: It cannot be read, or is another document.
    """
    root = parse(path, "OperationsSchedule")
    for request in root.all("OperationsRequest"):
        produced = [
            (segment, material)
            for segment in _segments(request)
            for material in segment.all("MaterialRequirement")
            if material.value("MaterialUse") in _PRODUCED
        ]
        if not produced:
            text = "this OperationsRequest has no MaterialRequirement that is Produced"
            findings.append(_at(path, request.line, text))
        for n, (segment, material) in enumerate(produced, 1):
            name = request.value("ID")
            if len(produced) > 1:
                name = f"{name}/{n}"
            yield Requested(
                material.line,
                segment.line,
                name,
                material.value("MaterialDefinitionID"),
                _pieces(path, material, findings),
                request.value("Priority"),
                segment.value("EarliestStartTime") or request.value("StartTime"),
                segment.value("LatestEndTime") or request.value("EndTime"),
            )


def _from_b2mml(path: Path, line: Line, findings: list[Finding]) -> Iterator[_Found]:
    for one in requests(path, findings):
        fields: dict[str, Any] = {"product": one.product, "id": one.name}
        if one.quantity is not None:
            fields["quantity"] = one.quantity
        if one.priority:
            fields["priority"] = scalar(one.priority)
        yield _Found(one.line, fields, _times_us(path, line, one, findings))


def _segments(of: Element) -> Iterator[Element]:
    for name in ("SegmentRequirement", "SegmentRequirementChild"):
        for segment in of.all(name):
            yield segment
            yield from _segments(segment)


def _times_us(
    path: Path, line: Line, one: Requested, findings: list[Finding]
) -> dict[str, int]:
    """Return release and due of an order; a time without a zone is of the line's."""
    found = {}
    for key, text in (("release_us", one.release), ("due_us", one.due)):
        try:
            if text:
                found[key] = tick_of(line, datetime.fromisoformat(text))
        except ValueError:
            said = f'"{text[:40]}" is no date and time such as 2027-03-01T06:00:00'
            findings.append(_at(path, one.segment_line, said))
    return found


def _pieces(path: Path, material: Element, findings: list[Finding]) -> Any:
    """Return how many pieces of something are asked for; none, if that is not said."""
    quantities = list(material.all("Quantity"))
    if len(quantities) != 1:
        said = f"it has {len(quantities)} elements Quantity; one says how many"
        findings.append(_at(path, material.line, said))
        if not quantities:
            return None
    quantity = quantities[0]
    text, unit = quantity.value("QuantityString"), quantity.value("UnitOfMeasure")
    if unit.lower() not in _PIECES:
        said = f'UnitOfMeasure is "{unit[:40]}"; orders count pieces, such as EA'
        findings.append(_at(path, quantity.line, said))
    found = scalar(text) if text else None
    if isinstance(found, float) and found.is_integer():
        return int(found)
    return found
