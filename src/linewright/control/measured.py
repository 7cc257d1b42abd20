"""What a machine says that it has measured: whether it can be true, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from linewright import tables as t
from linewright.control.jobs import Job
from linewright.lower import StepQuality

__all__ = ["Read", "read_measured"]


class Read(NamedTuple):
    """What was read of a machine's values.

    Attributes:
        outcomes: The verdicts, those given or those that follow from the values.
        measured: What goes into the record: unit, operation and values of each unit.
        why: Why it cannot be true, or empty.
    """

    outcomes: list[int]
    measured: list[dict[str, Any]]
    why: str = ""


def read_measured(
    job: Job,
    steps: Sequence[StepQuality | None],
    outcomes: Sequence[int],
    said: Any,
) -> Read:
    """Return what follows from the values that came with a job's end.

    A value outside its limits rejects the unit: to rework if the operation has that,
    else to scrap. Who passes such a unit contradicts himself, and a unit that is passed
    without its values has not passed.

    Args:
        job: The job.
        steps: What is to be measured at each of its units; None: nothing.
        outcomes: The verdicts that came with it; empty: none did.
        said: The values that came, one mapping from names to numbers for each unit;
            None: none did.
    """
    given = list(outcomes) or [t.PASS] * max(len(job.units), 1)
    is_asked = any(step is not None and step.read for step in steps)
    if said is None and not is_asked:
        return Read(given, [])
    if not is_asked:
        return Read(given, [], "its operation measures nothing, and values came")
    if len(given) != len(steps):
        return Read(given, [])  # the count of outcomes is refused
    values = [None] * len(steps) if said is None else said
    if not isinstance(values, list) or len(values) != len(steps):
        return Read(given, [], f"it has {len(steps)} units; give values for each")
    found, verdicts, whys = [], [], []
    for unit, step, of, verdict in zip(job.units, steps, values, given, strict=True):
        why = _problem(step, of, verdict)
        if why:
            whys.append(f"{unit}: {why}")
            continue
        outside = [
            made.name for made in (step.read if step else ())
            if of and made.is_outside(of[made.name])
        ]  # fmt: skip
        if outside and not outcomes and step is not None:
            verdict = step.rejected | t.BAD  # noqa: PLW2901
        if outside and verdict & 3 == t.PASS:
            whys.append(
                f"{unit}: it is passed with {', '.join(outside)} outside limits"
            )
        verdicts.append(verdict)
        found.append(
            {"unit": list(unit), "operation": job.operation, "values": dict(of or {})}
        )
    return Read(verdicts or given, found, "; ".join(whys))


def _problem(step: StepQuality | None, of: Any, verdict: int) -> str:
    """Return what is wrong with the values of one unit, or nothing."""
    names = [made.name for made in step.read] if step else []
    if of is None:
        missing = names and verdict & 3 == t.PASS
        return f"it is passed without values of {', '.join(names)}" if missing else ""
    if not isinstance(of, Mapping):
        return f"values are a mapping from names to numbers, not {of!r:.40}"
    absent = [name for name in names if name not in of]
    unknown = [str(name) for name in of if name not in names]
    if absent or unknown:
        told = [f"{', '.join(absent)} is missing"] if absent else []
        told += [f"{', '.join(unknown)} is not measured there"] if unknown else []
        return f"{' and '.join(told)}; it measures {', '.join(names) or 'nothing'}"
    for made in step.read if step else ():
        value = of[made.name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            return f"{made.name} is {value!r:.40}; it is a number"
        if made.of.counted and (value < 0 or value != int(value)):
            return f"{made.name} is {value:g}; it is a count"
    return ""
