"""Calendars against an oracle that looks at every minute in UTC, and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewright.model.calendars import (
    BREAK,
    OFF_SHIFT,
    ON_SHIFT,
    Ticks,
    days_of,
    expand,
    on_share,
    problems,
    to_local,
    to_tick,
    zone_of,
)
from linewright.model.line import Calendar, CalendarException, Shift

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CHANGES = [
    ("Europe/Vienna", date(2027, 3, 28)),
    ("Europe/Vienna", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("Africa/Cairo", date(2027, 4, 30)),
    ("UTC", date(2027, 6, 9)),
]


def calendar_of(**keys: Any) -> Calendar:
    return Calendar.model_validate(keys)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def mode_at(ticks: Ticks, tick_us: int) -> int:
    return int(ticks.mode[np.searchsorted(ticks.at_us, tick_us, side="right") - 1])


def hours(ticks: Ticks, mode: int, horizon_us: int) -> float:
    length_us = np.diff(np.append(ticks.at_us, horizon_us))
    return float(length_us[ticks.mode == mode].sum() / HOUR_US)


# ---------------------------------------------------------------- the slow oracle


@cache
def local_minutes(zone: str, first: date, n_days: int) -> list[datetime]:
    """Wall-clock time of each minute in UTC, found from UTC alone."""
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return [
        (begin + i * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for i in range(n_days * 1440)
    ]


@cache
def first_minute(zone: str, first: date, n_days: int) -> Mapping[datetime, int]:
    """The first minute with a wall-clock time; skipped times move by the gap."""
    walls = local_minutes(zone, first, n_days)
    minute_of: dict[datetime, int] = {}
    for i, wall in enumerate(walls):
        minute_of.setdefault(wall, i)
    for i in range(1, len(walls)):
        gap = walls[i] - walls[i - 1] - MINUTE
        for k in range(gap // MINUTE):
            skipped = walls[i - 1] + (k + 1) * MINUTE
            minute_of[skipped] = minute_of[skipped + gap]
    return minute_of


def shifts_of(calendar: Calendar, day: date) -> tuple[Shift, ...]:
    found = calendar.shifts or (Shift.model_validate({"from": "00:00", "to": "24:00"}),)
    for holiday in calendar.holidays:
        if isinstance(holiday, CalendarException):
            if holiday.start <= day <= (holiday.end or holiday.start):
                found = ()
        elif holiday == day:
            found = ()
    for exception in calendar.exceptions:
        if exception.start <= day <= (exception.end or exception.start):
            found = exception.shifts
    return tuple(s for s in found if day.weekday() in days_of(s.days))


def oracle_modes(calendar: Calendar, start: datetime, zone: str, n: int) -> list[int]:
    first, n_days = start.date() - 4 * DAY, n // 1440 + 10
    minute_of = first_minute(zone, first, n_days)
    zero = minute_of[start]
    modes = [OFF_SHIFT] * n
    for day in (first + (i + 1) * DAY for i in range(n_days - 4)):
        midnight = at(f"{day}T00:00")
        for shift in shifts_of(calendar, day):
            begin = datetime.combine(midnight, shift.start)
            end = datetime.combine(midnight, shift.end)
            end += DAY * (end <= begin)
            breaks = []
            for pause in shift.breaks:
                one = datetime.combine(midnight, pause.start)
                one += DAY * (one < begin)
                two = datetime.combine(one.date(), pause.end)
                two += DAY * (two < one)
                breaks.append((minute_of[one] - zero, minute_of[two] - zero))
            for m in range(max(minute_of[begin] - zero, 0), minute_of[end] - zero):
                if m < n:
                    resting = any(one <= m < two for one, two in breaks)
                    modes[m] = max(modes[m], BREAK if resting else ON_SHIFT)
    return modes


clocks = st.builds(
    lambda hour, minute: f"{hour:02}:{minute:02}",
    st.integers(0, 23),
    st.sampled_from([0, 0, 15, 30, 45, 59]),
)
night_clocks = st.sampled_from(["00:00", "01:30", "02:00", "02:15", "02:45", "03:00"])
times = st.one_of(clocks, night_clocks)
pauses = st.fixed_dictionaries({"from": times, "to": times})
shifts = st.fixed_dictionaries(
    {
        "days": st.sampled_from(["mon-sun", "mon-fri", "sat, sun", "fri-mon", "wed"]),
        "from": times,
        "to": times,
        "breaks": st.lists(pauses, max_size=3),
    }
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Calendar, datetime, str]:
    zone, change = draw(st.sampled_from(CHANGES))
    near = st.integers(-4, 4).map(lambda d: change + d * DAY)
    span = st.tuples(near, st.integers(0, 3)).map(
        lambda s: {"from": s[0], "to": s[0] + s[1] * DAY}
    )
    exception = st.tuples(span, st.lists(shifts, max_size=2)).map(
        lambda e: {**e[0], "shifts": e[1]}
    )
    calendar = calendar_of(
        shifts=draw(st.lists(shifts, max_size=3)),
        holidays=draw(st.lists(st.one_of(near, span), max_size=2)),
        exceptions=draw(st.lists(exception, max_size=2)),
    )
    begin = change - draw(st.integers(0, 2)) * DAY
    clock = draw(times)
    return calendar, at(f"{begin}T{clock}"), zone


@settings(deadline=None, max_examples=150)
@given(cases())
def test_every_minute_agrees_with_the_oracle(
    case: tuple[Calendar, datetime, str],
) -> None:
    calendar, start, zone = case
    n_minutes = 4 * 1440
    ticks = expand(calendar, start, zone, n_minutes * MINUTE_US)
    assert ticks.at_us[0] == 0
    assert (np.diff(ticks.at_us) > 0).all()
    assert (ticks.mode[1:] != ticks.mode[:-1]).all()
    got = np.searchsorted(ticks.at_us, np.arange(n_minutes) * MINUTE_US, side="right")
    expected = oracle_modes(calendar, start, zone, n_minutes)
    np.testing.assert_array_equal(ticks.mode[got - 1], expected)


@settings(deadline=None, max_examples=40)
@given(cases(), st.integers(0, 3 * DAY_US))
def test_a_longer_horizon_only_adds_ticks(
    case: tuple[Calendar, datetime, str], horizon_us: int
) -> None:
    calendar, start, zone = case
    short = expand(calendar, start, zone, horizon_us)
    long = expand(calendar, start, zone, 5 * DAY_US)
    n = len(short.at_us)
    np.testing.assert_array_equal(short.at_us, long.at_us[:n])
    np.testing.assert_array_equal(short.mode, long.mode[:n])
    assert len(long.at_us) == n or long.at_us[n] > horizon_us


@settings(deadline=None)
@given(st.sampled_from(CHANGES), st.integers(-3 * DAY_US, 3 * DAY_US))
def test_local_times_and_ticks_go_round(change: tuple[str, date], tick_us: int) -> None:
    zone, day = change
    start = at(f"{day}T02:30")
    local = to_local(tick_us, start, zone)
    assert to_tick(local, start, zone) == tick_us
    naive = to_tick(local.replace(tzinfo=None), start, zone)
    assert naive == tick_us - (HOUR_US if "Lord" not in zone else HOUR_US // 2) * (
        local.fold
    )


# ---------------------------------------------------------------- by hand

NIGHT = calendar_of(shifts=[{"days": "sat", "from": "22:00", "to": "06:00"}])


@pytest.mark.parametrize(
    ("zone", "saturday", "length_h"),
    [
        ("Europe/Vienna", "2027-03-27", 7),
        ("Europe/Vienna", "2027-10-30", 9),
        ("America/New_York", "2027-03-13", 7),
        ("America/New_York", "2027-11-06", 9),
        ("Australia/Lord_Howe", "2027-10-02", 7.5),
        ("Australia/Lord_Howe", "2027-04-03", 8.5),
        ("UTC", "2027-03-27", 8),
    ],
)
def test_a_night_shift_over_the_clock_change(
    zone: str, saturday: str, length_h: float
) -> None:
    ticks = expand(NIGHT, at(f"{saturday}T00:00"), zone, 3 * DAY_US)
    assert ticks.at_us.tolist() == [0, 22 * HOUR_US, (22 + length_h) * HOUR_US]
    assert ticks.mode.tolist() == [OFF_SHIFT, ON_SHIFT, OFF_SHIFT]


def test_a_night_shift_that_began_before_the_start_is_running() -> None:
    ticks = expand(NIGHT, at("2027-06-13T02:00"), "Europe/Vienna", DAY_US)
    assert ticks.at_us.tolist() == [0, 4 * HOUR_US]
    assert ticks.mode.tolist() == [ON_SHIFT, OFF_SHIFT]


def test_a_break_past_midnight_belongs_to_the_shift() -> None:
    night = {"days": "mon", "from": "22:00", "to": "06:00"}
    calendar = calendar_of(
        shifts=[night | {"breaks": [{"from": "02:00", "to": "02:30"}]}]
    )
    ticks = expand(calendar, at("2027-01-04T00:00"), "UTC", 7 * DAY_US)
    assert (ticks.at_us / HOUR_US).tolist() == [0, 22, 26, 26.5, 30]
    assert ticks.mode.tolist() == [OFF_SHIFT, ON_SHIFT, BREAK, ON_SHIFT, OFF_SHIFT]


def test_holidays_stop_shifts_from_beginning_but_not_from_ending() -> None:
    calendar = calendar_of(
        shifts=[{"days": "mon-fri", "from": "22:00", "to": "06:00"}],
        holidays=["2027-01-06", {"from": "2027-01-08", "to": "2027-01-10"}],
    )
    ticks = expand(calendar, at("2027-01-04T00:00"), "UTC", 8 * DAY_US)
    begins = ticks.at_us[ticks.mode == ON_SHIFT] / DAY_US - 22 / 24
    assert begins.round(9).tolist() == [0, 1, 3, 7]
    assert mode_at(ticks, 2 * DAY_US + 5 * HOUR_US) == ON_SHIFT  # began on Tuesday


def test_an_exception_replaces_pattern_and_holiday() -> None:
    calendar = calendar_of(
        shifts=[{"days": "mon-fri", "from": "08:00", "to": "16:00"}],
        holidays=["2027-01-05"],
        exceptions=[
            {"from": "2027-01-05", "shifts": [{"from": "20:00", "to": "02:00"}]},
            {"from": "2027-01-07", "to": "2027-01-08"},
        ],
    )
    ticks = expand(calendar, at("2027-01-04T00:00"), "UTC", 7 * DAY_US)
    assert (ticks.at_us / HOUR_US).tolist() == [0, 8, 16, 44, 50, 56, 64]


def test_no_shifts_mean_around_the_clock() -> None:
    start = at("2027-10-30T00:00")
    for calendar in (None, Calendar()):
        ticks = expand(calendar, start, "Europe/Vienna", 100 * DAY_US)
        assert (ticks.at_us.tolist(), ticks.mode.tolist()) == ([0], [ON_SHIFT])
    closed = calendar_of(exceptions=[{"from": "2027-10-31"}])
    ticks = expand(closed, start, "Europe/Vienna", 100 * DAY_US)
    assert (ticks.at_us / HOUR_US).tolist() == [0, 24, 49]  # a day of 25 h


def test_ten_years_of_two_shifts() -> None:
    calendar = calendar_of(
        shifts=[
            {
                "days": "mon-fri",
                "from": begin,
                "to": end,
                "breaks": [{"from": rest, "to": rest.replace(":00", ":30")}],
            }
            for begin, end, rest in [
                ("06:00", "14:00", "10:00"),
                ("14:00", "22:00", "18:00"),
            ]
        ]
    )
    n_days = 3653
    ticks = expand(calendar, at("2027-01-04T00:00"), "Europe/Vienna", n_days * DAY_US)
    n_work_days = 2610
    assert len(ticks.at_us) == 1 + n_work_days * 6
    assert hours(ticks, ON_SHIFT, n_days * DAY_US) == 15 * n_work_days
    assert hours(ticks, BREAK, n_days * DAY_US) == n_work_days
    assert on_share(calendar) == 15 * 5 / 168


def test_on_share_looks_at_a_plain_week() -> None:
    assert on_share(None) == on_share(Calendar()) == 1
    assert on_share(calendar_of(holidays=["2001-01-03"])) == 1
    assert on_share(NIGHT) == 8 / 168
    assert (
        on_share(calendar_of(shifts=[{"days": "sun", "from": "12:00", "to": "06:00"}]))
        == 18 / 168
    )


@pytest.mark.parametrize("start", ["0001-01-01T00:00", "9999-12-15T00:00"])
def test_the_first_and_the_last_year_work(start: str) -> None:
    ticks = expand(NIGHT, at(start), "Europe/Vienna", 7 * DAY_US)
    assert hours(ticks, ON_SHIFT, 7 * DAY_US) == 8


def test_a_horizon_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="year 9999"):
        expand(NIGHT, at("2027-01-04T00:00"), "UTC", 2**58)
    with pytest.raises(ValueError, match="zero or more"):
        expand(NIGHT, at("2027-01-04T00:00"), "UTC", -1)
    with pytest.raises(ValueError, match="year 9999"):
        to_local(2**58, at("2027-01-04T00:00"), "UTC")


@pytest.mark.parametrize(
    "name", ["", "Europe", "Europe/Nowhere", "../etc", "/etc/passwd"]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a time zone"):
        zone_of(name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mon-fri", "mon tue wed thu fri"),
        ("sat", "sat"),
        ("mon, wed,fri", "mon wed fri"),
        ("fri-mon", "fri sat sun mon"),
        ("Mon - Tue, sat-sun", "mon tue sat sun"),
        ("sun-sun", "sun"),
        ("mon-sun", "mon tue wed thu fri sat sun"),
    ],
)
def test_days_are_read(text: str, names: str) -> None:
    assert days_of(text) == {NAMES.index(name) for name in names.split()}


@pytest.mark.parametrize(
    "text", ["", "monday", "mon fri", "mon-", "-", "mon,,tue", "1"]
)
def test_days_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a list of days"):
        days_of(text)


DAY_SHIFT = {"days": "mon-fri", "from": "08:00", "to": "16:00"}
LATE = {"days": "mon-fri", "from": "16:00", "to": "00:00"}


@pytest.mark.parametrize(
    ("keys", "path", "words"),
    [
        (
            {"shifts": [DAY_SHIFT | {"days": "mo"}]},
            ("shifts", 0, "days"),
            "list of days",
        ),
        ({"shifts": [DAY_SHIFT | {"to": "08:00"}]}, ("shifts", 0, "to"), "no length"),
        (
            {"shifts": [DAY_SHIFT | {"to": time(16, tzinfo=UTC)}]},
            ("shifts", 0, "to"),
            "has a zone",
        ),
        (
            {"shifts": [DAY_SHIFT, LATE | {"from": "15:30"}]},
            ("shifts", 1),
            "15:30 to 00:00 on mon overlaps that from 08:00 to 16:00",
        ),
        (
            {"shifts": [DAY_SHIFT, {"days": "sun", "from": "22:00", "to": "09:00"}]},
            ("shifts", 0),
            "08:00 to 16:00 on mon overlaps that from 22:00 to 09:00",
        ),
        (
            {"shifts": [DAY_SHIFT | {"breaks": [{"from": "07:30", "to": "08:15"}]}]},
            ("shifts", 0, "breaks", 0),
            "outside its shift",
        ),
        (
            {"shifts": [DAY_SHIFT | {"breaks": [{"from": "15:45", "to": "16:15"}]}]},
            ("shifts", 0, "breaks", 0),
            "outside its shift",
        ),
        (
            {"shifts": [DAY_SHIFT | {"breaks": [{"from": "12:00", "to": "12:00"}]}]},
            ("shifts", 0, "breaks", 0),
            "no length",
        ),
        (
            {
                "shifts": [
                    DAY_SHIFT
                    | {
                        "breaks": [
                            {"from": "12:00", "to": "12:30"},
                            {"from": "11:00", "to": "12:10"},
                        ]
                    }
                ]
            },
            ("shifts", 0, "breaks", 0),
            "overlaps",
        ),
        (
            {"exceptions": [{"from": "2027-02-01", "to": "2027-01-01"}]},
            ("exceptions", 0, "to"),
            "before the first",
        ),
        (
            {"holidays": [{"from": "2027-02-01", "to": "2027-01-01"}]},
            ("holidays", 0, "to"),
            "before the first",
        ),
        (
            {"holidays": [{"from": "2027-02-01", "shifts": [DAY_SHIFT]}]},
            ("holidays", 0, "shifts"),
            "no shifts",
        ),
        (
            {"exceptions": [{"from": "2027-01-03"}, {"from": "2027-01-03"}]},
            ("exceptions", 1),
            "overlaps the exception of 2027-01-03",
        ),
        (
            {
                "exceptions": [
                    {"from": "2027-01-03"},
                    {"from": "2027-01-01", "to": "2027-01-07"},
                ]
            },
            ("exceptions", 0),
            "of 2027-01-01 to 2027-01-07",
        ),
        (
            {
                "exceptions": [
                    {"from": "2027-01-03", "shifts": [DAY_SHIFT | {"days": "x"}]}
                ]
            },
            ("exceptions", 0, "shifts", 0, "days"),
            "list of days",
        ),
        (
            {
                "shifts": [{"from": "22:00", "to": "06:00"}],
                "exceptions": [
                    {"from": "2027-01-05", "shifts": [{"from": "05:00", "to": "09:00"}]}
                ],
            },
            ("exceptions", 0, "shifts", 0),
            "05:00 to 09:00 on tue overlaps that from 22:00 to 06:00",
        ),
    ],
)
def test_problems_are_found(
    keys: dict[str, Any], path: tuple[str | int, ...], words: str
) -> None:
    [(found_path, message)] = problems(calendar_of(**keys))
    assert found_path == path
    assert words in message


def test_the_same_shift_twice_is_an_overlap() -> None:
    shift = Shift.model_validate(DAY_SHIFT)
    assert len(problems(Calendar(shifts=(shift, shift)))) == 1


def test_a_sound_calendar_has_no_problems() -> None:
    calendar = calendar_of(
        shifts=[
            DAY_SHIFT | {"breaks": [{"from": "08:00", "to": "08:10"}]},
            LATE,
            {"days": "mon-fri", "from": "00:00", "to": "08:00"},
            {"days": "sat", "from": "00:00", "to": "24:00"},
        ],
        holidays=["2027-01-01", {"from": "2027-12-24", "to": "2028-01-06"}],
        exceptions=[
            {"from": "2027-05-01", "shifts": [{"from": "00:00", "to": "24:00"}]},
            {"from": "2027-05-02"},
        ],
    )
    assert problems(calendar) == []
    assert problems(Calendar()) == []
    nightly = {"from": "22:00", "to": "06:00"}
    around = calendar_of(exceptions=[{"from": "2027-05-01", "shifts": [nightly]}])
    assert problems(around) == []
