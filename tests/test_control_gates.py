"""Measured values decide, what cannot be true is refused, and gates hold the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.controller import Controller
from linewright.control.core import Core
from linewright.control.emulation import Emulation
from linewright.control.records import Signal
from linewright.lower import Lowered, lower
from linewright.model.load import loads
from tests.memory_journal import MemoryJournal

MODEL = """
schema_version: 1
name: bores
study: {horizon: 10 d, seed: 3}
materials:
  bar: {stock: 2, reorder_point: 1, lot: 30, lead_time: 1 min}
stations:
  bore: {process: 1 min}
  gauge: {process: 1 min}
products:
  ring:
    release: {kind: always}
    bom: {bar: {quantity: 1, bought: true}}
    route:
      - station: bore
        characteristics:
          size: {unit: mm, nominal: 8, lower: 7.9, upper: 8.1, sd: 0.03}
          burrs: {counted: true, mean: 0.3, upper: 1}
      - station: gauge
        inspection:
          measures: [size, burrs]
          rework: REWORK
          rework_to: bore
          gate: GATE
"""
GOOD = {"size": 8.01, "burrs": 0}
BAD = {"size": 8.2, "burrs": 0}


def line_of(gate: str = "{rejects: 3}", rework: str = "1") -> Lowered:
    line = loads(MODEL.replace("GATE", gate).replace("REWORK", rework))
    return lower(line, line.study.horizon)


class Shop:
    """A line whose work ends when a test says so."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered, self.journal = lowered, MemoryJournal()
        self.controller = Controller(lowered, self.journal)
        self.now_us = 0

    @property
    def core(self) -> Core:
        return self.controller.core

    def job(self, device: str) -> str:
        """Return the job of a device, after all others that it waits for."""
        for _ in range(20):
            for job in self.core.of_device.get(device, {}):
                return job
            for other in list(self.core.jobs):
                if not other.startswith("gauge"):
                    assert self.end(other) == ""
        raise AssertionError(device)

    def end(self, job: str, *outcomes: int, **data: Any) -> str:
        """Tell that a job has ended; return why that was refused, or nothing."""
        return self.tell(Signal("done", job, outcomes, data=data))

    def tell(self, signal: Signal) -> str:
        self.now_us += 1_000_000
        self.controller.tell(signal)
        [answer] = self.controller.step(self.now_us).answers
        return answer.why

    def gauge(self, values: Mapping[str, float]) -> None:
        assert self.end(self.job("gauge"), measured=[values]) == ""

    def verdicts(self) -> list[int]:
        return [
            row[5]
            for record in self.journal.records
            for row in record.rows
            if row[0] == t.T_VERDICT and self.operation(row[4]) == "gauge"
        ]

    def operation(self, step: int) -> str:
        return self.lowered.names.operations[step]

    def again(self) -> None:
        """Start the controller again: its journal has to lead to the same."""
        before = self.core.digest()
        core = Core(self.lowered)
        for record in self.journal.records:
            done = core.apply(type(record)(record.kind, record.at_us, record.body))
            assert (done.rows, done.commands) == (record.rows, record.commands)
        assert core.digest() == before


def test_the_verdict_follows_from_the_values() -> None:
    for rework, verdict in (("1", t.REWORK), ("0", t.SCRAP)):
        shop = Shop(line_of("{rejects: 9}", rework))
        for values in (GOOD, BAD, {"size": 8, "burrs": 2}):
            shop.gauge(values)
        assert shop.verdicts() == [t.PASS, verdict | t.BAD, verdict | t.BAD]
        shop.again()
    *_, last = (one for one in shop.journal.records if one.body.get("data"))
    assert last.body["data"]["measured"] == [
        {"unit": ["ring", 2], "operation": "gauge", "values": {"size": 8, "burrs": 2}}
    ]


WRONG = [
    ({}, (), "passed without values of size, burrs"),
    ({"measured": [{"size": 8.0}]}, (), "burrs is missing; it measures size, burrs"),
    ({"measured": [GOOD | {"sise": 1}]}, (), "sise is not measured there"),
    ({"measured": [GOOD | {"size": float("nan")}]}, (), "it is a number"),
    ({"measured": [GOOD | {"size": "8"}]}, (), "size is '8'; it is a number"),
    ({"measured": [GOOD | {"size": True}]}, (), "size is True; it is a number"),
    ({"measured": [GOOD | {"burrs": 0.5}]}, (), "it is a count"),
    ({"measured": [GOOD, GOOD]}, (), "it has 1 units; give values for each"),
    ({"measured": "8.0"}, (), "give values for each"),
    ({"measured": [8.0]}, (), "a mapping from names to numbers"),
    ({"measured": [BAD]}, (t.PASS,), "passed with size outside limits"),
]


@pytest.mark.parametrize(("data", "outcomes", "why"), WRONG)
def test_values_that_cannot_be_true_are_refused(
    data: dict[str, Any], outcomes: tuple[int, ...], why: str
) -> None:
    shop = Shop(line_of())
    job = shop.job("gauge")
    assert why in shop.end(job, *outcomes, **data)
    assert shop.core.alarms
    shop.gauge(GOOD)  # the job is still open
    shop.again()


