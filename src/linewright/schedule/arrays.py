"""A problem as arrays, for what is compiled (`_placing`).

Rows of operations, stations and so on are those of the problem. What belongs to a row
lies in one piece in another array, from the row's column X to its column X_END.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from linewright.schedule.cp.facts import OBJECTIVES, Former
from linewright.schedule.problem import Ints, Mode, Problem, Solution

__all__ = ["Memory", "Shop", "shop_of"]

O_COLUMNS = 15
(
    O_MODE, O_MODE_END, O_RELEASE, O_REST, O_FIXED_MODE, O_FIXED_AT, O_PRED,
    O_PRED_END, O_SUCC, O_SUCC_END, O_HELD, O_HELD_END, O_HANDED, O_HANDED_END,
    O_GROUP,
) = range(O_COLUMNS)  # fmt: skip
M_COLUMNS = 9
(
    M_STATION, M_FAMILY, M_STOPS, M_CALENDAR, M_LOAD, M_PROCESS, M_UNLOAD, M_NEED,
    M_NEED_END,
) = range(M_COLUMNS)  # fmt: skip
N_COLUMNS = 4
(
    N_QUANTITY, N_PHASES, N_RESOURCE, N_RESOURCE_END,
) = range(N_COLUMNS)  # fmt: skip
P_COLUMNS = 4
(
    P_BEFORE, P_MIN, P_WAY, P_WAY_END,
) = range(P_COLUMNS)  # fmt: skip
S_COLUMNS = 6
(
    S_SERVERS, S_SERVER, S_CALENDAR, S_SETUP, S_FAMILIES, S_AHEAD,
) = range(S_COLUMNS)  # fmt: skip
R_COLUMNS = 4
(
    R_CAPACITY, R_CALENDAR, R_PROFILE, R_PROFILE_END,
) = range(R_COLUMNS)  # fmt: skip
H_COLUMNS = 6
(
    H_RESOURCE, H_QUANTITY, H_FIRST, H_LAST, H_AT_BEGIN, H_BACK,
) = range(H_COLUMNS)  # fmt: skip
D_COLUMNS = 7
(
    D_LAST, D_LAST_END, D_DUE, D_WEIGHT, D_RELEASE, D_BEGUN, D_BEGUN_END,
) = range(D_COLUMNS)  # fmt: skip
G_COLUMNS = 4

_N_PARTS = 53
(
    OPERATIONS, N_OPERATIONS, MODES, N_MODES, NEEDS, N_NEEDS, SERVING, N_SERVING,
    PREDS, N_PREDS, WAYS, N_WAYS, SUCCS, N_SUCCS, STATIONS, N_STATIONS, SETUP_US,
    N_SETUP_US, CALENDARS, N_CALENDARS, SPANS, N_SPANS, RESOURCES, N_RESOURCES,
    HOLDS, N_HOLDS, HELD, N_HELD, HANDED, N_HANDED, GROUPS, N_GROUPS, MEMBERS,
    N_MEMBERS, DEMANDS, N_DEMANDS, LAST, N_LAST, BEGUN, N_BEGUN, FORMER, N_FORMER,
    GOALS, N_GOALS, FREE, N_FREE, FAMILY, N_FAMILY, OPEN, N_OPEN,
    PROFILE_N, N_PROFILE_N, PROFILE_AT, N_PROFILE_AT, PROFILE_LEVEL,
    N_PROFILE_LEVEL, CHOSEN, N_CHOSEN, ORDER, N_ORDER, PLACE, N_PLACE, KEPT_ORDER,
    N_KEPT_ORDER, BEST_ORDER, N_BEST_ORDER, AHEAD, N_AHEAD, BEHIND, N_BEHIND,
    LATEST, N_LATEST, PAIN, N_PAIN, CHAIN, N_CHAIN, TOUCHED, N_TOUCHED, MOVED,
    N_MOVED, COST_NOW, N_COST_NOW, COST_TRIAL, N_COST_TRIAL, COST_BEST, N_COST_BEST,
    KEPT_STEP, N_KEPT_STEP, KEPT_FREE, N_KEPT_FREE, KEPT_FAMILY, N_KEPT_FAMILY,
    KEPT_OPEN, N_KEPT_OPEN, KEPT_PROFILE_N, N_KEPT_PROFILE_N, KEPT_PROFILE_AT,
    N_KEPT_PROFILE_AT, KEPT_PROFILE_LEVEL, N_KEPT_PROFILE_LEVEL, NOW, N_NOW, TRIAL,
    N_TRIAL, BEST, N_BEST,
) = range(2 * _N_PARTS)  # fmt: skip
"""Where it is said where each part of a `Memory` begins, and how many rows it has."""

(
    PLACED_MODE, PLACED_SERVER, PLACED_BEGIN, PLACED_SETUP, PLACED_END,
) = range(2 * _N_PARTS, 2 * _N_PARTS + 5)  # fmt: skip
"""Where it is said how far behind the begin of a schedule its columns lie."""

_HEAD = 2 * _N_PARTS + 5

INTERRUPT, FINISH, FIT = range(3)
(
    TARDINESS, MAKESPAN, FLOW_TIME, SETUPS, WIP, STABILITY, LATE_ORDERS,
) = range(len(OBJECTIVES))  # fmt: skip

_STOPS = {"interrupt": INTERRUPT, "finish": FINISH, "fit": FIT}
_MOST_KEPT_BYTES = 64 * 2**20
_MOST_CHAIN = 12


class Shop(NamedTuple):
    """A problem, and which of its operations share a batch: a group begins as one."""

    operations: Ints
    modes: Ints
    needs: Ints
    serving: Ints  # resources of which one serves a need
    preds: Ints
    ways: Ints  # from station, to station, time
    succs: Ints  # operations that come after one
    stations: Ints
    setup_us: Ints
    calendars: Ints  # first span, and the one behind the last
    spans: Ints  # begin, end, end of its shift
    resources: Ints
    holds: Ints
    held: Ints  # holds that begin with an operation
    handed: Ints  # holds that end with it
    groups: Ints  # first and last member; may it be moved; may it go elsewhere
    members: Ints
    demands: Ints
    last: Ints
    begun: Ints
    former: Ints  # mode, server, begin, least work; -1: not in the former schedule


def shop_of(problem: Problem, batch: Ints, former: Former | None = None) -> Shop:
    """Return a problem as arrays.

    Args:
        problem: A problem that `listing.can_be_placed`.
        batch: Number of the batch of each operation, or -1.
        former: Where operations were, for ``stability``.
    """
    return _Maker(problem, batch, former or {}).shop()


class Memory:
    """All that `_placing` knows, in one array of whole numbers.

    Args:
        shop: The problem.
        order: Its groups, in an order.
        objectives: What counts, in order, by their rows in `OBJECTIVES`.

    Attributes:
        m: The array.
    """

    def __init__(self, shop: Shop, order: Ints, objectives: Sequence[int]) -> None:
        n_servers = int(shop.stations[:, S_SERVERS].sum())
        n_resources, n = len(shop.resources), len(order)
        places = int(shop.resources[-1, R_PROFILE_END]) if n_resources else 0
        needs = int((shop.modes[:, M_NEED_END] - shop.modes[:, M_NEED]).max(initial=1))
        each = 8 * (2 * n_servers + 2 * n_resources + 2 * places) + 1
        most = max(min(_MOST_KEPT_BYTES // each, 128, n // 8), 1)
        step = -(-n // most)
        rows = -(-n // step)
        n_objectives = len(objectives)
        given = [*shop, np.array(objectives, np.int64)]
        sizes = [
            n_servers, n_servers, n_resources, n_resources, places, places, needs,
            n, n, n, n, n, n, n_servers, len(shop.demands), _MOST_CHAIN, 2, 1,
            n_objectives, n_objectives, n_objectives,
            1, rows * n_servers, rows * n_servers, rows * n_resources,
            rows * n_resources, rows * places, rows * places,
            *[5 * len(shop.operations)] * 3,
        ]  # fmt: skip
        lengths = [part.size for part in given] + sizes
        counts = [len(part) for part in given] + sizes
        starts = _HEAD + np.cumsum([0, *lengths])
        self.m: Ints = np.zeros(int(starts[-1]), np.int64)
        self.m[0 : 2 * _N_PARTS : 2] = starts[:-1]
        self.m[1 : 2 * _N_PARTS : 2] = counts
        self.m[PLACED_MODE : PLACED_END + 1] = np.arange(5) * len(shop.operations)
        for start, part in zip(starts.tolist(), given, strict=False):
            self.m[start : start + part.size] = part.ravel()
        self.part(KEPT_STEP)[0] = step
        self._n = len(shop.operations)
        self.set_order(order)

    def part(self, name: int) -> Ints:
        """Return a part, flat; what is written to it is written to the memory."""
        start = int(self.m[name])
        return self.m[start : start + int(self.m[name + 1])]

    def set_order(self, order: Ints) -> None:
        """Begin with an order."""
        for name in (ORDER, KEPT_ORDER, BEST_ORDER):
            self.part(name)[:] = order
        self.part(PLACE)[order] = np.arange(len(order))

    def columns(self, name: int) -> Ints:
        """Return a schedule: mode, server, begin, setup, end (column, operation)."""
        start = int(self.m[name])
        return self.m[start : start + 5 * self._n].reshape(5, self._n)

    def set_schedule(self, solution: Solution) -> None:
        """Begin with a schedule."""
        for name in (NOW, TRIAL, BEST):
            self.columns(name)[:] = (
                solution.mode, solution.server, solution.begin_us, solution.setup_us,
                solution.end_us,
            )  # fmt: skip


class _Maker:
    """Makes the arrays of one problem."""

    def __init__(self, problem: Problem, batch: Ints, former: Former) -> None:
        self._problem, self._batch, self._former = problem, batch, former
        self._modes: list[tuple[int, ...]] = []
        self._needs: list[tuple[int, ...]] = []
        self._serving: list[int] = []
        self._mode_rows: dict[int, tuple[int, int]] = {}

    def shop(self) -> Shop:
        """Return all of it."""
        problem = self._problem
        preds, ways, succs, pred_ends, succ_ends = self._links()
        held, held_ends = _by_row(
            [hold.first for hold in problem.holds], len(problem.operations)
        )
        handed, handed_ends = _by_row(
            [hold.last for hold in problem.holds], len(problem.operations)
        )
        groups, members, group_of = self._groups()
        operations = np.zeros((len(problem.operations), O_COLUMNS), np.int64)
        for o, operation in enumerate(problem.operations):
            fixed = operation.fixed
            operations[o, : O_FIXED_AT + 1] = (
                *self._rows_of_modes(operation.modes),
                operation.release_us,
                operation.rest_us,
                -1 if fixed is None else fixed.mode,
                -1 if fixed is None else fixed.begin_us,
            )
        for column, ends in (
            (O_PRED, pred_ends), (O_SUCC, succ_ends), (O_HELD, held_ends),
            (O_HANDED, handed_ends),
        ):  # fmt: skip
            operations[:, column], operations[:, column + 1] = ends[:-1], ends[1:]
        operations[:, O_GROUP] = group_of
        stations, setup_us = self._stations()
        calendars, spans = self._calendars()
        demands, last, begun = self._demands()
        return Shop(
            operations,
            _rows(self._modes, M_COLUMNS),
            _rows(self._needs, N_COLUMNS),
            np.array(self._serving, np.int64),
            preds,
            ways,
            succs,
            stations,
            setup_us,
            calendars,
            spans,
            self._resources(operations),
            _rows(
                [
                    (h.resource, h.quantity, h.first, h.last, h.at_begin, h.back_us)
                    for h in problem.holds
                ],
                6,
            ),
            held,
            handed,
            groups,
            members,
            demands,
            last,
            begun,
            self._former_rows(),
        )

    def _rows_of_modes(self, modes: tuple[Mode, ...]) -> tuple[int, int]:
        """Return where the modes of an operation lie; many share those of one step."""
        if id(modes) not in self._mode_rows:
            first = len(self._modes)
            for mode in modes:
                need = len(self._needs)
                for one in mode.needs:
                    start = len(self._serving)
                    self._serving += one.resources
                    self._needs.append(
                        (one.quantity, one.phases, start, len(self._serving))
                    )
                calendar = -1
                if mode.station >= 0:
                    calendar = self._problem.stations[mode.station].calendar
                self._modes.append(
                    (
                        mode.station, mode.family, _STOPS[mode.shift_end], calendar,
                        mode.load_us, mode.process_us, mode.unload_us, need,
                        len(self._needs),
                    )
                )  # fmt: skip
            self._mode_rows[id(modes)] = first, len(self._modes)
        return self._mode_rows[id(modes)]

    def _links(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        problem = self._problem
        n = len(problem.operations)
        order, pred_ends = _by_row([link.after for link in problem.links], n)
        preds: list[tuple[int, ...]] = []
        ways: list[tuple[int, int, int]] = []
        for row in order.tolist():
            link = problem.links[row]
            least = problem.operations[link.before].rest_us + link.min_us
            first = len(ways)
            ways += link.ways_us
            preds.append((link.before, least, first, len(ways)))
        behind, succ_ends = _by_row([link.before for link in problem.links], n)
        after = np.array([link.after for link in problem.links], np.int64)
        succs = after[behind] if len(after) else after
        return _rows(preds, 4), _rows(ways, 3), succs, pred_ends, succ_ends

    def _groups(self) -> tuple[Ints, Ints, Ints]:
        """Return groups, their members, and the group of each operation."""
        n = len(self._problem.operations)
        group_of = np.full(n, -1, np.int64)
        rows: dict[int, int] = {}
        n_groups = 0
        for o, number in enumerate(self._batch.tolist()):
            if number < 0 or number not in rows:
                if number >= 0:
                    rows[number] = n_groups
                group_of[o] = n_groups
                n_groups += 1
            else:
                group_of[o] = rows[number]
        members, ends = _by_row(group_of, n_groups)
        groups = np.ones((n_groups, 4), np.int64)
        groups[:, 0], groups[:, 1] = ends[:-1], ends[1:]
        for o, operation in enumerate(self._problem.operations):
            g = group_of[o]
            if operation.fixed is not None:
                groups[g, 2:] = 0
            if operation.same_server_as >= 0:
                groups[g, 3] = groups[group_of[operation.same_server_as], 3] = 0
        return groups, members, group_of

    def _stations(self) -> tuple[Ints, Ints]:
        rows: list[tuple[int, ...]] = []
        times: list[int] = []
        n_servers = 0
        for station in self._problem.stations:
            setup, n_families = -1, 0
            if station.setups_us is not None:
                setup, n_families = len(times), len(station.setups_us[0])
                for row in station.setups_us:
                    times += row
            rows.append(
                (
                    station.n_servers, n_servers, station.calendar, setup, n_families,
                    station.setup_ahead,
                )
            )  # fmt: skip
            n_servers += station.n_servers
        return _rows(rows, 6), np.array(times, np.int64)

    def _calendars(self) -> tuple[Ints, Ints]:
        calendars = self._problem.calendars
        if not calendars:
            return np.zeros((0, 2), np.int64), np.zeros((0, 3), np.int64)
        ends = np.cumsum([0, *(len(c.begin_us) for c in calendars)])
        spans = np.concatenate(
            [np.stack((c.begin_us, c.end_us, c.shift_end_us), 1) for c in calendars]
        )
        return np.stack((ends[:-1], ends[1:]), 1), spans

    def _resources(self, operations: Ints) -> Ints:
        """Return the resources, with room for the levels of their profiles.

        Whatever takes of a resource cuts its profile twice.
        """
        resources = self._problem.resources
        takers = np.zeros(len(resources), np.int64)
        starts, counts = np.unique(operations[:, O_MODE], return_counts=True)
        ends = dict(self._mode_rows.values())
        for first, n in zip(starts.tolist(), counts.tolist(), strict=True):
            found: dict[int, int] = defaultdict(int)
            for mode in self._modes[first : ends[first]]:
                of_mode: dict[int, int] = defaultdict(int)
                for need in self._needs[mode[M_NEED] : mode[M_NEED_END]]:
                    for r in set(
                        self._serving[need[N_RESOURCE] : need[N_RESOURCE_END]]
                    ):
                        of_mode[r] += 1
                for r, times in of_mode.items():
                    found[r] = max(found[r], times)
            for r, times in found.items():
                takers[r] += n * times
        for hold in self._problem.holds:
            takers[hold.resource] += 1
        rows, place = [], 0
        for row, resource in enumerate(resources):
            until = place + 2 * int(takers[row]) + 4
            rows.append((resource.capacity, resource.calendar, place, until))
            place = until
        return _rows(rows, 4)

    def _demands(self) -> tuple[Ints, Ints, Ints]:
        rows: list[tuple[int, ...]] = []
        last: list[int] = []
        begun: list[int] = []
        for demand in self._problem.demands:
            one, two = len(last), len(begun)
            last += demand.last
            begun += demand.first
            about = demand.due_us, demand.weight, demand.release_us
            rows.append((one, len(last), *about, two, len(begun)))
        return _rows(rows, 7), np.array(last, np.int64), np.array(begun, np.int64)

    def _former_rows(self) -> Ints:
        if not self._former:
            return np.zeros((0, 4), np.int64)
        operations = self._problem.operations
        rows = np.full((len(operations), 4), -1, np.int64)
        for o, where in self._former.items():
            least = min(mode.work_us for mode in operations[o].modes)
            rows[o] = (*where, least)
        return rows


def _by_row(keys: Sequence[int] | Ints, n: int) -> tuple[Ints, Ints]:
    """Return what belongs to each row, row by row, and where each row ends.

    Returns:
        Numbers of keys in the order of the rows; n + 1 places, of which the one of a
        row and the next are where it begins and ends.
    """
    given = np.asarray(keys, np.int64)
    ends = np.concatenate(([0], np.cumsum(np.bincount(given, minlength=n)[:n])))
    return np.argsort(given, kind="stable"), ends.astype(np.int64)


def _rows(parts: Sequence[Sequence[Any]], width: int) -> Ints:
    """Return rows as an array that has its columns even if there are none."""
    return np.array(parts, np.int64).reshape(len(parts), width)
