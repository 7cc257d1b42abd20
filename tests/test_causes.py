"""The chain of causes: it changes nothing, adds up, and gives exact derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import linewright
from linewright import tables as t
from linewright.lower import Lowered, following_causes, lower, new_draws, new_state
from linewright.replicate import CriticalPath, critical_path, run_until
from tests.random_lines import HOUR_US, random_line

DAYS_US = 3 * 24 * HOUR_US
LONG_US = 365 * 24 * HOUR_US


def ends_alike(lowered: Lowered, seed: int, n_chain: int | None) -> Any:
    """Run a line with and without following causes; hold the ends equal."""
    ends = []
    for follows in (False, True):
        state = new_state(lowered)
        if follows:
            state = following_causes(state, 0)
            if n_chain is not None:
                state = state._replace(chain=state.chain[:n_chain].copy())
        _, state = run_until(lowered, state, new_draws(lowered, seed, 0), DAYS_US)
        ends.append(state)
    plain, followed = ends
    both: Any = zip(t.State._fields, plain, followed, strict=True)
    for name, one, other in both:
        if name in ("chain", "causes", "path", "todo", "requests", "asked"):
            continue
        if name == "clock":
            own = ("ties", "limit", "claims", *_FOLLOWING)
            for column in set(t.CLOCK.names or ()) - set(own):
                assert one[column].tolist() == other[column].tolist(), column
            continue
        assert np.array_equal(one, other), name
    return followed


_FOLLOWING = (
    "node", "n_chain", "chain_first", "exit", "exits", "outside", "noted_until",
    "path_since", "path_width", "chain_end", "n_folds",
)  # fmt: skip


def hold_path(path: CriticalPath | None) -> None:
    if path is None:
        return
    times = np.concatenate(list(path.times_us.values()))
    assert (times >= 0).all()
    assert path.start_us + int(times.sum()) == path.end_us


@pytest.mark.parametrize("block", range(4))
def test_following_causes_changes_nothing_and_adds_up(block: int) -> None:
    for seed in range(40 * block, 40 * block + 40):
        lowered = lower(random_line(seed), DAYS_US)
        if lowered.own_rules:
            continue
        hold_path(critical_path(ends_alike(lowered, seed, None)))


def test_a_short_chain_gives_the_same_path() -> None:
    """Rows that were added up and dropped count as if they were still there."""
    for seed in range(12):
        lowered = lower(random_line(seed), DAYS_US)
        if lowered.own_rules:
            continue
        long = critical_path(ends_alike(lowered, seed, None))
        servers = int(lowered.tables.stations["n_servers"].sum())
        margin = 2 * (servers + len(lowered.tables.server_modes)) + 64
        short = critical_path(ends_alike(lowered, seed, 2 * margin + 64))
        if long is None:
            assert short is None
            continue
        assert short is not None
        assert short.end_us == long.end_us
        for kind, times in long.times_us.items():
            assert np.array_equal(times, short.times_us[kind]), (seed, kind)


def path_of(text: str, units: int) -> CriticalPath:
    lowered = lower(linewright.loads(text), LONG_US)
    state = following_causes(new_state(lowered), 0)
    _, state = run_until(lowered, state, new_draws(lowered, 1, 0), LONG_US, units)
    path = critical_path(state)
    assert path is not None
    return path


def test_the_slowest_of_constant_times_is_the_path() -> None:
    path = path_of(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: 2 min}
          b: {process: 5 min, buffer: 2}
          c: {process: 3 min, buffer: 2}
        products: {part: {route: [a, b, c]}}
        """,
        100,
    )
    minutes = path.times_us["processing"] / 60e6
    # the first part comes to b after 2, the last goes through c after b
    assert minutes.tolist() == [2, 500, 3]


def test_work_that_a_shift_interrupts_goes_on_through_the_night() -> None:
    path = path_of(
        """
        schema_version: 1
        name: line
        start: 2027-01-04 00:00
        calendars: {day: {shifts: [{from: "06:00", to: "14:00"}]}}
        calendar: day
        stations: {a: {process: 5 h}}
        products: {part: {route: [a]}}
        """,
        4,
    )
    hours = {k: float(v.sum()) / HOUR_US for k, v in path.times_us.items() if v.sum()}
    # from six in the morning: 8 h, 16 h pause, 8 h, 16 h pause, 4 h
    assert hours == {"processing": 20, "pause": 32}
    assert path.start_us == 6 * HOUR_US


def test_a_failure_by_the_calendar_is_a_pause_of_the_work() -> None:
    path = path_of(
        """
        schema_version: 1
        name: line
        stations:
          a:
            process: 10 h
            failures: {f: {every: 25 h, repair: 3 h, clock: calendar}}
        products: {part: {route: [a]}}
        """,
        6,
    )
    hours = {k: float(v.sum()) / HOUR_US for k, v in path.times_us.items() if v.sum()}
    # failures at 25 and at 53 (25 after the first repair)
    assert hours == {"processing": 60, "repair": 6}


def test_ways_loading_and_repairs_are_told_apart() -> None:
    path = path_of(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: 4 min, load: 1 min}
          b: {process: 2 min, failures: {f: {every: 10 cycles, repair: 50 min}}}
        transport: [{from: a, to: b, time: 3 min}]
        products: {part: {route: [a, b]}}
        """,
        12,
    )
    minutes = {k: v / 60e6 for k, v in path.times_us.items() if v.sum()}
    # ten parts, then b is repaired from 55 to 105 min while two more parts come
    assert minutes["loading"].tolist() == [10, 0]
    assert minutes["processing"].tolist() == [40, 2 + 4]
    assert minutes["transport"].tolist() == [0, 3]
    assert minutes["repair"].tolist() == [50]
