"""What a schedule may be good for, as expressions of a CP-SAT model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from linewright.schedule.cp.variables import Variables
from linewright.schedule.problem import NEVER

__all__ = ["Objectives"]


class Objectives:
    """Makes expressions of objectives."""

    def __init__(self, given: Variables) -> None:
        self._v = given

    def of(self, name: str) -> tuple[Any, int]:
        """Return an objective as an expression, and what one unit of it is.

        Returns:
            The expression, and microseconds for each unit of it; 1 for a number.
        """
        demands = self._v.problem.demands
        if name == "setups":
            return sum(self._setups_counted()), self._v.grain
        if name == "stability":
            return self._moved(), self._v.grain
        done = {
            row: self._v.done(demand.last)
            for row, demand in enumerate(demands)
            if any(o in self._v.free for o in demand.last)
        }
        if name == "makespan":
            last = self._v.int_of(0, self._v.until, "makespan")
            for at in done.values():
                self._v.model.add(last >= at)
            return last, self._v.grain
        total: Any = 0
        for row, at in done.items():
            demand = demands[row]
            due = self._v.ticks(demand.due_us)
            if name == "flow_time":
                total += at - self._v.ticks(demand.release_us)
            elif name == "wip":
                total += len(demand.first) * at - sum(map(self._v.begin, demand.first))
            elif demand.due_us < NEVER and name == "tardiness":
                total += demand.weight * self._late(row, at, due)
            elif demand.due_us < NEVER:
                is_late = self._v.bool_of(f"late{row}")
                self._v.model.add(at <= due).only_enforce_if(is_late.negated())
                total += is_late
        return total, 1 if name == "late_orders" else self._v.grain

    def _late(self, row: int, at: Any, due: int) -> Any:
        late = self._v.int_of(0, max(self._v.until - due, 0), f"late{row}")
        self._v.model.add(late >= at - due)
        return late

    def _setups_counted(self) -> Iterable[Any]:
        for o in sorted(self._v.setups):
            leads = self._v.leads_itself(o)
            if isinstance(leads, int):
                yield self._v.setups[o]
            else:
                counted = self._v.int_of(0, self._v.until, f"c{o}")
                self._v.model.add(counted == self._v.setups[o]).only_enforce_if(leads)
                self._v.model.add(counted == 0).only_enforce_if(leads.negated())
                yield counted

    def _moved(self) -> Any:
        """Return by how much operations begin at other times, or elsewhere."""
        total: Any = 0
        for o, (m, s, at_us) in sorted(self._v.former.items()):
            if o not in self._v.free:
                continue
            moved = self._v.int_of(0, self._v.until, f"moved{o}")
            at = self._v.ticks(at_us)
            self._v.model.add(moved >= self._v.begins[o] - at)
            self._v.model.add(moved >= at - self._v.begins[o])
            total += moved
            stays = self._v.servers.get((o, m, s), self._v.modes.get((o, m), 0))
            least = min(mode.work_us for mode in self._v.problem.operations[o].modes)
            total += self._v.ticks(least) * (1 - stays)
        return total

    def sum_of_begins(self) -> Any:
        """Return the sum of all begins: the least puts everything to the left."""
        return sum(self._v.begins[o] for o in sorted(self._v.free))

    def sum_of_ends(self) -> Any:
        """Return the sum of the ends that nothing free comes after."""
        return sum(
            self._v.ends[o]
            for o in sorted(self._v.free)
            if not any(
                self._v.problem.links[r].after in self._v.free for r in self._v.after[o]
            )
        )
