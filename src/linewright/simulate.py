"""Line and study in, result out: the function to read second.

Replications run on all cores; the kernel holds no lock. They are counted, and stopped,
in the order of their numbers, so that the number of cores changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linewright import tables as t
from linewright.engines import Engine, in_order
from linewright.errors import DeadlockError, ModelError
from linewright.experiment import Experiment, experiment_of
from linewright.lower import Lowered, lower
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.own_rules import permit, require_threads, threads_for
from linewright.replicate import N_PERIODS, Replication, replicate
from linewright.states import load_state, time_of
from linewright.stats.intervals import Interval, mean_interval, precision_reached
from linewright.stats.warmup import Warmup, largest_cut, mser5

if TYPE_CHECKING:
    from linewright.results import Result

__all__ = ["Progress", "simulate"]

_N_CUTS = 20  # candidates for the end of the warm-up, over the first half of the run
_FOREVER = 2**62


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a simulation is: replications done and asked for, half-width so far."""

    done: int
    asked: int
    throughput: Interval | None


def simulate(  # noqa: PLR0913
    line: Line,
    *,
    horizon: str | int | None = None,
    replications: int | None = None,
    warmup: str | int | None = None,
    seed: int | None = None,
    study: str | None = None,
    precision: float | None = None,
    confidence: float = 0.95,
    units: int | None = None,
    workers: int | None = None,
    engine: Engine | None = None,
    start_from: str | os.PathLike[str] | None = None,
    allow_python: bool = False,
    rules: Mapping[str, Callable[..., Any]] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Simulate a line and return what happened, with intervals.

    Args:
        line: The line; it is checked first.
        horizon: Length of a replication, such as ``52 weeks``, or microseconds; the
            line's `study` by default, as for the next four.
        replications: Independent runs; with `precision`, the most of them.
        warmup: What is cut off at the start: a duration, microseconds, or ``auto``
            (MSER-5 on throughput and WIP).
        seed: Seed of all random streams.
        study: ``terminating`` or ``steady_state``.
        precision: Stop when the throughput's half-width is this share of its mean.
        confidence: Confidence of all intervals.
        units: Stop each replication when so many units have left the line.
        workers: Threads; all cores by default.
        engine: Where replications are run; on threads by default. The result is the
            same to the bit. Rules of one's own run on threads only.
        start_from: A saved state (`states.save_state`, `linewright state`) to begin
            from: the horizon counts from its instant, the study is terminating, and
            nothing is cut. The state may be one of a model with other times and rules,
            if the names are the same.
        allow_python: Run the Python of the model's own rules, which may do anything;
            without it a model that has some is refused.
        rules: Functions for rules of one's own, by the name in the model, such as
            ``slack`` or ``rules.py:slack``. The model's hash does not cover them, and
            replications share them: one that remembers makes results depend on cores.
        on_progress: Called after each replication, in their order.

    Returns:
        The result. Interrupted by Ctrl-C, it holds the replications done so far, and
        its manifest says so.

    Raises:
        ModelError: The line has errors.
        ValueError: An argument is out of its range, or rules of one's own are to run
            on another engine than threads.
        ResultError: The state cannot be read, or is not one of such a line.
        RuleError: A rule of one's own may not run, raised, or gave no answer.
        DeadlockError: The line came to stand still for good; the message says who
            waits for whom.
    """
    findings = [f for f in check(line) if f.severity == "error"]
    if findings:
        raise ModelError(findings)
    experiment = experiment_of(
        line,
        horizon=horizon,
        replications=replications,
        warmup=warmup,
        seed=seed,
        study=_study(study, start_from),
        precision=precision,
        confidence=confidence,
        units=units,
    )
    begin_us = 0 if start_from is None else time_of(start_from)
    lowered = lower(line, begin_us + experiment.horizon_us)
    lowered = permit(lowered, rules, allow_python=allow_python)
    require_threads(lowered, engine)
    start = None
    if start_from is not None:
        start = load_state(start_from, lowered, model_hash(line), what_if=True).state
    cuts = tuple(begin_us + cut for cut in _cuts(experiment))
    where = engine or threads_for(lowered, workers)
    done: list[Replication] = []
    stopped_early = False
    try:
        for replication in _in_order(lowered, experiment, cuts, where, start):
            _raise_deadlock(lowered, replication)
            _raise_too_short(experiment, replication)
            done.append(replication)
            if on_progress:
                on_progress(_progress(lowered, experiment, done))
            if experiment.precision and _precise(lowered, experiment, done):
                break
    except KeyboardInterrupt:
        if not done:
            raise
        stopped_early = True
    warmup_found = find_warmup(lowered, experiment, cuts, done)
    from linewright.results import build_result  # noqa: PLC0415 - slow

    return build_result(line, lowered, experiment, done, warmup_found, stopped_early)


def _cuts(experiment: Experiment) -> tuple[int, ...]:
    """Return the instants at which sums are read; each is the end of a period."""
    end = experiment.horizon_us
    if experiment.warmup_us is None:
        step = max(end // N_PERIODS, 1) * (N_PERIODS // 2 // _N_CUTS)
        starts = {min(step * i, end - 1) for i in range(_N_CUTS + 1)}
        return (*sorted(starts), end)
    return (experiment.warmup_us, end)


def _study(study: str | None, start_from: str | os.PathLike[str] | None) -> str | None:
    """Return the kind of study; one from a state asks about what comes next."""
    if start_from is None:
        return study
    if study == "steady_state":
        msg = "a study that begins from a state is terminating; nothing is cut from it"
        raise ValueError(msg)
    return "terminating"


def _in_order(
    lowered: Lowered,
    experiment: Experiment,
    cuts: tuple[int, ...],
    engine: Engine,
    start: t.State | None,
) -> Iterator[Replication]:
    """Run replications and yield them in the order of their numbers."""
    enough = _FOREVER if experiment.units is None else experiment.units
    seed = experiment.seed

    def task(number: int) -> Replication:
        return replicate(lowered, seed, number, cuts, enough, start)

    return in_order(engine, task, range(experiment.replications))


def _raise_deadlock(lowered: Lowered, replication: Replication) -> None:
    if replication.status == t.DEADLOCK:
        from linewright.why import describe_deadlock  # noqa: PLC0415 - rarely needed

        raise DeadlockError(describe_deadlock(lowered, replication.state))


def _raise_too_short(experiment: Experiment, replication: Replication) -> None:
    if len(replication.snapshots) < 2:
        msg = (
            f"replication {replication.number} finished {experiment.units} units "
            "before the end of the warm-up; ask for more units or a shorter warm-up"
        )
        raise ValueError(msg)


def leaves_line(lowered: Lowered) -> np.ndarray:
    """Say which products leave the line, rather than go into others."""
    out: np.ndarray = lowered.tables.products["store"] < 0
    return out


def _throughputs(lowered: Lowered, done: list[Replication], cut: int) -> np.ndarray:
    """Return good units per second that left the line, by replication."""
    final = leaves_line(lowered)
    rates = []
    for replication in done:
        first, last = replication.snapshots[cut], replication.snapshots[-1]
        units = (last.products["finished"] - first.products["finished"])[final].sum()
        rates.append(units / max((last.at_us - first.at_us) / 1e6, 1e-9))
    return np.array(rates)


def _middle(experiment: Experiment) -> int:
    """Return the cut used while the warm-up is not known yet: a quarter of the run."""
    return _N_CUTS // 2 if experiment.warmup_us is None else 0


def _progress(
    lowered: Lowered, experiment: Experiment, done: list[Replication]
) -> Progress:
    interval = None
    if len(done) > 1:
        rates = _throughputs(lowered, done, _middle(experiment))
        interval = mean_interval(rates, experiment.confidence)
    return Progress(len(done), experiment.replications, interval)


def _precise(lowered: Lowered, experiment: Experiment, done: list[Replication]) -> bool:
    assert experiment.precision is not None
    rates = _throughputs(lowered, done, _middle(experiment))
    return precision_reached(rates, experiment.precision, experiment.confidence)


def find_warmup(
    lowered: Lowered,
    experiment: Experiment,
    cuts: tuple[int, ...],
    done: list[Replication],
) -> tuple[int, str]:
    """Return the row of the cut that ends the warm-up, and how it was found."""
    if experiment.study == "terminating":
        return 0, "terminating study: nothing is cut"
    if experiment.warmup_us is not None:
        return 0, "as asked" if experiment.warmup_us else "nothing is cut"
    n_products = len(lowered.names.products)
    length = min(len(r.series) for r in done)
    series = np.array([r.series[:length] for r in done])
    steps = np.diff(series, axis=1).astype(float)
    final = leaves_line(lowered)
    finished = steps[:, :, :n_products][:, :, final].sum(axis=2)
    wip = steps[:, :, n_products : 2 * n_products].sum(axis=2)
    measures: dict[str, Warmup] = {
        "throughput": mser5(finished),
        "WIP": mser5(wip),
    }
    found = largest_cut(measures)
    if not found.found:
        return 0, f"MSER-5 found no warm-up, nothing is cut: {found.reason}"
    period_us = max(experiment.horizon_us // N_PERIODS, 1)
    row = int(np.searchsorted(cuts[:-1], found.cut * period_us))
    if row >= len(cuts) - 1:
        return 0, "MSER-5 found no warm-up in the first half, nothing is cut"
    return row, "MSER-5 on throughput and WIP"
