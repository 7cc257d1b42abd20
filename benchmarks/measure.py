"""Processes that are measured: started, pinned to a core, waited for, and summed up."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PROJECT", "Summary", "interleaved", "once", "python", "wall_s"]

PROJECT = Path(__file__).resolve().parent.parent

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """Several runs of one command.

    Attributes:
        report: What the first run reported; seeds are fixed, so estimates repeat.
        medians: Median of every number that the runs reported, and of `peak_mb`.
        spread: The slowest run's time over the fastest's.
    """

    report: Report
    medians: dict[str, float]
    spread: float


def python(module: str, *args: object) -> list[str]:
    """Return the command that runs a module of the benchmarks."""
    return [sys.executable, "-m", f"benchmarks.{module}", *map(str, args)]


@contextmanager
def _pinned(core: int | None) -> Iterator[None]:
    """Keep this process, and those it starts, on one core."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def once(command: Sequence[str], core: int | None) -> Report:
    """Run a command and return its report: the last line it prints, and its memory.

    Raises:
        SystemExit: The command failed.
    """
    with (
        _pinned(core),
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=PROJECT
        ) as process,
    ):
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    report: Report = json.loads(text.strip().splitlines()[-1])
    per_mb = 2**20 if sys.platform == "darwin" else 1024
    return {"peak_mb": used.ru_maxrss / per_mb} | report


def interleaved(
    commands: dict[str, list[str]], runs: int, core: int | None
) -> dict[str, Summary]:
    """Run all commands in turn, several times, and return each one's summary.

    Taking turns spreads what else the machine does over all of them alike.
    """
    got: dict[str, list[Report]] = {name: [] for name in commands}
    for run in range(runs):
        for name, command in commands.items():
            print(f"run {run + 1} of {runs}: {name}", file=sys.stderr, flush=True)
            got[name].append(once(command, core))
    return {name: _summary(reports) for name, reports in got.items()}


def _summary(reports: list[Report]) -> Summary:
    numbers = [k for k, value in reports[0].items() if isinstance(value, int | float)]
    medians = {key: statistics.median(r[key] for r in reports) for key in numbers}
    timed = next((key for key in ("cpu_s", "wall_s") if key in medians), "peak_mb")
    times = [float(r[timed]) for r in reports]
    return Summary(reports[0], medians, max(times) / max(min(times), 1e-9))


def wall_s(command: Sequence[str], environment: dict[str, str]) -> float:
    """Return the time that a whole process takes, from start to end.

    Raises:
        SystemExit: The command failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        command,
        env=os.environ | environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return time.perf_counter() - start
