"""One replication from time 0 to the horizon: what it counted and its own checks.

The kernel keeps running sums. Reading them at a few instants (`Snapshot`) gives every
figure of any span between two of them, so the warm-up may be chosen after the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from linewright import tables as t
from linewright.errors import KernelError
from linewright.kernel.run import advance
from linewright.lower import (
    Lowered,
    longer_chain,
    new_draws,
    new_state,
    part_capacity,
    resumed_state,
)
from linewright.own_rules import Caller

__all__ = [
    "N_PERIODS",
    "VEHICLE_TIMES",
    "Check",
    "CriticalPath",
    "Replication",
    "Snapshot",
    "critical_path",
    "replicate",
    "run_until",
]

N_PERIODS = 1000
_FOREVER = 2**62


class Snapshot(NamedTuple):
    """The running sums at an instant, with all that is going on booked up to it.

    Attributes:
        at_us: The instant.
        products: Records of `tables.PRODUCT_STATE`; `area_us` is closed.
        buffers: Records of `tables.BUFFER_STATE`; `area_us` is closed.
        stations: Records of `tables.STATION_STATE`.
        pools: Records of `tables.POOL_STATE`; `area_us` and `walk_us` are closed.
        stocks: Records of `tables.STOCK_STATE`; `area_us` and `none_us` are closed.
        fleets: Records of `tables.FLEET_STATE`; times of vehicles are closed.
        accounts: Server-time in each mode, microseconds, (station, mode).
        flow_cells: Cells of the flow-time sketch that are not zero, flat index.
        flow_counts: Their counts.
    """

    at_us: int
    products: t.Records
    buffers: t.Records
    stations: t.Records
    pools: t.Records
    stocks: t.Records
    fleets: t.Records
    accounts: t.Ints
    flow_cells: t.Ints
    flow_counts: t.Ints


@dataclass(frozen=True, slots=True)
class Check:
    """One law, held against the run."""

    law: str
    entity: str
    expected: int
    found: int

    @property
    def ok(self) -> bool:
        """Say whether the law holds, to the microsecond and the part."""
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class Replication:
    """What one replication left.

    Attributes:
        number: Number of the replication from 0.
        snapshots: Sums at the asked instants, the last at the end of the run.
        series: Sums by period (period, 2 * products + buffers), as the kernel writes.
        order_finished_us: When each order was finished, -1 for not yet.
        checks: The laws and what was found.
        events: Events that happened.
        status: One of the codes of `tables`: ``REACHED``, ``ENOUGH``, ``DEADLOCK``,
            ``STANDSTILL``.
        state: The state at the end.
    """

    number: int
    snapshots: tuple[Snapshot, ...]
    series: t.Ints
    order_finished_us: t.Ints
    checks: tuple[Check, ...]
    events: int
    status: int
    state: t.State


class Answers(Protocol):
    """Whoever answers for the rules of a line, as `own_rules.Caller` does."""

    def address(self, state: t.State) -> int:
        """Return the address that the kernel calls while it works on a state."""

    def fail(self) -> None:
        """Raise what went wrong in an answer."""


def run_until(  # noqa: PLR0913
    lowered: Lowered,
    state: t.State,
    draws: t.Draws,
    until_us: int,
    enough: int = _FOREVER,
    on_trace: Callable[[t.Ints], None] | None = None,
    *,
    caller: Answers | None = None,
) -> tuple[int, t.State]:
    """Advance a state, giving it room and emptying its trace as it asks.

    A `caller` answers for rules of one's own; a line that has some gets one for this
    span of time if none is given.

    Returns:
        Why the kernel stopped (a code of `tables`), and the state, which may be a
        larger one than was given.

    Raises:
        RuleError: A rule of one's own may not run, or failed.
    """
    if caller is None and lowered.own_rules:
        with Caller(lowered) as own:
            return run_until(
                lowered, state, draws, until_us, enough, on_trace, caller=own
            )
    while True:
        call = 0 if caller is None else caller.address(state)
        code = advance(lowered.tables, state, draws, until_us, enough, call)
        if code == t.RULE_FAILED and caller is not None:
            caller.fail()
        if code in (t.NEED_PARTS, t.NEED_CHAIN):
            state = _larger(lowered, state, code)
            continue
        if on_trace and state.clock["n_trace"][0]:
            on_trace(state.trace[: state.clock["n_trace"][0]].copy())
            state.clock["n_trace"] = 0
        if code == t.NEED_TRACE:
            if on_trace is None:
                msg = "the trace is full, and nobody takes its rows"
                raise KernelError(msg)
            continue
        if code == t.NO_ROOM:
            raise KernelError(no_room(lowered, state))
        if code == t.OVERFLOW:
            msg = "the kernel ran out of working space; please report this model"
            raise KernelError(msg)
        return code, state


def _larger(lowered: Lowered, state: t.State, code: int) -> t.State:
    """Return the state with twice the room of which the kernel ran short."""
    if code == t.NEED_PARTS:
        return part_capacity(lowered, state, 2 * len(state.parts))
    return longer_chain(state)


class CriticalPath(NamedTuple):
    """The chain of causes behind the last unit that left the line.

    Attributes:
        times_us: What went by on it, by kind of time (`tables.PATH_KINDS`): for each
            kind an array with one figure for each server, failure, station, fleet or
            product, or one in all. They sum to `end_us` less `start_us`.
        start_us: Since when it was followed: the time asked for, or when the first
            event behind it came from outside the line.
        end_us: When the last unit left.
    """

    times_us: dict[str, t.Ints]
    start_us: int
    end_us: int


def critical_path(state: t.State) -> CriticalPath | None:
    """Return what the time up to the last unit's leaving was spent on, step by step.

    Args:
        state: The state at the end of a run that followed causes.

    Returns:
        The path, or None if no unit left the line since.
    """
    clock = state.clock[0]
    node = int(clock["node"] if clock["finished"] != clock["exits"] else clock["exit"])
    since = int(clock["path_since"])
    rows = state.chain[: int(clock["n_chain"])]
    if node < 0 or rows[node]["at"] <= since:
        return None
    times = np.zeros(int(clock["path_width"]) - 1, np.int64)
    end = at = int(rows[node]["at"])
    while at > since:
        parent = int(rows[node]["parent"])
        if parent < 0:
            if parent < -1:
                times += state.path[-1 - parent : -1 - parent + len(times)]
            break
        before = int(rows[parent]["at"])
        times[rows[node]["what"]] += at - max(before, since)
        node, at = parent, before
    out = {}
    first = 0
    for kind, of in t.PATH_KINDS:
        n = len(getattr(state, of)) if of else 1
        out[kind] = times[first : first + n]
        first += n
    return CriticalPath(out, end - int(times.sum()), end)


def no_room(lowered: Lowered, state: t.State) -> str:
    """Say which units in process find no room where they wait, or no card of a loop."""
    row = lowered.tables.in_process[int(state.clock["who"][0])]
    product = lowered.names.products[row["product"]]
    operation = lowered.names.operations[row["step"]]
    if short := _lacking(lowered, state, row):
        return (
            f'units in process do not fit: "{product}" that wait for "{operation}" '
            f'have more than all of "{short}"; add to it, or take some units out'
        )
    return (
        f'units in process do not fit: there is no room for all "{product}" that wait '
        f'for "{operation}"; give its buffer more places, or take some out'
    )


def _lacking(lowered: Lowered, state: t.State, row: t.Records) -> str:
    """Return what units in process would have of the stocks and there is too little of.

    Empty, if there is enough.
    """
    product = lowered.tables.products[row["product"]]
    first = int(product["first_held"])
    for take in lowered.tables.takes[first : first + int(product["n_held"])]:
        is_held = take["step"] < row["step"] <= take["until"]
        if is_held and state.stocks["free"][take["stock"]] < take["quantity"]:
            return str(lowered.names.stocks[take["stock"]])
    return ""


def replicate(
    lowered: Lowered,
    seed: int,
    number: int,
    cuts_us: Sequence[int],
    enough: int = _FOREVER,
    start: t.State | None = None,
) -> Replication:
    """Run one replication and return what it counted.

    Args:
        lowered: The line.
        seed: Seed of all streams.
        number: Number of the replication, part of every draw's name.
        cuts_us: Instants at which to read the sums, increasing; the last is the end.
        enough: Stop when so many units have left the line.
        start: State to begin from, which is not changed; the empty line by default.
    """
    length_us = cuts_us[-1] - (0 if start is None else int(start.clock["now"][0]))
    period_us = max(length_us // N_PERIODS, 1)
    n_periods = min(N_PERIODS, length_us)
    if start is None:
        state = new_state(lowered, n_periods=n_periods, period_us=period_us)
    else:
        state = resumed_state(start, n_periods, period_us)
        enough = min(enough + int(start.clock["finished"][0]), _FOREVER)
    draws = new_draws(lowered, seed, number)
    snapshots = []
    code = t.REACHED
    with Caller(lowered) if lowered.own_rules else nullcontext() as caller:
        for cut_us in cuts_us:
            if code in (t.REACHED, t.STANDSTILL):
                code, state = run_until(
                    lowered, state, draws, cut_us, enough, caller=caller
                )
                snapshots.append(snapshot(state))
    width = 2 * len(state.products) + len(state.buffers)
    series = state.series.reshape(-1, width)[: int(state.clock["period"][0])]
    return Replication(
        number=number,
        snapshots=tuple(snapshots),
        series=series,
        order_finished_us=state.orders["finished"].copy(),
        checks=tuple(check_laws(lowered, state)),
        events=int(state.clock["events"][0]),
        status=code,
        state=state,
    )


def snapshot(state: t.State) -> Snapshot:
    """Return the running sums with everything booked up to now."""
    now = int(state.clock["now"][0])
    products, buffers = state.products.copy(), state.buffers.copy()
    products["area_us"] += products["wip"] * now
    buffers["area_us"] += buffers["level"] * now
    accounts = state.accounts.copy()
    np.add.at(accounts, (state.servers["station"], state.servers["mode"]), now)
    flat = state.flow.ravel()
    cells = np.flatnonzero(flat)
    pools = state.pools.copy()
    pools["area_us"] += pools["busy"].astype(np.int64) * now
    pools["walk_us"] += pools["walking"].astype(np.int64) * now
    stocks = state.stocks.copy()
    stocks["area_us"] += stocks["free"] * now
    stocks["none_us"] += (stocks["free"] == 0) * now
    return Snapshot(
        now,
        products,
        buffers,
        state.stations.copy(),
        pools,
        stocks,
        _closed_fleets(state, now),
        accounts,
        cells,
        flat[cells],
    )


VEHICLE_TIMES = ("idle_us", "coming_us", "carrying_us", "charging_us")
"""Columns of `tables.FLEET_STATE` by what a vehicle does."""


def _closed_fleets(state: t.State, now: int) -> t.Records:
    fleets = state.fleets.copy()
    for doing, column in enumerate(VEHICLE_TIMES):
        here = state.vehicles["fleet"][state.vehicles["doing"] == doing]
        np.add.at(fleets[column], here, now)
    return fleets


def check_laws(lowered: Lowered, state: t.State) -> list[Check]:
    """Hold a state against the laws that every run obeys; all sums are exact.

    State times sum to the horizon; Little's law, as time-integral of the level against
    the sum of the stays, for every buffer and product; parts in = parts out + parts in.
    """
    now = int(state.clock["now"][0])
    sums = snapshot(state)
    names = lowered.names
    out = []
    for k, n_servers in enumerate(lowered.tables.stations["n_servers"]):
        total = int(sums.accounts[k].sum())
        out.append(Check("state times", names.stations[k], now * int(n_servers), total))
    out += _people_laws(lowered, state)
    out += _stock_laws(lowered, state)
    out += _vehicle_laws(lowered, state, sums)
    parts = state.parts[state.parts["product"] >= 0]
    held = np.isin(parts["where"], (t.IN_OUTPUT, t.IN_QUEUE, t.MOVING, t.IN_STORE))
    places = np.where(held, parts["place"], -1)
    # beside its place in an output buffer a part may have one that it is fetched to
    ahead = np.where(held & (parts["where"] != t.IN_OUTPUT), -1, parts["reserved"])
    for b, buffer in enumerate(sums.buffers):
        here = parts[(places == b) | (ahead == b)]
        stay = int(buffer["wait_us"]) + int((now - here["entered"]).sum())
        out.append(
            Check("Little, buffer", names.buffers[b], int(buffer["area_us"]), stay)
        )
        flow = int(buffer["entered"] - buffer["left"])
        out.append(
            Check("flow balance, buffer", names.buffers[b], int(buffer["level"]), flow)
        )
    inside = parts[~np.isin(parts["where"], (t.OUTSIDE, t.NEW))]
    for i, product in enumerate(sums.products):
        here = inside[inside["product"] == i]
        stay = int(product["residence_us"]) + int((now - here["released"]).sum())
        out.append(
            Check("Little, product", names.products[i], int(product["area_us"]), stay)
        )
        out += _conservation(lowered, product, i, here, parts)
    return out


def _people_laws(lowered: Lowered, state: t.State) -> list[Check]:
    """Hold pools against what claimants have of them, and lines against who waits."""
    out = []
    names, claims = lowered.names, state.claims
    for i, pool in enumerate(state.pools):
        here = claims[claims["held"] == i]
        has, walk = int(here["n_held"].sum()), int(here["walking"].sum())
        out.append(Check("people at work", names.pools[i], int(pool["busy"]), has))
        out.append(Check("people walking", names.pools[i], int(pool["walking"]), walk))
    for i, skill in enumerate(state.skills):
        wants, law = int((claims["wanted"] == i).sum()), "claims for people"
        out.append(Check(law, names.skills[i], int(skill["n_waiting"]), wants))
    return out


def _stock_laws(lowered: Lowered, state: t.State) -> list[Check]:
    """Hold tools and spares against who has them, and what is on its way back.

    And the lines for tools against who stands in them, and what is kept for those.
    """
    out = []
    alive = np.flatnonzero(state.parts["product"] >= 0)
    n_slots = int(lowered.tables.settings[t.S_N_SLOTS])
    with_parts = np.zeros(len(state.stocks), np.int64)
    lent, wanted = _lent(lowered, state)
    for product, row in enumerate(lowered.tables.products if n_slots else ()):
        first = int(row["first_held"])
        held = lowered.tables.takes[first : first + int(row["n_held"])]
        mine = alive[state.parts["product"][alive] == product]
        for stock, slot in {(int(x["stock"]), int(x["slot"])) for x in held}:
            with_parts[stock] += state.memory[mine * n_slots + slot].sum()
    for k, fixed in enumerate(lowered.tables.stocks):
        if fixed["kind"] == t.MATERIAL:
            continue
        stock = state.stocks[k]
        found = int(stock["free"] + stock["out"] + with_parts[k] + lent[k])
        if fixed["kind"] == t.SPARE:
            found -= int(stock["n_waiting"])
        name = lowered.names.stocks[k]
        out.append(Check("stock conserved", name, int(fixed["initial"]), found))
        if fixed["kind"] == t.TOOL:
            waits = int((state.claims["lacks"] == k + 1).sum())
            kept = int(wanted[k])
            out.append(Check("tools kept", name, int(stock["kept"]), kept))
            out.append(Check("claims for tools", name, int(stock["n_waiting"]), waits))
    return out


def _lent(lowered: Lowered, state: t.State) -> tuple[t.Ints, t.Ints]:
    """Return what setups and repairs have of each stock, and what they wait for."""
    line, claims = lowered.tables, state.claims
    rows = np.concatenate([state.servers["station"], line.server_modes["mode"]])
    lent, wanted = np.zeros((2, len(state.stocks)), np.int64)
    for c in np.flatnonzero(claims["has_tools"] | (claims["lacks"] > 0)):
        of = line.stations if c < len(state.servers) else line.modes
        first, n = of[["first_tool", "n_tools"]][rows[c]]
        into = lent if claims["has_tools"][c] else wanted
        for take in line.takes[first : first + n]:
            into[take["stock"]] += take["quantity"]
    return lent, wanted


def _vehicle_laws(lowered: Lowered, state: t.State, sums: Snapshot) -> list[Check]:
    """Hold the time of vehicles against their number, and calls against trips."""
    out = []
    now, settings = sums.at_us, lowered.tables.settings
    first_list = int(settings[[t.S_N_QUEUES, t.S_N_DESTS]].sum())
    first_list += 2 * int(settings[t.S_N_PRODUCTS])
    for f, fleet in enumerate(sums.fleets):
        name = lowered.names.fleets[f]
        n = int(lowered.tables.fleets["n_vehicles"][f])
        total = sum(int(fleet[column]) for column in VEHICLE_TIMES)
        out.append(Check("vehicle times", name, n * now, total))
        mine = state.vehicles[state.vehicles["fleet"] == f]
        loaded = np.isin(mine["doing"], (t.COMING, t.CARRYING))
        row = first_list + f
        called = int(fleet["trips"] + loaded.sum() + state.lists["count"][row])
        out.append(Check("calls for vehicles", name, int(fleet["calls"]), called))
        has = int((mine["part"] >= 0).sum())
        out.append(Check("vehicles with a part", name, int(loaded.sum()), has))
    return out


def _conservation(
    lowered: Lowered, product: Any, i: int, inside: t.Records, parts: t.Records
) -> list[Check]:
    name = lowered.names.products[i]
    lot = int(lowered.tables.products["lot"][i])
    stored = int((inside["where"] == t.IN_STORE).sum())
    outside = int(((parts["product"] == i) & (parts["where"] == t.OUTSIDE)).sum())
    accounted = int(product["finished"]) // lot + int(product["scrapped"])
    accounted += len(inside) - stored + int(product["initial"]) // lot
    made = int(product["entered"]) * lot + outside * lot + int(product["lost"])
    wip = int(product["entered"] - product["removed"])
    return [
        Check("units conserved", name, int(product["entered"]), accounted),
        Check("units released", name, int(product["made"]), made),
        Check("parts in the line", name, int(product["wip"]), wip),
        Check("parts found in the line", name, int(product["wip"]), len(inside)),
    ]
