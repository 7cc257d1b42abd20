"""The best set of options for a budget, found under noise and chosen with a guarantee.

A set of options is a system: its observations are what the changed line makes in one
replication each, on common random numbers. `improve`

1. lists the sets that the budget, exclusions and requirements allow: all of them, or,
   where there are too many, those that a search meets: adding, dropping and swapping
   as long as that helps, once by gain for money and once by gain (`_sets`);
2. drops sets that are plainly worse (`selection.subset`);
3. lets the rest compete until one is left (`selection.kn`): with the confidence asked
   for it is the best of those looked at, if it is better by the indifference zone; a
   chance to meet targets is selected by `chances.highest_chance` in the place of 2
   and 3;
4. confirms the gain of that one against the line as it is, on another seed.

Every evaluation is kept in a `Store`, under the hash of the changed model, the seed and
the span, so that a search that was killed goes on where it was, and another budget or
another options file reuses what it can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.engines import Engine
from linewright.improve._sets import FIRST, Steps, closed, feasible, search
from linewright.improve.chances import highest_chance
from linewright.improve.objectives import Objective, objective_of
from linewright.improve.options import Options
from linewright.improve.selection import Aim, Selection, kn, subset
from linewright.improve.store import Store
from linewright.improve.study import Chosen, Study, Trials
from linewright.model.load import model_hash
from linewright.stats.intervals import Interval

__all__ = ["Candidate", "Improvement", "Item", "Store", "Study", "improve"]


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
        relative_gain: The same as a share of the objective as it is; of a chance, the
            gain itself.
        guarantee: In words: what is promised of the choice.
        remarks: What else has to be said: what is counted, what is as good.
        is_complete: Whether the selection came to its end.
        is_exhaustive: Whether all sets that the budget allows were looked at.
        candidates: All sets that were looked at, the best first.
        frontier: Those for which none is both cheaper and better.
        n_evaluations: Replications run for it, and reused.
        n_reused: Of these, how many were kept from before.
        model_hash: Of the line as it is.
        changed_hash: Of the line with the changes.
        budget: What could be spent.
        unit: Unit of the objective.
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
    remarks: tuple[str, ...]
    is_complete: bool
    is_exhaustive: bool
    candidates: tuple[Candidate, ...]
    frontier: tuple[Candidate, ...]
    n_evaluations: int
    n_reused: int
    model_hash: str
    changed_hash: str
    budget: float
    unit: str
    study: Study


# ------------------------------------------------------------------ the whole


def improve(
    options: Options,
    budget: float,
    study: Study,
    store: Store | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
) -> Improvement:
    """Return the best set of options for a budget.

    Args:
        options: What can be done.
        budget: What may be spent, in the model's currency.
        study: How sets are compared.
        store: Where evaluations are kept; in memory by default.
        on_progress: Called with the replications made so far and the sets looked at.
        engine: Where replications are run; on threads by default.

    Raises:
        ValueError: The budget is below every option, or the objective is none.
        ModelError: Options do not go together.
        DeadlockError: A changed line comes to stand still for good.
    """
    objective = objective_of(options.line, study.objective, study.span, study.over_us)
    whole = {closed(options, frozenset({name})) for name in options.by_name}
    cheapest = min(whole, key=options.cost)
    if options.cost(cheapest) > budget:
        msg = (
            f"a budget of {budget:,.10g} is below every option; the cheapest is "
            f'"{", ".join(sorted(cheapest))}" at {options.cost(cheapest):,.10g}'
        )
        raise ValueError(msg)
    trials = Trials(options, study, objective, store or Store(), on_progress, engine)
    trials.number(frozenset())
    every = feasible(options, budget)
    if every is None:
        steps = None if objective.name == "flow_time" else Steps(options)
        search(trials, budget, steps, by_money=True)
        search(trials, budget, steps, by_money=False)
    else:
        for chosen in every:
            trials.number(chosen)
    rows = np.array(
        [r for r in range(len(trials.sets)) if every or trials.kept.count(r) >= FIRST]
    )
    chosen, selection = _select(trials, rows)
    looked = (len(rows), every is not None)
    return _report(trials, chosen, budget, selection, looked)


def _select(trials: Trials, rows: NDArray[np.int64]) -> tuple[Chosen, Selection]:
    """Let sets compete until one is left; return it, and what that stands on."""
    study, objective = trials.study, trials.objective
    first = trials.values(rows, FIRST)
    zone = study.indifference * objective.of(first.mean(1))
    if not zone > 0:
        msg = (
            f"{objective.name} is nothing with every set, so that no share of it can "
            "be an indifference zone; make the horizon longer, or ask `linewright "
            "simulate` why"
        )
        raise ValueError(msg)
    if objective.is_chance:
        left = rows[np.argsort(trials.costs(rows), kind="stable")]
        aim = Aim(zone, study.confidence, n_first=FIRST, n_most=study.n_most)
        selection = highest_chance(trials.observer(left), len(left), aim)
    else:
        half = (1 + study.confidence) / 2  # the two steps share the error
        left = rows[subset(first, zone, half)]
        aim = Aim(zone, half, n_first=2 * FIRST, n_most=study.n_most)
        selection = kn(trials.observer(left), len(left), aim)
    return trials.sets[int(left[selection.chosen])], selection


def _report(
    trials: Trials,
    chosen: Chosen,
    budget: float,
    selection: Selection,
    looked: tuple[int, bool],
) -> Improvement:
    """Confirm what was chosen and put all together; `looked`: sets, whether all."""
    options, study, objective = trials.options, trials.study, trials.objective
    found = _candidates(trials)
    other = replace(study, seed=study.seed + 1)
    confirm = Trials(options, other, objective, trials.store, engine=trials.engine)
    pair = [confirm.number(frozenset()), confirm.number(chosen)]
    rows = list(dict.fromkeys(pair))
    before, after = confirm.values(rows, study.replications)[[0, -1]]
    gain = objective.gain(before, after, study.confidence)
    now = objective.interval(before, study.confidence)
    scale = 1.0 if objective.is_chance else abs(now.mean) or math.nan
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
        changes=options.changes(chosen, on_dates=study.on_dates),
        base=now,
        gain=gain,
        relative_gain=_scaled(gain, 1 / scale),
        guarantee=_guarantee(objective, study, selection, looked),
        remarks=tuple(_remarks(trials, chosen, found)),
        is_complete=selection.is_complete,
        is_exhaustive=looked[1],
        candidates=tuple(found),
        frontier=_frontier(found),
        n_evaluations=trials.n_made + trials.n_reused + confirm.n_made,
        n_reused=trials.n_reused,
        model_hash=model_hash(options.line),
        changed_hash=model_hash(options.applied(chosen, on_dates=study.on_dates)),
        budget=budget,
        unit=objective.unit,
        study=study,
    )


def _scaled(gain: Interval, by: float) -> Interval:
    ends = (gain.mean * by, gain.half_width * by, gain.low * by, gain.high * by)
    return Interval(*ends, gain.n, gain.confidence)


def _candidates(trials: Trials) -> list[Candidate]:
    """Return the sets that were looked at, the best first."""
    base = trials.seen(0)
    found = []
    for row, one in enumerate(trials.sets):
        values = trials.seen(row)
        n = min(len(values), len(base))
        if n < FIRST:
            continue
        gain = trials.objective.gain(base[:n], values[:n], trials.study.confidence)
        names, cost = tuple(sorted(one)), trials.options.cost(one)
        found.append(Candidate(names, cost, gain, n))
    found.sort(key=lambda c: (-c.gain.mean, c.cost, c.options))
    return found


def _guarantee(
    objective: Objective,
    study: Study,
    selection: Selection,
    looked: tuple[int, bool],
) -> str:
    """Say what is promised of the choice."""
    n_sets, is_exhaustive = looked
    which = "all sets" if is_exhaustive else "the sets that the search met"
    if not selection.is_complete:
        return (
            f"The best of {which} ({n_sets}) as far as can be told: "
            f"{selection.guarantee} Allow more of them, or a wider indifference zone."
        )
    zone, how = (
        f"{study.indifference:.2%} of it",
        "subset selection, then Kim and Nelson",
    )
    if objective.is_chance:
        zone = f"{100 * study.indifference:.3g} percentage points of it"
        how = "bets on paired outcomes"
    elif objective.is_paid:
        zone = f"{study.indifference:.2%} of the highest profit"
    return (
        f"With probability {study.confidence:g} at least it is the best of {which} "
        f"({n_sets}), or within {zone} ({how})."
    )


def _remarks(trials: Trials, chosen: Chosen, found: list[Candidate]) -> list[str]:
    """Say what is counted, and which sets may be as good."""
    out = [trials.objective.said] if trials.objective.said else []
    options = trials.options
    if options.is_uncertain(chosen):
        names = [n for n in options.by_name if options.is_uncertain({n} & chosen)]
        out.append(
            f"What {', '.join(names)} will bring is uncertain, and drawn anew in every "
            "run; the changes say the typical value."
        )
    if trials.study.on_dates:
        out.append(
            "Options take effect when their lead time is over, counted from the start "
            "of the line."
        )
        out += options.remarks(chosen)
    if trials.objective.is_chance:
        out += _ties(trials, chosen)
    return out


def _ties(trials: Trials, chosen: Chosen) -> list[str]:
    """Say which sets cannot be told from the chosen one by what was run of them."""
    row, confidence = trials.row[chosen], trials.study.confidence
    mine = trials.seen(row)
    tied = []
    for other, one in enumerate(trials.sets):
        values = trials.seen(other)
        n = min(len(values), len(mine))
        if other == row or n < FIRST:
            continue
        if trials.objective.gain(values[:n], mine[:n], confidence).low <= 0:
            tied.append((trials.options.cost(one), sorted(one)))
    if not mine.any():
        return [
            "No run with the chosen set met the goals, so that nothing on offer is "
            "shown to meet them; `linewright plan` says what is short."
        ]
    if not tied:
        return []
    cost, names = min(tied)
    sets = f"{len(tied)} other set{'s' if len(tied) > 1 else ''}"
    text = (
        f"{sets} cannot be told from it by the runs that were made of them "
        f"({confidence:.0%} each)"
    )
    if cost < trials.options.cost(chosen):
        which = ", ".join(names) or "the line as it is"
        return [f"{text}; the cheapest of them is {which}, at {cost:,.10g}."]
    return [f"{text}; none of them is cheaper."]


def _frontier(found: list[Candidate]) -> tuple[Candidate, ...]:
    """Return the sets for which none is both cheaper and better, the cheapest first."""
    out: list[Candidate] = []
    for one in sorted(found, key=lambda c: (c.cost, -c.gain.mean)):
        if not out or one.gain.mean > out[-1].gain.mean:
            out.append(one)
    return tuple(out)
