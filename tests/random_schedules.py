"""Random lines with dated orders, for schedules: every rule that they know, mixed."""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright.model.check import check
from linewright.model.line import Line

CALENDARS = {
    "day": {
        "shifts": [
            {
                "days": "mon-fri", "from": "06:00", "to": "14:00",
                "breaks": [{"from": "10:00", "to": "10:30"}],
            }
        ]
    },
    "two": {
        "shifts": [
            {"days": "mon-sat", "from": "06:00", "to": "14:00"},
            {"days": "mon-fri", "from": "14:30", "to": "22:00"},
        ]
    },
}  # fmt: skip

FEATURES = (
    "calendar", "setup", "alternatives", "servers", "people", "tools", "loop", "bom",
    "batch", "places", "transport", "rest", "limit", "load", "lots", "output", "store",
)  # fmt: skip


class Maker:
    """Makes one random line."""

    def __init__(self, seed: int, features: set[str] | None = None) -> None:
        self.random = np.random.default_rng(seed)
        if features is None:
            features = {f for f in FEATURES if self.random.random() < 0.35}
        if "places" in features:
            # parts that wait for places are served in turn; a batch waits for its parts
            features -= {"batch", "alternatives"}
        self.features = features

    def pick(self, *values: Any) -> Any:
        return values[int(self.random.integers(len(values)))]

    def minutes(self, low: int, high: int) -> str:
        return f"{int(self.random.integers(low, high + 1)) * 5} min"

    def line(self) -> Line:
        n = int(self.random.integers(2, 5))
        names = [f"s{i}" for i in range(n)]
        keys: dict[str, Any] = {
            "schema_version": 1,
            "name": "random",
            "calendars": CALENDARS,
            "people": {"crew": {"count": 2}, "fitter": {"count": 1}},
            "tools": {"jig": {"count": 2, "back": "10 min"}},
            "stations": {name: self.station() for name in names},
            "products": {},
        }
        if "calendar" in self.features:
            keys["calendar"] = self.pick("day", "two")
            if self.random.random() < 0.5:
                keys["people"]["crew"]["calendar"] = keys["calendar"]
        self.batches = {n: s.get("batch") for n, s in keys["stations"].items()}
        for product in ("a", "b"):
            keys["products"][product] = self.product(product, names)
        if "bom" in self.features:
            self.assembly(keys)
        if "loop" in self.features:
            route = keys["products"]["a"]["route"]
            keys["loops"] = {
                "card": {
                    "cards": 2,
                    "from": route[0]["operation"],
                    "to": route[-1]["operation"],
                    "products": ["a"],
                    "back": "5 min",
                }
            }
        if "transport" in self.features:
            keys["transport"] = [{"from": "any", "to": names[-1], "time": "10 min"}]
        keys["orders"] = self.orders(keys)
        line = Line.model_validate(keys)
        errors = [f for f in check(line) if f.severity == "error"]
        assert not errors, "\n".join(map(str, errors))
        return line

    def station(self) -> dict[str, Any]:  # noqa: C901
        out: dict[str, Any] = {"process": self.minutes(2, 12)}
        f, pick, chance = self.features, self.pick, self.random.random
        if "servers" in f and chance() < 0.4:
            out["servers"] = 2
        if "calendar" in f:
            out["shift_end"] = pick("interrupt", "interrupt", "finish", "fit")
        if "setup" in f and chance() < 0.6:
            out["setup"] = {
                "by": pick("product", "family"),
                "time": self.minutes(1, 6),
                **({"first": self.minutes(1, 4)} if chance() < 0.5 else {}),
            }
        if "load" in f and chance() < 0.6:
            out["load"] = self.minutes(1, 2)
            out["unload"] = self.minutes(1, 2)
        if "batch" in f and chance() < 0.4:
            out["batch"] = {"max": 3, "mix": pick("any", "step", "family")}
        if "people" in f and chance() < 0.7:
            phases = {"process": pick("crew", "crew", "fitter")}
            if "setup" in out and chance() < 0.5:
                phases["setup"] = "fitter"
            if "load" in out and chance() < 0.5:
                phases |= {"load": "crew", "unload": "fitter"}
                if chance() < 0.5:
                    del phases["process"]
            out["people"] = phases
        if "places" in f and "batch" not in out and chance() < 0.7:
            out["buffer"] = pick(1, 1, 2)
            if "output" in f and chance() < 0.5:
                out["output_buffer"] = pick(1, "unlimited")
        return out

    def product(self, name: str, names: list[str]) -> dict[str, Any]:
        f, chance = self.features, self.random.random
        visited = [s for s in names if chance() < 0.8] or names[:1]
        if "places" not in f:
            self.random.shuffle(visited)
        route: list[dict[str, Any]] = []
        for i, station in enumerate(visited):
            step: dict[str, Any] = {"operation": f"{station}", "station": station}
            if chance() < 0.6:
                step["process"] = self.minutes(2, 15)
            others = [
                s
                for s in names
                if s not in visited and self.batches.get(s) == self.batches.get(station)
            ]
            if "alternatives" in f and chance() < 0.4 and others:
                other = others[0]
                step["station"] = {
                    station: self.minutes(2, 12), other: self.minutes(2, 12),
                }  # fmt: skip
                step["operation"] = f"{station}-{i}"
                step.pop("process", None)
            if "rest" in f and chance() < 0.3 and "places" not in f:
                step["rest"] = "15 min"
            if "tools" in f and chance() < 0.4 and not self.batches.get(station):
                step["tools"] = "jig"
            if "limit" in f and i and chance() < 0.4:
                step["time_limit"] = {"after": route[-1]["operation"], "within": "2 h"}
            route.append(step)
        return {
            "family": self.pick("f", "g"),
            "route": route,
            "release": "orders",
            **({"lot_size": 2} if "lots" in f and chance() < 0.3 else {}),
        }

    def assembly(self, keys: dict[str, Any]) -> None:
        keys["stations"]["fit"] = {"process": "20 min"}
        keys["products"]["kit"] = {
            "bom": {"a": 1, "b": self.pick(1, 2)},
            "route": ["fit"],
            "release": "orders",
        }
        for name in ("a", "b"):
            keys["products"][name]["release"] = "with_parent"
            keys["products"][name].pop("lot_size", None)
            if "store" in self.features:
                keys["products"][name]["store"] = 2

    def orders(self, keys: dict[str, Any]) -> list[dict[str, Any]]:
        roots = ["kit"] if "bom" in self.features else ["a", "b"]
        out = []
        for i in range(int(self.random.integers(2, 6))):
            due = int(self.random.integers(2, 40))
            release = int(self.random.integers(0, 3))
            out.append(
                {
                    "product": roots[i % len(roots)],
                    "quantity": int(self.random.integers(1, 3)),
                    "release": f"{release} h",
                    "due": f"{due + release} h",
                    "priority": int(self.random.integers(0, 3)),
                }
            )
        del keys
        return out


def random_line(seed: int, features: set[str] | None = None) -> Line:
    """Return a random line with orders; the same for a seed."""
    return Maker(seed, features).line()
