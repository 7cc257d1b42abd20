"""The server of the live page: one follower of the journal, any number of viewers."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import math
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from linewright.control.genealogy import Genealogy
from linewright.errors import JournalError, JournalStalledError
from linewright.report.palette import css_variables
from linewright.web.following import Follower
from linewright.web.guard import COOKIE, Guard
from linewright.web.hub import Hub
from linewright.web.sessions import LONGEST_S, Sessions
from linewright.web.viewing import Viewing

__all__ = ["Address", "LivePage", "serve"]

POLL_S = 0.1
SPANS_S = 1.0
ALIVE_S = 1.0
MOST_STREAMS = 200
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_OPEN = ("/", "/login", "/login.js", "/live.css", "/icon.svg")


class Address(NamedTuple):
    """Where the page is served.

    Attributes:
        host: Address to listen on.
        port: Its port; 0 takes a free one.
        names: Other names by which browsers may call it.
        certificate: File with the TLS certificate, or None.
        key: File with its private key, or None.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """Return ``https`` where there is a certificate."""
        return "https" if self.certificate else "http"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names by which browsers may call it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        loopback = ("localhost", "127.0.0.1", "[::1]") if self.is_loopback else ()
        return (host, *loopback, *self.names)

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can call it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Refuse what would let others in without TLS.

        Raises:
            ValueError: It would, or a certificate or key is missing or open to others.
        """
        if (self.certificate is None) != (self.key is None):
            msg = "a certificate and its key belong together: --certificate and --key"
            raise ValueError(msg)
        if not self.is_loopback and self.certificate is None:
            msg = (
                f"{self.host} can be called by other machines, and without TLS "
                "everybody on the way could read along; give --certificate and --key, "
                "or keep to 127.0.0.1"
            )
            raise ValueError(msg)
        if self.host in {"0.0.0.0", "::"} and not self.names:
            msg = f"{self.host} is no name that a browser calls; say which with --name"
            raise ValueError(msg)
        for file in (self.certificate, self.key):
            if file is not None and not file.is_file():
                msg = f"{file}: there is no such file"
                raise ValueError(msg)
        if self.key is not None and self.key.stat().st_mode & 0o077:
            msg = f"{self.key} can be read by others; set its mode to 0600"
            raise ValueError(msg)


class LivePage:
    """The page of one journal, without the sockets; see the module's head.

    Args:
        follower: The line, as its journal has it.
        sessions: Who may look.
        address: Where it is served.
        clock_s: A clock that only goes forward, seconds.
        system_clock_s: The clock by which files are dated, seconds.

    Attributes:
        app: The application for an ASGI server.
        sessions: Who may look.
        hub: What is shown.
        problem: Why the journal is not followed any more, or empty.
        waiting: Why it is not followed for now, or empty.
        n_streams: How many viewers look on.
    """

    def __init__(
        self,
        follower: Follower,
        sessions: Sessions,
        address: Address,
        clock_s: Callable[[], float] = time.monotonic,
        system_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._follower, self.sessions, self._address = follower, sessions, address
        self._clock_s, self._system_clock_s = clock_s, system_clock_s
        self._viewing = Viewing(follower)
        self._about = self._viewing.about()
        self._books = threading.Lock()
        self._spans_s, self._has_old_spans = -math.inf, True
        self._news = asyncio.Event()
        self.hub = Hub()
        self.problem = self.waiting = ""
        self.n_streams = 0
        self.is_closing = False
        self._show(force=True)
        self._files = _files()
        routes = [
            Route("/", self._root, methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/api/about", self._tell_about, methods=["GET"]),
            Route("/api/state", self._state, methods=["GET"]),
            Route("/api/unit", self._unit, methods=["GET"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/{name}", self._file, methods=["GET"]),
        ]
        inner = Starlette(routes=routes, lifespan=self._lifespan)
        inner.router.redirect_slashes = False
        self.app: ASGIApp = Guard(
            inner, address.hosts, address.scheme, _OPEN, self._is_known
        )

    def _is_known(self, session: str) -> bool:
        return bool(session) and self.sessions.knows(session, self._clock_s())

    # ------------------------------------------------------------ following

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    async def _follow(self) -> None:
        while not self.problem:
            begun_s, version = self._clock_s(), self.hub.version
            await asyncio.to_thread(self.look)
            if self.hub.version != version:
                self._news.set()
                self._news = asyncio.Event()
            await asyncio.sleep(max(POLL_S - (self._clock_s() - begun_s), 0.01))

    def look(self) -> None:
        """Read what is new, and show it."""
        try:
            n = self._follower.poll()
        except JournalStalledError as error:
            self.waiting = str(error)
            return
        except JournalError as error:
            self.problem = str(error)
            return
        self.waiting = ""
        self._show(force=n > 0)

    def _show(self, *, force: bool) -> None:
        """Show the line as it is, and its spans a little less often."""
        now_s = self._clock_s()
        items = self._viewing.items() if force else {}
        self._has_old_spans = self._has_old_spans or force
        if self._has_old_spans and now_s - self._spans_s >= SPANS_S:
            self._spans_s, self._has_old_spans = now_s, False
            items |= self._viewing.spans()
        if items:
            self.hub.show(self._follower.next_seq - 1, items)

    def _alive(self) -> str:
        """Return how old what is shown is, in the words of the stream."""
        silent_s = max(self._system_clock_s() - self._follower.written_s(), 0.0)
        about = {
            "silent_s": round(silent_s, 1),
            "problem": self.problem,
            "waiting": self.waiting,
        }
        return f"event: alive\ndata: {json.dumps(about)}\n\n"

    # ------------------------------------------------------------ answers

    async def _root(self, request: Request) -> Response:
        is_in = self._is_known(request.cookies.get(COOKIE, ""))
        return self._answer("live.html" if is_in else "login.html")

    async def _file(self, request: Request) -> Response:
        return self._answer(request.path_params["name"])

    def _answer(self, name: str) -> Response:
        found = self._files.get(name)
        if found is None:
            return JSONResponse({"error": "there is no such page"}, 404)
        body, kind = found
        return Response(body, media_type=kind)

    async def _login(self, request: Request) -> Response:
        now_s = self._clock_s()
        if self.sessions.has_to_wait(now_s):
            text = "too many tries; wait a minute"
            return JSONResponse({"error": text}, 429, {"Retry-After": "60"})
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        session = self.sessions.log_in("".join(form.get("token", [])).strip(), now_s)
        if session is None:
            text = "this is no token, or it was used before"
            return JSONResponse({"error": text}, 403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE,
            session,
            max_age=int(LONGEST_S),
            httponly=True,
            samesite="strict",
            secure=self._address.scheme == "https",
        )
        return answer

    async def _logout(self, request: Request) -> Response:
        self.sessions.log_out(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def _tell_about(self, _: Request) -> Response:
        return JSONResponse(self._about)

    async def _state(self, _: Request) -> Response:
        return Response(self.hub.since(-1), media_type="application/json")

    async def _unit(self, request: Request) -> Response:
        name = request.query_params.get("name", "")
        try:
            life = await asyncio.to_thread(self._life, name)
        except JournalError as error:
            return JSONResponse({"error": str(error)}, 404)
        return JSONResponse(life)

    def _life(self, name: str) -> dict[str, Any]:
        with self._books:
            book = Genealogy(self._follower.place)
            try:
                return self._viewing.life(book, name)
            finally:
                book.close()

    async def _events(self, request: Request) -> Response:
        if self.n_streams >= MOST_STREAMS:
            return JSONResponse({"error": "too many look on already"}, 503)
        last = request.headers.get(
            "last-event-id", request.query_params.get("from", "")
        )
        seq = int(last) if last.isdecimal() and len(last) < 19 else -1
        return _Counted(self, request.cookies.get(COOKIE, ""), seq)

    async def stream(self, session: str, seq: int) -> AsyncIterator[str]:
        """Yield what changed since a record, as it changes; it ends with the session.

        Args:
            session: Whose it is.
            seq: Record that was seen last, or -1.
        """
        version, text = self.hub.version, self.hub.resumed(seq)
        alive_s = self._clock_s()
        yield f"retry: 1000\n\n{self._alive()}{_event(self.hub.seq, text)}"
        while not self.is_closing and self._is_known(session):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), ALIVE_S)
            if self.hub.version != version:
                seq, text = self.hub.seq, self.hub.since(version)
                version = self.hub.version
                yield _event(seq, text)
            if self._clock_s() - alive_s >= ALIVE_S:
                alive_s = self._clock_s()
                yield self._alive()


def _event(seq: int, text: str) -> str:
    return f"id: {seq}\ndata: {text}\n\n"


class _Counted(StreamingResponse):
    """A stream that is counted as long as somebody reads it."""

    def __init__(self, page: LivePage, session: str, seq: int) -> None:
        super().__init__(page.stream(session, seq), media_type="text/event-stream")
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._page.n_streams += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._page.n_streams -= 1


def _files() -> dict[str, tuple[bytes, str]]:
    """Return the files of the page by name: nothing else is ever sent."""
    found = {}
    for file in (resources.files("linewright.web") / "page").iterdir():
        kind = _TYPES.get(Path(file.name).suffix)
        if kind is None:
            continue
        text = file.read_text("utf-8")
        if file.name.endswith(".css"):
            text = text.replace("/*light*/", css_variables(0))
            text = text.replace("/*dark*/", css_variables(1))
        found[file.name] = (text.encode(), kind)
    return found


class _Server(uvicorn.Server):
    """A server that tells its streams when it is to end."""

    def __init__(self, config: uvicorn.Config, page: LivePage) -> None:
        super().__init__(config)
        self._page = page

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._page.is_closing = True
        super().handle_exit(sig, frame)


def serve(
    follower: Follower,
    sessions: Sessions,
    address: Address,
    on_ready: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        follower: The line, as its journal has it.
        sessions: Who may look.
        address: Where; see `Address.check`.
        on_ready: Told the page's address when it can be opened.

    Raises:
        ValueError: The address would let others in unseen.
        OSError: The port is taken, or the host is no address of this machine.
    """
    address.check()
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.create_server((address.host, address.port), family=family)
    page = LivePage(follower, sessions, address)
    config = uvicorn.Config(
        page.app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=3,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    name = (address.names or address.hosts)[0]
    on_ready(f"{address.scheme}://{name}:{listener.getsockname()[1]}/")
    try:
        _Server(config, page).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # it is how one ends it
    finally:
        listener.close()
