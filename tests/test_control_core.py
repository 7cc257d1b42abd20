"""The controller decides as the simulation does, and comes back to where it was."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from linewright import tables as t
from linewright.control.controller import Controller
from linewright.control.core import Core
from linewright.control.emulation import Emulation
from linewright.control.nature import Nature
from linewright.control.records import Signal
from linewright.errors import DeadlockError
from linewright.lower import Lowered, lower
from linewright.traces import trace_rows
from tests.memory_journal import Killed, MemoryJournal
from tests.random_lines import HOUR_US, random_line


def rows_of(journal: MemoryJournal) -> list[list[int]]:
    return [[one.at_us, *row] for one in journal.records for row in one.rows]


def emulated(lowered: Lowered, seed: int, until_us: int) -> MemoryJournal:
    journal = MemoryJournal()
    line = Emulation(lowered, journal, seed)
    with suppress(DeadlockError):
        line.run(until_us)
    core = line.controller.core
    is_dead = core.state.clock["status"][0] == t.DEADLOCK
    said = [alarm.subject for alarm in core.alarms.values()]
    assert said == (["the line"] if is_dead else [])
    return journal


@pytest.mark.parametrize("block", range(0, 120, 20))
def test_the_controller_makes_the_line_do_what_the_simulation_does(block: int) -> None:
    until_us, n = 30 * HOUR_US, 0
    for seed in range(block, block + 20):
        lowered = lower(random_line(seed), until_us)
        found = rows_of(emulated(lowered, seed, until_us))
        wanted = np.concatenate(list(trace_rows(lowered, seed, 0, until_us))).tolist()
        for a, b in zip(found, wanted, strict=False):
            assert a == b, f"line {seed}"
        assert len(found) == len(wanted)
        n += len(found)
    assert n > 5_000


def test_killed_at_any_write_the_line_goes_on_as_if_nothing_had_been() -> None:
    for seed in (2, 9, 23):
        until_us = 4 * HOUR_US
        lowered = lower(random_line(seed), until_us)
        whole = Emulation(lowered, MemoryJournal(), seed)
        whole.run(until_us)
        core = whole.controller.core
        for kill_at in range(1, 9):
            for is_after in (False, True):
                journal = MemoryJournal(kill_at, is_after=is_after)
                for _ in range(2):
                    try:
                        again = Emulation(lowered, journal, seed)
                        again.controller.save_snapshot()
                        for hour in range(1, 5):
                            again.run(hour * HOUR_US)
                    except Killed:
                        continue
                assert rows_of(journal) == [
                    [one.at_us, *row]
                    for one in whole.controller.journal.records  # type: ignore[attr-defined]
                    for row in one.rows
                ]
                assert again.controller.core.jobs.keys() == core.jobs.keys()
                for table in ("servers", "buffers", "products", "parts"):
                    a, b = (
                        getattr(again.controller.core.state, table),
                        getattr(core.state, table),
                    )
                    np.testing.assert_array_equal(a, b)


def test_a_snapshot_and_the_records_after_it_are_as_good_as_all_records() -> None:
    until_us = 8 * HOUR_US
    lowered = lower(random_line(11), until_us)
    journal = MemoryJournal()
    line = Emulation(lowered, journal, 11)
    line.run(until_us // 2)
    line.controller.save_snapshot()
    line.run(until_us)
    saved = journal.snapshot
    quick = Controller(lowered, journal, 11).core.digest()
    journal.records.pop()  # the start just now
    journal.snapshot = None
    assert saved is not None
    assert Controller(lowered, journal, 11).core.digest() == quick


def test_a_controller_starts_without_what_it_does_not_need(project: Path) -> None:
    code = (
        "import sys, linewright.control.emulation, linewright.control.openings; "
        "sys.exit(bool({'pyarrow', 'scipy', 'numba', 'psycopg'} & set(sys.modules)))"
    )
    env = {"PYTHONPATH": str(project / "src"), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)  # our own code


def test_controllers_of_one_line_share_nothing_that_moves() -> None:
    until_us = 4 * HOUR_US
    for seed in (9, 11):
        lowered = lower(random_line(seed), until_us)
        fresh = Core(lowered, seed).digest()
        line = Emulation(lowered, MemoryJournal(), seed)
        line.run(until_us)
        assert line.controller.core.digest() != fresh
        assert Core(lowered, seed).digest() == fresh
        same = lower(random_line(seed), until_us)  # nobody has started from it yet
        assert Core(same, seed).digest() == fresh


def test_a_full_disk_leaves_nothing_half_done() -> None:
    until_us = 4 * HOUR_US
    lowered = lower(random_line(9), until_us)
    journal = MemoryJournal()
    line = Emulation(lowered, journal, 9)
    line.run(HOUR_US)
    before, n = line.controller.core.digest(), len(journal.records)
    journal.is_full = True
    with pytest.raises(Exception, match="disk is full"):
        line.run(2 * HOUR_US)
    assert len(journal.records) == n
    assert line.controller.core.digest() == before
    journal.is_full = False
    line.run(until_us)
    assert rows_of(journal) == rows_of(emulated(lowered, 9, until_us))


# ------------------------------------------------------------------ what cannot be true


def at_work() -> tuple[Controller, str]:
    """Return a line after an hour, and a job of a server."""
    lowered = lower(random_line(9), 4 * HOUR_US)
    line = Emulation(lowered, MemoryJournal(), 9)
    line.run(HOUR_US)
    core = line.controller.core
    return line.controller, next(
        j.id for j in core.jobs.values() if j.action == "process"
    )


def heard(controller: Controller, signal: Signal) -> str:
    """Return what became of a signal: accepted, known, or why it was refused."""
    n = len(controller.journal.records)  # type: ignore[attr-defined]
    controller.tell(signal)
    [answer] = controller.step(controller.core.now_us).answers
    if not answer.is_accepted:
        assert controller.core.alarms
        return answer.why
    is_new = len(controller.journal.records) > n  # type: ignore[attr-defined]
    return "accepted" if is_new else "known"


def test_what_is_said_twice_counts_once() -> None:
    controller, job = at_work()
    assert heard(controller, Signal("done", job)) == "accepted"
    assert heard(controller, Signal("done", job)) == "known"
    again = Signal("done", job, outcomes=(t.SCRAP,))
    assert "another result" in heard(controller, again)


@pytest.mark.parametrize(
    ("signal", "why"),
    [
        (Signal("done", "nobody#1"), "never commanded"),
        (Signal("done", "nobody"), "not the identity of a job"),
        (Signal("melted", "oven"), "no signal"),
        (Signal("failure", "'; DROP TABLE records; --"), "no such failure"),
        (Signal("arrival", "<script>alert(1)</script>"), "no such product"),
        (Signal("done", "JOB", stamp_us=0), "before it was commanded"),
        (Signal("done", "JOB", outcomes=(0, 0)), "outcomes came"),
        (Signal("done", "JOB", outcomes=(3,)), "no outcome"),
        (Signal("done", "JOB", outcomes=(-1,)), "no outcome"),
    ],
)
def test_what_cannot_be_true_is_refused_and_recorded(signal: Signal, why: str) -> None:
    controller, job = at_work()
    before = controller.core.digest()
    if signal.subject == "JOB":
        signal = Signal("done", job, signal.outcomes, stamp_us=signal.stamp_us)
    assert why in heard(controller, signal)
    record = controller.journal.records[-1]  # type: ignore[attr-defined]
    assert record.kind == "refused"
    assert why in record.body["why"]
    assert controller.core.jobs[job]
    controller.core.alarms.clear()
    assert controller.core.digest() != before  # the count of alarms


def test_work_that_ends_while_it_was_to_hold_counts_when_it_may_go_on() -> None:
    found = 0
    for seed in range(60):
        lowered = lower(random_line(seed), 30 * HOUR_US)
        core, nature = Core(lowered, seed), Nature(lowered, seed)
        line = Emulation(lowered, MemoryJournal(), seed)
        for hour in range(1, 30):
            line.run(hour * HOUR_US)
            core = line.controller.core
            held = [
                j
                for j in core.jobs.values()
                if j.action == "process" and j.want == "hold"
            ]
            if held:
                break
        else:
            continue
        job = held[0]
        assert heard(line.controller, Signal("done", job.id)) == "accepted"
        assert heard(line.controller, Signal("done", job.id)) == "known"
        assert job.row in core.early
        assert job.id in core.jobs
        found += 1
        if found == 5:
            break
    assert found == 5
    del nature
