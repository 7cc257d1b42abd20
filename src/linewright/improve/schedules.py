"""Which of several schedules to go by: ranking and selection in the simulation.

A schedule that is best by the means of all times need not be best when machines fail.
Candidates are made for one list of orders: a search as ever, searches that take orders
to be due sooner than they are, which leaves slack before the due dates, searches by
other seeds, and the best dispatching rule. Each is executed in the simulation, all on
the same random streams, and Kim and Nelson's procedure (`selection.kn`) drops one after
the other until one is left: with the confidence asked for it is the best, if it is
better than all others by the indifference zone.

What counts is the share of the dated orders that are in time, or their weighted delay.
An order that was not finished is not in time, and its delay counts to the end of the
simulation. The chances that the chosen schedule is shown with come from simulations of
their own: those that it was chosen by would flatter it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.improve.selection import Aim, Evaluations, Selection, kn
from linewright.schedule.kernel_runs import Execution
from linewright.schedule.problem import NEVER
from linewright.schedule.scheduling import Schedule, Task
from linewright.stats.intervals import Interval, mean_interval
from linewright.units import UNITS_US, format_duration

__all__ = ["MEASURES", "Candidate", "Choice", "choose_schedule"]

MEASURES = ("on_time", "tardiness")
"""What schedules are chosen by: share of orders in time, or weighted delay."""

_SOONER = (0.0, 0.1, 0.2, 0.05, 0.3)
_DAY_US = UNITS_US["d"]
_FRESH = 1_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schedule that was looked at.

    Attributes:
        name: How it was made.
        schedule: The schedule.
        mean: What was measured of it, with its interval: a share of orders, or
            microseconds.
        replications: Simulations that it stands on.
        dropped_after: Simulations after which it was dropped; none: it was not.
    """

    name: str
    schedule: Schedule
    mean: Interval
    replications: int
    dropped_after: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """The schedule that was chosen, and how sure that is.

    Attributes:
        by: What was measured, one of `MEASURES`.
        indifference: The difference that counts: a share of orders, or microseconds.
        candidates: All of them, in the order in which they were made.
        chosen: Row of the one that was chosen.
        selection: What is promised, and on which conditions.
        schedule: The chosen schedule, explained.
    """

    by: str
    indifference: float
    candidates: tuple[Candidate, ...]
    chosen: int
    selection: Selection
    schedule: Schedule

    def manifest(self) -> dict[str, Any]:
        """Return the choice as data for a JSON file; delays are in seconds."""
        scale = 1.0 if self.by == "on_time" else 1e-6
        promised = self.selection.is_complete
        return {
            "by": self.by,
            "indifference": self.indifference * scale,
            "confidence": self.selection.confidence if promised else None,
            "words": self.words(),
            "complete": self.selection.is_complete,
            "replications": self.selection.n_replications,
            "chosen": self.candidates[self.chosen].name,
            "candidates": [
                {
                    "name": one.name,
                    "mean": one.mean.mean * scale,
                    "low": one.mean.low * scale,
                    "high": one.mean.high * scale,
                    "replications": one.replications,
                    "dropped_after": one.dropped_after,
                    "objectives": {
                        level.objective: level.value for level in one.schedule.levels
                    },
                }
                for one in self.candidates
            ],
        }

    def words(self) -> str:
        """Return what is promised, in a sentence."""
        zone = f"{self.indifference:.2%} of the orders"
        if self.by == "tardiness":
            zone = f"{format_duration(round(self.indifference))} of weighted delay"
        name = self.candidates[self.chosen].name
        if len(self.candidates) == 1:
            return f'"{name}" is the only one: the others came out the same.'
        if not self.selection.is_complete:
            return (
                f'"{name}" is ahead, but {self.selection.guarantee} Nothing is '
                "promised; allow more simulations, or a wider zone of indifference."
            )
        return (
            f'With probability {self.selection.confidence:g} at least "{name}" is the '
            f"best of these, if it is better than every other by {zone} or more "
            "(Kim and Nelson, common random numbers)."
        )


