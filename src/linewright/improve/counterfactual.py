"""Lines as they would be without some cause of loss: no failures, always on shift, ...

Each cause is taken out of the model, and what makes no sense without it with it. What
is left is a line like any other. `causes_of` says which causes a line has at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from linewright.lower import Lowered
from linewright.model.distribution import Distribution
from linewright.model.line import Change, Learning, Line, Station, Step
from linewright.tables import State

__all__ = ["CAUSES", "causes_of", "experience_of", "learned_share", "without"]

_ENOUGH = 2**39


def _stations(line: Line, change: Callable[[Station], dict[str, Any]]) -> Line:
    changed = {
        name: it.model_copy(update=change(it)) for name, it in line.stations.items()
    }
    return line.model_copy(update={"stations": changed})


def _steps(line: Line, change: Callable[[Step], dict[str, Any]]) -> Line:
    changed = {}
    for name, product in line.products.items():
        route = tuple(step.model_copy(update=change(step)) for step in product.route)
        changed[name] = product.model_copy(update={"route": route})
    return line.model_copy(update={"products": changed})


def _no_failures(line: Line) -> Line:
    line = _stations(line, lambda it: {"failures": {}})
    return line.model_copy(update={"failures": {}})


def _no_maintenance(line: Line) -> Line:
    return _stations(line, lambda it: {"maintenance": {}})


def _no_setups(line: Line) -> Line:
    return _stations(line, lambda it: {"setup": None})


def _always_on(line: Line) -> Line:
    line = _stations(line, lambda it: {"calendar": None})
    people = {
        name: pool.model_copy(update={"calendar": None})
        for name, pool in line.people.items()
    }
    changes = [_without_calendars(change) for change in line.changes]
    said = tuple(it for it in changes if it.stations or it.people)
    return line.model_copy(update={"calendar": None, "people": people, "changes": said})


def _without_calendars(change: Change) -> Change:
    """Return what a change on a date says but for who works when."""
    update: dict[str, Any] = {"calendars": {}}
    for section in ("stations", "people"):
        there = {
            name: it.model_copy(update={"calendar": None})
            for name, it in getattr(change, section).items()
        }
        update[section] = {
            name: it
            for name, it in there.items()
            if any(value is not None for value in dict(it).values())
        }
    return change.model_copy(update=update)


def _people_for_all(line: Line) -> Line:
    def change(it: Station) -> dict[str, Any]:
        update: dict[str, Any] = {"people": None}
        for section in ("failures", "maintenance"):
            update[section] = {
                name: stop.model_copy(update={"crew": None})
                for name, stop in getattr(it, section).items()
            }
        return update

    failures = {
        name: failure.model_copy(update={"crew": None})
        for name, failure in line.failures.items()
    }
    return _stations(line, change).model_copy(update={"failures": failures})


def _all_good(line: Line) -> Line:
    def change(step: Step) -> dict[str, Any]:
        test = step.inspection
        if test is None:
            return {"defect": 0.0, "characteristics": {}}
        good: dict[str, Any] = {"false_reject": 0.0}
        if test.pass_ is not None:
            good["pass_"] = 1.0
            for key in ("rework", "scrap"):
                if getattr(test, key) is not None:
                    good[key] = 0.0
        test = test.model_copy(update=good)
        return {"defect": 0.0, "characteristics": {}, "inspection": test}

    return _steps(line, change)


def _room(line: Line) -> Line:
    def change(it: Station) -> dict[str, Any]:
        update: dict[str, Any] = {}
        for key in ("buffer", "output_buffer"):
            if isinstance(getattr(it, key), int):
                update[key] = "unlimited"
        return update

    buffers = {
        name: buffer.model_copy(update={"slots": "unlimited"})
        for name, buffer in line.buffers.items()
    }
    return _stations(line, change).model_copy(update={"buffers": buffers})


def _even(time: Any) -> Any:
    """Return a time as a constant: its mean."""
    if isinstance(time, dict):
        return {key: _even(one) for key, one in time.items()}
    if not isinstance(time, Distribution):
        return time
    return Distribution(kind="constant", parameters=(float(round(time.mean_us)),))


def _no_variation(line: Line) -> Line:
    line = _stations(line, lambda it: {"process": _even(it.process)})
    return _steps(
        line,
        lambda step: {"process": _even(step.process), "station": _even(step.station)},
    )


def _at_full_speed(line: Line) -> Line:
    return _stations(line, lambda it: {"ramp_up": None})


def _in_stock(line: Line) -> Line:
    materials = {
        name: material.model_copy(update={"stock": _ENOUGH})
        for name, material in line.materials.items()
    }
    return line.model_copy(update={"materials": materials})


def _learned(line: Line, known: Mapping[str, float] | None = None) -> Line:
    """Let every operation take from the start what it takes with some experience.

    Without an experience to go by, that is the plateau of its curve.
    """

    def change(step: Step) -> dict[str, Any]:
        curve = step.learning
        if curve is None:
            return {}
        share = curve.plateau
        if known is not None:
            share = learned_share(curve, known.get(step.operation, curve.done))
        flat = {"done": _ENOUGH, "plateau": share, "half_life": None}
        return {"learning": curve.model_copy(update=flat)}

    return _steps(line, change)


def learned_share(curve: Learning, done: float) -> float:
    """Return the share of its first time that a unit takes after some others.

    Source:
        As `linewright.kernel.learning`.
    """
    exponent = math.log2(curve.rate)
    n = done + 1
    share = math.pow(n, exponent)
    if curve.curve == "wright":
        share = n * share - (n - 1) * math.pow(max(n - 1, 1e-9), exponent)
    return max(share, curve.plateau)


CAUSES: dict[str, Callable[[Line], Line]] = {
    "failures": _no_failures,
    "maintenance": _no_maintenance,
    "setups": _no_setups,
    "shifts": _always_on,
    "people": _people_for_all,
    "scrap and rework": _all_good,
    "room": _room,
    "variation": _no_variation,
    "ramp-up": _at_full_speed,
    "learning": _learned,
    "materials": _in_stock,
}
"""What can be taken out of a line, and how."""


def causes_of(line: Line) -> list[str]:
    """Return the causes that a line has."""
    return [cause for cause, take in CAUSES.items() if take(line) != line]


def experience_of(lowered: Lowered, state: State) -> dict[str, float]:
    """Return the experience that each operation that is learned has in a state."""
    rows = zip(lowered.names.operations, lowered.tables.steps["curve"], strict=True)
    return {
        operation: float(state.curves["experience"][curve])
        for operation, curve in rows
        if curve >= 0
    }


def without(
    line: Line, causes: Iterable[str], experience: Mapping[str, float] | None = None
) -> Line:
    """Return a line without some causes of loss.

    Args:
        line: The line.
        causes: Some of `CAUSES`.
        experience: Units done of each operation that is learned, at which its time
            stands where learning is taken out; the plateau by default.
    """
    chosen = set(causes)
    for cause, take in CAUSES.items():
        if cause == "learning" and cause in chosen:
            line = _learned(line, experience)
        elif cause in chosen:
            line = take(line)
    return _stations(line, _people_still_needed)


def _people_still_needed(it: Station) -> dict[str, Any]:
    """Return the people of a station without those for what it no longer has."""
    if it.people is None:
        return {}
    update: dict[str, Any] = {}
    if it.setup is None:
        update["setup"] = None
    if not (it.failures or it.maintenance):
        update["repair"] = None
    return {"people": it.people.model_copy(update=update)}
