"""Mistakes about characteristics, what measures them, gates and lots."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from scipy.stats import norm, poisson

from linewright.errors import ModelError
from linewright.lower import lower
from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.outside import counts_outside, values_outside

MODEL: dict[str, Any] = {
    "schema_version": 1,
    "name": "shafts",
    "materials": {
        "bar": {
            "stock": 40, "reorder_point": 20, "lot": 25, "lead_time": "1 h",
            "lots": [{"number": "B-7", "quantity": 30}, {"quantity": 10}],
        }
    },
    "stations": {
        "turn": {"process": "4 min"},
        "grind": {"process": "3 min"},
        "measure": {"process": "2 min"},
    },
    "products": {
        "shaft": {
            "release": {"every": "10 min"},
            "bom": {"bar": {"quantity": 2, "bought": True}},
            "route": [
                {
                    "station": "turn",
                    "characteristics": {
                        "diameter": {"nominal": 12, "lower": 11.97, "sd": 0.01},
                        "flaws": {"counted": True, "mean": 0.5, "upper": 2},
                    },
                },
                {"station": "grind"},
                {
                    "station": "measure",
                    "inspection": {
                        "measures": ["diameter", "flaws"],
                        "scrap": 1,
                        "gate": {"rejects": 2, "of": 5, "signal": "nelson"},
                    },
                },
            ],
        }
    },
    "study": {"horizon": "1 d"},
}  # fmt: skip
Change = Callable[[dict[str, Any], dict[str, Any]], Any]

CASES: list[tuple[str, Change]] = [
    ("nothing says where its values lie", lambda c, _: c["diameter"].pop("nominal")),
    ("nothing says how its values spread", lambda c, _: c["diameter"].pop("sd")),
    ("counts have no sd", lambda c, _: c["flaws"].update(sd=1)),
    ("the mean of counts is 2000", lambda c, _: c["flaws"].update(mean=2000)),
    (
        "lower 11.97 is not below upper 11.9",
        lambda c, _: c["diameter"].update(upper=11.9, nominal=None, mean=12),
    ),
    (
        "nominal 12 is outside upper 11.99",
        lambda c, _: c["diameter"].update(upper=11.99),
    ),
    ('"diametre" is not a characteristic made up to here; there are diameter, flaws',
     lambda _, t: t.update(measures=["diametre"])),
    ('"flaws" is measured twice', lambda _, t: t.update(measures=["flaws", "flaws"])),
    ("what is measured decides", lambda _, t: t.update(false_accept=0.1)),
    ("2 of the last 1 units cannot be", lambda _, t: t["gate"].update(of=1)),
    ("nothing closes it", lambda _, t: t.update(gate={})),
    ("of has no effect without rejects", lambda _, t: t["gate"].pop("rejects")),
    (
        "no characteristic with a spread is measured here",
        lambda c, t: (c["diameter"].update(sd=0), t.update(measures=["diameter"])),
    ),
]  # fmt: skip


def findings(model: dict[str, Any]) -> list[str]:
    try:
        return [str(finding) for finding in check(Line.model_validate(model))]
    except ModelError as error:
        return [str(finding) for finding in error.findings]


def test_a_model_with_all_of_it_is_right() -> None:
    assert findings(MODEL) == []


@pytest.mark.parametrize(("text", "change"), CASES)
def test_a_mistake_is_told_with_what_is_allowed(text: str, change: Change) -> None:
    model = copy.deepcopy(MODEL)
    route = model["products"]["shaft"]["route"]
    change(route[0]["characteristics"], route[2]["inspection"])
    found = findings(model)
    assert len(found) == 1
    assert text in found[0]


def test_mistakes_of_routes_stations_and_lots() -> None:
    for change, text in (
        (lambda m, r: r[1].update(characteristics=r[0]["characteristics"]),
         "is made by an earlier operation, too"),
        (lambda m, r: (
            r[1].update(sample=0.5, characteristics={"edge": {"mean": 1, "sd": 1}}),
            r[2]["inspection"].update(measures=["diameter", "edge"]),
        ), "not every unit comes"),
        (lambda m, r: m["stations"]["turn"].update(
            ramp_up={"good": [{"at": "0 d", "share": 0.5}, {"at": "9 d", "share": 1.0}]}
        ), "ramps up by itself"),
        (lambda m, r: m["materials"]["bar"].update(stock=41), "the lots have 40 units"),
        (lambda m, r: m["materials"]["bar"]["lots"][1].update(number="B-7"),
         '"B-7" is the number of two lots'),
    ):  # fmt: skip
        model = copy.deepcopy(MODEL)
        change(model, model["products"]["shaft"]["route"])
        found = findings(model)
        assert found
        assert all(text in one for one in found), found


def test_the_chance_outside_is_that_of_the_distributions() -> None:
    for mean, sd, low, high in (
        (12, 0.01, 11.97, 12.03), (12.1, 0.02, None, 12.0), (0, 1, -40, 9.5),
        (5, 0.0, 4, 6), (5, 0.0, None, 4),
    ):  # fmt: skip
        lower_, upper_ = (-math.inf if low is None else low), high
        if sd:
            wanted = norm.cdf(lower_, mean, sd) + norm.sf(upper_, mean, sd)
        else:
            wanted = float(mean > upper_ or mean < lower_)
        assert values_outside(mean, sd, low, high) == pytest.approx(wanted, rel=1e-9)
    counts: tuple[tuple[float, float | None, float | None], ...] = (
        (0.6, None, 2),
        (30, 20, 41.5),
        (900, 850, None),
        (0, 1, 5),
    )
    for mean, least, most in counts:
        below = 0 if least is None else poisson.cdf(math.ceil(least) - 1, mean)
        above = 0 if most is None else poisson.sf(math.floor(most), mean)
        wanted = below + above
        assert counts_outside(mean, least, most) == pytest.approx(wanted, rel=1e-9)


def test_characteristics_make_as_many_bad_as_their_limits_say() -> None:
    line = Line.model_validate(MODEL)
    lowered = lower(line, line.study.horizon)
    flaws, thin = poisson.sf(2, 0.5), norm.cdf(-3)
    wanted = 1 - (1 - flaws) * (1 - thin)
    assert lowered.tables.steps["defect"][0] == pytest.approx(wanted, rel=1e-9)
    bare = copy.deepcopy(MODEL)
    bare["products"]["shaft"]["route"][0]["characteristics"] = {}
    bare["products"]["shaft"]["route"][2]["inspection"] = {"pass": 0.9, "scrap": 1}
    assert lower(Line.model_validate(bare), 10**9).quality == ()
