"""Overlays: what they change, what they refuse, and where they say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from linewright.errors import ModelError
from linewright.model.line import Line
from linewright.model.load import load, model_hash, read
from tests.model_texts import RICH, SMALL, marked


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return the path of the small model."""
    path = tmp_path / "base.yaml"
    path.write_text(SMALL)
    return path


def laid_over(base: Path, *texts: str) -> Line:
    paths = []
    for i, text in enumerate(texts):
        path = base.parent / f"overlay{i}.yaml"
        path.write_text(text)
        paths.append(path)
    return load(base, paths)


def test_a_change_of_one_key_leaves_the_rest(base: Path) -> None:
    line = laid_over(base, "changes: {stations: {weld: {servers: 2}}}")
    expected = SMALL.replace("process: 5 min", "servers: 2\n    process: 5 min")
    base.write_text(expected)
    assert model_hash(line) == model_hash(load(base))


def test_overlays_are_laid_over_in_order(base: Path) -> None:
    one = "changes: {name: One, stations: {weld: {servers: 2}}}"
    two = "overlay_version: 1\nchanges: {name: Two}"
    line = laid_over(base, one, two)
    assert (line.name, line.stations["weld"].servers) == ("Two", 2)


def test_null_takes_out_and_lists_and_times_are_replaced(base: Path) -> None:
    line = laid_over(
        base,
        "changes:\n"
        "  stations:\n"
        "    paint: {buffer: null, process: {gamma: {mean: 4 min, cv: 0.2}}}\n"
        "    weld: null\n"
        "  products: {frame: {route: [paint]}}\n",
        "changes: {stations: {paint: {process: {constant: 1 min}}}}",
    )
    assert list(line.stations) == ["paint"]
    assert line.stations["paint"].buffer == "unlimited"
    assert str(line.stations["paint"].process) == "1 min"
    assert len(line.products["frame"].route) == 1


def test_operations_are_changed_taken_out_and_put_in_by_name(base: Path) -> None:
    line = laid_over(
        base,
        "changes: {products: {frame: {route: {weld: {process: 9 min}, paint: null}}}}\n"
        "add:\n"
        "  stations: {drill: {process: 1 min}}\n"
        "  products:\n"
        "    frame:\n"
        "      route:\n"
        "        holes: {before: weld, station: drill}\n"
        "        burrs: {after: holes, station: drill}\n"
        "        last: {station: drill}\n",
    )
    route = line.products["frame"].route
    assert [s.operation for s in route] == ["holes", "burrs", "weld", "last"]
    assert str(route[2].process) == "9 min"
    assert route[2].stations == ("weld",)


def test_words_that_stand_for_mappings_keep_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("t\n5\n")
    base = tmp_path / "rich.yaml"
    base.write_text(
        RICH.replace("release: {kind: orders, conwip: 8}", "release: orders")
    )
    line = laid_over(
        base,
        "changes:\n"
        "  products:\n"
        "    desk: {bom: {leg: {bought: true}}, release: {conwip: 5}}\n",
    )
    desk = line.products["desk"]
    assert (desk.bom["leg"].quantity, desk.bom["leg"].bought) == (4, True)
    assert (desk.release.kind, desk.release.conwip) == ("orders", 5)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("changes: {stations: {¦wled: {servers: 2}}}", "LW120", 'did you mean "weld"?'),
        (
            "changes: {stations: {¦drill: {servers: 2}}}",
            "LW120",
            "a new one goes under",
        ),
        ("changes: {stations: {¦drill: null}}", "LW120", "no station"),
        ("changes: {products: {frame: {route: {¦holes: null}}}}", "LW120", "operation"),
        (
            "changes: {stations: {weld: {failures: {¦jam: {every: 1 h}}}}}",
            "LW120",
            "jam",
        ),
        ("changes: {stations: {weld: {¦bufer: 3}}}", "LW106", 'did you mean "buffer"?'),
        ("changes: {stations: {weld: {servers: ¦many}}}", "LW108", "whole number"),
        ("add: {stations: {weld: {¦process: 1 min}}}", "LW120", "is there already"),
        (
            "add: {products: {frame: {route: {x: {after: ¦wild, station: weld}}}}}",
            "LW120",
            'did you mean "weld"?',
        ),
        ("changes: ¦5", "LW108", "a mapping"),
        ("¦chnges: {}\nbase: base.yaml", "LW106", 'did you mean "changes"?'),
        ("overlay_version: ¦2", "LW105", "reads 1"),
        ("¦schema_version: 1\nname: x", "LW121", "not an overlay"),
        ("changes: {name: a}\n¦changes: {name: b}", "LW103", "twice"),
    ],
)
def test_a_mistake_is_found_in_the_overlay(
    base: Path, text: str, code: str, words: str
) -> None:
    text, places = marked(text)
    with pytest.raises(ModelError) as caught:
        laid_over(base, text)
    (finding,) = caught.value.findings
    assert Path(finding.file).name == "overlay0.yaml"
    assert (finding.code, (finding.line, finding.column)) == (code, places[0])
    assert words in str(finding)


def test_an_overlay_that_names_its_base_is_a_model(base: Path) -> None:
    path = base.parent / "more.yaml"
    path.write_text("base: base.yaml\nchanges: {name: More}")
    most = base.parent / "most.yaml"
    most.write_text("base: more.yaml\nchanges: {stations: {weld: {servers: 3}}}")
    line = load(most)
    assert (line.name, line.stations["weld"].servers) == ("More", 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base: ../base.yaml", "leads out"),
        ("base: loop.yaml", "back to itself"),
        ("base: none.yaml", "no such file"),
        ("changes: {}", "without a base"),
        ("base: 5", "without a base"),
    ],
)
def test_a_base_that_cannot_be_is_refused(base: Path, text: str, words: str) -> None:
    path = base.parent / "loop.yaml"
    path.write_text(text)
    with pytest.raises(ModelError, match=words):
        load(path)


def test_files_are_read_beside_the_base(base: Path) -> None:
    (base.parent / "orders.csv").write_text("product\nframe\n")
    text = "changes: {orders: {file: orders.csv}, products: {frame: {release: orders}}}"
    assert len(list(laid_over(base, text).orders)) == 1


def test_the_base_is_not_changed(base: Path) -> None:
    before = read(base).positions.plain()
    laid_over(base, "changes: {stations: {weld: {servers: 2}}}")
    assert read(base).positions.plain() == before
