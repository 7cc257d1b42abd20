"""A good plan of lot sizes soon: relax-and-fix, then fix-and-optimize.

Relax-and-fix goes through the periods: the setups of some periods are whole numbers,
those before are fixed at what was found, those after may be shares. Fix-and-optimize
then lets the setups of a part be free (some periods, or some items), leaves the others
fixed, solves, and keeps what is better, until no part gives anything or time is up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from linewright.plan._lot_model import LotModel, Solved

Flags = NDArray[np.bool_]

_SETUPS_AT_ONCE = 48
_PART_GAP = 1e-4
_ROUGH_GAP = 5e-3
_PART_SECONDS = 4.0


def improved(model: LotModel, time_left: Callable[[], float]) -> Solved:
    """Return a plan found part by part; its bound says nothing.

    Args:
        model: The model, in which overtime has a price, so that there is a plan.
        time_left: Returns the seconds left.
    """
    if model.n_setups <= _SETUPS_AT_ONCE:  # one part is all
        return model.solve(time_left())
    best = _relax_and_fix(model, time_left)
    if best.values is None:
        return best
    rounds = np.random.default_rng(1)
    size = _SETUPS_AT_ONCE
    while time_left() > 0:
        before = best.objective
        for part in _parts(model, size, rounds):
            if time_left() <= 0:
                break
            best = _better(model, best, part, time_left)
        if best.objective >= before - 1e-9 * abs(before):
            if size >= 2 * _SETUPS_AT_ONCE:
                break
            size *= 2
    return best


def _relax_and_fix(model: LotModel, time_left: Callable[[], float]) -> Solved:
    shape = (model.n_items, model.n_periods)
    width = max(2, _SETUPS_AT_ONCE // model.n_items)
    step = max(1, width - 1)
    fixed = np.full(shape, np.nan)
    found = Solved(None, np.inf, -np.inf)
    for start in range(0, model.n_periods, step):
        last = start + width >= model.n_periods
        whole = np.zeros(shape, dtype=bool)
        whole[:, : start + width] = True
        model.let(integer=whole.ravel(), fixed=fixed.ravel())
        seconds = min(_PART_SECONDS / 2, time_left())
        found = model.solve(seconds, gap=_ROUGH_GAP)
        if found.values is None:
            break
        setups = found.values[model.setups].reshape(shape).round()
        fixed[:, : start + step] = setups[:, : start + step]
        if last:
            break
    model.let(integer=np.ones(shape, dtype=bool).ravel())
    if found.values is None:  # every setup that there can be, and overtime for the rest
        fixed[:] = 1.0
        model.let(fixed=fixed.ravel())
        found = model.solve(max(time_left(), _PART_SECONDS))
    model.let(fixed=np.full(model.n_setups, np.nan))
    return found


def _better(
    model: LotModel, best: Solved, free: Flags, time_left: Callable[[], float]
) -> Solved:
    assert best.values is not None
    fixed = best.values[model.setups].round()
    fixed[free.ravel()] = np.nan
    model.let(fixed=fixed)
    seconds = min(_PART_SECONDS, time_left())
    found = model.solve(seconds, best.values, _PART_GAP)
    model.let(fixed=np.full(model.n_setups, np.nan))
    return found if found.objective < best.objective - 1e-9 else best


def _parts(model: LotModel, size: int, rounds: np.random.Generator) -> Iterator[Flags]:
    """Go through parts of about so many setups: spans of periods, groups of items."""
    shape = (model.n_items, model.n_periods)
    width = min(model.n_periods, max(2, size // model.n_items))
    for start in range(0, max(1, model.n_periods - width // 2), max(1, width // 2)):
        free = np.zeros(shape, dtype=bool)
        free[:, start : start + width] = True
        yield free
    group = min(model.n_items, max(2, size // model.n_periods))
    order = rounds.permutation(model.n_items)
    for start in range(0, model.n_items, group):
        free = np.zeros(shape, dtype=bool)
        free[order[start : start + group]] = True
        yield free
    # half the periods for half of the items
    half = max(1, model.n_periods // 2)
    group = min(model.n_items, max(2, 2 * size // model.n_periods))
    order = rounds.permutation(model.n_items)
    for start in range(0, model.n_items, group):
        first = int(rounds.integers(0, model.n_periods - half + 1))
        free = np.zeros(shape, dtype=bool)
        free[order[start : start + group], first : first + half] = True
        yield free
