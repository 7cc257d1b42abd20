"""Reading model files: places of errors, limits, files beside them, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linewright.errors import ModelError
from linewright.model.check import check
from linewright.model.init import FIRST_MODEL
from linewright.model.line import Line, Order, Product, Station
from linewright.model.load import dumps, load, loads, model_hash, read, save
from linewright.model.source import MAX_BYTES, parse
from tests.model_texts import RICH, SMALL, TEMPLATED, marked


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Return the path of the rich model, with the files that it names."""
    (tmp_path / "times.csv").write_text("t,x\n5,1\n6.5,2\n")
    path = tmp_path / "rich.yaml"
    path.write_text(RICH)
    return path


def errors(text: str, **options: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        loads(text, **options)
    return caught.value


def assert_found(text: str, code: str, *words: str) -> None:
    """Assert that one error is found, where the mark stands, in these words."""
    text, places = marked(text)
    error = errors(text)
    assert [(f.code, f.line, f.column) for f in error.findings] == [(code, *places[0])]
    for word in words:
        assert word in str(error)


def test_a_model_and_the_same_in_json_are_the_same_line() -> None:
    line = loads(SMALL)
    data = line.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    tabs = json.dumps(data, indent="\t")
    assert loads(tabs) == line
    assert line.products["frame"].route[1].stations == ("paint",)


def test_everything_that_the_file_can_say_is_read(rich: Path) -> None:
    line = load(rich)
    assert line.products["shelf"].route[1].process is not None
    assert line.products["shelf"].route[1].process.values_us == (5_000_000, 6_500_000)
    assert line.stations["saw"].failures["jam"].every == 500
    assert line.stations["saw"].failures["jam"].clock == "cycles"
    assert line.calendars["day"].shifts[0].end.isoformat() == "14:00:00"


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("process: 5 min", "¦proces: 5 min", "LW106", ['did you mean "process"?']),
        ("process: 5 min", "process: ¦5", "LW109", ["5 has no unit"]),
        ("process: 5 min", "process: ¦5 mn", "LW109", ['"mn" is not a unit']),
        ("process: 5 min", "process: ¦-5 min", "LW109", ["negative"]),
        ("process: 5 min", "process: ¦exponental(5 min)", "LW109", ["exponential"]),
        (
            "process: 5 min",
            "process: ¦{exponental: {mean: 5 min}}",
            "LW109",
            ["did you"],
        ),
        (
            "process: 5 min",
            "process: ¦{gamma: {mean: 5 min}}",
            "LW109",
            ["missing: cv"],
        ),
        ("process: 5 min", "process: ¦uniform(5 min, 2 min)", "LW109", ["low <= high"]),
        ("process: 5 min", "process: {frame: ¦erlang(5 min}", "LW109", ["quotes"]),
        ("process: 5 min", "process: ¦discrete(1)", "LW109", ["mapping"]),
        (
            "process: 5 min",
            "process: ¦{discrete: {values: 3, weights: 3}}",
            "LW109",
            [],
        ),
        ("process: 5 min", "process: ¦{kind: constant, parameters: [1]}", "LW109", []),
        ("process: 5 min", "process: ¦empirical(t.csv, t, s)", "LW109", ["no folder"]),
        ("process: 5 min", "servers: ¦0", "LW109", ["greater than or equal to 1"]),
        ("process: 5 min", "servers: ¦two", "LW108", ['"two"', "a whole number"]),
        ("process: 5 min", "servers: ¦2.0", "LW108", ["a whole number"]),
        ("process: 5 min", "servers: ¦true", "LW108", ["true"]),
        ("process: 5 min", "¦servers:\n    process: 5 min", "LW108", ["nothing"]),
        ("process: 5 min", "dispatch: ¦fifa", "LW109", ['did you mean "fifo"?']),
        ("process: 5 min", "failures: {¦jam: {every: 5 h}}", "LW107", ['"repair"']),
        ("process: 5 min", "process: ¦.nan", "LW104", ["finite"]),
        ("process: 5 min", "process: ¦!!python/name:os.system", "LW104", ["tag"]),
        ("process: 5 min", "process: 5 min\n    ¦process: 4 min", "LW103", ["line 5"]),
        ("process: 5 min", "¦5: 4 min", "LW104", ["a key is text", '"5"']),
        ("process: 5 min", "¦<<: {buffer: 4}", "LW104", ["merge"]),
        ("process: 5 min", "process: ¦*other", "LW104", ["no anchor"]),
        ("process: 5 min", "process: &a [¦*a]", "LW104", ["inside its own"]),
        ("process: 5 min", "process: 5¦: min", "LW101", ["not YAML"]),
        ("process: 5 min", "process: ¦'5 min", "LW101", ["not YAML"]),
        ("process: 5 min", "process: ¦\x07", "LW101", ["U+0007"]),
        ("buffer: 4\n  p", "buffer: ¦-1\n  p", "LW109", ["greater than or equal to 0"]),
        ("route: [weld", "route: [¦5", "LW108", ["route, item 1"]),
        ("route: [weld", "route: [{station: ¦[]}", "LW109", ["empty"]),
        ("route: [weld", "route: [¦{operation: x}", "LW107", ['"station"']),
        ("name: Small", "name: ¦5", "LW108", ["text"]),
        ("name: Small", "name: Small\nstart: ¦5", "LW109", ["2027-01-31"]),
        ("name: Small", "name: Small\nstart: ¦2027-01-01T00:00Z", "LW109", ["local"]),
        ("name: Small", "name: Small\nstart: ¦2027-02-30", "LW109", ["day value"]),
        ("name: Small", "name: Small\nstudy: {seed: ¦-1}", "LW109", ["0"]),
        ("name: Small", "name: Small\nstudy: {warmup: ¦soon}", "LW109", ["12 min"]),
        ("version: 1", "version: ¦2", "LW105", ["reads 1", "upgrade"]),
        ("version: 1", 'version: ¦"1"', "LW105", ["reads 1"]),
    ],
)
def test_one_mistake_is_one_finding_at_its_place(
    old: str, new: str, code: str, words: list[str]
) -> None:
    if code == "LW101" and "'" in new:  # only the end of the file shows what is missing
        new = new.replace("¦", "")
        text = SMALL.replace(old, new) + "¦"
        assert_found(text, code, *words)
        return
    assert_found(SMALL.replace(old, new, 1), code, *words)


