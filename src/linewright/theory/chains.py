"""Exact solution of short exponential lines, with the derivatives of the throughput.

A line of exponential times is a Markov chain on the numbers of parts that one station
has completed and the next has not, and on which stations are failed. Its states and
transitions depend on the buffers alone; the rates enter linearly. So the states are
listed once for a shape of line, in whole arrays, and kept; each set of rates then costs
one sparse factorization, and a second solve with it gives all derivatives at once: with
generator Q, stationary law pi, reward c and throughput X = pi c, the solution of
Q g = X - c gives dX = pi (dc + dQ g) for a change of any rate.

It is for lines of up to some ten thousand states: about three stations with buffers of
a hundred places, or five with two. It does not know any other distribution.

Source:
    Schweitzer (1968), Perturbation theory and finite Markov chains, Journal of Applied
    Probability 5(2), 401-413.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.theory.flow_line import FlowLine

__all__ = ["MOST_STATES", "Exact", "exact", "throughputs"]

MOST_STATES = 200_000
"""States of a chain, at most: more would take minutes and gigabytes."""

_RARE = 1e-9

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Exact:
    """The long run of a line, exactly.

    Attributes:
        throughput_per_s: Products leaving the line, per second.
        wip_mean: Parts in the buffers and stations; an assembly that has begun counts
            once, and so does what it was made of: not at all.
        level_mean: Mean number of parts in each buffer.
        processing: Share of time in which each station processes.
        blocked: Share in which it holds a finished part; with the clock
            ``operating`` it may be failed at the same time.
        starved: Share in which it has nothing to work on; with the clock ``operating``
            it may be failed at the same time.
        failed: Share in which it is failed.
        by_process: Derivative of `throughput_per_s` by each mean processing time, per
            second squared.
        by_mttr: By each mean time to repair; 0 where the station never fails.
        by_mttf: By each mean time to failure; 0 where the station never fails.
        n_states: States of the chain.
    """

    throughput_per_s: float
    wip_mean: float
    level_mean: tuple[float, ...]
    processing: tuple[float, ...]
    blocked: tuple[float, ...]
    starved: tuple[float, ...]
    failed: tuple[float, ...]
    by_process: tuple[float, ...]
    by_mttr: tuple[float, ...]
    by_mttf: tuple[float, ...]
    n_states: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the states of a chain depend on."""

    slots: tuple[int, ...]
    successor: tuple[int, ...]
    quantity: tuple[int, ...]
    fails: tuple[bool, ...]
    by_processing: bool


@dataclass(frozen=True, slots=True)
class _Chain:
    """States, one row each, and transitions; rates by column (see `_rates`)."""

    pending: Ints  # parts completed by a station and not by the next: (state, buffer)
    working: NDArray[np.bool_]  # (state, station)
    blocked: NDArray[np.bool_]
    holding: NDArray[np.bool_]  # an unfinished part, whether failed or not
    failed: NDArray[np.bool_]
    source: Ints
    target: Ints
    rate: Ints  # which rate a transition has

    @property
    def n(self) -> int:
        return len(self.pending)


def exact(line: FlowLine) -> Exact:
    """Return the exact long run of a line of exponential times.

    Args:
        line: Short, and exponential throughout.

    Raises:
        ValueError: A processing time is not exponential, or the chain would have more
            than `MOST_STATES` states.
    """
    chain = _chain(_shape(line))
    rates = _rates(line)
    law, solve_transposed = _stationary(chain, rates)
    reward = rates[line.n_stations - 1] * chain.working[:, -1]
    throughput = float(law @ reward)
    bias = solve_transposed(throughput - reward)
    each = law[chain.source] * (bias[chain.target] - bias[chain.source])
    by_rate = np.bincount(chain.rate, each, len(rates))
    by_rate[line.n_stations - 1] += law @ chain.working[:, -1]
    by_mean = (by_rate * -np.square(rates)).reshape(3, -1)
    levels = chain.pending - chain.blocked[:, :-1]
    for k, s in enumerate(line.successor):
        levels[:, k] -= line.quantity[k] * chain.holding[:, s]
    level_mean = law @ levels
    starved = ~(chain.holding | chain.blocked)
    wip = level_mean.sum() + (law @ ~starved).sum()
    return Exact(
        throughput_per_s=throughput,
        wip_mean=float(wip),
        level_mean=_plain(level_mean),
        processing=_plain(law @ chain.working),
        blocked=_plain(law @ chain.blocked),
        starved=_plain(law @ starved),
        failed=_plain(law @ chain.failed),
        by_process=_plain(by_mean[0]),
        by_mttr=_plain(by_mean[2]),
        by_mttf=_plain(by_mean[1]),
        n_states=chain.n,
    )


