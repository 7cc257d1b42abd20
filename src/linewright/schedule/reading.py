"""Published scheduling instances, read into problems; times are their own units.

The formats are those in which the families are passed on: numbers between blanks, in
lines of which a few families make use. What is wrong in a file is told with its line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial

from linewright.errors import Finding, ModelError
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

__all__ = ["READERS", "read_instance"]


class _WrongError(Exception):
    """Something that cannot be, and the lines where it stands."""

    def __init__(self, *found: tuple[int, str]) -> None:
        self.found = found
        super().__init__(found)


class _Numbers:
    """The numbers of a text, one after the other; lines with # are left out."""

    def __init__(self, text: str) -> None:
        self._words = [
            (word, number)
            for number, line in enumerate(text.splitlines(), 1)
            if not line.startswith("#")
            for word in line.split()
        ]
        self._last = len(text.splitlines())
        self._at = 0

    @property
    def line(self) -> int:
        """Return the line of the number that was taken last."""
        return self._words[self._at - 1][1] if self._at else 1

    def next(
        self, what: str = "number", least: int = 0, most: int | None = None
    ) -> int:
        """Return the next number.

        Args:
            what: What it is, for whoever reads that it is wrong.
            least: It is no less.
            most: And no more, if that is known.
        """
        if self._at >= len(self._words):
            msg = f"the file ends after {self._at} numbers, and a {what} is missing"
            raise _WrongError((max(self._last, 1), msg))
        word, line = self._words[self._at]
        self._at += 1
        if not _is_whole(word):
            self._at -= 1
            raise _WrongError(*self._no_numbers())
        if int(word) < least or (most is not None and int(word) > most):
            allowed = f"from {least}" + ("" if most is None else f" to {most}")
            raise _WrongError((line, f"{word} is no {what}, which is {allowed}"))
        return int(word)

    def _no_numbers(self) -> list[tuple[int, str]]:
        words = self._words[self._at :]
        return [
            (line, f'"{word}" is no whole number')
            for word, line in words
            if not _is_whole(word)
        ]

    def take(self, n: int, what: str = "time") -> list[int]:
        """Return the next n numbers."""
        return [self.next(what) for _ in range(n)]

    def rows(self, n: int, width: int, what: str = "time") -> list[list[int]]:
        """Return the next rows."""
        return [self.take(width, what) for _ in range(n)]

    def rest_of_line(self) -> list[int]:
        """Return the numbers that are left in the line of the next one."""
        if self._at >= len(self._words):
            msg = "the file ends, and the line of a job is missing"
            raise _WrongError((max(self._last, 1), msg))
        line = self._words[self._at][1]
        found = []
        while self._at < len(self._words) and self._words[self._at][1] == line:
            found.append(self.next("machine or time"))
        return found

    def skip_line(self) -> None:
        """Leave out what is left in the line of the number that was taken last."""
        line = self.line
        while self._at < len(self._words) and self._words[self._at][1] == line:
            self._at += 1

    def require_end(self) -> None:
        """Raise where anything is left."""
        if self._at < len(self._words):
            word, line = self._words[self._at]
            msg = f'"{word}" is more than the first numbers of the file announce'
            raise _WrongError((line, msg))


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal()


def _counts(numbers: _Numbers, *names: str) -> list[int]:
    """Return the numbers that a file begins with, each one or more."""
    return [numbers.next(f"number of {name}", 1) for name in names]


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


def _job_shop(numbers: _Numbers) -> Problem:
    """Read ``n m``, then for each job a line of pairs ``machine duration``."""
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
    numbers.skip_line()
    jobs = []
    for _ in range(n_jobs):
        row = numbers.rest_of_line()
        if len(row) % 2:
            msg = f"{len(row)} numbers are no pairs of a machine and a time"
            raise _WrongError((numbers.line, msg))
        if wrong := [k for k in row[::2] if k >= n_machines]:
            msg = f"{wrong[0]} is no machine, which is from 0 to {n_machines - 1}"
            raise _WrongError((numbers.line, msg))
        jobs.append([(Mode(k, us),) for k, us in zip(row[::2], row[1::2], strict=True)])
    return _chains(jobs, _stations(n_machines))


