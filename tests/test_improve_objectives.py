"""What is made better: money, and the chance of meeting targets."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multinomial, poisson

import linewright
from linewright.cli import main
from linewright.improve.chances import highest_chance, log_wealth
from linewright.improve.objectives import objective_of, target_span
from linewright.improve.options import read_options
from linewright.improve.search import Improvement, Store, Study, improve
from linewright.improve.selection import Aim
from linewright.improve.trials import Span, lowered_of
from linewright.plan.planning import plan_line
from linewright.stats.intervals import paired_share_interval, wilson_interval

HOUR_US = 3_600_000_000

MONEY = """
schema_version: 1
name: One station
currency: EUR
energy: {price: 0.5/kWh}
stations:
  a:
    process: 60 s
    cost: {per_calendar_hour: 30, per_part: 1}
    power: {processing: 6 kW}
products: {part: {price: 10, cost: {material: 4}, route: [a]}}
"""
FASTER = """
options_version: 1
options:
  faster:
    cost: 900
    changes: {stations: {a: {process: 48 s}}}
  dearer material: {cost: 0, changes: {products: {part: {cost: {material: 5}}}}}
"""
GOALS = """
schema_version: 1
name: One station
start: 2027-01-04 00:00
stations: {a: {process: exponential(60 s)}}
products: {part: {route: [a]}}
targets: {parts: {product: part, quantity: 1500, by: 2027-01-04}}
"""
BETTER = """
options_version: 1
options:
  a little: {cost: 10, changes: {stations: {a: {process: exponential(58 s)}}}}
  more: {cost: 20, changes: {stations: {a: {process: exponential(56 s)}}}}
  paint: {cost: 1}
