"""Tables behind one pointer: how compiled functions hand each other the whole line.

Numba passes a tuple of arrays as seven numbers an array, some three hundred for a line
and its state, at every call that is not inlined: compilation then takes minutes. Here a
set of tables is a directory of addresses and lengths; compiled functions pass a pointer
to it, and ``state.servers[s]`` is two loads and an addition. The loads of the directory
are marked invariant, because it does not change while compiled code runs. Indices are
not negative: nothing counts from the end. ``NUMBA_BOUNDSCHECK=1`` checks every index.

Every load and store says which column of which table it touches (LLVM's type-based
alias analysis), so that writing one column does not make the compiler read all others
again; the columns of the line are marked as never written.

Without compilation (``NUMBA_DISABLE_JIT=1``) a set of tables is the tuple itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linewright.kernel._jit import PLAIN, builtin

__all__ = [
    "choose_blindly",
    "likely",
    "open_draws",
    "open_line",
    "open_state",
    "pack",
    "prefetch",
    "unlikely",
]


@builtin
def choose_blindly(condition: Any, one: Any, other: Any) -> Any:
    """Return one of two integers without a branch, which would often be missed."""
    return one if condition else other


@builtin
def likely(condition: Any) -> Any:
    """Return the condition, and tell the compiler that it mostly holds."""
    return condition


@builtin
def unlikely(condition: Any) -> Any:
    """Return the condition, and tell the compiler that it mostly does not hold."""
    return condition


@builtin
def prefetch(table: Any, row: Any) -> None:
    """Have a row of a table brought near; where there is no such row, nothing."""


@builtin
def open_line(directory: Any) -> Any:
    """Return the line whose directory `pack` made."""
    return directory


@builtin
def open_state(directory: Any) -> Any:
    """Return the state whose directory `pack` made."""
    return directory


@builtin
def open_draws(directory: Any) -> Any:
    """Return the draws whose directory `pack` made."""
    return directory


class _Directory(int):
    """The address of a directory, which lives as long as this number."""

    rows: Any


class _PlainRow:
    """A row whose columns are attributes; reading widens, as compiled code does."""

    __slots__ = ("_record",)

    def __init__(self, record: Any) -> None:
        object.__setattr__(self, "_record", record)

    def __getattr__(self, column: str) -> Any:
        return self._record[column].item()

    def __setattr__(self, column: str, value: Any) -> None:
        self._record[column] = value


class _PlainTable:
    """A table of records as compiled code sees it."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, row: Any) -> Any:
        return _PlainRow(self._records[row])


def _plain(tables_: NamedTuple) -> Any:
    """Return the tables with records whose fields are attributes."""
    return tables_._replace(
        **{
            name: _PlainTable(array)
            for name, array in zip(tables_._fields, tables_, strict=True)
            if array.dtype.names
        }
    )


def pack(tables_: NamedTuple) -> Any:
    """Return the address of the directory of tables: an address and a length each.

    The caller keeps the tables and this number alive as long as compiled code runs.
    """
    if PLAIN:
        return _plain(tables_)
    found: list[int] = []
    for array in tables_:
        assert array.flags.c_contiguous
        found += (array.ctypes.data, array.shape[0])
    rows = np.array(found, np.int64)
    directory = _Directory(rows.ctypes.data)
    directory.rows = rows
    return directory
