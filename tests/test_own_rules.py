"""Rules of one's own: the same runs as built-in rules, and each way to fail."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import linewright as lw
from linewright import tables as t
from linewright.cli import main
from linewright.kernel.run import external
from linewright.lower import Lowered, lower, new_draws, new_state, part_capacity
from linewright.model.check import check
from linewright.model.line import Line
from linewright.own_rules import Caller, Candidate, LineNow, Server, Unit, permit
from linewright.replicate import check_laws, run_until
from linewright.why import why
from tests.parts import PROJECT
from tests.random_lines import HOUR_US, line_dict

N_TRACE = 200_000
N_PARTS = 8_000

Rule = Callable[[tuple[Candidate, ...], Server, float], Any]


# ------------------------------------------------------------------ rules and lines


def by(*keys: Callable[[Candidate], float]) -> Rule:
    """Return the rule that takes the least by some keys; ties to who waited longest."""

    def rule(parts: tuple[Candidate, ...], server: Server, now_s: float) -> Candidate:
        return min(parts, key=lambda part: [key(part) for key in keys])

    return rule


def priority(part: Candidate) -> float:
    return -part.priority


def due(part: Candidate) -> float:
    return float("inf") if part.due_s is None else part.due_s


def shortest(part: Candidate) -> float:
    return part.process_s


def setup(part: Candidate) -> float:
    return part.setup_s


BUILT_IN: dict[str, tuple[tuple[int, ...], Rule]] = {
    "fifo": ((t.FIFO,), lambda parts, server, now_s: 0),
    "priority": ((t.PRIORITY,), by(priority)),
    "due": ((t.DUE,), by(due)),
    "shortest": ((t.SHORTEST,), by(shortest)),
    "setup": ((t.LEAST_SETUP,), by(setup)),
    "priority, due": ((t.PRIORITY, t.DUE), by(priority, due)),
    "setup, priority, shortest": (
        (t.LEAST_SETUP, t.PRIORITY, t.SHORTEST),
        by(setup, priority, shortest),
    ),
}


def ruled(seed: int, rooms: str) -> Line:
    """Return a random line with a rule of its own at every station.

    Parts arrive one by one: of several that come to several stations in one instant the
    order of starts is another, because all ready servers look where a rule is asked.
    """
    for attempt in range(100):
        data = line_dict(1000 * seed + attempt)
        for product in data["products"].values():
            product.get("release", {}).pop("quantity", None)
        for station in data["stations"].values():
            station["dispatch"] = {"python": "mine"}
            if rooms == "unlimited" or station["buffer"] == 0:
                station["buffer"] = "unlimited"
        if rooms == "unlimited":
            data["buffers"] = {name: {"slots": "unlimited"} for name in data["buffers"]}
        line = Line.model_validate(data)
        if all(finding.severity != "error" for finding in check(line)):
            return line
    raise AssertionError(seed)


def as_built_in(lowered: Lowered, codes: tuple[int, ...]) -> Lowered:
    """Return a line whose stations look in the same way, and go by a built-in rule."""
    stations = lowered.tables.stations.copy()
    stations["own_rule"] = -1
    columns = "dispatch", "dispatch_2", "dispatch_3"
    for column, code in zip(columns, (*codes, t.FIFO, t.FIFO), strict=False):
        stations[column] = code
    tables = lowered.tables._replace(stations=stations)
    return lowered._replace(tables=tables, own_rules=())


def traced(lowered: Lowered, seed: int, until_us: int) -> t.State:
    state = part_capacity(lowered, new_state(lowered, n_trace=N_TRACE), N_PARTS)
    _, state = run_until(lowered, state, new_draws(lowered, seed, 0), until_us)
    assert state.clock["n_trace"][0] < N_TRACE // 2
    return state


def rows_of(state: t.State) -> t.Ints:
    return state.trace[: int(state.clock["n_trace"][0])]


def told(state: t.State) -> t.Ints:
    """Return what happened, without looks at batches that have gone.

    All ready servers look at a part that comes to a station with a rule of its own, and
    each look sets the timer of the longest wait anew.
    """
    rows = rows_of(state)
    kept: t.Ints = rows[(rows[:, 1] != t.T_EVENT) | (rows[:, 6] != t.WAITED)]
    return kept


def hold_same(one: t.State, other: t.State) -> int:
    for number, (a, b) in enumerate(zip(told(one), told(other), strict=False)):
        assert a.tolist() == b.tolist(), f"transition {number} differs"
    assert len(told(one)) == len(told(other))
    np.testing.assert_array_equal(one.accounts, other.accounts)
    return len(told(one))


def compare(name: str, seed: int, hours: int, rooms: str = "unlimited") -> int:
    codes, rule = BUILT_IN[name]
    lowered = lower(ruled(seed, rooms), hours * HOUR_US)
    own = traced(permit(lowered, {"mine": rule}), seed, hours * HOUR_US)
    assert all(check.ok for check in check_laws(lowered, own))
    return hold_same(traced(as_built_in(lowered, codes), seed, hours * HOUR_US), own)


# ------------------------------------------------------------------ the same runs


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_rule_like_a_built_in_one_gives_the_same_run(name: str) -> None:
    assert sum(compare(name, seed, 30) for seed in range(12)) > 2_000


def test_buffers_with_few_places_fill_and_empty_in_the_same_way() -> None:
    found = sum(compare("fifo", seed, 30, "as they are") for seed in range(40, 70))
    assert found > 2_000


@pytest.mark.nojit
@pytest.mark.boundscheck
@pytest.mark.parametrize("seed", range(3))
def test_the_runs_are_the_same_however_the_kernel_is_compiled(seed: int) -> None:
    assert compare("priority, due", seed, 2) > 10


TWO = """
schema_version: 1
name: Two kinds
stations:
  mill: {process: exponential(4 min)}
  grind: {process: {hot: 5 min, cold: 2 min}, dispatch: RULE}