def _plain(values: Floats) -> tuple[float, ...]:
    return tuple(map(float, values))


def throughputs(rates_per_s: Floats, slots: Sequence[int]) -> Floats:
    """Return the exact throughput of serial lines that differ in their rates alone.

    Args:
        rates_per_s: Processing rates, (line, station), per second, positive.
        slots: Buffer places between the stations, of all lines.

    Returns:
        Throughput of each line, per second.
    """
    from linewright.theory import _compiled  # noqa: PLC0415 - imports Numba

    rates = np.ascontiguousarray(rates_per_s, np.float64)
    chain = _chain(_shape(FlowLine((1.0,) * rates.shape[1], tuple(slots))))
    band = int(np.abs(chain.target - chain.source).max())
    last_works = np.ascontiguousarray(chain.working[:, -1])
    found = np.empty(len(rates))
    _compiled.band_throughputs(  # type: ignore[no-untyped-call]
        chain.source, chain.target, chain.rate, last_works, rates, band, found
    )
    return found


def _shape(line: FlowLine) -> _Shape:
    if any(c != 1 for c in line.scv):
        msg = f"an exact chain needs exponential times (scv 1), got scv {line.scv}"
        raise ValueError(msg)
    fails = tuple(f < math.inf for f in line.mttf_s)
    by_processing = line.clock == "processing" or not any(fails)
    return _Shape(line.slots, line.successor, line.quantity, fails, by_processing)


def _rates(line: FlowLine) -> Floats:
    """Return all rates: of processing, of failure, of repair; zero where none is."""
    repair = [1 / r if f < math.inf else 0.0 for f, r in line.failures]
    means = np.array([line.process_s, line.mttf_s], np.float64)
    return np.concatenate([1 / means.ravel(), repair])


# ---------------------------------------------------------------- states

_UP, _DOWN_HOLDING, _DOWN_EMPTY = 0, 1, 2


@lru_cache(maxsize=64)
def _chain(shape: _Shape) -> _Chain:
    """List states and transitions of a shape."""
    n_buffers, n = len(shape.slots), len(shape.fails)
    kinds = 2 if shape.by_processing else 3
    sizes = [b + 2 + q for b, q in zip(shape.slots, shape.quantity, strict=True)]
    sizes += [kinds if fails else 1 for fails in shape.fails]
    if (n_cells := math.prod(sizes)) > 20 * MOST_STATES:
        msg = f"a chain of up to {n_cells:,} states is too large to be solved exactly"
        raise ValueError(msg)
    cells = np.indices(sizes).reshape(len(sizes), -1).T
    pending, status = cells[:, :n_buffers], cells[:, n_buffers:]
    holding, blocked, valid = _modes(shape, pending, status)
    row_of = np.full(n_cells, -1)
    row_of[valid] = np.arange(np.count_nonzero(valid))
    if np.count_nonzero(valid) > MOST_STATES:
        msg = f"a chain of {np.count_nonzero(valid):,} states is too large to solve"
        raise ValueError(msg)
    cells, holding, blocked = cells[valid], holding[valid], blocked[valid]
    pending, status = cells[:, :n_buffers], cells[:, n_buffers:]
    working = holding & (status == _UP)
    weights = np.cumprod([1, *sizes[:0:-1]])[::-1]
    code = cells @ weights
    sources, targets, which = [], [], []

    def add(rows: NDArray[np.bool_], change: Any, rate: int) -> None:
        (source,) = np.nonzero(rows)
        target = row_of[code[source] + np.broadcast_to(change, len(rows))[source]]
        assert (target >= 0).all()
        sources.append(source)
        targets.append(target)
        which.append(np.full(len(source), rate))

    for k in range(n):
        done = int(weights[k]) if k < n_buffers else 0
        for supplier, s in enumerate(shape.successor):
            if s == k:
                done -= int(weights[supplier]) * shape.quantity[supplier]
        add(working[:, k], done, k)
        if not shape.fails[k]:
            continue
        weight = weights[n_buffers + k]
        up = status[:, k] == _UP
        fallen = np.where(holding[:, k], _DOWN_HOLDING, _DOWN_EMPTY)
        add(working[:, k] if shape.by_processing else up, fallen * weight, n + k)
        add(~up, -status[:, k] * weight, 2 * n + k)
    arrays = (np.concatenate(x) for x in (sources, targets, which))
    return _Chain(pending, working, blocked, holding, status != _UP, *arrays)


