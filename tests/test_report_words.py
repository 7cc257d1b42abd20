"""Numbers, times and names as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.report import words
from linewright.report.words import (
    fit,
    join,
    name,
    number,
    percent,
    rate_scale,
    text_width,
    time_scale,
    wrap,
)


def plain(text: str) -> str:
    return text.replace(words.NBSP, " ")


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (12.34, 0.41, "12.3 ± 0.4"),
        (12.34, 1.41, "12.3 ± 1.4"),
        (1234.5, 23.0, "1,234 ± 23"),
        (0.00123, 0.00004, "0.00123 ± 0.00004"),
        (5.0, 0.0, "5.00 ± 0"),
        (5.0, 1e-9, "5.00 ± 0.01"),
        (math.nan, 1.0, "\u2013"),
        (-3.2, 0.5, "\u22123.2 ± 0.5"),
        (-0.001, 0.5, "0.0 ± 0.5"),
        (7.0, math.inf, "7.00"),
    ],
)
def test_a_number_is_rounded_by_its_uncertainty(
    value: float, half: float, text: str
) -> None:
    assert plain(number(value, half)) == text


@pytest.mark.parametrize(
    ("share", "half", "text"),
    [
        (0.913, math.nan, "91%"),
        (0.913, 0.004, "91.3 ± 0.4%"),
        (0.913, 0.04, "91 ± 4%"),
        (0.0004, math.nan, "<\u00a00.1%"),
        (0.0, math.nan, "0%"),
        (1.0, math.nan, "100%"),
        (0.9996, math.nan, "100.0%"),
        (0.039, 0.0001, "3.9 ± 0.1%"),
    ],
)
def test_a_share_is_a_percentage(share: float, half: float, text: str) -> None:
    assert plain(percent(share, half)) == plain(text)


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12) | st.just(math.nan))
def test_a_rounded_number_is_near_the_number(value: float, half: float) -> None:
    shown = plain(number(value, half)).partition(" ")[0]
    back = float(shown.replace(",", "").replace(words.MINUS, "-"))
    known = half if math.isfinite(half) else 0
    assert abs(back - value) <= max(known, 0.01 * abs(value), 1e-8)


def test_one_unit_serves_all_rates_and_times() -> None:
    assert rate_scale([0.02, 0.01]).unit == "week"
    assert rate_scale([40.0, 0.1]).unit == "hour"
    assert rate_scale([]).unit == "week"
    assert (
        plain(rate_scale([12 / 168]).with_unit(12 / 168, 0.5 / 168))
        == "12.0 ± 0.5 week"
    )
    assert time_scale([30.0, 7200.0]).unit == "h"
    assert time_scale([math.nan]).unit == "s"


def test_lists_read_as_sentences() -> None:
    assert join([]) == ""
    assert join(["a"]) == "a"
    assert join(["a", "b", "c"]) == "a, b and c"
    assert join(["a", "b", "c", "d", "e"]) == "a, b and 3 more"


@given(st.text(), st.integers(2, 60))
def test_a_name_is_one_safe_line(text: str, limit: int) -> None:
    line = name(text, limit)
    line.encode("utf-8")
    assert len(line.strip("\u2068\u2069")) <= limit
    assert not set(line) & set("\n\r\t\x00\u202a\u202e\u2066")
    assert line.count("\u2068") == line.count("\u2069") <= 1


@given(st.text(st.characters(categories=("L", "N", "Zs"))), st.floats(20, 300))
def test_text_is_cut_to_fit(text: str, width: float) -> None:
    assert text_width(fit(name(text, 200), width, 12), 12) <= width
    lines = wrap(name(text, 200), width, 12)
    assert len(lines) <= 2
    assert all(text_width(line, 12) <= width for line in lines)


def test_right_to_left_names_are_isolated() -> None:
    assert name("منتج") == "\u2068منتج\u2069"
    assert name("Saw") == "Saw"
    assert name("a\u202eb\u2069c") == "abc"
