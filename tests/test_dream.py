"""Deterministic line models with the result that another tool, ManPy, has stored.

The models are read in place and turned into lines of ours. Nothing in them varies, so
units made and shares of time must agree to the last unit, where the rules are the same.
What cannot be said in the model, or has another rule, is in `NOT_EXPRESSIBLE`.

Two conventions of the other tool are put into the converted model:

* Where a failure and the end of an operation fall on one instant, it mostly has the
  failure first, and ours the end: our failures come a microsecond earlier, or later
  for the models in `_END_FIRST`, and repairs give the microsecond back.
* What happens at the very end of the run is not counted: ours ends a microsecond
  before, except where the run is over with the last unit (`_ENDS`).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from linewright import Line, simulate

MINUTE_US = 60_000_000
TOLERANCE = 1e-5
"""Of a share of time: a failure is a microsecond off, the shortest run a minute."""

_ENDS = {
    "DeliverOnInterruption1": 30.0,
    "DeliverOnInterruption2": 40.0,
    "DeliverOnInterruption4": 30.0,
    "Topology19": 13.0,
    "Topology20": 23.0,
    "Topology29": 1.75,
    "Topology37": 2.0,
    "Topology38": 11.0,
    "WipInMachine1": 5.0,
    "WipInMachineJobShop2": 23.0,
}
"""Minutes until the last unit leaves, in models that run until then."""

_END_FIRST = {"FailureAndShift2", "FailureWorkingTime3"}

CONVERTED = (
    "DeliverOnInterruption1",
    "DeliverOnInterruption2",
    "DeliverOnInterruption4",
    "FailureAndShift2",
    "FailureAndShift3",
    "FailureAndShift4",
    "FailureAndShift6",
    "FailureWorkingTime1",
    "FailureWorkingTime3",
    "MachineBreak2",
    "MachineBreak3",
    "SingleServer",
    "Topology01",
    "Topology02",
    "Topology09",
    "Topology12",
    "Topology14",
    "Topology19",
    "Topology20",
    "Topology29",
    "Topology32",
    "Topology37",
    "Topology38",
    "Topology49",
    "Topology50",
    "Topology52",
    "Topology55",
    "Topology74",
    "WipInMachine1",
    "WipInMachineJobShop2",
)

_OPERATORS = "operators with skills or shifts of their own, beside the stations"
_CAPACITY = "capacity stations: hours of work per period, and no parts"
_BATCHES = "batches that are taken apart and put together again as the same batch"
_MOULDS = "an order taken apart and a mould put together for that very order"

NOT_EXPRESSIBLE = {
    "BOM": _MOULDS,
    "Batches_": _BATCHES,
    "Capacity": _CAPACITY,
    "DummyDecomposition": _BATCHES,
    "JobShopOperationDefiningEntities": _OPERATORS,
    "MouldAssembly": _MOULDS,
    "Operator": _OPERATORS,
    "SkilledOperator": _OPERATORS,
    "Topology07": "1,414 units, ours 1,412: two machines that feed one place at once",
    "Topology24": "batches that lose a fixed number of units to scrap",
    "Topology27": "a program that now and then empties a buffer",
    "Topology28": _OPERATORS,
    "Topology34": "a critical part that interrupts another",
    "Topology40": _MOULDS,
    "Topology42": _OPERATORS,
    "Topology45": _OPERATORS,
    "Topology47": _OPERATORS,
    "Topology56": _MOULDS,
    "Topology61": _MOULDS,
    "Topology62": _MOULDS,
    "Topology63": "random; the stored result is one sample of it",
    "Topology64": _BATCHES,
    "Topology65": _BATCHES,
    "Topology66": _MOULDS,
    "Topology68": _MOULDS,
    "Topology69": _OPERATORS,
    "Topology70": _MOULDS,
    "Topology72": _MOULDS,
    "Topology77": _CAPACITY,
    "WipInBatch": _BATCHES,
}
"""Beginning of a model's name, and what of it the model file cannot say."""

Json = dict[str, Any]


# ---------------------------------------------------------------- the other tool


