"""The verb schedule: which order, where and when, with a bound."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from linewright.cli._say import (
    FOUND,
    INTERRUPTED,
    OK,
    Args,
    allow_pandas,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
)
from linewright.cli._study import refuse_to_replace
from linewright.errors import LinewrightError

if TYPE_CHECKING:
    from linewright.model.line import Line
    from linewright.schedule import Progress, Schedule
    from linewright.schedule.scheduling import Task


def run_schedule(args: Args) -> int:
    """Schedule the orders of a line."""
    line = load_line(args, args.model, args.overlay)
    if args.out:
        refuse_to_replace(Path(args.out))
    _require_sense(args)
    allow_pandas()  # OR-Tools needs it
    tell_compiling(args)
    schedule = _scheduled(args, line)
    if args.json:
        out = {"out": args.out} if args.out else {}
        tables = {name: _rows(table) for name, table in schedule.tables().items()}
        print_json({"manifest": schedule.manifest(), **tables} | out)
    else:
        from linewright.cli._schedule_view import schedule_view  # noqa: PLC0415 - slow

        show(schedule_view(schedule))
    if args.out:
        folder = schedule.save(args.out)
        _draw(args, schedule, folder)
        say(args, f"saved in {args.out}")
    for file in args.export:
        schedule.write(file)
        say(args, f"written to {file}")
    return _verdict(args, schedule)


def _require_sense(args: Args) -> None:
    """Refuse what would only be found to be wrong after a long search.

    Raises:
        ValueError: An argument is out of its range.
        LinewrightError: What it takes to write a workbook is not installed.
    """
    from linewright.schedule.scheduling import require_ending  # noqa: PLC0415 - slow

    for file in args.export:
        require_ending(file)
        if Path(file).suffix.lower() == ".xlsx":
            require_excel()
    if args.candidates is None and args.indifference is not None:
        msg = "--indifference is for the choice between --candidates; give that, too"
        raise ValueError(msg)
    if args.candidates is not None and args.candidates < 2:
        msg = f"--candidates {args.candidates}: a choice needs 2 or more"
        raise ValueError(msg)
    _indifference(args)


def require_excel() -> None:
    """Raise where workbooks cannot be written.

    Raises:
        LinewrightError: They cannot; with what to install.
    """
    if importlib.util.find_spec("xlsxwriter") is None:
        msg = "workbooks need: pip install 'linewright[excel]'"
        raise LinewrightError(msg)


def _indifference(args: Args) -> float | None:
    """Return the difference that counts: a share of the orders, or microseconds."""
    from linewright.units import parse_duration_us  # noqa: PLC0415

    text = args.indifference
    if text is None:
        return None
    if args.by == "tardiness":
        return float(parse_duration_us(text))
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if "%" in text else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        msg = f'--indifference "{text}": allowed is a share of the orders, such as 1%'
        raise ValueError(msg)
    return share


def _draw(args: Args, schedule: Schedule, folder: Path) -> None:
    """Write the Gantt chart beside the tables, where there is what it takes."""
    if importlib.util.find_spec("jinja2") is None:
        say(args, "no gantt.html: it needs pip install 'linewright[brief]'")
        return
    from linewright.cli._schedule_page import shown_schedule  # noqa: PLC0415
    from linewright.report.gantt import write_gantt  # noqa: PLC0415 - slow

    write_gantt(shown_schedule(schedule), folder / "gantt.html")


def _rows(table: object) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = table.to_pylist()  # type: ignore[attr-defined]
    return [{name: _text(value) for name, value in row.items()} for row in rows]


def _text(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _scheduled(args: Args, line: Line) -> Schedule:
    from linewright.cli._schedule_from import (  # noqa: PLC0415
        scheduled_from,
        wanted_orders,
    )
    from linewright.schedule import read_former  # noqa: PLC0415 - slow
    from linewright.schedule.scheduling import Task  # noqa: PLC0415 - slow
    from linewright.units import parse_duration_us  # noqa: PLC0415

    if args.from_ is not None:
        limit_s = parse_duration_us(args.limit) / 1e6
        return scheduled_from(args, line, limit_s, _teller(args))
    orders, dropped = wanted_orders(args, line)
    if args.replications < 0:
        msg = f"--replications {args.replications}: allowed is 0 or more"
        raise ValueError(msg)
    if args.frozen is not None and args.former is None:
        msg = "--frozen says what of a former schedule stays; give that with --former"
        raise ValueError(msg)
    former = None if args.former is None else read_former(args.former, line)
    objectives = tuple(name.strip() for name in args.objective.split(","))
    limit_s = parse_duration_us(args.limit) / 1e6
    task = Task(
        line,
        orders,
        objectives=objectives,
        limit_s=limit_s,
        workers=args.workers,
        seed=args.seed,
        former=former,
        frozen_us=0 if args.frozen is None else parse_duration_us(args.frozen),
        dropped=dropped,
        on_progress=_teller(args),
    )
    if args.candidates is not None:
        return _chosen(args, task, limit_s)
    return task.explained(task.searched(), replications=args.replications)


def _chosen(args: Args, task: Task, limit_s: float) -> Schedule:
    """Return the best of several schedules."""
    from linewright.improve.schedules import choose_schedule  # noqa: PLC0415 - slow

    choice = choose_schedule(
        task,
        args.candidates,
        by=args.by,
        indifference=_indifference(args),
        confidence=args.confidence,
        most=args.most,
        replications=args.replications or 100,
        limit_s=limit_s,
        on_candidate=lambda name: say(args, f"candidate: {name}"),
    )
    return choice.schedule


def _teller(args: Args) -> Callable[[Progress], None]:
    """Return what shows how far the search is, twice a second at most."""
    told: list[float] = []

    def tell(progress: Progress) -> None:
        if not args.quiet and (not told or progress.seconds - told[-1] >= 0.5):
            told.append(progress.seconds)
            say(args, progress.line())

    return tell


def _verdict(args: Args, schedule: Schedule) -> int:
    """Return the exit code that a schedule calls for, and say why it is not 0."""
    if schedule.different:
        n = len(schedule.different)
        text = f"executed without chance, {n} operations come otherwise than scheduled"
        print(text, file=sys.stderr)
    if schedule.interrupted:
        say(args, "interrupted; this is the best so far")
        return INTERRUPTED
    is_late = any(row["late_s"] > 0 for row in schedule.orders().to_pylist())
    return (
        FOUND if schedule.dropped or is_late or schedule.status == "dispatched" else OK
    )
