"""A machine on another stack of OPC UA, node-opcua, in the line with all that fails.

Its program in `tests/foreign` is written from the manual and shares no code with ours.
It writes down itself what it has done, and that is held against the journal. Without
Node.js and `npm ci` in that folder these tests skip.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from linewright import tables as t
from linewright.control.controller import Controller
from linewright.control.jobs import device_of
from linewright.control.plant import Plant, devices_of
from linewright.control.records import Signal
from linewright.drivers.played import Played
from linewright.drivers.running import Runner
from linewright.errors import MachineError
from linewright.lower import lower
from linewright.model.load import loads
from tests.foreign import FOREIGN, HAS_NODE, NODE, sockets_left
from tests.memory_journal import MemoryJournal
from tests.test_drivers_running import HOUR, LINE, N_UNITS, routes

pytestmark = pytest.mark.skipif(not HAS_NODE, reason="node-opcua is not installed")
pytest.importorskip("asyncua")

from linewright.drivers import pki  # noqa: E402
from linewright.drivers.machines_file import read_machines  # noqa: E402
from linewright.drivers.routing import ways_of  # noqa: E402

SPEED = 20.0
NODESETS = files("linewright.drivers") / "nodesets"
MEASURED = """
      - station: weld
        characteristics: {seam: {unit: mm, nominal: 5, lower: 4, upper: 6, sd: 0.2}}
        inspection: {measures: [seam], rework: 1, rework_to: cut}
