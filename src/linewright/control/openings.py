"""Beginning a journal, or going on with one: of the same line, and no other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from linewright.control.controller import redo
from linewright.control.core import Core
from linewright.control.journal import (
    JOURNAL_VERSION,
    Opening,
    SqliteJournal,
    read_only,
)
from linewright.errors import JournalError
from linewright.lower import Lowered, lower
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.version import __version__

__all__ = ["Standing", "journal_of", "opening_of", "standing"]


def opening_of(line: Line, lowered: Lowered, seed: int) -> Opening:
    """Return what the journal of a line says of itself."""
    return Opening(
        journal_version=JOURNAL_VERSION,
        linewright_version=__version__,
        model_hash=model_hash(line),
        model=line.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        names={
            table: list(getattr(lowered.names, table))
            for table in ("stations", "servers", "products", "operations", "orders")
        },
        start=line.start.isoformat(),
        time_zone=line.time_zone,
        seed=seed,
    )


class Standing(NamedTuple):
    """A line as its journal has it.

    Attributes:
        line: The line.
        lowered: The same, laid out to some time.
        core: What has been decided so far.
        opening: What the journal says of itself.
    """

    line: Line
    lowered: Lowered
    core: Core
    opening: Opening


def standing(path: str | os.PathLike[str], until_us: int | None = None) -> Standing:
    """Return the line of a journal as it stands, writing nothing.

    Args:
        path: The journal; somebody may be writing it.
        until_us: Time to lay the line out to; the study's horizon at least.

    Raises:
        JournalError: There is no such journal, or it was changed.
    """
    opening, records = read_only(path)
    line = Line.model_validate(opening.model)
    horizon_us = line.study.horizon
    lowered = lower(line, max(horizon_us, until_us or 0))
    core = Core(lowered, opening.seed)
    for stored in records:
        redo(core, stored.record, stored.seq)
    return Standing(line, lowered, core, opening)


def journal_of(
    path: str | os.PathLike[str], line: Line, lowered: Lowered, seed: int
) -> SqliteJournal:
    """Return the journal of a line: a new one, or one that is there already.

    Raises:
        JournalError: It is the journal of another model or seed, of a later version,
            or is written by another controller.
    """
    opening = opening_of(line, lowered, seed)
    if not Path(path).exists():
        return SqliteJournal(path, opening)
    journal = SqliteJournal(path)
    found = journal.opening
    if (found.model_hash, found.seed) == (opening.model_hash, seed):
        return journal
    journal.close()
    msg = (
        f"{path} is the journal of another model or seed: model "
        f"{found.model_hash[:12]}, seed {found.seed}; this is model "
        f"{opening.model_hash[:12]}, seed {seed}. Take another file, or the model as "
        "it was"
    )
    raise JournalError(msg)
