"""Small random lines that use everything the model can say.

`random_line(seed)` is always the same line for the same seed, and passes `check`. Times
are minutes, lines have two to five stations and one to five products, so that an
interesting day is simulated in a millisecond. A line may well deadlock: that is a thing
that lines do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from linewright.model.check import check
from linewright.model.line import Line

__all__ = ["HOUR_US", "line_dict", "random_line"]

HOUR_US = 3_600_000_000

_SHIFT_ENDS = ("interrupt", "finish", "fit")
_DISPATCH = (
    "fifo",
    "priority",
    "earliest_due_date",
    "shortest_processing_time",
    "critical_ratio",
    "least_setup",
)
_CALENDARS: dict[str, Any] = {
    "day": {
        "shifts": [
            {
                "days": "mon-fri",
                "from": "00:40",
                "to": "09:00",
                "breaks": [{"from": "02:00", "to": "02:20"}],
            }
        ]
    },
    "two shifts": {
        "shifts": [
            {"from": "06:00", "to": "14:00"},
            {
                "from": "14:00",
                "to": "22:00",
                "breaks": [{"from": "18:00", "to": "18:30"}],
            },
        ],
        "holidays": ["2027-01-06"],
        "exceptions": [
            {"from": "2027-01-05", "shifts": [{"from": "03:00", "to": "05:00"}]}
        ],
    },
    "night": {"shifts": [{"from": "20:00", "to": "04:00"}]},
    "always": {},
}


class _Maker:
    """Writes a line as a person would, with a coin in hand."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.stations = [f"S{k}" for k in range(self.whole(2, 5))]
        self.products = [f"P{i}" for i in range(self.whole(1, 5))]
        self.shared = [f"shared {i}" for i in range(self.whole(0, 2))]

    # ------------------------------------------------------------ coins

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def maybe(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    def pick(self, of: Any) -> Any:
        return of[self.whole(0, len(of) - 1)]

    def some(self, of: list[str], n: int) -> list[str]:
        return [str(x) for x in self.rng.permutation(of)[:n]]

    def seconds(self, low: float, high: float) -> str:
        return f"{self.whole(round(low), round(high))} s"

    def time(self, mean_s: float = 240) -> Any:
        """Return a distribution of any kind."""
        m = self.whole(round(mean_s / 2), round(mean_s * 2))
        texts: tuple[Any, ...] = (
            f"{m} s",
            f"uniform({m // 2} s, {m * 2} s)",
            f"triangular({m // 3} s, {m} s, {m * 2} s)",
            f"exponential({m} s)",
            f"erlang(mean={m} s, stages={self.whole(1, 4)})",
            f"gamma(mean={m} s, cv={self.pick((0.4, 1.7))})",
            f"lognormal(mean={m} s, cv=0.6)",
            f"normal(mean={m} s, sd={m // 2} s)",
            f"weibull(scale={m} s, shape=1.5)",
            f"beta(low={m // 2} s, high={m * 2} s, a=2, b={self.pick((0.7, 3))})",
            f"pert({m // 2} s, {m} s, {m * 3} s)",
            f"hyperexponential(mean={m} s, cv=2)",
            {
                "discrete": {
                    "values": [f"{m} s", f"{2 * m} s", "30 s"],
                    "weights": [0.5, 0.3, 0.2],
                }
            },
            {"empirical": {"values": [f"{m} s", "1 min", f"{m + 7} s"]}},
        )
        # constants often: events at the same instant are where order matters
        return texts[0] if self.maybe(0.3) else self.pick(texts)

    # ------------------------------------------------------------ nouns

    def slots(self) -> Any:
        if self.shared and self.maybe(0.25):
            return self.pick(self.shared)
        return self.pick(("unlimited", 0, 1, 1, 2, 4))

    def failure(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "every": self.time(3000),
            "repair": self.time(400),
            "clock": self.pick(("processing", "operating", "calendar", "cycles")),
            "part": self.pick(("resume", "restart", "scrap")),
        }
        if out["clock"] == "cycles":
            out["every"] = f"{self.whole(1, 12)} cycles"
        elif out["clock"] != "processing":
            out["together"] = self.maybe(0.4)
        return out

    def maintenance(self) -> dict[str, Any]:
        clock = self.pick(("calendar", "processing", "operating", "cycles"))
        every = (
            f"{self.whole(2, 15)} cycles"
            if clock == "cycles"
            else self.seconds(2e3, 2e4)
        )
        return {"every": every, "duration": self.time(500), "clock": clock}

    def setup(self, families: list[str]) -> dict[str, Any]:
        by = self.pick(("product", "family"))
        names = self.products if by == "product" else families
        out: dict[str, Any] = {"by": by}
        if self.maybe(0.6):
            out["time"] = self.time(120)
        if self.maybe(0.5) or "time" not in out:
            out["matrix"] = {
                a: {b: self.time(90) for b in names if a != b or self.maybe(0.2)}
                for a in names
            }
        if self.maybe(0.4):
            out["first"] = self.time(60)
        return out

    def station(self, families: list[str]) -> dict[str, Any]:
        out: dict[str, Any] = {
            "process": self.time(),
            "servers": self.pick((1, 1, 1, 2, 3)),
            "buffer": self.slots(),
            "dispatch": self.pick(_DISPATCH) if self.maybe(0.5) else "fifo",
            "shift_end": self.pick(_SHIFT_ENDS),
        }
        if self.maybe(0.25):
            out["output_buffer"] = self.slots()
        if self.maybe(0.25):
            out["blocking"] = "before_service"
        if self.maybe(0.35):
            out["setup"] = self.setup(families)
        if self.maybe(0.4):
            out["failures"] = {f"f{i}": self.failure() for i in range(self.whole(1, 2))}
        if self.maybe(0.25):
            out["maintenance"] = {"m": self.maintenance()}
        if self.maybe(0.3):
            out["calendar"] = self.pick(list(_CALENDARS))
        return out

    def step(self, number: int, shares: str | None) -> dict[str, Any]:
        out: dict[str, Any] = {"operation": f"op {number}"}
        n = self.pick((1, 1, 2, 3))
        if n == 1 or n > len(self.stations):
            out["station"] = self.pick(self.stations)
        else:
            names = self.some(self.stations, n)
            out["station"] = (
                {name: self.time() for name in names} if self.maybe(0.3) else names
            )
            out["choose"] = self.pick(("preference", "shortest_queue", "first_free"))
            if out["choose"] == "first_free":
                out["buffer"] = shares
        if shares and self.maybe(0.15):
            out["buffer"] = shares
        if self.maybe(0.2) and not isinstance(out["station"], dict):
            out["process"] = self.time()
        if self.maybe(0.2):
            out["process_per"] = "unit"
        if self.maybe(0.15):
            out["transport"] = self.time(60)
        if self.maybe(0.2):
            out["defect"] = 0.2
        if self.maybe(0.15):
            out["shift_end"] = self.pick(_SHIFT_ENDS)
        if out.get("choose") == "first_free" and not shares:
            out["choose"] = "preference"
            del out["buffer"]
        return out

    def inspection(self, route: list[dict[str, Any]], i: int) -> dict[str, Any]:
        out: dict[str, Any] = {"pass": self.pick((0.6, 0.9))}
        if self.maybe(0.75):
            out["rework_to"] = route[self.whole(0, i)]["operation"]
            if self.maybe(0.5):
                out |= {"rework": 0.08}
            if self.maybe(0.5):
                out["rework_limit"] = self.whole(0, 3)
            if self.maybe(0.4):
                out["rework_priority"] = self.whole(-1, 3)
        for key in ("false_accept", "false_reject"):
            if self.maybe(0.3):
                out[key] = 0.1
        return out

    def route(self) -> list[dict[str, Any]]:
        shares = self.pick(self.shared) if self.shared else None
        route = [self.step(i, shares) for i in range(self.whole(1, 4))]
        for i, step in enumerate(route):
            if self.maybe(0.25):
                step["inspection"] = self.inspection(route, i)
        if len(route) > 1 and self.maybe(0.3):  # a station of its own for rework
            last = route[-1]
            last.pop("inspection", None)
            last["rework_only"] = True
            before = route[-2]
            before["inspection"] = {"pass": 0.7, "rework_to": last["operation"]}
            if self.maybe(0.5):
                before["inspection"]["rework_limit"] = 2
        return route

    def release(self, is_component: bool, is_made: bool) -> Any:
        kinds = ["always", "arrivals", "arrivals", "orders"]
        kinds += ["with_parent"] * 3 if is_component else []
        kinds += ["never"] * 4 if is_made else []
        kind = self.pick(kinds)
        out: dict[str, Any] = {"kind": kind}
        if kind == "arrivals":
            out["every"] = self.time(900)
            out["quantity"] = self.pick((1, 1, 3))
            out["when_full"] = self.pick(("wait", "block", "lose"))
            if self.maybe(0.3):
                out["first"] = self.seconds(0, 900)
        elif kind in {"orders", "with_parent"}:
            out["when_full"] = self.pick(("wait", "wait", "lose"))
        elif kind == "always":
            out["share"] = self.pick((1.0, 2.5))
        if kind != "never" and self.maybe(0.3):
            out["conwip"] = self.whole(1, 6)
        return out

    def product(self, i: int, components: set[str], made: set[str]) -> dict[str, Any]:
        name = self.products[i]
        later = [p for p in self.products[i + 1 :] if p not in made]
        out: dict[str, Any] = {
            "route": self.route(),
            "priority": self.whole(-1, 2),
            "lot_size": self.pick((1, 1, 1, 3)),
            "release": self.release(name in components, name in made),
        }
        if self.maybe(0.5):
            out["family"] = self.pick(("red", "blue"))
        if name in components:
            out["store"] = self.pick(("unlimited", 8, 12))
        first = out["route"][0]
        if later and self.maybe(0.45):
            taken = self.some(later, self.whole(1, 2))
            components.update(taken)
            out["bom"] = {c: {"quantity": self.whole(1, 2)} for c in taken}
            out["bom"]["screw"] = {"quantity": 8, "bought": True}
            if len(out["route"]) > 1 and self.maybe(0.5):
                last = [s for s in out["route"] if not s.get("rework_only")][-1]
                if last is not first:
                    last["uses"] = {taken[0]: out["bom"][taken[0]]["quantity"]}
        elif later and self.maybe(0.4) and name not in components:
            targets = [p for p in later if p not in components]
            if targets and not out["route"][-1].get("rework_only"):
                made.add(targets[0])
                out["route"][-1]["makes"] = {targets[0]: self.whole(1, 5)}
                out["route"][-1]["makes_together"] = self.maybe(0.4)
        return out

    def orders(self, products: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = [n for n, p in products.items() if p["release"]["kind"] == "orders"]
        out = []
        for name in wanted:
            for _ in range(self.whole(1, 4)):
                release = self.whole(0, 24)
                out.append(
                    {
                        "product": name,
                        "quantity": self.whole(1, 9),
                        "release": f"{release} h",
                        "priority": self.whole(-1, 3),
                    }
                )
                if self.maybe(0.7):
                    out[-1]["due"] = f"{release + self.whole(1, 30)} h"
        return out

    def line(self) -> dict[str, Any]:
        components: set[str] = set()
        made: set[str] = set()
        products = {
            name: self.product(i, components, made)
            for i, name in enumerate(self.products)
        }
        families = sorted({p.get("family", n) for n, p in products.items()})
        out: dict[str, Any] = {
            "schema_version": 1,
            "name": "random",
            "calendars": _CALENDARS,
            "buffers": {b: {"slots": self.whole(1, 6)} for b in self.shared},
            "stations": {name: self.station(families) for name in self.stations},
            "products": products,
            "orders": self.orders(products),
        }
        if self.maybe(0.3):
            out["calendar"] = self.pick(list(_CALENDARS))
        if self.maybe(0.25):
            out["conwip"] = self.whole(2, 12)
        if self.maybe(0.3):
            ends = [*self.stations, "any"]
            pairs = {(self.pick(ends), self.pick(ends)) for _ in range(3)}
            out["transport"] = [
                {"from": a, "to": b, "time": self.time(45)} for a, b in sorted(pairs)
            ]
        if self.maybe(0.7):
            self.floor(out)
        if self.maybe(0.4):
            self.vehicles(out)
        if "tools" in out:
            self.lent(out)
        if self.maybe(0.35):
            self.changes(out)
        return out

    # ------------------------------------------------------------ changes

    def changes(self, line: dict[str, Any]) -> None:
        """Let servers come and go, and calendars follow each other."""
        names = [n for n, s in line["stations"].items() if "conveyor" not in s]
        found: list[dict[str, Any]] = []
        for _ in range(self.whole(1, 3)):
            change: dict[str, Any] = {"on": self.seconds(0, 90_000), "stations": {}}
            for name in self.some(names, self.whole(0, len(names))):
                at = {"servers": self.whole(0, 3)} if self.maybe(0.7) else {}
                if not at or self.maybe(0.3):
                    at["calendar"] = self.pick(list(_CALENDARS))
                change["stations"][name] = at
            if "people" in line and self.maybe(0.4):
                pool = self.pick(list(line["people"]))
                calendar = {"calendar": self.pick(list(_CALENDARS))}
                change["people"] = {pool: calendar}
            if self.maybe(0.3) or not change["stations"]:
                change["calendars"] = {"day": "always", "always": "night"}
            found.append(change)
        line["changes"] = found

    # ------------------------------------------------------------ vehicles

    def vehicles(self, line: dict[str, Any]) -> None:
        """Add vehicles for some ways, or for all, by times or by the layout."""
        for station in line["stations"].values():
            if station["buffer"] == 0:  # what is carried needs a place
                station["buffer"] = 1
        line["vehicles"] = {"agv": self.fleet(), "crane": self.fleet()}
        line["vehicles"]["crane"] |= {"count": 1, "speed": "0.5 m/s"}
        line["layout"] = {
            "places": {
                name: {"x": f"{self.whole(0, 60)} m", "y": f"{self.whole(0, 40)} m"}
                for name in self.stations
            }
        }
        ways: list[dict[str, Any]] = [{"from": "any", "to": "any", "by": "agv"}]
        if "speed" not in line["vehicles"]["agv"] or self.maybe(0.3):
            ways[0]["time"] = self.time(100)
        if self.maybe(0.7):
            for a, b in {(self.pick(self.stations), "any"), ("any", "S0")}:
                ways.append({"from": a, "to": b, "by": "crane"})
        if self.maybe(0.4):
            ways.append({"from": "S1", "to": "S0", "by": "agv", "time": "50 s"})
        have = {(way["from"], way["to"]) for way in line.get("transport", ())}
        line["transport"] = [
            *line.get("transport", ()),
            *(way for way in ways if (way["from"], way["to"]) not in have),
        ]

    def fleet(self) -> dict[str, Any]:
        out: dict[str, Any] = {"home": self.pick(self.stations)}
        out["count"] = self.whole(1, 3)
        out["calls"] = self.pick(("fifo", "priority"))
        if self.maybe(0.7):
            out["speed"] = self.pick(("1 m/s", "40 m/min"))
        for key in ("load", "unload"):
            if self.maybe(0.5):
                out[key] = self.time(20)
        if self.maybe(0.5):
            out["charge"] = {"after": self.seconds(60, 2000), "time": self.time(300)}
        return out

    # ------------------------------------------------------------ the shop floor

    def floor(self, line: dict[str, Any]) -> None:
        """Add what machines do with parts: batches, loads, cascades, limits."""
        for station in line["stations"].values():
            self.machine(station)
        for add in (self.people, self.stocks, self.stops, self.pace, self.belts):
            if self.maybe(0.65):
                add(line)
        for product in line["products"].values():
            for i, step in enumerate(product["route"]):
                self.operation(line, product["route"], i, step)
            if self.maybe(0.2):
                product["release"]["due"] = self.seconds(600, 9000)
        self.units(line)

    def units(self, line: dict[str, Any]) -> None:
        """Add units in process, and let products share a route."""
        names = list(line["products"])
        if self.maybe(0.3):
            line["in_process"] = self.there(line, self.pick(names))
        one, two = self.pick(names), self.pick(names)
        plain = not line["products"][one].get("bom")
        if self.maybe(0.3) and one != two and plain:
            last = line["products"][one]["route"][-1]
            if not last.get("makes") and "bom" not in line["products"][two]:
                del line["products"][two]["route"]
                line["products"][two]["route_of"] = one

    def machine(self, station: dict[str, Any]) -> None:
        if self.maybe(0.35):
            station["batch"] = self.batch()
            station["buffer"] = self.pick(("unlimited", 4, 9))
            station.pop("blocking", None)
        if self.maybe(0.25):
            station["load"] = self.time(30)
        if self.maybe(0.25):
            station["unload"] = self.time(30)
        if self.maybe(0.3):
            station["holds_when_stopped"] = True
        if self.maybe(0.2):
            station["dispatch"] = self.some(list(_DISPATCH), self.whole(1, 3))
        if "setup" in station and self.maybe(0.4):
            station["setup"] = {"by": "operation", "time": self.time(90)}
            if self.maybe(0.5):
                station["setup"]["minimum_run"] = self.whole(1, 4)
        if self.maybe(0.15):
            counted = f"{self.whole(2, 15)} units"
            station.setdefault("maintenance", {})["u"] = {
                "every": counted,
                "first": "3 units",
                "duration": self.time(300),
            }

    def people(self, line: dict[str, Any]) -> None:
        pools: dict[str, Any] = {
            "fitters": {"count": self.whole(1, 3), "skills": ["fit"]},
            "operators": {"count": self.whole(1, 3), "skills": ["run"]},
            "all-rounders": {"count": self.whole(1, 2), "skills": ["fit", "run"]},
        }
        line["people"] = pools
        if self.maybe(0.4):
            pools["operators"]["calendar"] = self.pick(list(_CALENDARS))
        for pool in pools.values():
            if self.maybe(0.4):
                pool["walk"] = self.time(60)
        for station in line["stations"].values():
            tasks = [k for k in ("load", "unload", "setup") if k in station]
            tasks += ["repair"] if "failures" in station else []
            asked = {
                task: self.whom() for task in [*tasks, "process"] if self.maybe(0.4)
            }
            if asked:
                station["people"] = asked
            if "maintenance" in station and self.maybe(0.5):
                next(iter(station["maintenance"].values()))["crew"] = {"fitters": 1}
            if self.maybe(0.3):
                station["people_priority"] = self.whole(-1, 2)

    def whom(self) -> Any:
        """Return people of a pool, or with a skill; now and then two at once."""
        skill = self.pick(("operators", "fitters", "fit", "run", "fit", "run"))
        return {skill: 2} if self.maybe(0.2) else skill

    def stocks(self, line: dict[str, Any]) -> None:
        """Add tools, loops and materials."""
        line["tools"] = {"fixture": self.whole(1, 3), "mould": {"count": 2}}
        if self.maybe(0.5):
            line["tools"]["mould"]["back"] = self.time(90)
        bought = any("screw" in p.get("bom", ()) for p in line["products"].values())
        line["materials"] = {
            "screw": {
                "stock": self.whole(0, 60),
                "reorder_point": self.whole(16, 40),
                "lot": self.whole(16, 60),
                "lead_time": self.time(1500),
            }
        }
        if not bought:
            line["materials"] = {}
        elif self.maybe(0.5):
            line["materials"]["screw"]["late"] = {"share": 0.3, "by": self.time(900)}
        for product in line["products"].values():
            for step in product["route"]:
                if self.maybe(0.3) and not self.in_batches(line, step):
                    step["tools"] = self.pick(("fixture", {"mould": 2}, ["mould"]))
            if self.maybe(0.3) and "store" in product:
                product["stock"] = 2 * product["lot_size"]
        self.loops(line)

    def lent(self, line: dict[str, Any]) -> None:
        """Let setups, repairs and planned work take tools."""
        kinds = ("fixture", {"mould": 2}, ["mould"], ["fixture", "mould"])
        stops = list(line.get("failures", {}).values())
        for station in line["stations"].values():
            stops += station.get("failures", {}).values()
            stops += station.get("maintenance", {}).values()
            stops += [station["setup"]] if "setup" in station else []
        for stop in stops:
            if self.maybe(0.6):
                stop["tools"] = self.pick(kinds)

    def loops(self, line: dict[str, Any]) -> None:
        steps = [f"op {i}" for i in range(4)]
        for i in range(self.whole(0, 2)):
            one, two = self.whole(0, 3), self.whole(0, 3)
            loop: dict[str, Any] = {
                "from": steps[min(one, two)],
                "to": steps[max(one, two)],
            }
            loop["cards"] = self.whole(1, 6)
            if self.maybe(0.4):
                loop["hand_back"] = "next"
            if self.maybe(0.4):
                loop["back"] = self.time(100)
            line.setdefault("loops", {})[f"loop {i}"] = loop
        line["loops"] = {
            name: loop
            for name, loop in line.get("loops", {}).items()
            if self.may_loop(line, loop)
        }

    def pace(self, line: dict[str, Any]) -> None:
        """Add learning, ramp-up, and parts that interrupt others."""
        learning = {
            "rate": self.pick((0.7, 0.9)),
            "curve": self.pick(("wright", "crawford")),
            "plateau": self.pick((0, 0.5)),
            "done": self.whole(0, 5),
        }
        if self.maybe(0.5):
            learning["half_life"] = self.seconds(1e3, 1e5)
        ramp = [{"at": 0, "share": 0.5}, {"at": "20 h", "share": 1}]
        for station in line["stations"].values():
            if self.maybe(0.3):
                station["ramp_up"] = {self.pick(("speed", "good")): ramp}
            if self.maybe(0.2 if "batch" in station else 0.7):
                station.pop("batch", None)
                station.pop("blocking", None)
                station |= {"preempt": self.pick(("resume", "restart"))}
                station["dispatch"] = "priority"
                station["buffer"] = "unlimited"
        for product in line["products"].values():
            for step in product["route"]:
                if self.maybe(0.3):
                    step["learning"] = learning

    def belts(self, line: dict[str, Any]) -> None:
        """Turn stations into conveyors."""
        for name, station in line["stations"].items():
            if not self.maybe(0.25):
                continue
            places = self.whole(1, 6)
            kept = ("buffer", "failures", "calendar", "holds_when_stopped")
            line["stations"][name] = {k: station[k] for k in kept if k in station} | {
                "conveyor": {
                    "length": f"{places * self.whole(5, 60)} m",
                    "speed": "1 m/s",
                    "places": places,
                    "accumulating": self.maybe(0.6),
                }
            }
            for failure in station.get("failures", {}).values():
                if failure["clock"] not in {"calendar", "operating"}:
                    failure |= {"clock": "operating", "every": self.time(3000)}
                    failure.pop("together", None)
                failure["part"] = "resume"

    def in_batches(self, line: dict[str, Any], step: dict[str, Any]) -> bool:
        names = step["station"]
        names = [names] if isinstance(names, str) else list(names)
        return any("batch" in line["stations"][name] for name in names)

    def may_loop(self, line: dict[str, Any], loop: dict[str, Any]) -> bool:
        """Say whether parts may take cards where a loop begins."""
        found = False
        for product in line["products"].values():
            steps = {step["operation"]: step for step in product["route"]}
            if loop["from"] in steps and loop["to"] in steps:
                found = True
                first, last = steps[loop["from"]], steps[loop["to"]]
                rework = first.get("rework_only") or last.get("rework_only")
                if self.in_batches(line, first) or rework:
                    return False
        return found

    def stops(self, line: dict[str, Any]) -> None:
        """Add spares, wear by steps, what is put off, and failures of several."""
        if self.maybe(0.6):
            line["failures"] = {
                "air": {
                    "stations": self.some(self.stations, self.whole(1, 3)),
                    "every": self.time(6000),
                    "repair": self.time(300),
                    "part": self.pick(("resume", "restart", "scrap")),
                }
            }
        for station in line["stations"].values():
            for name, failure in station.get("failures", {}).items():
                if self.maybe(0.4):
                    failure["spares"] = self.whole(0, 2)
                    failure["swap"] = self.time(60)
                if self.maybe(0.4):
                    failure["steps"] = self.whole(2, 4)
                    if not failure.get("together") and self.maybe(0.7):
                        work = {"when_worn": {name: 1}, "duration": self.time(200)}
                        station.setdefault("maintenance", {})[f"renew {name}"] = work
            for work in station.get("maintenance", {}).values():
                if self.maybe(0.3):
                    work["defer"] = self.seconds(100, 4000)
                if self.maybe(0.3):
                    work["window"] = self.pick(list(_CALENDARS))

    def batch(self) -> dict[str, Any]:
        least = self.whole(1, 4)
        out: dict[str, Any] = {"min": least, "max": least + self.whole(0, 3)}
        out["mix"] = self.pick(("step", "operation", "family", "any"))
        if self.maybe(0.8):
            out["longest_wait"] = self.seconds(60, 900)
        return out

    def operation(
        self, line: dict[str, Any], route: list[Any], i: int, step: dict[str, Any]
    ) -> None:
        if self.maybe(0.3):
            step["family"] = self.pick(("hot", "cold"))
        if self.maybe(0.12):
            step["cascade"] = self.seconds(5, 60)
        elif self.maybe(0.12):
            step["rest"] = self.time(120)
        if i and self.maybe(0.25):
            step["sample"] = self.pick((0.3, 0.8, {"every": 3}))
        if i and self.maybe(0.25):
            before = route[self.whole(0, i - 1)]
            step["time_limit"] = {
                "after": before["operation"],
                "within": self.seconds(60, 1500),
                "missed": self.pick(("count", "scrap", "rework")),
            }
        if i and self.maybe(0.3):
            before = route[self.whole(0, i - 1)]
            if isinstance(before["station"], str):
                step |= {"station": before["station"]}
                step["same_server_as"] = before["operation"]
                step.pop("choose", None)
                line["stations"][before["station"]]["buffer"] = "unlimited"

    def there(self, line: dict[str, Any], name: str) -> list[dict[str, Any]]:
        """Return units in process, where there is room for them in any case."""
        step = self.pick(line["products"][name]["route"])
        stations = [step["station"]] if isinstance(step["station"], str) else []
        rooms = {line["stations"][station]["buffer"] for station in stations}
        if rooms != {"unlimited"} or "buffer" in step:
            return []
        out = {"product": name, "operation": step["operation"]}
        return [out | {"quantity": self.whole(1, 4), "due": self.seconds(0, 9000)}]


def line_dict(seed: int) -> dict[str, Any]:
    """Return a random line as it stands in a model file; it may break a rule."""
    return _Maker(seed).line()


def random_line(seed: int) -> Line:
    """Return a random line that passes `check`, always the same for a seed.

    What is said of the shop floor and breaks a rule is taken out again.
    """
    for attempt in range(100):
        model = line_dict(1000 * seed + attempt)
        for _ in range(6):
            line = Line.model_validate(model)
            errors = [f for f in check(line) if f.severity == "error"]
            if not errors:
                return line
            for finding in errors:
                _take_out(model, finding.code, finding.path)
    msg = f"no valid line found for seed {seed}"
    raise AssertionError(msg)


_OF_STEPS = {
    "LW223": ("cascade", "rest"),
    "LW224": ("sample",),
    "LW225": ("time_limit", "same_server_as"),
    "LW227": ("tools",),
    "LW229": ("learning",),
    "LW231": (
        "process",
        "process_per",
        "uses",
        "tools",
        "makes",
        "inspection",
        "defect",
        "cascade",
        "same_server_as",
        "learning",
        "shift_end",
        "batch",
    ),
}
_OF_STATIONS = {"LW222": "batch", "LW223": "batch", "LW229": "preempt"}


def _take_out(model: dict[str, Any], code: str, path: tuple[Any, ...]) -> None:
    """Take out of a model what a rule of the shop floor forbids."""
    if path[0] == "loops":
        model["loops"].pop(path[1], None)
    elif path[0] in {"materials", "changes"}:
        model.pop(path[0], None)
    elif path[0] == "stations" and code == "LW231":
        model["stations"][path[1]].pop(path[2], None)
    elif code == "LW227" and path[0] in {"stations", "failures"}:
        where = model
        for key in path[: path.index("tools")]:
            where = where[key]
        where.pop("tools", None)
    elif code == "LW228":
        model["stations"][path[1]].pop("maintenance", None)
    elif code == "LW226":
        model["people"]["fitters"]["count"] = model["people"]["operators"]["count"] = 2
    elif path[0] == "stations" and code in _OF_STATIONS:
        model["stations"][path[1]].pop(_OF_STATIONS[code], None)
    elif path[0] == "products" and code in _OF_STEPS | _OF_STATIONS:
        _take_out_of_step(model, code, model["products"][path[1]]["route"][path[3]])


def _take_out_of_step(model: dict[str, Any], code: str, step: dict[str, Any]) -> None:
    names = step["station"]
    names = [names] if isinstance(names, str) else list(names)
    stations = [model["stations"][name] for name in names]
    if code == "LW229" and step.pop("tools", None):
        return
    if code == "LW231" and isinstance(step["station"], dict):
        step["station"] = names
    if code == "LW229" and len(names) > 1:
        step["station"] = names[0]
        step.pop("choose", None)
        return
    if code == "LW222" and len(names) > 1 and "batch" not in step:
        step["batch"] = next((s["batch"] for s in stations if "batch" in s), {"max": 1})
        return
    for key in _OF_STEPS.get(code, ()):
        step.pop(key, None)
    for station in stations if code in _OF_STATIONS else ():
        station.pop(_OF_STATIONS[code], None)
    if code == "LW227":
        model["materials"] = {}
