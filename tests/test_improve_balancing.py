"""Line balancing against enumeration, against published optima, and with bad input."""

from __future__ import annotations

import csv
import itertools
import json
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from linewright.cli import main
from linewright.errors import LinewrightError, ModelError
from linewright.improve import (
    Balance,
    Tasks,
    fewest_stations,
    least_idle,
    new_tasks,
    read_tasks,
    shortest_cycle,
)
from linewright.improve import _bounds as bounds
from linewright.improve._beam import Answer, Effort, lines_of, search
from linewright.improve._constraints import decide
from linewright.improve._ideals import enumerate_sets
from linewright.improve._rules import by_rules
from linewright.improve._work import new_work

pytest.importorskip("ortools")

# ---------------------------------------------------------------- an oracle


def random_tasks(seed: int, products: int = 1) -> Tasks:
    """Return six to nine tasks with a random order and small times."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(6, 10))
    density = draw.choice([0.1, 0.25, 0.5])
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(n), 2)
        if draw.random() < density
    ]
    names = [f"t{j}" for j in draw.permutation(n)]
    longest = int(draw.choice([4, 12, 40]))
    kinds = [f"p{p}" for p in range(products)] if products > 1 else [""]
    times = {
        name: {
            kind: int(draw.integers(0 if products > 1 else 1, longest))
            for kind in kinds
        }
        for name in names
    }
    after: dict[str, list[str]] = {name: [] for name in names}
    for i, j in pairs:
        after[names[j]].append(names[i])
    return new_tasks(times, after)


def least_loads(tasks: Tasks, rows: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return the shortest cycle for every number of stations, by enumeration.

    Stations are cut off one after the other, each any set that can be done next.
    """
    n = len(tasks)
    before = [0] * n
    for i, j in tasks.before:
        before[j] |= 1 << i
    # all sets that can be done first
    firsts = [
        s
        for s in range(1 << n)
        if all(not s >> j & 1 or before[j] & ~s == 0 for j in range(n))
    ]
    load = {
        s: [sum(row[j] for j in range(n) if s >> j & 1) for row in rows] for s in firsts
    }
    best = {0: 0}
    found = {}
    for m in range(1, n + 1):
        best = {
            s: min(
                max(b, *(x - y for x, y in zip(load[s], load[r], strict=True)))
                for r, b in best.items()
                if r & ~s == 0
            )
            for s in firsts
        }
        found[m] = best[(1 << n) - 1]
    return found


