"""The seam: a simulator and an outside driver make the line do the very same.

A random line is simulated with a trace. Its events alone, with times and outcomes, are
then fed to a fresh line from outside, as machines would report them: no duration is
known and nothing is drawn. Every transition must come again, one by one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from linewright import tables as t
from linewright.kernel.run import external
from linewright.lower import Lowered, lower, new_draws, new_state, part_capacity
from linewright.replicate import check_laws, run_until
from tests.parts import PROJECT
from tests.random_lines import HOUR_US, random_line

N_PARTS = 8_000
N_TRACE = 120_000

# what only a driver that knows durations keeps: its timers, and how far they are
TIMERS = {
    "servers": {
        "due",
        "remaining",
        "total",
        "fails",
        "resumed",
        "next_failure",
        "worked",
    },
    "modes": {"left", "due"},
    "clock": {"n_heap", "next_order", "watch", "enough", "margin", "limit"},
}
COMPARED = (
    "clock",
    "servers",
    "stations",
    "modes",
    "buffers",
    "lists",
    "parts",
    "products",
    "orders",
    "stocks",
    "pools",
    "skills",
    "places",
    "claims",
    "fleets",
    "vehicles",
)


def roomy_state(lowered: Lowered) -> t.State:
    return part_capacity(lowered, new_state(lowered, n_trace=N_TRACE), N_PARTS)


def simulated(lowered: Lowered, seed: int, until_us: int) -> t.State:
    draws = new_draws(lowered, seed, 0)
    code, state = run_until(lowered, roomy_state(lowered), draws, until_us)
    assert len(state.parts) == N_PARTS, "the state grew; its parts have other rows now"
    assert code in {t.REACHED, t.STANDSTILL, t.DEADLOCK}
    assert state.clock["n_trace"][0] < N_TRACE // 2
    assert (np.diff(rows_of(state)[:, 0]) >= 0).all(), "time runs backwards"
    return state


def rows_of(state: t.State) -> t.Ints:
    return state.trace[: int(state.clock["n_trace"][0])]


def driven_from_outside(lowered: Lowered, rows: t.Ints, end_us: int) -> t.State:
    """Return the state of a line that was told only what its machines did."""
    state = roomy_state(lowered)
    for time_us, _, row, *_, kind, outcome in rows[rows[:, 1] == t.T_EVENT]:
        state.clock["now"] = time_us
        external(lowered.tables, state, int(kind), int(row), int(outcome))
    state.clock["now"] = end_us
    return state


def hold_same(simulated_state: t.State, driven: t.State) -> None:
    want, got = rows_of(simulated_state), rows_of(driven)
    for number, (a, b) in enumerate(zip(want, got, strict=False)):
        assert a.tolist() == b.tolist(), f"transition {number} differs"
    assert len(want) == len(got)
    np.testing.assert_array_equal(driven.accounts, simulated_state.accounts)
    np.testing.assert_array_equal(driven.flow, simulated_state.flow)
    for table in COMPARED:
        a, b = getattr(simulated_state, table), getattr(driven, table)
        for field in set(a.dtype.names) - TIMERS.get(table, set()):
            np.testing.assert_array_equal(b[field], a[field], f"{table}.{field}")


def drive_both_ways(seed: int, until_us: int) -> int:
    """Hold a line against itself; return how many transitions were compared."""
    lowered = lower(random_line(seed), until_us)
    state = simulated(lowered, seed, until_us)
    rows = rows_of(state)
    assert rows[0, 1] == t.T_EVENT
    assert rows[0, 6] == t.BEGIN
    driven = driven_from_outside(lowered, rows, int(state.clock["now"][0]))
    hold_same(state, driven)
    assert all(check.ok for check in check_laws(lowered, driven))
    return len(rows)


@pytest.mark.parametrize("block", range(0, 120, 15))
def test_a_line_driven_from_outside_makes_the_same_transitions(block: int) -> None:
    compared = [drive_both_ways(s, 30 * HOUR_US) for s in range(block, block + 15)]
    assert sum(compared) > 1_000


def test_the_random_lines_do_everything_that_lines_do() -> None:
    """No kind of event, or of transition, is left out of these tests."""
    events, transitions = set(), set()
    for seed in range(60):
        lowered = lower(random_line(seed), 30 * HOUR_US)
        rows = rows_of(simulated(lowered, seed, 30 * HOUR_US))
        events |= set(rows[rows[:, 1] == t.T_EVENT, 6].tolist())
        transitions |= set(rows[:, 1].tolist())
    assert events == set(range(t.N_EVENTS))
    assert transitions == set(range(len(t.TRACE_NAMES)))


def digest(n_seeds: int = 8) -> str:
    """Return a hash of every transition of some random lines."""
    found = hashlib.sha256()
    for seed in range(n_seeds):
        lowered = lower(random_line(seed), 4 * HOUR_US)
        found.update(rows_of(simulated(lowered, seed, 4 * HOUR_US)).tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("flag", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_however_compiled_the_kernel_makes_the_same_transitions(flag: str) -> None:
    code = "from tests.test_kernel_seam import digest; print(digest())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), flag: "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == digest()


@pytest.mark.nojit
def test_no_column_of_a_table_hides_behind_one_of_numpys_own_names() -> None:
    """A record's attribute of that name would be a method of NumPy, uncompiled."""
    for dtypes in (t.LINE_DTYPES, t.STATE_DTYPES):
        for dtype in dtypes.values():
            assert not set(dtype.names or ()) & set(dir(np.record))


@pytest.mark.boundscheck
def test_events_from_outside_touch_no_index_out_of_range() -> None:
    for seed in range(100, 120):
        drive_both_ways(seed, 30 * HOUR_US)


@pytest.mark.nojit
@pytest.mark.parametrize("seed", range(6))
def test_the_seam_holds_in_plain_python(seed: int) -> None:
    drive_both_ways(seed, HOUR_US)


def at_work(seed: int) -> tuple[Lowered, t.State, list[int]]:
    """Return a line after an hour, and the servers at work that are no conveyor."""
    lowered = lower(random_line(seed), 4 * HOUR_US)
    state = simulated(lowered, seed, HOUR_US)
    working = (state.servers["phase"] == t.WORKING) & (state.servers["running"] == 1)
    belts = lowered.tables.stations["conveyor"][state.servers["station"]]
    return lowered, state, np.flatnonzero(working & (belts == 0)).tolist()


def test_a_machine_that_ends_work_early_leaves_no_timer_of_the_simulation() -> None:
    lowered, state, working = next(
        filter(lambda found: found[2], map(at_work, range(9)))
    )
    s = working[0]
    external(lowered.tables, state, t.FINISH, s, 0)
    assert state.servers["due"][s] == t.NEVER
    assert state.tree[len(state.tree) // 2 + s] >= t.NEVER
