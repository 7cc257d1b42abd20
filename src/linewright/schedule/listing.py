"""Schedules by lists: operations put one after the other as early as they fit.

`placed` takes operations in an order, each with its mode and server, and begins each as
early as those before it allow; a schedule that is put in again in the order of its
begins comes out with no idle time that one operation alone could use. `listed` chooses
the order itself, by a priority: of all operations that could begin earliest, the most
urgent. It serves problems without a line; lines have the kernel.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from linewright.schedule.problem import (
    LOAD,
    NEVER,
    PROCESS,
    SETUP,
    UNLOAD,
    Ints,
    Mode,
    Need,
    Problem,
    Solution,
)

__all__ = [
    "PRIORITIES",
    "can_be_placed",
    "in_one_order",
    "in_turn",
    "listed",
    "members_of",
    "one_by_one",
    "placed",
    "replaced",
    "tightened",
]


def can_be_placed(problem: Problem) -> bool:
    """Say whether lists know all the rules of a problem: no places or longest waits."""
    if any(link.storage >= 0 or link.max_us < NEVER for link in problem.links):
        return False
    return not problem.same_order and not problem.same_mode


class _Profile:
    """How much of a resource is taken over time: levels from instant to instant."""

    __slots__ = ("_capacity", "_levels", "_times")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._times: list[int] = [-NEVER]
        self._levels: list[int] = [0]

    def earliest(self, at_us: int, length_us: int, quantity: int) -> int:
        """Return the first instant from which so much is free for so long."""
        most = self._capacity - quantity
        if most < 0:
            return NEVER
        times, levels = self._times, self._levels
        i = bisect_right(times, at_us) - 1
        begin = at_us
        while True:
            while levels[i] > most:
                i += 1
                if i == len(times):
                    return NEVER
                begin = times[i]
            j = i + 1
            while j < len(times) and times[j] < begin + length_us:
                if levels[j] > most:
                    break
                j += 1
            else:
                return begin
            i = j

    def take(self, begin_us: int, end_us: int, quantity: int) -> None:
        """Take so much for a span."""
        if end_us <= begin_us:
            return
        first = self._cut(begin_us)
        last = self._cut(end_us)
        for i in range(first, last):
            self._levels[i] += quantity

    def _cut(self, at_us: int) -> int:
        """Return the place of an instant at which a level begins."""
        i = bisect_left(self._times, at_us)
        if i == len(self._times) or self._times[i] != at_us:
            self._times.insert(i, at_us)
            self._levels.insert(i, self._levels[i - 1])
        return i


class _Builder:
    """A schedule while it grows."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        n = len(problem.operations)
        self.mode = np.zeros(n, np.int64)
        self.server = np.full(n, -1, np.int64)
        self.begin = np.full(n, -1, np.int64)
        self.setup = np.zeros(n, np.int64)
        self.end = np.full(n, -1, np.int64)
        self.batch = np.full(n, -1, np.int64)
        self.free_at = [[0] * station.n_servers for station in problem.stations]
        self.family = [[-1] * station.n_servers for station in problem.stations]
        self.profiles = [_Profile(r.capacity) for r in problem.resources]
        self.before = problem.predecessors()
        self.holds_first: dict[int, list[int]] = {}
        self.holds_last: dict[int, list[int]] = {}
        for row, hold in enumerate(problem.holds):
            self.holds_first.setdefault(hold.first, []).append(row)
            self.holds_last.setdefault(hold.last, []).append(row)
        self.open: list[int] = [0] * len(problem.resources)

    def ready_at(self, o: int, mode: int) -> int:
        """Return when the parts of an operation are there, if it is done in a mode."""
        at = self.problem.operations[o].release_us
        station = self.problem.operations[o].modes[mode].station
        for row in self.before[o]:
            link = self.problem.links[row]
            done = int(self.end[link.before])
            done += self.problem.operations[link.before].rest_us + link.min_us
            if link.ways_us:
                start = self._station(link.before)
                for a, b, way_us in link.ways_us:
                    if (a, b) == (start, station):
                        done += way_us
            at = max(at, done)
        return at

    def _station(self, o: int) -> int:
        return self.problem.operations[o].modes[int(self.mode[o])].station

    def fit(
        self, o: int, m: int, server: int, at_us: int
    ) -> tuple[int, int, int, tuple[int, ...]]:
        """Return begin, setup, end, and the resources chosen, from a time on.

        The begin is `NEVER` where the operation fits nowhere.
        """
        problem = self.problem
        mode = problem.operations[o].modes[m]
        setup = 0
        if mode.station >= 0:
            at_us = max(at_us, self.free_at[mode.station][server])
            family = self.family[mode.station][server]
            setup = problem.setup_us(mode.station, family, mode.family)
            if problem.stations[mode.station].setup_ahead:
                at_us = max(at_us, self.free_at[mode.station][server] + setup)
                setup = 0
        for _ in range(10_000):
            begin = problem.may_begin(mode, at_us)
            if begin >= NEVER:
                break
            end = problem.end_of(mode, begin, setup + mode.work_us)
            later, chosen = self._needs(o, mode, begin, setup, end)
            if later == begin:
                return begin, setup, end, chosen
            at_us = later
            if at_us >= NEVER:
                break
        return NEVER, setup, NEVER, ()

    def _needs(
        self, o: int, mode: Mode, begin: int, setup: int, end: int
    ) -> tuple[int, tuple[int, ...]]:
        """Return `begin` if all that is needed is there, else when to try again."""
        later = begin
        chosen = []
        for need in mode.needs:
            first, last = phase_of(self.problem, mode, need, begin, setup, end)
            used_up = any(self.problem.resources[r].used_up for r in need.resources)
            if last <= first and not used_up:
                chosen.append(-1)
                continue
            best, at = -1, NEVER
            for resource in need.resources:
                length = NEVER if used_up else last - first
                free = self._free(resource, first, length, need.quantity)
                if free < at:
                    best, at = resource, free
            chosen.append(best)
            later = max(later, begin + at - first if at < NEVER else NEVER)
        for row in self.holds_first.get(o, ()):
            hold = self.problem.holds[row]
            profile = self.profiles[hold.resource]
            length = 1
            if hold.last == o and not hold.at_begin:
                length = end - begin + hold.back_us
            taken = hold.quantity + self.open[hold.resource]
            later = max(later, profile.earliest(begin, length, taken))
        return later, tuple(chosen)

    def _free(self, resource: int, at_us: int, length_us: int, quantity: int) -> int:
        """Return from when on a resource is free for so long, and on at the begin."""
        row = self.problem.resources[resource].calendar
        profile = self.profiles[resource]
        for _ in range(10_000):
            if row >= 0:
                at_us = self.problem.calendars[row].next_on(at_us)
                if at_us >= NEVER:
                    return NEVER
            free = profile.earliest(at_us, length_us, quantity)
            if free == at_us:
                return at_us
            at_us = free
            if at_us >= NEVER:
                return NEVER
        return NEVER

    def put(
        self, members: Sequence[int], m: int, server: int,
        found: tuple[int, int, int, tuple[int, ...]],
    ) -> None:  # fmt: skip
        """Put operations that begin together where they were found to fit."""
        begin, setup, end, chosen = found
        problem = self.problem
        mode = problem.operations[members[0]].modes[m]
        for o in members:
            self.mode[o], self.server[o] = m, max(server, 0)
            self.begin[o], self.setup[o], self.end[o] = begin, setup, end
        if mode.station >= 0:
            self.free_at[mode.station][server] = end
            if mode.family >= 0:
                self.family[mode.station][server] = mode.family
            if problem.stations[mode.station].setup_ahead:
                self.setup[members[0]] = 0
        for need, resource in zip(mode.needs, chosen, strict=True):
            if resource >= 0:
                first, last = phase_of(problem, mode, need, begin, setup, end)
                if problem.resources[resource].used_up:
                    last = NEVER
                self.profiles[resource].take(first, last, need.quantity)
        for o in members:
            self._hold(o, begin, end)

    def _hold(self, o: int, begin: int, end: int) -> None:
        for row in self.holds_first.get(o, ()):
            hold = self.problem.holds[row]
            if hold.last != o:
                self.open[hold.resource] += hold.quantity
        for row in self.holds_last.get(o, ()):
            hold = self.problem.holds[row]
            until = begin if hold.at_begin else end
            if hold.first != o:
                self.open[hold.resource] -= hold.quantity
            start = int(self.begin[hold.first])
            self.profiles[hold.resource].take(
                start, until + hold.back_us, hold.quantity
            )

    def solution(self) -> Solution:
        """Return what has been put together."""
        return Solution(
            self.mode, self.server, self.begin, self.setup, self.end,
            self.end.copy(), self.batch,
        )  # fmt: skip


