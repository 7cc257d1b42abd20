"""Played machines that are served as tags, for those that a line has without job lists.

What is read is made up when it is read, all of it at one instant, so that a list is
never half of one state and half of the next. What is written is looked at at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from asyncua import Node, Server, ua

from linewright.control.fronts import BitsFront, Front, PackFront
from linewright.control.links import Message
from linewright.control.plant import Plant, RestartedError
from linewright.control.profiles import Bits, PackTags, Profile, Tag
from linewright.drivers.opcua_places import variant

__all__ = ["FRONTS", "ServedFront", "front_of", "profile_of"]

FRONTS: dict[str, type[Front]] = {"packml": PackFront, "bits": BitsFront}
_EMPTY: dict[str, Any] = {"String": "", "Boolean": False, "DateTime": 0}
_log = logging.getLogger(__name__)


def profile_of(profile: str, device: str, measures: Sequence[str]) -> Profile:
    """Return the profile of a device, with the tags that it has."""
    if profile == "packml":
        return PackTags(device, measures)
    return Bits(device, 0, measures=measures)


def front_of(
    profile: str, plant: Plant, device: str, now_us: Callable[[], int]
) -> Front:
    """Return a machine of a plant behind tags."""
    machine = plant.machines[device]

    def answer(message: Message) -> Any:
        try:
            return plant.answer(device, message, now_us())
        except RestartedError:
            return None

    return FRONTS[profile](
        device,
        answer,
        lambda: plant.shown(device),
        lambda: machine.jobs.highest.get(device, 0),
        lambda: machine.is_down,
        plant.measures.get(device, ()),
    )


class ServedFront:
    """A machine behind tags at a server; see the module's head.

    Args:
        server: The server.
        front: The machine.
        tags: Its tags.
        on_write: Told when something was written.
    """

    def __init__(
        self,
        server: Server,
        front: Front,
        tags: Mapping[str, Tag],
        on_write: Callable[[], None],
    ) -> None:
        self._server, self._front, self._on_write = server, front, on_write
        self._tags = tags
        self._changes: ua.NodeId | None = None
        self._n_told = 0

    async def add(self, made: Node, index: int) -> None:
        """Add the tags below the machine's object."""
        folders: dict[str, Node] = {}
        for name, tag in self._tags.items():
            *above, leaf = tag.path or name.split(".")
            parent, place = made, ""
            for folder in above:
                place = f"{place}.{folder}".lstrip(".")
                if place not in folders:
                    folders[place] = await parent.add_object(
                        _below(made, place, index), ua.QualifiedName(folder, index)
                    )
                parent = folders[place]
            empty = [] if tag.kind.endswith("[]") else _EMPTY.get(tag.kind, 0)
            node = await parent.add_variable(
                _below(made, name, index),
                ua.QualifiedName(leaf, index),
                variant(tag, empty),
            )
            await self._serve(node, name, tag)

    async def _serve(self, node: Node, name: str, tag: Tag) -> None:
        space, value = self._server.iserver.aspace, ua.AttributeIds.Value
        if name.endswith("Changes"):
            self._changes = node.nodeid
            return
        if tag.is_written:
            await node.set_writable()
        read = partial(self._read, name, tag)
        space.set_attribute_value_callback(node.nodeid, value, read)
        if tag.is_written:
            write = partial(self._written, name)
            space.set_attribute_value_setter(node.nodeid, value, write)

    def _read(self, name: str, tag: Tag, *_: Any) -> ua.DataValue:
        return ua.DataValue(variant(tag, self._front.values()[name]))

    def _written(self, name: str, _: Any, __: Any, value: ua.DataValue) -> None:
        try:
            self._front.write({name: value.Value.Value})
        except ValueError as error:  # as a control that shows what it cannot do
            _log.warning("%s was written: %s", name, error)
        self._on_write()

    async def tell(self) -> None:
        """Wake whoever waits for a change."""
        self._n_told += 1
        if self._changes is not None:
            count = ua.Variant(self._n_told, ua.VariantType.UInt32)
            await self._server.write_attribute_value(self._changes, ua.DataValue(count))


def _below(made: Node, name: str, index: int) -> ua.NodeId:
    return ua.NodeId(f"{made.nodeid.Identifier}|{name}", index)
