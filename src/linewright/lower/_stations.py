"""Stations: their servers and buffers, what stops them, what they set up.

A station becomes one row, a row for each failure or maintenance with a clock for each
of its servers, and a matrix of setups.
"""

from __future__ import annotations

import numpy as np

from linewright import tables as t
from linewright.lower._build import Build
from linewright.lower._curves import add_ramp
from linewright.lower._stocks import add_spares, lower_lent
from linewright.model.changes import (
    absences,
    most_servers,
    pool_schedule,
    station_schedule,
    window_schedule,
)
from linewright.model.distribution import Distribution
from linewright.model.line import (
    Failure,
    Maintenance,
    PythonRule,
    Setup,
    Station,
)
from linewright.model.meaning import people_of, skills_of
from linewright.model.moments import date_text

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
_PREEMPT = {
    "never": t.PREEMPT_NEVER,
    "resume": t.PREEMPT_RESUME,
    "restart": t.PREEMPT_RESTART,
}
_BY = {"product": t.BY_PRODUCT, "family": t.BY_FAMILY, "operation": t.BY_OPERATION}
_NO_TIME = Distribution(kind="constant", parameters=(0.0,))
_PART = {"resume": t.PART_RESUME, "restart": t.PART_RESTART, "scrap": t.PART_SCRAP}


def lower_buffers(build: Build) -> None:
    """Add the buffers that have a name; stations add those of their own."""
    for name, buffer in build.line.buffers.items():
        build.new_buffer(name, buffer.slots)


def lower_people(build: Build) -> None:
    """Add the pools of people, and their skills with the pools that have each."""
    skills = skills_of(build.line)
    build.skill_rows = {skill: row for row, skill in enumerate(skills)}
    pools = {name: row for row, name in enumerate(build.line.people)}
    for having in skills.values():
        first, n = build.link(pools[name] for name in having)
        build.skills.append({"first_pool": first, "n_pools": n})
    for name, pool in build.line.people.items():
        first, n = build.link(build.skill_rows[s] for s in (name, *pool.skills))
        row: dict[str, float] = {"count": pool.count}
        row |= {"first_skill": first, "n_skills": n, "walk": -1, "walk_stream": -1}
        row["calendar"] = build.calendar_rows.get(pool_schedule(build.line, name), -1)
        if pool.walk is not None:
            row["walk"] = build.dist(pool.walk)
            row["walk_stream"] = build.stream("walk", name, of=[pool.walk])
        build.pools.append(row)


def _needs(build: Build, station: Station) -> int:
    """Add what a station needs people for; return where that begins, -1 for nothing."""
    people = station.people
    if people is None:
        return -1
    first = len(build.needs)
    for asked in (people.setup, people.load, people.process, people.unload):
        skill, n = people_of(asked)
        row = -1 if skill is None else build.skill_rows[skill]
        build.needs.append({"skill": row, "n": n, "urgency": station.people_priority})
    return first


def lower_stations(build: Build) -> None:
    """Add the stations with their servers, stops, setups and own buffers."""
    line = build.line
    n_families = len(build.families)
    first_server = 0
    for k, (name, station) in enumerate(line.stations.items()):
        calendar = build.calendar_rows.get(station_schedule(line, name), -1)
        n_servers = most_servers(line, name)
        row: dict[str, float] = {
            "first_server": first_server,
            "n_servers": n_servers,
            **_dispatch(station),
            "calendar": calendar,
            "before_service": station.blocking == "before_service",
            "out_buffer": -1,
            "setup_first": -1,
            "setup_by": _BY[station.setup.by] if station.setup else 0,
            "load": -1 if station.load is None else build.dist(station.load),
            "unload": -1 if station.unload is None else build.dist(station.unload),
            "first_run": -1,
            "leaf": -1,
            "prelude": bool(
                station.setup
                or station.load
                or station.people
                or station.preempt != "never"
            ),
            "first_need": _needs(build, station),
            **lower_lent(build, station.setup.tools if station.setup else {}),
            "holds": station.holds_when_stopped * t.HOLDS_PARTS
            | (station.conveyor is not None) * t.IS_BELT,
            **_conveyor(station),
            "preempts": _PREEMPT[station.preempt],
            "speed": add_ramp(build, station.ramp_up.speed if station.ramp_up else ()),
            "good": add_ramp(build, station.ramp_up.good if station.ramp_up else ()),
            "own_rule": build.own_rule("dispatch", name, station.dispatch),
        }
        if calendar >= 0:
            build.stations_of_calendar.setdefault(calendar, []).append(k)
        if station.output_buffer is not None:
            row["out_buffer"] = build.buffer_of(f"{name} output", station.output_buffer)
        if station.setup:
            row["setup_first"] = len(build.setups)
            build.setups.extend(_setup_matrix(build, station, n_families))
            if station.setup.minimum_run:
                row["first_run"] = len(build.runs)
                build.runs.extend(_run_lengths(build, station.setup, n_families))
            row["setup_stream"] = build.stream("setup", name, 0)
            for number in range(1, n_servers):
                build.stream("setup", name, number)
        _lower_modes(build, name, station, first_server, row)
        build.buffer_of(name, station.buffer)
        build.stations.append(row)
        first_server += n_servers
    build.settings[t.S_N_FAMILIES] = n_families


