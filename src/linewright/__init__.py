"""Linewright: one model file from which a production line is simulated and shown."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from linewright.errors import (
    DeadlockError,
    Finding,
    KernelError,
    LinewrightError,
    ModelError,
    ResultError,
    RuleError,
)
from linewright.model.check import check, load_checked
from linewright.model.line import Line
from linewright.model.load import load, loads
from linewright.simulate import simulate
from linewright.version import __version__

if TYPE_CHECKING:
    from linewright.plan.feasible import plan_quantities
    from linewright.plan.outcome import Plan
    from linewright.plan.planning import Promise, plan_line
    from linewright.plan.quantities import QuantityPlan
    from linewright.results import Result

__all__ = [
    "DeadlockError",
    "Finding",
    "KernelError",
    "Line",
    "LinewrightError",
    "ModelError",
    "Plan",
    "Promise",
    "QuantityPlan",
    "Result",
    "ResultError",
    "RuleError",
    "__version__",
    "check",
    "load",
    "load_checked",
    "loads",
    "plan_line",
    "plan_quantities",
    "simulate",
]

_LATER = {
    "Plan": "plan.outcome",
    "Promise": "plan.planning",
    "QuantityPlan": "plan.quantities",
    "Result": "results",
    "plan_line": "plan.planning",
    "plan_quantities": "plan.feasible",
}
"""What is imported when it is asked for, so that no other verb waits for it."""


def __getattr__(name: str) -> Any:
    """Return planning and results, which take a quarter of a second to import each."""
    if name in _LATER:
        return getattr(import_module(f"linewright.{_LATER[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
