"""Parameters: values with a name, put in wherever the model says `$name`.

A text that is `$name` and no more becomes the value with its type, a number stays a
number. `$name` inside a longer text becomes the text of the value, and the whole stays
text: `exponential($mttf)`. A key may be `$name`, too. `$$` is a dollar sign, and so is
a `$` that no letter follows. Nothing is calculated.

A `Scope` is what can be used at one place: in a template its own parameters, else those
of the model. A value may use other parameters of where it is written; it is put in once
and never looked at again. Every `Node` made here keeps in its `origin` which parameters
it is made of, for the findings about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from linewright.errors import Finding
from linewright.model.explain import did_you_mean, listed
from linewright.model.source import (
    MAX_BYTES,
    Node,
    Origin,
    Place,
    Used,
    describe,
    items,
)

__all__ = ["Filler", "Scope", "Setting", "broken", "is_name", "names_in"]

MAX_LETTERS = 1000
"""Longest value of a parameter, in characters."""

MAX_CHAIN = 50
"""Parameters whose values lead from one to the next."""

_NAME = r"[^\W\d]\w*(?:-\w+)*"
_USE = re.compile(rf"\$(?:\$|({_NAME}))")


def is_name(name: str) -> bool:
    """Say whether a parameter can be called so."""
    return re.fullmatch(_NAME, name) is not None


def names_in(node: Node) -> Iterator[str]:
    """Yield the names of parameters in a text."""
    if isinstance(node.value, str):
        yield from (found for found in _USE.findall(node.value) if found)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a parameter was set to.

    Attributes:
        node: The value; none: it has none.
        level: Level of a value from outside, in which all is put in already; none: it
            was written where the parameter was.
    """

    node: Node | None
    level: int | None = None


@dataclass(slots=True)
class Scope:
    """The parameters that can be used at one place.

    Attributes:
        settings: Parameters of the model, or of a template for one copy of it.
        where: "the model", or the template, in the words of a finding.
        level: How many templates one is inside of.
        outer: The scope of the model, seen from a template.
        values: What was found out so far.
        used: Names that were used.
    """

    settings: dict[str, Setting]
    where: str = "the model"
    level: int = 0
    outer: Scope | None = None
    values: dict[str, Node] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def owner(self, name: str) -> Scope | None:
        """Return the scope that has a parameter, if there is one."""
        if name in self.settings:
            return self
        return self.outer.owner(name) if self.outer else None

    def names(self) -> list[str]:
        """Return all that can be used."""
        return [*self.settings, *(self.outer.names() if self.outer else ())]


