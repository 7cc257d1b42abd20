"""The verbs that ask what became of units and lots: trace of a unit, recall of a lot.

Both read a journal, the kept index of a run, or a model, which is simulated.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._journal import is_journal
from linewright.cli._look import instant, run_trace
from linewright.cli._say import (
    OK,
    Args,
    load_line,
    print_json,
    say,
    show,
    tell_compiling,
    write,
)

if TYPE_CHECKING:
    from linewright.control.designed import Component
    from linewright.control.genealogy import Genealogy, Held, LotFound, Tree
    from linewright.model.line import Line

_MOST_SHOWN = 40
KEPT, OCEL = ".units", ".jsonocel"


def run_trace_of(args: Args) -> int:
    """Say what became of a unit; without one, write the event log of a run."""
    if args.unit_named is not None:
        return _trace_unit(args)
    if (args.out or "").endswith(OCEL):
        return _export(args)
    if is_journal(args.model):
        msg = "name a unit of the journal, such as frame:17, or say --out log.jsonocel"
        raise ValueError(msg)
    if (args.out or "").endswith(KEPT):
        return _keep_run(args)
    return run_trace(args)


def open_book(args: Args) -> Genealogy:
    """Return the units of a journal, of a run that was kept, or of a model's run."""
    from linewright.control.genealogy import Genealogy  # noqa: PLC0415 - slow

    if is_journal(args.model):
        _refuse_run_options(args)
        return Genealogy(args.model)
    line = load_line(args, args.model, args.overlay)
    return _simulated(args, line, ":memory:")


def _refuse_run_options(args: Args) -> None:
    given = [
        f"--{name}"
        for name in ("overlay", "seed", "until", "replication")
        if getattr(args, name, None)
    ]
    if given:
        msg = (
            f"{given[0]} is for a model that is simulated, and {args.model} is no model"
        )
        raise ValueError(msg)


def _simulated(args: Args, line: Line, path: str | Path) -> Genealogy:
    from linewright.control.simulated import genealogy_of_run  # noqa: PLC0415 - slow
    from linewright.lower import lower  # noqa: PLC0415
    from linewright.own_rules import permit  # noqa: PLC0415

    until_us = line.study.horizon if args.until is None else instant(args.until, line)
    lowered = lower(line, max(line.study.horizon, until_us))
    lowered = permit(lowered, allow_python=args.allow_python)
    seed = line.study.seed if args.seed is None else args.seed
    tell_compiling(args)
    return genealogy_of_run(line, lowered, seed, until_us, args.replication, path)


def _keep_run(args: Args) -> int:
    """Simulate a run and keep what became of its units."""
    from linewright.drafts import write_whole  # noqa: PLC0415 - slow

    line = load_line(args, args.model, args.overlay)

    def keep(draft: Path) -> int:
        book = _simulated(args, line, draft)
        try:
            return book.count()
        finally:
            book.close()

    n_units = write_whole(args.out, keep)
    if args.json:
        print_json({"units": args.out, "count": n_units})
    else:
        write(f"{args.out}\n")
    say(args, f"{n_units:,} units")
    return OK


def _export(args: Args) -> int:
    """Write all about units as an object-centric event log."""
    from linewright.control.ocel import write_ocel  # noqa: PLC0415 - slow
    from linewright.drafts import write_whole  # noqa: PLC0415

    book = open_book(args)
    try:
        n_objects, n_events = write_whole(args.out, lambda at: write_ocel(book, at))
    finally:
        book.close()
    if args.json:
        print_json({"ocel": args.out, "objects": n_objects, "events": n_events})
    else:
        write(f"{args.out}\n")
    say(args, f"{n_objects:,} objects, {n_events:,} events")
    return OK


# ---------------------------------------------------------------- one unit


def _trace_unit(args: Args) -> int:
    from linewright.control.designed import as_built  # noqa: PLC0415 - slow

    if args.unit or args.station or args.out:
        msg = "--unit, --station and --out are for the event log; name no unit before"
        raise ValueError(msg)
    if args.up and args.down:
        msg = "give either --up or --down; without, both are told"
        raise ValueError(msg)
    book = open_book(args)
    try:
        unit = book.unit(args.unit_named)
        trees = {}
        if not args.up:
            trees["made_of"] = book.made_of(unit)
        if not args.down:
            trees["went_into"] = book.went_into(unit)
        parts = as_built(book, unit)
        if args.json:
            print_json(_unit_json(book, unit, trees, parts))
        else:
            _show_unit(book, unit, trees, parts)
    finally:
        book.close()
    return OK


def _unit_json(
    book: Genealogy, unit: Any, trees: dict[str, Tree], parts: list[Component]
) -> dict[str, Any]:
    about = {
        "unit": str(unit),
        "model_hash": book.opening.model_hash,
        "life": [step._asdict() for step in book.life(unit)],
        "measured": [value._asdict() for value in book.values(unit)],
        "as_built": [part._asdict() | {"differs": part.differs} for part in parts],
    }
    return about | book.run | {key: _tree_json(tree) for key, tree in trees.items()}


def _tree_json(tree: Tree) -> dict[str, Any]:
    lots = [
        {
            "lot": str(used.lot),
            "name": used.lot.name,
            "supplier": used.lot.supplier,
            "quantity": used.quantity,
            "operation": used.operation,
            "at_us": used.at_us,
        }
        for used in tree.lots
    ]
    below = [_tree_json(one) for one in tree.below]
    return {"unit": str(tree.unit), "fate": tree.fate, "lots": lots, "units": below}


