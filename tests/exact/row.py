"""What a row of exact values is, and the helpers that every table needs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linewright.model.line import Line

TABLES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """A line and its exact long-run values; time unit: minute.

    Attributes:
        name: Table and case, as in ``closed_conwip conwip-bal-K2-N3``.
        line: The line.
        products: Products whose good units, added up, are the throughput.
        expected: Exact value of each measure.
        utilization: Of the busiest station, or as the table gives it.
        output_variance_rate: Var(parts out by t) / t for large t, where it is known.
        variability: Where it is not: a safe bound of that rate per part out.
        wait_variance: Var(mean wait over t) · t / wait² for large t, a safe bound;
            zero where no wait is expected.
        relaxation: About how long the start is remembered.
        n_steps: Operations for each part out, for the estimate of work.
    """

    name: str
    line: Line
    products: tuple[str, ...]
    expected: dict[str, float]
    utilization: float = 0.0
    output_variance_rate: float | None = None
    variability: float = 1.0
    wait_variance: float = 0.0
    relaxation: float = 100.0
    n_steps: float = field(default=1.0, repr=False)


def minutes_text(value: float) -> str:
    return f"{value!r} min"


def exponential(rate: float) -> str:
    return f"exponential({minutes_text(1 / rate)})"


def erlang(mean: float, stages: int) -> str:
    return f"erlang({minutes_text(mean)}, {stages})"


def hyperexponential(mean: float, scv: float) -> str:
    # Balanced means, p1 m1 = p2 m2, in the tables and in the model alike.
    return f"hyperexponential({minutes_text(mean)}, {math.sqrt(scv)!r})"


def breakdown(fail: float, repair: float, clock: str) -> dict[str, Any]:
    """Return the failures of a station; both rates zero or more, per minute."""
    if fail == 0:
        return {}
    mode = {"every": exponential(fail), "repair": exponential(repair), "clock": clock}
    return {"breakdown": mode}


def make_line(
    name: str, stations: Mapping[str, Any], products: Mapping[str, Any]
) -> Line:
    return Line.model_validate(
        {
            "schema_version": 1,
            "name": name,
            "stations": {k: dict(v) for k, v in stations.items()},
            "products": {k: dict(v) for k, v in products.items()},
        }
    )


def station_names(n: int, letter: str = "s") -> list[str]:
    return [f"{letter}{k}" for k in range(1, n + 1)]


def serial_line(
    name: str,
    times: list[Any],
    buffers: list[int],
    failures: list[dict[str, Any]] | None = None,
) -> Line:
    """Return a saturated serial line; `buffers` are the places between stations."""
    names = station_names(len(times))
    stations: dict[str, dict[str, Any]] = {}
    for k, station in enumerate(names):
        stations[station] = {"process": times[k]}
        if k:
            stations[station]["buffer"] = buffers[k - 1]
        if failures:
            stations[station]["failures"] = failures[k]
    return make_line(name, stations, {"part": {"route": names}})


def relaxation_time(places: int, minutes: float) -> float:
    """Return the relaxation time of two balanced stations with as many places.

    The slowest mode of the reflected random walk on n + 1 states with steps at rate 2μ
    decays at 2μ (1 - cos(π / (n + 1))), about μ π² / (n + 1)².
    """
    return (places + 2) ** 2 / math.pi**2 * minutes


def read_table(table: str) -> list[dict[str, str]]:
    with (TABLES / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> list[float]:
    return [float(x) for x in text.split(";")] if text else []


def whole_numbers(text: str) -> list[int]:
    return [int(x) for x in text.split(";")] if text else []


def optional(text: str) -> float | None:
    return float(text) if text else None


def not_zero(values: Mapping[str, float]) -> dict[str, float]:
    """Drop what is exactly zero; a rounding error of a solver counts as zero."""
    return {name: value for name, value in values.items() if value > 1e-12}


def fractions(
    case: Mapping[str, str], stations: list[str], columns: Iterable[str]
) -> dict[str, float]:
    """Read the columns of time fractions, one value for each station."""
    measures = {
        "busy": "busy",
        "blocked": "blocked",
        "empty": "starved",
        "down": "down",
    }
    found = {}
    for column in columns:
        values = numbers(case[column])
        if values:
            pairs = zip(stations, values, strict=True)
            found.update({f"{measures[column]}:{s}": x for s, x in pairs})
    return found


def levels_of(case: Mapping[str, str], buffers: list[str]) -> dict[str, float]:
    values = numbers(case["buffer_mean"])
    return {f"level:{b}": x for b, x in zip(buffers, values, strict=True)}
