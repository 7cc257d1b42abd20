"""What targets mean: for each of them so many good units in a span of time.

A `Goal` is one such span. A target that is due once is one goal; one per week, month,
quarter or year is a goal for each of its periods, which are those of the local calendar
(weeks begin on Monday). Periods are counted from year 1, so that they can be compared.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from linewright.model.line import Line, Target
from linewright.model.moments import beginning_of, end_of, tick_of
from linewright.model.values import write_moment

__all__ = [
    "MAX_GOALS",
    "PERIODS",
    "Goal",
    "Period",
    "first_day",
    "goals_of",
    "last_day",
    "n_periods",
    "period_label",
    "period_of",
    "periods_to",
]

MAX_GOALS = 2_000
PERIODS = ("day", "week", "month", "quarter", "year")
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Period(NamedTuple):
    """A calendar period, as far as it lies between the start and an end."""

    label: str
    begin_us: int
    end_us: int


class Goal(NamedTuple):
    """Good units of a product that are to leave the line in a span of time.

    Attributes:
        target: Name of the target that asks for them.
        label: What the span is called: ``2027 Q1``, or ``by 2027-12-31``.
        product: The product.
        quantity: Units.
        since_us: Begin of the span, microseconds from the start of the line.
        by_us: End of the span.
    """

    target: str
    label: str
    product: str
    quantity: int
    since_us: int
    by_us: int


def goals_of(line: Line) -> list[Goal]:
    """Return the goals of all targets, in the order of the file and then of time."""
    return [
        goal
        for name, target in line.targets.items()
        for goal in (
            [_once(line, name, target)]
            if target.per is None
            else _repeated(line, name, target)
        )
    ]


def _once(line: Line, name: str, target: Target) -> Goal:
    assert target.by is not None
    since_us = 0 if target.since is None else max(tick_of(line, target.since), 0)
    label = f"by {write_moment(target.by)}"
    if target.since is not None:
        label = f"{write_moment(target.since)} to {write_moment(target.by)}"
    by_us = end_of(line, target.by)
    return Goal(name, label, target.product, target.quantity, since_us, by_us)


def _repeated(line: Line, name: str, target: Target) -> list[Goal]:
    assert target.per is not None
    first = _first_period(line, target)
    goals = []
    for i in range(n_periods(line, target)):
        period = first + i
        since_us = max(beginning_of(line, first_day(period, target.per)), 0)
        by_us = end_of(line, last_day(period, target.per))
        label = period_label(period, target.per)
        quantity = _in_ramp(target, i)
        goals.append(Goal(name, label, target.product, quantity, since_us, by_us))
    return goals


def _in_ramp(target: Target, i: int) -> int:
    """Return the quantity of a period, halves rounded up."""
    ramp = target.ramp
    if ramp is None or i >= ramp.over:
        return target.quantity
    rise = (target.quantity - ramp.start) * i
    return ramp.start + (2 * rise + ramp.over) // (2 * ramp.over)


def _first_period(line: Line, target: Target) -> int:
    assert target.per is not None
    return period_of(target.start or line.start.date(), target.per)


def n_periods(line: Line, target: Target) -> int:
    """Return how many periods a target asks for."""
    assert target.per is not None
    assert target.end is not None
    return period_of(target.end, target.per) - _first_period(line, target) + 1


# ---------------------------------------------------------------- periods


def period_of(day: date, per: str) -> int:
    """Return the number of the calendar period in which a day lies.

    Args:
        day: The day.
        per: ``day``, ``week``, ``month``, ``quarter`` or ``year``.
    """
    if per in _DAYS:
        return (day.toordinal() - 1) // _DAYS[per]
    return (12 * day.year + day.month - 1) // _MONTHS[per]


def first_day(period: int, per: str) -> date:
    """Return the first day of a period."""
    if per in _DAYS:
        return date.fromordinal(_DAYS[per] * period + 1)
    month = period * _MONTHS[per]
    return date(month // 12, month % 12 + 1, 1)


def last_day(period: int, per: str) -> date:
    """Return the last day of a period."""
    return date.fromordinal(first_day(period + 1, per).toordinal() - 1)


def period_label(period: int, per: str) -> str:
    """Return what a period is called: ``2027 Q1``, ``2027-03``, ``2027 W5``."""
    first = first_day(period, per)
    if per == "year":
        return f"{first.year}"
    if per == "quarter":
        return f"{first.year} Q{first.month // 3 + 1}"
    if per == "month":
        return f"{first:%Y-%m}"
    if per == "day":
        return f"{first}"
    year, week, _ = first.isocalendar()
    return f"{year} W{week}"


def periods_to(line: Line, end_us: int, per: str | None = None) -> list[Period]:
    """Return the calendar periods from the start to an instant.

    They are those of the targets, the shortest if there are several; else days, weeks,
    months or quarters, by the length of the time.

    Args:
        line: The line.
        end_us: End of the last period, which it may cut.
        per: Length of the periods, if it is to be another.
    """
    if per is None:
        asked = {target.per for target in line.targets.values() if target.per}
        per = min(asked, key=PERIODS.index) if asked else _suitable(end_us)
    at = period_of(line.start.date(), per)
    found: list[Period] = []
    begin_us = 0
    while begin_us < end_us:
        until_us = min(beginning_of(line, first_day(at + 1, per)), end_us)
        if until_us > begin_us:
            found.append(Period(period_label(at, per), begin_us, until_us))
        begin_us, at = until_us, at + 1
    return found


def _suitable(length_us: int) -> str:
    """Return periods of which there are a dozen or some more in a time."""
    days = length_us / 86_400e6
    most = {"day": 21, "week": 200, "month": 1100}
    return next((per for per, n in most.items() if days <= n), "quarter")
