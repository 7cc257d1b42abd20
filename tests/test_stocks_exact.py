"""Spares, tools, wear, loops, materials and base stock against exact values."""

from __future__ import annotations

import csv
import gzip
from typing import Any

import numpy as np
import pytest

import linewright
from linewright.model.line import Line
from linewright.stats.intervals import Interval, mean_interval
from tests.parts import REFERENCE, require

CONFIDENCE = 0.9999


def line_of(**model: Any) -> Line:
    return Line.model_validate({"schema_version": 1, "name": "exact", **model})


def simulate(line: Line, seed: int, horizon: str = "400 d") -> linewright.Result:
    result = linewright.simulate(
        line,
        horizon=horizon,
        warmup="5 d",
        replications=16,
        seed=seed,
        confidence=CONFIDENCE,
    )
    assert not result.failed_checks
    return result


def share(result: linewright.Result, state: str, station: str) -> Interval:
    """Return the share of a station's server time in a state."""
    table = result.table("stations").to_pandas()
    here = table[table["station"] == station]
    span_us = result.manifest["horizon_us"] - result.manifest["warmup_us"]
    n_servers = result.line.stations[station].servers
    return mean_interval(here[state].to_numpy() / span_us / n_servers, CONFIDENCE)


def hold(found: Interval, exact: float, widest: float) -> None:
    """Hold an exact value against an interval that is narrow."""
    assert found.low < exact < found.high, f"{exact} outside {found}"
    assert found.half_width < widest * exact


# ------------------------------------------------------------------ spares


def working_with_spares(
    machines: int, spares: int, fail: float, repair: float
) -> float:
    """Return the mean number of machines at work, of some with spare components.

    The states are the components in repair, n: min(machines, machines + spares - n)
    machines work and fail, and each component is repaired by itself.
    """
    weights = [1.0]
    for broken in range(machines + spares):
        up = min(machines, machines + spares - broken) * fail
        weights.append(weights[-1] * up / ((broken + 1) * repair))
    share = np.array(weights) / sum(weights)
    n = np.arange(machines + spares + 1)
    return float(share @ np.minimum(machines, machines + spares - n))


@pytest.mark.parametrize(("machines", "spares"), [(1, 0), (1, 2), (4, 1), (6, 3)])
def test_machines_with_spares_are_those_of_the_chain(
    machines: int, spares: int
) -> None:
    failure = {
        "every": "exponential(60 min)",
        "repair": "exponential(90 min)",
        "spares": spares,
    }
    line = line_of(
        stations={
            "mill": {
                "process": "7 min",
                "servers": machines,
                "failures": {"spindle": failure},
            }
        },
        products={"part": {"route": ["mill"]}},
    )
    found = share(simulate(line, 500 + machines), "processing", "mill")
    exact = working_with_spares(machines, spares, 1 / 60, 1 / 90) / machines
    hold(found, exact, 0.02)


# ------------------------------------------------------------------ tools of repairs


def machines_with_repairs(machines: int, places: int) -> tuple[float, float, float]:
    """Return the means of machines up, in repair, and waiting for it: M/M/k//n.

    They fail after 60 minutes of work and are repaired in 40, some at a time.
    """
    weights = [1.0]
    for n in range(machines):
        rates = (machines - n) / 60, min(n + 1, places) / 40
        weights.append(weights[-1] * rates[0] / rates[1])
    share = np.array(weights) / sum(weights)
    down = np.arange(machines + 1)
    up = float(share @ (machines - down))
    repaired = float(share @ np.minimum(down, places))
    return up, repaired, machines - up - repaired


