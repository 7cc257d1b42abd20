"""What could be changed, and what it would cost: the options file.

```yaml
options_version: 1
options:
  second oven:
    cost: 120000
    lead_time: 26 weeks
    changes: {stations: {oven: {servers: 2}}}
    requires: [stronger mains]
  stronger mains: {cost: 15000}
  third shift:
    cost: 90000
    changes: {stations: {oven: {calendar: three shifts}}}
    excludes: [second oven]
generate:
  buffer_place: {cost: 800, most: 3}
  server: {cost: 60000, stations: [weld, paint]}
  less_repair: {cost: 5000, share: 0.2}
```

`changes` are those of an overlay. What is under `generate` is offered for every station
that has such a thing, or for those that are named, `most` times over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from linewright.errors import Finding, ModelError
from linewright.improve.changes import (
    Change,
    another_place,
    another_server,
    shorter,
    together,
)
from linewright.model.explain import did_you_mean, explain, listed
from linewright.model.line import Line
from linewright.model.load import Variants
from linewright.model.source import Node, describe, items, parse, read_text
from linewright.model.values import Count, Duration, Money, Name, Probability

__all__ = ["OPTIONS_VERSION", "Option", "Options", "options_of", "read_options"]

OPTIONS_VERSION = 1
_KEYS = ("options_version", "options", "generate")
_MOST_LEVELS = 20


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _OptionForm(_Form):
    cost: Money
    lead_time: Duration = 0
    changes: dict[str, Any] = Field(default_factory=dict)
    excludes: tuple[Name, ...] = ()
    requires: tuple[Name, ...] = ()
    note: str = ""


class _PieceForm(_Form):
    cost: Money
    lead_time: Duration = 0
    most: Annotated[Count, Field(le=_MOST_LEVELS)] = 1
    stations: tuple[Name, ...] = ()


class _LessForm(_PieceForm):
    share: Annotated[Probability, Field(gt=0, lt=1)]


_PIECES: dict[str, type[_PieceForm]] = {
    "buffer_place": _PieceForm,
    "server": _PieceForm,
    "less_processing": _LessForm,
    "less_setup": _LessForm,
    "less_loading": _LessForm,
    "less_repair": _LessForm,
    "less_maintenance": _LessForm,
    "less_transport": _LessForm,
}


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be done.

    Attributes:
        name: What it is called.
        cost: What it costs, in the model's currency.
        changes: What it changes, as in an overlay; empty for what others require.
        lead_time_us: Time from the decision until it is there.
        excludes: Options that cannot be chosen beside it.
        requires: Options that it needs.
        note: Words for the reader.
    """

    name: str
    cost: float
    changes: Mapping[str, Any] = field(hash=False)
    lead_time_us: int = 0
    excludes: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """All options of a line, by name.

    Attributes:
        by_name: The options.
        line: The line that they change.
    """

    by_name: dict[str, Option]
    line: Line
    variants: Variants = field(repr=False)

    def cost(self, chosen: Iterable[str]) -> float:
        """Return what a set of options costs together."""
        return sum(self.by_name[name].cost for name in chosen)

    def fits(self, chosen: frozenset[str]) -> bool:
        """Say whether a set can be chosen together: nothing excluded or missing."""
        for name in chosen:
            option = self.by_name[name]
            if option.excludes & chosen or not option.requires <= chosen:
                return False
        return True

    def changes(self, chosen: Iterable[str]) -> dict[str, Any]:
        """Return what a set of options changes, as one change."""
        wanted = set(chosen)
        return together(
            *(option.changes for name, option in self.by_name.items() if name in wanted)
        )

    def applied(self, chosen: Iterable[str]) -> Line:
        """Return the line with a set of options.

        Raises:
            ModelError: The changes do not go together.
        """
        changes = self.changes(chosen)
        return self.variants.changed(changes) if changes else self.line


# ------------------------------------------------------------------ reading


def read_options(path: str | os.PathLike[str], line: Line) -> Options:
    """Return the options in a file.

    Raises:
        ModelError: The file cannot be read, names what the line has not, or contradicts
            itself; the error carries every finding.
    """
    file = os.fspath(path)
    root, findings = parse(read_text(Path(file), file), file)
    return options_of(root, list(findings), line)


def options_of(root: Node, findings: list[Finding], line: Line) -> Options:
    """Return the options in the nodes of a file; else as `read_options`."""
    if not isinstance(root.value, dict):
        msg = f"options are a mapping of keys, found {describe(root.plain())}"
        raise ModelError([*findings, Finding("LW270", msg, "error", *root.place)])
    _know_keys(root, _KEYS, "the options", findings)
    version = root.child("options_version")
    if version is None or version.plain() != OPTIONS_VERSION:
        place = root.place if version is None else version.place
        found = "none" if version is None else describe(version.plain())
        msg = f"options_version: found {found}; this version of Linewright reads "
        findings.append(Finding("LW271", f"{msg}{OPTIONS_VERSION}", "error", *place))
    variants = Variants(line)
    out = {option.name: option for option in _written(root, variants, findings)}
    for option in _generated(root, line, findings):
        if option.name in out:
            place = root.place
            msg = f'"{option.name}" is written and generated; give it another name'
            findings.append(Finding("LW272", msg, "error", *place))
        out[option.name] = option
    _know_each_other(root, out, findings)
    if not out and not findings:
        msg = "there are no options; write some under options, or generate some"
        findings.append(Finding("LW273", msg, "error", *root.place))
    if findings:
        raise ModelError(sorted(findings, key=lambda f: (f.file, f.line, f.column)))
    return Options(out, line, variants)


