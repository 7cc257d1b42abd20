"""A whole journal held against itself: every hash, and what follows from each record.

A start begins at the last snapshot and holds what comes after it against its hashes;
what lies before is read here. Records cut off the end leave no gap: only a hash that
was noted elsewhere shows that they are gone.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import NamedTuple

from linewright.control.controller import redo
from linewright.control.core import Core
from linewright.control.journal import Opening, seed_of
from linewright.control.openings import laid_out
from linewright.control.places import Place
from linewright.control.reading import open_reader
from linewright.model.line import Line

__all__ = ["Verified", "verify"]


class Verified(NamedTuple):
    """A journal in which nothing was changed.

    Attributes:
        name: What to call it.
        opening: What it says of itself.
        n_records: How many records it has.
        last_us: When the last one was, microseconds from the line's start.
        last_hash: Its hash, over all before it; of a journal without records that of
            its opening.
        was_redone: Whether every record was done again, and led to the same.
    """

    name: str
    opening: Opening
    n_records: int
    last_us: int
    last_hash: bytes
    was_redone: bool


def verify(place: str | os.PathLike[str] | Place, *, redoes: bool = False) -> Verified:
    """Read a journal from its first record to its last.

    Args:
        place: The journal, a file or an address; somebody may be writing it.
        redoes: Whether to do every record again, too, and to hold what follows against
            what is written.

    Raises:
        JournalError: There is no such journal, a record was changed, or one leads
            elsewhere with this version.
    """
    with closing(open_reader(place)) as reader:
        opening, core = reader.opening, None
        if redoes:
            line = Line.model_validate(opening.model)
            end_us = max(line.study.horizon, reader.last_us())
            lowered = laid_out(line, end_us, follows=opening.follows)
            core = Core(lowered, opening.seed)
        n, last_us, last_hash = 0, 0, seed_of(opening)
        for stored in reader.read():
            n, last_us, last_hash = n + 1, stored.record.at_us, stored.hash
            if core is not None:
                redo(core, stored.record, stored.seq)
        return Verified(reader.name, opening, n, last_us, last_hash, redoes)
