"""Measure the errors that `theory.decomposition` quotes, against exact values.

`python -m tests.known_errors` prints the table to put there.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from linewright.theory.chains import exact
from linewright.theory.decomposition import (
    KnownError,
    estimate,
    kind_of,
    throughputs,
)
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
    return dict(found)


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
