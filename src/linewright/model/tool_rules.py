"""Rules on tools that setups, repairs and planned work take.

A part keeps the tools of its operation while its server is set up or repaired, and so
does a setup while its server is repaired. So who has a tool may wait for another, and
circles can close.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from linewright.model.changes import most_servers
from linewright.model.graphs import find_cycles
from linewright.model.line import CommonFailure, Failure, Line, Station
from linewright.model.meaning import tools_lent
from linewright.model.notes import Notes, Path

__all__ = ["check_lent", "check_lent_names"]


class _Wait(NamedTuple):
    """A server that has some of one tool may wait for some of another.

    Attributes:
        station: Its station.
        tool: What it has.
        n: How many.
        other: What it may wait for.
        needed: How many of that.
        path: Where the model says so.
        is_sure: Whether it has the one whenever it waits for the other.
    """

    station: str
    tool: str
    n: int
    other: str
    needed: int
    path: Path
    is_sure: bool


def check_lent_names(line: Line, notes: Notes) -> None:
    """Note tools of setups and repairs that are not there."""
    for path, tools in tools_lent(line):
        for tool in tools:
            if tool not in line.tools:
                notes.unknown((*path, tool), tool, "tool", line.tools)


def check_lent(line: Line, notes: Notes) -> None:
    """Note tools of setups and repairs of which there can never be enough."""
    for path, tools in tools_lent(line):
        what = {"setup": "setup", "maintenance": "work"}.get(path[2], "repair")
        for tool, n in tools.items():
            there = line.tools[tool].count
            if n > there:
                msg = f'{n} of "{tool}" are needed at once, and there are {there}'
                notes.error("LW227", (*path, tool), msg, f"no {what} could ever begin")
    if any(tools for _, tools in tools_lent(line)):
        waits = list(_waits(line))
        for wait in waits:
            _waits_for_itself(line, wait, notes)
        _circles(line, waits, notes)


def _waits(line: Line) -> Iterator[_Wait]:
    """Yield which tools a server may have while it waits for others."""
    for name, station in line.stations.items():
        has = _at_work(line, name)
        at: Path = ("stations", name)
        if station.setup is not None:
            path = (*at, "setup", "tools")
            yield from _pairs(name, has, station.setup.tools, path, is_sure=True)
        stops: list[tuple[Path, Failure | CommonFailure]] = [
            ((*at, "failures", key, "tools"), failure)
            for key, failure in station.failures.items()
        ]
        stops += [
            (("failures", key, "tools"), failure)
            for key, failure in line.failures.items()
            if name in failure.stations
        ]
        for path, failure in stops:
            if _may_have_part(station, failure):
                sure = failure.part != "scrap"
                yield from _pairs(name, has, failure.tools, path, is_sure=sure)
            if station.setup is not None and _clock(failure) != "processing":
                lent = station.setup.tools
                yield from _pairs(name, lent, failure.tools, path, is_sure=True)


def _at_work(line: Line, station: str) -> dict[str, int]:
    """Return the most of each tool that an operation at a station has."""
    most: dict[str, int] = {}
    for product in line.products.values():
        for step in product.route:
            if station in step.stations:
                for tool, n in step.tools.items():
                    most[tool] = max(n, most.get(tool, 0))
    return most


def _clock(failure: Failure | CommonFailure) -> str:
    return failure.clock if isinstance(failure, Failure) else "calendar"


def _may_have_part(station: Station, failure: Failure | CommonFailure) -> bool:
    """Say whether a part may keep its tools while its server is repaired.

    What is counted in cycles or units fails when the part is finished. A part that is
    scrapped leaves its tools, if it was being worked on.
    """
    clock = _clock(failure)
    if clock in {"cycles", "units"}:
        return False
    if failure.part != "scrap":
        return True
    beside = station.setup or station.load or station.unload or station.people
    return clock != "processing" and bool(beside)


def _pairs(
    station: str,
    has: dict[str, int],
    needs: dict[str, int],
    path: Path,
    *,
    is_sure: bool,
) -> Iterator[_Wait]:
    for tool, n in has.items():
        for other, needed in needs.items():
            yield _Wait(station, tool, n, other, needed, (*path, other), is_sure)


def _waits_for_itself(line: Line, wait: _Wait, notes: Notes) -> None:
    there = line.tools[wait.tool].count
    if wait.tool != wait.other or not wait.is_sure:
        return
    if wait.needed > there or wait.n + wait.needed <= there:
        return
    what = "setup" if wait.path[2] == "setup" else "repair"
    msg = f'"{wait.station}" may have {wait.n} of "{wait.tool}" when its {what} needs '
    msg += f"{wait.needed}, and there are {there}"
    hint = "it would wait for ever for what it has itself: have more of them"
    notes.error("LW227", wait.path, msg, hint)


def _circles(line: Line, waits: list[_Wait], notes: Notes) -> None:
    """Servers may wait for ever, each for the tools that others of them have."""
    scarce = {wait.tool for wait in waits if not _is_plenty(line, wait.tool, waits)}
    edges: dict[str, dict[str, None]] = {tool: {} for tool in sorted(scarce)}
    for wait in waits:
        if wait.tool in scarce and wait.other in scarce:
            edges[wait.tool][wait.other] = None
    for cycle in find_cycles(edges):
        ring = [*cycle, cycle[0]]
        way = " for ".join(f'"{tool}"' for tool in ring[1:])
        msg = f'servers that have "{ring[0]}" may wait for {way}, '
        msg += "in a circle in which none ever goes on"
        hint = "parts keep their tools while their server is set up or repaired: "
        hint += "have more of one of them"
        notes.warning("LW309", ("tools", cycle[0]), msg, hint)


def _is_plenty(line: Line, tool: str, waits: list[_Wait]) -> bool:
    """Say whether enough is left when all have it who may wait with it in hand."""
    most: dict[str, int] = {}
    for wait in waits:
        if wait.tool == tool:
            most[wait.station] = max(wait.n, most.get(wait.station, 0))
    held = sum(n * most_servers(line, name) for name, n in most.items())
    needed = max((wait.needed for wait in waits if wait.other == tool), default=0)
    return line.tools[tool].count >= held + needed
