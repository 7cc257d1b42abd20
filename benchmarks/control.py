"""Measure the controller under load: `python -m benchmarks.control [--records N]`.

A line of 200 stations, whose machines are played in the same process, tells 2,000
signals a second to a `Controller` on a `SqliteJournal` on the disk of `--folder`. What
has come while the last batch was written makes the next one. Of each signal it is
measured how long after it was due the commands it leads to could leave. Then a journal
of `--records` records is made, and opened with its snapshot and without one.

Prints Markdown, for the section "The controller" of RESULTS.md.
"""

from __future__ import annotations

import argparse
import heapq
import resource
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np

from linewright.control.controller import Controller
from linewright.control.emulation import Emulation
from linewright.control.journal import SqliteJournal
from linewright.control.openings import opening_of
from linewright.control.records import Signal
from linewright.lower import lower
from linewright.model.line import Line
from linewright.model.load import loads

N_STATIONS, SIGNALS_PER_S = 200, 2_000
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


def load(folder: Path, seconds: float) -> dict[str, float]:
    """Run the line in real time, each machine ten jobs a second.

    A machine ends its next job a tenth of a second after the last one, if it has it by
    then, so that the load stays as it is when answers take longer.
    """
    line = line_of(N_STATIONS, "100 ms")
    lowered = lower(line, 24 * HOUR_US)
    journal = SqliteJournal(folder / "load.journal", opening_of(line, lowered, 0))
    controller = Controller(lowered, journal)
    _fill(controller)
    each_us = round(1e6 * N_STATIONS / SIGNALS_PER_S)
    queue = [
        (i * each_us // N_STATIONS, job)
        for i, job in enumerate(list(controller.core.jobs))
    ]
    heapq.heapify(queue)
    told: set[str] = {job for _, job in queue}
    waits: list[int] = []
    last: dict[str, int] = {}
    sizes, begun, cpu = [], time.perf_counter(), time.process_time()
    memory = []
    while (elapsed := time.perf_counter() - begun) < seconds:
        now_us = round(elapsed * 1e6)
        due = []
        while queue and queue[0][0] <= now_us and len(due) < 200:
            at_us, job = heapq.heappop(queue)
            due.append(at_us)
            last[job.rpartition("#")[0]] = at_us
            controller.tell(Signal("done", job))
        if not due:
            time.sleep(0.0005)
            continue
        step = controller.step(now_us)
        left_us = round((time.perf_counter() - begun) * 1e6)
        waits += [left_us - at_us for at_us in due]
        sizes.append(len(due))
        assert all(answer.is_accepted for answer in step.answers)
        told -= {answer.signal.subject for answer in step.answers}
        for record in step.records:
            for command in record.commands:
                if command["job"] not in told and command["want"] == "run":
                    told.add(command["job"])
                    before = last.get(command["job"].rpartition("#")[0], left_us)
                    end_us = max(before + each_us, left_us + SHORTEST_US)
                    heapq.heappush(queue, (end_us, command["job"]))
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    cpu = time.process_time() - cpu
    journal.close()
    p50, p99 = np.percentile(waits[len(waits) // 10 :], [50, 99])
    return {
        "signals/s": len(waits) / seconds,
        "signals/commit": float(np.mean(sizes)),
        "p50 ms": float(p50) / 1e3,
        "p99 ms": float(p99) / 1e3,
        "CPU us/signal": 1e6 * cpu / len(waits),
        "memory MB": memory[-1] / 1024,
        "grown MB in the second half": (memory[-1] - memory[len(memory) // 2]) / 1024,
    }


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
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for title, found in (
            ("load", load(Path(folder), args.seconds)),
            ("restart", restart(Path(folder), args.records)),
        ):
            print(f"\n| {title} | |\n| --- | --: |")
            for name, value in found.items():
                print(f"| {name} | {value:,.1f} |")


if __name__ == "__main__":
    main()
