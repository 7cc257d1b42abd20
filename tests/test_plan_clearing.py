"""Congestion: clearing functions against exact queues, and plans simulated back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linewright.lower import lower
from linewright.model.check import check
from linewright.model.line import Line
from linewright.plan.clearing import Fitted, fitted
from linewright.plan.counting import Instants, count_units
from linewright.plan.feasible import plan_quantities

pytest.importorskip("highspy")

HOUR = 3_600_000_000


def a_line(stations: dict[str, Any], route: list[Any], **more: Any) -> Line:
    model: dict[str, Any] = {
        "schema_version": 1,
        "name": "Cell",
        "stations": stations,
        "products": {"cog": {"route": route}},
    }
    line = Line.model_validate(model | more)
    assert [f for f in check(line) if f.severity == "error"] == []
    return line


def worst(found: Fitted, exact: Any, most: float) -> float:
    """Return the largest difference from an exact curve, between nothing and a load."""
    loads = np.linspace(0.1, most, 60)
    return max(abs(float(found.share(exact(load)) / load) - 1) for load in loads)


def test_the_clearing_function_of_one_exponential_server() -> None:
    """M/M/1: at load r there are r / (1 - r) in it, at work or waiting."""
    mill = {"mill": {"process": "exponential(1 h)"}}
    found = fitted(a_line(mill, ["mill"]), "mill", {("cog", 0): 1.0}, seed=3)
    assert worst(found, lambda r: r / (1 - r), 0.95) < 0.05
    slopes, levels = found.clearing.slope, found.clearing.level
    assert list(slopes) == sorted(slopes, reverse=True)  # concave
    assert list(levels) == sorted(levels)
    assert slopes[-1] == 0
    assert 0.97 < levels[-1] <= 1


def test_the_clearing_function_of_several_servers_that_fail_never() -> None:
    """M/M/3, by Erlang's formula."""

    def there(r: float) -> float:
        a = 3 * r
        idle = 1 / (1 + a + a**2 / 2 + a**3 / 6 / (1 - r))
        return a + idle * a**3 / 6 / (1 - r) * r / (1 - r)

    mill = {"mill": {"process": "exponential(2 h)", "servers": 3}}
    found = fitted(a_line(mill, ["mill"]), "mill", {("cog", 0): 1.0}, seed=3)
    assert worst(found, there, 0.95) < 0.05


def test_setups_take_from_what_a_station_clears_at_most() -> None:
    stations = {"mill": {"process": "1 h", "setup": {"time": "1 h"}}}
    products = {"cog": {"route": ["mill"]}, "rod": {"route": ["mill"]}}
    line = a_line(stations, ["mill"], products=products)
    found = fitted(line, "mill", {("cog", 0): 1.0, ("rod", 0): 1.0}, seed=3)
    assert found.points[-1].share.mean < 0.75  # two of three parts are another kind


def test_what_is_planned_leaves_the_simulated_line_when_it_should() -> None:
    """Two exponential stations in a row: by Jackson's theorem each is as if alone."""
    stations = {name: {"process": "exponential(1 h)"} for name in ("mill", "press")}
    quantities = (60, 115, 145, 150, 150, 140)
    targets = {
        f"week {week}": {
            "product": "cog",
            "quantity": n,
            "since": f"{7 * week} d",
            "by": f"{7 * week + 7} d",
        }
        for week, n in enumerate(quantities)
    }
    cost = {"holding_per_day": 1.0}
    line = a_line(
        stations,
        ["mill", "press"],
        targets=targets,
        planning={"period": "week"},
        products={"cog": {"route": ["mill", "press"], "cost": cost}},
    )
    plan = plan_quantities(line, congestion=True, seed=5)
    assert plan.status == "optimal"
    assert plan.manifest["seed"] == 5
    started = [row["started"] for row in plan.rows("quantities")]
    finished = np.cumsum([row["finished"] for row in plan.rows("quantities")])
    waiting = np.array([row["waiting"] for row in plan.rows("quantities")])
    plain = plan_quantities(line)
    assert plain.manifest["costs"]["holding"] < plan.manifest["costs"]["holding"]
    # units started evenly in each week, as the plan says
    orders = []
    for week, n in enumerate(np.diff(np.round(np.cumsum([0.0, *started]))).astype(int)):
        orders += [
            {"product": "cog", "release": f"{round(3600 * 168 * (week + k / n))} s"}
            for k in range(n)
        ]
    route = {"route": ["mill", "press"], "release": "orders"}
    released = a_line(stations, [], products={"cog": route}, orders=orders)
    weeks = np.arange(1, 7) * 168 * HOUR
    instants = Instants.of(weeks.tolist(), 0, int(weeks[-1]))
    lowered = lower(released, int(weeks[-1]))
    runs = [count_units(lowered, 11, number, instants) for number in range(300)]
    out = np.array([run.finished[:, 0] for run in runs])
    mean, error = out.mean(axis=0), 3.3 * out.std(axis=0) / np.sqrt(300)
    # of what the plan has finished by then, the mean of the line is not short by more
    # than 3 % and chance, and it is not ahead by more than what waits in the plan
    assert (mean + error > 0.97 * finished).all()
    assert (mean - error < finished + waiting).all()
    assert (np.abs(mean - finished) / finished)[1:].max() < 0.05
    # week by week what was asked for by then has left in most runs; with the quantities
    # of a plan that lets nothing wait, which are those asked for, it has in few
    asked = np.cumsum(quantities)
    assert ((out >= asked).mean(axis=0)[:5] > 0.8).all()
    assert finished == pytest.approx(asked, rel=0.01)
    assert waiting[2:5].min() > 10
