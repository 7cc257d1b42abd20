"""Run what takes long and add up what was found: `make soak`.

Use: ``python -m benchmarks.soak WHAT --minutes N [--date DATE --write]``

``worlds`` runs plants in which everything fails (`tests.control_world`) on all cores,
``images`` cuts the power under journals (`tests.power_cuts`), ``kills`` kills processes
that write one. Each goes on with the seed after the last one that SOAK.md has for the
same sources, and with ``--write`` adds its counts there. The exit code is 1 if anything
was lost, done twice or unreadable; the seeds are printed.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import PROJECT
from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of
from linewright.control.reading import JournalReader
from linewright.lower import lower
from tests.control_world import World, judge, lowered_world
from tests.memory_journal import MemoryJournal
from tests.random_lines import HOUR_US, random_line

SOAK = Path(__file__).parent / "SOAK.md"
SOURCES = ("src/linewright/control", "src/linewright/kernel")
COLUMNS = {
    "worlds": ("seeds", "kills", "restarts", "bad", "CPU ms"),
    "images": ("seeds", "images", "good", "lost", "unreadable"),
    "kills": ("seeds", "kills", "records", "lost", "changed"),
}
BAD = {"bad", "lost", "unreadable", "changed"}
N_AT_ONCE = 50
UNTIL_US = 60 * HOUR_US


def main() -> int:
    """Run, print and, if asked to, add up."""
    args = _arguments()
    key = sources_hash()
    rows = read_rows()
    first = sum(row["seeds"] for row in rows if is_of(row, args.what, key))
    counts = {"worlds": worlds, "images": images, "kills": kills}[args.what](
        first, args.minutes * 60
    )
    for name, n in counts.items():
        print(f"{args.what}: {n:,.0f} {name}")
    if args.write:
        add_row(rows, args.what, key, args.date, counts)
    return int(any(counts[name] for name in BAD & counts.keys()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("what", choices=COLUMNS)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--date", default="", help="date to write")
    parser.add_argument("--write", action="store_true", help=f"add it to {SOAK.name}")
    args = parser.parse_args()
    if args.write and not args.date:
        parser.error("--write needs --date")
    return args


def sources_hash() -> str:
    """Return a hash of what is tried: counts of other sources are not continued."""
    found = hashlib.sha256()
    for folder in SOURCES:
        for file in sorted((PROJECT / folder).glob("*.py")):
            found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:12]


# ---------------------------------------------------------------- what is run


def worlds(first: int, seconds: float) -> Counter[str]:
    """Run worlds on all cores, in blocks of seeds, until the time is over."""
    return _on_all_cores(_some_worlds, first, N_AT_ONCE, seconds)


def _some_worlds(seeds: range) -> Counter[str]:
    lowered, begun = lowered_world(), time.process_time()
    counts: Counter[str] = Counter(seeds=0, kills=0, restarts=0, bad=0)
    for seed in seeds:
        world = World(lowered, seed)
        world.run()
        wrong = judge(world)
        if wrong:
            print(f"world {seed}: {wrong}", file=sys.stderr, flush=True)
        counts += Counter(
            seeds=1, kills=world.n_kills, restarts=world.n_restarts, bad=bool(wrong)
        )
    counts["CPU ms"] = round(1_000 * (time.process_time() - begun))
    return counts


def images(first: int, seconds: float) -> Counter[str]:
    """Cut the power at every point of journals until the time is over."""
    return _on_all_cores(_some_images, first, 1, seconds)


def _some_images(seeds: range) -> Counter[str]:
    from tests.power_cuts import cut  # noqa: PLC0415 - needs APSW

    counts: Counter[str] = Counter()
    for seed in seeds:
        found = cut(seed, "FULL")
        if found.total() > found["good"]:
            print(f"images of seed {seed}: {found}", file=sys.stderr, flush=True)
        counts += found
        counts["seeds"] += 1
        counts["images"] += found.total()
    return counts


def kills(first: int, seconds: float) -> Counter[str]:
    """Kill processes that write journals, and hold these against whole ones."""
    return _on_all_cores(_some_kills, first, 1, seconds)


def _some_kills(seeds: range) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            counts += _kill_again_and_again(Path(folder) / "a.journal", seed)
    return counts


def _kill_again_and_again(path: Path, seed: int) -> Counter[str]:
    """Run a line to its end, killed on the way; it is to come to the same records."""
    rnd, n_kills = random.Random(seed), 0
    fork = multiprocessing.get_context("fork")
    while True:
        process = fork.Process(target=_run, args=(path,))
        process.start()
        assert process.pid
        if n_kills < 20:
            time.sleep(rnd.uniform(0.02, 0.3))
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        if process.exitcode == 0:
            break
        n_kills += 1
    whole = MemoryJournal()
    line = random_line(9)
    Emulation(lower(line, UNTIL_US), whole, 9).run(UNTIL_US)
    wanted = [[one.at_us, *row] for one in whole.records for row in one.rows]
    stored = JournalReader(path).read()
    found = [[one.record.at_us, *row] for one in stored for row in one.record.rows]
    lost = max(len(wanted) - len(found), 0)
    changed = sum(a != b for a, b in zip(found, wanted, strict=False))
    return Counter(
        seeds=1, kills=n_kills, records=len(found), lost=lost, changed=changed
    )


def _run(path: Path) -> None:
    line = random_line(9)
    lowered = lower(line, UNTIL_US)
    emulation = Emulation(lowered, journal_of(path, line, lowered, 9), 9)
    emulation.at_once = 1  # many small commits: many instants at which to be killed
    emulation.run(UNTIL_US)


def _on_all_cores(
    do: Callable[[range], Counter[str]], first: int, n_each: int, seconds: float
) -> Counter[str]:
    """Run blocks of seeds, in their order, until the time is over."""
    n_cores, end = os.cpu_count() or 1, time.monotonic() + seconds
    total: Counter[str] = Counter()
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(n_cores, context, _begin) as pool:
        waiting: list[Future[Counter[str]]] = []
        while time.monotonic() < end or waiting:
            while len(waiting) < n_cores and time.monotonic() < end:
                seeds = range(first, first + n_each)
                waiting.append(pool.submit(do, seeds))
                first += n_each
            total.update(waiting.pop(0).result())
    return total


def _begin() -> None:
    """Look for garbage seldom, and not in what stays as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


