"""Tools, loops, materials, spares, wear and common failures: worked out in the head."""

from __future__ import annotations

from typing import Any

import pytest

from linewright import tables as t
from linewright.errors import KernelError
from tests.test_floor_rules import at
from tests.test_kernel_rules import Run, every

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
