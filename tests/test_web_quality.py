"""Quality on the live page: what is charted and counted is what the journal has."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.genealogy import Genealogy
from linewright.control.reading import JournalReader
from linewright.drivers.emulated import run_emulated
from linewright.drivers.inbox import Inbox, hand_in
from linewright.stats.control_charts import Chart, Signaled
from linewright.stats.spc import (
    Limits,
    Study,
    study_counts,
    study_shares,
    study_values,
)
from linewright.web.accounts import new_account
from linewright.web.asking import Asking
from linewright.web.following import Follower
from linewright.web.quality import MOST_VALUES, MOST_VERDICTS, SAMPLE, SUBGROUP
from linewright.web.serving import Address, LivePage
from linewright.web.sessions import Sessions
from tests.animation_texts import HOUR
from tests.web_lines import EVIL, Clock, Runner, ask, everything

LINE = f"""
schema_version: 1
name: "<b>bores</b>"
start: 2027-03-01 05:00
time_zone: Europe/Vienna
calendar: day
calendars: {{day: {{shifts: [{{from: 06:00, to: 22:00}}]}}}}
study: {{horizon: 4 d, seed: 3}}
stations:
  bore: {{process: exponential(40 s)}}
  gauge: {{process: 30 s}}
products:
  "{EVIL}":
    release: {{kind: always}}
    route:
      - station: bore
        characteristics:
          size: {{unit: mm, nominal: 8, lower: 7.9, upper: 8.1, sd: 0.045}}
          burrs: {{counted: true, mean: 0.3, upper: 2}}
      - station: gauge
        inspection:
          measures: [size, burrs]
          rework: 0.6
          scrap: 0.4
          rework_to: bore
          gate: {{rejects: 3, of: 20}}
"""
HOURS = 37.3  # from the start: 18:18 on the second day, in its shift


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A line whose work is held at a gate."""
    made = Runner(tmp_path_factory.mktemp("quality") / "a.journal", HOURS, text=LINE)
    made.emulation.asks = True
    made.run(HOURS + 24)
    assert made.core.gates.closed
    yield made
    made.close()


@pytest.fixture(scope="module")
def follower(runner: Runner) -> Iterator[Follower]:
    made = Follower(runner.journal.path)
    yield made
    made.close()


