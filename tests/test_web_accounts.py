"""Accounts: made on a terminal, kept as hashes, slowed, and ended when they change."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from linewright.cli import main
from linewright.errors import LinewrightError
from linewright.web import accounts as kept
from linewright.web.accounts import (
    Accounts,
    Cost,
    change_account,
    new_account,
    read_accounts,
    without_account,
)
from linewright.web.following import Follower
from linewright.web.serving import Address, LivePage
from linewright.web.sessions import Sessions
from linewright.web.slowing import Slowing
from tests.test_control_forecast import CERTAIN
from tests.web_lines import Answer, Clock, Runner, ask

WORDS = "nine brown hens, läying"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of these tests cost little; what they cost else is tested by itself."""
    monkeypatch.setattr(kept, "COST", Cost(n=1 << 4))


@pytest.fixture(scope="module")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follower]:
    runner = Runner(tmp_path_factory.mktemp("web") / "a.journal", 1, text=CERTAIN)
    runner.close()
    made = Follower(runner.journal.path)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "accounts.jsonl"
    new_account(made, "Ada", "operator", WORDS)
    return made


class Site:
    """The page of a line, with accounts and a trail."""

    def __init__(self, follower: Follower, file: Path) -> None:
        self.clock, self.trail = Clock(), file.with_name("trail.jsonl")
        sessions = Sessions({"viewer": 1}, accounts=Accounts(file))
        self.page = LivePage(
            follower, sessions, Address(), self.clock, self.clock, audit=self.trail
        )

    def enter(self, name: str, password: str) -> Answer:
        return ask(
            self.page, "/login", urlencode({"account": name, "password": password})
        )

    def status(self, cookie: str) -> int:
        return ask(self.page, "/api/state", cookie=cookie).status

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.trail.read_text().splitlines()]


@pytest.fixture
def site(follower: Follower, file: Path) -> Iterator[Site]:
    made = Site(follower, file)
    yield made
    made.page.close()


def test_a_password_is_kept_as_a_hash_by_the_costs_of_owasp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "COST", Cost())
    file = tmp_path / "accounts.jsonl"
    new_account(file, "Ada", "operator", WORDS)
    assert file.stat().st_mode & 0o777 == 0o600
    [account] = read_accounts(file)
    kind, n, r, p, salt, _ = account.hash.split("$")
    assert (kind, int(n), int(r), int(p)) == ("scrypt", 2**17, 8, 1)
    text = file.read_text()
    assert not any(word in text for word in (WORDS, *WORDS.split()))
    monkeypatch.setattr(kept, "COST", Cost(n=1 << 4))
    found = Accounts(file)  # what costs otherwise is still understood
    assert found.verified("ada", "nine brown hens, la\u0308ying") == account
    new_account(file, "Bob", "viewer", WORDS)
    found = Accounts(file)
    bob = read_accounts(file)[1]
    assert found.verified(" BOB", WORDS) == bob  # as people write their names
    assert bob.hash.split("$")[4] != salt
    for name, password in (("Bob", WORDS + " "), ("Bob", ""), ("Eve", WORDS)):
        assert found.verified(name, password) is None


def test_who_logs_in_has_his_role_and_name_and_the_trail_has_it(
    site: Site, file: Path
) -> None:
    assert b'name="password"' in ask(site.page, "/").body
    answer = site.enter(" ada ", WORDS)
    assert answer.status == 303
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    about = json.loads(ask(site.page, "/api/about", cookie=answer.cookie).body)
    assert about["you"] == {"role": "operator", "name": "Ada"}
    wrong, unknown = site.enter("Ada", "wrong horse"), site.enter("Eve", WORDS)
    assert (wrong.status, unknown.status) == (403, 403)
    assert wrong.body == unknown.body, "nobody can tell who is there"
    long = "x" * 2_000
    assert site.enter("Ada", long).body == wrong.body
    assert site.enter(long, WORDS).body == wrong.body
    evil = urlencode({"account": "Ada", "password": WORDS})
    assert ask(site.page, "/login", evil, origin="http://evil.example").status == 403
    [(_, token)] = site.page.sessions.told()
    assert ask(site.page, "/login", f"token={token}").status == 303  # as before
    site.page.close()
    rows = [(one["outcome"], one.get("who")) for one in site.told()]
    assert rows[:3] == [
        ("done", "Ada"),
        ("refused: wrong password", "Ada"),
        ("refused: no such name", None),
    ]
    assert WORDS not in site.trail.read_text()
    assert "Eve" not in site.trail.read_text()  # it may be a password, typed there


def test_a_session_ends_when_its_account_is_changed_or_taken_out(
    site: Site, file: Path
) -> None:

    def cookie(password: str = WORDS) -> str:
        answer = site.enter("Ada", password)
        assert answer.status == 303
        return answer.cookie

    first = cookie()
    assert site.status(first) == 200
    change_account(file, "Ada", role="engineer")
    assert site.status(first) == 401
    second, other = cookie(), "ten white hens, laying"
    change_account(file, "ada", password=other)
    assert site.status(second) == 401
    assert site.enter("Ada", WORDS).status == 403
    third = cookie(other)
    many = [cookie(other) for _ in range(20)]
    assert site.status(third) == 401, "one has 20 sessions at most"
    assert site.status(many[0]) == site.status(many[-1]) == 200
    without_account(file, "Ada")
    assert site.status(many[-1]) == 401
    new_account(file, "Ada", "operator", other)
    last = cookie(other)
    file.chmod(0o644)
    file.write_text(file.read_text() + "\n")
    assert site.status(last) == 401  # open to others, it opens nothing
    assert site.enter("Ada", other).status == 503
    file.unlink()
    assert site.enter("Ada", other).status == 503
    assert str(file) not in site.enter("Ada", other).body.decode()


