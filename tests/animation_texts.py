"""Lines to animate, and what the kernel says of them at an instant."""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright import tables as t
from linewright.lower import Lowered, lower, new_draws, new_state
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.replicate import run_until

__all__ = ["HOUR", "WORKSHOP", "states", "workshop"]

HOUR = 3_600_000_000

WORKSHOP = """\
schema_version: 1
name: Workshop
start: 2027-03-27 20:00
time_zone: Europe/Vienna
calendar: day
calendars:
  day: {shifts: [{from: 02:00, to: 14:00, breaks: [{from: 06:00, to: 06:30}]}]}
  long: {shifts: [{from: 01:00, to: 22:00}]}
buffers:
  rack: {slots: 30}
people:
  fitters: {count: 2, calendar: long}
  hands: 2
stations:
  turn: {process: exponential(3 min), servers: 2, output_buffer: 3, calendar: long}
  saw:
    process: lognormal(9 min, cv=0.4)
    buffer: 4
    setup: {time: 2 min}
    people: {load: hands, repair: fitters}
    load: 1 min
    failures:
      blade: {every: exponential(1 h), repair: 20 min, part: scrap}
      jam: {every: 9 cycles, repair: 3 min}
    maintenance: {oil: {every: 6 h, duration: 10 min}}
  oven:
    process: 25 min
    buffer: rack
    batch: {min: 2, max: 4, longest_wait: 1 h}
    calendar: long
  test: {process: 6 min, buffer: 2}
products:
  leg:
    release: {kind: always, conwip: 30}
    route: [turn]
    store: 12
  desk:
    bom: {leg: 4}
    route:
      - saw
      - {operation: cure, station: oven, rest: 5 min}
      - station: test
        transport: 2 min
        inspection: {pass: 0.8, rework: 0.15, scrap: 0.05, rework_to: cure}
    release: {every: exponential(14 min), conwip: 7, when_full: wait}
  log: {route: [{station: saw, makes: {plank: 2}}], release: {every: 3 h, quantity: 2}}
  plank: {lot_size: 5, route: [test], release: never}
study: {horizon: 3 d, seed: 3, kind: terminating, replications: 1}
"""


def workshop() -> tuple[Line, Lowered]:
    """Return a line that has a bit of everything."""
    line = loads(WORKSHOP)
    return line, lower(line, line.study.horizon)


def states(
    lowered: Lowered, seed: int, replication: int, at_us: list[int]
) -> list[dict[str, Any]]:
    """Return the state of the kernel at some instants, increasing, in plain words."""
    state = new_state(lowered)
    draws = new_draws(lowered, seed, replication)
    found = []
    for now_us in at_us:
        _, state = run_until(lowered, state, draws, now_us)
        found.append(_state(lowered, state, now_us))
    return found


def _state(lowered: Lowered, state: t.State, now_us: int) -> dict[str, Any]:
    names, parts = lowered.names, state.parts
    station_of = np.repeat(names.stations, lowered.tables.stations["n_servers"])
    on_server: list[set[str]] = [set() for _ in names.servers]
    held = dict.fromkeys(names.buffers, 0)
    for part in parts[parts["product"] >= 0]:
        name = f"{names.products[part['product']]}:{part['serial']}"
        if part["where"] in (t.ON_SERVER, t.BLOCKED_ON_SERVER):
            on_server[part["place"]].add(name)
        elif part["where"] not in (t.OUTSIDE, t.NEW) and part["place"] >= 0:
            held[names.buffers[part["place"]]] += 1
    return {
        "wip": int(state.clock["wip"][0]),
        "servers": [
            {
                "station": str(station_of[s]),
                "state": t.MODE_NAMES[server["mode"]],
                "cause": _cause(lowered, server),
                "parts": sorted(on_server[s]),
            }
            for s, server in enumerate(state.servers)
        ],
        "buffers": held,
        "products": {
            name: {
                "finished": int(row["finished"]),
                "scrapped": int(row["scrapped"]),
                "inside": int(row["wip"]),
                "outside": int(
                    ((parts["product"] == i) & (parts["where"] == t.OUTSIDE)).sum()
                ),
            }
            for i, (name, row) in enumerate(
                zip(names.products, state.products, strict=True)
            )
        },
        "pools": {
            name: {"busy": int(row["busy"]), "present": bool(row["on"])}
            for name, row in zip(names.pools, state.pools, strict=True)
        },
        "calendars": _calendars(lowered, now_us),
    }


def _cause(lowered: Lowered, server: Any) -> str:
    if server["mode"] not in (t.FAILED, t.MAINTENANCE):
        return ""
    mode = lowered.tables.server_modes["mode"][server["down"]]
    return str(lowered.names.modes[mode])


def _calendars(lowered: Lowered, now_us: int) -> list[int]:
    """Return the mode of each calendar in use: off shift, on a break, on shift."""
    found = []
    for row in lowered.tables.calendars:
        ticks = lowered.tables.ticks[row["first"] :][: row["n"]]
        found.append(int(ticks["mode"][ticks["at"] <= now_us][-1]))
    return found
