"""From names to rows: a `Line` becomes the tables that the kernel reads.

Every name is turned into a row number here, once; `results` turns them back. The line
is taken to have passed `check`: what is asked for here exists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.errors import KernelError
from linewright.model.calendars import expand, to_tick
from linewright.model.distribution import KINDS, Distribution
from linewright.model.line import (
    Failure,
    Line,
    Maintenance,
    Order,
    OrderFile,
    Product,
    Station,
    Step,
)
from linewright.model.meaning import (
    next_operation,
    process_time,
    rework_share,
    transport_times,
    uses_of,
)
from linewright.units import UNITS_US

__all__ = [
    "Lowered",
    "lower",
    "new_draws",
    "new_state",
    "part_capacity",
]

_KIND = {kind: row for row, kind in enumerate(KINDS)}
_DISPATCH = {
    "fifo": t.FIFO,
    "priority": t.PRIORITY,
    "earliest_due_date": t.DUE,
    "shortest_processing_time": t.SHORTEST,
    "critical_ratio": t.CRITICAL,
    "least_setup": t.LEAST_SETUP,
}
_CLOCK = {
    "processing": t.CLOCK_PROCESSING,
    "operating": t.CLOCK_OPERATING,
    "calendar": t.CLOCK_CALENDAR,
    "cycles": t.CLOCK_CYCLES,
}
_PART = {"resume": t.PART_RESUME, "restart": t.PART_RESTART, "scrap": t.PART_SCRAP}
_END = {"interrupt": t.END_INTERRUPT, "finish": t.END_FINISH, "fit": t.END_FIT}
_CHOOSE = {
    "preference": t.CHOOSE_PREFERENCE,
    "shortest_queue": t.CHOOSE_SHORTEST,
    "first_free": t.CHOOSE_FIRST_FREE,
}
_FULL = {"wait": t.FULL_WAIT, "block": t.FULL_BLOCK, "lose": t.FULL_LOSE}
_BEYOND_US = 28 * UNITS_US["d"]
_RELEASE = {
    "always": t.ALWAYS,
    "arrivals": t.ARRIVALS,
    "orders": t.ORDERS,
    "with_parent": t.WITH_PARENT,
    "never": t.NEVER_RELEASED,
}


class Lowered(NamedTuple):
    """The tables of a line, the names of their rows, and its streams.

    Attributes:
        tables: What the kernel reads.
        names: Row to name.
        stream_kinds: What each stream holds: uniforms, exponentials or times.
        stream_scales: Mean of the times in microseconds, of streams that hold them.
        leaf_station: Place of each timer among simultaneous events of one kind.
    """

    tables: t.LineTables
    names: t.Names
    stream_kinds: t.Ints
    stream_scales: t.Floats
    leaf_station: t.Ints


def _time_of(line: Line, product: str, step: Step, station: str) -> Distribution:
    """Return a processing time that `check` has found to exist."""
    time = process_time(line, product, step, station)
    assert time is not None, f"{step.operation} has no processing time at {station}"
    return time


def _zeros(dtype: np.dtype[Any], n: int) -> t.Records:
    return np.zeros(n, dtype)


def _records(dtype: np.dtype[Any], rows: Sequence[dict[str, float]]) -> t.Records:
    """Return records; a field that a row does not name is zero."""
    out = _zeros(dtype, len(rows))
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[name][i] = value
    return out


@dataclass
class _Build:
    """The tables as they grow."""

    line: Line
    horizon_us: int
    station_rows: dict[str, int] = field(default_factory=dict)
    product_rows: dict[str, int] = field(default_factory=dict)
    buffer_rows: dict[str, int] = field(default_factory=dict)
    calendar_rows: dict[str, int] = field(default_factory=dict)
    families: dict[str, int] = field(default_factory=dict)
    first_steps: dict[str, int] = field(default_factory=dict)
    dest_rows: dict[Any, int] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)
    stream_kinds: list[int] = field(default_factory=list)
    stream_scales: list[float] = field(default_factory=list)
    dists: list[dict[str, float]] = field(default_factory=list)
    dist_rows: dict[Distribution, int] = field(default_factory=dict)
    data: list[float] = field(default_factory=list)
    links: list[int] = field(default_factory=list)
    stations: list[dict[str, float]] = field(default_factory=list)
    modes: list[dict[str, float]] = field(default_factory=list)
    mode_names: list[str] = field(default_factory=list)
    server_modes: list[dict[str, float]] = field(default_factory=list)
    server_names: list[str] = field(default_factory=list)
    buffers: list[dict[str, float]] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    dests: list[dict[str, float]] = field(default_factory=list)
    targets: list[dict[str, float]] = field(default_factory=list)
    uses: list[dict[str, float]] = field(default_factory=list)
    products: list[dict[str, float]] = field(default_factory=list)
    calendars: list[dict[str, float]] = field(default_factory=list)
    ticks: list[tuple[Any, ...]] = field(default_factory=list)
    orders: list[dict[str, float]] = field(default_factory=list)
    transports: list[dict[str, float]] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    setups: list[int] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)
    leaf_row: list[int] = field(default_factory=list)
    leaf_station: list[int] = field(default_factory=list)
    settings: list[int] = field(default_factory=lambda: [0] * 11)
    stations_of_calendar: dict[int, list[int]] = field(default_factory=dict)

    def link(self, rows: Iterable[int]) -> tuple[int, int]:
        """Put rows behind each other; return where they begin and how many they are."""
        first = len(self.links)
        self.links.extend(rows)
        return first, len(self.links) - first

    def stream(self, *name: object, of: Iterable[Distribution | None] = ()) -> int:
        """Return the row of the stream of a name, which serves some distributions.

        A stream of one exponential holds its times ready made.
        """
        text = "\0".join(map(str, name))
        if text not in self.streams:
            self.streams[text] = len(self.stream_kinds)
            served = {d for d in of if d is not None}
            kind, scale = t.UNIFORM, 0.0
            if served and {d.kind for d in served} == {"exponential"}:
                kind = t.TIMES if len(served) == 1 else t.EXPONENTIAL
                scale = next(iter(served)).parameters[0] if len(served) == 1 else 0.0
            self.stream_kinds.append(kind)
            self.stream_scales.append(scale)
        return self.streams[text]

    def dist(self, distribution: Distribution) -> int:
        """Return the row of a distribution."""
        row = self.dist_rows.get(distribution)
        if row is None:
            row = self.dist_rows[distribution] = len(self.dists)
            self.dists.append(self._dist_record(distribution))
        return row

    def _dist_record(self, d: Distribution) -> dict[str, float]:
        record: dict[str, float] = {"kind": _KIND[d.kind]}
        parameters = d.parameters
        if d.kind == "pert":
            low, mode, high = parameters
            a = 1 + 4 * (mode - low) / (high - low) if high > low else 3.0
            parameters = (low, high, a, 6 - a)
        record |= dict(zip("abcd", parameters, strict=False))
        if d.values_us:
            record |= {"first": len(self.data), "n": len(d.values_us)}
            self.data.extend(
                map(float, sorted(d.values_us) if not d.weights else d.values_us)
            )
            if d.weights:
                self.data.extend(np.cumsum(d.weights).tolist())
        return record


def lower(line: Line, horizon_us: int) -> Lowered:
    """Return the tables of a line that has passed `check`.

    Args:
        line: The line.
        horizon_us: Length of the run in microseconds; calendars are laid out that far.
    """
    build = _Build(line, horizon_us)
    build.station_rows = {name: k for k, name in enumerate(line.stations)}
    build.product_rows = {name: i for i, name in enumerate(line.products)}
    for product in line.products:
        family = line.products[product].family or product
        build.families.setdefault(family, len(build.families))
    first = 0
    for name, product_ in line.products.items():
        build.first_steps[name] = first
        first += len(product_.route)
    _lower_buffers(build)
    _lower_calendars(build)
    _lower_stations(build)
    _lower_products(build)
    _lower_links(build)
    _lower_orders(build)
    _lower_leaves(build)
    return _finish(build)


def _slots(slots: int | str) -> int:
    return t.UNLIMITED if slots == "unlimited" else int(slots)


def _new_buffer(build: _Build, name: str, slots: int | str) -> int:
    build.buffer_rows[name] = len(build.buffers)
    build.buffers.append({"slots": _slots(slots)})
    return build.buffer_rows[name]


def _buffer_of(build: _Build, own_name: str, slots: int | str) -> int:
    """Return the row of the shared buffer that is named, or of one of its own."""
    if isinstance(slots, str) and slots != "unlimited":
        return build.buffer_rows[slots]
    if own_name in build.buffer_rows:
        return build.buffer_rows[own_name]
    return _new_buffer(build, own_name, slots)


def _lower_buffers(build: _Build) -> None:
    for name, buffer in build.line.buffers.items():
        _new_buffer(build, name, buffer.slots)


def _lower_calendars(build: _Build) -> None:
    line = build.line
    used = [s.calendar or line.calendar for s in line.stations.values()]
    for name in dict.fromkeys(filter(None, used)):
        # beyond the end, so that what fits into a shift does not depend on the horizon
        until_us = build.horizon_us + _BEYOND_US
        ticks = expand(line.calendars[name], line.start, line.time_zone, until_us)
        first = len(build.ticks)
        end = max(until_us, int(ticks.at_us[-1])) + 1
        ends = np.append(ticks.at_us[1:], end)
        left, on_left = 0, []
        rows = list(zip(ticks.at_us, ends, ticks.mode, strict=True))
        for at, until, mode in reversed(rows):
            left = (
                0
                if mode == t.CALENDAR_OFF
                else left + (until - at) * (mode == t.CALENDAR_ON)
            )
            on_left.append(int(left))
        for (at, _, mode), left_us in zip(rows, reversed(on_left), strict=True):
            build.ticks.append((int(at), int(mode), left_us))
        build.calendar_rows[name] = len(build.calendars)
        build.calendars.append({"first": first, "n": len(rows)})


# ---------------------------------------------------------------- stations


def _lower_stations(build: _Build) -> None:
    line = build.line
    n_families = len(build.families)
    first_server = 0
    for k, (name, station) in enumerate(line.stations.items()):
        calendar = station.calendar or line.calendar
        row: dict[str, float] = {
            "first_server": first_server,
            "n_servers": station.servers,
            "dispatch": _DISPATCH[station.dispatch],
            "calendar": build.calendar_rows[calendar] if calendar else -1,
            "before_service": station.blocking == "before_service",
            "out_buffer": -1,
            "setup_first": -1,
            "setup_by": 1 if station.setup and station.setup.by == "family" else 0,
        }
        if calendar:
            stations = build.stations_of_calendar.setdefault(
                build.calendar_rows[calendar], []
            )
            stations.append(k)
        if station.output_buffer is not None:
            row["out_buffer"] = _buffer_of(
                build, f"{name} output", station.output_buffer
            )
        if station.setup:
            row["setup_first"] = len(build.setups)
            build.setups.extend(_setup_matrix(build, station, n_families))
            row["setup_stream"] = build.stream("setup", name, 0)
            for number in range(1, station.servers):
                build.stream("setup", name, number)
        _lower_modes(build, name, station, first_server, row)
        _buffer_of(build, name, station.buffer)
        build.stations.append(row)
        first_server += station.servers
    build.settings[t.S_N_FAMILIES] = n_families


def _setup_matrix(build: _Build, station: Station, n_families: int) -> list[int]:
    """Return distribution rows from (last: none yet) and to families, then products."""
    assert station.setup is not None
    setup = station.setup
    n = n_families + len(build.product_rows)
    matrix = np.full((n + 1, n), -1)
    if setup.by == "family":
        rows = build.families
    else:
        rows = {name: n_families + i for name, i in build.product_rows.items()}
    here = list(rows.values())
    if setup.time is not None:
        matrix[np.ix_(here, here)] = build.dist(setup.time)
        matrix[here, here] = -1
    for start, ends in setup.matrix.items():
        for end, time in ends.items():
            matrix[rows[start], rows[end]] = build.dist(time)
    if setup.first is not None:
        matrix[n, here] = build.dist(setup.first)
    flat: list[int] = matrix.ravel().tolist()
    return flat


def _lower_modes(
    build: _Build, name: str, station: Station, first_server: int, row: dict[str, float]
) -> None:
    first_mode = len(build.modes)
    modes: dict[str, Failure | Maintenance] = {**station.failures}
    modes |= {f"maintenance {name}": mode for name, mode in station.maintenance.items()}
    for mode_name, mode in modes.items():
        planned = isinstance(mode, Maintenance)
        build.modes.append(
            {
                "clock": _CLOCK[mode.clock],
                "planned": planned,
                "part": t.PART_RESUME
                if isinstance(mode, Maintenance)
                else _PART[mode.part],
                "together": 0 if isinstance(mode, Maintenance) else mode.together,
                "every": -1 if isinstance(mode.every, int) else build.dist(mode.every),
                "repair": build.dist(
                    mode.duration if isinstance(mode, Maintenance) else mode.repair
                ),
                "cycles": mode.every if isinstance(mode.every, int) else 0,
            }
        )
        build.mode_names.append(mode_name)
    row["n_modes"] = len(build.modes) - first_mode
    clocks = {m["clock"] for m in build.modes[first_mode:]}
    row["has_cycle_modes"] = t.CLOCK_CYCLES in clocks
    for number in range(station.servers):
        build.server_names.append(
            name if station.servers == 1 else f"{name} {number + 1}"
        )
        for m in range(first_mode, len(build.modes)):
            if build.modes[m]["together"] and number:
                continue
            mode_name = build.mode_names[m]
            build.server_modes.append(
                {
                    "mode": m,
                    "server": first_server + number,
                    "every_stream": build.stream("failure", name, mode_name, number),
                    "repair_stream": build.stream("repair", name, mode_name, number),
                }
            )


# ---------------------------------------------------------------- products


def _lower_products(build: _Build) -> None:
    line = build.line
    used_by_others = {
        c for p in line.products.values() for c, b in p.bom.items() if not b.bought
    }
    first_dests: list[int] = []
    for name, product in line.products.items():
        for number, step in enumerate(product.route):
            _lower_step(build, name, product, number, step)
        release = product.release
        capped = release.conwip is not None or line.conwip is not None
        kind = _RELEASE[release.kind]
        first_dests.append(
            int(build.steps[build.first_steps[name]]["dest"]) if product.route else -1
        )
        source = release.every
        if source is None and release.rate:
            source = Distribution(kind="exponential", parameters=(1e6 / release.rate,))
        store = -1
        if name in used_by_others:
            buffer = _buffer_of(build, f"{name} store", product.store)
            store = _dest(build, ((-1, buffer),), 0)
        build.products.append(
            {
                "first_step": build.first_steps[name] if product.route else -1,
                "store": store,
                "family": build.families[product.family or name],
                "lot": product.lot_size,
                "priority": product.priority,
                "cap": -1 if release.conwip is None else release.conwip,
                "kind": t.ALWAYS_CAPPED if kind == t.ALWAYS and capped else kind,
                "source_stream": build.stream("arrivals", name, of=[source]),
                "source_dist": -1 if source is None else build.dist(source),
                "quantity": release.quantity,
                "first_us": -1 if release.first is None else release.first,
                "when_full": _FULL[release.when_full],
                "share": release.share,
            }
        )


def _dest(build: _Build, pairs: tuple[tuple[int, int], ...], choose: int) -> int:
    """Return the row of a destination: its targets and how to choose."""
    key = (pairs, choose if len(pairs) > 1 else 0)
    if key not in build.dest_rows:
        build.dest_rows[key] = len(build.dests)
        queue = -1
        if len(pairs) > 1 and choose == t.CHOOSE_FIRST_FREE:
            queue = len(build.station_rows) + len(build.groups)
            build.groups.append([k for k, _ in pairs])
        build.dests.append(
            {
                "first_target": len(build.targets),
                "n_targets": len(pairs),
                "rule": key[1],
                "queue": queue,
            }
        )
        build.targets.extend({"station": k, "buffer": b} for k, b in pairs)
    return build.dest_rows[key]


def _step_buffer(build: _Build, step: Step, name: str) -> int:
    if step.buffer is not None:
        return build.buffer_rows[step.buffer]
    return _buffer_of(build, name, build.line.stations[name].buffer)


def _lower_step(
    build: _Build, name: str, product: Product, number: int, step: Step
) -> None:
    line = build.line
    buffers = [_step_buffer(build, step, station) for station in step.stations]
    if step.choose == "first_free":
        buffers = [buffers[0]] * len(buffers)
    rows = [build.station_rows[station] for station in step.stations]
    dest = _dest(build, tuple(zip(rows, buffers, strict=True)), _CHOOSE[step.choose])
    times = [_time_of(line, name, step, s) for s in step.stations]
    first_work = len(build.work)
    build.work.extend(build.dist(time) for time in times)
    per_unit = product.lot_size if step.process_per == "unit" else 1
    shift_end = step.shift_end or line.stations[step.stations[0]].shift_end
    quality = _quality(build, name, product, number, step)
    uses = uses_of(product)[number]
    first_use, n_uses = _quantities(build, _kit(line, product, uses))
    makes = {made: _lots(line, made, count) for made, count in step.makes.items()}
    first_make, n_makes = _quantities(build, makes)
    stream = build.stream("process", name, step.operation, of=times)
    ready_made = build.stream_kinds[stream] == t.TIMES and per_unit == 1
    build.operations.append(step.operation)
    build.steps.append(
        {
            "product": build.product_rows[name],
            "next": _next_step(build, name, product, number),
            "dest": dest,
            "first_work": first_work,
            "first_target": build.dests[dest]["first_target"],
            "only_dist": build.work[first_work],
            "only_us": _only_us(times, per_unit),
            "only_station": rows[0] if len(rows) == 1 else -1,
            "only_buffer": buffers[0] if len(rows) == 1 else -1,
            "first_use": first_use,
            "n_uses": n_uses,
            "first_make": first_make,
            "n_makes": n_makes,
            "together": step.makes_together,
            "shift_end": _END[shift_end],
            "process_stream": stream,
            "times_stream": stream if ready_made else -1,
            "quality_stream": build.stream("quality", name, step.operation),
            "transport_stream": build.stream("transport", name, step.operation),
            "transport": -1 if step.transport is None else build.dist(step.transport),
            "per_unit": per_unit,
            "mean_us": round(times[0].mean_us * per_unit),
            "left_us": _work_left(line, name, product, number),
            **quality,
        }
    )


def _only_us(times: list[Distribution], n_units: int) -> int:
    """Return the time of an operation that takes always the same, or -1."""
    if len(set(times)) == 1 and times[0].kind == "constant":
        return int(times[0].parameters[0]) * n_units
    return -1


def _kit(line: Line, product: Product, uses: dict[str, int]) -> dict[str, int]:
    """Return the parts that one part of a product takes of what is made on the line."""
    return {
        name: _lots(line, name, count * product.lot_size)
        for name, count in uses.items()
        if not product.bom[name].bought
    }


def _lots(line: Line, name: str, n_units: int) -> int:
    """Return the parts of a product that hold a number of its units."""
    return -(-n_units // line.products[name].lot_size)


def _quantities(build: _Build, wanted: dict[str, int]) -> tuple[int, int]:
    first = len(build.uses)
    build.uses.extend(
        {"product": build.product_rows[name], "quantity": n}
        for name, n in wanted.items()
    )
    return first, len(wanted)


def _next_step(build: _Build, name: str, product: Product, number: int) -> int:
    following = next_operation(product, number)
    return -1 if following is None else build.first_steps[name] + following


def _work_left(line: Line, name: str, product: Product, number: int) -> int:
    steps = [step for step in product.route[number:] if not step.rework_only]
    return round(sum(_time_of(line, name, s, s.stations[0]).mean_us for s in steps))


def _quality(
    build: _Build, name: str, product: Product, number: int, step: Step
) -> dict[str, float]:
    inspection = step.inspection
    if inspection is None:
        return {
            "inspected": 1 if step.defect else 0,
            "defect": step.defect,
            "good": 1.0,
        }
    good = inspection.pass_
    target = number
    if inspection.rework_to:
        target = [s.operation for s in product.route].index(inspection.rework_to)
    limit, priority = inspection.rework_limit, inspection.rework_priority
    return {
        "inspected": 2,
        "defect": step.defect,
        "good": 1.0 if good is None else good,
        "rework_share": rework_share(inspection),
        "rework_to": build.first_steps[name] + target,
        "rework_limit": -1 if limit is None else limit,
        "rework_priority": t.NEVER if priority is None else priority,
        "false_accept": inspection.false_accept,
        "false_reject": inspection.false_reject,
    }


# ---------------------------------------------------------------- links


def _lower_links(build: _Build) -> None:
    dests_of_buffer: dict[int, list[int]] = {}
    dests_of_station: dict[int, list[int]] = {}
    for d, dest in enumerate(build.dests):
        for j in range(
            int(dest["first_target"]), int(dest["first_target"] + dest["n_targets"])
        ):
            target = build.targets[j]
            here = dests_of_buffer.setdefault(int(target["buffer"]), [])
            if d not in here:
                here.append(d)
            if target["station"] >= 0:
                dests_of_station.setdefault(int(target["station"]), []).append(d)
    _link_buffers(build, dests_of_buffer)
    _link_stations(build, dests_of_station)
    _link_sources(build)
    _link_users(build)
    for c, calendar in enumerate(build.calendars):
        rows = build.stations_of_calendar[c]
        calendar["first_station"], calendar["n_stations"] = build.link(rows)
    _lower_transports(build)
    _mark_plain(build)
    _mark_straight(build)
    _mark_loops(build)


def _link_buffers(build: _Build, dests_of_buffer: dict[int, list[int]]) -> None:
    feeders: dict[int, list[int]] = {}
    for k, station in enumerate(build.stations):
        if station["out_buffer"] >= 0:
            feeders.setdefault(int(station["out_buffer"]), []).append(k)
    early: dict[int, list[int]] = {}
    for step in build.steps:
        following = _following_dest(build, step)
        if following < 0:
            continue
        for k in _stations_of(build, int(step["dest"])):
            if build.stations[k]["before_service"]:
                for b in _buffers_of(build, following):
                    if k not in early.setdefault(b, []):
                        early[b].append(k)
    for b, buffer in enumerate(build.buffers):
        buffer["first_dest"], buffer["n_dests"] = build.link(dests_of_buffer.get(b, []))
        buffer["first_feeder"], buffer["n_feeders"] = build.link(feeders.get(b, []))
        buffer["first_early"], buffer["n_early"] = build.link(early.get(b, []))


def _following_dest(build: _Build, step: dict[str, float]) -> int:
    if step["next"] >= 0:
        return int(build.steps[int(step["next"])]["dest"])
    return int(build.products[int(step["product"])]["store"])


def _targets_of(build: _Build, d: int) -> list[dict[str, float]]:
    first = int(build.dests[d]["first_target"])
    return build.targets[first : first + int(build.dests[d]["n_targets"])]


def _stations_of(build: _Build, d: int) -> list[int]:
    return [
        int(target["station"])
        for target in _targets_of(build, d)
        if target["station"] >= 0
    ]


def _buffers_of(build: _Build, d: int) -> list[int]:
    return [int(target["buffer"]) for target in _targets_of(build, d)]


def _link_stations(build: _Build, dests_of_station: dict[int, list[int]]) -> None:
    n_stations = len(build.stations)
    for k, station in enumerate(build.stations):
        groups = [
            n_stations + g for g, members in enumerate(build.groups) if k in members
        ]
        station["first_queue"], station["n_queues"] = build.link([k, *groups])
        station["first_dest"], station["n_dests"] = build.link(
            dests_of_station.get(k, [])
        )
        always = [
            i
            for i, product in enumerate(build.products)
            if product["kind"] == t.ALWAYS
            and product["first_step"] >= 0
            and k
            in _stations_of(build, int(build.steps[int(product["first_step"])]["dest"]))
        ]
        station["first_always"], station["n_always"] = build.link(always)


def _link_sources(build: _Build) -> None:
    sources: dict[int, list[int]] = {}
    capped = []
    for i, product in enumerate(build.products):
        if product["first_step"] < 0 or product["kind"] == t.NEVER_RELEASED:
            continue
        if product["kind"] == t.ALWAYS:
            continue
        dest = int(build.steps[int(product["first_step"])]["dest"])
        sources.setdefault(dest, []).append(i)
        if product["cap"] >= 0 or build.line.conwip is not None:
            capped.append(i)
    for d, dest_row in enumerate(build.dests):
        dest_row["first_source"], dest_row["n_sources"] = build.link(sources.get(d, []))
    build.settings[t.S_FIRST_CAPPED], build.settings[t.S_N_CAPPED] = build.link(capped)


def _link_users(build: _Build) -> None:
    line = build.line
    users: dict[int, list[int]] = {}
    for step in build.steps:
        first = int(step["first_use"])
        for use in build.uses[first : first + int(step["n_uses"])]:
            here = users.setdefault(int(use["product"]), [])
            here += [k for k in _stations_of(build, int(step["dest"])) if k not in here]
    for i, (name, row) in enumerate(zip(line.products, build.products, strict=True)):
        row["first_station"], row["n_stations"] = build.link(users.get(i, []))
        children = _children(line, name, 1, {})
        row["first_child"], row["n_children"] = _quantities(build, children)


def _children(
    line: Line, name: str, n_parts: int, found: dict[str, int]
) -> dict[str, int]:
    """Return the components, level by level, that are released with parts, in parts."""
    product = line.products[name]
    for uses in uses_of(product):
        for component, count in _kit(line, product, uses).items():
            if line.products[component].release.kind == "with_parent":
                found[component] = found.get(component, 0) + n_parts * count
                _children(line, component, n_parts * count, found)
    return found


def _lower_transports(build: _Build) -> None:
    line = build.line
    times = transport_times(line)
    origins = {start for start, _ in times}
    ends = {end for _, end in times}
    for (name, row), station in zip(
        build.station_rows.items(), build.stations, strict=True
    ):
        station["first_transport"] = len(build.transports)
        reached = line.stations if "any" in ends else ends
        for other in reached if {name, "any"} & origins else ():
            pairs = (name, other), (name, "any"), ("any", other), ("any", "any")
            time = next((times[pair] for pair in pairs if pair in times), None)
            to = build.station_rows[other]
            if time is not None and to != row:
                build.transports.append({"to": to, "dist": build.dist(time)})
        station["n_transports"] = len(build.transports) - int(
            station["first_transport"]
        )


def _mark_plain(build: _Build) -> None:
    """Mark the stations at which every waiting part may start, in their order."""
    fancy = {int(way["to"]) for way in build.transports}
    for step in build.steps:
        if step["n_uses"] or step["shift_end"] == t.END_FIT or step["transport"] >= 0:
            fancy |= set(_stations_of(build, int(step["dest"])))
    for k, station in enumerate(build.stations):
        station["plain"] = (
            k not in fancy
            and station["dispatch"] == t.FIFO
            and station["n_queues"] == 1
            and not station["before_service"]
        )


def _mark_straight(build: _Build) -> None:
    """Mark what goes the common way, for which the kernel asks fewer questions.

    A step is straight when its part leaves the line, or goes on to one plain station
    with one buffer, without verdict, split or place kept for it. The only buffer of a
    station and the only destination of a buffer are named where nothing else draws on
    them or waits for them but straight parts.
    """
    for station in build.stations:
        station["only_buffer"] = -1
        dests = _linked(build, station, "dest")
        if station["plain"] and station["setup_first"] < 0 and len(dests) == 1:
            target, *others = _targets_of(build, dests[0])
            if not others and build.dests[dests[0]]["queue"] < 0:
                station["only_buffer"] = target["buffer"]
    for buffer in build.buffers:
        buffer["only_dest"] = -1
        dests = _linked(build, buffer, "dest")
        if len(dests) != 1 or buffer["n_feeders"] or buffer["n_early"]:
            continue
        target, *others = _targets_of(build, dests[0])
        if not others and target["station"] >= 0:
            station = build.stations[int(target["station"])]
            if station["only_buffer"] >= 0 and not build.dests[dests[0]]["n_sources"]:
                buffer["only_dest"] = dests[0]
    for step in build.steps:
        step["straight"] = _is_straight(build, step)


def _linked(build: _Build, row: dict[str, float], what: str) -> list[int]:
    """Return the rows that a record links to as `first_...` and `n_...`."""
    first = int(row[f"first_{what}"])
    return build.links[first : first + int(row[f"n_{what}s"])]


def _is_straight(build: _Build, step: dict[str, float]) -> bool:
    before = _stations_of(build, int(step["dest"]))
    early = any(build.stations[k]["before_service"] for k in before)
    if step["inspected"] or step["n_makes"] or early:
        return False
    if step["next"] < 0:
        return build.products[int(step["product"])]["store"] < 0
    k = int(build.steps[int(step["next"])]["only_station"])
    return k >= 0 and build.stations[k]["only_buffer"] >= 0


def _mark_loops(build: _Build) -> None:
    """Mark the stations that can block each other in a circle (Tarjan's components)."""
    after: dict[int, set[int]] = {k: set() for k in range(len(build.stations))}
    for step in build.steps:
        dests = [_following_dest(build, step)]
        if step["inspected"] == 2:
            dests.append(int(build.steps[int(step["rework_to"])]["dest"]))
        first = int(step["first_make"])
        for make in build.uses[first : first + int(step["n_makes"])]:
            made = build.products[int(make["product"])]
            dests.append(int(build.steps[int(made["first_step"])]["dest"]))
        for k in _stations_of(build, int(step["dest"])):
            for d in dests:
                if d >= 0:
                    after[k] |= set(_sharing(build, d))
    for component in _components(after):
        looping = len(component) > 1 or component[0] in after[component[0]]
        for k in component:
            build.stations[k]["in_loop"] = looping


def _sharing(build: _Build, d: int) -> list[int]:
    """Return the stations that draw on the buffers of a destination."""
    buffers = set(_buffers_of(build, d))
    return [
        int(target["station"])
        for target in build.targets
        if target["buffer"] in buffers and target["station"] >= 0
    ]


def _components(after: dict[int, set[int]]) -> list[list[int]]:
    """Return the strongly connected components of a graph."""
    pairs = [(a, b) for a, ends in after.items() for b in ends]
    if all(b > a for a, b in pairs):  # a line that only goes forward has no circle
        return [[k] for k in after]
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - slow to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    rows, columns = zip(*pairs, strict=True)
    graph = csr_matrix((np.ones(len(pairs)), (rows, columns)), shape=(len(after),) * 2)
    _, labels = connected_components(graph, directed=True, connection="strong")
    found: dict[int, list[int]] = {}
    for k, label in enumerate(labels):
        found.setdefault(int(label), []).append(k)
    return list(found.values())


# ---------------------------------------------------------------- orders, timers, sizes


def _orders(line: Line) -> tuple[Order, ...]:
    """Return the orders; a file of them was read when the model was loaded."""
    assert not isinstance(line.orders, OrderFile)
    return line.orders


def _lower_orders(build: _Build) -> None:
    line = build.line

    def tick(when: Any, missing: int) -> int:
        if when is None:
            return missing
        if isinstance(when, int):
            return when
        return int(to_tick(when, line.start, line.time_zone))

    for place, order in enumerate(_orders(line)):
        product = line.products[order.product]
        build.orders.append(
            {
                "product": build.product_rows[order.product],
                "quantity": order.quantity,
                "release": tick(order.release, 0),
                "due": tick(order.due, t.NEVER),
                "priority": product.priority
                if order.priority is None
                else order.priority,
                "place": place,
            }
        )
    build.orders.sort(key=lambda row: (row["release"], row["place"]))


def _lower_leaves(build: _Build) -> None:
    """Give every timer its leaf: servers, clocks, calendars, sources, orders, moves."""
    n_servers = len(build.server_names)
    station_of = [
        k for k, s in enumerate(build.stations) for _ in range(int(s["n_servers"]))
    ]
    build.leaf_row = list(range(n_servers))
    build.leaf_station = list(station_of)

    def leaf(row: int, station: int) -> int:
        build.leaf_row.append(row)
        build.leaf_station.append(station)
        return len(build.leaf_row) - 1

    for m, server_mode in enumerate(build.server_modes):
        clock = build.modes[int(server_mode["mode"])]["clock"]
        timed = clock in (t.CLOCK_OPERATING, t.CLOCK_CALENDAR)
        server_mode["leaf"] = (
            leaf(m, station_of[int(server_mode["server"])]) if timed else -1
        )
    for c, calendar in enumerate(build.calendars):
        calendar["leaf"] = leaf(c, 0)
    for i, product in enumerate(build.products):
        product["leaf"] = leaf(i, i) if product["kind"] == t.ARRIVALS else -1
    build.settings[t.S_ORDER_LEAF] = leaf(0, 0) if build.orders else -1
    carried = build.transports or any(s["transport"] >= 0 for s in build.steps)
    build.settings[t.S_MOVE_LEAF] = leaf(0, 0) if carried else -1
    build.settings[t.S_N_LEAVES] = len(build.leaf_row)


def _margin(build: _Build) -> int:
    """Return how many parts one event can bring into being."""
    children = [
        1
        + sum(
            int(u["quantity"])
            for u in build.uses[int(p["first_child"]) :][: int(p["n_children"])]
        )
        for p in build.products
    ]
    most = len(build.server_names) + 8
    for order in build.orders:
        most = max(most, int(order["quantity"]) * children[int(order["product"])])
    for i, product in enumerate(build.products):
        most = max(most, int(product["quantity"]) * children[i])
    caps = [int(p["cap"]) for p in build.products if p["cap"] >= 0]
    caps.append(build.line.conwip or 0)
    makes = sum(int(use["quantity"]) for use in build.uses)
    return most + sum(caps) + makes + len(build.server_names) + len(build.products)


def _finish(build: _Build) -> Lowered:
    line = build.line
    n_stations = len(build.stations)
    build.settings[t.S_LINE_CAP] = -1 if line.conwip is None else line.conwip
    build.settings[t.S_N_QUEUES] = n_stations + len(build.groups)
    build.settings[t.S_N_DESTS] = len(build.dests)
    build.settings[t.S_N_PRODUCTS] = len(build.products)
    build.settings[t.S_MARGIN] = _margin(build)
    order_rows = [
        {k: v for k, v in row.items() if k != "place"} for row in build.orders
    ]
    ids = [order.id or str(i + 1) for i, order in enumerate(_orders(line))]
    for row in build.dists:
        row.setdefault("first", 0)
    tables = t.LineTables(
        stations=_records(t.STATION, build.stations),
        modes=_records(t.MODE, build.modes),
        server_modes=_records(t.SERVER_MODE, build.server_modes),
        buffers=_records(t.BUFFER, build.buffers),
        steps=_records(t.STEP, build.steps),
        dests=_records(t.DEST, build.dests),
        targets=_records(t.TARGET, build.targets),
        uses=_records(t.QUANTITY, build.uses),
        products=_records(t.PRODUCT, build.products),
        dists=_records(t.DISTRIBUTION, build.dists),
        calendars=_records(t.CALENDAR, build.calendars),
        ticks=np.array(build.ticks, t.TICK_ROW),
        orders=_records(t.ORDER_ROW, order_rows),
        transports=_records(t.TRANSPORT_ROW, build.transports),
        work=np.array(build.work, np.int64),
        links=np.array(build.links, np.int64),
        setups=np.array(build.setups, np.int64),
        leaf_row=np.array(build.leaf_row, np.int64),
        data=np.array(build.data, np.float64),
        settings=np.array(build.settings, np.int64),
    )
    names = t.Names(
        stations=tuple(line.stations),
        buffers=tuple(build.buffer_rows),
        products=tuple(line.products),
        operations=tuple(build.operations),
        modes=tuple(build.mode_names),
        orders=tuple(ids[int(row["place"])] for row in build.orders),
        servers=tuple(build.server_names),
        streams=tuple(build.streams),
    )
    kinds = np.array(build.stream_kinds, np.int64)
    scales = np.array(build.stream_scales, np.float64)
    stations = np.array(build.leaf_station, np.int64)
    return Lowered(tables, names, kinds, scales, stations)


# ---------------------------------------------------------------- state and streams


def stream_keys(
    names: Sequence[str], seed: int
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the 64-bit key of every stream: a hash of its name and the seed.

    Raises:
        KernelError: Two names have one key; another seed helps.
    """
    digests = [
        hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
        for name in names
    ]
    keys = np.array([int.from_bytes(d, "little") for d in digests], np.uint64)
    if len(np.unique(keys)) != len(keys):
        msg = f"two random streams have one key with seed {seed}; choose another"
        raise KernelError(msg)
    return keys


def new_draws(lowered: Lowered, seed: int, replication: int) -> t.Draws:
    """Return the streams of one replication."""
    n = len(lowered.stream_kinds)
    return t.Draws(
        key=stream_keys(lowered.names.streams, seed),
        kind=lowered.stream_kinds,
        held=np.full(n, -1, np.int64),
        values=np.zeros(n * t.BLOCK),
        scale=lowered.stream_scales,
        setting=np.array([replication, t.BLOCK // 2, 10], np.int64),
    )


def new_state(
    lowered: Lowered, n_trace: int = 0, n_periods: int = 0, period_us: int = 0
) -> t.State:
    """Return the state of an empty line at time 0."""
    line = lowered.tables
    n_servers = int(line.stations["n_servers"].sum())
    n_stations, n_products = len(line.stations), len(line.products)
    margin = int(line.settings[t.S_MARGIN])
    n_parts = 2 * margin + 256
    width = 2 * n_products + len(line.buffers)
    n_lists = (
        n_stations + int(line.settings[t.S_N_QUEUES]) + len(line.dests) + 2 * n_products
    )
    n_pad = 2
    while n_pad < int(line.settings[t.S_N_LEAVES]):
        n_pad *= 2
    leaves = np.zeros(2 * n_pad, np.int64)
    leaves[n_pad:] = np.arange(n_pad)
    for node in range(n_pad - 1, 0, -1):
        leaves[node] = leaves[2 * node]
    state = t.State(
        clock=_zeros(t.CLOCK, 1),
        servers=_zeros(t.SERVER, n_servers),
        stations=_zeros(t.STATION_STATE, n_stations),
        modes=_zeros(t.MODE_STATE, len(line.server_modes)),
        buffers=_zeros(t.BUFFER_STATE, len(line.buffers)),
        lists=_zeros(t.LIST, n_lists),
        parts=_zeros(t.PART, 0),
        products=_zeros(t.PRODUCT_STATE, n_products),
        orders=_zeros(t.ORDER_STATE, len(line.orders)),
        accounts=np.zeros((n_stations, t.N_MODES), np.int64),
        flow=np.zeros((n_products, t.N_FLOW_BUCKETS), np.int64),
        tree_key=t.NEVER + leaves,
        tree_leaf=leaves,
        # padded like the tree, which looks at leaves without a timer too
        leaf_station=np.pad(
            lowered.leaf_station, (0, n_pad - len(lowered.leaf_station))
        ),
        heap=np.zeros((0, 4), np.int64),
        todo=np.zeros(0, np.int64),
        requests=np.zeros(0, np.int64),
        trace=np.zeros((n_trace, len(t.TRACE_COLUMNS)), np.int64),
        series=np.zeros(max(n_periods + 1, 1) * width, np.int64),
    )
    state.lists["head"] = -1
    state.lists["tail"] = -1
    state.modes["left"] = t.UNKNOWN
    state.modes["due"] = t.NEVER
    state.modes["clock"] = line.modes["clock"][line.server_modes["mode"]]
    state.orders["finished"] = -1
    state.clock["free_part"] = -1
    state.clock["tracing"] = n_trace > 0
    state.clock["n_periods"] = n_periods + 1 if n_periods else 0
    state.clock["period_us"] = period_us
    state.clock["watch"] = 0 if n_periods else t.NEVER
    state.clock["n_pending_sources"] = int(line.settings[t.S_N_CAPPED])
    state.buffers["waiters"] = _always_watched(line)
    _begin_servers(line, state)
    return part_capacity(lowered, state, n_parts)


def _always_watched(line: t.LineTables) -> t.Ints:
    """Return 1 for buffers whose room somebody wants who does not stand in a list.

    These are stations that start only with a place behind them, stations whose output
    buffer it is, and parts outside.
    """
    watched = (line.buffers["n_early"] > 0) | (line.buffers["n_feeders"] > 0)
    for b, buffer in enumerate(line.buffers):
        first = int(buffer["first_dest"])
        dests = line.links[first : first + int(buffer["n_dests"])]
        watched[b] |= bool((line.dests["n_sources"][dests] > 0).any())
    return (watched & (line.buffers["slots"] < t.UNLIMITED)).astype(np.int64)


def _begin_servers(line: t.LineTables, state: t.State) -> None:
    servers = state.servers
    for name, value in (("part", -1), ("down", -1), ("family", -1), ("fails", -1)):
        servers[name] = value
    servers["due"] = t.NEVER
    servers["next_failure"] = t.NEVER
    mode_servers = line.server_modes["server"]
    for k, station in enumerate(line.stations):
        first, n = int(station["first_server"]), int(station["n_servers"])
        here = slice(first, first + n)
        servers["station"][here] = k
        servers["number"][here] = np.arange(n)
        shift = t.CALENDAR_ON
        if station["calendar"] >= 0:
            shift = int(
                line.ticks["mode"][line.calendars["first"][station["calendar"]]]
            )
        state.stations["shift"][k] = shift
        state.stations["next_tick"][k] = 1
    servers["first_mode"] = np.searchsorted(mode_servers, np.arange(len(servers)))
    ends = np.searchsorted(mode_servers, np.arange(len(servers)), side="right")
    servers["n_modes"] = ends - servers["first_mode"]


def part_capacity(lowered: Lowered, state: t.State, n_parts: int) -> t.State:
    """Return the state with room for more parts; nothing else of it changes."""
    old = len(state.parts)
    parts = _zeros(t.PART, n_parts)
    parts[:old] = state.parts
    parts["product"][old:] = -1
    parts["next"][old:] = np.append(
        np.arange(old + 1, n_parts), state.clock["free_part"][0]
    )
    state.clock["free_part"] = old
    state.clock["n_free"] += n_parts - old
    heap = np.zeros((n_parts, 4), np.int64)
    heap[:old] = state.heap
    n_servers, margin = len(state.servers), int(lowered.tables.settings[t.S_MARGIN])
    work = 8 * (
        n_servers + len(state.buffers) + len(state.products) + len(state.stations)
    )
    todo = np.zeros(work + 4 * margin + n_parts + 1024, np.int64)
    requests = np.zeros(work + len(state.modes) + 2 * n_parts + 1024, np.int64)
    return state._replace(parts=parts, heap=heap, todo=todo, requests=requests)
