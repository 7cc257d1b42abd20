"""Routes found in visits: order of operations, shares, rework, and where they are done.

A route of the model is a list of steps. From each step a part goes on to the next ones,
each of which it visits with its `sample` share, or back for rework. All of that follows
from one small matrix: how often step j came right after step i. Two ways to call the
steps are tried: by operation, where doing one again is rework; and by operation and how
often it was done, where it is another step. The one under which the log is likelier,
with fewer shares, is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linewright.fit.log import Floats, Ints, Mask
from linewright.fit.visits import Visits

__all__ = ["Route", "RouteStep", "find_route"]

_MOST_TIMES = 12  # how often an operation may stand in a route
_ALL = 0.9995


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A step of a route.

    Attributes:
        activity: Its operation.
        time: How often the operation was done, from 0; more than once, another step.
        sample: Share of the parts that pass by which visit it.
        n_passed: Parts that passed by.
        rework: Share of its visits after which a part goes back.
        rework_to: Step to which most of them go, from 0; -1 for none.
        n_visits: Visits.
        is_rework_only: Whether only parts that were sent back come to it.
        scrap: Share of its visits after which a part is scrapped.
    """

    activity: int
    time: int
    sample: float
    n_passed: int
    rework: float
    rework_to: int
    n_visits: int
    is_rework_only: bool = False
    scrap: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """A route with how well it says what was seen.

    Attributes:
        steps: Its steps.
        step_of_visit: Step of each visit that it was found in, -1 for none.
        n_cases: Cases.
        n_ways: Different sequences of operations among them.
        likely: Mean chance that it gives to where a part goes next, in the geometric
            mean; 1: there is nothing to choose.
        missed: Share of the moves that the route cannot say as they were: back to
            another step than most.
        notes: What is to be known about it.
    """

    steps: tuple[RouteStep, ...]
    step_of_visit: Ints
    n_cases: int
    n_ways: int
    likely: float
    missed: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Visits with numbers for their steps, in the order of the route."""

    step: Ints
    activity: Ints
    time: Ints
    moves: Ints


def find_route(
    v: Visits, is_whole: Mask, is_scrapped: Mask, *, may_rework: bool = True
) -> Route:
    """Return the route of the visits of one product.

    Args:
        v: Visits of its cases, in the order of cases and of time.
        is_whole: For each visit, whether its case came to its end.
        is_scrapped: For each visit, whether its case was scrapped.
        may_rework: Whether doing an operation again may be rework.
    """
    first = np.append(True, v.case[1:] != v.case[:-1])
    last = np.append(first[1:], True)
    tried = []
    for by_time in (False, True):
        time = _times(v, first) if by_time else np.zeros(len(v), np.int64)
        if by_time and not time.any():
            continue
        if not by_time and not may_rework and _times(v, first).any():
            continue
        time = np.minimum(time, _MOST_TIMES)
        found = _labelled(v, time, first, last, is_whole & ~is_scrapped)
        tried.append((_cost(found.moves), found))
    _, best = min(tried, key=lambda pair: pair[0])
    best = _rework_first(best)
    steps, missed = _steps(best, last & is_scrapped)
    n_moves = max(int(best.moves.sum()), 1)
    return Route(
        steps=steps,
        step_of_visit=best.step,
        n_cases=int(first.sum()),
        n_ways=_ways(v, first),
        likely=float(np.exp(_likelihood(best.moves) / n_moves)),
        missed=missed / n_moves,
    )


def _times(v: Visits, first: Mask) -> Ints:
    """Return how often each visit's operation was done before in its case."""
    key = v.case * (int(v.activity.max()) + 1) + v.activity
    order = np.argsort(key, kind="stable")
    new = np.append(True, key[order][1:] != key[order][:-1])
    begin = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    nth = np.empty(len(order), np.int64)
    nth[order] = np.arange(len(order)) - begin
    return nth