def test_all_findings_come_at_once_in_the_order_of_the_file() -> None:
    text, places = marked(
        SMALL.replace("name:", "¦nam:")
        .replace("buffer: 4", "¦bufer: 4")
        .replace("5 min", "¦5")
    )
    findings = errors(text, file="m.yaml").findings
    assert [(f.line, f.column) for f in findings if f.code != "LW107"] == sorted(places)
    assert str(findings[-1]).startswith("m.yaml:9:5: LW106 unknown key")
    assert any(f.message == 'the key "name" is missing in the model' for f in findings)


def test_a_model_without_a_version_says_add_it() -> None:
    text = SMALL.partition("\n")[2]
    assert "LW105 schema_version is missing; add schema_version: 1" in str(errors(text))


@pytest.mark.parametrize("text", ["", "# nothing\n", "~", "--- \n"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    assert "LW102 the file is empty" in str(errors(text))


@pytest.mark.parametrize("text", ["[1]", "5", "text"])
def test_a_model_is_a_mapping(text: str) -> None:
    assert "a model is a mapping" in str(errors(text))


def test_a_model_holds_one_document() -> None:
    assert_found("a: 1\n¦---\nb: 2\n", "LW101", "second document")


@pytest.mark.parametrize("deep", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_not_followed(deep: str) -> None:
    assert "nested more than" in str(errors(deep * 100_000))


def test_aliases_that_blow_up_are_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for i in range(9):
        text += f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n"
    assert "aliases counted" in str(errors(text))


def test_an_alias_stands_for_what_it_names() -> None:
    text = SMALL.replace("5 min", "&time 5 min").replace("4 min", "*time")
    line = loads(text)
    assert line.stations["paint"].process == line.stations["weld"].process


def test_half_a_character_is_refused_and_a_pair_is_one() -> None:
    assert loads(SMALL.replace("Small", r'"\ud83d\ude00"')).name == "\U0001f600"
    assert_found(SMALL.replace("Small", r'¦"\ud83d"'), "LW104", "half")


def test_names_with_control_characters_are_refused() -> None:
    assert_found(SMALL.replace("Small", r'¦"a\nb"'), "LW109", "name")


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as stream:
        stream.truncate(100 * 2**20)
    with pytest.raises(ModelError, match=r"100.0 MiB; allowed are 16 MiB"):
        load(path)
    assert MAX_BYTES == 16 * 2**20


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: \xff\n", ":1:4: LW102 byte 0xff is not UTF-8"),
        (b"a\0b", "binary"),
        (b"\x7fELF\x02\x01\x01", "LW101"),
    ],
)
def test_a_binary_file_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert words in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml", "a\0b"):
        with pytest.raises(ModelError, match="LW102"):
            load(path)


def test_a_byte_order_mark_is_no_part_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(path) == loads(SMALL)


# ---------------------------------------------------------------- files beside it


def with_orders(folder: Path, text: str, name: str = "orders.csv") -> Path:
    (folder / "orders.csv").write_text(text)
    path = folder / "m.yaml"
    orders = SMALL + f"    release: orders\norders: {{file: {name}}}\n"
    path.write_text(orders)
    return path


def test_orders_come_from_a_file(tmp_path: Path) -> None:
    text = "id,product,quantity,due,priority\n1,frame,3,2027-01-06,\n2,frame,,2 d,-1\n"
    orders = load(with_orders(tmp_path, text)).orders
    assert isinstance(orders, tuple)
    assert [o.quantity for o in orders] == [3, 1]
    assert orders[1] == Order.model_validate(
        {"id": "2", "product": "frame", "due": "2 d", "priority": -1}
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("product,quantity\nframe,1\nframe,x\n", "orders.csv:3:1: LW108 quantity"),
        ("product,qty\nframe,1\n", "orders.csv:1:1: LW110 unknown column"),
        ("product\nframe,1\n", "orders.csv:2: as many cells"),
        ("product,due\nframe\n", "orders.csv:2: as many cells"),
        ('product\n"frame\n', "this is not CSV"),
        ("quantity\n1\n", 'orders.csv:2:1: LW107 the key "product" is missing'),
    ],
)
def test_an_error_in_an_order_names_file_and_row(
    tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load(with_orders(tmp_path, text))
    assert place in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["../orders.csv", "/etc/passwd", "a/../../x.csv", "C:/x.csv", "link.csv", '""'],
)
def test_a_model_reads_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "orders.csv").write_text("product\nframe\n")
    (inside / "link.csv").symlink_to(tmp_path / "orders.csv")
    with pytest.raises(ModelError, match="leads out of the folder") as caught:
        load(with_orders(inside, "product\nframe\n", name))
    assert caught.value.findings[0].line == 14


