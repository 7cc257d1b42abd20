"""The journal on disk: nothing is lost in it, and what is changed shows."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from linewright.control.emulation import Emulation
from linewright.control.genealogy import Genealogy, flat
from linewright.control.journal import Opening, Snapshot, SqliteJournal
from linewright.control.openings import journal_of, standing
from linewright.control.places import Place
from linewright.control.reading import JournalReader, open_reader
from linewright.control.records import Record
from linewright.control.verifying import verify
from linewright.errors import JournalError
from linewright.lower import lower
from linewright.model.load import load, loads
from tests.journal_stores import Store
from tests.memory_journal import OPENING, MemoryJournal
from tests.parts import PROJECT
from tests.random_lines import HOUR_US, random_line

PLANT = PROJECT / "examples" / "light-aircraft" / "plant.yaml"
N_KILLS = 10  # in each store


def run_cli(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "linewright", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows_of(place: Place) -> list[list[int]]:
    with closing(open_reader(place)) as reader:
        return [
            [one.record.at_us, *row] for one in reader.read() for row in one.record.rows
        ]


def some_records(n: int, at_us: int = 0) -> list[Record]:
    return [Record("boot", at_us + i, {"epoch": i, "name": "Größe"}) for i in range(n)]


def test_what_was_written_is_read_again(store: Store) -> None:
    with_two = store.open(OPENING)
    with_two.append(0, some_records(2))
    with_two.append(2, [Record("done", 9, {"job": "x"}, [[1, 2]], [{"job": "y"}])])
    with_two.close()
    again = store.open()
    assert again.opening == OPENING
    assert again.next_seq == 3
    assert [one.record for one in again.read(2)] == [
        Record("done", 9, {"job": "x"}, [[1, 2]], [{"job": "y"}])
    ]
    with pytest.raises(JournalError, match="record 5 was to be next, and 3 is"):
        again.append(5, some_records(1))
    again.append(3, [])
    assert again.next_seq == 3
    again.close()
    with pytest.raises(JournalError, match="is there already"):
        store.open(OPENING)
    if isinstance(store.place, Path):
        assert store.place.stat().st_mode & 0o077 == 0


def test_only_one_controller_writes_and_others_read(store: Store) -> None:
    journal = store.open(OPENING)
    with pytest.raises(JournalError, match="written by another controller"):
        store.open()
    reader = open_reader(store.place)
    journal.append(0, some_records(2, at_us=5))
    assert [one.seq for one in reader.read(1)] == [1]
    assert reader.last_us() == 6
    assert abs(reader.written_s() - time.time()) < 60  # noqa: TID251 - a file's date
    reader.close()
    journal.close()
    store.open().close()


def test_the_last_two_snapshots_are_kept_and_a_broken_one_is_passed_over(
    store: Store,
) -> None:
    journal = store.open(OPENING)
    for n in range(4):
        journal.append(n, some_records(1, at_us=10 * n))
        journal.save_snapshot(Snapshot(n + 1, {"n": n}, {"a": np.full(70_000, n)}))
    journal.save_snapshot(Snapshot(4, {"n": "again"}, {"a": np.full(70_000, 4)}))
    found = journal.latest_snapshot()
    assert found
    assert (found.seq, found.notes) == (4, {"n": "again"})
    assert found.arrays["a"].tolist() == [4] * 70_000
    reader = open_reader(store.place)
    before = reader.snapshot_before(25)
    assert before
    assert before.seq == 3
    assert reader.snapshot_before(20) is None
    reader.close()
    store.sql("UPDATE snapshots SET notes = '{}' WHERE seq = 4")
    found = journal.latest_snapshot()
    assert found
    assert found.seq == 3
    journal.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET body = replace(body, '1', '2') WHERE seq = 1",
        "UPDATE records SET at_us = at_us + 1 WHERE seq = 1",
        "UPDATE records SET kind = 'done' WHERE seq = 1",
        "DELETE FROM records WHERE seq = 1",
        "UPDATE records SET seq = seq + 10 WHERE seq > 0",
    ],
)
def test_a_journal_that_was_changed_shows(store: Store, change: str) -> None:
    journal = store.open(OPENING)
    journal.append(0, some_records(4))
    journal.close()
    store.sql(change)
    with pytest.raises(JournalError, match="record 1 is not the one"):
        verify(store.place)


def test_a_start_reads_on_from_the_snapshot_and_verify_reads_all(store: Store) -> None:
    line = random_line(9)
    lowered = lower(line, 20 * HOUR_US)
    with closing(journal_of(store.place, line, lowered, 9)) as journal:
        emulation = Emulation(lowered, journal, 9)
        emulation.run(10 * HOUR_US)
        emulation.controller.save_snapshot()
        emulation.run(12 * HOUR_US)
        n = journal.next_seq
        digest = emulation.controller.core.digest()
    found = verify(store.place, redoes=True)
    assert (found.n_records, found.was_redone) == (n, True)
    store.sql("UPDATE records SET body = body || ' ' WHERE seq = 3")
    with pytest.raises(JournalError, match="record 3 is not the one"):
        verify(store.place)
    assert standing(store.place).core.digest() == digest
    store.sql(f"UPDATE records SET body = '{{}}' WHERE seq = {n - 1}")
    with pytest.raises(JournalError, match=f"record {n - 1} is not the one"):
        standing(store.place)


def test_what_is_no_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no such file"):
        SqliteJournal(tmp_path / "a.journal")
    (tmp_path / "b").write_text("hello, this is no database at all " * 100)
    with pytest.raises(JournalError, match="is not a journal"):
        SqliteJournal(tmp_path / "b")
    with pytest.raises(JournalError, match="is not a journal"):
        JournalReader(tmp_path / "b")
    later = OPENING._replace(journal_version=99)
    with pytest.raises(JournalError, match="journal_version 99"):
        SqliteJournal(tmp_path / "c", later)
    with pytest.raises(JournalError, match="there is no such file"):
        JournalReader(tmp_path / "d")


def test_the_journal_of_another_line_or_version_is_not_gone_on_with(
    store: Store,
) -> None:
    path, one, other = store.place, random_line(1), random_line(2)
    journal_of(path, one, lower(one, HOUR_US), 1).close()
    journal_of(path, one, lower(one, HOUR_US), 1).close()
    for line, seed in ((other, 1), (one, 2)):
        with pytest.raises(JournalError, match=r"another model|begun with seed 1"):
            journal_of(path, line, lower(line, HOUR_US), seed)
    store.sql(
        "UPDATE opening SET body = "
        "replace(body, '\"journal_version\":1', '\"journal_version\":99')"
    )
    for what in (store.open, lambda: open_reader(path)):
        with pytest.raises(JournalError, match="journal_version 99"):
            what()


def run_for_ever(path: Place, until_us: int) -> None:
    line = random_line(9)
    lowered = lower(line, until_us)
    emulation = Emulation(lowered, journal_of(path, line, lowered, 9), 9)
    emulation.at_once = 1  # many small commits: many instants at which to be killed
    emulation.run(until_us)


def test_killed_again_and_again_it_makes_what_it_would_have_made(
    store: Store,
) -> None:
    until_us, path = 40 * HOUR_US, store.place
    line = random_line(9)
    lowered = lower(line, until_us)
    whole = MemoryJournal()
    Emulation(lowered, whole, 9).run(until_us)
    fork = multiprocessing.get_context("fork")
    n_kills, seed = 0, 0
    while True:
        process = fork.Process(target=run_for_ever, args=(path, until_us))
        process.start()
        assert process.pid
        seed += 1
        if n_kills < N_KILLS:
            time.sleep(0.02 + seed * 7919 % 100 / 400)
            os.kill(process.pid, signal.SIGKILL)
        process.join(300)
        if process.exitcode == 0:
            break
        n_kills += 1
        assert process.exitcode == -signal.SIGKILL
    assert n_kills > 3
    assert rows_of(path) == [
        [one.at_us, *row] for one in whole.records for row in one.rows
    ]


# ------------------------------------------------------------------ as a user does


def test_an_aircraft_knows_what_it_is_made_of(tmp_path: Path) -> None:
    path = tmp_path / "plant.journal"
    args = ["run", str(PLANT), "--emulate", "--journal", str(path), "--until"]
    assert run_cli(*args, "3 weeks").returncode == 0
    done = run_cli(*args, "6 weeks", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["finished"]["trainer"] > 5
    line = load(PLANT)
    whole = MemoryJournal()
    lowered = lower(line, line.study.horizon)
    Emulation(lowered, whole, line.study.seed).run(6 * 7 * 24 * HOUR_US)
    rows = [[one.at_us, *row] for one in whole.records for row in one.rows]
    assert rows_of(path) == rows

    book = Genealogy(path)
    tree = book.made_of(book.unit("trainer:3"))
    units = [unit for _, unit, _ in flat(tree)]
    assert [unit.product for unit in units].count("wing_trainer") == 2
    assert tree.fate == "finished"
    rib = next(unit for unit in units if unit.product == "rib")
    tops = [unit for _, unit, _ in flat(book.went_into(rib))]
    assert units[0] in tops
    steps = [step.operation for step in book.life(units[0]) if step.what == "start"]
    route = [step.operation for step in line.products["trainer"].route]
    assert [name for name in steps if name in route] == steps
    assert steps[-1] == route[-1]
    book.close()

    ahead = run_cli("forecast", str(path), "--replications", "5", "--json")
    told = json.loads(ahead.stdout)
    assert len(told["orders"]) > 100
    for row in told["orders"]:
        assert row["p50_us"] is None or found["now_us"] < row["p50_us"]
        assert 0 <= row["low"] <= row["on_time"] <= row["high"] <= 1
    trainer = next(row for row in told["products"] if row["product"] == "trainer")
    assert trainer["made"] == found["finished"]["trainer"] < trainer["p95"]
    past = run_cli("forecast", str(path), "--until", "1 week")
    assert past.returncode == 2
    assert "look further ahead" in past.stderr

    sound = run_cli("verify", str(path))
    assert f"{found['records']} records, the last one at" in sound.stdout
    shown = run_cli("life", str(path), "trainer:3")
    assert "fuselage_trainer" in shown.stdout
    for wrong in ("trainer:99999", "glider:1", "trainer"):
        done = run_cli("life", str(path), wrong)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def n_records(store: Store) -> int:
    try:
        with closing(open_reader(store.place)) as reader:
            return sum(1 for _ in reader.read())
    except JournalError:
        return 0  # it is not there yet


def test_ctrl_c_loses_nothing_and_the_same_command_goes_on(store: Store) -> None:
    args = [sys.executable, "-m", "linewright", "run", str(PLANT), "--emulate"]
    args += ["--journal", store.text, "--until", "2 weeks"]
    for _ in range(2):
        n_before = n_records(store)
        with subprocess.Popen(
            [*args, "--speed", "200000"], stderr=subprocess.PIPE, text=True
        ) as process:
            while n_records(store) < n_before + 20 and process.poll() is None:
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert "run it again to go on" in said
    done = subprocess.run(args, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert store.text in done.stdout
    line = load(PLANT)
    whole = MemoryJournal()
    lowered = lower(line, line.study.horizon)
    Emulation(lowered, whole, line.study.seed).run(2 * 7 * 24 * HOUR_US)
    assert rows_of(store.place) == [
        [one.at_us, *row] for one in whole.records for row in one.rows
    ]


def test_a_line_that_stands_still_for_good_says_so(tmp_path: Path) -> None:
    model = tmp_path / "line.yaml"
    model.write_text(
        "schema_version: 1\nname: stuck\n"
        "stations:\n"
        "  cut: {process: 1 min}\n"
        "  weld: {process: 3 min, buffer: 2}\n"
        "  test: {process: 5 min, buffer: 2}\n"
        "products:\n"
        "  frame:\n"
        "    route:\n"
        "      - cut\n"
        "      - weld\n"
        "      - station: test\n"
        "        inspection: {pass: 0.3, rework: 0.7, rework_to: weld}\n",
        encoding="utf-8",
    )
    path = tmp_path / "a.journal"
    args = ["run", str(model), "--emulate", "--journal", str(path), "--until", "1 week"]
    for _ in range(2):
        done = run_cli(*args)
        assert done.returncode == 1, done.stderr
        assert "weld" in done.stderr
    assert path.is_file()


def test_one_order_of_very_many_units_is_taken(tmp_path: Path) -> None:
    line = loads(
        "schema_version: 1\nname: many\nstations: {s: {process: 1 s}}\n"
        "products: {p: {release: {kind: orders}, route: [s]}}\n"
        "orders: [{product: p, quantity: 50000}]\n"
    )
    journal = journal_of(tmp_path / "a", line, lower(line, HOUR_US), 1)
    emulation = Emulation(lower(line, HOUR_US), journal, 1)
    emulation.run(1_000_000)
    assert emulation.controller.core.state.clock["wip"][0] == 50_000 - 1
    journal.close()


def test_the_index_of_units_follows_the_journal(tmp_path: Path) -> None:
    path, line = tmp_path / "a.journal", random_line(11)
    lowered = lower(line, 20 * HOUR_US)
    journal = journal_of(path, line, lowered, 11)
    emulation = Emulation(lowered, journal, 11)
    counts = []
    for hour in (5, 10, 20):
        emulation.run(hour * HOUR_US)
        book = Genealogy(path)
        counts.append(book.count())
        book.close()
    journal.close()
    (tmp_path / "a.journal.units").write_bytes(b"rubbish")
    again = Genealogy(path)
    assert again.count() == counts[-1]
    assert counts[0] < counts[1] < counts[2]
    again.close()


def test_without_psycopg_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    line, address = random_line(1), "postgresql://h/db"
    for what in (
        lambda: open_reader(address),
        lambda: journal_of(address, line, lower(line, HOUR_US), 1),
    ):
        with pytest.raises(JournalError, match="pip install"):
            what()
    journal_of(tmp_path / "a", line, lower(line, HOUR_US), 1).close()


def test_an_opening_says_what_the_rows_are() -> None:
    assert Opening._fields == tuple(OPENING._asdict())
