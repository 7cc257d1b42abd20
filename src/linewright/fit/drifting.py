"""Whether a line is still the one that its model says, input by input.

Each distribution of the model that a log has times of is watched: its normal scores are
those of an unchanged line, or their level changed at some instant. An input drifts if
such a change is surer than the chance of a false alarm, which is shared out among all
inputs, and larger than the margin. What is proposed then is fitted to the times since;
it is laid over the model as an overlay, and changes nothing until it is ratified.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from linewright.errors import Finding, ModelError
from linewright.fit.changepoint import WATCHED, ChangePoint, change_point
from linewright.fit.distributions import FEW, Fit, fit_times
from linewright.fit.fitting import measure
from linewright.fit.log import UNKNOWN, EventLog, Floats
from linewright.fit.scoring import Input, Series, inputs_of, last_of
from linewright.model.line import Line
from linewright.model.load import Variants, model_hash
from linewright.model.meaning import leaves_line
from linewright.simulate import simulate
from linewright.stats.compare import Comparison, compare

__all__ = [
    "DRIFTS",
    "GOAL_RUNS",
    "TOO_FEW",
    "WITHIN",
    "Drift",
    "Effect",
    "changes_of",
    "effect_of",
    "find_drift",
    "proposal_of",
]

WITHIN, DRIFTS, TOO_FEW = "within", "drifting since", "too few"

GOAL_RUNS = 40
"""Simulations of each line for the chance of a target, at least."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What is said of one input.

    Attributes:
        of: The input.
        verdict: `WITHIN`, `DRIFTS` or `TOO_FEW`.
        n: Times in the log.
        since_us: Since when it drifts, or `UNKNOWN`.
        n_since: Times since then.
        model_s: Mean in the model.
        log_s: Mean since then, or of all times.
        p: Chance of such a change if nothing changed, for this input alone.
        proposed: What is fitted to the times since; none if nothing is proposed.
    """

    of: Input
    verdict: str
    n: int
    since_us: int
    n_since: int
    model_s: float
    log_s: float
    p: float
    proposed: Fit | None = None


def find_drift(
    line: Line,
    log: EventLog,
    *,
    alarm: float = 0.01,
    margin: float = 0.05,
    n_fitted: Callable[[str], int] = lambda _: 0,
    is_watched: bool = False,
) -> list[Drift]:
    """Return what is said of each input of a model that a log has times of.

    Args:
        line: The model.
        log: The log.
        alarm: Chance that anything at all is said to drift in a line that does not.
        margin: A mean that changed by less than this share is not told of.
        n_fitted: How many times an input rests on, by its station; 0: it is known.
        is_watched: Whether the log is looked at again and again as it grows; `alarm`
            is then the chance over all these looks, as long as an input gets a
            thousand times; older ones are not looked at.

    Raises:
        ModelError: The log has a product that the model has not.
        ValueError: An argument is out of its range.
    """
    for name, value in (("alarm", alarm), ("margin", margin)):
        if not 0 < value < 1:
            msg = f"{name} is {value:g}; it is a share above 0 and below 1"
            raise ValueError(msg)
    try:
        m = measure(log, 1, line)
    except ValueError as error:
        raise ModelError([Finding("LW608", str(error), file=log.source)]) from error
    series = inputs_of(line, m)
    if is_watched:
        series = [last_of(one, WATCHED) for one in series]
    points = [
        change_point(one.z, n_fitted(one.of.station), is_watched=is_watched)
        for one in series
    ]
    n_tested = max(sum(point is not None for point in points), 1)
    return [
        _judged(one, point, alarm / n_tested, margin)
        for one, point in zip(series, points, strict=True)
    ]


def _judged(
    series: Series, point: ChangePoint | None, alarm: float, margin: float
) -> Drift:
    of, n = series.of, len(series.z)
    model_s = of.distribution.mean_us / 1e6
    whole_s = float(series.times_s.mean())
    if point is None:
        return Drift(of, TOO_FEW, n, UNKNOWN, 0, model_s, whole_s, math.nan)
    since = series.times_s[point.at :]
    since_s = float(since.mean())
    is_large = abs(since_s / model_s - 1) > margin if model_s else since_s > 0
    if point.p > alarm or not is_large:
        return Drift(of, WITHIN, n, UNKNOWN, 0, model_s, whole_s, point.p)
    name = f"stations.{of.station}.{of.name}"
    return Drift(
        of=of,
        verdict=DRIFTS,
        n=n,
        since_us=int(series.at_us[point.at]),
        n_since=len(since),
        model_s=model_s,
        log_s=since_s,
        p=point.p,
        proposed=fit_times(name, since, plain=_plain(of)),
    )


def _plain(of: Input) -> tuple[str, ...]:
    return ("exponential",) if of.measure == "time to failure" else ("gamma",)


def is_sure(drift: Drift) -> bool:
    """Say whether what is proposed rests on enough times."""
    return drift.n_since >= FEW


# ---------------------------------------------------------------- what it would change


def changes_of(line: Line, drifts: list[Drift]) -> dict[str, Any]:
    """Return what is proposed, as under `changes` in an overlay file.

    Args:
        line: The model.
        drifts: What was found; only what has a proposal counts.
    """
    found: dict[str, Any] = {}
    for drift in drifts:
        if drift.proposed is None:
            continue
        d = drift.proposed.distribution()
        for path in _paths(line, drift.of):
            _put(found, path, d.model_dump(mode="json"))
    return found


def _paths(line: Line, of: Input) -> list[tuple[str, ...]]:
    station: tuple[str, ...] = ("stations", of.station)
    if of.measure == "setup":
        return [(*station, "setup", "time")]
    if of.measure == "repair":
        return [(*station, "failures", of.failure, "repair")]
    if of.measure == "time to failure":
        return [(*station, "failures", of.failure, "every")]
    if not of.steps:
        return [(*station, "process")]
    found: list[tuple[str, ...]] = []
    for product, operation in of.steps:
        step = next(
            step
            for step in line.products[product].route
            if (step.operation or of.station) == operation
        )
        place: tuple[str, ...] = ("products", product, "route", operation)
        if isinstance(step.station, dict):
            found.append((*place, "station", of.station))
        elif step.process is not None:
            found.append((*place, "process"))
        elif isinstance(line.stations[of.station].process, dict):
            found.append((*station, "process", product))
        else:
            found.append((*station, "process"))
    return found


def _put(found: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        found = found.setdefault(key, {})
    found[path[-1]] = value


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would do, by paired simulation.

    Attributes:
        compared: Throughput and flow times before and after.
        goals: Chance to meet each target before and after, where the model has some.
        changed: The line with the change.
    """

    compared: tuple[Comparison, ...]
    goals: tuple[tuple[str, float, float], ...]
    changed: Line


