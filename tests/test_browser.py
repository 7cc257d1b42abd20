"""The helper that looks at pages, itself looked at."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.browser import page_size, print_pdf, render_dom, render_png

_PAGE = """<!doctype html>
<meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>
  body {{ margin: 0; background: white }} div {{ width: {width}; height: 700px }}
  @media (prefers-color-scheme: dark) {{ body {{ background: black }} }}
</style>
<div></div><script>document.title = innerWidth</script>
"""


@pytest.fixture
def page(tmp_path: Path, browser: str) -> Path:
    assert browser
    path = tmp_path / "page.html"
    path.write_text(_PAGE.format(width="50%"), encoding="utf-8")
    return path


def test_a_picture_has_the_width_of_a_phone_and_the_height_of_the_page(
    page: Path,
) -> None:
    picture = page.with_suffix(".png")
    render_png(page, picture, width=390)
    assert struct.unpack(">2L", picture.read_bytes()[16:24]) == (390, 700)


def test_dark_colors_are_shown_to_a_reader_who_prefers_them(page: Path) -> None:
    light, dark = page.with_name("light.png"), page.with_name("dark.png")
    render_png(page, light, height=300)
    render_png(page, dark, height=300, dark=True)
    assert light.read_bytes() != dark.read_bytes()


def test_something_that_sticks_out_sideways_is_seen(page: Path) -> None:
    assert page_size(page, 390)[0] == 390
    page.write_text(_PAGE.format(width="600px"), encoding="utf-8")
    assert page_size(page, 390)[0] == 600


def test_scripts_run_before_the_page_is_read(page: Path) -> None:
    assert "<title>" in render_dom(page)


def test_a_page_prints(page: Path) -> None:
    pdf = page.with_suffix(".pdf")
    print_pdf(page, pdf)
    assert pdf.read_bytes().startswith(b"%PDF")
