"""CMSD, the exchange format for manufacturing simulations (SISO-STD-008), as XML.

Read are resources (sources, exits, queues, machines and stations, employees) with their
properties, and process plans: sequences of processes, and decisions between machines.
A plan becomes the route of a product. What else a file says is noted with its line; a
value that is missing or wrong is an error with its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from linewright.errors import Finding, ModelError
from linewright.importers.source import Imported, Note
from linewright.importers.xml import Element, parse
from linewright.model.explain import did_you_mean
from linewright.model.line import Line

__all__ = ["is_it", "read"]

_UNITS = {"second": "s", "sec": "s", "s": "s", "minute": "min", "min": "min"}
_UNITS |= {"hour": "h", "hr": "h", "h": "h", "day": "d", "d": "d"}
_STATIONS = {"machine", "station"}
_READ_PROPERTIES = {
    "processtime", "meantimetofailure", "meantimetorepair", "capacity",
    "interarrivaltime", "parttype", "bufferin",
}  # fmt: skip


def is_it(path: Path) -> bool:
    """Say whether a path is that of an XML file."""
    return path.is_file() and path.suffix.lower() == ".xml"


@dataclass
class _Plant:
    """The document, and the model as it is made."""

    path: Path
    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    resources: dict[str, Element] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Element] = field(default_factory=dict)
    stations: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    products: dict[str, dict[str, Any]] = field(default_factory=dict)

    def error(self, at: Element, text: str, hint: str = "") -> None:
        finding = Finding("LW401", text, "error", str(self.path), at.line, help=hint)
        self.findings.append(finding)

    def note(self, at: Element, text: str) -> None:
        self.notes.append(Note(f"{self.path.name}:{at.line}", text))

    def unknown(self, at: Element, kind: str, name: str, there: dict[str, Any]) -> None:
        self.error(at, f'"{name}" is not a {kind} here', did_you_mean(name, there))


def read(path: Path) -> Imported:
    """Return the model that a CMSD document says.

    Raises:
        ModelError: It is no such document, or something in it is missing or wrong; all
            findings at once.
    """
    root = parse(path, "CMSDDocument")
    plant = _Plant(path)
    data = root.first("DataSection") or root
    classes = {c.value("Identifier"): c for c in data.all("ResourceClass")}
    for resource in data.all("Resource"):
        _resource(plant, resource, classes)
    plans = list(data.all("ProcessPlan"))
    if not plans:
        plant.error(data, "there is no ProcessPlan, so nothing is made")
    for plan in plans:
        _plan(plant, plan)
    known = {"ResourceClass", "Resource", "ProcessPlan", "PartType"}
    for other in data.children:
        if other.name not in known:
            plant.note(other, f"{other.name} is not read")
    if plant.findings:
        raise ModelError(plant.findings)
    return Imported(_line(plant), (), tuple(plant.notes), "CMSD")


def _line(plant: _Plant) -> Line:
    data: dict[str, Any] = {"schema_version": 1, "name": plant.path.stem}
    if plant.people:
        data["people"] = plant.people
    data |= {"stations": plant.stations, "products": plant.products}
    data["study"] = {"horizon": "1 d", "kind": "terminating"}
    try:
        return Line.model_validate(data)
    except ValidationError as error:
        found = [
            Finding(
                "LW402",
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}; found {e['input']!r:.80}",
                file=str(plant.path),
            )
            for e in error.errors(include_url=False)
        ]
        raise ModelError(found) from error


# ---------------------------------------------------------------- resources


def _resource(plant: _Plant, resource: Element, classes: dict[str, Element]) -> None:
    name = resource.value("Identifier")
    if not name or name in plant.resources:
        text = "is missing" if not name else f'"{name}" is here twice'
        plant.error(resource, f"Identifier of a Resource {text}")
        return
    plant.resources[name] = resource
    kind = resource.value("ResourceType").lower()
    of = resource.value("ResourceClass", "ResourceClassIdentifier")
    if of and of not in classes:
        plant.unknown(resource, "ResourceClass", of, classes)
    if kind in {"", "other"}:
        kind = of.lower()
    plant.kinds[name] = "station" if kind in _STATIONS else kind
    if kind == "employee":
        plant.people[name] = _capacity(plant, resource) or 1


def _properties(element: Element) -> Iterator[tuple[str, Element]]:
    """Yield the properties of an element by name in lower case."""
    for child in element.children:
        if child.name.startswith("Property"):
            yield child.value("Name").lower(), child


def _property(element: Element, name: str) -> Element | None:
    return next((found for key, found in _properties(element) if key == name), None)


def _capacity(plant: _Plant, element: Element) -> int | None:
    found = _property(element, "capacity")
    if found is None:
        return None
    text = found.value("Value")
    if not text.isdecimal():
        plant.error(found, f'the capacity "{text}" is not a whole number')
        return None
    return int(text)


def _distribution(plant: _Plant, at: Element, what: str) -> str | None:
    """Return the distribution of a property or operation time as text."""
    unit_text = at.value("Unit").lower() or "minutes"
    unit = _UNITS.get(unit_text.rstrip("s"), _UNITS.get(unit_text, ""))
    if not unit:
        plant.error(at, f'{what}: "{unit_text}" is not a unit of time')
        return None
    found = at.first("Distribution")
    if found is None:
        plant.error(at, f"{what} has no Distribution")
        return None
    kind = found.value("Name").lower()
    values: dict[str, float] = {}
    for parameter in found.children:
        if not parameter.name.startswith("DistributionParameter"):
            continue
        name, text = parameter.value("Name").lower(), parameter.value("Value")
        try:
            values[name] = float(text)
        except ValueError:
            plant.error(parameter, f'{what}: "{text}" is not a number')
            return None
    return _as_text(plant, found, what, kind, values, unit)


def _as_text(
    plant: _Plant,
    at: Element,
    what: str,
    kind: str,
    values: dict[str, float],
    unit: str,
) -> str | None:
    forms = {
        "fixed": ("{mean} {u}", ("mean",)),
        "constant": ("{mean} {u}", ("mean",)),
        "exp": ("exponential({mean} {u})", ("mean",)),
        "exponential": ("exponential({mean} {u})", ("mean",)),
        "uniform": ("uniform({min} {u}, {max} {u})", ("min", "max")),
        "normal": ("normal(mean={mean} {u}, sd={stdev} {u})", ("mean", "stdev")),
        "triangular": (
            "triangular({min} {u}, {mode} {u}, {max} {u})",
            ("min", "mode", "max"),
        ),
    }
    if kind not in forms:
        allowed = ", ".join(forms)
        plant.error(at, f'{what}: the distribution "{kind}"; read are {allowed}')
        return None
    form, names = forms[kind]
    if missing := [name for name in names if name not in values]:
        plant.error(at, f"{what}: the distribution {kind} lacks {', '.join(missing)}")
        return None
    return form.format(u=unit, **{name: f"{values[name]:.12g}" for name in names})


# ---------------------------------------------------------------- process plans


def _plan(plant: _Plant, plan: Element) -> None:
    name = plan.value("PartsProduced", "PartType", "PartTypeIdentifier")
    name = name or plan.value("Identifier")
    plant.processes = {}
    for process in plan.all("Process"):
        plant.processes[process.value("Identifier")] = process
    first = plan.value("FirstProcess", "ProcessIdentifier")
    if first not in plant.processes:
        plant.unknown(plan, "Process", first, plant.processes)
        return
    product: dict[str, Any] = {"route": []}
    waiting = 0  # places of the queues that stand before the next machine
    for group in _steps(plant, plant.processes[first], ()):
        kinds = {_kind(plant, process) for process in group}
        if kinds == {"source"}:
            _source(plant, group, product)
        elif kinds == {"queue"}:
            waiting += sum(_queue(plant, process) for process in group)
        elif kinds == {"station"}:
            _operation(plant, group, waiting, product["route"])
            waiting = 0
        elif kinds != {"exit"}:
            found = ", ".join(sorted(kinds)) or "nothing"
            plant.error(group[0], f"a process at {found} is not read")
    if not product["route"]:
        plant.error(plan, f'no machine works on "{name}"')
    plant.products[name] = product


def _steps(
    plant: _Plant, process: Element, above: tuple[str, ...]
) -> Iterator[list[Element]]:
    """Yield the processes of a plan in order, those of a decision together."""
    name = process.value("Identifier")
    if name in above:
        plant.error(process, f'the process "{name}" is a part of itself')
        return
    group = process.first("SubProcessGroup")
    if group is None:
        yield [process]
        return
    members = []
    for member in group.all("Process"):
        other = member.value("ProcessIdentifier")
        if other in plant.processes:
            members.append(plant.processes[other])
        else:
            plant.unknown(member, "Process", other, plant.processes)
    branches = [list(_steps(plant, member, (*above, name))) for member in members]
    kind = group.value("Type").lower()
    if kind == "sequence":
        yield from (step for branch in branches for step in branch)
    elif kind == "decision" and len({len(branch) for branch in branches}) == 1:
        if len(branches[0]) > 1:
            text = "parts may change from one branch of this decision to another"
            plant.note(group, text)
        for together in zip(*branches, strict=True):
            yield [process for step in together for process in step]
    else:
        text = f'a group of the type "{kind}"'
        if kind == "decision":
            text = "a decision between branches of different length"
        plant.error(group, f"{text} is not read; sequence and decision are")


def _required(process: Element) -> Iterator[str]:
    for required in process.all("ResourcesRequired"):
        for resource in required.all("Resource"):
            yield resource.value("ResourceIdentifier")
        if name := required.value("ResourceIdentifier"):
            yield name


def _kind(plant: _Plant, process: Element) -> str:
    """Return the kind of the place at which a process is; people are no place."""
    for name in _required(process):
        if name not in plant.resources:
            plant.unknown(process, "Resource", name, plant.resources)
        elif plant.kinds[name] != "employee":
            return plant.kinds[name]
    return "no place"


def _place(plant: _Plant, process: Element, kind: str) -> str:
    return next(n for n in _required(process) if plant.kinds.get(n) == kind)


def _source(plant: _Plant, group: list[Element], product: dict[str, Any]) -> None:
    process = group[0]
    resource = plant.resources[_place(plant, process, "source")]
    if len(group) > 1:
        plant.note(process, "of several sources the first is read")
    for where in (resource, process):
        if found := _property(where, "interarrivaltime"):
            every = _distribution(plant, found, "interarrivalTime")
            if every:
                product["release"] = {"every": every, "first": "0 min"}


def _queue(plant: _Plant, process: Element) -> int:
    resource = plant.resources[_place(plant, process, "queue")]
    for where in (resource, process):
        capacity = _capacity(plant, where)
        if capacity is not None:
            return capacity
    plant.error(process, "a queue without a capacity")
    return 0


def _operation(
    plant: _Plant, group: list[Element], places: int, route: list[dict[str, Any]]
) -> None:
    times: dict[str, str] = {}
    for process in group:
        name = _place(plant, process, "station")
        resource = plant.resources[name]
        if name in plant.stations:
            plant.error(process, f'"{name}" is visited twice; that is not read')
            continue
        # a machine that is down hands nothing on, as in the tool of the examples
        station = plant.stations[name] = {"buffer": places, "holds_when_stopped": True}
        times[name] = _work_time(plant, resource, process) or "0 min"
        _stops(plant, station, resource, process)
        people = [n for n in _required(process) if plant.kinds.get(n) == "employee"]
        if people:
            station["people"] = {"process": people[0]}
        for other in people[1:]:
            plant.note(process, f'"{other}" is not asked for; one person is')
        for key, found in (*_properties(resource), *_properties(process)):
            if key == "bufferin":
                station["buffer"] = _buffer_in(plant, found)
            elif key not in _READ_PROPERTIES:
                plant.note(found, f'the property "{found.value("Name")}" is not read')
    operation = group[0].value("Identifier")
    route.append({"operation": operation, "station": times})


def _buffer_in(plant: _Plant, found: Element) -> int:
    text = found.value("Capacity")
    if text.isdecimal():
        return int(text)
    plant.error(found, f'the capacity "{text}" is not a whole number')
    return 0


def _work_time(plant: _Plant, resource: Element, process: Element) -> str | None:
    if found := process.first("OperationTime"):
        return _distribution(plant, found, "OperationTime")
    for where in (process, resource):
        if found := _property(where, "processtime"):
            return _distribution(plant, found, "ProcessTime")
    plant.error(process, "a process at a machine without a time")
    return None


def _stops(
    plant: _Plant, station: dict[str, Any], resource: Element, process: Element
) -> None:
    """Add the failures of a machine, and who repairs them."""
    for where in (resource, process):
        up = _property(where, "meantimetofailure")
        down = _property(where, "meantimetorepair")
        if up is None and down is None:
            continue
        if up is None or down is None:
            plant.error(where, "MeanTimeToFailure and MeanTimeToRepair go together")
            continue
        every = _distribution(plant, up, "MeanTimeToFailure")
        repair = _distribution(plant, down, "MeanTimeToRepair")
        failure: dict[str, Any] = {"every": every, "repair": repair}
        failure["clock"] = "calendar"
        for found in _inside(down, "ResourcesRequired"):
            name = found.value("ResourceIdentifier")
            if name in plant.people:
                failure["crew"] = name
            else:
                plant.unknown(found, "person", name, plant.people)
        if every and repair:
            station["failures"] = {"failure": failure}


def _inside(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield child
        yield from _inside(child, name)
