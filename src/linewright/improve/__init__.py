"""What to change in a line: assembly line balancing, so far.

`tasks` reads tasks, `balancing` puts them on stations: the module to read first.
"""

from linewright.improve.balancing import (
    Balance,
    fewest_stations,
    least_idle,
    shortest_cycle,
)
from linewright.improve.tasks import Tasks, new_tasks, read_tasks

__all__ = [
    "Balance",
    "Tasks",
    "fewest_stations",
    "least_idle",
    "new_tasks",
    "read_tasks",
    "shortest_cycle",
]
