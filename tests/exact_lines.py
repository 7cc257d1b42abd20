"""Lines whose exact behaviour is known, from the tables in `tests/exact`.

`rows` turns every row of the tables that the model can express into a `Line` and the
exact long-run value of each measure that the table gives. One time unit of a table is
one minute of the line. `horizon_for` says how long a row must be simulated so that its
intervals are narrow enough; `NOT_EXPRESSIBLE` says which rows are missing, and why.

Measures, by the name they have in `Row.expected`; `X` is a station or a product:

* ``throughput``: good units of `Row.products` leaving the line, per minute.
* ``scrap_rate``: units scrapped per minute.
* ``lost_share``: arrivals turned away at a full first buffer, as a share of all.
* ``wip``: parts inside the line (every product, stores and stations), time average.
* ``sojourn``: mean time from release to departure of a unit of `Row.products`, minutes.
* ``wait:X``: mean time of a part in the input buffer of station X, minutes.
* ``busy:X``, ``blocked:X``, ``starved:X``, ``down:X``: share of the server time of
  station X spent processing, blocked, starved and failed.
* ``level:X``: mean number of parts in the input buffer of station X, in the named
  buffer X, or in the store of product X.
* ``present:X``: ``level:X`` plus the mean number of parts on the servers of X.

Left out, because the table's column may mean something else than our measure:

* ``blocked`` and ``empty`` of stations whose failure clock is operating time (TDF): the
  tables count a down station as blocked or empty too, our accounts are exclusive.
* ``wip`` of the rework loops: they are CONWIP lines here, and ours counts the units
  waiting in front of the first station, which the table does not have.
* ``P(wait)`` of the queues; it is not a measure of a line.
* Values that are exactly zero: they have no interval to be inside of.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import t as student

from tests.exact import assembly, branching, designs, queues, serial
from tests.exact.row import Row

__all__ = [
    "JOINT_LEVEL",
    "NOT_EXPRESSIBLE",
    "REPLICATIONS",
    "Row",
    "Run",
    "completions",
    "critical_value",
    "half_width_target",
    "horizon_for",
    "n_values",
    "rows",
    "summary",
]

JOINT_LEVEL = 0.999
REPLICATIONS = 256
_MARGIN = 1.44
"""Longer than needed, because the half-width is an estimate too: with 256
replications it exceeds 1.2 times its expectation once in a million."""
_RELAXATIONS = 10

NOT_EXPRESSIBLE = {
    "bernoulli_lines": "In the slot rules of these lines a station works in front of "
    "a full buffer exactly when the next one happens to finish in the same slot. Time "
    "in the model is continuous: a station that may not start waits until the place is "
    "free, so the state in which the buffer is full is left at another rate.",
    "deterministic_slotted_lines of three stations and more": "A station that may not "
    "start for want of room keeps its part in the buffer in front of it, here; in the "
    "table it has a place of its own for it. The two are the same line where only the "
    "first station can be blocked.",
    "fluid_two_machine": "Material flows continuously; a line moves whole parts.",
}
"""Tables, or rows, that the model cannot express, and why."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a row is simulated, minutes; the warm-up comes on top of the horizon."""

    horizon: float
    warmup: float
    replications: int

    @property
    def total(self) -> float:
        """Simulated time of all replications together."""
        return (self.horizon + self.warmup) * self.replications


def n_values(of: Iterable[Row]) -> int:
    """Return how many values are checked jointly."""
    return sum(len(row.expected) for row in of)


def critical_value(
    n_checked: int, replications: int = REPLICATIONS, level: float = JOINT_LEVEL
) -> float:
    """Return Student's t for joint two-sided intervals by Bonferroni's inequality."""
    return float(student.ppf(1 - (1 - level) / n_checked / 2, replications - 1))


def half_width_target(row: Row, measure: str) -> float | None:
    """Return the widest relative half-width allowed for a measure; none: no rule."""
    if measure == "throughput":
        return 0.005
    if measure == "sojourn" or measure.startswith("wait:"):
        return 0.05 if row.utilization > 0.9 else 0.02
    return None


def horizon_for(
    row: Row,
    critical: float,
    replications: int = REPLICATIONS,
    scale: float = 1.0,
) -> Run:
    """Return the run that makes the half-widths of a row narrow enough, with margin.

    A mean over a long time t has the variance c / t, so t = c (critical / target)².
    For throughput, c is the table's output variance rate over its square, else the
    row's safe bound; for waits it is the row's `wait_variance`.

    Args:
        row: The row.
        critical: Critical value of the intervals, from `critical_value`.
        replications: Independent runs over which the time is divided.
        scale: Half-widths asked for, relative to `half_width_target`.
    """
    throughput = row.expected["throughput"]
    rate = row.output_variance_rate
    out = rate / throughput**2 if rate else row.variability / throughput
    total = 0.0
    for measure in row.expected:
        if target := half_width_target(row, measure):
            c = out if measure == "throughput" else max(out, row.wait_variance)
            total = max(total, c * (critical / (scale * target)) ** 2)
    # A CONWIP line, or a finite one, is back to normal within a few relaxations, and
    # each replication should be many of them long: its mean is then nearly normal.
    each = max(_MARGIN * total / replications, 10 * row.relaxation)
    return Run(math.ceil(each), math.ceil(_RELAXATIONS * row.relaxation), replications)


def rows() -> list[Row]:
    """Return every row of the tables that the model can express."""
    tables = (serial, assembly, branching, queues, designs)
    return [row for table in tables for row in table.rows()]


def summary() -> str:
    """Return a table of rows, values and work for each table of exact lines."""
    found = rows()
    critical = critical_value(n_values(found))
    lines = [f"{'table':32}{'rows':>6}{'values':>8}{'completions':>14}"]
    tables = dict.fromkeys(row.name.split()[0] for row in found)
    work = {row.name: completions(row, critical) for row in found}
    for table in tables:
        of = [row for row in found if row.name.split()[0] == table]
        total = sum(work[row.name] for row in of)
        lines.append(f"{table:32}{len(of):6}{n_values(of):8}{total:14.3g}")
    total = sum(work.values())
    lines.append(f"{'all':32}{len(found):6}{n_values(found):8}{total:14.3g}")
    lines.append(f"critical value {critical:.2f}, {REPLICATIONS} replications")
    most = sorted(found, key=lambda row: -work[row.name])[:8]
    lines += [f"  {work[row.name]:.3g} {row.name}" for row in most]
    return "\n".join(lines)


def completions(row: Row, critical: float, replications: int = REPLICATIONS) -> float:
    """Return about how many operations are simulated for a row."""
    run = horizon_for(row, critical, replications)
    return run.total * row.expected["throughput"] * row.n_steps


if __name__ == "__main__":
    sys.stdout.write(summary() + "\n")
