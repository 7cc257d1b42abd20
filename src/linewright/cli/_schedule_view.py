"""A schedule in a terminal: how good it is, the orders, and why some are late."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from linewright.model.moments import date_text
from linewright.schedule import Schedule
from linewright.units import format_duration

__all__ = ["OBJECTIVE_WORDS", "amount", "schedule_view"]

_MOST_ROWS = 30
_MOST_CAUSES = 8
_MOST_SLACK = 12
OBJECTIVE_WORDS = {
    "tardiness": "weighted delay",
    "makespan": "makespan",
    "flow_time": "flow time of the orders",
    "setups": "setups",
    "wip": "time of parts in the line",
    "stability": "moved against the former schedule",
    "late_orders": "late orders",
}


def schedule_view(schedule: Schedule) -> RenderableType:
    """Return a schedule, small enough to read."""
    n_operations = len(schedule.solution.begin_us) - len(schedule.compiled.unshown)
    head = Text(schedule.line.name, style="bold")
    head.append(
        f": {len(schedule.compiled.orders)} orders, "
        f"{n_operations:,} operations, {schedule.status} "
        f"({schedule.method}) in {schedule.seconds:.1f} s"
    )
    views: list[RenderableType] = [head, _levels(schedule), *_choice(schedule)]
    views += [_orders(schedule), *_slack(schedule)]
    views += _late(schedule)
    views += [Text(f"not in the schedule: {text}") for text in schedule.left_out]
    views += [Text(f"left out: {finding}") for finding in schedule.dropped]
    return Group(*views)


def _levels(schedule: Schedule) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in (
        "objective",
        "value",
        "bound",
        "gap",
        f"first ({schedule.first_rule})",
    ):
        table.add_column(title, justify="left" if title == "objective" else "right")
    for level, first in zip(schedule.levels, schedule.first_levels, strict=True):
        table.add_row(
            OBJECTIVE_WORDS[level.objective],
            amount(level.objective, level.value),
            amount(level.objective, level.bound),
            "proven" if level.proven else f"{level.gap:.1%}",
            amount(level.objective, first),
        )
    return table


def _choice(schedule: Schedule) -> list[RenderableType]:
    """Return the candidates that the schedule was chosen among, and how sure it is."""
    choice = schedule.choice
    if choice is None:
        return []
    is_share = choice["by"] == "on_time"
    table = Table(box=None, pad_edge=False)
    what = "orders in time" if is_share else "weighted delay"
    for title in ("candidate", what, "95 % interval", "simulations", ""):
        left = title in {"candidate", ""}
        table.add_column(title, justify="left" if left else "right")
    for one in choice["candidates"]:
        mean, low, high = (
            f"{value:.1%}" if is_share else format_duration(round(value * 1e6))
            for value in (one["mean"], max(one["low"], 0.0), one["high"])
        )
        end = "chosen" if one["name"] == choice["chosen"] else ""
        if one["dropped_after"] is not None:
            end = f"dropped after {one['dropped_after']}"
        table.add_row(
            one["name"], mean, f"{low} to {high}", str(one["replications"]), end
        )
    return [table, Text(choice["words"])]


def _slack(schedule: Schedule) -> list[RenderableType]:
    """Return the orders with least slack for what happens, and what protects them."""
    if schedule.chances is None:
        return []
    rows = schedule.slack().to_pylist()
    ends = [row for row in rows if row["place"] == 0]
    if not ends:
        return []
    gaps: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["place"] > 0:
            gaps.setdefault(row["order"], []).append(row)
    chance = {row["order"]: row["on_time"] for row in schedule.orders().to_pylist()}
    ends.sort(key=lambda row: (chance[row["order"]], row["slack_s"]))
    table = Table(box=None, pad_edge=False)
    for title in ("order", "slack", "needed", "gaps", "largest use of a gap"):
        left = title in {"order", "largest use of a gap"}
        table.add_column(title, justify="left" if left else "right")
    for row in ends[:_MOST_SLACK]:
        own = gaps.get(row["order"], [])
        best = max(own, key=lambda gap: gap["taken_up_s"], default=None)
        text = ""
        if best is not None and best["taken_up_s"] > 0:
            text = (
                f"{_s(best['taken_up_s'])} of {_s(best['slack_s'])} before "
                f"{best['part']} {best['operation']} at {best['station']}, "
                f"in {best['used']:.0%} of the runs"
            )
        needed = "never" if row["needed_s"] is None else _s(row["needed_s"])
        slack = "late" if row["slack_s"] < 0 else _s(row["slack_s"])
        total = _s(sum(gap["slack_s"] for gap in own)) if own else ""
        table.add_row(row["order"], slack, needed, total, text)
    if len(ends) > _MOST_SLACK:
        table.add_row(f"and {len(ends) - _MOST_SLACK} more")
    head = Text("Which slack protects what (needed: to be in time in 95 % of the runs)")
    head.stylize("bold")
    return [head, table]


def _s(seconds: float) -> str:
    return format_duration(round(seconds * 1e6))


def amount(objective: str, value: int) -> str:
    """Return a value of an objective in words."""
    return str(value) if objective == "late_orders" else format_duration(value)


def _orders(schedule: Schedule) -> Table:
    simulated = schedule.chances is not None
    table = Table(box=None, pad_edge=False)
    for title in ("order", "product", "units", "due", "start", "end", "late"):
        table.add_column(
            title, justify="right" if title in {"units", "late"} else "left"
        )
    if simulated:
        table.add_column("P(in time)", justify="right")
    rows = schedule.orders().to_pylist()
    rows.sort(key=lambda row: (-row["late_s"], row["end"]))
    for row in rows[:_MOST_ROWS]:
        cells = [
            row["order"], row["product"], f"{row['quantity']}",
            "" if row["due"] is None else f"{row['due']:%Y-%m-%d %H:%M}",
            f"{row['start']:%Y-%m-%d %H:%M}", f"{row['end']:%Y-%m-%d %H:%M}",
            format_duration(round(row["late_s"] * 1e6)) if row["late_s"] else "",
        ]  # fmt: skip
        if simulated:
            cells.append(
                ""
                if row["on_time"] is None
                else f"{row['on_time']:.0%} "
                f"({row['on_time_low']:.0%} to {row['on_time_high']:.0%})"
            )
        table.add_row(*cells)
    if len(rows) > _MOST_ROWS:
        table.add_row(f"and {len(rows) - _MOST_ROWS} more")
    return table


def _late(schedule: Schedule) -> list[RenderableType]:
    """Say of the latest orders why they are late, and what would help."""
    out: list[RenderableType] = []
    line = schedule.line
    for row, causes in schedule.late[:3]:
        order = schedule.compiled.orders[row]
        out.append(
            Text(f'Why "{order.id}" is late, from its end backward:', style="bold")
        )
        for cause in causes[:_MOST_CAUSES]:
            span = (
                f"{date_text(line, cause.begin_us)} to {date_text(line, cause.end_us)}"
            )
            out.append(Text(f"  {span}  {cause.kind}: {cause.text}"))
        if len(causes) > _MOST_CAUSES:
            out.append(Text(f"  and {len(causes) - _MOST_CAUSES} more before"))
    if schedule.relaxations:
        out.append(Text("What would help, each by itself:", style="bold"))
        out += [Text(f"  - {relaxed.text}") for relaxed in schedule.relaxations]
    return out
