"""The page: one HTML file with a schedule in it, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import re
from pathlib import Path

from linewright.drafts import write_whole
from linewright.errors import LinewrightError
from linewright.report.animation.tokens import HUES
from linewright.report.gantt.scene import Schedule, scene
from linewright.report.pages import render
from linewright.report.palette import css_variables
from linewright.report.words import clean
from linewright.version import __version__

__all__ = ["gantt_page", "script_hash", "write_gantt"]

_SCRIPTS = ("times.js", "lanes.js", "chart.js", "asking.js")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_HERE = Path(__file__).parent


def gantt_page(schedule: Schedule) -> str:
    """Return a page that shows a schedule.

    Raises:
        ValueError: A bar lies at a station, server or order that there is not.
        LinewrightError: Jinja2 is not installed.
    """
    if importlib.util.find_spec("jinja2") is None:
        msg = "a Gantt chart needs jinja2: pip install 'linewright[brief]'"
        raise LinewrightError(msg)
    data = json.dumps(scene(schedule), separators=(",", ":")).replace("<", "\\u003c")
    style = (_HERE.parent / "templates" / "gantt.css").read_text("utf-8")
    for theme, mark in enumerate(("/*light*/", "/*dark*/")):
        hues = "".join(f"--hue-{i}:{pair[theme]};" for i, pair in enumerate(HUES))
        style = style.replace(mark, css_variables(theme) + hues)
    scripts = [(_HERE / "scripts" / name).read_text("utf-8") for name in _SCRIPTS]
    return render(
        "gantt.html.j2",
        title=" ".join(clean(schedule.title).split()),
        summary=schedule.summary,
        notes=schedule.notes,
        choice=schedule.choice,
        stamp=schedule.stamp,
        version=__version__,
        n_hues=len(HUES),
        style=style,
        script="\n".join(scripts),
        data=data,
    )


def script_hash(page: str) -> str:
    """Return the hash of a page's script, by which a policy of content allows it."""
    (text,) = _SCRIPT.findall(page)
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def write_gantt(schedule: Schedule, path: str | Path) -> Path:
    """Write the page of a schedule, whole or not at all; return where it is.

    Raises:
        ValueError: A bar lies at a station, server or order that there is not.
        LinewrightError: Jinja2 is not installed, or the file cannot be written.
    """
    html, target = gantt_page(schedule), Path(path)
    write_whole(
        target, lambda draft: draft.write_text(html, encoding="utf-8", newline="\n")
    )
    return target
