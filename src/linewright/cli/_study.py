"""The verbs that simulate one line: simulate and brief.

`simulated` is how every verb comes from a line to a result, and `verdict` how a result
becomes an exit code.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._say import (
    FOUND,
    INTERRUPTED,
    OK,
    Args,
    engine_of,
    is_result,
    json_text,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
    title,
    write,
)
from linewright.errors import ResultError
from linewright.units import UNITS_US

if TYPE_CHECKING:
    from linewright.fit.carrying import Open
    from linewright.fit.writing import Evidence
    from linewright.model.line import Line
    from linewright.plan.outcome import Plan
    from linewright.report.facts import Found
    from linewright.report.gantt.scene import Schedule
    from linewright.results import Result

GANTT_SPAN_US = 7 * UNITS_US["d"]
GANTT_ROWS = 5_000
CARRIED = "carried.json"

_STUDY_OPTIONS = (
    "horizon", "replications", "warmup", "seed", "study", "precision", "confidence",
    "units", "workers", "start_from", "allow_python",
)  # fmt: skip


def options_of(args: Args) -> dict[str, Any]:
    """Return the arguments that `simulate` takes."""
    return {name: getattr(args, name) for name in _STUDY_OPTIONS}


def run_simulate(args: Args) -> int:
    """Simulate a line, show the result and save it."""
    from linewright.console import result_view  # noqa: PLC0415 - slow

    line = load_line(args, args.model, args.overlay)
    out = Path(args.out or Path("results") / title(args))
    refuse_to_replace(out)
    inputs = _open(args, line) if args.carry else None
    result = simulated(args, line, options_of(args))
    if not args.json:
        show(result_view(result))
    carried = {} if inputs is None else _carried(args, line, result, inputs)
    if args.json:
        print_json(_result_json(result) | {"out": str(out), **carried})
    result.save(out)
    if carried:
        from linewright.model.load import write_whole  # noqa: PLC0415 - slow

        write_whole(out / CARRIED, json_text(carried))
    say(args, f"saved in {out}")
    return verdict(args, result)


def _open(args: Args, line: Line) -> Open:
    """Return what the evidence beside a fitted model leaves open of its inputs.

    Raises:
        ResultError: There is none.
    """
    from linewright.cli._fit import evidence_of_model  # noqa: PLC0415 - slow
    from linewright.fit.carrying import check_draws, open_in  # noqa: PLC0415
    from linewright.fit.writing import evidence_path  # noqa: PLC0415

    check_draws(args.carry)
    evidence = evidence_of_model(args, line)
    if evidence is None:
        msg = (
            f"--carry needs the evidence of a fitted model, and there is no "
            f"{evidence_path(args.model)}; `linewright fit --out` writes it"
        )
        raise ResultError(msg)
    inputs = open_in(line, evidence)
    if inputs.changed:
        shown = ", ".join(inputs.changed[:4])
        more = f" and {len(inputs.changed) - 4} more" if len(inputs.changed) > 4 else ""
        say(args, f"changed since, and taken as known: {shown}{more}")
    return inputs


def _carried(args: Args, line: Line, result: Result, inputs: Open) -> dict[str, Any]:
    from linewright.cli._fit import told_carried  # noqa: PLC0415 - slow
    from linewright.fit.carrying import carry  # noqa: PLC0415

    say(args, f"simulating {args.carry} models as they may be, given the records")
    options = options_of(args)
    seed = options.pop("seed") or line.study.seed
    out = carry(line, inputs, draws=args.carry, seed=seed, own=result, options=options)
    return {"carried": told_carried(args, out)}


def refuse_to_replace(out: Path) -> None:
    """Raise before the work where the result could not be saved after it."""
    if not out.exists() or (out / "manifest.json").is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        msg = f"{out} exists and is not a result; choose another name with --out"
        raise ResultError(msg)


def simulated(args: Args, line: Line, options: dict[str, Any]) -> Result:
    """Simulate with a progress bar; the chart of the first hours is filled in."""
    from linewright.console import ProgressBar  # noqa: PLC0415 - slow
    from linewright.simulate import simulate  # noqa: PLC0415

    if args.workers is not None and args.workers < 1:
        msg = f"workers is {args.workers}; it is one or more"
        raise ValueError(msg)
    tell_compiling(args)
    stream = Path(os.devnull).open("w") if args.quiet else sys.stderr  # noqa: SIM115
    try:
        bar = ProgressBar(stream, line.name, options["precision"])
        with engine_of(args) as engine, bar:
            result = simulate(line, on_progress=bar, engine=engine, **options)
    finally:
        if args.quiet:
            stream.close()
    if args.start_from:
        return result  # the chart is of the first days of the empty line
    return _with_gantt(args, line, result)


def _with_gantt(args: Args, line: Line, result: Result) -> Result:
    from linewright.lower import lower  # noqa: PLC0415 - slow
    from linewright.own_rules import permit  # noqa: PLC0415
    from linewright.traces import gantt  # noqa: PLC0415

    m = result.manifest
    lowered = permit(lower(line, m["horizon_us"]), allow_python=args.allow_python)
    span_us = min(m["horizon_us"], GANTT_SPAN_US)
    chart = gantt(lowered, m["seed"], span_us, GANTT_ROWS + len(lowered.names.servers))
    return dataclasses.replace(result, tables={**result.tables, "gantt": chart})


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "manifest": result.manifest,
        "summary": result.table("summary").to_pylist(),
        "checks": {
            "ok": not result.failed_checks,
            "count": result.table("checks").num_rows,
            "failed": result.failed_checks,
        },
    }


def verdict(args: Args, *results: Result) -> int:
    """Return the exit code that results call for, and say why it is not 0."""
    code = OK
    for result in results:
        m = result.manifest
        if result.failed_checks:
            n = len(result.failed_checks)
            print(f"SELF-CHECK FAILED: {n} laws are broken", file=sys.stderr)
            code = FOUND
        if m["standstill"]:
            print("the line stood still with parts in it", file=sys.stderr)
            code = FOUND
    for result in results:
        m = result.manifest
        if m["stopped_early"]:
            done, asked = m["replications"], m["replications_asked"]
            print(f"interrupted after {done} of {asked} replications", file=sys.stderr)
            return INTERRUPTED
    return code


def run_brief(args: Args) -> int:
    """Write the brief of a result, or of a model that is simulated first."""
    from linewright.model.load import model_hash  # noqa: PLC0415 - slow
    from linewright.report import write_brief  # noqa: PLC0415
    from linewright.results import Result  # noqa: PLC0415

    if is_result(args.model):
        result = Result.load(args.model)
        found = _found(args, str(result.manifest["model_hash"]))
        out = Path(args.out or Path(args.model) / "brief.html")
    else:
        line = load_line(args, args.model, args.overlay)
        found = _found(args, model_hash(line))
        out = Path(args.out or f"{title(args)}.html")
        out.parent.mkdir(parents=True, exist_ok=True)
        found = dataclasses.replace(found, inputs=_inputs(args, line))
        result = simulated(args, line, options_of(args))
    path = write_brief(result, out, found)
    if args.json:
        print_json({"brief": str(path), "manifest": result.manifest})
    else:
        write(f"{path}\n")
    return verdict(args, result)


def _found(args: Args, model_hash: str) -> Found:
    """Return what other verbs left: where it was said, or in the result folder.

    Decisions lie beside the model. All of it must be about this model.
    """
    from linewright.improve.decisions import read_ledger  # noqa: PLC0415 - slow
    from linewright.improve.files import (  # noqa: PLC0415
        BOTTLENECK,
        LOSSES,
        PROPOSAL,
        read_bottleneck,
        read_improvement,
        read_losses,
    )
    from linewright.report.facts import Found  # noqa: PLC0415

    saved = is_result(args.model)
    holds = args.bottleneck or _lies_in(args.model, BOTTLENECK)
    better = args.improvement or _lies_in(args.model, PROPOSAL)
    lost = args.losses or _lies_in(args.model, LOSSES)
    decisions = [] if saved else read_ledger(Path(args.model).parent)
    return Found(
        read_bottleneck(holds, model_hash) if holds else None,
        read_improvement(better, model_hash) if better else None,
        tuple(decisions),
        _plan_of(args.plan, model_hash) if args.plan else None,
        read_losses(lost, model_hash) if lost else None,
        "MODEL" if saved else args.model,
        better or "PROPOSAL",
        schedule=_schedule_of(args.schedule, model_hash) if args.schedule else None,
    )


def _inputs(args: Args, line: Line) -> Evidence | None:
    """Return what the inputs of a fitted model rest on, if it is still that model."""
    from linewright.fit.writing import read_evidence  # noqa: PLC0415 - slow

    found = read_evidence(args.model, line)
    if found is not None and found.is_changed:
        say(args, f"{found.path} is of another model, and left out")
        return None
    return found


def _plan_of(folder: str, model_hash: str) -> Plan:
    """Return a plan that is about a model."""
    from linewright.plan.outcome import Plan  # noqa: PLC0415 - slow

    plan = Plan.load(folder)
    found = str(plan.manifest["model_hash"])
    if found != model_hash:
        msg = (
            f"{folder} is about another model: it is about {found[:12]}, the brief "
            f"about {model_hash[:12]}; run `linewright plan` again"
        )
        raise ResultError(msg)
    return plan


def _schedule_of(folder: str, model_hash: str) -> Schedule:
    from linewright.cli._schedule_saved import saved_schedule  # noqa: PLC0415 - slow

    return saved_schedule(folder, model_hash)


def _lies_in(folder: str, name: str) -> str:
    """Return a result folder if it holds a file, else nothing."""
    return folder if (Path(folder) / name).is_file() else ""
