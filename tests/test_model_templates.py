"""Parameters and templates: the plain model they make, and what is said of mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import linewright
from linewright.errors import Finding, ModelError
from linewright.model.check import check, check_loaded, load_checked
from linewright.model.diff import diff
from linewright.model.file_form import file_schema
from linewright.model.line import Line
from linewright.model.load import dumps, load, loads, model_hash, read
from linewright.model.renaming import REFERENCES
from linewright.model.source import Node, parse
from linewright.model.templates import Expansion
from tests.model_texts import SMALL, TEMPLATED, marked
from tests.parts import PROJECT

PLAIN = """\
schema_version: 1
name: Templated
buffers:
  cell-1.rack: {slots: 4}
  cell-2.rack: {slots: 6}
people:
  crew: 2
  cell-1.setter: 1
  cell-2.setter: 1
stations:
  saw: {process: 2 min}
  oven: {process: 3 min, buffer: 20}
  cell-1.mill:
    process: gamma(mean=12 min, cv=0.3)
    buffer: cell-1.rack
    load: 1 min
    people: {load: crew, repair: cell-1.setter}
    failures: {tool: {every: exponential(8 h), repair: exponential(30 min), spares: 2}}
  cell-1.wash: {process: 5 min, buffer: cell-1.rack}
  cell-1.left.grip: {process: 1 min}
  cell-2.mill:
    process: gamma(mean=10 min, cv=0.3)
    buffer: cell-2.rack
    load: 1 min
    people: {load: crew, repair: cell-2.setter}
    failures: {tool: {every: exponential(8 h), repair: exponential(30 min), spares: 2}}
  cell-2.wash: {process: 5 min, buffer: cell-2.rack}
  cell-2.left.grip: {process: 1 min}
products:
  shaft:
    release: {every: exponential(30 min)}
    route:
      - saw
      - cell-1.mill
      - cell-1.left.grip
      - {operation: cell-1.clean, station: cell-1.wash}
      - {operation: cell-1.oven, station: oven}
  gear:
    release: {every: exponential(30 min)}
    route:
      - saw
      - cell-2.mill
      - cell-2.left.grip
      - {operation: cell-2.clean, station: cell-2.wash}
      - {operation: cell-2.oven, station: oven}
