"""A made-up but plausible result to draw: a light-aircraft plant of 30 stations.

Nothing is simulated here. The numbers are drawn so that they look like a plant's and
keep the promises of the result tables (states sum to the clock, buckets are fine).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from linewright.model.line import Line
from linewright.report.palette import STATES
from linewright.report.routes import components

HOUR = 3_600_000_000
WEEK = 168 * HOUR
STAGES: dict[str, dict[str, int]] = {
    "Materials": {
        "Goods in": 2, "Sheet cutting": 1, "CNC milling": 3, "Prepreg layup": 4,
    },
    "Components": {
        "Spar bonding": 2, "Rib press": 1, "Skin forming": 1, "Wing jig": 3,
        "Wing cure oven": 2, "Wing trim": 1, "Fuselage jig": 3, "Fuselage cure oven": 2,
        "Fuselage trim": 1, "Tail jig": 1, "Tail finish": 1, "Harness shop": 2,
        "Paint preparation": 2, "Paint booth": 2,
    },
    "Testing": {
        "Wing load test": 1, "Fuselage leak test": 1, "Avionics bench": 2,
        "Rework bay": 2,
    },
    "Assembly": {
        "Wing mating": 2, "Engine fit": 2, "Systems fit": 3, "Interior fit": 2,
        "Final inspection": 1, "Engine run": 1, "Flight test": 2, "Spares packing": 1,
    },
}  # fmt: skip


def _route(*steps: Any) -> list[Any]:
    return [
        s if isinstance(s, dict) else {"station": s, "process": "2 h"} for s in steps
    ]


def plant() -> Line:
    stations = {
        name: {"stage": stage, "servers": n}
        for stage, group in STAGES.items()
        for name, n in group.items()
    }
    load = {
        "station": "Wing load test", "process": "3 h",
        "inspection": {
            "pass": 0.94, "rework": 0.8, "scrap": 0.2, "rework_to": "Repair",
        },
    }  # fmt: skip
    repair = {
        "operation": "Repair", "station": "Rework bay", "process": "5 h",
        "rework_only": True,
    }  # fmt: skip
    final = {
        "station": "Final inspection", "process": "4 h",
        "inspection": {
            "pass": 0.9, "rework": 1, "scrap": 0, "rework_to": "Systems fit",
        },
    }  # fmt: skip
    aircraft = _route(
        {
            "station": "Wing mating", "process": "9 h",
            "uses": ["Wing", "Wing", "Fuselage"],
        },
        {"station": "Engine fit", "process": "8 h", "uses": ["Engine", "Tail"]},
        {"station": "Systems fit", "process": "14 h", "uses": ["Harness"]},
        "Interior fit", final, "Engine run", "Flight test",
    )  # fmt: skip
    bom = {
        "Wing": 2, "Fuselage": 1, "Tail": 1, "Harness": 1,
        "Engine": {"quantity": 1, "bought": True},
    }  # fmt: skip
    parts: dict[str, Any] = {
        "Spar": {"route": _route("Goods in", "CNC milling", "Spar bonding")},
        "Skin": {
            "route": _route("Goods in", "Sheet cutting", "Rib press", "Skin forming")
        },
        "Wing": {
            "bom": {"Spar": 1, "Skin": 2},
            "route": _route(
                "Wing jig", "Wing cure oven", repair, load, "Wing trim",
                "Paint preparation", "Paint booth",
            ),
        },
        "Fuselage": {
            "route": _route(
                "Prepreg layup", "Fuselage jig", "Fuselage cure oven", "Fuselage trim",
                "Fuselage leak test", "Paint preparation", "Paint booth",
            )
        },
        "Tail": {"route": _route("Prepreg layup", "Tail jig", "Tail finish")},
        "Harness": {"route": _route("Harness shop", "Avionics bench")},
    }  # fmt: skip
    for part in parts.values():
        part["release"] = "with_parent"
    products = {
        **parts,
        "Trainer": {
            "family": "Aircraft",
            "bom": bom,
            "route": aircraft,
            "demand": "3.1/week",
        },
        "Tourer": {
            "family": "Aircraft",
            "bom": bom,
            "route": aircraft,
            "demand": "1.5667/week",
        },
        "Spare wing": {
            "bom": {"Wing": 1},
            "route": _route("Spares packing"),
            "demand": "1/week",
        },
    }
    return Line.model_validate(
        {
            "schema_version": 1,
            "name": "Light-aircraft plant",
            "description": "Two-seat trainer and four-seat tourer, two shifts.",
            "start": "2027-01-04T00:00:00",
            "time_zone": "Europe/Berlin",
            "stages": list(STAGES),
            "stations": stations,
            "products": products,
        }
    )


@dataclass
class Made:
    """A result made by hand; the tables can be changed before the brief is written."""

    manifest: dict[str, Any]
    line: Line
    tables: dict[str, pa.Table] = field(default_factory=dict)


def manifest(line: Line, **changes: Any) -> dict[str, Any]:
    return {
        "model_name": line.name,
        "description": line.description,
        "model_hash": "5e1f0c9a77d24b6f8f3d0a91c2b4e6d8",
        "linewright_version": "0.1.0",
        "result_schema_version": 1,
        "seed": 20270104,
        "replications": 20,
        "horizon_us": 30 * WEEK,
        "warmup_us": 4 * WEEK,
        "warmup_reason": "MSER-5 on units in the line",
        "study": "steady_state",
        "start": "2027-01-04T00:00:00",
        "time_zone": "Europe/Berlin",
        "events": 1_824_331,
        "confidence": 0.95,
        "stages": list(line.stages),
        "stopped_early": False,
        **changes,
    }


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows)


def make(line: Line, *, limit: str = "", **changes: Any) -> Made:
    """Return a result for any line; `limit` is the station to hold it back."""
    rng = np.random.default_rng(5)
    m = manifest(line, **changes)
    n, window = m["replications"], m["horizon_us"] - m["warmup_us"]
    made = Made(m, line)
    made.tables = {
        "stations": _stations(line, n, window, limit, rng),
        "products": _products(line, n, rng),
        "buffers": (buffers := _buffers(line, n, rng)),
        "periods": _periods(line, m, dict(_levels(buffers)), rng),
        "flow": _flow(line, rng),
        "orders": table([]),
        "gantt": _gantt(line, rng),
        "checks": _checks(line, n),
    }
    made.tables["summary"] = _summary(made, n, rng)
    return made


SHOWN = (
    "processing", "setup", "blocked", "starved", "failed", "maintenance", "break",
    "off_shift",
)  # fmt: skip
"""States that servers of this plant come to; nobody loads or waits for people."""


def _stations(
    line: Line, n: int, window: int, limit: str, rng: np.random.Generator
) -> pa.Table:
    rows = []
    names = list(line.stations)
    at = names.index(limit) if limit else len(names) // 2
    for k, name in enumerate(names):
        used = rng.uniform(0.45, 0.78) if name != limit else 0.9
        down, setup = rng.uniform(0.01, 0.05), rng.uniform(0, 0.04)
        rest = max(0.015, 1 - used - down - setup)
        share_blocked = rng.uniform(0.6, 0.9) if k < at else rng.uniform(0.05, 0.25)
        shares = [
            used,
            setup,
            rest * share_blocked,
            rest * (1 - share_blocked),
            down,
            0.012,
        ]
        for r in range(n):
            total = window * line.stations[name].servers
            noisy = np.array(shares) * rng.normal(1, 0.02, 6).clip(0.5)
            on = (noisy / noisy.sum() * total * 0.44).astype(int)
            pause = int(total * 0.04)
            us = [*map(int, on), pause, total - int(on.sum()) - pause]
            row = {"replication": r, "station": name}
            row |= dict.fromkeys((s.key for s in STATES), 0)
            row |= dict(zip(SHOWN, us, strict=True))
            rows.append(
                row | {"started": 90, "completed": 88, "failures": 5, "setups": 9}
            )
    return table(rows)


def _products(line: Line, n: int, rng: np.random.Generator) -> pa.Table:
    rows = []
    built_in = {c for p in line.products.values() for c in components(p)}
    for name, product in line.products.items():
        base = (product.demand or 5 / 604_800) * 604_800 * 26
        part = name in built_in
        for r in range(n):
            done = max(0, int(rng.normal(base * 0.94, 2)))
            rows.append(
                {
                    "replication": r, "product": name, "released": done + 6,
                    "finished": done, "scrapped": int(rng.poisson(base * 0.02)),
                    "reworked": int(rng.poisson(base * 0.1)), "lost": 0,
                    "escaped": int(rng.poisson(0.4)), "wip_start": 7, "wip_end": 8,
                    "wip_mean": 7.5, "flow_mean_s": 9e5, "first_pass_yield": 0.9,
                    "used": done if part else 0, "bought": 0,
                }
            )  # fmt: skip
    return table(rows)


def _buffers(line: Line, n: int, rng: np.random.Generator) -> pa.Table:
    rows = []
    for k, name in enumerate(line.stations):
        slots = [-1, 4, 6, 8][k % 4]
        level = rng.uniform(0.1, 0.9) * (slots if slots > 0 else 9)
        rows += [
            {
                "replication": r, "buffer": name, "slots": slots,
                "level_mean": float(level * rng.normal(1, 0.05)),
                "level_max": slots if slots > 0 else 17,
                "wait_mean_s": float(level * 9000 * rng.normal(1, 0.05)),
                "entered": 200, "left": 198,
            }
            for r in range(n)
        ]  # fmt: skip
    return table(rows)


def _levels(buffers: pa.Table) -> Iterator[tuple[str, float]]:
    for row in buffers.to_pylist():
        yield row["buffer"], row["level_mean"]


def _periods(
    line: Line, m: dict[str, Any], levels: dict[str, float], rng: np.random.Generator
) -> pa.Table:
    count = 60
    edges = np.linspace(0, m["horizon_us"], count + 1).astype(int)
    wanted: list[tuple[str, str, float]] = [("wip", "", 58.0)]
    wanted += [("wip", name, 6.0) for name in line.products]
    wanted += [("level", name, level) for name, level in levels.items()]
    names = [
        "replication",
        "period",
        "start_us",
        "end_us",
        "measure",
        "entity",
        "value",
    ]
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for measure, entity, level in wanted:
        for r in range(m["replications"]):
            noise = np.cumsum(rng.normal(0, 0.05, count))
            noise -= np.linspace(0, noise[-1], count)
            values = level * (1 - np.exp(-np.arange(count) / 3)) * (1 + noise).clip(0)
            rows["replication"] += [r] * count
            rows["period"] += range(count)
            rows["start_us"] += edges[:-1].tolist()
            rows["end_us"] += edges[1:].tolist()
            rows["measure"] += [measure] * count
            rows["entity"] += [entity] * count
            rows["value"] += values.tolist()
    return pa.table(rows)


def _flow_median_s(k: int) -> float:
    return 6e5 * (1 + 0.3 * k % 1.2)


def _flow(line: Line, rng: np.random.Generator) -> pa.Table:
    rows = []
    for k, name in enumerate(line.products):
        sample = rng.lognormal(np.log(_flow_median_s(k)), 0.22, 3000)
        bucket, n = np.unique(
            np.floor(np.log(sample) / np.log(1.02)), return_counts=True
        )
        for b, c in zip(bucket, n, strict=True):
            rows.append(
                {
                    "product": name,
                    "low_s": 1.02**b,
                    "high_s": 1.02 ** (b + 1),
                    "count": int(c),
                }
            )
    return table(rows)


def _gantt(line: Line, rng: np.random.Generator) -> pa.Table:
    rows: list[dict[str, Any]] = []
    products = [p for p, v in line.products.items() if v.route]
    for k, (name, station) in enumerate(line.stations.items()):
        for server in range(station.servers):
            t, work = 6 * HOUR, rng.integers(1, 4) * HOUR // 2
            row = {"station": name, "server": server, "product": "", "part": -1}
            rows.append(row | {"state": "off_shift", "start_us": 0, "end_us": t})
            begin = t + k * HOUR // 3
            spans = [("starved", begin)] if begin > t else []
            at = begin
            while at < 30 * HOUR:
                at += int(work * rng.uniform(0.7, 1.4))
                spans.append(("processing", at))
                state = rng.choice(
                    ["setup", "blocked", "starved", "failed", "processing"]
                )
                at += int(HOUR * rng.uniform(0.1, 0.8))
                spans.append((str(state), at))
            for i, (state, end) in enumerate(spans):
                product = (
                    products[(k + i) % len(products)] if state == "processing" else ""
                )
                row = row | {"product": product, "part": i, "state": state}
                rows.append(row | {"start_us": t, "end_us": min(end, 30 * HOUR)})
                t = end
    return table([row for row in rows if int(row["start_us"]) < int(row["end_us"])])


def _checks(line: Line, n: int) -> pa.Table:
    laws = ("units conserved", "states sum to the clock", "Little's law")
    return table(
        [
            {
                "replication": r, "law": law, "entity": name, "expected": 100.0,
                "found": 100.0 + 1e-9, "ok": True,
            }
            for law in laws for name in line.stations for r in range(n)
        ]
    )  # fmt: skip


def _summary(made: Made, n: int, rng: np.random.Generator) -> pa.Table:
    rows: list[dict[str, Any]] = []
    line = made.line

    def add(measure: str, entity: str, unit: str, mean: float, spread: float) -> None:
        half = None if n == 1 else abs(mean) * spread * float(rng.uniform(0.7, 1.3))
        low, high = (None, None) if half is None else (mean - half, mean + half)
        rows.append(
            {
                "measure": measure, "entity": entity, "unit": unit, "mean": mean,
                "half_width": half, "low": low, "high": high, "n": n,
            }
        )  # fmt: skip

    for i, (name, product) in enumerate(line.products.items()):
        rate = (product.demand or 5 / 604_800) * 3600
        add("throughput_per_h", name, "1/h", rate * (0.9 + 0.05 * (i % 3)), 0.03)
        middle = _flow_median_s(i)
        for key, scale in (
            ("mean", 1.02),
            ("p50", 1.0),
            ("p90", 1.325),
            ("p95", 1.436),
        ):
            add(f"flow_{key}_s", name, "s", middle * scale, 0.03)
        add("wip_mean", name, "units", 6.2, 0.04)
        add("first_pass_yield", name, "1", 0.91, 0.01)
    add("wip_mean", "", "units", 57.3, 0.02)
    shares = made.tables["stations"].to_pylist()
    for name in line.stations:
        mine = [row for row in shares if row["station"] == name]
        on = sum(row[key] for row in mine for key in SHOWN[:6])
        used = sum(row["processing"] for row in mine) / on if on else 0.0
        add("utilization", name, "1", used, 0.012)
        factors = (float(rng.uniform(0.6, 0.97)), float(rng.uniform(0.85, 1)), 0.985)
        for factor, value in zip(
            ("availability", "performance", "quality"), factors, strict=True
        ):
            add(f"oee_{factor}", name, "1", value, 0.01)
        add("oee", name, "1", float(np.prod(factors)), 0.015)
    for row in made.tables["buffers"].to_pylist():
        if row["replication"] == 0:
            add("level_mean", row["buffer"], "units", row["level_mean"], 0.05)
            add("wait_mean_s", row["buffer"], "s", row["wait_mean_s"], 0.05)
    return table(rows)


def aircraft_result(**changes: Any) -> Made:
    """Return the light-aircraft plant with orders."""
    made = make(plant(), limit="Wing cure oven", **changes)
    rng = np.random.default_rng(9)
    rows = []
    for r in range(made.manifest["replications"]):
        for k in range(93):
            due = int((k + 1) * 0.32 * WEEK)
            late = rng.normal(-1.2 + 0.02 * k, 1.3)
            end = int(due + late * 24 * HOUR)
            rows.append(
                {
                    "replication": r, "order": f"A-{1001 + k}",
                    "product": ("Trainer", "Trainer", "Tourer")[k % 3],
                    "quantity": 1 + k % 2 * (k % 3 < 2) + (k % 6 == 2),
                    "release_us": 0, "due_us": due,
                    "finished_us": end if end < made.manifest["horizon_us"] else -1,
                    "tardiness_s": max(0.0, late * 86_400),
                }
            )  # fmt: skip
    made.tables["orders"] = table(rows)
    return made


def hand_made(names: Mapping[str, str] | None = None, **changes: Any) -> Made:
    """Return one station, one product; `names` may replace any of the names."""
    n = {"line": "Small line", "station": "Saw", "product": "Board", **(names or {})}
    line = Line.model_validate(
        {
            "schema_version": 1,
            "name": n["line"],
            "stations": {n["station"]: {"process": "5 min"}},
            "products": {n["product"]: {"route": [{"station": n["station"]}]}},
        }
    )
    return make(line, **changes)


def test_states_of_the_made_result_fill_the_clock() -> None:
    made = aircraft_result(replications=2)
    rows = made.tables["stations"].to_pylist()
    window = made.manifest["horizon_us"] - made.manifest["warmup_us"]
    for row in rows:
        servers = made.line.stations[row["station"]].servers
        assert sum(row[s.key] for s in STATES) == window * servers
