"""The way to machines over OPC UA: job control of ISA-95, by one client of asyncua.

Notifications only wake: what counts is what is read. A call that fails is a message
without an answer. When the connection is lost, the client is thrown away, and the next
message makes a new one; a machine's list is read before anything else is believed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.uaerrors import UaError

from linewright.control.links import Message
from linewright.drivers import opcua_words as words
from linewright.drivers.opcua_server import is_loopback
from linewright.drivers.pki import Side
from linewright.drivers.running import NoAnswerError
from linewright.errors import MachineError

__all__ = ["OpcUaWay"]

_TIMEOUT_S = 3.0
_CONNECT_S = 30.0
_LIBRARY_S = 10.0  # of one request while everything is asked for at once
_TRIES, _BETWEEN_S = 3, 1.0
_PUBLISH_MS = 20.0


class _Place(NamedTuple):
    """Where a machine's things are."""

    made: Node
    receiver: Node
    read: list[Node]
    methods: dict[str, Node]
    has_guard: bool


class _AbsentError(MachineError):
    """Nobody answers, or not in time, so that trying again may help."""


class _Handler:
    """Wakes whoever waits for a machine."""

    def __init__(self, call: Callable[[str], None], devices: dict[Any, str]) -> None:
        self._call, self._devices = call, devices

    def datachange_notification(self, node: Node, _: Any, __: Any) -> None:
        """Take a hint that a machine has something new."""
        device = self._devices.get(node.nodeid)
        if device is not None:
            self._call(device)


class OpcUaWay:
    """A way to the machines of one server; see the module's head.

    Args:
        url: Where they are, as ``opc.tcp://127.0.0.1:4840``.
        side: Certificate of the controller, and whom it trusts; None for no security,
            on the loopback alone.

    Raises:
        MachineError: It is no such address, or is open to others without security.
    """

    def __init__(self, url: str, side: Side | None) -> None:
        self.url, self._side = url, side
        host = _host(url)
        if side is None and not is_loopback(host):
            msg = (
                f"without security only machines on this computer are reached, not "
                f"those at {host}; give certificates"
            )
            raise MachineError(msg)
        self._call: Callable[[str], None] = lambda _: None
        self._client: Client | None = None
        self._places: dict[str, _Place] = {}
        self._connecting = asyncio.Lock()
        self._guards: dict[str, bool] = {}
        self._has_types = False
        self.n_connections = 0

    async def open(self, call: Callable[[str], None]) -> None:
        """Connect, and find all machines.

        Raises:
            MachineError: They cannot be reached, or one side does not trust the other.
        """
        self._call = call
        for left in reversed(range(_TRIES)):
            try:
                await self._connected()
                return
            except _AbsentError:
                if not left:
                    raise
                await asyncio.sleep(_BETWEEN_S)

    def has_guard(self, device: str) -> bool:
        """Say whether units at a machine know what was done to them."""
        return self._guards.get(device, False)

    async def close(self) -> None:
        """Let go of all machines."""
        await self._throw_away()

    # ------------------------------------------------------------ connecting

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                client = Client(self.url, timeout=_LIBRARY_S)
                try:
                    await asyncio.wait_for(self._connect(client), _CONNECT_S)
                except BaseException as error:
                    with contextlib.suppress(Exception):
                        await asyncio.wait_for(client.disconnect(), _TIMEOUT_S)
                    if isinstance(error, TimeoutError | OSError | UaError):
                        raise _AbsentError(self._absent(error)) from error
                    raise
                self._client = client
                self.n_connections += 1
                for device in self._places:
                    self._call(device)
            return self._client

    async def _connect(self, client: Client) -> None:
        client.name = "Linewright controller"
        if self._side is not None:
            client.application_uri = self._side.uri
            await self._secure(client, self._side)
        try:
            await client.connect()
        except (UaError, ConnectionError, AssertionError) as error:
            raise MachineError(self._refused(error)) from error
        except (OSError, TimeoutError) as error:
            raise _AbsentError(self._absent(error)) from error
        if not self._has_types:  # they stay over a new client
            await client.load_data_type_definitions()
            self._has_types = True
        await self._find(client)

    async def _secure(self, client: Client, side: Side) -> None:
        """Speak with the machines' certificate, if it is one that is trusted."""
        try:
            endpoints = await client.connect_and_get_server_endpoints()
        except (OSError, TimeoutError) as error:
            raise _AbsentError(self._absent(error)) from error
        wanted = SecurityPolicyBasic256Sha256.URI
        mode = ua.MessageSecurityMode.SignAndEncrypt
        offered = [
            one.ServerCertificate
            for one in endpoints
            if one.SecurityMode == mode and one.SecurityPolicyUri == wanted
        ]
        if not offered:
            msg = (
                f"the machines at {self.url} offer no Basic256Sha256 with "
                "SignAndEncrypt"
            )
            raise MachineError(msg)
        if not side.trusts(offered[0]):
            msg = (
                f"the controller does not trust the machines at {self.url}: their "
                f"certificate has the thumbprint {_thumbprint(offered[0])}. If it is "
                "theirs, have it from them and say `linewright pki trust controller "
                "CERTIFICATE`"
            )
            raise MachineError(msg)
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            certificate=side.own.der,
            private_key=str(side.key),
            server_certificate=offered[0],
            mode=mode,
        )

    def _refused(self, error: BaseException) -> str:
        side = self._side
        own = f" (thumbprint {side.own.thumbprint})" if side else ""
        return (
            f"the machines at {self.url} refuse the controller: "
            f"{error or type(error).__name__}. Let them trust its certificate{own}: "
            "`linewright pki trust machines CERTIFICATE`"
        )

    def _absent(self, error: BaseException) -> str:
        return f"no machines answer at {self.url}: {error or type(error).__name__}"

    async def _find(self, client: Client) -> None:
        """Find every machine and what belongs to it."""
        try:
            ours = await client.get_namespace_index(words.NAMESPACE)
            jobs = await client.get_namespace_index(words.JOB_CONTROL)
            line = await client.nodes.objects.get_child(ua.QualifiedName("Line", ours))
        except (UaError, ValueError) as error:
            msg = f"{self.url} has no machines of a line that take job orders: {error}"
            raise MachineError(msg) from error
        places, changes = {}, {}
        for made in await line.get_children():
            device = (await made.read_browse_name()).Name
            places[device], change = await _place(made, ours, jobs)
            changes[change.nodeid] = device
        self._places = places
        self._guards = {device: place.has_guard for device, place in places.items()}
        handler = _Handler(self._call, changes)
        subscription = await client.create_subscription(_PUBLISH_MS, handler)
        nodes = [client.get_node(node) for node in changes]
        await subscription.subscribe_data_change(
            nodes, queuesize=1, sampling_interval=0.0
        )

    async def _throw_away(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.disconnect(), _TIMEOUT_S)

    # ------------------------------------------------------------ messages

    async def send(self, device: str, message: Message) -> Any:
        """Return what a machine answers to a message.

        Raises:
            NoAnswerError: None came, or it cannot be understood.
        """
        try:
            client = await self._connected()
        except (MachineError, OSError, TimeoutError, UaError) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from error
        place = self._places.get(device)
        if place is None:
            msg = f'{self.url} has no machine "{device}"'
            raise NoAnswerError(msg)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._ask(client, place, message)
        except ValueError as error:
            raise NoAnswerError(str(error)) from error
        except (OSError, TimeoutError, UaError) as error:
            if client is self._client:
                await self._throw_away()
            raise NoAnswerError(str(error) or type(error).__name__) from error

    async def _ask(self, client: Client, place: _Place, message: Message) -> Any:
        kind, body = message.kind, message.body
        if kind == "list":
            return words.listing_of(*await client.read_values(place.read))
        if kind == "put":
            return await self._put(place, message)
        number = ua.VariantType.UInt64
        if kind == "clear":
            await _call(
                place, "Clear", ua.Variant(body, ua.VariantType.String), _SILENT
            )
            return True
        boot = ua.Variant(message.boot, number)
        if kind == "clear_events":
            status = await _call(place, "ClearEvents", ua.Variant(body, number), boot)
            return _good(status, True)
        status, is_known, outcomes = await _call(
            place, "RequestUnitRecord", ua.Variant(body, ua.VariantType.String), boot
        )
        return _good(status, tuple(outcomes or ()) if is_known else None)

    async def _put(self, place: _Place, message: Message) -> Any:
        """Give a job order; one that was given before is updated."""
        command = message.body
        order = ua.Variant(words.job_order(command, message.epoch, message.boot))
        if command["version"] > 1:
            status = await _call(place, "Update", order, _SILENT)
            if status & words.UNKNOWN_JOB == 0 or "action" not in command:
                return words.reply_of(_as_old(status), message.boot)
        method = "StoreAndStart" if command["want"] == "run" else "Store"
        status = await _call(place, method, order, _SILENT)
        return words.reply_of(status, message.boot)


