"""How parts are told apart: a color by family, a shape by use, letters by product."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from linewright.model.line import Line
from linewright.report.routes import finals

__all__ = ["HUES", "Token", "codes", "tokens"]

HUES: tuple[tuple[str, str], ...] = (
    ("#1d4ed8", "#93c5fd"),
    ("#9d174d", "#f9a8d4"),
    ("#166534", "#86efac"),
    ("#6b21a8", "#d8b4fe"),
    ("#7c2d12", "#fdba74"),
    ("#0f766e", "#5eead4"),
    ("#374151", "#d1d5db"),
    ("#713f12", "#fde047"),
)
"""Colors of families (light, dark): letters in the color of the ground stand out."""


class Token(NamedTuple):
    """What a part looks like: row of `HUES`, a shape, and one letter or two."""

    hue: int
    shape: str
    code: str


def tokens(line: Line) -> list[Token]:
    """Return the look of each product's parts, in the order of the file."""
    families: dict[str, int] = {}
    for name, product in line.products.items():
        families.setdefault(product.family or name, len(families) % len(HUES))
    sold = set(finals(line))
    return [
        Token(
            families[product.family or name],
            "square" if name in sold else "circle",
            code,
        )
        for (name, product), code in zip(
            line.products.items(), codes(list(line.products)), strict=True
        )
    ]


def codes(names: list[str]) -> list[str]:
    """Return one letter or two for each name, no two alike in whatever case."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        code = next(c for c in _candidates(name) if c.casefold() not in taken)
        found.append(code)
        taken.add(code.casefold())
    return found


def _candidates(name: str) -> Iterator[str]:
    """Yield short forms of a name, the most natural first."""
    words = [
        w for w in "".join(c if c.isalnum() else " " for c in name).split() if w
    ] or ["?"]
    first = _one(words[0][0], words[0][0].upper())
    if len(words) > 1:
        yield first + _one(words[1][0], words[1][0].upper())
    else:
        yield first
    letters = "".join(words[1:])[1:] + "".join(words)[1:]
    yield from (first + _one(c, c.lower()) for c in letters)
    yield from (first + str(i) for i in range(10))
    yield from (str(i) for i in count())


def _one(char: str, cased: str) -> str:
    """Return a letter in another case, unless it is more than one letter there."""
    return cased if len(cased) == 1 else char
