"""From a line and an experiment to a result: order, stopping, warm-up, size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from linewright import tables as t
from linewright.errors import DeadlockError, ModelError
from linewright.lower import lower, new_draws, new_state
from linewright.model.line import Line
from linewright.replicate import run_until
from linewright.results import Result
from linewright.simulate import Progress, simulate
from tests.random_lines import HOUR_US, random_line


def line_of(**model: Any) -> Line:
    return Line.model_validate({"schema_version": 1, "name": "small", **model})


def serial(n_stations: int, time: str = "exponential(1 min)", slots: int = 5) -> Line:
    """Return a saturated line of equal stations."""
    stations: dict[str, Any] = {
        f"S{k}": {"process": time, "buffer": slots} for k in range(n_stations)
    }
    del stations["S0"]["buffer"]
    return line_of(stations=stations, products={"part": {"route": list(stations)}})


def queue(rate: str = "9/h") -> Line:
    """Return one exponential station of ten an hour with Poisson arrivals."""
    return line_of(
        stations={"S": {"process": "exponential(6 min)"}},
        products={"part": {"route": ["S"], "release": {"rate": rate}}},
    )


def hold_same_tables(a: Result, b: Result) -> None:
    assert a.tables.keys() == b.tables.keys()
    for name, table in a.tables.items():
        assert table.schema.equals(b.tables[name].schema)
        for column in table.column_names:  # as text, so that "nan" equals "nan"
            one, two = (x.tables[name].column(column).to_pylist() for x in (a, b))
            assert list(map(repr, one)) == list(map(repr, two)), f"{name}.{column}"
    same = set(a.manifest) - {"created", "seconds", "wall_s", "workers"}
    assert {k: a.manifest[k] for k in same} == {k: b.manifest[k] for k in same}


# ------------------------------------------------------------------ replications


def test_one_worker_or_many_give_the_same_tables() -> None:
    one, three = (
        simulate(serial(4), horizon="2 d", replications=7, workers=n) for n in (1, 3)
    )
    hold_same_tables(one, three)


def result_or_deadlock(seed: int, workers: int) -> Result | str:
    options: dict[str, Any] = {"horizon": "20 h", "replications": 5, "warmup": 0}
    try:
        return simulate(random_line(seed), workers=workers, **options)
    except DeadlockError as error:
        return str(error)


def test_many_workers_give_the_same_result_on_random_lines() -> None:
    done = 0
    for seed in range(12):
        one, four = (result_or_deadlock(seed, n) for n in (1, 4))
        if isinstance(one, str) or isinstance(four, str):
            assert one == four
        else:
            assert one.failed_checks == []
            hold_same_tables(one, four)
            done += 1
    assert done >= 5


def test_replications_are_reported_in_their_order() -> None:
    seen: list[Progress] = []
    simulate(serial(2), horizon="1 d", replications=6, on_progress=seen.append)
    assert [p.done for p in seen] == [1, 2, 3, 4, 5, 6]
    assert {p.asked for p in seen} == {6}
    assert seen[0].throughput is None
    assert all(p.throughput is not None for p in seen[1:])


def test_more_replications_begin_with_the_same_ones() -> None:
    few, many = (
        simulate(queue(), horizon="2 d", replications=n, warmup=0) for n in (3, 6)
    )
    for name in ("finished", "flow_mean_s", "wip_mean"):
        first, all_of_them = (
            r.table("products").column(name).to_pylist() for r in (few, many)
        )
        assert first == all_of_them[:3]


@pytest.mark.parametrize("workers", [1, 4])
def test_precision_stops_at_the_first_replication_that_reaches_it(workers: int) -> None:
    seen: list[Progress] = []
    options: dict[str, Any] = {"horizon": "4 d", "warmup": "1 d", "seed": 3}
    result = simulate(
        queue(), precision=0.03, workers=workers, on_progress=seen.append, **options
    )
    n = result.manifest["replications"]
    assert n == len(seen)
    assert 2 < n < 1000
    half_widths = [
        p.throughput.half_width / p.throughput.mean for p in seen if p.throughput
    ]
    # a share of the estimate that makes it at most 3 % of the true mean
    target = 0.03 / 1.03
    assert half_widths[-1] <= target < min(half_widths[1:-1])
    hold = simulate(queue(), replications=n, **options)
    assert result.throughput == hold.throughput


def test_precision_that_is_never_reached_ends_with_the_replications_asked() -> None:
    result = simulate(queue(), horizon="5 h", precision=0.0001, replications=5)
    assert result.manifest["replications"] == 5


def test_the_seed_decides_and_is_kept() -> None:
    a, b = (simulate(queue(), horizon="2 d", replications=2, seed=s) for s in (1, 2))
    assert (a.manifest["seed"], b.manifest["seed"]) == (1, 2)
    assert a.throughput != b.throughput


# ------------------------------------------------------------------ warm-up


def made_per_hour(result: Result) -> float:
    return result.throughput["part"].mean


def test_a_terminating_study_counts_from_the_start() -> None:
    line = line_of(
        stations={"S": {"process": "1 h"}}, products={"part": {"route": ["S"]}}
    )
    whole = simulate(line, horizon="10 h", study="terminating", replications=2)
    assert made_per_hour(whole) == 1.0
    assert whole.manifest["warmup_us"] == 0


def test_a_terminating_study_with_a_warmup_is_refused() -> None:
    with pytest.raises(ValueError, match="terminating"):
        simulate(serial(1), study="terminating", warmup="1 h")


def test_the_warmup_that_is_asked_for_is_cut() -> None:
    line = line_of(
        stations={
            "A": {"process": "1 min"},
            "oven": {"process": "5 h", "servers": 1000},
        },
        products={"part": {"route": ["A", "oven"]}},
    )
    options: dict[str, Any] = {"horizon": "25 h", "replications": 2}
    cold = simulate(line, warmup=0, **options)
    warm = simulate(line, warmup="10 h", **options)
    assert made_per_hour(cold) == pytest.approx(60 * 20 / 25, rel=0.01)
    assert made_per_hour(warm) == pytest.approx(60.0)
    assert warm.manifest["warmup_us"] == 10 * HOUR_US


def test_the_automatic_warmup_finds_the_empty_start() -> None:
    line = line_of(
        stations={
            "A": {"process": "exponential(1 min)"},
            "oven": {"process": "6 h", "servers": 1000},
        },
        products={"part": {"route": ["A", "oven"]}},
    )
    result = simulate(line, horizon="60 h", replications=10, warmup="auto")
    assert 5 * HOUR_US <= result.manifest["warmup_us"] <= 30 * HOUR_US
    assert made_per_hour(result) == pytest.approx(60, rel=0.02)


@pytest.mark.parametrize("warmup", ["4 weeks", 10**18])
def test_a_warmup_as_long_as_the_run_is_refused(warmup: str | int) -> None:
    with pytest.raises(ValueError, match="warm-up"):
        simulate(serial(1), horizon="1 week", warmup=warmup)


def test_a_run_ends_with_the_units_asked_for() -> None:
    result = simulate(
        serial(3), horizon="52 weeks", units=200, replications=4, warmup=0
    )
    finished = result.table("products").column("finished").to_numpy()
    np.testing.assert_array_equal(finished, 200)


def test_the_known_throughput_of_two_exponential_stations() -> None:
    """Hunt (1956), Operations Research 4(6), 674-683: no buffer, rates equal."""
    result = simulate(serial(2, slots=0), horizon="30 d", warmup="1 d", replications=16)
    interval = result.throughput["part"]
    assert interval.low <= 60 * 2 / 3 <= interval.high
    assert interval.half_width < 0.01 * interval.mean


# ------------------------------------------------------------------ one long run

RUN: dict[str, Any] = {"replications": 1, "warmup": "5 d"}


def busy_queue() -> Line:
    """Return an M/M/1 queue used at 80 %, 60 an hour."""
    return line_of(
        stations={"S": {"process": "exponential(1 min)"}},
        products={"part": {"route": ["S"], "release": {"rate": "48/h"}}},
    )


def summary_of(result: Result) -> dict[tuple[str, str], dict[str, Any]]:
    rows = result.table("summary").to_pylist()
    return {(row["measure"], row["entity"]): row for row in rows}


def test_batch_means_hold_the_truth_as_often_as_they_say() -> None:
    """M/M/1: 48 an hour leave, 4 parts in the system, 3.2 of them in the queue.

    The width for the number in the system follows from its asymptotic variance,
    2 rho (1 + rho) / (1 - rho)^4 service times: Whitt (1989), Management Science
    35(11), 1341-1366. The departures are a Poisson stream: Burke (1956).
    """
    truths = {
        ("throughput_per_h", "part"): 48,
        ("wip_mean", ""): 4,
        ("level_mean", "S"): 3.2,
    }
    n_runs, minutes = 200, 195 * 24 * 60
    hits: dict[tuple[str, str], list[bool]] = {key: [] for key in truths}
    widths: dict[tuple[str, str], list[float]] = {key: [] for key in truths}
    for seed in range(n_runs):
        found = summary_of(simulate(busy_queue(), horizon="200 d", seed=seed, **RUN))
        for key, truth in truths.items():
            if found[key]["batches"]:
                hits[key].append(found[key]["low"] <= truth <= found[key]["high"])
                widths[key].append(found[key]["half_width"] / truth)
    for key, held in hits.items():
        assert len(held) >= 0.95 * n_runs, key  # 1 % refused by chance
        fewest, most = binom.interval(0.999, len(held), 0.95)
        assert fewest <= sum(held) <= most, key
    wip = 2.024 * np.sqrt(2 * 0.8 * 1.8 / 0.2**4 / minutes) / 4
    rate = 2.024 / np.sqrt(0.8 * minutes)
    assert np.mean(widths["wip_mean", ""]) == pytest.approx(wip, rel=0.1)
    assert np.mean(widths["throughput_per_h", "part"]) == pytest.approx(rate, rel=0.05)
    assert rate < 0.005
    assert wip < 0.05


def test_an_interval_by_batch_means_says_so() -> None:
    result = simulate(busy_queue(), horizon="200 d", **RUN)
    assert result.manifest["interval_method"] == "batch_means"
    assert result.manifest["batch_us"] * 39 == 195 * 24 * HOUR_US
    found = summary_of(result)
    for key in (("throughput_total_per_h", ""), ("wip_mean", "part")):
        row = found[key]
        assert (row["n"], row["batches"], row["no_interval"]) == (1, 39, "")
        assert row["high"] - row["mean"] == pytest.approx(row["half_width"])
    assert result.throughput["part"].n == 39
    flow = found["flow_mean_s", "part"]
    assert np.isnan(flow["half_width"])
    assert (flow["batches"], "batch means" in flow["no_interval"]) == (0, True)


def test_a_run_too_short_for_batch_means_says_why() -> None:
    result = simulate(busy_queue(), horizon="10 d", replications=1, warmup="1 d")
    row = summary_of(result)["wip_mean", ""]
    assert np.isnan(row["half_width"])
    assert row["batches"] == 0
    assert row["no_interval"].startswith("the run is too short: its 300 small batches")


@pytest.mark.parametrize(
    ("horizon", "warmup", "reason"),
    [
        ("30 min", 0, "units after the warm-up, 40 the least"),
        ("200 d", "190 d", "50 periods after the warm-up, 100 the least"),
        ("200 d", "199.9 d", "0 periods after the warm-up, 100 the least"),
    ],
)
def test_next_to_nothing_gives_no_interval(
    horizon: str, warmup: str | int, reason: str
) -> None:
    result = simulate(busy_queue(), horizon=horizon, replications=1, warmup=warmup)
    assert result.manifest["interval_method"] == "none"
    assert result.manifest["batch_us"] is None
    assert reason in summary_of(result)["throughput_per_h", "part"]["no_interval"]


def test_only_whole_periods_after_the_warmup_are_in_batches() -> None:
    """Nothing comes out in the first 5 h: a period of these would widen it."""
    line = line_of(
        stations={
            "A": {"process": "1 min"},
            "oven": {"process": "5 h", "servers": 1000},
        },
        products={"part": {"route": ["A", "oven"]}},
    )
    result = simulate(line, horizon="100 h", replications=1, warmup="5 h 3 min")
    found = result.throughput["part"]
    assert found.mean == pytest.approx(60, abs=0.02)
    assert found.half_width < 0.2


def test_a_terminating_study_of_one_replication_has_no_interval() -> None:
    result = simulate(
        busy_queue(), horizon="200 d", study="terminating", replications=1
    )
    assert result.manifest["interval_method"] == "none"
    for row in summary_of(result).values():
        assert np.isnan(row["half_width"])
        assert row["no_interval"] == "one replication of a terminating study"


def test_replications_have_their_own_intervals() -> None:
    result = simulate(busy_queue(), horizon="50 d", replications=2, warmup="5 d")
    assert result.manifest["interval_method"] == "replications"
    rows = summary_of(result).values()
    assert all(r["batches"] == 0 and r["no_interval"] == "" for r in rows)
    assert all(r["half_width"] >= 0 for r in rows)


def test_batch_means_are_the_same_on_two_workers_and_with_a_precision() -> None:
    options: dict[str, Any] = {"horizon": "100 d", **RUN}
    one, two = (simulate(busy_queue(), workers=n, **options) for n in (1, 2))
    hold_same_tables(one, two)
    precise = simulate(busy_queue(), precision=0.0001, **options)
    assert precise.manifest["replications"] == 1
    assert precise.throughput == one.throughput


# ------------------------------------------------------------------ what may go wrong


def circle() -> Line:
    """Return two stations without buffers whose parts want to change places."""
    return line_of(
        stations={
            name: {"process": "exponential(1 min)", "buffer": 0} for name in ("A", "B")
        },
        products={"there": {"route": ["A", "B"]}, "back": {"route": ["B", "A"]}},
    )


def test_a_deadlock_names_who_waits_for_whom() -> None:
    with pytest.raises(DeadlockError) as caught:
        simulate(circle(), horizon="4 weeks", replications=3)
    for words in ("waits for room at A", "waits for room at B"):
        assert words in str(caught.value)


def test_a_deadlock_that_closes_while_a_server_is_down_is_found() -> None:
    line = line_of(
        stations={
            "A": {
                "process": "1 min",
                "buffer": 0,
                "maintenance": {"m": {"every": "1 cycles", "duration": "2 h"}},
            },
            "B": {"process": "10 min", "buffer": 0},
        },
        products={"there": {"route": ["A", "B"]}, "back": {"route": ["B", "A"]}},
    )
    with pytest.raises(DeadlockError):
        simulate(line, horizon="1 d", replications=1)


def test_a_line_with_errors_is_not_simulated() -> None:
    line = line_of(stations={"A": {}}, products={"part": {"route": ["A"]}})
    with pytest.raises(ModelError):
        simulate(line)


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizon": 0},
        {"replications": 0},
        {"precision": 1.5},
        {"confidence": 1.0},
        {"study": "endless"},
        {"units": 0},
        {"seed": -1},
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        simulate(serial(1), **wrong)


# ------------------------------------------------------------------ results and size


def test_a_lot_takes_what_is_bought_for_all_its_units() -> None:
    line = serial(1).model_dump(mode="json", by_alias=True)
    bom = {"bolt": {"quantity": 2, "bought": True}}
    (product,) = line["products"].values()
    product |= {"lot_size": 3, "bom": bom}
    result = simulate(Line.model_validate(line), horizon="1 d", replications=1)
    (row,) = result.table("products").to_pylist()
    assert row["bought"] == 2 * row["released"] > 0


def test_a_saved_result_is_read_as_it_was(tmp_path: Path) -> None:
    result = simulate(serial(3), horizon="2 d", replications=4)
    loaded = Result.load(result.save(tmp_path / "result"))
    assert loaded.manifest == result.manifest
    assert loaded.line == result.line
    hold_same_tables(loaded, result)
    assert loaded.throughput == result.throughput


def test_a_thousand_stations_work() -> None:
    random = serial(1000, "exponential(1 min)", 3)
    assert simulate(random, horizon="1 d", replications=1).failed_checks == []
    steady = serial(1000, "1 min", 0)
    result = simulate(steady, horizon="2 d", warmup="1 d", replications=1)
    assert result.failed_checks == []
    assert made_per_hour(result) == 60.0


def test_memory_does_not_grow_with_the_length_of_the_run() -> None:
    """Line M1: ten exponential stations, buffers of five, never short of parts."""
    lowered = lower(serial(10), 1000 * HOUR_US)
    draws = new_draws(lowered, 1, 0)
    code, state = run_until(lowered, new_state(lowered), draws, 100 * HOUR_US)
    before = {name: array.nbytes for name, array in state._asdict().items()}
    code, state = run_until(lowered, state, draws, 1000 * HOUR_US)
    assert code == t.REACHED
    assert {name: array.nbytes for name, array in state._asdict().items()} == before
    assert state.products["finished"][0] > 30_000
