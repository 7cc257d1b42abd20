"""Mistakes about batches, cascades, samples, limits and people, and their findings."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from linewright.errors import ModelError
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.load import loads, read
from tests.model_texts import marked

MODEL: dict[str, Any] = {
    "schema_version": 1,
    "name": "floor",
    "people": {
        "smith": {"skills": ["weld"]},
        "fitters": {"count": 2, "skills": ["weld"]},
    },
    "stations": {
        "mill": {"process": "10 min", "servers": 2},
        "oven": {"process": "1 h", "batch": {"min": 2, "max": 4}, "buffer": 8},
        "pack": {"process": "5 min"},
    },
    "products": {
        "part": {
            "release": {"every": "20 min"},
            "route": [
                {"operation": "rough", "station": "mill"},
                {"operation": "cure", "station": "oven"},
                {"operation": "fine", "station": "mill"},
                {"operation": "pack", "station": "pack"},
            ],
        }
    },
}


def findings(change: Any) -> list[tuple[str, str, str]]:
    model = copy.deepcopy(MODEL)
    change(model["stations"], model["products"], model["products"]["part"]["route"])
    return [
        (f.code, ".".join(map(str, f.path)), f.message)
        for f in check(Line.model_validate(model))
        if f.severity == "error"
    ]


def test_the_model_itself_is_clean() -> None:
    assert findings(lambda *_: None) == []


def put(where: Any, **keys: Any) -> bool:
    """Change some keys; return a value, so that changes can stand beside each other."""
    where.update(keys)
    return True


@pytest.mark.parametrize(
    ("code", "path", "words", "change"),
    [
        (
            "LW222", "stations.oven.batch.max", "fewer than it needs",
            lambda s, p, r: put(s["oven"], batch={"min": 3, "max": 2}),
        ),
        (
            "LW222", "products.part.route.1", "can never fill",
            lambda s, p, r: put(s["oven"], buffer=1),
        ),
        (
            "LW222", "products.part.route.1", "need a place to wait",
            lambda s, p, r: put(
                s["oven"], buffer=0, batch={"max": 2, "longest_wait": 0}
            ),
        ),
        (
            "LW222", "products.part.route.1", "takes 4 at most",
            lambda s, p, r: put(p["part"], lot_size=5),
        ),
        (
            "LW222", "products.part.route.1", "cannot block before service",
            lambda s, p, r: put(s["oven"], blocking="before_service"),
        ),
        (
            "LW222", "products.part.route.1", "cannot have uses",
            lambda s, p, r: (
                put(p, rib={"route": ["pack"]}),
                put(p["part"], bom={"rib": 1}),
                put(r[1], uses={"rib": 1}),
            ),
        ),
        (
            "LW223", "products.part.route.0.cascade", "later than this one is done",
            lambda s, p, r: put(r[0], cascade="11 min"),
        ),
        (
            "LW223", "products.part.route.1.cascade", "not both",
            lambda s, p, r: put(r[1], cascade="11 min"),
        ),
        (
            "LW223", "products.part.route.2.rest", 'the buffer of "pack"',
            lambda s, p, r: (put(r[2], rest="1 h"), put(s["pack"], buffer=0)),
        ),
        (
            "LW224", "products.part.route.0.sample", "first operation",
            lambda s, p, r: put(r[0], sample=0.5),
        ),
        (
            "LW224", "products.part.route.3.sample", "splits",
            lambda s, p, r: (
                put(p, bit={"route": ["pack"], "release": "never"}),
                put(r[3], sample=0.5, makes={"bit": 2}),
            ),
        ),
        (
            "LW225", "products.part.route.0.same_server_as", "does not come before",
            lambda s, p, r: put(r[0], same_server_as="fine"),
        ),
        (
            "LW225", "products.part.route.3.same_server_as", "this one is not",
            lambda s, p, r: put(r[3], same_server_as="rough"),
        ),
        (
            "LW225", "products.part.route.3.time_limit", "may find no room",
            lambda s, p, r: (
                put(s["mill"], buffer=4),
                put(
                    r[3],
                    time_limit={"after": "fine", "within": "1 h", "missed": "rework"},
                ),
            ),
        ),
        (
            "LW225", "products.part.route.3.time_limit.rework_to", "has no effect",
            lambda s, p, r: put(
                r[3], time_limit={"after": "fine", "within": 0, "rework_to": "rough"}
            ),
        ),
        (
            "LW226", "stations.mill.people.process", "there are 2",
            lambda s, p, r: put(s["mill"], people={"process": {"fitters": 3}}),
        ),
        (
            "LW226", "stations.mill.people.load", "has no load",
            lambda s, p, r: put(s["mill"], people={"load": "fitters"}),
        ),
        (
            "LW226", "stations.mill.people.repair", "nothing fails",
            lambda s, p, r: put(s["mill"], people={"repair": "fitters"}),
        ),
        (
            "LW201", "stations.mill.people.process", "pool of people",
            lambda s, p, r: put(s["mill"], people={"process": "fiters"}),
        ),
        (
            "LW201", "stations.mill.people.process", "weld",
            lambda s, p, r: put(s["mill"], people={"process": {"wield": 2}}),
        ),
        (
            "LW226", "stations.mill.people.process", "no pool of those has more than 2",
            lambda s, p, r: put(s["mill"], people={"process": {"weld": 3}}),
        ),
        (
            "LW226", "stations.mill.people.process", "there are 1",
            lambda s, p, r: put(s["mill"], people={"process": {"smith": 2}}),
        ),
        (
            "LW201", "products.part.route.2.same_server_as", "operation of this route",
            lambda s, p, r: put(r[2], same_server_as="ruff"),
        ),
        (
            "LW201", "products.two.route_of", "product",
            lambda s, p, r: put(p, two={"route_of": "prat"}),
        ),
        (
            "LW202", "products.two.route_of", "route of its own",
            lambda s, p, r: put(p, two={"route_of": "part", "route": ["pack"]}),
        ),
        (
            "LW210", "stations.mill.maintenance.m.first", "first is a time",
            lambda s, p, r: put(
                s["mill"],
                maintenance={
                    "m": {"every": "9 units", "first": "1 h", "duration": "1 h"}
                },
            ),
        ),
        (
            "LW217", "stations.mill.setup.matrix", "hot to cold",
            lambda s, p, r: (
                put(r[0], family="hot"),
                put(r[2], family="cold"),
                put(
                    s["mill"],
                    setup={"by": "operation", "matrix": {"cold": {"hot": "1 min"}}},
                ),
            ),
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_found(code: str, path: str, words: str, change: Any) -> None:
    found = findings(change)
    assert any((c, p) == (code, path) and words in text for c, p, text in found), found


SKILLS = """\
schema_version: 1
name: skills
people:
  smith: {¦skills: [weld, weld, ¦fitters]}
  fitters: {count: 2, skills: [weld], calendar: ¦dya}
