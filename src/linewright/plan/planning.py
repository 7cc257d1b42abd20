"""`plan_line`: a line and its targets to a `Plan`.

What is asked for is exploded and compared with the hours (`capacity`); then the line is
simulated to the last target, with everything uncertain, and units are counted
(`counting`). All answers come out of the same replications: whether a target is met and
when, what a higher target would need, and when a new order could be delivered.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright import tables as t
from linewright.engines import Engine, in_order
from linewright.errors import ModelError
from linewright.lower import Lowered, lower
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.model.load_estimate import arrivals_per_s
from linewright.model.meaning import leaves_line
from linewright.model.moments import tick_of
from linewright.model.targets import Goal, goals_of, periods_to
from linewright.own_rules import (
    given_names,
    permit,
    require_threads,
    threads_for,
)
from linewright.plan.actual import Actual, read_actual
from linewright.plan.attainment import (
    chance,
    date_quantile,
    highest_factor,
    promise_dates,
    reached,
)
from linewright.plan.capacity import RoughCut, demand_by, rough_cut
from linewright.plan.counting import Counts, Instants, count_units
from linewright.plan.demand import Asked
from linewright.plan.outcome import PLAN_SCHEMA_VERSION, Plan, plan_table
from linewright.states import load_state, time_of
from linewright.stats.intervals import Interval, mean_interval, wilson_interval
from linewright.units import MAX_US, parse_duration_us
from linewright.version import __version__

__all__ = ["Progress", "Promise", "plan_line"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEFAULT_PRECISION = 0.05
MOST_REPLICATIONS = 20_000
READY_WITH = 0.9


@dataclass(frozen=True, slots=True)
class Promise:
    """A question for a date: so many units more than planned, with a probability."""

    product: str
    quantity: int
    probability: float = 0.9


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a plan is: replications done, and asked for, and the widest interval."""

    done: int
    asked: int
    widest: Interval


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the simulation, all arguments read and checked."""

    line: Line
    lowered: Lowered
    goals: list[Goal]
    instants: Instants
    products: tuple[str, ...]
    begin_us: int
    end_us: int
    seed: int
    replications: int
    precision: float | None
    confidence: float
    start: t.State | None
    actual: Actual | None
    promises: tuple[Promise, ...]


def plan_line(  # noqa: PLR0913
    line: Line,
    *,
    horizon: str | int | None = None,
    replications: int | None = None,
    seed: int | None = None,
    precision: float | None = None,
    confidence: float = 0.95,
    workers: int | None = None,
    engine: Engine | None = None,
    start_from: str | os.PathLike[str] | None = None,
    actual: str | os.PathLike[str] | None = None,
    promises: Sequence[Promise] = (),
    goal: float | str | None = None,
    allow_python: bool = False,
    rules: Mapping[str, Callable[..., Any]] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Plan:
    """Say whether a line will meet its targets, and how sure that is.

    Args:
        line: A line with targets; it is checked first.
        horizon: Time that is simulated, from the start of the line: a duration or
            microseconds; to the last target by default. Dates can be found as far.
        replications: Independent runs; with `precision`, the most of them.
        seed: Seed of all random streams; that of the line's study by default.
        precision: Stop when the half-width of every probability is this or less; 0.05
            if neither this nor a number is given.
        confidence: Confidence of all intervals.
        workers: Threads; all cores by default. The result does not depend on it.
        engine: Where replications are run; on threads by default.
        start_from: A saved state to begin from: what it has made counts.
        actual: CSV file of what was really made so far: date, product, quantity.
        promises: New orders for which a date is asked.
        goal: Targets times this factor are asked about too; ``auto``: times the
            highest factor at which all are met with 90 %.
        allow_python: Run the Python of the model's own rules.
        rules: Functions for rules of one's own, by the name in the model.
        on_progress: Called after each replication, in their order.

    Returns:
        The plan. Interrupted by Ctrl-C, it holds the replications done so far, and its
        manifest says so.

    Raises:
        ModelError: The line, or the file of what was made, has errors.
        ValueError: The line has no targets, or an argument is out of its range.
        ResultError: The state cannot be read, or is not one of such a line.
        RuleError: A rule of one's own may not run, raised, or gave no answer.
        DeadlockError: The line came to stand still for good.
    """
    if findings := [f for f in check(line) if f.severity == "error"]:
        raise ModelError(findings)
    cut = rough_cut(line)
    factor = _factor(goal)
    end_us = _end_us(line, horizon)
    goals = [one for one in goals_of(line) if one.by_us <= end_us]
    begin_us = 0 if start_from is None else time_of(start_from)
    made = None if actual is None else read_actual(line, actual)
    if made is None:  # what was made before the state is not known by date
        goals = [one for one in goals if one.by_us > begin_us]
    if not goals:
        msg = "no target is due within the horizon; make it longer"
        raise ValueError(msg)
    _require(line, replications, precision, confidence, seed, promises)
    _require_times(begin_us, end_us, made, start_from is not None)
    lowered = permit(lower(line, end_us), rules, allow_python=allow_python)
    require_threads(lowered, engine)
    state = None
    if start_from is not None:
        state = load_state(start_from, lowered, model_hash(line), what_if=True).state
    if replications is None and precision is None:
        precision = DEFAULT_PRECISION
    periods = periods_to(line, end_us)
    cuts = {one.by_us for one in goals} | {one.since_us for one in goals}
    cuts |= {begin_us, *(period.end_us for period in periods)}
    cuts |= {made.as_of_us} if made else set()
    asked = [one.product for one in goals] + [one.product for one in promises]
    question = _Question(
        line,
        lowered,
        goals,
        Instants.of(sorted(cuts), begin_us, end_us),
        tuple(dict.fromkeys(asked)),
        begin_us,
        end_us,
        line.study.seed if seed is None else seed,
        MOST_REPLICATIONS if replications is None else replications,
        precision,
        confidence,
        state,
        made,
        tuple(promises),
    )
    where = engine or threads_for(lowered, workers)
    tally, stopped_early = _tallied(question, where, on_progress)
    return tally.plan(cut, factor, stopped_early)


def _tallied(
    question: _Question,
    engine: Engine,
    on_progress: Callable[[Progress], None] | None,
) -> tuple[_Tally, bool]:
    """Run replications until they are enough; say whether somebody stopped them."""
    q, tally = question, _Tally(question)
    lowered, seed, instants, start = q.lowered, q.seed, q.instants, q.start

    def count(number: int) -> Counts:
        return count_units(lowered, seed, number, instants, start)

    try:
        for counts in in_order(engine, count, range(q.replications)):
            tally.add(counts)
            widest = tally.widest()
            if on_progress:
                on_progress(Progress(tally.n, q.replications, widest))
            if q.precision is not None and widest.half_width <= q.precision:
                break
    except KeyboardInterrupt:
        if not tally.n:
            raise
        return tally, True
    return tally, False


# ---------------------------------------------------------------- arguments


def _factor(goal: float | str | None) -> float | str | None:
    if goal is None or goal == "auto":
        return goal
    try:
        factor = float(goal)
    except ValueError:
        factor = math.nan
    if not (factor > 0 and math.isfinite(factor)):
        msg = f'goal is "{goal}"; it is a factor above zero, such as 1.2, or auto'
        raise ValueError(msg)
    return factor


def _end_us(line: Line, horizon: str | int | None) -> int:
    if horizon is None:
        return max(goal.by_us for goal in goals_of(line))
    end_us = horizon if isinstance(horizon, int) else parse_duration_us(horizon)
    if not 0 < end_us < MAX_US:
        msg = f"the horizon is {end_us} microseconds; it is above zero and finite"
        raise ValueError(msg)
    return end_us


def _require(
    line: Line,
    replications: int | None,
    precision: float | None,
    confidence: float,
    seed: int | None,
    promises: Sequence[Promise],
) -> None:
    """Raise with everything that is wrong, not the first of it."""
    broken = []
    if replications is not None and replications < 1:
        broken.append(f"replications is {replications}; it is one or more")
    if precision is not None and not 0 < precision < 1:
        broken.append(f"precision is {precision}; it is a share such as 0.02")
    if not 0 < confidence < 1:
        broken.append(f"confidence is {confidence}; it lies between 0 and 1")
    if seed is not None and not 0 <= seed < 2**63:
        broken.append(f"seed is {seed}; it is zero or more and below 2**63")
    sold = [name for name in line.products if leaves_line(line, name)]
    for one in promises:
        if one.product not in sold:
            broken.append(
                f'"{one.product}" is not a product that leaves the line; there are '
                f"{', '.join(sold)}"
            )
        if one.quantity < 1 or not 0 < one.probability < 1:
            broken.append(
                f"a promise is of one unit or more, at a probability between 0 and 1, "
                f"got {one.quantity} at {one.probability:g}"
            )
    if broken:
        raise ValueError("; ".join(broken))


def _require_times(
    begin_us: int, end_us: int, made: Actual | None, has_state: bool
) -> None:
    if begin_us >= end_us:
        msg = "the state is of a time after the last target; nothing is left to plan"
        raise ValueError(msg)
    if made is None:
        return
    if made.as_of_us > end_us:
        msg = "what was made goes on after the last target; give a longer horizon"
        raise ValueError(msg)
    if has_state and made.as_of_us > begin_us + 86_400_000_000:
        msg = "what was made goes on after the instant of the state; save a later state"
        raise ValueError(msg)


# ---------------------------------------------------------------- tallying


class _Tally:
    """What the replications counted, in their order, and the answers from it."""

    def __init__(self, question: _Question) -> None:
        q = self.q = question
        self.n = 0
        self.events: list[int] = []
        self.standing: list[int] = []
        self.failed: list[dict[str, Any]] = []
        self.n_checks = 0
        self._columns = [q.lowered.names.products.index(name) for name in q.products]
        self._units: list[Ints] = []
        self._fine: list[Ints] = []
        self._dates: list[list[int]] = []
        self._demand: list[int] = []
        self._needed: list[Ints] = []
        self._made: list[Ints] = []
        self._n_met = np.zeros(len(q.goals) + 1, np.int64)
        self._asked = Asked(q.line, q.goals, q.seed)
        edges = np.array(
            [one.since_us for one in q.goals] + [one.by_us for one in q.goals]
        )
        self._edges = edges
        self._of = np.array([q.products.index(one.product) for one in q.goals])
        at = np.searchsorted(q.instants.cuts_us, edges)
        self._at = at.clip(0, len(q.instants.cuts_us) - 1)

    # ------------------------------------------------------------ counting

    def add(self, counts: Counts) -> None:
        """Take in what one replication counted."""
        q = self.q
        units = self._corrected(counts.finished[:, self._columns], q.instants.cuts_us)
        fine = self._corrected(counts.fine[:, self._columns], q.instants.fine_us)
        edge = units[self._at, np.tile(self._of, 2)]
        is_past = (self._edges < q.begin_us) | (self._edges == 0)
        edge = np.where(is_past, self._before(fine), edge)
        since, by = np.split(edge, 2)
        demand = self._asked.scenario(counts.number)
        needed = self._asked.units[demand]
        made = by - since
        met = made >= needed
        self._n_met += [*met, met.all()]
        self._dates.append(
            [
                reached(q.instants.fine_us, fine[:, p], int(since[i] + needed[i]))
                for i, p in enumerate(self._of)
            ]
        )
        self._units.append(units)
        if q.promises:
            self._fine.append(fine.astype(np.int32))
        self._demand.append(demand)
        self._needed.append(needed)
        self._made.append(made)
        self.events.append(counts.events)
        if counts.status == t.STANDSTILL:
            self.standing.append(counts.number)
        self.n_checks += len(counts.checks)
        self.failed += [
            {"replication": counts.number, "law": one.law, "entity": one.entity}
            for one in counts.checks
            if not one.ok
        ]
        self.n += 1

    def _corrected(self, units: Ints, at_us: Ints) -> Ints:
        """Return units with what was really made in the place of what was simulated."""
        actual = self.q.actual
        if actual is None:
            return units
        as_of = max(actual.as_of_us, self.q.begin_us)
        row = int(np.searchsorted(at_us, as_of, side="right")) - 1
        then = units[max(row, 0)]
        out: Ints = units - then
        for i, name in enumerate(self.q.products):
            known = actual.by(name, np.minimum(at_us, actual.as_of_us))
            out[:, i] = np.where(at_us <= as_of, known, out[:, i] + known)
        return out

    def _before(self, fine: Ints) -> Ints:
        """Return the units by the edges of goals that lie before the begin.

        A state knows only how many there are in all; then they count as made just now.
        """
        actual, products = self.q.actual, self.q.products
        known = np.zeros(len(self._edges), np.int64)
        for i, p in enumerate(np.tile(self._of, 2)):
            if actual is not None:
                known[i] = int(actual.by(products[p], np.array([self._edges[i]]))[0])
            elif self._edges[i] > 0:
                known[i] = int(fine[0, p])
        return known

    def widest(self) -> Interval:
        """Return the widest interval of a probability so far."""
        nearest = min(self._n_met, key=lambda n: abs(2 * int(n) - self.n))
        return wilson_interval(int(nearest), self.n, self.q.confidence)

    # ------------------------------------------------------------ answers

    def plan(
        self, cut: RoughCut, factor: float | str | None, stopped_early: bool
    ) -> Plan:
        """Return the plan."""
        q = self.q
        needed, made = np.array(self._needed), np.array(self._made)
        common = _common_factors(made, needed)
        tables = {
            "goals": self._goals(needed, made),
            "capacity": _capacity(cut),
            "asked": _asked(cut),
            "fan": self._fan(),
            "replications": self._replications(needed, made, common),
            "counts": self._counts(),
            "promises": self._promises(),
            "readiness": self._readiness(cut, factor, common, needed, made),
        }
        manifest = {
            "kind": "plan",
            "plan_schema_version": PLAN_SCHEMA_VERSION,
            "linewright_version": __version__,
            "model_name": q.line.name,
            "description": q.line.description,
            "model_hash": model_hash(q.line),
            "seed": q.seed,
            "replications": self.n,
            "replications_asked": q.replications,
            "horizon_us": q.end_us,
            "from_us": q.begin_us,
            "actual_to_us": None if q.actual is None else q.actual.as_of_us,
            "precision": q.precision,
            "confidence": q.confidence,
            "resolution_us": q.instants.step_us,
            "goals_left_out": len(goals_of(q.line)) - len(q.goals),
            "start": q.line.start.isoformat(),
            "time_zone": q.line.time_zone,
            "rules_given": given_names(q.lowered),
            "events": sum(self.events),
            "stopped_early": stopped_early,
            "standstill": self.standing,
            "checks": self.n_checks,
            "failed_checks": self.failed,
        }
        return Plan(
            manifest,
            q.line,
            {name: plan_table(name, rows) for name, rows in tables.items()},
        )

    def _goals(self, needed: Ints, made: Ints) -> list[dict[str, Any]]:
        q = self.q
        met: Flags = made >= needed
        dates = np.array(self._dates)
        shares = _common_shares(made, needed)
        rows = []
        for i, one in enumerate(q.goals):
            short = mean_interval(
                np.maximum(needed[:, i] - made[:, i], 0), q.confidence
            )
            row = self._row(met[:, i]) | {
                "target": one.target,
                "goal": one.label,
                "product": one.product,
                "quantity": one.quantity,
                "since_us": one.since_us,
                "by_us": one.by_us,
                "made_mean": float(made[:, i].mean()),
                "shortfall_mean": short.mean,
                "shortfall_half_width": short.half_width,
                "released_most": released_most(q.line, one),
                "first_short": float((shares.argmin(axis=1) == i).mean()),
            }
            for share in (50, 80, 95):
                found = date_quantile(dates[:, i], share / 100, q.confidence)
                row[f"reached_p{share}_us"] = found.at_us
            rows.append(row)
        names = [one.target for one in q.goals]
        for name in dict.fromkeys(names):
            mine = [i for i, other in enumerate(names) if other == name]
            if len(mine) > 1:
                one = q.goals[mine[0]]
                row = self._row(np.all(met[:, mine], axis=1))
                rows.append(row | {"target": name, "goal": "", "product": one.product})
        rows.append(self._row(np.all(met, axis=1)) | {"target": "", "goal": ""})
        return rows

    def _row(self, met: Flags) -> dict[str, Any]:
        found = chance(met, self.q.confidence)
        return {"probability": found.mean, "low": found.low, "high": found.high}

    def _fan(self) -> list[dict[str, Any]]:
        q = self.q
        units = np.array(self._units)
        rows = []
        periods = [p for p in periods_to(q.line, q.end_us) if p.end_us > q.begin_us]
        ends = np.array([period.end_us for period in periods], np.int64)
        at = np.searchsorted(q.instants.cuts_us, ends)
        for p, name in enumerate(q.products):
            asked = demand_by(q.goals, name, ends)
            for i, period in enumerate(periods):
                here = units[:, at[i], p]
                low = np.quantile(here, (0.05, 0.25, 0.5, 0.75, 0.95), method="lower")
                quantiles = zip(("p05", "p25", "p50", "p75", "p95"), low, strict=True)
                rows.append(
                    {
                        "period": period.label,
                        "at_us": period.end_us,
                        "product": name,
                        "asked": float(asked[i]),
                        "mean": float(here.mean()),
                        **{key: float(value) for key, value in quantiles},
                    }
                )
        return rows

    def _replications(
        self, needed: Ints, made: Ints, common: Floats
    ) -> list[dict[str, Any]]:
        names = list(self.q.line.demand) or [""]
        met: Flags = np.all(made >= needed, axis=1)
        return [
            {
                "replication": number,
                "demand": names[self._demand[number]],
                "met": bool(met[number]),
                "factor": float(common[number]),
                "events": self.events[number],
            }
            for number in range(self.n)
        ]

    def _counts(self) -> list[dict[str, Any]]:
        q = self.q
        return [
            {
                "replication": number,
                "at_us": int(at_us),
                "product": name,
                "units": int(units[i, p]),
            }
            for number, units in enumerate(self._units)
            for i, at_us in enumerate(q.instants.cuts_us)
            for p, name in enumerate(q.products)
        ]

    def _promises(self) -> list[dict[str, Any]]:
        q, rows = self.q, []
        for one in q.promises:
            p = q.products.index(one.product)
            units = np.array([fine[:, p] for fine in self._fine], np.int64)
            owed = np.array([self._owed(one.product, d) for d in self._demand])
            dates = promise_dates(q.instants.fine_us, units, owed, one.quantity)
            found = date_quantile(dates, one.probability, q.confidence)
            rows.append(
                {
                    "product": one.product,
                    "quantity": one.quantity,
                    "probability": one.probability,
                    "date_us": found.at_us,
                    "low_us": found.low_us,
                    "high_us": found.high_us,
                }
            )
        return rows

    def _owed(self, product: str, demand: int) -> Floats:
        """Return the units of a product that targets have asked for, at each instant.

        They are owed when a target is due, and not before.
        """
        fine_us = self.q.instants.fine_us
        most = np.zeros(len(fine_us))
        for name in dict.fromkeys(one.target for one in self.q.goals):
            owed = np.zeros(len(fine_us))
            for i, one in enumerate(self.q.goals):
                if one.target == name and one.product == product:
                    units = self._asked.units[demand, i]
                    owed += np.where(fine_us >= one.by_us, units, 0)
            most = np.maximum(most, owed)
        return most

    # ------------------------------------------------------------ readiness

    def _readiness(
        self,
        cut: RoughCut,
        factor: float | str | None,
        common: Floats,
        needed: Ints,
        made: Ints,
    ) -> list[dict[str, Any]]:
        q = self.q
        rows = [self._ready(1.0, needed, made, cut)]
        if isinstance(factor, float) and factor != 1:
            more = rough_cut(q.line, factor=factor)
            rows.append(self._ready(factor, needed, made, more))
        if factor == "auto":
            most, low, high = highest_factor(common, READY_WITH, q.confidence)
            if most > 0:
                row = self._ready(most, needed, made, rough_cut(q.line, factor=most))
                rows.append(
                    row
                    | {"is_highest": True, "probability": READY_WITH}
                    | {"low": low, "high": high}
                )
            else:
                rows.append(
                    rows[0]
                    | {"factor": 0.0, "is_highest": True, "probability": READY_WITH}
                    | {"low": low, "high": high}
                )
        return rows

    def _ready(
        self, factor: float, needed: Ints, made: Ints, cut: RoughCut
    ) -> dict[str, Any]:
        q = self.q
        enough: Flags = made >= np.ceil(needed * factor - 1e-9)
        known = [
            released_most(q.line, one) / owed
            for one in q.goals
            if q.line.products[one.product].release.kind == "orders"
            and (owed := _asked_to_end(q.goals, one)) > 0
        ]
        first, never = cut.first_overload, cut.first_impossible
        return self._row(np.all(enough, axis=1)) | {
            "factor": factor,
            "is_highest": False,
            "first_kind": first.entity.kind if first else "",
            "first_entity": first.entity.name if first else "",
            "first_period": first.period.label if first else "",
            "first_load": first.load if first else math.nan,
            "impossible_entity": never.entity.name if never else "",
            "impossible_period": never.period.label if never else "",
            "released_factor": min(known) if known else math.nan,
        }


def _asked_to_end(goals: Sequence[Goal], one: Goal) -> int:
    """Return the units that a target has asked for from its first goal to one of it."""
    mine = [other for other in goals if other.target == one.target]
    return sum(other.quantity for other in mine if other.by_us <= one.by_us)


def _common_shares(made: Ints, needed: Ints) -> Floats:
    """Return made as a share of needed, (replication, goal); infinite for nothing."""
    out = np.full(made.shape, np.inf)
    np.divide(made, needed, out=out, where=needed > 0)
    return out


def _common_factors(made: Ints, needed: Ints) -> Floats:
    """Return for each replication the factor up to which all goals are met."""
    factors: Floats = _common_shares(made, needed).min(axis=1)
    return factors


def released_most(line: Line, goal: Goal) -> float:
    """Return how many units of a goal's product come into the line by its end.

    Of orders those that are released by then; of arrivals the mean number. Not a number
    where only the line itself limits them.
    """
    product = line.products[goal.product]
    release = product.release
    if release.kind == "orders":
        orders = line.orders if isinstance(line.orders, tuple) else ()
        return float(
            sum(
                order.quantity
                for order in orders
                if order.product == goal.product
                and (order.release is None or tick_of(line, order.release) < goal.by_us)
            )
        )
    if release.kind == "arrivals":
        per_s = arrivals_per_s(line, goal.product)
        if per_s > 0:
            return goal.by_us / 1e6 * per_s
    return math.nan


def _capacity(cut: RoughCut) -> list[dict[str, Any]]:
    return [
        {
            "period": period.label,
            "begin_us": period.begin_us,
            "end_us": period.end_us,
            "kind": entity.kind,
            "entity": entity.name,
            "work_h": float(cut.work_h[e, i]),
            "hours": float(cut.hours[e, i]),
            "load": float(cut.load[e, i]),
            "load_to_date": float(cut.load_to_date[e, i]),
        }
        for i, period in enumerate(cut.periods)
        for e, entity in enumerate(cut.entities)
    ]


def _asked(cut: RoughCut) -> list[dict[str, Any]]:
    return [
        {
            "period": period.label,
            "product": name,
            "asked": float(cut.asked[name][i]) if name in cut.asked else 0.0,
            "starts": float(starts[i]),
        }
        for i, period in enumerate(cut.periods)
        for name, starts in cut.starts.items()
    ]
