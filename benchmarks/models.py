"""The lines that are measured: M1, M2 and M3, and lines of any length like M1.

One time unit of the models' definitions is one minute here. An event is one service
completion at a station and nothing else: starts, blockings, failures, repairs and
arrivals are work that a tool may count otherwise. Nothing heavy is imported here: the
memory of the process that measures would be counted as that of the ones it starts.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "SMALL", "Model", "tandem"]


@dataclass(frozen=True, slots=True)
class Model:
    """A line of the benchmark and what is known about it.

    Attributes:
        title: What it is, in a few words.
        text: The model file.
        n_stations: Events for each departure.
        departures: Departures of a run.
        measure: What is estimated: `throughput`, per minute, or `sojourn`, minutes.
        reference: Its value, from 30 million departures or exact.
        reference_half_width: Half-width of the value's 95 % interval.
    """

    title: str
    text: str
    n_stations: int
    departures: int
    measure: str
    reference: float
    reference_half_width: float


def _serial(name: str, stations: list[str]) -> str:
    """Return a serial line whose first station never lacks parts."""
    lines = "\n".join(f"  s{i + 1}: {{{text}}}" for i, text in enumerate(stations))
    route = ", ".join(f"s{i + 1}" for i in range(len(stations)))
    return (
        f"schema_version: 1\nname: {name}\nstations:\n{lines}\n"
        f"products:\n  part:\n    route: [{route}]\n"
    )


def tandem(n_stations: int) -> str:
    """Return a line like M1 with any number of stations."""
    ahead = ["process: exponential(1 min)"]
    ahead += ["process: exponential(1 min), buffer: 5"] * (n_stations - 1)
    return _serial(f"tandem {n_stations}", ahead)


def _failures() -> str:
    jam = "failures: {jam: {every: exponential(100 min), repair: exponential(10 min)}}"
    stations = []
    for i in range(20):
        process = "63 s" if i == 9 else "60 s"
        buffer = "buffer: 10, " if i else ""
        stations.append(f"process: {process}, {buffer}{jam}")
    return _serial("line 20 with failures", stations)


def _queue() -> str:
    return """\
schema_version: 1
name: M/M/1
stations:
  s: {process: exponential(1 min)}
products:
  part:
    release: {rate: 0.9/min}
    route: [s]
"""


MODELS = {
    "m1": Model(
        "M1, ten exponential stations, buffers of 5, saturated",
        tandem(10), 10, 200_000, "throughput", 0.76340, 0.00015,
    ),
    "m2": Model(
        "M2, twenty stations that fail, buffers of 10, saturated",
        _failures(), 20, 100_000, "throughput", 0.68912, 0.00038,
    ),
    "m3": Model("M3, M/M/1 at 0.9", _queue(), 1, 1_000_000, "sojourn", 10.0, 0.0),
}  # fmt: skip

SMALL = """\
schema_version: 1
name: Bottling
stations:
  filler: {process: 12 s}
  capper: {process: 10 s, buffer: 20}
  labeler: {process: "lognormal(mean=11 s, cv=0.3)", buffer: 20}
products:
  bottle:
    route: [filler, capper, labeler]
study: {horizon: 1 d, replications: 10}
"""
"""A small line of the kind that a first model is."""
