"""What every request has to pass, and what every answer carries.

A request names a host that we are, is small, and comes from somebody who is known, and
who may do what it asks for, unless it is about logging in. Who is known by a cookie has
to come from our own page if it changes anything; a key in the header `Authorization` is
nothing that a browser would send by itself. What is asked for is looked up by name: no
path of a file is ever made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linewright.web.roles import VIEWER, Who, may

__all__ = ["COOKIE", "WHO", "Guard", "Rules", "key_of"]

COOKIE = "linewright"
WHO = "linewright.who"
"""Where the scope of a request that was let through says who asks."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # not no-referrer: with it browsers send `Origin: null` with forms
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_BODY = 1_024  # bytes, where no rule says otherwise
_MOST_PATH = 1_024
_SAFE = {"GET", "HEAD"}


class Rules(NamedTuple):
    """What is asked of requests.

    Attributes:
        hosts: Names by which this server may be called, without a port.
        scheme: ``http`` or ``https``.
        open_paths: Paths that need nobody who is known.
        roles: Least role for paths that are not for everybody who is known.
        methods: Methods that a path answers, where they are not GET and HEAD alone.
        queries: What may stand in the query of paths that take only that.
        most_bytes: Largest body for paths that take more than others.
    """

    hosts: Collection[str]
    scheme: str
    open_paths: Collection[str]
    roles: Mapping[str, str] = {}
    methods: Mapping[str, str] = {}
    most_bytes: Mapping[str, int] = {}
    queries: Mapping[str, Collection[str]] = {}


class Guard:
    """The outermost part of the application; see the module's head.

    Args:
        app: What is behind it.
        rules: What is asked of requests.
        who_is: Says who has a session, the first argument, or a key, the second.
        on_refusal: Told of requests that came too near: who, path, and why.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: Rules,
        who_is: Callable[[str, str], Who | None],
        on_refusal: Callable[[Who | None, Scope, str], None],
    ) -> None:
        self._app, self._rules = app, rules
        self._hosts = {host.casefold() for host in rules.hosts}
        self._who_is, self._on_refusal = who_is, on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # web sockets: closed without a word

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if self._rules.scheme == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        headers = Headers(scope=scope)
        refusal = (
            self._unwanted(scope, headers)
            or self._too_large(scope, headers)
            or self._unknown(scope, headers)
            or self._misspelt(scope)
        )
        await (refusal or self._app)(scope, receive, send_safely)

    def _unwanted(self, scope: Scope, headers: Headers) -> Response | None:
        if _without_port(headers.get("host", "")).casefold() not in self._hosts:
            return _said(400, "this server is not called by that name")
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MOST_PATH:
            return _said(414, "the address is too long")
        if scope["method"] not in _SAFE | {"POST"}:
            allowed = self._rules.methods.get(scope["path"], "GET, HEAD")
            return _said(405, f"only {allowed} are answered here", {"Allow": allowed})
        return None

    def _too_large(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["method"] in _SAFE:
            return None
        size = headers.get("content-length", "")
        if not size.isdecimal() or "transfer-encoding" in headers:
            return _said(411, "the request does not say how long it is")
        most = self._rules.most_bytes.get(scope["path"], MOST_BODY)
        if len(size) > 12 or int(size) > most:
            return _said(413, f"the request has more than {most} bytes")
        return None

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse who is not known, may not do this, or was sent by another page."""
        session = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        key = key_of(headers)
        is_open = scope["path"] in self._rules.open_paths
        who = None if is_open else self._who_is("" if key else session, key)
        if who is None and not is_open:
            if key:
                self._on_refusal(None, scope, "no such key, or not any more")
            return _said(401, "this key opens nothing" if key else "log in first")
        origin = f"{self._rules.scheme}://{headers['host']}"
        if scope["method"] not in _SAFE and headers.get("origin") != origin and not key:
            self._on_refusal(who, scope, "sent by another page")
            return _said(403, "the request does not come from this server's page")
        if who is None:
            return None
        role = self._rules.roles.get(scope["path"], VIEWER)
        if not may(who, role):
            self._on_refusal(who, scope, f"only for the role {role}")
            return _said(403, f"this is for the role {role}, and you are {who.role}")
        scope[WHO] = who
        return None

    def _misspelt(self, scope: Scope) -> Response | None:
        """Refuse a query with what its path does not know: it would go unheard."""
        known = self._rules.queries.get(scope["path"])
        if known is None:
            return None
        query = scope["query_string"].decode("latin-1")
        for name, _ in parse_qsl(query, keep_blank_values=True):
            if name not in known:
                hint = f"there are {', '.join(known)}" if known else "it takes none"
                return _said(400, f"{name[:40]!r} is no parameter here; {hint}")
        return None


def key_of(headers: Headers) -> str:
    """Return the key that a request brings, or nothing."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.casefold() == "bearer" else ""


def _without_port(host: str) -> str:
    """Return the name of a ``Host`` header, such as ``[::1]`` of ``[::1]:8765``."""
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() and not name.endswith(":") else host


def _said(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status, headers)
