"""YAML text as a tree of nodes: plain values that know where they stand.

`parse` turns YAML 1.2 (JSON is a part of it) into `Node`s, from the events of
ruamel.yaml and without its constructors, so that a file can make nothing but text,
numbers, lists and mappings. Dates stay text. The rules that keep it safe: no tags, no
merge keys, one document, keys are text and unique, aliases count as often as they are
used, and size and depth are bounded. Every broken rule is a finding; only broken YAML
ends the reading. Nothing here knows what a model is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader, ReaderError
from ruamel.yaml.scanner import Scanner, ScannerError

from linewright.errors import Finding, ModelError

__all__ = [
    "MAX_BYTES",
    "MAX_NODES",
    "Key",
    "Node",
    "Origin",
    "Place",
    "Scalar",
    "Used",
    "items",
    "parse",
    "read_text",
]

MAX_BYTES = 16 * 2**20
"""Largest file that is read."""

MAX_NODES = 1_000_000
MAX_DEPTH = 40

Key = str | int
Scalar = str | int | float | bool | None


class Place(NamedTuple):
    """Where something stands: line and column from 1, or 0 where unknown."""

    file: str
    line: int = 0
    column: int = 0


class Used(NamedTuple):
    """A parameter whose value stands in a node: its name, the value, and its place."""

    name: str
    value: Scalar
    place: Place


@dataclass(frozen=True, slots=True)
class Origin:
    """How a node came about that does not stand in the file as it is.

    Attributes:
        copy: Copy of a template to which it belongs, or empty.
        template: That template.
        parameters: Parameters whose values are in it, or in the key before it.
        level: How deep in templates its text was written, 0 in the model itself;
            none: where the node stands.
        key_level: The same of the key before it.
        is_broken: What is wrong with it was said already.
    """

    copy: str = ""
    template: str = ""
    parameters: tuple[Used, ...] = ()
    level: int | None = None
    key_level: int | None = None
    is_broken: bool = False


@dataclass(slots=True)
class Node:
    """A value and its place.

    Attributes:
        value: A scalar, a list of nodes, or a mapping of text to nodes.
        place: Where the value begins.
        keys: Where each key of a mapping stands.
        size: Number of values in it, itself included, aliases counted at each use.
        origin: How it came about, if a parameter or a template had a part in it.
    """

    value: Scalar | list[Node] | dict[str, Node]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    origin: Origin | None = None

    def plain(self) -> Any:
        """Return the value as plain lists and mappings."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, key: Key) -> Node | None:
        """Return the node under a key or index, if there is one."""
        if isinstance(self.value, dict) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, list) and isinstance(key, int):
            return self.value[key] if 0 <= key < len(self.value) else None
        return None

    def find(self, path: tuple[Key, ...]) -> Place:
        """Return the place of the last key of a path, or as far as it leads."""
        node, place = self, self.place
        for key in path:
            below = node.child(key)
            if below is None:
                break
            place = (
                node.keys.get(key, below.place) if isinstance(key, str) else below.place
            )
            node = below
        return place


def items(node: Node | None) -> list[tuple[str, Node]]:
    """Return keys and nodes of a mapping; none of anything else."""
    found = node.value if node else None
    return list(found.items()) if isinstance(found, dict) else []


def read_text(path: Path, name: str) -> str:
    """Return the text of a file.

    Raises:
        ModelError: It is missing, no regular file, too large, or not UTF-8 text.
    """
    try:
        if not path.is_file():
            why = "this is no file" if path.exists() else "there is no such file"
            raise ModelError([_file_finding(name, why)])
        size = path.stat().st_size
        if size > MAX_BYTES:
            allowed = f"allowed are {MAX_BYTES >> 20} MiB"
            msg = f"the file is too large, {size / 2**20:.1f} MiB; {allowed}"
            raise ModelError([_file_finding(name, msg)])
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            [_file_finding(name, f"the file cannot be read: {reason}")]
        ) from error
    return decode(data, name)


