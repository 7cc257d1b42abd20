"""Capacity that comes or goes on a date, and calendars that follow each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from linewright.errors import ModelError
from linewright.lower import lower, new_draws, new_state
from linewright.model.calendars import expand
from linewright.model.changes import (
    absences,
    absent_us,
    most_servers,
    schedule_ticks,
    schedules_of,
    servers_over_time,
    station_schedule,
)
from linewright.model.check import check, check_loaded
from linewright.model.diff import diff
from linewright.model.line import Line
from linewright.model.load import dumps, loads, model_hash, read
from linewright.replicate import check_laws, run_until, snapshot
from linewright.simulate import simulate
from linewright.why import why
from tests.model_texts import marked

HOUR = 3_600_000_000
DAY = 24 * HOUR


def a_line(**more: Any) -> Line:
    """Return a mill that always has parts, an hour for each."""
    model: dict[str, Any] = {
        "schema_version": 1,
        "name": "Mill",
        "stations": {"mill": {"process": "1 h"}},
        "products": {"shaft": {"route": ["mill"]}},
    }
    line = Line.model_validate(model | more)
    assert [f for f in check(line) if f.severity == "error"] == []
    return line


def run(line: Line, until_us: int) -> tuple[t.State, Any]:
    lowered = lower(line, until_us)
    _, state = run_until(
        lowered, new_state(lowered), new_draws(lowered, 1, 0), until_us
    )
    assert all(check.ok for check in check_laws(lowered, state))
    return state, lowered


def made(line: Line, *at_us: int) -> list[int]:
    """Return the units that have left by some instants."""
    lowered = lower(line, max(at_us))
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    out = []
    for until_us in at_us:
        _, state = run_until(lowered, state, draws, until_us)
        out.append(int(state.products["finished"].sum()))
    return out


def change(on: str, **stations: Any) -> dict[str, Any]:
    return {"on": on, "stations": stations}


# ---------------------------------------------------------------- servers


def test_throughput_doubles_when_a_second_server_comes() -> None:
    line = a_line(changes=[change("100 h", mill={"servers": 2})])
    assert made(line, 100 * HOUR, 200 * HOUR, 300 * HOUR) == [100, 300, 500]


def test_a_server_that_goes_finishes_its_part_first() -> None:
    line = a_line(
        stations={"mill": {"process": "1 h", "servers": 2}},
        changes=[change("10 h 30 min", mill={"servers": 1})],
    )
    # both work until 11 h, one from then on
    assert made(line, 11 * HOUR, 20 * HOUR) == [22, 31]
    state, _ = run(line, 20 * HOUR)
    assert snapshot(state).accounts[0, t.OFF_SHIFT] == 9 * HOUR


def test_a_server_comes_back_on_the_date_however_late_it_went() -> None:
    changes = [
        change("10 h 30 min", mill={"servers": 1}),
        change("12 h", mill={"servers": 2}),
    ]
    line = a_line(stations={"mill": {"process": "1 h", "servers": 2}}, changes=changes)
    assert made(line, 11 * HOUR, 12 * HOUR, 13 * HOUR) == [22, 23, 25]


def test_a_part_longer_than_the_absence_makes_no_absence() -> None:
    changes = [
        change("10 h 15 min", mill={"servers": 0}),
        change("10 h 45 min", mill={"servers": 1}),
    ]
    assert made(a_line(changes=changes), 20 * HOUR) == [20]


def test_a_station_may_begin_without_any_server() -> None:
    changes = [
        change("0 h", mill={"servers": 0}),
        change("5 h", mill={"servers": 3}),
        change("8 h", mill={"servers": 0}),
    ]
    line = a_line(changes=changes)
    assert made(line, 5 * HOUR, 8 * HOUR, 40 * HOUR) == [0, 9, 9]
    state, lowered = run(line, 4 * HOUR)
    assert state.accounts.sum() == 0  # all time is booked when it ends
    assert snapshot(state).accounts[0, t.OFF_SHIFT] == 3 * 4 * HOUR
    assert "no server of mill is there; mill 1 is not there until" in why(
        lowered, state, "mill", line
    )


def test_planned_work_of_a_server_that_comes_counts_from_its_coming() -> None:
    stations = {
        "mill": {
            "process": "1 h",
            "maintenance": {"oil": {"every": "8 h", "duration": "1 h"}},
        }
    }
    line = a_line(stations=stations, changes=[change("20 h", mill={"servers": 2})])
    # due at 8, 18 and 28 h at the one, each after the part that was begun just then,
    # and of the other, which came at 20 h, at 28 h too and not at once
    for until_h, begun in ((8, 0), (9, 1), (19, 2), (28, 2), (29, 4)):
        state, _ = run(line, until_h * HOUR)
        assert int(state.stations["failures"][0]) == begun, until_h


def test_an_absence_is_no_failure_and_costs_nothing() -> None:
    stations = {
        "mill": {
            "process": "1 h",
            "cost": {"per_calendar_hour": 2, "per_repair": 100},
            "power": {"processing": "1 kW", "off_shift": "1 kW"},
        }
    }
    line = a_line(
        stations=stations,
        changes=[change("100 h", mill={"servers": 2})],
        study={"horizon": "200 h", "kind": "terminating", "replications": 1},
    )
    result = simulate(line, workers=1)
    cost = {row["item"]: row["amount"] for row in result.table("cost").to_pylist()}
    assert cost == {"per_calendar_hour": 2 * 300, "per_repair": 0}
    energy = result.table("energy").to_pylist()
    assert sum(row["kwh"] for row in energy) == pytest.approx(300)
    assert result.table("stations")["failures"].to_pylist() == [0]
    assert not result.failed_checks


def test_servers_over_time_and_their_absences() -> None:
    changes = [
        change("10 h", mill={"servers": 3}),
        change("20 h", mill={"servers": 1}),
        change("20 h", mill={"servers": 2}),
        change("30 h", mill={"servers": 2}),
        change("40 h", mill={"servers": 0}),
    ]
    line = a_line(changes=changes)
    steps = [(0, 1), (10 * HOUR, 3), (20 * HOUR, 2), (40 * HOUR, 0)]
    assert servers_over_time(line, "mill") == steps
    assert most_servers(line, "mill") == 3
    assert absences(line, "mill", 0) == [(40 * HOUR, -1)]
    assert absences(line, "mill", 2) == [(0, 10 * HOUR), (20 * HOUR, -1)]
    away = (50 - 40) + (10 + 50 - 40) + (10 + 50 - 20)
    assert absent_us(line, "mill", 0, 50 * HOUR) == away * HOUR


def test_a_line_whose_servers_are_gone_for_good_stands_still() -> None:
    line = a_line(
        stations={"saw": {"process": "1 h"}, "mill": {"process": "2 h"}},
        products={"shaft": {"route": ["saw", "mill"], "release": {"conwip": 3}}},
        changes=[change("10 h", mill={"servers": 0})],
    )
    lowered = lower(line, 40 * HOUR)
    code, _ = run_until(
        lowered, new_state(lowered), new_draws(lowered, 1, 0), 40 * HOUR
    )
    assert code == t.STANDSTILL
    later = change("30 h", mill={"servers": 1})
    line = line.model_copy(
        update={"changes": (*line.changes, *a_line(changes=[later]).changes)}
    )
    lowered = lower(line, 40 * HOUR)
    code, _ = run_until(
        lowered, new_state(lowered), new_draws(lowered, 1, 0), 20 * HOUR
    )
    assert code == t.REACHED


# ---------------------------------------------------------------- calendars

CALENDARS: dict[str, Any] = {
    "early": {"shifts": [{"from": "06:00", "to": "14:00"}]},
    "both": {"shifts": [{"from": "06:00", "to": "22:00"}]},
    "always": {},
}


def test_a_second_shift_from_a_date_on() -> None:
    line = a_line(
        calendars=CALENDARS,
        calendar="early",
        changes=[{"on": "2027-01-11", "calendars": {"early": "both"}}],
    )
    assert made(line, 7 * DAY, 14 * DAY) == [7 * 8, 7 * 8 + 7 * 16]


def test_calendars_change_across_the_clock_change() -> None:
    """The night of 2027-03-28 has an hour less, and that of 2027-10-31 one more."""
    zone = {"start": "2027-03-22 00:00", "time_zone": "Europe/Vienna"}
    line = a_line(
        calendars=CALENDARS,
        calendar="early",
        changes=[
            {"on": "2027-03-28", "stations": {"mill": {"calendar": "always"}}},
            {"on": "2027-03-29", "stations": {"mill": {"calendar": "both"}}},
        ],
        **zone,
    )
    until_us = 8 * DAY - HOUR  # the end of Monday the 29th
    assert made(line, until_us) == [6 * 8 + 23 + 16]
    (schedule,) = schedules_of(line)
    ticks = schedule_ticks(line, schedule, until_us)
    for name, first, last in (
        ("early", 0, 6 * DAY),
        ("always", 6 * DAY, 7 * DAY - HOUR),
        ("both", 7 * DAY - HOUR, until_us),
    ):
        own = expand(line.calendars[name], line.start, line.time_zone, until_us)
        for at_us in range(first, last, HOUR // 2):
            row = np.searchsorted(ticks.at_us, at_us, side="right") - 1
            own_row = np.searchsorted(own.at_us, at_us, side="right") - 1
            assert ticks.mode[row] == own.mode[own_row], (name, at_us)


def test_a_calendar_of_the_line_can_come_and_stations_can_leave_it() -> None:
    line = a_line(
        stations={"mill": {"process": "1 h"}, "saw": {"process": "1 h"}},
        products={"shaft": {"route": ["mill"]}, "bar": {"route": ["saw"]}},
        calendars=CALENDARS,
        changes=[
            {"on": "24 h", "stations": {"mill": {"calendar": "early"}}},
            {"on": "48 h", "calendars": {"early": "both"}},
            {
                "on": "72 h",
                "calendars": {"both": "early"},
                "stations": {"mill": {"calendar": "always"}},
            },
        ],
    )
    assert station_schedule(line, "mill") == (
        (0, None),
        (24 * HOUR, "early"),
        (48 * HOUR, "both"),
        (72 * HOUR, "always"),
    )
    assert station_schedule(line, "saw") == ((0, None),)
    made_in = made(line, 24 * HOUR, 48 * HOUR, 72 * HOUR, 96 * HOUR)
    of_mill = np.diff([0, *made_in]) - 24
    assert of_mill.tolist() == [24, 8, 16, 24]


def test_people_follow_their_calendars() -> None:
    line = a_line(
        stations={"mill": {"process": "1 h", "people": {"process": "operators"}}},
        people={"operators": {"count": 1, "calendar": "early"}},
        calendars=CALENDARS,
        changes=[{"on": "24 h", "people": {"operators": {"calendar": "always"}}}],
    )
    # they finish what they begin at the end of their shift
    assert made(line, 24 * HOUR, 48 * HOUR) == [9, 33]


# ---------------------------------------------------------------- the file

TEXT = """\
schema_version: 1
name: Mill
start: 2027-01-04
calendars:
  early: {shifts: [{from: "06:00", to: "14:00"}]}
  late: {shifts: [{from: "14:00", to: "22:00"}]}
