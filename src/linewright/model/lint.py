"""Lint: a model that can be run and is likely not meant. Warnings only.

Each function knows one warning. All of them take a model without errors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from linewright.model.changes import calendars_of
from linewright.model.graphs import find_cycles
from linewright.model.line import Line, Product, Station
from linewright.model.load_estimate import (
    Flow,
    capacity_us,
    flow_of,
    pooled,
    starts_per_s,
    work_us,
)
from linewright.model.meaning import (
    input_places,
    next_operation,
    people_asked,
    people_of,
    places,
    process_time,
    taken_by,
    tools_lent,
)
from linewright.model.notes import Notes

__all__ = ["lint"]


def lint(line: Line, notes: Notes) -> None:
    """Note what is likely not meant in a line without errors."""
    flows = {name: flow_of(product) for name, product in line.products.items()}
    shares: dict[str | None, float] = {}
    capacity = {name: capacity_us(line, name, shares) for name in line.stations}
    _cannot_be_made(line, flows, notes)
    _nobody_visits(line, notes)
    _nobody_uses(line, notes)
    _rework_that_never_comes(line, notes)
    _split_and_released(line, notes)
    _can_deadlock(line, notes)
    _asked_too_much(line, flows, capacity, notes)
    rates = {
        name: _rates(line, name, flow, capacity)
        for name, flow in flows.items()
        if line.products[name].route
    }
    _grows_without_limit(line, rates, notes)
    _store_without_limit(line, rates, notes)


# ---------------------------------------------------------------- never


def _cannot_be_made(line: Line, flows: dict[str, Flow], notes: Notes) -> None:
    makers: dict[str, list[str]] = defaultdict(list)
    for name, product in line.products.items():
        for child in product.route[-1].makes if product.route else ():
            makers[child].append(name)
    why: dict[str, str] = {}
    while True:
        new = {
            name: reason
            for name, product in line.products.items()
            if name not in why
            and product.route
            and (reason := _why_not(product, flows[name], makers[name], why))
        }
        if not new:
            break
        why |= new
    for name, reason in why.items():
        msg = f'the product "{name}" cannot be made: {reason}'
        notes.warning("LW301", ("products", name), msg)


def _why_not(
    product: Product, flow: Flow, makers: list[str], why: dict[str, str]
) -> str:
    if product.release.kind == "never" and all(maker in why for maker in makers):
        return "its release is never, and no operation makes it"
    if flow.good <= 0:
        return "no unit passes its inspections"
    for component, item in product.bom.items():
        if not item.bought and component in why:
            return f'its component "{component}" cannot be made'
    return ""


def _nobody_visits(line: Line, notes: Notes) -> None:
    visited = {
        station
        for product in line.products.values()
        for step in product.route
        for station in step.stations
    }
    for name in (name for name in line.stations if name not in visited):
        msg = f'no product visits the station "{name}"'
        notes.warning("LW302", ("stations", name), msg)


def _nobody_uses(line: Line, notes: Notes) -> None:
    stations, products = line.stations.values(), line.products.values()
    calendars = {line.calendar, *(station.calendar for station in stations)}
    calendars |= {pool.calendar for pool in line.people.values()}
    calendars |= {product.release.calendar for product in products}
    calendars |= {name for change in line.changes for name in calendars_of(change)}
    works = [work for station in stations for work in station.maintenance.values()]
    calendars |= {work.window for work in works}
    buffers = {slots for s in stations for slots in (s.buffer, s.output_buffer)}
    buffers |= {product.store for product in products}
    buffers |= {step.buffer for product in products for step in product.route}
    stages = {s.stage for s in stations} | {b.stage for b in line.buffers.values()}
    for name in (name for name in line.calendars if name not in calendars):
        msg = f'nobody works by the calendar "{name}"'
        notes.warning("LW303", ("calendars", name), msg)
    for name in (name for name in line.buffers if name not in buffers):
        notes.warning("LW303", ("buffers", name), f'nobody uses the buffer "{name}"')
    tools = {t for p in products for step in p.route for t in step.tools}
    tools |= {tool for _, lent in tools_lent(line) for tool in lent}
    for name in (name for name in line.tools if name not in tools):
        msg = f'no operation, setup or repair needs the tool "{name}"'
        notes.warning("LW303", ("tools", name), msg)
    for pool, i, name in _unused_skills(line):
        msg = f'nothing asks for people by the skill "{name}"'
        notes.warning("LW303", ("people", pool, "skills", i), msg)
    for i, name in enumerate(line.stages):
        if name not in stages:
            msg = f'no station belongs to the stage "{name}"'
            notes.warning("LW303", ("stages", i), msg)


def _unused_skills(line: Line) -> Iterator[tuple[str, int, str]]:
    """Yield skills that nothing asks for: pool, place in its list, skill."""
    asked = {people_of(failure.crew)[0] for failure in line.failures.values()}
    for station in line.stations.values():
        asked |= {people_of(people)[0] for _, people in people_asked(station)}
    for name, pool in line.people.items():
        for i, skill in enumerate(pool.skills):
            if skill not in asked:
                yield name, i, skill


def _rework_that_never_comes(line: Line, notes: Notes) -> None:
    for name, product in line.products.items():
        operations = [step.operation for step in product.route]
        tests = [step.inspection for step in product.route if step.inspection]
        targets = [operations.index(t.rework_to) for t in tests if t.rework_to]
        for i, step in enumerate(product.route):
            reached = i in targets or (i > 0 and product.route[i - 1].rework_only)
            if step.rework_only and not reached:
                msg = f'no inspection sends rework to "{step.operation}"'
                notes.warning("LW307", ("products", name, "route", i), msg)


def _split_and_released(line: Line, notes: Notes) -> None:
    for name, product in line.products.items():
        for child in product.route[-1].makes if product.route else ():
            if line.products[child].release.kind == "always":
                msg = f'"{child}" comes out of "{name}" and is always released, too'
                hint = "say release: never if it only comes out of the split"
                notes.warning("LW308", ("products", child), msg, hint)


# ---------------------------------------------------------------- deadlock


def _can_deadlock(line: Line, notes: Notes) -> None:
    edges: dict[str, dict[str, None]] = {name: {} for name in line.stations}
    for product in line.products.values():
        for i, j in _moves(product):
            ahead = product.route[j]
            finite = [
                name
                for name in ahead.stations
                if input_places(line, ahead, name) is not None
            ]
            if len(finite) < len(ahead.stations):
                continue  # there is always room at one of them
            for start in product.route[i].stations:
                if not _has_way_out(line.stations[start]):
                    edges[start] |= dict.fromkeys(finite)
    for cycle in find_cycles(edges):
        room = sum(_room(line, name) for name in cycle)
        if _cap(line) < room:
            continue
        way = " - ".join([*cycle, cycle[0]])
        msg = f"full buffers can stop this cycle for good: {way}"
        hint = f"cap the units in the line below {room} (conwip), or give one station "
        hint += "of the cycle an unlimited buffer"
        notes.warning("LW304", ("stations", cycle[0]), msg, hint)


def _moves(product: Product) -> list[tuple[int, int]]:
    """Return from which operation to which a part can go."""
    operations = [step.operation for step in product.route]
    moves = []
    for i, step in enumerate(product.route):
        if (ahead := next_operation(product, i)) is not None:
            moves.append((i, ahead))
        if step.inspection and step.inspection.rework_to:
            moves.append((i, operations.index(step.inspection.rework_to)))
    return moves


def _has_way_out(station: Station) -> bool:
    return station.output_buffer == "unlimited"


def _room(line: Line, name: str) -> int:
    station = line.stations[name]
    room = station.servers + (places(line, station.buffer) or 0)
    return room + (places(line, station.output_buffer or 0) or 0)


def _cap(line: Line) -> float:
    each = [p.release.conwip for p in line.products.values() if p.route]
    total = sum(cap for cap in each if cap is not None)
    all_capped = all(cap is not None for cap in each)
    return min(line.conwip or float("inf"), total if all_capped else float("inf"))


# ---------------------------------------------------------------- too much


def _asked_too_much(
    line: Line, flows: dict[str, Flow], capacity: dict[str, float], notes: Notes
) -> None:
    """Compare what is asked of each station, and of alternatives together."""
    loads: dict[frozenset[str], float] = defaultdict(float)
    shares: dict[frozenset[str], float] = defaultdict(float)
    for name, starts in starts_per_s(line, flows).items():
        for i, step in enumerate(line.products[name].route):
            visits_per_us = starts * flows[name].visits[i] / 1e6
            each = {s: work_us(line, name, i, s) for s in step.stations}
            stations = frozenset(each)
            loads[stations] += visits_per_us * min(each.values())
            if min(each.values()) > 0:
                most = sum(capacity[s] / us for s, us in each.items())
                share = visits_per_us / most if most else 0.0
                shares[stations] = max(shares[stations], share)
    for stations, work in pooled(loads).items():
        load = float(work)
        there = sum(capacity[name] for name in stations)
        share = max(load / there if there else 0.0, shares[stations])
        if share > 1 + 1e-9:
            named = [name for name in line.stations if name in stations]
            names = " and ".join(f'"{name}"' for name in named)
            msg = f"demand asks for {share:.0%} of the time that {names} can work"
            notes.warning("LW305", ("stations", named[0]), msg)


def _rates(
    line: Line, name: str, flow: Flow, capacity: dict[str, float]
) -> list[float]:
    """Return the units per second that each operation could do if it were alone."""
    rates = []
    for i, step in enumerate(line.products[name].route):
        total = 0.0
        for station in step.stations:
            each_us = work_us(line, name, i, station) * flow.visits[i]
            total += capacity[station] / each_us * 1e6 if each_us else float("inf")
        rates.append(total)
    return rates


def _grows_without_limit(
    line: Line, rates: dict[str, list[float]], notes: Notes
) -> None:
    for name, rate in rates.items():
        product = line.products[name]
        capped = line.conwip is not None or product.release.conwip is not None
        if product.release.kind != "always" or capped or _is_exact(line, name):
            continue
        fastest = rate[0]
        taken = taken_by(line, name)
        for (i, _), (j, ahead) in pairwise(enumerate(product.route)):
            fastest = min(fastest, rate[i])
            if any(one.first < j <= one.until for one in taken):
                continue  # who waits there has a card of a loop
            rooms = [input_places(line, ahead, station) for station in ahead.stations]
            if None in rooms and min(rate[j:]) <= fastest * (1 + 1e-9):
                msg = f'"{name}" is always released, and parts pile up without limit '
                msg += f'before "{ahead.operation}"'
                hint = "limit its buffer, cap the units in the line (conwip), or give "
                hint += "the release a rate"
                notes.warning("LW306", ("products", name), msg, hint)
                break


def _is_exact(line: Line, name: str) -> bool:
    """Say whether all operations take the same constant time and nothing fails."""
    times = set()
    for step in line.products[name].route:
        for station in step.stations:
            time = process_time(line, name, step, station)
            place = line.stations[station]
            if time is None or time.cv or place.failures or place.maintenance:
                return False
            times.add((time.mean_us, place.servers, place.calendar))
    return len(times) == 1


def _store_without_limit(
    line: Line, rates: dict[str, list[float]], notes: Notes
) -> None:
    taken: dict[str, float] = defaultdict(float)
    for parent, rate in rates.items():
        product = line.products[parent]
        for component, item in product.bom.items():
            if not item.bought:
                always = product.release.kind == "always"
                taken[component] += min(rate) * item.quantity if always else 0.0
    for name, taken_per_s in taken.items():
        product = line.products[name]
        capped = line.conwip is not None or product.release.conwip is not None
        unlimited = places(line, product.store) is None
        is_faster = min(rates[name]) > taken_per_s
        if product.release.kind == "always" and unlimited and not capped and is_faster:
            msg = f'"{name}" is always released, faster than its parents take it, and '
            msg += "its store has no limit"
            hint = "give the store a number of places, or the release a conwip"
            notes.warning("LW306", ("products", name), msg, hint)
