"""Engines give what threads give, to the bit, and lose nothing."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import linewright
from linewright.engines import Engine, EngineError, Executor, Threads, in_order
from linewright.engines.on_ray import ray_engine
from linewright.errors import DeadlockError
from linewright.improve.options import options_of
from linewright.improve.search import Store, Study, improve
from linewright.improve.trials import Span
from linewright.model.source import parse
from linewright.plan.planning import plan_line
from tests.parts import PROJECT

HOUR_US = 3_600_000_000
HAS_RAY = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(
    not HAS_RAY, reason="the extra ray is not installed: pip install 'linewright[ray]'"
)

LINE = """
schema_version: 1
name: Two
start: 2027-01-04 00:00
stations:
  a: {process: exponential(60 s)}
  b:
    process: exponential(55 s)
    buffer: 3
    failures: {stop: {every: exponential(1 h), repair: exponential(5 min)}}
products: {part: {route: [a, b]}}
targets: {parts: {product: part, quantity: 1130, by: 2027-01-04}}
"""
OPTIONS = """
options_version: 1
options:
  faster: {cost: 5, changes: {stations: {a: {process: exponential(50 s)}}}}
  perhaps faster:
    cost: 5
    uncertain: {mean: "uniform(45 s, 56 s)"}
    changes: {stations: {b: {process: exponential($mean)}}}
"""


class Backwards:
    """Two threads that hand back the last chunk first: the worst order there is."""

    def open(self, task: Callable[[int], Any], n: int) -> Executor:
        return _Backwards(task)

    def chunk(self, n: int) -> int:
        return 3


class _Backwards:
    n_at_once = 4

    def __init__(self, task: Callable[[int], Any]) -> None:
        self.task = task
        self.pool = ThreadPoolExecutor(2)
        self.begun: list[Any] = []
        self.most = 0

    def submit(self, numbers: Any) -> None:
        run = [self.pool.submit(self.task, number) for number in numbers]
        self.begun.append((numbers, run))
        self.most = max(self.most, len(self.begun))

    def collect(self) -> tuple[Any, list[Any]]:
        numbers, run = self.begun.pop()
        return numbers, [future.result() for future in run]

    def cancel(self) -> None:
        self.pool.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Engine]:
    # workers import the package, and the tests, from where this process does
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(PROJECT / "src"), str(PROJECT), before or ""]
    )
    with ray_engine(2) as engine:
        yield engine
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def answers(engine: Engine | None) -> str:
    """Return all digits of a simulation, a plan and an improvement on an engine."""
    line = linewright.loads(LINE)
    result = linewright.simulate(
        line, horizon="1 d", replications=9, warmup=0, engine=engine
    )
    plan = plan_line(line, replications=25, engine=engine)
    root, findings = parse(OPTIONS, "options.yaml")
    study = Study(Span(HOUR_US, 9 * HOUR_US), 2, replications=6, n_most=40)
    options = options_of(root, list(findings), line)
    found = improve(options, 10, study, Store(), engine=engine)
    found_all = [
        {name: result.table(name).to_pylist() for name in ("summary", "stations")},
        plan.rows("goals"),
        plan.rows("replications"),
        (found.chosen, found.gain, found.candidates),
    ]
    return repr(found_all)  # a number that is none is not equal to itself


def test_the_order_in_which_chunks_end_changes_nothing() -> None:
    assert list(in_order(Backwards(), lambda n: n * n, range(20))) == [
        n * n for n in range(20)
    ]
    assert answers(Backwards()) == answers(None) == answers(Threads(1))


def test_what_a_task_raises_is_raised() -> None:
    def task(number: int) -> int:
        if number == 7:
            msg = "seven"
            raise DeadlockError(msg)
        return number

    for engine in (Threads(2), Backwards()):
        with pytest.raises(DeadlockError, match="seven"):
            list(in_order(engine, task, range(20)))


def test_rules_of_ones_own_stay_on_threads() -> None:
    line = linewright.loads(
        LINE.replace("{process: exponential(60 s)}",
                     "{process: 1 s, dispatch: {python: slack}}")
    )  # fmt: skip
    with pytest.raises(ValueError, match="on threads of this machine only"):
        linewright.simulate(
            line,
            engine=Backwards(),
            rules={"slack": lambda *_: 0},
            horizon="1 h",
        )


@pytest.mark.skipif(HAS_RAY, reason="the extra ray is installed")
def test_without_ray_it_is_said_what_is_missing() -> None:
    with pytest.raises(EngineError, match="pip install"), ray_engine():
        pass


def test_a_cluster_that_does_not_start_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ray says with a bare exception that a node was not there in time."""
    stopped = []

    def init(**_: Any) -> None:
        msg = "The current node timed out during startup."
        raise Exception(msg)

    there = SimpleNamespace(init=init, shutdown=lambda: stopped.append(True))
    monkeypatch.setitem(sys.modules, "ray", there)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with (
        pytest.raises(EngineError, match="on this machine: The current node timed out"),
        ray_engine(2),
    ):
        pass
    assert stopped


@with_ray
def test_a_cluster_gives_what_threads_give(cluster: Engine) -> None:
    assert answers(cluster) == answers(None)


@with_ray
def test_a_worker_that_dies_loses_nothing(cluster: Engine, tmp_path: Path) -> None:
    """The worker that comes to number 5 first is killed in the midst of its chunk."""
    mark = tmp_path / "died"

    def task(number: int) -> int:
        if number == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number

    assert list(in_order(cluster, task, range(30))) == [n * n for n in range(30)]
    assert mark.exists()


@with_ray
def test_a_chunk_that_kills_every_worker_is_told(cluster: Engine) -> None:
    def task(number: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(EngineError, match="lost replications 0 to"):
        list(in_order(cluster, task, range(2)))


@with_ray
def test_what_a_task_raises_on_a_cluster_is_raised_here(cluster: Engine) -> None:
    def task(number: int) -> int:
        msg = f"number {number}"
        raise DeadlockError(msg)

    with pytest.raises(DeadlockError, match="number"):
        list(in_order(cluster, task, range(4)))
