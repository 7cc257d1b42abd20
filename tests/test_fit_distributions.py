"""Distributions fitted to times: against scipy, and against what was drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from linewright.fit.changepoint import WATCHED, _chance, _statistics, change_point
from linewright.fit.distributions import (
    Candidate,
    Fit,
    _candidates,
    _fit_of,
    as_distribution,
    fit_times,
    scores,
)
from linewright.fit.families import FAMILIES
from linewright.fit.log import Floats

PARAMETERS = {
    "exponential": (3.0,),
    "erlang": (4.0, 3.0),
    "gamma": (5.0, 0.6),
    "lognormal": (5.0, 0.5),
    "normal": (5.0, 2.0),
    "weibull": (4.0, 1.7),
    "hyperexponential": (3.0, 2.5),
    "uniform": (2.0, 7.0),
    "triangular": (1.0, 3.0, 8.0),
    "pert": (1.0, 3.0, 8.0),
    "beta": (1.0, 9.0, 2.0, 3.5),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_family_is_one_distribution(kind: str) -> None:
    """Density, distribution function, samples and the model's moments agree."""
    family, p = FAMILIES[kind], np.array(PARAMETERS[kind])
    x = np.array([1.5, 2.5, 4.0, 6.5])
    mass = [
        integrate.quad(
            lambda t: float(np.exp(family.log_pdf(np.array([t]), p)[0])),
            a,
            b,
            limit=200,
        )[0]
        for a, b in itertools.pairwise(x)
    ]
    np.testing.assert_allclose(np.diff(family.cdf(x, p)), mass, rtol=1e-6)
    ends = family.cdf(np.array([0.0, 1e4]), p)
    np.testing.assert_allclose(ends, [0, 1], atol=1e-9)
    drawn = family.draw(p, np.random.default_rng(1), (20_000,))
    assert stats.kstest(drawn, lambda t: family.cdf(t, p)).pvalue > 1e-3
    fit = fit_times(kind, drawn[:5_000])
    d = fit.distribution()
    assert d.mean_us / 1e6 == pytest.approx(drawn.mean(), rel=0.05)
    # the law of the model's own moments, from another module
    own = as_distribution(kind, tuple(PARAMETERS[kind]), ())
    assert own.mean_us / 1e6 == pytest.approx(drawn.mean(), rel=0.05)
    assert own.cv == pytest.approx(drawn.std() / drawn.mean(), rel=0.06)


@pytest.mark.parametrize("kind", ["gamma", "weibull", "lognormal"])
def test_likelihood_peaks_where_scipy_finds_it(kind: str) -> None:
    x = FAMILIES[kind].draw(
        np.array(PARAMETERS[kind]), np.random.default_rng(3), (400,)
    )
    p = FAMILIES[kind].fit(x[None, :])[0]
    ours = FAMILIES[kind].log_pdf(x, p).sum()
    theirs = {"gamma": stats.gamma, "weibull": stats.weibull_min,
              "lognormal": stats.lognorm}[kind]  # fmt: skip
    best = theirs.logpdf(x, *theirs.fit(x, floc=0)).sum()
    assert ours == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("kind", ["exponential", "gamma", "lognormal", "weibull"])
def test_intervals_cover_what_was_drawn(kind: str) -> None:
    """Of 60 intervals of 95 % at least 51 hold the truth: 1 in 5,000 tests does not."""
    true = PARAMETERS[kind]
    inside = np.zeros(len(true), int)
    for seed in range(60):
        x = FAMILIES[kind].draw(np.array(true), np.random.default_rng(seed), (150,))
        only = fit_of_kind(kind, x)
        for i, one in enumerate(only.intervals):
            inside[i] += one.low <= true[i] <= one.high
    assert (inside >= 51).all()


def fit_of_kind(kind: str, x: Floats) -> Fit:
    """Fit one kind alone, as few times are."""
    (candidate,) = _candidates(x[:9], (kind,))
    p = tuple(FAMILIES[kind].fit(x[None, :])[0].tolist())
    chosen = Candidate(kind, p, candidate.aicc)
    return _fit_of(kind, x, x, chosen, [chosen], [])


