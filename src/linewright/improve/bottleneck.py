"""What holds the line back, by five methods at once, each with its confidence.

* `critical_path`: the station's share of the critical path (`worth`): how much the
  throughput gains if all that this station does takes less time. The bottleneck is the
  station whose improvement gains most, so this is the answer; the others are what users
  know, and they look at something else.
* `utilisation`: the share of time for which a server works, is set up or is down.
* `active_period`: how long it does so without a break, on average (Roser, Nakano and
  Tanaka 2001).
* `shifting`: the share of time for which no other server's present active period is
  longer (Roser, Nakano and Tanaka 2002).
* `turning_point`: stations before it are blocked more than starved, those behind it
  starved more than blocked (Li, Chang and Ni 2009); the score is minus what it itself
  is blocked and starved, and only turning points have one.

How sure a method is: the share of resamples of the replications in which it names the
station. Two stations that cannot be told apart are a tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright import tables as t
from linewright.errors import KernelError
from linewright.improve.trials import Span, in_order, lowered_of
from linewright.improve.worth import path_shares
from linewright.kernel.moments import longest_periods
from linewright.lower import Lowered, new_draws, new_state
from linewright.model.line import Line
from linewright.replicate import run_until
from linewright.stats.intervals import Interval, mean_interval, paired_interval

__all__ = ["METHODS", "Bottleneck", "Finding", "Observed", "bottleneck", "observe"]

METHODS = (
    "critical_path",
    "utilisation",
    "active_period",
    "shifting",
    "turning_point",
)
N_BINS = 60
"""Spans of time into which the run is cut to see how the bottleneck shifts."""

_ACTIVE = np.zeros(t.N_MODES, bool)
_ACTIVE[[t.PROCESSING, t.SETUP, t.LOADING, t.FAILED, t.MAINTENANCE]] = True
_OF_STATION = {
    "processing",
    "setup",
    "loading",
    "repair",
    "maintenance",
    "walking",
    "conveyor",
    "batch_wait",
}
_RESAMPLES = 2000
_Floats = NDArray[np.float64]
_N_TRACE = 1 << 16


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of every station, by replication.

    Attributes:
        stations: Their names, in the order in which parts meet them.
        scores: For each method the score of each station (replication, station); the
            highest is the bottleneck.
        strip: Share of each span of time for which each station was the bottleneck of
            the moment (span, station), over all replications.
        edges_us: Where the spans begin and end, one more than there are; the mean where
            replications end at different times.
        throughput: Good units an hour, by replication.
        levers: What each kind of time is (`worth.path_shares`).
        shares: Its share of the critical path (replication, lever).
    """

    stations: tuple[str, ...]
    scores: dict[str, NDArray[np.float64]]
    strip: NDArray[np.float64]
    edges_us: NDArray[np.int64]
    throughput: NDArray[np.float64]
    levers: tuple[tuple[str, str, str], ...]
    shares: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one method says.

    Attributes:
        method: One of `METHODS`.
        first: The station that it names; empty if it names none.
        probability: Share of resamples in which it names each station.
        tied: Stations that it cannot tell from the first, without it.
        scores: Score of each station.
    """

    method: str
    first: str
    probability: dict[str, float]
    tied: tuple[str, ...]
    scores: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What holds the line back, by all methods.

    Attributes:
        findings: By method.
        remarks: Where the methods disagree, and why.
        observed: What they stand on.
    """

    findings: dict[str, Finding]
    remarks: tuple[str, ...]
    observed: Observed

    @property
    def first(self) -> str:
        """The station whose improvement gains most."""
        return self.findings["critical_path"].first

    @property
    def tied(self) -> tuple[str, ...]:
        """Stations that may as well be the first."""
        return self.findings["critical_path"].tied


# ------------------------------------------------------------------ active periods


