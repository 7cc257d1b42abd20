"""Played machines take the times of the model; what is wrong with them shows.

Where all times are constant, a line on played machines in virtual time is the
simulation, event for event: their clocks of failures, stops of several, setups,
learning, deliveries and calendars are then those of the kernel.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewright.control.controller import Controller
from linewright.control.drawn import cannot_play
from linewright.control.faults import Fault
from linewright.control.plant import Plant
from linewright.control.records import Record
from linewright.control.watching import Expected, Overdue
from linewright.drivers.played import Played
from linewright.drivers.running import Runner
from linewright.lower import lower
from linewright.model.line import Line
from linewright.model.load import load, loads
from linewright.traces import trace_rows
from tests.memory_journal import MemoryJournal
from tests.virtual_plant import VirtualPlant, with_constant_times

HOUR = 3_600_000_000
DAY = 24 * HOUR
SECOND = 1_000_000
PLANT = Path(__file__).parents[1] / "examples" / "light-aircraft"


def what_happened(rows: Any) -> Counter[tuple[int, int, int, int]]:
    """Count what happened at each instant, whatever was first."""
    return Counter((row[0], row[1], row[2], row[3]) for row in rows)


def same_as_simulated(line: Line, until_us: int) -> VirtualPlant:
    lowered = lower(line, until_us)
    assert cannot_play(line, lowered) == []
    played = VirtualPlant(lowered, Plant(line, lowered, 7))
    played.run(until_us)
    records = played.journal.records
    found = what_happened([one.at_us, *row] for one in records for row in one.rows)
    rows = np.concatenate(list(trace_rows(lowered, 0, 0, until_us))).tolist()
    wanted = what_happened(rows)
    assert sorted((found - wanted) + (wanted - found)) == []
    assert not played.controller.core.alarms
    return played


def test_the_light_aircraft_plant_is_played_as_it_is_simulated(tmp_path: Path) -> None:
    """With one server a station, so that no two work in step, and nothing rejected."""
    text = with_constant_times((PLANT / "plant.yaml").read_text())
    for pattern, by in (
        (r"\bpass: 0\.\d+", "pass: 1"),
        (r"\b(scrap|rework|false_accept|false_reject|defect|share): 0\.\d+", r"\1: 0"),
        (r"servers: \d+", "servers: 1"),
        (r"every: [\d.]+ h", lambda found: quicker(found[0])),
    ):
        text = re.sub(pattern, by, text)
    (tmp_path / "orders.csv").write_text((PLANT / "orders.csv").read_text())
    (tmp_path / "plant.yaml").write_text(text)
    played = same_as_simulated(load(tmp_path / "plant.yaml"), 21 * DAY)
    kinds = Counter(one.command["action"] for one in played.plant.done)
    assert kinds.keys() == {"process", "setup", "load", "unload", "repair", "return"}
    done = {one.command["operation"] for one in played.plant.done}
    assert {"close wing", "post-cure wing"} <= done
    failed = {
        one.body["subject"].partition(" at ")[0]
        for one in played.journal.records
        if one.kind == "failure"
    }
    assert {"compressed_air", "heating", "vacuum_pump", "controller"} <= failed


def test_played_machines_learn_and_ramp_up_as_the_model_says() -> None:
    text = """
schema_version: 1
name: learned
stations:
  cut: {process: 5.0021 min, load: 20.3 s, unload: 31.7 s}
  fit: {ramp_up: {speed: [{at: 1 h, share: 0.5}, {at: 20 h, share: 1}]}, buffer: 3}
products:
  frame:
    release: always
    route:
      - station: cut
        learning: {rate: 0.8, done: 2, half_life: 2 h}
      - {station: fit, process: 4.013 min, learning: {rate: 0.9, curve: wright}}
