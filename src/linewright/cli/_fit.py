"""The verbs of records and models: fit, validate, drift."""

from __future__ import annotations

import dataclasses
import datetime
import math
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._say import (
    FOUND,
    OK,
    Args,
    json_text,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
    write,
)

if TYPE_CHECKING:
    from linewright.fit.against import Validation
    from linewright.fit.carrying import Carried
    from linewright.fit.drifting import Drift, Effect
    from linewright.fit.fitting import Fitted
    from linewright.fit.log import EventLog, Problem
    from linewright.fit.writing import Evidence
    from linewright.model.line import Line

PROPOSED = "drift.json"


def run_fit(args: Args) -> int:
    """Fit a model to a log."""
    from linewright.fit.writing import (  # noqa: PLC0415 - slow
        evidence_of,
        line_of,
        save_fitted,
    )

    if args.out:
        _refuse_to_replace(Path(args.out), force=args.force)
    log, problems = _read(args)
    if _is_spoiled(problems) and not args.use_rest:
        if args.json:
            print_json({"problems": [dataclasses.asdict(one) for one in problems]})
        say(args, "nothing was fitted; --use-rest fits what is left")
        return FOUND
    found = _fitted(args, log)
    for problem in found.problems:
        say(args, str(problem))
    line = line_of(found)
    written = save_fitted(found, args.out) if args.out else ()
    carried = _carried(args, found, line) if args.carry else {}
    if args.json:
        about = {"evidence": evidence_of(found), "carried": carried}
        print_json(about | {"files": [str(path) for path in written]})
        return OK
    _show_inputs(found)
    write("".join(f"{path}\n" for path in written))
    for text in found.unknown:
        say(args, f"cannot be known from this log: {text}")
    for text in found.notes:
        say(args, f"note: {text}")
    return OK


def _fitted(args: Args, log: EventLog) -> Fitted:
    """Fit the part of a log that is not held back."""
    from linewright.fit.fitting import fit_log  # noqa: PLC0415 - slow

    held_us = _held_back(args, log)
    if held_us:
        say(args, f"held back: {_utc(held_us)} to {_utc(log.close_us)}")
        log = log.window(log.begin_us, held_us)
    found = fit_log(
        log,
        name=args.name or Path(args.log).name.partition(".")[0],
        min_cases=args.min_cases,
        seed=args.seed,
        tell=lambda text: say(args, text),
    )
    if held_us:
        found.held_back_from_us = held_us
    return found