people: {fitters: {count: 2, calendar: early}}
stations:
  mill: {process: 1 h, calendar: early, people: {process: fitters}}
  belt: {conveyor: {length: 10 m, speed: 1 m/min, places: 5}}
  stiff: {process: 1 min, servers: 2, holds_when_stopped: true}
products: {shaft: {route: [mill, belt, stiff]}}
conwip: 9
changes:
"""


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("  - {on: ¦2026-12-31, stations: {mill: {servers: 2}}}", "LW261", "before"),
        ("  - {on: ¦31 Jan, stations: {mill: {servers: 2}}}", "LW109", "duration|time"),
        ("  - ¦{on: 2027-02-01}", "LW261", "nothing changes here"),
        ("  - {on: 2027-02-01, stations: {¦mill: {}}}", "LW261", "nothing changes"),
        ("  - {on: 2027-02-01, stations: {¦mil: {servers: 2}}}", "LW201", '"mill"'),
        ("  - {on: 2027-02-01, stations: {mill: {servers: ¦-1}}}", "LW109", "-1"),
        (
            "  - {on: 2027-02-01, stations: {mill: {calendar: ¦erly}}}",
            "LW201",
            'did you mean "early"',
        ),
        ("  - {on: 2027-02-01, calendars: {¦erly: late}}", "LW201", "early"),
        ("  - {on: 2027-02-01, calendars: {¦early: lat}}", "LW201", "late"),
        (
            "  - {on: 2027-02-01, people: {¦fiters: {calendar: late}}}",
            "LW201",
            "fitters",
        ),
        ("  - {on: 2027-02-01, stations: {belt: {servers: ¦9}}}", "LW261", "conveyor"),
        (
            "  - {on: 2027-02-01, stations: {¦stiff: {servers: 1}}}",
            "LW261",
            "holds_when_stopped",
        ),
        ("  - {on: ¦9995-02-01, stations: {mill: {servers: 2}}}", "LW261", "years"),
    ],
)
def test_what_cannot_be_meant_of_changes(
    tmp_path: Path, text: str, code: str, words: str
) -> None:
    marked_text, (where,) = marked(TEXT + text)
    path = tmp_path / "model.yaml"
    path.write_text(marked_text, encoding="utf-8")
    try:
        findings = check_loaded(read(path))
    except ModelError as error:
        findings = list(error.findings)
    found = [f for f in findings if f.severity == "error"]
    assert [f.code for f in found] == [code], found
    assert any(word in str(found[0]) for word in words.split("|"))
    assert (found[0].line, found[0].column) == where


def test_a_model_without_changes_has_the_hash_it_had() -> None:
    line = a_line()
    assert "changes" not in line.model_dump(by_alias=True)
    assert model_hash(line) == model_hash(loads(dumps(line)))


def test_changes_are_written_read_and_told() -> None:
    before = a_line(calendars=CALENDARS)
    after = before.model_copy(
        update={
            "changes": a_line(
                calendars=CALENDARS,
                changes=[change("2027-02-01", mill={"servers": 2})],
            ).changes
        }
    )
    assert loads(dumps(after)) == after
    assert diff(before, after) == ["change on 2027-02-01T00:00:00 added"]
    more = after.model_copy(
        update={
            "changes": a_line(
                calendars=CALENDARS,
                changes=[change("2027-02-01", mill={"servers": 3})],
            ).changes
        }
    )
    told = "change on 2027-02-01T00:00:00: stations mill servers 2 -> 3"
    assert diff(after, more) == [told]
