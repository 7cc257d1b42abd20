"""The floor: lengths with units, places of what is there, and distances."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.errors import Finding, ModelError
from linewright.model.check import check
from linewright.model.diff import diff
from linewright.model.layout import distance_mm
from linewright.model.load import dumps, loads, model_hash, read
from linewright.units import parse_length_mm, write_length
from tests.model_texts import SMALL, marked

PLAN = """\
layout:
  width: 20 m
  depth: 10 m
  rooms:
    hall: {x: 1 m, y: 1 m, width: 18 m, depth: 8 m}
  places:
    weld: {x: 3 m, y: 2 m}
    paint: {x: 6 m, y: 600 cm}
    rack: {x: 10 ft, y: 0}
"""
TEXT = SMALL + "    release: {every: 6 min}\n" + PLAN
TEXT = TEXT.replace("stations:", "buffers: {rack: {slots: 4}}\nstations:", 1)
TEXT = TEXT.replace("buffer: 4\n  paint", "buffer: rack\n  paint")


def findings(folder: Path, text: str) -> list[Finding]:
    path = folder / "model.yaml"
    path.write_text(text)
    loaded = read(path)
    return check(loaded.line, loaded.positions)


@pytest.mark.parametrize(
    ("text", "length_mm"),
    [
        ("3 m", 3_000),
        ("2.5 m", 2_500),
        ("250cm", 2_500),
        ("7 mm", 7),
        ("1 km", 1_000_000),
        ("1 in", 25),
        ("10 ft", 3_048),
        (0, 0),
    ],
)
def test_a_length_is_whole_millimeters(text: object, length_mm: int) -> None:
    assert parse_length_mm(text) == length_mm


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("3", "is not a length"),
        (3, "has no unit"),
        (True, "a length is written like"),
        (None, "a length is written like"),
        ("3 min", "not a unit of length"),
        ("-3 m", "out of range"),
        ("1e9 km", "out of range"),
        ("three m", "is not a length"),
    ],
)
def test_what_is_no_length_is_refused(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_length_mm(value)


@given(st.integers(0, 10**9))
def test_a_length_reads_back_as_it_was_written(length_mm: int) -> None:
    assert parse_length_mm(write_length(length_mm)) == length_mm


def test_a_plan_is_clean_and_reads_back(tmp_path: Path) -> None:
    assert findings(tmp_path, TEXT) == []
    line = loads(TEXT)
    assert loads(dumps(line)) == line


def test_a_model_without_a_plan_has_the_hash_that_it_had() -> None:
    bare, planned = loads(TEXT.replace(PLAN, "")), loads(TEXT)
    assert "layout" not in dumps(bare)
    assert model_hash(bare) != model_hash(planned)
    assert diff(bare, planned) == ["layout added"]
    moved = loads(TEXT.replace("x: 3 m", "x: 4 m"))
    assert diff(planned, moved) == ["layout place of weld: x 3 m -> 4 m"]


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("    weld: {x", "    ¦wild: {x", "LW201", '"weld"?'),
        ("    rack: {x", "    ¦rock: {x", "LW201", "not a station or buffer"),
        ("width: 18 m", "width: ¦0", "LW241", 'the room "hall" has no width'),
        ("  depth: 10 m", "  depth: ¦0", "LW241", "the plan has no depth"),
        ("    paint: {x: 6 m, y: 600 cm}", "    ¦paint: {x: 3 m, y: 2 m}", "LW323",
         'stands on the same spot as "weld"'),
        ("    paint: {x: 6 m", "    ¦paint: {x: 26 m", "LW324", "beyond the edge"),
        ("    hall: {x: 1 m", "    ¦hall: {x: 3 m", "LW324", "reaches beyond"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_plan_is_found_where_it_is(
    tmp_path: Path, old: str, new: str, code: str, words: str
) -> None:
    text, places = marked(TEXT.replace(old, new))
    found = findings(tmp_path, text)
    assert [(f.line, f.column) for f in found if f.code == code] == places, found
    assert any(f.code == code and words in str(f) for f in found), found


def test_a_wrong_unit_is_found_at_its_column(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    text, places = marked(TEXT.replace("x: 3 m", "x: ¦3 min"))
    path.write_text(text)
    with pytest.raises(ModelError) as raised:
        read(path)
    (finding,) = raised.value.findings
    assert (finding.line, finding.column) == places[0]
    assert '"min" is not a unit of length' in str(finding)


def test_the_distance_is_that_of_a_straight_line() -> None:
    line = loads(TEXT)
    assert distance_mm(line, "weld", "paint") == 5_000
    assert distance_mm(line, "paint", "weld") == 5_000
    assert distance_mm(line, "weld", "weld") == 0
    assert distance_mm(loads(SMALL), "weld", "paint") is None