products:
  hot:
    priority: 2
    route: [mill, grind]
    release: {every: exponential(14 min), due: 1 h}
  cold: {route: [mill, grind], release: {every: exponential(9 min), due: 3 h}}
"""


@pytest.mark.parametrize(
    ("built_in", "key"),
    [
        ("priority", priority),
        ("earliest_due_date", due),
        ("shortest_processing_time", shortest),
    ],
)
def test_parts_leave_in_the_order_of_the_built_in_rule(
    built_in: str, key: Callable[[Candidate], float]
) -> None:
    end_us = 100 * HOUR_US
    plain = lower(lw.loads(TWO.replace("RULE", built_in)), end_us)
    own = lower(lw.loads(TWO.replace("RULE", "{python: mine}")), end_us)
    exits = []
    for lowered in (plain, permit(own, {"mine": by(key)})):
        rows = rows_of(traced(lowered, 7, end_us))
        exits.append(rows[rows[:, 1] == t.T_EXIT])
    np.testing.assert_array_equal(exits[0], exits[1])
    assert len(exits[0]) > 500


def conwip(cap: int) -> Callable[[Unit, LineNow, float], bool]:
    return lambda unit, line, now_s: line.wip < cap


CAPPED = """
schema_version: 1
name: Capped
stations:
  mill: {process: exponential(4 min), servers: 2}
  grind: {process: exponential(3 min), buffer: 3}
products:
  hot: {route: [mill, grind], release: {every: exponential(9 min), RULE}}
  cold: {route: [mill, {station: grind, defect: 0.1, inspection: {rework_to: mill}}],
         release: {every: 5 min, when_full: WHEN, RULE}}
