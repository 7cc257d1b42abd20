"""Units that leave, counted in many replications, and nothing else.

A plan needs few figures of a run: the units of each product that had left by some
instants, exactly, and a finer course of them for dates. So a replication here keeps
neither snapshots nor tables. Replications come in the order of their numbers, whatever
the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linewright import tables as t
from linewright.errors import DeadlockError
from linewright.lower import Lowered, new_draws, new_state, resumed_state
from linewright.own_rules import Caller
from linewright.replicate import Check, check_laws, run_until

__all__ = ["Counts", "Instants", "count_units"]

Ints = NDArray[np.int64]

_N_FINE = 2000
_DAY_US = 86_400_000_000
_N_CHECKED = 10  # replications that are held against the laws of the kernel


@dataclass(frozen=True, slots=True)
class Instants:
    """When units are counted, in microseconds from the start of the line.

    Attributes:
        cuts_us: Instants at which the count is exact, increasing; the last is the end.
        fine_us: Instants of the finer course: equal steps, then the end.
    """

    cuts_us: Ints
    fine_us: Ints

    @classmethod
    def of(cls, cuts_us: Sequence[int], begin_us: int, end_us: int) -> Instants:
        """Return instants between a begin and an end.

        The finer course has a step of a day over years, else a two-thousandth.
        """
        length = end_us - begin_us
        step = _DAY_US if length > _N_FINE * _DAY_US // 4 else max(length // _N_FINE, 1)
        fine = np.arange(begin_us, end_us, step, dtype=np.int64)
        inside = sorted({cut for cut in cuts_us if begin_us <= cut < end_us})
        return cls(np.array([*inside, end_us], np.int64), np.append(fine, end_us))

    @property
    def step_us(self) -> int:
        """The step of the finer course."""
        return int(self.fine_us[1] - self.fine_us[0]) if len(self.fine_us) > 1 else 1


@dataclass(frozen=True, slots=True)
class Counts:
    """What one replication counted.

    Attributes:
        number: Its number, from 0.
        finished: Good units of each product, (cut, product).
        released: Units made available of each product, (cut, product).
        fine: Good units of each product over the finer course, (instant, product).
        events: Events that happened.
        status: Why it ended, a code of `tables`.
        checks: The laws, where they were looked at.
    """

    number: int
    finished: Ints
    released: Ints
    fine: Ints
    events: int
    status: int
    checks: tuple[Check, ...]


def count_units(
    lowered: Lowered,
    seed: int,
    number: int,
    instants: Instants,
    start: t.State | None = None,
) -> Counts:
    """Run one replication and return what left by when.

    Args:
        lowered: The line, laid out to the last instant.
        seed: Seed of all streams.
        number: Number of the replication.
        instants: When to count.
        start: State to begin from; the empty line at time 0 by default.

    Raises:
        DeadlockError: The line came to stand still for good.
    """
    n_fine = len(instants.fine_us) - 1
    if start is None:
        state = new_state(lowered, n_periods=n_fine, period_us=instants.step_us)
    else:
        state = resumed_state(start, n_fine, instants.step_us)
    draws = new_draws(lowered, seed, number)
    finished, released = [], []
    code = t.REACHED
    with Caller(lowered) if lowered.own_rules else nullcontext() as caller:
        for cut_us in instants.cuts_us:
            if code in (t.REACHED, t.STANDSTILL):
                code, state = run_until(
                    lowered, state, draws, int(cut_us), caller=caller
                )
            if code == t.DEADLOCK:
                from linewright.why import describe_deadlock  # noqa: PLC0415 - rare

                raise DeadlockError(describe_deadlock(lowered, state))
            finished.append(state.products["finished"].copy())
            released.append(state.products["released"].copy())
    return Counts(
        number,
        np.array(finished),
        np.array(released),
        _fine(state, n_fine, finished[-1]),
        int(state.clock["events"][0]),
        int(code),
        tuple(check_laws(lowered, state)) if number < _N_CHECKED else (),
    )


def _fine(state: t.State, n_fine: int, last: Ints) -> Ints:
    """Return the finer course of what left, as the kernel wrote it, and the end."""
    n_products = len(state.products)
    width = 2 * n_products + len(state.buffers)
    rows = state.series.reshape(-1, width)[: min(int(state.clock["period"][0]), n_fine)]
    fine: Ints = np.vstack([rows[:, :n_products], last])
    missing = n_fine + 1 - len(fine)  # of a line that stands still
    return np.vstack([fine, np.repeat(fine[-1:], missing, axis=0)])
