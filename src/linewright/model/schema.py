"""The JSON Schema of the model file, for completion and help in editors.

Pydantic writes it from the classes in `line` and `file_form`; what their readers also
accept (an operation as one word, a component as a number, `$name` for any value) is
added here.
"""

from __future__ import annotations

from typing import Any

from linewright.model.file_form import file_schema

__all__ = ["SCHEMA_FILE", "json_schema"]

SCHEMA_FILE = "linewright.schema.json"
"""Name of the file that `linewright init` puts beside the model."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a model file."""
    schema = _any_of(file_schema())
    short_forms(schema["$defs"])
    schema["properties"] = {
        key: value if key == "schema_version" else _or_parameter(value)
        for key, value in schema["properties"].items()
    }
    schema["$defs"] = _or_parameter(schema["$defs"]) | {"Use": _USE}
    schema["anyOf"] = [{"required": ["stations", "products"]}, {"required": ["copies"]}]
    head = {
        "$schema": _DIALECT,
        "title": "Linewright model",
        "description": "A production line: stations, products and how units flow.",
    }
    return head | {key: value for key, value in schema.items() if key not in head}


def short_forms(nouns: dict[str, Any]) -> None:
    """Add the forms that are shorter than a mapping to the definitions."""
    station = {
        "type": "string",
        "description": "Station; the operation's name as well.",
    }
    quantity = {"type": "integer", "minimum": 1, "description": "How many."}
    kinds = nouns["Release"]["properties"]["kind"]
    uses = nouns["Step"]["properties"]["uses"]
    names = {"type": "array", "items": {"type": "string"}}
    uses["anyOf"] = [names, *uses["anyOf"]]
    for noun in ("Step", "Setup", "Failure", "CommonFailure", "Maintenance"):
        _named_tools(nouns[noun]["properties"]["tools"])
    power = {"type": "string", "description": "Power at work.", "examples": ["12 kW"]}
    for noun, short in (
        ("Step", station),
        ("BomItem", quantity),
        ("Release", kinds),
        ("Pool", quantity),
        ("Batch", quantity),
        ("Power", power),
        ("Copy", {"type": "string", "description": "The template."}),
        ("Parameter", {"type": ["string", "number", "boolean", "null"]}),
    ):
        whole = nouns[noun]
        text = whole.pop("description", "")
        nouns[noun] = {"description": text, "anyOf": [short, whole]}


def _named_tools(tools: dict[str, Any]) -> None:
    """Let tools be one name, or a list of names, beside names with numbers."""
    about = ("description", "default", "title")
    whole = {key: tools.pop(key) for key in list(tools) if key not in about}
    names = {"type": "array", "items": {"type": "string"}}
    tools["anyOf"] = [{"type": "string"}, names, whole]


def _any_of(value: Any) -> Any:
    """Return a schema with ``anyOf`` for ``oneOf``: forms may overlap harmlessly."""
    if isinstance(value, dict):
        return {
            "anyOf" if key == "oneOf" else key: _any_of(below)
            for key, below in value.items()
        }
    return [_any_of(item) for item in value] if isinstance(value, list) else value


_USE = {
    "type": "string",
    "pattern": r"^\$[^\W\d]",
    "description": "Value of a parameter.",
}
_ABOUT = ("description", "default", "examples", "title")


def _or_parameter(value: Any) -> Any:
    """Return a schema that takes `$name` for each value that is no free text."""
    if isinstance(value, list):
        return [_or_parameter(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_free = value.get("type") == "string" and not value.keys() & {"enum", "pattern"}
    if not _is_scalar(value) or (is_free and "const" not in value):
        return {key: _or_parameter(below) for key, below in value.items()}
    about = {key: value[key] for key in _ABOUT if key in value}
    rest = {key: below for key, below in value.items() if key not in about}
    return about | {"anyOf": [rest, {"$ref": "#/$defs/Use"}]}


def _is_scalar(value: dict[str, Any]) -> bool:
    kinds = ("string", "integer", "number", "boolean")
    return value.get("type") in kinds or isinstance(value.get("enum"), list)
