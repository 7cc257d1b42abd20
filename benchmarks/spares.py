"""Lines with spare components against published designs and throughputs.

Use: ``python -m benchmarks.spares DATA [--two N] [--five N] [--days D]``

``DATA`` is a folder with ``two_machine_exact.csv.gz`` and
``five_machine_greedy.csv.gz`` (Sachs, Kiesmueller and Helber 2024). Takes N rows of
each, spread over all. Of lines of two stations it prints how far the estimate of the
published design lies from its exact throughput, and in how many rows the design found
costs as much as the optimum. Of lines
of five, whose published throughputs are approximate, it looks for the cheapest design,
at most at the published cost, and simulates it beside the published one on the same
streams. The exit code is 1 if a design costs more than the published one, or two
stations miss their exact throughput by more than a thousandth.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

import linewright
from linewright.improve.spares import (
    Design,
    SpareLine,
    best_design,
    cheapest_design,
    throughput_per_s,
)
from linewright.improve.trials import Span, throughputs
from linewright.stats.intervals import mean_interval, paired_interval

__all__ = ["model_of", "published", "read"]

DAY_US = 86_400_000_000
SEED = 1
Row = dict[str, str]


def read(path: Path, n: int) -> list[Row]:
    """Return some rows of a table, spread over all of it."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return rows[:: max(len(rows) // n, 1)][:n] if n else []


def published(row: Row) -> tuple[SpareLine, Design]:
    """Return the line of a row and its design; rates there are per minute."""
    n = sum(key.startswith("mu") for key in row)
    stations = range(1, n + 1)
    process, mttf, repair = (
        tuple(60 / float(row[f"{key}{i}"]) for i in stations)
        for key in ("mu", "p", "gamma")
    )
    slots = tuple(int(float(row[f"C{i}"])) for i in range(1, n))
    components = tuple(int(float(row[f"S{i}"])) for i in stations)
    return SpareLine(process, mttf, repair), Design(slots, components)


def model_of(line: SpareLine, design: Design) -> linewright.Line:
    """Return a design as a model."""
    stations: dict[str, Any] = {}
    for i, process_s in enumerate(line.process_s):
        stations[f"M{i + 1}"] = {
            "process": f"exponential({process_s} s)",
            "buffer": design.slots[i - 1] if i else "unlimited",
            "failures": {
                "part": {
                    "every": f"exponential({line.mttf_s[i]} s)",
                    "repair": f"exponential({line.repair_s[i]} s)",
                    "spares": design.components[i] - 1,
                }
            },
        }
    data = {
        "schema_version": 1,
        "name": "Line with spares",
        "stations": stations,
        "products": {"part": {"route": list(stations)}},
    }
    return linewright.Line.model_validate(data)


def _two(rows: list[Row]) -> bool:
    errors, more = [], []
    for row in rows:
        line, design = published(row)
        exact = float(row["TP"])
        errors.append(60 * throughput_per_s(line, design) / exact - 1)
        goal = float(row["target"]) / 60
        found = cheapest_design(line, goal, design.cost)
        # the estimate may fall short of a goal that the optimum just reaches
        more.append((found or best_design(line, design.cost)).cost - design.cost)
    worst = max(map(abs, errors))
    equal, less = sum(m == 0 for m in more), sum(m < 0 for m in more)
    print(
        f"Two stations, {len(rows)} rows: the estimate lies {np.mean(errors):+.3%} "
        f"from the exact throughput on average, {worst:.3%} at most. The design found "
        f"costs as much as the optimum in {equal} rows, less in {less}, more in "
        f"{len(rows) - equal - less}.\n"
    )
    return worst < 1e-3 and max(more) <= 0


def _five(rows: list[Row], days: int) -> bool:
    span = Span(20 * DAY_US, (20 + days) * DAY_US)
    print(
        "| row | goal | cost published | found | throughput published | published "
        "design, simulated | found, simulated | difference |\n"
        "| --- | --: | --: | --: | --: | --: | --: | --: |"
    )
    good, gains = True, []
    for row in rows:
        line, design = published(row)
        goal = float(row["target"]) / 60
        found = cheapest_design(line, goal, design.cost) or best_design(
            line, design.cost
        )
        before, after = (
            throughputs(model_of(line, d), span, SEED, range(20)) / 60
            for d in (design, found)
        )
        theirs, ours = mean_interval(before, 0.999), mean_interval(after, 0.999)
        gain = paired_interval(before, after, 0.999)
        gains.append(gain.mean / theirs.mean)
        good &= found.cost <= design.cost
        print(
            f"| {row['case_id']} | {row['target']} | {design.cost} | {found.cost} | "
            f"{float(row['TP']):.4f} | {theirs} | {ours} | {gain} |",
            flush=True,
        )
    if gains:
        print(
            f"\nFound beside published: {np.mean(gains):+.2%} on average, "
            f"{min(gains):+.2%} to {max(gains):+.2%}; intervals are of 99.9 %."
        )
    return good and not any(map(math.isnan, gains))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spares")
    parser.add_argument("data", type=Path)
    parser.add_argument("--two", type=int, default=96)
    parser.add_argument("--five", type=int, default=12)
    parser.add_argument("--days", type=int, default=200, help="of a replication")
    args = parser.parse_args()
    two = read(args.data / "two_machine_exact.csv.gz", args.two)
    five = read(args.data / "five_machine_greedy.csv.gz", args.five)
    results = [_two(two), _five(five, args.days)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
