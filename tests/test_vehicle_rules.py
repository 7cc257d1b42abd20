"""Vehicles and cranes: ways, calls and charging that can be worked out in the head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import linewright
from linewright import tables as t
from linewright.errors import ModelError
from linewright.model.check import check, load_checked
from linewright.model.line import Line
from linewright.model.load import dumps, loads
from linewright.replicate import snapshot
from linewright.report.animation import animate
from linewright.report.brief import brief_html
from linewright.units import parse_speed_mm_per_s, write_speed
from linewright.why import why
from tests.test_floor_rules import at
from tests.test_kernel_rules import Run, every

pytestmark = pytest.mark.nojit

MINUTE_US = 60_000_000


def fleet(run: Run, field: str, name: str = "agv") -> int:
    row = run.lowered.names.fleets.index(name)
    return int(snapshot(run.state).fleets[field][row])


def minutes(run: Run, field: str, name: str = "agv") -> float:
    return fleet(run, field, name) / MINUTE_US


def line_of(vehicles: dict[str, Any], ways: list[dict[str, Any]], **more: Any) -> Any:
    """Return two stations; parts come to the first at 0, 10, 20 ... minutes."""
    model = {
        "vehicles": {"agv": {"home": "A", **vehicles}},
        "stations": {"A": {"process": "1 min"}, "B": {"process": "1 min"}},
        "products": {"p": {"route": ["A", "B"], "release": every(10, first="0 s")}},
        "transport": [{"by": "agv", **way} for way in ways],
    }
    return model | more


A_TO_B = {"from": "A", "to": "B", "time": "3 min"}


# ------------------------------------------------------------------ ways


def test_a_vehicle_comes_loads_carries_unloads_and_drives_back_empty() -> None:
    model = line_of({"load": "30 s", "unload": "30 s"}, [A_TO_B])
    run = Run(29, **model)
    # at hand at first: 1 + 0.5 + 3 + 0.5; then it comes back for three minutes
    assert at(run, "B") == [5, 18, 28]
    assert fleet(run, "trips") == 3
    assert minutes(run, "carrying_us") == 10.5
    assert minutes(run, "coming_us") == 0.5 + 3.5 + 3.5
    assert fleet(run, "waited") == 0


def test_a_vehicle_that_is_called_from_afar_keeps_the_server_blocked() -> None:
    run = Run(29, **line_of({"home": "B"}, [A_TO_B]))
    # it comes from B each time: the part stands on A for three minutes
    assert at(run, "B") == [7, 17, 27]
    assert run.minutes("A", t.BLOCKED) == 9
    assert run.minutes("A", t.PROCESSING) == 3


def test_a_part_waits_for_its_vehicle_in_the_output_buffer() -> None:
    stations = {
        "A": {"process": "1 min", "output_buffer": 1},
        "B": {"process": "1 min"},
    }
    model = line_of({"home": "B"}, [A_TO_B], stations=stations)
    model["products"]["p"]["release"] = every(2, first="0 s")
    run = Run(14, **model)
    assert run.starts("A") == [("p", float(m)) for m in (0, 2, 4, 10)]
    # the second steps aside when the first is fetched, and blocks until then
    assert at(run, "B") == [7, 13]
    row = run.lowered.names.buffers.index("A output")
    assert int(run.state.buffers["level"][row]) == 1
    assert minutes(run, "idle_us") == 1


def test_without_a_place_ahead_no_vehicle_is_called() -> None:
    stations = {"A": {"process": "1 min"}, "B": {"process": "1 h", "buffer": 1}}
    model = line_of({}, [A_TO_B], stations=stations)
    run = Run(60, **model)
    # one works, one waits, and the third stands on A without a place
    assert fleet(run, "calls") == 2
    assert minutes(run, "idle_us") == 60 - 3 - 6
    assert run.minutes("A", t.BLOCKED) == 60 - 21 + 3


def test_the_nearest_idle_vehicle_comes_then_the_lowest_number() -> None:
    """One is left at B, one at C; a part at C is fetched by the one that is there."""
    stations = {name: {"process": "1 min"} for name in ("A", "B", "C")}
    products = {
        "p": {"route": ["A", "B"], "release": every(100, first="0 s")},
        "q": {"route": ["A", "C"], "release": every(100, first="1 min")},
        "r": {"route": ["C", "B"], "release": every(100, first="20 min")},
    }
    ways = [
        {"from": "any", "to": "any", "time": "6 min"},
        {"from": "A", "to": "C", "time": "2 min"},
    ]
    model = line_of({"count": 2}, ways, stations=stations, products=products)
    run = Run(40, **model)
    assert at(run, "B") == [7, 27]
    assert minutes(run, "coming_us") == 0
    assert run.state.vehicles["at"].tolist().count(run.state.vehicles["at"][0]) == 2


def test_by_priority_the_part_that_called_later_is_fetched_first() -> None:
    stations = {name: {"process": "1 min"} for name in ("A", "C", "B")}
    products = {
        name: {
            "route": [start, "B"],
            "priority": number,
            "release": every(100, first=f"{number} min"),
        }
        for number, (name, start) in enumerate([("x", "A"), ("y", "A"), ("z", "C")])
    }
    ways = [{"from": "any", "to": "any", "time": "5 min"}]
    model = {"stations": stations, "products": products}
    fifo = Run(40, **line_of({}, ways, **model))
    assert [name for name, _ in fifo.starts("B")] == ["x", "y", "z"]
    ordered = Run(40, **line_of({"calls": "priority"}, ways, **model))
    assert [name for name, _ in ordered.starts("B")] == ["x", "z", "y"]


# ------------------------------------------------------------------ charging


def test_a_vehicle_charges_where_it_is_when_it_has_been_under_way_long_enough() -> None:
    charge = {"after": "9 min", "time": "4 min"}
    run = Run(36, **line_of({"charge": charge}, [A_TO_B]))
    # 3 there, 3 back and 3 there make nine, and it charges at B from 17 on
    assert at(run, "B") == [4, 17, 27]
    assert fleet(run, "charges") == 1
    assert minutes(run, "charging_us") == 4


def test_a_part_waits_for_a_vehicle_that_charges() -> None:
    charge = {"after": "1 min", "time": "20 min"}
    run = Run(40, **line_of({"charge": charge}, [A_TO_B]))
    # at B at 4, charged at 24, three minutes back, three with the part; then once more
    assert at(run, "B") == [4, 30]
    assert fleet(run, "waited") == 2
    assert fleet(run, "wait_us") == (24 - 11) * MINUTE_US


# ------------------------------------------------------------------ cranes


def test_a_crane_is_a_fleet_of_one_that_stations_share() -> None:
    stations = {name: {"process": "2 min"} for name in ("A", "B", "C")}
    products = {
        "p": {"route": ["A", "C"], "release": every(100, first="0 s")},
        "q": {"route": ["B", "C"], "release": every(100, first="0 s")},
    }
    ways = [{"from": "any", "to": "any", "distance": "60 m"}]
    speed = {"speed": "1 m/s"}
    run = Run(20, **line_of(speed, ways, stations=stations, products=products))
    # the part at A first; then a minute back to B, and one with its part
    assert at(run, "C") == [3, 5]
    assert run.minutes("B", t.BLOCKED) == 2
    assert minutes(run, "coming_us") == 1


# ------------------------------------------------------------------ distances


def test_distances_that_are_not_said_are_those_of_the_layout() -> None:
    places = {"A": {"x": "0 m", "y": "0 m"}, "B": {"x": "30 m", "y": "40 m"}}
    ways = [{"from": "A", "to": "B"}]
    run = Run(19, **line_of({"speed": "50 m/min"}, ways, layout={"places": places}))
    assert at(run, "B") == [2, 13]
    assert minutes(run, "coming_us") == 1


def test_a_way_with_a_time_may_be_driven_back_by_its_distance() -> None:
    way = A_TO_B | {"distance": "120 m"}
    run = Run(19, **line_of({"speed": "60 m/min"}, [way]))
    assert at(run, "B") == [4, 16]


def test_the_way_back_may_have_a_distance_of_its_own() -> None:
    back = {"from": "B", "to": "A", "distance": "60 m"}
    run = Run(19, **line_of({"speed": "60 m/min"}, [A_TO_B, back]))
    assert at(run, "B") == [4, 15]


# ------------------------------------------------------------------ where it stands


def test_units_of_a_split_wait_beside_the_station_and_free_it() -> None:
    products = {
        "plate": {
            "route": [{"station": "A", "makes": {"piece": 2}}],
            "release": every(10, first="0 s"),
        },
        "piece": {"route": ["B"], "release": "never"},
    }
    run = Run(9, **line_of({}, [A_TO_B], products=products))
    assert run.minutes("A", t.BLOCKED) == 0
    assert at(run, "B") == [4]
    assert fleet(run, "waited") == 1
    assert minutes(run, "coming_us") == 3


def test_a_part_rests_before_it_calls_a_vehicle() -> None:
    products = {
        "p": {
            "route": [{"station": "A", "rest": "4 min"}, "B"],
            "release": every(10, first="0 s"),
        }
    }
    run = Run(9, **line_of({}, [A_TO_B], products=products))
    assert run.minutes("A", t.BLOCKED) == 0
    assert at(run, "B") == [8]


def test_a_server_that_reserves_its_place_behind_waits_for_the_vehicle() -> None:
    stations = {
        "A": {"process": "1 min", "blocking": "before_service"},
        "B": {"process": "1 min", "buffer": 1},
    }
    run = Run(19, **line_of({"home": "B"}, [A_TO_B], stations=stations))
    assert at(run, "B") == [7, 17]
    assert run.minutes("A", t.BLOCKED) == 6


def test_a_stopped_server_that_holds_its_part_keeps_it_from_being_fetched() -> None:
    failure = {
        "every": "2 min",
        "first": "2 min",
        "repair": "10 min",
        "clock": "calendar",
    }
    stations = {
        "A": {
            "process": "90 s",
            "holds_when_stopped": True,
            "failures": {"f": failure},
        },
        "B": {"process": "1 min"},
        "C": {"process": "1 min"},
    }
    products = {
        "q": {"route": ["C", "B"], "release": every(100, first="0 s")},
        "p": {"route": ["A", "B"], "release": every(100, first="0 s")},
    }
    ways = [{"from": "any", "to": "any", "time": "5 min"}]
    model = line_of({"home": "C"}, ways, stations=stations, products=products)
    run = Run(30, **model)
    # the vehicle is free at 6; the server goes on at 12 and lets it come
    assert [minute for _, minute in run.starts("B")] == [6, 22]
    assert minutes(run, "idle_us") == 30 - 5 - 10 - 0


# ------------------------------------------------------------------ results


def test_results_and_brief_tell_of_vehicles() -> None:
    line = Line.model_validate(
        {"schema_version": 1, "name": "cart", **line_of({"home": "B"}, [A_TO_B])}
    )
    result = linewright.simulate(
        line, horizon="30 d", warmup="1 d", replications=2, seed=1
    )
    assert not result.failed_checks
    row = result.table("vehicles").to_pylist()[0]
    assert row["carrying_share"] == pytest.approx(0.3, abs=0.001)
    assert row["coming_share"] == pytest.approx(0.3, abs=0.001)
    total = sum(row[f"{doing}_share"] for doing in ("idle", "charging"))
    assert total == pytest.approx(0.4, abs=0.001)
    assert "Vehicles" in brief_html(result)


def test_why_tells_of_vehicles_that_are_waited_for() -> None:
    run = Run(3, **line_of({"home": "B"}, [A_TO_B]))
    told = why(run.lowered, run.state, "A")
    assert (
        "A is blocked: it holds p 0, which waits for agv, which sets off with it"
        in told
    )
    assert "waits for agv" in why(run.lowered, run.state, "B")
    assert "waits for agv" in why(run.lowered, run.state, "p:0")
    model = line_of({}, [A_TO_B])
    model["products"]["p"]["release"] = every(2, first="0 s")
    busy = Run(3, **model)
    assert "waits for a vehicle of agv" in why(busy.lowered, busy.state, "A")


# ------------------------------------------------------------------ bad input


GOOD = """\
schema_version: 1
name: cart
vehicles:
  agv:
    home: A
    speed: 1.2 m/s
