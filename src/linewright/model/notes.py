"""Findings in the making: a rule says what, and by keys where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from linewright.errors import Finding
from linewright.model.explain import did_you_mean, keys_at, listed, place_of
from linewright.model.source import Key, Node

__all__ = ["Notes", "Path"]

Path = tuple[Key, ...]

MAX_SUGGESTIONS = 50  # each compares a name with all others


@dataclass(slots=True)
class Notes:
    """What the rules found, in the order of finding.

    Attributes:
        positions: Nodes of the model file; none for a line built in Python.
        findings: The findings so far.
    """

    positions: Node | None = None
    findings: list[Finding] = field(default_factory=list)
    _n_suggestions: int = 0

    def error(self, code: str, path: Path, message: str, hint: str = "") -> None:
        """Note what makes the model unusable."""
        self._note("error", code, path, message, hint)

    def warning(self, code: str, path: Path, message: str, hint: str = "") -> None:
        """Note what is likely not meant."""
        self._note("warning", code, path, message, hint)

    def unknown(
        self, path: Path, name: str, kind: str, there: Collection[str], hint: str = ""
    ) -> None:
        """Note a name that is not in the model, with the nearest that is."""
        near = ""
        if self._n_suggestions < MAX_SUGGESTIONS:
            self._n_suggestions += 1
            near = did_you_mean(name, there)
        article = "an" if kind[0] in "aeiou" else "a"
        msg = f'"{name}" is not {article} {kind}; there are {listed(there)}'
        self.error("LW201", path, msg, near or hint)

    @property
    def has_errors(self) -> bool:
        """Whether the model is unusable."""
        return any(finding.severity == "error" for finding in self.findings)

    def _note(
        self, severity: str, code: str, path: Path, message: str, hint: str
    ) -> None:
        at_key = bool(path) and isinstance(path[-1], str) and self._is_key(path)
        place = place_of(self.positions, path, at_key=at_key)
        self.findings.append(
            Finding(code, message, severity, *place, path=path, help=hint)
        )

    def _is_key(self, path: Path) -> bool:
        """Say whether a path is best shown by its last key and not by its value.

        That is so where the key is a name, or the value has many keys of its own.
        """
        node = self.positions
        for key in path:
            node = node.child(key) if node else None
        is_name = path[-1] not in keys_at(path[:-1])
        return node is None or is_name or isinstance(node.value, dict | list)
