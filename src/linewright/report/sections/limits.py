"""What holds the line back, as far as the states of its stations can tell.

Two signs are read. The station that waits least (neither blocked nor starved) has the
least to give. And along a route, stations before a limit tend to be blocked and those
after it starved, so that the sign of blocked minus starved turns at the limit.

Neither proves anything: a bottleneck is the station whose speed-up raises throughput
most. Where `linewright bottleneck` looked at that (`holds`), its verdict comes first
and these signs stand below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from linewright.improve.files import BottleneckFile
from linewright.report.canvas import SMALL, Canvas, draw_both, label_room
from linewright.report.facts import Estimate, Facts, estimate
from linewright.report.palette import PLACE, STATES
from linewright.report.parts import Column, Figure, Section, Table
from linewright.report.routes import Chain, chains, finals, station_order
from linewright.report.sections import holds
from linewright.report.sections.states import busiest_first
from linewright.report.sections.throughput import outputs
from linewright.report.words import counted, fit, join, name, percent

__all__ = [
    "Turn",
    "candidates",
    "demand_is_met",
    "headline",
    "is_saturated",
    "ranking",
    "section",
    "turning_point",
]

SHOWN = 60
BLOCKED, STARVED = PLACE["blocked"], PLACE["starved"]
SLACK = 0.2  # waiting share above which no station is near its limit
FIT = 0.75  # share of stations that must fit the pattern of a turning point

HONEST = (
    "These are signs, not proof. A station is the bottleneck if making it faster "
    "raises throughput most; linewright bottleneck tests that, and its verdict can "
    "stand here. Test a change in the model before money is spent on it."
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Where blocked turns to starved on a way, and how many of the others fit."""

    station: str
    fits_before: int
    fits_after: int
    n: int

    @property
    def fits(self) -> int:
        """Return how many other stations fit the pattern."""
        return self.fits_before + self.fits_after

    @property
    def clear(self) -> bool:
        """Whether the pattern is there, on both sides."""
        both = self.fits_before > 0 and self.fits_after > 0
        return both and self.fits >= FIT * self.n


def ranking(facts: Facts) -> list[str]:
    """Return the stations that were ever on shift, the one that waits least first."""
    shares = facts.shift_shares
    on = [k for k in busiest_first(shares) if shares[k].sum() > 0]
    return [facts.stations[k] for k in on]


def turning_point(facts: Facts, route: Sequence[str]) -> Turn | None:
    """Return the station of a route where blocked turns to starved.

    Source:
        Li, Chang and Ni (2009), International Journal of Production Research 47(18),
        5019-5036; here the best fit is taken, and how good it is is told.
    """
    known = [s for s in dict.fromkeys(route) if s in facts.stations]
    rows = [facts.stations.index(s) for s in known]
    shares = facts.shift_shares[rows] if rows else np.zeros((0, len(STATES)))
    if len(known) < 3:
        return None
    excess = shares[:, BLOCKED] - shares[:, STARVED]
    waits = shares[:, BLOCKED] + shares[:, STARVED]
    before = [int((excess[:j] > 0).sum()) for j in range(len(known))]
    after = [int((excess[j + 1 :] < 0).sum()) for j in range(len(known))]

    def rank(j: int) -> tuple[int, bool, float]:
        one_sided = not (before[j] and after[j])
        return -before[j] - after[j], one_sided, float(waits[j])

    best = min(range(len(known)), key=rank)
    return Turn(known[best], before[best], after[best], len(known) - 1)


def _turns(facts: Facts) -> tuple[dict[str, list[tuple[Chain, Turn]]], int]:
    """Return the clear turns by station, most routes first, and how many routes."""
    ways = chains(facts.line)
    found: dict[str, list[tuple[Chain, Turn]]] = {}
    for chain in ways:
        turn = turning_point(facts, chain.stations)
        if turn and turn.clear:
            found.setdefault(turn.station, []).append((chain, turn))
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return dict(ordered), len(ways)


def _tied(facts: Facts, ranked: Sequence[str]) -> list[str]:
    """Return the first station and those whose waiting does not differ from its."""
    shares = facts.shift_shares_by_replication
    waits = shares[:, :, BLOCKED] + shares[:, :, STARVED]
    first = facts.stations.index(ranked[0])
    tied = [ranked[0]]
    for station in ranked[1:4]:
        gap = waits[:, facts.stations.index(station)] - waits[:, first]
        found = estimate(gap, facts.confidence)
        if found.mean < (found.half if found.sure else 0.02):
            tied.append(station)
    return tied


# ---------------------------------------------------------------- words


def _wait(facts: Facts, station: str) -> Estimate:
    return facts.shift_share(station, ["blocked", "starved"])


def candidates(facts: Facts) -> list[str]:
    """Return the station that waits least, and those that may as well."""
    ranked = ranking(facts)
    return _tied(facts, ranked) if ranked else []


