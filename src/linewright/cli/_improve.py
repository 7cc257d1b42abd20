"""The verbs of improving: bottleneck, losses, improve, allocate, ratify, ledger."""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._say import (
    FOUND,
    OK,
    Args,
    engine_of,
    json_text,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
    title,
    write,
)
from linewright.version import __version__

if TYPE_CHECKING:
    from linewright.experiment import Experiment
    from linewright.improve.bottleneck import Bottleneck
    from linewright.improve.buffers import Placed
    from linewright.improve.changes import Change
    from linewright.improve.search import Improvement, Study
    from linewright.improve.trials import Span
    from linewright.improve.worth import Worth
    from linewright.model.line import Line
    from linewright.stats.intervals import Interval

LESS = 0.1
"""How much less of a time is tried to confirm its worth: a tenth."""

_PILOTS = 5  # replications from which the warm-up is found


def run_bottleneck(args: Args) -> int:
    """Say what holds the line back, and what less of each time would gain."""
    from linewright.console import bottleneck_view  # noqa: PLC0415 - slow
    from linewright.improve.bottleneck import bottleneck, observe  # noqa: PLC0415
    from linewright.improve.files import BOTTLENECK  # noqa: PLC0415
    from linewright.improve.worth import worth_of  # noqa: PLC0415
    from linewright.model.load import write_whole  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    if args.out:
        Path(args.out).mkdir(parents=True, exist_ok=True)  # or fail before the work
    tell_compiling(args)
    experiment, span = span_of(args, line)
    n, seed, workers = experiment.replications, experiment.seed, args.workers
    seen = observe(line, span, seed=seed, numbers=range(n), workers=workers)
    found = bottleneck(seen, seed=seed, confidence=args.confidence)
    value = worth_of(line, seen.levers, seen.shares, seen.throughput, args.confidence)
    gains = _confirmed(args, line, span, value, n, seed + 1)
    about = _about(args, line, experiment, span) | {"seed_of_confirmation": seed + 1}
    said = _as_json(found, value, gains) | {"about": about}
    if args.out:
        write_whole(Path(args.out) / BOTTLENECK, json_text(said))
    if args.json:
        print_json(said)
    else:
        show(bottleneck_view(line.name, found, value, gains, about))
    if args.out:
        say(args, f"saved in {args.out}")
    return OK


def span_of(args: Args, line: Line) -> tuple[Experiment, Span]:
    """Return the study, and what is looked at in each run of it.

    A warm-up that is to be found is found from a few runs first.
    """
    from linewright.experiment import experiment_of  # noqa: PLC0415 - slow
    from linewright.improve.trials import Span  # noqa: PLC0415
    from linewright.simulate import simulate  # noqa: PLC0415

    experiment = experiment_of(
        line,
        horizon=args.horizon,
        replications=args.replications,
        warmup=args.warmup,
        seed=args.seed,
        confidence=args.confidence,
    )
    warmup_us = experiment.warmup_us
    if warmup_us is None:
        pilots = min(experiment.replications, _PILOTS)
        result = simulate(
            line,
            horizon=args.horizon,
            replications=pilots,
            seed=args.seed,
            workers=args.workers,
        )
        warmup_us = int(result.manifest["warmup_us"])
        say(args, f"warm-up: {warmup_us / 3.6e9:.3g} h, found from {pilots} runs")
    return experiment, Span(warmup_us, experiment.horizon_us)


def _confirmed(
    args: Args, line: Line, span: Span, value: Worth, n: int, seed: int
) -> list[tuple[Change, Interval, Interval]]:
    """Try a tenth less of the times with the largest shares, on another seed.

    Returns each change, the gain that its share promises, and the one that was found.
    """
    from linewright.improve.changes import TIMES, shorter  # noqa: PLC0415 - slow
    from linewright.improve.worth import confirmed, promised  # noqa: PLC0415

    tried: list[tuple[Change, Interval]] = []
    for lever in value.levers:
        if len(tried) >= args.confirm:
            break
        if lever.kind in TIMES:
            change = shorter(line, lever.kind, lever.place, LESS, lever.name)
            if change is not None:
                tried.append((change, promised(lever.elasticity, LESS)))
    found = confirmed(
        line,
        [change for change, _ in tried],
        span,
        replications=n,
        seed=seed,
        confidence=args.confidence,
        workers=args.workers,
    )
    return [(*one, gain) for one, gain in zip(tried, found, strict=True)]


