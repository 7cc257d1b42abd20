"""Pydantic's errors as findings: where, what was found, what is allowed, nearest name.

Pydantic says where by the keys it went through; the names of forms in angle brackets
are left out, and the rest leads to a place in the file. Which keys are allowed there is
read from the classes of the model, once.
"""

from __future__ import annotations

import difflib
import functools
import typing
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from linewright.errors import Finding
from linewright.model.distribution import Distribution
from linewright.model.file_form import ModelFile
from linewright.model.source import Key, Node, Place, describe

__all__ = ["did_you_mean", "explain", "keys_at", "listed", "place_of"]

Path = tuple[Key, ...]


def explain(errors: list[ErrorDetails], root: Node) -> list[Finding]:
    """Return one finding for each error, in the order of the file."""
    findings = [_explain(error, root) for error in errors]
    return sorted(findings, key=lambda f: (f.file, f.line, f.column))


def _explain(error: ErrorDetails, root: Node) -> Finding:
    kind, ctx = error["type"], error.get("ctx", {})
    path = tuple(k for k in error["loc"] if not (isinstance(k, str) and k[:1] == "<"))
    if path and path[-1] == "[key]":
        path, kind = path[:-1], "name"
    at_key = kind in _AT_KEY or error["input"] is None  # nothing stands nowhere
    place, hint = place_of(root, path, at_key=at_key), ""
    key, where = _key(path), spoken(path[:-1])
    found = describe(error["input"])
    if kind == "extra_forbidden":
        allowed = keys_at(path[:-1])
        code, msg = "LW106", f'unknown key "{key}" in {where}'
        msg += f"; allowed are {listed(allowed)}"
        hint = did_you_mean(key, allowed)
    elif kind == "missing":
        code, msg = "LW107", f'the key "{key}" is missing in {where}'
    elif kind == "name":
        code, msg = (
            "LW109",
            f"{found} is not a name; a name is text of 1 to 200 letters",
        )
    elif kind == "literal_error":
        options = _options(ctx["expected"])
        code, msg = "LW109", f"{key}: found {found}; allowed are {listed(options)}"
        hint = did_you_mean(str(error["input"]), options)
    elif kind == "value_error":
        code, msg = "LW109", f"{key}: {ctx['error']}"
    elif kind == "too_short":
        code, msg = "LW109", f"{key}: this is empty; allowed is one or more"
    elif kind in _TYPES:
        code, msg = "LW108", f"{key}: found {found}; allowed is {_TYPES[kind]}"
    else:
        allowed_text = error["msg"].replace("Input should be", "it should be")
        code, msg = "LW109", f"{key}: found {found}; {allowed_text}"
    return Finding(code, _cut(msg), "error", *place, path=path, help=hint)


_AT_KEY = {"extra_forbidden", "missing", "name"}
_TYPES = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}


def _key(path: Path) -> str:
    """Return the last key; for an item of a list with the name of the list."""
    if len(path) > 1 and isinstance(path[-1], int):
        return f"{path[-2]}, item {path[-1] + 1}"
    return str(path[-1]) if path else ""


def _cut(message: str) -> str:
    return message if len(message) <= 600 else f"{message[:597]}..."


def _options(expected: str) -> list[str]:
    """Return the words of pydantic's ``'a', 'b' or 'c'``."""
    parts = expected.replace(" or ", ", ").split(", ")
    return [part.strip("'") for part in parts]


def place_of(root: Node | None, path: Path, *, at_key: bool = False) -> Place:
    """Return where a path stands: the value, or the key that leads to it."""
    if root is None:
        return Place("")
    if at_key:
        return root.find(path)
    node = root
    for key in path:
        below = node.child(key)
        if below is None:
            break
        node = below
    return node.place


def spoken(path: Path) -> str:
    """Return a path as it is read aloud: ``stations.weld.failures.jam``."""
    return ".".join(str(key) for key in path) or "the model"


def did_you_mean(name: str, allowed: Collection[str]) -> str:
    """Return ``did you mean "weld"?``, or nothing if no name is near."""
    if len(allowed) > 2000:  # comparing with each would take longer than the rest
        allowed = [a for a in allowed if a[:1].lower() == name[:1].lower()][:2000]
    near = difflib.get_close_matches(name[:200], allowed, n=1)
    if not near:
        folded = {a.lower(): a for a in allowed}
        near = [folded[name.lower()]] if name.lower() in folded else []
    return f'did you mean "{near[0]}"?' if near else ""


def listed(names: Collection[str]) -> str:
    """Return names with commas, at most twelve."""
    shown = list(names)[:12] if len(names) > 25 else list(names)
    more = len(names) - len(shown)
    return (", ".join(shown) or "none") + (f" and {more:,} more" if more else "")


def keys_at(path: Path) -> list[str]:
    """Return the keys that a mapping at this path of a model file can have."""
    found = _classes().get(tuple(_pattern(path)))
    if found is None:
        return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _pattern(path: Path) -> Iterator[str]:
    """Yield the path with ``*`` for every name and number."""
    known = _classes()
    done: tuple[str, ...] = ()
    for key in path:
        is_name = (*done, str(key)) not in known and (*done, "*") in known
        done = (*done, "*" if is_name else str(key))
        yield done[-1]


@functools.cache
def _classes() -> dict[tuple[str, ...], type[BaseModel] | None]:
    """Return the class of the mapping at every path, names and numbers as ``*``."""
    found: dict[tuple[str, ...], type[BaseModel] | None] = {}
    _collect((), ModelFile, found)
    return found


def _collect(
    path: tuple[str, ...],
    kind: Any,
    found: dict[tuple[str, ...], type[BaseModel] | None],
) -> None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if issubclass(kind, Distribution) or len(path) > 12:
            return
        found[path] = kind
        for name, field in kind.model_fields.items():
            _collect((*path, field.alias or name), field.annotation, found)
        return
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple or origin is dict:
        found.setdefault((*path, "*"), None)
        _collect((*path, "*"), arguments[0 if origin is tuple else 1], found)
    elif origin is typing.Annotated:
        _collect(path, arguments[0], found)
    elif origin is not typing.Literal:
        for argument in arguments:
            _collect(path, argument, found)
