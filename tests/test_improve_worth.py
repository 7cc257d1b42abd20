"""The worth of times against exact derivatives, and bottlenecks against known lines."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

import linewright
from linewright.cli import main
from linewright.improve.bottleneck import METHODS, Bottleneck, bottleneck, observe
from linewright.improve.changes import another_place, another_server, scaled, shorter
from linewright.improve.trials import Span, throughputs
from linewright.improve.worth import confirmed, doubts, worth
from linewright.model.distribution import Distribution
from linewright.model.line import Line
from linewright.model.load import dumps, plain
from linewright.stats.intervals import mean_interval
from linewright.theory.chains import exact
from linewright.theory.flow_line import FlowLine

MINUTE_US = 60_000_000
JOINT = 0.001  # all rows together hold with 99.9 %

EXACT = Path(__file__).parent / "exact"


def table(name: str) -> list[dict[str, str]]:
    with (EXACT / name).open() as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> tuple[float, ...]:
    return tuple(float(x) for x in text.split(";")) if text else ()


ROWS = [
    row
    for row in table("serial_exponential.csv")
    + [r for r in table("serial_unreliable_exponential.csv") if r["failure"] == "ODF"]
    if len(numbers(row["mu"])) <= 5
]
QUICK = ROWS[::4]


def line_of(row: dict[str, str]) -> tuple[Line, FlowLine]:
    """Return a row as a model and as a line of the theory; its time unit is 1 min."""
    rates = numbers(row["mu"])
    places = tuple(int(b) for b in numbers(row["B"]))
    fails, repairs = (
        numbers(row.get("fail_rate", "")),
        numbers(row.get("repair_rate", "")),
    )
    stations: dict[str, Any] = {}
    for i, rate in enumerate(rates):
        stations[f"s{i}"] = {"process": f"exponential({60 / rate:.6f} s)"}
        if i:
            stations[f"s{i}"]["buffer"] = places[i - 1]
        if fails and fails[i] > 0:
            every, repair = 60 / fails[i], 60 / repairs[i]
            stations[f"s{i}"]["failures"] = {
                "f": {
                    "every": f"exponential({every:.6f} s)",
                    "repair": f"exponential({repair:.6f} s)",
                }
            }
    model = {
        "schema_version": 1,
        "name": "line",
        "stations": stations,
        "products": {"part": {"route": list(stations)}},
    }
    known = FlowLine(
        process_s=tuple(60 / rate for rate in rates),
        slots=places,
        mttf_s=tuple(60 / f if f else math.inf for f in fails),
        mttr_s=tuple(60 / r if f else 0.0 for f, r in zip(fails, repairs, strict=True)),
    )
    return linewright.loads(json.dumps(model)), known


def hold_elasticities(row: dict[str, str], seed: int, n_intervals: int) -> None:
    """Hold all shares of a row against the exact derivatives.

    The share of processing is the derivative at so many failures a part: times between
    failures, which count processing, grow and shrink with it.
    """
    line, known = line_of(row)
    ideal = exact(known)
    assert ideal.throughput_per_s * 60 == pytest.approx(float(row["throughput"]))
    # large buffers forget slowly
    length = 150_000 if "fail_rate" in row else 60_000
    length = round(length * (1 + max(known.slots) / 6) ** 2)
    found = worth(
        line,
        Span(1000 * MINUTE_US, length * MINUTE_US),
        replications=20,
        seed=seed,
        confidence=1 - JOINT / n_intervals,
    )
    assert found.doubts == ()
    share = {(lever.kind, lever.place): lever.elasticity for lever in found.levers}
    for i, process in enumerate(known.process_s):
        by = ideal.by_process[i] * process
        if math.isfinite(known.mttf_s[i]):
            by += ideal.by_mttf[i] * known.mttf_s[i]
        expected = {"processing": -by / ideal.throughput_per_s}
        if known.mttr_s[i]:
            by = ideal.by_mttr[i] * known.mttr_s[i]
            expected["repair"] = -by / ideal.throughput_per_s
        for kind, value in expected.items():
            found_here = share[kind, f"s{i}"]
            assert value in found_here, (row["case_id"], kind, i, value, found_here)
            assert found_here.half_width <= 0.02, (row["case_id"], kind, i)


def n_intervals(rows: list[dict[str, str]]) -> int:
    return sum(
        len(numbers(row["mu"])) * (2 if "fail_rate" in row else 1) for row in rows
    )


@pytest.mark.parametrize("row", QUICK, ids=lambda row: row["case_id"])
def test_shares_are_the_exact_derivatives(row: dict[str, str]) -> None:
    hold_elasticities(row, crc32(row["case_id"].encode()), n_intervals(QUICK))


@pytest.mark.soak
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case_id"])
def test_shares_are_the_exact_derivatives_in_every_row(row: dict[str, str]) -> None:
    seed = crc32(f"every {row['case_id']}".encode())
    hold_elasticities(row, seed, n_intervals(ROWS))


def test_the_worth_of_a_repair_is_that_of_paired_runs() -> None:
    line = linewright.loads(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: 1 min}
          b:
            process: 1 min
            buffer: 3
            failures: {jam: {every: exponential(50 min), repair: exponential(20 min)}}
          c: {process: 1 min, buffer: 3}
        products: {part: {route: [a, b, c]}}
        """
    )
    span = Span(1000 * MINUTE_US, 400_000 * MINUTE_US)
    found = worth(line, span, replications=10, seed=1)
    share = next(lever for lever in found.levers if lever.kind == "repair")
    changes = [shorter(line, "repair", "b", less, "jam") for less in (0.05, -0.05)]
    assert changes[0] is not None
    assert changes[0].name == "b: 5% less repair (jam)"
    gain = [throughputs(c.applied(line), span, 9, range(10)) for c in changes if c]
    base = throughputs(line, span, 9, range(10))
    slope = mean_interval((gain[0] - gain[1]) / base / 0.1, 0.9999)
    both = share.elasticity
    assert slope.half_width < 0.03
    assert abs(slope.mean - both.mean) < slope.half_width + 2 * both.half_width
    first = confirmed(line, [changes[0]], span, replications=10, seed=9)[0]
    assert first.mean == pytest.approx((gain[0] / base).mean() - 1, rel=0.02)