"""
    played = same_as_simulated(loads(text), DAY)
    assert len(played.plant.done) > 500


@pytest.fixture(scope="module")
def troubled() -> Troubled:
    return Troubled()


class Troubled:
    """Five machines side by side, each with another fault for a while, in real time."""

    speed = 40.0
    begin_us, end_us, until_us = 8 * SECOND, 260 * SECOND, 420 * SECOND
    faults = ("dead", "wrong", "frozen", "clock", "disorder")

    def __init__(self) -> None:
        line = loads(self.model())
        lowered = lower(line, 24 * HOUR)
        lasts = self.end_us - self.begin_us
        faults = [Fault(kind, kind, self.begin_us, lasts) for kind in self.faults]
        began_s = time.monotonic()

        def now_us() -> int:
            return int((time.monotonic() - began_s) * self.speed * 1e6)

        self.journal = MemoryJournal()
        self.plant = Plant(line, lowered, 7, faults=faults, wall_us=wall_us)
        overdue = Overdue(Expected(line, lowered).longest_us, int(0.5e6 * self.speed))
        way = Played(self.plant, now_us, self.speed)
        controller = Controller(lowered, self.journal)
        runner = Runner(controller, way, self.speed, overdue=overdue)
        asyncio.run(runner.run(self.until_us))
        self.alarms = {
            kind: [a for a in controller.core.alarms.values() if a.subject == kind]
            for kind in self.faults
        }
        self.subjects = {alarm.subject for alarm in controller.core.alarms.values()}

    def model(self) -> str:
        jam = "{every: exponential(25 s), repair: 2 s, clock: calendar}"
        fails = f"failures: {{jam: {jam}, leak: {jam}}}"
        stations = "\n".join(
            f"  {k}: {{process: 4 s, {fails if k == 'disorder' else ''}}}"
            for k in self.faults
        )
        products = "\n".join(
            f"  of_{k}: {{release: {{kind: always, conwip: 1}}, route: [{k}]}}"
            for k in self.faults
        )
        head = "schema_version: 1\nname: troubled\n"
        return f"{head}stations:\n{stations}\nproducts:\n{products}\n"

    def of(self, device: str, kind: str = "done") -> list[Record]:
        """Return the records about a device's jobs, or about itself."""
        return [
            one
            for one in self.journal.records
            if one.kind == kind
            and device
            in {
                str(one.body.get("job", one.body.get("subject"))).rpartition("#")[0],
                one.body.get("source"),
            }
        ]

    def has_recovered(self, device: str) -> bool:
        """Say whether it worked again within ten seconds after its fault's end."""
        latest_us = self.end_us + 10 * SECOND * self.speed
        times = [one.at_us for one in self.of(device)]
        return sum(self.end_us < at_us < latest_us for at_us in times) > 3

    def during(self, device: str, after_us: int = 0) -> int:
        """Count the jobs of a device that ended, for the controller, in its fault."""
        first_us, last_us = self.begin_us + after_us, self.end_us - SECOND
        return sum(first_us < one.at_us < last_us for one in self.of(device))


def test_what_a_dead_sensor_does_not_see_is_waited_for_and_said(
    troubled: Troubled,
) -> None:
    # what had ended before it failed may still come
    assert troubled.during("dead", 4 * SECOND) == 0
    [alarm] = troubled.alarms["dead"]
    assert "look whether it is done" in alarm.text
    assert troubled.has_recovered("dead")


def test_a_result_that_cannot_be_is_refused_once_and_the_true_one_counts(
    troubled: Troubled,
) -> None:
    [refused] = troubled.of("wrong", "refused")
    assert refused.body["why"] == "7 is no outcome of an operation"
    job = refused.body["subject"]
    [true] = [one for one in troubled.of("wrong") if one.body["job"] == job]
    assert true.body["outcomes"] == [0]
    assert true.at_us > troubled.end_us - SECOND
    assert troubled.subjects >= {job}
    assert troubled.has_recovered("wrong")


def test_nothing_is_believed_of_a_machine_whose_values_stand_still(
    troubled: Troubled,
) -> None:
    assert troubled.during("frozen", 8 * SECOND) == 0
    texts = [one.text for one in troubled.alarms["frozen"]]
    assert any("stands still, and so does its clock" in text for text in texts)
    assert troubled.has_recovered("frozen")


def test_a_clock_that_jumps_is_said_and_decides_nothing(troubled: Troubled) -> None:
    n = troubled.during("clock")
    assert n > 25  # as many as without the fault, but for messages
    [alarm] = troubled.alarms["clock"]
    assert "its clock is 3600 s behind" in alarm.text
    assert not troubled.of("clock", "refused")


def test_events_out_of_their_order_are_written_in_order_and_once(
    troubled: Troubled,
) -> None:
    failures = troubled.of("disorder", "failure")
    numbers = [one.body["number"] for one in failures]
    assert len(numbers) > 5
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    repairs = [one for one in troubled.plant.done if one.command["action"] == "repair"]
    assert 0 <= len(numbers) - len(repairs) <= 1
    assert troubled.has_recovered("disorder")


def test_with_all_of_that_the_journal_has_what_was_done(troubled: Troubled) -> None:
    done = {one.job: one.outcomes or (0,) for one in troubled.plant.done}
    written = {
        one.body["job"]: tuple(one.body["outcomes"])
        for one in troubled.journal.records
        if one.kind == "done"
    }
    assert len(done) == len(troubled.plant.done)
    late = set(done) - set(written)  # done when the controller was stopped
    assert len(late) <= len(troubled.faults)
    assert written == {job: one for job, one in done.items() if job not in late}


def wall_us() -> int:
    return int(time.time() * 1e6)  # noqa: TID251 - the machines' clock


def quicker(text: str) -> str:
    """Let a failure come four times as often."""
    return f"every: {float(text.split()[1]) / 4:.9f} h"
