"""Published scheduling instances, read into problems; times are their own units.

The formats are those in which the families are passed on: numbers between blanks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from linewright.schedule.problem import (
    Demand,
    Hold,
    Link,
    Mode,
    Need,
    Operation,
    Problem,
    Resource,
    Station,
)

__all__ = ["READERS"]


class _Numbers:
    """The numbers of a text, one after the other."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        self._numbers = [int(word) for line in lines for word in line.split()]
        self._at = 0

    def next(self) -> int:
        """Return the next number."""
        if self._at >= len(self._numbers):
            msg = f"the instance ends after {self._at} numbers; more were expected"
            raise ValueError(msg)
        self._at += 1
        return self._numbers[self._at - 1]

    def take(self, n: int) -> list[int]:
        """Return the next n numbers."""
        return [self.next() for _ in range(n)]

    def rows(self, n: int, width: int) -> list[list[int]]:
        """Return the next rows."""
        return [self.take(width) for _ in range(n)]


def _stations(n: int, servers: Sequence[int] | None = None) -> tuple[Station, ...]:
    return tuple(
        Station(f"M{k}", 1 if servers is None else servers[k]) for k in range(n)
    )


def _chains(
    jobs: Sequence[Sequence[tuple[Mode, ...]]],
    stations: tuple[Station, ...],
    due: Sequence[int] | None = None,
) -> Problem:
    """Return a problem of jobs that are chains of operations."""
    operations: list[Operation] = []
    links: list[Link] = []
    demands = []
    for j, job in enumerate(jobs):
        first = len(operations)
        for i, modes in enumerate(job):
            if i:
                links.append(Link(len(operations) - 1, len(operations)))
            operations.append(Operation(f"{i}", f"J{j}", modes))
        last = (len(operations) - 1,)
        more = {} if due is None else {"due_us": due[j]}
        demands.append(Demand(f"J{j}", last, (first,), **more))
    return Problem(
        tuple(operations), stations, links=tuple(links), demands=tuple(demands)
    )


def _job_shop(text: str) -> Problem:
    """Read ``n m``, then for each job a line of pairs ``machine duration``."""
    lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
    rows = [[int(word) for word in line] for line in lines if line]
    n_jobs, n_machines = rows[0][:2]
    jobs = [
        [(Mode(k, time),) for k, time in zip(row[::2], row[1::2], strict=True)]
        for row in rows[1 : n_jobs + 1]
    ]
    return _chains(jobs, _stations(n_machines))


