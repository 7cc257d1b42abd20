"""Energy and cost: a day by hand, laws on random lines, mistakes, the brief."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linewright
from linewright import tables as t
from linewright.cli import main
from linewright.console import as_text, result_view
from linewright.errors import DeadlockError, Finding, ModelError
from linewright.ledger import line_measures
from linewright.model.changes import absent_us
from linewright.model.check import check
from linewright.model.line import Line, Power
from linewright.model.load import dumps, loads, model_hash, read
from linewright.model.meaning import power_of
from linewright.report import brief_html
from linewright.report.facts import Facts
from linewright.report.sections import energy_cost
from linewright.results import Result
from linewright.simulate import simulate
from tests.model_texts import marked
from tests.parts import PROJECT
from tests.random_lines import random_line

# ------------------------------------------------------------------ a day by hand

DAY: dict[str, Any] = {
    "schema_version": 1,
    "name": "A day",
    "currency": "EUR",
    "energy": {"price": "0.2/kWh", "emissions": "500 g/kWh"},
    "calendars": {
        "day": {
            "shifts": [
                {
                    "from": "06:00",
                    "to": "14:00",
                    "breaks": [{"from": "10:00", "to": "10:30"}],
                }
            ]
        }
    },
    "people": {
        "clerks": {
            "count": 2,
            "calendar": "day",
            "cost": {"per_shift_hour": 40, "per_working_hour": 3},
        }
    },
    "stations": {
        # A bolt each hour takes half an hour: 23 are done when the day ends.
        "mill": {
            "process": "30 min",
            "power": {"processing": "10 kW", "idle": "2 kW"},
            "energy": {"per_part": "0.5 kWh"},
            "cost": {
                "per_calendar_hour": 1,
                "per_shift_hour": 2,
                "per_working_hour": 3,
                "per_part": 4,
            },
        },
        # Two of the 24 tiles at a time, 90 minutes: 5 batches fill the 7.5 hours.
        "oven": {
            "process": "90 min",
            "batch": {"min": 2, "max": 2},
            "calendar": "day",
            "power": {"processing": "20 kW", "idle": "8 kW", "off_shift": "1 kW"},
            "energy": {"per_batch": "3 kWh"},
            "cost": {"per_shift_hour": 10, "per_batch": 5},
        },
        "office": {
            "process": "15 min",
            "people": {"process": "clerks"},
            "buffer": "unlimited",
        },
    },
    "products": {
        "bolt": {
            "route": ["mill"],
            "release": {"every": "1 h"},
            "cost": {"material": 5, "holding_per_day": 24},
            "price": 100,
        },
        "tile": {
            "route": ["oven"],
            "release": {"every": "1 h"},
            "cost": {"material": 1},
            "price": 10,
        },
        # Four lots come, at half past nine, half past thirteen and after the shift; two
        # are done within it, and all of it is wasted.
        "form": {
            "route": [{"station": "office", "inspection": {"pass": 0}}],
            "release": {"every": "4 h", "first": "9 h 30 min"},
            "lot_size": 3,
            "cost": {"material": 2, "scrap": -0.25},
        },
    },
}


def run(model: dict[str, Any] | Line, **more: Any) -> Result:
    line = model if isinstance(model, Line) else Line.model_validate(model)
    options: dict[str, Any] = {
        "horizon": "1 d",
        "study": "terminating",
        "replications": 1,
    } | more
    return simulate(line, workers=1, **options)


@cache
def day() -> Result:
    return run(DAY)


def by_key(result: Result, table: str, *keys: str, value: str) -> dict[Any, float]:
    """Return a column of replication 0 by the values of other columns."""
    rows = [row for row in result.table(table).to_pylist() if row["replication"] == 0]
    return {tuple(row[key] for key in keys): row[value] for row in rows}


def changed(*path: str, **keys: Any) -> dict[str, Any]:
    """Return the model of the day with some keys changed; None takes one away."""
    model: dict[str, Any] = copy.deepcopy(DAY)
    place = model
    for name in path:
        place = place[name]
    for key, value in keys.items():
        place[key] = value
        if value is None:
            del place[key]
    return model


def test_energy_is_power_times_time_and_what_is_taken_at_once() -> None:
    kwh = by_key(day(), "energy", "station", "use", value="kwh")
    assert {key: value for key, value in kwh.items() if value} == pytest.approx(
        {
            ("mill", "processing"): 10 * 11.5,
            ("mill", "starved"): 2 * 12.5,
            ("mill", "per_part"): 0.5 * 23,
            ("oven", "processing"): 20 * 7.5,
            ("oven", "break"): 8 * 0.5,
            ("oven", "off_shift"): 1 * 16,
            ("oven", "per_batch"): 3 * 5,
        }
    )


def test_cost_is_what_is_counted_times_its_price() -> None:
    spent = by_key(day(), "cost", "kind", "entity", "item", value="amount")
    assert spent == pytest.approx(
        {
            ("station", "mill", "per_calendar_hour"): 1 * 24,
            ("station", "mill", "per_shift_hour"): 2 * 24,
            ("station", "mill", "per_working_hour"): 3 * 11.5,
            ("station", "mill", "per_part"): 4 * 23,
            ("station", "mill", "energy"): 0.2 * 151.5,
            ("station", "oven", "per_shift_hour"): 10 * 7.5,
            ("station", "oven", "per_batch"): 5 * 5,
            ("station", "oven", "energy"): 0.2 * 185,
            ("pool", "clerks", "per_shift_hour"): 40 * 2 * 7.5,
            ("pool", "clerks", "per_working_hour"): 3 * 0.5,
            ("product", "bolt", "material"): 5 * 24,
            ("product", "bolt", "holding_per_day"): 24 * 11.5 / 24,
            ("product", "tile", "material"): 1 * 24,
            ("product", "form", "material"): 2 * 4 * 3,
            ("product", "form", "scrap"): -0.25 * 2 * 3,
        }
    )


def test_a_good_unit_is_one_of_any_product_that_leaves_the_line() -> None:
    result, units, cost = day(), 23 + 10, 1145.3
    expected = {
        ("energy_kwh_per_unit", ""): 336.5 / units,
        ("energy_kwh_per_unit", "oven"): 185 / units,
        ("power_mean_kw", ""): 336.5 / 24,
        ("power_mean_kw", "mill"): 151.5 / 24,
        ("emissions_kg_per_unit", ""): 0.5 * 336.5 / units,
        ("cost_per_unit", ""): cost / units,
        ("cost_per_h", ""): cost / 24,
        ("margin_per_unit", ""): (2300 + 100 - cost) / units,
        ("margin_per_h", ""): (2300 + 100 - cost) / 24,
        ("station_cost_per_unit", "oven"): 137 / units,
        ("pool_cost_per_unit", "clerks"): 601.5 / units,
        ("product_cost_per_unit", "bolt"): 131.5 / 23,
        ("product_cost_per_unit", "tile"): 2.4,
    }
    found = {key: result.measure(key[0])[key[1]].mean for key in expected}
    assert found == pytest.approx(expected)


def test_a_product_of_which_none_is_good_has_no_cost_per_unit() -> None:
    assert set(day().measure("product_cost_per_unit")) == {"bolt", "tile"}


def test_setups_and_repairs_are_paid_when_they_begin() -> None:
    """Two products in turn need a setup each; each fourth part a repair follows."""
    result = run(
        {
            "schema_version": 1,
            "name": "Turns",
            "stations": {
                "saw": {
                    "process": "10 min",
                    "setup": {"time": "5 min"},
                    "failures": {"blade": {"every": "4 cycles", "repair": "1 min"}},
                    "power": {"processing": "6 kW", "setup": "12 kW", "failed": "1 kW"},
                    "energy": {"per_setup": "0.25 kWh"},
                    "cost": {"per_setup": 7, "per_repair": 100},
                }
            },
            "products": {
                "a": {"route": ["saw"], "release": {"every": "1 h"}},
                "b": {"route": ["saw"], "release": {"every": "1 h", "first": "90 min"}},
            },
        },
        horizon="10 h 15 min",
    )
    # a at 1 to 10 h, b at 1.5 to 9.5 h: 19 parts, 18 changes, a repair after 4, 8, ...
    kwh = by_key(result, "energy", "use", value="kwh")
    assert kwh == pytest.approx(
        {
            ("processing",): 6 * 19 / 6,
            ("setup",): 12 * 18 / 12,
            ("failed",): 1 * 4 / 60,
            ("per_setup",): 0.25 * 18,
        }
    )
    spent = by_key(result, "cost", "item", value="amount")
    assert spent == {("per_setup",): 7 * 18, ("per_repair",): 100 * 4}


def test_people_without_a_calendar_are_paid_around_the_clock() -> None:
    result = run(changed("people", "clerks", calendar=None))
    spent = by_key(result, "cost", "kind", "item", value="amount")
    assert spent["pool", "per_shift_hour"] == pytest.approx(40 * 2 * 24)


def test_states_without_a_power_are_idle_or_off() -> None:
    power = Power.model_validate({"processing": "5 kW", "idle": "1 kW", "setup": 0})
    watts = {state: power_of(power, state) for state in t.MODE_NAMES}
    assert watts == {
        "processing": 5000, "setup": 0, "starved": 1000, "blocked": 1000,
        "waiting": 1000, "loading": 1000, "break": 1000,
        "failed": 0, "maintenance": 0, "off_shift": 0,
    }  # fmt: skip
    one = Power.model_validate("5 kW")
    assert [state for state in t.MODE_NAMES if power_of(one, state)] == ["processing"]


# ------------------------------------------------------------------ laws


def spending(line: Line, seed: int) -> Line:
    """Return the line with a power, and a price of everything, drawn by the seed."""
    rng = np.random.default_rng(seed)

    def price() -> float:
        return round(float(rng.uniform(0, 9)), 2)

    def of(*keys: str, unit: str = "") -> dict[str, Any]:
        return {key: f"{price()} {unit}" if unit else price() for key in keys}

    data = line.model_dump(mode="json", by_alias=True)
    data["energy"] = {"price": "0.3/kWh", "emissions": "0.4 kg/kWh"}
    for station in data["stations"].values():
        states = rng.permutation([*t.MODE_NAMES, "idle"])[: rng.integers(1, 12)]
        station["power"] = of(*map(str, states), unit="kW")
        station["energy"] = of("per_part", "per_batch", "per_setup", unit="kWh")
        station["cost"] = of(
            "per_calendar_hour", "per_shift_hour", "per_working_hour", "per_part",
            "per_batch", "per_setup", "per_repair",
        )  # fmt: skip
    for pool in data.get("people", {}).values():
        pool["cost"] = of("per_shift_hour", "per_working_hour")
    for product in data["products"].values():
        product["cost"] = of("material", "holding_per_day") | {"scrap": -price()}
        product["price"] = price()
    return Line.model_validate(data)


@cache
def plants() -> list[tuple[Line, Line]]:
    """Return random lines that do not deadlock, without and with their spending."""
    found = []
    for seed in range(20):
        line = random_line(seed)
        try:
            run(line, horizon="30 h", replications=2)
        except DeadlockError:
            continue
        found.append((line, spending(line, seed)))
    assert len(found) > 5
    return found


def totals(result: Result, table: str, column: str) -> np.ndarray:
    """Return the sum of a column for each replication."""
    n = result.manifest["replications"]
    sums: np.ndarray = result.table(table)[column].to_numpy().reshape(n, -1).sum(axis=1)
    return sums


def test_money_moves_no_part() -> None:
    for line, paying in plants():
        plain, paid = (run(each, horizon="20 h") for each in (line, paying))
        for table in ("stations", "products", "people", "buffers", "orders"):
            same = (repr(each.table(table).to_pylist()) for each in (plain, paid))
            assert next(same) == next(same)
        assert not len(plain.table("energy"))
        assert not len(plain.table("cost"))
        assert model_hash(line) != model_hash(paying)


def test_the_energy_of_a_station_is_power_times_time_in_each_state() -> None:
    for _, line in plants():
        result = run(line, horizon="20 h", replications=2)
        found: dict[tuple[int, str], float] = {}
        for row in result.table("energy").to_pylist():
            key = row["replication"], row["station"]
            found[key] = found.get(key, 0.0) + row["kwh"]
        for row in result.table("stations").to_pylist():
            station = line.stations[row["station"]]
            assert station.power
            assert station.energy
            m = result.manifest
            away_us = absent_us(line, row["station"], m["warmup_us"], m["horizon_us"])
            there = row | {"off_shift": max(row["off_shift"] - away_us, 0)}
            joules = sum(
                power_of(station.power, state) * there[state] / 1e6
                for state in t.MODE_NAMES
            )
            joules += (station.energy.per_part or 0) * row["completed"]
            joules += (station.energy.per_batch or 0) * row["batches"]
            joules += (station.energy.per_setup or 0) * row["setups"]
            key = row["replication"], row["station"]
            assert found[key] == pytest.approx(joules / 3.6e6, rel=1e-9)


def test_the_parts_add_up_to_the_totals() -> None:
    for _, line in plants():
        result = run(line, horizon="20 h", replications=2)
        energy, cost = totals(result, "energy", "kwh"), totals(result, "cost", "amount")
        mean_kw = result.measure("power_mean_kw")
        assert mean_kw[""].mean * 20 == pytest.approx(energy.mean(), rel=1e-9)
        stations = sum(mean_kw[name].mean for name in line.stations)
        assert mean_kw[""].mean == pytest.approx(stations, rel=1e-9)
        assert result.measure("cost_per_h")[""].mean * 20 == pytest.approx(cost.mean())
        rows = result.table("cost").to_pylist()
        of_energy = sum(row["amount"] for row in rows if row["item"] == "energy")
        assert of_energy == pytest.approx(0.3 * energy.sum(), rel=1e-9)
        if "cost_per_unit" in result.table("summary")["measure"].to_pylist():
            each = totals(result, "cost", "amount_per_unit")
            mean = result.measure("cost_per_unit")[""].mean
            assert mean == pytest.approx(np.nanmean(each), rel=1e-9)


def test_what_is_paid_after_the_warm_up_is_the_whole_less_what_was_paid_before() -> (
    None
):
    for _, line in plants():
        whole, start = (run(line, horizon=hours) for hours in ("30 h", "9 h"))
        rest = run(line, horizon="30 h", study="steady_state", warmup="9 h")
        for table, column in (("energy", "kwh"), ("cost", "amount")):
            one, two, three = (
                result.table(table)[column].to_numpy()
                for result in (whole, start, rest)
            )
            np.testing.assert_allclose(one - two, three, rtol=1e-9, atol=1e-6)


def test_holding_and_wages_agree_with_the_tables_of_products_and_people() -> None:
    for _, line in plants():
        result = run(line, horizon="20 h")
        spent = by_key(result, "cost", "kind", "entity", "item", value="amount")
        wip = by_key(result, "products", "product", value="wip_mean")
        for name, product in line.products.items():
            assert product.cost
            assert product.cost.holding_per_day is not None
            days = wip[(name,)] * product.lot_size * 20 / 24
            paid = spent["product", name, "holding_per_day"]
            assert paid == pytest.approx(product.cost.holding_per_day * days, abs=1e-6)
        busy = by_key(result, "people", "pool", value="busy_mean")
        for name, pool in line.people.items():
            assert pool.cost
            assert pool.cost.per_working_hour is not None
            hours = busy[(name,)] * 20
            paid = spent["pool", name, "per_working_hour"]
            assert paid == pytest.approx(pool.cost.per_working_hour * hours, abs=1e-6)


def test_more_replications_give_an_interval() -> None:
    model = changed("stations", "mill", process="exponential(30 min)")
    found = run(model, replications=6).measure("cost_per_unit")[""]
    assert 0 < found.half_width < found.mean
    assert found.n == 6


# ------------------------------------------------------------------ the file

TEXT = """\
schema_version: 1
name: Costs
currency: EUR
energy: {price: 0.21/kWh, emissions: 350 g/kWh}
people: {fitters: {count: 2, cost: {per_shift_hour: 40}}}
stations:
  saw: {process: 3 min, power: 12 kW, energy: {per_part: 0.4 kWh}, cost: {per_part: 4}}
  mill: {process: 3 min, power: {processing: 12.3 kW, break: 3 W}}
