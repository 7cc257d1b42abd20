"""The verbs of a line that runs: run, and life of a unit in its journal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._look import instant
from linewright.cli._say import (
    OK,
    Args,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
    title,
    write,
)

if TYPE_CHECKING:
    from linewright.control.genealogy import Genealogy, Tree
    from linewright.drivers.emulated import Progress
    from linewright.model.line import Line


def run_run(args: Args) -> int:
    """Run a line, its machines played or elsewhere."""
    from linewright.cli._machines import need_opcua, run_over_opcua  # noqa: PLC0415
    from linewright.control.controller import Controller  # noqa: PLC0415
    from linewright.control.emulation import Emulation  # noqa: PLC0415 - slow
    from linewright.control.openings import journal_of  # noqa: PLC0415
    from linewright.drivers.emulated import run_emulated  # noqa: PLC0415
    from linewright.lower import lower  # noqa: PLC0415
    from linewright.model.meaning import leaves_line  # noqa: PLC0415

    _check_arguments(args)
    if not args.emulate:
        need_opcua()
    line = load_line(args, args.model, args.overlay)
    until_us = line.study.horizon if args.until is None else instant(args.until, line)
    seed = line.study.seed if args.seed is None else args.seed
    path = Path(args.journal or f"{title(args)}.journal")
    tell_compiling(args)
    lowered = lower(line, max(line.study.horizon, until_us))
    journal = journal_of(path, line, lowered, seed)
    try:
        emulation = Emulation(lowered, journal, seed) if args.emulate else None
        controller = (
            emulation.controller if emulation else Controller(lowered, journal, seed)
        )
        begun_us = controller.core.now_us
        if begun_us:
            say(args, f"goes on at {_when(line, begun_us)}, as {path} has it")
        tell = None if args.quiet else _teller(line)
        sold = [name for name in line.products if leaves_line(line, name)]
        if emulation:
            progress = run_emulated(emulation, until_us, args.speed, tell, sold=sold)
        else:
            progress = run_over_opcua(args, line, controller, until_us, tell)
        if sys.stderr.isatty() and not args.quiet:
            sys.stderr.write("\r\x1b[K")
        controller.save_snapshot()
    finally:
        journal.close()
    if args.json:
        print_json({"journal": str(path)} | _as_json(progress, seed))
    else:
        write(_told(line, progress) + f"{path}\n")
    if progress.now_us < until_us:
        is_over = not controller.core.jobs and controller.next_due_us() is None
        what = "nothing is left to do" if is_over else "run it again to go on"
        say(args, f"stopped at {_when(line, progress.now_us)}; {what}")
    return OK


def _check_arguments(args: Args) -> None:
    """Refuse what cannot be meant.

    Raises:
        ValueError: There are none or several ways to run the line, or no such speed.
    """
    ways = [args.emulate, args.opcua is not None, args.machines is not None]
    if sum(ways) != 1:
        msg = (
            "say on what it runs, by one of three: with --emulate machines are played, "
            "with --opcua ADDRESS they are reached there, with --machines FILE each "
            "where the file says"
        )
        raise ValueError(msg)
    if args.speed is not None and not args.speed > 0:
        msg = f"speed is {args.speed:g}; it is above zero"
        raise ValueError(msg)


def _when(line: Line, at_us: int) -> str:
    from linewright.model.calendars import to_local  # noqa: PLC0415 - slow

    return f"{to_local(at_us, line.start, line.time_zone):%Y-%m-%d %H:%M:%S}"


def _teller(line: Line) -> Any:
    """Return what shows on a terminal how far the line is; nothing elsewhere."""
    if not sys.stderr.isatty():
        return None

    def tell(progress: Progress) -> None:
        made = sum(progress.finished.values())
        busy = ", ".join(f"{n} {name}" for name, n in progress.servers.items())
        text = (
            f"{_when(line, progress.now_us)}  {made} finished, {progress.in_line} in "
            f"the line; servers: {busy.replace('_', ' ')}"
        )
        sys.stderr.write(f"\r\x1b[K{text[:150]}")
        sys.stderr.flush()

    return tell


def _as_json(progress: Progress, seed: int) -> dict[str, Any]:
    return {
        "now_us": progress.now_us,
        "finished": progress.finished,
        "in_line": progress.in_line,
        "servers": progress.servers,
        "records": progress.n_records,
        "alarms": progress.n_alarms,
        "seed": seed,
    }


def _told(line: Line, progress: Progress) -> str:
    rows = [f"{_when(line, progress.now_us)}"]
    rows += [f"  {n:>6} {name} finished" for name, n in progress.finished.items()]
    rows.append(f"  {progress.in_line:>6} units in the line")
    rows.append(f"  {progress.n_records:>6} records in the journal")
    if progress.n_alarms:
        rows.append(f"  {progress.n_alarms:>6} alarms")
    return "\n".join(rows) + "\n"


def run_forecast(args: Args) -> int:
    """Say when the orders of a running line will be done."""
    from linewright.control.forecast import (  # noqa: PLC0415 - slow
        forecast,
        order_rows,
        product_rows,
    )
    from linewright.control.openings import standing  # noqa: PLC0415

    if args.replications < 1:
        msg = f"replications is {args.replications}; it is one or more"
        raise ValueError(msg)
    tell_compiling(args)
    found = standing(args.journal)
    line, core = found.line, found.core
    until_us = line.study.horizon if args.until is None else instant(args.until, line)
    if until_us <= core.now_us:
        msg = f"the line is at {_when(line, core.now_us)} already; look further ahead"
        raise ValueError(msg)
    seed = found.opening.seed if args.seed is None else args.seed
    future = forecast(core, found.lowered, until_us, args.replications, seed)
    rows, products = order_rows(line, core, future), product_rows(line, core, future)
    if args.json:
        about = {
            "now_us": core.now_us,
            "until_us": until_us,
            "replications": args.replications,
            "seed": seed,
            "model_hash": found.opening.model_hash,
        }
        print_json(about | {"orders": rows, "products": products})
        return OK
    if rows:
        _show_orders(line, rows)
    _show_products(products, _when(line, until_us))
    write(
        f"From {_when(line, core.now_us)}, {args.replications} futures, seed {seed}, "
        f"model {found.opening.model_hash[:12]}\n"
    )
    return OK


def _show_products(rows: list[dict[str, Any]], until: str) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    heads = ["product", "finished", "50 %", "80 %", "95 %"]
    show(table_view(heads, [[str(value) for value in row.values()] for row in rows]))
    write(f"At least so many will have left by {until}, with that probability\n")


def _show_orders(line: Line, rows: list[dict[str, Any]]) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    texts = []
    for row in rows:
        dates = [
            "later" if row[key] is None else _when(line, row[key])[:16]
            for key in ("p50_us", "p80_us", "p95_us")
        ]
        chance = ""
        if row["on_time"] is not None:
            chance = f"{row['on_time']:.0%} ({row['low']:.0%} to {row['high']:.0%})"
        done = f"{row['done']} of {row['quantity']} {row['product']}"
        texts.append((row["order"], done, *dates, chance))
    heads = ["order", "done", "50 %", "80 %", "95 %", "on time"]
    show(table_view(heads, texts))


def run_life(args: Args) -> int:
    """Say what became of a unit, as the journal has it."""
    from linewright.control.genealogy import Genealogy  # noqa: PLC0415 - slow

    book = Genealogy(args.journal)
    try:
        unit = book.unit(args.unit)
        tree = book.went_into(unit) if args.up else book.made_of(unit)
        life = book.life(unit)
        if args.json:
            about = {
                "unit": str(unit),
                "model_hash": book.opening.model_hash,
                "life": [step._asdict() for step in life],
                "went_into" if args.up else "made_of": _tree_json(tree),
            }
            print_json(about)
        else:
            _show_life(book, tree, args)
    finally:
        book.close()
    return OK


def _tree_json(tree: Tree) -> dict[str, Any]:
    below = [_tree_json(one) for one in tree.below]
    return {"unit": str(tree.unit), "fate": tree.fate, "units": below}


def _show_life(book: Genealogy, tree: Tree, args: Args) -> None:
    from datetime import datetime  # noqa: PLC0415 - slow

    from linewright.console import table_view  # noqa: PLC0415
    from linewright.control.genealogy import flat  # noqa: PLC0415
    from linewright.model.calendars import to_local  # noqa: PLC0415

    start = datetime.fromisoformat(book.opening.start)
    zone = book.opening.time_zone
    rows = [
        (
            f"{to_local(step.at_us, start, zone):%Y-%m-%d %H:%M:%S}",
            step.what,
            step.operation,
            step.place,
            step.detail,
        )
        for step in book.life(tree.unit)
    ]
    show(table_view(["time", "what", "operation", "where", ""], rows))
    write("went into\n" if args.up else "made of\n")
    for depth, unit, fate in flat(tree):
        write(f"{'  ' * (depth + 1)}{unit}, {fate}\n")