def _as_json(
    found: Bottleneck, value: Worth, gains: list[tuple[Change, Interval, Interval]]
) -> dict[str, Any]:
    return {
        "bottleneck": {"first": found.first, "tied": found.tied},
        "methods": {
            method: {
                "first": finding.first,
                "tied": finding.tied,
                "probability": finding.probability,
                "scores": {
                    station: dataclasses.asdict(score)
                    for station, score in finding.scores.items()
                },
            }
            for method, finding in found.findings.items()
        },
        "strip": {
            "stations": found.observed.stations,
            "edges_us": found.observed.edges_us.tolist(),
            "shares": found.observed.strip.tolist(),
        },
        "remarks": found.remarks,
        "throughput_per_h": dataclasses.asdict(value.throughput),
        "worth": [dataclasses.asdict(lever) for lever in value.levers],
        "doubts": value.doubts,
        "wears": value.wears,
        "confirmed": [
            {
                "change": change.name,
                "changes": change.changes,
                "promised": dataclasses.asdict(promise),
                "gain": dataclasses.asdict(gain),
            }
            for change, promise, gain in gains
        ],
    }


def run_improve(args: Args) -> int:
    """Find the best set of options for a budget."""
    from linewright.console import improvement_view  # noqa: PLC0415 - slow
    from linewright.improve.files import PROPOSAL  # noqa: PLC0415
    from linewright.improve.options import read_options  # noqa: PLC0415
    from linewright.improve.search import Store, improve  # noqa: PLC0415
    from linewright.model.load import write_whole  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    options = read_options(args.options, line)
    tell_compiling(args)
    study = _study(args, line)
    out = Path(args.out or Path("results") / f"{title(args)}-improve")
    store = Store(out / "evaluations.jsonl")
    with engine_of(args) as engine:
        found = improve(options, args.budget, study, store, _teller(args), engine)
    said = _improvement_json(found)
    write_whole(out / PROPOSAL, json_text(said))
    if args.json:
        print_json(said | {"out": str(out)})
    else:
        show(improvement_view(line.name, found, line.currency or ""))
    say(args, f"saved in {out}")
    return OK if found.is_complete else FOUND


def _study(args: Args, line: Line) -> Study:
    """Return how sets are compared; what was not said depends on the objective."""
    from linewright.improve.objectives import objective_of  # noqa: PLC0415 - slow
    from linewright.improve.study import Study  # noqa: PLC0415
    from linewright.units import parse_duration_us  # noqa: PLC0415

    is_chance = args.objective.partition(":")[0] == "target"
    over_us = parse_duration_us(args.over) if args.over else None
    experiment, span = _target_span(args, line) if is_chance else span_of(args, line)
    objective_of(line, args.objective, span, over_us)  # or fail before the work
    zone, most, n = (0.05, 4000, 400) if is_chance else (0.005, 500, None)
    return Study(
        span,
        experiment.seed,
        args.objective,
        zone if args.indifference is None else args.indifference,
        args.confidence,
        args.replications or n or experiment.replications,
        args.most or most,
        args.workers,
        over_us,
        is_chance if args.on_dates is None else args.on_dates,
    )


def _target_span(args: Args, line: Line) -> tuple[Experiment, Span]:
    """Return the study, and the span in which targets are due: from the start on."""
    from linewright.experiment import experiment_of  # noqa: PLC0415 - slow
    from linewright.improve.objectives import target_span  # noqa: PLC0415

    if args.warmup:
        msg = "targets are counted from the start of the line; leave out --warmup"
        raise ValueError(msg)
    experiment = experiment_of(
        line,
        horizon=args.horizon,
        replications=args.replications,
        seed=args.seed,
        confidence=args.confidence,
    )
    return experiment, target_span(
        line, experiment.horizon_us if args.horizon else None
    )


