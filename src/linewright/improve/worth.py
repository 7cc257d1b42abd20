"""What each minute is worth: all derivatives of the throughput from one set of runs.

A run's time from the end of the warm-up to the last unit's leaving went by on one chain
of causes, the critical path (`kernel.causes`). If all times of one kind become a little
shorter, and nothing else changes its order, the run becomes shorter by their share of
the path. So the share is the elasticity of the throughput: 1 % less time gives so many
per cent more units. The shares sum to one: a shared bottleneck shows as such.

Where a small change of a time may change an order (which of two products is first,
which station is chosen, who gets the tool), a share is an estimate and no derivative.
`doubts` says so from the model, and such a gain is confirmed by paired runs
(`confirmed`).

Source: infinitesimal perturbation analysis (Ho and Cao 1983; Glasserman 1991 says when
it is unbiased); as critical path, Wu, Zhang and others' bottleneck work on traces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright import tables as t
from linewright.errors import KernelError
from linewright.improve.changes import Change
from linewright.improve.trials import Span, in_order, lowered_of, throughputs
from linewright.lower import Lowered, following_causes, new_draws, new_state
from linewright.model.line import Line, Step
from linewright.model.meaning import batch_of, rework_share
from linewright.replicate import critical_path, run_until, snapshot
from linewright.stats.intervals import Interval, mean_interval, paired_interval

__all__ = [
    "Lever",
    "Paths",
    "Worth",
    "confirmed",
    "doubts",
    "path_shares",
    "paths",
    "promised",
    "shared",
    "worth",
    "worth_of",
]

CALENDAR = "calendar"
"""The kind of what is not the line's own: shifts, dated orders, deliveries."""


@dataclass(frozen=True, slots=True)
class Lever:
    """One kind of time at one place.

    Attributes:
        kind: What goes by: ``processing``, ``setup``, ``loading``, ``repair``,
            ``maintenance``, ``walking``, ``transport``, ``batch_wait``, ``conveyor``,
            ``vehicle``, ``arrival`` or ``calendar``.
        place: Station, fleet or product; empty for the calendar.
        name: Name of the failure or maintenance, else empty.
        elasticity: Share of the critical path: relative gain of the throughput for a
            relative cut of this time.
    """

    kind: str
    place: str
    name: str
    elasticity: Interval


@dataclass(frozen=True, slots=True)
class Worth:
    """The worth of every kind of time.

    Attributes:
        levers: All of them, the largest share first.
        throughput: Good units an hour.
        doubts: Why the shares are estimates and no derivatives; empty if they are.
        shares: Share by replication and lever, in the order of `levers`.
        wears: Whether failures come by processing time: then less of it brings fewer of
            them, which a share, at so many failures a part, does not count.
    """

    levers: tuple[Lever, ...]
    throughput: Interval
    doubts: tuple[str, ...]
    shares: NDArray[np.float64]
    wears: bool


# ------------------------------------------------------------------ shares


def _labels(lowered: Lowered) -> list[tuple[str, str, str]]:
    """Return what each figure of a critical path is: kind, place and name."""
    names, tables = lowered.names, lowered.tables
    station = names.stations
    owner = np.repeat(np.arange(len(station)), tables.stations["n_servers"])
    servers = [station[k] for k in owner]
    modes = []
    for row in tables.server_modes:
        mode = tables.modes[row["mode"]]
        place = servers[row["server"]] if mode["n_members"] == 0 else ""
        kind = "maintenance" if mode["planned"] else "repair"
        modes.append((kind, place, names.modes[row["mode"]]))
    of = {
        "processing": [("processing", s, "") for s in servers],
        "setup": [("setup", s, "") for s in servers],
        "loading": [("loading", s, "") for s in servers],
        "conveyor": [("conveyor", s, "") for s in servers],
        "pause": [(CALENDAR, "", "")] * len(servers),
        "repair": modes,
        "walk_to_work": [("walking", s, "") for s in servers],
        "walk_to_repair": [("walking", place, "") for _, place, _ in modes],
        "transport": [("transport", s, "") for s in station],
        "batch_wait": [("batch_wait", s, "") for s in station],
        "vehicle": [("vehicle", f, "") for f in names.fleets],
        "arrival": [("arrival", p, "") for p in names.products],
        "outside": [(CALENDAR, "", "")],
    }
    return [label for kind, _ in t.PATH_KINDS for label in of[kind]]


