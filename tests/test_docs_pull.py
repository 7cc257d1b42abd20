"""What the page on pull says of its models is so."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

import linewright
from linewright.model.check import check
from linewright.model.line import Line
from tests.parts import PROJECT

_PAGE = PROJECT / "docs" / "pull.md"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODELS: dict[str, Any] = {
    model["name"]: model
    for model in map(
        YAML(typ="safe").load, _BLOCK.findall(_PAGE.read_text(encoding="utf-8"))
    )
}


def simulate(
    model: Any, horizon: str = "60 d", replications: int = 4
) -> linewright.Result:
    result = linewright.simulate(
        Line.model_validate(model),
        horizon=horizon,
        warmup="2 d",
        replications=replications,
        seed=7,
    )
    assert not result.failed_checks
    assert not result.manifest["standstill"]
    return result


def most(result: linewright.Result, buffer: str) -> int:
    table = result.table("buffers").to_pylist()
    return max(int(row["level_max"]) for row in table if row["buffer"] == buffer)


def per_hour(result: linewright.Result) -> float:
    (product,) = result.line.products
    return result.throughput[product].mean


def changed(name: str) -> Any:
    return copy.deepcopy(MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_to_be_said_of_the_models(name: str) -> None:
    assert check(Line.model_validate(MODELS[name])) == []


def test_conwip_caps_the_line_and_so_does_a_loop() -> None:
    capped = simulate(MODELS["CONWIP"])
    assert capped.wip["frame"].mean == pytest.approx(6, abs=0.01)
    model = changed("CONWIP")
    del model["conwip"]
    model["loops"] = {"all": {"cards": 6, "from": "cut", "to": "paint"}}
    looped = simulate(model)
    assert per_hour(looped) == pytest.approx(per_hour(capped), rel=0.01)
    assert most(looped, "weld") <= 6
    del model["loops"]
    assert most(simulate(model), "weld") > 500


def test_kanban_limits_what_is_at_a_station_and_behind_it() -> None:
    kanban = simulate(MODELS["Kanban"])
    assert most(kanban, "weld") == 3
    assert most(kanban, "paint") == 3
    model = changed("Kanban")
    del model["loops"]
    model["stations"]["weld"]["buffer"] = model["stations"]["paint"]["buffer"] = 2
    blocked = simulate(model)
    assert per_hour(kanban) == pytest.approx(per_hour(blocked), rel=1e-9)


def test_base_stock_is_that_of_the_formula() -> None:
    result = simulate(MODELS["Base stock"], horizon="900 d", replications=8)
    waiting = result.measure("level_mean")["hand over"]
    assert waiting.mean == pytest.approx(0.8**5 / 0.2, rel=0.1)


def test_made_to_a_kanban_of_four() -> None:
    model = changed("Base stock")
    valve = model["products"]["valve"]
    del valve["stock"]
    valve["release"] = {"kind": "always", "conwip": 4}
    assert most(simulate(model), "valve store") == 4


def test_the_rope_keeps_the_drum_at_work_and_the_line_short() -> None:
    def busy(cards: int) -> float:
        model = changed("Drum, buffer, rope")
        model["loops"]["rope"]["cards"] = cards
        result = simulate(model)
        assert most(result, "mill") + most(result, "heat treatment") <= 2 * cards
        assert most(result, "heat treatment") <= cards
        return result.utilization["heat treatment"].mean

    assert busy(9) > 0.98
    assert busy(2) < 0.9


def test_pallets_go_round() -> None:
    model = changed("Pallets")
    assert per_hour(simulate(model)) == pytest.approx(12, rel=1e-3)
    model["loops"]["pallet"]["cards"] = 3
    assert per_hour(simulate(model)) == pytest.approx(15, rel=1e-3)
