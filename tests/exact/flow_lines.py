"""Lines for the formulas: the exact rows of the tables, and more that a chain solves.

`rows` reads every line of the tables that the formulas can express. `drawn` makes lines
of three and four stations by a recipe, whose exact values `theory.chains` gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linewright.theory.flow_line import Clock, FlowLine
from tests.exact.row import numbers, read_table, whole_numbers
from tests.exact.serial import _phase_type

__all__ = ["ASSEMBLIES", "FlowRow", "drawn", "rows", "three_stations"]


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A line and its row of a table; time unit: second."""

    name: str
    line: FlowLine
    case: dict[str, str]

    @property
    def throughput(self) -> float:
        return float(self.case["throughput"])


def _failing(
    process: list[float],
    slots: list[int],
    stops: list[tuple[float, float]],
    clock: Clock,
    successor: tuple[int, ...] = (),
) -> FlowLine:
    """Return a line from rates of failure and repair."""
    return FlowLine(
        tuple(process),
        tuple(slots),
        mttf_s=tuple(1 / p if p else math.inf for p, _ in stops),
        mttr_s=tuple(1 / r for _, r in stops),
        successor=successor,
        clock=clock,
    )


def _exponential() -> list[FlowRow]:
    return [
        FlowRow(
            f"serial_exponential {case['case_id']}",
            FlowLine(
                tuple(1 / mu for mu in numbers(case["mu"])),
                tuple(whole_numbers(case["B"])),
            ),
            case,
        )
        for case in read_table("serial_exponential")
    ]


def _unreliable() -> list[FlowRow]:
    found = []
    for case in read_table("serial_unreliable_exponential"):
        pairs = zip(
            numbers(case["fail_rate"]), numbers(case["repair_rate"]), strict=True
        )
        line = _failing(
            [1 / mu for mu in numbers(case["mu"])],
            whole_numbers(case["B"]),
            list(pairs),
            "processing" if case["failure"] == "ODF" else "operating",
        )
        found.append(
            FlowRow(f"serial_unreliable_exponential {case['case_id']}", line, case)
        )
    return found


def _phase_types() -> list[FlowRow]:
    found = []
    for case in read_table("serial_phase_type"):
        slots = whole_numbers(case["B"])
        text = case["service"]
        n = len(slots) + 1
        words = [text] * n if "every station" in text else text.split("|")
        scv = tuple(_phase_type(word)[1] for word in words)
        means = tuple(
            float(word.partition("mean ")[2].split()[0].rstrip(",")) for word in words
        )
        line = FlowLine(means, tuple(slots), scv=scv)
        found.append(FlowRow(f"serial_phase_type {case['case_id']}", line, case))
    return found


_THREE_STOPS = [(0.05, 0.3)] * 3
ASSEMBLIES = {
    "asm2-bal-B1": FlowLine((1,) * 3, (1, 1), successor=(2, 2)),
    "asm2-bal-B2": FlowLine((1,) * 3, (2, 2), successor=(2, 2)),
    "asm2-bal-B3": FlowLine((1,) * 3, (3, 3), successor=(2, 2)),
    "asm3-bal-B3": FlowLine((1,) * 4, (3, 3, 3), successor=(3, 3, 3)),
    "asm2-unb-2": FlowLine((1, 1, 1 / 0.8), (2, 4), successor=(2, 2)),
    "asm-bom2-2-4": FlowLine((1, 0.5, 1), (2, 4), successor=(2, 2), quantity=(1, 2)),
    "asm2-ODF-B4": _failing([1] * 3, [4, 4], _THREE_STOPS, "processing", (2, 2)),
    "asm2-TDF-B2": _failing([1] * 3, [2, 2], _THREE_STOPS, "operating", (2, 2)),
    "asm-feeder-B1": FlowLine((1,) * 5, (1,) * 4, successor=(1, 3, 3, 4)),
    "asm-feeder-B2": FlowLine((1,) * 5, (2,) * 4, successor=(1, 3, 3, 4)),
}
"""Assemblies of the table by case; disassemblies are not flow lines here."""


def _assemblies() -> list[FlowRow]:
    return [
        FlowRow(f"assembly {case['case_id']}", ASSEMBLIES[case["case_id"]], case)
        for case in read_table("assembly")
        if case["case_id"] in ASSEMBLIES
    ]


def rows() -> list[FlowRow]:
    """Return every row of the tables that a flow line can express."""
    return [*_exponential(), *_unreliable(), *_phase_types(), *_assemblies()]


def three_stations() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rates, buffer places and throughput of the designs with a total of 20."""
    cases = read_table("simopt_throughput_max")
    rates = np.array([[float(c[k]) for k in ("s1", "s2", "s3")] for c in cases])
    slots = np.array([[int(c[k]) - 1 for k in ("b2", "b3")] for c in cases])
    return rates, slots, np.array([float(c["throughput_incl"]) for c in cases])


def drawn(n_lines: int = 40) -> list[FlowLine]:
    """Draw lines of four kinds by turns: exponential, failing by two clocks, joined.

    Rates are 0.8 to 1.25, buffers 0 to 4 places, availability 80 to 98 %, and times to
    repair 1 to 8.
    """
    rng = np.random.default_rng(20_270_301)
    found = []
    for number in range(n_lines):
        n = 3 + number // 4 % 2
        process = [float(x) for x in 1 / rng.uniform(0.8, 1.25, n)]
        slots = [int(x) for x in rng.integers(0, 5 if n == 3 else 4, n - 1)]
        share, repair = rng.uniform(0.8, 0.98, n), rng.uniform(1, 8, n)
        stops = [
            (float((1 - a) / a / r), float(1 / r))
            for a, r in zip(share, repair, strict=True)
        ]
        kind = number % 4
        if kind in {0, 3}:
            stops = [(0.0, 1.0)] * n
        clock: Clock = "operating" if kind == 2 else "processing"
        joined = (2, 2) if n == 3 else (2, 2, 3)
        successor = joined if kind == 3 else ()
        found.append(_failing(process, slots, stops, clock, successor))
    return found
