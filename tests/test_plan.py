"""Will the plan be made? Lines of which the answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

import linewright
from linewright.cli import main
from linewright.errors import ModelError, ResultError
from linewright.lower import lower, new_draws, new_state
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import dumps, loads, model_hash, save
from linewright.plan.attainment import NOT_WITHIN, date_quantile, highest_factor
from linewright.plan.outcome import PLAN_COLUMNS, Plan
from linewright.plan.planning import Promise, plan_line
from linewright.replicate import run_until
from linewright.results import Result
from linewright.states import save_state
from linewright.stats.intervals import wilson_interval
from tests.parts import PROJECT

HOUR = 3_600_000_000
DAY = 24 * HOUR


def a_line(targets: dict[str, Any], process: str = "1 h", **more: Any) -> Line:
    """Return a mill that always has parts."""
    model: dict[str, Any] = {
        "schema_version": 1,
        "name": "Mill",
        "stations": {"mill": {"process": process}},
        "products": {"shaft": {"route": ["mill"]}},
        "targets": {
            name: {"product": "shaft", **target} for name, target in targets.items()
        },
    }
    line = Line.model_validate(model | more)
    assert [f for f in check(line) if f.severity == "error"] == []
    return line


def goal(plan: Plan, name: str) -> dict[str, Any]:
    return next(row for row in plan.rows("goals") if row["target"] == name)


def due(quantity: int, by: str, **more: Any) -> dict[str, Any]:
    return {"quantity": quantity, "by": by, **more}


# ---------------------------------------------------------------- by hand


def test_a_line_without_chance_meets_a_target_or_does_not() -> None:
    line = a_line({"kept": due(40, "40 h"), "missed": due(41, "40 h 30 min")})
    plan = plan_line(line, horizon="100 h", replications=3)
    kept, missed = goal(plan, "kept"), goal(plan, "missed")
    assert (kept["probability"], missed["probability"]) == (1.0, 0.0)
    assert (kept["made_mean"], missed["made_mean"]) == (40.0, 40.0)
    assert (kept["shortfall_mean"], missed["shortfall_mean"]) == (0.0, 1.0)
    for share in (50, 80, 95):
        assert kept[f"reached_p{share}_us"] == 40 * HOUR
        assert missed[f"reached_p{share}_us"] == 41 * HOUR
    assert plan.probability == 0.0
    assert not plan.failed_checks
    assert plan.manifest["resolution_us"] == 180_000_000  # 3 min: dates are exact


def test_what_is_not_reached_by_the_end_is_said_to_be() -> None:
    plan = plan_line(a_line({"a": due(41, "40 h")}), replications=2)
    assert goal(plan, "a")["reached_p50_us"] == NOT_WITHIN


def test_a_second_server_on_a_date_doubles_what_is_made() -> None:
    change = {"on": "100 h", "stations": {"mill": {"servers": 2}}}
    line = a_line(
        {"a": due(300, "200 h"), "b": due(301, "200 h 30 min")}, changes=[change]
    )
    plan = plan_line(line, replications=1)
    assert goal(plan, "a")["probability"] == 1.0
    assert goal(plan, "b")["probability"] == 0.0


def test_units_of_a_period_count_for_it_alone() -> None:
    calendar = {"shifts": [{"days": "mon-fri", "from": "06:00", "to": "14:00"}]}
    holiday = {"from": "2027-01-12", "to": "2027-01-13"}
    line = a_line(
        {
            "weekly": {"quantity": 40, "per": "week", "to": "2027-01-31"},
            "late": due(64, "2027-01-31", since="2027-01-16"),
        },
        calendars={"day": calendar | {"holidays": [holiday]}},
        calendar="day",
    )
    plan = plan_line(line, replications=1)
    weeks = [row for row in plan.rows("goals") if row["target"] == "weekly"]
    assert [row["made_mean"] for row in weeks[:4]] == [40, 24, 40, 40]
    assert [row["probability"] for row in weeks] == [1, 0, 1, 1, 0]
    assert weeks[4]["quantity"] is None  # all weeks together
    # the second week's forty are reached two days into the third
    assert weeks[1]["reached_p50_us"] == pytest.approx(15 * DAY + 14 * HOUR, abs=DAY)
    assert goal(plan, "late")["made_mean"] == 80
    assert plan.probability == 0


def test_orders_cap_what_can_be_made() -> None:
    line = a_line(
        {"a": due(10, "40 h")},
        products={"shaft": {"route": ["mill"], "release": "orders"}},
        orders=[
            {"product": "shaft", "quantity": 5},
            {"product": "shaft", "quantity": 2, "release": "20 h"},
            {"product": "shaft", "quantity": 9, "release": "50 h"},
        ],
    )
    plan = plan_line(line, replications=1, goal=1.2)
    assert goal(plan, "a")["made_mean"] == 7
    assert goal(plan, "a")["released_most"] == 7
    assert [row["released_factor"] for row in plan.rows("readiness")] == [0.7, 0.7]


def test_a_promise_takes_no_unit_that_a_target_needs() -> None:
    line = a_line({"a": due(10, "20 h"), "b": due(98, "100 h")})
    asked = [Promise("shaft", n, 0.9) for n in (2, 3, 12)]
    plan = plan_line(line, horizon="200 h", replications=2, promises=asked)
    dates = [row["date_us"] for row in plan.rows("promises")]
    # two are free at once, a third is owed to the second target until 100 h
    assert dates == [2 * HOUR, 101 * HOUR, 110 * HOUR]
    (none,) = plan_line(line, replications=2, promises=[Promise("shaft", 3, 0.5)]).rows(
        "promises"
    )
    assert none["date_us"] == NOT_WITHIN


# ---------------------------------------------------------------- known chances

N_RUNS = 2000


@pytest.fixture(scope="module")
def poisson() -> Plan:
    """One exponential machine that always has parts: it makes a Poisson number."""
    targets = {
        f"at least {n}": due(n, f"{hours} h")
        for n, hours in ((80, 90), (100, 100), (120, 110))
    }
    line = a_line(targets, "exponential(1 h)")
    return plan_line(line, replications=N_RUNS, confidence=0.999, horizon="150 h")


@pytest.mark.parametrize(("quantity", "hours"), [(80, 90), (100, 100), (120, 110)])
def test_the_chance_of_a_poisson_number(
    poisson: Plan, quantity: int, hours: int
) -> None:
    """The output of an always busy exponential server is a Poisson process."""
    row = goal(poisson, f"at least {quantity}")
    exact = stats.poisson.sf(quantity - 1, hours)
    assert row["low"] <= exact <= row["high"]
    assert row["high"] - row["low"] < 0.075
    assert abs(row["made_mean"] - hours) < 3.3 * np.sqrt(hours / N_RUNS)
    short = stats.poisson.expect(lambda n: np.maximum(quantity - n, 0), args=(hours,))
    assert abs(row["shortfall_mean"] - short) < row["shortfall_half_width"]


@pytest.mark.parametrize("share", [50, 80, 95])
def test_the_date_of_the_hundredth_unit_is_of_erlang(poisson: Plan, share: int) -> None:
    row = goal(poisson, "at least 100")
    exact_h = stats.gamma.ppf(share / 100, 100)
    assert row[f"reached_p{share}_us"] / HOUR == pytest.approx(exact_h, abs=1.4)


def test_readiness_is_the_quantile_of_a_poisson_number() -> None:
    line = a_line({"a": due(112, "100 h")}, "exponential(1 h)")
    plan = plan_line(line, replications=N_RUNS, confidence=0.999, goal="auto")
    highest = plan.rows("readiness")[-1]
    assert highest["is_highest"]
    exact = stats.poisson.ppf(0.1, 100) / 112
    assert stats.poisson.sf(exact * 112 - 1, 100) >= 0.9
    assert highest["low"] <= exact <= highest["high"]
    assert highest["high"] - highest["low"] < 0.035
    assert highest["factor"] == pytest.approx(exact, abs=0.014)
    asked = plan_line(line, replications=N_RUNS, goal=0.9).rows("readiness")[-1]
    exact = stats.poisson.sf(np.ceil(0.9 * 112) - 1, 100)
    assert asked["low"] <= exact <= asked["high"]


def test_all_targets_together_are_less_likely_than_each(poisson: Plan) -> None:
    each = [row["probability"] for row in poisson.rows("goals") if row["target"]]
    assert np.prod(each) < poisson.probability < min(each) + 1e-9
    met = [row["met"] for row in poisson.rows("replications")]
    assert poisson.probability == np.mean(met)
    factors = [row["factor"] for row in poisson.rows("replications")]
    assert met == [factor >= 1 for factor in factors]
    first = [row["first_short"] for row in poisson.rows("goals") if row["target"]]
    assert sum(first) == pytest.approx(1)
    assert np.argmax(first) == 2


def test_demand_is_drawn_with_its_chances() -> None:
    targets = {"a": due(36, "40 h"), "b": due(40, "40 h 30 min")}
    demand: dict[str, dict[str, Any]] = {
        "as planned": {"probability": 0.5},
        "strong": {"probability": 0.3, "factor": 1.12},
        "weak": {"probability": 0.2, "factor": {"shaft": 0.5}},
    }
    line = a_line(targets, demand=demand)
    plan = plan_line(line, replications=1500, confidence=0.999)
    drawn = [row["demand"] for row in plan.rows("replications")]
    for name, one in demand.items():
        share = wilson_interval(drawn.count(name), 1500, 0.999)
        assert one["probability"] in share
        assert share.half_width < 0.05
    # 36 * 1.12 = 40.3 are 40 in whole units and are made; 40 * 1.12 = 45 are not
    assert goal(plan, "a")["probability"] == 1.0
    met = [row["met"] for row in plan.rows("replications")]
    assert met == [name != "strong" for name in drawn]


# ---------------------------------------------------------------- runs


def test_the_number_of_workers_changes_nothing() -> None:
    line = a_line({"a": due(100, "100 h"), "b": due(55, "50 h")}, "exponential(1 h)")
    one, two = (
        plan_line(
            line,
            precision=0.08,
            workers=n,
            goal="auto",
            promises=[Promise("shaft", 2)],
        )
        for n in (1, 2)
    )
    assert one.manifest == two.manifest
    for name in PLAN_COLUMNS:
        assert str(one.rows(name)) == str(two.rows(name)), name


def test_replications_stop_at_the_precision() -> None:
    line = a_line({"a": due(100, "100 h")}, "exponential(1 h)")
    plan = plan_line(line, precision=0.08)
    n, row = plan.manifest["replications"], goal(plan, "a")
    assert (row["high"] - row["low"]) / 2 <= 0.08
    assert 100 < n < 160
    sure = plan_line(a_line({"a": due(10, "100 h")}), precision=0.08)
    assert sure.manifest["replications"] < 25


def test_a_plan_goes_on_from_a_state(tmp_path: Path) -> None:
    line = a_line({"a": due(40, "40 h"), "b": due(20, "60 h", since="41 h")})
    lowered = lower(line, 100 * HOUR)
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    _, state = run_until(lowered, state, draws, 30 * HOUR + HOUR // 2)
    path = save_state(tmp_path / "now.npz", lowered, state, 1, 0, model_hash(line))
    plan = plan_line(line, start_from=path, replications=2, horizon="100 h")
    assert goal(plan, "a")["made_mean"] == 40
    assert goal(plan, "a")["reached_p50_us"] == pytest.approx(40 * HOUR, abs=HOUR / 10)
    assert goal(plan, "b")["probability"] == 0
    assert goal(plan, "b")["made_mean"] == 19
    assert plan.manifest["from_us"] == 30 * HOUR + HOUR // 2
    early = a_line({"a": due(4, "20 h"), "b": due(50, "60 h")})
    plan = plan_line(early, start_from=path, replications=2)
    assert plan.manifest["goals_left_out"] == 1
    assert goal(plan, "b")["probability"] == 1.0


def made_file(folder: Path, *rows: str) -> Path:
    path = folder / "made.csv"
    path.write_text("\n".join(["date,product,quantity", *rows]), encoding="utf-8")
    return path


def test_what_was_really_made_counts(tmp_path: Path) -> None:
    targets = {"a": due(44, "2027-01-05"), "b": due(22, "2027-01-04")}
    line = a_line(targets, "1 h")
    assert plan_line(line, replications=2).probability == 1.0
    path = made_file(tmp_path, "2027-01-04,shaft,12", "2027-01-04,shaft,7")
    plan = plan_line(line, replications=2, actual=path)
    assert goal(plan, "b")["made_mean"] == 19  # as it was
    assert goal(plan, "a")["made_mean"] == 19 + 24  # and a day more
    assert plan.probability == 0
    assert plan.manifest["actual_to_us"] == DAY


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2027-01-04,shat,3", 'made.csv:2:1: LW110 product: "shat"'),
        ("2027-01-04,pin,3", "does not leave the line"),
        ("2027-01-04,shaft,-3", "whole number"),
        ("2027-01-04,shaft,3.5", "whole number"),
        ("4 January,shaft,3", "write it like"),
        ("2026-12-31,shaft,3", "before the line starts"),
        ("2027-01-04,shaft", "2"),
    ],
)
def test_wrong_rows_of_what_was_made_are_told(
    tmp_path: Path, row: str, words: str
) -> None:
    products = {
        "shaft": {"route": ["mill"], "bom": {"pin": 1}},
        "pin": {"route": ["mill"]},
    }
    line = a_line({"a": due(1, "2027-01-05")}, products=products, conwip=9)
    path = made_file(tmp_path, row, "2027-01-05,shaft,2")
    with pytest.raises(ModelError) as error:
        plan_line(line, replications=1, actual=path)
    assert words in str(error.value)


def test_all_wrong_rows_are_told_at_once(tmp_path: Path) -> None:
    path = made_file(tmp_path, "x,y,z", "2027-01-05,shaft,2", "x,shaft,-1")
    with pytest.raises(ModelError) as error:
        plan_line(a_line({"a": due(1, "2027-01-05")}), replications=1, actual=path)
    assert [f.line for f in error.value.findings] == [2, 2, 2, 4, 4]
    path.write_text("day,product\n2027-01-05,shaft\n", encoding="utf-8")
    with pytest.raises(ModelError, match="the column date, quantity is missing"):
        plan_line(a_line({"a": due(1, "2027-01-05")}), replications=1, actual=path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"goal": "more"}, "factor above zero"),
        ({"goal": -1.0}, "factor above zero"),
        ({"replications": 0}, "one or more"),
        ({"precision": 2.0}, "share such as"),
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"seed": -1}, "seed"),
        ({"horizon": "1 h"}, "no target is due"),
        ({"horizon": 0}, "above zero"),
        ({"promises": [Promise("saw", 1)]}, "not a product that leaves"),
        ({"promises": [Promise("shaft", 0)]}, "one unit or more"),
        ({"promises": [Promise("shaft", 1, 1.0)]}, "between 0 and 1"),
    ],
)
def test_arguments_out_of_range_are_refused(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        plan_line(a_line({"a": due(1, "9 h")}), **options)


def test_a_line_without_targets_has_no_plan() -> None:
    with pytest.raises(ValueError, match="has no targets"):
        plan_line(a_line({}))


def test_quantiles_of_dates_and_factors() -> None:
    dates = np.array([10, 30, NOT_WITHIN, 20], np.int64)
    assert date_quantile(dates, 0.5, 0.95).at_us == 20
    assert date_quantile(dates, 0.75, 0.95).at_us == 30
    assert date_quantile(dates, 0.76, 0.95).at_us == NOT_WITHIN
    factors = np.arange(1, 101) / 100
    most, low, high = highest_factor(factors, 0.9, 0.95)
    assert (most, (factors >= most).mean()) == (0.11, 0.9)
    assert low < most < high


# ---------------------------------------------------------------- folder, command


def test_a_plan_is_saved_and_read_again(tmp_path: Path, poisson: Plan) -> None:
    folder = poisson.save(tmp_path / "plan")
    again = Plan.load(folder)
    assert again.manifest == poisson.manifest
    assert again.line == poisson.line
    for name, columns in PLAN_COLUMNS.items():
        assert str(again.rows(name)) == str(poisson.rows(name))
        schema = pq.read_schema(folder / f"{name}.parquet")
        assert schema.names == list(columns)
        assert all(b"description" in field.metadata for field in schema)
    with pytest.raises(ResultError, match="is a plan"):
        Result.load(folder)
    with pytest.raises(ResultError, match="not the folder of a plan"):
        Plan.load(tmp_path)
    with pytest.raises(KeyError, match="there are goals"):
        poisson.table("gaols")
    assert "all targets met with" in repr(poisson)
    assert linewright.Plan is Plan


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "mill.yaml"
    weekly = {"quantity": 150, "per": "week", "to": "2027-01-24"}
    save(a_line({"a": weekly, "b": due(400, "2027-01-24")}, "exponential(1 h)"), path)
    return path


def test_the_command_shows_a_plan(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["plan", str(model), "--replications", "40", "--out"]
    more = ["--goal", "auto", "--promise", "shaft=3@80%", "--seed", "4"]
    assert main([*arguments, str(tmp_path / "out"), *more]) == 0
    out, err = capsys.readouterr()
    for words in ("a: 2027 W1", "a: all", "all targets", "mill", "All targets times"):
        assert words in out
    assert "3 shaft more, with 80%: by 2027-" in out
    assert "saved in" in err
    assert Plan.load(tmp_path / "out").manifest["seed"] == 4


def test_the_command_writes_json(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(model), "--precision", "10%", "--json", "-q"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert {row["target"] for row in found["goals"]} == {"a", "b", ""}
    assert found["capacity"][0]["entity"] == "mill"
    assert found["manifest"]["kind"] == "plan"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--promise", "shaft"], "write it like trainer=10@90%"),
        (["--promise", "shat=3"], "not a product that leaves"),
        (["--goal", "much"], "factor above zero"),
        (["--workers", "0"], "workers is 0"),
        (["--from", "nowhere.npz"], "nowhere.npz"),
        (["--actual", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(
    model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["plan", str(model), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_command_needs_targets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mill.yaml"
    save(a_line({}), path)
    assert main(["plan", str(path)]) == 2
    assert "has no targets" in capsys.readouterr().err


def test_the_five_years_of_the_light_aircraft_plant_are_sound() -> None:
    example = PROJECT / "examples" / "light-aircraft" / "five-years.yaml"
    line, warnings = linewright.load_checked(example)
    assert warnings == []
    plan = plan_line(line, replications=2)
    assert len(plan.rows("goals")) == 20 + 20 + 1 + 3
    assert not plan.failed_checks
    assert loads(dumps(line)) == line