"""


@pytest.mark.parametrize("when_full", ["wait", "block", "lose"])
def test_a_release_rule_like_conwip_gives_the_same_run(when_full: str) -> None:
    text, end_us = CAPPED.replace("WHEN", when_full), 200 * HOUR_US
    rule = text.replace("RULE", "rule: {python: mine}")
    plain = text.replace(", RULE", "").replace("name: Capped", "name: x\nconwip: 5")
    own = permit(lower(lw.loads(rule), end_us), {"mine": conwip(5)})
    hold_same(traced(lower(lw.loads(plain), end_us), 3, end_us), traced(own, 3, end_us))


def test_a_release_rule_like_a_cap_holds_always_available_products_too() -> None:
    text = """
    schema_version: 1
    name: Always
    stations:
      mill: {process: exponential(4 min), buffer: 2}
      grind: {process: exponential(3 min)}
    products:
      hot: {route: [mill, grind], release: {kind: always, share: 2, conwip: CAP}}
      cold: {route: [mill, grind], release: {kind: always, conwip: CAP}}
    """
    end_us = 200 * HOUR_US
    plain = lower(lw.loads(text.replace("CAP", "4")), end_us)
    ruled_text = text.replace("CAP", "50, rule: {python: mine}")

    def mine(unit: Unit, line: LineNow, now_s: float) -> bool:
        return line.wip_of[unit.product] < 4

    own = permit(lower(lw.loads(ruled_text), end_us), {"mine": mine})
    hold_same(traced(plain, 5, end_us), traced(own, 5, end_us))


@pytest.mark.nojit
def test_a_release_rule_is_asked_again_when_the_queue_it_looks_at_is_served() -> None:
    text = """
    schema_version: 1
    name: Drum
    stations:
      cut: {process: 1 min}
      drum: {process: 10 min}
    products:
      part: {route: [cut, drum], release: {every: 2 min, rule: {python: rope}}}
    """

    def rope(unit: Unit, line: LineNow, now_s: float) -> bool:
        return line.queue["drum"] == 0 and line.wip < 2

    lowered = permit(lower(lw.loads(text), HOUR_US), {"rope": rope})
    rows = rows_of(traced(lowered, 1, HOUR_US))
    came = rows[rows[:, 1] == t.T_RELEASE, 0] / 60e6
    assert came.tolist() == [2, 4, 13, 23, 33, 43, 53]


# ------------------------------------------------------------------ waiting


@pytest.mark.nojit
def test_a_rule_may_let_the_server_wait_and_is_asked_again_when_a_part_comes() -> None:
    text = """
    schema_version: 1
    name: Pairs
    stations:
      press: {process: 1 min, servers: 2, dispatch: {python: pairs}}
    products:
      part: {route: [press], release: {every: 5 min}}
    """
    asked: list[tuple[float, int, int]] = []

    def pairs(
        parts: tuple[Candidate, ...], server: Server, now_s: float
    ) -> Candidate | None:
        asked.append((now_s / 60, server.number, len(parts)))
        return parts[0] if server.number == 2 and len(parts) > 1 else None

    lowered = permit(lower(lw.loads(text), 16 * 60_000_000), {"pairs": pairs})
    rows = rows_of(traced(lowered, 1, 16 * 60_000_000))
    assert (rows[rows[:, 1] == t.T_START, 0] / 60e6).tolist() == [10, 15]
    assert {(5, 1, 1), (5, 2, 1), (10, 1, 2), (10, 2, 2), (11, 2, 1)} <= set(asked)


def test_a_rule_fills_a_batch_part_by_part() -> None:
    text = """
    schema_version: 1
    name: Oven
    stations:
      oven: {process: 10 min, batch: {min: 3, max: 3}, dispatch: {python: fill}}
    products:
      red: {route: [oven], release: {every: 3 min}}
    """
    filling: list[bool] = []

    def fill(parts: tuple[Candidate, ...], server: Server, now_s: float) -> int:
        filling.append(server.filling)
        return len(parts) - 1

    lowered = permit(lower(lw.loads(text), 15 * 60_000_000), {"fill": fill})
    rows = rows_of(traced(lowered, 1, 15 * 60_000_000))
    starts = rows[rows[:, 1] == t.T_START]
    assert starts[:, 4].tolist() == [2, 1, 0]
    assert filling == [False, True, True]


@pytest.mark.nojit
def test_a_rule_is_shown_names_and_seconds() -> None:
    text = """
    schema_version: 1
    name: Shown
    stations:
      cut: {process: 2 min}
      weld:
        process: 10 min
        dispatch: {python: look}
        setup: {by: family, time: 3 min}
    products:
      frame:
        family: steel
        priority: 3
        lot_size: 2
        route: [cut, {operation: join, station: weld}]
        release: orders
    orders: [{id: A7, product: frame, quantity: 4, release: 1 min, due: 2 h}]
    """
    seen: list[tuple[tuple[Candidate, ...], Server, dict[str, int], float]] = []

    def look(parts: tuple[Candidate, ...], server: Server, now_s: float) -> int:
        seen.append((parts, server, dict(server.line.queue), now_s))
        assert server.line.wip == 2 - len(seen) + 1
        assert dict(server.line.finished) == {"frame": 2 * len(seen) - 2}
        return 0

    lowered = permit(lower(lw.loads(text), HOUR_US), {"look": look})
    traced(lowered, 1, HOUR_US)
    (parts, server, queue, now_s), later = seen
    assert parts == (
        Candidate(
            product="frame", number=0, operation="join", order="A7", due_s=7200,
            priority=3, units=2, waiting_s=0, released_s=60, process_s=600,
            work_left_s=600, setup_s=0, loops=0,
        ),
    )  # fmt: skip
    assert (server.station, server.number, server.set_up_for) == ("weld", 1, None)
    assert (queue, now_s) == ({"cut": 1, "weld": 1}, 180)
    assert later[1].set_up_for == "steel"
    assert later[0][0].waiting_s == 480


def test_who_waits_is_asked_again_when_the_shift_begins_and_after_repair() -> None:
    text = """
    schema_version: 1
    name: Nine to five
    calendars:
      day: {shifts: [{from: "09:00", to: "17:00"}]}
    stations:
      press:
        process: 1 min
        calendar: day
        maintenance: {oil: {every: 2 h, first: 10 h, duration: 30 min}}
        dispatch: {python: never}
    products:
      part: {route: [press], release: orders}
    orders: [{product: part}]
    """
    asked: list[float] = []

    def never(parts: tuple[Candidate, ...], server: Server, now_s: float) -> None:
        asked.append(now_s / 3600)

    lowered = permit(lower(lw.loads(text), 14 * HOUR_US), {"never": never})
    traced(lowered, 1, 14 * HOUR_US)
    assert sorted(set(asked)) == [9, 10.5, 13]


def test_a_line_in_which_a_rule_takes_nothing_stands_still() -> None:
    line = lw.loads(
        """
        schema_version: 1
        name: Still
        stations: {press: {process: 1 min, dispatch: {python: never}}}
        products: {part: {route: [press], release: orders}}
        orders: [{product: part}]
        study: {kind: terminating, horizon: 1 d, replications: 2}
        """
    )
    result = lw.simulate(line, rules={"never": lambda *_: None})
    assert result.manifest["standstill"] == [0, 1]
    assert result.manifest["rules_given"] == ["never"]


# ------------------------------------------------------------------ everywhere the same

COUNTING = """
n = 0

