"""From dates of the line's wall clock to microseconds from its start."""

from __future__ import annotations

from datetime import datetime

from linewright.model.calendars import to_tick
from linewright.model.line import Line

__all__ = ["tick_of"]


def tick_of(line: Line, when: datetime | int) -> int:
    """Return a moment in microseconds from the start."""
    if isinstance(when, int):
        return when
    return int(to_tick(when, line.start, line.time_zone))
