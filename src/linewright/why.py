"""Why something waits: from a state to the chain of causes, in a sentence.

Every thing that can be asked about (a station, a server, a buffer, a product, a part)
has one method that says in a clause what holds it up, and names the thing to ask next.
`_Story.tell` follows these links until there is a cause of its own (a failure, a shift,
work that takes its time, an order that has not come) or the chain closes in a circle.

Nothing is changed or simulated: all is read from the state of that instant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered
from linewright.model.calendars import to_local
from linewright.model.line import Line
from linewright.units import format_duration

__all__ = [
    "describe_deadlock",
    "describe_standstill",
    "find_entity",
    "local_time",
    "why",
]

When = Callable[[int], str]

MOST_CLAUSES = 40
_HELD = (t.IN_OUTPUT, t.IN_QUEUE, t.MOVING, t.IN_STORE)
_RANK = (
    t.FAILED, t.MAINTENANCE, t.OFF_SHIFT, t.BREAK, t.STARVED, t.WAITING, t.SETUP,
    t.LOADING, t.PROCESSING, t.BLOCKED,
)  # fmt: skip
"""Which of several feeders is to blame for a want of parts, the likeliest first."""


class Thing(NamedTuple):
    """Something to ask about: its kind, a method of `_Story`, and its row."""

    kind: str
    row: int


class Cause(NamedTuple):
    """What holds a thing up, in a clause, and what to ask about next."""

    text: str
    next: Thing | None = None


def why(lowered: Lowered, state: t.State, entity: str, line: Line | None = None) -> str:
    """Return why a thing waits, or what it does, as a sentence with its causes.

    Args:
        lowered: The line.
        state: Its state at the instant.
        entity: Name of a station, server, product, buffer or stock (tool, loop,
            material), or a part such as ``frame:17``. Where a name means several,
            ``buffer:weld`` says which.
        line: The model, for local times; without it times count from the start.

    Raises:
        ValueError: There is no such thing.
    """
    story = _Story(lowered, state, _clock(line))
    thing, number = find_entity(lowered, entity)
    return story.tell(thing) if number is None else story.unit(thing.row, number)


def local_time(line: Line, at_us: int) -> str:
    """Return an instant as the line's local time, such as ``Tue 2027-01-05 10:42``."""
    try:
        local = to_local(at_us, line.start, line.time_zone)
    except ValueError:
        return _since_start(at_us)
    return f"{local:%a %Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _clock(line: Line | None) -> When:
    return _since_start if line is None else lambda at_us: local_time(line, at_us)


def _since_start(at_us: int) -> str:
    minutes, us = divmod(at_us, 60_000_000)
    days, minutes = divmod(minutes, 1440)
    seconds = f":{us / 1e6:02.0f}" if us else ""
    return f"{days} d {minutes // 60:02}:{minutes % 60:02}{seconds} after the start"


def find_entity(lowered: Lowered, entity: str) -> tuple[Thing, int | None]:
    """Return what a name stands for, and the serial number if it means one unit.

    Raises:
        ValueError: There is no such thing.
    """
    names = lowered.names
    known = {
        "station": names.stations,
        "server": names.servers,
        "product": names.products,
        "buffer": names.buffers,
        "stock": names.stocks,
    }
    kind, _, rest = entity.partition(":")
    for each, those in known.items():
        if entity in those:
            return Thing(each, those.index(entity)), None
    if kind in known and rest in known[kind]:
        return Thing(kind, known[kind].index(rest)), None
    product, _, number = entity.rpartition(":")
    if product in names.products and number.isdecimal():
        return Thing("product", names.products.index(product)), int(number)
    every = list(dict.fromkeys(name for those in known.values() for name in those))
    close = get_close_matches(entity, every, 1)
    hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(every)}"
    msg = f'there is no station, server, buffer, product or stock "{entity}"; {hint}'
    raise ValueError(msg)


# ---------------------------------------------------------------- deadlock


def describe_deadlock(
    lowered: Lowered, state: t.State, line: Line | None = None
) -> str:
    """Return who waits for whom in a line that stands still for good."""
    story = _Story(lowered, state, _clock(line))
    now = story.when(story.now)
    who = int(state.clock["who"][0])
    k = int(state.servers["station"][state.parts["place"][who]])
    path: list[tuple[int, str]] = []
    while k not in [station for station, _ in path]:
        held = next(story.held_by(k), None)
        if held is None:
            break
        p, holder, d = held
        following = story.drawing_on(d)
        text = f"{holder} holds {story.label(p)}, which waits for {story.room(d)}"
        path.append((k, text))
        passed = [station for station, _ in path]
        k = next((s for s in following if s in passed), following[0])
    circle = [text for _, text in path[_index(path, k) :]]
    return f"deadlock at {now}: {'; '.join(circle)}; none of them can ever move"


def describe_standstill(
    lowered: Lowered, state: t.State, line: Line | None = None
) -> str:
    """Return what the part waits for that has waited longest in a line at rest."""
    story = _Story(lowered, state, _clock(line))
    elsewhere = (t.IN_STORE, t.OUTSIDE, t.NEW)
    parts = [p for p in story.parts() if state.parts["where"][p] not in elsewhere]
    parts = parts or story.parts(where=t.OUTSIDE)
    if not parts:
        return ""
    first = min(parts, key=lambda p: int(state.parts["sequence"][p]))
    return story.tell(Thing("part", first))


def _index(path: list[tuple[int, str]], k: int) -> int:
    return next((i for i, (station, _) in enumerate(path) if station == k), 0)


# ---------------------------------------------------------------- the story


