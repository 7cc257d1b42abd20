"""Stations: their servers and buffers, what stops them, what they set up, what carries.

A station becomes one row, a row for each failure or maintenance with a clock for each
of its servers, a matrix of setups, and the ways that lead from it to other stations.
"""

from __future__ import annotations

import numpy as np

from linewright import tables as t
from linewright.lower._build import Build
from linewright.model.line import (
    Failure,
    Maintenance,
    PythonRule,
    Setup,
    Station,
)
from linewright.model.meaning import people_of, transport_times

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
    "units": t.CLOCK_UNITS,
}
_BY = {"product": t.BY_PRODUCT, "family": t.BY_FAMILY, "operation": t.BY_OPERATION}
_PART = {"resume": t.PART_RESUME, "restart": t.PART_RESTART, "scrap": t.PART_SCRAP}


def lower_buffers(build: Build) -> None:
    """Add the buffers that have a name; stations add those of their own."""
    for name, buffer in build.line.buffers.items():
        build.new_buffer(name, buffer.slots)


def lower_people(build: Build) -> None:
    """Add the pools of people."""
    for name, pool in build.line.people.items():
        build.pool_rows[name] = len(build.pools)
        calendar = build.calendar_rows[pool.calendar] if pool.calendar else -1
        build.pools.append({"count": pool.count, "calendar": calendar})


def _needs(build: Build, station: Station) -> int:
    """Add what a station needs people for; return where that begins, -1 for nothing."""
    people = station.people
    if people is None:
        return -1
    first = len(build.needs)
    for asked in (people.setup, people.load, people.process, people.unload):
        pool, n = people_of(asked)
        row = -1 if pool is None else build.pool_rows[pool]
        build.needs.append({"pool": row, "n": n})
    return first


def lower_stations(build: Build) -> None:
    """Add the stations with their servers, stops, setups and own buffers."""
    line = build.line
    n_families = len(build.families)
    first_server = 0
    for k, (name, station) in enumerate(line.stations.items()):
        calendar = station.calendar or line.calendar
        row: dict[str, float] = {
            "first_server": first_server,
            "n_servers": station.servers,
            **_dispatch(station),
            "calendar": build.calendar_rows[calendar] if calendar else -1,
            "before_service": station.blocking == "before_service",
            "out_buffer": -1,
            "setup_first": -1,
            "setup_by": _BY[station.setup.by] if station.setup else 0,
            "load": -1 if station.load is None else build.dist(station.load),
            "unload": -1 if station.unload is None else build.dist(station.unload),
            "first_run": -1,
            "leaf": -1,
            "prelude": bool(station.setup or station.load or station.people),
            "first_need": _needs(build, station),
            "holds": station.holds_when_stopped,
            "own_rule": build.own_rule("dispatch", name, station.dispatch),
        }
        if calendar:
            stations = build.stations_of_calendar.setdefault(
                build.calendar_rows[calendar], []
            )
            stations.append(k)
        if station.output_buffer is not None:
            row["out_buffer"] = build.buffer_of(f"{name} output", station.output_buffer)
        if station.setup:
            row["setup_first"] = len(build.setups)
            build.setups.extend(_setup_matrix(build, station, n_families))
            if station.setup.minimum_run:
                row["first_run"] = len(build.runs)
                build.runs.extend(_run_lengths(build, station.setup, n_families))
            row["setup_stream"] = build.stream("setup", name, 0)
            for number in range(1, station.servers):
                build.stream("setup", name, number)
        _lower_modes(build, name, station, first_server, row)
        build.buffer_of(name, station.buffer)
        build.stations.append(row)
        first_server += station.servers
    build.settings[t.S_N_FAMILIES] = n_families


def _setup_matrix(build: Build, station: Station, n_families: int) -> list[int]:
    """Return distribution rows from (last: none yet) and to families, then products."""
    assert station.setup is not None
    setup = station.setup
    n = n_families + len(build.product_rows)
    matrix = np.full((n + 1, n), -1)
    rows = _kinds(build, setup, n_families)
    here = list(rows.values())
    if setup.time is not None:
        matrix[np.ix_(here, here)] = build.dist(setup.time)
        matrix[here, here] = -1
    for end, time in setup.matrix.get("any", {}).items():
        matrix[[*here, n], rows[end]] = build.dist(time)
        matrix[rows[end], rows[end]] = -1
    for start, ends in setup.matrix.items():
        for end, time in ends.items() if start != "any" else ():
            matrix[rows[start], rows[end]] = build.dist(time)
    if setup.first is not None:
        matrix[n, here] = build.dist(setup.first)
    flat: list[int] = matrix.ravel().tolist()
    means = {row: round(dist.mean_us) for dist, row in build.dist_rows.items()}
    build.setup_us.extend(means.get(row, 0) for row in flat)
    return flat


def _kinds(build: Build, setup: Setup, n_families: int) -> dict[str, int]:
    """Return the rows of what a setup tells apart: families, or products."""
    if setup.by == "product":
        return {name: n_families + i for name, i in build.product_rows.items()}
    return build.families


def _run_lengths(build: Build, setup: Setup, n_families: int) -> list[int]:
    """Return the least run after a change to each family, then to each product."""
    runs = [0] * (n_families + len(build.product_rows))
    for name, row in _kinds(build, setup, n_families).items():
        each = setup.minimum_run
        runs[row] = each.get(name, 0) if isinstance(each, dict) else each or 0
    return runs


def _dispatch(station: Station) -> dict[str, float]:
    rules = station.dispatch
    if isinstance(rules, PythonRule):  # who waits for a place comes in turn
        rules = ()
    rules = (rules,) if isinstance(rules, str) else rules
    if station.setup is None:  # all are alike then
        rules = tuple(rule for rule in rules if rule != "least_setup")
    codes = [_DISPATCH[rule] for rule in rules] + [t.FIFO] * 3
    return dict(zip(("dispatch", "dispatch_2", "dispatch_3"), codes, strict=False))


def _lower_modes(
    build: Build, name: str, station: Station, first_server: int, row: dict[str, float]
) -> None:
    first_mode = len(build.modes)
    modes: dict[str, Failure | Maintenance] = {**station.failures}
    modes |= {f"maintenance {name}": mode for name, mode in station.maintenance.items()}
    for mode_name, mode in modes.items():
        planned = isinstance(mode, Maintenance)
        crew = mode.crew
        if crew is None and station.people:
            crew = station.people.repair
        pool, n_crew = people_of(crew)
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
                "first": _first_stop(build, mode),
                "crew": -1 if pool is None else build.pool_rows[pool],
                "n_crew": n_crew,
            }
        )
        build.mode_names.append(mode_name)
    row["n_modes"] = len(build.modes) - first_mode
    clocks = {m["clock"] for m in build.modes[first_mode:]}
    row["has_cycle_modes"] = bool(clocks & {t.CLOCK_CYCLES, t.CLOCK_UNITS})
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


def _first_stop(build: Build, mode: Failure | Maintenance) -> int:
    """Return the row of the time to the first stop, or a count."""
    first = mode.every if mode.first is None else mode.first
    return first if isinstance(first, int) else build.dist(first)


def lower_transports(build: Build) -> None:
    """Add the ways on which parts are carried from one station to another."""
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
