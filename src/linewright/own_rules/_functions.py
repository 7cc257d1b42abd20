"""The functions of a line's rules, and the permission to run them.

A model from somebody else must not run code unnoticed: without `permit` a line with
rules of one's own is not simulated. Each replication runs the text of a rule's file
anew, so that what a rule remembers in its module cannot pass from one to another and
make the result depend on the number of cores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, TypeVar

from linewright.engines import Engine, Threads
from linewright.errors import RuleError
from linewright.lower import Lowered, OwnRule

__all__ = [
    "Function",
    "Functions",
    "given_names",
    "permit",
    "require_threads",
    "threads_for",
    "where",
]

Function = Callable[..., Any]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Functions:
    """What runs a line's rules.

    Attributes:
        given: Functions that were given from Python, by the name in the model.
        code: Compiled texts, by path and text.
        stuck: Fails when a call will not come back; nothing else completes it.
    """

    given: Mapping[str, Function]
    code: Mapping[tuple[str, str], CodeType]
    stuck: Future[None] = field(default_factory=Future)

    def result_of(self, future: Future[_Result]) -> _Result:
        """Return a future's result, but do not wait for what will not come back."""
        either: tuple[Future[Any], ...] = (future, self.stuck)
        wait(either, return_when=FIRST_COMPLETED)
        if not future.done():
            self.stuck.result()
        return future.result()


def threads_for(lowered: Lowered, workers: int | None) -> Threads:
    """Return threads on which a line is run, which tell of a rule that hangs."""
    functions = lowered.functions
    wait_for = functions.result_of if isinstance(functions, Functions) else None
    return Threads(workers, wait_for)


def require_threads(lowered: Lowered, engine: Engine | None) -> None:
    """Refuse another engine than threads for a line with rules of one's own.

    Raises:
        ValueError: Its functions are of this process, and cannot be sent elsewhere.
    """
    if lowered.own_rules and engine is not None and not isinstance(engine, Threads):
        msg = (
            "rules of one's own run on threads of this machine only; leave out the "
            "engine"
        )
        raise ValueError(msg)


def permit(
    lowered: Lowered,
    given: Mapping[str, Function] | None = None,
    *,
    allow_python: bool = False,
) -> Lowered:
    """Return a line whose rules of one's own may run; others are returned as they are.

    Args:
        lowered: The line.
        given: Functions by the name that the model has for them, such as ``slack`` or
            ``rules.py:slack``; they stand in for the file's.
        allow_python: Run the Python of the model's files.

    Raises:
        RuleError: The line has rules that may not run, or a function is missing.
    """
    given = dict(given or {})
    names = {own.rule.python for own in lowered.own_rules}
    if unknown := sorted(given.keys() - names):
        there = ", ".join(sorted(names)) or "none"
        msg = f'the model has no rule "{unknown[0]}"; its rules in Python are {there}'
        raise ValueError(msg)
    if not lowered.own_rules:
        return lowered
    refuse(lowered, given, allow_python=allow_python)
    code = {}
    for own in lowered.own_rules:
        if own.rule.python not in given:
            text = own.rule.path, own.rule.source
            code[text] = _compiled(*text)
    return lowered._replace(functions=Functions(given, code))


def given_names(lowered: Lowered) -> list[str]:
    """Return the names of the rules whose functions were given from Python."""
    functions = lowered.functions
    return sorted(functions.given) if isinstance(functions, Functions) else []


def refuse(
    lowered: Lowered, given: Mapping[str, Function], *, allow_python: bool
) -> None:
    """Raise where a rule has no function, or one that may not run."""
    for own in lowered.own_rules:
        if own.rule.python in given:
            continue
        if not own.rule.file and not own.rule.source:
            msg = f'{where(own)}: the function "{own.rule.python}" was not given; '
            msg += "simulate(line, rules={...}) takes it, or name a file"
            raise RuleError(msg)
        if not allow_python:
            msg = f"{where(own)}: this model has rules in Python, which may do anything"
            msg += f" that you may: {own.rule.path}; read them, then allow them with "
            msg += "--allow-python (from Python: allow_python=True)"
            raise RuleError(msg)


def where(own: OwnRule) -> str:
    """Return where the model names a rule."""
    keys = "stations", own.owner, "dispatch"
    if own.kind == "release":
        keys = "products", own.owner, "release.rule"
    return own.rule.place or ".".join(keys)


def _compiled(path: str, source: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(source, path, "exec", dont_inherit=True)