@pytest.mark.parametrize(
    ("csv", "source", "words"),
    [
        ("t\n5\nx\n", "(s.csv, t, s)", 's.csv:3: "x" is not a time'),
        ("t\n5\n-1\n", "(s.csv, t, s)", 's.csv:3: "-1" is not a time'),
        ("t\n5\ninf\n", "(s.csv, t, s)", 's.csv:3: "inf" is not a time'),
        ("t\n", "(s.csv, t, s)", "s.csv: no rows"),
        ("t\n5\n", "(s.csv, u, s)", 's.csv:1: no column "u"; columns are t'),
        ("t\n5\n", "(s.csv, t, y)", '"y" is not a unit'),
        ("t\n5\n", "(r.csv, t, s)", "r.csv: there is no such file"),
        ("t\n5\n", "(.., t, s)", "leads out"),
    ],
)
def test_an_error_in_a_sample_names_file_and_row(
    tmp_path: Path, csv: str, source: str, words: str
) -> None:
    (tmp_path / "s.csv").write_text(csv)
    path = tmp_path / "m.yaml"
    path.write_text(SMALL.replace("5 min", f"empirical{source}"))
    with pytest.raises(ModelError) as caught:
        load(path)
    assert words in str(caught.value)
    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (5, 14)


# ---------------------------------------------------------------- back to text


def test_what_is_written_reads_the_same(rich: Path) -> None:
    line = load(rich)
    again = loads(dumps(line))
    assert model_hash(again) == model_hash(line)
    assert dumps(again) == dumps(line)


names = st.text(
    st.characters(exclude_categories=["C"]), min_size=1, max_size=12
).filter(lambda name: name == name.strip())