def headline(facts: Facts) -> str:
    """Return what holds the line back in a sentence; empty where nothing is known."""
    if facts.found.bottleneck:
        return holds.headline(facts.found.bottleneck, is_met=demand_is_met(facts))
    tied = candidates(facts)
    return _headline(facts, tied) if tied else ""


def demand_is_met(facts: Facts) -> bool:
    """Return whether every product that is asked for meets its demand."""
    asked = [o.verdict for o in outputs(facts) if o.asked]
    return bool(asked) and set(asked) == {"meets"}


def is_saturated(facts: Facts) -> bool:
    """Return whether stations block although a new unit can always start.

    Then the line is held back from within, not by what is released.
    """
    last = [facts.line.products[p].release for p in finals(facts.line)]
    capped = facts.line.conwip or any(release.conwip for release in last)
    blocks = bool((facts.shift_shares[:, BLOCKED] > 0.02).any())
    return blocks and not capped and all(r.kind == "always" for r in last)


def _headline(facts: Facts, tied: Sequence[str]) -> str:
    wait = _wait(facts, tied[0])
    first, share = name(tied[0], 36), percent(wait.mean, wait.half)
    if demand_is_met(facts):
        return (
            f"Demand is met; {first} is closest to its limit and waits "
            f"{share} of its time on shift"
        )
    if wait.mean > SLACK and is_saturated(facts):
        return (
            f"Stations hold each other up: even {first}, the closest to its "
            f"limit, waits {share} of its time on shift"
        )
    if wait.mean > SLACK:
        return (
            f"No station is near its limit: even {first}, the closest, "
            f"waits {share} of its time on shift"
        )
    if len(tied) > 1:
        return (
            f"{join((name(s, 30) for s in tied), 4)} are too close to call as the "
            f"limit; {first} waits {share} of its time on shift"
        )
    return (
        f"{first} most likely holds the line back: it waits only {share} "
        "of its time on shift"
    )


def _time_of(facts: Facts, station: str) -> str:
    parts = (
        ("processing", "processing"),
        ("setup", "setup"),
        ("failed", "failed"),
        ("maintenance", "maintenance"),
    )
    shares = [(label, facts.shift_share(station, [key]).mean) for key, label in parts]
    words = [f"{percent(share)} {label}" for label, share in shares if share >= 0.005]
    return join(words, 4)


def _text(facts: Facts, ranked: Sequence[str], tied: Sequence[str]) -> list[str]:
    first = ranked[0]
    text = [f"Time on shift of {name(first)}: {_time_of(facts, first)}."]
    if len(ranked) > len(tied):
        following = ranked[len(tied) : len(tied) + 3]
        parts = (f"{name(s, 36)} ({percent(_wait(facts, s).mean)})" for s in following)
        text[0] += f" Next in line by the share of time they wait: {join(parts)}."
    slack = _wait(facts, first).mean > SLACK
    if slack and is_saturated(facts):
        text.append(
            "There is always something to start, and still every station waits: times "
            "that vary and buffers that are small take the output. More places or "
            "steadier times may help as much as a faster station."
        )
    elif slack or demand_is_met(facts):
        text.append(
            "Where no station is short of time, output is set by what is released, by "
            "demand, by a cap on units in the line, or by the calendar."
        )
    return text


def _turn_text(facts: Facts, tied: Sequence[str]) -> list[str]:
    turns, n_ways = _turns(facts)
    if not n_ways:
        return []
    if not turns:
        return [
            "No way through the line shows a clear turn from blocked before to starved "
            "after one station; large buffers, releases below capacity or joins hide "
            "it."
        ]
    parts = []
    for station, ways in list(turns.items())[:3]:
        chain, turn = max(ways, key=lambda way: way[1].fits / way[1].n)
        example = join((name(p, 24) for p in chain.products), 4)
        parts.append(
            f"at {name(station, 36)} on {len(ways)} of {counted(n_ways, 'way')} "
            f"through the line (as on {example}: {turn.fits} of {turn.n} other "
            "stations fit)"
        )
    station, it = next(iter(turns)), "It" if len(turns) == 1 else "The first"
    if station == tied[0]:
        verdict = f"{it} is also the station that waits least: both signs agree"
    elif station in tied:
        verdict = f"{it} is among the stations that wait least: both signs agree"
    else:
        verdict = f"{it} is not the station that waits least: the two signs disagree"
    lead = "Stations are blocked before and starved after one of them"
    return [f"{lead}: {'; '.join(parts)}. {verdict}."]


# ---------------------------------------------------------------- picture


