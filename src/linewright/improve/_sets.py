"""Which sets of options are looked at: all, or those that a search meets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linewright.improve.options import Options
from linewright.improve.proposals import CLASSES, Foreseen, Rates, effects_of
from linewright.improve.study import Chosen, Trials
from linewright.improve.worth import paths

__all__ = ["FIRST", "Steps", "closed", "feasible", "search"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_LISTED = 300
"""Sets that are all looked at; where there are more, a search is made."""
FIRST = 10
"""Replications of every set that is looked at."""
_MOST_SEARCHED = 600
_BRIEF = 2  # replications of a brief trial, and how many steps go on from there
_AT_LENGTH = 6
_FORESEEN = 3  # steps that go on because of what is foreseen of them
_FOLLOWED = 5  # replications of a set that follow causes


def feasible(options: Options, budget: float) -> list[Chosen] | None:
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


def closed(options: Options, chosen: Chosen) -> Chosen:
    """Return a set with all that it requires."""
    waiting, out = list(chosen), set(chosen)
    while waiting:
        for other in options.by_name[waiting.pop()].requires - out:
            out.add(other)
            waiting.append(other)
    return frozenset(out)


def neighbors(options: Options, chosen: Chosen, budget: float) -> list[Chosen]:
    """Return the sets one step away: one more, one less, one for another."""
    found: dict[Chosen, None] = {}

    def offer(one: Chosen) -> None:
        whole = closed(options, one)
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


def search(
    trials: Trials, budget: float, steps: Steps | None, *, by_money: bool
) -> None:
    """Look at sets from nothing on, as long as a step helps.

    Of all steps those that promise most are tried at length: for the money, or whatever
    they cost. What they promise is foreseen from the critical path of the set that is
    left, or comes from a brief trial where it cannot be. Where none of these helps, all
    others are tried briefly before the search ends.
    """
    options = trials.options
    at: Chosen = frozenset()
    values = trials.guides([trials.number(at)], FIRST)[0]
    tried: set[Chosen] = {at}
    while len(tried) < _MOST_SEARCHED:
        near = [s for s in neighbors(options, at, budget) if s not in tried]
        near = near[: _MOST_SEARCHED - len(tried)]
        if not near:
            return
        paid = np.array([options.cost(s) - options.cost(at) for s in near])
        if not by_money:
            paid = np.ones(len(near))
        step = None
        if steps is not None:
            some = steps.promising(trials, at, near, paid)
            tried |= {near[i] for i in some}
            step = _best_of(trials, values, [near[i] for i in some], paid[some])
            steps.learn(at, [near[i] for i in some], _gains(trials, values, near, some))
            rest = np.setdiff1d(np.arange(len(near)), some)
            near, paid = [near[i] for i in rest], paid[rest]
        if step is None and near:
            tried |= set(near)
            brief = _brief(trials, values, near)
            best = np.argsort(-_for_money(brief, paid), kind="stable")[:_AT_LENGTH]
            step = _best_of(trials, values, [near[i] for i in best], paid[best])
        if step is None:
            return
        at = step
        values = trials.guides([trials.number(at)], FIRST)[0]


def _brief(trials: Trials, values: Floats, near: Sequence[Chosen]) -> Floats:
    """Return what sets gain in a brief trial."""
    rows = [trials.number(s) for s in near]
    found: Floats = trials.guides(rows, _BRIEF).mean(1) - values[:_BRIEF].mean()
    return found


def _gains(
    trials: Trials, values: Floats, near: Sequence[Chosen], some: Ints
) -> Floats:
    """Return what sets that were tried at length gain, as a share of what is."""
    if not len(some):
        return np.zeros(0)
    found = trials.guides([trials.number(near[i]) for i in some], FIRST)
    scale = abs(float(values.mean())) or 1.0
    gains: Floats = (found.mean(1) - values.mean()) / scale
    return gains


def _best_of(
    trials: Trials, values: Floats, near: Sequence[Chosen], paid: Floats
) -> Chosen | None:
    """Return the best of sets that are tried at length, or None if none gains."""
    if not near:
        return None
    gains = trials.guides([trials.number(s) for s in near], FIRST).mean(1)
    gains -= values.mean()
    best = int(_for_money(gains, paid).argmax())
    return near[best] if gains[best] > 0 else None


class Steps:
    """Foresees what steps of the search promise.

    Args:
        options: What can be done.
    """

    def __init__(self, options: Options) -> None:
        self._effects = effects_of(options)
        self._rates = Rates()
        self._seen: dict[Chosen, Foreseen] = {}

    def promising(
        self, trials: Trials, at: Chosen, near: Sequence[Chosen], paid: Floats
    ) -> Ints:
        """Return which of the sets near another one are worth a trial at length.

        Those that cannot be foreseen are tried briefly. Of each class that was not
        tried yet, the best two are among them.
        """
        scores = self._scores(trials, at, near)
        gains = self._rates.gains(scores)
        blind = [i for i, s in enumerate(near) if not self._is_foreseen(s ^ at)]
        if blind:
            values = trials.guides([trials.number(at)], _BRIEF)[0]
            found = _brief(trials, values, [near[i] for i in blind])
            gains[blind] = found / (abs(float(values.mean())) or 1.0)
        order = np.argsort(-_for_money(gains, paid), kind="stable")
        some = dict.fromkeys(map(int, order[:_FORESEEN]))
        for row in range(len(CLASSES)):
            if not self._rates.is_known(row):
                mine = [int(i) for i in order if scores[i, row] > 0]
                some |= dict.fromkeys(mine[:2])
        return np.array(list(some), np.int64)

    def learn(self, at: Chosen, near: Sequence[Chosen], gains: Floats) -> None:
        """Take in what sets near another one gained."""
        if len(near):
            scores = np.array([self._score(at, s) for s in near])
            self._rates.learn(scores, gains)

    def _scores(self, trials: Trials, at: Chosen, near: Sequence[Chosen]) -> Floats:
        if at not in self._seen:
            line, lowered, _ = trials.line(trials.number(at))
            study = trials.study
            seen = paths(
                lowered, study.span, study.seed, range(_FOLLOWED), study.workers
            )
            trials.n_made += _FOLLOWED
            self._seen[at] = Foreseen(line, seen, lowered.names.stations)
        return np.array([self._score(at, s) for s in near])

    def _score(self, at: Chosen, to: Chosen) -> Floats:
        found = np.zeros(len(CLASSES))
        for names, is_undone in ((to - at, False), (at - to, True)):
            for name in names & self._effects.keys():
                effect = self._effects[name]
                found += self._seen[at].scores(effect, is_undone=is_undone)
        return found

    def _is_foreseen(self, changed: Chosen) -> bool:
        """Say whether all that differs between two sets can be foreseen."""
        return all(self._effects[n].is_foreseen for n in changed & self._effects.keys())


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
