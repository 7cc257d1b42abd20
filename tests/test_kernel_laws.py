"""Laws that every line obeys at every instant, held against many random lines.

Besides the exact sums of `check_laws` these are laws of order: lists and servers agree
on where a part is, no buffer holds more than its places, a server is in the one mode
that its state asks for, and *nobody waits for what is there*: no part stands before a
free place, no ready server beside a part that it may start.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from linewright import tables as t
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.replicate import check_laws, run_until, snapshot
from tests.random_lines import HOUR_US, random_line

INSTANTS_US = (0, HOUR_US // 3, 2 * HOUR_US, 9 * HOUR_US, 21 * HOUR_US, 50 * HOUR_US)
N_SEEDS = 320
STOPPED = {t.DEADLOCK, t.STANDSTILL}


class Sight:
    """A state read in plain Python, independent of the kernel's own code."""

    def __init__(self, lowered: Lowered, state: t.State) -> None:
        self.line = lowered.tables
        self.state = state
        self.now = int(state.clock["now"][0])
        self.n_queues, self.n_dests = (
            int(self.line.settings[row]) for row in (t.S_N_QUEUES, t.S_N_DESTS)
        )
        self.first_call = 2 * int(self.line.settings[t.S_N_PRODUCTS])
        self.alive = np.flatnonzero(state.parts["product"] >= 0)

    def members(self, row: int) -> Iterator[int]:
        p = int(self.state.lists["head"][row])
        while p >= 0:
            yield p
            p = int(self.state.parts["next"][p])

    def waiting(self, d: int) -> Iterator[int]:
        return self.members(self.n_queues + d)

    def stored(self, product: int) -> int:
        return len(list(self.members(self.n_queues + self.n_dests + product)))

    def outside(self, product: int) -> list[int]:
        n_products = len(self.state.products)
        row = self.n_queues + self.n_dests + n_products + product
        return list(self.members(row))

    def targets(self, d: int) -> t.Records:
        dest = self.line.dests[d]
        first = int(dest["first_target"])
        return self.line.targets[first : first + int(dest["n_targets"])]

    def has_room(self, b: int) -> bool:
        return bool(self.state.buffers["level"][b] < self.line.buffers["slots"][b])

    def next_dest(self, k: int) -> int:
        """Return where a part goes after a step, or -1 where it needs no place."""
        step = self.line.steps[k]
        if step["n_makes"] > 0:
            return -1
        if step["next"] >= 0:
            return int(self.line.steps["dest"][step["next"]])
        return int(self.line.products["store"][step["product"]])

    def room_behind(self, k: int) -> bool:
        d = self.next_dest(k)
        return d < 0 or any(self.has_room(int(x["buffer"])) for x in self.targets(d))

    def has_kit(self, k: int) -> bool:
        step = self.line.steps[k]
        first = int(step["first_use"])
        uses = self.line.uses[first : first + int(step["n_uses"])]
        made = all(self.stored(int(u["product"])) >= u["quantity"] for u in uses)
        return made and self.has_stock(k)

    def has_stock(self, k: int) -> bool:
        step = self.line.steps[k]
        first = int(step["first_take"])
        takes = self.line.takes[first : first + int(step["n_takes"])]
        free = self.state.stocks["free"] - self.state.stocks["kept"]
        return all(free[x["stock"]] >= x["quantity"] for x in takes)

    def lacks_tool(self, station: int) -> bool:
        """Say whether a part waits at a station for something from a stock."""
        fixed, line = self.line.stations[station], self.line
        first = int(fixed["first_queue"])
        queues = line.links[first : first + int(fixed["n_queues"])]
        steps = [
            int(self.state.parts["step"][p]) for q in queues for p in self.members(q)
        ]
        first = int(fixed["first_always"])
        always = line.links[first : first + int(fixed["n_always"])]
        steps += line.products["first_step"][always].tolist()
        return not all(map(self.has_stock, steps))

    def eligible(self, station: int, k: int) -> bool:
        line, step = self.line, self.line.steps[k]
        if not self.has_kit(k):
            return False
        places = line.targets["station"][int(step["first_target"]) :]
        place = int(np.flatnonzero(places == station)[0])
        work = line.work[int(step["first_work"]) + place]
        if work["shift_end"] == t.END_FIT and work["mean_us"] > self.left(station):
            return False
        return not line.stations["before_service"][station] or self.room_behind(k)

    def left(self, station: int) -> int:
        """Return the working time that is left of a station's shift."""
        c = int(self.line.stations["calendar"][station])
        if c < 0:
            return t.NEVER
        tick = int(self.line.calendars["first"][c])
        row = self.line.ticks[tick + int(self.state.stations["next_tick"][station]) - 1]
        return int(row["on_left"] - (self.now - row["at"]))

    def carried(self, p: int, station: int) -> bool:
        """Say whether a part would take time to get to a station."""
        part = self.state.parts[p]
        if part["came"] >= 0 or self.line.steps["transport"][part["step"]] >= 0:
            return True
        if part["station"] < 0:
            return False
        origin = self.line.stations[int(part["station"])]
        first = int(origin["first_transport"])
        ways = self.line.transports[first : first + int(origin["n_transports"])]
        return bool((ways["to"] == station).any())

    def drawing(self, b: int) -> set[int]:
        """Return the stations that draw on a buffer; -1 for those that use a store."""
        targets = self.line.targets
        return set(targets["station"][targets["buffer"] == b].tolist())

    def servers(self, station: int) -> range:
        fixed = self.line.stations[station]
        first = int(fixed["first_server"])
        return range(first, first + int(fixed["n_servers"]))

    def is_held(self, p: int) -> bool:
        """Say whether a part waits on a server that is stopped and holds it."""
        part = self.state.parts[p]
        if part["where"] != t.BLOCKED_ON_SERVER:
            return False
        server = self.state.servers[part["place"]]
        holds = self.line.stations["holds"][server["station"]] & t.HOLDS_PARTS
        shift = self.state.stations["shift"][server["station"]]
        return bool(holds and (server["down"] >= 0 or shift != t.CALENDAR_ON))

    def on(self, s: int) -> list[int]:
        """Return the parts on a server: one, or those of a batch."""
        found, p = [], int(self.state.servers["part"][s])
        if not self.line.stations["batches"][self.state.servers["station"][s]]:
            return [p] if p >= 0 else []
        while p >= 0:
            found.append(p)
            p = int(self.state.parts["mate"][p])
        return found

    def may_begin(self, station: int, p: int) -> bool:
        """Say whether a waiting part could start at once at a station that is ready."""
        step = self.line.steps[self.state.parts["step"][p]]
        if step["same_slot"] >= 0:
            n_slots = int(self.line.settings[t.S_N_SLOTS])
            bound = int(self.state.memory[p * n_slots + step["same_slot"]]) - 1
            if bound >= 0 and not self.state.servers["ready"][bound]:
                return False
        if step["batch_group"] >= 0:
            first = int(self.line.stations["first_queue"][station])
            n_queues = int(self.line.stations["n_queues"][station])
            queues = self.line.links[first : first + n_queues]
            others = [q for queue in queues for q in self.members(queue)]
            kinds = self.line.steps["batch_group"][self.state.parts["step"][others]]
            mates = np.array(others)[kinds == step["batch_group"]]
            units = self.line.products["lot"][self.state.parts["product"][mates]].sum()
            waits = self.line.steps["batch_wait"][self.state.parts["step"][mates]]
            old = self.now - self.state.parts["queued"][mates] >= waits
            if units < step["batch_min"] and not old.any():
                return False
        return self.eligible(station, int(self.state.parts["step"][p]))

    def may_start(self, p: int, d: int) -> bool:
        """Say whether a server of a destination stands ready for a part outside."""
        k = int(self.state.parts["step"][p])
        return any(
            x["station"] >= 0
            and not self.line.stations["looks"][x["station"]]
            and self.state.stations["n_ready"][x["station"]] > 0
            and not self.carried(p, int(x["station"]))
            and self.eligible(int(x["station"]), k)
            for x in self.targets(d)
        )


