"""Tools, cards, spares and materials: how many are free, how often there is none."""

from __future__ import annotations

import numpy as np

from linewright.report.facts import Facts, estimate
from linewright.report.parts import Bar, Cell, Column, Section, Table
from linewright.report.words import name, percent

__all__ = ["section"]

_KINDS = {"tool": "tool or card", "spare": "spare component", "material": "material"}


def section(facts: Facts) -> Section | None:
    """Return the table of the stocks, or nothing where the line has none."""
    none = facts.per_replication("stocks", "stock", "none_share")
    if not none:
        return None
    shares = {
        stock: estimate(np.asarray(values), facts.confidence)
        for stock, values in none.items()
    }
    about = {row["stock"]: row for row in facts.rows("stocks")}
    free = facts.mean("stocks", "stock", "free_mean")
    taken = facts.mean("stocks", "stock", "taken")
    table_rows: list[tuple[Cell, ...]] = [
        (
            name(stock, 200),
            _KINDS[about[stock]["kind"]],
            str(about[stock]["count"]),
            f"{free[stock]:.1f}",
            f"{taken[stock]:.0f}",
            Bar(percent(share.mean, share.half), share.mean),
        )
        for stock, share in shares.items()
    ]
    columns = (
        Column("Name", numeric=False),
        Column("Kind", numeric=False),
        Column("At the start"),
        Column("Free on average"),
        Column("Taken"),
        Column("None free"),
    )
    table = Table("Tools, cards, spares and materials", columns, tuple(table_rows))
    most = max(shares, key=lambda stock: shares[stock].mean)
    share = shares[most]
    text = f"Of {name(most, 40)} none is free {percent(share.mean, share.half)} of the "
    text += "time"
    if len(shares) > 1:
        text += f", the most of {len(shares)}"
    note = (
        "None free is the share of time in which a part, or a repair, that asked for "
        "one would have had to wait. Taken is the number taken in a replication."
    )
    title = "Tools and materials"
    return Section("stocks", title, text, (note,), tables=(table,))
