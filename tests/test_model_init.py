"""The first model, the schema beside it, and migration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from linewright.errors import ModelError
from linewright.model.check import load_checked
from linewright.model.init import FIRST_MODEL, init
from linewright.model.load import dumps, loads
from linewright.model.migrate import migrate
from linewright.model.schema import SCHEMA_FILE, json_schema
from linewright.model.source import parse
from tests.model_texts import RICH, SMALL, TEMPLATED


def test_the_first_model_is_clean_and_names_its_schema(tmp_path: Path) -> None:
    model, schema = init(tmp_path / "new" / "plant")
    line, findings = load_checked(model)
    assert findings == []
    assert line.products
    assert FIRST_MODEL.startswith(f"# yaml-language-server: $schema={SCHEMA_FILE}\n")
    assert json.loads(schema.read_text()) == json_schema()


@pytest.mark.parametrize("name", ["model.yaml", SCHEMA_FILE])
def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ModelError, match="is there already"):
        init(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be made"):
        init(tmp_path / "file" / "folder")


@pytest.mark.parametrize("text", [SMALL, RICH, FIRST_MODEL, TEMPLATED])
def test_a_model_fits_the_schema(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(parse(text, "model")[0].plain())
    if "times.csv" not in text:
        validator.validate(parse(dumps(loads(text)), "model")[0].plain())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("process: 5 min", "proces: 5 min"),
        ("process: 5 min", "process: 5"),
        ("process: 5 min", "servers: 0"),
        ("process: 5 min", "dispatch: fifa"),
        ("schema_version: 1", "schema_version: 2"),
        ("name: Small", ""),
        ("process: 5 min", "servers: n"),
        ("stations:", "templates:"),
        ("name: Small", "name: Small\ntemplates: {t: {stages: []}}"),
        ("name: Small", "name: Small\ncopies: {t: {template: a}}"),
        ("route: [weld,", "route: [{through: a, station: b},"),
    ],
)
def test_a_mistake_does_not_fit_the_schema(old: str, new: str) -> None:
    wrong = parse(SMALL.replace(old, new), "model")[0].plain()
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(wrong)


def test_the_schema_is_valid_and_every_key_is_described() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "$id" not in schema
    assert list(_without_description(schema)) == []


def _without_description(schema: Any, path: str = "") -> Any:
    if isinstance(schema, dict):
        for key, below in schema.get("properties", {}).items():
            if not below.get("description"):
                yield f"{path}/{key}"
        for key, below in schema.items():
            yield from _without_description(below, f"{path}/{key}")
    elif isinstance(schema, list):
        for item in schema:
            yield from _without_description(item, path)


def test_migration_knows_this_version_and_refuses_others() -> None:
    assert migrate(SMALL) == (SMALL, "already version 1")
    for text in (
        SMALL.replace("version: 1", "version: 7"),
        "name: x",
        "",
        "a: 1\na: 2",
    ):
        with pytest.raises(ModelError):
            migrate(text)
