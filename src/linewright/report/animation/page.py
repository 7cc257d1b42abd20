"""The page: one HTML file that plays a replication, and loads nothing.

Style, scripts and data stand in the file, and a content security policy forbids all
else. The same model, seed and span give the same bytes.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewright.drafts import write_whole
from linewright.errors import LinewrightError
from linewright.lower import lower
from linewright.model.line import Line
from linewright.model.load import model_hash
from linewright.report.animation.recording import MOST_CHANGES, Recording, record
from linewright.report.animation.scene import MARKS, scene
from linewright.report.animation.tokens import HUES
from linewright.report.appearance import legend
from linewright.report.pages import render
from linewright.report.palette import css_variables
from linewright.report.words import clean
from linewright.version import __version__
from linewright.why import local_time

__all__ = ["Animation", "animate", "write_animation"]

SCRIPTS = ("film.js", "clock.js", "floor.js", "details.js", "player.js")
SPEEDS = (1, 10, 60, 600, 3_600, 21_600, 86_400)
_CHANGES_PER_S = 3.0
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Animation:
    """A page, and what it shows.

    Attributes:
        html: The page.
        from_us: Where it begins, microseconds from the line's start.
        until_us: Where it ends.
        asked_us: Where it was to end.
        changes: Changes that it plays.
        notice: What was left out, and whether the line is stuck; empty if neither.
        is_stuck: Whether the line stands still for good.
    """

    html: str
    from_us: int
    until_us: int
    asked_us: int
    changes: int
    notice: str
    is_stuck: bool


def animate(  # noqa: PLR0913 - what is run, and how much of it
    line: Line,
    *,
    from_us: int = 0,
    until_us: int | None = None,
    seed: int | None = None,
    replication: int = 0,
    speed: float | None = None,
    most: int = MOST_CHANGES,
) -> Animation:
    """Return a page that plays one replication of a line.

    Args:
        line: A line that has passed `check`.
        from_us: Where to begin, microseconds from the line's start.
        until_us: Where to end; the study's horizon by default.
        seed: Seed of all streams; that of the study by default.
        replication: Number of the replication.
        speed: Simulated seconds for each second that one looks on; by default so that a
            few things change each second.
        most: Changes that the page holds at most; where there are more it ends earlier.

    Raises:
        ValueError: The span is empty, or an argument out of its range.
        KernelError: The kernel ran out of working space.
        LinewrightError: Jinja2 is not installed.
    """
    _require_jinja()
    seed = line.study.seed if seed is None else seed
    end_us = max(line.study.horizon, from_us) if until_us is None else until_us
    _refuse((from_us, end_us), seed, replication, speed)
    lowered = lower(line, max(line.study.horizon, end_us))
    recording = record(lowered, seed, replication, (from_us, end_us), most)
    changes = len(recording.at_us)
    notice = " ".join(_notices(line, recording))
    stamp = f"model {model_hash(line)[:12]}, seed {seed}, replication {replication}, "
    shown_us = max(recording.until_us - from_us, 1)
    html = render(
        "animation.html.j2",
        title=" ".join(clean(line.name).split()),
        description=line.description,
        notice=notice,
        stamp=f"{stamp}linewright {__version__}",
        version=__version__,
        speeds=_speeds(speed, changes / shown_us * 1e6),
        legend=legend()["clock"],
        marks=MARKS,
        style=_style(),
        script="\n".join(_script(name) for name in SCRIPTS),
        data=_json(scene(line, lowered, recording)),
    )
    return Animation(
        html, from_us, recording.until_us, end_us, changes, notice,
        is_stuck=recording.stuck_us is not None,
    )  # fmt: skip


def write_animation(animation: Animation, path: str | Path) -> Path:
    """Write a page, whole or not at all; return where it is.

    Raises:
        LinewrightError: The file cannot be written.
    """
    target = Path(path)
    write_whole(
        target,
        lambda draft: draft.write_text(animation.html, encoding="utf-8", newline="\n"),
    )
    return target


def _require_jinja() -> None:
    if importlib.util.find_spec("jinja2") is None:
        msg = (
            "the animation needs jinja2; install with: pip install 'linewright[brief]'"
        )
        raise LinewrightError(msg)


def _refuse(
    span_us: tuple[int, int], seed: int, replication: int, speed: float | None
) -> None:
    """Raise with everything that is wrong with the arguments."""
    from_us, until_us = span_us
    rules = (
        (from_us >= 0, "the animation cannot begin before the line does"),
        (
            until_us > from_us,
            "there is nothing to show: the animation ends where it begins, at the "
            "study's horizon if no other end is given",
        ),
        (0 <= seed < 2**63, f"seed is {seed}; it is zero or more and below 2**63"),
        (replication >= 0, f"replication is {replication}; it is zero or more"),
        (
            speed is None or 0 < speed < float("inf"),
            f"speed is {speed}; it is above zero: simulated seconds in each second",
        ),
    )
    broken = [message for holds, message in rules if not holds]
    if broken:
        raise ValueError("; ".join(broken))


def _notices(line: Line, recording: Recording) -> Iterator[str]:
    """Yield what a viewer has to know of a recording before watching it."""
    if recording.is_cut:
        end = local_time(line, recording.until_us)
        asked = local_time(line, recording.asked_us)
        yield (
            f"Ends at {end} instead of {asked}: a page holds a limited number of "
            f"changes, and {len(recording.at_us):,} lie before. Choose another span "
            "with --from-time and --for."
        )
    if recording.stuck_us is not None:
        since = local_time(line, recording.stuck_us)
        yield f"The line stands still for good since {since}; linewright why says why."


def _speeds(asked: float | None, changes_per_s: float) -> list[tuple[float, str, bool]]:
    """Return the speeds to choose from, with their names, and which one is set."""
    wanted = asked
    if wanted is None:
        fit = _CHANGES_PER_S / changes_per_s if changes_per_s else SPEEDS[-1]
        wanted = min(SPEEDS, key=lambda speed: abs(speed - fit))
    return [
        (speed, _speed_name(speed), speed == wanted)
        for speed in sorted({*map(float, SPEEDS), float(wanted)})
    ]


def _speed_name(speed: float) -> str:
    if speed == 1:
        return "real time"
    text = f"{speed:,g}\u00d7"
    names = {60: "a minute", 600: "10 minutes", 3_600: "an hour", 21_600: "6 hours"}
    names[86_400] = "a day"
    return f"{text}: {names[int(speed)]} a second" if speed in names else text


def _style() -> str:
    sheet = (_HERE.parent / "templates" / "animation.css").read_text("utf-8")
    for theme, mark in enumerate(("/*light*/", "/*dark*/")):
        hues = "".join(f"--hue-{i}:{pair[theme]};" for i, pair in enumerate(HUES))
        sheet = sheet.replace(mark, css_variables(theme) + hues)
    return sheet


def _script(name: str) -> str:
    return (_HERE / "scripts" / name).read_text("utf-8")


def _json(value: Any) -> str:
    """Return JSON that can stand in a script element, whatever names are in it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
