"""Tools, loops, materials, spares, wear and common failures: worked out in the head."""

from __future__ import annotations

from typing import Any

import pytest

from linewright import tables as t
from linewright.errors import KernelError
from linewright.traces import event_log
from tests.test_floor_rules import at
from tests.test_kernel_rules import MINUTE_US, Run, every

pytestmark = pytest.mark.nojit


def stock(run: Run, field: str, name: str) -> int:
    return int(run.state.stocks[field][run.lowered.names.stocks.index(name)])


# ------------------------------------------------------------------ tools


def with_tools(n: int, minutes: int = 60, **more: Any) -> Run:
    return Run(
        minutes,
        tools={"fixture": {"count": n, **more}},
        stations={name: {"process": "10 min"} for name in ("A", "B")},
        products={
            name: {"route": [{"station": name, "tools": "fixture"}]}
            for name in ("A", "B")
        },
    )


def test_a_tool_is_at_one_place_at_a_time() -> None:
    run = with_tools(1, 59)
    both = sorted(at(run, "A") + at(run, "B"))
    assert both == [0, 10, 20, 30, 40, 50]
    waited = run.minutes("A", t.WAITING) + run.minutes("B", t.WAITING)
    assert waited == 59
    assert run.minutes("A", t.STARVED) == 0
    assert stock(run, "taken", "fixture") == 6


def test_with_a_tool_each_nobody_waits() -> None:
    run = with_tools(2)
    assert run.minutes("A", t.WAITING) + run.minutes("B", t.WAITING) == 0


def test_a_tool_takes_its_time_to_come_back() -> None:
    run = with_tools(1, 59, back="5 min")
    assert sorted(at(run, "A") + at(run, "B")) == [0, 15, 30, 45]


def test_what_is_scrapped_on_a_server_leaves_its_tool() -> None:
    failure = {"every": "4 min", "first": "4 min", "repair": "6 min", "part": "scrap"}
    run = Run(
        38,
        tools={"fixture": 1},
        stations={"A": {"process": "10 min", "failures": {"f": failure}}},
        products={"p": {"route": [{"station": "A", "tools": ["fixture"]}]}},
    )
    assert at(run, "A") == [0, 10, 20, 30]
    assert run.count("scrapped", "p") == 4
    assert stock(run, "free", "fixture") == 1


# ------------------------------------------------------------------ tools for repairs


def fails(first: int, repair: int, **more: Any) -> dict[str, Any]:
    """Return failures, of which one comes in the time that is looked at."""
    return {
        "every": "9 d",
        "first": f"{first} min",
        "repair": f"{repair} min",
        "clock": "calendar",
        **more,
    }


def repaired(minutes: int, tools: dict[str, Any], *stops: Any, **more: Any) -> Run:
    """Return a run of stations A, B, C... that have one failure each."""
    names = "ABCDEFG"[: len(stops)]
    stations: dict[str, Any] = {
        name: {"process": "7 min", "failures": {"f": stop}}
        for name, stop in zip(names, stops, strict=True)
    }
    stations |= more.pop("stations", {})
    products = {name: {"route": [name]} for name in names} | more.pop("products", {})
    return Run(minutes, tools=tools, stations=stations, products=products, **more)


def test_a_repair_waits_for_its_tool_and_hands_it_back_at_its_end() -> None:
    stops = [fails(10, 6, tools="crane"), fails(12, 6, tools="crane")]
    run = repaired(30, {"crane": 1}, *stops)
    assert run.minutes("A", t.FAILED) == 6
    assert run.minutes("B", t.FAILED) == 4 + 6
    assert stock(run, "taken", "crane") == 2
    assert stock(run, "free", "crane") == 1
    assert stock(run, "waited", "crane") == 1
    assert stock(run, "wait_us", "crane") == 4 * MINUTE_US
    run = repaired(30, {"crane": 2}, *stops)
    assert run.minutes("B", t.FAILED) == 6
    assert stock(run, "waited", "crane") == 0


