"""A line over OPC UA, encrypted, its machines in a process that is killed and frozen.

What the machines themselves have written down is held against the journal. Nothing that
was refused may have come in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from linewright.control.controller import Controller
from linewright.control.core import Core
from linewright.control.jobs import device_of
from linewright.control.journal import SqliteJournal
from linewright.control.openings import journal_of
from linewright.control.plant import devices_of
from linewright.control.records import Signal
from linewright.errors import MachineError, PkiError
from linewright.lower import Lowered, lower
from linewright.model.load import load
from tests.foreign import FOREIGN, HAS_NODE, NODE, sockets_left
from tests.test_drivers_running import HOUR, LINE, N_UNITS, hold_against

asyncua = pytest.importorskip("asyncua")

from asyncua import Client, ua  # noqa: E402

from linewright.drivers import opcua_words as words  # noqa: E402
from linewright.drivers import pki  # noqa: E402
from linewright.drivers.machine_memory import read_done  # noqa: E402
from linewright.drivers.machines_file import read_machines  # noqa: E402
from linewright.drivers.opcua_client import Login, OpcUaWay  # noqa: E402
from linewright.drivers.opcua_places import Place  # noqa: E402
from linewright.drivers.routing import Routes, ways_of  # noqa: E402
from linewright.drivers.running import Runner  # noqa: E402
from linewright.drivers.users import add_user  # noqa: E402

SPEED = 10.0


class Machines:
    """The machines of a line in a process of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.model = folder, folder / "world.yaml"
        self.memory, self.pki = folder / "machines.jsonl", folder / "pki"
        self.model.write_text(LINE)
        pki.init(self.pki)
        self.login = Login("line", add_user(self.pki, "line", 30))
        self.file = folder / "machines.yaml"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        secret = folder / "line.password"
        secret.touch(0o600)
        secret.write_text(self.login.password)
        self.file.write_text(
            f"machines_version: 1\naddress: {self.url}\nuser: line\n"
            "password_file: line.password\nmachines:\n"
            "  weld: {profile: packml}\n  cut/2: {profile: bits}\n"
        )
        self.start()

    def start(self, *more: str) -> None:
        arguments = [sys.executable, "-m", "linewright", "emulate", str(self.model)]
        arguments += ["--port", str(self.port), "--speed", str(SPEED)]
        arguments += ["--memory", str(self.memory), "--pki", str(self.pki), *more]
        arguments += ["--profile", "weld=packml", "--profile", "cut/2=bits"]
        self.said = self.folder / "said.txt"
        with self.said.open("w") as file:
            self.process = subprocess.Popen(arguments, stderr=file, env=os.environ)
        for _ in range(600):
            if f"machines at {self.url}" in self.said.read_text():
                return
            assert self.process.poll() is None, self.said.read_text()
            time.sleep(0.1)
        raise AssertionError(self.said.read_text())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def side(self, name: str = "controller") -> pki.Side:
        return pki.side(self.pki, name)

    def way(self, lowered: Lowered) -> Routes:
        """Return the way to the machines as the file has them."""
        core = Core(lowered)
        file = read_machines(self.file, devices_of(lowered), list(core.failures))
        return ways_of(file, self.side(), time.monotonic_ns() // 1000, None)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    made = Machines(tmp_path_factory.mktemp("opcua"))
    yield made
    made.process.terminate()
    assert made.process.wait(10) == 0


async def nothing(_: Client, __: str) -> dict[str, Place]:
    """Find no machines: only the door is looked at."""
    return {}


async def refused(url: str, side: pki.Side | None, login: Login | None = None) -> str:
    """Return why a controller does not come in."""
    with pytest.raises(MachineError) as caught:
        await OpcUaWay(url, side, login=login).open(lambda _: None)
    return str(caught.value)


def test_a_name_comes_in_with_its_password_until_that_expires(
    machines: Machines,
) -> None:
    async def knock() -> None:
        side, login = machines.side(), machines.login
        assert "ask for a name" in await refused(machines.url, side)
        why = await refused(machines.url, side, login._replace(password="wrong"))
        assert "linewright pki user line" in why
        assert "the password is wrong" in machines.said.read_text()
        users = machines.pki / "machines" / "users.json"
        good = users.read_text()
        users.write_text(re.sub(r'"until": "\d+', '"until": "2001', good))
        assert "has expired" in await refused(machines.url, side, login)
        assert "the password of line has expired on 2001" in machines.said.read_text()
        users.write_text(good)
        way = OpcUaWay(machines.url, side, login=login, finder=nothing)
        await way.open(lambda _: None)
        await way.close()

    asyncio.run(knock())


def test_nobody_comes_in_who_is_not_trusted(machines: Machines, tmp_path: Path) -> None:
    pki.init(tmp_path / "others")
    stranger = pki.side(tmp_path / "others", "controller")

    async def knock() -> None:
        why = await refused(machines.url, stranger, machines.login)
        assert machines.side("machines").own.thumbprint in why
        knows_them = stranger._replace(trusted=machines.side().trusted)
        why = await refused(machines.url, knows_them, machines.login)
        assert stranger.own.thumbprint in why
        client = Client(machines.url)
        offered = await client.connect_and_get_server_endpoints()
        assert {
            (one.SecurityPolicyUri.rpartition("#")[2], one.SecurityMode.name)
            for one in offered
        } == {("Basic256Sha256", "SignAndEncrypt")}
        for user in ("", "admin"):  # asyncua's own server lets both in
            client = Client(machines.url)
            client.set_user(user)
            with pytest.raises((ua.UaError, OSError, AssertionError)):
                await client.connect()
            with contextlib.suppress(ua.UaError, OSError):
                await client.disconnect()

    asyncio.run(knock())


def test_who_is_trusted_commands_machines_and_changes_nothing_else(
    machines: Machines,
) -> None:
    async def try_it() -> None:
        side, login = machines.side(), machines.login
        way = OpcUaWay(machines.url, side, login=login, finder=nothing)
        await way.open(lambda _: None)
        client = way._client  # noqa: SLF001 - as somebody who speaks OPC UA would
        assert client
        ours = await client.get_namespace_index(words.NAMESPACE)
        jobs = await client.get_namespace_index(words.JOB_CONTROL)
        states = await client.get_namespace_index(words.PACKML)
        line = await client.nodes.objects.get_child(f"{ours}:Line")
        weld = await line.get_child(f"{ours}:test")
        boot = await weld.get_child(f"{ours}:Boot")
        with pytest.raises(ua.UaError):
            await boot.write_value(ua.Variant(1, ua.VariantType.UInt64))
        with pytest.raises(ua.UaError):
            await line.add_object(ours, "stowaway")
        names = ["PackML", "BaseStateMachine", "MachineState", "ExecuteState"]
        levels = [f"{ours}:PackML"] + [f"{states}:{name}" for name in names[1:]]
        state = await weld.get_child([*levels, "0:CurrentState"])
        assert (await state.read_value()).Text == "Idle"
        receiver = await weld.get_child(f"{ours}:JobOrders")
        bad = ua.Variant(ua.ISA95JobOrderDataType(JobOrderID="test#1"))
        none = ua.Variant([], ua.VariantType.LocalizedText, is_array=True)
        status = await receiver.call_method(f"{jobs}:StoreAndStart", bad, none)
        assert status == 1 << 32  # an invalid request
        await way.close()

    asyncio.run(try_it())


@pytest.mark.skipif(not HAS_NODE, reason="node-opcua is not installed")
def test_a_client_on_another_stack_has_a_machine_do_a_job(machines: Machines) -> None:
    """It takes the job once, keeps the result, and takes it never again."""
    controller = machines.pki / "controller"
    options = {
        "url": machines.url,
        "pki": str(machines.folder / "node"),
        "uri": machines.side().uri,
        "certificate": str(controller / "own.pem"),
        "key": str(controller / "own-key.pem"),
        "trust": str(machines.pki / "machines" / "own.pem"),
        "user": machines.login.name,
        "password": machines.login.password,
        "device": "way out",
        "job": "way out#1",
        "action": "move",
        "operation": "",
        "product": "frame",
    }
    said = subprocess.run(
        [NODE or "", "client.js", json.dumps(options)],
        cwd=FOREIGN, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout.splitlines()[-1]) == {
        "first": words.GOOD,
        "again": words.REFUSED | words.KNOWN,
        "ended": ["way out#1"],
        "clear": words.GOOD,
        "late": words.REFUSED | words.OLD,
    }


def test_without_security_machines_are_served_on_this_computer_alone() -> None:
    with pytest.raises(MachineError, match="certificates"):
        OpcUaWay("opc.tcp://192.0.2.1:4840", None)
    with pytest.raises(MachineError, match="no address"):
        OpcUaWay("http://127.0.0.1", None)


def test_a_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    pki.init(tmp_path / "pki")
    key = tmp_path / "pki" / "controller" / "own-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    with pytest.raises(PkiError, match="chmod 600"):
        pki.side(tmp_path / "pki", "controller")


def test_nothing_is_lost_or_done_twice_whoever_is_killed_or_frozen(
    machines: Machines,
) -> None:
    """Machines frozen, then killed; the controller stopped; the sessions cut.

    One of the machines has tags and a handshake, one plain bits, of which a person has
    to say what was done when they were out of sight.
    """
    line = load(machines.model)
    lowered = lower(line, 24 * HOUR)
    path = machines.folder / "world.journal"

    before = {one.job for one in read_done(machines.memory)}  # of other tests
    asked: set[str] = set()
    since_s: dict[str, float] = {}

    def decide(runner: Runner) -> None:
        """Say of jobs in doubt what was done, as a person would who looks.

        The machine with a memory says so itself, but of a job that never came to it.
        """
        done = {one.job: one.outcomes for one in read_done(machines.memory)}
        for job in runner.doubtful():
            now_s = time.monotonic()
            has_memory = device_of(job)[0] == "weld"
            if has_memory and now_s - since_s.setdefault(job, now_s) < 5:
                continue
            asked.add(job)
            outcomes = done.get(job)
            kind = "redo" if outcomes is None else "done"
            runner.controller.tell(Signal(kind, job, outcomes=outcomes or ()))

    async def run_a_while(
        stop_s: float, trouble: list[tuple[float, signal.Signals]]
    ) -> bool:
        journal = journal_of(path, line, lowered, 0)
        way = machines.way(lowered)
        runner = Runner(Controller(lowered, journal), way, SPEED)
        loop = asyncio.get_running_loop()
        is_begun = False

        def begun(_: object) -> None:
            nonlocal is_begun
            decide(runner)
            if not is_begun:
                is_begun = True
                loop.call_later(stop_s, runner.stop)
                for at_s, number in trouble:
                    loop.call_later(at_s, machines.process.send_signal, number)

        progress = await runner.run(24 * HOUR, begun)
        journal.close()
        return progress.finished == {"frame": N_UNITS}

    asyncio.run(run_a_while(2.5, []))
    frozen = [(0.5, signal.SIGSTOP), (5.5, signal.SIGCONT), (8.5, signal.SIGKILL)]
    with sockets_left():
        assert not asyncio.run(run_a_while(9.5, frozen))
    machines.process.wait()
    machines.start("--fault", "drop@60 s", "--fault", "restart:weld@50 s")
    assert asyncio.run(run_a_while(240.0, []))  # it ends when all is done
    journal = SqliteJournal(path)
    records = [stored.record for stored in journal.read()]
    journal.close()
    done = [one for one in read_done(machines.memory) if one.job not in before]
    assert sum(record.kind == "boot" for record in records) == 3
    assert sum(one.command["operation"] == "pack" for one in done) >= N_UNITS
    assert {device_of(job)[0] for job in asked} <= {"cut/2", "weld"}
    assert sum(device_of(job)[0] == "weld" for job in asked) <= 1
    hold_against(
        SimpleNamespace(records=records),  # type: ignore[arg-type]
        SimpleNamespace(done=done),  # type: ignore[arg-type]
    )
