"""Scenarios against the first of them, on common random numbers.

Replication r of every scenario has used the same random streams, so differences are
taken replication by replication, and what chance did to both cancels. Each measure is
judged by itself; over the scenarios the confidence is shared out (Bonferroni), so that
all intervals of one measure hold together with the confidence asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linewright.stats.intervals import Interval, mean_interval, paired_interval

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of one scenario against that of the baseline.

    Attributes:
        measure: Name of the measure.
        scenario: Name of the scenario.
        baseline: Name of the scenario it is compared with.
        base: Interval of the baseline's mean, at the joint confidence.
        other: Interval of the scenario's mean, at the joint confidence.
        difference: Interval of `other - base` over pairs, at its Bonferroni share.
        joint_confidence: Probability that the differences of this measure hold for all
            scenarios together.
        n_comparisons: Scenarios among which the error was shared out.
        variance_reduction: Variance of the difference without pairing over that with
            it; above 1 the pairing helped.
    """

    measure: str
    scenario: str
    baseline: str
    base: Interval
    other: Interval
    difference: Interval
    joint_confidence: float
    n_comparisons: int
    variance_reduction: float

    @property
    def significant(self) -> bool:
        """Whether the difference's interval leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0

    @property
    def relative_difference(self) -> float:
        """Difference as a share of the baseline's mean; nan where that is 0."""
        if self.base.mean == 0:
            return math.nan
        return self.difference.mean / abs(self.base.mean)

    @property
    def method(self) -> str:
        """How the interval was made, in words for a report."""
        text = f"paired Student t over {self.difference.n} replications"
        if self.n_comparisons == 1:
            return f"{text}, {self.joint_confidence:.4g} confidence"
        return (
            f"{text}, {self.joint_confidence:.4g} confidence jointly over "
            f"{self.n_comparisons} scenarios (Bonferroni: "
            f"{self.difference.confidence:.6g} each)"
        )


def compare(
    scenarios: Mapping[str, Mapping[str, ArrayLike]], confidence: float = 0.95
) -> list[Comparison]:
    """Return each scenario after the first compared with it, measure by measure.

    Args:
        scenarios: Values of each measure, one for each replication, by the names of
            scenario and measure. Measures that the first scenario or the other lacks
            are left out.
        confidence: Joint confidence over the scenarios, for each measure.

    Raises:
        ValueError: There are fewer than two scenarios, replications differ in number,
            or the confidence is not between 0 and 1.
    """
    if len(scenarios) < 2:
        msg = f"a comparison needs two scenarios or more, got {len(scenarios)}"
        raise ValueError(msg)
    (baseline, base), *others = scenarios.items()
    n_comparisons = len(others)
    each = 1 - (1 - confidence) / n_comparisons
    found = []
    for scenario, values in others:
        for measure in (name for name in base if name in values):
            one, two = np.asarray(base[measure]), np.asarray(values[measure])
            found.append(
                Comparison(
                    measure=measure,
                    scenario=scenario,
                    baseline=baseline,
                    base=mean_interval(one, confidence),
                    other=mean_interval(two, confidence),
                    difference=paired_interval(one, two, each),
                    joint_confidence=confidence,
                    n_comparisons=n_comparisons,
                    variance_reduction=_variance_reduction(one, two),
                )
            )
    return found


def _variance_reduction(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    if one.size < 2 or not (np.isfinite(one).all() and np.isfinite(two).all()):
        return math.nan
    apart = float(one.var(ddof=1) + two.var(ddof=1))
    paired = float((two - one).var(ddof=1))
    if paired == 0:
        return 1.0 if apart == 0 else math.inf
    return apart / paired
