"""What machines measure comes into the journal as they say it, over every profile."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.controller import Controller
from linewright.control.faults import Fault
from linewright.control.jobs import device_of
from linewright.control.links import LATE_US, Link
from linewright.control.machines import Listing, UnitRecord, by_name, plain
from linewright.control.plant import Plant, devices_of, measured_by
from linewright.drivers.played import Played
from linewright.drivers.running import Runner
from linewright.errors import ModelError
from linewright.lower import lower
from linewright.model.load import loads
from tests.memory_journal import MemoryJournal
from tests.test_control_conformance import Bench
from tests.test_control_gates import BAD, GOOD, MODEL, Shop, line_of
from tests.test_drivers_running import HOUR

pytest.importorskip("asyncua")

from asyncua import ua

from linewright.drivers import opcua_words as words
from linewright.drivers.machines_file import read_machines
from linewright.drivers.opcua_server import MachineServer
from linewright.drivers.routing import ways_of

N_UNITS, SPEED = 18, 20.0
LINE = f"""
schema_version: 1
name: rings
stations:
  bore: {{process: 1 s}}
  gauge: {{process: 3 s, servers: 3, buffer: 9}}
  pair: {{process: 1 s, buffer: 9, batch: {{min: 2, max: 2, longest_wait: 9 s}}}}
products:
  ring:
    release: {{kind: orders}}
    route:
      - station: bore
        characteristics:
          "the size": {{unit: mm, nominal: 8, lower: 7.95, upper: 8.05, sd: 0.05}}
          burrs: {{counted: true, mean: 0.3, upper: 1}}
      - station: gauge
        inspection: {{measures: ["the size", burrs], rework: 1, rework_to: bore}}
      - station: pair
        inspection: {{measures: [burrs], scrap: 1}}
orders:
  - {{product: ring, quantity: {N_UNITS}}}
