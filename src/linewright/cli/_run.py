"""The verbs of a line that runs: run, and forecast of its orders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from linewright.cli._look import instant
from linewright.cli._say import (
    INTERRUPTED,
    OK,
    Args,
    load_line,
    print_json,
    say,
    say_stalled,
    show,
    tell_compiling,
    title,
    write,
)

if TYPE_CHECKING:
    from linewright.control.journal import Opening, SqliteJournal
    from linewright.control.places import Place
    from linewright.control.postgres import PostgresJournal
    from linewright.drivers.emulated import Progress
    from linewright.drivers.inbox import Inbox
    from linewright.lower import Lowered
    from linewright.model.line import Line
    from linewright.schedule.following import Plan


_PASSWORD_IS_SEEN = (
    "others on this computer can see the password of the address in its list of "
    "processes; ~/.pgpass hides it"
)


_RELEASE = (
    'release it on the live page or with `linewright decide JOURNAL "gate:NAME" '
    "released --reason ...`; the line's time stands still until then"
)


def _place(args: Args) -> Place:
    """Return where the journal is."""
    from linewright.control.places import PgPlace, place_of  # noqa: PLC0415 - slow

    place = place_of(args.journal or f"{title(args)}.journal")
    if isinstance(place, PgPlace) and place.has_password:
        say(args, _PASSWORD_IS_SEEN)
    return place


def run_run(args: Args) -> int:
    """Run a line, its machines played or elsewhere."""
    from linewright.control.openings import (  # noqa: PLC0415 - slow
        follows_at,
        journal_of,
    )
    from linewright.drivers.inbox import Inbox, put_aside  # noqa: PLC0415

    _check_run(args)
    line = load_line(args, args.model, args.overlay)
    until_us = line.study.horizon if args.until is None else instant(args.until, line)
    seed = line.study.seed if args.seed is None else args.seed
    place = _place(args)
    follows = args.schedule is not None or bool(follows_at(place))
    lowered = _laid_out(args, line, until_us, follows=follows)
    plan = None
    if args.schedule is not None:
        from linewright.cli._follow import read_plan  # noqa: PLC0415 - slow

        plan = read_plan(args.schedule, line, lowered)
    if isinstance(place, Path) and not place.exists():
        put_aside(place)
    journal = journal_of(place, line, lowered, seed)
    inbox = Inbox(place)
    try:
        running = _Running(args, line, lowered, journal, inbox, seed, until_us, plan)
        progress, is_over = _run_line(running)
    except KeyboardInterrupt:  # while the journal was read, before anything went on
        say(args, f"interrupted at the start; {journal.name} holds what it held")
        return INTERRUPTED
    finally:
        inbox.close()
        journal.close()
    if args.json:
        print_json({"journal": journal.name} | _as_json(progress, seed))
    else:
        write(_told(line, progress) + f"{journal.name}\n")
    if inbox.trouble:
        say(args, f"nobody could ask for anything: {inbox.trouble}")
    if progress.now_us < until_us:
        what = "nothing is left to do" if is_over else "run it again to go on"
        say(args, f"stopped at {_when(line, progress.now_us)}; {what}")
    return OK


def _check_run(args: Args) -> None:
    from linewright.cli._machines import need_opcua  # noqa: PLC0415 - slow

    _check_arguments(args)
    if not args.emulate:
        need_opcua()


class _Running(NamedTuple):
    """All that a line needs to run."""

    args: Args
    line: Line
    lowered: Lowered
    journal: SqliteJournal | PostgresJournal
    inbox: Inbox
    seed: int
    until_us: int
    plan: Plan | None


def _run_line(it: _Running) -> tuple[Progress, bool]:
    """Run a line; return where it is, and whether nothing is left to do."""
    from linewright.cli._machines import run_over_opcua  # noqa: PLC0415 - slow
    from linewright.control.controller import Controller  # noqa: PLC0415
    from linewright.control.emulation import Emulation  # noqa: PLC0415
    from linewright.drivers.emulated import run_emulated  # noqa: PLC0415
    from linewright.model.meaning import leaves_line  # noqa: PLC0415

    args, line, parts = it.args, it.line, (it.lowered, it.journal, it.seed)
    emulation = Emulation(*parts) if args.emulate else None
    if emulation:
        emulation.asks = args.ask_at_gates
    controller = emulation.controller if emulation else Controller(*parts)
    if it.plan is not None:
        from linewright.cli._follow import follow_from_now  # noqa: PLC0415 - slow

        follow_from_now(args, controller, it.plan)
    begun_us = controller.core.now_us
    if begun_us:
        name = it.journal.name
        say(args, f"goes on at {_when(line, begun_us)}, as {name} has it")
    tell = None if args.quiet else _teller(line)
    sold = [name for name in line.products if leaves_line(line, name)]
    if emulation:
        progress = run_emulated(
            emulation,
            it.until_us,
            args.speed,
            tell,
            sold=sold,
            inbox=it.inbox,
            stays=args.stay,
            on_stalled=lambda why: say_stalled(args, why),
            on_gate=lambda what: say(args, f"{what}; {_RELEASE}"),
        )
    else:
        progress = run_over_opcua(args, line, controller, it.until_us, tell, it.inbox)
    if sys.stderr.isatty() and not args.quiet:
        sys.stderr.write("\r\x1b[K")
    controller.save_snapshot()
    return progress, not controller.core.jobs and controller.next_due_us() is None


def _laid_out(args: Args, line: Line, until_us: int, *, follows: bool) -> Lowered:
    """Return the line, laid out."""
    from linewright.control.openings import laid_out  # noqa: PLC0415 - slow

    tell_compiling(args)
    return laid_out(line, max(line.study.horizon, until_us), follows=follows)


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
    if args.ask_at_gates and not args.emulate:
        msg = "--ask-at-gates goes with --emulate; elsewhere gates always wait"
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
    rows, products = order_rows(core, future), product_rows(line, core, future)
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


def run_verify(args: Args) -> int:
    """Read a whole journal, and say whether anything in it was changed."""
    from linewright.control.verifying import verify  # noqa: PLC0415 - slow

    if args.redo:
        tell_compiling(args)
    found = verify(args.journal, redoes=args.redo)
    opening = found.opening
    if args.json:
        print_json(
            {
                "journal": found.name,
                "records": found.n_records,
                "last_us": found.last_us,
                "last_hash": found.last_hash.hex(),
                "redone": found.was_redone,
                "model_hash": opening.model_hash,
                "seed": opening.seed,
            }
        )
        return OK
    at = _local(opening, found.last_us) if found.n_records else "never"
    rows = [f"{found.name}: nothing was changed"]
    rows.append(f"  {found.n_records} records, the last one at {at}")
    if found.was_redone:
        rows.append("  each was done again, and the same followed")
    rows.append(f"  hash of the last one and all before it: {found.last_hash.hex()}")
    write("\n".join(rows) + "\n")
    return OK


def _local(opening: Opening, at_us: int) -> str:
    """Return a time of a journal in its zone."""
    from datetime import datetime  # noqa: PLC0415 - slow

    from linewright.model.calendars import to_local  # noqa: PLC0415

    start = datetime.fromisoformat(opening.start)
    return f"{to_local(at_us, start, opening.time_zone):%Y-%m-%d %H:%M:%S}"
