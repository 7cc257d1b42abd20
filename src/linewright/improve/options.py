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
  quick-change spindles:
    cost: 45000
    uncertain: {cycle: "triangular(45 s, 50 s, 58 s)"}
    changes: {stations: {bore: {process: exponential($cycle)}}}
generate:
  buffer_place: {cost: 800, most: 3}
  server: {cost: 60000, stations: [weld, paint]}
  less_repair: {cost: 5000, share: "uniform(0.1, 0.3)"}
```

`changes` are those of an overlay. What is `uncertain` stands in them as `$name`, like a
parameter of a model, and is drawn in every replication. What is under `generate` is
offered wherever it is possible (`generated`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from linewright.errors import Finding, ModelError
from linewright.improve.generated import generated
from linewright.improve.option import Form, Option, know_keys, read, section
from linewright.improve.timing import Part, merged
from linewright.improve.uncertain import Uncertain, read_uncertain
from linewright.model.explain import did_you_mean
from linewright.model.line import Line
from linewright.model.load import Variants
from linewright.model.parameters import Filler, Scope, Setting, is_name
from linewright.model.source import Node, describe, items, parse, read_text
from linewright.model.values import Duration, Money, Name

__all__ = ["OPTIONS_VERSION", "Option", "Options", "options_of", "read_options"]

OPTIONS_VERSION = 1
_KEYS = ("options_version", "options", "generate")
_ENDS = (0.001, 0.999)  # of what is uncertain: the changes are tried with both


class _OptionForm(Form):
    cost: Money
    lead_time: Duration = 0
    uncertain: dict[str, Any] = Field(default_factory=dict)
    changes: dict[str, Any] = Field(default_factory=dict)
    excludes: tuple[Name, ...] = ()
    requires: tuple[Name, ...] = ()
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

    def changes(
        self, chosen: Iterable[str], *, on_dates: bool = False
    ) -> dict[str, Any]:
        """Return what a set of options changes, as one change.

        Args:
            chosen: Their names.
            on_dates: Let each take effect when its lead time is over, where that can
                be (`remarks` says where not); at once by default.
        """
        return self._merged(chosen, on_dates=on_dates)[0]

    def remarks(self, chosen: Iterable[str]) -> list[str]:
        """Say which options take effect from the begin in spite of their lead time."""
        return self._merged(chosen, on_dates=True)[1]

    def applied(self, chosen: Iterable[str], *, on_dates: bool = False) -> Line:
        """Return the line with a set of options; else as `changes`.

        Raises:
            ModelError: The changes do not go together.
        """
        changes = self.changes(chosen, on_dates=on_dates)
        return self.variants.changed(changes) if changes else self.line

    def is_uncertain(self, chosen: Iterable[str]) -> bool:
        """Say whether something of a set is uncertain."""
        return any(self.by_name[name].uncertain for name in chosen)

    def doubt(self, chosen: Iterable[str]) -> str:
        """Return a hash of how the uncertain options of a set may turn out."""
        said: list[Any] = []
        for name in sorted(chosen):
            option = self.by_name[name]
            said += [
                [one.name, one.stream, one.distribution.model_dump()]
                for one in option.uncertain
            ]
            for u in _ENDS if option.made else ():
                values = {one.name: one.at(u) for one in option.uncertain}
                said.append([name, u, option.made(values) if option.made else {}])
        text = json.dumps(said, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def realised(
        self, chosen: Iterable[str], draw: tuple[int, int], *, on_dates: bool = False
    ) -> Line:
        """Return the line with a set of options as they turn out.

        Args:
            chosen: Their names.
            draw: Seed, and number of the replication.
            on_dates: As for `changes`.

        Raises:
            ModelError: The changes do not go together, or break the model's form.
        """
        changes, _ = self._merged(chosen, on_dates=on_dates, draw=draw)
        return self.variants.changed(changes) if changes else self.line

    def _merged(
        self,
        chosen: Iterable[str],
        *,
        on_dates: bool,
        draw: tuple[int, int] | None = None,
    ) -> tuple[dict[str, Any], list[str]]:
        wanted = set(chosen)
        parts = [
            Part(
                name,
                option.changes if draw is None else option.realised(*draw),
                option.more_servers,
                option.lead_time_us if on_dates else 0,
            )
            for name, option in self.by_name.items()
            if name in wanted
        ]
        return merged(self.line, parts)


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
    know_keys(root, _KEYS, "the options", findings)
    version = root.child("options_version")
    if version is None or version.plain() != OPTIONS_VERSION:
        place = root.place if version is None else version.place
        found = "none" if version is None else describe(version.plain())
        msg = f"options_version: found {found}; this version of Linewright reads "
        findings.append(Finding("LW271", f"{msg}{OPTIONS_VERSION}", "error", *place))
    variants = Variants(line)
    out = {option.name: option for option in _written(root, variants, findings)}
    for option in generated(root, line, findings):
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


def _written(
    root: Node, variants: Variants, findings: list[Finding]
) -> Iterator[Option]:
    for name, node in items(section(root, "options", findings)):
        said = read(_OptionForm, node, f'option "{name}"', findings)
        if said is None:
            continue
        uncertain = tuple(_uncertain(name, node, findings))
        changes = node.child("changes")
        done: Mapping[str, Any] = said.changes
        made = None
        if changes is not None and isinstance(changes.value, dict):
            if uncertain:
                made = _Made(name, changes)
                done = made({one.name: one.typical for one in uncertain})
            if len(uncertain) == len(said.uncertain):  # else it cannot be filled
                _try(variants, (name, changes), uncertain, findings)
        yield Option(
            name,
            said.cost,
            done,
            said.lead_time,
            frozenset(said.excludes),
            frozenset(said.requires),
            said.note,
            uncertain=uncertain,
            made=made,
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """Puts values of what is uncertain into the changes of an option."""

    name: str
    changes: Node

    def node(
        self, values: Mapping[str, Any], findings: list[Finding]
    ) -> tuple[Node, set[str]]:
        """Return the changes with values, and the names that they use."""
        settings = {
            name: Setting(Node(value, self.changes.place))
            for name, value in values.items()
        }
        scope = Scope(settings, f'option "{self.name}"')
        return Filler(findings).filled(self.changes, scope), scope.used

    def __call__(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the changes with values."""
        plain: dict[str, Any] = self.node(values, [])[0].plain()
        return plain


def _uncertain(option: str, node: Node, findings: list[Finding]) -> Iterator[Uncertain]:
    """Yield the quantities of an option that are uncertain; note what is wrong."""
    for name, below in items(node.child("uncertain")):
        try:
            if not is_name(name):
                msg = "a name has letters, digits and _, and begins with a letter"
                raise ValueError(msg)
            yield read_uncertain(name, f"option/{option}/{name}", below.plain())
        except ValueError as error:
            msg = f'option "{option}", uncertain {name}: {_first(error)}'
            findings.append(Finding("LW277", msg, "error", *below.place))


def _first(error: ValueError) -> str:
    """Return what an error says, without what pydantic adds."""
    if isinstance(error, ValidationError):
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return str(error)


def _try(
    variants: Variants,
    of: tuple[str, Node],
    uncertain: tuple[Uncertain, ...],
    findings: list[Finding],
) -> None:
    """Note what is wrong with the changes of an option, however it turns out."""
    name, changes = of
    found: dict[Finding, None] = {}
    used: set[str] = set()
    for u in _ENDS if uncertain else (0.5,):
        filled = changes
        if uncertain:
            wrong: list[Finding] = []
            values = {one.name: one.at(u) for one in uncertain}
            filled, used = _Made(name, changes).node(values, wrong)
            found |= dict.fromkeys(wrong)
            if wrong:
                continue
        try:
            variants.changed(filled)
        except ModelError as error:
            found |= dict.fromkeys(error.findings)
    findings += found
    for one in uncertain:
        if one.name not in used and not found:
            msg = (
                f'option "{name}": ${one.name} is uncertain and stands nowhere in its '
            )
            msg += "changes"
            findings.append(Finding("LW278", msg, "error", *changes.place))


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