@dataclass(frozen=True, slots=True)
class Theirs:
    """A model of the other tool and its result."""

    name: str
    nodes: dict[str, Json]
    edges: list[tuple[str, str, str]]
    horizon: float
    results: dict[str, Json]

    def kind(self, node: str) -> str:
        """Return the class of a node: Source, Queue, Machine, Exit, ..."""
        kind = str(self.nodes[node]["_class"]).rpartition(".")[2]
        return kind.removesuffix("JobShop")

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the nodes of some classes, by name."""
        return sorted(n for n in self.nodes if self.kind(n) in kinds)

    def after(self, node: str, entity: str = "") -> list[str]:
        """Return the nodes that follow one, or do so for a kind of entity."""
        return sorted(b for a, b, e in self.edges if a == node and entity in ("", e))

    def share(self, node: str, what: str) -> float:
        """Return a share of time of a machine, from 0 to 1."""
        return float(self.results[node].get(f"{what}_ratio", [0])[0]) / 100


def _read(archive: zipfile.ZipFile, name: str) -> Theirs:
    model = json.loads(archive.read(f"{name}.json"))
    result = json.loads(archive.read(f"{name}.json.result"))
    nodes = model["graph"]["node"]
    stations = {n for n in nodes if "Repairman" not in nodes[n]["_class"]}
    return Theirs(
        name,
        nodes,
        [
            (e["source"], e["destination"], e.get("data", {}).get("entity", ""))
            for e in model["graph"]["edge"].values()
            if e["source"] in stations
        ],
        float(model["general"]["maxSimTime"]),
        {e["id"]: e.get("results", {}) for e in result["elementList"]},
    )


# ---------------------------------------------------------------- turned into ours


@dataclass(slots=True)
class _Builder:
    theirs: Theirs
    stations: Json = field(default_factory=dict)
    products: Json = field(default_factory=dict)
    buffers: Json = field(default_factory=dict)
    calendars: Json = field(default_factory=dict)
    orders: list[Json] = field(default_factory=list)

    def line(self) -> Line:
        """Return the model as a line of ours."""
        for node in self.theirs.of_kind("Machine", "Assembly", "Dismantle"):
            self.stations[node] = self._station(node)
        for node in self.theirs.of_kind("Source"):
            self._source(node)
        self._work_in_process()
        return Line.model_validate(
            {
                "schema_version": 1,
                "name": self.theirs.name,
                "stations": self.stations,
                "products": self.products,
                "buffers": self.buffers,
                "calendars": self.calendars,
                "people": dict.fromkeys(self.theirs.of_kind("Repairman"), 1),
                "orders": self.orders,
            }
        )

    def _station(self, node: str) -> Json:
        """Return a station; where a source is next to it, the parts wait there."""
        given = self.theirs.nodes[node]
        before = [a for a, b, _ in self.theirs.edges if b == node]
        kinds = {self.theirs.kind(a) for a in before}
        station: Json = {"buffer": "unlimited" if "Source" in kinds else 0}
        delivers = self.theirs.name.startswith("DeliverOnInterruption")
        station["holds_when_stopped"] = not delivers
        if time := given.get("processingTime"):
            station["process"] = _time(time)
        stops = given.get("interruptions", {})
        if failure := stops.get("failure"):
            early = 1 if self.theirs.name in _END_FIRST else -1
            station["failures"] = {"failure": _failure(failure, early)}
            for repairman in self.theirs.of_kind("Repairman"):
                station["people"] = {"repair": repairman}
        if pause := stops.get("break"):
            self._break(station, pause)
        if shift := stops.get("shift"):
            self._shift(node, station, shift)
        return station

    def _break(self, station: Json, pause: Json) -> None:
        every, length = _time(pause["TTB"]), _time(pause["TTR"])
        if pause.get("endUnfinished", 1):
            station["maintenance"] = {"break": {"every": every, "duration": length}}
        else:
            stop = {"every": every, "repair": length, "clock": "calendar"}
            station["failures"] = {"break": stop}

    def _shift(self, node: str, station: Json, shift: Json) -> None:
        spans = [
            {"from": _clock(begin), "to": _clock(end)}
            for begin, end in shift["shiftPattern"]
        ]
        self.calendars[node] = {"shifts": spans}
        station["calendar"] = node
        unfinished = shift.get("endUnfinished", 1)
        station["shift_end"] = "finish" if unfinished else "interrupt"

    def _source(self, node: str) -> None:
        """Add the product of a source; what is joined into another is its kit."""
        product: Json = {
            "release": {
                "every": _time(self.theirs.nodes[node]["interArrivalTime"]),
                "first": 0,
            }
        }
        self.products[node] = product
        first = self.theirs.after(node)[0]
        entity = self.theirs.nodes[node]["entity"]
        if self.theirs.kind(first) == "Assembly":
            if entity == "Dream.Part":  # straight to the assembly
                self.stations[f"{node} rack"] = {"process": 0}
                product["route"] = [f"{node} rack"]
                return
            before = [a for a, b, _ in self.theirs.edges if b == first and a != node]
            product["bom"] = {before[0]: 4}  # a frame takes four
        product["route"] = self._route(self.theirs.after(node), node)

    def _route(self, nodes: list[str], product: str) -> list[Json]:
        route: list[Json] = []
        buffer = None
        while nodes and self.theirs.kind(nodes[0]) != "Exit":
            if self.theirs.kind(nodes[0]) == "Queue":
                buffer = self._queue(nodes[0]) or buffer
                nodes = self.theirs.after(nodes[0])
                continue
            step = _step(nodes, buffer)
            route.append(step)
            buffer = None
            if self.theirs.kind(nodes[0]) == "Dismantle":
                step["makes"] = self._taken_apart(nodes[0], product)
                break
            nodes = self.theirs.after(nodes[0])
        return route

    def _taken_apart(self, node: str, product: str) -> Json:
        makes = {}
        for entity, quantity in (("Part", 4), ("Frame", 1)):  # in this order
            name = f"{product} {entity}"
            after = self.theirs.after(node, entity)
            self.products[name] = {
                "release": "never",
                "route": self._route(after, name),
            }
            makes[name] = quantity
        return makes

    def _queue(self, node: str) -> str | None:
        """Add a queue as a named buffer; a dummy one has no place of its own."""
        given = self.theirs.nodes[node]
        if given.get("isDummy") == "1":
            return None
        slots = int(given["capacity"])
        self.buffers[node] = {"slots": "unlimited" if slots < 0 else slots}
        return node

    # ------------------------------------------------------------ jobs

    def _work_in_process(self) -> None:
        """Add what is in the line at the start as orders of that instant.

        What stands on a machine comes first, then by priority, so that the right part
        is on the machine.
        """
        jobs = [
            (node, entity)
            for node in sorted(self.theirs.nodes)
            for entity in self.theirs.nodes[node].get("wip", ())
        ]
        jobs.sort(key=lambda job: (self._waits(*job), int(job[1].get("priority", 0))))
        for node, entity in jobs:
            name = entity["id"]
            self.products[name] = {
                "release": "orders",
                "priority": -int(entity.get("priority", 0)),
                "route": self._job_route(node, entity, name),
            }
            self.orders.append({"id": name, "product": name, "release": 0})

    def _waits(self, node: str, entity: Json) -> bool:
        if "route" in entity:
            node = entity["route"][0]["stationIdsList"][0]
        return self.theirs.kind(node) == "Queue"

    def _job_route(self, node: str, entity: Json, name: str) -> list[Json]:
        if "route" not in entity:
            return self._route([node], name)
        route: list[Json] = []
        buffer = None
        for number, stop in enumerate(entity["route"]):
            nodes = stop["stationIdsList"]
            kind = self.theirs.kind(nodes[0])
            if kind == "Queue":
                buffer = self._queue(nodes[0])
                rule = self.theirs.nodes[nodes[0]].get("schedulingRule", "")
            elif kind == "Machine":
                step = _step(nodes, buffer)
                step["operation"] = f"{number} {step['operation']}"
                step["process"] = _time(stop["processingTime"])
                if buffer and "Priority" in rule:
                    self.stations[nodes[0]]["dispatch"] = "priority"
                route.append(step)
        if parts := entity.get("componentsList"):
            route[-1]["makes"] = {part["id"]: 1 for part in parts}
            for part in parts:
                self.products[part["id"]] = {
                    "release": "never",
                    "route": self._job_route(node, part, part["id"]),
                }
        return route


def _step(nodes: list[str], buffer: str | None) -> Json:
    step: Json = {"operation": " or ".join(nodes), "station": nodes[0]}
    if len(nodes) > 1:
        step["station"] = nodes
        step["choose"] = "first_free" if buffer else "preference"
    if buffer:
        step["buffer"] = buffer
    return step


def _time(given: Json) -> str:
    return f"{float(given['Fixed']['mean'])!r} min"


def _failure(given: Json, early_us: int) -> Json:
    clocks = {"onShift": "operating", "working": "processing"}
    every = round(float(given["TTF"]["Fixed"]["mean"]) * MINUTE_US) + early_us
    repair = round(float(given["TTR"]["Fixed"]["mean"]) * MINUTE_US) - early_us
    return {
        "every": f"{every} us",
        "repair": f"{repair} us",
        "clock": clocks.get(given.get("deteriorationType", ""), "calendar"),
    }


def _clock(minutes: float) -> str:
    seconds = round(minutes * 60)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


# ---------------------------------------------------------------- what is compared


@dataclass(frozen=True, slots=True)
class Ours:
    """What a simulation of ours found."""

    finished: dict[str, int]
    shares: dict[str, dict[str, float]]
    completed_min: dict[str, float]


def run(line: Line, horizon_us: int) -> Ours:
    """Simulate a line once, for so long, from an empty start."""
    result = simulate(
        line, horizon=horizon_us, replications=1, study="terminating", seed=1
    )
    assert not result.failed_checks
    stations = result.table("stations").to_pylist()
    modes = ("starved", "processing", "blocked", "failed", "maintenance", "off_shift")
    return Ours(
        {
            row["product"]: row["finished"]
            for row in result.table("products").to_pylist()
        },
        {row["station"]: {m: row[m] / horizon_us for m in modes} for row in stations},
        {
            row["order"]: row["finished_us"] / MINUTE_US
            for row in result.table("orders").to_pylist()
            if row["finished_us"] is not None
        },
    )


def _compared_shares(theirs: Theirs, node: str) -> Iterator[tuple[str, str]]:
    """Yield our and their name of each share of time that means the same."""
    stops = theirs.nodes[node].get("interruptions", {})
    yield "processing", "working"
    yield "blocked", "blockage"
    if "shift" in stops and "failure" in stops:
        return  # ours counts a repair as such off shift too, so starved differs as well
    yield "starved", "waiting"
    yield "off_shift", "off_shift"
    yield "failed", "failure"


def _groups(theirs: Theirs) -> list[list[str]]:
    """Return the machines, those together that stand for one another.

    Which of two equal machines takes a part is a free choice; their sum is not.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for node in theirs.of_kind("Machine", "Assembly", "Dismantle"):
        before = tuple(sorted(a for a, b, _ in theirs.edges if b == node))
        after = tuple(theirs.after(node))
        alone = (node,) if not before else ()
        groups.setdefault((*before, "->", *after, *alone), []).append(node)
    return list(groups.values())