def phase_of(
    problem: Problem, mode: Mode, need: Need, begin: int, setup: int, end: int
) -> tuple[int, int]:
    """Return when the phases begin and end in which an operation needs something."""
    lengths = (
        (SETUP, setup), (LOAD, mode.load_us), (PROCESS, mode.process_us),
        (UNLOAD, mode.unload_us),
    )  # fmt: skip
    before = inside = behind = 0
    before_phase = last_phase = SETUP
    for bit, length in lengths:
        if need.phases & bit:
            inside += length
            last_phase = bit if length else last_phase
        elif bit < (need.phases & -need.phases):
            before += length
            before_phase = bit if length else before_phase
        else:
            behind += length
    first = begin
    if before:
        first = problem.end_of(mode, begin, before, before_phase)
    last = end
    if behind:
        last = problem.end_of(mode, begin, before + inside, last_phase)
    return first, last


def placed(
    problem: Problem, order: Iterable[Sequence[int]], like: Solution
) -> Solution | None:
    """Return the schedule in which operations begin as early as an order allows.

    Args:
        problem: A problem that `can_be_placed`.
        order: The operations, those of a batch together, each behind those that it
            comes after.
        like: Modes, servers and batches.

    Returns:
        The schedule; none, if an operation fits nowhere within the calendars.
    """
    builder = _Builder(problem)
    builder.batch = like.batch.copy()
    n_placed = 0
    for members in order:
        o = members[0]
        n_placed += len(members)
        m, server = int(like.mode[o]), int(like.server[o])
        at = max(builder.ready_at(i, m) for i in members)
        fixed = problem.operations[o].fixed
        if fixed is not None:
            at = max(at, fixed.begin_us)
        found = builder.fit(o, m, server, at)
        if found[0] >= NEVER or (fixed is not None and found[0] != fixed.begin_us):
            return None
        builder.put(members, m, server, found)
    if n_placed < len(problem.operations):
        return None  # batches that wait for each other
    return builder.solution()