def choose_schedule(  # noqa: PLR0913
    task: Task,
    candidates: int = 4,
    *,
    by: str = "on_time",
    indifference: float | None = None,
    confidence: float = 0.95,
    most: int = 400,
    replications: int = 100,
    limit_s: float = 60.0,
    on_candidate: Callable[[str], None] | None = None,
) -> Choice:
    """Return the best of several schedules of one task.

    Args:
        task: The line and its orders.
        candidates: How many schedules, 2 or more.
        by: ``on_time``: the share of dated orders in time; ``tardiness``: their
            weighted delay.
        indifference: The difference that is worth detecting: a share of orders (1 %
            by default), or microseconds of weighted delay (ten minutes for each dated
            order by default).
        confidence: Probability of being right that is asked for.
        most: Simulations of one candidate at most.
        replications: Simulations, beside those, that say the chances of the chosen.
        limit_s: Seconds of search for all candidates together.
        on_candidate: Called with the name of what is done next.

    Raises:
        ValueError: An argument is out of its range, or no order has a due date.
        LinewrightError: There is no schedule.
    """
    if by not in MEASURES:
        msg = f'"{by}" is nothing to choose by; there are {", ".join(MEASURES)}'
        raise ValueError(msg)
    if candidates < 2:
        msg = f"a choice needs 2 candidates or more, and {candidates} are asked for"
        raise ValueError(msg)
    orders = task.compiled.orders
    dated = np.array([order.due_us is not None for order in orders])
    if not dated.any():
        msg = "no order has a due date, so that no schedule is better than another"
        raise ValueError(msg)
    if indifference is None:
        indifference = 0.01 if by == "on_time" else 600e6 * int(dated.sum())
    n_first = min(20, most)
    aim = Aim(indifference, confidence, n_first=n_first, n_most=most)
    made = _made(task, candidates, limit_s, on_candidate)
    if on_candidate is not None:
        on_candidate(f"{len(made)} schedules in the simulation")
    observed = _Observed(task, [schedule for _, schedule in made], by, dated)
    kept = Evaluations()
    selection = kn(observed, len(made), aim, kept)
    after = {one.system: one.after for one in selection.eliminated}
    sign = 1.0 if by == "on_time" else -1.0
    found = tuple(
        Candidate(
            name,
            schedule,
            mean_interval(sign * kept.values(i), 0.95),
            kept.count(i),
            after.get(i),
        )
        for i, (name, schedule) in enumerate(made)
    )
    chosen = task.explained(
        found[selection.chosen].schedule,
        replications=replications,
        first_replication=_FRESH,
    )
    choice = Choice(by, indifference, found, selection.chosen, selection, chosen)
    return replace(choice, schedule=replace(chosen, choice=choice.manifest()))


def _made(
    task: Task, n: int, limit_s: float, on_candidate: Callable[[str], None] | None
) -> list[tuple[str, Schedule]]:
    """Return schedules that are not alike, each with how it was made."""
    found: list[tuple[str, Schedule]] = []

    def add(name: str, schedule: Schedule | None) -> None:
        if schedule is None or schedule.status == "dispatched":
            return
        columns = ("mode", "server", "begin_us")
        for _, other in found:
            if all(
                np.array_equal(
                    getattr(schedule.solution, column), getattr(other.solution, column)
                )
                for column in columns
            ):
                return
        found.append((name, schedule))

    n_searches = n - 1
    for i in range(n_searches):
        sooner = _SOONER[i % len(_SOONER)]
        name = "search"
        if sooner:
            name = f"due dates {sooner:.0%} sooner"
        if i >= len(_SOONER):
            name += f", seed {task.seed + i}"
        if on_candidate is not None:
            on_candidate(name)
        schedule = task.searched(
            limit_s=max(limit_s / n_searches, 0.1), seed=task.seed + i, sooner=sooner
        )
        add(name, schedule)
        if schedule.interrupted:
            break
    add(f"dispatching by {task.first.rule}", task.by_rule())
    return found


class _Observed:
    """Executes candidates in the simulation; the larger what it returns, the better."""

    def __init__(
        self,
        task: Task,
        schedules: Sequence[Schedule],
        by: str,
        dated: NDArray[np.bool_],
    ) -> None:
        self._seed, self._by, self._dated = task.seed, by, dated
        orders = task.compiled.orders
        self._due = np.array(
            [0 if o.due_us is None else o.due_us for o in orders], np.int64
        )[dated]
        self._weight = np.array([o.weight for o in orders], np.float64)[dated]
        latest = max(int(s.solution.end_us.max()) for s in schedules)
        self._horizon_us = 2 * latest + 28 * _DAY_US
        self._runs = [
            Execution(task.compiled, s.solution, self._horizon_us, chance=True)
            for s in schedules
        ]

    def __call__(
        self, systems: NDArray[np.int64], first: int, last: int
    ) -> NDArray[np.float64]:
        """Return observations (system, replication)."""
        asked = [(int(k), r) for k in systems for r in range(first, last)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            values = list(pool.map(self._one, asked))
        return np.array(values, np.float64).reshape(len(systems), last - first)

    def _one(self, asked: tuple[int, int]) -> float:
        system, replication = asked
        run = self._runs[system].run(self._seed, replication)
        finished = np.where(
            run.finished_us >= NEVER, self._horizon_us, run.finished_us
        )[self._dated]
        if self._by == "on_time":
            is_done = (run.finished_us < NEVER)[self._dated]
            return float((is_done & (finished <= self._due)).mean())
        late = np.maximum(finished - self._due, 0)
        total = float((self._weight * late).sum())
        assert math.isfinite(total)
        return -total
