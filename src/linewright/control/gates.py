"""Gates: work at an inspection is held until somebody has decided.

A gate closes when too many of the last units were rejected, or when measured values
break a rule of a control chart around the mean of the model. Then the servers of its
stations are to hold, and work that ends there nevertheless waits with its result. It
opens by a recorded decision with a name and a reason, and counts from zero again.

All of it follows from the journal's records, so that a restart knows it, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.lower import Lowered, Made, StepQuality
from linewright.stats.control_charts import LONGEST_RULE, broken_at

__all__ = ["Closed", "Gates", "Guarded", "gate_subject", "release_problem"]

_LONGEST = 200


class Closed(NamedTuple):
    """A gate that has closed, and why."""

    name: str
    why: str


def gate_subject(name: str) -> str:
    """Return what an alarm about a gate is about."""
    return f"gate {name}"


def release_problem(data: Mapping[str, Any]) -> str:
    """Return why a decision cannot be taken down, or nothing."""
    for key, what in (("who", "the name of who decided"), ("why", "the reason")):
        text = data.get(key)
        if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
            return f"{key} is {text!r:.60}; it is {what}, up to {_LONGEST} characters"
    return ""


class Guarded:
    """What the gates of a line guard, as its model has it.

    Attributes:
        of_step: What is measured and held at a step that has a gate, by row.
        names: The same, by the gate's name.
        step_of: Row of a step, by product and operation; empty without gates.
        servers: Servers of each station; empty without gates.
    """

    def __init__(self, lowered: Lowered) -> None:
        self.of_step = {of.row: of for of in lowered.quality if of.gate is not None}
        self.names = {_name(of): of for of in self.of_step.values()}
        self.step_of: dict[tuple[str, str], int] = {}
        self.servers: list[range] = []
        if not self.names:
            return
        products, operations = lowered.names.products, lowered.names.operations
        self.step_of = {
            (products[int(product)], operations[row]): row
            for row, product in enumerate(lowered.tables.steps["product"])
        }
        first = lowered.tables.stations["first_server"].tolist()
        counts = lowered.tables.stations["n_servers"].tolist()
        self.servers = [range(i, i + n) for i, n in zip(first, counts, strict=True)]


class Gates:
    """The gates of a line; see the module's head.

    Args:
        guarded: What they guard.

    Attributes:
        names: What each gate guards, by its name.
        closed: Gates that are closed, by name, and why.
        held: Servers that are to hold because of them.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded, self.names = guarded, guarded.names
        self.closed: dict[str, str] = {}
        self.held: frozenset[int] = frozenset()
        self._rejected: dict[str, list[int]] = {}
        self._points: dict[str, dict[str, list[float]]] = {}

    def follow(
        self, rows: Sequence[Sequence[int]], measured: Sequence[Mapping[str, Any]]
    ) -> list[Closed]:
        """Take what a record says; return the gates that close.

        Args:
            rows: Rows of the trace, without their time.
            measured: What was measured, as `read_measured` puts it.
        """
        found: list[Closed] = []
        for one in measured:
            row = self._guarded.step_of[one["unit"][0], one["operation"]]
            if of := self._guarded.of_step.get(row):
                found += self._measured(of, one["values"])
        for kind, _, _, _, step, value, _ in rows:
            if kind == t.T_VERDICT and (of := self._guarded.of_step.get(step)):
                found += self._judged(of, value & 3 != t.PASS)
        for closed in found:
            self.closed.setdefault(closed.name, closed.why)
        self._hold()
        return found

    def _judged(self, of: StepQuality, is_rejected: bool) -> list[Closed]:
        gate, name = of.gate, _name(of)
        assert gate
        if gate.rejects is None or name in self.closed:
            return []
        n = gate.of or gate.rejects
        last = self._rejected.setdefault(name, [])
        last.append(int(is_rejected))
        del last[:-n]
        if sum(last) < gate.rejects:
            return []
        return [Closed(name, f"{sum(last)} of the last {len(last)} units are rejected")]

    def _measured(self, of: StepQuality, values: Mapping[str, float]) -> list[Closed]:
        gate, name = of.gate, _name(of)
        assert gate
        if gate.signal is None or name in self.closed:
            return []
        points = self._points.setdefault(name, {})
        for made in of.read:
            error = _error(made)
            if made.name not in values or error == 0:
                continue
            last = points.setdefault(made.name, [])
            last.append((values[made.name] - made.of.center) / error)
            del last[:-LONGEST_RULE]
            if broken := broken_at(last, gate.signal):
                return [Closed(name, f"{made.name}: {broken[0][1]}")]
        return []

    def release(self, name: str) -> frozenset[int]:
        """Open a gate, and return the servers that it held."""
        self.closed.pop(name, None)
        self._rejected.pop(name, None)
        self._points.pop(name, None)
        before = self.held
        self._hold()
        return before - self.held

    def _hold(self) -> None:
        self.held = frozenset(
            server
            for name in self.closed
            for station in self.names[name].stations
            for server in self._guarded.servers[station]
        )

    def notes(self) -> dict[str, Any]:
        """Return what is known, in the values of JSON."""
        return {
            "closed": self.closed,
            "rejected": self._rejected,
            "points": self._points,
        }

    def restore(self, notes: Mapping[str, Any]) -> None:
        """Go on from what `notes` returned."""
        self.closed = dict(notes["closed"])
        self._rejected = {name: list(last) for name, last in notes["rejected"].items()}
        self._points = {
            name: {key: list(last) for key, last in of.items()}
            for name, of in notes["points"].items()
        }
        self._hold()


def _error(made: Made) -> float:
    """Return the standard deviation of single values."""
    if made.of.counted:
        return float(made.of.center**0.5)
    return made.of.sd or 0.0


def _name(of: StepQuality) -> str:
    return f"{of.operation} of {of.product}"
