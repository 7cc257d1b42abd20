"""No exact line breaks a bound, and each bound is reached somewhere."""

from __future__ import annotations

import numpy as np
import pytest

from linewright.theory.bounds import (
    finish_s,
    load,
    pairs,
    slowest_station,
    work_in_process,
)
from linewright.theory.chains import exact
from linewright.theory.flow_line import FlowLine, serial
from tests.exact import flow_lines


def test_no_exact_line_breaks_a_bound() -> None:
    for row in flow_lines.rows():
        assert row.throughput <= slowest_station(row.line)[0] * (1 + 1e-9), row.name
        if row.line.is_serial:
            assert row.throughput <= work_in_process(row.line) * (1 + 1e-9)


def test_no_exact_design_breaks_the_bound_of_its_pairs() -> None:
    rates, slots, throughput = flow_lines.three_stations()
    bounds = pairs(rates, slots)
    assert (throughput <= bounds * (1 + 1e-12)).all()
    assert (bounds <= rates.min(1)).all()


def test_the_bound_of_a_pair_is_its_exact_throughput() -> None:
    for first, second, places in ((1.0, 1.0, 3), (1.0, 2.5, 0), (3.0, 0.2, 40)):
        found = pairs(np.array([[first, second]]), np.array([[places]]))[0]
        line = serial((1 / first, 1 / second), (places,))
        assert found == pytest.approx(exact(line).throughput_per_s, rel=1e-12)


def test_the_slowest_station_counts_stops_and_quantities() -> None:
    line = flow_lines.ASSEMBLIES["asm-bom2-2-4"]
    assert slowest_station(line)[0] == 1.0
    failing = FlowLine((1.0, 1.0), (3,), mttf_s=(np.inf, 4.0), mttr_s=(0.0, 1.0))
    throughput, station = slowest_station(failing)
    assert throughput == pytest.approx(0.8)
    assert station == 1


def test_a_cap_on_parts_bounds_by_littles_law() -> None:
    line = serial((1.0, 3.0, 2.0), (5, 5))
    assert work_in_process(line, 2) == pytest.approx(2 / 6)
    assert work_in_process(line) == pytest.approx(13 / 6)
    with pytest.raises(ValueError, match="cap"):
        work_in_process(line, 0)


def test_constant_times_finish_exactly_at_the_bound() -> None:
    process = np.array([2.0, 5.0, 3.0])
    departure = np.zeros(3)
    for _ in range(7):
        before = 0.0
        for k in range(3):
            before = departure[k] = max(before, departure[k]) + process[k]
    assert finish_s(serial(process.tolist(), (9, 9)), 7) == departure[-1]


def test_load_is_work_over_time_available() -> None:
    work = np.array([[10.0, 0.0], [5.0, 20.0]])
    np.testing.assert_allclose(load(work, (100.0, 80.0), (4, 3)), [0.55, 0.75])
