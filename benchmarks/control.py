"""Measure the controller under load: `python -m benchmarks.control [--records N]`.

A line of 200 stations, whose machines are played in the same process, tells `--rate`
signals a second for `--minutes` to a `Controller` whose journal is a file in `--folder`
or stands at `--journal`. What has come while the last batch was written makes the next
one. Of each signal it is measured how long after it was due the commands it leads to
could leave. The memory that the process holds is looked at every second, and a line
laid through its second half. Then a journal of `--records` records is made, and opened
with its snapshot and without one; `--records 0` leaves that out.

`--minutes 60 --rate 100 --records 0` is the hour of load.

Prints Markdown, for the section "The controller" of RESULTS.md.
"""

from __future__ import annotations

import argparse
import heapq
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np

from linewright.control.controller import Controller
from linewright.control.emulation import Emulation
from linewright.control.journal import SqliteJournal
from linewright.control.openings import journal_of, opening_of
from linewright.control.records import Signal
from linewright.lower import lower
from linewright.model.line import Line
from linewright.model.load import loads

N_STATIONS = 200
HOUR_US = 3_600_000_000
SHORTEST_US = 5_000


def line_of(n: int, process: str) -> Line:
    """Return a line of n stations with buffers, that is never without work."""
    stations = "".join(f"  s{k}: {{process: {process}, buffer: 4}}\n" for k in range(n))
    route = ", ".join(f"s{k}" for k in range(n))
    return loads(
        f"schema_version: 1\nname: load\nstations:\n{stations}products:\n  part:\n"
        f"    route: [{route}]\n"
    )


def load(place: str | Path, seconds: float, rate: float) -> dict[str, float]:
    """Run the line in real time, with so many signals a second.

    A machine ends its next job a fixed time after the last one, if it has it by then,
    so that the load stays as it is when answers take longer.
    """
    line = line_of(N_STATIONS, "100 ms")
    lowered = lower(line, 24 * HOUR_US)
    journal = journal_of(place, line, lowered, 0)
    controller = Controller(lowered, journal)
    _fill(controller)
    each_us = round(1e6 * N_STATIONS / rate)
    queue = [
        (i * each_us // N_STATIONS, job)
        for i, job in enumerate(list(controller.core.jobs))
    ]
    heapq.heapify(queue)
    told: set[str] = {job for _, job in queue}
    waits = np.zeros(int(1.2 * rate * seconds) + 1_000, np.int64)  # made and not grown
    memory = np.zeros(int(seconds) + 2)
    n_waits = n_commits = n_looks = 0
    last: dict[str, int] = {}
    begun, cpu = time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - begun) < seconds:
        now_us = round(elapsed * 1e6)
        due = []
        while queue and queue[0][0] <= now_us and len(due) < 200:
            at_us, job = heapq.heappop(queue)
            due.append(at_us)
            last[job.rpartition("#")[0]] = at_us
            controller.tell(Signal("done", job))
        if not due:
            wait_us = queue[0][0] - now_us if queue else SHORTEST_US
            time.sleep(min(max(wait_us, 500), 50_000) / 1e6)
            continue
        step = controller.step(now_us)
        left_us = round((time.perf_counter() - begun) * 1e6)
        waits[n_waits : n_waits + len(due)] = [left_us - at_us for at_us in due]
        n_waits, n_commits = n_waits + len(due), n_commits + 1
        assert all(answer.is_accepted for answer in step.answers)
        told -= {answer.signal.subject for answer in step.answers}
        for record in step.records:
            for command in record.commands:
                if command["job"] not in told and command["want"] == "run":
                    told.add(command["job"])
                    before = last.get(command["job"].rpartition("#")[0], left_us)
                    end_us = max(before + each_us, left_us + SHORTEST_US)
                    heapq.heappush(queue, (end_us, command["job"]))
        if elapsed >= n_looks:
            memory[n_looks], n_looks = _memory_mb(), n_looks + 1
    cpu = time.process_time() - cpu
    journal.close()
    p50, p99, most = np.percentile(waits[n_waits // 10 : n_waits], [50, 99, 100])
    half = memory[n_looks // 2 : n_looks]
    mb_per_s = np.polyfit(np.arange(len(half)), half, 1)[0] if len(half) > 2 else 0.0
    return {
        "signals/s": n_waits / seconds,
        "signals/commit": n_waits / n_commits,
        "p50 ms": float(p50) / 1e3,
        "p99 ms": float(p99) / 1e3,
        "longest ms": float(most) / 1e3,
        "CPU us/signal": 1e6 * cpu / n_waits,
        "memory MB after a tenth": memory[n_looks // 10],
        "memory MB at the end": memory[n_looks - 1],
        "memory MB/h in the second half": 3_600 * float(mb_per_s),
    }


def _memory_mb() -> float:
    """Return the memory that this process holds now, and not the most it ever held."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _fill(controller: Controller) -> None:
    """Let parts through until every station has work."""
    n = 0
    while len(controller.core.jobs) < N_STATIONS * 95 // 100 and n < 100_000:
        for job in list(controller.core.jobs):
            controller.tell(Signal("done", job))
            n += 1
        while controller.has_signals:
            controller.step(0)


def restart(folder: Path, n_records: int) -> dict[str, float]:
    """Make a long journal and start from it, with its snapshots and without."""
    line = line_of(20, "60 s")
    lowered = lower(line, 100_000 * HOUR_US)
    opening = opening_of(line, lowered, 0)
    path = folder / "long.journal"
    journal = SqliteJournal(path, opening)
    emulation = Emulation(lowered, journal, 0)
    at_us, begun = 0, time.process_time()
    while journal.next_seq < n_records:
        at_us += HOUR_US
        emulation.run(at_us)
    written = time.process_time() - begun
    journal.close()
    size = path.stat().st_size
    warm = _started(lowered, path)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM snapshots")
    db.close()
    cold = _started(lowered, path)
    return {
        "records": n_records,
        "MB": size / 1e6,
        "written, records/CPU s": n_records / written,
        "start with a snapshot, s": warm[0],
        "start without one, s": cold[0],
        "replayed without one, records/s": n_records / cold[0],
        "replayed without one, records/CPU s": n_records / cold[1],
    }


def _started(lowered: object, path: Path) -> tuple[float, float]:
    begun, cpu = time.perf_counter(), time.process_time()
    journal = SqliteJournal(path)
    controller = Controller(lowered, journal)  # type: ignore[arg-type]
    assert controller.core.jobs
    took = time.perf_counter() - begun, time.process_time() - cpu
    journal.close()
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--rate", type=float, default=2_000, help="signals a second")
    parser.add_argument("--journal", help="of the load: a file or an address")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        place = args.journal or Path(folder) / "load.journal"
        _print("load", load(place, 60 * args.minutes, args.rate))
        if args.records:
            _print("restart", restart(Path(folder), args.records))


def _print(title: str, found: dict[str, float]) -> None:
    print(f"\n| {title} | |\n| --- | --: |")
    for name, value in found.items():
        print(f"| {name} | {value:,.1f} |", flush=True)


if __name__ == "__main__":
    main()
