"""The documents agree with the program and with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate_reference, generate_results
from linewright.model.line import Line
from linewright.model.source import parse
from linewright.model.templates import Expansion
from tests.parts import PROJECT

PAGES = sorted(
    path.relative_to(PROJECT).as_posix()
    for path in [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
)
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#[\w-]*)?\)")


def test_the_model_reference_is_current() -> None:
    committed = generate_reference.PAGE.read_text(encoding="utf-8")
    assert committed == generate_reference.reference(), "run `make docs` and commit"


def test_the_page_of_results_is_current() -> None:
    committed = generate_results.PAGE.read_text(encoding="utf-8")
    assert committed == generate_results.results(), "run `make docs` and commit"


def test_the_model_reference_says_what_every_key_means() -> None:
    rows = re.findall(r"^\| `.*$", generate_reference.reference(), re.MULTILINE)
    keys = [row for row in rows if "(" not in row.split("|")[1]]  # the others are calls
    assert keys
    assert [row for row in keys if not row.split("|")[-2].strip()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_model_in_a_page_can_be_read(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        if "schema_version:" in block:
            root, findings = parse(block, page)
            expansion = Expansion(root, {})
            Line.model_validate(expansion.model().plain())
            assert [*findings, *expansion.findings, *expansion.warnings()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    path = PROJECT / page
    links = _LINK.findall(path.read_text(encoding="utf-8"))
    missing = [link for link in links if link and not _target(path, link).exists()]
    assert missing == []


def _target(page: Path, link: str) -> Path:
    return page.parent / link
