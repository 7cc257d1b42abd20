"""How long a recall takes at a million units.

A line that makes wholes of four parts each, every part with bolts from lots, is
simulated until there are so many units, and its index is kept. Then a lot is recalled
and a unit traced, in this process (the query alone) and as a whole command. A journal
is asked in the same way; a short one is written beside, to see how fast it is taken in.

``python -m benchmarks.recall [--units 1000000]``
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from linewright.control.emulation import Emulation
from linewright.control.genealogy import Genealogy
from linewright.control.openings import journal_of
from linewright.control.simulated import genealogy_of_run
from linewright.lower import lower
from linewright.model.load import loads

_MODEL = """
schema_version: 1
name: recall
study: {horizon: 1 d}
materials:
  bolt: {stock: 20000, reorder_point: 10000, lot: 10000, lead_time: 10 min}
stations:
  press: {process: 1 s, servers: 4}
  join: {process: 2 s, servers: 2}
products:
  part:
    release: {kind: always}
    bom: {bolt: {quantity: 2, bought: true}}
    store: 40
    route: [press]
  whole:
    release: {every: 1.25 s}
    bom: {part: 4, bolt: {quantity: 4, bought: true}}
    route: [join]
"""
_PER_UNIT_S = 0.25  # a whole and its four parts every 1.25 s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recall")
    parser.add_argument("--units", type=int, default=1_000_000)
    n_units = parser.parse_args().units
    line = loads(_MODEL)
    until_us = int(n_units * _PER_UNIT_S * 1e6)
    lowered = lower(line, until_us)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.units"
        begun_s = time.perf_counter()
        genealogy_of_run(line, lowered, 1, until_us, path=path).close()
        made_s = time.perf_counter() - begun_s
        book = Genealogy(path)
        print(f"{book.count():,} units, index of {path.stat().st_size / 1e6:,.0f} MB")
        print(f"simulated and indexed in {made_s:.0f} s")
        ask(book)
        book.close()
        for verb in (["recall", str(path), "bolt:5"], ["trace", str(path), "whole:9"]):
            print(f"`linewright {verb[0]}`, whole command: {command_s(verb):.2f} s")
        take_in(Path(folder) / "line.journal")


def ask(book: Genealogy) -> None:
    """Recall lots and trace units, and print how long the queries take."""
    lots = book.lots()
    times, held = [], []
    for lot in lots[5 : len(lots) - 5 : max(len(lots) // 20, 1)]:
        begun_s = time.perf_counter()
        held.append(len(book.holding(lot)))
        times.append(time.perf_counter() - begun_s)
    print(
        f"recall of {len(times)} lots, {min(held):,} to {max(held):,} units each: "
        f"median {1e3 * statistics.median(times):.1f} ms, "
        f"longest {1e3 * max(times):.1f} ms"
    )
    begun_s = time.perf_counter()
    for serial in range(0, 1_000, 10):
        unit = book.unit(f"whole:{serial}")
        book.life(unit), book.made_of(unit), book.went_into(unit)
    print(f"trace of a unit: {10 * (time.perf_counter() - begun_s):.2f} ms")


def command_s(arguments: list[str]) -> float:
    """Return how long a command takes, the second time."""
    for _ in range(2):
        begun_s = time.perf_counter()
        command = [sys.executable, "-m", "linewright", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun_s


def take_in(path: Path) -> None:
    """Write a journal and take it into a new index."""
    line = loads(_MODEL)
    until_us = 5_000_000_000
    lowered = lower(line, until_us)
    journal = journal_of(path, line, lowered, 1)
    Emulation(lowered, journal, 1).run(until_us)
    n_records = journal.next_seq
    journal.close()
    begun_s = time.perf_counter()
    Genealogy(path).close()
    rate = n_records / (time.perf_counter() - begun_s)
    print(f"a journal of {n_records:,} records is taken in at {rate:,.0f} a second")


if __name__ == "__main__":
    main()