def judged(text: str, units: int, seed: int = 1) -> Bottleneck:
    line = linewright.loads(text)
    span = Span(0, 10**15)
    seen = observe(line, span, seed=seed, numbers=range(8), units=units)
    return bottleneck(seen, seed=seed)


def test_two_equal_stations_are_a_tie() -> None:
    found = judged(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: exponential(1 min)}
          b: {process: exponential(2 min), buffer: 4}
          c: {process: exponential(1 min), buffer: 4}
          d: {process: exponential(2 min), buffer: 4}
          e: {process: exponential(1 min), buffer: 4}
        products: {part: {route: [a, b, c, d, e]}}
        """,
        20_000,
    )
    assert {found.first, *found.tied} == {"b", "d"}
    assert "cannot be told apart" in found.remarks[0]


def test_one_slow_station_is_named_by_all() -> None:
    found = judged(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: exponential(1 min)}
          b: {process: exponential(1 min), buffer: 4}
          slow: {process: exponential(2 min), buffer: 4}
          d: {process: exponential(1 min), buffer: 4}
        products: {part: {route: [a, b, slow, d]}}
        """,
        5_000,
    )
    for method in METHODS:
        finding = found.findings[method]
        assert finding.first == "slow", method
        assert finding.tied == ()
        assert finding.probability["slow"] == 1
    assert found.remarks == ()
    # every moment has one bottleneck, but for those at which nobody works
    assert found.observed.strip.sum(axis=1).max() <= 1 + 1e-9
    assert found.observed.strip.sum(axis=1).min() > 0.95


