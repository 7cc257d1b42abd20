"""The worth of times against exact derivatives, and bottlenecks against known lines."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import spsolve

import linewright
from linewright.cli import main
from linewright.improve.bottleneck import METHODS, Bottleneck, bottleneck, observe
from linewright.improve.changes import another_place, another_server, scaled, shorter
from linewright.improve.trials import Span, throughputs
from linewright.improve.worth import confirmed, doubts, worth
from linewright.model.distribution import Distribution
from linewright.model.line import Line
from linewright.stats.intervals import mean_interval

MINUTE_US = 60_000_000
JOINT = 0.001  # all rows together hold with 99.9 %

# rates a minute of exponential stations, and places between them
LINES: list[tuple[tuple[float, ...], tuple[int, ...]]] = [
    ((1.0, 1.0), (0,)),
    ((1.0, 1.0), (4,)),
    ((1.0, 1.3), (2,)),
    ((2.0, 1.0), (1,)),
    ((1.0, 1.0, 1.0), (0, 0)),
    ((1.0, 1.0, 1.0), (3, 3)),
    ((6.0, 7.0, 7.0), (11, 7)),
    ((1.2, 1.0, 1.1), (2, 5)),
    ((1.0, 2.0, 1.0), (1, 1)),
]


def line_of(rates: tuple[float, ...], places: tuple[int, ...]) -> Line:
    stations: dict[str, Any] = {}
    for i, rate in enumerate(rates):
        stations[f"s{i}"] = {"process": f"exponential({60 / rate:.6f} s)"}
        if i:
            stations[f"s{i}"]["buffer"] = places[i - 1]
    model = {
        "schema_version": 1,
        "name": "line",
        "stations": stations,
        "products": {"part": {"route": list(stations)}},
    }
    return linewright.loads(json.dumps(model))


def exact(rates: NDArray[np.float64], places: tuple[int, ...]) -> float:
    """Return the throughput by the chain of what stands before each station.

    Of station i + 1, `n` counts the part on it and those in its buffer, and one more
    for a part that is finished on station i and finds no room.
    """
    tops = [b + 2 for b in places]
    states = [s for s in np.ndindex(*[top + 1 for top in tops]) if is_state(s, tops)]
    index = {s: k for k, s in enumerate(states)}
    rows, columns, values = [], [], []
    out = np.zeros(len(states))
    for s, k in index.items():
        for i, rate in enumerate(rates):
            then = finished(s, i, tops)
            if then is None:
                continue
            rows.append(k)
            columns.append(index[then])
            values.append(rate)
            if i == len(rates) - 1:
                out[k] = rate
    n = len(states)
    q = sp.coo_matrix((values, (rows, columns)), (n, n)).tocsc()
    q = (q - sp.diags(np.asarray(q.sum(axis=1)).ravel())).T.tolil()
    q[0, :] = 1
    one = np.zeros(n)
    one[0] = 1
    return float(spsolve(q.tocsc(), one) @ out)


def is_state(s: tuple[int, ...], tops: list[int]) -> bool:
    """Say whether whoever is blocked has a part to be blocked with."""
    return all(s[i] < tops[i] or s[i - 1] > 0 for i in range(1, len(s)))


def finished(s: tuple[int, ...], i: int, tops: list[int]) -> tuple[int, ...] | None:
    """Return the state after station i finishes; None if it does not work."""
    has_part = i == 0 or s[i - 1] > 0
    is_blocked = i < len(s) and s[i] == tops[i]
    if not has_part or is_blocked:
        return None
    then = list(s)
    if i < len(s):
        then[i] += 1
        if i and then[i] < tops[i]:
            then[i - 1] -= 1  # it has gone on; a blocked part stays with both
    else:
        then[i - 1] -= 1
    # room behind a station that lost a part: a blocked neighbour moves up
    for j in range(i - 1, 0, -1):
        lost = then[j] < s[j]
        if lost and s[j] == tops[j]:
            then[j - 1] -= 1
    if i == len(s) and s[i - 1] == tops[i - 1] and i > 1:
        then[i - 2] -= 1
        for j in range(i - 2, 0, -1):
            if then[j] < s[j] and s[j] == tops[j]:
                then[j - 1] -= 1
    return tuple(then)


def test_the_chain_is_right() -> None:
    assert exact(np.array([1.0, 1.0]), (0,)) == pytest.approx(2 / 3)
    assert exact(np.array([1.0, 1.0, 1.0]), (0, 0)) == pytest.approx(22 / 39)
    assert exact(np.array([6.0, 7.0, 7.0]), (11, 7)) == pytest.approx(5.77612175146)


@pytest.mark.parametrize("row", range(len(LINES)))
def test_shares_are_the_exact_derivatives(row: int) -> None:
    """All elasticities lie in their intervals, which are narrow."""
    rates, places = LINES[row]
    found = worth(
        line_of(rates, places),
        Span(500 * MINUTE_US, 30_000 * MINUTE_US),
        replications=12,
        seed=20 + row,
        confidence=1 - JOINT / sum(len(r) for r, _ in LINES),
    )
    assert found.doubts == ()
    share = {lever.place: lever.elasticity for lever in found.levers}
    base = np.array(rates)
    middle = exact(base, places)
    for i in range(len(rates)):
        step = np.where(np.arange(len(rates)) == i, 1e-4, 0)
        up, down = exact(base * (1 + step), places), exact(base * (1 - step), places)
        elasticity = (up - down) / 2e-4 / middle
        assert elasticity in share[f"s{i}"], (i, elasticity, share[f"s{i}"])
        assert share[f"s{i}"].half_width <= 0.02


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
    span = Span(1000 * MINUTE_US, 100_000 * MINUTE_US)
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
          b: {process: 1 min, buffer: 3, maintenance: {oil: {every: 1 d, duration: 1 h}}}
          c: {}
        products:
          x: {route: [a, {station: {b: 5 min, c: 6 min}, operation: last}]}
          y: {route: [a, {station: [b, c], operation: last, process: 8 min}]}
        """
    )
    half = shorter(line, "processing", "a", 0.5)
    assert half is not None
    assert half.changes == {
        "stations": {"a": {"process": {"x": "2 min", "y": "1 min"}}}
    }
    assert half.applied(line).stations["a"].process["x"].mean_us == 2 * MINUTE_US  # type: ignore[index]
    there = shorter(line, "processing", "b", 0.5)
    assert there is not None
    changed = there.applied(line)
    x, y = changed.products["x"].route[1], changed.products["y"].route[1]
    assert x.station["b"].mean_us == 2.5 * MINUTE_US  # type: ignore[index, call-overload]
    assert x.station["c"].mean_us == 6 * MINUTE_US  # type: ignore[index, call-overload]
    assert y.station["b"].mean_us == 4 * MINUTE_US  # type: ignore[index, call-overload]
    assert y.station["c"].mean_us == 8 * MINUTE_US  # type: ignore[index, call-overload]
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
    path.write_text(linewright.model.load.dumps(line_of((1.0, 0.5, 1.0), (2, 2))))
    arguments = ["bottleneck", str(path), "--horizon", "20 d", "--replications", "5"]
    assert main([*arguments, "--warmup", "1 d", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bottleneck"] == {"first": "s1", "tied": []}
    assert set(found["methods"]) == set(METHODS)
    assert sum(w["elasticity"]["mean"] for w in found["worth"]) == pytest.approx(1)
    promised = found["confirmed"][0]["promised"]
    gain = found["confirmed"][0]["gain"]
    assert found["confirmed"][0]["change"] == "s1: 10% less processing"
    assert gain["low"] - 0.01 < promised < gain["high"] + 0.02
    assert main([*arguments, "--warmup", "1 d", "--confirm", "1"]) == 0
    text = capsys.readouterr().out
    assert "What holds the line back: s1" in text
    assert "Confirmed by paired runs on another seed (2)" in text
