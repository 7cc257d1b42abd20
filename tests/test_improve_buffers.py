"""Buffer places shared out: every known optimum, the dual, and lines of the model."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

import linewright
from linewright.cli import main
from linewright.improve.buffers import (
    allocate,
    best_slots,
    even,
    fewest_slots,
    reach,
)
from linewright.improve.flow_lines import serial_of
from linewright.improve.search import Study
from linewright.improve.trials import Span
from linewright.theory.chains import exact
from linewright.theory.designs import best, rates_and_slots
from linewright.theory.flow_line import FlowLine

MINUTE_US = 60_000_000
TABLE = Path(__file__).parent / "exact" / "buffer_allocation_exhaustive.csv"
ROWS = list(csv.DictReader(TABLE.read_text().splitlines()))


def numbers(text: str) -> tuple[float, ...]:
    return tuple(float(x) for x in text.split(";")) if text else ()


def line_of(row: dict[str, str]) -> FlowLine:
    rates = numbers(row["mu"])
    return FlowLine(
        tuple(1 / rate for rate in rates),
        (0,) * (len(rates) - 1),
        mttf_s=tuple(1 / rate for rate in numbers(row["fail_rate"])),
        mttr_s=tuple(1 / rate for rate in numbers(row["repair_rate"])),
    )


def optimal(row: dict[str, str]) -> set[tuple[int, ...]]:
    ways = row["optimal"].split(" | ")
    return {tuple(map(int, way.split(";"))) for way in ways}


# ------------------------------------------------------------------ known optima


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case_id"])
def test_every_known_optimum_is_found_with_its_proof(row: dict[str, str]) -> None:
    found = best_slots(line_of(row), int(row["total_places"]))
    assert found.is_proved
    assert found.n_ways == found.n_evaluated == int(row["allocations"])
    assert {found.slots, *found.ties} == optimal(row)
    known = float(row["best_throughput"])
    assert found.throughput_per_s == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case_id"])
def test_the_search_finds_every_known_optimum_too(row: dict[str, str]) -> None:
    found = best_slots(line_of(row), int(row["total_places"]), most_listed=0)
    assert found.is_exact
    assert not found.is_proved
    assert found.slots in optimal(row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case_id"])
def test_the_estimate_alone_comes_within_half_a_percent(
    row: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linewright.improve.buffers._MOST_CELLS", 0)
    line = line_of(row)
    found = best_slots(line, int(row["total_places"]))
    assert found.error is not None
    true = exact(replace(line, slots=found.slots)).throughput_per_s
    assert true >= 0.995 * float(row["best_throughput"])


def test_rates_and_buffers_together_are_the_designs_of_the_theory() -> None:
    """Pichitlamken, Nelson and Hong (2006): the optimum and its mirror image."""
    rates, slots = rates_and_slots(20, 20)
    found = best(rates, slots)
    assert found.throughput_per_s == pytest.approx(5.77612175146)
    row = found.rows[0]
    given = FlowLine(tuple(1 / rates[row]), (0, 0))
    share = best_slots(given, int(slots[row].sum()))
    assert share.slots == tuple(slots[row])


def test_a_long_line_is_searched_and_beats_even() -> None:
    slow = FlowLine((1.0, 1.0, 1.0, 1.3, 1.0, 1.0, 1.0, 1.0), (0,) * 7)
    found = best_slots(slow, 21)
    assert found.n_evaluated < found.n_ways
    assert not found.is_exact
    level = best_slots(replace(slow, process_s=(1.0,) * 8), 21).slots
    assert sum(found.slots) == sum(level) == 21
    # more beside the slow station, and less far away from it
    assert sum(found.slots[2:4]) > sum(level[2:4])
    assert sum(found.slots[4:]) < sum(level[4:])


# ------------------------------------------------------------------ the dual


@pytest.mark.parametrize("row", ROWS[::6], ids=lambda row: row["case_id"])
def test_the_fewest_places_are_those_of_the_table(row: dict[str, str]) -> None:
    line, places = line_of(row), int(row["total_places"])
    found = fewest_slots(line, float(row["best_throughput"]) * (1 - 1e-9))
    assert sum(found.slots) == places
    assert found.slots in optimal(row)
    fewer = best_slots(line, places - 1)
    assert fewer.throughput_per_s < float(row["best_throughput"]) * (1 - 1e-9)


def test_no_buffer_makes_a_slow_station_faster() -> None:
    line = FlowLine((1.0, 2.0, 1.0), (0, 0))
    assert sum(fewest_slots(line, 0.1).slots) == 0
    with pytest.raises(ValueError, match="station 2 alone makes 1800/h"):
        fewest_slots(line, 0.5)


def test_what_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(ValueError, match="two stations or more"):
        best_slots(FlowLine((1.0,), ()), 3)
    with pytest.raises(ValueError, match="zero or more"):
        best_slots(FlowLine((1.0, 1.0), (0,)), -1)


@pytest.mark.parametrize(
    ("places", "n", "slots"),
    [(6, 3, (2, 2, 2)), (7, 3, (2, 3, 2)), (1, 4, (0, 1, 0, 0))],
)
def test_even_puts_what_is_left_in_the_middle(
    places: int, n: int, slots: tuple[int, ...]
) -> None:
    assert even(places, n) == slots


# ------------------------------------------------------------------ lines of the model


MODEL = """
schema_version: 1
name: Five in a row
stations:
  a: {process: exponential(60 s)}
  b: {process: exponential(55 s), buffer: 4}
  c: {process: exponential(66 s), buffer: 1}
  d: {process: exponential(55 s), buffer: 1}
