"""Whether a line makes sense: references, meaning, and what is likely not meant.

``LW1xx`` are errors of form and ``LW25x`` of parameters and templates; both come from
`load`. The other ``LW2xx`` are errors of meaning and ``LW3xx`` warnings. Rules that
follow a name through the model run only when all names are in it, and lint runs only on
a model without errors.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from linewright.errors import Finding, ModelError
from linewright.model.conveyor_rules import check_conveyors
from linewright.model.cost_lint import lint_costs
from linewright.model.fleets import (
    check_vehicle_names,
    check_vehicles,
    lint_vehicles,
)
from linewright.model.floor_rules import check_floor
from linewright.model.layout import check_layout, lint_layout
from linewright.model.line import Line
from linewright.model.lint import lint
from linewright.model.load import Loaded, read
from linewright.model.names import check_names
from linewright.model.notes import Notes
from linewright.model.origins import with_origins
from linewright.model.pace_rules import check_pace
from linewright.model.plan_rules import check_plan, check_plan_names, lint_plan
from linewright.model.python_rules import check_python
from linewright.model.quality_rules import check_quality
from linewright.model.route_rules import check_routes
from linewright.model.rules import check_nouns
from linewright.model.source import Node, Scalar
from linewright.model.stock_rules import check_stock_names, check_stocks

__all__ = ["check", "check_loaded", "load_checked"]


def check(line: Line, positions: Node | None = None) -> list[Finding]:
    """Return everything that is wrong with a line, or likely is.

    Args:
        line: A line from a file or built in Python.
        positions: Where its values stand, from `load.read`; without it findings carry
            keys and no line numbers.

    Returns:
        Findings in the order of the file.
    """
    notes = Notes(positions)
    check_names(line, notes)
    check_stock_names(line, notes)
    check_vehicle_names(line, notes)
    check_layout(line, notes)
    check_plan_names(line, notes)
    if not notes.has_errors:
        check_routes(line, notes)
        check_floor(line, notes)
        check_stocks(line, notes)
        check_pace(line, notes)
        check_conveyors(line, notes)
        check_quality(line, notes)
        check_python(line, notes)
        check_vehicles(line, notes)
        check_plan(line, notes)
    check_nouns(line, notes)
    if not notes.has_errors:
        lint(line, notes)
        lint_costs(line, notes)
        lint_layout(line, notes)
        lint_vehicles(line, notes)
        lint_plan(line, notes)
    found = with_origins(notes.findings, positions) if positions else notes.findings
    return _in_order(found)


def check_loaded(loaded: Loaded) -> list[Finding]:
    """Return the same for a line from a file, with what the file declares for nothing.

    That needs the file: templates and parameters are gone from the line.
    """
    findings = check(loaded.line, loaded.positions)
    if any(finding.severity == "error" for finding in findings):
        return findings
    return _in_order([*findings, *loaded.warnings])


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (f.file, f.line, f.column))


def load_checked(
    path: str | os.PathLike[str],
    overlays: Iterable[str | os.PathLike[str]] = (),
    parameters: Mapping[str, Scalar] | None = None,
) -> tuple[Line, list[Finding]]:
    """Return the line in a model file and the warnings about it.

    Args:
        path: A model in YAML or JSON, or an overlay that names its `base`.
        overlays: Overlay files, laid over the model in this order.
        parameters: Values of parameters of the model, instead of its own.

    Raises:
        ModelError: The model has errors of form or meaning; it carries all findings.
    """
    loaded = read(path, overlays, parameters)
    findings = check_loaded(loaded)
    if any(finding.severity == "error" for finding in findings):
        raise ModelError(findings)
    return loaded.line, findings
