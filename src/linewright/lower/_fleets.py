"""Ways between stations, and the vehicles that carry parts on them.

A fleet knows only the stations at which its vehicles may stand; `ways_us` holds the
times between them, by which the nearest vehicle is found.
"""

from __future__ import annotations

from collections.abc import Iterator

from linewright.lower._build import Build
from linewright.model.distribution import Distribution
from linewright.model.fleets import Pair, carried, empty_us, loaded_time, stops
from linewright.model.line import Fleet
from linewright.model.meaning import way_between, ways_of

__all__ = ["lower_fleets", "lower_transports"]


def lower_fleets(build: Build) -> None:
    """Add the fleets; the places of their vehicles are those of parts they carry."""
    line, first_vehicle = build.line, 0
    by_fleet: dict[str, list[Pair]] = {name: [] for name in line.vehicles}
    for pair, way in carried(line).items():
        by_fleet[str(way.by)].append(pair)
    for name, fleet in line.vehicles.items():
        build.fleet_rows[name] = len(build.fleets)
        build.fleets.append(
            {
                "first_vehicle": first_vehicle,
                "n_vehicles": fleet.count,
                "by_priority": fleet.calls == "priority",
                "load": _dist(build, fleet.load),
                "unload": _dist(build, fleet.unload),
                **_charge(build, name, fleet),
                **_places(build, name, by_fleet[name]),
            }
        )
        first_vehicle += fleet.count


def _dist(build: Build, time: Distribution | None) -> int:
    return -1 if time is None else build.dist(time)


def _charge(build: Build, name: str, fleet: Fleet) -> dict[str, float]:
    if fleet.charge is None:
        return {"charge": -1}
    return {
        "charge": build.dist(fleet.charge.time),
        "charge_stream": build.stream("charge", name),
        "charge_after": fleet.charge.after,
    }


def _places(build: Build, name: str, pairs: list[Pair]) -> dict[str, float]:
    """Add the places of a fleet, by station, and the empty ways between them."""
    line, ways = build.line, ways_of(build.line)
    starts, ends = stops(line, name, pairs)
    places = list(dict.fromkeys([*ends, *starts]))
    row_of = {station: i for i, station in enumerate(places)}
    first_place, _ = build.link(row_of.get(station, -1) for station in line.stations)
    first_way, wanted = len(build.ways_us), set(starts)
    for start in places:
        for end in places:
            us = empty_us(line, ways, name, start, end) if end in wanted else 0
            build.ways_us.append(us or 0)
    return {
        "home": row_of[line.vehicles[name].home],
        "first_place": first_place,
        "n_places": len(places),
        "first_way": first_way,
    }


# ---------------------------------------------------------------- ways


def lower_transports(build: Build) -> None:
    """Add the ways on which parts are carried from one station to another."""
    found: dict[str, list[dict[str, float]]] = {}
    for (start, end), row in _ways(build):
        found.setdefault(start, []).append(row | {"to": build.station_rows[end]})
    for name, station in zip(build.station_rows, build.stations, strict=True):
        station["first_transport"] = len(build.transports)
        build.transports.extend(found.get(name, []))
        station["n_transports"] = len(found.get(name, []))


def _ways(build: Build) -> Iterator[tuple[Pair, dict[str, float]]]:
    """Yield the ways between any two stations, in the order of the file's stations.

    Of a fleet only those that parts go.
    """
    line, ways = build.line, ways_of(build.line)
    by_vehicle = carried(line)
    origins = {start for start, _ in ways}
    ends = dict.fromkeys(end for _, end in ways)
    for start in line.stations:
        reached = line.stations if "any" in ends else ends
        for end in reached if {start, "any"} & origins else ():
            way = way_between(ways, start, end)
            if way is None or start == end:
                continue
            if way.by is None and way.time is not None:
                yield (start, end), {"dist": build.dist(way.time), "fleet": -1}
            elif (start, end) in by_vehicle:
                time = loaded_time(line, ways, start, end)
                assert time is not None, f"no time from {start} to {end}"
                fleet = build.fleet_rows[str(way.by)]
                yield (start, end), {"dist": build.dist(time), "fleet": fleet}
