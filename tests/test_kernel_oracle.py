"""The kernel against slow, independent answers: equal to the microsecond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linewright import tables as t
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.check import check
from linewright.model.line import Line
from linewright.replicate import run_until, snapshot
from tests import oracle
from tests.oracle import BLOCKED, DOWN, IDLE, WORK, SlowLine, SlowStation

HOUR_US = 3_600_000_000
RELAXED = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

TIMES = st.sampled_from(
    [
        "40 s",
        "exponential(1 min)",
        "uniform(10 s, 2 min)",
        "lognormal(mean=50 s, cv=1.2)",
        "erlang(mean=1 min, stages=3)",
        "gamma(mean=45 s, cv=0.5)",
        {"empirical": {"values": ["30 s", "45 s", "47 s", "90 s"]}},
        {"discrete": {"values": ["20 s", "2 min"], "weights": [0.6, 0.4]}},
    ]
)
PLACES = st.sampled_from([0, 0, 1, 2, 5, "unlimited"])


def read(model: dict[str, Any]) -> Line:
    line = Line.model_validate({"schema_version": 1, "name": "row", **model})
    assert [f for f in check(line) if f.severity == "error"] == []
    return line


def run_with_trace(
    lowered: Lowered, seed: int, until_us: int
) -> tuple[t.State, t.Ints]:
    state = new_state(lowered, n_trace=100_000)
    code, state = run_until(lowered, state, new_draws(lowered, seed, 0), until_us)
    assert code == t.REACHED
    return state, state.trace[: int(state.clock["n_trace"][0])]


# ------------------------------------------------------------------ the recursion


@st.composite
def serial_lines(draw: st.DrawFn) -> Line:
    n = draw(st.integers(1, 6))
    stations: dict[str, Any] = {"S0": {"process": draw(TIMES)}}
    for k in range(1, n):
        stations[f"S{k}"] = {"process": draw(TIMES), "buffer": draw(PLACES)}
    return read({"stations": stations, "products": {"p": {"route": list(stations)}}})


def traced_departures(rows: t.Ints, n_parts: int, n_stations: int) -> t.Ints:
    """Return when each part left each station: it queued, started or left after it."""
    out = np.full((n_parts, n_stations), -1, np.int64)
    for time_us, kind, _, _, serial, step, *_ in rows:
        place = n_stations - 1 if kind == t.T_EXIT else step - 1
        moves = kind in {t.T_QUEUE, t.T_START, t.T_EXIT}
        if moves and serial < n_parts and place >= 0 and out[serial, place] < 0:
            out[serial, place] = time_us
    return out


@given(serial_lines(), st.integers(0, 2**40))
@RELAXED
def test_departures_match_the_recursion(line: Line, seed: int) -> None:
    lowered = lower(line, 6 * HOUR_US)
    state, rows = run_with_trace(lowered, seed, 6 * HOUR_US)
    n_parts = int(state.products["finished"][0])
    source, numbers = oracle.Source(lowered, seed), np.arange(n_parts)
    work, streams = lowered.tables.work["dist"], lowered.tables.steps["process_stream"]
    process_us = np.column_stack(
        [source.times_us(work[m], streams[m], numbers, 0) for m in range(len(work))]
    )
    slots = [s.buffer for s in line.stations.values()][1:]
    places = [s if isinstance(s, int) else None for s in slots]
    want = oracle.departures(process_us, places)
    got = traced_departures(rows, n_parts, len(work))
    np.testing.assert_array_equal(got, want)


@pytest.mark.nojit
def test_one_part_passes_two_stations_in_the_sum_of_their_times() -> None:
    line = read(
        {
            "stations": {"A": {"process": "40 s"}, "B": {"process": "1 min"}},
            "products": {"p": {"route": ["A", "B"]}},
        }
    )
    _, rows = run_with_trace(lower(line, HOUR_US), 1, HOUR_US)
    left = rows[rows[:, 1] == t.T_EXIT, 0] // 1_000_000
    assert left.tolist() == [100 + 60 * n for n in range(59)]


# ------------------------------------------------------------------ a slow simulation


@st.composite
def wider_lines(draw: st.DrawFn) -> Line:
    """Return a line with what `SlowLine` can do; a rework loop never fills up."""
    continuous = st.sampled_from(
        ["exponential(1 min)", "gamma(mean=45 s, cv=0.5)", "uniform(10 s, 2 min)"]
    )
    n = draw(st.integers(1, 4))
    loop = draw(st.integers(0, n - 1)) if draw(st.booleans()) else n
    stations: dict[str, Any] = {}
    route: list[dict[str, Any]] = []
    for k in range(n):
        station: dict[str, Any] = {
            "process": draw(continuous),
            "servers": draw(st.integers(1, 3)),
            "buffer": draw(PLACES) if k < loop else "unlimited",
        }
        if draw(st.booleans()):
            station["failures"] = {
                "f": {
                    "every": draw(st.sampled_from(["exponential(9 min)", "7 min"])),
                    "repair": "exponential(2 min)",
                    "part": draw(st.sampled_from(["resume", "restart", "scrap"])),
                }
            }
        stations[f"S{k}"] = station
        step: dict[str, Any] = {"operation": f"S{k}", "station": f"S{k}"}
        if k >= loop and draw(st.booleans()):
            back = draw(st.integers(loop, k))
            step["inspection"] = {
                "pass": 0.7,
                "rework": draw(st.sampled_from([0.3, 0.2])),
                "rework_to": f"S{back}",
            }
        elif draw(st.booleans()):
            step["inspection"] = {"pass": 0.8}
        route.append(step)
    product: dict[str, Any] = {"route": route}
    if loop == 0 or draw(st.booleans()):
        product["release"] = {"every": "exponential(90 s)"}
    return read({"stations": stations, "products": {"p": product}})


def slow_line(source: oracle.Source, line: Line) -> SlowLine:
    tables = source.lowered.tables
    server_modes = tables.server_modes

    def sampler(dist: int, stream: int) -> Callable[[int, int], int]:
        return lambda n, visit: source.time_us(dist, stream, n, visit)

    def of_server(k: int, which: str, stream: str) -> Callable[[int, int], int]:
        first = int(tables.stations["first_server"][k])

        def value(number: int, n: int) -> int:
            row = np.flatnonzero(server_modes["server"] == first + number)[0]
            dist = tables.modes[which][server_modes["mode"][row]]
            return source.time_us(dist, server_modes[stream][row], n)

        return value

    stations = []
    for k, station in enumerate(line.stations.values()):
        slots = station.buffer if isinstance(station.buffer, int) else None
        step = tables.steps[k]
        process = sampler(int(tables.work["dist"][k]), int(step["process_stream"]))
        slow = SlowStation(station.servers, slots, process, verdict_of(source, step))
        if station.failures:
            slow.failure_us = of_server(k, "every", "every_stream")
            slow.repair_us = of_server(k, "repair", "repair_stream")
            slow.fate = station.failures["f"].part
            slow.__post_init__()
        stations.append(slow)
    if line.products["p"].release.kind == "always":
        return SlowLine(stations, None)
    dist, stream = (
        int(tables.products[field][0]) for field in ("source_dist", "source_stream")
    )
    return SlowLine(stations, lambda n: sampler(dist, stream)(n, 0))


def verdict_of(source: oracle.Source, step: Any) -> Callable[[int, int], str | int]:
    stream, share = int(step["quality_stream"]), float(step["rework_share"])

    def verdict(serial: int, visit: int) -> str | int:
        if step["inspected"] == 0:
            return "pass"
        if source.uniform(stream, serial, visit) <= step["good"]:
            return "pass"
        again = source.uniform(stream, serial, visit, 3) <= share
        return int(step["rework_to"]) if share >= 1 or (share and again) else "scrap"

    return verdict


@given(wider_lines(), st.integers(0, 2**40))
@RELAXED
def test_a_slow_simulation_agrees_to_the_microsecond(line: Line, seed: int) -> None:
    end_us = 2 * HOUR_US
    lowered = lower(line, end_us)
    state, rows = run_with_trace(lowered, seed, end_us)
    slow = slow_line(oracle.Source(lowered, seed), line)
    slow.run(end_us)
    for kind, want in ((t.T_EXIT, slow.left_at), (t.T_SCRAP, slow.scrapped_at)):
        of = rows[rows[:, 1] == kind]
        assert dict(zip(of[:, 4].tolist(), of[:, 0].tolist(), strict=True)) == want
    modes = {IDLE: t.STARVED, WORK: t.PROCESSING, BLOCKED: t.BLOCKED, DOWN: t.FAILED}
    accounts = snapshot(state).accounts
    for k, station in enumerate(slow.stations):
        for name, mode in modes.items():
            spent = sum(server.spent[name] for server in station.servers)
            assert accounts[k, mode] == spent, f"{name} at station {k}"
