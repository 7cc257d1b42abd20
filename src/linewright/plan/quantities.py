"""What a plan of quantities found: tables with names and units, and a folder of them.

`QuantityPlan` is to `plan_quantities` what `Plan` is to `plan_line`; its folder has the
same form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from linewright.plan.folders import PlanFolder, described_table

__all__ = [
    "QUANTITIES_SCHEMA_VERSION",
    "QUANTITY_COLUMNS",
    "QuantityPlan",
    "quantity_table",
]

QUANTITIES_SCHEMA_VERSION = 1

_TEXT, _WHOLE, _REAL, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()

QUANTITY_COLUMNS: dict[str, dict[str, tuple[pa.DataType, str]]] = {
    "quantities": {
        "period": (_TEXT, "calendar period; cut where a target begins or ends: `1/2`"),
        "begin_us": (_WHOLE, "its begin, microseconds from the start"),
        "end_us": (_WHOLE, "its end, microseconds from the start"),
        "product": (_TEXT, "name, components included"),
        "started": (_REAL, "units to start"),
        "finished": (_REAL, "good units that are finished"),
        "used": (_REAL, "units that go into others"),
        "left": (_REAL, "units that leave the line, for targets"),
        "stock": (_REAL, "finished units that are there at the end"),
        "waiting": (
            _REAL,
            "units at stations with a clearing function at the end, in work or not",
        ),
    },
    "goals": {
        "target": (_TEXT, "name of the target"),
        "goal": (_TEXT, "its period, or by when"),
        "product": (_TEXT, "name of the product"),
        "quantity": (_WHOLE, "good units asked for"),
        "since_us": (_WHOLE, "begin of its span, microseconds from the start"),
        "by_us": (_WHOLE, "end of its span, microseconds from the start"),
        "planned": (_REAL, "units that leave in its span"),
        "short": (_REAL, "units short of it"),
        "cost": (_REAL, "cost of that, at the worth of the start"),
    },
    "capacity": {
        "period": (_TEXT, "calendar period"),
        "begin_us": (_WHOLE, "its begin, microseconds from the start"),
        "end_us": (_WHOLE, "its end, microseconds from the start"),
        "kind": (_TEXT, "`station` or `people`"),
        "entity": (_TEXT, "its name"),
        "work_h": (_REAL, "hours of work"),
        "setup_h": (_REAL, "hours of setups"),
        "hours": (_REAL, "hours that are there, with investments, without overtime"),
        "overtime_h": (_REAL, "hours that overtime adds"),
        "load": (_REAL, "work and setups as a share of both"),
    },
    "overtime": {
        "period": (_TEXT, "calendar period"),
        "kind": (_TEXT, "`calendar` or `station`"),
        "name": (_TEXT, "its name"),
        "hours": (_REAL, "hours beyond the calendar"),
        "most": (_REAL, "the most that the model allows"),
        "cost": (_REAL, "what they cost, at the worth of the start"),
    },
    "setups": {
        "period": (_TEXT, "calendar period"),
        "station": (_TEXT, "its name"),
        "kind": (_TEXT, "product or family that it is set up for in this period"),
    },
    "investments": {
        "option": (_TEXT, "name of the option"),
        "chosen": (_FLAG, "whether it is taken"),
        "order_us": (_WHOLE, "when it is to be decided at the latest; null: never"),
        "from_us": (_WHOLE, "from when on it is there; null: never"),
        "period": (_TEXT, "the period that begins then; empty: never"),
        "cost": (_REAL, "what it costs, as the options say"),
        "left_out": (_TEXT, "why it cannot be planned; empty: it is"),
    },
    "conflict": {
        "kind": (_TEXT, "`target`, `station`, `people` or `store`"),
        "name": (_TEXT, "name of the target, station, pool or product"),
        "first": (_TEXT, "first period of which it is said"),
        "last": (_TEXT, "last period of which it is said"),
        "text": (_TEXT, "the same in words"),
    },
    "relaxations": {
        "way": (
            _TEXT,
            "`units`: fewer of them; `hours`: more of them; `later`: all targets",
        ),
        "kind": (_TEXT, "`target`, `station` or `people`"),
        "name": (_TEXT, "name of the target, station or pool"),
        "period": (_TEXT, "when; of a target its period, or by when"),
        "amount": (_REAL, "units short, hours more, or periods later"),
        "cost": (_REAL, "their price or cost, where the model says it; else nan"),
    },
    "clearing": {
        "station": (_TEXT, "its name"),
        "visits": (_REAL, "mean number of visits there, waiting or in work"),
        "share": (_REAL, "share of its hours that it worked, in the simulation"),
        "half_width": (_REAL, "half-width of the interval of that"),
        "fitted": (_REAL, "the same by the clearing function"),
    },
}
"""Columns of every table with their types and what they mean."""


def quantity_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return a table of `QUANTITY_COLUMNS` from its rows."""
    return described_table(QUANTITY_COLUMNS, name, rows)


@dataclass(frozen=True)
class QuantityPlan(PlanFolder):
    """Quantities in each period that meet the targets, or why there are none.

    Attributes:
        manifest: Model name and hash, version, cost, bound, gap and so on.
        line: The line.
        tables: The tables of `QUANTITY_COLUMNS` by name.
    """

    KIND = "quantities"
    CALLED = "plan of quantities"
    VERSION_KEY = "quantities_schema_version"
    VERSION = QUANTITIES_SCHEMA_VERSION
    COLUMNS = QUANTITY_COLUMNS

    @property
    def status(self) -> str:
        """``optimal``; ``feasible``, with a gap; ``infeasible``; or ``unknown``.

        Of the last two the tables hold the plan that is least short of the targets.
        """
        return str(self.manifest["status"])

    @property
    def cost(self) -> float:
        """What the plan costs, at the worth of the start; nan where there is none."""
        cost = self.manifest["cost"]
        return math.nan if cost is None else float(cost)

    @property
    def gap(self) -> float:
        """How far the bound is below the cost, as a share; infinite without one."""
        gap = self.manifest["gap"]
        return math.inf if gap is None else float(gap)

    def __repr__(self) -> str:
        """Return a line of what it is."""
        name = self.manifest["model_name"]
        return f"<QuantityPlan of {name}: {self.status}, cost {self.cost:,.10g}>"
