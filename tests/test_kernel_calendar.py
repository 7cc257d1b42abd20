"""The timers of the kernel: what is set ahead changes nothing, and the first is first.

In lines of many servers the end of a server's next work is foretold before the present
event is dealt with. Where ties are looked at nothing is foretold; in lines whose ties
go by the order of their leaves in any case, both ways make the same transitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.replicate import run_until
from tests.random_lines import HOUR_US, random_line

DAY_US = 24 * HOUR_US
MANY = 65  # servers, from which on the kernel foretells
_IDLE = """
schema_version: 1
name: idle
stations: {idle: {process: 1 min}}
products: {part: {route: [idle]}}
"""


def with_idle_stations(seed: int) -> Line:
    """Return a random line whose ties go by leaves, with many stations without work."""
    line = random_line(seed)
    stations = {f"idle {i}": loads(_IDLE).stations["idle"] for i in range(MANY)}
    for name, station in line.stations.items():
        inside = {
            key: failure
            for key, failure in station.failures.items()
            if failure.clock == "processing"
        }
        alone: dict[str, Any] = {"servers": 1, "maintenance": {}, "failures": inside}
        stations[name] = station.model_copy(update=alone)
    return line.model_copy(update={"stations": {**line.stations, **stations}})


def long_line(seed: int) -> Line:
    """Return a long line that is now starved, now blocked, now down, now reworking."""
    rng = np.random.default_rng(seed)
    stations = []
    for k in range(MANY + 5):
        mean = rng.integers(40, 80)
        kinds = f"{mean} s", f"exponential({mean} s)", f"normal(mean={mean} s, sd=9 s)"
        time = kinds[rng.integers(3)]
        more = f", buffer: {rng.integers(0, 4)}" if k else ""
        if rng.random() < 0.2:
            more += ", failures: {jam: {every: exponential(1 h), repair: 5 min}}"
        stations.append(f"  s{k}: {{process: {time!r}{more}}}")
    route = [f"s{k}" for k in range(len(stations))]
    short = [name for name in route if rng.random() < 0.8]
    return loads(
        "schema_version: 1\nname: long\nstations:\n" + "\n".join(stations) + "\n"
        f"products:\n  a: {{route: [{', '.join(route)}]}}\n"
        f"  b: {{route: [{', '.join(short)}], release: {{rate: 20/h}}}}\n"
    )


def runs(line: Line, seed: int, horizon_us: int) -> Iterator[tuple[Lowered, t.State]]:
    """Run a line that foretells, then without; nothing if its ties need looking at."""
    lowered = lower(line, horizon_us)
    if lowered.own_rules or new_state(lowered).clock["ties"][0]:
        return
    for ties in (0, t.TIES_OF_LEAVES):
        state = new_state(lowered)
        state.clock["ties"] = ties
        _, state = run_until(lowered, state, new_draws(lowered, seed, 0), horizon_us)
        yield lowered, state


def hold_alike(found: list[tuple[Lowered, t.State]]) -> None:
    (_, foretold), (_, looked) = found
    both: Any = zip(t.State._fields, foretold, looked, strict=True)
    for name, one, other in both:
        if name in ("todo", "requests"):
            continue  # paper, on which old work is left
        columns: Any = one.dtype.names or (...,)
        for column in columns:
            if (name, column) != ("clock", "ties"):
                assert np.array_equal(one[column], other[column]), (name, column)


def hold_timers(lowered: Lowered, state: t.State) -> None:
    """Every server's timer says when its work ends, and the root has the earliest."""
    half = len(state.tree) // 2
    for s, due in enumerate(state.servers["due"]):
        assert state.tree[half + s] == (due if due != t.NEVER else t.NEVER + s)
    for node in range(half - 1, 0, -1):
        best = min((2 * node, 2 * node + 1), key=lambda i: (state.tree[i], i))
        assert state.tree[node] == state.tree[best]
        assert state.winners[node] == state.winners[best]


def test_what_is_foretold_changes_nothing_in_random_lines() -> None:
    n_held = 0
    for seed in range(30):
        found = list(runs(with_idle_stations(seed), seed, DAY_US))
        if found:
            hold_alike(found)
            hold_timers(*found[0])
            n_held += 1
    assert n_held > 8


@pytest.mark.parametrize("seed", range(3))
def test_what_is_foretold_changes_nothing_in_long_lines(seed: int) -> None:
    found = list(runs(long_line(seed), seed, DAY_US))
    hold_alike(found)
    hold_timers(*found[0])
    assert found[0][1].clock["finished"][0] > 100
