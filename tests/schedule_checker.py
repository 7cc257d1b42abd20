"""Whether a schedule keeps the rules of its problem; written apart from the solver.

It reads the problem and the schedule and nothing else of the package, and asks every
rule of `problem`'s head directly, operation by operation and pair by pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from linewright.schedule.problem import (
    NEVER,
    Link,
    Mode,
    Need,
    Problem,
    Solution,
)

PHASES = (1, 2, 4, 8)
Spans = dict[int, list[tuple[int, int, int]]]
Several = tuple[int, int, int, list[int]]


def violations(problem: Problem, schedule: Solution) -> list[str]:
    """Return what is wrong, in words; nothing, if the schedule is one."""
    return [
        *_operations(problem, schedule),
        *_servers(problem, schedule),
        *_batches(problem, schedule),
        *_links(problem, schedule),
        *_resources(problem, schedule),
        *_used_up(problem, schedule),
        *_storages(problem, schedule),
        *_lines(problem, schedule),
        *_orders(problem, schedule),
    ]


def _spans(problem: Problem, row: int) -> list[tuple[int, int]] | None:
    if row < 0:
        return None
    calendar = problem.calendars[row]
    return list(zip(calendar.begin_us.tolist(), calendar.end_us.tolist(), strict=True))


def _on_between(spans: list[tuple[int, int]] | None, begin: int, end: int) -> int:
    if spans is None:
        return end - begin
    return sum(max(0, min(e, end) - max(b, begin)) for b, e in spans)


def _is_on(spans: list[tuple[int, int]] | None, at: int) -> bool:
    return spans is None or any(b <= at < e for b, e in spans)


def _mode(problem: Problem, schedule: Solution, o: int) -> Mode:
    return problem.operations[o].modes[int(schedule.mode[o])]


def _station_spans(problem: Problem, mode: Mode) -> list[tuple[int, int]] | None:
    if mode.station < 0:
        return None
    return _spans(problem, problem.stations[mode.station].calendar)


def _worked(problem: Problem, mode: Mode, begin: int, end: int) -> int:
    """Working time between two instants of an operation."""
    if mode.shift_end != "interrupt":
        return end - begin
    return _on_between(_station_spans(problem, mode), begin, end)


def _operations(  # noqa: C901, PLR0912
    problem: Problem, schedule: Solution
) -> Iterator[str]:
    for o, operation in enumerate(problem.operations):
        mode = _mode(problem, schedule, o)
        begin, end = int(schedule.begin_us[o]), int(schedule.end_us[o])
        leave, setup = int(schedule.leave_us[o]), int(schedule.setup_us[o])
        name = f"{operation.part} {operation.name}"
        if begin < operation.release_us or begin < 0:
            yield f"{name} begins before its release"
        if not begin <= end <= leave:
            yield f"{name} ends before it begins, or leaves before it ends"
        ahead = mode.station >= 0 and problem.stations[mode.station].setup_ahead
        work = mode.work_us + (0 if ahead else setup)
        if _worked(problem, mode, begin, end) != work:
            yield f"{name} works {_worked(problem, mode, begin, end)}, not {work}"
        spans = _station_spans(problem, mode)
        if not _is_on(spans, begin):
            yield f"{name} begins off shift"
        if spans is not None and mode.shift_end == "interrupt" and work:
            waits = bool(mode.unload_us or (mode.load_us and not mode.process_us))
            inside = [b <= end < e if waits else b < end <= e for b, e in spans]
            if not any(inside):
                yield f"{name} ends off shift"
        if mode.shift_end == "fit" and spans is not None:
            row = problem.stations[mode.station].calendar
            shift_ends = problem.calendars[row].shift_end_us.tolist()
            pairs = zip(spans, shift_ends, strict=True)
            shift = next((s for (b, e), s in pairs if b <= begin < e), begin)
            if _on_between(spans, begin, shift) < mode.process_us:
                yield f"{name} does not fit into its shift"
        if mode.station >= 0:
            n = problem.stations[mode.station].n_servers
            if not 0 <= schedule.server[o] < n:
                yield f"{name} is at a server that there is not"
        fixed = operation.fixed
        if fixed is not None:
            where = int(schedule.mode[o]), int(schedule.server[o]), begin
            if where != (fixed.mode, fixed.server, fixed.begin_us):
                yield f"{name} was moved, and is fixed"
        same = operation.same_server_as
        if same >= 0:
            one = _mode(problem, schedule, same).station, int(schedule.server[same])
            if one != (mode.station, int(schedule.server[o])):
                yield f"{name} is not at the server of {problem.operations[same].name}"


def _on_server(
    problem: Problem, schedule: Solution
) -> dict[tuple[int, int], list[int]]:
    """Return the operations on each server, in order; of a batch only the first."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    seen: set[int] = set()
    for o in range(len(problem.operations)):
        mode = _mode(problem, schedule, o)
        if mode.station < 0:
            continue
        number = int(schedule.batch[o]) if len(schedule.batch) else -1
        if number >= 0 and number in seen:
            continue
        seen.add(number)
        found[mode.station, int(schedule.server[o])].append(o)
    for rows in found.values():
        rows.sort(key=lambda o: (int(schedule.begin_us[o]), int(schedule.leave_us[o])))
    return found


