"""Schedules: which order, where and when, with a bound, and tried in the simulation.

`scheduling` is the module to read first. `orders` reads what is asked for, `jobs` makes
lots of it, `compiling` makes the `problem`; `kernel_runs` lets the kernel dispatch it
and execute a schedule of it, `solving` makes one with CP-SAT, `table` is what it is
passed on as. `why` follows the causes of a delay.
"""

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
