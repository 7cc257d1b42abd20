"""What only a journal on a server can meet: lost connections, rivals, careless servers.

What it has in common with a journal in a file is in `test_control_journal`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random  # noqa: TID251 - when the server fails, from one seed
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from linewright.cli import main
from linewright.control.emulation import Emulation
from linewright.control.openings import journal_of, standing
from linewright.control.places import PgPlace, beside, place_of
from linewright.control.reading import open_reader
from linewright.control.records import Record
from linewright.errors import JournalError, JournalStalledError
from linewright.lower import lower
from linewright.web.following import Follower
from tests.cut_cable import CutCable
from tests.memory_journal import OPENING, MemoryJournal
from tests.random_lines import HOUR_US, random_line

if TYPE_CHECKING:
    from linewright.control.postgres import PostgresJournal
    from tests.pg_server import PgServer


def record(at_us: int) -> Record:
    return Record("boot", at_us, {"epoch": at_us})


def place_at(text: str) -> PgPlace:
    found = place_of(text)
    assert isinstance(found, PgPlace)
    return found


def opened(place: PgPlace, *, is_new: bool = False) -> PostgresJournal:
    from linewright.control.postgres import PostgresJournal  # noqa: PLC0415 - a part

    return PostgresJournal(place, OPENING if is_new else None)


def times(place: PgPlace) -> list[int]:
    with closing(open_reader(place)) as reader:
        return [one.record.at_us for one in reader.read()]


@pytest.fixture
def cable(
    pg_server: PgServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[CutCable, PgPlace]]:
    """Yield a cable to the server, and a journal's place at its end."""
    from tests.pg_server import PASSWORD  # noqa: PLC0415 - a part

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with CutCable(pg_server.port) as cut:
        name = pg_server.place().schema
        address = f"postgresql://controller@127.0.0.1:{cut.port}/postgres#{name}"
        yield cut, place_at(address)


# ------------------------------------------------------------------ in doubt


@pytest.mark.parametrize(("cut_at", "is_written"), [("request", 0), ("answer", 1)])
def test_a_commit_without_an_answer_is_in_doubt_until_the_server_was_asked(
    cable: tuple[CutCable, PgPlace], cut_at: str, is_written: int
) -> None:
    cut, place = cable
    with closing(opened(place, is_new=True)) as journal:
        for n in range(0, 8, 2):
            expected = journal.next_seq
            cut.cut_at = cut_at
            with pytest.raises(JournalStalledError, match="does not take records"):
                journal.append(expected, [record(n)])
            assert journal.next_seq == expected + is_written
            journal.append(journal.next_seq, [record(n + 1)])
        both = [0, 1, 2, 3, 4, 5, 6, 7]
        assert times(place) == (both if is_written else both[1::2])
        assert journal.epoch == 5


def test_what_the_server_still_works_on_is_ended_before_it_is_asked(
    cable: tuple[CutCable, PgPlace], pg_server: PgServer
) -> None:
    """Else a batch could be committed after it was found not to be there."""
    import psycopg  # noqa: PLC0415 - a part

    cut, place = cable
    with closing(opened(place, is_new=True)) as journal:
        journal.append(0, [record(1)])
        with psycopg.connect(pg_server.place().address) as rival:
            rival.execute(f'LOCK TABLE "{place.schema}".records IN SHARE MODE'.encode())
            cut.cut_at = "client"
            with pytest.raises(JournalStalledError):
                journal.append(1, [record(2)])
            assert journal.next_seq == 1
        time.sleep(0.3)  # time enough to commit it, now that nothing is in the way
        assert times(place) == [1]
        journal.append(1, [record(3)])
        assert times(place) == [1, 3]


def test_through_crashes_of_the_server_the_line_goes_on_as_if_nothing_had_been(
    pg_server: PgServer,
) -> None:
    from tests.pg_server import PgServer  # noqa: PLC0415 - a part

    line, until_us, random = random_line(9), 25 * HOUR_US, Random(4)
    lowered, place = lower(line, until_us), pg_server.place()
    whole = MemoryJournal()
    Emulation(lowered, whole, 9).run(until_us)
    journal = journal_of(place, line, lowered, 9)
    emulation = Emulation(lowered, journal, 9)
    emulation.at_once, n_stalled, is_over = 1, 0, threading.Event()

    def trouble() -> None:
        for what in (PgServer.crash, _stop_and_start, _cut_all):
            if is_over.wait(random.uniform(0.1, 0.4)):
                return
            what(pg_server)

    thread = threading.Thread(target=trouble)
    thread.start()
    while True:
        try:
            emulation.run(until_us)
        except JournalStalledError:
            n_stalled += 1
            time.sleep(0.05)
        else:
            break
    is_over.set()
    thread.join()
    journal.close()
    assert n_stalled > 0
    with closing(open_reader(place)) as reader:
        found = [one.record for one in reader.read()]
    assert [[one.at_us, *row] for one in found for row in one.rows] == [
        [one.at_us, *row] for one in whole.records for row in one.rows
    ]


