"""What a five-year plan costs: the analytic answer, and the probability of all targets.

``python -m benchmarks.plans [--precision 0.02] [--workers N]``

The plant is the light-aircraft plant with its targets. The analytic answer is work
against hours of every station and period, the first in a process and the median of 40.
Prints Markdown; CPU time beside time on the clock, which other programs lengthen.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import linewright
from benchmarks.measure import PROJECT
from linewright.plan.capacity import rough_cut
from linewright.plan.planning import plan_line

MODEL = PROJECT / "examples" / "light-aircraft" / "five-years.yaml"


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that something takes, of the CPU and on the clock."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans")
    parser.add_argument("--precision", type=float, default=0.02)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    line = linewright.load(MODEL)
    found = [timed(lambda: rough_cut(line)) for _ in range(40)]
    print("| analytic answer | CPU ms | ms on the clock |")
    print("| --- | --: | --: |")
    print(f"| first | {1e3 * found[0][0]:.0f} | {1e3 * found[0][1]:.0f} |")
    cpu_s, wall_s = (statistics.median(times) for times in zip(*found, strict=True))
    print(f"| median of {len(found)} | {1e3 * cpu_s:.0f} | {1e3 * wall_s:.0f} |")
    plan_line(line, replications=1, workers=1)  # compiles
    plans = []
    cpu_s, wall_s = timed(
        lambda: plans.append(
            plan_line(line, precision=args.precision, workers=args.workers)
        )
    )
    (plan,) = plans
    row = next(row for row in plan.rows("goals") if not row["target"])
    events = plan.manifest["events"] / 1e6
    print()
    print("| P(all targets) | interval | replications | events | CPU s | s, workers |")
    print("| --: | --: | --: | --: | --: | --: |")
    print(
        f"| {row['probability']:.1%} | {row['low']:.1%} to {row['high']:.1%} "
        f"| {plan.manifest['replications']} | {events:.0f} M | {cpu_s:.0f} "
        f"| {wall_s:.0f}, {args.workers} |"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
