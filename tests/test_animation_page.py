"""The line in motion as a browser plays it: right at every time, silent and alone."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from linewright.lower import lower
from linewright.model.line import Line
from linewright.model.load import load, loads
from linewright.report.animation import animate, write_animation
from tests.animation_texts import HOUR, WORKSHOP, states
from tests.browser import page_size, print_pdf, render_dom, render_png

_WATCH = """<script>
  window.complaints = [];
  const complain = (kind) => (event) => window.complaints.push(
    `${kind}: ${event.message ?? event.reason ?? event.blockedURI ?? event}`);
  addEventListener("error", complain("error"));
  addEventListener("unhandledrejection", complain("promise"));
  document.addEventListener("securitypolicyviolation", complain("blocked"));
  for (const kind of ["error", "warn"]) console[kind] = complain(kind);
</script>"""

_REPORT = """<script>
  const answer = (() => { BODY })();
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify({
    answer, complaints: window.complaints,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name),
  });
  document.body.append(told);
</script>"""


def asked(page: Path, body: str, *flags: str) -> Any:
    """Return what a function body returns in a page, which must not complain."""
    text = page.read_text(encoding="utf-8")
    text = text.replace("<title>", _WATCH + "<title>", 1)
    text = text.replace("</body>", _REPORT.replace("BODY", body) + "</body>")
    asking = page.with_name("asking.html")
    asking.write_text(text, encoding="utf-8")
    found = re.search(
        r'<pre id="told">(.*?)</pre>', render_dom(asking, *flags), re.DOTALL
    )
    assert found, "the page did not answer"
    told = json.loads(html.unescape(found[1]))
    assert told["complaints"] == []
    assert told["requests"] == []
    return told["answer"]


@pytest.fixture(scope="module")
def line() -> Line:
    return loads(WORKSHOP)


@pytest.fixture
def page(tmp_path: Path, browser: str, line: Line) -> Path:
    assert browser
    made = animate(line, from_us=5 * HOUR, until_us=60 * HOUR)
    return write_animation(made, tmp_path / "page.html")


def in_words(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot of the page in the form of `states`."""
    servers = [s | {"parts": sorted(s["parts"])} for s in snapshot["servers"]]
    calendars = list(snapshot["calendars"].values())
    said = snapshot | {"servers": servers, "calendars": calendars}
    del said["time_us"]
    return said


def test_the_page_has_the_state_of_the_kernel_forwards_and_backwards(
    page: Path, line: Line
) -> None:
    times = [5 * HOUR + i * 3_217_654_321 for i in range(60)]
    wanted = dict(
        zip(times, states(lower(line, line.study.horizon), 3, 0, times), strict=True)
    )
    shuffled = [times[i * 23 % len(times)] for i in range(len(times))]
    orders = [times, times[::-1], shuffled]
    body = f"return {orders}.map((order) => order.map(linewright.stateAt));"
    for order, found in zip(orders, asked(page, body), strict=True):
        for at_us, snapshot in zip(order, found, strict=True):
            assert snapshot["time_us"] == at_us
            assert in_words(snapshot) == wanted[at_us], at_us


def test_what_is_shown_after_jumps_and_steps_is_the_state_there(
    page: Path, line: Line
) -> None:
    body = """
      const { player } = linewright, seen = [];
      for (const hour of [9, 50, 30, 30.5, 6, 59]) {
        player.goTo(hour * 3.6e9);
        for (let i = 0; i < 25; i++) player.step(hour === 30.5 ? -1 : 1);
        seen.push([player.cursor.snapshot(), linewright.stateAt(player.time)]);
      }
      return seen;
    """
    shown = asked(page, body)
    times = sorted({int(snapshot["time_us"]) for snapshot, _ in shown})
    found = states(lower(line, line.study.horizon), 3, 0, times)
    wanted = dict(zip(times, found, strict=True))
    for snapshot, fresh in shown:
        assert in_words(snapshot) == in_words(fresh) == wanted[snapshot["time_us"]]


def test_tokens_on_the_floor_are_the_parts_on_the_servers(page: Path) -> None:
    body = """
      const { player } = linewright;
      return [12, 33, 20].map((hour) => {
        player.goTo(hour * 3.6e9);
        const { film, cursor } = player;
        const shown = [...document.querySelectorAll("#floor .token")];
        const names = shown.map((token) => token.querySelector("title").textContent);
        const on = cursor.onServer.map(([part]) => part).filter((part) => part >= 0);
        return { names, on: on.map((part) => film.partName(part)),
          finished: document.querySelector("#products tr td:nth-child(4)").textContent,
          counted: String(cursor.finished[0]),
          clock: document.getElementById("time").textContent };
      });
    """
    found = asked(page, body)
    for each in found:
        assert set(each["on"]) <= set(each["names"])
        assert len(set(each["names"])) == len(each["names"])
        assert each["finished"] == each["counted"]
    # twelve hours after 20:00, of which summer time takes one
    assert found[0]["clock"] == "09:00:00"


