"""A line that follows a schedule does what is planned, also after a kill."""

from __future__ import annotations

import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.controller import redo
from linewright.control.core import Core
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
from tests.memory_journal import Killed, MemoryJournal
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


def planned(
    compiled: Compiled, lowered: Lowered, solution: Solution
) -> list[tuple[object, ...]]:
    problem, first = compiled.problem, lowered.tables.stations["first_server"]
    found: list[tuple[object, ...]] = []
    for o, operation in enumerate(problem.operations):
        station = operation.modes[int(solution.mode[o])].station
        server = int(first[station]) + int(solution.server[o])
        times = int(solution.begin_us[o]), int(solution.end_us[o])
        found.append((operation.part, operation.name, server, *times))
    return sorted(found)


def with_failures(line: Line) -> Line:
    model = line.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for station in model["stations"].values():
        jam = {"every": "exponential(5 h)", "repair": "exponential(40 min)"}
        station["failures"] = {"jam": jam}
    return Line.model_validate(model)


def test_a_line_with_certain_times_does_what_is_planned() -> None:
    n = 0
    for seed in range(8):
        line, compiled, solution = scheduled(seed)
        plan = plan_of(table_of(compiled, solution), line)
        lowered = line_that_follows(line, HORIZON_US)
        assert wrong_with(plan, lowered) == []
        journal = MemoryJournal()
        emulation = begun(lowered, journal, plan)
        emulation.run(HORIZON_US)
        found = done(emulation, journal)
        assert found == planned(compiled, lowered, solution), f"line {seed}"
        n += len(found)
    assert n > 100


def test_a_line_with_failures_does_what_the_simulation_of_the_schedule_does() -> None:
    n = 0
    for seed in range(34, 40):
        line, compiled, solution = scheduled(seed)
        line = with_failures(line)
        compiled = compile_line(line, orders_of(line), HORIZON_US)
        lowered = line_that_follows(line, HORIZON_US)
        journal = MemoryJournal()
        plan = plan_of(table_of(compiled, solution), line)
        emulation = begun(lowered, journal, plan)
        emulation.run(HORIZON_US)
        found = done(emulation, journal)
        run = Execution(compiled, solution, HORIZON_US, chance=True).run(0, 0)
        simulated = planned(compiled, lowered, run.solution)
        assert found == [one for one in simulated if one[3] >= 0], f"line {seed}"  # type: ignore[operator]
        late = (run.solution.begin_us != solution.begin_us).sum()
        n += int(late)
    assert n > 40  # operations that begin at another time than planned


def test_killed_at_any_write_it_goes_on_as_if_nothing_had_been() -> None:
    line, compiled, solution = scheduled(3)
    plan = plan_of(table_of(compiled, solution), line)
    lowered = line_that_follows(with_failures(line), HORIZON_US)
    whole = MemoryJournal()
    begun(lowered, whole, plan).run(HORIZON_US)
    wanted = [[one.at_us, *row] for one in whole.records for row in one.rows]
    assert len(wanted) > 200
    for kill_at in (1, 2, 3, 7):
        for is_after in (False, True):
            journal = MemoryJournal(kill_at, is_after=is_after)
            for _ in range(2):
                try:
                    emulation = begun(lowered, journal, plan)
                    emulation.at_once = 30
                    emulation.controller.save_snapshot()
                    emulation.run(HORIZON_US)
                    break
                except Killed:
                    continue
            assert [
                [one.at_us, *row] for one in journal.records for row in one.rows
            ] == wanted
            found = emulation.controller.core.by_schedule
            assert found is not None
            assert found.hash == plan.hash()


def later(plan: Plan, by_us: int, from_us: int) -> Plan:
    """Return a plan of which what begins after a time comes so much later."""
    moved = tuple(
        one
        if one.begin_us <= from_us
        else one._replace(begin_us=one.begin_us + by_us, end_us=one.end_us + by_us)
        for one in plan.operations
    )
    return Plan(plan.jobs, moved)


@pytest.mark.parametrize("seed", [1, 4, 8, 13])
def test_another_schedule_is_followed_from_when_it_comes(seed: int) -> None:
    line, compiled, solution = scheduled(seed)
    plan = plan_of(table_of(compiled, solution), line)
    lowered = line_that_follows(line, HORIZON_US)
    ends = sorted(one.end_us for one in plan.operations)
    half_us = ends[len(ends) // 2]
    other = later(plan, 30 * 86_400_000_000, half_us)
    journal = MemoryJournal()
    emulation = begun(lowered, journal, plan)
    emulation.run(half_us)
    outcome = emulation.ask(asked(other, "the oven is down"), half_us)
    assert outcome.is_accepted, outcome.text
    emulation.run(2 * HORIZON_US)
    found = done(emulation, journal)
    first = lowered.tables.stations["first_server"]
    stations = {name: k for k, name in enumerate(lowered.names.stations)}
    assert len(found) == len(plan.operations)
    begins = {
        (
            plan.jobs[one.job].part,
            one.operation,
            int(first[stations[one.station]]) + one.server - 1,
        ): one.begin_us
        for one in other.operations
    }
    n_later = 0
    for part, operation, server, at_us, _ in found:
        assert at_us >= begins[part, operation, server]  # type: ignore[index, operator]
        n_later += at_us >= 30 * 86_400_000_000 + half_us  # type: ignore[operator]
    assert n_later > 0
    record = next(one for one in journal.records if one.body.get("by") == "Planner")
    assert record.body["why"] == "it is the plan"
    again = Core(lowered)
    for stored in journal.read(0):
        redo(again, stored.record, stored.seq)
    assert again.digest() == emulation.controller.core.digest()
    assert again.by_schedule is not None
    assert again.by_schedule.hash == other.hash()


def test_what_cannot_be_followed_is_refused_with_its_rows() -> None:
    line, compiled, solution = scheduled(1)
    plan = plan_of(table_of(compiled, solution), line)
    lowered = line_that_follows(line, HORIZON_US)
    one = plan.operations[0]
    bad = [
        one._replace(operation="weeld"),
        one._replace(station="nowhere"),
        one._replace(server=99),
        plan.operations[1]._replace(begin_us=-5),
        *plan.operations[2:],
    ]
    jobs = (plan.jobs[0]._replace(part="c:x"), *plan.jobs[1:])
    assert wrong_with(Plan(jobs, plan.operations), lowered)[0].row == 0
    wrong = wrong_with(Plan(plan.jobs, tuple(bad)), lowered)
    texts = [f"{w.row} {w.text}" for w in wrong]
    assert any(text.startswith('0 operation: "weeld"') for text in texts)
    assert any(text.startswith("1 station: ") for text in texts)
    assert any(text.startswith("2 server: ") and "found 99" in text for text in texts)
    assert any(text.startswith("3 start: it is before") for text in texts)
    emulation = Emulation(lowered, MemoryJournal(), 0)
    core = emulation.controller.core
    for data in (
        plan.data() | {"hash": "0" * 64},
        Plan(jobs, plan.operations).data(),
        plan.data() | {"jobs": plan.data()["jobs"][:1]},
    ):
        request = Request(str(data)[:90], "schedule", "Planner", "a try", data)
        assert not emulation.ask(request, 0).is_accepted
    assert core.by_schedule is not None
    assert core.by_schedule.hash == ""
    assert emulation.ask(asked(plan), 0).is_accepted
    more = {"product": plan.jobs[0].product, "quantity": 1}
    refused = emulation.ask(Request("more", "order", "Planner", "", more), 0)
    assert "follows a schedule" in refused.text