def mine(parts, server, now_s):
    global n
    n += 1
    return n % len(parts)
"""


def rule_model(folder: Path, python: str, **changes: str) -> Path:
    """Write a model of two stations with a rule in a file; return its path."""
    (folder / "rules.py").write_text(textwrap.dedent(python), encoding="utf-8")
    rule = changes.get("rule", '{python: "rules.py:mine"}')
    text = TWO.lstrip().replace("RULE", rule)
    text += "study: {kind: terminating, horizon: 40 h, replications: 4}\n"
    path = folder / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_one_core_and_two_give_the_same_even_if_a_rule_counts(tmp_path: Path) -> None:
    line = lw.load(rule_model(tmp_path, COUNTING))
    one, two = (
        lw.simulate(line, allow_python=True, workers=workers) for workers in (1, 2)
    )
    for name, table in one.tables.items():
        assert table.equals(two.tables[name]), name
    assert not one.failed_checks


def test_a_saved_result_holds_the_rules(tmp_path: Path) -> None:
    line = lw.load(rule_model(tmp_path, COUNTING))
    lw.simulate(line, allow_python=True, replications=1).save(tmp_path / "result")
    again = lw.Result.load(tmp_path / "result")
    assert again.line == line
    assert again.manifest["rules_given"] == []


def test_a_saved_state_goes_on_as_the_run_did(tmp_path: Path) -> None:
    from linewright.states import load_state, save_state  # noqa: PLC0415

    line = lw.loads(TWO.replace("RULE", "{python: mine}"))
    lowered = permit(lower(line, 60 * HOUR_US), {"mine": by(priority)})
    draws = new_draws(lowered, 1, 0)
    _, state = run_until(lowered, new_state(lowered), draws, 20 * HOUR_US)
    save_state(tmp_path / "x.npz", lowered, state, 1, 0, "hash")
    saved = load_state(tmp_path / "x.npz", lowered, "hash")
    _, on = run_until(lowered, saved.state, saved.draws, 60 * HOUR_US)
    _, state = run_until(lowered, state, draws, 60 * HOUR_US)
    np.testing.assert_array_equal(on.accounts, state.accounts)
    np.testing.assert_array_equal(on.products, state.products)


def test_a_state_without_rules_is_a_start_for_a_study_with_them(tmp_path: Path) -> None:
    from linewright.states import save_state  # noqa: PLC0415

    plain = lw.loads(TWO.replace("RULE", "fifo"))
    lowered = lower(plain, 60 * HOUR_US)
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    _, state = run_until(lowered, state, draws, 20 * HOUR_US)
    save_state(tmp_path / "x.npz", lowered, state, 1, 0, "hash")
    line = lw.loads(TWO.replace("RULE", "{python: mine}"))
    result = lw.simulate(
        line,
        rules={"mine": by(priority)},
        start_from=tmp_path / "x.npz",
        horizon="40 h",
        replications=2,
    )
    assert not result.failed_checks


@pytest.mark.parametrize("seed", range(8))
def test_a_line_driven_from_outside_takes_the_same_decisions(seed: int) -> None:
    end_us = 30 * HOUR_US
    rule = BUILT_IN["setup, priority, shortest"][1]
    lowered = permit(lower(ruled(seed, "as they are"), end_us), {"mine": rule})
    state = traced(lowered, seed, end_us)
    driven = part_capacity(lowered, new_state(lowered, n_trace=N_TRACE), N_PARTS)
    rows = rows_of(state)
    with Caller(lowered) as caller:
        for time_us, _, row, *_, kind, outcome in rows[rows[:, 1] == t.T_EVENT]:
            driven.clock["now"] = time_us
            call = caller.address(driven)
            external(
                lowered.tables, driven, int(kind), int(row), int(outcome), call=call
            )
    driven.clock["now"] = state.clock["now"]
    hold_same(state, driven)


# ------------------------------------------------------------------ what goes wrong

PLACE = 'plant.yaml:5:66: the rule "rules.py:mine" of station "grind" failed '


def failing(folder: Path, body: str, **changes: str) -> str:
    """Return what is said of a rule with some body, asked during a simulation."""
    python = f"import time\ndef mine(parts, server, now_s):\n    {body}\n"
    path = rule_model(folder, python, **changes)
    with pytest.raises(lw.RuleError) as raised:
        lw.simulate(lw.load(path), allow_python=True, replications=1)
    return str(raised.value)


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "rules.py:3: ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "rules.py:3: SystemExit: 0"),
        ("return 'cold'", "rules.py: it returned 'cold'; allowed is one of the"),
        ("return True", "it returned True; allowed is"),
        ("return len(parts)", "it returned 1; allowed is"),
        ("return -1", "it returned -1; allowed is"),
        ("return parts", "it returned (Candidate("),
        ("return parts[0]._replace(priority=9)", "it returned Candidate("),
        ("parts[0].priority = 9", "rules.py:3: AttributeError: can't set attribute"),
        ("parts[0] = None", "rules.py:3: TypeError: 'tuple' object does not"),
        ("server.line.queue['grind'] = 0", "rules.py:3: TypeError: 'mappingproxy'"),
        ("server.line.wip = 0", "rules.py:3: AttributeError: property 'wip' of"),
        ("return mine(parts, server, now_s)", "rules.py:3: RecursionError: maximum"),
        ("yield parts[0]", "it returned <generator object mine"),
    ],
)
def test_a_rule_that_fails_is_told_with_its_places(
    tmp_path: Path, body: str, said: str
) -> None:
    text = failing(tmp_path, body)
    assert PLACE + "at " in text
    assert said in text
    assert "min (" in text  # the time in the line


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "exec('while True:\\n  try:\\n    while True: pass\\n  except: pass')",
        "return len([0 for _ in iter(int, 1)])",
    ],
)
def test_a_rule_that_never_returns_is_stopped(tmp_path: Path, body: str) -> None:
    text = failing(tmp_path, body, rule='{python: "rules.py:mine", limit: 200 ms}')
    assert "rules.py:3: it took longer than 200 ms" in text


def test_a_rule_that_hangs_outside_of_python_is_not_waited_for(tmp_path: Path) -> None:
    rule = '{python: "rules.py:mine", limit: 200 ms}'
    text = failing(tmp_path, "time.sleep(6)", rule=rule)
    assert "it hangs outside of Python, longer than 200 ms" in text


def test_the_command_ends_though_a_rule_hangs(tmp_path: Path) -> None:
    python = "import time\ndef mine(parts, server, now_s):\n    time.sleep(600)\n"
    rule = '{python: "rules.py:mine", limit: 200 ms}'
    path = rule_model(tmp_path, python, rule=rule)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "linewright", "simulate", path, "--allow-python", "-q"],
        check=False,
        timeout=300,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "it hangs outside of Python" in done.stderr


ON_THE_MAIN_THREAD = """
import sys
import linewright as lw
from linewright.lower import lower, new_draws, new_state
from linewright.own_rules import permit
from linewright.replicate import run_until