def _leaves(problem: Problem, schedule: Solution, o: int) -> int:
    number = int(schedule.batch[o]) if len(schedule.batch) else -1
    if number < 0:
        return int(schedule.leave_us[o])
    return int(schedule.leave_us[schedule.batch == number].max())


def _servers(problem: Problem, schedule: Solution) -> Iterator[str]:
    for (station, _), rows in _on_server(problem, schedule).items():
        row = problem.stations[station]
        family = -1
        free = None
        for o in rows:
            mode = _mode(problem, schedule, o)
            name = f"{problem.operations[o].part} {problem.operations[o].name}"
            needed = 0
            if row.setups_us is not None and mode.family >= 0:
                needed = row.setups_us[family][mode.family]
                family = mode.family
            begin = int(schedule.begin_us[o])
            if row.setup_ahead:
                if begin < (free or 0) + needed:
                    yield f"{name} at {row.name} begins before its setup"
            else:
                if int(schedule.setup_us[o]) != needed:
                    yield f"{name} has a setup of {schedule.setup_us[o]}, not {needed}"
                if free is not None and begin < free:
                    yield f"{name} at {row.name} begins before the server is free"
            free = _leaves(problem, schedule, o)


def _batches(problem: Problem, schedule: Solution) -> Iterator[str]:
    found: dict[int, list[int]] = defaultdict(list)
    for o, operation in enumerate(problem.operations):
        number = int(schedule.batch[o]) if len(schedule.batch) else -1
        if number >= 0:
            if operation.batching is None:
                yield f"{operation.name} is in a batch and has none"
            found[number].append(o)
    short: dict[int, int] = defaultdict(int)
    for rows in found.values():
        batchings = [b for o in rows if (b := problem.operations[o].batching)]
        if len({b.group for b in batchings}) > 1:
            yield "a batch of different groups"
        units = sum(b.units for b in batchings)
        if units > batchings[0].most:
            yield f"a batch of {units} units, {batchings[0].most} at most"
        if units < batchings[0].least:
            short[batchings[0].group] += 1
        same = {
            (
                int(schedule.mode[o]), int(schedule.server[o]),
                int(schedule.begin_us[o]), int(schedule.end_us[o]),
            )
            for o in rows
        }  # fmt: skip
        if len(same) > 1:
            yield "a batch that does not begin and end together on one server"
    yield from (
        f"{n} batches of group {g} too small" for g, n in short.items() if n > 1
    )


def _links(problem: Problem, schedule: Solution) -> Iterator[str]:
    for link in problem.links:
        one, two = problem.operations[link.before], problem.operations[link.after]
        begin = int(schedule.begin_us[link.after])
        pair = (
            _mode(problem, schedule, link.before).station,
            _mode(problem, schedule, link.after).station,
        )
        way = max((us for a, b, us in link.ways_us if (a, b) == pair), default=0)
        ready = int(schedule.leave_us[link.before]) + way
        if one.output >= 0:
            ready = int(schedule.end_us[link.before]) + way
        if link.moves and begin < ready + link.min_us:
            yield f"{two.part} {two.name} begins before it is there"
        least = int(schedule.end_us[link.before]) + one.rest_us * link.moves
        if begin < least + link.min_us:
            yield f"{two.part} {two.name} begins too soon after {one.name}"
        wait = begin - int(schedule.end_us[link.before])
        if link.max_us < NEVER and wait > link.max_us:
            yield f"{two.part} {two.name} begins too late after {one.name}"


def _phase(problem: Problem, schedule: Solution, o: int, need: Need) -> tuple[int, int]:
    """Return when the phases begin and end, by counting working time from the begin."""
    mode = _mode(problem, schedule, o)
    lengths = (
        int(schedule.setup_us[o]), mode.load_us, mode.process_us, mode.unload_us,
    )  # fmt: skip
    first = next(i for i, bit in enumerate(PHASES) if need.phases & bit)
    before = sum(lengths[:first])
    inside = sum(n for bit, n in zip(PHASES, lengths, strict=True) if need.phases & bit)
    begin = int(schedule.begin_us[o])
    spans = _station_spans(problem, mode) if mode.shift_end == "interrupt" else None

    def at(work: int, n_phases: int) -> int:
        if work == 0 or spans is None:
            return begin + work
        ends_with = max(i for i in range(n_phases) if lengths[i])
        left = work
        for b, e in spans:
            room = max(0, e - max(b, begin))
            # loading and unloading (1 and 3) are not over at the end of a span
            if left < room or (left == room and room and ends_with in (0, 2)):
                return max(b, begin) + left
            left -= room
        return NEVER

    last = max(i for i, bit in enumerate(PHASES) if need.phases & bit)
    return at(before, first), at(before + inside, last + 1)