def test_who_rejects_needs_no_values_and_others_measure_nothing() -> None:
    shop = Shop(line_of())
    assert shop.end(shop.job("gauge"), t.REWORK) == ""
    shop = Shop(line_of())
    assert "measures nothing" in shop.end(shop.job("bore"), measured=[GOOD])


DELIVERIES = [
    ({"lot": 7}, "lot is 7"),
    ({"supplier": "x" * 101}, "supplier is"),
    ({"lot": "B\n7"}, "lot is"),
    ({"quantity": 12}, "12 units came, and a delivery is of 30"),
]


@pytest.mark.parametrize(("data", "why"), DELIVERIES)
def test_deliveries_that_cannot_be_true_are_refused(
    data: dict[str, Any], why: str
) -> None:
    shop = Shop(line_of())
    shop.end(shop.job("bore"))
    job = shop.job("stock of bar")
    assert why in shop.end(job, **data)
    assert shop.end(job, lot="B-7", supplier="Nordstahl", quantity=30) == ""


def test_a_gate_holds_the_work_until_somebody_has_decided() -> None:
    shop = Shop(line_of())
    for values in (BAD, BAD, GOOD, BAD, BAD):
        shop.gauge(values)
    assert not shop.core.gates.closed
    waiting = shop.job("gauge")
    assert shop.end(waiting, measured=[BAD]) == ""
    assert shop.core.gates.closed == {
        "gauge of ring": "3 of the last 3 units are rejected"
    }
    [alarm] = shop.core.alarms.values()
    assert "release the gate" in alarm.text

    held = shop.job("gauge")
    assert shop.core.jobs[held].want == "hold"
    n = len(shop.verdicts())
    assert shop.end(held, measured=[GOOD]) == ""  # it had ended before it knew
    assert len(shop.verdicts()) == n
    assert shop.end(held, measured=[GOOD]) == ""
    assert "another result" in shop.end(held, measured=[BAD])
    bore = shop.job("bore")
    assert shop.end(bore) == ""  # what is not held goes on
    shop.again()

    gate = "gauge of ring"
    told = {"who": "Shift lead", "why": "new tool set"}
    for subject, data, why in (
        ("gauge of rings", told, 'did you mean "gauge of ring"'),
        (gate, {"who": "Shift lead"}, "why is None"),
        (gate, told | {"who": " "}, "who is"),
    ):
        assert why in shop.tell(Signal("release", subject, data=data))
    assert shop.tell(Signal("release", gate, data=told)) == ""
    assert not shop.core.gates.closed
    assert len(shop.verdicts()) == n + 1
    assert shop.journal.records[-1].body == {"gate": gate} | told
    assert "it is open" in shop.tell(Signal("release", gate, data=told))
    subjects = {alarm.subject for alarm in shop.core.alarms.values()}
    assert f"gate {gate}" not in subjects
    assert shop.core.jobs[shop.job("gauge")].want == "run"
    shop.again()

    while gate not in shop.core.gates.closed:
        shop.gauge(BAD)
    asks = (
        ("gauge of rung", "new tool", False),
        (gate, "", False),
        (gate, "new tool", True),
        (gate, "again", False),
    )
    for name, why, is_accepted in asks:
        data = {"gate": name}
        request = Request(f"{name} {why}", "gate release", "Anna", why, data)
        [outcome] = shop.controller.step(shop.now_us, [request]).outcomes
        assert outcome.is_accepted == is_accepted, outcome.text
    assert not shop.core.gates.closed
    shop.again()


def test_a_gate_closes_when_values_drift_inside_their_limits() -> None:
    shop = Shop(line_of("{signal: western_electric}"))
    for _ in range(7):
        shop.gauge({"size": 8.01, "burrs": 0})
        assert not shop.core.gates.closed
    shop.gauge({"size": 8.01, "burrs": 0})
    assert shop.core.gates.closed == {
        "gauge of ring": "size: eight in a row on one side"
    }
    snapshot, arrays = shop.core.saved()
    again = Core(shop.lowered)
    again.restore(snapshot, arrays)
    assert again.digest() == shop.core.digest()
    assert again.gates.held == shop.core.gates.held != frozenset()


def test_a_played_line_releases_by_itself_or_asks() -> None:
    lowered = line_of("{rejects: 1}")
    until_us = 8 * 3_600_000_000
    journal = MemoryJournal()
    played = Emulation(lowered, journal, 3)
    played.run(until_us)
    released = [one for one in journal.records if one.kind == "release"]
    assert len(released) > 3
    assert {one.body["who"] for one in released} == {"played"}

    asked = MemoryJournal()
    line = Emulation(lowered, asked, 3)
    line.asks = True
    n = 0
    while line.run(until_us) or line.controller.core.gates.closed:
        for gate in list(line.controller.core.gates.closed):
            data = {"who": "Quality", "why": "looked at"}
            line.controller.hear(Signal("release", gate, data=data), 0)
            n += 1
    assert n == len(released)
    rows = [[one.at_us, *row] for one in journal.records for row in one.rows]
    assert rows == [[one.at_us, *row] for one in asked.records for row in one.rows]
