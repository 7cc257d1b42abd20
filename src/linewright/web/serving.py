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
from datetime import UTC, datetime
from functools import partial
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
from linewright.errors import JournalError, JournalStalledError, LinewrightError
from linewright.report.palette import css_variables
from linewright.web.asking import MOST_FILE, Asking, Reply, openapi
from linewright.web.audit import Audit
from linewright.web.drift_watch import DriftWatch
from linewright.web.entrance import Entrance
from linewright.web.following import Follower
from linewright.web.foretelling import Foreteller
from linewright.web.guard import COOKIE, WHO, Guard, Rules, key_of
from linewright.web.hub import Hub
from linewright.web.roles import ENGINEER, OPERATOR, Who
from linewright.web.sessions import LONGEST_S, Sessions
from linewright.web.viewing import Items, Viewing

__all__ = ["Address", "LivePage", "serve"]

POLL_S = 0.1
SPANS_S, SPANS_PAUSE = 1.0, 3.0  # seconds, and times as long as they took
ALIVE_S = 1.0
FORETELL_S = 0.5
DRIFT_S = 1.0
MOST_STREAMS = 200
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_ROLES = {"/api/requests": OPERATOR, "/api/orders": ENGINEER}
_METHODS = {
    "/login": "POST",
    "/logout": "POST",
    "/api/orders": "POST",
    "/api/requests": "GET, HEAD, POST",
}
_QUERIES: dict[str, tuple[str, ...]] = {
    "/api/about": (),
    "/api/state": (),
    "/api/unit": ("name",),
    "/api/drift.yaml": (),
    "/api/drift.json": (),
    "/api/requests": ("key",),
    "/api/orders": ("is_held", "key"),
}
_MOST_BYTES = {"/login": 4_096, "/api/requests": 20_000, "/api/orders": MOST_FILE}
_OPEN = ("/", "/login", "/login.js", "/live.css", "/icon.svg")
_LOGINS = {False: "login.html", True: "accounts.html"}


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
        audit: File for the audit trail; None keeps none.
        n_fitted: How many times the inputs of a station rest on, by its name, where
            the model was fitted.

    Attributes:
        app: The application for an ASGI server.
        sessions: Who may look.
        hub: What is shown.
        problem: Why the journal is not followed any more, or empty.
        waiting: Why it is not followed for now, or empty.
        n_streams: How many viewers look on.
    """

    def __init__(  # noqa: PLR0913
        self,
        follower: Follower,
        sessions: Sessions,
        address: Address,
        clock_s: Callable[[], float] = time.monotonic,
        system_clock_s: Callable[[], float] = time.time,
        *,
        audit: Path | None = None,
        n_fitted: dict[str, int] | None = None,
    ) -> None:
        self._follower, self.sessions, self._address = follower, sessions, address
        self._entrance = Entrance(sessions, clock_s)
        self._clock_s, self._system_clock_s = clock_s, system_clock_s
        self._audit = Audit(audit, system_clock_s)
        self._viewing = Viewing(follower)
        self._foreteller = Foreteller(follower, clock_s)
        self._drift = DriftWatch(follower.place, n_fitted or {}, clock_s)
        self._looking = threading.Lock()
        self._asking = Asking(follower.place, follower.line)
        self._about = self._viewing.about()
        self._books = threading.Lock()
        self._spans_s, self._has_old_spans = -math.inf, True
        self._spans_pause_s = SPANS_S
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
            Route("/api/drift.yaml", self._overlay, methods=["GET"]),
            Route("/api/drift.json", self._proposal, methods=["GET"]),
            Route("/api/openapi.json", self._openapi, methods=["GET"]),
            Route("/api/requests", self._outcomes, methods=["GET"]),
            Route("/api/requests", self._ask, methods=["POST"]),
            Route("/api/orders", self._bring, methods=["POST"]),
            Route("/events", self._events, methods=["GET"]),
            Route("/{name}", self._file, methods=["GET"]),
        ]
        inner = Starlette(routes=routes, lifespan=self._lifespan)
        inner.router.redirect_slashes = False
        rules = Rules(
            address.hosts,
            address.scheme,
            _OPEN,
            _ROLES,
            _METHODS,
            _MOST_BYTES,
            _QUERIES,
        )
        self.app: ASGIApp = Guard(inner, rules, self._who_is, self._refused)

    def _who_is(self, session: str, key: str = "") -> Who | None:
        if key:
            today = datetime.fromtimestamp(self._system_clock_s(), UTC).date()
            try:
                return self.sessions.keys.who(key, today)
            except LinewrightError as error:  # without its file no key opens anything
                self._audit.note("look up a key", f"refused: {error}")
                return None
        try:
            return self.sessions.who(session, self._clock_s()) if session else None
        except LinewrightError as error:  # nor any account
            self._audit.note("look up an account", f"refused: {error}")
            return None

    def _refused(self, who: Who | None, scope: Scope, why: str) -> None:
        self._note(scope["path"], f"refused: {why}", scope, who)

    def _note(self, what: str, outcome: str, scope: Scope, who: Who | None) -> None:
        came_from = (scope.get("client") or ("",))[0]
        about = {} if who is None else {"who": who.name, "role": who.role}
        self._audit.note(what, outcome, came_from=came_from, **about)

    def close(self) -> None:
        """Close the audit trail."""
        self._audit.close()

    # ------------------------------------------------------------ following

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._follow())]
        tasks.append(asyncio.create_task(self._foretell()))
        tasks.append(asyncio.create_task(self._watch_drift()))
        try:
            yield
        finally:
            self._drift.close()  # else a look would be waited for
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _follow(self) -> None:
        while not self.problem:
            begun_s, version = self._clock_s(), self.hub.version
            await asyncio.to_thread(self.look)
            self._spread(version)
            await asyncio.sleep(max(POLL_S - (self._clock_s() - begun_s), 0.01))

    def _spread(self, version: int) -> None:
        """Wake the streams, if something was shown since a version."""
        if self.hub.version != version:
            self._news.set()
            self._news = asyncio.Event()

    async def _foretell(self) -> None:
        while not self.problem:
            await asyncio.sleep(FORETELL_S)
            version = self.hub.version
            await asyncio.to_thread(self.foretell)
            self._spread(version)

    async def _watch_drift(self) -> None:
        while not self.problem:
            await asyncio.sleep(DRIFT_S)
            if self._drift.is_due(self._follower.next_seq):
                version = self.hub.version
                await asyncio.to_thread(self.watch_drift)
                self._spread(version)

    def watch_drift(self) -> None:
        """Look whether the line is still that of its model, and show what is found."""

        def tell(items: Items) -> None:
            with self._looking:
                self.hub.show(self._follower.next_seq - 1, items)

        self._drift.look(self._follower.next_seq, tell)

    def look(self) -> None:
        """Read what is new, and show it."""
        with self._looking:
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

    def foretell(self) -> None:
        """Simulate what will be from the line as it stands, if it is time, and show it.

        Should that fail, the page says why, foretells nothing any more, and goes on
        with what it has read. Where the journal only could not be read for now, it is
        tried again.
        """
        with self._looking:
            if not self._foreteller.take():
                return
        found, problem = None, ""
        try:
            found = self._foreteller.look_ahead()
        except JournalStalledError as error:
            problem = str(error)
        except Exception as error:  # whatever it is: shown, and not the end of the page
            self._foreteller.problem = problem = str(error) or type(error).__name__
        with self._looking:
            items: Items = self._viewing.ahead(found, problem)
            self.hub.show(self._follower.next_seq - 1, items)

    def _show(self, *, force: bool) -> None:
        """Show the line as it is, and its spans a little less often."""
        now_s = self._clock_s()
        items = self._viewing.items() if force else {}
        self._has_old_spans = self._has_old_spans or force
        if self._has_old_spans and now_s - self._spans_s >= self._spans_pause_s:
            self._spans_s, self._has_old_spans = now_s, False
            items |= self._viewing.spans()
            took_s = self._clock_s() - now_s
            self._spans_pause_s = max(SPANS_S, SPANS_PAUSE * took_s)
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
        is_in = self._who_is(request.cookies.get(COOKIE, "")) is not None
        has_accounts = self.sessions.accounts.are_asked_for
        return self._answer("live.html" if is_in else _LOGINS[has_accounts])

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
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if "password" in form or "account" in form:
            return await self._enter(request, form)
        if self.sessions.has_to_wait(now_s):
            text = "too many tries; wait a minute"
            return JSONResponse({"error": text}, 429, {"Retry-After": "60"})
        token, name = ("".join(form.get(key, [])).strip() for key in ("token", "name"))
        role = self.sessions.role_of(token)
        try:
            session = self.sessions.log_in(token, now_s, name)
        except ValueError as error:
            return JSONResponse({"error": str(error), "asks": "name"}, 422)
        if session is None or role is None:
            self._note("log in", "refused: no token", request.scope, None)
            text = "this is no token, or it was used before"
            return JSONResponse({"error": text}, 403)
        self._note("log in", "done", request.scope, Who(role, name))
        return self._let_in(session)

    async def _enter(self, request: Request, form: dict[str, list[str]]) -> Response:
        """Log in with a name and a password."""
        name, password = ("".join(form.get(key, [])) for key in ("account", "password"))
        came_from = (request.scope.get("client") or ("",))[0]
        found = await self._entrance.enter(name, password, came_from)
        whose = found.account
        who = None if whose is None else Who(whose.role, whose.name)
        self._note("log in", found.note, request.scope, who)
        if found.session:
            return self._let_in(found.session)
        headers = {"Retry-After": str(found.wait_s)} if found.wait_s else None
        return JSONResponse({"error": found.error}, found.status, headers)

    def _let_in(self, session: str) -> Response:
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
        session = request.cookies.get(COOKIE, "")
        self._note("log out", "done", request.scope, self._who_is(session))
        self.sessions.log_out(session)
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def _tell_about(self, request: Request) -> Response:
        who: Who = request.scope[WHO]
        return JSONResponse(self._about | {"you": who._asdict()})

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

    # ------------------------------------------------------------ drift

    async def _overlay(self, _: Request) -> Response:
        proposal = self._drift.proposal
        if proposal is None:
            return JSONResponse({"error": "nothing is proposed"}, 404)
        return _saved(proposal["overlay"], "drift.yaml", "application/yaml")

    async def _proposal(self, _: Request) -> Response:
        proposal = self._drift.proposal
        if proposal is None:
            return JSONResponse({"error": "nothing is proposed"}, 404)
        text = json.dumps(proposal["ratify"], indent=1, ensure_ascii=False)
        return _saved(text + "\n", "drift.json", "application/json")

    # ------------------------------------------------------------ asking

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(openapi())

    async def _outcomes(self, request: Request) -> Response:
        keys = request.query_params.getlist("key")
        return _said(await asyncio.to_thread(self._asking.outcomes, keys))

    async def _ask(self, request: Request) -> Response:
        who, body = request.scope[WHO], await request.body()
        reply = await asyncio.to_thread(self._asking.ask, who, body)
        self._note("ask", _in_short(reply), request.scope, who)
        return _said(reply)

    async def _bring(self, request: Request) -> Response:
        who, body = request.scope[WHO], await request.body()
        kind = request.headers.get("content-type", "")
        is_held = request.query_params.get("is_held", "") == "true"
        key = request.query_params.get("key", "")
        bring = partial(self._asking.bring, who, kind, body, is_held=is_held, key=key)
        reply = await asyncio.to_thread(bring)
        self._note("bring orders", _in_short(reply), request.scope, who)
        return _said(reply)

    # ------------------------------------------------------------ the stream

    async def _events(self, request: Request) -> Response:
        if self.n_streams >= MOST_STREAMS:
            return JSONResponse({"error": "too many look on already"}, 503)
        last = request.headers.get(
            "last-event-id", request.query_params.get("from", "")
        )
        seq = int(last) if last.isdecimal() and len(last) < 19 else -1
        known_by = request.cookies.get(COOKIE, ""), key_of(request.headers)
        return _Counted(self, known_by, seq)

    async def stream(self, session: tuple[str, str], seq: int) -> AsyncIterator[str]:
        """Yield what changed since a record, as it changes; it ends with the session.

        Args:
            session: Whose it is, and the key if it is one of another system.
            seq: Record that was seen last, or -1.
        """
        version, text = self.hub.version, self.hub.resumed(seq)
        alive_s = self._clock_s()
        yield f"retry: 1000\n\n{self._alive()}{_event(self.hub.seq, text)}"
        while not self.is_closing and self._who_is(*session) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_S):
                    await self._news.wait()
            if self.hub.version != version:
                seq, text = self.hub.seq, self.hub.since(version)
                version = self.hub.version
                yield _event(seq, text)
            if self._clock_s() - alive_s >= ALIVE_S:
                alive_s = self._clock_s()
                yield self._alive()


def _saved(text: str, name: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=kind, headers=headers)


def _said(reply: Reply) -> Response:
    return JSONResponse(reply.body, reply.status)


def _in_short(reply: Reply) -> str:
    if "error" in reply.body:
        return f"refused: {reply.body['error']}"
    texts = [one["text"] or f"waits: {one['key']}" for one in reply.body["requests"]]
    more = f", and {len(texts) - 1} more" if len(texts) > 1 else ""
    return ("refused: " if reply.status == 409 else "") + texts[0] + more


def _event(seq: int, text: str) -> str:
    return f"id: {seq}\ndata: {text}\n\n"


class _Counted(StreamingResponse):
    """A stream that is counted as long as somebody reads it."""

    def __init__(self, page: LivePage, session: tuple[str, str], seq: int) -> None:
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
    *,
    audit: Path | None = None,
    n_fitted: dict[str, int] | None = None,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        follower: The line, as its journal has it.
        sessions: Who may look.
        address: Where; see `Address.check`.
        on_ready: Told the page's address when it can be opened.
        audit: File for the audit trail; None keeps none.
        n_fitted: How many times the inputs of a station rest on, by its name, where
            the model was fitted.

    Raises:
        ValueError: The address would let others in unseen.
        OSError: The port is taken, or the host is no address of this machine.
    """
    address.check()
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.create_server((address.host, address.port), family=family)
    page = LivePage(follower, sessions, address, audit=audit, n_fitted=n_fitted)
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
        page.close()
        listener.close()
