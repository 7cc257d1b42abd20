"""Plans of another tool, frePPLe: nothing is delivered later or less than it does.

Its cases are read from its own files where they are there; the structure of each is
written here in the words of the model. Where the plans differ, the test says why.
"""

from __future__ import annotations

import zipfile
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

from linewright.model.check import check
from linewright.model.line import Line
from linewright.plan.feasible import plan_quantities
from linewright.plan.quantities import QuantityPlan
from tests.parts import REFERENCE

pytest.importorskip("highspy")

CASES = REFERENCE / "frepple-planning/open/tests.zip"
pytestmark = pytest.mark.usefixtures("shared_reference")

START = datetime.fromisoformat("2009-01-01")

Demands = list[tuple[float, datetime]]


def case(name: str) -> tuple[Demands, dict[str, Demands]]:
    """Return the demands of a case, and when its constrained plan delivers of each."""
    with zipfile.ZipFile(CASES) as files:
        root = ElementTree.fromstring(files.read(f"{name}/{name}.xml"))
        expected = files.read(f"{name}/{name}.1.expect").decode()
    asked = [
        (
            float(d.findtext("quantity", "0")),
            datetime.fromisoformat(d.findtext("due", "")),
        )
        for d in root.iter("demand")
    ]
    delivered: dict[str, Demands] = {}
    for row in expected.splitlines():
        kind, order, *rest = row.split("\t")
        if kind == "DEMAND":
            when = datetime.fromisoformat(rest[0])
            delivered.setdefault(order, []).append((float(rest[1]), when))
    return asked, delivered


def planned(
    products: dict[str, Any],
    stations: dict[str, Any],
    due: Demands,
    start: datetime,
    lead_times: dict[str, str] | None = None,
) -> QuantityPlan:
    """Plan so many units of the first product by so many dates, counted together."""
    total, targets = 0.0, {}
    for quantity, when in sorted(due, key=lambda one: one[1]):
        total += quantity
        targets[f"by {when}"] = {
            "product": next(iter(products)),
            "quantity": round(total),
            "by": when.isoformat(" "),
        }
    model = {
        "schema_version": 1,
        "name": "A case of frePPLe",
        "start": start.isoformat(" "),
        "stations": stations,
        "products": products,
        "targets": targets,
        "planning": {"lead_times": lead_times or {}},
    }
    line = Line.model_validate(model)
    assert [f for f in check(line) if f.severity == "error"] == []
    return plan_quantities(line)


def test_capacity_that_is_there_earlier() -> None:
    """Five lots of a day each on one resource: all in time, where frePPLe has four.

    It makes nothing more than four days before it is asked for (`maxearly`); the model
    has no such limit.
    """
    asked, delivered = case("constraints_resource_1")
    assert [quantity for quantity, _ in asked] == [10] * 5
    due = dict(zip(delivered, (when for _, when in asked), strict=True))
    late = [order for order, got in delivered.items() if got[-1][1] > due[order]]
    assert late == ["order 5"]
    delivery = timedelta(days=1)  # after it is made, on no resource
    plan = planned(
        {"lot": {"route": [{"station": "resource", "process": "1 d"}]}},
        {"resource": {}},
        [(1, when - delivery) for _, when in asked],
        START,
    )
    assert plan.status == "optimal"


def test_capacity_and_material_together() -> None:
    """25 units on three servers, ten components at hand and others after ten days.

    All can be in time. frePPLe plans the orders one after the other, by priority; its
    first orders take the components at hand, so that one unit of the last is late.
    """
    asked, delivered = case("constraints_resource_4")
    assert sum(quantity for quantity, _ in asked) == 25
    assert [quantity for quantity, _ in delivered["order 4"]] == [1, 7]
    plan = planned(
        {
            "end item": {
                "route": [{"station": "resource", "process": "1 d"}],
                "bom": {"component": 1},
            },
            "component": {
                "route": [{"station": "bought", "process": "10 d"}],
                "stock": 10,
            },
        },
        {"resource": {"servers": 3}, "bought": {"servers": 1000}},
        asked,
        START,
    )
    assert plan.status == "optimal"


def test_large_lots_on_one_resource() -> None:
    """5,000 pieces, 1,000 in five days: in time, as with frePPLe.

    There lots of 1,000 are made and bought; here quantities are of any size. A unit is
    of ten pieces, which take one of what is bought.
    """
    asked, delivered = case("constraints_material_4")
    assert delivered["order for item 1"] == asked
    (_, due) = asked[0]
    made = {"route": [{"station": "resource", "process": "72 min"}], "bom": {"raw": 1}}
    bought = {"route": [{"station": "bought", "process": "5 d"}], "stock": 150}
    plan = planned(
        {"ten": made, "raw": bought},
        {"resource": {}, "bought": {"servers": 100_000}},
        [(500, due - timedelta(days=1))],
        START,
    )
    assert plan.status == "optimal"
    first = next(row for row in plan.rows("quantities") if row["product"] == "ten")
    assert first["period"] == "2009 W1"  # four days, in which nothing can be bought
    assert first["started"] <= 150 + 1e-6


def test_what_lead_times_forbid() -> None:
    """The dates of frePPLe hold to a day, which is a period: starts fill their day."""
    asked, delivered = case("constraints_leadtime_1")
    products = {
        "end item": {"route": ["making"], "bom": {"subassembly": 1}},
        "subassembly": {"route": ["joining"], "stock": 15},
    }
    stations = {
        "making": {"servers": 1000, "process": "7 d"},
        "joining": {"servers": 1000, "process": "1 d 12 h"},
    }
    leads = {"end item": "8 d"}  # a day of it for the delivery

    plan = planned(products, stations, asked, START, leads)
    assert plan.status == "infeasible"
    kinds = {row["kind"] for row in plan.rows("conflict")}
    assert kinds == {"target"}  # lead times alone, as frePPLe says too
    got = [one for each in delivered.values() for one in each]
    assert planned(products, stations, got, START, leads).status == "infeasible"
    later = [(quantity, when + timedelta(days=1)) for quantity, when in got]
    assert planned(products, stations, later, START, leads).status == "optimal"
