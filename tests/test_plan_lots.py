"""Lot sizes against enumeration, Wagner and Whitin, published cases, and bad input."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from linewright.errors import LinewrightError, ModelError
from linewright.plan import LotPlan, Lots, plan_lots, read_lots

pytest.importorskip("highspy")


def lots_of(demand: Sequence[Sequence[float]], capacity: float, **more: Any) -> Lots:
    n, periods = len(demand), len(demand[0])
    columns: dict[str, Any] = {
        "unit_time": np.ones(n), "holding_cost": np.ones(n),
        "setup_time": np.zeros(n), "setup_cost": np.full(n, 10.0),
    }  # fmt: skip
    columns |= {name: np.asarray(values, dtype=float) for name, values in more.items()}
    columns.setdefault("capacity", np.full(periods, float(capacity)))
    items = tuple(f"item {i + 1}" for i in range(n))
    return Lots(items=items, demand=np.array(demand, dtype=float), **columns)


def random_lots(seed: int, load: float) -> Lots:
    draw = np.random.default_rng(seed)
    n, periods = (2, 3) if seed % 4 else (2, 4)
    demand = draw.integers(0, 9, (n, periods)) * (draw.random((n, periods)) < 0.8)
    setup_time = draw.integers(0, 6, n)
    mean = demand.sum() / periods + setup_time.sum()
    return lots_of(
        demand.tolist(),
        max(1.0, round(load * float(mean))),
        holding_cost=draw.integers(1, 4, n),
        setup_time=setup_time,
        setup_cost=draw.integers(0, 30, n),
        unit_time=draw.integers(1, 3, n) / 2,
    )


def by_enumeration(lots: Lots, overtime_cost: float) -> float:
    """Return the least cost over all patterns of setups, each a linear program."""
    n, periods = lots.demand.shape
    best = math.inf
    cells = n * periods
    due = np.cumsum(lots.demand, axis=1)
    for pattern in itertools.product((0, 1), repeat=cells):
        setups = np.array(pattern).reshape(n, periods)
        fixed = float((lots.setup_cost @ setups).sum())
        if math.isinf(overtime_cost):
            cost = np.append(np.zeros(cells), np.ones(periods))
        else:
            tail = np.arange(periods, 0, -1)  # a unit made counts as stock to the end
            holding = (lots.holding_cost[:, None] * tail).ravel()
            cost = np.append(holding, np.full(periods, overtime_cost))
            fixed -= float((lots.holding_cost @ due).sum())
        rows, limits = [], []
        for i, t in itertools.product(range(n), range(periods)):
            row = np.zeros(cells + periods)
            row[i * periods : i * periods + t + 1] = -1
            rows.append(row)
            limits.append(-due[i, t])
        for t in range(periods):
            row = np.zeros(cells + periods)
            row[t:cells:periods] = lots.unit_time
            row[cells + t] = -1
            rows.append(row)
            limits.append(lots.capacity[t] - float(lots.setup_time @ setups[:, t]))
        most = np.append(np.where(setups.ravel(), 1e6, 0.0), np.full(periods, 1e6))
        done = linprog(
            cost, A_ub=np.array(rows), b_ub=limits, bounds=np.c_[0 * most, most]
        )
        if done.status == 0:
            total = done.fun + (0 if math.isinf(overtime_cost) else fixed)
            best = min(best, total)
    return best


def check(lots: Lots, plan: LotPlan) -> None:
    """Check that a plan meets demand in time, and what it says of itself."""
    ready = np.cumsum(plan.made - lots.demand, axis=1)
    assert ready.min() > -1e-6
    assert plan.stock == pytest.approx(np.maximum(ready, 0), abs=1e-5)
    assert not ((plan.made > 0) & ~plan.setups).any()
    work = lots.unit_time @ plan.made + lots.setup_time @ plan.setups
    assert (work <= lots.capacity + plan.overtime + 1e-5).all()
    if plan.status in {"optimal", "feasible"}:
        assert plan.bound <= plan.cost + 1e-9
        assert plan.gap >= 0


@pytest.mark.parametrize("seed", range(10))
def test_a_plan_agrees_with_enumeration(seed: int) -> None:
    lots = random_lots(seed, load=1.1)
    plan = plan_lots(lots, overtime_cost=7.0, time_limit=30)
    check(lots, plan)
    assert plan.status == "optimal"
    assert plan.cost == pytest.approx(by_enumeration(lots, 7.0), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("seed", "load"), [*itertools.product(range(1, 6), (0.6, 0.8, 1.1))]
)
def test_overtime_is_least_where_there_is_no_plan(seed: int, load: float) -> None:
    lots = random_lots(seed, load)
    plan = plan_lots(lots, time_limit=30)
    check(lots, plan)
    least = by_enumeration(lots, math.inf)
    if least > 1e-6:
        assert plan.status == "infeasible"
        assert plan.overtime_bound == pytest.approx(least, rel=1e-5)
        assert plan.overtime.sum() == pytest.approx(least, rel=1e-5)
        assert plan.gap == math.inf
        return
    assert plan.status == "optimal"
    assert plan.overtime.sum() == 0
    # a price at which overtime is never worth it
    assert plan.cost == pytest.approx(by_enumeration(lots, 1e4), rel=1e-6, abs=1e-6)


def test_an_infeasible_case_by_hand() -> None:
    """Ten are due at once, six can be made; later there is room to spare."""
    lots = lots_of([[10, 0, 2]], capacity=8, setup_time=[2.0])
    plan = plan_lots(lots)
    assert plan.status == "infeasible"
    assert plan.overtime.tolist() == [4, 0, 0]
    assert plan.overtime_bound == pytest.approx(4)
    enough = dataclasses.replace(lots, capacity=lots.capacity + plan.overtime)
    assert plan_lots(enough).status == "optimal"


@pytest.mark.parametrize("seed", range(8))
def test_one_item_without_limit_is_that_of_wagner_and_whitin(seed: int) -> None:
    """Wagner and Whitin (1958), Management Science 5(1), 89-96."""
    draw = np.random.default_rng(seed)
    demand = draw.integers(0, 100, 12)
    setup, holding = float(draw.integers(50, 300)), float(draw.integers(1, 4))
    least = [0.0] * 13
    for end in range(1, 13):
        costs = []
        for start in range(end):
            span = demand[start:end]
            held = holding * float(span @ np.arange(end - start))
            costs.append(least[start] + (setup if span.sum() else 0) + held)
        least[end] = min(costs)
    lots = lots_of([demand.tolist()], 1e5, holding_cost=[holding], setup_cost=[setup])
    plan = plan_lots(lots)
    check(lots, plan)
    assert plan.status == "optimal"
    assert plan.cost == pytest.approx(least[-1])


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    plan_lots(lots_of([[3, 4]], capacity=9))
    assert capfd.readouterr() == ("", "")


def test_nothing_to_make_and_setups_for_nothing() -> None:
    plan = plan_lots(lots_of([[0, 0], [0, 0]], capacity=0))
    assert (plan.status, plan.cost, plan.gap) == ("optimal", 0, 0)
    assert not plan.setups.any()
    free = plan_lots(lots_of([[3, 4]], capacity=9, setup_cost=[0]))
    assert (free.status, free.cost) == ("optimal", 0)


# ---------------------------------------------------------------- bad input


def test_bad_values_are_told_all_at_once() -> None:
    lots = lots_of(
        [[1, -2], [3, math.nan]], 5, setup_time=[1], setup_cost=[math.inf, 1]
    )
    with pytest.raises(ValueError, match="setup_time has 1 values") as error:
        plan_lots(lots, overtime_cost=-1, time_limit=0)
    for words in (
        "demand 1, 2 is -2", "demand 2, 2 is nan", "setup_cost 1 is inf",
        "overtime_cost is -1", "time limit is 0",
    ):  # fmt: skip
        assert words in str(error.value)
    with pytest.raises(ValueError, match="a row for each item"):
        plan_lots(dataclasses.replace(lots, demand=np.zeros((0, 2))))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "highspy", None)
    with pytest.raises(LinewrightError, match=r"linewright\[plan\]"):
        plan_lots(lots_of([[1]], 5))


HEAD = "2 2\n1\n9\n1 2 3 40\n1.5 3 4 50.\n"


def test_a_case_is_read_in_rows_and_in_blocks(tmp_path: Path) -> None:
    (tmp_path / "rows.dat").write_text(HEAD + "5 6\n7 8\nBi hi su su\n time cost\n")
    (tmp_path / "blocks.dat").write_text(HEAD + "5\n7\n6\n8\n")
    rows, blocks = (read_lots(tmp_path / f"{kind}.dat") for kind in ("rows", "blocks"))
    assert rows.demand.tolist() == blocks.demand.tolist() == [[5, 7], [6, 8]]
    assert rows.unit_time.tolist() == [1, 1.5]
    assert rows.setup_cost.tolist() == [40, 50]
    assert rows.capacity.tolist() == [9, 9]


@pytest.mark.parametrize(
    "text", ["", "2 2\n", HEAD, HEAD + "5 6 7\n7 8 9\n", HEAD + "5 6\n7\n", "x"]
)
def test_a_file_in_another_form_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.dat").write_text(text)
    with pytest.raises(ModelError, match="not in the form of a lot sizing case"):
        read_lots(tmp_path / "bad.dat")


# ---------------------------------------------------------------- published cases


@pytest.fixture(scope="module")
def cases(
    shared_reference: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, tuple[float, float]]]:
    """Return the folder of cases, and the published bounds of each."""
    data = shared_reference / "lot-sizing/open"
    out = tmp_path_factory.mktemp("lots")
    for archive in data.glob("*.zip"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(out)
    with (data / "optima.csv").open() as table:
        bounds = {
            row["file"].split("/")[-1]: (
                float(row["lower_bound"]),
                float(row["upper_bound"]),
            )
            for row in csv.DictReader(table)
        }
    return out, bounds


def test_trigeiro_1989_every_case_can_be_read(
    cases: tuple[Path, dict[str, tuple[float, float]]],
) -> None:
    """In cases of 24 items, which stand in blocks, demand is zero early on only."""
    paths = [path for path in cases[0].rglob("*") if path.suffix.lower() == ".dat"]
    assert len(paths) >= 20
    for path in paths:
        lots = read_lots(path)
        assert len(lots.items) in {6, 10, 12, 24}
        late = lots.demand[:, 4:]
        assert len(lots.items) < 24 or (late > 0).all(), path.name


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("X11127B.dat", 20.0),
        pytest.param("F12.DAT", 60.0, marks=pytest.mark.soak),
        pytest.param("X11429D.dat", 60.0, marks=pytest.mark.soak),
        pytest.param("G56.DAT", 60.0, marks=pytest.mark.soak),
    ],
)
def test_trigeiro_1989_plans_lie_within_the_bounds(
    name: str, seconds: float, cases: tuple[Path, dict[str, tuple[float, float]]]
) -> None:
    """Trigeiro, Thomas and McClain (1989), Management Science 35(3), 353-366."""
    lots = read_lots(next(cases[0].rglob(name)))
    plan = plan_lots(lots, time_limit=seconds)
    check(lots, plan)
    low, high = cases[1].get(name, (0.0, math.inf))
    assert plan.cost >= low * (1 - 1e-6)
    assert plan.status == "unknown" or plan.bound <= high * (1 + 1e-6)
    if plan.status == "optimal":
        assert plan.cost <= high * (1 + 1e-6)