def _modes(shape: _Shape, pending: Ints, status: Ints) -> tuple[Any, Any, Any]:
    """Return who holds an unfinished part, who is blocked, and what can be at all.

    What station k has completed and its successor has not lies in the buffer between
    them, on the successor where this works on it, and on k if there is no room left.
    """
    n_cells, n = status.shape
    holding = np.zeros((n_cells, n), np.bool_)
    blocked = np.zeros((n_cells, n), np.bool_)
    valid = np.ones(n_cells, np.bool_)
    for k in range(n - 1, -1, -1):
        if k < n - 1:
            taken = shape.quantity[k] * holding[:, shape.successor[k]]
            most = shape.slots[k] + 1 + taken
            valid &= pending[:, k] <= most
            blocked[:, k] = pending[:, k] == most
        has_parts = ~blocked[:, k]
        for supplier, s in enumerate(shape.successor):
            if s == k:
                has_parts &= pending[:, supplier] >= shape.quantity[supplier]
        holding[:, k] = np.where(
            status[:, k] == _UP, has_parts, status[:, k] == _DOWN_HOLDING
        )
        valid &= has_parts | (status[:, k] != _DOWN_HOLDING)
    return holding, blocked, valid


# ---------------------------------------------------------------- solution


def _stationary(chain: _Chain, rates: Floats) -> tuple[Floats, Any]:
    """Return the stationary law, and a function that solves Q g = right.

    One state is taken as the measure of all others, and as the zero of g. If it turns
    out to be a rare one, the most likely takes its place.
    """
    law, solve = _solve_from(chain, rates, 0)
    if law[0] < _RARE:
        law, solve = _solve_from(chain, rates, int(law.argmax()))
    return law, solve


def _solve_from(chain: _Chain, rates: Floats, first: int) -> tuple[Floats, Any]:
    from scipy.sparse import csc_array  # noqa: PLC0415 - slow to import
    from scipy.sparse.linalg import splu  # noqa: PLC0415 - slow to import

    n = chain.n
    each = rates[chain.rate]
    rows = np.concatenate([chain.target, chain.source])
    columns = np.concatenate([chain.source, chain.source])
    transposed = csc_array((np.concatenate([each, -each]), (rows, columns)), (n, n))
    rest = np.delete(np.arange(n), first)
    reduced = transposed[rest, :][:, rest]
    # A generator's diagonal dominates, so pivots need no search and lose nothing.
    options = {"SymmetricMode": True}
    factors = splu(
        reduced.tocsc(), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options
    )
    law = np.empty(n)
    law[first] = 1.0
    law[rest] = factors.solve(-transposed[rest, :][:, [first]].toarray()[:, 0])
    law /= law.sum()

    def solve(right: Floats) -> Floats:
        found = np.zeros(n)
        found[rest] = factors.solve(right[rest], trans="T")
        return found

    return law, solve
