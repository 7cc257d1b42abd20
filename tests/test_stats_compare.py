"""Comparisons on common random numbers: narrower, and honest about how many."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from linewright.stats.compare import compare
from linewright.stats.intervals import mean_interval, paired_interval

Floats = NDArray[np.float64]


def mean_waits(load: float, seeds: list[int]) -> Floats:
    """Mean wait of 2,000 customers of an M/M/1 queue, from given random numbers."""
    means = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        arrive, serve = rng.exponential(1, 2_000), rng.exponential(1, 2_000)
        walk = np.cumsum(load * serve - arrive)
        wait = walk - np.minimum(np.minimum.accumulate(walk), 0)
        means.append(wait.mean())
    return np.array(means)


def test_pairing_cuts_the_variance_at_least_fivefold() -> None:
    seeds = list(range(100))
    scenarios = {
        "base": {"wait": mean_waits(0.7, seeds)},
        "faster": {"wait": mean_waits(0.68, seeds)},
        "unpaired": {"wait": mean_waits(0.68, [s + 1_000 for s in seeds])},
    }
    faster, unpaired = compare(scenarios)
    assert faster.variance_reduction > 5
    assert 0.5 < unpaired.variance_reduction < 2
    assert faster.significant
    assert faster.difference.half_width < unpaired.difference.half_width / 2
    assert faster.difference.high < 0


def test_each_scenario_gets_its_share_of_the_error() -> None:
    rng = np.random.default_rng(1)
    scenarios = {name: {"rate": rng.normal(size=12)} for name in "abcde"}
    found = compare(scenarios, confidence=0.9)
    assert [c.scenario for c in found] == ["b", "c", "d", "e"]
    for comparison in found:
        one, two = scenarios["a"]["rate"], scenarios[comparison.scenario]["rate"]
        assert comparison.difference == paired_interval(one, two, 0.975)
        assert comparison.base == mean_interval(one, 0.9)
        assert comparison.difference.mean == pytest.approx(
            comparison.other.mean - comparison.base.mean
        )
        assert "Bonferroni: 0.975 each" in comparison.method
        assert "over 12 replications" in comparison.method
    [only] = compare({name: scenarios[name] for name in "ab"})
    assert "Bonferroni" not in only.method
    assert only.difference.confidence == 0.95


def test_joint_coverage_is_at_least_what_is_asked() -> None:
    rng = np.random.default_rng(8)
    hits = []
    for _ in range(1_000):
        common = rng.normal(0, 5, 15)
        values = {str(k): {"x": common + rng.normal(k, 1, 15)} for k in range(5)}
        found = compare(values)
        hits.append(all(k in c.difference for k, c in enumerate(found, start=1)))
    assert np.mean(hits) > 0.935


def test_measures_that_one_side_lacks_are_left_out() -> None:
    found = compare({"a": {"x": [1, 2], "y": [1, 2]}, "b": {"y": [2, 4], "z": [0, 0]}})
    assert [(c.measure, c.baseline) for c in found] == [("y", "a")]
    assert found[0].relative_difference == 1


def test_equal_scenarios_do_not_differ() -> None:
    [same] = compare({"a": {"x": [1, 2, 4]}, "b": {"x": [1, 2, 4]}})
    assert same.variance_reduction == math.inf
    assert not same.significant
    [flat] = compare({"a": {"x": [0, 0]}, "b": {"x": [0, 0]}})
    assert flat.variance_reduction == 1
    assert math.isnan(flat.relative_difference)


def test_what_cannot_be_compared_is_said() -> None:
    [single] = compare({"a": {"x": [1.0]}, "b": {"x": [2.0]}})
    assert math.isnan(single.variance_reduction)
    assert not single.significant
    [broken] = compare({"a": {"x": [1.0, math.nan]}, "b": {"x": [2.0, 3.0]}})
    assert math.isnan(broken.difference.mean)
    assert not broken.significant
    with pytest.raises(ValueError, match="two scenarios"):
        compare({"a": {"x": [1.0]}})
    with pytest.raises(ValueError, match="both sides"):
        compare({"a": {"x": [1.0]}, "b": {"x": [1.0, 2.0]}})