def _labelled(
    v: Visits, time: Ints, first: Mask, last: Mask, is_whole: Mask
) -> _Labelled:
    """Number the steps in the order in which parts come to them, and count moves."""
    key = v.activity * (_MOST_TIMES + 1) + time
    known, step = np.unique(key, return_inverse=True)
    m = len(known)
    order = _order(step, first, m)
    rank = np.empty(m, np.int64)
    rank[order] = np.arange(m)
    step = rank[step]
    known = known[order]
    return _Labelled(
        step=step,
        activity=known // (_MOST_TIMES + 1),
        time=known % (_MOST_TIMES + 1),
        moves=_moves(step, first, last & is_whole, m),
    )


def _order(step: Ints, first: Mask, m: int) -> Ints:
    """Return the steps in the order of the route.

    By the moves between them: the step that is followed more often than it follows
    comes first, weighed over all pairs (Borda's count of the first visits of a case).
    """
    n = len(step)
    begin = np.maximum.accumulate(np.where(first, np.arange(n), 0))
    case = np.cumsum(first) - 1
    key = case * m + step
    _, at = np.unique(key, return_index=True)  # the first visit of each step in a case
    place = (at - begin[at]).astype(float)
    mean = np.bincount(step[at], place, m) / np.maximum(
        np.bincount(step[at], None, m), 1
    )
    order = np.argsort(mean, kind="stable")
    if m > 400:
        return order
    before = np.zeros((m, m))
    _count_before(before, step[at], case[at], at)
    return _settled(order, before)


def _count_before(before: Floats, step: Ints, case: Ints, at: Ints) -> None:
    """Count, for each pair of steps, in how many cases one came first before the other.

    Cases are looked at by the lag between two of their first visits, so that the loop
    is over lags and not over cases.
    """
    m = len(before)
    order = np.lexsort((at, case))
    step, case = step[order], case[order]
    for lag in range(1, len(step)):
        same = case[lag:] == case[:-lag]
        if not same.any():
            return
        pairs = step[:-lag][same] * m + step[lag:][same]
        before += np.bincount(pairs, minlength=m * m).reshape(m, m)


def _settled(order: Ints, before: Floats) -> Ints:
    """Move steps ahead of others that follow them more often than not."""
    found = order.tolist()
    for _ in range(len(found)):
        is_done = True
        for i in range(len(found) - 1):
            a, b = found[i], found[i + 1]
            if before[b, a] > before[a, b]:
                found[i], found[i + 1] = b, a
                is_done = False
        if is_done:
            break
    return np.array(found, np.int64)


def _moves(step: Ints, first: Mask, ends: Mask, m: int) -> Ints:
    """Count moves: row 0 is the entry, column m the end of the route."""
    moves = np.zeros((m + 1, m + 1), np.int64)
    follows = np.flatnonzero(~first)
    pairs = (step[follows - 1] + 1) * (m + 1) + step[follows]
    moves += np.bincount(pairs, minlength=(m + 1) ** 2).reshape(m + 1, m + 1)
    moves[0, :m] += np.bincount(step[first], minlength=m)
    moves[1:, m] += np.bincount(step[ends], minlength=m)
    return moves


def _forward(moves: Ints) -> Ints:
    """Return the moves that go on along the route; row i + 1 is step i."""
    m = len(moves) - 1
    return np.where(np.arange(m + 1)[None, :] >= np.arange(m + 1)[:, None], moves, 0)


def _passes(moves: Ints) -> tuple[Ints, Ints]:
    """Return how often parts passed each step going on, and how often they visited."""
    forward = _forward(moves)
    m = len(moves) - 1
    visited = forward[:, :m].sum(axis=0)
    # a move from row i to column j passes the steps i, i + 1, …, j
    passed = np.zeros(m, np.int64)
    for k in range(m):
        passed[k] = forward[: k + 1, k:].sum()
    return passed, visited


