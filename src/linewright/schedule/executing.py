"""How likely each order is in time, when the schedule is executed with chance."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from linewright import tables as t
from linewright.schedule.compiling import Compiled
from linewright.schedule.kernel_runs import Execution
from linewright.schedule.problem import NEVER, Solution
from linewright.schedule.slack import Gaps, gaps_of
from linewright.stats.intervals import Interval, wilson_interval

__all__ = ["Chances", "chances_of"]


@dataclass(frozen=True, eq=False, slots=True)
class Chances:
    """What came of a schedule in some simulations.

    Attributes:
        n: How many.
        on_time: Share in which each order was in time, with its Wilson interval.
        late_us: Delay of each order (replication, order); 0: in time; `NEVER`: it was
            not finished, as where a unit was scrapped.
        stuck: Simulations in which the line came to stand still.
        finished_us: When each order was done (replication, order), or `NEVER`.
        gaps: The gaps of the schedule, and the delay that they took up.
    """

    n: int
    on_time: tuple[Interval, ...]
    late_us: t.Ints
    stuck: int
    finished_us: t.Ints
    gaps: Gaps


def chances_of(  # noqa: PLR0913
    compiled: Compiled,
    solution: Solution,
    horizon_us: int,
    replications: int,
    seed: int,
    *,
    confidence: float = 0.95,
    workers: int | None = None,
    first: int = 0,
) -> Chances:
    """Execute a schedule in the kernel, with failures and variation.

    Args:
        compiled: The line and its jobs.
        solution: The schedule.
        horizon_us: When a simulation ends at the latest.
        replications: How many simulations.
        seed: Seed of their streams: two schedules with one seed meet the same chance.
        confidence: Confidence of the intervals.
        workers: Threads; as many as there are cores by default.
        first: Number of the first simulation.
    """
    execution = Execution(compiled, solution, horizon_us, chance=True)
    numbers = range(first, first + replications)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        runs = list(pool.map(lambda r: execution.run(seed, r), numbers))
    due = np.array(
        [NEVER if o.due_us is None else o.due_us for o in compiled.orders], np.int64
    )
    finished = np.array([run.finished_us for run in runs], np.int64)
    late = np.where(finished >= NEVER, NEVER, np.maximum(finished - due, 0))
    on_time = tuple(
        wilson_interval(int((late[:, i] == 0).sum()), replications, confidence)
        for i in range(len(compiled.orders))
    )
    stuck = sum(run.status == t.DEADLOCK for run in runs)
    done = ((run.solution.begin_us, run.solution.leave_us) for run in runs)
    gaps = gaps_of(compiled.problem, solution, done)
    return Chances(replications, on_time, late, stuck, finished, gaps)
