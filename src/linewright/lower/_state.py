"""What a run starts from: the empty line at time 0, and its random streams.

The arrays of a state have the sizes that its tables ask for, and all of them are made
here, because the kernel allocates none while it runs. Only the room for parts can grow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.errors import KernelError
from linewright.lower._build import zeros
from linewright.lower._line import Lowered


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
    line = lowered.tables
    ahead = zeros(t.AHEAD, _n_servers(line) + len(line.products))
    ahead["stream"] = -1
    streams = zeros(t.STREAM, n)
    streams["key"] = stream_keys(lowered.names.streams, seed)
    streams["kind"] = lowered.stream_kinds
    streams["scale"] = lowered.stream_scales
    streams["held"] = -1
    return t.Draws(
        streams=streams,
        values=zeros(np.float64, n * t.BLOCK),
        setting=np.array([replication, t.BLOCK // 2, 10], np.int64),
        ahead=ahead,
    )


def new_state(
    lowered: Lowered, n_trace: int = 0, n_periods: int = 0, period_us: int = 0
) -> t.State:
    """Return the state of an empty line at time 0."""
    line = lowered.tables
    n_servers = _n_servers(line)
    n_stations, n_products = len(line.stations), len(line.products)
    margin = int(line.settings[t.S_MARGIN])
    n_parts = 2 * margin + 256
    width = 2 * n_products + len(line.buffers)
    n_lists = n_stations + int(line.settings[t.S_N_QUEUES]) + len(line.dests)
    n_lists += 2 * n_products + len(line.fleets)
    n_pad = 2
    while n_pad < int(line.settings[t.S_N_LEAVES]):
        n_pad *= 2
    leaves = np.zeros(2 * n_pad, np.int64)
    leaves[n_pad:] = np.arange(n_pad)
    for node in range(n_pad - 1, 0, -1):
        leaves[node] = leaves[2 * node]
    state = t.State(
        clock=zeros(t.CLOCK, 1),
        servers=zeros(t.SERVER, n_servers),
        stations=zeros(t.STATION_STATE, n_stations),
        modes=zeros(t.MODE_STATE, len(line.server_modes)),
        buffers=zeros(t.BUFFER_STATE, len(line.buffers)),
        lists=zeros(t.LIST, n_lists),
        parts=zeros(t.PART, 0),
        products=zeros(t.PRODUCT_STATE, n_products),
        orders=zeros(t.ORDER_STATE, len(line.orders)),
        accounts=zeros(np.int64, n_stations, t.N_MODES),
        flow=np.zeros((n_products, t.N_FLOW_BUCKETS), np.int64),
        tree=zeros(np.int64, 2 * n_pad),
        winners=zeros(np.int64, 2 * n_pad),
        # padded like the tree, which looks at leaves without a timer too
        leaf_station=np.pad(
            lowered.leaf_station, (0, n_pad - len(lowered.leaf_station))
        ),
        memory=np.zeros(0, np.int64),
        steps=zeros(t.STEP_STATE, len(line.steps)),
        pools=zeros(t.POOL_STATE, len(line.pools)),
        skills=zeros(t.SKILL_STATE, len(line.skills)),
        places=zeros(t.PLACE, len(line.pools) * n_stations),
        claims=zeros(t.CLAIM, n_servers + len(line.server_modes)),
        windows=zeros(t.WINDOW_STATE, len(line.calendars)),
        stocks=zeros(t.STOCK_STATE, len(line.stocks)),
        curves=zeros(t.CURVE_STATE, len(line.curves)),
        belts=zeros(t.BELT_STATE, n_stations),
        fleets=zeros(t.FLEET_STATE, len(line.fleets)),
        vehicles=zeros(t.VEHICLE, _n_vehicles(line)),
        heap=np.zeros((0, 4), np.int64),
        todo=np.zeros(0, np.int64),
        requests=np.zeros(0, np.int64),
        asked=np.zeros(t.ASKED_PARTS, np.int64),
        trace=np.zeros((n_trace, len(t.TRACE_COLUMNS)), np.int64),
        series=np.zeros(max(n_periods + 1, 1) * width, np.int64),
        chain=zeros(t.CAUSE, 0),
        causes=np.zeros(0, np.int64),
        path=np.zeros(0, np.int64),
    )
    state.tree[:] = t.NEVER + leaves
    state.winners[:] = leaves
    state.lists["head"] = -1
    state.lists["tail"] = -1
    state.modes["left"] = t.UNKNOWN
    state.modes["due"] = t.NEVER
    state.modes["clock"] = line.modes["clock"][line.server_modes["mode"]]
    _begin_orders(line, state)
    state.clock["free_part"] = -1
    state.clock["tracing"] = n_trace > 0
    state.clock["n_periods"] = n_periods + 1 if n_periods else 0
    state.clock["period_us"] = period_us
    state.clock["ties"] = t.TIES_OF_LEAVES if _ties_need_looking(line) else 0
    state.clock["watch"] = 0 if n_periods else t.NEVER
    state.clock["n_pending_sources"] = int(line.settings[t.S_N_CAPPED])
    state.buffers["slots"] = line.buffers["slots"]
    state.buffers["waiters"] = _always_watched(line)
    _begin_servers(line, state)
    _begin_people(line, state)
    _begin_stocks(line, state)
    _begin_vehicles(line, state)
    return part_capacity(lowered, state, n_parts)


def _begin_orders(line: t.LineTables, state: t.State) -> None:
    """Put the orders of the line in line for their release, in which they stand."""
    state.orders["finished"] = -1
    for column in ("product", "quantity", "release", "due", "priority"):
        state.orders[column] = line.orders[column]
    state.orders["next"] = np.arange(1, len(state.orders) + 1)
    state.orders["next"][-1:] = -1
    state.clock["next_order"] = 0 if len(state.orders) else -1


def resumed_state(saved: t.State, n_periods: int, period_us: int) -> t.State:
    """Return a copy of a state from which a run goes on, with time series of its own.

    Nothing of it changes but what a run writes down: series begin now, no trace.
    """
    width = 2 * len(saved.products) + len(saved.buffers)
    state = t.State._make(array.copy() for array in saved)
    state = state._replace(
        series=np.zeros(max(n_periods + 1, 1) * width, np.int64),
        trace=np.zeros((0, len(t.TRACE_COLUMNS)), np.int64),
        chain=zeros(t.CAUSE, 0),
        causes=np.zeros(0, np.int64),
        path=np.zeros(0, np.int64),
    )
    now = int(state.clock["now"][0])
    state.clock["tracing"] = 0
    state.clock["ties"] &= ~t.CHAINS
    state.clock["n_trace"] = 0
    state.clock["origin"] = now
    state.clock["period"] = 0
    state.clock["n_periods"] = n_periods + 1 if n_periods else 0
    state.clock["period_us"] = period_us
    state.clock["watch"] = now if n_periods else t.NEVER
    return state


_MIN_CHAIN = 1 << 13
_N_SUMS = 64


def following_causes(state: t.State, since_us: int) -> t.State:
    """Return the state with room to write down what causes what from now on.

    Args:
        state: Where the run begins; its other tables are shared.
        since_us: Time from which the critical path is asked for; earlier events are
            followed but not counted.
    """
    n_leaves = len(state.leaf_station)
    n_servers, n_modes = len(state.servers), len(state.modes)
    n_places = n_leaves + n_servers + len(state.parts) + len(state.vehicles)
    causes = np.zeros(n_places, np.int64)
    # nothing is paused that was seen to stop
    causes[n_leaves : n_leaves + n_servers] = -1
    sizes = {name: len(getattr(state, name)) for _, name in t.PATH_KINDS if name}
    width = 1 + sum(sizes.get(name, 1) for _, name in t.PATH_KINDS)
    n_chain = max(_MIN_CHAIN, 16 * (n_leaves + n_servers + n_modes))
    chain = zeros(t.CAUSE, n_chain)
    # the first row is the start, which caused all that goes on now
    chain[0]["parent"] = -1
    chain[0]["what"] = width - 2
    chain[0]["at"] = state.clock["now"][0]
    clock = state.clock.copy()
    clock["ties"] |= t.CHAINS
    clock["node"], clock["n_chain"], clock["exit"] = 0, 1, -1
    clock["chain_first"] = 0
    clock["exits"] = clock["finished"]
    clock["path_since"], clock["path_width"] = since_us, width
    path = np.zeros(_N_SUMS * width, np.int64)
    return state._replace(clock=clock, chain=chain, causes=causes, path=path)


def longer_chain(state: t.State) -> t.State:
    """Return the state with twice the room for events and their causes."""
    first = int(state.clock["chain_first"][0])
    rows = state.chain[first : int(state.clock["n_chain"][0])]
    chain = zeros(t.CAUSE, 2 * len(state.chain))
    chain[: len(rows)] = rows
    parent = chain["parent"]
    parent[parent >= 0] -= first
    causes = np.where(state.causes >= 0, state.causes - first, state.causes)
    clock = state.clock.copy()
    clock["n_chain"] -= first
    clock["node"] -= first
    if clock["exit"][0] >= 0:
        clock["exit"] -= first
    clock["chain_first"] = 0
    return state._replace(clock=clock, chain=chain, causes=causes)


def _n_servers(line: t.LineTables) -> int:
    return int(line.stations["n_servers"].sum())


def _ties_need_looking(line: t.LineTables) -> bool:
    """Say whether simultaneous events of one kind may differ from their leaves' order.

    They do between servers of one station, where the part's number counts, and between
    servers and clocks of failures, which have leaves behind those of all servers.
    """
    several = bool((line.stations["n_servers"] > 1).any())
    return several or bool((line.server_modes["leaf"] >= 0).any())


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
        state.stations["shift"][k] = state.stations["by_calendar"][k] = shift
        state.stations["next_tick"][k] = 1
    servers["first_mode"] = np.searchsorted(mode_servers, np.arange(len(servers)))
    ends = np.searchsorted(mode_servers, np.arange(len(servers)), side="right")
    servers["n_modes"] = ends - servers["first_mode"]


def _begin_people(line: t.LineTables, state: t.State) -> None:
    for column in ("wanted", "held", "prev", "next"):
        state.claims[column] = -1
    for column in ("head", "tail"):
        state.skills[column] = -1
    state.pools["on"] = 1
    state.pools["next_tick"] = 1
    for i, pool in enumerate(line.pools):
        if pool["calendar"] >= 0:
            first = int(line.calendars["first"][pool["calendar"]])
            state.pools["on"][i] = line.ticks["mode"][first] == t.CALENDAR_ON


def _begin_stocks(line: t.LineTables, state: t.State) -> None:
    state.windows["next_tick"] = 1
    for c, calendar in enumerate(line.calendars):
        state.windows["on"][c] = line.ticks["mode"][calendar["first"]] == t.CALENDAR_ON
    state.stocks["free"] = line.stocks["initial"]
    state.curves["experience"] = line.curves["before"]
    state.belts["head"] = -1
    state.belts["tail"] = -1
    state.belts["moves"] = state.stations["shift"] == t.CALENDAR_ON


def _n_vehicles(line: t.LineTables) -> int:
    return int(line.fleets["n_vehicles"].sum())


def _begin_vehicles(line: t.LineTables, state: t.State) -> None:
    state.vehicles["part"] = -1
    for f, fleet in enumerate(line.fleets):
        first, n = int(fleet["first_vehicle"]), int(fleet["n_vehicles"])
        here = slice(first, first + n)
        state.vehicles["fleet"][here] = f
        state.vehicles["number"][here] = np.arange(n)
        state.vehicles["at"][here] = fleet["home"]


def _n_returning(line: t.LineTables) -> int:
    """Return how many things can be on their way back to stocks at most."""
    lots = line.stocks["reorder_point"] // np.maximum(line.stocks["lot"], 1)
    of_each = line.stocks["initial"] * (line.stocks["kind"] != t.MATERIAL)
    return int(of_each.sum() + lots.sum()) + 2 * len(line.stocks) + _n_servers(line)


def part_capacity(lowered: Lowered, state: t.State, n_parts: int) -> t.State:
    """Return the state with room for more parts; nothing else of it changes."""
    old = len(state.parts)
    parts = zeros(t.PART, n_parts)
    parts[:old] = state.parts
    parts["product"][old:] = -1
    parts["came"][old:] = -1
    parts["mate"][old:] = -1
    n_slots = int(lowered.tables.settings[t.S_N_SLOTS])
    memory = np.zeros(n_parts * n_slots, np.int64)
    memory[: old * n_slots] = state.memory
    parts["next"][old:] = np.append(
        np.arange(old + 1, n_parts), state.clock["free_part"][0]
    )
    state.clock["free_part"] = old
    state.clock["n_free"] += n_parts - old
    n_heap = len(state.heap)
    n_returning = _n_returning(lowered.tables) + _n_vehicles(lowered.tables)
    heap = np.zeros((n_parts + n_returning, 4), np.int64)
    heap[:n_heap] = state.heap
    n_servers, margin = len(state.servers), int(lowered.tables.settings[t.S_MARGIN])
    work = 8 * (
        n_servers + len(state.buffers) + len(state.products) + len(state.stations)
    )
    todo = np.zeros(work + 4 * margin + n_parts + 1024, np.int64)
    n_requests = work + len(state.modes) + 2 * n_parts + n_returning + 1024
    requests = np.zeros(n_requests, np.int64)
    causes = state.causes
    if len(causes):
        place = len(state.leaf_station) + n_servers + old
        causes = np.insert(causes, place, np.full(n_parts - old, -1))
    return state._replace(
        causes=causes,
        parts=parts,
        memory=memory,
        heap=heap,
        todo=todo,
        requests=requests,
        asked=np.zeros(t.ASKED_PARTS + n_parts, np.int64),
    )
