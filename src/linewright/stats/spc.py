"""The study of a characteristic: its charts, what they signal, and its capability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from linewright.stats.capability import Capability, capability
from linewright.stats.control_charts import (
    Chart,
    RuleSet,
    Signaled,
    c_chart,
    ewma_chart,
    individuals,
    p_chart,
    signals,
    xbar_r,
)

__all__ = ["LEAST", "Limits", "Study", "study_counts", "study_shares", "study_values"]

LEAST = 10  # values, or samples; fewer say nothing about a process


class Limits(NamedTuple):
    """What the model says of a characteristic.

    Attributes:
        unit: In which it is measured.
        lower: Least that is good.
        nominal: What it should be.
        upper: Most that is good.
        is_counted: Whether it is a count.
    """

    unit: str = ""
    lower: float | None = None
    nominal: float | None = None
    upper: float | None = None
    is_counted: bool = False


class Study(NamedTuple):
    """What was found about a characteristic.

    Attributes:
        product: Its product.
        name: The characteristic, or the operation whose verdicts are counted.
        limits: What the model says of it.
        n: Values, or units inspected.
        charts: Its control charts.
        signals: What each of them signals, in the order of its points.
        capability: Cp, Cpk and their kin; none of counts and shares, without limits, or
            where nothing varies.
    """

    product: str
    name: str
    limits: Limits
    n: int
    charts: tuple[Chart, ...]
    signals: tuple[list[Signaled], ...]
    capability: Capability | None

    @property
    def n_signals(self) -> int:
        """Return how many points of its charts break a rule."""
        return sum(len({one.point for one in found}) for found in self.signals)


def _study(
    of: tuple[str, str], limits: Limits, n: int, charts: Sequence[Chart], rules: RuleSet
) -> Study:
    found = tuple(signals(chart, rules) for chart in charts)
    return Study(*of, limits, n, tuple(charts), found, None)


def study_values(
    of: tuple[str, str],
    values: Sequence[float],
    limits: Limits,
    n_subgroup: int = 1,
    rules: RuleSet = "nelson",
) -> Study:
    """Return the study of measured values: X-bar and R, or I and MR, and EWMA.

    Args:
        of: Product and characteristic.
        values: The values in the order in which they came.
        limits: What the model says.
        n_subgroup: Values in a subgroup; 1 for single values.
        rules: Rules that signal.

    Raises:
        ValueError: There are fewer than ten values, or two subgroups.
    """
    _check(values)
    pair = individuals(values) if n_subgroup == 1 else xbar_r(values, n_subgroup)
    charts = (*pair, ewma_chart(pair[0].points, sigma=float(pair[0].error[0])))
    found = _study(of, limits, len(values), charts, rules)
    if (limits.lower is None and limits.upper is None) or np.ptp(values) == 0:
        return found
    capable = capability(values, limits.lower, limits.upper, n_subgroup)
    return found._replace(capability=capable)


def study_counts(
    of: tuple[str, str],
    values: Sequence[float],
    limits: Limits,
    rules: RuleSet = "nelson",
) -> Study:
    """Return the study of counts of each unit: a c chart.

    Args:
        of: Product and characteristic.
        values: The counts in the order in which they came.
        limits: What the model says.
        rules: Rules that signal.

    Raises:
        ValueError: There are fewer than ten.
    """
    _check(values)
    return _study(of, limits, len(values), (c_chart(values),), rules)


def study_shares(
    of: tuple[str, str],
    is_rejected: Sequence[bool],
    n_sample: int,
    rules: RuleSet = "nelson",
) -> Study:
    """Return the study of rejected units: a p chart of samples of equal size.

    Args:
        of: Product and operation.
        is_rejected: Verdict on each unit in order; what does not fill the last sample
            is left out.
        n_sample: Units in a sample.
        rules: Rules that signal.

    Raises:
        ValueError: There are fewer than ten samples.
    """
    n = len(is_rejected) // n_sample
    samples = np.asarray(is_rejected[: n * n_sample], np.int64).reshape(n, n_sample)
    _check(range(n), f" samples of {n_sample}")
    chart = p_chart(samples.sum(axis=1).tolist(), [n_sample] * n)
    return _study(of, Limits(), n * n_sample, (chart,), rules)


def _check(values: Sequence[float], what: str = " values") -> None:
    if len(values) < LEAST:
        msg = f"{len(values)}{what} are too few; a chart takes {LEAST} or more"
        raise ValueError(msg)
