"""The models in SimPy: processes and Stores, as its documentation recommends.

Use: ``python -m benchmarks.simpy_lines m1|m2|m3 DEPARTURES SEED``; one line of JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Generator
from random import expovariate
from typing import Any

import simpy

from benchmarks.estimates import Estimate, batch_ends, sojourn, throughput

Process = Generator[Any, Any, Any]

N_STATIONS = {"m1": 10, "m2": 20}
N_SLOTS = {"m1": 5, "m2": 10}
MTTF, MTTR = 100.0, 10.0
ARRIVALS, SERVICES = 0.9, 1.0


def _work(env: simpy.Environment, to_failure: float, duration: float) -> Process:
    """Work through failures of processing time; return the time left to the next."""
    while to_failure < duration:
        yield env.timeout(to_failure)
        duration -= to_failure
        yield env.timeout(expovariate(1 / MTTR))
        to_failure = expovariate(1 / MTTF)
    yield env.timeout(duration)
    return to_failure - duration


class Line:
    """A serial line that runs until so many parts have left it."""

    def __init__(self, model: str, departures: int) -> None:
        self.env = simpy.Environment()
        self.fails = model == "m2"
        self.departures = departures
        self.done = self.env.event()
        self.out: list[float] = []
        n = N_STATIONS[model]
        stores = [simpy.Store(self.env, N_SLOTS[model]) for _ in range(n - 1)]
        for k in range(n):
            process_s = 1.05 if k == 9 else 1.0
            before, after = [None, *stores][k], [*stores, None][k]
            self.env.process(self.station(process_s, before, after))

    def station(
        self, duration: float, before: simpy.Store | None, after: simpy.Store | None
    ) -> Process:
        """Take a part, work on it, put it on."""
        env = self.env
        to_failure = expovariate(1 / MTTF)
        part = 0
        while True:
            if before is None:
                part += 1
            else:
                part = yield before.get()
            if self.fails:
                to_failure = yield from _work(env, to_failure, duration)
            else:
                yield env.timeout(expovariate(1.0))
            if after is not None:
                yield after.put(part)
            else:
                self.out.append(env.now)
                if len(self.out) == self.departures:
                    self.done.succeed()


def _line(model: str, departures: int) -> Estimate:
    line = Line(model, departures)
    line.env.run(until=line.done)
    ends = batch_ends(departures, "throughput")
    return throughput([line.out[end - 1] for end in ends], ends[1] - ends[0])


def _queue(departures: int) -> Estimate:
    env = simpy.Environment()
    queue, done = simpy.Store(env), env.event()
    stays: list[float] = []

    def arrivals() -> Process:
        for _ in range(departures):
            yield env.timeout(expovariate(ARRIVALS))
            yield queue.put(env.now)

    def server() -> Process:
        while len(stays) < departures:
            arrived = yield queue.get()
            yield env.timeout(expovariate(SERVICES))
            stays.append(env.now - arrived)
        done.succeed()

    env.process(arrivals())
    env.process(server())
    env.run(until=done)
    return sojourn(stays)


def main() -> None:
    """Run one model and print what it took."""
    model, departures, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    random.seed(seed)
    start = time.process_time()
    mean, half = _queue(departures) if model == "m3" else _line(model, departures)
    cpu_s = time.process_time() - start
    events = departures * N_STATIONS.get(model, 1)
    print(
        json.dumps({"events": events, "cpu_s": cpu_s, "estimate": mean, "ci95": half})
    )


if __name__ == "__main__":
    main()