"""


def model(text: str) -> str:
    """Return a model with a station and a product, and more."""
    return (
        "schema_version: 1\nname: Model\nstations: {saw: {process: 1 min}}\n"
        f"products: {{shaft: {{route: [saw]}}}}\n{text}"
    )


def refused(text: str, **options: Any) -> tuple[Finding, ...]:
    with pytest.raises(ModelError) as caught:
        loads(text, "m.yaml", **options)
    return caught.value.findings


# ---------------------------------------------------------------- the plain model


def test_copies_make_the_model_that_one_would_write_by_hand() -> None:
    line, plain = loads(TEMPLATED), loads(PLAIN)
    assert line == plain
    assert model_hash(line) == model_hash(plain)
    assert diff(line, plain) == []


def test_the_expanded_model_reads_the_same() -> None:
    line = loads(TEMPLATED)
    assert loads(dumps(line)) == line
    assert not {"$", "parameters", "templates", "copies"} & set(
        re.findall(r"\$|\w+", dumps(line))
    )


def test_copies_give_the_figures_of_the_model_written_by_hand() -> None:
    one, two = (
        linewright.simulate(loads(text), horizon="3 d", replications=2, seed=5)
        for text in (TEMPLATED, PLAIN)
    )
    assert not one.failed_checks
    for table in ("products", "stations", "buffers", "people"):
        assert rows(one, table) == rows(two, table)


def rows(result: linewright.Result, table: str) -> str:
    return str(result.table(table).to_pylist())  # as text: nan is like nan


def test_the_four_cells_are_those_of_the_expanded_model() -> None:
    path = PROJECT / "examples" / "four-cells" / "line.yaml"
    line, findings = load_checked(path)
    assert findings == []
    assert [name for name in line.stations if name.endswith(".mill")] == [
        f"cell-{i}.mill" for i in (1, 2, 3, 4)
    ]
    results = [
        linewright.simulate(model, horizon="1 week", replications=2)
        for model in (line, loads(dumps(line)))
    ]
    assert not results[0].failed_checks
    assert rows(results[0], "stations") == rows(results[1], "stations")
    assert all(rate.mean > 2.5 for rate in results[0].throughput.values())


def test_a_copy_that_is_equal_but_for_its_name_draws_numbers_of_its_own() -> None:
    line = loads(TEMPLATED.replace(", mean: 10 min, slots: 6", ""))
    assert line.stations["cell-1.mill"].process == line.stations["cell-2.mill"].process
    result = linewright.simulate(line, horizon="3 d", replications=1, seed=5)
    rows = {row["station"]: row for row in result.table("stations").to_pylist()}
    one, two = rows["cell-1.mill"], rows["cell-2.mill"]
    assert one["processing"] != two["processing"]


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("default", "use", "value"),
    [
        ("4", "$x", 4),
        ("0.5", "$x", 0.5),
        ("true", "$x", True),
        ("four", "$x", "four"),
        ('"4"', "$x", "4"),
        ("4", "$x of $x", "4 of 4"),
        ("4", "a$x", "a4"),
        ("4", "$x-", "4-"),
        ("true", "is $x", "is true"),
        ("4", "$$x", "$x"),
        ("4", "$$$x", "$4"),
        ("4", "5 $, $5 and $", "5 $, $5 and $"),
        ("a$$b $$x", "$x", "a$b $x"),
        ('"$y"', "$x", "seven"),
        ('"<$y>"', "$x$y", "<seven>seven"),
    ],
)
def test_a_parameter_stands_for_its_value(
    default: str, use: str, value: object
) -> None:
    text = model(f"parameters: {{x: {default}, y: seven}}\nwhere: {use}\n")
    (finding,) = (f for f in refused(text) if f.code == "LW106")
    assert finding.path == ("where",)
    root = expanded(text).plain()
    assert root["where"] == value
    assert type(root["where"]) is type(value)


def expanded(text: str) -> Node:
    return Expansion(parse(text, "m.yaml")[0], {}).model()


def test_a_dollar_is_a_dollar_where_nothing_is_declared() -> None:
    text = SMALL.replace("name: Small", "name: $weld and $$")
    assert loads(text).name == "$weld and $$"


def test_a_key_can_be_a_parameter() -> None:
    text = SMALL.replace("process: 5 min", "process: {$made: 5 min}")
    line = loads(text + "parameters: {made: frame}\n")
    assert list(line.stations["weld"].process or ()) == ["frame"]


def test_values_come_from_the_caller_and_count_most(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(TEMPLATED)
    over = tmp_path / "o.yaml"
    over.write_text("changes: {parameters: {cycle: 9 min, spares: 3}}\n")
    line = load(path, [over], {"cycle": "8 min"})
    mill = line.stations["cell-1.mill"]
    assert str(mill.process) == "gamma(8 min, cv=0.3)"
    assert mill.failures["tool"].spares == 3
    assert load_checked(path, parameters={"spares": 5})[1] == []
    assert loads(TEMPLATED, parameters={"spares": 1}) != loads(TEMPLATED)


def test_values_that_the_caller_gives_wrongly_are_refused() -> None:
    (finding,) = refused(TEMPLATED, parameters={"cycel": "8 min"})
    assert (finding.code, finding.help) == ("LW251", 'did you mean "cycle"?')
    assert "there are cycle, repair, down, spares" in finding.message
    (finding,) = refused(TEMPLATED, parameters={"cycle": 8})
    assert finding.code == "LW109"
    assert '$mean is "' not in finding.message
    (finding,) = refused(TEMPLATED, parameters={"spares": "two"})
    assert '$spares is "two", as given' in finding.message
    (finding,) = refused(SMALL, parameters={"x": 1})
    assert 'no parameter "x"; there are none' in finding.message


def test_what_a_value_must_be_is_said_where_it_is_used() -> None:
    text, places = marked(
        model("parameters: {n: ¦two}\nstudy: {replications: ¦$n, seed: $n}\n")
    )
    one, two = refused(text)
    assert (one.code, (one.line, one.column)) == ("LW108", places[1])
    line, column = places[0]
    assert (
        f'found "two"; allowed is a whole number; $n is "two", from m.yaml:{line}:'
        in (one.message)
    )
    assert f":{column}" in one.message
    assert two.path == ("study", "seed")


def test_a_name_that_is_not_there_says_which_parameter_it_is() -> None:
    text = model("parameters: {place: swa}\nbuffers: {rack: {stage: $place}}\n")
    (finding,) = check(loads(text), expanded(text))
    assert finding.code == "LW201"
    assert '$place is "swa", from m.yaml:5:21' in finding.message


# ---------------------------------------------------------------- names


def test_names_mean_the_nearest_part() -> None:
    text = model(
        "templates:\n"
        "  inner:\n"
        "    stations: {a: {process: 1 min, buffer: rack, calendar: day}}\n"
        "    route: [a, b, saw]\n"
        "  outer:\n"
        "    buffers: {rack: {slots: 3}}\n"
        "    stations: {b: {process: 2 min}}\n"
        "    copies: {left: inner, right: inner}\n"
        "    route:\n"
        "      - {through: right}\n"
        "      - {operation: again, station: [left.a, saw], same_server_as: right.b}\n"
        "copies: {cell: outer}\n"
        "calendars: {day: {}}\n"
        "products: {gear: {route: [{through: cell}, {through: cell.left, as: b}]}}\n"
    ).replace("products: {shaft: {route: [saw]}}\n", "")
    line = loads(text)
    assert line.stations["cell.left.a"].buffer == "cell.rack"
    assert line.stations["cell.right.a"].calendar == "day"
    steps = [(step.operation, step.station) for step in line.products["gear"].route]
    assert steps == [
        ("cell.right.a", "cell.right.a"),
        ("cell.right.b", "cell.b"),
        ("cell.right.saw", "saw"),
        ("cell.again", ("cell.left.a", "saw")),
        ("b.a", "cell.left.a"),
        ("b.b", "cell.b"),
        ("b.saw", "saw"),
    ]
    assert line.products["gear"].route[3].same_server_as == "cell.right.b"


def test_a_name_from_outside_means_what_it_means_there() -> None:
    text = model(
        "templates:\n"
        "  inner:\n"
        "    parameters: {next: , own: {default: saw}}\n"
        "    stations: {saw: {process: 2 min}}\n"
        "    route: [$own, $next, {operation: last, station: saw, uses: [$part]}]\n"
        "  outer:\n"
        "    stations: {saw: {process: 3 min}}\n"
        "    copies: {in: {of: inner, with: {next: saw}}}\n"
        "    route: [{through: in}]\n"
        "parameters: {part: leg}\n"
        "copies: {cell: outer, one: {of: inner, with: {next: saw}}}\n"
        "products:\n"
        "  leg: {route: [{station: saw, operation: cut}], release: with_parent}\n"
        "  gear: {bom: {leg: 2}, route: [{through: cell}, {through: one}]}\n"
    ).replace("products: {shaft: {route: [saw]}}\n", "")
    route = loads(text).products["gear"].route
    assert [step.station for step in route] == [
        "cell.in.saw",
        "cell.saw",
        "cell.in.saw",
        "one.saw",
        "saw",
        "one.saw",
    ]
    assert route[2].uses == {"leg": 1}


def test_a_part_that_is_named_from_outside_has_that_name() -> None:
    text = model(
        "templates:\n"
        "  cell:\n"
        "    parameters: {made: }\n"
        "    stations: {mill: {process: {$made: 2 min}}}\n"
        "    products: {$made: {route: [mill]}}\n"
        "copies:\n"
        "  one: {of: cell, with: {made: gear}}\n"
        "  two: {of: cell, with: {made: ring}}\n"
    )
    line = loads(text)
    assert list(line.products) == ["shaft", "gear", "ring"]
    assert [s.operation for s in line.products["ring"].route] == ["two.mill"]
    assert list(line.stations["two.mill"].process or ()) == ["ring"]


def test_every_kind_of_part_can_be_copied() -> None:
    text = model(
        "templates:\n"
        "  cell:\n"
        "    calendars: {day: {}}\n"
        "    buffers: {rack: {slots: 3}}\n"
        "    people: {crew: {count: 2, calendar: day, skills: [fit]}}\n"
        "    tools: {jig: 2}\n"
        "    loops: {ring: {cards: 4, from: cut, to: c, products: [leg], takes: "
        "{leg: 2}}}\n"
        "    materials: {bolt: {stock: 9, reorder_point: 2, lot: 5, lead_time: 1 d}}\n"
        "    vehicles: {cart: {home: a}}\n"
        "    failures:\n"
        "      air: {stations: [a, saw], every: 9 h, repair: 1 h, crew: crew}\n"
        "    stations:\n"
        "      a:\n"
        "        process: {leg: 1 min, shaft: 2 min}\n"
        "        output_buffer: rack\n"
        "        people: {process: fit, repair: {crew: 2}}\n"
        "        setup: {matrix: {any: {leg: 1 min}, leg: {shaft: 2 min}}, "
        "minimum_run: {leg: 3}}\n"
        "        maintenance: {oil: {every: 1 d, duration: 1 h, window: day, crew: "
        "crew}}\n"
        "      c: {process: 1 min, buffer: 4}\n"
        "    products:\n"
        "      leg:\n"
        "        bom: {bolt: {quantity: 2, bought: true}, nut: {bought: true}}\n"
        "        store: rack\n"
        "        route:\n"
        "          - {operation: cut, station: {a: 3 min}, tools: jig, uses: [bolt]}\n"
        "          - {station: c, time_limit: {after: cut, within: 1 h}}\n"
        "          - operation: test\n"
        "            station: saw\n"
        "            inspection: {pass: 0.9, rework_to: c}\n"
        "    transport: [{from: a, to: any, by: cart}]\n"
        "copies: {x: cell}\n"
    )
    line = loads(text).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert line["people"]["x.crew"]["calendar"] == "x.day"
    ring = {"cards": 4, "from": "x.cut", "to": "x.c"}
    ring |= {"products": ["x.leg"], "takes": {"x.leg": 2}}
    assert line["loops"] == {"x.ring": ring}
    assert line["vehicles"]["x.cart"]["home"] == "x.a"
    assert line["failures"]["x.air"]["stations"] == ["x.a", "saw"]
    assert line["failures"]["x.air"]["crew"] == "x.crew"
    station = line["stations"]["x.a"]
    assert station["process"].keys() == {"x.leg", "shaft"}
    assert station["output_buffer"] == "x.rack"
    assert station["people"] == {"process": "fit", "repair": {"x.crew": 2}}
    matrix = {"any": {"x.leg": "1 min"}, "x.leg": {"shaft": "2 min"}}
    assert station["setup"]["matrix"] == matrix
    assert station["setup"]["minimum_run"] == {"x.leg": 3}
    assert station["maintenance"]["oil"]["window"] == "x.day"
    assert station["maintenance"]["oil"]["crew"] == "x.crew"
    leg = line["products"]["x.leg"]
    assert leg["bom"].keys() == {"x.bolt", "nut"}
    assert leg["store"] == "x.rack"
    cut, c, test = leg["route"]
    assert (cut["operation"], cut["station"]) == ("x.cut", {"x.a": "3 min"})
    assert (cut["tools"], cut["uses"]) == ({"x.jig": 1}, {"x.bolt": 1})
    assert (c["operation"], c["time_limit"]["after"]) == ("x.c", "x.cut")
    assert (test["operation"], test["station"]) == ("x.test", "saw")
    assert test["inspection"]["rework_to"] == "x.c"
    (way,) = line["transport"]
    assert (way["from"], way["to"], way["by"]) == ("x.a", "any", "x.cart")


NO_REFERENCES = {
    "buffers.*.stage", "calendar", "currency", "name", "people.*.skills", "stages",
    "products.*.family", "products.*.route.*.family", "products.*.route.*.through",
    "products.*.route.*.as", "stations.*.maintenance.*.when_worn", "stations.*.stage",
    "in_process.*.operation", "in_process.*.product", "orders.*.product",
    "targets.*.product", "demand.*.factor", "changes.*.calendars",
    "changes.*.stations", "changes.*.stations.*.calendar", "changes.*.people",
    "changes.*.people.*.calendar", "layout.places", "layout.rooms",
    "stations.*.failures", "stations.*.maintenance", "planning.shortage",
    "products.*.route.*.characteristics", "products.*.route.*.inspection.measures",
    "planning.lead_times", "planning.overtime.calendars", "planning.overtime.stations",
}  # fmt: skip
"""Keys with names that no copy changes: of no part, or of nothing in a template."""


def test_every_key_with_a_name_of_another_part_is_known() -> None:
    schema = file_schema()
    named = set(_named(schema, schema["$defs"], ""))
    known = {path for path in _flat(REFERENCES, "") if not path.startswith("route.")}
    sections = set(schema["properties"]) - {"name", "calendar", "currency", "stages"}
    assert named - known - sections == NO_REFERENCES
    empty = {"products.*.route.*.operation"}  # may be an empty text, which is no name
    assert known - named == empty


def _named(schema: Any, nouns: Any, path: str) -> Iterator[str]:
    """Yield the paths at which a JSON Schema has names, as values or as keys."""
    if path.count(".") > 8 or path.startswith(("templates", "copies")):
        return
    schema = nouns.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    text = schema.get("minLength"), schema.get("maxLength")
    if text[0] == 1 and text[1] is not None:
        yield path.removesuffix(".*")
    if "propertyNames" in schema:
        yield path
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _named(form, nouns, path)
    for key, below in schema.get("properties", {}).items():
        yield from _named(below, nouns, f"{path}.{key}".lstrip("."))
    for key in ("items", "additionalProperties"):
        if isinstance(below := schema.get(key), dict):
            yield from _named(below, nouns, f"{path}.*")


def _flat(spec: Any, path: str) -> Iterator[str]:
    if isinstance(spec, str):
        yield path.removesuffix(".<keys>")
        return
    for key, below in spec.items():
        yield from _flat(below, f"{path}.{key}".lstrip("."))


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("parameters: {n: 1}\nconwip: ¦$m", "LW250", ['no parameter "m"', "are n"]),
        ("parameters: {name: 1}\nconwip: ¦$nam", "LW250", ['did you mean "name"?']),
        ("parameters: {n: 1}\nlayout: {rooms: {¦$m: 3}}", "LW250", ["dollar sign"]),
        ("parameters: {¦n: }\nconwip: $n", "LW252", ['"n" has no value', "--set n="]),
        ("parameters: {¦n: {note: x}}\nconwip: $n", "LW252", ["give it a default"]),
        ("parameters: {a: ¦$b, b: $c, c: x$a}", "LW253", ["a -> b -> c -> a"]),
        ("parameters: {a: ¦$a}\nconwip: $a", "LW253", ["circle: a -> a"]),
        ("parameters: {a: ¦[1]}\nconwip: $a", "LW108", ["a list", "a number, text"]),
        ("parameters: {a: {default: ¦{b: 1}}}", "LW108", ["a mapping"]),
        ("parameters: {a: {¦defalt: 1}}", "LW106", ['did you mean "default"?']),
        ("parameters: {¦a b: 1}", "LW109", ["letters, digits"]),
        ("parameters: ¦[a]", "LW108", ["parameters: found a list"]),
        ("templates: ¦3", "LW108", ["allowed is a mapping"]),
        ("templates: {t: ¦[a]}", "LW108", ["templates.t: found a list"]),
        ("templates: {t: {¦statons: {}}}", "LW106", ['did you mean "stations"?']),
        ("templates: {t: {route: ¦saw}}", "LW108", ["allowed is a list"]),
        ("templates: {t: {stations: ¦$x}}", "LW108", ["allowed is a mapping"]),
        ("templates: {t: {parameters: {a: ¦$x}}}", "LW250", ['the template "t"']),
        ("templates: {t: {parameters: {a: ¦$b, b: $a}}}", "LW253", ["a -> b -> a"]),
        ("copies: ¦x", "LW108", ["copies: found"]),
        ("copies: {x: ¦5}", "LW108", ["the name of a template"]),
        ("copies: {x: ¦{with: {a: 1}}}", "LW107", ['"of" is missing in copies.x']),
        ("copies: {x: {of: ¦cel}}\ntemplates: {cell: {}}", "LW254", ['mean "cell"?']),
        ("copies: {x: ¦cell}", "LW254", ['"cell" is not a template; there are none']),
        ("templates: {t: {}}\ncopies: {x: {of: t, ¦wiht: 1}}", "LW106", ['"with"?']),
        ("templates: {t: {}}\ncopies: {x: {of: t, with: ¦1}}", "LW108", ["x.with"]),
        (
            "templates: {t: {parameters: {abc: 1}}}\n"
            "copies: {x: {of: t, with: {¦abd: 1}}}",
            "LW251",
            ['"abd" is not a parameter of the template "t"', 'did you mean "abc"?'],
        ),
        (
            "templates: {t: {parameters: {a: , b: {note: x}, c: 1}}}\n"
            "copies: {¦x: {of: t}}",
            "LW252",
            ['"x" says no a, b, of the template "t"'],
        ),
        (
            "templates: {a: {copies: {x: b}}, ¦b: {copies: {x: c}}, "
            "c: {copies: {x: {of: b}}}}",
            "LW255",
            ["b -> c -> b"],
        ),
        ("templates: {¦a: {copies: {x: a}}}\ncopies: {x: a}", "LW255", ["a -> a"]),
        (
            "parameters: {t: a}\ntemplates: {a: {copies: {x: ¦$t}}}\ncopies: {x: a}",
            "LW255",
            ["a -> a"],
        ),
        (
            "templates: {t: {buffers: {b: {}}}}\ncopies: {¦x: t}\nbuffers: {x.b: {}}",
            "LW256",
            ['brings "x.b"', "rename"],
        ),
        (
            "parameters: {b: c}\nbuffers: {c: {}, ¦$b: {}}",
            "LW256",
            ['"c" is here twice'],
        ),
        ("parameters: {b: 3}\nbuffers: {¦$b: {}}", "LW259", ["the number 3", "quotes"]),
        (
            "templates: {t: {route: [{through: ¦y}], copies: {x: a}}, a: {}}\n"
            "copies: {x: t}",
            "LW257",
            ['found "y"', "there are none"],
        ),
        (
            f"parameters: {{a: ¦{'x' * 1001}}}\nconwip: $a",
            "LW258",
            ["1,001 characters"],
        ),
    ],
)
def test_a_mistake_is_one_finding_at_its_place(
    text: str, code: str, words: list[str]
) -> None:
    text, places = marked(model(text))
    findings = refused(text)
    assert [(f.code, f.line, f.column) for f in findings] == [(code, *places[0])]
    for word in words:
        assert word in str(findings[0])


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("{through: cell-1}", "{through: ¦cell-3}", "LW257", ["a copy with a route"]),
        ("{through: cell-1}", "{through: ¦4}", "LW257", ["the number 4"]),
        ("{through: cell-1}", "{through: cell-1, ¦buffer: 3}", "LW106", ["as"]),
        ("{through: cell-1}", "{through: cell-1, as: ¦3}", "LW108", ["a name"]),
        ("{process: $time}", "{process: ¦$mean}", "LW250", ['the template "arm"']),
        ("time: 1 min", "time: ¦$mean", "LW250", ["there are time, cycle"]),
    ],
)
def test_a_mistake_in_a_template_is_said_once(
    old: str, new: str, code: str, words: list[str]
) -> None:
    text, places = marked(TEMPLATED.replace(old, new, 1))
    findings = refused(text)
    assert [(f.code, f.line, f.column) for f in findings] == [(code, *places[0])]
    for word in words:
        assert word in str(findings[0])


def test_a_wrong_value_in_a_template_names_its_copies() -> None:
    text, places = marked(TEMPLATED.replace("process: 5 min", "process: ¦5"))
    (finding,) = refused(text)
    assert (finding.line, finding.column) == places[0]
    assert finding.message.endswith('(in "cell-1" and 1 more, copied from "cell")')
    text, places = marked(TEMPLATED.replace("process: $time", "¦proces: $time"))
    (finding,) = refused(text)
    assert (finding.code, finding.line, finding.column) == ("LW106", *places[0])
    assert '(in "cell-1.left" and 1 more, copied from "arm")' in finding.message


def test_a_value_that_is_wrong_in_one_copy_names_that_copy() -> None:
    text = TEMPLATED.replace("mean: 10 min, slots: 6", "mean: 10, slots: many")
    places = {
        "rack": marked(TEMPLATED.replace("slots: $slots", "slots: ¦$slots"))[1][0],
        "mill": marked(TEMPLATED.replace("process: gamma", "process: ¦gamma"))[1][0],
    }
    rack, mill = refused(text)
    assert rack.path == ("buffers", "cell-2.rack", "slots")
    assert (rack.line, rack.column) == places["rack"]
    assert '$slots is "many", from m.yaml:36:62 (in "cell-2", copied from "cell")' in (
        rack.message
    )
    assert (mill.line, mill.column) == places["mill"]
    assert "$mean is the number 10, from m.yaml:36:51" in mill.message


def test_what_check_says_of_a_copy_names_it_too() -> None:
    text, places = marked(TEMPLATED.replace("load: $operator", "load: ¦operater"))
    loaded_line = loads(text, "m.yaml")
    (finding,) = [f for f in check(loaded_line, expanded(text)) if f.code == "LW201"]
    assert (finding.line, finding.column) == places[0]
    assert 'in "cell-1" and 1 more, copied from "cell"' in finding.message


def test_all_mistakes_come_at_once() -> None:
    text = TEMPLATED.replace("mean: 10 min", "men: 10 min")
    text = text.replace("down: 30 min", "down: $dwon").replace("[saw, {", "[swa, {", 1)
    text = text.replace("spares: 2", "spares: two").replace("of: cell,", "of: cel,", 1)
    text = text.replace("process: 2 min", "process: 2")
    codes = [finding.code for finding in refused(text)]
    assert sorted(codes) == ["LW108", "LW109", "LW250", "LW251", "LW254"]


def test_what_is_declared_and_never_used_is_said(tmp_path: Path) -> None:
    text, places = marked(
        model(
            "parameters: {a: 1, b: $a, ¦c: $b}\n"
            "templates:\n"
            "  used:\n"
            "    parameters: {d: $e, e: 1, ¦f: 2, g: 3}\n"
            "    buffers: {x: {slots: $g}}\n"
            "  ¦never: {buffers: {x: {}}, copies: {u: used}}\n"
            "copies: {one: {of: used, with: {d: 3}}}\n"
        )
    )
    path = tmp_path / "m.yaml"
    path.write_text(text)
    findings = [f for f in check_loaded(read(path)) if f.code in {"LW340", "LW341"}]
    found = [(f.line, f.column) for f in findings]
    assert [place in found for place in places] == [True, True, True]
    assert {f.severity for f in findings} == {"warning"}
    assert [f.code for f in findings].count("LW341") == 1
    assert len(findings) == 4  # d is said and nothing uses it either


# ---------------------------------------------------------------- limits


def nested(depth: int, copies: int) -> str:
    text = "templates:\n  t0: {buffers: {b: {}}}\n"
    for i in range(1, depth + 1):
        inner = ", ".join(f"c{j}: t{i - 1}" for j in range(copies))
        text += f"  t{i}: {{copies: {{{inner}}}}}\n"
    return model(text + f"copies: {{all: t{depth}}}\n")


def test_copies_of_copies_are_refused_where_they_are_a_million() -> None:
    for depth, copies in ((6, 10), (19, 2)):
        (finding,) = refused(nested(depth, copies))
        assert (finding.code, "1,000,000 values" in finding.message) == ("LW258", True)
    assert len(loads(nested(3, 10)).buffers) == 1000


def test_copies_of_copies_are_refused_where_they_are_too_deep() -> None:
    (finding,) = refused(nested(25, 1))
    assert (finding.code, "nested more than 20 deep" in finding.message) == (
        "LW258",
        True,
    )
    assert refused(nested(2000, 1))


def test_routes_through_copies_of_routes_are_bounded() -> None:
    steps = ", ".join(["{through: x}"] * 400)
    way = ", ".join(["saw"] * 2000)
    text = model(f"templates: {{t: {{route: [{way}]}}}}\ncopies: {{x: t}}\n")
    (finding,) = refused(text.replace("route: [saw]", f"route: [{steps}]"))
    assert finding.code == "LW258"


def test_values_that_blow_up_are_refused() -> None:
    pairs = ", ".join(f"p{i}: $p{i - 1}$p{i - 1}" for i in range(1, 40))
    findings = refused(model(f"parameters: {{p0: xxxxxxxx, {pairs}}}\nconwip: $p39\n"))
    assert {f.code for f in findings} == {"LW258"}
    long = "$x" * 200_000
    findings = refused(model(f"parameters: {{x: {'y' * 900}}}\ndescription: {long}\n"))
    assert [f.code for f in findings] == ["LW258"]


def test_a_long_chain_of_parameters_is_refused_and_not_followed() -> None:
    pairs = ", ".join(f"p{i}: $p{i + 1}" for i in range(5000))
    findings = refused(model(f"parameters: {{{pairs}, p5000: 1}}\nconwip: $p0\n"))
    assert {f.code for f in findings} == {"LW253"}


# ---------------------------------------------------------------- overlays


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return the path of the model with templates."""
    path = tmp_path / "base.yaml"
    path.write_text(TEMPLATED)
    return path


