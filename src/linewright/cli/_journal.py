"""Journals on the command line, told from models."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_journal"]

_SQLITE = b"SQLite format 3\0"


def is_journal(path: str) -> bool:
    """Say whether it is a journal or the index of one, and not a model."""
    from linewright.control.places import PgPlace, place_of  # noqa: PLC0415 - slow

    if isinstance(place_of(path), PgPlace):
        return True
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # whoever reads the model says what is wrong