def _flexible_job_shop(numbers: _Numbers) -> Problem:
    """Read ``n m flexibility``, then for each job its operations with machines."""
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
    numbers.skip_line()  # a share, which is no whole number
    jobs = []
    for _ in range(n_jobs):
        n = numbers.next("number of operations", 1)
        jobs.append([tuple(_modes(numbers, 1, n_machines)) for _ in range(n)])
    return _chains(jobs, _stations(n_machines))


def _modes(numbers: _Numbers, first: int, n_machines: int) -> Iterator[Mode]:
    for _ in range(numbers.next("number of machines", 1)):
        machine = numbers.next("machine", first, first + n_machines - 1)
        yield Mode(machine - first, numbers.next("time"))


def _assembly_job_shop(numbers: _Numbers) -> Problem:
    """Read operations with any precedences, and their machines from 0."""
    n = numbers.next("number of operations", 1)
    n_links = numbers.next("number of precedences")
    n_machines = numbers.next("number of machines", 1)
    pairs = [
        [numbers.next("operation", 0, n - 1) for _ in range(2)] for _ in range(n_links)
    ]
    operations = tuple(
        Operation(f"{i}", f"O{i}", tuple(_modes(numbers, 0, n_machines)))
        for i in range(n)
    )
    links = tuple(Link(before, after) for before, after in pairs)
    demand = Demand("all", tuple(range(n)))
    return Problem(operations, _stations(n_machines), links=links, demands=(demand,))


def _flow_shop(numbers: _Numbers) -> Problem:
    """Read ``n m`` and the times; jobs keep one order on all machines."""
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
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


def _flow_shop_with_setups(numbers: _Numbers) -> Problem:
    """Read ``n m``, the times, and for each machine its setups, done ahead."""
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
    times = numbers.rows(n_jobs, n_machines)
    stations = []
    for k in range(n_machines):
        setups = [tuple(row) for row in numbers.rows(n_jobs, n_jobs, "setup")]
        setups.append((0,) * n_jobs)
        stations.append(Station(f"M{k}", 1, -1, tuple(setups), setup_ahead=True))
    return _in_one_order(times, tuple(stations), families=True)


def _flow_shop_with_dates(numbers: _Numbers) -> Problem:
    """Read ``n m``, the due dates, and the times; what counts is tardiness."""
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
    due = numbers.take(n_jobs, "due date")
    times = numbers.rows(n_jobs, n_machines)
    return _in_one_order(times, _stations(n_machines), due)


def _hybrid_flow_shop(numbers: _Numbers) -> Problem:
    """Read ``n stages``, the machines of each stage, and the times."""
    n_jobs, n_stages = _counts(numbers, "jobs", "stages")
    servers = [numbers.next("number of machines", 1) for _ in range(n_stages)]
    times = numbers.rows(n_jobs, n_stages)
    jobs = [[(Mode(k, time),) for k, time in enumerate(row)] for row in times]
    return _chains(jobs, _stations(n_stages, servers))


def _parallel_machines(numbers: _Numbers) -> Problem:
    """Read ``n m`` and the time of each job on each machine."""
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
    times = numbers.rows(n_jobs, n_machines)
    jobs = [[tuple(Mode(k, time) for k, time in enumerate(row))] for row in times]
    return _chains(jobs, _stations(n_machines))


def _distributed_flow_shop(numbers: _Numbers) -> Problem:
    """Read ``n m``, how many equal lines there are, and the times.

    A job goes through one of the lines, and the jobs of a line keep one order on all of
    its machines.
    """
    n_jobs, n_machines = _counts(numbers, "jobs", "machines")
    (n_lines,) = _counts(numbers, "lines")
    times = numbers.rows(n_jobs, n_machines)
    stations = tuple(
        Station(f"L{line}M{k}") for line in range(n_lines) for k in range(n_machines)
    )
    jobs = [
        [
            tuple(Mode(line * n_machines + k, time) for line in range(n_lines))
            for k, time in enumerate(row)
        ]
        for row in times
    ]
    found = _chains(jobs, stations)
    rows = tuple(
        tuple(range(j * n_machines, (j + 1) * n_machines)) for j in range(n_jobs)
    )
    return Problem(
        found.operations, stations, links=found.links, demands=found.demands,
        same_order=(rows,), same_mode=rows,
    )  # fmt: skip


