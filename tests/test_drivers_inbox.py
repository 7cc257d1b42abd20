"""Requests come from other processes, are done once, and have an answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from linewright.cli import main
from linewright.control.asking import Outcome, Request
from linewright.control.controller import Controller
from linewright.control.emulation import Emulation
from linewright.control.journal import SqliteJournal
from linewright.control.links import Message
from linewright.control.openings import journal_of, standing
from linewright.control.plant import Plant
from linewright.drivers.emulated import run_emulated
from linewright.drivers.inbox import Inbox, hand_in, inbox_of, outcomes_of, put_aside
from linewright.drivers.played import Played
from linewright.drivers.running import NoAnswerError, Runner
from linewright.errors import JournalError
from linewright.lower import lower
from linewright.model.load import loads
from tests.asking_people import NASTY

HOUR_US = 3_600_000_000
MINUTE_US = HOUR_US // 60
LINE = """
schema_version: 1
name: small
time_zone: Europe/Berlin
start: 2027-03-01 06:00
study: {horizon: 2 weeks}
stations:
  cut: {process: 10 min}
  weld: {process: 10 min, buffer: 5}
products:
  frame: {release: {kind: orders, conwip: 2}, route: [cut, weld]}
orders:
  - {id: first, product: frame, quantity: 3}
