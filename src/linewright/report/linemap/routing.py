"""How moves are drawn: straight to the next box, else through channels between rows.

Moves to the same station share one line (a net), so that a kit of six components
arrives as one comb. A net runs in a horizontal channel above a row, and where it must
pass rows, down the vertical channel at the right. Nets in one channel never share a
track. A picture with more nets than fit says how many it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from linewright.report.linemap.placing import Place
from linewright.report.routes import Link

__all__ = ["Net", "Plan", "Routing", "route"]

Key = tuple[str, bool]


@dataclass(slots=True)
class Net:
    """All moves to one station that are not straight, apart by rework or not."""

    target: Place
    rework: bool
    sources: list[Place] = field(default_factory=list)
    tracks: dict[int, int] = field(default_factory=dict)
    channel: int | None = None

    @property
    def gutters(self) -> set[int]:
        """Return the channels used: gutter r lies above row r."""
        return {self.target.row, *(exit_gutter(s, self.target) for s in self.sources)}


@dataclass(frozen=True, slots=True)
class Routing:
    """Straight moves, nets with their tracks, tracks of each channel."""

    straight: tuple[tuple[Place, Place, bool], ...]
    nets: tuple[Net, ...]
    gutter_tracks: dict[int, int]
    n_channels: int
    n_left_out: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What `route` needs to know of the picture: columns and room at the right."""

    n_columns: int
    max_channels: int


def exit_gutter(source: Place, target: Place) -> int:
    """Return the channel into which a move leaves its station."""
    return source.row if source.row == target.row else source.row + 1


def _is_straight(source: Place, target: Place) -> bool:
    return source.row == target.row and source.column + 1 == target.column


def _first_free(taken: list[list[tuple[float, float]]], low: float, high: float) -> int:
    """Return the first track where [low, high] touches nothing, and take it."""
    for track, spans in enumerate(taken):
        if all(high < a or b < low for a, b in spans):
            spans.append((low, high))
            return track
    taken.append([(low, high)])
    return len(taken) - 1


def _span(net: Net, gutter: int, n_columns: int) -> tuple[float, float]:
    """Return the columns that a net covers in a channel; past the last is the right."""
    columns = [
        float(s.column) for s in net.sources if exit_gutter(s, net.target) == gutter
    ]
    if gutter == net.target.row:
        columns.append(float(net.target.column))
    if net.channel is not None:
        columns.append(float(n_columns))
    return min(columns), max(columns)


def _nets(
    places: dict[str, Place], links: Iterable[Link]
) -> tuple[list[tuple[Place, Place, bool]], list[Net]]:
    straight: list[tuple[Place, Place, bool]] = []
    nets: dict[Key, Net] = {}
    for link in links:
        source, target = places.get(link.source), places.get(link.target)
        if source is None or target is None:
            continue
        rework = link.kind == "rework"
        if _is_straight(source, target):
            straight.append((source, target, rework))
        else:
            net = nets.setdefault((link.target, rework), Net(target, rework))
            net.sources.append(source)
    return straight, sorted(nets.values(), key=lambda n: n.rework)


def route(places: Sequence[Place], links: Iterable[Link], plan: Plan) -> Routing:
    """Return every move with the tracks it is drawn on."""
    straight, nets = _nets({p.station: p for p in places}, links)
    channels: list[list[tuple[float, float]]] = []
    kept: list[Net] = []
    for net in nets:
        gutters = net.gutters
        if len(gutters) > 1:
            net.channel = _first_free(channels, min(gutters), max(gutters))
            if net.channel >= plan.max_channels:
                continue
        kept.append(net)
    tracks: dict[int, list[list[tuple[float, float]]]] = {}
    for net in kept:
        for gutter in sorted(net.gutters):
            low, high = _span(net, gutter, plan.n_columns)
            net.tracks[gutter] = _first_free(tracks.setdefault(gutter, []), low, high)
    return Routing(
        tuple(straight),
        tuple(kept),
        {gutter: len(taken) for gutter, taken in tracks.items()},
        min(len(channels), plan.max_channels),
        sum(len(net.sources) for net in nets) - sum(len(net.sources) for net in kept),
    )
