"""One small line for each rule, with times that can be worked out in the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from linewright.lower import lower, new_draws, new_state
from linewright.model.check import check
from linewright.model.line import Line
from linewright.replicate import check_laws, run_until, snapshot

MINUTE_US = 60_000_000

pytestmark = pytest.mark.nojit


class Run:
    """A line after some minutes: counts by product, minutes by station and mode."""

    def __init__(self, minutes: int, n_trace: int = 4_000, **model: Any) -> None:
        line = Line.model_validate({"schema_version": 1, "name": "rule", **model})
        assert [f for f in check(line) if f.severity == "error"] == []
        self.lowered = lower(line, minutes * MINUTE_US)
        state = new_state(self.lowered, n_trace=n_trace)
        draws = new_draws(self.lowered, 1, 0)
        self.code, self.state = run_until(
            self.lowered, state, draws, minutes * MINUTE_US
        )
        assert all(c.ok for c in check_laws(self.lowered, self.state))

    def count(self, field: str, product: str) -> int:
        row = self.lowered.names.products.index(product)
        return int(self.state.products[field][row])

    def minutes(self, station: str, mode: int) -> float:
        row = self.lowered.names.stations.index(station)
        return float(snapshot(self.state).accounts[row, mode]) / MINUTE_US

    def of_station(self, field: str, station: str) -> int:
        row = self.lowered.names.stations.index(station)
        return int(self.state.stations[field][row])

    def starts(self, station: str) -> list[tuple[str, float]]:
        """Return the products that started at a station, with the minutes."""
        rows = self.state.trace[: int(self.state.clock["n_trace"][0])]
        row = self.lowered.names.stations.index(station)
        servers = np.flatnonzero(self.state.servers["station"] == row)
        starts = rows[(rows[:, 1] == t.T_START) & np.isin(rows[:, 2], servers)]
        names = self.lowered.names.products
        return [(names[r[3]], r[0] / MINUTE_US) for r in starts]


def every(minutes: float, **more: Any) -> dict[str, Any]:
    return {"every": f"{minutes} min", **more}


# ------------------------------------------------------------------ setups


def test_a_setup_is_needed_after_a_first_product_that_needed_none() -> None:
    run = Run(
        60,
        stations={"A": {"process": "1 min", "setup": {"time": "30 s"}}},
        products={"p": {"route": ["A"]}, "q": {"route": ["A"]}},
    )
    assert run.of_station("setups", "A") == 40
    assert run.minutes("A", t.SETUP) == 20


def test_least_setup_takes_what_the_server_is_set_up_for() -> None:
    run = Run(
        25,
        stations={
            "A": {
                "process": "1 min",
                "setup": {"time": "2 min", "first": "1 min"},
                "dispatch": "least_setup",
            }
        },
        products={
            "p": {"route": ["A"], "release": every(1, quantity=3, first="0 s")},
            "q": {"route": ["A"], "release": every(1, quantity=3, first="0 s")},
        },
    )
    assert {product for product, _ in run.starts("A")} == {"p"}
    assert run.of_station("setups", "A") == 1


# ------------------------------------------------------------------ stops


def test_maintenance_on_the_processing_clock_waits_for_the_part() -> None:
    mode = {"every": "150 s", "duration": "1 min", "clock": "processing"}
    run = Run(
        60,
        stations={"A": {"process": "1 min", "maintenance": {"m": mode}}},
        products={"p": {"route": ["A"]}},
    )
    # three parts, of which the third is finished first; then a minute of maintenance
    assert run.minutes("A", t.MAINTENANCE) == 15
    assert run.count("finished", "p") == 45


def test_fit_means_nothing_to_a_station_that_is_always_on() -> None:
    run = Run(
        60,
        stations={"A": {"process": "1 min", "shift_end": "fit"}},
        products={"p": {"route": ["A"]}},
    )
    assert run.count("finished", "p") == 60


# ------------------------------------------------------------------ arrivals


def test_each_unit_of_a_batch_finds_the_room_that_is_left() -> None:
    run = Run(
        60,
        stations={"A": {"process": "2 min", "buffer": 1}},
        products={
            "p": {
                "route": ["A"],
                "release": every(10, quantity=3, first="0 s", when_full="lose"),
            }
        },
    )
    assert run.count("lost", "p") == 7  # one on the server, one waits, one is lost
    assert run.count("finished", "p") == 12


def test_components_of_a_unit_that_is_lost_do_not_come() -> None:
    run = Run(
        60,
        stations={"A": {"process": "15 min", "buffer": 0}, "B": {"process": "1 min"}},
        products={
            "c": {"route": ["B"], "release": "with_parent"},
            "p": {
                "route": ["A"],
                "bom": {"screw": {"bought": True}, "c": {"quantity": 1}},
                "release": every(10, first="0 s", when_full="lose"),
            },
        },
    )
    assert run.count("lost", "p") == run.count("made", "p")  # nothing is in store
    assert run.count("made", "c") == 0


# ------------------------------------------------------------------ lots and kits


def test_a_kit_is_counted_in_units_and_taken_in_lots() -> None:
    run = Run(
        60,
        stations={"A": {"process": "1 min"}, "B": {"process": "1 min"}},
        products={
            "c": {"route": ["A"], "lot_size": 2, "release": "with_parent"},
            "p": {"route": ["B"], "bom": {"c": 4}, "release": every(5)},
        },
    )
    assert run.count("made", "p") == 12
    assert run.count("finished", "p") == 11
    assert run.count("made", "c") == 4 * 12
    assert run.count("used", "c") == 4 * 11


def test_a_lot_takes_a_kit_for_each_of_its_units() -> None:
    run = Run(
        30,
        stations={"A": {"process": "10 s"}, "B": {"process": "1 min"}},
        products={
            "c": {"route": ["A"], "release": "with_parent"},
            "p": {"route": ["B"], "lot_size": 3, "bom": {"c": 2}, "release": every(5)},
        },
    )
    assert run.count("finished", "p") == 3 * 5
    assert run.count("used", "c") == 2 * 3 * 5


# ------------------------------------------------------------------ who is served


def test_first_come_first_served_over_two_queues() -> None:
    """A kit is missing for the first of one queue; the next came before all others."""
    stations = {
        "A": {"process": "10 min", "buffer": "shelf"},
        "B": {"process": "10 h", "buffer": "shelf"},
    }
    either = {
        "operation": "either",
        "station": ["A", "B"],
        "choose": "first_free",
        "buffer": "shelf",
    }
    run = Run(
        41,
        buffers={"shelf": {}},
        stations=stations,
        products={
            "first": {"route": [either], "release": every(600, first="0 s")},
            "busy": {"route": ["B"], "release": every(600, first="0 s")},
            "kit": {"route": ["B"], "release": every(600, first="1 h")},
            "waits": {
                "route": [either],
                "bom": {"kit": 1},
                "release": every(600, first="1 min"),
            },
            "second": {"route": [either], "release": every(600, first="2 min")},
            "third": {"route": ["A"], "release": every(600, first="3 min")},
        },
    )
    assert run.starts("A") == [("first", 0), ("second", 10), ("third", 20)]


def test_a_shared_output_buffer_wakes_the_station_behind_which_it_lies() -> None:
    run = Run(
        30,
        buffers={"shelf": {"slots": 1}},
        stations={
            "X": {"process": "1 min", "output_buffer": "shelf"},
            "Y": {"process": "10 min", "buffer": "shelf"},
            "Z": {"process": "10 h", "buffer": 0},
        },
        products={
            "p": {
                "route": ["X", "Z"],
                "release": every(600, first="3 min", quantity=2),
            },
            "q": {"route": ["Y"], "release": every(600, first="0 s", quantity=2)},
        },
    )
    # the second q lies on the shelf until minute 10; the second p then steps aside
    assert run.minutes("X", t.BLOCKED) == 10 - 5


def test_a_ready_server_that_a_part_passes_by_looks_again() -> None:
    """The part that waits prefers the first station, and that has room by then."""
    run = Run(
        30,
        stations={
            "feed": {"process": "1 min"},
            "A": {"process": "5 min", "buffer": 1},
            "B": {"process": "5 min", "buffer": 0},
        },
        products={
            "p": {
                "route": ["feed", {"operation": "both", "station": ["A", "B"]}],
                "release": every(1, first="0 s"),
            },
        },
    )
    busy = run.minutes("A", t.PROCESSING) + run.minutes("B", t.PROCESSING)
    assert busy == (30 - 1) + (30 - 3)


def test_a_server_held_back_by_the_buffer_behind_is_blocked_not_starved() -> None:
    run = Run(
        60,
        stations={
            "A": {"process": "1 min", "blocking": "before_service"},
            "B": {"process": "10 h", "buffer": 1},
        },
        products={"p": {"route": ["A", "B"], "release": every(10, first="0 s")}},
    )
    # the first part goes on to B, the second into its buffer, the third must wait
    assert run.minutes("A", t.PROCESSING) == 2
    assert run.minutes("A", t.STARVED) == 9 + 9
    assert run.minutes("A", t.BLOCKED) == 40


# ------------------------------------------------------------------ splits


def test_units_that_leave_together_wait_for_room_for_all() -> None:
    run = Run(
        12,
        stations={
            "cut": {"process": "1 min"},
            "B": {"process": "2 min", "buffer": 3},
        },
        products={
            "sheet": {
                "route": [
                    {"station": "cut", "makes": {"blank": 3}, "makes_together": True}
                ],
            },
            "blank": {"route": ["B"], "release": "never"},
        },
    )
    entered = {
        int(row[0]) // MINUTE_US
        for row in run.state.trace[: int(run.state.clock["n_trace"][0])]
        if row[1] == t.T_SPLIT
    }
    # one is on the server and two wait; the server is ready again when they are gone
    assert entered == {1, 5, 11}


# ------------------------------------------------------------------ who comes in


def test_an_arrival_goes_before_material_that_is_always_there() -> None:
    run = Run(
        100,
        stations={"A": {"process": "2 min", "buffer": 0}},
        products={
            "filler": {"route": ["A"]},
            "rush": {"route": ["A"], "release": every(10, first="1 min")},
        },
    )
    # ten arrivals, each at the first server that becomes free after it
    assert run.count("finished", "rush") == 10
    assert run.count("finished", "filler") == 40


@pytest.mark.parametrize("conwip", [2, 3])
def test_under_a_cap_always_available_products_take_turns_by_share(conwip: int) -> None:
    run = Run(
        600,
        n_trace=20_000,
        conwip=conwip,
        stations={"A": {"process": "1 min"}, "B": {"process": "1 min"}},
        products={
            "p": {"route": ["A", "B"], "release": {"share": 3}},
            "q": {"route": ["A", "B"], "release": {"share": 1}},
            "r": {"route": ["A", "B"], "release": {"share": 2}},
        },
    )
    made = [run.count("finished", name) for name in "pqr"]
    assert sum(made) >= 590
    assert made == pytest.approx([300, 100, 200], abs=6)


def test_units_set_free_together_count_the_places_of_a_shared_buffer_once() -> None:
    run = Run(
        60,
        buffers={"shelf": {"slots": 3}},
        stations={"saw": {"process": "1 min"}, "mill": {"process": "4 min"}},
        products={
            "bar": {
                "route": [
                    {
                        "station": "saw",
                        "makes": {"a": 2, "b": 2},
                        "makes_together": True,
                    }
                ],
            },
            "a": {
                "route": [{"station": "mill", "buffer": "shelf"}],
                "release": {"kind": "never"},
            },
            "b": {
                "route": [{"station": "mill", "buffer": "shelf"}],
                "release": {"kind": "never"},
            },
        },
    )
    split = run.state.trace[: int(run.state.clock["n_trace"][0])]
    times = split[split[:, 1] == t.T_SPLIT, 0]
    assert len(times) % 4 == 0
    assert all(len(set(four)) == 1 for four in times.reshape(-1, 4).tolist())


def test_a_part_that_must_leave_all_at_once_waits_for_the_place_that_is_full() -> None:
    run = Run(
        600,
        stations={
            "saw": {"process": "1 min"},
            "slow": {"process": "7 min", "buffer": 1},
            "slower": {"process": "9 min", "buffer": 2},
        },
        products={
            "bar": {
                "route": [
                    {
                        "station": "saw",
                        "makes": {"a": 1, "b": 1},
                        "makes_together": True,
                    }
                ]
            },
            "a": {"route": ["slow"], "release": {"kind": "never"}},
            "b": {"route": ["slower"], "release": {"kind": "never"}},
        },
    )
    assert run.count("finished", "b") == 66  # (600 - 1) minutes of 9
    assert abs(run.count("finished", "a") - run.count("finished", "b")) <= 3


# ------------------------------------------------------------------ waiting, standing


def test_the_wait_of_a_carried_part_begins_when_it_has_arrived() -> None:
    run = Run(
        100,
        stations={"A": {"process": "2 min"}, "B": {"process": "3 min"}},
        transport=[{"from": "A", "to": "B", "time": "10 min"}],
        products={"p": {"route": ["A", "B"], "release": every(10, first="0 s")}},
    )
    assert run.of_station("started", "B") > 5
    assert run.of_station("wait_us", "B") == 0


@pytest.mark.parametrize("calendar", [None, "days"])
def test_a_line_without_material_is_said_to_stand_still(calendar: str | None) -> None:
    shifts = {"days": {"shifts": [{"from": "06:00", "to": "22:00"}]}}
    run = Run(
        3 * 1440,
        calendars=shifts,
        calendar=calendar,
        stations={"A": {"process": "1 min"}, "B": {"process": "1 min"}},
        products={
            "frame": {"route": ["A"], "release": {"kind": "orders"}},
            "bike": {
                "bom": {"frame": 2},
                "route": [{"station": "B", "uses": {"frame": 2}}],
                "release": {"kind": "orders"},
            },
        },
        orders=[
            {"product": "frame", "quantity": 3},
            {"product": "bike", "quantity": 2},
        ],
    )
    assert run.count("finished", "bike") == 1
    assert run.code == t.STANDSTILL


def test_a_line_that_goes_on_with_the_next_shift_does_not_stand_still() -> None:
    run = Run(
        1440 - 60,
        calendars={"days": {"shifts": [{"from": "06:00", "to": "22:00"}]}},
        calendar="days",
        stations={"A": {"process": "7 min", "shift_end": "fit"}},
        products={"p": {"route": ["A"], "release": every(5)}},
    )
    assert run.code == t.REACHED


def test_each_alternative_keeps_its_own_end_of_shift_and_mean_time() -> None:
    run = Run(
        1440,
        n_trace=20_000,
        calendars={"days": {"shifts": [{"from": "06:00", "to": "22:00"}]}},
        calendar="days",
        stations={
            "old": {"process": "7 h", "shift_end": "fit", "buffer": 0},
            "new": {"process": "5 h", "shift_end": "interrupt", "buffer": 0},
        },
        products={
            "p": {
                "route": [{"operation": "turn", "station": ["old", "new"]}],
                "release": every(1),
            }
        },
    )
    # 16 h on shift: two of 7 h, a third does not fit; three of 5 h and an hour of work
    assert run.of_station("started", "old") == 2
    assert run.of_station("started", "new") == 4
    assert run.minutes("old", t.PROCESSING) == 14 * 60
    assert run.minutes("new", t.PROCESSING) == 16 * 60
    assert run.of_station("planned_us", "old") == 14 * 60 * MINUTE_US
    assert run.of_station("planned_us", "new") == 15 * 60 * MINUTE_US
