"""A schedule for a line that runs: read, held against its model, and handed in."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from linewright.cli._say import Args, say
from linewright.errors import Finding, LinewrightError, ModelError

if TYPE_CHECKING:
    from linewright.control.controller import Controller
    from linewright.lower import Lowered
    from linewright.model.line import Line
    from linewright.schedule.following import Plan, Wrong

_MOST_CHANGES = 12


def read_plan(path: str, line: Line, lowered: Lowered) -> Plan:
    """Return the schedule in a folder or file, as a line can follow it.

    Args:
        path: A folder that `linewright schedule --out` wrote, or a CSV or Parquet file.
        line: The line.
        lowered: The same, laid out to follow.

    Raises:
        LinewrightError: It is a schedule of another model.
        ModelError: It cannot be read or followed; with a finding for each row.
    """
    from linewright.schedule.following import (  # noqa: PLC0415 - slow
        plan_of,
        wrong_amounts,
        wrong_with,
    )
    from linewright.schedule.scheduling import read_former  # noqa: PLC0415

    if os.path.isdir(path):
        _require_its_model(Path(path), line)
    plan = plan_of(read_former(path, line), line)
    wrong = wrong_with(plan, lowered) or list(wrong_amounts(plan, line))
    if wrong:
        raise ModelError([_finding(path, one) for one in wrong])
    return plan


def _finding(path: str, one: Wrong) -> Finding:
    """Return a finding at its line of a CSV file, or its row of a Parquet file."""
    head = 2 if Path(path).suffix.lower() == ".csv" else 1
    row = max(one.row, 0) + head
    return Finding("LW530", one.text, "error", path, row, 1, help=one.help)


def _require_its_model(folder: Path, line: Line) -> None:
    """Refuse the folder of a schedule that was made of another model."""
    from linewright.model.diff import diff  # noqa: PLC0415 - slow
    from linewright.model.load import loads, model_hash  # noqa: PLC0415

    try:
        about = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        found = about["model_hash"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{folder} is not the folder of a schedule: {error}"
        raise LinewrightError(msg) from error
    if found == model_hash(line):
        return
    file = folder / "model.json"
    text = file.read_text(encoding="utf-8")
    changes = diff(loads(text, file=str(file)), line)
    shown = "".join(f"\n  {one}" for one in changes[:_MOST_CHANGES])
    if (more := len(changes) - _MOST_CHANGES) > 0:
        shown += f"\n  and {more} more"
    msg = f"{folder} is a schedule of another model, {found[:12]}; this is "
    msg += f"{model_hash(line)[:12]}. What is different here:{shown}"
    raise LinewrightError(msg)


def follow_from_now(args: Args, controller: Controller, plan: Plan) -> None:
    """Let a line begin with a schedule, if it does not follow it already.

    Raises:
        LinewrightError: It follows another one, or refuses this one.
    """
    from linewright.control.asking import Request  # noqa: PLC0415 - slow

    by = controller.core.by_schedule
    assert by is not None
    if by.hash == plan.hash():
        return
    if by.hash:
        msg = (
            f"the line follows schedule {by.hash[:12]}, and {args.schedule} is "
            f"{plan.hash()[:12]}; run it without --schedule, and hand the new one in "
            f"with linewright reschedule"
        )
        raise LinewrightError(msg)
    key, why = f"schedule {plan.hash()}", f"it was begun with {args.schedule}"
    request = Request(key, "schedule", getpass.getuser(), why[:500], plan.data())
    outcome = controller.ask(request, controller.core.now_us)
    controller.flush()
    if not outcome.is_accepted:
        raise LinewrightError(outcome.text)
    say(args, outcome.text)
