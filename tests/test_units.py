"""Quantities with units, there and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.units import (
    MAX_US,
    format_duration,
    parse_duration_us,
    parse_emissions_kg_per_kwh,
    parse_energy_j,
    parse_power_w,
    parse_price_per_kwh,
    parse_rate_per_s,
    write_duration,
    write_emissions,
    write_energy,
    write_power,
    write_price,
    write_rate,
)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("12 min", 720_000_000),
        ("1 h 30 min", 5_400_000_000),
        ("1.5h", 5_400_000_000),
        ("3 d", 259_200_000_000),
        ("2 weeks", 1_209_600_000_000),
        ("1_000 ms", 1_000_000),
        ("2.5e-3 s", 2_500),
        ("5 \u00b5s", 5),
        ("0", 0),
        (0, 0),
        (timedelta(seconds=1), 1_000_000),
    ],
)
def test_durations_are_whole_microseconds(text: object, us: int) -> None:
    assert parse_duration_us(text) == us


@pytest.mark.parametrize(
    "text",
    ["", "5", 5, 2.5, "min", "5 parsec", "-5 min", "1e400 s", "1e12 d", "5 min x", True,
     None, [], timedelta(-1), "5 min 5", "nan s", float("nan")],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_duration_us(text)


@given(st.integers(0, MAX_US - 1))
def test_a_duration_reads_back_exactly(us: int) -> None:
    assert parse_duration_us(write_duration(us)) == us


@given(st.integers(0, 400_000), st.sampled_from(["ms", "s", "min", "h", "d", "week"]))
def test_a_whole_number_of_any_unit_reads_back_exactly(n: int, unit: str) -> None:
    us = parse_duration_us(f"{n} {unit}")
    assert parse_duration_us(write_duration(us)) == us


@given(st.floats(0, 1e9))
def test_a_rate_reads_back_exactly(rate_per_s: float) -> None:
    assert parse_rate_per_s(write_rate(rate_per_s)) == rate_per_s


def test_rates_are_written_as_people_write_them() -> None:
    for text in ("12/week", "7/h", "3/d", "0.1/s"):
        assert write_rate(parse_rate_per_s(text)) == text


@pytest.mark.parametrize("text", ["5", "5/parsec", "-1/h", "1e400/s", "", "5 h", None])
def test_what_is_no_rate_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rate_per_s(text)


def test_durations_are_shown_short() -> None:
    assert format_duration(5_400_000_000) == "1.5 h"
    assert format_duration(0) == "0 s"
    assert format_duration(12.5) == "12.5 us"


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_power_w, "12 kW", 12_000),
        (parse_power_w, "1_500W", 1_500),
        (parse_power_w, "0.25 MW", 250_000),
        (parse_power_w, 0, 0),
        (parse_energy_j, "0.5 kWh", 1_800_000),
        (parse_energy_j, "2 MJ", 2_000_000),
        (parse_energy_j, "3 kJ", 3_000),
        (parse_energy_j, "0", 0),
        (parse_price_per_kwh, "0.21/kWh", 0.21),
        (parse_price_per_kwh, "210 per MWh", 0.21),
        (parse_price_per_kwh, "0.1 / MJ", 0.36),
        (parse_emissions_kg_per_kwh, "350 g/kWh", 0.35),
        (parse_emissions_kg_per_kwh, "0.35 kg per kWh", 0.35),
        (parse_emissions_kg_per_kwh, "0.4 t/MWh", 0.4),
    ],
)
def test_power_energy_and_what_they_cost(
    parse: Callable[[object], float], text: object, value: float
) -> None:
    assert parse(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "parse",
    [parse_power_w, parse_energy_j, parse_price_per_kwh, parse_emissions_kg_per_kwh],
)
@pytest.mark.parametrize(
    "text",
    ["", "5", 5, 2.5, "kW", "5 KW", "5 mW", "-5 kW", "-1 kWh", "1e400 W", "nan W",
     "5 kW 3", "5 min", "1/kW", "1 g/kW", "1 kWh/g", True, None, [], {}],
)  # fmt: skip
def test_what_is_no_power_energy_or_price_is_refused(
    parse: Callable[[object], float], text: object
) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


@given(st.floats(0, 1e12))
def test_what_is_written_of_energy_reads_back_exactly(value: float) -> None:
    assert parse_power_w(write_power(value)) == value
    assert parse_energy_j(write_energy(value)) == value
    assert parse_price_per_kwh(write_price(value)) == value
    assert parse_emissions_kg_per_kwh(write_emissions(value)) == value