def test_a_busy_station_behind_large_buffers_is_not_what_holds_the_line_back() -> None:
    """The share of the path is small where buffers cover for a station."""
    found = judged(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: 60 s}
          b: {process: exponential(58 s), buffer: 500}
          c: {process: 60 s, buffer: 500}
        products: {part: {route: [a, b, c]}}
        """,
        20_000,
    )
    assert found.findings["critical_path"].scores["b"].mean < 0.1
    assert found.findings["utilisation"].scores["b"].mean > 0.9


def test_what_makes_shares_estimates_is_told() -> None:
    line = linewright.load("examples/light-aircraft/plant.yaml")
    told = " ".join(doubts(line))
    for reason in ("several products", "batches", "people", "dated", "rework"):
        assert reason in told
    assert doubts(linewright.load("examples/transfer-line/line.yaml")) == ()


# ------------------------------------------------------------------ changes


@pytest.mark.parametrize(
    "text",
    [
        "12 min",
        "uniform(1 min, 3 min)",
        "triangular(1 min, 2 min, 6 min)",
        "exponential(5 min)",
        "erlang(mean=4 min, stages=3)",
        "gamma(mean=4 min, cv=0.5)",
        "lognormal(mean=4 min, cv=0.5)",
        "normal(mean=4 min, sd=1 min)",
        "weibull(scale=4 min, shape=1.5)",
        "beta(low=1 min, high=5 min, a=2, b=3)",
        "pert(1 min, 2 min, 6 min)",
        "hyperexponential(mean=4 min, cv=2)",
        {"discrete": {"values": ["1 min", "3 min"], "weights": [0.5, 0.5]}},
        {"empirical": {"values": ["1 min", "3 min", "5 min"]}},
    ],
)
def test_every_distribution_can_be_made_shorter(text: Any) -> None:
    time = Distribution.model_validate(text)
    less = scaled(time, 0.5)
    assert less.mean_us == pytest.approx(time.mean_us / 2, rel=1e-6)
    assert less.cv == pytest.approx(time.cv, rel=1e-6)
    again = Distribution.model_validate(less.model_dump(mode="json"))
    assert again.mean_us == pytest.approx(less.mean_us, rel=1e-6)


def test_changes_say_what_an_overlay_would() -> None:
    line = linewright.loads(
        """
        schema_version: 1
        name: line
        stations:
          a: {process: {x: 4 min, y: 2 min}, load: 30 s, setup: {time: 10 min}}
          b:
            process: 1 min
            buffer: 3
            maintenance: {oil: {every: 1 d, duration: 1 h}}
          c: {}
        products:
          x: {route: [a, {station: {b: 5 min, c: 6 min}, operation: last}]}
          y: {route: [a, {station: [b, c], operation: last, process: 8 min}]}
        """
    )
    half = shorter(line, "processing", "a", 0.5)
    assert half is not None
    said = {"stations": {"a": {"process": {"x": "2 min", "y": "1 min"}}}}
    assert half.changes == said
    there = shorter(line, "processing", "b", 0.5)
    assert there is not None
    changed = plain(there.applied(line))["products"]
    assert changed["x"]["route"][1]["station"] == {"b": "2.5 min", "c": "6 min"}
    assert changed["y"]["route"][1]["station"] == {"b": "4 min", "c": "8 min"}
    for kind, station, name in (
        ("setup", "a", ""),
        ("loading", "a", ""),
        ("maintenance", "b", "oil"),
    ):
        change = shorter(line, kind, station, 0.5, name)
        assert change is not None
        assert change.applied(line) != line
    assert shorter(line, "setup", "b", 0.5) is None
    assert shorter(line, "repair", "a", 0.5, "no") is None
    place, server = another_place(line, "b"), another_server(line, "a")
    assert place is not None
    assert server is not None
    assert place.applied(line).stations["b"].buffer == 4
    assert server.applied(line).stations["a"].servers == 2
    assert another_place(line, "a") is None


# ------------------------------------------------------------------ the verb


def test_the_verb_says_what_holds_the_line_back(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "line.yaml"
    line, _ = line_of({"mu": "1;0.5;1", "B": "2;2"})
    path.write_text(dumps(line))
    arguments = ["bottleneck", str(path), "--horizon", "20 d", "--replications", "5"]
    assert main([*arguments, "--warmup", "1 d", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bottleneck"] == {"first": "s1", "tied": []}
    assert set(found["methods"]) == set(METHODS)
    assert sum(w["elasticity"]["mean"] for w in found["worth"]) == pytest.approx(1)
    promised = found["confirmed"][0]["promised"]["mean"]
    gain = found["confirmed"][0]["gain"]
    assert found["confirmed"][0]["change"] == "s1: 10% less processing"
    assert gain["low"] - 0.01 < promised < gain["high"] + 0.02
    assert main([*arguments, "--warmup", "1 d", "--confirm", "1"]) == 0
    text = capsys.readouterr().out
    assert "What holds the line back: s1" in text
    assert "Confirmed by paired runs on another seed (2)" in text
