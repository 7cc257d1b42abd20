"""What people ask of a running line is done once, and leaves the line whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from linewright.control.asking import Outcome, Request
from linewright.control.controller import Controller
from linewright.control.emulation import Emulation
from linewright.control.forecast import forecast, order_rows
from linewright.control.records import Signal
from linewright.errors import DeadlockError
from linewright.lower import Lowered, lower
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.traces import trace_rows
from linewright.units import parse_duration_us
from tests.asking_people import NASTY, People, wrong_in
from tests.memory_journal import Killed, MemoryJournal
from tests.random_lines import HOUR_US, random_line

MINUTE_US = HOUR_US // 60
SAME = ("buffers", "products", "orders", "stations", "lists", "pools", "stocks")
KEYS = count()
Asks = list[tuple[int, Request]]


def asked_line(seed: int, hours: int) -> tuple[Emulation, Asks]:
    """Run a random line in which people ask for something every few minutes."""
    lowered = lower(random_line(seed), hours * HOUR_US)
    line = Emulation(lowered, MemoryJournal(), seed)
    people, at_us = People(seed), 0
    asks: Asks = []
    with suppress(DeadlockError):
        while at_us < hours * HOUR_US:
            at_us += int(people.rng.integers(1, 60)) * MINUTE_US
            line.run(at_us)
            request = people.ask(line.controller.core)
            line.ask(request, at_us)
            asks.append((at_us, request))
            core = line.controller.core
            found = wrong_in(core.lowered, core.state)
            assert found == [], f"line {seed}: {request}: {found}"
    line.controller.flush()
    return line, asks


def records_of(line: Emulation) -> list[Any]:
    journal = line.controller.journal
    assert isinstance(journal, MemoryJournal)
    return [one for one in journal.records if one.kind != "boot"]


def told(line: Emulation) -> list[Any]:
    """Return the records, without commands: these say in which start they were made."""
    return [(one.kind, one.at_us, one.body, one.rows) for one in records_of(line)]


def test_whatever_people_ask_the_line_stays_whole() -> None:
    n, kinds = {"request": 0, "declined": 0}, set()
    for seed in range(10):
        line, _ = asked_line(seed, 16)
        core, nature = line.controller.core, line.nature
        for name in SAME:  # who plays the plant has the same line
            a, b = getattr(core.state, name), getattr(nature.state, name)
            np.testing.assert_array_equal(a, b, f"line {seed}: {name}")
        for record in records_of(line):
            if record.kind in n:
                n[record.kind] += 1
                kinds.add((record.kind, record.body["what"]))
        assert not core.alarms or core.state.clock["status"][0] == t.DEADLOCK
    assert min(n.values()) > 50
    assert len(kinds) > 15


def test_killed_at_any_write_what_was_asked_is_done_once() -> None:
    hours = 6
    for seed in (3, 17, 31):
        whole, asks = asked_line(seed, hours)
        assert len([one for one in records_of(whole) if one.kind == "request"]) > 2
        for kill_at in range(1, 14, 3):
            journal = MemoryJournal(kill_at, is_after=kill_at % 2 == 1)
            for _ in range(2):
                with suppress(Killed, DeadlockError):
                    again = Emulation(whole.controller.core._base, journal, seed)  # noqa: SLF001
                    again.controller.save_snapshot()
                    for at_us, request in asks:
                        if at_us >= again.controller.core.now_us:
                            again.run(at_us)
                        again.ask(request, at_us)  # once more than once
                        again.ask(request, at_us)
                        again.controller.flush()
            found, wanted = told(again), told(whole)
            assert found == wanted, f"line {seed}, killed at write {kill_at}"


def test_with_a_snapshot_or_without_it_is_the_same_line() -> None:
    line, _ = asked_line(8, 12)
    journal = line.controller.journal
    assert isinstance(journal, MemoryJournal)
    digest = line.controller.core.digest()
    fresh = Controller(line.controller.core._base, journal, 8)  # noqa: SLF001
    fresh.save_snapshot()
    again = Controller(line.controller.core._base, journal, 8)  # noqa: SLF001
    assert again.core.lowered.names.orders == line.controller.core.lowered.names.orders
    for core in (fresh.core, again.core):
        core.epoch -= core.epoch - line.controller.core.epoch
        assert core.digest() == digest


def test_after_a_snapshot_room_is_made_where_it_was_made_before() -> None:
    line = Small("15 min")
    assert line.ask("order", product="frame", quantity=3_000).is_accepted
    line.run("20 min")
    assert line.ask("order cancel", order="3").is_accepted
    line.line.controller.flush()
    journal: Any = line.line.controller.journal
    line.line.controller.save_snapshot()
    saved = journal.snapshot
    for n in range(4):
        line.ask("order", product="frame", quantity=900, name=f"more {n}")
        line.run(f"{21 + n} min")
    line.line.controller.flush()
    digests = []
    for snapshot in (saved, None):
        journal.snapshot = snapshot
        found = Emulation(lower(loads(LINE), 40 * HOUR_US), journal, 1)
        digests.append(found.controller.core.digest())
        journal.records.pop()  # the start just now
    assert digests[0] == digests[1]
    parts = line.core.state.parts
    np.testing.assert_array_equal(found.nature.state.parts["product"], parts["product"])


# ------------------------------------------------------------------ against the model


def ordered_lines() -> Iterator[tuple[int, Line, int]]:
    """Yield random lines with an order that can come later, and its place."""
    for seed in range(200):
        line = random_line(seed)
        orders = line.orders if isinstance(line.orders, tuple) else ()
        for place, order in enumerate(orders):
            release = order.release if isinstance(order.release, int) else 0
            same = sum(1 for one in orders if one.release == order.release)
            if release > 2 * MINUTE_US and same == 1:
                yield seed, line, place
                break


def moved(rows: Any) -> list[list[int]]:
    """Return what happened to units, without events and the rows of their orders."""
    told = {t.T_RELEASE, t.T_OUTSIDE, t.T_EXIT, t.T_SCRAP}
    return [
        [*row[:6], 0 if row[1] in told else row[6], row[7]]
        for row in rows
        if row[1] != t.T_EVENT
    ]


def test_an_order_that_comes_is_the_order_of_the_model() -> None:
    n, until_us = 0, 30 * HOUR_US
    for seed, line, place in ordered_lines():
        assert isinstance(line.orders, tuple)
        order = line.orders[place]
        assert isinstance(order.release, int)
        lowered = lower(line, until_us)
        row = next(
            i
            for i, name in enumerate(lowered.names.orders)
            if name == (order.id or str(place + 1))
        )
        fixed = lowered.tables.orders[row]
        less = line.model_copy(
            update={"orders": line.orders[:place] + line.orders[place + 1 :]}
        )
        running = Emulation(lower(less, until_us), MemoryJournal(), seed)
        at_us = 1 + seed * 7_919 * MINUTE_US % (order.release - 1)
        running.run(at_us)
        data = {"product": order.product, "quantity": order.quantity}
        data |= {"release_us": order.release, "priority": int(fixed["priority"])}
        if fixed["due"] < t.NEVER:
            data["due_us"] = max(int(fixed["due"]), order.release)
        answer = running.ask(Request("1", "order", "Anna", "", data), at_us)
        assert answer.is_accepted, answer.text
        with suppress(DeadlockError):
            running.run(until_us)
        records = running.controller.journal.records  # type: ignore[attr-defined]
        found = moved([one.at_us, *row] for one in records for row in one.rows)
        all_rows = np.concatenate(list(trace_rows(lowered, seed, 0, until_us)))
        assert found == moved(all_rows.tolist()), f"line {seed}"
        n += 1
        if n == 5:
            return
    assert n == 5


HELD = """
schema_version: 1
name: held
start: 2027-03-01 00:00
calendars:
  pause: {exceptions: [{from: 2027-03-01, shifts: [SHIFTS]}]}