def _project(numbers: _Numbers) -> Problem:
    """Read a project in Patterson's format: activities, resources, successors."""
    n = numbers.next("number of activities", 1)
    n_resources = numbers.next("number of resources")
    resources = tuple(
        Resource(f"R{k}", capacity)
        for k, capacity in enumerate(numbers.take(n_resources, "capacity"))
    )
    operations, links = [], []
    for i in range(n):
        time, *needs = numbers.take(1 + n_resources, "time or need")
        found = _needs(needs, resources, numbers.line)
        operations.append(Operation(f"{i}", f"A{i}", (Mode(-1, time, needs=found),)))
        n_after = numbers.next("number of successors")
        links += [Link(i, numbers.next("activity", 1, n) - 1) for _ in range(n_after)]
    return _one_project(operations, resources, links)


def _needs(
    quantities: Sequence[int], resources: Sequence[Resource], line: int
) -> tuple[Need, ...]:
    """Return what an activity needs; more than there is of a resource is wrong."""
    for resource, quantity in zip(resources, quantities, strict=True):
        if quantity > resource.capacity:
            msg = f"{quantity} of {resource.name} are needed, of {resource.capacity}"
            raise _WrongError((line, msg))
    return tuple(Need((k,), need) for k, need in enumerate(quantities) if need)


def _one_project(
    operations: Sequence[Operation],
    resources: tuple[Resource, ...],
    links: Sequence[Link],
) -> Problem:
    demand = Demand("project", tuple(range(len(operations))))
    holds: tuple[Hold, ...] = ()
    return Problem(
        tuple(operations), (), (), resources, tuple(links), (), holds, (demand,)
    )