@dataclass(frozen=True, slots=True)
class Paths:
    """What replications that followed causes found, one row for each of them.

    Attributes:
        labels: What each lever is: kind, place and name.
        shares: Its share of the critical path (replication, lever).
        made_per_h: Units an hour, up to the last unit that left.
        blocked: Share of its servers' time for which a station is blocked
            (replication, station).
        starved: The same of starved.
    """

    labels: list[tuple[str, str, str]]
    shares: NDArray[np.float64]
    made_per_h: NDArray[np.float64]
    blocked: NDArray[np.float64]
    starved: NDArray[np.float64]


def path_shares(
    lowered: Lowered,
    span: Span,
    seed: int,
    numbers: Sequence[int],
    workers: int | None = None,
    units: int = 2**62,
) -> tuple[list[tuple[str, str, str]], NDArray[np.float64], NDArray[np.float64]]:
    """Run replications that follow causes.

    Args:
        lowered: The line.
        span: What is looked at.
        seed: Seed of all streams.
        numbers: Numbers of the replications.
        workers: Threads; all cores by default.
        units: Stop a replication when so many units have left the line.

    Returns:
        What each lever is; its share of the critical path (replication, lever); units
        an hour by replication, up to the last unit that left.

    Raises:
        KernelError: No unit left the line after the warm-up.
    """
    found = paths(lowered, span, seed, numbers, workers, units)
    return found.labels, found.shares, found.made_per_h


def paths(
    lowered: Lowered,
    span: Span,
    seed: int,
    numbers: Sequence[int],
    workers: int | None = None,
    units: int = 2**62,
) -> Paths:
    """Run replications that follow causes, and note who waits; as `path_shares`."""
    labels = _labels(lowered)
    levers = sorted(set(labels) | {(CALENDAR, "", "")})
    place = {label: i for i, label in enumerate(levers)}
    column = np.array([place[label] for label in labels])

    def one(number: int) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
        draws = new_draws(lowered, seed, number)
        state = new_state(lowered)
        if span.warmup_us:
            # events of the warm-up are followed, so that the path may reach back
            state = following_causes(state, span.warmup_us)
            _, state = run_until(lowered, state, draws, span.warmup_us, units)
        else:
            state = following_causes(state, 0)
        before, then = _good(lowered, state), snapshot(state).accounts
        _, state = run_until(lowered, state, draws, span.horizon_us, units)
        path = critical_path(state)
        if path is None:
            msg = (
                f"no unit left the line after the warm-up in replication {number}; "
                "make the horizon longer"
            )
            raise KernelError(msg)
        length = path.end_us - span.warmup_us
        shares = np.zeros(len(levers))
        np.add.at(shares, column, np.concatenate(list(path.times_us.values())) / length)
        shares[place[CALENDAR, "", ""]] += (path.start_us - span.warmup_us) / length
        made = _good(lowered, state) - before
        time_us = (snapshot(state).accounts - then).astype(float)
        waits = time_us[:, [t.BLOCKED, t.STARVED]] / time_us.sum(1, keepdims=True)
        return shares, made / length * 3.6e9, waits

    done = in_order(one, numbers, workers)
    waits = np.array([d[2] for d in done])
    return Paths(
        levers,
        np.array([d[0] for d in done]),
        np.array([d[1] for d in done]),
        waits[:, :, 0],
        waits[:, :, 1],
    )


def _good(lowered: Lowered, state: t.State) -> int:
    return int(state.products["finished"][lowered.tables.products["store"] < 0].sum())


def worth(
    line: Line,
    span: Span,
    *,
    replications: int,
    seed: int,
    confidence: float = 0.95,
    workers: int | None = None,
) -> Worth:
    """Return the worth of every kind of time in a line, with intervals.

    Raises:
        ModelError: The line has errors.
        KernelError: No unit left the line.
    """
    lowered = lowered_of(line, span)
    labels, shares, made = path_shares(
        lowered, span, seed, range(replications), workers
    )
    return worth_of(line, labels, shares, made, confidence)


def worth_of(
    line: Line,
    labels: Sequence[tuple[str, str, str]],
    shares: NDArray[np.float64],
    made: NDArray[np.float64],
    confidence: float = 0.95,
) -> Worth:
    """Return what `path_shares` found, the largest share first."""
    used = [i for i in range(len(labels)) if shares[:, i].any()]
    used.sort(key=lambda i: (-shares[:, i].mean(), labels[i]))
    levers = tuple(
        Lever(*labels[i], mean_interval(shares[:, i], confidence)) for i in used
    )
    wears = any(
        failure.clock == "processing"
        for it in line.stations.values()
        for failure in it.failures.values()
    )
    made_h = mean_interval(made, confidence)
    return Worth(levers, made_h, doubts(line), shares[:, used], wears)