products:
  part:
    route: [saw, mill]
    release: {every: 5 min}
    cost: {material: 4, scrap: -1.5}
    price: 30
"""


def test_a_line_with_costs_is_written_as_it_is_read() -> None:
    line = loads(TEXT)
    assert check(line) == []
    assert loads(dumps(line)) == line
    assert "price: 0.21/kWh" in dumps(line)
    assert "12300 W" in dumps(line)


def test_a_line_without_costs_says_nothing_of_them() -> None:
    text = re.sub(r", power.*", "}", TEXT)
    text = re.sub(r"(?m)^ *(currency|energy|people|cost|price):.*\n", "", text)
    written = json.dumps(loads(text).model_dump(mode="json", by_alias=True))
    for key in ("power", "energy", "cost", "price", "currency"):
        assert key not in written


def errors(text: str) -> list[Finding]:
    with pytest.raises(ModelError) as caught:
        loads(text)
    return list(caught.value.findings)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("power: 12 kW", "power: ¦12", "12 has no unit; write it like 12 kW"),
        ("power: 12 kW", "power: ¦12 kWh", '"kWh" is not a unit of power'),
        ("power: 12 kW", "power: ¦-12 kW", "power is zero or more"),
        ("power: 12 kW", "power: ¦[12 kW]", "is no power"),
        ("power: 12 kW", "power: {¦procesing: 1 kW}", 'did you mean "processing"?'),
        ("power: 12 kW", "power: {¦brake: 1 kW}", 'did you mean "break"?'),
        ("power: 12 kW", "power: {idle: ¦1 h}", '"h" is not a unit of power'),
        ("part: 0.4 kWh", "part: ¦0.4 kW", '"kW" is not a unit of energy'),
        ("0.21/kWh", "¦0.21", "write it like 0.21/kWh"),
        ("0.21/kWh", "¦0.21 EUR/kWh", "name the currency once"),
        ("0.21/kWh", "¦0.21/h", '"h" is not a unit of energy'),
        ("0.21/kWh", "¦-0.21/kWh", "a price is zero or more"),
        ("350 g/kWh", "¦350/kWh", "write it like 0.35 kg/kWh"),
        ("350 g/kWh", "¦350 l/kWh", '"l" is not a unit of mass'),
        ("material: 4", "material: ¦4 EUR", "as the currency of the line"),
        ("material: 4", "material: ¦-4", "greater than or equal to 0"),
        ("material: 4", "material: ¦true", "allowed is a number"),
        ("material: 4", "¦materiel: 4", 'did you mean "material"?'),
        ("cost: {per_part: 4}", "cost: {¦per_hour: 4}", "per_shift_hour"),
        ("per_shift_hour: 40", "per_shift_hour: ¦.inf", "finite"),
        ("price: 30", "price: ¦-30", "greater than or equal to 0"),
    ],
)
def test_a_mistake_of_form_is_found_where_it_stands(
    old: str, new: str, words: str
) -> None:
    assert TEXT.count(old) == 1
    text, places = marked(TEXT.replace(old, new))
    found = errors(text)
    assert [(f.line, f.column) for f in found] == places
    assert words in str(found[0])


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("{per_part: 4}", "{per_batch: ¦4}", "LW321", 'in batches at "saw"'),
        ("{per_part: 4}", "{per_setup: ¦4}", "LW321", 'nothing is set up at "saw"'),
        ("{per_part: 4}", "{per_repair: ¦4}", "LW321", "nothing fails"),
        ("per_part: 0.4", "per_setup: ¦0.4", "LW321", "nothing is set up"),
        ("power: 12 kW", "¦power: {idle: 1 kW}", "LW322", "none while it works"),
        ("12.3 kW, break", "12.3 kW, idle: ¦13 kW, break", "LW322", "more power"),
        (
            "    price: 30\n",
            "    price: ¦30\n  kit: {bom: {part: 2}, route: [mill], release: "
            "{every: 11 min}}\n",
            "LW321",
            "never sold",
        ),
    ],
)
def test_what_is_likely_not_meant_is_said(
    tmp_path: Path, old: str, new: str, code: str, words: str
) -> None:
    assert TEXT.count(old) == 1
    text, places = marked(TEXT.replace(old, new))
    (tmp_path / "model.yaml").write_text(text)
    loaded = read(tmp_path / "model.yaml")
    found = [f for f in check(loaded.line, loaded.positions) if f.code == code]
    assert [(f.line, f.column) for f in found] == places
    assert words in found[0].message
    assert found[0].severity == "warning"


def test_a_price_of_energy_that_nobody_takes_is_said() -> None:
    text = re.sub(r", power.*", "}", TEXT)
    assert [f.code for f in check(loads(text))] == ["LW321"]


def test_power_needs_no_price() -> None:
    model = changed(energy=None, currency=None)
    result = run(model)
    assert result.measure("energy_kwh_per_unit")[""].mean == pytest.approx(336.5 / 33)
    assert "energy" not in result.table("cost")["item"].to_pylist()
    with pytest.raises(KeyError):
        result.measure("emissions_kg_per_unit")
    units = dict(
        zip(
            result.table("summary")["measure"].to_pylist(),
            result.table("summary")["unit"].to_pylist(),
            strict=True,
        )
    )
    assert units["cost_per_unit"] == "money/unit"


# ------------------------------------------------------------------ where it is shown


def test_a_saved_result_has_both_tables(tmp_path: Path) -> None:
    again = Result.load(day().save(tmp_path / "day"))
    assert again.table("energy").equals(day().table("energy"))
    assert again.table("cost").equals(day().table("cost"))


def test_a_result_of_a_release_without_them_is_read(tmp_path: Path) -> None:
    folder = run(loads(TEXT)).save(tmp_path / "old")
    for name in ("energy", "cost"):
        (folder / f"{name}.parquet").unlink()
    again = Result.load(folder)
    assert not len(again.table("energy"))
    assert not len(again.table("cost"))
    assert line_measures(again.line, again.tables, np.array([24.0])) == []
    assert energy_cost.section(Facts(again)) is None


def test_compare_and_simulate_say_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, price in (("dear", "40"), ("cheap", "20")):
        text = dumps(Line.model_validate(DAY)).replace(
            "per_shift_hour: 40", f"per_shift_hour: {price}"
        )
        Path(f"{name}.yaml").write_text(text)
    study = "--horizon 1d --replications 2 --study terminating --quiet --json"
    assert main(["compare", "dear.yaml", "cheap.yaml", *study.split()]) == 0
    rows = json.loads(capsys.readouterr().out)["comparisons"]
    difference = {row["measure"]: row["difference"]["mean"] for row in rows}
    assert difference["cost"] == pytest.approx(-20 * 15 / 33)
    assert difference["margin"] == pytest.approx(20 * 15 / 24)
    assert difference["energy"] == difference["emissions"] == 0
    assert main(["simulate", "dear.yaml", *study.split()]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert "emissions_kg_per_unit" in {row["measure"] for row in summary}


def test_a_terminal_shows_what_a_good_unit_takes() -> None:
    class Pipe:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

    said = as_text(result_view(day()), Pipe())  # type: ignore[arg-type]
    assert (
        "Per good unit: energy 10.2 kWh, emissions 5.10 kg CO2, cost 34.7 EUR" in said
    )


def words(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html).replace("\u00a0", " ")


def test_the_brief_says_what_a_good_unit_takes_and_where() -> None:
    section = energy_cost.section(Facts(day()))
    assert section is not None
    headline = section.headline.replace("\u00a0", " ")
    assert (
        headline == "A good unit takes 10.2 kWh, emits 5.10 kg CO₂ and costs 34.7 EUR"
    )
    assert "55% of it at oven" in section.text[0]
    assert "52% of the cost is for people, on shift" in section.text[1]
    assert "a mix of bolt and tile," in section.notes[0]
    energy, cost = section.figures
    assert [row[0] for row in energy.table.rows] == ["oven", "mill"]
    assert cost.table.rows[0][:2] == ("clerks", "people, on shift")
    page = words(brief_html(day()))
    assert "Energy and cost" in page
    assert "kWh of each station for each good unit" in page


def test_the_brief_says_nothing_of_what_the_model_does_not_say() -> None:
    model = changed(energy=None, currency=None, people={"clerks": 2})
    for noun in (*model["stations"].values(), *model["products"].values()):
        for key in ("power", "energy", "cost", "price"):
            noun.pop(key, None)
    result = run(model)
    assert energy_cost.section(Facts(result)) is None
    assert "Energy and cost" not in words(brief_html(result))


def test_the_brief_without_a_good_unit_speaks_of_an_hour() -> None:
    model = changed("stations", "mill", process="2 d")
    del model["products"]["tile"], model["products"]["form"]
    section = energy_cost.section(Facts(run(model)))
    assert section is not None
    assert section.headline.startswith("No good unit left the line, which takes")
    assert "EUR an hour" in section.headline
    assert section.figures == ()


def test_what_is_got_back_for_scrap_stands_below_zero() -> None:
    model = changed("products", "form", cost={"scrap": -50})
    section = energy_cost.section(Facts(run(model)))
    assert section is not None
    last = section.figures[-1].table.rows[-1]
    assert last[1] == "scrap"
    assert str(last[2]).startswith("\u2212")


def test_the_light_aircraft_plant_earns_its_cost_and_heats_its_oven() -> None:
    line = linewright.load(PROJECT / "examples" / "light-aircraft" / "plant.yaml")
    result = simulate(line, replications=1, workers=1)
    assert result.measure("margin_per_unit")[""].mean > 0
    kwh = {k: v.mean for k, v in result.measure("energy_kwh_per_unit").items() if k}
    assert max(kwh, key=lambda name: kwh[name]) == "cure_oven"