products: {part: {route: [a, b, c, d]}}
"""
REGULAR = """
schema_version: 1
name: Regular
stations:
  a: {process: 60 s, failures: {jam: {every: exponential(50 min), repair: 5 min}}}
  b: {process: 58 s, buffer: 6}
  c:
    process: {part: "gamma(mean=60 s, cv=0.5)"}
    buffer: unlimited
    failures:
      jam: {every: exponential(60 min), repair: exponential(6 min)}
      tool: {every: 200 cycles, repair: exponential(10 min)}
products: {part: {route: [a, b, c]}}
"""


def study(seed: int = 1) -> Study:
    span = Span(500 * MINUTE_US, 10_000 * MINUTE_US)
    return Study(span, seed, replications=10, n_most=60, workers=1)


def test_a_line_of_the_model_gets_the_proved_optimum_confirmed() -> None:
    line = linewright.loads(MODEL)
    serial = serial_of(line)
    assert serial.buffers == ("b", "c", "d")
    assert serial.slots == (4, 1, 1)
    assert serial.notes == ()
    found = allocate(line, 6, study())
    assert found.formula.is_proved
    assert found.slots == best_slots(serial.like, 6).slots
    assert "best of all 28 allocations" in found.guarantee
    assert found.gain_on_now.low > 0
    per_h = 3600 * found.formula.throughput_per_s
    wide = 2 * found.throughput.half_width
    assert abs(found.throughput.mean - per_h) < wide < 0.03 * per_h
    assert found.changes["stations"]["c"] == {"buffer": found.slots[1]}


def test_other_times_are_simulated_to_choose() -> None:
    line = linewright.loads(REGULAR)
    serial = serial_of(line)
    assert serial.slots == (6, None)
    assert [note.partition(":")[0] for note in serial.notes] == [
        "processing times by mean and variance alone",
        "times to failure taken as exponential",
        "times to repair taken as exponential",
        "several failures taken as one",
    ]
    like = serial.like
    assert like.scv == pytest.approx((0, 0, 0.25))
    assert like.mttf_s[0] == 3000
    assert math.isinf(like.mttf_s[1])
    assert like.mttf_s[2] == pytest.approx(1 / (1 / 3600 + 1 / 12_000))
    found = allocate(line, 8, study())
    assert sum(found.slots) == 8
    assert found.n_candidates > 1
    assert "of the 9 that the formula ranks" in found.guarantee or not found.is_complete
    assert found.now == (6, None)


def test_the_fewest_places_of_a_model_surely_reach_what_was_asked() -> None:
    line = linewright.loads(MODEL)
    asked = 3600 * best_slots(serial_of(line).like, 8).throughput_per_s
    found = reach(line, asked, study())
    assert 8 <= found.places <= 12
    with pytest.raises(ValueError, match="no buffers make"):
        reach(line, 60.0, study())


def test_a_line_that_formulas_do_not_know_is_refused_with_all_reasons() -> None:
    line = linewright.loads(
        """
        schema_version: 1
        name: other
        calendars: {day: {shifts: [{days: mon-fri, from: "06:00", to: "14:00"}]}}
        stations:
          a: {process: 1 min, servers: 2, calendar: day}
          b:
            process: 1 min
            setup: {time: 1 min}
            failures:
              f: {every: exponential(1 d), repair: 1 h, clock: calendar}
              g: {every: exponential(1 d), repair: 1 h}
          c: {process: 1 min}
        products:
          x:
            release: {rate: 3/h}
            route:
              - a
              - b
              - {station: a, operation: again}
              - {station: [b, c], operation: end}
          y: {route: [a]}
        """
    )
    with pytest.raises(ValueError, match="the formulas do not know this line") as told:
        serial_of(line)
    for reason in (
        "makes 2 products",
        'station "a" has servers',
        'station "a" has calendar',
        'station "b" has setup',
        "comes by the calendar",
        "some stations fail by processing time",
        'product "x" has release',
        'station "a" is visited twice',
        'operation "end" has several stations',
        'station "b" is not visited by product "y"',
    ):
        assert reason in str(told.value)


# ------------------------------------------------------------------ the verb


def test_the_verb_writes_an_overlay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "line.yaml"
    model.write_text(MODEL)
    out = tmp_path / "buffers.yaml"
    span = ["--horizon", "100 h", "--warmup", "10 h", "--replications", "5"]
    command = ["allocate", str(model), *span]
    assert main([*command, "--places", "6", "--json", "--out", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)["allocation"]
    assert said["places"] == 6
    changed = linewright.load(out)
    places = [changed.stations[s].buffer for s in "bcd"]
    assert places == said["slots"]
    assert main([*command, "--throughput", "35/h"]) == 0
    text = capsys.readouterr().out
    assert "the fewest that surely reach 35" in text
    assert "against the even allocation" in text
    assert main([*command, "--throughput", "55/h"]) == 2
    assert "no buffers make 55/h" in capsys.readouterr().err
