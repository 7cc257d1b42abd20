"""Colors by role, light and dark, and the order of the states of a server.

Drawings are made with the light color and `svg` swaps each for `var(--role)`, so a page
changes all figures with its theme. Every role therefore has a light color of its own.
The states keep their color and their order everywhere; neighbours stay apart for people
who see no red, green or blue (tested by simulation).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AT_ONCE",
    "COLORS",
    "OFF",
    "ON_SHIFT",
    "PLACE",
    "STATES",
    "State",
    "css_variables",
]


@dataclass(frozen=True, slots=True)
class State:
    """One of the exclusive states of a server, with what it means."""

    key: str
    label: str
    role: str
    meaning: str


STATES = (
    State("processing", "processing", "processing", "The server works on a part."),
    State("setup", "setup", "setup", "It changes over to another product."),
    State("loading", "loading", "loading", "A part is put on it or taken off it."),
    State("blocked", "blocked", "blocked", "Its part is done but has nowhere to go."),
    State("starved", "starved", "starved", "It is ready but has no part to work on."),
    State(
        "waiting",
        "waiting for people or tools",
        "waiting",
        "It lacks people, a tool, a card or material.",
    ),
    State("failed", "failed", "failed", "It is broken down, or waits for repair."),
    State("maintenance", "maintenance", "maintenance", "Planned work on the server."),
    State("break", "break", "break", "A pause inside a shift."),
    State("off_shift", "off shift", "off-shift", "No shift is planned."),
)
"""In the order in which every bar stacks them."""

PLACE = {state.key: i for i, state in enumerate(STATES)}
"""Where each state stands in that order, and in tables of shares."""

AT_ONCE = State(
    "at_once",
    "for a part, batch or setup",
    "good",
    "Energy taken at once, whatever the time.",
)
"""What stands behind the states where energy is shown."""

OFF = frozenset({"break", "off_shift"})
ON_SHIFT = tuple(s for s in STATES if s.key not in OFF)

COLORS: dict[str, tuple[str, str]] = {
    "ink": ("#18212e", "#e8ecf2"),
    "muted": ("#556070", "#a3aebd"),
    "grid": ("#dde2e9", "#323b48"),
    "line": ("#8894a4", "#78859a"),
    "surface": ("#ffffff", "#171c24"),
    "page": ("#f3f5f8", "#0e1217"),
    "band": ("#eef2f7", "#1e2530"),
    "accent": ("#0b5fa5", "#63b0f4"),
    "accent-soft": ("#bcd9f2", "#24507a"),
    "good": ("#0a7d5c", "#4cc79f"),
    "warn": ("#9a5b00", "#f0b04f"),
    "bad": ("#b0201c", "#ff8b80"),
    "warn-soft": ("#fbeeda", "#46340f"),
    "processing": ("#1f77b8", "#3d93d6"),
    "setup": ("#79c7ef", "#9adcfa"),
    "loading": ("#b2916b", "#cc9b7a"),
    "waiting": ("#4c0f38", "#e8ffd9"),
    "blocked": ("#e8871e", "#e28a2b"),
    "starved": ("#f6dc7a", "#f3dd8a"),
    "failed": ("#a3123a", "#c9302c"),
    "maintenance": ("#5a1fa8", "#9b3df0"),
    "break": ("#aab1bb", "#727c8b"),
    "off-shift": ("#e1e5ea", "#39424f"),
}
"""Role: (light, dark)."""


def css_variables(theme: int) -> str:
    """Return the declarations of all roles: theme 0 is light, theme 1 is dark."""
    return "".join(f"--{role}:{pair[theme]};" for role, pair in COLORS.items())
