"""What operations make, measure and hold, beside the verdicts that the kernel knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from linewright import tables as t
from linewright.model.line import Characteristic, Gate, Line, Product, Step
from linewright.model.meaning import rework_share
from linewright.model.quality_rules import measured_at

__all__ = ["Made", "StepQuality", "quality_of"]


class Made(NamedTuple):
    """A characteristic that an operation makes.

    Attributes:
        name: Its name.
        of: What the model says of it.
        outside: Chance that a value is outside its limits.
    """

    name: str
    of: Characteristic
    outside: float

    def is_outside(self, value: float) -> bool:
        """Say whether a value is outside the limits."""
        lower, upper = self.of.lower, self.of.upper
        return (lower is not None and value < lower) or (
            upper is not None and value > upper
        )


class StepQuality(NamedTuple):
    """What is made, measured and held at an operation.

    Attributes:
        row: Its row among the steps.
        product: Name of the product.
        operation: Name of the operation.
        made: Characteristics that it makes.
        made_bad: Chance that a part becomes bad here, by whatever cause.
        read: Characteristics that are measured here.
        rejected: Verdict on a unit with a value outside, if nobody gives one.
        gate: When work here is held.
        stations: Rows of the stations where it is done.
    """

    row: int
    product: str
    operation: str
    made: tuple[Made, ...]
    made_bad: float
    read: tuple[Made, ...]
    rejected: int
    gate: Gate | None
    stations: tuple[int, ...]


def quality_of(
    line: Line, products: tuple[str, ...], first_steps: Mapping[str, int]
) -> Iterator[StepQuality]:
    """Yield what there is of it at each operation at which there is something."""
    stations = {name: k for k, name in enumerate(line.stations)}
    for name in products:
        product = line.products[name]
        known = _known(product)
        for i, step in enumerate(product.route):
            read = tuple(known[key] for key in measured_at(step))
            gate = step.inspection.gate if step.inspection else None
            if not (step.characteristics or read or gate):
                continue
            yield StepQuality(
                row=first_steps[name] + i,
                product=name,
                operation=step.operation,
                made=tuple(known[key] for key in step.characteristics),
                made_bad=_made_bad(step),
                read=read,
                rejected=_rejected(step),
                gate=gate,
                stations=tuple(stations[station] for station in step.stations),
            )


def _known(product: Product) -> dict[str, Made]:
    return {
        key: Made(key, of, of.outside)
        for step in product.route
        for key, of in step.characteristics.items()
    }


def _made_bad(step: Step) -> float:
    test = step.inspection
    good = 1.0 if test is None or test.pass_ is None else test.pass_
    return 1 - (1 - step.made_bad) * good


def _rejected(step: Step) -> int:
    test = step.inspection
    sends_back = test is not None and test.rework_to and rework_share(test) > 0
    return t.REWORK if sends_back else t.SCRAP