def test_who_guesses_a_password_waits_longer_each_time(
    site: Site,
) -> None:
    waits = []
    for i in range(13):
        name = ("Ada", "ADA ", "\uff21da")[i % 3]  # one account, however it is typed
        answer = site.enter(name, "a wrong guess")
        while answer.status == 429:
            waits.append(int(answer.headers["retry-after"]))
            assert site.enter("Ada", WORDS).status == 429, "not even the right one"
            site.clock.now_s += waits[-1]
            answer = site.enter(name, "a wrong guess")
        assert answer.status == 403
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    site.clock.now_s += 512
    assert site.enter("Ada", WORDS).status == 303
    assert site.enter("Ada", "a wrong guess").status == 403  # from the start again


def test_neither_many_names_nor_many_addresses_get_further() -> None:
    """By the rules of ASVS: an account takes no more than 100 guesses an hour."""
    slowing, now_s, n = Slowing(), 0.0, 0
    while now_s < 3_600:  # one name from ever new addresses
        address = f"2001:db8::{n:x}"
        if slowing.wait_s("ada", address, now_s) == 0:
            slowing.failed("ada", address, now_s)
            n += 1
        now_s += 1
    assert n == 100
    assert slowing.wait_s("bob", "2001:db8::1", now_s) == 0, "others are let in"
    now_s, n = 10_000.0, 0
    for i in range(600):  # ever new names from one address
        if slowing.wait_s(f"name {i}", "192.0.2.7", now_s + i) == 0:
            slowing.failed(f"name {i}", "192.0.2.7", now_s + i)
            n += 1
    assert n == 30
    assert slowing.wait_s("ada", "192.0.2.8", now_s + 600) == 0
    slowing = Slowing()
    for i in range(50):
        slowing.failed("ada", "192.0.2.7", i * 1e3)
    assert slowing.wait_s("ada", "192.0.2.7", 49e3 + 1) == 899.0, "a quarter of an hour"
    assert slowing.wait_s("ada", "192.0.2.7", 49e3 + 25 * 3600) == 0


BAD = [
    ("Ada", "operator", WORDS, "already"),
    ("ADA", "operator", WORDS, "already"),
    ("Bob", "boss", WORDS, 'no role "boss"'),
    ("", "viewer", WORDS, "a name has 1 to 80"),
    ("a\nb", "viewer", WORDS, "can be printed"),
    ("Bob", "viewer", "short", "12 to 128 letters, and this one has 5"),
    ("Bob", "viewer", "x" * 129, "this one has 129"),
    ("Bob", "viewer", "aaaaaaaaaaaaab", "fewer than 5 different"),
    ("Robert Miller", "viewer", "robert miller1", "guessed at once"),
]


@pytest.mark.parametrize(("name", "role", "password", "why"), BAD)
def test_what_is_no_account_is_refused_with_the_reason(
    file: Path, name: str, role: str, password: str, why: str
) -> None:
    before = file.read_bytes()
    with pytest.raises(LinewrightError, match=why) as caught:
        new_account(file, name, role, password)
    assert password not in str(caught.value)
    assert file.read_bytes() == before


def test_a_file_that_is_none_of_accounts_is_told_line_by_line(file: Path) -> None:
    good = file.read_text().strip()
    costly = good.replace("scrypt$16$", "scrypt$1073741824$")
    file.write_text(f'{good}\n{{"name": "a"}}\n\nx\n{costly}\n{good}\n')
    with pytest.raises(LinewrightError) as caught:
        read_accounts(file)
    told = str(caught.value).splitlines()
    assert [line.partition(" ")[0].rpartition(":")[0][-1] for line in told] == list(
        "2456"
    )
    assert "costs too much" in told[2]
    assert "is there before" in told[3]


def test_the_command_asks_twice_or_reads_stdin_and_takes_no_password_as_an_argument(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: str, stdin: str = "", typed: tuple[str, ...] = ()) -> int:
        source: Any = io.StringIO(stdin)
        source.isatty = lambda: bool(typed)
        answers = iter(typed)
        monkeypatch.setattr("sys.stdin", source)
        monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
        code = main(["accounts", *arguments])
        assert WORDS not in "".join(capsys.readouterr())
        return code

    name = str(file)
    bob = ("Bob", "--role", "engineer")
    assert run("add", name, *bob, stdin=f"{WORDS}\n") == 0
    assert Accounts(file).verified("Bob", WORDS)
    assert run("password", name, "Bob", typed=("ten white hens", "ten white hens")) == 0
    assert Accounts(file).verified("Bob", "ten white hens")
    assert run("password", name, "Bob", typed=("ten white hens", "ten black hens")) == 2
    assert run("password", name, "Bob") == 2  # nothing came
    assert run("password", name, "Rob", stdin=WORDS) == 2
    assert run("role", name, "Bob", "boss") == 2
    assert run("remove", name, "Bob") == 0
    assert main(["accounts", "add", name, "Eve", WORDS]) == 2
    assert [one.name for one in read_accounts(file)] == ["Ada"]
    capsys.readouterr()
    assert main(["accounts", "list", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "Ada", "role": "operator"}]
