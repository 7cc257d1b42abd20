"""Rules on characteristics, on where they are measured, and on gates."""

from __future__ import annotations

from linewright.model.line import Characteristic, Gate, Line, Product, Step
from linewright.model.meaning import is_sampled
from linewright.model.notes import Notes, Path

__all__ = ["check_quality", "measured_at"]

_MOST_COUNTED = 1_000


def check_quality(line: Line, notes: Notes) -> None:
    """Note what cannot be meant of characteristics and gates."""
    for name, product in line.products.items():
        if product.route_of:
            continue
        made: dict[str, None] = {}  # in order
        for i, step in enumerate(product.route):
            path = ("products", name, "route", i)
            for key, of in step.characteristics.items():
                at = (*path, "characteristics", key)
                if key in made:
                    msg = f'"{key}" is made by an earlier operation, too'
                    notes.error("LW232", at, msg, "give it a name of its own")
                _characteristic(at, of, notes)
            made |= dict.fromkeys(step.characteristics)
            _ramps(line, path, step, notes)
            if step.inspection is not None:
                _measures((*path, "inspection"), product, i, made, notes)


def _characteristic(at: Path, of: Characteristic, notes: Notes) -> None:
    def note(problem: str, hint: str = "") -> None:
        notes.error("LW232", at, problem, hint)

    if of.mean is None and of.nominal is None:
        note("nothing says where its values lie", "add mean, or nominal")
    if of.counted:
        if of.sd is not None:
            note("counts have no sd; their mean says how they spread")
        if not 0 <= of.center <= _MOST_COUNTED:
            note(f"the mean of counts is {of.center:g}; allowed is 0 to 1,000")
    elif of.sd is None:
        note("nothing says how its values spread", "add sd, or counted: true")
    _limits(at, of, notes)


def _limits(at: Path, of: Characteristic, notes: Notes) -> None:
    if of.lower is not None and of.upper is not None and of.lower >= of.upper:
        msg = f"lower {of.lower:g} is not below upper {of.upper:g}"
        notes.error("LW232", at, msg)
    for key, limit, sign in (("lower", of.lower, 1), ("upper", of.upper, -1)):
        if of.nominal is None or limit is None:
            continue
        if sign * (of.nominal - limit) < 0:
            msg = f"nominal {of.nominal:g} is outside {key} {limit:g}"
            notes.error("LW232", at, msg)


def _ramps(line: Line, path: Path, step: Step, notes: Notes) -> None:
    """Note what would make the chance of a bad unit follow something else."""
    for station in step.stations if step.characteristics else ():
        ramp = line.stations[station].ramp_up
        if ramp is not None and ramp.good:
            msg = f'at "{station}" the share of good units ramps up by itself'
            hint = "leave out characteristics, or ramp_up: {good}"
            notes.error("LW232", (*path, "characteristics"), msg, hint)


def _measures(
    path: Path, product: Product, i: int, made: dict[str, None], notes: Notes
) -> None:
    step = product.route[i]
    test = step.inspection
    assert test is not None
    for n, name in enumerate(test.measures or ()):
        at = (*path, "measures", n)
        if name not in made:
            hint = "" if made else "no operation up to here has characteristics"
            notes.unknown(at, name, "characteristic made up to here", made, hint)
        elif name in (test.measures or ())[:n]:
            notes.error("LW232", at, f'"{name}" is measured twice')
        elif name not in step.characteristics and not _is_made_always(product, name):
            msg = f'not every unit comes to the operation that makes "{name}"'
            notes.error("LW232", at, msg, "measure it at that operation")
    measured = measured_at(step)
    for key in ("false_accept", "false_reject"):
        if measured and getattr(test, key):
            msg = "what is measured decides; no unit is passed or rejected by mistake"
            notes.error("LW232", (*path, key), msg, "leave it out")
    if test.gate is not None:
        _gate((*path, "gate"), test.gate, product, measured, notes)


def _is_made_always(product: Product, name: str) -> bool:
    return not any(
        step.rework_only or is_sampled(step)
        for step in product.route
        if name in step.characteristics
    )


def measured_at(step: Step) -> tuple[str, ...]:
    """Return the characteristics that are measured at an operation."""
    test = step.inspection
    if test is None:
        return ()
    return tuple(step.characteristics) if test.measures is None else test.measures


def _gate(
    path: Path, gate: Gate, product: Product, measured: tuple[str, ...], notes: Notes
) -> None:
    if gate.rejects is None and gate.signal is None:
        notes.error("LW232", path, "nothing closes it", "add rejects, or signal")
    if gate.of is not None and gate.of < (gate.rejects or 1):
        msg = f"{gate.rejects} of the last {gate.of} units cannot be"
        notes.error("LW232", (*path, "of"), msg)
    if gate.of is not None and gate.rejects is None:
        notes.error("LW232", (*path, "of"), "of has no effect without rejects")
    spreads = [
        of.counted or bool(of.sd)
        for step in product.route
        for name, of in step.characteristics.items()
        if name in measured
    ]
    is_known = len(spreads) == len(set(measured))  # an unknown name is told already
    if gate.signal is not None and is_known and not any(spreads):
        msg = "no characteristic with a spread is measured here"
        notes.error("LW232", (*path, "signal"), msg)
