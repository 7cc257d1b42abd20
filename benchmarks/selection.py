"""Selecting the best of 3,249 lines by simulation, beside other tools.

``python -m benchmarks.selection [--repetitions 200] [--peers PYTHON]``

Each repetition selects among the designs of three exponential stations whose rates, and
whose buffers, add up to 20 (Pichitlamken, Nelson and Hong 2006), of which the exact
throughputs are known. An observation is the throughput of `MEASURED` parts after
`WARMUP`; it comes from the recursion of departures of a line with blocking after
service, which takes the same random numbers for all designs. Parts are counted with
their warm-up. ``--peers`` names the Python of an environment that has sim-tools, PyPRS
and Numba; they select among observations of the same kind.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure import PROJECT
from benchmarks.recursion import observe_designs
from linewright.improve.selection import Aim, Evaluations, Selection, kn
from linewright.stats.intervals import wilson_interval
from linewright.theory.bounds import pairs
from linewright.theory.decomposition import SCREEN_ERROR
from linewright.theory.decomposition import throughputs as estimated
from linewright.theory.designs import exact_table, rates_and_slots

__all__ = ["Case", "screened", "simulate_and_select"]

WARMUP, MEASURED = 100, 200
INDIFFERENCE = 0.01
TOTAL = 20
AIM = Aim(INDIFFERENCE, 0.95, n_first=20, growth=0.1)


@dataclass(frozen=True, slots=True)
class Case:
    """Designs to select from, their exact worth, and how they are observed."""

    rates: np.ndarray
    slots: np.ndarray
    exact: np.ndarray
    warmup: int = WARMUP
    measured: int = MEASURED

    def observer(self, seed: int):  # type: ignore[no-untyped-def]
        """Return a function that observes systems in a range of replications."""

        def observe(systems: np.ndarray, first: int, last: int) -> np.ndarray:
            lengths = self.warmup, self.measured
            of = self.rates[systems], self.slots[systems]
            return observe_designs(*of, (seed, first, last), lengths)

        return observe

    def part(self, rows: np.ndarray) -> Case:
        """Return the case of some of the designs alone."""
        of = self.rates[rows], self.slots[rows], self.exact[rows]
        return Case(*of, self.warmup, self.measured)

    def is_right(self, chosen: int, best: float) -> bool:
        """Whether a choice is the best or within the indifference zone of it."""
        return bool(self.exact[chosen] >= best - INDIFFERENCE)


def all_designs() -> Case:
    rates, slots = rates_and_slots(TOTAL, TOTAL)
    return Case(rates, slots, exact_table(rates, slots))


def screened(case: Case) -> np.ndarray:
    """Return designs that the decomposition cannot tell from the best.

    Those stay whose estimate, raised by twice the error that 95 % of estimates stay
    below, reaches the highest estimate, and whose bound does.
    """
    found = estimated(1 / case.rates, case.slots)
    allowed = 1 + 2 * SCREEN_ERROR.most_of_95
    least = found.max() / allowed
    bounds = pairs(case.rates, case.slots)
    return np.flatnonzero((found >= least) & (bounds >= least))


def simulate_and_select(case: Case, seed: int, aim: Aim = AIM) -> Selection:
    return kn(case.observer(seed), len(case.rates), aim, Evaluations())


def measure(name: str, case: Case, best: float, repetitions: int) -> list[str]:
    """Return a row of the table: how often right, parts, time."""
    right, parts, started = 0, [], time.perf_counter()
    for seed in range(repetitions):
        found = simulate_and_select(case, seed)
        right += case.is_right(found.chosen, best)
        parts.append(found.n_replications * (case.warmup + case.measured))
    return _row(name, right, parts, time.perf_counter() - started)


def _row(name: str, right: int, parts: list[int], seconds: float) -> list[str]:
    share = wilson_interval(right, len(parts), 0.99)
    mean = np.mean(parts) / 1e6
    within = f"{right} of {len(parts)} ({share.low:.3f} to {share.high:.3f})"
    return [name, within, f"{mean:,.1f}", f"{seconds / len(parts):.2f}"]


def peers(python: str, rows: np.ndarray, repetitions: int) -> list[list[str]]:
    """Return the rows of other tools, run in an environment of their own."""
    script = Path(__file__).with_name("selection_peers.py")
    order = {
        "rows": rows.tolist(),
        "repetitions": repetitions,
        "lengths": [WARMUP, MEASURED],
        "indifference": INDIFFERENCE,
        "n_first": AIM.n_first,
        "confidence": AIM.confidence,
    }
    done = subprocess.run(
        [python, str(script)],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "RAY_USAGE_STATS_ENABLED": "0"},
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return []
    case = all_designs()
    best = case.exact.max()
    found = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            result = json.loads(line)
            right = sum(case.is_right(c, best) for c in result["chosen"])
            found.append(
                _row(result["name"], right, result["parts"], result["seconds"])
            )
    return found


def main() -> int:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--peers", help="Python that has sim-tools, PyPRS and Numba")
    parser.add_argument("--peer-repetitions", type=int, default=4)
    args = parser.parse_args()
    case = all_designs()
    best = float(case.exact.max())
    some = screened(case)
    table = [
        measure("KN, all designs", case, best, args.repetitions),
        measure(
            f"KN after the analytic screen ({len(some)} designs)",
            case.part(some),
            best,
            args.repetitions,
        ),
    ]
    if args.peers:
        table += peers(args.peers, some, args.peer_repetitions)
    head = ["procedure", "right or within 0.01 (99 % interval)", "million parts", "s"]
    for line in [head, ["---"] * len(head), *table]:
        print(f"| {' | '.join(line)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
