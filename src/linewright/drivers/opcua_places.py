"""How the machines of one server of OPC UA are found, and asked by their profiles.

A place is a machine as an adapter sees it: it takes the messages of a link and returns
what the machine answers. There is one for machines with job lists and one for machines
with tags; what a machine with tags is told is the business of its profile.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from asyncua import Client, Node, ua
from asyncua.ua.uaerrors import UaError

from linewright.control.links import Message
from linewright.control.profiles import Profile, Tag, Values
from linewright.drivers import opcua_words as words
from linewright.errors import MachineError

__all__ = [
    "JobControlPlace",
    "Place",
    "TagPlace",
    "find_line",
    "node_at",
    "node_of_ours",
]

_TAKES_S, _BETWEEN_S = 1.0, 0.02  # until a control has looked at what was written


class Place(Protocol):
    """A machine at a server; see the module's head."""

    @property
    def has_guard(self) -> bool:
        """Say whether its units know what was done to them."""

    @property
    def wakes(self) -> Sequence[Node]:
        """Return the nodes whose change is worth a look at it."""

    async def ask(self, client: Client, message: Message) -> Any:
        """Return what it answers to a message.

        Raises:
            ValueError: It cannot be understood, or cannot take it.
            UaError: The call failed.
        """


class JobControlPlace:
    """A machine with the job lists of ISA-95, and our rules beyond; see `opcua_words`.

    Args:
        made: Its object.
        nodes: What belongs to it, by name.
        has_guard: Whether its units know what was done to them.
    """

    def __init__(self, made: Node, nodes: dict[str, Node], *, has_guard: bool) -> None:
        self.has_guard, self.wakes = has_guard, [nodes["Changes"]]
        self._made, self._nodes = made, nodes
        names = ["Boot", "JobOrderList", "JobOrderResponseList", "Events", "Boot"]
        if "Clock" in nodes:
            names.append("Clock")
        self._read = [nodes[name] for name in names]

    async def ask(self, client: Client, message: Message) -> Any:
        """Return what it answers; see `Place`."""
        kind, body = message.kind, message.body
        if kind == "list":
            return words.listing_of(*await client.read_values(self._read))
        if kind == "put":
            return await self._put(message)
        number = ua.VariantType.UInt64
        if kind == "clear":
            await self._call("Clear", ua.Variant(body, ua.VariantType.String), _SILENT)
            return True
        boot = ua.Variant(message.boot, number)
        if kind == "clear_events":
            status = await self._call("ClearEvents", ua.Variant(body, number), boot)
            return _good(status, True)
        status, is_known, *record = await self._call(
            "RequestUnitRecord", ua.Variant(body, ua.VariantType.String), boot
        )
        return _good(status, words.unit_record(*record) if is_known else None)

    async def _put(self, message: Message) -> Any:
        """Give a job order; one that was given before is updated."""
        command = message.body
        order = ua.Variant(words.job_order(command, message.epoch, message.boot))
        if command["version"] > 1:
            status = await self._call("Update", order, _SILENT)
            if status & words.UNKNOWN_JOB == 0 or "action" not in command:
                return words.reply_of(_as_old(status), message.boot)
        method = "StoreAndStart" if command["want"] == "run" else "Store"
        status = await self._call(method, order, _SILENT)
        return words.reply_of(status, message.boot)

    async def _call(self, method: str, *arguments: ua.Variant) -> Any:
        parent = self._nodes["JobOrders"] if method in _OF_RECEIVER else self._made
        return await parent.call_method(self._nodes[method], *arguments)

    @classmethod
    async def find(cls, client: Client, made: Node) -> JobControlPlace:
        """Find what belongs to a machine, by the names of the standard and our own.

        Raises:
            ValueError: Something is missing; all of it is named.
        """
        ours = await _index(client, words.NAMESPACE)
        jobs = await _index(client, words.JOB_CONTROL)
        paths = {
            name: f"/{ours}:{parent}/{jobs}:{name}" if parent else f"/{ours}:{name}"
            for name, parent in _NODES.items()
        }
        found = await client.translate_browsepaths(made.nodeid, paths.values())
        nodes, missing = {}, []
        for name, one in zip(paths, found, strict=True):
            if one.StatusCode.is_good() and one.Targets:
                target = one.Targets[0].TargetId
                nodes[name] = client.get_node(
                    ua.NodeId(target.Identifier, target.NamespaceIndex)
                )
            elif name != "Clock":  # not every machine has one
                missing.append(f"{_NODES[name]}.{name}".lstrip("."))
        if missing:
            raise ValueError(_missing(missing))
        guard = bool(await nodes["HasUnitRecord"].read_value())
        return cls(made, nodes, has_guard=guard)


