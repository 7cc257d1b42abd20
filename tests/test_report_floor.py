"""Boxes on the floor: where the plan has them, never on one another."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.model.line import Layout, Line
from linewright.model.load import load
from linewright.report.floor import Area, Row, Size, arrange, ways
from linewright.report.linemap.drawing import Card
from linewright.report.linemap.placing import stages_of
from linewright.report.linemap.plan import draw_plan, has_plan
from linewright.report.routes import Link, links

BOX = Size(120.0, 60.0)
METERS = st.integers(0, 60).map(lambda m: f"{m} m")


def plan(places: dict[str, tuple[str, str]], **more: object) -> Layout:
    there = {name: {"x": x, "y": y} for name, (x, y) in places.items()}
    return Layout.model_validate({"places": there, **more})


@given(
    st.lists(st.tuples(METERS, METERS), min_size=1, max_size=25),
    st.integers(0, 8),
    st.booleans(),
    st.sampled_from([920.0, 1320.0]),
)
def test_no_box_lies_on_another_or_off_the_drawing(
    spots: list[tuple[str, str]], n_more: int, in_a_hall: bool, width: float
) -> None:
    hall = {"x": 0, "y": 0, "width": "60 m", "depth": "60 m"}
    rooms = {"hall": hall} if in_a_hall else {}
    layout = plan({f"s{i}": spot for i, spot in enumerate(spots)}, rooms=rooms)
    names = [f"s{i}" for i in range(len(spots) + n_more)]
    floor = arrange(layout, dict.fromkeys(names, BOX), width, [Row("more", names)])
    assert set(floor.boxes) == set(names)
    for a, b in combinations(floor.boxes.values(), 2):
        assert not a.overlaps(b)
    for box in floor.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= width
        assert box.y + box.height <= floor.height


def test_boxes_with_room_stand_as_on_the_plan() -> None:
    layout = plan(
        {"a": ("5 m", "5 m"), "b": ("35 m", "5 m"), "c": ("20 m", "25 m")},
        width="40 m",
        depth="30 m",
    )
    floor = arrange(layout, dict.fromkeys("abc", BOX), 920.0, [Row("", "abc")])
    (ax, ay), (bx, by), (cx, cy) = (floor.boxes[n].middle for n in "abc")
    scale = (bx - ax) / 30
    assert ay == pytest.approx(by)
    assert (cx - ax, cy - ay) == pytest.approx((15 * scale, 20 * scale))


def test_what_has_no_place_stands_below_the_plan() -> None:
    layout = plan({"a": ("5 m", "5 m")})
    floor = arrange(layout, dict.fromkeys("ab", BOX), 920.0, [Row("Others", "ab")])
    assert floor.boxes["b"].y > floor.boxes["a"].y + BOX.height
    assert [title for title, _ in floor.bands] == ["Others"]


def test_a_move_bends_around_a_box_in_its_way() -> None:
    row = {name: Area(200.0 * i, 0.0, 120.0, 60.0) for i, name in enumerate("abc")}
    moves = [Link("a", "b", "flow", "p"), Link("a", "c", "flow", "p")]
    near, far = ways(row, [*moves, Link("a", "gone", "flow", "p")])
    assert "Q" not in near.path
    assert near.path.startswith("M120.0 30.0L200.0 30.0")
    assert "Q" in far.path


def test_the_brief_draws_the_house_example_on_its_floor(project: Path) -> None:
    line = load(project / "examples" / "light-aircraft" / "plant.yaml")
    card = Card("91% used", 2, "4.2", (("processing", 0.5), ("starved", 0.5)), "tip")
    stages = stages_of(line, list(line.stations))
    cards = dict.fromkeys(line.stations, card)
    drawing = draw_plan(line, stages, links(line), cards, 920.0)
    assert len(drawing.boxes) == len(line.stations)
    assert {room.title.text for room in drawing.rooms} >= {"Paint shop", "Spares"}
    areas = [Area(b.x, b.y, b.width, b.height) for b in drawing.boxes]
    assert not any(a.overlaps(b, 4) for a, b in combinations(areas, 2))
    for room in drawing.rooms:
        name = Area(room.title.x, room.y, 40.0, 16.0)
        assert not any(name.overlaps(area) for area in areas)


def test_a_line_without_a_place_for_what_is_shown_has_no_plan() -> None:
    text = {"schema_version": 1, "name": "x", "stations": {"a": {"process": "1 min"}}}
    text |= {"products": {"p": {"route": ["a"]}}}
    assert not has_plan(Line.model_validate(text), ["a"])
    placed = {"places": {"a": {"x": 0, "y": 0}}}
    line = Line.model_validate(text | {"layout": placed})
    assert has_plan(line, ["a"])
    assert not has_plan(line, ["b"])
