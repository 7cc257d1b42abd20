"""Write `results.md`: the result folder and every column of its tables, from the code.

The columns and their meanings are `results.COLUMNS`, those of the event log
`traces.LOG_COLUMNS`, those of a plan `plan.outcome.PLAN_COLUMNS`, and those of a plan
of quantities `plan.quantities.QUANTITY_COLUMNS`; what the manifests and the measures of
`summary` mean stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from linewright.plan.outcome import PLAN_COLUMNS, PLAN_SCHEMA_VERSION
from linewright.plan.quantities import QUANTITIES_SCHEMA_VERSION, QUANTITY_COLUMNS
from linewright.results import COLUMNS, RESULT_SCHEMA_VERSION
from linewright.traces import LOG_COLUMNS, LOG_KINDS

__all__ = [
    "MANIFEST",
    "MEASURES",
    "PAGE",
    "PLAN_MANIFEST",
    "QUANTITY_MANIFEST",
    "results",
]

PAGE = Path(__file__).parent / "results.md"

_HEAD = f"""\
<!-- Written by docs/generate_results.py (`make docs`); edit that instead. -->

# Results

`linewright simulate MODEL --out FOLDER` writes a folder. `brief` and `compare` read it
as they read a model, and so do other tools: the tables are Parquet files.

| File | What it is |
| --- | --- |
| `manifest.json` | what was simulated, and how |
| `model.json` | the plain model with its overlays; `linewright simulate` reads it |
| `NAME.parquet` | a table for each name below |

A folder is written as a whole or not at all, and replaces an older result of the same
name. `result_schema_version`, now {RESULT_SCHEMA_VERSION}, is raised when a column or a
key is taken away or changes its meaning; new ones leave it as it is.

From Python, `result.table("stations")` is an Arrow table; `result.to_pandas(name)` and
`result.to_polars(name)` are data frames (extras `pandas`, `polars`), and
`linewright.Result.load(folder)` reads a folder. `result.throughput`, `.flow_time`,
`.wip`, `.utilization` and `result.measure(name)` give intervals by name.

