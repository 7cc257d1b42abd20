"""Names of a template's parts, and where in a model they are referred to.

A copy of a template brings its parts in with its own name before theirs. `REFERENCES`
says at which keys of a model a name of another part stands, and of which kind; what is
not in it (stages, families, skills) keeps its name. A test compares the table with the
classes of the model, so that no key is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linewright.model.source import Node, Place, items

__all__ = ["NAMED", "REFERENCES", "Names", "operation_of", "renamed", "spelled_step"]

Names = Mapping[str, Mapping[str, str]]
"""New names by kind and old name."""

NAMED = (
    "calendars", "buffers", "people", "tools", "loops", "materials", "vehicles",
    "failures", "stations", "products",
)  # fmt: skip
"""Sections of a model in which parts have names."""

_KEYS = "<keys>"  # the kind of the names in the keys of a mapping

_PRODUCT = "products"
_COMPONENT = "components"  # products and materials

_STEP: dict[str, Any] = {
    "operation": "operations",
    "station": "stations",
    "buffer": "buffers",
    "uses": _COMPONENT,
    "tools": "tools",
    "makes": _PRODUCT,
    "same_server_as": "operations",
    "time_limit": {"after": "operations", "rework_to": "operations"},
    "inspection": {"rework_to": "operations"},
}
_STATION: dict[str, Any] = {
    "calendar": "calendars",
    "buffer": "buffers",
    "output_buffer": "buffers",
    "process": _PRODUCT,
    "people": dict.fromkeys(("setup", "load", "process", "unload", "repair"), "people"),
    "setup": {
        "tools": "tools",
        "matrix": {_KEYS: _PRODUCT, "*": _PRODUCT},
        "minimum_run": _PRODUCT,
    },
    "failures": {"*": {"crew": "people", "tools": "tools"}},
    "maintenance": {"*": {"crew": "people", "tools": "tools", "window": "calendars"}},
}
REFERENCES: dict[str, Any] = {
    "people": {"*": {"calendar": "calendars"}},
    "loops": {
        "*": {
            "from": "operations",
            "to": "operations",
            "products": _PRODUCT,
            "takes": _PRODUCT,
        }
    },
    "vehicles": {"*": {"home": "stations"}},
    "failures": {"*": {"stations": "stations", "crew": "people", "tools": "tools"}},
    "stations": {"*": _STATION},
    "products": {
        "*": {
            "bom": _COMPONENT,
            "route": {"*": _STEP},
            "route_of": _PRODUCT,
            "store": "buffers",
            "release": {"calendar": "calendars"},
        }
    },
    "transport": {"*": {"from": "stations", "to": "stations", "by": "vehicles"}},
    "route": {"*": _STEP},
}
"""Kinds of the names at the keys of a model; ``*`` is any name, or item of a list."""

_RESERVED = {"any", "unlimited"}


def renamed(node: Node, spec: Any, names: Names, level: int) -> Node:
    """Return a node with new names where it refers to parts; itself if it has none.

    Args:
        node: A part of a template.
        spec: The part of `REFERENCES` for it.
        names: What is called otherwise.
        level: Level of the template. A name that was written outside of it and came in
            through a parameter means what it means there, and stays.
    """
    if isinstance(spec, str):
        return _references(node, names.get(spec, {}), level)
    if isinstance(node.value, list):
        below = [renamed(item, spec.get("*", {}), names, level) for item in node.value]
        is_same = all(a is b for a, b in zip(below, node.value, strict=True))
        return node if is_same else replace(node, value=below)
    return _mapping(node, spec, names, level) if isinstance(node.value, dict) else node


def _mapping(node: Node, spec: dict[str, Any], names: Names, level: int) -> Node:
    there, is_same = {}, True
    for key, below in items(node):
        inner = spec.get(key, spec.get("*"))
        there[key] = renamed(below, inner, names, level) if inner else below
        is_same = is_same and there[key] is below
    node = node if is_same else replace(node, value=there)
    kind = spec.get(_KEYS)
    return _in_keys(node, names.get(kind, {}), level) if kind else node


def _references(node: Node, names: Mapping[str, str], level: int) -> Node:
    """Return a name, a list of names, or a mapping of them, with the new names."""
    if isinstance(node.value, dict):
        return _in_keys(node, names, level)
    if isinstance(node.value, list):
        return replace(node, value=[_references(n, names, level) for n in node.value])
    origin = node.origin
    is_outside = origin and origin.level is not None and origin.level < level
    if is_outside or not isinstance(node.value, str) or node.value in _RESERVED:
        return node
    new = names.get(node.value)
    return node if new is None else replace(node, value=new)


def _in_keys(node: Node, names: Mapping[str, str], level: int) -> Node:
    there: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    for key, below in items(node):
        origin = below.origin
        is_outside = (
            origin and origin.key_level is not None and origin.key_level < level
        )
        new = key if is_outside or key in _RESERVED else names.get(key, key)
        there[new], keys[new] = below, node.keys[key]
    return replace(node, value=there, keys=keys)


# ---------------------------------------------------------------- operations


def operation_of(step: Node) -> Node | None:
    """Return the node that names the operation of a step; its station by default."""
    if isinstance(step.value, str):
        return step
    for key in ("operation", "station"):
        node = step.child(key)
        if node is not None and isinstance(node.value, str) and node.value:
            return node
    return None


def spelled_step(step: Node) -> Node:
    """Return a step with its operation written out, if it takes that of its station.

    So the operation can have another name than the station.
    """
    named = operation_of(step)
    if named is None or step.child("operation") is named:
        return step
    if named is step:
        there = {"operation": step, "station": step}
        places = dict.fromkeys(there, step.place)
        return Node(dict(there), step.place, places, 3, step.origin)
    fields = {**dict(items(step)), "operation": named}
    places = {**step.keys, "operation": named.place}
    return replace(step, value=fields, keys=places, size=step.size + 1)
