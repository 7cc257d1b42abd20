"""Fixtures that any test may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import parts
from tests.journal_stores import FileStore, ServerStore, Store

if TYPE_CHECKING:
    from tests.pg_server import PgServer


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the folder of the project."""
    return parts.PROJECT


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Return the folder of published inputs and results, or skip."""
    parts.require("reference")
    return parts.REFERENCE


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PgServer]:
    """Return a PostgreSQL server of the tests' own, or skip."""
    parts.require("postgres")
    from tests.pg_server import PgServer  # noqa: PLC0415 - a part

    with PgServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a place for a journal: once in a file, once on a server."""
    if request.param == "sqlite":
        return FileStore(tmp_path / "a.journal")
    return ServerStore(request.getfixturevalue("pg_server"))


@pytest.fixture(scope="session")
def browser() -> str:
    """Return the command of a Chromium browser, or skip."""
    parts.require("browser")
    command = parts.find_browser()
    assert command is not None
    return command
