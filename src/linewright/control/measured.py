"""What a machine says that it has measured: whether it can be true, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.control.jobs import Job
from linewright.lower import Made, StepQuality

__all__ = ["Read", "read_measured"]

_NO_NUMBER = "nan"
"""A value that is not there yet, as `machines.plain` leaves it."""


class Read(NamedTuple):
    """What was read of a machine's values.

    Attributes:
        outcomes: The verdicts, those given or those that follow from the values.
        measured: What goes into the record: unit, operation and values of each unit.
        why: Why it cannot be true, or empty.
        lacks: Whether that is only because values are missing, which may still come.
    """

    outcomes: list[int]
    measured: list[dict[str, Any]]
    why: str = ""
    lacks: bool = False


class _Problem(NamedTuple):
    """What is wrong with the values of a unit."""

    why: str
    lacks: bool = False


def read_measured(
    job: Job,
    steps: Sequence[StepQuality | None],
    outcomes: Sequence[int],
    data: Mapping[str, Any],
) -> Read:
    """Return what follows from the values that came with a job's end.

    A value outside its limits rejects the unit: to rework if the operation has that,
    else to scrap. Who passes such a unit contradicts himself, and a unit that is passed
    without its values has not passed.

    Args:
        job: The job.
        steps: What is to be measured at each of its units; None: nothing.
        outcomes: The verdicts that came with it; empty: none did.
        data: What else came: ``measured`` has one mapping from names to numbers for
            each unit, or by name one value, or one for each unit. ``shown`` has the
            same of tags, of which only what is to be measured counts.
    """
    given = list(outcomes) or [t.PASS] * max(len(job.units), 1)
    said = data.get("measured")
    is_asked = any(step is not None and step.read for step in steps)
    if said is None and not is_asked:
        return Read(given, [])
    if not is_asked:
        return Read(given, [], "its operation measures nothing, and values came")
    if len(given) != len(steps):
        return Read(given, [])  # the count of outcomes is refused
    if said is None and isinstance(data.get("shown"), Mapping):
        names = {made.name for step in steps if step for made in step.read}
        said = {name: of for name, of in data["shown"].items() if name in names}
    if isinstance(said, Mapping):
        said = _by_unit(said, steps)
        if isinstance(said, _Problem):
            return Read(given, [], said.why)
    values = [None] * len(steps) if said is None else said
    if not isinstance(values, list) or len(values) != len(steps):
        return Read(given, [], f"it has {len(steps)} units; give values for each")
    return _judged(job, steps, given, values, is_given=bool(outcomes))


def _judged(
    job: Job,
    steps: Sequence[StepQuality | None],
    given: Sequence[int],
    values: Sequence[Any],
    *,
    is_given: bool,
) -> Read:
    """Return the verdicts that follow from the values of each unit."""
    found, verdicts, whys = [], [], []
    for unit, step, of, verdict in zip(job.units, steps, values, given, strict=True):
        problem = _problem(step, of, verdict)
        if problem:
            whys.append(problem._replace(why=f"{unit}: {problem.why}"))
            continue
        outside = [
            made.name for made in (step.read if step else ())
            if of and made.is_outside(of[made.name])
        ]  # fmt: skip
        if outside and not is_given and step is not None:
            verdict = step.rejected | t.BAD  # noqa: PLW2901
        if outside and verdict & 3 == t.PASS:
            names = ", ".join(outside)
            whys.append(_Problem(f"{unit}: it is passed with {names} outside limits"))
        verdicts.append(verdict)
        found.append(
            {"unit": list(unit), "operation": job.operation, "values": dict(of or {})}
        )
    why = "; ".join(one.why for one in whys)
    lacks = bool(whys) and all(one.lacks for one in whys)
    return Read(verdicts or list(given), found, why, lacks)


def _by_unit(
    said: Mapping[str, Any], steps: Sequence[StepQuality | None]
) -> list[Any] | _Problem:
    """Return values by characteristic as those of each unit, or what is wrong."""
    n = len(steps)
    found: list[dict[str, Any]] = [{} for _ in steps]
    for name, of in said.items():
        of_units = of if isinstance(of, list) else [of]
        if len(of_units) != n:
            why = f"{name} has {len(of_units)} values, and the job has {n} units"
            return _Problem(why)
        for mine, step, value in zip(found, steps, of_units, strict=True):
            is_asked = step is not None and any(m.name == name for m in step.read)
            is_there = value is not None and (is_asked or value != _NO_NUMBER)
            if is_there or (is_asked and value is not None):
                mine[name] = value
    return [mine or None for mine in found]


def _problem(step: StepQuality | None, of: Any, verdict: int) -> _Problem | None:
    """Return what is wrong with the values of one unit, if anything is."""
    names = [made.name for made in step.read] if step else []
    if of is None:
        if not names or verdict & 3 != t.PASS:
            return None
        why = f"it is passed without values of {', '.join(names)}"
        return _Problem(why, lacks=True)
    if not isinstance(of, Mapping):
        why = f"values are a mapping from names to numbers, not {of!r:.40}"
        return _Problem(why)
    absent = [name for name in names if name not in of]
    unknown = [str(name) for name in of if name not in names]
    if absent or unknown:
        told = [f"{', '.join(absent)} is missing"] if absent else []
        told += [f"{', '.join(unknown)} is not measured there"] if unknown else []
        measures = ", ".join(names) or "nothing"
        return _Problem(
            f"{' and '.join(told)}; it measures {measures}", lacks=not unknown
        )
    problems = (_no_value(made, of[made.name]) for made in (step.read if step else ()))
    return next(filter(None, problems), None)


def _no_value(made: Made, value: Any) -> _Problem | None:
    """Return what is wrong with one value, if anything is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        why = f"{made.name} is {value!r:.40}; it is a number"
        return _Problem(why, lacks=value == _NO_NUMBER)
    if made.of.counted and (value < 0 or value != int(value)):
        return _Problem(f"{made.name} is {value:g}; it is a count")
    return None
