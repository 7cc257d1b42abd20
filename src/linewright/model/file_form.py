"""The form of a model file: a line, and what is gone when the file is expanded.

A `Line` has no parameters and templates any more. Editors, the reference and findings
about unknown keys want to know them; that is all these classes are for.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Tag

from linewright.model.line import (
    Buffer,
    Calendar,
    CommonFailure,
    Fleet,
    Line,
    Loop,
    Material,
    Noun,
    Pool,
    Product,
    Station,
    Step,
    Tool,
    Transport,
)
from linewright.model.values import Name, pick

__all__ = ["Copy", "ModelFile", "Parameter", "Template", "Through", "file_schema"]

Value = Annotated[
    Annotated[bool, Tag("<flag>")]
    | Annotated[float, Tag("<number>")]
    | Annotated[str, Tag("<text>")],
    pick((bool, "<flag>"), (int | float, "<number>"), other="<text>"),
]


class Parameter(Noun):
    """A value with a name, which stands wherever the model says `$name`.

    Without a note, the default alone: `cycle: 12 min`. Without a default it has to be
    given: by a copy, or from outside.
    """

    default: Value | None = Field(
        None, description="A number, text, time and the like; none: it must be given."
    )
    note: str = Field("", description="What it is.")


class Through(Noun):
    """A step that stands for the route through a copy of a template."""

    through: Name = Field(description="The copy.")
    as_: Name | None = Field(
        None,
        alias="as",
        description="What stands before the names of its operations, if the route goes "
        "through it more than once; the copy's name by default.",
    )


class Copy(Noun):
    """A copy of a template: its parts, with the name of the copy before theirs.

    A template without parameters to give, the name alone: `cell-1: cell`.
    """

    of: Name = Field(description="The template.")
    with_: dict[str, Value] = Field(
        default_factory=dict,
        alias="with",
        description="Values of its parameters: `{name: value}`.",
    )


class Template(Noun):
    """Parts of a model that are written once and copied, with parameters."""

    parameters: dict[str, Parameter] = Field(
        default_factory=dict, description="Values that each copy may set, by name."
    )
    calendars: dict[Name, Calendar] = Field(
        default_factory=dict, description="As in the file."
    )
    buffers: dict[Name, Buffer] = Field(
        default_factory=dict, description="As in the file."
    )
    people: dict[Name, Pool] = Field(
        default_factory=dict, description="As in the file."
    )
    tools: dict[Name, Tool] = Field(default_factory=dict, description="As in the file.")
    loops: dict[Name, Loop] = Field(default_factory=dict, description="As in the file.")
    materials: dict[Name, Material] = Field(
        default_factory=dict, description="As in the file."
    )
    vehicles: dict[Name, Fleet] = Field(
        default_factory=dict, description="As in the file."
    )
    failures: dict[Name, CommonFailure] = Field(
        default_factory=dict, description="As in the file."
    )
    stations: dict[Name, Station] = Field(
        default_factory=dict, description="As in the file."
    )
    products: dict[Name, Product] = Field(
        default_factory=dict, description="As in the file."
    )
    transport: tuple[Transport, ...] = Field((), description="As in the file.")
    copies: dict[Name, Copy] = Field(
        default_factory=dict, description="Copies of other templates in it."
    )
    route: tuple[Through | Step, ...] = Field(
        (), description="The way `through` a copy: operations, in order."
    )


class ModelFile(Line):
    """A production line."""

    stations: dict[Name, Station] = Field(
        default_factory=dict,
        description="Places where work is done, by name; one or more, with copies.",
    )
    products: dict[Name, Product] = Field(
        default_factory=dict,
        description="What is made, by name; one or more, with copies.",
    )
    parameters: dict[str, Parameter] = Field(
        default_factory=dict, description="Values that stand for `$name`, by name."
    )
    templates: dict[Name, Template] = Field(
        default_factory=dict, description="Parts that are copied, by name."
    )
    copies: dict[Name, Copy] = Field(
        default_factory=dict, description="Copies of templates, by name."
    )


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema of a model file, as pydantic writes it."""
    schema = ModelFile.model_json_schema(by_alias=True)
    nouns = schema["$defs"]
    route = nouns["Product"]["properties"]["route"]
    route["items"] = nouns["Template"]["properties"]["route"]["items"]
    return schema
