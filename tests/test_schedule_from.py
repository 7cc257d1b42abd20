"""What is left of a line that runs is scheduled from where it is, and followed."""

from __future__ import annotations

import pytest

from linewright.control.begun import Begun
from linewright.control.core import Core
from linewright.control.emulation import Emulation
from linewright.control.present import going_on, present
from linewright.control.wanted import wanted
from linewright.lower import Lowered
from linewright.schedule import DatedOrder
from linewright.schedule.following import line_that_follows, plan_of
from linewright.schedule.rescheduling import reschedule_line
from linewright.schedule.scheduling import Schedule
from linewright.schedule.table import table_of
from tests.memory_journal import MemoryJournal
from tests.schedule_checker import violations
from tests.test_control_by_schedule import (
    HORIZON_US,
    asked,
    begun,
    done,
    scheduled,
)


def history(lowered: Lowered, journal: MemoryJournal) -> Begun:
    found = Begun(Core(lowered))
    for stored in journal.read(0):
        found.take(stored.record)
    return found


def rescheduled(
    seed: int, share: float
) -> tuple[Schedule, Emulation, MemoryJournal, int]:
    """Return a schedule anew of a line that has done a share of one."""
    line, compiled, solution = scheduled(seed)
    plan = plan_of(table_of(compiled, solution), line)
    lowered = line_that_follows(line, 3 * HORIZON_US)
    ends = sorted(one.end_us for one in plan.operations)
    at_us = ends[int(share * (len(ends) - 1))] - 7_000_001
    journal = MemoryJournal()
    emulation = begun(lowered, journal, plan)
    emulation.run(at_us)
    core = emulation.controller.core
    at_us = core.now_us
    now = present(core, history(lowered, journal), 0)
    goes_on = going_on(core, line, 3 * HORIZON_US, 0)
    again = reschedule_line(line, now, plan, going_on=goes_on, limit_s=1.0)
    return again, emulation, journal, at_us


@pytest.mark.parametrize("seed", [1, 4, 7, 10])
def test_a_schedule_anew_is_followed_as_it_is(seed: int) -> None:
    again, emulation, journal, at_us = rescheduled(seed, 0.4)
    problem, solution = again.compiled.problem, again.solution
    assert violations(problem, solution) == []
    free = [o for o, one in enumerate(problem.operations) if one.fixed is None]
    assert len(free) > 3
    assert (solution.begin_us[free] >= emulation.controller.core.now_us).all()
    other = plan_of(again.table(), again.line)
    before = {one[:3]: one[3:] for one in done(emulation, journal)}
    outcome = emulation.ask(asked(other), at_us)
    assert outcome.is_accepted, outcome.text
    emulation.run(3 * HORIZON_US)
    found = {one[:3]: one[3:] for one in done(emulation, journal)}
    first = emulation.controller.core.lowered.tables.stations["first_server"]
    planned: dict[tuple[object, ...], tuple[int, int]] = {}
    for o, operation in enumerate(problem.operations):
        if o not in again.compiled.unshown:
            station = operation.modes[int(solution.mode[o])].station
            server = int(first[station]) + int(solution.server[o])
            times = int(solution.begin_us[o]), int(solution.end_us[o])
            begin_us = again.compiled.begun_us.get(o, times[0])
            planned[operation.part, operation.name, server] = begin_us, times[1]
    for key, times in planned.items():
        assert found[key] == times, key
    assert found == {**before, **planned}


def test_what_is_frozen_stays_and_nothing_else_begins_then() -> None:
    again, emulation, journal, now_us = rescheduled(13, 0.3)
    core = emulation.controller.core
    assert core.by_schedule is not None
    plan = core.by_schedule.plan
    now = present(core, history(core.lowered, journal), 0)
    frozen_us = 8 * 3_600_000_000
    goes_on = going_on(core, again.line, 3 * HORIZON_US, 0)
    more = DatedOrder("hot", plan.jobs[0].product, 1, 0, now_us + frozen_us, 9)
    kept = reschedule_line(
        again.line,
        now,
        plan,
        [more],
        going_on=goes_on,
        frozen_us=frozen_us,
        objectives=("tardiness", "stability"),
        limit_s=2.0,
    )
    assert violations(kept.compiled.problem, kept.solution) == []
    rows = kept.table().to_pylist()
    of_plan = plan_of(kept.table(), kept.line)
    former = {
        (plan.jobs[one.job].part, one.operation): one.begin_us
        for one in plan.operations
    }
    n_frozen = 0
    for row, one in zip(rows, of_plan.operations, strict=True):
        part = of_plan.jobs[one.job].part
        if one.begin_us < now_us:
            assert row["frozen"]  # it goes on
        elif one.begin_us < now_us + frozen_us:
            assert row["frozen"]
            assert former[part, one.operation] == one.begin_us
            n_frozen += 1
    assert n_frozen > 2
    assert sum(row["order"] == "hot" for row in rows) > 1
    outcome = emulation.ask(asked(of_plan), now_us)
    assert outcome.is_accepted, outcome.text
    emulation.run(3 * HORIZON_US)
    orders = wanted(core)
    assert "hot" in orders.names
    assert (orders.finished >= 0).all()