def _show_unit(
    book: Genealogy, unit: Any, trees: dict[str, Tree], parts: list[Component]
) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    when = _clock(book)
    rows = [
        (when(step.at_us), step.what, step.operation, step.place, step.detail)
        for step in book.life(unit)
    ]
    show(table_view(["time", "what", "operation", "where", ""], rows))
    values = [
        (when(v.at_us), v.operation, v.characteristic, f"{v.value:.6g}", v.verdict)
        for v in book.values(unit)
    ]
    if values:
        heads = ["time", "operation", "measured", "value", "verdict"]
        show(table_view(heads, values))
    for key, tree in trees.items():
        write(f"{key.replace('_', ' ')}\n" + "".join(_branch(tree, 1)))
    _show_as_built(book, parts)


def _branch(tree: Tree, depth: int) -> list[str]:
    """Return the lines of a tree: each unit, its lots, and what is below."""
    lines = [f"{'  ' * depth}{tree.unit}, {tree.fate}\n"]
    for used in tree.lots:
        about = ", ".join(filter(None, (used.lot.name, used.lot.supplier)))
        text = f"{used.quantity} of lot {used.lot}" + (f" ({about})" if about else "")
        lines.append(f"{'  ' * (depth + 1)}{text}\n")
    for below in tree.below:
        lines += _branch(below, depth + 1)
    return lines


def _show_as_built(book: Genealogy, parts: list[Component]) -> None:
    revision = f"model {book.opening.model_hash[:12]}"
    wrong = [part for part in parts if part.differs]
    untold = [part.name for part in parts if part.built is None]
    if wrong:
        write(f"otherwise than designed ({revision})\n")
        for part in wrong:
            write(f"  {part.name}: {part.built} built in, {part.designed} designed\n")
    elif parts:
        write(f"as designed by now ({revision})\n")
    if untold:
        write(f"  bought and not kept in stock, so not told: {', '.join(untold)}\n")


def _clock(book: Genealogy) -> Any:
    """Return what turns microseconds into local time."""
    from linewright.model.calendars import to_local  # noqa: PLC0415 - slow

    start = datetime.fromisoformat(book.opening.start)
    zone = book.opening.time_zone
    return lambda at_us: f"{to_local(at_us, start, zone):%Y-%m-%d %H:%M:%S}"


# ---------------------------------------------------------------- a lot


def run_recall(args: Args) -> int:
    """Say which units hold a lot or a part; without one, which lots there are."""
    book = open_book(args)
    try:
        if args.lot is None:
            _list_lots(args, book)
        else:
            _recall(args, book)
    finally:
        book.close()
    return OK


def _list_lots(args: Args, book: Genealogy) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    if args.out:
        msg = "--out is for the units that hold a lot; name the lot"
        raise ValueError(msg)
    lots, when = book.lots(), _clock(book)
    if args.json:
        print_json({"lots": [{"lot": str(lot)} | lot._asdict() for lot in lots]})
        return
    rows = [
        (str(lot), lot.name, lot.supplier, when(lot.came_us), f"{lot.quantity}",
         f"{lot.taken}")
        for lot in lots
    ]  # fmt: skip
    show(table_view(["lot", "number", "supplier", "came", "units", "taken"], rows))


def _recall(args: Args, book: Genealogy) -> None:
    what, told = _subject(args, book)
    held = book.holding(what)
    if args.out:
        _write_held(args.out, book, held)
    if args.json:
        units = [one._asdict() | {"unit": _name(one)} for one in held]
        about = {"recalled": told, "model_hash": book.opening.model_hash}
        print_json(about | book.run | {"units": units})
        return
    counts = Counter((one.unit.product, one.fate) for one in held)
    write(f"{told}: {len(held):,} units hold it\n")
    for (product, fate), n in counts.items():
        write(f"  {n:>7,} {product}, {fate}\n")
    last = [one for one in held if one.fate not in {"built in", "split up"}]
    for one in last[:_MOST_SHOWN]:
        write(f"{_name(one)}\n")
    if len(last) > _MOST_SHOWN:
        n = len(last) - _MOST_SHOWN
        say(args, f"and {n:,} more; all of them with --json, or --out held.csv")


def _subject(args: Args, book: Genealogy) -> tuple[Any, str]:
    """Return the lot or the unit that is meant, and how it is called."""
    product, _, serial = args.lot.rpartition(":")
    if product in book.opening.names["products"] and serial.isdecimal():
        unit = book.unit(args.lot)
        return unit, str(unit)
    lot: LotFound = book.lot(args.lot)
    about = ", ".join(filter(None, (lot.name, lot.supplier)))
    return lot, f"lot {lot}" + (f" ({about})" if about else "")


def _name(one: Held) -> str:
    return f"{one.unit.product}:{one.unit.serial}"


def _write_held(path: str, book: Genealogy, held: list[Held]) -> None:
    from linewright.drafts import write_whole  # noqa: PLC0415 - slow

    when = _clock(book)

    def rows(draft: Path) -> None:
        with draft.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(("unit", "fate", "released", "ended"))
            for one in held:
                times = (
                    "" if at_us is None else when(at_us)
                    for at_us in (one.released_us, one.ended_us)
                )
                out.writerow((_name(one), one.fate, *times))

    write_whole(path, rows)
