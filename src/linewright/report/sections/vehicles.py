"""Vehicles: what they do with their time, and how long parts wait for them."""

from __future__ import annotations

import numpy as np

from linewright.report.facts import Estimate, Facts, estimate
from linewright.report.parts import Bar, Cell, Column, Section, Table
from linewright.report.words import name, percent, time_scale

__all__ = ["section"]


def section(facts: Facts) -> Section | None:
    """Return the table of the fleets, or nothing where the line has none."""
    idle = facts.per_replication("vehicles", "fleet", "idle_share")
    if not idle:
        return None
    used = {
        fleet: estimate(1 - np.asarray(shares), facts.confidence)
        for fleet, shares in idle.items()
    }
    table = Table("Fleets", _COLUMNS, tuple(_rows(facts, used)))
    most = max(used, key=lambda fleet: used[fleet].mean)
    busy = percent(used[most].mean, used[most].half)
    text = f"The vehicles of {name(most, 40)} are in use {busy} of the time"
    if len(used) > 1:
        text += f", the most of {len(used)} fleets"
    note = (
        "In use is all but standing idle. Empty is the way to a part, and loading it; "
        "loaded is the way with it, and unloading. Not free at once is the share of "
        "parts that found no idle vehicle; the mean wait, of all parts, ends when one "
        "sets out to them."
    )
    return Section("vehicles", "Vehicles", text, (note,), tables=(table,))


_COLUMNS = (
    Column("Fleet", numeric=False),
    Column("Vehicles"),
    Column("In use"),
    Column("Empty"),
    Column("Loaded"),
    Column("Charging"),
    Column("Not free at once"),
    Column("Mean wait"),
)


def _rows(facts: Facts, used: dict[str, Estimate]) -> list[tuple[Cell, ...]]:
    shares = {
        doing: facts.mean("vehicles", "fleet", f"{doing}_share")
        for doing in ("coming", "carrying", "charging")
    }
    calls = facts.per_replication("vehicles", "fleet", "calls")
    waited = facts.per_replication("vehicles", "fleet", "waited")
    waits_s = facts.mean("vehicles", "fleet", "wait_mean_s")
    scale = time_scale([wait for wait in waits_s.values() if np.isfinite(wait)])
    rows: list[tuple[Cell, ...]] = []
    for fleet, share in used.items():
        total = float(calls[fleet].sum())
        late = float(waited[fleet].sum()) / total if total else 0.0
        wait = waits_s[fleet]
        rows.append(
            (
                name(fleet, 200),
                str(facts.line.vehicles[fleet].count),
                Bar(percent(share.mean, share.half), share.mean),
                *(percent(shares[doing][fleet]) for doing in shares),
                percent(late),
                scale.with_unit(wait) if np.isfinite(wait) else "-",
            )
        )
    return rows
