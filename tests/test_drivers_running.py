"""A line on played machines: what the journal says was done is what they did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from linewright.control.controller import Controller
from linewright.control.drawn import cannot_play, sample_us
from linewright.control.faults import Fault
from linewright.control.named_streams import generator
from linewright.control.plant import Plant
from linewright.control.records import Record
from linewright.drivers.played import Played
from linewright.drivers.running import Runner
from linewright.errors import JournalStalledError
from linewright.lower import lower
from linewright.model.distribution import Distribution
from linewright.model.line import Line
from linewright.model.load import load, loads
from tests.memory_journal import MemoryJournal

HOUR = 3_600_000_000
N_UNITS = 12
SPEED = 40.0

LINE = f"""
schema_version: 1
name: world
stations:
  cut: {{servers: 2, process: 4 s}}
  weld:
    process: exponential(3 s)
    buffer: 8
    failures: {{torch: {{every: 12 s, repair: 5 s}}}}
  test: {{process: 2 s, buffer: 2, load: 1 s, unload: 1 s}}
  pack: {{process: 1 s, buffer: 4}}
products:
  frame:
    release: {{kind: orders}}
    route:
      - cut
      - weld
      - station: test
        transport: 1 s
        inspection: {{pass: 0.7, rework: 0.3, rework_to: weld, rework_limit: 5}}
      - pack
orders:
  - {{product: frame, quantity: {N_UNITS}}}
"""


def played(
    line: Line, faults: list[Fault], journal: MemoryJournal, stops_s: tuple[float, ...]
) -> Plant:
    """Run a line to its end, its controller stopped and started again now and then."""
    told: list[str] = []
    lowered = lower(line, 24 * HOUR)
    plant = Plant(line, lowered, 7, faults=faults)
    begun_s = time.monotonic()

    def now_us() -> int:
        return int((time.monotonic() - begun_s) * SPEED * 1e6)

    async def run() -> None:
        for stop_s in (*stops_s, 60.0):
            controller = Controller(lowered, journal)
            way = Played(plant, now_us, SPEED)
            runner = Runner(controller, way, SPEED, on_stalled=told.append)
            asyncio.get_running_loop().call_later(stop_s, runner.stop)
            progress = await runner.run(24 * HOUR)
            assert not runner.doubtful()
        assert progress.finished == {"frame": N_UNITS}

    asyncio.run(run())
    return plant


def hold_against(journal: MemoryJournal, plant: Plant) -> None:
    """Hold what is written against what the machines did, job by job."""
    done = {one.job: one.outcomes or (0,) for one in plant.done}
    assert len(done) == len(plant.done), "work was done twice"
    written = {
        record.body["job"]: tuple(record.body["outcomes"])
        for record in journal.records
        if record.kind == "done"
    }
    assert written == done


def routes(plant: Plant) -> dict[int, list[str]]:
    """Return what was done to each unit at which station, as the machines have it."""
    found: dict[int, list[str]] = {}
    for one in plant.done:
        if one.command["action"] == "process":
            for _, serial in one.command["units"]:
                found.setdefault(serial, []).append(one.command["operation"])
    return found


def test_a_line_in_real_time_does_what_its_machines_say_they_did() -> None:
    line, journal = loads(LINE), MemoryJournal()
    faults = [
        Fault("stuck", "cut/1", 6_000_000, 4_000_000),
        Fault("restart", "weld", 9_000_000),
        Fault("forget", "test", 15_000_000),
        Fault("duplicate", "weld", 0),
        Fault("slow", "pack", 5_000_000, 10_000_000),
    ]
    plant = played(line, faults, journal, (0.2, 0.3))
    hold_against(journal, plant)
    for route in routes(plant).values():
        assert route[:2] == ["cut", "weld"]
        assert route[-2:] == ["test", "pack"]
        n = len(route)
        assert route[1:-1] == ["weld", "test"] * ((n - 2) // 2)
    kinds = [record.kind for record in journal.records]
    assert kinds.count("boot") == 3
    n_repairs = sum(one.command["action"] == "repair" for one in plant.done)
    assert kinds.count("failure") == n_repairs > 0
    assert "refused" not in kinds


class Stalling(MemoryJournal):
    """A journal that takes nothing for a while, once and again.

    When that begins, one batch is written and its answer gets lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_appends = self.n_stalled = 0

    def append(self, expected_seq: int, records: Sequence[Record]) -> None:
        self.n_appends += 1
        if self.n_appends % 40 < 37:
            return super().append(expected_seq, records)
        self.n_stalled += 1
        if self.n_appends % 40 == 37:
            super().append(expected_seq, records)
        msg = "the server is gone"
        raise JournalStalledError(msg)


def test_a_journal_that_stalls_holds_the_line_up_and_loses_nothing() -> None:
    line, journal = loads(LINE), Stalling()
    plant = played(line, [Fault("duplicate", "weld", 0)], journal, ())
    hold_against(journal, plant)
    assert journal.n_stalled > 3
    kinds = [record.kind for record in journal.records]
    assert kinds.count("boot") == 1
    assert "refused" not in kinds
    n_repairs = sum(one.command["action"] == "repair" for one in plant.done)
    assert kinds.count("failure") == n_repairs > 0


@pytest.mark.parametrize(
    "text",
    [
        "uniform(2 s, 6 s)",
        "triangular(1 s, 2 s, 6 s)",
        "exponential(3 s)",
        "erlang(3 s, stages=3)",
        "gamma(3 s, cv=0.5)",
        "lognormal(3 s, cv=0.7)",
        "normal(3 s, 2 s)",
        "weibull(3 s, shape=1.5)",
        "beta(1 s, 5 s, a=2, b=3)",
        "pert(1 s, 2 s, 6 s)",
        "hyperexponential(3 s, cv=1.5)",
    ],
)
def test_a_played_machine_takes_as_long_as_the_model_says(text: str) -> None:
    """Mean and deviation, against the formulas that the checks of a model use."""
    model = LINE.replace("exponential(3 s)", text)
    tables = lower(loads(model), HOUR).tables
    dist = int(tables.steps["only_dist"][1])
    rng, n = generator("test", text), 20_000
    draws = np.array([sample_us(tables, dist, rng) for _ in range(n)]) / 1e6
    right = Distribution.model_validate(text)
    mean, sd = right.mean_us / 1e6, right.variance_us2**0.5 / 1e6
    assert abs(draws.mean() - mean) < 4.5 * sd / n**0.5
    assert abs(draws.std() / sd - 1) < 0.08


def test_what_played_machines_cannot_do_is_said_all_at_once() -> None:
    text = """
schema_version: 1
name: more
people: {hands: {count: 2, walk: 5 s}}
stations:
  cut: {process: 1 s, people: {process: hands}}
  press:
    process: 1 s
    failures: {wear: {every: exponential(1 h), repair: 1 min, steps: 3}}
products:
  frame: {release: {kind: arrivals, every: exponential(9 s)}, route: [cut, press]}
"""
    line = loads(text)
    assert cannot_play(line, lower(line, HOUR)) == [
        "people who walk: hands",
        "arrivals: frame",
        "wear: wear",
    ]
    plant = load(Path(__file__).parents[1] / "examples/light-aircraft/plant.yaml")
    assert cannot_play(plant, lower(plant, HOUR)) == []
    line = loads(LINE)
    assert cannot_play(line, lower(line, HOUR)) == []
