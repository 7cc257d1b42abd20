"""Meaning and lint: every rule finds its mistake at its place, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from linewright.errors import Finding, ModelError
from linewright.model.check import check, load_checked
from linewright.model.distribution import Distribution
from linewright.model.line import Line, Station
from linewright.model.load import loads, read
from tests.model_texts import RICH, SMALL, marked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "times.csv").write_text("t,x\n5,1\n6.5,2\n")
    return tmp_path


def findings(folder: Path, text: str) -> list[Finding]:
    path = folder / "model.yaml"
    path.write_text(text)
    loaded = read(path)
    return check(loaded.line, loaded.positions)


def assert_found(folder: Path, text: str, code: str, words: str) -> None:
    """Assert that a code is found where the marks stand, in these words."""
    text, places = marked(text)
    found = findings(folder, text)
    assert [(f.line, f.column) for f in found if f.code == code] == places, found
    assert any(f.code == code and words in str(f) for f in found), found


def test_a_model_that_says_everything_is_clean(folder: Path) -> None:
    assert findings(folder, RICH) == []


LIMITED = SMALL + "    release: {every: 6 min}\n"  # nothing to warn about


def test_a_small_model_is_clean(folder: Path) -> None:
    assert findings(folder, LIMITED) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        # names
        (
            "[weld,",
            "[¦wild,",
            "LW201",
            '"wild" is not a station; there are weld, paint',
        ),
        ("[weld,", "[{station: [weld, ¦pant], operation: a},", "LW201", '"paint"?'),
        ("[weld,", "[{operation: a, station: {¦pant: 5 min}},", "LW201", '"paint"?'),
        ("[weld,", "[{station: weld, uses: {¦top: 1}},", "LW201", "component"),
        ("[weld,", "[{station: weld, buffer: ¦rack},", "LW201", "not a buffer"),
        ("buffer: 4\n  p", "buffer: ¦rack\n  p", "LW201", "there are none"),
        ("buffer: 4\n  p", "output_buffer: ¦rack\n  p", "LW201", "not a buffer"),
        ("buffer: 4\n  p", "stage: ¦end\n  p", "LW201", "not a stage"),
        ("buffer: 4\n  p", "calendar: ¦day\n  p", "LW201", "not a calendar"),
        ("5 min", "{frame: 5 min, ¦fram: 4 min}", "LW201", 'did you mean "frame"?'),
        ("name: S", "calendar: ¦day\nname: S", "LW201", "not a calendar"),
        ("name: S", "orders: [{product: ¦fram}]\nname: S", "LW201", '"frame"?'),
        ("    route", "    bom: {¦top: 1}\n    route", "LW201", "bought: true"),
        ("    route", "    store: ¦rack\n    route", "LW201", "not a buffer"),
        (
            "name: S",
            "transport: [{from: weld, to: ¦pant, time: 1 min}]\nname: S",
            "LW201",
            '"paint"?',
        ),
        (
            "buffer: 4\n  p",
            "setup: {matrix: {frame: {¦fram: 1 min}}}\n  p",
            "LW201",
            '"frame"?',
        ),
        (
            "paint]",
            "{station: paint, inspection: {pass: 0.9, rework_to: ¦wild}}]",
            "LW201",
            "not an operation of this route",
        ),
        ("  paint:", "  ¦any: {}\n  paint:", "LW202", "cannot name a station"),
        ("  frame:", "  ¦gamma: {}\n  frame:", "LW202", "name of a distribution"),
        ("name: S", "buffers: {¦unlimited: {}}\nname: S", "LW202", "cannot name"),
        ("name: S", "¦stages: [a, a]\nname: S", "LW202", "2 times"),
        ("[weld,", "[¦weld, {station: weld},", "LW202", "more than once"),
        ("[weld,", "[¦{station: [weld, paint]},", "LW202", "needs a name"),
        # products
        (
            "route: [weld, paint]",
            "route: [¦]",
            "LW203",
            "no route",
        ),
        (
            "    process: 5 min\n",
            "",
            "LW204",
            'no processing time for "weld" of "frame"',
        ),
        ("    route", "    ¦bom: {frame: 1}\n    route", "LW205", "frame - frame"),
        (
            "paint]",
            "{station: paint, makes: {frame: 2}}]",
            "LW206",
            '"frame" is split into itself',
        ),
        (
            "    route: [weld,",
            "    bom: {¦top: {quantity: 2, bought: true}}\n"
            "    route: [{station: weld, uses: [top]},",
            "LW207",
            'has 2 x "top", its operations use 1',
        ),
        (
            "[weld,",
            "[{station: weld, ¦makes: {other: 2}},",
            "LW209",
            "at the last operation",
        ),
        ("[weld,", "[{station: weld, makes_together: ¦true},", "LW209", "needs makes"),
        # inspections
        ("[weld,", "[{station: weld, rework_only: ¦true},", "LW208", "first operation"),
        (
            "paint]",
            "{station: paint, ¦inspection: {pass: 0.9, rework: 0.1, scrap: 0.1,"
            " rework_to: weld}}]",
            "LW208",
            "is 1.1; they sum to one",
        ),
        (
            "paint]",
            "{station: paint, inspection: {pass: 0.9, rework: ¦0.1}}]",
            "LW208",
            "needs rework_to",
        ),
        (
            "paint]",
            "{station: paint, inspection: {pass: 0.9, rework_limit: ¦2}}]",
            "LW208",
            "no effect without rework_to",
        ),
        (
            "[weld,",
            "[{station: weld, inspection: {pass: 0.9, rework_to: ¦paint}},",
            "LW208",
            "comes later",
        ),
        (
            "paint]",
            "{station: paint, ¦inspection: {rework: 0.1, rework_to: weld}}]",
            "LW208",
            "nothing would be rejected",
        ),
        (
            "paint]",
            "{station: paint, ¦inspection: {pass: 0, rework: 1, rework_to: weld}}]",
            "LW208",
            "again and again",
        ),
        # stations
        (
            "5 min",
            "5 min\n    failures: {a: {every: ¦5 h, repair: 1 h, clock: cycles}}",
            "LW210",
            "the clock counts cycles",
        ),
        (
            "5 min",
            "5 min\n    failures: {a: {every: ¦5, repair: 1 h}}",
            "LW210",
            "every is a count, and the clock is processing",
        ),
        (
            "5 min",
            "5 min\n    maintenance: {a: {every: ¦0 s, duration: 1 h}}",
            "LW210",
            "no time between",
        ),
        (
            "5 min",
            "5 min\n    failures: {a: {every: 5 h, repair: 1 h, together: ¦true}}",
            "LW210",
            "share a clock",
        ),
        ("5 min", "5 min\n    ¦setup: {}", "LW217", "needs a time"),
        # routes
        (
            "paint]",
            "¦{station: paint, transport: 2 min}]",
            "LW211",
            "one place or more",
        ),
        (
            "[weld,",
            "[{operation: a, station: [weld, paint], choose: ¦first_free},",
            "LW213",
            "share one named buffer",
        ),
        # releases
        ("every: 6 min", "kind: arrivals", "LW212", "neither is given"),
        ("every: 6 min", "every: 6 min, rate: 1/h", "LW212", "both are given"),
        ("every: 6 min", "every: ¦0 s", "LW212", "never end"),
        ("every: 6 min", "rate: ¦0/h", "LW212", "above zero"),
        ("every: 6 min", "every: 6 min, share: ¦2", "LW212", "share has no effect"),
        ("every: 6 min", "kind: with_parent", "LW212", "no bom has"),
        ("every: 6 min", "kind: orders", "LW212", "no order"),
        ("name: S", "orders: [{product: ¦frame}]\nname: S", "LW212", "its release is"),
        # the rest
        ("name: S", "time_zone: ¦Europe/Wien\nname: S", "LW214", "not a time zone"),
        ("name: S", "start: ¦1776-07-04\nname: S", "LW214", "years 1900"),
        ("name: S", "study: {horizon: ¦0}\nname: S", "LW218", "longer than zero"),
        (
            "name: S",
            "study: {horizon: 2 d, warmup: ¦2 d}\nname: S",
            "LW218",
            "nothing would be left",
        ),
        (
            "name: S",
            "study: {kind: terminating, warmup: ¦2 d}\nname: S",
            "LW218",
            "cuts no warm-up",
        ),
        (
            "name: S",
            "calendars: {day: {shifts: [{days: ¦mon-fry, from: 06:00, to: 14:00}]}}\n"
            "name: S",
            "LW215",
            "not a list of days",
        ),
    ],
)
def test_a_rule_finds_its_mistake(
    folder: Path, old: str, new: str, code: str, words: str
) -> None:
    text = LIMITED.replace(old, new, 1)
    if "¦" not in text:  # the mark stands at the release, the operation or the bom
        at = {"LW212": "release:", "LW204": "weld, paint", "LW206": "route:"}[code]
        text = text.replace(at, f"¦{at}")
    if code == "LW203":
        text = text.replace("¦", "").replace("  frame", "  ¦frame")
    if code == "LW211":
        text = text.replace("4 min\n    buffer: 4", "4 min\n    buffer: 0")
    if "{other: 2}" in text:
        text += "  other: {route: [paint], release: never}\n"
    assert_found(folder, text, code, words)


SPLIT = """\
schema_version: 1
name: Split
stations:
  cut: {process: 2 min, buffer: 5}
  turn: {process: 1 min, buffer: 5}
