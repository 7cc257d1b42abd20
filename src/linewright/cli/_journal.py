"""Journals on the command line, told from models."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_journal"]

_SQLITE = b"SQLite format 3\0"


def is_journal(path: str) -> bool:
    """Say whether a file is a journal or the index of one; else it is a model."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # whoever reads the model says what is wrong