@dataclass(slots=True)
class _Periods:
    """States of servers as they are read from a trace.

    Attributes:
        span: What is looked at.
        mode: What each server does.
        since: When it began to.
        times: Time in each state (server, state), microseconds.
        active_since: When each server's present, or last, active period began.
        found: Active periods: arrays of beginnings, ends and servers.
    """

    span: Span
    mode: NDArray[np.int64]
    since: NDArray[np.int64]
    times: NDArray[np.int64]
    active_since: NDArray[np.int64]
    found: list[NDArray[np.int64]]

    def read(self, rows: t.Ints) -> None:
        """Read rows of a trace, each of which is one change of a server."""
        rows = rows[rows[:, 1] == t.T_MODE]
        n = len(self.mode)
        servers = np.concatenate([np.arange(n), rows[:, 2]])
        at = np.concatenate([self.since, rows[:, 0]])
        mode = np.concatenate([self.mode, rows[:, 6]])
        order = np.argsort(servers, kind="stable")
        servers, at, mode = servers[order], at[order], mode[order]
        goes_on = servers[1:] == servers[:-1]  # the others are the last of a server
        from_us = np.maximum(at[:-1], self.span.warmup_us)
        held = np.maximum(at[1:] - from_us, 0)
        np.add.at(
            self.times, (servers[:-1][goes_on], mode[:-1][goes_on]), held[goes_on]
        )
        is_active = _ACTIVE[mode]
        begins = np.flatnonzero(goes_on & ~is_active[:-1] & is_active[1:]) + 1
        stops = np.flatnonzero(goes_on & is_active[:-1] & ~is_active[1:]) + 1
        # periods of a server take turns: the begin of a stop is the last one before it
        began = np.searchsorted(begins, stops) - 1
        first = np.searchsorted(servers, np.arange(n))
        start = self.active_since[servers[stops]]
        if len(begins):
            known = (began >= 0) & (begins[began] >= first[servers[stops]])
            start[known] = at[begins[began[known]]]
        self.found.append(np.stack([start, at[stops], servers[stops]]))
        self.active_since[servers[begins]] = at[begins]  # the last of each counts
        last = np.searchsorted(servers, np.arange(n), "right") - 1
        self.since, self.mode = at[last], mode[last]


def _seen(
    lowered: Lowered, span: Span, seed: int, number: int, units: int
) -> tuple[_Periods, int]:
    """Run one replication and return what its servers did, and when it ended."""
    n_trace = _N_TRACE + 16 * int(lowered.tables.settings[t.S_MARGIN])
    state = new_state(lowered, n_trace=n_trace)
    n = len(state.servers)
    periods = _Periods(
        span,
        state.servers["mode"].astype(np.int64),
        np.zeros(n, np.int64),
        np.zeros((n, t.N_MODES), np.int64),
        np.zeros(n, np.int64),
        [],
    )
    draws = new_draws(lowered, seed, number)
    _, state = run_until(
        lowered, state, draws, span.horizon_us, units, on_trace=periods.read
    )
    end = int(state.clock["now"][0])
    closing = np.zeros((n, len(t.TRACE_COLUMNS)), np.int64)
    closing[:, 0], closing[:, 1] = end, t.T_MODE
    closing[:, 2], closing[:, 6] = np.arange(n), t.OFF_SHIFT
    periods.read(closing)
    return periods, end


