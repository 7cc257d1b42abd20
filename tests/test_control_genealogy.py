"""Units, lots and measured values: journal, simulation and slow oracles agree."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare, kstest, norm, poisson

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.designed import as_built
from linewright.control.emulation import Emulation
from linewright.control.genealogy import Genealogy, happened_in
from linewright.control.jobs import Unit
from linewright.control.openings import journal_of, opening_of
from linewright.control.reading import JournalReader
from linewright.control.simulated import genealogy_of_run
from linewright.control.unit_index import IndexAbout
from linewright.errors import DeadlockError, JournalError
from linewright.lower import Lowered, lower
from linewright.model.line import Line
from linewright.model.load import loads
from linewright.traces import trace_rows
from tests.memory_journal import MemoryJournal
from tests.random_lines import HOUR_US, random_line

UNTIL_US = 14 * HOUR_US


def with_quality(seed: int) -> Line:
    """Return a random line with measured characteristics, gates and lots."""
    rng = np.random.default_rng(seed)
    model = random_line(seed).model_dump(
        mode="json", by_alias=True, exclude_defaults=True
    )
    for product in model["products"].values():
        route = product.get("route", [])
        tests = [i for i, step in enumerate(route) if step.get("inspection")]
        if not tests or "route_of" in product:
            continue
        made = [j for j in range(tests[0] + 1) if not route[j].get("sample")]
        for j in made[-2:]:
            of = {"mean": 5.0, "sd": 1.0, "upper": float(rng.choice([6.0, 7.5]))}
            route[j]["characteristics"] = {f"size_{j}": of}
            if rng.random() < 0.5:
                flaws = {"counted": True, "mean": 0.8, "upper": 2}
                route[j]["characteristics"][f"flaws_{j}"] = flaws
        test = route[tests[0]]["inspection"]
        test.pop("false_accept", None)
        test.pop("false_reject", None)
        test["measures"] = [n for j in made[-2:] for n in route[j]["characteristics"]]
        test["gate"] = {"rejects": 2, "of": 3, "signal": "nelson"}
    for material in model.get("materials", {}).values():
        if rng.random() < 0.5:
            material["takes"] = "newest"
        if rng.random() < 0.5 and material["stock"] > 1:
            first = {"number": "F-1", "quantity": 1}
            material["lots"] = [first, {"quantity": material["stock"] - 1}]
    return Line.model_validate(model)


def run_of(line: Line, lowered: Lowered, seed: int) -> tuple[MemoryJournal, Genealogy]:
    """Return the journal of an emulated run, with a restart in it, and its index."""
    journal = MemoryJournal()
    with suppress(DeadlockError):
        Emulation(lowered, journal, seed).run(UNTIL_US // 2)
        again = Emulation(lowered, journal, seed)
        again.controller.save_snapshot()
        again.run(3 * UNTIL_US // 4)
        Emulation(lowered, journal, seed).run(UNTIL_US)
    about = IndexAbout(opening_of(line, lowered, seed), {})
    return journal, Genealogy.made(about, happened_in(journal))


def dump(book: Genealogy) -> dict[str, list[Any]]:
    """Return all of an index but the numbers of records."""
    tables = ("units", "made_of", "lots", "used", "measured")
    found = {
        name: sorted(book._db.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: SLF001
        for name in tables
    }
    steps = "SELECT product, serial, at_us, what, operation, place, detail FROM steps"
    return found | {"steps": book._db.execute(steps + " ORDER BY rowid").fetchall()}  # noqa: SLF001


def pieces_taken(line: Line, rows: list[list[int]]) -> Counter[tuple[str, int, Unit]]:
    """Return which unit took how much of which lot, piece by piece."""
    names = list(line.materials)
    before = len(line.tools) + len(line.loops)
    there: dict[str, list[int]] = {}
    n_lots = Counter[str]()
    for name, of in line.materials.items():
        sizes = [lot.quantity for lot in of.lots] or ([of.stock] if of.stock else [])
        there[name] = [i for i, n in enumerate(sizes) for _ in range(n)]
        n_lots[name] = len(sizes)
    found: Counter[tuple[str, int, Unit]] = Counter()
    for _, kind, row, product, serial, _, value, _ in rows:
        if not before <= row < before + len(names):
            continue
        name = names[row - before]
        of = line.materials[name]
        if kind == t.T_EVENT and value == t.RETURNED:
            there[name] += [n_lots[name]] * of.lot
            n_lots[name] += 1
        elif kind == t.T_TAKE and product >= 0:
            unit = Unit(list(line.products)[product], serial)
            for _ in range(value):
                piece = there[name].pop(0 if of.takes == "oldest" else -1)
                found[name, piece, unit] += 1
    return found


def holders(book: Genealogy, direct: set[Unit]) -> set[Unit]:
    """Return all units that hold some others, found the slow way."""
    names = book.opening.names["products"]
    pairs = [
        (Unit(names[a], b), Unit(names[c], d))
        for a, b, c, d, _ in book._db.execute("SELECT * FROM made_of")  # noqa: SLF001
    ]
    found, n = set(direct), -1
    while len(found) > n:
        n = len(found)
        found |= {whole for part, whole in pairs if part in found}
    return found


@pytest.mark.parametrize("kind", ["materials", "values"])
def test_journal_simulation_and_oracle_know_the_same(kind: str) -> None:
    n_lots = n_measured = n_gates = n_held = n_lines = seed = 0
    while n_lines < 6:
        seed += 1
        line = with_quality(seed)
        lowered = lower(line, UNTIL_US)
        if not (line.materials if kind == "materials" else lowered.quality):
            continue
        n_lines += 1
        journal, book = run_of(line, lowered, seed)
        rows = np.concatenate(list(trace_rows(lowered, seed, 0, UNTIL_US))).tolist()
        told = [[one.at_us, *row] for one in journal.records for row in one.rows]
        assert told == rows, f"line {seed}"
        simulated = genealogy_of_run(line, lowered, seed, UNTIL_US)
        assert dump(book) == dump(simulated), f"line {seed}"

        wanted = pieces_taken(line, rows)
        taken = Counter[tuple[str, int, Unit]]()
        for name, serial in {(u.product, u.serial) for _, _, u in wanted}:
            for used in book.lots_of(Unit(name, serial)):
                key = used.lot.material, used.lot.number, Unit(name, serial)
                taken[key] += used.quantity
        assert taken == wanted, f"line {seed}"
        for lot in book.lots()[:8]:
            direct = {u for m, k, u in wanted if (m, k) == (lot.material, lot.number)}
            held = {one.unit for one in book.holding(lot)}
            assert held == holders(book, direct), f"line {seed}, {lot}"
            n_held += len(held)
        n_lots += len(wanted)
        n_measured += sum(n for _, _, n in book.measured())
        releases = [one for one in journal.records if one.kind == "release"]
        n_gates += len(releases)
        judged(lowered, book, rows)
    found = (n_lots, n_held) if kind == "materials" else (n_measured, 10 * n_gates)
    assert min(found) > 20, found


def judged(lowered: Lowered, book: Genealogy, rows: list[list[int]]) -> None:
    """Hold values against verdicts: what is outside is never passed."""
    made = {(of.product, one.name): one for of in lowered.quality for one in of.made}
    measured = book._db.execute(  # noqa: SLF001
        "SELECT product, characteristic, value, verdict FROM measured"
    )
    for product, name, value, verdict in measured:
        one = made[lowered.names.products[product], name]
        assert not (one.is_outside(value) and verdict == "pass")
    fates = Counter(fate for [fate] in book._db.execute("SELECT fate FROM units"))  # noqa: SLF001
    exits = [row for row in rows if row[1] == t.T_EXIT]
    assert fates["finished"] == sum(row[7] == 0 for row in exits)
    assert fates["split up"] == sum(row[7] == 1 for row in exits)


SHAFTS = """
schema_version: 1
name: shafts
study: {horizon: 20 d, seed: 5}
stations:
  turn: {process: 4 min, servers: 2}
  measure: {process: 2 min}
