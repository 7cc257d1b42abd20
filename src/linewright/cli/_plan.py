"""The verb plan: whether targets are met, when, and how much of what in each period."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from linewright.cli._say import (
    FOUND,
    INTERRUPTED,
    OK,
    Args,
    engine_of,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
)
from linewright.cli._study import refuse_to_replace

if TYPE_CHECKING:
    from linewright.model.line import Line
    from linewright.plan.outcome import Plan
    from linewright.plan.planning import Progress
    from linewright.plan.quantities import QuantityPlan

_TABLES = (
    "quantities", "goals", "capacity", "overtime", "setups", "investments",
    "conflict", "relaxations", "clearing",
)  # fmt: skip
_OF_CHANCE = {
    "replications": "--replications",
    "precision": "--precision",
    "start_from": "--from",
    "actual": "--actual",
    "promises": "--promise",
}
"""Arguments that ask for chances, and how they are written."""

_OF_QUANTITIES = {
    "time_limit": "--time-limit",
    "options": "--options",
    "congestion": "--congestion",
}
"""Arguments that ask for quantities, and how they are written."""


def run_plan(args: Args) -> int:
    """Say whether the targets of a line will be met."""
    from linewright.console import plan_view  # noqa: PLC0415 - slow

    if args.quantities:
        return _run_quantities(args)
    _refuse(args, _OF_QUANTITIES, "goes with --quantities only")
    line = load_line(args, args.model, args.overlay)
    if args.workers is not None and args.workers < 1:
        msg = f"workers is {args.workers}; it is one or more"
        raise ValueError(msg)
    if args.out:
        refuse_to_replace(Path(args.out))
    plan = _planned(args, line)
    if args.json:
        names = ("goals", "capacity", "asked", "fan", "promises", "readiness")
        tables = {name: plan.rows(name) for name in names}
        out = {"out": args.out} if args.out else {}
        print_json({"manifest": plan.manifest, **tables} | out)
    else:
        show(plan_view(plan))
    if args.out:
        plan.save(args.out)
        say(args, f"saved in {args.out}")
    return _verdict(plan)


def _refuse(args: Args, names: dict[str, str], why: str) -> None:
    """Raise where an argument is given that has no meaning here."""
    wrong = [written for name, written in names.items() if getattr(args, name)]
    if wrong:
        raise ValueError("; ".join(f"{written} {why}" for written in wrong))


def _run_quantities(args: Args) -> int:
    """Plan how much of what in each period."""
    from linewright.console import quantities_view  # noqa: PLC0415 - slow

    _refuse(args, _OF_CHANCE, "asks for chances and does not go with --quantities")
    line = load_line(args, args.model, args.overlay)
    if args.out:
        refuse_to_replace(Path(args.out))
    plan = _quantities(args, line)
    if args.json:
        out = {"out": args.out} if args.out else {}
        tables = {name: plan.rows(name) for name in _TABLES}
        print_json({"manifest": plan.manifest, **tables} | out)
    else:
        show(quantities_view(plan))
    if args.out:
        plan.save(args.out)
        say(args, f"saved in {args.out}")
    return OK if plan.status in {"optimal", "feasible"} else FOUND


def _quantities(args: Args, line: Line) -> QuantityPlan:
    from linewright.plan.feasible import plan_quantities  # noqa: PLC0415
    from linewright.units import parse_duration_us  # noqa: PLC0415

    factor = 1.0 if args.goal is None else _factor(args.goal)
    limit = (
        60.0 if args.time_limit is None else parse_duration_us(args.time_limit) / 1e6
    )
    return plan_quantities(line, horizon=args.horizon, factor=factor, time_limit=limit)


def _factor(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        msg = f'goal is "{text}"; with --quantities it is a factor, such as 1.2'
        raise ValueError(msg) from None


def _planned(args: Args, line: Line) -> Plan:
    from linewright.console import ProgressBar  # noqa: PLC0415 - slow
    from linewright.plan.planning import Promise, plan_line  # noqa: PLC0415

    if not line.targets:
        msg = f'"{line.name}" has no targets; add targets to the model'
        raise ValueError(msg)
    tell_compiling(args)
    stream = Path(os.devnull).open("w") if args.quiet else sys.stderr  # noqa: SIM115
    goal = "" if args.precision is None else f" \u2192 \u00b1{args.precision:.2g}"

    def tell(progress: Progress) -> None:
        width = f"\u00b1{progress.widest.half_width:.2g}{goal}"
        bar.show(progress.done, progress.asked, width)

    try:
        with engine_of(args) as engine, ProgressBar(stream, line.name, None) as bar:
            return plan_line(
                line,
                horizon=args.horizon,
                replications=args.replications,
                seed=args.seed,
                precision=args.precision,
                confidence=args.confidence,
                workers=args.workers,
                engine=engine,
                start_from=args.start_from,
                actual=args.actual,
                promises=[Promise(*one) for one in args.promises],
                goal=args.goal,
                allow_python=args.allow_python,
                on_progress=tell,
            )
    finally:
        if args.quiet:
            stream.close()


def _verdict(plan: Plan) -> int:
    """Return the exit code that a plan calls for, and say why it is not 0."""
    code, m = OK, plan.manifest
    if plan.failed_checks:
        n = len(plan.failed_checks)
        print(f"SELF-CHECK FAILED: {n} laws are broken", file=sys.stderr)
        code = FOUND
    if m["standstill"]:
        print("the line stood still with parts in it", file=sys.stderr)
        code = FOUND
    if m["stopped_early"]:
        done, asked = m["replications"], m["replications_asked"]
        print(f"interrupted after {done} of {asked} replications", file=sys.stderr)
        return INTERRUPTED
    return code
