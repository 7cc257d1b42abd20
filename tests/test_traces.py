from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from linewright import tables as t
from linewright import traces
from linewright.errors import ResultError
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.load import loads
from linewright.replicate import run_until, snapshot
from linewright.results import COLUMNS
from linewright.traces import (
    LOG_COLUMNS,
    LOG_KINDS,
    event_log,
    gantt,
    trace_rows,
    unit_life,
    write_trace,
)

HOUR = 3_600_000_000

MODEL = """\
schema_version: 1
name: Desks
calendar: day
calendars:
  day: {shifts: [{days: mon-sun, from: 02:00, to: 14:00,
                  breaks: [{from: 06:00, to: 06:30}]}]}
stations:
  turn: {process: exponential(3 min), servers: 2, output_buffer: 3}
  saw:
    process: lognormal(9 min, cv=0.4)
    buffer: 4
    failures:
      blade: {every: exponential(1 h), repair: 20 min}
      jam: {every: 9 cycles, repair: 3 min}
  test: {process: 6 min, buffer: 2}
products:
  leg:
    release: {kind: always, conwip: 30}
    route: [turn]
    store: 12
  desk:
    bom: {leg: 4}
    route:
      - saw
      - station: test
        transport: 2 min
        inspection: {pass: 0.8, rework: 0.15, scrap: 0.05, rework_to: saw}
    release: {every: exponential(14 min), conwip: 7}
"""


def desks(hours: int = 24) -> Lowered:
    return lower(loads(MODEL), hours * HOUR)


def end_of(lowered: Lowered, hours: int, n_trace: int = 0) -> t.State:
    state = new_state(lowered, n_trace=n_trace)
    draws = new_draws(lowered, 3, 0)
    until_us = hours * HOUR
    _, state = run_until(lowered, state, draws, until_us, on_trace=lambda _: None)
    return state


def test_a_traced_run_has_the_numbers_of_one_that_is_not() -> None:
    lowered = desks()
    plain, traced = end_of(lowered, 24), end_of(lowered, 24, n_trace=1 << 12)
    traced.clock["tracing"] = 0
    for name in t.State._fields:
        if name != "trace":
            np.testing.assert_array_equal(
                getattr(plain, name), getattr(traced, name), name
            )


def test_batches_join_to_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered = desks()
    whole = np.concatenate(list(trace_rows(lowered, 3, 0, 24 * HOUR)))
    monkeypatch.setattr(traces, "_N_ROWS", 64)
    pieces = list(trace_rows(lowered, 3, 0, 24 * HOUR))
    assert len(pieces) > 3
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_columns_and_kinds_of_the_log_are_documented() -> None:
    lowered = desks()
    log = event_log(lowered, np.concatenate(list(trace_rows(lowered, 3, 0, HOUR))))
    assert log.column_names == list(LOG_COLUMNS)
    assert tuple(LOG_KINDS) == t.TRACE_NAMES
    assert len(traces.EVENT_NAMES) == t.N_EVENTS


def test_the_log_speaks_in_names() -> None:
    lowered = desks()
    rows = np.concatenate(list(trace_rows(lowered, 3, 0, 24 * HOUR)))
    log = event_log(lowered, rows).to_pylist()
    failures = [r for r in log if r["kind"] == "event" and r["detail"] == "failure"]
    assert {(r["station"], r["name"]) for r in failures} >= {("saw", "blade")}
    start = next(r for r in log if r["kind"] == "start" and r["product"] == "desk")
    assert (start["station"], start["operation"], start["part"]) == ("saw", "saw", 0)
    used = [r for r in log if r["kind"] == "use" and r["into_part"] == 0]
    assert [(r["product"], r["into_product"]) for r in used] == [("leg", "desk")] * 4
    verdicts = {r["detail"] for r in log if r["kind"] == "verdict"}
    assert verdicts >= {"pass", "rework"}
    moves = [r for r in log if r["kind"] == "move"]
    assert {(r["station"], r["buffer"]) for r in moves} == {("test", "test")}
    assert {r["buffer"] for r in log if r["kind"] == "output"} == {"turn output"}
    assert {r["name"] for r in log if r["detail"] == "arrival"} == {"desk"}
    shifts = {r["detail"] for r in log if r["kind"] == "mode"}
    assert shifts >= {"processing", "off_shift", "break", "failed", "starved"}


