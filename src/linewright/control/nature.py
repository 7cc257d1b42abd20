"""Nature: how long everything takes, when what fails, and what is found to be bad.

It plays the line in step with the controller: the same state, with all times drawn from
the streams of the simulation. It is told each event when the controller has accepted
it, and says which one comes next. Where the controller accepts at once, that is the
simulation, event for event; where it takes its time, what follows comes later.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.by_schedule import followed
from linewright.control.ground import copied, ground_of
from linewright.control.measuring import Measuring
from linewright.control.ordering import NewOrder, fitted, parts_of, with_orders
from linewright.control.records import Record
from linewright.kernel.run import Foreseen, Outside
from linewright.lower import Lowered, new_draws, part_capacity

__all__ = ["Nature"]

_MEASURED, _SCHEDULE = "measured", "schedule"
_SAID = (1 << t.SKIP_BITS) - 1  # what a machine says of an outcome


class Nature:
    """A line whose times are drawn; see the module's head.

    Args:
        lowered: The line.
        seed: Seed of all streams.
        replication: Number of the replication.
    """

    def __init__(self, lowered: Lowered, seed: int, replication: int = 0) -> None:
        self._lowered = self._base = lowered
        self._by_schedule = followed(lowered)
        self._largest = 0  # parts of the largest order that ever came
        self._draws = new_draws(lowered, seed, replication)
        self._measuring = Measuring(lowered, seed, replication)
        self._ground = ground_of(lowered)
        self._take(self._ground.state())

    def _take(self, state: t.State) -> None:
        self.state = state
        line, ground = self._lowered, self._ground
        tables = ground.tables if line is ground.lowered else None
        self._outside = Outside(line.tables, state, self._draws, tables)
        self._clock = state.clock[0]

    def next(self) -> Foreseen | None:
        """Return what happens next and when, if nothing else happens before."""
        return self._outside.foresee()

    def outcomes(self, server: int) -> tuple[int, ...]:
        """Return the verdicts on the units of a server whose work ends next."""
        servers, parts = self.state.servers, self.state.parts
        step = int(servers["step"][server])
        first = part = int(servers["part"][server])
        found = []
        for _ in range(max(int(servers["n_parts"][server]), 1)):
            servers["part"][server] = part
            servers["step"][server] = parts["step"][part]
            event = self._outside.foresee()
            assert event
            found.append(event.outcome & _SAID)
            part = int(parts["mate"][part])
        servers["part"][server], servers["step"][server] = first, step
        return tuple(found)

    def measured(
        self, server: int, outcomes: tuple[int, ...]
    ) -> list[dict[str, float]]:
        """Return what is measured at the units of a server whose work ends next."""
        parts, part = self.state.parts, int(self.state.servers["part"][server])
        found = []
        for outcome in outcomes:
            of = parts[part]
            unit = int(of["product"]), int(of["serial"])
            step, loops = int(of["step"]), int(of["visits"])
            found.append(self._measuring.read(unit, step, loops, outcome))
            part = int(of["mate"])
        return found

    def timer(self) -> tuple[int, int, int] | None:
        """Return the earliest timer: when, the kind of event, and the leaf."""
        return self._outside.next_timer()

    def accept(self, record: Record) -> None:
        """Do what a record of the controller says has happened."""
        if record.kind == "request" and "order" in record.body:
            self._take_orders([NewOrder(**record.body["order"])])
        elif record.kind == "request" and record.body["what"] == "schedule":
            assert self._by_schedule is not None
            n_orders = len(self.state.orders)
            self._by_schedule.take(record.body, record.at_us, n_orders)
            self._take_orders([NewOrder(*one) for one in record.body["orders"]])
        for one in record.rows:
            kind, row, _, _, _, event, outcome = one
            if kind == t.T_EVENT:
                self._step(event, row, outcome, record.at_us)
            elif self._lowered.quality:
                self._measuring.follow(one)

    def _take_orders(self, orders: list[NewOrder]) -> None:
        tables = self._base.tables
        for order in orders:
            n_parts = parts_of(tables, order.product, order.quantity)
            self._largest = max(self._largest, n_parts)
        names = self._came(len(orders))
        self._lowered, state = with_orders(
            self._base, self.state, orders, names, self._largest
        )
        self._take(state)

    def saved(self) -> dict[str, Any]:
        """Return the line's tables and what is measured; draws need no saving."""
        tables = dict(zip(self.state._fields, self.state, strict=True))
        kept = {_MEASURED: _packed(self._measuring.saved())}
        if self._by_schedule is not None:
            kept[_SCHEDULE] = _packed(self._by_schedule.notes())
        return tables | kept | {"largest": np.array([self._largest])}

    def restore(self, arrays: dict[str, Any]) -> None:
        """Go on from what `saved` returned."""
        state = t.State._make(copied(arrays[name]) for name in t.State._fields)
        self.state = state
        self._largest = int(arrays["largest"][0])
        self._lowered = fitted(self._base, state, self._came(0), self._largest)
        self._take(state)
        self._measuring.restore(json.loads(arrays[_MEASURED].tobytes()))
        if self._by_schedule is not None:
            self._by_schedule.restore(json.loads(arrays[_SCHEDULE].tobytes()))

    def _came(self, n_more: int) -> tuple[str, ...]:
        """Return names for the orders that came; only their number counts here."""
        n = len(self.state.orders) + n_more - len(self._base.tables.orders)
        return ("",) * n

    def _step(self, kind: int, row: int, outcome: int, at_us: int) -> None:
        if self._clock["n_free"] < self._lowered.tables.settings[t.S_MARGIN]:
            n_parts = 2 * len(self.state.parts)
            self._take(part_capacity(self._lowered, self.state, n_parts))
        self._clock["now"] = at_us
        by = self._by_schedule
        self.state.asked[t.ASKED_CALL] = 0 if by is None else by.address(self.state)
        try:
            self._outside.apply_drawn(kind, row, outcome)
        finally:
            self.state.asked[t.ASKED_CALL] = 0
        if by is not None and self._clock["status"] == t.RULE_FAILED:
            by.fail()


def _packed(value: Any) -> Any:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
