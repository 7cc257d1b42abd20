"""Rules on meaning of rules of one's own: whether the function is there, and fits.

The text of a rule is parsed and never run: `check` is safe with any model. A finding
stands where the model names the rule, and says where in the Python file the fault is.
"""

from __future__ import annotations

import ast
import warnings

from linewright.model.explain import did_you_mean, listed
from linewright.model.line import Line, PythonRule
from linewright.model.meaning import input_places, rules_of
from linewright.model.notes import Notes, Path

__all__ = ["ARGUMENTS", "check_python"]

CODE = "LW230"

ARGUMENTS = {
    "dispatch": ("candidates", "server", "now_s"),
    "rule": ("unit", "line", "now_s"),
}
"""What a function is called with, by the key at which the model names it."""


def check_python(line: Line, notes: Notes) -> None:
    """Note rules whose function is not there, does not fit, or could do no good."""
    for path, rule in rules_of(line):
        if rule.file:
            _function(path, rule, notes)
    for name, product in line.products.items():
        if product.release.rule is not None:
            _release(line, name, notes)
        for i, step in enumerate(product.route if not product.route_of else ()):
            for station in step.stations:
                own = isinstance(line.stations[station].dispatch, PythonRule)
                if own and input_places(line, step, station) == 0:
                    msg = f'parts for "{station}" need a place to wait, where its rule '
                    msg += "finds them"
                    hint = "give it a buffer"
                    notes.error(CODE, ("products", name, "route", i), msg, hint)


def _function(path: Path, rule: PythonRule, notes: Notes) -> None:
    at = (*path, "python")
    if not rule.source:
        msg = f'the text of "{rule.file}" is not there, or is empty'
        notes.error(CODE, at, msg, "load the model from its file")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(rule.source)
    except SyntaxError as error:
        place = f"{rule.path}:{error.lineno or 1}:{error.offset or 1}"
        notes.error(CODE, at, f"{place}: this is not Python: {error.msg}")
        return
    except (MemoryError, RecursionError, ValueError) as error:
        notes.error(CODE, at, f"{rule.path}:1:1: this is not Python: {error}")
        return
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    found = functions.get(rule.function)
    if found is None:
        msg = f'{rule.path} has no function "{rule.function}"'
        msg += f"; it has {listed(functions)}" if functions else "; it has none"
        notes.error(CODE, at, msg, did_you_mean(rule.function, functions))
        return
    wanted = ARGUMENTS[str(path[-1])]
    if not _takes(found.args, len(wanted)):
        place = f"{rule.path}:{found.lineno}:{found.col_offset + 1}"
        msg = f'{place}: "{rule.function}" does not take {len(wanted)} arguments'
        notes.error(CODE, at, msg, f"write it as {rule.function}({', '.join(wanted)})")


def _takes(arguments: ast.arguments, n: int) -> bool:
    """Say whether a function can be called with `n` arguments and no names."""
    places = [*arguments.posonlyargs, *arguments.args]
    least = len(places) - len(arguments.defaults)
    named = sum(default is None for default in arguments.kw_defaults)
    most = n if arguments.vararg else len(places)
    return least <= n <= most and not named


def _release(line: Line, name: str, notes: Notes) -> None:
    """Note a rule that nothing would ask, or that could let in without an end."""
    release = line.products[name].release
    path = ("products", name, "release", "rule")
    if release.kind == "never":
        msg = f'"{name}" comes out of a split only; no rule lets it in'
        notes.error(CODE, path, msg)
    capped = release.conwip is not None or line.conwip is not None
    if release.kind == "always" and not capped:
        msg = f'"{name}" is always available, and a rule could let it in without end'
        hint = "add conwip: the most that may ever be in the line"
        notes.error(CODE, path, msg, hint)
