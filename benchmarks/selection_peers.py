"""sim-tools and PyPRS on the case of `benchmarks.selection`; runs in their environment.

Reads an order as JSON from standard input and writes a line of JSON for each tool:
which designs it chose in each repetition, how many parts were simulated, and seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recursion import observe_designs

TOTAL = 20
SIMULATION = """
import numpy as np
from benchmarks.recursion import observe_designs

def simulation_function(args, seed):
    _, s1, s2, s3, b2, b3 = args
    at = np.array([[s1, s2, s3]], float), np.array([[b2, b3]])
    key = seed[0] % 2**31, seed[2], seed[2] + 1
    return float(observe_designs(*at, key, {lengths})[0, 0])
"""


def designs() -> tuple[np.ndarray, np.ndarray]:
    """Return rates and places of all designs, in the order of `rates_and_slots`."""
    rates = [
        (a, b, TOTAL - a - b) for a in range(1, TOTAL) for b in range(1, TOTAL - a)
    ]
    slots = [(b - 1, TOTAL - b - 1) for b in range(1, TOTAL)]
    all_rates = np.repeat(np.array(rates, float), len(slots), 0)
    return all_rates, np.tile(np.array(slots), (len(rates), 1))


class Model:
    """Paired observations for sim-tools, made 64 replications ahead."""

    def __init__(self, rows: list[int], lengths: list[int], seed: int) -> None:
        rates, slots = designs()
        self.at = rates[rows], slots[rows]
        self.lengths, self.seed = (lengths[0], lengths[1]), seed
        self.counts = [0] * len(rows)
        self.made: list[list[float]] = [[] for _ in rows]
        self.used = 0
        self.observer: Any = None

    def register_observer(self, observer: Any) -> None:
        self.observer = observer

    def simulate(self, design: int) -> None:
        n = self.counts[design]
        if n == len(self.made[design]):
            of = self.at[0][[design]], self.at[1][[design]]
            key = self.seed, n, n + 64
            self.made[design] += observe_designs(*of, key, self.lengths)[0].tolist()
        self.counts[design] += 1
        self.used += 1
        self.observer.feedback(self, design, self.made[design][n])


def sim_tools(order: dict[str, Any]) -> None:
    from sim_tools.ovs.indifference_zone import KN  # noqa: PLC0415 - may be absent

    rows, chosen, parts, started = order["rows"], [], [], time.perf_counter()
    for seed in range(order["repetitions"]):
        model = Model(rows, order["lengths"], seed)
        alpha = 1 - order["confidence"]
        delta = order["indifference"]
        found = KN(model, len(rows), delta, alpha, order["n_first"]).solve()
        chosen.append(rows[int(found[0])])
        parts.append(model.used * sum(order["lengths"]))
    _say(f"sim-tools KN, {len(rows)} designs", chosen, parts, started)


def pyprs(order: dict[str, Any], name: str, rows: list[int], repetitions: int) -> None:
    import ray  # noqa: PLC0415 - may be absent
    from PyPRS.Procedures.GSP import GSP  # noqa: PLC0415 - may be absent
    from PyPRS.Procedures.KT import KT  # noqa: PLC0415 - may be absent
    from PyPRS.Procedures.procedure import (  # noqa: PLC0415 - may be absent
        get_sim_func,
        read_alternatives_para,
    )

    alpha = 1 - order["confidence"]
    aim = {
        "n0": order["n_first"] if name == "KT" else 0,
        "n1": order["n_first"],
        "g": 20,
        "r_bar": 1_000,
        "beta": 20,
        "alpha": alpha,
        "alpha1": alpha / 2,
        "alpha2": alpha / 2,
        "delta": order["indifference"],
        "Number of Processors": 2,
        "Reference Seed": [1, 1, 1],
        "CRNs": name == "KT",
    }
    rates, slots = designs()
    chosen, parts, started = [], [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        code, table = Path(folder) / "simulation.py", Path(folder) / "designs.txt"
        code.write_text(SIMULATION.format(lengths=tuple(order["lengths"])))
        table.write_text(
            "\n".join(
                " ".join(map(str, (row, *rates[row].astype(int), *slots[row])))
                for row in rows
            )
        )
        ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
        for repetition in range(1, repetitions + 1):
            function = get_sim_func(str(code))
            alternatives = read_alternatives_para(str(table), function)
            procedure = KT if name == "KT" else GSP
            result = procedure(alternatives, aim, repetition)[-1]
            chosen.append(int(result["Best Alternative"][0]))
            parts.append(int(result["Total Sample Size"]) * sum(order["lengths"]))
        ray.shutdown()
    _say(f"PyPRS {name}, {len(rows):,} designs", chosen, parts, started)


def _say(name: str, chosen: list[int], parts: list[int], started: float) -> None:
    seconds = time.perf_counter() - started
    report = {"name": name, "chosen": chosen, "parts": parts, "seconds": seconds}
    print(json.dumps(report), flush=True)


def main() -> None:
    order = json.load(sys.stdin)
    everything = list(range(len(designs()[0])))
    sim_tools(order)
    for name in ("KT", "GSP"):
        pyprs(order, name, order["rows"], order["repetitions"])
        pyprs(order, name, everything, max(1, order["repetitions"] // 4))


if __name__ == "__main__":
    main()