def _flexible_job_shop(text: str) -> Problem:
    """Read ``n m flexibility``, then for each job its operations with machines."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    n_jobs, n_machines = int(lines[0][0]), int(lines[0][1])
    numbers = _Numbers("\n".join(" ".join(line) for line in lines[1:]))
    jobs = []
    for _ in range(n_jobs):
        n = numbers.next()
        jobs.append([tuple(_modes(numbers, 1)) for _ in range(n)])
    return _chains(jobs, _stations(n_machines))


def _modes(numbers: _Numbers, first: int) -> Iterator[Mode]:
    for _ in range(numbers.next()):
        machine, time = numbers.take(2)
        yield Mode(machine - first, time)


def _assembly_job_shop(text: str) -> Problem:
    """Read operations with any precedences, and their machines from 0."""
    numbers = _Numbers(text)
    n, n_links, n_machines = numbers.take(3)
    pairs = numbers.rows(n_links, 2)
    operations = tuple(
        Operation(f"{i}", f"O{i}", tuple(_modes(numbers, 0))) for i in range(n)
    )
    links = tuple(Link(before, after) for before, after in pairs)
    demand = Demand("all", tuple(range(n)))
    return Problem(operations, _stations(n_machines), links=links, demands=(demand,))


def _flow_shop(text: str) -> Problem:
    """Read ``n m`` and the times; jobs keep one order on all machines."""
    numbers = _Numbers(text)
    n_jobs, n_machines = numbers.take(2)
    return _in_one_order(numbers.rows(n_jobs, n_machines), _stations(n_machines))


def _in_one_order(
    times: Sequence[Sequence[int]],
    stations: tuple[Station, ...],
    due: Sequence[int] | None = None,
    *,
    families: bool = False,
) -> Problem:
    jobs = [
        [(Mode(k, time, family=j if families else -1),) for k, time in enumerate(row)]
        for j, row in enumerate(times)
    ]
    found = _chains(jobs, stations, due)
    m = len(stations)
    group = tuple(tuple(range(j * m, j * m + m)) for j in range(len(times)))
    return Problem(
        found.operations,
        found.stations,
        links=found.links,
        demands=found.demands,
        same_order=(group,),
    )


def _flow_shop_with_setups(text: str) -> Problem:
    """Read ``n m``, the times, and for each machine its setups, done ahead."""
    numbers = _Numbers(text)
    n_jobs, n_machines = numbers.take(2)
    times = numbers.rows(n_jobs, n_machines)
    stations = []
    for k in range(n_machines):
        setups = [tuple(row) for row in numbers.rows(n_jobs, n_jobs)]
        setups.append((0,) * n_jobs)
        stations.append(Station(f"M{k}", 1, -1, tuple(setups), setup_ahead=True))
    return _in_one_order(times, tuple(stations), families=True)


def _flow_shop_with_dates(text: str) -> Problem:
    """Read ``n m``, the due dates, and the times; what counts is tardiness."""
    numbers = _Numbers(text)
    n_jobs, n_machines = numbers.take(2)
    due = numbers.take(n_jobs)
    times = numbers.rows(n_jobs, n_machines)
    return _in_one_order(times, _stations(n_machines), due)


def _hybrid_flow_shop(text: str) -> Problem:
    """Read ``n stages``, the machines of each stage, and the times."""
    numbers = _Numbers(text)
    n_jobs, n_stages = numbers.take(2)
    servers = numbers.take(n_stages)
    times = numbers.rows(n_jobs, n_stages)
    jobs = [[(Mode(k, time),) for k, time in enumerate(row)] for row in times]
    return _chains(jobs, _stations(n_stages, servers))


def _parallel_machines(text: str) -> Problem:
    """Read ``n m`` and the time of each job on each machine."""
    numbers = _Numbers(text)
    n_jobs, n_machines = numbers.take(2)
    times = numbers.rows(n_jobs, n_machines)
    jobs = [[tuple(Mode(k, time) for k, time in enumerate(row))] for row in times]
    return _chains(jobs, _stations(n_machines))


def _project(text: str) -> Problem:
    """Read a project in Patterson's format: activities, resources, successors."""
    numbers = _Numbers(text)
    n, n_resources = numbers.take(2)
    resources = tuple(
        Resource(f"R{k}", capacity)
        for k, capacity in enumerate(numbers.take(n_resources))
    )
    operations, links = [], []
    for i in range(n):
        time, *needs = numbers.take(1 + n_resources)
        found = tuple(Need((k,), need) for k, need in enumerate(needs) if need)
        operations.append(Operation(f"{i}", f"A{i}", (Mode(-1, time, needs=found),)))
        links += [Link(i, after - 1) for after in numbers.take(numbers.next())]
    demand = Demand("project", tuple(range(n)))
    holds: tuple[Hold, ...] = ()
    return Problem(
        tuple(operations), (), (), resources, tuple(links), (), holds, (demand,)
    )


READERS: dict[str, Callable[[str], Problem]] = {
    "jobshop": _job_shop,
    "jobshop-reentrant": _job_shop,
    "flexible-jobshop": _flexible_job_shop,
    "flexible-assembly-jobshop": _assembly_job_shop,
    "permutation-flowshop": _flow_shop,
    "flowshop-setups": _flow_shop_with_setups,
    "flowshop-tardiness": _flow_shop_with_dates,
    "hybrid-flowshop": _hybrid_flow_shop,
    "parallel-machines-unrelated": _parallel_machines,
    "rcpsp": _project,
}
"""Readers by family: from the text of an instance to a problem."""