def check(tasks: Tasks, found: Balance, limit: float | None = None) -> None:
    """Check that an assignment keeps the order and the cycle time."""
    station = {name: k for k, names in enumerate(found.stations) for name in names}
    assert sorted(station) == sorted(tasks.names)
    order = [name for names in found.stations for name in names]
    for i, j in tasks.before:
        assert order.index(tasks.names[i]) < order.index(tasks.names[j])
    for product, times in zip(tasks.products, tasks.times, strict=True):
        loads = [0] * len(found.stations)
        for name, time in zip(tasks.names, times, strict=True):
            loads[station[name]] += time
        assert found.product_loads[product] == pytest.approx(loads)
    assert max(found.loads) <= found.cycle_time * (1 + 1e-12)
    assert found.cycle_time == (limit or found.cycle_time)


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_three_questions_agree_with_enumeration(seed: int) -> None:
    tasks = random_tasks(seed)
    least = least_loads(tasks, tasks.times)
    longest, work = max(tasks.times[0]), sum(tasks.times[0])
    for cycle in {longest, longest + 1, longest * 3 // 2, work // 2 + longest, work}:
        found = fewest_stations(tasks, cycle)
        check(tasks, found, cycle)
        expected = min(m for m, c in least.items() if c <= cycle)
        assert (len(found.stations), found.bound, found.proven) == (
            expected,
            expected,
            True,
        )
    for m in (1, 2, 3, len(tasks)):
        found = shortest_cycle(tasks, m)
        check(tasks, found)
        assert len(found.stations) == m
        assert (found.cycle_time, found.bound, found.proven) == (
            least[m],
            least[m],
            True,
        )
    found = least_idle(tasks, 2, 5)
    check(tasks, found)
    expected = min(m * least[m] for m in range(2, 6)) - work
    assert (found.idle_time, found.bound, found.proven) == (expected, expected, True)


@pytest.mark.parametrize("seed", range(20))
def test_a_mix_agrees_with_enumeration(seed: int) -> None:
    tasks = random_tasks(seed, products=2)
    mix = {"p0": 3, "p1": 2}
    mean = [3 * a + 2 * b for a, b in zip(*tasks.times, strict=True)]
    least = least_loads(tasks, [mean])
    each = least_loads(tasks, tasks.times)
    for m in (2, 3):
        found = shortest_cycle(tasks, m, mix=mix)
        check(tasks, found)
        assert found.cycle_time == pytest.approx(least[m] / 5)
        assert found.proven
        found = shortest_cycle(tasks, m, mix=mix, each_product=True)
        check(tasks, found)
        assert (found.cycle_time, found.proven) == (each[m], True)
        limit = max(max(row) for row in found.product_loads.values())
        assert limit <= found.cycle_time
        found = fewest_stations(tasks, each[m], mix=mix, each_product=True)
        assert len(found.stations) == min(k for k, c in each.items() if c <= each[m])


@pytest.mark.parametrize("seed", range(12))
def test_every_search_decides_alike(seed: int) -> None:
    tasks = random_tasks(seed)
    least = least_loads(tasks, tasks.times)
    work, _ = new_work(tasks.times, tasks.before)
    effort = Effort(10_000, 10_000)
    for m in (2, 3, 4):
        for cycle in (least[m] - 1, least[m]):
            if cycle < max(tasks.times[0]):
                continue
            rows = bounds.weightings(work, cycle)
            at = bounds.windows(work, rows, m)
            fewest = min(k for k, c in least.items() if c <= cycle)
            assert bounds.station_bound(work, cycle) <= fewest
            if (at.earliest > at.latest).any():
                assert cycle < least[m]
                continue
            lines = lines_of(work, cycle, rows, at, effort)
            answers: list[Answer] = [
                search(lines, m, effort, lambda: 1.0),
                enumerate_sets(work, cycle, at, m, (100_000, lambda: 1.0)),
                decide(work, cycle, (rows, at, m), 10.0, by_rules(work, cycle)),
            ]
            for answer in answers:
                assert answer.proven
                assert (answer.stations is not None) == (cycle == least[m])
                if answer.stations is not None:
                    loads = np.bincount(answer.stations, weights=work.times[0])
                    assert loads.max() <= cycle
                    assert all(
                        answer.stations[i] <= answer.stations[j] for i, j in work.before
                    )


def test_rules_give_an_answer_that_keeps_the_order() -> None:
    for seed in SEEDS:
        tasks = random_tasks(seed)
        work, _ = new_work(tasks.times, tasks.before)
        cycle = int(work.times.max())
        station = by_rules(work, cycle)
        assert np.bincount(station, weights=work.times[0]).max() <= cycle
        assert all(station[i] <= station[j] for i, j in work.before)


def test_an_answer_that_is_not_proven_says_so() -> None:
    draw = np.random.default_rng(3)
    names = [f"t{j}" for j in range(120)]
    times = {name: int(draw.integers(300, 700)) for name in names}
    after = {name: [names[j // 3]] for j, name in enumerate(names) if j > 2}
    found = shortest_cycle(new_tasks(times, after), 23, time_limit=0.3)
    assert found.bound <= found.cycle_time
    assert found.proven == (found.bound == found.cycle_time)
    assert found.seconds < 10


def test_equal_tasks_and_tasks_without_time() -> None:
    tasks = new_tasks(dict.fromkeys("abcdef", 5) | {"g": 0}, {"g": ["f"]})
    found = fewest_stations(tasks, 10)
    assert (len(found.stations), found.idle_time, found.efficiency) == (3, 0, 1)
    nothing = shortest_cycle(new_tasks({"a": 0, "b": 0}, {}), 2)
    assert (nothing.cycle_time, nothing.proven) == (0, True)


# ---------------------------------------------------------------- bad input


def test_bad_arguments_are_told_all_at_once() -> None:
    tasks = new_tasks({"saw": 12, "drill": 15, "glue": 3}, {"glue": ["saw"]})
    with pytest.raises(ValueError, match="longer than the cycle time 10") as error:
        fewest_stations(tasks, 10, mix={"x": 1}, time_limit=0)
    for words in ('"saw" takes 12', '"drill" takes 15', '"x"', "time limit is 0"):
        assert words in str(error.value)
    assert "glue" not in str(error.value)
    with pytest.raises(ValueError, match="number of stations is 0; it is one or more"):
        shortest_cycle(tasks, 0)
    with pytest.raises(ValueError, match="fewer than the least"):
        least_idle(tasks, 3, 2)
    for cycle in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="more than zero and finite"):
            fewest_stations(tasks, cycle)
    with pytest.raises(ValueError, match="one of them is made at least"):
        shortest_cycle(tasks, 2, mix={"": 0})


@pytest.mark.parametrize(
    ("times", "after", "words"),
    [
        ({"a": 1, "b": 1, "c": 1}, {"a": ["b"], "b": ["a"]}, ["circle", "b before a"]),
        ({"a": 1}, {"a": ["a"]}, ['"a" comes before itself']),
        ({"weld": 1, "cut": -2}, {"weld": ["cot"]}, ['did you mean "cut"', "is -2"]),
        ({}, {}, ["there are no tasks"]),
        ({"a": 2**60}, {}, ["finite"]),
    ],
)
def test_bad_tasks_are_told_all_at_once(
    times: Mapping[str, int], after: Mapping[str, Sequence[str]], words: Sequence[str]
) -> None:
    with pytest.raises(ModelError) as error:
        new_tasks(times, after)
    for word in words:
        assert word in str(error.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = new_tasks({"a": 1}, {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LinewrightError, match=r"linewright\[improve\]"):
        fewest_stations(tasks, 2)


# ---------------------------------------------------------------- files and command

CSV = """\
task,time,after
cut,4 min,
bend,3 min,cut
drill,5 min,cut
weld,6 min,bend; drill
paint,2 min,weld
"""
MIXED = """\
task,time A,time B,after
cut,4,2,
bend,3,9,cut
drill,5,,cut
weld,6,6,bend;drill
"""


def test_files_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("task,time,after\n1,5,\n2,7,1\n3,2,1;2\n")
    (tmp_path / "a.IN2").write_text("3\n5\n7\n2\n1,2\n1,3\n2,3\n-1,-1\nremarks\n")
    (tmp_path / "a.alb").write_text(
        "<number of tasks>\n3\n<task times>\n1 5\n2 7\n3 2\n\n"
        "<precedence relations>\n1,2\n1,3\n2,3\n<end>\n"
    )
    found = [read_tasks(tmp_path / f"a.{kind}") for kind in ("csv", "IN2", "alb")]
    assert found[0] == found[1] == found[2]
    assert found[0].times == ((5, 7, 2),)
    (tmp_path / "b.csv").write_text(CSV)
    tasks = read_tasks(tmp_path / "b.csv")
    assert tasks.in_us
    assert tasks.times[0][0] == 240_000_000
    (tmp_path / "c.csv").write_text(MIXED)
    tasks = read_tasks(tmp_path / "c.csv")
    assert (tasks.products, tasks.times[1]) == (("A", "B"), (2, 9, 0, 6))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "task,time,after\na,5 min,\nb,7,\n", [":3:1: LW501", "unit"]),
        ("a.csv", "task,time,after\na,5x,\nb,-7,\n", [":2:1:", ":3:1:"]),
        ("a.csv", "task,zeit,after\na,5,\n", ['no column "time"', '"zeit"']),
        ("a.csv", "task,time,after\na,5\n", ["has not 3 columns"]),
        ("a.csv", "task,time,after\na,5,c\nb,1,b\na,1,\n", [":2:", ":3:", "than once"]),
        ("a.csv", "task,time,after\na,5,b\nb,1,a\n", [":2:1:", "circle"]),
        ("a.IN2", "3\n5\n7\n", ["ends too soon"]),
        ("a.IN2", "3\n5\nx\n", [":3:1:", "not in the form"]),
        ("a.IN2", "", ["ends too soon"]),
        ("a.alb", "<task times>\n1\n<end>\n", [":2:1:", "does not belong"]),
        ("a.alb", "<task times>\n1 5\n", ["ends too soon"]),
        ("a.txt", "", [".csv, .in2, .alb"]),
    ],
)
def test_bad_files_say_where(
    tmp_path: Path, name: str, text: str, words: Sequence[str]
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelError) as error:
        read_tasks(tmp_path / name)
    for word in words:
        assert word in str(error.value)


Said = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks.csv").write_text(CSV)
    (tmp_path / "mixed.csv").write_text(MIXED)
    return tmp_path


def run(arguments: str) -> int:
    return main(["balance", *shlex.split(arguments)])


@pytest.mark.usefixtures("folder")
def test_balance_shows_stations(capsys: Said) -> None:
    assert run("tasks.csv --cycle-time 8min") == 0
    said = capsys.readouterr()
    assert "weld, paint" in said.out
    assert "100.0%" in said.out
    assert "3 stations, cycle time 8 min, idle 4 min" in said.err
    assert "proven to be the fewest stations" in said.err
    assert run("tasks.csv --stations 3 --json -q") == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["goal"], found["cycle_time"], found["bound"]) == (
        "cycle_time",
        480,
        480,
    )
    assert found["proven"] is True
    assert found["time_unit"] == "s"
    assert said.err == ""
    assert run("tasks.csv --stations 2..4 --json -q") == 0
    assert json.loads(capsys.readouterr().out)["goal"] == "idle_time"
    assert run("mixed.csv --stations 2 --mix A=3,B=2 --json -q") == 0
    loads = json.loads(capsys.readouterr().out)["stations"][0]["loads"]
    assert set(loads) == {"A", "B"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("tasks.csv", "one of the arguments"),
        ("tasks.csv --stations 2 --cycle-time 8min", "not allowed with"),
        ("tasks.csv --stations many", "no number of stations"),
        ("tasks.csv --stations 0", "one or more"),
        ("tasks.csv --cycle-time 8", "is not a duration"),
        ("tasks.csv --cycle-time 5min", '"weld" takes 6 min, which is longer'),
        ("mixed.csv --cycle-time 8min", "have no unit"),
        ("mixed.csv --stations 2 --mix A", "write it like A=3,B=2"),
        ("mixed.csv --stations 2 --mix C=1", 'products are "A", "B"'),
        ("none.csv --stations 2", "no such file"),
    ],
)
def test_balance_refuses_in_one_line(arguments: str, words: str, capsys: Said) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert "Traceback" not in said.err


