"""Curves: what operations learn, and how stations ramp up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from linewright import tables as t
from linewright.lower._build import Build
from linewright.model.line import RampPoint, Step
from linewright.model.moments import tick_of

__all__ = ["add_ramp", "lower_learning"]


def lower_learning(build: Build, step: Step) -> int:
    """Add what is learned of an operation, once for its name; return its row, or -1."""
    learning = step.learning
    if learning is None:
        return -1
    if step.operation not in build.curve_rows:
        build.curve_rows[step.operation] = len(build.curves)
        kind = t.WRIGHT if learning.curve == "wright" else t.CRAWFORD
        build.curves.append(
            {
                "kind": kind,
                "exponent": math.log2(learning.rate),
                "plateau": learning.plateau,
                "half_life": learning.half_life or 0,
                "before": learning.done,
            }
        )
    return build.curve_rows[step.operation]


def add_ramp(build: Build, points: Sequence[RampPoint]) -> int:
    """Add a share that changes with time; return its row, -1 for none."""
    if not points:
        return -1
    first = len(build.data)
    build.data.extend(float(tick_of(build.line, point.at)) for point in points)
    build.data.extend(point.share for point in points)
    build.curves.append({"kind": t.RAMP, "first": first, "n": len(points)})
    return len(build.curves) - 1
