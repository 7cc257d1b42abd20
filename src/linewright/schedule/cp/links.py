"""What comes after what, and the places in between."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, pairwise
from typing import Any

from linewright.schedule.cp.variables import Variables
from linewright.schedule.problem import NEVER

__all__ = ["Links"]


class Links:
    """Adds links, storages and the groups that keep one order."""

    def __init__(self, given: Variables) -> None:
        self._v = given

    def add(self) -> None:
        """Add the links of the free operations, and the storages between them."""
        problem = self._v.problem
        rows = {
            r for o in self._v.free for r in (*self._v.before[o], *self._v.after[o])
        }
        for row in sorted(rows):
            self._link(row)
        storages = {problem.links[r].storage for r in rows} - {-1}
        outputs: dict[int, list[int]] = defaultdict(list)
        for storage in sorted(storages):
            held = self._near(self._v.facts.stored[storage], rows)
            self._storage(storage, held)
            for row in held:
                output = problem.operations[problem.links[row].before].output
                if output >= 0 and problem.storages[output].places < NEVER:
                    outputs[output].append(row)
        for storage, held in sorted(outputs.items()):
            self._output(storage, held)

    def _near(self, held: list[int], mine: set[int]) -> list[int]:
        """Return the links of a storage that the free operations can meet in it."""
        if self._v.whole or self._v.hint is None:
            return held
        links = self._v.problem.links
        low = min(
            (self._v.low.get(links[r].before, self._v.until) for r in mine), default=0
        )
        starts = [self._v.low[o] for o in self._v.free]
        low = min(low, *starts) * self._v.grain
        high = max(self._v.high[o] for o in self._v.free) * self._v.grain
        hint = self._v.hint
        return [
            r
            for r in held
            if r in mine
            or (
                int(hint.begin_us[links[r].after]) >= low
                and int(hint.end_us[links[r].before]) <= high
            )
        ]

    def _link(self, row: int) -> None:
        problem, model = self._v.problem, self._v.model
        link = problem.links[row]
        begin = self._v.begin(link.after)
        least = self._v.ticks(link.min_us)
        done = self._v.end(link.before)
        if link.moves:
            least += self._v.ticks(problem.operations[link.before].rest_us)
            done = self._v.departs(row)
        rule = (
            self._v.rule(
                f"{problem.operations[link.after].part}: "
                f"{problem.operations[link.after].name} at most so long after "
                f"{problem.operations[link.before].name}"
            )
            if link.max_us < NEVER
            else None
        )
        ways = self._ways(row)
        for way, literals in ways:
            constraint = model.add(begin >= done + least + way)
            if literals:
                constraint.only_enforce_if(literals)
        if rule is not None:
            latest = self._v.end(link.before) + self._v.ticks(link.max_us)
            model.add(begin <= latest).only_enforce_if(rule)

    def _ways(self, row: int) -> list[tuple[int, list[Any]]]:
        """Return the times of a way, with the literals under which they hold."""
        link = self._v.problem.links[row]
        found: list[tuple[int, list[Any]]] = []
        one = self._v.problem.operations[link.before].modes
        two = self._v.problem.operations[link.after].modes
        found.append((0, []))
        for a, b, way_us in link.ways_us:
            if way_us == 0:
                continue
            literals = []
            for modes, station, o in ((one, a, link.before), (two, b, link.after)):
                here = [
                    self._v.has(o, m)
                    for m, mode in enumerate(modes)
                    if mode.station == station
                ]
                literals += here[:1] or [0]
            if any(isinstance(x, int) and x == 0 for x in literals):
                continue
            given = [x for x in literals if not isinstance(x, int)]
            found.append((self._v.ticks(way_us), given))
        return found

    def _storage(self, storage: int, rows: list[int]) -> None:
        """Keep those who wait between two operations to the places there are."""
        problem, model = self._v.problem, self._v.model
        places = problem.storages[storage].places
        if not any(self._meets(row) for row in rows):
            return
        intervals = []
        for row in rows:
            link = problem.links[row]
            depart, begin = self._v.departs(row), self._v.begin(link.after)
            if isinstance(depart, int) and isinstance(begin, int):
                if begin > depart and places > 0:
                    intervals.append(
                        model.new_fixed_size_interval_var(
                            depart, begin - depart, "stay"
                        )
                    )
                continue
            if places == 0:
                way = max((us for _, _, us in link.ways_us), default=0)
                if way == 0 and link.min_us == 0:
                    model.add(depart == begin)
                continue
            intervals.append(self._v.span(depart, begin, 1, f"w{row}"))
        if places > 0 and len(intervals) > places:
            model.add_cumulative(intervals, [1] * len(intervals), places)
        if problem.storages[storage].in_turn:
            self._in_turn(rows)

    def _meets(self, row: int) -> bool:
        link = self._v.problem.links[row]
        return link.before in self._v.free or link.after in self._v.free

    def _output(self, storage: int, rows: list[int]) -> None:
        problem, model = self._v.problem, self._v.model
        intervals = []
        for row in rows:
            link = problem.links[row]
            if link.before not in self._v.free:
                continue
            leave, depart = self._v.leaves[link.before], self._v.departs(row)
            intervals.append(self._v.span(leave, depart, 1, f"o{row}"))
        places = problem.storages[storage].places
        if len(intervals) > places:
            model.add_cumulative(intervals, [1] * len(intervals), places)

    def _in_turn(self, rows: list[int]) -> None:
        """Take parts from a storage in the order in which they became ready for it."""
        links = self._v.problem.links
        hint = self._v.hint
        for one, two in combinations(rows, 2):
            if not (self._meets(one) or self._meets(two)):
                continue
            a, b = links[one], links[two]
            known = None
            if hint is not None:
                known = bool(
                    (hint.end_us[a.before], hint.begin_us[a.after])
                    <= (hint.end_us[b.before], hint.begin_us[b.after])
                )
            first = self._v.bool_of(f"t{one},{two}", known)
            for x, y, literal in ((a, b, first), (b, a, first.negated())):
                ahead, behind = (one, two) if x is a else (two, one)
                for low, high in (
                    (self._v.end(x.before), self._v.end(y.before)),
                    (self._v.departs(ahead), self._v.departs(behind)),
                    (self._v.begin(x.after), self._v.begin(y.after)),
                ):
                    if isinstance(low, int) and isinstance(high, int):
                        if low > high:
                            self._v.model.add(literal == 0)
                        continue
                    self._v.model.add(low <= high).only_enforce_if(literal)

    def add_same_order(self) -> None:
        """Let jobs keep one order at the stations of a group."""
        for group in self._v.problem.same_order:
            hint = self._v.hint
            for one, two in combinations(group, 2):
                if one[0] not in self._v.free and two[0] not in self._v.free:
                    continue
                known = None
                if hint is not None:
                    known = bool(hint.begin_us[one[0]] < hint.begin_us[two[0]])
                first = self._v.bool_of("g", known)
                together = self._together(one[0], two[0])
                for a, b in zip(one, two, strict=True):
                    for x, y, literal in ((a, b, first), (b, a, first.negated())):
                        self._v.model.add(
                            self._v.leave(x) <= self._v.begin(y)
                        ).only_enforce_if([literal, *together])
        for rows in self._v.problem.same_mode:
            for o, following in pairwise(rows):
                for m in range(len(self._v.problem.operations[o].modes)):
                    self._v.model.add(self._v.has(o, m) == self._v.has(following, m))

    def _together(self, one: int, two: int) -> list[Any]:
        """Return what has to be true for two operations to be in modes of one row."""
        modes = range(len(self._v.problem.operations[one].modes))
        if len(modes) == 1:
            return []
        same = self._v.bool_of("t")
        for m in modes:
            # where both are in mode m, they are together
            self._v.model.add(self._v.has(one, m) + self._v.has(two, m) <= 1 + same)
        return [same]