def test_cp_sat_can_be_reached_from_the_command(folder: Path) -> None:
    """The command keeps pandas out, which OR-Tools imports."""
    code = (
        "import sys; sys.argv = 'linewright balance tasks.csv --stations 3'.split();"
        "import linewright.improve.balancing as b; b._LIGHT = b._HEAVY = ();"
        "b.by_rules = lambda work, cycle: __import__('numpy').arange(work.n);"
        "from linewright.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "proven" in done.stderr


# ---------------------------------------------------------------- published cases

SAMPLE = {
    "salbp1": ("Mertens", "Jackson", "Mitchell", "Roszieg", "Hahn", "Gunther", "Lutz1"),
    "salbp2": ("Buxey", "Sawyer", "Gunther", "Mertens", "Jaeschke"),
    "salbpE": ("Mertens", "Bowman", "Jackson", "Gunther", "Buxey"),
}


@pytest.fixture(scope="module")
def scholl(
    shared_reference: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Tasks]]:
    """Return the folder of tables, and the tasks of every graph."""
    data = shared_reference / "assembly-line-balancing/open"
    out = tmp_path_factory.mktemp("scholl")
    with zipfile.ZipFile(data / "scholl_precedence_graphs.zip") as archive:
        archive.extractall(out)
    with (data / "scholl_graph_properties.csv").open() as table:
        files = {row["Name"].lower(): row["File name"] for row in csv.DictReader(table)}
    return data, {name: read_tasks(out / file) for name, file in files.items()}