Counts, times in states and means are taken from the end of the warm-up to the end of
the run, unless a table says otherwise. A name that ends in `_us` is in microseconds, in
`_s` in seconds; instants count from the `start` of the model. What the figures mean
stands in the [model reference](model-reference.md#what-the-figures-mean), how their
intervals are made in [statistics](statistics.md).
"""

MANIFEST: Mapping[str, str] = {
    "result_schema_version": "version of this format",
    "linewright_version": "version that wrote it",
    "model_name": "`name` of the model",
    "description": "`description` of the model",
    "model_hash": "hash of the model's content; comments and layout do not change it",
    "seed": "seed of all random numbers",
    "replications": "replications in the tables",
    "replications_asked": "replications asked for; with `precision`, the most",
    "horizon_us": "length of a replication",
    "from_us": "when it begins, microseconds from the model's start: 0, or the instant "
    "of the state it begins from",
    "warmup_us": "what was cut from its start",
    "warmup_reason": "how the warm-up was found, or why none was",
    "study": "`terminating` or `steady_state`",
    "precision": "relative half-width at which to stop, or null",
    "confidence": "confidence of all intervals",
    "interval_method": "what the intervals stand on: `replications`, `batch_means` of "
    "the only one, or `none`",
    "batch_us": "length of a batch, or null",
    "units": "units at which each replication was stopped, or null",
    "start": "local date and time of instant 0",
    "time_zone": "zone of the line",
    "stages": "groups of stations, in order",
    "rules_given": "rules of one's own whose functions were given from Python, which "
    "the hash does not cover",
    "events": "events of all replications",
    "stopped_early": "whether it was interrupted; what was done by then is here",
    "standstill": "numbers of the replications in which the line stood still for good",
    "standstill_reason": "what was waited for in the first of them",
}
"""Keys of the manifest and what they mean."""

PLAN_MANIFEST: Mapping[str, str] = {
    "kind": "`plan`",
    "plan_schema_version": "version of this format",
    "linewright_version": "version that wrote it",
    "model_name": "`name` of the model",
    "description": "`description` of the model",
    "model_hash": "hash of the model's content; comments and layout do not change it",
    "seed": "seed of all random numbers",
    "replications": "replications in the tables",
    "replications_asked": "the most that were asked for",
    "horizon_us": "end of the time simulated, microseconds from the model's start",
    "from_us": "its begin: 0, or the instant of the state it begins from",
    "actual_to_us": "up to when what was really made is counted, or null",
    "precision": "half-width of the probabilities at which to stop, or null",
    "confidence": "confidence of all intervals",
    "resolution_us": "step of time to which dates are told, upward",
    "goals_left_out": "targets that are due before or after the time simulated",
    "start": "local date and time of instant 0",
    "time_zone": "zone of the line",
    "rules_given": "as of a result",
    "events": "events of all replications",
    "stopped_early": "whether it was interrupted; what was done by then is here",
    "standstill": "numbers of the replications in which the line stood still for good",
    "checks": "how often a law of the kernel was held against a replication",
    "failed_checks": "laws that were broken; empty in a sound run",
}
"""Keys of a plan's manifest and what they mean."""

QUANTITY_MANIFEST: Mapping[str, str] = {
    "kind": "`quantities`",
    "quantities_schema_version": "version of this format",
    "linewright_version": "version that wrote it",
    "model_name": "`name` of the model",
    "description": "`description` of the model",
    "model_hash": "hash of the model's content; comments and layout do not change it",
    "seed": "seed of the runs from which clearing functions come; null without any",
    "start": "local date and time of instant 0",
    "time_zone": "zone of the line",
    "currency": "name of the money, or null",
    "horizon_us": "end of the last period, microseconds from the start",
    "factor": "what all targets were multiplied by",
    "status": "`optimal`, to 0.01 %; `feasible`, with a gap; `infeasible`, proven that "
    "no plan meets the targets; `unknown`, where the time was over",
    "cost": "what the plan costs, at the worth of the start; null if none was found",
    "costs": "its parts",
    "bound": "no plan costs less; null where none is possible, or none is known",
    "gap": "how far the bound is below the cost, as a share of it; null without one",
    "conflict_is_least": "whether none of the limits in `conflict` can be left out; "
    "null where there is a plan",
    "lead_times_left_out": "products whose lead time follows from what waits, and not "
    "from the model",
    "learning_change": "most by which what is learned changed in the last round, as a "
    "share; null without a plan",
    "columns": "columns of the program",
    "rows": "its rows",
    "whole_columns": "columns that are yes or no",
    "first_s": "time until the first solution, with fractions, seconds",
    "seconds": "time in all",
    "time_limit_s": "time that was allowed",
}
"""Keys of the manifest of a plan of quantities, and what they mean."""

MEASURES: Mapping[str, tuple[str, str]] = {
    "throughput_per_h": ("product", "units that finished their route, per hour"),
    "throughput_total_per_h": ("line", "units that left the line, per hour"),
    "flow_mean_s": ("product", "mean flow time"),
    "flow_p50_s": ("product", "flow time that half of the units keep below"),
    "flow_p90_s": ("product", "flow time that 9 of 10 units keep below"),
    "flow_p95_s": ("product", "flow time that 19 of 20 units keep below"),
    "wip_mean": ("product, line", "time average of the parts in the line"),
    "first_pass_yield": (
        "product",
        "share of finished and scrapped units that came through without rework",
    ),
    "scrap_share": ("product", "scrapped units, as a share of finished and scrapped"),
    "rework_per_unit": ("product", "rework loops for each unit finished or scrapped"),
    "on_time_share": (
        "line",
        "share of the orders due before the end that were finished in time",
    ),
    "tardiness_mean_s": ("line", "mean tardiness of these orders"),
    "utilization": (
        "station",
        "processing, as a share of all server-time but breaks and time off shift",
    ),
    "oee": ("station", "the product of availability, performance and quality"),
    "oee_availability": (
        "station",
        "processing, as a share of the time planned for work: all but maintenance, "
        "breaks and time off shift",
    ),
    "oee_performance": (
        "station",
        "mean processing time of the parts completed, as a share of the processing",
    ),
    "oee_quality": ("station", "parts not rejected here, as a share of all completed"),
    "queue_wait_mean_s": (
        "station",
        "mean time in its input buffer of the parts started, 0 for those that did "
        "not wait",
    ),
    "energy_kwh_per_unit": (
        "line, station",
        "energy for each good unit that left the line, of any product",
    ),
    "power_mean_kw": ("line, station", "energy taken, by the hour"),
    "emissions_kg_per_unit": ("line", "CO2 of that energy, for each such unit"),
    "cost_per_unit": ("line", "all cost, for each such unit"),
    "cost_per_h": ("line", "all cost, by the hour"),
    "margin_per_unit": ("line", "sales less all cost, for each such unit"),
    "margin_per_h": ("line", "sales less all cost, by the hour"),
    "station_cost_per_unit": (
        "station",
        "cost of the station and its energy, for each unit that left the line",
    ),
    "pool_cost_per_unit": ("pool", "cost of the people, for each such unit"),
    "product_cost_per_unit": (
        "product",
        "material, scrap and holding of the product, for each good unit of its own",
    ),
    "level_mean": ("buffer", "time average of the places taken"),
    "wait_mean_s": ("buffer", "mean stay in the buffer"),
}
"""Measures of `summary`: what they are measured of, and what they mean."""

_TABLES: Mapping[str, str] = {
    "summary": "Every measure with its interval, a row for each measure and thing.",
    "products": "A row for each replication and product.",
    "stations": "A row for each replication and station. The ten states add up to "
    "the length counted, times the number of servers.",
    "people": "A row for each replication and pool of people; no rows without pools.",
    "stocks": "A row for each replication and tool, loop, material or failure with "
    "spares; no rows without.",
    "vehicles": "A row for each replication and fleet; no rows without vehicles.",
    "energy": "A row for each replication, station and state in which it takes power, "
    "and for what it takes at once; no rows if the model says nothing of power.",
    "cost": "A row for each replication and thing that costs; they add up to the cost "
    "of the line. No rows if the model says nothing of cost.",
    "buffers": "A row for each replication and buffer. A station's own buffer has the "
    "station's name, its output buffer `NAME output`, a product's own store "
    "`NAME store`.",
    "orders": "A row for each replication and order, over the whole run.",
    "periods": "Time series over the whole run, warm-up included, in about a hundred "
    "equal periods.",
    "flow": "Flow times as counts in buckets, of all replications together. The middle "
    "of a bucket is within 0.8 % of each time in it.",
    "gantt": "What each server did in the first days of replication 0; filled in by "
    "the command, empty from Python.",
    "checks": "The laws that each replication was held against, over the whole run.",
}

_PLAN_TABLES: Mapping[str, str] = {
    "goals": "A row for each target and period of it, then one for all periods of each "
    "target that has some, then one for all together.",
    "capacity": "Work against hours, by averages: a row for each period, station and "
    "skill of people that has work.",
    "asked": "Units asked for and to be started, a row for each period and product.",
    "fan": "What has left by the end of each period: the course of the plan.",
    "replications": "A row for each replication.",
    "counts": "Exact counts, a row for each replication, instant and product.",
    "promises": "Dates for new orders; no rows unless they were asked for.",
    "readiness": "The targets as they are, then times the factors asked about.",
}

_PLAN = f"""\
## The folder of a plan

`linewright plan MODEL --out FOLDER` writes a folder of the same form, with other
tables; `linewright.Plan.load(folder)` reads it. `plan_schema_version` is now
{PLAN_SCHEMA_VERSION}. What the figures mean stands in [plan](methods/plan.md). Its
manifest:
"""

_QUANTITY_TABLES: Mapping[str, str] = {
    "quantities": "A row for each period and product.",
    "goals": "A row for each target and period of it.",
    "capacity": "A row for each period and each station, or pool, with work.",
    "overtime": "A row for each period, and calendar or station that may have some.",
    "setups": "A row for each period, station and kind that it is set up for.",
    "investments": "A row for each option; no rows without options.",
    "conflict": "Limits that cannot hold together; no rows where there is a plan.",
    "relaxations": "What would make a plan possible, the least in each way; no rows "
    "where there is one.",
    "clearing": "What was simulated and what was fitted, a row for each station and "
    "level; no rows without clearing functions.",
}

_QUANTITIES = f"""\
## The folder of a plan of quantities

`linewright plan MODEL --quantities --out FOLDER` writes a folder of the same form, with
other tables; `linewright.QuantityPlan.load(folder)` reads it.
`quantities_schema_version` is now {QUANTITIES_SCHEMA_VERSION}. What the figures mean
stands in [quantities by period](methods/feasible-plan.md). Its manifest:
"""

_LOG = """\
## The event log

`linewright trace MODEL --out log.parquet` writes all that happened in one replication.
A trace changes no random number. The kinds of rows are:
"""


def results() -> str:
    """Return the text of the page."""
    assert set(_TABLES) == set(COLUMNS), "every table has its line here"
    sections = [_HEAD, "## The manifest", _table(("Key", "Meaning"), MANIFEST)]
    for name, columns in COLUMNS.items():
        sections += [
            f"## {name}",
            _TABLES[name],
            _table(("Column", "Meaning"), columns),
        ]
        if name == "summary":
            sections += ["The measures are:", _measures()]
    sections += [_LOG, _table(("Kind", "What happened"), LOG_KINDS)]
    sections += ["Its columns are:", _table(("Column", "Meaning"), LOG_COLUMNS)]
    assert set(_PLAN_TABLES) == set(PLAN_COLUMNS), "every table has its line here"
    sections += [_PLAN, _table(("Key", "Meaning"), PLAN_MANIFEST)]
    for name, texts in PLAN_COLUMNS.items():
        meanings = {column: text for column, (_, text) in texts.items()}
        sections += [f"### {name}", _PLAN_TABLES[name]]
        sections += [_table(("Column", "Meaning"), meanings)]
    assert set(_QUANTITY_TABLES) == set(QUANTITY_COLUMNS), "every table has its line"
    sections += [_QUANTITIES, _table(("Key", "Meaning"), QUANTITY_MANIFEST)]
    for name, texts in QUANTITY_COLUMNS.items():
        meanings = {column: text for column, (_, text) in texts.items()}
        sections += [f"### {name} of quantities", _QUANTITY_TABLES[name]]
        sections += [_table(("Column", "Meaning"), meanings)]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _table(head: tuple[str, str], rows: Mapping[str, str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "| --- | --- |"]
    return "\n".join(lines + [f"| `{key}` | {text} |" for key, text in rows.items()])


def _measures() -> str:
    lines = ["| Measure | Of each | Meaning |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {of} | {text} |" for key, (of, text) in MEASURES.items()]
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(results(), encoding="utf-8")


if __name__ == "__main__":
    main()
