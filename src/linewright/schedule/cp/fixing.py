"""What is tied: setups to their arcs, operations to servers and times."""

from __future__ import annotations

from typing import Any

from linewright.schedule.cp.variables import Variables
from linewright.schedule.problem import NEVER

__all__ = ["Fixing"]


class Fixing:
    """Adds what is fixed."""

    def __init__(self, given: Variables) -> None:
        self._v = given

    def add(self) -> None:  # noqa: C901
        """Tie setups to their arcs, operations to servers, and hold what is fixed."""
        for o, terms in self._v.setup_terms.items():
            if o not in self._v.setups:
                continue
            leads = self._v.leads_itself(o)
            constraint = self._v.model.add(self._v.setups[o] == sum(terms))
            if not isinstance(leads, int):
                constraint.only_enforce_if(leads)
        for o in self._v.setups:
            if o not in self._v.setup_terms:
                self._v.model.add(self._v.setups[o] == 0)
        for o in sorted(self._v.free):
            operation = self._v.problem.operations[o]
            if operation.same_server_as >= 0:
                self._same_server(o, operation.same_server_as)
            fixed = operation.fixed
            if fixed is None:
                continue
            rule = self._v.rule(f"{operation.part}: {operation.name} stays where it is")
            at = self._v.ticks(fixed.begin_us)
            self._v.model.add(self._v.begins[o] == at).only_enforce_if(rule)
            if not isinstance(self._v.modes[o, fixed.mode], int):
                self._v.model.add(self._v.modes[o, fixed.mode] == 1)
            server = self._v.servers.get((o, fixed.mode, fixed.server), 1)
            if not isinstance(server, int):
                self._v.model.add(server == 1)

    def add_on_time(self) -> None:
        """Let it be a rule that orders are done when they are due."""
        for demand in self._v.problem.demands:
            if demand.due_us < NEVER:
                rule = self._v.rule(f'order "{demand.name}" is done when it is due')
                at = self._v.done(demand.last)
                self._v.model.add(at <= self._v.ticks(demand.due_us)).only_enforce_if(
                    rule
                )

    def _same_server(self, o: int, other: int) -> None:
        one, two = self._v.problem.operations[o], self._v.problem.operations[other]
        for m, mode in enumerate(one.modes):
            same = [n for n, m2 in enumerate(two.modes) if m2.station == mode.station]
            for s in range(self._v.problem.stations[mode.station].n_servers):
                mine = self._v.servers.get((o, m, s))
                if mine is None:
                    continue
                theirs: Any = 0
                for n in same:
                    if other in self._v.free:
                        theirs = self._v.servers.get((other, n, s), 0)
                    elif self._v.hint is not None:
                        theirs = int(
                            self._v.hint.mode[other] == n
                            and self._v.hint.server[other] == s
                        )
                if not (isinstance(mine, int) and isinstance(theirs, int)):
                    self._v.model.add(mine == theirs)
