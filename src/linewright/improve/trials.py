"""What a line makes, replication by replication: the observations all else stands on.

Trials of two lines with the same seed use common random numbers, so that a difference
between them is the change's and not chance's. They give one figure for each
replication, in their order, on any number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from linewright import engines
from linewright import tables as t
from linewright.engines import Engine
from linewright.errors import DeadlockError, ModelError
from linewright.lower import Lowered, lower
from linewright.model.check import check
from linewright.model.line import Line
from linewright.replicate import Replication, replicate
from linewright.why import describe_deadlock

__all__ = ["Span", "good_units", "in_order", "lowered_of", "throughputs"]

_HOUR_US = 3_600_000_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is looked at, microseconds: from the end of the warm-up on."""

    warmup_us: int
    horizon_us: int

    @property
    def hours(self) -> float:
        """Length in hours."""
        return (self.horizon_us - self.warmup_us) / _HOUR_US


def lowered_of(line: Line, span: Span) -> Lowered:
    """Return a line as the kernel reads it.

    Raises:
        ModelError: The line has errors.
    """
    findings = [f for f in check(line) if f.severity == "error"]
    if findings:
        raise ModelError(findings)
    return lower(line, span.horizon_us)


def in_order(
    work: Callable[[int], _T],
    numbers: Sequence[int],
    workers: int | None = None,
    engine: Engine | None = None,
) -> list[_T]:
    """Return the work of each number in the order of the numbers.

    It is done on threads, or on another engine.
    """
    if engine is not None:
        return list(engines.in_order(engine, work, numbers))
    n_workers = max(1, min(workers or os.cpu_count() or 1, len(numbers)))
    if n_workers == 1:
        return [work(number) for number in numbers]
    with ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(work, numbers))


def good_units(lowered: Lowered, replication: Replication) -> int:
    """Return the good units that left the line after the warm-up."""
    if replication.status == t.DEADLOCK:
        raise DeadlockError(describe_deadlock(lowered, replication.state))
    first, last = replication.snapshots[0], replication.snapshots[-1]
    final = lowered.tables.products["store"] < 0
    return int((last.products["finished"] - first.products["finished"])[final].sum())


def throughputs(
    line: Line,
    span: Span,
    seed: int,
    numbers: Sequence[int],
    workers: int | None = None,
) -> NDArray[np.float64]:
    """Return the good units an hour of each replication asked for.

    Args:
        line: The line.
        span: What is counted.
        seed: Seed of all streams.
        numbers: Numbers of the replications.
        workers: Threads; all cores by default.

    Raises:
        DeadlockError: A replication came to stand still for good.
    """
    lowered = lowered_of(line, span)
    cuts = (span.warmup_us, span.horizon_us)

    def one(number: int) -> float:
        done = replicate(lowered, seed, number, cuts)
        return good_units(lowered, done) / span.hours

    return np.array(in_order(one, numbers, workers))