def hold_lists(sight: Sight) -> None:
    state = sight.state
    for row, ends in enumerate(state.lists):
        members = list(sight.members(row))
        assert len(members) == ends["count"]
        assert members == [] or members[-1] == ends["tail"]
        assert all(state.parts["list"][p] == row for p in members)
    listed = int(state.lists["count"].sum())
    assert listed == int((state.parts["list"][sight.alive] >= 0).sum())
    free, p = 0, int(state.clock["free_part"][0])
    while p >= 0:
        free, p = free + 1, int(state.parts["next"][p])
    assert free == state.clock["n_free"][0] == len(state.parts) - len(sight.alive)
    assert state.clock["n_todo"][0] == state.clock["n_requests"][0] == 0
    moving = int((state.parts["where"][sight.alive] == t.MOVING).sum())
    lots = np.maximum(sight.line.stocks["lot"], 1)
    returning = int((state.stocks["out"] // lots).sum())
    assert moving == state.clock["n_moving"][0]
    # what stands beside a station has no time; a vehicle that comes or charges has
    moving -= len(calls_beside(sight))
    driving = int(np.isin(state.vehicles["doing"], (t.COMING, t.CHARGING)).sum())
    assert moving + returning + driving == state.clock["n_heap"][0]


def calls(sight: Sight, f: int) -> list[int]:
    """Return the parts that wait for a vehicle of a fleet to set out."""
    return list(sight.members(sight.n_queues + sight.n_dests + sight.first_call + f))


def calls_beside(sight: Sight) -> list[int]:
    """Return the parts beside a station that wait for a vehicle, or for its coming."""
    found = [p for f in range(len(sight.line.fleets)) for p in calls(sight, f)]
    coming = sight.state.vehicles["doing"] == t.COMING
    found += sight.state.vehicles["part"][coming].tolist()
    return [p for p in found if sight.state.parts["where"][p] == t.MOVING]


def hold_buffers(sight: Sight) -> None:
    state, parts = sight.state, sight.state.parts[sight.alive]
    held = np.isin(parts["where"], (t.IN_OUTPUT, t.IN_QUEUE, t.MOVING, t.IN_STORE))
    places = np.where(held, parts["place"], parts["reserved"])
    both = parts[(parts["where"] == t.IN_OUTPUT) & (parts["reserved"] >= 0)]
    places = np.append(places, both["reserved"])  # to which they are fetched
    for b, buffer in enumerate(state.buffers):
        assert 0 <= buffer["level"] == (places == b).sum() <= buffer["highest"]
        assert buffer["highest"] <= sight.line.buffers["slots"][b]


def hold_servers(sight: Sight) -> None:
    state, line = sight.state, sight.line
    on_server = np.isin(
        state.parts["where"][sight.alive], (t.ON_SERVER, t.BLOCKED_ON_SERVER)
    )
    assert on_server.sum() == sum(len(sight.on(s)) for s in range(len(state.servers)))
    for s, server in enumerate(state.servers):
        p, k = int(server["part"]), int(server["station"])
        for mate in sight.on(s):
            assert state.parts["place"][mate] == s
            blocked = state.parts["where"][mate] == t.BLOCKED_ON_SERVER
            done = server["phase"] == t.DONE
            # on a conveyor it may stand behind others
            assert blocked == done or (done and line.stations["conveyor"][k])
        if line.stations["batches"][k] and p >= 0:
            assert server["n_parts"] == len(sight.on(s))
        if p < 0:
            assert server["phase"] == t.NONE
            assert not server["running"]
        assert server["running"] == 0 or server["down"] < 0
        if server["ready"]:
            assert p < 0
            assert server["down"] < 0
            assert state.stations["shift"][k] == t.CALENDAR_ON
        assert server["mode"] in allowed_modes(sight, s), f"server {s}"
        own = range(server["first_mode"], server["first_mode"] + server["n_modes"])
        pending = sum(int(state.modes["pending"][m]) for m in own)
        assert server["pending"] == pending
        assert all(line.server_modes["server"][m] == s for m in own)
    for k, station in enumerate(state.stations):
        ready = sum(int(state.servers["ready"][s]) for s in sight.servers(k))
        assert station["n_ready"] == ready


def allowed_modes(sight: Sight, s: int) -> tuple[int, ...]:
    server = sight.state.servers[s]
    k = int(server["station"])
    shift = sight.state.stations["shift"][k]
    if server["down"] >= 0:
        mode = sight.line.server_modes["mode"][server["down"]]
        planned = int(sight.line.modes["planned"][mode])
        return ((t.FAILED, t.MAINTENANCE, t.OFF_SHIFT, t.OFF_SHIFT)[planned],)
    if server["running"]:
        shown = {t.SETTING_UP: t.SETUP, t.WORKING: t.PROCESSING}
        return (shown.get(int(server["phase"]), t.LOADING),)
    if shift != t.CALENDAR_ON:
        return (t.BREAK if shift == t.CALENDAR_BREAK else t.OFF_SHIFT,)
    if server["phase"] != t.NONE and sight.line.stations["conveyor"][k]:
        return (t.BLOCKED,)
    if server["waits"] or server["phase"] == t.DONE:
        return (t.WAITING,) if server["waits"] else (t.BLOCKED,)
    return idle_modes(sight, k)


def idle_modes(sight: Sight, k: int) -> tuple[int, ...]:
    """Return what a server without a part may be shown to do."""
    if sight.lacks_tool(k):  # or did not when it looked last
        return (t.WAITING, t.STARVED, t.BLOCKED)
    held_back = steps_held_back(sight, k)
    if any(map(sight.has_kit, held_back)):
        return (t.BLOCKED,)
    # held back, and since then another station has taken the kit as well
    return (t.STARVED, t.BLOCKED) if held_back else (t.STARVED,)


def steps_held_back(sight: Sight, k: int) -> list[int]:
    """Return steps for which parts wait that may not start for want of room behind."""
    station = sight.line.stations[k]
    if not station["before_service"]:
        return []
    links, parts = sight.line.links, sight.state.parts
    first, first_always = int(station["first_queue"]), int(station["first_always"])
    queues = links[first : first + int(station["n_queues"])]
    always = links[first_always : first_always + int(station["n_always"])]
    steps = [int(parts["step"][p]) for q in queues for p in sight.members(q)]
    steps += [int(sight.line.products["first_step"][i]) for i in always]
    return [step for step in steps if not sight.room_behind(step)]


def hold_nobody_waits_for_what_is_there(sight: Sight) -> None:
    state, line = sight.state, sight.line

    def free(d: int) -> bool:
        return any(sight.has_room(int(x["buffer"])) for x in sight.targets(d))

    for d in range(sight.n_dests):
        for p in sight.waiting(d):
            part = state.parts[p]
            if sight.is_held(p):
                continue
            assert is_together(sight, p) or not free(d), f"part {p} could go on"
            in_split = part["split"] > 0 or part["step"] < 0
            assert in_split or not sight.may_start(p, d), f"part {p} could start"
            if part["where"] == t.BLOCKED_ON_SERVER and part["split"] == 0:
                station = state.servers["station"][part["place"]]
                out = int(line.stations["out_buffer"][station])
                assert out < 0 or not sight.has_room(out), f"part {p} could step aside"
    for k in np.flatnonzero(state.stations["n_ready"] > 0):
        first = int(line.stations["first_queue"][k])
        queues = line.links[first : first + int(line.stations["n_queues"][k])]
        for p in (p for q in queues for p in sight.members(q)):
            assert not sight.may_begin(int(k), p), f"{k} is ready for part {p}"
        first = int(line.stations["first_always"][k])
        always = line.links[first : first + int(line.stations["n_always"][k])]
        steps = line.products["first_step"][always]
        assert not any(sight.eligible(int(k), int(step)) for step in steps)
    for i, product in enumerate(line.products):
        outside = sight.outside(i)
        if outside and below_caps(sight, i):
            d = int(line.steps["dest"][product["first_step"]])
            assert not free(d), f"product {i} stands outside an open door"
            assert not sight.may_start(outside[0], d)


def hold_people(sight: Sight) -> None:
    """Lines are in order, people are somewhere, and who is idle is not waited for.

    Who waits for fewer people than are free waits behind one who needs more of them.
    """
    state, line, claims = sight.state, sight.line, sight.state.claims
    for i, skill in enumerate(state.skills):
        members = list(in_line(sight, i))
        assert len(members) == skill["n_waiting"]
        assert members == [] or members[-1] == skill["tail"]
        assert (claims["wanted"][members] == i).all()
        assert members == sorted(members, key=lambda c: turn(sight, c))
    for i, pool in enumerate(line.pools):
        here = claims[claims["held"] == i]
        busy = int(here["n_held"].sum())
        idle = state.places["idle"][i * len(state.stations) :][: len(state.stations)]
        assert busy <= pool["count"]
        assert 0 <= here["walking"].sum() <= busy
        assert (idle >= 0).all()
        assert idle.sum() <= pool["count"] - busy
        assert pool["walk"] >= 0 or idle.sum() == here["walking"].sum() == 0
        skills = line.links[pool["first_skill"] :][: pool["n_skills"]]
        waiting = [c for skill in skills for c in in_line(sight, int(skill))]
        waiting = [c for c in waiting if claims["n_wanted"][c] <= pool["count"]]
        first = min(waiting, key=lambda c: turn(sight, c), default=None)
        if first is not None and state.pools["on"][i]:
            assert claims["n_wanted"][first] > pool["count"] - busy


def in_line(sight: Sight, skill: int) -> Iterator[int]:
    """Yield the claimants that wait for a skill."""
    c = int(sight.state.skills["head"][skill])
    while c >= 0:
        yield c
        c = int(sight.state.claims["next"][c])


def turn(sight: Sight, c: int) -> tuple[int, int]:
    """Return what the turn of those who wait for people goes by."""
    claim = sight.state.claims[c]
    return -int(claim["urgency"]), int(claim["number"])


def hold_tools(sight: Sight) -> None:
    """Lines for tools are in turn, and who is first in one lacks what it is for."""
    state, line, claims = sight.state, sight.line, sight.state.claims
    for k, stock in enumerate(state.stocks):
        if line.stocks["kind"][k] != t.TOOL:
            continue
        members: list[int] = []
        c = int(stock["head"]) if stock["n_waiting"] else -1
        while c >= 0:
            members.append(c)
            c = int(claims["next"][c])
        assert len(members) == stock["n_waiting"]
        assert members == [] or members[-1] == stock["tail"]
        assert (claims["lacks"][members] == k + 1).all()
        assert members == sorted(members, key=lambda c: int(claims["number"][c]))
        for first in members[:1]:
            rows = lent(sight, first)
            assert stock["free"] < rows["quantity"][rows["stock"] == k].sum()
    assert not (claims["has_tools"].astype(bool) & (claims["lacks"] > 0)).any()
    assert (claims["wanted"][claims["lacks"] > 0] < 0).all()
    for c in np.flatnonzero(claims["has_tools"] | claims["lacks"]).tolist():
        assert len(lent(sight, c))
        if c < len(state.servers):
            assert state.servers["phase"][c] == t.SETTING_UP
            assert claims["has_tools"][c] or state.servers["down"][c] < 0
        else:
            assert is_down(sight, c - len(state.servers))


def is_down(sight: Sight, m: int) -> bool:
    """Say whether a server is down with a failure, or all that it hits are."""
    down = sight.state.servers["down"][sight.line.server_modes["server"][m]]
    return bool(sight.state.modes["active"][m] or down == m)


def lent(sight: Sight, c: int) -> t.Records:
    """Return the rows of what a setup or a repair takes of tools."""
    n_servers = len(sight.state.servers)
    if c < n_servers:
        of = sight.line.stations[sight.state.servers["station"][c]]
    else:
        of = sight.line.modes[sight.line.server_modes["mode"][c - n_servers]]
    return sight.line.takes[of["first_tool"] :][: of["n_tools"]]


def hold_vehicles(sight: Sight) -> None:
    """A vehicle has one part or none, and none stands idle beside one that calls."""
    state, line = sight.state, sight.line
    with_part = [int(p) for p in state.vehicles["part"] if p >= 0]
    assert len(set(with_part)) == len(with_part)
    for vehicle in state.vehicles:
        loaded = vehicle["doing"] in {t.COMING, t.CARRYING}
        assert loaded == (vehicle["part"] >= 0)
        if loaded:
            part = state.parts[vehicle["part"]]
            stays = part["where"] in {t.BLOCKED_ON_SERVER, t.IN_OUTPUT}
            assert stays == (part["reserved"] >= 0)
            assert part["where"] == t.MOVING or vehicle["doing"] == t.COMING
            assert fleet_of(sight, int(vehicle["part"])) == vehicle["fleet"]
    for f, fleet in enumerate(line.fleets):
        mine = state.vehicles[state.vehicles["fleet"] == f]
        assert len(mine) == fleet["n_vehicles"]
        waiting = calls(sight, f)
        assert all(fleet_of(sight, p) == f for p in waiting)
        if (mine["doing"] == t.IDLE).any():
            assert all(sight.is_held(p) for p in waiting)
        under_way = {*with_part, *waiting}
        for p in sight.alive[state.parts["where"][sight.alive] == t.MOVING]:
            if state.parts["came"][p] < 0 and fleet_of(sight, int(p)) == f:
                assert int(p) in under_way
    out = state.parts["where"][sight.alive] == t.IN_OUTPUT
    blocked = state.parts["where"][sight.alive] == t.BLOCKED_ON_SERVER
    ahead = sight.alive[(out | blocked) & (state.parts["reserved"][sight.alive] >= 0)]
    called = [p for f in range(len(line.fleets)) for p in calls(sight, f)]
    assert set(ahead.tolist()) <= {*with_part, *called}


def fleet_of(sight: Sight, p: int) -> int:
    """Return the fleet that carries a part to its target, or -1."""
    part = sight.state.parts[p]
    if part["station"] < 0 or sight.line.steps["transport"][part["step"]] >= 0:
        return -1
    to = sight.line.targets["station"][part["target"]]
    origin = sight.line.stations[int(part["station"])]
    first = int(origin["first_transport"])
    ways = sight.line.transports[first : first + int(origin["n_transports"])]
    return int(ways["fleet"][ways["to"] == to].sum()) if to in ways["to"] else -1


def is_together(sight: Sight, p: int) -> bool:
    """Say whether a part waits for room for all the units that it is split into."""
    part = sight.state.parts[p]
    return bool(part["split"] > 0 and sight.line.steps["together"][part["step"]])


def stuck_stations(sight: Sight) -> set[int]:
    """Return the stations that can never move again, as the greatest such set."""
    stuck = set(range(len(sight.state.stations)))
    while free := {k for k in stuck if may_move(sight, k, stuck)}:
        stuck -= free
    return stuck


def may_move(sight: Sight, k: int, stuck: set[int]) -> bool:
    """Say whether a station may move although these others cannot."""
    state, out = sight.state, int(sight.line.stations["out_buffer"][k])
    parts = []
    for s in sight.servers(k):
        there = sight.on(s)
        held = state.parts["where"][there] == t.BLOCKED_ON_SERVER
        if not there or not held.all() or state.servers["down"][s] >= 0:
            return True
        parts += there
    if out >= 0:
        alive = state.parts[sight.alive]
        beside = (alive["where"] == t.IN_OUTPUT) & (alive["place"] == out)
        parts += sight.alive[beside].tolist()
    if (state.parts["reserved"][parts] >= 0).any():
        return True  # a vehicle will fetch it
    return any(
        sight.has_room(b) or not sight.drawing(b) <= stuck
        for p in parts
        for b in sight.targets(int(state.parts["list"][p]) - sight.n_queues)["buffer"]
    )


def hold_deadlock(sight: Sight) -> None:
    """A line stops when, and only when, some of its stations can never move again.

    Units that leave together may also be shut in by a part that comes from elsewhere,
    which nobody looks for.
    """
    stuck = stuck_stations(sight)
    if sight.state.clock["status"][0] == t.DEADLOCK:
        assert stuck
    elif not any(is_together(sight, int(p)) for p in sight.alive):
        assert not stuck


def below_caps(sight: Sight, product: int) -> bool:
    cap, all_cap = (
        int(sight.line.products["cap"][product]),
        int(sight.line.settings[t.S_LINE_CAP]),
    )
    wip = sight.state.products["wip"]
    return not (0 <= cap <= wip[product] or 0 <= all_cap <= wip.sum())


def hold_caps(sight: Sight) -> None:
    """No cap is exceeded; units that a split sets free are not held back by one."""
    line, wip = sight.line, sight.state.products["wip"]
    made = {
        int(use["product"])
        for step in line.steps
        for use in line.uses[int(step["first_make"]) :][: int(step["n_makes"])]
    }
    for i, product in enumerate(line.products):
        there = line.in_process["product"] == i
        free = i in made or product["initial"] or there.any()
        assert product["cap"] < 0 or free or wip[i] <= product["cap"]
    cap = int(line.settings[t.S_LINE_CAP])
    free_all = made or line.products["initial"].any() or len(line.in_process)
    assert cap < 0 or free_all or wip.sum() <= cap
    assert sight.state.clock["wip"][0] == wip.sum()


def hold_belts(sight: Sight) -> None:
    """Parts on a conveyor stand in the order in which they came."""
    line, state = sight.line, sight.state
    for k in np.flatnonzero(line.stations["conveyor"]):
        belt, found = state.belts[k], []
        p = int(belt["head"])
        while p >= 0:
            found.append(p)
            p = int(state.parts["mate"][p])
        there = sorted(p for s in sight.servers(int(k)) for p in sight.on(s))
        assert sorted(found) == there
        assert belt["tail"] == (found[-1] if found else -1)
        working = [state.servers["phase"][state.parts["place"][p]] for p in found]
        n_done = working.count(t.DONE)
        assert all(phase == t.DONE for phase in working[:n_done])
        assert state.stations["n_ready"][k] <= 1
        if line.stations["conveyor"][k] == 2:
            assert n_done <= 1


def hold_everything(lowered: Lowered, state: t.State) -> None:
    """Hold a state between two events against every law."""
    broken = [check for check in check_laws(lowered, state) if not check.ok]
    assert not broken, broken
    accounts = snapshot(state).accounts
    assert (accounts >= 0).all()
    sight = Sight(lowered, state)
    hold_lists(sight)
    hold_buffers(sight)
    hold_servers(sight)
    hold_belts(sight)
    hold_people(sight)
    hold_tools(sight)
    hold_caps(sight)
    hold_deadlock(sight)
    hold_vehicles(sight)
    hold_nobody_waits_for_what_is_there(sight)


def run_and_hold(seed: int, instants_us: tuple[int, ...] = INSTANTS_US) -> int:
    """Run a random line, hold it at every instant, and return why it stopped."""
    lowered = lower(random_line(seed), instants_us[-1])
    state = new_state(lowered)
    draws = new_draws(lowered, seed, 0)
    code = t.REACHED
    for instant_us in instants_us:
        code, state = run_until(lowered, state, draws, instant_us)
        hold_everything(lowered, state)
        if code in STOPPED:
            break
    return code


@pytest.mark.parametrize("block", range(0, N_SEEDS, 20))
def test_every_law_holds_on_random_lines(block: int) -> None:
    codes = {run_and_hold(seed) for seed in range(block, block + 20)}
    assert codes <= {t.REACHED, *STOPPED}


@pytest.mark.boundscheck
@pytest.mark.parametrize("block", range(0, 100, 25))
def test_no_index_is_out_of_range(block: int) -> None:
    for seed in range(N_SEEDS + block, N_SEEDS + block + 25):
        run_and_hold(seed)


@pytest.mark.nojit
@pytest.mark.parametrize("seed", range(12))
def test_the_laws_hold_in_plain_python(seed: int) -> None:
    run_and_hold(seed, (0, 2 * HOUR_US))