def _know_keys(
    node: Node, known: Sequence[str], where: str, findings: list[Finding]
) -> None:
    for key, place in node.keys.items():
        if key not in known:
            msg = f'unknown key "{key}" in {where}; allowed are {listed(known)}'
            hint = did_you_mean(key, known)
            findings.append(Finding("LW106", msg, "error", *place, help=hint))


def _section(root: Node, key: str, findings: list[Finding]) -> Node | None:
    node = root.child(key)
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        msg = f"{key}: found {describe(node.plain())}; allowed is a mapping"
        findings.append(Finding("LW108", msg, "error", *node.place))
        return None
    return node


def _read(form: type[_Form], node: Node, where: str, findings: list[Finding]) -> Any:
    """Return what a node says, or None where it breaks the form."""
    if isinstance(node.value, dict):
        _know_keys(node, tuple(form.model_fields), where, findings)
    try:
        return form.model_validate(node.plain())
    except ValidationError as error:
        findings += explain(error.errors(include_url=False), node)
        return None


def _written(
    root: Node, variants: Variants, findings: list[Finding]
) -> Iterator[Option]:
    section = _section(root, "options", findings)
    if section is None:
        return
    for name, node in items(section):
        said = _read(_OptionForm, node, f'option "{name}"', findings)
        if said is None:
            continue
        changes = node.child("changes")
        if changes is not None and isinstance(changes.value, dict):
            try:
                variants.changed(changes)
            except ModelError as error:
                findings += error.findings
        yield Option(
            name,
            said.cost,
            said.changes,
            said.lead_time,
            frozenset(said.excludes),
            frozenset(said.requires),
            said.note,
        )


def _know_each_other(
    root: Node, options: dict[str, Option], findings: list[Finding]
) -> None:
    """Find names that are none, circles, and options that can never be chosen."""
    section = root.child("options")
    for name, option in options.items():
        node = section.child(name) if section is not None else None
        place = root.place if node is None else node.place
        for other in sorted(option.excludes | option.requires):
            if other not in options:
                msg = f'option "{name}" names "{other}", which is no option'
                hint = did_you_mean(other, list(options))
                findings.append(Finding("LW274", msg, "error", *place, help=hint))
        needed, way = _needed(options, name)
        if name in needed:
            msg = f'option "{name}" requires itself: {" → ".join(way)}'
            findings.append(Finding("LW275", msg, "error", *place))
            continue
        together_ = {name, *needed}
        for one in sorted(together_):
            clash = options[one].excludes & together_ if one in options else frozenset()
            if clash:
                msg = (
                    f'option "{name}" can never be chosen: it needs "{one}", which '
                    f'excludes "{min(clash)}"'
                )
                findings.append(Finding("LW276", msg, "error", *place))
                break


def _needed(options: dict[str, Option], name: str) -> tuple[set[str], list[str]]:
    """Return all that an option needs, and a way back to it if there is one."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        for other in sorted(options[one].requires) if one in options else ():
            if other not in found:
                found[other] = one
                waiting.append(other)
    way = [name]
    if name in found:
        at = found[name]
        while at != name:
            way.append(at)
            at = found[at]
        way.append(name)
    return set(found), way[::-1]


# ------------------------------------------------------------------ generated


def _generated(root: Node, line: Line, findings: list[Finding]) -> Iterator[Option]:
    section = _section(root, "generate", findings)
    if section is None:
        return
    _know_keys(section, tuple(_PIECES), "generate", findings)
    for kind, node in items(section):
        if kind not in _PIECES:
            continue
        said = _read(_PIECES[kind], node, f"generate.{kind}", findings)
        if said is None:
            continue
        for station in said.stations:
            if station not in line.stations:
                msg = f'generate.{kind} names station "{station}", which is not there'
                hint = did_you_mean(station, list(line.stations))
                findings.append(Finding("LW274", msg, "error", *node.place, help=hint))
        for station in said.stations or line.stations:
            if station in line.stations:
                yield from _levels(_pieces(kind, said, line, station), said)


def _pieces(kind: str, said: Any, line: Line, station: str) -> list[list[Change]]:
    """Return for each thing at a station its changes by level, one, two, …."""
    levels = range(1, said.most + 1)
    if kind == "buffer_place":
        found = [[another_place(line, station, n) for n in levels]]
    elif kind == "server":
        found = [[another_server(line, station, n) for n in levels]]
    else:
        time = kind.removeprefix("less_")
        it = line.stations[station]
        stops: list[str] = [""]
        if time == "repair":
            stops = list(it.failures)
        elif time == "maintenance":
            stops = list(it.maintenance)
        found = [
            [
                shorter(line, time, station, 1 - (1 - said.share) ** n, stop)
                for n in levels
            ]
            for stop in stops
        ]
    return [
        [change for change in changes if change is not None]
        for changes in found
        if changes and changes[0] is not None
    ]


def _levels(pieces: list[list[Change]], said: Any) -> Iterator[Option]:
    """Return each level as an option that excludes the other levels."""
    for changes in pieces:
        names = [change.name for change in changes]
        for n, change in enumerate(changes, 1):
            others = frozenset(names) - {change.name}
            cost = n * said.cost
            yield Option(change.name, cost, change.changes, said.lead_time, others)