def _moments(
    found: NDArray[np.int64], bins: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return whose active period is the longest, when: begins, ends and servers.

    Moments at which nobody is active belong to nobody; none reaches across an edge of
    `bins`.
    """
    begin, end = int(bins[0]), int(bins[-1])
    found = found[:, found[1] > begin]
    found = found[:, np.argsort(found[0], kind="stable")]
    edges = np.sort(np.clip(np.concatenate([found[0], found[1], bins]), begin, end))
    edges = edges[np.append(True, edges[1:] > edges[:-1])]
    if len(edges) < 2:
        none = np.zeros(0, np.int64)
        return none, none, none
    rows = longest_periods(found[0], found[1], edges)
    is_someone = rows >= 0
    return edges[:-1][is_someone], edges[1:][is_someone], found[2, rows[is_someone]]


# ------------------------------------------------------------------ observing


def _order(line: Line) -> list[str]:
    """Return the stations in the order in which parts meet them."""
    place: dict[str, float] = {}
    for product in line.products.values():
        for i, step in enumerate(product.route):
            share = (i + 1) / len(product.route)
            for station in step.stations:
                place.setdefault(station, share)
    names = list(line.stations)
    return sorted(names, key=lambda s: (place.get(s, 2.0), names.index(s)))


def observe(
    line: Line,
    span: Span,
    *,
    seed: int,
    numbers: Sequence[int],
    workers: int | None = None,
    units: int = 2**62,
) -> Observed:
    """Watch a line and score its stations by every method.

    Args:
        line: The line.
        span: What is looked at.
        seed: Seed of all streams.
        numbers: Numbers of the replications.
        workers: Threads; all cores by default.
        units: Stop a replication when so many units have left the line.

    Raises:
        ModelError: The line has errors.
        KernelError: No unit left the line.
    """
    lowered = lowered_of(line, span)
    names = lowered.names.stations
    order = [names.index(s) for s in _order(line)]
    owner = np.repeat(np.arange(len(names)), lowered.tables.stations["n_servers"])
    n_servers = np.maximum(np.bincount(owner, minlength=len(names)), 1)

    def one(number: int) -> tuple[dict[str, _Floats], _Floats, _Floats]:
        seen, end = _seen(lowered, span, seed, number, units)
        length = end - span.warmup_us
        if length <= 0:
            msg = f"replication {number} ended before the end of the warm-up"
            raise KernelError(msg)
        times = np.zeros((len(names), t.N_MODES))
        np.add.at(times, owner, seen.times)
        shares = times / (length * n_servers[:, None])
        active = shares[:, _ACTIVE].sum(axis=1)
        found = np.concatenate(seen.found, axis=1)
        is_in = found[1] > np.maximum(found[0], span.warmup_us)
        n_periods = np.bincount(owner[found[2, is_in]], minlength=len(names))
        bins = np.linspace(span.warmup_us, end, N_BINS + 1).astype(np.int64)
        begins, ends, servers = _moments(found[:, is_in], bins)
        cell = (np.searchsorted(bins, begins, "right") - 1) * len(names)
        moments = np.bincount(
            cell + owner[servers], ends - begins, minlength=N_BINS * len(names)
        ).reshape(N_BINS, len(names))
        turning = np.full(len(names), -np.inf)
        turning[order] = _turning(shares[order, t.BLOCKED], shares[order, t.STARVED])
        mean = active * length * n_servers / np.maximum(n_periods, 1)
        scores = {
            "utilisation": active,
            "active_period": mean / 1e6,
            "shifting": moments.sum(axis=0) / length,
            "turning_point": turning,
        }
        return scores, moments / (length / N_BINS), bins.astype(np.float64)

    done = in_order(one, numbers, workers)
    labels, path, made = path_shares(lowered, span, seed, numbers, workers, units)
    critical = np.zeros((len(numbers), len(names)))
    for i, (kind, place, _) in enumerate(labels):
        if kind in _OF_STATION and place:
            critical[:, names.index(place)] += path[:, i]
    scores = {
        method: np.array([d[0][method] for d in done])[:, order]
        for method in METHODS[1:]
    }
    scores["critical_path"] = critical[:, order]
    strip = np.mean([d[1] for d in done], axis=0)[:, order]
    edges_us = np.mean([d[2] for d in done], axis=0).round().astype(np.int64)
    return Observed(
        tuple(names[k] for k in order),
        scores,
        strip,
        edges_us,
        made,
        tuple(labels),
        path,
    )


def _turning(
    blocked: NDArray[np.float64], starved: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the score of each station of a line as its turning point."""
    lean = blocked - starved
    score = np.full(len(lean), -np.inf)
    lost = -(blocked + starved)
    turns = [i for i in range(len(lean) - 1) if lean[i] > 0 >= lean[i + 1]]
    for i in turns:
        j = i if lost[i] > lost[i + 1] else i + 1
        score[j] = lost[j]
    if not turns:  # all starve: the first holds them back; all are blocked: the last
        j = 0 if lean.sum() < 0 else len(lean) - 1
        score[j] = lost[j]
    return score


# ------------------------------------------------------------------ judging


def _first_of(scores: NDArray[np.float64]) -> int:
    """Return the station with the highest mean.

    Where scores may be missing it is the one that has one most often.
    """
    is_there = np.isfinite(scores)
    n = is_there.sum(axis=0)
    mean = np.where(is_there, scores, 0).sum(axis=0) / np.maximum(n, 1)
    return int(np.lexsort((mean, n))[-1])


def _judge(method: str, observed: Observed, seed: int, confidence: float) -> Finding:
    scores = observed.scores[method]
    n, m = scores.shape
    rng = np.random.Generator(np.random.Philox(key=seed))
    firsts = np.zeros(m)
    for _ in range(_RESAMPLES if n > 1 else 1):
        rows = rng.integers(0, n, n) if n > 1 else np.arange(n)
        firsts[_first_of(scores[rows])] += 1
    probability = firsts / firsts.sum()
    first = _first_of(scores)
    tied = []
    if n > 1 and m > 1:
        each = 1 - (1 - confidence) / (m - 1)
        for k in range(m):
            if k == first or not np.isfinite(scores[:, [k, first]]).all():
                continue
            gap = paired_interval(scores[:, k], scores[:, first], each)
            if gap.low <= 0:
                tied.append(observed.stations[k])
    finite = np.where(np.isfinite(scores), scores, np.nan)
    return Finding(
        method,
        observed.stations[first],
        dict(zip(observed.stations, probability.tolist(), strict=True)),
        tuple(tied),
        {
            name: mean_interval(finite[:, k], confidence)
            for k, name in enumerate(observed.stations)
        },
    )


def bottleneck(
    observed: Observed, *, seed: int, confidence: float = 0.95
) -> Bottleneck:
    """Return what each method says of what was observed.

    Args:
        observed: From `observe`.
        seed: Seed of the resampling.
        confidence: Confidence of intervals and ties.
    """
    findings = {m: _judge(m, observed, seed, confidence) for m in METHODS}
    return Bottleneck(findings, tuple(_remarks(findings)), observed)


def _remarks(findings: dict[str, Finding]) -> list[str]:
    """Say where the methods disagree with the critical path, and why."""
    path = findings["critical_path"]
    out = []
    if path.tied:
        names = " and ".join((path.first, *path.tied[:2]))
        more = f" and {len(path.tied) - 2} more" if path.tied[2:] else ""
        out.append(
            f"{names}{more} cannot be told apart: a tie, or too few replications"
        )
    busy = findings["utilisation"].scores
    named: dict[str, list[str]] = {}
    for method in METHODS[1:]:
        station = findings[method].first
        if station not in (path.first, *path.tied):
            named.setdefault(station, []).append(method)
    for station, methods in named.items():
        share, most = path.scores[station].mean, path.scores[path.first].mean
        who = " and ".join(method.replace("_", " ") for method in methods)
        why = "it comes close"
        if share < _CLOSE * most:
            why = _WHY[methods[0]]
        out.append(
            f"{who} name{'s' if len(methods) == 1 else ''} {station}, which is busy "
            f"{busy[station].mean:.0%} of the time; {share:.0%} of the critical path "
            f"go through it, and {most:.0%} through {path.first}: {why}"
        )
    return out


_CLOSE = 0.8
_WHY = {
    "utilisation": "being busy costs little where buffers cover for it",
    "active_period": "long periods without a break count here even where a buffer "
    "behind them hides them",
    "shifting": "it has the longest period more often, but others wait less for it",
    "turning_point": "waits around it are shared among several stations",
}
