"""What single sections conclude from facts that are known."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import linewright
from linewright.report.facts import Facts
from linewright.report.parts import Bar
from linewright.report.sections import (
    limits,
    orders,
    people,
    stocks,
    throughput,
    units,
    wip,
)
from tests.test_report_plant import HOUR, Made, aircraft_result, hand_made, make, table


@pytest.fixture(scope="module")
def plant_facts() -> Facts:
    return Facts(aircraft_result())


def with_states(made: Made, **shares: dict[str, float]) -> Made:
    """Give stations these shares of their time on shift; the rest is processing."""
    rows = made.tables["stations"].to_pylist()
    on = ("processing", "setup", "blocked", "starved", "failed", "maintenance")
    for row in rows:
        total = sum(row[s] for s in on)
        mine = shares.get(row["station"], {})
        row.update({s: int(total * mine.get(s, 0.0)) for s in on[1:]})
        row["processing"] = total - sum(row[s] for s in on[1:])
    made.tables["stations"] = table(rows)
    return made


def serial(n: int = 5, **changes: Any) -> Made:
    from tests.test_report_linemap import small  # noqa: PLC0415 - one picture of a line

    names = "ABCDEFGH"[:n]
    return make(small({"P": {"route": list(names)}}, names), replications=4, **changes)


def test_a_planted_limit_is_found_by_both_signs() -> None:
    before, after = {"blocked": 0.3, "starved": 0.05}, {"blocked": 0.02, "starved": 0.4}
    made = with_states(
        serial(), A=before, B=before, C={"blocked": 0.02}, D=after, E=after
    )
    facts = Facts(made)
    assert limits.ranking(facts)[0] == "C"
    turn = limits.turning_point(facts, "ABCDE")
    assert turn is not None
    assert (turn.station, turn.fits, turn.clear) == ("C", 4, True)
    assert "C most likely holds the line back" in limits.headline(facts)
    found = limits.section(facts)
    assert found is not None
    assert "both signs agree" in " ".join(found.after)
    assert limits.HONEST in found.after


def test_equal_stations_are_too_close_to_call() -> None:
    made = with_states(serial(), **{s: {"starved": 0.1} for s in "ABCDE"})
    assert "are too close to call as the limit" in limits.headline(Facts(made))


def test_idle_stations_are_not_blamed() -> None:
    made = with_states(serial(), **{s: {"starved": 0.6} for s in "ABCDE"})
    assert limits.headline(Facts(made)).startswith("No station is near its limit")


def test_a_balanced_line_is_held_back_from_within() -> None:
    shares = [("A", "blocked"), ("B", "starved"), ("C", "blocked"), ("D", "starved")]
    made = with_states(serial(4), **{s: {state: 0.3} for s, state in shares})
    assert limits.headline(Facts(made)).startswith("Stations hold each other up")
    found = limits.section(Facts(made))
    assert found is not None
    assert "buffers that are small" in " ".join(found.text)


def test_verdicts_need_the_whole_interval_on_one_side(plant_facts: Facts) -> None:
    found = {o.product: o.verdict for o in throughput.outputs(plant_facts)}
    assert found == {"Trainer": "short", "Tourer": "short", "Spare wing": "open"}


def test_orders_without_due_date_or_beyond_the_run_are_not_judged() -> None:
    made = hand_made(replications=1)
    order = {
        "replication": 0, "product": "Board", "quantity": 1, "release_us": 0,
        "tardiness_s": 0.0,
    }  # fmt: skip
    late = made.manifest["horizon_us"] + 1
    made.tables["orders"] = table(
        [
            order | {"order": "on time", "due_us": 10 * HOUR, "finished_us": 9 * HOUR},
            order | {"order": "late", "due_us": 10 * HOUR, "finished_us": 12 * HOUR},
            order | {"order": "open", "due_us": 10 * HOUR, "finished_us": -1},
            order | {"order": "no date", "due_us": -1, "finished_us": 9 * HOUR},
            order | {"order": "far", "due_us": late, "finished_us": -1},
        ]
    )
    found = orders.punctuality(Facts(made))
    assert (found.hits, found.n) == (1, 3)
    assert 0 < found.low < 1 / 3 < found.high < 1
    section = orders.section(Facts(made))
    assert section is not None
    assert "33% are not finished at the end" in section.headline
    assert "by 2.00\u00a0h on average" in section.headline


def test_the_demand_of_orders_is_spread_over_the_run() -> None:
    made = hand_made(replications=2, horizon_us=100 * HOUR, warmup_us=0)
    row = {"product": "Board", "release_us": 0, "finished_us": -1, "tardiness_s": 0.0}
    made.tables["orders"] = table(
        [
            row | {"replication": r, "order": str(k), "quantity": 5, "due_us": k * HOUR}
            for r in range(2)
            for k in range(10)
        ]
    )
    (output,) = throughput.outputs(Facts(made))
    assert output.source == "orders"
    assert output.asked == pytest.approx(0.5)


def test_components_are_built_in_not_delivered(plant_facts: Facts) -> None:
    found = {fate.product: fate for fate in units.fates(plant_facts)}
    assert found["Wing"].mean("good") == 0
    assert found["Wing"].mean("used") > 0
    assert found["Trainer"].mean("good") > 0
    assert [f.product for f in units.fates(plant_facts)][:2] == ["Trainer", "Tourer"]


def test_work_that_piles_up_is_said() -> None:
    made = hand_made(replications=5)
    rows = made.tables["periods"].to_pylist()
    for row in rows:
        row["value"] = float(row["period"])
    made.tables["periods"] = table(rows)
    section = wip.section(Facts(made))
    assert section is not None
    assert "Work piles up" in section.text[0]


def test_shares_of_a_station_sum_to_one(plant_facts: Facts) -> None:
    np.testing.assert_allclose(plant_facts.clock_shares.sum(axis=1), 1)
    np.testing.assert_allclose(plant_facts.shift_shares.sum(axis=1), 1)


def test_local_time_knows_daylight_saving(plant_facts: Facts) -> None:
    assert plant_facts.local(0).isoformat() == "2027-01-04T00:00:00+01:00"
    summer = plant_facts.local(24 * 91 * HOUR)
    assert summer.isoformat() == "2027-04-05T01:00:00+02:00"
    assert plant_facts.tick_us(summer) == 24 * 91 * HOUR
    assert summer == datetime(2027, 4, 4, 23, tzinfo=UTC)


def test_pools_say_how_much_they_work_and_how_long_they_are_waited_for() -> None:
    assert people.section(Facts(serial())) is None
    line = linewright.loads(
        """
        schema_version: 1
        name: two mills
        people: {operator: 1, fitters: 4}
        stations:
          one: &mill {process: 8 min, load: 2 min, people: {load: operator}}
          two: *mill
          three: *mill
          four: *mill
          five: *mill
          six: *mill
        products:
          a: {route: [one]}
          b: {route: [two]}
          c: {route: [three]}
          d: {route: [four]}
          e: {route: [five]}
          f: {route: [six]}
        """
    )
    result = linewright.simulate(line, horizon="2 d", warmup="1 h", replications=2)
    found = people.section(Facts(result))
    assert found is not None
    # six mills want two minutes each in ten: the operator is always at work
    assert found.headline.startswith("The pool operator is at work 100")
    (table,) = found.tables
    operator, fitters = table.rows
    assert [str(cell) for cell in operator[:2]] == ["operator", "1"]
    assert operator[3] == "100%"
    assert fitters[3] == "0%"
    assert str(operator[4]).endswith("min")


def test_pools_whose_people_walk_say_how_much_of_their_time_they_do() -> None:
    line = linewright.loads(
        """
        schema_version: 1
        name: two mills
        people: {operator: {count: 2, skills: [run], walk: 2 min}, fitter: {}}
        stations:
          one: {process: 8 min, people: {process: run}}
          two: {process: 8 min, people: {process: {run: 2}}}
        products:
          a: {route: [one]}
          b: {route: [two]}
        """
    )
    result = linewright.simulate(line, horizon="2 d", warmup="1 h", replications=2)
    found = people.section(Facts(result))
    assert found is not None
    (table,) = found.tables
    assert [column.label for column in table.columns][3] == "On their way"
    operator, fitter = table.rows
    # 8 at one, 2 + 8 at two by both, of whom one has waited; 2 back to one by one
    assert operator[3] != fitter[3] == "0%"
    assert "skill" in found.text[0]


STOCKS = """
schema_version: 1
name: stocks
tools: {jig: 2}
loops: {pallet: {cards: 4, from: load, to: pack}}
materials: {sheet: {stock: 4, reorder_point: 2, lot: 4, lead_time: 1 h}}
stations:
  load: {process: 5 min, buffer: 9}
  pack:
    process: 5 min
    failures: {pump: {every: 1 h, repair: 5 h, spares: 1, swap: 10 min}}
