"""Conveyors: worked out in the head, and held against a row of places."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from linewright import tables as t
from linewright.lower import lower, new_draws, new_state
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import dumps, loads
from linewright.replicate import check_laws, run_until
from tests.test_floor_rules import at
from tests.test_kernel_rules import MINUTE_US, Run, every

# ten meters in ten minutes, a place for each meter
BELT = {"length": "10 m", "speed": "1 m/min", "places": 10}


def carried(minutes: int, pack: str, **more: Any) -> Run:
    return Run(
        minutes,
        stations={
            "belt": {"conveyor": BELT | more.pop("belt", {}), **more},
            "pack": {"process": pack, "buffer": 0},
        },
        products={
            "part": {"route": ["belt", "pack"], "release": every(2, first="0 min")}
        },
    )


@pytest.mark.nojit
def test_a_part_takes_its_time_to_the_end() -> None:
    run = carried(20, "1 min")
    assert at(run, "pack") == [10, 12, 14, 16, 18, 20]
    assert run.minutes("belt", t.BLOCKED) == 0


@pytest.mark.nojit
def test_parts_enter_one_place_behind_each_other() -> None:
    run = Run(
        12,
        stations={"belt": {"conveyor": BELT}},
        products={"part": {"route": ["belt"]}},
    )
    assert at(run, "belt") == list(range(13))


@pytest.mark.nojit
def test_parts_close_up_and_come_one_place_after_the_other() -> None:
    run = carried(60, "30 min")
    # ten are on the belt when the first is packed; the next follow it to the end
    assert at(run, "pack") == [10, 40]
    starts = at(run, "belt")
    assert starts[:11] == [2 * i for i in range(11)]
    assert starts[11] == 40  # one leaves, one enters

    run = Run(
        60,
        stations={
            "belt": {"conveyor": BELT},
            "pack": {"process": "0.25 min", "buffer": 0, "calendar": "late"},
        },
        calendars={"late": {"shifts": [{"from": "00:30", "to": "23:00"}]}},
        products={"part": {"route": ["belt", "pack"], "release": every(2)}},
    )
    # stood at the end from 12 on; from 30 on they close up, one a minute
    assert at(run, "pack")[:4] == [30, 31, 32, 33]


@pytest.mark.nojit
def test_where_parts_do_not_close_up_the_belt_stands() -> None:
    run = carried(60, "7 min", belt={"accumulating": False})
    # the second is at the end at 12, and stands until 17: so does the belt
    assert at(run, "pack")[:3] == [10, 17, 24]
    assert run.minutes("belt", t.BLOCKED) > 0
    starts = at(run, "belt")
    assert starts[:7] == [0, 2, 4, 6, 8, 10, 12]
    assert starts[7] == 18  # what comes at 14 waits until the belt has moved on


@pytest.mark.nojit
def test_a_belt_that_fails_stands_with_all_that_is_on_it() -> None:
    failure = {
        "every": "100 min",
        "first": "5 min",
        "repair": "20 min",
        "clock": "calendar",
    }
    run = carried(60, "1 min", failures={"tears": failure})
    assert at(run, "pack")[:3] == [30, 32, 34]
    assert run.minutes("belt", t.FAILED) == 200
    starts = at(run, "belt")
    assert starts[:4] == [0, 2, 4, 25]
    assert starts[4:6] == [26, 27]


@pytest.mark.nojit
def test_a_belt_stands_off_shift() -> None:
    run = Run(
        200,
        calendars={
            "day": {
                "shifts": [
                    {"from": "00:00", "to": "00:05"},
                    {"from": "01:00", "to": "03:00"},
                ]
            }
        },
        stations={"belt": {"conveyor": BELT, "calendar": "day"}},
        products={"part": {"route": ["belt"], "release": every(60, first="0 min")}},
    )
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    exits = rows[rows[:, 1] == t.T_EXIT][:, 0] / MINUTE_US
    assert exits[0] == 65


# ------------------------------------------------------------------ the oracle


def starts_at_end(line: dict[str, Any], seed: int) -> np.ndarray[Any, Any]:
    """Return when parts started at the station behind the belt, in microseconds."""
    model = Line.model_validate({"schema_version": 1, "name": "belt", **line})
    assert [f for f in check(model) if f.severity == "error"] == []
    lowered = lower(model, 3_000 * MINUTE_US)
    state = new_state(lowered, n_trace=2_000_000)
    _, state = run_until(lowered, state, new_draws(lowered, seed, 0), 3_000 * MINUTE_US)
    assert all(c.ok for c in check_laws(lowered, state))
    rows = state.trace[: int(state.clock["n_trace"][0])]
    k = lowered.names.stations.index("pack")
    servers = np.flatnonzero(state.servers["station"] == k)
    starts = rows[(rows[:, 1] == t.T_START) & np.isin(rows[:, 2], servers)]
    return np.asarray(starts[:, 0])


@pytest.mark.parametrize("seed", range(12))
def test_a_conveyor_is_a_row_of_places(seed: int) -> None:
    """Each place takes its time, and a part stays there until the next one is free."""
    rng = np.random.default_rng(seed)
    places = int(rng.integers(1, 7))
    gap_s = int(rng.integers(5, 90))
    feed, pack = rng.integers(20, 120, 2)
    ends: dict[str, Any] = {
        "feed": {
            "process": f"exponential({feed} s)",
            "buffer": int(rng.integers(0, 3)),
        },
        "pack": {
            "process": f"exponential({pack} s)",
            "buffer": int(rng.integers(0, 3)),
            "failures": {
                "f": {"every": "exponential(20 min)", "repair": "exponential(5 min)"}
            },
        },
    }
    belt = {
        "length": f"{places * gap_s} m",
        "speed": "1 m/s",
        "places": places,
    }
    zones = [f"zone {i}" for i in range(places)]
    zone = {"process": f"{gap_s} s", "buffer": 0}
    release = {"every": f"exponential({max(feed, pack)} s)"}
    both = [
        starts_at_end(
            {
                "stations": ends | between,
                "products": {
                    "part": {"route": ["feed", *between, "pack"], "release": release}
                },
            },
            seed,
        )
        for between in (
            {"belt": {"conveyor": belt, "buffer": 0}},
            dict.fromkeys(zones, zone),
        )
    ]
    assert len(both[0]) == len(both[1]) > 500
    assert both[0].tolist() == both[1].tolist()


# ------------------------------------------------------------------ bad input


MODEL: dict[str, Any] = {
    "schema_version": 1,
    "name": "belt",
    "stations": {
        "belt": {"conveyor": BELT},
        "pack": {"process": "1 min", "buffer": 2},
    },
    "products": {
        "part": {"route": [{"station": "belt"}, "pack"], "release": every(2)},
    },
}


def findings(change: Any) -> list[tuple[str, str]]:
    model = copy.deepcopy(MODEL)
    change(model["stations"]["belt"], model["products"]["part"]["route"][0])
    return [
        (".".join(map(str, f.path)), f.message)
        for f in check(Line.model_validate(model))
        if f.code == "LW231"
    ]


def test_the_model_itself_is_clean() -> None:
    assert findings(lambda *_: None) == []


@pytest.mark.parametrize(
    ("path", "words", "change"),
    [
        ("load", "has no load", lambda s, r: s.update(load="1 min")),
        ("preempt", "parts go in order", lambda s, r: s.update(preempt="resume")),
        ("shift_end", "with all that is on it", lambda s, r: s.update(shift_end="fit")),
        (
            "failures.f.clock",
            "fails as a whole",
            lambda s, r: s.update(failures={"f": {"every": "1 h", "repair": "1 min"}}),
        ),
        (
            "failures.f.part",
            "stays there",
            lambda s, r: s.update(
                failures={
                    "f": {
                        "every": "1 h",
                        "repair": "1 min",
                        "clock": "calendar",
                        "part": "scrap",
                    }
                }
            ),
        ),
        ("route.0.defect", "has no defect", lambda s, r: r.update(defect=0.1)),
        ("route.0.process", "has no process", lambda s, r: r.update(process="1 min")),
        (
            "route.0.process_per",
            "goes as one part",
            lambda s, r: r.update(process_per="unit"),
        ),
    ],
)
def test_what_cannot_be_said_of_a_conveyor(path: str, words: str, change: Any) -> None:
    ((where, message),) = findings(change)
    assert where.endswith(path)
    assert words in message


@pytest.mark.parametrize(
    ("belt", "words"),
    [
        (BELT | {"speed": "2 m"}, "is not a speed"),
        (BELT | {"speed": "2 m/kg"}, "s, min, h"),
        (BELT | {"speed": "0 m/s"}, "more than zero"),
        (BELT | {"places": 0}, "greater than or equal to 1"),
    ],
)
def test_a_conveyor_has_a_length_a_speed_and_places(belt: Any, words: str) -> None:
    model = copy.deepcopy(MODEL)
    model["stations"]["belt"] = {"conveyor": belt}
    with pytest.raises(ValidationError, match=words):
        Line.model_validate(model)


def test_a_conveyor_has_no_servers_of_its_own_and_is_written_as_it_was() -> None:
    model = copy.deepcopy(MODEL)
    model["stations"]["belt"]["servers"] = 3
    with pytest.raises(ValidationError, match="has no servers"):
        Line.model_validate(model)
    line = Line.model_validate(MODEL)
    assert line.stations["belt"].servers == 10
    assert loads(dumps(line)) == line