def _stop_and_start(server: PgServer) -> None:
    server.stop("immediate")
    server.start()


def _cut_all(server: PgServer) -> None:
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'linewright controller'"
    )


def test_a_server_that_has_lost_records_is_not_gone_on_with(
    cable: tuple[CutCable, PgPlace], pg_server: PgServer
) -> None:
    cut, place = cable
    with closing(opened(place, is_new=True)) as journal:
        journal.append(0, [record(1), record(2)])
        cut.cut_at = "request"
        with pytest.raises(JournalStalledError):
            journal.append(2, [record(3)])
        pg_server.sql("DELETE FROM records WHERE seq = 1", place.schema)
        for _ in range(2):
            with pytest.raises(JournalError, match="acknowledged 2 records and has 1"):
                _ = journal.next_seq


# ------------------------------------------------------------------ one writer


def test_who_has_lost_the_lock_without_knowing_it_writes_nothing(
    pg_server: PgServer,
) -> None:
    place = pg_server.place()
    with closing(opened(place, is_new=True)) as old:
        old.append(0, [record(1)])
        old._db.execute("SELECT pg_advisory_unlock_all()")  # noqa: SLF001
        with closing(opened(place)) as new:
            new.append(1, [record(2)])
            for said in ("was taken over by another", "is written by another"):
                with pytest.raises(JournalError, match=said):
                    old.append(1, [record(3)])
            assert new.next_seq == 2
            assert times(place) == [1, 2]


@pytest.mark.parametrize("is_there_still", [True, False])
def test_who_comes_back_after_another_has_taken_over_stops(
    cable: tuple[CutCable, PgPlace], *, is_there_still: bool
) -> None:
    cut, place = cable
    with closing(opened(place, is_new=True)) as old:
        cut.cut_at = "request"
        with pytest.raises(JournalStalledError):
            old.append(0, [record(1)])
        new = opened(place)
        new.append(0, [record(2)])
        if not is_there_still:
            new.close()
        with pytest.raises(JournalError, match="another controller") as told:
            _ = old.next_seq
        assert not isinstance(told.value, JournalStalledError)
        new.close()
        opened(place).close()  # it has not kept the lock
        assert times(place) == [2]


# ------------------------------------------------------------------ careless servers


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "off"),
        ("synchronous_commit", "local"),
        ("fsync", "off"),
        ("full_page_writes", "off"),
    ],
)
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(
    pg_server: PgServer, setting: str, value: str
) -> None:
    place = pg_server.place()
    opened(place, is_new=True).close()
    pg_server.set(setting, value)
    try:
        with pytest.raises(JournalError, match=f"{setting} is {value} and has to be"):
            opened(place)
        assert times(place) == []  # to read does no harm
    finally:
        pg_server.set(setting, "")
    opened(place).close()


def test_a_session_that_was_made_careless_later_is_refused(
    cable: tuple[CutCable, PgPlace], pg_server: PgServer
) -> None:
    cut, place = cable
    with closing(opened(place, is_new=True)) as journal:
        pg_server.sql("ALTER ROLE controller SET synchronous_commit = off")
        cut.cut_at = "request"
        with pytest.raises(JournalStalledError):
            journal.append(0, [record(1)])
        with pytest.raises(JournalError, match="synchronous_commit is off"):
            _ = journal.next_seq
        pg_server.sql("ALTER ROLE controller RESET synchronous_commit")
        assert journal.next_seq == 0


# ------------------------------------------------------------------ who may


def test_a_reader_needs_no_more_than_to_read(pg_server: PgServer) -> None:
    line = random_line(9)
    lowered, place = lower(line, 20 * HOUR_US), pg_server.place()
    with closing(journal_of(place, line, lowered, 9)) as journal:
        emulation = Emulation(lowered, journal, 9)
        emulation.run(5 * HOUR_US)
        digest = emulation.controller.core.digest()
        looker = pg_server.place(place.schema, "viewer")
        pg_server.sql("CREATE ROLE viewer LOGIN")
        with pytest.raises(JournalError, match="permission denied"):
            open_reader(looker)
        pg_server.sql(f"GRANT USAGE ON SCHEMA {place.schema} TO viewer")
        pg_server.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {place.schema} TO viewer")
        assert standing(looker).core.digest() == digest
        with closing(Follower(looker)) as follower:
            assert follower.core.digest() == digest
            emulation.run(6 * HOUR_US)
            pg_server.stop("immediate")
            with pytest.raises(JournalStalledError):
                follower.poll()
            pg_server.start()
            while follower.poll():
                pass
            assert follower.next_seq == journal.next_seq
            assert follower.core.digest() == emulation.controller.core.digest()
        with pytest.raises(JournalError, match="permission denied"):
            opened(looker)


# ------------------------------------------------------------------ as a user does

