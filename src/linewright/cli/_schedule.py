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
from linewright.errors import Finding, ModelError

if TYPE_CHECKING:
    from linewright.model.line import Line
    from linewright.schedule import Progress, Schedule


def run_schedule(args: Args) -> int:
    """Schedule the orders of a line."""
    line = load_line(args, args.model, args.overlay)
    if args.out:
        refuse_to_replace(Path(args.out))
    allow_pandas()  # OR-Tools needs it
    tell_compiling(args)
    schedule = _scheduled(args, line)
    if args.json:
        out = {"out": args.out} if args.out else {}
        tables = {
            "orders": _rows(schedule.orders()),
            "schedule": _rows(schedule.table()),
            "causes": _rows(schedule.causes()),
        }
        print_json({"manifest": schedule.manifest(), **tables} | out)
    else:
        from linewright.cli._schedule_view import schedule_view  # noqa: PLC0415 - slow

        show(schedule_view(schedule))
    if args.out:
        folder = schedule.save(args.out)
        _draw(args, schedule, folder)
        say(args, f"saved in {args.out}")
    return _verdict(args, schedule)


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
    from linewright.schedule import (  # noqa: PLC0415 - slow
        orders_of,
        read_former,
        read_orders,
        schedule_line,
    )
    from linewright.units import parse_duration_us  # noqa: PLC0415

    if args.from_ is not None:
        from linewright.cli._schedule_from import scheduled_from  # noqa: PLC0415

        limit_s = parse_duration_us(args.limit) / 1e6
        return scheduled_from(args, line, limit_s, _teller(args))
    dropped: tuple[Finding, ...] = ()
    orders = orders_of(line) if args.orders is None else ()
    if args.orders is not None:
        orders, dropped = read_orders(line, args.orders)
        if dropped and not args.skip_bad:
            raise ModelError(dropped)
        for finding in dropped:
            say(args, f"left out: {finding}")
    if args.frozen is not None and args.former is None:
        msg = "--frozen says what of a former schedule stays; give that with --former"
        raise ValueError(msg)
    former = None if args.former is None else read_former(args.former, line)
    objectives = tuple(name.strip() for name in args.objective.split(","))
    limit_s = parse_duration_us(args.limit) / 1e6
    return schedule_line(
        line,
        orders,
        objectives=objectives,
        limit_s=limit_s,
        workers=args.workers,
        seed=args.seed,
        former=former,
        frozen_us=0 if args.frozen is None else parse_duration_us(args.frozen),
        replications=args.replications,
        dropped=dropped,
        on_progress=_teller(args),
    )


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