@pytest.mark.parametrize(
    ("machines", "cranes", "fitters"), [(3, 1, 0), (6, 2, 0), (6, 2, 3), (5, 4, 2)]
)
def test_repairs_with_tools_and_crews_are_those_of_the_closed_queue(
    machines: int, cranes: int, fitters: int
) -> None:
    """What there are fewer of, tools or crews, is how many repairs there can be."""
    failure: dict[str, Any] = {
        "every": "exponential(60 min)",
        "repair": "exponential(40 min)",
        "tools": "crane",
    }
    people = {}
    if fitters:
        failure["crew"], people = "fitter", {"fitter": fitters}
    line = line_of(
        tools={"crane": cranes},
        people=people,
        stations={
            "mill": {
                "process": "7 min",
                "servers": machines,
                "failures": {"spindle": failure},
            }
        },
        products={"part": {"route": ["mill"]}},
    )
    places = min(cranes, fitters or cranes)
    up, repaired, waiting = machines_with_repairs(machines, places)
    result = simulate(line, 700 + machines + fitters, "900 d")
    hold(share(result, "processing", "mill"), up / machines, 0.01)
    if fitters <= cranes and fitters:
        return
    # who waits, waits for a crane alone
    found = result.table("stocks").to_pandas()
    busy = mean_interval(cranes - found["free_mean"].to_numpy(), CONFIDENCE)
    hold(busy, repaired, 0.02)
    span_s = (result.manifest["horizon_us"] - result.manifest["warmup_us"]) / 1e6
    waits = (found["waited"] * found["wait_mean_s"]).to_numpy() / span_s
    hold(mean_interval(waits, CONFIDENCE), waiting, 0.05)


def test_a_tool_of_operations_and_repairs_goes_to_the_repair_first() -> None:
    """One gauge: a machine always wants it to work, the repair of another goes first.

    The states follow each other: A works and B is up, A works and B waits for the
    gauge, B is repaired and A waits.
    """
    failure = {
        "every": "exponential(60 min)",
        "repair": "exponential(20 min)",
        "tools": "gauge",
    }
    line = line_of(
        tools={"gauge": 1},
        stations={
            "A": {"process": "exponential(15 min)"},
            "B": {"process": "1 min", "failures": {"f": failure}},
        },
        products={
            "a": {"route": [{"station": "A", "tools": "gauge"}]},
            "b": {"route": ["B"]},
        },
    )
    result = simulate(line, 77, "900 d")
    hold(share(result, "waiting", "A"), 20 / 95, 0.015)
    hold(share(result, "failed", "B"), 35 / 95, 0.01)


def published(n: int) -> list[dict[str, str]]:
    """Return some two-machine lines of Sachs, Kiesmueller and Helber (2024)."""
    require("reference")
    path = REFERENCE / "flow-line-spares" / "open" / "two_machine_exact.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return rows[:: len(rows) // n][:n]


def test_lines_with_buffers_and_spares_have_their_published_throughput() -> None:
    for number, row in enumerate(published(8)):
        stations = {
            f"M{i}": {
                "process": f"exponential({1 / float(row[f'mu{i}'])} min)",
                "buffer": "unlimited" if i == 1 else int(row["C1"]),
                "failures": {
                    "part": {
                        "every": f"exponential({1 / float(row[f'p{i}'])} min)",
                        "repair": f"exponential({1 / float(row[f'gamma{i}'])} min)",
                        "spares": int(row[f"S{i}"]) - 1,
                    }
                },
            }
            for i in (1, 2)
        }
        line = line_of(stations=stations, products={"part": {"route": ["M1", "M2"]}})
        result = simulate(line, 900 + number, "600 d")
        found = result.throughput["part"]
        hold(found, 60 * float(row["TP"]), 0.01)


# ------------------------------------------------------------------ wear


def test_wear_by_steps_is_that_of_the_renewal_process() -> None:
    """Four steps of ten minutes on average, then a repair of half an hour."""
    failure = {
        "every": "exponential(10 min)",
        "steps": 4,
        "repair": "exponential(30 min)",
    }
    line = line_of(
        stations={"mill": {"process": "10 s", "failures": {"wears": failure}}},
        products={"part": {"route": ["mill"]}},
    )
    found = share(simulate(line, 11, "100 d"), "failed", "mill")
    hold(found, 30 / 70, 0.02)


def test_maintenance_by_wear_is_that_of_the_renewal_process() -> None:
    """Maintenance at the second of five steps, when the part in process is done.

    It is half a processing time late on average, because the steps are without memory.
    """
    failure = {"every": "exponential(20 min)", "steps": 5, "repair": "5 h"}
    work = {"when_worn": {"wears": 2}, "duration": "exponential(6 min)"}
    line = line_of(
        stations={
            "mill": {
                "process": "2 s",
                "failures": {"wears": failure},
                "maintenance": {"renew": work},
            }
        },
        products={"part": {"route": ["mill"]}},
    )
    result = simulate(line, 12, "60 d")
    cycle = 40 + 1 / 60 + 6
    hold(share(result, "maintenance", "mill"), 6 / cycle, 0.05)
    assert share(result, "failed", "mill").mean < 1e-3  # three steps within a part


