"""When options take effect: at once, or when their lead time is over.

The model says what changes on a date: servers and calendars of stations, calendars of
people (`changes`). What an option says of these can wait for its lead time. All else,
such as a processing time or a buffer, has one value for the whole run: it is there from
the begin, and a remark says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linewright.improve.changes import together
from linewright.model.line import Line
from linewright.model.load import Variants, plain
from linewright.model.moments import tick_of
from linewright.units import format_duration, write_duration

__all__ = ["Part", "merged"]


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several options changes.

    Attributes:
        name: What the option is called.
        changes: What it changes, as in an overlay.
        more_servers: Servers on top of what a station has; in `changes`, too.
        lead_time_us: When it takes effect, microseconds from the start; 0: at once.
    """

    name: str
    changes: Mapping[str, Any] = field(hash=False)
    more_servers: Mapping[str, int] = field(hash=False)
    lead_time_us: int


def merged(line: Line, parts: Sequence[Part]) -> tuple[dict[str, Any], list[str]]:
    """Return what options change together, and what of it cannot wait.

    Of two values the later one counts; servers on top of others add up.
    """
    now: dict[str, Any] = {}
    later: list[tuple[int, dict[str, Any]]] = []
    remarks = []
    for part in parts:
        if part.more_servers:
            continue
        waits, there = _split(line, part.changes)
        if not part.lead_time_us:
            waits, there = {}, dict(part.changes)
        now = together(now, there)
        if waits:
            later.append((part.lead_time_us, waits))
        if there and part.lead_time_us:
            when = format_duration(part.lead_time_us)
            remarks.append(
                f"{part.name}: it takes {when}, and is simulated as if it were there "
                "from the begin, because what it changes cannot change on a date."
            )
    more = [part for part in parts if part.more_servers]
    if "changes" in now:  # an option that brings dates of its own
        line = Variants(line).changed({"changes": now["changes"]})
    if later or (more and _has_dates(line, more)):
        rows = [(tick_of(line, c.on), row) for c, row in _dated(line)]
        rows += [(at, {"on": write_duration(at), **row}) for at, row in later]
        now["changes"] = [row for _, row in _with_servers(line, now, rows, more)]
    else:
        for part in more:
            for station, n in part.more_servers.items():
                now = together(now, _servers(station, _now(line, now, station) + n))
    return now, remarks


def _dated(line: Line) -> list[tuple[Any, dict[str, Any]]]:
    """Return the dated changes of a line, and each as it is written."""
    return list(zip(line.changes, plain(line).get("changes", []), strict=True))


def _has_dates(line: Line, more: Sequence[Part]) -> bool:
    """Say whether servers are added on a date, or where their number changes on one."""
    stations = {station for part in more for station in part.more_servers}
    return any(part.lead_time_us for part in more) or any(
        own.servers is not None and name in stations
        for change in line.changes
        for name, own in change.stations.items()
    )


def _with_servers(
    line: Line,
    now: dict[str, Any],
    rows: list[tuple[int, dict[str, Any]]],
    more: Sequence[Part],
) -> list[tuple[int, dict[str, Any]]]:
    """Return dated changes in which stations have more servers, from when they come.

    What there is from the start is put into `now`.
    """
    for part in more:
        for station, n in part.more_servers.items():
            rows = sorted(rows, key=lambda row: row[0])
            at, count = part.lead_time_us, _now(line, now, station)
            before = [_said(row, station) for when, row in rows if when <= at]
            count = next((c for c in reversed(before) if c is not None), count)
            rows = [
                (when, _raised(row, station, n)) if when >= at else (when, row)
                for when, row in rows
            ]
            if at:
                row = {"on": write_duration(at), **_servers(station, count + n)}
                rows.append((at, row))
            else:
                now |= together(now, _servers(station, _now(line, now, station) + n))
    return sorted(rows, key=lambda row: row[0])


def _servers(station: str, n: int) -> dict[str, Any]:
    return {"stations": {station: {"servers": n}}}


def _now(line: Line, now: Mapping[str, Any], station: str) -> int:
    said = now.get("stations", {}).get(station, {}).get("servers")
    return line.stations[station].servers if said is None else int(said)


def _said(row: Mapping[str, Any], station: str) -> int | None:
    n = row.get("stations", {}).get(station, {}).get("servers")
    return None if n is None else int(n)


def _raised(row: dict[str, Any], station: str, n: int) -> dict[str, Any]:
    said = _said(row, station)
    return row if said is None else together(row, _servers(station, said + n))


def _split(
    line: Line, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of changes can wait for a date, and the rest."""
    wait: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, below in changes.items():
        for name, said in below.items() if key in _CAN_WAIT else ():
            there = getattr(line, key)
            for what, value in said.items() if isinstance(said, Mapping) else ():
                can = name in there and what in _CAN_WAIT[key] and value is not None
                into = wait if can else rest
                into.setdefault(key, {}).setdefault(name, {})[what] = value
            if not isinstance(said, Mapping):
                rest.setdefault(key, {})[name] = said
        if key not in _CAN_WAIT:
            rest[key] = below
    return wait, rest


_CAN_WAIT = {"stations": ("servers", "calendar"), "people": ("calendar",)}
