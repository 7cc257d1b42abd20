"""Schedules: which order, where and when, with a bound, and tried in the simulation.

`scheduling` is the module to read first. `orders` reads what is asked for, `jobs` makes
lots of it, `compiling` makes the `problem`; `kernel_runs` lets the kernel dispatch it
and execute a schedule of it, `solving` makes one with CP-SAT, `table` is what it is
passed on as. `why` follows the causes of a delay.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewright.schedule.compiling import compile_line
    from linewright.schedule.orders import DatedOrder, orders_of, read_orders
    from linewright.schedule.problem import Problem, Solution
    from linewright.schedule.scheduling import (
        ORDER_COLUMNS,
        Schedule,
        read_former,
        schedule_line,
    )
    from linewright.schedule.solving import Progress, solve
    from linewright.schedule.table import SCHEDULE_COLUMNS, read_table, write_table

__all__ = [
    "ORDER_COLUMNS",
    "SCHEDULE_COLUMNS",
    "DatedOrder",
    "Problem",
    "Progress",
    "Schedule",
    "Solution",
    "compile_line",
    "orders_of",
    "read_former",
    "read_orders",
    "read_table",
    "schedule_line",
    "solve",
    "write_table",
]

_IN = {
    "compiling": ("compile_line",),
    "orders": ("DatedOrder", "orders_of", "read_orders"),
    "problem": ("Problem", "Solution"),
    "scheduling": ("ORDER_COLUMNS", "Schedule", "read_former", "schedule_line"),
    "solving": ("Progress", "solve"),
    "table": ("SCHEDULE_COLUMNS", "read_table", "write_table"),
}
_MODULE_OF = {name: module for module, names in _IN.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: controllers search for no schedules."""
    if name in _MODULE_OF:
        module = import_module(f"linewright.schedule.{_MODULE_OF[name]}")
        return getattr(module, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
