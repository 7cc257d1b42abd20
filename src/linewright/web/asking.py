"""What other systems and the page ask of the line: the REST interface.

Nothing here touches the journal. A request goes into the inbox, the controller does it
or refuses it, and the answer is waited for a little while. What can be asked, and with
which fields, is said by `control.wishes`.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from linewright.control.asking import Outcome, Request
from linewright.control.places import Place
from linewright.control.wishes import WISHES, read_wish
from linewright.drivers.inbox import KeyTakenError, hand_in, outcomes_of
from linewright.errors import JournalError, ModelError
from linewright.importers.orders import read_orders
from linewright.model.calendars import to_tick
from linewright.model.line import Line
from linewright.version import __version__
from linewright.web.roles import ENGINEER, OPERATOR, Who, may

__all__ = ["MOST_FILE", "Asking", "Reply", "openapi"]

MOST_FILE = 4 * 1024 * 1024  # bytes of a file of orders
WAIT_S = 3.0
_LOOK_EVERY_S = 0.05
_MOST_KEYS = 100
_FILES = {"text/csv": ".csv", "application/xml": ".xml", "text/xml": ".xml"}
_TIMES = ("release", "due")


class Reply(NamedTuple):
    """An answer: status of HTTP, and a body of JSON."""

    status: int
    body: dict[str, Any]


class Asking:
    """The inbox of a line, for those who come over HTTP.

    Args:
        journal: The journal of the line.
        line: The line.
        clock_s: A clock that only goes forward, seconds.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        journal: Place,
        line: Line,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal, self._line = journal, line
        self._clock_s, self._sleep = clock_s, sleep

    def ask(self, who: Who, text: bytes) -> Reply:
        """Hand one request in, and wait a while for what becomes of it."""
        try:
            request = self._request(who, text)
        except ValueError as error:
            return Reply(400, {"error": str(error)})
        role = role_of(request.what)
        if not may(who, role):
            text_ = f'"{request.what}" is for the role {role}, and you are {who.role}'
            return Reply(403, {"error": text_})
        wrong = read_wish(request.what, request.by, request.why, request.data)
        if isinstance(wrong, str):
            return Reply(422, {"error": wrong})
        return self._handed_in([request])

    def bring(
        self, who: Who, kind: str, text: bytes, *, is_held: bool, key: str = ""
    ) -> Reply:
        """Hand the orders of a file in: CSV or B2MML.

        Args:
            who: Who brings them.
            kind: Kind of the file, as the header says it.
            text: The file.
            is_held: Whether the orders are held for now.
            key: Name of the file: brought twice with one, its orders come once.
        """
        if key and not _is_key(key):
            return Reply(422, {"error": _KEY})
        suffix = _FILES.get(kind.partition(";")[0].strip().casefold())
        if suffix is None:
            kinds = ", ".join(_FILES)
            return Reply(415, {"error": f"a file of orders is {kinds}"})
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, f"orders{suffix}")
            file.write_bytes(text)
            try:
                found = read_orders(file, self._line)
            except ModelError as error:
                said = [str(one).replace(f"{folder}/", "") for one in error.findings]
                return Reply(422, {"error": "; ".join(said[:5]), "findings": said})
        key = key or uuid.uuid4().hex
        requests = [
            Request(
                f"{key}/{n}", "order", who.name, "", one.data | {"is_held": is_held}
            )
            for n, one in enumerate(found, 1)
        ]
        return self._handed_in(requests)

    def outcomes(self, keys: Sequence[str]) -> Reply:
        """Return what became of requests, by their keys."""
        if not 1 <= len(keys) <= _MOST_KEYS:
            return Reply(400, {"error": f"ask for 1 to {_MOST_KEYS} keys"})
        try:
            found = outcomes_of(self._journal, keys)
        except JournalError as error:
            return Reply(503, {"error": str(error)})
        return Reply(200, {"requests": _rows(keys, found)})

    def _request(self, who: Who, text: bytes) -> Request:
        """Return the request of a body.

        Raises:
            ValueError: It is none.
        """
        try:
            body = json.loads(text.decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            msg = f"the body is no JSON: {error}"
            raise ValueError(msg) from error
        if not isinstance(body, dict):
            msg = "the body is an object with what, why, data and key"
            raise ValueError(msg)
        if unknown := body.keys() - {"what", "why", "data", "key"}:
            name = sorted(unknown)[0][:40]
            msg = f"{name!r} is no field; there are what, why, data and key"
            raise ValueError(msg)
        what, why = body.get("what"), body.get("why", "")
        data, key = body.get("data", {}), body.get("key", uuid.uuid4().hex)
        if not isinstance(what, str) or not isinstance(why, str):
            msg = "what and why are texts"
            raise ValueError(msg)
        if not isinstance(key, str) or not _is_key(key):
            raise ValueError(_KEY)
        if not isinstance(data, dict):
            msg = "data is an object with the fields of what is asked"
            raise ValueError(msg)
        return Request(key, what, who.name, why, self._with_ticks(data))

    def _with_ticks(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return data with times of the plant's clocks as ticks of the line."""
        found = dict(data)
        for name in _TIMES:
            if isinstance(at := found.get(name), str):
                if f"{name}_us" in found:
                    msg = f"give {name} or {name}_us, and not both"
                    raise ValueError(msg)
                del found[name]
                found[f"{name}_us"] = self._tick(name, at)
        return found

    def _tick(self, name: str, text: str) -> int:
        line = self._line
        try:
            return to_tick(datetime.fromisoformat(text), line.start, line.time_zone)
        except (ValueError, OverflowError) as error:
            msg = f"{name}: {text[:40]!r} is no time; write it like 2027-03-05T16:00"
            raise ValueError(msg) from error

    def _handed_in(self, requests: list[Request]) -> Reply:
        keys = [one.key for one in requests]
        try:
            hand_in(self._journal, requests)
            found = self._waited(keys)
        except KeyTakenError:
            text = f'the key "{keys[0]}" belongs to another request; take a new key'
            return Reply(409, {"error": text})
        except JournalError as error:
            return Reply(503, {"error": str(error)})
        rows = _rows(keys, found)
        if None in found:
            text = "it lies in the inbox, and is looked at when the controller runs"
            return Reply(202, {"requests": rows, "text": text})
        is_done = all(one is not None and one.is_accepted for one in found)
        return Reply(200 if is_done else 409, {"requests": rows})

    def _waited(self, keys: list[str]) -> list[Outcome | None]:
        until_s = self._clock_s() + WAIT_S
        while True:
            found = outcomes_of(self._journal, keys)
            if None not in found or self._clock_s() >= until_s:
                return found
            self._sleep(_LOOK_EVERY_S)


_KEY = "key is a text of 1 to 100 letters that can be printed"


def _is_key(text: str) -> bool:
    return 1 <= len(text) <= 100 and text.isprintable()


def role_of(what: str) -> str:
    """Return the least role of those who may ask for something."""
    return ENGINEER if what.partition(" ")[0] in {"order", "schedule"} else OPERATOR


def _rows(
    keys: Sequence[str], outcomes: Sequence[Outcome | None]
) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "is_accepted": None if one is None else one.is_accepted,
            "text": "" if one is None else one.text,
        }
        for key, one in zip(keys, outcomes, strict=True)
    ]


