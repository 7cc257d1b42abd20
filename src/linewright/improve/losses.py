"""Where the units are lost: the gap to a line without losses, shared out among causes.

Each cause can be taken out of the model: no failures, no setups, always on shift,
people for everything, room everywhere, times without variation, and so on. What a cause
takes away depends on what else is taken away, so each has its Shapley value: its effect
on average over all orders in which causes could be taken out. The values sum to the gap
in every replication. All variants of a replication use the same random numbers.

With up to six causes all variants are run; with more, some orders are drawn, each with
its reverse, others in each replication; the interval covers both kinds of chance.

Source: Shapley (1953); Castro, Gomez and Tejada (2009), Computers & Operations Research
36(5), 1726-1730, for sampling orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.improve.trials import Span, good_units, in_order, lowered_of
from linewright.lower import Lowered
from linewright.model.distribution import Distribution
from linewright.model.line import Line, Station, Step
from linewright.replicate import replicate
from linewright.stats.intervals import Interval, mean_interval

__all__ = ["CAUSES", "Loss", "Losses", "causes_of", "losses", "without"]

_MOST_EXACT = 6
_N_ORDERS = 4  # orders in each replication, two and their reverses
_ENOUGH = 2**39


@dataclass(frozen=True, slots=True)
class Loss:
    """What one cause takes away.

    Attributes:
        cause: One of `CAUSES`.
        units_per_h: Its share of the gap (Shapley value).
        alone: What taking it out alone gains.
    """

    cause: str
    units_per_h: Interval
    alone: Interval


@dataclass(frozen=True, slots=True)
class Losses:
    """The gap between a line without losses and the line as it is.

    Attributes:
        ideal: Good units an hour with all causes taken out.
        actual: Good units an hour as it is.
        losses: What each cause takes away, the largest first; they sum to the gap.
        is_exact: Whether all variants were run, or orders were drawn.
        n_runs: Replications of all variants together.
    """

    ideal: Interval
    actual: Interval
    losses: tuple[Loss, ...]
    is_exact: bool
    n_runs: int


# ------------------------------------------------------------------ causes


def _stations(line: Line, change: Callable[[Station], dict[str, Any]]) -> Line:
    changed = {
        name: it.model_copy(update=change(it)) for name, it in line.stations.items()
    }
    return line.model_copy(update={"stations": changed})


def _steps(line: Line, change: Callable[[Step], dict[str, Any]]) -> Line:
    changed = {}
    for name, product in line.products.items():
        route = tuple(step.model_copy(update=change(step)) for step in product.route)
        changed[name] = product.model_copy(update={"route": route})
    return line.model_copy(update={"products": changed})


def _no_failures(line: Line) -> Line:
    line = _stations(line, lambda it: {"failures": {}})
    return line.model_copy(update={"failures": {}})


def _no_maintenance(line: Line) -> Line:
    return _stations(line, lambda it: {"maintenance": {}})


def _no_setups(line: Line) -> Line:
    return _stations(line, lambda it: {"setup": None})


def _always_on(line: Line) -> Line:
    line = _stations(line, lambda it: {"calendar": None})
    people = {
        name: pool.model_copy(update={"calendar": None})
        for name, pool in line.people.items()
    }
    return line.model_copy(update={"calendar": None, "people": people})


def _people_for_all(line: Line) -> Line:
    def change(it: Station) -> dict[str, Any]:
        update: dict[str, Any] = {"people": None}
        for section in ("failures", "maintenance"):
            update[section] = {
                name: stop.model_copy(update={"crew": None})
                for name, stop in getattr(it, section).items()
            }
        return update

    failures = {
        name: failure.model_copy(update={"crew": None})
        for name, failure in line.failures.items()
    }
    return _stations(line, change).model_copy(update={"failures": failures})


def _all_good(line: Line) -> Line:
    def change(step: Step) -> dict[str, Any]:
        test = step.inspection
        if test is None:
            return {"defect": 0.0}
        good: dict[str, Any] = {"false_reject": 0.0}
        if test.pass_ is not None:
            good["pass_"] = 1.0
            for key in ("rework", "scrap"):
                if getattr(test, key) is not None:
                    good[key] = 0.0
        return {"defect": 0.0, "inspection": test.model_copy(update=good)}

    return _steps(line, change)


def _room(line: Line) -> Line:
    def change(it: Station) -> dict[str, Any]:
        update: dict[str, Any] = {}
        for key in ("buffer", "output_buffer"):
            if isinstance(getattr(it, key), int):
                update[key] = "unlimited"
        return update

    buffers = {
        name: buffer.model_copy(update={"slots": "unlimited"})
        for name, buffer in line.buffers.items()
    }
    return _stations(line, change).model_copy(update={"buffers": buffers})


def _even(time: Any) -> Any:
    """Return a time as a constant: its mean."""
    if isinstance(time, dict):
        return {key: _even(one) for key, one in time.items()}
    if not isinstance(time, Distribution):
        return time
    return Distribution(kind="constant", parameters=(float(round(time.mean_us)),))


def _no_variation(line: Line) -> Line:
    line = _stations(line, lambda it: {"process": _even(it.process)})
    return _steps(
        line,
        lambda step: {"process": _even(step.process), "station": _even(step.station)},
    )


def _at_full_speed(line: Line) -> Line:
    return _stations(line, lambda it: {"ramp_up": None})


def _in_stock(line: Line) -> Line:
    materials = {
        name: material.model_copy(update={"stock": _ENOUGH})
        for name, material in line.materials.items()
    }
    return line.model_copy(update={"materials": materials})


CAUSES: dict[str, Callable[[Line], Line]] = {
    "failures": _no_failures,
    "maintenance": _no_maintenance,
    "setups": _no_setups,
    "shifts": _always_on,
    "people": _people_for_all,
    "scrap and rework": _all_good,
    "room": _room,
    "variation": _no_variation,
    "ramp-up": _at_full_speed,
    "materials": _in_stock,
}
"""What can be taken out of a line, and how."""


def causes_of(line: Line) -> list[str]:
    """Return the causes that a line has."""
    return [cause for cause, take in CAUSES.items() if take(line) != line]


def without(line: Line, causes: Iterable[str]) -> Line:
    """Return a line without some causes of loss."""
    chosen = set(causes)
    for cause, take in CAUSES.items():
        if cause in chosen:
            line = take(line)
    return line


# ------------------------------------------------------------------ sharing out


def losses(  # noqa: PLR0913
    line: Line,
    span: Span,
    *,
    replications: int,
    seed: int,
    confidence: float = 0.95,
    workers: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Losses:
    """Share out the gap between a line without losses and the line as it is.

    Args:
        line: The line.
        span: What is counted.
        replications: Independent runs of each variant that is needed.
        seed: Seed of all streams, and of the orders that are drawn.
        confidence: Confidence of each interval.
        workers: Threads; all cores by default.
        on_progress: Called with the number of runs done.

    Raises:
        ModelError: The line has errors.
        DeadlockError: A variant comes to stand still for good.
    """
    causes = causes_of(line)
    n = len(causes)
    is_exact = n <= _MOST_EXACT
    lines: dict[int, Lowered] = {}
    needed = {0, (1 << n) - 1, *(1 << i for i in range(n))}
    orders = [] if is_exact else [_orders(n, seed, r) for r in range(replications)]
    asked: list[set[int]] = []
    for r in range(replications):
        if is_exact:
            asked.append(set(range(1 << n)))
        else:
            asked.append(needed | {m for order in orders[r] for m in _steps_of(order)})
    for mask in sorted(set().union(*asked)):
        taken = [causes[i] for i in range(n) if mask >> i & 1]
        lines[mask] = lowered_of(without(line, taken), span)
    jobs = [(r, mask) for r in range(replications) for mask in sorted(asked[r])]
    done = 0

    def one(job: int) -> float:
        nonlocal done
        r, mask = jobs[job]
        cuts = (span.warmup_us, span.horizon_us)
        made = good_units(lines[mask], replicate(lines[mask], seed, r, cuts))
        done += 1
        if on_progress:
            on_progress(done)
        return made / span.hours

    made = in_order(one, range(len(jobs)), workers)
    value: list[dict[int, float]] = [{} for _ in range(replications)]
    for (r, mask), units in zip(jobs, made, strict=True):
        value[r][mask] = units
    share = partial(_all_subsets, n) if is_exact else None
    shares = np.array(
        [
            share(value[r]) if share else _by_orders(n, value[r], orders[r])
            for r in range(replications)
        ]
    ).reshape(replications, n)
    alone = np.array([[v[1 << i] - v[0] for i in range(n)] for v in value]).reshape(
        replications, n
    )
    found = [
        Loss(
            causes[i],
            mean_interval(shares[:, i], confidence),
            mean_interval(alone[:, i], confidence),
        )
        for i in range(n)
    ]
    found.sort(key=lambda loss: -loss.units_per_h.mean)
    return Losses(
        mean_interval([v[(1 << n) - 1] for v in value], confidence),
        mean_interval([v[0] for v in value], confidence),
        tuple(found),
        is_exact,
        len(jobs),
    )


def _orders(n: int, seed: int, replication: int) -> list[list[int]]:
    """Return the orders that a replication looks at, each with its reverse."""
    rng = np.random.Generator(np.random.Philox(key=[seed, replication]))
    out = []
    for _ in range(_N_ORDERS // 2):
        order = rng.permutation(n).tolist()
        out += [order, order[::-1]]
    return out


def _steps_of(order: Sequence[int]) -> list[int]:
    """Return the sets that an order goes through, from none to all."""
    out = [0]
    for i in order:
        out.append(out[-1] | 1 << i)
    return out


def _by_orders(
    n: int, value: dict[int, float], orders: list[list[int]]
) -> NDArray[np.float64]:
    share = np.zeros(n)
    for order in orders:
        sets = _steps_of(order)
        for i, before, after in zip(order, sets, sets[1:], strict=False):
            share[i] += (value[after] - value[before]) / len(orders)
    return share


def _all_subsets(n: int, value: dict[int, float]) -> NDArray[np.float64]:
    """Return the Shapley values by their sum over all sets."""
    share = np.zeros(n)
    for mask in range(1 << n):
        size = mask.bit_count()
        if size == n:
            continue
        weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
        for i in range(n):
            if not mask >> i & 1:
                share[i] += weight * (value[mask | 1 << i] - value[mask])
    return share
