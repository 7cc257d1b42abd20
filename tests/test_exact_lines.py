"""Lines with a known exact answer: it lies in our interval, which is narrow.

All values are checked jointly at 99.9 % (Bonferroni): a kernel that is right fails once
in a thousand seeds, and the seeds come from the rows' names. A row that misses is
shown with its value and interval. `python -m tests.test_exact_lines` prints
the table of rows.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.replicate import Snapshot, check_laws, run_until, snapshot
from tests import exact_lines
from tests.exact_lines import Row

MINUTE_US = 60_000_000
REPLICATIONS = 128
ROWS = exact_lines.rows()
CRITICAL = exact_lines.critical_value(exact_lines.n_values(ROWS), REPLICATIONS)


@dataclass(frozen=True, slots=True)
class Value:
    """One measure of a row: what is exact, and what was found."""

    row: str
    measure: str
    exact: float
    mean: float
    half_width: float
    widest: float | None

    @property
    def inside(self) -> bool:
        return abs(self.mean - self.exact) <= self.half_width

    @property
    def narrow(self) -> bool:
        return self.widest is None or self.half_width <= self.widest * self.exact

    def __str__(self) -> str:
        verdict = "" if self.inside else "  MISSED"
        verdict += "" if self.narrow else "  TOO WIDE"
        return (
            f"{self.row:50} {self.measure:14} exact {self.exact:.6g} found "
            f"{self.mean:.6g} ± {self.half_width:.2g}{verdict}"
        )


def seed_of(name: str) -> int:
    """Return the seed of a row: it comes from the row's name and never changes."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")


def examine(row: Row, scale: float = 1.0) -> list[Value]:
    """Simulate a row and return each of its measures beside the exact value."""
    run = exact_lines.horizon_for(row, CRITICAL, REPLICATIONS, scale)
    warmup_us, horizon_us = (round(x * MINUTE_US) for x in (run.warmup, run.horizon))
    lowered = lower(row.line, warmup_us + horizon_us)
    samples: dict[str, list[float]] = {measure: [] for measure in row.expected}
    for number in range(REPLICATIONS):
        state = new_state(lowered)
        draws = new_draws(lowered, seed_of(row.name), number)
        _, state = run_until(lowered, state, draws, warmup_us)
        first = snapshot(state)
        _, state = run_until(lowered, state, draws, warmup_us + horizon_us)
        last = snapshot(state)
        if number == 0:
            assert all(check.ok for check in check_laws(lowered, state))
        for measure, values in samples.items():
            values.append(_measure(row, lowered, measure, first, last))
    return [_value(row, m, np.array(v), scale) for m, v in samples.items()]


def _value(row: Row, measure: str, values: np.ndarray, scale: float) -> Value:
    half_width = CRITICAL * float(values.std(ddof=1)) / np.sqrt(len(values))
    widest = exact_lines.half_width_target(row, measure)
    return Value(
        row.name,
        measure,
        row.expected[measure],
        float(values.mean()),
        half_width,
        None if widest is None else widest * scale,
    )


def _measure(
    row: Row, lowered: Lowered, measure: str, first: Snapshot, last: Snapshot
) -> float:
    kind, _, name = measure.partition(":")
    span = last.at_us - first.at_us

    def gained(table: str, field: str, rows: Any = slice(None)) -> float:
        both = [getattr(s, table)[field][rows] for s in (last, first)]
        return float(np.sum(both[0] - both[1]))

    products = [lowered.names.products.index(p) for p in row.products]
    simple: dict[str, Callable[[], float]] = {
        "throughput": lambda: gained("products", "finished", products) / span,
        "scrap_rate": lambda: gained("products", "scrapped") / span,
        "lost_share": lambda: (
            gained("products", "lost") / max(gained("products", "made"), 1)
        ),
        "wip": lambda: gained("products", "area_us") / span,
        "sojourn": lambda: (
            gained("products", "flow_us", products)
            / max(gained("products", "flow_count", products), 1)
        ),
    }
    per_minute = {"throughput", "scrap_rate"}
    if kind in simple:
        value = simple[kind]()
        if kind in per_minute:
            return value * MINUTE_US
        return value / MINUTE_US if kind == "sojourn" else value
    return _measure_of_thing(lowered, kind, name, first, last, gained) / (
        MINUTE_US if kind == "wait" else 1
    )


def _measure_of_thing(
    lowered: Lowered,
    kind: str,
    name: str,
    first: Snapshot,
    last: Snapshot,
    gained: Callable[..., float],
) -> float:
    span = last.at_us - first.at_us
    names = lowered.names
    modes = {"busy": t.PROCESSING, "blocked": t.BLOCKED, "starved": t.STARVED}
    modes["down"] = t.FAILED
    if kind in modes:
        k = names.stations.index(name)
        n_servers = int(lowered.tables.stations["n_servers"][k])
        time = last.accounts[k, modes[kind]] - first.accounts[k, modes[kind]]
        return float(time) / span / n_servers
    if kind == "wait":
        k = names.stations.index(name)
        return gained("stations", "wait_us", k) / max(
            gained("stations", "started", k), 1
        )
    buffer = name if name in names.buffers else f"{name} store"
    level = gained("buffers", "area_us", names.buffers.index(buffer)) / span
    if kind == "level":
        return level
    assert kind == "present", f"no measure {kind}"
    k = names.stations.index(name)
    held = (t.PROCESSING, t.BLOCKED, t.SETUP)
    return (
        level
        + sum(float(last.accounts[k, m] - first.accounts[k, m]) for m in held) / span
    )


TABLES = sorted({row.name.split()[0] for row in ROWS})
LONG = {"buffer_allocation_exhaustive", "simopt_throughput_max_L50_top"}
"""Lines like those of `serial_exponential`, of other sizes: for `make soak`."""


N_SHARE = 8
SHORT = 15e6  # completions
"""About so many rows of each table, of those that take no longer, are tried by `make
test`; `make soak` tries all."""


@pytest.mark.parametrize("table", [x for x in TABLES if x not in LONG])
def test_exact_values_lie_inside_narrow_intervals(table: str) -> None:
    short = [
        row
        for row in rows_of(table)
        if exact_lines.completions(row, CRITICAL, REPLICATIONS) <= SHORT
    ]
    assert short
    examine_all(table, short[:: max(len(short) // N_SHARE, 1)])


@pytest.mark.soak
@pytest.mark.parametrize("table", TABLES)
def test_all_exact_values_lie_inside_narrow_intervals(table: str) -> None:
    examine_all(table, rows_of(table))


def rows_of(table: str) -> list[Row]:
    return [row for row in ROWS if row.name.split()[0] == table]


def examine_all(table: str, of: list[Row]) -> None:
    with ThreadPoolExecutor(2) as pool:
        values = [v for found in pool.map(examine, of) for v in found]
    misses = [v for v in values if not (v.inside and v.narrow)]
    sys.stdout.write(f"{table}: {len(of)} rows, {len(values)} values, ")
    sys.stdout.write(f"{len(misses)} missed\n")
    assert not misses, "\n".join(map(str, misses))


def main() -> None:
    """Print every value; the argument widens the intervals, 1 as in the test."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    of = [row for row in ROWS if wanted in row.name]
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda row: examine(row, scale), of):
            for value in found:
                if wanted or not (value.inside and value.narrow):
                    sys.stdout.write(f"{value}\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