"""


def measured_of(plant: Plant) -> dict[str, Any]:
    """Return what the machines themselves have written down, job by job."""
    return {one.job: one.measured for one in plant.done if one.measured is not None}


def hold_against(journal: MemoryJournal, plant: Plant) -> None:
    written, verdicts = {}, {}
    for record in journal.records:
        if record.kind == "done" and "measured" in record.body.get("data", {}):
            found = record.body["data"]["measured"]
            written[record.body["job"]] = [one["values"] for one in found]
            verdicts[record.body["job"]] = record.body["outcomes"]
            assert "shown" not in record.body["data"]
    assert written == measured_of(plant)
    for job, values in written.items():
        for of, outcome in zip(values, verdicts[job], strict=True):
            is_outside = abs(of.get("the size", 8) - 8) > 0.05 or of["burrs"] > 1
            assert is_outside == (outcome & 3 != t.PASS), job


_TROUBLES = {
    "gauge/1": ("blind",),
    "gauge/2": ("garbled",),
    "gauge/3": ("blind", "garbled"),
}


async def trouble(
    plant: Plant, journal: MemoryJournal, device: str, kinds: tuple[str, ...]
) -> None:
    """Let things go wrong at a gauge, one after another, each until it has shown."""
    machine = plant.machines[device]
    for kind in kinds:
        machine.set_fault(kind, 0)
        before = len(measured_of(plant))
        is_shown = False
        while not is_shown:
            await asyncio.sleep(0.02)
            if kind == "blind":
                done = list(measured_of(plant))[before:]
                is_shown = any(device_of(job)[0] == device for job in done)
            else:
                is_shown = any(
                    device_of(one.body["subject"])[0] == device
                    for one in journal.records
                    if one.kind == "refused"
                )
        await asyncio.sleep(0.3)
        machine.end_fault(kind)


def test_what_is_measured_comes_over_every_profile_whatever_is_wrong_with_it(
    tmp_path: Path,
) -> None:
    """Three gauges, by tags, by bits and by job lists; values late, and no numbers."""
    line, journal = loads(LINE), MemoryJournal()
    lowered = lower(line, HOUR)
    plant = Plant(
        line,
        lowered,
        5,
        wall_us=lambda: int(time.time() * 1e6),  # noqa: TID251 - the machines' clock
    )
    begun_s = time.monotonic()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path / "machines.yaml"
    file.write_text(
        f"machines_version: 1\naddress: opc.tcp://127.0.0.1:{port}\nmachines:\n"
        "  gauge/1: {profile: packml}\n  gauge/2: {profile: bits}\n"
    )

    def now_us() -> int:
        return int((time.monotonic() - begun_s) * SPEED * 1e6)

    async def run() -> None:
        nonlocal begun_s
        server = MachineServer(
            plant,
            now_us,
            SPEED,
            port=port,
            side=None,
            has_memory=True,
            profiles={"gauge/1": "packml", "gauge/2": "bits"},
        )
        await server.open()
        begun_s = time.monotonic()
        serving = asyncio.create_task(server.serve())
        machines = read_machines(file, devices_of(lowered), [], measured_by(lowered))
        runner = Runner(
            Controller(lowered, journal), ways_of(machines, None, 1, None), SPEED
        )
        asyncio.get_running_loop().call_later(60.0, runner.stop)
        async with asyncio.TaskGroup() as troubles:
            for device, kinds in _TROUBLES.items():
                troubles.create_task(trouble(plant, journal, device, kinds))
            await runner.run(HOUR)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await server.close()

    asyncio.run(run())
    hold_against(journal, plant)
    waited = [one for one in journal.records if one.kind == "done"]
    assert len(waited) == len({one.body["job"] for one in waited})
    done = {device_of(job)[0] for job in measured_of(plant)}
    assert done == {"gauge/1", "gauge/2", "gauge/3", "pair"}
    assert any(len(values) == 2 for values in measured_of(plant).values())
    refused = [one.body for one in journal.records if one.kind == "refused"]
    assert {device_of(one["subject"])[0] for one in refused} == {"gauge/2", "gauge/3"}
    assert all("it is a number" in one["why"] for one in refused)
    assert len({one["subject"] for one in refused}) == len(refused), "each told once"
    state = Controller(lowered, journal).core.state.products[0]
    assert state["finished"] + state["scrapped"] == N_UNITS


def test_a_machine_that_forgets_has_its_values_from_the_units() -> None:
    line, journal = loads(LINE), MemoryJournal()
    lowered = lower(line, HOUR)
    faults = [Fault("forget", "gauge/1", at * 1_000_000) for at in range(3, 60, 4)]
    plant, begun_s = Plant(line, lowered, 5, faults=faults), time.monotonic()

    def now_us() -> int:
        return int((time.monotonic() - begun_s) * SPEED * 1e6)

    async def run() -> None:
        way = Played(plant, now_us, SPEED)
        runner = Runner(Controller(lowered, journal), way, SPEED)
        asyncio.get_running_loop().call_later(30.0, runner.stop)
        await runner.run(HOUR)

    asyncio.run(run())
    hold_against(journal, plant)
    assert "refused" not in {one.kind for one in journal.records}


class Desk:
    """A gauge at a controller, whose list a test says."""

    def __init__(self) -> None:
        self.shop = Shop(line_of())
        self.job = self.shop.job("gauge")
        self.link = Link("gauge", 1, 1_000_000, has_guard=False)
        self.real_us = 0
        self.says({}, status="running")

    def says(
        self, values: Mapping[str, Any], *, status: str = "ended", tags: bool = False
    ) -> list[str]:
        """Read its list once; return why what it says is refused, or that it waits."""
        core = self.shop.core
        measured = {self.job: values} if values else {}
        jobs: dict[str, tuple[int, str, tuple[int, ...]]] = {}
        jobs[self.job] = (1, status, ())
        listing = Listing(7, jobs, (), -1, measured, has_tags=tags)
        self.link.wake()
        message = None
        while message is None or message.kind != "list":
            message = self.link.next_message((), 7, self.real_us)
            assert message
            if message.kind != "list":
                self.link.answered(message, True, {}, self.real_us)
        open_jobs = dict(core.of_device.get("gauge", {}))
        told = self.link.answered(message, listing, open_jobs, self.real_us)
        answers = []
        for signal in told:
            self.shop.now_us += 1_000_000
            self.shop.controller.tell(signal)
            answers += self.shop.controller.step(self.shop.now_us).answers
        for answer in answers:
            self.link.settled(answer)
        return [
            "waits" if one.waits else one.why or "taken"
            for one in answers
            if one.signal.kind == "done"
        ]


@pytest.mark.parametrize("tags", [False, True])
def test_values_that_come_late_count_and_those_that_never_come_are_a_persons_to_settle(
    tags: bool,
) -> None:
    desk = Desk()
    half = {"size": math.nan, "burrs": 0}
    for values in ({}, {"burrs": 0}, {k: plain(of) for k, of in half.items()}):
        assert desk.says(values, tags=tags) == ["waits"]
    assert not desk.shop.core.alarms
    assert desk.says(GOOD, tags=tags) == ["taken"]
    assert desk.shop.verdicts() == [t.PASS]
    desk.shop.again()

    desk.job = desk.shop.job("gauge")
    assert desk.says({"burrs": 0}, tags=tags) == ["waits"]
    desk.real_us += LATE_US
    [why] = desk.says({"burrs": 0}, tags=tags)
    assert "size is missing" in why
    [alarm] = desk.shop.core.alarms.values()
    assert desk.says({"burrs": 0}, tags=tags) == [], "the same is told once"
    before = desk.shop.now_us
    ask = Request("1", "job done", "Anna", "gauged by hand", {"job": desk.job})
    [outcome] = desk.shop.controller.step(before, [ask]).outcomes
    assert outcome.is_accepted, outcome.text
    assert desk.shop.verdicts() == [t.PASS] * 2
    assert desk.says(GOOD, tags=tags) == []  # it is known what became of it
    settle = Request("2", "alarm settled", "Anna", "mended", {"alarm": alarm.number})
    assert desk.shop.controller.step(before, [settle]).outcomes[0].is_accepted
    running = desk.shop.job("gauge")
    ask = Request("3", "job done", "Anna", "so it seems", {"job": running})
    [outcome] = desk.shop.controller.step(before, [ask]).outcomes
    assert "not in doubt" in outcome.text
    desk.shop.again()


WRONG = [
    ({"size": True, "burrs": 0}, "size is True; it is a number"),
    ({"size": "8.01", "burrs": 0}, "size is '8.01'; it is a number"),
    ({"size": math.inf, "burrs": 0}, "size is 'inf'; it is a number"),
    ({"size": date(2027, 1, 1), "burrs": 0}, "size is 'a date'; it is a number"),
    ({"size": b"\x08", "burrs": 0}, "size is 'a bytes'; it is a number"),
    ({"size": [8.0, 8.1], "burrs": 0}, "size has 2 values, and the job has 1 unit"),
    ({"size": 8.0, "burrs": 0.5}, "burrs is 0.5; it is a count"),
    ({"size": 8.0, "burrs": 0, "sise": 8}, "sise is not measured there"),
]


@pytest.mark.parametrize(("said", "why"), WRONG)
def test_what_is_no_value_is_told_at_once_and_a_right_one_counts_later(
    said: dict[str, Any], why: str
) -> None:
    desk = Desk()
    values = {name: plain(value) for name, value in said.items()}
    [found] = desk.says(values)
    assert why in found
    assert desk.says(values) == []
    if "sise" in said:  # tags show something whatever the job was
        assert Desk().says(values, tags=True) == ["taken"]
    assert desk.says(BAD) == ["taken"]
    assert desk.shop.verdicts() == [t.REWORK | t.BAD]
    desk.shop.again()


def test_values_travel_with_the_job_response_of_the_standard() -> None:
    """One value for each unit, in the order of the job's units; none is no number."""
    of_units = [{"size": 8.0, "burrs": 0.0}, {"burrs": 2.0}]
    sent = words.measured_parameters(by_name(of_units))
    assert {one.ID for one in sent} == {"size", "burrs"}
    found = words.unit_record([0, 1], sent)
    assert found == UnitRecord((0, 1), {"size": [8.0, "nan"], "burrs": [0.0, 2.0]})
    assert words.unit_record([0]) == UnitRecord((0,), {})  # of a machine without
    [one] = words.measured_parameters({"size": 8.0})
    assert one.Value.VariantType == ua.VariantType.Double
    assert one.Value.Value == 8.0


