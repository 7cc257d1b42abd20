"""What following causes costs: a run with it over the same run without.

``python -m benchmarks.causes [--runs 5]``

Each run is one of the kernel alone in this process, with the same events; the two take
turns. Peak size of what is kept for the chain of causes stands beside it. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import linewright
from benchmarks.models import MODELS
from linewright import tables as t
from linewright.lower import (
    Lowered,
    following_causes,
    lower,
    new_draws,
    new_state,
)
from linewright.replicate import critical_path, run_until

FOREVER = 2**57


def run(lowered: Lowered, departures: int, *, follows: bool) -> tuple[float, t.State]:
    """Return the CPU seconds of a run, and its state at the end."""
    start = time.process_time()
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    if follows:
        state = following_causes(state, 0)
    _, state = run_until(lowered, state, draws, FOREVER, departures)
    if follows:
        critical_path(state)
    return time.process_time() - start, state


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.causes")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print("| line | events | without, CPU s | with | ratio | kept, kB |")
    print("| --- | --: | --: | --: | --: | --: |")
    for model in MODELS.values():
        lowered = lower(linewright.loads(model.text), FOREVER)
        times: dict[bool, list[float]] = {False: [], True: []}
        for follows in times:
            run(lowered, 100, follows=follows)  # compiles
        for _ in range(args.runs):
            for follows, found in times.items():
                cpu_s, state = run(lowered, 5 * model.departures, follows=follows)
                found.append(cpu_s)
        without, with_causes = map(statistics.median, times.values())
        events = 5 * model.departures * model.n_stations
        kept = (state.chain.nbytes + state.causes.nbytes + state.path.nbytes) / 1000
        cells = [
            model.title.partition(",")[0],
            f"{events / 1e6:.0f} M",
            f"{without:.2f}",
            f"{with_causes:.2f}",
            f"{with_causes / without:.2f}",
            f"{kept:,.0f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
