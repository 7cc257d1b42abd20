"""Measure lot sizing on the published cases: cost, bound, gap and time.

Use: ``python -m benchmarks.lots --data FOLDER [--limit SECONDS] [--only NAME ...]
[--table]``

FOLDER holds the cases (ZIP) and ``optima.csv``. What was found is added to
``build/lots.jsonl``; a case that is there, proven or with no shorter limit, is not run
again. At the end stands a table, in Markdown. The exit code is 1 if a cost lies below a
published bound, a bound above a published cost, or a proven cost is another.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from linewright.plan import plan_lots, read_lots

RESULTS = Path("build/lots.jsonl")


def known() -> dict[str, dict[str, Any]]:
    """Return the last of what was found before, by case."""
    if not RESULTS.exists():
        return {}
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return {row["case"]: row for row in rows}


def published(data: Path) -> dict[str, tuple[float, float]]:
    with (data / "optima.csv").open() as table:
        return {
            row["file"].split("/")[-1]: (
                float(row["lower_bound"]),
                float(row["upper_bound"]),
            )
            for row in csv.DictReader(table)
        }


def run(args: argparse.Namespace) -> None:
    data = Path(args.data)
    bounds = published(data)
    folder = Path("build/lots-cases")
    for archive in data.glob("*.zip"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    before = known()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        old = before.get(path.name)
        if args.only and path.stem not in args.only:
            continue
        if old and (old["status"] == "optimal" or old["limit"] >= args.limit):
            continue
        cpu = time.process_time()
        plan = plan_lots(read_lots(path), time_limit=args.limit)
        low, high = bounds.get(path.name, (0.0, math.inf))
        row = {
            "case": path.name, "limit": args.limit, "status": plan.status,
            "cost": plan.cost, "bound": plan.bound, "gap": plan.gap,
            "overtime": float(plan.overtime.sum()),
            "overtime_bound": plan.overtime_bound, "seconds": plan.seconds,
            "cpu_seconds": time.process_time() - cpu, "low": low, "high": high,
            "fits": fits(plan.status, plan.cost, plan.bound, (low, high)),
        }  # fmt: skip
        with RESULTS.open("a") as results:
            results.write(json.dumps(row) + "\n")
        text = f"{path.name}: {plan.status}, {plan.cost:,.1f}, gap {plan.gap:.2%}"
        print(f"{text}, {row['cpu_seconds']:.0f} CPU s", file=sys.stderr, flush=True)


def fits(status: str, cost: float, bound: float, known: tuple[float, float]) -> bool:
    """Say whether a result can be true beside what was published."""
    low, high = known
    if status in {"infeasible", "unknown"}:
        return status == "unknown" or math.isinf(high)
    slack = 1e-6 * cost
    ends = cost >= low - slack and bound <= high + slack
    return ends and (status != "optimal" or cost <= high + slack)


def table() -> str:
    lines = [
        "| case | status | cost | bound | gap % | known bound | known cost | CPU s |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row['case']} | {row['status']} | {row['cost']:,.1f} | "
        f"{row['bound']:,.1f} | {100 * row['gap']:.2f} | {row['low']:,.1f} | "
        f"{row['high']:,.1f} | {row['cpu_seconds']:.0f} |"
        for row in known().values()
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lots")
    parser.add_argument("--data", help="folder of the published cases")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for a case")
    parser.add_argument("--only", nargs="*", help="names of cases, such as F6")
    parser.add_argument("--table", action="store_true", help="only the table")
    args = parser.parse_args()
    if not args.data and not args.table:
        parser.error("--data names the folder of the published cases")
    if not args.table:
        RESULTS.parent.mkdir(exist_ok=True)
        run(args)
    print(table())
    return int(not all(row["fits"] for row in known().values()))


if __name__ == "__main__":
    sys.exit(main())
