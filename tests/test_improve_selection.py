"""Selections are right as often as they say, and can be resumed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.selection import all_designs, screened, simulate_and_select
from linewright.improve import selection
from linewright.improve.selection import (
    Aim,
    Evaluations,
    Observe,
    Selection,
    kn,
    kn_eta,
    ocba,
    rinott_h,
    subset,
    two_stage,
)
from linewright.stats.intervals import wilson_interval

N_REPETITIONS = 500
N_SYSTEMS = 10
CONFIDENCE = 0.95
BEST = 3


class Noise:
    """Normal systems with paired noise: a share of the variance is common to all."""

    def __init__(
        self, means: np.ndarray, spreads: np.ndarray, common: float, seed: int
    ) -> None:
        self.means, self.spreads, self.common = means, spreads, common
        self.rng = np.random.default_rng(seed)
        self.noise = np.empty((0, len(means)))
        self.n_calls = 0
        self.n_observed = 0

    def __call__(self, systems: np.ndarray, first: int, last: int) -> np.ndarray:
        self.n_calls += 1
        self.n_observed += len(systems) * (last - first)
        while len(self.noise) < last:
            shared = self.rng.normal(size=(256, 1))
            own = self.rng.normal(size=(256, len(self.means)))
            both = math.sqrt(self.common) * shared + math.sqrt(1 - self.common) * own
            self.noise = np.concatenate([self.noise, both])
        of = self.noise[first:last, systems].T
        return np.asarray(self.means[systems, None] + self.spreads[systems, None] * of)


def slippage(common: float, seed: int, delta: float = 1.0) -> Noise:
    """All means equal but the best's, which is better by delta; unequal variances."""
    means = np.zeros(N_SYSTEMS)
    means[BEST] = delta
    return Noise(means, np.linspace(1.0, 4.0, N_SYSTEMS), common, seed)


def successes(select: Callable[[Observe], Selection], common: float) -> int:
    return sum(
        select(slippage(common, seed)).chosen == BEST for seed in range(N_REPETITIONS)
    )


def not_below(right: int, asked: float) -> bool:
    return wilson_interval(right, N_REPETITIONS, 0.99).high >= asked


@pytest.mark.parametrize("common", [0.0, 0.8], ids=["independent", "common"])
def test_kn_is_right_as_often_as_asked_in_the_hardest_case(common: float) -> None:
    aim = Aim(1.0, CONFIDENCE, n_first=12, growth=0.1)
    right = successes(lambda observe: kn(observe, N_SYSTEMS, aim), common)
    assert not_below(right, CONFIDENCE), right


@pytest.mark.soak
def test_kn_is_right_as_often_looking_after_every_replication() -> None:
    aim = Aim(1.0, CONFIDENCE, n_first=12, growth=0.0)
    right = successes(lambda observe: kn(observe, N_SYSTEMS, aim), 0.5)
    assert not_below(right, CONFIDENCE), right


def test_two_stages_are_right_as_often_as_asked_with_independent_streams() -> None:
    aim = Aim(1.0, CONFIDENCE, n_first=12)
    right = successes(lambda observe: two_stage(observe, N_SYSTEMS, aim), 0.0)
    assert not_below(right, CONFIDENCE), right


@pytest.mark.parametrize("common", [0.0, 0.8], ids=["independent", "common"])
def test_screening_keeps_the_best_as_often_as_asked(common: float) -> None:
    kept, left = 0, 0
    for seed in range(N_REPETITIONS):
        values = slippage(common, seed)(np.arange(N_SYSTEMS), 0, 10)
        found = subset(values, 1.0, CONFIDENCE)
        kept += BEST in found
        left += len(found)
    assert not_below(kept, CONFIDENCE), kept
    assert left < N_REPETITIONS * N_SYSTEMS


