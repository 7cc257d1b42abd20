"""A schedule as a B2MML operations schedule, as others in a plant read it.

Each order is an operations request. Its segment requirement says what is asked for:
release, due date, and what is produced, so that `orders.read_orders` reads the same
orders from it again. Below it stands one segment for each operation, with the times
that it is scheduled for, its working time of setup, and the server. Times carry the
offset of the line's local time from UTC.

The Business To Manufacturing Markup Language (B2MML) is used courtesy of MESA
International.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from linewright.schedule.scheduling import Schedule

__all__ = ["NAMESPACE", "write_b2mml"]

NAMESPACE = "http://www.mesa.org/xml/B2MML"

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_b2mml(path: Path, schedule: Schedule) -> None:
    """Write a schedule as a B2MML document."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in _document(schedule):
            file.write(line)
            file.write("\n")


def _text(value: object) -> str:
    """Return a text as XML can hold it; what it cannot hold is a question mark."""
    return escape(_NOT_XML.sub("\ufffd", str(value)))


def _element(depth: int, name: str, value: object) -> str:
    return f"{'  ' * depth}<{name}>{_text(value)}</{name}>"


def _document(schedule: Schedule) -> Iterator[str]:
    orders = schedule.orders().to_pylist()
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in schedule.table().to_pylist():
        rows.setdefault(row["order"], []).append(row)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<OperationsSchedule xmlns="{NAMESPACE}">'
    yield _element(1, "ID", schedule.line.name)
    yield _element(1, "Description", f"{schedule.status}, {schedule.method}")
    starts = [row["start"] for row in orders]
    ends = [row["end"] for row in orders]
    yield _element(1, "StartTime", min(starts).isoformat())
    yield _element(1, "EndTime", max(ends).isoformat())
    yield _element(1, "OperationsType", "Production")
    priorities = {order.id: order.priority for order in schedule.compiled.orders}
    for order in orders:
        yield from _request(order, priorities[order["order"]], rows[order["order"]])
    yield "</OperationsSchedule>"


def _request(
    order: dict[str, Any], priority: int, rows: list[dict[str, Any]]
) -> Iterator[str]:
    yield "  <OperationsRequest>"
    yield _element(2, "ID", order["order"])
    yield _element(2, "Priority", priority)
    yield "    <SegmentRequirement>"
    yield _element(3, "ID", order["order"])
    yield _element(3, "EarliestStartTime", order["release"].isoformat())
    if order["due"] is not None:
        yield _element(3, "LatestEndTime", order["due"].isoformat())
    for name in ("ProcessSegmentID", "OperationsDefinitionID", "OperationsSegmentID"):
        yield _element(3, name, order["product"])
    yield "      <MaterialRequirement>"
    yield _element(4, "ID", order["product"])
    yield _element(4, "MaterialDefinitionID", order["product"])
    yield _element(4, "MaterialUse", "Produced")
    yield "        <Quantity>"
    yield _element(5, "QuantityString", order["quantity"])
    yield _element(5, "UnitOfMeasure", "EA")
    yield "        </Quantity>"
    yield "      </MaterialRequirement>"
    for row in rows:
        yield from _segment(row)
    yield "    </SegmentRequirement>"
    yield "  </OperationsRequest>"


def _segment(row: dict[str, Any]) -> Iterator[str]:
    yield "      <SegmentRequirementChild>"
    yield _element(4, "ID", f"{row['part']} {row['operation']}")
    yield _element(4, "Description", row["part"])
    yield _element(4, "EarliestStartTime", row["start"].isoformat())
    yield _element(4, "LatestEndTime", row["end"].isoformat())
    yield _element(4, "ProcessSegmentID", row["operation"])
    yield _element(4, "Duration", _duration(row["end"] - row["start"]))
    yield _element(4, "OperationsDefinitionID", row["product"])
    yield _element(4, "OperationsSegmentID", row["operation"])
    if row["setup_s"]:
        yield "        <SegmentParameter>"
        yield _element(5, "ID", "setup")
        yield "          <Value>"
        yield _element(
            6, "ValueString", f"{row['setup_s']:.6f}".rstrip("0").rstrip(".")
        )
        yield _element(6, "DataType", "double")
        yield _element(6, "UnitOfMeasure", "s")
        yield "          </Value>"
        yield "        </SegmentParameter>"
    yield "        <EquipmentRequirement>"
    yield _element(5, "ID", row["station"])
    yield _element(5, "EquipmentClassID", row["station"])
    yield _element(5, "EquipmentID", f"{row['station']}:{row['server']}")
    yield "        </EquipmentRequirement>"
    yield "      </SegmentRequirementChild>"


def _duration(time: timedelta) -> str:
    """Return a time as XML says it: PT5400S."""
    seconds = f"{time / timedelta(seconds=1):.6f}".rstrip("0").rstrip(".")
    return f"PT{seconds}S"
