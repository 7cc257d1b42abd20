"""The linear program of a plan: its columns, its rows, and what each row is about.

Periods are the calendar's, cut where a target begins or ends, so that a target is a sum
over whole periods. Columns are, for each product and period: units started, stock at
the end, units that leave; for each period: overtime by calendar and station, work of
each alternative, people of each pool for each skill, setups; for each target: units
short. Rows are balances (flow, bills of material, splits), the hours of each station
and pool, places in stores, and targets. The last three are *limits*: what an engineer
could change, so each knows what it is about (`Limit`), and can be dropped.

A unit is not finished in the instant in which it starts. Each operation lies at an
offset from the start of its unit, by the share of the route's work before it, and
starts are spread evenly over their period; so work, components and finished units fall
into the periods that they reach (Hackman and Leachman 1989, Management Science 35,
478-495). At a station with a clearing function there is no fixed offset: work waits
there, and what leaves depends on what waits (`clearing`).

Everything is a mean: units are not whole, batches are full, scrap and rework come as
often as on average. Hours in this module are hours; costs are the model's money.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linewright.model.changes import window_schedule
from linewright.model.line import Line, Overtime, Planning, Setup, Step
from linewright.model.load_estimate import flow_of, starts_of, work_us
from linewright.model.meaning import (
    batch_of,
    leaves_line,
    places,
    process_time,
    setup_kind,
    skills_of,
    uses_of,
)
from linewright.model.targets import Goal, Period
from linewright.plan._highs import Rows
from linewright.plan._hours import Hours
from linewright.plan._work import crews_of, learned_mean, people_us

__all__ = ["Clearing", "Extra", "Limit", "Program", "buckets_of", "discount_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Terms = dict[int, float]

HOUR_US = 3.6e9
_DAY_US = 86_400e6
_WEEK_US = 7 * _DAY_US
_YEAR_US = 365.25 * _DAY_US


class Limit(NamedTuple):
    """What a row is about, for words and for dropping it.

    Attributes:
        kind: ``target``, ``station``, ``people`` or ``store``.
        name: Name of the target, station, pool or product.
        period: Number of the period, from 0; of a target its number among all.
    """

    kind: str
    name: str
    period: int


class Clearing(NamedTuple):
    """A clearing function: what a station clears, by what waits and is in work there.

    The share of its hours that it works is at most ``slope * n + level`` for each
    segment, at a mean of `n` visits there.

    Attributes:
        slope: Slopes, falling.
        level: Levels, rising; the last segment is flat.
        visit_h: Mean work of a visit, hours; units count by their own work.
    """

    slope: tuple[float, ...]
    level: tuple[float, ...]
    visit_h: float


@dataclass(frozen=True, slots=True)
class Extra:
    """Hours beyond the line's own that hang on columns: what investments bring.

    Attributes:
        hours: By kind and name of a limit: for each period the columns and the hours
            of each; they take the place of the line's own.
    """

    hours: Mapping[tuple[str, str], Sequence[Terms]] = field(default_factory=dict)


def buckets_of(periods: Sequence[Period], goals: Iterable[Goal]) -> list[Period]:
    """Return periods cut where goals begin and end; parts are numbered, ``1/2``."""
    edges = sorted({at for goal in goals for at in (goal.since_us, goal.by_us)})
    found = []
    for period in periods:
        inside = [at for at in edges if period.begin_us < at < period.end_us]
        parts = [period.begin_us, *inside, period.end_us]
        for i, (begin, end) in enumerate(itertools.pairwise(parts), 1):
            n = len(parts) - 1
            label = period.label if n == 1 else f"{period.label} {i}/{n}"
            found.append(Period(label, begin, end))
    return found


def discount_of(line: Line) -> Callable[[Floats], Floats]:
    """Return the function that says what money at some instants is worth at the start.

    Instants are in microseconds from the start.
    """
    interest = line.planning.interest if line.planning else 0.0

    def worth(at_us: Floats) -> Floats:
        found: Floats = (1 + interest) ** (-at_us / _YEAR_US)
        return found

    return worth


class Program:
    """The program of one line, its periods and goals.

    Attributes:
        rows: The program.
        limits: Rows that can be dropped, by what they are about.
        starts, stock, leaves: Columns by product, one a period.
        short: Columns by number of the goal.
        overtime: Columns by calendar or station, one a period.
        uneven: Columns of how far what leaves is ahead of or behind an even course.
        more: Columns of hours that are not there, by limit; none unless they are freed.
        setups: Columns by station and kind, one a period.
        work, spent: Terms of the work, and of the setups, by kind and name of a limit.
    """

    def __init__(  # noqa: PLR0913
        self,
        line: Line,
        periods: Sequence[Period],
        goals: Sequence[Goal],
        *,
        begun: Mapping[str, Floats] | None = None,
        clearing: Mapping[str, Clearing] | None = None,
        rows: Rows | None = None,
        extra: Extra | None = None,
    ) -> None:
        self.line, self.periods, self.goals = line, list(periods), list(goals)
        self.planning = line.planning or Planning()
        self.discount = discount_of(line)
        self.rows = rows or Rows()
        self._extra = extra or Extra()
        self.clearing = dict(clearing or {})
        self.n = len(self.periods)
        self.edges = np.array([0, *(p.end_us for p in self.periods)], np.int64)
        self.hours = Hours(line, self.edges)
        self.days = np.diff(self.edges) / _DAY_US
        self.flows = {n: flow_of(product) for n, product in line.products.items()}
        self.products = self._needed()
        self._offsets = {name: self._offset(name) for name in self.products}
        self._shares = self._learned(begun or self._evenly())
        self.limits: dict[Limit, int] = {}
        self._own: dict[tuple[str, str], Floats] = {}
        self._found_gains: dict[tuple[str, str], list[tuple[Ints, Floats]]] = {}
        self.work: dict[tuple[str, str], list[Terms]] = defaultdict(self._terms)
        self.spent: dict[tuple[str, str], list[Terms]] = defaultdict(self._terms)
        self._visits: dict[str, list[Terms]] = defaultdict(self._terms)
        self._by_kind: dict[str, dict[str, list[Terms]]] = defaultdict(
            lambda: defaultdict(self._terms)
        )
        self.waiting: dict[tuple[str, int], Ints] = {}
        self._cleared: dict[str, list[tuple[Ints, Ints, float]]] = defaultdict(list)
        self._columns()
        self._operations()
        self._balances()
        self._setups()
        self._people()
        self._capacity()
        self._clear()
        self._targets()

    def _terms(self) -> list[Terms]:
        return [defaultdict(float) for _ in range(self.n)]

    # ------------------------------------------------------------ what is made

    def _needed(self) -> list[str]:
        """Return the products that targets ask for, with all that goes into them."""
        asked = {goal.product: 1.0 for goal in self.goals}
        starts = starts_of(self.line, self.flows, asked)
        return [name for name in self.line.products if float(starts[name]) > 0]

    def _evenly(self) -> dict[str, Floats]:
        """Return starts as targets ask for them: a first idea of what is learned."""
        names = dict.fromkeys(goal.product for goal in self.goals)
        asked = {name: self._evenly_asked(name) for name in names}
        starts = starts_of(self.line, self.flows, asked)
        return {name: np.zeros(self.n) + units for name, units in starts.items()}

    def _offset(self, name: str) -> Floats:
        """Return when each operation lies after the start, and the end last, us."""
        product, flow = self.line.products[name], self.flows[name]
        times = []
        for i, step in enumerate(product.route):
            station = step.stations[0]
            time = process_time(self.line, name, step, station)
            us = time.mean_us if time else 0.0
            if step.process_per == "unit":
                us *= product.lot_size
            us += step.rest.mean_us if step.rest else 0.0
            on = self.hours.on_share(station)
            times.append(flow.visits[i] * us / on if on > 0 else 0.0)
        ends = np.cumsum([0.0, *times])
        said = self.planning.lead_times.get(name)
        if said is None or name in self.lead_times_left_out:
            return ends
        if ends[-1] <= 0:
            return np.linspace(0.0, said, len(ends))
        scaled: Floats = ends * (said / ends[-1])
        return scaled

    @property
    def lead_times_left_out(self) -> list[str]:
        """Products whose lead time follows from what waits, and not from the model."""
        return [
            name
            for name in self.planning.lead_times
            if any(self._is_cleared(step) for step in self.line.products[name].route)
        ]

    def lag(self, offset_us: float) -> Floats:
        """Return which share of a period's starts comes to which period, (from, to)."""
        begin, end = self.edges[:-1] + offset_us, self.edges[1:] + offset_us
        low = np.maximum.outer(begin, self.edges[:-1])
        high = np.minimum.outer(end, self.edges[1:])
        shares: Floats = np.maximum(high - low, 0.0) / (end - begin)[:, None]
        return shares

    def _learned(self, begun: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the share of its first time that each operation takes, by period."""
        learned = {}
        done: dict[str, Floats] = defaultdict(lambda: np.zeros(self.n))
        steps: dict[str, Step] = {}
        for name in self.products:
            product = self.line.products[name]
            for i, step in enumerate(product.route):
                if step.learning is not None:
                    steps[step.operation] = step
                    lot = product.lot_size if step.process_per == "lot" else 1
                    come = begun[name] @ self.lag(self._offsets[name][i])
                    done[step.operation] += come * self.flows[name].visits[i] / lot
        for operation, step in steps.items():
            assert step.learning is not None
            learned[operation] = learned_mean(step.learning, done[operation])
        return learned

    def changed(self, begun: Mapping[str, Floats]) -> float:
        """Return the most by which what is learned differs from what was taken."""
        now = self._learned(begun)
        return max(
            (float(np.abs(now[o] / self._shares[o] - 1).max()) for o in now),
            default=0.0,
        )

    # ------------------------------------------------------------ columns

    def _columns(self) -> None:
        rows, line, n = self.rows, self.line, self.n
        self.starts = {name: rows.columns(n) for name in self.products}
        self.stock: dict[str, Ints] = {}
        self.leaves: dict[str, Ints] = {}
        self.blanks: dict[str, Ints] = {}
        for name in self.products:
            product = line.products[name]
            daily = (product.cost and product.cost.holding_per_day) or 0.0
            holding = daily * (self.days + np.append(self.days[1:], 0.0)) / 2
            holding = holding * self.discount(self.edges[1:].astype(float))
            if not product.route or not product.route[-1].makes:
                self.stock[name] = rows.columns(n, holding)
            if self._parents(name):
                self.blanks[name] = rows.columns(n, holding)
            if leaves_line(line, name):
                self.leaves[name] = rows.columns(n)
        self.short = rows.columns(
            len(self.goals), [self.shortage(g) for g in self.goals]
        )
        hard = [math.inf if self.may_be_short(g) else 0.0 for g in self.goals]
        for column, high in zip(self.short, hard, strict=True):
            rows.high[column] = high
        self.overtime: dict[tuple[str, str], Ints] = {}
        overtime = self.planning.overtime
        for kind, said in (
            ("calendar", overtime.calendars),
            ("station", overtime.stations),
        ):
            for name, one in said.items():
                self.overtime[kind, name] = self._overtime(kind, name, one)

    def shortage(self, goal: Goal) -> float:
        """Return what a unit that is short of a goal costs, at the start's worth."""
        said = self.planning.shortage
        cost = said.get(goal.product, 0.0) if isinstance(said, dict) else said
        return cost * float(self.discount(np.array(float(goal.by_us))))

    def may_be_short(self, goal: Goal) -> bool:
        """Say whether a goal may be missed at a cost."""
        said = self.planning.shortage
        return not isinstance(said, dict) or goal.product in said

    def _overtime(self, kind: str, name: str, said: Overtime) -> Ints:
        """Add the hours of overtime; no more than are off shift."""
        most = said.hours_per_week * np.diff(self.edges) / _WEEK_US
        if kind == "calendar":
            schedule = window_schedule(self.line, name)
            most = np.minimum(most, self.hours.off_shift(schedule) / HOUR_US)
        middle = (self.edges[:-1] + self.edges[1:]) / 2
        return self.rows.columns(
            self.n, said.cost_per_hour * self.discount(middle), 0.0, most
        )

    # ------------------------------------------------------------ operations

    def _operations(self) -> None:
        """Let every operation come to its period, with its work."""
        self._used: dict[str, list[Terms]] = defaultdict(self._terms)
        self._done: dict[str, list[Terms]] = defaultdict(self._terms)
        for name in self.products:
            product, flow = self.line.products[name], self.flows[name]
            uses, offsets = uses_of(product), self._offsets[name]
            passing, since = self.starts[name], 0.0
            for i, step in enumerate(product.route):
                come = self._come(passing, offsets[i] - since)
                visits = flow.visits[i]
                for component, count in uses[i].items():
                    if not product.bom[component].bought:
                        _add(self._used[component], come, visits * count)
                if self._is_cleared(step) and visits > 0:
                    passing = self._wait(name, i, come)
                    come = [{int(column): 1.0} for column in passing]
                    since = offsets[i + 1]  # the time of its work is in what waits
                self._work(name, i, come, visits)
            come = self._come(passing, offsets[-1] - since)
            _add(self._done[name], come, flow.good)

    def _come(self, columns: Ints, offset_us: float) -> list[Terms]:
        shares = self.lag(max(offset_us, 0.0))
        return [
            {int(columns[f]): float(shares[f, t]) for f in np.flatnonzero(shares[:, t])}
            for t in range(self.n)
        ]

    def _work(self, name: str, i: int, come: list[Terms], visits: float) -> None:
        step = self.line.products[name].route[i]
        share = self._shares.get(step.operation)
        learned = np.ones(self.n) if share is None else share
        lots = visits / self.line.products[name].lot_size
        batch = batch_of(self.line, step)
        for skill, us in people_us(self.line, name, step):
            _add(self.work["skill", skill], come, visits * us / HOUR_US * learned)
        splits = self._split(step, come, visits)
        for station, there, each in splits:
            hours = work_us(self.line, name, i, station) / HOUR_US
            _add(self.work["station", station], there, each * hours * learned)
            fraction = lots / visits / (batch.max if batch else 1) if visits else 0.0
            _add(self._visits[station], there, each * fraction)
            self._families(name, step, station, there, each * hours * learned)

    def _split(
        self, step: Step, come: list[Terms], visits: float
    ) -> list[tuple[str, list[Terms], float]]:
        """Return how visits are shared by alternatives: station, terms, factor."""
        if len(step.stations) == 1:
            return [(step.stations[0], come, visits)]
        there = {name: self.rows.columns(self.n) for name in step.stations}
        for t in range(self.n):
            terms = {int(columns[t]): 1.0 for columns in there.values()}
            for column, value in come[t].items():
                terms[column] = terms.get(column, 0.0) - visits * value
            self.rows.row(terms, 0.0, 0.0)
        return [
            (name, [{int(column): 1.0} for column in columns], 1.0)
            for name, columns in there.items()
        ]

    # ------------------------------------------------------------ balances

    def _parents(self, name: str) -> dict[str, int]:
        """Return what is split into a product, and into how many of it."""
        return {
            other: self.line.products[other].route[-1].makes[name]
            for other in self.products
            if self.line.products[other].route
            and name in self.line.products[other].route[-1].makes
        }

    def _balances(self) -> None:
        for name in self.products:
            product = self.line.products[name]
            if name in self.stock:
                begin = float(product.stock)
                comes, goes = self._done[name], self._used[name]
                if name in self.leaves:
                    goes = [{int(column): 1.0} for column in self.leaves[name]]
                self._balance(self.stock[name], begin, comes, goes)
                self._store(name)
            if name in self.blanks:
                comes = self._terms()
                for parent, count in self._parents(name).items():
                    _add(comes, self._done[parent], count)
                goes = [{int(column): 1.0} for column in self.starts[name]]
                self._balance(self.blanks[name], 0.0, comes, goes)

    def _balance(
        self, stock: Ints, begin: float, comes: list[Terms], goes: list[Terms]
    ) -> None:
        """Let a stock be what it was, and what comes, less what goes."""
        for t in range(self.n):
            terms: Terms = defaultdict(float)
            terms[int(stock[t])] += 1.0
            if t:
                terms[int(stock[t - 1])] -= 1.0
            for column, value in comes[t].items():
                terms[column] -= value
            for column, value in goes[t].items():
                terms[column] += value
            first = begin if t == 0 else 0.0
            self.rows.row(terms, first, first)

    def _store(self, name: str) -> None:
        room = places(self.line, self.line.products[name].store)
        if room is not None and name not in self.leaves:
            for t in range(self.n):
                row = self.rows.row({int(self.stock[name][t]): 1.0}, high=float(room))
                self.limits[Limit("store", name, t)] = row

    # ------------------------------------------------------------ setups

    def _families(
        self, name: str, step: Step, station: str, come: list[Terms], hours: Floats
    ) -> None:
        """Note which kind of setup the work of an operation needs."""
        setup = self.line.stations[station].setup
        if setup is None:
            return
        kind = setup_kind(setup, name, self.line.products[name], step)
        if kind is not None:
            _add(self._by_kind[station][kind], come, hours)

    def _setups(self) -> None:
        """Let a station be set up once for every kind that it works on in a period."""
        self.setups: dict[tuple[str, str], Ints] = {}
        for name, kinds in self._by_kind.items():
            station = self.line.stations[name]
            assert station.setup is not None
            each = (station.cost and station.cost.per_setup) or 0.0
            hours = {k: _setup_us(station.setup, k) / HOUR_US for k in kinds}
            if len(kinds) < 2 or not (each or any(hours.values())):
                continue
            cost = each * self.discount(self.edges[:-1].astype(float))
            most = self._most_hours(name)
            for kind, work in kinds.items():
                columns = self.rows.columns(self.n, cost, 0, 1, is_whole=True)
                self.setups[name, kind] = columns
                _add(
                    self.spent["station", name],
                    [{int(column): 1.0} for column in columns],
                    hours[kind],
                )
                for t in range(self.n):
                    terms = dict(work[t])
                    terms[int(columns[t])] = -most[t]
                    self.rows.row(terms, high=0.0)

    def _most_hours(self, station: str) -> Floats:
        """Return the most hours that a station can have in each period."""
        own, hanging = self.hours_of("station", station)
        most: Floats = own + [max(terms.values(), default=0.0) for terms in hanging]
        for columns, gain in self._gains("station", station):
            most = most + gain * [self.rows.high[column] for column in columns]
        return most

    # ------------------------------------------------------------ people

    def _people(self) -> None:
        """Let people of each pool work for each skill that they have."""
        self._fixed: dict[str, Floats] = defaultdict(lambda: np.zeros(self.n))
        for name in self.line.stations:
            own, hanging = self.hours_of("station", name)
            for crew in crews_of(self.line, name):
                needs = self.work["skill", crew.skill]
                _add(needs, self.work["station", name], crew.per_work)
                _add(needs, self._visits[name], crew.per_visit / HOUR_US)
                _add(needs, hanging, crew.per_hour)
                self._fixed[crew.skill] += crew.per_hour * own
        having = skills_of(self.line)
        self.fixed: dict[str, Floats] = defaultdict(lambda: np.zeros(self.n))
        for skill in [name for kind, name in list(self.work) if kind == "skill"]:
            needs, pools = self.work.pop(("skill", skill)), having[skill]
            if len(pools) == 1:
                _add(self.work["people", pools[0]], needs, 1.0)
                self.fixed[pools[0]] += self._fixed[skill]
            else:
                self._share_out(skill, needs, pools)

    def _share_out(self, skill: str, needs: list[Terms], pools: list[str]) -> None:
        """Let several pools do the work of a skill together."""
        there = {pool: self.rows.columns(self.n) for pool in pools}
        for t in range(self.n):
            terms = {int(columns[t]): 1.0 for columns in there.values()}
            for column, value in needs[t].items():
                terms[column] = terms.get(column, 0.0) - value
            fixed = float(self._fixed[skill][t])
            self.rows.row(terms, fixed, fixed)
        for pool, columns in there.items():
            mine = [{int(column): 1.0} for column in columns]
            _add(self.work["people", pool], mine, 1.0)

    # ------------------------------------------------------------ hours

    def hours_of(self, kind: str, name: str) -> tuple[Floats, list[Terms]]:
        """Return the hours of a station or pool in each period, and what hangs on more.

        Hours that hang on investments take the place of the line's own.
        """
        if (kind, name) in self._extra.hours:
            return np.zeros(self.n), list(self._extra.hours[kind, name])
        if (kind, name) not in self._own:
            of = self.hours.of_station if kind == "station" else self.hours.of_pool
            self._own[kind, name] = of(name) / HOUR_US
        return self._own[kind, name], self._terms()

    def _gains(self, kind: str, name: str) -> list[tuple[Ints, Floats]]:
        """Return the overtime that serves a station or pool, and hours for each."""
        if (kind, name) in self._found_gains:
            return self._found_gains[kind, name]
        found: list[tuple[Ints, Floats]] = []
        for (by, one), columns in self.overtime.items():
            if by == "station" and (kind, name) == ("station", one):
                servers = self.hours.servers_by(name, None)
                found.append((columns, servers * self.hours.rate(name)))
            elif by == "calendar" and kind == "station":
                servers = self.hours.servers_by(name, one)
                found.append((columns, servers * self.hours.rate(name)))
            elif by == "calendar" and kind == "people":
                found.append((columns, self.hours.people_by(name, one)))
        found = [(columns, gain) for columns, gain in found if gain.any()]
        self._found_gains[kind, name] = found
        return found

    def _capacity(self) -> None:
        """Let no station and no pool work longer than it has hours."""
        self.more: dict[tuple[str, str], Ints] = {}
        for kind, name in list(self.work):
            work = self.work[kind, name]
            fixed = self.fixed[name] if kind == "people" else np.zeros(self.n)
            if not any(work) and not fixed.any():
                continue
            own, hanging = self.hours_of(kind, name)
            gains = self._gains(kind, name)
            spent = self.spent[kind, name]
            self.more[kind, name] = more = self.rows.columns(self.n, high=0.0)
            for t in range(self.n):
                terms: Terms = defaultdict(float)
                terms[int(more[t])] = -1.0
                for column, value in (*work[t].items(), *spent[t].items()):
                    terms[column] += value
                for column, value in hanging[t].items():
                    terms[column] -= value
                for columns, gain in gains:
                    terms[int(columns[t])] -= gain[t]
                row = self.rows.row(terms, high=own[t] - fixed[t])
                self.limits[Limit(kind, name, t)] = row

    # ------------------------------------------------------------ clearing

    def _is_cleared(self, step: Step) -> bool:
        return len(step.stations) == 1 and step.stations[0] in self.clearing

    def _wait(self, name: str, i: int, come: list[Terms]) -> Ints:
        """Let units wait for an operation; return the columns of what leaves it."""
        product = self.line.products[name]
        station = product.route[i].stations[0]
        daily = (product.cost and product.cost.holding_per_day) or 0.0
        wait = self.rows.columns(self.n, daily * self.days)
        passing = self.rows.columns(self.n)
        goes = [{int(column): 1.0} for column in passing]
        self._balance(wait, 0.0, come, goes)
        self.waiting[name, i] = wait
        visits = self.flows[name].visits[i]
        hours = visits * work_us(self.line, name, i, station) / HOUR_US
        self._cleared[station].append((wait, passing, hours))
        return passing

    def _clear(self) -> None:
        """Let a station clear no more than what waits there allows.

        Each product has a part of the station, and clears by that part what its own
        units allow: allocated clearing functions (Asmundsson, Rardin and Uzsoy 2006,
        IEEE Transactions on Semiconductor Manufacturing 19, 95-111).
        """
        for station, passed in self._cleared.items():
            own, hanging = self.hours_of("station", station)
            gains = self._gains("station", station)
            curve = self.clearing[station]
            parts = [self.rows.columns(self.n) for _ in passed]
            for t in range(self.n):
                whole: Terms = {int(part[t]): 1.0 for part in parts}
                for column, value in hanging[t].items():
                    whole[column] = whole.get(column, 0.0) - value
                for columns, gain in gains:
                    whole[int(columns[t])] = -gain[t]
                self.rows.row(whole, high=own[t])
                most = own[t] + max(hanging[t].values(), default=0.0)
                for (wait, passing, hours), part in zip(passed, parts, strict=True):
                    for slope, level in zip(curve.slope, curve.level, strict=True):
                        terms = {int(passing[t]): hours, int(part[t]): -level}
                        each = slope * most * (hours / curve.visit_h) / 2
                        terms[int(wait[t])] = -each
                        if t:
                            terms[int(wait[t - 1])] = -each
                        self.rows.row(terms, high=0.0)

    # ------------------------------------------------------------ targets

    def _targets(self) -> None:
        for g, goal in enumerate(self.goals):
            terms = {
                int(self.leaves[goal.product][t]): 1.0
                for t, period in enumerate(self.periods)
                if goal.since_us <= period.begin_us and period.end_us <= goal.by_us
            }
            terms[int(self.short[g])] = 1.0
            row = self.rows.row(terms, low=float(goal.quantity))
            self.limits[Limit("target", goal.target, g)] = row
        self.uneven: list[Ints] = []
        for name, leaves in self.leaves.items():
            asked = self._evenly_asked(name)
            ahead, behind = self.rows.columns(self.n), self.rows.columns(self.n)
            self.uneven += [ahead, behind]
            for t in range(self.n):
                terms = {int(ahead[t]): 1.0, int(behind[t]): -1.0, int(leaves[t]): -1.0}
                if t:
                    terms |= {int(ahead[t - 1]): -1.0, int(behind[t - 1]): 1.0}
                self.rows.row(terms, -float(asked[t]), -float(asked[t]))

    # ------------------------------------------------------------ what a solution says

    def finished(self, name: str, t: int, values: Floats) -> float:
        """Return the good units of a product that are finished in a period."""
        return _sum(self._done[name][t], values)

    def used(self, name: str, t: int, values: Floats) -> float:
        """Return the units of a product that go into others in a period."""
        return _sum(self._used[name][t], values)

    def visits_at(self, station: str, values: Floats) -> dict[tuple[str, int], float]:
        """Return the visits at a station in all periods, by product and operation.

        Operations with alternatives are left out.
        """
        return {
            (name, i): float(values[self.starts[name]].sum())
            * self.flows[name].visits[i]
            for name in self.products
            for i, step in enumerate(self.line.products[name].route)
            if step.stations == (station,) and values[self.starts[name]].sum() > 0
        }

    def planned(self, g: int, values: Floats) -> float:
        """Return the units that leave in the span of a goal."""
        goal = self.goals[g]
        return float(
            sum(
                values[self.leaves[goal.product][t]]
                for t, period in enumerate(self.periods)
                if goal.since_us <= period.begin_us and period.end_us <= goal.by_us
            )
        )

    def spent_on(
        self, kind: str, name: str, t: int, values: Floats
    ) -> tuple[float, float, float, float]:
        """Return work, setups, hours and overtime of a station or pool in a period."""
        fixed = float(self.fixed[name][t]) if kind == "people" else 0.0
        own, hanging = self.hours_of(kind, name)
        over = sum(
            gain[t] * values[columns[t]] for columns, gain in self._gains(kind, name)
        )
        return (
            fixed + _sum(self.work[kind, name][t], values),
            _sum(self.spent[kind, name][t], values),
            float(own[t]) + _sum(hanging[t], values),
            float(over),
        )

    def _evenly_asked(self, product: str) -> Floats:
        """Return units in each period that meet a product's goals, spread evenly.

        A goal spreads over its span what those within it, and before, leave to it.
        """
        asked = np.zeros(self.n)
        mine = [goal for goal in self.goals if goal.product == product]
        for goal in sorted(mine, key=lambda goal: (goal.by_us, -goal.since_us)):
            spans = np.diff(self.edges.clip(goal.since_us, goal.by_us)).astype(float)
            missing = goal.quantity - float(asked[spans > 0].sum())
            asked += max(missing, 0.0) * spans / spans.sum()
        return asked


def _sum(terms: Terms, values: Floats) -> float:
    return float(sum(factor * values[column] for column, factor in terms.items()))


def _add(into: list[Terms], terms: list[Terms], factor: float | Floats) -> None:
    """Add terms times a factor, one for all periods or one for each."""
    factors = np.broadcast_to(np.asarray(factor, float), len(into))
    for there, here, by in zip(into, terms, factors, strict=True):
        if by:
            for column, value in here.items():
                there[column] = there.get(column, 0.0) + by * value


def _setup_us(setup: Setup, kind: str) -> float:
    """Return the mean time of a setup for a kind, over all that may be before it."""
    times = [
        row[kind].mean_us
        for before, row in setup.matrix.items()
        if before not in (kind, "any") and kind in row
    ]
    if not times and (row := setup.matrix.get("any")) and kind in row:
        times = [row[kind].mean_us]
    if times:
        return sum(times) / len(times)
    return setup.time.mean_us if setup.time else 0.0