"""


def request(key: str, what: str = "order", **data: Any) -> Request:
    found = data or {"product": "frame", "quantity": 2, "name": key}
    return Request(key, what, NASTY, "", found)


def begun(folder: Path) -> tuple[Emulation, SqliteJournal]:
    line = loads(LINE)
    lowered = lower(line, 40 * HOUR_US)
    journal = journal_of(folder / "a.journal", line, lowered, 1)
    return Emulation(lowered, journal, 1), journal


def test_what_was_handed_in_is_done_once_and_has_an_answer(tmp_path: Path) -> None:
    line, journal = begun(tmp_path)
    for _ in range(2):
        hand_in(journal.path, [request("a"), request("b", "hold", stations=["wald"])])
    with pytest.raises(JournalError, match="another request with the key"):
        hand_in(journal.path, [request("c"), request("a", product="frame", quantity=9)])
    assert outcomes_of(journal.path, ["a", "c"]) == [None, None]
    inbox = Inbox(journal.path)
    run_emulated(line, 5 * HOUR_US, None, inbox=inbox)
    done, refused, unknown = outcomes_of(journal.path, ["a", "b", "c"])
    assert done == Outcome("a", is_accepted=True, text="order a of 2 frame is in")
    assert refused
    assert not refused.is_accepted
    assert 'did you mean "weld"' in refused.text
    assert unknown is None
    assert inbox.waiting() == []
    row = line.controller.core.state.orders[1]
    assert int(row["done"]) == 2
    inbox.close()
    journal.close()


def test_killed_before_the_answer_it_is_not_done_again(tmp_path: Path) -> None:
    line, journal = begun(tmp_path)
    inbox = Inbox(journal.path)
    hand_in(journal.path, [request("a")])
    [asked] = inbox.waiting()
    line.ask(asked, 0)
    line.controller.flush()  # written, and killed before the answer
    journal.close()
    inbox.close()
    line, journal = begun(tmp_path)
    inbox = Inbox(journal.path)
    run_emulated(line, HOUR_US, None, inbox=inbox)
    [answer] = outcomes_of(journal.path, ["a"])
    assert answer
    assert answer.is_accepted
    assert len(line.controller.core.state.orders) == 2
    inbox.close()
    journal.close()


def test_an_inbox_that_is_broken_or_locked_stops_no_line(tmp_path: Path) -> None:
    line, journal = begun(tmp_path)
    path = inbox_of(journal.path)
    path.write_bytes(b"no inbox at all" * 100)
    inbox = Inbox(journal.path)
    assert "no inbox" in inbox.trouble
    assert run_emulated(line, HOUR_US, None, inbox=inbox).finished == {"frame": 3}
    with pytest.raises(JournalError, match="no inbox"):
        hand_in(journal.path, [request("a")])
    put_aside(journal.path)
    hand_in(journal.path, [request("a")])
    db = sqlite3.connect(path, isolation_level=None)
    bodies = ["{", "[" * 10_000, '{"what": NaN}', '{"what": "hold"}', "7", '"\\ud800"']
    for body in bodies:
        db.execute("INSERT INTO requests (key, body) VALUES (?, ?)", (body[:99], body))
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO requests (key, body) VALUES ('x', ?)", ("x" * 20_001,))
    db.execute("BEGIN IMMEDIATE")  # somebody writes and writes
    asked = inbox.waiting()
    assert [one.what for one in asked[1:]] == ["something that cannot be read"] * 6
    outcomes = [line.ask(one, 2 * HOUR_US) for one in asked]
    line.controller.flush()
    inbox.answer(outcomes)
    assert "locked" in inbox.trouble
    db.execute("ROLLBACK")
    assert {one.key for one in inbox.waiting()} <= {one.key for one in asked}
    assert inbox.trouble == ""
    [found, *others] = outcomes_of(journal.path, [one.key for one in asked])
    assert found
    assert found.is_accepted
    assert not any(one is None or one.is_accepted for one in others)
    db.close()
    inbox.close()
    journal.close()


class Lossy(Played):
    """A way on which some machines are lost for a while."""

    lost: frozenset[str] = frozenset()

    async def send(self, device: str, message: Message) -> Any:
        if device in self.lost:
            msg = "no route to it"
            raise NoAnswerError(msg)
        return await super().send(device, message)


def test_a_line_on_machines_hears_people_and_waits_for_them(tmp_path: Path) -> None:
    """A hold, a lost machine, and an order that comes when all are done."""
    line = loads(LINE)
    lowered = lower(line, 40 * HOUR_US)
    journal = journal_of(tmp_path / "a.journal", line, lowered, 1)
    inbox, speed = Inbox(journal.path), 3_000.0
    plant = Plant(line, lowered, 1, boot=1, memory=None, done=(), keep=None)
    begun_s = time.monotonic()

    def now_us() -> int:
        return int((time.monotonic() - begun_s) * speed * 1e6)

    async def run() -> None:
        controller = Controller(lowered, journal)
        way = Lossy(plant, now_us, speed)
        runner = Runner(controller, way, speed, inbox=inbox, stays=True)
        going = asyncio.create_task(runner.run(24 * 7 * HOUR_US))
        hand_in(journal.path, [request("h", "hold", stations=["cut"], is_now=True)])
        await answered("h")
        await asyncio.sleep(0.3)
        assert controller.core.state.servers["running"][0] == 0
        hand_in(journal.path, [request("r", "resume", stations=[]), request("a")])
        await answered("r")
        way.lost = frozenset({"weld"})
        while "weld" not in runner.wrong:
            await asyncio.sleep(0.05)
        n_done = len(plant.done)
        await asyncio.sleep(0.5)  # the others have gone on as far as they can
        assert len(plant.done) == n_done
        assert int(controller.core.state.products["finished"][0]) <= 1
        way.lost = frozenset()
        while int(controller.core.state.products["finished"][0]) < 5:
            await asyncio.sleep(0.05)
        hand_in(journal.path, [request("late")])
        await answered("late")
        while int(controller.core.state.products["finished"][0]) < 7:
            await asyncio.sleep(0.05)
        runner.stop()
        await going
        assert not controller.core.alarms

    async def answered(key: str) -> None:
        while outcomes_of(journal.path, [key]) == [None]:
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(run(), 60))
    jobs = [one.job for one in plant.done]
    assert len(jobs) == len(set(jobs)), "work was done twice"
    inbox.close()
    journal.close()


# ------------------------------------------------------------------ the command


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("line.yaml").write_text(LINE)
    run = ["run", "line.yaml", "--emulate", "--journal", "a.journal", "--quiet"]
    assert main([*run, "--until", "5 min"]) == 0
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """Return the exit code of a command, and all that it said."""
    capsys.readouterr()
    code = main(list(args))
    said = capsys.readouterr()
    return code, said.out + said.err


ORDERS = """id,product,quantity,release,due,priority
A1,frame,2,2027-03-01 08:00,2027-03-02,5
"A2, <b>; DROP",frame,1,,,
"""
SCHEDULE = """<?xml version="1.0"?>
<OperationsSchedule xmlns="http://www.mesa.org/xml/B2MML"><ID>S</ID>
<OperationsRequest><ID>R1</ID><EndTime>2027-03-02T06:00:00+01:00</EndTime>
<Priority>7</Priority><SegmentRequirement><ID>1</ID>
<EarliestStartTime>2027-03-01T06:30:00Z</EarliestStartTime>
<MaterialRequirement><ID>in</ID><MaterialDefinitionID>tube</MaterialDefinitionID>
<MaterialUse>Consumed</MaterialUse></MaterialRequirement>
<MaterialRequirement><ID>out</ID><MaterialDefinitionID>frame</MaterialDefinitionID>
<MaterialUse>Produced</MaterialUse><Quantity><QuantityString>4.0</QuantityString>
<UnitOfMeasure>EA</UnitOfMeasure></Quantity></MaterialRequirement>
</SegmentRequirement></OperationsRequest></OperationsSchedule>
"""


def test_orders_come_from_the_command_from_csv_and_from_b2mml(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("orders.csv").write_text(ORDERS)
    Path("schedule.xml").write_text(SCHEDULE)
    add = ("order", "a.journal", "add", "--wait", "0", "--by", "Anna")
    code, said = asked(capsys, *add, "--product", "frame", "--due", "2027-03-03 06:00")
    assert code == 0
    assert "it lies in the inbox" in said
    assert asked(capsys, *add, "--file", "orders.csv")[0] == 0
    assert asked(capsys, *add, "--file", "schedule.xml", "--hold")[0] == 0
    for _ in range(2):
        stop = ("hold", "a.journal", "weld", "--reason", NASTY, "--key", "k")
        assert asked(capsys, *stop, "--wait", "0")[0] == 0
    run = ["run", "line.yaml", "--emulate", "--journal", "a.journal", "--quiet"]
    assert main([*run, "--until", "20 min"]) == 0
    code, said = asked(capsys, "order", "a.journal", "list", "--json")
    rows = {row["order"]: row for row in json.loads(said)["orders"]}
    assert list(rows) == ["first", "2", "A1", "A2, <b>; DROP", "R1"]
    assert rows["A1"] | {"quantity": 2, "priority": 5, "state": "to come"} == rows["A1"]
    assert rows["A1"]["release_us"] == 2 * HOUR_US
    assert rows["R1"] | {"quantity": 4, "priority": 7, "state": "held"} == rows["R1"]
    assert rows["R1"]["release_us"] == HOUR_US + HOUR_US // 2
    assert rows["R1"]["due_us"] == 24 * HOUR_US
    code, said = asked(capsys, "alarms", "a.journal", "--json")
    assert code == 0
    assert [one["station"] for one in json.loads(said)["holds"]] == ["weld"]
    said = asked(capsys, "order", "a.journal", "list")[1]
    assert "weld is held since 2027-03-01 06:00" in said
    core = standing(model / "a.journal").core
    assert [one["by"] for one in core.asked.holds.values()] != ["Anna"]


WRONG = """id,product,quantity,release,due,colour
A1,fram,2,2027-03-03,2027-03-02,red
A2,frame,0,soon,,
A3,frame,1e99,,2020-01-01,
A4,frame,1,,,
A4,frame,1,,,
"""


@pytest.mark.parametrize(
    ("name", "text", "whys"),
    [
        (
            "a.csv",
            WRONG,
            [
                "a.csv:1:1",
                'unknown column "colour"',
                'a.csv:2:1: LW403 product: there is no product "fram"; did you mean',
                "a.csv:2:1: LW403 due: it is before the release",
                "a.csv:3:1: LW403 quantity",
                "a.csv:3:1: LW403 release",
                "a.csv:4:1: LW403 quantity",
                'a.csv:6:1: LW403 order "A4" stands in row 5 already',
            ],
        ),
        ("a.csv", "id,quantity\n1,2\n", ['no column "product"']),
        ("a.csv", "product,quantity\n", ["there is no order in it"]),
        ("a.csv", "product,quantity\n" + "frame,1\n" * 10_001, ["10,000 are taken"]),
        ("a.csv", "\x00\xff", ["a.csv"]),
        ("a.xml", "<OperationsSchedule>", ["a.xml:1", "is not XML"]),
        ("a.xml", "<Orders/>", ["is Orders, and no OperationsSchedule"]),
        (
            "a.xml",
            '<!DOCTYPE x [<!ENTITY a "b">]><OperationsSchedule/>',
            ["has a DOCTYPE"],
        ),
        ("a.xml", "<OperationsSchedule/>", ["there is no order in it"]),
        (
            "a.xml",
            SCHEDULE.replace(">EA<", ">KG<").replace(">4.0<", ">4.5<"),
            ["UnitOfMeasure", "quantity: Input should be a valid integer"],
        ),
        (
            "a.xml",
            SCHEDULE.replace("06:30:00Z", "noon").replace("Produced", "Inventoried"),
            ["has no MaterialRequirement that is Produced"],
        ),
    ],
)
def test_all_that_is_wrong_with_a_file_is_said_at_once(
    model: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    whys: list[str],
) -> None:
    (model / name).write_text(text)
    code, said = asked(capsys, "order", "a.journal", "add", "--file", name)
    assert code == 2
    for why in whys:
        assert why in said
    assert (
        not inbox_of(model / "a.journal").exists()
        or not Inbox(model / "a.journal").waiting()
    )


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ("order none.journal add --product frame", "there is no such file"),
        ("order line.yaml add --product frame", "is not a journal"),
        ("order a.journal add", "say what is ordered"),
        ("order a.journal add --product frame --file x.csv", "goes with a single one"),
        ("order a.journal add --product frame --quantity 0", "quantity"),
        ("order a.journal add --product frame --due tomorrow", "is no time"),
        ("decide a.journal frame:1 here --reason x", "--at STATION"),
        ("decide a.journal frame:1 good --at weld --reason x", "--at goes with here"),
        ("decide a.journal frame:1 scrapped --reason  ", "expected one argument"),
        ("decide a.journal frame:1 settled --reason x", "write it like alarm:3"),
        ("hold a.journal", "--reason"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(
    model: Path, capsys: pytest.CaptureFixture[str], args: str, why: str
) -> None:
    code, said = asked(capsys, *args.split())
    assert code == 2
    assert why in said
    assert model.exists()


def test_a_model_that_was_changed_is_refused_and_what_changed_is_said(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = LINE.replace("weld: {process: 10 min", "weld: {process: 12 min")
    (model / "line.yaml").write_text(text)
    run = ("run", "line.yaml", "--emulate", "--journal", "a.journal")
    code, said = asked(capsys, *run)
    assert code == 2
    assert "another model" in said
    assert "weld" in said
    assert "10 min" in said
    assert "12 min" in said
    (model / "line.yaml").write_text(LINE)
    code, said = asked(capsys, *run, "--seed", "77")
    assert code == 2
    assert "--seed" in said


def test_kill_9_and_people_who_ask_leave_each_order_once(tmp_path: Path) -> None:
    """A process is killed again and again while orders come."""
    (tmp_path / "line.yaml").write_text(LINE)
    run = [sys.executable, "-m", "linewright", "run", "line.yaml", "--emulate"]
    run += ["--journal", "a.journal", "--speed", "20000", "--stay", "--quiet"]
    journal, keys = tmp_path / "a.journal", []
    for n in range(3):
        with subprocess.Popen(run, cwd=tmp_path) as process:
            try:
                while not journal.exists():
                    time.sleep(0.05)
                for i in range(3):
                    key = f"order {n} {i}"
                    keys.append(key)
                    hand_in(journal, [request(key)])
                    hand_in(journal, [request(key)])
                until_s = time.monotonic() + 60
                while n == 2 and None in outcomes_of(journal, keys):
                    assert time.monotonic() < until_s
                    time.sleep(0.05)
                while outcomes_of(journal, keys[3 * n : 3 * n + 1]) == [None]:
                    assert time.monotonic() < until_s
                    time.sleep(0.001)
            finally:
                os.kill(process.pid, signal.SIGKILL)
    core = standing(journal).core
    names = core.lowered.names.orders
    assert sorted(names) == sorted([*keys, "first"])
    assert all(one and one.is_accepted for one in outcomes_of(journal, keys))