class _Sections:
    """The lines of a text by their headings, which end with a colon."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def after(self, heading: str, n_titles: int) -> Iterator[tuple[int, list[int]]]:
        """Yield the rows of a section, with their lines, as far as they are numbers.

        Args:
            heading: What its first line begins with, whatever the case.
            n_titles: Lines with titles between the heading and the first row.
        """
        starts = [
            i
            for i, line in enumerate(self._lines)
            if line.strip().upper().startswith(heading)
        ]
        if not starts:
            raise _WrongError((max(len(self._lines), 1), f"there is no {heading}"))
        first = starts[0] + 1 + n_titles
        for number, line in enumerate(self._lines[first:], first + 1):
            words = line.split()
            if not words or words[0].startswith(("*", "-")):
                return
            if wrong := [word for word in words if not word.isdecimal()]:
                msg = f'"{wrong[0]}" is no whole number from 0'
                raise _WrongError((number, msg))
            yield number, [int(word) for word in words]

    def count(self, name: str) -> int:
        """Return the number behind a name and a colon."""
        for number, line in enumerate(self._lines, 1):
            title, colon, rest = line.partition(":")
            if colon and title.strip(" -").startswith(name):
                word = rest.split()[0] if rest.split() else ""
                if not word.isdecimal():
                    raise _WrongError((number, f'"{word}" is no number of {name}'))
                return int(word)
        raise _WrongError((max(len(self._lines), 1), f'there is no line "{name}:"'))


def _project_with_modes(text: str) -> Problem:
    """Read a project in the format of PSPLIB, whose activities have several modes.

    What is not renewable is used up, whenever an activity takes it.
    """
    sections = _Sections(text)
    n = sections.count("jobs")
    kinds = [sections.count("renewable"), sections.count("nonrenewable")]
    if sections.count("doubly constrained"):
        msg = "a doubly constrained resource is not known here"
        raise _WrongError((1, msg))
    found = list(sections.after("RESOURCE AVAILABILITIES", 1))
    if len(found) != 1 or len(found[0][1]) != sum(kinds):
        line = found[0][0] if found else len(text.splitlines())
        msg = f"there have to be {sum(kinds)} availabilities in one line"
        raise _WrongError((line, msg))
    resources = tuple(
        Resource(f"{'N' if k >= kinds[0] else 'R'}{k}", have, used_up=k >= kinds[0])
        for k, have in enumerate(found[0][1])
    )
    n_modes, links = _precedence(sections, n)
    modes = _modes_of_project(sections, n, n_modes, resources)
    operations = [Operation(f"{i}", f"A{i}", tuple(modes[i])) for i in range(n)]
    return _one_project(operations, resources, links)


def _precedence(sections: _Sections, n: int) -> tuple[list[int], list[Link]]:
    """Return how many modes each activity has, and what comes after what."""
    n_modes, links = [0] * n, []
    for line, row in sections.after("PRECEDENCE RELATIONS", 1):
        i = row[0] - 1
        if len(row) < 3 or not 0 <= i < n or len(row) != 3 + row[2] or not row[1]:
            msg = (
                f"an activity from 1 to {n}, the number of its modes, that of its "
                f"successors and those are wanted here"
            )
            raise _WrongError((line, msg))
        if wrong := [after for after in row[3:] if not 1 <= after <= n]:
            msg = f"{wrong[0]} is no activity, which is from 1 to {n}"
            raise _WrongError((line, msg))
        n_modes[i] = row[1]
        links += [Link(i, after - 1) for after in row[3:]]
    if 0 in n_modes:
        msg = f"activity {n_modes.index(0) + 1} has no line of its precedence"
        raise _WrongError((line, msg))
    return n_modes, links


def _modes_of_project(
    sections: _Sections, n: int, n_modes: list[int], resources: tuple[Resource, ...]
) -> list[list[Mode]]:
    """Return the modes of each activity; one that needs more than there is is none."""
    width = 2 + len(resources)
    modes: list[list[Mode]] = [[] for _ in range(n)]
    seen = [0] * n
    i = -1
    for line, row in sections.after("REQUESTS/DURATIONS", 2):
        if len(row) == width + 1:
            i = row[0] - 1
        if len(row) not in {width, width + 1} or not 0 <= i < n:
            msg = f"an activity from 1 to {n} or none, and {width} numbers are wanted"
            raise _WrongError((line, msg))
        _, time, *needs = row[-width:]
        seen[i] += 1
        if all(q <= r.capacity for q, r in zip(needs, resources, strict=True)):
            modes[i].append(Mode(-1, time, needs=_needs(needs, resources, line)))
    for i, (told, there) in enumerate(zip(n_modes, seen, strict=True)):
        if told != there:
            msg = f"activity {i + 1} has {there} modes here, and {told} above"
            raise _WrongError((line, msg))
        if not modes[i]:
            msg = f"activity {i + 1} needs more than there is in each of its modes"
            raise _WrongError((line, msg))
    return modes


_BY_NUMBERS: dict[str, Callable[[_Numbers], Problem]] = {
    "jobshop": _job_shop,
    "jobshop-reentrant": _job_shop,
    "flexible-jobshop": _flexible_job_shop,
    "flexible-assembly-jobshop": _assembly_job_shop,
    "permutation-flowshop": _flow_shop,
    "flowshop-setups": _flow_shop_with_setups,
    "flowshop-tardiness": _flow_shop_with_dates,
    "hybrid-flowshop": _hybrid_flow_shop,
    "parallel-machines-unrelated": _parallel_machines,
    "distributed-flowshop": _distributed_flow_shop,
    "rcpsp": _project,
}
_FAMILIES = (*_BY_NUMBERS, "multimode-rcpsp")


def read_instance(family: str, text: str, file: str = "") -> Problem:
    """Return the problem of a published instance; times are its own units.

    Args:
        family: One of `READERS`, such as ``hybrid-flowshop``.
        text: What its file holds.
        file: Its name, which is told where something is wrong.

    Raises:
        ModelError: The text is no instance of the family; with the lines.
        ValueError: There is no such family.
    """
    if family not in _FAMILIES:
        near = get_close_matches(family, _FAMILIES, 1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        msg = f'"{family}" is no family; there are {", ".join(_FAMILIES)}{hint}'
        raise ValueError(msg)
    try:
        if family == "multimode-rcpsp":
            problem = _project_with_modes(text)
        else:
            numbers = _Numbers(text)
            problem = _BY_NUMBERS[family](numbers)
            numbers.require_end()
        problem.in_order()
    except _WrongError as error:
        findings = [
            Finding("LW521", msg, file=file or "<instance>", line=line, column=1)
            for line, msg in error.found
        ]
        raise ModelError(findings) from error
    except ValueError as error:  # operations that wait for each other
        finding = Finding("LW521", str(error), file=file or "<instance>")
        raise ModelError([finding]) from error
    return problem


READERS: dict[str, Callable[[str], Problem]] = {
    family: partial(read_instance, family) for family in _FAMILIES
}
"""Readers by family: from the text of an instance to a problem."""
