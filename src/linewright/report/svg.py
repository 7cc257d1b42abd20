"""Matplotlib figures as inline SVG that follows the page: its fonts, its two themes.

Matplotlib writes a document of its own, with a style sheet, a font and colors. In a
page these would leak or stay behind, so they are replaced: colors by `var(--role)`,
the font by the page's, ids by ids that are unique on the page. The result holds no
address, date or random number.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from linewright.report.palette import COLORS
from linewright.report.words import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]

_ROLES = {pair[0]: role for role, pair in COLORS.items()}
_HEX = re.compile(r"#[0-9a-f]{6}")
_LONG = re.compile(r"(-?\d+\.\d{2})\d+")
_SPACE = re.compile(r"\s+")
_UPRIGHT = re.compile(r"rotate\(-?0 [^)]*\)")
_DROP = ("font-family", "stroke-linejoin", "stroke-miterlimit")


def inline_svg(figure: Figure, key: str, title: str, alt: str) -> str:
    """Return a figure as an SVG element with a title and a description.

    Args:
        figure: A Matplotlib figure drawn with the colors of the palette.
        key: Prefix of all ids, unique on the page.
        title: Short alternative text.
        alt: Long alternative text.
    """
    out = io.StringIO()
    meta = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=meta)
    text = re.sub(r"<!DOCTYPE[^>]*>", "", out.getvalue())
    root = ET.fromstring(text.encode())  # our own output
    for parent in list(root.iter()):
        _shed(parent)
    used = _references(root)
    for element in root.iter():
        _restyle(element, key, used)
    width, height = root.get("viewBox", "").split()[2:]
    root.attrib.clear()
    root.attrib.update(_frame(key, float(width), float(height)))
    root[:0] = [_words("title", f"{key}-t", title), _words("desc", f"{key}-d", alt)]
    return ET.tostring(root, encoding="unicode")


def _frame(key: str, width: float, height: float) -> dict[str, str]:
    return {
        "viewBox": f"0 0 {width:g} {height:g}",
        "width": f"{width:g}",
        "height": f"{height:g}",
        "role": "img",
        "aria-labelledby": f"{key}-t {key}-d",
    }


def _words(tag: str, key: str, text: str) -> ET.Element:
    element = ET.Element(tag, id=key)
    element.text = clean(text)
    return element


def _shed(parent: ET.Element) -> None:
    """Remove style sheets, metadata and empty layout from below an element."""
    for child in list(parent):
        tag = child.tag.rpartition("}")[2]
        child.tag = tag
        if tag in {"style", "metadata"} or _is_ground(child):
            parent.remove(child)
        elif child.tail:
            child.tail = None
    parent.tag = parent.tag.rpartition("}")[2]
    if parent.tag not in {"text", "tspan"}:
        parent.text = None


def _is_ground(element: ET.Element) -> bool:
    return element.tag == "path" and element.get("style") == "fill: none"


def _references(root: ET.Element) -> set[str]:
    found: set[str] = set()
    for element in root.iter():
        for value in element.attrib.values():
            found.update(re.findall(r"url\(#([^)]+)\)", value))
            if value.startswith("#"):
                found.add(value[1:])
    return found


def _restyle(element: ET.Element, key: str, used: set[str]) -> None:
    attributes = dict(element.attrib)
    element.attrib.clear()
    for long_name, raw in attributes.items():
        name = long_name.rpartition("}")[2]
        value = raw
        if name == "id":
            if raw not in used:
                continue
            value = f"{key}-{raw}"
        elif name == "href":
            value = f"#{key}-{raw[1:]}"
        elif name == "clip-path":
            value = raw.replace("url(#", f"url(#{key}-")
        elif name == "style":
            value = _style(raw)
        elif name == "transform" and _UPRIGHT.fullmatch(raw):
            continue
        else:
            value = _LONG.sub(r"\1", _SPACE.sub(" ", raw).strip())
        if value:
            element.set(name, value)


def _style(text: str) -> str:
    rules = [rule.strip() for rule in text.split(";") if rule.strip()]
    kept = [rule for rule in rules if not rule.startswith(_DROP)]
    return _HEX.sub(_variable, ";".join(rule.replace(": ", ":") for rule in kept))


def _variable(found: re.Match[str]) -> str:
    role = _ROLES.get(found[0])
    return f"var(--{role})" if role else found[0]
