"""Learning, ramp-up and parts that interrupt others: worked out in the head."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from tests.test_floor_rules import at
from tests.test_kernel_rules import Run, every

pytestmark = pytest.mark.nojit


def learned(minutes: int, **learning: Any) -> list[float]:
    run = Run(
        minutes,
        stations={"A": {"process": "100 min"}},
        products={"p": {"route": [{"station": "A", "learning": learning}]}},
    )
    starts = at(run, "A")
    return [round(b - a, 3) for a, b in pairwise(starts)]


def test_each_doubling_leaves_a_share_of_the_time_of_a_unit() -> None:
    found = learned(600, rate=0.8)
    assert found[0] == 100
    assert found[1] == 80
    assert found[3] == 64
    assert found[7] == 51.2


def test_the_planned_time_is_what_is_learned_by_then() -> None:
    run = Run(
        344,
        stations={"A": {"process": "100 min"}},
        products={"p": {"route": [{"station": "A", "learning": {"rate": 0.8}}]}},
    )
    # 100, 80, 70.2 and 64 minutes: four are done after 314.2, and performance is one
    assert run.of_station("completed", "A") == 4
    done_us = 60e6 * sum(100 * n ** np.log2(0.8) for n in range(1, 5))
    assert run.of_station("planned_us", "A") == pytest.approx(done_us, abs=4)


def test_by_wright_it_is_the_average_of_all_units() -> None:
    found = learned(800, rate=0.8, curve="wright")
    assert sum(found[:2]) / 2 == pytest.approx(80, abs=1e-3)
    assert sum(found[:8]) / 8 == pytest.approx(51.2, abs=1e-3)


def test_a_plateau_and_units_done_before() -> None:
    assert learned(300, rate=0.5, done=3)[0] == 25
    assert learned(900, rate=0.5, plateau=0.4)[1:6] == [50, 40, 40, 40, 40]


def test_experience_halves_while_nothing_is_done() -> None:
    run = Run(
        2_000,
        stations={"A": {"process": "16 min"}},
        products={
            "p": {
                "route": [
                    {
                        "station": "A",
                        "learning": {"rate": 0.5, "done": 6, "half_life": "100 min"},
                    }
                ],
                "release": every(5_000, first="100 min"),
            }
        },
    )
    # of six units three are left: the next is the fourth
    assert run.minutes("A", t.PROCESSING) == pytest.approx(4)


def test_operations_of_one_name_learn_together() -> None:
    step = {"operation": "rivet", "station": "A", "learning": {"rate": 0.5}}
    run = Run(
        61,
        stations={"A": {"process": "40 min"}},
        products={
            "p": {"route": [step], "release": {"kind": "orders"}},
            "q": {"route": [step], "release": {"kind": "orders"}},
        },
        orders=[
            {"product": "p", "release": "0 min"},
            {"product": "q", "release": "1 min"},
        ],
    )
    assert run.count("finished", "q") == 1


def test_a_lot_learns_from_unit_to_unit() -> None:
    run = Run(
        200,
        stations={"A": {"process": "64 min"}},
        products={
            "p": {
                "lot_size": 2,
                "route": [
                    {
                        "station": "A",
                        "process_per": "unit",
                        "learning": {"rate": 0.5},
                    }
                ],
            }
        },
    )
    # 64 and 32 for the first lot, a third and a quarter (2^-2) for the second
    assert at(run, "A")[1] == 96
    assert at(run, "A")[2] == pytest.approx(96 + 64 / 3 + 16)


def test_a_station_ramps_up_in_straight_lines() -> None:
    ramp = [{"at": 0, "share": 0.5}, {"at": "100 min", "share": 1.0}]
    run = Run(
        200,
        stations={"A": {"process": "10 min", "ramp_up": {"speed": ramp}}},
        products={"p": {"route": ["A"]}},
    )
    starts = at(run, "A")
    assert starts[1] == 20
    assert starts[2] - starts[1] == pytest.approx(10 / 0.6)
    assert starts[-1] - starts[-2] == pytest.approx(10)


def test_a_yield_ramps_up() -> None:
    ramp = [{"at": "8 h", "share": 0.25}, {"at": "481 min", "share": 1.0}]
    run = Run(
        960,
        80_000,
        stations={"A": {"process": "10 s", "ramp_up": {"good": ramp}}},
        products={
            "p": {
                "route": [{"station": "A", "inspection": {"pass": 0.8, "scrap": 0.2}}]
            }
        },
    )
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    verdicts = rows[rows[:, 1] == t.T_VERDICT]
    early = verdicts[:, 0] < 480 * 60_000_000
    good = (verdicts[:, 6] & 3) == t.PASS
    assert 0.16 < good[early].mean() < 0.24
    assert 0.76 < good[~early].mean() < 0.84


# ------------------------------------------------------------------ preemption


def hot(preempt: str, **station: Any) -> Run:
    return Run(
        100,
        stations={
            "A": {
                "process": "10 min",
                "dispatch": "priority",
                "preempt": preempt,
                **station,
            }
        },
        products={
            "cold": {"route": ["A"], "release": every(1_000, first="0 min")},
            "hot": {
                "route": ["A"],
                "priority": 1,
                "release": every(1_000, first="4 min"),
            },
        },
    )


def finished(run: Run, product: str) -> list[float]:
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    row = run.lowered.names.products.index(product)
    exits = rows[(rows[:, 1] == t.T_EXIT) & (rows[:, 3] == row)]
    return [float(r[0]) / 60e6 for r in exits]


@pytest.mark.parametrize(("preempt", "end"), [("resume", 20), ("restart", 24)])
def test_a_hot_part_interrupts_a_cold_one(preempt: str, end: float) -> None:
    run = hot(preempt)
    assert finished(run, "hot") == [14]
    assert finished(run, "cold") == [end]
    assert run.of_station("started", "A") == 2


def test_without_preemption_it_waits() -> None:
    assert finished(hot("never"), "hot") == [20]


def test_what_is_interrupted_is_set_up_again() -> None:
    run = hot("resume", setup={"time": "3 min", "first": "1 min"})
    # set up until 1, works until 4, setup to 7, hot until 17, setup to 20, 7 left
    assert finished(run, "hot") == [17]
    assert finished(run, "cold") == [27]


def test_a_part_is_interrupted_more_than_once() -> None:
    run = Run(
        100,
        stations={
            "A": {"process": "10 min", "dispatch": "priority", "preempt": "resume"}
        },
        products={
            "cold": {"route": ["A"], "release": every(1_000, first="0 min")},
            "hot": {
                "route": [{"station": "A", "process": "2 min"}],
                "priority": 1,
                "release": every(4, first="4 min"),
            },
        },
    )
    assert finished(run, "cold") == [16]
    assert finished(run, "hot")[:3] == [6, 10, 14]