stations:
  cut: {servers: 2, process: exponential(4 min)}
  weld: {process: exponential(5 min), buffer: 4 CALENDAR, shift_end: RULE}
  pack: {process: exponential(3 min), buffer: 3}
products:
  frame: {route: [cut, weld, pack], release: {kind: always}}
"""


@pytest.mark.parametrize(("rule", "is_now"), [("interrupt", True), ("finish", False)])
def test_a_hold_is_a_pause_that_nobody_planned(rule: str, is_now: bool) -> None:
    """A held station stops as one does whose calendar says so."""
    shifts = "{from: 00:00, to: 03:00}, {from: 05:30, to: 24:00}"
    text = HELD.replace("SHIFTS", shifts).replace("RULE", rule)
    planned = lower(loads(text.replace(" CALENDAR", ", calendar: pause")), 20 * HOUR_US)
    wanted = np.concatenate(list(trace_rows(planned, 3, 0, 20 * HOUR_US))).tolist()
    free = lower(loads(text.replace(" CALENDAR", "")), 20 * HOUR_US)
    line = Emulation(free, MemoryJournal(), 3)
    for hours, what, more in (
        (3, "hold", {"is_now": is_now}),
        (5.5, "resume", {}),
    ):
        at_us = int(hours * HOUR_US)
        line.run(at_us)
        data = {"stations": ["weld"]} | more
        assert line.ask(Request(what, what, "Anna", "", data), at_us).is_accepted
    line.run(20 * HOUR_US)
    found = [[one.at_us, *row] for one in records_of(line) for row in one.rows]
    parts = {t.T_START, t.T_QUEUE, t.T_BLOCK, t.T_EXIT}
    assert [row for row in found if row[1] in parts] == [
        row for row in wanted if row[1] in parts
    ]


# ------------------------------------------------------------------ one thing at a time

LINE = """
schema_version: 1
name: small
stations:
  cut: {process: 10 min}
  weld: {process: 10 min, buffer: 5}
  test: {process: 5 min, buffer: 5}
