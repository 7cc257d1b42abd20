"""Pieces of a model: a template with everything put in, and what copies make of it.

A `Piece` knows its parts by the names that it uses itself. `add` puts a copy of one
into another, under the name of the copy. `called` is a route through a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from linewright.model.renaming import (
    NAMED,
    REFERENCES,
    Names,
    operation_of,
    renamed,
)
from linewright.model.source import Node, Origin, Place, items

__all__ = ["Copied", "Piece", "called", "opened", "text_of"]


class Copied(NamedTuple):
    """Where a copy is made: its place in the file, and the level of its template."""

    place: Place
    level: int


@dataclass(slots=True)
class Piece:
    """A model or a template with everything put in, under the names it uses itself.

    Attributes:
        parts: Sections of it, as they stand in a model.
        ways: Steps of the routes that lead through it, by the name of the copy; its own
            under the empty name.
    """

    parts: dict[str, Node]
    ways: dict[str, list[Node]] = field(default_factory=dict)

    def steps(self) -> Iterator[Node]:
        """Yield the steps of all routes."""
        for way in self.ways.values():
            yield from way
        for _, product in items(self.parts.get("products")):
            route = product.child("route")
            if route is not None and isinstance(route.value, list):
                yield from route.value

    def size(self) -> int:
        """Return the number of values in it."""
        steps = sum(step.size for way in self.ways.values() for step in way)
        return 1 + steps + sum(node.size for node in self.parts.values())

    def add(self, inner: Piece, copy: str, template: str, at: Copied) -> list[str]:
        """Add what a copy of a template brings, with the name of the copy before it.

        Returns:
            Names that are here already; those parts are left out.
        """
        names = _new_names(inner, copy, at.level)
        clashes = []
        for section in NAMED:
            node = inner.parts.get(section)
            target = self.parts.get(section)
            if node is None or not items(node):
                continue
            if target is None:
                target = self.parts[section] = Node({}, at.place)
            if not isinstance(target.value, dict):
                continue
            for old, part in items(node):
                new = names[section].get(old, old)
                if new in target.value:
                    clashes.append(new)
                    continue
                moved = _moved(part, section, names, at.level)
                target.value[new] = _marked(moved, copy, template)
                target.keys[new] = node.keys[old]
        self._add_ways(inner, copy, template, at, names)
        return clashes

    def _add_ways(
        self, inner: Piece, copy: str, template: str, at: Copied, names: Names
    ) -> None:
        transport = inner.parts.get("transport")
        if transport is not None and isinstance(transport.value, list):
            target = self.parts.setdefault("transport", Node([], at.place))
            if isinstance(target.value, list):
                for way in transport.value:
                    moved = _moved(way, "transport", names, at.level)
                    target.value.append(_marked(moved, copy, template))
        for old, steps in inner.ways.items():
            self.ways[f"{copy}.{old}" if old else copy] = [
                _marked(_moved(step, "route", names, at.level), copy, template)
                for step in steps
            ]

    def close(self) -> None:
        """Count what is in the sections now."""
        for node in self.parts.values():
            inner = node.value
            if isinstance(inner, dict | list):
                below = inner.values() if isinstance(inner, dict) else inner
                node.size = 1 + sum(one.size for one in below)


def _moved(node: Node, section: str, names: Names, level: int) -> Node:
    """Return a part that refers to its neighbors by the names they have in a copy."""
    spec = REFERENCES.get(section, {}).get("*", {})
    return renamed(node, spec, names, level)


def _marked(node: Node, copy: str, template: str) -> Node:
    """Return a part that knows of which copy it is."""
    origin = node.origin or Origin()
    whole = f"{copy}.{origin.copy}" if origin.copy else copy
    origin = replace(origin, copy=whole, template=origin.template or template)
    return replace(node, origin=origin)


def opened(node: Node) -> Node:
    """Return a section whose mapping, or list, may be added to."""
    if isinstance(node.value, dict):
        return replace(node, value=dict(node.value), keys=dict(node.keys))
    return (
        replace(node, value=list(node.value)) if isinstance(node.value, list) else node
    )


def _new_names(piece: Piece, prefix: str, level: int) -> dict[str, dict[str, str]]:
    """Return what everything in a piece is called in a copy of this name.

    What was named from outside, through a parameter, has the name that was asked for.
    """
    names: dict[str, dict[str, str]] = {}
    for section in NAMED:
        names[section] = {
            key: f"{prefix}.{key}"
            for key, node in items(piece.parts.get(section))
            if not _is_outside(node, level, of_key=True)
        }
    names["components"] = names["materials"] | names["products"]
    operations = [operation_of(step) for step in piece.steps()]
    names["operations"] = {
        text_of(node): f"{prefix}.{text_of(node)}"
        for node in operations
        if node is not None and not _is_outside(node, level)
    }
    return names


def _is_outside(node: Node, level: int, *, of_key: bool = False) -> bool:
    """Say whether a name, or the key before a node, was written outside a template."""
    if node.origin is None:
        return False
    written = node.origin.key_level if of_key else node.origin.level
    return written is not None and written < level


def called(way: list[Node], copy: str, other: str) -> list[Node]:
    """Return the steps through a copy, with other names for a second time through."""
    if not other:
        return way
    operations = {
        name: f"{other}{name.removeprefix(copy)}"
        for step in way
        if (node := operation_of(step))
        and (name := text_of(node)).startswith(f"{copy}.")
    }
    names = {"operations": operations}
    return [renamed(step, REFERENCES["route"]["*"], names, 0) for step in way]


def text_of(node: Node) -> str:
    """Return a text, or an empty one where there is something else."""
    return node.value if isinstance(node.value, str) else ""
