"""Schedules keep their rules, are as good as they say, and come out in the kernel."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import permutations
from zipfile import ZipFile

import numpy as np
import pytest

from linewright.schedule.compiling import compile_line
from linewright.schedule.conflict import clashing_rules
from linewright.schedule.keeping import breaks
from linewright.schedule.kernel_runs import (
    DISPATCH_RULES,
    Execution,
    dispatched,
    settled,
)
from linewright.schedule.listing import (
    PRIORITIES,
    can_be_placed,
    in_one_order,
    listed,
    one_by_one,
    replaced,
    tightened,
)
from linewright.schedule.measures import measure
from linewright.schedule.orders import orders_of
from linewright.schedule.problem import (
    Demand,
    Fixed,
    Link,
    Mode,
    Operation,
    Problem,
    Station,
)
from linewright.schedule.reading import READERS
from linewright.schedule.solving import Progress, solve
from tests.parts import PROJECT
from tests.random_schedules import random_line
from tests.schedule_checker import objective_values, violations

HORIZON_US = 60 * 86_400_000_000
PUBLISHED = PROJECT.parent / "shared" / "reference" / "scheduling" / "open"


@pytest.mark.parametrize("seed", [0, 2, 3, 5, 11, 12, 22, 23, 29])
def test_a_schedule_of_a_random_line_comes_out_in_the_kernel_as_it_is(
    seed: int,
) -> None:
    line = random_line(seed)
    compiled = compile_line(line, orders_of(line), HORIZON_US)
    problem = compiled.problem
    run = dispatched(compiled, DISPATCH_RULES["earliest_due_date"], HORIZON_US)
    first = run.solution if run.done else None
    if first is not None and breaks(problem, first):
        first = replaced(problem, first)
    first = first or one_by_one(problem)
    assert first is not None
    assert violations(problem, first) == []
    found = solve(problem, hint=first, limit_s=0.8)
    assert found.solution is not None
    assert violations(problem, found.solution) == []
    truly = objective_values(problem, found.solution)
    for level in found.levels:
        assert level.bound <= level.value == truly[level.objective]
    assert found.levels[0].value <= measure(problem, first, "tardiness")
    names = ("tardiness", "flow_time")
    solution, different = settled(compiled, found.solution, HORIZON_US, names)
    assert different == []
    assert violations(problem, solution) == []
    done = Execution(compiled, solution, HORIZON_US, chance=False).run()
    assert done.done
    for name in ("mode", "server", "begin_us", "setup_us", "end_us", "leave_us"):
        np.testing.assert_array_equal(
            getattr(solution, name), getattr(done.solution, name), name
        )


def _one_server(seed: int) -> Problem:
    """Return jobs of one operation on one server, with setups and due dates."""
    random = np.random.default_rng(seed)
    n = 6
    setups = random.integers(0, 20, (4, 3))
    operations = tuple(
        Operation(
            "work",
            f"J{j}",
            (Mode(0, int(random.integers(5, 30)), family=int(random.integers(3))),),
            release_us=int(random.integers(0, 40)),
        )
        for j in range(n)
    )
    demands = tuple(
        Demand(
            f"J{j}",
            (j,),
            (j,),
            operations[j].release_us,
            int(random.integers(20, 90)),
            int(random.integers(1, 4)),
        )
        for j in range(n)
    )
    rows = tuple(tuple(int(x) for x in row) for row in setups)
    return Problem(operations, (Station("S", 1, -1, rows),), demands=demands)


@pytest.mark.parametrize("seed", range(3))
def test_the_optimum_on_one_server_is_that_of_all_orders(seed: int) -> None:
    problem = _one_server(seed)
    setups = problem.stations[0].setups_us
    assert setups is not None

    def tardiness(order: tuple[int, ...]) -> int:
        at, family, total = 0, -1, 0
        for j in order:
            mode = problem.operations[j].modes[0]
            at = max(at, problem.operations[j].release_us)
            at += setups[family][mode.family] + mode.process_us
            family = mode.family
            demand = problem.demands[j]
            total += demand.weight * max(0, at - demand.due_us)
        return total

    best = min(map(tardiness, permutations(range(6))))
    found = solve(problem, objectives=("tardiness",), limit_s=20)
    assert found.status == "optimal"
    assert found.levels[0].value == found.levels[0].bound == best
    assert found.solution is not None
    assert violations(problem, found.solution) == []


def test_the_checker_finds_what_is_wrong() -> None:
    line = random_line(32)
    compiled = compile_line(line, orders_of(line), HORIZON_US)
    problem = compiled.problem
    good = listed(problem, PRIORITIES["earliest_due_date"](problem))
    assert good is not None
    assert violations(problem, good) == []
    last = int(good.begin_us.argmax())
    for name, change in (
        ("begin_us", -1_000_000),
        ("end_us", 1_000_000),
        ("setup_us", 1_000_000),
        ("server", 9),
    ):
        values = getattr(good, name).copy()
        values[last] += change
        assert violations(problem, replace(good, **{name: values}))
    together = replace(
        good, begin_us=good.begin_us * 0, end_us=good.end_us - good.begin_us
    )
    assert violations(problem, together)


def test_a_tightened_schedule_is_nowhere_later() -> None:
    line = random_line(4)
    compiled = compile_line(line, orders_of(line), HORIZON_US)
    problem = replace(compiled.problem, storages=(), links=tuple(
        replace(link, storage=-1) for link in compiled.problem.links
    ))  # fmt: skip
    loose = listed(problem, PRIORITIES["fifo"](problem))
    assert loose is not None
    tight = tightened(problem, loose)
    assert tight is not None
    assert violations(problem, tight) == []
    assert (tight.end_us <= loose.end_us).all()


def test_clashing_rules_are_told_and_none_of_them_is_needless() -> None:
    """Two parts that may not wait, one of them held where the other has to be."""
    modes = ((Mode(0, 10),), (Mode(1, 10),))
    operations = (
        Operation("cut", "A:0", modes[0]),
        Operation("weld", "A:0", modes[1]),
        Operation("cut", "B:0", modes[0]),
        Operation("weld", "B:0", modes[1], fixed=Fixed(0, 0, 15)),
        Operation("cut", "C:0", modes[0]),
    )
    links = (Link(0, 1, 0, 5), Link(2, 3, 0, 50))
    demands = (Demand("A", (1,), due_us=100), Demand("B", (3,), due_us=20))
    problem = Problem(
        operations, (Station("S"), Station("T")), links=links, demands=demands
    )
    found = solve(problem, limit_s=5)
    assert found.status in {"optimal", "feasible"}
    rules = clashing_rules(problem, seconds=10, on_time=True)
    assert sorted(rules) == [
        "B:0: weld stays where it is",
        'order "B" is done when it is due',
    ]


def test_ctrl_c_leaves_the_best_so_far() -> None:
    problem = READERS["jobshop"](_JOBS)
    hint = listed(problem, PRIORITIES["fifo"](problem))

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    found = solve(
        problem, objectives=("makespan",), hint=hint, limit_s=20, on_progress=stop
    )
    assert found.interrupted
    assert found.solution is not None
    assert violations(problem, found.solution) == []
    assert found.levels[0].bound <= found.levels[0].value


_JOBS = """6 6
2 1 0 3 1 6 3 7 5 3 4 6
1 8 2 5 4 10 5 10 0 10 3 4
2 5 3 4 5 8 0 9 1 1 4 7
1 5 0 5 2 5 3 3 4 8 5 9
2 9 1 3 4 5 5 4 0 3 3 1
1 3 3 3 5 9 0 10 4 4 2 1
"""
"""Fisher and Thompson (1963), Industrial Scheduling, 225-251: 6 x 6, optimum 55."""


def test_fisher_thompson_1963_six_by_six() -> None:
    problem = READERS["jobshop"](_JOBS)
    found = solve(problem, objectives=("makespan",), limit_s=30)
    assert (found.status, found.levels[0].value) == ("optimal", 55)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("jobshop", "la01.txt"),
        ("flexible-jobshop", "mk03.fjs"),
        ("flexible-assembly-jobshop", "DAFJS03.txt"),
        ("hybrid-flowshop", "0033.txt"),
        ("flowshop-setups", "0001.txt"),
        ("flowshop-tardiness", "0001.txt"),
        ("parallel-machines-unrelated", "0001.txt"),
        ("rcpsp", "J30_13.txt"),
        ("multimode-rcpsp", "J5013_1.txt"),
        ("distributed-flowshop", "0001.txt"),
    ],
)
def test_a_published_instance_keeps_its_rules_and_its_bounds(
    family: str, name: str
) -> None:
    if not PUBLISHED.exists():
        pytest.skip("the published instances are not there")
    text = ZipFile(PUBLISHED / f"{family}.zip").read(name).decode()
    problem = READERS[family](text)
    objective = "tardiness" if family == "flowshop-tardiness" else "makespan"
    if can_be_placed(problem):
        starts = [listed(problem, rule(problem)) for rule in PRIORITIES.values()]
        made = [s for s in starts if s is not None]  # none, where all would be used up
        assert made or family == "multimode-rcpsp"
        hint = min(made, key=lambda s: measure(problem, s, objective), default=None)
    else:
        hint = in_one_order(problem, range(len(problem.same_order[0])))
    assert hint is None or violations(problem, hint) == []
    limit_s = 30.0 if hint is None else 1.0  # it has to find the first one, too
    found = solve(problem, objectives=(objective,), hint=hint, limit_s=limit_s)
    assert found.solution is not None
    assert violations(problem, found.solution) == []
    (level,) = found.levels
    assert level.value == objective_values(problem, found.solution)[objective]
    known, proven = _known(family, name)
    assert level.bound <= known
    if proven:
        assert level.value >= known


def _known(family: str, name: str) -> tuple[int, bool]:
    """Return the best known value of an instance, and whether it is the optimum."""
    with (PUBLISHED / f"{family}-bounds.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["file"] == name)
    if "upper_bound" in row:
        return int(row["upper_bound"]), row["status"] == "closed"
    return int(row["best_known_makespan"]), family == "rcpsp"
