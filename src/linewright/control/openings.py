"""Beginning a journal, or going on with one: of the same line, and no other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, overload

from linewright import tables as t
from linewright.control.controller import redo
from linewright.control.core import Core
from linewright.control.journal import (
    JOURNAL_VERSION,
    Opening,
    SqliteJournal,
)
from linewright.control.places import Place, place_of
from linewright.control.reading import need_postgres, open_reader
from linewright.errors import JournalError
from linewright.lower import Lowered, lower
from linewright.model.diff import diff
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.schedule.following import line_that_follows
from linewright.version import __version__

if TYPE_CHECKING:
    from linewright.control.postgres import PostgresJournal

__all__ = [
    "Standing",
    "finished_by",
    "follows_at",
    "journal_of",
    "laid_out",
    "line_of",
    "opening_of",
    "standing",
]


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
        follows=lowered.follows,
    )


def laid_out(line: Line, until_us: int, *, follows: bool) -> Lowered:
    """Return the tables of a line that a journal is about.

    Args:
        line: The line.
        until_us: Calendars are laid out that far.
        follows: Whether it follows a schedule, as `Opening.follows` says.
    """
    return line_that_follows(line, until_us) if follows else lower(line, until_us)


def follows_at(place: str | os.PathLike[str] | Place) -> bool | None:
    """Return whether the line of a journal follows a schedule; None: no such journal.

    Raises:
        JournalError: It cannot be read.
    """
    found = place_of(place)
    if isinstance(found, Path):
        is_there = found.exists()
    else:
        need_postgres()
        from linewright.control import postgres  # noqa: PLC0415 - an extra

        is_there = postgres.has_journal(found)
    if not is_there:
        return None
    reader = open_reader(found)
    try:
        return reader.opening.follows
    finally:
        reader.close()


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


def line_of(place: str | os.PathLike[str] | Place) -> Line:
    """Return the model of a journal.

    Raises:
        JournalError: There is no such journal.
    """
    reader = open_reader(place)
    try:
        return Line.model_validate(reader.opening.model)
    finally:
        reader.close()


def standing(
    path: str | os.PathLike[str] | Place, until_us: int | None = None
) -> Standing:
    """Return the line of a journal as it stands, writing nothing.

    Args:
        path: The journal, a file or an address; somebody may be writing it.
        until_us: Time to lay the line out to; the study's horizon at least.

    Raises:
        JournalError: There is no such journal, or it was changed.
    """
    reader = open_reader(path)
    try:
        line = Line.model_validate(reader.opening.model)
        end_us = max(line.study.horizon, until_us or 0, reader.last_us())
        lowered = laid_out(line, end_us, follows=reader.opening.follows)
        core = Core(lowered, reader.opening.seed)
        next_seq = 0
        if snapshot := reader.snapshot_before(end_us + 1):
            core.restore(snapshot.notes, snapshot.arrays)
            next_seq = snapshot.seq
        for stored in reader.read(next_seq):
            redo(core, stored.record, stored.seq)
    finally:
        reader.close()
    return Standing(line, core.lowered, core, reader.opening)


def finished_by(place: str | os.PathLike[str] | Place, at_us: int) -> t.Ints:
    """Return how many units of each product had left by an instant.

    Args:
        place: The journal; somebody may be writing it.
        at_us: The instant, microseconds from the line's start.

    Raises:
        JournalError: There is no such journal, or it was changed.
    """
    reader = open_reader(place)
    try:
        line = Line.model_validate(reader.opening.model)
        end_us, follows = max(line.study.horizon, at_us), reader.opening.follows
        core = Core(laid_out(line, end_us, follows=follows), reader.opening.seed)
        next_seq = 0
        if snapshot := reader.snapshot_before(at_us):
            core.restore(snapshot.notes, snapshot.arrays)
            next_seq = snapshot.seq
        for stored in reader.read(next_seq):
            if stored.record.at_us >= at_us:
                break
            redo(core, stored.record, stored.seq)
    finally:
        reader.close()
    return core.state.products["finished"].copy()


@overload
def journal_of(
    place: Path, line: Line, lowered: Lowered, seed: int
) -> SqliteJournal: ...


@overload
def journal_of(
    place: str | os.PathLike[str] | Place, line: Line, lowered: Lowered, seed: int
) -> SqliteJournal | PostgresJournal: ...


def journal_of(
    place: str | os.PathLike[str] | Place, line: Line, lowered: Lowered, seed: int
) -> SqliteJournal | PostgresJournal:
    """Return the journal of a line: a new one, or one that is there already.

    Args:
        place: Path of a file, or an address; see `places`.
        line: The line.
        lowered: The same, laid out.
        seed: Seed of the streams.

    Raises:
        JournalError: It is the journal of another model or seed, of a later version,
            or is written by another controller.
    """
    opening = opening_of(line, lowered, seed)
    journal, is_new = _opened(place_of(place), opening)
    found = journal.opening
    if is_new or (found.model_hash, found.seed, found.follows) == (
        opening.model_hash,
        seed,
        opening.follows,
    ):
        return journal
    journal.close()
    raise JournalError(_another(journal.name, line, found, opening))


def _another(name: str, line: Line, found: Opening, opening: Opening) -> str:
    """Return why a journal is not that of a line, and what is different."""
    if (found.model_hash, found.seed) == (opening.model_hash, opening.seed):
        has = "follows a schedule" if found.follows else "was begun without a schedule"
        return (
            f"the line of {name} {has}; a line keeps to that, so take another journal"
        )
    if found.model_hash == opening.model_hash:
        return (
            f"{name} was begun with seed {found.seed}, and this is seed "
            f"{opening.seed}; go on with --seed {found.seed}, or take another journal"
        )
    changes = diff(Line.model_validate(found.model), line)
    shown = "".join(f"\n  {one}" for one in changes[:_MOST_CHANGES])
    if more := len(changes) - _MOST_CHANGES:
        shown += f"\n  and {more} more" if more > 0 else ""
    return (
        f"{name} is the journal of another model, {found.model_hash[:12]}; this is "
        f"{opening.model_hash[:12]}. A line that runs goes on with the model that it "
        f"began with. Take that model, or begin another journal. What changed:{shown}"
    )


_MOST_CHANGES = 12


def _opened(
    place: Place, opening: Opening
) -> tuple[SqliteJournal | PostgresJournal, bool]:
    """Return a journal, and whether it was made just now."""
    if isinstance(place, Path):
        is_new = not place.exists()
        return SqliteJournal(place, opening if is_new else None), is_new
    need_postgres()
    from linewright.control import postgres  # noqa: PLC0415 - an extra

    is_new = not postgres.has_journal(place)
    return postgres.PostgresJournal(place, opening if is_new else None), is_new