def test_a_tool_of_a_repair_takes_its_time_to_come_back() -> None:
    stops = [fails(10, 6, tools="crane"), fails(12, 6, tools="crane")]
    run = repaired(40, {"crane": {"back": "3 min"}}, *stops)
    assert run.minutes("B", t.FAILED) == 4 + 3 + 6


def test_a_repair_has_its_tool_while_it_waits_for_its_crew() -> None:
    stops = [
        fails(10, 6, tools="crane", crew="fitter"),
        fails(12, 6, tools="crane", crew="fitter"),
        fails(13, 6, crew="fitter"),
        fails(14, 2, tools="crane"),
    ]
    run = repaired(40, {"crane": 2}, *stops, people={"fitter": 1})
    assert run.minutes("A", t.FAILED) == 6
    assert run.minutes("B", t.FAILED) == 4 + 6
    assert run.minutes("C", t.FAILED) == 3 + 6 + 6
    assert run.minutes("D", t.FAILED) == 2 + 2  # B has the other crane


def test_a_crew_is_not_kept_for_a_repair_without_its_tool() -> None:
    stops = [
        fails(10, 9, tools="crane"),
        fails(11, 5, tools="crane", crew="fitter"),
        fails(12, 5, crew="fitter"),
    ]
    run = repaired(40, {"crane": 1}, *stops, people={"fitter": 1})
    assert run.minutes("C", t.FAILED) == 5
    assert run.minutes("B", t.FAILED) == 8 + 5


def test_a_repair_looks_for_its_tool_when_it_has_its_spare() -> None:
    spares = {"spares": 0, "swap": "2 min", "tools": "crane"}
    stops = [fails(10, 6, **spares), fails(12, 1, tools="crane")]
    run = repaired(40, {"crane": 1}, *stops)
    assert run.minutes("A", t.FAILED) == 6 + 2
    assert run.minutes("B", t.FAILED) == 1


def test_who_asked_first_is_served_first_and_by_nobody_overtaken() -> None:
    stops = [
        fails(10, 10, tools="crane"),
        fails(11, 5, tools={"crane": 2}),
        fails(12, 3, tools=["crane"]),
    ]
    run = repaired(60, {"crane": 2}, *stops)
    assert run.minutes("A", t.FAILED) == 10
    assert run.minutes("B", t.FAILED) == 9 + 5
    assert run.minutes("C", t.FAILED) == 13 + 3


def test_tools_of_several_kinds_are_taken_all_at_once_or_not_at_all() -> None:
    stops = [
        fails(10, 10, tools="crane"),
        fails(11, 5, tools=["gauge", "crane"]),
        fails(12, 20, tools="gauge"),
        fails(13, 3, tools="crane"),
    ]
    run = repaired(60, {"crane": 1, "gauge": 1}, *stops)
    # C takes the gauge beside B, which waits for the crane; then D takes the crane
    assert run.minutes("C", t.FAILED) == 20
    assert run.minutes("D", t.FAILED) == 7 + 3
    assert run.minutes("B", t.FAILED) == 21 + 5
    assert stock(run, "waited", "crane") == 2
    assert stock(run, "waited", "gauge") == 1
    assert stock(run, "wait_us", "gauge") == 12 * MINUTE_US


def gauged(process: int) -> Any:
    return {"process": f"{process} min"}


def test_repairs_go_before_the_operations_that_want_the_tool() -> None:
    run = repaired(
        22,
        {"gauge": 1},
        fails(10, 6, tools="gauge"),
        stations={"L": gauged(4), "M": gauged(4)},
        products={n: {"route": [{"station": n, "tools": "gauge"}]} for n in "LM"},
    )
    assert sorted(at(run, "L") + at(run, "M")) == [0, 4, 8, 18, 22]
    assert run.minutes("A", t.FAILED) == 2 + 6


def test_what_a_repair_waits_for_is_kept_for_it() -> None:
    run = repaired(
        24,
        {"gauge": 2},
        fails(9, 6, tools={"gauge": 2}),
        stations={"L": gauged(4), "M": gauged(7)},
        products={n: {"route": [{"station": n, "tools": "gauge"}]} for n in "LM"},
    )
    assert at(run, "L") == [0, 4, 8, 20, 24]  # one was free from 12 to 14
    assert at(run, "M") == [0, 7, 20]
    assert run.minutes("L", t.WAITING) == 8
    assert run.minutes("A", t.FAILED) == 5 + 6


