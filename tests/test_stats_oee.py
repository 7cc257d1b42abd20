"""OEE terms by hand, within bounds, and flagged where they are not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.stats.oee import STATES, oee

WEEK_H = {
    "processing": 60,
    "setup": 6,
    "blocked": 3,
    "starved": 5,
    "failed": 6,
    "maintenance": 4,
    "break": 8,
    "off_shift": 76,
}
HOUR_US = 3_600_000_000
WEEK_US = {state: hours * HOUR_US for state, hours in WEEK_H.items()}


def test_a_week_by_hand() -> None:
    """PBT 80 h, AUPT 66 h, AUBT 75 h; 1,000 units of 3 min ideal, 950 good."""
    found = oee(WEEK_US, 50 * HOUR_US, n_good=950, n_total=1_000)
    assert found.planned_busy_us == 80 * HOUR_US
    assert found.busy_us == 75 * HOUR_US
    assert found.unit_processing_us == 66 * HOUR_US
    assert found.production_us == 60 * HOUR_US
    assert found.oee_availability == 60 / 80
    assert found.effectiveness == 50 / 60
    assert found.quality_ratio == 0.95
    assert found.oee == pytest.approx(0.75 * 50 / 60 * 0.95)
    assert found.nee == pytest.approx(66 / 80 * 50 / 60 * 0.95)
    assert found.teep == pytest.approx(found.oee * 80 / 168)
    assert found.allocation_efficiency == 75 / 80
    assert found.utilization_efficiency == 60 / 75
    assert found.flags == ()


times = st.fixed_dictionaries({state: st.integers(0, 10**15) for state in STATES})


@given(times, st.floats(0, 1), st.integers(0, 10**6), st.floats(0, 1))
def test_ratios_stay_within_bounds(
    times_us: dict[str, int], ideal_share: float, n_total: int, good_share: float
) -> None:
    ideal_us = ideal_share * times_us["processing"]
    found = oee(times_us, ideal_us, int(good_share * n_total), n_total)
    assert found.flags == ()
    for ratio in (
        found.oee_availability,
        found.effectiveness,
        found.quality_ratio,
        found.oee,
        found.nee,
        found.teep,
        found.allocation_efficiency,
        found.utilization_efficiency,
    ):
        assert math.isnan(ratio) or 0 <= ratio <= 1
    if n_total and times_us["processing"]:
        product = found.oee_availability * found.effectiveness * found.quality_ratio
        assert found.oee == pytest.approx(product)
        assert found.teep <= found.oee <= found.nee * (1 + 1e-12)


def test_an_ideal_time_above_the_actual_is_flagged() -> None:
    found = oee({"processing": 100}, 130, 10, 10)
    assert found.effectiveness == 1.3
    assert [flag.split(",")[0] for flag in found.flags] == [
        "effectiveness above 1: the ideal time is longer than the actual",
        "OEE above 1",
        "NEE above 1",
    ]
    assert oee({"failed": 100}, 130, 10, 10).effectiveness == math.inf


def test_a_station_without_work_has_an_oee_of_zero() -> None:
    found = oee({"starved": 100}, 0, 0, 0)
    assert (found.oee, found.nee, found.teep, found.oee_availability) == (0, 0, 0, 0)
    assert math.isnan(found.quality_ratio)
    assert math.isnan(found.effectiveness)


def test_a_station_never_planned_has_no_oee() -> None:
    found = oee({"off_shift": 100}, 0, 0, 0)
    assert math.isnan(found.oee)
    assert found.teep == 0


@pytest.mark.parametrize(
    ("times_us", "ideal_us", "n_good", "n_total", "words"),
    [
        ({"idle": 1}, 0, 0, 0, "unknown states idle"),
        ({"setup": -1}, 0, 0, 0, "not negative"),
        ({"setup": 1}, math.nan, 0, 0, "not negative"),
        ({"setup": 1}, 0, 2, 1, "good <= total"),
        ({"setup": 1}, 0, -1, 1, "good <= total"),
    ],
)
def test_impossible_records_are_refused(
    times_us: dict[str, int], ideal_us: float, n_good: int, n_total: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        oee(times_us, ideal_us, n_good, n_total)
