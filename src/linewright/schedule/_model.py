"""A problem, or a part of one, as a CP-SAT model.

Operations have one begin and one end for all their modes, and a literal for each mode
where there are several. Servers that are all alike are one cumulative constraint; each
has intervals of its own only where setups, an operation before or a fixed one tell them
apart. A setup is what the arc into an operation says, on the circuit of its server.

Work that stands still off shift: with O(k) the time off before the k-th span of a
calendar, an operation that begins in span i and ends in span j obeys

    end = begin + work + O(j) - O(i),

with one literal for each span that begin and end may lie in. So the model is exact to
the tick, and no variable stands for a single break.

Where only some operations are free, the others stand where the hint has them, and the
model holds nothing of them but what the free ones meet.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from linewright.schedule.listing import phase_of, tails_of
from linewright.schedule.problem import (
    LOAD,
    NEVER,
    PROCESS,
    SETUP,
    UNLOAD,
    Calendar,
    Mode,
    Need,
    Problem,
    Solution,
)

__all__ = ["OBJECTIVES", "CpModel", "Facts", "Former", "grain_of"]

OBJECTIVES = (
    "tardiness", "makespan", "flow_time", "setups", "wip", "stability", "late_orders",
)  # fmt: skip
"""What a schedule may be good for; several are looked at one after the other."""

Former = dict[int, tuple[int, int, int]]
"""Mode, server and begin of operations in a former schedule."""

_MANY_PAIRS = 60_000


def grain_of(problem: Problem) -> int:  # noqa: C901
    """Return the greatest time of which all times of a problem are multiples."""
    times: set[int] = set()
    for operation in problem.operations:
        times.update((operation.release_us, operation.rest_us))
        if operation.fixed is not None:
            times.add(operation.fixed.begin_us)
        for mode in operation.modes:
            times.update((mode.process_us, mode.load_us, mode.unload_us))
    for station in problem.stations:
        for row in station.setups_us or ():
            times.update(row)
    for link in problem.links:
        times.update((link.min_us, *(way for _, _, way in link.ways_us)))
        if link.max_us < NEVER:
            times.add(link.max_us)
    times.update(hold.back_us for hold in problem.holds)
    for demand in problem.demands:
        times.add(demand.release_us)
        if demand.due_us < NEVER:
            times.add(demand.due_us)
    grain = math.gcd(*times) if times else 1
    for calendar in problem.calendars:
        for part in (calendar.begin_us, calendar.end_us, calendar.shift_end_us):
            if len(part):
                grain = math.gcd(grain, int(np.gcd.reduce(part)))
    return max(grain, 1)


class _Spans:
    """The spans of a calendar, in grains, with the time off before each."""

    def __init__(self, calendar: Calendar, grain: int) -> None:
        self.begin = (calendar.begin_us // grain).tolist()
        self.end = (calendar.end_us // grain).tolist()
        self.shift_end = (calendar.shift_end_us // grain).tolist()
        self.off: list[int] = []
        worked = 0
        for begin, end in zip(self.begin, self.end, strict=True):
            self.off.append(begin - worked)
            worked += end - begin
        self._begin_np = np.array(self.begin, np.int64)
        self._end_np = np.array(self.end, np.int64)

    def between(self, low: int, high: int) -> range:
        """Return the spans that have an instant in common with ``low..high``."""
        first = int(np.searchsorted(self._end_np, low, side="left"))
        last = int(np.searchsorted(self._begin_np, high, side="right"))
        return range(first, last)

    def begins(self, low: int, high: int, process: int | None) -> list[tuple[int, int]]:
        """Return where work may begin: inside a span, and where it fits."""
        out = []
        for i in self.between(low, high):
            last = self.end[i] - 1
            if process is not None:
                left = 0
                j = i + 1
                while j < len(self.end) and self.end[j] <= self.shift_end[i]:
                    left += self.end[j] - self.begin[j]
                    j += 1
                last = min(last, self.end[i] + left - process)
            if self.begin[i] <= last:
                out.append((self.begin[i], last))
        return out


class Facts:
    """What every model of one problem needs to know, found out once."""

    def __init__(self, problem: Problem) -> None:
        self.grain = grain_of(problem)
        self.spans = [_Spans(c, self.grain) for c in problem.calendars]
        self.after, self.before = problem.successors(), problem.predecessors()
        self.order = problem.in_order()
        self.tails = tails_of(problem)
        self.rank = np.empty(len(self.order), np.int64)
        self.rank[self.order] = np.arange(len(self.order))
        self.most = max((len(o.modes) for o in problem.operations), default=1)
        self.stations = np.full((len(self.order), self.most), -1, np.int64)
        self.holds: dict[int, list[int]] = defaultdict(list)
        self.stored: dict[int, list[int]] = defaultdict(list)
        self.needy = []
        for o, operation in enumerate(problem.operations):
            for m, mode in enumerate(operation.modes):
                self.stations[o, m] = mode.station
            if any(mode.needs for mode in operation.modes):
                self.needy.append(o)
        for row, link in enumerate(problem.links):
            if link.storage >= 0:
                self.stored[link.storage].append(row)
        for row, hold in enumerate(problem.holds):
            self.holds[hold.resource].append(row)

    def station_of(self, solution: Solution) -> Any:
        """Return the station at which a schedule has each operation."""
        return self.stations[np.arange(len(self.stations)), solution.mode]


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
        from ortools.sat.python import cp_model  # noqa: PLC0415 - optional

        self._cp = cp_model
        self.model = cp_model.CpModel()
        self.problem, self._hint, self._former = problem, hint, former or {}
        self.facts = facts or Facts(problem)
        self.may_shrink = may_shrink
        self.grain = self.facts.grain
        self._until = until_us // self.grain
        self._free = free if free is not None else set(range(len(problem.operations)))
        self._whole = free is None
        self._spans = self.facts.spans
        self._hints: list[tuple[Any, int]] = []
        self._after, self._before = self.facts.after, self.facts.before
        self.rules: dict[str, Any] = {}
        self._begin: dict[int, Any] = {}
        self._end: dict[int, Any] = {}
        self._leave: dict[int, Any] = {}
        self._depart: dict[int, Any] = {}
        self._mode: dict[tuple[int, int], Any] = {}
        self._server: dict[tuple[int, int, int], Any] = {}
        self._setup: dict[int, Any] = {}
        self._setup_terms: dict[int, list[Any]] = defaultdict(list)
        self._leads: dict[tuple[int, int], Any] = {}
        self._sizes: dict[tuple[str, str], Any] = {}
        self._begin_lits: dict[tuple[int, int], dict[int, Any]] = {}
        self._bounds()
        for o in sorted(self._free):
            self._operation(o)
        for o in sorted(self._free):
            self._leaving(o)
        self._batching()
        self._stations()
        self._links()
        self._resources()
        self._same_order()
        self._fixed()
        if on_time:
            self._on_time()

    # ------------------------------------------------------------ small things

    def _ticks(self, us: int) -> int:
        return us // self.grain

    def _int(self, low: int, high: int, name: str, hint: int | None = None) -> Any:
        var = self.model.new_int_var(low, max(low, high), name)
        if hint is not None:
            self._hints.append((var, min(max(hint, low), max(low, high))))
        return var

    def _bool(self, name: str, hint: bool | None = None) -> Any:
        var = self.model.new_bool_var(name)
        if hint is not None:
            self._hints.append((var, int(hint)))
        return var

    def _hinted(self, values: Any, o: int) -> int | None:
        return None if self._hint is None else int(values[o]) // self.grain

    def _at(self, o: int) -> tuple[int, int, int]:
        """Return begin, end and leaving of an operation that is not free."""
        assert self._hint is not None
        return tuple(  # type: ignore[return-value]
            int(values[o]) // self.grain
            for values in (self._hint.begin_us, self._hint.end_us, self._hint.leave_us)
        )

    def begin(self, o: int) -> Any:
        """Return the begin of an operation: a variable, or where it stands."""
        return self._begin[o] if o in self._free else self._at(o)[0]

    def end(self, o: int) -> Any:
        """Return the end of an operation."""
        return self._end[o] if o in self._free else self._at(o)[1]

    def leave(self, o: int) -> Any:
        """Return when an operation's server has got rid of it."""
        return self._leave[o] if o in self._free else self._at(o)[2]

    def has(self, o: int, m: int) -> Any:
        """Return whether an operation is done in a mode: a literal, or 0 or 1."""
        if o in self._free:
            return self._mode[o, m]
        assert self._hint is not None
        return int(self._hint.mode[o] == m)

    # ------------------------------------------------------------ operations

    def _bounds(self) -> None:
        """Find the earliest begin of each operation, and its latest end."""
        problem, tails = self.problem, self.facts.tails
        self._low: dict[int, int] = {}
        self._high: dict[int, int] = {}
        done: dict[int, int] = {}
        self._free_in_order = sorted(self._free, key=lambda o: int(self.facts.rank[o]))
        for o in self._free_in_order:
            operation = problem.operations[o]
            at = operation.release_us
            for row in self._before[o]:
                link = problem.links[row]
                if link.before in done:
                    least = done[link.before]
                else:
                    least = self._at(link.before)[1] * self.grain
                least += link.min_us
                if link.moves:
                    least += problem.operations[link.before].rest_us
                at = max(at, least)
            begins = [problem.may_begin(mode, at) for mode in operation.modes]
            ends = [
                NEVER if b >= NEVER else problem.end_of(mode, b, mode.work_us)
                for mode, b in zip(operation.modes, begins, strict=True)
            ]
            self._low[o] = min(begins) // self.grain
            done[o] = min(ends)
            self._high[o] = self._until - int(tails[o]) // self.grain
        if not self._whole:
            self._bounds_of_part()

    def _bounds_of_part(self) -> None:
        """Bring begins and ends together: to what stands behind, and to the window.

        Nothing moves by more than the window is long.
        """
        ends = [self._at(o)[1] for o in self._free]
        begins = [self._at(o)[0] for o in self._free]
        span = max(ends, default=0) - min(begins, default=0)
        for o in self._free:
            begin, end, _ = self._at(o)
            self._low[o] = max(self._low[o], begin - span)
            self._high[o] = min(self._high[o], end + span)
        for o in reversed(self._free_in_order):
            rest = self._ticks(self.problem.operations[o].rest_us)
            for row in self._after[o]:
                link = self.problem.links[row]
                if link.after not in self._free:
                    latest = self._at(link.after)[0] - self._ticks(link.min_us)
                    self._high[o] = min(self._high[o], latest - rest * link.moves)
                else:
                    least = min(
                        m.work_us for m in self.problem.operations[link.after].modes
                    )
                    latest = self._high[link.after] - self._ticks(least + link.min_us)
                    self._high[o] = min(self._high[o], latest - rest * link.moves)

    def _operation(self, o: int) -> None:
        operation = self.problem.operations[o]
        low, high = self._low[o], self._high[o]
        hint = self._hint
        begin = self._int(low, high, f"b{o}", self._hinted(hint and hint.begin_us, o))
        end = self._int(low, high, f"e{o}", self._hinted(hint and hint.end_us, o))
        self._begin[o], self._end[o] = begin, end
        if len(operation.modes) == 1:
            self._mode[o, 0] = 1
        else:
            for m in range(len(operation.modes)):
                known = None if hint is None else bool(hint.mode[o] == m)
                self._mode[o, m] = self._bool(f"m{o},{m}", known)
            self.model.add_exactly_one(
                self._mode[o, m] for m in range(len(operation.modes))
            )
        work: Any = sum(
            self._mode[o, m] * self._ticks(mode.work_us)
            for m, mode in enumerate(operation.modes)
        )
        if self._has_setup(o):
            most = max(
                max(map(max, times))
                for mode in operation.modes
                if (times := self.problem.stations[mode.station].setups_us) is not None
            )
            setup = self._hinted(hint and hint.setup_us, o)
            self._setup[o] = self._int(0, self._ticks(most), f"s{o}", setup)
            work += self._setup[o]
        self.model.add(end == begin + work + self._time_off(o, begin, end))

    def _has_setup(self, o: int) -> bool:
        """Say whether a setup is part of an operation's work in one of its modes."""
        return any(
            mode.station >= 0
            and mode.family >= 0
            and self.problem.stations[mode.station].setups_us is not None
            and not self.problem.stations[mode.station].setup_ahead
            for mode in self.problem.operations[o].modes
        )

    def _time_off(self, o: int, begin: Any, end: Any) -> Any:
        """Return the time that an operation stands still, and keep it to its shifts."""
        operation = self.problem.operations[o]
        kinds: dict[tuple[int, str, int, bool], list[int]] = defaultdict(list)
        for m, mode in enumerate(operation.modes):
            row = (
                self.problem.stations[mode.station].calendar
                if mode.station >= 0
                else -1
            )
            if row >= 0:
                fits = mode.process_us if mode.shift_end == "fit" else 0
                how = "interrupt" if mode.shift_end == "interrupt" else "finish"
                waits = how == "interrupt" and mode.last_phase != PROCESS
                kinds[row, how, fits, waits].append(m)
        off: Any = 0
        low, high = self._low[o], self._high[o]
        for (row, how, fits, waits), modes in kinds.items():
            spans = self._spans[row]
            here = spans.begins(low, high, self._ticks(fits) if fits else None)
            every = len(modes) == len(operation.modes)
            if how == "finish" and every:
                self._inside(begin, here, ())
                continue
            if how == "finish":
                for m in modes:
                    self._inside(begin, here, (self._mode[o, m],))
                continue
            group: Any = 1 if every else sum(self._mode[o, m] for m in modes)
            off += self._stands_still(o, row, begin, end, group, waits)
        return off

    def _inside(
        self, var: Any, spans: Sequence[tuple[int, int]], given: Iterable[Any]
    ) -> None:
        """Keep a variable inside spans, where some literals are true."""
        domain = self._cp.Domain.from_intervals([list(span) for span in spans])
        constraint = self.model.add_linear_expression_in_domain(var, domain)
        literals = [lit for lit in given if not isinstance(lit, int)]
        if literals:
            constraint.only_enforce_if(literals)

    def _stands_still(
        self, o: int, row: int, begin: Any, end: Any, group: Any, waits: bool
    ) -> Any:
        """Return the time off between begin and end of work that stops off shift.

        What `waits` is not over at the end of a span, but when the next one begins.
        """
        early, late = (0, 1) if waits else (1, 0)
        spans = self._spans[row]
        hint = self._hint
        low, high = self._low[o], self._high[o]
        first: dict[int, Any] = {}
        last: dict[int, Any] = {}
        begin_at = self._hinted(hint and hint.begin_us, o)
        end_at = self._hinted(hint and hint.end_us, o)
        for i in spans.between(low, high):
            known = None
            if begin_at is not None:
                known = spans.begin[i] <= begin_at < spans.end[i]
            if spans.end[i] > low:
                first[i] = self._bool(f"b{o}@{i}", known)
            if end_at is not None:
                known = spans.begin[i] + early <= end_at <= spans.end[i] - late
            if spans.begin[i] + early <= high:
                last[i] = self._bool(f"e{o}@{i}", known)
        self._begin_lits[o, row] = first
        for literals in (first, last):
            self.model.add(sum(literals.values()) == group)
        if isinstance(group, int):
            self.model.add(begin >= sum(spans.begin[i] * x for i, x in first.items()))
            self.model.add(
                begin <= sum((spans.end[i] - 1) * x for i, x in first.items())
            )
            self.model.add(
                end >= sum((spans.begin[i] + early) * x for i, x in last.items())
            )
            self.model.add(
                end <= sum((spans.end[i] - late) * x for i, x in last.items())
            )
        else:
            for i, x in first.items():
                self.model.add(begin >= spans.begin[i]).only_enforce_if(x)
                self.model.add(begin <= spans.end[i] - 1).only_enforce_if(x)
            for i, x in last.items():
                self.model.add(end >= spans.begin[i] + early).only_enforce_if(x)
                self.model.add(end <= spans.end[i] - late).only_enforce_if(x)
        return sum(spans.off[i] * x for i, x in last.items()) - sum(
            spans.off[i] * x for i, x in first.items()
        )

    def _leaving(self, o: int) -> None:
        """Add when a part leaves its server, and when for the next storage."""
        problem = self.problem
        operation = problem.operations[o]
        stored = [row for row in self._after[o] if problem.links[row].storage >= 0]
        end = self._end[o]
        self._leave[o] = end
        if not stored:
            return
        assert len(stored) == 1, "a part goes one way"
        hint = self._hint
        left = self._hinted(hint and hint.leave_us, o)
        depart = self._int(self._low[o], self._until, f"d{o}", left)
        self.model.add(depart >= end)
        self._depart[stored[0]] = depart
        if operation.output < 0:
            self._leave[o] = depart
            return
        places = problem.storages[operation.output].places
        if places < NEVER:
            leave = self._int(self._low[o], self._until, f"l{o}", left)
            self.model.add(leave >= end)
            self.model.add(depart >= leave)
            self._leave[o] = leave

    # ------------------------------------------------------------ batches

    def _batching(self) -> None:
        """Let operations of a group share batches: each has one leader."""
        groups: dict[int, list[int]] = defaultdict(list)
        for o in sorted(self._free):
            batching = self.problem.operations[o].batching
            if batching is not None:
                groups[batching.group].append(o)
        for rows in groups.values():
            self._group(rows)

    def _group(self, rows: list[int]) -> None:
        problem, hint = self.problem, self._hint
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
                self._leads[o, leader] = self._bool(f"j{o},{leader}", is_known)
            self.model.add_exactly_one(
                self._leads[o, leader] for leader in rows if leader <= o
            )
        short = []
        for leader in rows:
            leads = self._leads[leader, leader]
            members = [o for o in rows if o >= leader]
            units = sum(_units(problem, o) * self._leads[o, leader] for o in members)
            batching = problem.operations[leader].batching
            assert batching is not None
            self.model.add(units <= batching.most * leads)
            if batching.least > 1 and self._whole:
                less = self._bool(f"less{leader}")
                short.append(less)
                self.model.add(units >= batching.least).only_enforce_if(
                    [leads, less.negated()]
                )
            for o in members[1:]:
                joins = self._leads[o, leader]
                self.model.add_implication(joins, leads)
                self._as_one(o, leader, joins)
        if short:
            self.model.add(sum(short) <= 1)

    def _as_one(self, o: int, leader: int, joins: Any) -> None:
        """Let an operation begin and end with the leader of its batch."""
        model = self.model
        model.add(self._begin[o] == self._begin[leader]).only_enforce_if(joins)
        model.add(self._end[o] == self._end[leader]).only_enforce_if(joins)
        for m in range(len(self.problem.operations[o].modes)):
            one, two = self._mode[o, m], self._mode[leader, m]
            if not isinstance(one, int):
                model.add(one == two).only_enforce_if(joins)
        if o in self._setup:
            model.add(self._setup[o] == self._setup[leader]).only_enforce_if(joins)

    def _leads_itself(self, o: int) -> Any:
        """Return whether an operation takes a server: it is alone, or leads a batch."""
        return self._leads.get((o, o), 1)

    def _both(self, one: Any, two: Any, name: str, hint: bool | None = None) -> Any:
        """Return whether two literals are true."""
        if isinstance(one, int):
            return two if one else 0
        if isinstance(two, int):
            return one if two else 0
        both = self._bool(name, hint)
        self.model.add_multiplication_equality(both, [one, two])
        return both

    # ------------------------------------------------------------ servers

    def _stations(self) -> None:
        at: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for o in sorted(self._free):
            for m, mode in enumerate(self.problem.operations[o].modes):
                if mode.station >= 0:
                    at[mode.station].append((o, m))
        fixed_at: dict[int, list[int]] = defaultdict(list)
        if not self._whole:
            assert self._hint is not None
            stations = self.facts.station_of(self._hint)
            for k in at:
                here = np.flatnonzero(stations == k).tolist()
                fixed_at[k] = [o for o in here if o not in self._free]
        bound = self._bound_to_servers()
        self._cumulative: list[int] = []
        for k, pairs in sorted(at.items()):
            self._station(k, pairs, fixed_at[k], tells_apart=k in bound)

    def _bound_to_servers(self) -> set[int]:
        """Return the stations whose servers must be told apart."""
        problem = self.problem
        bound: set[int] = set()
        for o in self._free:
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
        station = self.problem.stations[k]
        has_setups = station.setups_us is not None
        present = {
            (o, m): self._both(self._mode[o, m], self._leads_itself(o), f"p{o},{m}")
            for o, m in pairs
        }
        if not (has_setups or tells_apart) or (
            station.n_servers == 1 and not has_setups
        ):
            for o, m in pairs:
                self._server[o, m, 0] = self._mode[o, m]
            self._alike(station.n_servers, present, fixed)
            if station.n_servers > 1:
                self._cumulative.append(k)
            return
        self._told_apart(k, present, fixed)

    def _span(self, begin: Any, until: Any, literal: Any, name: str) -> Any:
        """Return an interval from one variable to another, with a size of its own."""
        key = str(begin), str(until)
        if key not in self._sizes:
            size = self._int(0, self._until, f"z{name}")
            self.model.add(size == until - begin)
            self._sizes[key] = size
        size = self._sizes[key]
        if isinstance(literal, int):
            return self.model.new_interval_var(begin, size, until, name)
        return self.model.new_optional_interval_var(begin, size, until, literal, name)

    def _mode_interval(self, o: int, m: int, literal: Any, name: str) -> Any:
        """Return the span of an operation on its server in one mode."""
        mode = self.problem.operations[o].modes[m]
        stops = (
            mode.shift_end == "interrupt"
            and mode.station >= 0
            and self.problem.stations[mode.station].calendar >= 0
        )
        until = self._leave[o]
        if until is self._end[o] and o not in self._setup and not stops:
            size = self._ticks(mode.work_us)
            begin = self._begin[o]
            if isinstance(literal, int):
                return self.model.new_fixed_size_interval_var(begin, size, name)
            return self.model.new_optional_fixed_size_interval_var(
                begin, size, literal, name
            )
        return self._span(self._begin[o], until, literal, name)

    def _blocks(
        self, fixed: Iterable[int], low: int, high: int
    ) -> list[tuple[int, int, int]]:
        """Return the spans of operations that stand, and their servers."""
        assert self._hint is not None or not fixed
        found, seen = [], set()
        for o in fixed:
            begin, _, leave = self._at(o)
            if leave <= low or begin >= high:
                continue
            number = int(self._hint.batch[o]) if self._hint is not None else -1
            if number >= 0 and number in seen:
                continue
            seen.add(number)
            server = 0 if self._hint is None else int(self._hint.server[o])
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
        low = min(self._low[o] for o, _ in present)
        high = max(self._high[o] for o, _ in present)
        intervals += [
            self.model.new_fixed_size_interval_var(begin, leave - begin, "block")
            for begin, leave, _ in self._blocks(fixed, low, high)
        ]
        if n_servers == 1:
            self.model.add_no_overlap(intervals)
        elif len(intervals) > n_servers:
            self.model.add_cumulative(intervals, [1] * len(intervals), n_servers)

    def _told_apart(
        self, k: int, present: dict[tuple[int, int], Any], fixed: list[int]
    ) -> None:
        """Give every server its own intervals and, with setups, its own sequence."""
        station = self.problem.stations[k]
        hint = self._hint
        low = min(self._low[o] for o, _ in present)
        high = max(self._high[o] for o, _ in present)
        blocks = self._blocks(fixed, low, high)
        for o, m in present:
            for s in range(station.n_servers):
                known = None
                if hint is not None:
                    known = bool(hint.mode[o] == m and hint.server[o] == s)
                on = self._mode[o, m]
                if station.n_servers > 1:
                    on = self._bool(f"v{o},{m},{s}", known)
                self._server[o, m, s] = on
            if station.n_servers > 1:
                servers = [self._server[o, m, s] for s in range(station.n_servers)]
                self.model.add(sum(servers) == self._mode[o, m])
        self._join_servers(k, station.n_servers)
        for s in range(station.n_servers):
            here = {}
            intervals = []
            for o, m in present:
                literal = self._both(
                    self._server[o, m, s], self._leads_itself(o), f"q{o},{m},{s}"
                )
                here[o] = literal
                intervals.append(self._mode_interval(o, m, literal, f"i{o},{m},{s}"))
            mine = [(begin, leave) for begin, leave, server in blocks if server == s]
            intervals += [
                self.model.new_fixed_size_interval_var(begin, leave - begin, "block")
                for begin, leave in mine
            ]
            self.model.add_no_overlap(intervals)
            if station.setups_us is not None:
                self._sequence(k, s, here, fixed)

    def _join_servers(self, k: int, n_servers: int) -> None:
        """Let those of one batch be on one server."""
        for (o, leader), joins in self._leads.items():
            if o == leader:
                continue
            for m, mode in enumerate(self.problem.operations[o].modes):
                if mode.station == k:
                    for s in range(n_servers):
                        one = self._server[o, m, s]
                        two = self._server[leader, m, s]
                        if not isinstance(one, int):
                            self.model.add(one == two).only_enforce_if(joins)

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
                known = None if self._hint is None else following.get(one) == two
                literal = self._bool(f"a{k},{s},{one},{two}", known)
                arcs.append((place[one], place[two], literal))
                if one != two:
                    self._follow(k, before, after, literal)
        arcs += [
            (place[o], place[o], here[o].negated())
            for o in rows
            if not isinstance(here[o], int)
        ]
        self.model.add_circuit(arcs)

    def _hinted_order(self, k: int, s: int, rows: list[int]) -> list[int]:
        """Return what the hint has on a server, in order; of a batch its leader."""
        hint = self._hint
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
        times = self.problem.stations[k].setups_us
        assert times is not None
        family = -1 if before is None else self._family(before, k)
        return self._ticks(times[family][self._family(after, k)])

    def _can_follow(  # noqa: PLR0911
        self, k: int, before: int | None, after: int | None
    ) -> bool:
        """Say whether an operation may come next on a server after another.

        What stands keeps its times, and so needs no longer setup than it has.
        """
        if after is None:
            return True
        needed = self._needed(k, before, after)
        gap = needed if self.problem.stations[k].setup_ahead else 0
        if after not in self._free and self._hint is not None:
            has = self._ticks(int(self._hint.setup_us[after]))
            if not gap and (needed > has or (needed < has and not self.may_shrink)):
                return False
            if before is not None and before not in self._free:
                return self._at(before)[2] + gap <= self._at(after)[0]
            return before is None or self._low[before] + gap <= self._at(after)[0]
        if before is None:
            return True
        if before in self._free:
            return self._low[before] <= self._high[after]
        return self._at(before)[2] <= self._high[after]

    def _follow(
        self, k: int, before: int | None, after: int | None, literal: Any
    ) -> None:
        """Let an operation come next after another, if a literal is true."""
        if after is None:
            return
        needed = self._needed(k, before, after)
        gap = needed if self.problem.stations[k].setup_ahead else 0
        leave: Any = 0 if before is None else self.leave(before)
        begin = self.begin(after)
        is_known = isinstance(leave, int) and isinstance(begin, int)
        if not is_known and (before is not None or gap):
            self.model.add(begin >= leave + gap).only_enforce_if(literal)
        if needed and after in self._free:
            self._setup_terms[after].append(needed * literal)

    def _mode_at(self, o: int, k: int) -> int:
        modes = self.problem.operations[o].modes
        return next(m for m, mode in enumerate(modes) if mode.station == k)

    def _family(self, o: int, k: int) -> int:
        return self.problem.operations[o].modes[self._mode_at(o, k)].family

    def _neighbours(
        self, k: int, s: int, rows: list[int], fixed: list[int]
    ) -> tuple[int | None, list[int], int | None]:
        """Return what stands on a server before the free ones, among, and behind."""
        hint = self._hint
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

    # ------------------------------------------------------------ links

    def _links(self) -> None:
        problem = self.problem
        rows = {r for o in self._free for r in (*self._before[o], *self._after[o])}
        for row in sorted(rows):
            self._link(row)
        storages = {problem.links[r].storage for r in rows} - {-1}
        outputs: dict[int, list[int]] = defaultdict(list)
        for storage in sorted(storages):
            held = self._near(self.facts.stored[storage], rows)
            self._storage(storage, held)
            for row in held:
                output = problem.operations[problem.links[row].before].output
                if output >= 0 and problem.storages[output].places < NEVER:
                    outputs[output].append(row)
        for storage, held in sorted(outputs.items()):
            self._output(storage, held)

    def _near(self, held: list[int], mine: set[int]) -> list[int]:
        """Return the links of a storage that the free operations can meet in it."""
        if self._whole or self._hint is None:
            return held
        links = self.problem.links
        low = min(
            (self._low.get(links[r].before, self._until) for r in mine), default=0
        )
        starts = [self._low[o] for o in self._free]
        low = min(low, *starts) * self.grain
        high = max(self._high[o] for o in self._free) * self.grain
        hint = self._hint
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
        problem, model = self.problem, self.model
        link = problem.links[row]
        begin = self.begin(link.after)
        least = self._ticks(link.min_us)
        done = self.end(link.before)
        if link.moves:
            least += self._ticks(problem.operations[link.before].rest_us)
            done = self._departs(row)
        rule = (
            self._rule(
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
            latest = self.end(link.before) + self._ticks(link.max_us)
            model.add(begin <= latest).only_enforce_if(rule)

    def _departs(self, row: int) -> Any:
        """Return when a part leaves for the storage of a link, or just ends."""
        link = self.problem.links[row]
        if link.before not in self._free:
            return self._at(link.before)[2 if link.storage >= 0 else 1]
        return self._depart.get(row, self._end[link.before])

    def _ways(self, row: int) -> list[tuple[int, list[Any]]]:
        """Return the times of a way, with the literals under which they hold."""
        link = self.problem.links[row]
        found: list[tuple[int, list[Any]]] = []
        one = self.problem.operations[link.before].modes
        two = self.problem.operations[link.after].modes
        found.append((0, []))
        for a, b, way_us in link.ways_us:
            if way_us == 0:
                continue
            literals = []
            for modes, station, o in ((one, a, link.before), (two, b, link.after)):
                here = [
                    self.has(o, m)
                    for m, mode in enumerate(modes)
                    if mode.station == station
                ]
                literals += here[:1] or [0]
            if any(isinstance(x, int) and x == 0 for x in literals):
                continue
            given = [x for x in literals if not isinstance(x, int)]
            found.append((self._ticks(way_us), given))
        return found

    def _storage(self, storage: int, rows: list[int]) -> None:
        """Keep those who wait between two operations to the places there are."""
        problem, model = self.problem, self.model
        places = problem.storages[storage].places
        if not any(self._meets(row) for row in rows):
            return
        intervals = []
        for row in rows:
            link = problem.links[row]
            depart, begin = self._departs(row), self.begin(link.after)
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
            intervals.append(self._span(depart, begin, 1, f"w{row}"))
        if places > 0 and len(intervals) > places:
            model.add_cumulative(intervals, [1] * len(intervals), places)
        if problem.storages[storage].in_turn:
            self._in_turn(rows)

    def _meets(self, row: int) -> bool:
        link = self.problem.links[row]
        return link.before in self._free or link.after in self._free

    def _output(self, storage: int, rows: list[int]) -> None:
        problem, model = self.problem, self.model
        intervals = []
        for row in rows:
            link = problem.links[row]
            if link.before not in self._free:
                continue
            leave, depart = self._leave[link.before], self._departs(row)
            intervals.append(self._span(leave, depart, 1, f"o{row}"))
        places = problem.storages[storage].places
        if len(intervals) > places:
            model.add_cumulative(intervals, [1] * len(intervals), places)

    def _in_turn(self, rows: list[int]) -> None:
        """Take parts from a storage in the order in which they became ready for it."""
        links = self.problem.links
        hint = self._hint
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
            first = self._bool(f"t{one},{two}", known)
            for x, y, literal in ((a, b, first), (b, a, first.negated())):
                ahead, behind = (one, two) if x is a else (two, one)
                for low, high in (
                    (self.end(x.before), self.end(y.before)),
                    (self._departs(ahead), self._departs(behind)),
                    (self.begin(x.after), self.begin(y.after)),
                ):
                    if isinstance(low, int) and isinstance(high, int):
                        if low > high:
                            self.model.add(literal == 0)
                        continue
                    self.model.add(low <= high).only_enforce_if(literal)

    def _same_order(self) -> None:
        for group in self.problem.same_order:
            hint = self._hint
            for one, two in combinations(group, 2):
                if one[0] not in self._free and two[0] not in self._free:
                    continue
                known = None
                if hint is not None:
                    known = bool(hint.begin_us[one[0]] < hint.begin_us[two[0]])
                first = self._bool("g", known)
                together = self._together(one[0], two[0])
                for a, b in zip(one, two, strict=True):
                    for x, y, literal in ((a, b, first), (b, a, first.negated())):
                        self.model.add(self.leave(x) <= self.begin(y)).only_enforce_if(
                            [literal, *together]
                        )
        for rows in self.problem.same_mode:
            for o, following in pairwise(rows):
                for m in range(len(self.problem.operations[o].modes)):
                    self.model.add(self.has(o, m) == self.has(following, m))

    def _together(self, one: int, two: int) -> list[Any]:
        """Return what has to be true for two operations to be in modes of one row."""
        modes = range(len(self.problem.operations[one].modes))
        if len(modes) == 1:
            return []
        same = self._bool("t")
        for m in modes:
            # where both are in mode m, they are together
            self.model.add(self.has(one, m) + self.has(two, m) <= 1 + same)
        return [same]

    def _rule(self, name: str) -> Any:
        """Return a literal that stands for a rule that may be asked to give way."""
        if name not in self.rules:
            self.rules[name] = self._bool(f"rule {name}", hint=True)
        return self.rules[name]

    # ------------------------------------------------------------ resources

    def _resources(self) -> None:
        taken: dict[int, list[tuple[Any, int]]] = defaultdict(list)
        low = min((self._low[o] for o in self._free), default=0)
        high = max((self._high[o] for o in self._free), default=0)
        self._used_up()
        for o in sorted(self._free):
            for m, mode in enumerate(self.problem.operations[o].modes):
                literal = self._both(
                    self._mode[o, m], self._leads_itself(o), f"n{o},{m}"
                )
                for need in mode.needs:
                    self._need(o, m, mode, need, literal, taken)
        for row, hold in enumerate(self.problem.holds):
            if hold.first in self._free or hold.last in self._free:
                begin = self.begin(hold.first)
                last = self.begin(hold.last) if hold.at_begin else self.end(hold.last)
                until = last + self._ticks(hold.back_us)
                span = self._span(begin, until, 1, f"h{row}")
                taken[hold.resource].append((span, hold.quantity))
        if not self._whole:
            self._taken_by_fixed(taken, low, high)
        for resource, pairs in sorted(taken.items()):
            capacity = self.problem.resources[resource].capacity
            intervals = [span for span, _ in pairs]
            quantities = [n for _, n in pairs]
            if capacity == 1 and all(n == 1 for n in quantities):
                self.model.add_no_overlap(intervals)
            elif sum(quantities) > capacity:
                self.model.add_cumulative(intervals, quantities, capacity)

    def _is_used_up(self, need: Need) -> bool:
        """Say whether a need is of one resource that is never given back."""
        return len(need.resources) == 1 and (
            self.problem.resources[need.resources[0]].used_up
        )

    def _used_up(self) -> None:
        """Keep what is used up of a resource, whenever that is, to what there is."""
        terms: dict[int, list[Any]] = defaultdict(list)
        for o, operation in enumerate(self.problem.operations):
            for m, mode in enumerate(operation.modes):
                for need in mode.needs:
                    if self._is_used_up(need):
                        used = need.quantity * self.has(o, m)
                        terms[need.resources[0]].append(used)
        for resource, used in terms.items():
            self.model.add(sum(used) <= self.problem.resources[resource].capacity)

    def _need(
        self,
        o: int,
        m: int,
        mode: Mode,
        need: Need,
        literal: Any,
        taken: dict[int, list[tuple[Any, int]]],
    ) -> None:
        found = None if self._is_used_up(need) else self._phase(o, m, mode, need)
        if found is None:
            return
        begin, end = found
        name = f"u{o},{m},{need.phases}"
        choices = dict.fromkeys(need.resources, literal)
        if len(need.resources) > 1:
            choices = {r: self._bool(f"{name},{r}") for r in need.resources}
            self.model.add(sum(choices.values()) == literal)
        elif not need.resources:
            self.model.add(literal == 0)
        for resource, on in choices.items():
            span = self._span(begin, end, on, name)
            taken[resource].append((span, need.quantity))
            row = self.problem.resources[resource].calendar
            if row >= 0 and not self._covers(row, mode):
                here = self._spans[row].begins(self._low[o], self._high[o], None)
                self._inside(begin, here, (on,))

    def _covers(self, row: int, mode: Mode) -> bool:
        """Say whether people go by the very calendar of the station."""
        if mode.station < 0:
            return False
        same = self.problem.stations[mode.station].calendar == row
        return same and mode.shift_end == "interrupt"

    def _phase(self, o: int, m: int, mode: Mode, need: Need) -> tuple[Any, Any] | None:
        """Return when the phases begin and end in which something is needed."""
        setup: Any = self._setup.get(o, 0)
        bits = need.phases
        lowest = bits & -bits
        lengths = (
            (SETUP, setup), (LOAD, self._ticks(mode.load_us)),
            (PROCESS, self._ticks(mode.process_us)),
            (UNLOAD, self._ticks(mode.unload_us)),
        )  # fmt: skip
        before: Any = sum(length for bit, length in lengths if bit < lowest)
        inside: Any = sum(length for bit, length in lengths if bit & bits)
        behind: Any = sum(
            length for bit, length in lengths if bit > lowest and not bit & bits
        )
        if isinstance(inside, int) and inside == 0:
            return None
        begin, end = self._begin[o], self._end[o]
        if not (isinstance(before, int) and before == 0):
            phase = LOAD if mode.load_us and lowest > LOAD else SETUP
            if mode.process_us and lowest > PROCESS:
                phase = PROCESS
            begin = self._reached(o, m, mode, before, phase)
        if not (isinstance(behind, int) and behind == 0):
            phase = max(bit for bit, _ in lengths if bit & bits)
            end = self._reached(o, m, mode, before + inside, phase)
        return begin, end

    def _reached(self, o: int, m: int, mode: Mode, work: Any, phase: int) -> Any:
        """Return when so much of an operation's work is done, up to a phase's end."""
        name = str(phase)
        model = self.model
        row = self.problem.stations[mode.station].calendar if mode.station >= 0 else -1
        at = self._int(self._low[o], self._high[o], f"r{o},{m},{name}")
        given = [] if isinstance(self._mode[o, m], int) else [self._mode[o, m]]
        first = self._begin_lits.get((o, row))
        if row < 0 or mode.shift_end != "interrupt" or first is None:
            constraint = model.add(at == self._begin[o] + work)
            if given:
                constraint.only_enforce_if(given)
            return at
        spans = self._spans[row]
        last = {
            i: self._bool(f"r{o},{m},{name}@{i}")
            for i in spans.between(self._low[o], self._high[o])
        }
        model.add(sum(last.values()) == self._mode[o, m])
        late = 1 if phase in (LOAD, UNLOAD) else 0
        for i, x in last.items():
            model.add(at >= spans.begin[i] + 1 - late).only_enforce_if(x)
            model.add(at <= spans.end[i] - late).only_enforce_if(x)
        off = sum(spans.off[i] * x for i, x in last.items()) - sum(
            spans.off[i] * x for i, x in first.items()
        )
        constraint = model.add(at == self._begin[o] + work + off)
        if given:
            constraint.only_enforce_if(given)
        return at

    def _taken_by_fixed(
        self, taken: dict[int, list[tuple[Any, int]]], low: int, high: int
    ) -> None:
        """Add what operations that stand take of the resources of the free ones."""
        hint = self._hint
        assert hint is not None
        seen = set()
        near = (hint.begin_us < high * self.grain) & (hint.end_us > low * self.grain)
        needy = [o for o in self.facts.needy if near[o] and o not in self._free]
        for o in needy:
            operation = self.problem.operations[o]
            number = int(hint.batch[o])
            if number >= 0 and number in seen:
                continue
            seen.add(number)
            mode = operation.modes[int(hint.mode[o])]
            for need in mode.needs:
                first, last = phase_of(
                    self.problem, mode, need, int(hint.begin_us[o]),
                    int(hint.setup_us[o]), int(hint.end_us[o]),
                )  # fmt: skip
                self._block(
                    taken, need.resources[0], first, last, need.quantity, low, high
                )
        held = [self.problem.holds[row] for r in taken for row in self.facts.holds[r]]
        for hold in held:
            if hold.first in self._free or hold.last in self._free:
                continue
            at = hint.begin_us if hold.at_begin else hint.end_us
            last = int(at[hold.last]) + hold.back_us
            first = int(hint.begin_us[hold.first])
            self._block(taken, hold.resource, first, last, hold.quantity, low, high)

    def _block(  # noqa: PLR0913, PLR0917
        self,
        taken: dict[int, list[tuple[Any, int]]],
        resource: int,
        first_us: int,
        last_us: int,
        quantity: int,
        low: int,
        high: int,
    ) -> None:
        first, last = self._ticks(first_us), self._ticks(last_us)
        if resource in taken and first < high and last > low and last > first:
            span = self.model.new_fixed_size_interval_var(first, last - first, "taken")
            taken[resource].append((span, quantity))

    def _fixed(self) -> None:  # noqa: C901
        """Tie setups to their arcs, operations to servers, and hold what is fixed."""
        for o, terms in self._setup_terms.items():
            if o not in self._setup:
                continue
            leads = self._leads_itself(o)
            constraint = self.model.add(self._setup[o] == sum(terms))
            if not isinstance(leads, int):
                constraint.only_enforce_if(leads)
        for o in self._setup:
            if o not in self._setup_terms:
                self.model.add(self._setup[o] == 0)
        for o in sorted(self._free):
            operation = self.problem.operations[o]
            if operation.same_server_as >= 0:
                self._same_server(o, operation.same_server_as)
            fixed = operation.fixed
            if fixed is None:
                continue
            rule = self._rule(f"{operation.part}: {operation.name} stays where it is")
            at = self._ticks(fixed.begin_us)
            self.model.add(self._begin[o] == at).only_enforce_if(rule)
            if not isinstance(self._mode[o, fixed.mode], int):
                self.model.add(self._mode[o, fixed.mode] == 1)
            server = self._server.get((o, fixed.mode, fixed.server), 1)
            if not isinstance(server, int):
                self.model.add(server == 1)

    def _on_time(self) -> None:
        for demand in self.problem.demands:
            if demand.due_us < NEVER:
                rule = self._rule(f'order "{demand.name}" is done when it is due')
                at = self._done(demand.last)
                self.model.add(at <= self._ticks(demand.due_us)).only_enforce_if(rule)

    def _same_server(self, o: int, other: int) -> None:
        one, two = self.problem.operations[o], self.problem.operations[other]
        for m, mode in enumerate(one.modes):
            same = [n for n, m2 in enumerate(two.modes) if m2.station == mode.station]
            for s in range(self.problem.stations[mode.station].n_servers):
                mine = self._server.get((o, m, s))
                if mine is None:
                    continue
                theirs: Any = 0
                for n in same:
                    if other in self._free:
                        theirs = self._server.get((other, n, s), 0)
                    elif self._hint is not None:
                        theirs = int(
                            self._hint.mode[other] == n
                            and self._hint.server[other] == s
                        )
                if not (isinstance(mine, int) and isinstance(theirs, int)):
                    self.model.add(mine == theirs)

    # ------------------------------------------------------------ objectives

    def objective(self, name: str) -> tuple[Any, int]:
        """Return an objective as an expression, and what one unit of it is.

        Returns:
            The expression, and microseconds for each unit of it; 1 for a number.
        """
        demands = self.problem.demands
        if name == "setups":
            return sum(self._setups_counted()), self.grain
        if name == "stability":
            return self._moved(), self.grain
        done = {
            row: self._done(demand.last)
            for row, demand in enumerate(demands)
            if any(o in self._free for o in demand.last)
        }
        if name == "makespan":
            last = self._int(0, self._until, "makespan")
            for at in done.values():
                self.model.add(last >= at)
            return last, self.grain
        total: Any = 0
        for row, at in done.items():
            demand = demands[row]
            due = self._ticks(demand.due_us)
            if name == "flow_time":
                total += at - self._ticks(demand.release_us)
            elif name == "wip":
                total += len(demand.first) * at - sum(map(self.begin, demand.first))
            elif demand.due_us < NEVER and name == "tardiness":
                total += demand.weight * self._late(row, at, due)
            elif demand.due_us < NEVER:
                is_late = self._bool(f"late{row}")
                self.model.add(at <= due).only_enforce_if(is_late.negated())
                total += is_late
        return total, 1 if name == "late_orders" else self.grain

    def _late(self, row: int, at: Any, due: int) -> Any:
        late = self._int(0, max(self._until - due, 0), f"late{row}")
        self.model.add(late >= at - due)
        return late

    def _done(self, last: Sequence[int]) -> Any:
        ends = [
            self.end(o) + self._ticks(self.problem.operations[o].rest_us) for o in last
        ]
        if len(ends) == 1:
            return ends[0]
        at = self._int(0, self._until, "done")
        for end in ends:
            self.model.add(at >= end)
        return at

    def _setups_counted(self) -> Iterable[Any]:
        for o in sorted(self._setup):
            leads = self._leads_itself(o)
            if isinstance(leads, int):
                yield self._setup[o]
            else:
                counted = self._int(0, self._until, f"c{o}")
                self.model.add(counted == self._setup[o]).only_enforce_if(leads)
                self.model.add(counted == 0).only_enforce_if(leads.negated())
                yield counted

    def _moved(self) -> Any:
        """Return by how much operations begin at other times, or elsewhere."""
        total: Any = 0
        for o, (m, s, at_us) in sorted(self._former.items()):
            if o not in self._free:
                continue
            moved = self._int(0, self._until, f"moved{o}")
            at = self._ticks(at_us)
            self.model.add(moved >= self._begin[o] - at)
            self.model.add(moved >= at - self._begin[o])
            total += moved
            stays = self._server.get((o, m, s), self._mode.get((o, m), 0))
            least = min(mode.work_us for mode in self.problem.operations[o].modes)
            total += self._ticks(least) * (1 - stays)
        return total

    def sum_of_begins(self) -> Any:
        """Return the sum of all begins: the least puts everything to the left."""
        return sum(self._begin[o] for o in sorted(self._free))

    def sum_of_ends(self) -> Any:
        """Return the sum of the ends that nothing free comes after."""
        return sum(
            self._end[o]
            for o in sorted(self._free)
            if not any(
                self.problem.links[r].after in self._free for r in self._after[o]
            )
        )

    def give_hints(self, seconds: float = 3.0) -> None:
        """Tell the model where the hint is, in all its variables.

        What follows from those that are known is found by a search with them held: with
        a part of a hint CP-SAT may go on for long without any schedule.
        """
        if self._hint is None:
            return
        for var, value in self._hints:
            self.model.add_hint(var, value)
        solver = self._cp.CpSolver()
        solver.parameters.fix_variables_to_their_hinted_value = True
        solver.parameters.num_workers = 1
        solver.parameters.max_time_in_seconds = seconds
        status = solver.solve(self.model)
        if status not in (self._cp.OPTIMAL, self._cp.FEASIBLE):
            return
        values = list(solver.response_proto.solution)
        self.model.clear_hints()  # type: ignore[no-untyped-call]
        hint = self.model.proto.solution_hint
        hint.vars.extend(range(len(values)))
        hint.values.extend(values)

    # ------------------------------------------------------------ the way back

    def solution(self, value: Any, base: Solution | None = None) -> Solution:
        """Return the schedule of an answer.

        Args:
            value: Gives the value of a variable or a literal.
            base: Where the operations stand that are not free.
        """
        n = len(self.problem.operations)

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
        for o in sorted(self._free):
            modes = self.problem.operations[o].modes
            m = next(
                m for m in range(len(modes)) if self._true(value, self._mode[o, m])
            )
            out["mode"][o] = m
            out["begin_us"][o] = value(self._begin[o]) * self.grain
            out["end_us"][o] = value(self._end[o]) * self.grain
            out["leave_us"][o] = value(self._leave[o]) * self.grain
            out["setup_us"][o] = (
                value(self._setup[o]) * self.grain if o in self._setup else 0
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
                if self._true(value, self._leads[o, leader]):
                    out["batch"][o] = top + leader
        solution = Solution(*out.values())
        self._give_servers(solution)
        return solution

    def _servers_of(self, o: int) -> dict[tuple[int, int, int], Any]:
        return {
            (o, m, s): self._server[o, m, s]
            for m, mode in enumerate(self.problem.operations[o].modes)
            if mode.station >= 0
            for s in range(self.problem.stations[mode.station].n_servers)
            if (o, m, s) in self._server
        }

    def _leaders_of(self, o: int) -> list[int]:
        if (o, o) not in self._leads:
            return []
        batching = self.problem.operations[o].batching
        assert batching is not None
        return [
            leader
            for leader in sorted(self._free)
            if leader <= o and (o, leader) in self._leads
        ]

    @staticmethod
    def _true(value: Any, literal: Any) -> bool:
        return bool(literal) if isinstance(literal, int) else bool(value(literal))

    def _give_servers(self, solution: Solution) -> None:
        """Share out the servers of stations whose servers are alike."""
        problem = self.problem
        for k in self._cumulative:
            free_at = [-1] * problem.stations[k].n_servers
            at_k = self.facts.station_of(solution) == k
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


def _units(problem: Problem, o: int) -> int:
    batching = problem.operations[o].batching
    assert batching is not None
    return batching.units