def _no_number(text: str) -> Any:
    msg = f"{text} is no number of JSON"
    raise ValueError(msg)


# ---------------------------------------------------------------- its description

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}
_OUTCOMES = {
    "type": "object",
    "required": ["requests"],
    "properties": {
        "text": {"type": "string"},
        "requests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "is_accepted", "text"],
                "properties": {
                    "key": {"type": "string"},
                    "is_accepted": {"type": ["boolean", "null"]},
                    "text": {"type": "string"},
                },
            },
        },
    },
}

_ASKED: dict[int, Any] = {
    200: _OUTCOMES,
    202: _OUTCOMES,
    409: {"anyOf": [_OUTCOMES, _ERROR]},
}


def _answers(good: dict[int, Any], *bad: int) -> dict[str, Any]:
    texts = {
        200: "done", 202: "not looked at yet", 409: "the controller refuses it",
        400: "no request", 401: "not known", 403: "not allowed",
        404: "there is no such thing", 411: "no length", 413: "too large",
        414: "the address is too long", 415: "another kind of file",
        422: "wrong fields", 503: "the inbox does not take it",
    }  # fmt: skip
    every = good | dict.fromkeys((*bad, 400, 401, 414), _ERROR)
    return {
        str(status): {
            "description": texts[status],
            "content": {"application/json": {"schema": schema}},
        }
        for status, schema in every.items()
    }


