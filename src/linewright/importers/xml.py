"""XML documents as elements with their lines; nothing that they name is fetched.

A document with a DOCTYPE is refused, so that there are no entities to be expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from linewright.errors import Finding, ModelError

__all__ = ["Element", "parse"]

MAX_BYTES = 50_000_000


@dataclass
class Element:
    """An element of the document: its name without namespace, line, text, children."""

    name: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """Return the first child of a name."""
        return next(self.all(name), None)

    def value(self, *path: str) -> str:
        """Return the text at a path, or an empty text."""
        here: Element | None = self
        for name in path:
            here = here.first(name) if here else None
        return here.text.strip() if here else ""


def parse(path: Path, root_name: str) -> Element:
    """Return the root of a document.

    Args:
        path: The file.
        root_name: What its root is called, without namespace.

    Raises:
        ModelError: It cannot be read, is too large, is not XML, has a DOCTYPE, or has
            another root.
    """

    def wrong(text: str, line: int = 0, column: int = 0) -> ModelError:
        return ModelError([Finding("LW400", text, "error", str(path), line, column)])

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise wrong(f"holds more than {MAX_BYTES:,} bytes, which is all that is read")
    parser = expat.ParserCreate(namespace_separator=" ")
    stack = [Element("", 0)]

    def start(name: str, _: dict[str, str]) -> None:
        element = Element(name.rpartition(" ")[2], parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def text(found: str) -> None:
        stack[-1].text += found

    def refuse(*_: Any) -> None:
        msg = f"has a DOCTYPE, which a {root_name} has not; nothing of it is expanded"
        raise wrong(msg, parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        found = wrong(f"is not XML: {reason}", error.lineno, error.offset + 1)
        raise found from error
    (root,) = stack[0].children
    if root.name != root_name:
        raise wrong(f"is {root.name}, and no {root_name}", root.line)
    return root
