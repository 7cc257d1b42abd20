"""The genealogy of a run that was simulated: the same questions as of a journal."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from linewright.control.genealogy import Genealogy
from linewright.control.measuring import Measuring
from linewright.control.openings import opening_of
from linewright.control.unit_index import TOLD, Happened, IndexAbout, Measured
from linewright.lower import Lowered
from linewright.model.line import Line
from linewright.tables import T_VERDICT, TRACE_COLUMNS
from linewright.traces import trace_rows

__all__ = ["genealogy_of_run"]

_KIND = TRACE_COLUMNS.index("kind")


def genealogy_of_run(
    line: Line,
    lowered: Lowered,
    seed: int,
    until_us: int,
    replication: int = 0,
    path: str | os.PathLike[str] = ":memory:",
) -> Genealogy:
    """Simulate a run and return what became of its units.

    Args:
        line: The line.
        lowered: The same, laid out to `until_us` at least.
        seed: Seed of all streams.
        until_us: When to end, microseconds.
        replication: Which replication.
        path: File in which the index is kept; in memory by default.

    Raises:
        KernelError: The kernel ran out of working space.
        JournalError: The file cannot be written.
    """
    run = {"replication": replication, "until_us": until_us}
    about = IndexAbout(opening_of(line, lowered, seed), run)
    happened = _happened(lowered, seed, replication, until_us)
    return Genealogy.made(about, happened, path)


def _happened(
    lowered: Lowered, seed: int, replication: int, until_us: int
) -> Iterator[Happened]:
    wanted = np.array(sorted(TOLD))
    measuring = Measuring(lowered, seed, replication) if lowered.quality else None
    for seq, rows in enumerate(trace_rows(lowered, seed, replication, until_us)):
        told = rows[np.isin(rows[:, _KIND], wanted)].tolist()
        measured = list(_measured(lowered, measuring, told)) if measuring else []
        yield Happened(seq, -1, told, {}, measured)


def _measured(
    lowered: Lowered, measuring: Measuring, rows: list[list[int]]
) -> Iterator[Measured]:
    names = lowered.names
    for at_us, *row in rows:
        kind, station, product, serial, step, value, other = row
        if kind == T_VERDICT:
            values = measuring.read((product, serial), step, other, value)
            if values:
                yield Measured(
                    at_us,
                    names.products[product],
                    serial,
                    names.operations[step],
                    names.stations[station],
                    values,
                    value,
                )
        measuring.follow(row)
