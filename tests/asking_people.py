"""People who ask a running line for all sorts of things, possible and impossible.

`asks_of` looks at the line as it stands and asks for something, from a seed; `wrong_in`
holds a state against itself: what its lists, buffers and counts say of its parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.core import Core
from linewright.lower import Lowered

NASTY = "Robert'); DROP TABLE records;--<script>alert(1)</script>"


class People:
    """Asks from one seed, one key after the other."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng((seed, 77))
        self.n = 0

    def ask(self, core: Core) -> Request:
        self.n += 1
        what, data = self._choose(core)
        return Request(f"key {self.n}", what, NASTY, "the shift asked for it", data)

    def _pick(self, some: Any) -> Any:
        return some[int(self.rng.integers(len(some)))]

    def _choose(self, core: Core) -> tuple[str, dict[str, Any]]:
        names, rng = core.lowered.names, self.rng
        draw = rng.random()
        if draw < 0.3:
            return self._order(core)
        if draw < 0.5 and names.orders:
            order = str(self._pick(names.orders))
            what = self._pick(["hold", "release", "release", "cancel", "priority"])
            data: dict[str, Any] = {"order": order}
            if what == "priority":
                data["priority"] = int(rng.integers(-5, 50))
            if what == "release":
                data["is_now"] = bool(rng.random() < 0.5)
            return f"order {what}", data
        if draw < 0.75:
            some = [s for s in names.stations if rng.random() < 0.4]
            if rng.random() < 0.6:
                return "resume", {"stations": some if rng.random() < 0.4 else []}
            return "hold", {"stations": some, "is_now": bool(rng.random() < 0.5)}
        parts = core.state.parts
        [here] = np.nonzero(parts["product"] >= 0)
        unit = f"{self._pick(names.products)}:{int(rng.integers(40))}"
        if len(here) and rng.random() < 0.9:
            part = parts[self._pick(here)]
            unit = f"{names.products[int(part['product'])]}:{int(part['serial'])}"
        if rng.random() < 0.2:
            return "unit here", {"unit": unit, "station": self._pick(names.stations)}
        if rng.random() < 0.2:
            return "unit good", {"unit": unit}
        return "unit scrapped", {"unit": unit}

    def _order(self, core: Core) -> tuple[str, dict[str, Any]]:
        rng, now_us = self.rng, core.now_us
        data: dict[str, Any] = {
            "product": self._pick(core.lowered.names.products),
            "quantity": int(self._pick([1, 2, 3, 8, 40, 700])),
        }
        if rng.random() < 0.5:
            data["release_us"] = now_us + int(rng.integers(-1, 5)) * 1_800_000_000
            data["release_us"] = max(data["release_us"], 0)
        if rng.random() < 0.5:
            data["due_us"] = now_us + int(rng.integers(1, 9)) * 3_600_000_000
        if rng.random() < 0.3:
            data["priority"] = int(rng.integers(-5, 50))
        if rng.random() < 0.3:
            data["name"] = f"{NASTY[:20]} {int(rng.integers(4))}"
        data["is_held"] = bool(rng.random() < 0.2)
        return "order", data


def wrong_in(lowered: Lowered, state: t.State) -> list[str]:
    """Return what in a state contradicts itself."""
    wrong, parts = [], state.parts
    used = parts["product"] >= 0
    if int(state.clock["n_free"][0]) != int((~used).sum()):
        wrong.append("the free parts are miscounted")
    inside = used & (parts["where"] != t.OUTSIDE)
    for i, row in enumerate(state.products):
        n = int((inside & (parts["product"] == i)).sum())
        if n != int(row["wip"]):
            wrong.append(f"product {i}: wip {row['wip']}, and {n} parts")
    for row, ends in enumerate(state.lists):
        found, p = 0, int(ends["head"])
        while p >= 0 and found <= len(parts):
            found += 1
            if not used[p] or int(parts["list"][p]) != row:
                wrong.append(f"list {row} has a part that is not in it")
            p = int(parts["next"][p])
        if found != int(ends["count"]):
            wrong.append(f"list {row}: {found} parts, count {ends['count']}")
    there = np.isin(parts["where"], [t.IN_QUEUE, t.IN_STORE, t.IN_OUTPUT, t.MOVING])
    for b, buffer in enumerate(state.buffers):
        n = int((used & there & (parts["place"] == b)).sum())
        n += int((used & (parts["reserved"] == b) & ~_counted(parts, b, there)).sum())
        if n != int(buffer["level"]):
            wrong.append(f"buffer {b}: level {buffer['level']}, and {n} parts")
        if int(buffer["level"]) > int(lowered.tables.buffers["slots"][b]):
            wrong.append(f"buffer {b} holds more than it can")
    for s, server in enumerate(state.servers):
        p = int(server["part"])
        if p >= 0 and (not used[p] or parts["place"][p] != s):
            wrong.append(f"server {s} has a part that is not there")
    return wrong


def _counted(parts: Any, b: int, there: Any) -> Any:
    """Return which parts are counted in a buffer already, by where they are."""
    return there & (parts["place"] == b)
