"""What changed and when: one replication as changes of numbered things.

Everything that moves is a *thing* with one value: a server and the state it is in, a
pool and how many of it are at work, a calendar and its shift, a part and the spot where
it is. A change is an instant, a thing and its new value, so that the state at any time
is the opening state and every change until then, and nothing else. Things are numbered
in this order: servers, people at work of each pool, presence of each pool, calendars,
parts. What the trace does not hold, people and causes of stops, comes from `watching`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered
from linewright.report.animation.reading import Part, Reader, Spot
from linewright.report.animation.watching import Sight, watch
from linewright.traces import trace_rows

__all__ = ["MOST_CHANGES", "STATE_BITS", "Recording", "record"]

MOST_CHANGES = 250_000
"""What a page shows at most: it stays smooth, and under five megabytes."""

STATE_BITS = 4
"""A server's value is its state, and above these bits the cause of its stop, plus 1."""

_STOPS = (t.FAILED, t.MAINTENANCE)


@dataclass(slots=True)
class Recording:
    """One replication between two instants.

    Attributes:
        from_us: Where it begins, microseconds from the line's start.
        until_us: Where it ends.
        asked_us: Where it was to end; later than `until_us` if there was too much.
        stuck_us: When a deadlock closed, or None.
        n_servers: Servers; things below that number.
        n_pools: Pools of people.
        n_calendars: Calendars.
        finished: Units of each product finished before the beginning.
        scrapped: Parts of each product scrapped before it.
        spots: Spots by number.
        parts: Product and serial number of each part, in the order of first sight.
        entered_us: When each part came into the line, -1 for not yet.
        opening: Value of each thing at the beginning; parts that come later have none.
        at_us: Instant of each change.
        thing: What changes.
        value: Its new value.
    """

    from_us: int
    until_us: int
    asked_us: int
    stuck_us: int | None
    n_servers: int
    n_pools: int
    n_calendars: int
    finished: list[int]
    scrapped: list[int]
    spots: list[Spot] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    entered_us: list[int] = field(default_factory=list)
    opening: list[int] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)
    thing: list[int] = field(default_factory=list)
    value: list[int] = field(default_factory=list)

    @property
    def first_part(self) -> int:
        """Return the number of the first part among the things."""
        return self.n_servers + 2 * self.n_pools + self.n_calendars

    @property
    def is_cut(self) -> bool:
        """Say whether it ends before it was to end."""
        return self.until_us < self.asked_us


def record(
    lowered: Lowered,
    seed: int,
    replication: int,
    span_us: tuple[int, int],
    most: int = MOST_CHANGES,
) -> Recording:
    """Return what one replication does between two instants.

    Args:
        lowered: The line, its calendars laid out beyond the end.
        seed: Seed of all streams.
        replication: Number of the replication.
        span_us: First and last instant, microseconds from the line's start. What
            happens at the first is in the opening.
        most: Changes of parts and servers to hold at most. Where there are more, the
            recording ends before the instant that no longer fits.

    Raises:
        KernelError: The kernel ran out of working space.
    """
    from_us, asked_us = span_us
    reader = Reader(lowered, from_us)
    full_us = reader.read(trace_rows(lowered, seed, replication, asked_us), most)
    until_us = asked_us if full_us is None else full_us - 1
    looks = _looks(lowered, reader, until_us)
    sights, stuck_us = watch(lowered, seed, replication, looks)
    made = Recording(
        from_us,
        until_us,
        asked_us,
        stuck_us,
        n_servers=len(lowered.names.servers),
        n_pools=len(lowered.tables.pools),
        n_calendars=len(lowered.tables.calendars),
        finished=reader.finished,
        scrapped=reader.scrapped,
    )
    _fill(made, lowered, reader, sights)
    return made


def _looks(lowered: Lowered, reader: Reader, until_us: int) -> t.Ints:
    """Return the instants at which people or causes of stops may change."""
    peopled = _servers_with_people(lowered, reader)
    found = [
        change.at_us
        for change in reader.changes
        if change.mode in _STOPS or change.server in peopled
    ]
    if len(lowered.tables.pools):
        found += lowered.tables.ticks["at"].tolist()
    every = np.unique(np.array([reader.from_us, until_us, *found], np.int64))
    inside: t.Ints = every[(every >= reader.from_us) & (every <= until_us)]
    return inside


