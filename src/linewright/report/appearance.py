"""How the page looks: its style sheet with both themes, and the legend of states."""

from __future__ import annotations

from pathlib import Path

from linewright.report.palette import AT_ONCE, ON_SHIFT, STATES, State, css_variables

__all__ = ["legend", "style"]


def legend() -> dict[str, tuple[State, ...]]:
    """Return the states of the clock, of the shift, of energy, in the order of bars."""
    return {"clock": STATES, "shift": ON_SHIFT, "energy": (*STATES, AT_ONCE)}


def style() -> str:
    """Return the style sheet: light by default, dark where the reader asks for it."""
    sheet = (Path(__file__).parent / "templates" / "brief.css").read_text("utf-8")
    return sheet.replace("/*light*/", css_variables(0)).replace(
        "/*dark*/", css_variables(1)
    )
