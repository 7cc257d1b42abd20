"""A problem, or a part of one, as a CP-SAT model.

Operations have one begin and one end for all their modes, and a literal for each mode
where there are several. The subjects of the model are modules of `cp`: here they are
put together, and an answer becomes a schedule again.

Where only some operations are free, the others stand where the hint has them, and the
model holds nothing of them but what the free ones meet.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright.schedule.cp.batches import Batches
from linewright.schedule.cp.facts import OBJECTIVES, Facts, Former, grain_of
from linewright.schedule.cp.fixing import Fixing
from linewright.schedule.cp.links import Links
from linewright.schedule.cp.needs import Needs
from linewright.schedule.cp.objectives import Objectives
from linewright.schedule.cp.operations import Operations
from linewright.schedule.cp.servers import Servers
from linewright.schedule.cp.variables import Variables
from linewright.schedule.problem import Problem, Solution

__all__ = ["OBJECTIVES", "CpModel", "Facts", "Former", "grain_of"]


class CpModel:
    """A CP-SAT model of a problem, its variables, and the way back.

    Args:
        problem: The problem.
        until_us: All is over by then.
        hint: A schedule to begin from; needed where not all operations are free.
        free: The operations that may be moved; all by default.
        former: Where operations were, for ``stability``.
        on_time: Whether it is a rule that orders are done when they are due.
        facts: What is known of the problem from another model of it.
        may_shrink: Whether what stands may come behind what needs less setup than it
            has; whoever asks for that puts the schedule to the left again.

    Attributes:
        model: The model.
        grain: Microseconds of one tick of its variables.
        rules: Literals of the rules that a person could let go, by what they say.
    """

    def __init__(  # noqa: PLR0913
        self,
        problem: Problem,
        until_us: int,
        *,
        hint: Solution | None = None,
        free: set[int] | None = None,
        former: Former | None = None,
        on_time: bool = False,
        facts: Facts | None = None,
        may_shrink: bool = False,
    ) -> None:
        self.problem, self.facts = problem, facts or Facts(problem)
        self._v = Variables(
            problem,
            until_us,
            hint=hint,
            free=free,
            facts=self.facts,
            former=former or {},
            may_shrink=may_shrink,
        )
        self.model, self.rules = self._v.model, self._v.rules
        self.grain = self.facts.grain
        self._objectives = Objectives(self._v)
        Operations(self._v).add()
        Batches(self._v).add()
        Servers(self._v).add()
        links = Links(self._v)
        links.add()
        Needs(self._v).add()
        links.add_same_order()
        fixing = Fixing(self._v)
        fixing.add()
        if on_time:
            fixing.add_on_time()

    # ------------------------------------------------------------ objectives

    def objective(self, name: str) -> tuple[Any, int]:
        """Return an objective as an expression, and what one unit of it is.

        Returns:
            The expression, and microseconds for each unit of it; 1 for a number.
        """
        return self._objectives.of(name)

    def sum_of_begins(self) -> Any:
        """Return the sum of all begins: the least puts everything to the left."""
        return self._objectives.sum_of_begins()

    def sum_of_ends(self) -> Any:
        """Return the sum of the ends that nothing free comes after."""
        return self._objectives.sum_of_ends()

    def give_hints(self, seconds: float = 3.0) -> None:
        """Tell the model where the hint is, in all its variables.

        What follows from those that are known is found by a search with them held: with
        a part of a hint CP-SAT may go on for long without any schedule.
        """
        if self._v.hint is None:
            return
        for var, value in self._v.hints:
            self._v.model.add_hint(var, value)
        solver = self._v.cp.CpSolver()
        solver.parameters.fix_variables_to_their_hinted_value = True
        solver.parameters.num_workers = 1
        solver.parameters.max_time_in_seconds = seconds
        status = solver.solve(self._v.model)
        if status not in (self._v.cp.OPTIMAL, self._v.cp.FEASIBLE):
            return
        values = list(solver.response_proto.solution)
        self._v.model.clear_hints()  # type: ignore[no-untyped-call]
        hint = self._v.model.proto.solution_hint
        hint.vars.extend(range(len(values)))
        hint.values.extend(values)

    def solution(self, value: Any, base: Solution | None = None) -> Solution:
        """Return the schedule of an answer.

        Args:
            value: Gives the value of a variable or a literal.
            base: Where the operations stand that are not free.
        """
        n = len(self._v.problem.operations)

        def copied(name: str, empty: int) -> Any:
            if base is None:
                return np.full(n, empty, np.int64)
            return getattr(base, name).copy()

        out = {
            name: copied(name, -1 if name == "batch" else 0)
            for name in (
                "mode", "server", "begin_us", "setup_us", "end_us", "leave_us", "batch",
            )
        }  # fmt: skip
        top = int(out["batch"].max(initial=-1)) + 1
        for o in sorted(self._v.free):
            modes = self._v.problem.operations[o].modes
            m = next(
                m for m in range(len(modes)) if self._true(value, self._v.modes[o, m])
            )
            out["mode"][o] = m
            out["begin_us"][o] = value(self._v.begins[o]) * self._v.grain
            out["end_us"][o] = value(self._v.ends[o]) * self._v.grain
            out["leave_us"][o] = value(self._v.leaves[o]) * self._v.grain
            out["setup_us"][o] = (
                value(self._v.setups[o]) * self._v.grain if o in self._v.setups else 0
            )
            out["server"][o] = next(
                (
                    s
                    for (i, j, s), on in self._servers_of(o).items()
                    if j == m and self._true(value, on)
                ),
                0,
            )
            for leader in self._leaders_of(o):
                if self._true(value, self._v.leads[o, leader]):
                    out["batch"][o] = top + leader
        solution = Solution(*out.values())
        self._give_servers(solution)
        return solution

    def _servers_of(self, o: int) -> dict[tuple[int, int, int], Any]:
        return {
            (o, m, s): self._v.servers[o, m, s]
            for m, mode in enumerate(self._v.problem.operations[o].modes)
            if mode.station >= 0
            for s in range(self._v.problem.stations[mode.station].n_servers)
            if (o, m, s) in self._v.servers
        }

    def _leaders_of(self, o: int) -> list[int]:
        if (o, o) not in self._v.leads:
            return []
        batching = self._v.problem.operations[o].batching
        assert batching is not None
        return [
            leader
            for leader in sorted(self._v.free)
            if leader <= o and (o, leader) in self._v.leads
        ]

    @staticmethod
    def _true(value: Any, literal: Any) -> bool:
        return bool(literal) if isinstance(literal, int) else bool(value(literal))

    def _give_servers(self, solution: Solution) -> None:
        """Share out the servers of stations whose servers are alike."""
        problem = self._v.problem
        for k in self._v.cumulative:
            free_at = [-1] * problem.stations[k].n_servers
            at_k = self._v.facts.station_of(solution) == k
            rows = np.flatnonzero(at_k).tolist()
            rows.sort(
                key=lambda o: (int(solution.begin_us[o]), int(solution.leave_us[o]), o)
            )
            at: dict[int, int] = {}
            for o in rows:
                number = int(solution.batch[o])
                if number >= 0 and number in at:
                    solution.server[o] = at[number]
                    continue
                begin = int(solution.begin_us[o])
                server = int(np.argmin(free_at))
                assert free_at[server] <= begin, "more at work than there are servers"
                solution.server[o] = server
                free_at[server] = int(solution.leave_us[o])
                if number >= 0:
                    at[number] = server
