"""Buffer places and spares shared out, against published designs and the kernel."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.spares import model_of, published, read
from linewright.improve.spares import (
    Design,
    SpareLine,
    best_design,
    cheapest_design,
    stations_with_spares,
    throughput_per_s,
)
from linewright.improve.trials import Span, throughputs
from linewright.stats.intervals import mean_interval
from tests.parts import REFERENCE, require

DAY_US = 86_400_000_000
DATA = REFERENCE / "flow-line-spares" / "open"


def test_a_station_with_spares_stops_as_the_chain_of_its_components_says() -> None:
    """Two components: from one at work, both fail in the end, or the other is back."""
    line = SpareLine((1.0,), (100.0,), (20.0,))
    (mttf,), (mttr,) = stations_with_spares(line, (2,), (1.0,))
    # first-step equations: t1 = a + b t0, t0 = 100 + t1
    a, b = 1 / (1 / 100 + 1 / 20), (1 / 20) / (1 / 100 + 1 / 20)
    assert mttf == pytest.approx((a + b * 100) / (1 - b))
    assert mttr == 10
    (alone,), (whole,) = stations_with_spares(line, (1,), (0.5,))
    assert (alone, whole) == (100, 20)  # time of work, however much of it there is


def test_the_estimate_is_near_the_exact_throughput_of_two_stations() -> None:
    """Sachs, Kiesmueller and Helber (2024): exact Markov chains."""
    require("reference")
    for row in read(DATA / "two_machine_exact.csv.gz", 12):
        line, design = published(row)
        exact = float(row["TP"])
        assert 60 * throughput_per_s(line, design) == pytest.approx(exact, rel=5e-4)


def test_moves_find_what_trying_everything_finds() -> None:
    line = SpareLine((60.0, 58.0), (3600.0, 1200.0), (600.0, 900.0))
    every = [
        Design((c,), (a, b))
        for c, a, b in itertools.product(range(8), range(1, 8), range(1, 8))
        if c + a + b == 8
    ]
    most = max(throughput_per_s(line, design) for design in every)
    found = best_design(line, 8)
    assert found.cost == 8
    assert throughput_per_s(line, found) == pytest.approx(most, rel=1e-9)
    cheap = cheapest_design(line, 0.95 * most, 8)
    assert cheap is not None
    assert cheap.cost < 8
    assert throughput_per_s(line, cheap) >= 0.95 * most
    assert cheapest_design(line, 1.2 * most, 8) is None
    with pytest.raises(ValueError, match="a unit for each"):
        best_design(line, 1)


def test_five_stations_cost_no_more_than_published_and_reach_their_goal() -> None:
    """Sachs, Kiesmueller and Helber (2024), whose throughputs here are approximate."""
    require("reference")
    span = Span(20 * DAY_US, 220 * DAY_US)
    for row in read(DATA / "five_machine_greedy.csv.gz", 2):
        line, theirs = published(row)
        goal = float(row["target"])
        ours = cheapest_design(line, goal / 60, theirs.cost)
        ours = ours or best_design(line, theirs.cost)
        assert ours.cost <= theirs.cost
        made = throughputs(model_of(line, ours), span, 5, range(6)) / 60
        found = mean_interval(made, 0.999)
        assert found.high > 0.995 * goal
        assert found.half_width < 0.01
