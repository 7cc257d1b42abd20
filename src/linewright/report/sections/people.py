"""People: how much of their number is at work, and how long they are waited for."""

from __future__ import annotations

import numpy as np

from linewright.report.facts import Facts, estimate
from linewright.report.parts import Bar, Cell, Column, Section, Table
from linewright.report.words import name, percent, time_scale

__all__ = ["section"]


def section(facts: Facts) -> Section | None:
    """Return the table of the pools, or nothing where the line has none."""
    busy = facts.per_replication("people", "pool", "busy_mean")
    if not busy:
        return None
    counts = {pool: facts.line.people[pool].count for pool in busy}
    shares = {
        pool: estimate(np.asarray(values) / counts[pool], facts.confidence)
        for pool, values in busy.items()
    }
    asked = facts.per_replication("people", "pool", "asked")
    waited = facts.per_replication("people", "pool", "waited")
    waits_s = facts.mean("people", "pool", "wait_mean_s")
    walking = facts.mean("people", "pool", "walking_mean")
    walks = any(pool.walk for pool in facts.line.people.values())
    scale = time_scale([wait for wait in waits_s.values() if np.isfinite(wait)])
    rows: list[tuple[Cell, ...]] = []
    for pool, share in shares.items():
        total = float(asked[pool].sum())
        late = float(waited[pool].sum()) / total if total else 0.0
        wait = waits_s[pool]
        rows.append(
            (
                name(pool, 200),
                str(counts[pool]),
                Bar(percent(share.mean, share.half), share.mean),
                *([percent(walking[pool] / counts[pool])] if walks else []),
                percent(late),
                scale.with_unit(wait) if np.isfinite(wait) else "-",
            )
        )
    columns = (
        Column("Pool", numeric=False),
        Column("People"),
        Column("At work"),
        *([Column("On their way")] if walks else []),
        Column("Not free at once"),
        Column("Mean wait, all times asked"),
    )
    table = Table("Pools of people", columns, tuple(rows))
    most = max(shares, key=lambda pool: shares[pool].mean)
    share = shares[most]
    at_work = percent(share.mean, share.half)
    text = f"The pool {name(most, 40)} is at work {at_work} of the time"
    if len(shares) > 1:
        text += f", the most of {len(shares)} pools"
    note = (
        "At work is the share of all the time of all people of the pool, on shift or "
        "not. Not free at once is the share of times that a station, or a repair, had "
        "to wait for the people it asked for."
    )
    if walks:
        note += " Ways to work are part of it; on their way is the share of them alone."
    if any(pool.skills for pool in facts.line.people.values()):
        note += (
            " Who asks for a skill and finds nobody free is counted with the first "
            "pool that has it."
        )
    return Section("people", "People", text, (note,), tables=(table,))