# ------------------------------------------------------------------ what it is


def doubts(line: Line) -> tuple[str, ...]:
    """Say why shares of the critical path are estimates here; empty if they are exact.

    They are derivatives where a small change of a time changes no order and no choice:
    in lines, trees and closed loops of one product, first come first served.
    """
    out = []
    if meet := shared(line):
        out.append(f"several products meet at {_some(meet)}")
    return (*out, *(reason for reason, applies in _DOUBTS if applies(line)))


def shared(line: Line) -> list[str]:
    """Return the stations that several products visit."""
    visitors: dict[str, set[str]] = {}
    for name, product in line.products.items():
        for step in product.route:
            for station in step.stations:
                visitors.setdefault(station, set()).add(name)
    return [s for s in line.stations if len(visitors.get(s, ())) > 1]


def _steps(line: Line) -> Iterator[Step]:
    for product in line.products.values():
        yield from product.route


def _is_stopped_from_outside(line: Line) -> bool:
    clocks = set()
    for it in line.stations.values():
        clocks |= {failure.clock for failure in it.failures.values()}
        clocks |= {work.clock for work in it.maintenance.values()}
    return bool(line.failures) or bool({"calendar", "operating"} & clocks)


_DOUBTS: tuple[tuple[str, Callable[[Line], bool]], ...] = (
    (
        "a station is chosen among alternatives",
        lambda line: any(len(step.stations) > 1 for step in _steps(line)),
    ),
    (
        "times between operations are limited",
        lambda line: any(step.time_limit for step in _steps(line)),
    ),
    (
        "reworked units meet others in a queue",
        lambda line: any(
            step.inspection and rework_share(step.inspection) > 0
            for step in _steps(line)
        ),
    ),
    (
        "parts are worked on in batches",
        lambda line: any(batch_of(line, step) for step in _steps(line)),
    ),
    ("people are shared", lambda line: bool(line.people)),
    ("tools are shared", lambda line: bool(line.tools)),
    ("materials may run out", lambda line: bool(line.materials)),
    (
        "spare parts may run out",
        lambda line: any(
            stop.spares is not None
            for it in line.stations.values()
            for stop in it.failures.values()
        ),
    ),
    ("vehicles are called", lambda line: bool(line.vehicles)),
    (
        "work that does not fit into the shift is not begun",
        lambda line: any(it.shift_end == "fit" for it in line.stations.values()),
    ),
    (
        "parts interrupt others",
        lambda line: any(it.preempt != "never" for it in line.stations.values()),
    ),
    ("stops come by the calendar or by operating time", _is_stopped_from_outside),
    (
        "orders are dated",
        lambda line: any(it.release.kind == "orders" for it in line.products.values()),
    ),
)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


# ------------------------------------------------------------------ confirmation


def promised(share: Interval, less: float) -> Interval:
    """Return the relative gain that a share of the critical path promises.

    Args:
        share: Elasticity of a time.
        less: By which share that time becomes shorter, below one.
    """

    def gain(value: float) -> float:
        return value * less / (1 - value * less) if math.isfinite(value) else value

    low, high = gain(share.low), gain(share.high)
    half = (high - low) / 2
    return Interval(gain(share.mean), half, low, high, share.n, share.confidence)


def confirmed(  # noqa: PLR0913
    line: Line,
    changes: Sequence[Change],
    span: Span,
    *,
    replications: int,
    seed: int,
    confidence: float = 0.95,
    workers: int | None = None,
) -> list[Interval]:
    """Return the relative gain of each change, by paired runs on seeds of their own.

    Args:
        line: The line as it is.
        changes: What is tried, each by itself.
        span: What is counted.
        replications: Pairs of runs.
        seed: Another one than that of the runs that proposed the changes.
        confidence: Confidence of each interval.
        workers: Threads; all cores by default.
    """
    numbers = range(replications)
    base = throughputs(line, span, seed, numbers, workers)
    out = []
    for change in changes:
        other = throughputs(change.applied(line), span, seed, numbers, workers)
        gain = paired_interval(base, other, confidence)
        mean = base.mean()
        out.append(
            Interval(
                gain.mean / mean,
                gain.half_width / mean,
                gain.low / mean,
                gain.high / mean,
                gain.n,
                confidence,
            )
        )
    return out
