"""Mistakes about tools, loops, materials, wear, spares and the pace, and what is said.

Each case changes one thing in a model about which nothing is to be said.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from linewright.errors import Finding, ModelError
from linewright.model.check import check, load_checked
from linewright.model.line import Line

MODEL: dict[str, Any] = {
    "schema_version": 1,
    "name": "stocks",
    "people": {"fitters": 2},
    "calendars": {"nights": {"shifts": [{"from": "22:00", "to": "06:00"}]}},
    "tools": {"jig": 2, "gauge": 1},
    "loops": {"card": {"cards": 3, "from": "stamp", "to": "test"}},
    "materials": {
        "sheet": {"stock": 8, "reorder_point": 4, "lot": 6, "lead_time": "1 d"}
    },
    "failures": {
        "air": {"stations": ["saw", "weld"], "every": "9 d", "repair": "1 h"}
    },
    "stations": {
        "saw": {
            "process": "5 min",
            "failures": {
                "blade": {
                    "every": "8 h", "steps": 3, "repair": "1 h",
                    "spares": 1, "swap": "5 min",
                }
            },
            "maintenance": {
                "renew": {
                    "when_worn": {"blade": 2}, "duration": "20 min",
                    "window": "nights", "defer": "2 h",
                }
            },
        },
        "weld": {"process": "10 min", "dispatch": "priority", "preempt": "resume"},
        "oven": {"process": "1 h", "batch": 4, "buffer": 8},
        "test": {
            "process": "5 min",
            "ramp_up": {
                "speed": [{"at": "0 d", "share": 0.5}, {"at": "9 d", "share": 1.0}]
            },
        },
        "pack": {"process": "5 min"},
    },
    "products": {
        "part": {
            "release": {"every": "30 min"},
            "bom": {"sheet": {"quantity": 2, "bought": True}},
            "route": [
                {"operation": "saw", "station": "saw", "tools": "jig"},
                {"operation": "mark", "station": "saw", "tools": "gauge"},
                {"operation": "cure", "station": "oven"},
                {"operation": "stamp", "station": "pack"},
                {
                    "operation": "test", "station": "test",
                    "learning": {"rate": 0.8, "half_life": "30 d"},
                },
                {"operation": "pack", "station": "pack"},
            ],
        },
        "lid": {"release": {"every": "50 min"}, "route": ["weld"]},
    },
}  # fmt: skip


def findings(change: Any) -> list[Finding]:
    model = copy.deepcopy(MODEL)
    change(model, model["products"]["part"], model["products"]["part"]["route"])
    return check(Line.model_validate(model))


def put(where: Any, **keys: Any) -> bool:
    """Change some keys; return a value, so that changes can stand beside each other."""
    where.update(keys)
    return True


def station(model: Any, name: str) -> Any:
    return model["stations"][name]


def test_of_the_model_itself_nothing_is_said() -> None:
    assert findings(lambda *_: None) == []


def store(stock: int, **keys: Any) -> Any:
    """Return a change that lets the lid be built into the part, with some in store."""
    return lambda m, p, r: (
        put(m["products"]["lid"], stock=stock, release="with_parent", **keys),
        put(p["bom"], lid=1),
    )


NAMES = [
    (
        "LW201", "products.part.route.0.tools.jug", 'is not a tool; there are jig',
        lambda m, p, r: put(r[0], tools="jug"),
    ),
    (
        "LW201", "loops.card.from", "is not an operation",
        lambda m, p, r: put(m["loops"]["card"], **{"from": "stomp"}),
    ),
    (
        "LW201", "loops.card.to", "is not an operation",
        lambda m, p, r: put(m["loops"]["card"], to="tets"),
    ),
    (
        "LW201", "loops.card.products.0", "is not a product",
        lambda m, p, r: put(m["loops"]["card"], products=["prat"]),
    ),
    (
        "LW201", "loops.card.takes.prat", "is not a product",
        lambda m, p, r: put(m["loops"]["card"], takes={"prat": 2}),
    ),
    (
        "LW201", "failures.air.stations.1", "is not a station",
        lambda m, p, r: put(m["failures"]["air"], stations=["saw", "wled"]),
    ),
    (
        "LW201", "failures.air.crew", "is not a pool of people",
        lambda m, p, r: put(m["failures"]["air"], crew="fiters"),
    ),
    (
        "LW201", "stations.saw.maintenance.renew.window", "is not a calendar",
        lambda m, p, r: put(station(m, "saw")["maintenance"]["renew"], window="day"),
    ),
    (
        "LW201", "stations.saw.maintenance.renew.when_worn.bled",
        "is not a failure of this station",
        lambda m, p, r: put(
            station(m, "saw")["maintenance"]["renew"], when_worn={"bled": 2}
        ),
    ),
    (
        "LW201", "stations.saw.failures.blade.tools.jug",
        "is not a tool; there are jig",
        lambda m, p, r: put(
            station(m, "saw")["failures"]["blade"], tools=["jig", "jug"]
        ),
    ),
    (
        "LW201", "stations.saw.maintenance.renew.tools.jug", "is not a tool",
        lambda m, p, r: put(
            station(m, "saw")["maintenance"]["renew"], tools={"jug": 2}
        ),
    ),
    (
        "LW201", "failures.air.tools.jug", "is not a tool",
        lambda m, p, r: put(m["failures"]["air"], tools="jug"),
    ),
    (
        "LW201", "stations.pack.setup.tools.jug", "is not a tool",
        lambda m, p, r: put(
            station(m, "pack"), setup={"time": "5 min", "tools": "jug"}
        ),
    ),
    (
        "LW202", "loops.jig", '"jig" is a tool and a loop',
        lambda m, p, r: put(m["loops"], jig=m["loops"]["card"]),
    ),
    (
        "LW202", "materials.jig", '"jig" is a tool and a material',
        lambda m, p, r: put(m["materials"], jig=m["materials"]["sheet"]),
    ),
    (
        "LW202", "materials.card", '"card" is a loop and a material',
        lambda m, p, r: put(m["materials"], card=m["materials"]["sheet"]),
    ),
    (
        "LW202", "failures.air.stations", 'the station "saw" is here 2 times',
        lambda m, p, r: put(m["failures"]["air"], stations=["saw", "saw"]),
    ),
]  # fmt: skip

STOCKS = [
    (
        "LW210", "failures.air.every", "nothing else would ever happen",
        lambda m, p, r: put(m["failures"]["air"], every=0),
    ),
    (
        "LW226", "failures.air.crew",
        '3 of "fitters" are needed at once, and there are 2',
        lambda m, p, r: put(m["failures"]["air"], crew={"fitters": 3}),
    ),
    (
        "LW227", "products.part.route.0.tools.jig",
        '3 of "jig" are needed at once, and there are 2',
        lambda m, p, r: put(r[0], tools={"jig": 3}),
    ),
    (
        "LW227", "stations.saw.failures.blade.tools.jig",
        '3 of "jig" are needed at once, and there are 2',
        lambda m, p, r: put(
            station(m, "saw")["failures"]["blade"], tools={"jig": 3}
        ),
    ),
    (
        "LW227", "stations.saw.failures.blade.tools.gauge",
        '"saw" may have 1 of "gauge" when its repair needs 1, and there are 1',
        lambda m, p, r: put(station(m, "saw")["failures"]["blade"], tools="gauge"),
    ),
    (
        "LW227", "stations.saw.setup.tools.gauge",
        '"saw" may have 1 of "gauge" when its setup needs 1, and there are 1',
        lambda m, p, r: put(
            station(m, "saw"), setup={"time": "5 min", "tools": "gauge"}
        ),
    ),
    (
        "LW227", "failures.air.tools.gauge",
        '"weld" may have 1 of "gauge" when its repair needs 1, and there are 1',
        lambda m, p, r: (
            put(m["failures"]["air"], tools="gauge", stations=["weld"]),
            put(
                station(m, "weld"), setup={"first": "5 min", "tools": "gauge"}
            ),
        ),
    ),
    (
        "LW227", "products.part.route.2", "in batches takes no tools",
        lambda m, p, r: put(r[2], tools="gauge"),
    ),
    (
        "LW227", "products.part.route.2", "in batches takes no materials",
        lambda m, p, r: put(r[2], uses={"sheet": 2}),
    ),
    (
        "LW227", "products.part.route.0", "never more than 10",
        lambda m, p, r: put(p["bom"], sheet={"quantity": 11, "bought": True}),
    ),
    (
        "LW227", "products.part.route.0", "a part takes 12",
        lambda m, p, r: put(p, lot_size=6),
    ),
    (
        "LW227", "loops.card", 'no product has "stamp" and "weld" in its route',
        lambda m, p, r: put(m["loops"]["card"], to="weld"),
    ),
    (
        "LW227", "loops.card.products", '"lid" has not both "stamp" and "test"',
        lambda m, p, r: put(m["loops"]["card"], products=["part", "lid"]),
    ),
    (
        "LW227", "loops.card.takes.lid", '"lid" is not in this loop',
        lambda m, p, r: put(m["loops"]["card"], takes={"lid": 2}),
    ),
    (
        "LW227", "loops.card.takes.part", "takes 4 cards, and there are 3",
        lambda m, p, r: put(m["loops"]["card"], takes={"part": 4}),
    ),
    (
        "LW227", "loops.card.from", "ends before it begins",
        lambda m, p, r: put(m["loops"]["card"], **{"from": "test", "to": "stamp"}),
    ),
    (
        "LW227", "loops.card.from", 'not all parts of "part" come to',
        lambda m, p, r: put(r[3], sample=0.5),
    ),
    (
        "LW227", "loops.card.to", 'not all parts of "part" come to',
        lambda m, p, r: put(r[4], rework_only=True),
    ),
    (
        "LW227", "loops.card.from", '"cure", which is done in batches',
        lambda m, p, r: put(m["loops"]["card"], **{"from": "cure"}),
    ),
    (
        "LW227", "materials.bolt", 'no bill of materials has "bolt"',
        lambda m, p, r: put(m["materials"], bolt=m["materials"]["sheet"]),
    ),
    (
        "LW227", "materials.lid", "is made on the line",
        lambda m, p, r: (
            store(0)(m, p, r), put(m["materials"], lid=m["materials"]["sheet"])
        ),
    ),
    (
        "LW227", "products.lid.stock", 'no product is made of "lid"',
        lambda m, p, r: put(m["products"]["lid"], stock=2),
    ),
    (
        "LW227", "products.lid.stock", "5 units are not whole lots of 2",
        store(5, lot_size=2),
    ),
    ("LW227", "products.lid.stock", "has 3 places", store(4, store=3)),
    (
        "LW228", "stations.saw.failures.blade.swap", "no effect without spares",
        lambda m, p, r: station(m, "saw")["failures"]["blade"].pop("spares"),
    ),
    (
        "LW228", "stations.saw.maintenance.renew", "say one",
        lambda m, p, r: put(station(m, "saw")["maintenance"]["renew"], every="9 d"),
    ),
    (
        "LW228", "stations.saw.maintenance.renew", "say one",
        lambda m, p, r: station(m, "saw")["maintenance"]["renew"].pop("when_worn"),
    ),
    (
        "LW228", "stations.saw.maintenance.renew.first", "due by wear",
        lambda m, p, r: put(station(m, "saw")["maintenance"]["renew"], first="1 h"),
    ),
    (
        "LW228", "stations.saw.maintenance.renew.clock", "due by wear",
        lambda m, p, r: put(
            station(m, "saw")["maintenance"]["renew"], clock="processing"
        ),
    ),
    (
        "LW228", "stations.saw.maintenance.renew.when_worn.blade",
        '"blade" fails at step 3',
        lambda m, p, r: put(
            station(m, "saw")["maintenance"]["renew"], when_worn={"blade": 3}
        ),
    ),
]  # fmt: skip

PACE = [
    (
        "LW229", "stations.test.ramp_up.speed.1.at", "not come after the one before",
        lambda m, p, r: put(station(m, "test")["ramp_up"]["speed"][0], at="9 d"),
    ),
    (
        "LW229", "stations.test.ramp_up.good.1.at", "not come after the one before",
        lambda m, p, r: put(
            station(m, "test")["ramp_up"],
            good=[{"at": "2027-01-05", "share": 1.0}, {"at": "1 h", "share": 1.0}],
        ),
    ),
    (
        "LW229", "products.part.route.4.learning.rate", "would take no time",
        lambda m, p, r: put(r[4]["learning"], rate=0),
    ),
    (
        "LW229", "products.part.route.4.learning.half_life", "forgotten at once",
        lambda m, p, r: put(r[4]["learning"], half_life=0),
    ),
    (
        "LW229", "products.lid.route.0.learning", "of one name learn together",
        lambda m, p, r: put(
            m["products"]["lid"],
            route=[{"operation": "test", "station": "test", "learning": {"rate": 0.9}}],
        ),
    ),
    (
        "LW229", "stations.weld.preempt", "are not served first",
        lambda m, p, r: put(station(m, "weld"), dispatch=["fifo", "priority"]),
    ),
    (
        "LW229", "stations.weld.preempt", "works in batches",
        lambda m, p, r: put(station(m, "weld"), batch=2),
    ),
    (
        "LW229", "stations.weld.preempt", "blocks before service",
        lambda m, p, r: put(station(m, "weld"), blocking="before_service"),
    ),
    (
        "LW229", "products.part.route.3", "has alternative stations",
        lambda m, p, r: put(r[3], station=["weld", "pack"]),
    ),
    (
        "LW229", "products.part.route.0", "takes components, tools or cards",
        lambda m, p, r: put(r[0], station="weld"),
    ),
    (
        "LW229", "products.part.route.4", "takes components, tools or cards",
        lambda m, p, r: put(r[4], station="weld"),
    ),
    (
        "LW229", "products.part.route.5", "in batches or cascades",
        lambda m, p, r: put(r[5], station="weld", cascade="1 min"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "path", "words", "change"), NAMES + STOCKS + PACE)
def test_a_mistake_is_found(code: str, path: str, words: str, change: Any) -> None:
    found = [
        (f.code, ".".join(map(str, f.path)), f.message)
        for f in findings(change)
        if f.severity == "error"
    ]
    assert any((c, p) == (code, path) and words in text for c, p, text in found), found


@pytest.mark.parametrize(
    ("code", "path", "words", "change"),
    [
        (
            "LW303", "tools.drill", 'setup or repair needs the tool "drill"',
            lambda m, p, r: put(m["tools"], drill=1),
        ),
        (
            "LW303", "calendars.days", 'nobody works by the calendar "days"',
            lambda m, p, r: put(m["calendars"], days={}),
        ),
        (
            "LW309", "tools.gauge",
            'servers that have "gauge" may wait for "jig" for "gauge"',
            lambda m, p, r: (
                put(
                    station(m, "saw")["failures"]["blade"],
                    tools={"jig": 2}, part="restart",
                ),
                put(r[0], tools="gauge"),
                put(r[1], tools="gauge"),
                put(r[5], tools="jig"),
                put(station(m, "pack"), setup={"time": "5 min", "tools": "gauge"}),
            ),
        ),
        (
            "LW309", "tools.jig", 'servers that have "jig" may wait for "jig"',
            lambda m, p, r: (
                put(station(m, "saw"), servers=3),
                put(station(m, "saw")["failures"]["blade"], tools="jig"),
            ),
        ),
        (
            "LW309", "loops.card", "then neither ever goes on",
            lambda m, p, r: (
                put(r[4], tools="gauge"),
                put(
                    m["loops"],
                    gauges={"cards": 2, "from": "mark", "to": "pack"},
                    card={"cards": 2, "from": "stamp", "to": "pack"},
                ),
                put(
                    m["products"]["lid"],
                    route=[
                        {"operation": "stamp", "station": "pack"},
                        {"operation": "mark", "station": "pack"},
                        {"operation": "pack", "station": "pack"},
                    ],
                ),
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_likely_not_meant(
    code: str, path: str, words: str, change: Any
) -> None:
    found = [
        (f.code, ".".join(map(str, f.path)), f.message)
        for f in findings(change)
        if f.severity == "warning"
    ]
    assert any((c, p) == (code, path) and words in text for c, p, text in found), found


@pytest.mark.parametrize(
    "change",
    [
        lambda m, p, r: put(station(m, "saw")["failures"]["blade"], tools="jig"),
        lambda m, p, r: put(
            station(m, "saw")["maintenance"]["renew"], tools=["jig", "gauge"]
        ),
        lambda m, p, r: put(
            station(m, "saw")["failures"]["blade"], tools="gauge", part="scrap"
        ),
        lambda m, p, r: put(station(m, "weld"), setup={"time": 0, "tools": "gauge"}),
        lambda m, p, r: (
            put(station(m, "saw")["failures"]["blade"], tools="gauge"),
            put(m["tools"], gauge=2),
        ),
    ],
)  # fmt: skip
def test_enough_tools_for_operations_setups_and_repairs(change: Any) -> None:
    assert findings(change) == []


def test_spares_may_be_called_like_a_tool() -> None:
    found = findings(lambda m, p, r: put(m["tools"], **{"saw blade spares": 1}))
    assert ("LW202", ("stations", "saw", "failures", "blade")) in [
        (f.code, f.path) for f in found
    ]


def test_a_tool_within_a_loop_closes_no_circle() -> None:
    assert findings(lambda m, p, r: put(r[3], tools="jig")) == []


@pytest.mark.parametrize(
    ("loop", "is_safe"),
    [
        ({"from": "cut", "to": "weld"}, True),
        ({"from": "cut", "to": "cut", "hand_back": "next"}, True),
        ({"from": "cut", "to": "cut"}, False),
        ({"from": "weld", "to": "weld"}, False),
    ],
)
def test_cards_keep_parts_from_piling_up(loop: Any, is_safe: bool) -> None:
    model = {
        "schema_version": 1,
        "name": "piles",
        "loops": {"card": {"cards": 3, **loop}},
        "stations": {"cut": {"process": "1 min"}, "weld": {"process": "2 min"}},
        "products": {"p": {"route": ["cut", "weld"]}},
    }
    found = [f.code for f in check(Line.model_validate(model))]
    assert found == ([] if is_safe else ["LW306"])


def test_a_near_name_and_what_to_do_are_told() -> None:
    (found,) = findings(lambda m, p, r: put(r[0], tools="jigg"))
    assert 'did you mean "jig"' in found.help
    (found,) = findings(lambda m, p, r: put(r[0], tools={"jig": 3}))
    assert found.help == "no part could ever start"


@pytest.mark.parametrize(
    ("old", "new", "place", "code"),
    [
        ("tools: clamp}", "tools: clmap}", (11, 30), "LW201"),
        ("cards: 2,", "cards: 2, takes: {p: 3},", (4, 34), "LW227"),
        ("steps: 4,", "steps: 2,", (9, 37), "LW228"),
        ("rate: 0.8", "rate: 0", (12, 47), "LW229"),
    ],
)
def test_a_finding_has_its_line_and_column(
    tmp_path: Path, old: str, new: str, place: tuple[int, int], code: str
) -> None:
    text = """\
schema_version: 1
name: L
tools: {clamp: 1}
loops: {card: {cards: 2, from: a, to: b}}
stations:
  A:
    process: 5 min
    failures: {bit: {every: 1 d, steps: 4, repair: 1 h}}
    maintenance: {new: {when_worn: {bit: 2}, duration: 1 h}}
products: {p: {route: [
  {operation: a, station: A, tools: clamp},
  {operation: b, station: A, learning: {rate: 0.8}}]}}
"""
    assert old in text
    path = tmp_path / "line.yaml"
    path.write_text(text, encoding="utf-8")
    load_checked(path)
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_checked(path)
    (found,) = [f for f in caught.value.findings if f.severity == "error"]
    assert (found.code, found.line, found.column) == (code, *place)
    assert found.file == str(path)
