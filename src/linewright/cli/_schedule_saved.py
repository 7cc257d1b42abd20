"""A schedule in a folder, made ready to be shown: as it was when it was saved."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linewright.cli._schedule_page import off_spans
from linewright.cli._schedule_view import OBJECTIVE_WORDS, amount
from linewright.errors import ResultError
from linewright.model.calendars import to_tick
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.model.moments import date_text
from linewright.report.gantt.scene import Asked, Bar, Lane
from linewright.report.gantt.scene import Schedule as Shown
from linewright.report.routes import station_order
from linewright.schedule import ORDER_COLUMNS, read_table
from linewright.schedule.compiling import calendar_of

__all__ = ["saved_schedule"]

_MOST_CAUSES = 12


def saved_schedule(folder: str | Path, model_hash: str) -> Shown:
    """Return the schedule of a folder as the page of `gantt` shows it.

    Args:
        folder: The folder, as `linewright schedule --out` wrote it.
        model_hash: The model that it has to be about.

    Raises:
        ResultError: It is no such folder, or about another model.
        ModelError: Its table cannot be read.
    """
    root = Path(folder)
    about = _about(root)
    found = str(about["model_hash"])
    if found != model_hash:
        msg = (
            f"{folder} is about another model: it is about {found[:12]}, the brief "
            f"about {model_hash[:12]}; run `linewright schedule` again"
        )
        raise ResultError(msg)
    file = root / "model.json"
    line = loads(file.read_text(encoding="utf-8"), file=str(file))
    table = read_table(root / "schedule.parquet", line)
    orders, causes = _read(root / "orders.parquet"), _read(root / "causes.parquet")
    missing = set(ORDER_COLUMNS) - set(orders.column_names)
    if missing:
        msg = f"{folder}/orders.parquet has no {', '.join(sorted(missing))}"
        raise ResultError(msg)
    bars = [_bar(line, row) for row in table.to_pylist()]
    until_us = max((bar.leave_us for bar in bars), default=0)
    lanes = []
    for name in station_order(line):
        calendar = calendar_of(line, name, until_us)
        off = () if calendar is None else tuple(off_spans(calendar, until_us))
        lanes.append(Lane(name, line.stations[name].servers, off))
    version = about["linewright_version"]
    return Shown(
        title=line.name,
        start=line.start,
        time_zone=line.time_zone,
        lanes=lanes,
        bars=bars,
        orders=_orders(line, orders, causes),
        summary=_summary(about, orders),
        notes=[*about["left_out"], *(f"left out: {one}" for one in about["dropped"])],
        stamp=f"From model {found[:12]}, {about['status']}, {about['method']}, "
        f"linewright {version}",
    )


def _about(root: Path) -> dict[str, Any]:
    try:
        about = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        if about["kind"] != "schedule":
            msg = f'it holds a "{about["kind"]}"'
            raise ValueError(msg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{root} is no folder of a schedule: {error}"
        raise ResultError(msg) from error
    return dict(about)


def _read(file: Path) -> pa.Table:
    try:
        return pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        msg = f"{file} cannot be read: {error}"
        raise ResultError(msg) from error


def _bar(line: Line, row: dict[str, Any]) -> Bar:
    begin, end = _tick(line, row["start"]), _tick(line, row["end"])
    work = begin if row["work"] is None else _tick(line, row["work"])
    leave = end if row["leave"] is None else _tick(line, row["leave"])
    return Bar(
        row["order"] or row["part"], row["part"], row["operation"], row["station"],
        row["server"] - 1, begin, work - begin, end, max(leave, end),
    )  # fmt: skip


def _tick(line: Line, at: Any) -> int:
    return to_tick(at, line.start, line.time_zone)


def _orders(line: Line, orders: pa.Table, causes: pa.Table) -> list[Asked]:
    why: dict[str, list[str]] = defaultdict(list)
    for row in causes.to_pylist():
        at = date_text(line, _tick(line, row["from"]))
        why[row["order"]].append(f"{at}: {row['kind']} {row['text']}")
    found = []
    for row in orders.to_pylist():
        chance = None
        if row["on_time"] is not None:
            chance = row["on_time"], row["on_time_low"], row["on_time_high"]
        told = why[row["order"]][:_MOST_CAUSES]
        if (more := len(why[row["order"]]) - _MOST_CAUSES) > 0:
            told.append(f"and {more} more before")
        found.append(
            Asked(
                row["order"],
                row["product"],
                row["quantity"],
                _tick(line, row["release"]),
                None if row["due"] is None else _tick(line, row["due"]),
                _tick(line, row["end"]),
                chance,
                told,
            )
        )
    return found


def _summary(about: dict[str, Any], orders: pa.Table) -> list[tuple[str, str]]:
    found = [("orders", f"{len(orders):,}"), ("operations", f"{about['operations']:,}")]
    for level in about["objectives"][:3]:
        name, gap = level["objective"], level["gap"]
        told = "proven" if level["bound"] >= level["value"] else f"gap {gap:.1%}"
        found.append((OBJECTIVE_WORDS[name], f"{amount(name, level['value'])}, {told}"))
    return found
