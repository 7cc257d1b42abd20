"""Why no plan meets the targets: what cannot hold together, and the least to give.

`conflict_of` finds a set of limits (targets, hours of stations and people, places in
stores, each of some periods) that cannot hold together, and of which none can be left
out: an irreducible infeasible subset, by the deletion filter. Limits are left out one
after the other, a whole station first and then its periods; what is not missed stays
out. There may be several such sets; late targets and little loaded stations are left
out first, so that the earliest target and the tightest station are named.

`relaxations` finds the least to give in one way at a time: units fewer, hours more, or
targets later, each the least of its kind; with many setups, the least that is found in
ten seconds, or in a quarter of the time that is left.

Source: Chinneck and Dravnieks (1991), ORSA Journal on Computing 3, 157-168 (deletion
filter); Brown and Graves (1975) in Chinneck (2008), Feasibility and Infeasibility in
Optimization, chapter 6 (elastic programs).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.model.targets import Goal, Period
from linewright.plan._highs import Solver
from linewright.plan._program import Limit, Program, buckets_of

__all__ = ["Conflict", "Relaxation", "conflict_of", "relaxations"]

Floats = NDArray[np.float64]

MOST_S = 10.0
"""Seconds for the least to give in one way, with whole setups."""

_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Conflict:
    """Limits that cannot hold together.

    Attributes:
        limits: The limits.
        is_least: Whether it is proven that none can be left out.
    """

    limits: tuple[Limit, ...]
    is_least: bool

    def rows(self, program: Program) -> list[dict[str, Any]]:
        """Return them in words, periods that follow each other as one."""
        rows = []
        for limit in (one for one in self.limits if one.kind == "target"):
            goal = program.goals[limit.period]
            text = f'target "{goal.target}": {goal.quantity:,} {goal.product}, '
            rows.append(
                {
                    "kind": "target",
                    "name": goal.target,
                    "first": goal.label,
                    "last": goal.label,
                    "text": text + _when(goal.label),
                }
            )
        for (kind, name), first, last in self._spans():
            labels = program.periods[first].label, program.periods[last].label
            what = {
                "station": f'hours of "{name}"',
                "people": f'hours of the people "{name}"',
                "store": f'places in the store of "{name}"',
            }[kind]
            when = labels[0] if first == last else f"{labels[0]} to {labels[1]}"
            rows.append(
                {
                    "kind": kind,
                    "name": name,
                    "first": labels[0],
                    "last": labels[1],
                    "text": f"{what}, {when}",
                }
            )
        return rows

    def _spans(self) -> Iterator[tuple[tuple[str, str], int, int]]:
        """Yield what else there is, with first and last of periods in a row."""
        others = sorted(one for one in self.limits if one.kind != "target")
        for key, limits in groupby(others, key=lambda one: (one.kind, one.name)):
            at = [one.period for one in limits]
            begin = 0
            for i in range(1, len(at) + 1):
                if i == len(at) or at[i] != at[i - 1] + 1:
                    yield key, at[begin], at[i - 1]
                    begin = i


def _when(label: str) -> str:
    if label.startswith("by "):
        return label
    return f"from {label}" if " to " in label else f"in {label}"


def conflict_of(
    program: Program, solver: Solver, time_left: Callable[[], float]
) -> Conflict:
    """Return limits that cannot hold together, none of them without need.

    The program is as before when it returns.
    """
    return _Filter(program, solver, time_left).found()


class _Filter:
    """Drops limits for as long as the rest cannot hold together."""

    def __init__(
        self, program: Program, solver: Solver, time_left: Callable[[], float]
    ) -> None:
        self._program, self._solver, self._time_left = program, solver, time_left
        self._kept = dict(program.limits)
        self._is_sure = True
        solver.price(np.zeros(solver.n_columns))
        fractions = solver.solve(max(time_left(), 1.0), whole=False)
        self._whole = fractions.status != "infeasible"

    def found(self) -> Conflict:
        program, solver = self._program, self._solver
        self._latest_goals()
        for group in self._groups():
            self._try_without(group)
        for limit in sorted(self._kept, key=lambda one: -one.period):
            if limit.kind != "target":
                self._try_without([limit])
        for row in program.limits.values():
            solver.keep(row)
        solver.price(solver.cost)
        return Conflict(tuple(self._kept), self._is_sure)

    def _fails(self) -> bool:
        """Say whether the limits that are left cannot hold together."""
        seconds = max(self._time_left(), 1.0)
        found = self._solver.solve(seconds, whole=self._whole)
        if found.status == "unknown":
            self._is_sure = False
        return found.status == "infeasible"

    def _drop(self, limits: Sequence[Limit]) -> None:
        for limit in limits:
            self._solver.drop(self._program.limits[limit])

    def _keep(self, limits: Sequence[Limit]) -> None:
        for limit in limits:
            self._solver.keep(self._program.limits[limit])

    def _try_without(self, limits: Sequence[Limit]) -> None:
        self._drop(limits)
        if self._fails():
            for limit in limits:
                self._kept.pop(limit)
        else:
            self._keep(limits)

    def _latest_goals(self) -> None:
        """Drop the goals after the first that cannot be met, by bisection."""
        by_date = sorted(
            (limit for limit in self._kept if limit.kind == "target"),
            key=lambda one: self._program.goals[one.period].by_us,
        )
        low, high = 0, len(by_date)  # the first `high` fail together, `low` do not
        while high - low > 1:
            middle = (low + high) // 2
            self._drop(by_date[middle:])
            if self._fails():
                high = middle
            else:
                low = middle
            self._keep(by_date[middle:])
        self._drop(by_date[high:])
        for limit in by_date[high:]:
            self._kept.pop(limit)

    def _groups(self) -> list[list[Limit]]:
        """Return the goals, the earliest last, then stations, pools and stores."""
        goals = [limit for limit in self._kept if limit.kind == "target"]
        by = [self._program.goals[limit.period].by_us for limit in goals]
        found = [[goals[i]] for i in np.argsort(by, kind="stable")]
        others: dict[tuple[str, str], list[Limit]] = {}
        for limit in self._kept:
            if limit.kind != "target":
                others.setdefault((limit.kind, limit.name), []).append(limit)
        # what has the most hours for its work is tried out first
        need = self._needs()
        order = sorted(others, key=lambda key: need.get(key, 0.0))
        return [*(others[key] for key in order), *found]

    def _needs(self) -> dict[tuple[str, str], float]:
        """Return how loaded each is, if targets were met whatever the hours."""
        program, solver = self._program, self._solver
        free = [r for limit, r in program.limits.items() if limit.kind != "target"]
        for row in free:
            solver.drop(row)
        lean = np.zeros(solver.n_columns)
        for columns in program.stock.values():
            lean[columns] = 1.0
        solver.price(lean)
        found = solver.solve(max(self._time_left(), 1.0), whole=False)
        solver.price(np.zeros(solver.n_columns))
        for row in free:
            solver.keep(row)
        if found.values is None:
            return {}
        loads = {}
        for kind, name in program.more:
            spent = [
                program.spent_on(kind, name, t, found.values) for t in range(program.n)
            ]
            work = np.cumsum([work + setups for work, setups, _, _ in spent])
            hours = np.cumsum([own + over for _, _, own, over in spent])
            shares = work / np.maximum(hours, _TINY)
            loads[kind, name] = float(shares.max())
        return loads


# ---------------------------------------------------------------- what would do


@dataclass(frozen=True, slots=True)
class Relaxation:
    """What has to give way, in one way, for a plan to be.

    Attributes:
        way: ``units`` fewer, ``hours`` more, or all targets ``later``.
        kind: ``target``, ``station`` or ``people``.
        name: Name of the target, station or pool.
        period: When; of a target its label.
        number: Number of the goal or period.
        amount: Units, hours, or periods.
        cost: Their price or cost, where the model says it; else not a number.
    """

    way: str
    kind: str
    name: str
    period: str
    number: int
    amount: float
    cost: float

    def row(self) -> dict[str, Any]:
        """Return the row of the table."""
        keys = ("way", "kind", "name", "period", "amount", "cost")
        return {key: getattr(self, key) for key in keys}


def relaxations(
    program: Program,
    solver: Solver,
    again: Callable[[list[Period], list[Goal]], Program],
    time_left: Callable[[], float],
) -> list[Relaxation]:
    """Return the least to give in each way that helps.

    The program is as before when it returns.

    Args:
        program: A program without a solution.
        solver: The same, solved.
        again: What makes the program of other periods and goals.
        time_left: Seconds that are left.
    """
    return [
        *_fewer(program, solver, time_left),
        *_more_hours(program, solver, time_left),
        *_later(program, again, time_left),
    ]


def _fewer(
    program: Program, solver: Solver, time_left: Callable[[], float]
) -> Iterator[Relaxation]:
    solver.bound(program.short, 0.0, math.inf)
    values = _least(program.short, solver, time_left)
    high = np.array([program.rows.high[column] for column in program.short])
    solver.bound(program.short, 0.0, high)
    for g, goal in enumerate(program.goals):
        short = 0.0 if values is None else float(values[program.short[g]])
        if short > _TINY and not program.may_be_short(goal):
            price = program.line.products[goal.product].price
            cost = math.nan if price is None else price * short
            yield Relaxation("units", "target", goal.target, goal.label, g, short, cost)


def _more_hours(
    program: Program, solver: Solver, time_left: Callable[[], float]
) -> Iterator[Relaxation]:
    every = np.concatenate([*program.more.values()])
    solver.bound(every, 0.0, math.inf)
    values = _least(every, solver, time_left)
    solver.bound(every, 0.0, 0.0)
    if values is None:
        return
    said = program.planning.overtime.stations
    for (kind, name), columns in program.more.items():
        priced = kind == "station" and name in said
        price = said[name].cost_per_hour if priced else math.nan
        for t in np.flatnonzero(values[columns] > _TINY):
            hours = float(values[columns[t]])
            servers = float(program.hours.servers_by(name, None)[t]) if priced else 1.0
            yield Relaxation(
                "hours",
                kind,
                name,
                program.periods[t].label,
                int(t),
                hours,
                price * hours / max(servers, 1.0),
            )


def _least(
    columns: NDArray[np.int64], solver: Solver, time_left: Callable[[], float]
) -> Floats | None:
    """Return values with the least sum of some columns; none if there are none."""
    price = np.zeros(solver.n_columns)
    price[columns] = 1.0
    solver.price(price)
    found = solver.solve(min(max(time_left() / 4, 1.0), MOST_S))
    if found.status == "unknown":  # then with setups counted in part
        found = solver.solve(MOST_S, whole=False)
    solver.price(solver.cost)
    return found.values


def _later(
    program: Program,
    again: Callable[[list[Period], list[Goal]], Program],
    time_left: Callable[[], float],
) -> Iterator[Relaxation]:
    """Yield by how many periods all targets would have to come later, if that helps."""
    low, high = 0, 0
    for n in (1, 2, 4, 8, 16):
        if n > 2 * program.n or time_left() <= 0:
            break
        if _holds(*_later_by(program, n), again, time_left):
            high = n
            break
        low = n
    while high - low > 1 and time_left() > 0:
        middle = (low + high) // 2
        if _holds(*_later_by(program, middle), again, time_left):
            high = middle
        else:
            low = middle
    if high:
        yield Relaxation("later", "target", "", "", -1, float(high), math.nan)


def _later_by(program: Program, n: int) -> tuple[list[Period], list[Goal]]:
    """Return periods and goals that come some periods later, of the mean length."""
    end_us = int(program.edges[-1])
    shift_us = round(n * end_us / program.n)
    goals = [
        g._replace(
            since_us=g.since_us + shift_us if g.since_us else 0,
            by_us=g.by_us + shift_us,
        )
        for g in program.goals
    ]
    edges = np.linspace(end_us, end_us + shift_us, n + 1).round().astype(int).tolist()
    more = [Period(f"+{i + 1}", edges[i], edges[i + 1]) for i in range(n)]
    return [*program.periods, *more], goals


def _holds(
    periods: list[Period],
    goals: list[Goal],
    again: Callable[[list[Period], list[Goal]], Program],
    time_left: Callable[[], float],
) -> bool:
    """Say whether there is a plan for other periods and goals.

    The quick questions come first: without whole setups, and with all of them.
    """
    program = again(buckets_of(periods, goals), goals)
    solver = Solver(program.rows)
    solver.price(np.zeros(solver.n_columns))
    seconds = max(time_left(), 1.0)
    if solver.solve(seconds, whole=False).values is None:
        return False
    if not solver.is_whole.any():
        return True
    if program.setups and len(program.setups) * program.n == solver.is_whole.sum():
        solver.bound(np.flatnonzero(solver.is_whole), 1.0, 1.0)
        if solver.solve(seconds, whole=False).values is not None:
            return True
        solver.bound(np.flatnonzero(solver.is_whole), 0.0, 1.0)
    return solver.solve(seconds).values is not None