def test_what_no_distribution_fits_stands_for_itself() -> None:
    random = np.random.default_rng(1)
    x = np.where(
        random.random(800) < 0.4, random.normal(100, 4, 800), random.normal(300, 9, 800)
    )
    fit = fit_times("two heaps", x)
    assert fit.kind == "empirical"
    assert fit.distribution().mean_us / 1e6 == pytest.approx(x.mean(), rel=1e-3)
    assert "no distribution fits" in fit.notes[0]
    zeros = fit_times(
        "often none", np.append(np.zeros(300), random.exponential(9, 700))
    )
    assert zeros.kind == "empirical"
    assert zeros.distribution().values_us.count(0) == pytest.approx(60, abs=1)


def test_few_times_are_warned_of_and_rounding_is_no_distribution() -> None:
    random = np.random.default_rng(2)
    assert "only 29 times" in fit_times("few", random.exponential(9, 29)).notes[0]
    assert fit_times("one", np.array([7.0])).kind == "constant"
    whole = np.round(random.gamma(9, 100, 2_000) / 60) * 60
    assert fit_times("minutes", whole, resolution_s=60).kind in {"gamma", "erlang"}


def test_scores_are_standard_normal_under_the_model_and_tell_a_change() -> None:
    random = np.random.default_rng(4)
    x = random.gamma(4, 25, 600)
    d = fit_times("x", random.gamma(4, 25, 5_000)).distribution()
    z = scores(d, x, random)
    assert abs(z.mean()) < 0.15
    assert z.std() == pytest.approx(1, abs=0.1)
    alarms = 0
    for seed in range(60):  # at 10 %: more than 13 of 60 is 1 chance in 500
        point = change_point(np.random.default_rng(seed).standard_normal(250))
        assert point is not None
        alarms += point.p <= 0.1
    assert alarms <= 13
    shifted = np.append(z[:300], z[300:] + 0.6)
    point = change_point(shifted)
    assert point is not None
    assert point.p < 1e-9  # also where 1 % is shared out among many inputs
    assert abs(point.at - 300) < 25


def test_who_looks_often_raises_no_more_alarms_and_far_chances_are_right() -> None:
    """The largest statistic over all looks at a thousand scores, drawn anew."""
    n, m = 300, WATCHED
    total = np.cumsum(np.random.default_rng(8).standard_normal((n, m)), axis=1)
    total = np.concatenate([np.zeros((n, 1)), total], axis=1)
    highest = np.zeros(n)
    for length in np.unique(np.geomspace(8, m, 120).astype(int)).tolist():
        sums = np.abs(total[:, length:] - total[:, :-length]).max(axis=1)
        highest = np.maximum(highest, sums / np.sqrt(length))
    p = np.array([_chance(x, m, is_watched=True) for x in highest])
    for level in (0.05, 0.2, 0.5):  # lengths between are left out: at most as many
        most = level * n + 3.3 * np.sqrt(level * (1 - level) * n)
        assert 0.4 * level * n < (p <= level).sum() < most
    # one look: beyond what is drawn, as James, James and Siegmund have it and no jump
    chances = [_chance(x, 500, is_watched=False) for x in np.arange(2.0, 6.0, 0.05)]
    assert all(a >= b for a, b in itertools.pairwise(chances))
    assert chances[-1] < 1e-6
    drawn = np.random.default_rng(9).standard_normal((12_000, 500))
    largest = _statistics(drawn, np.inf).max(axis=1)
    for level in (0.01, 0.001):
        x = float(np.quantile(largest, 1 - level))
        assert 0.4 < _chance(x, 500, is_watched=False) / level < 2.2


def test_scores_that_lean_on_their_neighbors_raise_no_more_alarms() -> None:
    alarms = 0
    for seed in range(60):
        z = np.random.default_rng(seed).standard_normal(250)
        for i in range(1, 250):
            z[i] = 0.5 * z[i - 1] + np.sqrt(0.75) * z[i]
        point = change_point(z)
        assert point is not None
        alarms += point.p <= 0.1
    assert alarms <= 15  # as if they were independent it would be more than 30
