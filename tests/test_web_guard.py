"""Who may look, from where, and what a request cannot do: one test for each rule."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path

import pytest

from linewright.errors import LinewrightError
from linewright.web.following import Follower
from linewright.web.keys import Keys, new_key, without_key
from linewright.web.serving import ALIVE_S, MOST_STREAMS, Address, LivePage
from linewright.web.sessions import IDLE_S, LONGEST_S, Sessions
from tests.web_lines import EVIL, Answer, Clock, Runner, ask, page_of


@pytest.fixture(scope="module")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follower]:
    runner = Runner(tmp_path_factory.mktemp("web") / "a.journal", 20)
    runner.lie(f"{EVIL}#1")
    runner.close()
    made = Follower(runner.journal.path)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(follower: Follower, clock: Clock) -> LivePage:
    return page_of(follower, clock, 2)


def log_in(page: LivePage) -> str:
    """Return the cookie of a new session."""
    [(_, token), *rest] = page.sessions.told()
    page.sessions.tokens = rest
    answer = ask(page, "/login", f"token={token}")
    assert answer.status == 303
    return answer.cookie


def test_a_token_is_exchanged_once_for_a_cookie_that_no_script_reads(
    page: LivePage,
) -> None:
    (_, token), (_, other) = page.sessions.told()
    assert page.sessions.told() == []
    assert len(token) >= 32
    answer = ask(page, "/login", f"token={token}")
    assert answer.status == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ask(page, "/api/state", cookie=answer.cookie).status == 200
    again = ask(page, "/login", f"token={token}")
    assert again.status == 403
    assert "was used before" in again.body.decode()
    assert ask(page, f"/?token={other}").body.count(b"Log in")  # not in an address
    assert ask(page, "/login", f"token={other}").status == 303


def test_who_is_not_logged_in_sees_nothing_of_the_line(page: LivePage) -> None:
    for path in ("/api/about", "/api/state", "/api/unit?name=leg:1", "/events"):
        assert ask(page, path).status == 401
        assert ask(page, path, cookie="linewright=guess").status == 401
    for path in ("/main.js", "/live.html", "/no-such-file"):
        assert ask(page, path).status == 401
    assert b"Log in" in ask(page, "/").body


def test_a_session_ends_when_one_logs_out_is_away_or_after_a_week(
    page: LivePage, clock: Clock
) -> None:
    first = log_in(page)
    assert ask(page, "/logout", "", cookie=first).status == 303
    assert ask(page, "/api/state", cookie=first).status == 401
    second = log_in(page)
    sessions = Sessions(1)
    kept = sessions.log_in(sessions.told()[0][1], clock.now_s)
    assert kept is not None
    clock.now_s += IDLE_S - 1
    assert sessions.who(kept, clock.now_s)
    clock.now_s += 1
    assert ask(page, "/api/state", cookie=second).status == 401
    while clock.now_s < 1_000 + LONGEST_S - 1:
        assert sessions.who(kept, clock.now_s)
        clock.now_s += IDLE_S / 2
    clock.now_s = 1_000 + LONGEST_S
    assert not sessions.who(kept, clock.now_s)


def test_who_guesses_has_to_wait(page: LivePage, clock: Clock) -> None:
    [(_, token), *_] = page.sessions.told()
    for _ in range(10):
        assert ask(page, "/login", "token=guess").status == 403
    assert ask(page, "/login", f"token={token}").status == 429
    clock.now_s += 61
    assert ask(page, "/login", f"token={token}").status == 303


def test_a_foreign_host_or_origin_is_refused(page: LivePage) -> None:
    cookie = log_in(page)
    for host in ("evil.example", "evil.example:8765", "", "127.0.0.1.evil.example"):
        assert ask(page, "/", host=host).status == 400
    assert ask(page, "/", host="localhost:9").status == 200
    for origin in ("", "null", "http://evil.example", "https://127.0.0.1:8765"):
        assert ask(page, "/login", "token=x", origin=origin).status == 403
        assert ask(page, "/logout", "", origin=origin, cookie=cookie).status == 403
    assert ask(page, "/api/state", cookie=cookie).status == 200


def test_every_answer_carries_the_headers_of_a_closed_house(page: LivePage) -> None:
    cookie = log_in(page)
    answers = [
        ask(page, "/"),
        ask(page, "/api/state", cookie=cookie),
        ask(page, "/main.js", cookie=cookie),
        ask(page, "/", host="evil.example"),
        ask(page, "/api/state"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    assert answers[1].headers["content-type"] == "application/json"
    assert answers[2].headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2fpyproject.toml",
        "/%2e%2e/serving.py",
        "/page/../serving.py",
        "//etc/passwd",
        "/serving.py",
        "/live.html/",
    ],
)
def test_no_path_leads_to_a_file_that_is_not_of_the_page(
    page: LivePage, path: str
) -> None:
    answer = ask(page, path, cookie=log_in(page))
    assert answer.status == 404
    assert b"import" not in answer.body


def test_what_is_too_large_or_no_reading_is_refused(page: LivePage) -> None:
    cookie = log_in(page)
    assert ask(page, "/login", "token=" + "x" * 5_000).status == 413
    assert ask(page, "/login", "token=x", content_length="").status == 411
    assert ask(page, f"/api/unit?name={'x' * 2_000}", cookie=cookie).status == 414
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert ask(page, "/api/state", cookie=cookie, method=method).status == 405
    for path in ("/api/state", "/api/unit", "/events", "/api/lines", "/"):
        assert ask(page, path, "x", cookie=cookie).status in {404, 405}
    page.n_streams = MOST_STREAMS
    assert ask(page, "/events", cookie=cookie).status == 503


def test_hostile_names_are_data(page: LivePage) -> None:
    """HTML and SQL in the names of products and jobs go through as what they are."""
    cookie = log_in(page)
    about = json.loads(ask(page, "/api/about", cookie=cookie).body)
    assert EVIL in [product["name"] for product in about["products"]]
    items = json.loads(ask(page, "/api/state", cookie=cookie).body)["items"]
    assert items["alarm/1"]["subject"] == f"{EVIL}#1"
    name = f"{EVIL}:1".replace(";", "%3B").replace("#", "%23")
    life = json.loads(ask(page, f"/api/unit?name={name}", cookie=cookie).body)
    assert life["unit"] == f"{EVIL}:1"
    assert [row[2] for row in life["life"][:2]] == ["saw", "saw"]
    assert {fate for _, _, fate in life["made_of"]} == {"built in"}
    for wrong in ("leg:9999", "leg", "' OR 1=1 --:1", "leg:1; DROP TABLE units"):
        asked = wrong.replace(" ", "+").replace(";", "%3B")
        answer = ask(page, f"/api/unit?name={asked}", cookie=cookie)
        assert answer.status == 404
        assert "is no" in answer.body.decode()


def test_the_page_runs_no_text() -> None:
    """No innerHTML and its like, no script or style inside HTML, nothing from afar."""
    folder = resources.files("linewright.web") / "page"
    for file in folder.iterdir():
        text = file.read_text("utf-8")
        found = re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|"
            r"new Function|<script>|<style|style=|\son\w+=|https?://(?!www\.w3\.org/2000)",
            text,
        )
        assert found is None or file.name == "dom.js", (file.name, found)
    assert ".innerHTML" not in (folder / "dom.js").read_text("utf-8")


def test_a_stream_ends_with_its_session(page: LivePage, clock: Clock) -> None:
    cookie = log_in(page).partition("=")[2]

    async def read() -> list[str]:
        texts = []
        async for text in page.stream((cookie, ""), -1):
            texts.append(text)
            clock.now_s += ALIVE_S
            if len(texts) == 2:
                page.sessions.log_out(cookie)
        return texts

    texts = asyncio.run(asyncio.wait_for(read(), 10))
    assert len(texts) == 2
    assert f"id: {page.hub.seq}\n" in texts[0]
    assert "event: alive" in texts[1]


def test_others_are_let_in_over_tls_alone(tmp_path: Path) -> None:
    certificate, key = tmp_path / "line.pem", tmp_path / "line.key"
    Address().check()
    Address("localhost").check()
    Address("::1").check()
    for host in ("0.0.0.0", "192.168.1.20", "::", "line.example"):
        with pytest.raises(ValueError, match="without TLS"):
            Address(host).check()

    def address_of(host: str, *names: str) -> Address:
        return Address(host, 8765, names, certificate, key)

    with pytest.raises(ValueError, match="belong together"):
        Address(certificate=certificate).check()
    with pytest.raises(ValueError, match="there is no such file"):
        address_of("192.168.1.20").check()
    certificate.touch()
    key.touch(0o644)
    with pytest.raises(ValueError, match="can be read by others"):
        address_of("192.168.1.20").check()
    key.chmod(0o600)
    address_of("192.168.1.20").check()
    with pytest.raises(ValueError, match="no name that a browser calls"):
        address_of("0.0.0.0").check()
    address = address_of("0.0.0.0", "line.example")
    address.check()
    assert "line.example" in address.hosts
    assert "localhost" not in address.hosts


def test_over_tls_the_cookie_stays_there(
    follower: Follower, clock: Clock, tmp_path: Path
) -> None:
    address = Address("127.0.0.1", certificate=tmp_path / "a", key=tmp_path / "b")
    sessions = Sessions(1)
    page = LivePage(follower, sessions, address, clock, clock)
    [(_, token)] = sessions.told()
    plain = ask(page, "/login", f"token={token}")
    assert plain.status == 403  # its origin is http
    answer: Answer = ask(
        page, "/login", f"token={token}", origin="https://127.0.0.1:8765"
    )
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


def test_who_may_act_says_who_he_is_and_the_trail_has_it(
    follower: Follower, clock: Clock, tmp_path: Path
) -> None:
    trail = tmp_path / "trail.jsonl"
    sessions = Sessions({"viewer": 1, "operator": 1})
    page = LivePage(follower, sessions, Address(), clock, clock, audit=trail)
    tokens = dict(sessions.told())
    token = tokens["operator"]
    unnamed = ask(page, "/login", f"token={token}")
    assert unnamed.status == 422
    assert "say your name" in unnamed.body.decode()
    for bad in ("x" * 200, "a%00b", "%1b[2J"):
        assert ask(page, "/login", f"token={token}&name={bad}").status == 422
    cookie = ask(page, "/login", f"token={token}&name=Ada+%3Cb%3E").cookie
    you = json.loads(ask(page, "/api/about", cookie=cookie).body)["you"]
    assert you == {"role": "operator", "name": "Ada <b>"}
    viewer = ask(page, "/login", f"token={tokens['viewer']}").cookie
    assert ask(page, "/api/state", cookie=viewer).status == 200
    ask(page, "/login", "token=guess")
    ask(page, "/logout", "", cookie=cookie, origin="http://evil.example")
    ask(page, "/logout", "", cookie=cookie)
    page.close()
    told = [json.loads(line) for line in trail.read_text().splitlines()]
    assert [(one["what"], one["outcome"].partition(":")[0]) for one in told] == [
        ("log in", "done"),
        ("log in", "done"),
        ("log in", "refused"),
        ("/logout", "refused"),
        ("log out", "done"),
    ]
    assert [one.get("who") for one in told] == ["Ada <b>", None, None, *["Ada <b>"] * 2]
    assert trail.stat().st_mode & 0o077 == 0
    assert token not in trail.read_text()


def test_keys_of_other_systems_open_until_their_day_or_until_they_are_taken_out(
    follower: Follower, tmp_path: Path
) -> None:
    file = tmp_path / "keys.jsonl"
    erp = new_key(file, "erp", "engineer", date(2026, 3, 1))
    old = new_key(file, "old", "viewer", date(2026, 1, 1))
    with pytest.raises(LinewrightError, match="already"):
        new_key(file, "erp", "viewer", date(2026, 3, 1))
    assert erp not in file.read_text()
    now_s = datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp()
    keys = Keys(file)
    sessions = Sessions(0, keys)
    page = LivePage(follower, sessions, Address(), lambda: now_s, lambda: now_s)

    def status(key: str) -> int:
        return ask(page, "/api/state", authorization=f"Bearer {key}").status

    assert status(erp) == 200
    assert [status(key) for key in (old, "guess", "", erp[:-1])] == [401] * 4
    without_key(file, "erp")
    assert status(erp) == 401
    with pytest.raises(LinewrightError, match='did you mean "old"'):
        without_key(file, "odl")
    file.write_text('{"name": "a", "role": "boss"}\nno key\n')
    assert status(old) == 401  # and no error of the server
    with pytest.raises(LinewrightError, match=r"jsonl:1: .*\n.*jsonl:2: "):
        Keys(file)
    file.chmod(0o644)
    with pytest.raises(LinewrightError, match="0600"):
        Keys(file)
