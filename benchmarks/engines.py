"""Replications on threads and on a Ray cluster of this machine: cost and scaling.

Use: ``python -m benchmarks.engines [--replications N] [--tasks N]``

Prints Markdown: what a task costs that does nothing, and how long replications of the
transfer line take on one thread, two threads, and clusters of one and two workers: the
least of some rounds, after one that is not counted. Needs the extra ``ray``. The exit
code is 1 if a figure of any replication differs between engines.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linewright
from linewright.engines import Engine, Threads, in_order
from linewright.engines.on_ray import ray_engine
from linewright.improve.objectives import objective_of
from linewright.improve.trials import Span, lowered_of

HOUR_US = 3_600_000_000
SEED = 1
ROUNDS = 3


def _work(horizon_h: int) -> Callable[[int], Any]:
    line = linewright.load(Path("examples/transfer-line/line.yaml"))
    span = Span(20 * HOUR_US, horizon_h * HOUR_US)
    objective, lowered = objective_of(line, "throughput", span), lowered_of(line, span)

    def work(number: int) -> float:
        return objective.run(line, lowered, SEED, number)

    return work


def _timed(
    engine: Engine, work: Callable[[int], Any], n: int
) -> tuple[float, list[Any]]:
    """Return the least wall time of some rounds, and what was found."""
    list(in_order(engine, work, range(64)))  # workers import and load the kernel
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        found = list(in_order(engine, work, range(n)))
        seconds.append(time.perf_counter() - begin)
    return min(seconds), found


class Single:
    """An engine with one number in a chunk, to see what a task costs."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open(self, task: Callable[[int], Any], n: int) -> Any:
        return self.engine.open(task, n)

    def chunk(self, n: int) -> int:
        return 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines")
    parser.add_argument("--replications", type=int, default=600)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=1000, help="of a replication")
    args = parser.parse_args()
    work = _work(args.hours)
    rows = []
    for n in (1, 2):
        threads = Threads(n)
        empty, _ = _timed(threads, int, args.tasks)
        rows.append((f"{n} thread{'s' * (n > 1)}", 0.0, empty, *_timed(
            threads, work, args.replications)))  # fmt: skip
    for n in (1, 2):
        begin = time.perf_counter()
        with ray_engine(n) as cluster:
            start = time.perf_counter() - begin
            empty, _ = _timed(Single(cluster), int, args.tasks)
            rows.append((f"Ray, {n} worker{'s' * (n > 1)}", start, empty, *_timed(
                cluster, work, args.replications)))  # fmt: skip
    n, hours = args.replications, args.hours
    print(f"{n} replications of the transfer line of {hours} h each.\n")
    print("| engine | start, s | an empty task, ms | all, s | times one thread |")
    print("| --- | --: | --: | --: | --: |")
    for name, start, empty, seconds, _ in rows:
        cost = 1000 * empty / args.tasks
        print(
            f"| {name} | {start:.1f} | {cost:.3f} | {seconds:.2f} | "
            f"{rows[0][3] / seconds:.2f} |"
        )
    same = all(found == rows[0][4] for *_, found in rows)
    print(f"\nAll replications are the same on all engines: {'yes' if same else 'NO'}.")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
