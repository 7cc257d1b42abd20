"""One measurement of ours in a process of its own; one line of JSON.

Use: ``python -m benchmarks.ours KIND ...``, KIND one of

* ``speed m1|m2|m3 DEPARTURES SEED``: CPU time of one run of the kernel;
* ``stations N EVENTS``: CPU time of so many events in a line of N stations;
* ``cores WORKERS REPLICATIONS MINUTES``: wall time of the replications of M1;
* ``length MINUTES``: one replication of M1, for the memory that it takes;
* ``fab SOURCE DAYS REPLICATION``: a replication of an SMT2020 fab, and what it made.

The CPU time is that of the simulation itself: the start of Python, imports, reading the
model and compilation are left out. It begins with an empty line and new streams.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import linewright
from benchmarks.estimates import batch_ends, interval, throughput
from benchmarks.fab import figures
from benchmarks.models import MODELS, tandem
from linewright.importers import import_model
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.replicate import check_laws, run_until

FOREVER = 2**57  # microseconds, 4,500 years
MINUTE = 60e6

Report = dict[str, Any]


def _warm(lowered: Lowered) -> None:
    """Compile, or load what was compiled, on a short run with other numbers."""
    run_until(lowered, new_state(lowered), new_draws(lowered, 0, 1), FOREVER, 20)


def _speed(model: str, departures: str, seed: str) -> Report:
    known = MODELS[model]
    lowered = lower(linewright.loads(known.text), FOREVER)
    _warm(lowered)
    ends = batch_ends(int(departures), known.measure)
    times, stays, counts = [0.0], [0.0], [0]
    start = time.process_time()
    state, draws = new_state(lowered), new_draws(lowered, int(seed), 0)
    for end in ends:
        _, state = run_until(lowered, state, draws, FOREVER, end)
        times.append(int(state.clock["now"][0]) / MINUTE)
        stays.append(int(state.products["flow_us"][0]) / MINUTE)
        counts.append(int(state.products["flow_count"][0]))
    cpu_s = time.process_time() - start
    if known.measure == "throughput":
        mean, half = throughput(times[1:], ends[1] - ends[0])
    else:
        sums = zip(stays[1:-1], stays[2:], counts[1:-1], counts[2:], strict=True)
        mean, half = interval([(b - a) / (n - m) for a, b, m, n in sums])
    events = counts[-1] * known.n_stations
    return {"events": events, "cpu_s": cpu_s, "estimate": mean, "ci95": half}


def _stations(n_stations: str, events: str) -> Report:
    """Measure a line that is full; filling it is left out."""
    n = int(n_stations)
    lowered = lower(linewright.loads(tandem(n)), FOREVER)
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    _, state = run_until(lowered, state, draws, FOREVER, 5 * n)
    before = int(state.stations["completed"].sum())
    now = int(state.clock["now"][0])
    start = time.process_time()
    # a line like this completes about 0.7 parts a minute at every station
    span = int(int(events) / n / 0.7 * MINUTE)
    _, state = run_until(lowered, state, draws, now + span)
    cpu_s = time.process_time() - start
    done = int(state.stations["completed"].sum()) - before
    return {"events": done, "cpu_s": cpu_s}


def _cores(workers: str, replications: str, minutes: str) -> Report:
    line = linewright.loads(MODELS["m1"].text)
    _warm(lower(line, FOREVER))
    start = time.perf_counter()
    result = linewright.simulate(
        line,
        horizon=f"{minutes} min",
        warmup="0 s",
        replications=int(replications),
        workers=int(workers),
    )
    wall_s = time.perf_counter() - start
    return {"wall_s": wall_s, "throughput_per_h": result.throughput["part"].mean}


def _length(minutes: str) -> Report:
    line = linewright.loads(MODELS["m1"].text)
    result = linewright.simulate(line, horizon=f"{minutes} min", replications=1)
    return {"finished": result.table("products")["finished"].to_pylist()[0]}


def _fab(source: str, days: str, replication: str) -> dict[str, Any]:
    line = import_model(source).whole
    end_us = int(days) * 86_400_000_000
    lowered = lower(line, end_us)
    _warm(lowered)
    start = time.process_time()
    state, draws = new_state(lowered), new_draws(lowered, 1, int(replication))
    _, state = run_until(lowered, state, draws, end_us)
    cpu_s = time.process_time() - start
    assert all(law.ok for law in check_laws(lowered, state))
    events = int(state.clock["events"][0])
    return {"events": events, "cpu_s": cpu_s, **figures(lowered, state)}


KINDS: dict[str, Callable[..., Report]] = {
    "speed": _speed,
    "stations": _stations,
    "cores": _cores,
    "length": _length,
    "fab": _fab,
}


def main() -> None:
    """Measure and print."""
    print(json.dumps(KINDS[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    main()
