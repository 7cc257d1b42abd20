"""Drift on the live page: found beside it, shown, and nothing changed by it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linewright.cli import main
from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of
from linewright.control.reading import JournalReader
from linewright.fit.log import FAILURE
from linewright.lower import lower
from linewright.model.load import loads
from linewright.web import drift
from linewright.web.following import Follower
from linewright.web.serving import LivePage
from tests.animation_texts import HOUR
from tests.web_lines import Clock, ask, page_of

MODEL = """
schema_version: 1
name: <b>shop</b>
start: 2027-01-04 06:00
time_zone: Europe/Vienna
stations:
  "<i>cut</i>": {process: "gamma(5 min, cv=0.4)"}
  mill:
    servers: 2
    process: "lognormal(9 min, cv=0.3)"
    failures: {spindle: {every: exponential(2 h), repair: "gamma(10 min, cv=0.5)"}}
products:
  part: {route: ["<i>cut</i>", mill], release: {every: exponential(6.5 min)}}
study: {horizon: 5 d}
targets: {week: {product: part, quantity: 1000, by: 2027-01-09 06:00}}
"""
SLOWER = MODEL.replace("gamma(5 min", "gamma(6 min")


def run(path: Path, machines: str, hours: float, seed: int = 4) -> Path:
    """Run the line of the model on machines that may be others; return its journal."""
    line = loads(MODEL)
    lowered = lower(loads(machines), line.study.horizon)
    journal = journal_of(path, line, lower(line, line.study.horizon), seed)
    Emulation(lowered, journal, seed).run(int(hours * HOUR))
    journal.close()
    return path


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("drift") / "a.journal", SLOWER, 60)


def answers(path: Path) -> list[dict[str, Any]]:
    return list(drift.Look(drift.Window(str(path)), {}).answers())


def verdicts(answer: dict[str, Any]) -> dict[str, str]:
    return {f"{o['station']} {o['measure']}": o["verdict"] for o in answer["inputs"]}


def test_a_faithful_line_is_within_and_a_slower_station_drifts(
    slower: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (same,) = answers(run(tmp_path / "same.journal", MODEL, 60))
    assert verdicts(same) == dict.fromkeys(
        ["<i>cut</i> process", "mill process", "mill repair (spindle)",
         "mill time to failure (spindle)"],
        "within",
    )  # fmt: skip
    assert same["proposal"] is None
    assert same["since"] == ""
    first, last = answers(slower)
    assert first["more"]
    assert not last["more"]
    found = verdicts(last)
    assert found.pop("<i>cut</i> process") == "drifting since"
    assert set(found.values()) == {"within"}
    (cut,) = [one for one in last["inputs"] if one["station"] == "<i>cut</i>"]
    assert cut["log_s"] == pytest.approx(360, rel=0.06)
    proposal = last["proposal"]
    (flow,) = [one for one in proposal["effect"] if "flow time" in one["measure"]]
    assert flow["significant"]
    assert flow["difference"][1] > 0
    (target,) = proposal["targets"]
    assert target["now"][0] <= target["model"][0]
    assert target["model"][1] < target["model"][0]
    # what is proposed is signed as any other, and only that changes anything
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(MODEL, "utf-8")
    Path("drift.json").write_text(json.dumps(proposal["ratify"]), "utf-8")
    Path("drift.yaml").write_text(proposal["overlay"], "utf-8")
    assert main(["check", "shop.yaml", "--overlay", "drift.yaml", "-q"]) == 0
    serve = ["serve", str(slower), "--port", "0", "--model", "shop.yaml"]
    assert main([*serve, "--overlay", "drift.yaml", "-q"]) == 2
    assert "what is known of the inputs of one says nothing" in capsys.readouterr().err
    sign = ["ratify", "shop.yaml", "drift.json", "--by", "Planning"]
    assert main([*sign, "--reason", "as measured", "--on", "2027-01-11", "-q"]) == 0
    assert Path("shop.yaml").read_text("utf-8") == MODEL


def test_of_a_long_journal_the_last_rows_are_kept(
    slower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = drift.Window(str(slower))
    whole.read()
    n_failures = int((_log(whole).kind == FAILURE).sum())
    with contextlib.closing(JournalReader(slower)) as reader:
        monkeypatch.setattr(drift, "_MOST_RECORDS", reader.next_seq - 10)
    monkeypatch.setattr(drift, "MOST_ROWS", 4_000)
    monkeypatch.setattr(drift, "_AT_ONCE", 300)
    window = drift.Window(str(slower))
    look = drift.Look(window, {})
    *_, last = look.answers()
    assert len(window._rows) == 4_000  # noqa: SLF001
    assert window.since_us > 0
    assert last["since"].startswith(("Mon 4 Jan", "Tue 5 Jan", "Wed 6 Jan"))
    assert verdicts(last)["<i>cut</i> process"] == "drifting since"
    assert verdicts(last)["mill process"] == "within"
    assert 2 < int((_log(window).kind == FAILURE).sum()) < n_failures
    # nothing new: the same proposal stands, and is not simulated again
    (again,) = look.answers()
    assert again["proposal"] is last["proposal"]


def _log(window: drift.Window) -> Any:
    log = window.log()
    assert log is not None
    return log


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(slower: Path, clock: Clock) -> Iterator[LivePage]:
    follower = Follower(slower)
    made = page_of(follower, clock)
    yield made
    made._drift.close()  # noqa: SLF001
    made.close()
    follower.close()


def test_the_page_goes_on_whatever_becomes_of_the_process(
    page: LivePage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (token,) = (token for _, token in page.sessions.told())
    cookie = ask(page, "/login", f"token={token}").cookie
    assert ask(page, "/api/drift.yaml", cookie=cookie).status == 404
    assert ask(page, "/api/drift.yaml").status == 401
    page.watch_drift()
    items = json.loads(page.hub.since(0))["items"]
    assert items["drift"]["counts"] == {"drifting since": 1, "within": 3}
    assert items["drift_input/0"]["verdict"] == "drifting since"
    assert "ratify" not in items["drift"]["proposal"]
    got = ask(page, "/api/drift.yaml", cookie=cookie)
    assert got.body.decode() == items["drift"]["proposal"]["overlay"]
    assert 'filename="drift.yaml"' in got.headers["content-disposition"]
    signed = json.loads(ask(page, "/api/drift.json", cookie=cookie).body)
    assert list(signed["improvement"]["changes"]["stations"]) == ["<i>cut</i>"]
    watch = page._drift  # noqa: SLF001
    assert not watch.is_due(watch._seq)  # noqa: SLF001 - nothing new
    asked = watch._asked  # noqa: SLF001

    def dies() -> Any:
        process = asked()
        process.kill()
        return process

    monkeypatch.setattr(watch, "_asked", dies)
    page.watch_drift()
    told = json.loads(page.hub.since(0))["items"]
    assert "ended (-9)" in told["drift"]["problem"]
    assert told["drift_input/0"] == items["drift_input/0"]
    page.look()
    assert page.problem == ""
    seq = page._follower.next_seq  # noqa: SLF001
    assert not watch.is_due(seq)
    clock.now_s += 61
    assert watch.is_due(seq)  # and then a new process begins, on a quiet line, too


playwright = pytest.importorskip("playwright.sync_api")


def test_a_browser_shows_it_and_how_to_ratify(browser: str, slower: Path) -> None:
    command = [sys.executable, "-m", "linewright", "serve", str(slower), "--port", "0"]
    process = subprocess.Popen([*command, "-q"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address, _, token = (process.stdout.readline().split() for _ in range(3))
    complaints: list[str] = []
    try:
        with playwright.sync_playwright() as driver:
            chromium = driver.chromium.launch(
                executable_path=browser, args=["--no-sandbox"]
            )
            view = chromium.new_page(viewport={"width": 390, "height": 844})
            view.on("pageerror", lambda error: complaints.append(str(error)))
            view.on("console", lambda said: complaints.append(said.text))
            view.goto(address[0])
            view.fill("#token", token[0])
            view.click("text=Log in")
            view.wait_for_selector("#drift-overlay", timeout=60_000)
            row = view.inner_text("[data-verdict='drifting since']")
            assert "<i>cut</i>" in row
            assert "5 min" in row
            assert "gamma" in view.inner_text("#drift-overlay")
            assert "linewright ratify MODEL drift.json" in view.inner_text("#drift")
            assert view.locator("#drift i").count() == 0  # names are text
            view.click("#drift summary")
            assert view.locator("#drift details [data-verdict=within]").count() == 6
            assert view.evaluate("document.documentElement.scrollWidth") == 390
            with view.expect_download() as download:
                view.click("#drift a >> text=drift.json")
            told = json.loads(download.value.path().read_text("utf-8"))
            assert told["improvement"]["changes"]
            chromium.close()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()
    assert complaints == []
