"""Changes of a line: what they are called, what they say, and the line they make.

A change is an overlay: the same words that an engineer would write, so that one that is
decided becomes a file beside the model. Changes that are generated here (`shorter`,
`another_place`, `another_server`) are worth trying in any line.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML

from linewright.model.distribution import KINDS, Distribution
from linewright.model.line import Line, Step
from linewright.model.load import Variants
from linewright.model.meaning import process_time

__all__ = [
    "TIMES",
    "Change",
    "another_place",
    "another_server",
    "another_spare",
    "as_overlay",
    "at_most_in_line",
    "lots_of",
    "moved_work",
    "other_calendar",
    "other_rule",
    "scaled",
    "shorter",
    "together",
]

TIMES = ("processing", "setup", "loading", "repair", "maintenance", "transport")
"""Kinds of time that `shorter` can shorten."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a line.

    Attributes:
        name: What it is called in tables and messages.
        changes: What it says, as under `changes` in an overlay file.
    """

    name: str
    changes: Mapping[str, Any] = field(hash=False)

    def applied(self, line: Line | Variants) -> Line:
        """Return the line as it is with the change.

        Raises:
            ModelError: The change names what is not there, or breaks the model's form.
        """
        variants = line if isinstance(line, Variants) else Variants(line)
        return variants.changed(self.changes)


def together(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what several changes say, as one; of two values the later one counts."""
    out: dict[str, Any] = {}
    for change in changes:
        for key, value in change.items():
            if isinstance(value, Mapping) and isinstance(out.get(key), Mapping):
                out[key] = together(out[key], value)
            else:
                out[key] = value
    return out


def as_overlay(
    changes: Mapping[str, Any], base: str | None, said: Iterable[str] = ()
) -> str:
    """Return the text of an overlay file.

    Args:
        changes: What it changes.
        base: The model file, as seen from the overlay; None for one that is given
            together with a model.
        said: Lines of comment at its head.
    """
    head = "".join(f"# {' '.join(text.split())}\n" for text in said)
    yaml = YAML()
    yaml.width = 88
    stream = io.StringIO()
    on = {} if base is None else {"base": base}
    yaml.dump({"overlay_version": 1, **on, "changes": dict(changes)}, stream)
    return head + stream.getvalue()


# ------------------------------------------------------------------ shorter times


def scaled(time: Distribution, factor: float) -> Distribution:
    """Return a distribution of times that are all longer or shorter by a factor."""
    kinds = KINDS[time.kind]
    parameters = tuple(
        value if name.endswith("#") else value * factor
        for name, value in zip(kinds, time.parameters, strict=False)
    )
    values = tuple(round(value * factor) for value in time.values_us)
    return time.model_copy(
        update={"parameters": parameters, "values_us": values, "source": None}
    )


def _said(time: Distribution, factor: float) -> Any:
    """Return the text, or the mapping, of a scaled distribution."""
    return scaled(time, factor).model_dump(mode="json")


def shorter(
    line: Line, kind: str, station: str, share: float, name: str = ""
) -> Change | None:
    """Return the change that makes a kind of time at a station shorter by a share.

    Args:
        line: The line.
        kind: One of `TIMES`.
        station: Name of the station.
        share: By how much: 0.1 is a tenth less; negative for longer.
        name: Name of the failure or maintenance.

    Returns:
        The change, or None where the station has no such time.
    """
    factor = 1 - share
    if kind in _STOPS:
        changes = _shorter_stop(line, kind, (station, name), factor)
    else:
        changes = _MAKERS[kind](line, station, factor)
    if not changes:
        return None
    less = f"{abs(share):.0%} {'less' if share > 0 else 'more'}"
    what = f"{kind} ({name})" if name else kind
    return Change(f"{station}: {less} {what}", changes)


def _steps_at(line: Line, station: str) -> list[tuple[str, Step]]:
    return [
        (name, step)
        for name, product in line.products.items()
        if not product.route_of
        for step in product.route
        if station in step.stations
    ]