def test_screening_a_large_set_drops_what_is_plainly_worse() -> None:
    means = -np.arange(3_000) / 100
    noise = Noise(means, np.ones(3_000), 0.5, 1)
    found = subset(noise(np.arange(3_000), 0, 20))
    assert 0 in found
    assert len(found) < 300
    assert subset(np.ones((1, 5))).tolist() == [0]


def test_the_best_of_3249_lines_is_selected_by_simulation() -> None:
    """Right or within 0.01 of the best, 5.776, as often as asked, after the screen."""
    case = all_designs()
    best = float(case.exact.max())
    rows = screened(case)
    assert case.exact[rows].max() == best
    some = case.part(rows)
    n_repetitions = 10
    right = sum(
        some.is_right(simulate_and_select(some, seed).chosen, best)
        for seed in range(n_repetitions)
    )
    assert wilson_interval(right, n_repetitions, 0.99).high >= CONFIDENCE
    whole = simulate_and_select(case, 1)
    assert case.is_right(whole.chosen, best)
    assert whole.is_complete


def test_common_random_numbers_save_replications() -> None:
    aim = Aim(1.0, CONFIDENCE, n_first=12)
    used = [
        np.mean(
            [
                kn(slippage(common, seed), N_SYSTEMS, aim).n_replications
                for seed in range(20)
            ]
        )
        for common in (0.0, 0.8)
    ]
    # The spreads differ, so a part of the noise stays even where all of it is common.
    assert used[1] < 0.8 * used[0]


def test_a_large_set_is_decided_as_if_all_pairs_had_been_looked_at() -> None:
    rng = np.random.default_rng(7)
    means = np.sort(rng.normal(size=400))
    means[-1] += 0.5
    aim = Aim(0.5, CONFIDENCE, n_first=15)
    found = kn(Noise(means, np.full(400, 1.5), 0.5, 8), 400, aim)
    assert means[found.chosen] >= means[-1] - 0.5
    dropped = [e.system for e in found.eliminated]
    assert sorted([*dropped, found.chosen]) == list(range(400))
    for e in found.eliminated:
        assert found.counts[e.system] == e.after
        assert e.rival != e.system


def test_a_selection_that_was_cut_off_goes_on_where_it_stopped() -> None:
    aim = Aim(1.0, CONFIDENCE, n_first=12)
    whole_noise = slippage(0.5, 5)
    whole = kn(whole_noise, N_SYSTEMS, aim)
    kept = Evaluations()
    saved = ""
    noise = slippage(0.5, 5)

    def cut_off(systems: np.ndarray, first: int, last: int) -> np.ndarray:
        nonlocal saved
        saved = json.dumps(kept.plain())
        if noise.n_calls == 6:
            raise KeyboardInterrupt
        return noise(systems, first, last)

    with pytest.raises(KeyboardInterrupt):
        kn(cut_off, N_SYSTEMS, aim, kept)
    again = Evaluations(json.loads(saved))
    assert again.n_total == noise.n_observed
    rest = slippage(0.5, 5)
    assert kn(rest, N_SYSTEMS, aim, again) == whole
    assert noise.n_observed + rest.n_observed == whole_noise.n_observed


def test_a_limit_of_replications_promises_nothing() -> None:
    aim = Aim(0.01, CONFIDENCE, n_first=10, n_most=50)
    found = kn(slippage(0.0, 1), N_SYSTEMS, aim)
    assert not found.is_complete
    assert math.isnan(found.confidence)
    assert max(found.counts) == 50
    assert not two_stage(slippage(0.0, 1), N_SYSTEMS, aim).is_complete


def test_equal_systems_and_systems_without_noise_come_to_an_end() -> None:
    constant = Noise(np.zeros(4), np.zeros(4), 0.0, 1)
    assert kn(constant, 4, Aim(0.1)).is_complete
    apart = Noise(np.array([0.0, 0.2, 0.1]), np.zeros(3), 0.0, 1)
    assert kn(apart, 3, Aim(0.1)).chosen == 1
    assert kn(apart, 1, Aim(0.1)).chosen == 0