def _exits(theirs: Theirs, line: Line) -> dict[str, list[str]]:
    """Return the products that leave at each exit."""
    final = [
        name
        for name, product in line.products.items()
        if not product.route[-1].makes
        and not any(name in p.bom for p in line.products.values())
    ]
    exits = theirs.of_kind("Exit")
    if len(exits) == 1:
        return {exits[0]: final}
    last = {name: line.products[name].route[-1].stations[0] for name in final}
    return {e: [n for n in final if e in theirs.after(last[n])] for e in exits}


# ---------------------------------------------------------------- tests


@pytest.fixture(scope="module")
def archive(shared_reference: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(shared_reference / "dream-models/open/models.zip") as models:
        yield models


@pytest.mark.parametrize("name", CONVERTED)
def test_a_deterministic_model_gives_the_published_result(
    archive: zipfile.ZipFile, name: str
) -> None:
    theirs = _read(archive, name)
    line = _Builder(theirs).line()
    horizon_us = round(_ENDS.get(name, theirs.horizon) * MINUTE_US)
    ours = run(line, horizon_us if name in _ENDS else horizon_us - 1)

    for exit_, products in _exits(theirs, line).items():
        made = sum(ours.finished[product] for product in products)
        assert made == theirs.results[exit_]["throughput"][0], exit_
    for group in _groups(theirs):
        for mine, published in _compared_shares(theirs, group[0]):
            got = sum(ours.shares[node][mine] for node in group)
            want = sum(theirs.share(node, published) for node in group)
            if mine == "failed":  # a break that interrupts is a failure here
                got += sum(ours.shares[node]["maintenance"] for node in group)
                want += sum(theirs.share(node, "break") for node in group)
            assert got == pytest.approx(want, abs=TOLERANCE), (group, mine)
    for order, minutes in ours.completed_min.items():
        if completed := theirs.results.get(order, {}).get("completionTime"):
            assert minutes == completed, order


def test_every_model_is_converted_or_said_not_to_be(archive: zipfile.ZipFile) -> None:
    names = {n.removesuffix(".json") for n in archive.namelist() if n.endswith(".json")}
    for name in names - set(CONVERTED):
        assert any(name.startswith(start) for start in NOT_EXPRESSIBLE), name
    assert set(CONVERTED) <= names