_OF_RECEIVER = ("Store", "StoreAndStart", "Update", "Clear")
# each thing's name and what it belongs to: there its name is the standard's
_NODES = {
    "JobOrders": "",
    "JobResponses": "",
    "JobOrderList": "JobOrders",
    "JobOrderResponseList": "JobResponses",
    **dict.fromkeys(_OF_RECEIVER, "JobOrders"),
    "Boot": "",
    "Events": "",
    "HasUnitRecord": "",
    "Changes": "",
    "Clock": "",
    "ClearEvents": "",
    "RequestUnitRecord": "",
}
_SILENT = ua.Variant([], ua.VariantType.LocalizedText, is_array=True)


def _missing(names: Sequence[str]) -> str:
    return f"it has no {', '.join(names)}"


async def _index(client: Client, namespace: str) -> int:
    try:
        return int(await client.get_namespace_index(namespace))
    except ValueError:
        msg = f"its server does not know {namespace}"
        raise ValueError(msg) from None


def _as_old(status: int) -> int:
    """Return the status of an update of a job that is gone as that of an old one."""
    return words.REFUSED | words.OLD if status & words.UNKNOWN_JOB else status


def _good(status: int, answer: Any) -> Any:
    if status != words.GOOD:
        msg = f"it returned status {status}"
        raise ValueError(msg)
    return answer


class TagPlace:
    """A machine with tags.

    Args:
        profile: What is written to it, and how it is read.
        nodes: Its tags by name.
    """

    has_guard = False

    def __init__(self, profile: Profile, nodes: dict[str, Node]) -> None:
        self._profile, self._nodes = profile, nodes
        self.wakes = [node for name, node in nodes.items() if profile.tags[name].wakes]

    async def ask(self, client: Client, message: Message) -> Any:
        """Return what it answers; see `Place`."""
        before = await self._values(client)
        if message.kind == "list":
            return self._profile.listing(before)
        for written in self._profile.writes(message, before):
            await self._write(client, written)
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _TAKES_S
        while True:
            try:
                return self._profile.answer(message, await self._values(client))
            except ValueError:
                if loop.time() > end_s:
                    raise
                await asyncio.sleep(_BETWEEN_S)

    async def _values(self, client: Client) -> Values:
        nodes = list(self._nodes.values())
        read = await client.read_attributes(nodes, ua.AttributeIds.Value)
        found: Values = {}
        for (name, _), one in zip(self._nodes.items(), read, strict=True):
            value = one.Value.Value if one.Value is not None else None
            if not one.StatusCode.is_good():
                if not self._profile.tags[name].measures:
                    one.StatusCode.check()
                value = None  # a sensor that is out of order has no value
            is_time = isinstance(value, datetime)
            found[name] = words.clock_us_of(value) if is_time else value
        return found

    async def _write(self, client: Client, written: Values) -> None:
        there = {name: value for name, value in written.items() if name in self._nodes}
        values = [
            ua.DataValue(variant(self._profile.tags[name], value))
            for name, value in there.items()
        ]
        if not there:  # the machine does without
            return
        await client.write_values([self._nodes[name] for name in there], values)

    @classmethod
    async def find(
        cls, client: Client, profile: Profile, root: Node | None, at: Mapping[str, str]
    ) -> TagPlace:
        """Find the tags of a machine, each where it is said to be, or below `root`.

        Raises:
            ValueError: A tag is missing or of another kind; all of them are named.
        """
        nodes, missing, other = {}, [], []
        for name, tag in profile.tags.items():
            try:
                node = await _tag(
                    client, root, tag.path or name.split("."), at.get(name)
                )
                kind = await _kind(node)
            except (UaError, ValueError):
                if tag.is_needed or name in at:
                    missing.append(name)
                continue
            if not _fits(kind, tag):
                other.append(f"{name} is {kind.name} and has to be {tag.kind}")
            nodes[name] = node
        if missing or other:
            texts = ([_missing(missing)] if missing else []) + other
            raise ValueError("; ".join(texts))
        return cls(profile, nodes)