def openapi() -> dict[str, Any]:
    """Return the description of the interface, OpenAPI 3.1."""
    wishes = {
        f"Wish_{what.replace(' ', '_')}": wish.model_json_schema()
        for what, wish in WISHES.items()
    }
    for what, schema in zip(WISHES, wishes.values(), strict=True):
        schema["title"] = what
        schema["description"] = f"For the role {role_of(what)}."
        for name in _TIMES:
            if f"{name}_us" in schema["properties"]:
                text = "Time of the plant's clocks, or with a zone."
                when = {"type": "string", "description": text}
                schema["properties"][name] = when
    of_wishes = [
        {
            "type": "object",
            "required": ["what", "data"],
            "additionalProperties": False,
            "properties": {
                "what": {"const": what},
                "why": {"type": "string", "maxLength": 500},
                "key": {"type": "string", "minLength": 1, "maxLength": 100},
                "data": {"$ref": f"#/components/schemas/{name}"},
            },
        }
        for what, name in zip(WISHES, wishes, strict=True)
    ]
    anything = {"type": "object"}
    asked = {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": of_wishes}}},
    }
    brought = {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "maxLength": MOST_FILE}}
            for kind in _FILES
        },
    }
    keys = {
        "name": "key", "in": "query", "required": True, "explode": True,
        "schema": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    }  # fmt: skip
    held = {"name": "is_held", "in": "query", "schema": {"type": "boolean"}}
    once = {
        "name": "key", "in": "query", "schema": {"type": "string", "maxLength": 100},
        "description": "A file that is brought twice with one key comes once.",
    }  # fmt: skip
    unit = {
        "name": "name", "in": "query", "required": True,
        "schema": {"type": "string"}, "description": "Product and number: trainer:17.",
    }  # fmt: skip
    overlay = {
        "description": "done",
        "content": {"application/yaml": {"schema": {"type": "string"}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A line that runs",
            "version": __version__,
            "description": "What is shown of a line, and what can be asked of it.",
        },
        "security": [{"key": []}],
        "paths": {
            "/api/about": {
                "get": {
                    "summary": "What stays: names, and where things stand",
                    "responses": _answers({200: anything}),
                }
            },
            "/api/state": {
                "get": {
                    "summary": "What moves: servers, buffers, orders, forecasts",
                    "responses": _answers({200: anything}),
                }
            },
            "/api/unit": {
                "get": {
                    "summary": "The life of a unit",
                    "parameters": [unit],
                    "responses": _answers({200: anything}, 404),
                }
            },
            "/api/drift.yaml": {
                "get": {
                    "summary": "What is proposed where the line drifts, an overlay",
                    "responses": _answers({}, 404) | {"200": overlay},
                }
            },
            "/api/drift.json": {
                "get": {
                    "summary": "The same, as linewright ratify signs it",
                    "responses": _answers({200: anything}, 404),
                }
            },
            "/api/requests": {
                "get": {
                    "summary": "What became of requests",
                    "parameters": [keys],
                    "responses": _answers({200: _OUTCOMES}, 400, 403, 503),
                },
                "post": {
                    "summary": "Ask for something",
                    "requestBody": asked,
                    "responses": _answers(
                        _ASKED,
                        400, 403, 411, 413, 422, 503,
                    ),
                },
            },
            "/api/orders": {
                "post": {
                    "summary": "Bring orders, as CSV or B2MML",
                    "parameters": [held, once],
                    "requestBody": brought,
                    "responses": _answers(
                        _ASKED,
                        403, 411, 413, 415, 422, 503,
                    ),
                }
            },
        },
        "components": {
            "schemas": wishes,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip
