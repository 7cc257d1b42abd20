"""Machines at several places: each message goes where its machine is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asyncua import Client, Node

from linewright.control.links import Message
from linewright.drivers.machines_file import At, MachinesFile
from linewright.drivers.opcua_client import Finder, Login, OpcUaWay
from linewright.drivers.opcua_places import (
    JobControlPlace,
    Place,
    TagPlace,
    find_line,
    node_at,
    node_of_ours,
)
from linewright.drivers.pki import Side
from linewright.drivers.running import NoAnswerError, Way
from linewright.drivers.users import read_secret
from linewright.errors import MachineError

__all__ = ["Routes", "ways_of"]


class Routes:
    """A way to machines at several places.

    Args:
        ways: The ways, each with its devices; the first that has a device has it.
        others: The way to all other devices, or None.
    """

    def __init__(self, ways: Mapping[Way, frozenset[str]], others: Way | None) -> None:
        self._ways, self._others = dict(ways), others
        self._of = {device: way for way, those in ways.items() for device in those}

    async def open(self, call: Callable[[str], None]) -> None:
        """Open all ways.

        Raises:
            MachineError: Some machines cannot be reached; all of them are named.
        """
        ways = self._all()
        found = await asyncio.gather(
            *(way.open(call) for way in ways), return_exceptions=True
        )
        wrong = [one for one in found if isinstance(one, BaseException)]
        if not wrong:
            return
        await self.close()
        for one in wrong:
            if not isinstance(one, MachineError):
                raise one
        raise MachineError("\n".join(str(one) for one in wrong))

    def _all(self) -> list[Way]:
        others = [self._others] if self._others else []
        return list(dict.fromkeys([*self._ways, *others]))

    def _way(self, device: str) -> Way | None:
        return self._of.get(device, self._others)

    def has_guard(self, device: str) -> bool:
        """Say whether it can tell of a unit what was done to it; see `Link`."""
        way = self._way(device)
        return way is not None and way.has_guard(device)

    async def send(self, device: str, message: Message) -> Any:
        """Return what a machine answers.

        Raises:
            NoAnswerError: None came, or it cannot be understood.
        """
        way = self._way(device)
        if way is None:
            msg = f'nobody says where "{device}" is'
            raise NoAnswerError(msg)
        return await way.send(device, message)

    async def close(self) -> None:
        """Let go of all machines."""
        for way in self._all():
            await way.close()


def ways_of(
    file: MachinesFile, side: Side | None, boot: int, played: Way | None
) -> Routes:
    """Return the way to the machines of a file.

    Args:
        file: Where the machines are.
        side: Certificate of the controller, and whom it trusts.
        boot: A number above all that was given before, such as a time.
        played: The way to those that are played, if there are any.

    Raises:
        MachineError: A password cannot be read, or an address is open to others.
    """
    groups: dict[tuple[str, str | None, Path | None], dict[str, At]] = {}
    for device, at in file.at.items():
        key = (at.address, at.user, at.password_file)
        groups.setdefault(key, {})[device] = at
    if file.others:
        groups.setdefault((file.others, file.user, file.password_file), {})
    ways: dict[Way, frozenset[str]] = {}
    others = played
    for (address, user, secret), those in groups.items():
        login = None
        if user is not None:
            login = Login(user, read_secret(secret) if secret else "")
        has_others = address == file.others and (user, secret) == (
            file.user,
            file.password_file,
        )
        finder = _finder(those, boot, has_others=has_others)
        way = OpcUaWay(address, side, finder=finder, login=login)
        ways[way] = frozenset(those)
        if has_others:
            others = way
    return Routes(ways, others)


async def _root(client: Client, at: At) -> Node:
    """Return the object of a machine."""
    if at.node is None:
        return await node_of_ours(client, at.device)
    return await node_at(client, at.node)


def _finder(those: Mapping[str, At], boot: int, *, has_others: bool) -> Finder:
    profiles = {
        device: at.made(boot)
        for device, at in those.items()
        if at.profile != "job_control"
    }

    async def find(client: Client, url: str) -> dict[str, Place]:
        places: dict[str, Place] = {}
        wrong = []
        for device, at in those.items():
            try:
                places[device] = await _place(client, at)
            except ValueError as error:
                where = f"{at.place[0]}:{at.place[1]}:{at.place[2]}"
                wrong.append(f'{where}: machine "{device}" at {url}: {error}')
        if wrong:
            raise MachineError("\n".join(wrong))
        if has_others:
            places = await find_line(client, url, set(those)) | places
        return places

    async def _place(client: Client, at: At) -> Place:
        if at.profile == "job_control":
            return await JobControlPlace.find(client, await _root(client, at))
        root = None
        if set(at.nodes) < set(profiles[at.device].tags):
            root = await _root(client, at)
        return await TagPlace.find(client, profiles[at.device], root, at.nodes)

    return find