stations:
  A: {process: 1 min}
  B: {process: 1 min}
  C: {process: 1 min}
products:
  p: {route: [A, B, C], release: {every: 10 min}}
transport:
  - {from: any, to: any, by: agv, distance: 40 m}
"""


def findings(tmp_path: Path, old: str, new: str) -> list[tuple[int, int, str, str]]:
    assert old in GOOD
    path = tmp_path / "model.yaml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    try:
        load_checked(path)
    except ModelError as error:
        return [
            (f.line, f.column, f.code, f"{f.message} {f.help}") for f in error.findings
        ]
    return []


def test_the_good_model_is_good(tmp_path: Path) -> None:
    assert findings(tmp_path, "cart", "cart") == []


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "words"),
    [
        ("by: agv", "by: avg", (14, 30), "LW201", 'did you mean "agv"'),
        ("home: A", "home: D", (5, 11), "LW201", '"D" is not a station'),
        ("1.2 m/s", "1.2 m", (6, 12), "LW1", "is not a speed"),
        ("1.2 m/s", "1.2 kg/s", (6, 12), "LW1", "not a unit of length"),
        ("1.2 m/s", "1.2 m/kg", (6, 12), "LW1", "not a unit of time"),
        ("1.2 m/s", "0 m/s", (6, 12), "LW1", "more than zero"),
        ("    speed: 1.2 m/s\n", "", (13, 5), "LW245", "no time and"),
        ("by: agv, ", "", (14, 5), "LW245", "nothing says how long"),
        (", distance: 40 m", "", (4, 3), "LW246", '"A" to "B", "B" to "C", and'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_vehicles_is_said_with_its_place(
    tmp_path: Path, old: str, new: str, place: tuple[int, int], code: str, words: str
) -> None:
    found = findings(tmp_path, old, new)
    assert len(found) in {1, 2}, found
    assert found[0][:2] == place, found
    assert found[0][2].startswith(code)
    assert words in found[0][3]


def test_a_way_to_where_parts_wait_has_to_be_known(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    only_b = GOOD.replace("to: any, by", "to: B, by").replace("home: A", "home: C")
    path.write_text(only_b, encoding="utf-8")
    with pytest.raises(ModelError, match='drives empty from "C" to "A", and nothing'):
        load_checked(path)


def test_missing_distances_are_counted() -> None:
    stations = {f"S{i}": {"process": "1 min"} for i in range(6)}
    model = {
        "vehicles": {"agv": {"home": "S0", "speed": "1 m/s"}},
        "stations": stations,
        "products": {"p": {"route": list(stations), "release": every(9)}},
        "transport": [{"from": "any", "to": "any", "by": "agv"}],
    }
    line = Line.model_validate({"schema_version": 1, "name": "cart", **model})
    carries, drives = [f.message for f in check(line)]
    assert (
        'carries parts from "S0" to "S1", "S1" to "S2", "S2" to "S3" and 2' in carries
    )
    assert "drives empty from" in drives


def test_a_place_is_needed_where_a_vehicle_puts_parts_down() -> None:
    model = line_of({}, [A_TO_B | {"time": "0 s"}])
    model["stations"]["B"]["buffer"] = 0
    line = Line.model_validate({"schema_version": 1, "name": "cart", **model})
    assert [f.code for f in check(line)] == ["LW211"]


def test_a_fleet_that_carries_nothing_is_told() -> None:
    model = line_of({}, [])
    line = Line.model_validate({"schema_version": 1, "name": "cart", **model})
    assert [(f.code, f.severity) for f in check(line)] == [("LW331", "warning")]


def test_a_model_with_vehicles_is_written_and_read_again() -> None:
    ways = [A_TO_B | {"distance": "12.5 m"}]
    model = line_of({"speed": "70 m/min", "count": 3}, ways)
    line = Line.model_validate({"schema_version": 1, "name": "cart", **model})
    text = dumps(line)
    assert "70 m/min" in text
    assert loads(text) == line


@given(st.floats(1e-3, 1e8))
def test_a_speed_reads_back_as_it_was_written(speed: float) -> None:
    assert parse_speed_mm_per_s(write_speed(speed)) == speed


def test_a_line_with_vehicles_can_be_watched() -> None:
    model = line_of({"home": "B", "load": "30 s"}, [A_TO_B])
    line = Line.model_validate({"schema_version": 1, "name": "cart", **model})
    assert "cart" in animate(line, until_us=120 * MINUTE_US).html
