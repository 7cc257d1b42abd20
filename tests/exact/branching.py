"""Parallel servers, splits, merges, scrap and rework."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from linewright.model.line import Line
from tests.exact.row import (
    Row,
    exponential,
    make_line,
    not_zero,
    numbers,
    optional,
    read_table,
    relaxation_time,
)


def _mean_of_servers(values: list[float], servers: list[int]) -> list[float]:
    """Average the columns of a station's servers; which server works is a free choice.

    A table that does not tell the servers of a station apart is returned as it is.
    """
    if len(values) != sum(servers):
        return values
    found, at = [], 0
    for n in servers:
        found.append(math.fsum(values[at : at + n]) / n)
        at += n
    return found


def _widened_row(
    case: Mapping[str, str],
    line: Line,
    stations: list[str],
    levels: Mapping[str, float],
    products: tuple[str, ...] = ("part",),
) -> Row:
    servers = [line.stations[s].servers for s in stations]
    expected = {"throughput": float(case["throughput"]), "wip": float(case["wip"])}
    expected["scrap_rate"] = float(case["scrap_rate"])
    for column, measure in (
        ("busy", "busy"),
        ("blocked", "blocked"),
        ("empty", "starved"),
    ):
        values = _mean_of_servers(numbers(case[column]), servers)
        expected |= {f"{measure}:{s}": x for s, x in zip(stations, values, strict=True)}
    places = sum(x for x in _buffer_sizes(line)) + sum(servers)
    return Row(
        line.name,
        line,
        products,
        not_zero(expected | dict(levels)),
        utilization=max(numbers(case["busy"])),
        output_variance_rate=optional(case["output_variance_rate"]),
        relaxation=relaxation_time(places, 3.0),
        n_steps=len(stations) + 1,
    )


def _buffer_sizes(line: Line) -> list[int]:
    sizes = [s.buffer for s in line.stations.values()]
    sizes += [b.slots for b in line.buffers.values()]
    return [size for size in sizes if isinstance(size, int)]


def _parallel(name: str, servers: list[int], slots: int) -> Line:
    """Return stages of equal servers; every stage makes one part a minute at most."""
    stations: dict[str, dict[str, Any]] = {}
    for k, n in enumerate(servers):
        stations[f"s{k + 1}"] = {"servers": n, "process": exponential(1 / n)}
        if k:
            stations[f"s{k + 1}"]["buffer"] = slots
    return make_line(name, stations, {"part": {"route": list(stations)}})


def _random_split(name: str) -> Line:
    """Return a station that sends 0.3 of its parts to one line and 0.7 to another.

    A verdict is the model's way to draw where a part goes: here 0.3 are `rework`, whose
    operation is line A, at the end of the route, where no other part comes.
    """
    send = {"pass": 0.7, "rework": 0.3, "rework_to": "a"}
    stations = {
        "s1": {"process": "exponential(1 min)"},
        "a": {"process": exponential(0.3), "buffer": 0},
        "b": {"process": exponential(0.7), "buffer": 0},
    }
    route = [
        {"station": "s1", "inspection": send},
        "b",
        {"station": "a", "rework_only": True},
    ]
    return make_line(name, stations, {"part": {"route": route}})


def _flexible_split(name: str, slots: int) -> Line:
    stations = {
        "s1": {"process": "exponential(1 min)"},
        "a": {"process": exponential(0.5), "buffer": slots},
        "b": {"process": exponential(0.5), "buffer": slots},
    }
    choice = {"operation": "work", "station": ["a", "b"], "choose": "preference"}
    return make_line(name, stations, {"part": {"route": ["s1", choice]}})


def _merge(name: str, slots: int) -> Line:
    stations = {
        "a": {"process": exponential(0.5)},
        "b": {"process": exponential(0.5)},
        "s3": {"process": "exponential(1 min)", "dispatch": "priority"},
    }
    products = {
        key: {
            "priority": priority,
            "route": [key, {"station": "s3", "buffer": f"from {key}"}],
        }
        for key, priority in (("a", 1), ("b", 0))
    }
    return Line.model_validate(
        {
            "schema_version": 1,
            "name": name,
            "buffers": {"from a": {"slots": slots}, "from b": {"slots": slots}},
            "stations": stations,
            "products": products,
        }
    )


def _scrap(name: str, where: str, share_good: float, slots: int) -> Line:
    test = {"pass": share_good, "scrap": 1 - share_good}
    stations: dict[str, dict[str, Any]] = {
        "s1": {"process": "exponential(1 min)"},
        "s2": {"process": "exponential(1 min)", "buffer": slots},
        "s3": {"process": "exponential(1 min)", "buffer": slots},
    }
    at = {"mid": "s2", "end": "s3"}[where]
    route = [{"station": s, "inspection": test} if s == at else s for s in stations]
    return make_line(name, stations, {"part": {"route": route}})


def _rework_bypass(name: str) -> Line:
    """Return a line whose rejects are repaired beside it and packed first.

    The repaired parts have their own place in front of the packer, so their packing is
    an operation of its own: it comes after the repair, at the end of the route.
    """
    verdict = {
        "pass": 0.7,
        "rework": 0.3,
        "rework_to": "repair",
        "rework_priority": 1,
    }
    stations = {
        "s1": {"process": "exponential(1 min)"},
        "test": {"process": "exponential(1 min)", "buffer": 1},
        "repair": {"process": exponential(0.5), "buffer": 1},
        "pack": {"process": "exponential(1 min)", "dispatch": "priority"},
    }
    packing = {"operation": "pack repaired", "station": "pack", "buffer": "repaired"}
    route = [
        "s1",
        {"station": "test", "inspection": verdict},
        {"station": "pack", "buffer": "passed"},
        {"station": "repair", "rework_only": True},
        {**packing, "rework_only": True},
    ]
    return Line.model_validate(
        {
            "schema_version": 1,
            "name": name,
            "buffers": {"passed": {"slots": 1}, "repaired": {"slots": 1}},
            "stations": stations,
            "products": {"part": {"route": route}},
        }
    )


def _rework_in_place(name: str, share_good: float, slots: int) -> Line:
    """Return a line whose second station repeats a failed operation at once.

    The part goes through a buffer that holds nothing else and is taken again first, so
    it is never there for longer than an instant.
    """
    verdict = {
        "pass": share_good,
        "rework": 1 - share_good,
        "rework_to": "again",
        "rework_priority": 1,
    }
    stations: dict[str, dict[str, Any]] = {
        "s1": {"process": "exponential(1 min)"},
        "s2": {
            "process": "exponential(1 min)",
            "buffer": slots,
            "dispatch": "priority",
        },
        "s3": {"process": "exponential(1 min)", "buffer": slots},
    }
    again = {
        "operation": "again",
        "station": "s2",
        "buffer": "to repeat",
        "rework_only": True,
    }
    route = [
        "s1",
        {"station": "s2", "inspection": verdict},
        {**again, "inspection": verdict},
        "s3",
    ]
    return Line.model_validate(
        {
            "schema_version": 1,
            "name": name,
            "buffers": {"to repeat": {"slots": "unlimited"}},
            "stations": stations,
            "products": {"part": {"route": route}},
        }
    )


def _rework_loop(name: str, share_good: float, cap: int) -> Line:
    """Return a loop of test and repair with a cap on the parts in it and in front.

    The table's first station starts only while fewer than the cap are in it and in the
    loop. In the CONWIP line the units beyond it wait in front of the first station
    instead: it works at the same times.
    """
    verdict = {
        "pass": share_good,
        "rework": 1 - share_good,
        "rework_to": "repair",
        "rework_priority": 1,
    }
    stations = {
        "s1": {"process": "exponential(1 min)"},
        "repair": {"process": exponential(0.6)},
        "test": {"process": exponential(1.2), "dispatch": "priority"},
    }
    route = [
        "s1",
        {"station": "repair", "rework_only": True},
        {"station": "test", "inspection": verdict},
    ]
    release = {"kind": "always", "conwip": cap}
    return make_line(name, stations, {"part": {"route": route, "release": release}})


def _parallel_case(case: Mapping[str, str], name: str, key: str) -> Row:
    levels = numbers(case["buffer_mean"])
    if match := re.fullmatch(r"par-([\d-]+)-B(\d+)", key):
        line = _parallel(name, [int(n) for n in match[1].split("-")], int(match[2]))
        stations = list(line.stations)
        found = {f"level:{s}": x for s, x in zip(stations[1:], levels, strict=True)}
        return _widened_row(case, line, stations, found)
    if key == "split-q0.3-B0":
        return _widened_row(case, _random_split(name), ["s1", "a", "b"], {})
    if match := re.fullmatch(r"split-flex-B(\d+)", key):
        line = _flexible_split(name, int(match[1]))
        found = dict(zip(("level:a", "level:b"), levels, strict=True))
        return _widened_row(case, line, ["s1", "a", "b"], found)
    match = re.fullmatch(r"merge-prio-B(\d+)", key)
    assert match, key
    line = _merge(name, int(match[1]))
    found = dict(zip(("level:from a", "level:from b"), levels, strict=True))
    return _widened_row(case, line, ["a", "b", "s3"], found, products=("a", "b"))


def _rework_case(case: Mapping[str, str], name: str, key: str) -> Row:
    levels = numbers(case["buffer_mean"])
    if match := re.fullmatch(r"scrap-(mid|end)-y([\d.]+)-B(\d+)", key):
        line = _scrap(name, match[1], float(match[2]), int(match[3]))
        found = dict(zip(("level:s2", "level:s3"), levels, strict=True))
        return _widened_row(case, line, ["s1", "s2", "s3"], found)
    if key == "rework-bypass-y0.7-B1":
        buffers = ("level:test", "level:passed", "level:repair", "level:repaired")
        found = dict(zip(buffers, levels, strict=True))
        stations = ["s1", "test", "repair", "pack"]
        return _widened_row(case, _rework_bypass(name), stations, found)
    if match := re.fullmatch(r"rework-inplace-y([\d.]+)-B(\d+)", key):
        line = _rework_in_place(name, float(match[1]), int(match[2]))
        found = dict(zip(("level:s2", "level:s3"), levels, strict=True))
        return _widened_row(case, line, ["s1", "s2", "s3"], found)
    match = re.fullmatch(r"rework-loop-y([\d.]+)-C(\d+)", key)
    assert match, key
    line = _rework_loop(name, float(match[1]), int(match[2]))
    # The table has a queue of new and one of reworked parts in front of the test.
    found = {"level:test": levels[0] + levels[1], "level:repair": levels[2]}
    row = _widened_row(case, line, ["s1", "test", "repair"], found)
    del row.expected["wip"]
    return row


def rows() -> list[Row]:
    """Return the rows of lines that branch."""
    found = []
    for case in read_table("parallel_split_scrap_rework"):
        key = case["case_id"]
        name = f"parallel_split_scrap_rework {key}"
        rework = key.startswith(("scrap", "rework"))
        found.append((_rework_case if rework else _parallel_case)(case, name, key))
    return found
