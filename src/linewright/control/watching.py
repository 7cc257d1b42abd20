"""Whether what a machine shows can be believed, and whether its work takes too long.

A machine that has a clock shows it with its list. When it does not go on while ours
does, all that is read of the machine is old, and nothing of it is believed. When it
shows another time than ours, that is said, and nothing is decided by it. Work that
takes longer than it ever does may have ended unseen, or its machine stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from linewright.control.drawn import Drawn
from linewright.control.jobs import Job
from linewright.lower import Lowered
from linewright.model.line import Line

__all__ = ["Expected", "Look", "Overdue", "Watch"]

FROZEN_AFTER_US = 3_000_000
MOST_OFF_US = 10_000_000
_N_DRAWS = 400
_MARGIN = 1.25


class Look(NamedTuple):
    """What is to be thought of what a machine showed.

    Attributes:
        is_believed: Whether it may be taken for true.
        trouble: What somebody has to be told, where it is new; else empty.
    """

    is_believed: bool
    trouble: str


_FINE = Look(is_believed=True, trouble="")


class Watch:
    """Looks at the clock of one machine; see the module's head."""

    def __init__(self) -> None:
        self._clock_us, self._since_us = -1, 0
        self._is_frozen = self._is_off = False

    def look(self, clock_us: int, wall_us: int, steady_us: int) -> Look:
        """Say what to think of a list that came with a time of day.

        Args:
            clock_us: The machine's time of day, microseconds since 1970; -1: none.
            wall_us: Ours.
            steady_us: A time that never jumps.
        """
        if clock_us < 0:
            return _FINE
        if clock_us != self._clock_us:
            self._clock_us, self._since_us = clock_us, steady_us
            self._is_frozen = False
            return self._compare(clock_us - wall_us)
        if steady_us - self._since_us < FROZEN_AFTER_US:
            return _FINE
        was_frozen, self._is_frozen = self._is_frozen, True
        text = (
            "what is read of it stands still, and so does its clock; nothing of it is "
            "believed until that goes on. Look at its connection and its controls"
        )
        return Look(is_believed=False, trouble="" if was_frozen else text)

    def _compare(self, off_us: int) -> Look:
        was_off, self._is_off = self._is_off, abs(off_us) > MOST_OFF_US
        if was_off or not self._is_off:
            return _FINE
        where = "behind" if off_us < 0 else "ahead"
        text = (
            f"its clock is {abs(off_us) / 1e6:.0f} s {where}; set it. Nothing is "
            "decided by it"
        )
        return Look(is_believed=True, trouble=text)


class Expected:
    """How long processing takes at the most, as the model has it.

    Args:
        line: The line.
        lowered: The same, laid out.
    """

    def __init__(self, line: Line, lowered: Lowered) -> None:
        self._drawn = Drawn(line, lowered, 0)
        self._known: dict[tuple[str, str, str, int], int] = {}

    def longest_us(self, job: Job) -> int | None:
        """Return the most that a job should take, or None if nobody knows.

        It is a quarter more than the longest of 400 draws.
        """
        if job.action != "process" or not job.units:
            return None
        station, n = job.device.partition("/")[0], len(job.units)
        key = (station, job.operation, job.units[0].product, n)
        found = self._known.get(key)
        if found is None:
            command = job.command()
            draws = range(_N_DRAWS)
            found = round(
                _MARGIN
                * max(
                    self._drawn.duration_us(job.device, i, command, job.at_us)
                    for i in draws
                )
            )
            self._known[key] = found
        return found


class Overdue:
    """Says once of each job that it takes too long.

    Args:
        longest_us: The most that a job should take, or None.
        slack_us: What messages may take beside, microseconds of the line.
    """

    def __init__(
        self, longest_us: Callable[[Job], int | None], slack_us: int = 0
    ) -> None:
        self._longest_us, self._slack_us = longest_us, slack_us
        self._told: set[str] = set()

    def look(self, job: Job, worked_us: int) -> str:
        """Return what somebody has to be told of a job, or nothing."""
        if job.id in self._told:
            return ""
        most_us = self._longest_us(job)
        if most_us is None or worked_us <= most_us + self._slack_us:
            return ""
        self._told.add(job.id)
        return (
            f"{job.id} has gone on for {worked_us / 1e6:.0f} s, and takes "
            f"{most_us / 1e6:.0f} s at the most: look whether it is done, or stands "
            "still. It counts as done when the machine says so"
        )

    def forget(self, jobs: set[str]) -> None:
        """Forget all jobs but these."""
        self._told &= jobs
