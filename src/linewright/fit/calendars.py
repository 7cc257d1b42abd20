"""When people work, found in a log: weekdays, hours, breaks and days off.

Only instants are looked at (something began or ended), since a span may lie over a
night. Of each weekday that has enough of them, the half hours are told apart into on
and off; runs of off are breaks if short and inside, else the ends of shifts. Edges are
then moved to the first and last instant that lies near them. A log of less than two
weeks says nothing about weekdays.
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from linewright.fit.log import SETUP, EventLog, Floats, Ints, Mask
from linewright.model.calendars import ON_SHIFT, expand
from linewright.model.line import Calendar

__all__ = ["FoundCalendar", "WorkTime", "find_calendar", "local_us"]

_DAY_US = 86_400_000_000
_SLOT_US = 1_800_000_000
_LEAST_BREAK_US = 900_000_000
_OVERTIME_US = 7_200_000_000  # into the hours off, or before they end
_N_SLOTS = 48
_GRID_US = 300_000_000  # shifts begin and end on five minutes
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOW = 0.15  # an off slot has fewer instants than this share of a usual one
_FEW_IN_SLOT = 20  # with fewer a break of half an hour cannot be told from chance
_MOST_BREAK = 5  # half hours
_STRONG = 0.5
_LONG = 4  # half hours off that are believed with fewer instants
_SHORTER = 10  # instants expected in what a weekday has off and others do not
_LEAST_WEEKS = 2
_SURE = 1e-4


@dataclass(frozen=True, slots=True)
class FoundCalendar:
    """A calendar with what it is based on.

    Attributes:
        spec: As a model file has it; empty: always on.
        n: Instants that it was found in.
        outside: Share of them that lie outside of it.
        note: What is to be known about it.
    """

    spec: dict[str, Any]
    n: int
    outside: float
    note: str

    @property
    def calendar(self) -> Calendar | None:
        """The calendar of the model, or none where work never stops."""
        return Calendar.model_validate(self.spec) if self.spec else None


def local_us(times_us: Ints, zone: str) -> Ints:
    """Return what the clock on the wall shows, in microseconds since 1970."""
    stamps = pa.array(times_us, pa.int64()).cast(pa.timestamp("us", tz=zone))
    found = pc.local_timestamp(stamps).cast(pa.int64())
    return np.asarray(found.to_numpy(), np.int64)


def find_calendar(log: EventLog, rows: Mask | None = None) -> FoundCalendar:
    """Return when people work at some stations of a log.

    Args:
        log: The log.
        rows: Rows to look at; all by default.
    """
    chosen = np.ones(len(log), bool) if rows is None else rows.copy()
    if "work" in log.said:  # the ends of setups in a trace are not its own
        chosen &= log.kind != SETUP
    starts, ends = log.start_us[chosen], log.end_us[chosen]
    at = local_us(np.concatenate([starts, ends]), log.zone)
    n = len(at)
    weeks = (at.max() - at.min()) / (7 * _DAY_US) if n else 0.0
    if weeks < _LEAST_WEEKS:
        note = f"the log covers {weeks * 7:.1f} days; two weeks say which days are off"
        return FoundCalendar({}, n, 0.0, note)
    day = at // _DAY_US
    weekday = (day + 3) % 7  # 1 January 1970 was a Thursday
    counts = np.bincount(weekday, minlength=7)
    usual = float(np.median(np.sort(counts)[2:]))
    works = counts >= max(_LOW * usual, 1)
    slots = np.zeros((7, _N_SLOTS), np.int64)
    np.add.at(slots, (weekday, (at % _DAY_US) // _SLOT_US), 1)
    patterns = _patterns(slots, works)
    if works.all() and all(on.all() for on in patterns.values()):
        return FoundCalendar({}, n, 0.0, "work goes on around the clock, every day")
    shifts = [
        shift
        for days, on in _grouped(patterns)
        for shift in _shifts(days, on, at, weekday, slots)
    ]
    spec: dict[str, Any] = {"shifts": shifts}
    off = _days_off(day, works, counts)
    if off:
        spec["holidays"] = off
    inside = _inside(at, spec)
    outside = 1 - float(inside.mean())
    note = f"{n:,} instants, {outside:.1%} of them outside"
    return FoundCalendar(spec, n, outside, note)


def _patterns(slots: Ints, works: Mask) -> dict[int, Mask]:
    """Return which half hours are on, for each weekday that works."""
    pooled = slots[works].sum(axis=0)
    shared = _on(pooled)
    found = {}
    for d in np.flatnonzero(works).tolist():
        busy = slots[d][slots[d] > 0]
        is_enough = len(busy) and np.median(busy) >= _FEW_IN_SLOT
        expected = pooled / max(int(works.sum()), 1)
        own = _on(slots[d]) if is_enough else shared & ~_missing(slots[d], expected)
        found[d] = shared if (own != shared).sum() <= 1 else own
    return found


def _missing(counts: Ints, expected: Floats) -> Mask:
    """Find long runs of half hours in which a weekday has next to nothing."""
    low = counts < _LOW * np.maximum(expected, 1 / _LOW)
    found = np.zeros(len(counts), bool)
    edges = np.flatnonzero(np.diff(np.append(False, np.append(low, False)).astype(int)))
    for a, b in edges.reshape(-1, 2).tolist():
        if b - a >= _LONG and expected[a:b].sum() >= _SHORTER:
            found[a:b] = counts[a:b].sum() < _LOW * expected[a:b].sum()
    return found


def _on(counts: Ints) -> Mask:
    """Tell on from off; short runs are believed only where there are many instants."""
    busy = np.sort(counts[counts > 0])
    usual = float(np.median(busy[len(busy) // 4 :]))
    on: Mask = counts >= max(_LOW * usual, 1)
    on |= _weak_gaps(on, counts, usual)
    shortest = 1 if usual >= _FEW_IN_SLOT else _LONG
    return _without_short(on, shortest, gap=True)


def _weak_gaps(on: Mask, counts: Ints, usual: float) -> Mask:
    """Find short gaps whose sides are no busier than a quiet night: these are none."""
    found = np.zeros(len(on), bool)
    for i in np.flatnonzero(~on & np.roll(on, 1)).tolist():
        length = int(np.argmax(np.roll(on, -i)))
        sides = counts[(i - 1) % len(on)], counts[(i + length) % len(on)]
        if length < _LONG and min(sides) < _STRONG * usual:
            found[(i + np.arange(length)) % len(on)] = True
    return found


def _without_short(on: Mask, shortest: int, *, gap: bool) -> Mask:
    """Fill gaps, or drop runs, that are shorter than so many slots, around the day."""
    if on.all() or not on.any():
        return on
    turn = int(np.flatnonzero(on != np.roll(on, 1))[0])
    rolled = np.roll(on, -turn)
    edges = np.flatnonzero(np.diff(rolled.astype(np.int8))) + 1
    found = rolled.copy()
    for a, b in zip([0, *edges], [*edges, len(rolled)], strict=True):
        if rolled[a] != gap and b - a < shortest:
            found[a:b] = gap
    return np.roll(found, turn)


def _grouped(patterns: dict[int, Mask]) -> list[tuple[list[int], Mask]]:
    """Put weekdays with the same hours together."""
    found: list[tuple[list[int], Mask]] = []
    for d, on in patterns.items():
        for days, same in found:
            if (same == on).all():
                days.append(d)
                break
        else:
            found.append(([d], on))
    return found


def _shifts(
    days: list[int], on: Mask, at: Ints, weekday: Ints, slots: Ints
) -> list[dict[str, Any]]:
    """Return the shifts of some weekdays; one that passes midnight is cut there."""
    own = np.sort(at[np.isin(weekday, days)] % _DAY_US)
    usual = float(np.median(slots[days].sum(axis=0)[on]))
    edges = np.flatnonzero(np.diff(np.append(False, np.append(on, False)).astype(int)))
    runs = edges.reshape(-1, 2).tolist()
    joined: list[tuple[int, int, list[tuple[int, int]]]] = []
    for a, b in runs:
        if joined and a - joined[-1][1] <= _MOST_BREAK:
            first, last, pauses = joined[-1]
            joined[-1] = (first, b, [*pauses, (last, a)])
        else:
            joined.append((a, b, []))
    found = []
    for a, b, pauses in joined:
        begin, end = _edge(own, a, usual, first=True), _edge(own, b, usual, first=False)
        if begin >= end:
            continue
        shift: dict[str, Any] = {"days": _written(days)}
        shift |= {"from": _clock(begin), "to": _clock(end)}
        edges_of = [
            (_edge(own, x, usual, first=False), _edge(own, y, usual, first=True))
            for x, y in pauses
        ]
        breaks = [
            {"from": _clock(x), "to": _clock(y)}
            for x, y in edges_of
            if begin < x < y < end and y - x >= _LEAST_BREAK_US
        ]
        if breaks:
            shift["breaks"] = breaks
        found.append(shift)
    return found


def _edge(own: Ints, slot: int, usual: float, *, first: bool) -> int:
    """Return where a shift begins, or ends, near the edge of a half hour."""
    if slot in (0, _N_SLOTS):
        return slot * _SLOT_US
    middle = slot * _SLOT_US
    near = own[(own >= middle - _SLOT_US) & (own < middle + _SLOT_US)]
    stray = max(int(0.02 * usual), 0)  # so many may lie beyond
    if len(near) <= stray:
        return middle
    if first:
        return int(near[stray] // _GRID_US * _GRID_US)
    return int(-(-near[-1 - stray] // _GRID_US) * _GRID_US)


def _clock(us: int) -> str:
    minutes = round(us / 60_000_000)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _written(days: Sequence[int]) -> str:
    """Return weekdays as the model has them: ``mon-fri`` or ``mon, wed``."""
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{_DAYS[days[0]]}-{_DAYS[days[-1]]}"
    return ", ".join(_DAYS[d] for d in days)


def _days_off(day: Ints, works: Mask, counts: Ints) -> list[Any]:
    """Return working weekdays on which nothing happened, against all chance."""
    first, last = int(day.min()), int(day.max())
    every = np.arange(first, last + 1)
    weekday = (every + 3) % 7
    n_of = np.maximum(np.bincount(weekday, minlength=7), 1)
    expected = (counts / n_of)[weekday]
    seen = np.bincount(day - first, minlength=len(every))
    off = every[works[weekday] & (seen == 0) & (np.exp(-expected) < _SURE)]
    found: list[Any] = []
    for run in np.split(off, np.flatnonzero(np.diff(off) > 1) + 1) if len(off) else []:
        dates = [date(1970, 1, 1) + timedelta(days=int(d)) for d in (run[0], run[-1])]
        text = [one.isoformat() for one in dates]
        found.append(text[0] if len(run) == 1 else {"from": text[0], "to": text[1]})
    return found


def _inside(at: Ints, spec: dict[str, Any]) -> Mask:
    """Say which instants of the wall clock lie on shift, edges included."""
    first_day = int(at.min() // _DAY_US) - 1
    first = datetime.combine(date(1970, 1, 1) + timedelta(days=first_day), time())
    origin = first_day * _DAY_US
    calendar = Calendar.model_validate(spec)
    off = _off_periods(calendar, first, "UTC", int(at.max()) - origin + _DAY_US)
    k = np.searchsorted(off[:, 0], at - origin, "left") - 1
    within = (k >= 0) & (at - origin < off[np.maximum(k, 0), 1])
    found: Mask = ~within
    return found


def _off_periods(
    calendar: Calendar, start: datetime, zone: str, horizon_us: int
) -> Ints:
    """Return the spans without work as rows of begin and end, from the start on."""
    ticks = expand(calendar, start, zone, horizon_us)
    at = np.append(ticks.at_us, horizon_us)
    off = ticks.mode != ON_SHIFT
    begin = off & ~np.append(False, off[:-1])
    end = off & ~np.append(off[1:], False)
    return np.stack([at[:-1][begin], at[1:][end]], axis=1)


class WorkTime:
    """Working time between instants, by a calendar: nights and breaks are left out.

    What is off as a whole between two instants is left out, and at either end what is
    longer than overtime would be. Who works on a day off works.
    """

    def __init__(self, found: FoundCalendar, log: EventLog) -> None:
        self._off = np.zeros((0, 2), np.int64)
        self._origin = 0
        calendar = found.calendar
        if calendar is not None:
            first = int(local_us(np.array([log.start_us.min()]), log.zone)[0])
            day = date(1970, 1, 1) + timedelta(days=first // _DAY_US)
            start = datetime.combine(day, time())
            self._origin = _utc_us(start, log.zone)
            reach = int(log.end_us.max()) - self._origin + _DAY_US
            self._off = _off_periods(calendar, start, log.zone, reach)
        self._sum = np.append(0, np.cumsum(self._off[:, 1] - self._off[:, 0]))

    def between(self, start_us: Ints, end_us: Ints) -> Ints:
        """Return the microseconds of work between instants."""
        a, b = start_us - self._origin, end_us - self._origin
        first = np.searchsorted(self._off[:, 0], a, "left")
        last = np.searchsorted(self._off[:, 1], b, "right")
        off = self._sum[np.maximum(last, first)] - self._sum[first]
        off = off + self._parts(a, b, first, last)
        found: Ints = end_us - start_us - off
        return found

    def _parts(self, a: Ints, b: Ints, first: Ints, last: Ints) -> Ints:
        """Return long parts of off periods at either end: too long to be overtime."""
        found = np.zeros(len(a), np.int64)
        n = len(self._off)
        if not n:
            return found
        before, after = np.maximum(first - 1, 0), np.minimum(last, n - 1)
        head = np.where(first > 0, self._off[before, 1] - a, 0)
        tail = np.where(last < n, b - self._off[after, 0], 0)
        for part, is_outside in (
            (head, b > self._off[before, 1]),
            (tail, a < self._off[after, 0]),
        ):
            found += np.where(is_outside & (part > _OVERTIME_US), part, 0)
        return found

    def is_on(self, times_us: Ints) -> Mask:
        """Say which instants lie on shift, its beginning and end included."""
        at = times_us - self._origin
        k = np.searchsorted(self._off[:, 0], at, "left") - 1
        if not len(self._off):
            return np.ones(len(at), bool)
        found: Mask = ~((k >= 0) & (at < self._off[np.maximum(k, 0), 1]))
        return found

    def on_us(self, begin_us: int, close_us: int) -> float:
        """Return the working time of a span, in which off periods count in part."""
        a, b = begin_us - self._origin, close_us - self._origin
        inside = np.clip(self._off, a, b)
        return float(b - a - (inside[:, 1] - inside[:, 0]).sum())


def _utc_us(local: datetime, zone: str) -> int:
    return math.floor(local.replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp() * 1e6)
