"""Local searches keep the rules, find the optimum of small shops, and tell it truly."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from ortools.sat.python import cp_model

from benchmarks.scheduling import told
from benchmarks.scheduling_peers import Plain
from linewright.model.load import loads
from linewright.schedule import schedule_line
from linewright.schedule.local_search import LocalSearch, searches_of
from linewright.schedule.measures import measure
from linewright.schedule.problem import (
    Demand,
    Link,
    Mode,
    Need,
    Operation,
    Problem,
    Resource,
    Station,
)
from linewright.schedule.solving import solve
from linewright.schedule.structures import flow_of, project_of, shop_of, stages_of
from tests.schedule_checker import objective_values, violations

Ints = list[list[int]]


def flow_shop(
    seed: int, n_jobs: int, n_stations: int, *, n_lines: int = 1, setups: bool = False
) -> tuple[Problem, Ints, list[Ints]]:
    """Return a flow shop in one order, with its times and its setups by station."""
    random = np.random.default_rng(seed)
    times = random.integers(1, 30, (n_jobs, n_stations)).tolist()
    tables = random.integers(0, 25, (n_stations, n_jobs + 1, n_jobs)).tolist()
    stations = tuple(
        Station(
            f"L{line}S{k}", setups_us=tuple(map(tuple, tables[k])) if setups else None,
            setup_ahead=setups,
        )
        for line in range(n_lines)
        for k in range(n_stations)
    )  # fmt: skip
    operations: list[Operation] = []
    links: list[Link] = []
    demands: list[Demand] = []
    for j, row in enumerate(times):
        for k, us in enumerate(row):
            if k:
                links.append(Link(len(operations) - 1, len(operations)))
            modes = tuple(
                Mode(line * n_stations + k, us, family=j if setups else -1)
                for line in range(n_lines)
            )
            operations.append(Operation(f"{k}", f"J{j}", modes))
        due = int(random.integers(10, 60))
        weight = int(random.integers(1, 4))
        last = len(operations) - 1
        demands.append(Demand(f"J{j}", (last,), (), 0, due, weight))
    rows = tuple(
        tuple(range(j * n_stations, (j + 1) * n_stations)) for j in range(n_jobs)
    )
    problem = Problem(
        tuple(operations), stations, links=tuple(links), demands=tuple(demands),
        same_order=(rows,), same_mode=rows if n_lines > 1 else (),
    )  # fmt: skip
    return problem, times, tables if setups else []


def ends_in_order(order: tuple[int, ...], times: Ints, setups: list[Ints]) -> list[int]:
    """Return when each job of an order is done, by the textbook's recursion."""
    free = [0] * len(times[0])
    ends, before = [], -1
    for j in order:
        at = 0
        for k, us in enumerate(times[j]):
            setup = setups[k][before][j] if setups else 0
            at = free[k] = max(at, free[k] + setup) + us
        ends.append(at)
        before = j
    return ends


def found_by(search: LocalSearch, problem: Problem, objective: str, steps: int) -> int:
    """Return the value that a search finds, which its schedule has to have."""
    search.go_on(0, steps, 1.0)
    schedule = search.solution()
    assert violations(problem, schedule) == []
    assert measure(problem, schedule, objective) == search.value()
    assert objective_values(problem, schedule)[objective] == search.value()
    return search.value()


def optimum(problem: Problem, objective: str) -> int:
    """Return what the benchmark's plain model of CP-SAT proves to be the optimum."""
    model = Plain(told(problem, objective)).model
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 8
    solver.parameters.max_time_in_seconds = 60
    assert solver.solve(model) == cp_model.OPTIMAL
    return round(solver.objective_value)