_SILENT = ua.Variant([], ua.VariantType.LocalizedText, is_array=True)


def _as_old(status: int) -> int:
    """Return the status of an update of a job that is gone as that of an old one."""
    return words.REFUSED | words.OLD if status & words.UNKNOWN_JOB else status


def _good(status: int, answer: Any) -> Any:
    if status != words.GOOD:
        msg = f"it returned status {status}"
        raise ValueError(msg)
    return answer


async def _call(place: _Place, method: str, *arguments: ua.Variant) -> Any:
    parent = place.receiver if method in _OF_RECEIVER else place.made
    return await parent.call_method(place.methods[method], *arguments)


_OF_RECEIVER = ("Store", "StoreAndStart", "Update", "Clear")
_OF_MACHINE = ("ClearEvents", "RequestUnitRecord")


async def _place(made: Node, ours: int, jobs: int) -> tuple[_Place, Node]:
    """Find what belongs to a machine, by the names of the standard and our own."""

    async def child(parent: Node, name: str, index: int) -> Node:
        return await parent.get_child(ua.QualifiedName(name, index))

    receiver = await child(made, "JobOrders", ours)
    provider = await child(made, "JobResponses", ours)
    boot, events, guard, changes = await asyncio.gather(
        *(child(made, n, ours) for n in ("Boot", "Events", "HasUnitRecord", "Changes"))
    )
    orders = await child(receiver, "JobOrderList", jobs)
    responses = await child(provider, "JobOrderResponseList", jobs)
    methods = {name: await child(receiver, name, jobs) for name in _OF_RECEIVER}
    methods |= {name: await child(made, name, ours) for name in _OF_MACHINE}
    read = [boot, orders, responses, events, boot]
    with contextlib.suppress(UaError):  # not every machine has a clock
        read.append(await child(made, "Clock", ours))
    place = _Place(made, receiver, read, methods, bool(await guard.read_value()))
    return place, changes


def _host(url: str) -> str:
    from urllib.parse import urlparse  # noqa: PLC0415 - rarely

    parts = urlparse(url)
    if parts.scheme != "opc.tcp" or not parts.hostname:
        msg = f'"{url}" is no address of machines, such as opc.tcp://127.0.0.1:4840'
        raise MachineError(msg)
    return parts.hostname


def _thumbprint(der: bytes) -> str:
    import hashlib  # noqa: PLC0415 - rarely

    return hashlib.sha256(der).hexdigest()
