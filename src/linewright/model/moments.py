"""From dates of the line's wall clock to microseconds from its start, and back."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from linewright.model.calendars import to_local, to_tick
from linewright.model.line import Line

__all__ = ["beginning_of", "date_text", "end_of", "tick_of"]

_DAY = timedelta(days=1)


def tick_of(line: Line, when: datetime | int) -> int:
    """Return a moment in microseconds from the start."""
    if isinstance(when, int):
        return when
    return int(to_tick(when, line.start, line.time_zone))


def beginning_of(line: Line, day: date) -> int:
    """Return when a local day begins, in microseconds from the start."""
    return tick_of(line, datetime.combine(day, time(0)))


def end_of(line: Line, when: date | datetime | int) -> int:
    """Return a moment in microseconds from the start; of a date its end."""
    if isinstance(when, date) and not isinstance(when, datetime):
        return beginning_of(line, when + _DAY)
    return tick_of(line, when)


def date_text(line: Line, tick_us: int) -> str:
    """Return the local time of a tick, to the minute: ``2027-12-31 06:00``."""
    local = to_local(tick_us, line.start, line.time_zone)
    return f"{local:%Y-%m-%d %H:%M}"
