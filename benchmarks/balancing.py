"""Measure line balancing on the published cases: how many are proven, and how fast.

Use: ``python -m benchmarks.balancing --data FOLDER [--only salbp1|salbp2|salbpE|otto]
[--limit SECONDS] [--cpu] [--every N] [--first N] [--open] [--table]``

FOLDER holds the precedence graphs and the tables of optima. One case after the other is
solved, and what was found is added to ``build/balancing.jsonl``. A case that is there
already, proven or with no shorter limit, is not run again: the command goes on where it
was stopped. With ``--open`` only those are run that are there and not proven. At the
end stands a table, in Markdown; with ``--table`` nothing is run before it. With
``--cpu`` the limit is of processor time instead of the clock: for a busy machine. The
search is one thread; CP-SAT, which comes late, takes all cores and pays for each.

The exit code is 1 if a result lies outside of the published bounds.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import linewright.improve.balancing as engine
from linewright.improve import (
    Balance,
    Tasks,
    fewest_stations,
    least_idle,
    read_tasks,
    shortest_cycle,
)

RESULTS = Path("build/balancing.jsonl")
KINDS = ("salbp1", "salbp2", "salbpE", "otto")


class Case(NamedTuple):
    """A published case: what is asked, and the bounds that were published."""

    kind: str
    name: str
    file: str
    asked: tuple[int, ...]
    low: int
    high: int


def cases(data: Path, kind: str) -> Iterator[Case]:
    if kind == "otto":
        yield from _otto(data)
        return
    with (data / "scholl_graph_properties.csv").open() as table:
        files = {r["Name"].lower(): r["File name"] for r in csv.DictReader(table)}
    columns = {
        "salbp1": ("cycle_time",),
        "salbp2": ("stations",),
        "salbpE": ("m_min", "m_max"),
    }[kind]
    bounds = ("lower_bound", "upper_bound")
    if kind == "salbpE":
        bounds = ("idle_lower_bound", "idle_best")
    with (data / f"scholl_{kind}_optima.csv").open() as table:
        for r in csv.DictReader(table):
            asked = tuple(int(r[c]) for c in columns)
            name = r.get("case_id") or "-".join([kind, r["graph"], *map(str, asked)])
            low, high = (int(r[b]) for b in bounds)
            yield Case(kind, name, files[r["graph"].lower()], asked, low, high)


def _otto(data: Path) -> Iterator[Case]:
    for size in ("n20", "n100"):
        with (data / f"otto_{size}_results.csv").open() as table:
            for r in csv.DictReader(table):
                low, high = int(r["lower_bound"]), int(r["upper_bound"])
                file = r["instance"] + ".alb"
                asked = (int(r["cycle_time"]),)
                yield Case("otto", r["instance"], file, asked, low, high)


def unpack(data: Path, folder: Path) -> dict[str, Path]:
    """Unpack the precedence graphs; return the path of each."""
    for archive in data.glob("*.zip"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    return {path.name: path for path in folder.rglob("*") if path.is_file()}


def solve(case: Case, tasks: Tasks, limit: float) -> Balance:
    if case.kind == "salbp2":
        return shortest_cycle(tasks, case.asked[0], time_limit=limit)
    if case.kind == "salbpE":
        return least_idle(tasks, case.asked[0], case.asked[1], time_limit=limit)
    return fewest_stations(tasks, case.asked[0], time_limit=limit)


def told(case: Case, found: Balance, limit: float, cpu_s: float) -> dict[str, Any]:
    """Return what was found, and whether it can be true."""
    fits = found.bound <= case.high and case.low <= found.value
    if found.proven:
        fits = fits and found.value == found.bound and found.value <= case.high
    return {
        "case": case.name, "kind": case.kind, "limit": limit, "value": found.value,
        "bound": found.bound, "proven": found.proven, "seconds": found.seconds,
        "cpu_seconds": cpu_s, "low": case.low, "high": case.high, "fits": fits,
        "stations": len(found.stations), "cycle_time": found.cycle_time,
    }  # fmt: skip


def known() -> dict[str, dict[str, Any]]:
    """Return the best of what was found before, by case."""
    best: dict[str, dict[str, Any]] = {}
    if RESULTS.exists():
        for line in RESULTS.read_text().splitlines():
            row = json.loads(line)
            old = best.get(row["case"])
            if old is None or not old["proven"]:
                best[row["case"]] = row
    return best


def run(args: argparse.Namespace, kinds: tuple[str, ...]) -> None:
    if args.cpu:
        engine.time = SimpleNamespace(monotonic=time.process_time)  # type: ignore[assignment]
    data = Path(args.data)
    paths = unpack(data, Path("build/balancing-cases"))
    warm = read_tasks(paths["MERTENS.IN2"])
    fewest_stations(warm, 7, time_limit=600)  # compiles once
    shortest_cycle(read_tasks(paths["ARC83.IN2"]), 8, time_limit=40)
    RESULTS.parent.mkdir(exist_ok=True)
    before = known()
    for kind in kinds:
        every = list(cases(data, kind))[:: args.every][: args.first]
        for case in every:
            old = before.get(case.name)
            if old and (old["proven"] or old["limit"] >= args.limit):
                continue
            if args.open and not old:
                continue
            cpu = time.process_time()
            found = solve(case, read_tasks(paths[case.file]), args.limit)
            row = told(case, found, args.limit, time.process_time() - cpu)
            with RESULTS.open("a") as results:
                results.write(json.dumps(row) + "\n")
            mark = "proven" if row["proven"] else f"open, bound {row['bound']:g}"
            wrong = "" if row["fits"] else f"  NOT WITHIN {case.low}..{case.high}"
            text = f"{case.name}: {row['value']:g}, {mark}, {row['seconds']:.1f} s"
            print(text + wrong, file=sys.stderr, flush=True)


def table(kinds: tuple[str, ...]) -> str:
    rows = list(known().values())
    lines = [
        "| cases | run | proven | % | best known | median s | 90 % s | longest s |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    left = ["", "| open | found | bound | gap % | published | s |"]
    left.append("| --- | --: | --: | --: | --: | --: |")
    for kind in kinds:
        mine = [r for r in rows if r["kind"] == kind]
        if not mine:
            continue
        proven = [r for r in mine if r["proven"]]
        seconds = sorted(r["seconds"] for r in mine)
        best = sum(r["value"] <= r["high"] for r in mine)
        lines.append(
            f"| {kind} | {len(mine)} | {len(proven)} | {len(proven) / len(mine):.1%} | "
            f"{best} | {statistics.median(seconds):.2f} | "
            f"{seconds[int(0.9 * (len(seconds) - 1))]:.1f} | {seconds[-1]:.1f} |"
        )
        for r in mine:
            if not r["proven"]:
                gap = (r["value"] - r["bound"]) / r["value"]
                left.append(
                    f"| {r['case']} | {r['value']:g} | {r['bound']:g} | {gap:.2%} | "
                    f"{r['low']}..{r['high']} | {r['seconds']:.0f} |"
                )
    return "\n".join(lines + (left if len(left) > 3 else []))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.balancing")
    parser.add_argument("--data", help="folder of the published cases")
    parser.add_argument("--only", choices=KINDS, help="one kind of case")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for a case")
    parser.add_argument(
        "--cpu", action="store_true", help="the limit is of processor time"
    )
    parser.add_argument("--every", type=int, default=1, help="every Nth case")
    parser.add_argument("--first", type=int, help="so many cases of a kind")
    parser.add_argument("--open", action="store_true", help="those left open before")
    parser.add_argument("--table", action="store_true", help="only the table")
    args = parser.parse_args()
    if not args.data and not args.table:
        parser.error("--data names the folder of the published cases")
    kinds = (args.only,) if args.only else KINDS
    if not args.table:
        run(args, kinds)
    print(table(kinds))
    return int(not all(r["fits"] for r in known().values()))


if __name__ == "__main__":
    sys.exit(main())
