"""The live page in a browser: what it shows is the line, also after a cut."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from linewright import tables as t
from linewright.drivers.emulated import run_emulated
from linewright.drivers.inbox import Inbox
from tests.web_lines import EVIL, Runner

playwright = pytest.importorskip("playwright.sync_api")


class Wire:
    """A wire between browser and server, which somebody can cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.is_cut = False
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            self._ends += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was cut

    def cut(self) -> None:
        self.is_cut = True
        ends, self._ends = self._ends, []
        for end in ends:
            _shut(end)

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(tmp_path_factory.mktemp("web") / "a.journal", 9)
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(runner: Runner) -> Iterator[tuple[str, str, str]]:
    """Start `linewright serve` as a user does; return its address and two tokens.

    The first is that of a viewer, the second that of an operator.
    """
    command = [sys.executable, "-m", "linewright", "serve", str(runner.journal.path)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--quiet", "--operators", "1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address, _, token, other = (process.stdout.readline().split() for _ in range(4))
    assert other[1] == "operator"
    yield address[0], token[0], other[0]
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0  # although a browser may still look on
    process.stdout.close()


@pytest.fixture(scope="module")
def wire(served: tuple[str, str, str]) -> Iterator[Wire]:
    made = Wire(urlsplit(served[0]).port or 0)
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(browser: str, served: tuple[str, str, str], wire: Wire) -> Iterator[Any]:
    """Return a page that is logged in; it must not complain at all."""
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=browser, args=["--no-sandbox"]
        )
        context = chromium.new_context(viewport={"width": 390, "height": 844})
        made = context.new_page()
        made.complaints = []
        made.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.on("console", lambda said: made.complaints.append(said.text))
        made.goto(f"http://127.0.0.1:{wire.port}/")
        made.fill("#token", "a guess")
        made.click("text=Log in")
        made.wait_for_selector("text=This is no token")
        made.complaints.clear()  # the browser's own about the answer 403
        made.fill("#token", served[1])
        made.click("text=Log in")
        made.wait_for_selector("[data-seq]")
        yield made
        chromium.close()


