"""Who is served next, and how long queues were, against queues that are played."""

from __future__ import annotations

import numpy as np
import pytest

from linewright.fit.log import Ints
from linewright.fit.queues import CANNOT_TELL, NO_RULE, came_before, queue_at
from linewright.fit.visits import Visits


def played(rule: str, n: int = 1_500, servers: int = 1) -> tuple[Visits, Ints]:
    """Return visits to a station whose queue is played, and their kinds."""
    random = np.random.default_rng(5)
    came = np.cumsum(random.exponential(10.0, n))
    kind = random.integers(0, 3, n)
    work = np.array([4.0, 8.0, 15.0])[kind] * random.gamma(9, 1 / 9, n) * servers
    start = np.zeros(n)
    free = np.zeros(servers)
    waiting: list[int] = []
    i, last = 0, -1
    while i < n or waiting:
        s = int(np.argmin(free))
        if not waiting:
            waiting.append(i)
            i += 1
        now = max(free[s], came[waiting[0]])
        while i < n and came[i] <= now:
            waiting.append(i)
            i += 1
        first = {
            "fifo": came,
            "shortest_processing_time": kind,
            "least_setup": kind != last,
            "chance": random.random(n),
        }[rule]
        taken = min(waiting, key=lambda j: (first[j], came[j]))
        waiting.remove(taken)
        start[taken], last = now, int(kind[taken])
        free[s] = now + work[taken]
    queued_us, start_us, end_us = (
        np.round(1e6 * t).astype(np.int64) for t in (came, start, start + work)
    )
    order, none = np.arange(n), np.zeros(n, np.int64)
    return Visits(
        order, kind, none, none - 1, queued_us, start_us, end_us, work, none + 1
    ), kind


@pytest.mark.parametrize("rule", ["fifo", "shortest_processing_time", "least_setup"])
def test_the_rule_that_was_played_is_found(rule: str) -> None:
    v, kind = played(rule)
    found = queue_at(v, np.arange(len(v)), came_before(v), kind)
    assert found.rule == rule
    assert found.n_choices > 300
    assert found.share == 1
    came, start = v.queued_us, v.start_us
    # the largest queue, counted anew at each arrival
    waits = [int(((came <= t) & (start > t)).sum()) for t in came]
    assert found.most == max(waits)
    waited = float((start - came).sum()) / (start.max() - came.min())  # Little's law
    assert found.mean == pytest.approx(waited, rel=1e-9)
    assert found.is_said


def test_no_rule_and_too_few_choices_are_told_apart() -> None:
    v, kind = played("chance", servers=2)
    found = queue_at(v, np.arange(len(v)), came_before(v), kind)
    assert found.rule == NO_RULE
    assert found.share_high < 0.9
    few, kind = played("fifo", n=40)
    assert queue_at(few, np.arange(40), came_before(few), kind).rule == CANNOT_TELL