def test_details_of_a_station_and_of_a_part_with_its_history(page: Path) -> None:
    body = """
      const { player } = linewright;
      player.goTo(33 * 3.6e9);
      document.querySelector('[data-station="1"]').dispatchEvent(
        new MouseEvent("click", { bubbles: true }));
      const station = document.getElementById("details").textContent;
      const before = player.film.data.parts.product.map((product, part) => part)
        .filter((part) => player.film.data.products[
          player.film.data.parts.product[part]].name === "desk"
          && player.cursor.onServer.flat().includes(part));
      player.select({ part: before[0] });
      const part = document.getElementById("details").textContent;
      const key = new KeyboardEvent("keydown", { key: "Escape", bubbles: true });
      document.body.dispatchEvent(key);
      return { station, part, closed: document.getElementById("details").hidden };
    """
    found = asked(
        page,
        body.replace(
            "dispatchEvent(new Key", "document.body.dispatchEvent(new Key"
        ).replace('key: "Escape" }', 'key: "Escape", bubbles: true }'),
    )
    assert "saw" in found["station"]
    assert "Before it:" in found["station"]
    assert re.search(r"desk:\d+", found["part"])
    assert "History" in found["part"]
    assert "turned away" not in found["part"]
    assert found["closed"] is True


def test_speed_is_simulated_time_for_each_second_that_one_looks_on(page: Path) -> None:
    body = """
      const { player } = linewright, speed = document.getElementById("speed");
      const frames = [];
      const real = window.requestAnimationFrame;
      window.requestAnimationFrame = (draw) => { frames.push(draw); return 0; };
      const passed = {};
      for (const each of ["1", "60", "3600"]) {
        player.pause();
        frames.length = 0;
        player.goTo(10 * 3.6e9);
        speed.value = each;
        player.play();
        let now = player.seen;
        for (let i = 0; i < 50; i++) {
          const [draw] = frames.splice(0);
          draw((now += 20));
        }
        passed[each] = player.time - 10 * 3.6e9;
      }
      player.pause();
      window.requestAnimationFrame = real;
      return passed;
    """
    passed = asked(page, body)
    assert passed == {
        "1": pytest.approx(1e6),
        "60": pytest.approx(60e6),
        "3600": pytest.approx(3600e6),
    }


@pytest.mark.parametrize("calm", [False, True])
def test_who_wants_less_motion_gets_less(page: Path, *, calm: bool) -> None:
    body = """
      const { player } = linewright, plays = player.playing;
      player.goTo(12 * 3.6e9);
      let most = 0;
      for (let i = 0; i < 40; i++) {
        player.step(1);
        most = Math.max(most, player.floor.gliding.size);
      }
      return { plays, glides: most > 0 };
    """
    flags = ["--force-prefers-reduced-motion"] if calm else []
    assert asked(page, body, *flags) == {"plays": not calm, "glides": not calm}


def test_a_page_of_a_hundred_thousand_changes_stays_smooth(
    tmp_path: Path, browser: str, project: Path
) -> None:
    assert browser
    plant = load(project / "examples" / "light-aircraft" / "plant.yaml")
    made = animate(plant, until_us=200 * 24 * HOUR)
    assert made.changes > 100_000
    page = write_animation(made, tmp_path / "page.html")
    body = """
      const { player } = linewright, { film } = player;
      const timed = (action) => {
        const start = performance.now();
        action();
        return performance.now() - start;
      };
      player.pause();
      const load = timed(() => new Film(film.data));
      const jumps = [];
      for (let i = 1; i < 20; i++) {
        const time = film.until * ((i * 7) % 20) / 20;
        jumps.push(timed(() => player.goTo(time)));
      }
      const steps = timed(() => { for (let i = 0; i < 500; i++) player.step(1); });
      return { load, jump: Math.max(...jumps), step: steps / 500 };
    """
    took_ms = asked(page, body)
    assert took_ms["load"] < 4_000  # a shared machine; a laptop takes a tenth
    assert took_ms["jump"] < 1_000
    assert took_ms["step"] < 100


def test_the_page_fits_a_laptop_prints_and_knows_the_dark(page: Path) -> None:
    assert page_size(page, 1366)[0] == 1366
    light, dark = page.with_name("light.png"), page.with_name("dark.png")
    render_png(page, light, width=1366, height=700, fragment="#t=90000")
    render_png(page, dark, width=1366, height=700, fragment="#t=90000", dark=True)
    assert light.read_bytes() != dark.read_bytes()
    pdf = page.with_suffix(".pdf")
    print_pdf(page, pdf)
    assert pdf.read_bytes().startswith(b"%PDF")
