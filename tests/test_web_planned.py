"""The schedule on the live page: planned bars, real ones, and how far orders are."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of
from linewright.model.load import loads
from linewright.schedule import compile_line, orders_of
from linewright.schedule.following import line_that_follows, plan_of
from linewright.schedule.kernel_runs import dispatched
from linewright.schedule.table import table_of
from linewright.web.drift import Look, Window
from linewright.web.following import Follower
from tests.web_lines import EVIL, everything

playwright = pytest.importorskip("playwright.sync_api")

HOUR_US = 3_600_000_000
LINE = """
schema_version: 1
name: Workshop
start: 2027-03-27 20:00
time_zone: Europe/Vienna
stations:
  saw: {process: 20 min, servers: 2}
  mill: {process: 30 min, failures: {jam: {every: 90 min, repair: 2 h}}}
products:
  a: {route: [saw], release: with_parent}
  c: {bom: {a: 2}, route: [mill], release: orders}
orders:
  - {id: first, product: c, quantity: 8}
  - {id: EVIL, product: c, release: 2027-03-28 01:00}
  - {id: last, product: c, release: 2027-03-28 12:00}
""".replace("EVIL", f'"{EVIL}"')


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Emulation]:
    """Return a line that follows a schedule and comes behind it, after nine hours."""
    line = loads(LINE)
    compiled = compile_line(line, orders_of(line), 30 * 24 * HOUR_US)
    run = dispatched(compiled, ("fifo",), 30 * 24 * HOUR_US)
    plan = plan_of(table_of(compiled, run.solution), line)
    lowered = line_that_follows(line, line.study.horizon)
    path = tmp_path_factory.mktemp("planned") / "a.journal"
    emulation = Emulation(lowered, journal_of(path, line, lowered, 1), 1)
    request = Request("one", "schedule", "Planner", "it is the plan", plan.data())
    assert emulation.ask(request, 0).is_accepted
    emulation.run(9 * HOUR_US)
    return path, emulation


def test_what_is_shown_is_the_plan_and_what_the_records_say(
    followed: tuple[Path, Emulation],
) -> None:
    path, emulation = followed
    follower = Follower(path)
    items = everything(follower)
    core, by = emulation.controller.core, emulation.controller.core.by_schedule
    assert by is not None
    operations = by.plan.operations
    until_us = items["schedule"]["until_us"]
    shown = {key for key in items if key.startswith("planned/")}
    wanted = {
        f"planned/{o}"
        for o, one in enumerate(operations)
        if one.end_us > items["schedule"]["from_us"] and one.begin_us < until_us
    }
    assert shown == wanted
    starts = [
        (record.at_us, row[1])
        for record in (stored.record for stored in emulation.controller.journal.read(0))
        for row in record.rows
        if row[0] == t.T_START and row[4] >= 0
    ]
    first = core.lowered.tables.stations["first_server"]
    real = [value for key, value in items.items() if key.startswith("real/")]
    found = [(one["begin_us"], int(first[one["k"]]) + one["s"]) for one in real]
    assert sorted(found) == sorted(starts)
    begins = {(by.plan.jobs[one.job].part, one.operation): one for one in operations}
    now_us = core.now_us
    for one in real:
        plan = begins[one["part"], one["operation"]]
        over_us = (one["end_us"] if one["end_us"] >= 0 else now_us) - plan.end_us
        if one["end_us"] >= 0:
            assert one["late_us"] == over_us
        else:
            late_us = max(one["begin_us"] - plan.begin_us, over_us)
            assert one["late_us"] == late_us
    rows = {items[f"order/{i}"]["name"]: i for i in range(3)}
    against = {name: items[f"against/{i}"] for name, i in rows.items()}
    # the mill has broken down twice for two hours, and everything waits for it
    assert against["first"]["late_us"] >= 2 * HOUR_US
    assert against[EVIL]["late_us"] > 0
    assert against["last"]["late_us"] is None
    assert items[f"order/{rows['first']}"]["quantity"] == 8
    # that night clocks go from 2 to 3 in Vienna, and the page is in the plant's zone
    assert items["clock"]["time"] == "05:50:00"
    assert against["first"]["end"].startswith("Sun 28 Mar 00:")


def test_drift_is_watched_of_a_line_that_follows_a_schedule(
    followed: tuple[Path, Emulation],
) -> None:
    """Its rows name orders and buffers that the model by itself has not."""
    window = Window(str(followed[0]))
    try:
        answer, *_ = Look(window, {}).answers()
    finally:
        window.close()
    assert not answer["problem"]
    assert {one["station"] for one in answer["inputs"]} == {"saw", "mill"}


def test_the_page_draws_them_with_names_as_text_on_phone_and_wall(
    browser: str, followed: tuple[Path, Emulation]
) -> None:
    command = [sys.executable, "-m", "linewright", "serve", str(followed[0])]
    process = subprocess.Popen(
        [*command, "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address, _, token = (process.stdout.readline().split() for _ in range(3))
    items = everything(Follower(followed[0]))
    n_bars = [
        sum(key.startswith(kind) for key in items) for kind in ("planned/", "real/")
    ]
    try:
        with playwright.sync_playwright() as driver:
            chromium = driver.chromium.launch(
                executable_path=browser, args=["--no-sandbox"]
            )
            page = chromium.new_page(viewport={"width": 390, "height": 844})
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text))
            page.goto(address[0])
            page.fill("#token", token[0])
            page.click("text=Log in")
            page.wait_for_selector("#schedule-panel .job.real")
            page.wait_for_selector("#against tr")
            bars = [
                page.locator(f".track .job.{kind}").count()
                for kind in ("planned", "real")
            ]
            assert bars == n_bars
            row = page.locator("#against tr", has_text=EVIL)
            assert "behind" in row.text_content()
            assert page.locator("#schedule-panel img").count() == 0
            for width in (390, 1920):
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide == width
            assert complaints == []
            chromium.close()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()