products:
  sheet: {route: [{station: cut, makes: {blank: 12}}], release: {every: 30 min}}
  blank: {route: [turn], release: never}
"""


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (
            SPLIT.replace("makes: {b", "makes_together: true, makes: {¦b"),
            "LW219",
            "never fit together",
        ),
        (
            SPLIT.replace("makes", "¦makes").replace("30 min}", "30 min}, demand: 1/h"),
            "LW209",
            "its demand cannot be met",
        ),
        (
            SPLIT.replace("  blank: {", "  ¦blank: {").replace(", release: never", ""),
            "LW308",
            "say release: never",
        ),
        (
            SPLIT.replace("makes: {blank: 12}", "process: 2 min").replace(
                "  blank", "  ¦blank"
            ),
            "LW301",
            "no operation makes it",
        ),
        (
            RICH.replace("store: 40", "store: 3").replace(
                "- operation: cut", "- ¦operation: cut"
            ),
            "LW219",
            'the store of "leg" holds 3, one "desk" takes 4',
        ),
        (
            RICH.replace("desk: {shelf: 5 min}", "desk: {}")
            .replace(", time: 10 min", "")
            .replace("matrix", "¦matrix"),
            "LW217",
            "no setup time from desk to shelf, shelf to desk",
        ),
        (RICH.replace("due: 4 d 6 h", "due: ¦6 h"), "LW216", "before its release"),
        (
            RICH.replace("id: A", "id: ¦A").replace("- {product", "- {id: A, product"),
            "LW216",
            "more than once",
        ),
        (
            SMALL.replace("5 min", "0 s").replace("    buffer: 4\np", "p")
            + "    release: ¦always\n",
            "LW220",
            "no end to it",
        ),
        (
            SMALL.replace("5 min", "0").replace("4 min", "0").replace(
                "paint]",
                "{station: paint, inspection: {pass: 0.5, rework_to: ¦weld}}]",
            )
            + "    release: {rate: 1/h}\n",
            "LW220",
            "around it for ever",
        ),
        # lint
        (SMALL.replace("route: [weld, ", "route: [").replace("  weld", "  ¦weld"),
         "LW302", "no product visits"),
        ("buffers: {¦rack: {}}\n" + LIMITED, "LW303", "nobody uses"),
        ("calendars: {¦day: {}}\n" + LIMITED, "LW303", "nobody works by"),
        ("stages: [¦day]\n" + LIMITED, "LW303", "no station belongs"),
        (
            LIMITED.replace(
                "paint]", "{station: paint, inspection: {pass: 0.9, rework_to: weld}}]"
            ).replace("  weld", "  ¦weld"),
            "LW304",
            "weld - paint - weld",
        ),
        (LIMITED.replace("6 min", "4.5 min").replace("  weld", "  ¦weld"),
         "LW305", '111% of the time that "weld" can work'),
        (
            LIMITED.replace("4 min", "9 min").replace("[weld, paint]",
            "[{operation: a, station: [weld, paint]}]").replace("6 min", "3 min")
            .replace("  weld", "  ¦weld"),
            "LW305",
            '107% of the time that "weld" and "paint" can work',
        ),
        (
            SMALL.replace("4 min\n    buffer: 4", "6 min").replace("  fr", "  ¦fr"),
            "LW306",
            'pile up without limit before "paint"',
        ),
        (
            RICH.replace("release: with_parent", "release: always")
            .replace("    store: 40\n", "").replace("  leg:", "  ¦leg:"),
            "LW306",
            "its store has no limit",
        ),
        (
            LIMITED.replace("paint]", "¦{station: paint, rework_only: true}]"),
            "LW307",
            "no inspection sends rework",
        ),
    ],
)  # fmt: skip
def test_a_rule_on_several_nouns_finds_its_mistake(
    folder: Path, text: str, code: str, words: str
) -> None:
    assert_found(folder, text, code, words)


def test_a_cap_on_the_units_takes_the_deadlock_away(folder: Path) -> None:
    text = LIMITED.replace(
        "paint]", "{station: paint, inspection: {pass: 0.9, rework_to: weld}}]"
    )
    assert "LW304" in {f.code for f in findings(folder, text)}
    assert findings(folder, text.replace("6 min", "6 min, conwip: 9")) == []


def test_a_balanced_line_of_constant_times_does_not_pile_up(folder: Path) -> None:
    text = SMALL.replace("4 min", "5 min").replace("    buffer: 4\n", "")
    assert findings(folder, text) == []
    text = text.replace("5 min", "exponential(5 min)")
    assert [f.code for f in findings(folder, text)] == ["LW306"]


def test_names_and_stations_are_checked_together(folder: Path) -> None:
    text = LIMITED.replace("[weld", "[wild").replace(
        "name:", "time_zone: nowhere\nname:"
    )
    assert {f.code for f in findings(folder, text)} == {"LW201", "LW214"}


def test_findings_of_a_line_built_in_python_name_their_keys() -> None:
    line = loads(SMALL.replace("[weld", "[wild"))
    (finding,) = check(line)
    assert str(finding).startswith("<model>: products.frame.route.0.station: LW201")


def test_a_sample_that_was_not_read_is_an_error() -> None:
    line = loads(SMALL)
    times = Distribution.model_validate("empirical(a.csv, b, s)")
    stations = {**line.stations, "weld": Station(process=times)}
    line = Line.model_validate(line.model_copy(update={"stations": stations}))
    assert "LW221" in {f.code for f in check(line)}


def test_only_errors_stop_a_model(folder: Path) -> None:
    path = folder / "m.yaml"
    path.write_text("stages: [end]\n" + LIMITED)
    line, warnings = load_checked(path)
    assert line.name == "Small"
    assert [f.code for f in warnings] == ["LW303"]
    path.write_text(LIMITED.replace("[weld", "[wild"))
    with pytest.raises(ModelError, match="LW201"):
        load_checked(path)


def test_ten_thousand_stations_are_read_and_checked_in_seconds(folder: Path) -> None:
    n_stations = 10_000
    head = "schema_version: 1\nname: Long\nstations:\n"
    stations = "".join(
        f"  s{i}: {{process: 1 min, buffer: 5}}\n" for i in range(10_000)
    )
    steps = "".join(f"      - s{i}\n" for i in range(n_stations))
    start = time.process_time()
    found = findings(folder, f"{head}{stations}products:\n  p:\n    route:\n{steps}")
    assert found == []
    assert time.process_time() - start < 30  # seconds; 4 where this was written
