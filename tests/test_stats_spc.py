"""Control charts and capability against published examples, tables and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from linewright.stats.capability import capability
from linewright.stats.control_charts import (
    BY_CHANCE,
    Chart,
    c_chart,
    ewma_chart,
    individuals,
    p_chart,
    range_mean,
    range_sd,
    signals,
    xbar_r,
)

# n, d2, d3, A2, D3, D4: Montgomery, Introduction to Statistical Quality Control
FACTORS = [
    (2, 1.128, 0.853, 1.880, 0.0, 3.267),
    (3, 1.693, 0.888, 1.023, 0.0, 2.574),
    (4, 2.059, 0.880, 0.729, 0.0, 2.282),
    (5, 2.326, 0.864, 0.577, 0.0, 2.114),
    (7, 2.704, 0.833, 0.419, 0.076, 1.924),
    (10, 3.078, 0.797, 0.308, 0.223, 1.777),
    (25, 3.931, 0.708, 0.153, 0.459, 1.541),
]


@pytest.mark.parametrize(("n", "d2", "d3", "a2", "d3_limit", "d4"), FACTORS)
def test_factors_are_those_of_the_tables(
    n: int, d2: float, d3: float, a2: float, d3_limit: float, d4: float
) -> None:
    mean, sd = range_mean(n), range_sd(n)
    assert (mean, sd) == pytest.approx((d2, d3), abs=6e-4)
    assert 3 / (mean * np.sqrt(n)) == pytest.approx(a2, abs=6e-4)
    assert max(1 - 3 * sd / mean, 0) == pytest.approx(d3_limit, abs=1.1e-3)
    assert 1 + 3 * sd / mean == pytest.approx(d4, abs=1.1e-3)


FLOW = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]


def test_nist_individuals() -> None:
    """NIST/SEMATECH e-Handbook, 6.3.2.2: ten flow rates."""
    chart, moving = individuals(FLOW)
    assert chart.center == pytest.approx(50.81)
    assert moving.center == pytest.approx(1.8778, abs=5e-5)
    # with d2 cut to three digits, as the handbook does
    assert (chart.upper[0], chart.lower[0]) == pytest.approx(
        (55.8041, 45.8159), abs=3e-3
    )
    assert moving.lower[0] == 0
    assert moving.upper[0] == pytest.approx(3.267 * 1.8778, abs=2e-3)
    assert signals(chart, "western_electric") == []


def test_nist_ewma() -> None:
    """NIST/SEMATECH e-Handbook, 6.3.2.4: weight 0.3, target 50, deviation 2.0539."""
    values = [
        52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9,
        51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1,
    ]  # fmt: skip
    told = [
        50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11,
        49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99,
    ]  # fmt: skip
    chart = ewma_chart(values, 0.3, 50.0, 2.0539)
    np.testing.assert_allclose(chart.points, told, atol=0.0051)
    assert chart.upper[-1] == pytest.approx(52.5884, abs=2e-3)
    assert chart.lower[-1] == pytest.approx(47.4115, abs=2e-3)
    assert chart.upper[0] == pytest.approx(50 + 3 * 0.3 * 2.0539)
    assert signals(chart) == []


def test_nist_counts_and_shares() -> None:
    """NIST/SEMATECH e-Handbook, 6.3.3.1 and 6.3.3.2: flaws, and shares of 50 chips."""
    flaws = [
        16, 14, 28, 16, 12, 20, 10, 12, 10, 17, 19, 17, 14, 16, 15, 13, 14, 16, 11, 20,
        11, 19, 16, 31, 13,
    ]  # fmt: skip
    chart = c_chart(flaws)
    assert (chart.center, chart.lower[0], chart.upper[0]) == (16, 4, 28)
    assert [one.point for one in signals(chart) if one.rule == 1] == [23]
    shares = [
        12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18,
        24, 15, 9, 12, 7, 13, 9, 6,
    ]  # fmt: skip
    chart = p_chart(shares, [50] * 30)
    assert chart.center == pytest.approx(0.2313, abs=5e-5)
    assert chart.upper[0] == pytest.approx(0.4102, abs=1e-4)
    assert chart.lower[0] == pytest.approx(0.0524, abs=1e-4)
    assert [one.point for one in signals(chart) if one.rule == 1] == [14, 22]


def plain(z: list[float]) -> Chart:
    points, ones = np.array(z, float), np.ones(len(z))
    return Chart("I", points, 0.0, ones, -3 * ones, 3 * ones, 1.0)


CASES = [
    ("western_electric", 1, [0, 0, 3.1], [2]),
    ("western_electric", 2, [2.1, 0, 2.2, -2.1, -2.2], [2, 4]),
    ("western_electric", 3, [1.1, 1.2, 0, 1.3, 1.4], [4]),
    ("western_electric", 4, [0.1, 0.5] * 4 + [-0.1], [7]),
    ("nelson", 2, [0.1] * 9 + [-1], [8]),
    ("nelson", 3, [-1, -0.5, 0, 0.5, 0.6, 0.7, 0.7], [5]),
    ("nelson", 4, [0, 1] * 7 + [2], [13]),
    ("nelson", 7, [0.9, -0.9] * 8, [14, 15]),
    ("nelson", 8, [1.1, -1.1] * 4, [7]),
]


@pytest.mark.parametrize(("rules", "rule", "z", "found"), CASES)
def test_each_rule_shows_at_its_point_and_not_before(
    rules: str, rule: int, z: list[float], found: list[int]
) -> None:
    told = signals(plain(z), rules)  # type: ignore[arg-type]
    assert [one.point for one in told if one.rule == rule] == found


def test_false_alarms_come_as_often_as_the_rules_allow() -> None:
    """A point beyond three sigma: 0.27 %; Western Electric's four: one in 91.75.

    Champ and Woodall (1987), Technometrics 29, 393-399: average run length 91.75.
    """
    rng = np.random.default_rng(5)
    lengths = []
    for _ in range(600):
        told = signals(plain(list(rng.standard_normal(400))), "western_electric")
        lengths.append(told[0].point + 1 if told else 400)
    # cut off at 400: the mean of a run length with that hazard is 1 - e^(-400/L) of it
    expected = 91.75 * (1 - np.exp(-400 / 91.75))
    half = 3.9 * np.std(lengths) / np.sqrt(len(lengths))
    assert abs(np.mean(lengths) - expected) < half < 16


@pytest.mark.parametrize("rules", ["nelson", "western_electric"])
def test_signals_by_chance_are_as_many_as_is_said(rules: str) -> None:
    x = np.random.default_rng(11).standard_normal(200_000)
    told = signals(plain(list(x)), rules)  # type: ignore[arg-type]
    share = len({one.point for one in told}) / len(x)
    assert abs(share - BY_CHANCE[rules]) < 0.002


@pytest.mark.parametrize("n", [1, 5])
def test_intervals_of_capability_hold_what_they_promise(n: int) -> None:
    rng = np.random.default_rng(7)
    lower, upper, mean = -4.0, 5.0, 0.2
    cp, cpk = 9 / 6, 4.2 / 3
    held = np.zeros(4)
    for _ in range(500):
        found = capability(mean + rng.standard_normal(100), lower, upper, n)
        for i, (index, true) in enumerate(
            [(found.cp, cp), (found.cpk, cpk), (found.pp, cp), (found.ppk, cpk)]
        ):
            assert index
            held[i] += index.low <= true <= index.high
    # 95 % within four standard errors; the intervals are approximate by one percent
    assert np.all(np.abs(held / 500 - 0.95) < 0.049)


def test_nist_capability_and_one_sided_limits() -> None:
    """NIST/SEMATECH e-Handbook, 6.1.6: limits 8 and 20, mean 16, deviation 2."""
    x = np.array([14.0, 16.0, 18.0] * 100)
    x = 16 + 2 * (x - x.mean()) / x.std(ddof=1)
    found = capability(x, 8, 20)
    assert found.pp
    assert found.ppk
    assert found.pp.value == pytest.approx(1.0)
    assert found.ppk.value == pytest.approx(0.6667, abs=1e-4)
    above = capability(x, None, 20)
    assert above.cp is None
    assert above.ppk
    assert above.ppk.value == pytest.approx(found.ppk.value)
    with pytest.raises(ValueError, match="not below"):
        capability(x, 20, 8)
    with pytest.raises(ValueError, match="at least 10"):
        xbar_r([1.0] * 9, 5)
