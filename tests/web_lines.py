"""A line that runs while a page looks on, and answers of the page without a socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of
from linewright.control.records import Signal
from linewright.lower import lower
from linewright.model.load import loads
from linewright.web.following import Follower
from linewright.web.serving import Address, LivePage
from linewright.web.sessions import Sessions
from linewright.web.viewing import Viewing
from tests.animation_texts import HOUR, WORKSHOP

__all__ = ["EVIL", "Clock", "Runner", "ask", "everything", "page_of"]

EVIL = "<img src=x onerror=boom()>'); DROP TABLE records;--"

_TEXT = WORKSHOP.replace("  desk:", f'  "{EVIL}":').replace(
    "name: Workshop", 'name: "<script>boom()</script>"'
)


class Runner:
    """The line of a journal, in the hands of its controller."""

    def __init__(
        self, path: Path, hours: float = 0, seed: int = 3, text: str = _TEXT
    ) -> None:
        self.line = loads(text)
        lowered = lower(self.line, self.line.study.horizon)
        self.journal = journal_of(path, self.line, lowered, seed)
        self.emulation = Emulation(lowered, self.journal, seed)
        self.core = self.emulation.controller.core
        self.run(hours)

    def run(self, hours: float) -> None:
        """Go on until so many hours from the line's start."""
        self.emulation.run(int(hours * HOUR))

    def lie(self, subject: str) -> None:
        """Tell the controller what cannot be true."""
        controller = self.emulation.controller
        controller.hear(Signal("done", subject), self.core.now_us)
        controller.flush()

    def close(self) -> None:
        self.journal.close()


class Clock:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def everything(follower: Follower) -> dict[str, Any]:
    """Return all that a page of a follower shows, made anew."""
    viewing = Viewing(follower)
    items = viewing.items() | viewing.spans()
    return {key: value for key, value in items.items() if value is not None}


def page_of(follower: Follower, clock: Clock, n_tokens: int = 1) -> LivePage:
    return LivePage(follower, Sessions(n_tokens), Address(), clock, clock)


class Answer:
    """What came back: status, headers, body."""

    def __init__(self, messages: list[Any]) -> None:
        start = next(m for m in messages if m["type"] == "http.response.start")
        self.status = int(start["status"])
        self.headers: dict[str, str] = {
            name.decode(): value.decode() for name, value in start["headers"]
        }
        self.body = b"".join(m.get("body", b"") for m in messages)

    @property
    def cookie(self) -> str:
        return self.headers["set-cookie"].partition(";")[0]


def ask(page: LivePage, path: str, body: str | None = None, **headers: str) -> Answer:
    """Return the answer to a request as a browser would send it, headers replaced.

    Args:
        page: The page.
        path: Path and query.
        body: Makes it a POST.
        headers: Replace those of a browser; empty ones are left out.
    """
    host = "127.0.0.1:8765"
    sent = {"host": host}
    method = headers.pop("method", "GET" if body is None else "POST")
    if body is not None:
        sent |= {"origin": f"http://{host}", "content-length": str(len(body.encode()))}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in sent.items() if v],
    }
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": (body or "").encode()}

    async def send(message: Any) -> None:
        messages.append(message)

    async def answer() -> None:
        await page.app(scope, receive, send)

    asyncio.run(answer())
    return Answer(messages)
