"""Arrivals by a calendar: as the model says them, and as a log tells of them."""

from __future__ import annotations

import numpy as np
import pytest

from linewright.errors import ModelError
from linewright.fit.fitting import fit_log
from linewright.fit.writing import line_of
from linewright.lower import lower
from linewright.model.calendars import ON_SHIFT, expand
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.simulate import simulate
from linewright.traces import trace_rows
from tests.fit_lines import log_of
from tests.test_control_core import emulated, rows_of

TEXT = """
schema_version: 1
name: shop
start: 2027-03-22 05:00
time_zone: Europe/Vienna
calendars:
  day:
    shifts:
      - {days: mon-fri, from: "06:00", to: "22:00",
         breaks: [{from: "12:00", to: "12:30"}]}
    holidays: [2027-03-26]
  never: {shifts: [{days: mon-fri, from: "09:00", to: "10:00"}]}
calendar: day
stations:
  cut: {process: "gamma(5 min, cv=0.3)"}
  pack: {process: "lognormal(4 min, cv=0.3)"}
products:
  part:
    route: [cut, pack]
    release: {every: 47 min, calendar: day}
study: {horizon: 12 weeks, replications: 2}
"""


EXPONENTIAL = "every: 47 min -> every: exponential(40 min)"


def shop(*changed: str) -> Line:
    text = TEXT
    for before, after in (said.split(" -> ") for said in changed):
        assert before in text
        text = text.replace(before, after)
    return loads(text)


def on_shift_us(line: Line, name: str, until_us: int) -> list[tuple[int, int]]:
    """Return the spans on shift, from the calendar alone."""
    ticks = expand(line.calendars[name], line.start, line.time_zone, until_us)
    ends = [*ticks.at_us[1:].tolist(), until_us]
    spans = zip(ticks.at_us.tolist(), ends, ticks.mode.tolist(), strict=True)
    return [(a, b) for a, b, mode in spans if mode == ON_SHIFT]


def test_arrivals_come_on_shift_at_working_distances() -> None:
    """Also over a week with a holiday and the change to summer time."""
    line = shop()
    log = log_of(line, weeks=3)
    got = np.sort(log.case_arrival_us - log.begin_us)
    each, want, left = 47 * 60_000_000, [], 47 * 60_000_000
    for begin, end in on_shift_us(line, "day", 3 * 7 * 86_400_000_000):
        at = begin
        while at + left < end:
            at += left
            want.append(at)
            left = each
        left -= end - at
    assert len(want) > 250
    # the last may not have been worked on yet
    np.testing.assert_array_equal(got, want[: len(got)])
    assert len(want) - len(got) <= 2
    result = simulate(line, horizon="12 weeks", warmup=0, study="terminating")
    row = result.table("products").to_pylist()[0]
    spans = on_shift_us(line, "day", 84 * 86_400_000_000)
    hours = sum(end - begin for begin, end in spans) / 3.6e9
    assert row["finished"] == pytest.approx(hours * 60 / 47, abs=3)


def test_a_line_that_runs_has_the_arrivals_of_the_simulation() -> None:
    line = shop(EXPONENTIAL)
    until_us = 9 * 86_400_000_000
    lowered = lower(line, until_us)
    found = rows_of(emulated(lowered, 3, until_us))
    wanted = np.concatenate(list(trace_rows(lowered, 3, 0, until_us))).tolist()
    assert found == wanted
    assert len(found) > 1_000


def test_arrivals_of_a_log_are_fitted_by_the_calendar_they_keep() -> None:
    found = fit_log(log_of(shop(EXPONENTIAL)))
    release = found.data["products"]["part"]["release"]
    assert release["calendar"] == "line"
    fit = release["every"]
    assert fit.kind == "exponential"
    assert fit.mean_low_s < 2_400 < fit.mean_high_s < 1.06 * 2_400
    line = line_of(found)
    assert line.products["part"].release.calendar == "line"
    # by night, too: then they come around the clock, and that is said
    around = fit_log(log_of(shop(EXPONENTIAL, ", calendar: day} -> }"), weeks=8))
    release = around.data["products"]["part"]["release"]
    assert "calendar" not in release
    assert release["every"].mean_low_s < 2_400 < release["every"].mean_high_s
    assert any("outside of the hours of work" in one for one in around.notes)


def test_a_calendar_of_arrivals_that_cannot_be_is_told() -> None:
    with pytest.raises(ModelError, match=r'"dya".*did you mean "day"'):
        simulate(shop("calendar: day} -> calendar: dya}"))
    with pytest.raises(ModelError, match="calendar has no effect on the release"):
        simulate(shop("{every: 47 min, calendar: day} -> {calendar: day}"))
    warned = {finding.message for finding in check(shop())}
    assert 'nobody works by the calendar "never"' in warned
    assert 'nobody works by the calendar "day"' not in warned
