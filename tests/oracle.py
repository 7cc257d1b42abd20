"""Slow, plain answers to hold the kernel against; they share only its random draws.

`departures` is the recursion of a serial line. `SlowLine` is an event simulation made
to be read: it looks at everything after every event until nothing moves any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from linewright import tables as t
from linewright.kernel._jit import array_entry
from linewright.kernel._views import open_draws, open_line, pack
from linewright.kernel.sample import sample, uniform
from linewright.kernel.streams import uniform_at
from linewright.lower import Lowered, new_draws

__all__ = ["SlowLine", "SlowPart", "SlowStation", "Source", "departures"]


def _sample_all(  # type: ignore[no-untyped-def]
    line_directory, draws_directory, name, numbers, out
):
    line = open_line(line_directory)
    draws = open_draws(draws_directory)
    dist, stream, visit = name
    for i in range(len(numbers)):
        out[i] = sample(line, draws, dist, stream, numbers[i], visit)


def _uniform_all(  # type: ignore[no-untyped-def]
    draws_directory, stream, numbers, visit, j, out
):
    draws = open_draws(draws_directory)
    for i in range(len(numbers)):
        if j == 0:
            out[i] = uniform(draws, stream, numbers[i], visit)
        else:
            out[i] = uniform_at(draws, stream, numbers[i], visit, j)


_sample: Callable[..., Any] = array_entry(_sample_all)
_uniform: Callable[..., Any] = array_entry(_uniform_all)


class Source:
    """The kernel's own random numbers, by name: what it draws, and nothing else."""

    def __init__(self, lowered: Lowered, seed: int, replication: int = 0) -> None:
        self.lowered = lowered
        self.draws = new_draws(lowered, seed, replication)

    def times_us(self, dist: int, stream: int, numbers: t.Ints, visit: int) -> t.Ints:
        """Return draws of a distribution, microseconds."""
        out = np.zeros(len(numbers), np.int64)
        packed = pack(self.lowered.tables), pack(self.draws)
        _sample(*packed, (int(dist), int(stream), int(visit)), numbers, out)
        return out

    def time_us(self, dist: int, stream: int, n: int, visit: int = 0) -> int:
        """Return one draw of a distribution, microseconds."""
        return int(self.times_us(dist, stream, np.array([n]), visit)[0])

    def uniforms(
        self, stream: int, numbers: t.Ints, visit: int = 0, j: int = 0
    ) -> npt.NDArray[np.float64]:
        """Return uniforms: the first of each number, or its j-th further one."""
        out = np.zeros(len(numbers))
        _uniform(pack(self.draws), int(stream), numbers, int(visit), j, out)
        return out

    def uniform(self, stream: int, n: int, visit: int = 0, j: int = 0) -> float:
        """Return one uniform."""
        return float(self.uniforms(stream, np.array([n]), visit, j)[0])


def departures(process_us: t.Ints, slots: Sequence[int | None]) -> t.Ints:
    """Return when each part leaves each station of a saturated serial line.

    A part starts when it is there and the part before it has left, and leaves when its
    work is done and the buffer behind has a place (blocking after service).

    Args:
        process_us: Processing times, (part, station).
        slots: Places between the stations; none: without limit.
    """
    n_parts, n_stations = process_us.shape
    out = np.zeros((n_parts, n_stations), np.int64)
    for n in range(n_parts):
        for m in range(n_stations):
            there = out[n, m - 1] if m else 0
            free = out[n - 1, m] if n else 0
            leaves = max(there, free) + process_us[n, m]
            places = slots[m] if m < n_stations - 1 else None
            if places is not None and n > places:
                leaves = max(leaves, out[n - places - 1, m + 1])
            out[n, m] = leaves
    return out


# ------------------------------------------------------------------ a slow simulation

IDLE, WORK, BLOCKED, DOWN = "idle", "work", "blocked", "down"
FAR = 2**60


@dataclass
class SlowPart:
    """A part on its way; `steps` counts the operations it has behind it."""

    serial: int
    step: int = 0
    visits: int = 0
    blocked_at: int = 0


@dataclass
class SlowServer:
    """A server, its part, its clock of processing time, and its accounts."""

    number: int
    mode: str = IDLE
    part: SlowPart | None = None
    left: int = 0
    total: int = 0
    to_failure: int = FAR
    n_failures: int = 0
    until: int = FAR
    spent: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((IDLE, WORK, BLOCKED, DOWN), 0)
    )


