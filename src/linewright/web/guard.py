"""What every request has to pass, and what every answer carries.

A request names a host that we are, comes from our own page if it changes anything, is
small, and belongs to a session unless it is about logging in. What it asks for is
looked up by name: no path of a file is ever made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard"]

COOKIE = "linewright"
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
_MOST_BODY = 1_024  # bytes
_MOST_PATH = 1_024
_SAFE = {"GET", "HEAD"}


class Guard:
    """The outermost part of the application; see the module's head.

    Args:
        app: What is behind it.
        hosts: Names by which this server may be called, without a port.
        scheme: ``http`` or ``https``.
        open_paths: Paths that need no session.
        is_known: Says whether a session is one.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        scheme: str,
        open_paths: Iterable[str],
        is_known: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._hosts = {host.casefold() for host in hosts}
        self._scheme, self._open = scheme, frozenset(open_paths)
        self._is_known = is_known

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
                if self._scheme == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        headers = Headers(scope=scope)
        refusal = (
            self._unwanted(scope, headers)
            or self._foreign(scope, headers)
            or self._unknown(scope, headers)
        )
        await (refusal or self._app)(scope, receive, send_safely)

    def _unwanted(self, scope: Scope, headers: Headers) -> Response | None:
        if _without_port(headers.get("host", "")).casefold() not in self._hosts:
            return _said(400, "this server is not called by that name")
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MOST_PATH:
            return _said(414, "the address is too long")
        if scope["method"] not in _SAFE | {"POST"}:
            return _said(405, "only GET, HEAD and POST are answered")
        return None

    def _foreign(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["method"] in _SAFE:
            return None
        if headers.get("origin") != f"{self._scheme}://{headers['host']}":
            return _said(403, "the request does not come from this server's page")
        size = headers.get("content-length", "")
        if not size.isdecimal():
            return _said(411, "the request does not say how long it is")
        if int(size) > _MOST_BODY:
            return _said(413, f"the request has more than {_MOST_BODY} bytes")
        return None

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] in self._open:
            return None
        session = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return None if self._is_known(session) else _said(401, "log in first")


def _without_port(host: str) -> str:
    """Return the name of a ``Host`` header, such as ``[::1]`` of ``[::1]:8765``."""
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() and not name.endswith(":") else host


def _said(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status)
