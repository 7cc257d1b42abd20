"""The schedule that a line follows against what happened, for the page.

`Planned` puts planned and real bars of some hours around now beside each other, and
says by how much each order is ahead or behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linewright.control.begun import Begun, Real
from linewright.control.by_schedule import BySchedule
from linewright.control.core import Core
from linewright.control.wanted import grouped
from linewright.schedule.following import name_of

__all__ = ["Planned"]

_MOST_BARS = 500
_HOUR_US = 3_600_000_000
_WIDTHS_US = [h * _HOUR_US for h in (2, 4, 8, 24, 72, 168, 720, 4_320, 17_520)]
"""Lengths of time that the page may show, of which a quarter is past."""

Items = dict[str, Any]


class Planned:
    """Planned and real bars around now; see the module's head.

    Args:
        core: The line, which follows a schedule.
        begun: What was begun of it.
        stamp: Writes an instant as it stands in a list, in the plant's zone.
        clock: Writes it in short, for an axis.
    """

    def __init__(
        self,
        core: Core,
        begun: Begun,
        stamp: Callable[[int], str],
        clock: Callable[[int, int], str],
    ) -> None:
        assert core.by_schedule is not None
        self._core, self._begun = core, begun
        self._stamp, self._clock = stamp, clock
        self._by: BySchedule = core.by_schedule
        self._hash = ""
        self._begins = self._ends = np.zeros(0, np.int64)
        self._of_part: list[list[int]] = []
        self._of_order: dict[int, list[int]] = {}

    def is_of(self, core: Core, begun: Begun) -> bool:
        """Say whether it shows a line as it is read; it may have been read anew."""
        return core is self._core and begun is self._begun

    def items(self) -> Items:
        """Return the schedule, its bars and the real ones, and how each order is."""
        if self._by.hash != self._hash:
            self._look_up()
        items: Items = {"planned/": None, "real/": None, "against/": None}
        if not self._hash:
            return items | {"schedule": None}
        from_us, until_us = self._span()
        items["schedule"] = {
            "hash": self._hash[:12],
            "since": self._stamp(self._by.since_us),
            "from_us": from_us,
            "until_us": until_us,
            "ticks": self._ticks(from_us, until_us),
        }
        is_shown = (self._begins < until_us) & (self._ends > from_us)
        for o in np.flatnonzero(is_shown)[: 2 * _MOST_BARS].tolist():
            items[f"planned/{o}"] = self._planned(o)
        for real in self._begun.bars:
            if real.begin_us < until_us and (real.end_us < 0 or real.end_us > from_us):
                items[f"real/{real.number}"] = self._real(real)
        return items | self._against()

    def _look_up(self) -> None:
        self._hash = self._by.hash
        plan = self._by.plan
        self._begins = np.array([one.begin_us for one in plan.operations], np.int64)
        self._ends = np.array([one.end_us for one in plan.operations], np.int64)
        self._of_part = [[] for _ in plan.jobs]
        for o in np.argsort(self._begins, kind="stable").tolist():
            self._of_part[plan.operations[o].job].append(o)
        rows = {name: i for i, name in enumerate(grouped(self._core)[0])}
        self._of_order = {}
        for j, job in enumerate(plan.jobs):
            if (row := rows.get(job.order or job.part)) is not None:
                self._of_order.setdefault(row, []).append(j)

    def _span(self) -> tuple[int, int]:
        """Return from when until when bars are shown: not too many of them.

        It moves by a sixteenth of itself, so that the page is seldom drawn anew.
        """
        now_us = self._core.now_us
        found = 0, 0
        for width_us in _WIDTHS_US:
            step_us = width_us // 16
            from_us = (now_us - width_us // 4) // step_us * step_us
            until_us = from_us + width_us
            n = int(((self._begins < until_us) & (self._ends > from_us)).sum())
            if n > _MOST_BARS and found[1]:
                break
            found = from_us, until_us
            if n == len(self._begins):
                break
        return found

    def _ticks(self, from_us: int, until_us: int) -> list[list[Any]]:
        """Return marks of the axis: their place, from 0 to 1, and the time there."""
        width_us = until_us - from_us
        return [
            [k / 4, self._clock(from_us + k * width_us // 4, width_us)]
            for k in range(4)
        ]

    def _planned(self, o: int) -> dict[str, Any]:
        one = self._by.plan.operations[o]
        job = self._by.plan.jobs[one.job]
        names = self._core.lowered.names
        return {
            "k": names.stations.index(one.station),
            "s": one.server - 1,
            "order": job.order or job.part,
            "part": job.part,
            "operation": one.operation,
            "begin_us": one.begin_us,
            "end_us": one.end_us,
            "at": f"{self._stamp(one.begin_us)} to {self._stamp(one.end_us)}",
        }

    def _real(self, real: Real) -> dict[str, Any]:
        core, names = self._core, self._core.lowered.names
        first = core.lowered.tables.stations["first_server"]
        k = int(core.state.servers["station"][real.server])
        job = self._by.job_of(real.order)
        o = self._by.operation_of(real.order, real.step)
        late_us = None if o < 0 else self._late_us(o, real)
        end = "" if real.end_us < 0 else self._stamp(real.end_us)
        return {
            "k": k,
            "s": real.server - int(first[k]),
            "order": "" if job is None else job.order or job.part,
            "part": "" if job is None else job.part,
            "unit": f"{names.products[real.product]}:{real.serial}",
            "operation": names.operations[real.step],
            "begin_us": real.begin_us,
            "end_us": real.end_us,
            "at": f"{self._stamp(real.begin_us)} to {end or 'now'}",
            "late_us": late_us,
        }

    def _late_us(self, o: int, real: Real) -> int:
        """Return by how much an operation is later than planned, by what is known."""
        late_us = real.begin_us - int(self._begins[o])
        end_us = self._core.now_us if real.end_us < 0 else real.end_us
        over_us = end_us - int(self._ends[o])
        return over_us if real.end_us >= 0 else max(late_us, over_us)

    def _against(self) -> Items:
        """Return by how much each order is behind, or ahead where that is below zero.

        That is the worst of its parts: one that waits is behind once it should have
        begun, one at work by what it began late or takes too long, and one that is done
        by the end of its last operation.
        """
        items: Items = {}
        for row, jobs in self._of_order.items():
            late = [self._part_late_us(j) for j in jobs]
            known = [one for one in late if one is not None]
            end_us = max(int(self._ends[self._of_part[j][-1]]) for j in jobs)
            items[f"against/{row}"] = {
                "late_us": max(known) if known else None,
                "end": self._stamp(end_us),
            }
        return items

    def _part_late_us(self, j: int) -> int | None:
        """Return by how much a part is behind; None: nothing can be said of it yet."""
        mine, now_us = self._of_part[j], self._core.now_us
        row = self._by.rows[name_of(self._by.plan.jobs[j])]
        real = self._begun.last.get(row)
        if real is None:  # it has not begun, or that was before the records read here
            is_over = int(self._core.state.orders["finished"][row]) >= 0
            waits_us = now_us - int(self._begins[mine[0]])
            return None if is_over or waits_us <= 0 else waits_us
        o = self._by.operation_of(real.order, real.step)
        late_us = None if o < 0 else self._late_us(o, real)
        if real.end_us < 0 or o < 0 or o == mine[-1]:
            return late_us
        following = int(self._begins[mine[mine.index(o) + 1]])
        return max(late_us or 0, now_us - following) if now_us > following else late_us
