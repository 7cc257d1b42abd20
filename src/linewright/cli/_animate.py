"""The verb animate: one replication as a page that plays it."""

from __future__ import annotations

from pathlib import Path

from linewright.cli._look import instant
from linewright.cli._say import (
    FOUND,
    OK,
    Args,
    load_line,
    print_json,
    say,
    tell_compiling,
    title,
    write,
)


def run_animate(args: Args) -> int:
    """Write a page on which one replication of the line can be watched."""
    from linewright.report.animation import (  # noqa: PLC0415 - slow
        animate,
        write_animation,
    )
    from linewright.units import parse_duration_us  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    from_us = 0 if args.from_time is None else instant(args.from_time, line)
    length_us = None if args.length is None else parse_duration_us(args.length)
    out = Path(args.out or f"{title(args)}-animation.html")
    tell_compiling(args)
    made = animate(
        line,
        from_us=from_us,
        until_us=None if length_us is None else from_us + length_us,
        seed=args.seed,
        replication=args.replication,
        speed=args.speed,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    path = write_animation(made, out)
    if args.json:
        about = {"animation": str(path), "from_us": made.from_us}
        about |= {"until_us": made.until_us, "asked_us": made.asked_us}
        about |= {"changes": made.changes, "stuck": made.is_stuck}
        print_json(about | {"notice": made.notice})
    else:
        write(f"{path}\n")
    say(args, made.notice or f"{made.changes:,} changes")
    return FOUND if made.is_stuck else OK
