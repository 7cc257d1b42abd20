"""The page's process knows the line: from the records alone, whenever it begins."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of
from linewright.control.reading import JournalReader
from linewright.control.records import Signal
from linewright.lower import lower
from linewright.model.load import loads
from linewright.report.palette import PLACE, STATES
from linewright.web.following import Follower
from linewright.web.hub import Hub
from linewright.web.spans import sums_at
from linewright.web.viewing import Viewing
from tests.animation_texts import HOUR
from tests.test_control_forecast import CERTAIN
from tests.web_lines import EVIL, Clock, Runner, everything, page_of


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(tmp_path / "a.journal", 1)
    yield made
    made.close()


def test_it_follows_the_controller_and_writes_nothing(runner: Runner) -> None:
    path = runner.journal.path
    follower = Follower(path)
    for hours in (1, 7.3, 7.3, 30, 101):
        runner.run(hours)
        before = path.read_bytes()
        while follower.poll():
            pass
        assert follower.next_seq == runner.journal.next_seq
        assert follower.core.digest() == runner.core.digest()
        assert path.read_bytes() == before
    items = everything(follower)
    for i, product in enumerate(runner.core.state.products):
        assert items[f"product/{i}"]["finished"] == product["finished"]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        JournalReader(path)._db.execute("DELETE FROM records")  # noqa: SLF001
    follower.close()


def test_a_day_is_what_the_records_of_the_day_say(runner: Runner) -> None:
    """Server-time in each mode and units since midnight, counted from trace rows."""
    runner.run(61.7)
    follower = Follower(runner.journal.path)
    zone = ZoneInfo("Europe/Vienna")
    start = datetime(2027, 3, 27, 20, tzinfo=zone).timestamp()
    midnight = datetime(2027, 3, 30, tzinfo=zone).timestamp()
    since_us = int((midnight - start) * 1e6)
    assert since_us == 51 * HOUR  # 52 on the clock: summer time began on the 28th
    now_us = follower.core.now_us
    servers = follower.core.state.servers
    times = np.zeros((len(runner.line.stations), t.N_MODES), np.int64)
    mode = np.full(len(servers), -1)
    at_us = np.zeros(len(servers), np.int64)
    finished = np.zeros(len(runner.line.products), np.int64)
    lots = [product.lot_size for product in runner.line.products.values()]

    def book(s: int, until_us: int) -> None:
        spent = max(until_us - max(int(at_us[s]), since_us), 0)
        times[servers["station"][s], mode[s]] += spent

    for stored in JournalReader(runner.journal.path).read():
        for kind, row, product, _, _, value, other in stored.record.rows:
            if kind == t.T_MODE:
                mode[row] = other if mode[row] < 0 else mode[row]
                assert mode[row] == other
                book(row, stored.record.at_us)
                mode[row], at_us[row] = value, stored.record.at_us
            elif kind in {t.T_EXIT, t.T_STORE} and stored.record.at_us >= since_us:
                finished[product] += lots[product]
    for s in range(len(servers)):
        book(s, now_us)

    now, day = sums_at(follower.core.state, now_us), follower.spans.since["day"]
    assert day.at_us == since_us
    assert (now.times_us - day.times_us == times).all()
    assert (now.finished - day.finished == finished).all()
    items = everything(follower)
    for k in range(len(times)):
        wanted = times[k] / times[k].sum()
        for state, share in zip(STATES, items[f"kpi/day/{k}"]["shares"], strict=True):
            code = t.MODE_NAMES.index(state.key)
            assert share == pytest.approx(wanted[code], abs=1e-3)
    assert items["span/day"]["since"] == "Tue 30 Mar 00:00"
    follower.close()


def test_it_begins_at_a_snapshot_from_before_the_week(runner: Runner) -> None:
    path = runner.journal.path
    runner.run(20)  # still Sunday
    runner.emulation.controller.save_snapshot()
    runner.run(60)
    quick = Follower(path)
    first = next(iter(quick._reader.read(0)))  # noqa: SLF001
    assert first.seq == 0
    with sqlite3.connect(path) as db:
        assert db.execute("DELETE FROM snapshots").rowcount == 1
    whole = Follower(path)
    assert quick.since_us.min() >= -1
    items, wanted = everything(quick), everything(whole)
    for key, value in wanted.items():
        # what lies before is not known
        if not key.startswith(("server/", "event/", "spc/")):
            assert items[key] == value, key
    quick.close()
    whole.close()


def test_a_stream_that_was_cut_goes_on_without_a_gap(runner: Runner) -> None:
    """Viewers that see every, some or few of the changes all come to the same items."""
    follower, clock = Follower(runner.journal.path), Clock()
    page = page_of(follower, clock)
    chance = np.random.default_rng(1)
    steady: dict[str, Any] = {}
    cut: list[dict[str, Any]] = [{}, {}, {}]
    seen, version = [-1, -1, -1], 0

    def take(items: dict[str, Any], text: str) -> int:
        told = json.loads(text)
        if told["whole"]:
            items.clear()
        items.update(told["items"])
        return int(told["seq"])

    for step in range(120):
        runner.run(1 + step * 0.31)
        if step % 17 == 0:
            runner.lie(f"saw#{step + 900}")
        clock.now_s += float(chance.choice([0.1, 0.1, 0.7]))
        page.look()
        take(steady, page.hub.since(version))
        version = page.hub.version
        viewer = int(chance.integers(3))
        seen[viewer] = take(cut[viewer], page.hub.resumed(seen[viewer]))
    page.look()
    clock.now_s += 5
    page.look()
    take(steady, page.hub.since(version))
    for items, seq in zip(cut, seen, strict=True):
        take(items, page.hub.resumed(seq))
    whole: dict[str, Any] = {}
    take(whole, page.hub.resumed(-1))
    wanted = json.loads(json.dumps(everything(follower)))
    assert whole == wanted
    for items in (steady, *cut):
        assert {
            key: value for key, value in items.items() if value is not None
        } == wanted
    follower.close()


def test_what_is_gone_becomes_null_once() -> None:
    hub = Hub()
    hub.show(4, {"alarm/1": "a", "alarm/2": "b", "clock": 1})
    hub.show(5, {"alarm/2": "b", "clock": 1})
    assert json.loads(hub.resumed(4))["items"]["alarm/1"] is None
    assert json.loads(hub.since(1))["items"] == {"alarm/1": None}
    assert json.loads(hub.since(0))["items"] == {"alarm/2": "b", "clock": 1}
    hub.show(6, {"alarm/2": "c"})  # the clock stays: nothing was said of it
    assert json.loads(hub.since(2))["items"] == {"alarm/2": "c"}
    for unknown in (-1, 7, 10**12):
        assert json.loads(hub.resumed(unknown))["whole"]


def test_a_journal_that_is_changed_is_not_followed_on(runner: Runner) -> None:
    follower, clock = Follower(runner.journal.path), Clock()
    page = page_of(follower, clock)
    seq = follower.next_seq + 5
    runner.run(20)
    with sqlite3.connect(runner.journal.path) as db:
        db.execute("UPDATE records SET at_us = at_us + 1 WHERE seq = ?", (seq,))
    before = page.hub.seq
    page.look()
    assert f"was changed: record {seq}" in page.problem
    assert page.hub.seq == before
    written_s = os.stat(runner.journal.path).st_mtime
    clock.now_s = max(written_s, follower.written_s()) + 90
    assert '"silent_s": 90.0' in page._alive()  # noqa: SLF001
    follower.close()


def test_where_nothing_is_uncertain_what_is_foretold_happens(tmp_path: Path) -> None:
    text = CERTAIN.replace(
        "name: certain",
        """name: certain
