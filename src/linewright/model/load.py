"""YAML text to `Line` and back; every value keeps its file, line and column.

`read` is the whole way: text → nodes (`source`), overlays laid over them (`overlay`),
parameters put in and templates copied (`templates`), files that the model names read in
(`files`), pydantic for the form, its errors turned into findings (`explain`) that tell
which copy and which parameter they are about (`origins`). All findings come at once.
Whether the model makes sense is the business of `check`.

Overlays change parameters, templates and copies first; then the values that the caller
gives are set, the model is expanded, and overlays change the plain model that this
gives. So an overlay can name a part of one copy.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from linewright.errors import Finding, ModelError
from linewright.model.explain import (
    did_you_mean,
    explain,
    keys_at,
    listed,
    place_of,
)
from linewright.model.files import Folder, Row
from linewright.model.line import SCHEMA_VERSION, Line
from linewright.model.meaning import rules_of
from linewright.model.origins import with_origins
from linewright.model.overlay import (
    OVERLAY_VERSION,
    apply,
    base_of,
    form_of,
    is_overlay,
)
from linewright.model.source import (
    Node,
    Place,
    Scalar,
    describe,
    parse,
    read_text,
    scalar,
)
from linewright.model.templates import KEYS, Expansion

__all__ = [
    "Loaded",
    "Variants",
    "dumps",
    "dumps_plain",
    "load",
    "loads",
    "model_hash",
    "plain",
    "read",
    "save",
]

MAX_BASES = 10


@dataclass(frozen=True, slots=True)
class Loaded:
    """A line and the nodes that know where each of its values stands.

    Attributes:
        line: The line, all templates copied.
        positions: Where its values stand.
        warnings: What the file declares and never uses.
    """

    line: Line
    positions: Node
    warnings: tuple[Finding, ...] = ()


def load(
    path: str | os.PathLike[str],
    overlays: Iterable[str | os.PathLike[str]] = (),
    parameters: Mapping[str, Scalar] | None = None,
) -> Line:
    """Return the line in a model file.

    Args:
        path: A model in YAML or JSON, or an overlay that names its `base`.
        overlays: Overlay files, laid over the model in this order.
        parameters: Values of parameters of the model, instead of its own and those of
            overlays; as in the file, `"12 min"` or `4`.

    Raises:
        ModelError: A file cannot be read or breaks the form of a model; the error
            carries every finding.
    """
    return read(path, overlays, parameters).line


def loads(
    text: str,
    file: str = "<text>",
    folder: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, Scalar] | None = None,
) -> Line:
    """Return the line in a text.

    Args:
        text: A model in YAML or JSON.
        file: Name that findings show.
        folder: Folder of the files that the model names; none: it may name none.
        parameters: Values of parameters of the model, instead of its own.

    Raises:
        ModelError: The text breaks the form of a model.
    """
    where = Folder(Path(folder) if folder else None)
    return _expanded(*parse(text, file), [], parameters, where).line


def read(
    path: str | os.PathLike[str],
    overlays: Iterable[str | os.PathLike[str]] = (),
    parameters: Mapping[str, Scalar] | None = None,
) -> Loaded:
    """Return the line in a model file with its positions; else as `load`."""
    file, layers = os.fspath(path), [parse_file(overlay) for overlay in overlays]
    root, findings = parse_file(file)
    folder = Path(file).parent
    while is_overlay(root):
        layers.insert(0, (root, findings))
        if len(layers) > MAX_BASES:
            msg = "the chain of base models is too long, or leads back to itself"
            raise ModelError([Finding("LW121", msg, "error", *root.place)])
        file = _base_file(root, folder)
        root, findings = parse_file(file)
        folder = Path(file).parent
    readable = []
    for layer, more in layers:
        is_readable, found = form_of(layer)
        findings = [*findings, *more, *found]
        readable += [layer] if is_readable else []
    return _expanded(root, findings, readable, parameters, Folder(folder))


def _expanded(
    root: Node,
    findings: list[Finding],
    overlays: list[Node],
    parameters: Mapping[str, Scalar] | None,
    folder: Folder,
) -> Loaded:
    """Lay overlays over a model, expand it, and return the line."""
    findings = list(findings)
    for layer in overlays:
        root, found = apply(root, layer, lambda key: key in KEYS)
        findings += found
    expansion = Expansion(root, parameters or {})
    root = expansion.model()
    for layer in overlays:
        changes = expansion.filled(layer)
        root, found = apply(root, changes, lambda key: key not in KEYS)
        findings += found
        root = expansion.led_through(root)
    wrong = sorted(expansion.findings, key=lambda f: (f.file, f.line, f.column))
    loaded = _validated(root, [*findings, *wrong], folder)
    return replace(loaded, warnings=tuple(expansion.warnings()))


class Variants:
    """A line and what it becomes with changes laid over it, any number of them.

    Args:
        line: The line that is changed; what it read from other files is part of it.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self._root, _ = parse(json.dumps(plain(line)), "<model>")

    def changed(self, *changes: Mapping[str, Any] | Node) -> Line:
        """Return the line with changes laid over it, one after the other.

        Args:
            changes: Each as under `changes` in an overlay file; nodes know where they
                stand, and errors say it.

        Raises:
            ModelError: A change names what is not there, or breaks the model's form.
        """
        layers, findings = [], []
        for change in changes:
            node = change
            if not isinstance(node, Node):
                node, _ = parse(json.dumps(change), "<change>")
            there = {
                "overlay_version": Node(OVERLAY_VERSION, node.place),
                "changes": node,
            }
            layer = Node(there, node.place, dict.fromkeys(there, node.place))
            findings += form_of(layer)[1]
            layers.append(layer)
        return _expanded(self._root, findings, layers, None, Folder(None)).line