def effect_of(
    line: Line,
    changes: dict[str, Any],
    *,
    replications: int = 10,
    seed: int = 1,
    workers: int | None = None,
) -> Effect:
    """Return what changes do to throughput, flow time and targets.

    Args:
        line: The model.
        changes: As under `changes` in an overlay file.
        replications: Of each, on the same random numbers.
        seed: Of the random numbers.
        workers: Threads; all cores by default.
    """
    changed = Variants(line).changed(changes)
    values = {
        name: _values(one, replications, seed, workers)
        for name, one in (("model", line), ("as it is now", changed))
    }
    goals: list[tuple[str, float, float]] = []
    if line.targets:
        from linewright.plan.planning import plan_line  # noqa: PLC0415 - slow

        chances = []
        for one in (line, changed):
            plan = plan_line(
                one,
                replications=max(replications, GOAL_RUNS),
                seed=seed,
                workers=workers,
            )
            rows = [row for row in plan.rows("goals") if row["target"]]
            chances.append(
                {
                    f"{row['target']} {row['goal']}".strip(): float(row["probability"])
                    for row in rows
                }
            )
        goals = [(name, p, chances[1][name]) for name, p in chances[0].items()]
    return Effect(tuple(compare(values)), tuple(goals), changed)


def proposal_of(
    line: Line, drifts: list[Drift], changes: dict[str, Any], effect: Effect
) -> dict[str, Any]:
    """Return a proposal as `linewright ratify` signs it.

    Args:
        line: The model.
        drifts: What was found; only what has a proposal counts.
        changes: As under `changes` in an overlay file.
        effect: What they would do.
    """
    first = effect.compared[0]
    gain = first.difference
    return {
        "improvement": {
            "changes": changes,
            "model_hash": model_hash(line),
            "changed_hash": model_hash(effect.changed),
            "chosen": [
                f"{one.of.station}: {one.of.name}"
                for one in drifts
                if one.proposed is not None
            ],
            "cost": 0.0,
            "objective": first.measure,
            "base": {"mean": first.base.mean},
            "gain": {
                "mean": gain.mean,
                "low": gain.low,
                "high": gain.high,
                "confidence": gain.confidence,
            },
            "guarantee": "the model is brought to what the records say",
            "seed": 1,
        }
    }


def _values(
    line: Line, replications: int, seed: int, workers: int | None
) -> dict[str, Floats]:
    """Return throughput and flow times, one for each replication."""
    result = simulate(
        line,
        replications=replications,
        seed=seed,
        study="terminating",
        warmup=0,
        workers=workers,
    )
    table = result.table("products")
    names = list(line.products)
    n = result.manifest["replications"]

    def column(field: str) -> Floats:
        values = table[field].to_numpy(zero_copy_only=False).astype(float)
        shaped: Floats = values.reshape(n, -1)
        return shaped

    final = [i for i, name in enumerate(names) if leaves_line(line, name)]
    hours = line.study.horizon / 3.6e9
    found = {"throughput, 1/h": column("finished")[:, final].sum(axis=1) / hours}
    flows = column("flow_mean_s") / 3600
    for i in final:
        if np.isfinite(flows[:, i]).all():
            found[f"flow time of {names[i]}, h"] = flows[:, i]
    return found