@dataclass(frozen=True, slots=True)
class _Story:
    """What the state says, thing by thing."""

    lowered: Lowered
    state: t.State
    when: When

    def tell(self, thing: Thing | None) -> str:
        """Return the chain of causes that begins with a thing."""
        clauses: list[str] = []
        seen: set[Thing] = set()
        while thing and thing not in seen and len(clauses) < MOST_CLAUSES:
            seen.add(thing)
            text, thing = getattr(self, thing.kind)(thing.row)
            clauses.append(text)
        tail = "; this closes a circle" if thing and thing in seen else ""
        return f"At {self.when(self.now)} " + ", because ".join(clauses) + tail + "."

    # ------------------------------------------------------------ names and places

    @property
    def line(self) -> t.LineTables:
        return self.lowered.tables

    @property
    def names(self) -> t.Names:
        return self.lowered.names

    @property
    def now(self) -> int:
        return int(self.state.clock["now"][0])

    def label(self, p: int) -> str:
        part = self.state.parts[p]
        return f"{self.names.products[part['product']]} {int(part['serial'])}"

    def targets(self, d: int) -> list[tuple[int, int]]:
        """Return (station, buffer) of each place of a destination."""
        dest = self.line.dests[d]
        first = int(dest["first_target"])
        rows = self.line.targets[first : first + int(dest["n_targets"])]
        return [(int(row["station"]), int(row["buffer"])) for row in rows]

    def servers_of(self, k: int) -> range:
        first = int(self.line.stations["first_server"][k])
        return range(first, first + int(self.line.stations["n_servers"][k]))

    def waited_for(self, p: int) -> int:
        """Return where a blocked part goes: whose list it stands in, or has a place."""
        part = self.state.parts[p]
        if part["reserved"] >= 0:
            return int(self.line.steps["dest"][part["step"]])
        return int(self.state.parts["list"][p]) - int(self.line.settings[t.S_N_QUEUES])

    def in_list(self, row: int) -> Iterator[int]:
        p = int(self.state.lists["head"][row])
        while p >= 0:
            yield p
            p = int(self.state.parts["next"][p])

    def parts(self, **fields: int) -> list[int]:
        """Return the parts with these values, in the order of their numbers."""
        parts = self.state.parts
        found = parts["product"] >= 0
        for name, value in fields.items():
            found &= parts[name] == value
        rows = np.flatnonzero(found)
        order = np.lexsort((parts["serial"][rows], parts["product"][rows]))
        return [int(p) for p in rows[order]]

    def places_of(self, b: int) -> str:
        """Return how full a buffer is."""
        slots = int(self.line.buffers["slots"][b])
        level = int(self.state.buffers["level"][b])
        if slots == 0:
            return "no buffer"
        if slots >= t.UNLIMITED:
            return f"{level} in the buffer"
        return f"{level} of {slots} places taken"

    def room(self, d: int) -> str:
        """Return what a part that waits for a destination waits for."""
        if d < 0:
            return "room"
        places = []
        for k, b in self.targets(d):
            if k >= 0:
                places.append(f"{self.names.stations[k]} ({self.places_of(b)})")
            else:
                places.append(f"the {self.names.buffers[b]} ({self.places_of(b)})")
        return f"room at {' or '.join(places)}"

    def drawing_on(self, d: int) -> list[int]:
        """Return the stations that make room at a destination when they take a part."""
        found: dict[int, None] = {}
        for k, b in self.targets(d):
            if k >= 0:
                found[k] = None
            buffer = self.line.buffers[b]
            for i in range(int(buffer["n_dests"])):
                other = int(self.line.links[int(buffer["first_dest"]) + i])
                pairs = self.targets(other)
                found |= dict.fromkeys(s for s, at in pairs if at == b and s >= 0)
            if k < 0:
                found |= dict.fromkeys(self.users(self.stored_in(d)))
        return list(found)

    def stored_in(self, d: int) -> int:
        return int(np.flatnonzero(self.line.products["store"] == d)[0])

    def users(self, i: int) -> list[int]:
        """Return the stations at which a component is built in."""
        product = self.line.products[i]
        first = int(product["first_station"])
        last = first + int(product["n_stations"])
        return [int(k) for k in self.line.links[first:last]]

    def held_by(self, k: int) -> Iterator[tuple[int, str, int]]:
        """Yield the finished parts that a station holds: part, holder, destination."""
        for s in self.servers_of(k):
            p = int(self.state.servers["part"][s])
            if p >= 0 and self.state.parts["where"][p] == t.BLOCKED_ON_SERVER:
                yield p, self.names.servers[s], self.waited_for(p)
        b = int(self.line.stations["out_buffer"][k])
        if b >= 0:
            for p in self.parts(where=t.IN_OUTPUT, place=b):
                yield p, self.names.buffers[b], self.waited_for(p)

    # ------------------------------------------------------------ stations, servers

    def station(self, k: int) -> Cause:
        name, every = self.names.stations[k], self.servers_of(k)
        servers = [s for s in every if not self.is_away(s)] or [*every]
        mode_of = {s: int(self.state.servers["mode"][s]) for s in servers}
        modes = list(mode_of.values())
        worst = min(servers, key=lambda s: (_RANK.index(mode_of[s]), s))
        text, following = self.server(worst)
        found = Counter(t.MODE_NAMES[mode].replace("_", " ") for mode in modes)
        if len(servers) == 1:
            return Cause(text, following)
        if len(found) == 1:
            return Cause(self.all_alike(k, modes[0], worst, text), following)
        counts = _and([f"{n} {mode}" for mode, n in found.items()])
        text = f"of the {len(servers)} servers of {name} ({counts}) {text}"
        return Cause(text, following)

    def all_alike(self, k: int, mode: int, s: int, text: str) -> str:
        """Return the clause of a station whose servers are all in one state."""
        name, state = self.names.stations[k], t.MODE_NAMES[mode].replace("_", " ")
        if self.is_away(s):
            return f"no server of {name} is there; {text}"
        if mode in (t.OFF_SHIFT, t.BREAK):
            shift = "on a break" if mode == t.BREAK else "off shift"
            return f"{name} is {shift} {self.back_on_shift(k)}"
        if mode == t.STARVED:
            return text.replace(self.names.servers[s], name, 1)
        return f"all {len(self.servers_of(k))} servers of {name} are {state}: {text}"

    def server(self, s: int) -> Cause:
        server = self.state.servers[s]
        name, mode, p = self.names.servers[s], int(server["mode"]), int(server["part"])
        on_it = f" with {self.label(p)} on it" if p >= 0 else ""
        if mode in (t.FAILED, t.MAINTENANCE):
            missing = self.missing_tool(len(self.state.servers) + int(server["down"]))
            return Cause(f"{name} {self.down(s)}{on_it}", missing)
        if mode in (t.BREAK, t.OFF_SHIFT):
            return Cause(f"{name} {self.off(s)}{on_it}")
        if mode == t.BLOCKED:
            return self.blocked(s)
        if mode == t.STARVED:
            return self.starved(s)
        if mode == t.WAITING:
            return self.waits(s, f"{name}{{}}{on_it}")
        return Cause(f"{name} {self.doing(s)}{self.left(s)}")

    def off(self, s: int) -> str:
        """Say that a server is off shift, or not there, and until when."""
        if not self.is_away(s):
            is_break = self.state.servers["mode"][s] == t.BREAK
            shift = "on a break" if is_break else "off shift"
            station = int(self.state.servers["station"][s])
            return f"is {shift} {self.back_on_shift(station)}"
        m = int(self.state.servers["down"][s])
        comes = int(self.line.modes["cycles"][self.line.server_modes["mode"][m]])
        until = "any more" if comes < 0 else f"until {self.when(comes)}"
        return f"is not there {until}"

    def is_away(self, s: int) -> bool:
        """Say whether a server is not there: it has not come yet, or is gone."""
        m = int(self.state.servers["down"][s])
        if m < 0:
            return False
        planned = self.line.modes["planned"][self.line.server_modes["mode"][m]]
        return bool(planned >= t.AWAY)

    def waits(self, s: int, text: str) -> Cause:
        """Say whether a server waits for people or tools, or for what a part takes."""
        if missing := self.missing_tool(s):
            text = text.format(f" {self.waits_for_tools(s)} to be set up")
            return Cause(text, missing)
        if (
            self.state.claims["wanted"][s] < 0
            and int(self.state.servers["part"][s]) < 0
        ):
            k = int(self.state.servers["station"][s])
            if found := self.waits_in_vain(k):
                return Cause(text.format(f" waits: {found.text}"), found.next)
        return Cause(text.format(f" {self.waits_for_people(s)}"))

    def missing_tool(self, c: int) -> Thing | None:
        """Return the stock of tools in whose line a claimant stands, if it does."""
        lacks = int(self.state.claims["lacks"][c])
        return Thing("stock", lacks - 1) if lacks else None

    def waits_for_tools(self, c: int) -> str:
        k = int(self.state.claims["lacks"][c]) - 1
        rows = self.lent_to(c)
        needed = next(int(x["quantity"]) for x in rows if x["stock"] == k)
        return f"waits for {needed} {self.names.stocks[k]}"

    def lent_to(self, c: int) -> t.Records:
        """Return the rows of what a setup or a repair takes of tools."""
        n_servers = len(self.state.servers)
        if c < n_servers:
            of = self.line.stations[int(self.state.servers["station"][c])]
        else:
            of = self.line.modes[int(self.line.server_modes["mode"][c - n_servers])]
        first = int(of["first_tool"])
        return self.line.takes[first : first + int(of["n_tools"])]

    def claimant(self, c: int) -> str:
        """Return what a claimant of tools does: a setup or a repair at a server."""
        n_servers = len(self.state.servers)
        if c < n_servers:
            return f"the setup of {self.names.servers[c]}"
        fixed = self.line.server_modes[c - n_servers]
        server = self.names.servers[int(fixed["server"])]
        mode = int(fixed["mode"])
        what = "work" if self.line.modes["planned"][mode] else "repair"
        return f"the {what} at {server} ({self.names.modes[mode]})"

    def waits_for_people(self, c: int) -> str:
        """Say for whom a claimant waits, and where they are."""
        claim, pools = self.state.claims[c], self.state.pools
        if claim["walking"]:
            name = self.names.pools[int(claim["held"])]
            return f"waits for {claim['walking']} of {name}, who are on their way"
        if claim["wanted"] < 0:
            return "waits for its people"
        n, name = int(claim["n_wanted"]), self.names.skills[int(claim["wanted"])]
        skill = self.line.skills[int(claim["wanted"])]
        having = self.line.links[skill["first_pool"] :][: skill["n_pools"]]
        if not pools["on"][having].any():
            return f"waits for {n} of {name}, who are off shift"
        owners = [*range(len(self.state.servers)), *self.line.server_modes["server"]]
        held = np.flatnonzero(np.isin(self.state.claims["held"], having))
        at = [self.names.servers[int(owners[other])] for other in held]
        if not at:
            return f"waits for {n} of {name}, who are kept for others before it"
        there = ", ".join(at[:5]) + (" and elsewhere" if len(at) > 5 else "")
        return f"waits for {n} of {name}, who are at {there}"

    def doing(self, s: int) -> str:
        """Say what a server does to its part."""
        server = self.state.servers[s]
        mode, p = int(server["mode"]), int(server["part"])
        if mode == t.SETUP:
            return f"is being set up for {self.label(p)}"
        if mode == t.LOADING:
            loads = int(server["phase"]) == t.LOADS
            verb = "is being loaded with" if loads else "is being unloaded of"
            return f"{verb} {self.label(p)}"
        operation = self.names.operations[int(self.state.parts["step"][p])]
        return f"works on {self.label(p)} ({operation})"

    def down(self, s: int) -> str:
        m = int(self.state.servers["down"][s])
        fixed = self.line.server_modes[m]
        mode = self.line.modes[fixed["mode"]]
        verb = "is under maintenance" if mode["planned"] else "is failed"
        if fixed["leaf"] >= 0:
            key = self.timer(int(fixed["leaf"]))
        else:
            key = int(self.state.servers["due"][fixed["server"]])
        until = f"until {self.when(key >> 4)}" if key < t.NEVER else "for unknown time"
        if mode["stock"] >= 0 and m in self.without_spare(int(mode["stock"])):
            k = int(mode["stock"])
            back = self.coming_back(k)
            until = "and waits for a spare" + (f" ({back})" if back else "")
        claim = self.state.claims[len(self.state.servers) + m]
        if claim["wanted"] >= 0 or claim["walking"]:
            until = f"and {self.waits_for_people(len(self.state.servers) + m)}"
        if claim["lacks"]:
            until = f"and {self.waits_for_tools(len(self.state.servers) + m)}"
        return f"{verb} ({self.names.modes[fixed['mode']]}) {until}"

    def timer(self, leaf: int) -> int:
        tree = self.state.tree
        return int(tree[len(tree) // 2 + leaf])

    def back_on_shift(self, k: int) -> str:
        calendar = self.line.calendars[self.line.stations["calendar"][k]]
        first = int(calendar["first"])
        ticks = self.line.ticks[first : first + int(calendar["n"])]
        for tick in ticks[int(self.state.stations["next_tick"][k]) :]:
            if tick["mode"] == t.CALENDAR_ON:
                return f"until {self.when(int(tick['at']))}"
        return "until after the horizon"

    def left(self, s: int) -> str:
        """Return how much work is left on a server's part."""
        server = self.state.servers[s]
        if server["remaining"] == t.UNKNOWN:
            return ""
        left = int(server["remaining"])
        if server["running"]:
            left -= self.now - int(server["resumed"])
        return f", {_span(left)} left"

    def blocked(self, s: int) -> Cause:
        name, p = self.names.servers[s], int(self.state.servers["part"][s])
        if p >= 0:
            d = self.waited_for(p)
            text = f"{name} is blocked: it holds {self.label(p)}, which waits for "
            if vehicle := self.vehicle_for(p):
                return Cause(text + vehicle)
            return Cause(text + self.room(d), self.makes_room(d))
        k = int(self.state.servers["station"][s])
        for step in self.steps_at(k):
            d = self.after(step)
            if d >= 0 and all(self.is_full(b) for _, b in self.targets(d)):
                text = f"{name} is blocked before its work: it waits for {self.room(d)}"
                return Cause(text, self.makes_room(d))
        return Cause(f"{name} is blocked before its work")

    def is_full(self, b: int) -> bool:
        level = self.state.buffers["level"][b]
        return bool(level >= self.line.buffers["slots"][b])

    def after(self, step: int) -> int:
        """Return the destination after a step, or -1 where a part leaves the line."""
        row = self.line.steps[step]
        if row["next"] >= 0:
            return int(self.line.steps["dest"][row["next"]])
        return int(self.line.products["store"][row["product"]])

    def makes_room(self, d: int) -> Thing | None:
        """Return whom to ask why there is no room at a destination."""
        pairs = self.targets(d) if d >= 0 else []
        if len(pairs) == 1 and pairs[0][0] >= 0:
            k, b = pairs[0]
            inside = self.inside_buffer(b)
            if inside and k not in self.stations_for(inside[0]):  # another's part
                return Thing("part", inside[0])
            return Thing("station", k)
        stations = self.drawing_on(d) if d >= 0 else []
        return Thing("station", stations[0]) if stations else None

    def inside_buffer(self, b: int) -> list[int]:
        """Return the parts with a place in a buffer, in the order of their coming."""
        parts = self.state.parts
        held = np.isin(parts["where"], _HELD) & (parts["place"] == b)
        rows = np.flatnonzero((parts["product"] >= 0) & held)
        return [int(p) for p in rows[np.argsort(parts["sequence"][rows])]]

    def stations_for(self, p: int) -> list[int]:
        """Return the stations that a part may go to from where it is."""
        part = self.state.parts[p]
        where = int(part["where"])
        if where == t.IN_STORE:
            return self.users(int(part["product"]))
        if where in (t.ON_SERVER, t.BLOCKED_ON_SERVER):
            return [int(self.state.servers["station"][part["place"]])]
        if where == t.IN_OUTPUT:
            return self.drawing_on(self.waited_for(p))
        d = int(self.line.steps["dest"][part["step"]])
        if where == t.MOVING or self.line.dests["queue"][d] < 0:
            return [int(self.line.targets["station"][part["target"]])]
        return [k for k, _ in self.targets(d)]

    # ------------------------------------------------------------ want of parts

    def starved(self, s: int) -> Cause:
        name = self.names.servers[s]
        k = int(self.state.servers["station"][s])
        if found := self.waits_in_vain(k):
            return Cause(f"{name} is starved: {found.text}", found.next)
        if called := self.called_to(k):
            vehicle = self.vehicle_for(called[0])
            text = f"{self.label(called[0])} goes there and waits for {vehicle}"
            return Cause(f"{name} is starved: {text}")
        coming = [p for p in self.parts(where=t.MOVING) if k in self.stations_for(p)]
        if coming:
            arrival, p = min((self.arrival_us(p), p) for p in coming)
            text = f"{self.label(p)} is on its way and arrives {self.when(arrival)}"
            return Cause(f"{name} is starved: {text}")
        return Cause(f"{name} is starved: no part waits for it", self.feeder(k))

    def waits_in_vain(self, k: int) -> Cause | None:
        """Say why a part that waits for a station with a free server cannot start."""
        for p in self.waiting_parts(k):
            reason = self.cannot_start(k, int(self.state.parts["step"][p]))
            reason = reason or self.lacks_others(k, p)
            if reason:
                text = f"{self.label(p)} waits for it, but {reason.text}"
                return Cause(text, reason.next)
        fixed = self.line.stations[k]
        waiting = list(self.waiting_parts(k))
        if waiting and fixed["own_rule"] >= 0:
            rule = self.own_rule(int(fixed["own_rule"]))
            text = f"{self.label(waiting[0])} waits for it, but {rule} takes none"
            return Cause(f"{text} of the {len(waiting)} that wait")
        for i in range(int(fixed["n_always"])):
            product = int(self.line.links[int(fixed["first_always"]) + i])
            step = int(self.line.products["first_step"][product])
            if reason := self.cannot_start(k, step):
                return Cause(f"{reason.text}", reason.next)
        return None

    def own_rule(self, row: int) -> str:
        return f"its rule {self.lowered.own_rules[row].rule.python}"

    def lacks_others(self, k: int, p: int) -> Cause | None:
        """Say if a part waits for others of its batch, or for the server it had."""
        step = self.line.steps[int(self.state.parts["step"][p])]
        if step["same_slot"] >= 0:
            at = p * int(self.line.settings[t.S_N_SLOTS]) + int(step["same_slot"])
            bound = int(self.state.memory[at]) - 1
            if bound >= 0:
                server = self.names.servers[bound]
                return Cause(f"it has to go back to {server}", Thing("server", bound))
        if step["batch_group"] < 0:
            return None
        units = sum(
            int(self.line.products["lot"][int(self.state.parts["product"][q])])
            for q in self.waiting_parts(k)
            if self.line.steps["batch_group"][int(self.state.parts["step"][q])]
            == step["batch_group"]
        )
        if units >= step["batch_min"]:
            return None
        text = f"its batch has {units} of the {int(step['batch_min'])} units it needs"
        key = self.timer(int(self.line.stations["leaf"][k]))
        if key < t.NEVER:
            text += f", and starts {self.when(key >> 4)} with what is there"
        return Cause(text, self.feeder(k))

    def waiting_parts(self, k: int) -> Iterator[int]:
        fixed = self.line.stations[k]
        for i in range(int(fixed["n_queues"])):
            yield from self.in_list(int(self.line.links[int(fixed["first_queue"]) + i]))
        for i in range(int(fixed["n_dests"])):
            d = int(self.line.links[int(fixed["first_dest"]) + i])
            for p in self.in_list(int(self.line.settings[t.S_N_QUEUES]) + d):
                if not self.state.parts["split"][p]:
                    yield p

    def cannot_start(self, k: int, step: int) -> Cause | None:
        row = self.line.steps[step]
        product = self.names.products[row["product"]]
        first = int(row["first_use"])
        for use in self.line.uses[first : first + int(row["n_uses"])]:
            component, needed = int(use["product"]), int(use["quantity"])
            there = int(self.state.lists["count"][self.store_list(component)])
            if there < needed:
                name = self.names.products[component]
                text = f"{product} needs {needed} {name} and {there} are in store"
                return Cause(text, Thing("supply", component))
        if lacking := self.lacks_stock(step):
            return lacking
        targets = self.line.targets[int(row["first_target"]) :]
        place = next(j for j, x in enumerate(targets) if x["station"] == k)
        work = self.line.work[int(row["first_work"]) + place]
        if work["shift_end"] == t.END_FIT:
            left = self.shift_left_us(k)
            if left is not None and work["mean_us"] > left:
                mean = _span(int(work["mean_us"]))
                text = f"its {mean} do not fit into the {_span(left)} left"
                return Cause(f"{text} of the shift")
        return None

    # ------------------------------------------------------------ stocks

    def lacks_stock(self, step: int) -> Cause | None:
        """Say which tool, card or material is missing for a step."""
        row = self.line.steps[step]
        first = int(row["first_take"])
        for take in self.line.takes[first : first + int(row["n_takes"])]:
            k, needed = int(take["stock"]), int(take["quantity"])
            stock = self.state.stocks[k]
            free = max(int(stock["free"] - stock["kept"]), 0)
            if free < needed:
                product = self.names.products[row["product"]]
                text = f"{product} lacks {needed - free} {self.names.stocks[k]}"
                return Cause(text, Thing("stock", k))
        return None

    def stock(self, k: int) -> Cause:
        """Say where the things of a stock are that are not free."""
        fixed, name = self.line.stocks[k], self.names.stocks[k]
        free = int(self.state.stocks["free"][k])
        of = f" of {int(fixed['initial'])}" if fixed["kind"] != t.MATERIAL else ""
        none = "none" if of else "no"
        text = f"{free or none}{of} {name} {'are' if free > 1 else 'is'} free"
        back = self.coming_back(k)
        holders, claimants = self.holders(k), self.claimants(k, "has_tools")
        labels = [self.label(p) for p in holders] + list(map(self.claimant, claimants))
        if labels:
            more = [f"{len(labels) - 3} more"] if len(labels) > 3 else []
            verb = "has" if len(labels) == 1 else "have"
            what = "the rest" if free or back else "it" if verb == "has" else "them"
            text += f": {_and(labels[:3] + more)} {verb} {what}"
        if back:
            text += f"; {back}" if labels else f": {back}"
        elif fixed["kind"] == t.MATERIAL and not self.state.stocks["out"][k]:
            text += ", and none is ordered"
        waiting = self.claimants(k, "lacks")
        if free and waiting:
            text += f"; kept for {_and(list(map(self.claimant, waiting[:3])))}"
        if claimants and not holders and not back:
            return Cause(text, self.at(claimants[0]))
        steps = self.state.parts["step"]
        furthest = max(holders, key=lambda p: (steps[p], -p), default=-1)
        follow = furthest >= 0 and not back
        return Cause(text, Thing("part", furthest) if follow else None)

    def holders(self, k: int) -> list[int]:
        """Return the parts that have something of a stock."""
        found = []
        for p in self.parts():
            product = self.line.products[self.state.parts["product"][p]]
            first = int(product["first_held"])
            for take in self.line.takes[first : first + int(product["n_held"])]:
                at = p * int(self.line.settings[t.S_N_SLOTS]) + int(take["slot"])
                if take["stock"] == k and self.state.memory[at] > 0:
                    found.append(p)
        return found

    def claimants(self, k: int, column: str) -> list[int]:
        """Return the setups and repairs that have tools of a stock, or wait with it."""
        having = np.flatnonzero(self.state.claims[column])
        return [int(c) for c in having if k in self.lent_to(int(c))["stock"]]

    def at(self, c: int) -> Thing:
        """Return the server at which a setup or a repair is."""
        n_servers = len(self.state.servers)
        s = c if c < n_servers else int(self.line.server_modes["server"][c - n_servers])
        return Thing("server", s)

    def coming_back(self, k: int) -> str:
        """Say what of a stock is on its way, and when the next comes; or nothing."""
        out = int(self.state.stocks["out"][k])
        if out == 0:
            return ""
        kind = int(self.line.stocks["kind"][k])
        verb = {t.TOOL: "on the way back", t.SPARE: "being repaired"}.get(
            kind, "ordered"
        )
        at = min(self.expected(t.RETURNED, k), default=-1)
        when = f", the next comes {self.when(at)}" if at >= 0 else ""
        return f"{out} {'is' if out == 1 else 'are'} {verb}{when}"

    def without_spare(self, k: int) -> list[int]:
        """Return the stops that wait for a spare component, the first in turn first."""
        found, m = [], int(self.state.stocks["head"][k])
        for _ in range(int(self.state.stocks["n_waiting"][k])):
            found.append(m)
            m = int(self.state.modes["next"][m])
        return found

    def store_list(self, i: int) -> int:
        settings = self.line.settings
        return int(settings[t.S_N_QUEUES]) + int(settings[t.S_N_DESTS]) + i

    def shift_left_us(self, k: int) -> int | None:
        c = int(self.line.stations["calendar"][k])
        if c < 0:
            return None
        at = int(self.line.calendars["first"][c])
        tick = self.line.ticks[at + int(self.state.stations["next_tick"][k]) - 1]
        return int(tick["on_left"]) - (self.now - int(tick["at"]))

    def arrival_us(self, p: int) -> int:
        """Return when a part on the move arrives."""
        return self.due_us(t.MOVED, p)

    def expected(self, kind: int, row: int) -> list[int]:
        """Return when the events of a kind come that a part or a stock waits for."""
        heap = self.state.heap[: int(self.state.clock["n_heap"][0])]
        found = heap[(heap[:, 3] == row) & (heap[:, 0] & 15 == kind), 0]
        return [int(key) >> 4 for key in found]

    def due_us(self, kind: int, row: int) -> int:
        """Return when something on its way comes: a part, or a vehicle."""
        return next(iter(self.expected(kind, row)), self.now)

    # ------------------------------------------------------------ vehicles

    def called_to(self, k: int) -> list[int]:
        """Return the parts for a station that wait to be fetched."""
        parts = self.state.parts
        targets = self.line.targets["station"][parts["target"]]
        mine = (parts["product"] >= 0) & (targets == k)
        found = [int(p) for p in np.flatnonzero(mine) if self.vehicle_for(int(p))]
        return sorted(found, key=lambda p: int(parts["queued"][p]))

    def vehicle_for(self, p: int) -> str:
        """Return what a part that waits to be fetched waits for, or nothing."""
        settings, names = self.line.settings, self.names.fleets
        first = int(settings[t.S_N_QUEUES]) + int(settings[t.S_N_DESTS])
        f = int(self.state.parts["list"][p]) - first - 2 * len(self.names.products)
        if 0 <= f < len(names):
            return f"a vehicle of {names[f]}{self.before(p)}"
        vehicles = self.state.vehicles
        mine = (vehicles["part"] == p) & (vehicles["doing"] == t.COMING)
        for v in np.flatnonzero(mine):
            at = self.when(self.due_us(t.FETCHED, int(v)))
            return f"{names[vehicles['fleet'][v]]}, which sets off with it {at}"
        return ""

    def steps_at(self, k: int) -> list[int]:
        dests = self.line.steps["dest"]
        return [j for j, d in enumerate(dests) if k in (s for s, _ in self.targets(d))]

    def feeder(self, k: int) -> Thing | None:
        """Return whom to blame that no part comes to a station."""
        stations: dict[int, None] = {}
        sources: list[int] = []
        for j in self.steps_at(k):
            i = int(self.line.steps["product"][j])
            if self.line.products["first_step"][i] == j:
                sources.append(i)
            for before in self.steps_before(j):
                stations |= dict.fromkeys(self.stations_of_step(before))
        stations.pop(k, None)
        if not stations:
            return Thing("release", sources[0]) if sources else None
        return Thing("station", min(stations, key=self.rank))

    def steps_before(self, j: int) -> list[int]:
        """Return the steps whose parts come to a step; inspections if no others."""
        steps = self.line.steps
        before = np.flatnonzero(steps["next"] == j)
        if not len(before):
            before = np.flatnonzero(
                (steps["inspected"] == 2) & (steps["rework_to"] == j)
            )
        return [int(i) for i in before]

    def stations_of_step(self, j: int) -> list[int]:
        return [k for k, _ in self.targets(int(self.line.steps["dest"][j]))]

    def rank(self, k: int) -> int:
        modes = self.state.servers["mode"][self.servers_of(k)]
        return min(_RANK.index(int(mode)) for mode in modes)

    def supply(self, i: int) -> Cause:
        """Say where the next unit of a missing component is."""
        name = self.names.products[i]
        inside = [
            p
            for p in self.parts(product=i)
            if self.state.parts["where"][p] not in (t.IN_STORE, t.OUTSIDE, t.NEW)
        ]
        if not inside:
            return Cause(f"no {name} is being made", Thing("release", i))
        steps = self.state.parts["step"]
        p = max(inside, key=lambda p: (steps[p] < 0, steps[p], -p))
        return Cause(f"the next to come is {self.label(p)}", Thing("part", p))

    # ------------------------------------------------------------ into the line

    def release(self, i: int) -> Cause:
        """Say why no unit of a product comes into the line."""
        name, fixed = self.names.products[i], self.line.products[i]
        kind, outside = int(fixed["kind"]), self.outside(i)
        if capped := self.capped(i):
            waiting = f"{outside} {name} wait outside: " if outside else ""
            return Cause(waiting + capped.text, capped.next)
        if outside or kind == t.ALWAYS_CAPPED:
            d = int(self.line.steps["dest"][fixed["first_step"]])
            waiting = f"{outside} {name} wait" if outside else f"the next {name} waits"
            if fixed["own_rule"] >= 0 and self.has_room(d):
                rule = self.own_rule(int(fixed["own_rule"]))
                return Cause(f"{waiting} outside: {rule} lets none in")
            return Cause(f"{waiting} outside for {self.room(d)}", self.makes_room(d))
        if kind == t.ALWAYS:
            return self.always(i)
        if kind == t.ARRIVALS:
            return self.next_arrival(i)
        return self.next_order(i) if kind == t.ORDERS else self.comes_with(i)

    def has_room(self, d: int) -> bool:
        return any(not self.is_full(b) for _, b in self.targets(d))

    def always(self, i: int) -> Cause:
        first = int(self.line.products["first_step"][i])
        k = min(self.stations_of_step(first), key=self.rank)
        text = f"the next {self.names.products[i]} comes when {self.names.stations[k]}"
        return Cause(f"{text} can take it", Thing("station", k))

    def next_arrival(self, i: int) -> Cause:
        name, key = (
            self.names.products[i],
            self.timer(int(self.line.products["leaf"][i])),
        )
        if key == t.NEVER:
            return Cause(f"no arrival of {name} is known")
        return Cause(f"the next {name} arrives {self.when(key >> 4)}")

    def outside(self, i: int) -> int:
        row = self.store_list(i) + int(self.line.settings[t.S_N_PRODUCTS])
        return int(self.state.lists["count"][row])

    def capped(self, i: int) -> Cause | None:
        cap, line_cap = (
            int(self.line.products["cap"][i]),
            int(self.line.settings[t.S_LINE_CAP]),
        )
        wip, all_wip = self.state.products["wip"][i], self.state.clock["wip"][0]
        name = self.names.products[i]
        if 0 <= cap <= wip:
            text = f"no more than {cap} {name} may be in the line"
            return Cause(text, Thing("inside", i))
        if 0 <= line_cap <= all_wip:
            text = f"no more than {line_cap} parts may be in the line"
            return Cause(text, Thing("inside", -1))
        return None

    def next_order(self, i: int) -> Cause:
        name = self.names.products[i]
        o = int(self.state.clock["next_order"][0])
        while o >= 0:
            order = self.state.orders[o]
            if order["product"] == i:
                at = self.when(int(order["release"]))
                id_ = self.names.orders[o]
                return Cause(f"the next order of {name}, {id_}, is released {at}")
            o = int(order["next"])
        return Cause(f"every order of {name} has been released")

    def comes_with(self, i: int) -> Cause:
        """Say where a product comes from that is neither released nor ordered."""
        name = self.names.products[i]
        for j, row in enumerate(self.line.steps):
            first = int(row["first_make"])
            made = self.line.uses["product"][first : first + int(row["n_makes"])]
            if i in made:
                text = f"{name} comes out of {self.names.operations[j]}"
                return Cause(text, Thing("station", self.stations_of_step(j)[0]))
        for parent, row in enumerate(self.line.products):
            first = int(row["first_child"])
            with_it = self.line.uses["product"][first : first + int(row["n_children"])]
            if i in with_it:
                text = f"{name} comes with {self.names.products[parent]}"
                return Cause(text, Thing("release", parent))
        return Cause(f"no {name} is released")

    def inside(self, i: int) -> Cause:
        """Say where most of the parts of a product, or of all (-1), are."""
        found: Counter[int] = Counter()
        for p in self.parts() if i < 0 else self.parts(product=i):
            if self.state.parts["where"][p] not in (t.OUTSIDE, t.NEW):
                found.update(self.stations_for(p)[:1])
        if not found:
            return Cause("none of them waits at a station")
        k, n = found.most_common(1)[0]
        name = self.names.stations[k]
        verb, wait = ("is", "waits") if n == 1 else ("are", "wait")
        text = f"{n} of them {verb} at {name} or {wait} for it"
        return Cause(text, Thing("station", k))

    # ------------------------------------------------------------ parts, buffers

    def unit(self, i: int, number: int) -> str:
        """Tell about the unit of a product with a serial number."""
        product = self.names.products[i]
        if found := self.parts(product=i, serial=number):
            return self.tell(Thing("part", found[0]))
        text = f"At {self.when(self.now)} {product} {number}"
        if number < int(self.state.products["serial"][i]):
            return f"{text} is in the line no more: it left, was used, or was scrapped."
        return self.tell(Thing("release", i)).replace(
            f"At {self.when(self.now)} ", f"{text} has not come yet, because ", 1
        )

    def part(self, p: int) -> Cause:
        part = self.state.parts[p]
        where, place, label = int(part["where"]), int(part["place"]), self.label(p)
        if where == t.ON_SERVER:
            return self.server(place)
        if where in (t.BLOCKED_ON_SERVER, t.IN_OUTPUT):
            names = self.names
            holders = names.buffers if where == t.IN_OUTPUT else names.servers
            d = self.waited_for(p)
            text = f"{label} is finished in {holders[place]}"
            if vehicle := self.vehicle_for(p):
                return Cause(f"{text} and waits for {vehicle}")
            return Cause(f"{text} and waits for {self.room(d)}", self.makes_room(d))
        if where == t.OUTSIDE:
            text = f"{label} is outside the line{self.before(p)}"
            return Cause(text, Thing("release", int(part["product"])))
        stations = self.stations_for(p)
        to = _and([self.names.stations[k] for k in stations], "or")
        if where == t.MOVING:
            return self.moving(p, to)
        return self.queued(p, stations, to)

    def queued(self, p: int, stations: list[int], to: str) -> Cause:
        """Say what a part in a queue or a store waits for."""
        part, label = self.state.parts[p], self.label(p)
        where = int(part["where"])
        if where == t.IN_STORE:
            text = f"{label} is finished and waits to be built in at {to}"
        else:
            text = f"{label} waits for {to}{self.before(p)}"
        lacking = self.lacks_stock(int(part["step"])) if where == t.IN_QUEUE else None
        if lacking:
            return Cause(f"{text}, but {lacking.text}", lacking.next)
        best = min(stations, key=self.rank) if stations else -1
        return Cause(text, Thing("station", best) if stations else None)

    def moving(self, p: int, to: str) -> Cause:
        """Say when a part arrives, or what it waits for beside a station."""
        if vehicle := self.vehicle_for(p):
            return Cause(f"{self.label(p)} goes to {to} and waits for {vehicle}")
        arrival = self.when(self.arrival_us(p))
        return Cause(f"{self.label(p)} is on its way to {to} and arrives {arrival}")

    def before(self, p: int) -> str:
        rows = self.in_list(int(self.state.parts["list"][p]))
        n = next(i for i, other in enumerate(rows) if other == p)
        return f" with {n} before it" if n else ""

    def buffer(self, b: int) -> Cause:
        name, slots = self.names.buffers[b], int(self.line.buffers["slots"][b])
        text = f"the buffer {name} has {self.places_of(b)}"
        if int(self.state.buffers["level"][b]) == 0:
            text = f"the buffer {name} is empty"
        if inside := self.inside_buffer(b):
            first = inside[0]
            return Cause(f"{text}, the first {self.label(first)}", Thing("part", first))
        if self.line.buffers["n_dests"][b] == 0:  # an output buffer
            return Cause(text)
        d = int(self.line.links[self.line.buffers["first_dest"][b]])
        k = self.targets(d)[0][0]
        if k < 0:
            return Cause(text, Thing("supply", self.stored_in(d)))
        if slots == 0:
            return Cause(f"{name} has no buffer", Thing("station", k))
        return Cause(text, self.feeder(k))

    def product(self, i: int) -> Cause:
        name, wip = self.names.products[i], int(self.state.products["wip"][i])
        outside = self.outside(i)
        waiting = f" and {outside} outside" if outside else ""
        text = f"{_are(wip, name)} in the line{waiting}"
        if wip == 0:
            return Cause(text, Thing("release", i))
        found = self.inside(i)
        return Cause(f"{text}, {found.text.replace('of them ', '')}", found.next)


def _span(us: int) -> str:
    """Return a span of time to two or three figures."""
    number, _, unit = format_duration(us).partition(" ")
    return f"{float(number):.3g} {unit}"


def _are(n: int, noun: str) -> str:
    return f"{n} {noun} is" if n == 1 else f"{n or 'no'} {noun} {'are' if n else 'is'}"


def _and(words: list[str], joint: str = "and") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"
