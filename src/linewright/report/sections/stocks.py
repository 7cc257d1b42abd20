"""Tools, cards, spares and materials: how many are out, how often there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from linewright.report.facts import Estimate, Facts, estimate
from linewright.report.parts import Bar, Cell, Column, Section, Table
from linewright.report.words import join, name, number, percent, time_scale

__all__ = ["section"]


def section(facts: Facts) -> Section | None:
    """Return the tables of the stocks, or nothing where the line has none."""
    none = facts.per_replication("stocks", "stock", "none_share")
    if not none:
        return None
    shares = {
        stock: estimate(np.asarray(values), facts.confidence)
        for stock, values in none.items()
    }
    about = {row["stock"]: row for row in facts.rows("stocks")}
    bought = [stock for stock in shares if about[stock]["kind"] == "material"]
    lent = [stock for stock in shares if stock not in bought]
    tables, notes = [], []
    if lent:
        tables.append(_lent(facts, lent, about, shares))
        notes.append(
            "Out are those that parts, setups or repairs have, that are on their way "
            "back, or that are being repaired. None free is the share of all time in "
            "which whoever asked for one would have had to wait. Taken is a number for "
            "each replication."
        )
    if bought:
        tables.append(_bought(facts, bought, about, shares))
    notes += _waits(facts)
    most = max(shares, key=lambda stock: shares[stock].mean)
    share = shares[most]
    what = "on hand" if most in bought else "free"
    text = (
        f"Of {name(most, 40)} none is {what} {percent(share.mean, share.half)} of the "
    )
    text += "time"
    if len(shares) > 1:
        text += f", the most of {len(shares)} that can run short"
    if not share.mean > 0:
        text = "Tools and materials never run short"
    title = "Tools and materials"
    return Section("stocks", title, text, tuple(notes), tables=tuple(tables))


def _lent(
    facts: Facts,
    stocks: list[str],
    about: Mapping[str, Mapping[str, Any]],
    shares: Mapping[str, Estimate],
) -> Table:
    """Return the table of what is taken and comes back."""
    free = facts.mean("stocks", "stock", "free_mean")
    taken = facts.mean("stocks", "stock", "taken")
    rows: list[tuple[Cell, ...]] = []
    for stock in stocks:
        count = int(about[stock]["count"])
        out = count - free[stock]
        kind = "spare" if about[stock]["kind"] == "spare" else "tool"
        rows.append(
            (
                name(stock, 200),
                "card" if stock in facts.line.loops else kind,
                Bar(f"{number(out)} of {count:,}", out / count if count else 0.0),
                number(taken[stock]),
                _none(shares[stock]),
            )
        )
    columns = (
        Column("Name", numeric=False),
        Column("Kind", numeric=False),
        Column("Out on average"),
        Column("Taken"),
        Column("None free"),
    )
    return Table("Tools, cards and spares", columns, tuple(rows))


def _bought(
    facts: Facts,
    stocks: list[str],
    about: Mapping[str, Mapping[str, Any]],
    shares: Mapping[str, Estimate],
) -> Table:
    """Return the table of bought materials."""
    free = facts.mean("stocks", "stock", "free_mean")
    taken = facts.mean("stocks", "stock", "taken")
    rows: list[tuple[Cell, ...]] = [
        (
            name(stock, 200),
            f"{int(about[stock]['count']):,}",
            number(free[stock]),
            number(taken[stock]),
            _none(shares[stock]),
        )
        for stock in stocks
    ]
    columns = (
        Column("Material", numeric=False),
        Column("At the start"),
        Column("On hand on average"),
        Column("Taken"),
        Column("None on hand"),
    )
    return Table("Bought materials", columns, tuple(rows))


def _none(share: Estimate) -> Bar:
    return Bar(percent(share.mean, share.half), share.mean, "warn-soft")


def _waits(facts: Facts) -> list[str]:
    """Say for what setups and repairs waited, how often and how long."""
    waited = facts.per_replication("stocks", "stock", "waited")
    waits_s = facts.mean("stocks", "stock", "wait_mean_s")
    scale = time_scale([wait for wait in waits_s.values() if np.isfinite(wait)])
    late = [
        f"{number(float(n.mean()))} times for {name(stock, 60)}, "
        f"{scale.with_unit(waits_s[stock])} each"
        for stock, n in waited.items()
        if n.mean() > 0
    ]
    if not late:
        return []
    lent = any(row["kind"] != "spare" and row["waited"] for row in facts.rows("stocks"))
    who = "setups and repairs" if lent else "repairs"
    return [f"In a replication {who} waited on average {join(late)}."]
