"""The formulas: how long they take, and the best of up to a million designs, proved.

``python -m benchmarks.designs``

Prints Markdown. Times are CPU seconds of this process, wall time beside them where it
matters; the code is compiled before. Long lines, of which no exact throughput is known,
are held against the recursion of departures.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.recursion import observe_designs
from linewright.stats.intervals import mean_interval
from linewright.theory.chains import exact
from linewright.theory.decomposition import estimate, throughputs
from linewright.theory.designs import best, exact_table, rates_and_slots
from linewright.theory.flow_line import FlowLine, serial

TOTALS = (20, 50, 128)
N_LONG = 20
PARTS = (2_000, 20_000)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what some work gave, its CPU seconds and its wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = work()
    return found, time.process_time() - cpu, time.perf_counter() - wall


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def certificates() -> str:
    """Find the best design of each size, with its proof."""
    rows = []
    for total in TOTALS:
        rates, slots = rates_and_slots(total, total)
        found, cpu, wall = timed(lambda r=rates, s=slots: best(r, s))
        row = found.rows[0]
        design = [*rates[row].astype(int), *(slots[row] + 1)]
        rows.append(
            [
                f"{found.n_designs:,}",
                " ".join(map(str, design)),
                f"{found.throughput_per_s:.9f}",
                f"{found.second_per_s:.9f}",
                str(found.n_solved),
                f"{found.highest_bound_per_s:.9f}",
                f"{cpu:.2f}",
                f"{wall:.2f}",
            ]
        )
    head = ["designs", "best (rates; buffers)", "throughput", "second best"]
    head += ["solved", "all others below", "CPU s", "wall s"]
    return f"## The best of all designs\n\n{_table(head, rows)}"


def speeds() -> str:
    """Measure one evaluation of each kind."""
    rates, slots = rates_and_slots(50, 50)
    unreliable = FlowLine(
        (1.0,) * 10, (4,) * 9, mttf_s=(100.0,) * 10, mttr_s=(10.0,) * 10
    )
    small = rates_and_slots(20, 20)
    works: dict[str, tuple[Callable[[], Any], int]] = {
        "exact, 3 stations, each of 3,249": (lambda: exact_table(*small), 3249),
        "exact with derivatives, 3 stations, 139 states": (
            lambda: exact(serial(1 / rates[0], (11, 7))),
            1,
        ),
        "decomposition, 1 moment, 3 stations, each of 57,624": (
            lambda: throughputs(1 / rates, slots),
            len(rates),
        ),
        "decomposition, 3 moments, 3 stations, each of 57,624": (
            lambda: throughputs(1 / rates, slots, n_moments=3),
            len(rates),
        ),
        "decomposition, 10 unreliable stations": (lambda: estimate(unreliable), 1),
    }
    rows = []
    for name, (work, n) in works.items():
        work()
        times = [timed(work)[1] / n for _ in range(5)]
        rows.append([name, f"{1e6 * min(times):,.1f}"])
    return f"## Time of an evaluation\n\n{_table(['what', 'CPU µs'], rows)}"


def long_lines() -> str:
    """Hold the decomposition against simulation of long exponential lines."""
    rng = np.random.default_rng(20_270_305)
    rows = []
    for n_stations in (6, 10, 20):
        for most in (0, 2, 10):
            errors, widths = [], []
            for seed in range(N_LONG):
                process_s = rng.uniform(0.8, 1.25, n_stations)
                slots = rng.integers(0, most + 1, n_stations - 1)
                lines = (1 / process_s)[None, :], slots[None, :]
                values = observe_designs(*lines, (seed, 0, 10), PARTS)[0]
                simulated = mean_interval(values)
                found = estimate(serial(process_s.tolist(), slots.tolist()))
                errors.append(found.throughput_per_s / simulated.mean - 1)
                widths.append(simulated.relative_half_width)
            sizes = np.abs(errors)
            cells = (sizes.mean(), sizes.max(), np.mean(errors), np.mean(widths))
            rows.append([f"{n_stations}, 0 to {most}", *(f"{x:+.2%}" for x in cells)])
    head = ["stations, places", "mean size", "largest", "mean", "half-width"]
    text = (
        f"{N_LONG} lines of each kind; processing times 0.8 to 1.25. The last column "
        "is the mean half-width of the simulation's intervals of 95 %."
    )
    return f"## Long lines\n\n{text}\n\n{_table(head, rows)}"


def main() -> int:
    """Measure and print."""
    best(*rates_and_slots(5, 5))  # compiles
    print("\n\n".join([certificates(), speeds(), long_lines()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
