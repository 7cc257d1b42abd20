"""Averages of load: visits and yields against closed forms, demand through boms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linewright.model.graphs import find_cycles
from linewright.model.line import Line, Product
from linewright.model.load_estimate import (
    capacity_us,
    flow_of,
    starts_per_s,
    work_us,
)


def product(**inspection: object) -> Product:
    route = ["a", {"station": "b", "inspection": inspection}]
    return Product.model_validate({"route": route})


def test_rework_without_a_limit_is_a_geometric_loop() -> None:
    flow = flow_of(product(**{"pass": 0.8, "rework_to": "a"}))
    assert flow.visits == pytest.approx((1.25, 1.25))
    assert flow.good == pytest.approx(1)


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_rework_with_a_limit_ends_in_scrap(limit: int) -> None:
    flow = flow_of(product(**{"pass": 0.8, "rework_to": "a", "rework_limit": limit}))
    rounds = sum(0.2**n for n in range(limit + 1))
    assert flow.visits == pytest.approx((rounds, rounds))
    assert flow.good == pytest.approx(1 - 0.2 ** (limit + 1))


def test_errors_of_the_inspector_count() -> None:
    flow = flow_of(product(**{"pass": 0.8, "false_accept": 0.5, "false_reject": 0.1}))
    assert flow.good == pytest.approx(0.8 * 0.9 + 0.2 * 0.5)


def test_defects_of_earlier_operations_are_found() -> None:
    route = [
        {"station": "a", "defect": 0.1},
        {"station": "b", "defect": 0.2, "inspection": {"scrap": 1}},
    ]
    flow = flow_of(Product.model_validate({"route": route}))
    assert flow.good == pytest.approx(0.72)


@given(
    st.lists(
        st.tuples(st.floats(0.2, 1), st.floats(0, 1), st.integers(0, 9)), min_size=1
    )
)
@settings(max_examples=50, deadline=None)
def test_visits_solve_the_equations_of_the_chain(
    steps: list[tuple[float, float, int]],
) -> None:
    """An absorbing Markov chain: visits v = e + P' v (Kemeny and Snell, 1960)."""
    n_steps = len(steps)
    chain = np.zeros((n_steps, n_steps))
    route, passes = [], []
    for i, (good, share, back) in enumerate(steps):
        target = min(back, i)
        rework = (1 - good) * share
        chain[i, target] += rework
        if i + 1 < n_steps:
            chain[i, i + 1] += good
        passes.append(good)
        test = {"pass": good, "rework": rework, "rework_to": f"s{target}"}
        route.append({"operation": f"s{i}", "station": "a", "inspection": test})
    flow = flow_of(Product.model_validate({"route": route}))
    start = np.eye(n_steps)[0]
    visits = np.linalg.solve(np.eye(n_steps) - chain.T, start)
    np.testing.assert_allclose(flow.visits, visits, rtol=1e-6, atol=1e-6)
    assert flow.good == pytest.approx(visits[-1] * passes[-1], abs=1e-6)


PLANT = {
    "schema_version": 1,
    "name": "Plant",
    "calendars": {"day": {"shifts": [{"from": "06:00", "to": "18:00"}]}},
    "stations": {
        "cut": {
            "servers": 2,
            "process": "3 min",
            "calendar": "day",
            "failures": {
                "a": {"every": "9 h", "repair": "1 h"},
                "b": {"every": 10, "clock": "cycles", "repair": "1 min"},
                "c": {"every": "3 h", "clock": "calendar", "repair": "1 h"},
            },
        },
        "join": {"process": "1 min"},
    },
    "products": {
        "desk": {
            "bom": {"leg": 4},
            "route": [{"station": "join", "inspection": {"pass": 0.5}}],
            "demand": "1/h",
        },
        "leg": {"route": ["cut"], "lot_size": 2, "release": "with_parent"},
        "sheet": {"route": [{"station": "join", "makes": {"blank": 3}}]},
        "blank": {"route": ["join"], "release": "never", "demand": "6/h"},
    },
}


def test_demand_goes_through_boms_splits_and_yields() -> None:
    line = Line.model_validate(PLANT)
    flows = {name: flow_of(made) for name, made in line.products.items()}
    starts = starts_per_s(line, flows)
    per_h = {name: 3600 * rate for name, rate in starts.items()}
    assert per_h == pytest.approx({"desk": 2, "leg": 8, "sheet": 2, "blank": 6})


def test_work_and_capacity_know_failures_lots_and_calendars() -> None:
    line = Line.model_validate(PLANT)
    minutes = (3 * (1 + 1 / 9) + 1 / 10) / 2  # a lot of two, with its repairs
    assert work_us(line, "leg", 0, "cut") / 60e6 == pytest.approx(minutes)
    share = 2 * 0.5 * 0.75
    assert capacity_us(line, "cut", {}) == pytest.approx(share)


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"))))
def test_cycles_are_found_if_there_are_any(edges: dict[str, set[str]]) -> None:
    graph = {name: sorted(edges.get(name, ())) for name in "abcdef"}
    reach = {name: set(ahead) for name, ahead in graph.items()}
    for _ in graph:
        reach = {a: r.union(*(reach[b] for b in r)) for a, r in reach.items()}
    cycles = find_cycles(graph)
    assert bool(cycles) == any(name in ahead for name, ahead in reach.items())
    for cycle in cycles:
        for here, ahead in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            assert ahead in graph[here]
