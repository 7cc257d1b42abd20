"""Skills, priorities and ways of people: a small line for each rule, worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from linewright import tables as t
from tests.test_kernel_rules import Run

pytestmark = pytest.mark.nojit


def run_of(minutes: int, people: Any, stations: dict[str, Any], **more: Any) -> Run:
    """Return a line in which each station has a product of its own."""
    products = {f"of {name}": {"route": [name]} for name in stations}
    return Run(minutes, people=people, stations=stations, products=products, **more)


def works(minutes: int, asks: Any, **more: Any) -> dict[str, Any]:
    """Return a station that needs people for all that it does."""
    return {"process": f"{minutes} min", "people": {"process": asks}, **more}


def pool(run: Run, name: str, column: str) -> int:
    return int(run.state.pools[column][run.lowered.names.pools.index(name)])


def busy_minutes(run: Run, name: str) -> float:
    now = int(run.state.clock["now"][0])
    return (pool(run, name, "area_us") + pool(run, name, "busy") * now) / 60e6


# ------------------------------------------------------------------ skills


def test_the_first_pool_with_people_free_serves() -> None:
    people = {
        "welder": {"skills": ["weld"]},
        "all-rounder": {"skills": ["weld", "fit"]},
    }
    run = run_of(
        12, people, {"one": works(4, "weld"), "two": works(6, "weld")}
    )  # each keeps whom it has
    assert busy_minutes(run, "welder") == busy_minutes(run, "all-rounder") == 12
    run = run_of(12, people, {"one": works(4, "weld")})
    assert busy_minutes(run, "welder") == 12
    assert busy_minutes(run, "all-rounder") == 0
    run = run_of(12, dict(reversed(people.items())), {"one": works(4, "weld")})
    assert busy_minutes(run, "all-rounder") == 12


def test_a_pool_is_asked_for_by_its_own_name_as_ever() -> None:
    people = {"ann": {"skills": ["weld"]}, "bob": {"skills": ["weld"]}}
    run = run_of(12, people, {"one": works(4, "bob")})
    assert busy_minutes(run, "bob") == 12
    assert busy_minutes(run, "ann") == 0


def test_people_who_come_free_go_to_who_waited_longest_for_any_of_their_skills() -> (
    None
):
    """Three pieces of work of 10 minutes come at 0, 1 and 2; one person can do all."""
    run = Run(
        35,
        people={"all-rounder": {"skills": ["weld", "fit", "paint"]}},
        stations={
            name: works(10, skill)
            for name, skill in (("one", "paint"), ("two", "fit"), ("three", "weld"))
        },
        products={
            f"of {name}": {
                "route": [name],
                "release": {"every": "100 min", "first": f"{minute} min"},
            }
            for name, minute in (("three", 0), ("one", 1), ("two", 2))
        },
    )
    assert run.minutes("three", t.WAITING) == 0
    assert run.minutes("one", t.WAITING) == 9
    assert run.minutes("two", t.WAITING) == 18
    assert pool(run, "all-rounder", "asked") == 3
    assert pool(run, "all-rounder", "waited") == 2
    assert pool(run, "all-rounder", "wait_us") == 27 * 60e6


def test_several_people_are_of_one_pool_and_nobody_idle_waits_for_them() -> None:
    """Two of one pool are needed; who is alone in its pool serves those behind."""
    people = {
        "pair": {"count": 2, "skills": ["lift"]},
        "single": {"skills": ["lift"]},
    }
    once = {"release": {"every": "100 min", "first": "0 min"}}
    run = Run(
        30,
        people=people,
        stations={
            "a": works(10, "pair"),
            "b": works(5, {"lift": 2}),
            "c": works(4, "lift"),
            "d": works(4, "lift"),
        },
        products={name: {"route": [name], **once} for name in "abcd"},
    )
    # the pair has one free from 0 on, who is kept for b; the single serves c, then d
    assert run.minutes("b", t.WAITING) == 10
    assert run.minutes("c", t.WAITING) == 0
    assert run.minutes("d", t.WAITING) == 4
    assert busy_minutes(run, "single") == 8
    assert busy_minutes(run, "pair") == 10 + 2 * 5


def test_people_stay_on_where_the_next_work_asks_for_another_of_their_skills() -> None:
    people = {
        "setter": {"skills": ["set"]},
        "all-rounder": {"skills": ["set", "run"]},
    }
    station = works(3, "run", load="1 min")
    station["people"]["load"] = "set"
    run = run_of(9, dict(reversed(people.items())), {"one": station})
    assert busy_minutes(run, "all-rounder") == 9  # is the first in the file
    run = run_of(9, people, {"one": station})
    assert busy_minutes(run, "setter") == 3  # loads at 0, 4 and 8
    assert busy_minutes(run, "all-rounder") == 6


def test_who_stood_behind_one_that_gives_up_is_served() -> None:
    """A machine that waits for two breaks down: the next wants one, who is free."""
    once = {"release": {"every": "100 min", "first": "0 min"}}
    run = Run(
        20,
        people={"crew": 2},
        stations={
            "a": works(15, "crew"),
            "b": works(5, {"crew": 2})
            | {
                "failures": {
                    "f": {"every": "4 min", "repair": "60 min", "clock": "calendar"}
                }
            },
            "c": works(5, "crew"),
        },
        products={name: {"route": [name], **once} for name in "abc"},
    )
    assert run.minutes("b", t.WAITING) == 4
    assert run.minutes("c", t.WAITING) == 4
    assert run.minutes("c", t.PROCESSING) == 5


def test_who_waits_for_people_after_the_shift_is_off_shift() -> None:
    """The part is finished after the shift, but nobody is there to unload it."""
    run = run_of(
        30,
        {"operator": {"calendar": "day"}},
        {
            "mill": {
                "process": "8 min",
                "unload": "1 min",
                "people": {"unload": "operator"},
                "calendar": "day",
                "shift_end": "finish",
            }
        },
        calendars={"day": {"shifts": [{"from": "00:00", "to": "00:05"}]}},
    )
    assert run.minutes("mill", t.PROCESSING) == 8
    assert run.minutes("mill", t.WAITING) == 0
    assert run.minutes("mill", t.OFF_SHIFT) == 22


# ------------------------------------------------------------------ priorities


def test_who_is_more_urgent_is_served_first_and_equals_in_turn() -> None:
    stations = {name: works(10, "operator") for name in "abcd"}
    stations["c"]["people_priority"] = 1
    once = {"every": "100 min"}
    run = Run(
        60,
        people={"operator": 1},
        stations=stations,
        products={
            name: {"route": [name], "release": once | {"first": f"{i} min"}}
            for i, name in enumerate("abcd")
        },
    )
    waits = {name: run.minutes(name, t.WAITING) for name in "abcd"}
    # a from 0, then c (asked at 2) at 10, b (at 1) at 20, d (at 3) at 30
    assert waits == {"a": 0, "b": 19, "c": 8, "d": 27}


def test_one_who_is_more_urgent_overtakes_one_who_needs_more() -> None:
    stations = {
        "a": works(10, "operator"),
        "b": works(10, {"operator": 2}),
        "c": works(10, "operator", people_priority=1),
        "d": works(10, "operator"),
    }
    run = Run(
        40,
        people={"operator": 2},
        stations=stations,
        products={
            name: {
                "route": [name],
                "release": {"every": "100 min", "first": f"{i} min"},
            }
            for i, name in enumerate("abcd")
        },
    )
    waits = {name: run.minutes(name, t.WAITING) for name in "abcd"}
    # c takes the free one at 2; b gets both at 12, d at 22
    assert waits == {"a": 0, "b": 11, "c": 0, "d": 19}


def test_a_crew_has_the_priority_of_its_station() -> None:
    def station(first: int) -> dict[str, Any]:
        return {
            "process": "1 min",
            "failures": {
                "breaks": {
                    "every": "100 h",
                    "first": f"{first} min",
                    "repair": "10 min",
                    "clock": "calendar",
                    "crew": "fitter",
                }
            },
        }

    stations = {"a": station(1), "b": station(2), "c": station(3)}
    stations["c"]["people_priority"] = 5
    run = run_of(60, {"fitter": 1}, stations)
    failed = {name: run.minutes(name, t.FAILED) for name in "abc"}
    assert failed == {"a": 10, "c": 18, "b": 29}


# ------------------------------------------------------------------ ways


def walker(walk: str = "2 min", count: int = 1) -> dict[str, Any]:
    return {"operator": {"count": count, "walk": walk}}


def test_people_walk_from_station_to_station_and_not_within_one() -> None:
    run = run_of(12, walker(), {"one": works(5, "operator", servers=2)})
    # to the station in 2 minutes, the first time only; then one server after the other
    assert run.minutes("one", t.PROCESSING) == 10
    assert run.minutes("one", t.WAITING) == 14
    assert pool(run, "operator", "walk_us") == 2 * 60e6
    assert busy_minutes(run, "operator") == 12

    run = run_of(
        22, walker(), {"one": works(5, "operator"), "two": works(4, "operator")}
    )
    # 2 there, 5 at one, 2 there, 4 at two, 2 back, 5 at one, 2 there
    assert run.minutes("one", t.PROCESSING) == 10
    assert run.minutes("two", t.PROCESSING) == 4
    walked = pool(run, "operator", "walk_us") + 22 * 60e6 * pool(
        run, "operator", "walking"
    )
    assert walked / 60e6 == 8


def test_those_who_are_there_go_first_then_those_idle_the_longest() -> None:
    """Two people: one was left at each of two stations, the first earlier."""
    run = Run(
        40,
        people=walker(count=2),
        stations={name: works(5, "operator") for name in "abc"},
        products={
            name: {
                "route": [name],
                "release": {"every": f"{every} min", "first": f"{first} min"},
            }
            for name, first, every in (("a", 0, 30), ("b", 1, 20), ("c", 10, 100))
        },
    )
    # at 10 the one from a (idle since 7) walks to c, the one at b (since 8) stays there
    assert run.minutes("c", t.WAITING) == 2
    assert run.minutes("b", t.WAITING) == 2
    assert run.minutes("a", t.WAITING) == 2 + 2


def test_who_is_there_already_waits_for_those_who_walk() -> None:
    once = {"release": {"every": "100 min", "first": "0 min"}}
    run = Run(
        20,
        people=walker(count=2),
        stations={"a": works(5, "operator"), "b": works(3, {"operator": 2})},
        products={
            "one": {"route": ["a"], **once},
            "two": {"route": ["b"], "release": once["release"] | {"first": "9 min"}},
        },
    )
    # nobody is at b: both walk; one of them has been at no station yet
    assert run.minutes("b", t.WAITING) == 2
    assert pool(run, "operator", "walk_us") == (2 + 2 * 2) * 60e6
    assert busy_minutes(run, "operator") == 2 + 5 + 2 * (2 + 3)


def test_a_repair_waits_until_its_crew_has_walked() -> None:
    def station(clock: str) -> dict[str, Any]:
        failure = {"every": "10 min", "repair": "5 min", "clock": clock}
        return {
            "process": "2 min",
            "failures": {"breaks": failure},
            "people": {"repair": "fitters"},
        }

    for clock in ("processing", "operating", "calendar"):
        people = {"fitters": {"count": 1, "walk": "3 min"}}
        run = run_of(40, people, {"one": station(clock)})
        # down from 10 to 18, after that at once: 28 to 33
        assert run.minutes("one", t.FAILED) == 8 + 5, clock
        assert run.minutes("one", t.PROCESSING) == 40 - 13, clock


def test_people_called_off_on_their_way_have_been_nowhere() -> None:
    """The server fails while its operator walks, and is repaired by somebody else."""
    failure = {
        "every": "100 h",
        "first": "1 min",
        "repair": "4 min",
        "clock": "calendar",
    }
    run = run_of(
        20,
        walker("3 min"),
        {"one": works(5, "operator", failures={"breaks": failure})},
    )
    # walks from 0 to 1, and from 5 to 8 all over again
    assert run.minutes("one", t.FAILED) == 4
    assert run.minutes("one", t.WAITING) == 1 + 3
    assert run.minutes("one", t.PROCESSING) == 12
    assert pool(run, "operator", "walk_us") == 4 * 60e6
    assert pool(run, "operator", "walks") == 2


def test_the_end_of_a_shift_calls_people_off_and_they_come_again() -> None:
    run = run_of(
        3 * 60,
        walker("4 min"),
        {"one": works(30, "operator", calendar="day")},
        calendars={
            "day": {
                "shifts": [
                    {"from": "00:00", "to": "00:02"},
                    {"from": "01:00", "to": "01:10"},
                    {"from": "02:00", "to": "03:00"},
                ]
            }
        },
    )
    # on their way 0:00 to 0:02 and 1:00 to 1:04, at work to 1:10 and again from 2:00
    assert run.minutes("one", t.WAITING) == 2 + 4
    assert run.minutes("one", t.PROCESSING) == 6 + 60
    assert pool(run, "operator", "walk_us") == 6 * 60e6


def test_people_finish_their_walk_after_their_shift() -> None:
    run = run_of(
        60,
        {"operator": {"calendar": "day", "walk": "6 min"}},
        {"one": works(10, "operator")},
        calendars={"day": {"shifts": [{"from": "00:00", "to": "00:04"}]}},
    )
    assert run.minutes("one", t.PROCESSING) == 10
    assert run.minutes("one", t.WAITING) == 6 + 44


@pytest.mark.parametrize("walk", ["exponential(3 min)", "uniform(1 min, 4 min)"])
def test_each_walk_has_a_time_of_its_own(walk: str) -> None:
    run = run_of(600, walker(walk), {n: works(5, "operator") for n in ("one", "two")})
    n_walks = pool(run, "operator", "walks")
    assert 600 / (5 + 4) < n_walks <= 600 / 5
    rows = run.state.trace[: int(run.state.clock["n_trace"][0])]
    events = rows[rows[:, 1] == t.T_EVENT]
    came = events[events[:, 6] == t.PEOPLE_CAME]
    assert len(came) in (n_walks, n_walks - 1)
    assert len({*came[1:, 0] - came[:-1, 0]}) > len(came) / 2
