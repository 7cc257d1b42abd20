"""Lint of energy and cost: what is said and changes nothing, or is likely a slip.

Each function knows one warning. All of them take a model without errors.
"""

from __future__ import annotations

from collections.abc import Iterator

from linewright.model.line import Line, Station
from linewright.model.meaning import batch_of, leaves_line
from linewright.model.notes import Notes

__all__ = ["lint_costs"]


def lint_costs(line: Line, notes: Notes) -> None:
    """Note what is likely not meant in what a line says of energy and cost."""
    with_batches = set(_stations_with_batches(line))
    for name, station in line.stations.items():
        _counts_nothing(name, station, name in with_batches, notes)
        _takes_less_at_work(name, station, notes)
    _nobody_takes_energy(line, notes)
    _is_never_sold(line, notes)


def _stations_with_batches(line: Line) -> Iterator[str]:
    for product in line.products.values():
        for step in product.route:
            if batch_of(line, step):
                yield from step.stations


def _counts_nothing(
    name: str, station: Station, has_batches: bool, notes: Notes
) -> None:
    happens = {
        "per_batch": (has_batches, "nothing is worked on in batches"),
        "per_setup": (bool(station.setup), "nothing is set up"),
        "per_repair": (
            bool(station.failures or station.maintenance),
            "nothing fails or is maintained",
        ),
    }
    for noun in ("energy", "cost"):
        said = getattr(station, noun)
        for key, (does, why) in happens.items():
            if not does and getattr(said, key, None) is not None:
                msg = f'{key} counts nothing: {why} at "{name}"'
                notes.warning("LW321", ("stations", name, noun, key), msg)


def _takes_less_at_work(name: str, station: Station, notes: Notes) -> None:
    power = station.power
    if power is None or power.idle is None:
        return
    if power.processing is None:
        msg = f'"{name}" takes power while it is idle, and none while it works'
        notes.warning("LW322", ("stations", name, "power"), msg, "add processing")
    elif power.processing < power.idle:
        msg = f'"{name}" takes more power while it is idle than while it works'
        notes.warning("LW322", ("stations", name, "power", "idle"), msg)


def _nobody_takes_energy(line: Line, notes: Notes) -> None:
    stations = line.stations.values()
    if line.energy and not any(station.power or station.energy for station in stations):
        msg = "energy has a price or emissions, and no station takes any"
        hint = "give stations a power, such as 12 kW"
        notes.warning("LW321", ("energy",), msg, hint)


def _is_never_sold(line: Line, notes: Notes) -> None:
    for name, product in line.products.items():
        if product.price is not None and not leaves_line(line, name):
            msg = (
                f'"{name}" has a price, and is never sold: it goes into other products'
            )
            notes.warning("LW321", ("products", name, "price"), msg)
