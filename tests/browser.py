"""An HTML file as a reader sees it: a picture or a PDF from headless Chromium.

Each call starts a browser with a fresh profile and no network services of its own.
Chromium makes no window under 500 pixels wide, and takes the height of its own bars
off the window; the page therefore stands in a frame of the size that was asked for.
`python -m tests.browser page.html page.png` looks at a page by hand.
"""

from __future__ import annotations

import argparse
import html
import re
import subprocess
import tempfile
from pathlib import Path

from tests import parts

__all__ = ["page_size", "print_pdf", "render_dom", "render_png"]

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Scripts get this long, in the page's own time, before the page is read.
    "--virtual-time-budget=5000",
)
_SCHEMES = {"dark": 0, "light": 1}  # Blink's numbers
_TALLEST = 16_000  # a picture that the browser can still make, pixels
_TIMEOUT_S = 120

_FRAME = """<!doctype html>
<meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>
  html {{ color-scheme: light dark }} body {{ margin: 0; overflow: hidden }}
  iframe {{ border: 0; display: block; width: {width}px; height: {height}px }}
</style>
<iframe {source}></iframe>
"""
_MEASURE = """<script>
  const frame = document.querySelector("iframe");
  frame.onload = () => {
    const { scrollWidth, scrollHeight } = frame.contentDocument.documentElement;
    document.documentElement.dataset.size = `${scrollWidth}x${scrollHeight}`;
  };
</script>
"""


def render_png(
    page: Path,
    picture: Path,
    *,
    width: int = 1280,
    height: int | None = None,
    dark: bool = False,
    fragment: str = "",
) -> None:
    """Write a picture of a page.

    Args:
        page: HTML file.
        picture: PNG file to write.
        width: Window width, CSS pixels. A phone has about 390.
        height: Window height, CSS pixels; None: as tall as the page.
        dark: Whether the reader prefers dark colors.
        fragment: What follows the page's address, such as ``#t=3600``.
    """
    if height is None:
        height = min(page_size(page, width)[1], _TALLEST)
    with tempfile.TemporaryDirectory() as folder:
        source = f'src="{html.escape(page.resolve().as_uri() + fragment)}"'
        frame = Path(folder, "frame.html")
        frame.write_text(
            _FRAME.format(width=width, height=height, source=source), encoding="utf-8"
        )
        size = f"--window-size={width},{height}"
        _run(frame, f"--screenshot={picture.resolve()}", size, dark=dark)
    assert picture.is_file(), f"the browser wrote no {picture}"


def page_size(page: Path, width: int) -> tuple[int, int]:
    """Return the width and height that a page takes in a window of a width.

    The width is more than was asked for where something sticks out sideways.
    """
    text = html.escape(page.read_text(encoding="utf-8"))
    shown = _FRAME.format(width=width, height=1, source=f'srcdoc="{text}"')
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder, "frame.html")
        frame.write_text(shown + _MEASURE, encoding="utf-8")
        found = re.search(r'data-size="(\d+)x(\d+)"', render_dom(frame))
    assert found, f"the browser did not finish {page}"
    return int(found[1]), int(found[2])


def print_pdf(page: Path, pdf: Path) -> None:
    """Write a page as a reader would print it."""
    _run(page, f"--print-to-pdf={pdf.resolve()}", "--no-pdf-header-footer")
    assert pdf.is_file(), f"the browser wrote no {pdf}"


def render_dom(page: Path, *flags: str) -> str:
    """Return the HTML of a page after its scripts have run.

    Args:
        page: HTML file.
        flags: More of what the browser is told, such as what its reader prefers.
    """
    return _run(page, "--dump-dom", *flags)


def _run(page: Path, *flags: str, dark: bool = False) -> str:
    command = parts.find_browser()
    if command is None:
        msg = "no Chromium browser on PATH"
        raise FileNotFoundError(msg)
    scheme = _SCHEMES["dark" if dark else "light"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                command,
                *_FLAGS,
                f"--user-data-dir={profile}",
                f"--blink-settings=preferredColorScheme={scheme}",
                *flags,
                page.resolve().as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    return done.stdout


def main() -> None:
    """Write one page as a picture (.png) or as a document (.pdf)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, help="default: as tall as the page")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--fragment", default="")
    given = parser.parse_args()
    if given.out.suffix == ".pdf":
        print_pdf(given.page, given.out)
    else:
        render_png(
            given.page,
            given.out,
            width=given.width,
            height=given.height,
            dark=given.dark,
            fragment=given.fragment,
        )


if __name__ == "__main__":
    main()