def replaced(problem: Problem, solution: Solution) -> Solution | None:
    """Return a schedule with the same servers, in the order of the same begins.

    What is given may break rules of the problem; what comes out does not.

    Returns:
        The schedule; none, if the rules of the problem are not all known here.
    """
    if not can_be_placed(problem) or (solution.begin_us < 0).any():
        return None
    # the kernel may put into one batch what takes different times; here it does not
    batches: dict[tuple[int, int], list[int]] = {}
    for o, number in enumerate(solution.batch.tolist()):
        batching = problem.operations[o].batching
        if number >= 0 and batching is not None:
            batches.setdefault((number, batching.group), []).append(o)
    batch = np.full(len(problem.operations), -1, np.int64)
    for number, rows in enumerate(batches.values()):
        batch[rows] = number
    like = replace(solution, batch=batch)
    return placed(problem, in_turn(problem, like, members_of(like)), like)


def one_by_one(  # noqa: C901
    problem: Problem,
) -> Solution | None:
    """Return a schedule in which no operation begins before the one before has ended.

    It is a bad one, but keeps rules that lists do not know: there is always room, and
    nothing is waited for but a shift. Orders come by their due dates.

    Returns:
        The schedule; none, if an operation fits nowhere within the calendars.
    """
    due = _earliest_due(problem)
    rank = {o: i for i, o in enumerate(problem.in_order())}
    waits = [0] * len(rank)
    for link in problem.links:
        waits[link.after] += 1
    after, before = problem.successors(), problem.predecessors()
    builder = _Builder(problem)
    if any(operation.fixed is not None for operation in problem.operations):
        return None
    at = 0

    def key(o: int, *, follows: bool) -> tuple[bool, int, int, int]:
        # go on with the part at hand, else with the order that is due first
        return not follows, int(due[o]), -len(before[o]), rank[o]

    ready = [(*key(o, follows=False), o) for o, n in enumerate(waits) if n == 0]
    heapq.heapify(ready)
    while ready:
        o = heapq.heappop(ready)[-1]
        best = _best(builder, o, at)
        if best is None:
            return None
        _, _, m, server, found = best
        builder.put([o], m, server, found)
        at = found[2]
        for row in after[o]:
            following = problem.links[row].after
            waits[following] -= 1
            if waits[following] == 0:
                moves = problem.links[row].moves
                heapq.heappush(ready, (*key(following, follows=moves), following))
    solution = builder.solution()
    for number, o in enumerate(
        o for o, operation in enumerate(problem.operations) if operation.batching
    ):
        solution.batch[o] = number
    for link in problem.links:
        blocks = problem.operations[link.before].output < 0 and link.storage >= 0
        if blocks and problem.storages[link.storage].places == 0:
            solution.leave_us[link.before] = solution.begin_us[link.after]
    return solution


