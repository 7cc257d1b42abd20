"""Assembly from finite stores, and its mirror image, disassembly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from linewright.model.line import Line
from tests.exact.row import (
    Row,
    breakdown,
    exponential,
    fractions,
    levels_of,
    make_line,
    not_zero,
    numbers,
    optional,
    read_table,
    relaxation_time,
    station_names,
)


def _assembly_row(
    case: Mapping[str, str],
    line: Line,
    stations: list[str],
    buffers: list[str],
    products: tuple[str, ...] = ("set",),
) -> Row:
    tdf = "TDF" in case["structure"]
    columns = ("busy", "down") if tdf else ("busy", "blocked", "empty", "down")
    expected = {
        "throughput": float(case["throughput"]),
        "wip": float(case["wip"]),
        **fractions(case, stations, columns),
        **levels_of(case, buffers),
    }
    return Row(
        line.name,
        line,
        products,
        not_zero(expected),
        utilization=max(numbers(case["busy"])),
        output_variance_rate=optional(case["output_variance_rate"]),
        relaxation=relaxation_time(30, 4.0),
        n_steps=len(stations) + 1,
    )


def _joined(
    name: str,
    rates: list[float],
    stores: list[int],
    uses: tuple[int, ...],
    stops: tuple[float, float, str] = (0, 0, "processing"),
) -> Line:
    """Return suppliers, each with a finite store, and the station that joins them."""
    parts = [chr(ord("a") + k) for k in range(len(stores))]
    stations = {
        f"s{k + 1}": {"process": exponential(mu), "failures": breakdown(*stops)}
        for k, mu in enumerate(rates)
    }
    products: dict[str, Any] = {
        part: {"route": [f"s{k + 1}"], "store": stores[k]}
        for k, part in enumerate(parts)
    }
    bom = dict(zip(parts, uses, strict=True))
    products["set"] = {"bom": bom, "route": [f"s{len(rates)}"]}
    return make_line(name, stations, products)


_BALANCED = re.compile(r"asm(\d)-bal-B(\d+)")
_FEEDER = re.compile(r"asm-feeder-B(\d+)")
_DISASSEMBLY = re.compile(r"disasm2-B(\d+)")


def _feeder(name: str, slots: int) -> Line:
    work = {"process": "exponential(1 min)"}
    behind = {**work, "buffer": slots}
    stations = {"s1": work, "s2": behind, "s3": work, "s4": work, "s5": behind}
    products = {
        "a": {"route": ["s1", "s2"], "store": slots},
        "b": {"route": ["s3"], "store": slots},
        "set": {"bom": {"a": 1, "b": 1}, "route": ["s4", "s5"]},
    }
    return make_line(name, stations, products)


def _disassembly(name: str, slots: int) -> Line:
    stations = {
        "s1": {"process": "exponential(1 min)"},
        "s2": {"process": "exponential(1 min)", "buffer": slots},
        "s3": {"process": "exponential(1 min)", "buffer": slots},
    }
    split = {"station": "s1", "makes": {"a": 1, "b": 1}, "makes_together": True}
    products = {
        "sheet": {"route": [split]},
        "a": {"route": ["s2"], "release": "never"},
        "b": {"route": ["s3"], "release": "never"},
    }
    return make_line(name, stations, products)


def _assembly_case(case: Mapping[str, str]) -> Row:
    key = case["case_id"]
    name = f"assembly {key}"
    if match := _BALANCED.fullmatch(key):
        n, slots = int(match[1]), int(match[2])
        line = _joined(name, [1.0] * (n + 1), [slots] * n, (1,) * n)
        return _assembly_row(case, line, station_names(n + 1), ["a", "b", "c"][:n])
    if match := _FEEDER.fullmatch(key):
        line = _feeder(name, int(match[1]))
        return _assembly_row(case, line, station_names(5), ["s2", "a", "b", "s5"])
    if match := _DISASSEMBLY.fullmatch(key):
        line = _disassembly(name, int(match[1]))
        return _assembly_row(
            case, line, station_names(3), ["s2", "s3"], products=("a",)
        )
    line = {
        "asm2-unb-2": lambda: _joined(name, [1, 1, 0.8], [2, 4], (1, 1)),
        "asm-bom2-2-4": lambda: _joined(name, [1, 2, 1], [2, 4], (1, 2)),
        "asm2-ODF-B4": lambda: _joined(
            name, [1, 1, 1], [4, 4], (1, 1), (0.05, 0.3, "processing")
        ),
        "asm2-TDF-B2": lambda: _joined(
            name, [1, 1, 1], [2, 2], (1, 1), (0.05, 0.3, "operating")
        ),
    }[key]()
    return _assembly_row(case, line, station_names(3), ["a", "b"])


def rows() -> list[Row]:
    """Return the rows of assembly and disassembly."""
    return [_assembly_case(case) for case in read_table("assembly")]
