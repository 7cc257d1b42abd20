"""The machines of a line as a server of OPC UA, closed to whoever is not trusted.

Every device is an object with a job order receiver and a job response provider of
ISA-95; a server of a station is a PackML machine beside. What a client reads is made up
when it is read, so that list, start and events of a machine belong together. Writing is
refused everywhere: machines are told what to do by calls alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from asyncua import Node, Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.uacrypto import der_from_x509
from asyncua.server.internal_server import InternalServer

from linewright.control.links import Message
from linewright.control.machines import Reply
from linewright.control.plant import Plant, RestartedError
from linewright.control.played import Machine, Shown
from linewright.drivers import opcua_words as words
from linewright.drivers.opcua_fronts import ServedFront, front_of, profile_of
from linewright.drivers.pki import Side
from linewright.drivers.played import play
from linewright.drivers.users import Users
from linewright.errors import MachineError

__all__ = ["MachineServer", "is_loopback"]

_RECEIVER, _PROVIDER = 1002, 1003
_PACKML_MACHINE = 6
# states of PackML: name, and its number in the nodeset
_IDLE, _EXECUTE, _HELD = ("Idle", 28), ("Execute", 36), ("Held", 34)
_RUNNING, _CLEARED, _ABORTED = ("Running", 56), ("Cleared", 64), ("Aborted", 62)
_PRODUCE = 1

_log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Say whether an address is reached from this computer alone."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


class _Users:
    """Who may come in: whoever speaks with a trusted certificate, and nobody else.

    The certificate is that of the secure channel. asyncua checks the one that a client
    names when it makes a session, which may be none.
    """

    def __init__(self, side: Side | None, users: Users | None) -> None:
        self._side, self._users = side, users

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        """Return the user of a channel, or None to refuse it."""
        del iserver
        if self._side is None:
            return User(role=UserRole.User)
        if certificate is not None and not isinstance(certificate, bytes):
            certificate = der_from_x509(certificate)
        if not self._side.trusts(certificate):
            _log.warning("refused: %s", _unknown(certificate))
            return None
        if self._users is not None and self._users.are_asked_for:
            why = self._users.refusal(username, password)
            if why:
                _log.warning("refused: %s", why)
                return None
        return User(role=UserRole.User, name=username)


def _unknown(certificate: bytes | None) -> str:
    if not certificate:
        return "somebody came without a certificate"
    thumbprint = hashlib.sha256(certificate).hexdigest()
    return f"the certificate {thumbprint} is not trusted, or has expired"


class MachineServer:
    """A plant that is served; see the module's head.

    Args:
        plant: The plant.
        now_us: Its time.
        speed: Its seconds in a second.
        host: Address to listen at.
        port: Port to listen at.
        side: Certificate of the machines, and whom they trust; None for no security,
            which is served on the loopback alone.
        has_memory: Whether units keep what was done to them over a start of the plant.
        profiles: Profile of each device that has tags and no job list.
        users: Names that may come in, where names are asked for.

    Raises:
        MachineError: Without security it would be open to others.
    """

    def __init__(  # noqa: PLR0913
        self,
        plant: Plant,
        now_us: Callable[[], int],
        speed: float,
        *,
        host: str = "127.0.0.1",
        port: int = 4840,
        side: Side | None,
        has_memory: bool,
        profiles: Mapping[str, str] | None = None,
        users: Users | None = None,
    ) -> None:
        if side is None and not is_loopback(host):
            msg = (
                f"without security machines are served on this computer alone, not at "
                f"{host}; give certificates, or take 127.0.0.1"
            )
            raise MachineError(msg)
        self._plant, self._now_us, self._speed = plant, now_us, speed
        self._side, self._has_memory = side, has_memory
        self.url = f"opc.tcp://{host}:{port}/linewright/"
        self._came = asyncio.Event()
        self._changes: dict[str, ua.NodeId] = {}
        self._packml: dict[str, tuple[tuple[str, int], ...]] = {}
        self._dropped = 0
        self._told: dict[str, int] = {}
        self._profiles = dict(profiles or {})
        self._fronts: dict[str, ServedFront] = {}
        self._names = bool(side and users and users.are_asked_for)
        self._server = Server(user_manager=_Users(side, users))

    # ------------------------------------------------------------ making

    async def open(self) -> None:
        """Make the objects, and listen.

        Raises:
            MachineError: The port is taken.
        """
        server = self._server
        await server.init()
        server.set_endpoint(self.url)
        server.set_server_name("Linewright machines")
        server.allow_remote_admin(False)
        token = ua.UserNameIdentityToken if self._names else ua.AnonymousIdentityToken
        server.set_identity_tokens([token])
        await self._secure()
        for name in words.NODESETS:
            await server.import_xml(xmlstring=words.nodeset(name))
        await server.load_data_type_definitions()
        self._index = await server.register_namespace(words.NAMESPACE)
        self._jobs = await server.get_namespace_index(words.JOB_CONTROL)
        self._states = await server.get_namespace_index(words.PACKML)
        folder = await server.nodes.objects.add_folder(
            ua.NodeId("Line", self._index), ua.QualifiedName("Line", self._index)
        )
        for machine in self._plant.machines.values():
            await self._add(folder, machine)
        try:
            await server.start()
        except OSError as error:
            msg = f"{self.url} cannot be served: {error}"
            raise MachineError(msg) from error

    async def _secure(self) -> None:
        server = self._server
        if self._side is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
            return
        await server.set_application_uri(self._side.uri)
        server.set_security_policy(
            [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
        )
        await server.load_certificate(str(self._side.own.path))
        await server.load_private_key(str(self._side.key))

    def _id(self, *names: str) -> ua.NodeId:
        return ua.NodeId("|".join(names), self._index)

    async def _add(self, folder: Node, machine: Machine) -> None:
        """Add the object of a machine."""
        device = machine.device
        made = await folder.add_object(
            self._id(device), ua.QualifiedName(device, self._index)
        )
        if device in self._profiles:
            await self._add_front(made, device)
            return
        receiver = await self._of_type(made, "JobOrders", self._jobs, _RECEIVER)
        provider = await self._of_type(made, "JobResponses", self._jobs, _PROVIDER)
        await self._add_methods(machine, made, receiver, provider)
        await self._add_values(machine, made, receiver, provider)
        if device in self._plant.servers:
            await self._add_packml(made, device)

    async def _add_front(self, made: Node, device: str) -> None:
        """Add the tags of a machine that has no job list."""
        profile = self._profiles[device]
        front = front_of(profile, self._plant, device, self._now_us)
        tags = profile_of(profile, device, self._plant.measures.get(device, ())).tags
        served = ServedFront(self._server, front, tags, self._came.set)
        await served.add(made, self._index)
        self._fronts[device] = served

    async def _of_type(self, parent: Node, name: str, index: int, number: int) -> Node:
        return await parent.add_object(
            self._id(str(parent.nodeid.Identifier), name),
            ua.QualifiedName(name, self._index),
            objecttype=ua.NodeId(number, index),
            instantiate_optional=False,
        )

    async def _add_methods(
        self, machine: Machine, made: Node, receiver: Node, provider: Node
    ) -> None:
        order = [_argument("JobOrder", self._structure("ISA95JobOrderDataType"))]
        text = [_argument("JobOrderID", ua.NodeId(ua.ObjectIds.String))]
        comment = [_argument("Comment", ua.NodeId(ua.ObjectIds.LocalizedText), rank=1)]
        status = [_argument("ReturnStatus", ua.NodeId(ua.ObjectIds.UInt64))]
        number = [_argument("Number", ua.NodeId(ua.ObjectIds.UInt64))]
        boot = [_argument("Boot", ua.NodeId(ua.ObjectIds.UInt64))]
        known = [
            _argument("IsKnown", ua.NodeId(ua.ObjectIds.Boolean)),
            _argument("Outcomes", ua.NodeId(ua.ObjectIds.Int32), rank=1),
            _argument("Measured", self._structure("ISA95ParameterDataType"), rank=1),
        ]
        for name in ("Store", "StoreAndStart", "Update"):
            call = partial(self._put, machine, name)
            await self._method(receiver, name, call, order + comment, status)
        clear = partial(self._clear, machine)
        await self._method(receiver, "Clear", clear, text + comment, status)
        answer = partial(self._respond, machine)
        found = await provider.get_child(
            ua.QualifiedName("RequestJobResponseByJobOrderID", self._jobs)
        )
        self._server.link_method(found, _in_loop(answer))
        found = await provider.get_child(
            ua.QualifiedName("RequestJobResponseByJobOrderState", self._jobs)
        )
        self._server.link_method(
            found, _in_loop(partial(self._respond_by_state, machine))
        )
        events = partial(self._clear_events, machine)
        await self._method(made, "ClearEvents", events, number + boot, status)
        check = partial(self._check, machine)
        await self._method(
            made, "RequestUnitRecord", check, text + boot, status + known
        )

    def _structure(self, name: str) -> Any:
        return getattr(ua, name).data_type

    async def _method(
        self, parent: Node, name: str, call: Any, takes: list[Any], gives: list[Any]
    ) -> None:
        is_ours = parent.nodeid.Identifier.count("|") == 0
        index = self._index if is_ours else self._jobs
        at = self._id(str(parent.nodeid.Identifier), name)
        await parent.add_method(
            at, ua.QualifiedName(name, index), _in_loop(call), takes, gives
        )

    async def _add_values(
        self, machine: Machine, made: Node, receiver: Node, provider: Node
    ) -> None:
        """Add what is read of a machine; it is made up when it is read."""
        device, guard = machine.device, self._has_memory

        def shown() -> Shown:
            return self._plant.shown(device)

        await self._value(made, "Boot", ua.VariantType.UInt64, lambda: shown().boot)
        await self._value(
            made,
            "Clock",
            ua.VariantType.DateTime,
            lambda: words.time_of_day(shown().clock_us),
        )
        await self._value(made, "HasUnitRecord", ua.VariantType.Boolean, lambda: guard)
        await self._value(
            made,
            "Events",
            ua.VariantType.String,
            lambda: [" ".join(map(str, event)) for event in shown().events],
        )
        changes = await made.add_variable(
            self._id(device, "Changes"),
            ua.QualifiedName("Changes", self._index),
            ua.Variant(0, ua.VariantType.UInt32),
        )
        self._changes[device] = changes.nodeid
        structures = ua.VariantType.ExtensionObject
        listed = await receiver.get_child(ua.QualifiedName("JobOrderList", self._jobs))
        self._made_up(
            listed.nodeid,
            structures,
            lambda: [words.order_and_state(e) for e in shown().jobs.values()],
        )
        responses = await provider.add_variable(
            self._id(device, "JobResponses", "JobOrderResponseList"),
            ua.QualifiedName("JobOrderResponseList", self._jobs),
            ua.Variant([], structures, is_array=True),
            datatype=self._structure("ISA95JobResponseDataType"),
        )
        self._made_up(
            responses.nodeid,
            structures,
            lambda: [
                words.response(job, entry)
                for job, entry in shown().jobs.items()
                if entry.status == "ended"
            ],
        )

    async def _value(
        self, made: Node, name: str, kind: ua.VariantType, get: Callable[[], Any]
    ) -> None:
        value = get()
        variable = await made.add_variable(
            self._id(str(made.nodeid.Identifier), name),
            ua.QualifiedName(name, self._index),
            ua.Variant(value, kind, is_array=isinstance(value, list)),
        )
        self._made_up(variable.nodeid, kind, get)

    def _made_up(
        self, node: ua.NodeId, kind: ua.VariantType, get: Callable[[], Any]
    ) -> None:
        def read(*_: Any) -> ua.DataValue:
            value = get()
            return ua.DataValue(
                ua.Variant(value, kind, is_array=isinstance(value, list))
            )

        self._server.iserver.aspace.set_attribute_value_callback(
            node, ua.AttributeIds.Value, read
        )

    # ------------------------------------------------------------ PackML

    async def _add_packml(self, made: Node, device: str) -> None:
        unit = await self._of_type(made, "PackML", self._states, _PACKML_MACHINE)
        status = await unit.get_child(ua.QualifiedName("Status", self._states))
        for name, value in (
            ("UnitModeCurrent", _PRODUCE),
            ("UnitSupportedModes", None),
        ):
            if value is not None:
                node = await status.get_child(ua.QualifiedName(name, self._states))
                await node.write_value(ua.Variant(value, ua.VariantType.Int32))
        self._packml[device] = ()
        await self._show(device)

    async def _show(self, device: str) -> None:
        """Write the state of a machine, on all three levels, where it has changed."""
        machine = self._plant.machines[device]
        status = [entry.status for entry in self._plant.shown(device).jobs.values()]
        execute = _IDLE
        if "running" in status:
            execute = _EXECUTE
        elif "held" in status or machine.is_stuck:
            execute = _HELD
        base = _ABORTED if machine.is_down else _CLEARED
        levels = (base, _RUNNING, execute)
        if self._packml[device] == levels:
            return
        self._packml[device] = levels
        place = f"{device}|PackML.BaseStateMachine"
        for level, (name, number) in zip(
            ("", ".MachineState", ".MachineState.ExecuteState"), levels, strict=True
        ):
            at = ua.NodeId(f"{place}{level}.CurrentState", self._index)
            text = ua.Variant(ua.LocalizedText(name), ua.VariantType.LocalizedText)
            await self._server.write_attribute_value(at, ua.DataValue(text))
            at = ua.NodeId(f"{place}{level}.CurrentState.Id", self._index)
            state = ua.NodeId(number, self._states)
            value = ua.Variant(state, ua.VariantType.NodeId)
            await self._server.write_attribute_value(at, ua.DataValue(value))

    # ------------------------------------------------------------ calls

    def _ask(
        self, machine: Machine, kind: str, body: Any, epoch: int, boot: int
    ) -> Any:
        try:
            message = Message(kind, body, epoch, boot)
            return self._plant.answer(machine.device, message, self._now_us())
        finally:
            self._came.set()

    def _put(
        self, machine: Machine, method: str, _: Any, order: Any, __: Any = None
    ) -> list[Any]:
        """Take a job order: `Update` those that are known, the others all."""
        try:
            command, epoch, boot = words.command_of(order.Value)
            known = command["job"] in machine.jobs.jobs
            if method == "Update" and not known and boot == machine.jobs.boot:
                return _returned(words.REFUSED | words.UNKNOWN_JOB)
            if "action" not in command and not known:
                return _returned(words.REFUSED | words.UNKNOWN_JOB)
            reply: Reply = self._ask(machine, "put", command, epoch, boot)
        except (ValueError, AttributeError) as error:
            _log.warning("%s: %s", machine.device, error)
            return _returned(1 << 32)  # invalid request
        return _returned(words.status_of(reply))

    def _clear(self, machine: Machine, _: Any, job: Any, __: Any = None) -> list[Any]:
        if job.Value not in machine.jobs.jobs:
            return _returned(words.UNKNOWN_JOB)
        self._ask(machine, "clear", job.Value, 0, machine.jobs.boot)
        is_there = job.Value in machine.jobs.jobs
        return _returned(1 << 3 if is_there else words.GOOD)

    def _clear_events(
        self, machine: Machine, _: Any, number: Any, boot: Any
    ) -> list[Any]:
        with contextlib.suppress(RestartedError):
            self._ask(machine, "clear_events", number.Value, 0, boot.Value)
            return _returned(words.GOOD)
        return _returned(words.REFUSED | words.RESTARTED)

    def _check(self, machine: Machine, _: Any, job: Any, boot: Any) -> list[Any]:
        """Say what the unit itself knows of a job, where units know anything."""
        status, record = words.GOOD, None
        if not self._has_memory:
            status = words.REFUSED
        else:
            try:
                record = self._ask(machine, "check", job.Value, 0, boot.Value)
            except RestartedError:
                status = words.REFUSED | words.RESTARTED
        is_known = ua.Variant(record is not None, ua.VariantType.Boolean)
        outcomes, measured = record or ((), {})
        return [
            *_returned(status),
            is_known,
            ua.Variant(list(outcomes), ua.VariantType.Int32, is_array=True),
            ua.Variant(
                words.measured_parameters(measured),
                ua.VariantType.ExtensionObject,
                is_array=True,
            ),
        ]

    def _respond(self, machine: Machine, _: Any, job: Any) -> list[Any]:
        entry = self._plant.shown(machine.device).jobs.get(job.Value)
        if entry is None:
            empty = ua.ISA95JobResponseDataType(JobOrderID=job.Value)
            return [ua.Variant(empty), *_returned(words.UNKNOWN_JOB)]
        return [ua.Variant(words.response(job.Value, entry)), *_returned(words.GOOD)]

    def _respond_by_state(self, machine: Machine, _: Any, states: Any) -> list[Any]:
        numbers = {one.StateNumber for one in states.Value or ()}
        found = [
            words.response(job, entry)
            for job, entry in self._plant.shown(machine.device).jobs.items()
            if words.STATES[entry.status][0] in numbers
        ]
        kind = ua.VariantType.ExtensionObject
        return [ua.Variant(found, kind, is_array=True), *_returned(words.GOOD)]

    # ------------------------------------------------------------ running

    async def serve(self) -> None:
        """Let the plant go on until this is cancelled, and tell what has changed."""
        told: set[str] = set()
        fresh = asyncio.Event()

        def on_change(devices: set[str]) -> None:
            told.update(devices)
            fresh.set()

        async def tell() -> None:
            while True:
                await fresh.wait()
                fresh.clear()
                devices = sorted(told)
                told.clear()
                for device in devices:
                    await self._tell(device)
                self._drop()

        playing = play(self._plant, self._now_us, self._speed, on_change, self._came)
        async with asyncio.TaskGroup() as group:  # if one fails, so does the other
            group.create_task(playing)
            group.create_task(tell())

    async def _tell(self, device: str) -> None:
        count = self._plant.machines[device].changes
        if self._told.get(device) != count:  # every write wakes the clients
            self._told[device] = count
            if device in self._fronts:
                await self._fronts[device].tell()
                return
            value = ua.Variant(count, ua.VariantType.UInt32)
            await self._server.write_attribute_value(
                self._changes[device], ua.DataValue(value)
            )
        if device in self._packml:
            await self._show(device)

    def _drop(self) -> None:
        """Cut all sessions, where a fault asks for it."""
        if self._plant.dropped > self._dropped and self._server.bserver is not None:
            self._dropped = self._plant.dropped
            for client in list(self._server.bserver.clients):
                if client.transport is not None:
                    client.transport.abort()

    async def close(self) -> None:
        """Stop listening."""
        await self._server.stop()


def _in_loop(call: Callable[..., list[Any]]) -> Callable[..., Any]:
    """Return a call that runs where the plant does; asyncua gives others a thread."""

    async def called(*arguments: Any) -> list[Any]:
        return call(*arguments)

    return called


def _argument(name: str, kind: Any, rank: int = -1) -> Any:
    made = ua.Argument()
    made.Name, made.DataType, made.ValueRank = name, kind, rank
    made.ArrayDimensions = [0] if rank == 1 else []
    return made


def _returned(status: int) -> list[Any]:
    return [ua.Variant(status, ua.VariantType.UInt64)]
