"""What is left of a line that runs, scheduled from how its journal has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from linewright.cli._say import Args
from linewright.errors import LinewrightError, ModelError

if TYPE_CHECKING:
    from linewright.errors import Finding
    from linewright.model.line import Line
    from linewright.schedule import Progress, Schedule
    from linewright.schedule.following import Plan
    from linewright.schedule.orders import DatedOrder

_MOST_CHANGES = 12


def scheduled_from(
    args: Args, line: Line, limit_s: float, tell: Callable[[Progress], None]
) -> Schedule:
    """Return a schedule of what is left, from how a journal has the line now.

    Raises:
        LinewrightError: It is no journal of a line that follows a schedule, or is one
            of another model; or there is no schedule.
        ModelError: Orders or the former schedule cannot be read; with all findings.
    """
    from linewright.control.openings import standing  # noqa: PLC0415 - slow
    from linewright.control.present import (  # noqa: PLC0415
        begun_of,
        going_on,
        present,
    )
    from linewright.schedule.rescheduling import reschedule_line  # noqa: PLC0415
    from linewright.units import parse_duration_us  # noqa: PLC0415

    _refuse_what_does_not_go_with_it(args)
    found = standing(args.from_)
    core, by = found.core, found.core.by_schedule
    if by is None:
        msg = (
            f"{args.from_} is of a line that was begun without a schedule: its parts "
            "are of no schedule that could be made anew; schedule its orders without "
            "--from, and begin a journal with run --schedule"
        )
        raise LinewrightError(msg)
    _require_its_line(args.from_, found.line, line)
    if not by.hash:
        msg = f"{args.from_} follows no schedule yet; give one to run --schedule"
        raise LinewrightError(msg)
    former = by.plan if args.former is None else _former(args.former, line)
    seed = found.opening.seed
    now = present(core, begun_of(args.from_), seed)
    until_us = found.line.study.horizon
    return reschedule_line(
        line,
        now,
        former,
        _more(args, line, set(by.orders)),
        going_on=going_on(core, line, until_us, seed),
        objectives=tuple(name.strip() for name in args.objective.split(",")),
        limit_s=limit_s,
        workers=args.workers,
        seed=args.seed,
        frozen_us=0 if args.frozen is None else parse_duration_us(args.frozen),
        on_progress=tell,
    )


def _refuse_what_does_not_go_with_it(args: Args) -> None:
    if args.replications:
        msg = (
            "--replications does not go with --from: hand the schedule in, and "
            "linewright forecast says how likely each order is in time"
        )
        raise ValueError(msg)
    if Path(args.from_).suffix == ".npz":
        msg = (
            f"{args.from_} is a state of a simulation, whose parts are of no schedule; "
            "--from takes a journal of run --schedule"
        )
        raise ValueError(msg)


def _require_its_line(journal: str, found: Line, line: Line) -> None:
    from linewright.model.diff import diff  # noqa: PLC0415 - slow
    from linewright.model.load import model_hash  # noqa: PLC0415

    if model_hash(found) == model_hash(line):
        return
    changes = diff(found, line)
    shown = "".join(f"\n  {one}" for one in changes[:_MOST_CHANGES])
    if (more := len(changes) - _MOST_CHANGES) > 0:
        shown += f"\n  and {more} more"
    msg = f"{journal} is the journal of another model. What is different here:{shown}"
    raise LinewrightError(msg)


def _former(path: str, line: Line) -> Plan:
    from linewright.schedule import read_former  # noqa: PLC0415 - slow
    from linewright.schedule.following import plan_of  # noqa: PLC0415

    return plan_of(read_former(path, line), line)


def _more(args: Args, line: Line, known: set[str]) -> tuple[DatedOrder, ...]:
    """Return the orders that are in no schedule yet, of a file or of the model."""
    orders, _ = wanted_orders(args, line)
    return tuple(order for order in orders if order.id not in known)


def wanted_orders(
    args: Args, line: Line
) -> tuple[tuple[DatedOrder, ...], tuple[Finding, ...]]:
    """Return the orders of a file, or of the model, and what was left out.

    Raises:
        ModelError: Some are wrong, and it was not said to skip them.
    """
    from linewright.cli._say import say  # noqa: PLC0415 - beside its use
    from linewright.schedule import orders_of, read_orders  # noqa: PLC0415 - slow

    if args.orders is None:
        return orders_of(line), ()
    orders, dropped = read_orders(line, args.orders)
    if dropped and not args.skip_bad:
        raise ModelError(dropped)
    for finding in dropped:
        say(args, f"left out: {finding}")
    return orders, dropped
