"""Servers: one at a time, and in which sequence where there are setups.

Servers that are all alike are one cumulative constraint; each has intervals of its own
only where setups, an operation before or a fixed one tell them apart. A setup is what
the arc into an operation says, on the circuit of its server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from linewright.schedule.cp.variables import Variables

__all__ = ["Servers"]


class Servers:
    """Adds the servers."""

    def __init__(self, given: Variables) -> None:
        self._v = given

    def add(self) -> None:
        """Add the servers of all stations that free operations may be at."""
        at: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for o in sorted(self._v.free):
            for m, mode in enumerate(self._v.problem.operations[o].modes):
                if mode.station >= 0:
                    at[mode.station].append((o, m))
        fixed_at: dict[int, list[int]] = defaultdict(list)
        if not self._v.whole:
            assert self._v.hint is not None
            stations = self._v.facts.station_of(self._v.hint)
            for k in at:
                here = np.flatnonzero(stations == k).tolist()
                fixed_at[k] = [o for o in here if o not in self._v.free]
        bound = self._bound_to_servers()
        for k, pairs in sorted(at.items()):
            self._station(k, pairs, fixed_at[k], tells_apart=k in bound)

    def _bound_to_servers(self) -> set[int]:
        """Return the stations whose servers must be told apart."""
        problem = self._v.problem
        bound: set[int] = set()
        for o in self._v.free:
            operation = problem.operations[o]
            if operation.same_server_as >= 0 or operation.fixed is not None:
                bound.update(mode.station for mode in operation.modes)
                if operation.same_server_as >= 0:
                    other = problem.operations[operation.same_server_as]
                    bound.update(mode.station for mode in other.modes)
        return bound

    def _station(
        self,
        k: int,
        pairs: list[tuple[int, int]],
        fixed: list[int],
        *,
        tells_apart: bool,
    ) -> None:
        station = self._v.problem.stations[k]
        has_setups = station.setups_us is not None
        present = {
            (o, m): self._v.both(
                self._v.modes[o, m], self._v.leads_itself(o), f"p{o},{m}"
            )
            for o, m in pairs
        }
        if not (has_setups or tells_apart) or (
            station.n_servers == 1 and not has_setups
        ):
            for o, m in pairs:
                self._v.servers[o, m, 0] = self._v.modes[o, m]
            self._alike(station.n_servers, present, fixed)
            if station.n_servers > 1:
                self._v.cumulative.append(k)
            return
        self._told_apart(k, present, fixed)

    def _mode_interval(self, o: int, m: int, literal: Any, name: str) -> Any:
        """Return the span of an operation on its server in one mode."""
        mode = self._v.problem.operations[o].modes[m]
        stops = (
            mode.shift_end == "interrupt"
            and mode.station >= 0
            and self._v.problem.stations[mode.station].calendar >= 0
        )
        until = self._v.leaves[o]
        if until is self._v.ends[o] and o not in self._v.setups and not stops:
            size = self._v.ticks(mode.work_us)
            begin = self._v.begins[o]
            if isinstance(literal, int):
                return self._v.model.new_fixed_size_interval_var(begin, size, name)
            return self._v.model.new_optional_fixed_size_interval_var(
                begin, size, literal, name
            )
        return self._v.span(self._v.begins[o], until, literal, name)

    def _blocks(
        self, fixed: Iterable[int], low: int, high: int
    ) -> list[tuple[int, int, int]]:
        """Return the spans of operations that stand, and their servers."""
        assert self._v.hint is not None or not fixed
        found, seen = [], set()
        for o in fixed:
            begin, _, leave = self._v.at(o)
            if leave <= low or begin >= high:
                continue
            number = int(self._v.hint.batch[o]) if self._v.hint is not None else -1
            if number >= 0 and number in seen:
                continue
            seen.add(number)
            server = 0 if self._v.hint is None else int(self._v.hint.server[o])
            found.append((begin, leave, server))
        return found

    def _alike(
        self, n_servers: int, present: dict[tuple[int, int], Any], fixed: list[int]
    ) -> None:
        intervals = [
            self._mode_interval(o, m, literal, f"i{o},{m}")
            for (o, m), literal in present.items()
            if not (isinstance(literal, int) and literal == 0)
        ]
        low = min(self._v.low[o] for o, _ in present)
        high = max(self._v.high[o] for o, _ in present)
        intervals += [
            self._v.model.new_fixed_size_interval_var(begin, leave - begin, "block")
            for begin, leave, _ in self._blocks(fixed, low, high)
        ]
        if n_servers == 1:
            self._v.model.add_no_overlap(intervals)
        elif len(intervals) > n_servers:
            self._v.model.add_cumulative(intervals, [1] * len(intervals), n_servers)

    def _told_apart(
        self, k: int, present: dict[tuple[int, int], Any], fixed: list[int]
    ) -> None:
        """Give every server its own intervals and, with setups, its own sequence."""
        station = self._v.problem.stations[k]
        hint = self._v.hint
        low = min(self._v.low[o] for o, _ in present)
        high = max(self._v.high[o] for o, _ in present)
        blocks = self._blocks(fixed, low, high)
        for o, m in present:
            for s in range(station.n_servers):
                known = None
                if hint is not None:
                    known = bool(hint.mode[o] == m and hint.server[o] == s)
                on = self._v.modes[o, m]
                if station.n_servers > 1:
                    on = self._v.bool_of(f"v{o},{m},{s}", known)
                self._v.servers[o, m, s] = on
            if station.n_servers > 1:
                servers = [self._v.servers[o, m, s] for s in range(station.n_servers)]
                self._v.model.add(sum(servers) == self._v.modes[o, m])
        self._join_servers(k, station.n_servers)
        for s in range(station.n_servers):
            here = {}
            intervals = []
            for o, m in present:
                literal = self._v.both(
                    self._v.servers[o, m, s], self._v.leads_itself(o), f"q{o},{m},{s}"
                )
                here[o] = literal
                intervals.append(self._mode_interval(o, m, literal, f"i{o},{m},{s}"))
            mine = [(begin, leave) for begin, leave, server in blocks if server == s]
            intervals += [
                self._v.model.new_fixed_size_interval_var(begin, leave - begin, "block")
                for begin, leave in mine
            ]
            self._v.model.add_no_overlap(intervals)
            if station.setups_us is not None:
                self._sequence(k, s, here, fixed)

    def _join_servers(self, k: int, n_servers: int) -> None:
        """Let those of one batch be on one server."""
        for (o, leader), joins in self._v.leads.items():
            if o == leader:
                continue
            for m, mode in enumerate(self._v.problem.operations[o].modes):
                if mode.station == k:
                    for s in range(n_servers):
                        one = self._v.servers[o, m, s]
                        two = self._v.servers[leader, m, s]
                        if not isinstance(one, int):
                            self._v.model.add(one == two).only_enforce_if(joins)

    def _sequence(
        self,
        k: int,
        s: int,
        here: dict[int, Any],
        fixed: list[int],
    ) -> None:
        """Put what a server does in a sequence, with the setups in between."""
        rows = [o for o in here if self._family(o, k) >= 0]
        if not rows:
            return
        ahead, between, behind = self._neighbours(k, s, rows, fixed)
        order = self._hinted_order(k, s, [*rows, *between])
        following = dict(pairwise([-1, *order, -1]))
        nodes = [-1, *rows, *between]
        place = {o: i for i, o in enumerate(nodes)}
        arcs: list[tuple[int, int, Any]] = []
        for one in nodes:
            for two in nodes:
                if one == two != -1:
                    continue
                before = ahead if one == -1 else one
                after = behind if two == -1 else two
                if one != two and not self._can_follow(k, before, after):
                    continue
                known = None if self._v.hint is None else following.get(one) == two
                literal = self._v.bool_of(f"a{k},{s},{one},{two}", known)
                arcs.append((place[one], place[two], literal))
                if one != two:
                    self._follow(k, before, after, literal)
        arcs += [
            (place[o], place[o], here[o].negated())
            for o in rows
            if not isinstance(here[o], int)
        ]
        self._v.model.add_circuit(arcs)

    def _hinted_order(self, k: int, s: int, rows: list[int]) -> list[int]:
        """Return what the hint has on a server, in order; of a batch its leader."""
        hint = self._v.hint
        if hint is None:
            return []
        mine = [
            o
            for o in rows
            if self._mode_at(o, k) == hint.mode[o] and hint.server[o] == s
        ]
        order = []
        seen: set[int] = set()
        for o in sorted(mine, key=lambda o: (int(hint.begin_us[o]), o)):
            number = int(hint.batch[o])
            if number < 0 or number not in seen:
                order.append(o)
            seen.add(number)
        return order

    def _needed(self, k: int, before: int | None, after: int) -> int:
        """Return the setup of an operation behind another, or the first of all."""
        times = self._v.problem.stations[k].setups_us
        assert times is not None
        family = -1 if before is None else self._family(before, k)
        return self._v.ticks(times[family][self._family(after, k)])

    def _can_follow(  # noqa: PLR0911
        self, k: int, before: int | None, after: int | None
    ) -> bool:
        """Say whether an operation may come next on a server after another.

        What stands keeps its times, and so needs no longer setup than it has.
        """
        if after is None:
            return True
        needed = self._needed(k, before, after)
        gap = needed if self._v.problem.stations[k].setup_ahead else 0
        if after not in self._v.free and self._v.hint is not None:
            has = self._v.ticks(int(self._v.hint.setup_us[after]))
            if not gap and (needed > has or (needed < has and not self._v.may_shrink)):
                return False
            if before is not None and before not in self._v.free:
                return self._v.at(before)[2] + gap <= self._v.at(after)[0]
            return before is None or self._v.low[before] + gap <= self._v.at(after)[0]
        if before is None:
            return True
        if before in self._v.free:
            return self._v.low[before] <= self._v.high[after]
        return self._v.at(before)[2] <= self._v.high[after]

    def _follow(
        self, k: int, before: int | None, after: int | None, literal: Any
    ) -> None:
        """Let an operation come next after another, if a literal is true."""
        if after is None:
            return
        needed = self._needed(k, before, after)
        gap = needed if self._v.problem.stations[k].setup_ahead else 0
        leave: Any = 0 if before is None else self._v.leave(before)
        begin = self._v.begin(after)
        is_known = isinstance(leave, int) and isinstance(begin, int)
        if not is_known and (before is not None or gap):
            self._v.model.add(begin >= leave + gap).only_enforce_if(literal)
        if needed and after in self._v.free:
            self._v.setup_terms[after].append(needed * literal)

    def _mode_at(self, o: int, k: int) -> int:
        modes = self._v.problem.operations[o].modes
        return next(m for m, mode in enumerate(modes) if mode.station == k)

    def _family(self, o: int, k: int) -> int:
        return self._v.problem.operations[o].modes[self._mode_at(o, k)].family

    def _neighbours(
        self, k: int, s: int, rows: list[int], fixed: list[int]
    ) -> tuple[int | None, list[int], int | None]:
        """Return what stands on a server before the free ones, among, and behind."""
        hint = self._v.hint
        if not fixed or hint is None:
            return None, [], None
        first = min(int(hint.begin_us[o]) for o in rows)
        last = max(int(hint.begin_us[o]) for o in rows)
        mine = [o for o in fixed if hint.server[o] == s and self._family(o, k) >= 0]
        order = self._hinted_order(k, s, mine)
        before = [o for o in order if int(hint.begin_us[o]) < first]
        behind = [o for o in order if int(hint.begin_us[o]) > last]
        among = order[len(before) : len(order) - len(behind)]
        return (
            before[-1] if before else None,
            among,
            behind[0] if behind else None,
        )