@example("?0", "?", "")
@given(names, names, st.text(st.characters(exclude_categories=["C"]), max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_name_survives_writing_and_reading(a: str, b: str, text: str) -> None:
    line = Line(
        schema_version=1,
        name=a,
        description=text,
        stations={a: Station.model_validate({"process": "1 min"})},
        products={b: Product.model_validate({"route": [a]})},
    )
    assert loads(dumps(line)) == line


@given(st.integers(0, 2**58 - 1), st.floats(0, 1e6), st.floats(1e-3, 30))
@settings(max_examples=100, deadline=None)
def test_any_quantity_survives_writing_and_reading(
    time_us: int, rate_per_s: float, cv: float
) -> None:
    line = loads(SMALL)
    frame = line.products["frame"].model_copy(update={"demand": rate_per_s})
    study = line.study.model_copy(update={"horizon": time_us})
    process = {"kind": "gamma", "parameters": (float(time_us >> 20) + 1, cv)}
    weld = Station.model_validate({"process": process})
    line = line.model_copy(
        update={
            "products": {"frame": frame},
            "study": study,
            "stations": {**line.stations, "weld": weld},
        }
    )
    assert loads(dumps(line)) == line


def test_a_model_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    line = loads(SMALL)
    save(line, tmp_path / "m.yaml")
    assert load(tmp_path / "m.yaml") == line
    with pytest.raises(ModelError, match="cannot be written"):
        save(line, tmp_path / "none" / "m.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["m.yaml"]


def test_the_hash_knows_meaning_and_not_form() -> None:
    base = model_hash(loads(SMALL))
    same = SMALL.replace("5 min", "300 s  # slow").replace(
        "    process: 4 min\n    buffer: 4\n", "    buffer: 4\n    process: 240 s\n"
    )
    assert model_hash(loads(same)) == base
    assert model_hash(loads(SMALL + "    priority: 0\n")) == base
    assert model_hash(loads(SMALL.replace("5 min", "6 min"))) != base
    stations = SMALL.replace("weld:", "x:").replace("paint:", "weld:")
    stations = (
        stations.replace("x:", "paint:").replace("5 min", "t").replace("4 min", "5 min")
    )
    assert model_hash(loads(stations.replace("process: t", "process: 4 min"))) != base


def test_positions_lead_to_every_value() -> None:
    text, places = marked(SMALL.replace("buffer: 4\n  p", "¦buffer: 4\n  p"))
    root, _ = parse(text, "m")
    assert root.find(("stations", "weld", "buffer"))[1:] == places[0]


def test_reading_a_file_keeps_its_name_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(SMALL)
    assert read("m.yaml").positions.place.file == "m.yaml"


# ---------------------------------------------------------------- fuzz

PIECES = st.sampled_from(
    ["", " ", "\n", "\t", ":", "- ", "[", "]", "{", "}", "&a ", "*a", "!!int ", "'",
     '"', "#", "|", ">", "%", "@", "`", ",", "? ", "---\n", "...\n", "~", "null",
     "true", "0", "-1", "1e999", ".nan", "5 min", "\x00", "\ud800", "\u2028",
     "\ufeff", "é", "<<: ", "9" * 50, "exponential(", "route", "2027-01-01", "24:00",
     "$", "$cycle", "$$", "through", "of: cell"]
)  # fmt: skip


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_a_broken_model_is_an_error_and_never_a_crash(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([SMALL, RICH, TEMPLATED, FIRST_MODEL]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        n_cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(PIECES) + text[at + n_cut :]
    load_or_refuse(text)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["5 min", "weld", "frame", "any", "unlimited", "gamma", "1/h"])
    | st.sampled_from(["$cycle", "$down", "$repair and $$", "$mean", "cell", "arm"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["every", "repair", "station", "kind", "parameters", "gamma", "from", "to",
             "values", "weights", "empirical", "discrete", "file", "weld", "uses", "x",
             "through", "as", "of", "with", "default", "$cycle", "parameters", "route"]
        ),
        inner,
        max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_any_value_at_any_key_is_read_or_refused(data: st.DataObject) -> None:
    model = json.loads(json.dumps(data.draw(st.sampled_from([MODEL, WITH_COPIES]))))
    for _ in range(data.draw(st.integers(1, 2))):
        value, key = model, data.draw(st.sampled_from(sorted(model)))
        while isinstance(value[key], dict | list) and data.draw(st.integers(0, 3)):
            value = value[key]
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
        if isinstance(value, dict) or key in range(len(value)):
            value[key] = data.draw(VALUES)
    load_or_refuse(json.dumps(model))


def load_or_refuse(text: str) -> None:
    try:
        line = loads(text, "fuzz.yaml")
    except ModelError as error:
        findings, message = error.findings, str(error)
    else:
        assert model_hash(loads(dumps(line))) == model_hash(line)
        check(line)
        return
    assert findings
    assert all(f.line > 0 and f.column > 0 for f in findings)
    message.encode()


def _model() -> Any:
    text = RICH.replace('"empirical(times.csv, t, s)"', "5 min")
    return loads(text).model_dump(mode="json", by_alias=True)


MODEL = _model()
WITH_COPIES = parse(TEMPLATED, "templated")[0].plain()