def laid_over(base: Path, *texts: str) -> Line:
    paths = []
    for i, text in enumerate(texts):
        path = base.parent / f"overlay{i}.yaml"
        path.write_text(text)
        paths.append(path)
    return load(base, paths)


def mean(line: Line, station: str) -> str:
    return str(line.stations[station].process)


def test_an_overlay_changes_parameters_templates_and_copies(base: Path) -> None:
    line = laid_over(
        base,
        "changes:\n"
        "  parameters: {down: 10 min}\n"
        "  templates:\n"
        "    cell:\n"
        "      parameters: {slots: {note: places}}\n"
        "      stations: {wash: {process: 4 min}}\n"
        "      route: {clean: null, left: null, mill: {process_per: unit}}\n"
        "  copies: {cell-2: {with: {slots: 9}}}\n"
        "add:\n"
        "  templates: {cell: {stations: {dry: {process: 1 min}}, "
        "route: {drying: {after: mill, station: dry}}}}\n"
        "  copies: {cell-3: {of: cell, with: {operator: crew}}}\n",
    )
    tool = line.stations["cell-1.mill"].failures["tool"]
    assert str(tool.repair) == "exponential(10 min)"
    assert mean(line, "cell-2.wash") == mean(line, "cell-3.wash") == "4 min"
    assert line.buffers["cell-2.rack"].slots == 9
    assert line.buffers["cell-1.rack"].slots == 4
    steps = line.products["shaft"].route
    assert [step.operation for step in steps] == [
        "saw",
        "cell-1.mill",
        "cell-1.drying",
        "cell-1.oven",
    ]
    assert steps[1].process_per == "unit"