def _shorter_process(line: Line, station: str, factor: float) -> dict[str, Any]:
    """Scale the times where they are said: at the step, or at the station."""
    out: dict[str, Any] = {}
    if line.stations[station].conveyor is not None:
        return out
    process = line.stations[station].process
    if isinstance(process, dict):
        there = {product: _said(time, factor) for product, time in process.items()}
        out = {"stations": {station: {"process": there}}}
    elif process is not None:
        out = {"stations": {station: {"process": _said(process, factor)}}}
    for product, step in _steps_at(line, station):
        if isinstance(step.station, dict):
            said = _said(step.station[station], factor)
            step_change: dict[str, Any] = {"station": {station: said}}
        elif step.process is not None and len(step.stations) == 1:
            step_change = {"process": _said(step.process, factor)}
        elif step.process is not None:
            times = {s: process_time(line, product, step, s) for s in step.stations}
            step_change = {
                "process": None,
                "station": {
                    s: _said(time, factor if s == station else 1.0)
                    for s, time in times.items()
                    if time is not None
                },
            }
        else:
            continue
        route = {"products": {product: {"route": {step.operation: step_change}}}}
        out = together(out, route)
    return out


def _shorter_setup(line: Line, station: str, factor: float) -> dict[str, Any]:
    setup = line.stations[station].setup
    if setup is None:
        return {}
    said = setup.model_dump(mode="python", by_alias=True, exclude_defaults=True)
    there: dict[str, Any] = {}
    for key in ("time", "first"):
        if isinstance(getattr(setup, key, None), Distribution):
            there[key] = _said(getattr(setup, key), factor)
    if "matrix" in said:
        there["matrix"] = {
            before: {after: _said(time, factor) for after, time in row.items()}
            for before, row in setup.matrix.items()
        }
    return {"stations": {station: {"setup": there}}} if there else {}


def _shorter_loading(line: Line, station: str, factor: float) -> dict[str, Any]:
    it = line.stations[station]
    there = {
        key: _said(time, factor)
        for key, time in (("load", it.load), ("unload", it.unload))
        if time is not None
    }
    return {"stations": {station: there}} if there else {}


_STOPS = {"repair": ("failures", "repair"), "maintenance": ("maintenance", "duration")}


def _shorter_stop(
    line: Line, kind: str, stop: tuple[str, str], factor: float
) -> dict[str, Any]:
    """Scale the time of a failure or maintenance: a station's own, or the line's."""
    (station, name), (section, key) = stop, _STOPS[kind]
    own = getattr(line.stations.get(station), section, {})
    if name in own:
        said = {name: {key: _said(getattr(own[name], key), factor)}}
        return {"stations": {station: {section: said}}}
    if section == "failures" and name in line.failures:
        said = {key: _said(getattr(line.failures[name], key), factor)}
        return {"failures": {name: said}}
    return {}


def _shorter_way(line: Line, station: str, factor: float) -> dict[str, Any]:
    """Scale the times to a station that its steps say themselves."""
    out: dict[str, Any] = {}
    for product, step in _steps_at(line, station):
        if step.transport is not None:
            said = {"transport": _said(step.transport, factor)}
            route = {step.operation: said}
            out = together(out, {"products": {product: {"route": route}}})
    return out


_MAKERS = {
    "processing": _shorter_process,
    "setup": _shorter_setup,
    "loading": _shorter_loading,
    "transport": _shorter_way,
}


# ------------------------------------------------------------------ more of something


def another_place(line: Line, station: str, n: int = 1) -> Change | None:
    """Return the change that gives a finite input buffer more places.

    Without a finite input buffer of its own a station is left alone (None).
    """
    slots = line.stations[station].buffer
    if not isinstance(slots, int):
        return None
    places = f"{n} place{'' if n == 1 else 's'}"
    changes = {"stations": {station: {"buffer": slots + n}}}
    return Change(f"{station}: {places} more in its buffer", changes)


def another_server(line: Line, station: str, n: int = 1) -> Change | None:
    """Return the change that gives a station more servers; None for a conveyor."""
    it = line.stations[station]
    if it.conveyor is not None:
        return None
    servers = f"{n} server{'' if n == 1 else 's'}"
    changes = {"stations": {station: {"servers": it.servers + n}}}
    return Change(f"{station}: {servers} more", changes)


