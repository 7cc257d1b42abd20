"""Where units are lost: shares that sum to the gap and are known for simple lines."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import linewright
from linewright.cli import main
from linewright.improve import _shapley as module
from linewright.improve.losses import CAUSES, Losses, causes_of, losses, without
from linewright.improve.trials import Span, throughputs
from linewright.model.check import check
from linewright.model.line import Line

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

ONE = """
schema_version: 1
name: One station
start: 2027-01-04 00:00
calendars: {day: {shifts: [{from: "06:00", to: "14:00"}]}}
calendar: day
stations:
  a: {process: 1 min, failures: {f: {every: 50 min, repair: 10 min, clock: processing}}}
products: {part: {route: [a]}}
"""


def shares(found: Losses) -> dict[str, float]:
    return {loss.cause: loss.units_per_h.mean for loss in found.losses}


def test_the_shares_of_two_causes_are_the_shapley_values() -> None:
    """On shift a third of the time and up five sixths of it, a part a minute.

    Without both 60 parts an hour; each cause takes its part of what the other leaves.
    """
    line = linewright.loads(ONE)
    assert causes_of(line) == ["failures", "shifts"]
    found = losses(line, Span(0, 60 * DAY_US), replications=2, seed=1)
    up, on = 5 / 6, 1 / 3
    assert found.ideal.mean == pytest.approx(60, rel=1e-3)
    assert found.actual.mean == pytest.approx(60 * up * on, rel=0.01)
    got = shares(found)
    assert got["failures"] == pytest.approx(30 * (1 - up) * (1 + on), rel=0.02)
    assert got["shifts"] == pytest.approx(30 * (1 - on) * (1 + up), rel=0.02)
    alone = {loss.cause: loss.alone.mean for loss in found.losses}
    assert alone["failures"] == pytest.approx(60 * (1 - up) * on, rel=0.03)
    assert alone["shifts"] == pytest.approx(60 * (1 - on) * up, rel=0.02)
    assert found.is_exact


MANY = """
schema_version: 1
name: Many causes
start: 2027-01-04 00:00
calendars: {day: {shifts: [{from: "06:00", to: "22:00"}]}}
people: {crew: {count: 1}}
materials: {plate: {stock: 30, reorder_point: 20, lot: 40, lead_time: 3 h}}
stations:
  a:
    process: {x: exponential(3 min), y: exponential(4 min)}
    setup: {time: 12 min}
    failures: {f: {every: exponential(4 h), repair: exponential(30 min), crew: crew}}
  b:
    process: exponential(3 min)
    buffer: 2
    calendar: day
    people: {process: crew}
    maintenance: {oil: {every: 2 d, duration: 2 h}}
products:
  x:
    bom: {plate: {bought: true}}
    route: [a, {station: b, inspection: {pass: 0.9, scrap: 0.1}}]
  y: {route: [a, b]}
"""


def many() -> Line:
    return linewright.loads(MANY)


def test_every_cause_can_be_taken_out_of_the_line_that_has_it() -> None:
    line = many()
    found = causes_of(line)
    assert set(found) == set(CAUSES) - {"ramp-up", "learning"}
    for n in (1, 2, len(found)):
        for some in itertools.combinations(found, n):
            changed = without(line, some)
            assert not [f for f in check(changed) if f.severity == "error"]
            assert not set(causes_of(changed)) & set(some)
    plant = linewright.load("examples/light-aircraft/plant.yaml")
    ideal = without(plant, causes_of(plant))
    assert causes_of(ideal) == []
    assert not [f for f in check(ideal) if f.severity == "error"]


def test_shares_sum_to_the_gap_however_many_causes() -> None:
    found = losses(many(), Span(DAY_US, 6 * DAY_US), replications=4, seed=2)
    assert not found.is_exact
    gap = found.ideal.mean - found.actual.mean
    assert gap > 0
    assert sum(shares(found).values()) == pytest.approx(gap)
    assert found.actual.mean == pytest.approx(
        throughputs(many(), Span(DAY_US, 6 * DAY_US), 2, range(4)).mean()
    )
    means = [loss.units_per_h.mean for loss in found.losses]
    assert means == sorted(means, reverse=True)


def test_drawn_orders_mean_the_same_as_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the same runs, orders that are drawn estimate what all variants give."""
    text = MANY.replace("    setup: {time: 12 min}\n", "").replace(
        "process: crew", "load: crew"
    )
    line = without(linewright.loads(text), ["materials", "maintenance", "people"])
    assert len(causes_of(line)) <= 6
    span = Span(DAY_US, 8 * DAY_US)
    exact = losses(line, span, replications=12, seed=3)
    monkeypatch.setattr(module, "MOST_EXACT", 0)
    drawn = losses(line, span, replications=12, seed=3)
    assert exact.is_exact
    assert not drawn.is_exact
    known = {loss.cause: loss.units_per_h for loss in exact.losses}
    for loss in drawn.losses:
        gap = abs(loss.units_per_h.mean - known[loss.cause].mean)
        width = loss.units_per_h.half_width + known[loss.cause].half_width
        assert gap <= width
        assert width < 2


def test_the_number_of_cores_changes_nothing() -> None:
    span = Span(DAY_US, 3 * DAY_US)
    one, two = (losses(many(), span, replications=2, seed=4, workers=n) for n in (1, 2))
    assert one == two


def test_the_verb_shows_a_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ONE)
    arguments = ["losses", str(path), "--horizon", "20 d", "--warmup", "1 d"]
    arguments += ["--replications", "2"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for words in ("without any loss", "shifts", "failures", "as it is", "Shapley"):
        assert words in text
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    total = sum(loss["units_per_h"]["mean"] for loss in found["losses"])
    assert total == pytest.approx(found["ideal"]["mean"] - found["actual"]["mean"])
