"""Templates: parts of a model that are written once and copied, with parameters.

::

    parameters:
      shift: two shifts                 # `$shift` anywhere; a load may set another
    templates:
      cell:
        parameters: {cycle: 12 min, operator: {note: whom it needs}}
        buffers: {rack: {slots: 4}}
        stations:
          mill: {process: $cycle, buffer: rack, people: {load: $operator}}
          wash: {process: 2 min, calendar: $shift}
        route: [mill, wash]
    copies:
      cell-1: {of: cell, with: {operator: smith}}
      cell-2: {of: cell, with: {operator: jones, cycle: 10 min}}
    products:
      flange: {route: [saw, {through: cell-1}, {through: cell-2}]}

`Expansion` makes a plain model of this, on the nodes, before anything else looks at it:
`cell-1.mill` is a station like one that was written so, and stands where the template
says `mill`. A name means a part of the template if there is one, else one outside. The
parts of copies follow those of the model, in the order of the copies.

The work is bounded: copies count as often as they are used, by the values in them, and
there are no circles. All findings are kept and come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from linewright.errors import Finding, ModelError
from linewright.model.explain import did_you_mean, listed
from linewright.model.graphs import find_cycles
from linewright.model.parameters import (
    Filler,
    Scope,
    Setting,
    broken,
    is_name,
    names_in,
)
from linewright.model.pieces import Copied, Piece, called, opened, text_of
from linewright.model.renaming import NAMED, spelled_step
from linewright.model.source import (
    MAX_NODES,
    Node,
    Place,
    Scalar,
    describe,
    items,
)

__all__ = ["KEYS", "Expansion"]

KEYS = ("parameters", "templates", "copies")
"""Keys of a model file that are gone when it is expanded."""

MAX_DEPTH = 20
"""Copies inside copies."""

_COPY_SIZE = 10  # values that a copy counts as beside those in it: it costs time, too

_LISTS = ("transport", "route")
_IN_TEMPLATE = ("parameters", *NAMED, *_LISTS, "copies")
_IN_PARAMETER = ("default", "note")
_IN_COPY = ("of", "with")
_IN_THROUGH = ("through", "as")

GIVEN = Place("<parameters>")
"""Where the values stand that came with the call and not from a file."""


class Expansion:
    """One model on its way from templates to a plain one.

    Attributes:
        findings: What is wrong with parameters, templates and copies.
        is_needed: Whether the model has any; if not, `$` means nothing in it.
    """

    def __init__(self, root: Node, given: Mapping[str, Scalar]) -> None:
        self.findings: list[Finding] = []
        self.is_needed = bool(given) or any(root.child(key) for key in KEYS)
        self._root = root
        self._filler = Filler(self.findings)
        self._note = self._filler.note
        self._room = MAX_NODES
        self._templates: dict[str, Node] = {}
        self._used: dict[str, set[str]] = {}
        self._ways: dict[str, list[Node]] = {}
        declared = self._declared(root.child("parameters"), "parameters")
        self._scope = Scope(declared)
        for name, value in given.items():
            self._give(name, value)

    # ------------------------------------------------------------ what callers ask for

    def model(self) -> Node:
        """Return the nodes of the plain model."""
        if not self.is_needed:
            return self._root
        self._evaluate(self._scope, self._root.keys.get("parameters", GIVEN), "")
        self._read_templates()
        left = {key: n for key, n in items(self._root) if key not in KEYS[:2]}
        body = replace(self._root, value=left)
        self._foresee_room(body)
        piece = self._piece(body, self._scope, ())
        self._ways = piece.ways
        keys = {key: at for key, at in self._root.keys.items() if key not in KEYS}
        at = self._root.keys.get("copies", self._root.place)
        keys |= {key: at for key in piece.parts if key not in keys}
        return Node(piece.parts, self._root.place, keys, piece.size())

    def filled(self, overlay: Node) -> Node:
        """Return what an overlay says of the plain model, parameters put in."""
        if not self.is_needed or not isinstance(overlay.value, dict):
            return overlay
        there = {}
        for part, node in items(overlay):
            left = {key: below for key, below in items(node) if key not in KEYS}
            there[part] = self._filler.filled(replace(node, value=left), self._scope)
        return replace(overlay, value=there)

    def led_through(self, model: Node) -> Node:
        """Return a plain model with the routes through copies that overlays brought."""
        if not self.is_needed or not isinstance(model.value, dict):
            return model
        parts = dict(model.value)
        self._lead_products(Piece(parts, self._ways))
        return replace(model, value=parts)

    def warnings(self) -> list[Finding]:
        """Return what is declared and never used."""
        found: list[tuple[str, Place, str]] = []
        for name in self._unused("", self._root.child("parameters"), self._scope.used):
            at = self._root.child("parameters")
            place = at.keys[name] if at else GIVEN
            found.append(("LW340", place, f'nothing uses the parameter "{name}"'))
        bodies = [self._root, *self._templates.values()]
        copied = {
            text_of(copy.child("of") or copy)
            for body in bodies
            for _, copy in items(body.child("copies"))
        }
        for name, body in self._templates.items():
            declared = body.child("parameters")
            for unused in self._unused(name, declared, self._used.get(name)):
                msg = f'nothing in the template "{name}" uses its parameter "{unused}"'
                found.append(("LW340", declared.keys[unused], msg))  # type: ignore[union-attr]
            if name not in copied and not any("$" in text for text in copied):
                at = self._root.child("templates")
                place = at.keys[name] if at else GIVEN
                msg = f'nothing is a copy of the template "{name}"'
                found.append(("LW341", place, msg))
        return [Finding(code, msg, "warning", *at) for code, at, msg in found]

    # ------------------------------------------------------------ parameters

    def _declared(self, node: Node | None, what: str) -> dict[str, Setting]:
        """Return the parameters that a model or template declares."""
        if node is None or not self._is_mapping(node, what):
            return {}
        declared: dict[str, Setting] = {}
        for name, value in items(node):
            at = node.keys[name]
            if not is_name(name):
                msg = f'"{name}" cannot name a parameter; allowed are letters, digits, '
                self._note(at, "LW109", msg + "_ and -, a letter first")
            default: Node | None = value
            if isinstance(value.value, dict):
                self._has_keys(value, f"{what}.{name}", _IN_PARAMETER)
                default = value.child("default")
                if default is None and not value.keys.keys() <= set(_IN_PARAMETER):
                    default = broken(value.place)  # it may be what was misspelled
            declared[name] = Setting(None if _is_nothing(default) else default)
        return declared

    def _give(self, name: str, value: Scalar) -> None:
        """Set a parameter of the model from outside."""
        if name not in self._scope.settings:
            there = self._scope.settings
            msg = f'there is no parameter "{name}"; there are {listed(there)}'
            self._note(GIVEN, "LW251", msg, did_you_mean(name, there))
            return
        self._scope.settings[name] = Setting(Node(value, GIVEN), level=0)

    def _evaluate(self, scope: Scope, place: Place, copy: str) -> None:
        """Find out the values of all parameters, and note those that have none."""
        missing = [name for name, s in scope.settings.items() if s.node is None]
        for name in scope.settings:
            self._filler.value_in(scope, name)
        if missing and copy:
            msg = f'"{copy}" says no {listed(missing)}, of {scope.where}'
            hint = f"add with: {{{missing[0]}: ...}}"
            self._note(place, "LW252", msg, hint)
        for name in missing if not copy else ():
            declared = self._root.child("parameters")
            at = declared.keys[name] if declared else place
            msg = f'the parameter "{name}" has no value'
            hint = f"give it a default, or load the model with --set {name}=..."
            self._note(at, "LW252", msg, hint)

    def _unused(
        self, template: str, declared: Node | None, used: set[str] | None
    ) -> list[str]:
        """Return the parameters that nothing mentions, of what is used at all."""
        if used is None:
            return []
        nodes = [below.child("default") or below for _, below in items(declared)]
        mentioned = {name for node in nodes for name in names_in(node)}
        return [name for name, _ in items(declared) if name not in used | mentioned]

    # ------------------------------------------------------------ templates

    def _read_templates(self) -> None:
        """Take the templates of the model, without those that cannot be used."""
        node = self._root.child("templates")
        if node is None or not self._is_mapping(node, "templates"):
            return
        for name, body in items(node):
            if self._has_keys(body, f"templates.{name}", _IN_TEMPLATE):
                self._templates[name] = self._sound(body, f"templates.{name}")
        edges: dict[str, list[str]] = {}
        for name, body in self._templates.items():
            inner = [
                copy.child("of") or copy for _, copy in items(body.child("copies"))
            ]
            known = [text_of(of) for of in inner if text_of(of) in self._templates]
            edges[name] = known
        for circle in find_cycles(edges):
            self._circle(circle, node.keys[circle[0]])
        for name, body in self._templates.items():
            self._try_defaults(name, body)

    def _sound(self, body: Node, where: str) -> Node:
        """Return a template without the sections that have no form."""
        there: dict[str, Node] = {}
        for key, node in items(body):
            if _is_nothing(node) or key not in _IN_TEMPLATE:
                continue
            is_list = key in _LISTS and isinstance(node.value, list)
            if is_list or (key not in _LISTS and isinstance(node.value, dict)):
                there[key] = node
                continue
            allowed = "a list" if key in _LISTS else "a mapping"
            msg = f"{where}.{key}: found {describe(node.plain())}; allowed is {allowed}"
            self._note(node.place, "LW108", msg)
        return replace(body, value=there)

    def _circle(self, names: list[str], place: Place) -> None:
        way = " -> ".join([*names, names[0]])
        msg = f"templates are made of each other in a circle: {way}"
        self._note(place, "LW255", msg)

    def _try_defaults(self, name: str, body: Node) -> None:
        """Find what is wrong with defaults, be there a copy or not."""
        settings = self._declared(body.child("parameters"), "parameters")
        scope = Scope(settings, f'the template "{name}"', 1, self._scope)
        for parameter in settings:
            self._filler.value_in(scope, parameter)

    # ------------------------------------------------------------ copies

    def _piece(self, body: Node, scope: Scope, chain: tuple[str, ...]) -> Piece:
        """Return a model or template with its values, copies and routes put in."""
        skipped = {"parameters", "schema_version"}
        there = {
            key: node if key in skipped else self._filler.filled(node, scope)
            for key, node in items(body)
        }
        parts = {
            key: opened(node)
            for key, node in there.items()
            if key not in {"copies", "parameters"}
        }
        piece = Piece(parts)
        copies = there.get("copies")
        if copies is not None and self._is_mapping(copies, "copies"):
            at = body.keys["copies"]
            for name, copy in items(copies):
                self._add(piece, name, copy, copies.keys.get(name, at), scope, chain)
        self._lead_products(piece, is_copied=bool(chain))
        if chain:
            route = parts.pop("route", None)
            steps = route.value if route and isinstance(route.value, list) else None
            if steps is not None:
                led = self._led(steps, piece.ways)
                piece.ways[""] = [spelled_step(step) for step in led]
        piece.close()
        return piece

    def _add(
        self,
        piece: Piece,
        name: str,
        copy: Node,
        place: Place,
        scope: Scope,
        chain: tuple[str, ...],
    ) -> None:
        """Add a copy of a template to a piece, under its own names."""
        self._take_room(_COPY_SIZE, place)
        template = self._template_of(name, copy, chain)
        if template is None:
            piece.ways[name] = []  # what leads through it is no second mistake
            return
        body = self._templates[template]
        inner_scope = self._inner_scope(name, copy, place, template, scope)
        inner = self._piece(body, inner_scope, (*chain, template))
        self._used.setdefault(template, set()).update(inner_scope.used)
        self._take_room(inner.size(), place)
        at = Copied(place, inner_scope.level)
        for clash in piece.add(inner, name, template, at):
            msg = f'the copy "{name}" brings "{clash}", and there is one already'
            self._note(place, "LW256", msg, "rename one of them")

    def _foresee_room(self, body: Node) -> None:
        """Refuse copies of copies that are too many before any of them is made."""
        least: dict[str, int] = {}

        def at_least(copy: Node, depth: int = 0) -> int:
            name = text_of(copy.child("of") or copy)
            template = self._templates.get(name)
            if template is not None and name not in least and depth < MAX_DEPTH:
                least[name] = 0  # what is made of itself is told elsewhere
                inner = items(template.child("copies"))
                least[name] = sum(at_least(below, depth + 1) for _, below in inner)
            return _COPY_SIZE + least.get(name, 0)

        copies = body.child("copies")
        n_values = 0
        for name, copy in items(copies):
            n_values += at_least(copy)
            if n_values > self._room and copies is not None:
                self._take_room(n_values, copies.keys.get(name, copies.place))

    def _take_room(self, size: int, place: Place) -> None:
        self._room -= size
        if self._room < 0:
            msg = f"with all copies the model holds more than {MAX_NODES:,} values"
            finding = Finding("LW258", msg, "error", *place)
            raise ModelError([*self.findings, finding])

    def _template_of(self, name: str, copy: Node, chain: tuple[str, ...]) -> str | None:
        """Return the template of a copy, or nothing if it cannot be copied."""
        of = self._named_by(name, copy)
        if of is None:
            return None
        template = text_of(of)
        if template not in self._templates:
            declared = [key for key, _ in items(self._root.child("templates"))]
            if template not in declared:  # else it was said what is wrong with it
                msg = f'"{template}" is not a template; there are {listed(declared)}'
                self._note(of.place, "LW254", msg, did_you_mean(template, declared))
            return None
        if template in chain:
            if not any(finding.code == "LW255" for finding in self.findings):
                self._circle(list(chain[chain.index(template) :]), of.place)
            return None
        if len(chain) >= MAX_DEPTH:
            msg = f"copies are nested more than {MAX_DEPTH} deep"
            self._note(of.place, "LW258", msg)
            return None
        return template

    def _named_by(self, name: str, copy: Node) -> Node | None:
        """Return the node that names the template of a copy, if it is a name."""
        of: Node | None = copy
        if isinstance(copy.value, dict):
            self._has_keys(copy, f"copies.{name}", _IN_COPY)
            of = copy.child("of")
            if of is None:
                msg = f'the key "of" is missing in copies.{name}'
                self._note(copy.place, "LW107", msg)
        if of is None or (of.origin and of.origin.is_broken):
            return None
        if isinstance(of.value, str):
            return of
        msg = f"copies.{name}: found {describe(of.plain())}; "
        self._note(of.place, "LW108", msg + "allowed is the name of a template")
        return None

    def _inner_scope(
        self, name: str, copy: Node, place: Place, template: str, scope: Scope
    ) -> Scope:
        """Return the parameters of a template with the values of one copy."""
        declared = self._templates[template].child("parameters")
        settings = self._declared(declared, f"templates.{template}.parameters")
        where, there = f'the template "{template}"', list(settings)
        given = copy.child("with")
        if given is not None and not _is_nothing(given):
            self._is_mapping(given, f"copies.{name}.with")
        for key, value in items(given):
            if key not in settings:
                msg = (
                    f'"{key}" is not a parameter of {where}; there are {listed(there)}'
                )
                at = given.keys[key] if given else place
                self._note(at, "LW251", msg, did_you_mean(key, there))
            elif not _is_nothing(value):
                settings[key] = Setting(value, level=scope.level)
        inner = Scope(settings, where, scope.level + 1, self._scope)
        self._evaluate(inner, place, name)
        return inner

    # ------------------------------------------------------------ routes

    def _lead_products(self, piece: Piece, *, is_copied: bool = False) -> None:
        """Lead the routes of all products of a piece through its copies."""
        products = piece.parts.get("products")
        there = dict(items(products))
        is_same = True
        for name, product in there.items():
            route = product.child("route")
            if route is None or not isinstance(route.value, list):
                continue
            is_led = any(step.child("through") for step in route.value)
            if not (is_led or is_copied):
                continue
            steps = self._led(route.value, piece.ways)
            if is_copied:
                steps = [spelled_step(step) for step in steps]
            size = 1 + sum(step.size for step in steps)
            led = Node(steps, route.place, size=size)
            fields = {**dict(items(product)), "route": led}
            there[name], is_same = replace(product, value=fields), False
        if products is not None and not is_same:
            piece.parts["products"] = replace(products, value=there)

    def _led(self, steps: list[Node], ways: Mapping[str, list[Node]]) -> list[Node]:
        """Return the steps of a route, those through a copy with its own instead."""
        done: list[Node] = []
        for step in steps:
            through = step.child("through")
            if through is None:
                done.append(step)
                continue
            self._has_keys(step, "a step through a copy", _IN_THROUGH)
            if through.origin and through.origin.is_broken:
                continue
            way = ways.get(text_of(through))
            if way is None:
                msg = (
                    f"through: found {describe(through.plain())}, which is not a copy "
                )
                msg += f"with a route; there are {listed(list(ways))}"
                hint = did_you_mean(text_of(through), list(ways))
                self._note(through.place, "LW257", msg, hint)
                continue
            self._take_room(sum(one.size for one in way), step.place)
            done += called(way, text_of(through), self._other_name(step))
        return done

    def _other_name(self, step: Node) -> str:
        """Return what a step through a copy is called, if it is not as the copy."""
        other = step.child("as")
        if other is None or (other.origin and other.origin.is_broken):
            return ""
        if not text_of(other):
            msg = f"as: found {describe(other.plain())}; allowed is a name"
            self._note(other.place, "LW108", msg)
        return text_of(other)

    # ------------------------------------------------------------ forms

    def _is_mapping(self, node: Node, what: str) -> bool:
        if isinstance(node.value, dict):
            return True
        if not (node.origin and node.origin.is_broken):
            msg = f"{what}: found {describe(node.plain())}; allowed is a mapping"
            self._note(node.place, "LW108", msg)
        return False

    def _has_keys(self, node: Node, what: str, allowed: tuple[str, ...]) -> bool:
        """Say whether a node is a mapping, and note keys that it may not have."""
        if not self._is_mapping(node, what):
            return False
        for key, place in node.keys.items():
            if key not in allowed:
                msg = f'unknown key "{key}" in {what}; allowed are {listed(allowed)}'
                self._note(place, "LW106", msg, did_you_mean(key, allowed))
        return True


def _is_nothing(node: Node | None) -> bool:
    return node is None or node.value is None