MODEL = """
schema_version: 1
name: two
stations: {cut: {process: 1 min}, weld: {process: 3 min, buffer: 2}}
products: {frame: {route: [cut, weld]}}
study: {horizon: 1 week}
"""


def test_a_password_is_understood_and_shown_nowhere(
    pg_server: PgServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tests.pg_server import PASSWORD  # noqa: PLC0415 - a part

    said = []

    def cli(*args: str) -> tuple[int, str, str]:
        code, (out, err) = main(list(args)), capsys.readouterr()
        said.append(out + err)
        return code, out, err

    model = tmp_path / "line.yaml"
    model.write_text(MODEL)
    secret, name = quote(PASSWORD), pg_server.place().schema
    run = ["run", str(model), "--emulate", "--until"]
    address = pg_server.url(name, f"controller:{secret}")
    code, out, err = cli(*run, "1 h", "--json", "--journal", address)
    assert code == 0
    assert json.loads(out)["journal"] == pg_server.url(name)
    assert "others on this computer can see the password" in err
    passes = tmp_path / "pgpass"
    passes.write_text(f"127.0.0.1:{pg_server.port}:*:controller:{PASSWORD}\n")
    passes.chmod(0o600)
    services = tmp_path / "services"
    services.write_text(
        f"[plant]\nhost=127.0.0.1\nport={pg_server.port}\nuser=controller\n"
        "dbname=postgres\n"
    )
    monkeypatch.setenv("PGPASSFILE", str(passes))
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    service = f"postgresql:///?service=plant#{name}"
    code, _, err = cli(*run, "2 h", "--journal", service)
    assert code == 0
    assert "goes on at" in err
    _, out, _ = cli("life", service, "frame:3", "--json")
    assert json.loads(out)["life"][0]["what"] == "release"
    beside(place_of(service), "units").unlink()  # it is there, and not in the way
    _, out, _ = cli("forecast", service, "--replications", "3", "--json")
    assert json.loads(out)["now_us"] > HOUR_US
    _, out, _ = cli("verify", service, "--redo", "--json")
    assert json.loads(out)["redone"]
    code, _, err = cli("forecast", pg_server.url(name, "controller:wrong%20horse"))
    assert code == 2
    assert "password authentication failed" in err
    assert not any("horse" in text for text in said)


def test_while_the_server_is_away_the_line_waits_and_then_goes_on(
    pg_server: PgServer, tmp_path: Path
) -> None:
    model, place = tmp_path / "line.yaml", pg_server.place()
    model.write_text(MODEL)
    args = [sys.executable, "-m", "linewright", "run", str(model), "--emulate"]
    args += ["--until", "8 h", "--speed", "7200", "--journal", place.shown]
    with subprocess.Popen(
        args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not pg_server.sql("SELECT to_regclass('records')", place.schema)[0][0]:
            time.sleep(0.05)
        time.sleep(0.5)
        pg_server.stop("immediate")
        time.sleep(1.0)
        pg_server.start()
        found, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "nothing is commanded, and it is tried again" in said
    assert "159 frame finished" in found
    assert times(place)[-1] == 8 * HOUR_US - 60_000_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("postgres://u:pa/horse@h/db", "write @ as %40"),
        ("postgresql://u:pa#horse@h/db", "write @ as %40"),
        ("postgresql://u:pa?horse@h/db", "write @ as %40"),
        ("postgresql://u:horse@h:nine/db", "postgresql://u@h:nine/db#linewright can"),
        ("postgresql://u:ho%rse@h/db", "is no address that libpq understands"),
        ("postgresql://h/db?password=horse&x=1", "is no address that libpq"),
        ("mysql://h/db", 'begins with "postgresql://"'),
        ("postgresql://h/db#Plant", '"#Plant" is no name of a journal'),
        ('postgresql://h/db#x"; DROP TABLE records', "is no name of a journal"),
        ("postgresql://h/db#pg_catalog", "is no name of a journal"),
        ("postgresql://127.0.0.1:1/db#p", "Connection refused"),
    ],
)
@pytest.mark.usefixtures("pg_server")
def test_what_is_no_address_is_said_without_its_password(text: str, said: str) -> None:
    with pytest.raises(JournalError) as told:
        open_reader(text)
    assert said in str(told.value)
    assert "horse" not in str(told.value)
    assert "rse" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_journal_that_is_not_there_is_said_with_those_that_are(
    pg_server: PgServer,
) -> None:
    place = pg_server.place()
    opened(place, is_new=True).close()
    for what in (opened, open_reader):
        with pytest.raises(JournalError, match=f"#other is not.*#{place.schema}\\b"):
            what(pg_server.place("other"))
    pg_server.sql("CREATE SCHEMA foreign_one; CREATE TABLE foreign_one.opening (x int)")
    for what in (opened, open_reader):
        with pytest.raises(JournalError, match="#foreign_one is not there"):
            what(pg_server.place("foreign_one"))
