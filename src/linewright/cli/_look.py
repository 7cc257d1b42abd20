"""The verbs that look into one replication: why and trace.

Both ask for an instant, `why` for the one to look at, `trace` for the last one.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from linewright.cli._say import (
    FOUND,
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
from linewright.units import UNITS_US, parse_duration_us

if TYPE_CHECKING:
    import pyarrow as pa

    from linewright.model.line import Line


_CLOCK = re.compile(r"(?:(\d+)\s*d\s*)?(\d{1,2}):(\d\d)(?::(\d\d))?")


def run_state(args: Args) -> int:
    """Save the line as one replication has it at an instant."""
    from linewright.lower import lower, new_draws, new_state  # noqa: PLC0415 - slow
    from linewright.model.load import model_hash  # noqa: PLC0415
    from linewright.own_rules import permit  # noqa: PLC0415
    from linewright.replicate import run_until  # noqa: PLC0415
    from linewright.states import save_state  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    at_us = instant(args.at, line)
    lowered = lower(line, max(line.study.horizon, at_us))
    lowered = permit(lowered, allow_python=args.allow_python)
    seed = line.study.seed if args.seed is None else args.seed
    tell_compiling(args)
    draws = new_draws(lowered, seed, args.replication)
    _, state = run_until(lowered, new_state(lowered), draws, at_us)
    out = args.out or f"{title(args)}.npz"
    path = save_state(out, lowered, state, seed, args.replication, model_hash(line))
    now_us, wip = int(state.clock["now"][0]), int(state.clock["wip"][0])
    if args.json:
        print_json({"state": str(path), "at_us": now_us, "wip": wip, "seed": seed})
    else:
        write(f"{path}\n")
    say(args, f"{wip} parts in the line")
    return OK


def run_why(args: Args) -> int:
    """Say why something waits at an instant."""
    from linewright import tables as t  # noqa: PLC0415 - slow
    from linewright.lower import lower, new_draws, new_state  # noqa: PLC0415
    from linewright.own_rules import permit  # noqa: PLC0415
    from linewright.replicate import run_until  # noqa: PLC0415
    from linewright.why import describe_deadlock, find_entity, why  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    at_us = instant(args.at, line)
    lowered = lower(line, max(line.study.horizon, at_us))
    lowered = permit(lowered, allow_python=args.allow_python)
    find_entity(lowered, args.entity)  # a slip of the pen costs no simulation
    seed = line.study.seed if args.seed is None else args.seed
    tell_compiling(args)
    draws = new_draws(lowered, seed, args.replication)
    code, state = run_until(lowered, new_state(lowered), draws, at_us)
    text = why(lowered, state, args.entity, line)
    dead = describe_deadlock(lowered, state, line) if code == t.DEADLOCK else ""
    if args.json:
        now_us = int(state.clock["now"][0])
        about = {"entity": args.entity, "at_us": now_us, "why": text}
        print_json(about | {"deadlock": dead or None, "seed": seed})
    else:
        write(text + "\n")
        if dead:
            write(dead + "\n")
    return FOUND if dead else OK


def run_trace(args: Args) -> int:
    """Write the event log of one replication, or what concerns one unit or station."""
    from linewright.lower import lower  # noqa: PLC0415 - slow
    from linewright.model.load import model_hash  # noqa: PLC0415
    from linewright.own_rules import permit  # noqa: PLC0415
    from linewright.traces import write_trace  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    until_us = line.study.horizon if args.until is None else instant(args.until, line)
    lowered = lower(line, max(line.study.horizon, until_us))
    lowered = permit(lowered, allow_python=args.allow_python)
    seed = line.study.seed if args.seed is None else args.seed
    if args.unit or args.station:
        return _trace_some(args, line, lowered, seed, until_us)
    if not args.out:
        msg = "the whole event log goes to a file: --out log.parquet"
        raise ValueError(msg)
    tell_compiling(args)
    n_rows = write_trace(
        args.out, lowered, seed, args.replication, until_us, model_hash(line)
    )
    if args.json:
        print_json({"trace": args.out, "rows": n_rows, "seed": seed})
    else:
        write(f"{args.out}\n")
    say(args, f"{n_rows:,} rows")
    return OK


def _trace_some(args: Args, line: Line, lowered: Any, seed: int, until_us: int) -> int:
    """Trace one unit, or one station."""
    from linewright.traces import gantt, unit_life, write_table  # noqa: PLC0415

    if args.unit and args.station:
        msg = "give either --unit or --station"
        raise ValueError(msg)
    product, _, serial = (args.unit or "").rpartition(":")
    if args.unit and not (product and serial.isdecimal()):
        msg = f'"{args.unit}" is no unit; write it like frame:17'
        raise ValueError(msg)
    tell_compiling(args)
    if args.unit:
        found = unit_life(
            lowered, seed, args.replication, until_us, product, int(serial)
        )
    else:
        rows = 1 << 40
        found = gantt(lowered, seed, until_us, rows, args.station, args.replication)
    if args.out:
        write_table(args.out, found)
    if args.json:
        print_json({"rows": found.to_pylist(), "seed": seed})
    elif args.out:
        write(f"{args.out}\n")
    else:
        _show_rows(line, found)
    if not found.num_rows:
        say(args, "nothing of it happened until then")
    return OK


def _show_rows(line: Line, found: pa.Table) -> None:
    """Show a table with local times, without the columns in which nothing stands."""
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.why import local_time  # noqa: PLC0415

    heads = {"time_us": "time", "start_us": "from", "end_us": "until"}
    columns: dict[str, list[Any]] = {}
    for name in found.column_names:
        values = found[name].to_pylist()
        if name in heads:
            values = [local_time(line, value) for value in values]
        if any(value is not None for value in values):
            columns[heads.get(name, name)] = values
    texts = [
        ["" if v is None else str(v).replace("_", " ") for v in values]
        for values in columns.values()
    ]
    show(table_view(list(columns), zip(*texts, strict=True)))


def instant(text: str, line: Line) -> int:
    """Return the tick of ``3d10:42``, ``3 d 10 h`` or a local date and time.

    Raises:
        ValueError: The text is none of these, or lies before the start.
    """
    from linewright.model.calendars import to_tick  # noqa: PLC0415 - slow

    if found := _CLOCK.fullmatch(text.strip()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * UNITS_US["s"]
    try:
        at_us = to_tick(
            datetime.fromisoformat(text.strip()), line.start, line.time_zone
        )
    except ValueError:
        try:
            return parse_duration_us(text)
        except ValueError as error:
            msg = (
                f'"{text}" is no time; write it like 3d10:42, "3 d 10 h" or '
                f'"{line.start:%Y-%m-%d} 10:42"'
            )
            raise ValueError(msg) from error
    if at_us < 0:
        msg = f"{text} is before the line's start, {line.start:%Y-%m-%d %H:%M}"
        raise ValueError(msg)
    return at_us
