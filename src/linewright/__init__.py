"""Linewright: one model file from which a production line is simulated and shown."""

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
from linewright.plan.feasible import plan_quantities
from linewright.plan.outcome import Plan
from linewright.plan.planning import Promise, plan_line
from linewright.plan.quantities import QuantityPlan
from linewright.results import Result
from linewright.simulate import simulate
from linewright.version import __version__

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
