"""The verb that puts tasks on stations: balance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from linewright.cli._say import OK, Args, allow_pandas, print_json, say, show
from linewright.units import UNITS_US, parse_duration_us

if TYPE_CHECKING:
    from linewright.improve import Balance, Tasks


_BEST = {
    "stations": "fewest stations",
    "cycle_time": "shortest cycle time",
    "idle_time": "least idle time",
}


def run_balance(args: Args) -> int:
    """Put tasks on stations, and say how good that is."""
    from linewright.console import table_view  # noqa: PLC0415 - slow
    from linewright.improve import read_tasks  # noqa: PLC0415

    allow_pandas()  # OR-Tools needs it
    tasks = read_tasks(args.tasks)
    found = _balanced(args, tasks)
    if args.json:
        print_json(_balance_json(tasks, found))
    else:
        columns = ("station", "load", "%", "idle", "tasks")
        show(table_view(columns, _rows(tasks, found)))
    say(args, _verdict(tasks, found))
    return OK


def _balanced(args: Args, tasks: Tasks) -> Balance:
    from linewright.improve import (  # noqa: PLC0415 - slow
        fewest_stations,
        least_idle,
        shortest_cycle,
    )

    options: dict[str, Any] = {
        "mix": _mix(args.mix),
        "each_product": args.each_product,
        "time_limit": parse_duration_us(args.time_limit) / UNITS_US["s"],
    }
    if args.cycle_time is not None:
        return fewest_stations(tasks, _cycle_time(args, tasks), **options)
    least, most = _stations(args.stations)
    if most is None:
        return shortest_cycle(tasks, least, **options)
    return least_idle(tasks, least, most, **options)


def _cycle_time(args: Args, tasks: Tasks) -> float:
    if tasks.in_us:
        return parse_duration_us(args.cycle_time)
    try:
        return float(args.cycle_time)
    except ValueError:
        msg = (
            f'the times in {args.tasks} have no unit; "{args.cycle_time}" is no number'
        )
        raise ValueError(msg) from None


def _stations(text: str) -> tuple[int, int | None]:
    """Read ``8``, or a range such as ``6..10``."""
    found = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", text)
    if not found:
        msg = f'"{text}" is no number of stations; write 8, or a range such as 6..10'
        raise ValueError(msg)
    return int(found[1]), int(found[2]) if found[2] else None


def _mix(text: str | None) -> dict[str, int] | None:
    """Read ``A=3,B=2``."""
    if text is None:
        return None
    mix = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        if not name.strip() or not re.fullmatch(r"\s*\d+\s*", number):
            msg = f'"{part}" is no part of a mix; write it like A=3,B=2'
            raise ValueError(msg)
        mix[name.strip()] = int(number)
    return mix


def _rows(tasks: Tasks, found: Balance) -> list[list[str]]:
    rows = []
    for k, (names, load) in enumerate(zip(found.stations, found.loads, strict=True), 1):
        share = load / found.cycle_time if found.cycle_time else 1.0
        idle = found.cycle_time - load
        shown = [tasks.shown(load), f"{share:.1%}", tasks.shown(idle)]
        rows.append([str(k), *shown, ", ".join(names)])
    return rows


def _verdict(tasks: Tasks, found: Balance) -> str:
    n = len(found.stations)
    cycle = tasks.shown(found.cycle_time)
    idle = tasks.shown(found.idle_time)
    text = f"{n} station{'s' * (n != 1)}, cycle time {cycle}, idle {idle} a cycle"
    text += f", {found.efficiency:.1%} of the stations' time is work"
    best = _BEST[found.goal]
    if found.proven:
        return f"{text}; proven to be the {best} ({found.seconds:.1f} s)"
    is_time = found.goal != "stations"
    bound = tasks.shown(found.bound) if is_time else f"{found.bound:g}"
    gap = (found.value - found.bound) / found.value if found.value else 0.0
    return (
        f"{text}; not proven after {found.seconds:.0f} s: the {best} is {bound} or "
        f"more, which would be {gap:.2%} less; give it more with --time-limit"
    )


def _balance_json(tasks: Tasks, found: Balance) -> dict[str, Any]:
    second = UNITS_US["s"] if tasks.in_us else 1
    is_time = found.goal != "stations"
    stations = []
    for k, names in enumerate(found.stations):
        loads = {p: row[k] / second for p, row in found.product_loads.items() if p}
        about: dict[str, Any] = {"tasks": list(names), "load": found.loads[k] / second}
        stations.append(about | ({"loads": loads} if loads else {}))
    return {
        "goal": found.goal,
        "time_unit": "s" if tasks.in_us else None,
        "stations": stations,
        "cycle_time": found.cycle_time / second,
        "idle_time": found.idle_time / second,
        "bound": found.bound / (second if is_time else 1),
        "proven": found.proven,
        "seconds": found.seconds,
    }
