"""Time that stations and people have in each period, by calendars and changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linewright.model.calendars import ON_SHIFT
from linewright.model.changes import (
    Schedule,
    pool_schedule,
    schedule_ticks,
    servers_over_time,
    station_schedule,
)
from linewright.model.line import Line, RampPoint
from linewright.model.load_estimate import availability
from linewright.model.moments import tick_of

__all__ = ["Hours"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Hours:
    """What calendars, servers, changes on a date and stops by the clock leave.

    Attributes:
        edges: Ends of the periods, from 0 on, microseconds from the start.
    """

    def __init__(self, line: Line, edges: Ints) -> None:
        self._line, self.edges = line, edges
        self._on: dict[Schedule, tuple[Ints, Ints]] = {}

    def of_station(self, name: str) -> Floats:
        """Return the server time of a station in each period, stops taken out, us."""
        schedule = station_schedule(self._line, name)
        total = np.zeros(len(self.edges) - 1)
        for begin, end, n in self._servers(name):
            total += n * np.diff(self._on_us(schedule, self.edges.clip(begin, end)))
        return total * self.rate(name)

    def of_pool(self, name: str) -> Floats:
        """Return the time on shift of a pool's people in each period, us."""
        schedule = pool_schedule(self._line, name)
        on_us = np.diff(self._on_us(schedule, self.edges))
        return self._line.people[name].count * on_us

    def rate(self, name: str) -> Floats | float:
        """Return what an hour of a server is worth in each period, 0 to 1.

        That is its availability times the share of its speed that it has come to.
        """
        station = self._line.stations[name]
        speed = station.ramp_up.speed if station.ramp_up else ()
        return availability(station) * self._ramped(speed)

    def servers_by(self, name: str, calendar: str | None) -> Floats:
        """Return how many servers of a station go by a calendar, mean of each period.

        Args:
            name: The station.
            calendar: The calendar; none: whichever it is.
        """
        steps = station_schedule(self._line, name)
        total = np.zeros(len(self.edges) - 1)
        for begin, end, n in self._servers(name):
            for first, last in self._spans(steps, calendar):
                low, high = max(begin, first), min(end, last)
                if low < high:
                    total += n * np.diff(self.edges.clip(low, high))
        return total / np.diff(self.edges)

    def people_by(self, name: str, calendar: str) -> Floats:
        """Return how many people of a pool go by a calendar, mean of each period."""
        total = np.zeros(len(self.edges) - 1)
        for first, last in self._spans(pool_schedule(self._line, name), calendar):
            total += np.diff(self.edges.clip(first, last))
        return self._line.people[name].count * total / np.diff(self.edges)

    def off_shift(self, schedule: Schedule) -> Floats:
        """Return the time off shift in each period, us."""
        on_us = np.diff(self._on_us(schedule, self.edges))
        off: Floats = np.diff(self.edges) - on_us
        return off

    def on_share(self, name: str) -> float:
        """Return the share of all time that a station is on shift."""
        on = self._on_us(station_schedule(self._line, name), self.edges[-1:])
        return float(on[0]) / float(self.edges[-1])

    def _servers(self, name: str) -> list[tuple[int, int, int]]:
        """Return spans of time and the servers of a station in each."""
        steps = servers_over_time(self._line, name)
        ends = [*(at_us for at_us, _ in steps[1:]), int(self.edges[-1])]
        spans = zip(steps, ends, strict=True)
        return [(begin, end, n) for (begin, n), end in spans if n and begin < end]

    def _spans(self, steps: Schedule, calendar: str | None) -> list[tuple[int, int]]:
        """Return the spans of time in which a schedule goes by a calendar."""
        ends = [*(at_us for at_us, _ in steps[1:]), int(self.edges[-1])]
        return [
            (begin, max(begin, end))
            for (begin, name), end in zip(steps, ends, strict=True)
            if calendar is None or name == calendar
        ]

    def _on_us(self, schedule: Schedule, at_us: Ints) -> Floats:
        """Return the time on shift from the start to some instants."""
        if schedule not in self._on:
            end_us = int(self.edges[-1])
            ticks = schedule_ticks(self._line, schedule, end_us)
            spans = np.diff(ticks.at_us, append=end_us)
            on = np.where(ticks.mode == ON_SHIFT, spans, 0)
            self._on[schedule] = (
                np.append(ticks.at_us, end_us),
                np.concatenate([[0], on.cumsum()]),
            )
        times, sums = self._on[schedule]
        return np.interp(at_us, times, sums)

    def _ramped(self, points: tuple[RampPoint, ...]) -> Floats | float:
        """Return the mean share of its speed that a station has, by period."""
        if not points:
            return 1.0
        times = [tick_of(self._line, point.at) for point in points]
        shares = [point.share for point in points]
        inside = np.linspace(self.edges[:-1], self.edges[1:], 9)
        mean: Floats = np.interp(inside, times, shares).mean(axis=0)
        return mean
