"""Shapley values over paired runs: what each of some causes takes away, on average.

A set of causes that are taken out is a bit mask. All sets of a replication see the same
random numbers. With few causes all sets are run; with more, some orders of the causes
are drawn in each replication, each with its reverse, and only the sets on their way.
In either case the values sum to the gap in every replication.

Source: Shapley (1953), A value for n-person games; Castro, Gomez and Tejada (2009),
Computers & Operations Research 36(5), 1726-1730, for sampling orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright.improve.trials import in_order

__all__ = ["Shared", "share_out"]

MOST_EXACT = 6
N_ORDERS = 4  # orders in each replication, two and their reverses

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shared:
    """What some measures are with and without causes, in each replication.

    Attributes:
        ideal: With all causes taken out, (replication, measure).
        actual: With none taken out, (replication, measure).
        shares: Shapley value of each cause, (replication, cause, measure).
        alone: Effect of taking out one cause alone, (replication, cause, measure).
        is_exact: Whether all sets were run, or orders were drawn.
        n_runs: Replications of all sets together.
    """

    ideal: Floats
    actual: Floats
    shares: Floats
    alone: Floats
    is_exact: bool
    n_runs: int


def share_out(  # noqa: PLR0913
    n: int,
    prepare: Callable[[Sequence[int]], None],
    measure: Callable[[int, int], Floats],
    *,
    replications: int,
    seed: int,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Shared:
    """Share out the gap between a line without causes of loss and the line as it is.

    Args:
        n: Number of causes.
        prepare: Called once with all sets that will be measured.
        measure: Takes a replication and a set; returns the measures, (measure,).
        replications: Independent replications, one or more.
        seed: Seed of the orders that are drawn.
        workers: Threads; all cores by default.
        on_progress: Called with the runs done and the runs in all.
    """
    is_exact = n <= MOST_EXACT
    orders = [[] if is_exact else _orders(n, seed, r) for r in range(replications)]
    asked = [_asked(n, orders[r]) for r in range(replications)]
    prepare(sorted(set().union(*asked)))
    jobs = [(r, mask) for r in range(replications) for mask in sorted(asked[r])]
    done = 0

    def one(job: int) -> Floats:
        nonlocal done
        found = measure(*jobs[job])
        done += 1
        if on_progress:
            on_progress(done, len(jobs))
        return found

    made = in_order(one, range(len(jobs)), workers)
    value: list[dict[int, Floats]] = [{} for _ in range(replications)]
    for (r, mask), found in zip(jobs, made, strict=True):
        value[r][mask] = np.asarray(found, np.float64)
    shares = [
        _by_orders(n, v, some) if some else _all_sets(n, v)
        for v, some in zip(value, orders, strict=True)
    ]
    width = len(value[0][0])
    alone = [[v[1 << i] - v[0] for i in range(n)] for v in value]
    return Shared(
        np.array([v[(1 << n) - 1] for v in value]),
        np.array([v[0] for v in value]),
        np.array(shares).reshape(replications, n, width),
        np.array(alone).reshape(replications, n, width),
        is_exact,
        len(jobs),
    )


def _asked(n: int, orders: Sequence[Sequence[int]]) -> set[int]:
    """Return the sets that a replication has to run."""
    if not orders:
        return set(range(1 << n))
    needed = {0, (1 << n) - 1, *(1 << i for i in range(n))}
    return needed | {mask for order in orders for mask in _way(order)}


def _orders(n: int, seed: int, replication: int) -> list[list[int]]:
    """Return the orders that a replication looks at, each with its reverse."""
    rng = np.random.Generator(np.random.Philox(key=[seed, replication]))
    out = []
    for _ in range(N_ORDERS // 2):
        order = rng.permutation(n).tolist()
        out += [order, order[::-1]]
    return out


def _way(order: Sequence[int]) -> list[int]:
    """Return the sets that an order goes through, from none to all."""
    out = [0]
    for i in order:
        out.append(out[-1] | 1 << i)
    return out


def _by_orders(
    n: int, value: Mapping[int, Floats], orders: Sequence[Sequence[int]]
) -> Floats:
    share = np.zeros((n, len(value[0])))
    for order in orders:
        sets = _way(order)
        for i, before, after in zip(order, sets, sets[1:], strict=False):
            share[i] += (value[after] - value[before]) / len(orders)
    return share


def _all_sets(n: int, value: Mapping[int, Floats]) -> Floats:
    """Return the Shapley values by their sum over all sets."""
    share = np.zeros((n, len(value[0])))
    for mask in range(1 << n):
        size = mask.bit_count()
        if size == n:
            continue
        weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
        for i in range(n):
            if not mask >> i & 1:
                share[i] += weight * (value[mask | 1 << i] - value[mask])
    return share
