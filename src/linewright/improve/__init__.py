"""What holds a line back, what each change is worth, and which ones to choose.

`bottleneck`, `worth` and `losses` look at a line; `options` and `search` choose what to
change, by `selection`; `decisions` keeps what was ratified. `tasks` reads tasks, and
`balancing` puts them on stations.
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
