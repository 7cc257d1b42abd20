"""Measure the speed and the memory of Linewright, as ratios in one run: `make bench`.

Use: ``python -m benchmarks [--only PART] [--runs N] [--core N] [--limit PATH]
[--cimba PATH] [--fab SOURCE [--pyscfabsim COMMAND]] [--date DATE --write]``

Prints Markdown. With ``--write`` it goes to ``benchmarks/RESULTS.md``, with the date
that ``--date`` gives. Needs the extra ``bench`` (SimPy). Two peers of C and C++ take
part where their programs are given: ``--limit``, hand-written event loops that know
nothing but their one model, run as ``PATH heap MODEL DEPARTURES``; ``--cimba``, the
same models on Cimba, run as ``PATH MODEL DEPARTURES``. Both print one line of JSON with
``events``, ``cpu_s``, ``estimate`` and ``ci95``. With ``--fab``, an SMT2020 data set,
two years of a wafer fab are measured, and beside them what ``--pyscfabsim`` runs: a
command that prints one line of JSON with ``cpu_s``, ``days`` and ``lots``.

The exit code is 1 if an estimate of ours lies away from its reference value.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.estimates import T_95, T_999
from benchmarks.measure import PROJECT, Summary, interleaved, python, wall_s
from benchmarks.models import MODELS, SMALL, Model

RESULTS = Path(__file__).parent / "RESULTS.md"
OTHERS = "\n<!-- What follows comes from other commands, and is kept. -->\n"
PARTS = ("speed", "cores", "stations", "length", "start", "fab")
SEED = 1

STATION_COUNTS = (10, 100, 1000)
STATION_EVENTS = 20_000_000
REPLICATIONS = 64
CORES_MINUTES = 300_000
LENGTH_MINUTES = (10_000, 100_000, 1_000_000)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", choices=PARTS, help="measure one part")
    parser.add_argument("--runs", type=int, default=3, help="runs of each command")
    parser.add_argument("--core", type=int, help="core to pin to; the last by default")
    parser.add_argument("--limit", help="compiled event loops for one model")
    parser.add_argument("--cimba", help="compiled models on Cimba")
    parser.add_argument("--fab", help="SMT2020 data set of a wafer fab")
    parser.add_argument("--pyscfabsim", help="command that runs the peer on it")
    parser.add_argument("--date", help="date to write")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    args = parser.parse_args()
    if args.write and (not args.date or args.only):
        parser.error("--write needs --date, and all parts")
    if args.only == "fab" and not args.fab:
        parser.error("--only fab needs --fab, the data set to measure on")
    if args.core is None and hasattr(os, "sched_getaffinity"):
        args.core = max(os.sched_getaffinity(0))
    return args


def main() -> int:
    """Measure, print, and write if asked to."""
    args = _arguments()
    parts = {
        "speed": speed,
        "cores": cores,
        "stations": stations,
        "length": length,
        "start": start,
        "fab": fab,
    }
    measured = [name for name in parts if name != "fab" or args.fab]
    wanted = [args.only] if args.only else measured
    away: list[str] = []
    text = "\n\n".join([head(args), *(parts[name](args, away) for name in wanted)])
    print(text)
    if args.write:
        kept = RESULTS.read_text(encoding="utf-8").partition(OTHERS)[2]
        RESULTS.write_text(f"{text}\n{OTHERS}{kept}", encoding="utf-8")
    for line in away:
        print(line, file=sys.stderr)
    return 1 if away else 0


# ---------------------------------------------------------------- the machine


def head(args: argparse.Namespace) -> str:
    """Return the title, the machine and the versions."""
    packages = ("linewright", "numba", "numpy", "simpy")
    found = [f"{name} {_version(name)}" for name in packages]
    lines = [
        "# Benchmark results",
        "",
        f"- Date: {args.date or 'not given'}",
        f"- Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()}",
        f"- Versions: Python {platform.python_version()}, {', '.join(found)}",
        f"- Runs of each command: {args.runs}, by turns, each in a process of its own;",
        "  medians stand here. Peak memory is that of the whole process.",
    ]
    return "\n".join(lines)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def _table(header: str, rows: list[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    names = [name.strip() for name in header.split("|")]
    lines = [names, ["---"] + ["--:"] * (len(names) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---------------------------------------------------------------- one core


def _peers(args: argparse.Namespace, key: str, model: Model) -> dict[str, list[str]]:
    """Return the command of each tool; fast ones do more and run for seconds too."""
    n = model.departures
    commands = {"Linewright": python("ours", "speed", key, 20 * n, SEED)}
    if args.limit:
        commands["C++ event loop"] = [args.limit, "heap", key, str(20 * n)]
    if args.cimba:
        commands["Cimba (C)"] = [args.cimba, key, str(10 * n)]
    if _version("simpy") != "absent":
        commands["SimPy"] = python("simpy_lines", key, n, SEED)
    return commands


def speed(args: argparse.Namespace, away: list[str]) -> str:
    """Compare the CPU time of one event on one core with that of others."""
    commands = {
        f"{key} {name}": command
        for key, model in MODELS.items()
        for name, command in _peers(args, key, model).items()
    }
    found = interleaved(commands, args.runs, args.core)
    text = [
        "## One core",
        "",
        f"CPU time of the run itself, pinned to core {args.core}. An event is one",
        "service completion. One kernel runs all models; none has a path of its own.",
        "Estimates are departures per minute (M1, M2) and mean time in the system in",
        "minutes (M3), with 95 % intervals from 20 batches.",
    ]
    for key, model in MODELS.items():
        rows = {k.partition(" ")[2]: v for k, v in found.items() if k.startswith(key)}
        text += ["", f"### {model.title}", "", _speed_table(rows, model)]
        away += _away(rows["Linewright"], model)
    return "\n".join(text)


def _speed_table(rows: dict[str, Summary], model: Model) -> str:
    slowest = rows.get("SimPy")
    lines = []
    for name, row in rows.items():
        m = row.medians
        rate = m["events"] / m["cpu_s"]
        simpy = slowest.medians if slowest else None
        times = f"{rate / simpy['events'] * simpy['cpu_s']:.1f}" if simpy else ""
        lines.append(
            [
                name,
                f"{m['events'] / 1e6:.1f} M",
                f"{m['cpu_s']:.3f}",
                f"{row.spread:.2f}",
                f"{1e9 / rate:,.1f}",
                times,
                f"{m['peak_mb']:.0f}",
                f"{row.report['estimate']:.4f} ± {row.report['ci95']:.4f}",
            ]
        )
    reference = f"{model.reference:.5f}"
    if model.reference_half_width:
        reference += f" ± {model.reference_half_width:.5f}"
    lines.append(["reference value", *[""] * 6, reference])
    header = "tool | events | CPU s | slowest/fastest | ns/event | x SimPy | peak MB | "
    return _table(header + "estimate", lines)


def _away(ours: Summary, model: Model) -> Iterator[str]:
    """Say so if the estimate cannot be reconciled with the reference, at 99.9 %."""
    mean, half = ours.report["estimate"], ours.report["ci95"] * T_999 / T_95
    if abs(mean - model.reference) > half + model.reference_half_width:
        yield f"AWAY: {model.title}: {mean:.5f}, and {model.reference:.5f} is known"


# ---------------------------------------------------------------- several cores


def cores(args: argparse.Namespace, away: list[str]) -> str:
    """Compare the wall time of many replications on one core and on two."""
    counts = [n for n in (1, 2, 4, 8) if n <= (os.cpu_count() or 1)]
    commands = {
        str(n): python("ours", "cores", n, REPLICATIONS, CORES_MINUTES) for n in counts
    }
    found = interleaved(commands, args.runs, None)
    one = found["1"].medians
    rows = []
    for name, row in found.items():
        wall = row.medians["wall_s"]
        same = row.medians["throughput_per_h"] == one["throughput_per_h"]
        if not same:
            away.append(f"AWAY: {name} workers give another result than one")
        rows.append(
            [name, f"{wall:.2f}", f"{row.spread:.2f}", f"{one['wall_s'] / wall:.2f}"]
        )
    text = f"Wall time of {REPLICATIONS} replications of M1, {CORES_MINUTES:,} minutes"
    table = _table("workers | wall s | slowest/fastest | x one worker", rows)
    return f"## Several cores\n\n{text} each; the result is the same.\n\n{table}"


# ---------------------------------------------------------------- size and length


def stations(args: argparse.Namespace, away: list[str]) -> str:
    """Compare the CPU time of one event in short and long lines of the same kind."""
    del away
    commands = {
        str(n): python("ours", "stations", n, STATION_EVENTS) for n in STATION_COUNTS
    }
    found = interleaved(commands, args.runs, args.core)
    each = {
        name: row.medians["cpu_s"] / row.medians["events"] * 1e9
        for name, row in found.items()
    }
    before: float | None = None
    rows = []
    for name, ns in each.items():
        rows.append([name, f"{ns:.1f}", f"{ns / before:.2f}" if before else ""])
        before = ns
    table = _table("stations | ns/event | x a tenth of the stations", rows)
    return f"## More stations\n\nLines like M1, full when timed.\n\n{table}"


def length(args: argparse.Namespace, away: list[str]) -> str:
    """Compare the memory of short and long runs."""
    del away
    commands = {str(n): python("ours", "length", n) for n in LENGTH_MINUTES}
    found = interleaved(commands, 1, args.core)
    rows = [
        [
            f"{int(name):,}",
            f"{row.medians['finished']:,.0f}",
            f"{row.medians['peak_mb']:.0f}",
        ]
        for name, row in found.items()
    ]
    table = _table("minutes | units finished | peak MB", rows)
    text = "Peak memory of the whole process, one replication of M1."
    return f"## Longer runs\n\n{text}\n\n{table}"


# ---------------------------------------------------------------- the start


def start(args: argparse.Namespace, away: list[str]) -> str:
    """Measure the first use, which compiles, and every later one."""
    del away
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "bottling.yaml"
        model.write_text(SMALL, encoding="utf-8")
        out = ["--out", str(Path(folder) / "result")]
        verb = [sys.executable, "-m", "linewright", "simulate", str(model), *out]
        # Python keeps its bytecode, as it does for users
        cache = {"LINEWRIGHT_CACHE_DIR": str(Path(folder) / "cache")}
        cache["PYTHONDONTWRITEBYTECODE"] = ""
        print("first use", file=sys.stderr, flush=True)
        first = wall_s(verb, cache)
        later = [wall_s(verb, cache) for _ in range(args.runs)]
    rows = [
        ["first use, with compilation", f"{first:.1f}"],
        ["every later use", f"{statistics.median(later):.2f}"],
    ]
    table = _table("`linewright simulate`, 3 stations, 10 replications | wall s", rows)
    return f"## Start\n\nWhole processes, from start to end.\n\n{table}"


# ---------------------------------------------------------------- a wafer fab


FAB_DAYS = 730


def fab(args: argparse.Namespace, away: list[str]) -> str:
    """Compare two years of a wafer fab with the open Python simulator of its data."""
    del away
    source = str(Path(args.fab).resolve())
    commands = {"Linewright": python("ours", "fab", source, FAB_DAYS, 0)}
    if args.pyscfabsim:
        commands["PySCFabSim"] = shlex.split(args.pyscfabsim)
    found = interleaved(commands, args.runs, args.core)
    peer = found.get("PySCFabSim")
    rows = []
    for name, row in found.items():
        days = row.medians.get("days", FAB_DAYS)
        each = row.medians["cpu_s"] / days
        times = ""
        if peer:
            theirs = peer.medians["cpu_s"] / peer.medians["days"]
            times = f"{theirs / each:.1f}"
        rows.append(
            [
                name,
                f"{days:.0f}",
                f"{row.medians['cpu_s']:.1f}",
                f"{row.spread:.2f}",
                f"{each:.4f}",
                times,
                f"{row.medians['peak_mb']:.0f}",
            ]
        )
    header = (
        "tool | days | CPU s | slowest/fastest | CPU s/day | x PySCFabSim | peak MB"
    )
    text = f"The data set {Path(source).stem}, CPU time of the run itself on one core."
    return f"## A wafer fab\n\n{text}\n\n{_table(header, rows)}"


if __name__ == "__main__":
    assert Path.cwd().resolve() == PROJECT, f"run this in {PROJECT}"
    sys.exit(main())
