"""The work on a line's parts as tasks: how long each takes, and what comes before it.

`Tasks` is what line balancing starts from. `read_tasks` reads it from a CSV file (task,
time, after), or from the two formats of the published test cases, ``.IN2`` and
``.alb``. Every finding of a file is reported at once. A time is a whole number: of
microseconds where the file says units, else of the file's own unit.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linewright.errors import Finding, ModelError
from linewright.model.source import read_text
from linewright.units import format_duration, parse_duration_us

__all__ = ["Tasks", "find_circle", "new_tasks", "read_tasks", "topological"]

_MAX_TASKS = 10_000
_MAX_TIME = 2**53


@dataclass(frozen=True, slots=True)
class Tasks:
    """Tasks with their times and their order; make one with `new_tasks`.

    Attributes:
        names: Name of each task.
        times: A row for each product with the time of every task, whole numbers.
        before: Pairs of rows: the first task is done before the second.
        products: Name of each product; one without a name where there is only one.
        in_us: Whether times are microseconds; else they are of the file's own unit.
    """

    names: tuple[str, ...]
    times: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, int], ...]
    products: tuple[str, ...] = ("",)
    in_us: bool = False

    def __len__(self) -> int:
        """Return the number of tasks."""
        return len(self.names)

    def shown(self, time: float) -> str:
        """Return a time as text, with its unit where it has one."""
        return format_duration(time) if self.in_us else f"{time:.6g}"


Times = Mapping[str, int] | Mapping[str, Mapping[str, int]]


def new_tasks(
    times: Times, after: Mapping[str, Sequence[str]], *, in_us: bool = False
) -> Tasks:
    """Return tasks from names.

    Args:
        times: Time of every task; or, for several products, times of every task by
            product, where a product that is not there needs no time.
        after: The tasks that come directly before each task.
        in_us: Whether times are microseconds.

    Raises:
        ModelError: A time is negative or no whole number, a name is not there, or tasks
            come before each other in a circle; with all findings.
    """
    rows = {
        name: dict(time) if isinstance(time, Mapping) else {"": time}
        for name, time in times.items()
    }
    pairs = [(task, first, 0) for task, befores in after.items() for first in befores]
    return _checked(_Raw("", [(n, 0, t) for n, t in rows.items()], pairs), in_us)


@dataclass(slots=True)
class _Raw:
    """What a file says, with the line where it says it; names may not be there."""

    file: str
    tasks: list[tuple[str, int, dict[str, int]]]
    pairs: list[tuple[str, str, int]]  # task, the one before it, line


def _checked(raw: _Raw, in_us: bool) -> Tasks:
    findings = [*_bad_tasks(raw), *_bad_pairs(raw)]
    if findings:
        raise ModelError(findings)
    names = tuple(name for name, _, _ in raw.tasks)
    row = {name: j for j, name in enumerate(names)}
    products = tuple(dict.fromkeys(p for _, _, times in raw.tasks for p in times))
    before = tuple(dict.fromkeys((row[b], row[a]) for a, b, _ in raw.pairs))
    circle = find_circle(len(names), before)
    if circle:
        told = " before ".join(names[j] for j in [*circle, circle[0]])
        line = next(ln for a, b, ln in raw.pairs if (row[b], row[a]) == circle[:2])
        msg = f"tasks come before each other in a circle: {told}"
        raise ModelError([_finding(raw.file, line, msg)])
    times = tuple(tuple(t.get(p, 0) for _, _, t in raw.tasks) for p in products)
    return Tasks(names, times, before, products, in_us)


def _bad_tasks(raw: _Raw) -> Iterator[Finding]:
    if not raw.tasks:
        yield _finding(raw.file, 0, "there are no tasks")
    if len(raw.tasks) > _MAX_TASKS:
        msg = f"{len(raw.tasks):,} tasks; allowed are {_MAX_TASKS:,}"
        yield _finding(raw.file, 0, msg)
    seen = Counter(name for name, _, _ in raw.tasks)
    for name, line, times in raw.tasks:
        if seen.pop(name, 1) > 1:
            yield _finding(raw.file, line, f'task "{name}" is there more than once')
        for time in times.values():
            if isinstance(time, bool) or not isinstance(time, int):
                msg = f'time of task "{name}" is {time}; it is a whole number'
                yield _finding(raw.file, line, msg)
            elif not 0 <= time < _MAX_TIME:
                msg = f'time of task "{name}" is {time}; it is zero or more and finite'
                yield _finding(raw.file, line, msg)


def _bad_pairs(raw: _Raw) -> Iterator[Finding]:
    names = [name for name, _, _ in raw.tasks]
    known = set(names)
    for after, before, line in raw.pairs:
        for name in dict.fromkeys((after, before)):
            if name not in known:
                near = difflib.get_close_matches(name, names, 1)
                help_text = f'did you mean "{near[0]}"?' if near else ""
                yield _finding(raw.file, line, f'"{name}" is no task', help_text)
        if after == before:
            yield _finding(raw.file, line, f'task "{after}" comes before itself')


def _finding(file: str, line: int, message: str, help_text: str = "") -> Finding:
    return Finding(
        "LW501",
        message,
        file=file or "<tasks>",
        line=line,
        column=1 if line else 0,
        help=help_text,
    )


# ---------------------------------------------------------------- order


def topological(n: int, before: Sequence[tuple[int, int]]) -> list[int]:
    """Return the rows so that each comes after all before it; fewer in a circle."""
    after = defaultdict(list)
    open_before = [0] * n
    for i, j in before:
        after[i].append(j)
        open_before[j] += 1
    order = [j for j in range(n) if not open_before[j]]
    for i in order:
        for j in after[i]:
            open_before[j] -= 1
            if not open_before[j]:
                order.append(j)
    return order


def find_circle(n: int, before: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return rows that come before each other in a circle, or none."""
    stuck = set(range(n)) - set(topological(n, before))
    first = {j: i for i, j in before if i in stuck and j in stuck}
    if not first:
        return ()
    path = [next(iter(first))]
    while path[-1] not in path[:-1]:  # every one that is left has one before it
        path.append(first[path[-1]])
    circle = path[path.index(path[-1]) : -1]
    return tuple(reversed(circle))


