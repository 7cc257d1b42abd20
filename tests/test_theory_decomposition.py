"""The decomposition is as far from exact values as it says, and keeps its laws."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest

from linewright.theory import decomposition
from linewright.theory.bounds import pairs, slowest_station
from linewright.theory.decomposition import estimate, kind_of, throughputs
from linewright.theory.flow_line import FlowLine, serial
from tests import known_errors
from tests.exact import flow_lines


def test_the_errors_that_are_quoted_are_those_measured_now() -> None:
    measured = known_errors.measure()
    assert measured.keys() == decomposition.KNOWN_ERRORS.keys()
    measured["screen"] = known_errors.measure_screen()
    quoted = {**decomposition.KNOWN_ERRORS, "screen": decomposition.SCREEN_ERROR}
    for kind, known in measured.items():
        assert astuple(known) == pytest.approx(astuple(quoted[kind]), abs=1.01e-4), kind


def test_every_line_says_the_error_of_its_class() -> None:
    for line in flow_lines.drawn(8):
        found = estimate(line)
        assert found.settled
        assert found.kind == kind_of(line)
        assert found.error is decomposition.KNOWN_ERRORS[found.kind]


def test_levels_and_parts_in_the_line_are_near_the_exact_ones() -> None:
    for row in flow_lines.rows():
        if set(row.line.quantity) <= {1}:
            found = estimate(row.line)
            wip = float(row.case["wip"])
            assert found.wip_mean == pytest.approx(wip, rel=0.06), row.name


def test_a_line_read_backwards_has_the_same_estimate() -> None:
    for line in flow_lines.drawn():
        if line.is_serial and line.clock == "processing":
            fields = ("process_s", "slots", "scv", "mttf_s", "mttr_s")
            turned = {name: getattr(line, name)[::-1] for name in fields}
            mirrored = estimate(FlowLine(**turned))
            assert mirrored.throughput_per_s == pytest.approx(
                estimate(line).throughput_per_s, rel=1e-7
            )


def test_the_estimate_grows_with_buffers_and_speed_and_stays_below_the_bounds() -> None:
    rng = np.random.default_rng(20_270_302)
    process_s = rng.uniform(0.7, 1.4, (200, 5))
    slots = rng.integers(0, 6, (200, 4))
    base = throughputs(process_s, slots)
    assert (base <= pairs(1 / process_s, slots)).all()
    for column in range(4):
        more = slots.copy()
        more[:, column] += 1
        assert (throughputs(process_s, more) >= base * (1 - 1e-6)).all()
    faster = process_s.copy()
    faster[:, 2] *= 0.9
    assert (throughputs(faster, slots) >= base * (1 - 1e-6)).all()


def test_extreme_designs_settle_and_are_right_in_the_limit() -> None:
    line = serial((1e-4, 1.0, 1e-4, 1e-4), (200, 0, 3))
    assert estimate(line).throughput_per_s == pytest.approx(1.0, rel=1e-3)
    rates = np.array([[1.0, 127.0, 1.0], [126.0, 1.0, 1.0]])
    found = throughputs(1 / rates, np.array([[126, 0], [0, 126]]))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scv", [0.0, 0.05, 0.125])
def test_regular_times_lie_between_those_of_the_blocks_and_constant_ones(
    scv: float,
) -> None:
    line = FlowLine((1.0, 0.9, 1.0), (0, 1), scv=(scv,) * 3)
    floor = estimate(replace(line, scv=(0.25,) * 3)).throughput_per_s
    found = estimate(line).throughput_per_s
    assert floor < found <= slowest_station(line)[0]
    assert (found == pytest.approx(1.0)) == (scv == 0)


def test_one_moment_is_exact_for_two_exponential_stations_however_unlike() -> None:
    ratios = np.array([1.0, 1 + 1e-7, 0.9995, 1.01, 3.0, 1e-3])
    process_s = np.stack([np.ones(6), ratios], axis=1)
    slots = np.array([[0], [5], [12], [40], [3], [300]])
    weights = [r ** np.arange(s + 3) for r, s in zip(ratios, slots[:, 0], strict=True)]
    empty = np.array([1 / w.sum() for w in weights])
    np.testing.assert_allclose(
        throughputs(process_s, slots), (1 - empty) / ratios, rtol=1e-9
    )


def test_a_single_station_is_alone() -> None:
    found = estimate(FlowLine((2.0,), (), mttf_s=(8.0,), mttr_s=(2.0,)))
    assert found.throughput_per_s == pytest.approx(0.4)


def test_what_the_method_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="one part of each supplier"):
        estimate(flow_lines.ASSEMBLIES["asm-bom2-2-4"])
    with pytest.raises(ValueError, match="1 or 3 moments"):
        throughputs(np.ones((1, 2)), np.zeros((1, 1), np.int64), n_moments=2)
