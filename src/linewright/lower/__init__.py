"""From names to rows: a `Line` becomes the tables that the kernel reads.

Every name is turned into a row number here, once; `results` turns them back. The line
is taken to have passed `check`: what is asked for here exists.

`_line` is the module to read first: it goes through a line in order. `_stations`,
`_routes` and `_sources` add the rows of what the model file names, `_links` says who
waits for whom and where the line is simple, and `_build` holds the tables while they
grow. `_state` makes what a run starts from.
"""

from linewright.lower._build import OwnRule, zeros
from linewright.lower._line import Lowered, lower
from linewright.lower._quality import Made, StepQuality
from linewright.lower._state import (
    following_causes,
    longer_chain,
    new_draws,
    new_state,
    part_capacity,
    resumed_state,
    stream_keys,
)

__all__ = [
    "Lowered",
    "Made",
    "OwnRule",
    "StepQuality",
    "following_causes",
    "longer_chain",
    "lower",
    "new_draws",
    "new_state",
    "part_capacity",
    "resumed_state",
    "stream_keys",
    "zeros",
]