# ---------------------------------------------------------------- files


def read_tasks(path: str | Path) -> Tasks:
    """Read tasks from a file.

    Args:
        path: A file that ends in ``.csv``, ``.in2`` or ``.alb``. A CSV file has the
            columns ``task`` and ``after`` (names, with ``;`` between them), and
            ``time``; or, for several products, a column ``time NAME`` for each. Times
            are all with a unit, or all whole numbers without.

    Raises:
        ModelError: The file cannot be read as tasks, with all findings.
    """
    name = str(path)
    readers = {".csv": _read_csv, ".in2": _read_in2, ".alb": _read_alb}
    reader = readers.get(Path(path).suffix.lower())
    if reader is None:
        msg = f"tasks are read from files that end in {', '.join(readers)}"
        raise ModelError([_finding(name, 0, msg)])
    raw, in_us = reader(read_text(Path(path), name), name)
    return _checked(raw, in_us)


def _read_csv(text: str, file: str) -> tuple[_Raw, bool]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ModelError([_finding(file, reader.line_num, str(error))]) from error
    columns = [column.strip() for column in reader.fieldnames or ()]
    products = _products_of(columns, file)
    raw = _Raw(file, [], [])
    findings: list[Finding] = []
    with_unit: dict[bool, int] = {}
    for line, cells in rows:
        if None in cells or None in cells.values():
            msg = f"the row has not {len(columns)} columns, as the first line"
            findings.append(_finding(file, line, msg))
            continue
        row = {k.strip(): (v or "").strip() for k, v in cells.items()}
        times = {}
        for column, product in products.items():
            try:
                times[product], has_unit = _time(row[column])
            except ValueError as error:
                findings.append(_finding(file, line, str(error)))
                continue
            if row[column] not in {"", "0"}:
                with_unit.setdefault(has_unit, line)
        raw.tasks.append((row["task"], line, times))
        befores = [b.strip() for b in row["after"].split(";")]
        raw.pairs += [(row["task"], b, line) for b in befores if b]
    if len(with_unit) > 1:
        msg = "some times have a unit and some have none; write all in one way"
        findings.append(_finding(file, max(with_unit.values()), msg))
    if findings:
        raise ModelError(findings)
    return raw, with_unit.get(True) is not None


def _products_of(columns: Sequence[str], file: str) -> dict[str, str]:
    """Return the columns of times with the product of each."""
    found = {c: c[4:].strip() for c in columns if re.match(r"time(\s|$)", c)}
    missing = [c for c in ("task", "after") if c not in columns]
    msgs = [f'there is no column "{c}"; columns are task, time, after' for c in missing]
    if not found:
        msgs.append('there is no column "time", or "time NAME" for every product')
    if "" in found.values() and len(found) > 1:
        msgs.append('there is a column "time" beside those of products')
    known = {"task", "after", *found}
    msgs += [f'there is a column "{c}", which is not known' for c in {*columns} - known]
    msgs += [
        f'column "{c}" is there twice' for c, n in Counter(columns).items() if n > 1
    ]
    if msgs:
        raise ModelError(_finding(file, 1, msg) for msg in msgs)
    return found


def _time(text: str) -> tuple[int, bool]:
    """Return a time, and whether it has a unit."""
    if re.fullmatch(r"\d*", text):
        return int(text or 0), False
    return parse_duration_us(text), True


def _read_in2(text: str, file: str) -> tuple[_Raw, bool]:
    """Read Scholl's format: the number of tasks, a time a line, pairs to ``-1,-1``."""
    lines = _numbered(text)
    raw = _Raw(file, [], [])
    try:
        n = int(next(lines)[1])
        for j in range(1, n + 1):
            at, words = next(lines)
            raw.tasks.append((str(j), at, {"": int(words)}))
        for at, words in lines:
            before, after = (word.strip() for word in words.split(","))
            if int(before) < 0:
                return raw, False
            raw.pairs.append((after, before, at))
    except StopIteration:
        pass
    except ValueError as error:
        msg = f"this is not in the form of .IN2 files: {error}"
        raise ModelError([_finding(file, at if raw.tasks else 1, msg)]) from error
    raise ModelError([_finding(file, 0, "the file ends too soon, before -1,-1")])


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def _read_alb(text: str, file: str) -> tuple[_Raw, bool]:
    """Read the sections ``<task times>`` and ``<precedence relations>``."""
    raw = _Raw(file, [], [])
    section = ""
    at = 0
    try:
        for at, words in _numbered(text):
            if words.startswith("<"):
                section = words.strip("<>")
            elif section == "task times":
                name, time = words.split()
                raw.tasks.append((name, at, {"": int(time)}))
            elif section == "precedence relations":
                before, after = words.split(",")
                raw.pairs.append((after.strip(), before.strip(), at))
    except ValueError as error:
        msg = f'"{words}" does not belong under <{section}>'
        raise ModelError([_finding(file, at, msg)]) from error
    if section != "end":
        raise ModelError([_finding(file, at, "the file ends too soon, before <end>")])
    return raw, False
