"""Overall equipment effectiveness: availability, performance, quality by station."""

from __future__ import annotations

from linewright.report.facts import Facts
from linewright.report.parts import Bar, Cell, Column, Section, Table
from linewright.report.words import name, percent

__all__ = ["section"]

_FACTORS = ("oee_availability", "oee_performance", "oee_quality")
_WORDS = {
    "oee_availability": "availability",
    "oee_performance": "performance",
    "oee_quality": "quality",
}


def _bar(facts: Facts, measure: str, station: str, role: str) -> Bar:
    found = facts.estimate(measure, station)
    return Bar(percent(found.mean, found.half), found.mean, role)


def _headline(facts: Facts, stations: list[str]) -> str:
    by_oee = sorted(stations, key=lambda s: facts.estimate("oee", s).mean)
    low, high = by_oee[0], by_oee[-1]
    least, most = facts.estimate("oee", low), facts.estimate("oee", high)
    tail = "takes most from it"
    if low == high:
        text = f"OEE of {name(low)} is {percent(least.mean, least.half)}"
    elif percent(least.mean, least.half) == percent(most.mean, most.half):
        text = f"OEE is {percent(least.mean, least.half)} at every station"
    else:
        tail = "takes most from the lowest"
        text = (
            f"OEE runs from {percent(least.mean, least.half)} ({name(low, 30)}) to "
            f"{percent(most.mean, most.half)} ({name(high, 30)})"
        )
    factors = {f: facts.estimate(f, low).mean for f in _FACTORS}
    known = {f: v for f, v in factors.items() if v == v}  # noqa: PLR0124 - NaN
    if not known:
        return text
    worst = min(known, key=lambda f: known[f])
    return f"{text}; {_WORDS[worst]} {tail}"


def section(facts: Facts) -> Section | None:
    """Return the OEE table, or nothing where the result has none."""
    stations = [s for s in facts.stations if facts.estimate("oee", s).known]
    if not stations:
        return None
    columns = (
        Column("Station", numeric=False),
        Column("OEE"),
        Column("Availability"),
        Column("Performance"),
        Column("Quality"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            name(station, 200),
            _bar(facts, "oee", station, "accent-soft"),
            *(_bar(facts, factor, station, "grid") for factor in _FACTORS),
        )
        for station in stations
    )
    table = Table("OEE and its three factors by station", columns, rows)
    note = (
        "OEE = availability \u00d7 performance \u00d7 quality, after the time model of "
        "ISO 22400-2. Time starved or blocked counts against availability although "
        "nothing is wrong with the station: read this table together with the waiting "
        "times above."
    )
    return Section("oee", "OEE", _headline(facts, stations), (note,), tables=(table,))
