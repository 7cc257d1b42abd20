"""Measure how soon a controller dispatches again: `python -m benchmarks.restart`.

A journal of `--records` records and nearly as many more as lie between two snapshots is
made by the played line of `benchmarks.control`, in `--folder`, where it stays: a second
call goes on with it. It is copied to a PostgreSQL server, to one that is started for it
if `--postgres` names none. A new process then opens it, goes through what came after
the last snapshot, commits its start, accepts a result and commits what follows.
Measured is the time from the process's start to that commit, the longest of three. At
last the whole journal is verified, and every record done again.

Prints Markdown, for the section "The controller" of RESULTS.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.control import HOUR_US, line_of
from linewright.control.controller import SNAPSHOT_EVERY, Controller
from linewright.control.emulation import Emulation
from linewright.control.journal import SqliteJournal
from linewright.control.openings import journal_of, opening_of
from linewright.control.places import PgPlace, Place, place_of
from linewright.control.records import Signal
from linewright.control.verifying import verify
from linewright.lower import Lowered, lower
from linewright.model.line import Line

N_STARTS = 3
N_AFTER = SNAPSHOT_EVERY - 500


def line() -> tuple[Line, Lowered]:
    """Return the line, laid out far enough for a million records."""
    found = line_of(20, "60 s")
    return found, lower(found, 100_000 * HOUR_US)


def make(path: Path, n_records: int) -> None:
    """Write so many records and a few more, so that a start has most to go through."""
    model, lowered = line()
    opening = None if path.exists() else opening_of(model, lowered, 0)
    journal = SqliteJournal(path, opening)
    n = n_records // SNAPSHOT_EVERY * SNAPSHOT_EVERY + N_AFTER
    if journal.next_seq < n:
        emulation = Emulation(lowered, journal, 0)
        emulation.at_once = 1_000
        at_us = emulation.controller.core.now_us
        while journal.next_seq < n:
            at_us += HOUR_US // 4
            emulation.run(at_us)
    journal.close()


def copy(path: Path, place: PgPlace) -> None:
    """Copy a journal from a file to a server, as it lies there."""
    import psycopg  # noqa: PLC0415 - an extra

    model, lowered = line()
    journal_of(place, model, lowered, 0).close()
    with sqlite3.connect(path) as file, psycopg.connect(place.address) as db:
        db.execute(f'SET search_path = "{place.schema}"'.encode())
        db.execute(
            "UPDATE opening SET body = %s",
            file.execute("SELECT body FROM opening").fetchone(),
        )
        for table, columns in (
            ("records", "seq, at_us, kind, body, hash"),
            ("snapshots", "seq, notes, arrays, hash"),
        ):
            rows = file.execute(f"SELECT {columns} FROM {table}")
            statement = f"COPY {table} ({columns}) FROM STDIN"
            with db.cursor().copy(statement.encode()) as to:
                for row in rows:
                    to.write_row(row)
    file.close()


def dispatch(place: Place) -> None:
    """Start a controller on a journal, let it command something, and say so."""
    begun = time.perf_counter()
    model, lowered = line()
    laid_out = time.perf_counter()
    journal = journal_of(place, model, lowered, 0)
    n_before = journal.next_seq
    controller = Controller(lowered, journal)
    recovered = time.perf_counter()
    controller.tell(Signal("done", next(iter(controller.core.jobs))))
    step = controller.step(controller.core.now_us)
    assert step.devices
    assert all(answer.is_accepted for answer in step.answers)
    print(
        json.dumps(
            {
                "records": n_before,
                "line laid out, s": laid_out - begun,
                "journal opened and gone through, s": recovered - laid_out,
                "CPU of the process, s": time.process_time(),
            }
        ),
        flush=True,
    )
    journal.close()


def started(place: Place) -> dict[str, float]:
    """Return how long a process takes that dispatches, at most."""
    address = str(place)
    if isinstance(place, PgPlace):
        address = f"{place.address}#{place.schema}"
    found: dict[str, float] = {}
    for _ in range(N_STARTS):
        begun = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.restart", "--start", address],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            told = json.loads(process.stdout.readline())
            told["dispatching after, s"] = time.perf_counter() - begun
        for name, value in told.items():
            found[name] = max(found.get(name, 0.0), value)
    return found


def gone_through(place: Place) -> dict[str, float]:
    """Return how many records a second are verified, and done again."""
    found = {}
    for name, redoes in (("verified", False), ("done again", True)):
        begun, cpu = time.perf_counter(), time.process_time()
        n = verify(place, redoes=redoes).n_records
        found[f"{name}, records/s"] = n / (time.perf_counter() - begun)
        found[f"{name}, records/CPU s"] = n / (time.process_time() - cpu)
    return found


@contextlib.contextmanager
def server(address: str | None, folder: Path) -> Iterator[PgPlace | None]:
    """Yield a place on a server for the copy, or None where there is none."""
    if address is not None:
        place = place_of(address)
        if not isinstance(place, PgPlace):
            msg = f"{address} is no address of PostgreSQL"
            raise ValueError(msg)
        yield place
        return
    from tests.parts import find_postgres  # noqa: PLC0415

    if find_postgres() is None:
        yield None
        return
    from tests.pg_server import PgServer  # noqa: PLC0415 - needs psycopg

    with PgServer(folder) as made:
        yield made.place("million")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restart")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the journal is kept")
    parser.add_argument("--postgres", metavar="ADDRESS", help="a journal to be made")
    parser.add_argument("--start", metavar="JOURNAL", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.start:
        dispatch(place_of(args.start))
        return
    with contextlib.ExitStack() as stack:
        folder = args.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"restart-{args.records}.journal"
        make(kept, args.records)
        path = folder / "restart.journal"
        shutil.copy(kept, path)
        show("a file of SQLite", path)
        if place := stack.enter_context(server(args.postgres, folder)):
            copy(kept, place)
            show("PostgreSQL", place)


def show(title: str, place: Place) -> None:
    """Measure one store, and print a table."""
    print(f"\n| {title} | |\n| --- | --: |")
    for name, value in (started(place) | gone_through(place)).items():
        print(f"| {name} | {value:,.2f} |", flush=True)


if __name__ == "__main__":
    main()
