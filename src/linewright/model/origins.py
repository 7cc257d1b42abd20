"""Findings about a copy of a template, or a parameter, say which.

The place of such a finding is where the text stands, in the template or where the
parameter is used. What is missing then is the copy in which it is wrong, and the value
with the place where it was set. What was said already is not said again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from linewright.errors import Finding
from linewright.model.source import Key, Node, Used, describe

__all__ = ["with_origins"]

_SMALL = 12
"""Values of which each may be to blame for what is said of the whole."""


def with_origins(findings: Iterable[Finding], root: Node) -> list[Finding]:
    """Return findings with their copies and parameters, once for all equal copies."""
    groups: dict[object, list[tuple[Finding, str, str]]] = {}
    for i, finding in enumerate(findings):
        way = list(_way(root, finding.path))
        blamed = list(_blamed(way, finding.path))
        if any(node.origin and node.origin.is_broken for node in (*way, *blamed)):
            continue
        copy, template = _copy_of(way)
        found = _with_values(finding, blamed)
        key = _in_template(found, copy) if copy else i
        groups.setdefault(key, []).append((found, copy, template))
    return [_merged(group) for group in groups.values()]


def _in_template(finding: Finding, copy: str) -> object:
    """Return what a finding says of the template, whichever copy it is about.

    Names that are allowed, which follow a semicolon, are those of one copy; values of
    parameters are not.
    """
    first, _, rest = finding.message.replace(f"{copy}.", "").partition("; ")
    values = rest[rest.find("$") :] if "$" in rest else ""
    at = (finding.file, finding.line, finding.column)
    return finding.code, *at, first, values


def _way(root: Node, path: tuple[Key, ...]) -> Iterator[Node]:
    """Yield the nodes along a path, as far as it leads."""
    node: Node | None = root
    for key in (*path, None):
        if node is None:
            return
        yield node
        node = node.child(key) if key is not None else None


def _blamed(way: list[Node], path: tuple[Key, ...]) -> Iterator[Node]:
    """Yield the nodes whose values may be to blame: the last, or what is in it."""
    last = way[-1]
    yield last
    if len(way) == len(path) + 1 and last.size <= _SMALL:
        yield from _below(last)


def _below(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict | list):
        inner = node.value.values() if isinstance(node.value, dict) else node.value
        for below in inner:
            yield below
            yield from _below(below)


def _copy_of(way: list[Node]) -> tuple[str, str]:
    for node in reversed(way):
        if node.origin and node.origin.copy:
            return node.origin.copy, node.origin.template
    return "", ""


def _with_values(finding: Finding, nodes: list[Node]) -> Finding:
    """Return a finding that says which parameters have a part in it."""
    used = dict.fromkeys(
        one for node in nodes if node.origin for one in node.origin.parameters
    )
    message = finding.message + "".join(f"; {_said(one)}" for one in list(used)[:3])
    return replace(finding, message=message)


def _said(used: Used) -> str:
    text = f"${used.name} is {describe(used.value)}"
    if not used.place.line:
        return f"{text}, as given"
    return f"{text}, from {':'.join(map(str, used.place))}"


def _merged(group: list[tuple[Finding, str, str]]) -> Finding:
    finding, copy, template = group[0]
    if not copy:
        return finding
    more = f" and {len(group) - 1:,} more" if len(group) > 1 else ""
    where = f'in "{copy}"{more}, copied from "{template}"'
    return replace(finding, message=f"{finding.message} ({where})")