products:
  crate:
    release: {every: 10 min, when_full: lose}
    bom: {sheet: {quantity: 1, bought: true}}
    route: [{station: load, tools: jig}, pack]
"""


def test_tools_and_materials_say_how_many_are_out_and_how_often_there_is_none() -> None:
    assert stocks.section(Facts(serial())) is None
    line = linewright.loads(STOCKS)
    result = linewright.simulate(line, horizon="9 d", warmup="1 d", replications=2)
    found = stocks.section(Facts(result))
    assert found is not None
    assert re.match(r"Of .* none is (free|on hand) .*, the most of 4", found.headline)
    lent, bought = found.tables
    assert [row[:2] for row in lent.rows] == [
        ("jig", "tool"),
        ("pallet", "card"),
        ("pack pump spares", "spare"),
    ]
    out = [row[2] for row in lent.rows]
    assert all(isinstance(bar, Bar) and 0 < bar.share <= 1 for bar in out)
    assert [str(bar).split("of ")[1][0] for bar in out] == ["2", "4", "1"]
    assert [str(cell) for cell in bought.rows[0][:2]] == ["sheet", "4"]
    assert any("repairs waited on average" in note for note in found.text)


def test_tools_that_never_run_short_are_said_to() -> None:
    text = STOCKS.replace("tools: {jig: 2}", "tools: {jig: 20}")
    text = re.sub(r"(?m)^(loops|materials|    failures|    bom):.*\n", "", text)
    result = linewright.simulate(
        linewright.loads(text), horizon="2 d", warmup="1 h", replications=2
    )
    found = stocks.section(Facts(result))
    assert found is not None
    assert found.headline == "Tools and materials never run short"
    assert len(found.tables) == 1
