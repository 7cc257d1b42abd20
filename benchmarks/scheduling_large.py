"""Measure large schedules: how soon the first is there, and how much better the last.

Use: ``python -m benchmarks.scheduling_large [--operations N] [--limit SECONDS]
[--objective NAMES] [--seed N] [--first]``

A machine shop: 14 stations with one to three servers, two and three shifts with breaks,
setups between eight families that depend on both and need one of three fitters, lots on
routes of four to six operations, of which some may be done elsewhere. Orders are
released over some weeks and due a few days later, for as much as the servers can do.

Prints one row of a Markdown table for each stage: seconds on the clock, seconds of the
processor (all cores; the honest ones where others work beside), the objectives, and the
peak of memory. With ``--first`` it ends with the schedule by the best dispatching rule.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from typing import Any

import numpy as np

from linewright.model.check import check
from linewright.model.line import Line
from linewright.schedule import Progress, orders_of, schedule_line
from linewright.schedule.scheduling import first_schedule
from linewright.units import format_duration

FAMILIES = tuple("abcdefgh")
N_PRODUCTS = 40
MINUTES_OF_OPERATION = 62  # mean, with the setup that comes with some
WEEK_H = 5 * 15.0


def shop(n_operations: int, seed: int = 1) -> Line:
    """Return a machine shop with orders of about so many operations."""
    random = np.random.default_rng(np.random.SeedSequence([seed, n_operations]))
    stations: dict[str, Any] = {}
    n_servers = 0
    for k in range(14):
        servers = int(random.integers(1, 4))
        n_servers += servers
        matrix = {
            one: {
                two: f"{5 * int(random.integers(3, 13))} min"
                for two in FAMILIES
                if two != one
            }
            for one in FAMILIES
        }
        stations[f"s{k}"] = {
            "process": "40 min",
            "servers": servers,
            "calendar": "three" if k % 5 == 0 else "two",
            "shift_end": ("interrupt", "interrupt", "finish", "fit")[k % 4],
            "setup": {"by": "family", "matrix": matrix},
            "people": {"setup": "fitter"},
        }
    products = {
        f"p{i}": {
            "family": FAMILIES[i % len(FAMILIES)],
            "route": _route(random),
            "release": "orders",
        }
        for i in range(N_PRODUCTS)
    }
    orders = _orders(random, products, n_operations)
    products = {name: products[name] for name in {o["product"]: 0 for o in orders}}
    weeks = n_operations * MINUTES_OF_OPERATION / 60 / (n_servers * WEEK_H)
    keys = {
        "schema_version": 1,
        "name": f"Machine shop, {n_operations:,} operations",
        "start": "2027-01-04 00:00",
        "calendars": _CALENDARS,
        "calendar": "two",
        "people": {"fitter": {"count": 3 + n_servers // 6}},
        "stations": stations,
        "products": products,
        "orders": _dated(random, orders, weeks),
    }
    line = Line.model_validate(keys)
    errors = [f for f in check(line) if f.severity == "error"]
    assert not errors, "\n".join(map(str, errors[:5]))
    return line


_CALENDARS = {
    "two": {
        "shifts": [
            {
                "days": "mon-fri", "from": "06:00", "to": "14:00",
                "breaks": [{"from": "10:00", "to": "10:30"}],
            },
            {
                "days": "mon-fri", "from": "14:00", "to": "22:00",
                "breaks": [{"from": "18:00", "to": "18:30"}],
            },
        ]
    },
    "three": {
        "shifts": [
            {"days": "mon-fri", "from": "06:00", "to": "14:00"},
            {"days": "mon-fri", "from": "14:00", "to": "22:00"},
            {"days": "mon-fri", "from": "22:00", "to": "06:00"},
        ]
    },
}  # fmt: skip


def _route(random: np.random.Generator) -> list[dict[str, Any]]:
    visited = random.permutation(14)[: int(random.integers(4, 7))]
    route = []
    for n, k in enumerate(visited.tolist()):
        minutes = 5 * int(random.integers(4, 15))
        step: dict[str, Any] = {"operation": f"{n}-s{k}", "station": f"s{k}"}
        if random.random() < 0.3:
            other = (k + 1) % 14
            step["station"] = {
                f"s{k}": f"{minutes} min", f"s{other}": f"{minutes + 15} min",
            }  # fmt: skip
        else:
            step["process"] = f"{minutes} min"
        route.append(step)
    return route


def _orders(
    random: np.random.Generator, products: dict[str, Any], n_operations: int
) -> list[dict[str, Any]]:
    orders: list[dict[str, Any]] = []
    names = list(products)
    n = 0
    while n < n_operations:
        product = names[int(random.integers(len(names)))]
        quantity = int(random.integers(1, 4))
        orders.append({"product": product, "quantity": quantity})
        n += quantity * len(products[product]["route"])
    return orders


def _dated(
    random: np.random.Generator, orders: list[dict[str, Any]], weeks: float
) -> list[dict[str, Any]]:
    out = []
    for order in orders:
        release_h = int(random.uniform(0, weeks * 7 * 24))
        due_h = release_h + int(random.uniform(3, 10) * 24)
        priority = int(random.integers(0, 4))
        dates = {"release": f"{release_h} h", "due": f"{due_h} h"}
        out.append(order | dates | {"priority": priority})
    return out


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _cpu_s() -> float:
    return sum(os.times()[:2])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduling_large")
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--objective", default="tardiness,flow_time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", action="store_true")
    args = parser.parse_args()
    objectives = tuple(args.objective.split(","))
    began = time.perf_counter()
    line = shop(args.operations, args.seed)
    print(f"model: {time.perf_counter() - began:.2f} s", file=sys.stderr)
    began, cpu = time.perf_counter(), _cpu_s()

    def row(what: str, values: tuple[int, ...]) -> None:
        cells = [
            what, f"{time.perf_counter() - began:.1f}", f"{_cpu_s() - cpu:.1f}",
            *(str(v) if v < 10**6 else format_duration(v) for v in values),
            f"{_peak_gib():.2f}",
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |", flush=True)

    print(f"| stage | s | CPU s | {' | '.join(objectives)} | GiB |")
    print(f"|{' --- |' * (4 + len(objectives))}")
    if args.first:
        first_schedule(
            line, orders_of(line), objectives,
            on_progress=lambda p: row(p.what, (p.value or 0,)),
        )  # fmt: skip
        return 0
    told: list[float] = []

    def tell(p: Progress) -> None:
        if not told or p.seconds - told[-1] > 5 or p.what not in {"windows", "moves"}:
            told.append(p.seconds)
            row(p.what, (p.value or 0, *[0] * (len(objectives) - 1)))

    found = schedule_line(
        line, objectives=objectives, limit_s=args.limit, why=False, on_progress=tell
    )
    row(f"best rule: {found.first_rule}", found.first_levels)
    row(found.method, tuple(level.value for level in found.levels))
    for level, first in zip(found.levels, found.first_levels, strict=True):
        share = 1 - level.value / first if first else 0.0
        print(f"{level.objective}: {share:.1%} better than the best rule", flush=True)
    print(f"executed otherwise: {len(found.different)} operations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
