"""The two stores of a journal, as tests of their common contract see them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from linewright.control.journal import Journal, Opening, SqliteJournal
from linewright.control.places import Place

if TYPE_CHECKING:
    from tests.pg_server import PgServer

__all__ = ["FileStore", "ServerStore", "Store"]


class Store(Protocol):
    """A place where one journal may be."""

    @property
    def place(self) -> Place: ...

    @property
    def text(self) -> str:
        """What a user writes for it."""

    def open(self, opening: Opening | None = None) -> Journal: ...

    def sql(self, statement: str) -> None:
        """Do what nobody should."""


class FileStore:
    """A journal in a file."""

    def __init__(self, path: Path) -> None:
        self.place = path
        self.text = str(path)

    def open(self, opening: Opening | None = None) -> Journal:
        return SqliteJournal(self.place, opening)

    def sql(self, statement: str) -> None:
        with sqlite3.connect(self.place) as db:
            db.execute(statement)
        db.close()


class ServerStore:
    """A journal on a server."""

    def __init__(self, server: PgServer) -> None:
        self.server, self.place = server, server.place()
        self.text = self.place.shown

    def open(self, opening: Opening | None = None) -> Journal:
        from linewright.control.postgres import PostgresJournal  # noqa: PLC0415

        return PostgresJournal(self.place, opening)

    def sql(self, statement: str) -> None:
        self.server.sql(statement, self.place.schema)