products:
  frame:
    release: {kind: orders, conwip: 3}
    route: [cut, {station: weld, transport: 4 min}, test]
orders:
  - {id: first, product: frame, quantity: 4}
  - {id: second, product: frame, quantity: 2, release: 5 h, due: 9 h}
"""


class Small:
    """The line above, played, and people who ask at its time."""

    def __init__(self, at: str) -> None:
        self.line = Emulation(lower(loads(LINE), 40 * HOUR_US), MemoryJournal(), 1)
        self.run(at)

    def run(self, until: str) -> None:
        self.now_us = parse_duration_us(until)
        self.line.run(self.now_us)

    @property
    def core(self) -> Any:
        return self.line.controller.core

    def ask(self, what: str, **data: Any) -> Outcome:
        request = Request(str(next(KEYS)), what, "Anna", "why not", data)
        return self.line.ask(request, self.now_us)


def finished(line: Small, order: str) -> tuple[int, int]:
    """Return how many units of an order are done, and when it was, in minutes."""
    core = line.core
    row = core.state.orders[core.lowered.names.orders.index(order)]
    return int(row["done"]), int(row["finished"]) // MINUTE_US


def test_an_order_is_held_let_go_hurried_and_cancelled() -> None:
    line = Small("15 min")  # three of the first order are in, one waits outside
    assert "is held" in line.ask("order hold", order="first").text
    line.run("4 h")
    assert finished(line, "first") == (3, -1)
    assert not line.ask("order hold", order="first").is_accepted
    assert "goes on" in line.ask("order release", order="first").text
    assert not line.ask("order release", order="second").is_accepted
    assert line.ask("order release", order="second", is_now=True).is_accepted
    added = line.ask("order", product="frame", quantity=5, priority=9)
    assert added.text == "order 3 of 5 frame is in"
    line.run("5 h")
    assert finished(line, "first") == (4, 240 + 10 + 4 + 10 + 5)
    assert finished(line, "second") == (2, 240 + 30 + 19)
    assert "nothing more of it comes in" in line.ask("order cancel", order="3").text
    line.run("20 h")
    n_done, at = finished(line, "3")
    assert 1 < n_done < 5
    assert at > 0, "what was in the line is all that is left of it"
    assert int(line.core.state.clock["wip"][0]) == 0
    assert "is done" in line.ask("order cancel", order="second").text
    held = line.ask("order", product="frame", quantity=1, is_held=True, name="x")
    assert held.text.endswith("and held")
    line.run("22 h")
    assert finished(line, "x") == (0, -1)
    assert line.ask("order release", order="x").is_accepted
    line.run("23 h")
    assert finished(line, "x") == (1, 22 * 60 + 29)


def test_a_forecast_knows_the_orders_that_came() -> None:
    line = Small("15 min")
    line.ask("order", product="frame", quantity=3, due_us=12 * HOUR_US, name="new")
    line.ask("order cancel", order="second")
    core = line.core
    future = forecast(core, core.lowered, 40 * HOUR_US, 2, 1)
    rows = {row["order"]: row for row in order_rows(core, future)}
    assert rows.keys() == {"first", "new"}
    line.run("40 h")
    finished_us = int(core.state.orders["finished"][2])
    assert rows["new"]["p80_us"] == finished_us
    assert rows["new"]["on_time"] == 1


def test_units_are_scrapped_where_they_are_and_moved_by_hand() -> None:
    line = Small("12 min")  # one on its way to weld, one on cut
    assert "on its way" in line.ask("unit scrapped", unit="frame:0").text
    assert (
        "cannot be at test"
        in line.ask("unit here", unit="frame:0", station="test").text
    )
    assert (
        "has not come into the line" in line.ask("unit scrapped", unit="frame:3").text
    )
    assert "is at weld" in line.ask("unit here", unit="frame:0", station="weld").text
    assert (
        "as the journal has it"
        in line.ask("unit here", unit="frame:0", station="weld").text
    )
    assert line.ask("unit scrapped", unit="frame:1").is_accepted  # on the cut
    assert "not in the line any more" in line.ask("unit scrapped", unit="frame:1").text
    assert "nothing says" in line.ask("unit good", unit="frame:0").text
    core = line.core
    assert not [job for job in core.jobs.values() if "frame 1" in map(str, job.units)]
    line.run("4 h")
    assert finished(line, "first") == (3, -1)
    assert int(core.state.orders["scrapped"][0]) == 1


def test_a_line_that_stands_still_for_good_goes_on_when_the_circle_is_broken() -> None:
    n, until_us = 0, 30 * HOUR_US
    for seed in (25, 37, 38, 46, 58, 59, 70, 72):
        lowered = lower(random_line(seed), until_us)
        line = Emulation(lowered, MemoryJournal(), seed)
        with pytest.raises(DeadlockError):
            line.run(until_us)
        core, at_us = line.controller.core, line.controller.core.now_us
        [stuck] = np.nonzero(core.state.parts["where"] == t.BLOCKED_ON_SERVER)
        used = [p for p in stuck.tolist() if core.state.parts["product"][p] >= 0]
        part = core.state.parts[used[0]]
        name = lowered.names.products[int(part["product"])]
        unit = {"unit": f"{name}:{int(part['serial'])}"}
        answer = line.ask(Request("1", "unit scrapped", "Anna", "", unit), at_us)
        if not answer.is_accepted:
            continue
        assert line.ask(
            Request("2", "alarm settled", "Anna", "", {"alarm": 1}), at_us
        ).is_accepted
        n_records = len(records_of(line))
        with suppress(DeadlockError):
            line.run(until_us)
        assert wrong_in(core.lowered, core.state) == [], f"line {seed}"
        n += len(records_of(line)) > n_records + 5
        if n == 3:
            return
    assert n == 3


def doubtful() -> tuple[Controller, str]:
    """Return a line with a job in doubt: its machine started again and forgot it."""
    controller = Controller(lower(loads(LINE), 40 * HOUR_US), MemoryJournal())
    for boot in (1, 2):
        controller.tell(Signal("machine", "cut", number=boot))
        controller.step(0)
    [job] = controller.core.of_device["cut"]
    assert controller.core.jobs[job].in_doubt
    return controller, job


def test_a_person_settles_what_nobody_else_can_know() -> None:
    controller, job = doubtful()

    def ask(what: str, **data: Any) -> Outcome:
        request = Request(str(next(KEYS)), what, "Anna", "I looked", data)
        [found] = controller.step(MINUTE_US, [request]).outcomes
        return found

    assert "did you mean" in ask("job done", job="cat#1").text
    refused = ask("job done", job=job, verdict="scrap")
    assert "inspects nothing" in refused.text
    assert ask("job not done", job=job).is_accepted
    assert not controller.core.jobs[job].in_doubt  # the link commands it again
    assert "not in doubt" in ask("job done", job=job).text
    controller, job = doubtful()
    assert ask("job done", job=job).is_accepted
    assert job not in controller.core.jobs
    record = controller.journal.records[-1]  # type: ignore[attr-defined]
    assert (record.body["by"], record.body["why"]) == ("Anna", "I looked")
    assert record.commands, "the unit goes on"
    controller.tell(Signal("done", job))
    [answer] = controller.step(2 * MINUTE_US).answers
    assert answer.is_accepted, "its machine may say so later"
    assert not controller.core.alarms


def test_a_person_takes_the_mark_from_a_unit_that_is_good() -> None:
    controller = Controller(lower(loads(LINE), 40 * HOUR_US), MemoryJournal())
    controller.tell(Signal("done", "cut#1", (t.BAD,)))
    controller.step(MINUTE_US)
    parts = controller.core.state.parts
    assert parts["bad"].sum() == 1
    for is_accepted in (True, False):
        key = str(next(KEYS))
        asked = Request(key, "unit good", "Anna", "measured", {"unit": "frame:0"})
        [answer] = controller.step(MINUTE_US, [asked]).outcomes
        assert answer.is_accepted == is_accepted
        assert parts["bad"].sum() == 0


@pytest.mark.parametrize(
    ("what", "data", "why"),
    [
        ("order", {"product": "fram", "quantity": 1}, 'did you mean "frame"'),
        ("order", {"product": NASTY, "quantity": 1}, "there is no product"),
        ("order", {"product": "frame", "quantity": 0}, "quantity"),
        ("order", {"product": "frame", "quantity": -(10**30)}, "quantity"),
        ("order", {"product": "frame", "quantity": 10**9}, "quantity"),
        ("order", {"product": "frame", "quantity": 2.5}, "quantity"),
        ("order", {"product": "frame", "quantity": "3"}, "quantity"),
        ("order", {"product": "frame", "quantity": True}, "quantity"),
        ("order", {"product": "frame", "quantity": 60_000}, "divide it"),
        ("order", {"product": "frame", "quantity": 1, "due_us": 5}, "before"),
        ("order", {"product": "frame", "quantity": 1, "due_us": 1 << 57}, "hundred"),
        ("order", {"product": "frame", "quantity": 1, "name": "first"}, "already"),
        ("order", {"product": "frame", "quantity": 1, "name": "a\nb"}, "printed"),
        ("order", {"product": "frame", "quantity": 1, "name": "x" * 200}, "characters"),
        ("order", {"product": "frame", "quantity": 1, "colour": "red"}, "no field"),
        ("order", {}, "quantity"),
        ("order cancel", {"order": "frist"}, 'did you mean "first"'),
        ("order priority", {"order": "first", "priority": 1 << 70}, "priority"),
        ("hold", {"stations": ["wald", NASTY]}, 'did you mean "weld"'),
        ("resume", {}, "is not held"),
        ("alarm settled", {"alarm": 7}, "none is open"),
        ("unit scrapped", {"unit": "frame"}, "is no unit"),
        ("unit scrapped", {"unit": f"frame:{'9' * 100}"}, "has not been made"),
        ("unit scrapped", {"unit": "frame:²"}, "is no unit"),
        ("job done", {"job": "cut#2"}, "not in doubt"),
        ("job done", {"job": "cut#1", "verdict": "perfect"}, "verdict"),
        ("stop the world", {}, "nobody can ask"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    what: str, data: dict[str, Any], why: str
) -> None:
    line = Small("15 min")
    before = line.core.state.orders.copy()
    answer = line.ask(what, **data)
    assert not answer.is_accepted
    assert why in answer.text
    np.testing.assert_array_equal(line.core.state.orders, before)
    line.line.controller.flush()
    record = records_of(line.line)[-1]
    assert (record.kind, record.body["by"]) == ("declined", "Anna")
    assert not record.rows
    assert not record.commands
    assert not line.core.alarms


def test_a_large_order_finds_room() -> None:
    line = Small("15 min")
    n_parts = len(line.core.state.parts)
    assert line.ask("order", product="frame", quantity=20_000).is_accepted
    line.run("1 h")
    core: Any = line.core
    assert len(core.state.parts) > n_parts
    assert int(core.state.products["serial"][0]) == 20_004
    found: Lowered = core.lowered
    assert wrong_in(found, core.state) == []
