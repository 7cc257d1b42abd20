"""A whole line, one part of it after the other, and the tables put together at the end.

The order is that of need: a station names its calendar, a step its stations, a link
both of its ends, and timers and sizes are counted when everything is there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower._build import Build, OwnRule, records
from linewright.lower._fleets import lower_fleets, lower_transports
from linewright.lower._links import link_rows, mark
from linewright.lower._quality import StepQuality, quality_of
from linewright.lower._sources import (
    lower_calendars,
    lower_in_process,
    lower_orders,
    lower_products,
    orders_of,
)
from linewright.lower._stations import (
    lower_buffers,
    lower_people,
    lower_stations,
)
from linewright.lower._stocks import lower_stocks
from linewright.model.line import Line


class Lowered(NamedTuple):
    """The tables of a line, the names of their rows, and its streams.

    Attributes:
        tables: What the kernel reads.
        names: Row to name.
        stream_kinds: What each stream holds: uniforms, exponentials or times.
        stream_scales: Mean of the times in microseconds, of streams that hold them.
        leaf_station: Place of each timer among simultaneous events of one kind.
        own_rules: The rules of one's own, by row.
        functions: What runs them, once that is allowed (`own_rules.permit`).
        quality: What is made, measured and held at operations, where something is.
        follows: Whether a schedule says what comes in and what is begun.
    """

    tables: t.LineTables
    names: t.Names
    stream_kinds: t.Ints
    stream_scales: t.Floats
    leaf_station: t.Ints
    own_rules: tuple[OwnRule, ...] = ()
    functions: Any = None
    quality: tuple[StepQuality, ...] = ()
    follows: bool = False


def lower(line: Line, horizon_us: int) -> Lowered:
    """Return the tables of a line that has passed `check`.

    Args:
        line: The line.
        horizon_us: Length of the run in microseconds; calendars are laid out that far.
    """
    build = Build(line, horizon_us)
    build.station_rows = {name: k for k, name in enumerate(line.stations)}
    build.product_rows = {name: i for i, name in enumerate(line.products)}
    for product in line.products:
        family = line.products[product].family or product
        build.families.setdefault(family, len(build.families))
        for step in line.products[product].route:
            if step.family:
                build.families.setdefault(step.family, len(build.families))
    first = 0
    for name, product_ in line.products.items():
        build.first_steps[name] = first
        first += len(product_.route)
    lower_buffers(build)
    lower_calendars(build)
    lower_people(build)
    lower_stocks(build)
    lower_stations(build)
    lower_products(build)
    link_rows(build)
    lower_fleets(build)
    lower_transports(build)
    mark(build)
    lower_orders(build)
    lower_in_process(build)
    _lower_leaves(build)
    return _finish(build)


def _lower_leaves(build: Build) -> None:
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
    for k, station in enumerate(build.stations):
        if station["batches"] or station["conveyor"]:
            station["leaf"] = leaf(k, k)
    for i, product in enumerate(build.products):
        product["leaf"] = leaf(i, i) if product["kind"] == t.ARRIVALS else -1
    ordered = any(product["kind"] == t.ORDERS for product in build.products)
    build.settings[t.S_ORDER_LEAF] = leaf(0, 0) if ordered else -1
    returns = any(stock["dist"] >= 0 for stock in build.stocks)
    carried = (
        returns
        or build.transports
        or any(
            s["transport"] >= 0 or s["cascade"] >= 0 or s["rest"] >= 0
            for s in build.steps
        )
    )
    build.settings[t.S_MOVE_LEAF] = leaf(0, 0) if carried else -1
    build.settings[t.S_N_LEAVES] = len(build.leaf_row)


def _margin(build: Build) -> int:
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
    for step in build.steps:
        if step["batch_group"] >= 0:
            most += int(step["batch_max"])
    there = sum(int(row["parts"]) for row in build.in_process)
    there += sum(int(product["initial"]) for product in build.products)
    most += sum(caps) + makes + there
    return most + len(build.server_names) + len(build.products)


def _finish(build: Build) -> Lowered:
    line = build.line
    n_stations = len(build.stations)
    build.settings[t.S_LINE_CAP] = -1 if line.conwip is None else line.conwip
    build.settings[t.S_N_QUEUES] = n_stations + len(build.groups)
    build.settings[t.S_N_DESTS] = len(build.dests)
    build.settings[t.S_N_PRODUCTS] = len(build.products)
    build.settings[t.S_MARGIN] = _margin(build)
    build.settings[t.S_N_SLOTS] = build.n_slots
    order_rows = [
        {k: v for k, v in row.items() if k != "place"} for row in build.orders
    ]
    ids = [order.id or str(i + 1) for i, order in enumerate(orders_of(line))]
    for row in build.dists:
        row.setdefault("first", 0)
    tables = t.LineTables(
        stations=records(t.STATION, build.stations),
        modes=records(t.MODE, build.modes),
        server_modes=records(t.SERVER_MODE, build.server_modes),
        buffers=records(t.BUFFER, build.buffers),
        steps=records(t.STEP, build.steps),
        dests=records(t.DEST, build.dests),
        targets=records(t.TARGET, build.targets),
        uses=records(t.QUANTITY, build.uses),
        products=records(t.PRODUCT, build.products),
        dists=records(t.DISTRIBUTION, build.dists),
        calendars=records(t.CALENDAR, build.calendars),
        ticks=np.array(build.ticks, t.TICK_ROW),
        orders=records(t.ORDER_ROW, order_rows),
        transports=records(t.TRANSPORT_ROW, build.transports),
        work=records(t.WORK, build.work),
        in_process=records(t.IN_PROCESS_ROW, build.in_process),
        pools=records(t.POOL, build.pools),
        skills=records(t.SKILL, build.skills),
        needs=records(t.NEED, build.needs),
        stocks=records(t.STOCK, build.stocks),
        takes=records(t.TAKE, build.takes),
        curves=records(t.CURVE, build.curves),
        fleets=records(t.FLEET, build.fleets),
        links=np.array(build.links, np.int64),
        ways_us=np.array(build.ways_us, np.int64),
        setups=np.array(build.setups, np.int64),
        setup_us=np.array(build.setup_us, np.int64),
        runs=np.array(build.runs, np.int64),
        leaf_row=np.array(build.leaf_row, np.int64),
        data=np.array(build.data, np.float64),
        settings=np.array(build.settings, np.int64),
    )
    names = t.Names(
        stations=tuple(line.stations),
        buffers=tuple(build.buffer_rows),
        pools=tuple(line.people),
        skills=tuple(build.skill_rows),
        stocks=tuple(build.stock_rows),
        fleets=tuple(build.fleet_rows),
        products=tuple(line.products),
        operations=tuple(build.operations),
        modes=tuple(build.mode_names),
        orders=tuple(ids[int(row["place"])] for row in build.orders),
        servers=tuple(build.server_names),
        streams=tuple(build.streams),
        families=tuple(build.families),
    )
    kinds = np.array(build.stream_kinds, np.int64)
    scales = np.array(build.stream_scales, np.float64)
    stations = np.array(build.leaf_station, np.int64)
    own_rules = tuple(build.own_rules)
    quality = tuple(quality_of(line, names.products, build.first_steps))
    return Lowered(tables, names, kinds, scales, stations, own_rules, quality=quality)
