"""One error tree: what was found, where, what is allowed, and what to do about it.

A `Finding` is one line of `linewright check`; a `ModelError` carries all of them at
once. Everything the package raises on purpose derives from `LinewrightError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "DeadlockError",
    "Finding",
    "JournalError",
    "JournalStalledError",
    "KernelError",
    "LinewrightError",
    "MachineError",
    "ModelError",
    "PkiError",
    "ResultError",
    "RuleError",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a model file.

    Attributes:
        code: Stable code: ``LW1xx`` form, ``LW2xx`` meaning (``LW25x`` parameters
            and templates, ``LW27x`` options), ``LW3xx`` lint, ``LW4xx`` import,
            ``LW5xx`` files of tasks and lots, ``LW6xx`` records: ``LW600`` to
            ``LW602`` the mapping of columns, ``LW603`` files that cannot be read,
            ``LW604`` times, ``LW605`` kinds, ``LW606`` nothing to fit, ``LW607``
            evidence, ``LW608`` a model that has not what the log has, ``LW609`` the
            part to compare.
        message: What was found and what is allowed, in one sentence.
        severity: ``error`` or ``warning``.
        file: Path as the user gave it, or empty for a model built in Python.
        line: Line in the file from 1, or 0 where unknown.
        column: Column in the line from 1, or 0 where unknown.
        path: Keys that lead to the value, such as ``("stations", "weld", "buffer")``.
        help: A suggestion such as ``did you mean "weld"?``, or empty.
    """

    code: str
    message: str
    severity: str = "error"
    file: str = ""
    line: int = 0
    column: int = 0
    path: tuple[str | int, ...] = ()
    help: str = ""

    def __str__(self) -> str:
        """Return ``file:line:column: CODE message; help``."""
        place = self.file or "<model>"
        if self.line:
            place += f":{self.line}:{self.column}"
        elif self.path:
            place += f": {'.'.join(map(str, self.path))}"
        tail = f"; {self.help}" if self.help else ""
        return f"{place}: {self.code} {self.message}{tail}"


class LinewrightError(Exception):
    """Base of every error that the package raises on purpose."""


class ModelError(LinewrightError):
    """A model that cannot be used, with every finding that says why."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


class ResultError(LinewrightError):
    """A result folder or state file that cannot be read or written."""


class KernelError(LinewrightError):
    """The kernel refused an event, or one of its own laws was broken."""


class RuleError(LinewrightError):
    """A rule of one's own that may not run, raised, or gave no answer; with its place.

    The exception that the rule raised, if it did, is the cause (``__cause__``).
    """


class JournalError(LinewrightError):
    """A journal that cannot be read, written or continued; the message says why."""


class JournalStalledError(JournalError):
    """A journal that takes or tells nothing for now: no space, no server.

    Nothing was commanded. What it holds is asked before anything goes on, and it may
    be asked again until it answers.
    """


class MachineError(LinewrightError):
    """Machines that cannot be reached or played; the message says why."""


class PkiError(LinewrightError):
    """A certificate or key that is missing or cannot be used; the message says why."""


class DeadlockError(LinewrightError):
    """The line stands still for good; the message names who waits for whom."""
