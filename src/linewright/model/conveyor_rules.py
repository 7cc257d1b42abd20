"""Rules on conveyors: they carry, and do nothing else."""

from __future__ import annotations

from linewright.model.line import Line, Station, Step
from linewright.model.meaning import batch_of
from linewright.model.notes import Notes, Path

__all__ = ["check_conveyors"]

_NOT_OF_STATIONS = (
    "batch",
    "load",
    "unload",
    "output_buffer",
    "people",
    "setup",
    "maintenance",
    "ramp_up",
)
_NOT_OF_STEPS = (
    "process",
    "uses",
    "tools",
    "makes",
    "inspection",
    "defect",
    "characteristics",
    "cascade",
    "same_server_as",
    "learning",
)


def check_conveyors(line: Line, notes: Notes) -> None:
    """Note what cannot be said of conveyors, and of operations on them."""
    belts = {name for name, s in line.stations.items() if s.conveyor is not None}
    for name in belts:
        _station(("stations", name), line.stations[name], notes)
    for name, product in line.products.items():
        if product.route_of:
            continue
        for i, step in enumerate(product.route):
            if belts & set(step.stations):
                _step(line, ("products", name, "route", i), step, notes)


def _station(path: Path, station: Station, notes: Notes) -> None:
    for key in _NOT_OF_STATIONS:
        if getattr(station, key):
            notes.error("LW231", (*path, key), f"a conveyor has no {key}")
    if station.blocking == "before_service" or station.preempt != "never":
        key = "blocking" if station.blocking == "before_service" else "preempt"
        notes.error(
            "LW231", (*path, key), f"a conveyor has no {key}: parts go in order"
        )
    if station.shift_end != "interrupt":
        msg = "a conveyor stops at the end of the shift with all that is on it"
        notes.error("LW231", (*path, "shift_end"), msg)
    assert station.conveyor is not None
    if station.conveyor.time_us < station.conveyor.places:
        msg = "a part takes less than a microsecond from place to place"
        notes.error("LW231", (*path, "conveyor"), msg)
    for name, failure in station.failures.items():
        at = (*path, "failures", name)
        if failure.clock not in {"calendar", "operating"}:
            msg = "a conveyor fails as a whole, by the calendar or by operating time"
            notes.error("LW231", (*at, "clock"), msg, "say clock: operating")
        if failure.part != "resume":
            msg = "what is on a conveyor stays there when it fails"
            notes.error("LW231", (*at, "part"), msg)


def _step(line: Line, path: Path, step: Step, notes: Notes) -> None:
    for key in _NOT_OF_STEPS:
        value = getattr(step, key)
        if value and not (key == "uses" and not any(value.values())):
            msg = f"an operation on a conveyor has no {key}"
            notes.error(
                "LW231", (*path, key), msg, "do it at a station before or behind"
            )
    if isinstance(step.station, dict) or batch_of(line, step) is not None:
        key = "station" if isinstance(step.station, dict) else "batch"
        msg = "on a conveyor parts go one by one, in the time that its speed says"
        notes.error("LW231", (*path, key), msg)
    if step.process_per == "unit":
        msg = "on a conveyor a lot goes as one part"
        notes.error("LW231", (*path, "process_per"), msg)
    if step.shift_end not in {None, "interrupt"}:
        msg = "a conveyor stops at the end of the shift with all that is on it"
        notes.error("LW231", (*path, "shift_end"), msg)
