"""Write `model-reference.md`: every key of a model file, from the model itself.

The classes of `linewright.model.line` and `file_form` say what may stand in a file;
this turns their JSON Schema into a manual, from the file as a whole down to its
smallest part, each part at its first mention. What a schema cannot say stands in
`semantics.md`, and follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from linewright.model.distribution import KINDS
from linewright.model.file_form import file_schema
from linewright.units import UNITS_MM, UNITS_US, format_duration

__all__ = ["PAGE", "reference"]

Schema = Mapping[str, Any]

_DOCS = Path(__file__).parent
PAGE = _DOCS / "model-reference.md"
_SEMANTICS = _DOCS / "semantics.md"
_UNBOUNDED = 1_000_000_000  # a limit that nobody meets

_HEAD = """\
<!-- Written by docs/generate_reference.py (`make docs`); edit the model instead. -->

# Model reference

Every key that a model file may have. The first table is the file itself; each part has
its own table below, in the order in which the parts are first mentioned. A key without
a default must be there. A key that is not in these tables is an error.

`linewright schema` prints the same as a JSON Schema, for the completion and the checks
of an editor.
"""

_QUANTITIES = """\
## Quantities and distributions

A **time** is a number and its unit, or a sum of such: `12 min`, `1 h 30 min`, `3 d`.
The units are {units}; `d` is always 24 h. A number
without a unit is an error, except 0.

A **length** is a number and its unit: `3 m`, `250 cm`. The units are {lengths}.

A **rate** is a number per unit of time: `0.5/h`, `6/min`.

A **distribution** is a time (then it is constant), or a name with its parameters, in
order or by name: `triangular(4 min, 5 min, 8 min)`, `lognormal(mean=5 min, cv=0.3)`; or
the same as a mapping: `{{lognormal: {{mean: 5 min, cv: 0.3}}}}`. The names are:

| Distribution | Times | Plain numbers |
| --- | --- | --- |
{rows}

