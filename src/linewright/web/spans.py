"""What was counted at the start of this shift, this day and this week.

The state of a line holds sums since its start. A span of time is the difference of two
sums, so that what is shown of a shift is computed as the results of a simulation are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.model.calendars import days_of, to_local, to_tick
from linewright.model.line import Line
from linewright.stats.oee import Oee, oee

__all__ = [
    "SPANS",
    "Spans",
    "StationSpan",
    "Sums",
    "next_day_us",
    "sums_at",
    "week_start_us",
]

SPANS = ("shift", "day", "week")
_COUNTED = ("completed", "rejected", "planned_us")
_BY_PRODUCT = ("finished", "scrapped", "first_pass", "reworked")


class Sums(NamedTuple):
    """Sums since the line's start at an instant.

    Attributes:
        at_us: The instant.
        times_us: Server-time in each mode, (station, mode).
        counts: Units completed, units rejected, planned time, (3, station).
        finished: Units finished, by product.
        scrapped: Units scrapped, by product.
        first_pass: Units finished that never were sent to rework, by product.
        reworked: How often units were sent to rework, by product.
    """

    at_us: int
    times_us: t.Ints
    counts: t.Ints
    finished: t.Ints
    scrapped: t.Ints
    first_pass: t.Ints
    reworked: t.Ints


class StationSpan(NamedTuple):
    """A station over a span of time: shares of its states, and its OEE."""

    shares: list[float]
    kpi: Oee
    completed: int
    rejected: int


def sums_at(state: t.State, at_us: int) -> Sums:
    """Return the sums at an instant up to which nothing happens any more."""
    times_us = state.accounts.copy()
    here = (state.servers["station"], state.servers["mode"])
    np.add.at(times_us, here, at_us)
    return Sums(
        at_us,
        times_us,
        np.stack([state.stations[name] for name in _COUNTED]),
        *(state.products[name].copy() for name in _BY_PRODUCT),
    )


class Spans:
    """The shift, day and week of a line that goes on.

    A shift begins when one of the line's own calendar does, holidays or not. A line
    without shifts has no spans of that name.

    Args:
        line: The line.
        at_us: Where one begins to look; see `earliest`.

    Attributes:
        since: Sums at the start of each span; not yet known ones are missing.
    """

    def __init__(self, line: Line, at_us: int) -> None:
        self._line = line
        calendar = line.calendars.get(line.calendar) if line.calendar else None
        self._shifts = [
            (days_of(shift.days), shift.start)
            for shift in (calendar.shifts if calendar else ())
        ]
        self.since: dict[str, Sums] = {}
        self._next = {name: self._after(name, at_us) for name in self._names}
        self.next_us = min(self._next.values())

    @property
    def _names(self) -> tuple[str, ...]:
        return SPANS if self._shifts else SPANS[1:]

    def begin(self, sums: Sums) -> None:
        """Let all spans begin with the line itself, until their first start after."""
        self.since = dict.fromkeys(self._names, sums)

    def pass_to(self, at_us: int, state: t.State) -> None:
        """Keep the sums at each start of a span up to a time; nothing happens before.

        Args:
            at_us: Time of the next record.
            state: The state before it.
        """
        while self.next_us <= at_us:
            sums = sums_at(state, self.next_us)
            for name in self._names:
                if self._next[name] == sums.at_us:
                    self.since[name] = sums
                    self._next[name] = self._after(name, sums.at_us)
            self.next_us = min(self._next.values())

    def station(self, name: str, k: int, now: Sums) -> StationSpan | None:
        """Return a station over a span, if anything is known of it."""
        since = self.since.get(name)
        if since is None:
            return None
        times = (now.times_us[k] - since.times_us[k]).tolist()
        completed, rejected, planned_us = (now.counts - since.counts)[:, k].tolist()
        whole = max(sum(times), 1)
        kpi = oee(
            dict(zip(t.MODE_NAMES, times, strict=True)),
            planned_us,
            max(completed - rejected, 0),
            completed,
        )
        return StationSpan([part / whole for part in times], kpi, completed, rejected)

    def _after(self, name: str, at_us: int) -> int:
        """Return the first start of a span after an instant."""
        return next(start for start in self._starts(name, at_us) if start > at_us)

    def _starts(self, name: str, at_us: int) -> Iterator[int]:
        line = self._line
        day = to_local(at_us, line.start, line.time_zone).date() - timedelta(days=1)
        while True:
            clocks = []
            if name == "shift":
                clocks = [at for days, at in self._shifts if day.weekday() in days]
            elif name == "day" or day.weekday() == 0:
                clocks = [datetime.min.time()]
            for clock in sorted(clocks):
                local = datetime.combine(day, clock)
                yield to_tick(local, line.start, line.time_zone)
            day += timedelta(days=1)


def week_start_us(line: Line, at_us: int) -> int:
    """Return when the week of an instant began, microseconds from the line's start."""
    day = to_local(at_us, line.start, line.time_zone).date()
    monday = datetime.combine(day - timedelta(days=day.weekday()), datetime.min.time())
    return to_tick(monday, line.start, line.time_zone)


def next_day_us(line: Line, at_us: int) -> int:
    """Return when the day of an instant ends, microseconds from the line's start."""
    day = to_local(at_us, line.start, line.time_zone).date() + timedelta(days=1)
    midnight = datetime.combine(day, datetime.min.time())
    return to_tick(midnight, line.start, line.time_zone)
