"""What a schedule calls next: the rule by which it is followed, wherever that is done.

No operation begins before its planned time. Of the parts that wait and whose time has
come, a server takes the one that was planned for it first; if there is none, the first
of those that are late and whose own server is not ready. What the schedule has done
before and is done again, as rework, goes at once; what it does not know at all, when
nothing else is to be done. What shares a batch begins when all of it is there.

The kernel asks which part is next (`kernel.rules`); it is woken at the planned times.
Simulations of a schedule (`kernel_runs`) and a line that runs (`control.by_schedule`)
both ask `Calls`.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.errors import KernelError
from linewright.kernel.rules import CALL, FAILED, NONE_OF_THEM
from linewright.lower import Lowered
from linewright.schedule.problem import NEVER

__all__ = ["AGAIN", "UNPLANNED", "Caller", "Calls", "Planned", "looks", "wakable"]

AGAIN, UNPLANNED = -1, -2
"""Instead of an operation: it was done before; the schedule does not know it."""


class Planned(NamedTuple):
    """The operations of a schedule, one row for each.

    Attributes:
        begin_us: When it begins.
        end_us: When it ends.
        station: Row of its station.
        server: Row of its server, among all servers of the line.
        batch: Number of its batch, -1 if it is alone.
    """

    begin_us: t.Ints
    end_us: t.Ints
    station: t.Ints
    server: t.Ints
    batch: t.Ints


class Calls:
    """What a schedule calls next; see the module's head.

    Args:
        planned: Its operations.
        patient: Whether a batch waits for all of its parts however late they are; else
            it begins without them when its server should begin its next one.

    Attributes:
        stations_at: Stations that are to look again, by the time at which they are.
    """

    def __init__(self, planned: Planned, *, patient: bool) -> None:
        self.planned = planned
        self._size = Counter(planned.batch[planned.batch >= 0].tolist())
        self._patience_us = {} if patient else self._patience()
        self._filling = -1
        self.stations_at: dict[int, set[int]] = {}
        begins, stations = planned.begin_us.tolist(), planned.station.tolist()
        for at_us, k in zip(begins, stations, strict=True):
            self.stations_at.setdefault(at_us, set()).add(k)
        for number, at_us in self._patience_us.items():
            k = int(planned.station[np.flatnonzero(planned.batch == number)[0]])
            self.stations_at.setdefault(at_us, set()).add(k)

    def _patience(self) -> dict[int, int]:
        """Return when each batch starts without the parts that are not there yet.

        That is when its server should begin its next batch; for the last one, when as
        much time has gone by as it takes.
        """
        plan = self.planned
        found: dict[int, int] = {}
        order = np.lexsort((plan.begin_us, plan.server))
        following: dict[int, int] = {}
        for o in order[::-1].tolist():
            server, number = int(plan.server[o]), int(plan.batch[o])
            if number >= 0 and number not in found:
                begin = int(plan.begin_us[o])
                after = following.get(server, NEVER)
                if after == NEVER:
                    after = 2 * int(plan.end_us[o]) - begin
                found[number] = after
            if number < 0 or found[number] != following.get(server):
                following[server] = int(plan.begin_us[o])
        return found

    def choose(self, state: t.State, s: int, found: t.Ints) -> int:
        """Return the place of the part that a server takes, or -1.

        Args:
            state: The line.
            s: Row of the server.
            found: The operation for which each part is offered, or `AGAIN`, or
                `UNPLANNED`.
        """
        plan = self.planned
        if state.asked[t.ASKED_FILLING]:
            return self._joins(found)
        self._filling = -1
        again = np.flatnonzero(found == AGAIN)
        if len(again):
            return int(again[0])
        known = found >= 0
        if not known.any():
            return 0 if len(found) else -1
        now = int(state.clock["now"][0])
        rows = np.where(known, found, 0)
        begins = np.where(known, plan.begin_us[rows], NEVER)
        servers = np.where(known, plan.server[rows], s)
        due = known & (begins <= now)
        if (plan.batch[found[known]] >= 0).any():
            there = Counter(plan.batch[found[known]].tolist())
            due &= [o >= 0 and self._together(o, there, now) for o in found.tolist()]
        own = due & (servers == s)
        if not own.any():
            own = due & (begins < now) & (state.servers["ready"][servers] == 0)
        if not own.any():
            others = np.flatnonzero(found == UNPLANNED)
            return int(others[0]) if len(others) else -1
        best = int(np.where(own, begins, NEVER).argmin())
        self._filling = int(plan.batch[found[best]])
        return best

    def _together(self, o: int, there: Counter[int], now: int) -> bool:
        """Say whether all are there that an operation shares a batch with.

        A batch of which a part is lost would wait for ever; see `_patience`.
        """
        batch = int(self.planned.batch[o])
        if batch < 0 or now >= self._patience_us.get(batch, NEVER):
            return True
        return there[batch] >= self._size[batch]

    def _joins(self, found: t.Ints) -> int:
        if self._filling < 0:
            return -1
        batches = self.planned.batch[np.maximum(found, 0)]
        joins = np.flatnonzero((found >= 0) & (batches == self._filling))
        return int(joins[0]) if len(joins) else -1


class Caller:
    """The function that the kernel calls, for one state of a line.

    Args:
        operations: Returns for parts the operation of the schedule for which each
            waits, as `Calls.choose` takes it.

    Attributes:
        calls: The schedule; another one may take its place.
    """

    def __init__(self, calls: Calls, operations: Callable[[t.Records], t.Ints]) -> None:
        self.calls, self._operations = calls, operations
        self._state: t.State | None = None
        self._error: BaseException | None = None
        self._call = CALL(self._answer)

    def address(self, state: t.State) -> int:
        """Return the address that the kernel calls while it works on a state."""
        self._state = state
        return ctypes.cast(self._call, ctypes.c_void_p).value or 0

    def fail(self) -> None:
        """Raise what went wrong in an answer."""
        if self._error is not None:
            raise self._error
        msg = "the kernel did not take what the schedule says comes next"
        raise KernelError(msg)

    def _answer(self, _rule: int, _station: int, s: int, n: int) -> int:
        state = self._state
        try:
            assert state is not None
            rows = state.asked[t.ASKED_PARTS : t.ASKED_PARTS + n]
            place = self.calls.choose(state, s, self._operations(state.parts[rows]))
        except BaseException as error:  # it goes up from `fail`
            self._error = error
            return FAILED
        return NONE_OF_THEM if place < 0 else place + 1


def wakable(lowered: Lowered) -> Lowered:
    """Return tables in which every station has a timer of its own, to be woken by."""
    tables = lowered.tables
    stations = tables.stations.copy()
    rows, places = list(tables.leaf_row), list(lowered.leaf_station)
    for k in range(len(stations)):
        if stations["leaf"][k] < 0:
            stations["leaf"][k] = len(rows)
            rows.append(k)
            places.append(k)
    settings = tables.settings.copy()
    settings[t.S_N_LEAVES] = len(rows)
    return lowered._replace(
        tables=tables._replace(
            stations=stations, settings=settings, leaf_row=np.array(rows, np.int64)
        ),
        leaf_station=np.array(places, np.int64),
    )


def looks(lowered: Lowered, state: t.State, k: int) -> bool:
    """Say whether a station that is woken would look what it may begin."""
    stations = lowered.tables.stations
    is_asked = stations["own_rule"][k] >= 0 and not stations["conveyor"][k]
    return bool(is_asked and state.stations["n_ready"][k])