start: "2026-01-05T06:00:00"
targets:
  today: {product: a, quantity: 16, by: 2026-01-05}
  later: {product: a, quantity: 4, since: 2026-01-06, by: 2026-01-06}
  enough: {product: b, quantity: 7, by: 2026-01-07}
  far: {product: b, quantity: 7, by: 2027-01-07}
""",
    )
    runner = Runner(tmp_path / "a.journal", 27.5, text=text)  # on the second day
    follower = Follower(runner.journal.path)
    page = page_of(follower, clock := Clock())
    page.foretell()
    items = json.loads(page.hub.since(0))["items"]
    made = runner.core.state.products["finished"].tolist()
    ends = {}
    for hours in (42, 90, 200):
        runner.run(hours)
        ends[hours] = runner.core.state.products["finished"].tolist()
    assert [items[f"ahead_product/{i}"] for i in range(2)] == ends[42]
    before = items["goal/later"]["made"]
    assert before == made[0] - runner_at(tmp_path / "b.journal", text, 18)[0]
    is_met = ends[42][0] - made[0] + before >= 4
    assert items["goal/later"]["chance"] == float(is_met)
    assert items["goal/enough"]["chance"] == float(ends[90][1] >= 7) == 1
    assert {"goal/today", "goal/far"}.isdisjoint(items)  # over, and too far away
    done = runner.core.state.orders["finished"]
    for i in np.flatnonzero(done > 27.5 * HOUR).tolist():
        at = page._viewing._day(int(done[i]))  # noqa: SLF001
        assert items[f"ahead_order/{i}"]["p80"] == at
    version = page.hub.version
    page.foretell()  # nothing is new
    clock.now_s += 1_000
    page.foretell()
    assert page.hub.version == version
    page.look()
    page.foretell()
    assert page.hub.version > version
    follower.close()
    runner.close()


def runner_at(path: Path, text: str, hours: float) -> list[int]:
    """Return the units of each product that a line has finished by some hour."""
    runner = Runner(path, hours, text=text)
    runner.close()
    made: list[int] = runner.core.state.products["finished"].tolist()
    return made


ORDERED = """
schema_version: 1
name: ordered
stations: {cut: {process: 10 min}}
products: {frame: {release: {kind: orders}, route: [cut]}}
orders: [{id: first, product: frame, quantity: 9}]
"""


def test_it_shows_what_people_have_asked(tmp_path: Path) -> None:
    line, path = loads(ORDERED), tmp_path / "a.journal"
    lowered = lower(line, 40 * HOUR)
    journal = journal_of(path, line, lowered, 1)
    running = Emulation(lowered, journal, 1)
    running.run(HOUR)
    controller, follower = running.controller, Follower(path)
    viewing, hub, core = Viewing(follower), Hub(), controller.core
    asks: list[tuple[str, dict[str, Any]]] = [
        ("order", {"product": "frame", "quantity": 2, "name": EVIL}),
        ("order hold", {"order": EVIL}),
        ("hold", {"stations": ["cut"], "is_now": True}),
        ("order cancel", {"order": "first"}),
    ]
    controller.hear(Signal("done", "nobody#1"), core.now_us)
    for _ in range(2):
        for i, (what, data) in enumerate(asks):
            request = Request(f"{i} {what}", what, EVIL, "", data)
            answer = running.ask(request, core.now_us)
            assert answer.is_accepted, answer.text
        controller.flush()
        while follower.poll():
            pass
        hub.show(follower.next_seq, viewing.items())
        asks = [("alarm settled", {"alarm": 1})]
    assert follower.core.digest() == core.digest()
    items = json.loads(hub.since(0))["items"]
    assert items["order/1"] | {"name": EVIL, "state": "held"} == items["order/1"]
    assert items["order/0"]["state"] == "cancelled"
    assert items["server/0"]["state"] == PLACE["waiting"]
    assert not [key for key in items if key.startswith("alarm/")]
    told = [one["what"] for key, one in items.items() if key.startswith("event/")]
    assert told.count("asked") == 5
    later = json.loads(hub.since(1))["items"]
    assert later["alarm/1"] is None, "it goes from the page"
    follower.close()
    journal.close()


def test_what_cannot_be_foretold_is_said_and_nothing_old_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(tmp_path / "a.journal", 7, text=CERTAIN)
    follower = Follower(runner.journal.path)
    page = page_of(follower, clock := Clock())
    page.foretell()
    assert any(key.startswith("ahead_") for key in items_of(page))
    runner.run(8)
    page.look()
    clock.now_s += 1_000

    def fail(_: Any) -> None:
        msg = "no futures today"
        raise RuntimeError(msg)

    monkeypatch.setattr(type(page._foreteller), "look_ahead", fail)  # noqa: SLF001
    page.foretell()
    items = items_of(page)
    assert items["ahead"] == {"problem": "no futures today"}
    assert not any(key.startswith("ahead_") for key in items)
    follower.close()
    runner.close()


def items_of(page: Any) -> dict[str, Any]:
    """Return what a page shows now."""
    items: dict[str, Any] = json.loads(page.hub.since(0))["items"]
    return items


def test_an_alarm_about_an_open_job_says_so_until_somebody_has_decided(
    tmp_path: Path,
) -> None:
    runner = Runner(tmp_path / "a.journal", 1, text=ORDERED)
    controller, core = runner.emulation.controller, runner.core
    job = next(iter(core.jobs))
    controller.hear(Signal("done", job, outcomes=(9,)), core.now_us)
    controller.hear(Signal("done", "nobody#1"), core.now_us)
    controller.flush()
    follower = Follower(runner.journal.path)
    items = everything(follower)
    assert [items[f"alarm/{n}"]["job"] for n in (1, 2)] == [job, ""]
    assert "the job stays open" in items["alarm/1"]["help"]
    for what, data in (
        ("job done", {"job": "cut#99"}),
        ("job done", {"job": job, "verdict": "pass"}),
    ):
        request = Request(str(data), what, "Ada", "I saw it", data)
        outcome = runner.emulation.ask(request, core.now_us)
    assert outcome.is_accepted, outcome.text
    controller.flush()
    while follower.poll():
        pass
    assert everything(follower)["alarm/1"]["job"] == ""
    follower.close()
    runner.close()