def test_ocba_spends_its_budget_and_beats_equal_shares() -> None:
    means = np.linspace(0.0, 2.7, N_SYSTEMS)
    spreads = np.full(N_SYSTEMS, 2.0)
    n_total, right, equal = 400, 0, 0
    for seed in range(150):
        noise = Noise(means, spreads, 0.0, seed)
        found = ocba(noise, N_SYSTEMS, n_total)
        assert found.n_replications == n_total == noise.n_observed
        assert 0 <= found.confidence <= 1
        right += found.chosen == N_SYSTEMS - 1
        every = np.arange(N_SYSTEMS)
        equal += noise(every, 0, n_total // N_SYSTEMS).mean(1).argmax() == 9
    assert right > equal + 10


def test_ocba_gives_the_shares_of_the_rule() -> None:
    """With two systems the shares are as the standard deviations."""
    shares = selection._ocba_shares(np.array([1.0, 0.0]), np.array([4.0, 1.0]))  # noqa: SLF001
    np.testing.assert_allclose(shares, [2 / 3, 1 / 3])


def test_the_constant_of_kim_and_nelson_solves_its_equation() -> None:
    """For c = 1: (1 + 2 eta)^(-(n - 1) / 2) / 2 = alpha / (k - 1)."""
    for k, n, confidence in ((2, 10, 0.9), (10, 20, 0.95), (3249, 20, 0.99)):
        eta = kn_eta(k, n, confidence)
        left = 0.5 * (1 + 2 * eta) ** (-(n - 1) / 2)
        assert left == pytest.approx((1 - confidence) / (k - 1), rel=1e-12)


def test_rinotts_constant_for_two_systems_is_a_quantile_of_two_students() -> None:
    """P(T1 - T2 <= h), by a sum over a grid of Student's density."""
    from scipy.stats import t as student  # noqa: PLC0415 - slow

    for n, confidence in ((10, 0.95), (20, 0.9), (40, 0.99)):
        h = rinott_h(2, n, confidence)
        x, step = np.linspace(-60, 60, 60_001, retstep=True)
        probability = float((student.pdf(x, n - 1) * student.cdf(x + h, n - 1)).sum())
        assert probability * step == pytest.approx(confidence, abs=1e-6)


def test_rinotts_constant_is_met_by_drawing_its_definition() -> None:
    """Given the best's variance, differences from the others count as independent."""
    rng = np.random.default_rng(20_270_304)
    for k, n, confidence in ((10, 20, 0.95), (5, 10, 0.9)):
        h, n_drawn = rinott_h(k, n, confidence), 200_000
        shares = (n - 1) / rng.chisquare(n - 1, (n_drawn, k))
        spread = np.sqrt(shares[:, :1] + shares[:, 1:])
        below = rng.normal(size=(n_drawn, k - 1)) * spread <= h
        assert confidence in wilson_interval(int(below.all(1).sum()), n_drawn, 0.999)


def test_rinotts_constant_tends_to_that_of_known_variances() -> None:
    """Bechhofer (1954): for two systems sqrt(2) times the normal quantile."""
    assert rinott_h(2, 2_000, 0.95) == pytest.approx(math.sqrt(2) * 1.64485, rel=2e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Aim(0.0),
        lambda: Aim(1.0, 1.0),
        lambda: Aim(1.0, n_first=1),
        lambda: kn(slippage(0, 1), 0, Aim(1.0)),
        lambda: kn(slippage(0, 1), 10, Aim(1.0, 0.1)),
        lambda: kn(lambda _systems, _first, _last: np.ones((2, 2)), 10, Aim(1.0)),
        lambda: ocba(slippage(0, 1), 10, 50),
        lambda: subset(np.ones((4, 1))),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(
        ValueError, match=r"aim|guessing|finite|budget|two replications"
    ):
        wrong()
