"""Nothing is lost or done twice, whatever fails; and a broken protocol shows.

`python -m benchmarks.soak` runs as many worlds as one likes.
"""

from __future__ import annotations

import pytest

from linewright.control.links import Link
from linewright.control.machines import JobList
from linewright.control.records import Answer, Signal
from tests.control_world import MUTANTS, World, judge, lowered_world

N_WORLDS = 300
N_TO_FIND = 2_000
SHARE = MUTANTS[::5]


@pytest.mark.parametrize("block", range(3))
def test_nothing_is_lost_or_done_twice_whatever_fails(block: int) -> None:
    lowered, n_kills = lowered_world(), 0
    for seed in range(block, N_WORLDS, 3):
        world = World(lowered, seed)
        world.run()
        assert judge(world) == [], f"world {seed}"
        assert not world.controller or not world.controller.core.alarms
        n_kills += world.n_kills
    assert n_kills > N_WORLDS / 2


def test_machines_with_tags_and_a_handshake_lose_nothing_either() -> None:
    lowered, n_decided = lowered_world(), 0
    for seed in range(N_WORLDS // 6):
        world = World(lowered, seed, has_tags=True)
        world.run()
        assert judge(world) == [], f"world {seed}"
        n_decided += world.n_decided
    assert n_decided > 0  # a machine has forgotten, and a person was asked


def first_found(mutant: str) -> int:
    """Return the seed of the first world in which a broken protocol does harm."""
    lowered = lowered_world()
    for seed in range(N_TO_FIND):
        world = World(lowered, seed, mutant)
        try:
            world.run()
        except Exception:
            return seed
        if judge(world):
            return seed
    return N_TO_FIND


@pytest.mark.parametrize("mutant", SHARE)
def test_a_broken_protocol_is_found(mutant: str) -> None:
    assert first_found(mutant) < N_TO_FIND


@pytest.mark.soak
@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one not in SHARE])
def test_every_other_broken_protocol_is_found(mutant: str) -> None:
    assert first_found(mutant) < N_TO_FIND


# ------------------------------------------------------------------ the contract


def command(number: int, version: int = 1, want: str = "run") -> dict[str, object]:
    return {"job": f"oven#{number}", "want": want, "version": version}


def test_a_machine_takes_each_job_once_and_old_ones_never() -> None:
    oven = JobList()
    assert oven.put(command(1), 1, 1).code == "accepted"
    assert oven.put(command(1), 1, 1).code == "known"
    assert oven.put(command(1, 3, "hold"), 1, 1).code == "accepted"
    assert oven.put(command(1, 2), 1, 1).code == "known"  # said before, came after
    assert oven.list().jobs["oven#1"] == (3, "held", ())
    oven.clear("oven#1")
    assert oven.list().jobs, "it has not ended"
    oven.end("oven#1", (0,))
    assert oven.put(command(1, 4, "cancel"), 1, 1).code == "accepted"
    assert oven.list().jobs["oven#1"] == (4, "ended", (0,))
    oven.clear("oven#1")
    assert oven.put(command(1), 1, 1).code == "old"
    assert oven.put(command(3), 2, 1).code == "accepted"
    assert oven.put(command(2), 2, 1).code == "old"
    assert oven.put(command(4), 1, 1).code == "old"  # from an earlier controller
    oven.restart(remembers=False)
    assert oven.put(command(5), 2, 1).code == "restarted"
    assert oven.put(command(5), 2, 2).code == "accepted"


def test_a_result_that_was_refused_is_told_once() -> None:
    link, oven = Link("oven", 1, 1_000, has_guard=False), JobList()
    oven.put(command(1), 1, 1)
    oven.end("oven#1", (7,))
    for written_boot, n_told in ((0, 2), (1, 0)):
        message = link.next_message([], written_boot, 10_000_000 * (1 + written_boot))
        assert message is not None
        assert message.kind == "list"
        job = object()
        told = link.answered(message, oven.list(), {"oven#1": job}, 0)  # type: ignore[dict-item]
        assert len(told) == n_told
        for signal in told:
            link.settled(Answer(signal, is_accepted=signal.kind == "machine"))
        link.wake()
    assert Signal("done", "oven#1", (7,)) not in told