def _teller(args: Args) -> Callable[[int, int], None] | None:
    """Return what tells how far a search is, where somebody looks."""
    if args.quiet or not sys.stderr.isatty():
        return None

    def tell(replications: int, sets: int) -> None:
        text = f"\r{sets} sets looked at, {replications:,} replications "
        print(text, end="", file=sys.stderr, flush=True)

    return tell


def _improvement_json(found: Improvement) -> dict[str, Any]:
    said = dataclasses.asdict(found)
    study = said.pop("study")
    span = study.pop("span")
    said |= {
        "objective": f"{study['objective']}, {found.unit}",
        "seed": study["seed"],
        "version": __version__,
    }
    return {"improvement": said, "study": study | span}


def run_allocate(args: Args) -> int:
    """Share out buffer places along a serial line."""
    from linewright.console import allocation_view  # noqa: PLC0415 - slow
    from linewright.improve.buffers import allocate, reach  # noqa: PLC0415
    from linewright.improve.search import Study  # noqa: PLC0415
    from linewright.units import parse_rate_per_s  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    asked_per_h = 3600 * parse_rate_per_s(args.throughput) if args.throughput else None
    tell_compiling(args)
    experiment, span = span_of(args, line)
    study = Study(
        span,
        experiment.seed,
        indifference=args.indifference,
        confidence=args.confidence,
        replications=experiment.replications,
        n_most=args.most,
        workers=args.workers,
    )
    if asked_per_h is None:
        found = allocate(line, args.places, study)
    else:
        found = reach(line, asked_per_h, study)
    if args.json:
        print_json({"allocation": _placed_json(found), "study": _study_json(study)})
    else:
        show(allocation_view(line.name, found, study, asked_per_h))
    if args.out:
        _write_overlay(args, found)
    return OK if found.is_complete else FOUND


def _placed_json(found: Placed) -> dict[str, Any]:
    said = dataclasses.asdict(found)
    return {"places": found.places, "version": __version__} | said


def _study_json(study: Study) -> dict[str, Any]:
    said: dict[str, Any] = dataclasses.asdict(study)
    span: dict[str, Any] = said.pop("span")
    return said | span


def _write_overlay(args: Args, found: Placed) -> None:
    """Write an overlay, which names its model where that lies beside it unchanged."""
    from linewright.improve.changes import as_overlay  # noqa: PLC0415 - slow
    from linewright.model.load import write_whole  # noqa: PLC0415

    out, model = Path(args.out), Path(args.model)
    beside = out.resolve().parent == model.resolve().parent
    whole = beside and not args.overlay and not args.parameters
    rate = found.throughput
    said = [
        f"{found.places} buffer places, by `linewright allocate`: {rate.mean:.6g}/h "
        f"({rate.low:.6g} to {rate.high:.6g}, {rate.confidence:.0%}).",
        found.guarantee,
    ]
    text = as_overlay(found.changes, model.name if whole else None, said)
    write_whole(out, text)
    say(args, f"saved in {out}")


def _today() -> str:
    # the one thing here that needs the clock: on which day somebody signed
    now = datetime.datetime.now(tz=datetime.UTC)  # noqa: TID251
    return now.astimezone().date().isoformat()


def run_ratify(args: Args) -> int:
    """Sign a proposal."""
    from linewright.improve.decisions import DecisionError, ratify  # noqa: PLC0415
    from linewright.improve.files import PROPOSAL  # noqa: PLC0415

    path = Path(args.proposal)
    path = path / PROPOSAL if path.is_dir() else path
    try:
        proposal = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        msg = f"{path} is not a proposal of linewright improve: {error}"
        raise DecisionError(msg) from error
    made = ratify(
        args.model, proposal, by=args.by, reason=args.reason, on=args.on or _today()
    )
    if args.json:
        print_json(dataclasses.asdict(made))
    else:
        where = Path(args.model).parent / made.overlay
        write(f"{where}\n")
    say(args, f"decision {made.number} ratified on {made.on} by {made.by}")
    return OK


