"""Decisions so far, from the ledger: what was promised against what came of it."""

from __future__ import annotations

import math
from collections import Counter

from linewright.improve.decisions import Decision
from linewright.report.facts import Facts
from linewright.report.parts import Cell, Column, Section, Table
from linewright.report.words import DASH, clean, counted, join, name, number

__all__ = ["section"]

_OPEN = "not measured yet"


def section(facts: Facts) -> Section | None:
    """Return the decisions on record, or nothing where there are none."""
    decisions = facts.found.decisions
    if not decisions:
        return None
    currency = name(facts.line.currency or "", 12)
    columns = (
        Column("Decision", numeric=False),
        Column("Ratified", numeric=False),
        Column("Why", numeric=False),
        Column(f"Cost, {currency}" if currency else "Cost"),
        Column("Before"),
        Column("Gain promised"),
        Column("Gain realised"),
        Column("Verdict", numeric=False),
    )
    table = Table(
        "Promised against realised", columns, tuple(_row(one) for one in decisions)
    )
    text = (
        "A decision is as promised if what was measured afterwards lies within the "
        "interval that it was ratified with.",
    )
    return Section(
        "decided", "Decisions so far", _headline(decisions), text, tables=(table,)
    )


def _headline(decisions: tuple[Decision, ...]) -> str:
    n = counted(len(decisions), "decision is", "decisions are")
    verdicts = Counter(one.verdict for one in decisions if one.verdict != _OPEN)
    measured = sum(verdicts.values())
    if not measured:
        return f"{n} on record, none of them measured yet"
    if len(decisions) == measured == 1:
        return f"1 decision is on record; it brought {_only(verdicts)}"
    parts = [f"{k} {verdict}" for verdict, k in verdicts.items()]
    return f"{n} on record, {measured} of them measured: {join(parts)}"


def _only(verdicts: Counter[str]) -> str:
    (verdict,) = verdicts
    return "what was promised" if verdict == "as promised" else verdict


def _row(one: Decision) -> tuple[Cell, ...]:
    mean, low, high = one.promised
    half = (high - low) / 2 if math.isfinite(high - low) else math.nan
    unit = name(one.objective.rpartition(", ")[2], 40)
    last = one.realised[-1] if one.realised else None
    realised = DASH
    if last is not None:
        realised = f"{_signed(number(last.value - one.base))} ({name(last.on, 20)})"
    return (
        f"{one.number}: {join((name(o, 80) for o in one.options), 99)}",
        f"{name(one.on, 20)}, {name(one.by, 80)}",
        clean(one.reason),
        f"{one.cost:,.10g}",
        f"{number(_amount(one))} {unit}",
        _signed(number(mean, half)),
        realised,
        one.verdict,
    )


def _amount(one: Decision) -> float:
    """Return the objective before; a time is kept as its negative."""
    return abs(one.base) if one.objective.startswith("flow_time") else one.base


def _signed(text: str) -> str:
    return text if text.startswith(("\u2212", DASH)) else f"+{text}"