def _servers_with_people(lowered: Lowered, reader: Reader) -> set[int]:
    """Return the servers that people work on, or are sent to."""
    tables = lowered.tables
    crews = tables.modes["crew"][tables.server_modes["mode"]] >= 0
    found = set(tables.server_modes["server"][crews].tolist())
    needs = tables.stations["first_need"]
    return found | {s for s, k in enumerate(reader.station_of) if needs[k] >= 0}


# ---------------------------------------------------------------- all in one order


class _Change(NamedTuple):
    at_us: int
    thing: int
    value: int


def _fill(
    made: Recording, lowered: Lowered, reader: Reader, sights: list[Sight]
) -> None:
    """Write down the opening and all changes; simultaneous ones keep their order."""
    numbers = _Numbers()
    opening = [numbers.put(part, spot) for part, spot in reader.where.items()]
    made.opening = [
        *_server_values(lowered, reader.modes, sights[0]),
        *sights[0].busy,
        *sights[0].on,
        *(_shift(lowered, c, made.from_us) for c in range(made.n_calendars)),
        *(spot for _, spot in opening),
    ]
    changes = [
        *_part_changes(made, reader, numbers),
        *_server_changes(made, lowered, reader, sights),
        *_people_changes(made, sights),
        *_shift_changes(made, lowered),
    ]
    for change in sorted(changes, key=lambda change: change.at_us):
        made.at_us.append(change.at_us)
        made.thing.append(change.thing)
        made.value.append(change.value)
    made.spots, made.parts = list(numbers.spots), list(numbers.parts)
    made.entered_us = [reader.entered_us.get(part, -1) for part in made.parts]


class _Numbers:
    """Numbers of parts and of spots, in the order in which they are asked for."""

    def __init__(self) -> None:
        self.parts: dict[Part, int] = {}
        self.spots: dict[Spot, int] = {}

    def put(self, part: Part, spot: Spot) -> tuple[int, int]:
        """Return the number of a part and that of its spot."""
        return (
            self.parts.setdefault(part, len(self.parts)),
            self.spots.setdefault(spot, len(self.spots)),
        )


def _part_changes(
    made: Recording, reader: Reader, numbers: _Numbers
) -> Iterator[_Change]:
    for at_us, part, spot in reader.moves:
        number, value = numbers.put(part, spot)
        yield _Change(at_us, made.first_part + number, value)


def _server_values(lowered: Lowered, modes: list[int], sight: Sight) -> list[int]:
    return [
        _server_value(lowered, mode, down)
        for mode, down in zip(modes, sight.down, strict=True)
    ]


def _server_value(lowered: Lowered, mode: int, down: int) -> int:
    """Return a state with the failure or maintenance behind it, if there is one."""
    cause = 0
    if mode in _STOPS and down >= 0:
        cause = int(lowered.tables.server_modes["mode"][down]) + 1
    return mode | cause << STATE_BITS


def _server_changes(
    made: Recording, lowered: Lowered, reader: Reader, sights: list[Sight]
) -> Iterator[_Change]:
    seen = {sight.at_us: sight for sight in sights}
    values = made.opening[: made.n_servers]
    for change in reader.changes:
        sight = seen.get(change.at_us)
        down = sight.down[change.server] if sight else -1
        value = _server_value(lowered, change.mode, down)
        if value != values[change.server]:
            values[change.server] = value
            yield _Change(change.at_us, change.server, value)


def _people_changes(made: Recording, sights: list[Sight]) -> Iterator[_Change]:
    before = [*sights[0].busy, *sights[0].on]
    for sight in sights[1:]:
        now = [*sight.busy, *sight.on]
        for i, (old, new) in enumerate(zip(before, now, strict=True)):
            if old != new:
                yield _Change(sight.at_us, made.n_servers + i, new)
        before = now


def _ticks(lowered: Lowered, calendar: int) -> t.Records:
    row = lowered.tables.calendars[calendar]
    ticks: t.Records = lowered.tables.ticks[row["first"] :][: row["n"]]
    return ticks


def _shift(lowered: Lowered, calendar: int, at_us: int) -> int:
    """Return what a calendar says at an instant: off shift, on a break, on shift."""
    ticks = _ticks(lowered, calendar)
    last = int(np.searchsorted(ticks["at"], at_us, side="right")) - 1
    return int(ticks["mode"][last])


def _shift_changes(made: Recording, lowered: Lowered) -> Iterator[_Change]:
    first = made.n_servers + 2 * made.n_pools
    for c in range(made.n_calendars):
        for tick in _ticks(lowered, c):
            if made.from_us < tick["at"] <= made.until_us:
                yield _Change(int(tick["at"]), first + c, int(tick["mode"]))
