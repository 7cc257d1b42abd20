"""For engineers: what was run, how it checked itself, all estimates, all terms."""

from __future__ import annotations

import math
from collections.abc import Iterable

from linewright.report.facts import Facts
from linewright.report.palette import STATES
from linewright.report.parts import Column, Section, Table
from linewright.report.words import DASH, counted, name, number, time_scale

__all__ = ["section", "span", "terms"]

FAILED_ROWS = 50
SUMMARY_ROWS = 2000

_METHODS = {
    "replications": "Student's t over replications",
    "batch_means": "batch means of one run",
    "none": "none",
}

TERMS = (
    (
        "\u00b1 and interval",
        "The range that holds the true mean of the model with the stated confidence, "
        "by Student's t over independent replications or, if there is only one, over "
        "the batches of this run. It says how sure the run is, not how right the model "
        "is.",
    ),
    (
        "10 to 90%",
        "The range in which 8 of 10 replications lie: how much one run, or one year, "
        "differs from another.",
    ),
    (
        "batch means",
        "The mean of each of 30 to 40 equal spans of one run after its warm-up, so "
        "long that tests find hardly any correlation between neighbors.",
    ),
    ("replication", "One independent run of the same line with other random numbers."),
    (
        "warm-up",
        "The start of a run, left out of the figures because the line was filling.",
    ),
    ("throughput", "Good units that leave the line, per time on the calendar."),
    ("WIP", "Work in process: units inside the line, in stations and buffers."),
    (
        "flow time",
        "From a unit's release to its departure. On average WIP = throughput \u00d7 "
        "flow time (Little's law).",
    ),
    ("utilization (used)", "Processing time over time on shift."),
    ("on shift", "All time but breaks and time off shift."),
    ("waiting", "Blocked or starved."),
    (
        "OEE",
        "Availability \u00d7 performance \u00d7 quality, after the time model of ISO "
        "22400-2: starved, blocked, failed and setup reduce availability.",
    ),
    ("first-pass yield", "Share of units that are good without rework or scrap."),
    ("rework, scrap", "Sent back to an earlier operation; taken out of the line."),
    ("delivered bad", "Bad units that inspection let pass."),
    (
        "bottleneck",
        "The station whose speed-up raises throughput most, not the busiest.",
    ),
)


FOUND_TERMS = (
    (
        "chain of causes (critical path)",
        "Every start in the line waited for one event before it. Followed back from "
        "the last unit that left, these events make a chain; less time on it is time "
        "gained for the whole line.",
    ),
    (
        "confirmed gain",
        "The difference between two runs of the line, with the change and without, on "
        "the same random numbers, and on others than those that proposed the change.",
    ),
    (
        "tie",
        "Stations whose differences are smaller than the runs can tell, or that are "
        "indeed equal.",
    ),
)