async def _tag(
    client: Client, root: Node | None, path: Sequence[str], at: str | None
) -> Node:
    if at is not None:
        return await node_at(client, at)
    if root is None:
        msg = "nobody says where it is"
        raise ValueError(msg)
    node = root
    for part in path:
        node = await _child(node, part)
    return node


async def _child(node: Node, name: str) -> Node:
    """Return what is called ``2:Weld`` below a node, or ``Weld`` in any namespace."""
    for one in await node.get_children_descriptions():
        found = one.BrowseName
        if name in {found.Name, f"{found.NamespaceIndex}:{found.Name}"}:
            return Node(node.session, one.NodeId)
    msg = f"there is no {name}"
    raise ValueError(msg)


async def node_at(client: Client, at: str) -> Node:
    """Return the node of an identity or of a path of names from Objects.

    Raises:
        ValueError: It is not there.
    """
    try:
        if at.startswith("/"):
            node = client.nodes.objects
            for name in at[1:].split("/"):
                node = await _child(node, name)
            return node
        node = client.get_node(at)
        await node.read_browse_name()
    except UaError as error:
        msg = f"there is no node {at}: {error}"
        raise ValueError(msg) from error
    return node


async def node_of_ours(client: Client, device: str) -> Node:
    """Return the object of a device where our own machines have theirs.

    Raises:
        ValueError: It is not there.
    """
    return await _child(await _child(client.nodes.objects, "Line"), device)


async def _kind(node: Node) -> Any:
    return await node.read_data_type_as_variant_type()


_NUMBERS = frozenset({"Float", "Double", "Byte", "SByte"}) | {
    f"{sign}Int{bits}" for sign in ("", "U") for bits in (16, 32, 64)
}


def _fits(kind: Any, tag: Tag) -> bool:
    """Say whether a type can hold a tag: any whole number may be larger or smaller."""
    wanted = tag.kind.removesuffix("[]")
    if tag.measures:
        return kind.name in _NUMBERS
    if "Int" in wanted:
        return "Int" in kind.name
    return bool(kind.name == wanted)


def variant(tag: Tag, value: Any) -> ua.Variant:
    """Return a value of a tag as OPC UA has it."""
    kind = getattr(ua.VariantType, tag.kind.removesuffix("[]"))
    if tag.kind == "DateTime":
        value = words.time_of_day(max(value, 0))
    if tag.measures and isinstance(value, list):
        value = [math.nan if one is None else float(one) for one in value]
        return ua.Variant(value, kind, is_array=True)
    return ua.Variant(value, kind, is_array=tag.kind.endswith("[]"))


async def find_line(
    client: Client, url: str, but: Collection[str] = ()
) -> dict[str, Place]:
    """Find all machines of a server of ours, by device, but for some.

    Raises:
        MachineError: It has none.
    """
    try:
        ours = await client.get_namespace_index(words.NAMESPACE)
        line = await client.nodes.objects.get_child(ua.QualifiedName("Line", ours))
    except (UaError, ValueError) as error:
        msg = f"{url} has no machines of a line that take job orders: {error}"
        raise MachineError(msg) from error
    places: dict[str, Place] = {}
    for made in await line.get_children():
        device = (await made.read_browse_name()).Name
        if device in but:
            continue
        try:
            places[device] = await JobControlPlace.find(client, made)
        except ValueError as error:
            msg = f"{device} at {url}: {error}; has it tags, say so in --machines FILE"
            raise MachineError(msg) from error
    return places
