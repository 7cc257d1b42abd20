"""Which order where and when: what `linewright schedule --out` left, as a chart."""

from __future__ import annotations

from linewright.report.facts import Facts
from linewright.report.gantt.page import gantt_page
from linewright.report.gantt.scene import Asked
from linewright.report.parts import Column, Section, Table
from linewright.report.words import DASH, NBSP, counted, name

__all__ = ["section"]

_MOST_ROWS = 30


def section(facts: Facts) -> Section | None:
    """Return the schedule with its Gantt chart, if one was given."""
    schedule = facts.found.schedule
    if schedule is None:
        return None
    late = [order for order in schedule.orders if _late_us(order) > 0]
    n = len(schedule.orders)
    if late:
        headline = f"By the schedule {len(late)} of {counted(n, 'order')} "
        headline += "is late" if len(late) == 1 else "are late"
    elif n == 1:
        headline = "By the schedule the one order is in time"
    else:
        headline = f"By the schedule all {n} orders are in time"
    latest = sorted(schedule.orders, key=lambda order: (-_late_us(order), order.name))
    rows = tuple(_row(facts, order) for order in latest[:_MOST_ROWS])
    more = n - len(rows)
    told = [f"{label}: {text}" for label, text in schedule.summary[2:]]
    notes = [f"{'; '.join(told).capitalize()}."] if told else []
    if more > 0:
        notes.append(f"{more} more orders are in the chart.")
    notes += [f"Not in the schedule: {text}." for text in schedule.notes]
    columns = (
        Column("order", numeric=False), Column("product", numeric=False),
        Column("units"), Column("due", numeric=False),
        Column("done", numeric=False), Column("late"),
    )  # fmt: skip
    return Section(
        key="schedule",
        label="Schedule",
        headline=headline,
        tables=(Table("Orders by the schedule, the latest first", columns, rows),),
        notes=(*notes, schedule.stamp),
        frame=gantt_page(schedule),
    )


def _late_us(order: Asked) -> int:
    if order.due_us is None or order.done_us is None:
        return 0
    return max(order.done_us - order.due_us, 0)


def _when(facts: Facts, at_us: int | None) -> str:
    if at_us is None:
        return DASH
    at = facts.local(at_us)
    return f"{at.day}{NBSP}{at:%b}{NBSP}{at:%Y} {at:%H:%M}"


def _row(facts: Facts, order: Asked) -> tuple[str, ...]:
    late_h = _late_us(order) / 3.6e9
    return (
        name(order.name),
        name(order.product),
        f"{order.quantity:,}",
        _when(facts, order.due_us),
        _when(facts, order.done_us),
        f"{late_h:,.1f} h" if late_h else DASH,
    )
