"""Which investments, and when: options as whole columns of a plan's program.

An option is there from the beginning of a period on, no earlier than its lead time
after the start. It counts by the hours of stations and people: those of the line that
it makes. Options that touch the same hours do not add up (two may set the servers of
one station), so such options form a cluster, and each set of them that can be chosen
has hours of its own; in every period one set of a cluster holds. Options that change
anything but hours are left out, and the plan says so.

`searched` finds a good set before HiGHS proves one: the relaxation, rounded up at
several levels, then local search (an option less, two less, one more, one instead of
another, earlier, later), each step a linear program from the last basis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from linewright.errors import ModelError
from linewright.model.line import Line
from linewright.model.load_estimate import flow_of, work_us
from linewright.model.targets import Period
from linewright.plan._highs import Rows, Solver
from linewright.plan._hours import Hours
from linewright.plan._program import HOUR_US, Extra
from linewright.plan._work import people_us

__all__ = ["Choice", "Choices", "Effects", "Investments", "searched"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Key = tuple[str, str]

MOST_SETS = 300
"""Sets of options that touch the same hours, at most."""

_STEP_S = 1.0
"""Seconds for one linear program of the search: nearly all take hundredths of one."""

_LEVELS = (0.01, 0.2, 0.5, 0.9)


class Choice(Protocol):
    """What a plan needs to know of an option; `improve.options.Option` is one."""

    @property
    def cost(self) -> float:
        """What it costs."""

    @property
    def lead_time_us(self) -> int:
        """Time from the decision until it is there."""

    @property
    def excludes(self) -> frozenset[str]:
        """Options that cannot be chosen beside it."""

    @property
    def requires(self) -> frozenset[str]:
        """Options that it needs."""


class Choices(Protocol):
    """All options of a line; `improve.options.Options` are such."""

    @property
    def by_name(self) -> Mapping[str, Choice]:
        """The options."""

    def applied(self, chosen: Iterable[str]) -> Line:
        """Return the line with a set of options."""


class _Seen(NamedTuple):
    """What a plan sees of a line: hours, and what has to be as it was."""

    hours: dict[Key, Floats]
    work: dict[str, Floats]
    rest: tuple[object, ...]


class Effects:
    """What sets of options do to the hours of a line, each found once.

    Attributes:
        line: The line.
        choices: The options.
    """

    def __init__(self, line: Line, choices: Choices) -> None:
        self.line, self.choices = line, choices
        self._known: dict[tuple[bytes, frozenset[str]], dict[Key, Floats] | str] = {}
        self._bases: dict[bytes, _Seen] = {}

    def base(self, edges: Ints) -> _Seen:
        """Return what a plan sees of the line as it is."""
        if edges.tobytes() not in self._bases:
            self._bases[edges.tobytes()] = _see(self.line, edges)
        return self._bases[edges.tobytes()]

    def gained(self, edges: Ints, chosen: frozenset[str]) -> dict[Key, Floats]:
        """Return the hours that a set of options makes other than those of the line.

        Where all work at a station takes a share less, its hours count as more.

        Args:
            edges: Ends of the periods, from 0 on.
            chosen: Names of the options.

        Raises:
            ValueError: More than hours is changed, or they do not go together.
        """
        key = edges.tobytes(), chosen
        if key not in self._known:
            try:
                changed = _see(self.choices.applied(chosen), edges)
                self._known[key] = _gained(self.base(edges), changed)
            except (ValueError, ModelError) as error:
                self._known[key] = str(error)
        found = self._known[key]
        if isinstance(found, str):
            raise ValueError(found)
        return found


class Investments:
    """Options as columns.

    Attributes:
        choices: The options.
        there: Columns by option, one a period: whether it is there then.
        extra: Hours that hang on them.
        left_out: Options that are not planned, and why.
    """

    def __init__(
        self,
        effects: Effects,
        periods: Sequence[Period],
        rows: Rows,
        discount: Callable[[Floats], Floats],
    ) -> None:
        self.choices, self._rows = effects.choices, rows
        self._effects, self.n = effects, len(periods)
        self._edges = np.array([0, *(p.end_us for p in periods)], np.int64)
        self._worth = discount(self._edges[:-1].astype(float))
        self._base = effects.base(self._edges)
        self.left_out: dict[str, str] = {}
        touched = self._touched()
        self.there = {name: self._column(name) for name in touched}
        for name in self.there:
            self._links(name)
        hours: dict[Key, list[dict[int, float]]] = {}
        for cluster in _clusters(touched):
            hours |= self._cluster(cluster)
        self.extra = Extra(hours)

    def _touched(self) -> dict[str, frozenset[Key]]:
        """Return what each option touches; leave out what a plan cannot see."""
        found: dict[str, frozenset[Key]] = {}
        for name in self.choices.by_name:
            try:
                gained = self._effects.gained(self._edges, frozenset([name]))
            except ValueError as error:
                self.left_out[name] = str(error)
                continue
            found[name] = frozenset(gained)
        needed = {
            other for name, keys in found.items() if keys for other in self._needs(name)
        }
        for name in list(found):
            if not found[name] and name not in needed:
                self.left_out[name] = "it changes no hours"
                del found[name]
        for name in list(found):
            missing = sorted(o for o in self._needs(name) if o in self.left_out)
            if missing:
                self.left_out[name] = f'it requires "{missing[0]}", which is left out'
                del found[name]
        return found

    def _needs(self, name: str) -> set[str]:
        needed, waiting = set[str](), [name]
        while waiting:
            for other in self.choices.by_name[waiting.pop()].requires:
                if other not in needed:
                    needed.add(other)
                    waiting.append(other)
        return needed

    # ------------------------------------------------------------ columns

    def _column(self, name: str) -> Ints:
        option = self.choices.by_name[name]
        later = np.append(self._worth[1:], 0.0)
        high = (self._edges[:-1] >= option.lead_time_us).astype(float)
        cost = option.cost * (self._worth - later)
        return self._rows.columns(self.n, cost, 0.0, high, is_whole=True)

    def _links(self, name: str) -> None:
        option, columns = self.choices.by_name[name], self.there[name]
        for t in range(self.n):
            here = int(columns[t])
            if t:
                self._rows.row({here: 1.0, int(columns[t - 1]): -1.0}, low=0.0)
            for other in option.requires & self.there.keys():
                self._rows.row({here: 1.0, int(self.there[other][t]): -1.0}, high=0.0)
            for other in option.excludes & self.there.keys():
                self._rows.row({here: 1.0, int(self.there[other][t]): 1.0}, high=1.0)

    def _cluster(self, names: list[str]) -> dict[Key, list[dict[int, float]]]:
        """Let one set of a cluster hold in every period, and return its hours."""
        sets = []
        for chosen in self._sets(names):
            try:
                sets.append((chosen, self._effects.gained(self._edges, chosen)))
            except ValueError:
                continue  # they do not go together
        keys = {key for _, gained in sets for key in gained}
        columns = [self._rows.columns(self.n) for _ in sets]
        for t in range(self.n):
            self._rows.row({int(of[t]): 1.0 for of in columns}, 1.0, 1.0)
            for name in names:
                terms = {
                    int(of[t]): 1.0
                    for of, (chosen, _) in zip(columns, sets, strict=True)
                    if name in chosen
                }
                self._rows.row(terms | {int(self.there[name][t]): -1.0}, 0.0, 0.0)
        return {
            key: [
                {
                    int(of[t]): float(gained.get(key, self._base.hours[key])[t])
                    for of, (_, gained) in zip(columns, sets, strict=True)
                }
                for t in range(self.n)
            ]
            for key in keys
        }

    def _sets(self, names: list[str]) -> Iterator[frozenset[str]]:
        """Yield the sets of options that exclude nothing of each other."""
        found = [frozenset[str]()]
        for name in names:
            option = self.choices.by_name[name]
            more = [
                chosen | {name}
                for chosen in found
                if not option.excludes & chosen
                and not any(name in self.choices.by_name[o].excludes for o in chosen)
            ]
            found += more
            if len(found) > MOST_SETS:
                msg = f"{len(names)} options change the same hours, in more than "
                msg += f"{MOST_SETS} sets: {', '.join(names[:5])} and more; give fewer"
                raise ValueError(msg)
        yield from found

    # ------------------------------------------------------------ what was chosen

    def since(self, values: Floats) -> dict[str, int]:
        """Return from which period on each option is there, `n` for never."""
        return {
            name: int(self.n - round(float(values[columns].round().sum())))
            for name, columns in self.there.items()
        }

    def is_any(self, values: Floats) -> bool:
        """Say whether any option is chosen."""
        return any(period < self.n for period in self.since(values).values())

    def fixed(self, solver: Solver, since: Mapping[str, int]) -> None:
        """Fix when each option is there."""
        for name, columns in self.there.items():
            there = (np.arange(self.n) >= since[name]).astype(float)
            solver.bound(columns, there, there)

    def freed(self, solver: Solver) -> None:
        """Leave open when each option is there."""
        for columns in self.there.values():
            solver.bound(columns, 0.0, np.array([self._rows.high[c] for c in columns]))

    def first(self, name: str) -> int:
        """Return the first period in which an option can be there."""
        return int(np.sum(self._edges[:-1] < self.choices.by_name[name].lead_time_us))

    def fits(self, since: Mapping[str, int]) -> bool:
        """Say whether dates go together: nothing excluded, missing or too early."""
        for name, period in since.items():
            if period >= self.n:
                continue
            option = self.choices.by_name[name]
            if period < self.first(name):
                return False
            if any(since.get(other, self.n) > period for other in option.requires):
                return False
            if any(since.get(other, self.n) < self.n for other in option.excludes):
                return False
        return True


def _see(line: Line, edges: Ints) -> _Seen:
    counted = Hours(line, edges)
    hours = {
        ("station", name): counted.of_station(name) / HOUR_US for name in line.stations
    } | {("people", name): counted.of_pool(name) / HOUR_US for name in line.people}
    work: dict[str, list[float]] = {name: [] for name in line.stations}
    people = []
    for name, product in line.products.items():
        for i, step in enumerate(product.route):
            for station in step.stations:
                work[station].append(work_us(line, name, i, station))
            people.append(tuple(people_us(line, name, step)))
    rest = (
        tuple(flow_of(product) for product in line.products.values()),
        tuple(people),
        tuple(station.setup for station in line.stations.values()),
        tuple((p.store, p.stock, str(p.bom)) for p in line.products.values()),
        (str(line.targets), str(line.planning), str(line.calendars.keys())),
    )
    return _Seen(hours, {n: np.array(us) for n, us in work.items()}, rest)


def _gained(base: _Seen, now: _Seen) -> dict[Key, Floats]:
    """Return the hours that are others now.

    Raises:
        ValueError: More than hours is changed.
    """
    for old, new, what in zip(
        base.rest,
        now.rest,
        (
            "yield, rework or samples",
            "the time of people",
            "setups",
            "stores, stock or bills of material",
            "targets, planning or calendars by name",
        ),
        strict=True,
    ):
        if old != new:
            msg = f"it changes {what}, and not hours alone"
            raise ValueError(msg)
    found = {}
    for key, hours in now.hours.items():
        share = 1.0
        if key[0] == "station":
            share = _share(base.work[key[1]], now.work[key[1]], key[1])
        if share != 1 or not np.allclose(hours, base.hours[key]):
            found[key] = hours / share
    return found


def _share(before: Floats, now: Floats, station: str) -> float:
    """Return by which factor all times at a station change.

    Raises:
        ValueError: They change by different ones.
    """
    if np.array_equal(before, now):
        return 1.0
    shares = now[before > 0] / before[before > 0]
    if len(shares) and np.allclose(shares, shares[0]) and shares[0] > 0:
        return float(shares[0])
    msg = f'it changes some of the times at "{station}" and not others'
    raise ValueError(msg)


def _clusters(touched: Mapping[str, frozenset[Key]]) -> list[list[str]]:
    """Return options that touch the same hours together, in their order."""
    clusters: list[tuple[set[str], set[Key]]] = []
    for name, keys in touched.items():
        if not keys:
            continue
        names, all_keys = {name}, set(keys)
        for other in [one for one in clusters if one[1] & all_keys]:
            clusters.remove(other)
            names |= other[0]
            all_keys |= other[1]
        clusters.append((names, all_keys))
    return [[name for name in touched if name in names] for names, _ in clusters]


# ---------------------------------------------------------------- search


def searched(
    found: Investments, solver: Solver, time_left: Callable[[], float]
) -> tuple[dict[str, int], float] | None:
    """Return dates of options that are good, and their cost by a linear program.

    Nothing, if no dates were found with which there is a plan.

    Args:
        found: The options in the program.
        solver: The program; as it was, when this returns.
        time_left: Seconds that are left for it.
    """
    return _Search(found, solver, time_left).best()


class _Search:
    """Relaxation, rounding, local search."""

    def __init__(
        self, found: Investments, solver: Solver, time_left: Callable[[], float]
    ) -> None:
        self._found, self._solver, self._time_left = found, solver, time_left
        self._known: dict[tuple[int, ...], float] = {}

    def best(self) -> tuple[dict[str, int], float] | None:
        relaxed = self._solver.solve(max(self._time_left(), 1.0), whole=False)
        if relaxed.values is None:
            return None
        starts = [self._rounded(relaxed.values, level) for level in _LEVELS]
        starts.append({name: self._found.first(name) for name in self._found.there})
        starts = [since for since in starts if self._found.fits(since)]
        starts.sort(key=self._cost)
        best: tuple[dict[str, int], float] | None = None
        for since in starts:
            if math.isfinite(self._cost(since)):
                found = self._improved(since, self._cost(since))
                if best is None or found[1] < best[1]:
                    best = found
        self._found.freed(self._solver)
        return best

    def _rounded(self, values: Floats, level: float) -> dict[str, int]:
        """Round up what is there with more than a level; mend what does not fit."""
        n = self._found.n
        since = {}
        for name, columns in self._found.there.items():
            here = np.flatnonzero(values[columns] > level)
            since[name] = int(here[0]) if len(here) else n
        by_name = self._found.choices.by_name
        order = sorted(since, key=lambda name: since[name])
        for name in order:
            if since[name] < n:
                for other in by_name[name].excludes & since.keys():
                    since[other] = n
        for _ in since:
            for name in order:
                for other in by_name[name].requires & since.keys():
                    since[other] = min(since[other], since[name])
                    since[name] = max(since[name], self._found.first(other))
        return since

    def _cost(self, since: dict[str, int]) -> float:
        key = tuple(since.values())
        if key not in self._known:
            self._found.fixed(self._solver, since)
            found = self._solver.solve(_STEP_S, whole=False)
            self._known[key] = found.objective
        return self._known[key]

    def _improved(
        self, since: dict[str, int], cost: float
    ) -> tuple[dict[str, int], float]:
        """Take the first step that is cheaper, until there is none."""
        is_better = True
        while is_better and self._time_left() > 0:
            is_better = False
            for step in self._steps(since):
                if self._time_left() <= 0:
                    break
                if not self._found.fits(step):
                    continue
                found = self._cost(step)
                if found < cost - 1e-9 * max(1.0, abs(cost)):
                    since, cost, is_better = step, found, True
                    break
        return since, cost

    def _steps(self, since: dict[str, int]) -> Iterator[dict[str, int]]:
        n = self._found.n
        chosen = [name for name, period in since.items() if period < n]
        for name in chosen:
            yield since | {name: n}
        for one, other in itertools.combinations(chosen, 2):
            yield since | {one: n, other: n}
        for name, by in itertools.product(chosen, (1, 4, -1, -4)):
            yield since | {name: min(max(since[name] + by, 0), n - 1)}
        for name, period in since.items():
            if period >= n:
                for other in chosen:
                    yield since | {other: n, name: since[other]}
                for begin in range(self._found.first(name), n):
                    yield since | {name: begin}
