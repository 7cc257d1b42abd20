"""The best design is found, and the certificate holds."""

from __future__ import annotations

import time

import numpy as np
import pytest

from linewright.theory.chains import exact
from linewright.theory.designs import best, compositions, exact_table, rates_and_slots
from linewright.theory.flow_line import serial
from tests.exact import flow_lines
from tests.exact.row import read_table


def test_all_3249_designs_and_their_best_within_seconds() -> None:
    """The published optimum is 5.776, at rates 6, 7, 7 and buffers 12, 8."""
    rates, slots = rates_and_slots(20, 20)
    table = exact_table(rates, slots)
    found = best(rates, slots)
    assert found.n_designs == len(table) == 3249
    assert found.throughput_per_s == pytest.approx(table.max(), rel=1e-12)
    assert found.rows == tuple(np.flatnonzero(table >= table.max() * (1 - 1e-9)))
    assert found.throughput_per_s == pytest.approx(5.776121751463, abs=1e-9)
    designs = {(*rates[row], *(slots[row] + 1)) for row in found.rows}
    assert designs == {(6, 7, 7, 12, 8), (7, 7, 6, 8, 12)}
    assert (table > table.max() - 0.01).sum() == 6
    assert (table > table.max() - 0.1).sum() == 21


def test_the_table_agrees_with_every_row_that_is_given() -> None:
    rates, slots, expected = flow_lines.three_stations()
    assert np.abs(exact_table(rates, slots) - expected).max() < 1e-9


def test_the_best_of_57624_designs_is_proved_by_few_exact_chains() -> None:
    rates, slots = rates_and_slots(50, 50)
    found = best(rates, slots)
    given = read_table("simopt_throughput_max_L50_top")
    values = [float(case["throughput_incl"]) for case in given]
    assert found.n_designs == 57_624
    assert found.throughput_per_s == pytest.approx(values[0], abs=1e-9)
    assert found.second_per_s == pytest.approx(values[2], abs=1e-9)
    assert found.highest_bound_per_s < found.throughput_per_s
    assert found.n_solved < 200


def test_the_best_of_a_million_designs_is_proved_within_a_minute() -> None:
    rates, slots = rates_and_slots(128, 128)
    begun = time.process_time()
    found = best(rates, slots)
    assert time.process_time() - begun < 60
    assert found.n_designs == 1_016_127
    designs = {(*rates[row], *(slots[row] + 1)) for row in found.rows}
    assert designs == {(42, 43, 43, 74, 54), (43, 43, 42, 54, 74)}
    assert found.throughput_per_s == pytest.approx(41.658242510, abs=1e-9)
    row = found.rows[0]
    line = serial((1 / rates[row]).tolist(), slots[row].tolist())
    assert exact(line).throughput_per_s == pytest.approx(
        found.throughput_per_s, rel=1e-10
    )
    assert found.highest_bound_per_s < found.second_per_s < found.throughput_per_s


def test_the_certificate_holds_where_everything_can_be_solved() -> None:
    rng = np.random.default_rng(20_270_303)
    for n_stations in (2, 3, 4):
        rates = rng.integers(4, 9, (300, n_stations)).astype(np.float64)
        slots = rng.integers(0, 4, (300, n_stations - 1))
        table = exact_table(rates, slots)
        found = best(rates, slots)
        np.testing.assert_array_equal(
            found.rows, np.flatnonzero(table >= table.max() * (1 - 1e-9))
        )
        assert found.margin >= 0


def test_compositions_are_all_and_each_once() -> None:
    found = compositions(7, 3)
    assert len(found) == 15 == len({tuple(row) for row in found})
    assert (found.sum(1) == 7).all()
    assert found.min() == 1
    assert compositions(4, 1).tolist() == [[4]]
    with pytest.raises(ValueError, match="cannot be shared"):
        compositions(2, 3)
    with pytest.raises(ValueError, match="no design"):
        best(np.empty((0, 3)), np.empty((0, 2), np.int64))