def test_maintenance_waits_for_its_tool_as_maintenance() -> None:
    work = {"every": "9 d", "first": "10 min", "duration": "5 min", "tools": "crane"}
    run = repaired(
        40,
        {"crane": 1},
        fails(8, 9, tools="crane"),
        stations={"M": {"process": "4 min", "maintenance": {"m": work}}},
        products={"M": {"route": ["M"]}},
    )
    assert run.minutes("M", t.MAINTENANCE) == 5 + 5  # from 12, when its part is done


def test_a_failure_of_several_stations_takes_its_tools_once() -> None:
    common: dict[str, Any] = {"stations": ["A", "B"], "every": "9 d", "first": "10 min"}
    common |= {"repair": "5 min", "tools": {"crane": 2}}
    run = repaired(
        40,
        {"crane": 2},
        fails(8, 6, tools="crane"),
        fails(30, 1),
        failures={"air": common},
    )
    assert stock(run, "taken", "crane") == 3
    assert run.minutes("B", t.FAILED) == 4 + 5 + 1
    assert run.minutes("A", t.FAILED) == 11


def test_servers_that_have_what_the_repairs_of_others_need_stand_still() -> None:
    run = repaired(
        600,
        {"crane": 1, "gauge": 1},
        fails(9, 6, tools="gauge"),
        fails(9, 6, tools="crane"),
        products={
            "A": {"route": [{"station": "A", "tools": "crane"}]},
            "B": {"route": [{"station": "B", "tools": "gauge"}]},
        },
    )
    assert run.code == t.STANDSTILL
    assert run.minutes("A", t.FAILED) == 591


# ------------------------------------------------------------------ tools for setups


def set_up(minutes: int, n: int, **more: Any) -> Run:
    """Return a run of stations that are set up before each part for three minutes."""
    setup = {"time": "3 min", "first": "3 min", "tools": "gauge"}
    return Run(
        minutes,
        tools={"gauge": n},
        stations={
            name: {
                "process": "10 min",
                "setup": setup,
                "dispatch": "fifo",
                **more.get(name, {}),
            }
            for name in "AB"
        },
        products={
            f"{name}{i}": {"route": [name], "release": every(999, first=f"{i} min")}
            for name in "AB"
            for i in range(2)
        },
        **more.get("line", {}),
    )


def test_a_setup_has_its_tool_until_it_ends_and_no_longer() -> None:
    run = set_up(60, 1)
    # A from 0 to 3 and from 13 to 16, B from 3 to 6 and from 16 to 19
    assert run.minutes("A", t.SETUP) == run.minutes("B", t.SETUP) == 6
    assert run.minutes("A", t.WAITING) == 0
    assert run.minutes("B", t.WAITING) == 3
    assert stock(run, "taken", "gauge") == 4
    assert stock(run, "waited", "gauge") == 2  # work ends first at minute 16
    assert stock(run, "wait_us", "gauge") == 3 * MINUTE_US
    assert set_up(60, 2).minutes("B", t.WAITING) == 0


def test_a_setup_asks_for_its_people_when_it_has_its_tool() -> None:
    people = {"people": {"setup": "setter"}}
    run = set_up(60, 1, A=people, B=people, line={"people": {"setter": 2}})
    assert run.minutes("B", t.WAITING) == 3
    assert int(run.state.pools["area_us"][0]) == 4 * 3 * MINUTE_US
    run = set_up(60, 2, A=people, B=people, line={"people": {"setter": 1}})
    assert run.minutes("B", t.WAITING) == 3
    assert stock(run, "waited", "gauge") == 0


def test_a_setup_that_is_interrupted_keeps_its_tool() -> None:
    run = set_up(60, 1, A={"failures": {"f": fails(1, 8)}})
    assert run.minutes("A", t.SETUP) == 6
    assert run.minutes("B", t.WAITING) == 11  # to the end of the setup of A


