"""The picture of the line: every station has a place, every line is free of others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linewright.model.line import Line
from linewright.report.linemap.drawing import Card, draw
from linewright.report.linemap.placing import Lane, Stage, place, stages_of
from linewright.report.linemap.routing import Plan, route
from linewright.report.routes import Link, chains, finals, links, station_order
from tests.test_report_plant import plant


@st.composite
def pictures(draw_from: st.DrawFn) -> tuple[list[Stage], list[Link]]:
    sizes = draw_from(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    names = iter(range(sum(sizes)))
    lanes = [
        Lane(f"lane {i}", tuple(str(next(names)) for _ in range(n)))
        for i, n in enumerate(sizes)
    ]
    cut = draw_from(st.integers(0, len(lanes) - 1))
    groups = [g for g in (lanes[:cut], lanes[cut:]) if g]
    stages = [Stage(f"stage {i}", tuple(g)) for i, g in enumerate(groups)]
    station = st.integers(0, sum(sizes) - 1).map(str)
    kind = st.sampled_from(["flow", "join", "rework"])
    made = st.builds(Link, station, station, kind, st.just("P"))
    moves = draw_from(st.lists(made, max_size=30))
    return stages, [m for m in moves if m.source != m.target]


@given(pictures(), st.sampled_from([2, 5]))
def test_every_station_has_a_place_of_its_own(
    picture: tuple[list[Stage], list[Link]], n_columns: int
) -> None:
    stages, _ = picture
    places = place(stages, n_columns)
    wanted = [s for stage in stages for lane in stage.lanes for s in lane.stations]
    assert [p.station for p in places] == wanted
    assert len({(p.row, p.column) for p in places}) == len(places)
    assert all(p.column < n_columns for p in places)
    assert all(a.stage == b.stage for a, b in combinations(places, 2) if a.row == b.row)


@given(pictures())
def test_nets_in_one_channel_never_overlap(
    picture: tuple[list[Stage], list[Link]],
) -> None:
    stages, moves = picture
    routing = route(place(stages, 5), moves, Plan(5, 10))
    for a, b in combinations(routing.nets, 2):
        for gutter in set(a.tracks) & set(b.tracks):
            if a.tracks[gutter] == b.tracks[gutter]:
                (a0, a1), (b0, b1) = _span(a, gutter), _span(b, gutter)
                assert a1 < b0 or b1 < a0
    drawn = len(routing.straight) + sum(len(net.sources) for net in routing.nets)
    assert drawn + routing.n_left_out == len(moves)


def _span(net: object, gutter: int) -> tuple[float, float]:
    from linewright.report.linemap import routing  # noqa: PLC0415 - its inside

    return routing._span(net, gutter, 5)  # type: ignore[arg-type]  # noqa: SLF001


@pytest.mark.parametrize("width", [358.0, 920.0])
def test_boxes_stay_inside_and_apart(width: float) -> None:
    line = plant()
    card = Card("91% used", 2, "4.2", (("processing", 0.5), ("starved", 0.5)), "tip")
    cards = dict.fromkeys(line.stations, card)
    d = draw(stages_of(line, list(line.stations)), links(line), cards, width)
    assert d.n_left_out == 0
    for box in d.boxes:
        assert box.x >= 0
        assert box.x + box.width <= width
        assert box.y + box.height <= d.height
    for a, b in combinations(d.boxes, 2):
        beside = a.x + a.width <= b.x or b.x + b.width <= a.x
        below = a.y + a.height <= b.y or b.y + b.height <= a.y
        assert beside or below


def small(products: dict[str, object], stations: Sequence[str] = "ABCD") -> Line:
    return Line.model_validate(
        {
            "schema_version": 1,
            "name": "x",
            "stations": {s: {"process": "1 min"} for s in stations},
            "products": products,
        }
    )


def test_links_follow_routing_assembly_and_rework() -> None:
    test = {
        "station": "D",
        "inspection": {"pass": 0.9, "rework": 1, "scrap": 0, "rework_to": "C"},
    }
    line = small(
        {
            "part": {"route": ["A", "B"], "release": "with_parent"},
            "whole": {"bom": {"part": 1}, "route": ["C", test]},
        }
    )
    assert links(line) == [
        Link("A", "B", "flow", "part"),
        Link("C", "D", "flow", "whole"),
        Link("D", "C", "rework", "whole"),
        Link("B", "C", "join", "part"),
    ]
    assert finals(line) == ("whole",)
    assert station_order(line) == ["A", "B", "C", "D"]
    assert [c.stations for c in chains(line)] == [("A", "B", "C", "D")]


def test_components_come_before_what_they_go_into() -> None:
    line = plant()
    order = station_order(line)
    assert order.index("Spar bonding") < order.index("Wing jig")
    assert order.index("Wing jig") < order.index("Wing mating")
    assert sorted(order) == sorted(line.stations)


def test_a_station_that_nobody_visits_comes_last() -> None:
    assert station_order(small({"p": {"route": ["B", "A"]}}))[:2] == ["B", "A"]
