"""Axes of wall-clock time: ticks at whole hours, days, weeks or months of the line."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from linewright.report.facts import Facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["clock_ticks", "label_dates", "year_and_rest"]

_HOUR_STEPS = (1, 2, 3, 4, 6, 8, 12, 24)
_DAY_STEPS = (1, 2, 7, 14, 28, 56, 91, 182, 364)


def year_and_rest(period: str) -> tuple[str, str]:
    """Return the year of a calendar period and the rest of its name, if it has one.

    ``2027 Q1``, ``2027-03`` and ``2027 W5`` have ``Q1``, ``03`` and ``W5``.
    """
    return period[:4], period[5:]


def label_dates(ax: Axes, facts: Facts, n_ticks: int) -> None:
    """Label an x axis that counts days since the start with dates of the line."""
    low, high = ax.get_xlim()
    span = max(high - low, 1e-9)
    if span < 2:
        _label_hours(ax, facts, n_ticks)
        return
    step = next((s for s in _DAY_STEPS if span / s <= n_ticks), 728)
    first = facts.local(low * 8.64e10)
    if step >= 364:
        _label_years(ax, facts, n_ticks)
        return
    day = datetime(first.year, first.month, first.day, tzinfo=first.tzinfo)
    if step >= 7:  # weeks begin on Monday
        day -= timedelta(days=day.weekday())
    places, labels, year = [], [], 0
    long = facts.local(high * 8.64e10).year != first.year
    while (at := facts.tick_us(day) / 8.64e10) <= high:
        if at >= low:
            new = long and day.year != year
            year = day.year
            places.append(at)
            labels.append(f"{day.day} {day:%b}" + (f"\n{year}" if new else ""))
        day += timedelta(days=step)
    ax.set_xticks(places, labels)
    ax.set_xlim(low, high)


def _label_years(ax: Axes, facts: Facts, n_ticks: int) -> None:
    """Label the first days of years."""
    low, high = ax.get_xlim()
    begin, end = (facts.local(days * 8.64e10) for days in (low, high))
    step = -(-(end.year - begin.year + 1) // n_ticks)
    years = [
        (facts.tick_us(datetime(year, 1, 1, tzinfo=begin.tzinfo)) / 8.64e10, year)
        for year in range(begin.year, end.year + 1, step)
    ]
    near = [(max(at, low), year) for at, year in years if at > low - 14]
    ax.set_xticks([at for at, _ in near], [str(year) for _, year in near])
    ax.set_xlim(low, high)


def _label_hours(ax: Axes, facts: Facts, n_ticks: int) -> None:
    low, high = ax.get_xlim()
    ticks = clock_ticks(facts, low * 8.64e10, high * 8.64e10, n_ticks)
    ax.set_xticks([us / 8.64e10 for us, _ in ticks], [text for _, text in ticks])
    ax.set_xlim(low, high)


def clock_ticks(
    facts: Facts, low_us: float, high_us: float, n_ticks: int
) -> list[tuple[float, str]]:
    """Return ticks at whole hours of the day, as microseconds and label."""
    hours = (high_us - low_us) / 3.6e9
    step = next((s for s in _HOUR_STEPS if hours / s <= n_ticks), 48)
    first = facts.local(low_us)
    hour = datetime(first.year, first.month, first.day, tzinfo=first.tzinfo)
    ticks, seen = [], None
    while (us := facts.tick_us(hour)) <= high_us:
        if us >= low_us:
            day = f"{hour:%a} " if hour.date() != seen else ""
            seen = hour.date()
            ticks.append((us, f"{day}{hour:%H:%M}"))
        hour += timedelta(hours=step)
    return ticks