def test_the_file_of_machines_names_the_nodes_of_values(tmp_path: Path) -> None:
    lowered = lower(loads(LINE), HOUR)
    file = tmp_path / "machines.yaml"
    head = "machines_version: 1\naddress: opc.tcp://127.0.0.1:1\nmachines:\n"
    file.write_text(
        head + "  gauge/1: {profile: packml, measured: {sise: ns=2;s=Size}}\n"
        "  gauge/2: {profile: bits, measured: {burrs: Burrs}}\n"
        "  gauge/3: {measured: {burrs: ns=2;s=Burrs}}\n"
    )
    devices, measures = devices_of(lowered), measured_by(lowered)
    with pytest.raises(ModelError) as caught:
        read_machines(file, devices, [], measures)
    said = [str(finding) for finding in caught.value.findings]
    for part in (
        ':4:41: LW106 unknown key "sise"',
        ':5:46: LW286 burrs: found "Burrs"',
        ":6:",
        "says what it has measured with its job response",
    ):
        assert any(part in one for one in said), (part, said)
    file.write_text(head + "  gauge/1: {profile: packml, measured: {burrs: /B}}\n")
    at = read_machines(file, devices, [], measures).at["gauge/1"]
    assert at.measures == ("the size", "burrs")
    assert at.nodes == {"Measured.burrs": "/B"}
    assert at.made(1).tags["Measured.the size"].path == (
        "Status", "Measured", "the size",
    )  # fmt: skip


@pytest.mark.parametrize("profile", ["job_control", "packml", "bits"])
def test_the_checks_of_machines_find_one_that_does_not_say_what_it_measures(
    profile: str,
) -> None:
    name = "its result has a number for all that is measured"
    for fault, is_met in (("", True), ("blind", False), ("garbled", False)):
        bench = Bench(profile, model=MODEL.replace("GATE", "{rejects: 9}").replace(
            "REWORK", "1"), device="gauge", work=_WORK)  # fmt: skip
        if fault:
            bench.machine.set_fault(fault, 0)
        checked = {one.name: one for one in bench.checked()}
        assert checked[name].is_met == is_met
        others = [one for one in checked.values() if one.name != name]
        assert all(one.is_met for one in others), others


_WORK = {"action": "process", "operation": "gauge", "units": [["ring", 3]]}
