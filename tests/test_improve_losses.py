"""Where units are lost: shares that sum to the gap and are known for simple lines."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linewright
from linewright.cli import main
from linewright.improve import _shapley as module
from linewright.improve.losses import (
    CAUSES,
    Losses,
    causes_of,
    losses,
    target_losses,
    without,
)
from linewright.improve.trials import Span, throughputs
from linewright.model.check import check
from linewright.model.line import Line
from linewright.plan.planning import plan_line

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
    plant = linewright.load("examples/light-aircraft/five-years.yaml")
    mine = causes_of(plant)
    for few in (*([cause] for cause in mine), mine):
        changed = without(plant, few)
        assert not [f for f in check(changed) if f.severity == "error"]
    assert causes_of(without(plant, mine)) == []


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


# ------------------------------------------------------------------ sharing out


def test_shares_are_the_mean_over_all_orders_and_sum_in_every_replication() -> None:
    """Of a game without structure: by its definition, and whatever the orders drawn."""
    n = 3
    values = np.random.default_rng(5).random((2, 1 << n, 2))

    def shared(most_exact: int) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "MOST_EXACT", most_exact)
            return module.share_out(
                n, lambda _: None, lambda r, s: values[r, s], replications=2, seed=7
            )

    exact, drawn = shared(6), shared(0)
    orders = list(itertools.permutations(range(n)))
    for r in range(2):
        for i in range(n):
            gains = []
            for order in orders:
                before = sum(1 << j for j in order[: order.index(i)])
                gains.append(values[r, before | 1 << i] - values[r, before])
            np.testing.assert_allclose(exact.shares[r, i], np.mean(gains, axis=0))
        for found in (exact, drawn):
            gap = found.ideal[r] - found.actual[r]
            np.testing.assert_allclose(found.shares[r].sum(axis=0), gap)
            np.testing.assert_allclose(found.alone[r, 0], values[r, 1] - values[r, 0])


# ------------------------------------------------------------------ targets

TARGETS = """
targets:
  monthly: {product: part, quantity: 12000, per: month, to: 2027-03-31}
  by spring: {product: part, quantity: 36000, by: 2027-03-31}
"""


def test_a_failing_station_loses_what_the_exact_throughputs_differ_by() -> None:
    """Up 50 minutes of 60: of 1,440 parts a day 240 are lost, alone or not."""
    line = linewright.loads(ONE.replace("calendar: day\n", "") + TARGETS)
    found = target_losses(line, replications=1, seed=1)
    days = {"2027-01": 28, "2027-02": 28, "2027-03": 31, "by 2027-03-31": 87}
    assert found.is_exact
    for one in found.goals:
        n = days.get(one.goal, 87)
        (loss,) = one.losses
        assert loss.cause == "failures"
        assert loss.units.mean == loss.alone.mean == pytest.approx(240 * n, abs=11)
        assert one.ideal.mean == pytest.approx(1440 * n, abs=1)
        assert one.ideal.mean - loss.units.mean == one.actual.mean
        assert one.short == one.asked - one.actual.mean
    assert found.goals[3].asked == 36000
    assert [one.goal for one in found.goals] == [
        *list(days)[:3],
        "all",
        *list(days)[3:],
    ]
    assert found.hardest.goal in days


def test_two_causes_of_one_size_get_equal_parts() -> None:
    """Up half of the time and on shift half of the time: each loses 22.5 of 60."""
    text = ONE.replace('to: "14:00"', 'to: "18:00"')
    text = text.replace("50 min, repair: 10 min", "20 min, repair: 20 min")
    found = target_losses(
        linewright.loads(text + TARGETS), ["by spring"], replications=1, seed=1
    )
    (one,) = found.goals
    hours = 87 * 24
    for loss in one.losses:
        assert loss.units.mean / hours == pytest.approx(22.5, rel=0.02)
        assert loss.alone.mean / hours == pytest.approx(15, rel=0.04)


def test_goals_sum_and_are_what_a_plan_counts() -> None:
    text = MANY + TARGETS.replace("part", "x").replace("03-31", "01-17").replace(
        "month,", "week,"
    )
    line = linewright.loads(text)
    found = target_losses(line, replications=2, seed=3)
    assert not found.is_exact
    plan = plan_line(line, replications=2, seed=3)
    made = {(g["target"], g["goal"]): g["made_mean"] for g in plan.rows("goals")}
    for one in found.goals:
        gap = one.ideal.mean - one.actual.mean
        assert sum(loss.units.mean for loss in one.losses) == pytest.approx(gap)
        if one.goal != "all":
            assert one.actual.mean == made[one.target, one.goal]
    weeks = [one for one in found.goals if one.target == "monthly"]
    for part in ("ideal", "actual"):
        parts = [getattr(one, part).mean for one in weeks]
        assert parts[-1] == pytest.approx(sum(parts[:-1]))


def test_what_is_still_to_be_learned_is_lost() -> None:
    """1, 1/2 and 1/3 h, then a quarter of an hour each: 395 instead of 400 in 100 h."""
    line = linewright.loads(
        """
schema_version: 1
name: A novice
stations: {bench: {}}
products:
  toy:
    route: [{station: bench, process: 1 h, learning: {rate: 0.5, plateau: 0.25}}]
targets: {all of it: {product: toy, quantity: 398, by: 100 h}}
"""
    )
    (one,) = target_losses(line, replications=1, seed=1).goals
    assert (one.ideal.mean, one.actual.mean, one.short) == (400, 395, 3)
    assert [(loss.cause, loss.units.mean) for loss in one.losses] == [("learning", 5)]
    # one whose curve has no end is taken as far as it learned by the end
    (one,) = target_losses(
        linewright.loads(
            """
schema_version: 1
name: A novice
stations: {bench: {}}
products:
  toy: {route: [{station: bench, process: 1 h, learning: {rate: 0.5}}]}
targets: {all of it: {product: toy, quantity: 9, by: 3 h}}
"""
        ),
        replications=1,
        seed=1,
    ).goals
    # 1 + 1/2 + ... + 1/10 is 2.93: ten are done, and an eleventh would take 1/11 h
    assert (one.actual.mean, one.ideal.mean) == (10, 33)


def test_a_target_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ONE + TARGETS)
    assert main(["losses", str(path), "--target", "mothly"]) == 2
    assert 'did you mean "monthly"?' in capsys.readouterr().err
    assert main(["losses", str(path), "--target", "all", "--warmup", "1 d"]) == 2
    assert "leave out --horizon and --warmup" in capsys.readouterr().err
    path.write_text(ONE)
    assert main(["losses", str(path), "--target", "all"]) == 2
    assert "has no targets" in capsys.readouterr().err


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
