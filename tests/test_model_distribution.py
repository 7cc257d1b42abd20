"""Distributions: reading and writing, and moments against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from linewright.model.distribution import KINDS, Distribution

TEXTS = [
    "5 min",
    "0 s",
    "uniform(1 s, 9 s)",
    "triangular(4 min, 5 min, 8 min)",
    "exponential(5 min)",
    "erlang(6 min, stages=3)",
    "gamma(5 min, cv=0.7)",
    "lognormal(5 min, cv=1.3)",
    "normal(5 s, 3 s)",
    "weibull(5 min, shape=1.7)",
    "beta(1 s, 9 s, a=2, b=3.5)",
    "pert(4 s, 5 s, 12 s)",
    "hyperexponential(5 s, cv=2.5)",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_distribution_is_written_as_it_is_read(text: str) -> None:
    distribution = Distribution.model_validate(text)
    assert str(distribution) == text
    assert Distribution.model_validate(distribution.model_dump()) == distribution


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("uniform(1 s, 9 s)", stats.uniform(1, 8)),
        ("triangular(4 s, 5 s, 8 s)", stats.triang(0.25, 4, 4)),
        ("exponential(5 s)", stats.expon(scale=5)),
        ("erlang(6 s, 3)", stats.erlang(3, scale=2)),
        ("gamma(5 s, 0.5)", stats.gamma(4, scale=1.25)),
        (
            "lognormal(5 s, 0.5)",
            stats.lognorm(math.sqrt(math.log(1.25)), scale=5 / math.sqrt(1.25)),
        ),
        ("normal(5 s, 3 s)", stats.truncnorm(-5 / 3, np.inf, 5, 3)),
        ("weibull(5 s, 1.7)", stats.weibull_min(1.7, scale=5)),
        ("beta(1 s, 9 s, 2, 3.5)", stats.beta(2, 3.5, 1, 8)),
        ("pert(4 s, 5 s, 12 s)", stats.beta(1.5, 4.5, 4, 8)),
    ],
)
def test_moments_agree_with_scipy(text: str, reference: stats.rv_continuous) -> None:
    distribution = Distribution.model_validate(text)
    assert distribution.mean_us / 1e6 == pytest.approx(reference.mean())
    assert distribution.variance_us2 / 1e12 == pytest.approx(reference.var())


def test_sampled_kinds_keep_their_values() -> None:
    discrete = Distribution.model_validate(
        {"discrete": {"values": ["1 s", "3 s"], "weights": [0.25, 0.75]}}
    )
    empirical = Distribution.model_validate({"empirical": {"values": ["1 s", "3 s"]}})
    assert (discrete.mean_us, empirical.mean_us) == (2_500_000, 2_000_000)
    for times in (discrete, empirical):
        assert Distribution.model_validate(times.model_dump()) == times


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"discrete", "empirical"}))
def test_a_kind_with_too_few_parameters_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"{kind} takes"):
        Distribution(kind=kind, parameters=())
    with pytest.raises(ValueError, match=f"{kind} takes"):
        Distribution.model_validate(f"{kind}()")


@pytest.mark.parametrize(
    "text",
    [
        "exponential(0 s)",
        "uniform(3 s, 1 s)",
        "erlang(5 s, 2.5)",
        "gamma(5 s, 0)",
        "gamma(5 s, nan)",
        "weibull(300000 d, 0.05)",
        "exponential(5 s, 3 s)",
        "exponential(mean=5 s, mean=3 s)",
        "Exponential(5 s)",
        "exponential(5 s",
        "(5 s)",
        "",
        True,
        None,
        [],
        {},
        {"gamma": {"mean": "5 s"}},
        {"gamma": 5, "beta": 3},
        {"discrete": {"values": [], "weights": []}},
        {"discrete": {"values": ["1 s"], "weights": [0.5]}},
        {"discrete": {"values": ["1 s", "2 s"], "weights": [1.5, -0.5]}},
        {"discrete": {"values": 3, "weights": 3}},
        {"empirical": {"values": []}},
    ],
)
def test_what_is_no_distribution_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="error"):
        Distribution.model_validate(text)
