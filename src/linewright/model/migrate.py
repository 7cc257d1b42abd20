"""Models of older schema versions as models of this one.

Additions keep `schema_version`; a breaking change adds one and brings a step here that
rewrites the text from the version before. Version 1 is the first, so there is no step.
"""

from __future__ import annotations

from linewright.errors import Finding, ModelError
from linewright.model.line import SCHEMA_VERSION
from linewright.model.source import describe, parse

__all__ = ["migrate"]


def migrate(text: str, file: str = "<text>") -> tuple[str, str]:
    """Return a model text in this schema version, and what was done to it.

    Raises:
        ModelError: The text is no model, or of a version that is not known.
    """
    root, findings = parse(text, file)
    if findings:
        raise ModelError(findings)
    node = root.child("schema_version")
    if node is None:
        hint = f"add schema_version: {SCHEMA_VERSION}"
        msg = "schema_version is missing"
        raise ModelError([Finding("LW105", msg, "error", *root.place, help=hint)])
    if node.value != SCHEMA_VERSION or type(node.value) is not int:
        msg = f"schema_version: found {describe(node.plain())}; "
        msg += f"known are versions up to {SCHEMA_VERSION}"
        raise ModelError([Finding("LW105", msg, "error", *node.place)])
    return text, f"already version {SCHEMA_VERSION}"
