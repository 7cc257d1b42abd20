"""Exact chains reproduce the tables, and their derivatives are those of differences."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from linewright.theory import chains
from linewright.theory.chains import exact, throughputs
from linewright.theory.flow_line import FlowLine, serial
from tests.exact import flow_lines
from tests.exact.row import numbers

ROWS = [row for row in flow_lines.rows() if set(row.line.scv) == {1.0}]
TOLERANCE = 1e-9


def far_from_table(row: flow_lines.FlowRow) -> float:
    """Return the largest difference of any value that the row's table gives."""
    found = exact(row.line)
    shares = {
        "busy": found.processing,
        "blocked": found.blocked,
        "empty": found.starved,
        "down": found.failed,
        "buffer_mean": found.level_mean,
        "wip": (found.wip_mean,),
        "throughput": (found.throughput_per_s,),
    }
    apart = [
        np.subtract(values, numbers(row.case[column]))
        for column, values in shares.items()
        if row.case.get(column)
    ]
    return float(np.abs(np.concatenate(apart)).max())


def test_every_value_of_every_exponential_row_of_the_tables() -> None:
    assert len(ROWS) == 57 + 44 + 10
    apart = {row.name: far_from_table(row) for row in ROWS}
    assert max(apart.values()) < TOLERANCE, apart


def test_the_designs_of_three_stations_of_the_table() -> None:
    rates, slots, expected = flow_lines.three_stations()
    found = np.empty(len(rates))
    for shape in np.unique(slots, axis=0):
        of = (slots == shape).all(1)
        found[of] = throughputs(rates[of], tuple(map(int, shape)))
    assert np.abs(found - expected).max() < TOLERANCE
    assert throughputs(rates[:1], slots[0])[0] == pytest.approx(
        exact(serial(1 / rates[0], slots[0])).throughput_per_s, rel=1e-12
    )


def test_two_stations_have_the_derivative_of_the_closed_form() -> None:
    """Hunt (1956): X = m1 (1 - x^n) / (1 - x^(n + 1)), x = m1 / m2, n = slots + 2."""
    m1, m2, n = 1.3, 1.1, 5
    x = m1 / m2
    top, bottom = 1 - x**n, 1 - x ** (n + 1)
    by_x = m1 * (-n * x ** (n - 1) / bottom + top * (n + 1) * x**n / bottom**2)
    by_rates = top / bottom + by_x / m2, -by_x * x / m2
    found = exact(serial((1 / m1, 1 / m2), (n - 2,)))
    assert found.throughput_per_s == pytest.approx(m1 * top / bottom, rel=1e-12)
    for got, rate, expected in zip(found.by_process, (m1, m2), by_rates, strict=True):
        assert got == pytest.approx(-(rate**2) * expected, rel=1e-10)


LINES = {
    "unreliable": flow_lines.drawn(2)[1],
    "any time": flow_lines.drawn(3)[2],
    "assembly": FlowLine(
        (1.0, 0.6, 1.1),
        (2, 3),
        mttf_s=(20.0, math.inf, 30.0),
        mttr_s=(4.0, 0.0, 2.0),
        successor=(2, 2),
        quantity=(1, 2),
    ),
    "rare start": serial((1 / 18, 1.0, 1.0), (11, 7)),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("field", ["process_s", "mttr_s", "mttf_s"])
def test_derivatives_are_those_of_central_differences(
    line: FlowLine, field: str
) -> None:
    derivatives = getattr(exact(line), f"by_{field.partition('_')[0]}")
    for k, derivative in enumerate(derivatives):
        value = getattr(line, field)[k]
        if line.mttf_s[k] == math.inf and field != "process_s":
            assert derivative == 0
            continue
        step = 1e-5 * value
        both = []
        for moved in (value + step, value - step):
            values = list(getattr(line, field))
            values[k] = moved
            other = replace(line, **{field: tuple(values)})  # type: ignore[arg-type]
            both.append(exact(other).throughput_per_s)
        difference = (both[0] - both[1]) / (2 * step)
        assert derivative == pytest.approx(difference, rel=1e-6, abs=1e-9)


def test_slower_stations_never_help() -> None:
    for line in flow_lines.drawn(16):
        found = exact(line)
        assert max(found.by_process) < 0
        assert max(found.by_mttr) <= 0 <= min(found.by_mttf)


def test_a_line_twice_as_fast_in_everything_makes_twice_as_much() -> None:
    """Euler: with all times scaled, the elasticities add up to minus one."""
    for line in flow_lines.drawn(8):
        found = exact(line)
        total = sum(
            derivative * value
            for by, values in (
                (found.by_process, line.process_s),
                (found.by_mttr, line.mttr_s),
                (found.by_mttf, line.mttf_s),
            )
            for derivative, value in zip(by, values, strict=True)
            if math.isfinite(value)
        )
        assert total == pytest.approx(-found.throughput_per_s, rel=1e-9)


def test_what_cannot_be_solved_is_refused() -> None:
    with pytest.raises(ValueError, match="exponential"):
        exact(FlowLine((1.0, 1.0), (1,), scv=(1.0, 0.5)))
    with pytest.raises(ValueError, match="too large"):
        exact(serial((1.0,) * 5, (30,) * 4))
    assert chains.MOST_STATES < 31**4


@pytest.mark.parametrize(
    "wrong",
    [
        {"process_s": (1.0, -1.0)},
        {"slots": (-1,)},
        {"slots": (1, 1)},
        {"mttf_s": (5.0, 5.0)},
        {"successor": (0,)},
        {"quantity": (0,)},
        {"scv": (1.0,)},
    ],
)
def test_a_line_that_cannot_be_is_refused(wrong: dict[str, tuple[float, ...]]) -> None:
    fields = {"process_s": (1.0, 1.0), "slots": (1,)} | wrong
    with pytest.raises(ValueError, match=r"line|stations"):
        FlowLine(**fields)  # type: ignore[arg-type]