# ------------------------------------------------------------------ pull


@pytest.mark.parametrize(("machines", "pallets"), [(2, 3), (3, 4), (4, 2)])
def test_pallets_that_go_round_are_the_closed_line(machines: int, pallets: int) -> None:
    """Balanced closed line of exponential machines: n / (n + k - 1) of one machine."""
    names = [f"M{i}" for i in range(machines)]
    line = line_of(
        loops={"pallets": {"cards": pallets, "from": names[0], "to": names[-1]}},
        stations={name: {"process": "exponential(1 min)"} for name in names},
        products={"part": {"route": names}},
    )
    result = simulate(line, 40 + machines, "60 d")
    exact = 60 * pallets / (pallets + machines - 1)
    hold(result.throughput["part"], exact, 0.01)


def test_pallets_that_take_their_time_back_are_one_station_more() -> None:
    """The way back is a station with a server for each pallet: mean value analysis."""
    pallets, machine, back = 4, 1.0, 3.0
    waiting = 0.0
    for n in range(1, pallets + 1):
        stay = machine * (1 + waiting)
        per_min = n / (stay + back)
        waiting = per_min * stay
    loop = {"cards": pallets, "from": "M", "to": "M", "back": "exponential(3 min)"}
    line = line_of(
        loops={"pallets": loop},
        stations={"M": {"process": "exponential(1 min)"}},
        products={"part": {"route": ["M"]}},
    )
    result = simulate(line, 45, "60 d")
    hold(result.throughput["part"], 60 * per_min, 0.01)


@pytest.mark.parametrize("stock", [1, 3, 6])
def test_base_stock_is_that_of_the_single_server_queue(stock: int) -> None:
    """Demand finds its unit with 1 - rho^S; the backlog is rho^(S+1) / (1 - rho)."""
    rho = 0.7
    line = line_of(
        stations={
            "make": {"process": "exponential(7 min)"},
            "ship": {"process": "0 s"},
        },
        products={
            "item": {"route": ["make"], "stock": stock, "release": "with_parent"},
            "customer": {
                "route": ["ship"],
                "bom": {"item": 1},
                "release": {"every": "exponential(10 min)"},
            },
        },
    )
    result = simulate(line, 60 + stock, "900 d")
    backlog = result.measure("level_mean")["ship"]
    hold(backlog, rho ** (stock + 1) / (1 - rho), 0.15)
    there = stock - rho * (1 - rho**stock) / (1 - rho)
    hold(result.measure("level_mean")["item store"], there, 0.05)


# ------------------------------------------------------------------ materials


def waiting_share(use: float, lead: float, point: int, lot: int) -> float:
    """Return how often a machine waits that takes a unit at each start.

    The states are the units there, the one on the machine among them; at most one order
    is on its way, because a lot is larger than the reorder point.
    """
    n_states = point + 1 + lot + 1
    rates = np.zeros((n_states, n_states))
    for n in range(n_states):
        if n > 0:
            rates[n, n - 1] += use
        if n <= point + 1:
            rates[n, n + lot] += lead
    np.fill_diagonal(rates, rates.diagonal() - rates.sum(axis=1))
    system = np.vstack([rates.T, np.ones(n_states)])
    share, *_ = np.linalg.lstsq(system, np.append(np.zeros(n_states), 1), rcond=None)
    return float(share[0])


def test_a_material_is_out_of_stock_as_often_as_in_the_chain() -> None:
    """A machine takes one unit at each start, and is shown as waiting without one."""
    line = line_of(
        materials={
            "sheet": {
                "stock": 9,
                "reorder_point": 3,
                "lot": 6,
                "lead_time": "exponential(40 min)",
            }
        },
        stations={"cut": {"process": "exponential(10 min)"}},
        products={
            "part": {"route": ["cut"], "bom": {"sheet": {"bought": True}}},
        },
    )
    result = simulate(line, 71, "900 d")
    found = share(result, "waiting", "cut")
    hold(found, waiting_share(1 / 10, 1 / 40, 3, 6), 0.05)
