"""What changed from one line to another, in plain words.

Both lines are compared as they are written, all defaults included. Things with names
are matched by name, shifts and orders by what they say, and everything else key by
key. Two lines without a difference have the same `model_hash`, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from linewright.model.distribution import KINDS
from linewright.model.line import Line
from linewright.model.load import UNORDERED

__all__ = ["diff"]

Path = tuple[str, ...]

_NAMED: dict[Path, str] = {
    ("stations",): "station",
    ("products",): "product",
    ("buffers",): "buffer",
    ("calendars",): "calendar",
    ("transport",): "transport",
    ("vehicles",): "fleet",
    ("orders",): "order",
    ("targets",): "target",
    ("demand",): "scenario",
    ("changes",): "change",
    ("planning", "lead_times"): "lead time of",
    ("planning", "overtime", "calendars"): "overtime by",
    ("planning", "overtime", "stations"): "overtime of",
    ("layout", "places"): "place of",
    ("layout", "rooms"): "room",
    ("stations", "*", "failures"): "failure",
    ("stations", "*", "maintenance"): "maintenance",
    ("products", "*", "bom"): "component",
    ("products", "*", "route"): "operation",
    ("calendars", "*", "shifts"): "shift",
    ("calendars", "*", "shifts", "*", "breaks"): "break",
    ("calendars", "*", "holidays"): "holiday",
    ("calendars", "*", "exceptions"): "exception",
}
"""Where things with names are, and what one of them is called."""


def diff(before: Line, after: Line) -> list[str]:
    """Return one sentence for each change, in the order of the model file.

    An empty list means that both lines say the same.
    """
    old, new = (line.model_dump(mode="json", by_alias=True) for line in (before, after))
    return list(_changes(old, new, (), ""))


def _changes(old: Any, new: Any, path: Path, where: str) -> Iterator[str]:
    if path in _NAMED:
        old_things, new_things = _by_name(old, path), _by_name(new, path)
        yield from _things(old_things, new_things, path, where)
    elif _is_noun(old) and _is_noun(new):
        for key in dict.fromkeys([*old, *new]):
            below = (*path, key)
            label = where if below in _NAMED else f"{where} {key}".strip()
            yield from _changes(old.get(key), new.get(key), below, label)
        if old == new and list(old) != list(new) and path[-1] not in UNORDERED:
            yield f"{where} in another order: {', '.join(new)}"
    elif old is None and _is_noun(new):
        yield f"{where} added"
    elif new is None and _is_noun(old):
        yield f"{where} removed"
    elif old != new and path[-1:] == ("source",):  # the text of a rule of one's own
        n, m = (len(str(text).splitlines()) for text in (old, new))
        yield f"{where} is another text: {n} -> {m} lines"
    elif old != new:
        yield f"{where} {_text(old)} -> {_text(new)}"


def _things(
    old: dict[str, Any], new: dict[str, Any], path: Path, where: str
) -> Iterator[str]:
    """Yield what was added, removed, changed or moved among things with names."""
    noun, inside = _NAMED[path], f"{where} " if where else ""
    for name in old:
        if name not in new:
            yield f"{inside}{noun} {name} removed"
    names = list(new)
    for i, name in enumerate(names):
        if name in old:
            label = f"{inside}{noun} {name}:"
            yield from _changes(old[name], new[name], (*path, "*"), label)
        else:
            is_late = noun == "operation" and i > 0
            yield f"{inside}{noun} {name} added" + (
                f" after {names[i - 1]}" if is_late else ""
            )
    kept = [name for name in old if name in new]
    moved = kept != [name for name in new if name in old]
    if moved and path[-1] not in UNORDERED:
        yield f"{inside}{noun}s in another order: {_text(names)}"


def _is_noun(value: Any) -> bool:
    """Say whether a value has keys of its own; a distribution is one value."""
    return isinstance(value, dict) and not (len(value) == 1 and value.keys() & KINDS)


def _by_name(value: Any, path: Path) -> dict[str, Any]:
    """Return things by name; those in a list by what they say, numbered if twice."""
    if isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for i, item in enumerate(value or ()):
        name = _name(item, path[-1], i)
        while name in named:
            name += "'"
        named[name] = item
    return named


def _name(item: Any, kind: str, i: int) -> str:
    if isinstance(item, str):
        return item
    if kind == "route":
        return str(item["operation"])
    if kind == "orders":
        return str(item["id"] or i + 1)
    if kind == "changes":
        return f"on {item['on']}"
    if kind == "transport":
        return f"from {item['from']} to {item['to']}"
    days = f"{item['days']} " if "days" in item else ""
    return f"{days}{item['from']}" + (f"-{item['to']}" if item["to"] else "")


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = ", ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        value = ", ".join(
            f"{key} {_text(below)}" for key, below in value.items() if key != "source"
        )
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
