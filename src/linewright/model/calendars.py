"""Calendars as sorted arrays of ticks: the one place that knows zones and clocks.

A shift belongs to the local date on which it begins. `expand` finds for every date the
rule that holds (the weekly pattern, a holiday, an exception), writes down the local
times at which shifts and breaks begin and end, turns them into ticks by the rules of
the time zone, and keeps the instants at which the mode changes. A tick is a microsecond
of elapsed time since the local time `start`. The rules that keep it true:

* A local time that daylight saving skips moves forward by the gap, one that comes
  twice is the first; so a shift may be an hour shorter or longer than on paper.
* Where shifts overlap, work goes on as long as one of them is not on a break.
* An exception replaces pattern and holidays on its dates; of two, the later one holds.
* A calendar without shifts works around the clock, save on holidays and exceptions.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.model.line import Calendar, CalendarException, Pause, Shift

__all__ = [
    "BREAK",
    "OFF_SHIFT",
    "ON_SHIFT",
    "Ticks",
    "days_of",
    "expand",
    "on_share",
    "problems",
    "to_local",
    "to_tick",
    "zone_of",
]

OFF_SHIFT, BREAK, ON_SHIFT = 0, 1, 2

Path = tuple[str | int, ...]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_US = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_LAST_DAY = date.max.toordinal() - _EPOCH_DAY
_FIRST_DAY = date.min.toordinal() - _EPOCH_DAY
_BLOCK = 512  # days; spans of days that are asked for often are then the same
_PATTERN, _CLOSED, _EXCEPTIONS = 0, 1, 2  # rule of a date; exception i is 2 + i
_ALL_DAY = (Shift.model_validate({"from": time(0), "to": time(0)}),)


class Ticks(NamedTuple):
    """Modes over time: `mode[i]` holds from `at_us[i]` until the next change.

    Attributes:
        at_us: int64 ticks, the first 0, strictly increasing.
        mode: int8 codes `OFF_SHIFT`, `BREAK`, `ON_SHIFT`, no two equal in a row.
    """

    at_us: NDArray[np.int64]
    mode: NDArray[np.int8]


def expand(
    calendar: Calendar | None, start: datetime, time_zone: str, horizon_us: int
) -> Ticks:
    """Return the modes of a calendar from tick 0 to the horizon.

    Args:
        calendar: The calendar; none is always on.
        start: Local wall-clock time of tick 0, without a zone.
        time_zone: Name of the zone, such as ``Europe/Vienna``.
        horizon_us: Last tick that matters, microseconds, zero or more. A longer
            horizon gives the same ticks and more.

    Raises:
        ValueError: The zone is unknown, the horizon is negative or lies beyond the
            year 9999, or the days of a shift cannot be read.
    """
    if horizon_us < 0:
        msg = f"a horizon is zero or more microseconds, got {horizon_us}"
        raise ValueError(msg)
    zone = zone_of(time_zone)
    if calendar is None or calendar == Calendar():
        return Ticks(np.zeros(1, np.int64), np.full(1, ON_SHIFT, np.int8))
    origin_us = _utc_us(start, zone)
    # More days than the shifts need: zones have moved by a whole day.
    first_day = start.toordinal() - _EPOCH_DAY - 3
    last_day = first_day + horizon_us // _DAY_US + 7
    if last_day > _LAST_DAY - 2:
        msg = "a calendar cannot reach beyond the year 9999; shorten the horizon"
        raise ValueError(msg)
    days = np.arange(max(first_day, 2 - _EPOCH_DAY), last_day, dtype=np.int64)
    spans = [
        _shift_spans(shift, days[on], zone, origin_us)
        for _, shift, on in _shifts_on(calendar, days)
    ]
    return _changes(spans, horizon_us)


def _shifts_on(
    calendar: Calendar, days: NDArray[np.int64]
) -> Iterator[tuple[Path, Shift, NDArray[np.bool_]]]:
    """Yield each shift, where it stands, and on which days since 1970 it begins."""
    rule = np.full(days.shape, _PATTERN)
    for holiday in calendar.holidays:
        first, last = _day_span(holiday)
        rule[(days >= first) & (days <= last)] = _CLOSED
    for i, exception in enumerate(calendar.exceptions):
        first, last = _day_span(exception)
        rule[(days >= first) & (days <= last)] = _EXCEPTIONS + i
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    for at, shift in _all_shifts(calendar):
        code = _EXCEPTIONS + int(at[1]) if at[0] == "exceptions" else _PATTERN
        yield at, shift, (rule == code) & np.isin(weekday, list(days_of(shift.days)))


def _day_span(span: date | CalendarException) -> tuple[int, int]:
    if isinstance(span, date):
        first = last = span
    else:
        first, last = span.start, span.end or span.start
    return first.toordinal() - _EPOCH_DAY, last.toordinal() - _EPOCH_DAY


class _Spans(NamedTuple):
    """Ticks at which a shift begins and ends on each day, and its breaks within."""

    begin: NDArray[np.int64]  # [day]
    end: NDArray[np.int64]
    break_begin: NDArray[np.int64]  # [break, day]
    break_end: NDArray[np.int64]


def _shift_spans(
    shift: Shift, days: NDArray[np.int64], zone: zoneinfo.ZoneInfo, origin_us: int
) -> _Spans:
    clock_us = np.array(
        [_shift_clock_us(shift), *(_break_clock_us(shift, b) for b in shift.breaks)]
    )
    local_us = days * _DAY_US + clock_us[:, :, np.newaxis]
    at_us = local_us - _offset_us(local_us, zone) - origin_us
    begin = at_us[:, 0]
    end = np.maximum(at_us[:, 1], begin)  # a skipped hour can turn a span around
    inside = (begin[0], end[0])
    return _Spans(*inside, np.clip(begin[1:], *inside), np.clip(end[1:], *inside))


def _changes(spans: list[_Spans], horizon_us: int) -> Ticks:
    """Return where the mode changes; every instant looks at all shifts together."""
    shift_begin = _join(s.begin for s in spans)
    shift_end = _join(s.end for s in spans)
    works = [_work(s) for s in spans]
    work_begin, work_end = _join(w[0] for w in works), _join(w[1] for w in works)
    at = _distinct(np.concatenate([[0], work_begin, work_end, shift_begin, shift_end]))
    at = at[(at >= 0) & (at <= horizon_us)]
    mode = np.full(at.shape, OFF_SHIFT, np.int8)
    mode[_covered(at, shift_begin, shift_end)] = BREAK
    mode[_covered(at, work_begin, work_end)] = ON_SHIFT
    keep = np.concatenate([[True], mode[1:] != mode[:-1]])
    return Ticks(at[keep], mode[keep])


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the values sorted, each once; NumPy's own is slow at its first call."""
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _join(parts: Iterator[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.sort(np.concatenate([np.empty(0, np.int64), *(p.ravel() for p in parts)]))


def _work(spans: _Spans) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return begins and ends of the work between breaks, each [piece, day]."""
    # Sorting begins and ends apart keeps the union; breaks may overlap after a gap.
    break_begin = np.sort(spans.break_begin, axis=0)
    break_end = np.sort(spans.break_end, axis=0)
    begin = np.concatenate([spans.begin[np.newaxis], break_end])
    end = np.concatenate([break_begin, spans.end[np.newaxis]])
    return begin, np.maximum(begin, end)


def _covered(
    at: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which instants lie in a span [begin, end); both arrays are sorted."""
    n_begun = np.searchsorted(begin, at, side="right")
    return n_begun > np.searchsorted(end, at, side="right")


# ---------------------------------------------------------------- clocks and zones


def zone_of(time_zone: str) -> zoneinfo.ZoneInfo:
    """Return the time zone of a name.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return zoneinfo.ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        msg = f'"{time_zone}" is not a time zone; write it like Europe/Vienna or UTC'
        raise ValueError(msg) from error


def to_tick(local: datetime, start: datetime, time_zone: str) -> int:
    """Return the tick of a local time; before `start` it is negative.

    Args:
        local: Wall-clock time in the zone, or any time that carries its own zone.
        start: Wall-clock time of tick 0 in the zone.
        time_zone: Name of the zone.

    Raises:
        ValueError: There is no such zone.
    """
    return _to_tick(local, start, time_zone)


@lru_cache(maxsize=1 << 12)
def _to_tick(local: datetime, start: datetime, time_zone: str) -> int:
    zone = zone_of(time_zone)
    if local.tzinfo is None:
        return _utc_us(local, zone) - _utc_us(start, zone)
    return (local.astimezone(UTC) - _EPOCH) // _MICROSECOND - _utc_us(start, zone)


def to_local(tick_us: int, start: datetime, time_zone: str) -> datetime:
    """Return the local time of a tick, with its zone.

    Raises:
        ValueError: There is no such zone, or the time lies beyond the year 9999.
    """
    zone = zone_of(time_zone)
    try:
        utc = _EPOCH + timedelta(microseconds=_utc_us(start, zone) + int(tick_us))
        return utc.astimezone(zone)
    except OverflowError as error:
        msg = f"tick {tick_us} lies beyond the year 9999"
        raise ValueError(msg) from error


def _utc_us(local: datetime, zone: zoneinfo.ZoneInfo) -> int:
    """Return microseconds from 1970 in UTC to a wall-clock time of the zone."""
    aware = local.replace(tzinfo=zone, fold=0)
    # Not `aware.astimezone(UTC) - _EPOCH`: that fails next to the years 1 and 9999.
    naive = local.replace(tzinfo=UTC) - _EPOCH - (aware.utcoffset() or timedelta(0))
    return naive // _MICROSECOND


def _offset_us(
    local_us: NDArray[np.int64], zone: zoneinfo.ZoneInfo
) -> NDArray[np.int64]:
    """Return the zone's offset from UTC at local times, the first where there are two.

    A day that begins and ends with the same offset has it throughout; only on the
    few other days is the zone asked for each time.
    """
    day = local_us // _DAY_US
    if not day.size:
        return np.zeros(local_us.shape, np.int64)
    low, high = int(day.min()), int(day.max()) + 1
    first = min(low, max(low // _BLOCK * _BLOCK, _FIRST_DAY))
    last = max(high, min(-(-high // _BLOCK) * _BLOCK, _LAST_DAY))
    at_midnight = _midnights_us(first, last, zone)
    at_begin, at_end = at_midnight[day - first], at_midnight[day - first + 1]
    offset = at_begin.copy()
    for index in np.argwhere(at_begin != at_end):
        where = tuple(index)
        offset[where] = _one_offset_us(int(local_us[where]), zone)
    return offset


@lru_cache(maxsize=64)
def _midnights_us(first: int, last: int, zone: zoneinfo.ZoneInfo) -> NDArray[np.int64]:
    """Return the offset from UTC at the midnights from one day to another."""
    found = [_one_offset_us(d * _DAY_US, zone) for d in range(first, last + 1)]
    return np.array(found, np.int64)


@lru_cache(maxsize=1 << 17)
def _one_offset_us(local_us: int, zone: zoneinfo.ZoneInfo) -> int:
    local = (_EPOCH + timedelta(microseconds=local_us)).replace(tzinfo=zone)
    return (local.utcoffset() or timedelta(0)) // _MICROSECOND


def _clock_us(clock: time) -> int:
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    return seconds * 1_000_000 + clock.microsecond


def _shift_clock_us(shift: Shift) -> tuple[int, int]:
    """Return begin and end since the midnight before the shift, on the wall clock."""
    begin, end = _clock_us(shift.start), _clock_us(shift.end)
    return begin, end if end > begin else end + _DAY_US


def _break_clock_us(shift: Shift, pause: Pause) -> tuple[int, int]:
    """Return begin and end of a break, the first at or after the shift's begin."""
    shift_begin = _clock_us(shift.start)
    begin = shift_begin + (_clock_us(pause.start) - shift_begin) % _DAY_US
    return begin, begin + (_clock_us(pause.end) - begin) % _DAY_US


# ---------------------------------------------------------------- reading and checking


def days_of(text: str) -> frozenset[int]:
    """Return weekdays, Monday 0 to Sunday 6, from ``mon-fri`` or ``mon, wed, sat-sun``.

    Raises:
        ValueError: The text is empty or names something that is not a day.
    """
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        begin = _weekday(first, text)
        end = _weekday(last, text) if dash else begin
        days.update((begin + i) % 7 for i in range((end - begin) % 7 + 1))
    return frozenset(days)


def _weekday(name: str, text: str) -> int:
    if name.strip() not in _DAYS:
        msg = f'"{text}" is not a list of days; write it like mon-fri or mon, wed, sat'
        raise ValueError(msg)
    return _DAYS.index(name.strip())


def on_share(calendar: Calendar | None) -> float:
    """Return the share of a plain week that is on shift, breaks left out, 0 to 1."""
    if calendar is None:
        return 1.0
    plain = calendar.model_copy(update={"holidays": (), "exceptions": ()})
    at_us, mode = expand(plain, datetime(2001, 1, 1), "UTC", 7 * _DAY_US)  # noqa: DTZ001
    length_us = np.diff(np.append(at_us, 7 * _DAY_US))
    return float(length_us[mode == ON_SHIFT].sum() / (7 * _DAY_US))


def problems(calendar: Calendar) -> list[tuple[Path, str]]:
    """Return what cannot be meant, as paths of keys in the calendar and messages."""
    found = [
        ((*at, *key), text)
        for at, shift in _all_shifts(calendar)
        for key, text in _shift_problems(shift)
    ]
    if not found:  # overlaps can be told only where each shift makes sense
        found += _overlaps(calendar)
    return found + list(_span_problems(calendar))


def _all_shifts(calendar: Calendar) -> Iterator[tuple[Path, Shift]]:
    for j, shift in enumerate(calendar.shifts or _ALL_DAY):
        yield ("shifts", j), shift
    for i, exception in enumerate(calendar.exceptions):
        for j, shift in enumerate(exception.shifts):
            yield ("exceptions", i, "shifts", j), shift


def _shift_problems(shift: Shift) -> Iterator[tuple[Path, str]]:
    try:
        days_of(shift.days)
    except ValueError as error:
        yield ("days",), str(error)
    for key, clock in [("from", shift.start), ("to", shift.end)]:
        yield from _zone_problems((key,), clock)
    if shift.start == shift.end != time(0):
        yield (
            ("to",),
            f"a shift from {shift.start:%H:%M} to {shift.end:%H:%M} has no length; "
            "for a whole day write 00:00 to 24:00 or two shifts",
        )
        return
    yield from _break_problems(shift)


def _zone_problems(at: Path, clock: time) -> Iterator[tuple[Path, str]]:
    if clock.tzinfo is not None:
        yield at, f"{clock} has a zone; times of day are in the line's time_zone"


def _break_problems(shift: Shift) -> Iterator[tuple[Path, str]]:
    shift_end = _shift_clock_us(shift)[1]
    spans = []
    for k, pause in enumerate(shift.breaks):
        yield from _zone_problems(("breaks", k, "from"), pause.start)
        yield from _zone_problems(("breaks", k, "to"), pause.end)
        begin, end = _break_clock_us(shift, pause)
        text = f"the break from {pause.start:%H:%M} to {pause.end:%H:%M}"
        if begin == end:
            yield ("breaks", k), f"{text} has no length"
        elif end > shift_end:
            yield ("breaks", k), f"{text} lies outside its shift, {_hours(shift)}"
        else:
            spans.append((begin, end, k, text))
    spans.sort()
    for one, two in pairwise(spans):
        if two[0] < one[1]:
            yield ("breaks", two[2]), f"{two[3]} overlaps {one[3]}"


def _span_problems(calendar: Calendar) -> Iterator[tuple[Path, str]]:
    for i, holiday in enumerate(calendar.holidays):
        if isinstance(holiday, CalendarException):
            yield from _reversed(("holidays", i), holiday)
            if holiday.shifts:
                text = "a holiday has no shifts; dates with others are exceptions"
                yield ("holidays", i, "shifts"), text
    spans = []
    for i, exception in enumerate(calendar.exceptions):
        yield from _reversed(("exceptions", i), exception)
        spans.append((*_day_span(exception), i))
    spans.sort()
    for before, after in pairwise(spans):
        if after[0] <= before[1]:
            yield (
                ("exceptions", after[2]),
                f"the exception {_dates(calendar.exceptions[after[2]])} overlaps the "
                f"exception {_dates(calendar.exceptions[before[2]])}",
            )


def _reversed(at: Path, span: CalendarException) -> Iterator[tuple[Path, str]]:
    if span.end is not None and span.end < span.start:
        yield (
            (*at, "to"),
            f"the last date, {span.end}, is before the first, {span.start}",
        )


def _dates(span: CalendarException) -> str:
    last = "" if span.end in (None, span.start) else f" to {span.end}"
    return f"of {span.start}{last}"


def _overlaps(calendar: Calendar) -> Iterator[tuple[Path, str]]:
    """Yield shifts that overlap, once for each pair, wherever two rules can meet."""
    shifts = dict(_all_shifts(calendar))
    plain = calendar.model_copy(update={"holidays": (), "exceptions": ()})
    seen = set()
    week = np.arange(4, 13)  # Monday, 1970-01-05, to the Tuesday after it
    for rules, days in [(plain, week), (calendar, _days_to_compare(calendar))]:
        spans = sorted(
            (int(day) * _DAY_US + begin, int(day) * _DAY_US + end, at)
            for at, shift, on in _shifts_on(rules, days)
            for begin, end in [_shift_clock_us(shift)]
            for day in days[on]
            if calendar.shifts or at[0] == "exceptions"
        )
        for one, two in pairwise(spans):
            pair = frozenset((one[2], two[2]))
            if two[0] < one[1] and pair not in seen:
                seen.add(pair)
                weekday = _DAYS[(two[0] // _DAY_US + 3) % 7]
                first, second = (_hours(shifts[at]) for at in (one[2], two[2]))
                yield two[2], f"the shift {second} on {weekday} overlaps that {first}"


def _days_to_compare(calendar: Calendar) -> NDArray[np.int64]:
    """Return the days around both ends of each exception, and one week inside."""
    days: set[int] = set()
    for exception in calendar.exceptions:
        first, last = _day_span(exception)
        days.update(range(first - 1, min(first + 8, last) + 1), (last, last + 1))
    return np.array(sorted(days), np.int64)


def _hours(shift: Shift) -> str:
    return f"from {shift.start:%H:%M} to {shift.end:%H:%M}"