def _draw(
    facts: Facts, stations: Sequence[str], tied: Sequence[str], width: float
) -> Canvas:
    narrow = width < 600
    step, top = (36, 40) if narrow else (24, 40)
    canvas = Canvas(width, top + step * len(stations) + 4)
    labels = [name(s) for s in stations]
    left, right = (2.0, 50.0) if narrow else (label_room(labels, 220, 12.6), 76.0)
    rows = [facts.stations.index(s) for s in stations]
    shares = facts.shift_shares[rows]
    peak = max(0.1, float(shares[:, [BLOCKED, STARVED]].max()))
    half = (width - left - right) / 2
    zero = left + half
    canvas.text(zero - 8, 10, "blocked", anchor="right", role="muted", size=SMALL)
    canvas.text(zero + 8, 10, "starved", role="muted", size=SMALL)
    canvas.text(width - 2, 10, "not waiting", anchor="right", role="muted", size=SMALL)
    for share in _steps(peak):
        for side in (-1, 1):
            x = zero + side * share / peak * half * 0.96
            canvas.path([x, x], [top - 4, canvas.height - 2], "grid")
            canvas.text(
                x, 28, f"{share:.0%}", anchor="center", role="muted", size=SMALL
            )
    for i, station in enumerate(stations):
        middle = top + step * (i + 0.5)
        y = middle + (9 if narrow else 0)
        bold = station in tied
        if bold:
            canvas.rect(0, top + step * i + 1, width, step - 2, "band")
        if narrow:
            label = fit(labels[i], width - 70, SMALL)
            canvas.text(left, y - 17, label, size=SMALL, bold=bold)
        else:
            canvas.text(4, y, fit(labels[i], left - 12, 12.6), bold=bold)
        for s, side, role in ((BLOCKED, -1, "blocked"), (STARVED, 1, "starved")):
            long = float(shares[i, s]) / peak * half * 0.96
            if long > 0.2:
                canvas.rect(zero - long if side < 0 else zero, y - 6, long, 12, role)
        away = 1 - float(shares[i, BLOCKED] + shares[i, STARVED])
        canvas.text(width - 2, y, percent(away), anchor="right", bold=bold)
        if narrow:  # leave the names free
            canvas.path([zero, zero], [y - 9, y + 9], "ink", 1.2)
    if not narrow:
        canvas.path([zero, zero], [top - 4, canvas.height - 2], "ink", 1.2)
    return canvas


def _steps(peak: float) -> list[float]:
    step = next((s for s in (0.05, 0.1, 0.2, 0.25) if peak / s <= 4), 0.25)
    return [step * i for i in range(1, int(peak / step + 1e-9) + 1)]


def _table(facts: Facts, stations: Sequence[str]) -> Table:
    columns = (
        Column("Station", numeric=False),
        Column("Not waiting"),
        Column("Blocked"),
        Column("Starved"),
        Column("Processing"),
        Column("Setup"),
        Column("Failed"),
        Column("Maintenance"),
    )
    keys = ("blocked", "starved", "processing", "setup", "failed", "maintenance")
    rows = []
    for station in stations:
        wait = _wait(facts, station)
        shares = [facts.shift_share(station, [key]) for key in keys]
        cells = [percent(s.mean, s.half) for s in shares]
        rows.append((name(station, 200), percent(1 - wait.mean, wait.half), *cells))
    return Table(
        "Share of time on shift, in the order of the routings", columns, tuple(rows)
    )


def section(facts: Facts) -> Section | None:
    """Return what holds the line back, or nothing where no station was on shift."""
    ranked = ranking(facts)
    if not ranked:
        return None
    tied = _tied(facts, ranked)
    said = _headline(facts, tied)
    order = [s for s in station_order(facts.line) if s in ranked]
    picked = set(ranked[:SHOWN])
    shown = [s for s in order if s in picked]
    title = "Blocked and starved along the line, share of time on shift"
    alt = (
        f"{said}. Stations in routing order; blocked to the left, starved to the right."
    )
    marked = tied if _wait(facts, tied[0]).mean <= SLACK else []
    wide, narrow = draw_both(partial(_draw, facts, shown, marked), "limits", title, alt)
    caption = (
        "Stations in the order of the routings. Not waiting: share of time on shift "
        "that is neither blocked nor starved; the highest has the least to give."
    )
    figure = Figure("limits", title, alt, wide, narrow, caption, _table(facts, order))
    if facts.found.bottleneck:
        return _tested(facts, facts.found.bottleneck, figure)
    notes: tuple[str, ...] = ()
    if len(shown) < len(order):
        n = counted(len(order), "station")
        notes = (f"The {len(shown)} stations that wait least, of {n}.",)
    return Section(
        "limits", "What holds it back", said, tuple(_text(facts, ranked, tied)),
        (figure,), after=(*_turn_text(facts, tied), HONEST), notes=notes,
    )  # fmt: skip


def _tested(facts: Facts, found: BottleneckFile, signs: Figure) -> Section:
    """Return the verdict of all methods, with the signs below it."""
    said = holds.headline(found, is_met=demand_is_met(facts))
    first = found.path.first
    text = holds.verdict_text(found)
    if first in facts.stations and (of_time := _time_of(facts, first)):
        text.append(f"Time on shift of {name(first)}: {of_time}.")
    return Section(
        "limits", "What holds the line back", said, tuple(text),
        (*holds.figures(facts, found, said), signs),
        after=tuple(holds.remarks(found)), notes=(holds.basis(found),),
    )  # fmt: skip
