"""Rules of one's own: functions in Python that decide what starts and what comes in.

A model names them (`linewright.model.line.PythonRule`); nothing of them runs until
`permit` says so. The kernel calls back with numbers (`kernel/rules.py`); `Caller` turns
them into plain copies (`_views`), asks the function, checks the answer, and stops the
run with a `RuleError` where there is none. `Watchdog` ends a call that takes too long.
"""

from linewright.own_rules._caller import Caller
from linewright.own_rules._functions import (
    Functions,
    given_names,
    permit,
    require_threads,
    threads_for,
)
from linewright.own_rules._views import Candidate, LineNow, Server, Unit

__all__ = [
    "Caller",
    "Candidate",
    "Functions",
    "LineNow",
    "Server",
    "Unit",
    "given_names",
    "permit",
    "require_threads",
    "threads_for",
]
