"""Targets and demand: what they mean, and what is said of mistakes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.errors import Finding, ModelError
from linewright.model.check import check, check_loaded
from linewright.model.diff import diff
from linewright.model.line import Line
from linewright.model.load import dumps, loads, model_hash, read
from linewright.model.targets import (
    PERIODS,
    first_day,
    goals_of,
    last_day,
    period_label,
    period_of,
    periods_to,
)
from tests.model_texts import marked

HOUR = 3_600_000_000
DAY = 24 * HOUR

TEXT = """\
schema_version: 1
name: Shop
start: 2027-01-04
time_zone: Europe/Vienna
stations: {mill: {process: 1 h}}
products:
  shaft: {route: [mill], bom: {pin: 1}, release: {conwip: 3}}
  bar: {route: [mill]}
  pin: {route: [mill], store: 5}
conwip: 20
"""


def shop(text: str) -> Line:
    line = loads(TEXT + text)
    assert [f for f in check(line) if f.severity == "error"] == []
    return line


def goals(text: str) -> list[tuple[Any, ...]]:
    return [
        (goal.label, goal.quantity, goal.since_us // DAY, goal.by_us // DAY)
        for goal in goals_of(shop(text))
    ]


# ---------------------------------------------------------------- meaning


def test_a_date_counts_to_its_end_and_a_time_to_itself() -> None:
    line = shop(
        "targets:\n"
        "  a: {product: bar, quantity: 4, by: 2027-01-31}\n"
        "  b: {product: bar, quantity: 3, by: 2027-01-31 06:00}\n"
        "  c: {product: bar, quantity: 2, by: 40 h}\n"
    )
    assert [goal.by_us / HOUR for goal in goals_of(line)] == [28 * 24, 27 * 24 + 6, 40]
    assert [goal.label for goal in goals_of(line)] == [
        "by 2027-01-31",
        "by 2027-01-31 06:00",
        "by 40 h",
    ]


def test_a_summer_day_begins_an_hour_earlier() -> None:
    line = shop("targets: {a: {product: bar, quantity: 4, by: 2027-06-30}}")
    assert goals_of(line)[0].by_us == 178 * DAY - HOUR


def test_quarters_begin_with_what_is_left_of_the_first() -> None:
    text = "targets: {a: {product: bar, quantity: 9, per: quarter, to: 2027-09-30}}"
    assert goals(text) == [
        ("2027 Q1", 9, 0, 86),  # an hour less in spring: not quite 87 days
        ("2027 Q2", 9, 86, 177),
        ("2027 Q3", 9, 177, 269),
    ]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    text = (
        "targets:\n"
        "  w: {product: bar, quantity: 9, per: week, from: 2027-01-11, "
        "to: 2027-01-24}\n"
        "  m: {product: bar, quantity: 5, per: month, from: 2027-02-01, "
        "to: 2027-02-28}\n"
        "  y: {product: bar, quantity: 5, per: year, to: 2028-12-31}\n"
    )
    assert goals(text) == [
        ("2027 W2", 9, 7, 14),
        ("2027 W3", 9, 14, 21),
        ("2027-02", 5, 28, 56),
        ("2027", 5, 0, 362),
        ("2028", 5, 362, 728),
    ]


def test_a_quantity_rises_in_equal_steps() -> None:
    text = (
        "targets: {a: {product: bar, quantity: 12, per: quarter, to: 2028-06-30, "
        "ramp: {from: 4, over: 4 quarters}}}"
    )
    assert [row[1] for row in goals(text)] == [4, 6, 8, 10, 12, 12]
    odd = text.replace("4 quarters", "3")
    assert [row[1] for row in goals(odd)] == [4, 7, 9, 12, 12, 12]


@given(
    st.dates(date(1900, 1, 1), date(9000, 1, 1)),
    st.sampled_from(PERIODS),
)
def test_every_day_lies_in_one_period(day: date, per: str) -> None:
    period = period_of(day, per)
    assert first_day(period, per) <= day <= last_day(period, per)
    assert period_of(first_day(period + 1, per), per) == period + 1
    assert period_label(period, per) != period_label(period + 1, per)


def test_periods_cover_the_time_without_a_gap() -> None:
    line = shop("targets: {a: {product: bar, quantity: 9, by: 2027-12-31}}")
    for days in (1, 20, 100, 800, 2000):
        periods = periods_to(line, days * DAY)
        assert periods[0].begin_us == 0
        assert periods[-1].end_us == days * DAY
        ends = [period.end_us for period in periods[:-1]]
        assert ends == [period.begin_us for period in periods[1:]]


def test_targets_are_written_read_and_told() -> None:
    text = (
        "targets:\n"
        "  a: {product: bar, quantity: 4, by: 2027-01-31}\n"
        "  b: {product: bar, quantity: 3, by: 2027-01-31 06:00, since: 2027-01-10}\n"
        "  c: {product: bar, quantity: 2, by: 40 h, note: soon}\n"
        "  d: {product: bar, quantity: 12, per: quarter, to: 2028-06-30, "
        "ramp: {from: 4, over: 4}}\n"
        "demand: {low: {probability: 0.25, factor: 0.5}, "
        "high: {probability: 0.75, factor: {bar: 1.5}}}\n"
    )
    line = shop(text)
    assert loads(dumps(line)) == line
    assert model_hash(loads(dumps(line))) == model_hash(line)
    more = shop(text.replace("quantity: 4", "quantity: 5").replace("0.25", "0.250"))
    assert diff(line, more) == ["target a: quantity 4 -> 5"]
    assert diff(line, shop(text.replace("  c:", "  e:"))) == [
        "target c removed",
        "target e added",
    ]
    assert diff(shop(""), shop("demand: {}\ntargets: {}")) == []
    assert "target a added" in diff(shop(""), line)
    assert "scenario low added" in diff(shop(""), line)


def test_overlays_add_change_and_take_out_targets(tmp_path: Path) -> None:
    model = tmp_path / "shop.yaml"
    target = "targets: {a: {product: bar, quantity: 4, by: 2027-01-31}}"
    model.write_text(TEXT + target, encoding="utf-8")
    overlay = tmp_path / "more.yaml"
    overlay.write_text(
        "base: shop.yaml\n"
        "changes: {targets: {a: {quantity: 6}}}\n"
        "add:\n"
        "  targets: {b: {product: bar, quantity: 7, by: 2027-02-28}}\n"
        "  changes: [{on: 2027-02-01, stations: {mill: {servers: 2}}}]\n",
        encoding="utf-8",
    )
    line = read(overlay).line
    assert {name: t.quantity for name, t in line.targets.items()} == {"a": 6, "b": 7}
    assert len(line.changes) == 1
    overlay.write_text(
        "base: shop.yaml\nchanges: {targets: {b: {quantity: 6}}}", encoding="utf-8"
    )
    with pytest.raises(ModelError, match='no target "b"'):
        read(overlay)


def test_a_model_with_changes_and_no_version_is_no_overlay(tmp_path: Path) -> None:
    model = tmp_path / "shop.yaml"
    text = TEXT.replace("schema_version: 1\n", "")
    model.write_text(f"{text}changes: []\n", encoding="utf-8")
    with pytest.raises(ModelError, match="schema_version is missing"):
        read(model)


# ---------------------------------------------------------------- mistakes


def found_in(folder: Path, text: str) -> list[Finding]:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        return check_loaded(read(path))
    except ModelError as error:
        return list(error.findings)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{a: {product: ¦baar, quantity: 4, by: 9 h}}", "LW201", 'mean "bar"'),
        ("{a: {product: ¦pin, quantity: 4, by: 9 h}}", "LW260", "does not leave"),
        ("{a: {product: bar, quantity: ¦0, by: 9 h}}", "LW109", "quantity"),
        ("{a: {product: bar, quantity: ¦2.5, by: 9 h}}", "LW108", "whole number"),
        ("{¦a: {product: bar, quantity: 4}}", "LW260", "one of both"),
        (
            "{¦a: {product: bar, quantity: 4, by: 9 h, per: week, to: 2027-02-07}}",
            "LW260",
            "one of both",
        ),
        ("{a: {product: bar, quantity: 4, by: ¦2026-12-31}}", "LW260", "before"),
        ("{a: {product: bar, quantity: 4, by: ¦2027-01-04 00:00}}", "LW260", "before"),
        ("{a: {product: bar, quantity: 4, by: ¦9995-12-31}}", "LW260", "years"),
        ("{a: {product: bar, quantity: 4, by: ¦9000 y}}", "LW109", "unit"),
        (
            "{a: {product: bar, quantity: 4, by: 2027-02-01, since: ¦2027-03-01}}",
            "LW260",
            "begins after it is due",
        ),
        (
            "{a: {product: bar, quantity: 4, by: 2027-02-01, since: ¦2026-03-01}}",
            "LW260",
            "before the line starts",
        ),
        (
            "{a: {product: bar, quantity: 4, by: 2027-02-01, to: ¦2027-03-01}}",
            "LW260",
            "due once",
        ),
        ("{¦a: {product: bar, quantity: 4, per: week}}", "LW260", "to when it goes on"),
        (
            "{a: {product: bar, quantity: 4, per: ¦weak, to: 2027-02-07}}",
            "LW109",
            'mean "week"',
        ),
        (
            "{a: {product: bar, quantity: 4, per: week, to: ¦2027-02-06}}",
            "LW260",
            "2027-02-07",
        ),
        (
            "{a: {product: bar, quantity: 4, per: month, from: ¦2027-02-02, "
            "to: 2027-03-31}}",
            "LW260",
            "2027-02-01",
        ),
        (
            "{a: {product: bar, quantity: 4, per: month, from: 2027-05-01, "
            "to: ¦2027-03-31}}",
            "LW260",
            "ends before it begins",
        ),
        (
            "{a: {product: bar, quantity: 4, per: month, to: ¦2026-03-31}}",
            "LW260",
            "before the line starts",
        ),
        (
            "{a: {product: bar, quantity: 4, per: month, from: ¦2026-03-01, "
            "to: 2027-03-31}}",
            "LW260",
            "begins before the line starts",
        ),
        (
            "{a: {product: bar, quantity: 4, per: week, to: ¦3027-01-07}}",
            "LW260",
            "most are 2,000",
        ),
        (
            "{a: {product: bar, quantity: 4, per: month, since: ¦2027-02-01, "
            "to: 2027-03-31}}",
            "LW260",
            "due once",
        ),
        (
            "{a: {product: bar, quantity: 4, per: month, to: 2027-03-31, "
            "ramp: {from: ¦5, over: 2}}}",
            "LW260",
            "begin with fewer",
        ),
        (
            "{a: ¦{product: bar, quantity: 4, per: month, to: 2027-03-31, "
            "ramp: {from: 1, over: 2 quarters}}}",
            "LW109",
            "2 months|4 months",
        ),
        (
            "{a: {product: bar, quantity: 4, by: 2027-02-28},\n"
            "          b: {product: bar, quantity: ¦5, by: 2027-02-28}}",
            "LW260",
            "in the same time",
        ),
        (
            "{a: {product: bar, quantity: 4, per: year, to: 2028-12-31},\n"
            "          b: {product: bar, quantity: ¦5, by: 2027-12-31}}",
            "LW260",
            "in the same time",
        ),
    ],
)
def test_what_cannot_be_meant_of_targets(
    tmp_path: Path, text: str, code: str, words: str
) -> None:
    wrong, (where,) = marked(f"{TEXT}targets: {text}\n")
    found = [f for f in found_in(tmp_path, wrong) if f.severity == "error"]
    assert [f.code for f in found] == [code], found
    assert any(word in str(found[0]) for word in words.split("|")), found
    assert (found[0].line, found[0].column) == where


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("¦demand: {a: {probability: 0.5}, b: {probability: 0.4}}", "LW262", "0.9"),
        ("demand: {a: {probability: ¦1.5}}", "LW109", "1.5"),
        ("demand: {a: {probability: 1, factor: ¦0}}", "LW109", "factor"),
        ("demand: {a: {probability: 1, factor: {¦baar: 2}}}", "LW201", 'mean "bar"'),
        (
            "demand: {a: {probability: 1, factor: {¦shaft: 2}}}",
            "LW262",
            "says nothing",
        ),
    ],
)
def test_what_cannot_be_meant_of_demand(
    tmp_path: Path, text: str, code: str, words: str
) -> None:
    target = "targets: {a: {product: bar, quantity: 4, by: 9 h}}\n"
    wrong, (where,) = marked(f"{TEXT}{target}{text}\n")
    found = [f for f in found_in(tmp_path, wrong) if f.severity == "error"]
    assert [f.code for f in found] == [code], found
    assert words in str(found[0])
    assert (found[0].line, found[0].column) == where


def test_demand_without_targets_is_an_error(tmp_path: Path) -> None:
    found = found_in(tmp_path, f"{TEXT}demand: {{a: {{probability: 1}}}}\n")
    assert [f.code for f in found] == ["LW262"]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = (
        f"{TEXT}targets:\n"
        "  a: {product: pin, quantity: 4, by: 2026-01-31}\n"
        "  b: {product: bar, quantity: 4}\n"
        "demand: {x: {probability: 0.5}}\n"
        "changes: [{on: 2026-01-01, stations: {mill: {servers: 2}}}]\n"
    )
    codes = sorted(f.code for f in found_in(tmp_path, text))
    assert codes == ["LW260", "LW260", "LW260", "LW261", "LW262"]


def test_a_zone_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    text = TEXT.replace("Europe/Vienna", "Europe/Wien")
    text += "targets: {a: {product: bar, quantity: 4, by: 2026-01-31}}\n"
    assert [f.code for f in found_in(tmp_path, text)] == ["LW214"]


def test_fewer_units_by_a_later_date_are_told(tmp_path: Path) -> None:
    text = (
        f"{TEXT}targets:\n"
        "  a: {product: bar, quantity: 9, by: 2027-01-31}\n"
        "  b: {product: bar, quantity: 4, by: 2027-02-28}\n"
        "  c: {product: bar, quantity: 4, by: 2027-03-31, since: 2027-02-01}\n"
    )
    (found,) = found_in(tmp_path, text)
    assert (found.code, found.severity, found.line) == ("LW350", "warning", 13)
