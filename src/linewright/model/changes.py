"""What `changes` mean: the servers and the calendar of each station over time.

A change holds from its instant on; of two at one instant the later in the file counts.
First its `calendars` give every calendar in use its follower, then what it says of a
station or pool by name. A `Schedule` is who works by which calendar since when; a
station has as many servers in the tables as it ever has, and `absences` says when the
last of them are not there. Names are taken to exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from linewright.model.calendars import Ticks, expand
from linewright.model.line import Change, Line
from linewright.model.moments import tick_of

__all__ = [
    "Schedule",
    "absences",
    "absent_us",
    "calendars_of",
    "changed_at",
    "most_servers",
    "pool_schedule",
    "schedule_ticks",
    "schedules_of",
    "servers_over_time",
    "station_schedule",
    "window_schedule",
]

Schedule = tuple[tuple[int, str | None], ...]
"""From when on, in microseconds from the start, and the calendar; none: always on."""


def changed_at(line: Line) -> list[tuple[int, Change]]:
    """Return the changes in the order of time, those before the start at 0."""
    found = [(max(tick_of(line, change.on), 0), change) for change in line.changes]
    return sorted(found, key=lambda item: item[0])


def calendars_of(change: Change) -> set[str]:
    """Return the calendars by which something goes after a change."""
    named = {own.calendar for own in change.stations.values() if own.calendar}
    named |= {own.calendar for own in change.people.values()}
    return named | set(change.calendars.values())


def servers_over_time(line: Line, name: str) -> list[tuple[int, int]]:
    """Return how many servers a station has, and since when, from 0 on."""
    found = [(0, line.stations[name].servers)]
    for at_us, change in changed_at(line):
        said = change.stations.get(name)
        if said is not None and said.servers is not None:
            found.append((at_us, said.servers))
    return _steps(found)


def _steps(found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return steps without two at one instant and without equal ones in a row."""
    last = dict(found)
    steps: list[tuple[int, int]] = []
    for at_us, n in last.items():
        if not steps or steps[-1][1] != n:
            steps.append((at_us, n))
    return steps


def most_servers(line: Line, name: str) -> int:
    """Return how many servers a station has at most, at least one."""
    if not line.changes:
        return line.stations[name].servers
    return max(1, *(n for _, n in servers_over_time(line, name)))


def absences(line: Line, name: str, number: int) -> list[tuple[int, int]]:
    """Return when a server of a station is not there: from and to; to -1 for ever."""
    if not line.changes:
        return []
    found: list[tuple[int, int]] = []
    for at_us, n in servers_over_time(line, name):
        is_away = bool(found) and found[-1][1] < 0
        if n <= number and not is_away:
            found.append((at_us, -1))
        elif n > number and is_away:
            found[-1] = found[-1][0], at_us
    return found


def absent_us(line: Line, name: str, begin_us: int, end_us: int) -> int:
    """Return the time of servers of a station that are not there in a span."""
    total = 0
    for number in range(most_servers(line, name)):
        for first, last in absences(line, name, number):
            until = end_us if last < 0 else min(last, end_us)
            total += max(until - max(first, begin_us), 0)
    return total


# ---------------------------------------------------------------- calendars


def station_schedule(line: Line, name: str) -> Schedule:
    """Return by which calendar a station works, and since when."""

    def said(change: Change) -> str | None:
        own = change.stations.get(name)
        return own.calendar if own else None

    return _schedule(line, line.stations[name].calendar or line.calendar, said)


def pool_schedule(line: Line, name: str) -> Schedule:
    """Return by which calendar a pool works, and since when."""

    def said(change: Change) -> str | None:
        own = change.people.get(name)
        return own.calendar if own else None

    return _schedule(line, line.people[name].calendar, said)


def source_schedule(line: Line, name: str) -> Schedule:
    """Return by which calendar a product arrives, and since when."""
    return _schedule(line, line.products[name].release.calendar, lambda change: None)


def window_schedule(line: Line, calendar: str) -> Schedule:
    """Return by which calendar maintenance begins that has this one as its window."""
    return _schedule(line, calendar, lambda change: None)


def _schedule(
    line: Line, first: str | None, said: Callable[[Change], str | None]
) -> Schedule:
    found: dict[int, str | None] = {0: first}
    now = first
    for at_us, change in changed_at(line):
        now = said(change) or change.calendars.get(now or "", now)
        found[at_us] = now
    steps: list[tuple[int, str | None]] = []
    for at_us, name in found.items():
        if not steps or steps[-1][1] != name:
            steps.append((at_us, name))
    return tuple(steps)


def schedules_of(line: Line) -> list[Schedule]:
    """Return every schedule by which something goes, in the order of the tables."""
    return list(
        dict.fromkeys(
            schedule
            for schedule in _all_schedules(line)
            if any(calendar is not None for _, calendar in schedule)
        )
    )


def _all_schedules(line: Line) -> Iterator[Schedule]:
    for name in line.stations:
        yield station_schedule(line, name)
    for name in line.people:
        yield pool_schedule(line, name)
    for station in line.stations.values():
        for work in station.maintenance.values():
            if work.window:
                yield window_schedule(line, work.window)
    for name in line.products:
        yield source_schedule(line, name)


def schedule_ticks(line: Line, schedule: Schedule, horizon_us: int) -> Ticks:
    """Return the modes of a schedule from tick 0 to the horizon; as `expand`."""
    parts = []
    ends = [at_us for at_us, _ in schedule[1:]]
    for (begin, name), end in zip(schedule, [*ends, horizon_us + 1], strict=True):
        if begin > horizon_us:
            break
        calendar = None if name is None else line.calendars[name]
        until = min(end, horizon_us + 1)
        ticks = expand(calendar, line.start, line.time_zone, until)
        parts.append(_cut(ticks, begin, until))
    at_us = np.concatenate([part.at_us for part in parts])
    mode = np.concatenate([part.mode for part in parts])
    keep = np.concatenate([[True], mode[1:] != mode[:-1]])
    return Ticks(at_us[keep], mode[keep])


def _cut(ticks: Ticks, begin_us: int, end_us: int) -> Ticks:
    """Return the modes from one instant to before another."""
    first = int(np.searchsorted(ticks.at_us, begin_us, side="right")) - 1
    last = int(np.searchsorted(ticks.at_us, end_us, side="left"))
    at_us = ticks.at_us[first:last].copy()
    at_us[0] = begin_us
    return Ticks(at_us, ticks.mode[first:last])
