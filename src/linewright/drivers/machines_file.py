"""A file that says where the machines of a line are, and how each is spoken with.

It is no part of the model: a machine that moves to another address is no other line,
and its journal goes on. Everything that can be checked without the machines is checked
when the file is read, all at once; whether they have the nodes, when they are reached.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from linewright import tables as t
from linewright.control.profiles import Bits, PackTags, Profile
from linewright.errors import Finding, ModelError
from linewright.improve.option import Form, know_keys, read, section
from linewright.model.explain import did_you_mean, listed
from linewright.model.load import parse_file
from linewright.model.source import Node, Place, describe

__all__ = ["At", "MachinesFile", "read_machines"]

MACHINES_VERSION = 1
_NODE = re.compile(r"(ns=\d+;)?[isgb]=.+|/.+")
_ADDRESS = re.compile(r"opc\.tcp://[^\s/:]+(:\d+)?(/\S*)?")
_NODE_HELP = (
    "allowed is the identity of a node, such as ns=2;s=Weld, or a path of names from "
    "Objects, such as /Cell/Weld"
)
_REJECTS = {"rework": t.REWORK, "scrap": t.SCRAP}


class _Machine(Form):
    """What a file says of one machine."""

    profile: Literal["job_control", "packml", "bits"] = "job_control"
    address: str | None = None
    node: str | None = None
    nodes: Annotated[dict[str, str], Field(default_factory=dict)]
    measured: Annotated[dict[str, str], Field(default_factory=dict)]
    reject: Literal["rework", "scrap"] = "rework"
    failure: str = ""
    user: str | None = None
    password_file: str | None = None


class _Whole(Form):
    """What a file says of all of them."""

    machines_version: int
    address: str | None = None
    others: Literal["reached", "played"] = "reached"
    user: str | None = None
    password_file: str | None = None
    machines: Annotated[dict[str, Any], Field(default_factory=dict)]


@dataclass(frozen=True, slots=True)
class At:
    """Where a machine is, and how it is spoken with.

    Attributes:
        device: Which machine of the line it is.
        profile: One of ``job_control``, ``packml`` and ``bits``.
        address: Of its server.
        node: Of its object: an identity, or a path of names; None for the place at
            which our own machines have theirs.
        nodes: Of single tags, by their name in the profile; those of characteristics
            are called ``Measured.`` and their name.
        measures: Characteristics that it measures.
        reject: Outcome of work of which plain bits say that it is not good.
        failure: Name of the failure that the bit ``Fault`` stands for, or empty.
        user: Name at its server, or None for none.
        password_file: File with the password, or None.
        place: Where the file says so.
    """

    device: str
    profile: str
    address: str
    node: str | None
    nodes: Mapping[str, str] = field(hash=False)
    reject: int
    failure: str
    user: str | None
    password_file: Path | None
    place: Place
    measures: tuple[str, ...] = ()

    def made(self, boot: int) -> Profile:
        """Return the profile of a machine with tags.

        Args:
            boot: A number above all that was given before, such as a time.
        """
        if self.profile == "packml":
            return PackTags(self.device, self.measures)
        return Bits(
            self.device,
            boot,
            reject=self.reject,
            failure=self.failure,
            measures=self.measures,
        )


@dataclass(frozen=True, slots=True)
class MachinesFile:
    """Where the machines of a line are.

    Attributes:
        at: Those of which the file says something, by device.
        others: Address of all others, or empty where they are played.
        user: Name at that address, or None.
        password_file: File with the password, or None.
    """

    at: Mapping[str, At]
    others: str
    user: str | None = None
    password_file: Path | None = None


def read_machines(
    path: str | os.PathLike[str],
    devices: Collection[str],
    failures: Collection[str],
    measures: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> MachinesFile:
    """Return what a file of machines says.

    Args:
        path: The file.
        devices: Devices of the line.
        failures: Failures of the line, each with its server.
        measures: Characteristics that each device measures; see `plant.measured_by`.

    Raises:
        ModelError: The file cannot be read or is wrong; it carries every finding.
    """
    root, findings = parse_file(path)
    findings = list(findings)
    if not isinstance(root.value, dict):
        msg = f"machines are a mapping of keys, found {describe(root.plain())}"
        raise ModelError([*findings, Finding("LW281", msg, "error", *root.place)])
    whole = read(_Whole, root, "the machines", findings)
    _check_version(root, findings)
    folder = Path(path).parent
    found: dict[str, At] = {}
    machines = section(root, "machines", findings)
    reader = _Reader(whole, folder, devices, failures, measures, findings)
    for device, node in (machines.value if machines else {}).items():  # type: ignore[union-attr]
        assert machines is not None
        if at := reader.machine(device, node, machines.keys[device]):
            found[device] = at
    if whole is not None:
        said = set(machines.value) if machines else set()  # type: ignore[arg-type]
        _check_others(root, whole, set(devices) - said, findings)
    if findings:
        raise ModelError(sorted(findings, key=lambda f: (f.file, f.line, f.column)))
    assert whole is not None
    others = whole.address if whole.others == "reached" else None
    return MachinesFile(
        found, others or "", whole.user, _password(whole.password_file, folder)
    )


def _check_version(root: Node, findings: list[Finding]) -> None:
    version = root.child("machines_version")
    if version is not None and version.plain() != MACHINES_VERSION:
        msg = (
            f"machines_version: found {describe(version.plain())}; this version of "
            f"Linewright reads {MACHINES_VERSION}"
        )
        findings.append(Finding("LW282", msg, "error", *version.place))


def _check_others(
    root: Node, whole: _Whole, others: set[str], findings: list[Finding]
) -> None:
    node = root.child("address")
    if whole.address and node and not _ADDRESS.fullmatch(whole.address):
        findings.append(_no_address(whole.address, node.place))
    if others and whole.others == "reached" and not whole.address:
        msg = (
            f"nobody says where {listed(sorted(others))} are; give an address, or "
            "others: played"
        )
        findings.append(Finding("LW283", msg, "error", *root.place))


def _no_address(text: str, place: Place) -> Finding:
    msg = f'address: found "{text}"; allowed is one such as opc.tcp://10.0.0.5:4840'
    return Finding("LW284", msg, "error", *place)


def _password(name: str | None, folder: Path) -> Path | None:
    return folder / name if name else None


@dataclass(slots=True)
class _Reader:
    """Reads what a file says of single machines."""

    whole: _Whole | None
    folder: Path
    devices: Collection[str]
    failures: Collection[str]
    measures: Mapping[str, Sequence[str]]
    findings: list[Finding]

    def machine(self, device: str, node: Node, place: Place) -> At | None:
        """Return where a machine is, or None where something is wrong with it."""
        n_before = len(self.findings)
        if device not in self.devices:
            self._note(
                "LW285",
                f'the line has no machine "{device}"; it has {_some(self.devices)}',
                place,
                did_you_mean(device, list(self.devices)),
            )
        form = read(_Machine, node, f'machine "{device}"', self.findings)
        if form is None:
            return None
        address = form.address or (self.whole.address if self.whole else None)
        if not address:
            self._note(
                "LW283", f'nobody says where "{device}" is; give an address', place
            )
        elif form.address and not _ADDRESS.fullmatch(form.address):
            self.findings.append(_no_address(form.address, _at(node, "address")))
        self._nodes(form, node)
        self._failure(device, form, node)
        self._measured(device, form, node)
        if len(self.findings) > n_before or address is None:
            return None
        return At(
            device=device,
            profile=form.profile,
            address=address,
            node=form.node,
            nodes=form.nodes
            | {f"Measured.{name}": at for name, at in form.measured.items()},
            measures=tuple(self.measures.get(device, ())),
            reject=_REJECTS[form.reject],
            failure=form.failure,
            user=form.user or (self.whole.user if self.whole else None),
            password_file=_password(
                form.password_file
                or (self.whole.password_file if self.whole else None),
                self.folder,
            ),
            place=place,
        )

    def _nodes(self, form: _Machine, node: Node) -> None:
        if form.node is not None and not _NODE.fullmatch(form.node):
            msg = f'node: found "{form.node}"; {_NODE_HELP}'
            self._note("LW286", msg, _at(node, "node"))
        below = node.child("nodes")
        if below is None or not form.nodes:
            return
        if form.profile == "job_control":
            msg = "nodes: a machine with job control has no tags; leave it out"
            self._note("LW286", msg, _at(node, "nodes"))
            return
        tags = PackTags("").tags if form.profile == "packml" else Bits("", 0).tags
        know_keys(below, list(tags), f"the tags of {form.profile}", self.findings)
        for name, text in form.nodes.items():
            if not _NODE.fullmatch(text):
                msg = f'{name}: found "{text}"; {_NODE_HELP}'
                self._note("LW286", msg, _at(below, name))

    def _measured(self, device: str, form: _Machine, node: Node) -> None:
        below = node.child("measured")
        if below is None or not form.measured:
            return
        if form.profile == "job_control":
            msg = (
                "measured: a machine with job control says what it has measured with "
                "its job response; leave it out"
            )
            self._note("LW286", msg, _at(node, "measured"))
            return
        known = self.measures.get(device, ())
        know_keys(below, list(known), f"what {device} measures", self.findings)
        for name, text in form.measured.items():
            if not _NODE.fullmatch(text):
                msg = f'{name}: found "{text}"; {_NODE_HELP}'
                self._note("LW286", msg, _at(below, name))

    def _failure(self, device: str, form: _Machine, node: Node) -> None:
        if not form.failure or f"{form.failure} at {device}" in self.failures:
            return
        own = [
            one.removesuffix(f" at {device}")
            for one in self.failures
            if one.endswith(f" at {device}")
        ]
        msg = f'failure: "{device}" has no failure "{form.failure}"'
        msg += f"; it has {listed(own)}" if own else "; it has none"
        hint = did_you_mean(form.failure, own)
        self._note("LW287", msg, _at(node, "failure"), hint)

    def _note(self, code: str, message: str, place: Place, hint: str = "") -> None:
        self.findings.append(Finding(code, message, "error", *place, help=hint))


def _at(node: Node, key: str) -> Place:
    child = node.child(key)
    return node.place if child is None else child.place


def _some(names: Collection[str]) -> str:
    few = sorted(names)[:12]
    more = len(names) - len(few)
    return listed(few) + (f" and {more} more" if more > 0 else "")
