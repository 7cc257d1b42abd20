"""Designs of serial lines: best buffer allocations, and two big tables."""

from __future__ import annotations

import hashlib

from tests.exact.row import (
    Row,
    breakdown,
    exponential,
    numbers,
    read_table,
    relaxation_time,
    serial_line,
    whole_numbers,
)

N_DRAWN = 20
"""Rows drawn from each of the two big tables of designs."""


def _scv(mean: float, fail: float, repair: float) -> float:
    """Return the squared cv of the time on a station, exponential work and stops."""
    down = 1 + fail / repair
    return 1 + 2 * fail / (mean * repair**2 * down**2)


def _drawn(names: list[str]) -> set[str]:
    """Draw some names by the smallest SHA-256 of the name: no seed, no choice."""
    digest = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    return set(sorted(names, key=digest.__getitem__)[:N_DRAWN])


def _design_row(
    name: str,
    rates: list[float],
    buffers: list[int],
    throughput: float,
    stops: list[tuple[float, float]],
) -> Row:
    failures = [breakdown(p, r, "processing") for p, r in stops]
    scvs = [
        _scv(1 / mu, p, r) if p else 1.0
        for mu, (p, r) in zip(rates, stops, strict=True)
    ]
    slow = max(
        1 / mu + (2 / r if p else 0) for mu, (p, r) in zip(rates, stops, strict=True)
    )
    return Row(
        name,
        serial_line(name, [exponential(mu) for mu in rates], buffers, failures),
        ("part",),
        {"throughput": throughput},
        utilization=throughput / min(rates),
        variability=max(scvs),
        relaxation=relaxation_time(sum(buffers) + len(rates), slow),
        n_steps=len(rates),
    )


def _buffer_allocation() -> list[Row]:
    """Return the best allocation of each problem, the first where several are best."""
    found = []
    for case in read_table("buffer_allocation_exhaustive"):
        rates = numbers(case["mu"])
        fails, repairs = numbers(case["fail_rate"]), numbers(case["repair_rate"])
        none = [(0.0, 1.0)] * len(rates)
        stops = list(zip(fails, repairs, strict=True)) if fails else none
        buffers = whole_numbers(case["optimal"].split(" | ")[0])
        name = f"buffer_allocation_exhaustive {case['case_id']}"
        best = float(case["best_throughput"])
        found.append(_design_row(name, rates, buffers, best, stops))
    return found


def _designs(table: str) -> list[Row]:
    """Return the drawn designs of a table, once for each reading of its buffers.

    In `throughput_incl` a buffer of b holds the part in service too, which leaves
    b - 1 places in front of the station; in `throughput_excl` it leaves b.
    """
    cases = {
        f"{table} " + "-".join(c[k] for k in ("s1", "s2", "s3", "b2", "b3")): c
        for c in read_table(table)
    }
    found = []
    for name in sorted(_drawn(list(cases))):
        case = cases[name]
        rates = [float(case[k]) for k in ("s1", "s2", "s3")]
        sizes = [int(case[k]) for k in ("b2", "b3")]
        for reading, taken in (("incl", 1), ("excl", 0)):
            if value := case.get(f"throughput_{reading}"):
                buffers = [b - taken for b in sizes]
                none = [(0.0, 1.0)] * 3
                title = f"{name} {reading}"
                found.append(_design_row(title, rates, buffers, float(value), none))
    return found


def rows() -> list[Row]:
    """Return the best allocations, and the drawn designs of the two big tables."""
    return [
        *_buffer_allocation(),
        *_designs("simopt_throughput_max"),
        *_designs("simopt_throughput_max_L50_top"),
    ]