"""


def found_for(
    folder: Path, model: str, options: str, budget: float, study: Study
) -> Improvement:
    (folder / "line.yaml").write_text(model)
    (folder / "options.yaml").write_text(options)
    line = linewright.load(folder / "line.yaml")
    return improve(read_options(folder / "options.yaml", line), budget, study, Store())


# ------------------------------------------------------------------ profit


def test_profit_is_what_a_clerk_would_count(tmp_path: Path) -> None:
    """No chance in it: 60 and 75 parts an hour, each at 10 - 4 - 1 and its energy."""
    span = Span(0, 10 * HOUR_US)
    study = Study(span, 1, "profit", replications=4, over_us=1000 * HOUR_US)
    found = found_for(tmp_path, MONEY, FASTER, 1000, study)
    hourly = 60 * 5 - 30 - 6 * 0.5
    assert found.base.mean == pytest.approx(1000 * hourly)
    assert found.chosen == ("faster",)
    assert found.gain.mean == pytest.approx(1000 * 15 * 5 - 900)
    assert "over 41.67 d" in found.remarks[0]
    assert found.unit == "EUR"
    # what does not pay back in ten hours is not bought
    short = found_for(tmp_path, MONEY, FASTER, 1000, Study(span, 1, "profit"))
    assert short.chosen == ()


def test_profit_is_the_margin_of_a_simulation() -> None:
    line = linewright.load("examples/light-aircraft/plant.yaml")
    span = Span(0, 60 * 24 * HOUR_US)
    objective = objective_of(line, "profit", span)
    lowered = lowered_of(line, span)
    got = [objective.run(line, lowered, 7, n) for n in range(2)]
    result = linewright.simulate(
        line, horizon="60 d", warmup=0, replications=2, seed=7, study="terminating"
    )
    margin = [
        row["mean"]
        for row in result.table("summary").to_pylist()
        if row["measure"] == "margin_per_h"
    ]
    assert np.mean(got) / (60 * 24) == pytest.approx(margin[0], rel=1e-9)


# ------------------------------------------------------------------ a chance


def test_the_chance_of_a_target_is_exact_and_the_best_is_found(tmp_path: Path) -> None:
    """One exponential station that is never starved makes a Poisson number of parts."""
    day = Span(0, 24 * HOUR_US)
    study = Study(day, 3, "target", 0.1, 0.95, 600, 4000)
    found = found_for(tmp_path, GOALS, BETTER, 25, study)
    assert found.chosen == ("more",)
    assert found.is_complete
    now, then = (poisson.sf(1499, 86400 / mean) for mean in (60, 56))
    assert now in wilson_interval(round(found.base.mean * 600), 600, 0.999)
    wide = 3.3 / 1.96  # of an interval of 99.9 %
    assert abs(found.gain.mean - (then - now)) < wide * found.gain.half_width
    assert found.gain.half_width < 0.06
    assert found.relative_gain == found.gain
    assert "10 percentage points" in found.guarantee
    # paint changes nothing: with it the set is as good, and dearer
    assert any("cannot be told from it" in remark for remark in found.remarks)


def test_the_chance_is_that_of_the_plan(tmp_path: Path) -> None:
    """Ramps, periods and scenarios of demand count as they do in `linewright plan`."""
    goal = "quantity: 5045, per: week, to: 2027-01-17, ramp: {from: 5000, over: 2}"
    model = GOALS.replace("quantity: 1500, by: 2027-01-04", goal)
    model = model.replace("exponential(60 s)", "exponential(2 min)")
    model += "demand: {high: {probability: 0.4, factor: 1.02}, low: {probability: 0.6}}"
    line = linewright.loads(model)
    objective = objective_of(line, "target:parts", target_span(line))
    lowered = lowered_of(line, target_span(line))
    raw = np.array([[objective.run(line, lowered, 5, n) for n in range(60)]])
    plan = plan_line(line, replications=60, seed=5)
    met = [row["met"] for row in plan.rows("replications")]
    assert objective.values(raw, np.zeros(1))[0].tolist() == met
    assert 0 < sum(met) < 60
    assert objective.guides(raw, np.zeros(1)).max() == 1


def test_a_tie_of_sets_that_all_meet_goes_to_the_cheapest(tmp_path: Path) -> None:
    easy = GOALS.replace("1500", "1000")
    study = Study(Span(0, 24 * HOUR_US), 3, "target", 0.05, 0.95, 50, 4000)
    found = found_for(tmp_path, easy, BETTER, 25, study)
    assert found.chosen == ()
    assert found.is_complete
    assert found.gain.low < 0 < found.gain.high  # fifty runs prove no equality
    assert "none of them is cheaper" in found.remarks[1]


def test_a_target_that_nothing_meets_is_told(tmp_path: Path) -> None:
    hard = GOALS.replace("1500", "9000")
    study = Study(Span(0, 24 * HOUR_US), 3, "target", 0.05, 0.95, 50, 4000)
    found = found_for(tmp_path, hard, BETTER, 25, study)
    assert found.chosen == ()
    assert "nothing on offer is shown to meet them" in found.remarks[1]


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("proft", 'allowed are throughput, flow_time, profit, target, target:NAME; did '
                  'you mean "profit"'),
        ("throughput:a", "is no objective"),
        ("profit", "needs the price of a product that leaves the line"),
        ("target:part", 'there are: parts; did you mean "parts"'),
    ],
)  # fmt: skip
def test_an_objective_that_cannot_be_is_told(objective: str, words: str) -> None:
    line = linewright.loads(GOALS)
    with pytest.raises(ValueError, match=words):
        objective_of(line, objective, target_span(line))


def test_the_command_takes_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "line.yaml").write_text(GOALS)
    (tmp_path / "options.yaml").write_text(BETTER)
    words = ["improve", str(tmp_path / "line.yaml"), "--options"]
    words += [str(tmp_path / "options.yaml"), "--budget", "25", "--objective"]
    words += ["target:parts", "--indifference", "20%", "--out", str(tmp_path / "out")]
    assert main([*words, "--quiet"]) == 0
    assert "points on a chance of" in capsys.readouterr().out
    said = json.loads((tmp_path / "out" / "improvement.json").read_text())
    assert said["improvement"]["objective"] == "target:parts, chance"
    assert said["study"]["replications"] == 400
    assert main([*words, "--warmup", "1 h"]) == 2
    assert "leave out --warmup" in capsys.readouterr().err


# ------------------------------------------------------------------ selection


def _wrong(p: tuple[float, float], zone: float, confidence: float, most: int) -> float:
    """Return the exact chance that the better of two is dropped within `most` runs.

    Every path of counts is followed: a pair differs one way, the other way, or not.
    """
    up, down = p  # the better is met alone, the other is met alone
    enough = -math.log(1 - confidence)
    alive = np.zeros((most + 1, most + 1))
    alive[0, 0] = 1.0
    wrong = 0.0
    counts = np.arange(most + 1.0)
    for n in range(1, most + 1):
        new = alive * (1 - up - down)
        new[1:] += up * alive[:-1]
        new[:, 1:] += down * alive[:, :-1]
        better, worse = counts[:, None], counts[None, :]
        possible = better + worse <= n
        pairs = np.where(possible, better, 0), np.where(possible, worse, 0)
        out = possible & (log_wealth(*pairs, n, zone) > enough)
        beaten = possible & (log_wealth(*pairs[::-1], n, zone) > enough)
        wrong += float(new[out].sum())
        new[out | beaten] = 0
        alive = new
    return wrong


@pytest.mark.parametrize("alike", [0.02, 0.3])
def test_the_better_of_two_is_dropped_as_rarely_as_promised(alike: float) -> None:
    """Exact, by all paths, though the runs are looked at after each of them."""
    zone = 0.1
    wrong = _wrong((alike + zone, alike), zone, 0.9, 120)
    assert 0 < wrong <= 0.1


def test_the_best_is_selected_as_often_as_promised() -> None:
    """The hardest case: all others are worse by just the zone, on common numbers."""
    chances = np.array([0.7, 0.7, 0.8, 0.7, 0.7])
    rng = np.random.default_rng(1)
    right = 0
    for _ in range(200):
        u = np.where(rng.random((3000, 1)) < 0.5, rng.random((3000, 1)),
                     rng.random((3000, 5)))  # fmt: skip
        met = (u < chances).astype(float)

        def observe(
            systems: NDArray[np.int64],
            first: int,
            last: int,
            met: NDArray[np.float64] = met,
        ) -> NDArray[np.float64]:
            return met[first:last, systems].T

        found = highest_chance(observe, 5, Aim(0.1, 0.9, n_first=10, growth=0.2))
        right += found.chosen == 2
    assert wilson_interval(right, 200, 0.99).high >= 0.9


def test_paired_shares_cover_the_true_difference() -> None:
    """Exact, by all tables of 20 pairs: most of the chance lies where it is covered."""
    n, coverage = 20, []
    tables = [
        (a, b, c, n - a - b - c)
        for a in range(n + 1)
        for b in range(n + 1 - a)
        for c in range(n + 1 - a - b)
    ]
    found = [
        paired_share_interval(
            np.repeat([True, True, False, False], table),
            np.repeat([True, False, True, False], table),
        )
        for table in tables
    ]
    for p in ([0.7, 0.05, 0.15, 0.1], [0.2, 0.2, 0.1, 0.5], [0.9, 0.02, 0.02, 0.06]):
        weights = multinomial.pmf(tables, n, p)
        inside = np.array([p[2] - p[1] in one for one in found])
        coverage.append(float(weights @ inside))
    assert min(coverage) > 0.93, coverage
    assert max(one.half_width for one in found) < 0.45
    same = paired_share_interval(np.ones(50), np.ones(50))
    assert -0.08 < same.low < 0 < same.high < 0.08
