"""Parts of a machine that some tests need: without them the tests skip and say so.

A part named in ``LINEWRIGHT_REQUIRE`` (separated by commas) must be there: its tests
then fail instead of skipping. `.ci/run` demands the parts that it installs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

__all__ = ["PROJECT", "REFERENCE", "find_browser", "find_postgres", "require"]

PROJECT = Path(__file__).resolve().parents[1]
REFERENCE = PROJECT.parent / "shared" / "reference"

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's server programs, or None."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((file.parent for file in installed), default=None)


def find_browser() -> str | None:
    """Return the path of a Chromium browser on PATH, or None."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


_PARTS: dict[str, tuple[Callable[[], bool], str]] = {
    "apsw": (
        lambda: find_spec("apsw") is not None,
        "no apsw: it is in requirements/dev.txt",
    ),
    "pm4py": (
        lambda: find_spec("pm4py") is not None,
        "no pm4py: it is not among our requirements, being under the AGPL",
    ),
    "browser": (
        lambda: find_browser() is not None,
        f"no browser: none of {', '.join(_BROWSERS)} is on PATH",
    ),
    "postgres": (
        lambda: find_spec("psycopg") is not None and find_postgres() is not None,
        "no PostgreSQL: its server's programs or psycopg are not installed",
    ),
    "reference": (
        REFERENCE.is_dir,
        "no reference data: ../shared/reference is not there",
    ),
}


def require(part: str) -> None:
    """Skip the test if a part is missing, or fail it if the part is demanded.

    Args:
        part: A key of `_PARTS`.
    """
    is_there, reason = _PARTS[part]
    if is_there():
        return
    demanded = os.environ.get("LINEWRIGHT_REQUIRE", "").replace(",", " ").split()
    if part in demanded:
        pytest.fail(f"{reason}, and LINEWRIGHT_REQUIRE demands it", pytrace=False)
    pytest.skip(reason)
