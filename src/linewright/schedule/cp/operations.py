"""Begin, end and leaving of every free operation, and the shifts between them.

Work that stands still off shift: with O(k) the time off before the k-th span of a
calendar, an operation that begins in span i and ends in span j obeys

    end = begin + work + O(j) - O(i),

with one literal for each span that begin and end may lie in. So the model is exact to
the tick, and no variable stands for a single break.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from linewright.schedule.cp.variables import Variables
from linewright.schedule.problem import NEVER, PROCESS

__all__ = ["Operations"]


class Operations:
    """Adds the operations."""

    def __init__(self, given: Variables) -> None:
        self._v = given
        rank = given.facts.rank
        self._in_order = sorted(given.free, key=lambda o: int(rank[o]))

    def add(self) -> None:
        """Add begin, end and leaving of all free operations."""
        self._bounds()
        for o in sorted(self._v.free):
            self._operation(o)
        for o in sorted(self._v.free):
            self._leaving(o)

    def _bounds(self) -> None:
        """Find the earliest begin of each operation, and its latest end."""
        problem, tails = self._v.problem, self._v.facts.tails
        done: dict[int, int] = {}
        for o in self._in_order:
            operation = problem.operations[o]
            at = operation.release_us
            for row in self._v.before[o]:
                link = problem.links[row]
                if link.before in done:
                    least = done[link.before]
                else:
                    least = self._v.at(link.before)[1] * self._v.grain
                least += link.min_us
                if link.moves:
                    least += problem.operations[link.before].rest_us
                at = max(at, least)
            begins = [problem.may_begin(mode, at) for mode in operation.modes]
            ends = [
                NEVER if b >= NEVER else problem.end_of(mode, b, mode.work_us)
                for mode, b in zip(operation.modes, begins, strict=True)
            ]
            self._v.low[o] = min(begins) // self._v.grain
            done[o] = min(ends)
            self._v.high[o] = self._v.until - int(tails[o]) // self._v.grain
        if not self._v.whole:
            self._bounds_of_part()

    def _bounds_of_part(self) -> None:
        """Bring begins and ends together: to what stands behind, and to the window.

        Nothing moves by more than the window is long.
        """
        ends = [self._v.at(o)[1] for o in self._v.free]
        begins = [self._v.at(o)[0] for o in self._v.free]
        span = max(ends, default=0) - min(begins, default=0)
        for o in self._v.free:
            begin, end, _ = self._v.at(o)
            self._v.low[o] = max(self._v.low[o], begin - span)
            self._v.high[o] = min(self._v.high[o], end + span)
        for o in reversed(self._in_order):
            rest = self._v.ticks(self._v.problem.operations[o].rest_us)
            for row in self._v.after[o]:
                link = self._v.problem.links[row]
                if link.after not in self._v.free:
                    latest = self._v.at(link.after)[0] - self._v.ticks(link.min_us)
                    self._v.high[o] = min(self._v.high[o], latest - rest * link.moves)
                else:
                    least = min(
                        m.work_us for m in self._v.problem.operations[link.after].modes
                    )
                    latest = self._v.high[link.after] - self._v.ticks(
                        least + link.min_us
                    )
                    self._v.high[o] = min(self._v.high[o], latest - rest * link.moves)

    def _operation(self, o: int) -> None:
        operation = self._v.problem.operations[o]
        low, high = self._v.low[o], self._v.high[o]
        hint = self._v.hint
        begin = self._v.int_of(
            low, high, f"b{o}", self._v.hinted(hint and hint.begin_us, o)
        )
        end = self._v.int_of(
            low, high, f"e{o}", self._v.hinted(hint and hint.end_us, o)
        )
        self._v.begins[o], self._v.ends[o] = begin, end
        if len(operation.modes) == 1:
            self._v.modes[o, 0] = 1
        else:
            for m in range(len(operation.modes)):
                known = None if hint is None else bool(hint.mode[o] == m)
                self._v.modes[o, m] = self._v.bool_of(f"m{o},{m}", known)
            self._v.model.add_exactly_one(
                self._v.modes[o, m] for m in range(len(operation.modes))
            )
        work: Any = sum(
            self._v.modes[o, m] * self._v.ticks(mode.work_us)
            for m, mode in enumerate(operation.modes)
        )
        if self._has_setup(o):
            most = max(
                max(map(max, times))
                for mode in operation.modes
                if (times := self._v.problem.stations[mode.station].setups_us)
                is not None
            )
            setup = self._v.hinted(hint and hint.setup_us, o)
            self._v.setups[o] = self._v.int_of(0, self._v.ticks(most), f"s{o}", setup)
            work += self._v.setups[o]
        self._v.model.add(end == begin + work + self._time_off(o, begin, end))

    def _has_setup(self, o: int) -> bool:
        """Say whether a setup is part of an operation's work in one of its modes."""
        return any(
            mode.station >= 0
            and mode.family >= 0
            and self._v.problem.stations[mode.station].setups_us is not None
            and not self._v.problem.stations[mode.station].setup_ahead
            for mode in self._v.problem.operations[o].modes
        )

    def _time_off(self, o: int, begin: Any, end: Any) -> Any:
        """Return the time that an operation stands still, and keep it to its shifts."""
        operation = self._v.problem.operations[o]
        kinds: dict[tuple[int, str, int, bool], list[int]] = defaultdict(list)
        for m, mode in enumerate(operation.modes):
            row = (
                self._v.problem.stations[mode.station].calendar
                if mode.station >= 0
                else -1
            )
            if row >= 0:
                fits = mode.process_us if mode.shift_end == "fit" else 0
                how = "interrupt" if mode.shift_end == "interrupt" else "finish"
                waits = how == "interrupt" and mode.last_phase != PROCESS
                kinds[row, how, fits, waits].append(m)
        off: Any = 0
        low, high = self._v.low[o], self._v.high[o]
        for (row, how, fits, waits), modes in kinds.items():
            spans = self._v.spans[row]
            here = spans.begins(low, high, self._v.ticks(fits) if fits else None)
            every = len(modes) == len(operation.modes)
            if how == "finish" and every:
                self._v.inside(begin, here, ())
                continue
            if how == "finish":
                for m in modes:
                    self._v.inside(begin, here, (self._v.modes[o, m],))
                continue
            group: Any = 1 if every else sum(self._v.modes[o, m] for m in modes)
            off += self._stands_still(o, row, begin, end, group, waits)
        return off

    def _stands_still(
        self, o: int, row: int, begin: Any, end: Any, group: Any, waits: bool
    ) -> Any:
        """Return the time off between begin and end of work that stops off shift.

        What `waits` is not over at the end of a span, but when the next one begins.
        """
        early, late = (0, 1) if waits else (1, 0)
        spans = self._v.spans[row]
        hint = self._v.hint
        low, high = self._v.low[o], self._v.high[o]
        first: dict[int, Any] = {}
        last: dict[int, Any] = {}
        begin_at = self._v.hinted(hint and hint.begin_us, o)
        end_at = self._v.hinted(hint and hint.end_us, o)
        for i in spans.between(low, high):
            known = None
            if begin_at is not None:
                known = spans.begin[i] <= begin_at < spans.end[i]
            if spans.end[i] > low:
                first[i] = self._v.bool_of(f"b{o}@{i}", known)
            if end_at is not None:
                known = spans.begin[i] + early <= end_at <= spans.end[i] - late
            if spans.begin[i] + early <= high:
                last[i] = self._v.bool_of(f"e{o}@{i}", known)
        self._v.begin_spans[o, row] = first
        for literals in (first, last):
            self._v.model.add(sum(literals.values()) == group)
        if isinstance(group, int):
            self._v.model.add(
                begin >= sum(spans.begin[i] * x for i, x in first.items())
            )
            self._v.model.add(
                begin <= sum((spans.end[i] - 1) * x for i, x in first.items())
            )
            self._v.model.add(
                end >= sum((spans.begin[i] + early) * x for i, x in last.items())
            )
            self._v.model.add(
                end <= sum((spans.end[i] - late) * x for i, x in last.items())
            )
        else:
            for i, x in first.items():
                self._v.model.add(begin >= spans.begin[i]).only_enforce_if(x)
                self._v.model.add(begin <= spans.end[i] - 1).only_enforce_if(x)
            for i, x in last.items():
                self._v.model.add(end >= spans.begin[i] + early).only_enforce_if(x)
                self._v.model.add(end <= spans.end[i] - late).only_enforce_if(x)
        return sum(spans.off[i] * x for i, x in last.items()) - sum(
            spans.off[i] * x for i, x in first.items()
        )

    def _leaving(self, o: int) -> None:
        """Add when a part leaves its server, and when for the next storage."""
        problem = self._v.problem
        operation = problem.operations[o]
        stored = [row for row in self._v.after[o] if problem.links[row].storage >= 0]
        end = self._v.ends[o]
        self._v.leaves[o] = end
        if not stored:
            return
        assert len(stored) == 1, "a part goes one way"
        hint = self._v.hint
        left = self._v.hinted(hint and hint.leave_us, o)
        depart = self._v.int_of(self._v.low[o], self._v.until, f"d{o}", left)
        self._v.model.add(depart >= end)
        self._v.departs_of[stored[0]] = depart
        if operation.output < 0:
            self._v.leaves[o] = depart
            return
        places = problem.storages[operation.output].places
        if places < NEVER:
            leave = self._v.int_of(self._v.low[o], self._v.until, f"l{o}", left)
            self._v.model.add(leave >= end)
            self._v.model.add(depart >= leave)
            self._v.leaves[o] = leave