def test_the_chart_accounts_for_all_server_time() -> None:
    lowered = desks()
    sums = snapshot(end_of(lowered, 24)).accounts
    found = np.zeros_like(sums)
    for row in gantt(lowered, 3, 24 * HOUR, 1 << 20).to_pylist():
        k = lowered.names.stations.index(row["station"])
        span = row["end_us"] - row["start_us"]
        assert span > 0
        found[k, t.MODE_NAMES.index(row["state"])] += span
    np.testing.assert_array_equal(found, sums)


def test_the_chart_has_the_columns_of_a_result_and_one_part_on_a_server() -> None:
    lowered = desks()
    chart = gantt(lowered, 3, 24 * HOUR, 1 << 20)
    assert chart.column_names == list(COLUMNS["gantt"])
    for row in chart.to_pylist():
        if row["state"] in ("processing", "blocked"):
            assert row["part"] >= 0
            assert row["product"] == ("leg" if row["station"] == "turn" else "desk")
        if row["state"] == "starved":
            assert (row["product"], row["part"]) == ("", -1)


@pytest.mark.parametrize("most", [10, 50, 200])
def test_a_full_chart_ends_for_all_servers_at_one_time(most: int) -> None:
    lowered = desks()
    rows = gantt(lowered, 3, 24 * HOUR, most).to_pylist()
    assert len(rows) <= most
    ends: dict[tuple[str, int], int] = {}
    for row in rows:
        server = (row["station"], row["server"])
        assert ends.get(server, 0) == row["start_us"]  # no gap, no overlap
        ends[server] = row["end_us"]
    assert len(ends) == 4
    assert len(set(ends.values())) == 1


def test_a_chart_of_one_station() -> None:
    lowered = desks()
    whole = gantt(lowered, 3, 24 * HOUR, 1 << 20).to_pylist()
    saw = gantt(lowered, 3, 24 * HOUR, 1 << 20, station="saw").to_pylist()
    assert saw == [row for row in whole if row["station"] == "saw"]
    with pytest.raises(ValueError, match="no station"):
        gantt(lowered, 3, HOUR, 100, station="sow")


def test_a_unit_s_life_names_what_was_built_in() -> None:
    lowered = desks()
    life = unit_life(lowered, 3, 0, 24 * HOUR, "desk", 2).to_pylist()
    kinds = [row["kind"] for row in life]
    assert kinds[:2] == ["outside", "release"]
    assert kinds[-1] in ("exit", "scrap")
    parts = {row["part"] for row in life if row["kind"] == "use"}
    assert len(parts) == 4
    times = [row["time_us"] for row in life]
    assert times == sorted(times)
    with pytest.raises(ValueError, match="no product"):
        unit_life(lowered, 3, 0, HOUR, "chair", 0)


def test_the_written_log_is_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowered = desks()
    rows = np.concatenate(list(trace_rows(lowered, 3, 0, 24 * HOUR)))
    monkeypatch.setattr(traces, "_N_ROWS", 64)
    file = tmp_path / "log.parquet"
    n_rows = write_trace(file, lowered, 3, 0, 24 * HOUR, "abc")
    read = pq.read_table(file)
    assert n_rows == read.num_rows == len(rows)
    assert read.to_pylist() == event_log(lowered, rows).to_pylist()
    assert read.schema.metadata[b"model_hash"] == b"abc"
    assert [p.name for p in tmp_path.iterdir()] == ["log.parquet"]


def test_nothing_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(traces, "_stream", stop)
    with pytest.raises(KeyboardInterrupt):
        write_trace(tmp_path / "log.parquet", desks(), 3, 0, HOUR)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    with pytest.raises(ResultError, match="cannot be written"):
        write_trace(tmp_path / "no" / "log.parquet", desks(), 3, 0, HOUR)
