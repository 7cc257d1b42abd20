"""A model held against a log: agrees, drifts since, cannot tell.

The part of the log that was held back is compared with simulations of the same span,
into which cases come when they came in the log. A figure agrees if its difference is
shown to be less than the margin by two one-sided tests (the interval of 90 % lies
inside of the margin); it differs if that interval lies outside; else the log cannot
tell. Beside it stands the earth mover's distance of the whole distribution, and how far
simulations lie from each other. A station that differs has a date: since when its times
are not what the model says of them.

Source: Schuirmann (1987), A comparison of the two one-sided tests procedure,
Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.
"""

from __future__ import annotations

import datetime
import math
import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from linewright.errors import Finding, ModelError
from linewright.fit.changepoint import ChangePoint, change_point
from linewright.fit.fitting import measure
from linewright.fit.log import UNKNOWN, EventLog, Floats, Problem
from linewright.fit.observing import Observed, driven, observe, observed_runs
from linewright.fit.scoring import Series, inputs_of
from linewright.model.line import Line

__all__ = [
    "AGREES",
    "CANNOT_TELL",
    "DIFFERS",
    "Compared",
    "Validation",
    "known_part",
    "validate",
]

AGREES, DIFFERS, CANNOT_TELL = "agrees", "differs", "cannot tell"

_FEW = 5  # of the log's own values
_ALARM = 0.01


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of the log against that of the simulations.

    Attributes:
        measure: ``throughput``, ``flow time``, ``cycle time``,
            ``visits a case``.
        station: Station, or empty for the line.
        unit: Unit of the values.
        n: Values in the log.
        log: Mean in the log.
        model: Mean in the simulations.
        low: Difference as a share of the model's mean, interval of 90 %.
        high: Its upper end.
        verdict: `AGREES`, `DIFFERS` or `CANNOT_TELL`.
        distance: Earth mover's distance as a share of the model's mean; nan for none.
        usual: Distance that 95 % of the simulations have from the others.
    """

    measure: str
    station: str
    unit: str
    n: int
    log: float
    model: float
    low: float
    high: float
    verdict: str
    distance: float = math.nan
    usual: float = math.nan


@dataclass(frozen=True, slots=True)
class StationVerdict:
    """What is said of a station.

    Attributes:
        station: Its name.
        verdict: ``agrees``, ``drifts`` or ``cannot tell``.
        since_us: Since when it drifts, or `UNKNOWN`.
        why: In a few words.
    """

    station: str
    verdict: str
    since_us: int
    why: str


@dataclass(frozen=True, slots=True)
class Validation:
    """A model against a log.

    Attributes:
        begin_us: Where the part of the log begins that was looked at.
        close_us: Where it ends.
        margin: Share of the model's mean that counts as the same.
        replications: Simulations.
        arrivals: ``log`` if cases came as in the log, else ``model``.
        compared: Every figure.
        stations: What is said of each station.
        problems: What of the log is not in the model.
        seed: Of the simulations.
    """

    begin_us: int
    close_us: int
    margin: float
    replications: int
    arrivals: str
    compared: tuple[Compared, ...]
    stations: tuple[StationVerdict, ...]
    problems: tuple[Problem, ...]
    seed: int


def validate(  # noqa: PLR0913
    line: Line,
    log: EventLog,
    *,
    from_us: int = UNKNOWN,
    margin: float = 0.1,
    replications: int = 20,
    arrivals: str = "log",
    seed: int = 1,
    n_fitted: Callable[[str], int] = lambda _: 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Validation:
    """Return how a model stands against a log.

    Args:
        line: The model.
        log: The log, all of it: what came before `from_us` fills the line.
        from_us: Where the part begins that is compared; its last third by default.
        margin: Share of the model's mean that counts as the same, above zero.
        replications: Simulations, two or more.
        arrivals: ``log``: cases come when they came in the log; ``model``: as the
            model has it.
        seed: Of the simulations.
        n_fitted: How many times the inputs of a station rest on; 0: they are known.
        tell: Told what is being done.

    Raises:
        ModelError: The log has a product that the model has not, or nothing is left.
        ValueError: An argument is out of its range.
    """
    if not 0 < margin < 1:
        msg = f"margin is {margin:g}; it is a share above 0 and below 1"
        raise ValueError(msg)
    if replications < 2:
        msg = f"replications is {replications}; two or more are needed"
        raise ValueError(msg)
    known, problems = known_part(line, log)
    try:
        m = measure(known, 1, line)
    except ValueError as error:
        raise ModelError([Finding("LW608", str(error), file=log.source)]) from error
    if from_us == UNKNOWN:
        from_us = log.close_us - (log.close_us - log.begin_us) // 3
    if not log.begin_us <= from_us < log.close_us:
        msg = "the part to compare lies outside of the log"
        raise ModelError([Finding("LW609", msg, file=log.source)])
    origin_us = log.begin_us
    ran = _moved(line, origin_us)
    if arrivals == "log" and "pulled" not in log.said:
        ran = driven(ran, m, origin_us)
    real = observe(m, from_us, log.close_us)
    tell(f"simulating {replications} times")
    runs = observed_runs(
        ran,
        from_us,
        log.close_us,
        origin_us=origin_us,
        replications=replications,
        seed=seed,
        said=log.said,
    )
    is_paired = arrivals == "log"
    compared = _line_figures(real, runs, margin, is_paired=is_paired)
    stations: list[StationVerdict] = []
    series = inputs_of(line, m)
    for name in line.stations:
        if name not in log.stations:
            continue
        own = list(_station_figures(name, real, runs, margin))
        compared += own
        of = [one for one in series if one.of.station == name]
        stations.append(_verdict(name, own, of, from_us, n_fitted))
    return Validation(
        begin_us=from_us,
        close_us=log.close_us,
        margin=margin,
        replications=replications,
        arrivals=arrivals,
        compared=tuple(compared),
        stations=tuple(stations),
        problems=problems,
        seed=seed,
    )


def known_part(line: Line, log: EventLog) -> tuple[EventLog, tuple[Problem, ...]]:
    """Return what of a log happened at stations of a model, and what did not.

    Raises:
        ModelError: The model has none of its stations.
    """
    known = np.array([name in line.stations for name in log.stations])
    wrong = ~known[log.station]
    if not wrong.any():
        return log, ()
    if wrong.all():
        shown = ", ".join(list(log.stations)[:4])
        msg = f"no station of the log ({shown}, …) is in the model"
        raise ModelError([Finding("LW608", msg, file=log.source)])
    names = [n for n, is_in in zip(log.stations, known, strict=True) if not is_in]
    at = [int(np.flatnonzero(log.station == log.stations.index(n))[0]) for n in names]
    text = "rows are at stations that the model does not have; they are left out"
    examples = tuple(
        (int(log.row[i]), name) for i, name in zip(at[:5], names[:5], strict=True)
    )
    n = int(wrong.sum())
    return log.rows(~wrong), (Problem("unknown_station", n, text, examples, n),)


def _moved(line: Line, origin_us: int) -> Line:
    """Return the line as one that starts when the log does."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    aware = epoch + datetime.timedelta(microseconds=origin_us)
    local = aware.astimezone(zoneinfo.ZoneInfo(line.time_zone)).replace(tzinfo=None)
    return line.model_copy(update={"start": local})