class Filler:
    """Puts the values of parameters into nodes, and notes what is wrong with them."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        self._said: set[Finding] = set()
        self._letters = 0
        self._is_full = False
        self._open: list[tuple[int, str]] = []

    def note(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Note a finding, once however many copies have it."""
        finding = Finding(code, message, "error", *place, help=hint)
        if finding not in self._said:
            self._said.add(finding)
            self.findings.append(finding)

    def filled(self, node: Node, scope: Scope) -> Node:
        """Return a node with the values of parameters in it; itself if it has none."""
        if isinstance(node.value, str):
            return self._text(node, scope) if "$" in node.value else node
        if isinstance(node.value, list):
            below = [self.filled(item, scope) for item in node.value]
            if all(a is b for a, b in zip(below, node.value, strict=True)):
                return node
            return replace(node, value=below)
        return self._mapping(node, scope) if isinstance(node.value, dict) else node

    def _mapping(self, node: Node, scope: Scope) -> Node:
        there: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        is_same, is_broken = True, False
        for name, below in items(node):
            value, key, place = self.filled(below, scope), name, node.keys[name]
            is_same = is_same and value is below and "$" not in key
            if "$" in key:
                made = self._key(key, place, scope)
                if made is None:
                    is_broken = True
                    continue
                key, origin = made
                value = replace(value, origin=_with_key(value.origin, origin))
            if key in there:
                msg = f'the key "{key}" is here twice, once through a parameter'
                self.note(place, "LW256", msg)
                continue
            there[key], keys[key] = value, place
        if is_broken:
            return Node(there, node.place, keys, origin=Origin(is_broken=True))
        return node if is_same else replace(node, value=there, keys=keys)

    def _key(self, key: str, place: Place, scope: Scope) -> tuple[str, Origin] | None:
        """Return a key with its parameters put in, or nothing if that cannot be."""
        made = self._text(Node(key, place), scope)
        origin = made.origin or Origin()
        if origin.is_broken:
            return None
        if not isinstance(made.value, str):
            msg = f"a key is text, and {key} is {describe(made.value)}"
            self.note(place, "LW259", msg, "write the value in quotes")
            return None
        return made.value, origin

    def _text(self, node: Node, scope: Scope) -> Node:
        """Return a text with the values put in."""
        text = str(node.value)
        whole = _USE.fullmatch(text)
        if whole and whole[1]:
            value = self._value(whole[1], node.place, scope)
            origin = value.origin or Origin()
            self._letters += len(str(value.value))
            return self._bounded(replace(value, place=node.place, origin=origin))
        origins: list[Origin] = []
        pieces: list[str] = []
        at = 0
        for use in _USE.finditer(text):
            pieces.append(text[at : use.start()])
            at = use.end()
            if use[1]:
                value = self._value(use[1], node.place, scope)
                origins.append(value.origin or Origin())
                pieces.append(_spelled(value.value))
                self._letters += len(pieces[-1])
                if self._letters > MAX_BYTES:
                    break
            else:
                pieces.append("$")
        filled = "".join([*pieces, text[at:]])
        return self._bounded(Node(filled, node.place, origin=_joined(origins)))

    def _bounded(self, node: Node) -> Node:
        """Return the node, or a broken one where parameters have grown too large."""
        if self._letters <= MAX_BYTES:
            return node
        allowed = f"{MAX_BYTES >> 20} million characters"
        msg = f"parameters put more than {allowed} into the model"
        if not self._is_full:
            self._is_full = True
            self.note(node.place, "LW258", msg)
        return broken(node.place)

    def _value(self, name: str, place: Place, scope: Scope) -> Node:
        """Return the value of a parameter; a broken node if it has none."""
        owner = scope.owner(name)
        if owner is None:
            msg = f'there is no parameter "{name}" in {scope.where}; '
            there = scope.names()
            msg += f"there are {listed(there)}"
            hint = did_you_mean(name, there) or "$$ is a dollar sign"
            self.note(place, "LW250", msg, hint)
            return broken(place)
        owner.used.add(name)
        found = self.value_in(owner, name)
        if found.origin is None or found.origin.is_broken:
            return found
        used = tuple(one._replace(name=name) for one in found.origin.parameters[:1])
        origin = replace(found.origin, parameters=used)
        return replace(found, origin=origin)

    def value_in(self, scope: Scope, name: str) -> Node:
        """Return the value of a parameter of this scope, found out once."""
        if name in scope.values:
            return scope.values[name]
        node = scope.settings[name].node
        if node is None:
            return broken(Place(""))
        mark = (id(scope), name)
        if mark in self._open or len(self._open) >= MAX_CHAIN:
            self._circle(mark, node.place)
            return broken(node.place)
        self._open.append(mark)
        is_filled = scope.settings[name].level is not None
        filled = node if is_filled else self.filled(node, scope)
        self._open.pop()
        scope.values[name] = self._as_value(name, filled, scope)
        return scope.values[name]

    def _circle(self, mark: tuple[int, str], place: Place) -> None:
        if mark in self._open:
            names = [name for _, name in self._open[self._open.index(mark) :]]
            way = " -> ".join([*names, mark[1]])
            msg = f"parameters refer to each other in a circle: {way}"
        else:
            msg = f"parameters refer to each other more than {MAX_CHAIN} deep"
        self.note(place, "LW253", msg)

    def _as_value(self, name: str, node: Node, scope: Scope) -> Node:
        """Return a value with its origin: its name, its place, and how deep it is."""
        origin = node.origin or Origin()
        if origin.is_broken:
            return node
        found = ""
        if isinstance(node.value, list | dict) or node.value is None:
            found = describe(node.value)
            allowed = "a number, text, true or false"
            self.note(
                node.place, "LW108", f"{name}: found {found}; allowed is {allowed}"
            )
        elif len(str(node.value)) > MAX_LETTERS:
            found = f"{len(str(node.value)):,} characters"
            msg = f"{name}: found {found}; allowed are {MAX_LETTERS:,}"
            self.note(node.place, "LW258", msg)
        if found:
            return broken(node.place)
        is_alias = origin.parameters and origin.parameters[0].value == node.value
        at = origin.parameters[0].place if is_alias else node.place
        level = origin.level
        if level is None:
            outside = scope.settings[name].level
            level = scope.level if outside is None else outside
        assert not isinstance(node.value, list | dict)
        used = (Used(name, node.value, at),)
        return replace(node, origin=Origin(parameters=used, level=level))


def broken(place: Place) -> Node:
    """Return a node in the place of one that is wrong, of which that was said."""
    return Node("", place, origin=Origin(is_broken=True))


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _joined(origins: list[Origin]) -> Origin | None:
    """Return the origin of a text that is made of several values."""
    if not origins:
        return None
    levels = [origin.level for origin in origins if origin.level is not None]
    return Origin(
        parameters=tuple(used for o in origins for used in o.parameters)[:4],
        level=min(levels) if levels else None,
        is_broken=any(origin.is_broken for origin in origins),
    )


def _with_key(value: Origin | None, key: Origin) -> Origin:
    value = value or Origin()
    used = (*value.parameters, *key.parameters)
    return replace(value, parameters=used, key_level=key.level)
