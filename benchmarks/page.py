"""How long it takes from a record on disk to the figure on a screen.

A controller runs 50 stations and commits about 200 records a second; `linewright serve`
follows its journal; a browser shows the page while 99 others read the stream. The clock
starts when a commit has returned and ends when the page has changed for that record.

``python -m benchmarks.page [--seconds 30] [--viewers 100] [--rate 200]``
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import contextlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
from playwright.sync_api import sync_playwright

from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of
from linewright.lower import lower
from linewright.model.load import loads
from tests.parts import find_browser

_N_STATIONS = 50
_WATCH = """() => {
  window.shown = [];
  new MutationObserver(() => window.shown.push([
    Number(document.documentElement.dataset.seq),
    performance.timeOrigin + performance.now()]),
  ).observe(document.documentElement, {attributeFilter: ["data-seq"]});
}"""


def model() -> str:
    """Return the text of a line of 50 stations in five stages."""
    names = [f"station_{k + 1}" for k in range(_N_STATIONS)]
    stations = "".join(
        f"  {name}: {{process: exponential(1 min), buffer: 8, "
        f"stage: part {k // 10 + 1}, "
        "failures: {stop: {every: exponential(2 h), repair: 6 min}}}\n"
        for k, name in enumerate(names)
    )
    stages = ", ".join(f"part {i + 1}" for i in range(_N_STATIONS // 10))
    return (
        "schema_version: 1\nname: Fifty stations\nstart: 2027-01-04 06:00\n"
        f"stages: [{stages}]\nstations:\n{stations}"
        f"products: {{part: {{route: [{', '.join(names)}], release: always}}}}\n"
        "study: {horizon: 30 d, kind: terminating, replications: 1}\n"
    )


def control(path: str, rate: float, begun: Any, ended: Any, pipe: Any) -> None:
    """Run the line, and note when each record was on disk."""
    line = loads(model())
    lowered = lower(line, line.study.horizon)
    journal = journal_of(path, line, lowered, 1)
    emulation = Emulation(lowered, journal, 1)
    now_us = 3_600_000_000 * 4
    emulation.run(now_us)  # until the line is full
    before, span_us = journal.next_seq, 600_000_000
    emulation.run(now_us + span_us)
    step_us = int(span_us / (journal.next_seq - before) * rate * 0.02)
    now_us += span_us
    begun.set()
    written, following_s = [], time.monotonic()
    while not ended.is_set():
        now_us += step_us
        if emulation.run(now_us):
            written.append((journal.next_seq - 1, time.time() * 1e3))
        following_s += 0.02
        time.sleep(max(following_s - time.monotonic(), 0))
    pipe.send(written)
    journal.close()


def log_in(port: int, token: str) -> str:
    """Return the cookie of a new session."""
    http = HTTPConnection("127.0.0.1", port)
    origin = {"Origin": f"http://127.0.0.1:{port}"}
    http.request("POST", "/login", urlencode({"token": token}), origin)
    cookie = http.getresponse().getheader("Set-Cookie", "")
    http.close()
    return cookie.partition(";")[0]


async def look_on(port: int, cookies: list[str], seconds: float) -> list[int]:
    """Read as many streams as there are cookies; return the bytes of each."""

    async def read(cookie: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        host = f"127.0.0.1:{port}"
        head = f"GET /events HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"
        writer.write(head.encode())
        n, until_s = 0, time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while (left_s := until_s - time.monotonic()) > 0:
                n += len(await asyncio.wait_for(reader.read(65536), left_s))
        writer.close()
        return n

    return list(await asyncio.gather(*(read(cookie) for cookie in cookies)))


def others(port: int, cookies: list[str], seconds: float, pipe: Any) -> None:
    """Look on in a process of one's own."""
    pipe.send(asyncio.run(look_on(port, cookies, seconds)))


def cpu_s(pid: int) -> float:
    """Return how long a process has used a core."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def memory_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def watch(url: str, token: str, seconds: float, png: Path | None) -> list[list[float]]:
    """Return which record the page has shown when, milliseconds."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(url)
        page.fill("#token", token)
        page.click("text=Log in")
        page.wait_for_selector("[data-seq]")
        page.evaluate(_WATCH)
        page.wait_for_timeout(seconds * 1e3)
        if png is not None:
            page.screenshot(path=png)
        shown: list[list[float]] = page.evaluate("window.shown")
        browser.close()
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200, help="records a second")
    parser.add_argument("--png", type=Path, help="keep a picture of the page")
    args = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "page.journal"))
        begun, ended, [told, tell] = fresh.Event(), fresh.Event(), fresh.Pipe()
        controller = fresh.Process(
            target=control, args=(path, args.rate, begun, ended, tell)
        )
        controller.start()
        begun.wait(300)
        command = [sys.executable, "-m", "linewright", "serve", path, "--port", "0"]
        server = subprocess.Popen(
            [*command, "--quiet", "--tokens", str(args.viewers)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        url, _, *tokens = (
            server.stdout.readline().strip() for _ in range(args.viewers + 2)
        )
        port = urlsplit(url).port
        assert port is not None
        cookies = [log_in(port, token) for token in tokens[1:]]
        [heard, hear] = fresh.Pipe(duplex=False)
        crowd = fresh.Process(target=others, args=(port, cookies, args.seconds, hear))
        crowd.start()
        used_s, begun_s = cpu_s(server.pid), time.monotonic()
        shown = watch(url, tokens[0], args.seconds, args.png)
        used_s = (cpu_s(server.pid) - used_s) / (time.monotonic() - begun_s)
        held_mb = memory_mb(server.pid)
        n_bytes = heard.recv()
        ended.set()
        written = told.recv()
        crowd.join()
        controller.join()
        server.terminate()
        server.wait()
    seqs = [seq for seq, _ in shown]
    taken_ms = [
        shown[i][1] - at_ms
        for seq, at_ms in written
        if (i := bisect.bisect_left(seqs, seq)) < len(shown) and seqs[0] < seq
    ]
    rate = (written[-1][0] - written[0][0]) / (written[-1][1] - written[0][1]) * 1e3
    gaps_ms = np.diff([at_ms for _, at_ms in shown])
    p50, p95, p99 = np.percentile(taken_ms, [50, 95, 99])
    found = {
        "stations": _N_STATIONS,
        "viewers": args.viewers,
        "records_per_s": round(rate, 1),
        "updates_per_s": round(1e3 / float(gaps_ms.mean()), 2),
        "commits_seen": len(taken_ms),
        "to_screen_ms": {"p50": round(p50), "p95": round(p95), "p99": round(p99)},
        "server_cores": round(used_s, 2),
        "server_mb": round(held_mb),
        "kb_per_s_each": round(float(np.mean(n_bytes)) / args.seconds / 1e3, 1)
        if n_bytes
        else None,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
