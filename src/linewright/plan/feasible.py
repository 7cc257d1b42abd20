"""`plan_quantities`: how much of what in each period, at least cost.

Targets become a linear program (`_program`) that HiGHS solves: units started and in
stock, overtime, setups, investments. The plan comes with its bound and gap; of all
plans of its cost it is the one with the least stock and overtime, and whose units leave
most evenly. Where no plan meets
the targets, `conflict` says which limits cannot hold together and what would be the
least to give way, and the plan that is least short is told.

What is learned depends on what is made: it is taken from the last solution, and the
program solved again, until it changes no more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.errors import ModelError
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.model.targets import Goal, Period, goals_of, periods_to
from linewright.plan._conflict import Conflict, Relaxation, conflict_of, relaxations
from linewright.plan._highs import Rows, Solution, Solver, require_highs
from linewright.plan._invest import Choices, Effects, Investments, searched
from linewright.plan._program import Clearing, Program, buckets_of, discount_of
from linewright.plan.attainment import scaled
from linewright.plan.clearing import Fitted, fitted, rows_of
from linewright.plan.quantities import (
    QUANTITIES_SCHEMA_VERSION,
    QuantityPlan,
    quantity_table,
)
from linewright.units import MAX_US, parse_duration_us
from linewright.version import __version__

__all__ = ["plan_quantities"]

Floats = NDArray[np.float64]

MOST_ROUNDS = 10
LOADED = 0.7
"""Load in any period from which on a station has a clearing function."""

MOST_CLEARED = 6
"""Stations that have one, at most: those that are loaded most."""

SEARCH_SHARE = 0.4
"""Most of the time that is spent on a search for investments before HiGHS goes on."""

_LEARNED = 1e-3  # change of what is learned below which it is taken as settled
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is planned, all arguments read and checked."""

    line: Line
    goals: list[Goal]
    periods: list[Period]
    clearing: Mapping[str, Clearing]
    factor: float
    effects: Effects | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A program with what is known of it."""

    program: Program
    solver: Solver
    solution: Solution
    learning_change: float
    investments: Investments | None


def plan_quantities(  # noqa: PLR0913
    line: Line,
    *,
    horizon: str | int | None = None,
    factor: float = 1.0,
    options: Choices | None = None,
    congestion: bool = False,
    seed: int | None = None,
    workers: int | None = None,
    time_limit: float = 60.0,
) -> QuantityPlan:
    """Return quantities for each period that meet a line's targets at least cost.

    Args:
        line: A line with targets; it is checked first.
        horizon: Time that is planned, from the start of the line: a duration or
            microseconds; to the last target by default.
        factor: What all targets are multiplied by.
        options: What could be invested in, such as `improve.options.read_options`
            returns: which of them, and from when on, is a part of the plan.
        congestion: Whether work waits at loaded stations, by clearing functions that
            are fitted to simulations of each.
        seed: Seed of these simulations; that of the line's study by default.
        workers: Threads for them; all cores by default.
        time_limit: Seconds for the search.

    Returns:
        The plan; where none can meet the targets, its status is ``infeasible`` and it
        says why.

    Raises:
        ModelError: The line has errors.
        ValueError: The line has no targets, or an argument is out of its range.
        LinewrightError: The extra ``plan`` is not installed.
    """
    require_highs()
    if findings := [f for f in check(line) if f.severity == "error"]:
        raise ModelError(findings)
    asked = _asked(line, horizon, factor, time_limit, options)
    started = time.monotonic()

    def time_left() -> float:
        return time_limit - (time.monotonic() - started)

    found = _settled(asked, time_left)
    functions: list[Fitted] = []
    if congestion and found.solution.values is not None:
        seed = line.study.seed if seed is None else seed
        functions = list(_fitted(found, seed, workers))
        started = time.monotonic()  # the limit is one of the search
        clearing = {one.station: one.clearing for one in functions}
        asked = replace(asked, clearing=clearing)
        found = _settled(asked, time_left)
    build_s = time.monotonic() - started
    program, solver = found.program, found.solver
    conflict, ways = None, list[Relaxation]()
    solution = found.solution
    if solution.values is not None:
        solution = _cheapest(found, solution, time_left)
    if solution.status == "infeasible":
        conflict = conflict_of(program, solver, time_left)
        ways = relaxations(
            program,
            solver,
            lambda periods, goals: _program(asked, periods, goals)[0],
            time_left,
        )
        solution = _least_short(found, ways, time_left)
    seconds = time.monotonic() - started
    manifest = _manifest(asked, found, solution, conflict) | {
        "seed": seed if functions else None,
        "first_s": build_s,
        "seconds": seconds,
        "time_limit_s": time_limit,
    }
    tables = _tables(found, solution, conflict, ways)
    tables["clearing"] = list(rows_of(functions))
    return QuantityPlan(
        manifest, line, {name: quantity_table(name, r) for name, r in tables.items()}
    )


# ---------------------------------------------------------------- arguments


def _asked(
    line: Line,
    horizon: str | int | None,
    factor: float,
    time_limit: float,
    choices: Choices | None,
) -> _Asked:
    wrong = []
    if not (factor > 0 and math.isfinite(factor)):
        wrong.append(f"targets are multiplied by a number above zero, got {factor}")
    if not time_limit > 0:
        wrong.append(f"the time limit is {time_limit} s; it is more than zero")
    goals = goals_of(line)
    if not goals:
        wrong.append(f'"{line.name}" has no targets; add targets to the model')
    end_us = max((goal.by_us for goal in goals), default=0)
    if horizon is not None:
        end_us = horizon if isinstance(horizon, int) else parse_duration_us(horizon)
        if not 0 < end_us < MAX_US:
            wrong.append(f"the horizon is {end_us} microseconds; it is above zero")
        goals = [goal for goal in goals if goal.by_us <= end_us]
        if not goals:
            wrong.append("no target is due within the horizon; make it longer")
    if wrong:
        raise ValueError("; ".join(dict.fromkeys(wrong)))
    goals = [
        g._replace(quantity=int(scaled(g.quantity, np.array(factor)))) for g in goals
    ]
    per = line.planning.period if line.planning else None
    periods = buckets_of(periods_to(line, end_us, per), goals)
    effects = None if choices is None else Effects(line, choices)
    return _Asked(line, goals, periods, {}, factor, effects)


# ---------------------------------------------------------------- solving


def _program(
    asked: _Asked,
    periods: Sequence[Period],
    goals: Sequence[Goal],
    begun: Mapping[str, Floats] | None = None,
) -> tuple[Program, Investments | None]:
    """Return the program of some periods and goals, with the options in it."""
    rows, investments = Rows(), None
    if asked.effects is not None:
        worth = discount_of(asked.line)
        investments = Investments(asked.effects, periods, rows, worth)
    program = Program(
        asked.line,
        periods,
        goals,
        begun=begun,
        clearing=asked.clearing,
        rows=rows,
        extra=investments.extra if investments else None,
    )
    return program, investments


def _settled(asked: _Asked, time_left: Callable[[], float]) -> _Found:
    """Return the program with what is learned in the plan, solved with fractions."""
    begun: dict[str, Floats] | None = None
    for _ in range(MOST_ROUNDS):
        program, investments = _program(asked, asked.periods, asked.goals, begun)
        solver = Solver(program.rows)
        solution = solver.solve(time_left(), whole=False)
        if solution.values is None:
            return _Found(program, solver, solution, math.nan, investments)
        values = solution.values
        begun = {name: values[columns] for name, columns in program.starts.items()}
        change = program.changed(begun)
        if change < _LEARNED or time_left() <= 0:
            break
    return _Found(program, solver, solution, change, investments)


def _fitted(found: _Found, seed: int, workers: int | None) -> Iterator[Fitted]:
    """Yield the clearing functions of the stations that are loaded most."""
    program, values = found.program, found.solution.values
    assert values is not None
    loads = dict[str, float]()
    for kind, name in program.more:
        if kind == "station" and program.line.stations[name].conveyor is None:
            each = [program.spent_on(kind, name, t, values) for t in range(program.n)]
            loads[name] = max(
                (work + setups) / max(own + over, _TINY)
                for work, setups, own, over in each
            )
    loaded = [name for name in loads if loads[name] >= LOADED]
    for name in sorted(loaded, key=lambda name: -loads[name])[:MOST_CLEARED]:
        mix = program.visits_at(name, values)
        if mix:
            yield fitted(program.line, name, mix, seed=seed, workers=workers)


def _cheapest(
    found: _Found, relaxed: Solution, time_left: Callable[[], float]
) -> Solution:
    """Return the plan of least cost, and of these the one with least stock."""
    program, solver = found.program, found.solver
    solution = relaxed
    if solver.is_whole.any():
        solution = _proven(found, relaxed.bound, time_left)
        if solution.values is None:
            return solution
        values = _latest(found, solution.values, max(time_left(), 1.0))
        solution = Solution(solution.status, values, solution.objective, solution.bound)
        _fix(solver, values)
    assert solution.values is not None
    values = _leanest(program, solver, solution.values, max(time_left(), 1.0))
    return Solution(solution.status, values, solution.objective, solution.bound)


def _proven(found: _Found, bound: float, time_left: Callable[[], float]) -> Solution:
    """Return the best of what a search finds and of what HiGHS does, with its bound.

    HiGHS looks for what costs less than the search has found.
    """
    solver = found.solver
    start = _start(found, time_left)
    if start is None:
        best = solver.solve(time_left())
        return Solution(
            best.status, best.values, best.objective, max(bound, best.bound)
        )
    cost = float(solver.cost @ start)
    solver.cap(cost - 1e-5 * abs(cost))
    best = solver.solve(time_left())
    solver.cap(None)
    if best.values is not None:
        return Solution(
            best.status, best.values, best.objective, max(bound, best.bound)
        )
    if best.status == "infeasible":  # nothing costs less by as much
        return Solution("optimal", start, cost, max(bound, cost - 1e-5 * abs(cost)))
    return Solution("feasible", start, cost, max(bound, best.bound))


def _start(found: _Found, time_left: Callable[[], float]) -> Floats | None:
    """Return a plan that is likely good, to begin from; none if none was found."""
    there, whole = found.investments, time_left()
    if there is None or not there.there:
        return _rounded_up(found, time_left)
    dates = searched(
        there, found.solver, lambda: time_left() - (1 - SEARCH_SHARE) * whole
    )
    if dates is None:
        return None
    there.fixed(found.solver, dates[0])
    values = _rounded_up(found, time_left)
    if values is None:
        values = found.solver.solve(max(time_left() / 4, 1.0)).values
    there.freed(found.solver)
    return values


def _rounded_up(found: _Found, time_left: Callable[[], float]) -> Floats | None:
    """Return a plan with every setup of which the relaxation has a part, if any."""
    solver, seconds = found.solver, max(time_left(), 1.0)
    relaxed = solver.solve(seconds, whole=False).values
    if relaxed is None or not found.program.setups:
        return relaxed
    setups = np.concatenate(list(found.program.setups.values()))
    solver.bound(setups, np.ceil(relaxed[setups] - _TINY), 1.0)
    once = solver.solve(seconds, whole=False).values
    if once is not None:  # setups that are not whole by now are whole at once
        low = np.ceil(once[setups] - _TINY)
        solver.bound(setups, low, low)
        once = solver.solve(seconds, whole=False).values
    solver.bound(setups, 0.0, 1.0)
    return once


def _latest(found: _Found, values: Floats, seconds: float) -> Floats:
    """Return, of the plans of one cost, the one whose options are there the least."""
    if found.investments is None or not found.investments.is_any(values):
        return values
    solver = found.solver
    cost = float(solver.cost @ values)
    there = np.concatenate(list(found.investments.there.values()))
    late = np.zeros(solver.n_columns)
    late[there] = 1.0
    solver.cap(cost + 1e-9 * max(1.0, cost))
    solver.price(late)
    best = solver.solve(seconds)
    solver.price(solver.cost)
    solver.cap(None)
    return values if best.values is None else best.values


def _fix(solver: Solver, values: Floats) -> None:
    whole = np.flatnonzero(solver.is_whole)
    solver.bound(whole, np.round(values[whole]), np.round(values[whole]))


def _leanest(
    program: Program, solver: Solver, values: Floats, seconds: float
) -> Floats:
    """Return, of the plans of one cost, the one with the least starts and stock."""
    cost = float(solver.cost @ values)
    solver.cap(cost + 1e-9 * max(1.0, cost))
    lean = np.zeros(solver.n_columns)
    for columns in program.starts.values():
        lean[columns] = 2 * program.days.mean()  # or what is over would be begun
    for columns in (*program.stock.values(), *program.blanks.values()):
        lean[columns] = program.days
    for columns in (*program.waiting.values(), *program.uneven):
        lean[columns] = program.days
    for columns in program.overtime.values():
        lean[columns] = 1.0
    solver.price(lean)
    found = solver.solve(seconds, whole=False)
    solver.price(solver.cost)
    solver.cap(None)
    return values if found.values is None else found.values


def _least_short(
    found: _Found, ways: Sequence[Relaxation], time_left: Callable[[], float]
) -> Solution:
    """Return the cheapest of the plans that are least short of the targets."""
    program, solver = found.program, found.solver
    high = np.array([program.rows.high[column] for column in program.short])
    for one in ways:
        if one.way == "units":
            high[one.number] = one.amount + 1e-9
    solver.bound(program.short, 0.0, high)
    relaxed = solver.solve(max(time_left(), 5.0), whole=False)
    if relaxed.values is None:
        return Solution("infeasible", None, math.inf, math.inf)
    solution = _cheapest(found, relaxed, lambda: max(time_left(), 5.0))
    return Solution("infeasible", solution.values, solution.objective, math.inf)


# ---------------------------------------------------------------- what was found


def _costs(found: _Found, values: Floats) -> dict[str, float]:
    program, there = found.program, found.investments
    cost = np.array(program.rows.cost)
    groups = {
        "holding": [
            *program.stock.values(),
            *program.blanks.values(),
            *program.waiting.values(),
        ],
        "overtime": list(program.overtime.values()),
        "setups": list(program.setups.values()),
        "shortage": [program.short],
        "investments": list(there.there.values()) if there else [],
    }
    return {
        name: float(sum(cost[columns] @ values[columns] for columns in group))
        for name, group in groups.items()
    }


def _manifest(
    asked: _Asked, found: _Found, solution: Solution, conflict: Conflict | None
) -> dict[str, Any]:
    line, program = asked.line, found.program
    costs: dict[str, float] = {}
    cost = gap = math.nan
    if solution.values is not None:
        costs = _costs(found, solution.values)
        cost = math.fsum(costs.values())
        gap = math.inf
        if math.isfinite(solution.bound):
            gap = max(0.0, cost - solution.bound) / cost if cost > _TINY else 0.0
    status = solution.status
    if status == "feasible" and gap <= _TINY:
        status = "optimal"
    return {
        "kind": "quantities",
        "quantities_schema_version": QUANTITIES_SCHEMA_VERSION,
        "linewright_version": __version__,
        "model_name": line.name,
        "description": line.description,
        "model_hash": model_hash(line),
        "seed": None,
        "start": line.start.isoformat(),
        "time_zone": line.time_zone,
        "currency": line.currency,
        "horizon_us": asked.periods[-1].end_us,
        "factor": asked.factor,
        "status": status,
        "cost": _known(cost),
        "costs": costs,
        "bound": _known(solution.bound),
        "gap": _known(gap),
        "conflict_is_least": None if conflict is None else conflict.is_least,
        "lead_times_left_out": program.lead_times_left_out,
        "learning_change": _known(found.learning_change),
        "columns": found.solver.n_columns,
        "rows": len(program.rows.row_low),
        "whole_columns": int(found.solver.is_whole.sum()),
    }


def _known(value: float) -> float | None:
    """Return a number, or nothing where it is none."""
    return value if math.isfinite(value) else None


def _tables(
    found: _Found,
    solution: Solution,
    conflict: Conflict | None,
    ways: Sequence[Relaxation],
) -> dict[str, list[dict[str, Any]]]:
    program = found.program
    tables: dict[str, list[dict[str, Any]]] = {
        "quantities": [],
        "goals": [],
        "capacity": [],
        "overtime": [],
        "setups": [],
        "investments": [],
        "conflict": [] if conflict is None else conflict.rows(program),
        "relaxations": [one.row() for one in ways],
        "clearing": [],
    }
    if solution.values is not None:
        values = np.where(np.abs(solution.values) < _TINY, 0.0, solution.values)
        tables["quantities"] = _quantities(program, values)
        tables["goals"] = _goals(program, values)
        tables["capacity"] = _capacity(program, values)
        tables["overtime"] = _overtime(program, values)
        tables["setups"] = _setups(program, values)
        if found.investments is not None:
            tables["investments"] = _investments(program, found.investments, values)
    return tables


def _period(program: Program, t: int) -> dict[str, Any]:
    period = program.periods[t]
    return {
        "period": period.label,
        "begin_us": period.begin_us,
        "end_us": period.end_us,
    }


def _quantities(program: Program, values: Floats) -> list[dict[str, Any]]:
    nothing = np.zeros(program.n)
    rows = []
    for t in range(program.n):
        for name in program.products:
            waits = [
                values[columns[t]]
                for (product, _), columns in program.waiting.items()
                if product == name
            ]
            stock = values[program.stock[name]] if name in program.stock else nothing
            left = values[program.leaves[name]] if name in program.leaves else nothing
            rows.append(
                _period(program, t)
                | {
                    "product": name,
                    "started": float(values[program.starts[name][t]]),
                    "finished": program.finished(name, t, values),
                    "used": program.used(name, t, values),
                    "left": float(left[t]),
                    "stock": float(stock[t]),
                    "waiting": float(sum(waits)),
                }
            )
    return rows


def _goals(program: Program, values: Floats) -> list[dict[str, Any]]:
    rows = []
    for g, goal in enumerate(program.goals):
        short = float(values[program.short[g]])
        planned = program.planned(g, values)
        rows.append(
            {
                "target": goal.target,
                "goal": goal.label,
                "product": goal.product,
                "quantity": goal.quantity,
                "since_us": goal.since_us,
                "by_us": goal.by_us,
                "planned": planned,
                "short": short,
                "cost": short * program.rows.cost[program.short[g]],
            }
        )
    return rows


def _capacity(program: Program, values: Floats) -> list[dict[str, Any]]:
    rows = []
    for t in range(program.n):
        for kind, name in program.more:
            work, setups, hours, over = program.spent_on(kind, name, t, values)
            total = hours + over
            rows.append(
                _period(program, t)
                | {
                    "kind": kind,
                    "entity": name,
                    "work_h": work,
                    "setup_h": setups,
                    "hours": hours,
                    "overtime_h": over,
                    "load": (work + setups) / total if total > _TINY else 0.0,
                }
            )
    return rows


def _overtime(program: Program, values: Floats) -> list[dict[str, Any]]:
    return [
        {
            "period": program.periods[t].label,
            "kind": kind,
            "name": name,
            "hours": float(values[columns[t]]),
            "most": program.rows.high[columns[t]],
            "cost": float(values[columns[t]]) * program.rows.cost[columns[t]],
        }
        for t in range(program.n)
        for (kind, name), columns in program.overtime.items()
    ]


def _setups(program: Program, values: Floats) -> list[dict[str, Any]]:
    return [
        {"period": program.periods[t].label, "station": station, "kind": kind}
        for t in range(program.n)
        for (station, kind), columns in program.setups.items()
        if values[columns[t]] > 0.5
    ]


def _investments(
    program: Program, there: Investments, values: Floats
) -> list[dict[str, Any]]:
    since, rows = there.since(values), []
    for name, option in there.choices.by_name.items():
        t = since.get(name, program.n)
        row = {"option": name, "chosen": t < program.n, "cost": option.cost}
        row["left_out"] = there.left_out.get(name, "")
        if t < program.n:
            begin_us = program.periods[t].begin_us
            row |= {
                "from_us": begin_us,
                "order_us": begin_us - option.lead_time_us,
                "period": program.periods[t].label,
            }
        rows.append(row)
    return rows