def parse_file(path: str | os.PathLike[str]) -> tuple[Node, list[Finding]]:
    """Return the nodes of a file and what is wrong with its form."""
    name = os.fspath(path)
    return parse(read_text(Path(path), name), name)


def _base_file(root: Node, folder: Path) -> str:
    base, place = base_of(root)
    try:
        Folder(folder).inside(base)
    except ValueError as error:
        raise ModelError([Finding("LW121", str(error), "error", *place)]) from error
    return os.fspath(folder / base)


def _validated(root: Node, findings: list[Finding], folder: Folder) -> Loaded:
    if not isinstance(root.value, dict):
        msg = f"a model is a mapping of keys, found {describe(root.plain())}"
        raise ModelError([*findings, Finding("LW102", msg, "error", *root.place)])
    version = _version(root.value, root)
    if version and "schema_version" in root.value:  # nothing else can be trusted
        raise ModelError([*findings, *version])
    findings = [*findings, *version, *_read_rows(root.value, folder)]
    try:
        line = Line.model_validate(
            root.plain(), context=folder, by_alias=True, by_name=False
        )
    except ValidationError as error:
        form = explain(error.errors(include_url=False), root)
        form = [f for f in form if f.path != ("schema_version",)]  # the same, worse
        if findings:  # a copy that could not be made brings no stations
            form = [f for f in form if f.code != "LW107" or len(f.path) > 1]
        shown = with_origins(form, root)
        raise ModelError([*findings, *shown] or form) from None
    if findings:
        raise ModelError(findings)
    _place_rules(line, root, folder)
    return Loaded(line, root)


def _place_rules(line: Line, root: Node, folder: Folder) -> None:
    """Let the rules of one's own know where they stand: their errors come later."""
    for path, rule in rules_of(line):
        file, row, column = place_of(root, (*path, "python"))
        beside = rule.file
        if rule.file and folder.path is not None:
            beside = os.fspath(folder.path / rule.file)
        rule.stands_at(f"{file}:{row}:{column}", beside)


def _version(keys: dict[str, Node], root: Node) -> list[Finding]:
    node = keys.get("schema_version")
    if node is None:
        msg = "schema_version is missing"
        hint = f"add schema_version: {SCHEMA_VERSION}"
        return [Finding("LW105", msg, "error", *root.place, help=hint)]
    found = node.value
    if found == SCHEMA_VERSION and type(found) is int:
        return []
    msg = f"schema_version: found {describe(node.plain())}; this version of Linewright "
    msg += f"reads {SCHEMA_VERSION}"
    hint = ""
    if isinstance(found, int) and found > SCHEMA_VERSION:
        hint = "the model was written for a later one; upgrade Linewright"
    path = ("schema_version",)
    return [Finding("LW105", msg, "error", *node.place, path=path, help=hint)]


def _read_rows(keys: dict[str, Node], folder: Folder) -> list[Finding]:
    """Put the orders, and the units in process, of a file in the place of its name."""
    return [found for key in _COLUMNS for found in _read_file(keys, key, folder)]