def in_one_order(problem: Problem, jobs: Sequence[int]) -> Solution | None:
    """Return the schedule of a flow shop whose jobs keep one order.

    Args:
        problem: A problem whose one group of `same_order` has all operations.
        jobs: The order, rows of the group.
    """
    (group,) = problem.same_order
    n = len(problem.operations)
    zeros = np.zeros(n, np.int64)
    like = Solution(zeros, zeros, zeros, zeros, zeros, zeros, np.full(n, -1, np.int64))
    return placed(problem, ([o] for j in jobs for o in group[j]), like)


def members_of(solution: Solution) -> dict[int, list[int]]:
    """Return the operations of each batch of a schedule."""
    members: dict[int, list[int]] = {}
    for o in np.flatnonzero(solution.batch >= 0).tolist():
        members.setdefault(int(solution.batch[o]), []).append(o)
    return members


def in_turn(
    problem: Problem, solution: Solution, members: dict[int, list[int]]
) -> list[list[int]]:
    """Return the operations by their begins, batches whole, none before its components.

    An operation whose predecessors come later waits for them.
    """
    rank = {o: i for i, o in enumerate(problem.in_order())}
    waits = [0] * len(rank)
    for link in problem.links:
        waits[link.after] += 1
    after = problem.successors()

    def group(o: int) -> list[int]:
        return members.get(int(solution.batch[o]), [o])

    def key(o: int) -> tuple[int, int, int]:
        return int(solution.begin_us[o]), int(solution.end_us[o]), rank[o]

    ready = {o for o, n in enumerate(waits) if n == 0}
    heap = [(*key(o), o) for o in ready]
    heapq.heapify(heap)
    out = []
    done: set[int] = set()
    while heap:
        *_, o = heapq.heappop(heap)
        mates = group(o)
        if o in done or not all(i in ready for i in mates):
            continue  # the last of its batch to get ready brings them all
        out.append(mates)
        done.update(mates)
        for i in mates:
            for row in after[i]:
                following = problem.links[row].after
                waits[following] -= 1
                if waits[following] == 0:
                    ready.add(following)
                    heapq.heappush(heap, (*key(following), following))
    return out


def tightened(problem: Problem, solution: Solution) -> Solution | None:
    """Return a schedule again, each operation as early as the order of begins allows.

    Returns:
        The schedule; none, if the rules of the problem are not all known here, or an
        operation would end later.
    """
    found = replaced(problem, solution)
    if found is None or (found.end_us > solution.end_us).any():
        return None
    return found


# ---------------------------------------------------------------- by priority


def _due_of(problem: Problem) -> Ints:
    """Return for each operation when the first demand that needs it is due."""
    due = np.full(len(problem.operations), NEVER, np.int64)
    for demand in problem.demands:
        for o in demand.last:
            due[o] = min(due[o], demand.due_us)
    return due


def _shortest(problem: Problem) -> Ints:
    return np.array(
        [min(m.work_us for m in o.modes) for o in problem.operations], np.int64
    )


def tails_of(problem: Problem) -> Ints:
    """Return the least time from the end of each operation to that of all behind it."""
    least = _shortest(problem)
    tail = np.zeros(len(problem.operations), np.int64)
    after = problem.successors()
    for o in reversed(problem.in_order()):
        tail[o] = problem.operations[o].rest_us
        for row in after[o]:
            link = problem.links[row]
            if link.moves or link.min_us >= 0:
                ahead = least[link.after] + tail[link.after] + link.min_us
                tail[o] = max(tail[o], ahead + problem.operations[o].rest_us)
    return tail