"""
WORK_MS = 150


PROGRAMS = {"packml": "machine.js", "job_control": "jobs.js"}


class Foreign:
    """The machine that welds, on node-opcua, in a process of its own."""

    def __init__(self, folder: Path, profile: str) -> None:
        self.folder, self.profile = folder, profile
        pki.init(folder / "pki")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.done = folder / "done.jsonl"
        self.file = folder / "machines.yaml"
        self.file.write_text(
            "machines_version: 1\nothers: played\nmachines:\n  weld:\n"
            f"    profile: {profile}\n    node: /Weld\n"
            f"    address: opc.tcp://127.0.0.1:{self.port}\n"
        )
        self.begin()
        pki.trust(folder / "pki", "controller", self.certificate())

    def begin(self) -> None:
        """Start the process, and wait for nothing."""
        options = {
            "port": self.port,
            "pki": str(self.folder / "node"),
            "trust": [str(self.folder / "pki" / "controller" / "own.pem")],
            "memory": str(self.folder / "memory.json"),
            "done": str(self.done),
            "work_ms": WORK_MS,
            "name": "Weld",
            "failure": "torch at weld",
            "device": "weld",
            "nodeset": str(NODESETS / "isa95-jobcontrol-2.0.0.xml"),
            "fails": 5,
        }
        with (self.folder / "said.txt").open("w") as file:
            assert NODE
            self.process = subprocess.Popen(
                [NODE, PROGRAMS[self.profile], json.dumps(options)],
                cwd=FOREIGN, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def certificate(self) -> Path:
        """Return its certificate, when it is ready."""
        for _ in range(900):
            said = (self.folder / "said.txt").read_text()
            lines = [one for one in said.splitlines() if one[:1] == "{"]
            if lines:
                return Path(json.loads(lines[0])["certificate"])
            assert self.process.poll() is None, said
            time.sleep(0.1)
        raise AssertionError(said)

    def kill(self, *, forget: bool = False) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if forget:
            (self.folder / "memory.json").unlink()

    def jobs_done(self) -> list[str]:
        """Return what it has done, as it wrote down itself."""
        return [f"weld#{number}" for number, *_ in self.rows()]

    def rows(self) -> list[list[Any]]:
        lines = self.done.read_text().splitlines() if self.done.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture
def foreign(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Foreign]:
    profile = getattr(request, "param", "packml")
    made = Foreign(tmp_path_factory.mktemp("foreign"), profile)
    yield made
    made.kill()


def test_a_machine_on_another_stack_is_held_to_its_nodes_and_certificate(
    foreign: Foreign, tmp_path: Path
) -> None:
    line = loads(LINE)
    devices = devices_of(lower(line, HOUR))
    wrong = tmp_path / "wrong.yaml"
    text = foreign.file.read_text()
    wrong.write_text(text + "    nodes: {Status.Boot: /Weld/Status/Event}\n")
    file = read_machines(wrong, devices, ["torch at weld"])

    async def knock(side: pki.Side) -> str:
        with pytest.raises(MachineError) as caught:
            await ways_of(file, side, 1, None).open(lambda _: None)
        return str(caught.value)

    side = pki.side(foreign.folder / "pki", "controller")
    why = asyncio.run(knock(side))
    assert "wrong.yaml:4:3" in why
    assert "Status.Boot is String and has to be UInt64" in why
    pki.init(tmp_path / "others")
    stranger = pki.side(tmp_path / "others", "controller")
    why = asyncio.run(knock(stranger._replace(trusted=side.trusted)))
    assert stranger.own.thumbprint in why


class Trouble:
    """Freezes the machine, kills it with its memory and without, one after another.

    Who looks at the units of a machine that has forgotten, says what was done to them.
    """

    def __init__(self, foreign: Foreign, what: str) -> None:
        self.foreign, self.asked, self._begun_s = foreign, set[str](), 0.0
        self._n_done = len(foreign.jobs_done())
        self.left: list[tuple[Callable[[], bool], Callable[[], None]]] = [
            (self._has_done_more, lambda: self._again(forget=what == "forgets"))
        ]
        if what != "remembers":
            self.left += [
                (self._has_done_more, lambda: self._send(signal.SIGSTOP)),
                (lambda: self._after(4.0), lambda: self._send(signal.SIGCONT)),
            ]

    def go_on(self, runner: Runner) -> None:
        self._begun_s = self._begun_s or time.monotonic()
        if self.left and self.left[0][0]():
            self.left.pop(0)[1]()
            self._begun_s = time.monotonic()
            self._n_done = len(self.foreign.jobs_done())
        done = set(self.foreign.jobs_done())
        for job in runner.doubtful():
            if has_it(self.foreign, job):
                continue
            self.asked.add(job)
            kind = "done" if job in done else "redo"
            runner.controller.tell(Signal(kind, job, outcomes=(0,) * (job in done)))

    def _after(self, seconds: float) -> bool:
        return time.monotonic() - self._begun_s > seconds

    def _has_done_more(self) -> bool:
        return len(self.foreign.jobs_done()) > self._n_done

    def _send(self, number: signal.Signals) -> None:
        self.foreign.process.send_signal(number)

    def _again(self, *, forget: bool) -> None:
        self.foreign.kill(forget=forget)
        self.foreign.begin()


def has_verdicts_by_its_values(journal: MemoryJournal, foreign: Foreign) -> None:
    """Hold values and verdicts of a machine that measures against what it wrote."""
    written = {
        one.body["job"]: (
            one.body["data"]["measured"][0]["values"]["seam"],
            one.body["outcomes"][0] & 3,
        )
        for one in journal.records
        if one.kind == "done" and device_of(one.body["job"])[0] == "weld"
    }
    assert written == {
        f"weld#{number}": (value, t.REWORK if value > 6 else t.PASS)
        for number, _, value in foreign.rows()
    }
    assert t.REWORK in {verdict for _, verdict in written.values()}


@pytest.mark.parametrize("foreign", ["packml", "job_control"], indirect=True)
@pytest.mark.parametrize(
    "what", ["forgets", pytest.param("remembers", marks=pytest.mark.soak)]
)
def test_with_a_machine_on_another_stack_nothing_is_lost_whatever_fails(
    foreign: Foreign, what: str
) -> None:
    measures = foreign.profile == "job_control"
    text = LINE.replace("      - weld\n", MEASURED) if measures else LINE
    line = loads(text.replace("every: 12 s", "every: 12 h"))
    lowered = lower(line, 24 * HOUR)
    journal, began_s = MemoryJournal(), time.monotonic()
    plant, trouble = Plant(line, lowered, 7), Trouble(foreign, what)

    def now_us() -> int:
        return int((time.monotonic() - began_s) * SPEED * 1e6)

    before = foreign.jobs_done()

    def stop(runner: Runner) -> None:
        if len(foreign.jobs_done()) > len(before):
            runner.stop()

    async def run_a_while(look: Callable[[Runner], None]) -> int:
        devices = devices_of(lowered)
        file = read_machines(foreign.file, devices, ["torch at weld"])
        side = pki.side(foreign.folder / "pki", "controller")
        played = Played(plant, now_us, SPEED)
        way = ways_of(file, side, time.monotonic_ns() // 1000, played)
        runner = Runner(Controller(lowered, journal), way, SPEED)
        asyncio.get_running_loop().call_later(200.0, runner.stop)
        progress = await runner.run(24 * HOUR, lambda _: look(runner))
        return progress.finished["frame"]

    asyncio.run(run_a_while(stop))  # the controller stops, and starts again
    with sockets_left():
        assert asyncio.run(run_a_while(trouble.go_on)) == N_UNITS
    assert trouble.left == []
    done = foreign.jobs_done()[len(before) :]
    assert len(done) == len(set(done)), "work was done twice"
    written = [
        one.body["job"]
        for one in journal.records
        if one.kind == "done" and device_of(one.body["job"])[0] == "weld"
    ]
    assert sorted(written) == sorted(done)
    kinds = [one.kind for one in journal.records]
    assert kinds.count("boot") == 2
    assert kinds.count("failure") > 0
    assert "refused" not in kinds
    if measures:
        has_verdicts_by_its_values(journal, foreign)
    for route in routes(plant).values():  # what the other machines did to each unit
        assert route[0] == "cut"
        assert route[-1] == "pack"


def has_it(foreign: Foreign, job: str) -> bool:
    """Say whether the machine has a job on it, as a person would see."""
    memory = foreign.folder / "memory.json"
    if not memory.exists():
        return False
    state = json.loads(memory.read_text())
    return bool(state["state"]) and f"weld#{state['sequence']}" == job