# ---------------------------------------------------------------- figures


def _line_figures(
    real: Observed, runs: Sequence[Observed], margin: float, *, is_paired: bool
) -> list[Compared]:
    rate = len(real.left_us) / real.hours
    rates = np.array([len(run.left_us) / run.hours for run in runs])
    flows = [run.flow_s for run in runs]
    return [
        _judged(("throughput", "", "1/h"), len(real.left_us), rate, rates, margin),
        _of_times("flow time", "", real.flow_s, flows, margin, is_paired=is_paired),
    ]


def _station_figures(
    name: str, real: Observed, runs: Sequence[Observed], margin: float
) -> list[Compared]:
    # by the case, so that a station is not blamed for what others send to it
    n = len(real.ended_us[name])
    own = n / max(len(real.left_us), 1)
    a_case = [
        len(run.ended_us.get(name, ())) / max(len(run.left_us), 1) for run in runs
    ]
    found = [_judged(("visits a case", name, ""), n, own, np.array(a_case), margin)]
    cycles = [run.cycle_s.get(name, np.zeros(0)) for run in runs]
    found.append(_of_times("cycle time", name, real.cycle_s[name], cycles, margin))
    return found


def _judged(
    what: tuple[str, str, str],
    n: int,
    value: float,
    simulated: Floats,
    margin: float,
) -> Compared:
    """Compare one value of the log with those of simulations of the same window.

    The log is one more window, whose spread is taken to be that of the simulations.
    What is compared is its measure, station and unit.
    """
    measure, station, unit = what
    model = float(simulated.mean()) if len(simulated) else math.nan
    if n < _FEW or not model > 0:
        return Compared(
            measure, station, unit, n, value, model, math.nan, math.nan, CANNOT_TELL
        )
    sd = float(simulated.std(ddof=1))
    error = sd * math.sqrt(1 + 1 / len(simulated))
    half = float(stats.t.ppf(0.95, len(simulated) - 1)) * error
    low, high = (value - half) / model - 1, (value + half) / model - 1
    return Compared(
        measure, station, unit, n, value, model, low, high, _said(low, high, margin)
    )