lowered = permit(lower(lw.load(sys.argv[1]), 3_600_000_000), allow_python=True)
try:
    run_until(lowered, new_state(lowered), new_draws(lowered, 1, 0), 3_600_000_000)
except lw.RuleError as error:
    print(error)
"""


def test_a_rule_that_hangs_on_the_main_thread_is_woken(tmp_path: Path) -> None:
    python = "import time\ndef mine(parts, server, now_s):\n    time.sleep(60)\n"
    rule = '{python: "rules.py:mine", limit: 200 ms}'
    path = rule_model(tmp_path, python, rule=rule)
    done = subprocess.run(  # in a process of its own, whose signals are nobody else's
        [sys.executable, "-c", ON_THE_MAIN_THREAD, str(path)],
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
    )
    assert "rules.py:3: it took longer than 200 ms" in done.stdout, done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("raise ValueError('no')\ndef mine(a, b, c): pass", "py:1: ValueError: no"),
        ("def mine(a, b, c): pass\nwhile True: pass", "py:2: it took longer than"),
        ("def mine(a, b, c): pass\nmine = 3", "is no function when it has run"),
    ],
)
def test_a_file_that_cannot_run_is_told(tmp_path: Path, python: str, said: str) -> None:
    rule = '{python: "rules.py:mine", limit: 200 ms}'
    line = lw.load(rule_model(tmp_path, python, rule=rule))
    with pytest.raises(lw.RuleError) as raised:
        lw.simulate(line, allow_python=True, replications=1)
    assert PLACE + "before the start: " in str(raised.value)
    assert said in str(raised.value)


def test_an_exception_that_cannot_say_what_it_is_is_told(tmp_path: Path) -> None:
    python = """
    class Sly(Exception):
        def __str__(self):
            while True: pass
    def mine(parts, server, now_s):
        raise Sly
    """
    rule = '{python: "rules.py:mine", limit: 200 ms}'
    line = lw.load(rule_model(tmp_path, python, rule=rule))
    with pytest.raises(lw.RuleError, match=r"rules\.py:6: Sly"):
        lw.simulate(line, allow_python=True, replications=1)


def test_the_exception_of_a_rule_is_the_cause_of_the_error(tmp_path: Path) -> None:
    line = lw.load(rule_model(tmp_path, "def mine(a, b, c): return {}['x']"))
    with pytest.raises(lw.RuleError) as raised:
        lw.simulate(line, allow_python=True, replications=1)
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_answer_that_gets_lost_is_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(self: Caller, error: BaseException) -> BaseException:
        raise KeyboardInterrupt

    monkeypatch.setattr(Caller, "_described", interrupted)
    line = lw.loads(TWO.replace("RULE", "{python: mine}"))
    with pytest.raises(lw.KernelError, match="what it answered is lost"):
        lw.simulate(line, rules={"mine": lambda *_: 1 / 0}, replications=1)


def test_a_release_rule_says_true_or_false() -> None:
    text = CAPPED.replace("WHEN", "wait").replace("RULE", "rule: {python: mine}")
    line = lw.loads(text)
    for answer in (None, 1, "yes"):
        with pytest.raises(lw.RuleError, match=r"product .* allowed is True or False"):
            lw.simulate(line, rules={"mine": lambda *_, a=answer: a}, replications=1)


def test_nothing_moves_after_a_rule_has_failed() -> None:
    lowered = lower(lw.loads(TWO.replace("RULE", "{python: mine}")), 40 * HOUR_US)
    n = 0

    def mine(parts: tuple[Candidate, ...], server: Server, now_s: float) -> int:
        nonlocal n
        n += 1
        return 0 if n < 50 else 99

    lowered = permit(lowered, {"mine": mine})
    state = new_state(lowered)
    with pytest.raises(lw.RuleError):
        run_until(lowered, state, new_draws(lowered, 1, 0), 40 * HOUR_US)
    assert n == 50
    assert state.asked[t.ASKED_CALL] == 0
    assert state.clock["now"][0] < 40 * HOUR_US
    assert all(check.ok for check in check_laws(lowered, state))


# ------------------------------------------------------------------ leave to run


def test_nothing_of_a_model_runs_without_leave(tmp_path: Path) -> None:
    python = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    path = rule_model(tmp_path, python + "def mine(a, b, c): return 0\n")
    line, findings = lw.load_checked(path)
    assert findings == []
    lowered = lower(line, HOUR_US)
    with pytest.raises(lw.RuleError, match="--allow-python"):
        lw.simulate(line)
    with pytest.raises(lw.RuleError, match=r"plant.yaml:5:66: .*rules.py; read them"):
        run_until(lowered, new_state(lowered), new_draws(lowered, 1, 0), HOUR_US)
    assert not (tmp_path / "ran").exists()


def test_the_kernel_stops_where_nobody_answers() -> None:
    from linewright.kernel.run import advance  # noqa: PLC0415

    lowered = lower(lw.loads(TWO.replace("RULE", "{python: mine}")), HOUR_US)
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    code = advance(lowered.tables, state, draws, HOUR_US, 2**62)
    assert code == t.RULE_FAILED


def test_a_function_that_is_not_given_is_missed() -> None:
    line = lw.loads(TWO.replace("RULE", "{python: mine}"))
    with pytest.raises(lw.RuleError, match='"mine" was not given'):
        lw.simulate(line, allow_python=True)
    with pytest.raises(ValueError, match='no rule "other"; its rules in Python are'):
        lw.simulate(line, rules={"other": by(due)})


def test_a_function_from_python_stands_in_for_the_file(tmp_path: Path) -> None:
    line = lw.load(rule_model(tmp_path, "def mine(a, b, c): return 1 / 0"))
    result = lw.simulate(line, rules={"rules.py:mine": by(due)}, replications=1)
    assert not result.failed_checks


def test_the_hash_covers_the_text_of_the_rules(tmp_path: Path) -> None:
    from linewright.model.load import dumps, model_hash  # noqa: PLC0415

    first = lw.load(rule_model(tmp_path, COUNTING))
    second = lw.load(rule_model(tmp_path, COUNTING + "# said anew\n"))
    assert model_hash(first) != model_hash(second)
    again = lw.loads(dumps(first))
    assert again == first
    assert model_hash(again) == model_hash(first)


# ------------------------------------------------------------------ check


@pytest.mark.parametrize(
    ("python", "rule", "said"),
    [
        ("def mine(a, b): pass", "rules.py:mine", 'rules.py:1:1: "mine" does not take'),
        ("def mine(a, b, *, c): pass", "rules.py:mine", "does not take 3 arguments"),
        ("def mien(a, b, c): pass", "rules.py:mine", 'has no function "mine"; it has'),
        ("async def mine(a, b, c): 0", "rules.py:mine", "it has none"),
        ("def mine(a, b, c:", "rules.py:mine", "rules.py:1:9: this is not Python: "),
        ("", "rules.py:mine", "is not there, or is empty"),
        ("", "rule.py:mine", "rule.py: "),
        ("", "../rules.py:mine", "leads out of the folder"),
        ("", "rules.txt:mine", '"rules.txt:mine" names no function'),
        ("", "rules.py:1", '"rules.py:1" names no function'),
    ],
)
def test_check_finds_what_is_wrong_with_a_rule(
    tmp_path: Path, python: str, rule: str, said: str
) -> None:
    path = rule_model(tmp_path, python, rule=f'{{python: "{rule}"}}')
    with pytest.raises(lw.ModelError) as raised:
        lw.load_checked(path)
    (finding,) = raised.value.findings
    assert said in str(finding)
    assert (Path(finding.file).name, finding.line) == ("plant.yaml", 5)
    assert finding.column >= 57


@pytest.mark.parametrize(
    "python",
    ["def mine(a, b, c): 0", "def mine(*a): 0", "def mine(a, b, c, d=1, *, e=2): 0"],
)
def test_check_takes_every_function_that_can_be_called(
    tmp_path: Path, python: str
) -> None:
    assert lw.load_checked(rule_model(tmp_path, python))[1] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("every: exponential(9 min)", "kind: always"), "add conwip"),
        (("every: 5 min", "kind: never"), "out of a split only"),
    ],
)
def test_check_finds_release_rules_that_do_no_good(
    change: tuple[str, str], said: str
) -> None:
    text = CAPPED.replace("when_full: WHEN, ", "").replace("RULE", "rule: {python: m}")
    findings = check(lw.loads(text.replace(*change)))
    assert [said in str(f) for f in findings if f.code == "LW230"] == [True]


def test_check_asks_for_a_place_where_the_rule_finds_the_parts() -> None:
    text = TWO.replace("dispatch: RULE", "buffer: 0, dispatch: {python: mine}")
    findings = check(lw.loads(text))
    assert {f.code for f in findings if "place to wait" in f.message} == {"LW230"}


# ------------------------------------------------------------------ page and command


def page(language: str, heading: str = "") -> str:
    """Return the first block of a language on the page about rules."""
    text = (PROJECT / "docs" / "own-rules.md").read_text(encoding="utf-8")
    text = text[text.index(heading) :]
    return text.partition(f"```{language}\n")[2].partition("```")[0]


def shop(folder: Path, python: str) -> Path:
    (folder / "rules.py").write_text(python, encoding="utf-8")
    (folder / "shop.yaml").write_text(page("yaml"), encoding="utf-8")
    return folder / "shop.yaml"


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    line, findings = lw.load_checked(shop(tmp_path, page("python")))
    assert findings == []
    result = lw.simulate(line, allow_python=True, replications=2)
    assert not result.failed_checks
    assert sum(result.table("products")["finished"].to_pylist()) > 1000


def test_the_page_shows_the_error_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = page("python").replace("return first\n", "return part\n")
    shop(tmp_path, python)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(lw.RuleError) as raised:
        lw.simulate(lw.load("shop.yaml"), allow_python=True)
    assert str(raised.value) == " ".join(page("text").split())


VERBS = {
    "simulate": ("--quiet", "--replications", "1"),
    "brief": ("--quiet", "--replications", "1"),
    "state": ("--at", "20 h"),
    "why": ("grind", "--at", "20 h"),
    "trace": ("--station", "grind", "--until", "2 h"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_simulates_asks_for_leave(
    verb: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule_model(tmp_path, "def mine(a, b, c): return 0")
    monkeypatch.chdir(tmp_path)
    first, *rest = VERBS[verb]
    arguments = [verb, "plant.yaml", first, *rest]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "plant.yaml:5:66: this model has rules in Python" in said.err
    assert main([*arguments, "--allow-python"]) == 0


def test_check_and_diff_never_run_a_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    rule_model(tmp_path, python + "def mine(a, b, c): return 0\n")
    (tmp_path / "old.yaml").write_text(
        (tmp_path / "plant.yaml").read_text().replace("rules.py", "other.py")
    )
    (tmp_path / "other.py").write_text("def mine(a, b, c): return 0\n")
    monkeypatch.chdir(tmp_path)
    assert main(["check", "plant.yaml"]) == 0
    assert main(["diff", "old.yaml", "plant.yaml"]) == 0
    said = capsys.readouterr().out
    assert "dispatch python other.py:mine -> rules.py:mine" in said
    assert "dispatch source is another text: 1 -> 2 lines" in said
    assert not (tmp_path / "ran").exists()


def test_why_names_the_rule_that_lets_a_part_wait() -> None:
    text = TWO.replace("RULE", "{python: mine}")
    lowered = permit(lower(lw.loads(text), HOUR_US), {"mine": lambda *_: None})
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    _, state = run_until(lowered, state, draws, HOUR_US)
    said = why(lowered, state, "grind")
    assert "waits for it, but its rule mine takes none of the " in said
    text = CAPPED.replace("WHEN", "wait").replace("RULE", "rule: {python: mine}")
    lowered = permit(lower(lw.loads(text), HOUR_US), {"mine": lambda *_: False})
    state, draws = new_state(lowered), new_draws(lowered, 1, 0)
    _, state = run_until(lowered, state, draws, HOUR_US)
    said = why(lowered, state, "cold")
    assert "12 cold wait outside: its rule mine lets none in" in said


def test_the_address_is_no_part_of_the_machine_code_on_disk() -> None:
    code = """
        import sys
        from tests.test_own_rules import compare
        print(compare("priority", 3, 10), "numba.core" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT / 'src'}:{PROJECT}"}
    said = {
        subprocess.run(
            command, check=True, cwd=PROJECT, env=environment, capture_output=True
        ).stdout
        for _ in range(2)
    }
    assert said == {b"%d False\n" % compare("priority", 3, 10)}
