"""Stations: their servers and buffers, what stops them, what they set up, what carries.

A station becomes one row, a row for each failure or maintenance with a clock for each
of its servers, a matrix of setups, and the ways that lead from it to other stations.
"""

from __future__ import annotations

import numpy as np

from linewright import tables as t
from linewright.lower._build import Build
from linewright.model.line import Failure, Maintenance, Station
from linewright.model.meaning import transport_times

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


def lower_buffers(build: Build) -> None:
    """Add the buffers that have a name; stations add those of their own."""
    for name, buffer in build.line.buffers.items():
        build.new_buffer(name, buffer.slots)


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
            row["out_buffer"] = build.buffer_of(f"{name} output", station.output_buffer)
        if station.setup:
            row["setup_first"] = len(build.setups)
            build.setups.extend(_setup_matrix(build, station, n_families))
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
    build: Build, name: str, station: Station, first_server: int, row: dict[str, float]
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