def decode(data: bytes, name: str) -> str:
    """Return UTF-8 bytes as text.

    Raises:
        ModelError: They are not text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        msg = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        finding = Finding("LW102", msg, file=name, line=line, column=column)
        raise ModelError([finding]) from error
    if "\0" in text:
        raise ModelError([_file_finding(name, "this is a binary file, not YAML text")])
    return text


def _file_finding(name: str, message: str) -> Finding:
    return Finding("LW102", message, file=name, line=1, column=1)


def parse(text: str, file: str) -> tuple[Node, list[Finding]]:
    """Return the tree of a YAML text and what is wrong with its form.

    Args:
        text: One YAML document.
        file: Name that findings show.

    Raises:
        ModelError: The text is not YAML at all, is empty, or goes beyond a limit.
    """
    if len(text) > MAX_BYTES:
        raise ModelError([_file_finding(file, "the text is too long")])
    builder = _Builder(file)
    try:
        for event in _events(text):
            builder.take(event)
    except _Refused as refused:
        raise ModelError([*builder.findings, refused.finding]) from refused
    except MarkedYAMLError as error:
        raise ModelError([*builder.findings, _syntax(error, file)]) from error
    except ReaderError as error:
        raise ModelError([*builder.findings, _control(error, text, file)]) from error
    except (
        ArithmeticError,
        AssertionError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        # The parser trips over some broken texts instead of refusing them.
        raise ModelError([_file_finding(file, "this is not YAML")]) from error
    if builder.root is None or builder.root.value is None:
        msg = "the file is empty; `linewright init` writes a first model"
        raise ModelError([*builder.findings, _file_finding(file, msg)])
    return builder.root, builder.findings


class _Events(Reader, Scanner, Parser):
    """The scanner and parser of ruamel.yaml, fixed to YAML 1.2, with one shortcut."""

    processing_version = (1, 2)
    comment_handling = None

    def __init__(self, text: str) -> None:
        self._reader = self._scanner = self._parser = self._resolver = self
        self._ready = -1
        Reader.__init__(self, text, loader=self)
        Scanner.__init__(self, loader=self)
        Parser.__init__(self, loader=self)

    def check_token(self, *choices: Any) -> bool:
        """Say whether the next token is of one of these kinds.

        The parser asks this many times of each token; whether the token is complete
        needs finding out only once, which makes the whole twice as fast.
        """
        if self._ready != self.tokens_taken:
            self.peek_token()
            self._ready = self.tokens_taken
        if not self.tokens:
            return False
        return not choices or isinstance(self.tokens[0], choices)

    def fetch_directive(self) -> Any:
        """Refuse a line such as ``%YAML 1.1``."""
        msg = "a line that begins with %; a model is YAML 1.2 and needs none"
        raise ScannerError(None, None, msg, self.get_mark())


def _events(text: str) -> Iterator[Any]:
    source = _Events(text)
    while (event := source.get_event()) is not None:
        yield event


class _Refused(Exception):  # noqa: N818 - it carries the finding, it is not shown
    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.message)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    has_key: bool = False


class _Builder:
    """Builds the tree from events, without recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.findings: list[Finding] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0
        self._total = 0

    def take(self, event: Any) -> None:
        if isinstance(event, ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._start(event)
        elif isinstance(event, CollectionEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._take_alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "LW101", "a second document; a file holds one")

    def _at_key(self) -> bool:
        top = self._open[-1] if self._open else None
        return top is not None and isinstance(top.node.value, dict) and not top.has_key

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _note(self, place: Place, code: str, message: str, hint: str = "") -> None:
        self.findings.append(Finding(code, message, "error", *place, help=hint))

    def _refuse(self, event: Any, code: str, message: str) -> None:
        raise _Refused(Finding(code, message, "error", *self._place(event)))

    def _take_scalar(self, event: Any) -> None:
        place = self._place(event)
        tag = self._tag(event, place)
        text = self._text(event, place)
        if self._at_key():
            self._take_key(self._open[-1], text, place, event.style is None)
            return
        value: Scalar = text
        if event.style is None and tag != _TEXT_TAG:
            value = scalar(text)
            if isinstance(value, float) and not math.isfinite(value):
                self._note(place, "LW104", f"{text} is not a finite number")
                value = 0.0
        node = Node(value, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._add(event, node)

    def _text(self, event: Any, place: Place) -> str:
        text: str = event.value
        if (
            any("\ud800" <= c <= "\udfff" for c in text)
            if not text.isascii()
            else False
        ):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if "\ufffd" in text:
                self._note(place, "LW104", "the text holds half of a character")
        return text

    def _tag(self, event: Any, place: Place) -> str | None:
        if event.tag is None:
            return None
        tag = str(event.tag)
        if tag not in _PLAIN_TAGS:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self._note(place, "LW104", f"the tag {short} is not allowed; leave it out")
        return tag

    def _take_key(self, top: _Open, text: str, place: Place, is_plain: bool) -> None:
        top.has_key, top.key = True, None  # no key: the value is read and left out
        if text == "<<" and is_plain:
            hint = "write the keys out, or use an overlay"
            self._note(place, "LW104", "merge keys (<<) are not allowed", hint)
        elif is_plain and not isinstance(kind := scalar(text), str):
            hint = f'write it in quotes: "{text}"' if text else ""
            self._note(place, "LW104", f"a key is text, found {describe(kind)}", hint)
        elif text in top.node.keys:
            first = top.node.keys[text]
            msg = f'the key "{text}" is here twice, first in line {first.line}'
            self._note(place, "LW103", msg)
        else:
            top.key = text
            top.node.keys[text] = place

    def _start(self, event: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            msg = f"lists and mappings are nested more than {MAX_DEPTH} deep"
            self._refuse(event, "LW104", msg)
        place = self._place(event)
        self._tag(event, place)
        if self._at_key():
            self._refuse(event, "LW104", "a key is text, found a list or mapping")
        is_mapping = isinstance(event, MappingStartEvent)
        self._open.append(_Open(Node({} if is_mapping else [], place), event.anchor))
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # not finished: it cannot hold itself

    def _end(self) -> None:
        done = self._open.pop()
        if done.anchor is not None:
            self._anchors[done.anchor] = done.node
        self._add(None, done.node)

    def _take_alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            inside = event.anchor in self._anchors
            why = (
                "stands inside its own anchor" if inside else "has no anchor before it"
            )
            self._refuse(event, "LW104", f"the alias *{event.anchor} {why}")
            return
        if self._at_key():
            self._refuse(event, "LW104", "an alias cannot be a key; write the key out")
        self._add(event, node)

    def _add(self, event: Any, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        top.node.size += node.size
        if top.node.size > MAX_NODES:
            place = self._place(event) if event else node.place
            msg = f"the file holds more than {MAX_NODES:,} values, aliases counted"
            raise _Refused(Finding("LW104", msg, "error", *place))
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif isinstance(top.node.value, dict):
            if top.key is not None:
                top.node.value[top.key] = node
            top.has_key = False


_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON writes large characters as two
_TEXT_TAG = "tag:yaml.org,2002:str"
_PLAIN_TAGS = {"!", _TEXT_TAG, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}
_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9][0-9_]{0,38}")
_BASED = re.compile(r"0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def scalar(text: str) -> Scalar:
    """Return what a plain scalar of YAML 1.2 means; dates and times stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if _NOT_FINITE.fullmatch(text):
        return math.nan
    return int(text, 0) if _BASED.fullmatch(text) else text


def describe(value: object) -> str:
    """Return what a value is, in the words of a finding."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return f'"{short}"' if isinstance(value, str) else f"the number {short}"


def _syntax(error: MarkedYAMLError, file: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    parts = [str(part) for part in (error.context, error.problem) if part]
    return Finding("LW101", f"this is not YAML: {', '.join(parts)}", "error", *place)


def _control(error: ReaderError, text: str, file: str) -> Finding:
    at = max(0, min(int(error.position), len(text)))
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    msg = f"the character {error.character!r} is not allowed in YAML"
    if isinstance(error.character, int):
        msg = f"the character U+{error.character:04X} is not allowed in YAML"
    return Finding("LW101", msg, "error", file, line, column)
