"""Templates: escaped by default, with every text made fit for HTML on its way out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.report.words import clean

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render"]


@cache
def _environment() -> Environment:
    import jinja2  # noqa: PLC0415 - optional
    from markupsafe import Markup  # noqa: PLC0415 - optional

    def finalize(value: Any) -> Any:
        if isinstance(value, str) and not isinstance(value, Markup):
            return clean(value)
        return value

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Return a template filled with values; ready-made SVG must be marked by it."""
    return _environment().get_template(template).render(**values)
