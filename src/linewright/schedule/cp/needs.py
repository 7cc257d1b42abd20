"""People, tools and cards that operations need beside a server."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from linewright.schedule.cp.variables import Variables
from linewright.schedule.listing import phase_of
from linewright.schedule.problem import LOAD, PROCESS, SETUP, UNLOAD, Mode, Need

__all__ = ["Needs"]


class Needs:
    """Adds needs and holds."""

    def __init__(self, given: Variables) -> None:
        self._v = given

    def add(self) -> None:
        """Add what free operations need of each resource."""
        taken: dict[int, list[tuple[Any, int]]] = defaultdict(list)
        low = min((self._v.low[o] for o in self._v.free), default=0)
        high = max((self._v.high[o] for o in self._v.free), default=0)
        self._used_up()
        for o in sorted(self._v.free):
            for m, mode in enumerate(self._v.problem.operations[o].modes):
                literal = self._v.both(
                    self._v.modes[o, m], self._v.leads_itself(o), f"n{o},{m}"
                )
                for need in mode.needs:
                    self._need(o, m, mode, need, literal, taken)
        for row, hold in enumerate(self._v.problem.holds):
            if hold.first in self._v.free or hold.last in self._v.free:
                begin = self._v.begin(hold.first)
                last = (
                    self._v.begin(hold.last)
                    if hold.at_begin
                    else self._v.end(hold.last)
                )
                until = last + self._v.ticks(hold.back_us)
                span = self._v.span(begin, until, 1, f"h{row}")
                taken[hold.resource].append((span, hold.quantity))
        if not self._v.whole:
            self._taken_by_fixed(taken, low, high)
        for resource, pairs in sorted(taken.items()):
            capacity = self._v.problem.resources[resource].capacity
            intervals = [span for span, _ in pairs]
            quantities = [n for _, n in pairs]
            if capacity == 1 and all(n == 1 for n in quantities):
                self._v.model.add_no_overlap(intervals)
            elif sum(quantities) > capacity:
                self._v.model.add_cumulative(intervals, quantities, capacity)

    def _is_used_up(self, need: Need) -> bool:
        """Say whether a need is of one resource that is never given back."""
        return len(need.resources) == 1 and (
            self._v.problem.resources[need.resources[0]].used_up
        )

    def _used_up(self) -> None:
        """Keep what is used up of a resource, whenever that is, to what there is."""
        terms: dict[int, list[Any]] = defaultdict(list)
        for o, operation in enumerate(self._v.problem.operations):
            for m, mode in enumerate(operation.modes):
                for need in mode.needs:
                    if self._is_used_up(need):
                        used = need.quantity * self._v.has(o, m)
                        terms[need.resources[0]].append(used)
        for resource, used in terms.items():
            capacity = self._v.problem.resources[resource].capacity
            self._v.model.add(sum(used) <= capacity)

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
            choices = {r: self._v.bool_of(f"{name},{r}") for r in need.resources}
            self._v.model.add(sum(choices.values()) == literal)
        elif not need.resources:
            self._v.model.add(literal == 0)
        for resource, on in choices.items():
            span = self._v.span(begin, end, on, name)
            taken[resource].append((span, need.quantity))
            row = self._v.problem.resources[resource].calendar
            if row >= 0 and not self._covers(row, mode):
                here = self._v.spans[row].begins(self._v.low[o], self._v.high[o], None)
                self._v.inside(begin, here, (on,))

    def _covers(self, row: int, mode: Mode) -> bool:
        """Say whether people go by the very calendar of the station."""
        if mode.station < 0:
            return False
        same = self._v.problem.stations[mode.station].calendar == row
        return same and mode.shift_end == "interrupt"

    def _phase(self, o: int, m: int, mode: Mode, need: Need) -> tuple[Any, Any] | None:
        """Return when the phases begin and end in which something is needed."""
        setup: Any = self._v.setups.get(o, 0)
        bits = need.phases
        lowest = bits & -bits
        lengths = (
            (SETUP, setup), (LOAD, self._v.ticks(mode.load_us)),
            (PROCESS, self._v.ticks(mode.process_us)),
            (UNLOAD, self._v.ticks(mode.unload_us)),
        )  # fmt: skip
        before: Any = sum(length for bit, length in lengths if bit < lowest)
        inside: Any = sum(length for bit, length in lengths if bit & bits)
        behind: Any = sum(
            length for bit, length in lengths if bit > lowest and not bit & bits
        )
        if isinstance(inside, int) and inside == 0:
            return None
        begin, end = self._v.begins[o], self._v.ends[o]
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
        model = self._v.model
        row = (
            self._v.problem.stations[mode.station].calendar if mode.station >= 0 else -1
        )
        at = self._v.int_of(self._v.low[o], self._v.high[o], f"r{o},{m},{name}")
        given = [] if isinstance(self._v.modes[o, m], int) else [self._v.modes[o, m]]
        first = self._v.begin_spans.get((o, row))
        if row < 0 or mode.shift_end != "interrupt" or first is None:
            constraint = model.add(at == self._v.begins[o] + work)
            if given:
                constraint.only_enforce_if(given)
            return at
        spans = self._v.spans[row]
        last = {
            i: self._v.bool_of(f"r{o},{m},{name}@{i}")
            for i in spans.between(self._v.low[o], self._v.high[o])
        }
        model.add(sum(last.values()) == self._v.modes[o, m])
        late = 1 if phase in (LOAD, UNLOAD) else 0
        for i, x in last.items():
            model.add(at >= spans.begin[i] + 1 - late).only_enforce_if(x)
            model.add(at <= spans.end[i] - late).only_enforce_if(x)
        off = sum(spans.off[i] * x for i, x in last.items()) - sum(
            spans.off[i] * x for i, x in first.items()
        )
        constraint = model.add(at == self._v.begins[o] + work + off)
        if given:
            constraint.only_enforce_if(given)
        return at

    def _taken_by_fixed(
        self, taken: dict[int, list[tuple[Any, int]]], low: int, high: int
    ) -> None:
        """Add what operations that stand take of the resources of the free ones."""
        hint = self._v.hint
        assert hint is not None
        seen = set()
        near = (hint.begin_us < high * self._v.grain) & (
            hint.end_us > low * self._v.grain
        )
        needy = [o for o in self._v.facts.needy if near[o] and o not in self._v.free]
        for o in needy:
            operation = self._v.problem.operations[o]
            number = int(hint.batch[o])
            if number >= 0 and number in seen:
                continue
            seen.add(number)
            mode = operation.modes[int(hint.mode[o])]
            for need in mode.needs:
                first, last = phase_of(
                    self._v.problem, mode, need, int(hint.begin_us[o]),
                    int(hint.setup_us[o]), int(hint.end_us[o]),
                )  # fmt: skip
                self._block(
                    taken, need.resources[0], first, last, need.quantity, low, high
                )
        held = [
            self._v.problem.holds[row] for r in taken for row in self._v.facts.holds[r]
        ]
        for hold in held:
            if hold.first in self._v.free or hold.last in self._v.free:
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
        first, last = self._v.ticks(first_us), self._v.ticks(last_us)
        if resource in taken and first < high and last > low and last > first:
            span = self._v.model.new_fixed_size_interval_var(
                first, last - first, "taken"
            )
            taken[resource].append((span, quantity))
