"""What a page is made of: sections with one message, figures, tables, key figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from linewright.report.palette import State

__all__ = ["Bar", "Cell", "Column", "Figure", "Notice", "Section", "Table", "Tile"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A number in a table with a bar of its size behind it."""

    text: str
    share: float
    role: str = "accent-soft"

    @property
    def width(self) -> str:
        """Return the length of the bar for a style sheet."""
        share = self.share if self.share == self.share else 0.0
        return f"{100 * min(1.0, max(0.0, share)):.1f}%"


Cell = str | Bar


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column; numbers are set to the right."""

    label: str
    numeric: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of ready text."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture in two widths, with its words and the numbers behind it.

    Attributes:
        key: Short name, unique on the page.
        title: What is shown, in a few words; also the short alternative text.
        alt: What a reader who does not see the picture needs to know.
        wide: SVG for screens and paper; narrow: the same for a phone.
        caption: How to read it.
        table: The numbers behind the picture.
        legend: States to explain: those on shift, those of the whole clock, those in
            which energy is taken, or none.
        colors: What the colors of this picture mean, where no legend says it.
        stamp: Where the figures come from, if not from the result.
    """

    key: str
    title: str
    alt: str
    wide: str
    narrow: str
    caption: str
    table: Table
    legend: Literal["", "shift", "clock", "energy"] = ""
    colors: tuple[State, ...] = ()
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One message with its picture.

    Attributes:
        key: Anchor on the page.
        label: Entry in the contents.
        headline: The message, a sentence with numbers and their uncertainty.
        text: Paragraphs below the headline.
        figures: Pictures.
        tables: Tables that are part of the message, always shown.
        after: Paragraphs below the pictures.
        commands: What to type, below the paragraphs.
        notes: Short remarks below.
        frame: A whole page that is shown in the section, by itself.
    """

    key: str
    label: str
    headline: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    after: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    frame: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A key figure: a label, a value with unit, and what to compare it with."""

    label: str
    value: str
    unit: str
    note: str = ""
    mood: Literal["", "good", "warn", "bad"] = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A banner at the head of the page."""

    mood: Literal["bad", "warn"]
    title: str
    text: str