def test_scholl_1993_the_sums_of_times(scholl: tuple[Path, dict[str, Tasks]]) -> None:
    data, tasks = scholl
    with (data / "scholl_graph_properties.csv").open() as table:
        for row in csv.DictReader(table):
            mine = tasks[row["Name"].lower()]
            assert len(mine) == int(row["n"])
            assert sum(mine.times[0]) == int(row["tsum"])
            assert max(mine.times[0]) == int(row["tmax"])


@pytest.mark.parametrize("kind", SAMPLE)
def test_scholl_1993_published_optima(
    kind: str, scholl: tuple[Path, dict[str, Tasks]]
) -> None:
    """Scholl (1993), Data of assembly line balancing problems; the quick ones."""
    data, tasks = scholl
    n = 0
    with (data / f"scholl_{kind}_optima.csv").open() as table:
        for row in csv.DictReader(table):
            if row["graph"] not in SAMPLE[kind]:
                continue
            mine = tasks[row["graph"].lower()]
            if kind == "salbp1":
                found = fewest_stations(mine, int(row["cycle_time"]))
                best = int(row["upper_bound"])
            elif kind == "salbp2":
                found = shortest_cycle(mine, int(row["stations"]))
                best = int(row["upper_bound"])
            else:
                found = least_idle(mine, int(row["m_min"]), int(row["m_max"]))
                best = int(row["idle_best"])
            assert (found.value, found.proven) == (best, True), row
            check(mine, found)
            n += 1
    assert n > 5