These two are written as mappings only: `discrete`, as
`{{discrete: {{values: [4 min, 6 min], weights: [0.7, 0.3]}}}}`, and `empirical`, as
`{{empirical: {{file: times.csv, column: seconds, unit: s}}}}`.
"""


def reference() -> str:
    """Return the text of the model reference."""
    schema = file_schema()
    parts = {n: part for n, part in schema["$defs"].items() if n != "Distribution"}
    order = list(dict.fromkeys(_mentions(schema, parts)))
    assert set(order) == set(parts), "every part of the model is reached from the file"
    sections = [_HEAD, _section("The file", schema)]
    sections += [_section(name, parts[name]) for name in order]
    sections.append(_quantities())
    if _SEMANTICS.exists():
        text = _SEMANTICS.read_text(encoding="utf-8")
        sections.append(re.sub(r"^#", "##", text, flags=re.MULTILINE))
    return "\n".join(section.strip() + "\n" for section in sections)


def _options(value: Schema) -> list[Schema]:
    """Return the forms that a value may have, or nothing if it has one form."""
    return [o for o in _any_of(value) if o.get("type") != "null"]


def _any_of(value: Schema) -> list[Schema]:
    return [*value.get("anyOf", ()), *value.get("oneOf", ())]


def _long_form(part: Schema) -> Schema | None:
    """Return the form of a part that has keys; a part may have short forms too."""
    forms = [part, *_options(part)]
    return next((form for form in forms if "properties" in form), None)


def _mentions(schema: Any, parts: Mapping[str, Schema]) -> Iterator[str]:
    """Yield the names of the parts that a schema mentions, each before its own."""
    if isinstance(schema, Mapping):
        if (name := _referred(schema)) in parts:
            yield name
            yield from _mentions(parts[name], parts)
        nested = [value for key, value in schema.items() if key != "$defs"]
    else:
        nested = schema if isinstance(schema, list) else []
    for value in nested:
        yield from _mentions(value, parts)


def _referred(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _section(title: str, part: Schema) -> str:
    form = _long_form(part)
    assert form is not None, f"{title} has keys"
    required = form.get("required", ())
    rows = [
        _row(key, value, is_required=key in required)
        for key, value in form["properties"].items()
    ]
    lines = [
        f"## {_words(title)}",
        "",
        _plain(part.get("description") or form.get("description", "")),
        *_short_forms(part),
        "",
        "| Key | Takes | Default | Meaning |",
        "| --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(lines)


def _short_forms(part: Schema) -> list[str]:
    short = [_takes(option) for option in _options(part) if "properties" not in option]
    return ["", f"Written short: {', or '.join(short)}."] if short else []


def _words(title: str) -> str:
    """Return ``CalendarException`` as ``Calendar exception``."""
    words = re.sub(r"(?<=[a-z])([A-Z])", r" \1", title).capitalize()
    return words.replace("Bom", "BOM")


def _row(key: str, value: Schema, *, is_required: bool) -> str:
    default = "" if is_required else _default(value)
    meaning = _plain(value.get("description", "")).replace("\n", " ")
    cells = [f"`{key}`", _takes(value), default, meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Schema) -> str:
    if "default" not in value:
        return "none" if value.get("type") == "object" else "see there"
    default = value["default"]
    if default in (None, "", [], {}):
        return "none"
    if isinstance(default, str):
        return f"`{default}`"
    if isinstance(default, bool):
        return "`true`" if default else "`false`"
    if _is_written_as_text(value):  # a time, in microseconds
        return f"`{format_duration(default)}`"
    return f"`{default:g}`"


def _is_written_as_text(value: Schema) -> bool:
    return "examples" in value or any(map(_is_written_as_text, _options(value)))


def _takes(value: Schema) -> str:
    """Return in words what may be written for a value."""
    if name := _referred(value):
        if name == "Distribution":
            return "[distribution](#quantities-and-distributions)"
        words = _words(name)
        shown = words if words.startswith("BOM") else words.lower()
        return f"[{shown}](#{words.lower().replace(' ', '-')})"
    if "examples" in value:
        return "text such as " + " or ".join(f"`{e}`" for e in value["examples"][:2])
    if options := _options(value):
        return ", or ".join(dict.fromkeys(map(_takes, options)))
    return _TAKES[value.get("type", "any")](value)


def _takes_text(value: Schema) -> str:
    if "enum" in value:
        *most, last = (f"`{choice}`" for choice in value["enum"])
        return f"{', '.join(most)} or {last}"
    if "const" in value:
        return f"`{value['const']}`"
    return "text"


def _takes_number(value: Schema) -> str:
    noun = "whole number" if value["type"] == "integer" else "number"
    if "const" in value:
        return f"`{value['const']}`"
    low, high = value.get("minimum"), value.get("maximum", _UNBOUNDED)
    if (above := value.get("exclusiveMinimum")) is not None:
        return f"{noun} above {above:g}"
    if low is None or low <= -_UNBOUNDED:
        return noun
    if high >= _UNBOUNDED:
        return f"{noun}, {low:g} or more"
    return f"{noun} from {low:g} to {high:,}"


def _takes_mapping(value: Schema) -> str:
    inner = value.get("additionalProperties")
    return f"mapping of names to {_takes(inner)}" if inner else "mapping"


_TAKES = {
    "any": lambda v: f"`{v['const']}`" if "const" in v else "any value",
    "array": lambda v: f"list of: {_takes(v['items'])}",
    "boolean": lambda _: "`true` or `false`",
    "integer": _takes_number,
    "number": _takes_number,
    "object": _takes_mapping,
    "string": _takes_text,
}


def _quantities() -> str:
    rows = []
    for kind, names in KINDS.items():
        if kind in {"discrete", "empirical"}:
            continue
        bare = [name.rstrip("#?") for name in names]
        numbers = [f"`{b}`" for b, name in zip(bare, names, strict=True) if "#" in name]
        times = [f"`{b}`" for b in bare if f"`{b}`" not in numbers]
        call = f"`{kind}({', '.join(bare)})`"
        rows.append(f"| {call} | {', '.join(times)} | {', '.join(numbers)} |")
    units = ", ".join(f"`{unit}`" for unit in UNITS_US)
    lengths = ", ".join(f"`{unit}`" for unit in UNITS_MM)
    return _QUANTITIES.format(units=units, lengths=lengths, rows="\n".join(rows))


def _plain(text: str) -> str:
    """Return a docstring as Markdown."""
    return text.replace("``", "`").strip()


def main() -> None:
    """Write the page."""
    PAGE.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