products:
  shaft:
    release: {every: 5 min}
    route:
      - station: turn
        defect: 0.03
        characteristics:
          diameter: {unit: mm, nominal: 12, lower: 11.97, upper: 12.03, mean: 12.004,
                     sd: 0.013}
          length: {unit: mm, nominal: 80, upper: 80.12, sd: 0.1}
          scratches: {counted: true, mean: 0.6, upper: 2}
      - station: measure
        inspection: {measures: [diameter, length, scratches], scrap: 1}
"""


def test_values_are_as_if_they_had_been_drawn_before_the_verdict() -> None:
    line = loads(SHAFTS)
    lowered = lower(line, line.study.horizon)
    book = genealogy_of_run(line, lowered, 5, line.study.horizon)
    of = {
        name: np.array([value for _, value in book.values_of("shaft", name)])
        for name in ("diameter", "length", "scratches")
    }
    n = len(of["length"])
    assert n > 5_500
    assert kstest(of["diameter"], norm(12.004, 0.013).cdf).pvalue > 1e-3
    assert kstest(of["length"], norm(80, 0.1).cdf).pvalue > 1e-3
    counts = np.bincount(of["scratches"].astype(int), minlength=8)
    wanted = np.append(poisson(0.6).pmf(range(5)), poisson(0.6).sf(4)) * n
    found = np.append(counts[:5], counts[5:].sum())
    assert chisquare(found, wanted).pvalue > 1e-3

    outside = np.array(
        [
            (of["diameter"] < 11.97) | (of["diameter"] > 12.03),
            of["length"] > 80.12,
            of["scratches"] > 2,
        ]
    )
    assert np.all(np.abs(np.corrcoef(outside) - np.eye(3)) < 4 / np.sqrt(n))
    verdicts = book._db.execute(  # noqa: SLF001
        "SELECT verdict FROM measured WHERE characteristic = 'length' ORDER BY rowid"
    )
    rejected = np.array([verdict == "scrap" for [verdict] in verdicts])
    assert rejected[outside.any(axis=0)].all()
    # of the others, as many as have a defect of another kind
    share = rejected[~outside.any(axis=0)].mean()
    assert abs(share - 0.03) < 4 * np.sqrt(0.03 * 0.97 / n)


ASSEMBLY = """
schema_version: 1
name: tables
study: {horizon: 3 d, seed: 2}
materials:
  bolt: {stock: 50, reorder_point: 20, lot: 40, lead_time: 2 h}
