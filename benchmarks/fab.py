"""A full-size wafer fab: what it makes in two years, beside what others report.

Use: ``python -m benchmarks.fab SOURCE [--runs FILE ...] [--days N] [--replications N]``

`SOURCE` is an SMT2020 data set (folder or ZIP); `FILE` is a report of PySCFabSim of the
same data and time (JSON, with ``lots`` and ``machines``). Prints Markdown: lots out,
cycle time and share on time of each product with 95 % intervals over replications, and
the tool families of most use. Nothing is cut as warm-up; lots in process count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import once, python
from linewright import tables as t
from linewright.lower import Lowered
from linewright.replicate import snapshot
from linewright.stats.intervals import mean_interval

__all__ = ["figures"]

DAY_US = 86_400e6
N_SHOWN = 12


def figures(lowered: Lowered, state: t.State) -> dict[str, Any]:
    """Return lots, cycle times and the use of tools, as PySCFabSim reports them.

    Use is processing and loading over the time that a tool is up; setup is a share of
    all time.
    """
    lots = {}
    for i, name in enumerate(lowered.names.products):
        row = state.products[i]
        size = int(lowered.tables.products["lot"][i])
        lots[name] = {
            "lots": int(row["finished"]) // size,
            "cycle_days": float(row["flow_us"] / max(row["flow_count"], 1) / DAY_US),
            "on_time": float(row["on_time"] / max(row["due"], 1)),
        }
    sums = snapshot(state).accounts.astype(float)
    whole = sums.sum(axis=1)
    down = sums[:, t.FAILED] + sums[:, t.MAINTENANCE]
    busy = sums[:, t.PROCESSING] + sums[:, t.LOADING]
    tools = {
        name: {
            "up": float(1 - down[k] / whole[k]),
            "use": float(busy[k] / (whole[k] - down[k])),
            "setup": float(sums[k, t.SETUP] / whole[k]),
        }
        for k, name in enumerate(lowered.names.stations)
    }
    return {"products": lots, "tools": tools, "wip": int(state.clock["wip"][0])}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fab")
    parser.add_argument("source", help="SMT2020 data set: folder or ZIP")
    parser.add_argument("--runs", nargs="*", default=[], help="reports of PySCFabSim")
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--replications", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    """Run, compare and print."""
    args = _arguments()
    source = str(Path(args.source).resolve())
    others = [json.loads(Path(run).read_text(encoding="utf-8")) for run in args.runs]
    commands = [
        python("ours", "fab", source, args.days, number)
        for number in range(args.replications)
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = list(pool.map(lambda command: once(command, None), commands))
    cpu_s = statistics.median(run["cpu_s"] for run in runs)
    peak = max(run["peak_mb"] for run in runs)
    n = len(runs)
    print(f"{n} replications of {args.days} days; CPU {cpu_s:.1f} s (median), ", end="")
    print(f"peak {peak:.0f} MB, {runs[0]['events'] / 1e6:.1f} M events each.\n")
    print(_products(runs, others))
    print()
    print(_tools(runs, others))


def _interval(values: list[float], digits: int, times: float = 1) -> str:
    found = mean_interval(np.array(values) * times)
    if not np.isfinite(found.half_width):
        return f"{found.mean:.{digits}f}"
    return f"{found.mean:.{digits}f} ± {found.half_width:.{digits}f}"


def _products(runs: list[dict[str, Any]], others: list[dict[str, Any]]) -> str:
    rows = ["| product | measure | Linewright |" + " PySCFabSim |" * len(others)]
    rows.append("| --- | --- | --: |" + " --: |" * len(others))
    for name in runs[0]["products"]:
        for measure, key, digits, times in (
            ("lots out", "lots", 0, 1),
            ("cycle time, days", "cycle_days", 2, 1),
            ("on time, %", "on_time", 1, 100),
        ):
            ours = [run["products"][name][key] for run in runs]
            theirs = [_their(other["lots"].get(name), key, digits) for other in others]
            cells = " | ".join([name, measure, _interval(ours, digits, times), *theirs])
            rows.append(f"| {cells} |")
    return "\n".join(rows)


def _their(lot: dict[str, float] | None, key: str, digits: int) -> str:
    if lot is None:
        return ""
    value = {
        "lots": lot["throughput"],
        "cycle_days": lot["ACT"],
        "on_time": 100 * lot["on_time"] / max(lot["throughput"], 1),
    }[key]
    return f"{value:.{digits}f}"


def _tools(runs: list[dict[str, Any]], others: list[dict[str, Any]]) -> str:
    names = runs[0]["tools"]
    mean = {
        name: statistics.mean(run["tools"][name]["use"] for run in runs)
        for name in names
    }
    rows = ["| tool family | measure, % | Linewright |" + " PySCFabSim |" * len(others)]
    rows.append("| --- | --- | --: |" + " --: |" * len(others))
    for name in sorted(names, key=lambda name: -mean[name])[:N_SHOWN]:
        for measure, key, theirs in (
            ("up", "up", "avail"),
            ("used while up", "use", "util"),
            ("setup", "setup", "setup"),
        ):
            ours = [run["tools"][name][key] for run in runs]
            cells = [name, measure, _interval(ours, 1, 100)]
            for other in others:
                row = other["machines"].get(name)
                cells.append(f"{100 * row[theirs]:.1f}" if row else "")
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
