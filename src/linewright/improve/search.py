"""The best set of options for a budget, found under noise and chosen with a guarantee.

A set of options is a system: its observations are what the changed line makes in one
replication each, on common random numbers. `improve`

1. lists the sets that the budget, exclusions and requirements allow: all of them, or,
   where there are too many, those that a search meets: adding, dropping and swapping
   as long as that helps, once by gain for money and once by gain;
2. drops sets that are plainly worse (`selection.subset`);
3. lets the rest compete until one is left (`selection.kn`): with the confidence asked
   for it is the best of those looked at, if it is better by the indifference zone;
4. confirms the gain of that one against the line as it is, on another seed.

Every evaluation is kept in a `Store`, under the hash of the changed model, the seed and
the span, so that a search that was killed goes on where it was, and another budget or
another options file reuses what it can.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.improve.options import Options
from linewright.improve.selection import Aim, Evaluations, Selection, kn, subset
from linewright.improve.trials import Span, good_units, in_order, lowered_of
from linewright.lower import Lowered
from linewright.model.load import model_hash
from linewright.replicate import Replication, replicate
from linewright.stats.intervals import Interval, mean_interval, paired_interval
from linewright.version import __version__

__all__ = [
    "OBJECTIVES",
    "Candidate",
    "Improvement",
    "Item",
    "Store",
    "Study",
    "improve",
]

Chosen = frozenset[str]

MOST_LISTED = 300
"""Sets that are all looked at; where there are more, a search is made."""
_MOST_SEARCHED = 600
_FIRST = 10  # replications of every set that is looked at
_BRIEF = 2  # replications of a step of the search, and how many steps go on
_AT_LENGTH = 6


def _throughput(lowered: Lowered, done: Replication, span: Span) -> float:
    return good_units(lowered, done) / span.hours


def _flow_time(lowered: Lowered, done: Replication, _span: Span) -> float:
    """Return minus the mean flow time, hours; of none, minus the whole run."""
    good_units(lowered, done)  # raises for a line that stands still
    first, last = done.snapshots[0], done.snapshots[-1]
    n = int((last.products["flow_count"] - first.products["flow_count"]).sum())
    total = int((last.products["flow_us"] - first.products["flow_us"]).sum())
    return -(total / n if n else last.at_us) / 3.6e9


OBJECTIVES: dict[str, tuple[Callable[[Lowered, Replication, Span], float], str]] = {
    "throughput": (_throughput, "good units/h"),
    "flow_time": (_flow_time, "h"),
}
"""What is made as large as possible, and its unit; of flow time it is the negative."""


@dataclass(frozen=True, slots=True)
class Study:
    """How sets are compared.

    Attributes:
        span: What is counted in each run.
        seed: Seed of the search; the gain is confirmed on the next one.
        objective: One of `OBJECTIVES`.
        indifference: Difference that is worth detecting, as a share of the objective of
            the line as it is.
        confidence: Probability of choosing right.
        replications: Of the confirmation.
        n_most: Replications of one set at most.
        workers: Threads; all cores by default.
    """

    span: Span
    seed: int
    objective: str = "throughput"
    indifference: float = 0.005
    confidence: float = 0.95
    replications: int = 20
    n_most: int = 500
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of options that was looked at.

    Attributes:
        options: Their names.
        cost: What they cost together.
        gain: Difference to the line as it is, paired.
        replications: What it stands on.
    """

    options: tuple[str, ...]
    cost: float
    gain: Interval
    replications: int


@dataclass(frozen=True, slots=True)
class Item:
    """One of the options that were chosen.

    Attributes:
        name: What it is called.
        cost: What it costs.
        lead_time_us: Time from the decision until it is there.
        note: Words for the reader.
    """

    name: str
    cost: float
    lead_time_us: int
    note: str


@dataclass(frozen=True, slots=True)
class Improvement:
    """What was found.

    Attributes:
        chosen: Names of the options; none where nothing is better than what is.
        items: The same with what each costs.
        cost: What they cost.
        lead_time_us: Until all of them are there, if all begin at once.
        changes: What they change, as in an overlay.
        base: The objective of the line as it is.
        gain: Gain of the chosen set, confirmed on another seed.
        relative_gain: The same as a share of the objective as it is.
        guarantee: In words: what is promised of the choice.
        is_complete: Whether the selection came to its end.
        is_exhaustive: Whether all sets that the budget allows were looked at.
        candidates: All sets that were looked at, the best first.
        frontier: Those for which none is both cheaper and better.
        n_evaluations: Replications run for it, and reused.
        n_reused: Of these, how many were kept from before.
        model_hash: Of the line as it is.
        changed_hash: Of the line with the changes.
        budget: What could be spent.
    """

    chosen: tuple[str, ...]
    items: tuple[Item, ...]
    cost: float
    lead_time_us: int
    changes: dict[str, Any]
    base: Interval
    gain: Interval
    relative_gain: Interval
    guarantee: str
    is_complete: bool
    is_exhaustive: bool
    candidates: tuple[Candidate, ...]
    frontier: tuple[Candidate, ...]
    n_evaluations: int
    n_reused: int
    model_hash: str
    changed_hash: str
    budget: float
    study: Study