def test_a_setup_that_waits_loses_its_turn_when_its_server_fails() -> None:
    run = set_up(60, 1, B={"failures": {"f": fails(2, 8)}})
    # A has it from 0 to 3; B waits from 0 to 2 and asks again at 10
    assert run.minutes("B", t.WAITING) == 2
    assert run.minutes("B", t.SETUP) == 6
    assert stock(run, "wait_us", "gauge") == 2 * MINUTE_US


def test_a_setup_goes_on_waiting_after_a_break() -> None:
    breaks = [{"from": "00:02", "to": "00:10"}]
    shifts = [{"from": "00:00", "to": "12:00", "breaks": breaks}]
    line = {"calendars": {"day": {"shifts": shifts}}}
    run = set_up(60, 1, A={"process": "1 min"}, B={"calendar": "day"}, line=line)
    assert run.minutes("B", t.WAITING) == 2  # then A has it again, and no more from 10
    assert run.minutes("B", t.SETUP) == 6


def test_a_setup_may_take_what_its_operation_has_too() -> None:
    run = Run(
        60,
        tools={"gauge": 2},
        stations={
            name: {"process": "10 min", "setup": {"first": "3 min", "tools": "gauge"}}
            for name in "AB"
        },
        products={
            "a": {"route": [{"station": "A", "tools": "gauge"}]},
            "b": {"route": ["B"]},
        },
    )
    assert run.minutes("A", t.SETUP) == run.minutes("B", t.SETUP) == 3
    assert run.minutes("B", t.WAITING) == 3


