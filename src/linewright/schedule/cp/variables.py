"""The variables of a CP-SAT model, as all of its rules share them.

An operation that is free has variables; one that is not stands where the hint has it,
and the same questions (`begin`, `end`, `leave`, `has`) give plain numbers then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from linewright.schedule.cp.facts import Facts, Former
from linewright.schedule.problem import Problem, Solution

__all__ = ["Variables"]


class Variables:
    """Variables and literals by operation, and what makes more of them.

    Args:
        problem: The problem.
        until_us: All is over by then.
        hint: A schedule to begin from; needed where not all operations are free.
        free: The operations that may be moved; all by default.
        facts: What is known of the problem.
        former: Where operations were in a former schedule.
        may_shrink: Whether what stands may come behind what needs less setup than it
            has.

    Attributes:
        model: CP-SAT's model.
        grain: Microseconds of one tick; all times here are ticks.
        whole: Whether all operations are free.
        low: Earliest begin of each free operation.
        high: Its latest end.
        begins: When a server takes it.
        ends: When its work is over.
        leaves: When its server has got rid of it.
        departs_of: When its part leaves for a storage with places, by link.
        modes: Whether it is done in a mode, by operation and mode.
        servers: Whether at a server, by operation, mode and server.
        setups: Working time of its setup.
        setup_terms: What its setup is the sum of.
        leads: Whether it is in the batch of a leader, by operation and leader.
        begin_spans: Whether it begins in a span, by operation and calendar.
        cumulative: Stations whose servers are all alike.
        rules: Literals of the rules that a person could let go, by what they say.
        hints: Variables and where the hint has them.
    """

    def __init__(  # noqa: PLR0913
        self,
        problem: Problem,
        until_us: int,
        *,
        hint: Solution | None,
        free: set[int] | None,
        facts: Facts,
        former: Former,
        may_shrink: bool,
    ) -> None:
        from ortools.sat.python import cp_model  # noqa: PLC0415 - optional

        self.cp = cp_model
        self.model = cp_model.CpModel()
        self.problem, self.hint, self.facts = problem, hint, facts
        self.former, self.may_shrink = former, may_shrink
        self.grain = facts.grain
        self.until = until_us // self.grain
        self.free = free if free is not None else set(range(len(problem.operations)))
        self.whole = free is None
        self.spans = facts.spans
        self.after, self.before = facts.after, facts.before
        self.hints: list[tuple[Any, int]] = []
        self.rules: dict[str, Any] = {}
        self.low: dict[int, int] = {}
        self.high: dict[int, int] = {}
        self.begins: dict[int, Any] = {}
        self.ends: dict[int, Any] = {}
        self.leaves: dict[int, Any] = {}
        self.departs_of: dict[int, Any] = {}
        self.modes: dict[tuple[int, int], Any] = {}
        self.servers: dict[tuple[int, int, int], Any] = {}
        self.setups: dict[int, Any] = {}
        self.setup_terms: dict[int, list[Any]] = defaultdict(list)
        self.leads: dict[tuple[int, int], Any] = {}
        self.begin_spans: dict[tuple[int, int], dict[int, Any]] = {}
        self.cumulative: list[int] = []
        self._sizes: dict[tuple[str, str], Any] = {}

    def ticks(self, us: int) -> int:
        """Return a time in ticks."""
        return us // self.grain

    def int_of(self, low: int, high: int, name: str, hint: int | None = None) -> Any:
        """Return a new variable of whole numbers, hinted at if that is known."""
        var = self.model.new_int_var(low, max(low, high), name)
        if hint is not None:
            self.hints.append((var, min(max(hint, low), max(low, high))))
        return var

    def bool_of(self, name: str, hint: bool | None = None) -> Any:
        """Return a new literal, hinted at if that is known."""
        var = self.model.new_bool_var(name)
        if hint is not None:
            self.hints.append((var, int(hint)))
        return var

    def hinted(self, values: Any, o: int) -> int | None:
        """Return a time of an operation in the hint, in ticks."""
        return None if self.hint is None else int(values[o]) // self.grain

    def at(self, o: int) -> tuple[int, int, int]:
        """Return begin, end and leaving of an operation that is not free."""
        assert self.hint is not None
        return tuple(  # type: ignore[return-value]
            int(values[o]) // self.grain
            for values in (self.hint.begin_us, self.hint.end_us, self.hint.leave_us)
        )

    def begin(self, o: int) -> Any:
        """Return the begin of an operation: a variable, or where it stands."""
        return self.begins[o] if o in self.free else self.at(o)[0]

    def end(self, o: int) -> Any:
        """Return the end of an operation."""
        return self.ends[o] if o in self.free else self.at(o)[1]

    def leave(self, o: int) -> Any:
        """Return when an operation's server has got rid of it."""
        return self.leaves[o] if o in self.free else self.at(o)[2]

    def has(self, o: int, m: int) -> Any:
        """Return whether an operation is done in a mode: a literal, or 0 or 1."""
        if o in self.free:
            return self.modes[o, m]
        assert self.hint is not None
        return int(self.hint.mode[o] == m)

    def leads_itself(self, o: int) -> Any:
        """Return whether an operation takes a server: it is alone, or leads a batch."""
        return self.leads.get((o, o), 1)

    def both(self, one: Any, two: Any, name: str, hint: bool | None = None) -> Any:
        """Return whether two literals are true."""
        if isinstance(one, int):
            return two if one else 0
        if isinstance(two, int):
            return one if two else 0
        both = self.bool_of(name, hint)
        self.model.add_multiplication_equality(both, [one, two])
        return both

    def span(self, begin: Any, until: Any, literal: Any, name: str) -> Any:
        """Return an interval from one variable to another, with a size of its own."""
        key = str(begin), str(until)
        if key not in self._sizes:
            size = self.int_of(0, self.until, f"z{name}")
            self.model.add(size == until - begin)
            self._sizes[key] = size
        size = self._sizes[key]
        if isinstance(literal, int):
            return self.model.new_interval_var(begin, size, until, name)
        return self.model.new_optional_interval_var(begin, size, until, literal, name)

    def inside(
        self, var: Any, spans: Sequence[tuple[int, int]], given: Iterable[Any]
    ) -> None:
        """Keep a variable inside spans, where some literals are true."""
        domain = self.cp.Domain.from_intervals([list(span) for span in spans])
        constraint = self.model.add_linear_expression_in_domain(var, domain)
        literals = [lit for lit in given if not isinstance(lit, int)]
        if literals:
            constraint.only_enforce_if(literals)

    def rule(self, name: str) -> Any:
        """Return a literal that stands for a rule that may be asked to give way."""
        if name not in self.rules:
            self.rules[name] = self.bool_of(f"rule {name}", hint=True)
        return self.rules[name]

    def departs(self, row: int) -> Any:
        """Return when a part leaves for the storage of a link, or just ends."""
        link = self.problem.links[row]
        if link.before not in self.free:
            return self.at(link.before)[2 if link.storage >= 0 else 1]
        return self.departs_of.get(row, self.ends[link.before])

    def done(self, last: Sequence[int]) -> Any:
        """Return when the last of some operations is done, after its rest."""
        ends = [
            self.end(o) + self.ticks(self.problem.operations[o].rest_us) for o in last
        ]
        if len(ends) == 1:
            return ends[0]
        at = self.int_of(0, self.until, "done")
        for end in ends:
            self.model.add(at >= end)
        return at