@dataclass
class SlowStation:
    """A station with its queue, and where its times come from.

    Attributes:
        n_servers: Parallel servers.
        slots: Places of the input buffer; none: without limit.
        process_us: Processing time of (serial, visit).
        verdict: Outcome of (serial, visit): ``pass``, ``scrap``, or the station to
            which it goes for rework.
        failure_us: Processing time to the n-th failure of a server; none: never.
        repair_us: Time of the n-th repair of a server.
        fate: ``resume``, ``restart`` or ``scrap``.
    """

    n_servers: int
    slots: int | None
    process_us: Callable[[int, int], int]
    verdict: Callable[[int, int], str | int] = lambda _serial, _visit: "pass"
    failure_us: Callable[[int, int], int] | None = None
    repair_us: Callable[[int, int], int] | None = None
    fate: str = "resume"
    queue: list[SlowPart] = field(default_factory=list)
    servers: list[SlowServer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.servers = [SlowServer(i) for i in range(self.n_servers)]
        for server in self.servers:
            if self.failure_us:
                server.to_failure = self.failure_us(server.number, 0)

    @property
    def has_room(self) -> bool:
        return self.slots is None or len(self.queue) < self.slots


class SlowLine:
    """A line of stations in a row, fed by an endless store or by arrivals."""

    def __init__(
        self, stations: list[SlowStation], arrival_us: Callable[[int], int] | None
    ) -> None:
        self.stations = stations
        self.arrival_us = arrival_us
        self.now = 0
        self.n_made = 0
        self.outside: list[SlowPart] = []
        self.next_arrival = arrival_us(0) if arrival_us else FAR
        self.left_at: dict[int, int] = {}
        self.scrapped_at: dict[int, int] = {}

    def run(self, end_us: int) -> None:
        """Run to a time; everything at that very time still happens."""
        self.settle()
        while True:
            servers = [s for station in self.stations for s in station.servers]
            at = min(self.next_arrival, *(self.due(server) for server in servers))
            self.pass_time(min(at, end_us))
            if at > end_us:
                return
            self.happen()
            self.settle()

    def due(self, server: SlowServer) -> int:
        if server.mode == WORK:
            return self.now + min(server.left, server.to_failure)
        return server.until if server.mode == DOWN else FAR

    def pass_time(self, to_us: int) -> None:
        for station in self.stations:
            for server in station.servers:
                server.spent[server.mode] += to_us - self.now
                if server.mode == WORK:
                    server.left -= to_us - self.now
                    server.to_failure -= to_us - self.now
        self.now = to_us

    def happen(self) -> None:
        """Do what is due now."""
        for k, station in enumerate(self.stations):
            for server in station.servers:
                if server.mode == WORK and server.left == 0:
                    self.end_of_work(k, station, server)
                elif server.mode == WORK and server.to_failure == 0:
                    self.fail(station, server)
                elif server.mode == DOWN and server.until == self.now:
                    self.come_up(station, server)
        if self.next_arrival == self.now:
            assert self.arrival_us is not None
            self.outside.append(self.new_part())
            self.next_arrival += self.arrival_us(self.n_made)

    def new_part(self) -> SlowPart:
        self.n_made += 1
        return SlowPart(self.n_made - 1)

    def end_of_work(self, k: int, station: SlowStation, server: SlowServer) -> None:
        part = server.part
        assert part is not None
        verdict = station.verdict(part.serial, part.visits)
        if verdict == "scrap":
            self.scrapped_at[part.serial] = self.now
            server.part, server.mode = None, IDLE
            return
        part.step = k + 1
        if isinstance(verdict, int):
            part.step = verdict
            part.visits += 1
        part.blocked_at = self.now
        server.mode = BLOCKED

    def fail(self, station: SlowStation, server: SlowServer) -> None:
        part = server.part
        assert part is not None
        assert station.repair_us is not None
        if station.fate == "restart":
            server.left = server.total
        elif station.fate == "scrap":
            self.scrapped_at[part.serial] = self.now
            server.part = None
        server.mode = DOWN
        server.until = self.now + station.repair_us(server.number, server.n_failures)

    def come_up(self, station: SlowStation, server: SlowServer) -> None:
        assert station.failure_us is not None
        server.n_failures += 1
        server.to_failure = station.failure_us(server.number, server.n_failures)
        server.mode = WORK if server.part else IDLE

    # ------------------------------------------------------------ what can move, moves

    def settle(self) -> None:
        while self.move_one():
            pass

    def move_one(self) -> bool:
        """Move what waits longest to the first place that is free; downstream first."""
        for k in reversed(range(len(self.stations) + 1)):
            waiting = [
                (server.part.blocked_at, i, server)
                for i, station in enumerate(self.stations)
                for server in station.servers
                if server.mode == BLOCKED and server.part and server.part.step == k
            ]
            if k == len(self.stations):
                for _, _, server in waiting:
                    assert server.part
                    self.left_at[server.part.serial] = self.now
                    server.part, server.mode = None, IDLE
                if waiting:
                    return True
            elif self.fill(k, [server for *_, server in sorted(waiting, key=_rank)]):
                return True
        return False

    def fill(self, k: int, waiting: list[SlowServer]) -> bool:
        """Move one part into station `k`, to a server or into its buffer."""
        station = self.stations[k]
        idle = [s for s in station.servers if s.mode == IDLE]
        if idle and (part := self.next_part(k, station, waiting)):
            server = idle[0]
            server.part, server.mode = part, WORK
            server.left = server.total = station.process_us(part.serial, part.visits)
            return True
        if station.has_room and waiting:
            part = waiting[0].part
            assert part
            waiting[0].part, waiting[0].mode = None, IDLE
            station.queue.append(part)
            return True
        if k == 0 and station.has_room and self.outside:
            station.queue.append(self.outside.pop(0))
            return True
        return False

    def next_part(
        self, k: int, station: SlowStation, waiting: list[SlowServer]
    ) -> SlowPart | None:
        if station.queue:
            return station.queue.pop(0)
        if waiting:
            part = waiting[0].part
            waiting[0].part, waiting[0].mode = None, IDLE
            return part
        if k == 0 and self.outside:
            return self.outside.pop(0)
        if k == 0 and self.arrival_us is None:
            return self.new_part()
        return None


def _rank(waiting: tuple[int, int, SlowServer]) -> tuple[int, int]:
    return waiting[:2]
