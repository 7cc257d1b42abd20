"""What a plan found: tables with names and units, and a folder of them.

`Plan` is to `plan_line` what `Result` is to `simulate`. Its folder has the same form:
`manifest.json`, `model.json` and one Parquet file a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from linewright.plan.folders import PlanFolder, described_table

__all__ = ["PLAN_COLUMNS", "PLAN_SCHEMA_VERSION", "Plan", "plan_table"]

PLAN_SCHEMA_VERSION = 1

_TEXT, _WHOLE, _REAL, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_DATE = "microseconds from the start, -1 if not within the horizon"

PLAN_COLUMNS: dict[str, dict[str, tuple[pa.DataType, str]]] = {
    "goals": {
        "target": (_TEXT, "name of the target; empty: all goals of all targets"),
        "goal": (_TEXT, "its period, or by when; empty: all goals of the target"),
        "product": (_TEXT, "name of the product"),
        "quantity": (_WHOLE, "good units asked for, demand as in the model"),
        "since_us": (_WHOLE, "begin of its span, microseconds from the start"),
        "by_us": (_WHOLE, "end of its span, microseconds from the start"),
        "probability": (_REAL, "share of the replications that meet it"),
        "low": (_REAL, "lower end of Wilson's interval"),
        "high": (_REAL, "upper end of Wilson's interval"),
        "made_mean": (_REAL, "mean of the good units that left in its span"),
        "shortfall_mean": (_REAL, "mean of what is short of it, 0 where it is met"),
        "shortfall_half_width": (_REAL, "half-width of the interval of that mean"),
        "reached_p50_us": (_WHOLE, f"date by which half reach the quantity, {_DATE}"),
        "reached_p80_us": (_WHOLE, f"the same of 80 %, {_DATE}"),
        "reached_p95_us": (_WHOLE, f"the same of 95 %, {_DATE}"),
        "released_most": (
            _REAL,
            "units that orders release by its end, or arrivals bring on average; "
            "nan: nothing but the line limits them",
        ),
        "first_short": (
            _REAL,
            "share of the replications in which it is the one that most limits a "
            "common factor of all targets",
        ),
    },
    "capacity": {
        "period": (_TEXT, "calendar period"),
        "begin_us": (_WHOLE, "its begin, microseconds from the start"),
        "end_us": (_WHOLE, "its end, microseconds from the start"),
        "kind": (_TEXT, "`station`, `stations` (alternatives together) or `people`"),
        "entity": (_TEXT, "its name"),
        "work_h": (_REAL, "hours of work that targets ask for, on average"),
        "hours": (_REAL, "hours that are there: on shift, servers, less stops"),
        "load": (_REAL, "work as a share of the hours"),
        "load_to_date": (_REAL, "all work to its end as a share of all hours to then"),
    },
    "asked": {
        "period": (_TEXT, "calendar period"),
        "product": (_TEXT, "name, components included"),
        "asked": (_REAL, "units that targets ask for"),
        "starts": (_REAL, "units to start for them, scrap and components included"),
    },
    "fan": {
        "period": (_TEXT, "calendar period at whose end units are counted"),
        "at_us": (_WHOLE, "its end, microseconds from the start"),
        "product": (_TEXT, "name"),
        "asked": (_REAL, "units that targets ask for by then"),
        "mean": (_REAL, "mean of the good units that have left by then"),
        "p05": (_REAL, "units that 95 % of the replications have reached"),
        "p25": (_REAL, "units that 75 % have reached"),
        "p50": (_REAL, "units that half have reached"),
        "p75": (_REAL, "units that 25 % have reached"),
        "p95": (_REAL, "units that 5 % have reached"),
    },
    "replications": {
        "replication": (_WHOLE, "number from 0"),
        "demand": (_TEXT, "scenario of demand that was drawn; empty without any"),
        "met": (_FLAG, "whether all goals are met"),
        "factor": (_REAL, "what targets could be multiplied by and be met"),
        "events": (_WHOLE, "events that happened"),
    },
    "counts": {
        "replication": (_WHOLE, "number from 0"),
        "at_us": (_WHOLE, "instant, microseconds from the start"),
        "product": (_TEXT, "name"),
        "units": (_WHOLE, "good units that have left by then"),
    },
    "promises": {
        "product": (_TEXT, "name"),
        "quantity": (_WHOLE, "units of the new order"),
        "probability": (_REAL, "with which the date is kept"),
        "date_us": (_WHOLE, f"the date, {_DATE}"),
        "low_us": (_WHOLE, "lower end of its interval"),
        "high_us": (_WHOLE, f"upper end of its interval, {_DATE}"),
    },
    "readiness": {
        "factor": (_REAL, "what all targets are multiplied by"),
        "is_highest": (_FLAG, "whether it is the highest with this probability"),
        "probability": (_REAL, "that all goals are met then"),
        "low": (
            _REAL,
            "lower end of its interval; of the factor, if it is the highest",
        ),
        "high": (_REAL, "upper end of its interval"),
        "first_kind": (_TEXT, "what first has more work than hours; empty: nothing"),
        "first_entity": (_TEXT, "its name"),
        "first_period": (_TEXT, "when"),
        "first_load": (_REAL, "work as a share of the hours, then"),
        "impossible_entity": (_TEXT, "what cannot do the work, however early begun"),
        "impossible_period": (_TEXT, "to the end of which period"),
        "released_factor": (
            _REAL,
            "factor above which orders release too few units; nan: none do",
        ),
    },
}
"""Columns of every table with their types and what they mean."""


def plan_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return a table of `PLAN_COLUMNS` from its rows."""
    return described_table(PLAN_COLUMNS, name, rows)


@dataclass(frozen=True)
class Plan(PlanFolder):
    """What is asked for, what holds, and how sure that is.

    Attributes:
        manifest: Model name and hash, version, seed, horizon, replications and so on.
        line: The line.
        tables: The tables of `PLAN_COLUMNS` by name.
    """

    KIND = "plan"
    CALLED = "plan"
    VERSION_KEY = "plan_schema_version"
    VERSION = PLAN_SCHEMA_VERSION
    COLUMNS = PLAN_COLUMNS

    @property
    def probability(self) -> float:
        """The share of the replications in which all goals are met."""
        row = next(row for row in self.rows("goals") if not row["target"])
        return float(row["probability"])

    @property
    def failed_checks(self) -> list[dict[str, Any]]:
        """Laws that a replication broke; empty in a sound run."""
        return list(self.manifest["failed_checks"])

    def __repr__(self) -> str:
        """Return a line of what it is."""
        n = self.manifest["replications"]
        return (
            f"<Plan of {self.manifest['model_name']}: all targets met with "
            f"{self.probability:.1%}, {n} replications>"
        )