def newest(values: list[Any], most: int, n_point: int) -> list[Any]:
    """Return the newest of some values, but for whole points that are forgotten."""
    n_gone = max(-(-(len(values) - most) // n_point), 0) * n_point
    return values[n_gone:]


def pairs(one: Study) -> list[tuple[Chart, list[Signaled]]]:
    return list(zip(one.charts, one.signals, strict=True))


def test_charts_are_those_of_the_newest_values_of_the_index(
    runner: Runner, follower: Follower
) -> None:
    """Beside the page, the index of units keeps all values, and `spc` charts them."""
    items, book = everything(follower), Genealogy(runner.journal.path)
    sizes = [value for _, value in book.values_of(EVIL, "size")]
    burrs = [value for _, value in book.values_of(EVIL, "burrs")]
    [rejected] = book.verdicts().values()
    assert len(sizes) > 3 * MOST_VALUES
    assert len(rejected) > MOST_VERDICTS, "more than is kept"
    kept = [len(kept) for kept in follower.quality.kept]
    assert all(np.array(kept) <= (MOST_VALUES, MOST_VALUES, MOST_VERDICTS))
    sizes, burrs = (newest(x, MOST_VALUES, SUBGROUP) for x in (sizes, burrs))
    rejected = newest(rejected, MOST_VERDICTS, SAMPLE)
    limits, whose = Limits("mm", 7.9, 8.0, 8.1), ("", "")
    one = study_values(whose, sizes, limits)
    means = study_values(whose, sizes, limits, SUBGROUP)
    wanted = [
        pairs(one) + pairs(means)[:2],
        pairs(study_counts(whose, burrs, Limits())),
        pairs(study_shares(whose, rejected, SAMPLE)),
    ]
    for i, charts in enumerate(wanted):
        item = items[f"spc/{i}"]
        assert len(item["charts"]) == len(charts)
        n_signals = 0
        for shown, (chart, told) in zip(item["charts"], charts, strict=True):
            assert shown["name"] == chart.name
            np.testing.assert_allclose(shown["points"], chart.points, rtol=1e-5)
            assert shown["center"] == pytest.approx(chart.center, rel=1e-5)
            for limit in ("lower", "upper"):
                sent = shown[limit]
                whole = sent + sent[-1:] * (len(chart.points) - len(sent))
                np.testing.assert_allclose(
                    whole, getattr(chart, limit), rtol=1e-5, atol=1e-12
                )
            assert shown["signals"] == sorted({found.point for found in told})
            n_signals += len(told)
        assert len(item["signals"]) == min(n_signals, 8)
    assert one.capability
    assert one.capability.cpk
    assert items["spc/0"]["cpk"] == [round(x, 3) for x in one.capability.cpk]
    for told in items["spc/0"]["signals"]:  # the unit is that of the value
        if told["chart"] == "I" and told["text"].startswith("beyond"):
            unit = book.unit(told["unit"])
            assert any(abs(one_.value - 8) > 0.1 for one_ in book.values(unit))
    book.close()


def test_a_stretch_of_values_on_one_side_shows_with_its_unit(tmp_path: Path) -> None:
    """Where the process moves by three sigma, the page says so, and at which unit."""
    text = LINE.replace("nominal: 8, ", "nominal: 8, mean: 8.0, ").replace(
        "gate: {rejects: 3, of: 20}", ""
    )
    runner = Runner(tmp_path / "a.journal", 3, text=text)
    follower = Follower(runner.journal.path)
    kept = follower.quality.kept[0]
    calm = [one._replace(value=8 + 0.01 * (-1) ** i) for i, one in enumerate(kept)]
    kept[:] = [*calm[:-1], calm[-1]._replace(value=8.2)]
    item = everything(follower)["spc/0"]
    assert item["is_new"]
    assert item["signals"][0]["unit"] == kept[-1].unit
    assert "beyond three sigma" in {one["text"] for one in item["signals"]}
    follower.close()
    runner.close()


def test_yields_of_a_span_are_what_its_records_say(
    runner: Runner, follower: Follower
) -> None:
    """Units since six o'clock that came through at once, counted from trace rows."""
    items = everything(follower)
    since_us = 25 * HOUR
    back: set[int] = set()
    counts = dict.fromkeys(("finished", "first_pass", "reworked", "scrapped"), 0)
    for stored in JournalReader(runner.journal.path).read():
        record = stored.record
        is_later = record.at_us >= since_us
        for kind, _, _, serial, *_ in record.rows:
            if kind == t.T_REWORK:
                back.add(serial)
                counts["reworked"] += is_later
            elif kind == t.T_EXIT:
                counts["finished"] += is_later
                counts["first_pass"] += is_later and serial not in back
            elif kind == t.T_SCRAP:
                counts["scrapped"] += is_later
    assert min(counts.values()) > 10
    n = counts["finished"] + counts["scrapped"]
    share = counts.pop("first_pass") / n
    wanted = counts | {"first_pass": pytest.approx(share, abs=1e-4)}
    assert items["yield/shift/0"] == wanted
    assert items["span/shift"]["since"] == "Tue 2 Mar 06:00"
    week = items["yield/week/0"]
    assert week["finished"] == runner.core.state.products["finished"][0]


def test_a_gate_is_released_by_who_may_with_a_reason(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "a.journal", 0, text=LINE)
    runner.emulation.asks = True
    runner.run(90)
    [gate] = runner.core.gates.closed
    inbox, follower = Inbox(runner.journal.path), Follower(runner.journal.path)
    trail, clock = tmp_path / "trail.jsonl", Clock()
    sessions = Sessions({"viewer": 1, "operator": 1})
    page = LivePage(follower, sessions, Address(), clock, clock, audit=trail)
    waited = iter(range(10**9))

    def look(_: float) -> None:
        for outcome in [runner.emulation.ask(r, 0) for r in inbox.waiting()]:
            runner.emulation.controller.flush()
            inbox.answer([outcome])

    page._asking = Asking(  # noqa: SLF001
        follower.place, follower.line, lambda: next(waited) * 1.0, look
    )
    cookies = {
        role: ask(page, "/login", f"token={token}&name=Ada").cookie
        for role, token in sessions.told()
    }
    shown = everything(follower)
    assert shown["gate/0"]["why"] == "3 of the last 20 units are rejected"
    [alarm] = [one for key, one in shown.items() if key.startswith("alarm/")]
    assert "releases the gate" in alarm["help"]
    about = json.loads(ask(page, "/api/about", cookie=cookies["viewer"]).body)
    assert about["quality"]["gates"] == [{"name": gate, "stations": [1]}]

    def release(role: str, why: str, **headers: str) -> int:
        body = json.dumps({"what": "gate release", "why": why, "data": {"gate": gate}})
        return ask(page, "/api/requests", body, cookie=cookies[role], **headers).status

    assert release("viewer", "new drill") == 403
    assert release("operator", "") == 422
    assert release("operator", "new drill", origin="http://evil.example") == 403
    assert runner.core.gates.closed
    assert release("operator", "new drill") == 200
    assert not runner.core.gates.closed
    assert release("operator", "again") == 409  # it is open
    record = [s.record for s in JournalReader(runner.journal.path).read()][-2]
    assert (record.body["by"], record.body["why"]) == ("Ada", "new drill")
    page.look()
    items = json.loads(page.hub.since(0))["items"]
    assert not any(key.startswith(("gate/", "alarm/")) for key in items)
    page.close()
    told = [json.loads(line) for line in trail.read_text().splitlines()]
    asked = [one["outcome"] for one in told if one["what"] == "ask"]
    assert any("is open again" in text for text in asked)
    assert [one["outcome"].partition(":")[0] for one in told].count("refused") >= 4
    follower.close()
    inbox.close()
    runner.close()


def test_a_line_that_is_played_waits_at_its_gates_where_it_is_asked_to(
    tmp_path: Path,
) -> None:
    """Time stands still until somebody decides; then the line is what it would be."""
    played = Runner(tmp_path / "b.journal", 7, text=LINE)
    runner = Runner(tmp_path / "a.journal", 0, text=LINE)
    runner.emulation.asks = True
    inbox, told = Inbox(runner.journal.path), list[str]()

    def decide(what: str) -> None:
        told.append(what)
        [gate] = runner.core.gates.closed
        asked = Request(f"{len(told)}", "gate release", "Ada", "saw", {"gate": gate})
        hand_in(runner.journal.path, [asked])

    until_us = 7 * HOUR
    run = run_emulated(runner.emulation, until_us, None, inbox=inbox, on_gate=decide)
    assert run.now_us == until_us
    assert "of the last 20 units are rejected" in told[0]
    rows = [
        [
            [stored.record.at_us, *row]
            for stored in JournalReader(one.journal.path).read()
            for row in stored.record.rows
        ]
        for one in (runner, played)
    ]
    assert rows[0] == rows[1]
    inbox.close()
    runner.close()
    played.close()


@pytest.fixture
def served(runner: Runner, tmp_path: Path) -> Iterator[str]:
    """Serve the line to somebody with an account; return the page's address."""
    accounts = tmp_path / "accounts.jsonl"
    new_account(accounts, "Ada", "operator", "nine brown hens")
    command = [sys.executable, "-m", "linewright", "serve", str(runner.journal.path)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--quiet", "--accounts", str(accounts)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


def test_the_page_shows_quality_and_opens_the_gate(
    browser: str, served: str, runner: Runner, follower: Follower
) -> None:
    """In a browser, by somebody with an account, at a phone's width and a wall's."""
    playwright = pytest.importorskip("playwright.sync_api")
    items = json.loads(json.dumps(everything(follower)))
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(served)
        page.fill("#account", "Ada")
        page.fill("#password", "nine white hens")
        page.click("text=Log in >> nth=0")
        page.wait_for_selector("text=The name or the password is wrong.")
        complaints.clear()  # the browser's own about the answer 403
        page.fill("#password", "nine brown hens")
        page.press("#password", "Enter")
        page.wait_for_selector("svg.spc")
        look_at_charts(page, items)
        page.click("[data-gate] [data-ask]")
        assert "Say why first" in page.inner_text("[data-gate] .told")
        look_at_a_unit(page, runner)
        page.fill("[data-gate] .why", EVIL)
        page.click("[data-gate] [data-ask]")
        decide(runner)
        page.wait_for_selector("#gates-panel", state="hidden")
        for width in (390, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_function(
                "document.querySelector('svg.spc').clientWidth"
                " <= document.querySelector('.spc-box').clientWidth"
            )
            sideways = page.evaluate("document.documentElement.scrollWidth")
            assert sideways == width
        assert complaints == []
        chromium.close()


def decide(runner: Runner) -> None:
    """Look into the inbox, as the controller does, until the gate is open."""
    inbox, until_s = Inbox(runner.journal.path), time.monotonic() + 20
    while runner.core.gates.closed:
        assert time.monotonic() < until_s, "nobody asked"
        for request in inbox.waiting():
            outcome = runner.emulation.ask(request, runner.core.now_us)
            runner.emulation.controller.flush()
            inbox.answer([outcome])
    inbox.close()
    *_, last = JournalReader(runner.journal.path).read()
    assert (last.record.body["by"], last.record.body["why"]) == ("Ada", EVIL)


def look_at_charts(page: Any, items: dict[str, Any]) -> None:
    """Hold what stands on the page against the items."""
    shown = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("[data-chart]")].map(
        (e) => [e.dataset.chart, [e.querySelectorAll(".point, .signaled").length,
          e.querySelectorAll(".signaled").length]]))"""
    )
    wanted = {
        chart["name"]: [len(chart["points"]), len(chart["signals"])]
        for i in range(3)
        for chart in items[f"spc/{i}"]["charts"]
    }
    assert shown == {name: wanted[name] for name in ("I", "MR", "c", "p")}
    text = page.inner_text("[data-spc$=size]")
    found = re.search(r"Cpk ([\d.]+) \(([\d.]+) to ([\d.]+)\)", text)
    assert found
    cpk = [float(x) for x in found.groups()]
    assert cpk == pytest.approx(items["spc/0"]["cpk"], abs=0.006)
    page.click("[data-group=means]")
    page.wait_for_selector("[data-chart=X-bar]")
    page.click("[data-group=EWMA]")
    assert page.locator("[data-chart=EWMA] .point").count() > 100
    page.click("[data-group='single values']")
    signals = page.locator("[data-spc$=size] .signals li")
    assert signals.count() == len(items["spc/0"]["signals"]) > 0
    cells = page.locator("#yields tr:visible td").all_inner_texts()
    value = items["yield/shift/0"]
    percent = 100 * value["first_pass"]
    counts = [value[name] for name in ("finished", "reworked", "scrapped")]
    assert cells == [f"{percent:.0f}%", *(f"{n:,}" for n in counts)]


def look_at_a_unit(page: Any, runner: Runner) -> None:
    """Hold the values of a unit that was sent back against the index of units."""
    book = Genealogy(runner.journal.path)
    serial = next(
        serial
        for serial in range(1, 2_000)
        if len(book.values(book.unit(f"{EVIL}:{serial}"))) > 2
    )
    values = book.values(book.unit(f"{EVIL}:{serial}"))
    book.close()
    page.fill("#unit-name", f"{EVIL}:{serial}")
    page.click("text=Show its life")
    page.wait_for_selector("[data-measured]")
    rows = page.locator("[data-measured] td b").all_inner_texts()
    assert [float(row.removesuffix(" mm")) for row in rows] == [
        pytest.approx(one.value, rel=1e-5) for one in values
    ]
    assert page.locator("[data-outside=true]").count() >= 1
    page.click("[aria-label='Close']")