def run_ledger(args: Args) -> int:
    """Show decisions, promised against realised, or write down what came of one."""
    from linewright.console import ledger_view  # noqa: PLC0415 - slow
    from linewright.improve.decisions import (  # noqa: PLC0415
        DecisionError,
        Realised,
        read_ledger,
        realise,
    )

    folder = Path(args.model).parent
    if args.realised:
        number, value = args.realised
        if not (args.by or "").strip():
            msg = "who says so is missing (--by)"
            raise DecisionError(msg)
        said = Realised(args.on or _today(), args.by, value, args.note or "")
        realise(folder, number, said)
    decisions = read_ledger(folder)
    if args.json:
        rows = [
            dataclasses.asdict(decision) | {"verdict": decision.verdict}
            for decision in decisions
        ]
        print_json({"decisions": rows})
    elif decisions:
        show(ledger_view(decisions))
    else:
        say(args, f"no decision was ratified for {args.model}")
    return OK


def run_losses(args: Args) -> int:
    """Say where the units are lost, of any run or on the way to targets."""
    line = load_line(args, args.model, args.overlay)
    if args.out:
        Path(args.out).mkdir(parents=True, exist_ok=True)  # or fail before the work
    if args.targets:
        return _lost_to_targets(args, line)
    from linewright.console import losses_view  # noqa: PLC0415 - slow
    from linewright.improve.losses import losses  # noqa: PLC0415

    tell_compiling(args)
    experiment, span = span_of(args, line)
    found = losses(
        line,
        span,
        replications=experiment.replications,
        seed=experiment.seed,
        confidence=args.confidence,
        workers=args.workers,
        on_progress=_losing(args),
    )
    about = _about(args, line, experiment, span)
    said = dataclasses.asdict(found) | {"about": about}
    return _leave_losses(args, said, losses_view(line.name, found, about))


def _lost_to_targets(args: Args, line: Line) -> int:
    """Say why targets are missed, or by what margin they are met."""
    from linewright.console import target_losses_view  # noqa: PLC0415 - slow
    from linewright.experiment import experiment_of  # noqa: PLC0415
    from linewright.improve.losses import target_losses  # noqa: PLC0415
    from linewright.improve.trials import Span  # noqa: PLC0415

    if args.horizon or args.warmup:
        msg = "with --target the line is run from its start to the end of the target; "
        raise ValueError(f"{msg}leave out --horizon and --warmup")
    experiment = experiment_of(
        line,
        replications=args.replications,
        seed=args.seed,
        confidence=args.confidence,
    )
    every = "all" in args.targets and "all" not in line.targets
    tell_compiling(args)
    found = target_losses(
        line,
        () if every else tuple(args.targets),
        replications=experiment.replications,
        seed=experiment.seed,
        confidence=args.confidence,
        workers=args.workers,
        on_progress=_losing(args),
    )
    end_us = max(one.by_us for one in found.goals)
    about = _about(args, line, experiment, Span(0, end_us))
    said = dataclasses.asdict(found)
    said = {"targets": said.pop("goals"), **said, "about": about}
    return _leave_losses(args, said, target_losses_view(line.name, found, about))


def _leave_losses(args: Args, said: dict[str, Any], view: Any) -> int:
    from linewright.improve.files import LOSSES  # noqa: PLC0415 - slow
    from linewright.model.load import write_whole  # noqa: PLC0415

    if args.out:
        write_whole(Path(args.out) / LOSSES, json_text(said))
    if args.json:
        print_json(said)
    else:
        show(view)
    if args.out:
        say(args, f"saved in {args.out}")
    return OK


def _losing(args: Args) -> Callable[[int, int], None] | None:
    """Return what tells how far the runs are, where somebody looks."""
    if args.quiet or not sys.stderr.isatty():
        return None

    def tell(done: int, asked: int) -> None:
        end = "\n" if done == asked else ""
        text = f"\r{done} of {asked} runs without some of the causes "
        print(text, end=end, file=sys.stderr, flush=True)

    return tell


def _about(
    args: Args, line: Line, experiment: Experiment, span: Span
) -> dict[str, Any]:
    from linewright.model.load import model_hash  # noqa: PLC0415 - slow

    return {
        "model_hash": model_hash(line),
        "seed": experiment.seed,
        "replications": experiment.replications,
        "warmup_us": span.warmup_us,
        "horizon_us": span.horizon_us,
        "confidence": args.confidence,
        "version": __version__,
    }
