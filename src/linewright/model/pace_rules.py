"""Rules on what changes the pace: learning, ramp-up, parts that interrupt others."""

from __future__ import annotations

from itertools import pairwise

from linewright.model.line import Learning, Line, Product, RampPoint, Station
from linewright.model.meaning import batch_of, materials_of, taken_by, uses_of
from linewright.model.notes import Notes, Path
from linewright.model.rules import moment_us

__all__ = ["check_pace"]


def check_pace(line: Line, notes: Notes) -> None:
    """Note what cannot be meant in learning, ramp-up and preemption."""
    for name, station in line.stations.items():
        if station.ramp_up:
            at = ("stations", name, "ramp_up")
            _ramp(line, (*at, "speed"), station.ramp_up.speed, notes)
            _ramp(line, (*at, "good"), station.ramp_up.good, notes)
        _preempts(("stations", name), station, notes)
    learned: dict[str, Learning] = {}
    for name, product in line.products.items():
        if product.route_of:
            continue
        for i, step in enumerate(product.route):
            if step.learning:
                path = ("products", name, "route", i, "learning")
                first = learned.setdefault(step.operation, step.learning)
                _learning(path, step.learning, first, notes)
        _interrupted(line, name, product, notes)


def _ramp(line: Line, path: Path, points: tuple[RampPoint, ...], notes: Notes) -> None:
    times = [moment_us(line, point.at) for point in points]
    for i, (one, two) in enumerate(pairwise(times), start=1):
        if one >= two:
            msg = "this point of the ramp does not come after the one before"
            notes.error("LW229", (*path, i, "at"), msg)


def _learning(path: Path, learning: Learning, first: Learning, notes: Notes) -> None:
    if learning.rate == 0:
        msg = "with a rate of zero the second unit would take no time"
        notes.error("LW229", (*path, "rate"), msg, "80 % is common")
    if learning != first:
        msg = "operations of one name learn together, and this one learns otherwise"
        hint = "say the same, or give it a name of its own"
        notes.error("LW229", path, msg, hint)
    if learning.half_life == 0:
        msg = "what is forgotten at once is not learned"
        notes.error("LW229", (*path, "half_life"), msg)


def _preempts(path: Path, station: Station, notes: Notes) -> None:
    if station.preempt == "never":
        return
    rules = station.dispatch
    first = rules[0] if isinstance(rules, tuple) else rules
    if first != "priority":
        msg = "more urgent parts interrupt others here, and are not served first"
        notes.error("LW229", (*path, "preempt"), msg, "say dispatch: priority")
    if station.blocking == "before_service" or station.batch:
        why = "works in batches" if station.batch else "blocks before service"
        msg = f"a station that {why} cannot be interrupted for more urgent parts"
        notes.error("LW229", (*path, "preempt"), msg)


def _interrupted(line: Line, name: str, product: Product, notes: Notes) -> None:
    """Note operations that cannot be interrupted where parts interrupt each other."""
    uses, materials = uses_of(product), materials_of(line, product)
    taken = taken_by(line, name)
    for i, step in enumerate(product.route):
        if all(line.stations[s].preempt == "never" for s in step.stations):
            continue
        made = [c for c in uses[i] if not product.bom[c].bought]
        why = ""
        if len(step.stations) > 1:
            why = "has alternative stations"
        elif made or materials[i] or any(i in {x.first, x.until} for x in taken):
            why = "takes components, tools or cards, or hands them back"
        elif step.cascade is not None or batch_of(line, step) is not None:
            why = "is done in batches or cascades"
        if why:
            msg = (
                f'at "{step.stations[0]}" parts are interrupted for more urgent ones, '
            )
            msg += f"and this operation {why}"
            notes.error("LW229", ("products", name, "route", i), msg)