def _conveyor(station: Station) -> dict[str, float]:
    """Return whether a station is a conveyor, and the time from place to place."""
    belt = station.conveyor
    if belt is None:
        return {"conveyor": 0}
    kind = 1 if belt.accumulating else 2
    return {"conveyor": kind, "gap_us": round(belt.time_us / belt.places)}


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
    modes = _modes_of(station)
    for mode_name, mode in modes.items():
        build.modes.append(_mode(build, name, mode_name, mode))
        build.mode_names.append(mode_name)
    row["n_modes"] = len(build.modes) - first_mode
    clocks = {m["clock"] for m in build.modes[first_mode:]}
    row["has_cycle_modes"] = bool(clocks & {t.CLOCK_CYCLES, t.CLOCK_UNITS})
    n_servers = most_servers(build.line, name)
    away: dict[tuple[int, int], int] = {}
    for number in range(n_servers):
        build.server_names.append(name if n_servers == 1 else f"{name} {number + 1}")
        for m in range(first_mode, first_mode + len(modes)):
            if number == 0 or not build.modes[m]["members"]:
                who = name, build.mode_names[m]
                _add_server_mode(build, m, first_server, who, number)
        for spell in absences(build.line, name, number):
            if spell not in away:
                away[spell] = _add_absence(build, name, spell)
            who = name, build.mode_names[away[spell]]
            _add_server_mode(build, away[spell], first_server, who, number)
        if number == 0:
            _lower_common(build, name, first_server)


def _add_absence(build: Build, name: str, spell: tuple[int, int]) -> int:
    """Add that servers are not there from one instant to another; return its row.

    It is like planned work that begins at the one and is over at the other.
    """
    begin_us, end_us = spell
    # an instant before, so that no part is begun where one ends just then
    first = Distribution(kind="constant", parameters=(max(begin_us - 1.0, 0.0),))
    build.modes.append(
        {
            "clock": t.CLOCK_CALENDAR,
            "planned": t.AWAY if begin_us else t.AWAY_AT_START,
            "every": -1,
            "first": build.dist(first),
            "repair": -1,
            "cycles": end_us,
            **_crew(build, None),
            **lower_lent(build, {}),
            "stock": -1,
            "worn": -1,
            "window": -1,
            "steps": 1,
        }
    )
    build.mode_names.append(f"not there since {date_text(build.line, begin_us)}")
    return len(build.modes) - 1


def _add_server_mode(
    build: Build, m: int, first_server: int, name: tuple[str, str], number: int
) -> None:
    build.server_modes.append(
        {
            "mode": m,
            "server": first_server + number,
            "every_stream": build.stream("failure", *name, number),
            "repair_stream": build.stream("repair", *name, number),
        }
    )


def _mode(
    build: Build, name: str, mode_name: str, mode: Failure | Maintenance
) -> dict[str, float]:
    """Return the row of a failure or planned work at a station."""
    station = build.line.stations[name]
    crew = mode.crew
    if crew is None and station.people:
        crew = station.people.repair
    row = {
        "clock": _CLOCK[mode.clock],
        "every": _time(build, mode.every),
        "cycles": mode.every if isinstance(mode.every, int) else 0,
        "first": _first_stop(build, mode),
        **_crew(build, crew),
        **lower_lent(build, mode.tools),
        "urgency": station.people_priority,
        "members": 0,
        "stock": -1,
        "worn": -1,
        "window": -1,
    }
    if isinstance(mode, Failure):
        stock = add_spares(build, name, mode_name, mode)
        repair = mode.repair if stock < 0 else mode.swap or _NO_TIME
        together = mode.together or station.conveyor is not None
        row |= {"part": _PART[mode.part], "members": together, "stock": stock}
        return row | {"repair": build.dist(repair), "steps": mode.steps}
    row |= {"planned": True, "repair": build.dist(mode.duration), "defer": mode.defer}
    if mode.window:
        row["window"] = build.calendar_rows[window_schedule(build.line, mode.window)]
    for failure, step in (mode.when_worn or {}).items():
        first = len(build.modes) - list(_modes_of(station)).index(mode_name)
        row["worn"] = first + list(station.failures).index(failure)
        row["at_step"] = step
    return row


def _modes_of(station: Station) -> dict[str, Failure | Maintenance]:
    modes: dict[str, Failure | Maintenance] = {**station.failures}
    work = {f"maintenance {name}": mode for name, mode in station.maintenance.items()}
    return modes | work


def _time(build: Build, every: Distribution | int | None) -> int:
    return build.dist(every) if isinstance(every, Distribution) else -1


def _crew(build: Build, crew: str | dict[str, int] | None) -> dict[str, float]:
    skill, n_crew = people_of(crew)
    row = -1 if skill is None else build.skill_rows[skill]
    return {"crew": row, "n_crew": n_crew}


def _lower_common(build: Build, name: str, first_server: int) -> None:
    """Add the failures of several stations that have this one as their first."""
    for common, failure in build.line.failures.items():
        if min(failure.stations, key=list(build.station_rows).index) != name:
            continue
        stations = [build.line.stations[station] for station in failure.stations]
        build.modes.append(
            {
                "clock": t.CLOCK_CALENDAR,
                "every": build.dist(failure.every),
                "first": build.dist(failure.first or failure.every),
                "repair": build.dist(failure.repair),
                "part": _PART[failure.part],
                **_crew(build, failure.crew),
                **lower_lent(build, failure.tools),
                "urgency": max(station.people_priority for station in stations),
                "members": 1,
                "stock": -1,
                "worn": -1,
                "window": -1,
            }
        )
        build.mode_names.append(common)
        m = len(build.modes) - 1
        _add_server_mode(build, m, first_server, ("", common), 0)
        build.common_modes[m] = tuple(build.station_rows[s] for s in failure.stations)


def _first_stop(build: Build, mode: Failure | Maintenance) -> int:
    """Return the row of the time to the first stop, or a count."""
    first = mode.every if mode.first is None else mode.first
    return first if isinstance(first, int) else _time(build, first)
