"""Overlays: a scenario is a small file that changes named parts of a base model.

::

    base: plant.yaml            # optional: makes the overlay a model of its own
    changes:
      stations:
        cure oven: {servers: 3}           # one key changes, the rest stays
        old press: null                   # taken out
      products:
        trainer:
          route:
            inspect: {process: 9 min}     # an operation, by its name
            polish: null
    add:
      stations:
        tester: {process: 4 min}
      products:
        trainer:
          route:
            leak test: {after: inspect, station: tester}

Under `changes` mappings merge, key by key; lists, times and other values are replaced;
``null`` takes out. A thing with a name (station, product, operation...) that `changes`
names must be there, one that `add` names must not, so a slip of the pen is an error and
not a new station. An operation is added `after` or `before` another, else at the end.
Positions stay: what an overlay says is found in the overlay. `overlay_version: 1` may
stand at the top and is the default.

A model with templates takes overlays in two goes: first what all of them say about its
parameters, templates and copies, then, on the expanded model, the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from linewright.errors import Finding, ModelError
from linewright.model.distribution import KINDS
from linewright.model.explain import did_you_mean, listed
from linewright.model.source import Node, Place, describe, items

__all__ = ["OVERLAY_VERSION", "apply", "base_of", "form_of", "is_overlay"]

OVERLAY_VERSION = 1

Path = tuple[str, ...]

_PARTS = ("changes", "add")
_KEYS = ("overlay_version", "base", *_PARTS)

_NAMED: dict[Path, str] = {
    ("stations",): "station",
    ("products",): "product",
    ("buffers",): "buffer",
    ("calendars",): "calendar",
    ("targets",): "target",
    ("demand",): "scenario",
    ("planning", "lead_times"): "lead time of",
    ("planning", "overtime", "calendars"): "overtime by",
    ("planning", "overtime", "stations"): "overtime of",
    ("parameters",): "parameter",
    ("templates",): "template",
    ("copies",): "copy",
    ("route",): "operation",  # that of a template
    ("stations", "*", "failures"): "failure",
    ("stations", "*", "maintenance"): "maintenance",
    ("products", "*", "bom"): "component",
    ("products", "*", "route"): "operation",
}
"""Mappings of named things, and what one thing in them is called."""

_ROUTES = {("route",), ("products", "*", "route")}
_SHORT = {
    ("parameters", "*"): ("default",),
    ("copies", "*"): ("of",),
    ("products", "*", "bom", "*"): ("quantity",),
    ("products", "*", "release"): ("kind",),
    ("products", "*", "route", "*"): ("operation", "station"),
    ("route", "*"): ("operation", "station"),
}
"""Nouns that can be written as one word, and the keys that the word stands for."""


def is_overlay(root: Node) -> bool:
    """Say whether a file is an overlay and not a model.

    A model has a key `changes`, too, and may lack its version.
    """
    there = root.keys.keys()
    if "schema_version" in there or there.isdisjoint(_KEYS):
        return False
    is_alone = there & set(_KEYS) == {"changes"}
    return not is_alone or there.isdisjoint({"stations", "products"})


def base_of(root: Node) -> tuple[str, Place]:
    """Return the base model that an overlay names, and where it does.

    Raises:
        ModelError: It names none.
    """
    node = root.child("base")
    if node is None or not isinstance(node.value, str):
        msg = "this is an overlay without a base model"
        hint = "add base: plant.yaml, or give it together with a model"
        raise ModelError([Finding("LW121", msg, "error", *root.place, help=hint)])
    return node.value, node.place


def form_of(overlay: Node) -> tuple[bool, list[Finding]]:
    """Return whether an overlay can be laid over a model, and what is wrong with it."""
    findings: list[Finding] = []
    if not _is_readable(overlay, findings):
        return False, findings
    for key, place in overlay.keys.items():
        if key not in _KEYS:
            msg = f'unknown key "{key}" in an overlay; allowed are {listed(_KEYS)}'
            _note(findings, place, "LW106", msg, did_you_mean(key, _KEYS))
    for part in _PARTS:
        node = overlay.child(part)
        if node is not None and not isinstance(node.value, dict | None):
            msg = f"{part}: found {describe(node.plain())}; allowed is a mapping"
            _note(findings, node.place, "LW108", msg)
    return True, findings


def apply(
    base: Node, overlay: Node, is_wanted: Callable[[str], bool] = lambda key: True
) -> tuple[Node, list[Finding]]:
    """Return a model with an overlay laid over it, and what cannot be.

    Args:
        base: Nodes of a model; they are not changed.
        overlay: Nodes of an overlay file.
        is_wanted: Which top-level keys of a model to change; the others stay.
    """
    findings: list[Finding] = []
    for part in _PARTS:
        node = overlay.child(part)
        there = {key: below for key, below in items(node) if is_wanted(key)}
        if node is not None and there and isinstance(base.value, dict):
            changes = Node(there, node.place, node.keys)
            base = _Merge(part == "add", findings).mapping(base, changes, ())
    return base, findings


def _note(
    findings: list[Finding], place: Place, code: str, message: str, hint: str = ""
) -> None:
    findings.append(Finding(code, message, "error", *place, help=hint))


def _is_readable(overlay: Node, findings: list[Finding]) -> bool:
    if not is_overlay(overlay):
        msg = f"this is not an overlay; allowed keys are {listed(_KEYS)}"
        _note(findings, overlay.place, "LW121", msg)
        return False
    version = overlay.child("overlay_version") or Node(OVERLAY_VERSION, overlay.place)
    if version.value != OVERLAY_VERSION or type(version.value) is not int:
        msg = f"overlay_version: found {describe(version.plain())}; "
        msg += f"this version of Linewright reads {OVERLAY_VERSION}"
        _note(findings, version.place, "LW105", msg)
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Merge:
    """Lays changes (or additions) over nodes without changing them."""

    is_add: bool
    findings: list[Finding]

    def mapping(self, base: Node, over: Node, path: Path) -> Node:
        """Return a mapping with a mapping of changes laid over it."""
        there = dict(base.value) if isinstance(base.value, dict) else {}
        keys = dict(base.keys)
        for key, node in items(over):
            place, below = over.keys[key], (*path, "*" if _noun(path) else key)
            was = there.get(key)
            if not self._has_target(key, was, node, over, path, list(there)):
                continue
            if node.value is None and was is not None:
                del there[key], keys[key]
                continue
            there[key] = self._laid(was, node, below)
            if was is None or there[key] is node:
                keys[key] = place
        size = 1 + sum(node.size for node in there.values())
        return Node(there, base.place, keys, size, base.origin)

    def route(self, base: Node, over: Node, path: Path) -> Node:
        """Return a list of steps with changes by operation laid over it."""
        steps = list(base.value) if isinstance(base.value, list) else []
        for name, node in items(over):
            names = [_operation(step) for step in steps]
            was = steps[names.index(name)] if name in names else None
            if not self._has_target(name, was, node, over, path, names):
                continue
            if was is None:
                at = self._place_for(node, names)
                steps.insert(at, _named_step(name, node, over.keys[name]))
            elif node.value is None:
                steps.remove(was)
            else:
                steps[names.index(name)] = self._laid(was, node, (*path, "*"))
        return Node(steps, base.place, size=1 + sum(step.size for step in steps))

    def _laid(self, was: Node | None, node: Node, path: Path) -> Node:
        if not isinstance(node.value, dict) or _is_distribution(node):
            return node
        if _inside(path) in _ROUTES:
            return self.route(was or Node([], node.place), node, path)
        if was is None and not _noun(path):
            return node
        was = _spelled_out(was, path) if was else Node({}, node.place)
        if not isinstance(was.value, dict) or _is_distribution(was):
            return node
        return self.mapping(was, node, path)

    def _has_target(
        self,
        key: str,
        was: Node | None,
        node: Node,
        over: Node,
        path: Path,
        there: list[str],
    ) -> bool:
        """Say whether a change has its target, and note it where it has not."""
        noun, place = _noun(path) or "key", over.keys[key]
        if self.is_add:
            is_free = was is None or isinstance(node.value, dict)
            if not is_free:
                msg = f'the {noun} "{key}" is there already'
                _note(self.findings, place, "LW120", msg, "say it under changes")
            return is_free
        if was is not None or (not _noun(path) and node.value is not None):
            return True
        msg = f'there is no {noun} "{key}" to change; there are {listed(there)}'
        hint = did_you_mean(key, there) or "a new one goes under add"
        _note(self.findings, place, "LW120", msg, hint)
        return False

    def _place_for(self, node: Node, names: list[str]) -> int:
        """Return where in the route a new step goes."""
        for key, offset in (("before", 0), ("after", 1)):
            target = node.child(key)
            if target is None:
                continue
            if target.value in names:
                return names.index(str(target.value)) + offset
            found = describe(target.plain())
            msg = f"{key}: there is no operation {found}; there are {listed(names)}"
            hint = did_you_mean(str(target.value), names)
            _note(self.findings, target.place, "LW120", msg, hint)
        return len(names)


def _inside(path: Path) -> Path:
    """Return a path in a template as if its top were that of the model."""
    return path[2:] if path[:1] == ("templates",) and len(path) > 2 else path


def _noun(path: Path) -> str:
    """Return what one thing in a mapping is called, if the things there have names."""
    return _NAMED.get(_inside(path), "")


def _is_distribution(node: Node) -> bool:
    return any(key in KINDS for key in node.keys) and len(node.keys) == 1


def _spelled_out(node: Node, path: Path) -> Node:
    """Return a noun that is written as one word as the mapping it stands for."""
    path = _inside(path)
    if path not in _SHORT or isinstance(node.value, dict):
        return node
    keys, place = dict.fromkeys(_SHORT[path], node), node.place
    places = dict.fromkeys(keys, place)
    return Node(dict(keys), place, places, origin=node.origin)


def _operation(step: Node) -> str:
    for key in ("operation", "station", "as", "through"):
        node = step.child(key)
        if node is not None and isinstance(node.value, str) and node.value:
            return node.value
    return step.value if isinstance(step.value, str) else ""


def _named_step(name: str, node: Node, place: Place) -> Node:
    """Return an added step with its name in it and without its neighbor."""
    if not isinstance(node.value, dict):
        return node
    drop = {"after", "before"}
    fields = {key: below for key, below in node.value.items() if key not in drop}
    keys = {key: at for key, at in node.keys.items() if key not in drop}
    what = "as" if "through" in fields else "operation"
    fields.setdefault(what, Node(name, place))
    keys.setdefault(what, place)
    return Node(fields, node.place, keys, node.size)
