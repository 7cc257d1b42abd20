"""A line that follows a schedule does what is planned, also after a kill."""

from __future__ import annotations

import numpy as np
import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.emulation import Emulation
from linewright.lower import Lowered
from linewright.model.line import Line
from linewright.schedule import compile_line, orders_of
from linewright.schedule.compiling import Compiled
from linewright.schedule.following import Plan, line_that_follows, plan_of, wrong_with
from linewright.schedule.keeping import breaks
from linewright.schedule.kernel_runs import (
    DISPATCH_RULES,
    Execution,
    dispatched,
    settled,
)
from linewright.schedule.listing import one_by_one, replaced
from linewright.schedule.problem import Solution
from linewright.schedule.table import table_of
from tests.memory_journal import Killed, MemoryJournal  # noqa: F401
from tests.random_schedules import random_line

HORIZON_US = 60 * 86_400_000_000


def scheduled(seed: int) -> tuple[Line, Compiled, Solution]:
    """Return a random line, and a schedule of it that the kernel does as it is."""
    line = random_line(seed)
    compiled = compile_line(line, orders_of(line), HORIZON_US)
    problem = compiled.problem
    run = dispatched(compiled, DISPATCH_RULES["earliest_due_date"], HORIZON_US)
    found = run.solution if run.done else None
    if found is not None and breaks(problem, found):
        found = replaced(problem, found)
    found = found or one_by_one(problem)
    assert found is not None
    names = ("tardiness", "flow_time")
    solution, different = settled(compiled, found, HORIZON_US, names)
    assert different == []
    return line, compiled, solution


def asked(plan: Plan, why: str = "it is the plan") -> Request:
    return Request(plan.hash(), "schedule", "Planner", why, plan.data())


def begun(lowered: Lowered, journal: MemoryJournal, plan: Plan) -> Emulation:
    """Return a line that follows a plan from its start, or goes on by it."""
    emulation = Emulation(lowered, journal, 0)
    by = emulation.controller.core.by_schedule
    assert by is not None
    if by.hash != plan.hash():
        outcome = emulation.ask(asked(plan), emulation.controller.core.now_us)
        assert outcome.is_accepted, outcome.text
    return emulation


def done(emulation: Emulation, journal: MemoryJournal) -> list[tuple[object, ...]]:
    """Return what was begun where and when, and when it ended: read off the rows."""
    core = emulation.controller.core
    by, names = core.by_schedule, core.lowered.names
    assert by is not None
    of_unit: dict[tuple[int, int], int] = {}
    found: dict[tuple[int, int, int], list[object]] = {}
    on: dict[int, list[tuple[int, int, int]]] = {}
    last: dict[int, int] = {}
    for record in journal.records:
        at = record.at_us
        for kind, row, product, serial, step, value, _ in record.rows:
            if kind == t.T_RELEASE:
                of_unit[product, serial] = value
            elif kind == t.T_START and step >= 0:
                key = product, serial, step
                job = by.job_of(of_unit[product, serial])
                assert job is not None
                found[key] = [job.part, names.operations[step], row, at, -1]
                if last.get(row) == at:
                    on[row].append(key)
                else:
                    on[row] = [key]
                last[row] = at
            elif kind == t.T_EVENT and value in {t.FINISH, t.UNLOADED}:
                last.pop(row, None)
                for key in on.get(row, ()):
                    found[key][-1] = at
    return sorted(tuple(one) for one in found.values())


def planned(compiled: Compiled, lowered: Lowered, solution: Solution) -> list[tuple[object, ...]]:
    problem, first = compiled.problem, lowered.tables.stations["first_server"]
    found: list[tuple[object, ...]] = []
    for o, operation in enumerate(problem.operations):
        station = operation.modes[int(solution.mode[o])].station
        server = int(first[station]) + int(solution.server[o])
        times = int(solution.begin_us[o]), int(solution.end_us[o])
        found.append((operation.part, operation.name, server, *times))
    return sorted(found)


@pytest.mark.parametrize("block", range(0, 40, 10))
def test_a_line_with_certain_times_does_what_is_planned(block: int) -> None:
    n = 0
    for seed in range(block, block + 10):
        line, compiled, solution = scheduled(seed)
        plan = plan_of(table_of(compiled, solution), line)
        lowered = line_that_follows(line, HORIZON_US)
        assert wrong_with(plan, lowered) == []
        journal = MemoryJournal()
        emulation = begun(lowered, journal, plan)
        emulation.run(HORIZON_US)
        found = done(emulation, journal)
        assert found == planned(compiled, lowered, solution), f"line {seed}"
        simulated = Execution(compiled, solution, HORIZON_US, chance=True).run()
        for name in ("mode", "server", "begin_us", "end_us", "leave_us"):
            np.testing.assert_array_equal(
                getattr(solution, name), getattr(simulated.solution, name), name
            )
        n += len(found)
    assert n > 100
