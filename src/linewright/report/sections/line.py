"""The line drawn stage by stage, each station with what it does with its time."""

from __future__ import annotations

from linewright.report.canvas import NARROW, WIDE
from linewright.report.facts import Facts
from linewright.report.linemap.drawing import Card, draw
from linewright.report.linemap.placing import Stage, stages_of
from linewright.report.linemap.plan import draw_plan, has_plan
from linewright.report.pages import render
from linewright.report.palette import STATES
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.routes import Link, links, station_order
from linewright.report.sections.limits import ranking
from linewright.report.sections.states import busiest_first
from linewright.report.words import DASH, count, counted, join, name, percent

__all__ = ["section"]

SHOWN = 120


def _card(facts: Facts, station: str, *, marked: bool) -> Card:
    k = facts.stations.index(station)
    shares = facts.clock_shares[k]
    used = percent(facts.utilization(station).mean)
    level = facts.estimate("level_mean", station)
    words = [
        f"{state.label} {percent(float(share))}"
        for state, share in zip(STATES, shares, strict=True)
        if share >= 0.0005
    ]
    return Card(
        f"{used} used",
        facts.line.stations[station].servers,
        count(level.mean) if level.known and level.mean >= 0.05 else "",
        tuple((s.role, float(v)) for s, v in zip(STATES, shares, strict=True)),
        f"{name(station, 200)}: {', '.join(words)}",
        marked,
    )


def _table(facts: Facts, stages: list[Stage], moves: list[Link]) -> Table:
    columns = (
        Column("Stage", numeric=False),
        Column("Lane", numeric=False),
        Column("Station", numeric=False),
        Column("Servers"),
        Column("Goes to", numeric=False),
        Column("Used"),
        *(Column(state.label.capitalize()) for state in STATES),
    )
    rows = []
    for stage in stages:
        for lane in stage.lanes:
            for station in lane.stations:
                k = facts.stations.index(station)
                then = dict.fromkeys(
                    name(m.target) for m in moves if m.source == station
                )
                shares = (percent(float(v)) for v in facts.clock_shares[k])
                rows.append(
                    (
                        name(stage.label, 200) or DASH, lane.label, name(station, 200),
                        f"{facts.line.stations[station].servers:,}",
                        join(then, 6) or DASH,
                        percent(facts.utilization(station).mean), *shares,
                    )
                )  # fmt: skip
    return Table("Stations by stage; shares of the whole clock", columns, tuple(rows))


def _headline(facts: Facts, stages: list[Stage]) -> str:
    shares = facts.shift_shares
    on = shares[shares.sum(axis=1) > 0]
    n = counted(len(facts.stations), "station")
    servers = sum(facts.line.stations[s].servers for s in facts.stations)
    in_stages = f" in {counted(len(stages), 'stage')}" if len(stages) > 1 else ""
    lead = f"{n} with {counted(servers, 'server')}{in_stages}"
    if not len(on):
        return f"{lead}; none was on shift"
    if len(on) == len(facts.stations) == 1:
        share = percent(float(on[0, 0]))
        return f"{lead}: it works on parts {share} of its time on shift"
    busy = int((on[:, 0] >= 0.85).sum())
    many = counted(busy, "station works", "stations work") if busy else "none works"
    return (
        f"{lead}: on shift they work on parts {percent(float(on[:, 0].mean()))} of the "
        f"time; {many} more than 85%"
    )


def section(facts: Facts) -> Section | None:
    """Return the picture of the line."""
    if not facts.stations:
        return None
    known = [s for s in station_order(facts.line) if s in facts.stations]
    notes = []
    if len(known) > SHOWN:
        best = {facts.stations[k] for k in busiest_first(facts.shift_shares)[:SHOWN]}
        notes.append(
            f"The {SHOWN} stations that wait least, of {len(known):,}; the table has "
            "all."
        )
        shown = [s for s in known if s in best]
    else:
        shown = known
    stages, moves = stages_of(facts.line, shown), links(facts.line)
    first = ranking(facts)[:1]
    cards = {s: _card(facts, s, marked=s in first) for s in shown}
    headline = _headline(facts, stages)
    on_plan = has_plan(facts.line, shown)
    title = "The line on its floor" if on_plan else "The line, stage by stage"
    alt = f"{headline}. " + "; ".join(_spoken(stage) for stage in stages[:12])
    drawings = [draw(stages, moves, cards, width) for width in (WIDE, NARROW)]
    if on_plan:  # a phone has no room for it
        drawings[0] = draw_plan(facts.line, stages, moves, cards, WIDE)
    wide, narrow = (
        render("linemap.svg.j2", d=d, key=key, title=title, alt=alt)
        for d, key in zip(drawings, ("line-w", "line-n"), strict=True)
    )
    left_out = max(d.n_left_out for d in drawings)
    if left_out:
        notes.append(
            f"Up to {counted(left_out, 'move')} that do not fit are not drawn; the "
            "table lists where each station's parts go."
        )
    caption = (
        "Bar: what the station does with the whole clock, time off shift included. "
        "Used: processing time over time on shift. Triangle: mean number of units that "
        "wait before it. Framed: waits least. Dashed: rework."
    )
    table = _table(facts, stages_of(facts.line, known), moves)
    figure = Figure("line", title, alt, wide, narrow, caption, table, legend="clock")
    return Section("line", "The line", headline, (), (figure,), notes=tuple(notes))


def _spoken(stage: Stage) -> str:
    stations = [name(s) for lane in stage.lanes for s in lane.stations]
    return f"{name(stage.label) or 'Stations'}: {join(stations, 8)}"