def test_the_trace_says_at_which_server_a_tool_is() -> None:
    run = set_up(60, 1)
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    log = event_log(run.lowered, rows).to_pylist()
    took = [(row["time_us"] // MINUTE_US, row["station"], row["name"]) for row in log
            if row["kind"] == "take"]  # fmt: skip
    assert took == [(0, "A", "gauge"), (3, "B", "gauge"), (13, "A", "gauge"),
                    (16, "B", "gauge")]  # fmt: skip


# ------------------------------------------------------------------ loops


def looped(cards: int, minutes: int = 60, **more: Any) -> Run:
    loop = {"cards": cards, "from": "A", "to": "B", **more}
    return Run(
        minutes,
        loops={"card": loop},
        stations={
            "A": {"process": "2 min"},
            "B": {"process": "5 min"},
            "C": {"process": "1 min"},
        },
        products={"p": {"route": ["A", "B", "C"]}},
    )


def test_a_loop_caps_what_is_between_its_ends() -> None:
    assert at(looped(1, 20), "A") == [0, 7, 14]
    assert at(looped(2, 20), "A") == [0, 2, 7, 12, 17]


def test_cards_that_come_back_late() -> None:
    assert at(looped(1, 20, back="3 min"), "A") == [0, 10, 20]


def test_a_card_may_be_handed_back_when_the_next_operation_begins() -> None:
    run = Run(
        40,
        loops={"card": {"cards": 1, "from": "A", "to": "A", "hand_back": "next"}},
        stations={"A": {"process": "2 min"}, "B": {"process": "5 min"}},
        products={"p": {"route": ["A", "B"]}},
    )
    # the next is made when the last is taken away, as with one kanban card
    assert at(run, "A")[:5] == [0, 2, 7, 12, 17]


def test_a_part_that_is_sent_back_takes_its_card_again() -> None:
    run = Run(
        600,
        20_000,
        loops={"card": {"cards": 2, "from": "A", "to": "B"}},
        stations={"A": {"process": "2 min"}, "B": {"process": "1 min"}},
        products={
            "p": {
                "route": [
                    "A",
                    {
                        "station": "B",
                        "inspection": {
                            "pass": 0.5,
                            "rework_to": "A",
                            "rework_limit": 2,
                        },
                    },
                ]
            }
        },
    )
    assert run.count("reworked", "p") > 50
    assert run.count("scrapped", "p") > 10


def test_a_part_that_is_sent_back_into_a_loop_keeps_its_card() -> None:
    check = {"pass": 0.5, "rework_to": "B", "rework_limit": 3}
    run = Run(
        600,
        20_000,
        loops={"card": {"cards": 1, "from": "A", "to": "C"}},
        stations={name: {"process": "1 min"} for name in "ABC"},
        products={"p": {"route": ["A", "B", {"station": "C", "inspection": check}]}},
    )
    assert run.count("reworked", "p") > 50
    most = max(run.state.buffers["highest"])
    assert most == 0  # there is never a second part between A and C
    assert run.state.stocks["free"][0] in {0, 1}


def test_heavier_products_take_more_cards() -> None:
    run = Run(
        20,
        loops={"rope": {"cards": 3, "from": "A", "to": "B", "takes": {"big": 3}}},
        stations={"A": {"process": "1 min", "servers": 9}, "B": {"process": "9 min"}},
        products={"big": {"route": ["A", "B"]}},
    )
    assert at(run, "A") == [0, 10, 20]


def test_units_in_process_inside_a_loop_have_their_cards() -> None:
    run = Run(
        7,
        loops={"card": {"cards": 2, "from": "A", "to": "B"}},
        stations={"A": {"process": "2 min"}, "B": {"process": "5 min"}},
        products={"p": {"route": ["A", "B"]}},
        in_process=[{"product": "p", "operation": "B", "quantity": 2}],
    )
    assert at(run, "A") == [5]


def test_too_few_cards_for_the_units_in_process_are_named() -> None:
    with pytest.raises(KernelError, match='more than all of "card"'):
        Run(
            7,
            loops={"card": {"cards": 1, "from": "A", "to": "B"}},
            stations={"A": {"process": "2 min"}, "B": {"process": "5 min"}},
            products={"p": {"route": ["A", "B"]}},
            in_process=[{"product": "p", "operation": "B", "quantity": 2}],
        )
    with pytest.raises(KernelError, match="give its buffer more places"):
        Run(
            7,
            stations={"A": {"process": "2 min", "buffer": 1}},
            products={"p": {"route": ["A"], "release": every(9)}},
            in_process=[{"product": "p", "operation": "A", "quantity": 4}],
        )


# ------------------------------------------------------------------ materials


def with_material(minutes: int, **material: Any) -> Run:
    return Run(
        minutes,
        materials={"sheet": {"lead_time": "30 min", **material}},
        stations={"A": {"process": "10 min"}},
        products={
            "p": {"route": ["A"], "bom": {"sheet": {"quantity": 2, "bought": True}}}
        },
    )


def test_a_material_is_ordered_at_its_reorder_point() -> None:
    run = with_material(119, stock=6, reorder_point=4, lot=4)
    # 6, taken 2: 4 left at 0, so 4 are ordered and come at 30, and so on
    assert at(run, "A") == [10 * i for i in range(12)][: len(at(run, "A"))]
    assert stock(run, "taken", "sheet") == 2 * len(at(run, "A"))


def test_without_material_the_station_waits() -> None:
    run = with_material(99, stock=2, reorder_point=0, lot=2)
    assert at(run, "A") == [0, 30, 60, 90]
    assert run.minutes("A", t.WAITING) == 60
    assert run.minutes("A", t.PROCESSING) == 39


def test_a_late_delivery() -> None:
    run = with_material(
        99, stock=2, reorder_point=0, lot=2, late={"share": 1, "by": "10 min"}
    )
    assert at(run, "A") == [0, 40, 80]


def test_a_product_may_have_units_in_store_at_the_start() -> None:
    run = Run(
        30,
        stations={"make": {"process": "10 min"}, "ship": {"process": "0 min"}},
        products={
            "item": {"route": ["make"], "stock": 2, "release": {"kind": "with_parent"}},
            "customer": {
                "route": ["ship"],
                "bom": {"item": 1},
                "release": every(1, first="1 min"),
            },
        },
    )
    # base stock of two: at 1 and 2 from the store, then every ten minutes
    assert at(run, "ship") == [1, 2, 11, 21]


# ------------------------------------------------------------------ stops


def test_a_common_failure_stops_all_its_stations() -> None:
    run = Run(
        60,
        stations={name: {"process": "10 min", "servers": 2} for name in "ABC"},
        products={name: {"route": [name]} for name in "ABC"},
        failures={
            "air": {"stations": ["B", "A"], "every": "13 min", "repair": "5 min"}
        },
    )
    assert run.minutes("A", t.FAILED) == run.minutes("B", t.FAILED) == 30
    assert run.minutes("C", t.FAILED) == 0


def test_a_server_that_is_down_waits_for_the_common_repair_too() -> None:
    own = {"every": "100 min", "first": "12 min", "repair": "3 min"}
    run = Run(
        40,
        stations={
            "A": {"process": "10 min", "failures": {"own": own}},
            "B": {"process": "10 min"},
        },
        products={name: {"route": [name]} for name in "AB"},
        failures={
            "air": {"stations": ["A", "B"], "every": "13 min", "repair": "8 min"}
        },
    )
    # down 12 to 15 by itself, 13 to 21 with all, 34 to 42 again
    assert run.minutes("A", t.FAILED) == 9 + 6
    assert run.minutes("B", t.FAILED) == 8 + 6


def worn(minutes: int, **work: Any) -> Run:
    return Run(
        minutes,
        stations={
            "A": {
                "process": "1 min",
                "failures": {
                    "wears": {"every": "10 min", "steps": 4, "repair": "20 min"}
                },
                "maintenance": {"renew": {"duration": "5 min", **work}} if work else {},
            }
        },
        products={"p": {"route": ["A"]}},
    )


def test_what_wears_by_steps_fails_at_the_last() -> None:
    run = worn(60)
    assert run.minutes("A", t.PROCESSING) == 40
    assert run.minutes("A", t.FAILED) == 20


def test_maintenance_by_its_state_comes_before_the_failure() -> None:
    run = worn(72, when_worn={"wears": 3})
    # thirty minutes of work, the part then begun, five of maintenance: 36 minutes
    assert run.minutes("A", t.FAILED) == 0
    assert run.minutes("A", t.MAINTENANCE) == 10
    assert run.minutes("A", t.PROCESSING) == 62


def test_maintenance_begins_in_its_window_only() -> None:
    night = {"shifts": [{"from": "02:00", "to": "03:00"}]}
    run = Run(
        180,
        calendars={"night": night},
        stations={
            "A": {
                "process": "7 min",
                "maintenance": {
                    "m": {"every": "50 min", "duration": "10 min", "window": "night"}
                },
            }
        },
        products={"p": {"route": ["A"]}},
    )
    # due at 50, begun when the part on the server at 120 is finished, at 126;
    # due again at 186
    assert run.minutes("A", t.MAINTENANCE) == 10
    starts = at(run, "A")
    assert 126 not in starts
    assert 136 in starts


def test_maintenance_is_put_off_while_parts_wait() -> None:
    def run(**work: Any) -> list[float]:
        return at(
            Run(
                60,
                stations={
                    "A": {
                        "process": "5 min",
                        "maintenance": {
                            "m": {
                                "every": "100 min",
                                "first": "7 min",
                                "duration": "10 min",
                                **work,
                            }
                        },
                    }
                },
                products={
                    "p": {
                        "route": ["A"],
                        "release": {"every": "60 min", "quantity": 4, "first": "0 min"},
                    }
                },
            ),
            "A",
        )

    assert run() == [0, 5, 20, 25, 60]
    assert run(defer="8 min") == [0, 5, 10, 25, 60]
    assert run(defer="40 min") == [0, 5, 10, 15, 60]


def test_a_failed_component_is_swapped_while_there_are_spares() -> None:
    failure = {
        "every": "10 min",
        "repair": "35 min",
        "spares": 1,
        "swap": "2 min",
        "clock": "calendar",
    }
    run = Run(
        70,
        stations={"A": {"process": "1 min", "failures": {"pump": failure}}},
        products={"p": {"route": ["A"]}},
    )
    # fails at 10, swapped till 12; at 22, no spare until 45, swapped till 47;
    # at 57 it fails and the one that failed at 22 comes back; then it waits from 69
    assert run.minutes("A", t.FAILED) == 2 + 25 + 2 + (70 - 69)
    assert stock(run, "waited", "A pump spares") == 3
    assert stock(run, "wait_us", "A pump spares") == 23 * 60_000_000