failures:
  air: {stations: [mill], every: 9 h, repair: 1 h, ¦crew: {wield: 1}}
stations:
  mill:
    process: 4 min
    people: {process: ¦wield}
    people_priority: 1
    maintenance: {oil: {every: 9 h, duration: 1 h, crew: ¦fiters}}
products:
  part: {route: [mill]}
"""


def test_names_of_skills_are_checked_with_their_places(tmp_path: Path) -> None:
    """With the place of each, and the nearest name that there is."""
    text, places = marked(SKILLS)
    path = tmp_path / "model.yaml"
    path.write_text(text)
    loaded = read(path)
    found = check(loaded.line, loaded.positions)
    assert [(f.line, f.column) for f in found] == places, found
    assert [f.code for f in found] == ["LW202", "LW202", *["LW201"] * 4]
    assert "name of a pool" in found[1].message
    assert "a pool of people or a skill" in found[3].message
    assert ['"weld"' in found[i].help for i in (3, 4)] == [True, True]
    assert '"fitters"' in found[5].help


def test_a_priority_is_a_whole_number() -> None:
    text, _ = marked(SKILLS)
    with pytest.raises(ModelError) as raised:
        loads(text.replace("people_priority: 1", "people_priority: 1.5"))
    assert any("people_priority" in f.path for f in raised.value.findings)


def test_a_skill_that_nothing_asks_for_is_likely_a_slip() -> None:
    model = copy.deepcopy(MODEL)
    found = [f for f in check(Line.model_validate(model)) if "skills" in f.path]
    paths = [("people", name, "skills", 0) for name in ("smith", "fitters")]
    assert [(f.code, f.path) for f in found] == [("LW303", path) for path in paths]
    model["stations"]["mill"]["people"] = {"process": "weld"}
    assert [f for f in check(Line.model_validate(model)) if "skills" in f.path] == []


def test_units_in_process_wait_for_an_operation_of_their_product() -> None:
    model = copy.deepcopy(MODEL)
    model["in_process"] = [
        {"product": "part", "operation": "cure"},
        {"product": "part", "operation": "curr"},
        {"product": "prat", "operation": "cure"},
    ]
    found = [f for f in check(Line.model_validate(model)) if f.severity == "error"]
    assert [f.path for f in found] == [("in_process", 2, "product")]
    del model["in_process"][2]
    found = [f for f in check(Line.model_validate(model)) if f.severity == "error"]
    assert [f.path for f in found] == [("in_process", 1, "operation")]
    assert "cure" in found[0].help