# ------------------------------------------------------------------ keeping


@dataclass(slots=True)
class Store:
    """Evaluations by model and replication, in a file that only grows.

    Attributes:
        path: JSON lines; None keeps them in memory only.
    """

    path: Path | None = None
    _known: dict[tuple[str, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what is there; a line that was cut off by a kill is left out."""
        if self.path is None or not self.path.exists():
            return
        for line in self.path.read_text("utf-8").splitlines():
            try:
                key, number, value = json.loads(line)
            except ValueError:
                continue  # half a line: that replication is made again
            self._known[key, number] = value

    def get(self, key: str, number: int) -> float | None:
        """Return an evaluation, if there is one."""
        return self._known.get((key, number))

    def put(self, key: str, values: dict[int, float]) -> None:
        """Keep evaluations of one model."""
        self._known |= {(key, number): value for number, value in values.items()}
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [json.dumps([key, n, value]) for n, value in sorted(values.items())]
        with self.path.open("a", encoding="utf-8") as file:
            if file.tell() and not _ends_whole(self.path):
                file.write("\n")
            file.write("\n".join(rows) + "\n")


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


# ------------------------------------------------------------------ observing


@dataclass(slots=True)
class _Trials:
    """Observes sets of options, once each."""

    options: Options
    study: Study
    store: Store
    on_progress: Callable[[int, int], None] | None
    sets: list[Chosen] = field(default_factory=list)
    row: dict[Chosen, int] = field(default_factory=dict)
    kept: Evaluations = field(default_factory=Evaluations)
    lowered: dict[int, tuple[Lowered, str]] = field(default_factory=dict)
    n_made: int = 0
    n_reused: int = 0

    def number(self, chosen: Chosen) -> int:
        """Return the row of a set, which is added if it is new."""
        if chosen not in self.row:
            self.row[chosen] = len(self.sets)
            self.sets.append(chosen)
        return self.row[chosen]

    def line(self, row: int) -> tuple[Lowered, str]:
        """Return the changed line, and the key of its evaluations."""
        if row not in self.lowered:
            line = self.options.applied(self.sets[row])
            span = self.study.span
            key = (
                f"{model_hash(line)} {__version__} {self.study.objective} "
                f"{self.study.seed} {span.warmup_us} {span.horizon_us}"
            )
            self.lowered[row] = lowered_of(line, span), key
        return self.lowered[row]

    def observe(
        self, systems: NDArray[np.int64], first: int, last: int
    ) -> NDArray[np.float64]:
        """Return observations of sets in replications first to last - 1."""
        measure, _ = OBJECTIVES[self.study.objective]
        span = self.study.span
        out = np.empty((len(systems), last - first))
        for i, system in enumerate(systems):
            lowered, key = self.line(int(system))
            known = {n: self.store.get(key, n) for n in range(first, last)}
            missing = [n for n, value in known.items() if value is None]

            def one(number: int, lowered: Lowered = lowered) -> float:
                cuts = (span.warmup_us, span.horizon_us)
                done = replicate(lowered, self.study.seed, number, cuts)
                return measure(lowered, done, span)

            made = in_order(one, missing, self.study.workers)
            if missing:
                self.store.put(key, dict(zip(missing, made, strict=True)))
            found = {**known, **dict(zip(missing, made, strict=True))}
            out[i] = [found[n] for n in range(first, last)]
            self.n_made += len(missing)
            self.n_reused += last - first - len(missing)
            if self.on_progress:
                self.on_progress(self.n_made + self.n_reused, len(self.sets))
        return out

    def means(self, rows: Iterable[int], n: int) -> NDArray[np.float64]:
        """Return observations of sets in the first `n` replications."""
        systems = np.fromiter(rows, np.int64)
        return self.kept.get(self.observe, systems, 0, n)


# ------------------------------------------------------------------ searching


def _feasible(options: Options, budget: float) -> list[Chosen] | None:
    """Return all sets within the budget, or None where there are too many."""
    names = list(options.by_name)
    out: list[Chosen] = []
    steps = 0

    def extend(i: int, chosen: Chosen, cost: float) -> bool:
        nonlocal steps
        steps += 1
        if steps > 200 * MOST_LISTED:
            return False
        if i == len(names):
            if options.fits(chosen):
                out.append(chosen)
            return len(out) <= MOST_LISTED
        option = options.by_name[names[i]]
        if not extend(i + 1, chosen, cost):
            return False
        free = cost + option.cost <= budget and not option.excludes & chosen
        return not free or extend(i + 1, chosen | {names[i]}, cost + option.cost)

    return out if extend(0, frozenset(), 0.0) else None


def _closed(options: Options, chosen: Chosen) -> Chosen:
    """Return a set with all that it requires."""
    waiting, out = list(chosen), set(chosen)
    while waiting:
        for other in options.by_name[waiting.pop()].requires - out:
            out.add(other)
            waiting.append(other)
    return frozenset(out)


def _neighbors(options: Options, chosen: Chosen, budget: float) -> list[Chosen]:
    """Return the sets one step away: one more, one less, one for another."""
    found: dict[Chosen, None] = {}

    def offer(one: Chosen) -> None:
        whole = _closed(options, one)
        if whole != chosen and options.fits(whole) and options.cost(whole) <= budget:
            found[whole] = None

    for name in sorted(chosen):
        needs_it = {n for n in chosen if name in options.by_name[n].requires}
        offer(chosen - {name} - needs_it)
    for name, option in options.by_name.items():
        if name in chosen:
            continue
        rest = chosen - option.excludes
        offer(rest | {name})
        for other in sorted(chosen):
            offer(rest - {other} | {name})
    return list(found)


def _search(trials: _Trials, budget: float, *, by_money: bool) -> None:
    """Look at sets from nothing on, as long as a step helps.

    All steps are tried briefly, and at length those that promise most: for the money,
    or whatever they cost.
    """
    options = trials.options
    at: Chosen = frozenset()
    values = trials.means([trials.number(at)], _FIRST)[0]
    tried: set[Chosen] = {at}
    while len(tried) < _MOST_SEARCHED:
        near = [s for s in _neighbors(options, at, budget) if s not in tried]
        near = near[: _MOST_SEARCHED - len(tried)]
        if not near:
            return
        tried |= set(near)
        rows = [trials.number(s) for s in near]
        paid = np.array([options.cost(s) - options.cost(at) for s in near])
        if not by_money:
            paid = np.ones(len(near))
        brief = trials.means(rows, _BRIEF).mean(1) - values[:_BRIEF].mean()
        promising = np.argsort(-_for_money(brief, paid), kind="stable")[:_AT_LENGTH]
        found = trials.means([rows[i] for i in promising], _FIRST)
        gains = found.mean(1) - values.mean()
        worth = _for_money(gains, paid[promising])
        step = int(worth.argmax())
        if gains[step] <= 0:
            return
        at, values = near[promising[step]], found[step]


def _for_money(
    gains: NDArray[np.float64], paid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what each step is worth: gain for money, losses last.

    A step that gains and costs nothing more comes before all that cost something.
    """
    costs = paid > 0
    most = float(np.abs(gains).max()) + 1
    scale = np.where(costs, paid, 1.0)
    least = float(scale[costs].min()) if costs.any() else 1.0
    free = most / least + gains
    return np.where(gains <= 0, gains, np.where(costs, gains / scale, free))


# ------------------------------------------------------------------ the whole


def improve(
    options: Options,
    budget: float,
    study: Study,
    store: Store | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Improvement:
    """Return the best set of options for a budget.

    Args:
        options: What can be done.
        budget: What may be spent, in the model's currency.
        study: How sets are compared.
        store: Where evaluations are kept; in memory by default.
        on_progress: Called with the replications made so far and the sets looked at.

    Raises:
        ValueError: The budget is below every option, or the objective is none.
        ModelError: Options do not go together.
        DeadlockError: A changed line comes to stand still for good.
    """
    if study.objective not in OBJECTIVES:
        msg = (
            f'"{study.objective}" is no objective; allowed are {", ".join(OBJECTIVES)}'
        )
        raise ValueError(msg)
    whole = {_closed(options, frozenset({name})) for name in options.by_name}
    cheapest = min(whole, key=options.cost)
    if options.cost(cheapest) > budget:
        msg = (
            f"a budget of {budget:,.10g} is below every option; the cheapest is "
            f'"{", ".join(sorted(cheapest))}" at {options.cost(cheapest):,.10g}'
        )
        raise ValueError(msg)
    trials = _Trials(options, study, store or Store(), on_progress)
    trials.number(frozenset())
    every = _feasible(options, budget)
    if every is None:
        _search(trials, budget, by_money=True)
        _search(trials, budget, by_money=False)
    else:
        for chosen in every:
            trials.number(chosen)
    rows = np.array(
        [r for r in range(len(trials.sets)) if every or trials.kept.count(r) >= _FIRST]
    )
    first = trials.means(rows, _FIRST)
    zone = study.indifference * abs(float(first[0].mean()))
    half = (1 + study.confidence) / 2  # the two steps share the error
    left = rows[subset(first, zone, half)]
    selection = _select(trials, left, zone, half, study)
    chosen = trials.sets[int(left[selection.chosen])]
    looked = (len(rows), every is not None)
    return _report(trials, chosen, budget, selection, looked)


def _select(
    trials: _Trials,
    left: NDArray[np.int64],
    zone: float,
    confidence: float,
    study: Study,
) -> Selection:
    """Let the sets that are left compete until one is."""

    def observe(systems: NDArray[np.int64], first: int, last: int) -> Any:
        return trials.kept.get(trials.observe, left[systems], first, last)

    aim = Aim(zone, confidence, n_first=2 * _FIRST, n_most=study.n_most)
    return kn(observe, len(left), aim)


def _report(
    trials: _Trials,
    chosen: Chosen,
    budget: float,
    selection: Selection,
    looked: tuple[int, bool],
) -> Improvement:
    """Confirm what was chosen and put all together; `looked`: sets, whether all."""
    options, study = trials.options, trials.study
    n_sets, is_exhaustive = looked
    base = trials.kept.values(0)
    found = []
    for row, one in enumerate(trials.sets):
        values = trials.kept.values(row)
        n = min(len(values), len(base))
        if n < _FIRST:
            continue
        gain = paired_interval(base[:n], values[:n], study.confidence)
        found.append(Candidate(tuple(sorted(one)), options.cost(one), gain, n))
    found.sort(key=lambda c: (-c.gain.mean, c.cost, c.options))
    confirm = _Trials(options, replace(study, seed=study.seed + 1), trials.store, None)
    pair = [confirm.number(frozenset()), confirm.number(chosen)]
    before, after = confirm.means(dict.fromkeys(pair), study.replications)[[0, -1]]
    gain = paired_interval(before, after, study.confidence)
    now = mean_interval(before, study.confidence)
    scale = abs(now.mean) or math.nan
    relative = Interval(
        gain.mean / scale,
        gain.half_width / scale,
        gain.low / scale,
        gain.high / scale,
        gain.n,
        study.confidence,
    )
    which = "all sets" if is_exhaustive else "the sets that the search met"
    words = (
        f"With probability {study.confidence:g} at least it is the best of {which} "
        f"({n_sets}), or within {study.indifference:.2%} of it "
        "(subset selection, then Kim and Nelson)."
        if selection.is_complete
        else f"The best of {which} ({n_sets}) as far as can be told: "
        f"{selection.guarantee} Allow more of them, or a wider indifference zone."
    )
    return Improvement(
        chosen=tuple(name for name in options.by_name if name in chosen),
        items=tuple(
            Item(name, option.cost, option.lead_time_us, option.note)
            for name, option in options.by_name.items()
            if name in chosen
        ),
        cost=options.cost(chosen),
        lead_time_us=max(
            (options.by_name[name].lead_time_us for name in chosen), default=0
        ),
        changes=options.changes(chosen),
        base=now,
        gain=gain,
        relative_gain=relative,
        guarantee=words,
        is_complete=selection.is_complete,
        is_exhaustive=is_exhaustive,
        candidates=tuple(found),
        frontier=_frontier(found),
        n_evaluations=trials.n_made + trials.n_reused + confirm.n_made,
        n_reused=trials.n_reused,
        model_hash=model_hash(options.line),
        changed_hash=model_hash(options.applied(chosen)),
        budget=budget,
        study=study,
    )


def _frontier(found: list[Candidate]) -> tuple[Candidate, ...]:
    """Return the sets for which none is both cheaper and better, the cheapest first."""
    out: list[Candidate] = []
    for one in sorted(found, key=lambda c: (c.cost, -c.gain.mean)):
        if not out or one.gain.mean > out[-1].gain.mean:
            out.append(one)
    return tuple(out)
