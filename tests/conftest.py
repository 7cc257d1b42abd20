"""Fixtures that any test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import parts


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
def browser() -> str:
    """Return the command of a Chromium browser, or skip."""
    parts.require("browser")
    command = parts.find_browser()
    assert command is not None
    return command