def _read_file(keys: dict[str, Node], key: str, folder: Folder) -> list[Finding]:
    named = keys.get(key)
    if not named or not isinstance(named.value, dict) or set(named.keys) != {"file"}:
        return []
    node = named.value["file"]
    if not isinstance(node.value, str):
        return []
    try:
        rows = list(folder.rows(node.value))
        read = Node([], Place(_beside(node.place.file, node.value), 1, 1))
        read.value = [_cells(row, key, read.place.file) for row in rows]
    except ValueError as error:
        keys[key] = Node([], named.place)
        path = (key, "file")
        return [Finding("LW110", str(error), "error", *node.place, path=path)]
    keys[key] = read
    return _columns(rows, key, read.place)


def _beside(model: str, name: str) -> str:
    return os.fspath(Path(model).parent / name)


def _cells(row: Row, key: str, file: str) -> Node:
    place = Place(file, row.number, 1)
    cells = {name: text.strip() for name, text in row.cells.items() if text.strip()}
    fields = {
        name: Node(scalar(text) if name in {"quantity", "priority"} else text, place)
        for name, text in cells.items()
        if name in _COLUMNS[key]
    }
    return Node(dict(fields), place, dict.fromkeys(fields, place))


_COLUMNS = {key: keys_at((key, 0)) for key in ("orders", "in_process")}


def _columns(rows: list[Row], key: str, place: Place) -> list[Finding]:
    """Return a finding for each unknown column, once and not for every row."""
    return [
        Finding(
            "LW110",
            f'unknown column "{name}"; columns are {listed(_COLUMNS[key])}',
            "error",
            *place,
            help=did_you_mean(name, _COLUMNS[key]),
        )
        for name in (rows[0].cells if rows else ())
        if name not in _COLUMNS[key]
    ]


# ---------------------------------------------------------------- back to text


def dumps(line: Line) -> str:
    """Return a line as the YAML text of a model file, without what is the default.

    What came from other files (orders, units, samples) is written out, so that the text
    stands alone: ``loads(dumps(line))`` is the same line.
    """
    return dumps_plain(plain(line))


def dumps_plain(data: dict[str, Any]) -> str:
    """Return the keys and values of a model file as its text."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 88
    stream = io.StringIO()
    yaml.dump(_styled(data, depth=0), stream)
    return stream.getvalue()


def plain(line: Line) -> dict[str, Any]:
    """Return a line as the keys and values of a model file; else as `dumps`."""
    data = line.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for product in data["products"].values():
        if "route_of" in product:
            product.pop("route", None)  # it is that of the other, and read from there
    return {"schema_version": line.schema_version, **data}


def _styled(value: Any, depth: int) -> Any:
    """Return the value with short inner mappings and lists set in one line."""
    if isinstance(value, dict):
        styled = ((_quoted(k), _styled(v, depth + 1)) for k, v in value.items())
        mapping = CommentedMap(styled)
        if depth > 1 and _is_short(value.values(), value):
            mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_styled(v, depth + 1) for v in value)
        if _is_short(value, value):
            sequence.fa.set_flow_style()
        return sequence
    return _quoted(value)


def _quoted(value: Any) -> Any:
    """Return a text in quotes that would be read as a key's mark inside of { }."""
    if isinstance(value, str) and value.startswith("?"):
        return DoubleQuotedScalarString(value)
    return value


def _is_short(values: Iterable[Any], whole: object) -> bool:
    return len(str(whole)) < 72 and not any(isinstance(v, dict | list) for v in values)


def save(line: Line, path: str | os.PathLike[str]) -> None:
    """Write a line to a model file, whole or not at all.

    Raises:
        ModelError: The file cannot be written.
    """
    write_whole(Path(path), dumps(line))


def write_whole(path: Path, text: str) -> None:
    """Write a text under another name, then rename it.

    Raises:
        ModelError: The file cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        msg = f"cannot be written: {error.strerror or error}"
        raise ModelError([Finding("LW102", msg, file=os.fspath(path))]) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def model_hash(line: Line) -> str:
    """Return the SHA-256 of a line, the same for all files that say the same.

    Defaults, orders and samples count as if they were written out. The order of
    stations, products, operations and orders matters and counts; the order in which
    processing times, setup times and calendars are written does not.
    """
    data = line.model_dump(mode="json", by_alias=True)
    text = json.dumps(_sorted(data), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


UNORDERED = frozenset({"calendars", "matrix", "places", "process", "uses"})
"""Mappings whose order says nothing."""


def _sorted(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        items = sorted(value.items()) if key in UNORDERED else value.items()
        return {
            name: _sorted(v, "matrix" if key == "matrix" else name) for name, v in items
        }
    return [_sorted(v) for v in value] if isinstance(value, list) else value
