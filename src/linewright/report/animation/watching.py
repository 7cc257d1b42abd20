"""What a trace does not hold: people at work, and what stops each server.

The same replication is run once more, from instant to instant, and looked at in
between. Stopping to look changes nothing, as cutting off a warm-up does not.
"""

from __future__ import annotations

from typing import NamedTuple

from linewright import tables as t
from linewright.lower import Lowered, new_draws, new_state
from linewright.replicate import run_until

__all__ = ["Sight", "watch"]


class Sight(NamedTuple):
    """People and stops at an instant, after all that happens at it.

    Attributes:
        at_us: The instant.
        busy: People of each pool at work.
        on: Whether each pool is on shift, 0 or 1.
        down: Row of `server_modes` that stops each server, -1 for none.
    """

    at_us: int
    busy: list[int]
    on: list[int]
    down: list[int]


def watch(
    lowered: Lowered, seed: int, replication: int, at_us: t.Ints
) -> tuple[list[Sight], int | None]:
    """Return what is to be seen at some instants, and since when the line is stuck.

    Args:
        lowered: The line.
        seed: Seed of all streams.
        replication: Number of the replication.
        at_us: The instants, increasing.

    Returns:
        A sight for each instant; and when a deadlock closed before the last of them,
        microseconds, or None.
    """
    state = new_state(lowered)
    draws = new_draws(lowered, seed, replication)
    sights = []
    code = t.REACHED
    for now_us in at_us.tolist():
        code, state = run_until(lowered, state, draws, now_us)
        pools, servers = state.pools, state.servers
        sights.append(
            Sight(
                now_us,
                pools["busy"].tolist(),
                pools["on"].tolist(),
                servers["down"].tolist(),
            )
        )
    return sights, int(state.clock["now"][0]) if code == t.DEADLOCK else None
