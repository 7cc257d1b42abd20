"""People who ask a running line for all sorts of things, possible and impossible.

`People.ask` looks at the line as it stands and asks for something, from a seed;
`wrong_in` holds a state against itself: what its lists, buffers and counts say of its
parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.core import Core
from linewright.lower import Lowered

NASTY = "Robert'); DROP TABLE records;--<script>alert(1)</script>"

Data = dict[str, Any]


class People:
    """Ask from one seed, one key after the other."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng((seed, 77))
        self.n = 0

    def ask(self, core: Core) -> Request:
        self.n += 1
        draw = self.rng.random()
        kinds = [(0.3, self._order), (0.5, self._of_order), (0.75, self._hold)]
        choose = next((one for share, one in kinds if draw < share), self._unit)
        what, data = choose(core)
        return Request(f"key {self.n}", what, NASTY, "the shift asked for it", data)

    def _pick(self, some: Any) -> Any:
        return some[int(self.rng.integers(len(some)))]

    def _maybe(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    def _of_order(self, core: Core) -> tuple[str, Data]:
        order = str(self._pick(core.lowered.names.orders or ("none",)))
        what = self._pick(["hold", "release", "release", "cancel", "priority"])
        data: Data = {"order": order}
        if what == "priority":
            data["priority"] = int(self.rng.integers(-5, 50))
        if what == "release":
            data["is_now"] = self._maybe(0.5)
        return f"order {what}", data

    def _hold(self, core: Core) -> tuple[str, Data]:
        some = [s for s in core.lowered.names.stations if self._maybe(0.4)]
        if self._maybe(0.6):
            return "resume", {"stations": some if self._maybe(0.4) else []}
        return "hold", {"stations": some, "is_now": self._maybe(0.5)}

    def _unit(self, core: Core) -> tuple[str, Data]:
        names, parts = core.lowered.names, core.state.parts
        [here] = np.nonzero(parts["product"] >= 0)
        unit = f"{self._pick(names.products)}:{int(self.rng.integers(40))}"
        if len(here) and self._maybe(0.9):
            part = parts[self._pick(here)]
            unit = f"{names.products[int(part['product'])]}:{int(part['serial'])}"
        if self._maybe(0.2):
            return "unit here", {"unit": unit, "station": self._pick(names.stations)}
        return "unit good" if self._maybe(0.2) else "unit scrapped", {"unit": unit}

    def _order(self, core: Core) -> tuple[str, Data]:
        rng, now_us = self.rng, core.now_us
        data: Data = {
            "product": self._pick(core.lowered.names.products),
            "quantity": int(self._pick([1, 2, 3, 8, 40, 700])),
            "is_held": self._maybe(0.2),
        }
        if self._maybe(0.5):
            at_us = now_us + int(rng.integers(-1, 5)) * 1_800_000_000
            data["release_us"] = max(at_us, 0)
        if self._maybe(0.5):
            data["due_us"] = now_us + int(rng.integers(1, 9)) * 3_600_000_000
        if self._maybe(0.3):
            data["priority"] = int(rng.integers(-5, 50))
        if self._maybe(0.3):
            data["name"] = f"{NASTY[:20]} {int(rng.integers(4))}"
        return "order", data


def wrong_in(lowered: Lowered, state: t.State) -> list[str]:
    """Return what in a state contradicts itself."""
    used = state.parts["product"] >= 0
    wrong = [*_wrong_lists(state, used), *_wrong_buffers(lowered, state, used)]
    if int(state.clock["n_free"][0]) != int((~used).sum()):
        wrong.append("the free parts are miscounted")
    inside = used & (state.parts["where"] != t.OUTSIDE)
    for i, row in enumerate(state.products):
        n = int((inside & (state.parts["product"] == i)).sum())
        if n != int(row["wip"]):
            wrong.append(f"product {i}: wip {row['wip']}, and {n} parts")
    for s, server in enumerate(state.servers):
        p = int(server["part"])
        if p >= 0 and (not used[p] or state.parts["place"][p] != s):
            wrong.append(f"server {s} has a part that is not there")
    return wrong


def _wrong_lists(state: t.State, used: Any) -> Iterator[str]:
    parts = state.parts
    for row, ends in enumerate(state.lists):
        found, p = 0, int(ends["head"])
        while p >= 0 and found <= len(parts):
            found += 1
            if not used[p] or int(parts["list"][p]) != row:
                yield f"list {row} has a part that is not in it"
            p = int(parts["next"][p])
        if found != int(ends["count"]):
            yield f"list {row}: {found} parts, count {ends['count']}"


def _wrong_buffers(lowered: Lowered, state: t.State, used: Any) -> Iterator[str]:
    parts = state.parts
    there = np.isin(parts["where"], [t.IN_QUEUE, t.IN_STORE, t.IN_OUTPUT, t.MOVING])
    for b, buffer in enumerate(state.buffers):
        stands = used & there & (parts["place"] == b)
        promised = used & (parts["reserved"] == b) & ~stands
        n = int(stands.sum()) + int(promised.sum())
        if n != int(buffer["level"]):
            yield f"buffer {b}: level {buffer['level']}, and {n} parts"
        if n > int(lowered.tables.buffers["slots"][b]):
            yield f"buffer {b} holds more than it can"