def _resources(  # noqa: C901
    problem: Problem, schedule: Solution
) -> Iterator[str]:
    """Sweep over what is certainly taken; who may have one of several is matched."""
    spans: Spans = defaultdict(list)
    several: list[Several] = []
    counted: set[int] = set()
    for o in range(len(problem.operations)):
        number = int(schedule.batch[o]) if len(schedule.batch) else -1
        if number >= 0:
            if number in counted:
                continue
            counted.add(number)
        for need in _needs(problem, schedule, o):
            first, last = _phase(problem, schedule, o, need)
            if last > first:
                rows = [
                    r
                    for r in need.resources
                    if _is_on(_spans(problem, problem.resources[r].calendar), first)
                ]
                if not rows:
                    yield f"{problem.operations[o].name} needs people who are off shift"
                elif len(need.resources) == 1:
                    spans[rows[0]].append((first, last, need.quantity))
                else:
                    several.append((first, last, need.quantity, rows))
    for hold in problem.holds:
        at = schedule.begin_us if hold.at_begin else schedule.end_us
        back = int(at[hold.last]) + hold.back_us
        spans[hold.resource].append(
            (int(schedule.begin_us[hold.first]), back, hold.quantity)
        )
    for row, taken in spans.items():
        for now, _, _ in taken:
            level = sum(q for b, e, q in taken if b <= now < e)
            if level > problem.resources[row].capacity:
                yield f"{level} of {problem.resources[row].name} at {now}"
    yield from _matched(problem, spans, several)


def _needs(problem: Problem, schedule: Solution, o: int) -> list[Need]:
    """Return what an operation needs that is there again afterwards."""
    needs = _mode(problem, schedule, o).needs
    return [n for n in needs if not problem.resources[n.resources[0]].used_up]


def _used_up(problem: Problem, schedule: Solution) -> Iterator[str]:
    total: dict[int, int] = defaultdict(int)
    for o in range(len(problem.operations)):
        for need in _mode(problem, schedule, o).needs:
            total[need.resources[0]] += need.quantity
    for row, taken in total.items():
        resource = problem.resources[row]
        if resource.used_up and taken > resource.capacity:
            yield f"{taken} of {resource.name} are used up"


def _matched(problem: Problem, spans: Spans, several: list[Several]) -> Iterator[str]:
    """Say where those who may take one of several cannot all have been served."""
    for at, *_ in several:
        open_now = [s for s in several if s[0] <= at < s[1]]
        free = {
            r: problem.resources[r].capacity
            - sum(q for b, e, q in spans[r] if b <= at < e)
            for s in open_now
            for r in s[3]
        }
        if sum(s[2] for s in open_now) > sum(free.values()):
            yield f"too few people of several pools at {at}"


def _storages(problem: Problem, schedule: Solution) -> Iterator[str]:
    """Count who is in each place: from when a server let go to the next begin."""
    held: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for link in problem.links:
        output = problem.operations[link.before].output
        if link.storage >= 0 and output < 0:
            held[link.storage].append(
                (
                    int(schedule.leave_us[link.before]),
                    int(schedule.begin_us[link.after]),
                )
            )
    for row, spans in held.items():
        for at, _ in spans:
            level = sum(1 for b, e in spans if b <= at < e)
            if level > problem.storages[row].places:
                yield f"{level} parts in {problem.storages[row].name} at {at}"


def _lines(problem: Problem, schedule: Solution) -> Iterator[str]:
    for rows in problem.same_mode:
        if len({int(schedule.mode[o]) for o in rows}) > 1:
            yield f"{problem.operations[rows[0]].part} is on several lines"


def _orders(problem: Problem, schedule: Solution) -> Iterator[str]:
    for group in problem.same_order:
        for one, two in combinations(group, 2):
            if schedule.mode[one[0]] != schedule.mode[two[0]]:
                continue
            signs = {
                int(schedule.begin_us[a]) < int(schedule.begin_us[b])
                for a, b in zip(one, two, strict=True)
            }
            if len(signs) > 1:
                yield "two jobs that do not keep their order"
    turns: dict[int, list[Link]] = defaultdict(list)
    for link in problem.links:
        if link.storage >= 0 and problem.storages[link.storage].in_turn:
            turns[link.storage].append(link)
    for links in turns.values():
        for first, second in combinations(links, 2):
            ready = int(schedule.end_us[first.before] - schedule.end_us[second.before])
            begun = schedule.begin_us[first.after] - schedule.begin_us[second.after]
            if ready * int(begun) < 0:
                yield "a part that was ready later was taken first"


def objective_values(problem: Problem, schedule: Solution) -> dict[str, int]:
    """Return the measures of a schedule, computed apart from the package."""
    done = [
        max(int(schedule.end_us[o]) + problem.operations[o].rest_us for o in d.last)
        for d in problem.demands
    ]
    pairs = list(zip(problem.demands, done, strict=True))
    return {
        "makespan": max(done, default=0),
        "tardiness": sum(d.weight * max(0, c - d.due_us) for d, c in pairs),
        "flow_time": sum(c - d.release_us for d, c in pairs),
        "wip": sum(c - int(schedule.begin_us[f]) for d, c in pairs for f in d.first),
    }
