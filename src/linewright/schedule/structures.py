"""What kind of shop a problem is, as arrays for the searches that know such shops.

A search that knows less than all rules may only have what it knows. `shop_of` takes
problems of operations, servers and what comes after what: job shops, stages of equal
servers, assembly. `flow_of` takes those in which all parts go through the same
stations in one and the same order, on one line or on one of several equal ones.
`stages_of` takes those in which all parts go the same way past stages of equal servers.
`project_of` takes those of operations with one mode that need people or tools besides.
Lines of a model file are such problems as well as published instances; times are
microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from linewright.schedule._breeding import Project
from linewright.schedule._permuting import Flow
from linewright.schedule._queueing import Stages
from linewright.schedule._rerouting import Shop
from linewright.schedule.listing import tails_of
from linewright.schedule.problem import (
    LOAD,
    NEVER,
    PROCESS,
    UNLOAD,
    Demand,
    Ints,
    Mode,
    Operation,
    Problem,
    Solution,
)

__all__ = [
    "Activities", "FlowShop", "Sequencing", "StageLine", "flow_of", "project_of",
    "shop_of", "stages_of",
]  # fmt: skip

_MOST_TICKS = 20_000
"""Ticks of all work in a row up to which resources are counted tick by tick."""


@dataclass(frozen=True, eq=False, slots=True)
class Sequencing:
    """A problem that is only about sequences of servers.

    Attributes:
        problem: The problem.
        shop: Its arrays; a way is a mode at one server of its station.
        mode_of: Mode of each way.
        server_of: Server of each way, in its station.
        n_servers: How many servers there are in all.
    """

    problem: Problem
    shop: Shop
    mode_of: Ints
    server_of: Ints
    n_servers: int

    def ways_of(self, solution: Solution) -> Ints:
        """Return the way of each operation in a schedule."""
        starts = self.shop.ways_at
        out = np.empty(len(solution.mode), np.int64)
        for o in range(len(out)):
            for way in range(starts[o], starts[o + 1]):
                if (self.mode_of[way], self.server_of[way]) == (
                    solution.mode[o], solution.server[o],
                ):  # fmt: skip
                    out[o] = way
        return out

    def solution(self, ways: Ints, begins: Ints) -> Solution:
        """Return the schedule of ways and begins."""
        ends = begins + self.shop.time[ways]
        return Solution(
            self.mode_of[ways].copy(), self.server_of[ways].copy(), begins.copy(),
            np.zeros_like(begins), ends, ends.copy(), np.full_like(begins, -1),
        )  # fmt: skip


def shop_of(problem: Problem) -> Sequencing | None:
    """Return a problem as sequences of servers; none if there is more to it."""
    if problem.resources or problem.holds or problem.same_order or problem.same_mode:
        return None
    if any(
        link.storage >= 0 or link.max_us < NEVER or link.ways_us or link.min_us < 0
        for link in problem.links
    ):
        return None
    for operation in problem.operations:
        if operation.batching or operation.fixed or operation.same_server_as >= 0:
            return None
        for mode in operation.modes:
            if mode.station < 0:
                return None
            station = problem.stations[mode.station]
            if station.calendar >= 0 or station.setups_us is not None:
                return None
    return _sequencing(problem)


def _sequencing(problem: Problem) -> Sequencing:
    n = len(problem.operations)
    servers = [station.n_servers for station in problem.stations]
    first_server = np.concatenate([[0], np.cumsum(servers)]).astype(np.int64)
    ways_at, server, time, mode_of, server_of = [0], [], [], [], []
    for operation in problem.operations:
        for m, mode in enumerate(operation.modes):
            for s in range(servers[mode.station]):
                server.append(int(first_server[mode.station]) + s)
                time.append(mode.work_us)
                mode_of.append(m)
                server_of.append(s)
        ways_at.append(len(server))
    befores: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    afters: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for link in problem.links:
        rest = problem.operations[link.before].rest_us if link.moves else 0
        befores[link.after].append((link.before, rest + link.min_us))
        afters[link.before].append((link.after, rest + link.min_us))
    last = {o for demand in problem.demands for o in demand.last}
    tail = [
        operation.rest_us if o in last else 0
        for o, operation in enumerate(problem.operations)
    ]
    shop = Shop(
        _ints([operation.release_us for operation in problem.operations]),
        _ints(tail),
        *_rows(befores),
        *_rows(afters),
        _ints(ways_at),
        _ints(server),
        _ints(time),
    )
    return Sequencing(
        problem, shop, _ints(mode_of), _ints(server_of), int(first_server[-1])
    )


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, np.int64)


def _rows(lists: Sequence[Sequence[tuple[int, int]]]) -> tuple[Ints, Ints, Ints]:
    """Return lists of pairs as one, with where each begins."""
    starts = np.concatenate([[0], np.cumsum([len(row) for row in lists])])
    every = [pair for row in lists for pair in row]
    return (
        starts.astype(np.int64),
        _ints([o for o, _ in every]),
        _ints([us for _, us in every]),
    )


@dataclass(frozen=True, eq=False, slots=True)
class FlowShop:
    """A problem in which all jobs go through the same stations in one order.

    Attributes:
        problem: The problem.
        flow: Its arrays.
        rows: Operations of each job, (job, station).
        n_lines: How many equal lines there are; the mode of a job is its line.
    """

    problem: Problem
    flow: Flow
    rows: Ints
    n_lines: int

    def solution(self, orders: Sequence[Ints]) -> Solution:
        """Return the schedule in which each line does its jobs in an order."""
        n = len(self.problem.operations)
        mode, begin = np.zeros(n, np.int64), np.zeros(n, np.int64)
        end = np.zeros(n, np.int64)
        n_stations = self.rows.shape[1]
        for line, jobs in enumerate(orders):
            free = [0] * n_stations
            before = -1
            for job in jobs.tolist():
                at = int(self.flow.release[job])
                for k in range(n_stations):
                    setup = 0
                    if len(self.flow.setup):
                        setup = int(self.flow.setup[k, before, job])
                    o = int(self.rows[job, k])
                    begin[o] = max(at, free[k] + setup)
                    at = int(begin[o] + self.flow.time[job, k])
                    free[k] = end[o] = at
                    mode[o] = line
                before = job
        zeros = np.zeros(n, np.int64)
        return Solution(
            mode, zeros, begin, zeros.copy(), end, end.copy(), np.full(n, -1, np.int64)
        )

    def as_stages(self) -> StageLine:
        """Return it as stages of one server each: there, too, all keep one order.

        It has one line and no setups.
        """
        flow = self.flow
        assert self.n_lines == 1
        assert not len(flow.setup)
        n_jobs, n_stations = flow.time.shape
        lag = np.zeros_like(flow.time)
        stages = Stages(
            flow.time, lag, _tails(flow.time, lag), np.ones(n_stations, np.int64),
            flow.release, np.arange(n_jobs), flow.due, flow.weight,
        )  # fmt: skip
        return StageLine(self.problem, stages, self.rows)


def flow_of(problem: Problem, objective: str) -> FlowShop | None:
    """Return a problem as a flow shop in one order; none if there is more to it.

    Args:
        problem: The problem.
        objective: ``makespan``, ``tardiness`` or ``flow_time``; for others there is
            none.
    """
    if len(problem.same_order) != 1 or not _is_plain_flow(problem):
        return None
    (group,) = problem.same_order
    rows = np.array(group, np.int64)
    if not np.array_equal(np.sort(rows, axis=None), np.arange(len(problem.operations))):
        return None
    n_lines = len(problem.operations[int(rows[0, 0])].modes)
    if not _is_one_way(problem, rows, n_lines):
        return None
    setups = _setups(problem, rows, n_lines)
    dates = _dates(problem, rows, objective)
    if setups is None or dates is None:
        return None
    times = [[problem.operations[o].modes[0].work_us for o in row] for row in rows]
    release = [problem.operations[row[0]].release_us for row in rows]
    flow = Flow(np.array(times, np.int64), setups, _ints(release), *dates)
    return FlowShop(problem, flow, rows, n_lines)


def _is_plain_flow(problem: Problem) -> bool:
    if problem.resources or problem.holds:
        return False
    if any(
        link.storage >= 0 or link.max_us < NEVER or link.ways_us or link.min_us
        for link in problem.links
    ):
        return False
    if any(s.calendar >= 0 or s.n_servers != 1 for s in problem.stations):
        return False
    return not any(
        operation.batching
        or operation.fixed
        or operation.same_server_as >= 0
        or operation.rest_us
        or any(mode.station < 0 or mode.work_us <= 0 for mode in operation.modes)
        for operation in problem.operations
    )


def _is_one_way(problem: Problem, rows: Ints, n_lines: int) -> bool:
    """Say whether each job goes through all stations of one of the lines in a chain."""
    stations = [
        [mode.station for mode in problem.operations[o].modes] for o in rows[0].tolist()
    ]
    if len({k for place in stations for k in place}) != n_lines * len(stations):
        return False
    if not all(_is_alike(problem, row, stations) for row in rows.tolist()):
        return False
    chains = {pair for row in rows.tolist() for pair in pairwise(row)}
    if {(link.before, link.after) for link in problem.links} != chains:
        return False
    if n_lines == 1:
        return True
    return {tuple(row) for row in problem.same_mode} == {
        tuple(row) for row in rows.tolist()
    }


def _is_alike(problem: Problem, row: list[int], stations: list[list[int]]) -> bool:
    """Say whether a job goes through these stations, as fast on each of the lines."""
    for place, o in zip(stations, row, strict=True):
        modes = problem.operations[o].modes
        if [mode.station for mode in modes] != place:
            return False
        if len({mode.work_us for mode in modes}) > 1:
            return False
    return not any(problem.operations[o].release_us for o in row[1:])


def _setups(problem: Problem, rows: Ints, n_lines: int) -> Ints | None:
    """Return setups by station, job before (the last row: none) and job."""
    n_jobs, n_stations = rows.shape
    if all(station.setups_us is None for station in problem.stations):
        return np.zeros((0, n_jobs + 1, n_jobs), np.int64)
    if n_lines > 1:
        return None
    out = np.zeros((n_stations, n_jobs + 1, n_jobs), np.int64)
    for k in range(n_stations):
        modes = [problem.operations[o].modes[0] for o in rows[:, k].tolist()]
        station = problem.stations[modes[0].station]
        if station.setups_us is None:
            continue
        families = [mode.family for mode in modes]
        if not station.setup_ahead or min(families) < 0:
            return None
        table = np.array(station.setups_us, np.int64)
        out[k] = table[np.ix_([*families, -1], families)]
    return out


def _dates(problem: Problem, rows: Ints, objective: str) -> tuple[Ints, Ints] | None:
    """Return due dates and weights of the jobs; weights of zero for the makespan."""
    n_jobs = len(rows)
    due, weight = np.zeros(n_jobs, np.int64), np.zeros(n_jobs, np.int64)
    job_of = {int(row[-1]): j for j, row in enumerate(rows)}
    covered = {o for demand in problem.demands for o in demand.last}
    if objective == "makespan":
        return (due, weight) if covered >= set(job_of) else None
    if objective not in {"tardiness", "flow_time"}:
        return None
    for demand in problem.demands:
        if len(demand.last) != 1 or demand.last[0] not in job_of:
            return None
        j = job_of.pop(demand.last[0])
        due[j], weight[j] = _date(demand, objective)
    return (due, weight) if weight.any() else None


def _date(demand: Demand, objective: str) -> tuple[int, int]:
    """Return from when on a delay counts, and how much."""
    if objective == "flow_time":
        return demand.release_us, 1
    return (0, 0) if demand.due_us >= NEVER else (demand.due_us, demand.weight)


@dataclass(frozen=True, eq=False, slots=True)
class Activities:
    """A problem of operations with one mode each that share what they need.

    Attributes:
        problem: The problem.
        project: Its arrays; activities in an order in which all links point forward.
        order: Operation of each activity.
        tick_us: Microseconds of a tick.
    """

    problem: Problem
    project: Project
    order: Ints
    tick_us: int

    def solution(self, begins: Ints) -> Solution:
        """Return the schedule of begins, in ticks; servers are shared out in turn."""
        problem, n = self.problem, len(self.order)
        begin, end = np.zeros(n, np.int64), np.zeros(n, np.int64)
        begin[self.order] = begins * self.tick_us
        end[self.order] = (begins + self.project.time) * self.tick_us
        server = np.zeros(n, np.int64)
        free = [[0] * station.n_servers for station in problem.stations]
        for o in np.lexsort((end, begin)).tolist():
            k = problem.operations[o].modes[0].station
            if k >= 0:
                server[o] = int(np.argmin(free[k]))
                free[k][server[o]] = int(end[o])
        zeros = np.zeros(n, np.int64)
        return Solution(
            zeros, server, begin, zeros.copy(), end, end.copy(), np.full_like(begin, -1)
        )


def project_of(problem: Problem) -> Activities | None:
    """Return a problem as activities that share resources; none if there is more."""
    if not problem.resources or problem.holds or problem.same_order:
        return None
    if any(
        (
            *(s.calendar >= 0 or s.setups_us for s in problem.stations),
            *(r.calendar >= 0 or r.used_up for r in problem.resources),
            *(
                link.storage >= 0 or link.max_us < NEVER or link.ways_us or link.min_us
                for link in problem.links
            ),
            *(not _is_activity(operation) for operation in problem.operations),
        )
    ):
        return None
    last = {o for demand in problem.demands for o in demand.last}
    if {o for o, after in enumerate(problem.successors()) if not after} - last:
        return None
    works = [operation.modes[0].work_us for operation in problem.operations]
    tick = math.gcd(*works) or 1
    if sum(works) // tick > _MOST_TICKS:
        return None
    found = _activities(problem, tick)
    if (found.project.need > found.project.capacity).any():
        return None  # it can never begin, and CP-SAT says so
    return found


def _is_activity(operation: Operation) -> bool:
    return not (
        len(operation.modes) > 1
        or operation.release_us
        or operation.rest_us
        or operation.batching
        or operation.fixed
        or operation.same_server_as >= 0
        or any(len(need.resources) != 1 for need in operation.modes[0].needs)
        or not all(
            _lasts(operation.modes[0], n.phases) for n in operation.modes[0].needs
        )
    )


def _lasts(mode: Mode, phases: int) -> bool:
    """Say whether phases are all the work of a mode."""
    parts = ((LOAD, mode.load_us), (PROCESS, mode.process_us), (UNLOAD, mode.unload_us))
    return all(phases & bit or not us for bit, us in parts)


def _activities(problem: Problem, tick_us: int) -> Activities:
    order = problem.in_order()
    place = {o: i for i, o in enumerate(order)}
    n, n_resources = len(order), len(problem.resources)
    need = np.zeros((n, n_resources + len(problem.stations)), np.int64)
    befores: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    afters: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for link in problem.links:
        befores[place[link.after]].append((place[link.before], 0))
        afters[place[link.before]].append((place[link.after], 0))
    modes = [problem.operations[o].modes[0] for o in order]
    for i, mode in enumerate(modes):
        for each in mode.needs:
            need[i, each.resources[0]] += each.quantity
        if mode.station >= 0:
            need[i, n_resources + mode.station] = 1
    capacity = [r.capacity for r in problem.resources]
    capacity += [station.n_servers for station in problem.stations]
    time = _ints([mode.work_us // tick_us for mode in modes])
    project = Project(
        time,
        need,
        _ints(capacity),
        *_rows(befores)[:2],
        *_rows(afters)[:2],
        tails_of(problem)[order] // tick_us + time,
    )
    return Activities(problem, project, _ints(order), tick_us)


@dataclass(frozen=True, eq=False, slots=True)
class StageLine:
    """A problem in which all jobs go the same way past stages of equal servers.

    Attributes:
        problem: The problem.
        stages: Its arrays.
        rows: Operation of each job at each stage, -1 where it does not go there.
    """

    problem: Problem
    stages: Stages
    rows: Ints

    @property
    def can_be_turned(self) -> bool:
        """Say whether jobs could as well go through it backwards."""
        return not (self.stages.release.any() or self.stages.lag.any())

    def turned(self) -> StageLine:
        """Return the same line gone through backwards, if it `can_be_turned`."""
        time = np.ascontiguousarray(self.stages.time[:, ::-1])
        stages = self.stages._replace(
            time=time,
            tail=_tails(time, self.stages.lag),
            servers=self.stages.servers[::-1].copy(),
        )
        return StageLine(self.problem, stages, self.rows[:, ::-1])

    def solution(self, begins: Ints, *, is_turned: bool = False) -> Solution:
        """Return the schedule of begins; of the turned line it is turned back."""
        n = len(self.problem.operations)
        there = self.rows >= 0
        ops, times = self.rows[there], self.stages.time[there]
        begin, end = np.zeros(n, np.int64), np.zeros(n, np.int64)
        begin[ops], end[ops] = begins[there], begins[there] + times
        if is_turned:
            last = int(end.max())
            begin, end = last - end, last - begin
        server = np.zeros(n, np.int64)
        free = [[0] * station.n_servers for station in self.problem.stations]
        for o in np.lexsort((end, begin)).tolist():
            k = self.problem.operations[o].modes[0].station
            server[o] = int(np.argmin(free[k]))
            free[k][server[o]] = int(end[o])
        zeros = np.zeros(n, np.int64)
        return Solution(
            zeros, server, begin, zeros.copy(), end, end.copy(), np.full_like(begin, -1)
        )


def stages_of(problem: Problem, objective: str) -> StageLine | None:
    """Return a problem as a line of stages; none if there is more to it.

    Args:
        problem: The problem.
        objective: ``makespan``, ``tardiness`` or ``flow_time``; for others there is
            none.
    """
    if any(len(operation.modes) > 1 for operation in problem.operations):
        return None
    sequencing = shop_of(problem)
    if sequencing is None or objective not in {"makespan", "tardiness", "flow_time"}:
        return None
    chains = _chains_of(problem)
    order = None if chains is None else _common_order(problem, chains)
    if chains is None or order is None:
        return None
    place = {k: i for i, k in enumerate(order)}
    shape = len(chains), len(order)
    rows, time = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
    lag = np.zeros(shape, np.int64)
    gap = {link.before: link.min_us for link in problem.links}
    for j, chain in enumerate(chains):
        for o in chain:
            operation = problem.operations[o]
            k = place[operation.modes[0].station]
            rows[j, k], time[j, k] = o, operation.modes[0].work_us
            lag[j, k] = operation.rest_us + gap.get(o, 0)
        if any(problem.operations[o].release_us for o in chain[1:]):
            return None
    dates = _demands_of(problem, chains, objective)
    if dates is None:
        return None
    servers = _ints([problem.stations[k].n_servers for k in order])
    release = _ints([problem.operations[chain[0]].release_us for chain in chains])
    stages = Stages(time, lag, _tails(time, lag), servers, release, *dates)
    return StageLine(problem, stages, rows)


def _tails(time: Ints, lag: Ints) -> Ints:
    """Return the least time from the end of each job at each stage to its own end."""
    both = np.maximum(time, 0) + lag
    behind = np.cumsum(both[:, ::-1], axis=1)[:, ::-1]
    return np.ascontiguousarray(behind - both + lag)


def _chains_of(problem: Problem) -> list[list[int]] | None:
    """Return the operations of each job in turn; none if jobs are more than chains."""
    after, before = problem.successors(), problem.predecessors()
    if any(len(rows) > 1 for rows in (*after, *before)):
        return None
    if not all(link.moves for link in problem.links):
        return None
    chains = []
    for o, rows in enumerate(before):
        if not rows:
            chain = [o]
            while after[chain[-1]]:
                chain.append(problem.links[after[chain[-1]][0]].after)
            chains.append(chain)
    return chains


def _common_order(problem: Problem, chains: list[list[int]]) -> list[int] | None:
    """Return an order of the stations that each job keeps; none: there is none."""
    ways = [[problem.operations[o].modes[0].station for o in chain] for chain in chains]
    behind: dict[int, set[int]] = {k: set() for way in ways for k in way}
    for way in ways:
        if len(set(way)) < len(way):
            return None
        for one, two in pairwise(way):
            behind[two].add(one)
    order: list[int] = []
    while len(order) < len(behind):
        ready = [k for k in behind if k not in order and behind[k] <= set(order)]
        if not ready:
            return None
        order.append(min(ready))
    return order


def _demands_of(
    problem: Problem, chains: list[list[int]], objective: str
) -> tuple[Ints, Ints, Ints] | None:
    """Return the demand of each job, and due dates and weights of the demands."""
    of = {o: d for d, demand in enumerate(problem.demands) for o in demand.last}
    ends = [chain[-1] for chain in chains]
    if set(of) != set(ends) or len(of) != sum(len(d.last) for d in problem.demands):
        return None
    demand = _ints([of[o] for o in ends])
    n = len(problem.demands)
    if objective == "makespan":
        return demand, np.zeros(n, np.int64), np.zeros(n, np.int64)
    dates = [_date(each, objective) for each in problem.demands]
    weight = _ints([w for _, w in dates])
    return (demand, _ints([d for d, _ in dates]), weight) if weight.any() else None
