"""Which sets of options are looked at: all, or those that a search meets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from linewright.improve.options import Options
from linewright.improve.study import Chosen, Trials

__all__ = ["FIRST", "closed", "feasible", "search"]

MOST_LISTED = 300
"""Sets that are all looked at; where there are more, a search is made."""
FIRST = 10
"""Replications of every set that is looked at."""
_MOST_SEARCHED = 600
_BRIEF = 2  # replications of a step of the search, and how many steps go on
_AT_LENGTH = 6


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


def search(trials: Trials, budget: float, *, by_money: bool) -> None:
    """Look at sets from nothing on, as long as a step helps.

    All steps are tried briefly, and at length those that promise most: for the money,
    or whatever they cost.
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
        tried |= set(near)
        rows = [trials.number(s) for s in near]
        paid = np.array([options.cost(s) - options.cost(at) for s in near])
        if not by_money:
            paid = np.ones(len(near))
        brief = trials.guides(rows, _BRIEF).mean(1) - values[:_BRIEF].mean()
        promising = np.argsort(-_for_money(brief, paid), kind="stable")[:_AT_LENGTH]
        found = trials.guides([rows[i] for i in promising], FIRST)
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
