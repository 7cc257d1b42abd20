"""Options that a file asks for by kind: each is offered wherever it is possible.

What is done at stations (`buffer_place`, `server`, `spare`, `less_…`, `rule`,
`moved_work`) is offered for all of them, or for those that are named; what is done with
products (`conwip`, `lot_size`) for all products that can have it, or for those that are
named; another `shift` for all who work by a calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from linewright.errors import Finding
from linewright.improve.changes import (
    Change,
    another_place,
    another_server,
    another_spare,
    at_most_in_line,
    lots_of,
    moved_work,
    other_calendar,
    other_rule,
    shorter,
)
from linewright.improve.option import Form, Option, know_keys, read, section
from linewright.improve.uncertain import Uncertain, read_uncertain
from linewright.improve.worth import shared
from linewright.model.explain import did_you_mean
from linewright.model.line import DISPATCH_RULES, Line
from linewright.model.source import Node, items
from linewright.model.values import Count, Duration, Money, Name, Probability

__all__ = ["KINDS", "generated"]

_MOST_LEVELS = 20
_Levels = Annotated[Count, Field(le=_MOST_LEVELS)]
_Counts = Annotated[tuple[Count, ...], Field(min_length=1, max_length=_MOST_LEVELS)]
_Share = Annotated[Probability, Field(gt=0, lt=1)]


class _Priced(Form):
    cost: Money
    lead_time: Duration = 0


class _AtStations(_Priced):
    stations: tuple[Name, ...] = ()


class _Pieces(_AtStations):
    most: _Levels = 1


class _Less(_Pieces):
    share: Any


class _Rule(_AtStations):
    rules: Annotated[tuple[DISPATCH_RULES, ...], Field(min_length=1)]


class _Work(_AtStations):
    share: _Share


class _Shift(_Priced):
    calendar: Name
    instead_of: Name | None = None


class _Conwip(_Priced):
    levels: _Counts
    products: tuple[Name, ...] = ()


class _Lots(_Priced):
    sizes: _Counts
    products: tuple[Name, ...] = ()


class _Site(NamedTuple):
    """Where options of one kind are made: what is said, the line, and what is wrong."""

    kind: str
    said: Any
    line: Line
    node: Node
    findings: list[Finding]

    def wrong(self, message: str, hint: str = "") -> None:
        """Note a finding at the kind."""
        text = f"generate.{self.kind}{message}"
        self.findings.append(
            Finding("LW274", text, "error", *self.node.place, help=hint)
        )

    def named(self, what: str, there: Sequence[str]) -> list[str]:
        """Return what is named and there, or all; note what is not there."""
        asked = getattr(self.said, f"{what}s")
        for name in asked:
            if name not in there:
                self.wrong(
                    f' names {what} "{name}", which is not there',
                    did_you_mean(name, list(there)),
                )
        return [name for name in asked or there if name in there]


def generated(root: Node, line: Line, findings: list[Finding]) -> Iterator[Option]:
    """Yield the options that a file asks for by kind."""
    node = section(root, "generate", findings)
    if node is None:
        return
    know_keys(node, tuple(KINDS), "generate", findings)
    for kind, below in items(node):
        if kind in KINDS:
            form, make = KINDS[kind]
            said = read(form, below, f"generate.{kind}", findings)
            if said is not None:
                yield from make(_Site(kind, said, line, below, findings))


# ------------------------------------------------------------------ at stations


def _pieces(site: _Site) -> Iterator[Option]:
    """Yield one piece more, two, and so on, of what a station can have more of."""
    maker = another_place if site.kind == "buffer_place" else another_server
    said = site.said
    for station in site.named("station", list(site.line.stations)):
        changes = [maker(site.line, station, n) for n in range(1, said.most + 1)]
        more = [
            {} if site.kind == "buffer_place" else {station: n}
            for n in range(1, said.most + 1)
        ]
        yield from _levels(said, [c for c in changes if c is not None], more)


def _spares(site: _Site) -> Iterator[Option]:
    """Yield spare components on top of those that there are."""
    line = site.line
    for station in site.named("station", list(line.stations)):
        for failure in line.stations[station].failures:
            found = [
                another_spare(line, station, failure, n)
                for n in range(1, site.said.most + 1)
            ]
            yield from _levels(site.said, [c for c in found if c is not None])


def _less(site: _Site) -> Iterator[Option]:
    """Yield so much less of a time, and less of what is left, and so on."""
    share = _share_of(site)
    if share is None:
        return
    time, line = site.kind.removeprefix("less_"), site.line
    for station in site.named("station", list(line.stations)):
        it = line.stations[station]
        stops = {"repair": list(it.failures), "maintenance": list(it.maintenance)}
        for stop in stops.get(time, [""]):
            yield from _less_of(site, share, (time, station, stop))


def _share_of(site: _Site) -> Uncertain | float | None:
    """Return by which share times become less, or note what is wrong with it."""
    said = site.said.share
    try:
        if isinstance(said, (int, float)) and not isinstance(said, bool):
            share: Uncertain | float = float(said)
        else:
            share = read_uncertain("share", f"option/{site.kind}", said)
        ends = [share] if isinstance(share, float) else [share.at(0), share.at(1)]
        if any(not isinstance(end, float) or not 0 <= end < 1 for end in ends):
            msg = f"found {said}; a share lies between 0 and 1, such as 0.2"
            raise ValueError(msg)
        if isinstance(share, float) and share == 0:
            msg = "found 0; nothing less is no option"
            raise ValueError(msg)
    except ValueError as error:
        site.wrong(f".share: {str(error).splitlines()[0]}")
        return None
    return share


def _less_of(
    site: _Site, share: Uncertain | float, of: tuple[str, str, str]
) -> Iterator[Option]:
    time, station, stop = of

    def change(share: float, n: int) -> Change | None:
        return shorter(site.line, time, station, 1 - (1 - share) ** n, stop)

    typical = share if isinstance(share, float) else float(share.typical)
    levels = range(1, site.said.most + 1)
    changes = [change(typical, n) for n in levels]
    if changes[0] is None:
        return
    options = list(_levels(site.said, [c for c in changes if c is not None]))
    if isinstance(share, float):
        yield from options
        return
    # levels turn out the same way: they are more of one and the same measure
    mine = Uncertain(
        "share", f"option/{options[0].name}", share.distribution, is_time=False
    )
    for n, option in enumerate(options, 1):

        def made(values: Mapping[str, Any], n: int = n) -> Mapping[str, Any]:
            done = change(float(values["share"]), n)
            assert done is not None
            return done.changes

        yield replace(option, uncertain=(mine,), made=made)


def _levels(
    said: Any, changes: Sequence[Change], more: Sequence[Mapping[str, int]] = ()
) -> Iterator[Option]:
    """Yield each level as an option that excludes the other levels."""
    names = [change.name for change in changes]
    for n, change in enumerate(changes, 1):
        others = frozenset(names) - {change.name}
        yield Option(
            change.name, n * said.cost, change.changes, said.lead_time, others,
            more_servers=more[n - 1] if more else {},
        )  # fmt: skip


def _rules(site: _Site) -> Iterator[Option]:
    """Yield rules at the stations that are named, or where several products meet."""
    stations = site.named("station", list(site.line.stations))
    for station in stations if site.said.stations else shared(site.line):
        yield from _choices(
            site, [other_rule(site.line, station, rule) for rule in site.said.rules]
        )


def _choices(site: _Site, changes: Sequence[Change | None]) -> Iterator[Option]:
    """Yield changes of which one can be chosen, all at the same price."""
    there = [change for change in changes if change is not None]
    names = {change.name for change in there}
    for change in there:
        yield Option(
            change.name, site.said.cost, change.changes, site.said.lead_time,
            frozenset(names - {change.name}),
        )  # fmt: skip


def _moves(site: _Site) -> Iterator[Option]:
    """Yield work that moves from a station to the one before or behind it."""
    for station in site.named("station", list(site.line.stations)):
        yield from _choices(site, moved_work(site.line, station, site.said.share))


# ------------------------------------------------------------------ all over the line


def _shift(site: _Site) -> Iterator[Option]:
    calendars = site.line.calendars
    for key in ("calendar", "instead_of"):
        name = getattr(site.said, key)
        if name is not None and name not in calendars:
            site.wrong(
                f'.{key}: "{name}" is no calendar of the line',
                did_you_mean(name, list(calendars)),
            )
            return
    change = other_calendar(site.line, site.said.calendar, site.said.instead_of)
    if change is None:
        site.wrong(": nobody would work by another calendar than now")
        return
    yield Option(change.name, site.said.cost, change.changes, site.said.lead_time)


def _of_products(
    maker: Callable[[Line, str, int], Change | None], levels: str
) -> Callable[[_Site], Iterator[Option]]:
    def make(site: _Site) -> Iterator[Option]:
        for product in site.named("product", list(site.line.products)):
            found = [maker(site.line, product, n) for n in getattr(site.said, levels)]
            yield from _choices(site, found)

    return make


KINDS: dict[str, tuple[type[_Priced], Callable[[_Site], Iterator[Option]]]] = {
    "buffer_place": (_Pieces, _pieces),
    "server": (_Pieces, _pieces),
    "spare": (_Pieces, _spares),
    "less_processing": (_Less, _less),
    "less_setup": (_Less, _less),
    "less_loading": (_Less, _less),
    "less_repair": (_Less, _less),
    "less_maintenance": (_Less, _less),
    "less_transport": (_Less, _less),
    "moved_work": (_Work, _moves),
    "shift": (_Shift, _shift),
    "rule": (_Rule, _rules),
    "conwip": (_Conwip, _of_products(at_most_in_line, "levels")),
    "lot_size": (_Lots, _of_products(lots_of, "sizes")),
}
"""What can be generated: the keys of each kind, and what makes its options."""