def _most_left(problem: Problem) -> Ints:
    return -(tails_of(problem) + _shortest(problem))


def _earliest_due(problem: Problem) -> Ints:
    due = _due_of(problem)
    after = problem.successors()
    for o in reversed(problem.in_order()):
        for row in after[o]:
            due[o] = min(due[o], due[problem.links[row].after])
    return due


def _slack(problem: Problem) -> Ints:
    return _earliest_due(problem) - tails_of(problem) - _shortest(problem)


PRIORITIES: dict[str, Callable[[Problem], Ints]] = {
    "most_work_left": _most_left,
    "least_slack": _slack,
    "earliest_due_date": _earliest_due,
    "shortest_processing_time": _shortest,
    "fifo": lambda problem: np.zeros(len(problem.operations), np.int64),
}
"""Priorities of operations for `listed`; the least goes first."""


def listed(  # noqa: C901
    problem: Problem, priority: Sequence[int] | Ints
) -> Solution | None:
    """Return a schedule by a list of priorities.

    The operation that could begin first is begun, of several the one with the least
    priority, in the mode in which it ends first.

    Args:
        problem: A problem that `can_be_placed`; operations in batches get one each.
        priority: For each operation, the least first.

    Returns:
        The schedule; none, if an operation fits nowhere within the calendars.
    """
    builder = _Builder(problem)
    waits = [0] * len(problem.operations)
    for link in problem.links:
        waits[link.after] += 1
    after = problem.successors()
    heap: list[tuple[int, int, int]] = []
    for o, operation in enumerate(problem.operations):
        if operation.fixed is not None and waits[o] == 0:
            heap.append((-1, 0, o))
        elif waits[o] == 0:
            heap.append((operation.release_us, int(priority[o]), o))
    heapq.heapify(heap)
    n_done = 0
    while heap:
        at, urgency, o = heapq.heappop(heap)
        best = _best(builder, o)
        if best is None:
            return None
        begin, _, m, server, found = best
        if begin > at and problem.operations[o].fixed is None:
            heapq.heappush(heap, (begin, int(priority[o]), o))
            continue
        builder.put([o], m, server, found)
        n_done += 1
        for row in after[o]:
            following = problem.links[row].after
            waits[following] -= 1
            if waits[following] == 0:
                key = int(priority[following])
                heapq.heappush(heap, (int(found[0]), key, following))
        del urgency
    if n_done < len(waits):
        return None
    number = 0
    for o, operation in enumerate(problem.operations):
        if operation.batching is not None:
            builder.batch[o] = number
            number += 1
    return builder.solution()


def _best(  # noqa: C901
    builder: _Builder, o: int, not_before_us: int = 0
) -> tuple[int, int, int, int, tuple[int, int, int, tuple[int, ...]]] | None:
    """Return where an operation begins first, of these where it ends first."""
    best = None
    problem = builder.problem
    operation = problem.operations[o]
    for m, mode in enumerate(operation.modes):
        servers: Iterable[int] = (-1,)
        if mode.station >= 0:
            n = problem.stations[mode.station].n_servers
            servers = range(n)
            if problem.stations[mode.station].setups_us is None and n > 1:
                free = builder.free_at[mode.station]
                servers = (free.index(min(free)),)
            if operation.same_server_as >= 0:
                servers = (int(builder.server[operation.same_server_as]),)
        if operation.fixed is not None:
            if m != operation.fixed.mode:
                continue
            servers = (operation.fixed.server,)
        ready = max(builder.ready_at(o, m), not_before_us)
        if operation.fixed is not None:
            ready = max(ready, operation.fixed.begin_us)
        for server in servers:
            found = builder.fit(o, m, server, ready)
            if found[0] >= NEVER:
                continue
            key = (found[0], found[2], m, server)
            if operation.fixed is None and len(operation.modes) > 1:
                key = (found[2], found[0], m, server)
            if best is None or key < best[0]:
                best = key, found
    if best is None:
        return None
    _, found = best
    _, _, m, server = best[0]
    return found[0], found[2], m, server, found
