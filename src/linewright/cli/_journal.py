"""Journals on the command line: telling them from models, and whether one is whole."""

from __future__ import annotations

from pathlib import Path

from linewright.cli._say import FOUND, OK, Args, print_json, write

__all__ = ["check_journal", "is_journal"]

_SQLITE = b"SQLite format 3\0"


def is_journal(path: str) -> bool:
    """Say whether a file is a journal or the index of one; else it is a model."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # whoever reads the model says what is wrong


def check_journal(args: Args) -> int:
    """Hold every record of a journal against its hash, and say where it ends.

    Records taken away at the end leave no trace in those that are left. So the hash of
    the last one is told: who has written it down elsewhere can ask for it later.
    """
    from linewright.control.reading import JournalReader  # noqa: PLC0415 - slow
    from linewright.errors import JournalError  # noqa: PLC0415

    if args.overlay or args.parameters:
        msg = f"{args.model} is a journal, and not a model to change"
        raise ValueError(msg)
    wanted, n, last, has_it = args.has_record, 0, "", False
    reader, problem = JournalReader(args.model), ""
    try:
        for stored in reader.read():
            n, last = n + 1, stored.hash.hex()
            has_it = has_it or (bool(wanted) and last.startswith(wanted.lower()))
    except JournalError as error:
        problem = str(error)
    finally:
        reader.close()
    if not problem and wanted and not has_it:
        problem = f"{args.model} has no record with the hash {wanted}: it was cut off, "
        problem += "or is another journal"
    if args.json:
        print_json({
            "journal": args.model, "ok": not problem, "records": n, "hash": last,
            "problem": problem,
        })  # fmt: skip
    elif problem:
        write(f"{problem}\n")
    else:
        write(f"{args.model}: {n:,} records, none changed; the last has {last}\n")
    return FOUND if problem else OK