def test_an_overlay_changes_a_part_of_one_copy(base: Path) -> None:
    line = laid_over(
        base,
        "changes:\n"
        "  stations: {cell-2.mill: {process: $cycle, buffer: 3}}\n"
        "  products: {gear: {route: {cell-2.clean: {process: 9 min}}}}\n"
        "  parameters: {cycle: 7 min}\n",
        "changes: {parameters: {cycle: 6 min}, stations: {cell-2.wash: {servers: 2}}}",
    )
    assert mean(line, "cell-1.mill") == "gamma(6 min, cv=0.3)"
    assert mean(line, "cell-2.mill") == "6 min"
    assert line.stations["cell-2.mill"].buffer == 3
    assert line.stations["cell-2.mill"].people == (
        loads(TEMPLATED).stations["cell-2.mill"].people
    )
    assert line.stations["cell-2.wash"].servers == 2
    assert str(line.products["gear"].route[3].process) == "9 min"


def test_an_overlay_leads_a_route_through_a_copy(base: Path) -> None:
    line = laid_over(
        base,
        "add:\n"
        "  copies: {cell-3: {of: cell, with: {operator: crew}}}\n"
        "  products:\n"
        "    shaft: {route: {twice: {before: saw, through: cell-2}}}\n"
        "    ring: {route: [saw, {through: cell-3}], release: {every: 1 h}}\n",
        "changes: {products: {shaft: {route: {twice.mill: {rest: 1 min}}}}}",
    )
    names = [step.operation for step in line.products["shaft"].route]
    assert names[:4] == ["twice.mill", "twice.left.grip", "twice.clean", "twice.oven"]
    assert str(line.products["shaft"].route[0].rest) == "1 min"
    assert line.products["ring"].route[1].operation == "cell-3.mill"
    assert diff(loads(TEMPLATED), line)[0] == "buffer cell-3.rack added"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("changes: {parameters: {¦cylce: 1 min}}", "LW120", 'did you mean "cycle"?'),
        ("add: {parameters: {¦cycle: 1 min}}", "LW120", "is there already"),
        ("changes: {templates: {¦cel: {}}}", "LW120", 'no template "cel"'),
        ("changes: {copies: {¦cell-9: {with: {slots: 1}}}}", "LW120", "no copy"),
        (
            "changes: {templates: {cell: {stations: {¦mil: {}}}}}",
            "LW120",
            'did you mean "mill"?',
        ),
        ("changes: {copies: {cell-2: {with: {¦slot: 1}}}}", "LW251", '"slots"?'),
        ("changes: {stations: {¦cell-3.mill: {}}}", "LW120", "cell-1.mill"),
        ("changes: {stations: {saw: {process: ¦$cycel}}}", "LW250", '"cycle"?'),
        ("changes: {stations: {saw: {servers: ¦$cycle}}}", "LW108", "base.yaml:4:20"),
        ("changes: {stations: {cell-2.mill: {¦bufer: 1}}}", "LW106", '"buffer"?'),
        (
            "add: {products: {gear: {route: {x: {through: ¦cell-9}}}}}",
            "LW257",
            "cell-1.left, cell-1",
        ),
    ],
)
def test_a_mistake_in_an_overlay_is_found_in_the_overlay(
    base: Path, text: str, code: str, words: str
) -> None:
    text, places = marked(text)
    with pytest.raises(ModelError) as caught:
        laid_over(base, text)
    (finding,) = caught.value.findings
    assert Path(finding.file).name == "overlay0.yaml"
    assert (finding.code, (finding.line, finding.column)) == (code, places[0])
    assert words in str(finding)


def test_the_files_of_a_model_are_named_through_parameters(tmp_path: Path) -> None:
    (tmp_path / "may.csv").write_text("product,quantity\nshaft,3\n")
    text = model("parameters: {month: may}\norders: {file: $month.csv}\n")
    path = tmp_path / "m.yaml"
    path.write_text(text.replace("route: [saw]", "route: [saw], release: orders"))
    assert len(list(load(path).orders)) == 1
    (tmp_path / "june.csv").write_text("product,quantity\nshaft,x\n")
    with pytest.raises(ModelError, match=r"june\.csv:2:1: LW108 quantity"):
        load(path, parameters={"month": "june"})
