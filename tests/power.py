"""A disk that forgets: what SQLite writes is recorded, and power cuts are made of it.

The VFS of a `RecordingDisk` passes everything on to the operating system's and notes
each write, truncation, deletion and sync of the journal's files. `images` goes through
what was noted and makes, at every point, what a disk may hold when the power goes just
then: what was synced, and of everything since, sector by sector, the new bytes, the old
bytes or garbage.

Outside a write nothing is touched (SQLite relies on it, and disks do so). That a folder
has not been synced is not modelled.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - what a disk forgets, all from one seed
from typing import Any, NamedTuple

import apsw

SECTOR = 512


class Op(NamedTuple):
    """What was done to a file: ``write``, ``truncate``, ``delete`` or ``sync``.

    A sync that failed is ``no sync``: the system may have dropped what it was to write,
    and will not try again.
    """

    kind: str
    name: str
    offset: int = 0
    data: bytes = b""


class RecordingDisk(apsw.VFS):  # type: ignore[misc, unused-ignore]
    """The operating system's VFS, with a record of all that is written.

    Args:
        name: Name of the VFS, not used twice in a process.

    Attributes:
        log: What was done.
        fault: Called with what is about to be done, to raise an error of SQLite.
    """

    def __init__(self, name: str) -> None:
        self.log: list[Op] = []
        self.fault: Callable[[Op], None] = lambda _: None
        self.name = name
        super().__init__(name, "")

    def note(self, op: Op) -> None:
        try:
            self.fault(op)
        except apsw.Error:
            if op.kind == "sync":
                self.log.append(op._replace(kind="no sync"))
            raise
        self.log.append(op)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.note(Op("delete", filename))
        super().xDelete(filename, syncdir)

    def connect(self, path: Path, replace: dict[str, str] | None = None) -> _Adapter:
        """Open a file; statements in `replace` are replaced by others."""
        return _Adapter(apsw.Connection(str(path), vfs=self.name), replace or {})


class _File(apsw.VFSFile):  # type: ignore[misc, unused-ignore]
    def __init__(self, disk: RecordingDisk, name: Any, flags: list[int]) -> None:
        self.disk = disk
        text = name.filename() if hasattr(name, "filename") else name
        self.name = text or ""
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self.disk.note(Op("write", self.name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.disk.note(Op("truncate", self.name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.note(Op("sync", self.name))
        super().xSync(flags)


class _Adapter:
    """A connection of APSW with the errors of `sqlite3`."""

    def __init__(self, db: apsw.Connection, replace: dict[str, str]) -> None:
        self._db, self._replace = db, replace

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        sql = self._replace.get(sql, sql)
        return _translated(lambda: self._db.execute(sql, tuple(values)))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any:
        return _translated(lambda: self._db.executemany(sql, list(rows)))

    def close(self) -> None:
        _translated(self._db.close)


def _translated(do: Callable[[], Any]) -> Any:
    try:
        return do()
    except apsw.Error as error:
        as_usual = sqlite3.OperationalError(str(error))
        as_usual.sqlite_errorcode = getattr(error, "extendedresult", 0) or getattr(
            error, "result", 0
        )
        raise as_usual from error


# ---------------------------------------------------------------- power cuts


@dataclass
class _Held:
    """What a disk holds of a file, and what was done to it since it was synced."""

    safe: bytes | None
    since: list[Op] = field(default_factory=list)


def images(
    before: dict[str, bytes], log: Sequence[Op], n_each: int, random: Random
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield what may be left when the power goes after each entry of a log.

    Args:
        before: The files as they were, all of it synced.
        log: What was done then.
        n_each: Images at each point.
        random: Draws what is lost.

    Yields:
        How much of the log was done, and the files that are left.
    """
    held = {name: _Held(data) for name, data in before.items()}
    for i, op in enumerate(log):
        file = held.setdefault(op.name, _Held(None))
        if op.kind == "sync":
            file.safe, file.since = _left(file, lambda: "kept"), []
        elif op.kind == "no sync":
            file.safe, file.since = _left(file, _fates(random), random), []
        else:
            file.since.append(op)
        for _ in range(n_each):
            fate = _fates(random)
            files = {name: _left(one, fate, random) for name, one in held.items()}
            yield (
                i + 1,
                {name: data for name, data in files.items() if data is not None},
            )


def _fates(random: Random) -> Callable[[], str]:
    """Return what becomes of the sectors of one image, one after the other."""
    weights = random.choice(((1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1), (4, 1, 1)))
    return lambda: random.choices(("kept", "lost", "garbage"), weights)[0]


def _left(
    file: _Held, fate: Callable[[], str], random: Random | None = None
) -> bytes | None:
    """Return what is left of a file, or None."""
    data = None if file.safe is None else bytearray(file.safe)
    for op in file.since:
        if op.kind == "write":
            data = bytearray() if data is None else data
            _write(data, op, fate, random)
        elif fate() == "kept":
            if op.kind == "delete":
                data = None
            elif data is not None:
                del data[op.offset :]
    return None if data is None else bytes(data)


def _write(
    data: bytearray, op: Op, fate: Callable[[], str], random: Random | None
) -> None:
    """Write sector by sector, as fate will have it."""
    at, end = op.offset, op.offset + len(op.data)
    while at < end:
        to = min(end, (at // SECTOR + 1) * SECTOR)
        what = fate()
        if what != "lost":
            new = op.data[at - op.offset : to - op.offset]
            if what == "garbage":
                assert random
                new = random.randbytes(to - at)
            data.extend(bytes(max(at - len(data), 0)))
            data[at:to] = new
        at = to