def _log_share(k: Ints, n: Ints) -> Floats:
    """Return the log likelihood of k of n at the share that fits best."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(k > 0, k * np.log(k / n), 0.0)
        miss = np.where(n > k, (n - k) * np.log((n - k) / n), 0.0)
    return hit + miss


def _likelihood(moves: Ints) -> float:
    passed, visited = _passes(moves)
    back = moves - _forward(moves)
    returned, left = back[1:].sum(axis=1), moves[1:].sum(axis=1)
    found = float(_log_share(visited, passed).sum())
    found += float(_log_share(returned, left).sum())
    for row, n in zip(back[1:], returned, strict=True):  # to which step
        if n:
            k = row[row > 0]
            found += float((k * np.log(k / n)).sum())
    return found


def _cost(moves: Ints) -> float:
    """Return Schwarz's criterion of a labelling: likelihood, and what it takes."""
    passed, visited = _passes(moves)
    back = moves - _forward(moves)
    n_free = int(((visited > 0) & (visited < passed)).sum()) + int((back > 0).sum())
    return -2 * _likelihood(moves) + n_free * math.log(max(int(moves.sum()), 2))


def _rework_first(found: _Labelled) -> _Labelled:
    """Put steps from which all go back right before the step that they go back to.

    A repair after an inspection, for instance: it is then a step for rework alone.
    """
    m = len(found.activity)
    order = list(range(m))
    moves = found.moves
    for k in range(m):
        back = moves[k + 1, : k + 1]
        if back.sum() and back.sum() >= _ALL * moves[k + 1].sum():
            target = int(np.argmax(back))
            if target < k:
                order.remove(k)
                order.insert(order.index(target), k)
    if order == list(range(m)):
        return found
    at = np.array(order)
    rank = np.empty(m, np.int64)
    rank[at] = np.arange(m)
    turned = np.zeros_like(moves)
    rows, columns = np.append(0, at + 1), np.append(at, m)
    turned[:] = moves[np.ix_(rows, columns)]
    return _Labelled(rank[found.step], found.activity[at], found.time[at], turned)


def _steps(found: _Labelled, scrapped: Mask) -> tuple[tuple[RouteStep, ...], int]:
    """Return the steps with their shares, and how many moves they cannot say."""
    passed, visited = _passes(found.moves)
    back = found.moves - _forward(found.moves)
    left = found.moves[1:].sum(axis=1)
    m = len(found.activity)
    n_scrapped = np.bincount(found.step[scrapped], minlength=m)
    n_visits = np.bincount(found.step, minlength=m)
    steps, missed = [], 0
    for k in range(m):
        returned = int(back[k + 1].sum())
        judged = max(int(left[k] + n_scrapped[k]), 1)
        to = int(np.argmax(back[k + 1])) if returned else -1
        missed += returned - (int(back[k + 1, to]) if returned else 0)
        share = visited[k] / passed[k] if passed[k] else 0.0
        is_rework_only = share < 1 - _ALL
        steps.append(
            RouteStep(
                activity=int(found.activity[k]),
                time=int(found.time[k]),
                sample=1.0 if is_rework_only or share > _ALL else float(share),
                n_passed=int(passed[k]),
                rework=returned / judged,
                rework_to=to,
                n_visits=int(n_visits[k]),
                is_rework_only=bool(is_rework_only),
                scrap=float(n_scrapped[k] / judged),
            )
        )
    return tuple(steps), missed


def _ways(v: Visits, first: Mask) -> int:
    """Count different sequences of operations, by a hash of each."""
    place = np.arange(len(v)) - np.maximum.accumulate(
        np.where(first, np.arange(len(v)), 0)
    )
    mixed = (v.activity.astype(np.uint64) + np.uint64(1)) * np.uint64(
        0x9E3779B97F4A7C15
    )
    mixed ^= (place.astype(np.uint64) + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return len(np.unique(np.add.reduceat(mixed, np.flatnonzero(first))))
