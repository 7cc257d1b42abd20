"""A line that follows a schedule: what is planned for whom, and when to look again.

A schedule comes as a request like any other, and is written into the journal whole, so
that a restart goes on by it. Each of its parts is an order of its own, released when
its first operation is planned to begin; what a server takes next is what
`schedule.calling` says, the rule by which schedules are simulated.

`BySchedule` stands beside one state of the line, the controller's or the plant's that
is played; both are told the same records.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.ordering import NewOrder, waiting
from linewright.kernel.run import Outside
from linewright.lower import Lowered
from linewright.replicate import run_until
from linewright.schedule.calling import (
    AGAIN,
    UNPLANNED,
    Caller,
    Calls,
    Planned,
    looks,
)
from linewright.schedule.following import (
    Plan,
    PlannedJob,
    name_of,
    not_begun,
    wrong_with,
)

__all__ = ["BySchedule", "followed", "judged", "run_by_schedule"]

_GOES_ON = (t.REACHED, t.STANDSTILL)
_MOST_TOLD = 5
Body = dict[str, Any]


def followed(lowered: Lowered) -> BySchedule | None:
    """Return what a line follows, if it is one that follows a schedule."""
    return BySchedule(lowered) if lowered.follows else None


class BySchedule:
    """The schedule of a line, as far as one state of it goes; see the module's head.

    Args:
        lowered: The line.

    Attributes:
        plan: The schedule; one without parts before the first has come.
        hash: Its hash; empty before that.
        since_us: Since when it is followed.
        rows: Row of the order of each part that ever was in a schedule, by its name.
        orders: The same, for each order of a schedule the rows of its parts.
        out: Rows of parts that had not come in when a schedule came without them.
    """

    def __init__(self, lowered: Lowered) -> None:
        self._lowered = lowered
        self.rows: dict[str, int] = {}
        self.orders: dict[str, list[int]] = {}
        self.out: set[int] = set()
        self._jobs: list[PlannedJob] = []
        steps, n_products = lowered.tables.steps, len(lowered.tables.products)
        of = steps["product"].astype(np.int64)
        counts = np.bincount(of, minlength=n_products)
        firsts = np.concatenate([[0], np.cumsum(counts)])[:-1]
        self._place_of_step = np.arange(len(steps)) - firsts[of]
        self._width = int(counts.max(initial=1))
        self._caller = Caller(self._follow(Plan((), ()), 0), self._operations)
        self.hash, self.since_us = "", 0

    # ------------------------------------------------------------ taking a schedule

    def take(self, body: Body, at_us: int, n_orders: int) -> None:
        """Follow another schedule from now on.

        Args:
            body: The record of the request that brought it.
            at_us: Its time.
            n_orders: Orders that were there before those that come with it.
        """
        plan = Plan.of(body["data"])
        row = n_orders
        for job in plan.jobs:
            if name_of(job) not in self.rows:
                self._note(job, row)
                row += 1
        self.out = set(body["out"])
        self._caller.calls = self._follow(plan, at_us)
        self.hash, self.since_us = body["data"]["hash"], at_us

    def _note(self, job: PlannedJob, row: int) -> None:
        self.rows[name_of(job)] = row
        self.orders.setdefault(job.order, []).append(row)
        self._jobs.append(job)

    def _follow(self, plan: Plan, at_us: int) -> Calls:
        """Look up what a schedule plans, and keep when to look again."""
        self.plan = plan
        tables, names = self._lowered.tables, self._lowered.names
        stations = {name: k for k, name in enumerate(names.stations)}
        products = {name: i for i, name in enumerate(names.products)}
        step_of = {
            (int(i), name): k
            for k, (i, name) in enumerate(
                zip(tables.steps["product"], names.operations, strict=True)
            )
        }
        self._planned_at = np.full(
            (max(len(self.rows), 1), self._width), UNPLANNED, np.int64
        )
        batches: dict[str, int] = {}
        n = len(plan.operations)
        columns = Planned(*np.full((5, n), -1, np.int64))
        for o, one in enumerate(plan.operations):
            job = plan.jobs[one.job]
            step = step_of[products[job.product], one.operation]
            row = self.rows[name_of(job)]
            self._planned_at[row, self._place_of_step[step]] = o
            k = stations[one.station]
            columns.begin_us[o], columns.end_us[o] = one.begin_us, one.end_us
            columns.station[o] = k
            columns.server[o] = tables.stations["first_server"][k] + one.server - 1
            if one.batch:
                columns.batch[o] = batches.setdefault(one.batch, len(batches))
        calls = Calls(columns, patient=False)
        times = sorted(calls.stations_at)
        n_past = bisect_right(times, at_us)
        self._wakes = times[n_past:]
        if self.rows:
            self._wakes.insert(0, at_us)
        self._late = {k for at in times[:n_past] for k in calls.stations_at[at]}
        self._next = 0
        return calls

    # ------------------------------------------------------------ looking again

    def next_us(self) -> int | None:
        """Return when stations are to look again, if something is planned."""
        return self._wakes[self._next] if self._next < len(self._wakes) else None

    def wake(self, state: t.State) -> list[int]:
        """Return the stations that are to look again now, and go on to the next time.

        Right after a schedule has come, that is all that it has something for already.
        """
        at_us = self._wakes[self._next]
        found = self._caller.calls.stations_at.get(at_us, set())
        if self._next == 0:
            found = found | self._late
        self._next += 1
        return [k for k in sorted(found) if looks(self._lowered, state, k)]

    def address(self, state: t.State) -> int:
        """Return the address that the kernel calls while it works on a state."""
        return self._caller.address(state)

    def fail(self) -> None:
        """Raise what went wrong when the kernel asked."""
        self._caller.fail()

    def _operations(self, parts: t.Records) -> t.Ints:
        """Return the operations for which parts wait; see `calling`."""
        orders = parts["order"].astype(np.int64)
        is_ours = (orders >= 0) & (orders < len(self.rows))
        rows = np.where(is_ours, orders, 0)
        found = self._planned_at[rows, self._place_of_step[parts["step"]]]
        found = np.where(is_ours, found, UNPLANNED)
        return np.where((parts["visits"] > 0) & is_ours, AGAIN, found)

    # ------------------------------------------------------------ what is planned

    def operation_of(self, order: int, step: int) -> int:
        """Return the operation of the schedule of a part at a step, or `UNPLANNED`."""
        if not 0 <= order < len(self.rows) or step < 0:
            return UNPLANNED
        return int(self._planned_at[order, self._place_of_step[step]])

    def job_of(self, order: int) -> PlannedJob | None:
        """Return the part of a schedule that an order is, if it is one."""
        return self._jobs[order] if 0 <= order < len(self._jobs) else None

    def copy(self) -> BySchedule:
        """Return one that goes on by itself, for a simulation."""
        other = copy.copy(self)
        other.rows = dict(self.rows)
        other._caller = Caller(copy.copy(self._caller.calls), other._operations)  # noqa: SLF001
        return other

    # ------------------------------------------------------------ saving

    def notes(self) -> Body:
        """Return all of it, in the values of JSON."""
        return {
            "jobs": [list(job) for job in self._jobs],
            "plan": self.plan.data(),
            "hash": self.hash,
            "since_us": self.since_us,
            "next": self._next,
            "out": sorted(self.out),
        }

    def restore(self, notes: Body) -> None:
        """Go on from what `notes` returned."""
        self.rows, self.orders, self._jobs = {}, {}, []
        for row, job in enumerate(notes["jobs"]):
            self._note(PlannedJob(*job), row)
        self.since_us, self.hash = notes["since_us"], notes["hash"]
        self._caller.calls = self._follow(Plan.of(notes["plan"]), self.since_us)
        self._next, self.out = notes["next"], set(notes["out"])


# ---------------------------------------------------------------- simulating


def run_by_schedule(
    by: BySchedule,
    lowered: Lowered,
    state: t.State,
    draws: t.Draws,
    until_us: int,
    on_trace: Callable[[t.Ints], None] | None = None,
) -> tuple[int, t.State]:
    """Simulate a line that follows a schedule until a time.

    Args:
        by: What it follows; it goes on with the line.
        lowered: The line.
        state: Its state; it is not to be used after this.
        draws: Streams of the replication.
        until_us: The time.
        on_trace: Takes rows of the trace, of a state that is traced.

    Returns:
        Why the kernel stopped (a code of `tables`), and the state.
    """
    while True:
        wake_us = by.next_us()
        stop_us = until_us if wake_us is None else min(wake_us, until_us)
        code, state = run_until(
            lowered, state, draws, stop_us, on_trace=on_trace, caller=by
        )
        if code not in _GOES_ON or wake_us is None or wake_us > until_us:
            return code, state
        if not (stations := by.wake(state)):
            continue
        outside = Outside(lowered.tables, state, draws)
        state.asked[t.ASKED_CALL] = by.address(state)
        for k in stations:
            outside.apply_drawn(t.WAITED, k, 0)
        state.asked[t.ASKED_CALL] = 0
        if state.clock["status"][0] == t.RULE_FAILED:
            by.fail()


# ---------------------------------------------------------------- judging


def judged(
    by: BySchedule,
    lowered: Lowered,
    state: t.State,
    put_off: Mapping[int, str],
    data: Body,
    at_us: int,
) -> Body | str:
    """Return what is to be written of a schedule that came, or why it is refused.

    Args:
        by: What is followed until now.
        lowered: The line.
        state: Its state.
        put_off: How orders are put off by hand, by row: held, aside, cancelled.
        data: The schedule, as `Plan.data` has it.
        at_us: Now.
    """
    plan = Plan.of(data)
    if plan.hash() != data["hash"]:
        return "its hash is that of another schedule"
    wrong = wrong_with(plan, lowered)
    if not wrong:
        to_come = set(waiting(state)) | by.out
        to_come |= {row for row, what in put_off.items() if what == "held"}
        begun = {name for name, row in by.rows.items() if row not in to_come}
        wrong = not_begun(plan, lowered, begun)
    if wrong:
        told = "; ".join(_told(one.row, one.text) for one in wrong[:_MOST_TOLD])
        more = len(wrong) - _MOST_TOLD
        return f"{told}; and {more} more" if more > 0 else told
    return _accepted(by, plan, lowered, state, at_us)


def _told(row: int, text: str) -> str:
    return text if row < 0 else f"row {row + 1}, {text}"


def _accepted(
    by: BySchedule, plan: Plan, lowered: Lowered, state: t.State, at_us: int
) -> Body:
    products = {name: i for i, name in enumerate(lowered.names.products)}
    begins: dict[int, int] = {}
    for one in plan.operations:
        begins[one.job] = min(begins.get(one.job, t.NEVER), one.begin_us)
    to_come = set(waiting(state)) | by.out
    orders, names, acts, planned = [], [], [], set()
    row = len(state.orders)
    for j, job in enumerate(plan.jobs):
        release_us = max(begins[j], at_us)
        known = by.rows.get(name_of(job))
        if known is None:
            product = products[job.product]
            lot = int(lowered.tables.products["lot"][product])
            due_us = t.NEVER if job.due_us is None else job.due_us
            new = NewOrder(product, lot, begins[j], due_us, job.priority)
            orders.append(list(new))
            names.append(name_of(job))
            acts.append([t.PLAN_ORDER, row, release_us])
            row += 1
            continue
        planned.add(known)
        if known in to_come:
            acts.append([t.PLAN_ORDER, known, release_us])
        if int(state.orders["priority"][known]) != job.priority:
            acts.append([t.HURRY, known, job.priority])
    gone = sorted(to_come & set(by.rows.values()) - planned)
    acts += [[t.PLAN_ORDER, k, -1] for k in gone]
    text = f"schedule {plan.hash()[:12]} of {len(plan.operations):,} operations"
    text += " is followed"
    if gone:
        text += f"; {len(gone)} parts are not in it, and stay out"
    return {
        "names": names,
        "orders": orders,
        "acts": acts,
        "out": gone,
        "text": text,
    }