def another_spare(line: Line, station: str, failure: str, n: int = 1) -> Change | None:
    """Return the change that keeps more spare components for a failure.

    None for one that is repaired where it is.
    """
    there = line.stations[station].failures[failure].spares
    if there is None:
        return None
    spares = f"{n} spare{'' if n == 1 else 's'}"
    said = {"failures": {failure: {"spares": there + n}}}
    return Change(
        f"{station}: {spares} more ({failure})", {"stations": {station: said}}
    )


# ------------------------------------------------------------------ otherwise


def other_rule(line: Line, station: str, rule: str) -> Change | None:
    """Return the change that serves waiting parts by a rule; None if it is so now."""
    if line.stations[station].dispatch == rule:
        return None
    changes = {"stations": {station: {"dispatch": rule}}}
    return Change(f"{station}: served by {rule.replace('_', ' ')}", changes)


def other_calendar(
    line: Line, calendar: str, instead_of: str | None = None
) -> Change | None:
    """Return the change by which stations and people work by another calendar.

    Args:
        line: The line.
        calendar: By which they work then.
        instead_of: Only those who work by this one now; all who work by any if None.

    Returns:
        The change, or None where it changes nothing.
    """

    def moves(now: str | None) -> bool:
        return now not in (None, calendar) and instead_of in (None, now)

    stations = {
        name: {"calendar": calendar}
        for name, it in line.stations.items()
        if moves(it.calendar or line.calendar)
    }
    people = {
        name: {"calendar": calendar}
        for name, pool in line.people.items()
        if moves(pool.calendar)
    }
    changes: dict[str, Any] = {"stations": stations} if stations else {}
    if people:
        changes["people"] = people
    if not changes:
        return None
    old = f" instead of {instead_of}" if instead_of else ""
    return Change(f"shifts by {calendar}{old}", changes)


def at_most_in_line(line: Line, product: str, n: int) -> Change | None:
    """Return the change that caps the units of a product in the line (CONWIP).

    None for products that dated orders or their parents release, and where it is so.
    """
    release = line.products[product].release
    if release.kind not in ("always", "arrivals") or release.conwip == n:
        return None
    changes = {"products": {product: {"release": {"conwip": n}}}}
    return Change(f"{product}: at most {n} in the line", changes)


def lots_of(line: Line, product: str, n: int) -> Change | None:
    """Return the change that moves a product in lots of another size, or None."""
    it = line.products[product]
    if it.lot_size == n:
        return None
    units = f"{n} unit{'' if n == 1 else 's'}"
    return Change(
        f"{product}: lots of {units}", {"products": {product: {"lot_size": n}}}
    )


def moved_work(line: Line, station: str, share: float) -> list[Change]:
    """Return the changes that move a share of a station's work to a neighbor.

    All products that have both stations one behind the other, each the only choice of
    its operation, move the same share of their time. The sum of the two means stays.

    Args:
        line: The line.
        station: From where work moves.
        share: Which share of the processing time, between 0 and 1.
    """
    to: dict[str, dict[str, Any]] = {}
    for product, it in line.products.items():
        if it.route_of or it.lot_size != 1:
            continue
        for first, second in zip(it.route, it.route[1:], strict=False):
            for giver, taker in ((first, second), (second, first)):
                if giver.stations != (station,) or len(taker.stations) != 1:
                    continue
                said = _moved(line, product, (giver, taker), share)
                if said:
                    other = taker.stations[0]
                    there = {"products": {product: {"route": said}}}
                    to[other] = together(to.get(other, {}), there)
    return [
        Change(f"{station}: {share:.0%} of its work moved to {other}", changes)
        for other, changes in to.items()
        if other != station
    ]


def _moved(
    line: Line, product: str, steps: tuple[Step, Step], share: float
) -> dict[str, Any]:
    """Return what both operations say after a share of the time moved."""
    giver, taker = steps
    ours = process_time(line, product, giver, giver.stations[0])
    theirs = process_time(line, product, taker, taker.stations[0])
    if not ours or not theirs or not ours.mean_us or not theirs.mean_us:
        return {}
    more = 1 + share * ours.mean_us / theirs.mean_us
    out = {}
    for step, time, factor in ((giver, ours, 1 - share), (taker, theirs, more)):
        said = _said(time, factor)
        if isinstance(step.station, dict):
            out[step.operation] = {"station": {step.stations[0]: said}}
        else:
            out[step.operation] = {"process": said}
    return out
