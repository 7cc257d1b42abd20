"""The REST interface: what may be asked, by whom, and what whatever bytes come do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from linewright.control.reading import JournalReader
from linewright.drivers.emulated import run_emulated
from linewright.drivers.inbox import Inbox
from linewright.web.asking import Asking, openapi
from linewright.web.following import Follower
from linewright.web.keys import Keys, new_key
from linewright.web.serving import Address, LivePage
from linewright.web.sessions import Sessions
from tests.web_lines import Answer, Clock, Runner, ask

LINE = """
schema_version: 1
name: frames
time_zone: Europe/Berlin
start: 2027-03-01 06:00
study: {horizon: 2 weeks}
stations:
  cut: {process: 10 min}
  weld: {process: 10 min, buffer: 5}
products:
  frame: {release: {kind: orders}, route: [cut, weld]}
orders:
  - {id: first, product: frame, quantity: 40}
"""


class Site:
    """A line that runs a little whenever somebody waits for it, and its page."""

    def __init__(self, folder: Path) -> None:
        self.runner = Runner(folder / "a.journal", 1, text=LINE)
        self.inbox = Inbox(self.runner.journal.path)
        self.follower = Follower(self.runner.journal.path)
        file, last_day = folder / "keys", date(2030, 1, 1)
        self.keys = {
            role: new_key(file, role, role, last_day) for role in ("viewer", "engineer")
        }
        roles = {"viewer": 1, "operator": 1, "engineer": 1}
        sessions = Sessions(roles, Keys(file))
        clock = Clock()
        self.page = LivePage(self.follower, sessions, Address(), clock, clock)
        self.cookies = {}
        for role, token in sessions.told():
            answer = ask(self.page, "/login", f"token={token}&name=the {role}")
            self.cookies[role] = answer.cookie
        self.is_running = True
        path, line = self.follower.place, self.follower.line
        waited = iter(range(10**9))
        self.page._asking = Asking(  # noqa: SLF001
            path, line, lambda: next(waited) * 1.0, self.look
        )

    def look(self, _: float = 0) -> None:
        """Let the controller look into its inbox, if it runs."""
        if self.is_running:
            until_us = self.runner.core.now_us + 60_000_000
            run_emulated(self.runner.emulation, until_us, None, inbox=self.inbox)

    def ask(
        self,
        role: str,
        body: Any,
        path: str = "/api/requests",
        kind: str = "application/json",
    ) -> Answer:
        text = body if isinstance(body, str) else json.dumps(body)
        cookie = self.cookies[role]
        return ask(self.page, path, text, cookie=cookie, content_type=kind)

    def close(self) -> None:
        self.follower.close()
        self.inbox.close()
        self.runner.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def told(answer: Answer) -> Any:
    return json.loads(answer.body)


def test_each_role_may_do_its_own_and_the_journal_knows_who_it_was(site: Site) -> None:
    hold = {"what": "hold", "why": "<b>smoke</b>", "data": {"stations": ["weld"]}}
    data: dict[str, Any] = {"product": "frame", "quantity": 2, "is_held": True}
    order = {"what": "order", "data": data}
    assert site.ask("viewer", hold).status == 403
    assert site.ask("operator", order).status == 403
    done = site.ask("operator", hold)
    assert done.status == 200
    assert told(done)["requests"][0]["text"].startswith("weld is held")
    again = site.ask("operator", hold)
    assert again.status == 409
    assert told(again)["requests"][0]["is_accepted"] is False
    data |= {
        "name": "late",
        "due": "2027-03-02T09:00",
        "release": "2027-03-01T12:00:00+00:00",
    }
    assert site.ask("engineer", order).status == 200
    records = [one.record for one in JournalReader(site.runner.journal.path).read()]
    asked = [r for r in records if r.kind in {"request", "declined"}]
    assert [r.body["by"] for r in asked] == ["the operator"] * 2 + ["the engineer"]
    assert asked[0].body["why"] == "<b>smoke</b>"
    row = site.runner.core.state.orders[1]
    assert row["due"] == 27 * 3_600_000_000
    assert (
        asked[2].body["data"]["release_us"] == 7 * 3_600_000_000
    )  # Berlin is an hour on


def test_a_request_with_a_key_is_done_once_and_waits_for_a_controller(
    site: Site,
) -> None:
    site.is_running = False
    wish = {"what": "hold", "why": "tea", "key": "k1", "data": {"stations": ["cut"]}}
    for _ in range(2):
        answer = site.ask("operator", wish)
        assert answer.status == 202
    site.is_running = True
    site.look()
    found = ask(
        site.page, "/api/requests?key=k1&key=k2", cookie=site.cookies["operator"]
    )
    first, other = told(found)["requests"]
    assert first["is_accepted"] is True
    assert other == {"key": "k2", "is_accepted": None, "text": ""}
    assert site.ask("operator", wish).status == 200  # the same answer again
    kinds = [one.record.kind for one in JournalReader(site.runner.journal.path).read()]
    assert kinds.count("request") == 1
    clash = wish | {"data": {"stations": ["weld"]}}
    assert site.ask("operator", clash).status == 409


def test_files_of_orders_come_whole_or_not_at_all(site: Site) -> None:
    def bring(text: str, kind: str, role: str = "engineer") -> Answer:
        return ask(
            site.page,
            "/api/orders?is_held=true",
            text,
            cookie=site.cookies[role],
            content_type=kind,
        )

    rows = "id,product,quantity,due\n"
    assert bring(rows + "a,frame,1,\n", "text/csv", "operator").status == 403
    done = bring(rows + "a,frame,1,2027-03-03\nb,frame,2,\n", "text/csv; charset=utf-8")
    assert done.status == 200, done.body
    assert [one["is_accepted"] for one in told(done)["requests"]] == [True, True]
    assert site.runner.core.lowered.names.orders == ("first", "a", "b")
    again = "/api/orders?key=file-7"
    for _ in range(2):
        answer = site.ask("engineer", rows + "k,frame,1,\n", again, "text/csv")
        assert answer.status == 200, answer.body
    assert list(site.runner.core.lowered.names.orders[3:]) == ["k"]
    wrong = bring(rows + "c,fraem,1,\nd,frame,0,\ne,frame,1,\n", "text/csv")
    assert wrong.status == 422
    first, second = told(wrong)["findings"]
    assert first.startswith("orders.csv:2:")
    assert 'did you mean "frame"' in first
    assert second.startswith("orders.csv:3:")
    bomb = '<!DOCTYPE a [<!ENTITY b "b">]><OperationsSchedule>&b;</OperationsSchedule>'
    assert bring(bomb, "application/xml").status == 422
    assert bring("x", "image/png").status == 415
    assert len(site.runner.core.lowered.names.orders) == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("[]", 400),
        ("{", 400),
        ('{"what": "hold", "data": {}, "by": "somebody else"}', 400),
        ('{"what": 3}', 400),
        ('{"what": "hold", "data": NaN}', 400),
        ("[" * 9_000, 400),
        ('{"what": "hold", "key": "", "data": {}}', 400),
        ('{"what": "order", "data": {"product": "frame", "quantity": 1e300}}', 422),
        ('{"what": "order", "data": {"product": "frame", "due": "soon"}}', 400),
        ('{"what": "order", "data": {"product": "frame", "due": "9999-12-31"}}', 422),
        ('{"what": "hold", "data": {"stations": "cut"}}', 422),
        ('{"what": "hold", "why": "\\u0007", "data": {}}', 422),
        ('{"what": "explode", "data": {}}', 403),
    ],
)
def test_what_is_no_request_is_refused(site: Site, body: str, status: int) -> None:
    role = "operator" if "explode" not in body and "order" not in body else "engineer"
    answer = site.ask(role, body)
    if "explode" in body:
        status = 422  # nobody knows it, whoever asks
    assert answer.status == status, answer.body
    assert told(answer)["error"]
    records = [
        one.record.kind for one in JournalReader(site.runner.journal.path).read()
    ]
    assert "request" not in records


class _Api:
    """The interface of whichever site is up; it is described before there is one."""

    site: Site | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert self.site is not None
        await self.site.page.app(scope, receive, send)


api = _Api()
schema = schemathesis.openapi.from_dict(openapi())
schema.app = api


@pytest.fixture(scope="module", autouse=True)
def _site_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    api.site = Site(tmp_path_factory.mktemp("fuzzed"))
    yield
    api.site.close()


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_the_interface_is_as_it_is_described(case: Any) -> None:
    """Whatever is sent, an answer comes that the description has, and no error."""
    assert api.site is not None
    for role in ("engineer", "viewer"):
        headers = {"Authorization": f"Bearer {api.site.keys[role]}"}
        base_url = "http://127.0.0.1:8765"
        if case.call(base_url=base_url, headers=headers).status_code == 414:
            continue  # it is described, but no status that is known there as a refusal
        case.call_and_validate(
            base_url=base_url,
            headers=headers,
            # what a schema cannot say, such as which orders there are, is a 422
            excluded_checks=[schemathesis.checks.positive_data_acceptance],
        )
