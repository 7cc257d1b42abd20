"""What can go wrong with played machines, and when."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FAULTS", "LASTING", "WITHOUT_DEVICE", "Fault"]

FAULTS = {
    "slow": "takes five times as long for what it begins from then on",
    "stuck": "stands still, with all it has begun",
    "dead": "does not notice that work has ended: a dead sensor",
    "frozen": "what is read of it stays as it was, while it works on",
    "wrong": "says results that its work cannot have",
    "blind": "says results without what was measured, which comes when it is over",
    "garbled": "says no numbers for what was measured",
    "clock": "its clock is an hour behind",
    "duplicate": "reports every failure twice",
    "disorder": "reports the newest failure first, and an older one later",
    "restart": "starts again and remembers its list; what it had begun, begins anew",
    "forget": "starts again and has forgotten its list, not what was done to units",
    "drop": "all sessions are cut",
}
LASTING = frozenset(FAULTS) - {"restart", "forget", "drop"}
WITHOUT_DEVICE = frozenset({"drop"})


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        kind: One of `FAULTS`.
        device: At which device; empty for ``drop``.
        at_us: When, microseconds from the plant's start.
        for_us: How long, if it is one of those that last; 0 for ever.
    """

    kind: str
    device: str
    at_us: int
    for_us: int = 0
