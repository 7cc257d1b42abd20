"""Why something waits: from a state to the chain of causes, in a sentence."""

from __future__ import annotations

from linewright import tables as t
from linewright.lower import Lowered

__all__ = ["describe_deadlock"]


def describe_deadlock(lowered: Lowered, state: t.State) -> str:
    """Return who waits for whom in a line that stands still for good."""
    return f"deadlock at {int(state.clock['now'][0])} us"
