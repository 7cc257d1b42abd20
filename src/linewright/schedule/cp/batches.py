"""Operations that share a batch: each batch has one leader."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from linewright.schedule.cp.variables import Variables
from linewright.schedule.problem import Problem

__all__ = ["Batches"]


class Batches:
    """Adds the batches."""

    def __init__(self, given: Variables) -> None:
        self._v = given

    def add(self) -> None:
        """Let operations of a group share batches: each has one leader."""
        groups: dict[int, list[int]] = defaultdict(list)
        for o in sorted(self._v.free):
            batching = self._v.problem.operations[o].batching
            if batching is not None:
                groups[batching.group].append(o)
        for rows in groups.values():
            self._group(rows)

    def _group(self, rows: list[int]) -> None:
        problem, hint = self._v.problem, self._v.hint
        first_of: dict[int, int] = {}
        for o in rows:
            if hint is not None and hint.batch[o] >= 0:
                first_of.setdefault(int(hint.batch[o]), o)
        for o in rows:
            known = None if hint is None else first_of.get(int(hint.batch[o]), o)
            for leader in rows:
                if leader > o:
                    break
                is_known = None if known is None else known == leader
                self._v.leads[o, leader] = self._v.bool_of(f"j{o},{leader}", is_known)
            self._v.model.add_exactly_one(
                self._v.leads[o, leader] for leader in rows if leader <= o
            )
        short = []
        for leader in rows:
            leads = self._v.leads[leader, leader]
            members = [o for o in rows if o >= leader]
            units = sum(_units(problem, o) * self._v.leads[o, leader] for o in members)
            batching = problem.operations[leader].batching
            assert batching is not None
            self._v.model.add(units <= batching.most * leads)
            if batching.least > 1 and self._v.whole:
                less = self._v.bool_of(f"less{leader}")
                short.append(less)
                self._v.model.add(units >= batching.least).only_enforce_if(
                    [leads, less.negated()]
                )
            for o in members[1:]:
                joins = self._v.leads[o, leader]
                self._v.model.add_implication(joins, leads)
                self._as_one(o, leader, joins)
        if short:
            self._v.model.add(sum(short) <= 1)

    def _as_one(self, o: int, leader: int, joins: Any) -> None:
        """Let an operation begin and end with the leader of its batch."""
        model = self._v.model
        model.add(self._v.begins[o] == self._v.begins[leader]).only_enforce_if(joins)
        model.add(self._v.ends[o] == self._v.ends[leader]).only_enforce_if(joins)
        for m in range(len(self._v.problem.operations[o].modes)):
            one, two = self._v.modes[o, m], self._v.modes[leader, m]
            if not isinstance(one, int):
                model.add(one == two).only_enforce_if(joins)
        if o in self._v.setups:
            model.add(self._v.setups[o] == self._v.setups[leader]).only_enforce_if(
                joins
            )


def _units(problem: Problem, o: int) -> int:
    batching = problem.operations[o].batching
    assert batching is not None
    return batching.units