stations: {saw: {process: 4 min}, join: {process: 9 min}, test: {process: 1 min}}
products:
  board:
    release: {kind: always}
    bom: {bolt: {quantity: 1, bought: true}}
    route: [saw]
  table:
    release: {every: 12 min}
    bom:
      board: 2
      bolt: {quantity: 8, bought: true}
      varnish: {quantity: 1, bought: true}
    route:
      - join
      - station: test
        inspection: {pass: 0.7, rework: 0.3, rework_to: join}
"""


def test_the_index_of_a_journal_that_was_deleted_and_made_again_is_made_again(
    tmp_path: Path,
) -> None:
    line = loads(ASSEMBLY)
    lowered = lower(line, line.study.horizon)
    path = tmp_path / "a.journal"

    def run(until_us: int, scrapped: str = "") -> None:
        journal = journal_of(path, line, lowered, 2)
        emulation = Emulation(lowered, journal, 2)
        emulation.run(4 * HOUR_US)
        if scrapped:
            unit = {"unit": scrapped}
            emulation.ask(
                Request("1", "unit scrapped", "Anna", "it fell", unit), 4 * HOUR_US
            )
        emulation.run(until_us)
        journal.close()

    def asked() -> bool:
        """Ask the index beside the journal; return whether it was made anew."""
        book = Genealogy(path)
        made = Genealogy.made(
            IndexAbout(book.opening, {}), happened_in(JournalReader(path))
        )
        kept = dump(book)
        is_new = all(row[4] != "here already" for row in kept["units"])
        if is_new:
            assert kept == dump(made)
        book._db.execute("UPDATE units SET fate = 'here already' WHERE serial = 0")  # noqa: SLF001
        book.close()
        return is_new

    run(8 * HOUR_US)
    assert asked()
    run(16 * HOUR_US)
    assert not asked(), "the same journal, and more of it"
    for until_us, scrapped in ((24, "table:3"), (6, ""), (6, "table:4")):
        for file in ("", "-wal", "-shm"):
            path.with_name(path.name + file).unlink(missing_ok=True)
        run(until_us * HOUR_US, scrapped)
        assert asked(), "another journal of the same opening"


def test_as_built_is_what_was_designed_and_rework_shows() -> None:
    line = loads(ASSEMBLY)
    book = genealogy_of_run(line, lower(line, line.study.horizon), 2, 3 * 24 * HOUR_US)
    n_twice = 0
    for serial in range(100):
        unit = Unit("table", serial)
        parts = {part.name: part for part in as_built(book, unit)}
        assert [part.name for part in parts.values()] == ["board", "bolt", "varnish"]
        assert parts["varnish"].built is None
        n = sum(s.operation == "join" for s in book.life(unit) if s.what == "start")
        assert parts["bolt"].built == 8 * n
        assert parts["board"].built == 2 * n
        assert parts["bolt"].designed == 8 * min(n, 1)
        n_twice += n > 1
        assert parts["bolt"].differs == (n > 1)
    assert n_twice > 5
    [board] = as_built(book, Unit("board", 3))
    assert board.built == board.designed == 1


def test_a_kept_run_answers_as_the_run_did_and_bad_questions_are_told(
    tmp_path: Path,
) -> None:
    line = loads(ASSEMBLY)
    lowered = lower(line, line.study.horizon)
    path = tmp_path / "run.units"
    made = genealogy_of_run(line, lowered, 2, 24 * HOUR_US, path=path)
    held = made.holding(made.lot("bolt:1"))
    made.close()
    book = Genealogy(path)
    assert book.run == {"replication": 0, "until_us": 24 * HOUR_US}
    assert book.holding(book.lot("bolt:1")) == held
    assert {one.fate for one in held} <= {"built in", "finished", "in the line"}
    table = next(one.unit for one in held if one.unit.product == "table")
    board = book.made_of(table).below[0].unit
    assert {one.unit for one in book.holding(board)} == {board, table}
    for text, why in (
        ("bolt:999", "there is no lot"),
        ("B-7", "write it like bolt:0"),
        ("", "there is no lot"),
    ):
        with pytest.raises(JournalError, match=why):
            book.lot(text)
    path.write_bytes(b"SQLite format 3\0 and nothing else")
    with pytest.raises(JournalError, match="not a journal"):
        Genealogy(path)
