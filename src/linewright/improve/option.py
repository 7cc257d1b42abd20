"""One thing that can be done, and how what is said of it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from linewright.errors import Finding
from linewright.improve.uncertain import Uncertain
from linewright.model.explain import did_you_mean, explain, listed
from linewright.model.source import Node, describe

__all__ = ["Form", "Option", "know_keys", "read", "section"]


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be done.

    Attributes:
        name: What it is called.
        cost: What it costs, in the model's currency.
        changes: What it changes, as in an overlay, at the typical value of what is
            uncertain of it; empty for what others require.
        lead_time_us: Time from the decision until it is there.
        excludes: Options that cannot be chosen beside it.
        requires: Options that it needs.
        note: Words for the reader.
        more_servers: Servers that stations get on top of those that they have, at any
            time; they are part of `changes`, too.
        uncertain: Quantities of which it is not known how they will turn out.
        made: What it changes with given values of these.
    """

    name: str
    cost: float
    changes: Mapping[str, Any] = field(hash=False)
    lead_time_us: int = 0
    excludes: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    note: str = ""
    more_servers: Mapping[str, int] = field(default_factory=dict, hash=False)
    uncertain: tuple[Uncertain, ...] = ()
    made: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = field(
        default=None, hash=False, compare=False
    )

    def realised(self, seed: int, number: int) -> Mapping[str, Any]:
        """Return what it changes in one replication: what is uncertain is drawn."""
        if self.made is None:
            return self.changes
        return self.made({one.name: one.draw(seed, number) for one in self.uncertain})


class Form(BaseModel):
    """The keys of a mapping in a file of options."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def know_keys(
    node: Node, known: Sequence[str], where: str, findings: list[Finding]
) -> None:
    """Note the keys that are unknown."""
    for key, place in node.keys.items():
        if key not in known:
            msg = f'unknown key "{key}" in {where}; allowed are {listed(known)}'
            hint = did_you_mean(key, known)
            findings.append(Finding("LW106", msg, "error", *place, help=hint))


def section(root: Node, key: str, findings: list[Finding]) -> Node | None:
    """Return a mapping in a file, if it is there."""
    node = root.child(key)
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        msg = f"{key}: found {describe(node.plain())}; allowed is a mapping"
        findings.append(Finding("LW108", msg, "error", *node.place))
        return None
    return node


def read(form: type[Form], node: Node, where: str, findings: list[Finding]) -> Any:
    """Return what a node says, or None where it breaks the form."""
    if isinstance(node.value, dict):
        know_keys(node, tuple(form.model_fields), where, findings)
    try:
        return form.model_validate(node.plain())
    except ValidationError as error:
        findings += explain(error.errors(include_url=False), node)
        return None
