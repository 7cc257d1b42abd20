"""What is made as large as possible: good units, flow time, profit, or a chance.

An `Objective` says what one replication is worth. What a replication made, the raw
figure, is kept apart from what that is worth: the price of options, and the time over
which profit is counted, may change without a run being made again.

* `throughput`: good units an hour.
* `flow_time`: minus the mean flow time, hours.
* `profit`: what is sold less what the model says that it costs, as money of the span of
  a run or of another time, less the whole price of the options.
* `target`: whether all targets are met, by the line's own dates; `target:NAME` for one
  target. The mean of it is the chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linewright.improve.trials import Span, good_units
from linewright.ledger import Counted, costs, energy_used
from linewright.lower import Lowered
from linewright.model.explain import did_you_mean
from linewright.model.line import Line
from linewright.model.meaning import leaves_line
from linewright.model.targets import Goal, goals_of
from linewright.plan.counting import Instants, count_units
from linewright.plan.demand import Asked
from linewright.replicate import Replication, replicate
from linewright.stats.intervals import (
    Interval,
    mean_interval,
    paired_interval,
    paired_share_interval,
    wilson_interval,
)
from linewright.units import format_duration

__all__ = ["KINDS", "Objective", "objective_of", "target_span"]

Floats = NDArray[np.float64]

KINDS = ("throughput", "flow_time", "profit", "target")
"""What an objective may be called; a target may be followed by `:NAME`."""

_ENOUGH = 1e6  # of goals that ask for nothing
_HOUR_US = 3.6e9


@dataclass(frozen=True, slots=True)
class Objective:
    """What one replication is worth.

    Attributes:
        name: One of `KINDS`, or ``target:NAME``.
        unit: Unit of a value.
        run: Makes one replication, from the line, as the kernel reads it, a seed and a
            number, and returns the raw figure that is kept.
        scale: What a raw figure is multiplied by.
        is_paid: Whether the price of the options is taken off.
        is_chance: Whether a value is 0 or 1: a goal is missed or met. The raw figure is
            then the share of the goals' quantities that is reached, by that of which
            least is; it leads the search where no set meets all yet.
        said: What is counted, in words, where that is not plain.
    """

    name: str
    unit: str
    run: Callable[[Line, Lowered, int, int], float] = field(repr=False)
    scale: float = 1.0
    is_paid: bool = False
    is_chance: bool = False
    said: str = ""

    def values(self, raw: Floats, costs: Floats) -> Floats:
        """Return what replications are worth.

        Args:
            raw: What was kept of them, (set, replication).
            costs: What the options of each set cost.
        """
        if self.is_chance:
            return (raw >= 1).astype(float)
        worth: Floats = raw * self.scale
        return worth - costs[:, None] if self.is_paid else worth

    def guides(self, raw: Floats, costs: Floats) -> Floats:
        """Return what leads the search: the values, or how near the goals are."""
        return np.minimum(raw, 1) if self.is_chance else self.values(raw, costs)

    def interval(self, values: Floats, confidence: float) -> Interval:
        """Return the mean of values, or the chance, with its interval."""
        if self.is_chance:
            return wilson_interval(int(values.sum()), len(values), confidence)
        return mean_interval(values, confidence)

    def gain(self, before: Floats, after: Floats, confidence: float) -> Interval:
        """Return what paired values gain, with its interval."""
        if self.is_chance:
            return paired_share_interval(before > 0, after > 0, confidence)
        return paired_interval(before, after, confidence)

    def of(self, values: Floats) -> float:
        """Return what an indifference zone and a relative gain are shares of.

        Args:
            values: Means of sets, that of the line as it is first.

        Returns:
            For a chance one, so that a share is in percentage points; for profit,
            which may lie about nothing as the line is, the largest there is; else the
            objective of the line as it is, or the largest where that is nothing.
        """
        if self.is_chance:
            return 1.0
        found = 0.0 if self.is_paid else abs(float(values[0]))
        return found or float(np.abs(values).max())


def objective_of(
    line: Line, name: str, span: Span, over_us: int | None = None
) -> Objective:
    """Return an objective for a line.

    Args:
        line: The line as it is: its targets, and whether it has prices.
        name: One of `KINDS`, or ``target:NAME``.
        span: What is counted in each run.
        over_us: Time for which profit is counted; the span by default.

    Raises:
        ValueError: There is no such objective, target or price.
    """
    kind, colon, target = name.partition(":")
    if kind not in KINDS or (colon and kind != "target"):
        hint = did_you_mean(kind, KINDS)
        msg = f'"{name}" is no objective; allowed are {", ".join(KINDS)}, target:NAME'
        raise ValueError(f"{msg}; {hint}" if hint else msg)
    if over_us is not None and kind != "profit":
        msg = f"a time over which profit is counted says nothing of {kind}"
        raise ValueError(msg)
    if kind == "profit":
        return _profit(line, span, over_us)
    if kind == "target":
        return _target(line, name, target, span)
    cuts = (span.warmup_us, span.horizon_us)
    measure, unit = _SIMPLE[kind]

    def run(_: Line, lowered: Lowered, seed: int, number: int) -> float:
        return measure(lowered, replicate(lowered, seed, number, cuts), span)

    return Objective(kind, unit, run)


# ------------------------------------------------------------------ of the line's flow


def _throughput(lowered: Lowered, done: Replication, span: Span) -> float:
    return good_units(lowered, done) / span.hours


def _flow_time(lowered: Lowered, done: Replication, _span: Span) -> float:
    """Return minus the mean flow time, hours; of none, minus the whole run."""
    good_units(lowered, done)  # raises for a line that stands still
    first, last = done.snapshots[0], done.snapshots[-1]
    n = int((last.products["flow_count"] - first.products["flow_count"]).sum())
    total = int((last.products["flow_us"] - first.products["flow_us"]).sum())
    return -(total / n if n else last.at_us) / _HOUR_US


_SIMPLE: dict[str, tuple[Callable[[Lowered, Replication, Span], float], str]] = {
    "throughput": (_throughput, "good units/h"),
    "flow_time": (_flow_time, "h"),
}


# ------------------------------------------------------------------ money


def _profit(line: Line, span: Span, over_us: int | None) -> Objective:
    if all(
        product.price is None
        for name, product in line.products.items()
        if leaves_line(line, name)
    ):
        msg = (
            "profit needs the price of a product that leaves the line; give one "
            "(price: 120), or take another objective"
        )
        raise ValueError(msg)
    length_us = span.horizon_us - span.warmup_us
    over = length_us if over_us is None else over_us
    cuts = (span.warmup_us, span.horizon_us)

    def run(line: Line, lowered: Lowered, seed: int, number: int) -> float:
        done = replicate(lowered, seed, number, cuts)
        good_units(lowered, done)  # raises for a line that stands still
        return _margin(line, lowered, done)

    said = (
        f"Profit is counted over {format_duration(over)}"
        f"{_as_in(over, length_us)}: good units at their price, less what the model "
        "says that stations, people, energy, setups, material, scrap and units in the "
        "line cost, less the whole price of the options. What has no price or cost in "
        "the model costs nothing here; nothing is discounted."
    )
    scale = over / length_us
    return Objective("profit", line.currency or "money", run, scale, True, said=said)


def _as_in(over: float, length_us: int) -> str:
    if over == length_us:
        return ""
    return f", as it is made in runs of {format_duration(length_us)}"


def _margin(line: Line, lowered: Lowered, done: Replication) -> float:
    """Return what was sold less what it cost, in the span of a replication."""
    counted = Counted(line, lowered, [done.snapshots[0]], [done.snapshots[-1]])
    spent = sum(
        float(entry.amounts[0]) for entry in costs(counted, energy_used(counted))
    )
    finished = counted.gained("products", "finished")[0]
    prices = [
        product.price or 0.0 if leaves_line(line, name) else 0.0
        for name, product in line.products.items()
    ]
    return float(finished @ np.array(prices)) - spent


# ------------------------------------------------------------------ targets


def target_span(line: Line, horizon_us: int | None = None) -> Span:
    """Return the span in which a line's targets are due: from its start on.

    Args:
        line: A line with targets.
        horizon_us: Where to end; at the last target by default.

    Raises:
        ValueError: The line has no targets.
    """
    goals = goals_of(line)
    if not goals:
        msg = "the line has no targets; add some, or take another objective"
        raise ValueError(msg)
    return Span(0, horizon_us or max(one.by_us for one in goals))


def _target(line: Line, name: str, target: str, span: Span) -> Objective:
    goals = [one for one in goals_of(line) if one.by_us <= span.horizon_us]
    if target:
        if target not in line.targets:
            there = ", ".join(line.targets) or "none"
            hint = did_you_mean(target, list(line.targets))
            msg = f'"{target}" is not a target of the line; there are: {there}'
            raise ValueError(f"{msg}; {hint}" if hint else msg)
        goals = [one for one in goals if one.target == target]
    if not goals:
        msg = "no target is due within the horizon; make it longer, or add targets"
        raise ValueError(msg)
    edges = sorted({one.by_us for one in goals} | {one.since_us for one in goals})
    instants = Instants.of(edges, 0, _end_us(goals))
    asked: dict[int, Asked] = {}

    def run(_: Line, lowered: Lowered, seed: int, number: int) -> float:
        made = _made(goals, lowered, seed, number, instants)
        if seed not in asked:
            asked[seed] = Asked(line, goals, seed)
        needed = asked[seed].units[asked[seed].scenario(number)]
        shares = np.full(len(goals), _ENOUGH)
        np.divide(made, needed, out=shares, where=needed > 0)
        return float(shares.min())

    n, of = len(goals), f' of "{target}"' if target else ""
    which = f"all {n} goals{of} are" if n > 1 else f"the goal{of} is"
    said = (
        f"The chance that {which} met, by the line's own dates, from its start to "
        f"{format_duration(_end_us(goals))} after it; no warm-up is cut."
    )
    return Objective(name, "chance", run, is_chance=True, said=said)


def _end_us(goals: list[Goal]) -> int:
    """Return when the last goal is due."""
    return max(one.by_us for one in goals)


def _made(
    goals: list[Goal], lowered: Lowered, seed: int, number: int, instants: Instants
) -> Floats:
    """Return the units that count for each goal in one replication."""
    counts = count_units(lowered, seed, number, instants)
    out = []
    for one in goals:
        column = counts.finished[:, lowered.names.products.index(one.product)]
        since, by = np.searchsorted(instants.cuts_us, [one.since_us, one.by_us])
        before = int(column[since]) if one.since_us else 0
        out.append(float(int(column[by]) - before))
    return np.array(out)
