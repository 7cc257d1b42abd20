"""What people ask of a running line is done once, and leaves the line whole."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from linewright import tables as t
from linewright.control.asking import Request
from linewright.control.emulation import Emulation
from linewright.errors import DeadlockError
from linewright.lower import lower
from tests.asking_people import People, wrong_in
from tests.memory_journal import MemoryJournal
from tests.random_lines import HOUR_US, random_line

MINUTE_US = HOUR_US // 60
SAME = ("buffers", "products", "orders", "stations", "lists", "pools", "stocks")


def asked_line(seed: int, hours: int) -> tuple[Emulation, list[tuple[int, Request]]]:
    """Run a random line in which people ask for something every few minutes."""
    lowered = lower(random_line(seed), hours * HOUR_US)
    line = Emulation(lowered, MemoryJournal(), seed)
    people, asks, at_us = People(seed), [], 0
    with suppress(DeadlockError):
        while at_us < hours * HOUR_US:
            at_us += int(people.rng.integers(1, 60)) * MINUTE_US
            line.run(at_us)
            request = people.ask(line.controller.core)
            line.ask(request, at_us)
            asks.append((at_us, request))
            core = line.controller.core
            found = wrong_in(core.lowered, core.state)
            assert found == [], f"line {seed}: {request}: {found}"
    return line, asks


@pytest.mark.parametrize("block", range(0, 60, 20))
def test_whatever_people_ask_the_line_stays_whole(block: int) -> None:
    n_done, n_declined = 0, 0
    kinds = set()
    for seed in range(block, block + 20):
        line, _ = asked_line(seed, 24)
        core, nature = line.controller.core, line.nature
        for name in SAME:
            a, b = getattr(core.state, name), getattr(nature.state, name)
            np.testing.assert_array_equal(a, b, f"line {seed}: {name}")
        for record in line.controller.journal.records:  # type: ignore[attr-defined]
            n_done += record.kind == "request"
            n_declined += record.kind == "declined"
            if record.kind == "request":
                kinds.add(record.body["what"])
        assert not core.alarms or core.state.clock["status"][0] == t.DEADLOCK
    assert n_done > 200
    assert n_declined > 100
