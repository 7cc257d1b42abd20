"""The brief: one self-contained HTML file for the head of a plant.

Each section says one thing in its headline, shows one picture for it and keeps the
numbers behind the picture at hand; an appendix serves engineers. The file loads nothing
and runs nothing: pictures are inline SVG, the style sheet is in the page, and a content
security policy forbids everything else. The same result gives the same bytes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from linewright.drafts import write_whole
from linewright.errors import LinewrightError
from linewright.report.appearance import legend, style
from linewright.report.facts import NOTHING_FOUND, Facts, Found, Source
from linewright.report.pages import render
from linewright.report.parts import Section
from linewright.report.words import clean

__all__ = ["brief_html", "require_extra", "write_brief"]

Builders = tuple[Callable[[Facts], Section | None], ...]
_NEEDED = ("jinja2", "matplotlib")


def require_extra() -> None:
    """Raise if what draws pages is not installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        msg = (
            f"the brief needs {' and '.join(missing)}; "
            "install with: pip install 'linewright[brief]'"
        )
        raise LinewrightError(msg)


def _sections(facts: Facts) -> list[Section]:
    from linewright.report.sections import (  # noqa: PLC0415 - after require_extra
        buffers,
        decided,
        energy_cost,
        flow_time,
        gantt,
        hours,
        inputs,
        limits,
        line,
        lost,
        money,
        oee,
        orders,
        people,
        plan,
        ready,
        schedule,
        states,
        stocks,
        throughput,
        units,
        vehicles,
        wip,
        worth,
    )  # fmt: skip

    made: Builders = (throughput.section, orders.section)
    if facts.found.schedule is not None:
        made = (*made, schedule.section)
    place: Builders = (lost.section, line.section)
    change: Builders = (
        limits.section,
        worth.section,
        money.section,
        money.asked,
        decided.section,
    )
    if facts.found.plan is not None:  # one story: the plan, what it costs, what to do
        made, place = (plan.section, hours.section, ready.section, lost.section), ()
        made = (*made, schedule.section)
        change = (*change, throughput.section, orders.section, line.section)
    rest: Builders = (
        states.section,
        people.section,
        stocks.section,
        vehicles.section,
        oee.section,
        units.section,
        energy_cost.section,
        wip.section,
        buffers.section,
        flow_time.section,
        gantt.section,
        inputs.section,
    )
    builders = (*made, *place, *change, *rest)
    return [found for build in builders if (found := build(facts)) is not None]


def brief_html(result: Source, found: Found = NOTHING_FOUND) -> str:
    """Return the brief of a result as one HTML page.

    Args:
        result: A result, in memory or read from its folder.
        found: What other verbs found about the same line.

    Raises:
        LinewrightError: Matplotlib or Jinja2 is not installed.
    """
    require_extra()
    from linewright.report.sections import appendix, tiles  # noqa: PLC0415

    facts = Facts(result, found)
    last, summary = appendix.section(facts)
    sections = _sections(facts)
    title = str(facts.manifest.get("model_name") or facts.line.name)
    return render(
        "brief.html.j2",
        title=" ".join(clean(title).split()),
        description=facts.manifest.get("description") or facts.line.description,
        facts=facts,
        basis=_basis(facts),
        notices=tiles.notices(facts),
        answer=tiles.answer(facts),
        tiles=tiles.tiles(facts),
        sections=sections,
        scripts=_scripts(sections),
        appendix=last,
        summary=summary,
        terms=appendix.terms(facts),
        legend=legend(),
        style=style(),
    )


def _scripts(sections: list[Section]) -> str:
    """Return what the page's policy says of scripts: those of its frames, no others."""
    from linewright.report.gantt.page import script_hash  # noqa: PLC0415 - an extra

    hashes = [script_hash(one.frame) for one in sections if one.frame]
    return "".join(f"; script-src '{one}'" for one in hashes)


def _basis(facts: Facts) -> str:
    from linewright.report.basis import interval_words  # noqa: PLC0415
    from linewright.report.sections.appendix import span  # noqa: PLC0415
    from linewright.report.words import counted  # noqa: PLC0415

    warm = f", of which {span(facts.warmup_us)} warm-up" if facts.warmup_us else ""
    text = f"Simulated: {span(facts.horizon_us)}{warm}; "
    text += f"{counted(facts.n_replications, 'replication')}"
    if plus_minus := interval_words(facts.manifest):
        return f"{text}. \u00b1 is {plus_minus}."
    return f"{text}, so no uncertainty can be given."


def write_brief(result: Source, path: str | Path, found: Found = NOTHING_FOUND) -> Path:
    """Write the brief of a result as one HTML file; return where it is.

    The file appears whole or not at all.

    Args:
        result: A result, in memory or read from its folder.
        path: File to write; it is replaced.
        found: What other verbs found about the same line.

    Raises:
        LinewrightError: Matplotlib or Jinja2 is not installed, or the file cannot be
            written.
    """
    target = Path(path)
    page = brief_html(result, found)
    write_whole(
        target, lambda draft: draft.write_text(page, encoding="utf-8", newline="\n")
    )
    return target