# ---------------------------------------------------------------- what is written


def read_rows() -> list[dict[str, Any]]:
    """Return the rows of SOAK.md."""
    rows: list[dict[str, Any]] = []
    what = ""
    for line in SOAK.read_text().splitlines() if SOAK.exists() else []:
        if line.startswith("## "):
            what = line[3:]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if what in COLUMNS and len(cells) == 3 + len(COLUMNS[what]):
            if not cells[3].replace(",", "").isdecimal():
                continue  # the head of the table
            numbers = [int(cell.replace(",", "")) for cell in cells[3:]]
            about = dict(zip(("date", "version", "sources"), cells[:3], strict=True))
            rows.append(
                {"what": what} | about | dict(zip(COLUMNS[what], numbers, strict=True))
            )
    return rows


def is_of(row: dict[str, Any], what: str, key: str) -> bool:
    """Say whether a row is about the same sources."""
    return row["what"] == what and row["sources"] == key


def add_row(
    rows: list[dict[str, Any]], what: str, key: str, date: str, counts: Counter[str]
) -> None:
    """Add counts to the row of the same sources, or a row, and write SOAK.md."""
    old = next((row for row in rows if is_of(row, what, key)), None)
    if old is None:
        old = {"what": what, "sources": key} | dict.fromkeys(COLUMNS[what], 0)
        rows.append(old)
    old |= {"date": date, "version": version("linewright")}
    for name in COLUMNS[what]:
        old[name] += counts[name]
    draft = SOAK.with_suffix(".new")
    draft.write_text(text_of(rows))
    draft.replace(SOAK)


def text_of(rows: list[dict[str, Any]]) -> str:
    """Return SOAK.md."""
    parts = [HEAD]
    for what, columns in COLUMNS.items():
        head = ("date", "version", "sources", *columns)
        parts += [f"\n## {what}\n", f"{ABOUT[what]}\n", f"| {' | '.join(head)} |"]
        parts.append("| --- | --- | --- |" + " --: |" * len(columns))
        for row in rows:
            if row["what"] == what:
                cells = [row[n] if n in head[:3] else f"{row[n]:,}" for n in head]
                parts.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(parts) + "\n"


HEAD = """# What was run for long

Counts of `make soak`, added up for each state of the sources (a hash over `control`
and `kernel`); a run goes on with the next seed. What is tried, and how, stands in
docs/running.md."""

ABOUT = {
    "worlds": """Plants in which messages are lost, repeated and delayed, machines start
again with and without a memory, and the controller dies; *bad* is a world in which an
independent judge found anything lost, done twice or out of turn.""",
    "images": """What a disk may hold after a power cut; *lost* is an acknowledged
record that is not there, *unreadable* a journal that cannot be read and continued.""",
    "kills": """`kill -9` of processes that write journals, at random instants; *lost*
and *changed* are rows that an undisturbed run has otherwise.""",
}


if __name__ == "__main__":
    sys.exit(main())
