"""The estimate before the simulation, against exact values and simulations."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import linewright
from linewright.cli._main import main
from linewright.improve.estimating import estimate_line
from tests.parts import PROJECT
from tests.random_lines import random_line

EXAMPLES = PROJECT / "examples"


def loads(text: str) -> linewright.Line:
    return linewright.loads("schema_version: 1\nname: x\n" + text)


def test_a_line_of_two_has_the_closed_form() -> None:
    text = (
        "stations: {a: {process: exponential(1 h)}, b: {process: exponential(1 h)%s}}\n"
    )
    route = "products: {p: {route: [a, b]}}"
    for places in (0, 1, 5):
        found = estimate_line(loads(text % f", buffer: {places}" + route))
        wanted = (places + 2) / (places + 3)  # Hunt (1956), equal rates
        assert found.exact_per_h == pytest.approx(wanted, rel=1e-9)
        assert found.formula is not None
        assert found.formula.throughput_per_s * 3600 == pytest.approx(wanted, rel=0.01)
        assert found.bound_per_h == pytest.approx(1)


def test_stops_scrap_and_servers_are_in_the_bound() -> None:
    found = estimate_line(
        loads(
            "stations:\n"
            "  saw: {servers: 2, process: 10 min}\n"
            "  test: {process: 6 min, failures: {f: {every: 9 h, repair: 1 h, "
            "clock: operating}}}\n"
            "products: {p: {route: [saw, {station: test, inspection: {pass: 0.8}}]}}"
        )
    )
    by_name = {load.stations[0]: load for load in found.loads}
    assert by_name["saw"].most_per_h == pytest.approx(12 * 0.8)
    assert by_name["test"].most_per_h == pytest.approx(10 * 0.9 * 0.8)
    assert found.bound_per_h == pytest.approx(7.2)
    assert found.formula is None
    assert found.unknown


def test_every_random_line_has_a_bound() -> None:
    n = 0
    for seed in range(40):
        line = random_line(seed)
        try:
            found = estimate_line(line)
        except ValueError:
            continue
        assert found.bound_per_h > 0
        assert math.isclose(sum(found.mix.values()), 1)
        assert found.loads[0].load == pytest.approx(1)
        assert all(
            a.load >= b.load for a, b in zip(found.loads, found.loads[1:], strict=False)
        )
        n += 1
    assert n > 20


def test_the_simulation_lies_about_the_exact_value_and_below_the_bound() -> None:
    for name, product in (("first-line", "bracket"), ("transfer-line", "housing")):
        line = linewright.load(EXAMPLES / name / "line.yaml")
        found = estimate_line(line)
        result = linewright.simulate(
            line, horizon="3000 h", warmup="100 h", replications=10, confidence=0.999
        )
        made = result.throughput[product]
        assert found.exact_per_h is not None
        assert made.low <= found.exact_per_h <= made.high
        assert made.half_width < 0.02 * made.mean
        assert made.high < found.bound_per_h


def test_the_verb_says_bound_exact_value_and_why_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = str(EXAMPLES / "first-line" / "line.yaml")
    assert main(["estimate", line]) == 0
    said = capsys.readouterr().out
    assert "No more than 12 an hour" in said
    assert "Exactly 8.8" in said
    assert (
        main(["estimate", str(Path(EXAMPLES / "light-aircraft" / "plant.yaml"))]) == 0
    )
    said = capsys.readouterr().out
    assert "no formula for its waiting" in said
    assert "systems_fit" in said
