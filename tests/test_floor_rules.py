"""What machines do with parts: a small line for each rule, worked out in the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from tests.test_kernel_rules import Run, every

pytestmark = pytest.mark.nojit


def at(run: Run, station: str) -> list[float]:
    """Return the minutes at which parts started at a station."""
    return [minute for _, minute in run.starts(station)]


def events(run: Run, kind: int) -> list[float]:
    """Return the minutes of a kind of trace rows."""
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    return [float(r[0]) / 60e6 for r in rows[rows[:, 1] == kind]]


# ------------------------------------------------------------------ batches


def oven(release: dict[str, Any], minutes: int = 60, **batch: Any) -> Run:
    return Run(
        minutes,
        stations={"oven": {"process": "10 min", "batch": batch}},
        products={"part": {"route": ["oven"], "release": release}},
    )


def test_a_batch_waits_until_it_is_large_enough() -> None:
    run = oven(every(4), 29, min=3, max=4)
    assert at(run, "oven") == [12, 12, 12, 24, 24, 24]
    assert run.of_station("batches", "oven") == 2
    assert run.count("finished", "part") == 3
    assert run.minutes("oven", t.PROCESSING) == 15


def test_a_batch_takes_what_has_come_meanwhile_up_to_its_most() -> None:
    run = oven(every(2), 40, min=3, max=4)
    assert at(run, "oven") == [6] * 3 + [16] * 4 + [26] * 4 + [36] * 4


def test_a_part_does_not_wait_for_its_batch_for_ever() -> None:
    run = oven(every(5), 40, min=3, max=4, longest_wait="7 min")
    assert at(run, "oven") == [12, 12, 22, 22, 32, 32]


def test_always_available_material_fills_the_oven() -> None:
    run = oven({"kind": "always"}, 35, min=1, max=5)
    assert run.count("finished", "part") == 15


@pytest.mark.parametrize(
    ("mix", "batches"), [("step", 2), ("operation", 1), ("family", 2), ("any", 1)]
)
def test_what_may_share_a_batch(mix: str, batches: int) -> None:
    products = {
        name: {
            "family": name,
            "route": ["oven"],
            "release": {"every": "100 min", "first": "0 min"},
        }
        for name in ("red", "blue")
    }
    stations: dict[str, Any] = {
        "oven": {"process": "9 min", "batch": {"max": 4, "mix": mix}}
    }
    stations["gate"] = {"process": "1 min"}
    for product in products.values():
        product["route"] = ["gate", "oven"]
    stations["gate"]["servers"] = 2  # both come at once
    stations["oven"]["batch"]["min"] = 2 if batches == 1 else 1
    run = Run(30, stations=stations, products=products)
    assert run.of_station("batches", "oven") == batches
    assert sum(run.count("finished", name) for name in products) == 2


def test_products_on_one_route_share_a_batch() -> None:
    release = {"every": "100 min", "first": "0 min"}
    run = Run(
        30,
        stations={"oven": {"process": "9 min", "batch": {"min": 2, "max": 2}}},
        products={
            "lot": {"route": ["oven"], "release": release},
            "hot lot": {"route_of": "lot", "release": release, "priority": 5},
        },
    )
    assert run.starts("oven") == [("lot", 0), ("hot lot", 0)]


def test_time_per_unit_adds_up_over_a_batch_of_lots() -> None:
    run = Run(
        100,
        stations={"oven": {"process": "2 min", "batch": {"min": 6, "max": 6}}},
        products={
            "lot": {
                "lot_size": 3,
                "route": [{"station": "oven", "process_per": "unit"}],
                "release": every(5),
            }
        },
    )
    assert at(run, "oven")[:4] == [10, 10, 22, 22]
    assert run.minutes("oven", t.STARVED) == 10


def test_a_batch_stays_until_its_last_part_has_gone() -> None:
    run = Run(
        60,
        stations={
            "oven": {"process": "5 min", "batch": {"min": 3, "max": 3}},
            "pack": {"process": "10 min", "buffer": 1},
        },
        products={"part": {"route": ["oven", "pack"], "release": every(1)}},
    )
    # at 8 one is packed, one waits in the buffer, one on the oven until 18
    assert at(run, "oven")[:6] == [3, 3, 3, 18, 18, 18]
    assert run.minutes("oven", t.BLOCKED) > 10


def test_each_part_of_a_batch_has_its_own_verdict() -> None:
    run = Run(
        5_000,
        60_000,
        stations={"oven": {"process": "10 min", "batch": {"min": 4, "max": 4}}},
        products={
            "part": {
                "route": [
                    {"station": "oven", "inspection": {"pass": 0.5, "scrap": 0.5}}
                ],
                "release": every(3),
            }
        },
    )
    good, bad = run.count("finished", "part"), run.count("scrapped", "part")
    assert good + bad > 1_600
    assert 0.45 < good / (good + bad) < 0.55
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    verdicts = rows[rows[:, 1] == t.T_VERDICT]
    ends = {
        time: set(verdicts[verdicts[:, 0] == time, 6] & 3) for time in verdicts[:, 0]
    }
    mixed = sum(len(found) > 1 for found in ends.values())
    assert 0.8 < mixed / len(ends) < 0.95  # of four, 7/8 are not all alike


def test_a_failure_that_scraps_takes_the_whole_batch() -> None:
    failure = {"every": "15 min", "repair": "5 min", "part": "scrap"}
    run = Run(
        22,
        stations={
            "oven": {
                "process": "10 min",
                "batch": {"min": 2, "max": 2},
                "failures": {"burns": failure},
            }
        },
        products={"part": {"release": every(1), "route": ["oven"]}},
    )
    assert run.count("scrapped", "part") == 2
    assert run.count("finished", "part") == 2


def test_parts_that_come_at_once_go_to_all_servers_that_stand_ready() -> None:
    run = Run(
        20,
        stations={"oven": {"process": "9 min", "servers": 3, "batch": {"max": 1}}},
        products={"part": {"release": {"kind": "orders"}, "route": ["oven"]}},
        orders=[{"product": "part", "quantity": 3, "release": "1 min"}],
    )
    assert at(run, "oven") == [1, 1, 1]


# ------------------------------------------------------------------ people


def crew(n: int, minutes: int = 100, **more: Any) -> Run:
    """Two mills that break after each 10 minutes of work, for 5."""
    failure = {"every": "10 min", "repair": "5 min"}
    station = {"process": "2 min", "failures": {"breaks": failure}, **more}
    station["people"] = {"repair": "fitters"}
    return Run(
        minutes,
        people={"fitters": n},
        stations={"one": station, "two": station},
        products={
            "a": {"route": ["one"]},
            "b": {"route": ["two"]},
        },
    )


def test_a_repair_waits_for_its_crew() -> None:
    run = crew(2, 45)
    assert run.minutes("one", t.FAILED) == run.minutes("two", t.FAILED) == 15
    run = crew(1, 22)  # both break at 10
    assert run.minutes("one", t.FAILED) == 5
    assert run.minutes("two", t.FAILED) == 10
    assert int(run.state.pools["waited"][0]) == 1


def test_one_operator_loads_two_machines() -> None:
    station = {
        "process": "6 min",
        "load": "2 min",
        "people": {"load": "operator"},
    }
    run = Run(
        40,
        people={"operator": 1},
        stations={"one": station, "two": station},
        products={"a": {"route": ["one"]}, "b": {"route": ["two"]}},
    )
    # loads at 0 and 2; each machine is loaded again every 8 minutes, never at once
    assert run.minutes("one", t.WAITING) == 0
    assert run.minutes("two", t.WAITING) == 2
    assert run.minutes("one", t.LOADING) == 10
    busy = int(run.state.pools["area_us"][0]) / 60e6
    assert busy + 40 * int(run.state.pools["busy"][0]) == 20


def test_people_stay_from_one_piece_of_work_to_the_next() -> None:
    run = Run(
        100,
        people={"operator": 1},
        stations={
            "mill": {
                "process": "3 min",
                "load": "1 min",
                "unload": "1 min",
                "people": {"load": "operator", "process": "operator"},
            },
            "lathe": {"process": "2 min", "people": {"process": "operator"}},
        },
        products={"a": {"route": ["mill"]}, "b": {"route": ["lathe"]}},
    )
    # 4 minutes at the mill, 2 at the lathe, and so on; unloading goes on by itself
    assert run.count("finished", "a") == 16
    assert run.count("finished", "b") == 16


def test_people_come_with_their_shift_and_finish_what_they_began() -> None:
    run = Run(
        24 * 60,
        people={"operator": {"count": 1, "calendar": "day"}},
        calendars={"day": {"shifts": [{"from": "06:00", "to": "14:00"}]}},
        stations={"mill": {"process": "50 min", "people": {"process": "operator"}}},
        products={"part": {"route": ["mill"]}},
    )
    starts = at(run, "mill")
    assert starts[0] == 0  # on the machine, but nobody is there
    assert run.count("finished", "part") == 10  # the last one is ready at 14:20
    assert run.minutes("mill", t.PROCESSING) == 500
    assert run.minutes("mill", t.WAITING) == 24 * 60 - 500


# ------------------------------------------------------------------ loading, cascades


def test_loading_and_unloading_take_the_server() -> None:
    run = Run(
        30,
        stations={"mill": {"process": "5 min", "load": "2 min", "unload": "1 min"}},
        products={"part": {"route": ["mill"]}},
    )
    assert at(run, "mill") == [0, 8, 16, 24]
    assert run.minutes("mill", t.LOADING) == 3 * 3 + 2
    assert run.minutes("mill", t.PROCESSING) == 3 * 5 + 4
    assert run.count("finished", "part") == 3


def test_unloading_wears_no_machine_that_fails_by_processing_time() -> None:
    station = {
        "process": "5 min",
        "unload": "2 min",
        "failures": {
            "f": {"every": "11 min", "repair": "1 min", "clock": "processing"}
        },
    }
    run = Run(30, stations={"mill": station}, products={"part": {"route": ["mill"]}})
    # 5 of work and 2 of unloading, twice; the 11th minute of work is that from 14 on
    assert run.minutes("mill", t.FAILED) == 1
    assert at(run, "mill") == [0, 7, 14, 22, 29]


def test_a_machine_that_cascades_takes_the_next_part_early() -> None:
    run = Run(
        30,
        stations={"wet bench": {"process": "12 min"}, "pack": {"process": "1 min"}},
        products={
            "part": {
                "route": [{"station": "wet bench", "cascade": "4 min"}, "pack"],
            }
        },
    )
    assert at(run, "wet bench") == [0, 4, 8, 12, 16, 20, 24, 28]
    assert at(run, "pack") == [12, 16, 20, 24, 28]
    assert run.minutes("wet bench", t.PROCESSING) == 30


def test_loading_goes_on_beside_the_work_of_a_cascade() -> None:
    station = {"process": "12 min", "load": "1 min", "unload": "2 min"}
    run = Run(
        30,
        stations={"track": station},
        products={"part": {"route": [{"station": "track", "cascade": "5 min"}]}},
    )
    assert at(run, "track") == [0, 5, 10, 15, 20, 25, 30]
    assert run.minutes("track", t.LOADING) == 0
    assert events(run, t.T_EXIT) == [15, 20, 25, 30]


def test_a_part_rests_without_its_server() -> None:
    run = Run(
        40,
        stations={"cast": {"process": "5 min"}, "trim": {"process": "1 min"}},
        products={
            "part": {
                "release": every(10, first="0 min"),
                "route": [{"station": "cast", "rest": "7 min"}, "trim"],
            }
        },
    )
    assert at(run, "trim") == [12, 22, 32]


# ------------------------------------------------------------------ samples, dedication


def test_every_nth_part_visits() -> None:
    run = Run(
        100,
        stations={"mill": {"process": "5 min"}, "measure": {"process": "1 min"}},
        products={
            "part": {"route": ["mill", {"station": "measure", "sample": {"every": 3}}]}
        },
    )
    assert at(run, "measure") == [15, 30, 45, 60, 75, 90]
    assert run.count("finished", "part") == 20


def test_a_share_of_the_parts_visits() -> None:
    run = Run(
        20_000,
        200_000,
        stations={"mill": {"process": "5 min"}, "measure": {"process": "1 min"}},
        products={"part": {"route": ["mill", {"station": "measure", "sample": 0.3}]}},
    )
    share = len(at(run, "measure")) / len(at(run, "mill"))
    assert 0.27 < share < 0.33


def test_a_part_goes_back_to_the_server_that_it_had() -> None:
    run = Run(
        400,
        40_000,
        stations={
            "litho": {"process": "uniform(3 min, 9 min)", "servers": 3},
            "etch": {"process": "uniform(1 min, 9 min)", "servers": 3},
        },
        products={
            "wafer": {
                "release": every(5),
                "route": [
                    {"operation": "first", "station": "litho"},
                    "etch",
                    {
                        "operation": "again",
                        "station": "litho",
                        "same_server_as": "first",
                    },
                ],
            }
        },
    )
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    starts = rows[(rows[:, 1] == t.T_START)]
    first = {int(r[4]): int(r[2]) for r in starts if r[5] == 0}
    again = {int(r[4]): int(r[2]) for r in starts if r[5] == 2}
    assert len(again) > 50
    assert all(first[serial] == server for serial, server in again.items())
    assert len(set(again.values())) == 3


# ------------------------------------------------------------------ time limits


def cure(missed: str, minutes: int = 60, **more: Any) -> Run:
    """Glue is ready at 1, 2 and 3, the press takes 5: the third comes too late."""
    return Run(
        minutes,
        stations={"glue": {"process": "1 min"}, "press": {"process": "5 min"}},
        products={
            "part": {
                "release": {"kind": "orders"},
                "route": [
                    "glue",
                    {
                        "station": "press",
                        "time_limit": {
                            "after": "glue",
                            "within": "6 min",
                            "missed": missed,
                        },
                    },
                ],
                **more,
            }
        },
        orders=[{"product": "part", "quantity": 3}],
    )


def test_a_part_that_comes_too_late_is_counted() -> None:
    run = cure("count")
    assert at(run, "press") == [1, 6, 11]  # the third was glued at 3
    assert run.of_station("late", "press") == 1
    assert run.count("finished", "part") == 3


def test_a_part_that_comes_too_late_is_scrapped() -> None:
    run = cure("scrap")
    assert at(run, "press") == [1, 6]
    assert run.count("scrapped", "part") == 1
    assert run.of_station("late", "press") == 1


def test_a_part_that_comes_too_late_is_sent_back() -> None:
    run = cure("rework")
    assert at(run, "glue") == [0, 1, 2, 11]
    assert at(run, "press") == [1, 6, 12]
    assert run.count("reworked", "part") == 1


# ------------------------------------------------------------------ setups, queues


def test_setups_of_operations_and_the_least_of_them_first() -> None:
    route = [
        {"operation": "a", "station": "implant", "family": "boron"},
        {"operation": "b", "station": "implant", "family": "arsenic"},
        {"operation": "c", "station": "implant"},
    ]
    run = Run(
        100,
        stations={
            "implant": {
                "process": "4 min",
                "dispatch": ["least_setup", "fifo"],
                "setup": {
                    "by": "operation",
                    "matrix": {"any": {"boron": "2 min", "arsenic": "3 min"}},
                },
            }
        },
        products={"wafer": {"release": {"kind": "orders"}, "route": route}},
        orders=[{"product": "wafer", "quantity": 2}],
    )
    # boron twice, then arsenic for both; what needs no setup counts as none
    assert at(run, "implant") == [0, 6, 10, 17, 21, 25]
    assert run.of_station("setups", "implant") == 2


def test_a_run_is_not_ended_before_its_time() -> None:
    def starts(**setup: Any) -> list[str]:
        run = Run(
            46,
            stations={
                "press": {
                    "process": "4 min",
                    "dispatch": "priority",
                    "setup": {"time": "1 min", **setup},
                }
            },
            products={
                "base": {"release": {"kind": "orders"}, "route": ["press"]},
                "hot": {
                    "release": {"kind": "orders"},
                    "route": ["press"],
                    "priority": 9,
                },
            },
            orders=[
                {"product": "base", "quantity": 6},
                {"product": "hot", "release": "5 min"},
            ],
        )
        return [name for name, _ in run.starts("press")]

    assert starts()[:4] == ["base", "base", "hot", "base"]
    assert starts(minimum_run=4)[:5] == ["base"] * 4 + ["hot"]


def test_rules_settle_ties_one_after_the_other() -> None:
    products = {
        name: {"release": {"kind": "orders"}, "route": ["press"]}
        for name in ("first", "late", "soon", "hot")
    }
    run = Run(
        60,
        stations={
            "press": {"process": "5 min", "dispatch": ["priority", "earliest_due_date"]}
        },
        products=products,
        orders=[
            {"product": "first"},
            {"product": "late", "due": "9 h", "release": "1 min"},
            {"product": "soon", "due": "1 h", "release": "2 min"},
            {"product": "hot", "due": "20 h", "release": "3 min", "priority": 1},
        ],
    )
    assert [n for n, _ in run.starts("press")] == ["first", "hot", "soon", "late"]


# ------------------------------------------------------------------ stops, due dates


def test_maintenance_by_units_counts_lots_whole_and_has_a_first_time() -> None:
    run = Run(
        100,
        stations={
            "press": {
                "process": "4 min",
                "maintenance": {
                    "clean": {
                        "every": "6 units",
                        "first": "3 units",
                        "duration": "10 min",
                    }
                },
            }
        },
        products={"pair": {"lot_size": 2, "route": ["press"]}},
    )
    # after two lots (3 units are passed), then after every third lot
    assert at(run, "press")[:6] == [0, 4, 18, 22, 26, 40]


def test_units_due_so_long_after_their_release() -> None:
    run = Run(
        20,
        stations={"press": {"process": "4 min"}},
        products={
            "part": {
                "route": ["press"],
                "release": {"every": "3 min", "first": "0 min", "due": "5 min"},
            }
        },
    )
    # done at 4, 8, 12, 16, 20; due at 5, 8, 11, 14, 17
    assert run.count("due", "part") == 5
    assert run.count("on_time", "part") == 2
    assert run.count("tardy_us", "part") == (1 + 2 + 3) * 60_000_000


def test_units_in_process_start_where_they_wait() -> None:
    run = Run(
        30,
        stations={"mill": {"process": "4 min"}, "grind": {"process": "6 min"}},
        products={"part": {"route": ["mill", "grind"], "release": every(100)}},
        in_process=[
            {"product": "part", "operation": "grind", "quantity": 2, "due": "7 min"},
            {"product": "part", "operation": "mill"},
        ],
    )
    assert at(run, "grind") == [0, 6, 12]
    assert at(run, "mill") == [0]
    assert run.count("finished", "part") == 3
    assert run.count("on_time", "part") == 1
    assert np.isclose(run.minutes("grind", t.PROCESSING), 18)


@pytest.mark.parametrize(("holds", "starts"), [(False, [3, 10]), (True, [3, 11])])
def test_a_server_that_is_down_may_hold_its_part(
    holds: bool, starts: list[float]
) -> None:
    run = Run(
        16,
        stations={
            "mill": {
                "process": "3 min",
                "holds_when_stopped": holds,
                "failures": {
                    "stops": {"every": "7 min", "repair": "4 min", "clock": "calendar"}
                },
            },
            "grind": {"process": "7 min", "buffer": 0},
        },
        products={"part": {"route": ["mill", "grind"]}},
    )
    # the second part waits from 6; the mill is down from 7 to 11, the other free at 10
    assert at(run, "grind") == starts