@pytest.mark.parametrize("setups", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_all_orders_is_found(seed: int, *, setups: bool) -> None:
    problem, times, tables = flow_shop(seed, 6, 4, setups=setups)
    best = {"makespan": 10**9, "tardiness": 10**9, "flow_time": 10**9}
    for order in permutations(range(6)):
        ends = ends_in_order(order, times, tables)
        late = 0
        for j, end in zip(order, ends, strict=True):
            demand = problem.demands[j]
            late += demand.weight * max(0, end - demand.due_us)
        values = {"makespan": ends[-1], "tardiness": late, "flow_time": sum(ends)}
        best = {name: min(best[name], value) for name, value in values.items()}
    for objective, value in best.items():
        (search,) = searches_of(problem, objective, None, seed=seed, n=1)
        assert found_by(search, problem, objective, 60) == value


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_all_orders_on_two_lines_is_found(seed: int) -> None:
    problem, times, _ = flow_shop(seed, 5, 3, n_lines=2)
    best = 10**9
    for order in permutations(range(5)):
        for lines in product(range(2), repeat=5):
            each = [
                ends_in_order(tuple(j for j in order if lines[j] == line), times, [])
                for line in range(2)
            ]
            best = min(best, max(ends[-1] for ends in each if ends))
    (search,) = searches_of(problem, "makespan", None, seed=seed, n=1)
    assert found_by(search, problem, "makespan", 80) == best
    found = solve(problem, objectives=("makespan",), limit_s=20)
    assert (found.status, found.levels[0].value) == ("optimal", best)
    assert found.solution is not None
    assert violations(problem, found.solution) == []
    mode = found.solution.mode.copy()
    mode[1] = 1 - mode[1]
    torn = violations(problem, replace(found.solution, mode=mode))
    assert any("several lines" in wrong for wrong in torn)


def shop(seed: int, *, least: int = 1) -> Problem:
    """Return a shop with servers, alternatives, rests, releases and assembly."""
    random = np.random.default_rng(seed)
    stations = tuple(Station(f"S{k}", int(random.integers(1, 3))) for k in range(4))
    operations: list[Operation] = []
    links: list[Link] = []
    for j in range(6):
        first = len(operations)
        for i in range(int(random.integers(1, 4))):
            if i:
                links.append(Link(len(operations) - 1, len(operations)))
            chosen = random.choice(4, int(random.integers(1, 3)), replace=False)
            modes = tuple(Mode(int(k), int(random.integers(least, 20))) for k in chosen)
            release = int(random.integers(0, 10)) if i == 0 else 0
            rest = int(random.integers(0, 5))
            operations.append(Operation(f"{i}", f"J{j}", modes, release, rest_us=rest))
        if j % 3 == 2 and first:
            links.append(Link(first - 1, len(operations) - 1))  # built into this one
    last = tuple(range(len(operations)))
    return Problem(
        tuple(operations), stations, links=tuple(links), demands=(Demand("all", last),)
    )


def stage_line(seed: int, *, lags: bool) -> Problem:
    """Return jobs that go past stages of equal servers, and leave out some."""
    random = np.random.default_rng(seed)
    stations = tuple(Station(f"S{k}", 1 + k % 2) for k in range(3))
    operations: list[Operation] = []
    links: list[Link] = []
    demands: list[Demand] = []
    for j in range(6):
        visited = [k for k in range(3) if random.random() < 0.8] or [1]
        first = len(operations)
        for i, k in enumerate(visited):
            if i:
                links.append(Link(len(operations) - 1, len(operations)))
            release = int(random.integers(0, 20)) if lags and i == 0 else 0
            rest = int(random.integers(0, 6)) if lags else 0
            mode = Mode(k, int(random.integers(1, 20)))
            operations.append(
                Operation(f"{k}", f"J{j}", (mode,), release, rest_us=rest)
            )
        last: tuple[int, ...] = (len(operations) - 1,)
        if j % 2:
            last = (demands.pop().last[0], *last)  # two parts for one order
        due, weight = int(random.integers(10, 50)), int(random.integers(1, 4))
        demands.append(Demand(f"J{j}", last, (first,), 0, due, weight))
    return Problem(
        tuple(operations), stations, links=tuple(links), demands=tuple(demands)
    )


@pytest.mark.parametrize("lags", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_orders_past_stages_come_near_the_optimum(seed: int, *, lags: bool) -> None:
    problem = stage_line(seed, lags=lags)
    for objective in ("makespan", "tardiness"):
        assert stages_of(problem, objective) is not None
        searches = searches_of(problem, objective, None, seed=seed, n=2)
        values = [found_by(s, problem, objective, 2_000) for s in searches]
        best = optimum(problem, objective)
        assert best <= min(values) <= 1.1 * best


LINE = """
schema_version: 1
name: Three stages
stations:
  cut: {process: 10 min, servers: 2}
  weld: {process: 15 min, servers: 3}
  paint: {process: 5 min}
products:
  a: {route: [cut, weld, paint], release: orders}
  b: {route: [{station: cut, process: 4 min}, weld, {station: paint, process: 9 min}],
      release: orders}
  c: {route: [cut, {station: weld, process: 31 min}, paint], release: orders}
orders:
  - {product: a, quantity: 7, due: 1 h}
  - {product: b, quantity: 9, due: 2 h}
  - {product: c, quantity: 6, due: 3 h, priority: 2}
"""


def test_a_line_of_a_model_file_is_searched_as_the_stages_that_it_is() -> None:
    line = loads(LINE)
    told_by = []
    schedule = schedule_line(
        line, objectives=("makespan",), limit_s=1.0, why=False,
        on_progress=lambda progress: told_by.append(progress.what),
    )  # fmt: skip
    problem = schedule.compiled.problem
    assert stages_of(problem, "makespan") is not None
    assert violations(problem, schedule.solution) == []
    assert schedule.different == (), "it has to come out in the kernel as it is"
    assert "local search" in told_by or schedule.status == "optimal"
    assert schedule.levels[0].value <= schedule.first_levels[0]


@pytest.mark.parametrize("seed", range(6))
def test_the_optimum_of_a_small_shop_is_found(seed: int) -> None:
    problem = shop(seed, least=seed % 2)  # with operations of no time, too
    assert shop_of(problem) is not None
    (search,) = searches_of(problem, "makespan", None, seed=seed, n=1)
    value = found_by(search, problem, "makespan", 3_000)
    assert value == optimum(problem, "makespan")
    counts = search._memory.counts  # type: ignore[attr-defined]  # noqa: SLF001
    assert counts[4] == 0, "a move was judged possible that closes a circle"


def project(seed: int) -> Problem:
    """Return activities that share two resources and a station."""
    random = np.random.default_rng(seed)
    resources = (Resource("crew", 4), Resource("crane", 2))
    operations = []
    for i in range(10):
        quantities = (int(random.integers(0, 4)), int(random.integers(0, 3)))
        needs = tuple(Need((r,), n) for r, n in enumerate(quantities) if n)
        station = 0 if i % 3 == 0 else -1
        mode = Mode(station, int(random.integers(0, 9)), needs=needs)
        operations.append(Operation(f"{i}", f"A{i}", (mode,)))
    links = tuple(
        Link(i, j) for i in range(10) for j in range(i) if random.random() < 0.12
    )
    demand = Demand("all", tuple(range(10)))
    return Problem(
        tuple(operations), (Station("S", 1),), (), resources, links, demands=(demand,)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_of_a_small_project_is_found(seed: int) -> None:
    problem = project(seed)
    assert project_of(problem) is not None
    (search,) = searches_of(problem, "makespan", None, seed=seed, n=1)
    value = found_by(search, problem, "makespan", 300)
    assert value == optimum(problem, "makespan")


def test_more_people_than_there_are_is_told_and_not_searched_for() -> None:
    few = project(0)
    mode = Mode(-1, 5, needs=(Need((1,), 2), Need((1,), 1)))
    operations = (*few.operations[:-1], Operation("9", "A9", (mode,)))
    problem = replace(few, operations=operations)
    assert searches_of(problem, "makespan", None, seed=0, n=1) == []
    assert solve(problem, objectives=("makespan",), limit_s=5).status == "infeasible"


def test_what_is_used_up_is_never_there_again() -> None:
    """Fast modes burn fuel; all choices of modes are gone through."""
    random = np.random.default_rng(3)
    ways = [[(int(t), 0), (int(t) // 2, int(f))] for t, f in zip(
        random.integers(8, 20, 5), random.integers(2, 6, 5), strict=True
    )]  # fmt: skip
    fuel = 9
    operations = tuple(
        Operation(f"{i}", f"A{i}", tuple(
            Mode(0, us, needs=(Need((0,), n),) if n else ()) for us, n in rows
        ))
        for i, rows in enumerate(ways)
    )  # fmt: skip
    problem = Problem(
        operations, (Station("S"),), (), (Resource("fuel", fuel, used_up=True),),
        demands=(Demand("all", tuple(range(5))),),
    )  # fmt: skip
    best = min(
        sum(rows[m][0] for m, rows in zip(modes, ways, strict=True))
        for modes in product(range(2), repeat=5)
        if sum(rows[m][1] for m, rows in zip(modes, ways, strict=True)) <= fuel
    )
    found = solve(problem, objectives=("makespan",), limit_s=20)
    assert (found.status, found.levels[0].value) == ("optimal", best)
    assert found.solution is not None
    assert violations(problem, found.solution) == []
    fastest = replace(found.solution, mode=np.ones(5, np.int64))
    assert any("used up" in wrong for wrong in violations(problem, fastest))


@pytest.mark.parametrize("seed", range(3))
def test_work_without_order_is_shared_out_as_well_as_can_be(seed: int) -> None:
    random = np.random.default_rng(seed)
    times = random.integers(1, 20, (7, 3)).tolist()
    operations = tuple(
        Operation("work", f"J{j}", tuple(Mode(k, us) for k, us in enumerate(row)))
        for j, row in enumerate(times)
    )
    stations = tuple(Station(f"S{k}") for k in range(3))
    demands = tuple(Demand(f"J{j}", (j,)) for j in range(7))
    problem = Problem(operations, stations, demands=demands)
    best = min(
        max(
            sum(times[j][k] for j in range(7) if where[j] == k) for k in range(3)
        )
        for where in product(range(3), repeat=7)
    )  # fmt: skip
    found = solve(problem, objectives=("makespan",), limit_s=20)
    assert (found.status, found.levels[0].value) == ("optimal", best)
    assert found.method == "CP-SAT, who does what"
    assert found.solution is not None
    assert violations(problem, found.solution) == []


def test_a_problem_with_more_rules_than_a_search_knows_is_left_alone() -> None:
    problem, _, _ = flow_shop(0, 4, 3)
    assert flow_of(problem, "makespan") is not None
    assert flow_of(problem, "setups") is None
    with_limit = Problem(
        problem.operations, problem.stations,
        links=(*problem.links[:-1], Link(10, 11, 0, 5)),
        demands=problem.demands, same_order=problem.same_order,
    )  # fmt: skip
    assert searches_of(with_limit, "makespan", None, seed=0, n=1) == []
