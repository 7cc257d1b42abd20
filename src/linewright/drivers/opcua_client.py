"""The way to machines over OPC UA: job control of ISA-95, by one client of asyncua.

Notifications only wake: what counts is what is read. A call that fails is a message
without an answer. When the connection is lost, the client is thrown away, and the next
message makes a new one; a machine's list is read before anything else is believed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua import uaerrors
from asyncua.ua.uaerrors import UaError

from linewright.control.links import Message
from linewright.drivers.opcua_places import Place, find_line
from linewright.drivers.opcua_server import is_loopback
from linewright.drivers.pki import Side
from linewright.drivers.running import NoAnswerError
from linewright.errors import MachineError

__all__ = ["Finder", "Login", "OpcUaWay"]

_TIMEOUT_S = 3.0
_CONNECT_S = 30.0
_LIBRARY_S = 10.0  # of one request while everything is asked for at once
_TRIES, _BETWEEN_S = 3, 1.0
_PUBLISH_MS = 20.0


_NEEDS_NAME = (uaerrors.BadIdentityTokenRejected, uaerrors.BadIdentityTokenInvalid)
_NOT_THIS_NAME = (*_NEEDS_NAME, uaerrors.BadUserAccessDenied)

Finder = Callable[[Client, str], Awaitable[dict[str, Place]]]


class Login(NamedTuple):
    """Name and password of the controller at a server."""

    name: str
    password: str


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
        finder: Finds the machines of the server; by default all of a line of ours.
        login: Name and password that the server asks for, if it does.

    Raises:
        MachineError: It is no such address, or is open to others without security.
    """

    def __init__(
        self,
        url: str,
        side: Side | None,
        *,
        finder: Finder = find_line,
        login: Login | None = None,
    ) -> None:
        self.url, self._side = url, side
        self._finder, self._login = finder, login
        host = _host(url)
        if side is None and not is_loopback(host):
            msg = (
                f"without security only machines on this computer are reached, not "
                f"those at {host}; give certificates"
            )
            raise MachineError(msg)
        self._call: Callable[[str], None] = lambda _: None
        self._client: Client | None = None
        self._places: dict[str, Place] = {}
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
                    async with asyncio.timeout(_CONNECT_S):
                        await self._connect(client)
                except BaseException as error:
                    await _leave(client)
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
        if self._login is not None:
            client.set_user(self._login.name)
            client.set_password(self._login.password)
        if self._side is not None:
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
        if self._login is not None and isinstance(error, _NOT_THIS_NAME):
            return (
                f"the machines at {self.url} refuse {self._login.name}, or the "
                f"controller's certificate{own}: the password is wrong or has expired, "
                "or the certificate is not trusted. Who runs them can see why, and "
                f"makes another password with `linewright pki user {self._login.name}`"
            )
        if self._login is None and isinstance(error, _NEEDS_NAME):
            return (
                f"the machines at {self.url} ask for a name; give --user and "
                "--password-file"
            )
        return (
            f"the machines at {self.url} refuse the controller: "
            f"{error or type(error).__name__}. Let them trust its certificate{own}: "
            "`linewright pki trust machines CERTIFICATE`"
        )

    def _absent(self, error: BaseException) -> str:
        return f"no machines answer at {self.url}: {error or type(error).__name__}"

    async def _find(self, client: Client) -> None:
        """Find every machine and what belongs to it."""
        self._places = places = await self._finder(client, self.url)
        self._guards = {device: place.has_guard for device, place in places.items()}
        changes = {
            node.nodeid: device
            for device, place in places.items()
            for node in place.wakes
        }
        handler = _Handler(self._call, changes)
        subscription = await client.create_subscription(_PUBLISH_MS, handler)
        nodes = [client.get_node(node) for node in changes]
        if nodes:
            await subscription.subscribe_data_change(
                nodes, queuesize=1, sampling_interval=0.0
            )

    async def _throw_away(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _leave(client)

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
                return await place.ask(client, message)
        except ValueError as error:
            raise NoAnswerError(str(error)) from error
        except (OSError, TimeoutError, UaError) as error:
            if client is self._client:
                await self._throw_away()
            raise NoAnswerError(str(error) or type(error).__name__) from error


async def _leave(client: Client) -> None:
    """Say goodbye to a server, and close the line also where nobody answers."""
    protocol = client.uaclient.protocol
    transport = None if protocol is None else protocol.transport
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_TIMEOUT_S):
            await client.disconnect()
    if transport is not None:
        transport.abort()  # what nobody has taken yet would keep it open
        await asyncio.sleep(0)  # in which it is closed


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
