"""Links: who has to look again when something changes, and where nobody has to.

A place that comes free, a part that is released, a shift that begins: each wakes those
who may wait for it and no others. Their rows stand behind each other in one table, and
every record says where its own begin.

Marks are what the links show of a line. Where it is plain and straight, the kernel goes
a short way with the same result; where it runs in a loop, and nowhere else, the kernel
looks for stations that block each other in a circle.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from linewright import tables as t
from linewright.lower._build import Build
from linewright.lower._sources import children_of


def link_rows(build: Build) -> None:
    """Link buffers, stations, destinations, products and calendars to each other."""
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
    _link_stocks(build)
    _link_failures(build)
    for c, calendar in enumerate(build.calendars):
        rows = build.stations_of_calendar.get(c, [])
        calendar["first_station"], calendar["n_stations"] = build.link(rows)
        pools = [i for i, pool in enumerate(build.pools) if pool["calendar"] == c]
        calendar["first_pool"], calendar["n_pools"] = build.link(pools)
        works = [
            m
            for m, row in enumerate(build.server_modes)
            if build.modes[int(row["mode"])]["window"] == c
        ]
        calendar["first_window"], calendar["n_windows"] = build.link(works)


def _link_stocks(build: Build) -> None:
    """Link each stock to the stations at which parts take from it."""
    users: dict[int, list[int]] = {}
    for step in build.steps:
        stations = build.stations_of(int(step["dest"]))
        first = int(step["first_take"])
        for take in build.takes[first : first + int(step["n_takes"])]:
            here = users.setdefault(int(take["stock"]), [])
            here += [k for k in stations if k not in here]
    for i, stock in enumerate(build.stocks):
        stock["first_station"], stock["n_stations"] = build.link(users.get(i, []))


def _link_failures(build: Build) -> None:
    """Link a failure of several servers to them, and its stations to it."""
    stops: dict[int, list[int]] = {}
    for m, server_mode in enumerate(build.server_modes):
        row = build.modes[int(server_mode["mode"])]
        stations: tuple[int, ...] = ()
        if row.pop("members", 0):
            here = build.station_of_server(int(server_mode["server"]))
            stations = build.common_modes.get(int(server_mode["mode"]), (here,))
        members = [s for k in sorted(stations) for s in build.servers_of(k)]
        row["first_member"], row["n_members"] = build.link(members)
        for k in stations:
            stops.setdefault(k, []).append(m)
    for k, station in enumerate(build.stations):
        station["first_group"], station["n_groups"] = build.link(stops.get(k, []))


def _link_buffers(build: Build, dests_of_buffer: dict[int, list[int]]) -> None:
    feeders: dict[int, list[int]] = {}
    for k, station in enumerate(build.stations):
        if station["out_buffer"] >= 0:
            feeders.setdefault(int(station["out_buffer"]), []).append(k)
    early: dict[int, list[int]] = {}
    for step in build.steps:
        following = build.following_dest(step)
        if following < 0:
            continue
        for k in build.stations_of(int(step["dest"])):
            if build.stations[k]["before_service"]:
                for b in build.buffers_of(following):
                    if k not in early.setdefault(b, []):
                        early[b].append(k)
    for b, buffer in enumerate(build.buffers):
        buffer["first_dest"], buffer["n_dests"] = build.link(dests_of_buffer.get(b, []))
        buffer["first_feeder"], buffer["n_feeders"] = build.link(feeders.get(b, []))
        buffer["first_early"], buffer["n_early"] = build.link(early.get(b, []))


def _link_stations(build: Build, dests_of_station: dict[int, list[int]]) -> None:
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
            in build.stations_of(int(build.steps[int(product["first_step"])]["dest"]))
        ]
        station["first_always"], station["n_always"] = build.link(always)


def _link_sources(build: Build) -> None:
    sources: dict[int, list[int]] = {}
    capped = []
    for i, product in enumerate(build.products):
        if product["first_step"] < 0 or product["kind"] == t.NEVER_RELEASED:
            continue
        if product["kind"] == t.ALWAYS:
            continue
        dest = int(build.steps[int(product["first_step"])]["dest"])
        sources.setdefault(dest, []).append(i)
        has_cap = product["cap"] >= 0 or build.line.conwip is not None
        if has_cap or product["own_rule"] >= 0:
            capped.append(i)
    for d, dest_row in enumerate(build.dests):
        dest_row["first_source"], dest_row["n_sources"] = build.link(sources.get(d, []))
    build.settings[t.S_FIRST_CAPPED], build.settings[t.S_N_CAPPED] = build.link(capped)


def _link_users(build: Build) -> None:
    line = build.line
    users: dict[int, list[int]] = {}
    for step in build.steps:
        first = int(step["first_use"])
        for use in build.uses[first : first + int(step["n_uses"])]:
            here = users.setdefault(int(use["product"]), [])
            here += [k for k in build.stations_of(int(step["dest"])) if k not in here]
    for i, (name, row) in enumerate(zip(line.products, build.products, strict=True)):
        row["first_station"], row["n_stations"] = build.link(users.get(i, []))
        children = children_of(line, name, 1, {})
        row["first_child"], row["n_children"] = build.quantities(children)


def mark(build: Build) -> None:
    """Mark stations, buffers and steps; everything has been linked."""
    _mark_plain(build)
    _mark_straight(build)
    _mark_loops(build)


def _mark_plain(build: Build) -> None:
    """Mark the stations at which every waiting part may start, in their order."""
    fancy = {int(way["to"]) for way in build.transports} | _mark_tools(build)
    looks: dict[int, int] = {}
    for step in build.steps:
        stations = build.stations_of(int(step["dest"]))
        bits = t.LOOKS if step["batch_group"] >= 0 or step["same_slot"] >= 0 else 0
        if step.get("missed", 0):
            bits |= t.LOOKS | t.LOOKS_FOR_LATE
        for k in stations:
            looks[k] = looks.get(k, 0) | bits
            build.stations[k]["batches"] = step["batch_group"] >= 0 or (
                build.stations[k].get("batches", False)
            )
        if step["limit_slot"] >= 0 or step["server_slot"] >= 0:
            fancy |= set(stations)
        if step["cascade"] >= 0 or step["rest"] >= 0:
            fancy |= _stations_after(build, step)
        work = build.work[int(step["first_work"]) :][: len(stations)]
        fits = any(row["shift_end"] == t.END_FIT for row in work)
        if step["n_uses"] or fits or step["transport"] >= 0:
            fancy |= set(stations)
    for k, station in enumerate(build.stations):
        station["looks"] = looks.get(k, 0)
        if station["first_run"] >= 0 or station["own_rule"] >= 0:
            station["looks"] = int(station["looks"]) | t.LOOKS
        station.setdefault("batches", False)
        station["plain"] = (
            k not in fancy
            and not station["looks"]
            and station["dispatch"] == t.FIFO
            and station["preempts"] == t.PREEMPT_NEVER
            and not station["conveyor"]
            and station["n_queues"] == 1
            and not station["before_service"]
        )


def _mark_tools(build: Build) -> set[int]:
    """Mark the stations at which parts take from stocks; return all that look."""
    found: set[int] = set()
    for step in build.steps:
        stations = build.stations_of(int(step["dest"]))
        if step["n_takes"] or step["n_hands"]:
            found |= set(stations)
        for k in stations if step["n_takes"] else ():
            build.stations[k]["tools"] = 1
    return found


def _stations_after(build: Build, step: dict[str, float]) -> set[int]:
    """Return the stations to which a part may go after a step."""
    ahead = [build.following_dest(step)]
    if step["inspected"] == 2:
        ahead.append(int(build.steps[int(step["rework_to"])]["dest"]))
    following = int(step["next"])
    while following >= 0 and build.steps[following]["sampled"]:
        following = int(build.steps[following]["next"])
        if following >= 0:
            ahead.append(int(build.steps[following]["dest"]))
    return {k for d in ahead if d >= 0 for k in build.stations_of(d)}


def _mark_straight(build: Build) -> None:
    """Mark what goes the common way, for which the kernel asks fewer questions.

    A step is straight when its part leaves the line, or goes on to one plain station
    with one buffer, without verdict, split or place kept for it. The only buffer of a
    station and the only destination of a buffer are named where nothing else draws on
    them or waits for them but straight parts. A step's parts come in turn where one
    server works on nothing else, first come, first served.
    """
    for station in build.stations:
        station["only_buffer"] = -1
        dests = build.linked(station, "dest")
        if station["plain"] and not station["prelude"] and len(dests) == 1:
            target, *others = build.targets_of(dests[0])
            if not others and build.dests[dests[0]]["queue"] < 0:
                station["only_buffer"] = target["buffer"]
    for buffer in build.buffers:
        buffer["only_dest"] = -1
        dests = build.linked(buffer, "dest")
        if len(dests) != 1 or buffer["n_feeders"] or buffer["n_early"]:
            continue
        target, *others = build.targets_of(dests[0])
        if not others and target["station"] >= 0:
            station = build.stations[int(target["station"])]
            if station["only_buffer"] >= 0 and not build.dests[dests[0]]["n_sources"]:
                buffer["only_dest"] = dests[0]
    visits = Counter(k for s in build.steps for k in build.stations_of(int(s["dest"])))
    for step in build.steps:
        step["straight"] = _is_straight(build, step)
        _name_next(build, step)
        k = int(step["only_station"])
        alone = k >= 0 and visits[k] == 1 and build.stations[k]["n_servers"] == 1
        step["in_turn"] = alone and build.stations[k]["dispatch"] == t.FIFO
        step["foretold"] = step["in_turn"] and _is_foretold(build, step)
    for product in build.products:
        first = int(product["first_step"])
        own = product["own_rule"] >= 0
        product["straight"] = first >= 0 and not own and _leads_straight(build, first)


def _name_next(build: Build, step: dict[str, float]) -> None:
    """Name where a part goes after a straight step, so that nobody looks it up."""
    if not step["straight"] or step["next"] < 0:
        return
    ahead = build.steps[int(step["next"])]
    step["next_target"] = ahead["first_target"]
    step["next_station"] = ahead["only_station"]
    step["next_buffer"] = ahead["only_buffer"]


def _is_foretold(build: Build, step: dict[str, float]) -> bool:
    """Say whether what a server does after a step can be seen before the step ends."""
    is_known = step["only_us"] >= 0 or step["times_stream"] >= 0
    station = build.stations[int(step["only_station"])]
    return bool(step["straight"]) and is_known and station["only_buffer"] >= 0


def _is_straight(build: Build, step: dict[str, float]) -> bool:
    before = build.stations_of(int(step["dest"]))
    here = [build.stations[k] for k in before]
    early = any(station["before_service"] or station["conveyor"] for station in here)
    early |= step["curve"] >= 0
    product = build.products[int(step["product"])]
    early |= step["next"] < 0 and product["n_held"] > 0
    early |= build.settings[t.S_RELEASE_RULES] > 0  # they look when work has ended
    if step["inspected"] or step["n_makes"] or step["n_gives"] or early:
        return False
    if step["batch_group"] >= 0 or step["cascade"] >= 0 or step["rest"] >= 0:
        return False
    if any(build.stations[k]["unload"] >= 0 for k in before):
        return False
    if any(build.stations[k]["first_need"] >= 0 for k in before):
        return False
    if step["next"] < 0:
        return build.products[int(step["product"])]["store"] < 0
    return _leads_straight(build, int(step["next"]))


def _leads_straight(build: Build, step: int) -> bool:
    """Say whether parts for a step go to one plain station with one buffer."""
    k = int(build.steps[step]["only_station"])
    return k >= 0 and build.stations[k]["only_buffer"] >= 0


def _mark_loops(build: Build) -> None:
    """Mark the stations that can block each other in a circle (Tarjan's components)."""
    after: dict[int, set[int]] = {k: set() for k in range(len(build.stations))}
    for step in build.steps:
        dests = [build.following_dest(step)]
        if step["inspected"] == 2:
            dests.append(int(build.steps[int(step["rework_to"])]["dest"]))
        first = int(step["first_make"])
        for make in build.uses[first : first + int(step["n_makes"])]:
            made = build.products[int(make["product"])]
            dests.append(int(build.steps[int(made["first_step"])]["dest"]))
        for k in build.stations_of(int(step["dest"])):
            for d in dests:
                if d >= 0:
                    after[k] |= set(_sharing(build, d))
    for component in _components(after):
        looping = len(component) > 1 or component[0] in after[component[0]]
        for k in component:
            build.stations[k]["in_loop"] = looping


def _sharing(build: Build, d: int) -> list[int]:
    """Return the stations that draw on the buffers of a destination."""
    buffers = set(build.buffers_of(d))
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
