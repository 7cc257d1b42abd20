"""Where the units are lost: the gap to a line without losses, shared out among causes.

Each cause can be taken out of the model (`counterfactual`). What a cause takes away
depends on what else is taken away, so each has its Shapley value: its effect on average
over all orders in which causes could be taken out (`_shapley`). The values sum to the
gap in every replication. All variants of a replication use the same random numbers.

`losses` is about the good units an hour of any run. `target_losses` is about targets:
the good units in the span of each of their goals, from the ideal line to what is made,
and what that is short of, or above, the quantity. All goals come out of the same runs.

Source: as `_shapley`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright.errors import LinewrightError
from linewright.improve._shapley import Shared, share_out
from linewright.improve.counterfactual import (
    CAUSES,
    causes_of,
    experience_of,
    without,
)
from linewright.improve.trials import Span, good_units, lowered_of
from linewright.lower import Lowered
from linewright.model.explain import did_you_mean, listed
from linewright.model.line import Line
from linewright.model.targets import Goal, goals_of
from linewright.plan.counting import Instants, count_units
from linewright.replicate import replicate
from linewright.stats.intervals import Interval, mean_interval

__all__ = [
    "CAUSES",
    "GoalLosses",
    "Loss",
    "Losses",
    "TargetLosses",
    "UnitsLost",
    "causes_of",
    "losses",
    "target_losses",
    "without",
]

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]


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


@dataclass(frozen=True, slots=True)
class UnitsLost:
    """What one cause takes away in a span of time, in units.

    Attributes:
        cause: One of `CAUSES`.
        units: Its share of the gap (Shapley value).
        alone: What taking it out alone gains.
    """

    cause: str
    units: Interval
    alone: Interval


@dataclass(frozen=True, slots=True)
class GoalLosses:
    """From the ideal line to what is made in the span of a goal, and to its quantity.

    Attributes:
        target: Name of the target.
        goal: Its period, or by when; ``all`` for all periods together.
        product: The product.
        asked: Units that the model asks for.
        since_us: Begin of the span, microseconds from the start.
        by_us: End of the span.
        ideal: Good units with all causes taken out.
        actual: Good units as it is.
        losses: What each cause takes away, the largest first; they sum to the gap.
    """

    target: str
    goal: str
    product: str
    asked: int
    since_us: int
    by_us: int
    ideal: Interval
    actual: Interval
    losses: tuple[UnitsLost, ...]

    @property
    def short(self) -> float:
        """Units that what is made on average is short; negative where it is above."""
        return self.asked - self.actual.mean


@dataclass(frozen=True, slots=True)
class TargetLosses:
    """Why targets are missed, or by what margin they are met.

    Attributes:
        goals: One for each goal, in the order of the model; behind those of a target
            with several goals one for all of them.
        is_exact: Whether all variants were run, or orders were drawn.
        n_runs: Replications of all variants together.
    """

    goals: tuple[GoalLosses, ...]
    is_exact: bool
    n_runs: int

    @property
    def hardest(self) -> GoalLosses:
        """The goal of which the smallest share is made on average."""
        single = [one for one in self.goals if one.goal != "all"]
        return min(single, key=lambda one: one.actual.mean / max(one.asked, 1))


# ------------------------------------------------------------------ any run


def losses(  # noqa: PLR0913
    line: Line,
    span: Span,
    *,
    replications: int,
    seed: int,
    confidence: float = 0.95,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Losses:
    """Share out the gap between a line without losses and the line as it is.

    Args:
        line: The line.
        span: What is counted.
        replications: Independent runs of each variant that is needed.
        seed: Seed of all streams, and of the orders that are drawn.
        confidence: Confidence of each interval.
        workers: Threads; all cores by default.
        on_progress: Called with the number of runs done, and of runs in all.

    Raises:
        ModelError: The line has errors.
        DeadlockError: A variant comes to stand still for good.
    """
    cuts = (span.warmup_us, span.horizon_us)

    def measure(lowered: Lowered, r: int) -> Floats:
        made = good_units(lowered, replicate(lowered, seed, r, cuts))
        return np.array([made / span.hours])

    causes, shared = _shared(
        line, span, measure, replications, seed, workers, on_progress
    )
    found = [
        Loss(
            cause,
            mean_interval(shared.shares[:, i, 0], confidence),
            mean_interval(shared.alone[:, i, 0], confidence),
        )
        for i, cause in enumerate(causes)
    ]
    found.sort(key=lambda loss: -loss.units_per_h.mean)
    return Losses(
        mean_interval(shared.ideal[:, 0], confidence),
        mean_interval(shared.actual[:, 0], confidence),
        tuple(found),
        shared.is_exact,
        shared.n_runs,
    )


def _shared(  # noqa: PLR0913, PLR0917
    line: Line,
    span: Span,
    measure: Callable[[Lowered, int], Floats],
    replications: int,
    seed: int,
    workers: int | None,
    on_progress: Progress | None,
) -> tuple[list[str], Shared]:
    """Return the causes that a line has, and the measures shared out among them."""
    causes = causes_of(line)
    known = _experience(line, span, seed) if "learning" in causes else None
    lines: dict[int, Lowered] = {}

    def prepare(masks: Sequence[int]) -> None:
        for mask in masks:
            taken = [cause for i, cause in enumerate(causes) if mask >> i & 1]
            lines[mask] = lowered_of(without(line, taken, known), span)

    shared = share_out(
        len(causes),
        prepare,
        lambda r, mask: measure(lines[mask], r),
        replications=replications,
        seed=seed,
        workers=workers,
        on_progress=on_progress,
    )
    return causes, shared


def _experience(line: Line, span: Span, seed: int) -> Mapping[str, float]:
    """Return what is learned by the end of the first replication as it is."""
    lowered = lowered_of(line, span)
    done = replicate(lowered, seed, 0, (span.warmup_us, span.horizon_us))
    return experience_of(lowered, done.state)


# ------------------------------------------------------------------ targets


def target_losses(  # noqa: PLR0913
    line: Line,
    targets: Sequence[str] = (),
    *,
    replications: int,
    seed: int,
    confidence: float = 0.95,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> TargetLosses:
    """Share out the units that are lost on the way to targets among their causes.

    The line is simulated from its start to the end of the last of the targets, in all
    variants that are needed. Demand in scenarios changes no run; the quantities are
    those of the model.

    Args:
        line: A line with targets.
        targets: Names of targets; all of them by default.
        replications: Independent runs of each variant that is needed.
        seed: Seed of all streams, and of the orders that are drawn.
        confidence: Confidence of each interval.
        workers: Threads; all cores by default.
        on_progress: Called with the number of runs done, and of runs in all.

    Raises:
        LinewrightError: The line has no targets, or none of such a name.
        ModelError: The line has errors.
        DeadlockError: A variant comes to stand still for good.
    """
    goals = _chosen(line, targets)
    end_us = max(goal.by_us for goal in goals)
    edges = sorted({0, *(g.since_us for g in goals), *(g.by_us for g in goals)})
    instants = Instants.of(edges, 0, end_us)
    since = np.searchsorted(instants.cuts_us, [goal.since_us for goal in goals])
    by = np.searchsorted(instants.cuts_us, [goal.by_us for goal in goals])

    def measure(lowered: Lowered, r: int) -> Floats:
        finished = count_units(lowered, seed, r, instants).finished
        rows = [lowered.names.products.index(goal.product) for goal in goals]
        return (finished[by, rows] - finished[since, rows]).astype(np.float64)

    causes, shared = _shared(
        line, Span(0, end_us), measure, replications, seed, workers, on_progress
    )
    found = []
    for name in dict.fromkeys(goal.target for goal in goals):
        mine = [i for i, goal in enumerate(goals) if goal.target == name]
        found += [_goal([goals[i]], [i], causes, shared, confidence) for i in mine]
        if len(mine) > 1:
            these = [goals[i] for i in mine]
            found.append(_goal(these, mine, causes, shared, confidence))
    return TargetLosses(tuple(found), shared.is_exact, shared.n_runs)


def _chosen(line: Line, targets: Sequence[str]) -> list[Goal]:
    if not line.targets:
        msg = f'"{line.name}" has no targets; add targets to the model'
        raise LinewrightError(msg)
    for name in targets:
        if name not in line.targets:
            msg = f'"{name}" is not a target; there are {listed(line.targets)}'
            hint = did_you_mean(name, line.targets)
            raise LinewrightError(f"{msg}; {hint}" if hint else msg)
    return [goal for goal in goals_of(line) if not targets or goal.target in targets]


def _goal(
    goals: Sequence[Goal],
    rows: Sequence[int],
    causes: Sequence[str],
    shared: Shared,
    confidence: float,
) -> GoalLosses:
    """Return the losses of a goal, or of several together."""

    def interval(values: Floats) -> Interval:
        return mean_interval(values[..., list(rows)].sum(axis=-1), confidence)

    lost = [
        UnitsLost(cause, interval(shared.shares[:, i]), interval(shared.alone[:, i]))
        for i, cause in enumerate(causes)
    ]
    lost.sort(key=lambda loss: -loss.units.mean)
    one = goals[0]
    return GoalLosses(
        one.target,
        one.label if len(goals) == 1 else "all",
        one.product,
        sum(goal.quantity for goal in goals),
        min(goal.since_us for goal in goals),
        max(goal.by_us for goal in goals),
        interval(shared.ideal),
        interval(shared.actual),
        tuple(lost),
    )