def _refuse_to_replace(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        msg = f"{path} is there already; --force replaces it"
        raise ValueError(msg)


def _read(args: Args) -> tuple[EventLog, tuple[Problem, ...]]:
    """Return a log, and tell of all that is wrong with it."""
    from linewright.drivers.logged import read_any_log  # noqa: PLC0415 - slow
    from linewright.fit.mapping import read_columns  # noqa: PLC0415

    columns = read_columns(args.columns) if args.columns else None
    start = None
    if args.start:
        try:
            start = datetime.datetime.fromisoformat(args.start)
        except ValueError:
            msg = f'start: "{args.start}" is no date; write it like 2027-01-04'
            raise ValueError(msg) from None
    log = read_any_log(args.log, columns, start=start, zone=_zone(args.zone))
    for problem in log.problems:
        say(args, str(problem))
    return log, log.problems


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        msg = f'zone: "{name}" is not a time zone such as Europe/Vienna'
        raise ValueError(msg) from None
    return name


def _is_spoiled(problems: tuple[Problem, ...]) -> bool:
    """Say whether something of a log had to be left out."""
    return any(one.rows_dropped or one.kind == "truncated" for one in problems)


def _held_back(args: Args, log: EventLog) -> int:
    """Return from when on a log is held back: a share of its time, or a date; or 0."""
    if not args.hold_back:
        return 0
    text = args.hold_back.strip()
    if text.endswith("%"):
        try:
            share = float(text[:-1]) / 100
        except ValueError:
            share = -1.0
        if not 0 < share < 1:
            msg = f'hold-back: "{text}" is no share such as 30%'
            raise ValueError(msg)
        return log.close_us - round((log.close_us - log.begin_us) * share)
    return _instant(text, log, "hold-back")


def _instant(text: str, log: EventLog, key: str) -> int:
    """Return a local date of a log in microseconds since 1970."""
    try:
        local = datetime.datetime.fromisoformat(text)
    except ValueError:
        msg = f'{key}: "{text}" is neither a share such as 30% nor a date such as '
        raise ValueError(msg + "2027-03-01") from None
    if local.tzinfo is None:
        local = local.replace(tzinfo=zoneinfo.ZoneInfo(log.zone))
    found = round(local.timestamp() * 1e6)
    if not log.begin_us < found < log.close_us:
        msg = f"{key}: {text} lies outside of the log, which is from "
        msg += f"{_utc(log.begin_us)} to {_utc(log.close_us)} (UTC)"
        raise ValueError(msg)
    return found


def _utc(us: int) -> str:
    at = datetime.datetime.fromtimestamp(us / 1e6, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M}"


def _show_inputs(found: Fitted) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.units import format_duration  # noqa: PLC0415

    rows = []
    for fit in found.fits.values():
        chosen = fit.chosen
        p = f"{chosen.ad_p:.2g}" if chosen and not math.isnan(chosen.ad_p) else ""
        ends = (fit.mean_low_s * 1e6, fit.mean_high_s * 1e6)
        mean = f"{format_duration(fit.mean_s * 1e6)}"
        interval = " to ".join(
            format_duration(e) if e < float("inf") else "?" for e in ends
        )
        rows.append(
            (fit.name, f"{fit.n:,}", str(fit.distribution()), p, mean, interval)
        )
    heads = ["input", "times", "distribution", "p", "mean", "its interval, 95 %"]
    show(table_view(heads, rows))
    write(
        "p: share of samples from the distribution that lie farther off "
        "(Anderson-Darling)\n"
    )


def _carried(args: Args, found: Fitted, line: Line) -> dict[str, Any]:
    from linewright.fit.carrying import carry, open_of  # noqa: PLC0415 - slow

    tell_compiling(args)
    out = carry(line, open_of(found), draws=args.carry, seed=args.seed)
    return told_carried(args, out)


def told_carried(args: Args, out: list[Carried]) -> dict[str, Any]:
    """Return what is carried into results as data, and write it for a person."""
    if not args.json:
        for one in out:
            write(
                f"{one.measure}: {one.mean:.4g}; the runs alone say {one.low:.4g} to "
                f"{one.high:.4g}, with what the inputs may be {one.wide_low:.4g} to "
                f"{one.wide_high:.4g} (95 %, {args.carry} draws)\n"
            )
    return {one.measure: dataclasses.asdict(one) for one in out}


# ---------------------------------------------------------------- validate


def run_validate(args: Args) -> int:
    """Hold a model against a log."""
    from linewright.fit.against import validate  # noqa: PLC0415 - slow
    from linewright.fit.log import UNKNOWN  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    evidence = evidence_of_model(args, line)
    log, problems = _read(args)
    if _is_spoiled(problems) and not args.use_rest:
        say(args, "nothing was compared; --use-rest compares what is left")
        return FOUND
    from_us = UNKNOWN
    if args.from_time:
        from_us = _instant(args.from_time, log, "from")
    elif evidence is not None and evidence.held_back_from_us != UNKNOWN:
        from_us = evidence.held_back_from_us
    tell_compiling(args)
    found = validate(
        line,
        log,
        from_us=from_us,
        margin=_share(args.margin, "margin"),
        replications=args.replications,
        arrivals=args.arrivals,
        seed=args.seed,
        n_fitted=_n_fitted(evidence, line),
        tell=lambda text: say(args, text),
    )
    if evidence is None and not args.from_time:
        say(args, "no evidence says what was held back; the last third is compared")
    if args.json:
        print_json(_validation_json(found))
    else:
        _show_validation(found)
    for problem in found.problems:
        say(args, str(problem))
    return FOUND if any(one.verdict == "drifts" for one in found.stations) else OK


def evidence_of_model(args: Args, line: Line) -> Evidence | None:
    """Return the evidence beside a model, and say if the model is another now."""
    from linewright.fit.writing import read_evidence  # noqa: PLC0415 - slow

    found = read_evidence(args.model, line)
    if found is not None and found.is_changed:
        say(args, f"{found.path} is of the model before it was changed")
    return found


def _n_fitted(evidence: Evidence | None, line: Line) -> Callable[[str], int]:
    """Return how many times the inputs of a station rest on, by the evidence."""
    least = fitted_counts(evidence, line)
    return lambda station: least.get(station, 0)


def fitted_counts(evidence: Evidence | None, line: Line) -> dict[str, int]:
    """Return on how many times the inputs of each station rest at least."""
    least: dict[str, int] = {}
    for name, fit in evidence.fits.items() if evidence else ():
        for station in line.stations:
            if name.startswith(f"stations.{station}."):
                least[station] = min(fit.n, least.get(station, fit.n))
    return least


def _share(text: str, name: str) -> float:
    try:
        value = float(text.rstrip("% ")) / (100 if "%" in text else 1)
    except ValueError:
        msg = f'{name}: "{text}" is no share such as 10%'
        raise ValueError(msg) from None
    return value


def _validation_json(found: Validation) -> dict[str, Any]:
    return dataclasses.asdict(found)


def _show_validation(found: Validation) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    rows = []
    for one in found.compared:
        interval = ""
        if not math.isnan(one.low):
            interval = f"{one.low:+.1%} to {one.high:+.1%}"
        distance = ""
        if not math.isnan(one.distance):
            distance = f"{one.distance:.1%} (chance: {one.usual:.1%})"
        rows.append(
            (
                one.station or "line",
                one.measure,
                f"{one.n:,}",
                _value(one.log, one.unit),
                _value(one.model, one.unit),
                interval,
                distance,
                one.verdict,
            )
        )
    heads = ["where", "what", "n", "log", "model", "difference, 90 %",
             "distance", "verdict"]  # fmt: skip
    show(table_view(heads, rows))
    verdicts = [
        (
            one.station,
            f"drifts since {_utc(one.since_us)}"
            if one.verdict == "drifts"
            else one.verdict,
            one.why,
        )
        for one in found.stations
    ]
    show(table_view(["station", "verdict", "why"], verdicts))
    write(
        f"{_utc(found.begin_us)} to {_utc(found.close_us)} (UTC), margin "
        f"{found.margin:.0%}, {found.replications} replications, arrivals of the "
        f"{found.arrivals}, seed {found.seed}\n"
    )


def _value(value: float, unit: str) -> str:
    from linewright.units import format_duration  # noqa: PLC0415 - slow

    if math.isnan(value):
        return ""
    if unit == "s":
        return format_duration(value * 1e6)
    return f"{value:.4g} {unit}".strip()


# ---------------------------------------------------------------- drift


def run_drift(args: Args) -> int:
    """Say since when a line is not the one that its model says."""
    from linewright.fit.against import known_part  # noqa: PLC0415 - slow
    from linewright.fit.drifting import (  # noqa: PLC0415
        DRIFTS,
        changes_of,
        effect_of,
        find_drift,
    )

    line = load_line(args, args.model, args.overlay)
    log, problems = _read(args)
    if _is_spoiled(problems) and not args.use_rest:
        say(args, "nothing was looked at; --use-rest looks at what is left")
        return FOUND
    log, strange = known_part(line, log)
    for problem in strange:
        say(args, str(problem))
    found = find_drift(
        line,
        log,
        alarm=_share(args.alarm, "alarm"),
        margin=_share(args.margin, "margin"),
        n_fitted=_n_fitted(evidence_of_model(args, line), line),
    )
    changes = changes_of(line, found)
    effect = None
    if changes:
        tell_compiling(args)
        say(args, "simulating the line as it was and as it is now")
        effect = effect_of(line, changes, replications=args.replications)
    if args.json:
        print_json(_drift_json(found, changes, effect))
    else:
        _show_drift(found, effect)
    if changes and effect is not None:
        _propose(args, line, found, changes, effect)
    return FOUND if any(one.verdict == DRIFTS for one in found) else OK


def _drift_json(
    found: list[Drift], changes: dict[str, Any], effect: Effect | None
) -> dict[str, Any]:
    rows = []
    for one in found:
        about = dataclasses.asdict(dataclasses.replace(one, proposed=None))
        about["of"] = one.of.name
        about["station"] = one.of.station
        about["proposed"] = (
            None if one.proposed is None else str(one.proposed.distribution())
        )
        rows.append(about)
    compared = [] if effect is None else list(effect.compared)
    return {
        "inputs": rows,
        "changes": changes,
        "effect": [dataclasses.asdict(one) for one in compared],
        "targets": [] if effect is None else list(effect.goals),
    }


def _show_drift(found: list[Drift], effect: Effect | None) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.fit.log import UNKNOWN  # noqa: PLC0415
    from linewright.units import format_duration  # noqa: PLC0415

    rows = []
    for one in found:
        verdict = one.verdict
        if one.since_us != UNKNOWN:
            verdict += f" {_utc(one.since_us)}"
        proposed = "" if one.proposed is None else str(one.proposed.distribution())
        rows.append(
            (
                one.of.station,
                one.of.name,
                f"{one.n:,}",
                format_duration(one.model_s * 1e6),
                format_duration(one.log_s * 1e6),
                verdict,
                proposed,
            )
        )
    heads = ["station", "measure", "n", "model", "log", "verdict", "proposed"]
    show(table_view(heads, rows))
    if effect is None:
        return
    effects = [
        (one.measure, f"{one.base.mean:.4g}", f"{one.other.mean:.4g}",
         f"{one.difference}")
        for one in effect.compared
    ]  # fmt: skip
    effects += [
        (f"chance of {name}", f"{a:.0%}", f"{b:.0%}", "") for name, a, b in effect.goals
    ]
    show(
        table_view(
            ["with the proposal", "model", "as it is now", "difference"], effects
        )
    )


def _propose(
    args: Args,
    line: Line,
    found: list[Drift],
    changes: dict[str, Any],
    effect: Effect,
) -> None:
    """Write the proposal: an overlay, and what `linewright ratify` signs."""
    from linewright.fit.drifting import proposal_of  # noqa: PLC0415 - slow
    from linewright.improve.changes import as_overlay  # noqa: PLC0415
    from linewright.model.load import write_whole  # noqa: PLC0415

    folder = Path(args.out or f"results/{Path(args.model).stem}-drift")
    folder.mkdir(parents=True, exist_ok=True)
    said = [
        f"{one.of.station}, {one.of.name}: {one.verdict} {_utc(one.since_us)} (UTC)"
        for one in found
        if one.proposed is not None
    ]
    proposal = proposal_of(line, found, changes, effect)
    write_whole(folder / "drift.yaml", as_overlay(changes, None, said))
    write_whole(folder / PROPOSED, json_text(proposal))
    say(
        args,
        f"proposed in {folder / 'drift.yaml'}; nothing is changed until "
        f"`linewright ratify {args.model} {folder / PROPOSED} --by NAME --reason TEXT`",
    )