def terms(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Return the words to explain, and what they mean."""
    found = facts.found
    more = FOUND_TERMS if found.bottleneck or found.improvement else ()
    return (*TERMS, *more, *STATE_TERMS)


def span(us: int) -> str:
    """Return a length of time in words: whole weeks where it is that."""
    weeks, rest = divmod(us, 604_800_000_000)
    if weeks and not rest:
        return counted(weeks, "week")
    return time_scale([us / 1e6]).with_unit(us / 1e6)


def _setup(facts: Facts) -> Table:
    m = facts.manifest
    study = {
        "terminating": "terminating (ramp-up included)",
        "steady_state": "steady state",
    }
    kind = str(m.get("study", DASH))
    reason = str(m.get("warmup_reason") or "")
    length = span(facts.warmup_us) if facts.warmup_us else "none"
    warm = f"{length}; {reason}" if reason else length
    events = m.get("events")
    pairs = (
        ("Model", name(str(m.get("model_name", facts.line.name)), 200)),
        ("Model hash", str(m.get("model_hash", DASH))),
        ("Linewright", str(m.get("linewright_version", DASH))),
        ("Result schema", str(m.get("result_schema_version", DASH))),
        ("Seed", str(m.get("seed", DASH))),
        ("Replications", f"{facts.n_replications:,}"),
        ("Study", study.get(kind, kind)),
        ("Start", f"{facts.start:%A, %Y-%m-%d %H:%M}, {m.get('time_zone') or 'UTC'}"),
        ("Horizon (simulated time)", span(facts.horizon_us)),
        ("Warm-up, left out", warm),
        ("Confidence of intervals", f"{facts.confidence:.4g}"),
        ("Intervals", _METHODS.get(str(m.get("interval_method")), DASH)),
        ("Events simulated", f"{events:,}" if isinstance(events, int) else DASH),
        ("Stopped early", "yes" if m.get("stopped_early") else "no"),
    )
    columns = (Column("Item", numeric=False), Column("Value", numeric=False))
    return Table("What was run", columns, pairs)


def _checks(facts: Facts) -> list[Table]:
    laws: dict[str, list[dict[str, object]]] = {}
    for row in facts.rows("checks"):
        laws.setdefault(str(row["law"]), []).append(row)
    if not laws:
        return []
    columns = (
        Column("Law", numeric=False),
        Column("Checked"),
        Column("Failed"),
        Column("Largest difference"),
        Column("Verdict", numeric=False),
    )
    rows = []
    for law, found in laws.items():
        n_bad = sum(not row["ok"] for row in found)
        gap = max((_gap(row) for row in found), default=0.0)
        verdict = "FAILED" if n_bad else "holds"
        rows.append(
            (name(law, 200), f"{len(found):,}", f"{n_bad:,}", f"{gap:.3g}", verdict)
        )
    tables = [Table("Self-checks: laws that every run must obey", columns, tuple(rows))]
    broken = [row for found in laws.values() for row in found if not row["ok"]]
    if broken:
        tables.append(_broken(broken))
    return tables


def _gap(row: dict[str, object]) -> float:
    try:
        gap = abs(float(str(row["expected"])) - float(str(row["found"])))
    except ValueError:
        return 0.0
    return gap if math.isfinite(gap) else 0.0


def _broken(rows: list[dict[str, object]]) -> Table:
    columns = (
        Column("Law", numeric=False),
        Column("Where", numeric=False),
        Column("Replication"),
        Column("Expected"),
        Column("Found"),
    )
    cells = tuple(
        (
            name(str(row["law"]), 200), name(str(row["entity"]), 200) or "line",
            str(row["replication"]), str(row["expected"]), str(row["found"]),
        )
        for row in rows[:FAILED_ROWS]
    )  # fmt: skip
    return Table(f"Failed self-checks ({len(rows):,})", columns, cells)


def _plain(values: Iterable[float]) -> tuple[str, ...]:
    return tuple(number(v, digits=5) for v in values)


def _summary(facts: Facts) -> Table:
    columns = (
        Column("Measure", numeric=False),
        Column("Of", numeric=False),
        Column("Unit", numeric=False),
        Column("Mean"),
        Column("Half-width"),
        Column("Low"),
        Column("High"),
        Column("n"),
    )
    rows = []
    for row in facts.rows("summary")[:SUMMARY_ROWS]:
        n_batches = row.get("batches")
        numbers = [
            math.nan if row[k] is None else float(row[k])
            for k in ("mean", "half_width", "low", "high")
        ]
        rows.append(
            (
                str(row["measure"]), name(row["entity"] or "", 200) or "line",
                str(row["unit"] or ""), *_plain(numbers),
                f"{n_batches} batches" if n_batches else f"{row['n']}",
            )
        )  # fmt: skip
    return Table("All estimates", columns, tuple(rows))


def section(facts: Facts) -> tuple[Section, Table]:
    """Return the appendix, and the long table of all estimates to be folded away."""
    checks = facts.rows("checks")
    n_bad = sum(not row["ok"] for row in checks)
    if not checks:
        headline = "This result carries no self-checks"
    elif n_bad:
        headline = f"{n_bad:,} of {counted(len(checks), 'self-check')} failed"
    else:
        headline = f"All {counted(len(checks), 'self-check')} hold"
    tables = (_setup(facts), *_checks(facts))
    return Section("appendix", "Appendix", headline, tables=tables), _summary(facts)


STATE_TERMS = tuple((state.label, state.meaning) for state in STATES)