def wait_for(what: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 20
    while not what():
        assert time.monotonic() < until_s, "it did not come"
        time.sleep(0.05)


def shown(page: Any) -> dict[str, Any]:
    """Return what stands on the page, by the names of things."""
    return dict(
        page.evaluate(
            """() => {
      const all = (selector, read) => Object.fromEntries(
        [...document.querySelectorAll(selector)].map(read));
      return {
        servers: all(".server", (e) => [e.dataset.server, e.dataset.state]),
        buffers: all("[data-buffer]", (e) => [e.dataset.buffer,
          Number(e.dataset.level)]),
        finished: all("[data-product]", (e) => [e.dataset.product,
          Number(e.querySelector('[data-count="finished"]').textContent)]),
        wip: Number(document.querySelector('[data-tile="wip"] dd').textContent),
        time: document.getElementById("time").textContent,
        alarms: document.querySelectorAll("[data-alarm]").length,
      };
    }"""
        )
    )


def wanted(runner: Runner) -> dict[str, Any]:
    """Return the same of the controller's own state."""
    core, state = runner.core, runner.core.state
    names = core.lowered.names
    modes = [t.MODE_NAMES[mode] for mode in state.servers["mode"]]
    levels = state.buffers["level"].tolist()
    finished = state.products["finished"].tolist()
    seconds = core.now_us // 1_000_000 + 20 * 3600  # the line began at 20:00
    seconds += 3600 * (core.now_us >= 5 * 3_600_000_000)  # summer time began at 2:00
    seconds %= 86400
    return {
        "servers": dict(zip(core.devices.servers, modes, strict=True)),
        "buffers": dict(zip(names.buffers, levels, strict=True)),
        "finished": dict(zip(names.products, finished, strict=True)),
        "wip": int(state.clock["wip"][0]),
        "time": f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        "alarms": len(core.alarms),
    }


def age(page: Any) -> str:
    return str(page.get_attribute("#age", "data-age"))


def test_the_page_shows_the_line_as_it_goes_on(page: Any, runner: Runner) -> None:
    assert shown(page) == wanted(runner)
    for hours in (10, 14.2, 25, 33.3):
        runner.run(hours)
        wait_for(lambda: shown(page) == wanted(runner))
    assert age(page) == "fresh"
    assert page.complaints == []


def test_a_cut_shows_and_what_came_meanwhile_is_made_up_for(
    page: Any, runner: Runner, wire: Wire
) -> None:
    before = shown(page)
    wire.cut()
    runner.run(48)
    wait_for(lambda: age(page) == "cut")
    assert "No connection for" in page.text_content("#age")
    assert shown(page) == before
    wire.mend()
    wait_for(lambda: shown(page) == wanted(runner))
    assert age(page) == "fresh"
    assert all("Failed to load" in text or "net::" in text for text in page.complaints)
    page.complaints.clear()


def test_hostile_names_are_text_and_nothing_else(page: Any, runner: Runner) -> None:
    runner.lie(f"{EVIL}#7")
    page.wait_for_selector("[data-alarm='1']")
    assert f"done of {EVIL}#7 was refused" in page.text_content("[data-alarm='1']")
    assert page.text_content("h1") == "<script>boom()</script>"
    assert page.evaluate("document.querySelectorAll('img, main script').length") == 0
    page.fill("#unit-name", f"{EVIL}:1")
    page.click("text=Show its life")
    page.wait_for_selector("[data-life]")
    assert page.text_content("#details-title") == f"{EVIL}:1"
    page.click("[data-tree='made-of'] [data-unit] >> nth=0")
    page.wait_for_selector("[data-life^='leg:']")
    assert EVIL in page.text_content("[data-tree='went-into']")
    page.click("[aria-label='Close']")
    page.fill("#unit-name", "leg:99999")
    page.click("text=Show its life")
    page.wait_for_selector("text=leg 99999 is not in the journal")
    assert [text for text in page.complaints if "404" not in text] == []
    page.complaints.clear()


def test_it_fits_a_phone_and_has_names_for_who_listens(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.emulate_media(color_scheme="dark")
    grounds = "[document.body, document.querySelector('.panel')].map(getComputedStyle)"
    dark = page.evaluate(f"{grounds}.map((style) => style.backgroundColor)")
    assert dark == ["rgb(14, 18, 23)", "rgb(23, 28, 36)"]
    assert page.get_by_role("button", name="turn: turn/1:").count() == 1
    page.click("[data-station='turn']")
    assert page.locator("dialog [data-server]").count() == 2
    page.keyboard.press("Escape")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, [role=img], dialog")]
        .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length
          || e.getAttribute("aria-labelledby"))).length"""
    )
    assert unnamed == 0


def test_a_page_whose_viewer_has_logged_out_says_so(page: Any) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("[data-seq]")
    other.click("text=Log out")
    other.wait_for_selector("#token")
    wait_for(lambda: age(page) == "cut")
    assert "Logged out" in page.text_content("#age")


def test_an_operator_holds_a_station_and_lets_it_go_on(
    page: Any, served: tuple[str, str, str], runner: Runner
) -> None:
    context = page.context.browser.new_context()  # somebody else's
    screen = context.new_page()
    screen.goto(served[0])
    screen.fill("#token", served[2])
    screen.fill("#name", EVIL)
    screen.click("text=Log in")
    screen.wait_for_selector("[data-seq]")
    screen.click("[data-station=saw]")
    screen.click("dialog [data-ask=hold] >> nth=0")
    assert "Say why first" in screen.inner_text("dialog .told")
    screen.fill("dialog .why", EVIL)
    screen.click("dialog [data-ask=hold] >> nth=0")
    inbox = Inbox(runner.journal.path)
    k = runner.core.lowered.names.stations.index("saw")

    def look() -> bool:
        until_us = runner.core.now_us + 1_000_000
        run_emulated(runner.emulation, until_us, None, inbox=inbox)
        return k in runner.core.asked.holds

    wait_for(look)
    screen.wait_for_selector("dialog .held")
    assert EVIL in screen.inner_text("dialog .held")
    about = runner.core.asked.holds[k]
    assert (about["by"], about["why"]) == (EVIL, EVIL)
    assert screen.get_attribute("[data-station=saw]", "data-held") == "true"
    screen.goto(served[0] + "operator.html#saw")
    screen.wait_for_selector("[data-ask=resume]")
    assert EVIL in screen.inner_text("#state")
    screen.click("[data-ask=resume]")
    wait_for(lambda: not look())
    screen.wait_for_selector("[data-ask=hold]")
    inbox.close()
    context.close()