def _said(low: float, high: float, margin: float) -> str:
    if -margin < low and high < margin:
        return AGREES
    return DIFFERS if low > margin or high < -margin else CANNOT_TELL


def _of_times(
    measure: str,
    station: str,
    own: Floats,
    simulated: list[Floats],
    margin: float,
    *,
    is_paired: bool = False,
) -> Compared:
    """Compare times of the log with those of simulations: mean and distribution.

    Where simulations had the same arrivals, the log is one more of them; else its own
    spread counts, too.
    """
    kept = [times for times in simulated if len(times)]
    n = len(own)
    value = float(own.mean()) if n else math.nan
    means = np.array([times.mean() for times in kept])
    if n < _FEW or len(kept) < 2 or not means.mean() > 0:
        model = float(means.mean()) if len(means) else math.nan
        return Compared(
            measure, station, "s", n, value, model, math.nan, math.nan, CANNOT_TELL
        )
    model = float(means.mean())
    own_error = 0.0 if is_paired else _error_of_mean(own)
    spread = float(means.std(ddof=1))
    # a mean over a window: the wider of what the log and what simulations show
    error = math.hypot(max(own_error, spread), spread / math.sqrt(len(kept)))
    half = float(stats.t.ppf(0.95, min(n, len(kept)) - 1)) * error
    low, high = (value - half) / model - 1, (value + half) / model - 1
    distance, usual = _distances(own, kept, model)
    return Compared(
        measure,
        station,
        "s",
        n,
        value,
        model,
        low,
        high,
        _said(low, high, margin),
        distance,
        usual,
    )


def _error_of_mean(values: Floats) -> float:
    """Return the standard error of a mean of values that lean on their neighbors."""
    n = len(values)
    rest = values - values.mean()
    variance = float((rest**2).sum()) / (n - 1)
    if variance <= 0:
        return 0.0
    r = float((rest[1:] * rest[:-1]).sum() / (rest**2).sum())
    r = min(max(r, 0.0), 0.95)
    return math.sqrt(variance / n * (1 + r) / (1 - r))


def _distances(own: Floats, kept: list[Floats], model: float) -> tuple[float, float]:
    """Return the distance of the log from all runs, and of runs from the others."""
    together = np.concatenate(kept)
    distance = float(stats.wasserstein_distance(own, together)) / model
    apart = [
        stats.wasserstein_distance(
            one, np.concatenate([o for j, o in enumerate(kept) if j != i])
        )
        / model
        for i, one in enumerate(kept)
    ]
    return distance, float(np.quantile(apart, 0.95))


# ---------------------------------------------------------------- stations


def _verdict(
    name: str,
    own: list[Compared],
    series: list[Series],
    from_us: int,
    n_fitted: Callable[[str], int],
) -> StationVerdict:
    differing = [one for one in own if one.verdict == DIFFERS]
    if differing:
        since, what = since_of(series, n_fitted)
        if since == UNKNOWN:
            since = from_us
        first = differing[0]
        why = f"{first.measure} {first.log / first.model - 1:+.0%} of the model's"
        return StationVerdict(name, "drifts", since, f"{why}{what}")
    if all(one.verdict == AGREES for one in own):
        return StationVerdict(name, AGREES, UNKNOWN, "")
    open_ones = [one for one in own if one.verdict == CANNOT_TELL]
    few = [one for one in open_ones if one.n < _FEW]
    if few:
        why = f"only {few[0].n} visit{'' if few[0].n == 1 else 's'}"
    else:
        shown = (
            f"{one.measure} {one.low:+.0%} to {one.high:+.0%}" for one in open_ones
        )
        why = ", ".join(shown)
    return StationVerdict(name, CANNOT_TELL, UNKNOWN, why)


def since_of(series: list[Series], n_fitted: Callable[[str], int]) -> tuple[int, str]:
    """Return since when one of a station's inputs drifts, the surest first."""
    found: list[tuple[ChangePoint, Series]] = []
    for one in series:
        point = change_point(one.z, n_fitted(one.of.station))
        if point is not None and point.p * max(len(series), 1) < _ALARM:
            found.append((point, one))
    if not found:
        return UNKNOWN, ""
    point, one = min(found, key=lambda pair: pair[0].p)
    return int(one.at_us[point.at]), f", {one.of.name} since then"
