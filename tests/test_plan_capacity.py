"""Rough-cut capacity, against sums done by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from linewright.model.check import check
from linewright.model.line import Line
from linewright.model.targets import goals_of
from linewright.plan.capacity import RoughCut, demand_by, rough_cut

DAY = 86_400_000_000

DESK: dict[str, Any] = {
    "schema_version": 1,
    "name": "Desks",
    "start": "2027-01-04 00:00",
    "calendars": {
        "day": {"shifts": [{"days": "mon-fri", "from": "06:00", "to": "14:00"}]},
        "both": {"shifts": [{"days": "mon-fri", "from": "06:00", "to": "22:00"}]},
    },
    "calendar": "day",
    "people": {"fitters": {"count": 1}},
    "stations": {
        "saw": {"process": "15 min"},
        "press": {
            "process": "30 min",
            "servers": 2,
            "people": {"load": "fitters", "repair": "fitters"},
            "load": "3 min",
            "failures": {"die": {"every": "9 h", "repair": "1 h"}},
        },
        "join": {"process": "1 h"},
        "oven": {"process": "1 h", "batch": 4},
    },
    "products": {
        "desk": {
            "bom": {"leg": 4},
            "route": [{"station": "join", "inspection": {"pass": 0.8}}, "oven"],
            "release": {"conwip": 4},
        },
        "leg": {
            "route": ["saw", {"station": "press", "inspection": {"pass": 0.8}}],
            "release": {"conwip": 60},
        },
    },
    "targets": {
        "desks": {"product": "desk", "quantity": 16, "per": "week", "to": "2027-01-31"}
    },
}


def desks(**more: Any) -> Line:
    line = Line.model_validate(DESK | more)
    assert [f for f in check(line) if f.severity == "error"] == []
    return line


def row(cut: RoughCut, name: str) -> int:
    return next(i for i, e in enumerate(cut.entities) if e.name == name)


def test_bills_of_material_scrap_and_stops_by_hand() -> None:
    cut = rough_cut(desks())
    assert [period.label for period in cut.periods] == [
        "2027 W1",
        "2027 W2",
        "2027 W3",
        "2027 W4",
    ]
    # 16 good desks need 20, which need 80 good legs, of which 100 are begun
    assert cut.starts["desk"].tolist() == pytest.approx([20] * 4)
    assert cut.starts["leg"].tolist() == pytest.approx([100] * 4)
    work = {e.name: cut.work_h[i, 0] for i, e in enumerate(cut.entities)}
    assert work == pytest.approx(
        {
            "saw": 100 * 15 / 60,
            "press": 100 * (30 / 60 * 10 / 9 + 3 / 60),
            "join": 20,
            "oven": 16 / 4,
            "fitters": 100 * (3 / 60 + 30 / 60 / 9),
        },
        rel=0.06,  # the rough cut lets loading wear the die, too
    )
    hours = {e.name: cut.hours[i, 0] for i, e in enumerate(cut.entities)}
    assert hours == pytest.approx(
        {"saw": 40, "press": 80, "join": 40, "oven": 40, "fitters": 168}
    )
    assert cut.load[row(cut, "press"), 0] == pytest.approx(60.56 / 80, rel=0.001)
    assert cut.first_overload is None
    assert cut.most_factor == pytest.approx(80 / 60.56, rel=0.001)


def test_what_breaks_first_and_when() -> None:
    changes = [
        {"on": "2027-01-11", "stations": {"press": {"servers": 1}}},
        {"on": "2027-01-18", "stations": {"press": {"servers": 2}}},
        {"on": "2027-01-20", "stations": {"press": {"calendar": "both"}}},
    ]
    cut = rough_cut(desks(changes=changes))
    press = row(cut, "press")
    # the two days before the change have 8 hours each, the three after it 16
    assert cut.hours[press].tolist() == pytest.approx([80, 40, 128, 160])
    first = cut.first_overload
    assert first is not None
    assert (first.entity.name, first.period.label) == ("press", "2027 W2")
    assert first.load == pytest.approx(60.56 / 40, rel=0.001)
    never = cut.first_impossible
    assert never is not None  # 121 h of work against 120 up to then
    assert never.load == pytest.approx(2 * 60.56 / 120, rel=0.001)
    assert [o.entity.name for o in cut.tightest()] == ["press", "press", "saw", "saw"]
    more = rough_cut(desks(), factor=1.5)
    assert more.first_overload is not None
    assert more.first_overload.period.label == "2027 W1"


def test_alternatives_have_their_hours_together() -> None:
    stations = {
        "quick": {"process": "30 min"},
        "slow": {"process": "1 h"},
    }
    step = {"operation": "drill", "station": ["quick", "slow"]}
    products = {
        "desk": {"route": [step], "release": {"conwip": 9}},
        "leg": {"route": ["slow"], "release": {"conwip": 9}},
    }
    targets = {
        "a": {"product": "desk", "quantity": 40, "by": "2027-01-10"},
        "b": {"product": "leg", "quantity": 10, "by": "2027-01-10"},
    }
    cut = rough_cut(
        desks(stations=stations, products=products, targets=targets, people={})
    )
    both = row(cut, "quick, slow")
    assert cut.entities[both].kind == "stations"
    # at least half an hour each, and what only the slow one can do
    assert cut.work_h[both].sum() == pytest.approx(40 * 0.5 + 10)
    assert cut.hours[both].sum() == pytest.approx(80)


def test_learning_takes_less_work_from_period_to_period() -> None:
    products = {
        "desk": {
            "route": [{"station": "saw", "learning": {"rate": 0.8, "done": 10}}],
            "release": {"conwip": 4},
        }
    }
    cut = rough_cut(
        desks(products=products, stations={"saw": {"process": "1 h"}}, people={})
    )
    exponent = np.log2(0.8)
    exact = [
        sum((10 + 16 * week + n) ** exponent for n in range(1, 17)) for week in range(4)
    ]
    assert cut.work_h[0].tolist() == pytest.approx(exact, rel=0.01)


def test_targets_of_one_product_are_not_added_up() -> None:
    targets = {
        "year": {"product": "desk", "quantity": 100, "by": "2027-01-24"},
        "more": {"product": "desk", "quantity": 400, "by": "2027-02-07"},
        "week": {"product": "desk", "quantity": 60, "per": "week", "to": "2027-01-17"},
        "anew": {
            "product": "desk",
            "quantity": 30,
            "by": "2027-02-14",
            "since": "2027-02-08",
        },
    }
    goals = goals_of(desks(targets=targets))
    at = np.array([0, 7, 14, 21, 28, 34, 42]) * DAY
    asked = demand_by(goals, "desk", at)
    # 60 a week, then the straight way from 100 at three weeks to 400 at five, then 30
    assert asked.tolist() == pytest.approx(
        [0, 60, 120, 120, 250, 100 + 300 * 13 / 14, 430]
    )


def test_targets_of_one_year_after_another_are_added_up() -> None:
    targets = {
        f"{name} {week}": {
            "product": "desk",
            "quantity": quantity,
            "since": f"2027-01-{4 + 7 * (week - 1):02}",
            "by": f"2027-01-{10 + 7 * (week - 1):02}",
        }
        for week, (name, quantity) in enumerate(
            (("oak", 30), ("ash", 50), ("elm", 20)), start=1
        )
    }
    goals = goals_of(desks(targets=targets))
    at = np.array([7, 14, 21]) * DAY
    asked = demand_by(goals, "desk", at)
    assert asked.tolist() == pytest.approx([30, 80, 100])


def test_a_factor_multiplies_what_is_asked() -> None:
    one, two = rough_cut(desks()), rough_cut(desks(), factor=2)
    np.testing.assert_allclose(two.work_h, 2 * one.work_h)
    with pytest.raises(ValueError, match="above zero"):
        rough_cut(desks(), factor=0)
    with pytest.raises(ValueError, match="has no targets"):
        rough_cut(desks(targets={}))
