"""Measure the errors that `theory.decomposition` quotes, against exact values.

`python -m tests.known_errors` prints the table to put there.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.recursion import observe_designs
from linewright.theory.chains import exact
from linewright.theory.decomposition import (
    KnownError,
    estimate,
    kind_of,
    throughputs,
)
from linewright.theory.flow_line import FlowLine, serial
from tests.exact import flow_lines

__all__ = ["measure", "measure_screen", "of"]


def of(errors: Sequence[float] | np.ndarray) -> KnownError:
    """Return what is quoted of some errors, in shares rounded up to 0.01 %."""
    sizes = np.abs(errors)
    three = (sizes.mean(), np.quantile(sizes, 0.95), sizes.max())
    return KnownError(
        len(sizes), *(float(np.ceil(np.round(1e4 * x, 4)) / 1e4) for x in three)
    )


def errors() -> dict[str, dict[str, float]]:
    """Return the error of each line as a share of its throughput, by class and name."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    lines = [(row.name, row.line, row.throughput) for row in flow_lines.rows()]
    for number, line in enumerate(flow_lines.drawn()):
        lines.append((f"drawn {number}", line, exact(line).throughput_per_s))
    for name, line, throughput in lines:
        if set(line.quantity) <= {1}:
            got = estimate(line).throughput_per_s
            found[kind_of(line)][name] = got / throughput - 1
    for number, (line, simulated) in enumerate(long_lines()):
        got = estimate(line).throughput_per_s
        found[kind_of(line)][f"long {number}"] = got / simulated - 1
    return dict(found)


def long_lines() -> Iterator[tuple[FlowLine, float]]:
    """Draw lines of 10 and 20 exponential stations, and simulate them.

    Half the width of the intervals of 95 % is about 0.25 % of the throughput.
    """
    rng = np.random.default_rng(20_270_305)
    for n_stations in (10, 20):
        for most in (0, 0, 1, 2, 2, 5, 5, 10, 10, 10):
            process_s = rng.uniform(0.8, 1.25, n_stations)
            slots = rng.integers(0, most + 1, n_stations - 1)
            at = (1 / process_s)[None, :], slots[None, :]
            values = observe_designs(*at, (most, 0, 10), (2_000, 20_000))
            yield serial(process_s.tolist(), slots.tolist()), float(values.mean())


def measure() -> dict[str, KnownError]:
    """Return the known errors, measured now."""
    return {kind: of(list(each.values())) for kind, each in sorted(errors().items())}


def measure_screen() -> KnownError:
    """Return the known error of screening with one moment, measured now."""
    rates, slots, throughput = flow_lines.three_stations()
    return of(throughputs(1 / rates, slots) / throughput - 1)


if __name__ == "__main__":
    for kind, each in sorted(errors().items()):
        worst = max(each, key=lambda name: abs(each[name]))
        known = of(list(each.values()))
        mean = float(np.mean(list(each.values())))
        sys.stdout.write(f'    "{kind}": {known},\n')
        sys.stdout.write(f"    # worst {worst} {each[worst]:+.2%}, bias {mean:+.2%}\n")
    sys.stdout.write(f"{measure_screen()}\n")
