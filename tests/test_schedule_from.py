"""What is left of a line that runs is scheduled from where it is, and followed."""

from __future__ import annotations

import pytest

from linewright.control.begun import Begun
from linewright.control.core import Core
from linewright.control.emulation import Emulation
from linewright.control.present import going_on, present
from linewright.lower import Lowered
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
    goes_on = going_on(core, 3 * HORIZON_US, 0)
    again = reschedule_line(line, now, plan, going_on=goes_on, limit_s=1.0)
    return again, emulation, journal, at_us


@pytest.mark.parametrize("seed", [1, 4, 8, 13])
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
    wanted = {}
    for o, operation in enumerate(problem.operations):
        if o not in again.compiled.unshown:
            station = operation.modes[int(solution.mode[o])].station
            server = int(first[station]) + int(solution.server[o])
            times = int(solution.begin_us[o]), int(solution.end_us[o])
            begin_us = again.compiled.begun_us.get(o, times[0])
            wanted[operation.part, operation.name, server] = begin_us, times[1]
    for key, times in wanted.items():
        assert found[key] == times, key
    assert found == {**before, **wanted}
