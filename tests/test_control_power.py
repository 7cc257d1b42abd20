"""The journal outlives power cuts and failing disks; a careless one does not.

`python -m benchmarks.soak images` makes as many power cuts as one likes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from linewright.control.controller import Controller
from linewright.control.journal import SqliteJournal
from linewright.control.nature import Nature
from linewright.control.records import Signal
from linewright.errors import JournalError
from linewright.lower import Lowered
from tests.control_world import lowered_world
from tests.memory_journal import OPENING
from tests.parts import require

N_IMAGES = 500


@pytest.fixture(autouse=True)
def _apsw() -> None:
    require("apsw")


def cuts(synchronous: str, n: int) -> Counter[str]:
    """Return what became of so many images, or a few more."""
    from tests.power_cuts import cut  # noqa: PLC0415 - needs a part

    found: Counter[str] = Counter()
    seed = 0
    while found.total() < n:
        found += cut(seed, synchronous)
        seed += 1
    return found


def test_what_was_acknowledged_outlives_a_power_cut_at_any_point() -> None:
    found = cuts("FULL", N_IMAGES)
    assert found == {"good": found.total()}


@pytest.mark.parametrize(("synchronous", "what"), [("NORMAL", "lost"), ("OFF", "lost")])
def test_a_journal_that_syncs_less_loses(synchronous: str, what: str) -> None:
    assert cuts(synchronous, 100)[what] > 0


# ---------------------------------------------------------------- disks that fail


class Plant:
    """A controller on a disk that fails when told to, and machines that obey.

    A machine ends a job as soon as a command for it has left; what leaves is written
    down, to be held against the journal.
    """

    def __init__(self, folder: Path, lowered: Lowered) -> None:
        from tests.power import Op, RecordingDisk  # noqa: PLC0415 - needs a part

        self.lowered, self.path = lowered, folder / "a.journal"
        self.disk = RecordingDisk(str(folder))
        self.error: Exception | None = None
        self.kinds = {"write"}

        def fault(op: Op) -> None:
            if self.error and op.kind in self.kinds:
                raise self.error

        self.disk.fault = fault
        journal = SqliteJournal(self.path, OPENING, connect=self.disk.connect)
        self.controller = Controller(
            lowered, journal, make_companion=lambda: Nature(lowered, 0)
        )
        self.now_us = 0
        self.left: set[tuple[str, int]] = set()
        self.n_failed = 0

    def turn(self) -> None:
        """Go round once: commands leave, the machines end, the controller hears."""
        try:
            jobs = list(self.controller.core.jobs.values())
        except JournalError:
            self.n_failed += 1
            return
        self.left |= {(job.id, job.version) for job in jobs}
        self.now_us += 1_000_000
        for job in jobs:
            self.controller.tell(Signal("done", job.id))
        try:
            self.controller.step(self.now_us)
        except JournalError:
            self.n_failed += 1

    def written(self) -> set[tuple[str, int]]:
        """Return the commands that are in the journal, as another one reads it."""
        return {
            (command["job"], command["version"])
            for one in self.controller.journal.read(0)
            for command in one.record.commands
        }


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path, lowered_world())
    yield made
    made.disk.unregister()


@pytest.mark.parametrize("what", ["full disk", "failing write", "failing sync"])
def test_without_a_commit_nothing_is_commanded_and_with_space_it_goes_on(
    plant: Plant, what: str
) -> None:
    import apsw  # noqa: PLC0415 - a part that may be missing

    for _ in range(3):
        plant.turn()
    n_left, n_failed = len(plant.left), plant.n_failed
    assert n_failed == 0
    plant.error = {
        "full disk": apsw.FullError("the disk is full"),
        "failing write": apsw.IOError("the disk fails"),
        "failing sync": apsw.IOError("the disk does not sync"),
    }[what]
    plant.kinds = {"sync"} if what == "failing sync" else {"write"}
    plant.turn()
    n_more = len(plant.left)
    for _ in range(3):
        plant.turn()
    assert plant.n_failed == 4
    assert len(plant.left) == n_more, "a command has left that nobody wrote down"
    plant.error = None
    for _ in range(40):
        plant.turn()
    assert plant.n_failed == 4
    assert len(plant.left) > n_left
    assert plant.left <= plant.written()
    products = plant.controller.core.state.products
    assert int(products["finished"][0]) == 6
    digest = plant.controller.core.digest()
    plant.controller.journal.close()
    again = SqliteJournal(plant.path)
    assert all(one.seq == i for i, one in enumerate(again.read()))
    fresh = Controller(plant.lowered, again, make_companion=None)
    fresh.core.epoch -= 1  # but for this start
    assert fresh.core.digest() == digest
    again.close()
