"""Large schedules: what is compiled places as lists do, and changes keep all rules."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.scheduling_large import shop
from linewright.schedule import solving
from linewright.schedule.arrays import BEST, BEST_ORDER, COST_TRIAL, Memory, shop_of
from linewright.schedule.compiling import compile_line
from linewright.schedule.cp.facts import OBJECTIVES
from linewright.schedule.keeping import breaks
from linewright.schedule.kernel_runs import DISPATCH_RULES, dispatched, settled
from linewright.schedule.listing import (
    PRIORITIES,
    can_be_placed,
    listed,
    members_of,
    placed,
)
from linewright.schedule.measures import measures
from linewright.schedule.moves import Moves
from linewright.schedule.orders import orders_of
from linewright.schedule.problem import Fixed, Problem, Solution
from linewright.schedule.scheduling import first_schedule, schedule_line
from tests.random_schedules import FEATURES, random_line
from tests.schedule_checker import violations

HORIZON_US = 60 * 86_400_000_000
KNOWN = set(FEATURES) - {"places", "limit", "store", "output"}
MEASURED = ("tardiness", "makespan", "flow_time", "setups", "wip", "late_orders")


def _problem(seed: int) -> Problem:
    random = np.random.default_rng(seed)
    features = {f for f in sorted(KNOWN) if random.random() < 0.6}
    if "batch" in features:
        features -= {"loop"}  # a loop does not begin where there are batches
    line = random_line(seed, features)
    problem = compile_line(line, orders_of(line), HORIZON_US).problem
    assert can_be_placed(problem)
    return problem


def test_changes_keep_all_rules_and_are_placed_as_lists_place_them() -> None:
    n_tried = 0
    for seed in range(16):
        problem = _problem(seed)
        start = listed(problem, PRIORITIES["fifo"](problem))
        if start is not None:  # else something fits into no shift
            n_tried += 1
            _changed(problem, start, seed)
    assert n_tried > 7


def _changed(problem: Problem, start: Solution, seed: int) -> None:
    objectives = ("tardiness", "flow_time")
    first = int(start.begin_us.argmin())
    where = [int(a[first]) for a in (start.mode, start.server, start.begin_us)]
    operations = list(problem.operations)
    operations[first] = replace(operations[first], fixed=Fixed(*where))
    problem = replace(problem, operations=tuple(operations))
    moves = Moves(problem, start, objectives, former={}, seed=seed, threads=2)
    told: list[Solution] = []
    moves.run(0.1, time.perf_counter, told.append)
    best = moves.best
    assert violations(problem, best) == []
    values = [measures(problem, one, objectives) for one in (start, *told)]
    assert values == sorted(values, reverse=True)
    assert measures(problem, best, objectives) == values[-1]
    # one order, placed by plain Python and by what is compiled
    memory = moves._threads[0].memory  # noqa: SLF001
    groups = _groups(problem, start.batch)
    order = [groups[g] for g in memory.part(BEST_ORDER).tolist()]
    same = placed(problem, order, moves._threads[0].solution(best))  # noqa: SLF001
    assert same is not None
    np.testing.assert_array_equal(memory.columns(BEST)[2], same.begin_us)
    np.testing.assert_array_equal(memory.columns(BEST)[3], same.setup_us)
    np.testing.assert_array_equal(memory.columns(BEST)[4], same.end_us)


def _groups(problem: Problem, batch: np.ndarray) -> list[list[int]]:
    found: dict[tuple[str, int], list[int]] = {}
    for o in range(len(problem.operations)):
        key = ("batch", int(batch[o])) if batch[o] >= 0 else ("alone", o)
        found.setdefault(key, []).append(o)
    return list(found.values())


def test_what_is_compiled_measures_as_measures_does() -> None:
    n_measured = 0
    for seed in range(12):
        problem = _problem(seed)
        start = listed(problem, PRIORITIES["earliest_due_date"](problem))
        if start is not None:
            n_measured += 1
            _measured(problem, start)
    assert n_measured > 5


def _measured(problem: Problem, start: Solution) -> None:
    former = {0: (0, 0, 7_000_000), 1: (0, 1, 0)}
    names = (*MEASURED, "stability")
    memory = Memory(
        shop_of(problem, start.batch, former),
        np.arange(len(_groups(problem, start.batch))),
        [OBJECTIVES.index(name) for name in names],
    )
    memory.set_schedule(start)
    from linewright.schedule import _placing  # noqa: PLC0415 - loads Numba

    _placing.cost(memory.m, int(memory.m[BEST]), int(memory.m[COST_TRIAL]))
    found = tuple(memory.part(COST_TRIAL).tolist())
    assert found == measures(problem, start, names, former)
    assert members_of(start).keys() == set(start.batch.tolist()) - {-1}


def test_a_setup_that_waits_for_people_is_no_schedule() -> None:
    line = shop(150)
    compiled = compile_line(line, orders_of(line), HORIZON_US)
    problem = compiled.problem
    one = replace(problem.resources[0], capacity=1)
    problem = replace(problem, resources=(one,))
    start = listed(problem, PRIORITIES["earliest_due_date"](problem))
    assert start is not None
    assert breaks(problem, start) == ""
    o = int(np.flatnonzero(start.setup_us > 0)[-1])
    setup, end = start.setup_us.copy(), start.end_us.copy()
    setup[o] += 60_000_000
    mode = problem.operations[o].modes[int(start.mode[o])]
    end[o] = problem.end_of(mode, int(start.begin_us[o]), mode.work_us + int(setup[o]))
    late = replace(start, setup_us=setup, end_us=end)
    assert "setup" in breaks(problem, late)


def test_a_large_schedule_gets_better_than_by_any_rule_and_holds() -> None:
    """Some thousand changes are far ahead of the kernel's rules, whatever the clock."""
    line = shop(400)
    objectives = ("flow_time", "setups")
    compiled, start, _ = first_schedule(line, orders_of(line), objectives)
    assert start is not None
    problem = compiled.problem
    horizon = 2 * int(start.end_us.max())
    runs = [dispatched(compiled, rule, horizon) for rule in DISPATCH_RULES.values()]
    by_rules = min(measures(problem, r.solution, objectives) for r in runs if r.done)
    moves = Moves(problem, start, objectives, former={}, seed=1, threads=2)
    moves.run(0.0, time.perf_counter, lambda _: None, rounds=3, changes=1_000)
    assert measures(problem, moves.best, objectives)[0] < 0.95 * by_rules[0]
    assert violations(problem, moves.best) == []
    found, different = settled(compiled, moves.best, horizon, objectives)
    assert different == []
    assert violations(problem, found) == []


def test_the_search_takes_changes_and_windows_by_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = shop(150)
    monkeypatch.setattr(solving, "MOST_WHOLE", 100)
    found = schedule_line(
        line, objectives=("flow_time", "setups"), limit_s=2, why=False
    )
    assert found.different == ()
    assert violations(found.compiled.problem, found.solution) == []
    assert found.levels[0].value <= found.first_levels[0]
